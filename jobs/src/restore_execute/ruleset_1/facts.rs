//! The facts of the first ruleset, as the ledger has them.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::ids::{EnvironmentId, RestoreId, RunId, WorkspaceId};
use crate::json::Fault;
use crate::restore_execute::context::ContextFacts;
use crate::restore_execute::facts::{
    AuditFacts, Candidate, EvidenceFacts, Facts, Policy, RestoreFacts, RestoreStatus, RunFacts,
    RunOutcome, RunStatus, SnapshotFacts,
};
use crate::restore_execute::reason::ReasonCode;
use crate::restore_execute::results::{
    ColumnState, Counters, ItemException, ItemFacts, PartTally, RequestFault, Requested,
};
use crate::stamp::Stamp;

/// Everything that a decision of the first ruleset could look at.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::restore_execute) struct FirstFacts {
    as_of: Timestamp,
    policy: FirstPolicy,
    run: FirstRun,
    candidates: Vec<FirstCandidate>,
    restore: Option<FirstRestore>,
    audits: Vec<AuditFacts>,
    evidence: FirstEvidence,
}

#[derive(Debug, Serialize, Deserialize)]
struct FirstPolicy {
    settle_window: SignedDuration,
    settle_window_in_progress: SignedDuration,
    clock_skew_max: SignedDuration,
    evidence_skew_max: SignedDuration,
    audit_actions: Vec<String>,
    summary_keys: Vec<String>,
}

#[derive(Debug, Serialize, Deserialize)]
struct FirstRun {
    id: RunId,
    workspace_id: WorkspaceId,
    environment_id: Option<EnvironmentId>,
    is_restore_execute: bool,
    status: RunStatus,
    outcome: RunOutcome,
    created_at: Stamp,
    started_at: Stamp,
    context: ContextFacts,
    blockers: Vec<ReasonCode>,
    blockers_readable: bool,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct FirstCandidate {
    restore_id: RestoreId,
    points_at: Option<RunId>,
}

#[derive(Debug, Serialize, Deserialize)]
struct FirstRestore {
    id: RestoreId,
    workspace_id: WorkspaceId,
    environment_id: EnvironmentId,
    is_dry_run: bool,
    status: RestoreStatus,
    created_at: Stamp,
    started_at: Stamp,
    completed_at: Stamp,
    items: FirstItems,
    counters: Counters,
    blockers: Vec<ReasonCode>,
    metadata_readable: bool,
}

#[derive(Debug, Serialize, Deserialize)]
struct FirstItems {
    reading: ColumnState,
    items: PartTally,
    foundations: PartTally,
    foundations_written: u64,
    assignments: PartTally,
    assignment_conflicts: u64,
    requested: FirstRequested,
    missing: u64,
    unexpected: u64,
    repeated: u64,
    exceptions: Vec<ItemException>,
    exceptions_omitted: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum FirstRequested {
    NotItemised,
    Listed(u64),
    Unreadable(Fault),
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct FirstEvidence {
    active: Option<SnapshotFacts>,
    in_progress: bool,
    retired: bool,
}

/// What the first ruleset did not ask for is as if nothing were recorded.
impl From<FirstFacts> for Facts {
    fn from(first: FirstFacts) -> Self {
        Self {
            as_of: first.as_of,
            policy: first.policy.into(),
            run: first.run.into(),
            candidates: first.candidates.into_iter().map(Candidate::from).collect(),
            restore: first.restore.map(RestoreFacts::from),
            audits: first.audits,
            evidence: EvidenceFacts {
                active: first.evidence.active,
                in_progress: first.evidence.in_progress,
                retired: Vec::new(),
                retired_unknown: first.evidence.retired,
            },
        }
    }
}

impl From<FirstPolicy> for Policy {
    fn from(first: FirstPolicy) -> Self {
        Self {
            settle_window: first.settle_window,
            settle_window_in_progress: first.settle_window_in_progress,
            clock_skew_max: first.clock_skew_max,
            evidence_skew_max: first.evidence_skew_max,
            audit_actions: first.audit_actions,
            summary_keys: first.summary_keys,
            ..Self::default()
        }
    }
}

impl From<FirstRun> for RunFacts {
    fn from(first: FirstRun) -> Self {
        Self {
            id: first.id,
            workspace_id: first.workspace_id,
            environment_id: first.environment_id,
            is_restore_execute: first.is_restore_execute,
            status: first.status,
            outcome: first.outcome,
            created_at: first.created_at,
            started_at: first.started_at,
            completed_at: Stamp::Absent,
            context: first.context,
            blockers: first.blockers,
            blockers_readable: first.blockers_readable,
            failures: 0,
            closer: None,
        }
    }
}

impl From<FirstCandidate> for Candidate {
    fn from(first: FirstCandidate) -> Self {
        Self {
            restore_id: first.restore_id,
            points_at: first.points_at,
            contests: true,
        }
    }
}

impl From<FirstRestore> for RestoreFacts {
    fn from(first: FirstRestore) -> Self {
        Self {
            id: first.id,
            workspace_id: first.workspace_id,
            environment_id: first.environment_id,
            is_dry_run: first.is_dry_run,
            status: first.status,
            created_at: first.created_at,
            updated_at: Stamp::Absent,
            started_at: first.started_at,
            completed_at: first.completed_at,
            items: first.items.into(),
            counters: first.counters,
            blockers: first.blockers,
            failures: Vec::new(),
            metadata_readable: first.metadata_readable,
        }
    }
}

impl From<FirstItems> for ItemFacts {
    fn from(first: FirstItems) -> Self {
        Self {
            reading: first.reading,
            items: first.items,
            foundations: first.foundations,
            foundations_written: first.foundations_written,
            assignments: first.assignments,
            assignment_conflicts: first.assignment_conflicts,
            requested: match first.requested {
                FirstRequested::NotItemised => Requested::NotItemised,
                FirstRequested::Listed(items) => Requested::Listed(items),
                FirstRequested::Unreadable(fault) => {
                    Requested::Unreadable(RequestFault::Column(fault))
                }
            },
            missing: first.missing,
            unexpected: first.unexpected,
            repeated: first.repeated,
            unknown_words: Vec::new(),
            unknown_words_omitted: 0,
            exceptions: first.exceptions,
            exceptions_omitted: first.exceptions_omitted,
        }
    }
}
