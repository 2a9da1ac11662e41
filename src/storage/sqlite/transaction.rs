//! The statements of a settlement, for SQLite.

use futures_util::TryStreamExt as _;
use jiff::Timestamp;
use reconciler_jobs::attempt::Attempts;
use reconciler_jobs::ids::RunId;
use reconciler_jobs::json::BYTES_MAX;
use reconciler_jobs::restore_execute::facts::RestoreFacts;
use reconciler_jobs::restore_execute::record::{AuditEntry, LedgerEntry, RunUpdate};
use reconciler_jobs::restore_execute::rows::{AuditRow, CandidateRow, SnapshotRow};
use serde::Serialize;
use sqlx::{Sqlite, SqliteConnection};

use crate::storage::error::{During as _, StoreError};
use crate::storage::parsing::Parsed;
use crate::storage::queue::HeldJob;
use crate::storage::records::{
    Ask, AuditRecord, CandidateRecord, FoundRun, LedgerWrite, RestoreRecord, RunRecord, RunWrite,
    SnapshotRecord, WatchWrite, attempts, moment,
};
use crate::storage::settle::{Lock, Transaction};
use crate::storage::{AUDITS_PER_RESTORE_MAX, RUN_COLUMN_BYTES_MAX};

/// A transaction with its moment. One that may write keeps every other writer out.
pub(in crate::storage) struct SqliteTransaction {
    tx: sqlx::Transaction<'static, Sqlite>,
    as_of: Timestamp,
    bytes_parsed: usize,
}

impl SqliteTransaction {
    pub(super) async fn open(
        mut tx: sqlx::Transaction<'static, Sqlite>,
    ) -> Result<Self, StoreError> {
        let micros: i64 = sqlx::query_scalar(super::NOW)
            .fetch_one(&mut *tx)
            .await
            .during("read the clock")?;
        let as_of = moment(micros).during("read the clock")?;
        Ok(Self {
            tx,
            as_of,
            bytes_parsed: 0,
        })
    }

    /// The connection inside of the transaction, for statements that no settlement sends.
    pub(in crate::storage) fn connection(&mut self) -> &mut SqliteConnection {
        &mut self.tx
    }

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
}

fn bytes_max() -> i64 {
    i64::try_from(BYTES_MAX).unwrap_or(i64::MAX)
}

fn document<R: Serialize>(step: &'static str, rows: &[R]) -> Result<String, StoreError> {
    serde_json::to_string(rows).map_err(|error| StoreError::refused(step, error))
}

impl Transaction for SqliteTransaction {
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
        let step = "lock runs";
        let locked: Vec<i64> = sqlx::query_scalar(include_str!("lock_open_runs.sql"))
            .bind(document(step, runs)?)
            .bind(lock.due_only)
            .bind(lock.suspects)
            .bind(self.as_of.as_microsecond())
            .fetch_all(&mut *self.tx)
            .await
            .during(step)?;
        Ok(locked.into_iter().map(RunId).collect())
    }

    async fn load_runs(&mut self, runs: &[RunId]) -> Result<Vec<FoundRun>, StoreError> {
        let step = "read runs";
        let records: Vec<RunRecord> = sqlx::query_as(include_str!("load_runs.sql"))
            .bind(document(step, runs)?)
            .bind(RUN_COLUMN_BYTES_MAX)
            .fetch_all(&mut *self.tx)
            .await
            .during(step)?;
        Ok(records.into_iter().map(FoundRun::from).collect())
    }

    async fn load_candidates(&mut self, asks: &[Ask]) -> Result<Vec<CandidateRow>, StoreError> {
        let step = "look for restores";
        let records: Vec<CandidateRecord> = sqlx::query_as(include_str!("load_candidates.sql"))
            .bind(document(step, asks)?)
            .fetch_all(&mut *self.tx)
            .await
            .during(step)?;
        Ok(records.into_iter().map(CandidateRow::from).collect())
    }

    async fn load_restores(&mut self, asks: &[Ask]) -> Result<Vec<RestoreFacts>, StoreError> {
        let step = "read restores";
        let mut records = sqlx::query_as::<_, RestoreRecord>(include_str!("load_restores.sql"))
            .bind(document(step, asks)?)
            .bind(bytes_max())
            .fetch(&mut *self.tx);
        let mut parsed = Parsed::default();
        while let Some(record) = records.try_next().await.during(step)? {
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
        let step = "read audit entries";
        let records: Vec<AuditRecord> = sqlx::query_as(include_str!("load_audits.sql"))
            .bind(document(step, asks)?)
            .bind(document(step, actions)?)
            .bind(AUDITS_PER_RESTORE_MAX)
            .fetch_all(&mut *self.tx)
            .await
            .during(step)?;
        Ok(records.into_iter().map(AuditRow::from).collect())
    }

    async fn load_snapshots(&mut self, asks: &[Ask]) -> Result<Vec<SnapshotRow>, StoreError> {
        let step = "read evidence snapshots";
        let records: Vec<SnapshotRecord> = sqlx::query_as(include_str!("load_snapshots.sql"))
            .bind(document(step, asks)?)
            .fetch_all(&mut *self.tx)
            .await
            .during(step)?;
        Ok(records.into_iter().map(SnapshotRow::from).collect())
    }

    async fn close_runs(&mut self, updates: &[&RunUpdate]) -> Result<Vec<RunId>, StoreError> {
        let step = "close runs";
        let updates: Vec<RunWrite> = updates
            .iter()
            .map(|update| RunWrite::from(*update))
            .collect();
        let closed: Vec<i64> = sqlx::query_scalar(include_str!("close_runs.sql"))
            .bind(document(step, &updates)?)
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
        let entries: Vec<LedgerWrite> = entries
            .iter()
            .map(|entry| LedgerWrite::from(*entry))
            .collect();
        self.write(
            "write ledger entries",
            include_str!("insert_ledger.sql"),
            &entries,
        )
        .await
    }

    async fn watch(&mut self, entries: &[WatchWrite]) -> Result<(), StoreError> {
        let step = "write the watch list";
        sqlx::query(include_str!("watch.sql"))
            .bind(document(step, entries)?)
            .bind(self.as_of.as_microsecond())
            .execute(&mut *self.tx)
            .await
            .during(step)?;
        Ok(())
    }

    async fn unwatch(&mut self, runs: &[RunId]) -> Result<(), StoreError> {
        self.write("forget watched runs", include_str!("unwatch.sql"), runs)
            .await
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
            .bind(self.as_of.as_microsecond())
            .execute(&mut *self.tx)
            .await
            .during("note an attempt")?;
        Ok(())
    }

    async fn forget_attempts(&mut self, runs: &[RunId]) -> Result<(), StoreError> {
        self.write(
            "forget earlier attempts",
            include_str!("forget_attempts.sql"),
            runs,
        )
        .await
    }

    /// The queue is in a file of its own: whoever took the job acknowledges it afterwards.
    async fn finish_jobs(&mut self, _: &[&HeldJob]) -> Result<(), StoreError> {
        Ok(())
    }

    /// Nobody else can hold a run while this transaction lasts, so there is nothing to give back.
    async fn release_jobs(&mut self, _: &[&HeldJob]) -> Result<(), StoreError> {
        Ok(())
    }

    async fn commit(self) -> Result<(), StoreError> {
        self.tx.commit().await.during("commit")
    }

    async fn rollback(self) -> Result<(), StoreError> {
        self.tx.rollback().await.during("roll back")
    }
}
