//! A row that the database refuses holds up nobody but itself; a refusal of everything stops at once.

use std::ops::ControlFlow;

use reconciler_jobs::ids::RunId;
use restore_reconciler::internals::storage::{
    Access, ErrorKind, Limits, Settlement, Settling, connect,
};
use restore_reconciler::internals::sweep::{Scope, sweep};

use crate::support::case::Case;
use crate::support::store::{Fixture, on_both, settle, settling};

on_both!(
    a_refused_update_costs_one_run_its_verdict,
    a_refused_audit_entry_costs_one_run_its_verdict,
    a_refused_ledger_entry_costs_one_run_its_verdict,
    a_run_that_breaks_a_function_of_the_platforms_costs_itself_its_verdict,
    what_refuses_every_run_alike_blames_nobody,
    a_refused_watch_list_entry_is_reported_all_the_same,
    a_run_that_stays_open_gets_no_entries,
);

/// The run in the middle of a batch that the database refuses to write something about.
const POISON: i64 = 250;

async fn refuse(on: &Fixture, table: &str, event: &str, condition: &str) {
    let message = "refused by a test";
    let statements = if on.is_sqlite() {
        format!(
            "CREATE TRIGGER poison BEFORE {event} ON {table} WHEN NEW.{condition}
             BEGIN SELECT RAISE(ABORT, '{message}'); END"
        )
    } else {
        format!(
            "CREATE FUNCTION poison() RETURNS trigger LANGUAGE plpgsql AS $$
             BEGIN RAISE EXCEPTION '{message}'; END $$;
             CREATE TRIGGER poison BEFORE {event} ON {table} FOR EACH ROW
             WHEN (NEW.{condition}) EXECUTE FUNCTION poison()"
        )
    };
    on.execute(&statements).await;
}

async fn isolated(on: Fixture) {
    isolated_as(on, "refused by a test").await;
}

async fn isolated_as(on: Fixture, on_sqlite: &str) {
    let said = on.either(on_sqlite, "refused by a test");
    on.plant((1..=500).map(Case::failed)).await;
    let untouched = on.run(POISON).await;
    for tries in 1..=2 {
        let runs: Vec<i64> = (1..=500).collect();
        let results = on.settle(&runs).await;
        assert_eq!(results.len(), 500);
        let Settlement::Refused { watch, error } = &results[&POISON] else {
            panic!("{:?}", results[&POISON]);
        };
        assert!(error.to_lowercase().contains(said), "{error}");
        let watch = watch.expect("the run is watched");
        assert_eq!(
            (watch.reason.code(), watch.tries),
            ("run.settle_failed", tries)
        );
        if tries == 1 {
            let others = results
                .values()
                .filter(|result| matches!(result, Settlement::Committed(_)));
            assert_eq!(others.count(), 499);
        }
        on.assert_one_of_each(499).await;
        assert_eq!(untouched, on.run(POISON).await);
        let watched = on.row("SELECT * FROM reconciler.watch_list").await;
        assert_eq!(watched["operation_run_id"].as_deref(), Some("250"));
        assert_eq!(watched["reason_code"].as_deref(), Some("run.settle_failed"));
        assert_eq!(watched["tries"], Some(tries.to_string()));
        assert_eq!(on.store.count_due(None).await.unwrap(), 0);
    }

    on.execute(on.either("DROP TRIGGER poison", "DROP FUNCTION poison() CASCADE"))
        .await;
    on.verdict(POISON).await;
    assert_eq!(
        on.count("SELECT count(*) FROM reconciler.watch_list").await,
        0
    );
}

async fn a_refused_update_costs_one_run_its_verdict(on: Fixture) {
    refuse(&on, "operation_runs", "UPDATE", "id = 250").await;
    isolated(on).await;
}

async fn a_refused_audit_entry_costs_one_run_its_verdict(on: Fixture) {
    refuse(&on, "audit_logs", "INSERT", "resource_id = '250'").await;
    isolated(on).await;
}

async fn a_refused_ledger_entry_costs_one_run_its_verdict(on: Fixture) {
    refuse(&on, "reconciler.ledger", "INSERT", "operation_run_id = 250").await;
    isolated(on).await;
}

/// Has closing a run that meets `condition` end with an error that is not one of data: on PostgreSQL with
/// this code, raised on purpose; on SQLite, which has no such codes, as a function fails.
async fn break_on(on: &Fixture, condition: &str, code: &str) {
    let statements = if on.is_sqlite() {
        format!(
            "CREATE TRIGGER poison BEFORE UPDATE ON operation_runs WHEN {condition}
             BEGIN SELECT json('refused by a test'); END"
        )
    } else {
        format!(
            "CREATE FUNCTION poison() RETURNS trigger LANGUAGE plpgsql AS $$
             BEGIN RAISE EXCEPTION 'run %: refused by a test', NEW.id USING ERRCODE = '{code}'; END $$;
             CREATE TRIGGER poison BEFORE UPDATE ON operation_runs FOR EACH ROW
             WHEN ({condition}) EXECUTE FUNCTION poison()"
        )
    };
    on.execute(&statements).await;
}

async fn a_run_that_breaks_a_function_of_the_platforms_costs_itself_its_verdict(on: Fixture) {
    break_on(&on, "NEW.id = 250", "42501").await;
    isolated_as(on, "json").await;
}

/// Neither in one batch nor in several; and the runs are settled once it is put right.
async fn what_refuses_every_run_alike_blames_nobody(on: Fixture) {
    on.plant((1..=9).map(Case::failed)).await;
    let runs: Vec<RunId> = (1..=9).map(RunId).collect();
    break_on(&on, "NEW.status = 'completed'", "42501").await;
    let before = on.standin.fingerprint().await.unwrap();
    for batch_runs_max in [500, 4] {
        let with = Settling {
            batch_runs_max,
            ..settling()
        };
        let mut settled = Vec::new();
        let result = on.store.settle(&runs, &with, &mut settled).await;
        assert_eq!(result.unwrap_err().kind(), ErrorKind::Fatal);
        assert_eq!(settled, []);
        assert_eq!(before, on.standin.fingerprint().await.unwrap());
        let watched = "SELECT count(*) FROM reconciler.watch_list";
        assert_eq!(on.count(watched).await, 0);
    }
    on.execute(on.either("DROP TRIGGER poison", "DROP FUNCTION poison() CASCADE"))
        .await;
    on.settle(&(1..=9).collect::<Vec<_>>()).await;
    on.assert_one_of_each(9).await;
}

/// It has no company to be compared with; what somebody raised on purpose is believed to be meant.
#[tokio::test]
async fn a_run_that_is_refused_alone_is_watched_if_that_was_meant() {
    let on = Fixture::postgres().await;
    on.plant([Case::failed(POISON)]).await;
    break_on(&on, "NEW.id = 250", "42501").await;
    let result = on.settle_one(POISON).await;
    assert!(
        matches!(&result, Settlement::Refused { watch: Some(_), .. }),
        "{result:?}"
    );
}

/// Nor have two of them any other company.
#[tokio::test]
async fn two_runs_that_are_refused_together_are_watched_if_that_was_meant() {
    let on = Fixture::postgres().await;
    on.plant([1, 2].map(Case::failed)).await;
    break_on(&on, "NEW.id < 3", "42501").await;
    let mut settled = Vec::new();
    let runs = [RunId(1), RunId(2)];
    on.store
        .settle(&runs, &settling(), &mut settled)
        .await
        .unwrap();
    let is_watched = |settled: &&restore_reconciler::internals::storage::Settled| {
        matches!(settled.result, Settlement::Refused { watch: Some(_), .. })
    };
    assert_eq!(settled.iter().filter(is_watched).count(), 2, "{settled:?}");
}

/// A trigger that may not write where it wants to fails every run; a policy, or a page, may fail one.
#[tokio::test]
async fn a_run_that_a_policy_refuses_costs_itself_its_verdict() {
    let on = Fixture::postgres().await;
    on.plant((1..=9).map(Case::failed)).await;
    let role = on
        .value("SELECT 'restricted_in_' || current_database()")
        .await
        .unwrap();
    on.execute(&format!(
        "CREATE ROLE {role} LOGIN;
         GRANT USAGE ON SCHEMA reconciler TO {role};
         GRANT ALL ON ALL TABLES IN SCHEMA public, reconciler TO {role};
         GRANT ALL ON ALL SEQUENCES IN SCHEMA public, reconciler TO {role};
         ALTER TABLE operation_runs ENABLE ROW LEVEL SECURITY;
         CREATE POLICY visible ON operation_runs FOR SELECT USING (true);
         CREATE POLICY changeable ON operation_runs FOR UPDATE USING (true)
            WITH CHECK (id <> 7 OR status <> 'completed')"
    ))
    .await;
    let url = on.url.replacen("reconciler@", &format!("{role}@"), 1);
    let store = connect(&url, Access::Write, &Limits::default())
        .await
        .unwrap();
    let runs: Vec<RunId> = (1..=9).map(RunId).collect();
    let mut settled = Vec::new();
    store
        .settle(&runs, &settling(), &mut settled)
        .await
        .unwrap();
    let refused: Vec<_> = settled
        .iter()
        .filter(|settled| matches!(settled.result, Settlement::Refused { watch: Some(_), .. }))
        .map(|settled| settled.run)
        .collect();
    assert_eq!(refused, [RunId(7)]);
    on.assert_one_of_each(8).await;
    on.execute(&format!("DROP OWNED BY {role}; DROP ROLE {role}"))
        .await;
}

async fn a_refused_watch_list_entry_is_reported_all_the_same(on: Fixture) {
    on.plant([
        Case::failed(249),
        Case::in_progress(POISON),
        Case::failed(251),
    ])
    .await;
    refuse(
        &on,
        "reconciler.watch_list",
        "INSERT",
        "operation_run_id = 250",
    )
    .await;
    let results = on.settle(&[249, POISON, 251]).await;
    assert!(matches!(
        &results[&POISON],
        Settlement::Refused { watch: None, .. }
    ));
    on.assert_one_of_each(2).await;
}

/// Somebody else's trigger keeps one run open without an error, as a lost race would.
async fn a_run_that_stays_open_gets_no_entries(on: Fixture) {
    on.plant((1..=9).map(Case::failed)).await;
    on.execute(on.either(
        "CREATE TRIGGER keep BEFORE UPDATE ON operation_runs WHEN NEW.id = 7
         BEGIN SELECT RAISE(IGNORE); END",
        "CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
         CREATE TRIGGER keep BEFORE UPDATE ON operation_runs FOR EACH ROW
         WHEN (NEW.id = 7) EXECUTE FUNCTION keep()",
    ))
    .await;
    let before = on.run(7).await;
    let results = on.settle(&[1, 2, 3, 4, 5, 6, 7, 8, 9]).await;
    assert_eq!(results[&7], Settlement::Lost);
    assert_eq!(before, on.run(7).await);
    on.assert_one_of_each(8).await;
}

/// Nothing is halved and nobody is blamed: the first statement that is not permitted ends it.
#[tokio::test]
async fn a_missing_permission_stops_the_pass_with_advice() {
    let on = Fixture::postgres().await;
    on.plant((1..=500).map(Case::failed)).await;
    let role = on
        .value("SELECT 'role_of_' || current_database()")
        .await
        .unwrap();
    on.execute(&format!(
        "CREATE ROLE {role} LOGIN;
         GRANT USAGE ON SCHEMA reconciler TO {role};
         GRANT ALL ON ALL TABLES IN SCHEMA public, reconciler TO {role};
         REVOKE UPDATE ON operation_runs FROM {role};
         GRANT UPDATE (user_id) ON operation_runs TO {role}; -- enough to lock, not to close"
    ))
    .await;
    let url = on.url.replacen("reconciler@", &format!("{role}@"), 1);
    let store = connect(&url, Access::Write, &Limits::default())
        .await
        .unwrap();
    let before = on.platform().await;
    let error = sweep(&store, Scope::default(), &settling(), |settled| {
        assert!(settled.is_empty(), "{settled:?}");
        ControlFlow::Continue(())
    })
    .await
    .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Fatal, "{error}");
    assert!(
        error.to_string().starts_with("cannot close runs"),
        "{error}"
    );
    assert!(error.advice().unwrap().contains("Grant"), "{error}");
    assert_eq!(before, on.platform().await);
    assert_eq!(
        on.count("SELECT count(*) FROM reconciler.watch_list").await,
        0
    );
    on.execute(&format!("DROP OWNED BY {role}; DROP ROLE {role}"))
        .await;
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
    assert_eq!(
        on.store.count_due(None).await.unwrap(),
        1,
        "it is due again at once"
    );
}
