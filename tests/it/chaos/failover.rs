//! A server dies for good, its standby takes its place, and the address moves: workers come along by themselves.

use std::time::Duration;

use tokio::sync::watch;
use tokio::task::{JoinHandle, block_in_place};
use tokio::time::interval;

use restore_reconciler::internals::clock::Stopwatch;

use super::crew::CONFIG;
use super::dice::{Dice, seed};
use super::platform::{Books, Platform};
use super::{STILL_OPEN, judge_by_the_books};
use crate::history::{System, assert_sound};
use crate::support::case::Case;
use crate::support::cluster::{self, Cluster};
use crate::support::proxy::Proxy;
use crate::support::roles::Purpose;
use crate::support::scene::{NO_SWEEPS, OPEN, SWEEPS, Scene, VERDICTS, dismiss, until_ready};
use crate::support::time::eventually;
use crate::support::worker::Worker;

/// How soon a probe has to say that nothing can be written.
const TOLD_WITHIN: Duration = Duration::from_secs(15);

const READ_ONLY: &str = "the server is read-only";

/// What a process may have, as README says: eight, two that take jobs, one that shows that it is alive, and one that listens.
const SESSIONS_MAX: i64 = 12;

/// Longer than the silence that a restart answers.
const READ_ONLY_FOR: Duration = Duration::from_secs(12);

/// A server, its standby, and a database on both, at an address that can be moved.
struct Pair {
    proxy: Proxy,
    primary: Cluster,
    standby: Cluster,
    scene: Scene,
}

impl Pair {
    async fn start(config: &str) -> Self {
        let mut primary = cluster::private();
        primary.survive_kills().await;
        let standby = primary.standby().await;
        let proxy = Proxy::before(primary.url());
        let database = cluster::database_at(&proxy.url(primary.url())).await;
        let scene = Scene::in_database(database, config).await;
        Self {
            proxy,
            primary,
            standby,
            scene,
        }
    }

    /// Lets nothing more reach the standby.
    async fn leave_standby_behind(&self) {
        self.primary.set("synchronous_standby_names", "").await;
        self.standby.set("primary_conninfo", "").await;
        let left = "SELECT count(*) FROM pg_stat_replication";
        let is_so = async || (self.scene.count(left).await == 0).then_some(());
        eventually(is_so, async || "the standby goes on".to_owned()).await;
    }

    /// Kills the primary, and moves its address to the standby, which takes no writes yet.
    fn lose_primary(&mut self) {
        block_in_place(|| self.primary.kill());
        self.proxy.lead_to(self.standby.url());
    }

    /// Makes the standby the primary, with a standby of its own, in the place of the one that is lost.
    async fn fail_over(&mut self) {
        self.standby.promote().await;
        let next = self.standby.standby().await;
        self.primary = std::mem::replace(&mut self.standby, next);
    }
}

/// While its server takes no writes, or confirms none, a worker says so, and nobody is told to restart it.
async fn until_told(worker: &Worker, why: &str) {
    let since = Stopwatch::start();
    let says_why = async || {
        let (status, ready) = worker.probe("/readyz?verbose").await;
        (status == 503 && ready.contains(why)).then_some(())
    };
    let state = async || {
        let (_, ready) = worker.probe("/readyz?verbose").await;
        format!("{ready}\n{}", worker.said())
    };
    eventually(says_why, state).await;
    assert!(since.elapsed() < TOLD_WITHIN, "{}", worker.said());
}

async fn stays_alive(workers: &[Worker], duration: Duration) {
    let since = Stopwatch::start();
    let mut poll = interval(Duration::from_millis(200));
    while since.elapsed() < duration {
        poll.tick().await;
        for worker in workers {
            let (status, live) = worker.probe("/livez?verbose").await;
            assert_eq!(status, 200, "{live}\n{}", worker.said());
        }
    }
}

fn at_work(pair: &Pair) -> (watch::Sender<bool>, JoinHandle<Books>) {
    let (stop, told) = watch::channel(false);
    let url = pair.scene.url_of(Purpose::Platform);
    let platform = Platform::new(&url, Dice::from(seed()));
    (stop, tokio::spawn(platform.work(told)))
}

/// There and back again, beside a platform that goes on.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_confirmed_outlives_its_server() {
    let mut pair = Pair::start(CONFIG).await;
    let address = pair.scene.url().to_owned();
    let workers = [
        pair.scene.worker_at(&address).await,
        pair.scene.worker_at(&address).await,
    ];
    let (stop, platform) = at_work(&pair);
    for _ in ["there", "and back again"] {
        pair.primary.confirm_with_standby().await;
        let before = pair.scene.count(VERDICTS).await;
        pair.scene
            .until_least(VERDICTS, before + 50, &workers[0])
            .await;
        pair.lose_primary();
        for worker in &workers {
            until_told(worker, READ_ONLY).await;
        }
        stays_alive(&workers, READ_ONLY_FOR).await;
        pair.fail_over().await;
        for worker in &workers {
            until_ready(worker).await;
        }
    }
    stop.send(true).expect("the platform listens");
    let books = platform.await.expect("the platform never fails");
    let are_closed = format!("SELECT count(*) FROM {STILL_OPEN}");
    pair.scene.until(&are_closed, 0, &workers[0]).await;
    for worker in workers {
        dismiss(worker).await;
    }
    assert_sound(pair.scene.url(), System::QUIET).await;
    judge_by_the_books(&pair.scene, &books).await;
}

/// A standby that had fallen behind knows less than the workers did: they judge again what it does not know.
#[tokio::test(flavor = "multi_thread")]
async fn verdicts_that_were_lost_with_a_server_are_given_again() {
    const RUNS: i64 = 60;
    for schedule in [NO_SWEEPS, SWEEPS] {
        let mut pair = Pair::start(schedule).await;
        let address = pair.scene.url().to_owned();
        let worker = pair.scene.worker_at(&address).await;
        pair.scene.plant((1..=RUNS / 3).map(Case::proven)).await;
        pair.primary.confirm_with_standby().await;
        pair.scene.request_open(1..=RUNS / 3).await;
        pair.scene.verdicts(RUNS / 3, &worker).await;
        worker.stop(); // so that the others and their requests reach the standby, and no verdict on them does
        let others = 1 + RUNS / 3..=RUNS;
        pair.scene.plant(others.clone().map(Case::proven)).await;
        pair.scene.request(others).await;
        pair.leave_standby_behind().await;
        worker.go_on();
        pair.scene.until(OPEN, 0, &worker).await;
        pair.lose_primary();
        until_told(&worker, READ_ONLY).await;
        assert_eq!(pair.scene.count(VERDICTS).await, RUNS / 3);
        pair.standby.promote().await;
        until_ready(&worker).await;
        pair.scene.until(OPEN, 0, &worker).await;
        pair.scene.verdicts(RUNS, &worker).await;
        pair.scene.again_changes_nothing(&worker).await;
        dismiss(worker).await;
        assert_sound(pair.scene.url(), System::QUIET).await;
    }
}

/// A synchronous standby that is lost keeps every commit waiting, for as long as the server is told to wait for it.
#[tokio::test(flavor = "multi_thread")]
async fn a_lost_synchronous_standby_is_told_of_and_waited_for() {
    for (schedule, runs) in [(SWEEPS, 40), (NO_SWEEPS, 0)] {
        let mut pair = Pair::start(schedule).await;
        pair.primary.confirm_with_standby().await;
        // Nobody else waits for it, so that the platform goes on.
        let workers = "ALTER ROLE reconciler SET synchronous_commit = remote_apply";
        pair.primary.execute(workers).await;
        pair.primary.set("synchronous_commit", "local").await;
        let address = pair.scene.url().to_owned();
        let sessions = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'reconciler'";
        let before = pair.scene.count(sessions).await;
        let workers = [
            pair.scene.worker_at(&address).await,
            pair.scene.worker_at(&address).await,
        ];
        pair.scene.plant((1..=runs / 2).map(Case::proven)).await;
        pair.scene.until(OPEN, 0, &workers[0]).await;
        block_in_place(|| pair.standby.kill());
        pair.scene
            .plant((1 + runs / 2..=runs).map(Case::proven))
            .await;
        for worker in &workers {
            until_told(worker, "commits wait for a synchronous standby").await;
        }
        // It stays so, however often somebody tries.
        for _ in 0..3 {
            stays_alive(&workers, READ_ONLY_FOR).await;
            let sessions = pair.scene.count(sessions).await - before;
            assert!(
                sessions <= 2 * SESSIONS_MAX,
                "{sessions}\n{}",
                workers[0].said()
            );
            for worker in &workers {
                let (status, ready) = worker.probe("/readyz?verbose").await;
                assert_eq!(status, 503, "{ready}");
            }
        }
        // Nobody sees a verdict before a standby has it.
        assert_eq!(pair.scene.count(VERDICTS).await, runs / 2);
        block_in_place(|| pair.standby.start_again());
        for worker in &workers {
            until_ready(worker).await;
        }
        pair.scene.until(OPEN, 0, &workers[0]).await;
        pair.scene.verdicts(runs, &workers[0]).await;
        for worker in workers {
            dismiss(worker).await;
        }
        assert_sound(pair.scene.url(), System::QUIET).await;
    }
}
