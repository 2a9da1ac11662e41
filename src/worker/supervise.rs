//! Keeps a worker running until the process stops.
//!
//! A queue's worker ends with the first database error, and with a panic. It is started again under a new
//! name, after a pause that grows while it keeps failing, and not before the database is there. Where
//! something keeps the process from settling none is started, and one that runs finishes what it has in hand.

use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use apalis::prelude::WorkerError;
use apalis_core::backend::finalize::DurableError;
use futures_util::FutureExt as _;

use super::runtime::QueueSpec;
use super::shared::Shared;
use crate::clock::Stopwatch;
use crate::health::{Loop, Obstacle};
use crate::metrics::RESTARTS;
use crate::storage::StoreError;
use crate::telemetry::names::QUEUE_NAME;

/// Pause before the first restart; doubled each time.
const PAUSE_MIN: Duration = Duration::from_millis(50);

/// Longest pause.
const PAUSE_MAX: Duration = Duration::from_secs(2);

/// A worker that has run for so long is no longer one that keeps failing.
const STEADY_AFTER: Duration = Duration::from_secs(30);

/// What the driver says of a pool that waited for a session in vain.
const STARVED: &str = "pool timed out";

/// Why a worker ended.
pub(super) type Ended = Result<(), Failed>;

type Failed = Box<dyn std::error::Error + Send + Sync>;

/// Runs what `start` builds, again and again, each time under a name of its own.
pub(super) async fn keep_running<F>(shared: &Shared, queue: QueueSpec, start: impl Fn(String) -> F)
where
    F: Future<Output = Ended>,
{
    let QueueSpec { name, beats_as, .. } = queue;
    let mut restarts = 0;
    let mut said = None;
    let mut pause = PAUSE_MIN;
    // A worker says only with its second heartbeat that a poll was answered; until then this was one.
    if beats_as == Loop::Queue && shared.discard_unreadable(beats_as).await {
        shared.health.polled();
    }
    while shared.admitted(beats_as).await.is_ok() {
        let since_start = Stopwatch::start();
        let worker = shared.name.worker(name, restarts);
        shared.takes_jobs_as(name, &worker);
        let running = AssertUnwindSafe(start(worker)).catch_unwind();
        let ended = tokio::select! {
            ended = running => ended,
            // What waits for an answer from there would wait for as long as the network likes.
            () = shared.database_gone() => Ok(Err("the database is away".into())),
        };
        if shared.stop.is_cancelled() {
            return;
        }
        restarts += 1;
        if matches!(ended, Ok(Ok(()))) && shared.health.is_obstructed() {
            shared.give_back(&shared.name.workers(name)).await;
            continue;
        }
        if since_start.elapsed() >= STEADY_AFTER {
            pause = PAUSE_MIN;
        }
        match ended {
            Ok(Ok(())) => {
                tracing::warn!({ { QUEUE_NAME } = name }, "a worker ended; it is restarted");
            }
            Ok(Err(error)) => {
                let error = words_of(error);
                // The loss of the database has been said once, by whoever watches it.
                if shared.health.database_is_up() && said.as_ref() != Some(&error) {
                    tracing::warn!(
                        { { QUEUE_NAME } = name, error },
                        "a worker failed; it is restarted"
                    );
                } else {
                    tracing::debug!(
                        { { QUEUE_NAME } = name, error },
                        "a worker failed; it is restarted"
                    );
                }
                if error.contains(STARVED)
                    && let Some(refused) = shared.refused_session().await
                {
                    shared.refused(Obstacle::NoSessions, Some(&refused));
                }
                said = Some(error);
                shared.discard_unreadable(beats_as).await;
            }
            Err(_) => {
                tracing::error!({ { QUEUE_NAME } = name }, "a worker panicked; it is restarted");
            }
        }
        RESTARTS.add([name], 1);
        if shared.pause_beating(beats_as, pause).await.is_err() {
            return;
        }
        pause = pause.saturating_mul(2).min(PAUSE_MAX);
    }
}

/// What looking for jobs ends with on PostgreSQL.
type PollFailed = DurableError<apalis_postgres::Error, Infallible>;

/// What is said of a failure: of one of the database, what every other step says of it.
fn words_of(failed: Failed) -> String {
    let cause = match failed.downcast::<WorkerError>().map(|error| *error) {
        Ok(WorkerError::BackendError(cause)) => cause,
        Ok(other) => return other.to_string(),
        Err(other) => return other.to_string(),
    };
    match cause.downcast::<PollFailed>().map(|error| *error) {
        Ok(DurableError::PollNextError(apalis_postgres::Error::Database(source))) => {
            StoreError::of_queue(source).to_string()
        }
        Ok(other) => other.to_string(),
        Err(other) => other.to_string(),
    }
}
