//! Judging a recorded verdict again, from the ledger alone.
//!
//! ```text
//! facts text ──digest──▶ unaltered ──read──▶ facts ──decide──▶ decision ──compare──▶ as recorded
//! ```
//!
//! The ledger keeps the facts in the text that was digested, so nothing else is asked: not the rows that
//! the facts came from, which may be gone, and not the clock.
//!
//! **Invariant:** a verdict passes only if this version would record it again, letter by letter.

use super::canonical::{self, ReadError, canonicalise, digest_of};
use super::decision::{Decision, Outcome};
use super::facts::Facts;
use super::record::LedgerEntry;
use super::rules::{RULESET, decide};

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

/// A verdict that passed: what it was made from, and what follows from that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reviewed {
    /// What was known.
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
    /// Other rules decided; only the version that holds them can judge.
    #[error("decided by ruleset {0}; this version holds {RULESET}")]
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

/// Decides once more from the facts on record, and compares with what is on record.
pub fn review(recorded: &Recorded<'_>) -> Result<Reviewed, Doubt> {
    let found = digest_of(recorded.facts);
    if found != recorded.facts_digest {
        return Err(Doubt::FactsAltered {
            recorded: recorded.facts_digest.to_owned(),
            found,
        });
    }
    if recorded.ruleset != RULESET {
        return Err(Doubt::OtherRuleset(recorded.ruleset.to_owned()));
    }
    let facts: Facts = canonical::read_back(recorded.facts).map_err(Doubt::FactsUnreadable)?;
    let decision = decide(&facts);
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
