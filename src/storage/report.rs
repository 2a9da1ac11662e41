//! Counts and logs what was committed: called after a commit, with what that commit did.

use std::collections::HashMap;

use reconciler_jobs::ids::RunId;
use tracing::field;

use super::model::{Assessment, ClaimedJob, Settled, Settlement};
use super::settle::round::Round;
use crate::metrics::{
    BATCH_DURATION, BATCH_RUNS, DEFERRALS, RUNS, STAGE_DURATION, VERDICT_LAG, VERDICTS, number,
};
use crate::telemetry::names::{
    DECISION_ID, JOB_ID, OUTCOME, REASON, RUN_ID, TRACE_ID, WORKSPACE_ID, decided,
};

/// Reports one committed transaction: how it went, and what it did to each run.
pub(super) fn round(round: &Round, jobs: &[ClaimedJob]) {
    let stages = &round.stages;
    BATCH_RUNS.observe([], number(round.settled.len()));
    BATCH_DURATION.took([], stages.whole());
    for (stage, took) in stages.each() {
        STAGE_DURATION.took([stage.name()], took);
    }
    let asked = Asked::of(jobs);
    for Settled { run, result } in &round.settled {
        let Settlement::Committed(assessment) = result else {
            without_verdict(*run, result);
            continue;
        };
        RUNS.add([name(result)], 1);
        let jobs = asked.jobs(*run);
        if let Some(at) = jobs.iter().filter_map(|job| job.asked_at).min() {
            let waited = assessment.facts.as_of.duration_since(at);
            // The database's clock was read when the transaction had begun.
            let lag = waited.as_secs_f64().max(0.0) + stages.since_begun().as_secs_f64();
            VERDICT_LAG.observe([], lag);
        }
        let decision = round.decisions.get(run).map_or("", String::as_str);
        verdict(assessment, decision, jobs);
    }
}

/// Reports what became of a run without a verdict, in a transaction of its own that was committed.
pub(super) fn alone(settled: &Settled) {
    without_verdict(settled.run, &settled.result);
}

/// Reports that nobody tries a run again by himself.
pub(super) fn gave_up(run: RunId) {
    tracing::error!(
        { { RUN_ID } = run.0 },
        "run {run} is a dead letter: its settlements never ended; see `queue show {run}`"
    );
}

/// One line per verdict. Labels and fields hold ids and registered codes only.
fn verdict(assessment: &Assessment, decision: &str, jobs: &[&ClaimedJob]) {
    let run = assessment.facts.run.id;
    let outcome = assessment.decision.name();
    let reason = assessment.decision.reason.code();
    VERDICTS.add([outcome, reason], 1);
    for job in jobs {
        decided(&job.span, decision, outcome, reason);
    }
    let traces = jobs.iter().filter_map(|job| job.trace);
    tracing::info!(
        {
            { RUN_ID } = run.0,
            { WORKSPACE_ID } = assessment.facts.run.workspace_id.0,
            { OUTCOME } = outcome,
            { REASON } = reason,
            { DECISION_ID } = decision,
            { JOB_ID } = listed(jobs.iter().map(|job| &job.id)).map(field::display),
            { TRACE_ID } = listed(traces.map(|trace| trace.trace_id())).map(field::display),
        },
        "run {run} is {outcome}: {reason}"
    );
}

fn without_verdict(run: RunId, result: &Settlement) {
    RUNS.add([name(result)], 1);
    match result {
        Settlement::Deferred(assessment, _) if assessment.decision.stays_open() => {
            let reason = assessment.decision.reason.code();
            DEFERRALS.add([reason], 1);
            tracing::debug!(
                { { RUN_ID } = run.0, { REASON } = reason },
                "run {run} stays open: {reason}"
            );
        }
        Settlement::Refused { error, .. } => {
            tracing::error!(
                { { RUN_ID } = run.0, error },
                "the database refused to record a verdict for run {run}"
            );
        }
        Settlement::Deferred(assessment, _) => {
            let reason = assessment.decision.reason.code();
            tracing::debug!(
                { { RUN_ID } = run.0, { REASON } = reason },
                "run {run} is left alone: {reason}"
            );
        }
        // Said once by whoever observes it.
        Settlement::Observed(_) => {}
        Settlement::Paused => {
            tracing::debug!({ { RUN_ID } = run.0 }, "run {run} is paused");
        }
        Settlement::Committed(_)
        | Settlement::Locked
        | Settlement::Suspended { .. }
        | Settlement::Absent => {
            tracing::debug!(
                { { RUN_ID } = run.0, result = name(result) },
                "run {run} was dealt with elsewhere, or does not exist"
            );
        }
    }
}

/// Jobs by the run that they ask for.
struct Asked<'a>(HashMap<RunId, Vec<&'a ClaimedJob>>);

impl<'a> Asked<'a> {
    fn of(jobs: &'a [ClaimedJob]) -> Self {
        let mut asked: HashMap<RunId, Vec<&ClaimedJob>> = HashMap::with_capacity(jobs.len());
        for job in jobs {
            asked.entry(job.run).or_default().push(job);
        }
        Self(asked)
    }

    fn jobs(&self, run: RunId) -> &[&'a ClaimedJob] {
        self.0.get(&run).map_or(&[], Vec::as_slice)
    }
}

/// Several jobs may ask for one run, and it has one line.
fn listed(items: impl Iterator<Item = impl ToString>) -> Option<String> {
    let mut listed: Vec<String> = items.map(|item| item.to_string()).collect();
    listed.dedup();
    (!listed.is_empty()).then(|| listed.join(","))
}

/// What became of a run, as a label says it.
fn name(result: &Settlement) -> &'static str {
    match result {
        Settlement::Committed(_) => "committed",
        Settlement::Deferred(assessment, _) if assessment.decision.stays_open() => "deferred",
        Settlement::Deferred(..) => "passed_over",
        Settlement::Observed(_) => "observed",
        Settlement::Paused => "paused",
        Settlement::Locked => "locked",
        Settlement::Suspended { .. } => "suspended",
        Settlement::Absent => "absent",
        Settlement::Refused { .. } => "refused",
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::sync::{Arc, Mutex};

    use metrics::{
        Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit,
    };
    use reconciler_jobs::ids::RunId;

    use super::*;

    /// Keeps counters by name and labels.
    #[derive(Default)]
    struct Counts(Mutex<BTreeMap<String, Arc<AtomicU64>>>);

    impl Recorder for Counts {
        fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
        fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
        fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

        fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
            let mut counts = self.0.lock().unwrap();
            Counter::from_arc(Arc::clone(counts.entry(key.to_string()).or_default()))
        }

        fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
            Gauge::noop()
        }

        fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
            Histogram::noop()
        }
    }

    #[test]
    fn what_was_not_committed_is_not_counted() {
        let counts = Counts::default();
        let settled = |run, result| Settled {
            run: RunId(run),
            result,
        };
        let refused = || Settlement::Refused {
            watch: None,
            error: "no".to_owned(),
        };
        metrics::with_local_recorder(&counts, || {
            for settled in [
                settled(2, Settlement::Locked),
                settled(3, Settlement::Absent),
                settled(4, refused()),
                settled(5, refused()),
            ] {
                alone(&settled);
            }
        });
        let counts = counts.0.into_inner().unwrap();
        let counted: BTreeMap<&str, u64> = counts
            .iter()
            .map(|(key, count)| (key.as_str(), count.load(Ordering::Relaxed)))
            .collect();
        let expected = [("absent", 1), ("locked", 1), ("refused", 2)];
        let expected = expected.map(|(result, count)| {
            (
                format!("Key(reconciler_runs_total, [result = {result}])"),
                count,
            )
        });
        let expected: BTreeMap<&str, u64> = expected
            .iter()
            .map(|(key, count)| (key.as_str(), *count))
            .collect();
        assert_eq!(counted, expected);
    }
}
