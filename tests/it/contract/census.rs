//! The census: who counts, and what is counted.

use std::time::Duration;

use reconciler_jobs::ids::RunId;
use restore_reconciler::internals::storage::QueueState;
use restore_reconciler::internals::storage::census::Census;

use crate::support::case::Case;
use crate::support::store::{Fixture, on_both, settling};

on_both!(
    one_worker_at_a_time_is_told_to_count,
    what_was_counted_is_there_for_everybody,
    what_is_counted_is_what_is_there,
    a_run_that_was_rewritten_is_noticed,
);

const EVERY: Duration = Duration::from_hours(1);

async fn claim(on: &Fixture, worker: &str) -> bool {
    on.store
        .claim_census(worker, EVERY)
        .await
        .expect("an answer")
}

async fn take(on: &Fixture) -> Census {
    on.store.take_census().await.expect("a census")
}

/// As if the last claim had been made so long before.
async fn move_claim(on: &Fixture, hours: i64) {
    let micros = hours * 3_600_000_000;
    on.execute(on.either(
        &format!("UPDATE reconciler.census SET claimed_at = claimed_at - {micros}"),
        &format!(
            "UPDATE reconciler.census SET claimed_at = claimed_at - {hours} * interval '1 hour'"
        ),
    ))
    .await;
}

async fn one_worker_at_a_time_is_told_to_count(on: Fixture) {
    assert!(claim(&on, "a").await);
    assert!(!claim(&on, "b").await && !claim(&on, "a").await);
    move_claim(&on, 2).await;
    assert!(claim(&on, "b").await, "its turn has come");
    assert!(!claim(&on, "a").await);
    move_claim(&on, -3).await;
    assert!(
        claim(&on, "a").await,
        "a clock that was set back stops nobody for hours"
    );
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
    assert_eq!(
        load().await,
        Some(later),
        "who counted slowly replaces nothing newer"
    );
    on.execute("UPDATE reconciler.census SET counts = '{\"by\":\"a later release\"}'")
        .await;
    assert_eq!(load().await, None);
}

async fn what_is_counted_is_what_is_there(on: Fixture) {
    let on = on.with_queue().await;
    let empty = take(&on).await;
    assert_eq!(
        (empty.open_runs, empty.due_runs, empty.due_since),
        (0, 0, None)
    );
    assert!(empty.queue.is_empty() && empty.ledger_rows == 0);

    on.plant([
        Case::proven(1),
        Case::proven(2),
        Case::in_progress(3),
        Case::proven(4),
    ])
    .await;
    on.execute("UPDATE operation_runs SET type = 'backup.execute' WHERE id = 4")
        .await;
    let created = on.run(1).await["created_at"].clone();
    let before = take(&on).await;
    assert_eq!((before.open_runs, before.due_runs), (3, 3));
    assert_eq!(
        before.due_since,
        crate::support::store::moment(created.as_ref())
    );

    let runs = [RunId(1), RunId(2)];
    on.store.request(&runs, "test", None).await.expect("queued");
    let asked = take(&on).await;
    assert_eq!(asked.queue[&QueueState::Waiting].entries, 2);
    assert!(asked.queue[&QueueState::Waiting].oldest <= asked.as_of);

    let mut settled = Vec::new();
    let runs = [RunId(1), RunId(3)];
    on.store
        .settle(&runs, &settling(), &mut settled)
        .await
        .expect("settled");
    let after = take(&on).await;
    assert_eq!(
        (after.open_runs, after.due_runs, after.ledger_rows),
        (2, 1, 1)
    );
    assert_eq!(after.queue[&QueueState::Deferred].entries, 1);
    assert_eq!(
        take(&on).await.queue,
        after.queue,
        "counting changes nothing"
    );

    let now = on.either("(unixepoch('now') * 1000000)", "statement_timestamp()");
    on.execute(&format!(
        "INSERT INTO reconciler.attempts (
            operation_run_id, workspace_id, tries, worker, first_seen_at, last_tried_at, try_again_at, dead_at
        ) VALUES (2, 1, 5, 'ended', {now}, {now}, {now}, {now})"
    ))
    .await;
    let dead = take(&on).await;
    assert_eq!(dead.queue[&QueueState::DeadLetter].entries, 1);
    assert_eq!(
        (dead.open_runs, dead.due_runs),
        (2, 0),
        "nobody tries a dead letter again"
    );
}

async fn a_run_that_was_rewritten_is_noticed(on: Fixture) {
    let on = on.with_queue().await;
    on.plant([Case::proven(1), Case::failed(2), Case::proven(3)])
        .await;
    on.settle(&[1, 2, 3]).await;
    assert_eq!(take(&on).await.disagreements, 0);
    on.execute("UPDATE operation_runs SET outcome = 'succeeded' WHERE id = 2")
        .await;
    assert_eq!(take(&on).await.disagreements, 1);
    on.execute("UPDATE operation_runs SET status = 'running' WHERE id = 3")
        .await;
    assert_eq!(take(&on).await.disagreements, 2);
    on.execute("DELETE FROM operation_runs WHERE id = 2").await;
    assert_eq!(
        take(&on).await.disagreements,
        1,
        "what is gone says nothing"
    );
}
