//! One attempt to settle runs, and what its not coming to an end says about them.
//!
//! An attempt that hangs or panics takes down neither its caller nor the process. One of its runs may be
//! the reason, so all of them are remembered as suspects, and settled one by one from then on.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt as _;
use reconciler_jobs::ids::RunId;
use reconciler_jobs::restore_execute::record::Source;

use super::shared::Shared;
use crate::health::Health;
use crate::storage::{ClaimedJob, ErrorKind, Settled, Settlement, StoreError};
use crate::telemetry::names::BATCH_RUNS;

/// Pause after a failure that will pass.
const PAUSE_TRANSIENT: Duration = Duration::from_millis(250);

/// Pause after a failure that somebody has to put right.
const PAUSE_FATAL: Duration = Duration::from_secs(5);

/// Why an attempt did not come to its end.
#[derive(Debug)]
pub(super) enum Trouble {
    Store(StoreError),
    /// The database went away in the middle.
    Cut,
    Hung,
    Panicked,
}

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl Trouble {
    /// What it was, in words.
    pub(super) fn said(&self) -> String {
        match self {
            Self::Store(error) => error.to_string(),
            Self::Cut => "the database went away".to_owned(),
            Self::Hung => "a settlement took too long".to_owned(),
            Self::Panicked => "a settlement panicked".to_owned(),
        }
    }

    /// Whether one of the runs may be the reason, so that they are settled one by one from now on.
    pub(super) fn is_about_the_runs(&self) -> bool {
        matches!(self, Self::Hung | Self::Panicked)
    }

    /// Whether it keeps this worker from settling anything, so that others may have what it has in hand.
    pub(super) fn is_obstacle(&self) -> bool {
        matches!(self, Self::Store(error) if error.distrust().is_some())
    }

    /// How long nothing like it is worth another try.
    pub(super) fn pause(&self) -> Duration {
        match self {
            Self::Store(error) if !will_pass(error) => PAUSE_FATAL,
            _ => PAUSE_TRANSIENT,
        }
    }

    /// Says so, about the runs that were not settled.
    pub(super) fn tell(&self, runs: &[RunId]) {
        match self {
            // Said once, where it became an obstacle.
            Self::Store(error) if error.distrust().is_some() => {}
            Self::Store(error) if will_pass(error) => {
                tracing::debug!(
                    { %error, { BATCH_RUNS } = runs.len() },
                    "runs will be settled again in a moment"
                );
            }
            Self::Store(error) => {
                tracing::error!({ %error, { BATCH_RUNS } = runs.len() }, "runs cannot be settled");
            }
            Self::Cut => {
                tracing::debug!(
                    { { BATCH_RUNS } = runs.len() },
                    "runs will be settled once the database is there"
                );
            }
            Self::Hung => tracing::warn!(
                runs = ids(runs),
                "a settlement took too long; its runs are settled one by one"
            ),
            Self::Panicked => tracing::error!(
                runs = ids(runs),
                "a settlement panicked; its runs are settled one by one"
            ),
        }
    }
}

/// Whether a settlement may succeed in a moment as it is. A server that takes no writes is as good as away: after a
/// failover that of a standby, until it was promoted.
fn will_pass(error: &StoreError) -> bool {
    error.kind() == ErrorKind::Transient || error.is_read_only()
}

fn ids(runs: &[RunId]) -> String {
    let ids: Vec<String> = runs.iter().map(|run| run.0.to_string()).collect();
    ids.join(", ")
}

/// Notes what a settlement showed of whether verdicts can be written. What was committed before an error says nothing
/// about what came after it.
pub(super) fn note(health: &Health, settled: &[Settled], result: &Result<(), StoreError>) {
    let is_committed = |it: &Settled| matches!(it.result, Settlement::Committed(_));
    match result {
        Err(error) if !will_pass(error) => health.settlement_failed(),
        _ if settled.iter().any(is_committed) => health.committed(),
        _ => {}
    }
}

/// Tries to settle runs, those among them that are `suspects` one by one, within the time that the options set.
/// `settled` holds what was committed, also where it did not come to its end.
pub(super) async fn attempt(
    shared: &Shared,
    source: Source,
    (runs, jobs): (&[RunId], &[ClaimedJob]),
    suspects: &[RunId],
    settled: &mut Vec<Settled>,
) -> Result<(), Trouble> {
    let with = shared.settling(source);
    let settling = async {
        if !suspects.is_empty() {
            shared.store.suspect(suspects, &with.by.worker).await?;
        }
        shared.store.settle_jobs(runs, jobs, &with, settled).await
    };
    let settling = AssertUnwindSafe(settling).catch_unwind();
    match tokio::time::timeout(shared.options.worker.attempt_timeout, settling).await {
        Ok(Ok(result)) => {
            if let Err(error) = &result
                && error.distrust().is_some()
            {
                // Sooner than whoever looks for it by itself.
                shared.found_by_settlements(error.distrust());
            } else {
                note(&shared.health, settled, &result);
            }
            Ok(result?)
        }
        Ok(Err(_)) => Err(Trouble::Panicked),
        // What waits for a silent network says nothing about the runs.
        Err(_) if !shared.health.database_is_up() => Err(Trouble::Cut),
        Err(_) => Err(Trouble::Hung),
    }
}
