//! What is said of single runs.

use reconciler_jobs::restore_execute::{self as rules, Outcome};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ClaimBoundary;
use crate::cli::exit::Exit;
pub use crate::views::verdict::{Exception, LegResult, LegWord, Reason, Verdict};
pub(in crate::cli) use crate::views::verdict::{codes, missing, moment, stored_word};

/// What `reconcile` came to, run by run, in the order in which they were asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Reconciled {
    /// Whether every run was dealt with. If not, standard error says why, and runs are missing here.
    pub complete: bool,
    /// One entry per run.
    pub runs: Vec<RunResult>,
    /// What no verdict claims.
    pub claim_boundary: ClaimBoundary,
}

/// What became of one run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RunResult {
    /// The run.
    pub run: i64,
    /// What became of it.
    pub state: State,
    /// The decision; none where there is none of ours.
    pub decision: Option<Word>,
    /// The primary reason.
    pub reason: Option<Reason>,
    /// The row of the decision table that matched.
    pub rule: Option<u8>,
    /// The codes of everything that is missing.
    pub missing: Vec<String>,
    /// When it is due again at the latest, RFC 3339.
    pub look_again_at: Option<String>,
    /// What the database said, where it refused.
    pub error: Option<String>,
}

impl RunResult {
    /// The exit code for this run alone.
    #[must_use]
    pub fn exit(&self) -> Exit {
        match (self.state, self.decision) {
            (State::Absent, _) => Exit::CouldNotRun,
            (State::Decided | State::DecidedBefore, Some(decision)) => decision.exit(),
            _ => Exit::Undecided,
        }
    }
}

/// What became of a run that was to be decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// A verdict was reached and written.
    Decided,
    /// A verdict would be reached if the run were reconciled now. Nothing was written.
    Decidable,
    /// The run stays as it is.
    Deferred,
    /// The run was closed before, with a verdict that the ledger holds.
    DecidedBefore,
    /// The run is closed, and the ledger's entry for it was altered: its columns, facts and digest disagree.
    LedgerAltered,
    /// Somebody else closed the run. The ledger holds no verdict, so nothing was proven.
    ClosedElsewhere,
    /// Another writer holds the run right now.
    Locked,
    /// Earlier settlements of this run ended the process that tried them. Nothing was tried now.
    Suspended,
    /// The database refused to record a verdict.
    Refused,
    /// There is no such run.
    Absent,
}

/// A decision in one word.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Word {
    /// The proof bundle is complete.
    Succeeded,
    /// Something is missing.
    PartiallySucceeded,
    /// The restore was stopped.
    Blocked,
    /// The restore failed.
    Failed,
    /// The run stays open.
    Deferred,
}

impl Word {
    /// The word for a decision.
    #[must_use]
    pub fn of(decision: &rules::Decision) -> Self {
        decision.outcome().map_or(Self::Deferred, Self::from)
    }

    /// The word itself.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Succeeded => Outcome::Succeeded.name(),
            Self::PartiallySucceeded => Outcome::PartiallySucceeded.name(),
            Self::Blocked => Outcome::Blocked.name(),
            Self::Failed => Outcome::Failed.name(),
            Self::Deferred => "deferred",
        }
    }

    /// The exit code for a run with this decision.
    #[must_use]
    pub fn exit(self) -> Exit {
        match self {
            Self::Succeeded => Exit::Done,
            Self::PartiallySucceeded | Self::Blocked | Self::Failed => Exit::BelowSucceeded,
            Self::Deferred => Exit::Undecided,
        }
    }
}

impl From<Outcome> for Word {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Succeeded => Self::Succeeded,
            Outcome::PartiallySucceeded => Self::PartiallySucceeded,
            Outcome::Blocked => Self::Blocked,
            Outcome::Failed => Self::Failed,
        }
    }
}

/// Everything about one run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Explained {
    /// The run and what became of it, or would.
    pub result: RunResult,
    /// The database's clock when it was read, RFC 3339.
    pub as_of: String,
    /// The run's workspace.
    pub workspace: i64,
    /// The run's environment.
    pub environment: Option<i64>,
    /// The run's status.
    pub run_status: String,
    /// The run's outcome.
    pub run_outcome: String,
    /// The restore, where it can be tied to the run.
    pub restore: Option<Restore>,
    /// The eight legs as the database stands now.
    pub legs: Vec<LegResult>,
    /// The first items that are in trouble.
    pub exceptions: Vec<Exception>,
    /// How many more there are.
    pub exceptions_omitted: u64,
    /// The verdict on record.
    pub verdict: Option<Verdict>,
    /// What no verdict claims.
    pub claim_boundary: ClaimBoundary,
}

/// A restore, in short.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Restore {
    /// The restore.
    pub id: i64,
    /// Its status.
    pub status: String,
    /// Whether it was a preview.
    pub is_dry_run: bool,
    /// When it ended, RFC 3339, where that can be read.
    pub completed_at: Option<String>,
}
