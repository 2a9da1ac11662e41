//! The demonstration, by running it.

use std::fs;

use reconciler_jobs::restore_execute::ReasonCode;
use tempfile::TempDir;

use super::stage::{File, Ran, assert_says, open, program, ran, run};
use crate::support::cluster;
use crate::support::roles::Purpose;
use restore_reconciler::internals::demo::Phase;
use restore_reconciler::internals::storage::Access;

/// Runs `demo` with no database named and its temporary files in `directory`.
fn demo(directory: &TempDir, arguments: &[&str]) -> Ran {
    let mut command = program("", &["demo"]);
    ran(command.env("TMPDIR", directory.path()).args(arguments))
}

fn is_empty(directory: &TempDir) -> bool {
    fs::read_dir(directory.path()).unwrap().next().is_none()
}

const PHASES: [Phase; 4] = [
    Phase::Planting,
    Phase::FirstPass,
    Phase::SecondPass,
    Phase::Reading,
];

#[test]
fn a_demonstration_shows_every_reason_and_leaves_nothing() {
    let directory = TempDir::new().unwrap();
    let shown = demo(&directory, &["--all", "--runs", "300"]).exits(0).says(
        &[
            "109 of 109 scenarios as expected",
            "The second pass changed nothing.",
            "300 generated runs",
        ],
        &[],
    );
    for reason in ReasonCode::ALL {
        assert!(shown.stdout.contains(reason.code()), "{reason}");
    }
    assert!(!shown.stdout.contains("NOT AS EXPECTED"));
    for line in shown.stderr.lines() {
        // On a busy machine it takes long enough to say how far it has come.
        let is_progress = PHASES.iter().any(|phase| line.starts_with(phase.name()));
        assert!(is_progress, "nothing goes wrong but on purpose: {line}");
    }
    assert!(is_empty(&directory), "the database is still there");
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

    let directory = directory.path().display();
    let url = format!("sqlite://{directory}/100%25 kept%3F.sqlite");
    assert_says(
        &url,
        "sweep        ⇒ 0 | No run is due.
         explain 1000 ⇒ 11 | refused by the database | run.settle_failed | The database said: ",
    );
}

#[test]
fn a_demonstration_through_the_queue_shows_the_same_and_leaves_nothing() {
    let directory = TempDir::new().unwrap();
    let swept = demo(&directory, &["--all"]).exits(0);
    let queued = demo(&directory, &["--all", "--through-queue"])
        .exits(0)
        .says(
            &[
                "The verdicts came through the queue: ",
                "The second pass changed nothing but when open runs are looked at.",
                "The database and its queue were temporary and are gone",
            ],
            &[],
        );
    let table = |shown: &Ran| {
        let (table, _) = shown.stdout.split_once("OUTCOME\t").unwrap();
        table.to_owned()
    };
    assert!(table(&swept).lines().count() > 100);
    assert_eq!(table(&swept), table(&queued));
    assert!(is_empty(&directory), "it or its queue is still there");
}

#[test]
fn a_kept_demonstration_keeps_its_queue_and_takes_no_other() {
    let directory = TempDir::new().unwrap();
    let queue = directory.path().join("kept.sqlite.queue");
    let path = directory.path().join("kept.sqlite");
    let keep = ["--through-queue", "--keep", path.to_str().unwrap()];
    fs::write(&queue, "somebody else's").unwrap();
    demo(&directory, &keep)
        .exits(1)
        .says(&[], &["kept.sqlite.queue exists already"]);
    assert!(!path.exists(), "nothing is left of what was refused");
    assert_eq!(fs::read(&queue).unwrap(), b"somebody else's");
    fs::remove_file(&queue).unwrap();

    let said = format!("and its queue is {}", queue.display());
    demo(&directory, &keep).exits(0).says(&[&said], &[]);
    assert!(fs::read(&queue).unwrap().starts_with(b"SQLite format 3"));
    assert_says(
        &format!("sqlite://{}", path.display()),
        "sweep ⇒ 0 | No run is due.",
    );
}

#[tokio::test]
async fn a_demonstration_through_the_queue_on_postgres_says_where_its_jobs_are() {
    let database = cluster::database().await;
    assert_says(
        &database.url(),
        "demo --through-queue ⇒ 0 | The rows and the finished jobs are in the database | \
         The verdicts came through the queue",
    );
    let store = open(&Purpose::Owner.url(&database.url()), Access::Read).await;
    assert_eq!(store.count_unfinished().await.unwrap(), 0);
}

#[tokio::test]
async fn a_demonstration_refuses_a_database_that_may_be_real() {
    let file = File::planted().await;
    let before = file.bytes();
    assert_says(
        &file.url(),
        "demo ⇒ 1 ! holds the platform's tables ! Nothing was written",
    );
    assert!(before == file.bytes());
}

#[tokio::test]
async fn a_demonstration_on_postgres_comes_out_the_same() {
    let database = cluster::database().await;
    assert_says(
        &database.url(),
        "demo ⇒ 0 | The second pass changed nothing.",
    );
    let store = open(&Purpose::Owner.url(&database.url()), Access::Read).await;
    assert_eq!(store.count_due(None).await.unwrap(), 0);
    run(&database.url(), &["demo"]).exits(1);
}
