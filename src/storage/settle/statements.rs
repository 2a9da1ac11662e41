//! The statements of a settlement.

use futures_util::TryStreamExt as _;
use reconciler_jobs::attempt::Attempts;
use reconciler_jobs::ids::RunId;
use reconciler_jobs::json::BYTES_MAX;
use reconciler_jobs::restore_execute::facts::RestoreFacts;
use reconciler_jobs::restore_execute::record::{
    AUDIT_ACTION, AUDIT_RESOURCE_TYPE, AuditEntry, LedgerEntry, RunUpdate,
};
use reconciler_jobs::restore_execute::results::ITEMS_MAX;
use reconciler_jobs::restore_execute::rows::{AuditRow, CandidateRow, SnapshotRow};
use reconciler_jobs::restore_execute::{Policy, RULESET_NUMBER};
use reconciler_jobs::stamp::whole_seconds;
use serde_json::value::RawValue;

use crate::storage::connection::Connection;
use crate::storage::error::Result;
use crate::storage::model::{
    AUDITS_PER_RESTORE_MAX, Action, ActionDone, ClaimedJob, Pause, RUN_COLUMN_BYTES_MAX,
};
use crate::storage::parsing::Parsed;
use crate::storage::records::{
    Ask, AttemptsRecord, AuditRecord, CandidateRecord, FoundRun, FoundRunRecord, RestoreRecord,
    SnapshotRecord, WatchWrite, WrittenRecord,
};
use crate::storage::statement::{Statement, Table, Value, action_values, statement, values};
use crate::storage::transaction::DatabaseTransaction;

/// The column of an environment, in our tables and in the platform's.
const ENVIRONMENT: &str = "managed_environment_id";

/// One item more than is taken into account, so that too many are told from just enough.
const SET_ITEMS_READ_MAX: u32 = 100_001;
const _: () = assert!(SET_ITEMS_READ_MAX as usize == ITEMS_MAX + 1);

/// Which open runs a settlement takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::storage) struct Lock {
    /// Only those whose time to be looked at again has come.
    pub(in crate::storage) due_only: bool,
    /// Also those of which unfinished settlements are remembered.
    pub(in crate::storage) suspects: bool,
    /// Also those of paused workspaces.
    pub(super) paused: bool,
    /// None while a worker of a higher ruleset than this is alive.
    pub(super) ruleset: i64,
}

impl Lock {
    /// All that this program may settle.
    pub(in crate::storage) const SETTLE: Self = Self {
        due_only: false,
        suspects: true,
        paused: false,
        ruleset: RULESET_NUMBER,
    };

    /// All, whoever may settle them: to ask for a run is no verdict.
    pub(in crate::storage) const ASK: Self = Self {
        paused: true,
        ruleset: i64::MAX,
        ..Self::SETTLE
    };
}

/// The statements of a settlement. Each is set-based: one round trip however many runs there are.
impl DatabaseTransaction {
    /// Locks the open `restore.execute` runs among `runs` that nobody else holds, and says which.
    pub(in crate::storage) async fn lock_open_runs(
        &mut self,
        runs: &[RunId],
        lock: Lock,
    ) -> Result<Vec<RunId>> {
        let statement = statement!("lock runs", "lock_open_runs");
        let as_of = self.as_of;
        let Lock {
            due_only,
            suspects,
            paused,
            ruleset,
        } = lock;
        let values = values![runs, due_only, suspects, as_of, ruleset, paused];
        self.driver().fetch_runs(statement, values).await
    }

    /// Reads runs in any state. A run locked before reads as it was locked.
    pub(in crate::storage) async fn load_runs(&mut self, runs: &[RunId]) -> Result<Vec<FoundRun>> {
        let step = "read runs";
        let statement = if self.is_alone {
            statement!(step, postgres "load_runs_alone")
        } else {
            statement!(step, "load_runs")
        };
        let records: Vec<FoundRunRecord> = self
            .driver()
            .fetch_all(statement, values![runs, RUN_COLUMN_BYTES_MAX])
            .await?;
        Ok(records.into_iter().map(FoundRun::from).collect())
    }

    /// Puts on record what a person did about runs.
    pub(in crate::storage) async fn note_actions(
        &mut self,
        action: &Action,
        done: &[ActionDone],
    ) -> Result<()> {
        if done.is_empty() {
            return Ok(());
        }
        let statement = statement!("note who acted", "note_actions");
        let rows = Table::default()
            .integers("run", done.iter().map(|it| it.run))
            .texts("outcome", done.iter().map(|it| it.outcome.as_str()))
            .texts("found", done.iter().map(|it| it.found.as_deref()));
        let [verb, actor, reason, trace] = action_values(Some(action));
        let values = &[verb, actor, reason, trace, rows.into()];
        self.driver().execute(statement, values).await.map(drop)
    }

    /// What is paused.
    pub(in crate::storage) async fn load_pauses(&mut self) -> Result<Vec<Pause>> {
        let statement = statement!("look for pauses", both "load_pauses");
        self.driver().fetch_all(statement, &[]).await
    }

    /// Live restores that a run's context names or that point at the run: the named one, and at
    /// most two others per run, highest ids first. More cannot change the link.
    pub(in crate::storage) async fn load_candidates(
        &mut self,
        asks: &[Ask],
    ) -> Result<Vec<CandidateRow>> {
        let statement = statement!("look for restores", "load_candidates");
        let asks = Ask::scoped(asks, "run", |ask| Some(ask.run.0))
            .integers("restore", asks.iter().map(|ask| ask.restore));
        let records: Vec<CandidateRecord> =
            self.driver().fetch_all(statement, values![asks]).await?;
        Ok(records.into_iter().map(CandidateRow::from).collect())
    }

    /// The restores asked for. Rows are parsed as they arrive, so that only one row's documents are
    /// in memory at a time.
    pub(in crate::storage) async fn load_restores(
        &mut self,
        asks: &[Ask],
        policy: &Policy,
    ) -> Result<Vec<RestoreFacts>> {
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

    /// The latest terminal audit entries about the restores asked for.
    pub(in crate::storage) async fn load_audits(
        &mut self,
        asks: &[Ask],
        policy: &Policy,
    ) -> Result<Vec<AuditRow>> {
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

    /// Per run asked for and per status, the evidence snapshot with the highest id.
    pub(in crate::storage) async fn load_snapshots(
        &mut self,
        asks: &[Ask],
    ) -> Result<Vec<SnapshotRow>> {
        let statement = statement!("read evidence snapshots", "load_snapshots");
        let asks = Ask::scoped(asks, "run", |ask| Some(ask.run.0));
        let records: Vec<SnapshotRecord> =
            self.driver().fetch_all(statement, values![asks]).await?;
        Ok(records.into_iter().map(SnapshotRow::from).collect())
    }

    /// Closes the runs that are still open, none where rows may be hidden by now, and says how many the database counted.
    pub(in crate::storage) async fn close_runs(&mut self, updates: &[&RunUpdate]) -> Result<u64> {
        let statement = statement!("close runs", "close_runs");
        let ids: Vec<i64> = updates.iter().map(|update| update.id.0).collect();
        let contexts: Vec<&str> = updates.iter().map(|update| update.context.get()).collect();
        let is_vouched_for = self.trust.row_security;
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

    /// Appends audit entries, and says how many the database counted.
    pub(in crate::storage) async fn insert_audits(
        &mut self,
        entries: &[&AuditEntry],
    ) -> Result<u64> {
        let statement = statement!("write audit entries", "insert_audits");
        let document = Value::document(statement.step, entries)?;
        self.driver().execute(statement, &[document]).await
    }

    /// Looks for what was written about runs in this transaction.
    pub(in crate::storage) async fn look_for_written(
        &mut self,
        updates: &[&RunUpdate],
    ) -> Result<Vec<WrittenRecord>> {
        let statement = statement!("look for what was written", "look_for_written");
        let rows = || updates.iter().copied();
        let written = Table::default()
            .integers("run", rows().map(|row| row.id))
            .integers("workspace", rows().map(|row| row.workspace_id))
            .integers("environment", rows().map(|row| row.managed_environment_id))
            .texts("outcome", rows().map(|row| row.outcome));
        // As entries have it.
        let since = whole_seconds(self.as_of);
        let values = values![written, AUDIT_RESOURCE_TYPE, AUDIT_ACTION, since];
        self.driver().fetch_all(statement, values).await
    }

    /// Appends ledger entries. A second entry for a run is an error.
    pub(in crate::storage) async fn insert_ledger(
        &mut self,
        entries: &[&LedgerEntry],
    ) -> Result<()> {
        let step = "write ledger entries";
        let rows = || entries.iter().copied();
        let created = || rows().filter_map(|row| row.run_created_at);
        let (first, last) = (created().min(), created().max());
        let ledger = Table::default()
            .texts("decision_id", rows().map(|row| &*row.decision_id))
            .integers("operation_run_id", rows().map(|row| row.operation_run_id))
            .integers("workspace_id", rows().map(|row| row.workspace_id))
            .integers(ENVIRONMENT, rows().map(|row| row.managed_environment_id))
            .texts("outcome", rows().map(|row| row.outcome))
            .texts("reason_code", rows().map(|row| row.reason_code))
            .texts("ruleset", rows().map(|row| row.ruleset))
            .texts("facts", rows().map(|row| &*row.facts))
            .texts("facts_digest", rows().map(|row| &*row.facts_digest))
            .texts("decision", rows().map(|row| &*row.decision))
            .texts("worker", rows().map(|row| &*row.worker))
            .texts("source", rows().map(|row| row.source))
            .integers("decided_at", rows().map(|row| row.decided_at))
            .integers("run_created_at", rows().map(|row| row.run_created_at));
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

    /// Puts runs on the watch list, or updates them there.
    pub(in crate::storage) async fn watch(&mut self, entries: &[WatchWrite]) -> Result<()> {
        let statement = statement!("write the watch list", "watch");
        let rows = || entries.iter();
        let list = Table::default()
            .integers("operation_run_id", rows().map(|row| row.run))
            .integers("workspace_id", rows().map(|row| row.workspace))
            .integers(ENVIRONMENT, rows().map(|row| row.environment))
            .texts("reason_code", rows().map(|row| row.watch.reason.code()))
            .integers("look_again_at", rows().map(|row| row.watch.look_again_at))
            .integers("tries", rows().map(|row| row.watch.tries))
            .texts("error", rows().map(|row| row.error.as_deref()))
            .integers("run_created_at", rows().map(|row| row.created_at));
        let as_of = self.as_of;
        write(self, entries.len(), statement, values![list, as_of]).await
    }

    /// Takes runs off the watch list.
    pub(in crate::storage) async fn unwatch(&mut self, runs: &[RunId]) -> Result<()> {
        let statement = statement!("forget watched runs", both "unwatch");
        write(self, runs.len(), statement, values![runs]).await
    }

    /// What is remembered of a run's unfinished settlements, locked.
    pub(in crate::storage) async fn load_attempts(
        &mut self,
        run: RunId,
    ) -> Result<Option<Attempts>> {
        let statement = statement!("read earlier attempts", both "load_attempts");
        let found: Option<AttemptsRecord> = self
            .driver()
            .fetch_optional(statement, values![run])
            .await?;
        Ok(found.map(Attempts::from))
    }

    /// Remembers a try that begins now, or that the run is a dead letter.
    pub(in crate::storage) async fn note_attempt(
        &mut self,
        run: RunId,
        attempts: &Attempts,
        worker: &str,
    ) -> Result<()> {
        let statement = statement!("note an attempt", both "note_attempt");
        let Attempts {
            tries,
            try_again_at,
            dead,
        } = *attempts;
        let as_of = self.as_of;
        let values = values![run, tries, worker, try_again_at, dead, as_of];
        write(self, 1, statement, values).await
    }

    /// Forgets the unfinished settlements of runs, because one has come to its end.
    pub(in crate::storage) async fn forget_attempts(&mut self, runs: &[RunId]) -> Result<()> {
        let statement = statement!("forget earlier attempts", both "forget_attempts");
        write(self, runs.len(), statement, values![runs]).await
    }

    /// Marks jobs as done that their worker still holds.
    pub(in crate::storage) async fn finish_jobs(&mut self, jobs: &[&ClaimedJob]) -> Result<()> {
        let statement = statement!("finish jobs", postgres "finish_jobs");
        write(self, jobs.len(), statement, values![claims(jobs)]).await
    }

    /// Gives jobs back to their queue that their worker still holds, for a little later.
    pub(in crate::storage) async fn release_jobs(&mut self, jobs: &[&ClaimedJob]) -> Result<()> {
        let statement = statement!("release jobs", postgres "release_jobs");
        write(self, jobs.len(), statement, values![claims(jobs)]).await
    }

    /// How many rows have references that lead nowhere, where the database does not check them with
    /// [`Self::check_deferred`]. Reads whole tables: for rehearsals.
    pub(in crate::storage) async fn count_broken_references(&mut self) -> Result<i64> {
        let statement = statement!("look for broken references", sqlite "count_broken_references");
        let counts: Vec<(i64,)> = self.driver().fetch_all(statement, &[]).await?;
        Ok(counts.into_iter().map(|(count,)| count).sum())
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
        .integers("id", rows().map(|row| row.id))
        .integers("workspace_id", rows().map(|row| row.workspace_id))
        .integers(ENVIRONMENT, rows().map(|row| row.managed_environment_id))
        .texts("outcome", rows().map(|row| row.outcome))
        .integers("started_at", rows().map(|row| row.started_at))
        .integers("completed_at", rows().map(|row| row.completed_at))
        .integers("updated_at", rows().map(|row| row.updated_at))
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
