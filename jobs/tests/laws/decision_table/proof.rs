//! Rules 22 to 26: clearance, audit, evidence, and the wait for them.

use jiff::SignedDuration;
use reconciler_jobs::ids::{RestoreId, RunId, SnapshotId};
use reconciler_jobs::json::Column;
use reconciler_jobs::stamp::Stamp;

use super::{Expected, Row, SUCCEEDED};
use crate::support::{Case, at, audit, candidate, json, moment, snapshot};

const BLOCKED_AFTER_WRITES: Expected =
    Expected(13, "partially_succeeded restore.blocked_after_writes");
const UNRECOGNISED: Expected = Expected(21, "partially_succeeded restore.items_unrecognised");
const FAILURE: Expected = Expected(22, "partially_succeeded restore.failure_recorded");
const UNREADABLE: Expected = Expected(22, "partially_succeeded restore.clearance_unreadable");
const SETTLING: Expected = Expected(23, "deferred restore.settling");
const AUDIT_MISSING: Expected = Expected(24, "partially_succeeded restore.audit_missing");
const CONTRADICTS: Expected = Expected(24, "partially_succeeded restore.audit_contradicts");
const NO_EVIDENCE: Expected = Expected(25, "partially_succeeded restore.evidence_missing");
const NOT_CURRENT: Expected = Expected(25, "partially_succeeded restore.evidence_not_current");
const EVIDENCE_IN_PROGRESS: Expected =
    Expected(25, "partially_succeeded restore.evidence_in_progress");
const INCOMPLETE: Expected = Expected(25, "partially_succeeded restore.evidence_incomplete");
const EXPIRED: Expected = Expected(25, "partially_succeeded restore.evidence_expired");
const PREDATES: Expected = Expected(25, "partially_succeeded restore.evidence_predates_restore");

/// Rule 22.
pub(super) fn clearance_rows() -> Vec<Row> {
    let summary = |case: &mut Case, value: &str| case.run.failure_summary = json(value);
    let mut rows = UNREADABLE.each(
        "failure_summary cannot be read",
        r#"∅ [ 5 true "none" [{"code":"x","code":"y"}] ["\ud800"]"#,
        summary,
    );
    rows.extend(UNREADABLE.each(
        "failure_summary is of a kind that could hide a blocker",
        r#"[1] [true] ["write_gate_blocked"] {"1":"write_gate_blocked"}
            [{"code":["write_gate_blocked"]}] [{"reason_code":{"value":"write_gate_blocked"}}]
            [{"code":true}] [[{"code":"write_gate_blocked"}]] {"code":["write_gate_blocked"]}
            {"0":"write_gate_blocked"}"#,
        summary,
    ));
    rows.extend(SUCCEEDED.each("failure_summary names no blocker", "null [] {}", summary));
    rows.extend(FAILURE.each(
        "failure_summary records a failure",
        r#"[{"message":"write_gate_blocked"}] [{"code":7}] {"code":500,"message":"gone"}
            [{"code":"graph.throttled"}] [null] [[],{}] {"a":null} [{"code":"x"},"write_gate_blocked"] {"3":{"code":"x"}}
            ["boom"] {"a":"boom"} ["write_gate_blocked␣"]"#,
        summary,
    ));
    rows.push(
        FAILURE
            .row(
                "failure_summary is a text, and could not be read, either",
                |case| {
                    summary(case, &format!(r#"["{}"]"#, "e".repeat(300)));
                },
            )
            .gaps("restore.failure_recorded restore.clearance_unreadable"),
    );
    rows.extend(FAILURE.each(
        "failure_reason records a failure",
        "HTTP␣500 restore.cancelled ␣write_gate_blocked 0",
        |case, reason| case.restore.failure_reason = Some(reason.to_owned()),
    ));
    rows.extend(
        SUCCEEDED.each("failure_reason is blank", "∅ ␣", |case, reason| {
            case.restore.failure_reason = Some(reason.to_owned());
        }),
    );
    // A longer reason is cut where it is read: blanks up to there say nothing of what followed.
    let blanks = |case: &mut Case, count: usize| {
        case.restore.failure_reason = Some(" ".repeat(count));
    };
    rows.extend([
        SUCCEEDED.row("failure_reason is 255 blanks", |case| blanks(case, 255)),
        FAILURE.row("failure_reason begins with 256 blanks", |case| {
            blanks(case, 256);
        }),
    ]);
    let results = |case: &mut Case, part: &str| {
        case.restore.results = json(&format!(
            r#"{{{part},"items":{{"101":{{"status":"applied"}},"102":{{"status":"applied"}}}}}}"#
        ));
    };
    rows.extend(FAILURE.each(
        "results record a failure",
        r#""status":"failed" "status":"error" "status":"partial" "status":"aborted"
            "status":"cancelled" "status":"completed_with_errors" "errors":["HTTP␣500"]
            "errors":{"5":null} "errors":1 "errors":"x""#,
        results,
    ));
    rows.extend(SUCCEEDED.each(
        "results record none",
        r#""status":"completed" "status":"done" "status":null "status":["failed"] "errors":[]
            "errors":{} "errors":null "errors":0 "errors":"␣" "errors":false"#,
        results,
    ));
    rows.push(
        FAILURE.row("results.errors is a text of 300 characters", |case| {
            results(case, &format!(r#""errors":"{}""#, "e".repeat(300)));
        }),
    );
    rows.extend(UNRECOGNISED.each(
        "results say something of the whole twice",
        r#""status":"completed","status":"failed" "errors":[],"errors":[]"#,
        results,
    ));
    rows.extend(FAILURE.each(
        "metadata records a failure",
        r#""failed" "partial" "completed_with_errors" "cancelled""#,
        |case, word| case.restore.metadata = json(&format!(r#"{{"status":{word}}}"#)),
    ));
    rows.extend(FAILURE.each(
        "the run is open, and its outcome is",
        "failed blocked partially_succeeded",
        |case, word| case.run.outcome = word.to_owned(),
    ));
    rows.extend(SUCCEEDED.each(
        "the run is open, and its outcome is",
        "pending succeeded Failed ∅",
        |case, word| case.run.outcome = word.to_owned(),
    ));
    rows.extend(UNREADABLE.each(
        "metadata.blocked_reason is of a kind that could hide a blocker",
        r#"["write_gate_blocked"] {"code":"write_gate_blocked"} 1 true"#,
        |case, value| {
            case.restore.metadata = json(&format!(r#"{{"total":2,"blocked_reason":{value}}}"#));
        },
    ));
    rows.extend(UNREADABLE.each(
        "context.execution_legitimacy is of a kind that could hide a blocker",
        r#"[{"reason_code":"write_gate_blocked"}] "write_gate_blocked"
            {"reason_code":["write_gate_blocked"]} 5"#,
        |case, value| {
            let context = format!(r#"{{"restore_run_id":7,"execution_legitimacy":{value}}}"#);
            case.run.context = json(&context);
        },
    ));
    rows.extend(SUCCEEDED.each(
        "nothing is recorded where a blocker could be",
        "null [] {} false",
        |case, value| {
            case.restore.metadata = json(&format!(r#"{{"total":2,"blocked_reason":{value}}}"#));
            let context = format!(r#"{{"restore_run_id":7,"execution_legitimacy":{value}}}"#);
            case.run.context = json(&context);
        },
    ));
    rows.extend([
        UNREADABLE
            .row("failure_summary too large to fetch", |case| {
                case.run.failure_summary = Column::Oversized;
            })
            .gaps("restore.clearance_unreadable"),
        UNREADABLE
            .row("clearance does not wait for the open window", |case| {
                case.as_of = moment("11:36:00");
                case.snapshots.clear();
                summary(case, "5");
            })
            .gaps("restore.evidence_missing restore.clearance_unreadable"),
        BLOCKED_AFTER_WRITES
            .row(
                "a blocker elsewhere comes before what cannot be read",
                |case| {
                    summary(case, "5");
                    case.restore.failure_reason = Some("missing_capability".to_owned());
                },
            )
            .gaps("missing_capability restore.clearance_unreadable"),
    ]);
    rows
}

/// Rule 24: the audit leg, once the window is closed.
pub(super) fn audit_rows() -> Vec<Row> {
    let only =
        |case: &mut Case, action: &str, clock: &str| case.audits = vec![audit(900, action, clock)];
    let second = |case: &mut Case, id: i64, clock: &str| {
        case.audits.push(audit(id, "restore.failed", clock));
    };
    let mut rows = vec![
        AUDIT_MISSING
            .row("no audit entry", |case| case.audits.clear())
            .gaps("restore.audit_missing"),
        AUDIT_MISSING
            .row(
                "no audit entry and no evidence: audit comes first",
                |case| {
                    case.audits.clear();
                    case.snapshots.clear();
                },
            )
            .gaps("restore.audit_missing restore.evidence_missing"),
        AUDIT_MISSING.row("about another restore", |case| {
            case.audits[0].restore_id = RestoreId(8);
        }),
        AUDIT_MISSING.row("an action that is not configured", |case| {
            only(case, "restore.requested", "11:31:00");
        }),
        AUDIT_MISSING.row("an action of other case", |case| {
            only(case, "Restore.Completed", "11:31:00");
        }),
        AUDIT_MISSING.row("our own action is not configured", |case| {
            only(case, "operation_run.reconciled", "11:31:00");
        }),
        SUCCEEDED.row("recorded exactly when the restore started", |case| {
            only(case, "restore.completed", "11:00:00");
        }),
        SUCCEEDED.row(
            "recorded in the second in which the restore started",
            |case| {
                case.restore.started_at = at("11:00:00.9");
                only(case, "restore.completed", "11:00:00");
            },
        ),
        AUDIT_MISSING.row("recorded in the second before it", |case| {
            case.restore.started_at = at("11:00:01.1");
            only(case, "restore.completed", "11:00:00.999999");
        }),
        CONTRADICTS.row(
            "contradicted in the second in which the restore started",
            |case| {
                case.restore.started_at = at("11:00:00.9");
                only(case, "restore.failed", "11:00:00");
            },
        ),
        AUDIT_MISSING.row(
            "recorded one microsecond before the restore started",
            |case| {
                only(case, "restore.completed", "10:59:59.999999");
            },
        ),
        SUCCEEDED.row("no started_at: recorded exactly at created_at", |case| {
            case.restore.started_at = Stamp::Absent;
            only(case, "restore.completed", "10:59:00");
        }),
        AUDIT_MISSING.row("no started_at: recorded before created_at", |case| {
            case.restore.started_at = Stamp::Absent;
            only(case, "restore.completed", "10:58:59.999999");
        }),
        AUDIT_MISSING
            .row("neither started_at nor created_at", |case| {
                case.restore.started_at = Stamp::Absent;
                case.restore.created_at = Stamp::Unreadable;
            })
            .gaps("restore.audit_missing restore.evidence_predates_restore"),
        AUDIT_MISSING
            .row("started_at is infinity", |case| {
                case.restore.started_at = Stamp::Unreadable;
            })
            .gaps("restore.audit_missing restore.evidence_predates_restore"),
        SUCCEEDED.row("created_at is infinity beside a start", |case| {
            case.restore.created_at = Stamp::Unreadable;
        }),
        SUCCEEDED.row("recorded exactly now", |case| {
            only(case, "restore.completed", "12:00:00");
        }),
        AUDIT_MISSING.row("recorded one microsecond after now", |case| {
            only(case, "restore.completed", "12:00:00.000001");
        }),
        AUDIT_MISSING.row("recorded at no readable moment", |case| {
            case.audits[0].recorded_at = Stamp::Unreadable;
        }),
        AUDIT_MISSING.row("recorded at null", |case| {
            case.audits[0].recorded_at = Stamp::Absent;
        }),
        CONTRADICTS
            .row("contradicted later", |case| {
                second(case, 901, "11:32:00");
            })
            .gaps("restore.audit_contradicts"),
        CONTRADICTS.row("contradicted after now", |case| {
            second(case, 901, "12:30:00");
        }),
        CONTRADICTS.row("contradicted at the same instant by a higher id", |case| {
            second(case, 901, "11:31:00");
        }),
        SUCCEEDED.row("contradicted at the same instant by a lower id", |case| {
            second(case, 899, "11:31:00");
        }),
        SUCCEEDED.row("contradicted earlier, by a higher id", |case| {
            second(case, 901, "11:30:59");
        }),
        CONTRADICTS.row("contradicted at no readable moment", |case| {
            second(case, 899, "11:01:00");
            case.audits[1].recorded_at = Stamp::Unreadable;
        }),
        SUCCEEDED.row("contradicted, then confirmed again", |case| {
            second(case, 901, "11:32:00");
            case.audits
                .push(audit(902, "restore.completed", "11:33:00"));
        }),
        AUDIT_MISSING.row(
            "a contradiction of an earlier attempt leaves the audit missing",
            |case| {
                only(case, "restore.failed", "10:59:59");
            },
        ),
        SUCCEEDED.row("restore.executed alone says that it ended", |case| {
            only(case, "restore.executed", "11:31:00");
        }),
    ];
    let executed = |expected: Expected, status: Option<&str>, outcome: Option<&str>| {
        let name = format!("restore.executed with {status:?}, {outcome:?}");
        expected.row(&name, |case| {
            only(case, "restore.executed", "11:31:00");
            case.audits[0].status = status.map(str::to_owned);
            case.audits[0].outcome = outcome.map(str::to_owned);
        })
    };
    rows.extend([
        executed(CONTRADICTS, Some("failed"), None),
        executed(CONTRADICTS, Some("partial"), Some("success")),
        executed(CONTRADICTS, Some("success"), Some("failure")),
        executed(CONTRADICTS, Some("success"), Some("error")),
        executed(CONTRADICTS, Some("success"), Some("failed")),
        executed(CONTRADICTS, None, Some("partial")),
        executed(CONTRADICTS, None, Some("blocked")),
        executed(CONTRADICTS, Some("Completed"), None),
        executed(CONTRADICTS, Some("done"), None),
        executed(CONTRADICTS, None, Some("succeeded ")),
        executed(SUCCEEDED, Some("success"), Some("success")),
        executed(SUCCEEDED, Some("completed"), Some("info")),
        executed(SUCCEEDED, Some(""), None),
    ]);
    for action in ["restore.partial", "restore.failed", "restore.cancelled"] {
        rows.push(CONTRADICTS.row(&format!("only {action}"), |case| {
            only(case, action, "11:31:00");
        }));
    }
    rows
}

/// Rule 25: the evidence leg, once the window is closed.
pub(super) fn evidence_rows() -> Vec<Row> {
    let only =
        |case: &mut Case, status: &str| case.snapshots = vec![snapshot(500, status, "11:35:00")];
    let generated = |case: &mut Case, clock: &str| case.snapshots[0].generated_at = at(clock);
    let mut rows = vec![
        NO_EVIDENCE.row("no snapshot", |case| case.snapshots.clear())
            .gaps("restore.evidence_missing"),
        NO_EVIDENCE.row("evidence of another run", |case| {
            case.snapshots[0].run_id = RunId(71);
        }),
        EXPIRED.row("expires exactly now", |case| case.snapshots[0].expires_at = at("12:00:00")).gaps("restore.evidence_expired"),
        SUCCEEDED.row("expires one microsecond after now", |case| case.snapshots[0].expires_at = at("12:00:00.000001")),
        EXPIRED.row("expires at no readable moment", |case| case.snapshots[0].expires_at = Stamp::Unreadable),
        EXPIRED.row("expired before 1970", |case| case.snapshots[0].expires_at = Stamp::parse(Some(-1), true)),
        SUCCEEDED.row("generated exactly when the restore ended", |case| generated(case, "11:30:00")),
        PREDATES.row("generated one microsecond before the restore ended", |case| generated(case, "11:29:59.999999"))
            .gaps("restore.evidence_predates_restore"),
        SUCCEEDED.row("generated as much earlier as is allowed", |case| {
            case.policy.evidence_skew_max = SignedDuration::from_secs(60);
            generated(case, "11:29:00");
        }),
        PREDATES.row("generated one microsecond earlier than is allowed", |case| {
            case.policy.evidence_skew_max = SignedDuration::from_secs(60);
            generated(case, "11:28:59.999999");
        }),
        PREDATES.row("generated_at beyond the skew of clocks", |case| generated(case, "12:05:01")),
        SUCCEEDED.row("generated_at within the skew of clocks", |case| generated(case, "12:05:00")),
        PREDATES.row("older than the restore's row, whose start nobody noted", |case| {
            case.restore.started_at = Stamp::Absent;
            case.restore.created_at = at("11:40:00");
            case.audits = vec![audit(900, "restore.completed", "11:45:00")];
        }),
        PREDATES.row("generated_at is null", |case| case.snapshots[0].generated_at = Stamp::Absent),
        PREDATES.row("generated_at cannot be read", |case| case.snapshots[0].generated_at = Stamp::Unreadable),
        PREDATES.row("completed_at is null", |case| case.restore.completed_at = Stamp::Absent),
        PREDATES.row("completed_at is infinity", |case| case.restore.completed_at = Stamp::Far),
        PREDATES.row("completed_at is before 1970", |case| case.restore.completed_at = Stamp::parse(Some(-1), true)),
        PREDATES.row("completed_at is PHP's zero date", |case| {
            case.restore.completed_at = Stamp::parse(Some(0), true);
        }),
        PREDATES.row("completed_at is the zero date, and nobody noted a start", |case| {
            case.restore.completed_at = Stamp::parse(Some(0), true);
            case.restore.started_at = Stamp::Absent;
        }),
        PREDATES.row("completed_at is before the start", |case| {
            case.restore.completed_at = at("10:59:59.9");
        }),
        SUCCEEDED.row("completed_at is in the second of the start", |case| {
            case.restore.started_at = at("11:30:00.9");
        }),
        SUCCEEDED.row("generated in the second in which the restore ended", |case| {
            case.restore.completed_at = at("11:30:00.7");
            generated(case, "11:30:00");
        }),
        SUCCEEDED.row("expires at infinity", |case| {
            case.snapshots[0].expires_at = Stamp::parse(Some(i64::MAX), true);
        }),
        SUCCEEDED.row("expires on 9999-12-31", |case| {
            case.snapshots[0].expires_at = Stamp::parse(Some(253_402_214_400_000_000), true);
        }),
        EXPIRED.row("expired at minus infinity", |case| {
            case.snapshots[0].expires_at = Stamp::parse(Some(i64::MIN), true);
        }),
        PREDATES.row("generated at infinity", |case| {
            case.snapshots[0].generated_at = Stamp::Far;
        }),
        SUCCEEDED.row("completed_at exactly as far ahead as clocks may run is now", |case| {
            case.restore.completed_at = at("12:05:00");
            generated(case, "12:00:00");
        }),
        PREDATES.row("completed_at one microsecond further ahead is unknown", |case| {
            case.restore.completed_at = at("12:05:00.000001");
            generated(case, "12:00:00");
        }),
        INCOMPLETE.row("every gap of the active snapshot at once", |case| {
            case.snapshots[0].completeness = None;
            case.snapshots[0].expires_at = at("11:36:00");
            generated(case, "11:00:00");
        })
        .gaps("restore.evidence_incomplete restore.evidence_expired restore.evidence_predates_restore"),
        INCOMPLETE.row("the newest active snapshot counts, not the best", |case| {
            case.snapshots.insert(0, snapshot(501, "active", "11:36:00"));
            case.snapshots[0].completeness = Some("partial".to_owned());
        }),
        SUCCEEDED.row("an older active snapshot does not count", |case| {
            case.snapshots.push(snapshot(499, "active", "11:00:00"));
        }),
        SUCCEEDED.row("a newer snapshot that is not active does not count", |case| {
            case.snapshots.push(snapshot(501, "failed", "11:36:00"));
            case.snapshots.push(snapshot(502, "generating", "11:37:00"));
        }),
    ];
    rows.extend(INCOMPLETE.each(
        "completeness",
        "partial missing stale Complete complete␣ ∅",
        |case, value| case.snapshots[0].completeness = Some(value.to_owned()),
    ));
    rows.extend(NOT_CURRENT.each(
        "the only snapshot is",
        "superseded expired failed Active active␣ archived ∅",
        only,
    ));
    for status in ["queued", "generating"] {
        rows.push(
            EVIDENCE_IN_PROGRESS
                .row(
                    &format!("{status}, and the long window is closed"),
                    |case| {
                        only(case, status);
                        case.snapshots.push(snapshot(499, "failed", "11:32:00"));
                        case.as_of = moment("12:30:00");
                    },
                )
                .gaps("restore.evidence_in_progress"),
        );
    }
    rows
}

/// Rule 23: the settle window.
pub(super) fn settle_rows() -> Vec<Row> {
    vec![
        SETTLING
            .row(
                "evidence missing, one microsecond before the window closes",
                |case| {
                    case.as_of = moment("11:39:59.999999");
                    case.snapshots.clear();
                },
            )
            .again("11:40:00")
            .gaps("restore.evidence_missing"),
        NO_EVIDENCE.row("evidence missing, exactly when the window closes", |case| {
            case.as_of = moment("11:40:00");
            case.snapshots.clear();
        }),
        SETTLING
            .row("audit missing", |case| {
                case.as_of = moment("11:36:00");
                case.audits.clear();
            })
            .again("11:40:00"),
        SETTLING
            .row("both missing", |case| {
                case.as_of = moment("11:30:00");
                case.audits.clear();
                case.snapshots.clear();
            })
            .again("11:40:00")
            .gaps("restore.audit_missing restore.evidence_missing"),
        SETTLING
            .row(
                "evidence generating, one microsecond before the long window closes",
                |case| {
                    case.as_of = moment("12:29:59.999999");
                    case.snapshots = vec![snapshot(500, "generating", "11:35:00")];
                },
            )
            .again("12:30:00"),
        SETTLING
            .row(
                "evidence generating beside an active one that predates",
                |case| {
                    case.snapshots = vec![
                        snapshot(500, "queued", "11:35:00"),
                        snapshot(499, "active", "10:00:00"),
                    ];
                },
            )
            .again("12:30:00"),
        SUCCEEDED.row("a complete bundle never waits", |case| {
            case.as_of = moment("11:36:00");
        }),
        SUCCEEDED.row(
            "a complete bundle does not wait for a second snapshot",
            |case| {
                case.as_of = moment("11:36:00");
                case.snapshots.push(snapshot(501, "generating", "11:36:00"));
            },
        ),
        NO_EVIDENCE.row("no end, no window", |case| {
            case.as_of = moment("11:36:00");
            case.restore.completed_at = Stamp::Absent;
            case.snapshots.clear();
        }),
        NO_EVIDENCE.row("an end before 1970, no window", |case| {
            case.as_of = moment("11:36:00");
            case.restore.completed_at = Stamp::parse(Some(-1), true);
            case.snapshots.clear();
        }),
        SETTLING
            .row("an end in the near future is now", |case| {
                case.restore.completed_at = at("12:05:00");
                case.snapshots.clear();
            })
            .again("12:10:00"),
        NO_EVIDENCE.row("an end beyond the skew is no end", |case| {
            case.restore.completed_at = at("12:05:00.000001");
            case.snapshots.clear();
        }),
        SETTLING
            .row(
                "an in-progress window set shorter than the plain one does not shorten it",
                |case| {
                    case.policy.settle_window_in_progress = SignedDuration::ZERO;
                    case.as_of = moment("11:36:00");
                    case.snapshots = vec![snapshot(500, "generating", "11:35:00")];
                },
            )
            .again("11:40:00"),
        NO_EVIDENCE.row("a window of no length is closed", |case| {
            case.policy.settle_window = SignedDuration::ZERO;
            case.as_of = moment("11:30:00");
            case.audits[0].recorded_at = at("11:30:00");
            case.snapshots.clear();
        }),
    ]
}

/// Rule 22.
pub(super) fn succeeded_rows() -> Vec<Row> {
    vec![
        SUCCEEDED.row("all eight legs hold", |_| {}).gaps(""),
        SUCCEEDED.row(
            "rows about other runs and restores are passed over",
            |case| {
                let mut stranger = candidate(RestoreId(9), Some(RunId(71)));
                stranger.run_id = RunId(71);
                case.candidates.push(stranger);
                case.audits.push(audit(999, "restore.failed", "11:59:00"));
                case.audits[1].restore_id = RestoreId(9);
                case.snapshots.push(snapshot(999, "active", "10:00:00"));
                case.snapshots[1].run_id = RunId(71);
            },
        ),
        SUCCEEDED.row("the same rows twice", |case| {
            case.candidates.extend(case.candidates.clone());
            case.audits.extend(case.audits.clone());
            case.snapshots.extend(case.snapshots.clone());
        }),
        SUCCEEDED.row("the highest snapshot id is found in any order", |case| {
            case.snapshots.push(snapshot(3, "active", "11:00:00"));
            case.snapshots.push(snapshot(4, "active", "11:00:00"));
            case.snapshots[0].id = SnapshotId(i64::MAX >> 11);
        }),
    ]
}
