//! Result attention: whether the result of one restore needs somebody.
//!
//! Secondary to [`super::result_state`], which it never overrides, and the input of [`super::posture`].
//!
//! **Invariant:** a doubt weakens. A status, an outcome or a count that cannot be understood never leads to
//! [`AttentionState::Completed`].

use schemars::JsonSchema;
use serde::Serialize;

use super::seen::SeenRestore;
use super::summary::counted;
use crate::restore_execute::facts::{RestoreFacts, RestoreStatus, RunOutcome, RunStatus};
use crate::restore_execute::proof;
use crate::restore_execute::reason::{CLAIM_BOUNDARY, ReasonCode};
use crate::vocabulary;

vocabulary! {
    /// The states, in the order in which they are looked for.
    #[derive(PartialOrd, Ord, Serialize, JsonSchema)]
    #[serde(rename_all = "snake_case")]
    pub enum AttentionState {
        /// How urgent it looks.
        tone: Tone,
        /// What the state does not prove.
        claim_boundary: &'static str,
        /// An identifier of the claim boundary, for programs.
        claim_boundary_id: &'static str,
    }
    /// A preview, not begun, or not at its end: no history yet.
    NotExecuted {
        tone: Tone::Neutral,
        claim_boundary: "A preview does not prove that anything was restored.",
        claim_boundary_id: "preview_only_no_execution_proven",
    }
    /// Failed, or stopped before it did anything.
    Failed {
        tone: Tone::Danger,
        claim_boundary: "No recovery claim can be made.",
        claim_boundary_id: "execution_failed_no_recovery_claim",
    }
    /// Some items failed or were applied in part.
    Partial {
        tone: Tone::Warning,
        claim_boundary: PARTIAL_CLAIM_BOUNDARY,
        claim_boundary_id: "partial_completion_not_recovery_proven",
    }
    /// Completed; skipped or undone work, or doubt about it, weakens confidence.
    CompletedWithFollowUp {
        tone: Tone::Warning,
        claim_boundary: PARTIAL_CLAIM_BOUNDARY,
        claim_boundary_id: "partial_completion_not_recovery_proven",
    }
    /// Completed, and nothing of that is visible.
    Completed {
        tone: Tone::Calm,
        claim_boundary: CLAIM_BOUNDARY,
        claim_boundary_id: "run_completed_not_recovery_proven",
    }
}

const PARTIAL_CLAIM_BOUNDARY: &str =
    "Completion of some items does not prove environment recovery.";

/// How urgent it looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Tone {
    /// Says nothing either way.
    Neutral,
    /// Needs somebody now.
    Danger,
    /// Needs somebody.
    Warning,
    /// Needs nobody; still no proof of recovery.
    Calm,
}

impl Tone {
    /// From 0, which is calm.
    #[must_use]
    pub const fn urgency(self) -> u8 {
        match self {
            Self::Calm => 0,
            Self::Neutral => 1,
            Self::Warning => 2,
            Self::Danger => 3,
        }
    }

    /// The more urgent of two.
    #[must_use]
    pub const fn or_worse(self, other: Self) -> Self {
        if other.urgency() > self.urgency() {
            other
        } else {
            self
        }
    }
}

vocabulary! {
    /// What attention is due to.
    #[derive(PartialOrd, Ord, Serialize, JsonSchema)]
    #[serde(rename_all = "snake_case")]
    pub enum Cause {
        /// What was found, in one sentence.
        summary,
        /// The state it leads to.
        state: AttentionState,
        /// What to do next.
        next_action: &'static str,
    }
    Preview = "Nothing was executed: this record proves preview truth only." {
        state: AttentionState::NotExecuted,
        next_action: "Review the preview, or continue preparation.",
    }
    NotEnded = "The restore has not ended; there is no result yet." {
        state: AttentionState::NotExecuted,
        next_action: "View operation progress.",
    }
    ExecutionFailed = "The execution failed." {
        state: AttentionState::Failed,
        next_action: "Review failure details.",
    }
    Stopped = "The restore was cancelled, aborted or blocked; no readable record shows that it changed anything." {
        state: AttentionState::Failed,
        next_action: "Review the blocker.",
    }
    StoppedAfterWrites = "The restore was stopped after it had changed the environment." {
        state: AttentionState::Partial,
        next_action: "Review item outcomes.",
    }
    StatusUnknown = "The restore's status is not one that this version knows." {
        state: AttentionState::Partial,
        next_action: "Review diagnostics.",
    }
    ItemsFailed = "Some items or assignments failed or were applied in part." {
        state: AttentionState::Partial,
        next_action: "Review item outcomes.",
    }
    ItemsLeftOut = "Some items, assignments or foundations were skipped or not applied." {
        state: AttentionState::CompletedWithFollowUp,
        next_action: "Review what was left out.",
    }
    ItemsUnclear = "Some item outcomes are missing or cannot be understood." {
        state: AttentionState::CompletedWithFollowUp,
        next_action: "Compare requested items with recorded results.",
    }
    FailureRecorded = "A record beside the restore's status says that something failed." {
        state: AttentionState::CompletedWithFollowUp,
        next_action: "Review the recorded failure.",
    }
    RecordUnreadable = "A record that could name a failure or a blocker cannot be read." {
        state: AttentionState::CompletedWithFollowUp,
        next_action: "Review diagnostics.",
    }
    BlockerRecorded = "A blocker is recorded beside a restore that changed something." {
        state: AttentionState::CompletedWithFollowUp,
        next_action: "Review blocker and item outcomes.",
    }
    StillOpen = "The restore has ended, and its operation is not closed." {
        state: AttentionState::CompletedWithFollowUp,
        next_action: "Open the operation and see what it waits for.",
    }
    NotProven = "The operation was not closed as a proven success." {
        state: AttentionState::CompletedWithFollowUp,
        next_action: "Open the operation and see what is missing.",
    }
    NoReliableVerdict = "No verdict on the operation can be relied on." {
        state: AttentionState::CompletedWithFollowUp,
        next_action: "Open the operation and see what is on record.",
    }
    NotJudged = "The restore has ended, and is not judged yet." {
        state: AttentionState::Completed,
        next_action: "View operation progress.",
    }
    NoVerdict = "The restore completed, no follow-up is visible, and no verdict says that it succeeded." {
        state: AttentionState::Completed,
        next_action: "Open the restore and review its proof.",
    }
    NoRun = "The restore completed, no follow-up is visible, and no operation that can be seen is tied to it." {
        state: AttentionState::Completed,
        next_action: "Open the restore and review its proof.",
    }
    Nothing = "The restore completed, and no follow-up is visible." {
        state: AttentionState::Completed,
        next_action: "Open the restore and review its proof.",
    }
}

impl AttentionState {
    /// Whether somebody has to look.
    #[must_use]
    pub const fn needs_follow_up(self) -> bool {
        matches!(
            self,
            Self::Failed | Self::Partial | Self::CompletedWithFollowUp
        )
    }
}

impl Cause {
    /// How urgent it looks. What no verdict is about is nothing to be calm about.
    #[must_use]
    pub const fn tone(self) -> Tone {
        match self {
            Self::NotJudged | Self::NoVerdict | Self::NoRun => Tone::Neutral,
            Self::NoReliableVerdict => Tone::Danger,
            cause => cause.state().tone(),
        }
    }
}

/// Why the result of a restore needs somebody, or does not, whatever verdict is on record: [`Cause::Nothing`] takes one.
#[must_use]
pub fn attention(seen: &SeenRestore<'_>) -> Cause {
    if seen.is_not_executed() {
        return Cause::Preview;
    }
    if seen.is_executing() {
        return Cause::NotEnded;
    }
    let restore = seen.restore;
    let outcome = seen.scoped_run().map(|run| run.outcome);
    let applied = proof::something_applied(restore);
    match (restore.status, outcome) {
        (RestoreStatus::Cancelled | RestoreStatus::Aborted, _) if applied => {
            Cause::StoppedAfterWrites
        }
        (RestoreStatus::Failed, _) | (_, Some(RunOutcome::Failed)) => Cause::ExecutionFailed,
        (RestoreStatus::Cancelled | RestoreStatus::Aborted, _) => Cause::Stopped,
        _ if !applied && is_blocked(seen) => Cause::Stopped,
        _ if proof::every_item_failed(restore) => Cause::ExecutionFailed,
        (RestoreStatus::Unknown, _) => Cause::StatusUnknown,
        (RestoreStatus::Partial | RestoreStatus::CompletedWithErrors, _) => Cause::ItemsFailed,
        _ => of_completed(seen),
    }
}

fn of_completed(seen: &SeenRestore<'_>) -> Cause {
    let restore = seen.restore;
    let items = &restore.items;
    let parts = [&items.items, &items.foundations, &items.assignments];
    let counters = &restore.counters;
    let failed = parts.iter().any(|part| part.failed > 0 || part.partial > 0)
        || counted(counters.failed)
        || counted(counters.partial);
    let left_out = parts
        .iter()
        .any(|part| part.skipped > 0 || part.not_applied > 0)
        || [
            counters.skipped,
            counters.non_applied,
            counters.foundations_skipped,
        ]
        .into_iter()
        .any(counted);
    if failed {
        Cause::ItemsFailed
    } else if left_out {
        Cause::ItemsLeftOut
    } else if is_unclear(restore) {
        Cause::ItemsUnclear
    } else {
        of_clearance(seen).unwrap_or_else(|| of_operation(seen))
    }
}

/// What is recorded beside the status and the items, on the restore or on its run.
fn of_clearance(seen: &SeenRestore<'_>) -> Option<Cause> {
    let gaps = proof::clearance_gaps(seen.scoped_run(), Some(seen.restore));
    let has = |gap| gaps.contains(&gap);
    if has(ReasonCode::FailureRecorded) {
        Some(Cause::FailureRecorded)
    } else if gaps.iter().copied().any(ReasonCode::is_blocker) {
        Some(Cause::BlockerRecorded)
    } else {
        has(ReasonCode::ClearanceUnreadable).then_some(Cause::RecordUnreadable)
    }
}

fn is_blocked(seen: &SeenRestore<'_>) -> bool {
    proof::clearance_gaps(seen.scoped_run(), Some(seen.restore))
        .into_iter()
        .any(ReasonCode::is_blocker)
}

/// What the operation of a restore says that nothing else speaks against. One that is open is no failure of the
/// restore: it is judged once proof had its time to come.
fn of_operation(seen: &SeenRestore<'_>) -> Cause {
    let run = seen.scoped_run().map(|run| (run.status, run.outcome));
    match run {
        None => Cause::NoRun,
        Some((RunStatus::Completed, RunOutcome::Succeeded)) => Cause::NoVerdict,
        Some((RunStatus::Completed, _)) => Cause::NotProven,
        Some(_) if seen.may_settle() => Cause::NotJudged,
        Some(_) => Cause::StillOpen,
    }
}

/// Whether something about the items is missing, contradictory or beyond this version. The proof leg knows; what else it
/// finds was told before.
fn is_unclear(restore: &RestoreFacts) -> bool {
    !proof::items_gaps(restore).is_empty()
}
