//! The statements of a settlement.

use futures_util::TryStreamExt as _;
use jiff::Timestamp;
use reconciler_jobs::attempt::Attempts;
use reconciler_jobs::ids::RunId;
use reconciler_jobs::json::BYTES_MAX;
use reconciler_jobs::restore_execute::Policy;
use reconciler_jobs::restore_execute::facts::RestoreFacts;
use reconciler_jobs::restore_execute::record::{
    AUDIT_ACTION, AUDIT_RESOURCE_TYPE, AuditEntry, LedgerEntry, RunUpdate,
};
use reconciler_jobs::restore_execute::results::ITEMS_MAX;
use reconciler_jobs::restore_execute::rows::{AuditRow, CandidateRow, SnapshotRow};
use reconciler_jobs::stamp::whole_seconds;
use serde_json::value::RawValue;

use super::transaction::{Interference, Lock, Transaction};
use crate::storage::connection::Connection;
use crate::storage::distrust::Distrust;
use crate::storage::error::Result;
use crate::storage::model::{
    AUDITS_PER_RESTORE_MAX, Action, ActionDone, ClaimedJob, Pause, RUN_COLUMN_BYTES_MAX,
};
use crate::storage::parsing::Parsed;
use crate::storage::records::{
    Ask, AttemptsRecord, AuditRecord, CandidateRecord, FoundRun, RestoreRecord, RunRecord,
    SnapshotRecord, WatchWrite, WrittenRecord,
};
use crate::storage::statement::{Statement, Table, Value, action_values, statement, values};
use crate::storage::transaction::DatabaseTransaction;

/// One item more than is taken into account, so that too many are told from just enough.
const SET_ITEMS_READ_MAX: u32 = 100_001;
const _: () = assert!(SET_ITEMS_READ_MAX as usize == ITEMS_MAX + 1);

impl Transaction for DatabaseTransaction {
    fn as_of(&self) -> Timestamp {
        self.as_of()
    }

    fn distrust(&self) -> Option<Distrust> {
        self.distrust()
    }

    fn bytes_parsed(&self) -> usize {
        self.bytes_parsed
    }

    async fn lock_open_runs(&mut self, runs: &[RunId], lock: Lock) -> Result<Vec<RunId>> {
        let statement = statement!("lock runs", "lock_open_runs");
        let as_of = self.as_of();
        let locked = self
            .driver()
            .fetch_column(
                statement,
                values![
                    runs,
                    lock.due_only,
                    lock.suspects,
                    as_of,
                    lock.ruleset,
                    lock.paused
                ],
            )
            .await?;
        Ok(locked.into_iter().map(RunId).collect())
    }

    async fn load_runs(&mut self, runs: &[RunId]) -> Result<Vec<FoundRun>> {
        let step = "read runs";
        let statement = if self.is_alone {
            statement!(step, postgres "load_runs_alone")
        } else {
            statement!(step, "load_runs")
        };
        let records: Vec<RunRecord> = self
            .driver()
            .fetch_all(statement, values![runs, RUN_COLUMN_BYTES_MAX])
            .await?;
        Ok(records.into_iter().map(FoundRun::from).collect())
    }

    async fn note_actions(&mut self, action: &Action, done: &[ActionDone]) -> Result<()> {
        if done.is_empty() {
            return Ok(());
        }
        let statement = statement!("note who acted", "note_actions");
        let rows = Table::default()
            .integers("run", done.iter().map(|it| it.run.0))
            .texts("outcome", done.iter().map(|it| it.outcome.as_str()))
            .texts("found", done.iter().map(|it| it.found.as_deref()));
        let [verb, actor, reason, trace] = action_values(Some(action));
        let values = &[verb, actor, reason, trace, rows.into()];
        self.driver().execute(statement, values).await.map(drop)
    }

    async fn load_pauses(&mut self) -> Result<Vec<Pause>> {
        let statement = statement!("look for pauses", "load_pauses");
        self.driver().fetch_all(statement, &[]).await
    }

    async fn load_candidates(&mut self, asks: &[Ask]) -> Result<Vec<CandidateRow>> {
        let statement = statement!("look for restores", "load_candidates");
        let asks = Ask::scoped(asks, "run", |ask| Some(ask.run.0))
            .integers("restore", asks.iter().map(|ask| ask.restore.map(|id| id.0)));
        let records: Vec<CandidateRecord> =
            self.driver().fetch_all(statement, values![asks]).await?;
        Ok(records.into_iter().map(CandidateRow::from).collect())
    }

    async fn load_restores(&mut self, asks: &[Ask], policy: &Policy) -> Result<Vec<RestoreFacts>> {
        let statement = statement!("read restores", "load_restores");
        let bytes_max = i64::try_from(BYTES_MAX).unwrap_or(i64::MAX);
        let mut records = self.driver().stream::<RestoreRecord>(
            statement,
            values![Ask::restores(asks), bytes_max, SET_ITEMS_READ_MAX],
        )?;
        let mut parsed = Parsed::new(policy);
        while let Some(record) = records.try_next().await? {
            parsed.add(record).await?;
        }
        drop(records);
        self.bytes_parsed = self.bytes_parsed.saturating_add(parsed.bytes);
        Ok(parsed.restores)
    }

    async fn load_audits(&mut self, asks: &[Ask], policy: &Policy) -> Result<Vec<AuditRow>> {
        let statement = statement!("read audit entries", "load_audits");
        let values = values![
            Ask::restores(asks),
            &*policy.audit_actions,
            AUDITS_PER_RESTORE_MAX,
            &*policy.audit_resource_types,
        ];
        let records: Vec<AuditRecord> = self.driver().fetch_all(statement, values).await?;
        Ok(records.into_iter().map(AuditRow::from).collect())
    }

    async fn load_snapshots(&mut self, asks: &[Ask]) -> Result<Vec<SnapshotRow>> {
        let statement = statement!("read evidence snapshots", "load_snapshots");
        let asks = Ask::scoped(asks, "run", |ask| Some(ask.run.0));
        let records: Vec<SnapshotRecord> =
            self.driver().fetch_all(statement, values![asks]).await?;
        Ok(records.into_iter().map(SnapshotRow::from).collect())
    }

    fn interference(&self) -> Interference {
        self.interference()
    }

    async fn close_runs(&mut self, updates: &[&RunUpdate]) -> Result<u64> {
        let statement = statement!("close runs", "close_runs");
        let ids: Vec<i64> = updates.iter().map(|update| update.id.0).collect();
        let contexts: Vec<&str> = updates.iter().map(|update| update.context.get()).collect();
        let is_vouched_for = self.trust().row_security;
        let is_unicode = self.is_unicode;
        let connection = self.driver();
        let document = match connection {
            Connection::Postgres(_) if is_unicode => Value::document(statement.step, updates)?,
            Connection::Postgres(_) => {
                let updates = updates.iter().map(|update| update.of_ascii());
                let updates: Vec<RunUpdate> = updates.collect();
                Value::document(statement.step, &updates)?
            }
            Connection::Sqlite(_) => Value::from(sqlite_rows(updates)),
        };
        let values = [document, ids.into(), is_vouched_for.into(), contexts.into()];
        connection.execute(statement, &values).await
    }

    async fn insert_audits(&mut self, entries: &[&AuditEntry]) -> Result<u64> {
        let statement = statement!("write audit entries", "insert_audits");
        let document = Value::document(statement.step, entries)?;
        self.driver().execute(statement, &[document]).await
    }

    async fn look_for_written(&mut self, updates: &[&RunUpdate]) -> Result<Vec<WrittenRecord>> {
        let statement = statement!("look for what was written", "look_for_written");
        let rows = || updates.iter().copied();
        let written = Table::default()
            .integers("run", rows().map(|row| row.id.0))
            .integers("workspace", rows().map(|row| row.workspace_id.0))
            .integers(
                "environment",
                rows().map(|row| row.managed_environment_id.map(|id| id.0)),
            )
            .texts("outcome", rows().map(|row| row.outcome));
        // As entries have it.
        let since = whole_seconds(self.as_of());
        let values = values![written, AUDIT_RESOURCE_TYPE, AUDIT_ACTION, since];
        self.driver().fetch_all(statement, values).await
    }

    async fn find_lockable(&mut self, runs: &[RunId]) -> Result<Vec<RunId>> {
        self.find_lockable(runs).await
    }

    async fn insert_ledger(&mut self, entries: &[&LedgerEntry]) -> Result<()> {
        let step = "write ledger entries";
        let rows = || entries.iter().copied();
        let created = || rows().filter_map(|row| row.run_created_at);
        let (first, last) = (created().min(), created().max());
        let ledger = Table::default()
            .texts("decision_id", rows().map(|row| &*row.decision_id))
            .integers("operation_run_id", rows().map(|row| row.operation_run_id.0))
            .integers("workspace_id", rows().map(|row| row.workspace_id.0))
            .integers(
                "managed_environment_id",
                rows().map(|row| row.managed_environment_id.map(|id| id.0)),
            )
            .texts("outcome", rows().map(|row| row.outcome))
            .texts("reason_code", rows().map(|row| row.reason_code))
            .texts("ruleset", rows().map(|row| row.ruleset))
            .texts("facts", rows().map(|row| &*row.facts))
            .texts("facts_digest", rows().map(|row| &*row.facts_digest))
            .texts("decision", rows().map(|row| &*row.decision))
            .texts("worker", rows().map(|row| &*row.worker))
            .texts("source", rows().map(|row| row.source))
            .integers(
                "decided_at",
                rows().map(|row| row.decided_at.as_microsecond()),
            )
            .integers(
                "run_created_at",
                rows().map(|row| row.run_created_at.map(Timestamp::as_microsecond)),
            );
        let values = values![ledger, first, last];
        // PostgreSQL writes both in one.
        let facts = statement!(step, sqlite "insert_facts");
        self.driver().execute(facts, values).await?;
        write(
            self,
            entries.len(),
            statement!(step, "insert_ledger"),
            values,
        )
        .await
    }

    async fn watch(&mut self, entries: &[WatchWrite]) -> Result<()> {
        let statement = statement!("write the watch list", "watch");
        let rows = || entries.iter();
        let list = Table::default()
            .integers("operation_run_id", rows().map(|row| row.run.0))
            .integers("workspace_id", rows().map(|row| row.workspace.0))
            .integers(
                "managed_environment_id",
                rows().map(|row| row.environment.map(|id| id.0)),
            )
            .texts("reason_code", rows().map(|row| row.watch.reason.code()))
            .integers(
                "look_again_at",
                rows().map(|row| row.watch.look_again_at.as_microsecond()),
            )
            .integers("tries", rows().map(|row| i64::from(row.watch.tries)))
            .texts("error", rows().map(|row| row.error.as_deref()))
            .integers(
                "run_created_at",
                rows().map(|row| row.created_at.map(Timestamp::as_microsecond)),
            );
        let as_of = self.as_of();
        write(self, entries.len(), statement, values![list, as_of]).await
    }

    async fn unwatch(&mut self, runs: &[RunId]) -> Result<()> {
        let statement = statement!("forget watched runs", "unwatch");
        write(self, runs.len(), statement, values![runs]).await
    }

    async fn load_attempts(&mut self, run: RunId) -> Result<Option<Attempts>> {
        let statement = statement!("read earlier attempts", "load_attempts");
        let found: Option<AttemptsRecord> = self
            .driver()
            .fetch_optional(statement, values![run])
            .await?;
        Ok(found.map(Attempts::from))
    }

    async fn note_attempt(&mut self, run: RunId, attempts: &Attempts, worker: &str) -> Result<()> {
        let statement = statement!("note an attempt", "note_attempt");
        let Attempts {
            tries,
            try_again_at,
            dead,
        } = *attempts;
        let as_of = self.as_of();
        let values = values![run, tries, worker, try_again_at, dead, as_of];
        write(self, 1, statement, values).await
    }

    async fn forget_attempts(&mut self, runs: &[RunId]) -> Result<()> {
        let statement = statement!("forget earlier attempts", "forget_attempts");
        write(self, runs.len(), statement, values![runs]).await
    }

    async fn finish_jobs(&mut self, jobs: &[&ClaimedJob]) -> Result<()> {
        let statement = statement!("finish jobs", postgres "finish_jobs");
        write(self, jobs.len(), statement, values![claims(jobs)]).await
    }

    async fn release_jobs(&mut self, jobs: &[&ClaimedJob]) -> Result<()> {
        let statement = statement!("release jobs", postgres "release_jobs");
        write(self, jobs.len(), statement, values![claims(jobs)]).await
    }

    async fn count_broken_references(&mut self) -> Result<i64> {
        let statement = statement!("look for broken references", sqlite "count_broken_references");
        let counts: Vec<i64> = self.driver().fetch_column(statement, &[]).await?;
        Ok(counts.into_iter().sum())
    }

    async fn check_deferred(&mut self) -> Result<()> {
        self.check_deferred().await
    }

    async fn commit(self) -> Result<()> {
        self.commit().await
    }

    async fn rollback(self) -> Result<()> {
        self.rollback().await
    }
}

/// Sends rows, if there are any.
async fn write(
    tx: &mut DatabaseTransaction,
    rows: usize,
    statement: Statement,
    values: &[Value<'_>],
) -> Result<()> {
    if rows > 0 {
        tx.driver().execute(statement, values).await?;
    }
    Ok(())
}

/// New values of runs as SQLite takes them: documents travel as text, because its JSON functions would write their
/// content anew, and moments as the integers that its columns hold.
fn sqlite_rows<'a>(updates: &[&'a RunUpdate]) -> Table<'a> {
    let rows = || updates.iter().copied();
    Table::default()
        .integers("id", rows().map(|row| row.id.0))
        .integers("workspace_id", rows().map(|row| row.workspace_id.0))
        .integers(
            "managed_environment_id",
            rows().map(|row| row.managed_environment_id.map(|id| id.0)),
        )
        .texts("outcome", rows().map(|row| row.outcome))
        .integers(
            "started_at",
            rows().map(|row| row.started_at.map(Timestamp::as_microsecond)),
        )
        .integers(
            "completed_at",
            rows().map(|row| row.completed_at.as_microsecond()),
        )
        .integers(
            "updated_at",
            rows().map(|row| row.updated_at.as_microsecond()),
        )
        .texts(
            "summary_counts",
            rows().map(|row| row.summary_counts.as_deref().map(RawValue::get)),
        )
        .texts(
            "failure_summary",
            rows().map(|row| row.failure_summary.as_deref().map(RawValue::get)),
        )
        .texts("context", rows().map(|row| row.context.get()))
}

/// Jobs, each with the worker that must still have it.
fn claims<'a>(jobs: &[&'a ClaimedJob]) -> Table<'a> {
    let rows = || jobs.iter().copied();
    Table::default()
        .texts("id", rows().map(|job| &*job.id))
        .texts("worker", rows().map(|job| &*job.worker))
}
