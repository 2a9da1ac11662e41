//! The decision table of the first ruleset. The first row that matches decides.
//!
//! | # | Condition | Decision | Reason |
//! |---|---|---|---|
//! | 1 | type is not `restore.execute` | deferred | `run.unsupported_type` |
//! | 2 | run is `completed` already | deferred | `run.already_terminal` |
//! | 3 | run is neither `queued`, `running` nor `completed` | deferred | `run.status_unknown` |
//! | 4 | `context` is no map, or cannot be written back whole | deferred | `run.context_malformed` |
//! | 5 | link or scope leg has a gap | deferred | `restore.proof_unavailable` |
//! | 6 | intent leg has a gap | deferred | that gap |
//! | 7 | restore `queued` or `running` | deferred | `restore.in_progress` |
//! | 8 | restore status unknown | deferred | `restore.status_unknown` |
//! | 9 | recorded blocker, nothing applied | blocked | the blocker |
//! | 10 | recorded blocker, something applied | `partially_succeeded` | `restore.blocked_after_writes` |
//! | 11 | `cancelled`, nothing applied | blocked | `restore.cancelled` |
//! | 12 | `cancelled` or `aborted`, something applied | `partially_succeeded` | `restore.cancelled_after_writes`, `restore.aborted_after_writes` |
//! | 13 | `aborted`, nothing applied | failed | `restore.aborted` |
//! | 14 | `failed` | failed | `restore.execution_failed` |
//! | 15 | at least one item, and every item failed | failed | `restore.all_items_failed` |
//! | 16 | `partial` or `completed_with_errors` | `partially_succeeded` | `restore.items_mixed` |
//! | 17 | items leg has a gap | `partially_succeeded` | that gap |
//! | 18 | clearance cannot be read | `partially_succeeded` | `restore.clearance_unreadable` |
//! | 19 | audit or evidence gap, and the settle window is open | deferred | `restore.settling` |
//! | 20 | audit gap | `partially_succeeded` | that gap |
//! | 21 | evidence gap | `partially_succeeded` | that gap |
//! | 22 | all legs hold | succeeded | `restore.proof_complete` |

use jiff::Timestamp;

use super::facts::{FirstFacts, FirstRestore};
use super::proof;
use crate::restore_execute::context::ContextFacts;
use crate::restore_execute::decision::{Decision, Ruling};
use crate::restore_execute::facts::{RestoreStatus, RunStatus};
use crate::restore_execute::outcome::Outcome;
use crate::restore_execute::proof::{Leg, Proof};
use crate::restore_execute::reason::ReasonCode;
use crate::restore_execute::rules::{defer_if, deferred, fail_if, incomplete, verdict};
use crate::stamp::shifted;

/// What the ledger calls this ruleset.
pub const RULESET: &str = "restore.execute/1";

/// Decides one run as it was decided then.
pub(in crate::restore_execute) fn decide(facts: &FirstFacts) -> Decision {
    let proof = proof::evaluate_all(facts);
    let case = FirstRuleInput::new(facts, &proof);
    let matched = RULES
        .iter()
        .zip(1..)
        .find_map(|(rule, number)| Some((rule(&case)?, number)));
    // FirstRow 22 and the rows before it leave nothing over; a bundle that is not complete and has no
    // row would be a defect here, and then the run stays open rather than being called anything.
    let ((ruling, reason), rule) = matched.unwrap_or((deferred(ReasonCode::ProofUnavailable), 0));
    Decision {
        ruling,
        reason,
        rule,
        proof,
    }
}

/// What the rows look at.
struct FirstRuleInput<'a> {
    facts: &'a FirstFacts,
    proof: &'a Proof,
    status: RestoreStatus,
    applied: bool,
    every_item_failed: bool,
    blocker: Option<ReasonCode>,
}

type FirstRow = fn(&FirstRuleInput<'_>) -> Option<(Ruling, ReasonCode)>;

const RULES: [FirstRow; 22] = [
    |case| {
        defer_if(
            !case.facts.run.is_restore_execute,
            ReasonCode::UnsupportedType,
        )
    },
    |case| {
        defer_if(
            case.facts.run.status == RunStatus::Completed,
            ReasonCode::AlreadyTerminal,
        )
    },
    |case| {
        defer_if(
            case.facts.run.status == RunStatus::Unknown,
            ReasonCode::RunStatusUnknown,
        )
    },
    |case| {
        let malformed = case.facts.run.context == ContextFacts::Malformed;
        defer_if(malformed, ReasonCode::ContextMalformed)
    },
    |case| {
        let linked = case.proof.holds(Leg::Link) && case.proof.holds(Leg::Scope);
        defer_if(!linked, ReasonCode::ProofUnavailable)
    },
    |case| case.first_gap(Leg::Intent).map(deferred),
    |case| {
        let executing = matches!(case.status, RestoreStatus::Queued | RestoreStatus::Running);
        defer_if(executing, ReasonCode::InProgress)
    },
    |case| {
        defer_if(
            case.status == RestoreStatus::Unknown,
            ReasonCode::StatusUnknown,
        )
    },
    |case| {
        case.blocker
            .filter(|_| !case.applied)
            .map(|code| verdict(Outcome::Blocked, code))
    },
    |case| {
        case.blocker
            .map(|_| verdict(Outcome::PartiallySucceeded, ReasonCode::BlockedAfterWrites))
    },
    |case| {
        let stopped = case.status == RestoreStatus::Cancelled && !case.applied;
        stopped.then_some(verdict(Outcome::Blocked, ReasonCode::Cancelled))
    },
    |case| {
        let code = match case.status {
            RestoreStatus::Cancelled => ReasonCode::CancelledAfterWrites,
            RestoreStatus::Aborted => ReasonCode::AbortedAfterWrites,
            _ => return None,
        };
        case.applied
            .then_some(verdict(Outcome::PartiallySucceeded, code))
    },
    |case| fail_if(case.status == RestoreStatus::Aborted, ReasonCode::Aborted),
    |case| {
        fail_if(
            case.status == RestoreStatus::Failed,
            ReasonCode::ExecutionFailed,
        )
    },
    |case| fail_if(case.every_item_failed, ReasonCode::AllItemsFailed),
    |case| {
        let mixed = matches!(
            case.status,
            RestoreStatus::Partial | RestoreStatus::CompletedWithErrors
        );
        mixed.then_some(verdict(Outcome::PartiallySucceeded, ReasonCode::ItemsMixed))
    },
    |case| case.first_gap(Leg::Items).map(incomplete),
    |case| case.first_gap(Leg::Clearance).map(incomplete),
    |case| {
        let waiting = !(case.proof.holds(Leg::Audit) && case.proof.holds(Leg::Evidence));
        let closes = settle_window_end(case.facts).filter(|end| *end > case.facts.as_of)?;
        let ruling = Ruling::Deferred {
            look_again_at: Some(closes),
        };
        waiting.then_some((ruling, ReasonCode::Settling))
    },
    |case| case.first_gap(Leg::Audit).map(incomplete),
    |case| case.first_gap(Leg::Evidence).map(incomplete),
    |case| {
        case.proof
            .is_complete()
            .then_some(verdict(Outcome::Succeeded, ReasonCode::ProofComplete))
    },
];

impl<'a> FirstRuleInput<'a> {
    /// Without a linked restore the first rows decide, so what the later rows look at is moot.
    fn new(facts: &'a FirstFacts, proof: &'a Proof) -> Self {
        let restore = facts.restore.as_ref().filter(|_| proof.holds(Leg::Link));
        Self {
            facts,
            proof,
            status: restore.map_or(RestoreStatus::Unknown, |restore| restore.status),
            applied: restore.is_some_and(proof::something_applied),
            every_item_failed: restore.is_some_and(proof::every_item_failed),
            blocker: proof
                .gaps_of(Leg::Clearance)
                .iter()
                .copied()
                .find(|gap| *gap != ReasonCode::ClearanceUnreadable),
        }
    }

    fn first_gap(&self, leg: Leg) -> Option<ReasonCode> {
        self.proof.gaps_of(leg).first().copied()
    }
}

/// When the settle window of the restore closes. None where nobody can say when the restore ended:
/// its window is closed.
fn settle_window_end(facts: &FirstFacts) -> Option<Timestamp> {
    let restore: &FirstRestore = facts.restore.as_ref()?;
    let ended = proof::ended_at(restore, facts)?;
    let policy = &facts.policy;
    let window = if facts.evidence.in_progress {
        policy.settle_window.max(policy.settle_window_in_progress)
    } else {
        policy.settle_window
    };
    Some(shifted(ended, window))
}
