//! A pass over all due runs, and the row that says what it came to.

use std::num::NonZeroU32;
use std::ops::ControlFlow::{Break, Continue};

use jiff::Timestamp;
use reconciler_fixtures::PlatformRows;
use reconciler_jobs::ids::WorkspaceId;
use reconciler_jobs::sweep::shard::Shard;
use restore_reconciler::internals::storage::{Access, Limits, Settled, Tally, connect};
use restore_reconciler::internals::sweep::{Pass, Scope, sweep};

use crate::support::case::{Case, FOREIGN, restore_of};
use crate::support::store::{Columns, Fixture, moment, on_both, settling};

on_both!(
    a_pass_settles_what_is_due_and_a_second_one_finds_nothing,
    a_pass_of_several_lanes_settles_each_run_once,
    a_pass_that_stops_settles_what_its_lanes_have_in_hand_and_no_more,
    a_pass_stays_within_its_scope,
    a_pass_forgets_runs_that_somebody_else_closed,
    a_pass_that_finds_nothing_due_writes_nothing,
    what_is_in_hand_is_noted_before_it_is_settled,
    what_several_lanes_have_in_hand_is_noted_before_it_is_settled,
    a_pass_says_which_part_of_which_tick_it_is,
    a_pass_stops_between_pages_where_it_is_told_to,
    a_workspace_with_much_to_settle_does_not_keep_others_waiting,
);

/// A pass to its end.
async fn pass(on: &Fixture, scope: Scope) -> Tally {
    let go_on = |_: &[Settled]| Continue(());
    let pass = sweep(&on.store, scope, &settling(), go_on).await;
    let Pass { tally, is_complete } = pass.unwrap();
    assert!(is_complete);
    tally
}

async fn last_sweep(on: &Fixture) -> Columns {
    on.row("SELECT * FROM reconciler.sweeps ORDER BY id DESC LIMIT 1")
        .await
}

fn assert_counts(sweep: &Columns, tally: &Tally) {
    for (column, count) in [
        ("succeeded", tally.succeeded),
        ("partially_succeeded", tally.partially_succeeded),
        ("blocked", tally.blocked),
        ("failed", tally.failed),
        ("deferred", tally.deferred),
        ("refused", tally.refused),
        ("passed_over", tally.passed_over),
    ] {
        assert_eq!(sweep[column], Some(count.to_string()), "{column}");
    }
}

/// One run of each outcome, and one that waits.
fn mixed(first: i64) -> Vec<Case> {
    let mut partial = Case::proven(first + 1);
    partial.snapshots.clear();
    let mut blocked = Case::proven(first + 2);
    blocked.restore.status = "cancelled".to_owned();
    blocked.restore.results = None;
    blocked.restore.metadata = None;
    vec![
        Case::proven(first),
        partial,
        blocked,
        Case::failed(first + 3),
        Case::in_progress(first + 4),
    ]
}

async fn a_pass_settles_what_is_due_and_a_second_one_finds_nothing(on: Fixture) {
    on.plant((0..5).flat_map(|round| mixed(1 + round * 5)))
        .await;
    let mut with = settling();
    with.batch_runs_max = 4;
    let mut pages = Vec::new();
    let Pass { tally, is_complete } = sweep(&on.store, Scope::default(), &with, |settled| {
        pages.push(settled.len());
        Continue(())
    })
    .await
    .unwrap();
    assert!(is_complete);
    let expected = Tally {
        succeeded: 5,
        partially_succeeded: 5,
        blocked: 5,
        failed: 5,
        deferred: 5,
        ..Tally::default()
    };
    assert_eq!(tally, expected);
    assert_eq!(pages, [4, 4, 4, 4, 4, 4, 1]);
    on.assert_one_of_each(20).await;
    let row = last_sweep(&on).await;
    assert_counts(&row, &tally);
    assert_eq!(row["worker"].as_deref(), Some("worker-of-a-test"));
    assert_eq!(row["workspace_id"], None);
    assert!(row["started_at"].is_some() && row["ended_at"] >= row["started_at"]);
    assert_eq!(row["in_hand"].as_deref(), Some(on.either("[]", "{}")));
    assert_eq!(row["tick_at"], None);

    let before = on.standin.fingerprint().await.unwrap();
    assert_eq!(pass(&on, Scope::default()).await, Tally::default());
    assert_eq!(before, on.standin.fingerprint().await.unwrap());
    assert_eq!(on.count("SELECT count(*) FROM reconciler.sweeps").await, 1);
}

fn lanes(lanes: u32) -> Scope {
    Scope {
        lanes: NonZeroU32::new(lanes).unwrap(),
        ..Scope::default()
    }
}

async fn a_pass_of_several_lanes_settles_each_run_once(on: Fixture) {
    on.plant((0..10).flat_map(|round| mixed(1 + round * 5)))
        .await;
    let mut with = settling();
    with.batch_runs_max = 4;
    let mut runs = Vec::new();
    let all = sweep(&on.store, lanes(3), &with, |settled| {
        runs.extend(settled.iter().map(|settled| settled.run.0));
        Continue(())
    });
    let Pass { tally, is_complete } = all.await.unwrap();
    assert!(is_complete);
    runs.sort_unstable();
    assert!(runs.into_iter().eq(1..=50));
    assert_eq!((tally.verdicts(), tally.deferred), (40, 10));
    on.assert_one_of_each(40).await;
    let row = last_sweep(&on).await;
    assert_counts(&row, &tally);
    assert_eq!(row["in_hand"].as_deref(), Some(on.either("[]", "{}")));

    let before = on.standin.fingerprint().await.unwrap();
    assert_eq!(pass(&on, lanes(3)).await, Tally::default());
    assert_eq!(before, on.standin.fingerprint().await.unwrap());
}

/// Told to stop after its first page, when another may be in hand and one more was read.
async fn a_pass_that_stops_settles_what_its_lanes_have_in_hand_and_no_more(on: Fixture) {
    on.plant((1..=40).map(Case::proven)).await;
    let mut with = settling();
    with.batch_runs_max = 4;
    let mut pages = 0;
    let stopped = sweep(&on.store, lanes(2), &with, |settled| {
        assert_eq!(settled.len(), 4);
        pages += 1;
        Break(())
    });
    let Pass { tally, is_complete } = stopped.await.unwrap();
    assert!(!is_complete);
    assert!((1..=2).contains(&pages), "{pages}");
    assert_eq!(tally.succeeded, 4 * pages);
    on.assert_one_of_each(4 * pages.cast_signed()).await;
    let rest = pass(&on, lanes(2)).await;
    assert_eq!(rest.succeeded, 40 - 4 * pages);
}

async fn a_pass_stays_within_its_scope(on: Fixture) {
    let mut foreign = Case::proven(3);
    foreign.run.workspace_id = FOREIGN.0;
    foreign.run.managed_environment_id = Some(FOREIGN.1);
    on.plant([Case::failed(1), Case::failed(2), Case::failed(4), foreign])
        .await;
    let elsewhere = Scope {
        workspace: Some(WorkspaceId(FOREIGN.0)),
        ..Scope::default()
    };
    let tally = pass(&on, elsewhere).await;
    assert_eq!((tally.deferred, tally.looked_at()), (1, 1));
    let workspace = last_sweep(&on).await["workspace_id"].clone();
    assert_eq!(workspace, Some(FOREIGN.0.to_string()));
    let limited = Scope {
        limit: Some(2),
        ..Scope::default()
    };
    let tally = pass(&on, limited).await;
    assert_eq!((tally.failed, tally.looked_at()), (2, 2));
    assert_eq!(on.store.count_due(None).await.unwrap(), 1, "run 4 is left");
}

/// Run 1 closed by somebody else, and run 2 deleted.
async fn close_one_and_delete_two(on: &Fixture) {
    on.execute(&format!(
        "UPDATE operation_runs SET status = 'completed', outcome = 'failed' WHERE id = 1;
         DELETE FROM evidence_snapshots WHERE operation_run_id = 2;
         UPDATE restore_runs SET operation_run_id = NULL WHERE id = {};
         DELETE FROM operation_runs WHERE id = 2",
        restore_of(2)
    ))
    .await;
}

/// Attempts at the runs that are watched.
async fn attempt_watched(on: &Fixture) {
    on.execute(
        "INSERT INTO reconciler.attempts
             (operation_run_id, workspace_id, worker, first_seen_at, try_again_at, dead_at)
         SELECT operation_run_id, workspace_id, 'w', first_seen_at, look_again_at, last_looked_at
         FROM reconciler.watch_list",
    )
    .await;
}

async fn a_pass_forgets_runs_that_somebody_else_closed(on: Fixture) {
    on.plant([1, 2, 3].map(Case::in_progress)).await;
    on.settle(&[1, 2, 3]).await;
    attempt_watched(&on).await;
    close_one_and_delete_two(&on).await;
    on.plant([Case::failed(4)]).await;
    assert_eq!(pass(&on, Scope::default()).await.failed, 1);
    for table in ["watch_list", "attempts"] {
        let query = format!("SELECT operation_run_id FROM reconciler.{table}");
        assert_eq!(on.value(&query).await.as_deref(), Some("3"), "{table}");
    }
}

/// Through a connection that may not write, and with something to forget that waits for a pass with work.
async fn a_pass_that_finds_nothing_due_writes_nothing(on: Fixture) {
    on.plant([1, 2, 3].map(Case::in_progress)).await;
    on.settle(&[1, 2, 3]).await;
    close_one_and_delete_two(&on).await;
    let read_only = "options=-c%20default_transaction_read_only%3Don";
    let url = match on.url.split_once('?') {
        _ if on.is_sqlite() => on.url.clone(),
        Some((url, query)) => format!("{url}?{query}&{read_only}"),
        None => format!("{}?{read_only}", on.url),
    };
    let store = connect(&url, Access::Read, &Limits::default())
        .await
        .unwrap();
    let go_on = |_: &[Settled]| panic!("there is no page");
    let pass = sweep(&store, Scope::default(), &settling(), go_on).await;
    let pass = pass.unwrap();
    assert_eq!((pass.tally, pass.is_complete), (Tally::default(), true));

    on.execute("UPDATE reconciler.watch_list SET look_again_at = first_seen_at")
        .await;
    let go_on = |_: &[Settled]| Continue(());
    let refused = sweep(&store, Scope::default(), &settling(), go_on).await;
    let refused = refused.unwrap_err();
    assert!(refused.advice().unwrap().contains("read-only"), "{refused}");
}

/// A trigger looks at the row of the pass at the moment at which a run is closed.
/// Has the database note of each run that is closed whether it was in hand.
async fn set_a_witness(on: &Fixture) {
    on.execute("CREATE TABLE witness (run bigint, was_in_hand bigint)")
        .await;
    on.execute(on.either(
        "CREATE TRIGGER witness AFTER UPDATE ON operation_runs BEGIN
             INSERT INTO witness SELECT NEW.id, count(*)
             FROM reconciler.sweeps AS sweep JOIN json_each(sweep.in_hand) AS run
             WHERE run.value = NEW.id AND sweep.ended_at IS NULL;
         END",
        "CREATE FUNCTION witness() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
             INSERT INTO witness SELECT NEW.id, count(*)
             FROM reconciler.sweeps WHERE NEW.id = ANY (in_hand) AND ended_at IS NULL;
             RETURN NULL;
         END $$;
         CREATE TRIGGER witness AFTER UPDATE ON operation_runs
             FOR EACH ROW EXECUTE FUNCTION witness()",
    ))
    .await;
}

async fn what_several_lanes_have_in_hand_is_noted_before_it_is_settled(on: Fixture) {
    set_a_witness(&on).await;
    on.plant((1..=100).map(Case::failed)).await;
    let mut with = settling();
    with.batch_runs_max = 3;
    let go_on = |_: &[Settled]| Continue(());
    let pass = sweep(&on.store, lanes(3), &with, go_on).await;
    assert_eq!(pass.unwrap().tally.failed, 100);
    let seen = on.count("SELECT count(*) FROM witness WHERE was_in_hand = 1");
    assert_eq!(seen.await, 100);
    let row = last_sweep(&on).await;
    assert_eq!(row["in_hand"].as_deref(), Some(on.either("[]", "{}")));
}

async fn what_is_in_hand_is_noted_before_it_is_settled(on: Fixture) {
    set_a_witness(&on).await;
    on.plant((1..=7).map(Case::failed)).await;
    let mut with = settling();
    with.batch_runs_max = 3;
    let mut pages = 0;
    sweep(&on.store, Scope::default(), &with, |_| {
        pages += 1;
        Continue(())
    })
    .await
    .unwrap();
    assert_eq!(pages, 3);
    let seen = on.count("SELECT count(*) FROM witness WHERE was_in_hand = 1");
    assert_eq!(seen.await, 7);
    let row = last_sweep(&on).await;
    assert!(moment(row["beat_at"].as_ref()) >= moment(row["started_at"].as_ref()));
    assert_eq!(row["in_hand"].as_deref(), Some(on.either("[]", "{}")));
}

async fn a_pass_says_which_part_of_which_tick_it_is(on: Fixture) {
    let mut foreign = Case::proven(2);
    foreign.run.workspace_id = FOREIGN.0;
    foreign.run.managed_environment_id = Some(FOREIGN.1);
    on.plant([Case::failed(1), foreign]).await;
    let tick: Timestamp = "2025-03-01T11:00:00Z".parse().unwrap();
    let part = |index| Scope {
        shard: Shard::new(index, 3).unwrap(),
        tick: Some(tick),
        ..Scope::default()
    };
    // Workspace 1 is in the second part, workspace 2 in the third.
    assert_eq!(pass(&on, part(0)).await.looked_at(), 0);
    assert_eq!(pass(&on, part(2)).await.deferred, 1);
    assert_eq!(pass(&on, part(1)).await.failed, 1);
    let row = last_sweep(&on).await;
    assert_eq!(moment(row["tick_at"].as_ref()), Some(tick));
    assert_eq!(row["shard"].as_deref(), Some("1"));
    assert_eq!(row["shards"].as_deref(), Some("3"));
    assert_eq!(on.count("SELECT count(*) FROM reconciler.sweeps").await, 2);
}

async fn a_pass_stops_between_pages_where_it_is_told_to(on: Fixture) {
    on.plant((1..=9).map(Case::failed)).await;
    let mut with = settling();
    with.batch_runs_max = 3;
    let stopped = sweep(&on.store, Scope::default(), &with, |_| Break(())).await;
    let Pass { tally, is_complete } = stopped.unwrap();
    assert_eq!((tally.failed, is_complete), (3, false));
    let row = last_sweep(&on).await;
    assert_counts(&row, &tally);
    assert!(row["ended_at"].is_some());
    assert_eq!(row["in_hand"].as_deref(), Some(on.either("[]", "{}")));
    on.assert_one_of_each(3).await;

    // Told so at the end of its scope, it has come to its end all the same.
    let limited = Scope {
        limit: Some(3),
        ..Scope::default()
    };
    for scope in [limited, Scope::default()] {
        let stopped = sweep(&on.store, scope, &with, |_| Break(())).await;
        let Pass { tally, is_complete } = stopped.unwrap();
        assert_eq!((tally.failed, is_complete), (3, true), "{scope:?}");
    }
}

/// A workspace with an environment of the same id.
fn place(id: i64) -> PlatformRows {
    let mut rows = PlatformRows::default();
    let name = format!("Place {id}");
    rows.add_environments(id, name.clone(), [(id, name)]);
    rows
}

/// A failed restore in such a workspace, with nothing else recorded about it.
fn failed_in(place: i64, run: i64) -> Case {
    let mut case = Case::failed(run);
    case.move_to(place, place);
    case.audits.clear();
    case.snapshots.clear();
    case
}

async fn a_workspace_with_much_to_settle_does_not_keep_others_waiting(on: Fixture) {
    const LARGE: i64 = 100;
    let small = 101..=120;
    for id in small.clone().chain([LARGE]) {
        on.standin.plant(&place(id)).await.unwrap();
    }
    on.plant((1..=5_000).map(|run| failed_in(LARGE, run))).await;
    let runs_of = |place: i64| (0..3).map(move |number| failed_in(place, place * 100 + number));
    on.plant(small.flat_map(runs_of)).await;

    let mut with = settling();
    with.batch_runs_max = 50;
    let mut pages = 0;
    let stopped = sweep(&on.store, Scope::default(), &with, |settled| {
        assert_eq!(settled.len(), 50);
        pages += 1;
        if pages == 2 { Break(()) } else { Continue(()) }
    })
    .await
    .unwrap();
    assert_eq!((stopped.tally.failed, stopped.is_complete), (100, false));
    let left = on.store.load_due_workspaces(None, Shard::WHOLE).await;
    let left: Vec<(i64, u64)> = left
        .unwrap()
        .iter()
        .map(|due| (due.workspace.0, due.runs))
        .collect();
    assert_eq!(left, [(LARGE, 4_960)]);
}

/// The second page fails because a table has gone from under it; the first one is on record.
async fn dies_midway(on: Fixture) {
    on.plant((1..=30).map(Case::failed)).await;
    let mut with = settling();
    with.batch_runs_max = 10;
    let mut pages = 0;
    let error = sweep(&on.store, Scope::default(), &with, |_| {
        pages += 1;
        if pages == 1 {
            let gone = on.execute("ALTER TABLE audit_logs RENAME TO audit_logs_gone");
            tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(gone));
        }
        Continue(())
    })
    .await
    .unwrap_err();
    assert!(error.to_string().contains("audit_logs"), "{error}");
    let row = last_sweep(&on).await;
    assert!(row["ended_at"].is_some());
    let committed = Tally {
        failed: 10,
        ..Tally::default()
    };
    assert_counts(&row, &committed);
    on.execute("ALTER TABLE audit_logs_gone RENAME TO audit_logs")
        .await;
    on.assert_one_of_each(10).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pass_that_dies_midway_keeps_its_books_on_sqlite() {
    dies_midway(Fixture::sqlite().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pass_that_dies_midway_keeps_its_books_on_postgresql() {
    dies_midway(Fixture::postgres().await).await;
}
