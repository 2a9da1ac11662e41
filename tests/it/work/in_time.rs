//! Nothing waits for a sweep that need not: requests are dealt with at once, and runs that stayed open when
//! their time comes.

use std::time::Duration;

use jiff::Timestamp;
use restore_reconciler::clock::Stopwatch;
use sqlx::{Connection as _, PgConnection};
use tokio::task::JoinSet;

use super::{OPEN_JOBS, Site, VERDICTS, ends_well};
use crate::support::case::Case;

/// No sweep finds anything here.
const NO_SWEEPS: &str = r#"
[sweep]
schedule = "0 0 0 1 1 *"
"#;

/// Nor does a look at the queue that nobody asked for.
const NO_POLLING: &str = r#"
[sweep]
schedule = "0 0 0 1 1 *"

[worker]
poll_interval = "10s"
orphan_after = "30s"
"#;

/// A settle window that tests can wait for.
const SHORT_WINDOW: &str = r#"
[rules]
settle_window = "2s"

[sweep]
schedule = "0 0 0 1 1 *"
"#;

/// What is promised about a wake-up. A tenth of it is usual.
const PROMPT: Duration = Duration::from_secs(2);

/// A run whose restore has ended this moment, and whose proof is still to come.
fn fresh(id: i64, now: Timestamp) -> Case {
    let mut case = Case::proven(id);
    case.run.created_at = Some(now.to_string());
    case.restore.created_at = Some(now.to_string());
    case.restore.started_at = Some(now.to_string());
    case.restore.completed_at = Some(now.to_string());
    case.snapshots.clear();
    case.audits.clear();
    case
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deferred_run_gets_its_verdict_within_a_second_of_its_time() {
    let site = Site::new(SHORT_WINDOW).await;
    let one = site.worker().await;
    let two = site.worker().await;
    let now = site.store.now().await.expect("the server is there");
    site.plant((1..=8).map(|run| fresh(run, now))).await;
    site.request(1..=8).await;
    site.until("SELECT count(*) FROM reconciler.watch_list", 8, &one)
        .await;
    // What was promised, before anybody looks again.
    site.execute(
        "CREATE TABLE promised AS SELECT operation_run_id, look_again_at FROM reconciler.watch_list",
    )
    .await;
    site.verdicts(8, &one).await;
    let late =
        "SELECT count(*) FROM reconciler.ledger AS entry JOIN promised USING (operation_run_id)
        WHERE entry.decided_at < promised.look_again_at
           OR entry.decided_at > promised.look_again_at + interval '1 second'";
    assert_eq!(site.count(late).await, 0);
    assert_eq!(site.count("SELECT count(*) FROM promised").await, 8);
    assert_eq!(
        site.count("SELECT count(*) FROM reconciler.sweeps").await,
        0
    );
    ends_well(one).await;
    ends_well(two).await;
}

/// Both workers see that the time has come; each look counts once and doubles the wait once.
#[tokio::test(flavor = "multi_thread")]
async fn two_workers_count_a_look_once() {
    let site = Site::new(
        r#"
        [sweep]
        schedule = "0 0 0 1 1 *"
        wait_min = "1s"
        wait_max = "2s"
        "#,
    )
    .await;
    site.execute(
        "CREATE TABLE look (run bigint, at timestamptz, tries integer, seen_until timestamptz);
         CREATE FUNCTION look() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN
             INSERT INTO look VALUES (new.operation_run_id, new.last_looked_at, new.tries, old.look_again_at);
             RETURN new;
         END $$;
         CREATE TRIGGER look AFTER UPDATE ON reconciler.watch_list FOR EACH ROW EXECUTE FUNCTION look()",
    )
    .await;
    let one = site.worker().await;
    let two = site.worker().await;
    site.plant((1..=20).map(Case::in_progress)).await;
    site.request(1..=20).await;
    site.until(
        "SELECT count(*) FROM reconciler.watch_list WHERE tries >= 4",
        20,
        &one,
    )
    .await;
    let early = "SELECT count(*) FROM look WHERE at < seen_until";
    assert_eq!(site.count(early).await, 0, "looks before their time");
    let twice = "SELECT count(*) FROM (SELECT 1 FROM look GROUP BY run, tries HAVING count(*) > 1) AS twice";
    assert_eq!(site.count(twice).await, 0, "looks that counted alike");
    let late = "SELECT count(*) FROM look WHERE at > seen_until + interval '1 second'";
    assert_eq!(site.count(late).await, 0, "looks that came late");
    ends_well(one).await;
    ends_well(two).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_is_dealt_with_at_once() {
    let site = Site::new(NO_POLLING).await;
    let worker = site.worker().await;
    for run in 1..=5 {
        site.plant([Case::failed(run)]).await;
        site.request([run]).await;
        let took = site.verdicts(run, &worker).await;
        assert!(took < PROMPT, "{took:?}\n{}", worker.said());
    }
    ends_well(worker).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_come_at_the_same_time_are_dealt_with_at_once() {
    const CONNECTIONS: i64 = 8;
    const EACH: i64 = 16;
    let site = Site::new(NO_POLLING).await;
    let worker = site.worker().await;
    // It listens, which it says by dealing with a first request.
    site.plant((0..=CONNECTIONS * EACH).map(|run| Case::failed(run + 1)))
        .await;
    site.request([CONNECTIONS * EACH + 1]).await;
    site.verdicts(1, &worker).await;

    let mut clients = JoinSet::new();
    for client in 0..CONNECTIONS {
        let mut session = PgConnection::connect(&site.url).await.expect("a session");
        clients.spawn(async move {
            for run in (client * EACH + 1)..=(client + 1) * EACH {
                let queued: bool = sqlx::query_scalar("SELECT reconciler.request($1)")
                    .bind(run)
                    .fetch_one(&mut session)
                    .await
                    .expect("an answer");
                assert!(queued, "run {run}");
            }
        });
    }
    clients.join_all().await;
    let asked = Stopwatch::start();
    site.verdicts(CONNECTIONS * EACH + 1, &worker).await;
    let took = asked.elapsed();
    assert!(took < PROMPT, "{took:?}\n{}", worker.said());
    ends_well(worker).await;
}

/// Every handler may run twice.
#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_is_delivered_again_changes_nothing() {
    let site = Site::new(NO_SWEEPS).await;
    let worker = site.worker().await;
    site.plant((1..=30).map(Case::failed)).await;
    site.request(1..=30).await;
    site.until(OPEN_JOBS, 0, &worker).await;
    assert_eq!(site.count(VERDICTS).await, 30);
    let fingerprint = site.fingerprint().await;
    for attempts in 0..2 {
        // As it was delivered first, and as after the end of a worker that had it.
        let again = format!(
            "UPDATE apalis.jobs SET status = 'Pending', lock_by = NULL, lock_at = NULL, done_at = NULL,
                 attempts = {attempts}
             WHERE job_type = 'restore.execute'"
        );
        site.execute(&again).await;
        site.until(OPEN_JOBS, 0, &worker).await;
        assert_eq!(fingerprint, site.fingerprint().await);
        let attempts = "SELECT count(*) FROM reconciler.attempts";
        assert_eq!(site.count(attempts).await, 0);
    }
    ends_well(worker).await;
}
