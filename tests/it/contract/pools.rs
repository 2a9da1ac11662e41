//! Connections that were cut without a word.

use std::time::Duration;

use restore_reconciler::storage::{Access, Limits, connect};
use tokio::time::{interval, timeout};

use crate::support::proxy::{Proxy, in_time};
use crate::support::store::Fixture;

/// It is given up long before whoever needs a connection runs out of time, and a new one is opened.
#[tokio::test]
async fn an_idle_connection_that_does_not_answer_is_replaced() {
    let on = Fixture::postgres().await;
    let proxy = Proxy::before(&on.url);
    let limits = Limits {
        connect_timeout: Duration::from_mins(1),
        ..Limits::default()
    };
    let store = connect(&proxy.url(&on.url), Access::Write, &limits)
        .await
        .unwrap();
    store.now().await.unwrap();
    let mut poll = interval(Duration::from_millis(10));
    in_time("one idle connection", async {
        while proxy.connections() != 1 {
            poll.tick().await;
        }
    })
    .await;

    proxy.stall();
    let asking = tokio::spawn(async move { store.now().await });
    let replaced = timeout(Duration::from_secs(10), async {
        while proxy.connections() != 2 {
            poll.tick().await;
        }
    });
    assert!(replaced.await.is_ok(), "it still waits for the old one");
    proxy.heal();
    in_time("an answer", asking).await.unwrap().unwrap();
}
