//! Explain now: what the rules would say, beside what was recorded.

use std::collections::BTreeSet;

use proptest::prelude::*;
use reconciler_jobs::reading::now::{Change, Now};
use reconciler_jobs::restore_execute::facts::{RunOutcome, RunStatus};
use reconciler_jobs::restore_execute::proof::{Leg, LegState};
use reconciler_jobs::restore_execute::{Decision, Outcome, ReasonCode, decide};

use crate::generate::{any_twins, cases};
use crate::support::{Case, moment, snapshot};

/// The verdict on an open run, and what is read of it once it is closed and something has changed.
fn then_and_now(before: impl FnOnce(&mut Case), after: impl FnOnce(&mut Case)) -> (Decision, Now) {
    let mut case = Case::proven();
    before(&mut case);
    let recorded = case.decide();
    let outcome = recorded.outcome().expect("a verdict");
    "completed".clone_into(&mut case.run.status);
    outcome.name().clone_into(&mut case.run.outcome);
    after(&mut case);
    let now = Now::of(&case.facts(), Some(&recorded));
    (recorded, now)
}

fn without_evidence(case: &mut Case) {
    case.snapshots.clear();
}

#[test]
fn every_change_is_told_by_its_own_sentence() {
    let failed = |case: &mut Case| "failed".clone_into(&mut case.restore.status);
    let completed = |case: &mut Case| "completed".clone_into(&mut case.restore.status);
    let evidence = |case: &mut Case| case.snapshots = vec![snapshot(501, "active", "11:50:00")];
    let audits_gone = |case: &mut Case| case.audits.clear();
    let nothing = |_: &mut Case| ();
    let told = |before: &dyn Fn(&mut Case), after: &dyn Fn(&mut Case)| {
        then_and_now(before, after).1.change
    };
    let unrecorded = |word: &str| {
        let mut case = Case::proven();
        word.clone_into(&mut case.run.status);
        Now::of(&case.facts(), None).change
    };
    let rows = [
        (Change::OpenUndecided, unrecorded("running")),
        (Change::ClosedElsewhere, unrecorded("completed")),
        (
            Change::RecordUnreadable,
            Now::of(&Case::proven().facts(), None)
                .beside(Change::RecordUnreadable)
                .change,
        ),
        (
            Change::RecordContradicted,
            Now::of(&Case::proven().facts(), None)
                .beside(Change::RecordContradicted)
                .change,
        ),
        (
            Change::OpenRefused,
            Now::of(&Case::proven().facts(), None)
                .beside(Change::OpenRefused)
                .change,
        ),
        (Change::Same, told(&nothing, &nothing)),
        (Change::Same, told(&without_evidence, &nothing)),
        (
            Change::SameOtherGaps,
            told(&audits_gone, &|case| case.snapshots.clear()),
        ),
        (Change::EvidenceLate, told(&without_evidence, &evidence)),
        (Change::Stronger, told(&failed, &completed)),
        (Change::Weaker, told(&nothing, &without_evidence)),
        (Change::Weaker, told(&nothing, &failed)),
        (
            Change::Weaker,
            told(&nothing, &|case| case.candidates.clear()),
        ),
        (Change::OtherReason, told(&without_evidence, &audits_gone)),
    ];
    for (at, (expected, found)) in rows.iter().enumerate() {
        assert_eq!(expected, found, "row {at}");
    }
    let met: BTreeSet<_> = rows.iter().map(|(change, _)| change).collect();
    assert_eq!(met.len(), Change::ALL.len(), "every change has a row");
    let recorded = Change::ALL.iter().skip(5);
    for change in recorded {
        assert!(
            change
                .sentence()
                .contains("A terminal verdict never changes.")
        );
    }
}

/// The commonest of them in full.
#[test]
fn evidence_that_came_late_is_shown_and_changes_nothing() {
    let (recorded, now) = then_and_now(without_evidence, |case| {
        case.snapshots = vec![snapshot(501, "active", "11:50:00")];
    });
    assert_eq!(recorded.outcome(), Some(Outcome::PartiallySucceeded));
    assert_eq!(now.recorded.as_ref(), Some(&recorded));
    assert_eq!(now.decision.outcome(), Some(Outcome::Succeeded));
    assert!(now.differs() && now.evidence_came_late);
    assert_eq!(now.closed_gaps, [ReasonCode::EvidenceMissing]);
    assert!(now.opened_gaps.is_empty());
    let legs: Vec<_> = now.legs.iter().map(|it| it.leg).collect();
    assert_eq!(legs, Leg::ALL);
    for it in &now.legs {
        assert_eq!(it.now, LegState::Holds);
        assert_eq!(it.then == Some(LegState::Holds), it.leg != Leg::Evidence);
    }
}

#[test]
fn evidence_that_expired_since_opens_a_gap() {
    let (_, now) = then_and_now(
        |case| case.snapshots[0].expires_at = crate::support::at("13:00:00"),
        |case| case.as_of = moment("14:00:00"),
    );
    assert_eq!(now.opened_gaps, [ReasonCode::EvidenceExpired]);
    assert!(now.closed_gaps.is_empty() && !now.evidence_came_late);
}

/// Without a record there is nothing to differ from.
#[test]
fn nothing_recorded_is_said_to_be_that() {
    let mut case = Case::proven();
    "completed".clone_into(&mut case.run.status);
    let now = Now::of(&case.facts(), None);
    assert_eq!(now.decision.outcome(), Some(Outcome::Succeeded));
    assert!(!now.differs() && !now.evidence_came_late);
    assert!(now.closed_gaps.is_empty() && now.opened_gaps.is_empty());
    assert!(now.legs.iter().all(|it| it.then.is_none()));
    "odd".clone_into(&mut case.run.status);
    let odd = Now::of(&case.facts(), None);
    assert_eq!(odd.decision.reason, ReasonCode::RunStatusUnknown);
}

proptest! {
    #![proptest_config(cases(1_000))]

    /// Beside its own record, nothing has changed; and of a closed run only status and outcome are ever put back.
    #[test]
    fn any_facts_are_the_same_beside_themselves(twins in any_twins()) {
        let facts = twins.case.facts();
        let mut open = facts.clone();
        if open.run.status == RunStatus::Completed {
            open.run.status = RunStatus::Running;
            open.run.outcome = RunOutcome::Pending;
        }
        let decision = decide(&open);
        let now = Now::of(&facts, Some(&decision));
        prop_assert_eq!(now.change, Change::Same);
        prop_assert_eq!(&now.decision, &decision);
        prop_assert!(!now.differs() && !now.evidence_came_late);
        prop_assert!(now.closed_gaps.is_empty() && now.opened_gaps.is_empty());
        prop_assert_eq!(now.legs.len(), Leg::ALL.len());
    }
}
