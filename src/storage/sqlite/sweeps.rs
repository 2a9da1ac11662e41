//! What is due, and the passes over it, for SQLite.

use std::time::Duration;

use jiff::Timestamp;
use reconciler_jobs::ids::{RunId, WorkspaceId};
use reconciler_jobs::sweep::shard::Shard;
use reconciler_jobs::sweep::turns::{DueWorkspace, Reading};
use serde::Serialize;

use super::SqliteStore;
use crate::storage::Tally;
use crate::storage::error::{During as _, StoreError};
use crate::storage::settle::{Transaction as _, Transactions as _};
use crate::storage::sweeps::{DueRunRecord, DueWorkspaceRecord, SweepStart, columns, micros};

impl SqliteStore {
    pub(super) async fn read_due_workspaces(
        &self,
        workspace: Option<WorkspaceId>,
        shard: Shard,
    ) -> Result<Vec<DueWorkspace>, StoreError> {
        let due: Vec<DueWorkspaceRecord> =
            sqlx::query_as(include_str!("sql/load_due_workspaces.sql"))
                .bind(workspace.map(|id| id.0))
                .bind(i64::from(shard.index()))
                .bind(i64::from(shard.of()))
                .fetch_all(&self.pool)
                .await
                .during("count due runs")?;
        Ok(due.into_iter().map(DueWorkspace::from).collect())
    }

    pub(super) async fn read_due(
        &self,
        reading: &Reading,
    ) -> Result<Vec<(WorkspaceId, RunId)>, StoreError> {
        let step = "look for due runs";
        let spans: Vec<[i64; 3]> = reading.spans.iter().map(columns).collect();
        let due: Vec<DueRunRecord> = sqlx::query_as(include_str!("sql/load_due.sql"))
            .bind(list(step, &spans)?)
            .bind(i64::from(reading.each))
            .fetch_all(&self.pool)
            .await
            .during(step)?;
        Ok(due.into_iter().map(Into::into).collect())
    }

    pub(super) async fn begin_sweep(&self, start: &SweepStart<'_>) -> Result<i64, StoreError> {
        let step = "note the beginning of a sweep";
        sqlx::query_scalar(include_str!("sql/open_sweep.sql"))
            .bind(start.by)
            .bind(start.workspace.map(|id| id.0))
            .bind(start.tick.map(Timestamp::as_microsecond))
            .bind(i64::from(start.shard.index()))
            .bind(i64::from(start.shard.of()))
            .bind(list(step, start.in_hand)?)
            .fetch_one(&self.pool)
            .await
            .during(step)
    }

    pub(super) async fn continue_sweep(
        &self,
        sweep: i64,
        runs: &[RunId],
    ) -> Result<(), StoreError> {
        let step = "note a page of a sweep";
        sqlx::query(include_str!("sql/note_page.sql"))
            .bind(sweep)
            .bind(list(step, runs)?)
            .execute(&self.pool)
            .await
            .during(step)?;
        Ok(())
    }

    pub(super) async fn end_sweep(&self, sweep: i64, tally: &Tally) -> Result<(), StoreError> {
        let mut statement = sqlx::query(include_str!("sql/close_sweep.sql")).bind(sweep);
        for count in tally.columns() {
            statement = statement.bind(count);
        }
        statement
            .execute(&self.pool)
            .await
            .during("note the end of a sweep")?;
        for statement in [
            include_str!("sql/forget_closed.sql"),
            include_str!("sql/forget_closed_attempts.sql"),
        ] {
            sqlx::query(statement)
                .execute(&self.pool)
                .await
                .during("forget closed runs")?;
        }
        Ok(())
    }

    /// Three statements where PostgreSQL has one; the transaction keeps everybody else out meanwhile.
    pub(super) async fn mark_suspects(
        &self,
        tick: Option<(Timestamp, Shard)>,
        silent_for: Duration,
        by: &str,
    ) -> Result<Vec<RunId>, StoreError> {
        let step = "take over from dead sweeps";
        let mut tx = self.begin().await?;
        let now = tx.as_of().as_microsecond();
        let silent_since = now.saturating_sub(micros(silent_for));
        let at = tick.map(|(tick, _)| tick.as_microsecond());
        let shard = tick.map(|(_, shard)| i64::from(shard.index()));
        let suspects: Vec<i64> = sqlx::query_scalar(include_str!("sql/load_suspects.sql"))
            .bind(at)
            .bind(shard)
            .bind(silent_since)
            .fetch_all(tx.connection())
            .await
            .during(step)?;
        sqlx::query(include_str!("sql/mark_suspects.sql"))
            .bind(list(step, &suspects)?)
            .bind(by)
            .bind(now)
            .execute(tx.connection())
            .await
            .during(step)?;
        sqlx::query(include_str!("sql/empty_dead_sweeps.sql"))
            .bind(at)
            .bind(shard)
            .bind(silent_since)
            .execute(tx.connection())
            .await
            .during(step)?;
        tx.commit().await?;
        Ok(suspects.into_iter().map(RunId).collect())
    }
}

fn list<R: Serialize>(step: &'static str, rows: &[R]) -> Result<String, StoreError> {
    serde_json::to_string(rows).map_err(|error| StoreError::refused(step, error))
}
