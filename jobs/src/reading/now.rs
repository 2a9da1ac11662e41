//! Explain now: what the rules would say of a run today, beside what was recorded of it.
//!
//! A verdict is made once and never changes; what it was made from may. Evidence may have come after it, or have
//! expired since. Neither is told by the verdict, and neither touches it.
//!
//! **Invariant:** never a verdict. It is decided on a copy whose run is put back to running, so nothing that it says
//! could be written: the run itself is closed.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use crate::restore_execute::facts::{Facts, RunStatus};
use crate::restore_execute::proof::{Leg, LegState};
use crate::restore_execute::{Decision, Outcome, ReasonCode, decide};
use crate::vocabulary;

/// One of the eight legs, then and now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LegThenAndNow {
    /// Which.
    pub leg: Leg,
    /// The leg's state as it was recorded; none without a record.
    pub then: Option<LegState>,
    /// The leg's state as the rules see it now.
    pub now: LegState,
}

vocabulary! {
    /// How what would be said now relates to what was recorded.
    #[derive(PartialOrd, Ord, Serialize, JsonSchema)]
    #[serde(rename_all = "snake_case")]
    pub enum Change {
        /// The comparison in one sentence.
        sentence,
    }
    OpenUndecided = "No verdict is recorded. The run is open, and this is what the rules say of it now."
    OpenRefused = "No verdict is recorded: the database refuses it. The run is open, and is tried again by itself."
    RecordUnreadable = "A verdict is on record, and it cannot be read or was altered. Do not rely on it. This is what the rules say now."
    RecordContradicted = "A verdict is on record, and the ledger's columns contradict the facts recorded with it. Do not rely on it. This is what the rules say now."
    ClosedElsewhere = "No verdict of this product is recorded. The run was closed by another writer, and a closed run is never changed; this is what the rules would say of it now."
    Same = "The rules say now what was recorded. A terminal verdict never changes."
    SameOtherGaps = "The rules would come to the recorded outcome for the same reason, with other gaps. A terminal verdict never changes."
    EvidenceLate = "Evidence that the verdict lacked is available now: it came too late to be considered. A terminal verdict never changes."
    Stronger = "The rules would say more now than was recorded. A terminal verdict never changes."
    Weaker = "The rules would say less now than was recorded. A terminal verdict never changes."
    OtherReason = "The rules would give another reason now than was recorded. A terminal verdict never changes."
}

/// What the rules would say of a run now if it were still open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Now {
    /// When its facts were read.
    pub as_of: Timestamp,
    /// What would be said now.
    pub decision: Decision,
    /// What was recorded; none without a verdict of this product.
    pub recorded: Option<Decision>,
    /// How the two relate.
    pub change: Change,
    /// Each leg, in order.
    pub legs: Vec<LegThenAndNow>,
    /// Gaps on record that are none now, in registry order; none without a record.
    pub closed_gaps: Vec<ReasonCode>,
    /// Gaps now that are not on record, in registry order; none without a record.
    pub opened_gaps: Vec<ReasonCode>,
    /// Whether the record lacks evidence and the evidence leg holds now.
    pub evidence_came_late: bool,
}

impl Now {
    /// Decides once more, as if the run were open. `recorded` is the verdict in the ledger.
    #[must_use]
    pub fn of(facts: &Facts, recorded: Option<&Decision>) -> Self {
        let decision = decide(&facts.reopened());
        let lacked = |then: &Decision| !then.proof.holds(Leg::Evidence);
        let evidence_came_late =
            recorded.is_some_and(lacked) && decision.proof.holds(Leg::Evidence);
        let change = match recorded {
            None if facts.run.status == RunStatus::Completed => Change::ClosedElsewhere,
            None => Change::OpenUndecided,
            Some(then) => compare(then, &decision, evidence_came_late),
        };
        Self {
            as_of: facts.as_of,
            change,
            legs: legs(recorded, &decision),
            closed_gaps: recorded.map_or_else(Vec::new, |then| beyond(then, &decision)),
            opened_gaps: recorded.map_or_else(Vec::new, |then| beyond(&decision, then)),
            evidence_came_late,
            recorded: recorded.cloned(),
            decision,
        }
    }

    /// Says instead how it relates to what was not handed in: a record that cannot be relied on, or that none can be made.
    #[must_use]
    pub fn beside(self, change: Change) -> Self {
        Self { change, ..self }
    }

    /// Whether anything would be said now that was not recorded; false without a record.
    #[must_use]
    pub fn differs(&self) -> bool {
        !matches!(
            self.change,
            Change::Same
                | Change::OpenUndecided
                | Change::OpenRefused
                | Change::ClosedElsewhere
                | Change::RecordUnreadable
                | Change::RecordContradicted
        )
    }

    /// What to tell people about it.
    #[must_use]
    pub fn sentence(&self) -> &'static str {
        self.change.sentence()
    }
}

fn compare(then: &Decision, now: &Decision, evidence_came_late: bool) -> Change {
    // A deferred decision claims least of all: it says nothing yet.
    let rank = |it: &Decision| it.outcome().map_or(0, claims);
    match rank(now).cmp(&rank(then)) {
        std::cmp::Ordering::Less => Change::Weaker,
        _ if evidence_came_late => Change::EvidenceLate,
        std::cmp::Ordering::Greater => Change::Stronger,
        std::cmp::Ordering::Equal if now.reason != then.reason => Change::OtherReason,
        std::cmp::Ordering::Equal if now.proof != then.proof => Change::SameOtherGaps,
        std::cmp::Ordering::Equal => Change::Same,
    }
}

/// How much an outcome claims.
fn claims(outcome: Outcome) -> u8 {
    match outcome {
        Outcome::Failed => 1,
        Outcome::Blocked => 2,
        Outcome::PartiallySucceeded => 3,
        Outcome::Succeeded => 4,
    }
}

fn legs(then: Option<&Decision>, now: &Decision) -> Vec<LegThenAndNow> {
    let state = |decision: &Decision, leg: Leg| {
        let mut legs = decision.proof.legs();
        legs.find(|(each, _)| *each == leg)
            .map(|(_, state)| state.clone())
    };
    now.proof
        .legs()
        .map(|(leg, found)| LegThenAndNow {
            leg,
            then: then.and_then(|then| state(then, leg)),
            now: found.clone(),
        })
        .collect()
}

/// Gaps of `one` that the other does not have.
fn beyond(one: &Decision, other: &Decision) -> Vec<ReasonCode> {
    let others = other.proof.gaps();
    let mut gaps = one.proof.gaps();
    gaps.retain(|gap| !others.contains(gap));
    gaps
}
