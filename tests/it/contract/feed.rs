//! The verdict feed: every verdict once, in an order in which none comes late, for each consumer at its own place.
//!
//! Tests share a server, so a transaction of another test may keep a verdict waiting for a moment.

use reconciler_jobs::ids::RunId;
use reconciler_jobs::restore_execute::ReasonCode;
use restore_reconciler::internals::doctor::{Level, examine};
use restore_reconciler::internals::storage::{FeedProgress, Store};
use sqlx::postgres::PgListener;
use sqlx::{PgConnection, PgPool, raw_sql};

use super::notices::HALF_FULL;
use crate::support::case::Case;
use crate::support::hold::hold;
use crate::support::roles::{Purpose, connect};
use crate::support::settled::settling;
use crate::support::store::{Fixture, open};
use crate::support::time::eventually;

const POSITIONS: &str = "SELECT position FROM reconciler.ledger_positions ORDER BY position";

/// Which run is at which place.
const RUNS: &str = "SELECT operation_run_id FROM reconciler.verdict_feed ORDER BY position";

/// As if verdicts had waited for as long as it takes until it is said who keeps them waiting.
const WAIT_LONG: &str =
    "UPDATE reconciler.ledger_unplaced SET written_at = written_at - interval '2 minutes'";

/// With verdicts on these runs.
async fn judged(runs: impl IntoIterator<Item = i64>) -> Fixture {
    let on = Fixture::postgres().await;
    let runs: Vec<i64> = runs.into_iter().collect();
    on.plant(runs.iter().map(|run| Case::proven(*run))).await;
    on.settle(&runs).await;
    on
}

async fn place_some(store: &Store) -> FeedProgress {
    let placed = store.place_verdicts(100).await.expect("an answer");
    placed.expect("there is a feed")
}

/// Gives positions until so many verdicts have one.
pub(crate) async fn place_verdicts(on: &Fixture, wanted: i64) {
    let all = async || {
        place_some(&on.store).await;
        (on.number_of("reconciler.ledger_positions").await == wanted).then_some(())
    };
    eventually(all, async || format!("not {wanted} positions")).await;
}

/// As the platform.
async fn platform(on: &Fixture) -> PgPool {
    PgPool::connect(&on.url_of(Purpose::Platform))
        .await
        .expect("the platform's role")
}

/// The positions of what a consumer is given.
async fn next(platform: &PgPool, consumer: &str, limit: i32) -> sqlx::Result<Vec<i64>> {
    sqlx::query_scalar("SELECT position FROM reconciler.next_verdicts($1, $2)")
        .bind(consumer)
        .bind(limit)
        .fetch_all(platform)
        .await
}

async fn acknowledge(platform: &PgPool, consumer: &str, through: i64) -> sqlx::Result<i64> {
    sqlx::query_scalar("SELECT reconciler.ack_verdicts($1, $2)")
        .bind(consumer)
        .bind(through)
        .fetch_one(platform)
        .await
}

#[tokio::test]
async fn each_verdict_has_one_position_and_a_second_pass_changes_nothing() {
    let on = judged([1, 2, 3]).await;
    on.plant([Case::failed(4), Case::in_progress(5)]).await;
    on.settle(&[4, 5]).await;
    place_verdicts(&on, 4).await;
    assert_eq!(on.numbers(POSITIONS).await, [1, 2, 3, 4]);
    let of_workspace =
        "SELECT workspace_position FROM reconciler.ledger_positions ORDER BY position";
    assert_eq!(on.numbers(of_workspace).await, [1, 2, 3, 4]);
    let same = "reconciler.verdict_feed AS feed
        JOIN reconciler.ledger AS entry USING (decision_id, operation_run_id, revision, outcome, reason_code, decided_at)
        WHERE (entry.workspace_id, entry.managed_environment_id, entry.run_created_at)
            IS NOT DISTINCT FROM (feed.workspace_id, feed.managed_environment_id, feed.run_created_at)";
    assert_eq!(
        on.number_of(same).await,
        4,
        "the feed says what the ledger says"
    );
    let failed = on
        .row("SELECT * FROM reconciler.verdict_feed WHERE operation_run_id = 4")
        .await;
    assert_eq!(failed["position"].as_deref(), Some("4"), "written last");
    assert_eq!(failed["reason"].as_deref(), Some("The restore failed."));

    let all = "SELECT * FROM reconciler.ledger_positions ORDER BY position";
    let before = (on.rows(all).await, on.fingerprint().await);
    assert_eq!(place_some(&on.store).await.placed, Some(0));
    assert_eq!((on.rows(all).await, on.fingerprint().await), before);
    assert_eq!(on.number_of("reconciler.ledger_unplaced").await, 0);
}

#[tokio::test]
async fn every_reason_for_a_verdict_has_its_sentence() {
    let on = Fixture::postgres().await;
    let reasons = ReasonCode::ALL.iter().filter(|it| it.outcome().is_some());
    let mut expected: Vec<_> = reasons.map(|it| (it.code(), it.sentence())).collect();
    expected.sort_unstable();
    let found: Vec<(String, String)> = sqlx::query_as(
        "SELECT reason_code, sentence FROM reconciler.reason_sentences ORDER BY reason_code COLLATE \"C\"",
    )
    .fetch_all(on.pg())
    .await
    .expect("sentences");
    let found: Vec<(&str, &str)> = found.iter().map(|(code, it)| (&**code, &**it)).collect();
    assert_eq!(found, expected, "a new reason needs a migration");
}

/// The transaction that began first commits last.
#[tokio::test(flavor = "multi_thread")]
async fn a_verdict_that_commits_late_is_not_passed() {
    let on = Fixture::postgres().await;
    on.plant([1, 2, 3].map(Case::proven)).await;
    let held = hold(&on.url, 1).await;
    let other = open(&on.url).await;
    let late = tokio::spawn(async move {
        let (with, mut settled) = (settling(), Vec::new());
        let settling = other.settle(&[RunId(1)], &with, &mut settled);
        settling.await.expect("settled");
    });
    let is_waiting = async || {
        let waiting = on.count(crate::support::hold::WAITING).await;
        (waiting == 1).then_some(())
    };
    eventually(is_waiting, async || "nobody waits".to_owned()).await;
    on.settle(&[2, 3]).await;
    let platform = platform(&on).await;
    for _ in 0..5 {
        let progress = place_some(&on.store).await;
        assert_eq!(
            progress.placed,
            Some(0),
            "an earlier transaction is under way"
        );
        assert!(progress.waiting_since.is_some() && progress.held_up_by.is_none());
    }
    assert_eq!(
        next(&platform, "mail", 10).await.unwrap(),
        Vec::<i64>::new()
    );
    held.let_go().await;
    late.await.expect("settled");
    place_verdicts(&on, 3).await;
    assert_eq!(on.numbers(RUNS).await[0], 1, "it began first");
    assert_eq!(next(&platform, "mail", 10).await.unwrap(), [1, 2, 3]);
}

#[tokio::test]
async fn who_keeps_verdicts_waiting_is_named() {
    let on = Fixture::postgres_with_queue().await;
    let mut other = connect(Purpose::Platform, &on.url).await;
    let begin = "SET application_name = 'nightly import'; BEGIN; INSERT INTO workspaces (id, name) VALUES (88, 'new')";
    raw_sql(begin).execute(&mut other).await.expect("a write");
    let process: i32 = sqlx::query_scalar("SELECT pg_backend_pid()")
        .fetch_one(&mut other)
        .await
        .expect("a process");
    on.plant([Case::proven(1)]).await;
    on.settle(&[1]).await;
    on.execute(WAIT_LONG).await;
    let named = format!("process {process} (platform, nightly import, database ");
    // Older ones of other tests are named first.
    let is_named = async || {
        let who = place_some(&on.store).await.held_up_by?;
        who.starts_with(&named).then_some(())
    };
    eventually(is_named, async || named.clone()).await;
    let about_feed = async || {
        let checks = examine(&on.store, None).await.expect("an answer").checks;
        let found = checks.into_iter().find(|it| it.subject == "verdict feed");
        found.expect("it is looked at")
    };
    let check = about_feed().await;
    assert_eq!(check.level, Level::Advice);
    assert!(check.finding.contains(&named), "{check:?}");
    raw_sql("COMMIT")
        .execute(&mut other)
        .await
        .expect("the end");
    place_verdicts(&on, 1).await;
    assert_eq!(about_feed().await.level, Level::Good);
    let untold =
        "INSERT INTO reconciler.ledger_unplaced (written_by, decision_id, workspace_id, written_at)
        VALUES ('3', 'x', 1, now() - interval '2 minutes')";
    on.execute(untold).await;
    let check = about_feed().await;
    assert!(
        check
            .finding
            .ends_with("no worker gives them their positions."),
        "{check:?}"
    );
}

/// Numbers of transactions begin again where a dump is restored on another server.
#[tokio::test]
async fn what_was_written_on_another_server_gets_its_position() {
    let on = judged([1, 2]).await;
    let restored = "UPDATE reconciler.ledger_unplaced SET written_by = '9000000000000000000'";
    on.execute(restored).await;
    place_verdicts(&on, 2).await;
    assert_eq!(on.numbers(POSITIONS).await, [1, 2]);
}

#[tokio::test]
async fn one_at_a_time_gives_positions_and_tells_of_a_batch_once() {
    let on = judged(1..=20).await;
    let mut listener = PgListener::connect(&on.url_of(Purpose::Engineer))
        .await
        .expect("a connection");
    listener
        .listen("reconciler_verdict")
        .await
        .expect("a channel");
    let mut other = connect(Purpose::Engineer, &on.url).await;
    let lock = async |other: &mut PgConnection, statement: &str| {
        sqlx::query(statement_of(statement))
            .execute(other)
            .await
            .expect("a lock");
    };
    lock(&mut other, "lock").await;
    assert_eq!(
        place_some(&on.store).await.placed,
        None,
        "somebody else is at it"
    );
    lock(&mut other, "unlock").await;
    place_verdicts(&on, 20).await;
    let heard = listener.recv().await.expect("a notification");
    assert_eq!(heard.payload(), "20", "the last position");

    on.execute_as_superuser(HALF_FULL).await;
    on.plant([Case::proven(21)]).await;
    on.settle(&[21]).await;
    // A session that has asked before does not ask again what the server is like.
    let fresh = open(&on.url).await;
    let placed = async || (place_some(&fresh).await.placed? > 0).then_some(());
    eventually(placed, async || "no position".to_owned()).await;
    on.execute("NOTIFY reconciler_verdict, 'the end'").await;
    let heard = listener.recv().await.expect("a notification");
    assert_eq!(heard.payload(), "the end", "there was no room to spare");
}

fn statement_of(lock: &str) -> &'static str {
    match lock {
        "lock" => "SELECT pg_advisory_lock(7165069)",
        _ => "SELECT pg_advisory_unlock(7165069)",
    }
}

/// An entry that is gone with its month has its place all the same, and what may be erased is not in the feed.
#[tokio::test]
async fn a_verdict_that_is_gone_keeps_its_place() {
    let on = judged([1, 2, 3]).await;
    place_verdicts(&on, 3).await;
    let first = on.numbers(RUNS).await[0];
    on.execute_as_superuser(&format!(
        "SET session_replication_role = replica; DELETE FROM reconciler.ledger WHERE operation_run_id = {first};
         DELETE FROM reconciler.ledger_facts; RESET session_replication_role"
    ))
    .await;
    let platform = platform(&on).await;
    assert_eq!(next(&platform, "mail", 10).await.unwrap(), [1, 2, 3]);
    let gone = on
        .row("SELECT * FROM reconciler.verdict_feed WHERE position = 1")
        .await;
    assert!(
        gone["decision_id"].is_some() && gone["outcome"].is_none(),
        "{gone:?}"
    );
}

#[tokio::test]
async fn each_consumer_has_its_own_place_which_never_goes_back() {
    let on = judged(1..=5).await;
    place_verdicts(&on, 5).await;
    let platform = platform(&on).await;
    assert_eq!(next(&platform, "mail", 2).await.unwrap(), [1, 2]);
    assert_eq!(
        next(&platform, "mail", 2).await.unwrap(),
        [1, 2],
        "nothing was acknowledged"
    );
    for (through, place) in [(2, 2), (1, 2), (0, 2), (4, 4)] {
        assert_eq!(
            acknowledge(&platform, "mail", through).await.unwrap(),
            place
        );
    }
    assert_eq!(next(&platform, "mail", 9).await.unwrap(), [5]);
    assert_eq!(next(&platform, "teams", 9).await.unwrap(), [1, 2, 3, 4, 5]);
    // Begins at the end.
    assert_eq!(acknowledge(&platform, "siem", 5).await.unwrap(), 5);
    assert_eq!(next(&platform, "siem", 9).await.unwrap(), Vec::<i64>::new());
    let forget = "SELECT reconciler.forget_consumer('mail')";
    for was_there in [true, false] {
        let forgotten: bool = sqlx::query_scalar(forget)
            .fetch_one(&platform)
            .await
            .unwrap();
        assert_eq!(forgotten, was_there);
    }
    assert_eq!(
        next(&platform, "mail", 1).await.unwrap(),
        [1],
        "it begins again"
    );
    let viewed: i64 = sqlx::query_scalar("SELECT count(*) FROM reconciler.verdict_feed")
        .fetch_one(&platform)
        .await
        .expect("the platform may look without a place");
    assert_eq!(viewed, 5);
}

#[tokio::test]
async fn what_a_consumer_asks_is_bounded() {
    let on = judged([1, 2]).await;
    place_verdicts(&on, 2).await;
    let platform = platform(&on).await;
    let long = "a".repeat(33);
    for name in ["", "Mail", "1st", "a b", "a'; --", "mäil", &long] {
        for asked in [
            next(&platform, name, 1).await.map(drop),
            acknowledge(&platform, name, 1).await.map(drop),
        ] {
            let error = asked.expect_err(name).to_string();
            assert!(error.contains("a consumer's name is a letter"), "{error}");
        }
    }
    for limit in [i32::MIN, 0, 1001] {
        let error = next(&platform, "mail", limit)
            .await
            .unwrap_err()
            .to_string();
        assert!(error.contains("the limit is between 1 and 1000"), "{error}");
    }
    for through in [-1, 3, i64::MAX] {
        let error = acknowledge(&platform, "mail", through)
            .await
            .unwrap_err()
            .to_string();
        assert!(
            error.contains(&format!(
                "no verdict at position {through}: the last one is at 2"
            )),
            "{error}"
        );
    }
    for nothing in [
        "next_verdicts('mail', NULL)",
        "next_verdicts(NULL)",
        "ack_verdicts('mail', NULL)",
    ] {
        let asked = on
            .try_execute(&format!("SELECT reconciler.{nothing}"))
            .await;
        assert!(asked.is_err(), "{nothing}");
    }
    assert_eq!(
        on.number_of("reconciler.verdict_consumers").await,
        0,
        "what is refused leaves nothing"
    );
    for number in 1..=16 {
        next(&platform, &format!("c{number}"), 1)
            .await
            .expect("room");
    }
    let error = next(&platform, "c17", 1).await.unwrap_err().to_string();
    assert!(
        error.contains("there are 16 consumers of verdicts already"),
        "{error}"
    );
    let past = "INSERT INTO reconciler.verdict_consumers VALUES ('c17', 17, 0)";
    assert!(
        on.try_execute(past).await.is_err(),
        "the table has no room either"
    );
}

/// Whoever may not, may not.
#[tokio::test]
async fn the_feed_is_the_platforms() {
    let on = judged([1]).await;
    for (purpose, refused) in [
        (
            Purpose::Console,
            "SELECT reconciler.next_verdicts('mail', 1)",
        ),
        (Purpose::Console, "SELECT * FROM reconciler.verdict_feed"),
        (Purpose::Worker, "SELECT reconciler.ack_verdicts('mail', 0)"),
        (Purpose::Worker, "DELETE FROM reconciler.ledger_unplaced"),
        (
            Purpose::Worker,
            "INSERT INTO reconciler.ledger_unplaced (decision_id, workspace_id) VALUES ('x', 1)",
        ),
        (
            Purpose::Worker,
            "INSERT INTO reconciler.ledger_positions VALUES (1)",
        ),
        (Purpose::Platform, "SELECT reconciler.place_verdicts(1)"),
        (
            Purpose::Platform,
            "SELECT * FROM reconciler.verdict_consumers",
        ),
        (Purpose::Platform, "SELECT * FROM reconciler.ledger"),
    ] {
        let mut session = connect(purpose, &on.url).await;
        let error = raw_sql(refused)
            .execute(&mut session)
            .await
            .expect_err(refused);
        assert!(error.to_string().contains("permission denied"), "{error}");
    }
}
