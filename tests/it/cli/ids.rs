//! Ids beyond 2^53, as platforms with snowflake keys have them. A double holds none of these: whatever passes one
//! through it writes a number that ends in zeros.

use reconciler_fixtures::{Case, CaseIds, PlatformRows};
use restore_reconciler::internals::clock;
use serde_json::{Value, json};

use super::stage::run;
use crate::console::{Ask, Serving, Settings};
use crate::support::store::{Fixture, on_both};

on_both!(no_id_passes_through_a_double);

const IDS: CaseIds = CaseIds {
    run: 9_000_000_000_000_000_001,
    restore: 9_000_000_000_000_000_003,
    workspace: 9_000_000_000_000_000_005,
    environment: 9_000_000_000_000_000_007,
};
const ITEM: i64 = 9_000_000_000_000_000_009;
const LOST_ITEM: i64 = 9_000_000_000_000_000_011;

/// A run whose restore did not apply one item: that item's id is shown as an exception and as a gap.
fn rows() -> PlatformRows {
    let mut rows = PlatformRows::default();
    let environment = (IDS.environment, "far away".to_owned());
    rows.add_environments(IDS.workspace, "far".to_owned(), [environment]);
    let mut case = Case::new(IDS, clock::wall());
    case.without_foundation();
    case.request([(ITEM, json!({ "status": "applied" }))]);
    case.item(&LOST_ITEM.to_string(), json!({ "status": "failed" }));
    case.restore.requested_items = Some(json!([ITEM, LOST_ITEM]).to_string());
    rows.extend([case]);
    rows
}

/// What was said names these ids, and none that was rounded.
#[track_caller]
fn assert_exact(said: &str, by: &str, ids: &[i64]) {
    for id in ids {
        assert!(
            said.contains(&id.to_string()),
            "{by}: {id} is not in {said}"
        );
    }
    for rounded in [
        "9000000000000000000",
        "9000000000000001",
        "9e18",
        "9.0e18",
        "9E18",
    ] {
        assert!(!said.contains(rounded), "{by}: {rounded} is in {said}");
    }
}

async fn no_id_passes_through_a_double(on: Fixture) {
    let on = on.with_queue().await;
    on.standin.plant(&rows()).await.expect("the rows");
    let CaseIds {
        run: run_id,
        restore,
        workspace,
        environment,
    } = IDS;
    let all = [run_id, restore, workspace, environment];
    let asked = run_id.to_string();
    let say = |verb: &[&str], code: i32, ids: &[i64]| {
        for format in ["json", "table"] {
            let ran = run(&on.url, &[verb, &["--output", format]].concat()).exits(code);
            assert_exact(&ran.all(), &format!("{verb:?} {format}"), ids);
        }
    };
    say(&["explain", &asked], 10, &[run_id, restore, LOST_ITEM]);
    say(&["enqueue", &asked], 0, &[run_id]);
    say(&["queue", "list", "--all"], 0, &[run_id]);
    say(&["queue", "show", &asked], 0, &[run_id]);
    run(&on.url, &["sweep"]).exits(10);
    say(&["reconcile", &asked], 10, &[run_id]);
    say(&["explain", &asked], 10, &[run_id, restore, LOST_ITEM]);
    assert_written(&on, &all).await;
    assert_shown(&on, &all).await;
}

/// What a verdict writes names each id as it is.
async fn assert_written(on: &Fixture, [run, restore, workspace, environment]: &[i64; 4]) {
    for (column, ids) in [
        (
            "context AS v FROM operation_runs",
            vec![restore, workspace, environment],
        ),
        (
            "facts AS v FROM reconciler.verdicts",
            vec![run, restore, workspace, environment, &LOST_ITEM],
        ),
        ("decision AS v FROM reconciler.ledger", vec![]),
        (
            "metadata AS v FROM audit_logs WHERE action = 'operation_run.reconciled'",
            vec![run, restore],
        ),
    ] {
        let written = on
            .value(&format!("SELECT {column}"))
            .await
            .expect("a value");
        let ids: Vec<i64> = ids.into_iter().copied().collect();
        assert_exact(&written, column, &ids);
    }
}

/// The console shows the run wherever it stands.
async fn assert_shown(on: &Fixture, [run, restore, workspace, environment]: &[i64; 4]) {
    let settings = Settings::holding("[console]\nlisten = \"127.0.0.1:0\"");
    let serving = Serving::start(&on.url, &settings).await;
    for (path, ids) in [
        ("/".to_owned(), vec![environment]),
        ("/runs".to_owned(), vec![run]),
        (
            format!("/runs?workspace={workspace}&environment={environment}"),
            vec![run],
        ),
        ("/runs.csv".to_owned(), vec![run, workspace, environment]),
        ("/runs.json".to_owned(), vec![run, workspace, environment]),
        (format!("/runs/{run}"), vec![run, restore, &LOST_ITEM]),
        (format!("/runs/{run}/evidence"), vec![run]),
        (format!("/runs/{run}/explain"), vec![run]),
        (format!("/restores/{restore}"), vec![restore]),
        ("/api/v1/runs".to_owned(), vec![run, workspace, environment]),
        (
            format!("/api/v1/runs/{run}"),
            vec![run, restore, workspace, environment, &LOST_ITEM],
        ),
        (
            format!("/api/v1/runs/{run}/explain"),
            vec![run, workspace, environment],
        ),
        (format!("/api/v1/restores/{restore}/gates"), vec![restore]),
    ] {
        let answer = serving.ask(&Ask::get(&path));
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        let ids: Vec<i64> = ids.into_iter().copied().collect();
        assert_exact(&answer.body, &path, &ids);
    }
    let described = serving.ask(&Ask::get("/api/v1/openapi.json")).json();
    assert_eq!(doubles_in(&described, ""), Vec::<String>::new());
    serving.stop().await;
}

/// Where a schema has a number that need not be an integer.
fn doubles_in(schema: &Value, path: &str) -> Vec<String> {
    match schema {
        Value::Object(map) => {
            let is_double = map.get("type").is_some_and(|it| {
                it == "number"
                    || it
                        .as_array()
                        .is_some_and(|all| all.contains(&json!("number")))
            });
            let own = is_double.then(|| path.to_owned());
            let inner = map
                .iter()
                .flat_map(|(key, it)| doubles_in(it, &format!("{path}/{key}")));
            own.into_iter().chain(inner).collect()
        }
        Value::Array(list) => list.iter().flat_map(|it| doubles_in(it, path)).collect(),
        _ => Vec::new(),
    }
}
