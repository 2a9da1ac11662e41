//! The platform's four outcomes.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

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
