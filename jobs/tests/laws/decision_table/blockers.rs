//! Rules 9 to 16: what stopped the restore, and had it changed anything by then?

use reconciler_jobs::json::Column;
use reconciler_jobs::restore_execute::ReasonCode;

use super::{Row, each, row};
use crate::support::{Case, audit, json};

type Recorded = fn(&mut Case, &str);

/// Where a blocker can be recorded.
const PLACES: [(&str, Recorded); 5] = [
    ("failure_summary[].code", |case, code| {
        case.run.failure_summary = json(&format!(r#"[{{"code":"x"}},{{"code":"{code}"}}]"#));
    }),
    ("failure_summary[].reason_code", |case, code| {
        case.run.failure_summary = json(&format!(r#"[{{"code":"x","reason_code":"{code}"}}]"#));
    }),
    ("context.execution_legitimacy", |case, code| {
        case.run.context = json(&format!(
            r#"{{"restore_run_id":7,"execution_legitimacy":{{"reason_code":"{code}"}}}}"#
        ));
    }),
    ("metadata.blocked_reason", |case, code| {
        case.restore.metadata = json(&format!(r#"{{"blocked_reason":"{code}"}}"#));
    }),
    ("failure_reason", |case, code| {
        case.restore.failure_reason = Some(code.to_owned());
    }),
];

/// Rules 9 and 10.
pub(super) fn blocker_rows() -> Vec<Row> {
    const AFTER: &str = "partially_succeeded restore.blocked_after_writes";
    const BLOCKED: &str = "blocked write_gate_blocked";
    let mut rows = Vec::new();
    for (place, recorded) in PLACES {
        for blocker in ReasonCode::ALL.into_iter().filter(|it| it.is_blocker()) {
            let code = blocker.code();
            rows.push(row(
                9,
                &format!("{code} in {place}, nothing applied"),
                &format!("blocked {code}"),
                |case| {
                    case.nothing_applied();
                    recorded(case, code);
                },
            ));
            rows.push(row(
                10,
                &format!("{code} in {place}, something applied"),
                AFTER,
                |case| {
                    recorded(case, code);
                },
            ));
        }
        for no_code in [
            "Write_Gate_Blocked",
            " write_gate_blocked",
            "write_gate_blocked.",
            "blocked",
            "",
        ] {
            rows.push(row(
                22,
                &format!("{no_code:?} in {place} is no code"),
                "succeeded restore.proof_complete",
                |case| {
                    recorded(case, no_code);
                },
            ));
        }
    }
    let blocked = |case: &mut Case| {
        case.restore.failure_reason = Some("write_gate_blocked".to_owned());
        case.nothing_applied();
    };
    for status in [
        "failed",
        "cancelled",
        "aborted",
        "partial",
        "completed_with_errors",
    ] {
        rows.push(row(
            9,
            &format!("{status} with a blocker, nothing applied"),
            BLOCKED,
            |case| {
                blocked(case);
                case.restore.status = status.to_owned();
            },
        ));
        rows.push(row(
            10,
            &format!("{status} with a blocker, something applied"),
            AFTER,
            |case| {
                case.restore.status = status.to_owned();
                case.restore.failure_reason = Some("write_gate_blocked".to_owned());
            },
        ));
    }
    rows.extend([
        row(
            9,
            "two blockers: the first in the registry is the reason",
            "blocked missing_capability",
            |case| {
                blocked(case);
                case.run.failure_summary = json(
                    r#"[{"code":"operational_control.paused"},{"code":"missing_capability"}]"#,
                );
            },
        )
        .gaps(
            "restore.items_mixed missing_capability write_gate_blocked operational_control.paused",
        ),
        row(
            9,
            "failure_summary is one entry outside of a list",
            "blocked tenant_missing",
            |case| {
                case.nothing_applied();
                case.run.failure_summary = json(r#"{"code":"tenant_missing"}"#);
            },
        ),
        row(
            9,
            "failure_summary is a map with keys 0 and 2",
            "blocked tenant_missing",
            |case| {
                case.nothing_applied();
                case.run.failure_summary =
                    json(r#"{"0":{"code":"x"},"2":{"reason_code":"tenant_missing"}}"#);
            },
        ),
        row(
            9,
            "failure_summary names a blocker beside an entry that cannot be read",
            "blocked tenant_missing",
            |case| {
                case.nothing_applied();
                case.run.failure_summary =
                    json(r#"["?",{"code":[1],"reason_code":"tenant_missing"}]"#);
            },
        )
        .gaps("restore.items_mixed tenant_missing restore.clearance_unreadable"),
        row(9, "no rows at all and nothing counted", BLOCKED, |case| {
            blocked(case);
            case.restore.results = Column::Null;
        }),
        row(9, "counters only: succeeded 0", BLOCKED, |case| {
            blocked(case);
            case.restore.results = Column::Null;
            case.restore.metadata = json(r#"{"total":3,"succeeded":0,"partial":0,"skipped":3}"#);
        }),
        row(10, "counters only: succeeded 1", AFTER, |case| {
            blocked(case);
            case.restore.results = json("[]");
            case.restore.metadata = json(r#"{"total":3,"succeeded":1}"#);
        }),
        row(10, "counters only: partial \"1\"", AFTER, |case| {
            blocked(case);
            case.restore.results = json(r#"{"items":[]}"#);
            case.restore.metadata = json(r#"{"partial":"1"}"#);
        }),
        row(
            9,
            "counters do not count where there are rows",
            BLOCKED,
            |case| {
                blocked(case);
                case.restore.metadata = json(r#"{"succeeded":1}"#);
            },
        ),
        row(
            9,
            "a counter that is no number counts nothing",
            BLOCKED,
            |case| {
                blocked(case);
                case.restore.results = Column::Null;
                case.restore.metadata = json(r#"{"succeeded":1.5,"partial":"many"}"#);
            },
        ),
        row(9, "an unknown outcome is not applied", BLOCKED, |case| {
            blocked(case);
            case.one_item(r#"{"status":"Applied"}"#);
        }),
    ]);
    rows
}

/// Rules 11 to 16.
pub(super) fn stopped_and_failed_rows() -> Vec<Row> {
    let status = |case: &mut Case, value: &str| case.restore.status = value.to_owned();
    let mut rows = Vec::new();
    for (rule_idle, rule_applied, stopped, idle, applied) in [
        (
            11,
            12,
            "cancelled",
            "blocked restore.cancelled",
            "partially_succeeded restore.cancelled_after_writes",
        ),
        (
            13,
            12,
            "aborted",
            "failed restore.aborted",
            "partially_succeeded restore.aborted_after_writes",
        ),
    ] {
        for (name, results) in [
            ("no rows", "[]"),
            (
                "every item failed",
                r#"{"items":{"101":{"status":"failed"}}}"#,
            ),
            (
                "preview_only",
                r#"{"items":{"101":{"status":"preview_only"}}}"#,
            ),
            (
                "an unknown outcome",
                r#"{"items":{"101":{"status":"patched"}}}"#,
            ),
            (
                "only mapped_existing foundations",
                r#"{"foundations":[{"decision":"mapped_existing"}]}"#,
            ),
            (
                "a failed foundation",
                r#"{"foundations":[{"decision":"failed"}]}"#,
            ),
            (
                "skipped assignments",
                r#"{"items":{"101":{"status":"failed","assignment_summary":{"success":0,"skipped":2}}}}"#,
            ),
        ] {
            rows.push(row(
                rule_idle,
                &format!("{stopped}, {name}"),
                idle,
                |case| {
                    status(case, stopped);
                    case.restore.metadata = Column::Null;
                    case.restore.results = json(results);
                },
            ));
        }
        for (name, results) in [
            ("applied", r#"{"items":{"101":{"status":"applied"}}}"#),
            (
                "applied in part",
                r#"{"items":{"101":{"status":"partial"}}}"#,
            ),
            (
                "an existing item was mapped",
                r#"{"items":{"101":{"status":"mapped_existing"}}}"#,
            ),
            (
                "a foundation created",
                r#"{"foundations":[{"decision":"created"}]}"#,
            ),
            (
                "a foundation copied",
                r#"{"foundations":[{"decision":"created_copy"}]}"#,
            ),
            (
                "a foundation updated",
                r#"{"foundations":[{"decision":"mapped_existing"},{"decision":"updated"}]}"#,
            ),
            (
                "an assignment of a failed item",
                r#"{"items":{"101":{"status":"failed","assignment_outcomes":[{"status":"created"}]}}}"#,
            ),
            (
                "a counted assignment",
                r#"{"items":{"101":{"status":"skipped","assignment_summary":{"partial":1}}}}"#,
            ),
        ] {
            rows.push(row(
                rule_applied,
                &format!("{stopped}, {name}"),
                applied,
                |case| {
                    status(case, stopped);
                    case.restore.metadata = Column::Null;
                    case.restore.results = json(results);
                },
            ));
        }
        rows.push(row(
            rule_applied,
            &format!("{stopped}, counted without rows"),
            applied,
            |case| {
                status(case, stopped);
                case.restore.results = Column::Null;
            },
        ));
    }
    rows.extend([
        row(14, "failed, although everything was applied", "failed restore.execution_failed", |case| {
            status(case, "failed");
            case.audits = vec![audit(900, "restore.failed", "11:31:00")];
        })
        .gaps("restore.execution_failed"),
        row(14, "failed and every item failed", "failed restore.execution_failed", |case| {
            status(case, "failed");
            case.one_item(r#"{"status":"failed"}"#);
        }),
        row(15, "completed, every item failed, although a foundation was created", "failed restore.all_items_failed", |case| {
            case.restore.metadata = Column::Null;
            case.restore.results = json(
                r#"{"foundations":[{"decision":"created"}],"items":{"101":{"status":"failed"},"102":{"status":"error"}}}"#,
            );
        })
        .gaps("restore.items_mixed restore.all_items_failed"),
        row(15, "partial, every item failed", "failed restore.all_items_failed", |case| {
            status(case, "partial");
            case.one_item(r#"{"status":"failed"}"#);
        }),
        row(17, "one failed, one unknown: not every item failed", "partially_succeeded restore.items_unrecognised", |case| {
            case.items(r#"{"101":{"status":"failed"},"102":{"status":"exploded"}}"#);
        }),
    ]);
    rows.extend(each(
        16,
        "ended in part, although every item was applied",
        "partially_succeeded restore.items_mixed",
        &["partial", "completed_with_errors"],
        status,
    ));
    rows
}
