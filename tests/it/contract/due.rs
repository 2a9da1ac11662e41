//! Which runs are due.

use std::collections::BTreeSet;

use reconciler_fixtures::{PlantedRun, PlantedWorkspace, PlatformRows};
use reconciler_jobs::ids::{RunId, WorkspaceId};
use reconciler_jobs::sweep::shard::Shard;
use reconciler_jobs::sweep::turns::{DueWorkspace, Reading, Span};
use restore_reconciler::internals::storage::Settlement;

use crate::support::case::{Case, FOREIGN, HOME};
use crate::support::settled::{committed, reason};
use crate::support::store::{Fixture, moved, on_both, with};

on_both!(
    due_runs_are_read_by_key_a_share_of_each_workspace,
    workspaces_with_due_runs_are_counted,
    shards_are_divided_as_the_pure_crate_does,
    only_open_restore_runs_are_due,
    watched_runs_are_due_when_their_time_has_come,
    attempted_runs_are_due_when_their_time_has_come_and_dead_ones_never,
    a_run_that_does_not_exist_is_absent,
);

/// What is read of these spans: workspace, above which id, up to which.
async fn read(on: &Fixture, spans: &[(i64, i64, i64)], each: u32) -> Vec<(i64, i64)> {
    let span = |(workspace, after, last): &(i64, i64, i64)| Span {
        workspace: WorkspaceId(*workspace),
        after: RunId(*after),
        last: RunId(*last),
    };
    let spans = spans.iter().map(span).collect();
    let runs = on.store.load_due(&Reading { spans, each }).await.unwrap();
    runs.into_iter()
        .map(|(workspace, run)| (workspace.0, run.0))
        .collect()
}

/// The due runs of the home workspace.
async fn due(on: &Fixture) -> Vec<i64> {
    let runs = read(on, &[(HOME.0, i64::MIN, i64::MAX)], 100).await;
    runs.into_iter().map(|(_, run)| run).collect()
}

fn foreign(id: i64) -> Case {
    moved(Case::proven(id), FOREIGN)
}

async fn due_runs_are_read_by_key_a_share_of_each_workspace(on: Fixture) {
    on.plant([9, 3, 5, 7].map(Case::proven)).await;
    on.plant([8, 4].map(foreign)).await;
    let (home, away) = (HOME.0, FOREIGN.0);
    let all = i64::MIN..=i64::MAX;
    let whole = |workspace| (workspace, *all.start(), *all.end());

    assert_eq!(due(&on).await, [3, 5, 7, 9]);
    assert_eq!(
        read(&on, &[whole(away), whole(home)], 2).await,
        [(home, 3), (home, 5), (away, 4), (away, 8)]
    );
    assert_eq!(
        read(&on, &[(home, 5, i64::MAX), (away, 4, 7)], 2).await,
        [(home, 7), (home, 9)]
    );
    assert_eq!(read(&on, &[(home, 5, 7)], 2).await, [(home, 7)]);
    assert_eq!(read(&on, &[whole(404)], 2).await, []);
    assert_eq!(read(&on, &[], 2).await, []);
}

async fn workspaces_with_due_runs_are_counted(on: Fixture) {
    on.plant([9, 3, 5].map(Case::proven)).await;
    on.plant([8, 4].map(foreign)).await;
    on.plant([Case::failed(6)]).await;
    on.settle(&[6]).await;
    let found = |(workspace, _): (i64, i64), runs, last| DueWorkspace {
        workspace: WorkspaceId(workspace),
        runs,
        last: RunId(last),
    };
    let (home, away) = (found(HOME, 3, 9), found(FOREIGN, 2, 8));
    let load = |workspace: Option<i64>| {
        let workspace = workspace.map(WorkspaceId);
        on.store.load_due_workspaces(workspace, Shard::WHOLE)
    };
    assert_eq!(load(None).await.unwrap(), [home, away]);
    assert_eq!(load(Some(FOREIGN.0)).await.unwrap(), [away]);
    assert_eq!(load(Some(404)).await.unwrap(), []);
    assert_eq!(on.store.count_due(None).await.unwrap(), 5);
}

/// Ids below zero too: whoever divides them otherwise covers a workspace twice, or never.
async fn shards_are_divided_as_the_pure_crate_does(on: Fixture) {
    let ids: BTreeSet<i64> = (-20..=20).chain([i64::MIN, i64::MAX, 1 << 40]).collect();
    let known = [HOME.0, FOREIGN.0];
    let mut rows = PlatformRows::default();
    for (run, id) in (1..).zip(&ids) {
        rows.runs.push(PlantedRun {
            workspace_id: *id,
            managed_environment_id: None,
            ..Case::proven(run).run
        });
        if !known.contains(id) {
            let name = "W".to_owned();
            rows.workspaces.push(PlantedWorkspace { id: *id, name });
        }
    }
    on.platform.plant(&rows).await.unwrap();
    for of in [1, 2, 3, 7, 16] {
        for index in 0..of {
            let shard = Shard::new(index, of).unwrap();
            let found = on.store.load_due_workspaces(None, shard).await.unwrap();
            let found: Vec<WorkspaceId> = found.into_iter().map(|due| due.workspace).collect();
            let expected = ids.iter().copied().map(WorkspaceId);
            let expected: Vec<_> = expected.filter(|id| shard.covers(*id)).collect();
            assert_eq!(found, expected, "{shard:?}");
        }
    }
}

async fn only_open_restore_runs_are_due(on: Fixture) {
    let runs = [
        ("restore.execute", "queued", None),
        ("restore.execute", "running", None),
        ("restore.execute", "completed", Some("run.already_terminal")),
        ("restore.verify", "running", Some("run.unsupported_type")),
        ("Restore.Execute", "running", Some("run.unsupported_type")),
        ("restore.execute", "Running", Some("run.status_unknown")),
        ("restore.execute", " running", Some("run.status_unknown")),
        ("restore.execute ", "running", Some("run.unsupported_type")),
    ];
    on.plant((1..).zip(runs).map(|(id, (kind, status, _))| {
        with(Case::proven(id), |case| {
            case.run.r#type = kind.to_owned();
            case.run.status = status.to_owned();
        })
    }))
    .await;
    assert_eq!(due(&on).await, [1, 2]);
    assert_eq!(on.store.count_due(None).await.unwrap(), 2);

    // Named all the same, none but the two is touched.
    let before = on.platform().await;
    let results = on.settle(&[3, 4, 5, 6, 7, 8]).await;
    for ((run, result), (.., expected)) in results.iter().zip(&runs[2..]) {
        let Settlement::Deferred(assessment, None) = result else {
            panic!("run {run}: {result:?}");
        };
        assert_eq!(Some(reason(assessment)), *expected, "run {run}");
    }
    assert_eq!(before, on.platform().await);
    assert_eq!(on.number_of("reconciler.watch_list").await, 0);
}

async fn watched_runs_are_due_when_their_time_has_come(on: Fixture) {
    on.plant([Case::in_progress(1), Case::proven(2)]).await;
    on.deferral(1).await;
    assert_eq!(due(&on).await, [2]);
    assert_eq!(on.store.count_due(None).await.unwrap(), 1);

    on.execute("UPDATE reconciler.watch_list SET look_again_at = last_looked_at")
        .await;
    assert_eq!(due(&on).await, [1, 2]);
    assert_eq!(on.store.count_due(None).await.unwrap(), 2);
}

async fn attempted_runs_are_due_when_their_time_has_come_and_dead_ones_never(on: Fixture) {
    on.plant((1..=5).map(Case::proven)).await;
    let earlier = on.either("1", "'2001-01-01'");
    let later = on.either("9000000000000000", "'2250-01-01'");
    on.execute(&format!(
        "INSERT INTO reconciler.attempts
             (operation_run_id, workspace_id, worker, tries, first_seen_at, try_again_at, dead_at, dropped_at)
         VALUES (1, 1, 'w', 1, {earlier}, {earlier}, NULL, NULL),
                (2, 1, 'w', 2, {earlier}, {later}, NULL, NULL),
                (3, 1, 'w', 3, {earlier}, {earlier}, {earlier}, NULL),
                (4, 1, 'w', 3, {earlier}, {earlier}, {earlier}, {earlier})"
    ))
    .await;
    assert_eq!(due(&on).await, [1, 5]);
    let due = on.store.load_due_workspaces(None, Shard::WHOLE).await;
    assert_eq!(due.unwrap()[0].runs, 2);
}

async fn a_run_that_does_not_exist_is_absent(on: Fixture) {
    on.plant([Case::proven(1)]).await;
    let results = on.settle(&[1, 404, -1, i64::MAX, i64::MIN]).await;
    committed(&results[&1]);
    for run in [404, -1, i64::MAX, i64::MIN] {
        assert_eq!(results[&run], Settlement::Absent);
    }
    assert!(on.settle(&[]).await.is_empty());
}
