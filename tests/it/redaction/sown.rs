//! Secrets in every text and every JSON column of the platform's tables, in a world that gives every decision.
//!
//! Most rows keep the meaning that their scenario needs: words stay, and documents get more keys at every depth.
//! Words are replaced in runs of their own.

use std::collections::BTreeSet;

use reconciler_fixtures::{PlantedRestore, platform};
use reconciler_jobs::restore_execute::ReasonCode;
use restore_reconciler::internals::clock;
use serde_json::{Map, Value, json};

use super::secrets::Secrets;
use crate::support::case::{Case, HOME, audit, rows_of};
use crate::support::scene::text_of;
use crate::support::store::Fixture;

/// What becomes of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sow {
    /// Its text is replaced.
    Text,
    /// Its document gets more.
    Json,
    /// Its word is kept where it means something, and replaced in runs of their own.
    Word,
    /// It takes a secret nowhere: a constraint, or what it refers to, allows none.
    Nothing,
}

use Sow::{Json, Nothing, Text, Word};

/// Every column that holds text. One that is not listed fails the test.
const COLUMNS: &[(&str, &str, Sow)] = &[
    ("workspaces", "name", Text),
    ("managed_environments", "name", Text),
    ("operation_runs", "initiator_name", Text),
    ("operation_runs", "type", Word),
    ("operation_runs", "status", Word),
    ("operation_runs", "outcome", Word),
    ("operation_runs", "run_identity_hash", Text),
    ("operation_runs", "summary_counts", Json),
    ("operation_runs", "failure_summary", Json),
    ("operation_runs", "context", Json),
    ("backup_sets", "name", Text),
    ("backup_sets", "status", Word),
    ("backup_sets", "metadata", Json),
    ("backup_items", "policy_type", Text),
    ("backup_items", "payload", Json),
    ("backup_items", "assignments", Json),
    ("backup_items", "metadata", Json),
    ("restore_runs", "requested_by", Text),
    ("restore_runs", "status", Word),
    ("restore_runs", "requested_items", Word),
    ("restore_runs", "group_mapping", Json),
    ("restore_runs", "preview", Json),
    ("restore_runs", "results", Json),
    ("restore_runs", "metadata", Json),
    ("restore_runs", "failure_reason", Text),
    ("evidence_snapshots", "fingerprint", Text),
    ("evidence_snapshots", "previous_fingerprint", Text),
    ("evidence_snapshots", "status", Word),
    ("evidence_snapshots", "completeness_state", Word),
    ("evidence_snapshots", "summary", Json),
    ("audit_logs", "actor_email", Text),
    ("audit_logs", "actor_name", Text),
    ("audit_logs", "actor_type", Nothing),
    ("audit_logs", "actor_label", Text),
    ("audit_logs", "action", Word),
    ("audit_logs", "resource_type", Word),
    ("audit_logs", "resource_id", Word),
    ("audit_logs", "status", Word),
    ("audit_logs", "outcome", Nothing),
    ("audit_logs", "summary", Text),
    ("audit_logs", "metadata", Json),
];

/// The first of the runs whose words are replaced.
const FIRST_ROUGH: i64 = 20_001;

/// A run whose verdict a trigger refuses, and one whose row a constraint refuses.
pub(super) const REFUSED: [i64; 2] = [29_001, 29_002];

/// A run that is a dead letter.
pub(super) const DEAD: i64 = 29_003;

/// Runs that somebody asks for with a job that holds more than it should.
pub(super) const ASKED: [i64; 2] = [29_004, 29_005];

/// Plants everything, and says in which runs words are secrets.
pub(super) async fn sow(on: &Fixture, secrets: &mut Secrets) -> Vec<i64> {
    for rows in platform(clock::wall(), true) {
        on.platform.plant(&rows).await.expect("the scenarios");
    }
    let mut rough: Vec<Case> = (FIRST_ROUGH..)
        .map(Case::proven)
        .take(ROUGH.len())
        .collect();
    for (case, differs) in rough.iter_mut().zip(ROUGH) {
        differs(case, secrets);
    }
    let runs = rough.iter().map(|case| case.run.id).collect();
    let plain = REFUSED.into_iter().chain([DEAD]).chain(ASKED);
    let mut rows = rows_of(rough.into_iter().chain(plain.map(Case::failed)));
    rows.restores.push(preparation(secrets));
    on.platform.plant(&rows).await.expect("more runs");
    let (status, set) = (secrets.make("backup_sets.status"), HOME.1);
    let replaced = format!("UPDATE backup_sets SET status = '{status}' WHERE id = {set}");
    on.execute(&replaced).await;
    let tables: BTreeSet<&str> = COLUMNS.iter().map(|(table, ..)| *table).collect();
    for table in tables {
        assert_every_column_is_listed(on, table).await;
        sow_table(on, table, secrets).await;
    }
    for (table, column, sow) in COLUMNS.iter().filter(|(.., sow)| *sow != Nothing) {
        let place = format!("{table}.{column}");
        assert!(secrets.has_any(&place), "no secret is in {place}, {sow:?}");
    }
    runs
}

async fn assert_every_column_is_listed(on: &Fixture, table: &str) {
    let query = on.either(
        "SELECT name AS column_name FROM pragma_table_info('TABLE') WHERE type = 'TEXT'",
        "SELECT column_name FROM information_schema.columns
         WHERE table_name = 'TABLE' AND data_type IN ('text', 'character varying', 'json', 'jsonb')",
    );
    for row in on.rows(&query.replace("TABLE", table)).await {
        let column = row["column_name"].as_deref().expect("a name");
        let mut listed = COLUMNS.iter().map(|(table, column, _)| (*table, *column));
        let is_listed = listed.any(|it| it == (table, column));
        assert!(is_listed, "{table}.{column} gets no secret");
    }
}

async fn sow_table(on: &Fixture, table: &str, secrets: &mut Secrets) {
    let rows = on.rows(&format!("SELECT * FROM {table} ORDER BY id")).await;
    let mut statements = String::from("BEGIN;\n");
    for row in rows {
        let columns = COLUMNS.iter().filter(|listed| listed.0 == table);
        let changed: Vec<String> = columns
            .filter_map(|(_, column, sow)| {
                let place = format!("{table}.{column}");
                let text = sown(*sow, &place, row[*column].as_deref(), secrets)?;
                Some(format!("{column} = '{}'", text.replace('\'', "''")))
            })
            .collect();
        if !changed.is_empty() {
            let (id, changed) = (text_of(&row, "id"), changed.join(", "));
            let parts = [
                "UPDATE ",
                table,
                " SET ",
                &changed,
                " WHERE id = ",
                id,
                ";\n",
            ];
            statements.extend(parts);
        }
    }
    on.execute(&(statements + "COMMIT")).await;
}

/// The new text of a column; none where it stays.
fn sown(sow: Sow, place: &str, text: Option<&str>, secrets: &mut Secrets) -> Option<String> {
    match sow {
        Word | Nothing => None,
        Text if place == "restore_runs.failure_reason" => {
            let is_code = text.is_some_and(|text| ReasonCode::parse_blocker(text).is_some());
            (!is_code).then(|| secrets.make(place))
        }
        // No longer than 64 characters fit.
        Text if place.ends_with("fingerprint") => Some(secrets.core(place)),
        Text => Some(secrets.make(place)),
        Json => {
            let empty = match place {
                // None at all is what some scenarios are about.
                "restore_runs.results" => return text.and_then(|text| more(place, text, secrets)),
                "operation_runs.failure_summary" => "[]",
                _ => "{}",
            };
            more(place, text.unwrap_or(empty), secrets)
        }
    }
}

/// The document with secrets in it; none where it is none.
fn more(place: &str, text: &str, secrets: &mut Secrets) -> Option<String> {
    let mut document: Value = serde_json::from_str(text).ok()?;
    match (&mut document, place) {
        (Value::Object(groups), "restore_runs.group_mapping") => map_groups(groups, secrets),
        (Value::Array(entries), "operation_runs.failure_summary" | "backup_items.assignments") => {
            let mut entry = json!({ "message": secrets.make(place) });
            fill(&mut entry, place, false, secrets);
            entries.push(entry);
        }
        (Value::String(text), _) => *text = secrets.make(place),
        (document, _) => fill(document, place, false, secrets),
    }
    Some(document.to_string())
}

/// Adds keys to every map, but to those whose keys mean something.
fn fill(value: &mut Value, place: &str, has_counted_keys: bool, secrets: &mut Secrets) {
    match value {
        Value::Array(values) => {
            for value in values {
                fill(value, place, false, secrets);
            }
        }
        Value::Object(entries) => {
            let is_result = place == "restore_runs.results";
            for (key, value) in &mut *entries {
                let counted = is_result && (key == "items" || key == "assignment_summary");
                fill(value, place, counted, secrets);
            }
            if !has_counted_keys {
                let key = format!("note {}", secrets.make(format!("{place}, a key")));
                let inner = secrets.make(format!("{place}, a key further down"));
                let deep = json!([{ inner: [secrets.make(format!("{place}, further down"))] }]);
                entries.insert(key, json!({ "token": secrets.make(place), "deep": deep }));
            }
        }
        _ => {}
    }
}

fn map_groups(groups: &mut Map<String, Value>, secrets: &mut Secrets) {
    for target in groups.values_mut() {
        let is_mapped = |target: &str| !target.is_empty() && target != "SKIP";
        if target.as_str().is_some_and(is_mapped) {
            *target = json!(secrets.make("restore_runs.group_mapping target"));
        }
    }
    let [unmapped, mapped] = std::array::from_fn(|_| secrets.make("restore_runs.group_mapping id"));
    let target = secrets.make("restore_runs.group_mapping target");
    groups.extend([(unmapped, Value::Null), (mapped, json!(target))]);
}

/// The restore that is being prepared.
pub(super) const PREPARATION: i64 = 3_000_001;

fn preparation(secrets: &mut Secrets) -> PlantedRestore {
    let case = Case::proven(FIRST_ROUGH);
    let item = secrets.make("restore_runs.requested_items id");
    let mut basis =
        |key: &str| json!({ "fingerprint": secrets.make(format!("restore_runs.metadata {key}")) });
    let metadata = json!({
        "scope_basis": basis("scope_basis"),
        "check_basis": basis("check_basis"),
        "preview_basis": basis("preview_basis"),
        "execution_safety_snapshot": basis("execution_safety_snapshot"),
    });
    PlantedRestore {
        id: PREPARATION,
        operation_run_id: None,
        status: "previewed".to_owned(),
        requested_items: Some(json!([item]).to_string()),
        results: None,
        metadata: Some(metadata.to_string()),
        completed_at: None,
        ..case.restore
    }
}

/// Replaces what means something in one run.
type Differs = fn(&mut Case, &mut Secrets);

/// Results of which one item has `key` and `value`.
fn item(case: &mut Case, key: &str, value: &Value) {
    let results =
        json!({ "foundations": [], "items": { "7": { "status": "applied" }, key: value } });
    case.restore.results = Some(results.to_string());
}

const ROUGH: &[Differs] = &[
    |case, secrets| case.run.r#type = secrets.make("operation_runs.type"),
    |case, secrets| case.run.status = secrets.make("operation_runs.status"),
    |case, secrets| case.run.outcome = secrets.make("operation_runs.outcome"),
    |case, secrets| {
        let id = secrets.make("operation_runs.context restore_run_id");
        case.run.context = Some(json!({ "restore_run_id": id }).to_string());
    },
    |case, secrets| {
        let scope = json!({
            "workspace_id": secrets.make("operation_runs.context target_scope"),
            secrets.make("operation_runs.context target_scope, a key"): 1,
        });
        let context = json!({ "restore_run_id": case.restore.id, "target_scope": scope });
        case.run.context = Some(context.to_string());
    },
    |case, secrets| {
        let code = secrets.make("operation_runs.context execution_legitimacy");
        let legitimacy = json!({ "reason_code": code });
        let context =
            json!({ "restore_run_id": case.restore.id, "execution_legitimacy": legitimacy });
        case.run.context = Some(context.to_string());
    },
    |case, secrets| {
        let list = [secrets.make("operation_runs.context list")];
        case.run.context = Some(json!(list).to_string());
    },
    |case, secrets| {
        let code = secrets.make("operation_runs.failure_summary code");
        let reason = secrets.make("operation_runs.failure_summary reason_code");
        let entries = json!([{ "code": code, "reason_code": reason }, secrets.make("operation_runs.failure_summary entry")]);
        case.run.failure_summary = Some(entries.to_string());
        case.restore.status = "failed".to_owned();
    },
    |case, secrets| {
        let counts = json!([secrets.make("operation_runs.summary_counts list")]);
        case.run.summary_counts = Some(counts.to_string());
    },
    |case, secrets| case.restore.status = secrets.make("restore_runs.status"),
    |case, secrets| {
        let id = secrets.make("restore_runs.requested_items id");
        case.restore.requested_items = Some(json!([7, 8, id]).to_string());
    },
    |case, secrets| {
        let word = secrets.make("restore_runs.requested_items map");
        case.restore.requested_items = Some(json!({ word: { "a": 1 } }).to_string());
    },
    |case, secrets| {
        let key = secrets.make("restore_runs.results id");
        item(case, &key, &json!({ "status": "failed" }));
    },
    |case, secrets| {
        let id = secrets.make("restore_runs.results backup_item_id");
        let value = json!({ "status": "applied", "backup_item_id": id });
        item(case, "8", &value);
    },
    |case, secrets| {
        let word = secrets.make("restore_runs.results item status");
        let reason = secrets.make("restore_runs.results item reason");
        item(case, "8", &json!({ "status": word, "reason": reason }));
    },
    |case, secrets| {
        let outcomes =
            json!([{ "status": secrets.make("restore_runs.results assignment status") }]);
        let summary = json!({ secrets.make("restore_runs.results assignment word"): 1 });
        let value = json!({ "status": "applied", "assignment_outcomes": outcomes, "assignment_summary": summary });
        item(case, "8", &value);
    },
    |case, secrets| {
        let mut secret = |key: &str| secrets.make(format!("restore_runs.results foundation {key}"));
        let foundation = json!({
            "type": secret("type"), "sourceId": secret("source"), "targetId": secret("target"),
            "decision": secret("decision"), "reason": secret("reason"),
        });
        let items = json!({ "7": { "status": "applied" }, "8": { "status": "applied" } });
        let results = json!({ "foundations": [foundation], "items": items });
        case.restore.results = Some(results.to_string());
    },
    |case, secrets| {
        let text = secrets.make("restore_runs.results text");
        case.restore.results = Some(json!(text).to_string());
    },
    |case, secrets| {
        let mut secret = |key: &str| secrets.make(format!("restore_runs.metadata {key}"));
        let metadata = json!({ "total": secret("total"), "succeeded": secret("succeeded"), "blocked_reason": secret("blocked_reason") });
        case.restore.metadata = Some(metadata.to_string());
    },
    |case, secrets| case.snapshots[0].status = secrets.make("evidence_snapshots.status"),
    |case, secrets| {
        case.snapshots[0].completeness_state =
            secrets.make("evidence_snapshots.completeness_state");
    },
    |case, secrets| {
        let mut other = audit(case.restore.id, "restore.completed", "2025-03-01T10:07:00Z");
        other.action = secrets.make("audit_logs.action");
        let mut third = other.clone();
        third.resource_type = secrets.make("audit_logs.resource_type");
        third.resource_id = secrets.make("audit_logs.resource_id");
        case.audits.extend([other, third]);
    },
    |case, secrets| case.audits[0].status = secrets.make("audit_logs.status"),
];
