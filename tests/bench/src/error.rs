//! Why nothing can be said.

use reconciler_fixtures::StandinError;
use reconciler_jobs::ids::RunId;
use restore_reconciler::storage::StoreError;
use thiserror::Error;

/// Why nothing can be said.
#[derive(Debug, Error)]
pub(crate) enum BenchError {
    /// The product's own statements failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The database could not be filled.
    #[error(transparent)]
    Standin(#[from] StandinError),
    /// A statement of the measurement's own failed.
    #[error("cannot {step}: {source}")]
    Statement {
        /// Completes the sentence "cannot …".
        step: &'static str,
        /// What the database said.
        source: sqlx::Error,
    },
    /// The databases of a measurement are there already.
    #[error(
        "somebody measures on this server, or was killed while measuring. If nobody does: \
         DROP DATABASE restore_reconciler_bench WITH (FORCE), and the same of restore_reconciler_bench_copy"
    )]
    Occupied,
    /// The URL of the new database, which was made from somebody's, leads to another one.
    #[error("the URL of the database to prepare leads to another one")]
    Misled,
    /// A request was turned away.
    #[error("run {0} was not queued: it is not open, or the queue cannot be written to")]
    NotQueued(RunId),
    /// The drawing failed.
    #[error("the chart cannot be drawn: {0}")]
    Chart(#[from] askama::Error),
    /// Something was left unsettled.
    #[error("{verdicts} of {wanted} runs were settled, so that the time says nothing")]
    Incomplete {
        /// Runs that have a verdict.
        verdicts: u64,
        /// Runs that should have one.
        wanted: u64,
    },
    /// A worker, or a console, did not do what it was started for.
    #[error("a process of its own {problem}: {why}. Its last words:{said}")]
    Process {
        /// What it did, or did not.
        problem: &'static str,
        /// Why, as far as the system knows.
        why: String,
        /// The last lines of its log, each after a line end.
        said: String,
    },
}

/// Names the step that a database error interrupted.
pub(crate) trait During<T> {
    /// `step` completes the sentence "cannot …".
    fn during(self, step: &'static str) -> Result<T, BenchError>;
}

impl<T> During<T> for sqlx::Result<T> {
    fn during(self, step: &'static str) -> Result<T, BenchError> {
        self.map_err(|source| BenchError::Statement { step, source })
    }
}
