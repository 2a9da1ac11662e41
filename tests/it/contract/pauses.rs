//! What is paused is settled by nobody, and is due once it is resumed.

use reconciler_jobs::ids::{RunId, WorkspaceId};
use reconciler_jobs::sweep::admission::Admission;
use restore_reconciler::internals::storage::reader::Workspaces;
use restore_reconciler::internals::storage::{Action, ActionVerb, Settlement};
use restore_reconciler::internals::sweep::Scope;

use crate::support::case::{Case, FOREIGN, HOME};
use crate::support::settled::{claimed, pass, run_ids as ids, settling};
use crate::support::store::{Fixture, moved, on_both};

on_both!(
    what_is_paused_is_settled_by_nobody_until_it_is_resumed,
    a_suspect_is_not_tried_while_it_is_paused,
    no_pause_is_left_out_however_many_there_are,
);

fn action(verb: ActionVerb) -> Action {
    Action {
        actor: Some("ops".to_owned()),
        reason: Some("its platform is being moved".to_owned()),
        ..Action::new(verb)
    }
}

async fn pause(on: &Fixture, workspace: Option<i64>) -> bool {
    let action = action(ActionVerb::Pause);
    let paused = on.store.pause(workspace.map(WorkspaceId), &action);
    paused.await.unwrap()
}

async fn resume(on: &Fixture, workspace: Option<i64>) -> bool {
    let action = action(ActionVerb::Resume);
    let resumed = on.store.resume(workspace.map(WorkspaceId), &action);
    resumed.await.unwrap()
}

async fn awaited(on: &Fixture) -> Vec<RunId> {
    let rechecks = on.store.load_rechecks(10, &Admission::default()).await;
    let mut runs = rechecks.unwrap().runs;
    runs.sort_unstable();
    runs
}

/// Which runs are open.
async fn open(on: &Fixture) -> Vec<String> {
    let open = "SELECT id FROM operation_runs WHERE status <> 'completed' ORDER BY id";
    let rows = on.rows(open).await.into_iter();
    rows.map(|mut row| row.remove("id").flatten().expect("an id"))
        .collect()
}

async fn what_is_paused_is_settled_by_nobody_until_it_is_resumed(on: Fixture) {
    let on = on.with_queue().await;
    on.plant([Case::proven(1), Case::in_progress(2), Case::proven(3)])
        .await;
    on.plant([moved(Case::proven(4), FOREIGN)]).await;
    on.settle(&[2]).await;
    let before = on.platform().await;
    assert!(pause(&on, Some(HOME.0)).await);
    assert!(!pause(&on, Some(HOME.0)).await, "it is paused already");

    // By hand, by a job and by a sweep.
    for run in [1, 2, 3] {
        assert_eq!(on.settle_one(run).await, Settlement::Paused);
    }
    assert_eq!(
        on.store.request(&ids(&[1]), "test", None).await.unwrap(),
        ids(&[1])
    );
    let jobs = [claimed("job".to_owned(), 1, "worker")];
    let (one, settling, mut settled) = (ids(&[1]), settling(), Vec::new());
    let done = on.store.settle_jobs(&one, &jobs, &settling, &mut settled);
    done.await.unwrap();
    assert_eq!(settled[0].result, Settlement::Paused);
    assert_eq!(before, on.platform().await);
    assert_eq!(on.store.count_due(None).await.unwrap(), 1);
    let swept = pass(&on.store, Scope::default(), &settling).await.unwrap();
    assert_eq!(swept.tally.verdicts(), 1);
    assert_eq!(open(&on).await, ["1", "2", "3"]);
    assert_eq!(awaited(&on).await, []);
    let seen = on
        .store
        .reader()
        .load_standings(&Workspaces::All, &ids(&[1, 4]))
        .await;
    let seen = seen.unwrap();
    let sentence = seen[0].pause.as_ref().expect("why it waits").sentence();
    for part in [
        "Workspace 1 is paused since",
        "by ops: its platform is being moved",
    ] {
        assert!(sentence.contains(part), "{sentence}");
    }
    assert_eq!(seen[1].pause, None);

    // All the more while everything is.
    assert!(pause(&on, None).await);
    assert!(resume(&on, Some(HOME.0)).await);
    assert_eq!(on.settle_one(1).await, Settlement::Paused);
    assert_eq!(on.store.count_due(None).await.unwrap(), 0);
    assert!(resume(&on, None).await);
    assert!(!resume(&on, None).await);

    // Whoever asked meanwhile was not heard, so what waits for another look gets one.
    assert_eq!(awaited(&on).await, ids(&[2]));
    on.settle(&[1, 2, 3]).await;
    assert_eq!(open(&on).await, ["2"]);
    let noted =
        "SELECT action, workspace_id FROM reconciler.actions ORDER BY acted_at, action DESC";
    let noted = on.rows(noted).await;
    let noted: Vec<_> = noted
        .iter()
        .map(|row| (row["action"].as_deref(), row["workspace_id"].as_deref()))
        .collect();
    assert_eq!(noted.len(), 4, "{noted:?}");
    assert!(noted.contains(&(Some("resume"), None)), "{noted:?}");
}

async fn a_suspect_is_not_tried_while_it_is_paused(on: Fixture) {
    on.plant([Case::proven(1)]).await;
    on.store.suspect(&ids(&[1]), "worker").await.unwrap();
    pause(&on, None).await;
    assert_eq!(awaited(&on).await, []);
    assert_eq!(on.settle_one(1).await, Settlement::Paused);
    let tries = on.count("SELECT tries FROM reconciler.attempts").await;
    assert_eq!(tries, 0);
    resume(&on, None).await;
    assert_eq!(awaited(&on).await, ids(&[1]));
    on.verdict(1).await;
}

async fn no_pause_is_left_out_however_many_there_are(on: Fixture) {
    on.plant([Case::proven(1)]).await;
    on.execute(
        "INSERT INTO reconciler.pauses (workspace_id, reason)
         WITH RECURSIVE number (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < 1000)
         SELECT -n, 'before all others' FROM number",
    )
    .await;
    assert!(pause(&on, Some(HOME.0)).await);
    assert_eq!(on.settle_one(1).await, Settlement::Paused);
    assert_eq!(on.store.load_pauses().await.unwrap().len(), 1_001);
    let (reader, own) = (
        on.store.reader(),
        Workspaces::All.narrowed(WorkspaceId(HOME.0)),
    );
    assert_eq!(reader.load_pauses(&own).await.unwrap().len(), 1);
}
