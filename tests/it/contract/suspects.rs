//! What a dead pass had in hand: whoever takes over settles it with care.

use std::time::Duration;

use futures_util::future::join_all;
use jiff::Timestamp;
use reconciler_jobs::ids::RunId;
use reconciler_jobs::sweep::shard::Shard;
use restore_reconciler::internals::storage::{SweepStart, Tally};

use crate::support::case::{Case, HOME};
use crate::support::scene::text_of;
use crate::support::settled::run_ids;
use crate::support::store::{Fixture, on_both};

on_both!(
    a_pass_that_is_asked_for_again_is_dead,
    a_pass_that_is_silent_for_too_long_is_dead,
    a_pass_that_ended_or_goes_on_is_left_alone,
    a_run_that_was_suspected_before_keeps_its_tries,
    what_was_in_hand_goes_to_one_of_several,
);

const HOUR: Duration = Duration::from_hours(1);

fn tick(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// A pass that notes its first page and is never heard of again.
async fn dead(on: &Fixture, tick: Option<(Timestamp, Shard)>, runs: &[i64]) -> i64 {
    let start = SweepStart {
        by: "dead-worker",
        workspace: None,
        tick: tick.map(|(tick, _)| tick),
        shard: tick.map(|(_, shard)| shard).unwrap_or_default(),
        in_hand: &run_ids(runs),
    };
    on.store.open_sweep(&start).await.unwrap()
}

async fn take_over(
    on: &Fixture,
    tick: Option<(Timestamp, Shard)>,
    silent_for: Duration,
) -> Vec<i64> {
    let taken = on.store.take_over_sweeps(tick, silent_for, "heir").await;
    taken.unwrap().into_iter().map(|run| run.0).collect()
}

/// How many passes have something in hand.
async fn in_hand(on: &Fixture) -> i64 {
    let none = on.either("[]", "{}");
    on.number_of(&format!("reconciler.sweeps WHERE in_hand <> '{none}'"))
        .await
}

/// One that has been silent for two hours.
async fn silent(on: &Fixture, runs: &[i64]) -> i64 {
    let sweep = dead(on, None, runs).await;
    fall_silent(on, sweep).await;
    sweep
}

/// As if it had been silent for two hours.
async fn fall_silent(on: &Fixture, sweep: i64) {
    let silent_since = on.in_seconds(-7200);
    let silent =
        format!("UPDATE reconciler.sweeps SET beat_at = {silent_since} WHERE id = {sweep}");
    on.execute(&silent).await;
}

async fn a_pass_that_is_asked_for_again_is_dead(on: Fixture) {
    on.plant((1..=5).map(Case::failed)).await;
    on.settle(&[3]).await;
    on.execute("UPDATE operation_runs SET type = 'restore.verify' WHERE id = 4")
        .await;
    let noon = tick("2025-03-01T12:00:00Z");
    let part = |index| Shard::new(index, 2).unwrap();
    dead(&on, Some((noon, part(1))), &[1, 2, 3, 4, 404]).await;
    dead(&on, Some((noon, part(0))), &[5]).await;
    dead(&on, None, &[5]).await;

    let later = tick("2025-03-01T12:00:01Z");
    assert_eq!(take_over(&on, Some((later, part(1))), HOUR).await, [0; 0]);
    assert_eq!(take_over(&on, Some((noon, part(1))), HOUR).await, [1, 2]);
    assert_eq!(in_hand(&on).await, 2);
    assert_eq!(take_over(&on, Some((noon, part(1))), HOUR).await, [0; 0]);

    let rows = "SELECT * FROM reconciler.attempts ORDER BY operation_run_id";
    let rows = on.rows(rows).await;
    let runs = rows.iter().map(|row| text_of(row, "operation_run_id"));
    assert!(runs.eq(["1", "2"]), "{rows:?}");
    let row = &rows[0];
    assert_eq!(text_of(row, "workspace_id"), HOME.0.to_string());
    assert_eq!(text_of(row, "managed_environment_id"), HOME.1.to_string());
    let (tries, worker) = (text_of(row, "tries"), text_of(row, "worker"));
    assert_eq!((tries, worker), ("0", "heir"));
    assert_eq!(row["first_seen_at"], row["try_again_at"]);
    assert_eq!((&row["last_tried_at"], &row["dead_at"]), (&None, &None));
    // At once: nothing has been tried yet.
    assert_eq!(on.store.count_due(None).await.unwrap(), 3);
    let ended = on.number_of("reconciler.sweeps WHERE ended_at IS NOT NULL");
    assert_eq!(ended.await, 0, "a pass that died never ended");
}

async fn a_pass_that_is_silent_for_too_long_is_dead(on: Fixture) {
    on.plant((1..=4).map(Case::failed)).await;
    let silent = dead(&on, None, &[2, 1]).await;
    let other = dead(&on, None, &[2, 3]).await;
    dead(&on, None, &[4]).await;
    assert_eq!(take_over(&on, None, HOUR).await, [0; 0]);
    fall_silent(&on, silent).await;
    fall_silent(&on, other).await;
    assert_eq!(take_over(&on, None, 3 * HOUR).await, [0; 0]);
    assert_eq!(take_over(&on, None, HOUR).await, [1, 2, 3]);
    assert_eq!(in_hand(&on).await, 1);
}

async fn a_pass_that_ended_or_goes_on_is_left_alone(on: Fixture) {
    on.plant((1..=4).map(Case::failed)).await;
    let ended = silent(&on, &[1]).await;
    let going_on = silent(&on, &[2]).await;
    let end = Tally::default();
    on.store.close_sweep(ended, &end).await.unwrap();
    on.store.note_page(going_on, &[RunId(3)]).await.unwrap();
    assert_eq!(take_over(&on, None, HOUR).await, [0; 0]);
    assert_eq!(in_hand(&on).await, 1);
    fall_silent(&on, going_on).await;
    assert_eq!(take_over(&on, None, HOUR).await, [3], "its last page");
}

async fn a_run_that_was_suspected_before_keeps_its_tries(on: Fixture) {
    on.plant([1, 2].map(Case::failed)).await;
    silent(&on, &[1]).await;
    take_over(&on, None, HOUR).await;
    on.execute("UPDATE reconciler.attempts SET tries = 2, worker = 'first heir'")
        .await;
    silent(&on, &[1, 2]).await;
    assert_eq!(take_over(&on, None, HOUR).await, [1, 2]);
    let row = "SELECT * FROM reconciler.attempts WHERE operation_run_id = 1";
    let row = on.row(row).await;
    let kept = (text_of(&row, "tries"), text_of(&row, "worker"));
    assert_eq!(kept, ("2", "first heir"));
}

async fn what_was_in_hand_goes_to_one_of_several(on: Fixture) {
    on.plant((1..=60).map(Case::failed)).await;
    for round in 0..5 {
        for first in [1, 21, 41] {
            let runs: Vec<i64> = (first..first + 20).collect();
            silent(&on, &runs).await;
        }
        let heirs = (0..4).map(|_| take_over(&on, None, HOUR));
        let mut taken = join_all(heirs).await.concat();
        taken.sort_unstable();
        assert_eq!(taken, (1..=60).collect::<Vec<i64>>(), "round {round}");
        on.execute("DELETE FROM reconciler.attempts").await;
    }
}
