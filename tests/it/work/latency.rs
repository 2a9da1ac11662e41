//! How long a verdict takes: from the commit that asks for it to the commit that holds it, by the server's clock.
//!
//! Figures are printed. They are of the build under test, on whatever machine this is, with whatever else it does,
//! on a server that flushes nothing; only what was settled at all is asserted, and a bound that nothing but a
//! queue that stands still could break.

use std::time::Duration;

use restore_reconciler::internals::clock::Stopwatch;
use sqlx::PgPool;
use tokio::time::{Interval, MissedTickBehavior, interval};

use super::end_soundly;
use crate::support::cluster::{self, Cluster, environment};
use crate::support::scene::{NO_SWEEPS, OPEN, Scene};
use crate::support::time::Machine;

/// How many runs of one workspace are swept; 20,000 where it is not set.
const DUE: &str = "RECONCILER_TEST_DUE";

/// The first run that is asked for; those before it are swept.
const FIRST: i64 = 500_000;

/// The producer writes the restore with the request, and the worker never writes to it.
const MILLISECONDS: &str = "
    SELECT (extract(epoch FROM pg_xact_commit_timestamp(entry.xmin) - pg_xact_commit_timestamp(restore.xmin))
        * 1000)::float8
    FROM reconciler.ledger AS entry JOIN restore_runs AS restore USING (operation_run_id)
    WHERE entry.operation_run_id >= $1
    ORDER BY 1";

/// Where the time went, by who settled the run; for the message of a failure.
const WAITS: &str = "
    SELECT format('%s by %s: taken after %s, at most %s; done after %s, at most %s', count(*), entry.source,
        avg(job.lock_at - job.run_at), max(job.lock_at - job.run_at),
        avg(job.done_at - job.lock_at), max(job.done_at - job.lock_at))
    FROM apalis.jobs AS job
    JOIN reconciler.ledger AS entry
        ON entry.operation_run_id = (convert_from(job.job, 'UTF8')::json ->> 'run')::bigint
    WHERE job.job_type = 'restore.execute' AND entry.operation_run_id >= $1
    GROUP BY entry.source";

/// A cluster that remembers when each transaction was committed.
async fn stopwatched() -> (Cluster, cluster::TestDatabase) {
    let mut cluster = cluster::private();
    let database = cluster.database().await;
    cluster.set("track_commit_timestamp", "on").await;
    // Without a checkpoint, the new database would not be kept.
    cluster.execute("CHECKPOINT").await;
    cluster.kill();
    cluster.start_again();
    (cluster, database)
}

/// Goes on at its pace after whatever took longer.
fn pace(period: Duration) -> Interval {
    let mut pace = interval(period);
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    pace
}

/// Prints how long the verdicts about the runs that were asked for took, and returns the 99th percentile.
async fn report(what: &str, pool: &PgPool, asked: i64) -> Duration {
    let sorted = sqlx::query_scalar(MILLISECONDS).bind(FIRST);
    let sorted: Vec<f64> = sorted.fetch_all(pool).await.expect("an answer");
    assert_eq!(i64::try_from(sorted.len()).expect("few"), asked);
    let at = |percent: usize| sorted[(sorted.len() * percent).div_ceil(100) - 1];
    let [p50, p95, p99, max] = [50, 95, 99, 100].map(at);
    println!(
        "{what}: {asked} requests, p50 {p50:.1} ms, p95 {p95:.1} ms, p99 {p99:.1} ms, max {max:.1} ms"
    );
    Duration::from_secs_f64(p99 / 1000.0)
}

/// Asserts that all are settled, and nothing about how long it took.
#[tokio::test(flavor = "multi_thread")]
async fn an_idle_worker_settles_what_is_asked_for() {
    const REQUESTS: i64 = 200;
    let (_cluster, database) = stopwatched().await;
    let scene = Scene::in_database(database, NO_SWEEPS).await;
    let worker = scene.worker().await;
    let mut pace = pace(Duration::from_millis(33));
    for run in FIRST..FIRST + REQUESTS {
        pace.tick().await;
        scene.plant_and_request(run, 2).await;
    }
    scene.until(OPEN, 0, &worker).await;
    report("an idle worker", scene.database.pg(), REQUESTS).await;
    end_soundly(&scene, [worker]).await;
}

/// A bound of 2 s, which a debug build keeps, and as much longer as a busy machine takes: without turns it would be
/// the length of the whole sweep. The promise of 250 ms is for a release build on a machine of its own; the figure is printed.
#[tokio::test(flavor = "multi_thread")]
async fn a_sweep_of_one_workspace_does_not_hold_up_requests_of_another() {
    const BOUND: Duration = Duration::from_secs(2);
    const REQUESTS_MIN: i64 = 100;
    let due: i64 = environment(DUE).map_or(20_000, |text| text.parse().expect("a number"));
    assert!((1..FIRST).contains(&due), "{DUE}");
    let machine = Machine::watch();
    let (_cluster, database) = stopwatched().await;
    let scene = Scene::in_database(database, "[sweep]\nschedule = \"*/5 * * * * *\"\n").await;
    scene.plant_proven(1, due, 1, 1).await;
    scene.execute("ANALYZE").await;
    let worker = scene.worker().await;
    let sweeps = "SELECT count(*) FROM reconciler.sweeps";
    scene.until_least(sweeps, 1, &worker).await;

    let since = Stopwatch::start();
    let for_all = Duration::from_millis(10) * u32::try_from(due).expect("few");
    let deadline = Duration::from_mins(2) + for_all;
    let mut pace = pace(Duration::from_millis(50));
    let mut asked = 0;
    let mut sweeping = None;
    while sweeping.is_none() || asked < REQUESTS_MIN {
        pace.tick().await;
        scene.plant_and_request(FIRST + asked, 2).await;
        asked += 1;
        if sweeping.is_none() && asked % 10 == 0 {
            let open = "SELECT count(*) FROM operation_runs WHERE workspace_id = 1 AND status <> 'completed'";
            sweeping = (scene.count(open).await == 0).then(|| (asked, since.elapsed()));
        }
        let is_late = since.elapsed() > machine.grants(deadline);
        assert!(!is_late, "{asked} requests\n{}", worker.said());
    }
    scene.until(OPEN, 0, &worker).await;
    let (during, took) = sweeping.expect("it has ended");
    let what = format!("beside a sweep of {due} runs, {took:.1?}, {during} requests meanwhile");
    let p99 = report(&what, scene.database.pg(), asked).await;
    let waits = sqlx::query_scalar(WAITS).bind(FIRST);
    let waits = waits.fetch_all(scene.database.pg()).await;
    let (waits, said): (Vec<String>, _) = (waits.expect("an answer"), worker.said());
    let is_prompt = p99 < machine.grants(BOUND);
    assert!(is_prompt, "{p99:?}: {waits:#?}\n{said}");
    end_soundly(&scene, [worker]).await;
}
