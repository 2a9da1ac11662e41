//! Jobs in a file of their own, beside the database.
//!
//! The library that delivers jobs numbers its migrations in the table that ours would use, and its
//! writers and ours would wait for each other. A file of its own costs the common transaction: a
//! settlement is acknowledged afterwards, and a crash in between delivers the job once more.

use std::time::Duration;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use reconciler_jobs::ids::RunId;
use reconciler_jobs::restore_execute::request::{self, Request};
use reconciler_jobs::sweep::shard::{self, Shard, SweepJob};
use reconciler_jobs::trace::TraceContext;
use sqlx::SqlitePool;
use sqlx::migrate::Migrator;

use super::{
    Awaited, HeldJob, PRUNE_ROWS_MAX, PRUNE_WORKERS_MAX, Pruned, Queue, QueuePool, Retention,
    ShardPlan, Wakes, remove_all,
};
use crate::storage::Store as _;
use crate::storage::error::{During as _, StoreError};
use crate::storage::settle::with_retries;
use crate::storage::sqlite::{SqliteStore, run_migrations};

/// How often the file is written to again when somebody else held it for too long.
const RETRIES_MAX: u32 = 5;

#[async_trait]
impl Queue for SqliteStore {
    fn queue_pool(&self) -> QueuePool {
        QueuePool::Sqlite(self.queue().clone())
    }

    async fn migrate_queue(&self, migrations: Migrator) -> Result<(), StoreError> {
        let step = "migrate the queue's file";
        // A file that two processes create at once is locked while it gets its journal.
        with_retries(RETRIES_MAX, async || {
            run_migrations(self.queue(), step, &migrations).await?;
            sqlx::query(include_str!("sqlite/drop_lock_index.sql"))
                .execute(self.queue())
                .await
                .during(step)
        })
        .await?;
        Ok(())
    }

    async fn has_queue(&self) -> Result<bool, StoreError> {
        sqlx::query_scalar(include_str!("sqlite/has_queue.sql"))
            .fetch_one(self.queue())
            .await
            .during("look for the queue's tables")
    }

    async fn request(
        &self,
        runs: &[RunId],
        cause: &str,
        trace: Option<TraceContext>,
    ) -> Result<Vec<RunId>, StoreError> {
        let open = self.load_open(runs).await?;
        let asked_at = self.now().await?;
        let requests = open
            .iter()
            .map(|run| request_for(*run, cause, trace, asked_at));
        self.queue_jobs(request::QUEUE, &super::payloads(requests)?)
            .await?;
        Ok(open)
    }

    async fn request_once(
        &self,
        run: RunId,
        cause: &str,
        trace: Option<TraceContext>,
    ) -> Result<bool, StoreError> {
        let step = "queue a job";
        self.check_file(step)?;
        self.has_queue_file(step)?;
        if self.load_open(&[run]).await?.is_empty() {
            return Ok(false);
        }
        let asked_at = self.now().await?;
        let payload = super::document(step, &request_for(run, cause, trace, asked_at))?;
        // Somebody waits for the answer: no longer than for one lock.
        sqlx::query(include_str!("sqlite/request_once.sql"))
            .bind(run.0)
            .bind(&payload)
            .execute(self.queue())
            .await
            .during(step)?;
        Ok(true)
    }

    async fn count_unfinished(&self) -> Result<u64, StoreError> {
        let count: i64 = sqlx::query_scalar(include_str!("sqlite/count_unfinished.sql"))
            .fetch_one(self.queue())
            .await
            .during("count unfinished jobs")?;
        Ok(count.unsigned_abs())
    }

    async fn listen(&self, _: Option<&str>) -> Result<Box<dyn Wakes>, StoreError> {
        Ok(Box::new(Silent))
    }

    async fn keep_alive(&self, workers: &[String]) -> Result<(), StoreError> {
        let step = "say that this worker is alive";
        self.check_file(step)?;
        self.has_queue_file(step)?;
        sqlx::query(include_str!("sqlite/keep_alive.sql"))
            .bind(super::document(step, workers)?)
            .execute(self.queue())
            .await
            .during(step)?;
        Ok(())
    }

    async fn suspect(&self, runs: &[RunId], worker: &str) -> Result<(), StoreError> {
        let step = "note suspected runs";
        let now = self.now().await?;
        sqlx::query(include_str!("sqlite/suspect.sql"))
            .bind(super::document(step, runs)?)
            .bind(worker)
            .bind(now.as_microsecond())
            .execute(self.pool())
            .await
            .during(step)?;
        Ok(())
    }

    /// Whoever took a job acknowledges it.
    async fn release(&self, _: &[HeldJob]) -> Result<(), StoreError> {
        Ok(())
    }

    async fn release_all(&self, process: &str) -> Result<u64, StoreError> {
        let released = sqlx::query(include_str!("sqlite/release_all.sql"))
            .bind(process)
            .execute(self.queue())
            .await
            .during("give jobs back")?;
        Ok(released.rows_affected())
    }

    /// Whoever took the job acknowledges it as killed.
    async fn discard(&self, _: &str, _: &str) -> Result<(), StoreError> {
        Ok(())
    }

    async fn discard_unreadable(&self) -> Result<u64, StoreError> {
        let discarded = sqlx::query(include_str!("sqlite/discard_unreadable.sql"))
            .execute(self.queue())
            .await
            .during("discard jobs that nobody can read")?;
        Ok(discarded.rows_affected())
    }

    async fn load_awaited(&self, limit: u32) -> Result<Awaited, StoreError> {
        let step = "look for awaited runs";
        let now = self.now().await?.as_microsecond();
        let ids: Vec<i64> = sqlx::query_scalar(include_str!("sqlite/load_awaited.sql"))
            .bind(now)
            .bind(i64::from(limit))
            .fetch_all(self.pool())
            .await
            .during(step)?;
        let next: Option<i64> = sqlx::query_scalar(include_str!("sqlite/next_awaited.sql"))
            .bind(now)
            .fetch_one(self.pool())
            .await
            .during(step)?;
        Ok(Awaited {
            runs: ids.into_iter().map(RunId).collect(),
            next_in: next.map(SignedDuration::from_micros),
        })
    }

    async fn win_tick(
        &self,
        tick: Timestamp,
        worker: &str,
        plan: ShardPlan<'_>,
    ) -> Result<Option<u32>, StoreError> {
        let now = self.now().await?;
        let won = sqlx::query(include_str!("sqlite/win_tick.sql"))
            .bind(tick.as_microsecond())
            .bind(worker)
            .bind(now.as_microsecond())
            .execute(self.pool())
            .await
            .during("win a tick")?;
        if won.rows_affected() == 0 {
            return Ok(None);
        }
        let due = self.load_due_workspaces(None, Shard::WHOLE).await?;
        let shards = super::shards(&due, plan);
        let payloads = super::payloads(SweepJob::all(tick, shards))?;
        self.queue_jobs(shard::QUEUE, &payloads).await?;
        Ok(Some(shards))
    }

    async fn has_late_shards(&self, tick: Timestamp) -> Result<bool, StoreError> {
        sqlx::query_scalar(include_str!("sqlite/has_late_shards.sql"))
            .bind(tick.as_second())
            .fetch_one(self.queue())
            .await
            .during("look for late shards")
    }

    async fn prune(&self, keep: &Retention) -> Result<Pruned, StoreError> {
        let now = self.now().await?;
        let before = |age: Duration| now.as_second() - age.as_secs().cast_signed();
        let (own, queue) = (self.pool(), self.queue());
        let jobs = include_str!("sqlite/prune_jobs.sql");
        let workers = include_str!("sqlite/prune_workers.sql");
        let ticks = include_str!("sqlite/prune_ticks.sql");
        let won_before = before(keep.ticks).saturating_mul(1_000_000);
        Ok(Pruned {
            jobs: remove_all(PRUNE_ROWS_MAX, |max| {
                remove(queue, jobs, before(keep.jobs), max)
            })
            .await?,
            workers: remove_all(PRUNE_WORKERS_MAX, |max| {
                remove(queue, workers, before(keep.workers), max)
            })
            .await?,
            ticks: remove_all(PRUNE_ROWS_MAX, |max| remove(own, ticks, won_before, max)).await?,
        })
    }
}

/// What a job says that asks for a run.
fn request_for(
    run: RunId,
    cause: &str,
    trace: Option<TraceContext>,
    asked_at: Timestamp,
) -> Request {
    Request {
        run,
        cause: Some(cause.chars().take(request::CAUSE_CHARS_MAX).collect()),
        traceparent: trace.map(|trace| trace.to_string()),
        asked_at: Some(asked_at.as_microsecond()),
    }
}

impl SqliteStore {
    /// The open `restore.execute` runs among `runs`.
    async fn load_open(&self, runs: &[RunId]) -> Result<Vec<RunId>, StoreError> {
        let step = "look for open runs";
        let open: Vec<i64> = sqlx::query_scalar(include_str!("sqlite/load_open.sql"))
            .bind(super::document(step, runs)?)
            .fetch_all(self.pool())
            .await
            .during(step)?;
        Ok(open.into_iter().map(RunId).collect())
    }

    async fn queue_jobs(&self, queue: &str, payloads: &[String]) -> Result<(), StoreError> {
        let step = "queue jobs";
        if payloads.is_empty() {
            return Ok(());
        }
        let document = super::document(step, payloads)?;
        // Whoever takes and acknowledges jobs writes into the same file.
        with_retries(RETRIES_MAX, async || {
            sqlx::query(include_str!("sqlite/queue_jobs.sql"))
                .bind(queue)
                .bind(&document)
                .execute(self.queue())
                .await
                .during(step)
        })
        .await?;
        Ok(())
    }
}

/// Removes what is older than a moment, at most `limit` rows, and says how many.
async fn remove(
    pool: &SqlitePool,
    statement: &'static str,
    before: i64,
    limit: i64,
) -> Result<u64, StoreError> {
    let removed = sqlx::query(statement)
        .bind(before)
        .bind(limit)
        .execute(pool)
        .await
        .during("remove what is finished")?;
    Ok(removed.rows_affected())
}

/// A file sends no notices: its readers look again after a while.
struct Silent;

#[async_trait]
impl Wakes for Silent {
    async fn next(&mut self) -> Result<(), StoreError> {
        std::future::pending().await
    }
}
