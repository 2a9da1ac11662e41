//! How a worker begins, is told to stop, and outlasts its database.

use std::time::Duration;

use restore_reconciler::internals::clock::Stopwatch;
use rustix::process::Signal;
use tokio::time::{interval, timeout};

use crate::history::{System, assert_sound};
use crate::support::cluster;
use crate::support::hold::WAITING;
use crate::support::proxy::Proxy;
use crate::support::scene::{
    DONE, IN_HAND, NO_SWEEPS, OPEN, SWEEPS, Scene, dismiss, until_answered, until_ready, until_said,
};
use crate::support::time::{Machine, TIMEOUT, eventually};
use crate::support::worker::Worker;

/// How soon a worker is ready once its database is there, on a machine with processors to spare.
const RECOVERY: Duration = Duration::from_secs(2);
/// Longer than a loop may be silent in a process that is live.
const LONG: Duration = Duration::from_secs(18);
/// Between two probes.
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
        assert!(
            !said.contains("WARN restore_reconciler"),
            "it ends in peace\n{said}"
        );
        assert_eq!(scene.count(IN_HAND).await, 0, "{signal:?}\n{said}");
        assert!(scene.count(DONE).await >= in_hand, "{signal:?}\n{said}");

        let other = scene.worker().await;
        scene.until(OPEN, 0, &other).await;
        dismiss(other).await;
        assert_sound(scene.url(), System::QUIET).await;
    }
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
    let other = scene.worker().await;
    scene.until(OPEN, 0, &other).await;
    dismiss(other).await;
    assert_sound(scene.url(), System::QUIET).await;
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
    assert!(
        took < machine.grants(Duration::from_secs(4)),
        "{took:?}\n{said}"
    );
    // What was taken before it may have been settled in a batch of its own.
    let verdicts = "SELECT count(*) FROM reconciler.ledger WHERE operation_run_id = 5";
    assert_eq!(scene.count(verdicts).await, 0);

    held.let_go().await;
    let other = scene.worker().await;
    scene.until(OPEN, 0, &other).await;
    dismiss(other).await;
    assert_sound(scene.url(), System::QUIET).await;
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
    run: i64,
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
        assert_eq!(
            live,
            200,
            "{:?}: {state}\n{}",
            outage.elapsed(),
            worker.said()
        );
        let (ready, state) = worker.probe("/readyz?verbose").await;
        assert!(ready == 503 || !noticed, "{state}\n{}", worker.said());
        noticed = ready == 503;
        assert!(noticed || outage.elapsed() < TIMEOUT, "{state}");
    }
    assert_eq!(
        changes(worker),
        [said_away + 1, said_there],
        "{}",
        worker.said()
    );

    back();
    let since_back = Stopwatch::start();
    scene.plant_proven(run, run, 1, 1).await;
    scene.request(run..=run).await;
    until_ready(worker).await;
    let ready = since_back.elapsed();
    scene.until(OPEN, 0, worker).await;
    let settled = since_back.elapsed();
    println!(
        "away for {:.1?}: ready after {ready:.2?}, settled after {settled:.2?}",
        outage.elapsed()
    );
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
    for run in [1, 2] {
        let away = || cluster.borrow_mut().kill();
        let back = || cluster.borrow_mut().start_again();
        weather(
            &scene,
            &worker,
            changes(&worker),
            run,
            Duration::from_secs(4),
            away,
            back,
        )
        .await;
    }
    dismiss(worker).await;
    assert_sound(scene.url(), System::QUIET).await;
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
    weather(&scene, &worker, changes(&worker), 1, LONG, away, || {
        proxy.heal();
    })
    .await;
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
    for (run, length) in [(1, Duration::from_secs(8)), (2, LONG)] {
        weather(
            &scene,
            &worker,
            changes(&worker),
            run,
            length,
            || proxy.stall(),
            || proxy.heal(),
        )
        .await;
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
        let settled = since_reset.elapsed();
        assert!(
            settled < machine.grants(RECOVERY * 2),
            "{run}: {settled:?}\n{}",
            worker.said()
        );
    }
    dismiss(worker).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn started_without_a_database_it_waits_for_it() {
    let scene = Scene::new(NO_SWEEPS).await;
    let proxy = Proxy::before(scene.url());
    proxy.refuse();
    let worker = scene.unready_at(&proxy.url(scene.url())).await;
    weather(
        &scene,
        &worker,
        [0, 0],
        1,
        Duration::from_secs(3),
        || (),
        || proxy.heal(),
    )
    .await;
    dismiss(worker).await;

    proxy.refuse();
    let worker = scene.unready_at(&proxy.url(scene.url())).await;
    dismiss(worker).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_tables_it_ends_and_says_what_to_do() {
    let scene = Scene::new(NO_SWEEPS).await;
    for (script, problem) in [
        (
            "DROP TABLE apalis.jobs CASCADE",
            "the queue's tables are not there",
        ),
        (
            "DROP SCHEMA reconciler CASCADE",
            "our schema is not in this database",
        ),
    ] {
        scene.execute(script).await;
        let ended = match Worker::start(scene.url(), Some(&scene.config)).await {
            Ok(worker) => worker.ended().await,
            Err(why) => panic!("it answers probes until it knows: {why}"),
        };
        let (code, said) = ended;
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains(problem), "{said}");
        assert!(
            said.contains("to do: Run `restore-reconciler migrate` first."),
            "{said}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn several_on_one_host_keep_out_of_each_others_way_and_say_how_they_are() {
    let scene = Scene::new(SWEEPS).await;
    let mut workers = Vec::new();
    for _ in 0..3 {
        workers.push(scene.worker().await);
    }
    let expected = [
        "[+] queue loop: last turn ",
        "[+] sweeps loop: last turn ",
        "[+] schedule loop: last turn ",
        "[+] due loop: last turn ",
        "[+] database: up for ",
        "[+] schema: fits this program",
        "[+] queue: polled ",
        "[+] sweep: last success ",
    ];
    for worker in &workers {
        let all_said = async || {
            let (status, state) = worker.probe("/readyz?verbose").await;
            (status == 200 && expected.iter().all(|line| state.contains(line))).then_some(())
        };
        let state = async || {
            let state = worker.probe("/readyz?verbose").await;
            format!("{state:?}\n{}", worker.said())
        };
        eventually(all_said, state).await;
    }
    let names =
        "SELECT count(DISTINCT id) FROM apalis.workers WHERE worker_type = 'restore.execute'";
    assert_eq!(scene.count(names).await, 3);
    for worker in workers {
        dismiss(worker).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_s_worker_that_fails_goes_on_under_a_new_name() {
    let scene = Scene::new(NO_SWEEPS).await;
    let worker = scene.worker().await;
    let names = "SELECT count(*) FROM apalis.workers WHERE worker_type = 'restore.execute'";
    for run in [100, 200] {
        scene.plant_proven(run, run + 99, 1, 1).await;
        let held = scene.hold(run + 50).await;
        scene.request(run..=run + 99).await;
        scene.until(WAITING, 1, &worker).await;
        let before = scene.count(names).await;
        // All but our own, again and again: a connection that is idle ends unnoticed.
        let mut poll = interval(PROBE_EVERY);
        let renamed = timeout(TIMEOUT, async {
            while scene.count(names).await == before {
                scene
                    .execute(
                        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                         WHERE datname = current_database() AND application_name = 'restore-reconciler'",
                    )
                    .await;
                poll.tick().await;
            }
        });
        assert!(renamed.await.is_ok(), "{}", worker.said());
        held.let_go().await;
        scene.until(OPEN, 0, &worker).await;
        scene.until(IN_HAND, 0, &worker).await;
    }
    until_ready(&worker).await;
    dismiss(worker).await;
    assert_sound(scene.url(), System::QUIET).await;
}
