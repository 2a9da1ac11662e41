//! A sweep that fails is nobody's success.

use crate::support::case::Case;
use crate::support::exposition::Exposition;
use crate::support::scene::{SWEEPS, Scene, VERDICTS, dismiss};
use crate::support::time::eventually;
use crate::support::worker::Worker;

const FAILED: &str = "reconciler_sweeps_total{result=\"failed\"}";
const SUCCEEDED: &str = "reconciler_sweep_last_success_timestamp_seconds";

/// One host wins a tick and another does the sweep: neither may take the other's failure for success.
#[tokio::test]
async fn no_host_takes_a_failed_sweep_for_a_success() {
    let scene = Scene::new(SWEEPS).await;
    scene.plant([Case::proven(1)]).await;
    let hide = "ALTER TABLE reconciler.sweeps RENAME TO hidden";
    scene.execute(hide).await;
    // Without that table they are not ready, and do what they can.
    let workers = [
        scene.unready_at(scene.url()).await,
        scene.unready_at(scene.url()).await,
    ];
    let failed = |all: &[Exposition]| all.iter().map(|one| one.count(FAILED)).sum::<i64>();
    until(&workers, |all| failed(all) >= 4).await;
    for worker in &workers {
        let exported = Exposition::of(worker).await;
        assert!(exported.is_zero(SUCCEEDED), "{exported:#?}");
    }
    assert_eq!(scene.count(VERDICTS).await, 0);

    let show = "ALTER TABLE reconciler.hidden RENAME TO sweeps";
    scene.execute(show).await;
    let has_succeeded = |one: &Exposition| !one.is_zero(SUCCEEDED);
    until(&workers, |all| all.iter().any(has_succeeded)).await;
    for worker in workers {
        dismiss(worker).await;
    }
}

/// Polls until what the workers export is so.
async fn until(workers: &[Worker], is_so: impl Fn(&[Exposition]) -> bool) {
    let exported = async || {
        let mut all = Vec::new();
        for worker in workers {
            all.push(Exposition::of(worker).await);
        }
        is_so(&all).then_some(())
    };
    eventually(exported, async || workers[0].said()).await;
}
