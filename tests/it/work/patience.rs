//! What takes long says nothing about who waits: a worker behind a lock keeps its jobs and stays live, and a
//! worker whose sweeps fail does not stay ready.

use std::time::Duration;

use restore_reconciler::internals::clock::Stopwatch;
use sqlx::{Connection as _, PgConnection};
use tokio::time::interval;

use crate::history::{System, assert_sound};
use crate::support::case::Case;
use crate::support::hold::Writer;
use crate::support::scene::{
    DONE, IN_HAND, NO_SWEEPS, OPEN, OPEN_JOBS, SWEEPS, Scene, TAKEN_AWAY, dismiss, until_answered,
    until_ready,
};
use crate::support::store::{Fixture, on_both};

const SUSPECTS: &str = "SELECT count(*) FROM reconciler.attempts";

on_both!(a_worker_that_waits_for_a_lock_keeps_its_jobs_and_suspects_nobody);

/// Everything that the test waits longer for than any of these.
const IMPATIENT: &str = r#"
[worker]
jobs_max = 100
orphan_after = "10s"
attempt_timeout = "10s"

[database]
statement_timeout = "5s"
lock_timeout = "250ms"
"#;
const LONGER: Duration = Duration::from_secs(13);
/// More than two workers have in hand and in their buffers.
const RUNS: i64 = 500;

/// What the platform does to a whole table, or another program to a whole file.
enum Lock {
    Table(PgConnection),
    File(Writer),
}

impl Lock {
    async fn take(scene: &Scene) -> Self {
        if scene.database.is_sqlite() {
            return Self::File(Writer::of_platform(scene.url()).await);
        }
        let mut session = PgConnection::connect(scene.url())
            .await
            .expect("a connection");
        sqlx::raw_sql("BEGIN; LOCK TABLE restore_runs IN ACCESS EXCLUSIVE MODE")
            .execute(&mut session)
            .await
            .expect("a lock");
        Self::Table(session)
    }

    async fn let_go(self) {
        match self {
            Self::Table(session) => session.close().await.expect("the lock goes with it"),
            Self::File(writer) => writer.let_go().await,
        }
    }
}

/// Whoever asked, swept or looked again: a lock that all of them wait for says nothing about any run.
async fn a_worker_that_waits_for_a_lock_keeps_its_jobs_and_suspects_nobody(on: Fixture) {
    let scene = Scene::on(on, &format!("{SWEEPS}{IMPATIENT}")).await;
    scene.plant((1..=RUNS).map(Case::proven)).await;
    let lock = Lock::take(&scene).await;
    let workers = [scene.worker().await, scene.worker().await];
    // Some in hand first: then the next batch does not fit, and its rest waits in the library's buffer.
    let in_hand = format!("{IN_HAND} AND job_type = 'restore.execute'");
    scene.request(1..=30).await;
    scene.until(&in_hand, 30, &workers[0]).await;
    scene.request(31..=400).await;
    if !scene.database.is_sqlite() {
        // What is due already when a process begins is looked at with care.
        scene.watch("id BETWEEN 401 AND 450").await;
    }
    let since = Stopwatch::start();
    let mut poll = interval(Duration::from_millis(200));
    while since.elapsed() < LONGER {
        poll.tick().await;
        for worker in &workers {
            let (status, state) = worker.probe("/livez?verbose").await;
            assert_eq!(status, 200, "{state}\n{}", worker.said());
        }
        assert_eq!(scene.count(TAKEN_AWAY).await, 0);
        assert_eq!(scene.count(SUSPECTS).await, 0);
        assert_eq!(scene.count(OPEN).await, RUNS);
    }
    for worker in &workers {
        let said = worker.said();
        assert!(!said.contains("one by one"), "{said}");
    }
    lock.let_go().await;
    let [worker, other] = workers;
    scene.until(OPEN, 0, &worker).await;
    scene.until(OPEN_JOBS, 0, &worker).await;
    // A file has one writer at a time, in no order: of two that settle all at once, one may starve for so long that
    // it gives its jobs back or suspects its runs, after the lock that this is about.
    if !scene.database.is_sqlite() {
        let taken_away = format!("{DONE} AND job_type = 'restore.execute' AND attempts > 1");
        assert_eq!(
            (scene.count(&taken_away).await, scene.count(SUSPECTS).await),
            (0, 0)
        );
        let said = [worker.said(), other.said()].concat();
        assert!(!said.contains("one by one"), "{said}");
    }
    for worker in [worker, other] {
        dismiss(worker).await;
    }
    assert_sound(scene.url(), System::QUIET).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_whose_sweeps_fail_does_not_stay_ready() {
    let scene = Scene::new(SWEEPS).await;
    let worker = scene.worker().await;
    // Each pass ends with an error that no retry mends, as after a grant was revoked.
    scene
        .execute("ALTER TABLE reconciler.watch_list RENAME COLUMN tries TO something_else")
        .await;
    scene.plant_proven(1, 3, 1, 1).await;
    until_answered(&worker, "/readyz", 503).await;
    assert_eq!(worker.probe("/livez").await.0, 200);
    scene
        .execute("ALTER TABLE reconciler.watch_list RENAME COLUMN something_else TO tries")
        .await;
    scene.until(OPEN, 0, &worker).await;
    until_ready(&worker).await;
    dismiss(worker).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_nobody_can_read_does_not_keep_the_others_waiting() {
    let scene = Scene::new(NO_SWEEPS).await;
    let worker = scene.worker().await;
    scene
        .execute(
            "INSERT INTO apalis.jobs (id, job_type, job, status, attempts, max_attempts, run_at, priority)
             VALUES ('not-a-ulid', 'restore.execute', '{}', 'Pending', 0, 1, now(), 0),
                 (reconciler.job_id(), 'restore.execute', '{}', 'Pending', 0, 1, '-infinity', 0)",
        )
        .await;
    scene.plant_proven(1, 3, 1, 1).await;
    scene.request(1..=3).await;
    scene.until(OPEN, 0, &worker).await;
    let discarded = "SELECT count(*) FROM apalis.jobs WHERE status = 'Killed'";
    scene.until(discarded, 2, &worker).await;
    assert!(
        worker
            .said()
            .contains("jobs whose rows nobody can read were discarded")
    );
    dismiss(worker).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_for_thousands_of_runs_at_once_waits_behind_who_asks_for_one() {
    let scene = Scene::new(NO_SWEEPS).await;
    scene.plant_proven(1, 3_000, 1, 1).await;
    scene.plant_proven(3_001, 3_001, 2, 1).await;
    scene.request(1..=3_000).await;
    scene.request(3_001..=3_001).await;
    let worker = scene.worker().await;
    scene
        .until(
            "SELECT count(*) FROM operation_runs WHERE id = 3001 AND status <> 'completed'",
            0,
            &worker,
        )
        .await;
    let left = scene.count(OPEN).await;
    assert!(
        left > 1_500,
        "{left} of 3,000 were left when the one was done"
    );
    scene.until(OPEN, 0, &worker).await;
    dismiss(worker).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn thousands_whose_time_has_come_let_one_of_another_workspace_through() {
    let scene = Scene::new(NO_SWEEPS).await;
    scene.plant_proven(1, 3_000, 1, 1).await;
    scene.plant_proven(3_001, 3_001, 2, 1).await;
    let worker = scene.worker().await;
    scene.watch("id <= 3000").await;
    scene.watch("id = 3001").await;
    let left = "SELECT count(*) FROM operation_runs WHERE id = 3001 AND status <> 'completed'";
    scene.until(left, 0, &worker).await;
    let left = scene.count(OPEN).await;
    assert!(
        left > 1_000,
        "{left} of 3,000 were left when the one was done"
    );
    scene.until(OPEN, 0, &worker).await;
    let looked = "SELECT count(*) FROM reconciler.ledger WHERE source = 'watch'";
    assert_eq!(scene.count(looked).await, 3_001);
    dismiss(worker).await;
}
