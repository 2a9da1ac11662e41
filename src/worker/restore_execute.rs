//! The handler of jobs that ask for one run.

use std::sync::Arc;

use apalis::prelude::{AbortError, Attempt, BoxDynError, Data, TaskId, WorkerContext};
use reconciler_jobs::restore_execute::request::{QUEUE, Request};
use tokio::sync::Notify;
use tracing::{Instrument as _, Span, field};

use super::batch::Batcher;
use super::notify::Polls;
use super::runtime::{Payload, QueueSpec, was_delivered_before, work_on};
use super::shared::Shared;
use super::supervise;
use crate::health::Loop;
use crate::storage::ClaimedJob;
use crate::telemetry::names::{self, CAUSE, JOB_AGAIN, JOB_ID, RUN_ID, TRACE_ID};

/// Takes jobs until the process stops.
pub(super) async fn work(shared: Arc<Shared>, jobs_wait: Arc<Notify>, batcher: Batcher) {
    let options = &shared.options.worker;
    let queue = QueueSpec {
        name: QUEUE,
        beats_as: Loop::Queue,
        jobs_max: options.jobs_max as usize,
        acknowledges: false,
    };
    let context = HandlerContext {
        shared: Arc::clone(&shared),
        batcher,
    };
    supervise::keep_running(&shared, queue, |worker| {
        let polls = Polls::when_notified(&jobs_wait, options.poll_interval, &context.batcher);
        work_on!(shared, queue, worker, polls, context.clone(), reconcile)
    })
    .await;
}

/// What the handler works with.
#[derive(Clone)]
struct HandlerContext {
    shared: Arc<Shared>,
    batcher: Batcher,
}

/// Has a run settled, and returns once that was committed.
async fn reconcile(
    payload: Payload,
    id: TaskId,
    attempt: Attempt,
    worker: WorkerContext,
    context: Data<HandlerContext>,
) -> Result<(), BoxDynError> {
    let id = id.to_string();
    let receiving = names::trigger_receive(&id);
    let request: Request = match payload.parse() {
        Ok(request) => request,
        Err(error) => {
            tracing::warn!({ { JOB_ID } = id, %error }, "a job cannot be read and is discarded");
            context.shared.store.discard(&id, worker.name()).await?;
            return Err(Box::new(AbortError::new(error)));
        }
    };
    let again = was_delivered_before(&attempt);
    let trace = request.trace();
    receive(&receiving, &request, again);
    let span = names::job_run(&id, request.run, trace);
    span.follows_from(&receiving);
    drop(receiving);
    let job = ClaimedJob {
        id,
        worker: worker.name().to_owned(),
        run: request.run,
        asked_at: request.asked_at(),
        trace,
        span: span.clone(),
    };
    let settling = async {
        context.batcher.deliver(job, again).await?;
        tracing::debug!({ { RUN_ID } = request.run.0 }, "run {} was dealt with", request.run);
        Ok(())
    };
    settling.instrument(span).await
}

/// Says what a job asks for.
fn receive(span: &Span, request: &Request, again: bool) {
    let trace = request.trace();
    let cause = request.cause.as_deref();
    span.record(RUN_ID, request.run.0)
        .record(CAUSE, cause)
        .record(
            TRACE_ID,
            trace.map(|trace| field::display(trace.trace_id())),
        );
    names::join(span, trace);
    let _received = span.enter();
    if trace.is_none() && request.traceparent.is_some() {
        // Nor repeated: what is no trace context could be anything.
        tracing::debug!("a trace context is malformed and ignored");
    }
    tracing::debug!(
        {
            { RUN_ID } = request.run.0,
            { JOB_AGAIN } = again,
            { CAUSE } = cause,
            { TRACE_ID } = trace.map(|trace| field::display(trace.trace_id())),
        },
        "asked to look at run {}",
        request.run
    );
}
