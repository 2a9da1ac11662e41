//! What works through a pooler, and what needs a way around it.
//!
//! | Through PgBouncer | Follows prepared statements (1.21) | Follows nothing | Session mode |
//! |---|---|---|---|
//! | `migrate`, `doctor`, `sweep`, `explain`, `reconcile` | works | refused, with advice | works |
//! | `reconciler.request` from a platform's transaction | works | works | works |
//! | `work`: jobs, sweeps, take-over | works | refused, with advice | works |
//! | `work`: notices of new jobs | need a way around it | - | work |

use std::{fs, path::PathBuf, time::Duration};

use reconciler_fixtures::Standin;
use reconciler_jobs::ids::RunId;
use reconciler_jobs::restore_execute::Policy;
use restore_reconciler::internals::clock::Stopwatch;
use restore_reconciler::internals::storage::Limits;
use restore_reconciler::internals::storage::reader::{Workspaces, open_reader};
use sqlx::{
    PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
    raw_sql,
};
use tempfile::TempDir;

use crate::contract::READING_WRITES;
use crate::history::{System, assert_sound};
use crate::manual::grants_of_a_worker;
use crate::support::case::{Case, rows_of};
use crate::support::cluster::{TestDatabase, database};
use crate::support::hold::{WAITING, hold};
use crate::support::pooler::{Mode, Pooler};
use crate::support::scene::until_said;
use crate::support::store::Fixture;
use crate::support::time::{Machine, eventually};
use crate::support::worker::{Worker, said_by, stage};

const RUNS: i64 = 300;

/// How soon a notice leads to a verdict, on a machine with processors to spare, and with much to spare itself;
/// without it the queue is looked at each ten seconds.
const WOKEN_WITHIN: Duration = Duration::from_secs(3);

/// What a worker says that hears no notices.
const POLLED: &str = "nobody says when there are new jobs";

/// Sweeps each second, so that some happen; each worker wants more connections than the pooler has.
const SWEEPING: &str = r#"
[sweep]
schedule = "* * * * * *"
batch_runs_max = 20

[worker]
jobs_max = 20
orphan_after = "2s"

[database]
connections_max = 4
"#;

/// Nothing but a notice leads to a run within the time of a test.
const NOTICES_ONLY: &str = r#"
[sweep]
schedule = "0 0 0 1 1 *"

[worker]
poll_interval = "10s"
orphan_after = "30s"

[database]
connections_max = 1
"#;

/// Files that last as long as the test.
struct Files(TempDir);

impl Files {
    fn new() -> Self {
        Self(TempDir::new().expect("a temporary directory"))
    }

    fn config(&self, text: &str) -> PathBuf {
        let file = self.0.path().join("reconciler.toml");
        fs::write(&file, text).expect("a file");
        file
    }
}

async fn plant(url: &str, cases: impl IntoIterator<Item = Case>) {
    Standin::new(url)
        .expect("a URL")
        .plant(&rows_of(cases))
        .await
        .expect("rows can be planted");
}

/// As a platform's process does: in a transaction, on the way it has.
async fn request(through: &PgPool, runs: impl IntoIterator<Item = i64>) {
    for run in runs {
        let mut tx = through.begin().await.expect("a transaction");
        // One message, as from a driver that prepares nothing.
        #[expect(
            clippy::disallowed_methods,
            reason = "what prepares nothing binds nothing, and a number needs no quotes"
        )]
        raw_sql(sqlx::AssertSqlSafe(format!(
            "SELECT reconciler.request({run})"
        )))
        .execute(&mut *tx)
        .await
        .expect("it never fails its caller");
        tx.commit().await.expect("a commit");
    }
}

/// A platform's connections through the pooler.
async fn platform(pooler: &Pooler) -> PgPool {
    let options: PgConnectOptions = pooler.url().parse().expect("a URL");
    PgPoolOptions::new()
        .max_connections(2)
        .connect_with(options.extra_float_digits(None))
        .await
        .expect("the pooler is there")
}

async fn count(pool: &PgPool, query: &'static str) -> i64 {
    sqlx::query_scalar(query)
        .fetch_one(pool)
        .await
        .expect("an answer")
}

/// Waits until a query's answer is at least `least`.
async fn until(pool: &PgPool, query: &'static str, least: i64, workers: &[&Worker]) {
    let reached = async || (count(pool, query).await >= least).then_some(());
    let state = async || {
        let said: String = workers.iter().map(|worker| worker.said()).collect();
        let now = count(pool, query).await;
        format!("{query}: {now}, not {least}\n{said}")
    };
    eventually(reached, state).await;
}

async fn end(worker: Worker) {
    let (code, said) = worker.terminate().await;
    assert_eq!(code, Some(0), "{said}");
}

fn expect_started<E: std::fmt::Display>(worker: Result<Worker, E>) -> Worker {
    worker.unwrap_or_else(|why| panic!("{why}"))
}

const VERDICTS: &str = "SELECT count(*) FROM reconciler.ledger";
const BY_REQUEST: &str = "SELECT count(*) FROM reconciler.ledger WHERE source = 'request'";
const TICKS: &str = "SELECT count(*) FROM reconciler.ticks";
const TAKEN: &str = "SELECT count(*) FROM apalis.jobs WHERE status IN ('Queued', 'Running')";
const UNFINISHED: &str = "SELECT -count(*) FROM apalis.jobs WHERE status <> 'Done'";

#[tokio::test(flavor = "multi_thread")]
async fn workers_share_a_pooler_of_few_connections_and_one_may_die() {
    let (database, files) = (database().await, Files::new());
    let pool = stage(&database.url()).await;
    let config = files.config(SWEEPING);
    plant(&database.url(), (1..=RUNS).map(Case::proven)).await;
    let held = hold(&database.url(), 1).await;

    let pooler = Pooler::before(&database.url(), Mode::Transaction, 5).await;
    request(&platform(&pooler).await, 1..=RUNS).await;
    // What a worker says at its start, before hundreds of verdicts.
    let killed = expect_started(Worker::start(&pooler.url(), Some(&config)).await);
    until_said(&killed, POLLED).await;
    let said = killed.said();
    assert!(said.contains("RECONCILER_LISTEN_URL"), "{said}");
    until(&pool, TAKEN, 1, &[&killed]).await;
    until(&pool, WAITING, 1, &[&killed]).await;
    killed.kill().await;
    let one = expect_started(Worker::start(&pooler.url(), Some(&config)).await);
    let two = expect_started(Worker::start(&pooler.url(), Some(&config)).await);
    held.let_go().await;

    until(&pool, VERDICTS, RUNS, &[&one, &two]).await;
    let ticks = count(&pool, TICKS).await;
    until(&pool, TICKS, ticks + 2, &[&one, &two]).await;
    until(&pool, UNFINISHED, 0, &[&one, &two]).await;
    end(one).await;
    end(two).await;
    assert_eq!(count(&pool, VERDICTS).await, RUNS);
    assert_sound(&database.url(), System::QUIET).await;
    assert!(
        !pooler.log().contains("prepared statement"),
        "{}",
        pooler.log()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn notices_take_the_way_around_the_pooler() {
    let (database, files) = (database().await, Files::new());
    let pool = stage(&database.url()).await;
    let pooler = Pooler::before(&database.url(), Mode::Transaction, 3).await;
    let config = files.config(NOTICES_ONLY);
    let direct = database.url();
    let worker = Worker::start_listening(&pooler.url(), &direct, &config).await;
    woken_by_a_request(&database, &pool, &pooler, expect_started(worker)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn in_session_mode_everything_works_as_without_a_pooler() {
    let (database, files) = (database().await, Files::new());
    let pool = stage(&database.url()).await;
    let pooler = Pooler::before(&database.url(), Mode::Session, 8).await;
    let config = files.config(NOTICES_ONLY);
    let worker = expect_started(Worker::start(&pooler.url(), Some(&config)).await);
    woken_by_a_request(&database, &pool, &pooler, worker).await;
}

/// A run that is asked for gets its verdict long before anybody would look by himself.
async fn woken_by_a_request(
    database: &TestDatabase,
    pool: &PgPool,
    pooler: &Pooler,
    worker: Worker,
) {
    // Those that were there before the worker began to listen are found at its start.
    plant(&database.url(), (1..=5).map(Case::proven)).await;
    let platform = platform(pooler).await;
    request(&platform, 1..=1).await;
    until(pool, VERDICTS, 1, &[&worker]).await;
    let machine = Machine::watch();
    for run in 2..=5 {
        let asked = Stopwatch::start();
        request(&platform, run..=run).await;
        until(pool, VERDICTS, run, &[&worker]).await;
        let is_woken = asked.elapsed() < machine.grants(WOKEN_WITHIN);
        assert!(is_woken, "polled, not woken:\n{}", worker.said());
    }
    assert!(!worker.said().contains(POLLED), "{}", worker.said());
    assert_eq!(count(pool, BY_REQUEST).await, 5);
    end(worker).await;
    assert_sound(&database.url(), System::QUIET).await;
}

/// Migrates, and takes one run through every verb that a person calls.
async fn verbs_work(url: &str) {
    let said = async |verb: &'static [&'static str], code: i32| {
        let (ended, said) = said_by(url, verb).await;
        assert_eq!(ended, Some(code), "{verb:?}: {said}");
        said
    };
    assert!(said(&["migrate"], 0).await.contains("nothing was changed"));
    let standin = Standin::new(url).expect("a URL");
    standin
        .plant(&crate::support::case::world())
        .await
        .expect("the world");
    let cases = [Case::proven(101), Case::proven(102)];
    standin.plant(&rows_of(cases)).await.expect("runs");
    let examined = said(&["doctor"], 0).await;
    assert!(examined.contains("problems: 0"), "{examined}");
    said(&["sweep", "--dry-run"], 0).await;
    assert!(
        said(&["explain", "101"], 0)
            .await
            .contains("restore.proof_complete")
    );
    said(&["reconcile", "101"], 0).await;
    let swept = said(&["sweep"], 0).await;
    assert!(swept.contains('1'), "{swept}");
    let nobody = said(&["sweep"], 0).await;
    assert_ne!(swept, nobody);
}

/// Migrates twice at the same time, so that each transaction gets a connection that others had.
async fn verbs_work_through(mode: Mode) {
    let database = database().await;
    let standin = Standin::new(&database.url()).expect("a URL");
    standin.install().await.expect("the stand-in");
    let pooler = Pooler::before(&database.url(), mode, 6).await;
    let (url, migrate) = (pooler.url(), ["migrate"]);
    let both = tokio::join!(said_by(&url, &migrate), said_by(&url, &migrate));
    for (code, said) in [both.0, both.1] {
        assert_eq!(code, Some(0), "{said}");
    }
    let pool = PgPool::connect(&database.url())
        .await
        .expect("the server is there");
    let locks = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'
                 AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    assert_eq!(
        count(&pool, locks).await,
        0,
        "left behind in the pooler's sessions"
    );
    verbs_work(&url).await;
    assert_sound(&database.url(), System::QUIET).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn verbs_keep_nothing_in_a_session() {
    verbs_work_through(Mode::Transaction).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn verbs_work_in_session_mode() {
    verbs_work_through(Mode::Session).await;
}

/// Where a pooler takes no settings with a connection, each transaction of a reader still is one that cannot write,
/// and others who get the same sessions can.
async fn a_reader_looks_through(mode: Mode) {
    let on = Fixture::postgres().await;
    let pooler = Pooler::before(&on.url, mode, 8).await;
    on.plant([Case::proven(1)]).await;
    let reader = open_reader(&pooler.url(), &Limits::default()).await;
    let reader = reader.expect("a pooler is no obstacle");
    let policy = Policy::default();
    let look = || reader.load_run(&Workspaces::All, RunId(1), &policy);
    assert!(look().await.expect("an answer").is_some());
    on.execute(READING_WRITES).await;
    let refused = look().await.expect_err("no answer").to_string();
    assert!(refused.contains("read-only transaction"), "{refused}");
    sqlx::query("UPDATE operation_runs SET outcome = outcome")
        .execute(&platform(&pooler).await)
        .await
        .expect("a write");
}

#[tokio::test]
async fn a_reader_looks_through_a_pooler_in_session_mode() {
    a_reader_looks_through(Mode::Session).await;
}

#[tokio::test]
async fn a_reader_looks_through_a_pooler_in_transaction_mode() {
    a_reader_looks_through(Mode::Transaction).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pooler_that_mixes_up_statements_is_named_as_the_cause() {
    let (database, files) = (database().await, Files::new());
    let pool = stage(&database.url()).await;
    plant(&database.url(), [Case::proven(1)]).await;
    let pooler = Pooler::before(&database.url(), Mode::TransactionOnly, 1).await;
    let advice = "max_prepared_statements above 0";
    for verb in ["sweep", "doctor", "migrate"] {
        let (first, _) = said_by(&pooler.url(), &[verb]).await;
        let (second, said) = said_by(&pooler.url(), &[verb]).await;
        assert!(first != Some(0) || second != Some(0), "{verb}: {said}");
        assert!(said.contains(advice), "{verb}: {said}");
    }
    let config = files.config(SWEEPING);
    let worker = expect_started(Worker::start(&pooler.url(), Some(&config)).await);
    let (code, said) = worker.ended().await;
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains(advice), "{said}");
    // What prepares nothing gets through: a platform can ask.
    request(&platform(&pooler).await, [1]).await;
    assert_eq!(count(&pool, "SELECT count(*) FROM apalis.jobs").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_hears_nothing_leaves_no_ear_in_the_poolers_sessions() {
    const SESSIONS: u32 = 3;
    let (database, files) = (database().await, Files::new());
    stage(&database.url()).await;
    let pooler = Pooler::before(&database.url(), Mode::Transaction, SESSIONS).await;
    let config = files.config(NOTICES_ONLY);
    let worker = expect_started(Worker::start(&pooler.url(), Some(&config)).await);
    until_said(&worker, POLLED).await;
    end(worker).await;
    // Whoever had such a session would get notices in the middle of his statements.
    let mut all = Vec::new();
    for _ in 0..SESSIONS {
        let through = platform(&pooler).await;
        let mut tx = through.begin().await.expect("a session");
        let ears: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM pg_listening_channels() AS channel
             WHERE channel = 'reconciler_wake'",
        )
        .fetch_one(&mut *tx)
        .await
        .expect("an answer");
        assert_eq!(ears, 0);
        all.push(tx); // keeps its session, so that the next gets another
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_and_a_platform_need_no_more_than_the_manual_grants() {
    let (database, files) = (database().await, Files::new());
    let pool = stage(&database.url()).await;
    let [worker, platform] =
        ["worker", "platform"].map(|name| format!("{name}_{}", database.name()));
    // What is everybody's unless somebody takes it away is taken away.
    let roles = format!(
        "REVOKE ALL ON SCHEMA public FROM PUBLIC; REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA reconciler FROM PUBLIC;
         CREATE ROLE {worker} LOGIN; CREATE ROLE {platform} LOGIN; GRANT USAGE ON SCHEMA public TO {platform};"
    );
    let grants = grants_of_a_worker();
    assert!(
        grants.contains(" TO reconciler;") && grants.contains(" TO platform;"),
        "{grants}"
    );
    let grants = grants
        .replace(" TO reconciler;", &format!(" TO {worker};"))
        .replace(" TO platform;", &format!(" TO {platform};"));
    execute(&pool, roles).await;
    let as_role = |role: &str| {
        database
            .url()
            .replacen("reconciler@", &format!("{role}@"), 1)
    };
    let config = files.config(SWEEPING);
    let refused = said_by(&as_role(&worker), &["sweep"]).await;
    assert_eq!(refused.0, Some(1), "{}", refused.1);
    execute(&pool, grants.clone()).await;
    let (code, said) = said_by(&as_role(&worker), &["doctor"]).await;
    assert_eq!(code, Some(0), "{said}");

    plant(
        &database.url(),
        [Case::proven(1), Case::proven(2), Case::in_progress(3)],
    )
    .await;
    let working = expect_started(Worker::start(&as_role(&worker), Some(&config)).await);
    let asking = PgPool::connect(&as_role(&platform))
        .await
        .expect("a role that may log in");
    request(&asking, 1..=3).await;
    until(&pool, VERDICTS, 2, &[&working]).await;
    let ticks = count(&pool, TICKS).await;
    until(&pool, TICKS, ticks + 2, &[&working]).await;
    until(&pool, UNFINISHED, 0, &[&working]).await;
    let said = working.said();
    assert!(
        !said.contains("permission denied") && !said.contains(POLLED),
        "{said}"
    );
    end(working).await;
    assert_sound(&database.url(), System::Busy).await;
    asking.close().await;
    execute(
        &pool,
        format!("DROP OWNED BY {worker}, {platform}; DROP ROLE {worker}, {platform}"),
    )
    .await;
}

#[expect(
    clippy::disallowed_methods,
    reason = "names of roles cannot be bound, and each is made in this file"
)]
async fn execute(pool: &PgPool, script: String) {
    raw_sql(sqlx::AssertSqlSafe(script.clone()))
        .execute(pool)
        .await
        .expect(&script);
}
