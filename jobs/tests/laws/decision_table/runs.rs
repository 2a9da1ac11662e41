//! Rules 1 to 6, and 9 to 11: is this a run that can be judged, and which restore belongs to it?

use reconciler_jobs::ids::{EnvironmentId, RestoreId, RunId, WorkspaceId};
use reconciler_jobs::json::Column;

use super::{Expected, Row, SUCCEEDED};
use crate::support::{Case, RESTORE, RUN, candidate, json};

const UNSUPPORTED_TYPE: Expected = Expected(1, "deferred run.unsupported_type");
const ALREADY_TERMINAL: Expected = Expected(2, "deferred run.already_terminal");
const RUN_STATUS_UNKNOWN: Expected = Expected(3, "deferred run.status_unknown");
const CONTEXT_MALFORMED: Expected = Expected(4, "deferred run.context_malformed");
const UNAVAILABLE: Expected = Expected(5, "deferred restore.proof_unavailable");
const PREVIEW_ONLY: Expected = Expected(6, "deferred restore.preview_only");
const NOT_EXECUTED: Expected = Expected(9, "deferred restore.not_executed");
const IN_PROGRESS: Expected = Expected(10, "deferred restore.in_progress");
const STATUS_UNKNOWN: Expected = Expected(11, "deferred restore.status_unknown");

/// Rules 1 to 3.
pub(super) fn run_rows() -> Vec<Row> {
    let mut rows = UNSUPPORTED_TYPE.each(
        "type is not restore.execute",
        "restore.verify restore.rollback.execute promotion.execute Restore.Execute
            ␣restore.execute restore.execute␣ ∅",
        |case, value| case.run.run_type = value.to_owned(),
    );
    rows.push(
        UNSUPPORTED_TYPE.row("another type and closed already", |case| {
            case.run.run_type = "policy.sync".to_owned();
            case.run.status = "completed".to_owned();
        }),
    );
    rows.push(
        UNSUPPORTED_TYPE.row("another type, in a status that nobody knows", |case| {
            case.run.run_type = "policy.sync".to_owned();
            case.run.status = "processing".to_owned();
        }),
    );
    rows.push(
        ALREADY_TERMINAL.row("run is completed already, whatever else is wrong", |case| {
            case.run.status = "completed".to_owned();
            case.run.context = json("\"text\"");
        }),
    );
    rows.extend(RUN_STATUS_UNKNOWN.each(
        "run status",
        "Running running␣ RUNNING processing failed ∅",
        |case, value| case.run.status = value.to_owned(),
    ));
    rows.push(SUCCEEDED.row("run is queued", |case| {
        case.run.status = "queued".to_owned();
    }));
    rows.push(
        RUN_STATUS_UNKNOWN.row("run status unknown, whatever else is wrong", |case| {
            case.run.status = "processing".to_owned();
            case.run.context = json("\"text\"");
        }),
    );
    rows
}

/// Rule 4.
pub(super) fn context_rows() -> Vec<Row> {
    let mut rows = CONTEXT_MALFORMED.each(
        "context",
        r#""text" 5 true [7] [{"restore_run_id":7}] ∅ ␣ { {"restore_run_id":7}}
            {"restore_run_id":7,"restore_run_id":7} {"restore_run_id":7,"a":{"b":1,"b":2}}
            {"restore_run_id":7,"\u0072estore_run_id":8} {"restore_run_id":7,"note":"a\u0000b"}
            {"restore_run_id":7,"note":"\ud800"} {"restore_run_id":7,"n":1e999}
            {"restore_run_id":7,"n":NaN}"#,
        |case, value| case.run.context = json(value),
    );
    for (name, context) in [
        ("not UTF-8", Column::Bytes(b"{\"a\":\"\xff\"}".to_vec())),
        ("too large to fetch", Column::Oversized),
        ("nested 65 deep", json(&nested(65))),
        ("nested 100,000 deep", json(&nested(100_000))),
    ] {
        rows.push(CONTEXT_MALFORMED.row(&format!("context {name}"), |case| {
            case.run.context = context;
        }));
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
        rows.push(SUCCEEDED.row(
            &format!("context is {name}, and the restore points at the run"),
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
    const OTHER: RestoreId = RestoreId(8);
    let mut rows = vec![
        UNAVAILABLE
            .row("nothing named, nothing points here", |case| {
                case.run.context = json("[]");
                case.candidates.clear();
            })
            .gaps("restore.proof_unavailable"),
        UNAVAILABLE.row("the named row is deleted or foreign", |case| {
            case.candidates.clear();
        }),
        UNAVAILABLE.row(
            "no falling back from a deleted named row to one that points here",
            |case| {
                named(case, "6");
            },
        ),
        UNAVAILABLE.row("the named row points at another run", |case| {
            case.candidates = vec![candidate(RESTORE, Some(RunId(71)))];
        }),
        UNAVAILABLE.row("another row claims the run that names this one", |case| {
            case.candidates.push(candidate(OTHER, Some(RUN)));
        }),
        UNAVAILABLE.row("an older row claims the run that names this one", |case| {
            case.candidates.push(candidate(RestoreId(6), Some(RUN)));
        }),
        UNAVAILABLE.row(
            "two rows claim a run that names none, and the newer one cannot be loaded",
            |case| {
                case.run.context = json("[]");
                case.candidates.push(candidate(OTHER, Some(RUN)));
            },
        ),
        NOT_EXECUTED.row(
            "two rows claim a run that names none: the newer one is judged",
            |case| {
                case.run.context = json("[]");
                case.candidates.push(candidate(OTHER, Some(RUN)));
                case.restore.id = OTHER;
                case.restore.status = "draft".to_owned();
            },
        ),
        UNAVAILABLE.row("nothing named, and the row points at no run", |case| {
            case.run.context = json("[]");
            case.candidates = vec![candidate(RESTORE, None)];
        }),
        SUCCEEDED.row("the named row points at no run", |case| {
            case.candidates = vec![candidate(RESTORE, None)];
        }),
        SUCCEEDED.row("the named row, and another that points at no run", |case| {
            case.candidates.push(candidate(OTHER, None));
        }),
        SUCCEEDED.row(
            "the named row, and a draft that points at the run",
            |case| {
                case.candidates.push(candidate(OTHER, Some(RUN)));
                case.candidates[1].contests = false;
            },
        ),
        UNAVAILABLE
            .row(
                "proof unavailable, and a blocker on the run is still a gap",
                |case| {
                    case.candidates.clear();
                    case.run.failure_summary = json(r#"[{"code":"write_gate_blocked"}]"#);
                },
            )
            .gaps("restore.proof_unavailable write_gate_blocked"),
    ];
    rows.extend(UNAVAILABLE.each(
        "numeric, but no row has this id, and there is no falling back to the one that points here",
        r#"7.5 7.0 7e0 7.0000000000000000001 -7 0 9007199254740993 18446744073709551616 1e30
            "␣7" "7␣" "7.0" "+7" "7e0" ".7" "9223372036854775808" "1e999" "-1e999""#,
        named,
    ));
    rows.push(UNAVAILABLE.row("a numeric string of 300 digits", |case| {
        named(case, &format!("\"{}\"", "7".repeat(300)));
    }));
    rows.extend(SUCCEEDED.each("the restore is named as", r#"7 "7" "007""#, named));
    rows.extend(SUCCEEDED.each(
        "names nothing numeric, and the restore points here",
        r#"null true "" "seven" "nan" "inf" "0x7" [7] {"id":7}"#,
        named,
    ));
    rows
}

/// Rule 5: the scope leg.
pub(super) fn scope_rows() -> Vec<Row> {
    let scoped = |case: &mut Case, scope: &str| {
        case.run.context = json(&format!(r#"{{"restore_run_id":7,"target_scope":{scope}}}"#));
    };
    let mut rows = vec![
        UNAVAILABLE.row("the restore's workspace is another one", |case| {
            case.restore.workspace_id = WorkspaceId(9);
        }),
        UNAVAILABLE.row("the restore's environment is another one", |case| {
            case.restore.environment_id = EnvironmentId(9);
        }),
        UNAVAILABLE.row("a preview for another environment", |case| {
            scoped(case, r#"{"managed_environment_id":9}"#);
            case.restore.is_dry_run = Some(true);
        }),
        UNAVAILABLE.row("the run is workspace housekeeping", |case| {
            case.run.environment_id = None;
            case.run.context = json(r#"{"restore_run_id":7}"#);
        }),
    ];
    rows.extend(UNAVAILABLE.each(
        "target_scope contradicts",
        r#"{"workspace_id":9} {"workspace_id":"9"} {"managed_environment_id":9}
            {"workspace_id":1,"managed_environment_id":1} {"environment_id":9} {"tenant_id":9}
            {"tenant_id":"9","managed_environment_id":2} {"workspace_id":1.5} {"workspace_id":1.0}
            {"workspace_id":"1.5"} {"workspace_id":0.99999999999999999999}"#,
        scoped,
    ));
    rows.extend(SUCCEEDED.each(
        "target_scope agrees or says nothing",
        r#"null [] {} {"workspace_id":"1","managed_environment_id":2} {"workspace_id":null}
            {"environment_id":2,"tenant_id":"2"} {"workspace_id":"one"} {"workspace_id":true}
            {"workspace_id":[1]} {"tenant_id":"6e1f7a52-0d5b-4c9e-9a53-2d0b6c1f0a11"}
            {"entra_tenant_id":"9"}"#,
        scoped,
    ));
    rows
}

/// Rules 6, and 9 to 11.
pub(super) fn intent_and_execution_rows() -> Vec<Row> {
    let status = |case: &mut Case, value: &str| case.restore.status = value.to_owned();
    let mut rows = vec![
        PREVIEW_ONLY
            .row("a preview marked completed", |case| {
                case.restore.is_dry_run = Some(true);
            })
            .gaps("restore.preview_only"),
        PREVIEW_ONLY.row("a preview in a status that nobody knows", |case| {
            case.restore.is_dry_run = Some(true);
            case.restore.status = "rolled_back".to_owned();
        }),
        PREVIEW_ONLY.row("is_dry_run is null", |case| {
            case.restore.is_dry_run = None;
        }),
        PREVIEW_ONLY
            .row("a preview in draft: both gaps", |case| {
                case.restore.is_dry_run = Some(true);
                case.restore.status = "draft".to_owned();
                case.audits.clear();
            })
            .gaps("restore.preview_only restore.not_executed restore.audit_missing"),
        PREVIEW_ONLY
            .row("a preview with a blocker", |case| {
                case.restore.is_dry_run = Some(true);
                case.restore.failure_reason = Some("missing_capability".to_owned());
            })
            .gaps("restore.preview_only missing_capability"),
        IN_PROGRESS.row("a queued restore with a blocker, and a start", |case| {
            case.restore.status = "queued".to_owned();
            case.restore.failure_reason = Some("missing_capability".to_owned());
        }),
        IN_PROGRESS.row("a running restore with a blocker", |case| {
            case.restore.status = "running".to_owned();
            case.restore.failure_reason = Some("missing_capability".to_owned());
        }),
        STATUS_UNKNOWN.row("a status nobody knows, with a blocker", |case| {
            case.restore.status = "rolled_back".to_owned();
            case.restore.failure_reason = Some("missing_capability".to_owned());
        }),
        STATUS_UNKNOWN.row(
            "nor does a blocker decide where nothing was applied",
            |case| {
                case.restore.status = "rolled_back".to_owned();
                case.restore.failure_reason = Some("missing_capability".to_owned());
                case.nothing_applied();
            },
        ),
    ];
    rows.extend(NOT_EXECUTED.each(
        "status before execution",
        "draft scoped checked previewed pending",
        status,
    ));
    rows.extend(IN_PROGRESS.each("executing", "queued running", status));
    rows.extend(STATUS_UNKNOWN.each(
        "status",
        "Completed COMPLETED ␣completed completed␣ completed\0 done ∅",
        status,
    ));
    rows
}
