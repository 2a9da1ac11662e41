//! Restore result state: the first thing that is said about one restore, before any detail.
//!
//! Source: the platform's restore result state contract. Its seven states, their wording and their order of
//! safety are binding; what it does not cover (a restore that was stopped after it had written, a status that
//! nobody knows) is worded here so that it claims less.
//!
//! **Invariant:** evidence and operation proof are two fields, and neither is implied by the other or by the
//! state.

use schemars::JsonSchema;
use serde::Serialize;

use super::attention::Tone;
use super::seen::{Availability, SeenRestore};
use super::summary::{Summary, Uncounted, counted};
use crate::restore_execute::facts::{RestoreFacts, RestoreStatus, RunOutcome, RunStatus};
use crate::restore_execute::proof;
use crate::restore_execute::reason::CLAIM_BOUNDARY;
use crate::vocabulary;

vocabulary! {
    /// The states of the contract.
    #[derive(Serialize, JsonSchema)]
    #[serde(rename_all = "snake_case")]
    pub enum ResultState {
        /// The status of the contract.
        label: &'static str,
        /// How urgent it looks. Nothing is calmer than neutral: no state proves recovery.
        tone: Tone,
    }
    /// A preview, or not begun.
    NotExecuted { label: Situation::NotExecuted.label(), tone: Tone::Neutral }
    /// Not at its end, or its run is not.
    InProgress { label: Situation::InProgress.label(), tone: Tone::Neutral }
    /// Completed, and nothing shows what the environment was like afterwards.
    CompletedProofIncomplete { label: Situation::CompletedProofIncomplete.label(), tone: Tone::Warning }
    /// Completed, and there is evidence to be reviewed.
    CompletedWithEvidence { label: Situation::CompletedWithEvidence.label(), tone: Tone::Neutral }
    /// Some items were not applied.
    NeedsReview { label: Situation::NeedsReview.label(), tone: Tone::Warning }
    /// It failed.
    Failed { label: Situation::Failed.label(), tone: Tone::Danger }
    /// It was stopped.
    BlockedOrCancelled { label: Situation::Stopped.label(), tone: Tone::Danger }
}

vocabulary! {
    /// What a restore is in; several share a state where their words differ.
    #[derive(Serialize, JsonSchema)]
    #[serde(rename_all = "snake_case")]
    pub enum Situation {
        /// Why.
        reason,
        /// The state of the contract.
        state: ResultState,
        /// The status, as it is shown.
        label: &'static str,
        /// What that means for whoever relies on the restore.
        impact: &'static str,
    }
    NotExecuted = "This record proves preview truth, not environment recovery." {
        state: ResultState::NotExecuted,
        label: "Not executed",
        impact: "No execution proof or post-run evidence exists yet.",
    }
    InProgress = "Restore execution is currently running." {
        state: ResultState::InProgress,
        label: "Execution in progress",
        impact: "Results and evidence are not final yet.",
    }
    RunOpen = "The restore has ended; its operation has not been closed yet." {
        state: ResultState::InProgress,
        label: "Execution in progress",
        impact: "Results and evidence are not final yet.",
    }
    Failed = "The restore did not complete successfully." {
        state: ResultState::Failed,
        label: "Restore failed",
        impact: "Some requested changes may not have been applied.",
    }
    Stopped = "Restore did not execute due to cancellation or blocker." {
        state: ResultState::BlockedOrCancelled,
        label: "Restore blocked / cancelled",
        impact: "No recovery proof exists.",
    }
    StoppedAfterWrites = "The restore was stopped after it had changed the environment." {
        state: ResultState::BlockedOrCancelled,
        label: "Restore blocked / cancelled",
        impact: "No recovery proof exists. Requested changes were applied before it was stopped.",
    }
    StoppedHalfway = "The restore was stopped before it had changed all that was requested." {
        state: ResultState::BlockedOrCancelled,
        label: "Restore blocked / cancelled",
        impact: "No recovery proof exists. Some requested changes were applied and others were not.",
    }
    BlockerRecorded = "A blocker is recorded, and something was applied." {
        state: ResultState::BlockedOrCancelled,
        label: "Restore blocked / cancelled",
        impact: "No recovery proof exists. What was applied stands beside a recorded blocker.",
    }
    NeedsReview = "Some items were skipped, partially applied, or failed." {
        state: ResultState::NeedsReview,
        label: "Completed with items needing review",
        impact: "Review item outcomes before relying on the result.",
    }
    StatusUnknown = "The restore's status is not one that this version knows." {
        state: ResultState::NeedsReview,
        label: "Status not recognised",
        impact: "Nothing can be said about its result. Do not rely on it.",
    }
    CompletedWithEvidence = "Execution proof and post-run evidence are available." {
        state: ResultState::CompletedWithEvidence,
        label: "Completed with evidence available",
        impact: "Review evidence before treating the restore as recovery proof.",
    }
    CompletedProofIncomplete = "Execution completed, but post-run evidence is not available yet." {
        state: ResultState::CompletedProofIncomplete,
        label: "Completed, recovery proof incomplete",
        impact: "Do not treat this restore as verified recovery until evidence has been reviewed.",
    }
}

vocabulary! {
    /// What to do next.
    #[derive(Serialize, JsonSchema)]
    #[serde(rename_all = "snake_case")]
    pub enum NextAction {
        /// The label that pages show.
        label,
    }
    ReviewPreview = "Review preview"
    ContinuePreparation = "Continue preparation"
    ViewProgress = "View operation progress"
    OpenOperationProof = "Open operation proof"
    ReviewProofGap = "Review proof gap"
    OpenEvidence = "Open evidence"
    ReviewItems = "Review item outcomes"
    ReviewFailure = "Review failure details"
    ReviewBlocker = "Review blocker"
    ReviewDiagnostics = "Review diagnostics"
}

vocabulary! {
    /// The most that may be claimed of a restore. Beside each of them stands [`CLAIM_BOUNDARY`].
    #[derive(Serialize, JsonSchema)]
    #[serde(rename_all = "snake_case")]
    pub enum Claim {
        /// The label that pages show.
        label,
    }
    PreviewExists = "Preview evidence exists"
    InProgress = "Execution in progress"
    ExecutionProof = "Execution proof available"
    EvidenceSnapshot = "Evidence snapshot available"
    FollowUpRequired = "Follow-up required"
    ExecutionFailed = "Execution failed"
}

/// The first screen of a restore. Diagnostics are collapsed on it in every state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub struct RestoreResult {
    /// Status, reason and impact.
    pub situation: Situation,
    /// What to do next.
    pub next_action: NextAction,
    /// The operation that shows what was executed.
    pub operation_proof: Availability,
    /// Evidence of the environment after the restore.
    pub evidence: Availability,
    /// Beside the snapshot that decides, another one is on its way.
    pub further_evidence_in_progress: bool,
    /// What was counted.
    pub summary: Summary,
    /// The most that may be claimed; none where nothing may.
    pub claim: Option<Claim>,
}

impl RestoreResult {
    /// Reads a restore.
    #[must_use]
    pub fn of(seen: &SeenRestore<'_>) -> Self {
        let evidence_now = seen.evidence();
        let situation = situation(seen, evidence_now);
        let operation_proof = operation_proof(seen, situation);
        let evidence = shown_evidence(situation, evidence_now);
        Self {
            situation,
            next_action: next_action(seen, situation, operation_proof),
            operation_proof,
            evidence,
            further_evidence_in_progress: evidence == Availability::Available
                && seen.evidence.is_some_and(|stored| stored.in_progress),
            summary: Summary::of(seen.restore, uncounted(situation)),
            claim: claim(seen, situation, operation_proof),
        }
    }

    /// The state of the contract.
    #[must_use]
    pub fn state(&self) -> ResultState {
        self.situation.state()
    }

    /// What stands beside anything positive.
    #[must_use]
    pub fn claim_boundary(&self) -> &'static str {
        CLAIM_BOUNDARY
    }
}

/// In the contract's own order of safety: what claims less comes first.
fn situation(seen: &SeenRestore<'_>, evidence: Availability) -> Situation {
    let run = seen.scoped_run();
    let outcome = run.map(|run| run.outcome);
    let is_open = run.is_some_and(|run| run.status != RunStatus::Completed);
    if seen.is_not_executed() {
        return Situation::NotExecuted;
    }
    if seen.is_executing() {
        return Situation::InProgress;
    }
    if is_open {
        return Situation::RunOpen;
    }
    let stopped = || {
        if !proof::something_applied(seen.restore) {
            Situation::Stopped
        } else if seen.restore.status != RestoreStatus::Cancelled {
            Situation::BlockerRecorded
        } else if left_undone(seen.restore) {
            Situation::StoppedHalfway
        } else {
            Situation::StoppedAfterWrites
        }
    };
    match (seen.restore.status, outcome) {
        (RestoreStatus::Failed | RestoreStatus::Aborted, _) | (_, Some(RunOutcome::Failed)) => {
            Situation::Failed
        }
        (RestoreStatus::Cancelled, _) | (_, Some(RunOutcome::Blocked)) => stopped(),
        (RestoreStatus::Partial | RestoreStatus::CompletedWithErrors, _) => Situation::NeedsReview,
        (RestoreStatus::Completed, _) if evidence == Availability::Available => {
            Situation::CompletedWithEvidence
        }
        (RestoreStatus::Completed, _) => Situation::CompletedProofIncomplete,
        _ => Situation::StatusUnknown,
    }
}

/// Whether something is recorded that was requested and not applied, or not all of it.
fn left_undone(restore: &RestoreFacts) -> bool {
    let RestoreFacts {
        items, counters, ..
    } = restore;
    let parts = [&items.items, &items.foundations, &items.assignments];
    items.missing > 0
        || parts
            .into_iter()
            .any(|part| part.is_mixed() || part.unrecognised > 0)
        || [
            counters.failed,
            counters.partial,
            counters.skipped,
            counters.non_applied,
        ]
        .into_iter()
        .any(counted)
}

/// What is said where nobody counted.
fn uncounted(situation: Situation) -> Uncounted {
    match situation {
        Situation::InProgress | Situation::RunOpen => Uncounted::InProgress,
        Situation::Failed => Uncounted::FailureDetailsRequired,
        Situation::Stopped
        | Situation::StoppedAfterWrites
        | Situation::StoppedHalfway
        | Situation::BlockerRecorded => Uncounted::Stopped,
        _ => Uncounted::Unavailable,
    }
}

fn operation_proof(seen: &SeenRestore<'_>, situation: Situation) -> Availability {
    match situation.state() {
        ResultState::NotExecuted => Availability::Unavailable,
        ResultState::InProgress => Availability::InProgress,
        _ if seen.scoped_run().is_some() => Availability::Available,
        _ => Availability::Unavailable,
    }
}

/// Evidence is not final before the execution is, and proves nothing of what was stopped before it began.
fn shown_evidence(situation: Situation, evidence: Availability) -> Availability {
    match situation.state() {
        ResultState::NotExecuted | ResultState::InProgress | ResultState::BlockedOrCancelled => {
            Availability::Unavailable
        }
        _ => evidence,
    }
}

fn next_action(seen: &SeenRestore<'_>, situation: Situation, proof: Availability) -> NextAction {
    match situation {
        Situation::NotExecuted if seen.restore.is_dry_run => NextAction::ReviewPreview,
        Situation::NotExecuted => NextAction::ContinuePreparation,
        Situation::InProgress | Situation::RunOpen => NextAction::ViewProgress,
        Situation::Failed => NextAction::ReviewFailure,
        Situation::Stopped
        | Situation::StoppedAfterWrites
        | Situation::StoppedHalfway
        | Situation::BlockerRecorded => NextAction::ReviewBlocker,
        Situation::NeedsReview => NextAction::ReviewItems,
        Situation::StatusUnknown => NextAction::ReviewDiagnostics,
        Situation::CompletedWithEvidence => NextAction::OpenEvidence,
        Situation::CompletedProofIncomplete if proof == Availability::Available => {
            NextAction::OpenOperationProof
        }
        Situation::CompletedProofIncomplete => NextAction::ReviewProofGap,
    }
}

fn claim(seen: &SeenRestore<'_>, situation: Situation, proof: Availability) -> Option<Claim> {
    let is_previewed = seen.restore.is_dry_run || seen.restore.status == RestoreStatus::Previewed;
    match situation {
        Situation::NotExecuted => is_previewed.then_some(Claim::PreviewExists),
        Situation::InProgress => Some(Claim::InProgress),
        Situation::Failed => Some(Claim::ExecutionFailed),
        Situation::NeedsReview
        | Situation::StoppedAfterWrites
        | Situation::StoppedHalfway
        | Situation::BlockerRecorded => Some(Claim::FollowUpRequired),
        Situation::CompletedWithEvidence => Some(Claim::EvidenceSnapshot),
        Situation::CompletedProofIncomplete => {
            (proof == Availability::Available).then_some(Claim::ExecutionProof)
        }
        Situation::RunOpen | Situation::Stopped | Situation::StatusUnknown => None,
    }
}
