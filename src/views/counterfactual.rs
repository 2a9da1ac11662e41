//! What a verdict lacks for a success, or what a success hangs on.

use reconciler_jobs::restore_execute::Ruleset;
use reconciler_jobs::restore_execute::counterfactual::{NamedFact, Question, ask};
use reconciler_jobs::restore_execute::facts::Facts;
use reconciler_jobs::restore_execute::proof::Leg;
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
    /// Each fact, in the order of the proof.
    pub facts: Vec<NamedFact>,
}

impl CounterfactualShown {
    /// Asks the verdict that these facts give by these rules. Nothing where they give none.
    pub fn of(rules: &Ruleset, facts: &Facts, visibility: Visibility) -> Option<Self> {
        let (question, mut facts) = ask(rules, facts)?;
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

    /// Asks a verdict on record by the rules of its time. Nothing where the record cannot be relied on.
    pub fn of_record(record: &RecordedVerdict, visibility: Visibility) -> Option<Self> {
        let (rules, facts) = record.judged()?;
        Self::of(rules, &facts, visibility)
    }
}
