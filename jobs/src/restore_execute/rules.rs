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
//! | 7 | recorded blocker other than a pause, the restore never started, `blocked_after` has passed | `blocked` | first blocker other than a pause |
//! | 8 | recorded blocker, the restore never started | deferred | `restore.blocked_waiting` |
//! | 9 | intent leg has a gap | deferred | first gap of intent |
//! | 10 | restore `queued` or `running` | deferred | `restore.in_progress` |
//! | 11 | restore status unknown | deferred | `restore.status_unknown` |
//! | 12 | recorded blocker, nothing applied | `blocked` | first blocker |
//! | 13 | recorded blocker, something applied | `partially_succeeded` | `restore.blocked_after_writes` |
//! | 14 | `cancelled`, nothing applied | `blocked` | `restore.cancelled` |
//! | 15 | `cancelled` or `aborted`, something applied | `partially_succeeded` | first gap of execution |
//! | 16 | `aborted`, nothing applied | `failed` | `restore.aborted` |
//! | 17 | `failed` | `failed` | `restore.execution_failed` |
//! | 18 | at least one item, and every item failed | `failed` | `restore.all_items_failed` |
//! | 19 | item rows exist, nothing applied | `partially_succeeded` | `restore.nothing_applied` |
//! | 20 | `partial` or `completed_with_errors` | `partially_succeeded` | `restore.items_mixed` |
//! | 21 | items leg has a gap | `partially_succeeded` | first gap of items |
//! | 22 | clearance leg has a gap | `partially_succeeded` | first gap of clearance |
//! | 23 | audit or evidence leg has a gap, the settle window is open | deferred | `restore.settling` |
//! | 24 | audit leg has a gap | `partially_succeeded` | first gap of audit |
//! | 25 | evidence leg has a gap | `partially_succeeded` | first gap of evidence |
//! | 26 | all legs hold | `succeeded` | `restore.proof_complete` |
//!
//! A restore **never started** where its status is `queued` or one before execution, it has no start, nothing was
//! applied, and `results` and `metadata` can be read: what cannot be read may show that something was. The time
//! `blocked_after` counts from when the run or the restore was created or the restore was last written, whichever was
//! latest; row 8 is for what comes too early for row 7, and for a pause.
//!
//! The first gap of execution, in row 15, is `restore.cancelled_after_writes` or `restore.aborted_after_writes`. That of
//! clearance, in row 22, is no blocker: rows 12 and 13 are for those.
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
//! its row, because a test can prove that every row is reachable, and because it is data: the text
//! above is written from it, and whoever trusts none of this code can decide by it again.

use jiff::Timestamp;

use super::context::ContextFacts;
use super::decision::Decision;
use super::facts::{At, Facts, Policy, RestoreFacts, RestoreStatus};
use super::outcome::Outcome::{Blocked, Failed, PartiallySucceeded, Succeeded};
use super::proof::{self, Leg, Proof, present};
use super::reason::ReasonCode as Reason;
use super::results::ColumnState;
use super::table::Because::{Blocker, Code, FirstGap, LastingBlocker};
use super::table::Consequence::{Deferred, Verdict};
use super::table::Until::{BlockedAfterPassed, OtherFacts, SettleWindowClosed};
use super::table::{Predicate, RuleCase, RuleTable, rule_rows};
use crate::stamp::{Stamp, shifted};

/// Version of the table and of everything it reads. Every change that could change a decision or a
/// digest raises it; the ledger keeps it with each verdict.
pub const RULESET: &str = "restore.execute/2";

/// The number in [`RULESET`]: of two rulesets the higher one is newer.
pub const RULESET_NUMBER: i64 = 2;

/// The table above.
pub(super) const TABLE: RuleTable = RuleTable {
    ruleset: RULESET,
    rows: rule_rows! {
        OtherType => Deferred(OtherFacts), Code(Reason::UnsupportedType);
        RunCompleted => Deferred(OtherFacts), Code(Reason::AlreadyTerminal);
        RunStatusUnknown => Deferred(OtherFacts), Code(Reason::RunStatusUnknown);
        ContextMalformed => Deferred(OtherFacts), Code(Reason::ContextMalformed);
        LinkOrScopeGap => Deferred(OtherFacts), Code(Reason::ProofUnavailable);
        DryRun => Deferred(OtherFacts), Code(Reason::PreviewOnly);
        LastingBlocker && NeverStarted && BlockedAfterPassed => Verdict(Blocked), LastingBlocker;
        BlockerRecorded && NeverStarted => Deferred(BlockedAfterPassed), Code(Reason::BlockedWaiting);
        IntentGap => Deferred(OtherFacts), FirstGap(Leg::Intent);
        Executing => Deferred(OtherFacts), Code(Reason::InProgress);
        StatusUnknown => Deferred(OtherFacts), Code(Reason::StatusUnknown);
        BlockerRecorded && NothingApplied => Verdict(Blocked), Blocker;
        BlockerRecorded && SomethingApplied => Verdict(PartiallySucceeded), Code(Reason::BlockedAfterWrites);
        Cancelled && NothingApplied => Verdict(Blocked), Code(Reason::Cancelled);
        CancelledOrAborted && SomethingApplied => Verdict(PartiallySucceeded), FirstGap(Leg::Execution);
        Aborted && NothingApplied => Verdict(Failed), Code(Reason::Aborted);
        Failed => Verdict(Failed), Code(Reason::ExecutionFailed);
        EveryItemFailed => Verdict(Failed), Code(Reason::AllItemsFailed);
        ItemRows && NothingApplied => Verdict(PartiallySucceeded), Code(Reason::NothingApplied);
        Mixed => Verdict(PartiallySucceeded), Code(Reason::ItemsMixed);
        ItemsGap => Verdict(PartiallySucceeded), FirstGap(Leg::Items);
        ClearanceGap => Verdict(PartiallySucceeded), FirstGap(Leg::Clearance);
        AuditOrEvidenceGap && SettleWindowOpen => Deferred(SettleWindowClosed), Code(Reason::Settling);
        AuditGap => Verdict(PartiallySucceeded), FirstGap(Leg::Audit);
        EvidenceGap => Verdict(PartiallySucceeded), FirstGap(Leg::Evidence);
        AllLegsHold => Verdict(Succeeded), Code(Reason::ProofComplete);
    },
};

/// Decides one run. Total: every input has an answer. The same facts always have the same one.
#[must_use]
pub fn decide(facts: &Facts) -> Decision {
    let proof = Proof::evaluate(facts);
    let restore = facts.restore.as_ref().filter(|_| proof.holds(Leg::Link));
    let is = |asked: fn(&RestoreFacts) -> bool| restore.is_some_and(asked);
    let said = present([
        (!facts.run.is_restore_execute, Predicate::OtherType),
        (
            facts.run.context == ContextFacts::Malformed,
            Predicate::ContextMalformed,
        ),
        (is(|restore| restore.is_dry_run), Predicate::DryRun),
        (is(never_started), Predicate::NeverStarted),
        (is(proof::something_applied), Predicate::SomethingApplied),
        (is(proof::every_item_failed), Predicate::EveryItemFailed),
        (
            is(|restore| restore.items.items.total() > 0),
            Predicate::ItemRows,
        ),
    ]);
    let gaps = proof.gaps_of(Leg::Clearance).iter().copied();
    let mut blockers = gaps.filter(|gap| gap.is_blocker());
    let blocker = blockers.clone().next();
    let lasting = blockers.find(|gap| *gap != Reason::OperationalControlPaused);
    let in_progress = facts.evidence.in_progress;
    TABLE.decide(RuleCase {
        as_of: facts.as_of,
        run: facts.run.status,
        restore: restore.map_or(RestoreStatus::Unknown, |restore| restore.status),
        said,
        blocker,
        lasting,
        blocked_at: blocked_at(facts),
        settled_at: restore.and_then(|it| settle_window_end(it, facts.at(), in_progress)),
        proof,
    })
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
    Some(window_end(ended, at.policy, evidence_in_progress))
}

/// When the window of a restore closes that ended then.
pub(super) fn window_end(
    ended: Timestamp,
    policy: &Policy,
    evidence_in_progress: bool,
) -> Timestamp {
    let window = if evidence_in_progress {
        policy.settle_window.max(policy.settle_window_in_progress)
    } else {
        policy.settle_window
    };
    shifted(ended, window)
}
