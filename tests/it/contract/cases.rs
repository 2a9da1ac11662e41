//! The case list: each sentence of the rules with a case of it, as `cases.toml` has them.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use reconciler_fixtures::{PlantedBackupItem, PlantedBackupSet, PlatformRows};
use reconciler_jobs::restore_execute::{Policy, ReasonCode};
use reconciler_jobs::stamp::whole_seconds;
use restore_reconciler::internals::config::Config;
use restore_reconciler::internals::storage::{Settlement, Settling};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::support::case::{Case, FOREIGN, HOME, NEIGHBOUR, STARTED, restore_of, rows_of};
use crate::support::settled::{settle, settling};
use crate::support::store::{Fixture, on_all, with_fixture};

on_all!(every_case_comes_out_as_it_says);
with_fixture!(#[tokio::test] on_postgres_with_microseconds, postgres_with_microseconds: every_case_comes_out_as_it_says);

const LIST: &str = include_str!("cases.toml");

/// The list stays one that a person reads in one sitting, and never shrinks.
const CASES_MIN: usize = 170;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    case: Vec<Listed>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Listed {
    says: String,
    #[serde(default)]
    with: BTreeMap<String, Value>,
    #[serde(default)]
    beside: Vec<Beside>,
    set: Option<Vec<String>>,
    rules: Option<String>,
    gives: String,
}

#[derive(Deserialize)]
struct Beside {
    row: String,
    #[serde(flatten)]
    with: BTreeMap<String, Value>,
}

fn list() -> Vec<Listed> {
    let list: List = toml::from_str(LIST).expect("a list of cases");
    list.case
}

/// Where cases are planted.
#[derive(Clone, Copy)]
struct Place {
    is_sqlite: bool,
    /// Whether its columns hold parts of a second. Of moments that have such, others get the second that they lie in.
    holds_microseconds: bool,
    now: Timestamp,
}

/// What a case plants, and how its run is judged.
struct Planted {
    run: i64,
    policy: Policy,
    rows: PlatformRows,
}

impl Listed {
    fn plant(&self, run: i64, place: Place) -> Planted {
        let mut document = serde_json::to_value(rows_of([Case::proven(run)])).expect("rows");
        for (column, value) in &self.with {
            let (row, column) = column.split_once('.').unwrap_or((column, ""));
            let rows = rows_called(&mut document, row);
            if column.is_empty() {
                rows.clear();
            } else {
                set(&mut rows[0], column, self.value(value, run, place));
            }
        }
        for beside in &self.beside {
            let rows = rows_called(&mut document, &beside.row);
            let mut other = rows[0].clone();
            if let Some(id) = other["id"].as_i64() {
                set(&mut other, "id", json!(id_beside(id)));
            }
            for (column, value) in &beside.with {
                set(&mut other, column, self.value(value, run, place));
            }
            rows.push(other);
        }
        let mut rows: PlatformRows = serde_json::from_value(document).expect(&self.says);
        if let Some(items) = &self.set {
            self.plant_set(items, run, &mut rows);
        }
        let rules = self.rules.as_deref().unwrap_or_default();
        let config = Config::parse(&format!("[rules]\n{rules}"), "cases.toml").expect(&self.says);
        let policy = config.rules.policy();
        Planted { run, policy, rows }
    }

    fn value(&self, value: &Value, run: i64, place: Place) -> Value {
        let Value::String(text) = value else {
            return value.clone();
        };
        let minutes = |text: &str| {
            let minutes = text
                .parse()
                .unwrap_or_else(|_| panic!("{}: {text}", self.says));
            SignedDuration::from_mins(minutes)
        };
        if let Some(ago) = text.strip_suffix(" minutes ago") {
            return json!((place.now - minutes(ago)).to_string());
        }
        let ahead = text.strip_prefix("in ");
        if let Some(ahead) = ahead.and_then(|text| text.strip_suffix(" minutes")) {
            return json!((place.now + minutes(ahead)).to_string());
        }
        let moment: Option<Timestamp> = text.parse().ok();
        if let Some(moment) = moment.filter(|_| text.contains('.') && !place.holds_microseconds) {
            return json!(whole_seconds(moment).to_string());
        }
        let text = match text.as_str() {
            "none" => return Value::Null,
            "<another run>" => return json!(id_beside(run)),
            // SQLite counts microseconds, and has no infinity.
            "infinity" if place.is_sqlite => i64::MAX.to_string(),
            "9999-12-31T00:00:00Z" if place.is_sqlite => "253402214400000000".to_owned(),
            text => text
                .replace("<run>", &run.to_string())
                .replace("<restore>", &restore_of(run).to_string())
                .replace("<workspace>", &HOME.0.to_string())
                .replace("<environment>", &HOME.1.to_string()),
        };
        json!(self.with_own_items(&text, run))
    }

    /// Ids of backup items are keys: where the set is planted, each case has its own.
    fn with_own_items(&self, text: &str, run: i64) -> String {
        if self.set.is_none() {
            return text.to_owned();
        }
        ["7", "8"].iter().fold(text.to_owned(), |text, id| {
            text.replace(&format!("\"{id}\""), &format!("\"{}\"", item_of(run, id)))
        })
    }

    fn plant_set(&self, items: &[String], run: i64, rows: &mut PlatformRows) {
        let id = restore_of(run);
        let started: Timestamp = STARTED.parse().expect("a moment");
        let mut set = PlantedBackupSet {
            id,
            workspace_id: HOME.0,
            managed_environment_id: HOME.1,
            ..PlantedBackupSet::default()
        };
        for item in items {
            let (item, deleted_at) = match item.split_once(" deleted ") {
                Some((item, "before")) => (item, Some(started - SignedDuration::from_secs(1))),
                Some((item, "then")) => (item, Some(started)),
                Some((item, "after")) => (item, Some(started + SignedDuration::from_secs(1))),
                Some(_) => panic!("{}: {item}", self.says),
                None => (item.as_str(), None),
            };
            match item {
                "abroad" => (set.workspace_id, set.managed_environment_id) = FOREIGN,
                "elsewhere" => set.managed_environment_id = NEIGHBOUR.1,
                "deleted" => set.deleted_at = Some(STARTED.to_owned()),
                id => rows.backup_items.push(PlantedBackupItem {
                    id: Some(item_of(run, id)),
                    backup_set_id: set.id,
                    policy_type: "deviceConfiguration".to_owned(),
                    payload: "{}".to_owned(),
                    captured_at: STARTED.to_owned(),
                    deleted_at: deleted_at.map(|moment| moment.to_string()),
                    ..PlantedBackupItem::default()
                }),
            }
        }
        rows.backup_sets.push(set);
        let restore = &mut rows.restores[0];
        restore.backup_set_id = id;
        let results = restore.results.as_deref().expect("results");
        restore.results = Some(self.with_own_items(results, run));
    }
}

/// The id of what stands beside the row of this id.
fn id_beside(id: i64) -> i64 {
    id + 500_000
}

fn item_of(run: i64, item: &str) -> i64 {
    let item: i64 = item.parse().expect("an item's id");
    run * 1_000 + item
}

fn rows_called<'a>(document: &'a mut Value, row: &str) -> &'a mut Vec<Value> {
    let table = match row {
        "run" => "runs",
        "restore" => "restores",
        "audit" => "audits",
        "evidence" => "snapshots",
        other => panic!("no row is called {other}"),
    };
    document[table].as_array_mut().expect("rows")
}

fn set(row: &mut Value, column: &str, value: Value) {
    let row: &mut Map<String, Value> = row.as_object_mut().expect("a row");
    assert!(row.contains_key(column), "no column is called {column}");
    row.insert(column.to_owned(), value);
}

fn told(result: &Settlement) -> String {
    match result {
        Settlement::Committed(assessment) | Settlement::Deferred(assessment, _) => {
            let decision = &assessment.decision;
            format!("{} {}", decision.name(), decision.reason)
        }
        other => format!("{other:?}"),
    }
}

async fn every_case_comes_out_as_it_says(on: Fixture) {
    let precision = "SELECT datetime_precision FROM information_schema.columns
        WHERE table_schema = 'public' AND table_name = 'restore_runs' AND column_name = 'completed_at'";
    let place = Place {
        is_sqlite: on.is_sqlite(),
        holds_microseconds: on.is_sqlite() || on.count(precision).await == 6,
        now: on.store.now().await.unwrap(),
    };
    let cases = list();
    let planted: Vec<Planted> = (70..)
        .zip(&cases)
        .map(|(run, case)| case.plant(run, place))
        .collect();
    for case in &planted {
        on.standin
            .plant(&case.rows)
            .await
            .expect("rows can be planted");
    }
    let mut wrong = Vec::new();
    for pass in ["first", "second"] {
        let before = on.platform().await;
        for (case, planted) in cases.iter().zip(&planted) {
            let with = Settling {
                policy: planted.policy.clone(),
                ..settling()
            };
            let found = told(&settle(&on.store, &[planted.run], &with).await[&planted.run]);
            let closed = pass == "second" && !case.gives.starts_with("deferred");
            let expected = if closed {
                "deferred run.already_terminal"
            } else {
                &case.gives
            };
            if found != expected {
                wrong.push(format!("{pass}: {}\n  {expected}\n  {found}", case.says));
            }
        }
        let changed = before != on.platform().await;
        assert_eq!(changed, pass == "first", "the {pass} pass");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn each_case_says_something_else_and_most_reasons_have_one() {
    let cases = list();
    assert!(cases.len() >= CASES_MIN, "{}", cases.len());
    let said: BTreeSet<&str> = cases.iter().map(|case| case.says.as_str()).collect();
    assert_eq!(said.len(), cases.len(), "one sentence twice");
    let given: BTreeSet<&str> = cases
        .iter()
        .filter_map(|case| case.gives.split(' ').nth(1))
        .collect();
    let without: Vec<_> = ReasonCode::ALL
        .iter()
        .filter(|reason| !reason.is_blocker() && !given.contains(reason.code()))
        .map(|reason| reason.code())
        .collect();
    // It takes a database that refuses.
    assert_eq!(without, ["run.settle_failed"]);
}
