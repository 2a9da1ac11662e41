//! What a hanging server costs others: connections stay within what the manual says, and no healthy worker is restarted.

use std::time::Duration;

use restore_reconciler::internals::clock::Stopwatch;
use sqlx::Connection as _;
use tokio::time::interval;

use super::{LATEST_BEAT, end_soundly};
use crate::support::case::Case;
use crate::support::roles::{Purpose, connect};
use crate::support::scene::{NO_SWEEPS, OPEN, Scene, until_answered, until_ready, until_said};
use crate::support::time::TIMEOUT;
use crate::support::worker::Worker;

/// Few connections of its own, so that one more shows.
const FEW: &str = "[database]\nconnections_max = 3\n";

/// These, two that take jobs, one for signs of life, and one that listens; and three that were given up and that a busy
/// machine has not ended yet. Without limits of their own there would be one more each 2.5 seconds.
const CONNECTIONS_MAX: i64 = 3 + 2 + 1 + 1 + 3;

/// Longer than a sign of life, a poll, and the silence that a restart answers, and some of each after the other.
const LOCKED_FOR: Duration = Duration::from_secs(18);

const CONNECTIONS: &str = "SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND usename = 'reconciler'";

/// Rows of jobs that any session read so far.
const ROWS_READ: &str = "SELECT (seq_tup_read + coalesce(idx_tup_fetch, 0))::bigint
    FROM pg_stat_user_tables WHERE relid = 'apalis.jobs'::regclass";

/// What `CREATE INDEX` takes, and a row lock that somebody left open, on each of the queue's tables.
#[tokio::test(flavor = "multi_thread")]
async fn a_lock_on_the_queue_costs_no_connections_and_restarts_nobody() {
    for (lock, said, state) in [
        (
            "BEGIN; LOCK TABLE apalis.workers IN SHARE MODE",
            "canceling statement due to lock timeout (SQLSTATE 55P03)",
            "somebody holds a lock on the queue's tables, so that no sign of life can be written",
        ),
        (
            "BEGIN; LOCK TABLE apalis.jobs IN SHARE MODE",
            "a worker failed; it is restarted",
            "[-] queue",
        ),
    ] {
        let scene = Scene::new(&format!("{NO_SWEEPS}{FEW}")).await;
        // The test has some under the same name.
        let connections_before = scene.count(CONNECTIONS).await;
        let worker = scene.worker().await;
        let mut session = connect(Purpose::Engineer, scene.url()).await;
        let locked = sqlx::raw_sql(lock).execute(&mut session).await;
        locked.expect("a lock");
        let since = Stopwatch::start();
        let mut poll = interval(Duration::from_millis(100));
        let mut is_told = false;
        while since.elapsed() < LOCKED_FOR || !is_told {
            poll.tick().await;
            assert!(since.elapsed() < TIMEOUT, "{lock}: {}", worker.said());
            let (status, live) = worker.probe("/livez?verbose").await;
            assert_eq!(status, 200, "{lock}: {live}\n{}", worker.said());
            let connections = scene.count(CONNECTIONS).await - connections_before;
            assert!(connections <= CONNECTIONS_MAX, "{lock}: {connections}");
            let (_, ready) = worker.probe("/readyz?verbose").await;
            is_told |= ready.contains(state);
        }
        session.close().await.expect("the lock goes with it");
        until_ready(&worker).await;
        until_said(&worker, said).await;
        scene.plant((1..=3).map(Case::proven)).await;
        scene.request(1..=3).await;
        scene.until(OPEN, 0, &worker).await;
        end_soundly(&scene, [worker]).await;
    }
}

/// Restored from a dump under a running worker, tables and extensions are others of the same names: what sessions
/// remember of them is refused for as long as these live.
#[tokio::test(flavor = "multi_thread")]
async fn a_worker_outlives_tables_that_are_made_again_under_it() {
    let scene = Scene::new(NO_SWEEPS).await;
    let worker = scene.worker().await;
    scene.plant((1..=3).map(Case::proven)).await;
    scene.request(1..=3).await;
    scene.until(OPEN, 0, &worker).await;
    // The type of a column that each look for jobs returns goes, and comes again as another of the same name.
    scene
        .execute(
            "BEGIN; DROP EXTENSION hstore CASCADE; CREATE EXTENSION hstore;
             ALTER TABLE apalis.jobs ADD COLUMN metadata hstore DEFAULT '' NOT NULL; COMMIT",
        )
        .await;
    scene.plant((4..=6).map(Case::proven)).await;
    scene.request(4..=6).await;
    scene.until(OPEN, 0, &worker).await;
    until_answered(&worker, "/readyz", 200).await;
    end_soundly(&scene, [worker]).await;
}

/// Jobs are kept for a while after they were done, and each sign of life looks for those of dead workers.
#[tokio::test(flavor = "multi_thread")]
async fn an_idle_worker_reads_no_finished_jobs() {
    const FINISHED: i64 = 50_000;
    let scene = Scene::new(NO_SWEEPS).await;
    scene
        .execute(&format!(
            "INSERT INTO apalis.workers (id, worker_type, storage_name, last_seen)
             SELECT 'dead-' || n, 'restore.execute', 'a test', now() - interval '30 min' FROM generate_series(1, 5) AS n;
             INSERT INTO apalis.jobs (id, job_type, job, status, attempts, max_attempts, run_at, done_at, lock_by, priority)
             SELECT 'done-' || n, 'restore.execute', '{{}}', 'Done', 0, 1, now(), now(), 'dead-' || 1 + n % 5, 0
             FROM generate_series(1, {FINISHED}) AS n;
             ANALYZE apalis.jobs, apalis.workers"
        ))
        .await;
    let worker = scene.worker().await;
    // What it looks through once, as it begins, is counted a moment later.
    beat_times(&scene, &worker, 4).await;
    let before = scene.count(ROWS_READ).await;
    beat_times(&scene, &worker, 6).await;
    let read = scene.count(ROWS_READ).await - before;
    // Once more where a busy machine had a look repeated; each sign of life would read all of them.
    assert!(
        read < 4 * FINISHED,
        "{read} rows were read\n{}",
        worker.said()
    );
    end_soundly(&scene, [worker]).await;
}

/// Waits for so many signs of life, each of which comes with a look for the jobs of dead workers.
async fn beat_times(scene: &Scene, worker: &Worker, times: u32) {
    for _ in 0..times {
        let since = scene.count(LATEST_BEAT).await;
        let later = format!("SELECT ({LATEST_BEAT}) - {since}");
        scene.until_least(&later, 500_000, worker).await;
    }
}
