//! What is due, and the passes over it, for PostgreSQL.

use std::time::Duration;

use jiff::Timestamp;
use reconciler_jobs::ids::{RunId, WorkspaceId};
use reconciler_jobs::sweep::shard::Shard;
use reconciler_jobs::sweep::turns::{DueWorkspace, Reading};

use super::PostgresStore;
use super::transaction::PostgresTransaction;
use crate::storage::Tally;
use crate::storage::error::{During as _, StoreError};
use crate::storage::settle::{Transaction as _, Transactions as _};
use crate::storage::sweeps::{DueRunRecord, DueWorkspaceRecord, SweepStart, columns, micros, raw};

/// The workspaces with due runs, as this transaction sees them.
pub(in crate::storage) async fn due_workspaces(
    tx: &mut PostgresTransaction,
    workspace: Option<WorkspaceId>,
    shard: Shard,
) -> Result<Vec<DueWorkspace>, StoreError> {
    let due: Vec<DueWorkspaceRecord> = sqlx::query_as(include_str!("sql/load_due_workspaces.sql"))
        .bind(workspace.map(|id| id.0))
        .bind(i64::from(shard.index()))
        .bind(i64::from(shard.of()))
        .fetch_all(tx.connection())
        .await
        .during("count due runs")?;
    Ok(due.into_iter().map(DueWorkspace::from).collect())
}

impl PostgresStore {
    pub(super) async fn read_due_workspaces(
        &self,
        workspace: Option<WorkspaceId>,
        shard: Shard,
    ) -> Result<Vec<DueWorkspace>, StoreError> {
        let mut tx = self.begin_read().await?;
        let due = due_workspaces(&mut tx, workspace, shard).await?;
        tx.commit().await?;
        Ok(due)
    }

    pub(super) async fn read_due(
        &self,
        reading: &Reading,
    ) -> Result<Vec<(WorkspaceId, RunId)>, StoreError> {
        let spans = || reading.spans.iter().map(columns);
        let workspaces: Vec<i64> = spans().map(|[workspace, ..]| workspace).collect();
        let afters: Vec<i64> = spans().map(|[_, after, _]| after).collect();
        let lasts: Vec<i64> = spans().map(|[.., last]| last).collect();
        let mut tx = self.begin_read().await?;
        let due: Vec<DueRunRecord> = sqlx::query_as(include_str!("sql/load_due.sql"))
            .bind(workspaces)
            .bind(afters)
            .bind(lasts)
            .bind(i64::from(reading.each))
            .fetch_all(tx.connection())
            .await
            .during("look for due runs")?;
        tx.commit().await?;
        Ok(due.into_iter().map(Into::into).collect())
    }

    pub(super) async fn begin_sweep(&self, start: &SweepStart<'_>) -> Result<i64, StoreError> {
        sqlx::query_scalar(include_str!("sql/open_sweep.sql"))
            .bind(start.by)
            .bind(start.workspace.map(|id| id.0))
            .bind(start.tick.map(Timestamp::as_microsecond))
            .bind(i64::from(start.shard.index()))
            .bind(i64::from(start.shard.of()))
            .bind(raw(start.in_hand))
            .fetch_one(&self.pool)
            .await
            .during("note the beginning of a sweep")
    }

    pub(super) async fn continue_sweep(
        &self,
        sweep: i64,
        runs: &[RunId],
    ) -> Result<(), StoreError> {
        sqlx::query(include_str!("sql/note_page.sql"))
            .bind(sweep)
            .bind(raw(runs))
            .execute(&self.pool)
            .await
            .during("note a page of a sweep")?;
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

    pub(super) async fn mark_suspects(
        &self,
        tick: Option<(Timestamp, Shard)>,
        silent_for: Duration,
        by: &str,
    ) -> Result<Vec<RunId>, StoreError> {
        let suspects: Vec<i64> = sqlx::query_scalar(include_str!("sql/take_over_sweeps.sql"))
            .bind(tick.map(|(tick, _)| tick.as_microsecond()))
            .bind(tick.map(|(_, shard)| i64::from(shard.index())))
            .bind(micros(silent_for))
            .bind(by)
            .fetch_all(&self.pool)
            .await
            .during("take over from dead sweeps")?;
        Ok(suspects.into_iter().map(RunId).collect())
    }
}
