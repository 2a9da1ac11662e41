//! A worker whose evidence is dated hours off: it takes nothing up, says why, and goes on once that is put right.

use crate::support::case::Case;
use crate::support::scene::{
    CENSUS, IN_HAND, OPEN, OPEN_JOBS, SWEEPS, Scene, VERDICTS, dismiss, until_answered,
    until_ready, until_said,
};
use crate::support::store::{Fixture, on_both};
use crate::support::worker::said_by;

on_both!(
    a_worker_settles_nothing_while_evidence_is_dated_hours_off,
    a_worker_that_is_told_of_a_shift_goes_by_what_is_written,
);

/// As many runs as it takes, with evidence from an hour before.
async fn plant_shifted(scene: &Scene) {
    scene.plant((1..=22).map(Case::proven)).await;
    let shift = scene.either(
        "UPDATE evidence_snapshots SET generated_at = generated_at - 3600000000",
        "UPDATE evidence_snapshots SET generated_at = generated_at - interval '1 h'",
    );
    scene.execute(shift).await;
}

async fn a_worker_settles_nothing_while_evidence_is_dated_hours_off(on: Fixture) {
    let scene = Scene::on(on, &format!("{SWEEPS}{CENSUS}")).await;
    plant_shifted(&scene).await;
    scene.request([4, 5]).await;
    let worker = scene.unready_at(scene.url()).await;
    until_said(&worker, "are dated 1h before the ends of their restores").await;
    until_answered(&worker, "/readyz", 503).await;
    let (_, state) = worker.probe("/readyz?verbose").await;
    let why = "evidence is dated hours off, so nothing is settled";
    assert!(state.contains(why), "{state}");
    scene.let_pass(4, &worker).await;
    for (query, expected) in [(VERDICTS, 0), (OPEN, 22), (IN_HAND, 0), (OPEN_JOBS, 2)] {
        let found = scene.count(query).await;
        assert_eq!(found, expected, "{query}\n{}", worker.said());
    }
    for verb in [&["sweep"][..], &["sweep", "--dry-run"], &["reconcile", "4"]] {
        let (code, said) = said_by(scene.url(), verb).await;
        assert_eq!(code, Some(1), "{said}");
        let refusal = "error: 22 of the 22 latest evidence snapshots are dated 1h before";
        assert!(said.contains(refusal), "{said}");
    }

    let mend = scene.either(
        "UPDATE evidence_snapshots SET generated_at = generated_at + 3600000000",
        "UPDATE evidence_snapshots SET generated_at = generated_at + interval '1 h'",
    );
    scene.execute(mend).await;
    until_ready(&worker).await;
    scene.until(OPEN, 0, &worker).await;
    let said = worker.said();
    assert_eq!(said.matches("are dated 1h before").count(), 1, "{said}");
    dismiss(worker).await;
    scene.assert_one_of_each(22).await;
}

async fn a_worker_that_is_told_of_a_shift_goes_by_what_is_written(on: Fixture) {
    // What is written proves nothing, which is known as well.
    let known = "[database]\ntime_shift = \"acknowledged\"\n[survey]\naccepted = [\"evidence\"]\n";
    let config = format!("{SWEEPS}\n{known}");
    let scene = Scene::on(on, &config).await;
    plant_shifted(&scene).await;
    let worker = scene.worker().await;
    scene.until(OPEN, 0, &worker).await;
    dismiss(worker).await;
}
