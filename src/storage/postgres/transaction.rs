//! The statements of a settlement, for PostgreSQL.

use futures_util::TryStreamExt as _;
use jiff::Timestamp;
use reconciler_jobs::attempt::Attempts;
use reconciler_jobs::ids::RunId;
use reconciler_jobs::json::BYTES_MAX;
use reconciler_jobs::restore_execute::facts::RestoreFacts;
use reconciler_jobs::restore_execute::record::{AuditEntry, LedgerEntry, RunUpdate};
use reconciler_jobs::restore_execute::rows::{AuditRow, CandidateRow, SnapshotRow};
use serde::Serialize;
use sqlx::{PgConnection, Postgres, Row as _};

use crate::storage::error::{During as _, StoreError};
use crate::storage::limits::Limits;
use crate::storage::parsing::Parsed;
use crate::storage::queue::HeldJob;
use crate::storage::records::{
    Ask, AuditRecord, CandidateRecord, FoundRun, RestoreRecord, RunRecord, SnapshotRecord,
    WatchWrite, attempts, moment,
};
use crate::storage::settle::{Lock, Transaction};
use crate::storage::{AUDITS_PER_RESTORE_MAX, RUN_COLUMN_BYTES_MAX};

/// A transaction with its moment.
pub(in crate::storage) struct PostgresTransaction {
    tx: sqlx::Transaction<'static, Postgres>,
    as_of: Timestamp,
    bytes_parsed: usize,
}

/// The columns of a list of asks, as arrays.
struct Columns {
    runs: Vec<i64>,
    workspaces: Vec<i64>,
    environments: Vec<i64>,
    restores: Vec<Option<i64>>,
}

impl Columns {
    fn of(asks: &[Ask]) -> Self {
        Self {
            runs: asks.iter().map(|ask| ask.run.0).collect(),
            workspaces: asks.iter().map(|ask| ask.workspace.0).collect(),
            environments: asks.iter().map(|ask| ask.environment.0).collect(),
            restores: asks.iter().map(|ask| ask.restore.map(|id| id.0)).collect(),
        }
    }
}

impl PostgresTransaction {
    pub(super) async fn open(
        mut tx: sqlx::Transaction<'static, Postgres>,
        limits: &Limits,
    ) -> Result<Self, StoreError> {
        let row = sqlx::query(include_str!("open_transaction.sql"))
            .bind(format!("{}ms", limits.statement_timeout.as_millis()))
            .bind(format!("{}ms", limits.lock_timeout.as_millis()))
            .fetch_one(&mut *tx)
            .await
            .during("read the database's clock")?;
        let micros: i64 = row.try_get("as_of").during("read the database's clock")?;
        let as_of = moment(micros).during("read the database's clock")?;
        Ok(Self {
            tx,
            as_of,
            bytes_parsed: 0,
        })
    }

    /// The connection inside of the transaction, for statements that no settlement sends.
    pub(in crate::storage) fn connection(&mut self) -> &mut PgConnection {
        &mut self.tx
    }

    /// Sends rows as one JSON document; the statement gives it the table's own row type.
    async fn write<R: Serialize>(
        &mut self,
        step: &'static str,
        statement: &'static str,
        rows: &[R],
    ) -> Result<(), StoreError> {
        if rows.is_empty() {
            return Ok(());
        }
        let document = document(step, rows)?;
        sqlx::query(statement)
            .bind(document)
            .execute(&mut *self.tx)
            .await
            .during(step)?;
        Ok(())
    }

    async fn write_jobs(
        &mut self,
        step: &'static str,
        statement: &'static str,
        jobs: &[&HeldJob],
    ) -> Result<(), StoreError> {
        if jobs.is_empty() {
            return Ok(());
        }
        let ids: Vec<&str> = jobs.iter().map(|job| job.id.as_str()).collect();
        let workers: Vec<&str> = jobs.iter().map(|job| job.worker.as_str()).collect();
        sqlx::query(statement)
            .bind(ids)
            .bind(workers)
            .execute(&mut *self.tx)
            .await
            .during(step)?;
        Ok(())
    }
}

fn ids(runs: &[RunId]) -> Vec<i64> {
    runs.iter().map(|run| run.0).collect()
}

fn bytes_max() -> i64 {
    i64::try_from(BYTES_MAX).unwrap_or(i64::MAX)
}

fn document<R: Serialize>(step: &'static str, rows: &[R]) -> Result<String, StoreError> {
    serde_json::to_string(rows).map_err(|error| StoreError::refused(step, error))
}

impl Transaction for PostgresTransaction {
    fn as_of(&self) -> Timestamp {
        self.as_of
    }

    fn bytes_parsed(&self) -> usize {
        self.bytes_parsed
    }

    async fn lock_open_runs(
        &mut self,
        runs: &[RunId],
        lock: Lock,
    ) -> Result<Vec<RunId>, StoreError> {
        let locked: Vec<i64> = sqlx::query_scalar(include_str!("lock_open_runs.sql"))
            .bind(ids(runs))
            .bind(lock.due_only)
            .bind(lock.suspects)
            .fetch_all(&mut *self.tx)
            .await
            .during("lock runs")?;
        Ok(locked.into_iter().map(RunId).collect())
    }

    async fn load_runs(&mut self, runs: &[RunId]) -> Result<Vec<FoundRun>, StoreError> {
        let records: Vec<RunRecord> = sqlx::query_as(include_str!("load_runs.sql"))
            .bind(ids(runs))
            .bind(RUN_COLUMN_BYTES_MAX)
            .fetch_all(&mut *self.tx)
            .await
            .during("read runs")?;
        Ok(records.into_iter().map(FoundRun::from).collect())
    }

    async fn load_candidates(&mut self, asks: &[Ask]) -> Result<Vec<CandidateRow>, StoreError> {
        let columns = Columns::of(asks);
        let records: Vec<CandidateRecord> = sqlx::query_as(include_str!("load_candidates.sql"))
            .bind(columns.runs)
            .bind(columns.workspaces)
            .bind(columns.environments)
            .bind(columns.restores)
            .fetch_all(&mut *self.tx)
            .await
            .during("look for restores")?;
        Ok(records.into_iter().map(CandidateRow::from).collect())
    }

    async fn load_restores(&mut self, asks: &[Ask]) -> Result<Vec<RestoreFacts>, StoreError> {
        let columns = Columns::of(asks);
        let mut records = sqlx::query_as::<_, RestoreRecord>(include_str!("load_restores.sql"))
            .bind(columns.restores)
            .bind(columns.workspaces)
            .bind(columns.environments)
            .bind(bytes_max())
            .fetch(&mut *self.tx);
        let mut parsed = Parsed::default();
        while let Some(record) = records.try_next().await.during("read restores")? {
            parsed.add(record).await?;
        }
        self.bytes_parsed = self.bytes_parsed.saturating_add(parsed.bytes);
        Ok(parsed.restores)
    }

    async fn load_audits(
        &mut self,
        asks: &[Ask],
        actions: &[String],
    ) -> Result<Vec<AuditRow>, StoreError> {
        let columns = Columns::of(asks);
        let records: Vec<AuditRecord> = sqlx::query_as(include_str!("load_audits.sql"))
            .bind(columns.restores)
            .bind(columns.workspaces)
            .bind(columns.environments)
            .bind(actions)
            .bind(AUDITS_PER_RESTORE_MAX)
            .fetch_all(&mut *self.tx)
            .await
            .during("read audit entries")?;
        Ok(records.into_iter().map(AuditRow::from).collect())
    }

    async fn load_snapshots(&mut self, asks: &[Ask]) -> Result<Vec<SnapshotRow>, StoreError> {
        let columns = Columns::of(asks);
        let records: Vec<SnapshotRecord> = sqlx::query_as(include_str!("load_snapshots.sql"))
            .bind(columns.runs)
            .bind(columns.workspaces)
            .bind(columns.environments)
            .fetch_all(&mut *self.tx)
            .await
            .during("read evidence snapshots")?;
        Ok(records.into_iter().map(SnapshotRow::from).collect())
    }

    async fn close_runs(&mut self, updates: &[&RunUpdate]) -> Result<Vec<RunId>, StoreError> {
        let step = "close runs";
        let closed: Vec<i64> = sqlx::query_scalar(include_str!("close_runs.sql"))
            .bind(document(step, updates)?)
            .bind(updates.iter().map(|update| update.id.0).collect::<Vec<_>>())
            .fetch_all(&mut *self.tx)
            .await
            .during(step)?;
        Ok(closed.into_iter().map(RunId).collect())
    }

    async fn insert_audits(&mut self, entries: &[&AuditEntry]) -> Result<(), StoreError> {
        self.write(
            "write audit entries",
            include_str!("insert_audits.sql"),
            entries,
        )
        .await
    }

    async fn insert_ledger(&mut self, entries: &[&LedgerEntry]) -> Result<(), StoreError> {
        if entries.is_empty() {
            return Ok(());
        }
        let of = |column: for<'a> fn(&'a LedgerEntry) -> &'a str| -> Vec<&str> {
            entries.iter().map(|entry| column(entry)).collect()
        };
        let number = |column: fn(&LedgerEntry) -> i64| -> Vec<i64> {
            entries.iter().map(|entry| column(entry)).collect()
        };
        let environments: Vec<Option<i64>> = entries
            .iter()
            .map(|entry| entry.managed_environment_id.map(|id| id.0))
            .collect();
        sqlx::query(include_str!("insert_ledger.sql"))
            .bind(of(|entry| &entry.decision_id))
            .bind(number(|entry| entry.operation_run_id.0))
            .bind(number(|entry| entry.workspace_id.0))
            .bind(environments)
            .bind(of(|entry| entry.outcome))
            .bind(of(|entry| entry.reason_code))
            .bind(of(|entry| entry.ruleset))
            .bind(of(|entry| &entry.facts))
            .bind(of(|entry| &entry.facts_digest))
            .bind(of(|entry| &entry.decision))
            .bind(of(|entry| &entry.worker))
            .bind(of(|entry| entry.source))
            .bind(number(|entry| entry.decided_at.as_microsecond()))
            .execute(&mut *self.tx)
            .await
            .during("write ledger entries")?;
        Ok(())
    }

    async fn watch(&mut self, entries: &[WatchWrite]) -> Result<(), StoreError> {
        self.write("write the watch list", include_str!("watch.sql"), entries)
            .await
    }

    async fn unwatch(&mut self, runs: &[RunId]) -> Result<(), StoreError> {
        sqlx::query(include_str!("unwatch.sql"))
            .bind(ids(runs))
            .execute(&mut *self.tx)
            .await
            .during("forget watched runs")?;
        Ok(())
    }

    async fn load_attempts(&mut self, run: RunId) -> Result<Option<Attempts>, StoreError> {
        let step = "read earlier attempts";
        let found: Option<(i64, i64, bool)> = sqlx::query_as(include_str!("load_attempts.sql"))
            .bind(run.0)
            .fetch_optional(&mut *self.tx)
            .await
            .during(step)?;
        found.map(attempts).transpose().during(step)
    }

    async fn note_attempt(
        &mut self,
        run: RunId,
        attempts: &Attempts,
        worker: &str,
    ) -> Result<(), StoreError> {
        sqlx::query(include_str!("note_attempt.sql"))
            .bind(run.0)
            .bind(i64::from(attempts.tries))
            .bind(worker)
            .bind(attempts.try_again_at.as_microsecond())
            .bind(attempts.dead)
            .execute(&mut *self.tx)
            .await
            .during("note an attempt")?;
        Ok(())
    }

    async fn forget_attempts(&mut self, runs: &[RunId]) -> Result<(), StoreError> {
        if runs.is_empty() {
            return Ok(());
        }
        sqlx::query(include_str!("forget_attempts.sql"))
            .bind(ids(runs))
            .execute(&mut *self.tx)
            .await
            .during("forget earlier attempts")?;
        Ok(())
    }

    async fn finish_jobs(&mut self, jobs: &[&HeldJob]) -> Result<(), StoreError> {
        self.write_jobs("finish jobs", include_str!("finish_jobs.sql"), jobs)
            .await
    }

    async fn release_jobs(&mut self, jobs: &[&HeldJob]) -> Result<(), StoreError> {
        self.write_jobs("release jobs", include_str!("release_jobs.sql"), jobs)
            .await
    }

    /// A commit that fails is told of before the server has let go of the locks, and nothing waits for that:
    /// the next try, on another connection, might find its own runs held. So what a commit would refuse is
    /// refused before it, and the rollback is waited for.
    async fn commit(mut self) -> Result<(), StoreError> {
        let checked = sqlx::query(include_str!("check_deferred.sql"))
            .execute(&mut *self.tx)
            .await
            .during("commit");
        if let Err(error) = checked {
            if let Err(lost) = self.rollback().await {
                tracing::debug!(%lost, "the connection ended, and with it the transaction");
            }
            return Err(error);
        }
        self.tx.commit().await.during("commit")
    }

    async fn rollback(self) -> Result<(), StoreError> {
        self.tx.rollback().await.during("roll back")
    }
}
