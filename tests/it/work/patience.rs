//! What takes long says nothing about who waits: a worker behind a lock keeps its jobs and stays live, and a
//! worker whose sweeps fail does not stay ready.

use std::time::Duration;

use restore_reconciler::internals::clock::Stopwatch;
use sqlx::{Connection as _, PgConnection};
use tokio::time::interval;

use super::end_soundly;
use crate::support::case::Case;
use crate::support::hold::Writer;
use crate::support::roles::{Purpose, connect};
use crate::support::scene::{
    DONE, IN_HAND, NO_SWEEPS, OPEN, OPEN_JOBS, SWEEPS, Scene, TAKEN_AWAY, dismiss, until_answered,
    until_ready, until_said,
};
use crate::support::store::{Fixture, on_both};
use crate::support::worker::Worker;

const SUSPECTS: &str = "SELECT count(*) FROM reconciler.attempts";

on_both!(a_worker_that_waits_for_a_lock_keeps_its_jobs_and_suspects_nobody);

/// Everything that the test waits longer for than any of these.
const IMPATIENT: &str = r#"
[worker]
jobs_max = 100
orphan_after = "10s"
attempt_timeout = "10s"

[database]
statement_timeout = "5s"
lock_timeout = "250ms"
"#;
const LONGER: Duration = Duration::from_secs(13);
/// More than two workers have in hand and in their buffers.
const RUNS: i64 = 500;

/// What the platform does to a whole table, or another program to a whole file.
enum Lock {
    Table(PgConnection),
    File(Writer),
}

impl Lock {
    async fn take(scene: &Scene) -> Self {
        if scene.database.is_sqlite() {
            return Self::File(Writer::of_platform(scene.url()).await);
        }
        let mut session = connect(Purpose::Engineer, scene.url()).await;
        let lock = "BEGIN; LOCK TABLE restore_runs IN ACCESS EXCLUSIVE MODE";
        let locked = sqlx::raw_sql(lock).execute(&mut session).await;
        locked.expect("a lock");
        Self::Table(session)
    }

    async fn let_go(self) {
        match self {
            Self::Table(session) => session.close().await.expect("the lock goes with it"),
            Self::File(writer) => writer.let_go().await,
        }
    }
}

/// Whoever asked, swept or looked again: a lock that all of them wait for says nothing about any run.
async fn a_worker_that_waits_for_a_lock_keeps_its_jobs_and_suspects_nobody(on: Fixture) {
    // For a while there is no run that a restore could be tied to.
    let known = "[survey]\naccepted = [\"link\"]\n";
    let scene = Scene::on(on, &format!("{SWEEPS}{IMPATIENT}{known}")).await;
    scene.plant((1..=RUNS).map(Case::proven)).await;
    // Who begins beside such a lock can neither examine the table nor say by which rules it judges, and takes nothing up.
    scene
        .execute("UPDATE operation_runs SET type = 'kept'")
        .await;
    let workers = [scene.worker().await, scene.worker().await];
    let mut lock = Lock::take(&scene).await;
    let given = "UPDATE operation_runs SET type = 'restore.execute'";
    match &mut lock {
        Lock::Table(_) => scene.execute(given).await,
        Lock::File(writer) => {
            workers.iter().for_each(Worker::stop);
            writer.execute(given).await;
            workers.iter().for_each(Worker::go_on);
        }
    }
    // Some in hand first: then the next batch does not fit, and its rest waits in the library's buffer.
    let in_hand = format!("{IN_HAND} AND job_type = 'restore.execute'");
    scene.request(1..=30).await;
    scene.until(&in_hand, 30, &workers[0]).await;
    scene.request(31..=400).await;
    if !scene.database.is_sqlite() {
        // What is due already when a process begins is looked at with care.
        scene.watch("id BETWEEN 401 AND 450").await;
    }
    let since = Stopwatch::start();
    let mut poll = interval(Duration::from_millis(200));
    while since.elapsed() < LONGER {
        poll.tick().await;
        for worker in &workers {
            let (status, state) = worker.probe("/livez?verbose").await;
            assert_eq!(status, 200, "{state}\n{}", worker.said());
        }
        assert_eq!(scene.count(TAKEN_AWAY).await, 0);
        assert_eq!(scene.count(SUSPECTS).await, 0);
        assert_eq!(scene.count(OPEN).await, RUNS);
    }
    for worker in &workers {
        let said = worker.said();
        assert!(!said.contains("one by one"), "{said}");
    }
    lock.let_go().await;
    let [worker, other] = workers;
    scene.until(OPEN, 0, &worker).await;
    scene.until(OPEN_JOBS, 0, &worker).await;
    // A file has one writer at a time, in no order: of two that settle all at once, one may starve for so long that
    // it gives its jobs back or suspects its runs, after the lock that this is about.
    if !scene.database.is_sqlite() {
        let taken_away = format!("{DONE} AND job_type = 'restore.execute' AND attempts > 1");
        assert_eq!(scene.count(&taken_away).await, 0);
        assert_eq!(scene.count(SUSPECTS).await, 0);
        let said = [worker.said(), other.said()].concat();
        assert!(!said.contains("one by one"), "{said}");
    }
    end_soundly(&scene, [worker, other]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_whose_sweeps_fail_does_not_stay_ready() {
    let scene = Scene::new(SWEEPS).await;
    let worker = scene.worker().await;
    // Each pass ends with an error that no retry mends, as after a grant was revoked.
    let rename = "ALTER TABLE reconciler.watch_list RENAME COLUMN";
    scene.execute(&format!("{rename} tries TO other")).await;
    scene.plant_proven(1, 3, 1, 1).await;
    until_answered(&worker, "/readyz", 503).await;
    assert_eq!(worker.probe("/livez").await.0, 200);
    // No other host takes them for done.
    let given_up =
        "SELECT count(*) FROM apalis.jobs WHERE job_type = 'restore.sweep' AND status = 'Killed'";
    scene.until_least(given_up, 1, &worker).await;
    scene.execute(&format!("{rename} other TO tries")).await;
    scene.until(OPEN, 0, &worker).await;
    until_ready(&worker).await;
    dismiss(worker).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_cannot_look_for_jobs_says_so_as_of_every_other_step() {
    let scene = Scene::new(NO_SWEEPS).await;
    let worker = scene.worker().await;
    let rename = "ALTER TABLE apalis.jobs RENAME COLUMN";
    scene.execute(&format!("{rename} run_at TO other")).await;
    until_said(&worker, "cannot look for jobs: ").await;
    until_said(&worker, "(SQLSTATE 42703)").await;
    scene.execute(&format!("{rename} other TO run_at")).await;
    scene.plant_proven(1, 3, 1, 1).await;
    scene.request(1..=3).await;
    scene.until(OPEN, 0, &worker).await;
    let said = worker.said();
    assert!(!said.contains(" at line "), "{said}");
    dismiss(worker).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_nobody_can_read_does_not_keep_the_others_waiting() {
    let scene = Scene::new(NO_SWEEPS).await;
    let worker = scene.worker().await;
    scene
        .execute(
            "INSERT INTO apalis.jobs (id, job_type, job, status, attempts, max_attempts, run_at, priority)
             VALUES ('not-a-ulid', 'restore.execute', '{}', 'Pending', 0, 1, now(), 0),
                 (reconciler.job_id(), 'restore.execute', '{}', 'Pending', 0, 1, '-infinity', 0)",
        )
        .await;
    scene.plant_proven(1, 3, 1, 1).await;
    scene.request(1..=3).await;
    scene.until(OPEN, 0, &worker).await;
    let discarded = "SELECT count(*) FROM apalis.jobs WHERE status = 'Killed'";
    scene.until(discarded, 2, &worker).await;
    let said = worker.said();
    let told = "jobs whose rows nobody can read were discarded";
    assert!(said.contains(told), "{said}");
    dismiss(worker).await;
}

/// Three thousand runs with complete proof in one workspace, and one of another.
async fn thousands_and_one() -> Scene {
    let scene = Scene::new(NO_SWEEPS).await;
    scene.plant_proven(1, 3_000, 1, 1).await;
    scene.plant_proven(3_001, 3_001, 2, 1).await;
    scene
}

/// Waits for the one, after which more than `least` of the thousands are left, and then for those.
async fn one_is_let_through(scene: &Scene, worker: &Worker, least: i64) {
    let one = format!("{OPEN} AND id = 3001");
    scene.until(&one, 0, worker).await;
    let left = scene.count(OPEN).await;
    assert!(left > least, "{left} of 3,000 were left by then");
    scene.until(OPEN, 0, worker).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_for_thousands_of_runs_at_once_waits_behind_who_asks_for_one() {
    let scene = thousands_and_one().await;
    scene.request(1..=3_000).await;
    scene.request(3_001..=3_001).await;
    let worker = scene.worker().await;
    one_is_let_through(&scene, &worker, 1_500).await;
    dismiss(worker).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn thousands_whose_time_has_come_let_one_of_another_workspace_through() {
    let scene = thousands_and_one().await;
    let worker = scene.worker().await;
    scene.watch("id <= 3000").await;
    scene.watch("id = 3001").await;
    one_is_let_through(&scene, &worker, 1_000).await;
    let looked = "SELECT count(*) FROM reconciler.ledger WHERE source = 'watch'";
    assert_eq!(scene.count(looked).await, 3_001);
    dismiss(worker).await;
}
