//! Every span, and every field that joins them to log lines and rows, declared once.
//!
//! | Span | Is open while | Level |
//! |---|---|---|
//! | `trigger.receive` | a job is taken and read | debug |
//! | `job.run` | its run is being dealt with | debug |
//! | `sweep.pass` | due runs are settled, page after page | info |
//! | `settle.batch` | one transaction is under way, the lines about its runs included | info |
//! | `facts.load` | what the rules need to know is read | debug |
//! | `verdict.commit` | verdicts are written and committed | debug |
//!
//! A verdict's `verdict.decision_id` stands in its ledger entry, in the audit entry's metadata, in the run's
//! context, in its log line and in the span of the job that asked for it. `job.id` is the id of the job's row.
//!
//! # Design notes
//!
//! Fields are named by constants and spans are made by functions, so that a name that is not here does not
//! compile. The price is a pair of braces around each name: `{ RUN_ID } = 7`, all of them in another pair.

use jiff::Timestamp;
use reconciler_jobs::ids::{RunId, WorkspaceId};
use reconciler_jobs::trace::TraceContext;
use tracing::Span;
use tracing::field::{self, Empty};

macro_rules! names {
    ($($(#[$doc:meta])* $name:ident = $text:literal),+ $(,)?) => {
        $($(#[$doc])* pub const $name: &str = $text;)+

        /// All of them.
        #[cfg(test)]
        const ALL: &[&str] = &[$($text),+];
    };
}

names! {
    /// A row of `operation_runs`.
    RUN_ID = "run.id",
    /// A row of the queue; several are separated by commas.
    JOB_ID = "job.id",
    /// Whether the job was in the hands of a worker that ended.
    JOB_AGAIN = "job.again",
    /// The workspace of a run.
    WORKSPACE_ID = "workspace.id",
    /// Names a verdict, as the ledger does.
    DECISION_ID = "verdict.decision_id",
    /// The outcome of a verdict.
    OUTCOME = "verdict.outcome",
    /// The primary reason of a decision.
    REASON = "verdict.reason",
    /// The row of the decision table that matched.
    RULE = "verdict.rule",
    /// The W3C trace that a job belongs to; several are separated by commas.
    TRACE_ID = "trace.id",
    /// Why a job was queued.
    CAUSE = "trigger.cause",
    /// How many runs are in hand together.
    BATCH_RUNS = "batch.runs",
    /// How many jobs are in hand together.
    BATCH_JOBS = "batch.jobs",
    /// How many verdicts.
    BATCH_VERDICTS = "batch.verdicts",
    /// How many runs stay open.
    BATCH_DEFERRED = "batch.deferred",
    /// The tick that asked for a pass.
    SWEEP_TICK = "sweep.tick",
    /// Which part of the workspaces a pass covers.
    SWEEP_SHARD = "sweep.shard",
    /// How many parts there are.
    SWEEP_SHARDS = "sweep.shards",
    /// Whether a pass came to the end of its scope.
    SWEEP_COMPLETE = "sweep.complete",
    /// A queue.
    QUEUE_NAME = "queue.name",
    /// A worker, as the queue and the ledger name it.
    WORKER_NAME = "worker.name",
    /// A part of the worker.
    WORKER_PART = "worker.part",
    /// Who looks, as the configuration names them.
    VIEWER_NAME = "viewer.name",
    /// Where a request over HTTP comes from.
    CLIENT_ADDRESS = "client.address",
    /// What a span is to a collector of traces, which takes it from here.
    SPAN_KIND = "otel.kind",
}

/// A job was taken and is read.
pub fn trigger_receive(job: &str) -> Span {
    tracing::debug_span!(
        "trigger.receive",
        { JOB_ID } = job,
        { RUN_ID } = Empty,
        { CAUSE } = Empty,
        { TRACE_ID } = Empty,
    )
}

/// A job's run is being dealt with. What became of it is recorded by [`decided`].
pub fn job_run(job: &str, run: RunId, trace: Option<TraceContext>) -> Span {
    let span = tracing::debug_span!(
        "job.run",
        { SPAN_KIND } = "consumer",
        { JOB_ID } = job,
        { RUN_ID } = run.0,
        { TRACE_ID } = trace.map(|trace| field::display(trace.trace_id())),
        { DECISION_ID } = Empty,
        { OUTCOME } = Empty,
        { REASON } = Empty,
    );
    join(&span, trace);
    #[cfg(feature = "otlp")]
    super::export::describe(&span, job);
    span
}

/// Due runs are settled, page after page.
pub fn sweep_pass(
    tick: Option<Timestamp>,
    (shard, shards): (u32, u32),
    workspace: Option<WorkspaceId>,
) -> Span {
    tracing::info_span!(
        "sweep.pass",
        { SWEEP_TICK } = tick.map(field::display),
        { SWEEP_SHARD } = shard,
        { SWEEP_SHARDS } = shards,
        { WORKSPACE_ID } = workspace.map(|workspace| workspace.0),
    )
}

/// One transaction is under way.
pub fn batch_span(runs: usize) -> Span {
    tracing::info_span!("settle.batch", { BATCH_RUNS } = runs)
}

/// What the rules need to know is read.
pub fn facts_load(runs: usize) -> Span {
    tracing::debug_span!("facts.load", { BATCH_RUNS } = runs)
}

/// Verdicts are written and committed.
pub fn verdict_commit(verdicts: usize) -> Span {
    tracing::debug_span!("verdict.commit", { BATCH_VERDICTS } = verdicts)
}

/// Makes a span a part of the caller's trace, where spans are sent to a collector.
pub fn join(span: &Span, trace: Option<TraceContext>) {
    #[cfg(feature = "otlp")]
    if let Some(trace) = trace {
        super::export::join(span, &trace);
    }
    #[cfg(not(feature = "otlp"))]
    let _ = (span, trace);
}

/// Records in the span of a job what it came to.
pub fn decided(job: &Span, decision: &str, outcome: &str, reason: &str) {
    job.record(DECISION_ID, decision)
        .record(OUTCOME, outcome)
        .record(REASON, reason);
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn names_are_dotted_and_differ() {
        let is_word = |word: &str| {
            !word.is_empty() && word.chars().all(|c| c == '_' || c.is_ascii_lowercase())
        };
        for name in ALL {
            let words: Vec<&str> = name.split('.').collect();
            assert!(words.len() == 2 && words.into_iter().all(is_word), "{name}");
        }
        let distinct: HashSet<_> = ALL.iter().collect();
        assert_eq!(distinct.len(), ALL.len());
    }
}
