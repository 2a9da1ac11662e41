//! A worker beside pauses: what is paused it settles neither by jobs nor by sweeps, and soon once it is resumed.

use crate::support::case::{Case, FOREIGN, HOME};
use crate::support::scene::{CENSUS, OPEN, OPEN_JOBS, SWEEPS, Scene, VERDICTS, dismiss};
use crate::support::store::{Fixture, moved, on_both};
use crate::support::worker::said_by;

on_both!(a_worker_settles_nothing_of_a_paused_workspace_until_it_is_resumed);

async fn a_worker_settles_nothing_of_a_paused_workspace_until_it_is_resumed(on: Fixture) {
    let scene = Scene::on(on, &format!("{SWEEPS}{CENSUS}")).await;
    let worker = scene.worker().await;
    let home = HOME.0.to_string();
    let tell = async |verb| {
        let words = [
            "queue",
            verb,
            "--workspace",
            &home,
            "--reason",
            "it is moved",
        ];
        let (code, said) = said_by(scene.url(), &words).await;
        assert_eq!(code, Some(0), "{said}");
    };
    tell("pause").await;
    scene.plant([1, 2].map(Case::proven)).await;
    scene.plant([moved(Case::proven(3), FOREIGN)]).await;
    scene.request_open([1, 3]).await;
    scene.until(VERDICTS, 1, &worker).await;
    scene.until(OPEN_JOBS, 0, &worker).await;
    scene.let_pass(3, &worker).await;
    let of_others = format!("{OPEN} AND workspace_id <> {home}");
    for (query, expected) in [(OPEN, 2), (&*of_others, 0), (VERDICTS, 1)] {
        let found = scene.count(query).await;
        assert_eq!(found, expected, "{query}\n{}", worker.said());
    }

    tell("resume").await;
    scene.until(OPEN, 0, &worker).await;
    dismiss(worker).await;
    scene.assert_one_of_each(3).await;
}
