//! Counts and logs what was committed: called after a commit, with what that commit did.

use crate::storage::{Settled, Settlement};

/// Verdicts committed, by decision and reason.
pub const VERDICTS: &str = "reconciler_verdicts_total";
/// Looks that left a run open, by reason.
pub const DEFERRALS: &str = "reconciler_deferrals_total";
/// Runs that the database refused to close.
pub const REFUSALS: &str = "reconciler_refusals_total";

/// Reports one committed transaction. Labels and fields hold ids and registered codes only.
pub fn committed(results: &[Settled]) {
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
            Settlement::Lost | Settlement::Locked | Settlement::Absent => {
                tracing::debug!(
                    run,
                    ?result,
                    "run {run} was dealt with elsewhere, or does not exist"
                );
            }
        }
    }
}
