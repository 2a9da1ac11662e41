//! The decision table of the first ruleset. The first row that matches decides.
//!
//! | # | Condition | Decision | Reason |
//! |---|---|---|---|
//! | 1 | type is not `restore.execute` | deferred | `run.unsupported_type` |
//! | 2 | run is `completed` already | deferred | `run.already_terminal` |
//! | 3 | run is neither `queued`, `running` nor `completed` | deferred | `run.status_unknown` |
//! | 4 | `context` is no map, or cannot be written back whole | deferred | `run.context_malformed` |
//! | 5 | link or scope leg has a gap | deferred | `restore.proof_unavailable` |
//! | 6 | intent leg has a gap | deferred | first gap of intent |
//! | 7 | restore `queued` or `running` | deferred | `restore.in_progress` |
//! | 8 | restore status unknown | deferred | `restore.status_unknown` |
//! | 9 | recorded blocker, nothing applied | `blocked` | first blocker |
//! | 10 | recorded blocker, something applied | `partially_succeeded` | `restore.blocked_after_writes` |
//! | 11 | `cancelled`, nothing applied | `blocked` | `restore.cancelled` |
//! | 12 | `cancelled` or `aborted`, something applied | `partially_succeeded` | first gap of execution |
//! | 13 | `aborted`, nothing applied | `failed` | `restore.aborted` |
//! | 14 | `failed` | `failed` | `restore.execution_failed` |
//! | 15 | at least one item, and every item failed | `failed` | `restore.all_items_failed` |
//! | 16 | `partial` or `completed_with_errors` | `partially_succeeded` | `restore.items_mixed` |
//! | 17 | items leg has a gap | `partially_succeeded` | first gap of items |
//! | 18 | clearance leg has a gap | `partially_succeeded` | first gap of clearance |
//! | 19 | audit or evidence leg has a gap, the settle window is open | deferred | `restore.settling` |
//! | 20 | audit leg has a gap | `partially_succeeded` | first gap of audit |
//! | 21 | evidence leg has a gap | `partially_succeeded` | first gap of evidence |
//! | 22 | all legs hold | `succeeded` | `restore.proof_complete` |

use super::proof;
use crate::restore_execute::context::ContextFacts;
use crate::restore_execute::decision::Decision;
use crate::restore_execute::facts::{Facts, RestoreFacts, RestoreStatus};
use crate::restore_execute::outcome::Outcome::{Blocked, Failed, PartiallySucceeded, Succeeded};
use crate::restore_execute::proof::{Leg, every_item_failed, present, something_applied};
use crate::restore_execute::reason::ReasonCode as Reason;
use crate::restore_execute::rules::window_end;
use crate::restore_execute::table::Because::{Blocker, Code, FirstGap};
use crate::restore_execute::table::Consequence::{Deferred, Verdict};
use crate::restore_execute::table::Until::{OtherFacts, SettleWindowClosed};
use crate::restore_execute::table::{Predicate, RuleCase, RuleTable, rule_rows};

/// What the ledger calls this ruleset.
pub const RULESET: &str = "restore.execute/1";

/// The table above.
pub(in crate::restore_execute) const TABLE: RuleTable = RuleTable {
    ruleset: RULESET,
    rows: rule_rows! {
        OtherType => Deferred(OtherFacts), Code(Reason::UnsupportedType);
        RunCompleted => Deferred(OtherFacts), Code(Reason::AlreadyTerminal);
        RunStatusUnknown => Deferred(OtherFacts), Code(Reason::RunStatusUnknown);
        ContextMalformed => Deferred(OtherFacts), Code(Reason::ContextMalformed);
        LinkOrScopeGap => Deferred(OtherFacts), Code(Reason::ProofUnavailable);
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
        Mixed => Verdict(PartiallySucceeded), Code(Reason::ItemsMixed);
        ItemsGap => Verdict(PartiallySucceeded), FirstGap(Leg::Items);
        ClearanceGap => Verdict(PartiallySucceeded), FirstGap(Leg::Clearance);
        AuditOrEvidenceGap && SettleWindowOpen => Deferred(SettleWindowClosed), Code(Reason::Settling);
        AuditGap => Verdict(PartiallySucceeded), FirstGap(Leg::Audit);
        EvidenceGap => Verdict(PartiallySucceeded), FirstGap(Leg::Evidence);
        AllLegsHold => Verdict(Succeeded), Code(Reason::ProofComplete);
    },
};

/// Decides one run as it was decided then.
pub(in crate::restore_execute) fn decide(facts: &Facts) -> Decision {
    let proof = proof::evaluate_all(facts);
    let restore = facts.restore.as_ref().filter(|_| proof.holds(Leg::Link));
    let is = |asked: fn(&RestoreFacts) -> bool| restore.is_some_and(asked);
    let said = present([
        (!facts.run.is_restore_execute, Predicate::OtherType),
        (
            facts.run.context == ContextFacts::Malformed,
            Predicate::ContextMalformed,
        ),
        (is(something_applied), Predicate::SomethingApplied),
        (is(every_item_failed), Predicate::EveryItemFailed),
    ]);
    let mut gaps = proof.gaps_of(Leg::Clearance).iter().copied();
    let ended = restore.and_then(|it| proof::ended_at(it, facts.at()));
    TABLE.decide(RuleCase {
        as_of: facts.as_of,
        run: facts.run.status,
        restore: restore.map_or(RestoreStatus::Unknown, |restore| restore.status),
        said,
        blocker: gaps.find(|gap| *gap != Reason::ClearanceUnreadable),
        lasting: None,
        blocked_at: None,
        settled_at: ended.map(|it| window_end(it, &facts.policy, facts.evidence.in_progress)),
        proof,
    })
}
