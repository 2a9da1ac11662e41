//! A worker beside one of newer rules: it takes nothing up, says why, and goes on once it is alone.

use crate::support::case::Case;
use crate::support::scene::{
    CENSUS, IN_HAND, OPEN, OPEN_JOBS, SWEEPS, Scene, TICKS, dismiss, until_answered, until_ready,
    until_said,
};
use crate::support::store::{Fixture, on_both};
use crate::support::worker::Worker;

on_both!(
    a_worker_beside_newer_rules_takes_nothing_up_until_they_are_gone,
    a_worker_settles_nothing_before_others_can_know_its_rules,
);

/// Workers that have said since the mark which rules they judge by.
const SAID_SINCE: &str = "SELECT count(*) FROM reconciler.judges AS own, reconciler.judges AS mark
    WHERE mark.worker = 'mark' AND own.ruleset = 2 AND own.seen_at > mark.seen_at";

/// As if a worker of this ruleset were heard of, for the last time so many seconds from now.
async fn announce(scene: &Scene, worker: &str, ruleset: i64, seconds: i64) {
    let seen_at = scene.in_seconds(seconds);
    scene
        .execute(&format!(
            "INSERT INTO reconciler.judges (worker, ruleset, policy_digest, seen_at)
             VALUES ('{worker}', {ruleset}, 'any', {seen_at})"
        ))
        .await;
}

/// Asserts that three runs are left alone that are asked for, due for a sweep, and due to be looked at again.
async fn leaves_alone(scene: &Scene, worker: &Worker) {
    scene.until(IN_HAND, 0, worker).await;
    // A tick that had begun may still be won.
    scene.let_pass(1, worker).await;
    let ticks = scene.count(TICKS).await;
    scene.plant((4..=6).map(Case::proven)).await;
    scene.request([4, 5]).await;
    scene.watch("operation_runs.id = 6").await;
    // Some ticks later.
    announce(scene, "mark", 1, 4).await;
    scene.until(SAID_SINCE, 1, worker).await;
    let suspects = "SELECT count(*) FROM reconciler.attempts";
    let expected = [
        (OPEN, 3),
        (TICKS, ticks),
        (IN_HAND, 0),
        (OPEN_JOBS, 2),
        (suspects, 0),
    ];
    for (query, expected) in expected {
        assert_eq!(
            scene.count(query).await,
            expected,
            "{query}\n{}",
            worker.said()
        );
    }
    assert_eq!(worker.probe("/livez").await.0, 200, "it is well, and waits");
}

async fn a_worker_beside_newer_rules_takes_nothing_up_until_they_are_gone(on: Fixture) {
    let scene = Scene::on(on, &format!("{SWEEPS}{CENSUS}")).await;
    let worker = scene.worker().await;
    scene.plant((1..=3).map(Case::proven)).await;
    scene.until(OPEN, 0, &worker).await;

    announce(&scene, "newer", 99, 3_600).await;
    until_answered(&worker, "/readyz", 503).await;
    let (_, state) = worker.probe("/readyz?verbose").await;
    let why = "[-] settling: a worker of newer rules is at work";
    assert!(state.contains(why), "{state}");
    leaves_alone(&scene, &worker).await;

    let gone = "DELETE FROM reconciler.judges WHERE worker IN ('newer', 'mark')";
    scene.execute(gone).await;
    until_ready(&worker).await;
    scene.until(OPEN, 0, &worker).await;
    scene.until(OPEN_JOBS, 0, &worker).await;
    let said = worker.said();
    let once = said.matches("a worker of newer rules is at work, so this one settles nothing");
    assert_eq!(once.count(), 1, "{said}");
    assert!(!said.contains("it is restarted"), "nothing failed\n{said}");
    dismiss(worker).await;
    let judges = "SELECT count(*) FROM reconciler.judges";
    assert_eq!(
        scene.count(judges).await,
        0,
        "who has stopped judges no more"
    );
    scene.assert_one_of_each(6).await;
}

/// Others would go on by theirs beside it.
async fn a_worker_settles_nothing_before_others_can_know_its_rules(on: Fixture) {
    let scene = Scene::on(on, &format!("{SWEEPS}{CENSUS}")).await;
    scene.plant((1..=3).map(Case::proven)).await;
    scene.request([1]).await;
    let refuse = scene.either(
        "CREATE TRIGGER refuse BEFORE INSERT ON reconciler.judges BEGIN SELECT RAISE(ABORT, 'not taken'); END",
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
         $$ BEGIN RAISE EXCEPTION 'not taken' USING ERRCODE = 'check_violation'; END $$;
         CREATE TRIGGER refuse BEFORE INSERT ON reconciler.judges FOR EACH ROW EXECUTE FUNCTION refuse()",
    );
    scene.execute(refuse).await;
    let worker = scene.unready_at(scene.url()).await;
    let why = "the database does not take by which rules this worker judges";
    until_said(&worker, why).await;
    scene.let_pass(1, &worker).await;
    let (_, state) = worker.probe("/readyz?verbose").await;
    let unannounced = "[-] settling: the database has not taken yet by which rules";
    assert!(state.contains(unannounced), "{state}");
    for (query, expected) in [(OPEN, 3), (TICKS, 0), (IN_HAND, 0), (OPEN_JOBS, 1)] {
        assert_eq!(scene.count(query).await, expected, "{query}\n{state}");
    }

    let take = scene.either(
        "DROP TRIGGER refuse",
        "DROP TRIGGER refuse ON reconciler.judges",
    );
    scene.execute(take).await;
    until_ready(&worker).await;
    scene.until(OPEN, 0, &worker).await;
    let said = worker.said();
    assert_eq!(said.matches(why).count(), 1, "{said}");
    assert!(
        said.contains("others know again by which rules this worker judges"),
        "{said}"
    );
    dismiss(worker).await;
    scene.assert_one_of_each(3).await;
}
