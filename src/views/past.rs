//! A run at an earlier moment: what the rules would have said of it, and what became known since.

use jiff::Timestamp;
use reconciler_jobs::restore_execute::facts::{Facts, RunStatus};
use reconciler_jobs::restore_execute::past::{Past, Unrecorded};
use reconciler_jobs::restore_execute::{Outcome, Ruleset};
use reconciler_jobs::stamp::Stamp;
use reconciler_jobs::vocabulary;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::run::legs;
use super::timeline::{Event, EventSubject, events};
use super::verdict::{LegResult, RunResult, Verdict};
use super::{ClaimBoundary, Moment, Visibility};
use crate::storage::{ActionOnRecord, Assessment, RecordedVerdict};

vocabulary! {
    /// What is known of an earlier moment.
    #[derive(Serialize, Deserialize, JsonSchema)]
    #[serde(rename_all = "snake_case")]
    pub enum PastBasis {
        /// In one sentence.
        sentence: &'static str,
    }
    /// The run was created later.
    NoRun {
        sentence: "There was no such run then.",
    }
    /// It had a verdict by then, and the latest is what was said.
    Verdict {
        sentence: "The verdict on record had been reached by then.",
    }
    /// It had none, and the facts of the one that came are on record.
    RecordedFacts {
        sentence: "From the facts that its verdict recorded later, as far as they were there then, by the rules of that verdict.",
    }
    /// It had none, and no verdict that stands came later.
    Rows {
        sentence: "From the platform's rows as they are now, as far as they are dated.",
    }
}

/// A run at an earlier moment. It is written nowhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ExplainedAt {
    /// The moment that was asked for.
    pub at: Moment,
    /// The database's clock.
    pub as_of: Moment,
    /// The run's workspace.
    pub workspace: i64,
    /// The run's environment.
    pub environment: Option<i64>,
    /// From what it is known.
    pub basis: PastBasis,
    /// The same in one sentence.
    pub sentence: String,
    /// What the rules would have said; none where there was no such run.
    pub result: Option<RunResult>,
    /// The eight legs as they were then; none where there was no such run, or a verdict that does not stand.
    pub legs: Vec<LegResult>,
    /// What nobody can say of that moment.
    pub not_recorded: Vec<Unrecorded>,
    /// What happened, the earliest first.
    pub timeline: Vec<EventThen>,
    /// What no verdict claims.
    pub claim_boundary: ClaimBoundary,
}

/// Something that happened before or after a moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EventThen {
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
    /// Whether that is dated no later than the moment that was asked for.
    pub dated_by_then: bool,
}

impl ExplainedAt {
    /// From one run as it is now and all its verdicts on record, the latest first; for whoever may see evidence.
    pub fn new(
        assessment: &Assessment,
        record: &[RecordedVerdict],
        actions: &[ActionOnRecord],
        at: Timestamp,
    ) -> Self {
        let visibility = Visibility { evidence: true };
        let run = &assessment.facts.run;
        let then = Then::of(&assessment.facts, record, at);
        // A run that a verdict closed ended with its restore, by its own row: when it was closed, the verdict says.
        let told = Assessment {
            facts: if record.is_empty() {
                assessment.facts.clone()
            } else {
                assessment.facts.reopened()
            },
            decision: assessment.decision.clone(),
        };
        let mut happened = events(&told, None, actions, visibility);
        happened.extend(
            record
                .iter()
                .map(|verdict| Event::from(&Verdict::from(verdict))),
        );
        happened.extend(of_retired(&assessment.facts));
        happened.sort();
        Self {
            at: Moment(at),
            as_of: Moment(assessment.facts.as_of),
            workspace: run.workspace_id.0,
            environment: run.environment_id.map(|id| id.0),
            basis: then.basis,
            sentence: then.basis.sentence().to_owned(),
            legs: then
                .assessment
                .map_or_else(Vec::new, |it| legs(&it, visibility)),
            result: then.result,
            not_recorded: then.unrecorded,
            timeline: happened
                .into_iter()
                .map(|event| EventThen {
                    dated_by_then: event.at.0 <= at,
                    event,
                })
                .collect(),
            claim_boundary: ClaimBoundary::default(),
        }
    }

    /// Whether anything in it says that something succeeded.
    pub fn says_succeeded(&self) -> bool {
        let succeeded = Outcome::Succeeded.name();
        let said = self.result.as_ref().and_then(|result| result.decision);
        said.is_some_and(|it| it.name() == succeeded)
            || self
                .timeline
                .iter()
                .any(|it| it.event.text.contains(succeeded))
    }
}

/// What became of snapshots that are active no more.
fn of_retired(facts: &Facts) -> impl Iterator<Item = Event> {
    facts.evidence.retired.iter().flat_map(|it| {
        let of = |stamp: Stamp, what: &str| {
            stamp.moment().map(|at| Event {
                at: Moment(at),
                subject: EventSubject::Evidence,
                text: format!("snapshot {} {what}", it.snapshot.id),
            })
        };
        let captured = of(it.snapshot.generated_at, "captured");
        captured
            .into_iter()
            .chain(of(it.retired_at, it.status.word()))
    })
}

struct Then {
    basis: PastBasis,
    result: Option<RunResult>,
    assessment: Option<Assessment>,
    unrecorded: Vec<Unrecorded>,
}

impl Then {
    fn of(now: &Facts, record: &[RecordedVerdict], at: Timestamp) -> Self {
        let mut later = record
            .iter()
            .rev()
            .filter(|verdict| verdict.decided_at > at);
        let next = later.next();
        if let Some(verdict) = record.iter().find(|verdict| verdict.decided_at <= at) {
            let was_opened = next.is_some() || now.run.status != RunStatus::Completed;
            return Self {
                basis: PastBasis::Verdict,
                result: Some(RunResult::closed(
                    verdict.run,
                    Some(&Verdict::from(verdict)),
                )),
                assessment: verdict.judged().map(|(rules, facts)| assess(rules, facts)),
                unrecorded: was_opened
                    .then_some(Unrecorded::Reopening)
                    .into_iter()
                    .collect(),
            };
        }
        let recorded = next.and_then(RecordedVerdict::judged);
        let (basis, rules, known) = match &recorded {
            Some((rules, facts)) => (PastBasis::RecordedFacts, *rules, facts),
            None => (PastBasis::Rows, Ruleset::in_force(), now),
        };
        match Past::of(known, at) {
            None => Self {
                basis: PastBasis::NoRun,
                result: None,
                assessment: None,
                unrecorded: Vec::new(),
            },
            Some(past) => {
                let assessment = assess(rules, past.facts);
                Self {
                    basis,
                    result: Some(RunResult::foreseen(&assessment, None)),
                    assessment: Some(assessment),
                    unrecorded: past.unrecorded,
                }
            }
        }
    }
}

fn assess(rules: &Ruleset, facts: Facts) -> Assessment {
    Assessment {
        decision: rules.decide(&facts),
        facts,
    }
}
