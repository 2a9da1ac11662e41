//! What is said first of a run that no restore can be tied to with certainty.
//!
//! **Invariant:** says nothing about any restore, not even whether there is one.

use schemars::JsonSchema;
use serde::Serialize;

use super::attention::Tone;
use crate::restore_execute::facts::{RunFacts, RunStatus};

macro_rules! unlinked {
    ($($variant:ident: $tone:ident {
        $label:literal
        reason: $reason:literal
        impact: $impact:literal
        next: $next:literal
    })+) => {
        /// Where such a run stands.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, JsonSchema)]
        #[serde(rename_all = "snake_case")]
        pub enum Unlinked {
            $(#[doc = $label] $variant,)+
        }

        impl Unlinked {
            /// Every one.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

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

            /// What to do next.
            #[must_use]
            pub const fn next_action(self) -> &'static str {
                match self { $(Self::$variant => $next,)+ }
            }

            /// How urgent it looks.
            #[must_use]
            pub const fn tone(self) -> Tone {
                match self { $(Self::$variant => Tone::$tone,)+ }
            }
        }
    };
}

unlinked! {
    Open: Warning {
        "Open, nothing proven"
        reason: "No restore record can be tied to this run with certainty."
        impact: "Nothing can be said about a restore, and the run stays open."
        next: "Check which restore this run belongs to."
    }
    Closed: Warning {
        "Closed, nothing proven"
        reason: "No restore record can be tied to this run with certainty."
        impact: "The outcome on the run stands as it is; nothing can be said about a restore."
        next: "Check which restore this run belongs to."
    }
    StatusUnknown: Warning {
        "Status not recognised"
        reason: "The run's own status is not one that this version knows."
        impact: "Nothing can be said about a restore, and nothing is written to the run."
        next: "Find out what wrote the status of this run."
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
