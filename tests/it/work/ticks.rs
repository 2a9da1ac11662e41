//! Ticks of the sweep schedule, the passes they ask for, and what is removed with them.

use std::{collections::BTreeSet, time::Duration};

use restore_reconciler::clock::Stopwatch;
use sqlx::Connection as _;
use tokio::time::{interval, timeout};

use super::scene::{OPEN, PATIENCE, POLL, SWEEPS, Scene, WAITING, dismiss};
use crate::history::{System, assert_sound};
use crate::support::cluster;
use crate::support::worker::Worker;

/// Between two probes.
const PROBE_EVERY: Duration = Duration::from_millis(100);

const TICKS: &str = "SELECT count(*) FROM reconciler.ticks";
const PASSES: &str = "SELECT count(*) FROM reconciler.sweeps";
const SHARDS: &str = "SELECT count(*) FROM apalis.jobs WHERE job_type = 'restore.sweep'";

/// Ticks of which some shard was asked for twice or not at all.
const TICKS_OUT_OF_ORDER: &str = "
    SELECT count(*)
    FROM (
        SELECT job ->> 'tick' AS tick, (job ->> 'shards')::bigint AS shards, array_agg((job ->> 'shard')::bigint
            ORDER BY (job ->> 'shard')::bigint) AS parts
        FROM (SELECT convert_from(job, 'UTF8')::json AS job FROM apalis.jobs WHERE job_type = 'restore.sweep') AS jobs
        GROUP BY 1, 2
    ) AS asked
    WHERE parts <> ARRAY(SELECT generate_series(0, shards - 1))
       OR 1 <> (SELECT count(*) FROM reconciler.ticks WHERE tick_at = tick::timestamptz)";

/// Shards that were passed over more than once, or that nobody asked for.
const PASSES_OUT_OF_ORDER: &str = "
    SELECT count(*)
    FROM (
        SELECT tick_at, shard, shards, count(*) AS passes FROM reconciler.sweeps GROUP BY tick_at, shard, shards
    ) AS pass
    WHERE passes > 1 OR NOT EXISTS (
        SELECT 1
        FROM (SELECT convert_from(job, 'UTF8')::json AS job FROM apalis.jobs WHERE job_type = 'restore.sweep') AS jobs
        WHERE (job ->> 'tick')::timestamptz = pass.tick_at AND (job ->> 'shard')::bigint = pass.shard
            AND (job ->> 'shards')::bigint = pass.shards
    )";

#[tokio::test(flavor = "multi_thread")]
async fn every_tick_is_won_once_and_brings_a_pass_where_something_is_due() {
    let scene = Scene::new(cluster::database().await, SWEEPS).await;
    let workers = [scene.worker().await, scene.worker().await];
    let mut last = 0;
    for _ in 0..5 {
        // Due at once, and found by sweeps alone.
        scene.plant(last + 1, last + 10, 1, 2).await;
        last += 10;
        scene.until(OPEN, 0, &workers[0]).await;
    }
    // A tick may have counted what the one before it was still settling.
    quiet(&scene, &workers).await;
    let passes = scene.count(PASSES).await;
    assert!(passes >= 5, "{passes}");
    quiet(&scene, &workers).await;
    assert_eq!(scene.count(PASSES).await, passes, "nothing was due");

    let [one, two] = workers;
    dismiss(one).await;
    dismiss(two).await;
    assert_eq!(scene.count(TICKS_OUT_OF_ORDER).await, 0);
    assert_eq!(scene.count(PASSES_OUT_OF_ORDER).await, 0);
    let missed = scene
        .count(
            "SELECT count(*) FROM generate_series(
                 (SELECT min(tick_at) FROM reconciler.ticks), (SELECT max(tick_at) FROM reconciler.ticks), '1 second'
             ) AS tick WHERE tick NOT IN (SELECT tick_at FROM reconciler.ticks)",
        )
        .await;
    assert_eq!(missed, 0, "with two hosts, no tick passes unnoticed");
    let by_sweeps = "SELECT count(*) FROM reconciler.ledger WHERE source = 'sweep'";
    assert_eq!(scene.count(by_sweeps).await, last);
    assert_sound(&scene.database.url(), System::QUIET).await;
}

/// Waits for some ticks, none of which asks for a pass.
async fn quiet(scene: &Scene, workers: &[Worker]) {
    let mut poll = interval(POLL);
    let awaited = timeout(PATIENCE, async {
        loop {
            let (ticks, shards) = (scene.count(TICKS).await, scene.count(SHARDS).await);
            while scene.count(TICKS).await < ticks + 3 {
                poll.tick().await;
            }
            if scene.count(SHARDS).await == shards {
                break;
            }
        }
    });
    if awaited.await.is_err() {
        let said: String = workers.iter().map(Worker::said).collect();
        panic!("ticks ask for passes although nothing is due\n{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hosts_share_a_large_backlog() {
    let config = format!("{SWEEPS}shard_runs = 100\n");
    let scene = Scene::new(cluster::database().await, &config).await;
    let workers = [scene.worker().await, scene.worker().await];
    scene.plant(1, 2_000, 101, 16).await;
    scene.until(OPEN, 0, &workers[0]).await;
    let shared: i64 = scene
        .count(
            "SELECT max(workers) FROM (
                 SELECT count(DISTINCT worker) AS workers FROM reconciler.sweeps GROUP BY tick_at
             ) AS pass",
        )
        .await;
    assert_eq!(shared, 2, "both took shards of one tick");
    let cut = "SELECT max(shards)::bigint FROM reconciler.sweeps";
    assert_eq!(scene.count(cut).await, 16);
    for worker in workers {
        dismiss(worker).await;
    }
    assert_eq!(scene.count(TICKS_OUT_OF_ORDER).await, 0);
    assert_eq!(scene.count(PASSES_OUT_OF_ORDER).await, 0);
    let both = "SELECT count(DISTINCT worker) FROM reconciler.ledger";
    assert_eq!(scene.count(both).await, 2);
    assert_sound(&scene.database.url(), System::QUIET).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shard_in_hand_of_a_dead_host_is_taken_over() {
    let config = format!("{SWEEPS}[worker]\norphan_after = \"2s\"\n");
    let scene = Scene::new(cluster::database().await, &config).await;
    let held = scene.hold(5).await;
    let worker = scene.worker().await;
    scene.plant(1, 10, 1, 1).await;
    scene.until(WAITING, 1, &worker).await;
    worker.kill().await;
    scene
        .execute(
            "CREATE TABLE left_behind AS
             SELECT id, lock_by, (SELECT id FROM reconciler.sweeps WHERE in_hand <> '{}') AS sweep
             FROM apalis.jobs WHERE job_type = 'restore.sweep' AND status IN ('Queued', 'Running')",
        )
        .await;
    assert_eq!(scene.count("SELECT count(sweep) FROM left_behind").await, 1);
    held.close().await.expect("the lock goes with its session");

    let other = scene.worker().await;
    let taken_over = "SELECT count(*) FROM apalis.jobs AS job JOIN left_behind USING (id)
        WHERE job.status = 'Done' AND job.lock_by <> left_behind.lock_by AND job.attempts > 0";
    scene.until(taken_over, 1, &other).await;
    scene.until(OPEN, 0, &other).await;
    dismiss(other).await;
    let emptied = "SELECT count(*) FROM reconciler.sweeps JOIN left_behind ON sweep = sweeps.id WHERE in_hand = '{}'";
    assert_eq!(scene.count(emptied).await, 1);
    assert_sound(&scene.database.url(), System::QUIET).await;
}

/// What must go and what must stay, by name.
const OLD_AND_NEW: &str = "
    INSERT INTO apalis.workers (id, worker_type, storage_name, last_seen) VALUES
        ('goes-dead', 'restore.execute', 'PgStorage', now() - interval '61 minutes'),
        ('stays-dead-for-less', 'restore.sweep', 'PgStorage', now() - interval '50 minutes'),
        ('stays-another', 'mail', 'PgStorage', now() - interval '2 hours'),
        ('stays-alive', 'restore.sweep', 'PgStorage', now() + interval '1 hour');
    INSERT INTO apalis.jobs (id, job_type, job, status, attempts, max_attempts, run_at, done_at, lock_by, priority)
    SELECT name, job_type, '{}'::bytea, status, 1, 1, run_at, now() - ago, lock_by, 0
    FROM (VALUES
        ('goes-done', 'restore.execute', 'Done', now(), interval '61 seconds', NULL),
        ('goes-shard', 'restore.sweep', 'Done', now(), interval '61 seconds', NULL),
        ('goes-killed', 'restore.execute', 'Killed', now(), interval '1 day', NULL),
        ('stays-new', 'restore.execute', 'Done', now(), interval '0 seconds', NULL),
        ('stays-pending', 'restore.execute', 'Pending', now() + interval '1 hour', interval '1 day', NULL),
        ('stays-running', 'restore.execute', 'Running', now(), interval '1 day', 'stays-alive'),
        ('stays-mail', 'mail', 'Done', now(), interval '1 day', NULL)
    ) AS job (name, job_type, status, run_at, ago, lock_by);
    INSERT INTO reconciler.ticks (tick_at, worker, won_at) VALUES
        (date_trunc('second', now()) - interval '25 hours', 'goes', now()),
        (date_trunc('second', now()) - interval '23 hours', 'stays', now())";

#[tokio::test(flavor = "multi_thread")]
async fn a_tick_removes_what_is_finished_and_nothing_else() {
    let config = format!("{SWEEPS}[worker]\nretain_jobs = \"1m\"\n");
    let scene = Scene::new(cluster::database().await, &config).await;
    scene.execute(OLD_AND_NEW).await;
    let worker = scene.worker().await;
    let old = "
        SELECT (SELECT count(*) FROM apalis.jobs WHERE id LIKE 'goes-%')
             + (SELECT count(*) FROM apalis.workers WHERE id LIKE 'goes-%')
             + (SELECT count(*) FROM reconciler.ticks WHERE worker = 'goes')";
    scene.until(old, 0, &worker).await;
    let ticks = scene.count(TICKS).await;
    let mut poll = interval(POLL);
    let further = timeout(PATIENCE, async {
        while scene.count(TICKS).await < ticks + 2 {
            poll.tick().await;
        }
    });
    assert!(further.await.is_ok(), "{}", worker.said());
    let left: Vec<String> = sqlx::query_scalar(
        "SELECT id FROM apalis.jobs WHERE id LIKE 'stays-%'
         UNION ALL SELECT id FROM apalis.workers WHERE id LIKE 'stays-%'
         UNION ALL SELECT 'tick' FROM reconciler.ticks WHERE worker = 'stays'",
    )
    .fetch_all(&scene.pool)
    .await
    .expect("an answer");
    let left: BTreeSet<&str> = left.iter().map(String::as_str).collect();
    let expected = [
        "stays-alive",
        "stays-another",
        "stays-dead-for-less",
        "stays-mail",
        "stays-new",
        "stays-pending",
        "stays-running",
        "tick",
    ];
    assert_eq!(left, BTreeSet::from(expected), "{}", worker.said());
    let own = "SELECT count(*) FROM apalis.workers WHERE last_seen BETWEEN now() - interval '30 s' AND now()";
    assert_eq!(scene.count(own).await, 2, "the worker of each queue");
    dismiss(worker).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_never_wins_is_ready_until_sweeps_are_not_done() {
    let scene = Scene::new(cluster::database().await, SWEEPS).await;
    scene
        .execute(
            "INSERT INTO reconciler.ticks (tick_at, worker, won_at)
             SELECT tick, 'another', now()
             FROM generate_series(date_trunc('second', now()) - interval '1 minute', now() + interval '1 hour', '1 second')
                 AS tick",
        )
        .await;
    let worker = scene.worker().await;
    // Three ticks without a sweep are too many; these are more.
    let since = Stopwatch::start();
    let mut poll = interval(PROBE_EVERY);
    while since.elapsed() < Duration::from_secs(7) {
        poll.tick().await;
        let (status, state) = worker.probe("/readyz?verbose").await;
        assert_eq!(status, 200, "{state}\n{}", worker.said());
    }
    let won = "SELECT count(*) FROM reconciler.ticks WHERE worker <> 'another'";
    assert_eq!(scene.count(won).await, 0);

    // A shard that its host, which is alive, does not get done.
    scene
        .execute(
            "INSERT INTO apalis.workers (id, worker_type, storage_name, last_seen)
             VALUES ('slow', 'restore.sweep', 'PgStorage', now() + interval '1 hour');
             INSERT INTO apalis.jobs (id, job_type, job, status, attempts, max_attempts, run_at, lock_by, priority)
             VALUES ('late', 'restore.sweep', '{}', 'Running', 0, 1, now(), 'slow', 0)",
        )
        .await;
    let unready = timeout(PATIENCE, async {
        while worker.probe("/readyz").await.0 == 200 {
            poll.tick().await;
        }
    });
    assert!(unready.await.is_ok(), "{}", worker.said());
    let (_, state) = worker.probe("/readyz?verbose").await;
    assert!(state.contains("[-] sweep: last success "), "{state}");
    assert_eq!(worker.probe("/livez").await.0, 200);
    dismiss(worker).await;
}
