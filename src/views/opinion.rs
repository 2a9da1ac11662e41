//! Runs that somebody else closed: who it was, and what the rules have to say on it.

use reconciler_jobs::restore_execute::context::Closer;
use reconciler_jobs::restore_execute::facts::{RunOutcome, RunStatus};
use reconciler_jobs::restore_execute::opinion::{Stance, is_unproven_success};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Moment;
use crate::storage::OpinionOnRecord;
use crate::storage::reader::RunSeen;

/// What the rules have to say on a run that somebody else closed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Opinion")]
pub struct OpinionShown {
    /// The run.
    pub run: i64,
    /// Its workspace.
    pub workspace: i64,
    /// Its environment.
    pub environment: Option<i64>,
    /// The run's own outcome, as it stands on its row.
    pub claimed: String,
    /// How that relates to what is proven; none where this program does not know the word on record.
    pub opinion: Option<Stance>,
    /// Whether the run says that it succeeded, and that is not proven.
    pub unproven_success: bool,
    /// Why: the code of the rules' reason, or `proof_aged`.
    pub reason: String,
    /// What the rules would have decided, if anything.
    pub found: Option<String>,
    /// When the run was closed.
    pub closed_at: Option<Moment>,
    /// When the opinion was formed.
    pub formed_at: Moment,
    /// Whether the run has a verdict of ours, which is final, and would be stronger today.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub later: bool,
}

impl From<OpinionOnRecord> for OpinionShown {
    fn from(record: OpinionOnRecord) -> Self {
        let opinion = Stance::parse(&record.stance);
        let claimed = RunOutcome::parse(&record.claimed);
        Self {
            run: record.run_id.0,
            workspace: record.workspace_id.0,
            environment: record.environment_id.map(|id| id.0),
            unproven_success: opinion.is_some_and(|stance| is_unproven_success(claimed, stance)),
            claimed: record.claimed,
            opinion,
            reason: record.reason_code,
            found: record.found,
            closed_at: record.closed_at.map(Moment),
            formed_at: Moment(record.formed_at),
            later: false,
        }
    }
}

impl OpinionShown {
    /// The opinion on a run, if there is one.
    pub(super) fn beside(row: &RunSeen) -> Option<Self> {
        row.record.opinion.clone().map(Self::from)
    }

    /// What to tell people about it.
    pub fn sentence(&self) -> &'static str {
        match self.opinion {
            _ if self.unproven_success => "The run says that it succeeded, and that is not proven.",
            Some(stance) => stance.sentence(),
            None => "This version does not know the opinion on record.",
        }
    }
}

/// Who closed a run on which we reached no verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ClosedBy {
    /// The code of the platform's healer, if it was that.
    pub code: Option<&'static str>,
    /// Who it was, and why, as far as that was noted.
    pub sentence: &'static str,
}

impl ClosedBy {
    /// Who closed this run; none where it is not closed, or has a verdict of ours.
    pub(super) fn of(row: &RunSeen) -> Option<Self> {
        let run = &row.assessment.facts.run;
        let is_closed = run.status == RunStatus::Completed && row.record.verdict.is_none();
        let closer = run.closer.as_ref().map(|traces| traces.closer);
        is_closed.then(|| Self {
            code: closer.and_then(Closer::code),
            sentence: closer.map_or(
                "The platform closed it, and noted no reason.",
                Closer::sentence,
            ),
        })
    }
}
