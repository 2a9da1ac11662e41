//! What `serve` exports, and to whom.

use super::platform::{ELSEWHERE, OWN};
use super::server::{Answer, Ask, CHIEF, GUEST, MEMBER, PROBE, Server};
use crate::support::exposition::Exposition;

const METRICS: &str = "/metrics";

/// Environments in any posture, as an answer counts them.
fn environments(answer: &Answer) -> i64 {
    assert_eq!(answer.status, 200, "{answer:?}");
    let kind = Some("text/plain; version=0.0.4; charset=utf-8");
    assert_eq!(answer.header("content-type"), kind);
    let counts = Exposition::parse(&answer.body).counts("reconciler_environments");
    counts.values().sum()
}

/// Environments that the overview counts for the same viewer.
fn on_the_overview(server: &Server, token: &str) -> i64 {
    let answer = server.get("/api/v1/posture", token);
    assert_eq!(answer.status, 200, "{answer:?}");
    let overview = answer.json();
    let workspaces = overview["workspaces"].as_array().unwrap().iter();
    let counts = workspaces.flat_map(|shown| shown["postures"].as_object().unwrap().values());
    counts.map(|count| count.as_i64().unwrap()).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_are_for_whoever_may_see_them_and_of_what_they_may_see() {
    let server = Server::start().await;
    let nobody = server.ask(&Ask::get(METRICS));
    nobody.is_refused(401, "unauthorized");
    let guest = server.get(METRICS, GUEST);
    guest.is_refused(403, "forbidden");

    let [probe, chief, member] = [PROBE, CHIEF, MEMBER].map(|token| server.get(METRICS, token));
    let (all, own) = (environments(&chief), environments(&member));
    assert_eq!(environments(&probe), all);
    assert!(0 < own && own < all, "{own} of {all}");
    assert_eq!(all, on_the_overview(&server, CHIEF));
    assert_eq!(own, on_the_overview(&server, MEMBER));
    for answer in [&probe, &chief, &member] {
        assert!(!answer.body.contains("workspace"), "{answer:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn workspaces_are_named_where_the_configuration_asks_for_it_and_only_to_their_own() {
    let server = Server::start_with(|config, _| config.metrics.by_workspace = true).await;
    let names = |token: &str, workspace: i64| {
        let answer = server.get(METRICS, token);
        assert!(environments(&answer) > 0);
        answer.body.contains(&format!("workspace=\"{workspace}\""))
    };
    assert!(names(PROBE, OWN) && names(PROBE, ELSEWHERE));
    assert!(names(MEMBER, OWN));
    assert!(!names(MEMBER, ELSEWHERE));
}
