//! The demonstration, by running it.

use std::fs;

use reconciler_jobs::restore_execute::ReasonCode;
use tempfile::TempDir;

use super::stage::{File, Ran, open, program, ran, run};
use crate::support::cluster;
use restore_reconciler::storage::Access;

/// Runs `demo` with no database named and its temporary files in `directory`.
fn demo(directory: &TempDir, arguments: &[&str]) -> Ran {
    let mut command = program("", &["demo"]);
    command
        .env_remove("RECONCILER_DATABASE_URL")
        .env("TMPDIR", directory.path())
        .args(arguments);
    ran(&mut command)
}

fn is_empty(directory: &TempDir) -> bool {
    fs::read_dir(directory.path()).unwrap().next().is_none()
}

#[test]
fn a_demonstration_shows_every_reason_and_leaves_nothing() {
    let directory = TempDir::new().unwrap();
    let shown = demo(&directory, &["--runs", "300"]).exits(0).says(
        &[
            "came out as they are named to",
            "The second pass changed nothing.",
            "300 generated runs",
        ],
        &[],
    );
    for reason in ReasonCode::ALL {
        assert!(shown.stdout.contains(reason.code()), "{reason}");
    }
    assert!(!shown.stdout.contains("NOT AS EXPECTED"));
    assert_eq!(shown.stderr, "", "nothing goes wrong but on purpose");
    assert!(
        is_empty(&directory),
        "the temporary database is still there"
    );
}

#[test]
fn a_demonstration_in_json_is_one_document() {
    let directory = TempDir::new().unwrap();
    let shown = demo(&directory, &["--output", "json"]).exits(0);
    let document: serde_json::Value = serde_json::from_str(&shown.stdout).unwrap();
    assert_eq!(document["command"], "demo");
    assert_eq!(document["unchanged"], true);
    let second = document["second"]["swept"].as_object().unwrap();
    assert_eq!(second.len(), 7, "one count per way to come out");
    assert!(second.values().all(|count| count == 0), "{second:?}");
}

#[test]
fn a_kept_demonstration_can_be_looked_into_and_is_never_overwritten() {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("100% kept?.sqlite");
    let path = file.to_str().unwrap();
    demo(&directory, &["--keep", path]).exits(0);
    let kept = fs::read(&file).unwrap();
    demo(&directory, &["--keep", path])
        .exits(1)
        .says(&[], &["exists already", "nothing is overwritten"]);
    assert!(kept == fs::read(&file).unwrap());

    let url = format!(
        "sqlite://{}/100%25 kept%3F.sqlite",
        directory.path().display()
    );
    run(&url, &["sweep"])
        .exits(0)
        .says(&["No run is due."], &[]);
    run(&url, &["explain", "1000"]).exits(0);
}

#[tokio::test]
async fn a_demonstration_refuses_a_database_that_may_be_real() {
    let file = File::planted().await;
    let before = file.bytes();
    run(&file.url(), &["demo"])
        .exits(1)
        .says(&[], &["holds the platform's tables", "Nothing was written"]);
    assert!(before == file.bytes());
}

#[tokio::test]
async fn a_demonstration_on_postgres_comes_out_the_same() {
    let database = cluster::database().await;
    run(&database.url(), &["demo"])
        .exits(0)
        .says(&["The second pass changed nothing."], &[]);
    let store = open(&database.url(), Access::Read).await;
    assert_eq!(store.count_due(None).await.unwrap(), 0);
    run(&database.url(), &["demo"]).exits(1);
}
