//! Workers give verdicts their positions in the feed by themselves, and say who keeps them waiting.

use sqlx::raw_sql;

use super::end_soundly;
use crate::support::case::Case;
use crate::support::exposition::Exposition;
use crate::support::roles::{Purpose, connect};
use crate::support::scene::{CENSUS, NO_SWEEPS, OPEN, Scene, until_said};
use crate::support::time::eventually;
use crate::support::worker::Worker;

const POSITIONS: &str = "SELECT count(*) FROM reconciler.ledger_positions";

/// Nothing in it changes by itself.
const FEED: &str = "SELECT * FROM reconciler.verdict_feed ORDER BY position";

#[tokio::test(flavor = "multi_thread")]
async fn workers_give_positions_beside_their_work_and_say_who_keeps_verdicts_waiting() {
    let scene = Scene::new(&format!("{NO_SWEEPS}{CENSUS}")).await;
    scene.plant((1..=60).map(Case::proven)).await;
    let workers = [scene.worker().await, scene.worker().await];
    scene.request(1..=40).await;
    scene.until(POSITIONS, 40, &workers[0]).await;
    let last = "SELECT max(position) FROM reconciler.ledger_positions";
    assert_eq!(scene.count(last).await, 40, "without a gap");

    let mut other = connect(Purpose::Platform, scene.url()).await;
    let begin = "BEGIN; INSERT INTO workspaces (id, name) VALUES (88, 'new')";
    raw_sql(begin).execute(&mut other).await.expect("a write");
    scene.request(41..=60).await;
    scene.until(OPEN, 0, &workers[0]).await;
    until_said(
        &workers[0],
        "the platform does not hear of new verdicts until a transaction",
    )
    .await;
    assert!(
        workers[0].said().contains("process "),
        "{}",
        workers[0].said()
    );
    until_exported(&workers[1], |it| {
        it.is_above_zero("reconciler_feed_unplaced_age_seconds")
    })
    .await;
    assert_eq!(scene.count(POSITIONS).await, 40);
    raw_sql("COMMIT")
        .execute(&mut other)
        .await
        .expect("the end");
    scene.until(POSITIONS, 60, &workers[0]).await;

    let lag = "reconciler_feed_lag_seconds{consumer=\"mail\"}";
    let before = scene.rows(FEED).await;
    scene
        .execute("SELECT reconciler.next_verdicts('mail', 1)")
        .await;
    until_exported(&workers[0], |it| it.is_above_zero(lag)).await;
    scene
        .execute("SELECT reconciler.ack_verdicts('mail', 60)")
        .await;
    until_exported(&workers[0], |it| it.is_zero(lag)).await;
    let said = workers[0].said();
    let times = said.matches("does not hear of new verdicts until").count();
    assert_eq!(times, 1, "{said}");
    end_soundly(&scene, workers).await;
    assert_eq!(scene.rows(FEED).await, before);
}

pub(super) async fn until_exported(worker: &Worker, is_so: impl Fn(&Exposition) -> bool) {
    let look = async || is_so(&Exposition::of(worker).await).then_some(());
    eventually(look, async || worker.said()).await;
}
