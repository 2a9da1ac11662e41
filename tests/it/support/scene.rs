//! A database that workers can work on, on either system, and the ways in which tests look at it.
//!
//! Jobs are in schema `apalis` on PostgreSQL and in a file of their own on SQLite, which this side of the test
//! attaches under that name: a query about `apalis.jobs` reads them on both.

use std::fs;
use std::ops::{Deref, RangeInclusive};
use std::path::PathBuf;
use std::time::Duration;

use reconciler_fixtures::{PlatformRows, plant_within};
use reconciler_jobs::ids::RunId;
use restore_reconciler::internals::clock::Stopwatch;
use serde_json::Value;
use tempfile::TempDir;

use super::case::{Case, FOREIGN, HOME, rows_of};
use super::cluster::TestDatabase;
use super::hold::{Held, hold};
use super::store::{Columns, Fixture, moved};
use super::time::eventually;
use super::worker::{Worker, said_by};

/// No sweep within the time of any test, so that a request is the only way to a verdict.
pub(crate) const NO_SWEEPS: &str = "[sweep]\nschedule = \"0 0 0 1 1 *\"\n";
/// A sweep each second.
pub(crate) const SWEEPS: &str = "[sweep]\nschedule = \"* * * * * *\"\n";

/// A census each second, by which [`Scene::let_pass`] tells that a worker has been at it.
pub(crate) const CENSUS: &str = "[metrics]\ncensus_every = \"1s\"\n";

/// A line per verdict would leave no room for what else a worker says.
const QUIET: &str = "\n[log]\nfilter = \"info,restore_reconciler::storage::report=warn\"\n";

/// Runs that are not closed.
pub(crate) const OPEN: &str = "SELECT count(*) FROM operation_runs WHERE status <> 'completed'";
pub(crate) const VERDICTS: &str = "SELECT count(*) FROM reconciler.ledger";
pub(crate) const TICKS: &str = "SELECT count(*) FROM reconciler.ticks";

/// Jobs that ask for a run and that somebody still has to deal with.
pub(crate) const OPEN_JOBS: &str = "SELECT count(*) FROM apalis.jobs
    WHERE job_type = 'restore.execute' AND status NOT IN ('Done', 'Killed')";
/// Jobs that somebody has in hand.
pub(crate) const IN_HAND: &str =
    "SELECT count(*) FROM apalis.jobs WHERE status IN ('Queued', 'Running')";
pub(crate) const DONE: &str = "SELECT count(*) FROM apalis.jobs WHERE status = 'Done'";
/// Jobs that were taken from a worker which was thought dead. The library counts its acknowledgements, too: those
/// of shards, and on SQLite all.
pub(crate) const TAKEN_AWAY: &str = "SELECT count(*) FROM apalis.jobs
    WHERE job_type = 'restore.execute' AND status <> 'Done' AND attempts > 0";

/// Jobs that are not done, and who has them; for the message of a failure.
const UNFINISHED: &str = "
    SELECT job.id, job.job_type, job.status, job.attempts, job.lock_by, job.lock_at, worker.last_seen
    FROM apalis.jobs AS job LEFT JOIN apalis.workers AS worker ON worker.id = job.lock_by
    WHERE job.status <> 'Done'
    LIMIT 20";

/// A database, prepared, and the configuration of its workers.
pub(crate) struct Scene {
    pub(crate) database: Fixture,
    pub(crate) config: PathBuf,
    _directory: TempDir,
}

impl Deref for Scene {
    type Target = Fixture;

    fn deref(&self) -> &Fixture {
        &self.database
    }
}

impl Scene {
    /// On PostgreSQL, with this configuration for its workers.
    pub(crate) async fn new(config: &str) -> Self {
        Self::prepared(Fixture::postgres_with_queue().await, config)
    }

    /// In an empty database of some cluster.
    pub(crate) async fn in_database(database: TestDatabase, config: &str) -> Self {
        let database = Fixture::in_database(database).await;
        database.furnish().await;
        Self::on(database, config).await
    }

    /// On either system.
    pub(crate) async fn on(database: Fixture, config: &str) -> Self {
        Self::prepared(database.with_queue().await, config)
    }

    fn prepared(database: Fixture, config: &str) -> Self {
        let directory = TempDir::new().expect("a temporary directory");
        let file = directory.path().join("reconciler.toml");
        let quiet = if config.contains("[log]") { "" } else { QUIET };
        fs::write(&file, format!("{config}{quiet}")).expect("a file");
        Self {
            database,
            config: file,
            _directory: directory,
        }
    }

    pub(crate) fn url(&self) -> &str {
        &self.database.url
    }

    /// Starts a worker and waits until it is ready.
    pub(crate) async fn worker(&self) -> Worker {
        self.worker_at(self.url()).await
    }

    /// The same by another way to the database.
    pub(crate) async fn worker_at(&self, url: &str) -> Worker {
        let worker = self.unready_at(url).await;
        until_ready(&worker).await;
        worker
    }

    /// Starts a worker and waits until it answers probes.
    pub(crate) async fn unready_at(&self, url: &str) -> Worker {
        let worker = Worker::start(url, Some(&self.config)).await;
        worker.unwrap_or_else(|why| panic!("{why}"))
    }

    /// Runs with complete proof, from `first` to `last`, spread over `workspaces`, numbered from `workspace` on.
    /// PostgreSQL, where there may be many.
    pub(crate) async fn plant_proven(
        &self,
        first: i64,
        last: i64,
        workspace: i64,
        workspaces: i64,
    ) {
        let mut rows = proven_in(first..=last, workspace, workspaces);
        for id in (workspace..workspace + workspaces).filter(|id| ![HOME.0, FOREIGN.0].contains(id))
        {
            let environments = [(environment_of(id), "Environment")];
            rows.add_environments(id, format!("Workspace {id}"), environments);
        }
        self.platform.plant(&rows).await.expect("runs");
    }

    /// One run of a workspace that is there, and the request for it, in one transaction. PostgreSQL.
    pub(crate) async fn plant_and_request(&self, run: i64, workspace: i64) {
        let mut tx = self.pg().begin().await.expect("a transaction");
        // On a connection that is there already: what a new one costs is nobody's latency.
        let platform = sqlx::query("SET LOCAL ROLE platform").execute(&mut *tx);
        platform.await.expect("a role");
        let rows = proven_in(run..=run, workspace, 1);
        plant_within(&mut tx, &rows).await.expect("a run");
        let queued = sqlx::query_scalar("SELECT reconciler.request($1)").bind(run);
        let queued: bool = queued.fetch_one(&mut *tx).await.expect("an answer");
        assert!(queued, "run {run}");
        tx.commit().await.expect("a commit");
    }

    /// Asks for open runs, all in one transaction.
    pub(crate) async fn request(&self, runs: impl IntoIterator<Item = i64>) {
        let mut runs: Vec<RunId> = runs.into_iter().map(RunId).collect();
        let queued = self.store.request(&runs, "platform", None).await;
        let mut queued = queued.expect("the queue is there");
        runs.sort_unstable();
        queued.sort_unstable();
        assert_eq!(queued, runs);
    }

    /// The same where a sweep may have been quicker.
    pub(crate) async fn request_open(&self, runs: impl IntoIterator<Item = i64>) {
        let runs: Vec<RunId> = runs.into_iter().map(RunId).collect();
        let queued = self.store.request(&runs, "platform", None).await;
        let queued = queued.expect("the queue is there");
        assert!(queued.iter().all(|run| runs.contains(run)), "{queued:?}");
    }

    /// Makes the settlement of `run` wait until it is let go. PostgreSQL.
    pub(crate) async fn hold(&self, run: i64) -> Held {
        hold(self.url(), run).await
    }

    /// What the jobs of a queue say.
    pub(crate) async fn payloads(&self, queue: &str) -> Vec<Value> {
        let text = self.either("CAST(job AS TEXT)", "convert_from(job, 'UTF8')");
        let query = format!("SELECT {text} AS job FROM apalis.jobs WHERE job_type = '{queue}'");
        let jobs = self.rows(&query).await;
        jobs.iter()
            .map(|job| serde_json::from_str(text_of(job, "job")).expect("JSON"))
            .collect()
    }

    /// Waits until a query counts so many, and says how long that took.
    pub(crate) async fn until(&self, query: &str, wanted: i64, worker: &Worker) -> Duration {
        self.until_so(query, |found| found == wanted, worker).await
    }

    /// The same, for so many or more.
    pub(crate) async fn until_least(&self, query: &str, wanted: i64, worker: &Worker) -> Duration {
        self.until_so(query, |found| found >= wanted, worker).await
    }

    async fn until_so(
        &self,
        query: &str,
        is_so: impl Fn(i64) -> bool,
        worker: &Worker,
    ) -> Duration {
        let began = Stopwatch::start();
        let took = async || is_so(self.count(query).await).then(|| began.elapsed());
        let state = async || {
            let (found, jobs) = (self.count(query).await, self.rows(UNFINISHED).await);
            format!("{found}: {query}\n{jobs:#?}\n{}", worker.said())
        };
        eventually(took, state).await
    }

    /// Waits until the worker has counted, at so many seconds from now or later, for which it needs [`CENSUS`]: whatever it
    /// does at a tick of each second, it has had occasion to do.
    pub(crate) async fn let_pass(&self, seconds: i64, worker: &Worker) {
        let moment = format!("SELECT {}", self.in_seconds(seconds));
        let moment = self.value(&moment).await.expect("a moment");
        let counted = format!("SELECT count(*) FROM reconciler.census WHERE as_of > '{moment}'");
        self.until(&counted, 1, worker).await;
    }

    /// Waits until so many runs have a verdict, and says how long that took.
    pub(crate) async fn verdicts(&self, number: i64, worker: &Worker) -> Duration {
        self.until(VERDICTS, number, worker).await
    }

    /// As if these runs had been looked at before, and their time had come.
    pub(crate) async fn watch(&self, which: &str) {
        let now = self.in_seconds(0);
        self.execute(&format!(
            "INSERT INTO reconciler.watch_list (operation_run_id, workspace_id, managed_environment_id,
                 reason_code, first_seen_at, last_looked_at, look_again_at, tries)
             SELECT id, workspace_id, managed_environment_id, 'restore.in_progress', {now}, {now}, {now}, 1
             FROM operation_runs WHERE {which}"
        ))
        .await;
    }

    /// Has every job that asked for a run delivered once more, after so many workers that ended.
    pub(crate) async fn deliver_again(&self, attempts: u32) {
        self.execute(&format!(
            "UPDATE apalis.jobs SET status = 'Pending', lock_by = NULL, lock_at = NULL, done_at = NULL,
                 attempts = {attempts}
             WHERE job_type = 'restore.execute'"
        ))
        .await;
    }

    /// Once everything is settled: jobs that are delivered again, and a sweep, write nothing.
    pub(crate) async fn again_changes_nothing(&self, worker: &Worker) {
        let fingerprint = async || self.standin.fingerprint_but_looks().await.unwrap();
        let before = fingerprint().await;
        self.deliver_again(1).await;
        self.until(OPEN_JOBS, 0, worker).await;
        let (code, said) = said_by(self.url(), &["sweep"]).await;
        assert_eq!(code, Some(0), "{said}");
        assert_eq!(before, fingerprint().await);
    }
}

fn environment_of(workspace: i64) -> i64 {
    workspace * 10 + 1
}

fn proven_in(runs: RangeInclusive<i64>, workspace: i64, workspaces: i64) -> PlatformRows {
    let case = |run| {
        let workspace = workspace + run % workspaces;
        moved(Case::proven(run), (workspace, environment_of(workspace)))
    };
    rows_of(runs.map(case))
}

/// A column that is never null.
pub(crate) fn text_of<'a>(row: &'a Columns, column: &str) -> &'a str {
    row[column].as_deref().expect(column)
}

/// Waits until a probe is answered with this status.
pub(crate) async fn until_answered(worker: &Worker, path: &str, wanted: u16) {
    let is_so = async || (worker.probe(path).await.0 == wanted).then_some(());
    let state = async || {
        let (_, state) = worker.probe("/readyz?verbose").await;
        format!("{path} is not {wanted}: {state}\n{}", worker.said())
    };
    eventually(is_so, state).await;
}

/// Waits until a worker says that it is ready.
pub(crate) async fn until_ready(worker: &Worker) {
    until_answered(worker, "/readyz", 200).await;
}

/// Ends a worker in peace.
pub(crate) async fn dismiss(worker: Worker) {
    let (code, said) = worker.terminate().await;
    assert_eq!(code, Some(0), "a worker that was told to stop\n{said}");
}

/// Waits until a worker has said so.
pub(crate) async fn until_said(worker: &Worker, words: &str) {
    let is_said = async || worker.said().contains(words).then_some(());
    let state = async || format!("never {words:?}:\n{}", worker.said());
    eventually(is_said, state).await;
}
