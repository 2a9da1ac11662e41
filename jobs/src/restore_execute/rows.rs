//! What a store hands over: one struct per row it reads, columns still untrusted.
//!
//! A store fills these and nothing else, so that reading a column means the same on every database.
//! Every row was selected by a query that carries the run's workspace and environment.

use crate::ids::{AuditId, EnvironmentId, RestoreId, RunId, SnapshotId, WorkspaceId};
use crate::json::Column;
use crate::stamp::Stamp;

/// How many audit entries of one restore are read: the latest ones, which overrule the others.
pub const AUDITS_PER_RESTORE_MAX: i64 = 32;

/// A row of `operation_runs`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    missing_docs,
    reason = "a field without words is the column of its name"
)]
pub struct RunRow {
    /// Primary key.
    pub id: RunId,
    /// The workspace the run belongs to.
    pub workspace_id: WorkspaceId,
    /// The environment; null for workspace housekeeping.
    pub environment_id: Option<EnvironmentId>,
    /// `type`, which must be exactly `restore.execute`.
    pub run_type: String,
    pub status: String,
    pub outcome: String,
    pub context: Column,
    pub failure_summary: Column,
    pub summary_counts: Column,
    pub started_at: Stamp,
    pub completed_at: Stamp,
    pub created_at: Stamp,
}

/// A live restore row in the run's own workspace and environment that may belong to the run:
/// because the run's context names it, or because it points at the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CandidateRow {
    /// The run it was selected for.
    pub run_id: RunId,
    /// The restore.
    pub restore_id: RestoreId,
    /// The restore's `operation_run_id`.
    pub points_at: Option<RunId>,
    /// Whether it is neither a dry run nor in its preparation: `draft`, `scoped`, `checked`, `previewed` or `pending`
    /// without a start.
    pub contests: bool,
}

/// A row of `restore_runs`, live and in scope.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    missing_docs,
    reason = "a field without words is the column of its name"
)]
pub struct RestoreRow {
    /// Primary key.
    pub id: RestoreId,
    /// The workspace, compared with the run's once more by the scope leg.
    pub workspace_id: WorkspaceId,
    /// The environment, likewise.
    pub environment_id: EnvironmentId,
    /// `is_dry_run`; null proves nothing and so counts as a preview.
    pub is_dry_run: Option<bool>,
    pub status: String,
    pub requested_items: Column,
    /// What the backup set holds, where `requested_items` is null.
    pub backup_items: SetItems,
    pub results: Column,
    pub metadata: Column,
    /// The first [`crate::json::TEXT_BYTES_MAX`] characters of `failure_reason`.
    pub failure_reason: Option<String>,
    pub started_at: Stamp,
    pub completed_at: Stamp,
    pub created_at: Stamp,
    pub updated_at: Stamp,
}

/// The items of a restore's backup set that were not deleted before the restore started.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum SetItems {
    /// There is no such set in the restore's workspace and environment, or nobody asked.
    #[default]
    Absent,
    /// Their ids, of which a store need not read more than one beyond
    /// [`ITEMS_MAX`](super::results::ITEMS_MAX).
    Ids(Vec<i64>),
}

/// A row of `audit_logs` about a restore, with one of the configured actions and resource types.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    missing_docs,
    reason = "a field without words is the column of its name"
)]
pub struct AuditRow {
    /// The restore it is about.
    pub restore_id: RestoreId,
    /// Primary key.
    pub id: AuditId,
    pub action: String,
    pub status: Option<String>,
    pub outcome: Option<String>,
    pub recorded_at: Stamp,
}

/// A row of `evidence_snapshots` of a run: per status, the one with the highest id.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    missing_docs,
    reason = "a field without words is the column of its name"
)]
pub struct SnapshotRow {
    /// The run it was captured for.
    pub run_id: RunId,
    /// Primary key.
    pub id: SnapshotId,
    pub status: String,
    /// `completeness_state`.
    pub completeness: Option<String>,
    pub generated_at: Stamp,
    pub expires_at: Stamp,
    pub updated_at: Stamp,
}
