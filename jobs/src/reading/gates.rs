//! Safety gates: what stands between a preparation and its execution.
//!
//! Source: the platform's process-flow specification. Seven gates in a fixed order; a gate counts as passed where it
//! is complete or carries a warning. Validation, preview and confirmation are unavailable until every gate before
//! them is passed, because they would be made for something that still changes.
//!
//! **Invariant:** a gate is complete only where something recorded says so, and the last one never is: what was
//! executed, and what proves it, is the result's story.

mod gate;
mod judge;

use schemars::JsonSchema;
use serde::Serialize;

use super::attention::Tone;
pub use super::preparation::{
    Basis, GroupCache, MappingSummary, PreparationFacts, PreparationRow, RestoreScope,
};
use crate::vocabulary;
pub use gate::{Gate, GateReason, GateState};

vocabulary! {
    /// How a preparation stands.
    #[derive(PartialOrd, Ord, Serialize, JsonSchema)]
    #[serde(rename_all = "snake_case")]
    pub enum CardStatus {
        /// The label that pages show.
        label,
        /// How urgent it looks.
        tone: Tone,
        /// What that means for whoever wants to execute it.
        impact: &'static str,
    }
    Blocked = "Restore blocked" {
        tone: Tone::Danger,
        impact: "The restore cannot be executed until this is resolved.",
    }
    PreviewOnly = "Preview only" {
        tone: Tone::Neutral,
        impact: "Nothing will be changed, and nothing will be proven.",
    }
    ActionRequired = "Preparation incomplete" {
        tone: Tone::Warning,
        impact: "The restore cannot be executed yet.",
    }
    ReadyWithWarnings = "Ready to execute, with warnings" {
        tone: Tone::Warning,
        impact: "Execution would change the target environment. Review the warnings first.",
    }
    Ready = "Ready to execute" {
        tone: Tone::Calm,
        impact: "Execution would change the target environment. Passed gates prove nothing about recovery.",
    }
    Executed = "Preparation is over" {
        tone: Tone::Neutral,
        impact: "What counts from here on is the result and its evidence.",
    }
    StatusUnknown = "Status not recognised" {
        tone: Tone::Warning,
        impact: "Nothing can be said about this preparation. Do not rely on it.",
    }
}

/// The first thing that is said about a preparation: status, reason, impact and primary next action.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct DecisionCard {
    /// How it stands.
    pub status: CardStatus,
    /// Why, in one sentence.
    pub reason: &'static str,
    /// What that means.
    pub impact: &'static str,
    /// What to do next.
    pub next_action: &'static str,
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

    /// Whether it could be executed now, in words for people.
    #[must_use]
    pub fn execution_label(&self) -> &'static str {
        if self.execution_available {
            "Execution available"
        } else {
            "Execution unavailable"
        }
    }

    /// How far preparation is, in one line: `2/7 gates complete`.
    #[must_use]
    pub fn compact(&self) -> String {
        format!("{}/{} gates complete", self.completed(), self.gates.len())
    }

    /// What is said first: a blocker, or else the first gate that is not passed.
    #[must_use]
    pub fn card(&self) -> DecisionCard {
        let [.., last] = &self.gates;
        let blocked = self.iter().find(|it| it.state == GateState::Blocked);
        let next = self.next().unwrap_or(last);
        let (status, told) = match (last.reason, blocked) {
            (GateReason::Executing | GateReason::Executed | GateReason::ExecutionStopped, _) => {
                (CardStatus::Executed, last)
            }
            (GateReason::StatusUnknown, _) => (CardStatus::StatusUnknown, last),
            (_, Some(blocked)) => (CardStatus::Blocked, blocked),
            (GateReason::PreviewOnly, None) => (CardStatus::PreviewOnly, next),
            (GateReason::ReadyToExecute, None) if self.has_warnings() => {
                (CardStatus::ReadyWithWarnings, last)
            }
            (GateReason::ReadyToExecute, None) => (CardStatus::Ready, last),
            _ => (CardStatus::ActionRequired, next),
        };
        DecisionCard {
            status,
            reason: told.reason.sentence(),
            impact: status.impact(),
            next_action: told.reason.next_action(),
        }
    }

    fn has_warnings(&self) -> bool {
        self.iter().any(|it| it.state == GateState::Warning)
    }
}
