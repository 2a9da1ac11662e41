//! The decision card: the first thing that is said about a preparation.

use schemars::JsonSchema;
use serde::Serialize;

use super::{GateReason, GateState, Gates};
use crate::reading::attention::Tone;

macro_rules! statuses {
    ($($variant:ident: $tone:ident {
        $label:literal
        impact: $impact:literal
    })+) => {
        /// How a preparation stands.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
        #[serde(rename_all = "snake_case")]
        pub enum CardStatus {
            $(#[doc = $label] $variant,)+
        }

        impl CardStatus {
            /// Every status.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// For people.
            #[must_use]
            pub const fn label(self) -> &'static str {
                match self { $(Self::$variant => $label,)+ }
            }

            /// What that means for whoever wants to execute it.
            #[must_use]
            pub const fn impact(self) -> &'static str {
                match self { $(Self::$variant => $impact,)+ }
            }

            /// How urgent it looks.
            #[must_use]
            pub const fn tone(self) -> Tone {
                match self { $(Self::$variant => Tone::$tone,)+ }
            }
        }
    };
}

statuses! {
    Blocked: Danger {
        "Restore blocked"
        impact: "The restore cannot be executed until this is resolved."
    }
    PreviewOnly: Neutral {
        "Preview only"
        impact: "Nothing will be changed, and nothing will be proven."
    }
    ActionRequired: Warning {
        "Preparation incomplete"
        impact: "The restore cannot be executed yet."
    }
    ReadyWithWarnings: Warning {
        "Ready to execute, with warnings"
        impact: "Execution would change the target environment. Review the warnings first."
    }
    Ready: Calm {
        "Ready to execute"
        impact: "Execution would change the target environment. Passed gates prove nothing about recovery."
    }
    Executed: Neutral {
        "Preparation is over"
        impact: "What counts from here on is the result and its evidence."
    }
    StatusUnknown: Warning {
        "Status not recognised"
        impact: "Nothing can be said about this preparation. Do not rely on it."
    }
}

/// Status, reason, impact and primary next action.
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

impl Gates {
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
