//! A pass over all due runs, and the row that says what it came to.

use std::num::NonZeroU32;
use std::ops::ControlFlow::{Break, Continue};

use jiff::Timestamp;
use reconciler_fixtures::PlatformRows;
use reconciler_jobs::ids::WorkspaceId;
use reconciler_jobs::sweep::shard::Shard;
use restore_reconciler::internals::storage::{Settled, Settling, Tally};
use restore_reconciler::internals::sweep::{Pass, Scope, sweep};

use crate::support::case::{Case, FOREIGN, restore_of};
use crate::support::settled::{self, pages, settling};
use crate::support::store::{
    Columns, Fixture, moment, moved, on_both, open_to_read, with, with_fixture,
};

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
    let pass = settled::pass(&on.store, scope, &settling()).await;
    let Pass { tally, is_complete } = pass.unwrap();
    assert!(is_complete);
    tally
}

/// With batches, and so pages, of so many runs.
fn by(batch_runs_max: u32) -> Settling {
    Settling {
        batch_runs_max,
        ..settling()
    }
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

/// Has come to its end with nothing in hand, and counted this.
async fn assert_ended(on: &Fixture, tally: &Tally) -> Columns {
    let row = last_sweep(on).await;
    assert_counts(&row, tally);
    assert!(row["started_at"].is_some() && row["ended_at"] >= row["started_at"]);
    assert_eq!(row["in_hand"].as_deref(), Some(on.either("[]", "{}")));
    row
}

/// One run of each outcome, and one that waits.
fn mixed(first: i64) -> Vec<Case> {
    vec![
        Case::proven(first),
        with(Case::proven(first + 1), |case| case.snapshots.clear()),
        with(Case::proven(first + 2), |case| {
            case.restore.status = "cancelled".to_owned();
            case.restore.results = None;
            case.restore.metadata = None;
        }),
        Case::failed(first + 3),
        Case::in_progress(first + 4),
    ]
}

async fn a_pass_settles_what_is_due_and_a_second_one_finds_nothing(on: Fixture) {
    on.plant((0..5).flat_map(|round| mixed(1 + round * 5)))
        .await;
    let with = by(4);
    let (Pass { tally, is_complete }, pages) = pages(&on.store, Scope::default(), &with).await;
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
    let pages: Vec<_> = pages.iter().map(Vec::len).collect();
    assert_eq!(pages, [4, 4, 4, 4, 4, 4, 1]);
    on.assert_one_of_each(20).await;
    let row = assert_ended(&on, &tally).await;
    assert_eq!(row["worker"].as_deref(), Some("worker-of-a-test"));
    assert_eq!((&row["workspace_id"], &row["tick_at"]), (&None, &None));

    let before = on.fingerprint().await;
    assert_eq!(pass(&on, Scope::default()).await, Tally::default());
    assert_eq!(before, on.fingerprint().await);
    assert_eq!(on.number_of("reconciler.sweeps").await, 1);
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
    let with = by(4);
    let (Pass { tally, is_complete }, pages) = pages(&on.store, lanes(3), &with).await;
    assert!(is_complete);
    let mut runs = pages.concat();
    runs.sort_unstable();
    assert!(runs.into_iter().eq(1..=50));
    assert_eq!((tally.verdicts(), tally.deferred), (40, 10));
    on.assert_one_of_each(40).await;
    assert_ended(&on, &tally).await;

    let before = on.fingerprint().await;
    assert_eq!(pass(&on, lanes(3)).await, Tally::default());
    assert_eq!(before, on.fingerprint().await);
}

/// Told to stop after its first page, when another may be in hand and one more was read.
async fn a_pass_that_stops_settles_what_its_lanes_have_in_hand_and_no_more(on: Fixture) {
    on.plant((1..=40).map(Case::proven)).await;
    let with = by(4);
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
    on.plant([1, 2, 4].map(Case::failed)).await;
    on.plant([moved(Case::proven(3), FOREIGN)]).await;
    let elsewhere = Scope {
        workspace: Some(WorkspaceId(FOREIGN.0)),
        ..Scope::default()
    };
    let tally = pass(&on, elsewhere).await;
    assert_eq!((tally.succeeded, tally.looked_at()), (1, 1));
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
    let store = open_to_read(&url).await;
    let go_on = |_: &[Settled]| panic!("there is no page");
    let pass = sweep(&store, Scope::default(), &settling(), go_on).await;
    let pass = pass.unwrap();
    assert_eq!((pass.tally, pass.is_complete), (Tally::default(), true));

    on.execute("UPDATE reconciler.watch_list SET look_again_at = first_seen_at")
        .await;
    let refused = settled::pass(&store, Scope::default(), &settling()).await;
    let refused = refused.unwrap_err();
    assert!(refused.advice().unwrap().contains("read-only"), "{refused}");
}

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
        "CREATE FUNCTION witness() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN
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
    let with = by(3);
    let pass = settled::pass(&on.store, lanes(3), &with).await;
    let tally = pass.unwrap().tally;
    assert_eq!(tally.failed, 100);
    assert_eq!(on.number_of("witness WHERE was_in_hand = 1").await, 100);
    assert_ended(&on, &tally).await;
}

async fn what_is_in_hand_is_noted_before_it_is_settled(on: Fixture) {
    set_a_witness(&on).await;
    on.plant((1..=7).map(Case::failed)).await;
    let with = by(3);
    let (Pass { tally, .. }, pages) = pages(&on.store, Scope::default(), &with).await;
    assert_eq!(pages.len(), 3);
    assert_eq!(on.number_of("witness WHERE was_in_hand = 1").await, 7);
    let row = assert_ended(&on, &tally).await;
    assert!(moment(row["beat_at"].as_ref()) >= moment(row["started_at"].as_ref()));
}

async fn a_pass_says_which_part_of_which_tick_it_is(on: Fixture) {
    on.plant([Case::failed(1), moved(Case::proven(2), FOREIGN)])
        .await;
    let tick: Timestamp = "2025-03-01T11:00:00Z".parse().unwrap();
    let part = |index| Scope {
        shard: Shard::new(index, 3).unwrap(),
        tick: Some(tick),
        ..Scope::default()
    };
    // Workspace 1 is in the second part, workspace 2 in the third.
    assert_eq!(pass(&on, part(0)).await.looked_at(), 0);
    assert_eq!(pass(&on, part(2)).await.succeeded, 1);
    assert_eq!(pass(&on, part(1)).await.failed, 1);
    let row = last_sweep(&on).await;
    assert_eq!(moment(row["tick_at"].as_ref()), Some(tick));
    assert_eq!(row["shard"].as_deref(), Some("1"));
    assert_eq!(row["shards"].as_deref(), Some("3"));
    assert_eq!(on.number_of("reconciler.sweeps").await, 2);
}

async fn a_pass_stops_between_pages_where_it_is_told_to(on: Fixture) {
    on.plant((1..=9).map(Case::failed)).await;
    let with = by(3);
    let stopped = sweep(&on.store, Scope::default(), &with, |_| Break(())).await;
    let Pass { tally, is_complete } = stopped.unwrap();
    assert_eq!((tally.failed, is_complete), (3, false));
    assert_ended(&on, &tally).await;
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
    with(moved(Case::failed(run), (place, place)), |case| {
        case.audits.clear();
        case.snapshots.clear();
    })
}

async fn a_workspace_with_much_to_settle_does_not_keep_others_waiting(on: Fixture) {
    const LARGE: i64 = 100;
    let small = 101..=120;
    for id in small.clone().chain([LARGE]) {
        on.platform.plant(&place(id)).await.unwrap();
    }
    on.plant((1..=5_000).map(|run| failed_in(LARGE, run))).await;
    let runs_of = |place: i64| (0..3).map(move |number| failed_in(place, place * 100 + number));
    on.plant(small.flat_map(runs_of)).await;

    let with = by(50);
    let mut pages = 0;
    let stopped = sweep(&on.store, Scope::default(), &with, |settled| {
        assert_eq!(settled.len(), 50);
        pages += 1;
        if pages == 2 { Break(()) } else { Continue(()) }
    });
    let Pass { tally, is_complete } = stopped.await.unwrap();
    assert_eq!((tally.failed, is_complete), (100, false));
    let left = on.store.load_due_workspaces(None, Shard::WHOLE).await;
    let left = left.unwrap().into_iter();
    let left: Vec<_> = left.map(|due| (due.workspace.0, due.runs)).collect();
    assert_eq!(left, [(LARGE, 4_960)]);
}

/// The second page fails because a table has gone from under it; the first one is on record.
async fn a_pass_that_dies_midway_keeps_its_books(on: Fixture) {
    on.plant((1..=30).map(Case::failed)).await;
    let with = by(10);
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

with_fixture!(
    #[tokio::test(flavor = "multi_thread")] threaded_on_sqlite, sqlite: a_pass_that_dies_midway_keeps_its_books
);
with_fixture!(
    #[tokio::test(flavor = "multi_thread")] threaded_on_postgres, postgres: a_pass_that_dies_midway_keeps_its_books
);
