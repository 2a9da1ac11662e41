//! Rules 18 to 22: clearance, audit, evidence, and the wait for them.

use jiff::SignedDuration;
use reconciler_jobs::ids::{RestoreId, RunId, SnapshotId};
use reconciler_jobs::json::Column;
use reconciler_jobs::stamp::Stamp;

use super::{Row, each, row};
use crate::support::{Case, at, audit, candidate, json, moment, snapshot};

/// Rule 18.
pub(super) fn clearance_rows() -> Vec<Row> {
    const UNREADABLE: &str = "partially_succeeded restore.clearance_unreadable";
    let summary = |case: &mut Case, value: &str| case.run.failure_summary = json(value);
    let mut rows = each(
        18,
        "failure_summary cannot be read",
        UNREADABLE,
        &[
            "",
            "[",
            "5",
            "true",
            r#""none""#,
            r#"[{"code":"x","code":"y"}]"#,
            r#"["\ud800"]"#,
        ],
        summary,
    );
    rows.extend(each(
        18,
        "failure_summary is of a kind that could hide a blocker",
        UNREADABLE,
        &[
            "[1]",
            "[true]",
            r#"["write_gate_blocked"]"#,
            r#"[{"code":"x"},"write_gate_blocked"]"#,
            r#"[{"code":["write_gate_blocked"]}]"#,
            r#"[{"reason_code":{"value":"write_gate_blocked"}}]"#,
            r#"[{"code":true}]"#,
            r#"[[{"code":"write_gate_blocked"}]]"#,
            r#"{"code":["write_gate_blocked"]}"#,
            r#"{"0":"write_gate_blocked"}"#,
        ],
        summary,
    ));
    rows.extend(each(
        22,
        "failure_summary names no blocker",
        "succeeded restore.proof_complete",
        &[
            "null",
            "[]",
            "{}",
            "[null]",
            "[[],{}]",
            r#"[{"message":"write_gate_blocked"}]"#,
            r#"[{"code":7}]"#,
            r#"{"code":500,"message":"gone"}"#,
        ],
        summary,
    ));
    rows.extend(each(
        18,
        "metadata.blocked_reason is of a kind that could hide a blocker",
        UNREADABLE,
        &[
            r#"["write_gate_blocked"]"#,
            r#"{"code":"write_gate_blocked"}"#,
            "1",
            "true",
        ],
        |case, value| {
            case.restore.metadata = json(&format!(r#"{{"total":2,"blocked_reason":{value}}}"#));
        },
    ));
    rows.extend(each(
        18,
        "context.execution_legitimacy is of a kind that could hide a blocker",
        UNREADABLE,
        &[
            r#"[{"reason_code":"write_gate_blocked"}]"#,
            r#""write_gate_blocked""#,
            r#"{"reason_code":["write_gate_blocked"]}"#,
            "5",
        ],
        |case, value| {
            let context = format!(r#"{{"restore_run_id":7,"execution_legitimacy":{value}}}"#);
            case.run.context = json(&context);
        },
    ));
    rows.extend(each(
        22,
        "nothing is recorded where a blocker could be",
        "succeeded restore.proof_complete",
        &["null", "[]", "{}", "false"],
        |case, value| {
            case.restore.metadata = json(&format!(r#"{{"total":2,"blocked_reason":{value}}}"#));
            let context = format!(r#"{{"restore_run_id":7,"execution_legitimacy":{value}}}"#);
            case.run.context = json(&context);
        },
    ));
    rows.extend([
        row(
            18,
            "failure_summary too large to fetch",
            UNREADABLE,
            |case| {
                case.run.failure_summary = Column::Oversized;
            },
        )
        .gaps("restore.clearance_unreadable"),
        row(
            18,
            "clearance does not wait for the open window",
            UNREADABLE,
            |case| {
                case.as_of = moment("11:36:00");
                case.snapshots.clear();
                summary(case, "5");
            },
        )
        .gaps("restore.evidence_missing restore.clearance_unreadable"),
        row(
            10,
            "a blocker elsewhere comes before what cannot be read",
            "partially_succeeded restore.blocked_after_writes",
            |case| {
                summary(case, "5");
                case.restore.failure_reason = Some("missing_capability".to_owned());
            },
        )
        .gaps("missing_capability restore.clearance_unreadable"),
    ]);
    rows
}

/// Rule 20: the audit leg, once the window is closed.
pub(super) fn audit_rows() -> Vec<Row> {
    const MISSING: &str = "partially_succeeded restore.audit_missing";
    const CONTRADICTS: &str = "partially_succeeded restore.audit_contradicts";
    const SUCCEEDED: &str = "succeeded restore.proof_complete";
    let only =
        |case: &mut Case, action: &str, clock: &str| case.audits = vec![audit(900, action, clock)];
    let second = |case: &mut Case, id: i64, clock: &str| {
        case.audits.push(audit(id, "restore.failed", clock));
    };
    let mut rows = vec![
        row(20, "no audit entry", MISSING, |case| case.audits.clear())
            .gaps("restore.audit_missing"),
        row(
            20,
            "no audit entry and no evidence: audit comes first",
            MISSING,
            |case| {
                case.audits.clear();
                case.snapshots.clear();
            },
        )
        .gaps("restore.audit_missing restore.evidence_missing"),
        row(20, "about another restore", MISSING, |case| {
            case.audits[0].restore_id = RestoreId(8);
        }),
        row(20, "an action that is not configured", MISSING, |case| {
            only(case, "restore.requested", "11:31:00");
        }),
        row(20, "an action of other case", MISSING, |case| {
            only(case, "Restore.Completed", "11:31:00");
        }),
        row(20, "our own action is not configured", MISSING, |case| {
            only(case, "operation_run.reconciled", "11:31:00");
        }),
        row(
            22,
            "recorded exactly when the restore started",
            SUCCEEDED,
            |case| only(case, "restore.completed", "11:00:00"),
        ),
        row(
            20,
            "recorded one microsecond before the restore started",
            MISSING,
            |case| {
                only(case, "restore.completed", "10:59:59.999999");
            },
        ),
        row(
            22,
            "no started_at: recorded exactly at created_at",
            SUCCEEDED,
            |case| {
                case.restore.started_at = Stamp::Absent;
                only(case, "restore.completed", "10:59:00");
            },
        ),
        row(
            20,
            "no started_at: recorded before created_at",
            MISSING,
            |case| {
                case.restore.started_at = Stamp::Absent;
                only(case, "restore.completed", "10:58:59.999999");
            },
        ),
        row(20, "neither started_at nor created_at", MISSING, |case| {
            case.restore.started_at = Stamp::Absent;
            case.restore.created_at = Stamp::Unreadable;
        })
        .gaps("restore.audit_missing restore.evidence_predates_restore"),
        row(20, "started_at is infinity", MISSING, |case| {
            case.restore.started_at = Stamp::Unreadable;
        })
        .gaps("restore.audit_missing restore.evidence_predates_restore"),
        row(
            22,
            "created_at is infinity beside a start",
            SUCCEEDED,
            |case| {
                case.restore.created_at = Stamp::Unreadable;
            },
        ),
        row(22, "recorded exactly now", SUCCEEDED, |case| {
            only(case, "restore.completed", "12:00:00");
        }),
        row(20, "recorded one microsecond after now", MISSING, |case| {
            only(case, "restore.completed", "12:00:00.000001");
        }),
        row(20, "recorded at no readable moment", MISSING, |case| {
            case.audits[0].recorded_at = Stamp::Unreadable;
        }),
        row(20, "recorded at null", MISSING, |case| {
            case.audits[0].recorded_at = Stamp::Absent;
        }),
        row(20, "contradicted later", CONTRADICTS, |case| {
            second(case, 901, "11:32:00");
        })
        .gaps("restore.audit_contradicts"),
        row(20, "contradicted after now", CONTRADICTS, |case| {
            second(case, 901, "12:30:00");
        }),
        row(
            20,
            "contradicted at the same instant by a higher id",
            CONTRADICTS,
            |case| second(case, 901, "11:31:00"),
        ),
        row(
            22,
            "contradicted at the same instant by a lower id",
            SUCCEEDED,
            |case| second(case, 899, "11:31:00"),
        ),
        row(
            22,
            "contradicted earlier, by a higher id",
            SUCCEEDED,
            |case| second(case, 901, "11:30:59"),
        ),
        row(
            20,
            "contradicted at no readable moment",
            CONTRADICTS,
            |case| {
                second(case, 899, "11:01:00");
                case.audits[1].recorded_at = Stamp::Unreadable;
            },
        ),
        row(
            22,
            "contradicted, then confirmed again",
            SUCCEEDED,
            |case| {
                second(case, 901, "11:32:00");
                case.audits
                    .push(audit(902, "restore.completed", "11:33:00"));
            },
        ),
        row(
            20,
            "a contradiction of an earlier attempt leaves the audit missing",
            MISSING,
            |case| {
                only(case, "restore.failed", "10:59:59");
            },
        ),
        row(
            22,
            "restore.executed alone says that it ended",
            SUCCEEDED,
            |case| only(case, "restore.executed", "11:31:00"),
        ),
    ];
    for (status, outcome) in [
        (Some("failed"), None),
        (Some("partial"), Some("success")),
        (Some("success"), Some("failure")),
        (None, Some("partial")),
        (None, Some("blocked")),
        (Some("Completed"), None),
        (Some("done"), None),
        (None, Some("succeeded ")),
    ] {
        rows.push(row(
            20,
            &format!("restore.executed with {status:?}, {outcome:?}"),
            CONTRADICTS,
            |case| {
                only(case, "restore.executed", "11:31:00");
                case.audits[0].status = status.map(str::to_owned);
                case.audits[0].outcome = outcome.map(str::to_owned);
            },
        ));
    }
    for (status, outcome) in [
        (Some("success"), Some("success")),
        (Some("completed"), Some("info")),
        (Some(""), None),
    ] {
        rows.push(row(
            22,
            &format!("restore.executed with {status:?}, {outcome:?}"),
            SUCCEEDED,
            |case| {
                only(case, "restore.executed", "11:31:00");
                case.audits[0].status = status.map(str::to_owned);
                case.audits[0].outcome = outcome.map(str::to_owned);
            },
        ));
    }
    for action in ["restore.partial", "restore.failed", "restore.cancelled"] {
        rows.push(row(20, &format!("only {action}"), CONTRADICTS, |case| {
            only(case, action, "11:31:00");
        }));
    }
    rows
}

/// Rule 21: the evidence leg, once the window is closed.
pub(super) fn evidence_rows() -> Vec<Row> {
    const SUCCEEDED: &str = "succeeded restore.proof_complete";
    const EXPIRED: &str = "partially_succeeded restore.evidence_expired";
    const PREDATES: &str = "partially_succeeded restore.evidence_predates_restore";
    const NOT_CURRENT: &str = "partially_succeeded restore.evidence_not_current";
    let only =
        |case: &mut Case, status: &str| case.snapshots = vec![snapshot(500, status, "11:35:00")];
    let generated = |case: &mut Case, clock: &str| case.snapshots[0].generated_at = at(clock);
    let mut rows = vec![
        row(21, "no snapshot", "partially_succeeded restore.evidence_missing", |case| case.snapshots.clear())
            .gaps("restore.evidence_missing"),
        row(21, "evidence of another run", "partially_succeeded restore.evidence_missing", |case| {
            case.snapshots[0].run_id = RunId(71);
        }),
        row(21, "expires exactly now", EXPIRED, |case| case.snapshots[0].expires_at = at("12:00:00")).gaps("restore.evidence_expired"),
        row(22, "expires one microsecond after now", SUCCEEDED, |case| case.snapshots[0].expires_at = at("12:00:00.000001")),
        row(21, "expires at no readable moment", EXPIRED, |case| case.snapshots[0].expires_at = Stamp::Unreadable),
        row(21, "expired before 1970", EXPIRED, |case| case.snapshots[0].expires_at = Stamp::parse(Some(-1), true)),
        row(22, "generated exactly when the restore ended", SUCCEEDED, |case| generated(case, "11:30:00")),
        row(21, "generated one microsecond before the restore ended", PREDATES, |case| generated(case, "11:29:59.999999"))
            .gaps("restore.evidence_predates_restore"),
        row(22, "generated as much earlier as is allowed", SUCCEEDED, |case| {
            case.policy.evidence_skew_max = SignedDuration::from_secs(60);
            generated(case, "11:29:00");
        }),
        row(21, "generated one microsecond earlier than is allowed", PREDATES, |case| {
            case.policy.evidence_skew_max = SignedDuration::from_secs(60);
            generated(case, "11:28:59.999999");
        }),
        row(21, "generated_at beyond the skew of clocks", PREDATES, |case| generated(case, "12:05:01")),
        row(22, "generated_at within the skew of clocks", SUCCEEDED, |case| generated(case, "12:05:00")),
        row(21, "older than the restore's row, whose start nobody noted", PREDATES, |case| {
            case.restore.started_at = Stamp::Absent;
            case.restore.created_at = at("11:40:00");
            case.audits = vec![audit(900, "restore.completed", "11:45:00")];
        }),
        row(21, "generated_at is null", PREDATES, |case| case.snapshots[0].generated_at = Stamp::Absent),
        row(21, "generated_at cannot be read", PREDATES, |case| case.snapshots[0].generated_at = Stamp::Unreadable),
        row(21, "completed_at is null", PREDATES, |case| case.restore.completed_at = Stamp::Absent),
        row(21, "completed_at is infinity", PREDATES, |case| case.restore.completed_at = Stamp::parse(None, true)),
        row(21, "completed_at is before 1970", PREDATES, |case| case.restore.completed_at = Stamp::parse(Some(-1), true)),
        row(22, "completed_at is 1970, and the restore started at eleven", SUCCEEDED, |case| {
            case.restore.completed_at = Stamp::parse(Some(0), true);
        }),
        row(21, "completed_at is 1970, and the evidence older than the start", PREDATES, |case| {
            case.restore.completed_at = Stamp::parse(Some(0), true);
            generated(case, "10:59:59.999999");
        }),
        row(22, "completed_at exactly as far ahead as clocks may run is now", SUCCEEDED, |case| {
            case.restore.completed_at = at("12:05:00");
            generated(case, "12:00:00");
        }),
        row(21, "completed_at one microsecond further ahead is unknown", PREDATES, |case| {
            case.restore.completed_at = at("12:05:00.000001");
            generated(case, "12:00:00");
        }),
        row(21, "every gap of the active snapshot at once", "partially_succeeded restore.evidence_incomplete", |case| {
            case.snapshots[0].completeness = None;
            case.snapshots[0].expires_at = at("11:36:00");
            generated(case, "11:00:00");
        })
        .gaps("restore.evidence_incomplete restore.evidence_expired restore.evidence_predates_restore"),
        row(21, "the newest active snapshot counts, not the best", "partially_succeeded restore.evidence_incomplete", |case| {
            case.snapshots.insert(0, snapshot(501, "active", "11:36:00"));
            case.snapshots[0].completeness = Some("partial".to_owned());
        }),
        row(22, "an older active snapshot does not count", SUCCEEDED, |case| {
            case.snapshots.push(snapshot(499, "active", "11:00:00"));
        }),
        row(22, "a newer snapshot that is not active does not count", SUCCEEDED, |case| {
            case.snapshots.push(snapshot(501, "failed", "11:36:00"));
            case.snapshots.push(snapshot(502, "generating", "11:37:00"));
        }),
    ];
    rows.extend(each(
        21,
        "completeness",
        "partially_succeeded restore.evidence_incomplete",
        &["partial", "missing", "stale", "Complete", "complete ", ""],
        |case, value| case.snapshots[0].completeness = Some(value.to_owned()),
    ));
    rows.extend(each(
        21,
        "the only snapshot is",
        NOT_CURRENT,
        &[
            "superseded",
            "expired",
            "failed",
            "Active",
            "active ",
            "archived",
            "",
        ],
        only,
    ));
    for status in ["queued", "generating"] {
        rows.push(
            row(
                21,
                &format!("{status}, and the long window is closed"),
                "partially_succeeded restore.evidence_in_progress",
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

/// Rule 19: the settle window.
pub(super) fn settle_rows() -> Vec<Row> {
    const SETTLING: &str = "deferred restore.settling";
    const NO_EVIDENCE: &str = "partially_succeeded restore.evidence_missing";
    vec![
        row(
            19,
            "evidence missing, one microsecond before the window closes",
            SETTLING,
            |case| {
                case.as_of = moment("11:39:59.999999");
                case.snapshots.clear();
            },
        )
        .again("11:40:00")
        .gaps("restore.evidence_missing"),
        row(
            21,
            "evidence missing, exactly when the window closes",
            NO_EVIDENCE,
            |case| {
                case.as_of = moment("11:40:00");
                case.snapshots.clear();
            },
        ),
        row(19, "audit missing", SETTLING, |case| {
            case.as_of = moment("11:36:00");
            case.audits.clear();
        })
        .again("11:40:00"),
        row(19, "both missing", SETTLING, |case| {
            case.as_of = moment("11:30:00");
            case.audits.clear();
            case.snapshots.clear();
        })
        .again("11:40:00")
        .gaps("restore.audit_missing restore.evidence_missing"),
        row(
            19,
            "evidence generating, one microsecond before the long window closes",
            SETTLING,
            |case| {
                case.as_of = moment("12:29:59.999999");
                case.snapshots = vec![snapshot(500, "generating", "11:35:00")];
            },
        )
        .again("12:30:00"),
        row(
            19,
            "evidence generating beside an active one that predates",
            SETTLING,
            |case| {
                case.snapshots = vec![
                    snapshot(500, "queued", "11:35:00"),
                    snapshot(499, "active", "10:00:00"),
                ];
            },
        )
        .again("12:30:00"),
        row(
            22,
            "a complete bundle never waits",
            "succeeded restore.proof_complete",
            |case| {
                case.as_of = moment("11:36:00");
            },
        ),
        row(
            22,
            "a complete bundle does not wait for a second snapshot",
            "succeeded restore.proof_complete",
            |case| {
                case.as_of = moment("11:36:00");
                case.snapshots.push(snapshot(501, "generating", "11:36:00"));
            },
        ),
        row(21, "no end, no window", NO_EVIDENCE, |case| {
            case.as_of = moment("11:36:00");
            case.restore.completed_at = Stamp::Absent;
            case.snapshots.clear();
        }),
        row(21, "an end before 1970, no window", NO_EVIDENCE, |case| {
            case.as_of = moment("11:36:00");
            case.restore.completed_at = Stamp::parse(Some(-1), true);
            case.snapshots.clear();
        }),
        row(19, "an end in the near future is now", SETTLING, |case| {
            case.restore.completed_at = at("12:05:00");
            case.snapshots.clear();
        })
        .again("12:10:00"),
        row(
            21,
            "an end beyond the skew is no end",
            NO_EVIDENCE,
            |case| {
                case.restore.completed_at = at("12:05:00.000001");
                case.snapshots.clear();
            },
        ),
        row(
            19,
            "an in-progress window set shorter than the plain one does not shorten it",
            SETTLING,
            |case| {
                case.policy.settle_window_in_progress = SignedDuration::ZERO;
                case.as_of = moment("11:36:00");
                case.snapshots = vec![snapshot(500, "generating", "11:35:00")];
            },
        )
        .again("11:40:00"),
        row(21, "a window of no length is closed", NO_EVIDENCE, |case| {
            case.policy.settle_window = SignedDuration::ZERO;
            case.as_of = moment("11:30:00");
            case.audits[0].recorded_at = at("11:30:00");
            case.snapshots.clear();
        }),
    ]
}

/// Rule 22.
pub(super) fn succeeded_rows() -> Vec<Row> {
    const SUCCEEDED: &str = "succeeded restore.proof_complete";
    vec![
        row(22, "all eight legs hold", SUCCEEDED, |_| {}).gaps(""),
        row(
            22,
            "rows about other runs and restores are passed over",
            SUCCEEDED,
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
        row(22, "the same rows twice", SUCCEEDED, |case| {
            case.candidates.extend(case.candidates.clone());
            case.audits.extend(case.audits.clone());
            case.snapshots.extend(case.snapshots.clone());
        }),
        row(
            22,
            "the highest snapshot id is found in any order",
            SUCCEEDED,
            |case| {
                case.snapshots.push(snapshot(3, "active", "11:00:00"));
                case.snapshots.push(snapshot(4, "active", "11:00:00"));
                case.snapshots[0].id = SnapshotId(i64::MAX >> 11);
            },
        ),
    ]
}
