//! Rows as queries return them, and rows as statements take them.
//!
//! Both databases name their columns alike, so one struct serves both. Moments travel as
//! microseconds since 1970 with a flag for "something is there that is no moment"; JSON columns as
//! bytes with a flag for "there is something, but it was too long to fetch".

use jiff::Timestamp;
use reconciler_jobs::attempt::Attempts;
use reconciler_jobs::ids::{AuditId, EnvironmentId, RestoreId, RunId, SnapshotId, WorkspaceId};
use reconciler_jobs::json::Column;
use reconciler_jobs::restore_execute::context::{ContextFacts, NamedRestore};
use reconciler_jobs::restore_execute::facts::RunFacts;
use reconciler_jobs::restore_execute::record::{LedgerEntry, RunUpdate};
use reconciler_jobs::restore_execute::rows::{
    AuditRow, CandidateRow, RestoreRow, RunRow, SnapshotRow,
};
use reconciler_jobs::stamp::Stamp;
use reconciler_jobs::sweep::{Watch, Watched};
use serde::Serialize;
use serde_json::value::RawValue;
use sqlx::postgres::{PgTypeInfo, PgValueRef, Postgres};
use sqlx::sqlite::{Sqlite, SqliteTypeInfo, SqliteValueRef};
use sqlx::{Decode, FromRow, Type};

use super::RecordedVerdict;
use super::error::StoreError;
use super::standin::Finding;

/// A moment that we wrote ourselves, or that the database's clock gave.
pub(super) fn moment(micros: i64) -> Result<Timestamp, sqlx::Error> {
    Timestamp::from_microsecond(micros)
        .map_err(|error| sqlx::Error::Decode(error.to_string().into()))
}

/// A row of the attempts: tries, when the next may begin, and whether there will be none.
pub(super) fn attempts(
    (tries, try_again_at, dead): (i64, i64, bool),
) -> Result<Attempts, sqlx::Error> {
    Ok(Attempts {
        tries: u32::try_from(tries).unwrap_or(u32::MAX),
        try_again_at: moment(try_again_at)?,
        dead,
    })
}

/// Text of a column that the platform wrote.
///
/// SQLite does not promise UTF-8. Bytes that are none are replaced, so that the text equals no word
/// that a rule knows: one odd word must not make a row, and with it a batch, unreadable.
pub(super) struct Word(String);

impl Type<Postgres> for Word {
    fn type_info() -> PgTypeInfo {
        <String as Type<Postgres>>::type_info()
    }

    fn compatible(found: &PgTypeInfo) -> bool {
        <String as Type<Postgres>>::compatible(found)
    }
}

impl<'r> Decode<'r, Postgres> for Word {
    fn decode(value: PgValueRef<'r>) -> Result<Self, sqlx::error::BoxDynError> {
        <String as Decode<'r, Postgres>>::decode(value).map(Self)
    }
}

impl Type<Sqlite> for Word {
    fn type_info() -> SqliteTypeInfo {
        <String as Type<Sqlite>>::type_info()
    }

    fn compatible(found: &SqliteTypeInfo) -> bool {
        <Vec<u8> as Type<Sqlite>>::compatible(found)
    }
}

impl<'r> Decode<'r, Sqlite> for Word {
    fn decode(value: SqliteValueRef<'r>) -> Result<Self, sqlx::error::BoxDynError> {
        let bytes = <&[u8] as Decode<'r, Sqlite>>::decode(value)?;
        Ok(Self(String::from_utf8_lossy(bytes).into_owned()))
    }
}

impl From<Word> for String {
    fn from(word: Word) -> Self {
        word.0
    }
}

/// A row of `operation_runs`, with what the watch list remembers of it.
#[derive(FromRow)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "one flag per nullable column, as the query names them"
)]
pub(super) struct RunRecord {
    id: i64,
    workspace_id: i64,
    environment_id: Option<i64>,
    run_type: Word,
    status: Word,
    outcome: Word,
    context: Option<Vec<u8>>,
    has_context: bool,
    failure_summary: Option<Vec<u8>>,
    has_failure_summary: bool,
    summary_counts: Option<Vec<u8>>,
    has_summary_counts: bool,
    started_at: Option<i64>,
    has_started_at: bool,
    created_at: Option<i64>,
    has_created_at: bool,
    watched_reason: Option<Word>,
    watched_tries: Option<i64>,
    is_suspect: bool,
}

/// A run with what the watch list remembers of it, and whether unfinished settlements are remembered.
pub(super) struct FoundRun {
    pub(super) row: RunRow,
    pub(super) watched: Option<Watched>,
    pub(super) is_suspect: bool,
}

impl From<RunRecord> for FoundRun {
    fn from(record: RunRecord) -> Self {
        let watched = record.watched_reason.map(|reason_code| Watched {
            reason_code: reason_code.into(),
            tries: record
                .watched_tries
                .and_then(|tries| u32::try_from(tries).ok())
                .unwrap_or(0),
        });
        let row = RunRow {
            id: RunId(record.id),
            workspace_id: WorkspaceId(record.workspace_id),
            environment_id: record.environment_id.map(EnvironmentId),
            run_type: record.run_type.into(),
            status: record.status.into(),
            outcome: record.outcome.into(),
            context: Column::fetched(record.context, record.has_context),
            failure_summary: Column::fetched(record.failure_summary, record.has_failure_summary),
            summary_counts: Column::fetched(record.summary_counts, record.has_summary_counts),
            started_at: Stamp::parse(record.started_at, record.has_started_at),
            created_at: Stamp::parse(record.created_at, record.has_created_at),
        };
        Self {
            row,
            watched,
            is_suspect: record.is_suspect,
        }
    }
}

#[derive(FromRow)]
pub(super) struct CandidateRecord {
    run_id: i64,
    restore_id: i64,
    points_at: Option<i64>,
}

impl From<CandidateRecord> for CandidateRow {
    fn from(record: CandidateRecord) -> Self {
        Self {
            run_id: RunId(record.run_id),
            restore_id: RestoreId(record.restore_id),
            points_at: record.points_at.map(RunId),
        }
    }
}

#[derive(FromRow)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "one flag per nullable column, as the query names them"
)]
pub(super) struct RestoreRecord {
    id: i64,
    workspace_id: i64,
    environment_id: i64,
    is_dry_run: Option<bool>,
    status: Word,
    requested_items: Option<Vec<u8>>,
    has_requested_items: bool,
    results: Option<Vec<u8>>,
    has_results: bool,
    metadata: Option<Vec<u8>>,
    has_metadata: bool,
    failure_reason: Option<Word>,
    started_at: Option<i64>,
    has_started_at: bool,
    completed_at: Option<i64>,
    has_completed_at: bool,
    created_at: Option<i64>,
    has_created_at: bool,
}

impl RestoreRecord {
    /// How much there is to parse.
    pub(super) fn document_bytes(&self) -> usize {
        [&self.requested_items, &self.results, &self.metadata]
            .into_iter()
            .flatten()
            .map(Vec::len)
            .sum()
    }
}

impl From<RestoreRecord> for RestoreRow {
    fn from(record: RestoreRecord) -> Self {
        Self {
            id: RestoreId(record.id),
            workspace_id: WorkspaceId(record.workspace_id),
            environment_id: EnvironmentId(record.environment_id),
            is_dry_run: record.is_dry_run,
            status: record.status.into(),
            requested_items: Column::fetched(record.requested_items, record.has_requested_items),
            results: Column::fetched(record.results, record.has_results),
            metadata: Column::fetched(record.metadata, record.has_metadata),
            failure_reason: record.failure_reason.map(String::from),
            started_at: Stamp::parse(record.started_at, record.has_started_at),
            completed_at: Stamp::parse(record.completed_at, record.has_completed_at),
            created_at: Stamp::parse(record.created_at, record.has_created_at),
        }
    }
}

#[derive(FromRow)]
pub(super) struct AuditRecord {
    restore_id: i64,
    id: i64,
    action: Word,
    status: Option<Word>,
    outcome: Option<Word>,
    recorded_at: Option<i64>,
    has_recorded_at: bool,
}

impl From<AuditRecord> for AuditRow {
    fn from(record: AuditRecord) -> Self {
        Self {
            restore_id: RestoreId(record.restore_id),
            id: AuditId(record.id),
            action: record.action.into(),
            status: record.status.map(String::from),
            outcome: record.outcome.map(String::from),
            recorded_at: Stamp::parse(record.recorded_at, record.has_recorded_at),
        }
    }
}

#[derive(FromRow)]
pub(super) struct SnapshotRecord {
    run_id: i64,
    id: i64,
    status: Word,
    completeness: Option<Word>,
    generated_at: Option<i64>,
    has_generated_at: bool,
    expires_at: Option<i64>,
    has_expires_at: bool,
}

impl From<SnapshotRecord> for SnapshotRow {
    fn from(record: SnapshotRecord) -> Self {
        Self {
            run_id: RunId(record.run_id),
            id: SnapshotId(record.id),
            status: record.status.into(),
            completeness: record.completeness.map(String::from),
            generated_at: Stamp::parse(record.generated_at, record.has_generated_at),
            expires_at: Stamp::parse(record.expires_at, record.has_expires_at),
        }
    }
}

#[derive(FromRow)]
pub(super) struct VerdictRecord {
    operation_run_id: i64,
    decision_id: String,
    outcome: String,
    reason_code: String,
    ruleset: String,
    facts: String,
    facts_digest: String,
    decision: String,
    worker: String,
    decided_at: i64,
}

impl TryFrom<VerdictRecord> for RecordedVerdict {
    type Error = sqlx::Error;

    fn try_from(record: VerdictRecord) -> Result<Self, sqlx::Error> {
        Ok(Self {
            run: RunId(record.operation_run_id),
            decision_id: record.decision_id,
            outcome: record.outcome,
            reason_code: record.reason_code,
            ruleset: record.ruleset,
            facts: record.facts,
            facts_digest: record.facts_digest,
            decision: record.decision,
            worker: record.worker,
            decided_at: moment(record.decided_at)?,
        })
    }
}

#[derive(FromRow)]
pub(super) struct FindingRecord {
    operation_run_id: i64,
    outcome: Option<String>,
    reason_code: String,
    source: Option<String>,
}

impl From<FindingRecord> for Finding {
    fn from(record: FindingRecord) -> Self {
        Self {
            run: RunId(record.operation_run_id),
            outcome: record.outcome,
            reason_code: record.reason_code,
            source: record.source,
        }
    }
}

/// What a query about one run's proof asks for: always with the run's scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(super) struct Ask {
    pub(super) run: RunId,
    pub(super) workspace: WorkspaceId,
    pub(super) environment: EnvironmentId,
    pub(super) restore: Option<RestoreId>,
}

impl Ask {
    /// Asks for the restores that may belong to a run. Nothing for a run without an environment,
    /// which no restore can match.
    pub(super) fn candidates_of(run: &RunFacts) -> Option<Self> {
        let restore = match run.context {
            ContextFacts::Map {
                restore: NamedRestore::Id(id),
                ..
            } => Some(id),
            _ => None,
        };
        let environment = run.environment_id?;
        Some(Self {
            run: run.id,
            workspace: run.workspace_id,
            environment,
            restore,
        })
    }

    /// Asks about one restore of the same run.
    pub(super) fn about(self, restore: RestoreId) -> Self {
        Self {
            restore: Some(restore),
            ..self
        }
    }
}

/// New values of a run as SQLite takes them: documents travel as text, because its JSON functions
/// would write their content anew, and moments as the integers that its columns hold.
#[derive(Serialize)]
pub(super) struct RunWrite<'a> {
    id: RunId,
    workspace_id: WorkspaceId,
    managed_environment_id: Option<EnvironmentId>,
    outcome: &'static str,
    started_at: Option<i64>,
    completed_at: i64,
    updated_at: i64,
    summary_counts: Option<&'a str>,
    failure_summary: Option<&'a str>,
    context: &'a str,
}

impl<'a> From<&'a RunUpdate> for RunWrite<'a> {
    fn from(update: &'a RunUpdate) -> Self {
        Self {
            id: update.id,
            workspace_id: update.workspace_id,
            managed_environment_id: update.managed_environment_id,
            outcome: update.outcome,
            started_at: update.started_at.map(Timestamp::as_microsecond),
            completed_at: update.completed_at.as_microsecond(),
            updated_at: update.updated_at.as_microsecond(),
            summary_counts: update.summary_counts.as_deref().map(RawValue::get),
            failure_summary: update.failure_summary.as_deref().map(RawValue::get),
            context: update.context.get(),
        }
    }
}

/// A ledger row as a statement takes it; SQLite has no timestamps, so the moment travels twice.
#[derive(Serialize)]
pub(super) struct LedgerWrite<'a> {
    #[serde(flatten)]
    pub(super) entry: &'a LedgerEntry,
    pub(super) decided_at_micros: i64,
}

impl<'a> From<&'a LedgerEntry> for LedgerWrite<'a> {
    fn from(entry: &'a LedgerEntry) -> Self {
        Self {
            entry,
            decided_at_micros: entry.decided_at.as_microsecond(),
        }
    }
}

/// A watch list row as a statement takes it.
#[derive(Serialize)]
pub(super) struct WatchWrite {
    operation_run_id: RunId,
    workspace_id: WorkspaceId,
    managed_environment_id: Option<EnvironmentId>,
    reason_code: &'static str,
    look_again_at: Timestamp,
    look_again_at_micros: i64,
    tries: u32,
    error: Option<String>,
}

/// The longest error that is kept, in characters.
const ERROR_CHARS_MAX: usize = 1_000;

impl WatchWrite {
    pub(super) fn refused(run: &RunRow, watch: &Watch, error: &StoreError) -> Self {
        let text = error.to_string().replace('\0', "");
        Self {
            error: Some(text.chars().take(ERROR_CHARS_MAX).collect()),
            ..Self::new(run, watch)
        }
    }

    pub(super) fn new(run: &RunRow, watch: &Watch) -> Self {
        Self {
            error: None,
            operation_run_id: run.id,
            workspace_id: run.workspace_id,
            managed_environment_id: run.environment_id,
            reason_code: watch.reason.code(),
            look_again_at: watch.look_again_at,
            look_again_at_micros: watch.look_again_at.as_microsecond(),
            tries: watch.tries,
        }
    }
}
