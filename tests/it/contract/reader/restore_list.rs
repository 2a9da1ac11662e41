//! Pages of restores: each kind, within what a viewer may see, and nothing twice or never.

use reconciler_jobs::ids::{EnvironmentId, RestoreId, WorkspaceId};
use restore_reconciler::internals::storage::reader::{
    LOOKED_AT_MAX, RestoreFilter, RestoreKind, Workspaces,
};

use super::{POLICY, delete, only, reader};
use crate::support::case::{Case, FOREIGN, HOME, NEIGHBOUR, restore_of};
use crate::support::store::{Fixture, moved, on_both, with};

on_both!(
    restores_of_each_kind_are_listed_once,
    a_kind_is_looked_for_among_so_many_and_no_more,
);

fn of_kind(kind: RestoreKind) -> RestoreFilter {
    RestoreFilter {
        kind: Some(kind),
        ..RestoreFilter::default()
    }
}

async fn restores_of_each_kind_are_listed_once(on: Fixture) {
    on.plant([
        Case::proven(1),
        Case::failed(2),
        with(Case::proven(3), |it| it.restore.status = "draft".to_owned()),
        with(Case::proven(4), |it| it.restore.is_dry_run = true),
        with(Case::proven(5), |it| it.restore.operation_run_id = None),
        moved(Case::proven(6), NEIGHBOUR),
        moved(Case::proven(7), FOREIGN),
        Case::proven(8),
    ])
    .await;
    delete(&on, "restore_runs", restore_of(8)).await;
    let reader = reader(&on).await;
    let environment = RestoreFilter {
        environment: Some(EnvironmentId(NEIGHBOUR.1)),
        ..RestoreFilter::default()
    };
    let workspace = RestoreFilter {
        workspace: Some(WorkspaceId(HOME.0)),
        ..RestoreFilter::default()
    };
    for (filter, expected) in [
        (RestoreFilter::default(), &[7, 6, 5, 4, 3, 2, 1][..]),
        (of_kind(RestoreKind::Executed), &[7, 6, 5, 2, 1]),
        (of_kind(RestoreKind::Preparing), &[4, 3]),
        (of_kind(RestoreKind::WithoutRun), &[5]),
        (environment, &[6]),
        (workspace, &[6, 5, 4, 3, 2, 1]),
    ] {
        for (of, limit) in [
            (Workspaces::All, 2),
            (Workspaces::All, 100),
            (only(HOME.0), 3),
        ] {
            let mut found = Vec::new();
            let mut below = None;
            loop {
                let page = reader
                    .load_restores(&of, &filter, below, limit, &POLICY)
                    .await;
                let page = page.unwrap();
                assert!(page.rows.len() <= limit as usize);
                found.extend(page.rows.iter().map(|row| row.found.0.id.0));
                below = page.below;
                if below.is_none() {
                    break;
                }
            }
            let seen = expected
                .iter()
                .filter(|id| of == Workspaces::All || **id != 7);
            let seen: Vec<i64> = seen.map(|id| restore_of(*id)).collect();
            assert_eq!(found, seen, "{filter:?} by {limit}");
        }
    }
    let gone = format!(
        "UPDATE managed_environments SET deleted_at = {} WHERE id = {}",
        on.either("1", "now()"),
        HOME.1
    );
    on.execute(&gone).await;
    let page = reader
        .load_restores(&only(HOME.0), &workspace, None, 10, &POLICY)
        .await;
    let left: Vec<RestoreId> = page
        .unwrap()
        .rows
        .iter()
        .map(|row| row.found.0.id)
        .collect();
    assert_eq!(left, [RestoreId(restore_of(6))]);
}

async fn a_kind_is_looked_for_among_so_many_and_no_more(on: Fixture) {
    let number = LOOKED_AT_MAX + 10;
    on.execute(&format!(
        "INSERT INTO backup_sets (id, workspace_id, managed_environment_id, name, status) VALUES (77, {0}, {1}, '', '');
         INSERT INTO restore_runs (id, workspace_id, managed_environment_id, backup_set_id, is_dry_run, status)
         WITH RECURSIVE number (id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM number WHERE id < {number})
         SELECT id, {0}, {1}, 77, {2}, CASE WHEN id = 5 THEN 'draft' ELSE 'completed' END FROM number",
        HOME.0,
        HOME.1,
        on.either("0", "false"),
    ))
    .await;
    let reader = reader(&on).await;
    let preparing = of_kind(RestoreKind::Preparing);
    let load = async |below| {
        let page = reader
            .load_restores(&only(HOME.0), &preparing, below, 10, &POLICY)
            .await;
        let page = page.unwrap();
        let found: Vec<i64> = page.rows.iter().map(|row| row.found.0.id.0).collect();
        (found, page.below)
    };
    let (found, below) = load(None).await;
    assert_eq!((found, below), (vec![], Some(RestoreId(11))));
    assert_eq!(load(below).await, (vec![5], None));
    if on.is_sqlite() {
        assert_sqlite_searches(&on).await;
    }
}

/// SQLite says how it finds its rows: in the order of ids, or those of one environment by an index.
async fn assert_sqlite_searches(on: &Fixture) {
    let statement = include_str!("../../../../src/storage/sqlite/sql/look_for_restores.sql");
    let statement = statement
        .replace("?1", "'[1]'")
        .replace("?2", "1")
        .replace("?3", "9");
    let statement = statement.replace("?4", "50").replace("?5", "NULL");
    let plan = on.rows(&format!("EXPLAIN QUERY PLAN {statement}")).await;
    let details: Vec<String> = plan
        .into_iter()
        .filter_map(|row| row["detail"].clone())
        .collect();
    let reads = |what: &str| details.iter().any(|detail| detail.contains(what));
    assert!(
        reads("SEARCH restore USING INTEGER PRIMARY KEY"),
        "{details:?}"
    );
    assert!(
        reads("SEARCH restore USING INDEX restore_runs_managed_environment_id_status_index"),
        "{details:?}"
    );
    assert!(!reads("SCAN restore"), "{details:?}");
}
