//! Facts of every kind, verdict or not, judged by both: what is on record, with some of its parts changed.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use reconciler_jobs::restore_execute::canonical::{canonicalise, digest_of};
use reconciler_jobs::restore_execute::review::{Doubt, Recorded, review};
use serde_json::{Value, json};

use crate::ledger::{CORPORA, Chance};

/// Words that may stand where a word stands.
const WORDS: &str = "queued running completed unknown pending succeeded partially_succeeded blocked failed draft scoped \
    checked previewed partial cancelled aborted completed_with_errors silent stopped unclear absent far unreadable read \
    unnamed impossible not_itemised malformed write_gate_blocked operational_control.paused tenant_missing \
    failure_reason results_status invalid";

/// Facts on record of one ruleset, and what stands at each of their places.
pub(crate) struct Recipe {
    pub(crate) ruleset: String,
    facts: Vec<Value>,
    at: BTreeMap<String, Vec<Value>>,
}

/// One of each ruleset.
pub(crate) fn recipes() -> Vec<Recipe> {
    CORPORA.into_iter().map(Recipe::of).collect()
}

impl Recipe {
    fn of(corpus: &str) -> Self {
        let kept = corpus
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap());
        let kept: Vec<_> = kept.collect();
        let facts = kept
            .iter()
            .map(|kept| serde_json::from_str(kept["facts"].as_str().unwrap()).unwrap());
        let mut recipe = Self {
            ruleset: kept[0]["ruleset"].as_str().unwrap().to_owned(),
            facts: facts.collect(),
            at: BTreeMap::new(),
        };
        for facts in &recipe.facts {
            gather("", facts, &mut recipe.at);
        }
        recipe
    }

    /// The facts with this number, in canonical form.
    pub(crate) fn made(&self, number: u64) -> String {
        let chance = &mut Chance::of(number);
        let mut facts = chance.one_of(&self.facts).clone();
        let mut moments = vec!["1970-01-01T00:00:00Z".parse().unwrap()];
        gather_moments(&facts, &mut moments);
        for _ in 0..=chance.below(4) {
            self.change("", &mut facts, &moments, chance);
        }
        canonicalise(&facts).unwrap().text
    }

    /// Goes down to some part, and puts another there that was seen at such a place, or one beside it.
    fn change(&self, path: &str, part: &mut Value, moments: &[Timestamp], chance: &mut Chance) {
        let deeper = chance.below(8) > 0;
        match part {
            Value::Object(entries) if deeper && !entries.is_empty() => {
                let keys: Vec<_> = entries.keys().cloned().collect();
                let key = chance.one_of(&keys);
                self.change(
                    &format!("{path}/{key}"),
                    &mut entries[key.as_str()],
                    moments,
                    chance,
                );
            }
            Value::Array(items) if deeper && !items.is_empty() => {
                let place = usize::try_from(chance.below(items.len() as u64)).unwrap();
                self.change(&format!("{path}/-"), &mut items[place], moments, chance);
            }
            Value::Number(number) if deeper => {
                let number = number.as_i64().unwrap_or_default();
                *part = json!((number + i64::try_from(chance.below(3)).unwrap() - 1).max(0));
            }
            Value::Bool(flag) => *flag = !*flag,
            Value::String(text) if deeper => *part = json!(beside(text, moments, chance)),
            _ => part.clone_from(chance.one_of(&self.at[path])),
        }
    }
}

/// A moment at, before or after one of the others, or some word.
fn beside(text: &str, moments: &[Timestamp], chance: &mut Chance) -> String {
    let shifts = [-3_600_000, -1_000, -400, 0, 400, 1_000, 3_600_000];
    if text.parse::<Timestamp>().is_ok() {
        let by = SignedDuration::from_millis(*chance.one_of(&shifts));
        return (*chance.one_of(moments) + by).to_string();
    }
    let words: Vec<_> = WORDS.split_whitespace().collect();
    (*chance.one_of(&words)).to_owned()
}

fn gather_moments(part: &Value, moments: &mut Vec<Timestamp>) {
    match part {
        Value::Object(entries) => entries
            .values()
            .for_each(|part| gather_moments(part, moments)),
        Value::Array(items) => items.iter().for_each(|part| gather_moments(part, moments)),
        Value::String(text) => moments.extend(text.parse::<Timestamp>().ok()),
        _ => {}
    }
}

fn gather(path: &str, part: &Value, at: &mut BTreeMap<String, Vec<Value>>) {
    let seen = at.entry(path.to_owned()).or_default();
    if seen.len() < 1_000 && !seen.contains(part) {
        seen.push(part.clone());
    }
    match part {
        Value::Object(entries) => {
            for (key, part) in entries {
                gather(&format!("{path}/{key}"), part, at);
            }
        }
        Value::Array(items) => {
            for part in items {
                gather(&format!("{path}/-"), part, at);
            }
        }
        _ => {}
    }
}

/// What the program decides: none where the facts are none of this ruleset's.
pub(crate) fn decided(ruleset: &str, facts: &str) -> Option<Value> {
    let digest = digest_of(facts);
    let mut recorded = Recorded {
        outcome: "",
        reason_code: "",
        ruleset,
        facts,
        facts_digest: &digest,
        decision: "",
    };
    let follows = |recorded: &Recorded<'_>| match review(recorded) {
        Err(Doubt::WrongVerdict { follows, .. } | Doubt::Overclaim { follows, .. }) => {
            Some(follows)
        }
        Err(Doubt::FactsUnreadable(_)) => None,
        other => panic!("{other:?}"),
    };
    let words = follows(&recorded)?;
    (recorded.outcome, recorded.reason_code) = words.rsplit_once(' ').unwrap();
    let mut decision: Value = serde_json::from_str(&follows(&recorded)?).unwrap();
    // Of a decision that is none yet, a table says what it waits for, and not until when.
    if decision["ruling"]["verdict"].is_null() {
        decision["ruling"] = json!("deferred");
    }
    Some(decision)
}
