//! The operator's changes, for PostgreSQL. Each change is one statement, so that it happens as a whole.

use async_trait::async_trait;
use reconciler_jobs::ids::RunId;

use super::Oversight;
use crate::storage::StoreError;
use crate::storage::error::During as _;
use crate::storage::postgres::PostgresStore;

#[async_trait]
impl Oversight for PostgresStore {
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
