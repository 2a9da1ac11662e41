//! Rows as the console's statements return them. Both databases name their columns alike.

use std::collections::HashMap;

use jiff::Timestamp;
use reconciler_jobs::ids::{BackupSetId, EnvironmentId, RestoreId, RunId, WorkspaceId};
use reconciler_jobs::json::Column;
use reconciler_jobs::reading::backup_health::{BackupItemRow, BackupSetFacts, BackupSetRow};
use reconciler_jobs::reading::gates::PreparationRow;
use reconciler_jobs::stamp::Stamp;
use sqlx::FromRow;

use super::model::{OpenRuns, RefusalSeen, SweepSeen, VerdictSeen};
use super::names::{NameColumn, shown, shown_error};
use crate::storage::column::{Id, OptionalId, StoredMoment, Word};
use crate::storage::model::Tally;
use crate::storage::records::Ask;

/// What stands beside a run.
#[derive(FromRow)]
pub(super) struct DescribedRecord {
    id: i64,
    workspace_name: Word,
    environment_name: Option<Word>,
    outcome: Option<Word>,
    reason_code: Option<Word>,
    #[sqlx(try_from = "StoredMoment")]
    decided_at: Option<Timestamp>,
    #[sqlx(try_from = "StoredMoment")]
    refused_since: Option<Timestamp>,
    #[sqlx(try_from = "StoredMoment")]
    refused_at: Option<Timestamp>,
    #[sqlx(try_from = "StoredMoment")]
    refused_until: Option<Timestamp>,
    refused_tries: Option<i64>,
    refused_error: Option<String>,
}

impl DescribedRecord {
    fn refusal(&mut self) -> Option<RefusalSeen> {
        Some(RefusalSeen {
            since: self.refused_since?,
            tried_at: self.refused_at?,
            again_at: self.refused_until?,
            tries: self.refused_tries?.unsigned_abs(),
            said: self.refused_error.take().map(|error| shown_error(&error)),
        })
    }
}

/// A run that may be seen, without its facts.
pub(super) struct DescribedRun {
    pub(super) run: RunId,
    pub(super) workspace_name: String,
    pub(super) environment_name: Option<String>,
    pub(super) verdict: Option<VerdictSeen>,
    pub(super) refusal: Option<RefusalSeen>,
}

impl From<DescribedRecord> for DescribedRun {
    fn from(mut record: DescribedRecord) -> Self {
        let refusal = record.refusal();
        let verdict = match (record.outcome, record.reason_code, record.decided_at) {
            (Some(outcome), Some(reason_code), Some(decided_at)) => Some(VerdictSeen {
                outcome: outcome.into(),
                reason_code: reason_code.into(),
                decided_at,
            }),
            _ => None,
        };
        Self {
            run: RunId(record.id),
            workspace_name: shown(record.workspace_name),
            environment_name: record.environment_name.map(shown),
            verdict,
            refusal,
        }
    }
}

/// A restore that may be seen, before it is executed.
#[derive(FromRow)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "one flag per nullable column, as the query names them"
)]
pub(super) struct PreparationRecord {
    workspace_id: i64,
    environment_id: i64,
    points_at: Option<i64>,
    workspace_name: Word,
    environment_name: Word,
    requested_by: Option<Word>,
    is_dry_run: Option<bool>,
    status: Word,
    requested_items: Option<Vec<u8>>,
    has_requested_items: bool,
    group_mapping: Option<Vec<u8>>,
    has_group_mapping: bool,
    preview: Option<Vec<u8>>,
    has_preview: bool,
    metadata: Option<Vec<u8>>,
    has_metadata: bool,
}

/// A restore as the reader takes it from a row.
pub(super) struct FoundRestore {
    pub(super) workspace: WorkspaceId,
    pub(super) environment: EnvironmentId,
    pub(super) points_at: Option<RunId>,
    pub(super) workspace_name: String,
    pub(super) environment_name: String,
    pub(super) requested_by: Option<String>,
    pub(super) preparation: PreparationRow,
}

impl From<PreparationRecord> for FoundRestore {
    fn from(record: PreparationRecord) -> Self {
        Self {
            workspace: WorkspaceId(record.workspace_id),
            environment: EnvironmentId(record.environment_id),
            points_at: record.points_at.map(RunId),
            workspace_name: shown(record.workspace_name),
            environment_name: shown(record.environment_name),
            requested_by: record.requested_by.map(shown),
            preparation: PreparationRow {
                is_dry_run: record.is_dry_run,
                status: record.status.into(),
                // A restore whose environment is gone is not found at all.
                has_target: true,
                requested_items: Column::fetched(
                    record.requested_items,
                    record.has_requested_items,
                ),
                group_mapping: Column::fetched(record.group_mapping, record.has_group_mapping),
                preview: Column::fetched(record.preview, record.has_preview),
                metadata: Column::fetched(record.metadata, record.has_metadata),
            },
        }
    }
}

/// A restore in its own scope, and the run that it points at.
#[derive(Debug, Clone, Copy, FromRow)]
pub(super) struct ScopedRestore {
    #[sqlx(rename = "restore_id", try_from = "Id")]
    pub(super) restore: RestoreId,
    #[sqlx(rename = "workspace_id", try_from = "Id")]
    pub(super) workspace: WorkspaceId,
    #[sqlx(rename = "environment_id", try_from = "Id")]
    pub(super) environment: EnvironmentId,
    #[sqlx(try_from = "OptionalId")]
    pub(super) points_at: Option<RunId>,
}

impl ScopedRestore {
    /// Asks about the restore. Whatever asks for a run asks for the one it points at, or for none.
    pub(super) fn ask(&self) -> Ask {
        Ask {
            run: self.points_at.unwrap_or(RunId(0)),
            workspace: self.workspace,
            environment: self.environment,
            restore: Some(self.restore),
        }
    }
}

/// A live environment.
#[derive(FromRow)]
pub(super) struct ListedEnvironment {
    #[sqlx(rename = "workspace_id", try_from = "Id")]
    pub(super) workspace: WorkspaceId,
    #[sqlx(try_from = "NameColumn")]
    pub(super) workspace_name: String,
    #[sqlx(rename = "environment_id", try_from = "Id")]
    pub(super) environment: EnvironmentId,
    #[sqlx(try_from = "NameColumn")]
    pub(super) name: String,
}

/// The open runs of an environment.
#[derive(FromRow)]
pub(super) struct OpenRecord {
    environment_id: i64,
    runs: i64,
    oldest: StoredMoment,
    first: Option<i64>,
}

impl OpenRecord {
    pub(super) fn read(self) -> (EnvironmentId, OpenRuns) {
        let open = OpenRuns {
            runs: self.runs.unsigned_abs(),
            // The platform's own moment: what cannot be read is none.
            oldest: Stamp::from(self.oldest).moment(),
            first: self.first.map(RunId),
        };
        (EnvironmentId(self.environment_id), open)
    }
}

/// A backup set, found for an environment or for a restore.
#[derive(FromRow)]
pub(super) struct SetRecord {
    owner: i64,
    id: i64,
    name: Word,
    status: Word,
    completed_at: StoredMoment,
    is_deleted: bool,
}

/// A backup set as the reader takes it from a row; its items are not counted yet.
pub(super) struct FoundSet {
    /// The environment or the restore that the set was looked for by.
    pub(super) owner: i64,
    pub(super) row: BackupSetRow,
}

impl From<SetRecord> for FoundSet {
    fn from(record: SetRecord) -> Self {
        Self {
            owner: record.owner,
            row: BackupSetRow {
                id: BackupSetId(record.id),
                name: shown(record.name),
                status: record.status.into(),
                completed_at: record.completed_at.into(),
                is_deleted: record.is_deleted,
                items: 0,
            },
        }
    }
}

/// An item, with how many there are beside it.
#[derive(FromRow)]
pub(super) struct ItemRecord {
    backup_set_id: i64,
    items: i64,
    has_payload: bool,
    metadata: Option<Vec<u8>>,
    has_metadata: bool,
}

/// Backup sets whose items arrive set by set, so that those of one set are in memory at a time.
pub(super) struct Gathering {
    sets: HashMap<i64, FoundSet>,
    /// The set whose items arrive, and those that have.
    current: Option<(FoundSet, Vec<BackupItemRow>)>,
    gathered: HashMap<i64, BackupSetFacts>,
}

impl Gathering {
    pub(super) fn of(sets: Vec<FoundSet>) -> Self {
        Self {
            sets: sets.into_iter().map(|set| (set.row.id.0, set)).collect(),
            current: None,
            gathered: HashMap::new(),
        }
    }

    /// Takes the next item. One of a set that was not asked for is passed over.
    pub(super) fn add(&mut self, record: ItemRecord) {
        if let Some(set) = self.sets.remove(&record.backup_set_id) {
            self.close();
            self.current = Some((set, Vec::new()));
        }
        if let Some((set, items)) = &mut self.current
            && set.row.id.0 == record.backup_set_id
        {
            set.row.items = record.items.unsigned_abs();
            items.push(BackupItemRow {
                has_payload: record.has_payload,
                metadata: Column::fetched(record.metadata, record.has_metadata),
            });
        }
    }

    fn close(&mut self) {
        if let Some((set, items)) = self.current.take() {
            let facts = BackupSetFacts::gather(set.row, &items);
            self.gathered.insert(set.owner, facts);
        }
    }

    /// By owner. Sets without items among them.
    pub(super) fn finish(mut self) -> HashMap<i64, BackupSetFacts> {
        self.close();
        for set in self.sets.into_values() {
            let facts = BackupSetFacts::gather(set.row, &[]);
            self.gathered.insert(set.owner, facts);
        }
        self.gathered
    }
}

/// A row of the sweeps.
#[derive(FromRow)]
pub(super) struct SweepRecord {
    id: i64,
    worker: String,
    workspace_id: Option<i64>,
    #[sqlx(try_from = "StoredMoment")]
    started_at: Timestamp,
    #[sqlx(try_from = "StoredMoment")]
    ended_at: Option<Timestamp>,
    #[sqlx(try_from = "StoredMoment")]
    tick_at: Option<Timestamp>,
    shard: i64,
    shards: i64,
    #[sqlx(try_from = "StoredMoment")]
    beat_at: Option<Timestamp>,
    succeeded: i64,
    partially_succeeded: i64,
    blocked: i64,
    failed: i64,
    deferred: i64,
    refused: i64,
    passed_over: i64,
}

impl From<SweepRecord> for SweepSeen {
    fn from(record: SweepRecord) -> Self {
        Self {
            id: record.id,
            worker: record.worker,
            workspace: record.workspace_id.map(WorkspaceId),
            started_at: record.started_at,
            ended_at: record.ended_at,
            tick_at: record.tick_at,
            shard: (record.shard, record.shards),
            beat_at: record.beat_at,
            tally: Tally {
                succeeded: record.succeeded.unsigned_abs(),
                partially_succeeded: record.partially_succeeded.unsigned_abs(),
                blocked: record.blocked.unsigned_abs(),
                failed: record.failed.unsigned_abs(),
                deferred: record.deferred.unsigned_abs(),
                refused: record.refused.unsigned_abs(),
                passed_over: record.passed_over.unsigned_abs(),
            },
        }
    }
}
