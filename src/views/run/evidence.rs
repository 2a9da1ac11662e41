//! Evidence of a run, as far as a viewer may see it.

use reconciler_jobs::ids::SnapshotId;
use reconciler_jobs::reading::Availability;
use reconciler_jobs::reading::result_state::RestoreResult;
use reconciler_jobs::restore_execute::proof::Leg;
use schemars::JsonSchema;
use serde::Serialize;

use super::seen::labelled;
use crate::storage::Assessment;
use crate::views::verdict::Reason;
use crate::views::{Labelled, Moment, Visibility};

/// Evidence, as far as the viewer may see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct EvidenceShown {
    /// Whether it can be opened.
    pub state: Labelled<Availability>,
    /// The latest active snapshot, which decides.
    pub snapshot: Option<SnapshotShown>,
    /// Whether another one is queued or generating.
    pub further_in_progress: bool,
    /// Why it does not count as proof.
    pub gaps: Vec<Reason>,
}

/// The latest active snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub struct SnapshotShown {
    /// The snapshot.
    pub id: SnapshotId,
    /// Whether its completeness state is `complete`.
    pub is_complete: bool,
    /// When it was captured, where that can be read.
    pub generated_at: Option<Moment>,
    /// Until when it is valid, where it says so.
    pub expires_at: Option<Moment>,
}

/// What `result` shows of evidence, and why it is no proof where it is not.
pub(super) fn evidence(
    assessment: &Assessment,
    result: Option<&RestoreResult>,
    visibility: Visibility,
) -> EvidenceShown {
    let state = result.map_or(Availability::Unavailable, |result| result.evidence);
    let may_show = visibility.evidence && result.is_some();
    let stored = &assessment.facts.evidence;
    let snapshot = stored.active.filter(|_| may_show);
    let gaps = if may_show {
        assessment.decision.proof.gaps_of(Leg::Evidence)
    } else {
        &[]
    };
    EvidenceShown {
        state: labelled(state),
        snapshot: snapshot.map(|snapshot| SnapshotShown {
            id: snapshot.id,
            is_complete: snapshot.complete,
            generated_at: snapshot.generated_at.moment().map(Moment),
            expires_at: snapshot.expires_at.moment().map(Moment),
        }),
        further_in_progress: may_show
            && result.is_some_and(|result| result.further_evidence_in_progress),
        gaps: gaps.iter().copied().map(Reason::from).collect(),
    }
}
