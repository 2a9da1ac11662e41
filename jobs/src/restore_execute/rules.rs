//! The decision table. The first row that matches decides.
//!
//! | # | Condition | Decision | Reason |
//! |---|---|---|---|
//! | 1 | type is not `restore.execute` | deferred | `run.unsupported_type` |
//! | 2 | run is `completed` already | deferred | `run.already_terminal` |
//! | 3 | run is neither `queued`, `running` nor `completed` | deferred | `run.status_unknown` |
//! | 4 | `context` is no map, or cannot be written back whole | deferred | `run.context_malformed` |
//! | 5 | link or scope leg has a gap | deferred | `restore.proof_unavailable` |
//! | 6 | dry run | deferred | `restore.preview_only` |
//! | 7 | recorded blocker other than a pause, the restore never started, and `blocked_after` has passed | blocked | the blocker |
//! | 8 | recorded blocker, the restore never started | deferred | `restore.blocked_waiting` |
//! | 9 | intent leg has a gap | deferred | that gap |
//! | 10 | restore `queued` or `running` | deferred | `restore.in_progress` |
//! | 11 | restore status unknown | deferred | `restore.status_unknown` |
//! | 12 | recorded blocker, nothing applied | blocked | the blocker |
//! | 13 | recorded blocker, something applied | `partially_succeeded` | `restore.blocked_after_writes` |
//! | 14 | `cancelled`, nothing applied | blocked | `restore.cancelled` |
//! | 15 | `cancelled` or `aborted`, something applied | `partially_succeeded` | `restore.cancelled_after_writes`, `restore.aborted_after_writes` |
//! | 16 | `aborted`, nothing applied | failed | `restore.aborted` |
//! | 17 | `failed` | failed | `restore.execution_failed` |
//! | 18 | at least one item, and every item failed | failed | `restore.all_items_failed` |
//! | 19 | item rows exist, and nothing at all was applied | `partially_succeeded` | `restore.nothing_applied` |
//! | 20 | `partial` or `completed_with_errors` | `partially_succeeded` | `restore.items_mixed` |
//! | 21 | items leg has a gap | `partially_succeeded` | that gap |
//! | 22 | clearance leg has a gap that is no blocker | `partially_succeeded` | that gap |
//! | 23 | audit or evidence gap, and the settle window is open | deferred | `restore.settling` |
//! | 24 | audit gap | `partially_succeeded` | that gap |
//! | 25 | evidence gap | `partially_succeeded` | that gap |
//! | 26 | all legs hold | succeeded | `restore.proof_complete` |
//!
//! A restore **never started** where its status is `queued` or one before execution, it has no start, nothing was
//! applied, and `results` and `metadata` can be read: what cannot be read may show that something was. The time
//! `blocked_after` counts from when the run or the restore was created or the restore was last written, whichever was
//! latest; row 8 is for what comes too early for row 7, and for a pause.
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
//! Rows 1, 2, 5 to 18, 20, 21, 25 and 26 are the platform's reconciliation specification (7, 8 and 12 its task T017: a
//! blocker beside an identified restore ends the run), and row 4 keeps its promise that `context` loses nothing. This
//! product's own are:
//!
//! - row 24: that an audit entry has to record the end, and that none may contradict it later;
//! - row 23 and the windows, because a verdict is final;
//! - row 22: that a recorded failure denies a success whatever the restore's status says;
//! - row 19, which says plainly what row 20 or 21 would only hint at;
//! - row 3 and `restore.clearance_unreadable`, which close two holes that the others leave, so that every input has a
//!   row;
//! - how long row 8 waits, and that it waits for a pause as long as that lasts;
//! - that evidence from the future is no evidence (row 25).
//!
//! # Design notes
//!
//! An `if` chain says the same in fewer lines. The table was preferred because a decision can name
//! its row, because a test can prove that every row is reachable, and because a reviewer can hold
//! it beside the text above.

use jiff::Timestamp;

use super::context::ContextFacts;
use super::decision::{Decision, Ruling};
use super::facts::{At, Facts, RestoreFacts, RestoreStatus, RunStatus};
use super::outcome::Outcome;
use super::proof::{self, Leg, Proof};
use super::reason::ReasonCode;
use super::results::ColumnState;
use crate::stamp::{Stamp, shifted};

/// Version of the table and of everything it reads. Every change that could change a decision or a
/// digest raises it; the ledger keeps it with each verdict.
pub const RULESET: &str = "restore.execute/2";

/// The number in [`RULESET`]: of two rulesets the higher one is newer.
pub const RULESET_NUMBER: i64 = 2;

/// Decides one run. Total: every input has an answer. The same facts always have the same one.
#[must_use]
pub fn decide(facts: &Facts) -> Decision {
    let proof = Proof::evaluate(facts);
    let case = RuleInput::new(facts, &proof);
    let matched = RULES
        .iter()
        .zip(1..)
        .find_map(|(rule, number)| Some((rule(&case)?, number)));
    // Row 26 and the rows before it leave nothing over; a bundle that is not complete and has no
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
    restore: Option<&'a RestoreFacts>,
    status: RestoreStatus,
    applied: bool,
    every_item_failed: bool,
    /// The first recorded blocker.
    blocker: Option<ReasonCode>,
    /// The first one that is no pause.
    lasting: Option<ReasonCode>,
    /// Whether the restore can still start.
    never_started: bool,
}

type Row = fn(&RuleInput<'_>) -> Option<(Ruling, ReasonCode)>;

const RULES: [Row; 26] = [
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
    |case| {
        let is_preview = case.restore.is_some_and(|restore| restore.is_dry_run);
        defer_if(is_preview, ReasonCode::PreviewOnly)
    },
    |case| {
        let blocker = case.lasting.filter(|_| case.never_started)?;
        let ended = blocked_at(case.facts).is_some_and(|moment| moment <= case.facts.as_of);
        ended.then_some(verdict(Outcome::Blocked, blocker))
    },
    |case| {
        case.blocker.filter(|_| case.never_started)?;
        let ruling = Ruling::Deferred {
            look_again_at: case.lasting.and_then(|_| blocked_at(case.facts)),
        };
        Some((ruling, ReasonCode::BlockedWaiting))
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
        let items = case
            .restore
            .map_or(0, |restore| restore.items.items.total());
        let idle = items > 0 && !case.applied;
        idle.then_some(incomplete(ReasonCode::NothingApplied))
    },
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
        let Facts {
            as_of, evidence, ..
        } = case.facts;
        let closes = settle_window_end(case.restore?, case.facts.at(), evidence.in_progress)
            .filter(|end| end > as_of)?;
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
        let blockers = || {
            let gaps = proof.gaps_of(Leg::Clearance).iter().copied();
            gaps.filter(|gap| gap.is_blocker())
        };
        Self {
            facts,
            proof,
            restore,
            status: restore.map_or(RestoreStatus::Unknown, |restore| restore.status),
            applied: restore.is_some_and(proof::something_applied),
            every_item_failed: restore.is_some_and(proof::every_item_failed),
            blocker: blockers().next(),
            lasting: blockers().find(|gap| *gap != ReasonCode::OperationalControlPaused),
            never_started: restore.is_some_and(never_started),
        }
    }

    fn first_gap(&self, leg: Leg) -> Option<ReasonCode> {
        self.proof.gaps_of(leg).first().copied()
    }
}

pub(super) fn verdict(outcome: Outcome, reason: ReasonCode) -> (Ruling, ReasonCode) {
    (Ruling::Verdict(outcome), reason)
}

pub(super) fn incomplete(reason: ReasonCode) -> (Ruling, ReasonCode) {
    verdict(Outcome::PartiallySucceeded, reason)
}

pub(super) fn deferred(reason: ReasonCode) -> (Ruling, ReasonCode) {
    (
        Ruling::Deferred {
            look_again_at: None,
        },
        reason,
    )
}

pub(super) fn defer_if(condition: bool, reason: ReasonCode) -> Option<(Ruling, ReasonCode)> {
    condition.then_some(deferred(reason))
}

pub(super) fn fail_if(condition: bool, reason: ReasonCode) -> Option<(Ruling, ReasonCode)> {
    condition.then_some(verdict(Outcome::Failed, reason))
}

fn never_started(restore: &RestoreFacts) -> bool {
    let may_start = restore.status.is_pre_execution() || restore.status == RestoreStatus::Queued;
    // What cannot be read may show that something was applied.
    let is_readable =
        restore.metadata_readable && !matches!(restore.items.reading, ColumnState::Unreadable(_));
    may_start
        && is_readable
        && restore.started_at == Stamp::Absent
        && !proof::something_applied(restore)
}

/// When a restore that has not started counts as stopped by its blocker: nobody has touched it for `blocked_after`.
/// None where a moment cannot be read, or nobody noted any: then nobody can say, and it waits.
fn blocked_at(facts: &Facts) -> Option<Timestamp> {
    let restore = facts.restore.as_ref()?;
    let mut latest = None;
    for stamp in [facts.run.created_at, restore.created_at, restore.updated_at] {
        match stamp {
            Stamp::Absent => {}
            Stamp::At(moment) => latest = latest.max(Some(moment)),
            Stamp::Far | Stamp::Unreadable => return None,
        }
    }
    Some(shifted(latest?, facts.policy.blocked_after))
}

/// When the settle window of the restore closes. None where nobody can say when the restore ended:
/// its window is closed.
pub(crate) fn settle_window_end(
    restore: &RestoreFacts,
    at: At<'_>,
    evidence_in_progress: bool,
) -> Option<Timestamp> {
    let ended = proof::ended_at(restore, at)?;
    let policy = at.policy;
    let window = if evidence_in_progress {
        policy.settle_window.max(policy.settle_window_in_progress)
    } else {
        policy.settle_window
    };
    Some(shifted(ended, window))
}
