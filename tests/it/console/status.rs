//! Every page says whether the product works.

use std::time::Duration;

use restore_reconciler::internals::clock::Stopwatch;

use super::platform::{ELSEWHERE, OWN, PROVEN, Platform, id};
use super::server::{Ask, CHIEF, GUEST, Server};
use super::{Serving, Settings};
use crate::support::time::eventually;
use crate::support::worker::Worker;

/// How soon every page must say it.
const PROMISED: Duration = Duration::from_secs(15);

/// A page of each kind, and one that is not there.
fn pages() -> [String; 12] {
    let run = id(OWN, PROVEN);
    [
        "/".to_owned(),
        "/runs".to_owned(),
        format!("/runs/{run}"),
        format!("/runs/{run}/evidence"),
        format!("/runs/{run}/explain"),
        format!("/restores/{run}"),
        "/queue".to_owned(),
        "/runs?outcome=nonsense".to_owned(),
        "/nothing/here".to_owned(),
        "/find".to_owned(),
        "/reasons".to_owned(),
        "/reasons/restore.items_mixed".to_owned(),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_worker_every_page_says_so_within_fifteen_seconds() {
    let platform = Platform::planted().await;
    let settings =
        Settings::holding("[console]\nlisten = \"127.0.0.1:0\"\nrequests_per_minute = 1000000");
    let serving = Serving::start(&platform.url, &settings).await;
    let all_say = |words: &[&str]| {
        for page in pages() {
            let body = serving.ask(&Ask::get(&page)).body;
            let (_, strip) = body
                .split_once("class=\"strip")
                .unwrap_or_else(|| panic!("{page}: {body}"));
            let (strip, _) = strip.split_once("</section>").unwrap();
            for said in words {
                assert!(strip.contains(said), "{page}: no {said} in {strip}");
            }
        }
    };
    let is_said = async |words: &str| {
        eventually(
            async || {
                serving
                    .ask(&Ask::get("/queue"))
                    .body
                    .contains(words)
                    .then_some(())
            },
            async || serving.ask(&Ask::get("/queue")).body,
        )
        .await;
    };
    let none = "No worker is running";
    all_say(&[
        none,
        "none was seen in the last week",
        "open runs are not looked at",
    ]);

    let worker = Worker::start(&platform.url, None).await.unwrap();
    is_said("1 worker<").await;
    is_said("<li>next in ").await;
    all_say(&["1 worker<", ">seen ", "0 waiting", "ledger agrees"]);

    worker.kill().await;
    let since = Stopwatch::start();
    is_said(none).await;
    all_say(&[none, "open runs are not looked at"]);
    is_said("last seen").await;
    let took = since.elapsed();
    assert!(took < PROMISED, "{took:?}");
    serving.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_of_one_workspace_is_told_of_its_own_runs_alone() {
    let server = Server::start().await;
    let of = |token| server.get("/api/v1/status", token).json();
    let (all, own) = (of(CHIEF), of(GUEST));
    let counted = |status: &serde_json::Value, name| status[name].as_u64().expect("a count");
    for name in ["open_runs", "verdicts_compared"] {
        let (all, own) = (counted(&all, name), counted(&own, name));
        assert_eq!(
            all,
            own * u64::try_from(ELSEWHERE).unwrap(),
            "{name}: the workspaces are alike"
        );
        assert!(own > 0, "{name}");
    }
    assert_eq!(own["tone"], "danger", "{own}");
}
