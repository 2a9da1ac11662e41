//! What the store remembers of a pass while it goes on, and what it asks of the one that begins.

use std::time::Duration;

use jiff::Timestamp;
use reconciler_jobs::ids::{RunId, WorkspaceId};
use reconciler_jobs::sweep::shard::Shard;
use reconciler_jobs::sweep::turns::{DueWorkspace, Span};
use sqlx::FromRow;

/// A pass whose first page is about to be settled.
#[derive(Debug, Clone, Copy)]
pub struct SweepStart<'a> {
    /// Who sweeps.
    pub by: &'a str,
    /// Only this workspace.
    pub workspace: Option<WorkspaceId>,
    /// The tick that asked for the pass; none where a person did.
    pub tick: Option<Timestamp>,
    /// The part of the workspaces that it covers.
    pub shard: Shard,
    /// The first page.
    pub in_hand: &'a [RunId],
}

/// A row of `load_due_workspaces`.
#[derive(Debug, FromRow)]
pub(super) struct DueWorkspaceRecord {
    workspace_id: i64,
    runs: i64,
    last: i64,
}

impl From<DueWorkspaceRecord> for DueWorkspace {
    fn from(record: DueWorkspaceRecord) -> Self {
        Self {
            workspace: WorkspaceId(record.workspace_id),
            runs: record.runs.unsigned_abs(),
            last: RunId(record.last),
        }
    }
}

/// A row of `load_due`.
#[derive(Debug, FromRow)]
pub(super) struct DueRunRecord {
    workspace_id: i64,
    id: i64,
}

impl From<DueRunRecord> for (WorkspaceId, RunId) {
    fn from(record: DueRunRecord) -> Self {
        (WorkspaceId(record.workspace_id), RunId(record.id))
    }
}

/// The columns of a span, in the order of the statements.
pub(super) fn columns(span: &Span) -> [i64; 3] {
    [span.workspace.0, span.after.0, span.last.0]
}

pub(super) fn raw(runs: &[RunId]) -> Vec<i64> {
    runs.iter().map(|run| run.0).collect()
}

/// Whole microseconds, as both databases count them.
pub(super) fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}
