//! Nothing waits for a sweep that need not: requests are dealt with at once, and runs that stayed open when
//! their time comes.

use std::time::Duration;

use jiff::Timestamp;
use restore_reconciler::internals::clock::Stopwatch;
use tokio::task::JoinSet;

use super::end_soundly;
use crate::support::case::Case;
use crate::support::proxy::Proxy;
use crate::support::roles::{Purpose, connect};
use crate::support::scene::{NO_SWEEPS, OPEN_JOBS, Scene, VERDICTS, dismiss, until_ready};
use crate::support::store::{Fixture, moment, on_both};
use crate::support::time::{Machine, eventually};
use crate::support::worker::Worker;

/// No sweep finds anything here, nor does a look at the queue that nobody asked for.
const NO_POLLING: &str = r#"
[sweep]
schedule = "0 0 0 1 1 *"

[worker]
poll_interval = "10s"
orphan_after = "30s"
"#;

/// A settle window that tests can wait for.
const SHORT_WINDOW: &str = "[rules]\nsettle_window = \"2s\"\n";

/// What is promised about a wake-up, on a machine with processors to spare. A tenth of it is usual.
const PROMPT: Duration = Duration::from_secs(2);
/// What is promised about a look, likewise. Half of it is usual.
const A_SECOND: Duration = Duration::from_secs(1);

/// A run whose restore has ended this moment, and whose proof is still to come.
fn fresh(id: i64, now: Timestamp) -> Case {
    let mut case = Case::proven(id);
    case.run.created_at = Some(now.to_string());
    case.restore.created_at = Some(now.to_string());
    case.restore.started_at = Some(now.to_string());
    case.restore.completed_at = Some(now.to_string());
    case.snapshots.clear();
    case.audits.clear();
    case
}

on_both!(
    a_deferred_run_gets_its_verdict_within_a_second_of_its_time,
    a_job_that_is_delivered_again_changes_nothing,
);

async fn a_deferred_run_gets_its_verdict_within_a_second_of_its_time(on: Fixture) {
    let machine = Machine::watch();
    let scene = Scene::on(on, &format!("{NO_SWEEPS}{SHORT_WINDOW}")).await;
    let one = scene.worker().await;
    let two = scene.worker().await;
    let now = scene.database.store.now().await.expect("a clock");
    scene.plant((1..=8).map(|run| fresh(run, now))).await;
    scene.request(1..=8).await;
    let watched = "SELECT count(*) FROM reconciler.watch_list";
    scene.until(watched, 8, &one).await;
    // What was promised, before anybody looks again.
    let promise = "CREATE TABLE promised AS
        SELECT operation_run_id, look_again_at FROM reconciler.watch_list";
    scene.execute(promise).await;
    scene.verdicts(8, &one).await;
    let looks = "SELECT entry.decided_at, promised.look_again_at
        FROM reconciler.ledger AS entry JOIN promised USING (operation_run_id)";
    let looks = scene.rows(looks).await;
    assert_eq!(looks.len(), 8);
    for look in looks {
        let [decided, promised] = ["decided_at", "look_again_at"]
            .map(|column| moment(look[column].as_ref()).expect("a moment"));
        let late = decided.duration_since(promised);
        let late = Duration::try_from(late).expect("not before its time");
        assert!(late <= machine.grants(A_SECOND), "{late:?}");
    }
    let sweeps = "SELECT count(*) FROM reconciler.sweeps";
    assert_eq!(scene.count(sweeps).await, 0);
    end_soundly(&scene, [one, two]).await;
}

/// Both workers see that the time has come; each look counts once and doubles the wait once.
#[tokio::test(flavor = "multi_thread")]
async fn two_workers_count_a_look_once() {
    let machine = Machine::watch();
    let waits = "wait_min = \"1s\"\nwait_max = \"2s\"\n";
    let scene = Scene::new(&format!("{NO_SWEEPS}{waits}")).await;
    scene.execute(
        "CREATE TABLE look (run bigint, at timestamptz, tries integer, seen_until timestamptz);
         CREATE FUNCTION look() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
         BEGIN
             INSERT INTO look VALUES (new.operation_run_id, new.last_looked_at, new.tries, old.look_again_at);
             RETURN new;
         END $$;
         CREATE TRIGGER look AFTER UPDATE ON reconciler.watch_list FOR EACH ROW EXECUTE FUNCTION look()",
    )
    .await;
    let one = scene.worker().await;
    let two = scene.worker().await;
    scene.plant((1..=20).map(Case::in_progress)).await;
    scene.request(1..=20).await;
    let looked = "SELECT count(*) FROM reconciler.watch_list WHERE tries >= 4";
    scene.until(looked, 20, &one).await;
    let early = "SELECT count(*) FROM look WHERE at < seen_until";
    assert_eq!(scene.count(early).await, 0, "looks before their time");
    let twice = "SELECT count(*) FROM (SELECT 1 FROM look GROUP BY run, tries HAVING count(*) > 1) AS twice";
    assert_eq!(scene.count(twice).await, 0, "looks that counted alike");
    let granted = machine.grants(A_SECOND).as_secs_f64();
    let late =
        format!("SELECT count(*) FROM look WHERE at > seen_until + interval '{granted} seconds'");
    assert_eq!(scene.count(&late).await, 0, "looks that came late");
    dismiss(one).await;
    dismiss(two).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_is_dealt_with_at_once() {
    let machine = Machine::watch();
    let scene = Scene::new(NO_POLLING).await;
    let worker = scene.worker().await;
    for run in 1..=5 {
        scene.plant([Case::failed(run)]).await;
        scene.request([run]).await;
        let took = scene.verdicts(run, &worker).await;
        assert!(took < machine.grants(PROMPT), "{took:?}\n{}", worker.said());
    }
    dismiss(worker).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_come_at_the_same_time_are_dealt_with_at_once() {
    const CONNECTIONS: i64 = 8;
    const EACH: i64 = 16;
    let machine = Machine::watch();
    let scene = Scene::new(NO_POLLING).await;
    let worker = scene.worker().await;
    // It listens, which it says by dealing with a first request.
    let last = CONNECTIONS * EACH + 1;
    scene.plant((1..=last).map(Case::failed)).await;
    scene.request([last]).await;
    scene.verdicts(1, &worker).await;

    let mut clients = JoinSet::new();
    for client in 0..CONNECTIONS {
        let mut session = connect(Purpose::Engineer, scene.url()).await;
        clients.spawn(async move {
            for run in (client * EACH + 1)..=(client + 1) * EACH {
                let asked = sqlx::query_scalar("SELECT reconciler.request($1)").bind(run);
                let queued: bool = asked.fetch_one(&mut session).await.expect("an answer");
                assert!(queued, "run {run}");
            }
        });
    }
    clients.join_all().await;
    let asked = Stopwatch::start();
    scene.verdicts(last, &worker).await;
    let took = asked.elapsed();
    assert!(took < machine.grants(PROMPT), "{took:?}\n{}", worker.said());
    dismiss(worker).await;
}

/// The rest of the process has another way to the database, and notices nothing.
#[tokio::test(flavor = "multi_thread")]
async fn who_was_cut_off_from_notices_hears_them_again_within_seconds() {
    let machine = Machine::watch();
    let scene = Scene::new(NO_POLLING).await;
    let proxy = Proxy::before(scene.url());
    let listen = proxy.url(scene.url());
    let worker = Worker::start_listening(scene.url(), &listen, &scene.config).await;
    let worker = worker.unwrap_or_else(|why| panic!("{why}"));
    until_ready(&worker).await;
    for run in 1..=4 {
        scene.plant([Case::failed(run)]).await;
        match run {
            // Asked for before anybody listens again.
            2 => proxy.reset_connections(),
            3 => {
                proxy.refuse();
                proxy.reset_connections();
                scene.request([run]).await;
                proxy.heal();
            }
            _ => {}
        }
        scene.request([run]).await;
        let (took, said) = (scene.verdicts(run, &worker).await, worker.said());
        assert!(took < machine.grants(PROMPT), "{run}: {took:?}\n{said}");
    }
    // The same way as before, once it has come back: what was asked for meanwhile it may have found by itself.
    let listens = async || (proxy.connections() == 1).then_some(());
    eventually(listens, async || worker.said()).await;
    dismiss(worker).await;
}

/// Every handler may run twice.
async fn a_job_that_is_delivered_again_changes_nothing(on: Fixture) {
    let scene = Scene::on(on, NO_SWEEPS).await;
    let worker = scene.worker().await;
    scene.plant((1..=30).map(Case::failed)).await;
    scene.request(1..=30).await;
    scene.until(OPEN_JOBS, 0, &worker).await;
    assert_eq!(scene.count(VERDICTS).await, 30);
    let fingerprint = scene.fingerprint().await;
    // As it was delivered first, and as after the end of a worker that had it.
    for attempts in 0..2 {
        scene.deliver_again(attempts).await;
        scene.until(OPEN_JOBS, 0, &worker).await;
        assert_eq!(fingerprint, scene.fingerprint().await);
        let suspects = "SELECT count(*) FROM reconciler.attempts";
        assert_eq!(scene.count(suspects).await, 0);
    }
    dismiss(worker).await;
}
