//! Which runs are due.

use reconciler_jobs::ids::{RunId, WorkspaceId};
use restore_reconciler::storage::{DuePage, Settlement};

use crate::support::case::{Case, FOREIGN};
use crate::support::store::{Fixture, on_both};

on_both!(
    due_runs_come_in_pages_by_key,
    only_open_restore_runs_are_due,
    watched_runs_are_due_when_their_time_has_come,
    a_run_that_does_not_exist_is_absent,
);

async fn due(on: &Fixture, workspace: Option<i64>, after: i64, limit: u32) -> Vec<i64> {
    let page = DuePage {
        workspace: workspace.map(WorkspaceId),
        after: RunId(after),
        limit,
    };
    let runs = on.store.load_due(&page).await.unwrap();
    runs.into_iter().map(|run| run.0).collect()
}

async fn due_runs_come_in_pages_by_key(on: Fixture) {
    let mut foreign = Case::proven(4);
    foreign.run.workspace_id = FOREIGN.0;
    foreign.run.managed_environment_id = Some(FOREIGN.1);
    on.plant([9, 3, 5, 7].map(Case::proven)).await;
    on.plant([foreign]).await;

    assert_eq!(due(&on, None, i64::MIN, 100).await, [3, 4, 5, 7, 9]);
    assert_eq!(due(&on, None, i64::MIN, 2).await, [3, 4]);
    assert_eq!(due(&on, None, 4, 2).await, [5, 7]);
    assert_eq!(due(&on, None, 9, 2).await, [0; 0]);
    assert_eq!(due(&on, Some(FOREIGN.0), i64::MIN, 9).await, [4]);
    assert_eq!(due(&on, Some(404), i64::MIN, 9).await, [0; 0]);
    assert_eq!(on.store.count_due(None).await.unwrap(), 5);
    let foreign = Some(WorkspaceId(FOREIGN.0));
    assert_eq!(on.store.count_due(foreign).await.unwrap(), 1);
}

async fn only_open_restore_runs_are_due(on: Fixture) {
    let with = |id, kind: &str, status: &str| {
        let mut case = Case::proven(id);
        case.run.r#type = kind.to_owned();
        case.run.status = status.to_owned();
        case
    };
    on.plant([
        with(1, "restore.execute", "queued"),
        with(2, "restore.execute", "running"),
        with(3, "restore.execute", "completed"),
        with(4, "restore.verify", "running"),
        with(5, "Restore.Execute", "running"),
        with(6, "restore.execute", "Running"),
        with(7, "restore.execute", " running"),
        with(8, "restore.execute ", "running"),
    ])
    .await;
    assert_eq!(due(&on, None, i64::MIN, 9).await, [1, 2]);
    assert_eq!(on.store.count_due(None).await.unwrap(), 2);

    // Named all the same, none but the two is touched.
    let before = on.platform().await;
    for (run, result) in on.settle(&[3, 4, 5, 6, 7, 8]).await {
        let Settlement::Deferred(assessment, None) = result else {
            panic!("run {run}: {result:?}");
        };
        let expected = match run {
            3 => "run.already_terminal",
            4 | 5 | 8 => "run.unsupported_type",
            _ => "run.status_unknown",
        };
        assert_eq!(assessment.decision.reason.code(), expected, "run {run}");
    }
    assert_eq!(before, on.platform().await);
    let watched = on.count("SELECT count(*) FROM reconciler.watch_list").await;
    assert_eq!(watched, 0);
}

async fn watched_runs_are_due_when_their_time_has_come(on: Fixture) {
    on.plant([Case::in_progress(1), Case::proven(2)]).await;
    on.deferral(1).await;
    assert_eq!(due(&on, None, i64::MIN, 9).await, [2]);
    assert_eq!(on.store.count_due(None).await.unwrap(), 1);

    on.execute("UPDATE reconciler.watch_list SET look_again_at = last_looked_at")
        .await;
    assert_eq!(due(&on, None, i64::MIN, 9).await, [1, 2]);
    assert_eq!(on.store.count_due(None).await.unwrap(), 2);
}

async fn a_run_that_does_not_exist_is_absent(on: Fixture) {
    on.plant([Case::proven(1)]).await;
    let results = on.settle(&[1, 404, -1, i64::MAX, i64::MIN]).await;
    assert!(matches!(results[&1], Settlement::Committed(_)));
    for run in [404, -1, i64::MAX, i64::MIN] {
        assert_eq!(results[&run], Settlement::Absent);
    }
    assert!(on.settle(&[]).await.is_empty());
}
