//! What only SQLite has: a file and its journal.

use std::fs;
use std::path::PathBuf;

use restore_reconciler::internals::doctor::{Check, Level};
use restore_reconciler::internals::storage::Store;
use restore_reconciler::internals::worker::set_up;
use tempfile::TempDir;

use super::{
    about, action, assert_finds, assert_level, assert_sweep_works, examine, plant_one, problems,
    subjects,
};
use crate::support::store::{Fixture, open_to_read};

/// A file that holds this, and no more than a look into it.
async fn reader_of(bytes: &[u8]) -> (TempDir, PathBuf, Store) {
    let directory = TempDir::new().expect("a temporary directory");
    let file = directory.path().join("platform.sqlite");
    fs::write(&file, bytes).expect("a file");
    let reader = open_to_read(&format!("sqlite://{}", file.display())).await;
    (directory, file, reader)
}

#[tokio::test]
async fn a_fresh_file_wants_its_queue_and_nothing_else() {
    let on = Fixture::sqlite().await;
    plant_one(&on).await;
    let checks = examine(&on.store).await;
    assert_eq!(problems(&checks), Vec::<&Check>::new());
    assert_eq!(subjects(&checks, Level::Advice), ["queue"]);
    assert_sweep_works(&on.store).await;
}

#[tokio::test]
async fn a_sqlite_file_is_examined_without_a_change_to_it() {
    let on = Fixture::sqlite().await;
    plant_one(&on).await;
    on.execute("PRAGMA wal_checkpoint(TRUNCATE)").await;
    let file = on.url.trim_start_matches("sqlite:");
    let before = fs::read(file).expect("the file");
    let checks = examine(&open_to_read(&on.url).await).await;
    assert_eq!(problems(&checks), Vec::<&Check>::new());
    let journal = &about(&checks, "journal").finding;
    assert_eq!(journal, "The journal mode is wal.");
    assert!(about(&checks, "file").finding.ends_with("may be written."));
    assert!(fs::read(file).expect("the file") == before);
}

#[tokio::test]
async fn a_file_that_is_no_database_is_examined_too() {
    let letter = "This is a letter, and long enough to have a header. ".repeat(99);
    let (_directory, _, reader) = reader_of(letter.as_bytes()).await;
    let checks = examine(&reader).await;
    let finding = &problems(&checks)[0].finding;
    assert!(finding.contains("not a database"), "{checks:#?}");
}

#[tokio::test]
async fn a_sqlite_file_with_a_rollback_journal_is_advised_on() {
    let (_directory, _, reader) = reader_of(b"").await;
    let checks = examine(&reader).await;
    assert_finds(&checks, "journal", "journal mode is delete");
    assert_eq!(action(&checks, "journal"), "PRAGMA journal_mode = WAL;");
}

#[tokio::test]
async fn a_sqlite_file_that_may_not_be_written_is_a_problem() {
    let (_directory, file, reader) = reader_of(b"").await;
    let mut permissions = fs::metadata(&file).expect("the file").permissions();
    permissions.set_readonly(true);
    fs::set_permissions(&file, permissions).expect("the file is ours");
    // Root may write whatever the permissions say.
    let is_closed = fs::OpenOptions::new().append(true).open(&file).is_err();
    let expected = if is_closed {
        Level::Problem
    } else {
        Level::Good
    };
    assert_level(&examine(&reader).await, "file", expected);
}

#[tokio::test]
async fn a_queue_that_is_not_there_is_told_and_not_made() {
    let on = Fixture::sqlite().await;
    let reader = open_to_read(&on.url).await;
    for _ in 0..2 {
        assert_level(&examine(&reader).await, "queue", Level::Advice);
    }
    set_up(&on.store).await.unwrap();
    assert_level(&examine(&on.store).await, "queue", Level::Good);
}
