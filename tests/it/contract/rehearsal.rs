//! A rehearsal settles runs for real and undoes it: it says what the database would refuse, and leaves no trace.

use std::collections::BTreeMap;

use restore_reconciler::internals::storage::Settlement;
use restore_reconciler::internals::sweep::{Scope, rehearse};

use crate::support::case::Case;
use crate::support::settled::{refused, run_ids, settling};
use crate::support::store::{Columns, Fixture, on_both};

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
    let before = everything(on).await;
    let settled = on
        .store
        .rehearse(&run_ids(runs), &settling())
        .await
        .unwrap();
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
