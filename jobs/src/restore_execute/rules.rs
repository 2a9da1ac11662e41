//! The decision table. The first row that matches decides.
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
//!
//! "Something applied" is at least one item or assignment applied or applied in part, a foundation
//! that was created, copied or updated, or — where no item rows exist — a counter `succeeded` or
//! `partial` above zero.
//!
//! The **settle window** is open until the restore's end plus `settle_window`, or plus
//! `settle_window_in_progress` while a snapshot of the run is queued or generating. A verdict is
//! final, so it waits for what may still arrive; a complete bundle, and a gap that time cannot
//! close, never wait.
//!
//! # Sources
//!
//! Rows 1, 2, 5–17, 21 and 22 are the platform's reconciliation specification, and row 4 keeps its
//! promise that `context` loses nothing. This product's own are:
//!
//! - row 20: that an audit entry has to record the end, and that none may contradict it later;
//! - row 19 and the windows, because a verdict is final;
//! - rows 3 and 18, which close two holes that the others leave, so that every input has a row;
//! - that a request which is not itemised is covered only where the counter `total` says how much it
//!   was (row 17);
//! - that evidence from the future is no evidence (row 21);
//! - the codes `run.status_unknown`, `run.settle_failed` and `restore.clearance_unreadable`.
//!
//! # Design notes
//!
//! An `if` chain says the same in fewer lines. The table was preferred because a decision can name
//! its row, because a test can prove that every row is reachable, and because a reviewer can hold
//! it beside the text above.

use jiff::Timestamp;

use super::context::ContextFacts;
use super::decision::{Decision, Ruling};
use super::facts::{Facts, RestoreFacts, RestoreStatus, RunStatus};
use super::outcome::Outcome;
use super::proof::{self, Leg, Proof};
use super::reason::ReasonCode;
use crate::stamp::shifted;

/// Version of the table and of everything it reads. Every change that could change a decision or a
/// digest raises it; the ledger keeps it with each verdict.
pub const RULESET: &str = "restore.execute/1";

/// Decides one run. Total: every input has an answer. The same facts always have the same one.
#[must_use]
pub fn decide(facts: &Facts) -> Decision {
    let proof = Proof::evaluate(facts);
    let case = RuleInput::new(facts, &proof);
    let matched = RULES
        .iter()
        .zip(1..)
        .find_map(|(rule, number)| Some((rule(&case)?, number)));
    // Row 22 and the rows before it leave nothing over; a bundle that is not complete and has no
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
struct RuleInput<'a> {
    facts: &'a Facts,
    proof: &'a Proof,
    status: RestoreStatus,
    applied: bool,
    every_item_failed: bool,
    blocker: Option<ReasonCode>,
}

type Row = fn(&RuleInput<'_>) -> Option<(Ruling, ReasonCode)>;

const RULES: [Row; 22] = [
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

impl<'a> RuleInput<'a> {
    /// Without a linked restore the first rows decide, so what the later rows look at is moot.
    fn new(facts: &'a Facts, proof: &'a Proof) -> Self {
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

fn verdict(outcome: Outcome, reason: ReasonCode) -> (Ruling, ReasonCode) {
    (Ruling::Verdict(outcome), reason)
}

fn incomplete(reason: ReasonCode) -> (Ruling, ReasonCode) {
    verdict(Outcome::PartiallySucceeded, reason)
}

fn deferred(reason: ReasonCode) -> (Ruling, ReasonCode) {
    (
        Ruling::Deferred {
            look_again_at: None,
        },
        reason,
    )
}

fn defer_if(condition: bool, reason: ReasonCode) -> Option<(Ruling, ReasonCode)> {
    condition.then_some(deferred(reason))
}

fn fail_if(condition: bool, reason: ReasonCode) -> Option<(Ruling, ReasonCode)> {
    condition.then_some(verdict(Outcome::Failed, reason))
}

/// When the settle window of the restore closes. None where nobody can say when the restore ended:
/// its window is closed.
fn settle_window_end(facts: &Facts) -> Option<Timestamp> {
    let restore: &RestoreFacts = facts.restore.as_ref()?;
    let ended = proof::ended_at(restore, facts.at())?;
    let policy = &facts.policy;
    let window = if facts.evidence.in_progress {
        policy.settle_window.max(policy.settle_window_in_progress)
    } else {
        policy.settle_window
    };
    Some(shifted(ended, window))
}
