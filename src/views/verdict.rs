//! What is said of one run, on a terminal as on a page.

use jiff::Timestamp;
use reconciler_jobs::restore_execute::proof::LegState;
use reconciler_jobs::restore_execute::review::Standing;
use reconciler_jobs::restore_execute::{self as rules, ReasonCode, results};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::storage::RecordedVerdict;

/// A registered reason with what it means.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Reason {
    /// The code.
    #[schemars(extend("enum" = codes()))]
    pub code: String,
    /// What was found.
    pub sentence: String,
    /// What it means for somebody who relies on the restore.
    pub impact: String,
    /// What to do next.
    pub next_action: String,
}

impl From<ReasonCode> for Reason {
    fn from(reason: ReasonCode) -> Self {
        let said = reason.explanation();
        Self {
            code: reason.code().to_owned(),
            sentence: said.sentence.to_owned(),
            impact: said.impact.to_owned(),
            next_action: said.next_action.to_owned(),
        }
    }
}

pub(crate) fn codes() -> Vec<&'static str> {
    ReasonCode::ALL.iter().map(|reason| reason.code()).collect()
}

/// The codes of every gap worth telling.
pub(crate) fn missing(decision: &rules::Decision) -> Vec<String> {
    let code = |reason: ReasonCode| reason.code().to_owned();
    decision.missing().into_iter().map(code).collect()
}

/// What became of one leg.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LegResult {
    /// The leg.
    pub leg: String,
    /// Whether it holds.
    pub state: LegWord,
    /// What would have to be true for it to hold.
    pub requirement: String,
    /// Why it does not.
    pub gaps: Vec<Reason>,
}

/// Whether a leg holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LegWord {
    /// It holds.
    Holds,
    /// It does not.
    Gaps,
    /// There was nothing to look at.
    NotAssessed,
    /// The viewer may not see it.
    NotShown,
}

impl LegWord {
    /// For people.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Holds => "holds",
            Self::Gaps => "gap",
            Self::NotAssessed => "not assessed",
            Self::NotShown => "not shown",
        }
    }
}

/// The word for a leg's state, and its gaps.
pub(super) fn leg_state(state: &LegState) -> (LegWord, Vec<Reason>) {
    match state {
        LegState::Holds => (LegWord::Holds, Vec::new()),
        LegState::NotAssessed => (LegWord::NotAssessed, Vec::new()),
        LegState::Gaps(gaps) => (
            LegWord::Gaps,
            gaps.iter().copied().map(Reason::from).collect(),
        ),
    }
}

/// An item that is in trouble.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Exception {
    /// `item`, `assignment` or `foundation`.
    pub part: String,
    /// The backup item's id, or the position of a foundation in its list.
    pub id: String,
    /// What is wrong with it.
    pub finding: String,
}

impl From<&results::Exception> for Exception {
    fn from(exception: &results::Exception) -> Self {
        Self {
            part: stored_word(&exception.part),
            id: exception.id.clone(),
            finding: stored_word(&exception.finding),
        }
    }
}

/// A verdict on record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Verdict {
    /// Names the verdict.
    pub decision_id: String,
    /// The outcome.
    pub outcome: String,
    /// The reason's code; another version of the rules may have known others.
    pub reason_code: String,
    /// The codes of everything that was missing; none where another version's decision cannot be
    /// read.
    pub missing: Option<Vec<String>>,
    /// The version of the rules.
    pub ruleset: String,
    /// SHA-256 of the facts, as it was recorded.
    pub facts_digest: String,
    /// Whether the facts on record still have that digest.
    pub digest_matches: bool,
    /// Whether it follows from those facts, as every column says it.
    pub standing: Standing,
    /// Who decided.
    pub worker: String,
    /// When, RFC 3339.
    pub decided_at: String,
}

impl From<&RecordedVerdict> for Verdict {
    fn from(record: &RecordedVerdict) -> Self {
        let decision: Option<rules::Decision> = serde_json::from_str(&record.decision).ok();
        Self {
            decision_id: record.decision_id.clone(),
            outcome: record.outcome.clone(),
            reason_code: record.reason_code.clone(),
            missing: decision.as_ref().map(missing),
            ruleset: record.ruleset.clone(),
            facts_digest: record.facts_digest.clone(),
            digest_matches: rules::canonical::digest_of(&record.facts) == record.facts_digest,
            standing: record.standing(),
            worker: record.worker.clone(),
            decided_at: record.decided_at.to_string(),
        }
    }
}

/// A moment as documents hold it.
pub(crate) fn moment(at: Option<Timestamp>) -> Option<String> {
    at.map(|at| at.to_string())
}

/// The word under which a value is stored, for enums that are written as one.
pub(crate) fn stored_word(value: &impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        _ => String::new(),
    }
}
