//! A second platform in the same database, whose ids mean other runs: nothing is settled from there, until our schema is
//! bound to it.

use reconciler_fixtures::Standin;

use crate::support::case::{Case, rows_of, world};
use crate::support::roles::Purpose;
use crate::support::scene::{
    IN_HAND, OPEN, SWEEPS, Scene, TICKS, VERDICTS, dismiss, until_answered, until_ready, until_said,
};
use crate::support::worker::said_by;

/// Where everybody finds the second platform.
fn second(url: &str) -> String {
    format!("{url}&options=-c%20search_path%3Dsecond,public")
}

/// Two open runs of a second platform, with the ids of two that the first one had.
async fn plant_second(scene: &Scene) {
    let as_role = |purpose: Purpose| Standin::new(&purpose.url(&second(scene.url())));
    scene
        .execute("CREATE SCHEMA second AUTHORIZATION laravel")
        .await;
    let owner = as_role(Purpose::Owner).expect("a URL");
    owner.install().await.expect("the stand-in");
    scene
        .execute(
            "GRANT USAGE ON SCHEMA second TO reconciler, migrator, platform;
             GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA second TO reconciler, migrator, platform;
             GRANT USAGE ON ALL SEQUENCES IN SCHEMA second TO reconciler, platform",
        )
        .await;
    let platform = as_role(Purpose::Platform).expect("a URL");
    platform.plant(&world()).await.expect("the world");
    let runs = rows_of([Case::failed(1), Case::failed(2)]);
    platform.plant(&runs).await.expect("runs");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_a_second_platform_is_settled_until_our_schema_is_bound_to_it() {
    let scene = Scene::new(SWEEPS).await;
    scene.plant([Case::proven(1), Case::proven(2)]).await;
    let (code, said) = said_by(scene.url(), &["sweep"]).await;
    assert_eq!(code, Some(0), "{said}");
    plant_second(&scene).await;
    let url = second(scene.url());

    let worker = scene.unready_at(&url).await;
    let refusal = "our schema serves the platform in schema public, and the search path leads to that in schema second";
    until_said(&worker, refusal).await;
    until_answered(&worker, "/readyz", 503).await;
    let (_, state) = worker.probe("/readyz?verbose").await;
    let why = "our schema serves another platform than this one, so nothing is settled";
    assert!(state.contains(why), "{state}");
    assert_eq!(worker.probe("/livez").await.0, 200, "it is well, and waits");
    for verb in [
        &["sweep"][..],
        &["sweep", "--dry-run"],
        &["sweep", "--dry-run", "--rehearse"],
        &["reconcile", "1"],
    ] {
        let (code, said) = said_by(&url, verb).await;
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains(refusal), "{said}");
        assert!(said.contains("a database of its own"), "{said}");
    }
    for (query, expected) in [(VERDICTS, 2), (TICKS, 0), (IN_HAND, 0)] {
        let found = scene.count(query).await;
        assert_eq!(found, expected, "{query}\n{}", worker.said());
    }

    let (code, said) = said_by(&url, &["migrate", "--rebind"]).await;
    assert_eq!(code, Some(0), "{said}");
    until_ready(&worker).await;
    let open = &OPEN.replace("operation_runs", "second.operation_runs");
    scene.until(open, 0, &worker).await;
    let said = worker.said();
    assert_eq!(said.matches(refusal).count(), 1, "{said}");
    assert!(
        said.contains("what was in the way of settlements is gone"),
        "{said}"
    );
    dismiss(worker).await;
    assert_eq!(scene.count(VERDICTS).await, 4, "the first two are kept");

    // Each is settled from where our schema is bound to, and from nowhere else.
    scene.plant([Case::proven(3)]).await;
    let (code, said) = said_by(scene.url(), &["sweep"]).await;
    assert_eq!(code, Some(1), "{said}");
    assert_eq!(scene.count(OPEN).await, 1);
}
