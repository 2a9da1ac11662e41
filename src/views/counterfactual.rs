//! What a verdict lacks for a success, or what a success hangs on.

use reconciler_jobs::restore_execute::canonical::read_back;
use reconciler_jobs::restore_execute::counterfactual::{NamedFact, Question, ask};
use reconciler_jobs::restore_execute::facts::Facts;
use reconciler_jobs::restore_execute::proof::Leg;
use reconciler_jobs::restore_execute::review::Standing;
use reconciler_jobs::restore_execute::{Outcome, RULESET};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Visibility;
use crate::storage::RecordedVerdict;

/// What a verdict below succeeded lacks exactly, or what a success hangs on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Counterfactual")]
pub struct CounterfactualShown {
    /// What was asked.
    pub question: Question,
    /// The answer in words, and what it does not say.
    pub sentence: String,
    /// Each fact, in the order of the proof; none where the question is not answered.
    pub facts: Vec<NamedFact>,
}

impl CounterfactualShown {
    /// Asks the verdict that these facts give. Nothing where they give none.
    pub fn of(facts: &Facts, visibility: Visibility) -> Option<Self> {
        let (question, mut facts) = ask(facts)?;
        for fact in &mut facts {
            if fact.leg == Leg::Evidence && !visibility.evidence {
                "post-run evidence that counts".clone_into(&mut fact.text);
            }
        }
        facts.dedup_by(|next, before| next.text == before.text);
        let texts: Vec<_> = facts.iter().map(|fact| fact.text.as_str()).collect();
        let (lead, boundary) = (question.lead(), question.boundary());
        Some(Self {
            sentence: format!("{lead}: {}. {boundary}", texts.join("; ")),
            question,
            facts,
        })
    }

    /// Asks a verdict on record. Nothing where the record cannot be relied on.
    pub fn of_record(record: &RecordedVerdict, visibility: Visibility) -> Option<Self> {
        if record.standing() != Standing::Stands {
            return None;
        }
        if record.ruleset == RULESET {
            return Self::of(&read_back(record.facts.as_deref()?).ok()?, visibility);
        }
        let question = match Outcome::parse(&record.outcome)? {
            Outcome::Succeeded => Question::Why,
            _ => Question::WhyNot,
        };
        let ruleset = &record.ruleset;
        Some(Self {
            question,
            sentence: format!(
                "Which facts a verdict of {ruleset} hangs on is not answered, only of {RULESET}."
            ),
            facts: Vec::new(),
        })
    }
}
