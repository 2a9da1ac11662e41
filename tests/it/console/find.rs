//! `/find`: what has an id, and nothing of what lies elsewhere.

use restore_reconciler::internals::config::Config;
use serde_json::{Map, Value, json};

use super::platform::{DELETED, ELSEWHERE, FAILED, LINKED, OWN, PROVEN, id};
use super::server::{CHIEF, GUEST, MEMBER, Server};

/// A decision, and a snapshot of evidence, that nobody made.
const NONE: [&str; 2] = ["00000000000000000000000000000000", "987654321"];

/// The decision about a run that is proven, and its evidence.
fn proof(server: &Server, workspace: i64) -> [String; 2] {
    let run = server.get(&format!("/api/v1/runs/{}", id(workspace, PROVEN)), CHIEF);
    let run = run.json();
    let text = |path: &str| match run.pointer(path).expect(path) {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    ["/verdict/decision_id", "/evidence/snapshot/id"].map(text)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_leads_to_what_has_it() {
    let server = Server::start().await;
    let find = |sought: &str, token: &str| server.get(&format!("/find?q={sought}"), token);
    let [decision, evidence] = proof(&server, OWN);
    let proven = id(OWN, PROVEN);
    for (sought, location) in [
        (
            id(OWN, LINKED).to_string(),
            format!("/runs/{}", id(OWN, LINKED)),
        ),
        // Its restore was deleted.
        (
            format!("+%23{}+", id(OWN, DELETED)),
            format!("/runs/{}", id(OWN, DELETED)),
        ),
        (decision.clone(), format!("/runs/{proven}#verdict")),
        (decision.to_uppercase(), format!("/runs/{proven}#verdict")),
        (
            "restore.items_mixed".to_owned(),
            "/reasons/restore.items_mixed".to_owned(),
        ),
    ] {
        find(&sought, MEMBER).leads_to(&location);
    }
    let both = find(&id(OWN, FAILED).to_string(), MEMBER);
    assert_eq!(both.status, 200);
    for href in ["/runs/1002", "/restores/1002"] {
        assert!(both.body.contains(&format!("href=\"{href}\"")), "{both:?}");
    }
    for sought in ["", "?q=", "?q=%20"] {
        assert_eq!(server.get(&format!("/find{sought}"), MEMBER).status, 200);
    }
    for sought in ["x".repeat(65), "1&q=2".to_owned(), "1&x=2".to_owned()] {
        assert_eq!(find(&sought, MEMBER).status, 400, "{sought}");
    }
    // Evidence, run and restore have one id; who may not see evidence does not learn that there is any.
    let href = format!("href=\"/runs/{proven}/evidence\"");
    for (token, is_told) in [(MEMBER, true), (GUEST, false)] {
        let listed = find(&evidence, token);
        assert_eq!(listed.body.contains(&href), is_told, "{listed:?}");
    }
    find(&decision, GUEST).leads_to(&format!("/runs/{proven}#verdict"));
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_and_the_api_lead_to_the_platform() {
    let server = Server::start_with(|config, _| {
        let links = "[console.links]\nrun = \"https://atlas.example/{workspace}/{run}\"\n\
            restore = \"https://atlas.example/restores/{restore}\"\n\
            evidence = \"https://atlas.example/evidence/{evidence}\"\n\
            environment = \"https://atlas.example/environments/{environment}\"\n";
        let links = Config::parse(links, "x.toml").expect(links).console.links;
        config.console.links = links;
    })
    .await;
    let run = id(OWN, PROVEN);
    let [.., evidence] = proof(&server, OWN);
    let expected = json!({
        "run": format!("https://atlas.example/{OWN}/{run}"),
        "restore": format!("https://atlas.example/restores/{run}"),
        "evidence": format!("https://atlas.example/evidence/{evidence}"),
        "environment": format!("https://atlas.example/environments/{OWN}"),
    });
    for (page, api) in [("runs", ""), ("restores", "/gates")] {
        let links = server
            .get(&format!("/api/v1/{page}/{run}{api}"), MEMBER)
            .json()["links"]
            .clone();
        let shown = server.get(&format!("/{page}/{run}"), MEMBER);
        for (of, href) in links.as_object().expect("links") {
            assert_eq!(*href, expected[of], "{page}: {of}");
            let link = format!("<a href={href} rel=\"noreferrer\">{of}</a>");
            assert!(shown.body.contains(&link), "{link}: {shown:?}");
        }
        assert_eq!(
            links.as_object().map(Map::len),
            Some(if page == "runs" { 4 } else { 3 })
        );
    }
    let posture = server.get("/api/v1/posture", MEMBER).json();
    let links = posture["workspaces"][0]["environments"][0]["links"].clone();
    let links = links.as_object().expect("links");
    assert_eq!(links["environment"], expected["environment"]);
    assert!(links.contains_key("restore") && !links.contains_key("evidence"));
    let overview = server.get("/", MEMBER).body;
    let link = format!("<a href={} rel=\"noreferrer\"", links["environment"]);
    assert!(overview.contains(&link), "{link}: {overview}");
    // What a viewer may not see has no address either.
    let run = server.get(&format!("/api/v1/runs/{run}"), GUEST).json();
    assert!(
        run["links"]["evidence"].is_null() && run["links"]["run"].is_string(),
        "{run}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_lies_elsewhere_is_found_by_nobody_else() {
    let server = Server::start().await;
    let find = |sought: &str, token: &str| {
        let mut answer = server.get(&format!("/find?q={sought}"), token);
        answer
            .headers
            .retain(|(name, _)| name != "date" && name != "content-length");
        answer.body = answer.body.replace(sought, "");
        answer.bytes = 0;
        answer
    };
    for (foreign, none) in proof(&server, ELSEWHERE).iter().zip(NONE) {
        assert_ne!(find(foreign, CHIEF).status, 404, "{foreign} is there");
        for token in [MEMBER, GUEST] {
            assert_eq!(find(foreign, token), find(none, token), "{foreign}");
            assert_eq!(find(foreign, token).status, 404);
        }
    }
}
