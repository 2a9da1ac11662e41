//! What a verdict must have written, worked out again.
//!
//! Where the verdict follows from its facts, they give every value. Where it does not, the other rows can at
//! least be held to what the ledger's columns say, so that one violation is not reported as four.

use jiff::Timestamp;
use reconciler_jobs::{
    json::Column,
    restore_execute::{
        Outcome,
        record::{Attribution, Record, Source, record},
        review::{Doubt, Recorded, Reviewed, review},
        rows::RunRow,
    },
    stamp::Stamp,
};
use serde_json::{Map, Value, json};

use super::rows::Entry;

/// Values by column, as the statement gives them.
pub(super) struct Expected {
    pub(super) ledger: Value,
    pub(super) audit: Value,
    pub(super) run: Value,
    /// `context.reconciliation`.
    pub(super) reconciliation: Value,
}

/// What the verdict must have written, and why it does not stand if it does not.
pub(super) fn expected(entry: &Entry) -> (Expected, Option<Doubt>) {
    match review(&Recorded {
        outcome: entry.text("outcome"),
        reason_code: entry.text("reason_code"),
        ruleset: entry.text("ruleset"),
        facts: &entry.facts,
        facts_digest: entry.text("facts_digest"),
        decision: entry.text("decision"),
    }) {
        Ok(reviewed) => (Expected::by_facts(entry, &reviewed), None),
        Err(doubt) => (Expected::by_columns(entry), Some(doubt)),
    }
}

impl Expected {
    fn by_facts(entry: &Entry, reviewed: &Reviewed) -> Self {
        let Reviewed { facts, decision } = reviewed;
        let by = Attribution {
            worker: entry.text("worker").to_owned(),
            source: Source::Sweep, // another word is put into its place below
        };
        // Columns that a verdict only adds to are empty here, so what is expected is the addition.
        let bare = RunRow {
            id: facts.run.id,
            workspace_id: facts.run.workspace_id,
            environment_id: facts.run.environment_id,
            run_type: "restore.execute".to_owned(),
            status: String::new(),
            outcome: String::new(),
            context: Column::Null,
            failure_summary: Column::Null,
            summary_counts: Column::Null,
            started_at: facts.run.started_at,
            completed_at: Stamp::Absent,
            created_at: facts.run.created_at,
        };
        let Record { run, audit, ledger } = record(&bare, facts, decision, &by)
            .expect("facts that were read back can be written")
            .expect("a verdict that was reviewed has an outcome");

        let mut values = json!({ "ledger": ledger, "audit": audit, "run": run });
        let context: Value = serde_json::from_str(run.context.get()).expect("a context");
        let mut reconciliation = context["reconciliation"].clone();
        for moment in [
            "/ledger/decided_at",
            "/ledger/run_created_at",
            "/audit/recorded_at",
        ] {
            in_micros(values.pointer_mut(moment));
        }
        for moment in ["/run/started_at", "/run/completed_at", "/run/updated_at"] {
            in_micros(values.pointer_mut(moment));
        }
        let columns = &mut values["run"];
        columns["type"] = "restore.execute".into();
        for added in ["context", "failure_summary", "summary_counts"] {
            remove(columns, added);
        }
        match facts.run.started_at {
            Stamp::Absent => {}
            Stamp::At(moment) => columns["started_at"] = moment.as_microsecond().into(),
            Stamp::Far | Stamp::Unreadable => remove(columns, "started_at"),
        }
        for other in ["facts", "source"] {
            remove(&mut values["ledger"], other);
        }
        let source = &entry.columns["source"];
        values["audit"]["metadata"]["source"] = source.clone();
        reconciliation["source"] = source.clone();
        Self {
            ledger: values["ledger"].take(),
            audit: values["audit"].take(),
            run: values["run"].take(),
            reconciliation,
        }
    }

    fn by_columns(entry: &Entry) -> Self {
        let column = |name: &str| entry.columns[name].clone();
        let decided_at = entry.columns["decided_at"].as_i64().unwrap_or_default();
        let micros = decided_at - decided_at.rem_euclid(1_000_000);
        let moment = Timestamp::from_microsecond(micros).map(|moment| moment.to_string());
        let outcome = Outcome::parse(entry.text("outcome")).map(Outcome::audit_outcome);
        let said = json!({
            "decision": column("outcome"),
            "reason_code": column("reason_code"),
            "ruleset": column("ruleset"),
            "source": column("source"),
            "decision_id": column("decision_id"),
            "facts_digest": column("facts_digest"),
        });
        let mut reconciliation = said.clone();
        reconciliation["reconciled_at"] = moment.unwrap_or_default().into();
        let scope = |mut values: Value| {
            for name in ["workspace_id", "managed_environment_id"] {
                values[name] = column(name);
            }
            values
        };
        Self {
            ledger: json!({}),
            audit: scope(json!({ "outcome": outcome, "recorded_at": micros, "metadata": said })),
            run: scope(json!({ "outcome": column("outcome"), "updated_at": micros })),
            reconciliation,
        }
    }
}

fn in_micros(slot: Option<&mut Value>) {
    if let Some(slot) = slot
        && let Some(moment) = slot.as_str()
    {
        let moment: Timestamp = moment.parse().expect("a moment");
        *slot = moment.as_microsecond().into();
    }
}

fn remove(values: &mut Value, name: &str) {
    values.as_object_mut().map(|values| values.remove(name));
}

/// The values in `found` that are not as expected, with what was expected, each by its place. What nobody
/// expected anything of is passed over.
pub(super) fn differences(expected: &Value, found: &Value) -> Option<(String, String)> {
    let (mut wanted, mut seen) = (Map::new(), Map::new());
    compare("", expected, found, &mut wanted, &mut seen);
    let text = |values: Map<String, Value>| Value::Object(values).to_string();
    (!wanted.is_empty()).then(|| (text(wanted), text(seen)))
}

fn compare(
    at: &str,
    expected: &Value,
    found: &Value,
    wanted: &mut Map<String, Value>,
    seen: &mut Map<String, Value>,
) {
    if let (Some(values), true) = (expected.as_object(), found.is_object()) {
        for (name, value) in values {
            let at = if at.is_empty() {
                name.clone()
            } else {
                format!("{at}.{name}")
            };
            compare(&at, value, &found[name], wanted, seen);
        }
    } else if expected != found {
        wanted.insert(at.to_owned(), expected.clone());
        seen.insert(at.to_owned(), found.clone());
    }
}
