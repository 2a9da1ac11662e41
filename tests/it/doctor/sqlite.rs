//! What only SQLite has: a file and its journal.

use restore_reconciler::doctor::{Check, Level};
use restore_reconciler::storage::{Access, Limits, connect};
use sqlx::{Connection as _, SqliteConnection};

use super::{
    TempFile, about, action, assert_sweep_works, examine, open, prepare, problems, renames, run,
};

#[tokio::test]
async fn no_other_column_is_needed_on_sqlite() {
    let file = TempFile::new("others");
    let store = open(&file.url()).await;
    prepare(&store).await;
    let mut connection = SqliteConnection::connect(&file.url())
        .await
        .expect("a connection");
    let columns: Vec<(String, String)> = sqlx::query_as(
        "SELECT relation.name, attribute.name
         FROM sqlite_schema AS relation JOIN pragma_table_info(relation.name) AS attribute
         WHERE relation.type = 'table' AND relation.name NOT LIKE 'reconciler%'
           AND relation.name NOT LIKE 'sqlite%'",
    )
    .fetch_all(&mut connection)
    .await
    .expect("columns");
    run(&store, renames(&columns)).await;
    assert_eq!(problems(&examine(&store).await), Vec::<&Check>::new());
    assert_sweep_works(&store).await;
}

#[tokio::test]
async fn a_sqlite_file_is_examined_without_a_change_to_it() {
    let file = TempFile::new("untouched");
    let store = open(&file.url()).await;
    prepare(&store).await;
    run(&store, "PRAGMA wal_checkpoint(TRUNCATE)".to_owned()).await;
    let before = std::fs::read(&file.0).expect("the file");
    let reader = connect(&file.url(), Access::Read, &Limits::default())
        .await
        .expect("the file opens");
    let checks = examine(&reader).await;
    assert_eq!(problems(&checks), Vec::<&Check>::new());
    assert_eq!(
        about(&checks, "journal").finding,
        "The journal mode is wal."
    );
    assert!(about(&checks, "file").finding.ends_with("may be written."));
    assert!(std::fs::read(&file.0).expect("the file") == before);
}

#[tokio::test]
async fn a_file_that_is_no_database_is_examined_too() {
    let file = TempFile::new("nonsense");
    std::fs::write(
        &file.0,
        "This is a letter, and long enough to have a header. ".repeat(99),
    )
    .expect("a file");
    let reader = connect(&file.url(), Access::Read, &Limits::default())
        .await
        .expect("SQLite opens whatever it is given");
    let checks = examine(&reader).await;
    assert!(
        problems(&checks)[0].finding.contains("not a database"),
        "{checks:#?}"
    );
}

#[tokio::test]
async fn a_sqlite_file_with_a_rollback_journal_is_advised_on() {
    let file = TempFile::new("rollback");
    std::fs::write(&file.0, b"").expect("an empty file");
    let reader = connect(&file.url(), Access::Read, &Limits::default())
        .await
        .expect("the file opens");
    let checks = examine(&reader).await;
    assert!(
        about(&checks, "journal")
            .finding
            .contains("journal mode is delete")
    );
    assert_eq!(action(&checks, "journal"), "PRAGMA journal_mode = WAL;");
}

#[tokio::test]
async fn a_sqlite_file_that_may_not_be_written_is_a_problem() {
    let file = TempFile::new("closed");
    std::fs::write(&file.0, b"").expect("an empty file");
    let mut permissions = std::fs::metadata(&file.0).expect("the file").permissions();
    permissions.set_readonly(true);
    std::fs::set_permissions(&file.0, permissions).expect("the file is ours");
    // Root may write whatever the permissions say.
    let is_closed = std::fs::OpenOptions::new()
        .append(true)
        .open(&file.0)
        .is_err();
    let reader = connect(&file.url(), Access::Read, &Limits::default())
        .await
        .expect("the file opens");
    let checks = examine(&reader).await;
    let expected = if is_closed {
        Level::Problem
    } else {
        Level::Good
    };
    assert_eq!(about(&checks, "file").level, expected);
}

#[tokio::test]
async fn a_queue_that_is_not_there_is_told_and_not_made() {
    let file = TempFile::new("queue");
    let store = open(&file.url()).await;
    prepare(&store).await;
    let reader = connect(&file.url(), Access::Read, &Limits::default())
        .await
        .unwrap();
    let checks = examine(&reader).await;
    assert_eq!(about(&checks, "queue").level, Level::Advice);
    let again = examine(&reader).await;
    assert_eq!(about(&again, "queue").level, Level::Advice);
    restore_reconciler::worker::set_up(&store).await.unwrap();
    assert_eq!(about(&examine(&store).await, "queue").level, Level::Good);
}
