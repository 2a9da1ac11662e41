//! Whoever asks for a run commits, whatever the server's queue of notifications is like and whatever others have set.

use sqlx::postgres::PgListener;
use sqlx::{Connection as _, PgConnection, raw_sql};

use super::request::{jobs, platform};
use super::triggers::{migrator, restore_becomes};
use crate::support::case::Case;
use crate::support::cluster;
use crate::support::roles::{Purpose, connect};
use crate::support::store::Fixture;

const ASK: &str = "SELECT reconciler.request(1, 'test')";

/// Asks as the platform does, in a transaction with a write of its own.
const ASK_AND_WRITE: &str =
    "BEGIN; SELECT reconciler.request(1, 'test'); UPDATE workspaces SET name = name || '+'; COMMIT";

/// What the server says of its queue of notifications in this database, instead of asking it: a real one that is half
/// full takes gigabytes before PostgreSQL 17.
pub(super) const HALF_FULL: &str = "SET allow_system_table_mods = on;
    CREATE OR REPLACE FUNCTION pg_catalog.pg_notification_queue_usage() RETURNS double precision
    LANGUAGE sql VOLATILE AS 'SELECT 0.5::double precision'";

#[tokio::test]
async fn what_others_have_set_fails_no_caller() {
    let on = platform().await;
    let mut expected = 0;
    for foreign in [
        "yes",
        "12 jobs",
        "99999999999999999999",
        "-3",
        "1.5",
        "0x10",
        "7\n",
        "7",
    ] {
        let set = format!("SET reconciler.asked = '{foreign}'; {ASK_AND_WRITE}");
        on.execute(&set).await;
        expected += 1;
        assert_eq!(jobs(&on).await, expected, "{foreign:?}");
    }
    let written = on.number_of("workspaces WHERE name LIKE '%++++++++'").await;
    assert!(written > 0);
}

#[tokio::test]
async fn nobody_is_notified_while_half_of_the_servers_queue_is_taken() {
    let on = platform().await;
    let mut listener = PgListener::connect(&on.url_of(Purpose::Engineer))
        .await
        .expect("a connection");
    listener.listen("reconciler_wake").await.expect("a channel");
    let heard_first = async |listener: &mut PgListener| {
        let mut platform = connect(Purpose::Platform, &on.url).await;
        for statement in [ASK, "NOTIFY reconciler_wake, 'the end'"] {
            raw_sql(statement)
                .execute(&mut platform)
                .await
                .expect(statement);
        }
        let heard = listener.recv().await.expect("a notification");
        let is_end = heard.payload() == "the end";
        if !is_end {
            listener.recv().await.expect("the end");
        }
        is_end
    };
    assert!(!heard_first(&mut listener).await, "there is room");
    on.execute_as_superuser(HALF_FULL).await;
    assert!(heard_first(&mut listener).await, "there is none to spare");
    assert_eq!(jobs(&on).await, 2);
}

/// A server whose queue of notifications is full: somebody listens and stays in a transaction.
async fn is_full(listener: &mut PgConnection, other: &mut PgConnection) {
    raw_sql("LISTEN anything")
        .execute(&mut *listener)
        .await
        .expect("a channel");
    raw_sql("BEGIN; SELECT 1")
        .execute(listener)
        .await
        .expect("a transaction");
    let fill = "SELECT pg_notify('anything', repeat('a', 7900) || clock_timestamp())";
    for _ in 0..1_000 {
        if let Err(error) = raw_sql(fill).execute(&mut *other).await {
            let error = error.to_string();
            assert!(error.contains("too many notifications"), "{error}");
            return;
        }
    }
    panic!("it never was full");
}

/// From PostgreSQL 17 on the queue can be made small enough to be filled.
#[tokio::test]
async fn a_full_queue_of_notifications_fails_no_commit_of_the_platforms() {
    let mut cluster = cluster::private();
    cluster.survive_kills().await;
    let database = cluster.database().await;
    let mut engineer = connect(Purpose::Engineer, &database.url()).await;
    let version = "SELECT current_setting('server_version_num')::bigint / 10000";
    let version = sqlx::query_scalar(version).fetch_one(&mut engineer).await;
    let version: i64 = version.expect("a number");
    if version < 17 {
        println!("skipped: the queue of notifications of PostgreSQL {version} takes 8 GB");
        return;
    }
    cluster.set("max_notify_queue_pages", "64").await;
    cluster.kill();
    cluster.start_again();
    let on = Fixture::in_database(database).await;
    on.furnish().await;
    let on = on.with_queue().await;
    on.plant([Case::proven(1)]).await;
    migrator(&on)
        .await
        .set_platform_triggers(true)
        .await
        .unwrap();
    let (mut listener, mut other) = (
        connect(Purpose::Owner, &on.url).await,
        connect(Purpose::Owner, &on.url).await,
    );
    is_full(&mut listener, &mut other).await;

    let mut platform = connect(Purpose::Platform, &on.url).await;
    let notifies = raw_sql("NOTIFY anything").execute(&mut platform).await;
    assert!(notifies.is_err(), "the queue is full");
    raw_sql(ASK_AND_WRITE)
        .execute(&mut platform)
        .await
        .expect("a commit");
    assert_eq!(jobs(&on).await, 1);
    let ended: &'static str = restore_becomes("failed").leak();
    raw_sql(ended)
        .execute(&mut platform)
        .await
        .expect("a commit");
    assert_eq!(jobs(&on).await, 2);
    listener.close().await.expect("it ends");
}
