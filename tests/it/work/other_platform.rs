//! A second platform in the same database, whose ids mean other runs: nothing is settled from there, until our schema is
//! bound to it.

use reconciler_fixtures::{Standin, plant_within};

use crate::support::case::{Case, rows_of, world};
use crate::support::roles::Purpose;
use crate::support::scene::{
    IN_HAND, OPEN, OPEN_JOBS, SWEEPS, Scene, TICKS, VERDICTS, dismiss, until_answered, until_ready,
    until_said,
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

/// Emptied, as by `TRUNCATE`, the table that says which platform is served lets nobody through.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_settled_while_our_schema_serves_no_platform() {
    let scene = Scene::new(SWEEPS).await;
    let worker = scene.worker().await;
    let mut tx = scene.pg().begin().await.expect("a transaction");
    let emptied = sqlx::raw_sql("DELETE FROM reconciler.platform; SET LOCAL ROLE platform");
    emptied.execute(&mut *tx).await.expect("nobody serves it");
    let runs = rows_of([Case::proven(1), Case::proven(2)]);
    plant_within(&mut tx, &runs).await.expect("runs");
    let asked = sqlx::raw_sql("SELECT reconciler.request(1)").execute(&mut *tx);
    asked.await.expect("an answer");
    tx.commit().await.expect("a commit");

    let refusal = "our schema serves no platform, because the row of reconciler.platform is gone";
    until_said(&worker, refusal).await;
    until_answered(&worker, "/readyz", 503).await;
    let (_, state) = worker.probe("/readyz?verbose").await;
    let why = "[-] settling: our schema serves no platform, so nothing is settled";
    assert!(state.contains(why), "{state}");
    assert_eq!(worker.probe("/livez").await.0, 200, "it is well, and waits");
    scene.until(IN_HAND, 0, &worker).await;
    for verb in [&["sweep"][..], &["reconcile", "1"]] {
        let (code, said) = said_by(scene.url(), verb).await;
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains(refusal), "{said}");
        assert!(said.contains("migrate --rebind"), "{said}");
    }
    for (query, expected) in [(VERDICTS, 0), (OPEN_JOBS, 1)] {
        assert_eq!(scene.count(query).await, expected, "{}", worker.said());
    }

    let (code, said) = said_by(scene.url(), &["migrate", "--rebind"]).await;
    assert_eq!(code, Some(0), "{said}");
    until_ready(&worker).await;
    scene.until(OPEN, 0, &worker).await;
    dismiss(worker).await;
    scene.assert_one_of_each(2).await;
}
