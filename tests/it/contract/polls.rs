//! What a worker says of its queue: that it was looked at, and that it is still the one that was opened.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use reconciler_jobs::ids::RunId;
use restore_reconciler::internals::config::Config;
use restore_reconciler::internals::health::{Health, HealthCheck, HealthLimits, Loop, Report};
use restore_reconciler::internals::worker::{self, Broken, Options};
use sqlx::raw_sql;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::support::case::Case;
use crate::support::roles::{Purpose, connect};
use crate::support::scene::until_ready;
use crate::support::settled::settling;
use crate::support::store::{Fixture, on_both};
use crate::support::time::{eventually, in_time};
use crate::support::worker::{Worker, said_by};

on_both!(a_queue_whose_looks_fail_is_not_polled);

/// Longer than a worker that keeps failing waits between two tries.
const SILENCE: Duration = Duration::from_secs(4);

/// A worker inside of this process, without sweeps.
struct Hands {
    health: Arc<Health>,
    stop: CancellationToken,
    working: JoinHandle<Result<(), Broken>>,
}

impl Hands {
    async fn on(fixture: &Fixture) -> Self {
        let config = Config::parse("[sweep]\nschedule = \"0 0 0 1 1 *\"\n", "test").unwrap();
        let limits = HealthLimits {
            silence: SILENCE,
            ..HealthLimits::default()
        };
        let health = Health::new(limits, &Loop::ALL);
        let stop = CancellationToken::new();
        let options = Options {
            worker: config.worker,
            sweep: config.sweep,
            metrics: config.metrics,
            listen_url: None,
            settling: settling(),
            checkpoints: worker::Checkpointing::default(),
        };
        let store = fixture.store.clone();
        let working = tokio::spawn(worker::run(store, health.clone(), options, stop.clone()));
        let hands = Self {
            health,
            stop,
            working,
        };
        hands.until("ready", |report| report.ready).await;
        hands
    }

    async fn until(&self, what: &str, found: impl Fn(&Report) -> bool) -> Report {
        let look = async || Some(self.health.report()).filter(&found);
        eventually(look, async || format!("{what}: {:?}", self.health.report())).await
    }

    async fn dismiss(self) {
        self.stop.cancel();
        in_time("its end", self.working).await.unwrap().unwrap();
    }
}

fn check<'a>(report: &'a Report, name: &str) -> &'a HealthCheck {
    let found = report.checks.iter().find(|check| check.name == name);
    found.unwrap_or_else(|| panic!("{name}: {report:?}"))
}

/// Each look begins and ends with an error, and in between the worker registers, which is no look.
async fn a_queue_whose_looks_fail_is_not_polled(on: Fixture) {
    let on = on.with_queue().await;
    on.plant([Case::in_progress(1)]).await;
    let hands = Hands::on(&on).await;
    on.execute_on_queue(on.either(
        "CREATE TRIGGER keep BEFORE UPDATE ON Jobs WHEN NEW.status = 'Queued'
         BEGIN SELECT RAISE(ABORT, 'kept by a test'); END",
        "CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN RAISE EXCEPTION 'kept by a test'; END $$;
         CREATE TRIGGER keep BEFORE UPDATE ON Jobs FOR EACH ROW
         WHEN (NEW.status = 'Queued') EXECUTE FUNCTION keep()",
    ))
    .await;
    on.store.request(&[RunId(1)], "test", None).await.unwrap();
    let is_silent = |report: &Report| !check(report, "queue").ok;
    let report = hands.until("no look", is_silent).await;
    assert!(!report.ready && report.live, "{report:?}");
    for name in ["queue loop", "database"] {
        assert!(check(&report, name).ok, "{report:?}");
    }
    assert!(check(&report, "queue").detail.starts_with("polled "));

    on.execute_on_queue(on.either("DROP TRIGGER keep", "DROP FUNCTION keep() CASCADE"))
        .await;
    hands.until("ready again", |report| report.ready).await;
    hands.dismiss().await;
}

/// Looks wait, and nothing else does: it is neither ready nor, for as long as that lasts, live.
#[tokio::test]
async fn a_queue_whose_looks_hang_is_not_polled() {
    let on = Fixture::postgres_with_queue().await;
    let hands = Hands::on(&on).await;
    let mut other = connect(Purpose::Engineer, &on.url).await;
    raw_sql("BEGIN; LOCK TABLE apalis.jobs IN ACCESS EXCLUSIVE MODE")
        .execute(&mut other)
        .await
        .unwrap();
    let is_silent = |report: &Report| {
        !report.live && !check(report, "queue").ok && !check(report, "queue loop").ok
    };
    let report = hands.until("no look", is_silent).await;
    assert!(check(&report, "database").ok, "{report:?}");
    raw_sql("ROLLBACK").execute(&mut other).await.unwrap();
    hands
        .until("ready again", |report| report.ready && report.live)
        .await;
    hands.dismiss().await;
}

fn queue_file(on: &Fixture) -> PathBuf {
    format!("{}.queue", on.url.trim_start_matches("sqlite:")).into()
}

fn remove_queue(on: &Fixture) {
    let file = queue_file(on);
    fs::remove_file(&file).unwrap();
    for suffix in ["-wal", "-shm"] {
        let mut beside = file.clone().into_os_string();
        beside.push(suffix);
        drop(fs::remove_file(beside)); // there while the file is open
    }
}

#[tokio::test]
async fn a_worker_whose_queue_file_is_replaced_stops() {
    let on = Fixture::sqlite().await.with_queue().await;
    let hands = Hands::on(&on).await;
    let copy = queue_file(&on).with_extension("copy");
    fs::copy(queue_file(&on), &copy).unwrap();
    fs::rename(&copy, queue_file(&on)).unwrap();
    let ended = in_time("its end", hands.working).await.unwrap();
    assert!(ended.is_err());
    let report = hands.health.report();
    assert!(!report.ready, "{report:?}");
    assert!(!check(&report, "database").ok, "{report:?}");
}

#[tokio::test]
async fn a_worker_whose_queue_file_is_removed_says_what_to_do() {
    let on = Fixture::sqlite().await;
    for _ in 0..2 {
        let (code, said) = said_by(&on.url, &["migrate"]).await;
        assert_eq!(code, Some(0), "{said}");
        let worker = Worker::start(&on.url, None).await.unwrap();
        until_ready(&worker).await;
        remove_queue(&on);
        let (code, said) = worker.ended().await;
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains("was removed or replaced"), "{said}");
        assert!(said.contains("restore-reconciler migrate"), "{said}");
    }
}
