//! Counts and logs what was committed: called after a commit, with what that commit did.

use super::{Settled, Settlement};

/// Verdicts committed, by decision and reason.
const VERDICTS: &str = "reconciler_verdicts_total";
/// Looks that left a run open, by reason.
const DEFERRALS: &str = "reconciler_deferrals_total";
/// Runs that the database refused to close.
const REFUSALS: &str = "reconciler_refusals_total";

/// Reports one committed transaction. Labels and fields hold ids and registered codes only.
pub(super) fn committed(results: &[Settled]) {
    for Settled { run, result } in results {
        let run = run.0;
        match result {
            Settlement::Committed(assessment) => {
                let decision = assessment.decision.name();
                let reason = assessment.decision.reason.code();
                metrics::counter!(VERDICTS, "decision" => decision, "reason" => reason)
                    .increment(1);
                let workspace = assessment.facts.run.workspace_id.0;
                tracing::info!(
                    run,
                    workspace,
                    decision,
                    reason,
                    "run {run} is {decision}: {reason}"
                );
            }
            Settlement::Deferred(assessment, _) => {
                let reason = assessment.decision.reason.code();
                metrics::counter!(DEFERRALS, "reason" => reason).increment(1);
                tracing::debug!(run, reason, "run {run} stays open: {reason}");
            }
            Settlement::Refused { error, .. } => {
                metrics::counter!(REFUSALS).increment(1);
                tracing::error!(
                    run,
                    error,
                    "the database refused to record a verdict for run {run}"
                );
            }
            Settlement::Lost
            | Settlement::Locked
            | Settlement::Suspended { .. }
            | Settlement::Absent => {
                tracing::debug!(
                    run,
                    ?result,
                    "run {run} was dealt with elsewhere, or does not exist"
                );
            }
        }
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
            committed(&[
                settled(1, Settlement::Lost),
                settled(2, Settlement::Locked),
                settled(3, Settlement::Absent),
                settled(4, refused()),
                settled(5, refused()),
            ]);
        });
        let counts = counts.0.into_inner().unwrap();
        let counted: Vec<_> = counts
            .iter()
            .map(|(key, count)| (key.contains(REFUSALS), count.load(Ordering::Relaxed)))
            .collect();
        assert_eq!(counted, [(true, 2)]);
    }
}
