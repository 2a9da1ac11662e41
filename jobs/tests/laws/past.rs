//! What was known of a run at earlier moments: the life of one restore, and laws.

use proptest::prelude::*;
use reconciler_jobs::ids::RestoreId;
use reconciler_jobs::restore_execute::facts::{RestoreFacts, RestoreStatus, RunStatus};
use reconciler_jobs::restore_execute::past::{Past, Unrecorded};
use reconciler_jobs::restore_execute::results::{Counters, ItemFacts};
use reconciler_jobs::restore_execute::rows::SnapshotRow;
use reconciler_jobs::restore_execute::{Outcome, decide};
use reconciler_jobs::stamp::Stamp;

use crate::generate::{any_twins, cases};
use crate::support::{Case, RESTORE, at, audit, candidate, json, line, moment, snapshot};

/// What is unrecorded of every past.
const ALWAYS: [Unrecorded; 3] = [
    Unrecorded::RunTexts,
    Unrecorded::OtherRestores,
    Unrecorded::Evidence,
];

/// What the rules would have said at each of these moments, and what nobody can say.
fn check(case: &Case, rows: &[(&str, Option<&str>, &[Unrecorded])]) {
    let facts = case.facts();
    for (clock, said, unrecorded) in rows {
        let past = Past::of(&facts, moment(clock));
        let found = past.as_ref().map(|past| line(&decide(&past.facts)));
        assert_eq!(found.as_deref(), *said, "at {clock}");
        let named = past.map(|past| past.unrecorded).unwrap_or_default();
        // What is unrecorded of every run that there was is named once, above.
        let others = named.iter().filter(|it| !ALWAYS.contains(it));
        assert_eq!(
            others.collect::<Vec<_>>(),
            unrecorded.iter().collect::<Vec<_>>(),
            "at {clock}"
        );
    }
}

#[test]
fn a_restore_is_told_from_its_first_moment_on() {
    use Unrecorded::{Progress, RestoreStatus};
    let mut case = Case::proven();
    case.restore.started_at = at("11:05:00");
    check(
        &case,
        &[
            ("10:58:00", None, &[]),
            (
                "11:00:00",
                Some("deferred restore.in_progress"),
                &[RestoreStatus],
            ),
            (
                "11:10:00",
                Some("deferred restore.in_progress"),
                &[Progress],
            ),
            ("11:30:00", Some("deferred restore.settling"), &[]),
            ("11:34:59", Some("deferred restore.settling"), &[]),
            ("11:35:00", Some("succeeded restore.proof_complete"), &[]),
            ("11:59:00", Some("succeeded restore.proof_complete"), &[]),
        ],
    );
    // Evidence that comes after the window: until then nothing was proven, and nothing waited for it.
    case.snapshots = vec![snapshot(500, "active", "11:50:00")];
    check(
        &case,
        &[
            ("11:39:00", Some("deferred restore.settling"), &[]),
            (
                "11:45:00",
                Some("partially_succeeded restore.evidence_missing"),
                &[],
            ),
            ("11:51:00", Some("succeeded restore.proof_complete"), &[]),
        ],
    );
}

#[test]
fn an_audit_entry_says_nothing_before_it_was_written() {
    let mut case = Case::proven();
    case.audits.push(audit(950, "restore.failed", "11:50:00"));
    check(
        &case,
        &[
            ("11:45:00", Some("succeeded restore.proof_complete"), &[]),
            (
                "11:50:00",
                Some("partially_succeeded restore.audit_contradicts"),
                &[],
            ),
        ],
    );
}

#[test]
fn what_changed_since_is_named_and_not_guessed() {
    let mut case = Case::proven();
    case.restore.updated_at = at("11:50:00");
    check(
        &case,
        &[(
            "11:40:00",
            Some("succeeded restore.proof_complete"),
            &[Unrecorded::RestoreRow],
        )],
    );
    let mut case = Case::proven();
    case.audits[0].recorded_at = Stamp::Unreadable;
    check(
        &case,
        &[(
            "11:40:00",
            Some("partially_succeeded restore.audit_missing"),
            &[Unrecorded::AuditMoment],
        )],
    );
    // The snapshot of then was replaced since.
    let mut case = Case::proven();
    let mut replaced = snapshot(499, "superseded", "11:33:00");
    replaced.updated_at = at("11:45:00");
    case.snapshots.push(replaced);
    case.snapshots[0].generated_at = at("11:45:00");
    check(
        &case,
        &[
            ("11:32:00", Some("deferred restore.settling"), &[]),
            ("11:40:00", Some("succeeded restore.proof_complete"), &[]),
        ],
    );
    // A blocker's time does not run out on a row that was written again since.
    let mut case = Case::proven();
    case.nothing_applied();
    case.restore.started_at = at("11:59:00");
    case.run.started_at = at("11:59:00");
    case.restore.failure_reason = Some("write_gate_blocked".to_owned());
    check(
        &case,
        &[(
            "11:58:00",
            Some("deferred restore.blocked_waiting"),
            &[Unrecorded::RestoreStatus],
        )],
    );
}

#[test]
fn a_closed_run_was_open_before() {
    let mut case = Case::proven();
    "completed".clone_into(&mut case.run.status);
    "failed".clone_into(&mut case.run.outcome);
    case.run.completed_at = at("11:50:00");
    check(
        &case,
        &[
            ("11:40:00", Some("succeeded restore.proof_complete"), &[]),
            ("11:50:00", Some("deferred run.already_terminal"), &[]),
        ],
    );
    case.run.completed_at = Stamp::Absent;
    check(
        &case,
        &[(
            "11:40:00",
            Some("deferred run.already_terminal"),
            &[Unrecorded::RunEnd],
        )],
    );
}

/// A snapshot that was made and replaced between `generated` and `retired`.
fn replaced(id: i64, generated: &str, retired: &str) -> SnapshotRow {
    let mut row = snapshot(id, "superseded", generated);
    row.updated_at = at(retired);
    row
}

#[test]
fn evidence_that_came_or_went_later_is_neither_there_nor_gone() {
    let mut case = Case::proven();
    case.snapshots = vec![replaced(500, "11:50:00", "11:58:00")];
    let missing = Some("partially_succeeded restore.evidence_missing");
    check(
        &case,
        &[
            ("11:45:00", missing, &[]),
            (
                "11:59:00",
                Some("partially_succeeded restore.evidence_not_current"),
                &[],
            ),
        ],
    );
    // To the fraction of a second.
    case.snapshots = vec![snapshot(500, "active", "11:45:00.9")];
    check(
        &case,
        &[
            ("11:45:00.8", missing, &[]),
            ("11:45:00.9", Some("succeeded restore.proof_complete"), &[]),
        ],
    );
    // What is being made now may have been then.
    case.snapshots = vec![snapshot(500, "generating", "11:45:00")];
    check(
        &case,
        &[("11:45:00", Some("deferred restore.settling"), &[])],
    );
}

#[test]
fn who_never_started_is_not_under_way() {
    let mut case = Case::proven();
    case.nothing_applied();
    case.restore.results = json("null");
    case.restore.started_at = Stamp::Absent;
    case.restore.completed_at = Stamp::Absent;
    case.restore.updated_at = at("11:50:00");
    "queued".clone_into(&mut case.restore.status);
    case.restore.failure_reason = Some("write_gate_blocked".to_owned());
    check(
        &case,
        &[(
            "11:30:00",
            Some("deferred restore.blocked_waiting"),
            &[Unrecorded::RestoreStatus],
        )],
    );
}

/// What was known, where there was such a run.
fn then(case: &Case, clock: &str) -> Past {
    Past::of(&case.facts(), moment(clock)).expect("a run")
}

#[test]
fn of_a_restore_under_way_nothing_is_left_that_its_end_tells() {
    let mut case = Case::proven();
    case.restore.started_at = at("11:05:00");
    case.restore.updated_at = at("11:50:00");
    case.restore.failure_reason = Some("Too many requests.".to_owned());
    let now = case.facts().restore.expect("a restore");
    assert_ne!(now.counters, Counters::default());
    assert_ne!(now.failures, Vec::new());
    assert_ne!(now.items.items.total(), 0);
    let expected = RestoreFacts {
        status: RestoreStatus::Running,
        completed_at: Stamp::Absent,
        updated_at: at("11:10:00"),
        items: ItemFacts {
            requested: now.items.requested,
            ..ItemFacts::default()
        },
        counters: Counters::default(),
        failures: Vec::new(),
        ..now
    };
    assert_eq!(then(&case, "11:10:00").facts.restore, Some(expected));
}

#[test]
fn a_restore_without_a_start_was_under_way_until_it_ended() {
    let mut case = Case::proven();
    case.restore.started_at = Stamp::Absent;
    check(
        &case,
        &[(
            "11:10:00",
            Some("deferred restore.in_progress"),
            &[Unrecorded::Progress],
        )],
    );
}

#[test]
fn a_run_that_started_later_was_waiting() {
    let mut case = Case::proven();
    case.run.started_at = at("11:05:00");
    for (clock, status) in [
        ("11:04:59", RunStatus::Queued),
        ("11:05:00", RunStatus::Running),
    ] {
        assert_eq!(then(&case, clock).facts.run.status, status, "at {clock}");
    }
}

#[test]
fn other_restores_stay_where_the_linked_one_was_not_there_yet() {
    let mut case = Case::proven();
    case.candidates.push(candidate(RestoreId(8), None));
    case.restore.created_at = at("11:20:00");
    let past = then(&case, "11:10:00").facts;
    let others: Vec<_> = past.candidates.iter().map(|it| it.restore_id).collect();
    assert_eq!((past.restore, others), (None, vec![RestoreId(8)]));
    assert_ne!(RESTORE, RestoreId(8));
}

#[test]
fn evidence_that_was_replaced_later_was_not_replaced_yet() {
    let mut case = Case::proven();
    case.snapshots = vec![replaced(500, "11:33:00", "11:58:00")];
    assert_eq!(then(&case, "11:45:00").facts.evidence.retired, Vec::new());
    assert_eq!(then(&case, "11:58:00").facts.evidence.retired.len(), 1);
}

proptest! {
    #![proptest_config(cases(4_000))]

    /// A success of then has an entry and a snapshot of then, and no moment of the past is later than it is.
    #[test]
    fn any_success_of_then_rests_on_what_was_there(twins in any_twins(), minute in 0..60_i64) {
        let facts = twins.case.facts();
        prop_assert_eq!(Past::of(&facts, facts.as_of).map(|it| it.facts), Some(facts.clone()));
        let then = moment("11:00:00") + jiff::SignedDuration::from_mins(minute);
        prop_assume!(then < facts.as_of);
        let Some(past) = Past::of(&facts, then) else {
            return Ok(());
        };
        prop_assert_eq!(past.facts.as_of, then);
        prop_assert_eq!(Past::of(&past.facts, then).map(|it| it.facts), Some(past.facts.clone()));
        if decide(&past.facts).outcome() == Some(Outcome::Succeeded) {
            let evidence = past.facts.evidence.active.and_then(|it| it.generated_at.moment());
            prop_assert!(evidence.is_some_and(|at| at <= then));
            let ended = past.facts.restore.as_ref().and_then(|it| it.completed_at.moment());
            prop_assert!(ended.is_some_and(|at| at <= then));
        }
    }
}
