//! Result attention: whether the result of one restore needs somebody.
//!
//! Secondary to [`super::result_state`], which it never overrides, and the input of [`super::posture`].
//!
//! **Invariant:** a doubt weakens. A status, an outcome or a count that cannot be understood never leads to
//! [`AttentionState::Completed`].

use schemars::JsonSchema;
use serde::Serialize;

use super::Seen;
use super::summary::counted;
use crate::restore_execute::facts::{RestoreFacts, RestoreStatus, RunOutcome};
use crate::restore_execute::proof;
use crate::restore_execute::reason::{CLAIM_BOUNDARY, ReasonCode};

/// The states, in the order in which they are looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AttentionState {
    /// A preview, not begun, or not at its end: no history yet.
    NotExecuted,
    /// Failed, or stopped before it did anything.
    Failed,
    /// Some items failed or were applied in part.
    Partial,
    /// Completed; skipped or undone work, or doubt about it, weakens confidence.
    CompletedWithFollowUp,
    /// Completed, and nothing of that is visible.
    Completed,
}

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

findings! {
    /// What attention is due to.
    pub enum Cause: state is AttentionState, summary;
    Preview: NotExecuted {
        "Nothing was executed: this record proves preview truth only."
        next: "Review the preview, or continue preparation."
    }
    NotEnded: NotExecuted {
        "The restore has not ended; there is no result yet."
        next: "View operation progress."
    }
    ExecutionFailed: Failed {
        "The execution failed."
        next: "Review failure details."
    }
    Stopped: Failed {
        "The restore was stopped before it changed anything."
        next: "Review the blocker."
    }
    StoppedAfterWrites: Partial {
        "The restore was stopped after it had changed the environment."
        next: "Review item outcomes."
    }
    StatusUnknown: Partial {
        "The restore's status is not one that this version knows."
        next: "Review diagnostics."
    }
    ItemsFailed: Partial {
        "Some items or assignments failed or were applied in part."
        next: "Review item outcomes."
    }
    ItemsLeftOut: CompletedWithFollowUp {
        "Some items, assignments or foundations were skipped or not applied."
        next: "Review what was left out."
    }
    ItemsUnclear: CompletedWithFollowUp {
        "Some item outcomes are missing or cannot be understood."
        next: "Compare requested items with recorded results."
    }
    NotProven: CompletedWithFollowUp {
        "The operation was not closed as a success."
        next: "Open the operation and see what is missing."
    }
    Nothing: Completed {
        "The restore completed, and no follow-up is visible."
        next: "Open the restore and review its proof."
    }
}

impl AttentionState {
    /// Every state.
    pub const ALL: [Self; 5] = [
        Self::NotExecuted,
        Self::Failed,
        Self::Partial,
        Self::CompletedWithFollowUp,
        Self::Completed,
    ];

    /// Whether somebody has to look.
    #[must_use]
    pub const fn needs_follow_up(self) -> bool {
        matches!(
            self,
            Self::Failed | Self::Partial | Self::CompletedWithFollowUp
        )
    }

    /// How urgent it looks.
    #[must_use]
    pub const fn tone(self) -> Tone {
        match self {
            Self::NotExecuted => Tone::Neutral,
            Self::Failed => Tone::Danger,
            Self::Partial | Self::CompletedWithFollowUp => Tone::Warning,
            Self::Completed => Tone::Calm,
        }
    }

    /// What the state does not prove.
    #[must_use]
    pub const fn claim_boundary(self) -> &'static str {
        match self {
            Self::NotExecuted => "A preview does not prove that anything was restored.",
            Self::Failed => "No recovery claim can be made.",
            Self::Partial | Self::CompletedWithFollowUp => {
                "Completion of some items does not prove environment recovery."
            }
            Self::Completed => CLAIM_BOUNDARY,
        }
    }
}

/// Why the result of a restore needs somebody, or does not.
#[must_use]
pub fn attention(seen: &Seen<'_>) -> Cause {
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
        _ if proof::every_item_failed(restore) => Cause::ExecutionFailed,
        (RestoreStatus::Unknown, _) => Cause::StatusUnknown,
        (RestoreStatus::Partial | RestoreStatus::CompletedWithErrors, _) => Cause::ItemsFailed,
        _ => of_completed(restore, outcome),
    }
}

fn of_completed(restore: &RestoreFacts, outcome: Option<RunOutcome>) -> Cause {
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
    } else if !matches!(outcome, None | Some(RunOutcome::Succeeded)) {
        Cause::NotProven
    } else {
        Cause::Nothing
    }
}

/// Whether something about the items is missing, contradictory or beyond this version. The proof leg knows.
fn is_unclear(restore: &RestoreFacts) -> bool {
    use ReasonCode::{CountsConflict, ItemsMissing, ItemsUnexpected, ItemsUnrecognised};
    let doubts = [
        ItemsMissing,
        ItemsUnrecognised,
        ItemsUnexpected,
        CountsConflict,
    ];
    proof::items_gaps(restore)
        .iter()
        .any(|gap| doubts.contains(gap))
}
