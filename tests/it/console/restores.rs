//! The list of restores, why somebody comes to it, and what is told of a failure, and later beside a verdict.

use serde_json::Value;
use sqlx::SqlitePool;

use super::platform::{DELETED, ELSEWHERE, FAILED, KINDS, LINKED, MARKER, OWN, PROVEN, id};
use super::server::{CHIEF, GUEST, MEMBER, Server};

/// What the address of the list may say of why somebody comes, and what is said then.
const REASONS: [(&str, &str); 6] = [
    ("no_history", "No restore was executed here"),
    ("failed", "The latest restore failed or was stopped."),
    ("partial", "The latest restore did only a part"),
    (
        "completed_with_follow_up",
        "The latest restore completed and needs follow-up.",
    ),
    (
        "no_reliable_verdict",
        "No verdict on the latest restore can be relied on.",
    ),
    (
        "no_recent_issues_visible",
        "The latest restore shows no issue that can be seen; its state says whether a verdict is about it.",
    ),
];

fn listed(server: &Server, token: &str, query: &str) -> Vec<i64> {
    let answer = server
        .get(&format!("/api/v1/restores{query}"), token)
        .json();
    let restores = answer["restores"].as_array().expect("a list").iter();
    restores
        .map(|it| it["restore"].as_i64().expect("an id"))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_list_holds_what_may_be_seen_and_says_why_somebody_comes() {
    let server = Server::start().await;
    let has_restore = |kind: &i64| ![LINKED, DELETED].contains(kind);
    let own = |workspace| {
        KINDS
            .iter()
            .filter(|it| has_restore(it))
            .rev()
            .map(move |it| id(workspace, *it))
    };
    let all: Vec<i64> = own(ELSEWHERE).chain(own(OWN)).collect();
    assert_eq!(listed(&server, CHIEF, ""), all);
    assert_eq!(listed(&server, GUEST, ""), own(OWN).collect::<Vec<_>>());
    assert_eq!(listed(&server, GUEST, "?workspace=2"), Vec::<i64>::new());
    assert_eq!(listed(&server, CHIEF, "?kind=preparing"), Vec::<i64>::new());
    assert_eq!(
        listed(&server, CHIEF, "?environment=1&limit=1"),
        own(OWN).take(1).collect::<Vec<_>>()
    );
    let table = server.get("/restores.csv", GUEST).body;
    assert_eq!(table.lines().count(), 1 + own(OWN).count(), "{table}");
    assert!(table.starts_with("restore,kind,"), "{table}");

    for (reason, said) in REASONS {
        let page = server.get(
            &format!("/restores?environment=1&recovery_posture_reason={reason}"),
            GUEST,
        );
        assert!(page.body.contains(said), "{reason}: {page:?}");
        assert_eq!(
            page.body.matches("<tr>").count(),
            1 + own(OWN).count(),
            "{page:?}"
        );
    }
    assert!(
        !server
            .get("/restores", GUEST)
            .body
            .contains("You came from")
    );
    let refused = server.get("/restores?recovery_posture_reason=recovered", GUEST);
    assert_eq!(refused.status, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_posture_and_backup_inputs_say_what_may_be_claimed_and_where_to_go() {
    let server = Server::start().await;
    let answer = server.get("/api/v1/posture", GUEST).json();
    let environment = &answer["workspaces"][0]["environments"][0];
    let (posture, backup) = (&environment["posture"], &environment["backup"]);
    let keys = |action: &Value| {
        let action = action.as_object().expect("an action").keys().cloned();
        action.collect::<Vec<String>>()
    };
    for action in [&posture["action"], &backup["primary_action_target"]] {
        assert_eq!(
            keys(action),
            ["disabled", "helper_text", "label", "url"],
            "{action}"
        );
    }
    for address in [&posture["action"]["url"], &posture["restores"]] {
        let page = server.get(address.as_str().expect("an address"), GUEST);
        assert_eq!(page.status, 200, "{address}");
    }
    let restores = posture["restores"].as_str().unwrap();
    let said = posture["summary"].as_str().unwrap();
    assert!(
        server.get(restores, GUEST).body.contains(said),
        "{restores}"
    );
    assert!(backup["healthy_claim_allowed"].is_boolean(), "{backup}");
    assert_eq!(
        backup["primary_action_target"]["disabled"], true,
        "{backup}"
    );
    for of in [posture, backup] {
        let boundary = of["claim_boundary"].as_str().expect("a sentence");
        let id = of["claim_boundary_id"].as_str().expect("an identifier");
        assert!(boundary.ends_with('.') && !id.contains(' '), "{of}");
    }
}

/// From either end, a page leads on to the next and back to the one before.
#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_runs_leads_on_and_back() {
    let server = Server::start().await;
    let load = |path: &str| {
        let answer = server.get(path, CHIEF).json();
        let runs = answer["runs"].as_array().expect("a list").iter();
        let runs: Vec<i64> = runs.map(|it| it["run"].as_i64().unwrap()).collect();
        let link = |name: &str| answer[name].as_str().map(str::to_owned);
        (runs, link("previous"), link("next"))
    };
    for order in ["newest", "oldest"] {
        let whole = load(&format!("/api/v1/runs?order={order}")).0;
        assert!(whole.len() > 6, "{whole:?}");
        let mut sorted = whole.clone();
        sorted.sort_unstable_by_key(|run| if order == "oldest" { *run } else { -*run });
        assert_eq!(whole, sorted);
        let first = load(&format!("/api/v1/runs?order={order}&limit=3"));
        assert_eq!((&first.0[..], &first.1), (&whole[..3], &None));
        let second = load(first.2.as_deref().expect("more"));
        assert_eq!(second.0, whole[3..6]);
        let third = load(second.2.as_deref().expect("more"));
        assert_eq!(third.0[0], whole[6]);
        let back = load(third.1.as_deref().expect("a page before"));
        assert_eq!(back.0, whole[3..6]);
        let back = load(back.1.as_deref().expect("a page before"));
        assert_eq!((&back.0[..], &back.1), (&whole[..3], &None), "{order}");
        let again = load(back.2.as_deref().expect("more"));
        assert_eq!(again.0, whole[3..6]);
    }
}

/// The platform's words hold what a provider said.
#[tokio::test(flavor = "multi_thread")]
async fn that_a_reason_is_recorded_is_told_and_its_text_stays_hidden() {
    let server = Server::start().await;
    let failed = id(ELSEWHERE, FAILED);
    for path in [format!("/runs/{failed}"), format!("/restores/{failed}")] {
        let page = server.get(&path, CHIEF).body;
        let told =
            "The platform recorded a reason for the failure. Its text stays in the platform.";
        assert!(
            page.contains("id=\"failure\"") && page.contains(told),
            "{path}: {page}"
        );
        assert!(
            !page.contains(&format!("{MARKER} failure")),
            "{path}: {page}"
        );
    }
}

/// Counted for whoever sees the same, with the names of places that they may see.
#[tokio::test(flavor = "multi_thread")]
async fn the_list_is_narrowed_by_names_and_its_kinds_are_counted() {
    let server = Server::start().await;
    let counts = |path: &str, token| {
        let page = server.get(path, token).body;
        let counted = page.split("<span class=\"count\">").skip(1);
        let counts = counted.map(|it| it.split('<').next().expect("text").to_owned());
        counts.collect::<Vec<_>>()
    };
    let pool = SqlitePool::connect(&server.platform.url).await.unwrap();
    for change in [
        "UPDATE restore_runs SET status = 'previewed' WHERE id = 1001",
        "UPDATE restore_runs SET operation_run_id = NULL WHERE id = 1002",
    ] {
        sqlx::query(change).execute(&pool).await.unwrap();
    }
    assert_eq!(counts("/restores", CHIEF), ["6", "5", "1", "1"]);
    assert_eq!(counts("/restores", GUEST), ["3", "2", "1", "1"]);

    let page = server.get("/restores?kind=executed", GUEST).body;
    for option in [
        "<option value=\"1\">own workspace</option>",
        "<option value=\"1\">own environment</option>",
    ] {
        assert!(page.contains(option), "{option}: {page}");
    }
    assert!(!page.contains(MARKER), "{page}");
    let kept = "<input type=\"hidden\" name=\"kind\" value=\"executed\">";
    assert!(page.contains(kept), "{page}");
    // As the form sends it, and how it is dropped again. What is counted is not of one place.
    let narrowed = "/restores?workspace=&environment=1&kind=executed";
    let page = server.get(narrowed, GUEST).body;
    assert!(
        page.contains("<option value=\"1\" selected>own environment</option>"),
        "{page}"
    );
    assert!(
        page.contains("Environment: own environment <a href=\"/restores?kind=executed\""),
        "{page}"
    );
    assert_eq!(counts(narrowed, GUEST), [""; 0]);
}

/// A verdict is final, and what has changed since is said beside it, to whoever may see evidence.
#[tokio::test(flavor = "multi_thread")]
async fn what_the_rules_would_say_today_stands_beside_a_verdict() {
    let server = Server::start().await;
    let run = id(OWN, PROVEN);
    let shown = |token| {
        let answer = server.get(&format!("/api/v1/runs/{run}"), token).json();
        let page = server.get(&format!("/runs/{run}"), token).body;
        (
            answer["later"].clone(),
            answer["verdict"]["outcome"].clone(),
            page,
        )
    };
    let is_said = |page: &str| page.contains("id=\"later\"");
    let (later, _, page) = shown(MEMBER);
    assert!(later.is_null() && !is_said(&page), "{later}: {page}");

    let pool = SqlitePool::connect(&server.platform.url).await.unwrap();
    let aged = "UPDATE evidence_snapshots SET expires_at = generated_at + 1000000";
    sqlx::query(aged).execute(&pool).await.unwrap();
    let (later, outcome, page) = shown(MEMBER);
    assert_eq!(
        (&outcome, &later["change"]),
        (&"succeeded".into(), &"weaker".into()),
        "{later}"
    );
    assert_eq!(later["outcome"], "partially_succeeded");
    assert_eq!(later["reason"]["code"], "restore.evidence_expired");
    let sentence = later["sentence"].as_str().expect("a sentence");
    assert!(
        is_said(&page) && page.contains(sentence),
        "{sentence}: {page}"
    );
    let (later, outcome, page) = shown(GUEST);
    assert!(
        later.is_null() && outcome == "succeeded" && !is_said(&page),
        "{later}: {page}"
    );
}
