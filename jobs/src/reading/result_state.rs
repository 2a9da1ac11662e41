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
use super::summary::Summary;
use super::{Availability, Seen};
use crate::restore_execute::facts::{RestoreStatus, RunOutcome, RunStatus};
use crate::restore_execute::proof;
use crate::restore_execute::reason::CLAIM_BOUNDARY;

/// The states of the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ResultState {
    /// A preview, or not begun.
    NotExecuted,
    /// Not at its end, or its run is not.
    InProgress,
    /// Completed, and nothing shows what the environment was like afterwards.
    CompletedProofIncomplete,
    /// Completed, and there is evidence to be reviewed.
    CompletedWithEvidence,
    /// Some items were not applied.
    NeedsReview,
    /// It failed.
    Failed,
    /// It was stopped.
    BlockedOrCancelled,
}

macro_rules! situations {
    ($($variant:ident: $state:ident {
        $label:literal
        reason: $reason:literal
        impact: $impact:literal
    })+) => {
        /// What a restore is in; several share a state where their words differ.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, JsonSchema)]
        #[serde(rename_all = "snake_case")]
        pub enum Situation {
            $(#[doc = $reason] $variant,)+
        }

        impl Situation {
            /// Every situation.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// The state of the contract.
            #[must_use]
            pub const fn state(self) -> ResultState {
                match self { $(Self::$variant => ResultState::$state,)+ }
            }

            /// The status, as it is shown.
            #[must_use]
            pub const fn label(self) -> &'static str {
                match self { $(Self::$variant => $label,)+ }
            }

            /// Why.
            #[must_use]
            pub const fn reason(self) -> &'static str {
                match self { $(Self::$variant => $reason,)+ }
            }

            /// What that means for whoever relies on the restore.
            #[must_use]
            pub const fn impact(self) -> &'static str {
                match self { $(Self::$variant => $impact,)+ }
            }
        }
    };
}

situations! {
    NotExecuted: NotExecuted {
        "Not executed"
        reason: "This record proves preview truth, not environment recovery."
        impact: "No execution proof or post-run evidence exists yet."
    }
    InProgress: InProgress {
        "Execution in progress"
        reason: "Restore execution is currently running."
        impact: "Results and evidence are not final yet."
    }
    RunOpen: InProgress {
        "Execution in progress"
        reason: "The restore has ended; its operation has not been closed yet."
        impact: "Results and evidence are not final yet."
    }
    Failed: Failed {
        "Restore failed"
        reason: "The restore did not complete successfully."
        impact: "Some requested changes may not have been applied."
    }
    Stopped: BlockedOrCancelled {
        "Restore blocked / cancelled"
        reason: "Restore did not execute due to cancellation or blocker."
        impact: "No recovery proof exists."
    }
    StoppedAfterWrites: BlockedOrCancelled {
        "Restore blocked / cancelled"
        reason: "The restore was stopped after it had changed the environment."
        impact: "No recovery proof exists. Some requested changes were applied and others were not."
    }
    NeedsReview: NeedsReview {
        "Completed with items needing review"
        reason: "Some items were skipped, partially applied, or failed."
        impact: "Review item outcomes before relying on the result."
    }
    StatusUnknown: NeedsReview {
        "Status not recognised"
        reason: "The restore's status is not one that this version knows."
        impact: "Nothing can be said about its result. Do not rely on it."
    }
    CompletedWithEvidence: CompletedWithEvidence {
        "Completed with evidence available"
        reason: "Execution proof and post-run evidence are available."
        impact: "Review evidence before treating the restore as recovery proof."
    }
    CompletedProofIncomplete: CompletedProofIncomplete {
        "Completed, recovery proof incomplete"
        reason: "Execution completed, but post-run evidence is not available yet."
        impact: "Do not treat this restore as verified recovery until evidence has been reviewed."
    }
}

impl ResultState {
    /// Every state, in the contract's order.
    pub const ALL: [Self; 7] = [
        Self::NotExecuted,
        Self::InProgress,
        Self::CompletedProofIncomplete,
        Self::CompletedWithEvidence,
        Self::NeedsReview,
        Self::Failed,
        Self::BlockedOrCancelled,
    ];

    /// The status of the contract.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::NotExecuted => Situation::NotExecuted.label(),
            Self::InProgress => Situation::InProgress.label(),
            Self::CompletedProofIncomplete => Situation::CompletedProofIncomplete.label(),
            Self::CompletedWithEvidence => Situation::CompletedWithEvidence.label(),
            Self::NeedsReview => Situation::NeedsReview.label(),
            Self::Failed => Situation::Failed.label(),
            Self::BlockedOrCancelled => Situation::Stopped.label(),
        }
    }

    /// How urgent it looks. Nothing is calmer than neutral: no state proves recovery.
    #[must_use]
    pub const fn tone(self) -> Tone {
        match self {
            Self::NotExecuted | Self::InProgress | Self::CompletedWithEvidence => Tone::Neutral,
            Self::CompletedProofIncomplete | Self::NeedsReview => Tone::Warning,
            Self::Failed | Self::BlockedOrCancelled => Tone::Danger,
        }
    }
}

/// What to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NextAction {
    /// Of a preview.
    ReviewPreview,
    /// Of a restore that has not begun.
    ContinuePreparation,
    /// Of one that runs.
    ViewProgress,
    /// Of one whose evidence is missing, where its run can be opened.
    OpenOperationProof,
    /// The same where it cannot.
    ReviewProofGap,
    /// Of one with evidence.
    OpenEvidence,
    /// Of one with troubled items.
    ReviewItems,
    /// Of one that failed.
    ReviewFailure,
    /// Of one that was stopped.
    ReviewBlocker,
    /// Of one whose status nobody knows.
    ReviewDiagnostics,
}

impl NextAction {
    /// Every action.
    pub const ALL: [Self; 10] = [
        Self::ReviewPreview,
        Self::ContinuePreparation,
        Self::ViewProgress,
        Self::OpenOperationProof,
        Self::ReviewProofGap,
        Self::OpenEvidence,
        Self::ReviewItems,
        Self::ReviewFailure,
        Self::ReviewBlocker,
        Self::ReviewDiagnostics,
    ];

    /// For people.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::ReviewPreview => "Review preview",
            Self::ContinuePreparation => "Continue preparation",
            Self::ViewProgress => "View operation progress",
            Self::OpenOperationProof => "Open operation proof",
            Self::ReviewProofGap => "Review proof gap",
            Self::OpenEvidence => "Open evidence",
            Self::ReviewItems => "Review item outcomes",
            Self::ReviewFailure => "Review failure details",
            Self::ReviewBlocker => "Review blocker",
            Self::ReviewDiagnostics => "Review diagnostics",
        }
    }
}

/// The most that may be claimed of a restore. Beside each of them stands [`CLAIM_BOUNDARY`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Claim {
    /// Somebody looked ahead.
    PreviewExists,
    /// It runs.
    InProgress,
    /// The run can be opened.
    ExecutionProof,
    /// The snapshot can be opened.
    EvidenceSnapshot,
    /// Somebody has to look.
    FollowUpRequired,
    /// It failed.
    ExecutionFailed,
}

impl Claim {
    /// Every claim.
    pub const ALL: [Self; 6] = [
        Self::PreviewExists,
        Self::InProgress,
        Self::ExecutionProof,
        Self::EvidenceSnapshot,
        Self::FollowUpRequired,
        Self::ExecutionFailed,
    ];

    /// For people.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::PreviewExists => "Preview evidence exists",
            Self::InProgress => "Execution in progress",
            Self::ExecutionProof => "Execution proof available",
            Self::EvidenceSnapshot => "Evidence snapshot available",
            Self::FollowUpRequired => "Follow-up required",
            Self::ExecutionFailed => "Execution failed",
        }
    }
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
    pub fn of(seen: &Seen<'_>) -> Self {
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
            summary: Summary::of(seen.restore, situation),
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
fn situation(seen: &Seen<'_>, evidence: Availability) -> Situation {
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
        if proof::something_applied(seen.restore) {
            Situation::StoppedAfterWrites
        } else {
            Situation::Stopped
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

fn operation_proof(seen: &Seen<'_>, situation: Situation) -> Availability {
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

fn next_action(seen: &Seen<'_>, situation: Situation, proof: Availability) -> NextAction {
    match situation {
        Situation::NotExecuted if seen.restore.is_dry_run => NextAction::ReviewPreview,
        Situation::NotExecuted => NextAction::ContinuePreparation,
        Situation::InProgress | Situation::RunOpen => NextAction::ViewProgress,
        Situation::Failed => NextAction::ReviewFailure,
        Situation::Stopped | Situation::StoppedAfterWrites => NextAction::ReviewBlocker,
        Situation::NeedsReview => NextAction::ReviewItems,
        Situation::StatusUnknown => NextAction::ReviewDiagnostics,
        Situation::CompletedWithEvidence => NextAction::OpenEvidence,
        Situation::CompletedProofIncomplete if proof == Availability::Available => {
            NextAction::OpenOperationProof
        }
        Situation::CompletedProofIncomplete => NextAction::ReviewProofGap,
    }
}

fn claim(seen: &Seen<'_>, situation: Situation, proof: Availability) -> Option<Claim> {
    let is_previewed = seen.restore.is_dry_run || seen.restore.status == RestoreStatus::Previewed;
    match situation {
        Situation::NotExecuted => is_previewed.then_some(Claim::PreviewExists),
        Situation::InProgress => Some(Claim::InProgress),
        Situation::Failed => Some(Claim::ExecutionFailed),
        Situation::NeedsReview | Situation::StoppedAfterWrites => Some(Claim::FollowUpRequired),
        Situation::CompletedWithEvidence => Some(Claim::EvidenceSnapshot),
        Situation::CompletedProofIncomplete => {
            (proof == Availability::Available).then_some(Claim::ExecutionProof)
        }
        Situation::RunOpen | Situation::Stopped | Situation::StatusUnknown => None,
    }
}
