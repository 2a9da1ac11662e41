//! The census: who counts, and what is counted.

use std::time::Duration;

use restore_reconciler::internals::storage::QueueState;
use restore_reconciler::internals::storage::census::Census;

use crate::support::case::Case;
use crate::support::settled::run_ids;
use crate::support::store::{Fixture, moment, on_both};

on_both!(
    one_worker_at_a_time_is_told_to_count,
    what_was_counted_is_there_for_everybody,
    what_is_counted_is_what_is_there,
    a_run_that_was_rewritten_is_noticed,
);

const EVERY: Duration = Duration::from_hours(1);

async fn claim(on: &Fixture, worker: &str) -> bool {
    let claimed = on.store.claim_census(worker, EVERY).await;
    claimed.expect("an answer")
}

async fn take(on: &Fixture) -> Census {
    on.store.take_census().await.expect("a census")
}

/// As if the last claim had been made so long before.
async fn move_claim(on: &Fixture, hours: i64) {
    let hour = on.either("3600000000", "interval '1 hour'");
    let moved = format!("UPDATE reconciler.census SET claimed_at = claimed_at - {hours} * {hour}");
    on.execute(&moved).await;
}

async fn one_worker_at_a_time_is_told_to_count(on: Fixture) {
    assert!(claim(&on, "a").await);
    assert!(!claim(&on, "b").await && !claim(&on, "a").await);
    move_claim(&on, 2).await;
    assert!(claim(&on, "b").await, "its turn has come");
    assert!(!claim(&on, "a").await);
    move_claim(&on, -3).await;
    let claimed = claim(&on, "a").await;
    assert!(claimed, "a clock that was set back stops nobody for hours");
}

async fn what_was_counted_is_there_for_everybody(on: Fixture) {
    let on = on.with_queue().await;
    let load = async || on.store.load_census().await.expect("an answer");
    assert_eq!(load().await, None, "nobody was told to count");
    claim(&on, "a").await;
    assert_eq!(load().await, None, "nobody has counted yet");
    let first = take(&on).await;
    let later = take(&on).await;
    assert!(later.as_of >= first.as_of);
    let later = Census {
        as_of: first.as_of + Duration::from_micros(1),
        ledger_rows: 7,
        ..later
    };
    let publish = async |census: &Census| on.store.publish_census(census).await.expect("published");
    publish(&first).await;
    assert_eq!(load().await.as_ref(), Some(&first));
    publish(&later).await;
    publish(&first).await;
    // Who counted slowly replaces nothing newer.
    assert_eq!(load().await, Some(later));
    on.execute("UPDATE reconciler.census SET counts = '{\"by\":\"a later release\"}'")
        .await;
    assert_eq!(load().await, None);
}

async fn what_is_counted_is_what_is_there(on: Fixture) {
    let on = on.with_queue().await;
    let empty = take(&on).await;
    assert_eq!((empty.open_runs, empty.due_runs), (0, 0));
    assert!(empty.due_since.is_none() && empty.queue.is_empty() && empty.ledger_rows == 0);

    on.plant([1, 2, 4].map(Case::proven)).await;
    on.plant([Case::in_progress(3)]).await;
    on.execute("UPDATE operation_runs SET type = 'backup.execute' WHERE id = 4")
        .await;
    let created = on.run(1).await["created_at"].clone();
    let before = take(&on).await;
    assert_eq!((before.open_runs, before.due_runs), (3, 3));
    assert_eq!(before.due_since, moment(created.as_ref()));

    let queued = on.store.request(&run_ids(&[1, 2]), "test", None).await;
    assert_eq!(queued.expect("queued").len(), 2);
    let asked = take(&on).await;
    assert_eq!(asked.queue[&QueueState::Waiting].entries, 2);
    assert!(asked.queue[&QueueState::Waiting].oldest <= asked.as_of);

    on.settle(&[1, 3]).await;
    let after = take(&on).await;
    let counts = (after.open_runs, after.due_runs, after.ledger_rows);
    assert_eq!(counts, (2, 1, 1));
    assert_eq!(after.queue[&QueueState::Deferred].entries, 1);
    let again = take(&on).await;
    assert_eq!(again.queue, after.queue, "counting changes nothing");
    let undecided = &after.undecided["restore.in_progress"];
    assert_eq!((undecided.entries, after.undecided.len()), (1, 1));
    let since = on.run(3).await["created_at"].clone();
    assert_eq!(Some(undecided.oldest), moment(since.as_ref()));

    let now = on.in_seconds(0);
    on.execute(&format!(
        "INSERT INTO reconciler.attempts (
            operation_run_id, workspace_id, tries, worker, first_seen_at, last_tried_at, try_again_at, dead_at
        ) VALUES (2, 1, 5, 'ended', {now}, {now}, {now}, {now})"
    ))
    .await;
    let dead = take(&on).await;
    assert_eq!(dead.queue[&QueueState::DeadLetter].entries, 1);
    assert_eq!(dead.open_runs, 2);
    assert_eq!(dead.due_runs, 0, "nobody tries a dead letter again");
}

async fn a_run_that_was_rewritten_is_noticed(on: Fixture) {
    let on = on.with_queue().await;
    on.plant([Case::proven(1), Case::failed(2), Case::proven(3)])
        .await;
    on.settle(&[1, 2, 3]).await;
    for (statement, disagreements) in [
        ("SELECT 1", 0),
        (
            "UPDATE operation_runs SET outcome = 'succeeded' WHERE id = 2",
            1,
        ),
        (
            "UPDATE operation_runs SET status = 'running' WHERE id = 3",
            2,
        ),
        // What is gone says nothing.
        ("DELETE FROM operation_runs WHERE id = 2", 1),
    ] {
        on.execute(statement).await;
        assert_eq!(take(&on).await.disagreements, disagreements, "{statement}");
    }
}
