//! A future that is dropped in the middle of a transaction leaves nothing open: a later statement that got the
//! same connection would be part of it, and never be committed.

use std::future::poll_fn;
use std::task::Poll;

use reconciler_jobs::ids::RunId;
use restore_reconciler::internals::storage::{Access, Limits, QueuePool, Store, connect};
use sqlx::raw_sql;

use crate::support::case::Case;
use crate::support::roles::Purpose;
use crate::support::settled::settling;
use crate::support::store::{Fixture, on_both};

on_both!(
    a_settlement_that_is_dropped_swallows_no_later_statement,
    a_look_that_is_dropped_swallows_no_later_statement,
);

/// More waits than any of these futures has.
const WAITS_MAX: i64 = 200;

/// Drops a future in the midst of its wait number `waits`; nothing if it has ended before.
async fn dropped<F: Future>(waits: i64, future: F) -> Option<()> {
    let mut future = Box::pin(future);
    let mut waited = 0;
    poll_fn(|cx| {
        let is_ready = future.as_mut().poll(cx).is_ready();
        waited += 1;
        match is_ready {
            true => Poll::Ready(None),
            false if waited > waits => Poll::Ready(Some(())),
            false => Poll::Pending,
        }
    })
    .await
}

/// With one connection, so that the next statement gets the one that was in use.
async fn with_one_connection(on: &Fixture) -> Store {
    let limits = Limits {
        connections_max: 1,
        ..Limits::default()
    };
    let store = connect(&on.url_of(Purpose::Worker), Access::Write, &limits).await;
    store.expect("the database is there")
}

/// Statements that are sent by themselves are seen by others afterwards.
async fn can_write(on: &Fixture, store: &Store, run: i64) {
    store.suspect(&[RunId(run)], "a test").await.expect("a row");
    let seen = format!("SELECT count(*) FROM reconciler.attempts WHERE operation_run_id = {run}");
    assert_eq!(on.count(&seen).await, 1, "run {run}");
    let jobs = "SELECT count(*) FROM apalis.jobs";
    let before = on.count(jobs).await;
    let queued = store.request(&[RunId(run)], "test", None).await;
    assert_eq!(queued.expect("a job"), [RunId(run)]);
    assert_eq!(on.count(jobs).await, before + 1, "run {run}");
}

async fn a_settlement_that_is_dropped_swallows_no_later_statement(on: Fixture) {
    let on = on.with_queue().await;
    let store = with_one_connection(&on).await;
    on.plant((1..=WAITS_MAX + 1).map(Case::proven)).await;
    let with = settling();
    let mut verdicts = 0;
    for waits in 0..WAITS_MAX {
        let (asked, mut settled) = ([RunId(1)], Vec::new());
        let settling = dropped(waits, store.settle(&asked, &with, &mut settled)).await;
        can_write(&on, &store, waits + 2).await;
        verdicts = on.count("SELECT count(*) FROM reconciler.ledger").await;
        on.assert_one_of_each(verdicts).await;
        if settling.is_none() {
            break;
        }
    }
    assert_eq!(verdicts, 1);
}

/// As the library that delivers jobs does it.
async fn a_look_that_is_dropped_swallows_no_later_statement(on: Fixture) {
    let on = on.with_queue().await;
    let store = with_one_connection(&on).await;
    on.plant((1..=WAITS_MAX).map(Case::proven)).await;
    for waits in 0..WAITS_MAX {
        let looking = match store.queue_pool() {
            QueuePool::Postgres(pool) => dropped(waits, look(&pool)).await,
            QueuePool::Sqlite(pool) => dropped(waits, look(&pool)).await,
        };
        can_write(&on, &store, waits + 1).await;
        if looking.is_none() {
            return;
        }
    }
    panic!("it never ends");
}

async fn look<D: sqlx::Database>(pool: &sqlx::Pool<D>) {
    let tx = pool.begin().await.expect("a transaction");
    tx.commit().await.expect("nothing was done");
}

/// Whatever the library leaves open, it does so on connections of its own.
#[tokio::test]
async fn what_is_left_open_on_the_queue_s_connections_swallows_nothing_of_ours() {
    let on = Fixture::postgres_with_queue().await;
    let store = with_one_connection(&on).await;
    let QueuePool::Postgres(pool) = store.queue_pool() else {
        panic!("PostgreSQL");
    };
    let mut left_open = pool.acquire().await.expect("a connection");
    let begun = raw_sql("BEGIN").execute(&mut *left_open).await;
    begun.expect("an order");
    drop(left_open);
    on.plant((1..=4).map(Case::proven)).await;
    for run in 1..=4 {
        can_write(&on, &store, run).await;
    }
}
