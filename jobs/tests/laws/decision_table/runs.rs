//! Rules 1 to 8: is this a run that can be judged, and which restore belongs to it?

use reconciler_jobs::ids::{EnvironmentId, RestoreId, RunId, WorkspaceId};
use reconciler_jobs::json::Column;

use super::{Row, each, row};
use crate::support::{Case, RESTORE, RUN, candidate, json};

/// Rules 1 to 3.
pub(super) fn run_rows() -> Vec<Row> {
    let mut rows = each(
        1,
        "type is not restore.execute",
        "deferred run.unsupported_type",
        &[
            "restore.verify",
            "restore.rollback.execute",
            "promotion.execute",
            "Restore.Execute",
            " restore.execute",
            "restore.execute ",
            "",
        ],
        |case, value| case.run.run_type = value.to_owned(),
    );
    rows.push(row(
        1,
        "another type and closed already",
        "deferred run.unsupported_type",
        |case| {
            case.run.run_type = "policy.sync".to_owned();
            case.run.status = "completed".to_owned();
        },
    ));
    rows.push(row(
        2,
        "run is completed already, whatever else is wrong",
        "deferred run.already_terminal",
        |case| {
            case.run.status = "completed".to_owned();
            case.run.context = json("\"text\"");
        },
    ));
    rows.extend(each(
        3,
        "run status",
        "deferred run.status_unknown",
        &["Running", "running ", "RUNNING", "processing", "failed", ""],
        |case, value| case.run.status = value.to_owned(),
    ));
    rows.push(row(
        22,
        "run is queued",
        "succeeded restore.proof_complete",
        |case| {
            case.run.status = "queued".to_owned();
        },
    ));
    rows
}

/// Rule 4.
pub(super) fn context_rows() -> Vec<Row> {
    let mut rows = each(
        4,
        "context",
        "deferred run.context_malformed",
        &[
            "\"text\"",
            "5",
            "true",
            "[7]",
            r#"[{"restore_run_id":7}]"#,
            "",
            " ",
            "{",
            r#"{"restore_run_id":7}}"#,
            r#"{"restore_run_id":7,"restore_run_id":7}"#,
            r#"{"restore_run_id":7,"a":{"b":1,"b":2}}"#,
            r#"{"restore_run_id":7,"\u0072estore_run_id":8}"#,
            r#"{"restore_run_id":7,"note":"a\u0000b"}"#,
            r#"{"restore_run_id":7,"note":"\ud800"}"#,
            r#"{"restore_run_id":7,"n":1e999}"#,
            r#"{"restore_run_id":7,"n":NaN}"#,
        ],
        |case, value| case.run.context = json(value),
    );
    for (name, context) in [
        ("not UTF-8", Column::Bytes(b"{\"a\":\"\xff\"}".to_vec())),
        ("too large to fetch", Column::Oversized),
        ("nested 65 deep", json(&nested(65))),
        ("nested 100,000 deep", json(&nested(100_000))),
    ] {
        rows.push(row(
            4,
            &format!("context {name}"),
            "deferred run.context_malformed",
            |case| case.run.context = context,
        ));
    }
    for (name, context) in [
        ("SQL null", Column::Null),
        ("null", json("null")),
        ("PHP's empty map", json("[]")),
        ("an empty map", json("{}")),
        (
            "an escaped backslash before u0000",
            json(r#"{"a":"\\u0000"}"#),
        ),
        ("nested 64 deep", json(&nested(64))),
        ("a big number", json(r#"{"n":12345678901234567890.10}"#)),
    ] {
        rows.push(row(
            22,
            &format!("context is {name}, and the restore points at the run"),
            "succeeded restore.proof_complete",
            |case| case.run.context = context,
        ));
    }
    rows
}

fn nested(depth: usize) -> String {
    "{\"a\":".repeat(depth - 1) + "{}" + &"}".repeat(depth - 1)
}

fn named(case: &mut Case, value: &str) {
    case.run.context = json(&format!(r#"{{"restore_run_id":{value}}}"#));
}

/// Rule 5: the link leg.
pub(super) fn link_rows() -> Vec<Row> {
    const UNAVAILABLE: &str = "deferred restore.proof_unavailable";
    const OTHER: RestoreId = RestoreId(8);
    let mut rows = vec![
        row(
            5,
            "nothing named, nothing points here",
            UNAVAILABLE,
            |case| {
                case.run.context = json("[]");
                case.candidates.clear();
            },
        )
        .gaps("restore.proof_unavailable"),
        row(
            5,
            "the named row is deleted or foreign",
            UNAVAILABLE,
            |case| {
                case.candidates.clear();
            },
        ),
        row(
            5,
            "no falling back from a deleted named row to one that points here",
            UNAVAILABLE,
            |case| {
                named(case, "6");
            },
        ),
        row(
            5,
            "the named row points at another run",
            UNAVAILABLE,
            |case| {
                case.candidates = vec![candidate(RESTORE, Some(RunId(71)))];
            },
        ),
        row(
            5,
            "another row claims the run that names this one",
            UNAVAILABLE,
            |case| {
                case.candidates.push(candidate(OTHER, Some(RUN)));
            },
        ),
        row(
            5,
            "an older row claims the run that names this one",
            UNAVAILABLE,
            |case| {
                case.candidates.push(candidate(RestoreId(6), Some(RUN)));
            },
        ),
        row(
            5,
            "two rows claim a run that names none, and the newer one cannot be loaded",
            UNAVAILABLE,
            |case| {
                case.run.context = json("[]");
                case.candidates.push(candidate(OTHER, Some(RUN)));
            },
        ),
        row(
            6,
            "two rows claim a run that names none: the newer one is judged",
            "deferred restore.not_executed",
            |case| {
                case.run.context = json("[]");
                case.candidates.push(candidate(OTHER, Some(RUN)));
                case.restore.id = OTHER;
                case.restore.status = "draft".to_owned();
            },
        ),
        row(
            5,
            "nothing named, and the row points at no run",
            UNAVAILABLE,
            |case| {
                case.run.context = json("[]");
                case.candidates = vec![candidate(RESTORE, None)];
            },
        ),
        row(
            22,
            "the named row points at no run",
            "succeeded restore.proof_complete",
            |case| {
                case.candidates = vec![candidate(RESTORE, None)];
            },
        ),
        row(
            22,
            "the named row, and another that points at no run",
            "succeeded restore.proof_complete",
            |case| {
                case.candidates.push(candidate(OTHER, None));
            },
        ),
        row(
            5,
            "proof unavailable, and a blocker on the run is still a gap",
            UNAVAILABLE,
            |case| {
                case.candidates.clear();
                case.run.failure_summary = json(r#"[{"code":"write_gate_blocked"}]"#);
            },
        )
        .gaps("restore.proof_unavailable write_gate_blocked"),
    ];
    rows.extend(each(
        5,
        "numeric, but no row has this id, and there is no falling back to the one that points here",
        UNAVAILABLE,
        &[
            "7.5",
            "7.0",
            "7e0",
            "7.0000000000000000001",
            "-7",
            "0",
            "9007199254740993",
            "18446744073709551616",
            "1e30",
            "\" 7\"",
            "\"7 \"",
            "\"7.0\"",
            "\"+7\"",
            "\"7e0\"",
            "\".7\"",
            "\"9007199254740993\"",
            "\"1e999\"",
            "\"-1e999\"",
        ],
        named,
    ));
    rows.push(row(
        5,
        "a numeric string of 300 digits",
        UNAVAILABLE,
        |case| {
            named(case, &format!("\"{}\"", "7".repeat(300)));
        },
    ));
    rows.extend(each(
        22,
        "the restore is named as",
        "succeeded restore.proof_complete",
        &["7", "\"7\"", "\"007\""],
        named,
    ));
    rows.extend(each(
        22,
        "names nothing numeric, and the restore points here",
        "succeeded restore.proof_complete",
        &[
            "null",
            "true",
            "\"\"",
            "\"seven\"",
            "\"nan\"",
            "\"inf\"",
            "\"0x7\"",
            "[7]",
            "{\"id\":7}",
        ],
        named,
    ));
    rows
}

/// Rule 5: the scope leg.
pub(super) fn scope_rows() -> Vec<Row> {
    const UNAVAILABLE: &str = "deferred restore.proof_unavailable";
    let scoped = |case: &mut Case, scope: &str| {
        case.run.context = json(&format!(r#"{{"restore_run_id":7,"target_scope":{scope}}}"#));
    };
    let mut rows = vec![
        row(
            5,
            "the restore's workspace is another one",
            UNAVAILABLE,
            |case| {
                case.restore.workspace_id = WorkspaceId(9);
            },
        ),
        row(
            5,
            "the restore's environment is another one",
            UNAVAILABLE,
            |case| {
                case.restore.environment_id = EnvironmentId(9);
            },
        ),
        row(
            5,
            "the run is workspace housekeeping",
            UNAVAILABLE,
            |case| {
                case.run.environment_id = None;
                case.run.context = json(r#"{"restore_run_id":7}"#);
            },
        ),
    ];
    rows.extend(each(
        5,
        "target_scope contradicts",
        UNAVAILABLE,
        &[
            r#"{"workspace_id":9}"#,
            r#"{"workspace_id":"9"}"#,
            r#"{"managed_environment_id":9}"#,
            r#"{"workspace_id":1,"managed_environment_id":1}"#,
            r#"{"workspace_id":"one"}"#,
            r#"{"workspace_id":1.5}"#,
            r#"{"workspace_id":true}"#,
            r#"{"workspace_id":[1]}"#,
            r#"{"workspace_id":1.0}"#,
            r#"{"workspace_id":0.99999999999999999999}"#,
        ],
        scoped,
    ));
    rows.extend(each(
        22,
        "target_scope agrees or says nothing",
        "succeeded restore.proof_complete",
        &[
            "null",
            "[]",
            "{}",
            r#"{"workspace_id":"1","managed_environment_id":2}"#,
            r#"{"workspace_id":null}"#,
        ],
        scoped,
    ));
    rows
}

/// Rules 6 to 8.
pub(super) fn intent_and_execution_rows() -> Vec<Row> {
    let status = |case: &mut Case, value: &str| case.restore.status = value.to_owned();
    let mut rows = vec![
        row(
            6,
            "a preview marked completed",
            "deferred restore.preview_only",
            |case| {
                case.restore.is_dry_run = Some(true);
            },
        )
        .gaps("restore.preview_only"),
        row(
            6,
            "is_dry_run is null",
            "deferred restore.preview_only",
            |case| {
                case.restore.is_dry_run = None;
            },
        ),
        row(
            6,
            "a preview in draft: both gaps",
            "deferred restore.preview_only",
            |case| {
                case.restore.is_dry_run = Some(true);
                case.restore.status = "draft".to_owned();
                case.audits.clear();
            },
        )
        .gaps("restore.preview_only restore.not_executed restore.audit_missing"),
        row(
            6,
            "a preview with a blocker",
            "deferred restore.preview_only",
            |case| {
                case.restore.is_dry_run = Some(true);
                case.restore.failure_reason = Some("missing_capability".to_owned());
            },
        )
        .gaps("restore.preview_only missing_capability"),
        row(
            7,
            "a running restore with a blocker",
            "deferred restore.in_progress",
            |case| {
                case.restore.status = "running".to_owned();
                case.restore.failure_reason = Some("missing_capability".to_owned());
            },
        ),
        row(
            8,
            "a status nobody knows, with a blocker",
            "deferred restore.status_unknown",
            |case| {
                case.restore.status = "rolled_back".to_owned();
                case.restore.failure_reason = Some("missing_capability".to_owned());
            },
        ),
    ];
    rows.extend(each(
        6,
        "status before execution",
        "deferred restore.not_executed",
        &["draft", "scoped", "checked", "previewed", "pending"],
        status,
    ));
    rows.extend(each(
        7,
        "executing",
        "deferred restore.in_progress",
        &["queued", "running"],
        status,
    ));
    rows.extend(each(
        8,
        "status",
        "deferred restore.status_unknown",
        &[
            "Completed",
            "COMPLETED",
            " completed",
            "completed ",
            "completed\0",
            "done",
            "",
        ],
        status,
    ));
    rows
}
