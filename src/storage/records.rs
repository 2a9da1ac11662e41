//! Rows as queries return them, and rows as statements take them.
//!
//! Both databases name their columns alike, so one struct serves both. JSON columns travel as bytes with a flag for
//! "there is something, but it was too long to fetch".

use jiff::Timestamp;
use reconciler_jobs::attempt::Attempts;
use reconciler_jobs::ids::{AuditId, EnvironmentId, RestoreId, RunId, SnapshotId, WorkspaceId};
use reconciler_jobs::json::Column;
use reconciler_jobs::restore_execute::context::{ContextFacts, NamedRestore};
use reconciler_jobs::restore_execute::facts::RunFacts;
use reconciler_jobs::restore_execute::rows::{
    AuditRow, CandidateRow, RestoreRow, RunRow, SetItems, SnapshotRow,
};
use reconciler_jobs::sweep::{Watch, Watched};
use sqlx::FromRow;

use super::column::{Id, StoredMoment, Word};
use super::error::StoreError;
use super::statement::Table;

/// A row of the attempts.
#[derive(FromRow)]
pub(super) struct AttemptsRecord {
    tries: i64,
    #[sqlx(try_from = "StoredMoment")]
    try_again_at: Timestamp,
    is_dead: bool,
}

impl From<AttemptsRecord> for Attempts {
    fn from(record: AttemptsRecord) -> Self {
        Self {
            tries: u32::try_from(record.tries).unwrap_or(u32::MAX),
            try_again_at: record.try_again_at,
            dead: record.is_dead,
        }
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
    started_at: StoredMoment,
    completed_at: StoredMoment,
    created_at: StoredMoment,
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
            started_at: record.started_at.into(),
            completed_at: record.completed_at.into(),
            created_at: record.created_at.into(),
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
    contests: bool,
}

impl From<CandidateRecord> for CandidateRow {
    fn from(record: CandidateRecord) -> Self {
        Self {
            run_id: RunId(record.run_id),
            restore_id: RestoreId(record.restore_id),
            points_at: record.points_at.map(RunId),
            contests: record.contests,
        }
    }
}

#[derive(FromRow)]
pub(super) struct RestoreRecord {
    id: i64,
    workspace_id: i64,
    environment_id: i64,
    is_dry_run: Option<bool>,
    status: Word,
    requested_items: Option<Vec<u8>>,
    has_requested_items: bool,
    backup_items: Option<Word>,
    results: Option<Vec<u8>>,
    has_results: bool,
    metadata: Option<Vec<u8>>,
    has_metadata: bool,
    failure_reason: Option<Word>,
    started_at: StoredMoment,
    completed_at: StoredMoment,
    created_at: StoredMoment,
    updated_at: StoredMoment,
}

impl RestoreRecord {
    /// How much there is to parse.
    pub(super) fn document_bytes(&self) -> usize {
        let documents = [&self.requested_items, &self.results, &self.metadata];
        let documents: usize = documents.into_iter().flatten().map(Vec::len).sum();
        documents + self.backup_items.as_ref().map_or(0, Word::bytes)
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
            backup_items: set_items(record.backup_items),
            results: Column::fetched(record.results, record.has_results),
            metadata: Column::fetched(record.metadata, record.has_metadata),
            failure_reason: record.failure_reason.map(String::from),
            started_at: record.started_at.into(),
            completed_at: record.completed_at.into(),
            created_at: record.created_at.into(),
            updated_at: record.updated_at.into(),
        }
    }
}

/// The items of a backup set, of which their ids are listed; nothing where there is no such set.
fn set_items(ids: Option<Word>) -> SetItems {
    let Some(ids) = ids.map(String::from) else {
        return SetItems::Absent;
    };
    let listed = ids.split(',').filter(|id| !id.is_empty());
    // One that is no number could be any item, so that nobody knows what the set holds.
    let ids: Result<_, _> = listed.map(str::parse).collect();
    ids.map_or(SetItems::Absent, SetItems::Ids)
}

#[derive(FromRow)]
pub(super) struct AuditRecord {
    restore_id: i64,
    id: i64,
    action: Word,
    status: Option<Word>,
    outcome: Option<Word>,
    recorded_at: StoredMoment,
}

impl From<AuditRecord> for AuditRow {
    fn from(record: AuditRecord) -> Self {
        Self {
            restore_id: RestoreId(record.restore_id),
            id: AuditId(record.id),
            action: record.action.into(),
            status: record.status.map(String::from),
            outcome: record.outcome.map(String::from),
            recorded_at: record.recorded_at.into(),
        }
    }
}

#[derive(FromRow)]
pub(super) struct SnapshotRecord {
    run_id: i64,
    id: i64,
    status: Word,
    completeness: Option<Word>,
    generated_at: StoredMoment,
    expires_at: StoredMoment,
    updated_at: StoredMoment,
}

impl From<SnapshotRecord> for SnapshotRow {
    fn from(record: SnapshotRecord) -> Self {
        Self {
            run_id: RunId(record.run_id),
            id: SnapshotId(record.id),
            status: record.status.into(),
            completeness: record.completeness.map(String::from),
            generated_at: record.generated_at.into(),
            expires_at: record.expires_at.into(),
            updated_at: record.updated_at.into(),
        }
    }
}

/// What a query about one run's proof asks for: always with the run's scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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

    /// A table of asks: their ids of one kind, and the scope of each.
    pub(super) fn scoped(
        asks: &[Self],
        name: &'static str,
        id: impl Fn(&Self) -> Option<i64>,
    ) -> Table<'static> {
        let ids = Table::default().integers(name, asks.iter().map(id));
        Self::with_scopes(ids, asks)
    }

    /// The environments that are asked about, each with its workspace.
    pub(super) fn environments(asks: &[Self]) -> Table<'static> {
        Self::with_scopes(Table::default(), asks)
    }

    fn with_scopes(table: Table<'static>, asks: &[Self]) -> Table<'static> {
        table
            .integers("workspace", asks.iter().map(|ask| ask.workspace))
            .integers("environment", asks.iter().map(|ask| ask.environment))
    }

    /// The restores that are asked about, and the scope of each.
    pub(super) fn restores(asks: &[Self]) -> Table<'static> {
        Self::scoped(asks, "restore", |ask| ask.restore.map(|id| id.0))
    }

    /// Asks about one restore of the same run.
    pub(super) fn about(self, restore: RestoreId) -> Self {
        Self {
            restore: Some(restore),
            ..self
        }
    }
}

/// Whether what was written about a run is there.
#[derive(Debug, FromRow)]
pub(super) struct WrittenRecord {
    #[sqlx(rename = "run", try_from = "Id")]
    pub(super) run: RunId,
    /// The run reads as it was closed.
    pub(super) is_closed: bool,
    /// The audit log has an entry about it.
    pub(super) is_audited: bool,
}

/// A row for the watch list.
pub(super) struct WatchWrite {
    pub(super) run: RunId,
    pub(super) workspace: WorkspaceId,
    pub(super) environment: Option<EnvironmentId>,
    /// When the run was created, where its row says so.
    pub(super) created_at: Option<Timestamp>,
    pub(super) watch: Watch,
    /// What the database said, where it refused.
    pub(super) error: Option<String>,
}

/// The longest error that is kept, in characters: as long as the console shows.
const ERROR_CHARS_MAX: usize = 500;

impl WatchWrite {
    pub(super) fn refused(run: &RunRow, watch: &Watch, error: &StoreError) -> Self {
        Self {
            error: Some(error.in_short(ERROR_CHARS_MAX)),
            ..Self::new(run, watch)
        }
    }

    pub(super) fn new(run: &RunRow, watch: &Watch) -> Self {
        Self {
            run: run.id,
            workspace: run.workspace_id,
            environment: run.environment_id,
            created_at: run.created_at.moment(),
            watch: *watch,
            error: None,
        }
    }
}
