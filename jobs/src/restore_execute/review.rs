//! Judging a recorded verdict again, from the ledger alone.
//!
//! ```text
//! facts text ──digest──▶ unaltered ──read──▶ facts ──decide──▶ decision ──compare──▶ as recorded
//! ```
//!
//! The ledger keeps the facts in the text that was digested, so nothing else is asked: not the rows that
//! the facts came from, which may be gone, and not the clock. A verdict is judged by the ruleset that the ledger names.
//!
//! **Invariant:** a verdict passes only if the rules of its time would record it again, letter by letter.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::canonical::{ReadError, canonicalise, digest_of};
use super::decision::Decision;
use super::facts::Facts;
use super::outcome::Outcome;
use super::record::{LedgerEntry, decision_id};
use super::rulesets::{RULESETS, Ruleset};
use crate::ids::RunId;
use crate::vocabulary;

/// What the ledger says about one verdict, column by column.
#[derive(Debug, Clone, Copy)]
pub struct Recorded<'a> {
    /// The outcome.
    pub outcome: &'a str,
    /// The primary reason.
    pub reason_code: &'a str,
    /// Version of the rules.
    pub ruleset: &'a str,
    /// The facts, in canonical form.
    pub facts: &'a str,
    /// SHA-256 of `facts`.
    pub facts_digest: &'a str,
    /// The decision, in canonical form.
    pub decision: &'a str,
}

/// What the ledger calls a verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Name<'a> {
    /// The run that it is filed under.
    pub run: RunId,
    /// Half of the digest.
    pub decision_id: &'a str,
    /// When it was reached.
    pub decided_at: Timestamp,
}

/// A verdict that passed: what it was made from, and what follows from that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reviewed {
    /// What was known, in the form of today.
    pub facts: Facts,
    /// What follows, then as now.
    pub decision: Decision,
}

/// Why a recorded verdict does not stand.
#[derive(Debug, thiserror::Error)]
pub enum Doubt {
    /// The facts are not those that were digested, so nothing follows from them.
    #[error("the facts have the digest {found}; {recorded} is on record")]
    FactsAltered {
        /// The digest on record.
        recorded: String,
        /// The digest of the facts as they stand.
        found: String,
    },
    /// Rules decided that this version does not hold; only one that does can judge.
    #[error("decided by ruleset {0}; this version holds {held}", held = RULESETS.each_ref().map(Ruleset::name).join(" and "))]
    OtherRuleset(String),
    /// The text with the right digest is not one that this version could have written.
    #[error("the text of the facts {0}")]
    FactsUnreadable(ReadError),
    /// A success is on record, and the facts do not give one.
    #[error("{recorded} is on record; the facts give {follows}")]
    Overclaim {
        /// What is on record.
        recorded: String,
        /// What follows from the facts.
        follows: String,
    },
    /// Anything else is on record than follows from the facts.
    #[error("{recorded} is on record; the facts give {follows}")]
    WrongVerdict {
        /// What is on record.
        recorded: String,
        /// What follows from the facts.
        follows: String,
    },
    /// The verdict is another one's than the ledger says.
    #[error("{recorded} is on record; the facts are of {found}")]
    OtherName {
        /// What the ledger calls it.
        recorded: String,
        /// What follows from its facts and their digest.
        found: String,
    },
}

vocabulary! {
    /// What a verdict on record is worth to whoever reads it.
    #[derive(Serialize, Deserialize, JsonSchema)]
    #[serde(rename_all = "snake_case")]
    pub enum Standing {
        /// What the review found, in one sentence.
        sentence: &'static str,
    }
    /// This version would record it again.
    Stands {
        sentence: "The verdict follows from the facts recorded with it.",
    }
    /// Other rules decided than this version holds, so it can only be read.
    OtherRules {
        sentence: "Other rules decided than this version holds, so this version cannot judge the verdict again.",
    }
    /// The facts were erased with their workspace, so nobody can judge the verdict again.
    FactsErased {
        sentence: "The facts were erased, so the verdict can be read and not be judged again.",
    }
    /// The facts on record do not have the recorded digest.
    FactsAltered {
        sentence: "The facts on record do not have the recorded digest: the ledger was altered.",
    }
    /// The facts on record have it, and this version could not have written them.
    FactsUnreadable {
        sentence: "The facts on record are not as this version writes them: the ledger was altered.",
    }
    /// Other columns say something else than follows from the facts on record.
    Contradicted {
        sentence: "The ledger's columns contradict the facts on record: the ledger was altered.",
    }
}

impl Standing {
    /// Reviews a verdict that the ledger calls by `name`.
    #[must_use]
    pub fn of(recorded: &Recorded<'_>, name: &Name<'_>) -> Self {
        match review_as(recorded, name) {
            Ok(_) => Self::Stands,
            Err(Doubt::FactsAltered { .. }) => Self::FactsAltered,
            Err(Doubt::FactsUnreadable(_)) => Self::FactsUnreadable,
            Err(Doubt::OtherRuleset(_)) if !contradicts_itself(recorded) => Self::OtherRules,
            Err(_) => Self::Contradicted,
        }
    }

    /// Reviews a verdict whose facts were erased; those that are given count for nothing.
    #[must_use]
    pub fn without_facts(recorded: &Recorded<'_>, name: &Name<'_>) -> Self {
        if contradicts_itself(recorded) || name.decision_id != decision_id(recorded.facts_digest) {
            Self::Contradicted
        } else {
            Self::FactsErased
        }
    }

    /// Whether the record may be shown for what it says. It proves something only where it stands.
    #[must_use]
    pub const fn is_readable(self) -> bool {
        matches!(self, Self::Stands | Self::OtherRules | Self::FactsErased)
    }
}

/// As [`review`], and whether the ledger calls the verdict by the name that follows from its facts.
pub fn review_as(recorded: &Recorded<'_>, name: &Name<'_>) -> Result<Reviewed, Doubt> {
    let reviewed = review(recorded)?;
    let found = Name {
        run: reviewed.facts.run.id,
        decision_id: decision_id(recorded.facts_digest),
        decided_at: reviewed.facts.as_of,
    };
    if *name == found {
        return Ok(reviewed);
    }
    let [recorded, found] = [name, &found].map(|name| {
        let Name {
            run,
            decision_id,
            decided_at,
        } = name;
        format!("decision {decision_id} of run {run} at {decided_at}")
    });
    Err(Doubt::OtherName { recorded, found })
}

/// Whether the words on record are others than those of the decision on record, as far as it can be read.
fn contradicts_itself(recorded: &Recorded<'_>) -> bool {
    let decision: Result<Decision, _> = serde_json::from_str(recorded.decision);
    decision.is_ok_and(|decision| {
        recorded.outcome != decision.name() || recorded.reason_code != decision.reason.code()
    })
}

impl<'a> From<&'a LedgerEntry> for Recorded<'a> {
    fn from(entry: &'a LedgerEntry) -> Self {
        Self {
            outcome: entry.outcome,
            reason_code: entry.reason_code,
            ruleset: entry.ruleset,
            facts: &entry.facts,
            facts_digest: &entry.facts_digest,
            decision: &entry.decision,
        }
    }
}

impl<'a> From<&'a LedgerEntry> for Name<'a> {
    fn from(entry: &'a LedgerEntry) -> Self {
        Self {
            run: entry.operation_run_id,
            decision_id: &entry.decision_id,
            decided_at: entry.decided_at,
        }
    }
}

/// Decides once more from the facts on record, and compares with what is on record.
pub fn review(recorded: &Recorded<'_>) -> Result<Reviewed, Doubt> {
    let found = digest_of(recorded.facts);
    if found != recorded.facts_digest {
        return Err(Doubt::FactsAltered {
            recorded: recorded.facts_digest.to_owned(),
            found,
        });
    }
    let ruleset = Ruleset::named(recorded.ruleset)
        .ok_or_else(|| Doubt::OtherRuleset(recorded.ruleset.to_owned()))?;
    let facts = ruleset
        .read(recorded.facts)
        .map_err(Doubt::FactsUnreadable)?;
    let decision = ruleset.decide(&facts);
    match difference(recorded, &decision) {
        None => Ok(Reviewed { facts, decision }),
        Some(doubt) => Err(doubt),
    }
}

/// Words are compared before texts, because words are what people read. The text holds every leg and gap
/// besides.
fn difference(recorded: &Recorded<'_>, decision: &Decision) -> Option<Doubt> {
    let claims = recorded.outcome == Outcome::Succeeded.name();
    let proven = decision.outcome() == Some(Outcome::Succeeded);
    let words = |outcome: &str, reason: &str| format!("{outcome} {reason}");
    let text = canonicalise(decision).map_or_else(|error| error.to_string(), |it| it.text);
    let (recorded, follows) = [
        (
            words(recorded.outcome, recorded.reason_code),
            words(
                decision.outcome().map_or("no verdict:", Outcome::name),
                decision.reason.code(),
            ),
        ),
        (recorded.decision.to_owned(), text),
    ]
    .into_iter()
    .find(|(recorded, follows)| recorded != follows)?;
    Some(if claims && !proven {
        Doubt::Overclaim { recorded, follows }
    } else {
        Doubt::WrongVerdict { recorded, follows }
    })
}
