//! Second opinions, as they are listed.

use reconciler_jobs::restore_execute::facts::RunOutcome;
use reconciler_jobs::restore_execute::opinion::{Stance, is_unproven_success};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Moment;
use crate::storage::OpinionOnRecord;

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
        }
    }
}
