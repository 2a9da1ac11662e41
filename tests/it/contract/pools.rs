//! Connections that were cut without a word.

use std::time::Duration;

use restore_reconciler::internals::storage::{Access, Limits, QueuePool, connect};
use sqlx::PgPool;
use tokio::task::block_in_place;
use tokio::time::timeout;

use crate::support::case::Case;
use crate::support::cluster;
use crate::support::proxy::Proxy;
use crate::support::roles::Purpose;
use crate::support::settled::{run_ids, settle, settling};
use crate::support::store::{Fixture, open};
use crate::support::time::{eventually, in_time};

/// One of a store's pools, all of which are made alike, through a proxy; with room for two connections, and
/// time for whoever waits for one.
async fn pool_behind(proxy: &Proxy, url: &str) -> PgPool {
    let limits = Limits {
        connect_timeout: Duration::from_mins(1),
        ..Limits::default()
    };
    let url = Purpose::Worker.url(&proxy.url(url));
    let store = connect(&url, Access::Write, &limits).await;
    let QueuePool::Postgres(pool) = store.unwrap().queue_pool() else {
        panic!("it is no file");
    };
    until("the first connection's end", || proxy.connections() == 0).await;
    pool
}

async fn until(what: &str, is_so: impl Fn() -> bool) {
    let look = async || is_so().then_some(());
    eventually(look, async || what.to_owned()).await;
}

/// Whoever needs a connection while none that there is answers gets another: the one of this number.
async fn gets_another(proxy: &Proxy, pool: PgPool, connections: usize) {
    let asking = tokio::spawn(async move { pool.acquire().await.map(drop) });
    let opened = until("a connection", || proxy.connections() == connections);
    // Long before whoever needs one runs out of time.
    let opened = timeout(Duration::from_secs(15), opened).await;
    assert!(opened.is_ok(), "those that do not answer keep their places");
    proxy.heal();
    in_time("an answer", asking).await.unwrap().unwrap();
}

#[tokio::test]
async fn an_idle_connection_that_does_not_answer_is_replaced() {
    let on = Fixture::postgres().await;
    let proxy = Proxy::before(&on.url);
    let pool = pool_behind(&proxy, &on.url).await;
    drop(pool.acquire().await.unwrap());
    until("an idle connection", || pool.num_idle() == 1).await;
    proxy.stall();
    gets_another(&proxy, pool, 2).await;
}

/// The name of a server leads to another one after a failover, under a process that has been connected for long.
#[tokio::test]
async fn each_connection_is_to_the_kind_of_server_that_is_asked_for() {
    let on = Fixture::postgres().await;
    // The server's own answer, in a schema that comes before its own.
    on.execute(
        "CREATE SCHEMA failover; GRANT USAGE ON SCHEMA failover TO PUBLIC;
         CREATE TABLE failover.state AS SELECT false AS is_standby; GRANT SELECT ON failover.state TO PUBLIC;
         CREATE FUNCTION failover.pg_is_in_recovery() RETURNS boolean LANGUAGE sql
         AS 'SELECT is_standby FROM failover.state'",
    )
    .await;
    let url = Purpose::Worker.url(&on.url);
    let path = "options=-c%20search_path%3Dfailover,pg_catalog,public";
    let limits = Limits {
        connect_timeout: Duration::from_secs(2),
        ..Limits::default()
    };
    let opened = async |attributes: &str| {
        let url = format!("{url}&{path}&target_session_attrs={attributes}");
        let store = connect(&url, Access::Write, &limits).await;
        store.expect("it is such a server")
    };
    let (primary, any) = (opened("primary").await, opened("any").await);
    assert!(primary.has_platform().await.expect("an answer"));
    let listening = primary.listen(None).await.expect("a connection");
    // A failover ends the server, and every open connection with it.
    let becomes = async |is_standby: bool| {
        on.execute(&format!(
            "UPDATE failover.state SET is_standby = {is_standby}"
        ))
        .await;
        on.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
             WHERE datname = current_database() AND usename = 'reconciler'",
        )
        .await;
    };
    becomes(true).await;
    drop(listening);
    assert!(primary.has_platform().await.is_err());
    assert!(primary.listen(None).await.is_err());
    let QueuePool::Postgres(queue) = primary.queue_pool() else {
        panic!("it is no file");
    };
    assert!(queue.acquire().await.is_err());
    assert!(any.has_platform().await.expect("an answer"));
    let standby = opened("standby").await;
    assert!(standby.has_platform().await.expect("an answer"));
    becomes(false).await;
    assert!(standby.has_platform().await.is_err());
    assert!(primary.has_platform().await.expect("an answer"));
}

/// No limit ends a commit that waits for its standby, so it keeps its place in the pool, whoever gave up on it.
#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_waits_for_a_standby_takes_one_session_and_no_more() {
    let mut cluster = cluster::private();
    cluster.survive_kills().await;
    cluster.set("wal_level", "replica").await;
    cluster.set("max_wal_senders", "4").await;
    block_in_place(|| cluster.kill());
    block_in_place(|| cluster.start_again());
    let on = Fixture::in_database(cluster.database().await).await;
    on.furnish().await;
    on.plant([1, 2].map(Case::proven)).await;
    cluster.set("synchronous_standby_names", "gone").await;
    let limits = Limits {
        connections_max: 1,
        ..Limits::default()
    };
    let store = connect(&Purpose::Worker.url(&on.url), Access::Write, &limits).await;
    let store = store.expect("it is the primary");
    // Longer, the second time, than a session that is given back may take to answer.
    for (run, wait) in [(1, 2), (2, 9)] {
        let (runs, with, mut settled) = (run_ids(&[run]), settling(), Vec::new());
        let confirmed = store.settle(&runs, &with, &mut settled);
        drop(timeout(Duration::from_secs(wait), confirmed).await);
    }
    let waiting = "pg_stat_activity WHERE usename = 'reconciler' AND wait_event = 'SyncRep'";
    let waiting = on.number_of(waiting).await;
    // Nothing of the test waits for it, whatever was found.
    cluster.set("synchronous_standby_names", "").await;
    assert_eq!(waiting, 1);
    let is_told = async || (on.number_of("reconciler.ledger").await == 1).then_some(());
    eventually(is_told, async || "it is not confirmed".to_owned()).await;
    settle(&store, &[2], &settling()).await;
    on.assert_one_of_each(2).await;
}

/// Moments without a zone are UTC's in every statement, also in those that are sent by themselves, whatever zone the role's
/// sessions begin in: the driver asks for it with each connection.
#[tokio::test]
async fn every_session_is_in_utc_whatever_the_role_begins_in() {
    let on = Fixture::postgres().await;
    on.plant([Case::proven(1), Case::proven(2)]).await;
    let database = on.value("SELECT quote_ident(current_database())").await;
    let database = database.expect("a name");
    for role in ["reconciler", "migrator", "console"] {
        on.execute_as_superuser(&format!(
            "ALTER ROLE {role} IN DATABASE {database} SET TimeZone = 'Europe/Berlin'"
        ))
        .await;
    }
    let store = open(&on.url).await;
    // Both pools are made alike.
    let QueuePool::Postgres(queue) = store.queue_pool() else {
        panic!("it is no file");
    };
    let zone = sqlx::query_scalar("SHOW TimeZone").fetch_one(&queue);
    let zone: String = zone.await.expect("a zone");
    assert_eq!(zone, "UTC");
    store
        .suspect(&run_ids(&[1]), "a worker that ended")
        .await
        .expect("it is noted");
    store.forget_leftovers().await.expect("it is looked for");
    let same = "SELECT count(*) FROM reconciler.attempts
                JOIN operation_runs AS run ON run.id = operation_run_id
                WHERE run_created_at = run.created_at AT TIME ZONE 'UTC'";
    assert_eq!(on.count(same).await, 1, "it is about the run that there is");
}

#[tokio::test]
async fn connections_that_come_back_and_do_not_answer_make_room() {
    let on = Fixture::postgres().await;
    let proxy = Proxy::before(&on.url);
    let pool = pool_behind(&proxy, &on.url).await;
    let both = [pool.acquire().await.unwrap(), pool.acquire().await.unwrap()];
    proxy.stall();
    drop(both);
    gets_another(&proxy, pool, 3).await;
}
