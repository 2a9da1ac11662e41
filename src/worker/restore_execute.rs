//! The handler of jobs that ask for one run.

use std::sync::Arc;

use apalis::prelude::{AbortError, Attempt, BoxDynError, Data, TaskId, WorkerContext};
use reconciler_jobs::restore_execute::request::{QUEUE, Request};

use super::batcher::Batcher;
use super::wake::{Looks, Wake};
use super::wiring::{Line, Payload, was_delivered_before, work_on};
use super::{Shared, supervise};
use crate::health::Loop;
use crate::storage::HeldJob;

/// Takes jobs until the process stops.
pub(super) async fn work(shared: Arc<Shared>, wake: &Wake, batcher: Batcher) {
    let hands = Hands {
        shared: Arc::clone(&shared),
        batcher,
    };
    let line = Line {
        queue: QUEUE,
        turns: Loop::Queue,
        jobs_max: shared.options.jobs_max as usize,
        acknowledges: false,
    };
    supervise::keep_running(&shared, line, |name| {
        let looks = Looks::when_woken(wake, shared.options.poll_interval, &hands.batcher);
        work_on!(shared, line, name, looks, hands.clone(), reconcile)
    })
    .await;
}

/// What the handler works with.
#[derive(Clone)]
struct Hands {
    shared: Arc<Shared>,
    batcher: Batcher,
}

/// Has a run settled, and returns once that was committed.
async fn reconcile(
    payload: Payload,
    id: TaskId,
    attempt: Attempt,
    worker: WorkerContext,
    hands: Data<Hands>,
) -> Result<(), BoxDynError> {
    let request: Request = match payload.parse() {
        Ok(request) => request,
        Err(error) => {
            tracing::error!(job = %id, %error, "a job cannot be read and is discarded");
            hands
                .shared
                .store
                .discard(&id.to_string(), worker.name())
                .await?;
            return Err(Box::new(AbortError::new(error)));
        }
    };
    let again = was_delivered_before(&attempt);
    tracing::debug!(
        run = request.run.0,
        cause = request.cause.as_deref(),
        traceparent = request.traceparent,
        again,
        "asked to look at run {}",
        request.run
    );
    let job = HeldJob {
        id: id.to_string(),
        worker: worker.name().to_owned(),
        run: request.run,
    };
    hands.batcher.settle(job, again).await?;
    Ok(())
}
