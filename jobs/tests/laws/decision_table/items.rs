//! Rule 17: item rows, assignments, foundations, the request and the counters.

use reconciler_jobs::json::Column;
use reconciler_jobs::restore_execute::results::ITEMS_MAX;

use super::{Row, each, row};
use crate::support::{Case, json, moment};

/// Rule 17: item rows.
pub(super) fn item_rows() -> Vec<Row> {
    const MIXED: &str = "partially_succeeded restore.items_mixed";
    const MISSING: &str = "partially_succeeded restore.items_missing";
    const UNEXPECTED: &str = "partially_succeeded restore.items_unexpected";
    const UNRECOGNISED: &str = "partially_succeeded restore.items_unrecognised";
    let second = |case: &mut Case, word: &str| {
        case.restore.metadata = Column::Null;
        case.items(&format!(
            r#"{{"101":{{"status":"applied"}},"102":{{"status":{word}}}}}"#
        ));
    };
    let mut rows = each(
        17,
        "one of two items is",
        MIXED,
        &[
            r#""failed""#,
            r#""error""#,
            r#""partial""#,
            r#""skipped""#,
            r#""preview_only""#,
            r#""dry_run""#,
            r#""manual_required""#,
            r#""not_applied""#,
            r#""ignored""#,
        ],
        second,
    );
    rows.extend(each(
        17,
        "one of two items is",
        UNRECOGNISED,
        &[
            "null",
            "1",
            "true",
            "[]",
            "{}",
            r#""""#,
            r#""Applied""#,
            r#""applied ""#,
            r#"" applied""#,
            r#""APPLIED""#,
            r#""applied\u0000""#,
            r#""restored""#,
            r#""ok""#,
        ],
        second,
    ));
    rows.extend(each(
        22,
        "one of two items is",
        "succeeded restore.proof_complete",
        &[
            r#""applied""#,
            r#""succeeded""#,
            r#""success""#,
            r#""created""#,
            r#""updated""#,
            r#""mapped_existing""#,
            r#""created_copy""#,
        ],
        second,
    ));
    rows.extend(each(
        17,
        "an item that is no map",
        UNRECOGNISED,
        &[r#""applied""#, "null", "[]", "1", r#"["applied"]"#],
        |case, item| {
            case.restore.metadata = Column::Null;
            case.items(&format!(r#"{{"101":{{"status":"applied"}},"102":{item}}}"#));
        },
    ));
    rows.extend(each(
        17,
        "results cannot be read",
        UNRECOGNISED,
        &[
            "",
            "{",
            "5",
            "true",
            r#""done""#,
            r#"[{"status":"applied"}]"#,
            r#"{"items":"all"}"#,
            r#"{"items":2}"#,
            r#"{"foundations":"none","items":{"101":{"status":"applied"}}}"#,
            r#"{"items":{},"items":{"101":{"status":"applied"},"102":{"status":"applied"}}}"#,
            r#"{"items":{"101":{"status":"applied"},"102":{"status":"applied","x":"\ud800"}}}"#,
        ],
        |case, results| case.restore.results = json(results),
    ));
    rows.extend(each(
        17,
        "results without rows, whatever the counters say",
        MISSING,
        &[
            "null",
            "[]",
            "{}",
            r#"{"items":[]}"#,
            r#"{"items":{}}"#,
            r#"{"items":null}"#,
            r#"{"foundations":[]}"#,
        ],
        |case, results| case.restore.results = json(results),
    ));
    rows.extend([
        row(17, "results too large to fetch", UNRECOGNISED, |case| case.restore.results = Column::Oversized),
        row(17, "results are SQL null", MISSING, |case| case.restore.results = Column::Null),
        row(17, "results not UTF-8", UNRECOGNISED, |case| {
            case.restore.results = Column::Bytes(b"{\"items\":{\"\xff\":{}}}".to_vec());
        }),
        row(17, "a requested item without a row", MISSING, |case| {
            case.restore.metadata = Column::Null;
            case.items(r#"{"101":{"status":"applied"}}"#);
        })
        .gaps("restore.items_missing"),
        row(17, "a row that nobody requested", UNEXPECTED, |case| {
            case.restore.requested_items = json("[101]");
        })
        .gaps("restore.items_unexpected"),
        row(17, "one row instead of another: missing comes first", MISSING, |case| {
            case.restore.requested_items = json("[101,103]");
        })
        .gaps("restore.items_missing restore.items_unexpected"),
        row(17, "one id twice among the rows", UNEXPECTED, |case| {
            case.restore.metadata = Column::Null;
            case.items(r#"{"101":{"status":"applied"},"102":{"status":"applied"},"101":{"status":"applied"}}"#);
        })
        .gaps("restore.items_unexpected"),
        row(17, "one id twice, written 101 and 0101", UNEXPECTED, |case| {
            case.restore.metadata = Column::Null;
            case.items(r#"{"101":{"status":"applied"},"102":{"status":"applied"},"0101":{"status":"applied"}}"#);
        }),
        row(17, "one id twice in the request", UNEXPECTED, |case| {
            case.restore.requested_items = json(r#"[101,102,"101"]"#);
        })
        .gaps("restore.items_unexpected"),
        row(17, "one key twice in an item", UNRECOGNISED, |case| {
            case.restore.metadata = Column::Null;
            case.items(r#"{"101":{"status":"failed","status":"applied"},"102":{"status":"applied"}}"#);
        }),
        row(17, "every gap of the leg but one at once", MISSING, |case| {
            case.items(r#"{"101":{"status":"applied"},"7":{"status":"skipped"},"8":{"status":"vanished"}}"#);
        })
        .gaps("restore.items_missing restore.items_unrecognised restore.items_mixed restore.items_unexpected restore.counts_conflict"),
        row(17, "items before audit, evidence and the open window", MISSING, |case| {
            case.as_of = moment("11:36:00");
            case.restore.results = Column::Null;
            case.audits.clear();
            case.snapshots.clear();
        })
        .gaps("restore.items_missing restore.audit_missing restore.evidence_missing"),
        row(22, "items as a list whose rows carry their ids", "succeeded restore.proof_complete", |case| {
            case.items(r#"[{"backup_item_id":101,"status":"applied"},{"backup_item_id":"102","status":"applied"}]"#);
        }),
        row(17, "two rows that give themselves each other's id", UNRECOGNISED, |case| {
            case.items(r#"{"101":{"backup_item_id":102,"status":"applied"},"102":{"backup_item_id":101,"status":"applied"}}"#);
        }),
        row(17, "a row that gives itself a requested id its key is not", UNRECOGNISED, |case| {
            case.items(r#"{"101":{"status":"applied"},"102":{"backup_item_id":1.5,"status":"applied"}}"#);
        }),
        row(22, "rows that repeat their key", "succeeded restore.proof_complete", |case| {
            case.items(r#"{"101":{"backup_item_id":"101","status":"applied"},"102":{"backup_item_id":102,"status":"applied"}}"#);
        }),
        row(17, "more items than are read", UNRECOGNISED, |case| {
            let rows: Vec<_> = (0..=ITEMS_MAX).map(|id| format!(r#""{id}":{{"status":"applied"}}"#)).collect();
            case.items(&format!("{{{}}}", rows.join(",")));
            case.restore.requested_items = Column::Null;
            case.restore.metadata = Column::Null;
        }),
        row(22, "items as a list because the ids are 0 and 1", "succeeded restore.proof_complete", |case| {
            case.items(r#"[{"status":"applied"},{"status":"applied"}]"#);
            case.restore.requested_items = json("[0,1]");
        }),
        row(17, "items as a list of other ids than requested", MISSING, |case| {
            case.items(r#"[{"status":"applied"},{"status":"applied"}]"#);
        })
        .gaps("restore.items_missing restore.items_unexpected"),
    ]);
    rows
}

/// Rule 17: what stands under an item, and beside the items.
pub(super) fn assignment_and_foundation_rows() -> Vec<Row> {
    const MIXED: &str = "partially_succeeded restore.items_mixed";
    const CONFLICT: &str = "partially_succeeded restore.counts_conflict";
    const UNRECOGNISED: &str = "partially_succeeded restore.items_unrecognised";
    const SUCCEEDED: &str = "succeeded restore.proof_complete";
    let with = |case: &mut Case, fields: &str| {
        case.one_item(&format!(r#"{{"status":"applied",{fields}}}"#));
    };
    let foundations = |case: &mut Case, list: &str| {
        case.restore.results = json(&format!(
            r#"{{"foundations":{list},"items":{{"101":{{"status":"applied"}},"102":{{"status":"applied"}}}}}}"#
        ));
    };
    let mut rows = each(
        17,
        "assignments not applied",
        MIXED,
        &[
            r#""assignment_outcomes":[{"status":"success"},{"status":"failed"}]"#,
            r#""assignment_outcomes":{"0":{"status":"skipped"}}"#,
            r#""assignment_summary":{"success":3,"failed":1}"#,
            r#""assignment_summary":{"skipped":"1"}"#,
        ],
        with,
    );
    rows.extend(each(
        17,
        "assignments not understood",
        UNRECOGNISED,
        &[
            r#""assignment_outcomes":"all""#,
            r#""assignment_outcomes":1"#,
            r#""assignment_outcomes":["success"]"#,
            r#""assignment_outcomes":[{"status":null}]"#,
            r#""assignment_outcomes":[{}]"#,
            r#""assignment_summary":{"success":1,"unclear":1}"#,
            r#""assignment_summary":{"success":-1}"#,
            r#""assignment_summary":{"success":1.5}"#,
            r#""assignment_summary":{"failed":"none"}"#,
            r#""assignment_summary":[1,2]"#,
            r#""assignment_summary":"2 of 2""#,
        ],
        with,
    ));
    rows.extend(each(
        22,
        "assignments applied, or none",
        SUCCEEDED,
        &[
            r#""assignment_outcomes":[]"#,
            r#""assignment_outcomes":null,"assignment_summary":null"#,
            r#""assignment_summary":[]"#,
            r#""assignment_summary":{"total":2,"success":"2","failed":0,"skipped":null}"#,
            r#""assignment_outcomes":[{"status":"success"}],"assignment_summary":{"success":1}"#,
            r#""assignment_outcomes":[{"status":"success"}],"assignment_summary":{"applied":1,"failed":0}"#,
        ],
        with,
    ));
    rows.extend(each(
        17,
        "assignment list and counts disagree",
        CONFLICT,
        &[
            r#""assignment_outcomes":[{"status":"success"}],"assignment_summary":{"success":2}"#,
            r#""assignment_outcomes":[],"assignment_summary":{"success":1}"#,
            r#""assignment_outcomes":[{"status":"success"}],"assignment_summary":[]"#,
            r#""assignment_outcomes":[{"status":"success"}],"assignment_summary":{"failed":1}"#,
            r#""assignment_summary":{"total":5,"success":2}"#,
            r#""assignment_summary":{"total":"some","success":2}"#,
        ],
        with,
    ));
    rows.extend(each(
        17,
        "a foundation is not applied",
        MIXED,
        &[
            r#"[{"decision":"skipped"}]"#,
            r#"[{"decision":"created"},{"decision":"failed"}]"#,
            r#"{"3":{"decision":"partial"}}"#,
        ],
        foundations,
    ));
    rows.extend(each(
        17,
        "a foundation is not understood",
        UNRECOGNISED,
        &[
            r#"[{"status":"created"}]"#,
            r#"["created"]"#,
            "[null]",
            r#"[{"decision":"Created"}]"#,
            r#"[{"decision":"failed","decision":"created"}]"#,
        ],
        foundations,
    ));
    rows.extend(each(
        22,
        "foundations are applied, or none",
        SUCCEEDED,
        &[
            "[]",
            "null",
            "{}",
            r#"[{"decision":"created"}]"#,
            r#"{"0":{"decision":"created_copy"}}"#,
        ],
        foundations,
    ));
    rows.push(row(
        17,
        "only foundations",
        "partially_succeeded restore.items_missing",
        |case| {
            case.restore.metadata = Column::Null;
            case.restore.results = json(r#"{"foundations":[{"decision":"created"}]}"#);
        },
    ));
    rows
}

/// Rule 17: `requested_items`.
pub(super) fn request_rows() -> Vec<Row> {
    const MISSING: &str = "partially_succeeded restore.items_missing";
    let request = |case: &mut Case, value: &str| case.restore.requested_items = json(value);
    let mut rows = each(
        17,
        "requested_items cannot be read",
        "partially_succeeded restore.items_unrecognised",
        &[
            "",
            "{",
            "true",
            "2",
            r#""101,102""#,
            "[101,null]",
            "[101,102.5]",
            "[[101,102]]",
            r#"[{"id":101}]"#,
            r#"{"101":true}"#,
        ],
        request,
    );
    rows.extend(each(
        22,
        "requested_items",
        "succeeded restore.proof_complete",
        &[
            "[102,101]",
            r#"["101",102]"#,
            r#"{"0":101,"2":102}"#,
            r#"["0101","102"]"#,
        ],
        request,
    ));
    rows.extend(each(
        17,
        "nothing was requested, yet there are rows",
        "partially_succeeded restore.items_unexpected",
        &["[]", "{}"],
        request,
    ));
    rows.extend([
        row(
            17,
            "requested_items too large to fetch",
            "partially_succeeded restore.items_unrecognised",
            |case| {
                case.restore.requested_items = Column::Oversized;
            },
        ),
        row(
            22,
            "not itemised, and the counter total says how much it was",
            "succeeded restore.proof_complete",
            |case| {
                case.restore.requested_items = Column::Null;
            },
        ),
        row(17, "not itemised, and no counter total", MISSING, |case| {
            case.restore.requested_items = json("null");
            case.restore.metadata = json(r#"{"succeeded":2}"#);
        })
        .gaps("restore.items_missing"),
        row(
            17,
            "not itemised, and the counter total says another number",
            MISSING,
            |case| {
                case.restore.requested_items = json("null");
                case.restore.metadata = json(r#"{"total":3}"#);
            },
        )
        .gaps("restore.items_missing restore.counts_conflict"),
        row(
            17,
            "an unsafe integer names no item",
            "partially_succeeded restore.items_unrecognised",
            |case| {
                request(case, "[101,9007199254740993]");
            },
        ),
        row(
            17,
            "a number with a fraction names no item",
            "partially_succeeded restore.items_unrecognised",
            |case| {
                request(case, "[101,102.0]");
            },
        ),
    ]);
    rows
}

/// Rule 17: counters of `metadata`.
pub(super) fn counter_rows() -> Vec<Row> {
    const CONFLICT: &str = "partially_succeeded restore.counts_conflict";
    let metadata = |case: &mut Case, value: &str| case.restore.metadata = json(value);
    let mut rows = each(
        17,
        "a counter that is no count, or disagrees",
        CONFLICT,
        &[
            r#"{"total":-2}"#,
            r#"{"total":2.5}"#,
            r#"{"total":2.0}"#,
            r#"{"total":2e0}"#,
            r#"{"total":2.00000000000000000001}"#,
            r#"{"total":"two"}"#,
            r#"{"total":"2.0"}"#,
            r#"{"total":" 2"}"#,
            r#"{"total":true}"#,
            r#"{"total":[]}"#,
            r#"{"total":9007199254740993}"#,
            r#"{"total":1e30}"#,
            r#"{"total":3}"#,
            r#"{"total":0}"#,
            r#"{"succeeded":1}"#,
            r#"{"succeeded":"3"}"#,
            r#"{"failed":1}"#,
            r#"{"failed":-1}"#,
            r#"{"partial":1}"#,
            r#"{"skipped":1}"#,
            r#"{"non_applied":1}"#,
            r#"{"foundations_skipped":1}"#,
        ],
        metadata,
    );
    rows.extend(each(
        22,
        "counters agree, or nobody counted",
        "succeeded restore.proof_complete",
        &[
            "null", "[]", "{}", r#"{"total":2}"#, r#"{"total":"2","succeeded":"2"}"#, r#"{"failed":null}"#,
            r#"{"total":2,"succeeded":2,"failed":0,"skipped":0,"partial":0,"non_applied":0,"foundations_skipped":0}"#,
            r#"{"execution_safety_snapshot":[],"preview_basis":"x","scope_basis":{"total":9}}"#,
        ],
        metadata,
    ));
    rows.extend(each(
        17,
        "metadata cannot be read",
        CONFLICT,
        &[
            "",
            "{",
            "5",
            r#""none""#,
            "[1]",
            r#"{"total":2,"total":2}"#,
            r#"{"a":{"b":1,"b":1}}"#,
        ],
        metadata,
    ));
    rows.extend([
        row(17, "metadata that cannot be read also hides blockers", CONFLICT, |case| metadata(case, "[1]"))
            .gaps("restore.counts_conflict restore.clearance_unreadable"),
        row(17, "skipped is counted, and so it is among the rows", "partially_succeeded restore.items_mixed", |case| {
            case.one_item(r#"{"status":"skipped"}"#);
            case.restore.metadata = json(r#"{"total":1,"succeeded":0,"skipped":1,"non_applied":1}"#);
        })
        .gaps("restore.items_mixed"),
        row(17, "more is counted as skipped than the rows hold", "partially_succeeded restore.items_mixed", |case| {
            case.one_item(r#"{"status":"skipped"}"#);
            case.restore.metadata = json(r#"{"skipped":2}"#);
        })
        .gaps("restore.items_mixed restore.counts_conflict"),
        row(17, "a skipped foundation is counted", "partially_succeeded restore.items_mixed", |case| {
            case.one_item(r#"{"status":"applied"}"#);
            case.restore.results = json(r#"{"foundations":[{"decision":"skipped"}],"items":{"101":{"status":"applied"}}}"#);
            case.restore.metadata = json(r#"{"foundations_skipped":1}"#);
        })
        .gaps("restore.items_mixed"),
    ]);
    rows
}
