//! The operator's queries, for PostgreSQL. Each change is one statement, so that it happens as a whole.

use async_trait::async_trait;
use reconciler_jobs::ids::RunId;

use super::records::{EntryRecord, JobRecord, StandingRecord, read_all};
use super::{JobOnRecord, Oversight, QueueListing, QueueScope, QueueState, ShardJobs, Standing};
use crate::storage::StoreError;
use crate::storage::error::During as _;
use crate::storage::postgres::PostgresStore;
use crate::storage::settle::{Transaction as _, Transactions as _};

#[async_trait]
impl Oversight for PostgresStore {
    async fn load_entries(&self, scope: &QueueScope) -> Result<QueueListing, StoreError> {
        let step = "list the queue";
        let states: Vec<&str> = scope.states.iter().copied().map(QueueState::name).collect();
        let mut tx = self.begin_read().await?;
        let records: Vec<EntryRecord> = sqlx::query_as(include_str!("postgres/load_entries.sql"))
            .bind(states)
            .bind(scope.workspaces.ids())
            .bind(i64::from(scope.limit))
            .bind(scope.live_only)
            .fetch_all(tx.connection())
            .await
            .during(step)?;
        let shards: ShardJobs = sqlx::query_as(include_str!("postgres/count_shards.sql"))
            .fetch_one(tx.connection())
            .await
            .during(step)?;
        let as_of = tx.as_of();
        tx.commit().await?;
        let (entries, counts) = read_all(records).during(step)?;
        Ok(QueueListing::cut(
            as_of,
            entries,
            counts,
            shards,
            scope.limit,
        ))
    }

    async fn load_standings(&self, runs: &[RunId]) -> Result<Vec<Standing>, StoreError> {
        let step = "look up runs";
        let mut tx = self.begin_read().await?;
        let records: Vec<StandingRecord> =
            sqlx::query_as(include_str!("postgres/load_standings.sql"))
                .bind(ids(runs))
                .fetch_all(tx.connection())
                .await
                .during(step)?;
        tx.commit().await?;
        let standings: Result<_, sqlx::Error> =
            records.into_iter().map(Standing::try_from).collect();
        standings.during(step)
    }

    async fn load_jobs(&self, run: RunId, limit: u32) -> Result<Vec<JobOnRecord>, StoreError> {
        let step = "look up jobs";
        let mut tx = self.begin_read().await?;
        let records: Vec<JobRecord> = sqlx::query_as(include_str!("postgres/load_jobs.sql"))
            .bind(run.0)
            .bind(i64::from(limit))
            .fetch_all(tx.connection())
            .await
            .during(step)?;
        tx.commit().await?;
        let jobs: Result<_, sqlx::Error> = records.into_iter().map(JobOnRecord::try_from).collect();
        jobs.during(step)
    }

    async fn retry(&self, runs: &[RunId]) -> Result<Vec<RunId>, StoreError> {
        let changed: Vec<i64> = sqlx::query_scalar(include_str!("postgres/retry.sql"))
            .bind(ids(runs))
            .fetch_all(self.pool())
            .await
            .during("let runs start over")?;
        Ok(changed.into_iter().map(RunId).collect())
    }

    async fn drop_dead_letters(&self, runs: &[RunId]) -> Result<Vec<RunId>, StoreError> {
        let dropped: Vec<i64> = sqlx::query_scalar(include_str!("postgres/drop_dead_letters.sql"))
            .bind(ids(runs))
            .fetch_all(self.pool())
            .await
            .during("drop dead letters")?;
        Ok(dropped.into_iter().map(RunId).collect())
    }
}

fn ids(runs: &[RunId]) -> Vec<i64> {
    runs.iter().map(|run| run.0).collect()
}
