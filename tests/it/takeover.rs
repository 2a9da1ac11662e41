//! How soon a run gets its verdict from somebody else when the worker that was settling it is killed.
//!
//! The settlement of each run is held, so that a worker is surely killed between its first write and its commit.
//! Who that is, the server tells: every worker of a lane has a role of its own. Lanes do the same beside each other, each in its own database, because nearly all of the
//! time passes in waiting.

use std::{fs, path::Path, time::Duration};

use reconciler_fixtures::Standin;
use sqlx::PgPool;
use tempfile::TempDir;
use tokio::{
    task::JoinSet,
    time::{Instant, interval, timeout},
};

use crate::support::case::{Case, rows_of};
use crate::support::cluster::{self, Cluster};
use crate::support::hold::hold;
use crate::support::roles::{Purpose, as_role};
use crate::support::time::{Machine, POLL, TIMEOUT};
use crate::support::worker::{Worker, stage};

const KILLS: i64 = 50;
const LANES: i64 = 4;
/// In each lane: one to be killed, and another.
const WORKERS: [&str; 2] = ["one", "two"];

/// What is promised, on a machine with processors to spare.
const P99: Duration = Duration::from_secs(5);

/// Lanes share one server, and sweeps must not be what finds a run.
const CONFIG: &str = r#"
[sweep]
schedule = "0 0 0 1 1 *"

[worker]
orphan_after = "3s"

[database]
connections_max = 2
"#;

/// One for each worker of a lane.
const ROLES: &str =
    "CREATE ROLE one LOGIN IN ROLE reconciler; CREATE ROLE two LOGIN IN ROLE reconciler";

/// Who waits for lock N. A low half of it is all of a small number.
const WHO_WAITS: &str = "
    SELECT session.usename::text
    FROM pg_locks AS lock JOIN pg_stat_activity AS session USING (pid)
    WHERE lock.locktype = 'advisory' AND NOT lock.granted AND lock.objid::bigint = $1
      AND session.datname = current_database()";

const VERDICT: &str = "SELECT worker FROM reconciler.ledger WHERE operation_run_id = $1";

#[tokio::test(flavor = "multi_thread")]
async fn a_run_in_hand_of_a_killed_worker_is_settled_by_another_within_seconds() {
    let cluster = cluster::private();
    let directory = TempDir::new().expect("a temporary directory");
    let config = directory.path().join("reconciler.toml");
    fs::write(&config, CONFIG).expect("a file");

    let machine = Machine::watch();
    let mut lanes = JoinSet::new();
    let mut databases = Vec::new();
    for lane in 0..LANES {
        let database = prepared(&cluster, lane == 0).await;
        let (url, config) = (database.url(), config.clone());
        databases.push(database);
        lanes.spawn(async move {
            let runs = (1..=KILLS).filter(|run| run % LANES == lane);
            take_over(&url, &config, runs).await
        });
    }
    let mut waits: Vec<Duration> = lanes.join_all().await.concat();

    waits.sort_unstable();
    assert_eq!(waits.len(), 50);
    let at = |percent: usize| waits[(waits.len() * percent).div_ceil(100) - 1];
    let (p50, p99, max) = (at(50), at(99), at(100));
    println!("takeover: {KILLS} kills, p50 {p50:.2?}, p99 {p99:.2?}, max {max:.2?}");
    assert!(p99 < machine.grants(P99), "p99 {p99:?}: {waits:?}");
}

/// The first one has the roles made, too.
async fn prepared(cluster: &Cluster, is_first: bool) -> cluster::TestDatabase {
    let database = cluster.database().await;
    stage(&database.url()).await.close().await;
    if is_first {
        cluster.execute(ROLES).await;
    }
    database
}

/// Kills whoever settles each of these runs, and measures how long the other takes to do it instead.
async fn take_over(url: &str, config: &Path, runs: impl Iterator<Item = i64>) -> Vec<Duration> {
    let pool = PgPool::connect(&Purpose::Engineer.url(url))
        .await
        .expect("the server is there");
    let standin = Standin::new(&Purpose::Platform.url(url)).expect("a URL");
    let start = async |name: &str| {
        Worker::start(&as_role(url, name), Some(config))
            .await
            .unwrap_or_else(|why| panic!("{why}"))
    };
    let mut workers = [start(WORKERS[0]).await, start(WORKERS[1]).await];
    let mut waits = Vec::new();
    for run in runs {
        let held = hold(url, run).await;
        // Complete proof, and no way to a verdict within the time of this test but the request.
        let rows = rows_of([Case::proven(run)]);
        standin.plant(&rows).await.expect("rows can be planted");
        request(&pool, run).await;

        let inside = poll(&pool, WHO_WAITS, run, &workers).await;
        let inside = WORKERS.iter().position(|name| *name == inside);
        let inside = inside.expect("one of ours");
        let [one, two] = workers;
        let (killed, other) = if inside == 0 { (one, two) } else { (two, one) };
        killed.kill().await;
        let began = Instant::now();
        held.let_go().await;
        let settled: Option<String> = sqlx::query_scalar(VERDICT)
            .bind(run)
            .fetch_optional(&pool)
            .await
            .expect("an answer");
        assert_eq!(settled, None, "the killed one has committed nothing");
        poll(&pool, VERDICT, run, std::slice::from_ref(&other)).await;
        waits.push(began.elapsed());
        let next = start(WORKERS[inside]).await;
        workers = if inside == 0 {
            [next, other]
        } else {
            [other, next]
        };
    }
    for worker in workers {
        let (code, said) = worker.terminate().await;
        assert_eq!(code, Some(0), "a worker that was told to stop\n{said}");
    }
    waits
}

async fn request(pool: &PgPool, run: i64) {
    let queued: bool = sqlx::query_scalar("SELECT reconciler.request($1)")
        .bind(run)
        .fetch_one(pool)
        .await
        .expect("an answer");
    assert!(queued, "run {run}");
}

/// The first answer of a query about a run, as soon as there is one.
async fn poll(pool: &PgPool, query: &'static str, run: i64, workers: &[Worker]) -> String {
    let asked = async {
        let mut looks = interval(POLL);
        loop {
            looks.tick().await;
            let asked = sqlx::query_scalar(query).bind(run).fetch_optional(pool);
            if let Some(answer) = asked.await.expect("an answer") {
                return answer;
            }
        }
    };
    timeout(TIMEOUT, asked).await.unwrap_or_else(|_| {
        let said: String = workers.iter().map(Worker::said).collect();
        panic!("run {run}: no answer to {query}\n{said}")
    })
}
