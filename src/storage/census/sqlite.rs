//! The census, for SQLite, where jobs are in a file of their own.

use std::time::Duration;

use async_trait::async_trait;

use super::{COMPARED_MAX, Census, Counting, ListRecord, RunsRecord, published};
use crate::clock::Stopwatch;
use crate::storage::StoreError;
use crate::storage::error::During as _;
use crate::storage::queue::document;
use crate::storage::sqlite::SqliteStore;
use crate::storage::sweeps::micros;

#[async_trait]
impl Counting for SqliteStore {
    async fn claim_census(&self, worker: &str, every: Duration) -> Result<bool, StoreError> {
        let claimed = sqlx::query(include_str!("sqlite/claim_census.sql"))
            .bind(worker)
            .bind(micros(every))
            .execute(self.pool())
            .await
            .during("claim the census")?;
        Ok(claimed.rows_affected() > 0)
    }

    async fn take_census(&self) -> Result<Census, StoreError> {
        let step = "take the census";
        let since_start = Stopwatch::start();
        let runs: RunsRecord = sqlx::query_as(include_str!("sqlite/count_runs.sql"))
            .bind(COMPARED_MAX)
            .fetch_one(self.pool())
            .await
            .during(step)?;
        let mut queue: Vec<ListRecord> = sqlx::query_as(include_str!("sqlite/count_troubled.sql"))
            .fetch_all(self.pool())
            .await
            .during(step)?;
        let jobs: Vec<ListRecord> = sqlx::query_as(include_str!("sqlite/count_jobs.sql"))
            .fetch_all(self.queue())
            .await
            .during(step)?;
        queue.extend(jobs);
        runs.read(queue, since_start.elapsed()).during(step)
    }

    async fn publish_census(&self, census: &Census) -> Result<(), StoreError> {
        let step = "publish the census";
        sqlx::query(include_str!("sqlite/publish_census.sql"))
            .bind(census.as_of.as_microsecond())
            .bind(document(step, census)?)
            .execute(self.pool())
            .await
            .during(step)?;
        Ok(())
    }

    async fn load_census(&self) -> Result<Option<Census>, StoreError> {
        let counts: Option<Option<String>> =
            sqlx::query_scalar(include_str!("sqlite/load_census.sql"))
                .fetch_optional(self.pool())
                .await
                .during("read the census")?;
        Ok(published(counts.flatten()))
    }
}
