//! Rules 19 and 21: item rows, assignments, foundations, the request and the counters.

use reconciler_jobs::json::Column;
use reconciler_jobs::restore_execute::results::ITEMS_MAX;
use reconciler_jobs::restore_execute::rows::SetItems;

use super::{Expected, Row, SUCCEEDED};
use crate::support::{Case, json, moment};

const MISSING: Expected = Expected(21, "partially_succeeded restore.items_missing");
const UNRECOGNISED: Expected = Expected(21, "partially_succeeded restore.items_unrecognised");
const MIXED: Expected = Expected(21, "partially_succeeded restore.items_mixed");
const REQUEST: Expected = Expected(21, "partially_succeeded restore.request_unreadable");
const NOTHING_APPLIED: Expected = Expected(19, "partially_succeeded restore.nothing_applied");
const UNEXPECTED: Expected = Expected(21, "partially_succeeded restore.items_unexpected");
const CONFLICT: Expected = Expected(21, "partially_succeeded restore.counts_conflict");

/// Rule 21: item rows.
pub(super) fn item_rows() -> Vec<Row> {
    let second = |case: &mut Case, word: &str| {
        case.restore.metadata = Column::Null;
        case.items(&format!(
            r#"{{"101":{{"status":"applied"}},"102":{{"status":{word}}}}}"#
        ));
    };
    let mut rows = MIXED.each(
        "one of two items is",
        r#""failed" "error" "partial" "skipped" "preview_only" "dry_run" "manual_required"
            "not_applied" "ignored""#,
        second,
    );
    rows.extend(UNRECOGNISED.each(
        "one of two items is",
        r#"null 1 true [] {} "" "Applied" "applied␣" "␣applied" "APPLIED" "applied\u0000"
            "restored" "ok""#,
        second,
    ));
    rows.extend(SUCCEEDED.each(
        "one of two items is",
        r#""applied" "succeeded" "success" "created" "updated" "mapped_existing" "created_copy""#,
        second,
    ));
    let whole = |case: &mut Case, item: &str| {
        case.restore.metadata = Column::Null;
        case.items(&format!(r#"{{"101":{{"status":"applied"}},"102":{item}}}"#));
    };
    rows.extend(SUCCEEDED.each(
        "an item says it under another key, or twice, or nothing else is said",
        r#"{"decision":"applied"} {"outcome":"created"} {"status":"applied","decision":"created"}
            {"status":null,"outcome":"success"} {"status":"applied","error":null}
            {"status":"applied","error":""} {"status":"applied","error":"␣"}
            {"status":"applied","error":[]} {"status":"applied","error":{}}
            {"status":"applied","error":0} {"status":"applied","error":false}
            {"status":"applied","success":true} {"status":"applied","success":null}"#,
        whole,
    ));
    rows.extend(UNRECOGNISED.each(
        "an item contradicts itself",
        r#"{"status":"applied","decision":"failed"} {"status":"failed","outcome":"created"}
            {"status":"applied","outcome":"done"} {"decision":"applied","outcome":5}
            {"status":"partial","decision":"applied"} {"status":"applied","error":"HTTP␣500"}
            {"status":"applied","error":{"code":409}} {"status":"applied","error":[0]}
            {"status":"created","error":1} {"status":"applied","error":true}
            {"status":"applied","error":0.5} {"status":"applied","success":false}
            {"decision":"mapped_existing","success":false}"#,
        whole,
    ));
    rows.push(
        UNRECOGNISED.row("an error of 300 characters beside a success", |case| {
            let error = "e".repeat(300);
            whole(
                case,
                &format!(r#"{{"status":"applied","error":"{error}"}}"#),
            );
        }),
    );
    rows.extend(MIXED.each(
        "an item was not applied, whatever else it says",
        r#"{"status":"failed","error":"HTTP␣500"} {"status":"failed","success":true}
            {"status":"skipped","decision":"preview_only"} {"outcome":"partial","success":false}"#,
        whole,
    ));
    rows.extend(UNRECOGNISED.each(
        "an item that is no map",
        r#""applied" null [] 1 ["applied"]"#,
        |case, item| {
            case.restore.metadata = Column::Null;
            case.items(&format!(r#"{{"101":{{"status":"applied"}},"102":{item}}}"#));
        },
    ));
    rows.extend(UNRECOGNISED.each(
        "results cannot be read",
        r#"∅ { 5 true "done" [{"status":"applied"}] {"items":"all"} {"items":2}
            {"foundations":"none","items":{"101":{"status":"applied"}}}
            {"items":{},"items":{"101":{"status":"applied"},"102":{"status":"applied"}}}
            {"items":{"101":{"status":"applied"},"102":{"status":"applied","x":"\ud800"}}}"#,
        |case, results| case.restore.results = json(results),
    ));
    rows.extend(MISSING.each(
        "results without rows, whatever the counters say",
        r#"null [] {} {"items":[]} {"items":{}} {"items":null} {"foundations":[]}"#,
        |case, results| case.restore.results = json(results),
    ));
    rows.extend([
        UNRECOGNISED.row("results too large to fetch", |case| case.restore.results = Column::Oversized),
        MISSING.row("results are SQL null", |case| case.restore.results = Column::Null),
        UNRECOGNISED.row("results not UTF-8", |case| {
            case.restore.results = Column::Bytes(b"{\"items\":{\"\xff\":{}}}".to_vec());
        }),
        MISSING.row("a requested item without a row", |case| {
            case.restore.metadata = Column::Null;
            case.items(r#"{"101":{"status":"applied"}}"#);
        })
        .gaps("restore.items_missing"),
        UNEXPECTED.row("a row that nobody requested", |case| {
            case.restore.requested_items = json("[101]");
        })
        .gaps("restore.items_unexpected"),
        MISSING.row("one row instead of another: missing comes first", |case| {
            case.restore.requested_items = json("[101,103]");
        })
        .gaps("restore.items_missing restore.items_unexpected"),
        UNEXPECTED.row("one id twice among the rows", |case| {
            case.restore.metadata = Column::Null;
            case.items(r#"{"101":{"status":"applied"},"102":{"status":"applied"},"101":{"status":"applied"}}"#);
        })
        .gaps("restore.items_unexpected"),
        UNEXPECTED.row("one id twice, written 101 and 0101", |case| {
            case.restore.metadata = Column::Null;
            case.items(r#"{"101":{"status":"applied"},"102":{"status":"applied"},"0101":{"status":"applied"}}"#);
        }),
        UNEXPECTED.row("one id twice in the request", |case| {
            case.restore.requested_items = json(r#"[101,102,"101"]"#);
        })
        .gaps("restore.items_unexpected"),
        UNRECOGNISED.row("one key twice in an item", |case| {
            case.restore.metadata = Column::Null;
            case.items(r#"{"101":{"status":"failed","status":"applied"},"102":{"status":"applied"}}"#);
        }),
        MISSING.row("every gap of the leg but one at once", |case| {
            case.items(r#"{"101":{"status":"applied"},"7":{"status":"skipped"},"8":{"status":"vanished"}}"#);
        })
        .gaps("restore.items_missing restore.items_unrecognised restore.items_mixed restore.items_unexpected restore.counts_conflict"),
        MISSING.row("items before audit, evidence and the open window", |case| {
            case.as_of = moment("11:36:00");
            case.restore.results = Column::Null;
            case.audits.clear();
            case.snapshots.clear();
        })
        .gaps("restore.items_missing restore.audit_missing restore.evidence_missing"),
        SUCCEEDED.row("items as a list whose rows carry their ids", |case| {
            case.items(r#"[{"backup_item_id":101,"status":"applied"},{"backup_item_id":"102","status":"applied"}]"#);
        }),
        NOTHING_APPLIED.row("two rows that give themselves each other's id", |case| {
            case.items(r#"{"101":{"backup_item_id":102,"status":"applied"},"102":{"backup_item_id":101,"status":"applied"}}"#);
        }),
        UNRECOGNISED.row("a row that gives itself a requested id its key is not", |case| {
            case.items(r#"{"101":{"status":"applied"},"102":{"backup_item_id":1.5,"status":"applied"}}"#);
        }),
        SUCCEEDED.row("rows that repeat their key", |case| {
            case.items(r#"{"101":{"backup_item_id":"101","status":"applied"},"102":{"backup_item_id":102,"status":"applied"}}"#);
        }),
        UNRECOGNISED.row("more items than are read", |case| {
            let rows: Vec<_> = (0..=ITEMS_MAX).map(|id| format!(r#""{id}":{{"status":"applied"}}"#)).collect();
            case.items(&format!("{{{}}}", rows.join(",")));
            case.restore.requested_items = Column::Null;
            case.restore.metadata = Column::Null;
        }),
        SUCCEEDED.row("as many items as are read, of a set of as many", |case| {
            let ids = 0..i64::try_from(ITEMS_MAX).unwrap();
            let rows: Vec<_> = ids.clone().map(|id| format!(r#""{id}":{{"status":"applied"}}"#)).collect();
            case.items(&format!("{{{}}}", rows.join(",")));
            case.restore.requested_items = Column::Null;
            case.restore.backup_items = SetItems::Ids(ids.collect());
            case.restore.metadata = Column::Null;
        }),
        SUCCEEDED.row("items as a list because the ids are 0 and 1", |case| {
            case.items(r#"[{"status":"applied"},{"status":"applied"}]"#);
            case.restore.requested_items = json("[0,1]");
        }),
        MISSING.row("items as a list of other ids than requested", |case| {
            case.items(r#"[{"status":"applied"},{"status":"applied"}]"#);
        })
        .gaps("restore.items_missing restore.items_unexpected"),
    ]);
    rows
}

/// Rule 21: what stands under an item, and beside the items.
pub(super) fn assignment_and_foundation_rows() -> Vec<Row> {
    let with = |case: &mut Case, fields: &str| {
        case.one_item(&format!(r#"{{"status":"applied",{fields}}}"#));
    };
    let foundations = |case: &mut Case, list: &str| {
        case.restore.results = json(&format!(
            r#"{{"foundations":{list},"items":{{"101":{{"status":"applied"}},"102":{{"status":"applied"}}}}}}"#
        ));
    };
    let mut rows = MIXED.each(
        "assignments not applied",
        r#""assignment_outcomes":[{"status":"success"},{"status":"failed"}]
            "assignment_outcomes":{"0":{"status":"skipped"}}
            "assignment_summary":{"success":3,"failed":1} "assignment_summary":{"skipped":"1"}"#,
        with,
    );
    rows.extend(UNRECOGNISED.each(
        "assignments not understood",
        r#""assignment_outcomes":"all" "assignment_outcomes":1
            "assignment_outcomes":["success"] "assignment_outcomes":[{"status":null}]
            "assignment_outcomes":[{}] "assignment_summary":{"success":1,"unclear":1}
            "assignment_summary":{"success":-1} "assignment_summary":{"success":1.5}
            "assignment_summary":{"failed":"none"} "assignment_summary":[1,2]
            "assignment_summary":"2␣of␣2""#,
        with,
    ));
    rows.extend(SUCCEEDED.each(
        "assignments applied, or none",
        r#""assignment_outcomes":[] "assignment_outcomes":null,"assignment_summary":null
            "assignment_summary":[]
            "assignment_summary":{"total":2,"success":"2","failed":0,"skipped":null}
            "assignment_outcomes":[{"status":"success"}],"assignment_summary":{"success":1}
            "assignment_outcomes":[{"status":"success"}],"assignment_summary":{"applied":1,"failed":0}"#,
        with,
    ));
    rows.extend(CONFLICT.each(
        "assignment list and counts disagree",
        r#""assignment_outcomes":[{"status":"success"}],"assignment_summary":{"success":2}
            "assignment_outcomes":[],"assignment_summary":{"success":1}
            "assignment_outcomes":[{"status":"success"}],"assignment_summary":[]
            "assignment_outcomes":[{"status":"success"}],"assignment_summary":{"failed":1}
            "assignment_summary":{"total":5,"success":2}
            "assignment_summary":{"total":"some","success":2}"#,
        with,
    ));
    rows.extend(MIXED.each(
        "a foundation is not applied",
        r#"[{"decision":"skipped"}] [{"decision":"created"},{"decision":"failed"}]
            {"3":{"decision":"partial"}}"#,
        foundations,
    ));
    let beside = |case: &mut Case, part: &str| {
        case.restore.results = json(&format!(
            r#"{{{part},"items":{{"101":{{"status":"applied"}},"102":{{"status":"applied"}}}}}}"#
        ));
    };
    rows.extend(MIXED.each(
        "beside the items, something was not applied",
        r#""assignments":[{"status":"success"},{"status":"failed"}]
            "assignments":{"5":{"decision":"skipped"}}
            "mappings":{"foundations":[{"decision":"failed"}]}"#,
        beside,
    ));
    rows.extend(UNRECOGNISED.each(
        "what stands beside the items is not understood",
        r#""assignments":[{}] "assignments":["success"] "assignments":"all"
            "assignments":[{"status":"success","error":"HTTP␣500"}]
            "assignments":[],"assignments":[{"status":"success"}]
            "mappings":{"foundations":[{"decision":"Created"}]} "mappings":{"foundations":7}
            "mappings":7 "mappings":[{"foundations":[]}] "foundations":true"#,
        beside,
    ));
    rows.extend(SUCCEEDED.each(
        "what stands beside the items is applied, or nothing",
        r#""assignments":[] "assignments":null "assignments":[{"status":"success"}]
            "mappings":[] "mappings":null "mappings":{"groups":{"a":"b"}}
            "mappings":{"foundations":[{"decision":"mapped_existing"}]}"#,
        beside,
    ));
    rows.extend(UNRECOGNISED.each(
        "a foundation is not understood",
        r#"[{"status":"created","decision":"failed"}] ["created"] [null] [{"decision":"Created"}]
            [{"decision":"failed","decision":"created"}]"#,
        foundations,
    ));
    rows.extend(SUCCEEDED.each(
        "foundations are applied, or none",
        r#"[] null {} [{"decision":"created"}] [{"status":"created"}] {"0":{"decision":"created_copy"}}"#,
        foundations,
    ));
    rows.push(MISSING.row("only foundations", |case| {
        case.restore.metadata = Column::Null;
        case.restore.results = json(r#"{"foundations":[{"decision":"created"}]}"#);
    }));
    rows
}

/// Rule 21: `requested_items`.
pub(super) fn request_rows() -> Vec<Row> {
    let request = |case: &mut Case, value: &str| case.restore.requested_items = json(value);
    let mut rows = REQUEST.each(
        "requested_items cannot be read",
        r#"∅ { true 2 "101,102" [101,null] [101,102.5] [[101,102]] [{"id":101}] {"101":true}"#,
        request,
    );
    rows.extend(SUCCEEDED.each(
        "requested_items",
        r#"[102,101] ["101",102] {"0":101,"2":102} ["0101","102"]"#,
        request,
    ));
    rows.extend(UNEXPECTED.each(
        "nothing was requested, yet there are rows",
        "[] {}",
        request,
    ));
    rows.extend([
        REQUEST.row("requested_items too large to fetch", |case| {
            case.restore.requested_items = Column::Oversized;
        }),
        SUCCEEDED.row(
            "null, and the rows are the items of the backup set",
            |case| {
                case.restore.requested_items = Column::Null;
            },
        ),
        SUCCEEDED.row("null, and nobody counted", |case| {
            request(case, "null");
            case.restore.metadata = json(r#"{"succeeded":2}"#);
        }),
        MISSING
            .row("null, five items in the set and two rows", |case| {
                request(case, "null");
                case.restore.backup_items = SetItems::Ids((101..106).collect());
            })
            .gaps("restore.items_missing"),
        UNEXPECTED
            .row("null, and a row that is not in the set", |case| {
                request(case, "null");
                case.restore.backup_items = SetItems::Ids(vec![101]);
            })
            .gaps("restore.items_unexpected"),
        REQUEST
            .row("null, and there is no set in the run's scope", |case| {
                request(case, "null");
                case.restore.backup_items = SetItems::Absent;
            })
            .gaps("restore.request_unreadable"),
        REQUEST.row("null, and the set is empty", |case| {
            request(case, "null");
            case.restore.backup_items = SetItems::Ids(vec![]);
        }),
        REQUEST.row("null, and the set holds more items than are read", |case| {
            let items = i64::try_from(ITEMS_MAX).unwrap();
            request(case, "null");
            case.restore.backup_items = SetItems::Ids((0..=items).collect());
        }),
        CONFLICT
            .row("null, and the counter total says another number", |case| {
                request(case, "null");
                case.restore.metadata = json(r#"{"total":3}"#);
            })
            .gaps("restore.counts_conflict"),
        MISSING.row("an integer of 64 bits names an item", |case| {
            request(case, "[101,9007199254740993]");
        }),
        REQUEST.row("a number with a fraction names no item", |case| {
            request(case, "[101,102.0]");
        }),
    ]);
    rows
}

/// Rule 21: counters of `metadata`.
pub(super) fn counter_rows() -> Vec<Row> {
    let metadata = |case: &mut Case, value: &str| case.restore.metadata = json(value);
    let mut rows = CONFLICT.each(
        "a counter that is no count, or disagrees",
        r#"{"total":-2} {"total":2.5} {"total":2.0} {"total":2e0}
            {"total":2.00000000000000000001} {"total":"two"} {"total":"2.0"} {"total":"␣2"}
            {"total":true} {"total":[]} {"total":9007199254740993} {"total":1e30} {"total":3}
            {"total":0} {"succeeded":1} {"succeeded":"3"} {"failed":1} {"failed":-1}
            {"partial":1} {"skipped":1} {"non_applied":1} {"foundations_skipped":1}"#,
        metadata,
    );
    rows.extend(SUCCEEDED.each(
        "counters agree, or nobody counted",
        r#"null [] {} {"total":2} {"total":"2","succeeded":"2"} {"failed":null}
            {"total":2,"succeeded":2,"failed":0,"skipped":0,"partial":0,"non_applied":0,"foundations_skipped":0}
            {"execution_safety_snapshot":[],"preview_basis":"x","scope_basis":{"total":9}}"#,
        metadata,
    ));
    rows.extend(CONFLICT.each(
        "metadata cannot be read",
        r#"∅ { 5 "none" [1] {"total":2,"total":2} {"a":{"b":1,"b":1}}"#,
        metadata,
    ));
    rows.extend([
        CONFLICT.row("metadata that cannot be read also hides blockers", |case| metadata(case, "[1]"))
            .gaps("restore.counts_conflict restore.clearance_unreadable"),
        NOTHING_APPLIED.row("skipped is counted, and so it is among the rows", |case| {
            case.one_item(r#"{"status":"skipped"}"#);
            case.restore.metadata = json(r#"{"total":1,"succeeded":0,"skipped":1,"non_applied":1}"#);
        })
        .gaps("restore.nothing_applied restore.items_mixed"),
        NOTHING_APPLIED.row("more is counted as skipped than the rows hold", |case| {
            case.one_item(r#"{"status":"skipped"}"#);
            case.restore.metadata = json(r#"{"skipped":2}"#);
        })
        .gaps("restore.nothing_applied restore.items_mixed restore.counts_conflict"),
        MIXED.row("a skipped foundation is counted", |case| {
            case.one_item(r#"{"status":"applied"}"#);
            case.restore.results = json(r#"{"foundations":[{"decision":"skipped"}],"items":{"101":{"status":"applied"}}}"#);
            case.restore.metadata = json(r#"{"foundations_skipped":1}"#);
        })
        .gaps("restore.items_mixed"),
    ]);
    rows
}
