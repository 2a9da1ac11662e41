//! Rows as queries return them, and rows as statements take them.
//!
//! Both databases name their columns alike, so one struct serves both. JSON columns travel as bytes with a flag for
//! "there is something, but it was too long to fetch".

use jiff::Timestamp;
use reconciler_jobs::attempt::Attempts;
use reconciler_jobs::ids::{EnvironmentId, RestoreId, RunId, WorkspaceId};
use reconciler_jobs::json::Column;
use reconciler_jobs::restore_execute::context::{ContextFacts, NamedRestore};
use reconciler_jobs::restore_execute::facts::RunFacts;
use reconciler_jobs::restore_execute::rows::{
    AuditRow, CandidateRow, RestoreRow, RunRow, SetItems, SnapshotRow,
};
use reconciler_jobs::sweep::{Watch, Watched};
use sqlx::FromRow;

use super::column::{Id, OptionalId, OptionalWord, StoredMoment, Word};
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

/// A row as a query returns it, and the same as rules take it: each column by its `From`, and each document with the flag
/// that there is something. Where it could not be fetched, the flag is all there is.
macro_rules! record {
    ($record:ident for $row:ident {
        $($column:ident: $type:ty,)+
    } $(with documents { $($document:ident / $has:ident,)+ })?) => {
        #[derive(FromRow)]
        pub(super) struct $record {
            $($column: $type,)+
            $($($document: Option<Vec<u8>>, $has: bool,)+)?
        }

        impl From<$record> for $row {
            fn from(record: $record) -> Self {
                Self {
                    $($column: record.$column.into(),)+
                    $($($document: Column::fetched(record.$document, record.$has),)+)?
                }
            }
        }
    };
}
pub(super) use record;

record! {
    RunRecord for RunRow {
        id: Id,
        workspace_id: Id,
        environment_id: OptionalId,
        run_type: Word,
        status: Word,
        outcome: Word,
        started_at: StoredMoment,
        completed_at: StoredMoment,
        created_at: StoredMoment,
    } with documents {
        context / has_context,
        failure_summary / has_failure_summary,
        summary_counts / has_summary_counts,
    }
}

/// A row of `operation_runs`, with what the watch list remembers of it.
#[derive(FromRow)]
pub(super) struct FoundRunRecord {
    #[sqlx(flatten)]
    run: RunRecord,
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

impl From<FoundRunRecord> for FoundRun {
    fn from(record: FoundRunRecord) -> Self {
        let tries = record.watched_tries.map(u32::try_from);
        let watched = record.watched_reason.map(|reason_code| Watched {
            reason_code: reason_code.into(),
            tries: tries.and_then(Result::ok).unwrap_or(0),
        });
        Self {
            row: record.run.into(),
            watched,
            is_suspect: record.is_suspect,
        }
    }
}

record! {
    CandidateRecord for CandidateRow {
        run_id: Id,
        restore_id: Id,
        points_at: OptionalId,
        contests: bool,
    }
}

record! {
    RestoreRecord for RestoreRow {
        id: Id,
        workspace_id: Id,
        environment_id: Id,
        is_dry_run: Option<bool>,
        status: Word,
        backup_items: OptionalWord,
        failure_reason: OptionalWord,
        started_at: StoredMoment,
        completed_at: StoredMoment,
        created_at: StoredMoment,
        updated_at: StoredMoment,
    } with documents {
        requested_items / has_requested_items,
        results / has_results,
        metadata / has_metadata,
    }
}

impl RestoreRecord {
    /// How much there is to parse.
    pub(super) fn document_bytes(&self) -> usize {
        let documents = [&self.requested_items, &self.results, &self.metadata];
        let documents: usize = documents.into_iter().flatten().map(Vec::len).sum();
        documents + self.backup_items.bytes()
    }
}

/// The items of a backup set, of which their ids are listed; nothing where there is no such set.
impl From<OptionalWord> for SetItems {
    fn from(ids: OptionalWord) -> Self {
        let Some(ids) = Option::<String>::from(ids) else {
            return Self::Absent;
        };
        let listed = ids.split(',').filter(|id| !id.is_empty());
        // One that is no number could be any item, so that nobody knows what the set holds.
        let ids: Result<_, _> = listed.map(str::parse).collect();
        ids.map_or(Self::Absent, Self::Ids)
    }
}

record! {
    AuditRecord for AuditRow {
        restore_id: Id,
        id: Id,
        action: Word,
        status: OptionalWord,
        outcome: OptionalWord,
        recorded_at: StoredMoment,
    }
}

record! {
    SnapshotRecord for SnapshotRow {
        run_id: Id,
        id: Id,
        status: Word,
        completeness: OptionalWord,
        generated_at: StoredMoment,
        expires_at: StoredMoment,
        updated_at: StoredMoment,
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
