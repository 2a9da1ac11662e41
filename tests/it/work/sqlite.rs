//! A worker on a file, whose jobs are in a file of their own: what was settled is acknowledged afterwards, in
//! another transaction, and whoever ends in between leaves jobs behind whose runs are closed.

use std::time::Duration;

use rustix::process::Signal;

use super::end_soundly;
use crate::support::case::Case;
use crate::support::hold::Writer;
use crate::support::scene::{
    DONE, IN_HAND, NO_SWEEPS, OPEN, OPEN_JOBS, SWEEPS, Scene, dismiss, text_of, until_answered,
};
use crate::support::store::Fixture;
use crate::support::time::Machine;
use crate::support::worker::{Worker, said_by};

/// Fewer in hand than wait, and a killed worker's go to others soon.
const FEW_IN_HAND: &str = "[worker]\njobs_max = 20\norphan_after = \"2s\"\n";
/// How long the jobs of a killed worker may take to be dealt with by another, on a machine with processors to
/// spare. Whole seconds are counted, and debug builds are slow.
const TAKEN_OVER_WITHIN: Duration = Duration::from_secs(8);

/// Jobs that were taken from a worker which was thought dead. The library counts an acknowledgement, too.
const TAKEN_AWAY: &str = "SELECT count(*) FROM apalis.jobs WHERE attempts > 1";

async fn scene(schedule: &str) -> Scene {
    Scene::on(Fixture::sqlite().await, &format!("{schedule}{FEW_IN_HAND}")).await
}

/// As a person asks.
async fn enqueue(scene: &Scene, runs: std::ops::RangeInclusive<i64>) {
    let runs: Vec<String> = runs.map(|run| run.to_string()).collect();
    let mut verb = vec!["enqueue"];
    verb.extend(runs.iter().map(String::as_str));
    let (code, said) = said_by(scene.url(), &verb).await;
    assert_eq!(code, Some(0), "{said}");
}

/// Every verdict is there once, with all that belongs to it, and no second look changes any of it.
async fn all_is_settled_once(scene: &Scene, runs: i64) {
    scene.database.assert_one_of_each(runs).await;
    let worker = scene.worker().await;
    scene.again_changes_nothing(&worker).await;
    end_soundly(scene, [worker]).await;
    scene.database.assert_one_of_each(runs).await;
}

/// All jobs are dealt with by another worker, soon enough.
async fn takes_over(scene: &Scene, other: &Worker, machine: &Machine) {
    let (took, said) = (scene.until(OPEN_JOBS, 0, other).await, other.said());
    let granted = machine.grants(TAKEN_OVER_WITHIN);
    assert!(took < granted, "{took:?}\n{said}");
}

#[tokio::test]
async fn what_is_enqueued_by_command_gets_its_verdict() {
    let scene = scene(NO_SWEEPS).await;
    scene.plant((1..=3).map(Case::proven)).await;
    scene.plant([Case::failed(4), Case::in_progress(5)]).await;
    enqueue(&scene, 1..=3).await; // waits before anybody takes it
    let worker = scene.worker().await;
    scene.verdicts(3, &worker).await;
    enqueue(&scene, 4..=5).await;
    scene.until(OPEN_JOBS, 0, &worker).await;
    dismiss(worker).await;

    let outcomes = "SELECT operation_run_id, outcome FROM reconciler.ledger
                    WHERE source = 'request' ORDER BY operation_run_id";
    let outcomes = scene.rows(outcomes).await;
    let outcomes: Vec<&str> = outcomes.iter().map(|row| text_of(row, "outcome")).collect();
    assert_eq!(outcomes, ["succeeded", "succeeded", "succeeded", "failed"]);
    let waits = "SELECT operation_run_id FROM reconciler.watch_list WHERE tries = 1";
    assert_eq!(scene.count(waits).await, 5);
    all_is_settled_once(&scene, 4).await;
}

#[tokio::test]
async fn told_to_stop_it_finishes_what_is_in_hand_and_leaves_the_rest() {
    let scene = scene(NO_SWEEPS).await;
    scene.plant((1..=100).map(Case::proven)).await;
    let worker = scene.worker().await;
    let writer = Writer::of_platform(scene.url()).await;
    scene.request(1..=100).await;
    scene.until_least(IN_HAND, 20, &worker).await;
    let in_hand = scene.count(IN_HAND).await;
    assert!(in_hand < 100, "some of them wait");

    worker.tell(Signal::TERM);
    until_answered(&worker, "/readyz", 503).await;
    assert_eq!(worker.probe("/livez").await.0, 200, "until its end");
    assert_eq!(scene.count(OPEN).await, 100);
    writer.let_go().await;
    let (code, said) = worker.ended().await;
    assert_eq!(code, Some(0), "{said}");
    assert!(!said.contains("stopped with jobs in hand"), "{said}");
    assert_eq!(scene.count(IN_HAND).await, 0, "{said}");
    let done = scene.count(DONE).await;
    assert!(done > 0 && done < 100, "{done} of {in_hand}\n{said}");
    assert_eq!(scene.count(OPEN).await, 100 - done, "{said}");

    let other = scene.worker().await;
    scene.until(OPEN_JOBS, 0, &other).await;
    assert_eq!(scene.count(OPEN).await, 0);
    assert_eq!(scene.count(TAKEN_AWAY).await, 0, "all were given back");
    dismiss(other).await;
    all_is_settled_once(&scene, 100).await;
}

#[tokio::test]
async fn jobs_in_hand_of_a_killed_worker_go_to_another_process() {
    let machine = Machine::watch();
    let scene = scene(NO_SWEEPS).await;
    scene.plant((1..=50).map(Case::proven)).await;
    let killed = scene.worker().await;
    let writer = Writer::of_platform(scene.url()).await;
    scene.request(1..=20).await;
    scene.until(IN_HAND, 20, &killed).await;
    // It can say by which rules it judges once the file is free, and takes nothing up before.
    let other = scene.unready_at(scene.url()).await;
    scene.request(21..=50).await;
    killed.kill().await;
    assert_eq!(scene.count(OPEN).await, 50, "it has committed nothing");
    writer.let_go().await;

    takes_over(&scene, &other, &machine).await;
    assert_eq!(scene.count(OPEN).await, 0);
    let taken_over = scene.count(TAKEN_AWAY).await;
    assert!(taken_over >= 20, "{taken_over}\n{}", other.said());
    let suspects = "SELECT count(*) FROM reconciler.attempts";
    assert_eq!(scene.count(suspects).await, 0, "for good");
    dismiss(other).await;
    all_is_settled_once(&scene, 50).await;
}

#[tokio::test]
async fn a_verdict_that_was_not_acknowledged_is_not_given_twice() {
    let machine = Machine::watch();
    let scene = scene(NO_SWEEPS).await;
    scene.plant((1..=20).map(Case::proven)).await;
    let killed = scene.worker().await;
    let platform = Writer::of_platform(scene.url()).await;
    scene.request(1..=20).await;
    scene.until(IN_HAND, 20, &killed).await;
    let queue = Writer::of_queue(scene.url()).await;
    platform.let_go().await;
    scene.until(OPEN, 0, &killed).await;
    killed.kill().await;
    queue.let_go().await;
    assert_eq!(scene.count(IN_HAND).await, 20, "none is acknowledged");
    let before = scene.fingerprint().await;

    let other = scene.worker().await;
    takes_over(&scene, &other, &machine).await;
    assert_eq!(scene.count(TAKEN_AWAY).await, 20);
    assert_eq!(before, scene.fingerprint().await);
    dismiss(other).await;
    all_is_settled_once(&scene, 20).await;
}

/// Requests, sweeps, looks, kills and orders to stop, all on one file.
#[tokio::test]
async fn several_processes_on_one_file_settle_each_run_once() {
    let scene = scene(SWEEPS).await;
    let mut workers = vec![scene.worker().await, scene.worker().await];
    for round in 0..4 {
        let first = round * 100 + 1;
        scene.plant((first..first + 100).map(Case::proven)).await;
        scene.request(first..first + 60).await;
        workers.push(scene.unready_at(scene.url()).await);
        let oldest = workers.remove(0);
        if round % 2 == 0 {
            oldest.kill().await;
        } else {
            dismiss(oldest).await;
        }
    }
    scene.until(OPEN, 0, &workers[0]).await;
    scene.until(OPEN_JOBS, 0, &workers[0]).await;
    for worker in workers {
        dismiss(worker).await;
    }
    all_is_settled_once(&scene, 400).await;
}
