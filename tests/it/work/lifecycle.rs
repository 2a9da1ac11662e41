//! How a worker begins, is told to stop, and outlasts its database.

use std::time::Duration;

use restore_reconciler::internals::clock::Stopwatch;
use rustix::process::Signal;
use tokio::time::{interval, timeout};

use reconciler_fixtures::plant_within;

use super::rights::until_told;
use super::{LATEST_BEAT, end_soundly, settle_the_rest};
use crate::support::case::{Case, rows_of};
use crate::support::cluster;
use crate::support::hold::WAITING;
use crate::support::proxy::Proxy;
use crate::support::scene::{
    DONE, IN_HAND, NO_SWEEPS, OPEN, OPEN_JOBS, SWEEPS, Scene, TICKS, VERDICTS, dismiss,
    until_answered, until_ready, until_said,
};
use crate::support::time::{Machine, TIMEOUT, eventually};
use crate::support::worker::{Worker, said_by};

/// How soon a worker is ready once its database is there, on a machine with processors to spare.
const RECOVERY: Duration = Duration::from_secs(2);
/// Longer than a loop may be silent in a process that is live.
const LONG: Duration = Duration::from_secs(18);
/// How long a worker that was told to stop finishes what it has in hand.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(20);
/// How long a signal that follows the first is taken for the same wish.
const SAME_WISH: Duration = Duration::from_millis(250);
/// Names under which jobs are taken.
const NAMES: &str =
    "SELECT count(DISTINCT id) FROM apalis.workers WHERE worker_type = 'restore.execute'";
/// Ends the sessions of all workers.
const CUT_OFF: &str = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND application_name = 'restore-reconciler'";
const ATTEMPTS: &str = "SELECT count(*) FROM reconciler.attempts";
const PROBE_EVERY: Duration = Duration::from_millis(100);

#[tokio::test(flavor = "multi_thread")]
async fn told_to_stop_it_finishes_what_is_in_hand() {
    for signal in [Signal::TERM, Signal::INT] {
        let scene = Scene::new(NO_SWEEPS).await;
        let worker = scene.worker().await;
        scene.plant_proven(1, 100, 1, 1).await;
        let held = scene.hold(50).await;
        scene.request(1..=100).await;
        scene.until(WAITING, 1, &worker).await;
        let in_hand = scene.count(IN_HAND).await;
        assert!(in_hand > 0, "one of them waits for the lock");

        worker.tell(signal);
        until_answered(&worker, "/readyz", 503).await;
        assert_eq!(worker.probe("/livez").await.0, 200, "until its end");
        held.let_go().await;
        let (code, said) = worker.ended().await;
        assert_eq!(code, Some(0), "{signal:?}\n{said}");
        // What the database's driver says of the look that was dropped is no trouble of ours.
        let is_troubled = said.contains("WARN restore_reconciler");
        assert!(!is_troubled, "it ends in peace\n{said}");
        assert_eq!(scene.count(IN_HAND).await, 0, "{signal:?}\n{said}");
        assert!(scene.count(DONE).await >= in_hand, "{signal:?}\n{said}");

        settle_the_rest(&scene).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn told_to_stop_twice_it_ends_at_once() {
    for (signal, code) in [(Signal::TERM, 143), (Signal::INT, 130)] {
        let scene = Scene::new(NO_SWEEPS).await;
        let mut worker = scene.worker().await;
        scene.plant_proven(1, 1, 1, 1).await;
        let held = scene.hold(1).await;
        scene.request([1]).await;
        scene.until(WAITING, 1, &worker).await;
        let since = Stopwatch::start();
        worker.tell(signal);
        until_said(&worker, "stopping: what is in hand is finished").await;
        // Again and again: those of the first moment are the same wish as the first.
        let mut again = interval(PROBE_EVERY);
        while !worker.has_ended() {
            again.tick().await;
            worker.tell(signal);
        }
        assert!(since.elapsed() >= SAME_WISH, "{}", worker.said());
        let (ended, said) = worker.ended().await;
        assert_eq!(ended, Some(code), "{said}");
        assert!(said.contains("told to stop once more"), "{said}");
        assert!(since.elapsed() < DRAIN_TIMEOUT, "it waited for the lock");
        held.let_go().await;
        settle_the_rest(&scene).await;
    }
}

/// The log filter is read again, what is broken changes nothing, and work goes on.
#[tokio::test(flavor = "multi_thread")]
async fn told_to_read_its_settings_again_a_worker_goes_on_by_them() {
    let scene = Scene::new(NO_SWEEPS).await;
    let worker = scene.worker().await;
    until_ready(&worker).await;
    let settings = std::fs::read_to_string(&scene.config).unwrap();
    let again = async |text: &str, said: &str| {
        std::fs::write(&scene.config, text).unwrap();
        worker.tell(Signal::HUP);
        until_said(&worker, said).await;
    };
    again("[worker", "SIGHUP: the configuration cannot be used").await;
    let debug = settings.replace("\"info,", "\"debug,");
    assert_ne!(debug, settings);
    again(&debug, "SIGHUP: tokens and the log filter were read again").await;
    scene.plant_proven(1, 1, 1, 1).await;
    scene.request(1..=1).await;
    scene.until(VERDICTS, 1, &worker).await;
    until_said(&worker, "DEBUG").await;
    dismiss(worker).await;
}

/// As `nohup` starts what is to outlive a terminal.
#[tokio::test(flavor = "multi_thread")]
async fn a_signal_that_was_ignored_from_the_start_ends_nothing() {
    let scene = Scene::new(NO_SWEEPS).await;
    let worker = Worker::start_with_hangup_ignored(scene.url(), &scene.config).await;
    let worker = worker.unwrap_or_else(|why| panic!("{why}"));
    until_ready(&worker).await;
    worker.tell(Signal::HUP);
    // It is delivered before this one, which is told to it later.
    worker.tell(Signal::USR1);
    until_said(&worker, "log level: debug").await;
    assert_eq!(worker.probe("/readyz").await.0, 200, "{}", worker.said());
    assert!(!worker.said().contains("SIGHUP"), "{}", worker.said());
    dismiss(worker).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn told_to_stop_at_any_moment_it_keeps_no_job() {
    let scene = Scene::new(NO_SWEEPS).await;
    for round in 0..15 {
        let worker = scene.worker().await;
        let first = round * 100 + 1;
        scene.plant_proven(first, first + 99, 1, 1).await;
        scene.request(first..=first + 99).await;
        dismiss(worker).await;
        assert_eq!(scene.count(IN_HAND).await, 0, "round {round}");
    }
    settle_the_rest(&scene).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_settlement_that_hangs_is_given_up_and_left_to_others() {
    let config = format!(
        "{NO_SWEEPS}[worker]\ndrain_timeout = \"1s\"\norphan_after = \"2s\"\n\
         [database]\nlock_timeout = \"1m\"\nstatement_timeout = \"1m\"\n"
    );
    let scene = Scene::new(&config).await;
    let worker = scene.worker().await;
    scene.plant_proven(1, 10, 1, 1).await;
    let held = scene.hold(5).await;
    scene.request(1..=10).await;
    scene.until(WAITING, 1, &worker).await;

    let (machine, since) = (Machine::watch(), Stopwatch::start());
    let (code, said) = worker.terminate().await;
    let took = since.elapsed();
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("stopped with jobs in hand"), "{said}");
    // The lock itself would be waited for a minute.
    let granted = machine.grants(Duration::from_secs(4));
    assert!(took < granted, "{took:?}\n{said}");
    // What was taken before it may have been settled in a batch of its own.
    let verdicts = "SELECT count(*) FROM reconciler.ledger WHERE operation_run_id = 5";
    assert_eq!(scene.count(verdicts).await, 0);

    held.let_go().await;
    settle_the_rest(&scene).await;
}

/// How often a worker said that its database is away, and that it is there.
fn changes(worker: &Worker) -> [usize; 2] {
    let said = worker.said();
    ["the database is away", "the database is there"].map(|words| said.matches(words).count())
}

/// Takes the database away for at least `length`, gives it back, and watches what the worker makes of it, who
/// had told of so many changes before.
async fn weather(
    scene: &Scene,
    worker: &Worker,
    [said_away, said_there]: [usize; 2],
    length: Duration,
    away: impl FnOnce(),
    back: impl FnOnce(),
) {
    let machine = Machine::watch();
    away();
    let outage = Stopwatch::start();
    let mut poll = interval(PROBE_EVERY);
    let mut noticed = false;
    while outage.elapsed() < length || !noticed {
        poll.tick().await;
        let (live, state) = worker.probe("/livez?verbose").await;
        let (since, said) = (outage.elapsed(), worker.said());
        assert_eq!(live, 200, "{since:?}: {state}\n{said}");
        let (ready, state) = worker.probe("/readyz?verbose").await;
        assert!(ready == 503 || !noticed, "{state}\n{}", worker.said());
        noticed = ready == 503;
        assert!(noticed || outage.elapsed() < TIMEOUT, "{state}");
    }
    let state = worker.said();
    assert_eq!(changes(worker), [said_away + 1, said_there], "{state}");

    back();
    let since_back = Stopwatch::start();
    let run = i64::try_from(said_away + 1).expect("few");
    scene.plant_proven(run, run, 1, 1).await;
    scene.request(run..=run).await;
    until_ready(worker).await;
    let ready = since_back.elapsed();
    scene.until(OPEN, 0, worker).await;
    let settled = since_back.elapsed();
    let away = outage.elapsed();
    println!("away for {away:.1?}: ready after {ready:.2?}, settled after {settled:.2?}");
    let state = worker.said();
    let granted = machine.grants(RECOVERY);
    assert!(ready < granted, "ready after {ready:?}\n{state}");
    assert!(settled < granted * 2, "settled after {settled:?}\n{state}");
    assert_eq!(changes(worker), [said_away + 1, said_there + 1], "{state}");
}

#[tokio::test(flavor = "multi_thread")]
async fn it_outlasts_a_server_that_dies() {
    let cluster = cluster::private();
    cluster.survive_kills().await;
    let scene = Scene::in_database(cluster.database().await, NO_SWEEPS).await;
    let worker = scene.worker().await;
    until_said(&worker, "the database is there").await;
    let cluster = std::cell::RefCell::new(cluster);
    for length in [Duration::from_secs(4); 2] {
        let away = || cluster.borrow_mut().kill();
        let back = || cluster.borrow_mut().start_again();
        weather(&scene, &worker, changes(&worker), length, away, back).await;
    }
    end_soundly(&scene, [worker]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_outlasts_a_server_that_refuses_connections() {
    let scene = Scene::new(SWEEPS).await;
    let proxy = Proxy::before(scene.url());
    let worker = scene.worker_at(&proxy.url(scene.url())).await;
    until_said(&worker, "the database is there").await;
    let away = || {
        proxy.refuse();
        proxy.reset_connections();
    };
    let back = || proxy.heal();
    weather(&scene, &worker, changes(&worker), LONG, away, back).await;
    dismiss(worker).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_outlasts_a_network_that_says_nothing() {
    // A connection is waited for longer than a loop may be silent.
    let config = format!("{SWEEPS}[database]\nconnect_timeout = \"1m\"\n");
    let scene = Scene::new(&config).await;
    let proxy = Proxy::before(scene.url());
    let worker = scene.worker_at(&proxy.url(scene.url())).await;
    until_said(&worker, "the database is there").await;
    for length in [Duration::from_secs(8), LONG] {
        let (away, back) = (|| proxy.stall(), || proxy.heal());
        weather(&scene, &worker, changes(&worker), length, away, back).await;
    }
    dismiss(worker).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_are_reset_are_made_again() {
    let scene = Scene::new(NO_SWEEPS).await;
    let proxy = Proxy::before(scene.url());
    let worker = scene.worker_at(&proxy.url(scene.url())).await;
    let machine = Machine::watch();
    for run in 1..=5 {
        proxy.reset_connections();
        let since_reset = Stopwatch::start();
        scene.plant_proven(run, run, 1, 1).await;
        scene.request(run..=run).await;
        scene.until(OPEN, 0, &worker).await;
        let (settled, said) = (since_reset.elapsed(), worker.said());
        let granted = machine.grants(RECOVERY * 2);
        assert!(settled < granted, "{run}: {settled:?}\n{said}");
    }
    dismiss(worker).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn started_without_a_database_it_waits_for_it() {
    let scene = Scene::new(NO_SWEEPS).await;
    let proxy = Proxy::before(scene.url());
    proxy.refuse();
    let worker = scene.unready_at(&proxy.url(scene.url())).await;
    let (length, back) = (Duration::from_secs(3), || proxy.heal());
    weather(&scene, &worker, [0, 0], length, || (), back).await;
    dismiss(worker).await;

    proxy.refuse();
    let worker = scene.unready_at(&proxy.url(scene.url())).await;
    dismiss(worker).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_tables_it_is_not_ready_and_says_what_to_do() {
    let scene = Scene::new(NO_SWEEPS).await;
    let problems = "
        TABLE apalis.jobs: the queue's tables are not there
        SCHEMA reconciler: our schema is not in this database";
    for (what, problem) in problems.lines().filter_map(|line| line.split_once(": ")) {
        scene.execute(&format!("DROP {what} CASCADE")).await;
        let worker = scene.unready_at(scene.url()).await;
        until_said(&worker, problem).await;
        let said = worker.said();
        assert!(
            said.contains("Run `restore-reconciler migrate` first."),
            "{said}"
        );
        until_answered(&worker, "/readyz", 503).await;
        dismiss(worker).await;
    }
}

/// What a later schema means is not known to whoever is not upgraded yet: from its next transaction on he writes nothing.
#[tokio::test(flavor = "multi_thread")]
async fn beside_a_later_schema_it_stops_at_once_and_goes_on_after_its_upgrade() {
    const MIGRATED: &str = "INSERT INTO reconciler.migrations (version, description, success, checksum, execution_time)
                            VALUES (999, 'later', true, '', 0)";
    let scene = Scene::new(SWEEPS).await;
    let worker = scene.worker().await;
    scene.plant_proven(1, 1, 1, 1).await;
    scene.verdicts(1, &worker).await;
    // Runs that are due, asked for, and to be looked at again, in the transaction that makes the schema a later one.
    let mut tx = scene.pg().begin().await.expect("a transaction");
    let mut execute = async |statement: &'static str| {
        let done = sqlx::raw_sql(statement).execute(&mut *tx).await;
        done.unwrap_or_else(|error| panic!("{statement}: {error}"));
    };
    execute(MIGRATED).await;
    execute("SET LOCAL ROLE platform").await;
    plant_within(&mut tx, &rows_of((2..=6).map(Case::proven)))
        .await
        .expect("runs");
    let mut execute = async |statement: &'static str| {
        let done = sqlx::raw_sql(statement).execute(&mut *tx).await;
        done.unwrap_or_else(|error| panic!("{statement}: {error}"));
    };
    execute("SELECT reconciler.request(run) FROM generate_series(2, 5) AS run").await;
    execute("RESET ROLE").await;
    execute(
        "INSERT INTO reconciler.watch_list (operation_run_id, workspace_id, managed_environment_id,
             reason_code, first_seen_at, last_looked_at, look_again_at, tries)
         SELECT id, workspace_id, managed_environment_id, 'restore.in_progress', now(), now(), now(), 1
         FROM operation_runs WHERE id = 6",
    )
    .await;
    tx.commit().await.expect("a commit");
    let before = scene.fingerprint().await;

    // One loop finds out before the other.
    for check in [
        "[-] schema: newer than this program; upgrade restore-reconciler on this host",
        "[-] settling: our schema is not the one that this program knows",
    ] {
        until_told(&worker, check).await;
    }
    until_answered(&worker, "/readyz", 503).await;
    scene.until(IN_HAND, 0, &worker).await;
    let ticks = scene.count(TICKS).await;
    // Its next signs of life, for some ticks.
    let since = scene.count(LATEST_BEAT).await;
    let later = format!("SELECT ({LATEST_BEAT}) - {since}");
    scene.until_least(&later, 4_000_000, &worker).await;
    for (query, expected) in [(VERDICTS, 1), (OPEN_JOBS, 4), (TICKS, ticks), (ATTEMPTS, 0)] {
        let found = scene.count(query).await;
        assert_eq!(found, expected, "{query}\n{}", worker.said());
    }
    assert_eq!(scene.fingerprint().await, before, "{}", worker.said());
    assert_eq!(worker.probe("/livez").await.0, 200, "it is well, and waits");
    until_said(&worker, "Upgrade restore-reconciler on this host.").await;
    let (code, said) = said_by(scene.url(), &["reconcile", "2"]).await;
    assert_eq!(code, Some(1), "{said}");
    // One that is started now waits.
    let other = scene.unready_at(scene.url()).await;
    until_said(&other, "Upgrade restore-reconciler on this host.").await;

    scene
        .execute("DELETE FROM reconciler.migrations WHERE version = 999")
        .await;
    until_ready(&other).await;
    until_ready(&worker).await;
    scene.until(OPEN, 0, &worker).await;
    scene.until(OPEN_JOBS, 0, &worker).await;
    end_soundly(&scene, [worker, other]).await;
    scene.assert_one_of_each(6).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn several_on_one_host_keep_out_of_each_others_way_and_say_how_they_are() {
    const EXPECTED: &str = "
        [+] queue loop: last turn
        [+] sweeps loop: last turn
        [+] schedule loop: last turn
        [+] due loop: last turn
        [+] database: up for
        [+] schema: fits this program
        [+] queue: polled
        [+] sweep: last success";
    let scene = Scene::new(SWEEPS).await;
    let mut workers = Vec::new();
    for _ in 0..3 {
        workers.push(scene.worker().await);
    }
    for worker in &workers {
        let all_said = async || {
            let (status, state) = worker.probe("/readyz?verbose").await;
            let mut expected = EXPECTED.lines().map(str::trim);
            (status == 200 && expected.all(|line| state.contains(line))).then_some(())
        };
        let state = async || {
            let state = worker.probe("/readyz?verbose").await;
            format!("{state:?}\n{}", worker.said())
        };
        eventually(all_said, state).await;
    }
    assert_eq!(scene.count(NAMES).await, 3);
    for worker in workers {
        dismiss(worker).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_s_worker_that_fails_goes_on_under_a_new_name() {
    let scene = Scene::new(NO_SWEEPS).await;
    let worker = scene.worker().await;
    for run in [100, 200] {
        scene.plant_proven(run, run + 99, 1, 1).await;
        let held = scene.hold(run + 50).await;
        scene.request(run..=run + 99).await;
        scene.until(WAITING, 1, &worker).await;
        let before = scene.count(NAMES).await;
        // Again and again: a connection that is idle ends unnoticed.
        let mut poll = interval(PROBE_EVERY);
        let renamed = timeout(TIMEOUT, async {
            while scene.count(NAMES).await == before {
                scene.execute(CUT_OFF).await;
                poll.tick().await;
            }
        });
        assert!(renamed.await.is_ok(), "{}", worker.said());
        held.let_go().await;
        scene.until(OPEN, 0, &worker).await;
        scene.until(IN_HAND, 0, &worker).await;
    }
    until_ready(&worker).await;
    end_soundly(&scene, [worker]).await;
}
