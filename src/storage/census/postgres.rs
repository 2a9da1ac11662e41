//! The census, for PostgreSQL.

use std::time::Duration;

use async_trait::async_trait;

use super::{COMPARED_MAX, Census, Counting, ListRecord, RunsRecord, published};
use crate::clock::Stopwatch;
use crate::storage::StoreError;
use crate::storage::error::During as _;
use crate::storage::postgres::PostgresStore;
use crate::storage::queue::document;
use crate::storage::settle::{Transactions as _, finish};
use crate::storage::sweeps::micros;

#[async_trait]
impl Counting for PostgresStore {
    async fn claim_census(&self, worker: &str, every: Duration) -> Result<bool, StoreError> {
        let claimed = sqlx::query(include_str!("postgres/claim_census.sql"))
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
        let mut tx = self.begin_read().await?;
        let counted = async {
            let runs: RunsRecord = sqlx::query_as(include_str!("postgres/count_runs.sql"))
                .bind(COMPARED_MAX)
                .fetch_one(tx.connection())
                .await
                .during(step)?;
            let queue: Vec<ListRecord> = sqlx::query_as(include_str!("postgres/count_queue.sql"))
                .fetch_all(tx.connection())
                .await
                .during(step)?;
            Ok((runs, queue))
        };
        let counted = counted.await;
        let (runs, queue) = finish(tx, counted).await?;
        runs.read(queue, since_start.elapsed()).during(step)
    }

    async fn publish_census(&self, census: &Census) -> Result<(), StoreError> {
        let step = "publish the census";
        sqlx::query(include_str!("postgres/publish_census.sql"))
            .bind(census.as_of.as_microsecond())
            .bind(document(step, census)?)
            .execute(self.pool())
            .await
            .during(step)?;
        Ok(())
    }

    async fn load_census(&self) -> Result<Option<Census>, StoreError> {
        let counts: Option<Option<String>> =
            sqlx::query_scalar(include_str!("postgres/load_census.sql"))
                .fetch_optional(self.pool())
                .await
                .during("read the census")?;
        Ok(published(counts.flatten()))
    }
}
