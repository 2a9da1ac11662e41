//! What is said first of a run that no restore can be tied to with certainty.
//!
//! **Invariant:** says nothing about any restore, not even whether there is one.

use schemars::JsonSchema;
use serde::Serialize;

use super::attention::Tone;
use crate::restore_execute::facts::{RunFacts, RunStatus};
use crate::vocabulary;

vocabulary! {
    /// Where such a run stands.
    #[derive(Serialize, JsonSchema)]
    #[serde(rename_all = "snake_case")]
    pub enum Unlinked {
        /// The status, as it is shown.
        label,
        /// How urgent it looks.
        tone: Tone,
        /// Why.
        reason: &'static str,
        /// What that means for whoever relies on the restore.
        impact: &'static str,
        /// What to do next.
        next_action: &'static str,
    }
    Open = "Open, nothing proven" {
        tone: Tone::Warning,
        reason: "No restore record can be tied to this run with certainty.",
        impact: "Nothing can be said about a restore, and the run stays open.",
        next_action: "Check which restore this run belongs to.",
    }
    Closed = "Closed, nothing proven" {
        tone: Tone::Warning,
        reason: "No restore record can be tied to this run with certainty.",
        impact: "The outcome on the run stands as it is; nothing can be said about a restore.",
        next_action: "Check which restore this run belongs to.",
    }
    StatusUnknown = "Status not recognised" {
        tone: Tone::Warning,
        reason: "The run's own status is not one that this version knows.",
        impact: "Nothing can be said about a restore, and nothing is written to the run.",
        next_action: "Find out what wrote the status of this run.",
    }
}

impl Unlinked {
    /// Reads a run.
    #[must_use]
    pub fn of(run: &RunFacts) -> Self {
        match run.status {
            RunStatus::Queued | RunStatus::Running => Self::Open,
            RunStatus::Completed => Self::Closed,
            RunStatus::Unknown => Self::StatusUnknown,
        }
    }
}
