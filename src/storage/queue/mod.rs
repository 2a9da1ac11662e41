//! Jobs as rows: who asked for which run, what is awaited, and who won a tick.
//!
//! A queue library delivers the jobs; this module holds every statement of ours that touches them,
//! because jobs are queued by the platform's own transactions and finished by settlements. On
//! PostgreSQL they stand in schema `apalis`, beside our own; on SQLite in a file of their own.
//!
//! **Invariant:** no row here is needed for a run to be found. A job lost, repeated or delivered late
//! costs time, never a verdict.

pub mod oversight;
mod postgres;
mod sqlite;
mod state;

use std::time::Duration;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use reconciler_jobs::ids::RunId;
use reconciler_jobs::sweep::turns::DueWorkspace;
use reconciler_jobs::trace::TraceContext;
use serde::Serialize;
use sqlx::migrate::Migrator;
use sqlx::{PgPool, SqlitePool};
use tracing::Span;

use super::StoreError;
pub use state::QueueState;
pub(super) use state::{cause_of, run_of};

/// A job that a worker has taken.
#[derive(Debug, Clone, PartialEq)]
pub struct HeldJob {
    /// The job.
    pub id: String,
    /// The worker that took it. Another name in its row means that it was taken away since.
    pub worker: String,
    /// The run it asks for.
    pub run: RunId,
    /// When the run was asked for, by the database's clock.
    pub asked_at: Option<Timestamp>,
    /// The trace it belongs to, if any.
    pub trace: Option<TraceContext>,
    /// What it is logged under; [`Span::none`] where nobody listens.
    pub span: Span,
}

/// Runs whose time has come, and how long nothing else will happen by itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Awaited {
    /// Open runs whose time to be looked at again, or to be tried again, has come.
    pub runs: Vec<RunId>,
    /// How long until the next such moment that is known by now.
    pub next_in: Option<SignedDuration>,
}

/// How long what is finished is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Finished jobs.
    pub jobs: Duration,
    /// Workers that were not heard of.
    pub workers: Duration,
    /// Ticks that were won.
    pub ticks: Duration,
}

/// How many rows were removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Pruned {
    /// Finished jobs.
    pub jobs: u64,
    /// Workers that were not heard of.
    pub workers: u64,
    /// Ticks that were won.
    pub ticks: u64,
}

/// Connections to the database that holds the jobs, for the library that delivers them.
#[derive(Debug, Clone)]
pub enum QueuePool {
    /// The platform's database.
    Postgres(PgPool),
    /// The queue's own file.
    Sqlite(SqlitePool),
}

/// Notices that jobs were queued.
#[async_trait]
pub trait Wakes: Send {
    /// Waits for the next notice. A notice may be lost, and one may stand for many jobs. Returns also
    /// after the connection was lost and is there again, because notices were missed meanwhile.
    async fn next(&mut self) -> Result<(), StoreError>;
}

/// Decides how many shards a sweep of so many due runs is cut into.
pub type ShardPlan<'a> = &'a (dyn Fn(u64) -> u32 + Send + Sync);

/// A database that holds jobs.
#[async_trait]
pub trait Queue: Send + Sync {
    /// Connections for the library that delivers jobs.
    fn queue_pool(&self) -> QueuePool;

    /// Creates or upgrades the tables of the library that delivers jobs, from its own migrations, and
    /// corrects them where they make jobs slow. Several processes may call this at once; one works, the
    /// others wait.
    async fn migrate_queue(&self, migrations: Migrator) -> Result<(), StoreError>;

    /// Whether the library's own tables are there.
    async fn has_queue(&self) -> Result<bool, StoreError>;

    /// Queues a job for each of `runs` that is an open `restore.execute` run, and says which those are. The jobs
    /// belong to `trace`.
    async fn request(
        &self,
        runs: &[RunId],
        cause: &str,
        trace: Option<TraceContext>,
    ) -> Result<Vec<RunId>, StoreError>;

    /// Queues a job for `run` if it is an open `restore.execute` run, unless one that asks for it is not finished,
    /// and says whether the run is open. The job belongs to `trace`. On PostgreSQL, two who ask at the same moment
    /// may both queue one.
    async fn request_once(
        &self,
        run: RunId,
        cause: &str,
        trace: Option<TraceContext>,
    ) -> Result<bool, StoreError>;

    /// How many jobs that ask for one run are not finished: they wait, are in hand, or will be tried
    /// again.
    async fn count_unfinished(&self) -> Result<u64, StoreError>;

    /// Waits for jobs, on a connection of its own. `url` leads around a pooler that cannot pass notices on.
    ///
    /// Sends itself a notice first. One that does not arrive is [`ErrorKind::Fatal`](super::ErrorKind::Fatal).
    async fn listen(&self, url: Option<&str>) -> Result<Box<dyn Wakes>, StoreError>;

    /// Says that these workers are alive. Where jobs are in a file that is not the one that was opened any
    /// more, the error [needs a restart](super::StoreError::needs_restart).
    async fn keep_alive(&self, workers: &[String]) -> Result<(), StoreError>;

    /// Remembers that these runs were in the hands of a process that ended before they were settled.
    async fn suspect(&self, runs: &[RunId], worker: &str) -> Result<(), StoreError>;

    /// Gives jobs back to their queue that their worker still holds.
    async fn release(&self, jobs: &[HeldJob]) -> Result<(), StoreError>;

    /// Gives all jobs back to their queue that workers of this process still hold, and says how many. `process`
    /// is what their names begin with, before a slash.
    async fn release_all(&self, process: &str) -> Result<u64, StoreError>;

    /// Marks a job as one that nobody can read.
    async fn discard(&self, job: &str, worker: &str) -> Result<(), StoreError>;

    /// Marks rows as discarded that the library that delivers jobs cannot read, and says how many. One of them
    /// would keep it from all the others.
    async fn discard_unreadable(&self) -> Result<u64, StoreError>;

    /// Deferred, refused and suspected runs whose time has come, at most `limit`.
    async fn load_awaited(&self, limit: u32) -> Result<Awaited, StoreError>;

    /// Takes part in the race for a tick. The winner queues the sweep's shards, in the same transaction
    /// where the queue is in the same database, and is told how many; `plan` decides that from the number of due runs, and none where nothing is
    /// due. The others get nothing.
    async fn win_tick(
        &self,
        tick: Timestamp,
        worker: &str,
        plan: ShardPlan<'_>,
    ) -> Result<Option<u32>, StoreError>;

    /// Whether a shard of a sweep that was asked for before `tick` is still not done.
    async fn has_late_shards(&self, tick: Timestamp) -> Result<bool, StoreError>;

    /// Removes what nobody needs any more, in statements that each remove little: whoever writes meanwhile
    /// waits for one of them at most. What one call leaves is the next one's, after 100,000 jobs.
    async fn prune(&self, keep: &Retention) -> Result<Pruned, StoreError>;
}

/// How many jobs, or ticks, one statement removes at most.
const PRUNE_ROWS_MAX: u32 = 5_000;

/// The same of workers, for each of which the database looks for jobs that still name it.
const PRUNE_WORKERS_MAX: u32 = 100;

/// How many such statements follow each other.
const PRUNE_STATEMENTS_MAX: u32 = 20;

/// Repeats a statement that removes at most `rows_max` rows until it finds fewer, and says how many went.
async fn remove_all<F>(rows_max: u32, mut remove: impl FnMut(i64) -> F) -> Result<u64, StoreError>
where
    F: Future<Output = Result<u64, StoreError>>,
{
    let mut removed = 0;
    for _ in 0..PRUNE_STATEMENTS_MAX {
        let rows = remove(i64::from(rows_max)).await?;
        removed += rows;
        if rows < u64::from(rows_max) {
            break;
        }
    }
    Ok(removed)
}

pub(super) fn document<R: Serialize + ?Sized>(
    step: &'static str,
    rows: &R,
) -> Result<String, StoreError> {
    serde_json::to_string(rows).map_err(|error| StoreError::refused(step, error))
}

/// Each job's payload, as JSON.
fn payloads<J: Serialize>(jobs: impl IntoIterator<Item = J>) -> Result<Vec<String>, StoreError> {
    jobs.into_iter()
        .map(|job| document("write jobs", &job))
        .collect()
}

/// Into how many shards a sweep is cut: into none where nothing is due.
fn shards(due: &[DueWorkspace], plan: ShardPlan<'_>) -> u32 {
    match due.iter().map(|due| due.runs).sum() {
        0 => 0,
        runs => plan(runs),
    }
}
