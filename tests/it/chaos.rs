//! Three workers, one database, one platform, and everything around them fails.
//!
//! The platform creates and ends restores and asks for their runs; workers are killed, suspended and cut off;
//! the server is killed. Then everything is mended, and after a while each run must have been judged once, as
//! its proof allows, and nothing may be known of what was rolled back.
//!
//! Short in this suite; `tests/chaos` runs the long form. `RECONCILER_TEST_SEED` repeats the choices of a run
//! that failed, though not the moments at which they fell.

mod crew;
pub(crate) mod dice;
mod failover;
mod faults;
mod platform;

use std::collections::BTreeMap;
use std::fmt::Display;
use std::sync::{Arc, Mutex};

use tokio::{sync::watch, time::Instant};

use self::crew::{CONFIG, Crew};
use self::dice::{Dice, seed};
use self::faults::{Amount, cause};
use self::platform::{Books, Platform};
use crate::history::{System, assert_sound};
use crate::support::cluster::{self, environment};
use crate::support::roles::Purpose;
use crate::support::scene::Scene;
use crate::support::time::eventually;

/// How many workers and servers are killed; `tests/chaos` sets them.
const WORKER_KILLS: &str = "RECONCILER_TEST_CHAOS_KILLS";
const SERVER_KILLS: &str = "RECONCILER_TEST_CHAOS_SERVER_KILLS";

const STILL_OPEN: &str =
    "operation_runs WHERE type = 'restore.execute' AND status IN ('queued', 'running')";

/// What there is about the runs that are still open, and about the queue and the sweeps; for a failure's message.
const WHY_OPEN: &str = "
    SELECT format('%s open: restore %s, watched for %s, due in %s s, %s tries, dead %s, jobs %s',
        count(*), restore.status, watch.reason_code,
        min(extract(epoch FROM watch.look_again_at - now())::int), min(attempt.tries),
        bool_or(attempt.dead_at IS NOT NULL), min(job.status))
    FROM operation_runs AS run
    LEFT JOIN restore_runs AS restore ON restore.operation_run_id = run.id
    LEFT JOIN reconciler.watch_list AS watch ON watch.operation_run_id = run.id
    LEFT JOIN reconciler.attempts AS attempt ON attempt.operation_run_id = run.id
    LEFT JOIN apalis.jobs AS job ON job.job_type = 'restore.execute'
        AND convert_from(job.job, 'UTF8')::json ->> 'run' = run.id::text
    WHERE run.status IN ('queued', 'running')
    GROUP BY restore.status, watch.reason_code
    UNION ALL
    SELECT format('%s jobs: %s %s, held by %s, %s tries', count(*), job_type, status, lock_by, max(attempts))
    FROM apalis.jobs GROUP BY job_type, status, lock_by HAVING status <> 'Done'
    UNION ALL
    SELECT format('%s workers: %s, last seen %s s ago', count(*), worker_type,
        min(extract(epoch FROM now() - last_seen)::int))
    FROM apalis.workers GROUP BY worker_type
    UNION ALL
    SELECT format('%s ticks, the last %s s ago', count(*), extract(epoch FROM now() - max(tick_at))::int)
    FROM reconciler.ticks
    UNION ALL
    SELECT format('%s sweeps, the last %s s ago, %s with a page in hand', count(*),
        extract(epoch FROM now() - max(started_at))::int, count(*) FILTER (WHERE in_hand <> '{}'))
    FROM reconciler.sweeps
    UNION ALL
    SELECT format('session %s: %s, %s, %s s in its transaction: %s', application_name, state, wait_event,
        extract(epoch FROM now() - xact_start)::int, left(regexp_replace(query, '\\s+', ' ', 'g'), 80))
    FROM pg_stat_activity WHERE datname = current_database() AND xact_start < now()";

#[tokio::test(flavor = "multi_thread")]
async fn no_run_is_lost_doubled_or_overclaimed_whatever_fails() {
    let number = |name: &str, otherwise: usize| {
        environment(name).map_or(otherwise, |text| text.parse().expect("a number"))
    };
    let amount = Amount {
        worker_kills: number(WORKER_KILLS, 30),
        server_kills: number(SERVER_KILLS, 3),
    };
    let seed = seed();
    let began = Instant::now();
    let report =
        |what: &dyn Display| println!("chaos: {:5.1} s: {what}", began.elapsed().as_secs_f64());
    report(&format_args!("seed {seed}, {amount:?}"));

    let mut dice = Dice::from(seed);
    let cluster = cluster::private();
    cluster.survive_kills().await;
    let scene = Scene::in_database(cluster.database().await, CONFIG).await;
    let cluster = Arc::new(Mutex::new(cluster));
    let crew = Crew::start(scene.url(), &scene.config).await;
    let (stop, told) = watch::channel(false);
    let platform = Platform::new(&scene.url_of(Purpose::Platform), dice.for_another());
    let platform = tokio::spawn(platform.work(told));
    report(&"the platform and three workers are at work");

    cause(amount, dice, &crew, &cluster, report).await;
    stop.send(true).expect("the platform listens");
    let books = platform.await.expect("the platform never fails");
    report(&format_args!("nothing fails any more; {}", summary(&books)));

    until_nothing_is_open(&scene, &crew).await;
    report(&"every run is closed");
    crew.until_ready().await;
    crew.dismiss().await;
    let restarts = crew.restarts();
    report(&format_args!(
        "workers left in peace; {restarts} had to be started again"
    ));

    assert_sound(scene.url(), System::QUIET).await;
    let verdicts = judge_by_the_books(&scene, &books).await;
    assert_nothing_of_what_was_undone(&scene, &books).await;
    report(&format_args!(
        "{} worker kills, {} server kills, {} runs, verdicts {verdicts:?}, 0 lost, 0 duplicates, 0 overclaims, \
         0 dead letters; seed {seed}",
        amount.worker_kills,
        amount.server_kills,
        books.runs.len(),
    ));
}

fn summary(books: &Books) -> String {
    format!(
        "{} runs, {} of them unasked for and {} closed by the platform; {} undone; {} steps repeated",
        books.runs.len(),
        books.unasked,
        books.closed.len(),
        books.undone.len(),
        books.repeated
    )
}

async fn until_nothing_is_open(scene: &Scene, crew: &Crew) {
    let are_closed = async || (scene.number_of(STILL_OPEN).await == 0).then_some(());
    let state = async || {
        let left = sqlx::query_scalar(WHY_OPEN).fetch_all(scene.pg()).await;
        let left: Vec<String> = left.expect("nothing fails any more");
        format!("runs are open\n{}\n{}", left.join("\n"), crew.said().await)
    };
    eventually(are_closed, state).await;
}

/// A run's id, its outcome, who closed it if not we, and our verdict.
type Closed = (i64, String, Option<i64>, Option<String>);

/// Each run that the platform committed has one verdict that its proof allows, or the platform's own.
async fn judge_by_the_books(scene: &Scene, books: &Books) -> BTreeMap<String, usize> {
    let closed: Vec<Closed> = sqlx::query_as(
        "SELECT run.id, run.outcome, run.user_id, entry.outcome
         FROM operation_runs AS run
         LEFT JOIN reconciler.ledger AS entry ON entry.operation_run_id = run.id
         ORDER BY run.id",
    )
    .fetch_all(scene.pg())
    .await
    .expect("nothing fails any more");
    // The runs that are there are those that were committed.
    let there: Vec<&i64> = closed.iter().map(|(run, ..)| run).collect();
    assert_eq!(there, books.runs.keys().collect::<Vec<_>>());
    let mut verdicts = BTreeMap::new();
    for (run, outcome, closed_by, verdict) in closed {
        let ending = books.runs[&run];
        let allowed = ending.verdicts();
        if closed_by.is_some() {
            let is_theirs = books.closed.contains(&run) && verdict.is_none();
            assert!(is_theirs, "run {run}");
        } else {
            assert_eq!(verdict.as_ref(), Some(&outcome), "run {run}");
            let is_allowed = allowed.contains(&outcome.as_str());
            assert!(is_allowed, "run {run}: {ending:?} is {outcome}");
            *verdicts.entry(outcome).or_default() += 1;
        }
    }
    for none in [
        "SELECT count(*) FROM reconciler.attempts WHERE dead_at IS NOT NULL",
        "SELECT count(*) - count(DISTINCT resource_id) FROM audit_logs
         WHERE action = 'operation_run.reconciled'",
        "SELECT count(*) - count(DISTINCT operation_run_id) FROM reconciler.ledger",
    ] {
        assert_eq!(scene.count(none).await, 0, "{none}");
    }
    verdicts
}

/// A transaction that was rolled back has left neither a run nor a job.
async fn assert_nothing_of_what_was_undone(scene: &Scene, books: &Books) {
    assert!(!books.undone.is_empty(), "some were rolled back");
    let left: Vec<(String, i64)> = sqlx::query_as(
        "SELECT 'run', id FROM operation_runs WHERE id = ANY ($1)
         UNION ALL
         SELECT 'verdict', operation_run_id FROM reconciler.ledger WHERE operation_run_id = ANY ($1)
         UNION ALL
         SELECT 'job', run FROM (
             SELECT (convert_from(job, 'UTF8')::json ->> 'run')::bigint AS run
             FROM apalis.jobs WHERE job_type = 'restore.execute'
         ) AS queued
         WHERE run = ANY ($1)",
    )
    .bind(&books.undone)
    .fetch_all(scene.pg())
    .await
    .expect("nothing fails any more");
    assert_eq!(left, [], "of transactions that were rolled back");
    let jobs = "apalis.jobs WHERE job_type = 'restore.execute'";
    let jobs = scene.number_of(jobs).await;
    assert!(jobs > 0, "jobs are kept, so that this can fail");
}
