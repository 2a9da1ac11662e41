//! What a job, or a run in trouble, says of itself: its state, and the run that it asks for.

use reconciler_jobs::ids::RunId;
use reconciler_jobs::restore_execute::request::Request;
use reconciler_jobs::vocabulary;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::storage::error::{Result, StoreError};

vocabulary! {
    /// Why a run or a job is listed, worst first.
    #[derive(PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
    #[serde(rename_all = "snake_case")]
    pub enum QueueState {
        /// The word for it.
        name: &'static str,
        /// What pages call it.
        label: &'static str,
        /// What that means.
        help: &'static str,
    }
    /// Every settlement that was tried ended its process. Nobody tries again by himself.
    DeadLetter {
        name: "dead_letter",
        label: "dead letter",
        help: "Every try ended its worker. Nobody tries again until it is retried.",
    }
    /// Settlements ended their process, or were in its hands when it ended. The next one waits.
    Suspended {
        name: "suspended",
        label: "waiting to retry",
        help: "Tries ended their worker. The next one is made by itself, alone.",
    }
    /// The database refused a verdict. The run is tried again, less and less often.
    Refused {
        name: "refused",
        label: "database refused",
        help: "The database refused the verdict. It is tried again by itself, less and less often.",
    }
    /// A worker has taken the job.
    InHand {
        name: "in_hand",
        label: "running",
        help: "A worker has taken it.",
    }
    /// The job waits for a worker.
    Waiting {
        name: "waiting",
        label: "waiting",
        help: "It waits for a worker.",
    }
    /// A dead letter that an operator has acknowledged.
    Dropped {
        name: "dropped",
        label: "given up",
        help: "Somebody gave this dead letter up. The run stays open.",
    }
    /// The rules wait for proof that may still arrive.
    Deferred {
        name: "deferred",
        label: "not yet decidable",
        help: "Proof may still come. It is looked at again by itself.",
    }
}

impl QueueState {
    /// Those that somebody may have to act on, or that a worker is about to.
    pub const UNSETTLED: [Self; 5] = [
        Self::DeadLetter,
        Self::Suspended,
        Self::Refused,
        Self::InHand,
        Self::Waiting,
    ];
}

/// A column holds a word that is no state.
#[derive(Debug, thiserror::Error)]
#[error("no state: {0}")]
pub struct NoState(String);

impl TryFrom<String> for QueueState {
    type Error = NoState;

    fn try_from(word: String) -> Result<Self, NoState> {
        let known = Self::ALL.into_iter().find(|state| state.name() == word);
        known.ok_or(NoState(word))
    }
}

/// Why a job was queued, as its payload says it: on the command line.
pub(super) const COMMAND: &str = "command";
/// On the console.
pub(super) const CONSOLE: &str = "console";

/// The run that a job's payload asks for, as a worker reads it. PostgreSQL has a function that agrees.
pub(in crate::storage) fn run_of(payload: &[u8]) -> Option<RunId> {
    request_of(payload).map(|request| request.run)
}

/// Why a job was queued, as its payload says it.
pub(in crate::storage) fn cause_of(payload: &[u8]) -> Option<String> {
    request_of(payload)?.cause
}

fn request_of(payload: &[u8]) -> Option<Request> {
    serde_json::from_slice(payload).ok()
}

/// Each job's payload, as JSON.
pub(super) fn payloads<J: Serialize>(jobs: impl IntoIterator<Item = J>) -> Result<Vec<String>> {
    jobs.into_iter()
        .map(|job| {
            let job = serde_json::to_string(&job);
            job.map_err(|error| StoreError::refused("write jobs", error))
        })
        .collect()
}
