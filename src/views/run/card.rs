//! How a restore reads on the page of its run, beside the state of that.

use reconciler_jobs::ids::{RestoreId, RunId};
use reconciler_jobs::reading::attention::Tone;
use reconciler_jobs::reading::result_state::{NextAction, RestoreResult, ResultState};
use reconciler_jobs::reading::unlinked::Unlinked;
use reconciler_jobs::restore_execute::ReasonCode;
use reconciler_jobs::restore_execute::facts::Facts;
use reconciler_jobs::restore_execute::reason::Chapter;
use schemars::JsonSchema;
use serde::Serialize;

use crate::views::Step;
use crate::views::state::{RunState, RunStateShown};

/// How a restore reads: status, reason, impact, and what to do next. It looks no calmer than what is on record, and
/// leads where that does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Card {
    /// The state of the contract; none where no restore is tied to the run.
    pub state: Option<ResultState>,
    /// How urgent it looks.
    pub tone: Tone,
    /// The status.
    pub status: &'static str,
    /// Why.
    pub reason: &'static str,
    /// What that means for whoever relies on the restore.
    pub impact: &'static str,
    /// What to do next.
    pub next_action: Step,
}

/// Where the next action of a state leads on the page of a run.
pub(super) fn anchor(state: &RunStateShown) -> &'static str {
    let reason = state.reason_code.as_deref().and_then(ReasonCode::parse);
    match (state.state, reason.map(ReasonCode::chapter)) {
        (RunState::UnprovenSuccess, _) => "#legs",
        (RunState::ClosedByPlatform, _) => "#verdict",
        (state, _) if !state.is_reliable() => "#verdict",
        (RunState::Failed, Some(Chapter::Execution)) => "#failure",
        (_, Some(Chapter::Items)) => "#items",
        (_, Some(Chapter::Evidence | Chapter::Proof)) => "#evidence",
        (_, Some(Chapter::Execution)) => "#timeline",
        _ => "#legs",
    }
}

pub(super) fn unlinked(facts: &Facts, state: &RunStateShown) -> Card {
    let found = Unlinked::of(&facts.run);
    Card {
        state: None,
        tone: found.tone().or_worse(state.tone),
        status: found.label(),
        reason: found.reason(),
        impact: found.impact(),
        next_action: Step {
            label: found.next_action(),
            href: Some("#legs".to_owned()),
        },
    }
}

/// How urgent a result looks beside the state of its run: never calmer than that, and evidence alone is nothing to be
/// calm about as long as no verdict says that all was proven.
pub(in crate::views) fn tone(result: ResultState, run: Option<&RunStateShown>) -> Tone {
    let is_proven = run.is_some_and(|run| run.tone == Tone::Calm);
    let tone = match result {
        ResultState::CompletedWithEvidence if !is_proven => Tone::Warning,
        state => state.tone(),
    };
    run.map_or(tone, |run| tone.or_worse(run.tone))
}

/// The card of a restore, on the page of `run`.
pub(super) fn card(
    result: &RestoreResult,
    run: RunId,
    restore: RestoreId,
    state: &RunStateShown,
) -> Card {
    let next_action = if state.is_below_succeeded {
        Step {
            label: state.next_action,
            href: Some(anchor(state).to_owned()),
        }
    } else {
        Step {
            label: result.next_action.label(),
            href: Some(target(result.next_action, run, restore)),
        }
    };
    Card {
        state: Some(result.state()),
        tone: tone(result.state(), Some(state)),
        status: result.situation.label(),
        reason: result.situation.reason(),
        impact: result.situation.impact(),
        next_action,
    }
}

/// Where a next action leads on the page of a run.
fn target(action: NextAction, run: RunId, restore: RestoreId) -> String {
    let anchor = match action {
        NextAction::OpenEvidence => return format!("/runs/{run}/evidence"),
        NextAction::ReviewPreview | NextAction::ContinuePreparation => {
            return format!("/restores/{restore}");
        }
        NextAction::ViewProgress => "timeline",
        NextAction::OpenOperationProof => "operation-proof",
        NextAction::ReviewProofGap | NextAction::ReviewBlocker => "legs",
        NextAction::ReviewFailure => "failure",
        NextAction::ReviewItems | NextAction::ReviewDiagnostics => "items",
    };
    format!("#{anchor}")
}
