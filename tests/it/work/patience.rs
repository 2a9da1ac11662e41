//! What takes long says nothing about who waits: a worker behind a lock keeps its jobs and stays live, and a
//! worker whose sweeps fail does not stay ready.

use std::time::Duration;

use restore_reconciler::clock::Stopwatch;
use sqlx::{Connection as _, PgConnection};
use tokio::time::interval;

use crate::history::{System, assert_sound};
use crate::support::scene::{
    NO_SWEEPS, OPEN, SWEEPS, Scene, TAKEN_AWAY, dismiss, until_answered, until_ready,
};

const SUSPECTS: &str = "SELECT count(*) FROM reconciler.attempts";

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_waits_for_a_lock_with_jobs_in_its_buffer_keeps_them() {
    let worker = "[worker]\njobs_max = 100\norphan_after = \"2s\"\n";
    let scene = Scene::new(&format!("{NO_SWEEPS}{worker}")).await;
    scene.plant_proven(1, 400, 1, 1).await;
    scene.request(1..=400).await;
    let mut platform = PgConnection::connect(scene.url())
        .await
        .expect("a connection");
    sqlx::raw_sql("BEGIN; LOCK TABLE restore_runs IN ACCESS EXCLUSIVE MODE")
        .execute(&mut platform)
        .await
        .expect("a lock");
    let workers = [scene.worker().await, scene.worker().await];
    let since = Stopwatch::start();
    let mut poll = interval(Duration::from_millis(200));
    // Longer than it takes to be thought dead, and longer than one statement waits for a lock.
    while since.elapsed() < Duration::from_secs(8) {
        poll.tick().await;
        for worker in &workers {
            let (status, state) = worker.probe("/livez?verbose").await;
            assert_eq!(status, 200, "{state}\n{}", worker.said());
        }
        assert_eq!(scene.count(TAKEN_AWAY).await, 0);
    }
    platform
        .close()
        .await
        .expect("the lock goes with its session");
    let [worker, other] = workers;
    scene.until(OPEN, 0, &worker).await;
    assert_eq!(
        (scene.count(TAKEN_AWAY).await, scene.count(SUSPECTS).await),
        (0, 0)
    );
    dismiss(worker).await;
    dismiss(other).await;
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
