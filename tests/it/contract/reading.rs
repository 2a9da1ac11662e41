//! Looking changes nothing: not a byte of the file, not a byte of the log.

use std::fs;
use std::process::Command;

use reconciler_jobs::ids::RunId;
use reconciler_jobs::restore_execute::Policy;
use restore_reconciler::internals::storage::reader::Workspaces;
use restore_reconciler::internals::storage::{Access, Limits, Store, connect};

use crate::support::case::Case;
use crate::support::cluster;
use crate::support::store::{Fixture, on_both};

on_both!(an_assessment_says_what_a_settlement_would_do);

async fn an_assessment_says_what_a_settlement_would_do(on: Fixture) {
    on.plant([Case::proven(1), Case::failed(2), Case::in_progress(3)])
        .await;
    let runs: Vec<RunId> = [1, 2, 3, 404].map(RunId).into();
    let before = on.standin.fingerprint().await.unwrap();
    let reader = on.store.reader();
    let assessed = reader
        .assess(&Workspaces::All, &runs, &Policy::default())
        .await;
    let assessed = assessed.unwrap();
    assert_eq!(before, on.standin.fingerprint().await.unwrap());
    let words: Vec<_> = assessed.iter().map(|each| each.decision.name()).collect();
    assert_eq!(words, ["succeeded", "failed", "deferred"]);

    on.settle(&[1]).await;
    let closed = reader
        .assess(&Workspaces::All, &runs[..1], &Policy::default())
        .await;
    let closed = closed.unwrap();
    assert_eq!(closed[0].decision.reason.code(), "run.already_terminal");
    assert!(
        closed[0].facts.restore.is_some(),
        "a closed run can be explained too"
    );
}

/// Everything that `explain` and a dry run ask for.
async fn look(store: &Store) {
    let runs: Vec<RunId> = (1..=20).map(RunId).collect();
    let (reader, all) = (store.reader(), Workspaces::All);
    reader
        .assess(&all, &runs, &Policy::default())
        .await
        .unwrap();
    store.count_due(None).await.unwrap();
    reader.load_verdict(&all, RunId(1)).await.unwrap();
    store.has_platform().await.unwrap();
    store.now().await.unwrap();
}

#[tokio::test]
async fn reading_a_sqlite_file_changes_no_byte_of_it() {
    let on = Fixture::sqlite().await;
    on.plant((1..=20).map(Case::proven)).await;
    on.settle(&[1]).await;
    // The log goes into the file first, so that the file is all there is.
    on.execute("PRAGMA wal_checkpoint(TRUNCATE)").await;
    let file = on.url.strip_prefix("sqlite:").unwrap();
    let before = fs::read(file).unwrap();
    let store = connect(&on.url, Access::Read, &Limits::default())
        .await
        .unwrap();
    look(&store).await;
    assert_eq!(before, fs::read(file).unwrap());
    let log = fs::metadata(format!("{file}-wal")).map_or(0, |log| log.len());
    assert_eq!(log, 0, "nothing waits to be written either");

    let mut settled = Vec::new();
    let refused = store
        .settle(
            &[RunId(2)],
            &crate::support::store::settling(),
            &mut settled,
        )
        .await
        .unwrap_err();
    assert!(refused.advice().unwrap().contains("read-only"), "{refused}");
}

#[tokio::test]
async fn a_sqlite_file_that_nobody_has_open_can_be_read_too() {
    let on = Fixture::sqlite().await;
    on.plant((1..=20).map(Case::proven)).await;
    let file = on.url.strip_prefix("sqlite:").unwrap();
    let copy = format!("{file}-copy");
    on.execute("PRAGMA wal_checkpoint(TRUNCATE)").await;
    fs::copy(file, &copy).unwrap();
    let before = fs::read(&copy).unwrap();
    let url = format!("sqlite:{copy}");
    let store = connect(&url, Access::Read, &Limits::default())
        .await
        .unwrap();
    look(&store).await;
    drop(store);
    assert_eq!(before, fs::read(&copy).unwrap());
}

/// Every verb that promises to write nothing, as an operator would use it.
fn look_through_the_program(url: &str) {
    let verbs: [&[&str]; 4] = [
        &["sweep", "--dry-run"],
        &["explain", "1"],
        &["explain", "2"],
        &["doctor"],
    ];
    for verb in verbs {
        let done = Command::new(env!("CARGO_BIN_EXE_restore-reconciler"))
            .args(verb)
            .env("RECONCILER_DATABASE_URL", url)
            .output()
            .unwrap();
        // Whatever was found, the verb itself ran: 1 and 2 would mean that it did not.
        let said = String::from_utf8_lossy(&done.stderr);
        assert!(
            !matches!(done.status.code(), None | Some(1 | 2)),
            "{verb:?}: {said}"
        );
    }
}

/// The log's position is the whole cluster's, so this test has a cluster to itself. Looking at rows
/// could move it in two harmless ways, and both are done with before the test starts to watch: the
/// first reader of a page may prune it, which `VACUUM` does here, and sets hint bits, which are only
/// logged with checksums on. Vacuum and checkpoints by the server itself are off, or minutes away.
#[tokio::test]
async fn reading_postgresql_writes_nothing_to_its_log() {
    let cluster = cluster::private();
    let on = Fixture::in_database(cluster.database().await).await;
    on.furnish().await;
    on.plant((1..=20).map(Case::proven)).await;
    on.settle(&[1]).await;
    on.execute("VACUUM (FREEZE, ANALYZE)").await;
    // Fills the caches of plans and of the catalogue.
    look(&on.store).await;
    look_through_the_program(&on.url);
    on.execute("CHECKPOINT").await;

    let position = "SELECT pg_current_wal_insert_lsn()::text";
    let before = on.value(position).await;
    look(&on.store).await;
    look_through_the_program(&on.url);
    assert_eq!(before, on.value(position).await);

    // The same measure notices a single verdict.
    on.settle(&[2]).await;
    assert_ne!(before, on.value(position).await);
}
