//! Jobs in the platform's database, in schema `apalis`.

use std::time::Duration;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use reconciler_jobs::ids::RunId;
use reconciler_jobs::sweep::shard::{Shard, SweepJob};
use reconciler_jobs::trace::TraceContext;
use sqlx::migrate::Migrator;
use sqlx::postgres::{PgConnectOptions, PgListener, PgPoolOptions};

use super::{
    Awaited, HeldJob, PRUNE_ROWS_MAX, PRUNE_WORKERS_MAX, Pruned, Queue, QueuePool, Retention,
    ShardPlan, Wakes, remove_all,
};
use crate::storage::error::{During as _, StoreError, Unheard};
use crate::storage::postgres::sweeps::due_workspaces;
use crate::storage::postgres::{PostgresStore, answering, as_we_are, run_migrations};
use crate::storage::settle::{Transaction as _, Transactions as _};

/// What [`Queue::listen`] listens to; `reconciler.wake()` notifies it.
const CHANNEL: &str = "reconciler_wake";

/// The step, as errors name it.
const LISTEN: &str = "listen for jobs";

/// How long a notice of our own may be under way. It takes a millisecond.
const HEARD_WITHIN: Duration = Duration::from_secs(1);

#[async_trait]
impl Queue for PostgresStore {
    fn queue_pool(&self) -> QueuePool {
        QueuePool::Postgres(self.queue().clone())
    }

    async fn migrate_queue(&self, migrations: Migrator) -> Result<(), StoreError> {
        run_migrations(self.pool(), "migrate schema apalis", migrations).await
    }

    async fn has_queue(&self) -> Result<bool, StoreError> {
        sqlx::query_scalar(include_str!("postgres/has_queue.sql"))
            .fetch_one(self.pool())
            .await
            .during("look for the queue's tables")
    }

    async fn request(
        &self,
        runs: &[RunId],
        cause: &str,
        trace: Option<TraceContext>,
    ) -> Result<Vec<RunId>, StoreError> {
        let ids: Vec<i64> = runs.iter().map(|run| run.0).collect();
        let queued: Vec<i64> = sqlx::query_scalar(include_str!("postgres/request.sql"))
            .bind(ids)
            .bind(cause)
            .bind(trace.map(|trace| trace.to_string()))
            .fetch_all(self.pool())
            .await
            .during("queue jobs")?;
        Ok(queued.into_iter().map(RunId).collect())
    }

    async fn request_once(
        &self,
        run: RunId,
        cause: &str,
        trace: Option<TraceContext>,
    ) -> Result<bool, StoreError> {
        sqlx::query_scalar(include_str!("postgres/request_once.sql"))
            .bind(run.0)
            .bind(cause)
            .bind(trace.map(|trace| trace.to_string()))
            .fetch_one(self.pool())
            .await
            .during("queue a job")
    }

    async fn count_unfinished(&self) -> Result<u64, StoreError> {
        let count: i64 = sqlx::query_scalar(include_str!("postgres/count_unfinished.sql"))
            .fetch_one(self.pool())
            .await
            .during("count unfinished jobs")?;
        Ok(count.unsigned_abs())
    }

    async fn listen(&self, url: Option<&str>) -> Result<Box<dyn Wakes>, StoreError> {
        let mut listener = self.connect_listener(url).await?;
        if !self.is_heard_by(&mut listener).await? {
            return Err(StoreError::fatal(LISTEN, Unheard));
        }
        listener.listen(CHANNEL).await.during(LISTEN)?;
        Ok(Box::new(Listening(listener)))
    }

    async fn keep_alive(&self, workers: &[String]) -> Result<(), StoreError> {
        sqlx::query(include_str!("postgres/keep_alive.sql"))
            .bind(workers)
            .execute(self.pool())
            .await
            .during("say that this worker is alive")?;
        Ok(())
    }

    async fn suspect(&self, runs: &[RunId], worker: &str) -> Result<(), StoreError> {
        let ids: Vec<i64> = runs.iter().map(|run| run.0).collect();
        sqlx::query(include_str!("postgres/suspect.sql"))
            .bind(ids)
            .bind(worker)
            .execute(self.pool())
            .await
            .during("note suspected runs")?;
        Ok(())
    }

    async fn release(&self, jobs: &[HeldJob]) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        let jobs: Vec<&HeldJob> = jobs.iter().collect();
        tx.release_jobs(&jobs).await?;
        tx.commit().await
    }

    async fn release_all(&self, process: &str) -> Result<u64, StoreError> {
        let released = sqlx::query(include_str!("postgres/release_all.sql"))
            .bind(process)
            .execute(self.pool())
            .await
            .during("give jobs back")?;
        Ok(released.rows_affected())
    }

    async fn discard(&self, job: &str, worker: &str) -> Result<(), StoreError> {
        sqlx::query(include_str!("postgres/discard.sql"))
            .bind(job)
            .bind(worker)
            .execute(self.pool())
            .await
            .during("discard a job")?;
        Ok(())
    }

    async fn discard_unreadable(&self) -> Result<u64, StoreError> {
        let discarded = sqlx::query(include_str!("postgres/discard_unreadable.sql"))
            .execute(self.pool())
            .await
            .during("discard jobs that nobody can read")?;
        Ok(discarded.rows_affected())
    }

    async fn load_awaited(&self, limit: u32) -> Result<Awaited, StoreError> {
        let step = "look for awaited runs";
        let mut tx = self.begin_read().await?;
        let ids: Vec<i64> = sqlx::query_scalar(include_str!("postgres/load_awaited.sql"))
            .bind(i64::from(limit))
            .fetch_all(tx.connection())
            .await
            .during(step)?;
        let next: Option<i64> = sqlx::query_scalar(include_str!("postgres/next_awaited.sql"))
            .fetch_one(tx.connection())
            .await
            .during(step)?;
        tx.commit().await?;
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
        let step = "win a tick";
        let mut tx = self.begin().await?;
        let won = sqlx::query(include_str!("postgres/win_tick.sql"))
            .bind(tick.as_microsecond())
            .bind(worker)
            .execute(tx.connection())
            .await
            .during(step)?;
        if won.rows_affected() == 0 {
            tx.rollback().await?;
            return Ok(None);
        }
        let due = due_workspaces(&mut tx, None, Shard::WHOLE).await?;
        let shards = super::shards(&due, plan);
        let payloads = super::payloads(SweepJob::all(tick, shards))?;
        sqlx::query(include_str!("postgres/queue_shards.sql"))
            .bind(payloads)
            .execute(tx.connection())
            .await
            .during(step)?;
        tx.commit().await?;
        Ok(Some(shards))
    }

    async fn has_late_shards(&self, tick: Timestamp) -> Result<bool, StoreError> {
        sqlx::query_scalar(include_str!("postgres/has_late_shards.sql"))
            .bind(tick.as_microsecond())
            .fetch_one(self.pool())
            .await
            .during("look for late shards")
    }

    async fn prune(&self, keep: &Retention) -> Result<Pruned, StoreError> {
        let remove = |statement, keep, limit| self.remove(statement, keep, limit);
        let jobs = include_str!("postgres/prune_jobs.sql");
        let workers = include_str!("postgres/prune_workers.sql");
        let ticks = include_str!("postgres/prune_ticks.sql");
        Ok(Pruned {
            jobs: remove_all(PRUNE_ROWS_MAX, |max| remove(jobs, keep.jobs, max)).await?,
            workers: remove_all(PRUNE_WORKERS_MAX, |max| remove(workers, keep.workers, max))
                .await?,
            ticks: remove_all(PRUNE_ROWS_MAX, |max| remove(ticks, keep.ticks, max)).await?,
        })
    }
}

impl PostgresStore {
    /// Removes what is older than `keep`, at most `limit` rows, and says how many.
    async fn remove(
        &self,
        statement: &'static str,
        keep: Duration,
        limit: i64,
    ) -> Result<u64, StoreError> {
        let removed = sqlx::query(statement)
            .bind(keep.as_secs_f64())
            .bind(limit)
            .execute(self.pool())
            .await
            .during("remove what is finished")?;
        Ok(removed.rows_affected())
    }

    /// A connection beside the pool, which would be short of one for ever.
    async fn connect_listener(&self, url: Option<&str>) -> Result<PgListener, StoreError> {
        let options = match url {
            None => PgConnectOptions::clone(&self.pool().connect_options()),
            // The parser's own error would repeat the URL, and with it the password.
            Some(url) => as_we_are(url.parse().map_err(|_| {
                StoreError::fatal(LISTEN, "the URL to listen on is not one of PostgreSQL")
            })?),
        };
        // It is a pool all the same, because a listener takes from one when it has lost its connection.
        let pool = answering(PgPoolOptions::new())
            .max_connections(1)
            .acquire_timeout(self.limits().connect_timeout)
            .max_lifetime(None)
            .idle_timeout(None)
            .connect_lazy_with(options);
        PgListener::connect_with(&pool).await.during(LISTEN)
    }

    /// Whether a notice that is sent on the way that jobs come reaches the listener.
    ///
    /// On a channel that is used once. A pooler's session would go on listening, and whoever it is lent to
    /// next would be told of notices that he never asked for, in the middle of his statements.
    async fn is_heard_by(&self, listener: &mut PgListener) -> Result<bool, StoreError> {
        let word: String = sqlx::query_scalar(include_str!("postgres/new_word.sql"))
            .fetch_one(self.pool())
            .await
            .during(LISTEN)?;
        listener.listen(&word).await.during(LISTEN)?;
        let sent = sqlx::query(include_str!("postgres/send_notice.sql"))
            .bind(&word)
            .execute(self.pool())
            .await;
        match sent {
            Ok(_) => {}
            // The notice came back to its sender, who does not listen: both have the same session.
            Err(sqlx::Error::Protocol(_)) => return Ok(false),
            Err(error) => return Err(error).during(LISTEN),
        }
        // Nothing else can come, but the news that the connection was lost, and what was said meanwhile.
        match tokio::time::timeout(HEARD_WITHIN, listener.try_recv()).await {
            Ok(Ok(Some(_))) => listener.unlisten(&word).await.during(LISTEN).map(|()| true),
            Ok(Ok(None)) => Err(sqlx::Error::WorkerCrashed).during(LISTEN),
            Ok(Err(error)) => Err(error).during(LISTEN),
            Err(_) => Ok(false),
        }
    }
}

/// A connection that only listens.
struct Listening(PgListener);

#[async_trait]
impl Wakes for Listening {
    async fn next(&mut self) -> Result<(), StoreError> {
        self.0.try_recv().await.during(LISTEN).map(drop)
    }
}
