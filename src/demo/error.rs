//! Why a demonstration does not take place.

use std::time::Duration;

use reconciler_fixtures::StandinError;
use thiserror::Error;

use crate::storage::StoreError;

/// Why a demonstration did not take place.
#[derive(Debug, Error)]
pub enum DemoError {
    /// The database may be a real one. Nothing was written.
    #[error("this database already holds the platform's tables; a demonstration needs one without")]
    PlatformPresent,
    /// Jobs were left that nobody finished.
    #[error("{left} of {queued} jobs are left, and none was finished for {} s", idle.as_secs())]
    Stalled {
        /// How many are not finished.
        left: u64,
        /// How many were queued in this pass.
        queued: u64,
        /// How long none was finished.
        idle: Duration,
    },
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The platform's tables could not be created, filled or read.
    #[error(transparent)]
    Standin(#[from] StandinError),
}
