//! A role's connection limit: who waits for a session is told nothing by the driver, and says which limit it is all the same.

use super::end_soundly;
use crate::support::case::Case;
use crate::support::cluster;
use crate::support::exposition::Exposition;
use crate::support::scene::{NO_SWEEPS, OPEN, Scene, until_ready, until_said};
use crate::support::time::eventually;
use crate::support::worker::Worker;

/// As a log line quotes it.
const LIMIT: &str = r#"too many connections for role \"reconciler\" (SQLSTATE 53300)"#;

/// Ends the sessions of the role, after which it gets so many.
fn limited_to(sessions: i32) -> String {
    format!(
        "ALTER ROLE reconciler CONNECTION LIMIT {sessions};
         SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'reconciler'"
    )
}

/// Waits until the log has said once more which limit it is, and readiness and metrics say so too.
async fn says_which_limit(worker: &Worker, times_before: usize) {
    let why = "the server gives no further session, because a connection limit, such as the role's, is used up";
    let is_told = async || {
        let said = worker.said().matches(LIMIT).count() > times_before;
        let (status, state) = worker.probe("/readyz?verbose").await;
        let exported = Exposition::of(worker).await;
        let checks = ["database", "settling"];
        let is_counted = checks
            .iter()
            .any(|check| exported.is_zero(&format!("reconciler_check_ok{{check=\"{check}\"}}")));
        (said && status == 503 && state.contains(why) && is_counted).then_some(())
    };
    let state = async || {
        let (_, state) = worker.probe("/readyz?verbose").await;
        format!("{state}\n{}", worker.said())
    };
    eventually(is_told, state).await;
    until_said(worker, "ALTER ROLE … CONNECTION LIMIT …").await;
    let (status, live) = worker.probe("/livez?verbose").await;
    assert_eq!(status, 200, "{live}\n{}", worker.said());
}

#[tokio::test(flavor = "multi_thread")]
async fn at_its_role_s_connection_limit_a_worker_names_it_and_goes_on_once_it_is_raised() {
    // A cluster of its own: the role is everybody's.
    let cluster = cluster::private();
    let scene = Scene::in_database(cluster.database().await, NO_SWEEPS).await;
    let worker = scene.worker().await;
    // None is left for it; then one, which is not enough, whoever gets it.
    for (run, sessions) in [(1, 0), (2, 1)] {
        scene.plant([Case::proven(run)]).await;
        let before = worker.said().matches(LIMIT).count();
        scene.execute_as_superuser(&limited_to(sessions)).await;
        says_which_limit(&worker, before).await;
        scene
            .execute(&format!("SELECT reconciler.request({run})"))
            .await;
        scene
            .execute_as_superuser("ALTER ROLE reconciler CONNECTION LIMIT -1")
            .await;
        until_ready(&worker).await;
        scene.until(OPEN, 0, &worker).await;
    }
    // Another one is started at the limit.
    scene.execute_as_superuser(&limited_to(0)).await;
    let other = scene.unready_at(scene.url()).await;
    says_which_limit_at_the_start(&other).await;
    scene
        .execute_as_superuser("ALTER ROLE reconciler CONNECTION LIMIT -1")
        .await;
    until_ready(&other).await;
    until_ready(&worker).await;
    end_soundly(&scene, [worker, other]).await;
    scene.assert_one_of_each(2).await;
}

async fn says_which_limit_at_the_start(worker: &Worker) {
    until_said(worker, LIMIT).await;
    until_said(worker, "ALTER ROLE … CONNECTION LIMIT …").await;
    let is_told = async || {
        let (_, state) = worker.probe("/readyz?verbose").await;
        let why = "the server gives no further session";
        state.contains(why).then_some(())
    };
    eventually(is_told, async || worker.said()).await;
    assert_eq!(worker.probe("/livez").await.0, 200, "{}", worker.said());
}
