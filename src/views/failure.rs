//! What is recorded of a failure: codes, and that the platform says more. Its texts stay in the platform, since they hold
//! whatever a provider said.

use reconciler_jobs::restore_execute::facts::{RestoreFacts, RunFacts};
use reconciler_jobs::restore_execute::results::RecordedFailure;
use schemars::JsonSchema;
use serde::Serialize;

/// What is recorded of a failure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct FailureDetails {
    /// The codes that are recorded on the restore and its run.
    pub codes: Vec<&'static str>,
    /// What else is recorded, a sentence each.
    pub notes: Vec<&'static str>,
}

impl FailureDetails {
    /// Of a restore and its run.
    pub fn of(restore: &RestoreFacts, run: Option<&RunFacts>) -> Self {
        let on_run = run.map_or(&[][..], |run| &run.blockers);
        let codes = restore.blockers.iter().chain(on_run);
        let mut codes: Vec<&str> = codes.map(|blocker| blocker.code()).collect();
        codes.dedup();
        let mut notes: Vec<&str> = restore.failures.iter().copied().map(note).collect();
        if run.is_some_and(|run| run.failures > 0) {
            notes.push("The run lists failures. Their texts stay in the platform.");
        }
        if codes.is_empty() && notes.is_empty() {
            notes.push("No reason is recorded beside the status and the results of the items.");
        }
        Self { codes, notes }
    }
}

fn note(failure: RecordedFailure) -> &'static str {
    match failure {
        RecordedFailure::FailureReason => {
            "The platform recorded a reason for the failure. Its text stays in the platform."
        }
        RecordedFailure::ResultsStatus => {
            "The status within the recorded results says that something failed."
        }
        RecordedFailure::ResultsErrors => {
            "The recorded results list errors. Their texts stay in the platform."
        }
        RecordedFailure::MetadataStatus => {
            "The status within the metadata says that something failed."
        }
    }
}
