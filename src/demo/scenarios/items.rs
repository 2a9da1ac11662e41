//! Completed restores whose items do not add up.

use reconciler_jobs::restore_execute::ReasonCode;
use serde_json::json;

use super::{Scenario, failed, partially};

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "counters without rows",
        temptation: "The counters say that all three items succeeded.",
        expected: partially(ReasonCode::ItemsMissing),
        differs: |case| case.without_items(),
    },
    Scenario {
        name: "results are empty",
        temptation: "Completed without a single failure, because nothing is recorded.",
        expected: partially(ReasonCode::ItemsMissing),
        differs: |case| {
            case.restore.results = Some("[]".to_owned());
            case.restore.metadata = None;
        },
    },
    Scenario {
        name: "requested item without a result",
        temptation: "Everything that has a result is applied.",
        expected: partially(ReasonCode::ItemsMissing),
        differs: |case| {
            case.without_item("502");
            case.count(json!({ "total": 2, "succeeded": 2 }));
        },
    },
    Scenario {
        name: "nobody knows what was requested",
        temptation: "All rows are applied; whether these are all, no record says.",
        expected: partially(ReasonCode::ItemsMissing),
        differs: |case| {
            case.restore.requested_items = None;
            case.restore.metadata = Some("{}".to_owned());
        },
    },
    Scenario {
        name: "unknown item outcome",
        temptation: "One item reads applied_with_warnings, which sounds applied.",
        expected: partially(ReasonCode::ItemsUnrecognised),
        differs: |case| {
            case.item("502", json!({ "status": "applied_with_warnings" }));
            case.count(json!({ "succeeded": 2 }));
        },
    },
    Scenario {
        name: "item outcome in capitals",
        temptation: "Everybody can see that Applied means applied.",
        expected: partially(ReasonCode::ItemsUnrecognised),
        differs: |case| {
            case.every_item("Applied");
            case.count(json!({ "succeeded": 0 }));
        },
    },
    Scenario {
        name: "results cannot be read",
        temptation: "The status says completed, and a text beside it says that all went well.",
        expected: partially(ReasonCode::ItemsUnrecognised),
        differs: |case| case.restore.results = Some(r#""all 3 items applied""#.to_owned()),
    },
    Scenario {
        name: "one item skipped",
        temptation: "Completed, no failures; one item was left for later.",
        expected: partially(ReasonCode::ItemsMixed),
        differs: |case| {
            case.item("502", json!({ "status": "skipped" }));
            case.count(json!({ "succeeded": 2, "skipped": 1, "non_applied": 1 }));
        },
    },
    Scenario {
        name: "assignments failed",
        temptation: "Every item is applied; one item's assignment to its group is not.",
        expected: partially(ReasonCode::ItemsMixed),
        differs: |case| {
            let outcomes = json!([{ "status": "applied" }, { "status": "failed" }]);
            case.item(
                "502",
                json!({ "status": "applied", "assignment_outcomes": outcomes }),
            );
        },
    },
    Scenario {
        name: "foundation left to a person",
        temptation: "Every item is applied; the filter they rely on has to be made by hand.",
        expected: partially(ReasonCode::ItemsMixed),
        differs: |case| case.foundation("manual_required"),
    },
    Scenario {
        name: "partial, every item applied",
        temptation: "The restore says partial, yet every single row is applied.",
        expected: partially(ReasonCode::ItemsMixed),
        differs: |case| case.ended("partial"),
    },
    Scenario {
        name: "completed with errors",
        temptation: "The old status begins with completed, and every row is applied.",
        expected: partially(ReasonCode::ItemsMixed),
        differs: |case| case.ended("completed_with_errors"),
    },
    Scenario {
        name: "item nobody requested",
        temptation: "Everything requested is applied, and one policy on top.",
        expected: partially(ReasonCode::ItemsUnexpected),
        differs: |case| {
            case.item("666", json!({ "status": "applied" }));
            case.count(json!({ "total": 4, "succeeded": 4 }));
        },
    },
    Scenario {
        name: "one item twice",
        temptation: "Four rows, four applied; two of them are about the same item.",
        expected: partially(ReasonCode::ItemsUnexpected),
        differs: |case| {
            case.item("0503", json!({ "status": "applied" }));
            case.count(json!({ "total": 4, "succeeded": 4 }));
        },
    },
    Scenario {
        name: "item under another's key",
        temptation: "Three rows for three items; one row says that it is another item.",
        expected: partially(ReasonCode::ItemsUnrecognised),
        differs: |case| case.item("503", json!({ "status": "applied", "backup_item_id": 502 })),
    },
    Scenario {
        name: "counters disagree",
        temptation: "Every row is applied; the counter is probably just behind.",
        expected: partially(ReasonCode::CountsConflict),
        differs: |case| case.count(json!({ "succeeded": 2, "failed": 1 })),
    },
    Scenario {
        name: "counter below zero",
        temptation: "Minus one failure is less than none.",
        expected: partially(ReasonCode::CountsConflict),
        differs: |case| case.count(json!({ "failed": -1 })),
    },
    Scenario {
        name: "counter is a fraction",
        temptation: "Rounded, the counters agree with the rows.",
        expected: partially(ReasonCode::CountsConflict),
        differs: |case| case.count(json!({ "succeeded": 2.9 })),
    },
    Scenario {
        name: "assignment counts disagree",
        temptation: "The listed assignments are applied; their counts speak of two more.",
        expected: partially(ReasonCode::CountsConflict),
        differs: |case| {
            let item = json!({
                "status": "applied",
                "assignment_outcomes": [{ "status": "applied" }],
                "assignment_summary": { "applied": 3 },
            });
            case.item("502", item);
        },
    },
    Scenario {
        name: "completed, every item failed",
        temptation: "The restore says completed.",
        expected: failed(ReasonCode::AllItemsFailed),
        differs: |case| case.every_item("failed"),
    },
];
