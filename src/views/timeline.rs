//! What happened to a run, the earliest first.
//!
//! **Invariant:** an event is shown only with a moment that somebody recorded. Nothing is put in between.

use reconciler_jobs::restore_execute::facts::{AuditFacts, RunStatus, Voice};
use reconciler_jobs::stamp::Stamp;
use reconciler_jobs::vocabulary;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::moment::took;
use super::verdict::Verdict;
use super::{Moment, Visibility, stored_word};
use crate::storage::{ActionOnRecord, ActionVerb, Assessment};

vocabulary! {
    /// What an event is about.
    #[derive(PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
    #[serde(rename_all = "snake_case")]
    #[schemars(rename = "EventSubject")]
    pub enum EventSubject {
        /// The label that pages show.
        label: &'static str,
    }
    /// The operation run.
    Run { label: "Operation" }
    /// The restore.
    Restore { label: "Restore" }
    /// An entry of the audit log.
    Audit { label: "Audit" }
    /// A snapshot of evidence.
    Evidence { label: "Evidence" }
    /// Our verdict.
    Verdict { label: "Verdict" }
    /// What a person did.
    Action { label: "Action" }
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Event {
    /// When, RFC 3339.
    pub at: Moment,
    /// What it is about.
    pub subject: EventSubject,
    /// What happened, in words and ids.
    pub text: String,
}

/// Events about a run, the earliest first. Of events at one moment, what is about the run comes first.
pub(super) fn events(
    assessment: &Assessment,
    verdict: Option<&Verdict>,
    actions: &[ActionOnRecord],
    visibility: Visibility,
) -> Vec<Event> {
    let mut events: Vec<Event> = actions.iter().map(Event::from).collect();
    let mut note = |at: Option<jiff::Timestamp>, subject, text: &str| {
        let text = text.to_owned();
        let at = at.map(Moment);
        events.extend(at.map(|at| Event { at, subject, text }));
    };
    let facts = &assessment.facts;
    let run = &facts.run;
    note(run.created_at.moment(), EventSubject::Run, "created");
    note(run.started_at.moment(), EventSubject::Run, "started");
    let closed = format!(
        "closed as {}{}",
        spaced(&run.outcome),
        after(run.started_at, run.completed_at)
    );
    let closed_at = run.completed_at.moment();
    let closed_at = closed_at.filter(|_| run.status == RunStatus::Completed);
    note(closed_at, EventSubject::Run, &closed);
    if let Some(restore) = assessment.restore() {
        let ended = format!(
            "ended as {}{}",
            spaced(&restore.status),
            after(restore.started_at, restore.completed_at)
        );
        for (at, what) in [
            (restore.created_at, "created"),
            (restore.started_at, "started"),
            (restore.completed_at, &*ended),
        ] {
            let text = format!("restore {} {what}", restore.id);
            note(at.moment(), EventSubject::Restore, &text);
        }
        for audit in &facts.audits {
            note(audit.recorded_at, EventSubject::Audit, &entry(audit));
        }
        if let Some(snapshot) = facts.evidence.active.filter(|_| visibility.evidence) {
            let expired = snapshot.expires_at.moment();
            for (at, what) in [
                (snapshot.generated_at.moment(), "captured"),
                (expired.filter(|at| *at <= facts.as_of), "expired"),
            ] {
                let text = format!("snapshot {} {what}", snapshot.id);
                note(at, EventSubject::Evidence, &text);
            }
        }
    }
    events.extend(verdict.map(Event::from));
    events.sort();
    events
}

impl From<&Verdict> for Event {
    fn from(verdict: &Verdict) -> Self {
        Self {
            at: verdict.decided_at,
            subject: EventSubject::Verdict,
            text: if verdict.standing.is_readable() {
                let outcome = verdict.outcome.replace('_', " ");
                format!("{outcome}, {}", verdict.reason_code)
            } else {
                "recorded, and cannot be relied on".to_owned()
            },
        }
    }
}

impl From<&ActionOnRecord> for Event {
    fn from(action: &ActionOnRecord) -> Self {
        let who = action
            .actor
            .as_deref()
            .unwrap_or("somebody without a token");
        let verb = ActionVerb::ALL
            .into_iter()
            .find(|it| it.name() == action.verb);
        let did = match verb {
            Some(verb) => verb.did(),
            None => action.verb.as_str(),
        };
        let mut text = format!("{did} by {who}");
        let outcome = action.outcome.as_deref().map(outcome_said);
        for (before, said) in [
            (": ", &outcome),
            ("; reason: ", &action.reason),
            ("; trace ", &action.trace),
        ] {
            if let Some(said) = said {
                text.push_str(before);
                text.push_str(said);
            }
        }
        Self {
            at: Moment(action.acted_at),
            subject: EventSubject::Action,
            text,
        }
    }
}

/// What came of an action, in words.
pub(crate) fn outcome_said(word: &str) -> String {
    match word {
        "queued" => "a job was queued".to_owned(),
        "queued_before" => "a job was queued before".to_owned(),
        "starts_over" => "it starts over".to_owned(),
        "due_now" => "it is due now".to_owned(),
        other => other.replace('_', " "),
    }
}

/// How long something took that began and ended then, as what follows its end.
fn after(from: Stamp, to: Stamp) -> String {
    took(from, to).map_or_else(String::new, |took| format!(", after {took}"))
}

/// The word under which a value is stored, with spaces.
pub(super) fn spaced(value: &impl Serialize) -> String {
    stored_word(value).replace('_', " ")
}

fn entry(audit: &AuditFacts) -> String {
    let [action, status, outcome] = [audit.action, audit.status, audit.outcome].map(said);
    format!(
        "entry {}: action {action}, status {status}, outcome {outcome}",
        audit.id
    )
}

/// What a column of an audit entry says of how the restore ended.
const fn said(voice: Voice) -> &'static str {
    match voice {
        Voice::Silent => "says nothing about the outcome",
        Voice::Completed => "says completed",
        Voice::Partial => "says partial",
        Voice::Failed => "says failed",
        Voice::Stopped => "says stopped",
        Voice::Unclear => "is not a known word",
    }
}
