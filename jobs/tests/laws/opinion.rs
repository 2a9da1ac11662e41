//! Second opinions: a row per claim and per way in which proof ages, and laws.

use proptest::prelude::*;
use reconciler_jobs::ids::SnapshotId;
use reconciler_jobs::json::Column;
use reconciler_jobs::restore_execute::facts::{RunOutcome, RunStatus};
use reconciler_jobs::restore_execute::opinion::{Stance, is_unproven_success, opine};
use reconciler_jobs::restore_execute::rows::SnapshotRow;
use reconciler_jobs::restore_execute::{Outcome, ReasonCode};
use reconciler_jobs::stamp::Stamp;

use crate::generate::{any_twins, cases};
use crate::support::{Case, NOON, at, audit, json, moment, snapshot};

/// When somebody else closed the run: a moment after its evidence came.
const CLOSED: &str = "11:36:00";

/// A day and some later.
fn days_later(days: i64, clock: &str) -> Stamp {
    let micros = moment(clock).as_microsecond() + days * 86_400_000_000;
    Stamp::parse(Some(micros), true)
}

/// A complete case that somebody else closed with this outcome.
fn closed(outcome: &str) -> Case {
    let mut case = Case::proven();
    "completed".clone_into(&mut case.run.status);
    outcome.clone_into(&mut case.run.outcome);
    case.run.completed_at = at(CLOSED);
    case
}

/// `stance reason`, with a mark at what is claimed without proof.
fn said(case: &Case) -> String {
    let opinion = opine(&case.facts());
    let mark = if is_unproven_success(opinion.claimed, opinion.stance) {
        " !"
    } else {
        ""
    };
    format!("{} {}{mark}", opinion.stance.word(), opinion.reason())
}

type Change<'a> = &'a dyn Fn(&mut Case);

fn check(rows: &[(&str, &str, Change<'_>, &str)]) {
    for (about, claimed, change, expected) in rows {
        let mut case = closed(claimed);
        change(&mut case);
        assert_eq!(said(&case), *expected, "{about}, claimed {claimed}");
    }
}

#[test]
fn a_claim_is_measured_by_what_the_rules_find() {
    let nothing: Change<'_> = &|_| ();
    let failed: Change<'_> = &|case| "failed".clone_into(&mut case.restore.status);
    let cancelled: Change<'_> = &|case| {
        case.nothing_applied();
        "cancelled".clone_into(&mut case.restore.status);
        case.audits = vec![audit(900, "restore.cancelled", "11:31:00")];
    };
    let no_evidence: Change<'_> = &|case| case.snapshots.clear();
    check(&[
        (
            "proven",
            "succeeded",
            nothing,
            "agrees restore.proof_complete",
        ),
        (
            "proven",
            "partially_succeeded",
            nothing,
            "claims_less restore.proof_complete",
        ),
        (
            "proven",
            "failed",
            nothing,
            "claims_less restore.proof_complete",
        ),
        (
            "no evidence",
            "succeeded",
            no_evidence,
            "claims_more restore.evidence_missing !",
        ),
        (
            "no evidence",
            "partially_succeeded",
            no_evidence,
            "agrees restore.evidence_missing",
        ),
        (
            "no evidence",
            "blocked",
            no_evidence,
            "claims_less restore.evidence_missing",
        ),
        (
            "failed",
            "succeeded",
            failed,
            "claims_more restore.execution_failed !",
        ),
        (
            "failed",
            "partially_succeeded",
            failed,
            "claims_more restore.execution_failed",
        ),
        (
            "failed",
            "blocked",
            failed,
            "disagrees restore.execution_failed",
        ),
        (
            "failed",
            "failed",
            failed,
            "agrees restore.execution_failed",
        ),
        (
            "cancelled",
            "failed",
            cancelled,
            "disagrees restore.cancelled",
        ),
        (
            "cancelled",
            "blocked",
            cancelled,
            "agrees restore.cancelled",
        ),
        (
            "nothing claimed",
            "pending",
            nothing,
            "cannot_tell restore.proof_complete",
        ),
        (
            "nobody knows the word",
            "done",
            nothing,
            "cannot_tell restore.proof_complete",
        ),
    ]);
}

#[test]
fn what_the_rules_leave_undecided_nobody_can_tell() {
    check(&[
        (
            "no restore",
            "succeeded",
            &|case| case.candidates.clear(),
            "cannot_tell restore.proof_unavailable",
        ),
        (
            "a preview",
            "succeeded",
            &|case| case.restore.is_dry_run = Some(true),
            "cannot_tell restore.preview_only",
        ),
        (
            "still running",
            "succeeded",
            &|case| "running".clone_into(&mut case.restore.status),
            "cannot_tell restore.in_progress",
        ),
        (
            "evidence may still come",
            "succeeded",
            &|case| {
                case.snapshots.clear();
                case.as_of = moment("11:37:00");
            },
            "cannot_tell restore.settling",
        ),
    ]);
}

/// The traces of a closer are its claim. What others recorded is not.
#[test]
fn what_the_closer_wrote_is_no_evidence() {
    let healed = r#"{"restore_run_id":7,"reconciliation":{"reason_code":"run.stale_running"}}"#;
    check(&[
        (
            "its own failure",
            "failed",
            &|case| {
                case.run.context = json(healed);
                case.run.failure_summary = json(r#"[{"code":"run.stale_running"}]"#);
            },
            "claims_less restore.proof_complete",
        ),
        (
            "somebody else's failure",
            "succeeded",
            &|case| case.run.failure_summary = json(r#"[{"code":"graph.throttled"}]"#),
            "claims_more restore.failure_recorded !",
        ),
    ]);
}

fn retired(status: &str, retired_at: Stamp) -> SnapshotRow {
    SnapshotRow {
        updated_at: retired_at,
        ..snapshot(500, status, "11:35:00")
    }
}

/// Some snapshot of a later day.
fn later(days: i64, status: &str) -> SnapshotRow {
    SnapshotRow {
        generated_at: days_later(days, NOON),
        updated_at: days_later(days, NOON),
        ..snapshot(501, status, NOON)
    }
}

/// What is said ten days later of a success with these snapshots.
fn with(rows: Vec<SnapshotRow>) -> String {
    let mut case = closed("succeeded");
    let ten_days = jiff::SignedDuration::from_hours(240);
    case.as_of = case.as_of.checked_add(ten_days).unwrap();
    case.snapshots = rows;
    said(&case)
}

const AGREES: &str = "agrees restore.proof_complete";
const AGED: &str = "cannot_tell proof_aged";

#[test]
fn proof_counts_as_it_stood_when_the_run_was_closed() {
    let expiring = |moment: Stamp| SnapshotRow {
        expires_at: moment,
        ..snapshot(500, "active", "11:35:00")
    };
    for (about, rows, expected) in [
        ("expired since", vec![expiring(at("11:37:00"))], AGREES),
        (
            "expired before",
            vec![expiring(at("11:35:30"))],
            "claims_more restore.evidence_expired !",
        ),
        (
            "expired in the moment of closing",
            vec![expiring(at(CLOSED))],
            "claims_more restore.evidence_expired !",
        ),
        (
            "came in the last moment of a day after",
            vec![SnapshotRow {
                generated_at: days_later(1, CLOSED),
                ..later(1, "active")
            }],
            AGREES,
        ),
        (
            "superseded since",
            vec![retired("superseded", at("11:37:00"))],
            AGREES,
        ),
        (
            "marked as expired since",
            vec![retired("expired", days_later(3, NOON))],
            AGREES,
        ),
        (
            "superseded before",
            vec![retired("superseded", at("11:35:30"))],
            "claims_more restore.evidence_not_current !",
        ),
        (
            "failed, and never was active",
            vec![retired("failed", at("11:37:00"))],
            "claims_more restore.evidence_not_current !",
        ),
        (
            "retired nobody knows when",
            vec![retired("superseded", Stamp::Absent)],
            AGED,
        ),
        (
            "came late, within a day",
            vec![snapshot(500, "active", "18:00:00")],
            AGREES,
        ),
        (
            "came too late",
            vec![later(2, "active")],
            "claims_more restore.evidence_missing !",
        ),
    ] {
        assert_eq!(with(rows), expected, "{about}");
    }
}

#[test]
fn evidence_that_another_took_the_place_of_counts_as_it_stood() {
    let incomplete = |row: SnapshotRow| SnapshotRow {
        completeness: Some("partial".to_owned()),
        ..row
    };
    for (about, rows, expected) in [
        (
            "a later one took its place",
            vec![
                retired("superseded", days_later(2, NOON)),
                later(2, "active"),
            ],
            AGREES,
        ),
        (
            "a worse one took its place on the same day",
            vec![
                retired("superseded", at("11:50:00")),
                incomplete(snapshot(501, "active", "11:50:00")),
            ],
            AGED,
        ),
        (
            "a worse one had taken its place before",
            vec![
                retired("superseded", at("11:35:40")),
                incomplete(snapshot(501, "active", "11:35:40")),
            ],
            "claims_more restore.evidence_incomplete !",
        ),
        (
            "expired before, and marked as that since",
            vec![SnapshotRow {
                expires_at: at("11:35:30"),
                ..retired("expired", at("11:50:00"))
            }],
            "claims_more restore.evidence_expired !",
        ),
        (
            "replaced twice since, and what is read of it would prove nothing",
            vec![
                incomplete(SnapshotRow {
                    expires_at: days_later(3, NOON),
                    ..later(2, "superseded")
                }),
                SnapshotRow {
                    id: SnapshotId(502),
                    ..later(4, "active")
                },
            ],
            AGED,
        ),
        (
            "replaced twice since, so that the first is not read",
            vec![
                later(2, "superseded"),
                SnapshotRow {
                    id: SnapshotId(502),
                    ..later(4, "active")
                },
            ],
            AGED,
        ),
    ] {
        assert_eq!(with(rows), expected, "{about}");
    }
}

/// What was replaced since is taken for as old as the closing of the run, and so for older than a restore that ended later.
#[test]
fn what_was_replaced_proves_nothing_of_a_restore_that_ended_after_its_run() {
    let mut case = closed("succeeded");
    let ten_days = jiff::SignedDuration::from_hours(240);
    case.as_of = case.as_of.checked_add(ten_days).unwrap();
    case.run.completed_at = at("11:20:00");
    case.snapshots = vec![later(2, "superseded")];
    assert_eq!(said(&case), "claims_more restore.evidence_not_current !");
}

#[test]
fn a_run_without_an_end_leaves_age_open() {
    let without_end = |rows: Vec<SnapshotRow>| {
        let mut case = closed("succeeded");
        case.run.completed_at = Stamp::Absent;
        case.snapshots = rows;
        said(&case)
    };
    let expired = SnapshotRow {
        expires_at: at("11:50:00"),
        ..snapshot(500, "active", "11:35:00")
    };
    for (rows, expected) in [
        (
            vec![snapshot(500, "active", "11:35:00")],
            "agrees restore.proof_complete",
        ),
        (vec![expired], "cannot_tell proof_aged"),
        (
            vec![retired("superseded", at("11:50:00"))],
            "cannot_tell proof_aged",
        ),
        (vec![], "claims_more restore.evidence_missing !"),
    ] {
        assert_eq!(without_end(rows), expected);
    }
}

/// What is recorded long after a run was closed can neither prove nor refute its claim.
#[test]
fn entries_of_another_day_are_passed_over() {
    let case = |days: i64| {
        let mut case = closed("succeeded");
        case.as_of = case
            .as_of
            .checked_add(jiff::SignedDuration::from_hours(240))
            .unwrap();
        let mut contradicting = audit(901, "restore.failed", NOON);
        contradicting.recorded_at = days_later(days, NOON);
        case.audits.push(contradicting);
        said(&case)
    };
    assert_eq!(case(0), "claims_more restore.audit_contradicts !");
    assert_eq!(case(2), "agrees restore.proof_complete");
}

#[test]
fn what_is_not_asked_for_does_not_change_a_claim() {
    let mut case = closed("succeeded");
    case.run.summary_counts = Column::Null;
    case.run.started_at = Stamp::Absent;
    assert_eq!(said(&case), "agrees restore.proof_complete");
}

#[test]
fn words_are_read_back() {
    for stance in Stance::ALL {
        assert_eq!(Stance::parse(stance.word()), Some(stance));
    }
    assert_eq!(Stance::parse("proven"), None);
}

proptest! {
    #![proptest_config(cases(1_000))]

    /// A success is confirmed where all eight legs hold, and nowhere else; and where they hold no success is called unproven.
    #[test]
    fn no_success_is_confirmed_without_proof(twins in any_twins()) {
        let mut facts = twins.case.facts();
        facts.run.status = RunStatus::Completed;
        for outcome in RunOutcome::ALL {
            facts.run.outcome = outcome;
            let opinion = opine(&facts);
            prop_assert_eq!(&opine(&facts), &opinion);
            let found = opinion.decision.outcome();
            if outcome == RunOutcome::Succeeded {
                let is_proven = opinion.decision.proof.is_complete();
                prop_assert_eq!(opinion.stance == Stance::Agrees, is_proven && found == Some(Outcome::Succeeded));
                prop_assert!(!(is_unproven_success(opinion.claimed, opinion.stance) && found == Some(Outcome::Succeeded)));
            }
            if found.is_none() {
                prop_assert_eq!(opinion.stance, Stance::CannotTell);
                prop_assert_ne!(opinion.decision.reason, ReasonCode::AlreadyTerminal);
            }
        }
    }
}
