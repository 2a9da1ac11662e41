//! What happened to one run, in order.
//!
//! **Invariant:** an event is shown only with a moment that somebody recorded. Nothing is put in between.

use reconciler_jobs::restore_execute::facts::{AuditFacts, RestoreStatus};
use schemars::JsonSchema;
use serde::Serialize;

use super::verdict::Verdict;
use super::{Moment, Visibility, stored_word};
use crate::storage::Assessment;

/// What an event is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "EventSubject")]
pub enum Subject {
    /// The operation run.
    Run,
    /// The restore.
    Restore,
    /// An entry of the audit log.
    Audit,
    /// A snapshot of evidence.
    Evidence,
    /// Our verdict.
    Verdict,
}

impl Subject {
    /// For people.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Run => "Operation",
            Self::Restore => "Restore",
            Self::Audit => "Audit",
            Self::Evidence => "Evidence",
            Self::Verdict => "Verdict",
        }
    }
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
pub struct Event {
    /// When.
    pub at: Moment,
    /// What it is about.
    pub subject: Subject,
    /// What happened, in words and ids.
    pub text: String,
}

/// Events about a run, the earliest first. Of events at one moment, what is about the run comes first.
#[must_use]
pub fn events(
    assessment: &Assessment,
    verdict: Option<&Verdict>,
    visibility: Visibility,
) -> Vec<Event> {
    let mut events = Vec::new();
    let mut note = |at: Option<jiff::Timestamp>, subject, text: String| {
        if let Some(at) = at {
            let at = Moment(at);
            events.push(Event { at, subject, text });
        }
    };
    let facts = &assessment.facts;
    let run = &facts.run;
    note(run.created_at.moment(), Subject::Run, "created".to_owned());
    note(run.started_at.moment(), Subject::Run, "started".to_owned());
    if let Some(restore) = assessment.restore() {
        let about = |what: &str| format!("restore {} {what}", restore.id);
        note(
            restore.created_at.moment(),
            Subject::Restore,
            about("created"),
        );
        note(
            restore.started_at.moment(),
            Subject::Restore,
            about("started"),
        );
        note(
            restore.completed_at.moment(),
            Subject::Restore,
            about(&ended_as(restore.status)),
        );
        for audit in &facts.audits {
            note(audit.recorded_at, Subject::Audit, entry(audit));
        }
        if let Some(snapshot) = facts.evidence.active.filter(|_| visibility.evidence) {
            let captured = format!("snapshot {} captured", snapshot.id);
            note(snapshot.generated_at.moment(), Subject::Evidence, captured);
            let expired = snapshot.expires_at.moment();
            note(
                expired.filter(|at| *at <= facts.as_of),
                Subject::Evidence,
                format!("snapshot {} expired", snapshot.id),
            );
        }
    }
    if let Some(verdict) = verdict {
        let text = if verdict.standing.is_readable() {
            format!("{}, {}", verdict.outcome, verdict.reason_code)
        } else {
            "recorded, and cannot be relied on".to_owned()
        };
        note(Some(verdict.decided_at.0), Subject::Verdict, text);
    }
    events.sort();
    events
}

fn ended_as(status: RestoreStatus) -> String {
    format!("ended as {}", stored_word(&status))
}

fn entry(audit: &AuditFacts) -> String {
    let voices = [audit.action, audit.status, audit.outcome].map(|voice| stored_word(&voice));
    format!(
        "entry {}: action says {}, status {}, outcome {}",
        audit.id, voices[0], voices[1], voices[2]
    )
}
