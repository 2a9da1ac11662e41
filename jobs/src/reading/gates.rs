//! Safety gates: what stands between a preparation and its execution.
//!
//! Source: the platform's process-flow specification. Seven gates in a fixed order; a gate counts as passed where it
//! is complete or carries a warning. Validation, preview and confirmation are unavailable until every gate before
//! them is passed, because they would be made for something that still changes.
//!
//! **Invariant:** a gate is complete only where something recorded says so, and the last one never is: what was
//! executed, and what proves it, is the result's story.

mod card;
mod judge;

use schemars::JsonSchema;
use serde::Serialize;

use super::attention::Tone;
pub use super::preparation::{
    Basis, GroupCache, MappingSummary, PreparationFacts, PreparationRow, Scope,
};
pub use card::{CardStatus, DecisionCard};

/// The gates, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Gate {
    /// A backup set that something could be restored from.
    Source,
    /// An environment to restore to.
    Target,
    /// What is restored, and which groups become which.
    Scope,
    /// What checks found.
    Validation,
    /// What would be changed.
    Preview,
    /// Somebody said yes to exactly that.
    Confirmation,
    /// It was executed, and looked at afterwards.
    Execution,
}

/// Whether a gate is passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum GateState {
    /// Passed.
    Complete,
    /// Somebody has to do something.
    Required,
    /// Something recorded stands in the way.
    Blocked,
    /// Passed, and worth a look.
    Warning,
    /// Not its turn.
    Unavailable,
}

findings! {
    /// Why a gate is in its state.
    pub enum GateReason: state is GateState, sentence;
    SourceUsable: Complete {
        "The backup set holds captured items."
        next: "Review backup quality"
    }
    SourceDegraded: Warning {
        "No item of the backup set is known to be captured without a fault."
        next: "Review backup quality"
    }
    SourceMissing: Required {
        "No backup set that can be used is selected."
        next: "Select a backup set"
    }
    SourceUnusable: Blocked {
        "The backup set was deleted, or has not been completed."
        next: "Select another backup set"
    }
    SourceEmpty: Blocked {
        "The backup set holds no captured items."
        next: "Select another backup set"
    }
    TargetSelected: Complete {
        "The target environment is selected."
        next: "Continue preparation"
    }
    TargetMissing: Blocked {
        "The target environment is not available."
        next: "Select a target environment"
    }
    ScopeRecorded: Complete {
        "The scope is recorded, and every mapping that it needs is resolved."
        next: "Continue preparation"
    }
    MappingsSkipped: Warning {
        "The scope is recorded; the assignments of some groups are left out."
        next: "Review skipped mappings"
    }
    ScopeUnreadable: Required {
        "The requested items cannot be read."
        next: "Select the items to restore"
    }
    NothingSelected: Required {
        "No items are selected."
        next: "Select the items to restore"
    }
    MappingUnreadable: Required {
        "The group mapping cannot be read."
        next: "Resolve target mappings"
    }
    MappingsUnresolved: Required {
        "Required group mappings are unresolved."
        next: "Resolve target mappings"
    }
    GroupsNotCached: Required {
        "Required group mappings are unresolved, and no directory groups are cached to choose from."
        next: "Open group sync"
    }
    ScopeNotRecorded: Required {
        "The scope is not recorded."
        next: "Confirm the scope"
    }
    NotItsTurn: Unavailable {
        "An earlier gate is not passed."
        next: "Pass the earlier gates"
    }
    ChecksPassed: Complete {
        "Validation found nothing that stands in the way."
        next: "Continue preparation"
    }
    ChecksWarned: Warning {
        "Validation found nothing that blocks; its warnings are worth a look."
        next: "Review validation warnings"
    }
    ChecksUncounted: Warning {
        "Validation found nothing that blocks. How many warnings there are is not known."
        next: "Review validation"
    }
    ChecksBlocked: Blocked {
        "Validation found blockers."
        next: "Resolve validation blockers"
    }
    ChecksMissing: Required {
        "No validation is recorded, or it cannot be read."
        next: "Run validation"
    }
    ChecksOutdated: Required {
        "The scope has changed since validation."
        next: "Run validation again"
    }
    PreviewMade: Complete {
        "A preview of this scope is recorded."
        next: "Review preview"
    }
    PreviewMissing: Required {
        "No preview is recorded, or it cannot be read."
        next: "Generate preview"
    }
    PreviewOutdated: Required {
        "The scope has changed since the preview."
        next: "Generate preview again"
    }
    Confirmed: Complete {
        "This scope was confirmed for execution."
        next: "Review what was confirmed"
    }
    NotConfirmed: Required {
        "Nobody has confirmed the execution."
        next: "Review preview and confirm"
    }
    ConfirmationOutdated: Required {
        "The scope has changed since it was confirmed."
        next: "Review preview and confirm again"
    }
    ConfirmationBlocked: Blocked {
        "The safety snapshot of the confirmation records blockers."
        next: "Resolve the recorded blockers"
    }
    PreviewOnly: Unavailable {
        "This record is a preview only; it cannot be executed."
        next: "Review preview"
    }
    ReadyToExecute: Unavailable {
        "Nothing was executed yet. Every gate before it is passed."
        next: "Execute restore"
    }
    NotExecuted: Unavailable {
        "Nothing was executed yet, and an earlier gate is not passed."
        next: "Pass the earlier gates"
    }
    Executing: Required {
        "The restore is being executed; results and evidence are not final."
        next: "View operation progress"
    }
    Executed: Warning {
        "The restore has ended. What its execution proves is shown with its result."
        next: "Open restore result"
    }
    ExecutionStopped: Blocked {
        "The restore failed or was stopped."
        next: "Open restore result"
    }
    StatusUnknown: Unavailable {
        "The restore's status is not one that this version knows."
        next: "Review diagnostics"
    }
}

impl Gate {
    /// Every gate.
    pub const ALL: [Self; 7] = [
        Self::Source,
        Self::Target,
        Self::Scope,
        Self::Validation,
        Self::Preview,
        Self::Confirmation,
        Self::Execution,
    ];

    /// For people.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Source => "Usable source selected",
            Self::Target => "Target selected",
            Self::Scope => "Scope and dependency mapping",
            Self::Validation => "Validation",
            Self::Preview => "Preview",
            Self::Confirmation => "Confirmation",
            Self::Execution => "Execution and evidence",
        }
    }
}

impl GateState {
    /// Every state.
    pub const ALL: [Self; 5] = [
        Self::Complete,
        Self::Required,
        Self::Blocked,
        Self::Warning,
        Self::Unavailable,
    ];

    /// For people.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Complete => "Complete",
            Self::Required => "Required",
            Self::Blocked => "Blocked",
            Self::Warning => "Warning",
            Self::Unavailable => "Unavailable",
        }
    }

    /// Whether what comes after it may go on.
    #[must_use]
    pub const fn is_passed(self) -> bool {
        matches!(self, Self::Complete | Self::Warning)
    }

    /// How urgent it looks.
    #[must_use]
    pub const fn tone(self) -> Tone {
        match self {
            Self::Complete => Tone::Calm,
            Self::Required | Self::Warning => Tone::Warning,
            Self::Blocked => Tone::Danger,
            Self::Unavailable => Tone::Neutral,
        }
    }
}

/// One gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct GateReading {
    /// Which.
    pub gate: Gate,
    /// Whether it is passed.
    pub state: GateState,
    /// Why.
    pub reason: GateReason,
}

/// All gates of one preparation, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Gates {
    gates: [GateReading; 7],
    execution_available: bool,
}

impl Gates {
    /// Judges every gate.
    #[must_use]
    pub fn of(facts: &PreparationFacts) -> Self {
        let mut passed = true;
        let gates = Gate::ALL.map(|gate| {
            let reason = judge::judge(gate, facts, passed);
            let state = reason.state();
            passed &= state.is_passed();
            GateReading {
                gate,
                state,
                reason,
            }
        });
        Self {
            gates,
            execution_available: gates
                .iter()
                .any(|it| it.reason == GateReason::ReadyToExecute),
        }
    }

    /// Each gate, in order.
    pub fn iter(&self) -> impl Iterator<Item = &GateReading> {
        self.gates.iter()
    }

    /// How many are complete. One with a warning is passed and not counted.
    #[must_use]
    pub fn completed(&self) -> usize {
        let is_complete = |it: &&GateReading| it.state == GateState::Complete;
        self.iter().filter(is_complete).count()
    }

    /// The first that is not passed.
    #[must_use]
    pub fn next(&self) -> Option<&GateReading> {
        self.iter().find(|it| !it.state.is_passed())
    }

    /// Whether it could be executed now: every gate before execution is passed.
    #[must_use]
    pub fn execution_available(&self) -> bool {
        self.execution_available
    }

    /// The same for people.
    #[must_use]
    pub fn execution_label(&self) -> &'static str {
        if self.execution_available {
            "Execution available"
        } else {
            "Execution unavailable"
        }
    }

    /// In one line: `2/7 gates complete`.
    #[must_use]
    pub fn compact(&self) -> String {
        format!("{}/{} gates complete", self.completed(), self.gates.len())
    }
}
