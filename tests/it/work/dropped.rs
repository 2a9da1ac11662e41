//! A future that is dropped in the middle of a transaction leaves nothing open: a later statement that got the
//! same connection would be part of it, and never be committed.

use std::sync::Arc;
use std::time::Duration;

use reconciler_jobs::ids::RunId;
use restore_reconciler::storage::{Access, Limits, QueuePool, Store, connect};
use sqlx::raw_sql;
use tokio::time::timeout;

use crate::support::case::Case;
use crate::support::store::{Fixture, on_both, settling};

on_both!(
    a_settlement_that_is_dropped_swallows_no_later_statement,
    a_look_that_is_dropped_swallows_no_later_statement,
);

/// How many futures are dropped, each at a later moment than the one before.
const DROPS: i64 = 40;

/// With one connection, so that the next statement gets the one that was in use.
async fn with_one_connection(on: &Fixture) -> Arc<dyn Store> {
    let limits = Limits {
        connections_max: 1,
        ..Limits::default()
    };
    connect(&on.url, Access::Write, &limits)
        .await
        .expect("the database is there")
}

/// Statements that are sent by themselves, and are seen by others afterwards.
async fn can_write(on: &Fixture, store: &dyn Store, run: i64) {
    store.suspect(&[RunId(run)], "a test").await.expect("a row");
    let seen = format!("SELECT count(*) FROM reconciler.attempts WHERE operation_run_id = {run}");
    assert_eq!(on.count(&seen).await, 1, "run {run}");
    let queued = store.request(&[RunId(run)], "test").await;
    assert_eq!(queued.expect("a job"), [RunId(run)]);
    let seen = on.count("SELECT count(*) FROM apalis.jobs").await;
    assert_eq!(seen, run - DROPS, "run {run}");
}

async fn a_settlement_that_is_dropped_swallows_no_later_statement(on: Fixture) {
    let on = on.with_queue().await;
    let store = with_one_connection(&on).await;
    on.plant((1..=2 * DROPS).map(Case::proven)).await;
    let with = settling();
    for run in 1..=DROPS {
        let (asked, mut settled) = ([RunId(run)], Vec::new());
        let after = Duration::from_micros(500) * u32::try_from(run).expect("few");
        drop(timeout(after, store.settle(&asked, &with, &mut settled)).await);
        can_write(&on, &*store, DROPS + run).await;
    }
    let closed = "SELECT count(*) FROM operation_runs WHERE status = 'completed'";
    let closed = on.count(closed).await;
    on.assert_one_of_each(closed).await;
    for run in 1..=DROPS {
        let mut settled = Vec::new();
        let settling = store.settle(&[RunId(run)], &with, &mut settled).await;
        settling.expect("nobody has it in hand");
    }
    on.assert_one_of_each(DROPS).await;
}

/// As the library that delivers jobs does it.
async fn a_look_that_is_dropped_swallows_no_later_statement(on: Fixture) {
    let on = on.with_queue().await;
    let store = with_one_connection(&on).await;
    on.plant((1..=2 * DROPS).map(Case::proven)).await;
    for run in 1..=DROPS {
        let after = Duration::from_micros(50) * u32::try_from(run).expect("few");
        match store.queue_pool() {
            QueuePool::Postgres(pool) => drop(timeout(after, look(&pool)).await),
            QueuePool::Sqlite(pool) => drop(timeout(after, look(&pool)).await),
        }
        can_write(&on, &*store, DROPS + run).await;
    }
}

async fn look<D: sqlx::Database>(pool: &sqlx::Pool<D>) {
    let tx = pool.begin().await.expect("a transaction");
    tx.commit().await.expect("nothing was done");
}

/// Whatever the library leaves open, it does so on connections of its own.
#[tokio::test]
async fn what_is_left_open_on_the_queue_s_connections_swallows_nothing_of_ours() {
    let on = Fixture::postgres().await.with_queue().await;
    let store = with_one_connection(&on).await;
    let QueuePool::Postgres(pool) = store.queue_pool() else {
        panic!("PostgreSQL");
    };
    let mut left_open = pool.acquire().await.expect("a connection");
    raw_sql("BEGIN")
        .execute(&mut *left_open)
        .await
        .expect("an order");
    drop(left_open);
    on.plant((1..=DROPS + 3).map(Case::proven)).await;
    for run in DROPS + 1..=DROPS + 3 {
        can_write(&on, &*store, run).await;
    }
}
