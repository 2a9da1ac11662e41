//! Restores that look as if they belonged to the run.

use reconciler_jobs::restore_execute::ReasonCode;
use serde_json::json;

use super::{Scenario, deferred, failed};
use crate::demo::case::Part;

const UNAVAILABLE: (super::Conclusion, ReasonCode) = deferred(ReasonCode::ProofUnavailable);

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "no restore at all",
        temptation: "The run has complete evidence of its own; no restore record belongs to it.",
        expected: UNAVAILABLE,
        differs: |case| {
            case.name_no_restore();
            case.without(Part::Restore);
        },
    },
    Scenario {
        name: "restore of a foreign workspace",
        temptation: "The context names a completed restore that points back at this run.",
        expected: UNAVAILABLE,
        differs: |case| case.restore_in_foreign_workspace(),
    },
    Scenario {
        name: "restore of a foreign environment",
        temptation: "The restore completed in the right workspace, in another environment of it.",
        expected: UNAVAILABLE,
        differs: |case| case.restore_in_foreign_environment(),
    },
    Scenario {
        name: "deleted restore",
        temptation: "The restore is complete and proven; somebody deleted its record since.",
        expected: UNAVAILABLE,
        differs: |case| {
            case.hide_restore();
            case.restore.deleted_at = Some(case.ago(5));
        },
    },
    Scenario {
        name: "restore of another run",
        temptation: "The context names a completed restore, which another run claims.",
        expected: UNAVAILABLE,
        differs: |case| {
            case.hide_restore();
            case.restore.operation_run_id = Some(case.other_run());
        },
    },
    Scenario {
        name: "two restores claim one run",
        temptation: "The named restore is proven; another one points at the same run.",
        expected: UNAVAILABLE,
        differs: |case| case.rivals.push(case.rival()),
    },
    Scenario {
        name: "named restore does not exist",
        temptation: "The context's restore is gone, and another proven one points at the run.",
        expected: UNAVAILABLE,
        differs: |case| case.note("restore_run_id", json!(case.restore.id + 5)),
    },
    Scenario {
        name: "restore id is a fraction",
        temptation: "Rounded, the context names exactly the proven restore.",
        expected: UNAVAILABLE,
        differs: |case| case.note("restore_run_id", json!(format!("{}.2", case.restore.id))),
    },
    Scenario {
        name: "context names another scope",
        temptation: "The restore matches the run; only the context's target scope does not.",
        expected: UNAVAILABLE,
        differs: |case| case.note("target_scope", json!({ "managed_environment_id": 999 })),
    },
    Scenario {
        name: "run without an environment",
        temptation: "The restore points at the run; the run is the workspace's own housekeeping.",
        expected: UNAVAILABLE,
        differs: |case| case.run.managed_environment_id = None,
    },
    Scenario {
        name: "older attempt completed",
        temptation: "Two attempts point at the run; the older one completed, the newer one failed.",
        expected: failed(ReasonCode::ExecutionFailed),
        differs: |case| {
            case.name_no_restore();
            let mut newer = case.rival();
            "failed".clone_into(&mut newer.status);
            case.rivals.push(newer);
        },
    },
];
