//! The facts of the first ruleset, as the ledger has them.

use std::collections::BTreeSet;

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
    pub(super) as_of: Timestamp,
    pub(super) policy: FirstPolicy,
    pub(super) run: FirstRun,
    pub(super) candidates: Vec<FirstCandidate>,
    pub(super) restore: Option<FirstRestore>,
    pub(super) audits: Vec<AuditFacts>,
    pub(super) evidence: FirstEvidence,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct FirstPolicy {
    pub(super) settle_window: SignedDuration,
    pub(super) settle_window_in_progress: SignedDuration,
    pub(super) clock_skew_max: SignedDuration,
    pub(super) evidence_skew_max: SignedDuration,
    audit_actions: Vec<String>,
    summary_keys: Vec<String>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct FirstRun {
    pub(super) id: RunId,
    pub(super) workspace_id: WorkspaceId,
    pub(super) environment_id: Option<EnvironmentId>,
    pub(super) is_restore_execute: bool,
    pub(super) status: RunStatus,
    outcome: RunOutcome,
    created_at: Stamp,
    started_at: Stamp,
    pub(super) context: ContextFacts,
    pub(super) blockers: Vec<ReasonCode>,
    pub(super) blockers_readable: bool,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct FirstCandidate {
    pub(super) restore_id: RestoreId,
    pub(super) points_at: Option<RunId>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct FirstRestore {
    pub(super) id: RestoreId,
    pub(super) workspace_id: WorkspaceId,
    pub(super) environment_id: EnvironmentId,
    pub(super) is_dry_run: bool,
    pub(super) status: RestoreStatus,
    pub(super) created_at: Stamp,
    pub(super) started_at: Stamp,
    pub(super) completed_at: Stamp,
    pub(super) items: FirstItems,
    pub(super) counters: Counters,
    pub(super) blockers: Vec<ReasonCode>,
    pub(super) metadata_readable: bool,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct FirstItems {
    pub(super) reading: ColumnState,
    pub(super) items: PartTally,
    pub(super) foundations: PartTally,
    pub(super) foundations_written: u64,
    pub(super) assignments: PartTally,
    pub(super) assignment_conflicts: u64,
    pub(super) requested: FirstRequested,
    pub(super) missing: u64,
    pub(super) unexpected: u64,
    pub(super) repeated: u64,
    exceptions: Vec<ItemException>,
    exceptions_omitted: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum FirstRequested {
    NotItemised,
    Listed(u64),
    Unreadable(Fault),
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct FirstEvidence {
    pub(super) active: Option<SnapshotFacts>,
    pub(super) in_progress: bool,
    pub(super) retired: bool,
}

impl FirstFacts {
    /// These facts under those settings of `policy` that this ruleset had. None where `policy` names other audit actions:
    /// their entries were not recorded.
    pub(in crate::restore_execute) fn under(self, policy: &Policy) -> Option<Self> {
        let sorted = |names: &[String]| names.iter().cloned().collect::<BTreeSet<_>>();
        let is_same = sorted(&self.policy.audit_actions) == sorted(&policy.audit_actions);
        is_same.then_some(Self {
            policy: FirstPolicy {
                settle_window: policy.settle_window,
                settle_window_in_progress: policy.settle_window_in_progress,
                clock_skew_max: policy.clock_skew_max,
                evidence_skew_max: policy.evidence_skew_max,
                ..self.policy
            },
            ..self
        })
    }
}

/// For those who show what was known. What the first ruleset did not ask for is as if nothing were recorded.
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
