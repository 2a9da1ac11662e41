//! Rows of another workspace or environment, and deleted ones, change nothing and show up nowhere.

use std::fs;
use std::path::Path;

use reconciler_fixtures::{PlantedAudit, PlantedRestore, PlantedSnapshot};

use crate::support::case::{Case, FOREIGN, HOME, NEIGHBOUR, RECORDED, audit, restore_of};
use crate::support::settled::reason;
use crate::support::store::{Fixture, on_both, with};

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
        "SELECT * FROM reconciler.verdicts",
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

/// A restore like the case's, in another scope.
fn like(case: &Case, id: i64, (workspace, environment): (i64, i64)) -> PlantedRestore {
    PlantedRestore {
        id,
        workspace_id: workspace,
        managed_environment_id: environment,
        ..case.restore.clone()
    }
}

async fn a_named_restore_outside_of_the_scope_does_not_exist(on: Fixture) {
    let mut cases = Vec::new();
    for (id, (workspace, environment)) in (1..).zip(OUTSIDE) {
        cases.push(with(Case::proven(id), |case| {
            case.restore = like(case, MARK + id, (workspace, environment));
            case.run.context = Some(format!(r#"{{"restore_run_id":{}}}"#, MARK + id));
        }));
    }
    cases.extend([
        // Only one of the two differs: rows that no foreign key forbids.
        with(Case::proven(3), |case| {
            case.restore.workspace_id = FOREIGN.0;
        }),
        with(Case::proven(4), |case| {
            case.restore.deleted_at = Some(RECORDED.to_owned());
        }),
    ]);
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
        assert_eq!(reason(&deferred), "restore.proof_unavailable", "run {run}");
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
        for scope in [NEIGHBOUR, FOREIGN, (FOREIGN.0, HOME.1), HOME] {
            next += 1;
            case.others.push(like(case, next, scope));
        }
        // The one in the run's own scope was deleted.
        case.others[3].deleted_at = Some(RECORDED.to_owned());
    }
    // With foreign ones only, there is none.
    let alone = with(Case::proven(3).with_context(None), |case| {
        case.restore = like(case, restore_of(3), FOREIGN);
    });
    on.plant(cases).await;
    on.plant([alone]).await;
    let expected = [(1, "restore.proof_complete"), (2, "restore.proof_complete")];
    on.assert_verdicts(&expected).await;
    assert_unmentioned(&on).await;
    on.assert_deferred([3], "restore.proof_unavailable").await;
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
        let elsewhere = |entry: PlantedAudit| PlantedAudit {
            workspace_id,
            managed_environment_id,
            ..entry
        };
        cases.push(with(Case::proven(id), |case| {
            case.audits = case.audits.drain(..).map(elsewhere).collect();
        }));
        expected.push((id, "restore.audit_missing"));

        cases.push(with(Case::proven(id + 100), |case| {
            let entry = audit(case.restore.id, "restore.failed", "2025-03-01T10:09:00Z");
            case.audits.push(elsewhere(entry));
        }));
        expected.push((id + 100, "restore.proof_complete"));
    }
    // About something else that happens to have the restore's id.
    cases.push(with(Case::proven(200), |case| {
        "operation_run".clone_into(&mut case.audits[0].resource_type);
    }));
    expected.push((200, "restore.audit_missing"));
    on.plant(cases).await;
    on.assert_verdicts(&expected).await;
}

async fn foreign_evidence_neither_proves_nor_replaces(on: Fixture) {
    let mut cases = Vec::new();
    let mut expected = Vec::new();
    let outside = [NEIGHBOUR, FOREIGN, (FOREIGN.0, HOME.1)];
    for (id, (workspace, environment)) in (1..).zip(outside) {
        let elsewhere = |case: &Case| PlantedSnapshot {
            id: MARK + case.run.id,
            workspace_id: workspace,
            managed_environment_id: environment,
            ..case.snapshots[0].clone()
        };
        cases.push(with(Case::proven(id), |case| {
            case.snapshots = vec![elsewhere(case)];
        }));
        expected.push((id, "restore.evidence_missing"));

        cases.push(with(Case::proven(id + 100), |case| {
            case.snapshots.push(PlantedSnapshot {
                completeness_state: "partial".to_owned(),
                ..elsewhere(case)
            });
        }));
        expected.push((id + 100, "restore.proof_complete"));
    }
    // The same scope, but captured for another run, or for none.
    for (id, run) in [(201, Some(1)), (202, None)] {
        cases.push(with(Case::proven(id), |case| {
            case.snapshots[0].id = MARK + id;
            case.snapshots[0].operation_run_id = run;
        }));
        expected.push((id, "restore.evidence_missing"));
    }
    expected[0].1 = "restore.proof_complete"; // snapshot 201 was captured for run 1 after all
    on.plant(cases).await;
    on.assert_verdicts(&expected).await;
}

async fn a_run_without_an_environment_has_no_proof(on: Fixture) {
    let homeless = with(Case::proven(1), |case| {
        case.run.managed_environment_id = None;
    });
    on.plant([homeless]).await;
    on.assert_deferred([1], "restore.proof_unavailable").await;
    let watched = on.row("SELECT * FROM reconciler.watch_list").await;
    assert_eq!(watched["managed_environment_id"], None);
}

/// The restore that was chosen is loaded by a query of its own. It could not reach another scope even
/// without its own predicates, which is no reason for it to lack them.
#[test]
fn every_query_that_reads_proof_carries_the_scope() {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/storage");
    let databases = ["postgres", "sqlite"];
    let queries = "load_candidates load_restores load_audits load_snapshots".split(' ');
    for name in queries.flat_map(|query| databases.map(|it| format!("{it}/sql/{query}.sql"))) {
        let text = fs::read_to_string(sources.join(&name)).unwrap();
        let count = |part: &str| text.matches(part).count();
        let reads = [
            "restore_runs AS",
            "audit_logs AS",
            "evidence_snapshots AS",
            "backup_sets AS",
        ];
        let reads: usize = reads.into_iter().map(count).sum();
        assert!(reads > 0, "{name}");
        assert_eq!(count(".workspace_id = ask."), reads, "{name}");
        assert_eq!(count(".managed_environment_id = ask."), reads, "{name}");
        let restores = count("restore_runs AS");
        assert_eq!(count("restore.deleted_at IS NULL"), restores, "{name}");
    }
}

/// Locks leave no race to be lost, and the guard is what remains when somebody changes that: it has to be part of the
/// statement itself.
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
