//! What the database takes and does not keep is refused: nobody is told of it by an error, and no run is passed over.

use restore_reconciler::internals::storage::{Settlement, Trust};

use super::poison::{all_refused, restricted};
use crate::support::case::Case;
use crate::support::settled::{refused, settle, settling};
use crate::support::store::{Fixture, on_both, open_trusting};

on_both!(
    an_update_that_a_trigger_swallows_is_refused,
    an_audit_entry_that_a_trigger_swallows_is_refused,
    an_audit_entry_that_a_trigger_removes_is_refused,
    an_outcome_that_a_trigger_changes_is_refused,
    what_a_trigger_redacts_stops_no_verdict,
);

/// The run that the database does nothing about.
const POISON: i64 = 7;

/// Has an event be followed by something else: on SQLite a trigger's statements, on PostgreSQL a function's.
async fn have(on: &Fixture, event: &str, condition: &str, [sqlite, postgres]: [&str; 2]) {
    on.execute(&if on.is_sqlite() {
        format!("CREATE TRIGGER planted {event} WHEN {condition} BEGIN {sqlite}; END")
    } else {
        format!(
            "CREATE FUNCTION planted() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
             BEGIN {postgres} END $$;
             CREATE TRIGGER planted {event} FOR EACH ROW WHEN ({condition}) EXECUTE FUNCTION planted()"
        )
    })
    .await;
}

/// One run of nine costs itself its verdict, is said to be refused with these words, and has its verdict once nothing
/// swallows it.
async fn costs_one_run_its_verdict(on: &Fixture, words: &str) {
    let mend = on.either("DROP TRIGGER planted", "DROP FUNCTION planted() CASCADE");
    costs_until(on, words, mend).await;
}

async fn costs_until(on: &Fixture, words: &str, mend: &str) {
    let before = on.run(POISON).await;
    let runs: Vec<i64> = (1..=9).collect();
    for tries in 1..=2 {
        let results = on.settle(&runs).await;
        assert_eq!(all_refused(&results), [POISON]);
        let (watch, error) = refused(&results[&POISON]);
        assert_eq!(watch.expect("it is watched").tries, tries);
        assert!(error.contains(words), "{error}");
        on.assert_one_of_each(8).await;
        assert_eq!(before, on.run(POISON).await);
    }
    on.execute(mend).await;
    on.verdict(POISON).await;
    on.assert_one_of_each(9).await;
}

async fn nine_failed(on: &Fixture) {
    on.plant((1..=9).map(Case::failed)).await;
}

const NOTHING: [&str; 2] = ["SELECT RAISE(IGNORE)", "RETURN NULL;"];

async fn an_update_that_a_trigger_swallows_is_refused(on: Fixture) {
    nine_failed(&on).await;
    have(
        &on,
        "BEFORE UPDATE ON operation_runs",
        "NEW.id = 7",
        NOTHING,
    )
    .await;
    let words = "cannot close runs: the database took the update of run 7 without an error";
    costs_one_run_its_verdict(&on, words).await;
}

async fn an_audit_entry_that_a_trigger_swallows_is_refused(on: Fixture) {
    nine_failed(&on).await;
    let condition = "NEW.resource_type = 'operation_run' AND NEW.resource_id = '7'";
    have(&on, "BEFORE INSERT ON audit_logs", condition, NOTHING).await;
    let words = "cannot write audit entries: the database took the audit entry about run 7 without an error";
    costs_one_run_its_verdict(&on, words).await;
}

async fn an_audit_entry_that_a_trigger_removes_is_refused(on: Fixture) {
    nine_failed(&on).await;
    let condition = "NEW.resource_type = 'operation_run' AND NEW.resource_id = '7'";
    let remove = [
        "DELETE FROM audit_logs WHERE id = NEW.id",
        "DELETE FROM audit_logs WHERE id = NEW.id; RETURN NULL;",
    ];
    have(&on, "AFTER INSERT ON audit_logs", condition, remove).await;
    costs_one_run_its_verdict(&on, "audit entry about run 7").await;
}

async fn an_outcome_that_a_trigger_changes_is_refused(on: Fixture) {
    nine_failed(&on).await;
    let change = [
        "UPDATE operation_runs SET outcome = 'succeeded' WHERE id = NEW.id",
        "UPDATE operation_runs SET outcome = 'succeeded' WHERE id = NEW.id; RETURN NULL;",
    ];
    let condition = "NEW.id = 7 AND NEW.outcome = 'failed'";
    have(&on, "AFTER UPDATE ON operation_runs", condition, change).await;
    costs_one_run_its_verdict(&on, "run 7").await;
}

/// The audit log may keep less of an entry than it is given.
async fn what_a_trigger_redacts_stops_no_verdict(on: Fixture) {
    nine_failed(&on).await;
    let redact = [
        "UPDATE audit_logs SET metadata = '{}', summary = NULL WHERE id = NEW.id",
        "UPDATE audit_logs SET metadata = '{}', summary = NULL WHERE id = NEW.id; RETURN NULL;",
    ];
    have(
        &on,
        "AFTER INSERT ON audit_logs",
        "NEW.action = 'operation_run.reconciled'",
        redact,
    )
    .await;
    let results = on.settle(&(1..=9).collect::<Vec<i64>>()).await;
    let is_committed = |result: &Settlement| matches!(result, Settlement::Committed(_));
    assert!(results.values().all(is_committed), "{results:?}");
    on.assert_one_of_each(9).await;
}

/// Where such a rule is on a table, no statement may return what it did, so that not even the others could be closed.
#[tokio::test]
async fn what_a_rule_swallows_is_refused() {
    for (event, table, condition, words) in [
        ("UPDATE", "operation_runs", "NEW.id = 7", "update of run 7"),
        (
            "INSERT",
            "audit_logs",
            "NEW.resource_type = 'operation_run' AND NEW.resource_id = '7'",
            "audit entry about run 7",
        ),
    ] {
        let on = Fixture::postgres().await;
        nine_failed(&on).await;
        on.execute(&format!(
            "CREATE RULE planted AS ON {event} TO {table} WHERE {condition} DO INSTEAD NOTHING"
        ))
        .await;
        costs_until(&on, words, &format!("DROP RULE planted ON {table}")).await;
    }
}

/// A policy for updates alone hides a row from whoever wants to lock it, as if somebody held it.
#[tokio::test]
async fn a_run_that_a_policy_keeps_from_being_changed_is_refused() {
    let on = Fixture::postgres().await;
    nine_failed(&on).await;
    let role = restricted(
        &on,
        "ALTER TABLE operation_runs ENABLE ROW LEVEL SECURITY;
         CREATE POLICY visible ON operation_runs FOR SELECT USING (true);
         CREATE POLICY changeable ON operation_runs FOR UPDATE USING (id <> 7)",
    )
    .await;
    let vouched = Trust {
        row_security: true,
        ..Trust::default()
    };
    let store = open_trusting(&role.url, vouched).await;
    let runs: Vec<i64> = (1..=9).collect();
    for tries in 1..=2 {
        let results = settle(&store, &runs, &settling()).await;
        assert_eq!(all_refused(&results), [POISON]);
        let (watch, error) = refused(&results[&POISON]);
        assert_eq!(watch.expect("it is watched").tries, tries);
        assert!(
            error.contains("run 7 can be read and not be locked"),
            "{error}"
        );
        on.assert_one_of_each(8).await;
    }

    // One that somebody holds is in other hands, whatever policies there are.
    on.execute("DROP POLICY changeable ON operation_runs; CREATE POLICY changeable ON operation_runs FOR UPDATE USING (true)")
        .await;
    let mut holder = on.pg().begin().await.unwrap();
    sqlx::query("SELECT FROM operation_runs WHERE id = 7 FOR UPDATE")
        .execute(&mut *holder)
        .await
        .unwrap();
    let held = settle(&store, &[POISON], &settling()).await;
    assert_eq!(held[&POISON], Settlement::Locked);
    holder.rollback().await.unwrap();
    let results = settle(&store, &[POISON], &settling()).await;
    assert!(
        matches!(results[&POISON], Settlement::Committed(_)),
        "{results:?}"
    );
    role.forget(&on).await;
}
