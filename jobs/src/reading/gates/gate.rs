//! The seven gates, the states they can be in, and every reason for one.

use schemars::JsonSchema;
use serde::Serialize;

use crate::reading::attention::Tone;
use crate::vocabulary;

vocabulary! {
    /// The gates, in order.
    #[derive(PartialOrd, Ord, Serialize, JsonSchema)]
    #[serde(rename_all = "snake_case")]
    pub enum Gate {
        /// The label that pages show.
        label: &'static str,
    }
    /// A backup set that something could be restored from.
    Source { label: "Usable source selected" }
    /// An environment to restore to.
    Target { label: "Target selected" }
    /// What is restored, and which groups become which.
    Scope { label: "Scope and dependency mapping" }
    /// What checks found.
    Validation { label: "Validation" }
    /// What would be changed.
    Preview { label: "Preview" }
    /// Somebody said yes to exactly that.
    Confirmation { label: "Confirmation" }
    /// It was executed, and looked at afterwards.
    Execution { label: "Execution and evidence" }
}

vocabulary! {
    /// Whether a gate is passed.
    #[derive(Serialize, JsonSchema)]
    #[serde(rename_all = "snake_case")]
    pub enum GateState {
        /// The label that pages show.
        label: &'static str,
        /// Whether what comes after it may go on.
        is_passed: bool,
        /// How urgent it looks.
        tone: Tone,
    }
    /// Passed.
    Complete { label: "Complete", is_passed: true, tone: Tone::Calm }
    /// Somebody has to do something.
    Required { label: "Required", is_passed: false, tone: Tone::Warning }
    /// Something recorded stands in the way.
    Blocked { label: "Blocked", is_passed: false, tone: Tone::Danger }
    /// Passed, and worth a look.
    Warning { label: "Warning", is_passed: true, tone: Tone::Warning }
    /// Not its turn.
    Unavailable { label: "Unavailable", is_passed: false, tone: Tone::Neutral }
}

vocabulary! {
    /// Why a gate is in its state.
    #[derive(PartialOrd, Ord, Serialize, JsonSchema)]
    #[serde(rename_all = "snake_case")]
    pub enum GateReason {
        /// What was found, in one sentence.
        sentence,
        /// The state it leads to.
        state: GateState,
        /// What to do next.
        next_action: &'static str,
    }
    SourceUsable = "The backup set holds captured items." {
        state: GateState::Complete,
        next_action: "Review backup quality",
    }
    SourceDegraded = "No item of the backup set is known to be captured without a fault." {
        state: GateState::Warning,
        next_action: "Review backup quality",
    }
    SourceMissing = "No backup set that can be used is selected." {
        state: GateState::Required,
        next_action: "Select a backup set",
    }
    SourceUnusable = "The backup set was deleted, or has not been completed." {
        state: GateState::Blocked,
        next_action: "Select another backup set",
    }
    SourceEmpty = "The backup set holds no captured items." {
        state: GateState::Blocked,
        next_action: "Select another backup set",
    }
    TargetSelected = "The target environment is selected." {
        state: GateState::Complete,
        next_action: "Continue preparation",
    }
    TargetMissing = "The target environment is not available." {
        state: GateState::Blocked,
        next_action: "Select a target environment",
    }
    ScopeRecorded = "The scope is recorded, and every mapping that it needs is resolved." {
        state: GateState::Complete,
        next_action: "Continue preparation",
    }
    MappingsSkipped = "The scope is recorded; the assignments of some groups are left out." {
        state: GateState::Warning,
        next_action: "Review skipped mappings",
    }
    ScopeUnreadable = "The requested items cannot be read." {
        state: GateState::Required,
        next_action: "Select the items to restore",
    }
    NothingSelected = "No items are selected." {
        state: GateState::Required,
        next_action: "Select the items to restore",
    }
    MappingUnreadable = "The group mapping cannot be read." {
        state: GateState::Required,
        next_action: "Resolve target mappings",
    }
    MappingsUnresolved = "Required group mappings are unresolved." {
        state: GateState::Required,
        next_action: "Resolve target mappings",
    }
    GroupsNotCached = "Required group mappings are unresolved, and no directory groups are cached to choose from." {
        state: GateState::Required,
        next_action: "Open group sync",
    }
    ScopeNotRecorded = "The scope is not recorded." {
        state: GateState::Required,
        next_action: "Confirm the scope",
    }
    NotItsTurn = "An earlier gate is not passed." {
        state: GateState::Unavailable,
        next_action: "Pass the earlier gates",
    }
    ChecksPassed = "Validation found nothing that stands in the way." {
        state: GateState::Complete,
        next_action: "Continue preparation",
    }
    ChecksWarned = "Validation found nothing that blocks; its warnings are worth a look." {
        state: GateState::Warning,
        next_action: "Review validation warnings",
    }
    ChecksUncounted = "Validation found nothing that blocks. How many warnings there are is not known." {
        state: GateState::Warning,
        next_action: "Review validation",
    }
    ChecksBlocked = "Validation found blockers." {
        state: GateState::Blocked,
        next_action: "Resolve validation blockers",
    }
    ChecksMissing = "No validation is recorded, or it cannot be read." {
        state: GateState::Required,
        next_action: "Run validation",
    }
    ChecksOutdated = "The scope has changed since validation." {
        state: GateState::Required,
        next_action: "Run validation again",
    }
    PreviewMade = "A preview of this scope is recorded." {
        state: GateState::Complete,
        next_action: "Review preview",
    }
    PreviewMissing = "No preview is recorded, or it cannot be read." {
        state: GateState::Required,
        next_action: "Generate preview",
    }
    PreviewOutdated = "The scope has changed since the preview." {
        state: GateState::Required,
        next_action: "Generate preview again",
    }
    Confirmed = "This scope was confirmed for execution." {
        state: GateState::Complete,
        next_action: "Review what was confirmed",
    }
    NotConfirmed = "Nobody has confirmed the execution." {
        state: GateState::Required,
        next_action: "Review preview and confirm",
    }
    ConfirmationOutdated = "The scope has changed since it was confirmed." {
        state: GateState::Required,
        next_action: "Review preview and confirm again",
    }
    PastConfirmation = "It was handed over for execution, so nothing is left to confirm." {
        state: GateState::Complete,
        next_action: "Open restore result",
    }
    ConfirmationBlocked = "The safety snapshot of the confirmation records blockers." {
        state: GateState::Blocked,
        next_action: "Resolve the recorded blockers",
    }
    PreviewOnly = "This record is a preview only; it cannot be executed." {
        state: GateState::Unavailable,
        next_action: "Review preview",
    }
    ReadyToExecute = "Nothing was executed yet. Every gate before it is passed." {
        state: GateState::Unavailable,
        next_action: "Execute restore",
    }
    NotExecuted = "Nothing was executed yet, and an earlier gate is not passed." {
        state: GateState::Unavailable,
        next_action: "Pass the earlier gates",
    }
    Executing = "The restore is being executed; results and evidence are not final." {
        state: GateState::Required,
        next_action: "View operation progress",
    }
    Executed = "The restore has ended. What its execution proves is shown with its result." {
        state: GateState::Warning,
        next_action: "Open restore result",
    }
    ExecutionStopped = "The restore failed or was stopped." {
        state: GateState::Blocked,
        next_action: "Open restore result",
    }
    StatusUnknown = "The restore's status is not one that this version knows." {
        state: GateState::Unavailable,
        next_action: "Review diagnostics",
    }
}
