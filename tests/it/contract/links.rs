//! Which rows a run's proof is read from: the link rule, the latest audit entries, the snapshot with the highest id.

use restore_reconciler::internals::storage::{AUDITS_PER_RESTORE_MAX, Assessment};

use crate::support::case::{Case, RECORDED, audit, restore_of, snapshot, snapshot_of};
use crate::support::settled::committed;
use crate::support::store::{Fixture, on_both, with};

on_both!(
    a_named_restore_may_point_nowhere,
    the_highest_restore_that_points_here_counts_where_none_is_named,
    a_named_restore_that_cannot_be_used_is_not_replaced,
    two_restores_that_claim_one_run_prove_nothing,
    two_runs_may_name_one_restore,
    a_later_contradiction_counts_however_many_entries_there_are,
    the_snapshot_with_the_highest_id_of_each_status_counts,
);

fn linked(assessment: &Assessment) -> i64 {
    let restore = assessment.facts.restore.as_ref();
    restore.expect("a restore").id.0
}

/// A case whose context names no restore.
fn unnamed(id: i64) -> Case {
    Case::proven(id).with_context(Some("{}"))
}

async fn a_named_restore_may_point_nowhere(on: Fixture) {
    let case = with(Case::proven(1), |case| case.restore.operation_run_id = None);
    on.plant([case]).await;
    let written = on.verdict(1).await;
    assert_eq!(written.reason(), "restore.proof_complete");
    assert_eq!(linked(&written.assessment), restore_of(1));
}

async fn the_highest_restore_that_points_here_counts_where_none_is_named(on: Fixture) {
    let mut case = unnamed(1);
    for offset in 1..=4 {
        let mut other = case.restore.clone();
        other.id += offset;
        other.status = "failed".to_owned();
        case.others.push(other);
    }
    // The very highest was deleted, so the one below it counts.
    case.others[3].deleted_at = Some(RECORDED.to_owned());
    on.plant([case]).await;
    let written = on.verdict(1).await;
    assert_eq!(linked(&written.assessment), restore_of(1) + 3);
    assert_eq!(written.reason(), "restore.execution_failed");
}

async fn a_named_restore_that_cannot_be_used_is_not_replaced(on: Fixture) {
    let named = |id, restore: &str| {
        Case::proven(id).with_context(Some(&format!(r#"{{"restore_run_id":{restore}}}"#)))
    };
    let deleted = with(Case::proven(4), |case| {
        case.restore.deleted_at = Some(RECORDED.to_owned());
    });
    on.plant([
        Case::proven(9),
        // Points at another run; does not exist; exists nowhere that a number could lead to.
        named(1, &restore_of(9).to_string()),
        named(2, "404"),
        named(3, "1000003.5"),
        deleted,
    ])
    .await;
    on.assert_deferred(1..=4, "restore.proof_unavailable").await;
    on.assert_judged([9], "restore.proof_complete").await;
}

async fn two_restores_that_claim_one_run_prove_nothing(on: Fixture) {
    let mut case = Case::proven(1);
    let mut rival = case.restore.clone();
    rival.id = 17; // lower than the named one, so that "the highest" would not notice it
    case.others.push(rival);
    on.plant([case]).await;
    on.assert_deferred([1], "restore.proof_unavailable").await;

    on.execute("UPDATE restore_runs SET deleted_at = created_at WHERE id = 17")
        .await;
    on.assert_judged([1], "restore.proof_complete").await;
}

async fn two_runs_may_name_one_restore(on: Fixture) {
    let mut one = Case::failed(1);
    one.restore.operation_run_id = None;
    let mut two = Case::failed(2).with_context(one.run.context.clone().as_deref());
    two.restore.operation_run_id = None;
    on.plant([one, two]).await;
    let results = on.settle(&[1, 2]).await;
    for assessment in results.values().map(committed) {
        assert_eq!(linked(assessment), restore_of(1));
        assert_eq!(assessment.facts.audits.len(), 1, "each entry once");
    }
}

async fn a_later_contradiction_counts_however_many_entries_there_are(on: Fixture) {
    let many = usize::try_from(AUDITS_PER_RESTORE_MAX).unwrap() + 8;
    let with = |id: i64, contradiction: &str| {
        let mut case = Case::proven(id);
        let entry = case.audits[0].clone();
        case.audits = vec![entry; many];
        case.audits[3] = audit(restore_of(id), "restore.failed", contradiction);
        case
    };
    on.plant([
        with(1, "2025-03-01T10:05:00Z"), // before the others: overruled by them
        with(2, "2025-03-01T10:05:02Z"),
        with(3, "infinity"),
        with(4, "-infinity"),
        with(5, "1969-12-31T23:59:59Z"),
    ])
    .await;
    let first = on.verdict(1).await;
    assert_eq!(first.reason(), "restore.proof_complete");
    let read = i64::try_from(first.assessment.facts.audits.len()).unwrap();
    assert_eq!(read, AUDITS_PER_RESTORE_MAX);
    // An entry whose time cannot be read counts as later than everything.
    on.assert_judged(2..=5, "restore.audit_contradicts").await;
}

async fn the_snapshot_with_the_highest_id_of_each_status_counts(on: Fixture) {
    let overtaken = with(Case::proven(1), |case| {
        let mut newer = snapshot(snapshot_of(501), 1, "active");
        newer.completeness_state = "partial".to_owned();
        case.snapshots.push(newer);
    });
    let improved = with(Case::proven(2), |case| {
        case.snapshots[0].completeness_state = "missing".to_owned();
        let newer = [(502, "active"), (602, "superseded")];
        let newer = newer.map(|(id, status)| snapshot(snapshot_of(id), 2, status));
        case.snapshots.extend(newer);
    });
    let retired = with(Case::proven(3), |case| {
        case.snapshots[0].status = "superseded".to_owned();
        let expired = snapshot(snapshot_of(503), 3, "expired");
        case.snapshots.push(expired);
    });
    let case_matters = with(Case::proven(4), |case| {
        case.snapshots[0].status = "Active".to_owned();
    });
    on.plant([overtaken, improved, retired, case_matters]).await;

    let expected = [
        (1, "restore.evidence_incomplete", Some(snapshot_of(501))),
        (2, "restore.proof_complete", Some(snapshot_of(502))),
        (3, "restore.evidence_not_current", None),
        (4, "restore.evidence_not_current", None),
    ];
    for (run, reason, active) in expected {
        let written = on.verdict(run).await;
        assert_eq!(written.reason(), reason, "run {run}");
        let found = written.assessment.facts.evidence.active;
        assert_eq!(found.map(|snapshot| snapshot.id.0), active, "run {run}");
    }
}
