//! Runs that are nobody's to close, or cannot be closed; and the ones that are proven.

use reconciler_jobs::restore_execute::ReasonCode;
use serde_json::json;

use super::{SUCCEEDED, Scenario, deferred};
use crate::demo::report::Conclusion;

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "run of another kind",
        temptation: "A proven restore points at this run, although the run is a policy sync.",
        expected: deferred(ReasonCode::UnsupportedType),
        differs: |case| "policy.sync".clone_into(&mut case.run.r#type),
    },
    Scenario {
        name: "verification run",
        temptation: "A run that verifies a restore sounds as good as the restore itself.",
        expected: deferred(ReasonCode::UnsupportedType),
        differs: |case| "restore.verify".clone_into(&mut case.run.r#type),
    },
    Scenario {
        name: "run closed without evidence",
        temptation: "The run says succeeded already; its evidence never came.",
        expected: deferred(ReasonCode::AlreadyTerminal),
        differs: |case| {
            "completed".clone_into(&mut case.run.status);
            "succeeded".clone_into(&mut case.run.outcome);
            case.run.completed_at = case.restore.completed_at.clone();
            case.snapshot_in_foreign_workspace();
        },
    },
    Scenario {
        name: "run status in capitals",
        temptation: "Everybody can see that RUNNING means running.",
        expected: deferred(ReasonCode::RunStatusUnknown),
        differs: |case| "RUNNING".clone_into(&mut case.run.status),
    },
    Scenario {
        name: "context is a list",
        temptation: "The proof is complete; only the run's context is a list.",
        expected: deferred(ReasonCode::ContextMalformed),
        differs: |case| case.run.context = Some(r#"["restore", 12]"#.to_owned()),
    },
    Scenario {
        name: "context is a string",
        temptation: "The proof is complete; only the run's context is JSON encoded twice.",
        expected: deferred(ReasonCode::ContextMalformed),
        differs: |case| {
            let context = case.run.context.take().unwrap_or_default();
            case.run.context = Some(json!(context).to_string());
        },
    },
    Scenario {
        name: "verdict the database refuses",
        temptation: "The proof is complete; only its audit entry cannot be written.",
        expected: (Conclusion::Refused, ReasonCode::SettleFailed),
        differs: |_| {}, // the trigger does it
    },
];

pub(super) const PROVEN: &[Scenario] = &[
    Scenario {
        name: "complete proof",
        temptation: "All eight legs hold. Even this does not say that the environment recovered.",
        expected: SUCCEEDED,
        differs: |_| {},
    },
    Scenario {
        name: "complete proof, PHP's empty maps",
        temptation: "Columns hold [] where a map is meant; nothing in them contradicts the proof.",
        expected: SUCCEEDED,
        differs: |case| {
            case.run.context = Some("[]".to_owned());
            case.run.summary_counts = Some("[]".to_owned());
            case.restore.metadata = Some("[]".to_owned());
        },
    },
    Scenario {
        name: "complete proof, numbers as text",
        temptation: "Every number is text, as forms post them, and still a number.",
        expected: SUCCEEDED,
        differs: |case| {
            case.note("restore_run_id", json!(case.restore.id.to_string()));
            case.count(json!({ "total": "3", "succeeded": "3", "failed": "0" }));
            case.restore.requested_items = Some(r#"["501", "502", "503"]"#.to_owned());
        },
    },
    Scenario {
        name: "complete proof, NUL in a remark",
        temptation: "An item's remark holds a character that jsonb refuses and json keeps.",
        expected: SUCCEEDED,
        differs: |case| {
            case.item("502", json!({ "status": "applied", "remark": "a\0b" }));
        },
    },
    Scenario {
        name: "complete proof, nothing named",
        temptation: "The context names no restore; the newest one that points at the run is whole.",
        expected: SUCCEEDED,
        differs: |case| {
            case.name_no_restore();
            let mut failed = case.rival();
            failed.id -= 2;
            "failed".clone_into(&mut failed.status);
            case.rivals.push(failed);
        },
    },
    Scenario {
        name: "complete proof, evidence for ever",
        temptation: "The evidence has no expiry date, so nothing says that it is out of date.",
        expected: SUCCEEDED,
        differs: |case| case.snapshot.expires_at = None,
    },
];
