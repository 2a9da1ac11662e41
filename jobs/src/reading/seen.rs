//! One restore as one viewer may see it: what the readings of a result are made from.

use schemars::JsonSchema;
use serde::Serialize;

use crate::restore_execute::facts::{At, EvidenceFacts, RestoreFacts, RestoreStatus, RunFacts};
use crate::restore_execute::reason::ReasonCode;
use crate::restore_execute::{proof, rules};
use crate::vocabulary;

/// One restore as one viewer may see it.
#[derive(Debug, Clone, Copy)]
pub struct SeenRestore<'a> {
    /// When it is looked at.
    pub at: At<'a>,
    /// The restore.
    pub restore: &'a RestoreFacts,
    /// The run that it points at; none where there is none, or where the viewer may not see it.
    pub run: Option<&'a RunFacts>,
    /// Evidence captured for that run; none where the viewer may not see evidence.
    pub evidence: Option<&'a EvidenceFacts>,
}

vocabulary! {
    /// Whether something can be opened.
    #[derive(PartialOrd, Ord, Serialize, JsonSchema)]
    #[serde(rename_all = "snake_case")]
    pub enum Availability {
        /// The label that pages show.
        label: &'static str,
    }
    /// There is none that this viewer may see.
    Unavailable { label: "Unavailable" }
    /// It is not final yet.
    InProgress { label: "In progress" }
    /// It is there.
    Available { label: "Available" }
}

impl<'a> SeenRestore<'a> {
    /// The run, if it belongs to the restore's own workspace and environment.
    pub(super) fn scoped_run(&self) -> Option<&'a RunFacts> {
        self.run.filter(|run| {
            run.workspace_id == self.restore.workspace_id
                && run.environment_id == Some(self.restore.environment_id)
        })
    }

    /// Whether nothing was executed, whatever else is recorded.
    #[must_use]
    pub fn is_not_executed(&self) -> bool {
        self.restore.is_dry_run || self.restore.status.is_pre_execution()
    }

    /// Whether the restore itself has not come to its end.
    pub(super) fn is_executing(&self) -> bool {
        matches!(
            self.restore.status,
            RestoreStatus::Queued | RestoreStatus::Running
        )
    }

    /// Whether proof of what has ended may still come, as far as this viewer may know.
    pub(super) fn may_settle(&self) -> bool {
        let is_generating = self.evidence.is_some_and(|stored| stored.in_progress);
        rules::settle_window_end(self.restore, self.at, is_generating)
            .is_some_and(|end| end > self.at.as_of)
    }

    /// Evidence of what the environment was like after the restore, as far as it is current. An active snapshot
    /// decides; one that is on its way only counts where there is no active one.
    pub(super) fn evidence(&self) -> Availability {
        let Some((evidence, _)) = self.evidence.zip(self.scoped_run()) else {
            return Availability::Unavailable;
        };
        let gaps = proof::evidence_gaps(evidence, self.restore, self.at);
        let is_about_age = |gap: &ReasonCode| *gap != ReasonCode::EvidenceIncomplete;
        if evidence.active.is_some() && !gaps.iter().any(is_about_age) {
            Availability::Available
        } else if evidence.in_progress {
            Availability::InProgress
        } else {
            Availability::Unavailable
        }
    }
}
