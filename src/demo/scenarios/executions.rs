//! Restores that did not run to their end, or ended in another way than they seem to.

use reconciler_jobs::restore_execute::ReasonCode;
use serde_json::json;

use super::{Scenario, blocked, deferred, failed, partially};
use crate::demo::case::Part;

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "preview marked completed",
        temptation: "Status completed, every item applied, evidence complete: in a dry run.",
        expected: deferred(ReasonCode::PreviewOnly),
        differs: |case| case.restore.is_dry_run = true,
    },
    Scenario {
        name: "previewed, with results",
        temptation: "The results list every item as applied before anything was executed.",
        expected: deferred(ReasonCode::NotExecuted),
        differs: |case| case.ended("previewed"),
    },
    Scenario {
        name: "draft with evidence",
        temptation: "A draft with a complete evidence snapshot taken for its run.",
        expected: deferred(ReasonCode::NotExecuted),
        differs: |case| {
            case.ended("draft");
            case.without_items();
        },
    },
    Scenario {
        name: "running, all results in",
        temptation: "Every item is applied; only the status has not been set yet.",
        expected: deferred(ReasonCode::InProgress),
        differs: |case| case.ended("running"),
    },
    Scenario {
        name: "queued again",
        temptation: "The first attempt applied everything; the restore is queued once more.",
        expected: deferred(ReasonCode::InProgress),
        differs: |case| case.ended("queued"),
    },
    Scenario {
        name: "status with a trailing space",
        temptation: "Trimmed, the status reads completed.",
        expected: deferred(ReasonCode::StatusUnknown),
        differs: |case| "Completed ".clone_into(&mut case.restore.status),
    },
    Scenario {
        name: "status of a newer platform",
        temptation: "The status reads verified, which sounds better than completed.",
        expected: deferred(ReasonCode::StatusUnknown),
        differs: |case| "verified".clone_into(&mut case.restore.status),
    },
    Scenario {
        name: "completed a moment ago",
        temptation: "Restore and audit entry are complete; evidence will surely follow.",
        expected: deferred(ReasonCode::Settling),
        differs: |case| {
            case.ended_ago(0);
            case.without(Part::Snapshot);
        },
    },
    Scenario {
        name: "evidence on its way",
        temptation: "A snapshot is being generated and will surely be complete.",
        expected: deferred(ReasonCode::Settling),
        differs: |case| {
            case.ended_ago(15);
            "generating".clone_into(&mut case.snapshot.status);
        },
    },
    Scenario {
        name: "cancelled at once",
        temptation: "The restore ended, was audited, and evidence was captured after it.",
        expected: blocked(ReasonCode::Cancelled),
        differs: |case| {
            case.ended("cancelled");
            case.nothing_applied();
        },
    },
    Scenario {
        name: "cancelled, foundations mapped",
        temptation: "Foundations count as applied; they were found, and nothing was written.",
        expected: blocked(ReasonCode::Cancelled),
        differs: |case| {
            case.ended("cancelled");
            case.nothing_applied();
            case.foundation("mapped_existing");
        },
    },
    Scenario {
        name: "cancelled near the end",
        temptation: "Two of three items are applied, and cancelled sounds as if nothing happened.",
        expected: partially(ReasonCode::CancelledAfterWrites),
        differs: |case| {
            case.ended("cancelled");
            case.without_item("503");
            case.count(json!({ "succeeded": 2 }));
        },
    },
    Scenario {
        name: "cancelled, one foundation created",
        temptation: "No item was touched, so nothing seems to have changed.",
        expected: partially(ReasonCode::CancelledAfterWrites),
        differs: |case| {
            case.ended("cancelled");
            case.nothing_applied();
            case.foundation("created");
        },
    },
    Scenario {
        name: "aborted at once",
        temptation: "An old status that newer code no longer lists, with complete evidence.",
        expected: failed(ReasonCode::Aborted),
        differs: |case| {
            case.ended("aborted");
            case.nothing_applied();
        },
    },
    Scenario {
        name: "aborted, counters only",
        temptation: "No item rows remain, so nothing seems applied; the counters say two were.",
        expected: partially(ReasonCode::AbortedAfterWrites),
        differs: |case| {
            case.ended("aborted");
            case.nothing_applied();
            case.count(json!({ "succeeded": 2, "skipped": 1, "non_applied": 1 }));
        },
    },
    Scenario {
        name: "failed with every item applied",
        temptation: "Every item is applied; the job died after the last one.",
        expected: failed(ReasonCode::ExecutionFailed),
        differs: |case| case.ended("failed"),
    },
];
