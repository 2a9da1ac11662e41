//! Connections that were cut without a word.

use std::time::Duration;

use restore_reconciler::internals::storage::{Access, Limits, QueuePool, connect};
use sqlx::PgPool;
use tokio::time::{interval, timeout};

use crate::support::proxy::Proxy;
use crate::support::store::Fixture;
use crate::support::time::{POLL, in_time};

/// One of a store's pools, all of which are made alike, through a proxy; with room for two connections, and
/// time for whoever waits for one.
async fn pool_behind(proxy: &Proxy, url: &str) -> PgPool {
    let limits = Limits {
        connect_timeout: Duration::from_mins(1),
        ..Limits::default()
    };
    let store = connect(&proxy.url(url), Access::Write, &limits)
        .await
        .unwrap();
    let QueuePool::Postgres(pool) = store.queue_pool() else {
        panic!("it is no file");
    };
    until("the first connection's end", || proxy.connections() == 0).await;
    pool
}

async fn until(what: &str, is_so: impl Fn() -> bool) {
    let mut poll = interval(POLL);
    in_time(what, async {
        while !is_so() {
            poll.tick().await;
        }
    })
    .await;
}

/// Whether another connection is opened long before whoever needs one runs out of time.
async fn is_opened(proxy: &Proxy, connections: usize) -> bool {
    let opened = until("a connection", || proxy.connections() == connections);
    timeout(Duration::from_secs(15), opened).await.is_ok()
}

#[tokio::test]
async fn an_idle_connection_that_does_not_answer_is_replaced() {
    let on = Fixture::postgres().await;
    let proxy = Proxy::before(&on.url);
    let pool = pool_behind(&proxy, &on.url).await;
    drop(pool.acquire().await.unwrap());
    until("an idle connection", || pool.num_idle() == 1).await;

    proxy.stall();
    let asking = tokio::spawn(async move { pool.acquire().await.map(drop) });
    assert!(is_opened(&proxy, 2).await, "it still waits for the old one");
    proxy.heal();
    in_time("an answer", asking).await.unwrap().unwrap();
}

#[tokio::test]
async fn connections_that_come_back_and_do_not_answer_make_room() {
    let on = Fixture::postgres().await;
    let proxy = Proxy::before(&on.url);
    let pool = pool_behind(&proxy, &on.url).await;
    let both = [pool.acquire().await.unwrap(), pool.acquire().await.unwrap()];

    proxy.stall();
    drop(both);
    let asking = tokio::spawn(async move { pool.acquire().await.map(drop) });
    assert!(is_opened(&proxy, 3).await, "both keep their places");
    proxy.heal();
    in_time("an answer", asking).await.unwrap().unwrap();
}
