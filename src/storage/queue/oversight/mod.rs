//! The little that an operator may change about the queue.
//!
//! Nothing here decides anything: a run that starts over is judged by the rules like any other, and a
//! dead letter that is dropped stays open.

mod postgres;
mod sqlite;

use async_trait::async_trait;
use reconciler_jobs::ids::RunId;

use crate::storage::StoreError;

/// A database whose queue an operator may change.
#[async_trait]
pub trait Oversight: Send + Sync {
    /// Lets open runs start over that are dead letters, suspended or refused, queues a job for each, and
    /// says which those are. A suspect stays one, so that it is still settled alone. A run whose time has
    /// come already is left as it is.
    async fn retry(&self, runs: &[RunId]) -> Result<Vec<RunId>, StoreError>;

    /// Takes dead letters among `runs` out of the lists, removes the jobs that wait for them, and says
    /// which were not dropped before. The runs stay open. Of the jobs, those that wait are read, and no other.
    async fn drop_dead_letters(&self, runs: &[RunId]) -> Result<Vec<RunId>, StoreError>;
}
