//! Jobs as rows: who asked for which run, what is due for a recheck, and who won a tick.
//!
//! apalis delivers the jobs; this module holds every statement of ours that touches them, because jobs are queued by
//! the platform's own transactions and finished by settlements. On PostgreSQL they stand in schema `apalis`, beside
//! our own. On SQLite they have a file of their own, because apalis numbers its migrations in the table that ours
//! would use, and its writers and ours would wait for each other. That costs the common transaction: a settlement is
//! acknowledged afterwards, and a crash in between delivers the job once more.
//!
//! **Invariant:** no row here is needed for a run to be found. A job lost, repeated or delivered late
//! costs time, never a verdict.

mod file;
mod listener;
mod state;

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use reconciler_jobs::ids::RunId;
use reconciler_jobs::sweep::admission::Admission;
use reconciler_jobs::sweep::shard::{self, Shard, SweepJob};
use reconciler_jobs::trace::TraceContext;
use serde::Serialize;
use sqlx::migrate::Migrator;
use sqlx::{PgPool, SqlitePool};

use super::column::{OptionalId, StoredMoment};
use super::database::EitherDatabase;
use super::error::{During as _, Result};
use super::model::{Action, Backend, ClaimedJob};
use super::postgres::upgrade::{self, Ground};
use super::sqlite;
use super::statement::{Statement, action_values, statement, values};
use super::store::Store;
use super::sweeps::{SUSPECT, load_due_workspaces};
use super::transaction::{DatabaseTransaction, finish, with_retries};
use file::RETRIES_MAX;
pub use state::QueueState;
use state::{COMMAND, CONSOLE, payloads};
pub(super) use state::{cause_of, run_of};

/// Runs whose time has come, and how long nothing else will happen by itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rechecks {
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

/// Connections to the database that holds the jobs, for apalis.
#[derive(Debug, Clone)]
pub enum QueuePool {
    /// The platform's database.
    Postgres(PgPool),
    /// The queue's own file.
    Sqlite(SqlitePool),
}

/// Decides how many shards a sweep of so many due runs is cut into.
pub type ShardPlan<'a> = &'a (dyn Fn(u64) -> u32 + Send + Sync);

/// How many jobs, or ticks, one statement removes at most.
const PRUNE_ROWS_MAX: u32 = 5_000;

/// Forgets ticks that somebody has won before they came, by another clock.
const FORGET_TICKS: Statement =
    statement!("forget ticks of another clock", both "forget_early_ticks");

/// Writes down how a tick's sweep ended.
const NOTE_SWEPT: Statement = statement!("note how a sweep ended", both "note_swept");

/// The step at which ticks are won.
const WIN: &str = "win a tick";

/// How many workers, for each of which the database looks for jobs that still name it.
const PRUNE_WORKERS_MAX: u32 = 100;

/// How many such statements follow each other.
const PRUNE_STATEMENTS_MAX: u32 = 20;

impl Store {
    /// Connections for apalis.
    pub fn queue_pool(&self) -> QueuePool {
        match &self.database {
            EitherDatabase::Postgres(database) => QueuePool::Postgres(database.queue.clone()),
            EitherDatabase::Sqlite(database) => QueuePool::Sqlite(database.queue.clone()),
        }
    }

    /// What migrating would meet and do in a database of PostgreSQL; nothing on SQLite, where nothing can be in the way.
    /// `queue` are the migrations of apalis. Writes nothing.
    pub async fn survey(&self, queue: &Migrator) -> Result<Option<Ground>> {
        match &self.database {
            EitherDatabase::Postgres(database) => {
                upgrade::survey(&database.pool, queue).await.map(Some)
            }
            EitherDatabase::Sqlite(_) => Ok(None),
        }
    }

    /// Creates or upgrades apalis's tables, from its own migrations, and corrects them where they make jobs slow.
    /// Several processes may call this at once; one works, the others wait.
    pub async fn migrate_queue(&self, migrations: Migrator) -> Result<()> {
        match &self.database {
            EitherDatabase::Postgres(database) => {
                let (step, pool) = ("migrate schema apalis", &database.pool);
                let ground = upgrade::look(pool, &migrations).await?;
                if ground.is_left_alone(&ground.queue) {
                    return Ok(());
                }
                let beside = ground.beside_extensions();
                upgrade::run(pool, step, migrations, beside).await
            }
            EitherDatabase::Sqlite(database) => {
                let step = "migrate the queue's file";
                let drop_index = include_str!("../sqlite/sql/drop_lock_index.sql");
                // A file that two processes create at once is locked while it gets its journal.
                with_retries(RETRIES_MAX, async || {
                    sqlite::run_migrations(&database.queue, step, &migrations).await?;
                    let drop_index = sqlx::query(drop_index).execute(&database.queue);
                    drop_index.await.during(step).map(drop)
                })
                .await
            }
        }
    }

    /// Whether apalis's own tables are there.
    pub async fn has_queue(&self) -> Result<bool> {
        self.database.has_queue().await
    }

    /// Queues a job for each of `runs` that is an open `restore.execute` run, and says which those are. The jobs
    /// belong to `trace`.
    pub async fn request(
        &self,
        runs: &[RunId],
        cause: &str,
        trace: Option<TraceContext>,
    ) -> Result<Vec<RunId>> {
        self.request_for(runs, cause, trace, None).await
    }

    /// As [`Self::request`], for a person: who asked is noted beside the jobs.
    pub async fn enqueue(&self, runs: &[RunId], action: &Action) -> Result<Vec<RunId>> {
        let trace = action.trace;
        self.request_for(runs, COMMAND, trace, Some(action)).await
    }

    async fn request_for(
        &self,
        runs: &[RunId],
        cause: &str,
        trace: Option<TraceContext>,
        action: Option<&Action>,
    ) -> Result<Vec<RunId>> {
        if self.has_queue_file() {
            return self.request_in_file(runs, cause, trace, action).await;
        }
        let statement = statement!("queue jobs", postgres "request");
        let [verb, actor, reason, trace_id] = action_values(action);
        let trace = trace.map(|trace| trace.to_string());
        let values = values![runs, cause, trace, verb, actor, reason, trace_id];
        self.database.fetch_runs(statement, values).await
    }

    /// Queues a job for `run` if it is an open `restore.execute` run, unless one that asks for it is not finished,
    /// says whether the run is open, and notes who asked if it is. On PostgreSQL, two who ask at the same moment
    /// may both queue one.
    pub async fn request_once(&self, run: RunId, action: &Action) -> Result<bool> {
        if self.has_queue_file() {
            return self.request_once_in_file(run, action).await;
        }
        let statement = statement!("queue a job", postgres "request_once");
        let [verb, actor, reason, trace_id] = action_values(Some(action));
        let trace = action.trace.map(|trace| trace.to_string());
        let values = values![run, CONSOLE, trace, verb, actor, reason, trace_id];
        let (is_open,) = self.database.fetch_one(statement, values).await?;
        Ok(is_open)
    }

    /// How many jobs that ask for one run are not finished: they wait, are in hand, or will be tried
    /// again.
    pub async fn count_unfinished(&self) -> Result<u64> {
        let statement = statement!("count unfinished jobs", both queue "count_unfinished");
        let (count,): (i64,) = self.database.fetch_one(statement, &[]).await?;
        Ok(count.unsigned_abs())
    }

    /// Says that these workers are alive. Where jobs are in a file that is not the one that was opened any
    /// more, the error [needs a restart](super::StoreError::needs_restart).
    pub async fn keep_alive(&self, workers: &[String]) -> Result<()> {
        let statement = statement!("say that this worker is alive", queue "keep_alive");
        self.database.check_files(statement.step)?;
        self.database.say_alive(statement, values![workers]).await
    }

    /// Remembers that these runs were in the hands of a process that ended before they were settled.
    pub async fn suspect(&self, runs: &[RunId], worker: &str) -> Result<()> {
        let values = values![runs, worker];
        self.database.execute(SUSPECT, values).await.map(drop)
    }

    /// Gives jobs back to their queue that their worker still holds. On SQLite, whoever took a job does so himself.
    pub async fn release(&self, jobs: &[ClaimedJob]) -> Result<()> {
        if self.has_queue_file() {
            return Ok(());
        }
        let jobs: Vec<&ClaimedJob> = jobs.iter().collect();
        self.database
            .write(async |tx| tx.release_jobs(&jobs).await)
            .await
    }

    /// Gives all jobs back to their queue that some workers still hold, and says how many. `workers` is what their
    /// names begin with, before a slash.
    pub async fn release_all(&self, workers: &str) -> Result<u64> {
        let statement = statement!("give jobs back", both queue "release_all");
        self.database.execute(statement, values![workers]).await
    }

    /// Marks a job as one that nobody can read. On SQLite, whoever took the job acknowledges it as killed.
    pub async fn discard(&self, job: &str, worker: &str) -> Result<()> {
        let statement = statement!("discard a job", postgres "discard");
        let values = values![job, worker];
        self.database.execute(statement, values).await.map(drop)
    }

    /// Marks rows as discarded that apalis cannot read, and says how many. One of them would keep it from all the
    /// others.
    pub async fn discard_unreadable(&self) -> Result<u64> {
        let step = "discard jobs that nobody can read";
        let statement = statement!(step, queue "discard_unreadable");
        self.database.execute(statement, &[]).await
    }

    /// Deferred, refused and suspected runs that may be settled and whose time has come, at most `limit`.
    pub async fn load_rechecks(&self, limit: u32, admission: &Admission) -> Result<Rechecks> {
        let statement = statement!("look for awaited runs", "load_awaited");
        let workspaces = admission.workspaces.as_ref();
        let workspaces: Option<Vec<i64>> =
            workspaces.map(|these| these.iter().map(|it| it.0).collect());
        let looking = self.database.read(async |tx| {
            let values = values![limit, tx.as_of, workspaces, admission.not_before];
            tx.driver().fetch_all(statement, values).await
        });
        let found: Vec<(OptionalId, Option<i64>)> = looking.await?;
        let next_in = found.iter().find_map(|(_, next_in)| *next_in);
        let runs = found.into_iter().filter_map(|(run, _)| run.into());
        Ok(Rechecks {
            runs: runs.collect(),
            next_in: next_in.map(SignedDuration::from_micros),
        })
    }

    /// Takes part in the race for a tick. The winner queues the sweep's shards, in the same transaction
    /// where the queue is in the same database, and is told how many; `plan` decides that from the number of due
    /// runs, and none where nothing is due. The others get nothing, and so does whoever is early by the database's clock.
    pub async fn win_tick(
        &self,
        tick: Timestamp,
        worker: &str,
        plan: ShardPlan<'_>,
    ) -> Result<Option<u32>> {
        let mut tx = self.database.begin_trusted(WIN).await?;
        let won = Box::pin(win_tick(&mut tx, tick, worker, plan)).await;
        let Some(jobs) = finish(tx, won).await? else {
            return Ok(None);
        };
        if self.has_queue_file() {
            self.queue_in_file(shard::QUEUE, &jobs).await?;
        }
        Ok(Some(u32::try_from(jobs.len()).unwrap_or(u32::MAX)))
    }

    /// Forgets ticks that were won before they came: all that are to come by the database's clock, and `tick` where it was
    /// won before its time. They were won by another clock.
    pub async fn forget_early_ticks(&self, tick: Timestamp) -> Result<()> {
        let values = values![tick];
        self.database.execute(FORGET_TICKS, values).await.map(drop)
    }

    /// Writes down that a shard of a tick's sweep was swept to its end.
    pub async fn note_swept(&self, tick: Timestamp, shard: Shard) -> Result<()> {
        let values = values![tick, shard.of(), 1_i64 << shard.index()];
        self.database.execute(NOTE_SWEPT, values).await.map(drop)
    }

    /// The latest tick before `tick` of which each shard was swept to its end, or at which nothing was due.
    pub async fn last_swept(&self, tick: Timestamp) -> Result<Option<Timestamp>> {
        let statement = statement!("look for the last sweep that ended", both "last_swept");
        let mut last: Vec<(StoredMoment,)> =
            self.database.fetch_all(statement, values![tick]).await?;
        let last = last.pop();
        last.map(|(last,)| last.read(statement.step)).transpose()
    }

    /// Removes what nobody needs any more, in statements that each remove little: whoever writes meanwhile
    /// waits for one of them at most. What one call leaves is the next one's, after 100,000 jobs.
    pub async fn prune(&self, keep: &Retention) -> Result<Pruned> {
        let step = "remove what is finished";
        let jobs = statement!(step, queue "prune_jobs");
        let workers = statement!(step, queue "prune_workers");
        let ticks = statement!(step, both "prune_ticks");
        Ok(Pruned {
            jobs: self.remove(jobs, keep.jobs, PRUNE_ROWS_MAX).await?,
            workers: self
                .remove(workers, keep.workers, PRUNE_WORKERS_MAX)
                .await?,
            ticks: self.remove(ticks, keep.ticks, PRUNE_ROWS_MAX).await?,
        })
    }

    /// Makes the ledger's months to come, so far as they are not there, unless others hold the ledger just now. Nothing
    /// on SQLite, where it has none.
    pub async fn extend_ledger(&self) -> Result<()> {
        let statement = statement!("make the ledger's months to come", postgres "extend_ledger");
        self.database.execute(statement, &[]).await.map(drop)
    }

    /// Repeats a statement that removes what is older than `keep`, at most `rows_max` rows, until it finds fewer, and
    /// says how many went.
    async fn remove(&self, statement: Statement, keep: Duration, rows_max: u32) -> Result<u64> {
        let mut removed = 0;
        for _ in 0..PRUNE_STATEMENTS_MAX {
            let values = values![keep, rows_max];
            let rows = self.database.execute(statement, values).await?;
            removed += rows;
            if rows < u64::from(rows_max) {
                break;
            }
        }
        Ok(removed)
    }

    /// Lets open runs start over that are dead letters, suspended or refused, queues a job for each, and
    /// says which those are. A suspect stays one, so that it is still settled alone. A run whose time has
    /// come already is left as it is. What was known of each before is noted, with who had it done.
    pub async fn retry(&self, runs: &[RunId], action: &Action) -> Result<Vec<RunId>> {
        if self.has_queue_file() {
            return self.retry_in_file(runs, action).await;
        }
        let statement = statement!("let runs start over", postgres "retry");
        let [verb, actor, reason, trace] = action_values(Some(action));
        let values = values![runs, verb, actor, reason, trace];
        self.database.fetch_runs(statement, values).await
    }

    /// Takes dead letters among `runs` out of the lists, removes the jobs that wait for them, says which were not
    /// dropped before, and notes who had it done. The runs stay open. Of the jobs, those that wait are read, and no other.
    pub async fn drop_dead_letters(&self, runs: &[RunId], action: &Action) -> Result<Vec<RunId>> {
        if self.has_queue_file() {
            return self.drop_in_file(runs, action).await;
        }
        let statement = statement!("drop dead letters", postgres "drop_dead_letters");
        let [verb, actor, reason, trace] = action_values(Some(action));
        let values = values![runs, verb, actor, reason, trace];
        self.database.fetch_runs(statement, values).await
    }

    /// Whether jobs are in a file of their own.
    fn has_queue_file(&self) -> bool {
        self.backend() == Backend::Sqlite
    }
}

/// The jobs of the sweep that a tick asks for; nothing where somebody else won it. Where the queue is in the same
/// database, they are queued with it.
async fn win_tick(
    tx: &mut DatabaseTransaction,
    tick: Timestamp,
    worker: &str,
    plan: ShardPlan<'_>,
) -> Result<Option<Vec<String>>> {
    let step = WIN;
    let (win, queue) = (
        statement!(step, both "win_tick"),
        // Whoever takes them looks often enough, so nobody is notified.
        statement!(step, postgres "queue_shards"),
    );
    let as_of = tx.as_of;
    if tick > as_of {
        return Ok(None);
    }
    tx.driver().execute(FORGET_TICKS, values![tick]).await?;
    let won = tx
        .driver()
        .execute(win, values![tick, worker, as_of])
        .await?;
    if won == 0 {
        return Ok(None);
    }
    let due = load_due_workspaces(tx, None, Shard::WHOLE).await?;
    let shards = match due.iter().map(|due| due.runs).sum() {
        0 => 0,
        runs => plan(runs),
    };
    if shards == 0 {
        tx.driver()
            .execute(NOTE_SWEPT, values![tick, 0_i64, 0_i64])
            .await?;
    }
    let jobs = payloads(SweepJob::all(tick, shards))?;
    tx.driver().execute(queue, values![&*jobs]).await?;
    Ok(Some(jobs))
}
