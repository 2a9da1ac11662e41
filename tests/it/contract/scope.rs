//! Rows of another workspace or environment, and deleted ones, change nothing and show up nowhere.

use restore_reconciler::internals::storage::Settlement;

use crate::support::case::{Case, FOREIGN, HOME, NEIGHBOUR, RECORDED, restore_of};
use crate::support::store::{Fixture, on_both};

on_both!(
    a_named_restore_outside_of_the_scope_does_not_exist,
    foreign_restores_that_point_here_are_not_seen,
    foreign_audit_entries_neither_prove_nor_contradict,
    foreign_evidence_neither_proves_nor_replaces,
    a_run_without_an_environment_has_no_proof,
);

/// Where foreign ids begin: higher than every other, and of digits that no digest and no moment has by
/// chance, so that one that shows up anywhere is found by its text.
const MARK: i64 = 7_777_777_777_000;

const OUTSIDE: [(i64, i64); 2] = [NEIGHBOUR, FOREIGN];

/// Nothing that was written mentions a foreign row. `context` is exempt where the platform itself had
/// put the id there.
async fn assert_unmentioned(on: &Fixture) {
    for query in [
        "SELECT * FROM reconciler.ledger",
        "SELECT * FROM reconciler.watch_list",
        "SELECT * FROM audit_logs WHERE resource_type = 'operation_run'",
        "SELECT summary_counts, failure_summary FROM operation_runs",
        "SELECT context FROM operation_runs WHERE status = 'completed'",
    ] {
        let rows = on.rows(query).await;
        let text = format!("{rows:?}");
        assert!(!text.contains("7777777777"), "{query}: {text}");
    }
}

async fn assert_verdicts(on: &Fixture, expected: &[(i64, &str)]) {
    let runs: Vec<i64> = expected.iter().map(|(run, _)| *run).collect();
    let results = on.settle(&runs).await;
    for (run, reason) in expected {
        let Settlement::Committed(assessment) = &results[run] else {
            panic!("run {run}: {:?}", results[run]);
        };
        assert_eq!(assessment.decision.reason.code(), *reason, "run {run}");
    }
    assert_unmentioned(on).await;
}

async fn a_named_restore_outside_of_the_scope_does_not_exist(on: Fixture) {
    let mut cases = Vec::new();
    for (id, (workspace, environment)) in (1..).zip(OUTSIDE) {
        let mut case = Case::proven(id);
        case.restore.id = MARK + id;
        case.restore.workspace_id = workspace;
        case.restore.managed_environment_id = environment;
        case.run.context = Some(format!(r#"{{"restore_run_id":{}}}"#, MARK + id));
        cases.push(case);
    }
    // Only one of the two differs: rows that no foreign key forbids.
    let mut workspace_only = Case::proven(3);
    workspace_only.restore.workspace_id = FOREIGN.0;
    let mut deleted = Case::proven(4);
    deleted.restore.deleted_at = Some(RECORDED.to_owned());
    cases.extend([workspace_only, deleted]);
    // In scope, but the context says that another scope was meant.
    let stated = [
        ("workspace_id", FOREIGN.0),
        ("managed_environment_id", NEIGHBOUR.1),
    ];
    for (id, (key, value)) in (5..).zip(stated) {
        let context = format!(
            r#"{{"restore_run_id":{},"target_scope":{{"{key}":{value}}}}}"#,
            restore_of(id)
        );
        cases.push(Case::proven(id).with_context(Some(&context)));
    }
    on.plant(cases).await;
    for run in 1..=6 {
        let deferred = on.deferral(run).await;
        assert_eq!(
            deferred.decision.reason.code(),
            "restore.proof_unavailable",
            "run {run}"
        );
        if run <= 4 {
            assert_eq!(deferred.facts.restore, None, "run {run}");
            assert_eq!(deferred.facts.candidates, [], "run {run}");
        }
    }
    assert_unmentioned(&on).await;
}

async fn foreign_restores_that_point_here_are_not_seen(on: Fixture) {
    // Named and unnamed: neither a rival of the one nor a successor of the other.
    let mut cases = [Case::proven(1), Case::proven(2).with_context(None)];
    let mut next = MARK;
    for case in &mut cases {
        for (workspace, environment) in OUTSIDE {
            next += 1;
            let mut other = case.restore.clone();
            other.id = next; // higher than the real one
            other.workspace_id = workspace;
            other.managed_environment_id = environment;
            case.others.push(other);
        }
        next += 1;
        let mut workspace_only = case.restore.clone();
        workspace_only.id = next;
        workspace_only.workspace_id = FOREIGN.0;
        next += 1;
        let mut deleted = case.restore.clone();
        deleted.id = next;
        deleted.deleted_at = Some(RECORDED.to_owned());
        case.others.extend([workspace_only, deleted]);
    }
    // With foreign ones only, there is none.
    let mut alone = Case::proven(3).with_context(None);
    alone.restore.workspace_id = FOREIGN.0;
    alone.restore.managed_environment_id = FOREIGN.1;
    on.plant(cases).await;
    on.plant([alone]).await;
    let expected = [(1, "restore.proof_complete"), (2, "restore.proof_complete")];
    assert_verdicts(&on, &expected).await;
    let deferred = on.deferral(3).await;
    assert_eq!(deferred.decision.reason.code(), "restore.proof_unavailable");
}

/// Every way in which an audit entry can be outside of the scope.
const ELSEWHERE: [(Option<i64>, Option<i64>); 5] = [
    (Some(NEIGHBOUR.0), Some(NEIGHBOUR.1)),
    (Some(FOREIGN.0), Some(FOREIGN.1)),
    (Some(FOREIGN.0), Some(HOME.1)),
    (Some(HOME.0), None),
    (None, None),
];

async fn foreign_audit_entries_neither_prove_nor_contradict(on: Fixture) {
    let mut cases = Vec::new();
    let mut expected = Vec::new();
    for (id, (workspace_id, managed_environment_id)) in (1..).zip(ELSEWHERE) {
        let mut unproven = Case::proven(id);
        unproven.audits[0].workspace_id = workspace_id;
        unproven.audits[0].managed_environment_id = managed_environment_id;
        cases.push(unproven);
        expected.push((id, "restore.audit_missing"));

        let mut uncontradicted = Case::proven(id + 100);
        let mut entry = uncontradicted.audits[0].clone();
        "restore.failed".clone_into(&mut entry.action);
        "2025-03-01T10:09:00Z".clone_into(&mut entry.recorded_at);
        entry.workspace_id = workspace_id;
        entry.managed_environment_id = managed_environment_id;
        uncontradicted.audits.push(entry);
        cases.push(uncontradicted);
        expected.push((id + 100, "restore.proof_complete"));
    }
    // About something else that happens to have the restore's id.
    let mut mistaken = Case::proven(200);
    "operation_run".clone_into(&mut mistaken.audits[0].resource_type);
    cases.push(mistaken);
    expected.push((200, "restore.audit_missing"));
    on.plant(cases).await;
    on.assert_verdicts(&expected).await;
}

async fn foreign_evidence_neither_proves_nor_replaces(on: Fixture) {
    let mut cases = Vec::new();
    let mut expected = Vec::new();
    let outside = [NEIGHBOUR, FOREIGN, (FOREIGN.0, HOME.1)];
    for (id, (workspace, environment)) in (1..).zip(outside) {
        let mut unproven = Case::proven(id);
        unproven.snapshots[0].id = MARK + id;
        unproven.snapshots[0].workspace_id = workspace;
        unproven.snapshots[0].managed_environment_id = environment;
        cases.push(unproven);
        expected.push((id, "restore.evidence_missing"));

        let mut unreplaced = Case::proven(id + 100);
        let mut newer = unreplaced.snapshots[0].clone();
        newer.id = MARK + 100 + id;
        newer.workspace_id = workspace;
        newer.managed_environment_id = environment;
        "partial".clone_into(&mut newer.completeness_state);
        unreplaced.snapshots.push(newer);
        cases.push(unreplaced);
        expected.push((id + 100, "restore.proof_complete"));
    }
    // The same scope, but captured for another run, or for none.
    for (id, run) in [(201, Some(1)), (202, None)] {
        let mut unproven = Case::proven(id);
        unproven.snapshots[0].id = MARK + id;
        unproven.snapshots[0].operation_run_id = run;
        cases.push(unproven);
        expected.push((id, "restore.evidence_missing"));
    }
    expected[0].1 = "restore.proof_complete"; // snapshot 201 was captured for run 1 after all
    on.plant(cases).await;
    on.assert_verdicts(&expected).await;
}

async fn a_run_without_an_environment_has_no_proof(on: Fixture) {
    let mut case = Case::proven(1);
    case.run.managed_environment_id = None;
    on.plant([case]).await;
    let deferred = on.deferral(1).await;
    assert_eq!(deferred.decision.reason.code(), "restore.proof_unavailable");
    let watched = on.row("SELECT * FROM reconciler.watch_list").await;
    assert_eq!(watched["managed_environment_id"], None);
}

/// The restore that was chosen is loaded by a query of its own. It could not reach another scope even
/// without its own predicates, which is no reason for it to lack them.
#[test]
fn every_query_that_reads_proof_carries_the_scope() {
    macro_rules! query {
        ($name:literal) => {
            (
                $name,
                include_str!(concat!("../../../src/storage/", $name, ".sql")),
            )
        };
    }
    for (name, text) in [
        query!("postgres/sql/load_candidates"),
        query!("postgres/sql/load_restores"),
        query!("postgres/sql/load_audits"),
        query!("postgres/sql/load_snapshots"),
        query!("sqlite/sql/load_candidates"),
        query!("sqlite/sql/load_restores"),
        query!("sqlite/sql/load_audits"),
        query!("sqlite/sql/load_snapshots"),
    ] {
        let count = |part: &str| text.matches(part).count();
        let reads = ["restore_runs AS", "audit_logs AS", "evidence_snapshots AS"];
        let reads: usize = reads.into_iter().map(count).sum();
        assert!(reads > 0, "{name}");
        assert_eq!(count(".workspace_id = ask."), reads, "{name}");
        assert_eq!(count(".managed_environment_id = ask."), reads, "{name}");
        let restores = count("restore_runs AS");
        assert_eq!(count("restore.deleted_at IS NULL"), restores, "{name}");
    }
}

/// Locks make a lost race all but impossible, and the guard is what remains when somebody changes
/// that: it has to be part of the statement itself.
#[test]
fn what_locks_and_what_closes_carries_the_guard() {
    for text in [
        include_str!("../../../src/storage/postgres/sql/lock_open_runs.sql"),
        include_str!("../../../src/storage/postgres/sql/close_runs.sql"),
        include_str!("../../../src/storage/sqlite/sql/lock_open_runs.sql"),
        include_str!("../../../src/storage/sqlite/sql/close_runs.sql"),
    ] {
        assert!(text.contains("status IN ('queued', 'running')"), "{text}");
        assert!(text.contains("type = 'restore.execute'"), "{text}");
    }
}
