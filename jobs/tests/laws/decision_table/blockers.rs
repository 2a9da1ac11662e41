//! Rules 7, 8 and 12 to 20: what stopped the restore, and had it changed anything by then?

use reconciler_jobs::json::Column;
use reconciler_jobs::restore_execute::ReasonCode;

use super::{Expected, Row, SUCCEEDED};
use reconciler_jobs::stamp::Stamp;

use crate::support::{Case, at, audit, json};

const BLOCKED: Expected = Expected(12, "blocked write_gate_blocked");
const MISSING_CAPABILITY: Expected = Expected(12, "blocked missing_capability");
const TENANT_MISSING: Expected = Expected(12, "blocked tenant_missing");
const CONFIGURED: Expected = Expected(12, "blocked restore.blocker_configured");
const AFTER: Expected = Expected(13, "partially_succeeded restore.blocked_after_writes");
const EXECUTION_FAILED: Expected = Expected(17, "failed restore.execution_failed");
const ALL_ITEMS_FAILED: Expected = Expected(18, "failed restore.all_items_failed");
const ITEMS_MIXED: Expected = Expected(20, "partially_succeeded restore.items_mixed");

const NOTHING_APPLIED: Expected = Expected(19, "partially_succeeded restore.nothing_applied");
const FAILURE: Expected = Expected(22, "partially_succeeded restore.failure_recorded");
const STOPPED: Expected = Expected(7, "blocked write_gate_blocked");
const WAITING: Expected = Expected(8, "deferred restore.blocked_waiting");

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

/// Rules 12 and 13.
pub(super) fn blocker_rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for (place, recorded) in PLACES {
        for blocker in ReasonCode::ALL.into_iter().filter(|it| it.is_blocker()) {
            let code = blocker.code();
            rows.push(Expected(12, &format!("blocked {code}")).row(
                &format!("{code} in {place}, nothing applied"),
                |case| {
                    case.nothing_applied();
                    recorded(case, code);
                },
            ));
            rows.push(
                AFTER.row(&format!("{code} in {place}, something applied"), |case| {
                    recorded(case, code);
                }),
            );
        }
        for no_code in [
            "Write_Gate_Blocked",
            " write_gate_blocked",
            "write_gate_blocked.",
            "blocked",
            "",
        ] {
            // Whatever stands in these two places and is no blocker is a failure that somebody recorded.
            let is_failure = place.starts_with("failure_summary")
                || (place == "failure_reason" && !no_code.is_empty());
            let expected = if is_failure { FAILURE } else { SUCCEEDED };
            rows.push(
                expected.row(&format!("{no_code:?} in {place} is no code"), |case| {
                    recorded(case, no_code);
                }),
            );
        }
        let added = |case: &mut Case| case.policy.blocker_codes = vec!["own_gate".to_owned()];
        rows.push(CONFIGURED.row(
            &format!("a code of the settings in {place}, nothing applied"),
            |case| {
                added(case);
                case.nothing_applied();
                recorded(case, "own_gate");
            },
        ));
        let is_failure = place.starts_with("failure_");
        let expected = if is_failure { FAILURE } else { SUCCEEDED };
        rows.push(expected.row(
            &format!("another code than that of the settings in {place}"),
            |case| {
                added(case);
                recorded(case, "own_gates");
            },
        ));
    }
    let blocked = |case: &mut Case| {
        case.restore.failure_reason = Some("write_gate_blocked".to_owned());
        case.nothing_applied();
    };
    for status in "failed cancelled aborted partial completed_with_errors".split(' ') {
        rows.push(BLOCKED.row(
            &format!("{status} with a blocker, nothing applied"),
            |case| {
                blocked(case);
                case.restore.status = status.to_owned();
            },
        ));
        rows.push(AFTER.row(
            &format!("{status} with a blocker, something applied"),
            |case| {
                case.restore.status = status.to_owned();
                case.restore.failure_reason = Some("write_gate_blocked".to_owned());
            },
        ));
    }
    rows.extend([
        MISSING_CAPABILITY.row("two blockers: the first in the registry is the reason", |case| {
            blocked(case);
            case.run.failure_summary = json(
                r#"[{"code":"operational_control.paused"},{"code":"missing_capability"}]"#,
            );
        })
        .gaps(
            "restore.nothing_applied restore.items_mixed missing_capability write_gate_blocked operational_control.paused",
        ),
        TENANT_MISSING.row("failure_summary is one entry outside of a list", |case| {
            case.nothing_applied();
            case.run.failure_summary = json(r#"{"code":"tenant_missing"}"#);
        }),
        TENANT_MISSING.row("failure_summary is a map with keys 0 and 2", |case| {
            case.nothing_applied();
            case.run.failure_summary =
                json(r#"{"0":{"code":"x"},"2":{"reason_code":"tenant_missing"}}"#);
        }),
        TENANT_MISSING.row("failure_summary names a blocker beside an entry that cannot be read", |case| {
            case.nothing_applied();
            case.run.failure_summary =
                json(r#"["?",{"code":[1],"reason_code":"tenant_missing"}]"#);
        })
        .gaps("restore.nothing_applied restore.items_mixed tenant_missing restore.failure_recorded restore.clearance_unreadable"),
        BLOCKED.row("no rows at all and nothing counted", |case| {
            blocked(case);
            case.restore.results = Column::Null;
        }),
        BLOCKED.row("counters only: succeeded 0", |case| {
            blocked(case);
            case.restore.results = Column::Null;
            case.restore.metadata = json(r#"{"total":3,"succeeded":0,"partial":0,"skipped":3}"#);
        }),
        AFTER.row("counters only: succeeded 1", |case| {
            blocked(case);
            case.restore.results = json("[]");
            case.restore.metadata = json(r#"{"total":3,"succeeded":1}"#);
        }),
        AFTER.row("counters only: partial \"1\"", |case| {
            blocked(case);
            case.restore.results = json(r#"{"items":[]}"#);
            case.restore.metadata = json(r#"{"partial":"1"}"#);
        }),
        BLOCKED.row("counters do not count where there are rows", |case| {
            blocked(case);
            case.restore.metadata = json(r#"{"succeeded":1}"#);
        }),
        BLOCKED.row("a counter that is no number counts nothing", |case| {
            blocked(case);
            case.restore.results = Column::Null;
            case.restore.metadata = json(r#"{"succeeded":1.5,"partial":"many"}"#);
        }),
        BLOCKED.row("an unknown outcome is not applied", |case| {
            blocked(case);
            case.one_item(r#"{"status":"Applied"}"#);
        }),
    ]);
    rows
}

/// Rules 7 and 8.
pub(super) fn waiting_rows() -> Vec<Row> {
    // Created at 10:59 and written last at 11:00, so the hour is over exactly at noon.
    let queued = |case: &mut Case| {
        case.nothing_applied();
        case.restore.results = Column::Null;
        case.restore.status = "queued".to_owned();
        case.restore.started_at = Stamp::Absent;
        case.restore.updated_at = at("11:00:00");
        case.restore.failure_reason = Some("write_gate_blocked".to_owned());
    };
    let mut rows = vec![
        STOPPED.row("a blocker, and the hour is over", queued),
        WAITING
            .row("a blocker, and the restore was just written", |case| {
                queued(case);
                case.restore.updated_at = at("11:00:00.000001");
            })
            .again("12:00:00.000001"),
        WAITING
            .row("a blocker, and the run was created late", |case| {
                queued(case);
                case.run.created_at = at("11:50:00");
            })
            .again("12:50:00"),
        STOPPED.row("nobody noted when the restore was written", |case| {
            queued(case);
            case.restore.updated_at = Stamp::Absent;
        }),
        WAITING.row("nobody can read when the restore was written", |case| {
            queued(case);
            case.restore.updated_at = Stamp::Unreadable;
        }),
        WAITING.row("nobody noted anything", |case| {
            queued(case);
            case.restore.updated_at = Stamp::Absent;
            case.restore.created_at = Stamp::Absent;
            case.run.created_at = Stamp::Absent;
        }),
        WAITING.row("a pause waits however long it is", |case| {
            queued(case);
            case.restore.failure_reason = Some("operational_control.paused".to_owned());
            case.restore.updated_at = at("00:00:00");
        }),
        STOPPED.row("a pause beside a blocker does not hold it up", |case| {
            queued(case);
            case.run.failure_summary = json(r#"[{"code":"operational_control.paused"}]"#);
        }),
        Expected(6, "deferred restore.preview_only").row("a preview is no restore", |case| {
            queued(case);
            case.restore.is_dry_run = Some(true);
        }),
        Expected(10, "deferred restore.in_progress").row("something was applied", |case| {
            queued(case);
            case.one_item(r#"{"status":"applied"}"#);
        }),
        Expected(9, "deferred restore.not_executed").row("a draft that was started", |case| {
            queued(case);
            case.restore.status = "draft".to_owned();
            case.restore.started_at = at("11:00:00");
        }),
        Expected(10, "deferred restore.in_progress").row("nobody can read whether", |case| {
            queued(case);
            case.restore.results = json("7");
        }),
        Expected(10, "deferred restore.in_progress").row("nor whether it was counted", |case| {
            queued(case);
            case.restore.metadata = json("7");
        }),
        AFTER.row("a place that cannot be read hides no item", |case| {
            case.restore.results =
                json(r#"{"foundations":true,"items":{"101":{"status":"applied"}}}"#);
            case.restore.failure_reason = Some("write_gate_blocked".to_owned());
        }),
        ALL_ITEMS_FAILED.row("nor that every item failed", |case| {
            case.restore.results =
                json(r#"{"assignments":4,"items":{"101":{"status":"failed"}}}"#);
            case.restore.metadata = Column::Null;
        }),
        Expected(15, "partially_succeeded restore.cancelled_after_writes").row(
            "assignments counted, and none listed",
            |case| {
                case.one_item(
                    r#"{"status":"skipped","assignment_outcomes":[],"assignment_summary":{"success":3}}"#,
                );
                case.restore.status = "cancelled".to_owned();
            },
        ),
    ];
    for (start, started_at) in [
        ("noted", at("11:00:00")),
        ("at infinity", Stamp::Far),
        ("unreadable", Stamp::Unreadable),
    ] {
        let name = format!("a blocker, the hour is over, and its start is {start}");
        let row = Expected(10, "deferred restore.in_progress").row(&name, |case| {
            queued(case);
            case.restore.started_at = started_at;
        });
        rows.push(row);
    }
    let waiting = WAITING.each(
        "a blocker, the hour is not over, and the status is",
        "draft scoped checked previewed pending",
        |case, status| {
            queued(case);
            case.restore.status = status.to_owned();
            case.restore.updated_at = at("11:30:00");
        },
    );
    rows.extend(waiting.into_iter().map(|row| row.again("12:30:00")));
    rows.extend(STOPPED.each(
        "a blocker, the hour is over, and the status is",
        "draft scoped checked previewed pending",
        |case, status| {
            queued(case);
            case.restore.status = status.to_owned();
        },
    ));
    rows
}

/// Rules 14 to 20.
pub(super) fn stopped_and_failed_rows() -> Vec<Row> {
    let status = |case: &mut Case, value: &str| case.restore.status = value.to_owned();
    let mut rows = Vec::new();
    for (rule_idle, rule_applied, stopped, idle, applied) in [
        (
            14,
            15,
            "cancelled",
            "blocked restore.cancelled",
            "partially_succeeded restore.cancelled_after_writes",
        ),
        (
            16,
            15,
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
            rows.push(
                Expected(rule_idle, idle).row(&format!("{stopped}, {name}"), |case| {
                    status(case, stopped);
                    case.restore.metadata = Column::Null;
                    case.restore.results = json(results);
                }),
            );
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
                "a foundation created, of which another word says that it was mapped",
                r#"{"foundations":[{"decision":"created","status":"mapped_existing"}]}"#,
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
            rows.push(
                Expected(rule_applied, applied).row(&format!("{stopped}, {name}"), |case| {
                    status(case, stopped);
                    case.restore.metadata = Column::Null;
                    case.restore.results = json(results);
                }),
            );
        }
        rows.push(Expected(rule_applied, applied).row(
            &format!("{stopped}, counted without rows"),
            |case| {
                status(case, stopped);
                case.restore.results = Column::Null;
            },
        ));
    }
    rows.extend([
        EXECUTION_FAILED.row("failed, although everything was applied", |case| {
            status(case, "failed");
            case.audits = vec![audit(900, "restore.failed", "11:31:00")];
        })
        .gaps("restore.execution_failed"),
        EXECUTION_FAILED.row("failed and every item failed", |case| {
            status(case, "failed");
            case.one_item(r#"{"status":"failed"}"#);
        }),
        ALL_ITEMS_FAILED.row("completed, every item failed, although a foundation was created", |case| {
            case.restore.metadata = Column::Null;
            case.restore.results = json(
                r#"{"foundations":[{"decision":"created"}],"items":{"101":{"status":"failed"},"102":{"status":"error"}}}"#,
            );
        })
        .gaps("restore.items_mixed restore.all_items_failed"),
        ALL_ITEMS_FAILED.row("partial, every item failed", |case| {
            status(case, "partial");
            case.one_item(r#"{"status":"failed"}"#);
        }),
        NOTHING_APPLIED.row("one failed, one unknown: not every item failed", |case| {
            case.items(r#"{"101":{"status":"failed"},"102":{"status":"exploded"}}"#);
        }),
    ]);
    rows.extend(NOTHING_APPLIED.each(
        "ended in part, and nothing was applied at all",
        "partial completed_with_errors",
        |case, value| {
            case.nothing_applied();
            status(case, value);
        },
    ));
    rows.extend(ITEMS_MIXED.each(
        "ended in part, and a requested item has no row",
        "partial completed_with_errors",
        |case, value| {
            case.one_item(r#"{"status":"applied"}"#);
            case.restore.requested_items = json("[101,102]");
            status(case, value);
        },
    ));
    rows.extend(ITEMS_MIXED.each(
        "ended in part, although every item was applied",
        "partial completed_with_errors",
        status,
    ));
    rows
}
