//! A worker forms second opinions by itself, beside its own work, and says how many of which kind.

use std::time::Duration;

use reconciler_jobs::restore_execute::Policy;
use restore_reconciler::internals::storage::OpinionScope;

use super::end_soundly;
use crate::support::case::{Case, ENDED};
use crate::support::scene::{NO_SWEEPS, OPEN, Scene};

const OPINIONS: &str = "SELECT count(*) FROM reconciler.opinions";

/// Back to before any case.
const EVER: &str = "opinions_window = \"87600h\"\n";

fn closed(mut case: Case) -> Case {
    "completed".clone_into(&mut case.run.status);
    "succeeded".clone_into(&mut case.run.outcome);
    case.run.completed_at = Some(ENDED.to_owned());
    case
}

fn unproven(id: i64) -> Case {
    let mut case = closed(Case::proven(id));
    case.snapshots.clear();
    case
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_that_others_closed_are_judged_beside_those_that_are_open() {
    let scene = Scene::new(&format!("{NO_SWEEPS}{EVER}")).await;
    let closed = (1..=300).map(|id| {
        if id % 3 == 0 {
            unproven(id)
        } else {
            closed(Case::proven(id))
        }
    });
    scene
        .plant(closed.chain((301..=320).map(Case::proven)))
        .await;
    let workers = [scene.worker().await, scene.worker().await];
    scene.request(301..=320).await;
    scene.until(OPEN, 0, &workers[0]).await;
    scene.until(OPINIONS, 300, &workers[0]).await;
    let mut counted = 0;
    for worker in &workers {
        let (status, metrics) = worker.probe("/metrics").await;
        assert_eq!(status, 200);
        let series = r#"reconciler_opinions_total{claimed="succeeded",opinion="claims_more"} "#;
        let line = metrics.lines().find_map(|line| line.strip_prefix(series));
        counted += line.expect(series).parse::<u64>().expect("a count");
    }
    assert_eq!(counted, 100, "each was counted once, by whoever kept it");
    let unproven = "reconciler.opinions WHERE claimed = 'succeeded' AND stance = 'claims_more'";
    assert_eq!(scene.number_of(unproven).await, 100);
    // Nothing more is said of the same rows.
    let from_the_first = OpinionScope {
        from: Some(0),
        ..OpinionScope::new(Duration::from_hours(87_600))
    };
    let again = scene
        .store
        .form_opinions(&Policy::default(), from_the_first)
        .await;
    assert!(again.unwrap().is_none_or(|part| part.kept.is_empty()));
    end_soundly(&scene, workers).await;
}
