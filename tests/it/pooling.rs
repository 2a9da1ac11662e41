//! What works through a pooler, and what needs a way around it.
//!
//! | Through PgBouncer | Follows prepared statements (1.21) | Follows nothing | Session mode |
//! |---|---|---|---|
//! | `migrate`, `doctor`, `sweep`, `explain`, `reconcile` | works | refused, with advice | works |
//! | `reconciler.request` from a platform's transaction | works | works | works |
//! | `work`: jobs, sweeps, take-over | works | refused, with advice | works |
//! | `work`: notices of new jobs | need a way around it | - | work |

use std::time::Duration;

use reconciler_fixtures::Standin;
use reconciler_jobs::ids::RunId;
use reconciler_jobs::restore_execute::Policy;
use restore_reconciler::internals::clock::Stopwatch;
use restore_reconciler::internals::storage::Limits;
use restore_reconciler::internals::storage::reader::{Workspaces, open_reader};
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::raw_sql;

use crate::contract::READING_WRITES;
use crate::history::{System, assert_sound};
use crate::manual::grants;
use crate::support::case::{Case, rows_of, world};
use crate::support::hold::WAITING;
use crate::support::pooler::{Mode, Pooler};
use crate::support::roles::{Purpose, as_role};
use crate::support::scene::{IN_HAND, Scene, TICKS, dismiss, until_said};
use crate::support::store::Fixture;
use crate::support::time::Machine;
use crate::support::worker::{Worker, said_by};

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
    let url = Purpose::Platform.url(&pooler.url());
    let options: PgConnectOptions = url.parse().expect("a URL");
    let options = options.extra_float_digits(None);
    let pool = PgPoolOptions::new()
        .max_connections(2)
        .connect_with(options);
    pool.await.expect("the pooler is there")
}

const BY_REQUEST: &str = "SELECT count(*) FROM reconciler.ledger WHERE source = 'request'";
const UNFINISHED: &str = "SELECT count(*) FROM apalis.jobs WHERE status <> 'Done'";

/// A worker sweeps twice more, and finishes all jobs.
async fn goes_on(scene: &Scene, worker: &Worker) {
    let ticks = scene.count(TICKS).await;
    scene.until_least(TICKS, ticks + 2, worker).await;
    scene.until(UNFINISHED, 0, worker).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_share_a_pooler_of_few_connections_and_one_may_die() {
    let scene = Scene::new(SWEEPING).await;
    scene.plant((1..=RUNS).map(Case::proven)).await;
    let held = scene.hold(1).await;

    let pooler = Pooler::before(scene.url(), Mode::Transaction, 5).await;
    request(&platform(&pooler).await, 1..=RUNS).await;
    // What a worker says at its start, before hundreds of verdicts.
    let killed = scene.unready_at(&pooler.url()).await;
    until_said(&killed, POLLED).await;
    let said = killed.said();
    assert!(said.contains("RECONCILER_LISTEN_URL"), "{said}");
    scene.until_least(IN_HAND, 1, &killed).await;
    scene.until_least(WAITING, 1, &killed).await;
    killed.kill().await;
    let one = scene.unready_at(&pooler.url()).await;
    let two = scene.unready_at(&pooler.url()).await;
    held.let_go().await;

    scene.verdicts(RUNS, &one).await;
    goes_on(&scene, &two).await;
    dismiss(one).await;
    dismiss(two).await;
    scene.assert_one_of_each(RUNS).await;
    assert_sound(scene.url(), System::QUIET).await;
    let log = pooler.log();
    assert!(!log.contains("prepared statement"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn notices_take_the_way_around_the_pooler() {
    let scene = Scene::new(NOTICES_ONLY).await;
    let pooler = Pooler::before(scene.url(), Mode::Transaction, 3).await;
    let worker = Worker::start_listening(&pooler.url(), scene.url(), &scene.config).await;
    let worker = worker.unwrap_or_else(|why| panic!("{why}"));
    woken_by_a_request(&scene, &pooler, worker).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn in_session_mode_everything_works_as_without_a_pooler() {
    let scene = Scene::new(NOTICES_ONLY).await;
    let pooler = Pooler::before(scene.url(), Mode::Session, 8).await;
    let worker = scene.unready_at(&pooler.url()).await;
    woken_by_a_request(&scene, &pooler, worker).await;
}

/// A run that is asked for gets its verdict long before anybody would look by himself.
async fn woken_by_a_request(scene: &Scene, pooler: &Pooler, worker: Worker) {
    // Those that were there before the worker began to listen are found at its start.
    scene.plant((1..=5).map(Case::proven)).await;
    let platform = platform(pooler).await;
    request(&platform, 1..=1).await;
    scene.verdicts(1, &worker).await;
    let machine = Machine::watch();
    for run in 2..=5 {
        let asked = Stopwatch::start();
        request(&platform, run..=run).await;
        scene.verdicts(run, &worker).await;
        let is_woken = asked.elapsed() < machine.grants(WOKEN_WITHIN);
        assert!(is_woken, "polled, not woken:\n{}", worker.said());
    }
    assert!(!worker.said().contains(POLLED), "{}", worker.said());
    assert_eq!(scene.count(BY_REQUEST).await, 5);
    dismiss(worker).await;
    assert_sound(scene.url(), System::QUIET).await;
}

/// Migrates, and takes one run through every verb that a person calls.
async fn verbs_work(url: &str) {
    let said = async |verb: &'static [&'static str], code: i32| {
        let (ended, said) = said_by(url, verb).await;
        assert_eq!(ended, Some(code), "{verb:?}: {said}");
        said
    };
    assert!(said(&["migrate"], 0).await.contains("nothing was changed"));
    let standin = Standin::new(&Purpose::Platform.url(url)).expect("a URL");
    standin.plant(&world()).await.expect("the world");
    let runs = rows_of([101, 102].map(Case::proven));
    standin.plant(&runs).await.expect("runs");
    let examined = said(&["doctor"], 0).await;
    assert!(examined.contains("problems: 0"), "{examined}");
    said(&["sweep", "--dry-run"], 0).await;
    let explained = said(&["explain", "101"], 0).await;
    assert!(explained.contains("restore.proof_complete"), "{explained}");
    said(&["reconcile", "101"], 0).await;
    let swept = said(&["sweep"], 0).await;
    assert!(swept.contains('1'), "{swept}");
    let nobody = said(&["sweep"], 0).await;
    assert_ne!(swept, nobody);
}

/// Migrates twice at the same time, so that each transaction gets a connection that others had.
#[tokio::test(flavor = "multi_thread")]
async fn verbs_keep_nothing_in_a_session() {
    for mode in [Mode::Transaction, Mode::Session] {
        let on = Fixture::empty_postgres().await;
        on.install().await;
        let pooler = Pooler::before(&on.url, mode, 6).await;
        let (url, migrate) = (pooler.url(), ["migrate"]);
        let both = tokio::join!(said_by(&url, &migrate), said_by(&url, &migrate));
        for (code, said) in [both.0, both.1] {
            assert_eq!(code, Some(0), "{said}");
        }
        let locks = "pg_locks WHERE locktype = 'advisory'
                     AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
        let locks = on.number_of(locks).await;
        assert_eq!(locks, 0, "left behind in the pooler's sessions");
        on.grant().await;
        verbs_work(&url).await;
        assert_sound(&on.url, System::QUIET).await;
    }
}

/// Where a pooler takes no settings with a connection, each transaction of a reader still is one that cannot write,
/// and others who get the same sessions can.
#[tokio::test]
async fn a_reader_looks_through_a_pooler() {
    for mode in [Mode::Session, Mode::Transaction] {
        let on = Fixture::postgres().await;
        let pooler = Pooler::before(&on.url, mode, 8).await;
        on.plant([Case::proven(1)]).await;
        let reader = open_reader(&Purpose::Console.url(&pooler.url()), &Limits::default()).await;
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
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pooler_that_mixes_up_statements_is_named_as_the_cause() {
    let scene = Scene::new(SWEEPING).await;
    scene.plant([Case::proven(1)]).await;
    let pooler = Pooler::before(scene.url(), Mode::TransactionOnly, 1).await;
    let advice = "max_prepared_statements above 0";
    for verb in ["sweep", "doctor", "migrate"] {
        let (first, _) = said_by(&pooler.url(), &[verb]).await;
        let (second, said) = said_by(&pooler.url(), &[verb]).await;
        assert!(first != Some(0) || second != Some(0), "{verb}: {said}");
        assert!(said.contains(advice), "{verb}: {said}");
    }
    let worker = scene.unready_at(&pooler.url()).await;
    until_said(&worker, advice).await;
    dismiss(worker).await;
    // What prepares nothing gets through: a platform can ask.
    request(&platform(&pooler).await, [1]).await;
    assert_eq!(scene.number_of("apalis.jobs").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_hears_nothing_leaves_no_ear_in_the_poolers_sessions() {
    const SESSIONS: u32 = 3;
    let scene = Scene::new(NOTICES_ONLY).await;
    let pooler = Pooler::before(scene.url(), Mode::Transaction, SESSIONS).await;
    let worker = scene.unready_at(&pooler.url()).await;
    until_said(&worker, POLLED).await;
    dismiss(worker).await;
    // Whoever had such a session would get notices in the middle of his statements.
    let mut all = Vec::new();
    for _ in 0..SESSIONS {
        let through = platform(&pooler).await;
        let mut tx = through.begin().await.expect("a session");
        let ears = "SELECT count(*) FROM pg_listening_channels() AS channel
                    WHERE channel = 'reconciler_wake'";
        let ears = sqlx::query_scalar(ears).fetch_one(&mut *tx).await;
        assert_eq!(ears.ok(), Some(0_i64));
        all.push(tx); // keeps its session, so that the next gets another
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_and_a_platform_need_no_more_than_the_manual_grants() {
    let scene = Scene::new(SWEEPING).await;
    let database = scene.value("SELECT current_database()").await.unwrap();
    let [worker, platform] = ["worker", "platform"].map(|name| format!("{name}_{database}"));
    let roles = format!("CREATE ROLE {worker} LOGIN; CREATE ROLE {platform} LOGIN");
    // What is everybody's unless somebody takes it away is taken away.
    let closed = format!(
        "REVOKE ALL ON SCHEMA public FROM PUBLIC; REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA reconciler FROM PUBLIC;
         GRANT USAGE ON SCHEMA public TO {platform};"
    );
    let mut grants = ["worker", "platform"].map(grants).concat();
    for (named, role) in [("reconciler", &worker), ("platform", &platform)] {
        let named = format!(" TO {named};");
        assert!(grants.contains(&named), "{grants}");
        grants = grants.replace(&named, &format!(" TO {role};"));
    }
    scene.execute_as_superuser(&roles).await;
    scene.execute(&closed).await;
    let as_role = |role: &str| as_role(scene.url(), role);
    let refused = said_by(&as_role(&worker), &["sweep"]).await;
    assert_eq!(refused.0, Some(1), "{}", refused.1);
    scene.execute(&grants).await;
    let (code, said) = said_by(&as_role(&worker), &["doctor"]).await;
    assert_eq!(code, Some(0), "{said}");

    scene.plant([1, 2].map(Case::proven)).await;
    scene.plant([Case::in_progress(3)]).await;
    let working = scene.unready_at(&as_role(&worker)).await;
    let asking = PgPool::connect(&as_role(&platform)).await;
    let asking = asking.expect("a role that may log in");
    request(&asking, 1..=3).await;
    scene.verdicts(2, &working).await;
    goes_on(&scene, &working).await;
    let said = working.said();
    assert!(!said.contains("permission denied"), "{said}");
    assert!(!said.contains(POLLED), "{said}");
    dismiss(working).await;
    assert_sound(scene.url(), System::Busy).await;
    asking.close().await;
    scene
        .execute_as_superuser(&format!(
            "DROP OWNED BY {worker}, {platform}; DROP ROLE {worker}, {platform}"
        ))
        .await;
}
