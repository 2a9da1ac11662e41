//! What a decision says.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::outcome::Outcome;
use super::proof::Proof;
use super::reason::ReasonCode;

/// The answer to "was this restore proven, and if not, what is missing?"
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// Whether anything is written, and what.
    pub ruling: Ruling,
    /// The primary reason.
    pub reason: ReasonCode,
    /// The number of the row of the decision table that matched.
    pub rule: u8,
    /// Every leg, and every gap.
    pub proof: Proof,
}

/// Whether a decision is final.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ruling {
    /// A verdict: it is written once and never changed.
    Verdict(Outcome),
    /// Nothing is written to the platform.
    Deferred {
        /// When time alone will change the decision; none where only new facts can.
        look_again_at: Option<Timestamp>,
    },
}

impl Decision {
    /// The outcome, where the decision is a verdict.
    #[must_use]
    pub fn outcome(&self) -> Option<Outcome> {
        match self.ruling {
            Ruling::Verdict(outcome) => Some(outcome),
            Ruling::Deferred { .. } => None,
        }
    }

    /// Whether the run stays open and is worth another look.
    #[must_use]
    pub fn stays_open(&self) -> bool {
        self.outcome().is_none() && self.is_about_open_run()
    }

    /// Whether the run is open, so far as is known, and of the type that is judged.
    #[must_use]
    pub fn is_about_open_run(&self) -> bool {
        !self.reason.is_never_due()
    }

    /// Every gap worth telling, in registry order. None where the run itself is in the way: then no
    /// restore was judged, and what its proof lacks is not the answer.
    #[must_use]
    pub fn missing(&self) -> Vec<ReasonCode> {
        if !self.is_about_open_run() || self.reason == ReasonCode::ContextMalformed {
            return Vec::new();
        }
        self.proof.gaps()
    }

    /// The word for the decision: an outcome, or `deferred`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.outcome().map_or("deferred", Outcome::name)
    }
}
