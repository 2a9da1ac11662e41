//! What a pass said about one run.

use reconciler_fixtures::Conclusion;
use reconciler_jobs::restore_execute::ReasonCode;

use crate::storage::Settlement;

/// What a pass said about one run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) decision: Conclusion,
    pub(super) reason: Option<ReasonCode>,
}

impl Seen {
    pub(super) const NOTHING: Self = Self {
        decision: Conclusion::PassedOver,
        reason: None,
    };

    pub(super) fn is(self, (decision, reason): (Conclusion, ReasonCode)) -> bool {
        self.decision == decision && self.reason == Some(reason)
    }
}

impl From<&Settlement> for Seen {
    fn from(settlement: &Settlement) -> Self {
        match settlement {
            Settlement::Committed(assessment) | Settlement::Deferred(assessment, _) => Self {
                decision: Conclusion::from(&assessment.decision),
                reason: Some(assessment.decision.reason),
            },
            Settlement::Refused { .. } => Self {
                decision: Conclusion::Refused,
                reason: Some(ReasonCode::SettleFailed),
            },
            Settlement::Observed(_)
            | Settlement::Paused
            | Settlement::Locked
            | Settlement::Suspended { .. }
            | Settlement::Absent => Self::NOTHING,
        }
    }
}
