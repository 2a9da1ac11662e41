//! Every page says whether the product works.

use std::time::Duration;

use restore_reconciler::internals::clock::Stopwatch;
use sqlx::SqlitePool;

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
async fn while_everything_is_paused_no_page_says_that_it_works() {
    let server =
        Server::start_with(|config, _| config.console.requests_per_minute = 1_000_000).await;
    let pool = SqlitePool::connect(&server.platform.url).await.unwrap();
    let _worker = Worker::start(&server.platform.url, None).await.unwrap();
    let status = async |words: &str| {
        let of = || server.get("/api/v1/status", CHIEF).json();
        let is_said = || (of()["headline"] == words).then_some(());
        eventually(async || is_said(), async || of().to_string()).await;
        server.get("/reasons", CHIEF).body
    };
    status("Working").await;
    let pause = "INSERT INTO reconciler_pauses (workspace_id, reason) VALUES (?1, 'a migration')";
    sqlx::query(pause).bind(OWN).execute(&pool).await.unwrap();
    let everything = sqlx::query(pause).bind(None::<i64>).execute(&pool);
    everything.await.unwrap();
    let page = status("Everything is paused").await;
    for said in [
        "class=\"strip warning\"",
        "Everything is paused</strong>",
        ">paused ",
    ] {
        assert!(page.contains(said), "{said}: {page}");
    }
    let resume = "DELETE FROM reconciler_pauses WHERE workspace_id IS NULL";
    sqlx::query(resume).execute(&pool).await.unwrap();
    status("Working").await;
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
