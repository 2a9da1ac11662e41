//! What a decision says.

use std::fmt;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

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

/// The outcome of a verdict. Ordered from worst to best.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The restore failed.
    Failed,
    /// The restore was stopped; nothing shows that it applied anything.
    Blocked,
    /// Something is missing.
    PartiallySucceeded,
    /// The proof bundle is complete. That does not prove that the environment recovered.
    Succeeded,
}

impl Outcome {
    /// All outcomes, best first, as reports list them.
    pub const ALL: [Self; 4] = [
        Self::Succeeded,
        Self::PartiallySucceeded,
        Self::Blocked,
        Self::Failed,
    ];

    /// The platform's word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Blocked => "blocked",
            Self::PartiallySucceeded => "partially_succeeded",
            Self::Succeeded => "succeeded",
        }
    }

    /// The platform's word, read back.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.name() == name)
    }

    /// The word the audit log uses for it.
    #[must_use]
    pub const fn audit_outcome(self) -> &'static str {
        match self {
            Self::Failed => "failure",
            Self::Blocked => "blocked",
            Self::PartiallySucceeded => "partial",
            Self::Succeeded => "success",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
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
        self.outcome().is_none() && !self.reason.is_never_due()
    }

    /// Every gap worth telling, in registry order. None where the run itself is in the way: then no
    /// restore was judged, and what its proof lacks is not the answer.
    #[must_use]
    pub fn missing(&self) -> Vec<ReasonCode> {
        if self.reason.is_never_due() || self.reason == ReasonCode::ContextMalformed {
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
