//! A row that the database refuses holds up nobody but itself; a refusal of everything stops at once.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use reconciler_jobs::ids::RunId;
use reconciler_jobs::restore_execute::{Policy, ReasonCode};
use restore_reconciler::internals::storage::reader::{RunFilter, Workspaces};
use restore_reconciler::internals::storage::{ErrorKind, Settlement, Settling, Trust};
use restore_reconciler::internals::sweep::{Scope, sweep};

use super::reader::reader;
use crate::support::case::Case;
use crate::support::hold::{WAITING, hold};
use crate::support::role::Role;
use crate::support::settled::{refused, run_ids, settle, settling};
use crate::support::store::{Fixture, on_both, open_trusting};
use crate::support::time::eventually;

on_both!(
    a_refused_update_costs_one_run_its_verdict,
    a_refused_audit_entry_costs_one_run_its_verdict,
    a_refused_ledger_entry_costs_one_run_its_verdict,
    a_run_that_breaks_a_function_of_the_platforms_costs_itself_its_verdict,
    what_refuses_every_run_alike_blames_nobody,
    a_refused_watch_list_entry_is_reported_all_the_same,
    what_the_database_said_is_shown_beside_the_run,
);

/// A refusal is written down in a transaction of its own, before which somebody may migrate, or begin to.
#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_beside_another_schema_is_not_written_down() {
    let on = Fixture::postgres().await;
    on.plant([Case::failed(1)]).await;
    on.refuse("UPDATE ON operation_runs", "NEW.id = 1").await;
    let later = "INSERT INTO reconciler.migrations (version, description, success, checksum, execution_time)
                 VALUES (9999, 'later', true, '', 0)";
    let gap = "DELETE FROM reconciler.migrations WHERE version IN (9, 9999)";
    for (change, version) in [(later, 9999), (gap, 8)] {
        let held = hold(&on.url, 1).await;
        let store = on.store.clone();
        let settling = tokio::spawn(async move {
            let mut settled = Vec::new();
            store
                .settle(&run_ids(&[1]), &settling(), &mut settled)
                .await
        });
        let waits = async || (on.count(WAITING).await == 1).then_some(());
        eventually(waits, async || "it does not wait".to_owned()).await;
        on.execute(change).await;
        held.let_go().await;
        let error = settling.await.expect("it ends").expect_err("it is refused");
        let told = format!("our schema is at version {version} and");
        assert!(error.to_string().contains(&told), "{error}");
        assert_eq!(on.number_of("reconciler.watch_list").await, 0);
        on.execute("DELETE FROM reconciler.migrations WHERE version = 9999")
            .await;
    }
}

/// The run in the middle of a batch that the database refuses to write something about.
const POISON: i64 = 250;

/// Each try costs the one run its verdict and nobody else, until it is refused no more.
async fn isolated(on: Fixture, event: &str, condition: &str) {
    on.refuse(event, condition).await;
    isolated_until(&on, "refused by a test").await;
    on.permit(event).await;
    assert_settled(&on).await;
}

async fn assert_settled(on: &Fixture) {
    on.verdict(POISON).await;
    assert_eq!(on.number_of("reconciler.watch_list").await, 0);
}

async fn isolated_until(on: &Fixture, said_on_sqlite: &str) {
    let said = on.either(said_on_sqlite, "refused by a test");
    on.plant((1..=500).map(Case::failed)).await;
    let untouched = on.run(POISON).await;
    for tries in 1..=2 {
        let runs: Vec<i64> = (1..=500).collect();
        let results = on.settle(&runs).await;
        assert_eq!(results.len(), 500);
        let (watch, error) = refused(&results[&POISON]);
        assert!(error.to_lowercase().contains(said), "{error}");
        let watch = watch.expect("the run is watched");
        let found = (watch.reason.code(), watch.tries);
        assert_eq!(found, ("run.settle_failed", tries));
        if tries == 1 {
            let is_committed = |result: &&Settlement| matches!(result, Settlement::Committed(_));
            assert_eq!(results.values().filter(is_committed).count(), 499);
        }
        on.assert_one_of_each(499).await;
        assert_eq!(untouched, on.run(POISON).await);
        let watched = on.row("SELECT * FROM reconciler.watch_list").await;
        assert_eq!(watched["operation_run_id"].as_deref(), Some("250"));
        assert_eq!(watched["reason_code"].as_deref(), Some("run.settle_failed"));
        assert_eq!(watched["tries"], Some(tries.to_string()));
        assert_eq!(on.store.count_due(None).await.unwrap(), 0);
    }
}

async fn a_refused_update_costs_one_run_its_verdict(on: Fixture) {
    isolated(on, "UPDATE ON operation_runs", "NEW.id = 250").await;
}

async fn a_refused_audit_entry_costs_one_run_its_verdict(on: Fixture) {
    isolated(on, "INSERT ON audit_logs", "NEW.resource_id = '250'").await;
}

async fn a_refused_ledger_entry_costs_one_run_its_verdict(on: Fixture) {
    let event = "INSERT ON reconciler.ledger";
    isolated(on, event, "NEW.operation_run_id = 250").await;
}

/// Has closing a run that meets `condition` end with an error that is not one of data: on PostgreSQL with
/// such a code, raised on purpose; on SQLite, which has no such codes, as a function fails.
async fn break_on(on: &Fixture, condition: &str) {
    on.execute(&if on.is_sqlite() {
        format!(
            "CREATE TRIGGER poison BEFORE UPDATE ON operation_runs WHEN {condition}
             BEGIN SELECT json('refused by a test'); END"
        )
    } else {
        format!(
            "CREATE FUNCTION poison() RETURNS trigger LANGUAGE plpgsql AS $$
             BEGIN RAISE EXCEPTION 'run %: refused by a test', NEW.id USING ERRCODE = '42501'; END $$;
             CREATE TRIGGER poison BEFORE UPDATE ON operation_runs FOR EACH ROW
             WHEN ({condition}) EXECUTE FUNCTION poison()"
        )
    })
    .await;
}

async fn mend(on: &Fixture) {
    on.execute(on.either("DROP TRIGGER poison", "DROP FUNCTION poison() CASCADE"))
        .await;
}

async fn a_run_that_breaks_a_function_of_the_platforms_costs_itself_its_verdict(on: Fixture) {
    break_on(&on, "NEW.id = 250").await;
    isolated_until(&on, "json").await;
    mend(&on).await;
    assert_settled(&on).await;
}

/// For as long as it lasts, with the end of a message that is too long; and nothing of the verdict.
async fn what_the_database_said_is_shown_beside_the_run(on: Fixture) {
    on.plant((1..=2).map(Case::proven)).await;
    let event = "UPDATE ON operation_runs";
    on.refuse(event, "NEW.id = 1").await;
    on.settle(&[1, 2]).await;
    let reader = reader(&on).await;
    let policy = Policy::default();
    let found = async |run| {
        let found = reader.load_run(&Workspaces::All, RunId(run), &policy);
        found.await.unwrap().expect("the run")
    };
    let seen = found(1).await.seen;
    let refusal = seen.record.refusal.as_ref().expect("it is refused");
    assert_eq!(refusal.tries, 1);
    assert!(refusal.tried_at < refusal.again_at);
    let said = refusal
        .said
        .as_deref()
        .expect("what it said")
        .to_lowercase();
    assert!(said.contains("refused by a test"), "{said}");
    assert!(
        on.is_sqlite() || said.ends_with("(sqlstate p0001)"),
        "{said}"
    );
    assert_eq!(found(2).await.seen.record.refusal, None);
    let filter = RunFilter {
        reason: Some(ReasonCode::SettleFailed),
        ..RunFilter::default()
    };
    let open = RunFilter {
        undecided: true,
        ..filter.clone()
    };
    let listed = async |filter: &RunFilter| {
        let listed = reader.load_runs(&Workspaces::All, filter, None, 10, &policy);
        let rows = listed.await.unwrap().rows.into_iter();
        rows.map(|it| it.record.refusal).collect::<Vec<_>>()
    };
    for filter in [&filter, &open] {
        assert_eq!(
            listed(filter).await,
            std::slice::from_ref(&seen.record.refusal)
        );
    }
    let standings = reader.load_standings(&Workspaces::All, &[RunId(1), RunId(2)]);
    let refused = standings.await.unwrap();
    let refused: Vec<bool> = refused.iter().map(|it| it.refusal().is_some()).collect();
    assert_eq!(refused, [true, false]);

    // Of another run that had the id.
    let later = on.either("created_at + 1", "created_at + interval '1 s'");
    for (column, [other, own]) in [
        ("workspace_id", ["2", "1"]),
        ("managed_environment_id", ["12", "11"]),
        ("run_created_at", [later, "created_at"]),
    ] {
        let put = async |value| {
            on.execute(&format!(
                "UPDATE reconciler.watch_list SET {column} = (SELECT {value} FROM operation_runs WHERE id = 1)"
            ))
            .await;
        };
        put(other).await;
        assert_eq!(found(1).await.seen.record.refusal, None, "{column}");
        for filter in [&filter, &open] {
            assert_eq!(listed(filter).await, [], "{column}");
        }
        put(own).await;
    }
    assert!(found(1).await.seen.record.refusal.is_some());
    on.permit(event).await;
    on.verdict(1).await;
    assert_eq!(found(1).await.seen.record.refusal, None);
}

/// What a trigger says can be as long as a row.
#[tokio::test]
async fn a_long_message_is_cut_and_keeps_its_code() {
    let on = Fixture::postgres().await;
    on.plant([Case::failed(1)]).await;
    on.execute(
        "CREATE FUNCTION lengthy() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN RAISE EXCEPTION '%', repeat('é', 5000) USING ERRCODE = '23514'; END $$;
         CREATE TRIGGER lengthy BEFORE UPDATE ON operation_runs FOR EACH ROW EXECUTE FUNCTION lengthy()",
    )
    .await;
    on.settle_one(1).await;
    let said = on.value("SELECT error FROM reconciler.watch_list").await;
    let said = said.expect("it is kept");
    assert_eq!(said.chars().count(), 500);
    assert!(said.ends_with("é... (SQLSTATE 23514)"), "{said}");
}

/// Neither in one batch nor in several; and the runs are settled once it is put right.
async fn what_refuses_every_run_alike_blames_nobody(on: Fixture) {
    on.plant((1..=9).map(Case::failed)).await;
    let runs: Vec<i64> = (1..=9).collect();
    break_on(&on, "NEW.status = 'completed'").await;
    let before = on.fingerprint().await;
    for batch_runs_max in [500, 4] {
        let with = Settling {
            batch_runs_max,
            ..settling()
        };
        let mut settled = Vec::new();
        let result = on.store.settle(&run_ids(&runs), &with, &mut settled).await;
        assert_eq!(result.unwrap_err().kind(), ErrorKind::Fatal);
        assert_eq!(settled, []);
        assert_eq!(before, on.fingerprint().await);
        assert_eq!(on.number_of("reconciler.watch_list").await, 0);
    }
    mend(&on).await;
    on.settle(&runs).await;
    on.assert_one_of_each(9).await;
}

/// One has no company to be compared with, nor have two any other; what somebody raised on purpose is believed
/// to be meant.
#[tokio::test]
async fn runs_that_are_refused_alone_are_watched_if_that_was_meant() {
    for runs in [&[POISON][..], &[1, 2]] {
        let on = Fixture::postgres().await;
        on.plant(runs.iter().copied().map(Case::failed)).await;
        break_on(&on, "true").await;
        assert_eq!(all_refused(&on.settle(runs).await), runs);
    }
}

/// The runs that were refused and are watched.
pub(super) fn all_refused(results: &BTreeMap<i64, Settlement>) -> Vec<i64> {
    let refused = results
        .iter()
        .filter(|(_, result)| matches!(result, Settlement::Refused { watch: Some(_), .. }));
    refused.map(|(run, _)| *run).collect()
}

/// A trigger that may not write where it wants to fails every run; a policy, or a page, may fail one.
#[tokio::test]
async fn a_run_that_a_policy_refuses_costs_itself_its_verdict() {
    let on = Fixture::postgres().await;
    on.plant((1..=9).map(Case::failed)).await;
    let role = restricted(
        &on,
        "ALTER TABLE operation_runs ENABLE ROW LEVEL SECURITY;
         CREATE POLICY visible ON operation_runs FOR SELECT USING (true);
         CREATE POLICY changeable ON operation_runs FOR UPDATE USING (true)
            WITH CHECK (id <> 7 OR status <> 'completed')",
    )
    .await;
    let runs: Vec<i64> = (1..=9).collect();
    let trust = Trust {
        row_security: true,
        ..Trust::default()
    };
    let store = open_trusting(&role.url, trust).await;
    let results = settle(&store, &runs, &settling()).await;
    assert_eq!(all_refused(&results), [7]);
    on.assert_one_of_each(8).await;
    role.forget(&on).await;
}

/// A role with every right that a worker needs and more, and then what these statements leave it.
pub(super) async fn restricted(on: &Fixture, restriction: &str) -> Role {
    let role = Role::new(on, "LOGIN").await;
    let quoted = &role.quoted;
    on.execute(&format!(
        "GRANT USAGE ON SCHEMA reconciler TO {quoted};
         GRANT ALL ON ALL TABLES IN SCHEMA public, reconciler TO {quoted};
         GRANT ALL ON ALL SEQUENCES IN SCHEMA public, reconciler TO {quoted};
         {}",
        restriction.replace("{role}", quoted)
    ))
    .await;
    role
}

async fn a_refused_watch_list_entry_is_reported_all_the_same(on: Fixture) {
    on.plant([249, 251].map(Case::failed)).await;
    on.plant([Case::in_progress(POISON)]).await;
    let event = "INSERT ON reconciler.watch_list";
    on.refuse(event, "NEW.operation_run_id = 250").await;
    let results = on.settle(&[249, POISON, 251]).await;
    assert_eq!(refused(&results[&POISON]).0, None);
    on.assert_one_of_each(2).await;
}

/// Nothing is halved and nobody is blamed: the first statement that is not permitted ends it.
#[tokio::test]
async fn a_missing_permission_stops_the_pass_with_advice() {
    let on = Fixture::postgres().await;
    on.plant((1..=500).map(Case::failed)).await;
    let role = restricted(
        &on,
        "REVOKE UPDATE ON operation_runs FROM {role};
         GRANT UPDATE (user_id) ON operation_runs TO {role}; -- enough to lock, not to close",
    )
    .await;
    let store = role.store().await;
    let before = on.platform().await;
    let error = sweep(&store, Scope::default(), &settling(), |settled| {
        assert!(settled.is_empty(), "{settled:?}");
        ControlFlow::Continue(())
    })
    .await
    .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Fatal, "{error}");
    let said = error.to_string();
    assert!(said.starts_with("cannot close runs"), "{said}");
    assert!(error.advice().unwrap().contains("Grant"), "{error}");
    assert_eq!(before, on.platform().await);
    assert_eq!(on.number_of("reconciler.watch_list").await, 0);
    role.forget(&on).await;
}

/// A run that other writers disturb at every try is left to a later pass, and its batch is not.
#[tokio::test]
async fn a_run_that_is_always_disturbed_holds_up_nobody() {
    let on = Fixture::postgres().await;
    on.plant((1..=20).map(Case::failed)).await;
    on.execute(
        "CREATE FUNCTION disturb() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN RAISE EXCEPTION 'disturbed by a test' USING ERRCODE = 'serialization_failure'; END $$;
         CREATE TRIGGER disturb BEFORE UPDATE ON operation_runs FOR EACH ROW
         WHEN (NEW.id = 7) EXECUTE FUNCTION disturb()",
    )
    .await;
    let mut with = settling();
    with.retries_max = 1;
    let runs: Vec<i64> = (1..=20).collect();
    let results = settle(&on.store, &runs, &with).await;
    assert_eq!(results[&7], Settlement::Locked);
    on.assert_one_of_each(19).await;
    let due = on.store.count_due(None).await.unwrap();
    assert_eq!(due, 1, "it is due again at once");
}

/// Columns that are not ours are left alone, whatever they are of.
#[tokio::test]
async fn a_domain_that_forbids_null_in_a_column_of_others_stops_no_verdict() {
    let on = Fixture::postgres().await;
    on.plant((1..=9).map(Case::proven)).await;
    on.execute(
        "CREATE DOMAIN named AS text DEFAULT 'nobody' NOT NULL;
         ALTER TABLE operation_runs ADD COLUMN keeper named;
         ALTER TABLE audit_logs ADD COLUMN keeper named",
    )
    .await;
    let results = on.settle(&(1..=9).collect::<Vec<i64>>()).await;
    let is_committed = |result: &Settlement| matches!(result, Settlement::Committed(_));
    assert!(results.values().all(is_committed), "{results:?}");
    on.assert_one_of_each(9).await;
    let kept = on.number_of("operation_runs WHERE keeper = 'nobody'").await;
    assert_eq!(kept, 9);
}
