//! Looking changes nothing: not a byte of the file, not a byte of the log.

use std::fs;

use reconciler_jobs::ids::RunId;
use reconciler_jobs::restore_execute::Policy;
use restore_reconciler::internals::storage::reader::Workspaces;
use restore_reconciler::internals::storage::{Assessment, Store};

use crate::support::case::Case;
use crate::support::cluster;
use crate::support::process::program;
use crate::support::settled::{reason, run_ids, settling};
use crate::support::store::{Fixture, on_both, open_to_read};

on_both!(an_assessment_says_what_a_settlement_would_do);

async fn an_assessment_says_what_a_settlement_would_do(on: Fixture) {
    on.plant([Case::proven(1), Case::failed(2), Case::in_progress(3)])
        .await;
    let before = on.fingerprint().await;
    let assessed = assess(&on.store, &[1, 2, 3, 404]).await;
    assert_eq!(before, on.fingerprint().await);
    let words: Vec<_> = assessed.iter().map(|each| each.decision.name()).collect();
    assert_eq!(words, ["succeeded", "failed", "deferred"]);

    on.settle(&[1]).await;
    let closed = assess(&on.store, &[1]).await.remove(0);
    assert_eq!(reason(&closed), "run.already_terminal");
    let restore = closed.facts.restore;
    assert!(restore.is_some(), "a closed run can be explained too");
}

async fn assess(store: &Store, runs: &[i64]) -> Vec<Assessment> {
    let (reader, runs, policy) = (store.reader(), run_ids(runs), Policy::default());
    let assessed = reader.assess(&Workspaces::All, &runs, &policy).await;
    assessed.unwrap()
}

/// Everything that `explain` and a dry run ask for.
async fn look(store: &Store) {
    assess(store, &(1..=20).collect::<Vec<_>>()).await;
    store.count_due(None).await.unwrap();
    let verdict = store.reader();
    let verdict = verdict.load_verdict(&Workspaces::All, RunId(1)).await;
    verdict.unwrap();
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
    let store = open_to_read(&on.url).await;
    look(&store).await;
    assert_eq!(before, fs::read(file).unwrap());
    let log = fs::metadata(format!("{file}-wal")).map_or(0, |log| log.len());
    assert_eq!(log, 0, "nothing waits to be written either");

    let (with, mut settled) = (settling(), Vec::new());
    let refused = store.settle(&[RunId(2)], &with, &mut settled).await;
    let refused = refused.unwrap_err();
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
    let store = open_to_read(&format!("sqlite:{copy}")).await;
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
        let done = program(url, verb).output().unwrap();
        // Whatever was found, the verb itself ran: 1 and 2 would mean that it did not.
        let said = String::from_utf8_lossy(&done.stderr);
        assert!(
            !matches!(done.status.code(), None | Some(1 | 2)),
            "{verb:?}: {said}"
        );
    }
}

/// How many looks set hint bits that nobody has set before.
const LOOKS_MAX: u32 = 4;

/// The log's position is the whole cluster's, so this test has a cluster to itself. Looking at rows
/// could move it in two harmless ways, and both are done with before the test starts to watch: the
/// first reader of a page may prune it, which `VACUUM` does here, and sets hint bits, which are logged with
/// checksums on, as they are on 18: once for each, so that looks which still move the log are not the last.
/// Vacuum and checkpoints by the server itself are off, or minutes away.
#[tokio::test]
async fn reading_postgresql_writes_nothing_to_its_log() {
    let cluster = cluster::private();
    let on = Fixture::in_database(cluster.database().await).await;
    on.furnish().await;
    on.plant((1..=20).map(Case::proven)).await;
    on.settle(&[1]).await;
    on.execute_as_superuser("VACUUM (FREEZE, ANALYZE)").await;
    // Fills the caches of plans and of the catalogue.
    look(&on.store).await;
    look_through_the_program(&on.url);
    on.execute_as_superuser("CHECKPOINT").await;

    let position = "SELECT pg_current_wal_insert_lsn()::text";
    let mut before = on.value(position).await;
    let mut looks = 0;
    loop {
        look(&on.store).await;
        look_through_the_program(&on.url);
        let after = on.value(position).await;
        looks += 1;
        if after == before {
            break;
        }
        assert!(
            looks < LOOKS_MAX,
            "look {looks}: {before:?}, then {after:?}"
        );
        before = after;
    }

    // The same measure notices a single verdict.
    on.settle(&[2]).await;
    assert_ne!(before, on.value(position).await);
}
