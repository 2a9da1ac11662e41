//! What a job, or a run in trouble, says of itself: its state, and the run that it asks for.

use reconciler_jobs::ids::RunId;
use reconciler_jobs::restore_execute::request::Request;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::storage::error::StoreError;

/// Why a run or a job is listed, worst first.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum QueueState {
    /// Every settlement that was tried ended its process. Nobody tries again by himself.
    DeadLetter,
    /// Settlements ended their process, or were in its hands when it ended. The next one waits.
    Suspended,
    /// The database refused a verdict. The run is tried again, less and less often.
    Refused,
    /// A worker has taken the job.
    InHand,
    /// The job waits for a worker.
    Waiting,
    /// A dead letter that an operator has acknowledged.
    Dropped,
    /// The rules wait for proof that may still arrive.
    Deferred,
}

impl QueueState {
    /// Every state, worst first.
    pub const ALL: [Self; 7] = [
        Self::DeadLetter,
        Self::Suspended,
        Self::Refused,
        Self::InHand,
        Self::Waiting,
        Self::Dropped,
        Self::Deferred,
    ];

    /// Those that somebody may have to act on, or that a worker is about to.
    pub const UNSETTLED: [Self; 5] = [
        Self::DeadLetter,
        Self::Suspended,
        Self::Refused,
        Self::InHand,
        Self::Waiting,
    ];

    /// The word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::DeadLetter => "dead_letter",
            Self::Suspended => "suspended",
            Self::Refused => "refused",
            Self::InHand => "in_hand",
            Self::Waiting => "waiting",
            Self::Dropped => "dropped",
            Self::Deferred => "deferred",
        }
    }
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
pub(super) fn payloads<J: Serialize>(
    jobs: impl IntoIterator<Item = J>,
) -> Result<Vec<String>, StoreError> {
    jobs.into_iter()
        .map(|job| {
            let job = serde_json::to_string(&job);
            job.map_err(|error| StoreError::refused("write jobs", error))
        })
        .collect()
}
