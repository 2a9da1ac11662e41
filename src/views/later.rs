//! What the rules would say today beside a verdict of ours, which is final.

use reconciler_jobs::reading::now::{Change, Now};
use reconciler_jobs::restore_execute::{Decision, Outcome};
use schemars::JsonSchema;
use serde::Serialize;

use super::verdict::Reason;
use crate::storage::reader::RunInFull;

/// What would be said today of a run with a verdict, where that is something else. The verdict stays as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct LaterOpinion {
    /// How it relates to the verdict.
    pub change: Change,
    /// The same in one sentence.
    pub sentence: &'static str,
    /// The outcome; none where the run would stay open.
    pub outcome: Option<Outcome>,
    /// The primary reason.
    pub reason: Reason,
    /// Whether evidence that the verdict lacks is available now.
    pub evidence_came_late: bool,
}

impl LaterOpinion {
    /// Beside a verdict that can be relied on, for a viewer who may see evidence.
    pub(super) fn beside(found: &RunInFull) -> Option<Self> {
        let verdict = found.verdict.as_ref()?;
        let recorded: Decision = serde_json::from_str(&verdict.decision).ok()?;
        let now = Now::of(&found.seen.assessment.facts, Some(&recorded));
        (now.differs() && verdict.standing().is_readable()).then(|| Self {
            change: now.change,
            sentence: now.sentence(),
            outcome: now.decision.outcome(),
            reason: now.decision.reason.into(),
            evidence_came_late: now.evidence_came_late,
        })
    }
}
