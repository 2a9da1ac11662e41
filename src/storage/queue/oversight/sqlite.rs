//! The operator's changes, for SQLite, where jobs are in a file of their own.

use async_trait::async_trait;
use reconciler_jobs::ids::RunId;

use super::Oversight;
use crate::storage::Store as _;
use crate::storage::StoreError;
use crate::storage::error::During as _;
use crate::storage::queue::{Queue as _, document, run_of};
use crate::storage::sqlite::SqliteStore;

/// What the operator himself asked for.
const CAUSE: &str = "command";

#[async_trait]
impl Oversight for SqliteStore {
    async fn retry(&self, runs: &[RunId]) -> Result<Vec<RunId>, StoreError> {
        let step = "let runs start over";
        let runs = document(step, runs)?;
        let now = self.now().await?.as_microsecond();
        let mut tx = self
            .pool()
            .begin_with("BEGIN IMMEDIATE")
            .await
            .during(step)?;
        let started_over: Vec<i64> = sqlx::query_scalar(include_str!("sqlite/start_over.sql"))
            .bind(&runs)
            .bind(now)
            .fetch_all(&mut *tx)
            .await
            .during(step)?;
        let made_due: Vec<i64> = sqlx::query_scalar(include_str!("sqlite/make_due.sql"))
            .bind(&runs)
            .bind(now)
            .fetch_all(&mut *tx)
            .await
            .during(step)?;
        tx.commit().await.during(step)?;
        let mut changed: Vec<RunId> = started_over
            .into_iter()
            .chain(made_due)
            .map(RunId)
            .collect();
        changed.sort_unstable();
        changed.dedup();
        self.request(&changed, CAUSE, None).await?;
        Ok(changed)
    }

    async fn drop_dead_letters(&self, runs: &[RunId]) -> Result<Vec<RunId>, StoreError> {
        let step = "drop dead letters";
        let runs = document(step, runs)?;
        let now = self.now().await?.as_microsecond();
        let dropped: Vec<i64> = sqlx::query_scalar(include_str!("sqlite/drop_dead.sql"))
            .bind(&runs)
            .bind(now)
            .fetch_all(self.pool())
            .await
            .during(step)?;
        let dead: Vec<i64> = sqlx::query_scalar(include_str!("sqlite/load_dead.sql"))
            .bind(&runs)
            .fetch_all(self.pool())
            .await
            .during(step)?;
        let waiting: Vec<(String, Vec<u8>)> =
            sqlx::query_as(include_str!("sqlite/load_waiting.sql"))
                .fetch_all(self.queue())
                .await
                .during(step)?;
        let jobs: Vec<String> = waiting
            .into_iter()
            .filter(|(_, payload)| run_of(payload).is_some_and(|run| dead.contains(&run.0)))
            .map(|(job, _)| job)
            .collect();
        sqlx::query(include_str!("sqlite/kill_jobs.sql"))
            .bind(document(step, &jobs)?)
            .execute(self.queue())
            .await
            .during(step)?;
        let mut dropped: Vec<RunId> = dropped.into_iter().map(RunId).collect();
        dropped.sort_unstable();
        Ok(dropped)
    }
}
