//! A pass over all due runs, and the row that says what it came to.

use reconciler_jobs::ids::WorkspaceId;
use restore_reconciler::storage::Tally;
use restore_reconciler::sweep::{Scope, sweep};

use crate::support::case::{Case, FOREIGN, restore_of};
use crate::support::store::{Columns, Fixture, on_both, settling};

on_both!(
    a_pass_settles_what_is_due_and_a_second_one_finds_nothing,
    a_pass_stays_within_its_scope,
    a_pass_forgets_watched_runs_that_somebody_else_closed,
);

async fn last_sweep(on: &Fixture) -> Columns {
    on.row("SELECT * FROM reconciler.sweeps ORDER BY id DESC LIMIT 1")
        .await
}

fn assert_counts(sweep: &Columns, tally: &Tally) {
    for (column, count) in [
        ("succeeded", tally.succeeded),
        ("partially_succeeded", tally.partially_succeeded),
        ("blocked", tally.blocked),
        ("failed", tally.failed),
        ("deferred", tally.deferred),
        ("refused", tally.refused),
        ("passed_over", tally.passed_over),
    ] {
        assert_eq!(sweep[column], Some(count.to_string()), "{column}");
    }
}

/// One run of each outcome, and one that waits.
fn mixed(first: i64) -> Vec<Case> {
    let mut partial = Case::proven(first + 1);
    partial.snapshots.clear();
    let mut blocked = Case::proven(first + 2);
    blocked.restore.status = "cancelled".to_owned();
    blocked.restore.results = None;
    blocked.restore.metadata = None;
    vec![
        Case::proven(first),
        partial,
        blocked,
        Case::failed(first + 3),
        Case::in_progress(first + 4),
    ]
}

async fn a_pass_settles_what_is_due_and_a_second_one_finds_nothing(on: Fixture) {
    on.plant((0..5).flat_map(|round| mixed(1 + round * 5)))
        .await;
    let mut with = settling();
    with.batch_runs_max = 4;
    let mut pages = Vec::new();
    let tally = sweep(on.store.as_ref(), Scope::default(), &with, |settled| {
        pages.push(settled.len());
    })
    .await
    .unwrap();
    let expected = Tally {
        succeeded: 5,
        partially_succeeded: 5,
        blocked: 5,
        failed: 5,
        deferred: 5,
        ..Tally::default()
    };
    assert_eq!(tally, expected);
    assert_eq!(pages, [4, 4, 4, 4, 4, 4, 1]);
    on.assert_one_of_each(20).await;
    let row = last_sweep(&on).await;
    assert_counts(&row, &tally);
    assert_eq!(row["worker"].as_deref(), Some("worker-of-a-test"));
    assert_eq!(row["workspace_id"], None);
    assert!(row["started_at"].is_some() && row["ended_at"] >= row["started_at"]);

    let before = on.store.fingerprint().await.unwrap();
    let again = sweep(on.store.as_ref(), Scope::default(), &with, |_| {}).await;
    assert_eq!(again.unwrap(), Tally::default());
    assert_eq!(before, on.store.fingerprint().await.unwrap());
    assert_counts(&last_sweep(&on).await, &Tally::default());
    assert_eq!(on.count("SELECT count(*) FROM reconciler.sweeps").await, 2);
}

async fn a_pass_stays_within_its_scope(on: Fixture) {
    let mut foreign = Case::proven(3);
    foreign.run.workspace_id = FOREIGN.0;
    foreign.run.managed_environment_id = Some(FOREIGN.1);
    on.plant([Case::failed(1), Case::failed(2), Case::failed(4), foreign])
        .await;
    let limited = Scope {
        limit: Some(2),
        ..Scope::default()
    };
    let tally = sweep(on.store.as_ref(), limited, &settling(), |_| {})
        .await
        .unwrap();
    assert_eq!(tally.failed, 2);
    let elsewhere = Scope {
        workspace: Some(WorkspaceId(FOREIGN.0)),
        limit: None,
    };
    let tally = sweep(on.store.as_ref(), elsewhere, &settling(), |_| {})
        .await
        .unwrap();
    assert_eq!((tally.deferred, tally.looked_at()), (1, 1));
    let workspace = last_sweep(&on).await["workspace_id"].clone();
    assert_eq!(workspace, Some(FOREIGN.0.to_string()));
    assert_eq!(on.store.count_due(None).await.unwrap(), 1, "run 4 is left");
}

async fn a_pass_forgets_watched_runs_that_somebody_else_closed(on: Fixture) {
    on.plant([
        Case::in_progress(1),
        Case::in_progress(2),
        Case::in_progress(3),
    ])
    .await;
    on.settle(&[1, 2, 3]).await;
    on.execute(&format!(
        "UPDATE operation_runs SET status = 'completed', outcome = 'failed' WHERE id = 1;
         DELETE FROM evidence_snapshots WHERE operation_run_id = 2;
         UPDATE restore_runs SET operation_run_id = NULL WHERE id = {};
         DELETE FROM operation_runs WHERE id = 2",
        restore_of(2)
    ))
    .await;
    sweep(on.store.as_ref(), Scope::default(), &settling(), |_| {})
        .await
        .unwrap();
    let watched = on
        .value("SELECT operation_run_id FROM reconciler.watch_list")
        .await;
    assert_eq!(watched.as_deref(), Some("3"));
}

/// The second page fails because a table has gone from under it; the first one is on record.
async fn dies_midway(on: Fixture) {
    on.plant((1..=30).map(Case::failed)).await;
    let mut with = settling();
    with.batch_runs_max = 10;
    let mut pages = 0;
    let error = sweep(on.store.as_ref(), Scope::default(), &with, |_| {
        pages += 1;
        if pages == 1 {
            let gone = on.execute("ALTER TABLE audit_logs RENAME TO audit_logs_gone");
            tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(gone));
        }
    })
    .await
    .unwrap_err();
    assert!(error.to_string().contains("audit_logs"), "{error}");
    let row = last_sweep(&on).await;
    assert!(row["ended_at"].is_some());
    let committed = Tally {
        failed: 10,
        ..Tally::default()
    };
    assert_counts(&row, &committed);
    on.execute("ALTER TABLE audit_logs_gone RENAME TO audit_logs")
        .await;
    on.assert_one_of_each(10).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pass_that_dies_midway_keeps_its_books_on_sqlite() {
    dies_midway(Fixture::sqlite().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pass_that_dies_midway_keeps_its_books_on_postgresql() {
    dies_midway(Fixture::postgres().await).await;
}
