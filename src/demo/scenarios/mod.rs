//! The table of scenarios. Each starts from a complete, proven case, changes a line or two, and says
//! what somebody would conclude from it and what the rulebook concludes.
//!
//! **Invariants:** every reason code is the primary reason of at least one scenario; names are
//! unique. Both are tested.

mod blockers;
mod evidence;
mod executions;
mod items;
mod links;
mod runs;

use reconciler_jobs::restore_execute::ReasonCode;
use reconciler_jobs::restore_execute::record::Source;

use super::case::{Case, Place};
use super::report::Conclusion;

/// The run whose audit entry the demonstration's trigger refuses. The trigger's text has it too.
pub(super) const REFUSED_RUN: i64 = 1_000;

/// The run of the first scenario; the others follow.
const FIRST_RUN: i64 = REFUSED_RUN + 1;

/// Where scenarios take place: id and name.
pub(super) const WORKSPACES: [(i64, &str); 3] = [
    (11, "Alder Schools"),
    (12, "Harbour Clinic"),
    (13, "Meridian Freight"),
];

/// One scenario.
pub(super) struct Scenario {
    pub(super) name: &'static str,
    /// Why somebody would call this restore recovered.
    pub(super) temptation: &'static str,
    pub(super) expected: (Conclusion, ReasonCode),
    /// How its rows differ from those of a complete, proven case.
    pub(super) differs: fn(&mut Case),
}

impl Scenario {
    /// What makes the worker look at the run. A run of another type, a closed one, and one in an
    /// unknown state are never due; only somebody who names them gets an answer.
    pub(super) fn reached_by(&self) -> Source {
        if self.expected.1.is_never_due() {
            Source::Command
        } else {
            Source::Sweep
        }
    }
}

/// Every scenario, in the order of the rulebook.
pub(super) fn all() -> impl Iterator<Item = &'static Scenario> {
    [
        runs::SCENARIOS,
        links::SCENARIOS,
        executions::SCENARIOS,
        items::SCENARIOS,
        evidence::AUDIT,
        evidence::EVIDENCE,
        blockers::SCENARIOS,
        runs::PROVEN,
    ]
    .into_iter()
    .flatten()
}

/// Every scenario with the place of its run.
pub(super) fn placed() -> impl Iterator<Item = (&'static Scenario, Place)> {
    all().zip(FIRST_RUN..).zip(WORKSPACES.iter().cycle()).map(
        |((scenario, run), (workspace, _))| {
            let refused = scenario.expected.0 == Conclusion::Refused;
            let run = if refused { REFUSED_RUN } else { run };
            (scenario, Place::of(run, *workspace))
        },
    )
}

const fn deferred(reason: ReasonCode) -> (Conclusion, ReasonCode) {
    (Conclusion::Deferred, reason)
}

const fn partially(reason: ReasonCode) -> (Conclusion, ReasonCode) {
    (Conclusion::PartiallySucceeded, reason)
}

const fn blocked(reason: ReasonCode) -> (Conclusion, ReasonCode) {
    (Conclusion::Blocked, reason)
}

const fn failed(reason: ReasonCode) -> (Conclusion, ReasonCode) {
    (Conclusion::Failed, reason)
}

/// The only way to this conclusion.
const SUCCEEDED: (Conclusion, ReasonCode) = (Conclusion::Succeeded, ReasonCode::ProofComplete);

#[cfg(test)]
mod tests {
    use std::collections::{BTreeSet, HashSet};

    use super::*;

    #[test]
    fn every_reason_code_has_a_scenario() {
        let reasons: BTreeSet<ReasonCode> = all().map(|scenario| scenario.expected.1).collect();
        let missing: Vec<_> = ReasonCode::ALL
            .iter()
            .filter(|code| !reasons.contains(code))
            .collect();
        assert!(missing.is_empty(), "{missing:?}");
    }

    #[test]
    fn names_and_runs_are_unique_and_every_temptation_is_one_sentence() {
        let mut names = HashSet::new();
        let mut runs = HashSet::new();
        for (scenario, place) in placed() {
            assert!(names.insert(scenario.name), "{}", scenario.name);
            assert!(runs.insert(place.run), "{}", scenario.name);
            assert!(scenario.name.len() <= 40, "{}", scenario.name);
            assert!(scenario.temptation.ends_with('.'), "{}", scenario.name);
        }
    }

    #[test]
    fn only_the_complete_proof_succeeds() {
        for scenario in all() {
            let succeeds = scenario.expected.0 == Conclusion::Succeeded;
            let complete = scenario.expected.1 == ReasonCode::ProofComplete;
            assert_eq!(succeeds, complete, "{}", scenario.name);
        }
    }
}
