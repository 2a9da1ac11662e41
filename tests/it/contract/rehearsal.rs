//! A rehearsal settles runs for real and undoes it: it says what the database would refuse, and leaves no trace.

use std::collections::BTreeMap;

use restore_reconciler::internals::storage::{Settlement, Store, Trust};
use restore_reconciler::internals::sweep::{Scope, rehearse};

use crate::support::case::Case;
use crate::support::settled::{refused, run_ids, settling};
use crate::support::store::{Columns, Fixture, on_both, open_trusting};

on_both!(
    what_would_be_refused_is_said_and_nothing_is_changed,
    what_would_be_swallowed_is_said,
    a_suspected_run_is_not_tried,
);

/// Every row that there is, ours and the platform's.
async fn everything(on: &Fixture) -> (String, Vec<Vec<Columns>>) {
    let mut tables = on.platform().await;
    for table in "ledger watch_list attempts sweeps ticks judges census".split(' ') {
        let rows = format!("SELECT * FROM reconciler.{table}");
        tables.push(on.rows(&rows).await);
    }
    (on.fingerprint().await, tables)
}

/// Rehearses these runs, and checks that nothing is another than before.
async fn rehearsed(on: &Fixture, runs: &[i64]) -> BTreeMap<i64, Settlement> {
    rehearsed_by(&on.store, on, runs).await
}

async fn rehearsed_by(store: &Store, on: &Fixture, runs: &[i64]) -> BTreeMap<i64, Settlement> {
    let before = everything(on).await;
    let settled = store.rehearse(&run_ids(runs), &settling()).await.unwrap();
    assert_eq!(before, everything(on).await);
    assert_eq!(settled.len(), runs.len(), "each run once");
    let results = settled.into_iter().map(|it| (it.run.0, it.result));
    results.collect()
}

async fn what_would_be_refused_is_said_and_nothing_is_changed(on: Fixture) {
    on.plant((1..=40).map(Case::failed)).await;
    on.plant([Case::in_progress(41), Case::proven(42)]).await;
    let event = "UPDATE ON operation_runs";
    on.refuse(event, "NEW.id = 7").await;
    let runs: Vec<i64> = (1..=43).collect();
    let results = rehearsed(&on, &runs).await;
    let (watch, error) = refused(&results[&7]);
    assert_eq!(watch, None, "nothing remembers it");
    assert!(error.contains("refused by a test"), "{error}");
    let decided = results
        .iter()
        .filter(|(_, it)| matches!(it, Settlement::Committed(_)));
    assert_eq!(decided.count(), 40);
    assert!(matches!(results[&41], Settlement::Deferred(_, Some(_))));
    assert_eq!(results[&43], Settlement::Absent);

    // A pass over what is due comes to the same.
    let before = everything(&on).await;
    let mut refusals = Vec::new();
    let with = settling();
    let pass = rehearse(&on.store, Scope::default(), &with, |page| {
        let page = page
            .iter()
            .filter(|it| matches!(it.result, Settlement::Refused { .. }));
        refusals.extend(page.map(|it| it.run.0));
        std::ops::ControlFlow::Continue(())
    });
    assert!(pass.await.unwrap(), "it came to its end");
    assert_eq!(refusals, [7]);
    assert_eq!(before, everything(&on).await);
    on.permit(event).await;
    on.settle(&runs).await;
    on.assert_one_of_each(41).await;
}

async fn what_would_be_swallowed_is_said(on: Fixture) {
    on.plant((1..=9).map(Case::failed)).await;
    on.execute(on.either(
        "CREATE TRIGGER keep BEFORE UPDATE ON operation_runs WHEN NEW.id = 7 BEGIN SELECT RAISE(IGNORE); END",
        "CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
         CREATE TRIGGER keep BEFORE UPDATE ON operation_runs FOR EACH ROW WHEN (NEW.id = 7) EXECUTE FUNCTION keep()",
    ))
    .await;
    let results = rehearsed(&on, &(1..=9).collect::<Vec<i64>>()).await;
    let (_, error) = refused(&results[&7]);
    assert!(
        error.contains("took the update of run 7 without an error"),
        "{error}"
    );
}

/// What keeps one verdict, of run 7, out of the platform's tables, and how the server calls it.
const REFUSALS: [(&str, &str); 5] = [
    (
        "23514",
        "ALTER TABLE operation_runs ADD CHECK (id <> 7 OR status <> 'completed')",
    ),
    (
        "22001",
        "ALTER TABLE operation_runs ALTER COLUMN outcome TYPE varchar(8)",
    ),
    (
        "23514",
        "CREATE TABLE logs (LIKE audit_logs INCLUDING DEFAULTS) PARTITION BY LIST (resource_id);
         DO $$ BEGIN EXECUTE (
             SELECT format('CREATE TABLE logs_kept PARTITION OF logs FOR VALUES IN (%s)', string_agg(quote_literal(id), ','))
             FROM (SELECT resource_id FROM audit_logs UNION SELECT one::text FROM generate_series(1, 6) AS one) AS kept (id)
         ); END $$;
         INSERT INTO logs SELECT * FROM audit_logs;
         GRANT SELECT, INSERT ON logs TO reconciler;
         ALTER TABLE audit_logs RENAME TO logs_before; ALTER TABLE logs RENAME TO audit_logs",
    ),
    (
        "23502",
        "CREATE DOMAIN tenant AS text NOT NULL;
         ALTER TABLE audit_logs ADD COLUMN tenant_ref tenant DEFAULT 'one';
         CREATE FUNCTION forget() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN NEW.tenant_ref := CASE WHEN NEW.resource_id <> '7' THEN NEW.tenant_ref END; RETURN NEW; END $$;
         CREATE TRIGGER forget BEFORE INSERT ON audit_logs FOR EACH ROW EXECUTE FUNCTION forget()",
    ),
    (
        "42501",
        "ALTER TABLE operation_runs ENABLE ROW LEVEL SECURITY;
         CREATE POLICY visible ON operation_runs FOR SELECT USING (true);
         CREATE POLICY changeable ON operation_runs FOR UPDATE USING (true)
             WITH CHECK (id <> 7 OR status <> 'completed')",
    ),
];

#[tokio::test]
async fn what_a_server_would_refuse_is_said_with_its_code() {
    for (code, change) in REFUSALS {
        let on = Fixture::postgres().await;
        on.plant((1..=6).map(Case::failed)).await;
        on.plant([Case::proven(7)]).await;
        on.execute(change).await;
        let trust = Trust {
            row_security: true,
            ..Trust::default()
        };
        let store = open_trusting(&on.url, trust).await;
        let results = rehearsed_by(&store, &on, &[1, 2, 3, 4, 5, 6, 7]).await;
        let refusals = results.iter().filter_map(|(run, result)| match result {
            Settlement::Refused { error, .. } => Some((*run, error)),
            _ => None,
        });
        let refusals: Vec<_> = refusals.collect();
        let [(7, error)] = refusals[..] else {
            panic!("{change}: {results:?}")
        };
        assert!(error.contains(&format!("(SQLSTATE {code})")), "{error}");
    }
}

/// Whoever dies of one would leave no word of it.
async fn a_suspected_run_is_not_tried(on: Fixture) {
    on.plant((1..=3).map(Case::failed)).await;
    on.store
        .suspect(&run_ids(&[2]), "a worker that ended")
        .await
        .unwrap();
    let results = rehearsed(&on, &[1, 2, 3]).await;
    let Settlement::Suspended { until, .. } = results[&2] else {
        panic!("{results:?}");
    };
    assert!(until.is_some(), "it is no dead letter");
    assert!(
        matches!(results[&1], Settlement::Committed(_)),
        "{results:?}"
    );
}

/// What is checked by a commit is checked without one. What was broken before, while nobody looked, is no refusal.
#[tokio::test]
async fn a_reference_that_a_commit_would_refuse_is_said_on_sqlite() {
    let on = Fixture::sqlite().await;
    on.plant((1..=9).map(Case::failed)).await;
    on.execute(
        "PRAGMA foreign_keys = OFF;
         CREATE TABLE closed (run INTEGER REFERENCES archive (id) DEFERRABLE INITIALLY DEFERRED);
         CREATE TABLE archive (id INTEGER PRIMARY KEY);
         INSERT INTO closed VALUES (1000);
         PRAGMA foreign_keys = ON;
         INSERT INTO archive SELECT id FROM operation_runs WHERE id <> 7;
         CREATE TRIGGER notes AFTER UPDATE ON operation_runs BEGIN INSERT INTO closed VALUES (NEW.id); END",
    )
    .await;
    let runs = (1..=9).collect::<Vec<i64>>();
    let results = rehearsed(&on, &runs).await;
    let (_, error) = refused(&results[&7]);
    assert_eq!(error, "cannot commit: FOREIGN KEY constraint failed");
    let decided = results
        .values()
        .filter(|it| matches!(it, Settlement::Committed(_)));
    assert_eq!(decided.count(), 8);
    // So it is where it is meant.
    let results = on.settle(&runs).await;
    let (_, error) = refused(&results[&7]);
    assert!(error.contains("FOREIGN KEY constraint failed"), "{error}");
    on.assert_one_of_each(8).await;
}

/// What is checked by a commit is checked without one.
#[tokio::test]
async fn what_a_commit_would_refuse_is_said() {
    let on = Fixture::postgres().await;
    on.plant((1..=9).map(Case::failed)).await;
    on.execute(
        "CREATE FUNCTION late() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN RAISE EXCEPTION 'refused late' USING ERRCODE = '23514'; END $$;
         CREATE CONSTRAINT TRIGGER late AFTER UPDATE ON operation_runs DEFERRABLE INITIALLY DEFERRED
         FOR EACH ROW WHEN (NEW.id = 7) EXECUTE FUNCTION late()",
    )
    .await;
    let results = rehearsed(&on, &(1..=9).collect::<Vec<i64>>()).await;
    let (_, error) = refused(&results[&7]);
    assert_eq!(error, "cannot commit: refused late (SQLSTATE 23514)");
    let decided = results
        .values()
        .filter(|it| matches!(it, Settlement::Committed(_)));
    assert_eq!(decided.count(), 8);
}
