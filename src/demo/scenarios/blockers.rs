//! Restores that something stopped, each recorded in one of the places where the platform does so.

use reconciler_jobs::restore_execute::ReasonCode;
use serde_json::json;

use super::{Scenario, blocked, partially};
use crate::demo::case::Case;

impl Case {
    /// Nothing was applied, and the run's failure summary names the blocker under `code`.
    fn blocked_by_code(&mut self, blocker: ReasonCode) {
        self.nothing_applied();
        self.run.failure_summary = Some(json!([{ "code": blocker }]).to_string());
    }

    /// The same under `reason_code`.
    fn blocked_by_reason_code(&mut self, blocker: ReasonCode) {
        self.nothing_applied();
        let entry = json!({ "code": "restore.blocked", "reason_code": blocker });
        self.run.failure_summary = Some(json!([entry]).to_string());
    }

    /// Nothing was applied, and the run's context names the blocker.
    fn blocked_by_legitimacy(&mut self, blocker: ReasonCode) {
        self.nothing_applied();
        self.note("execution_legitimacy", json!({ "reason_code": blocker }));
    }

    /// Nothing was applied, and the restore's metadata names the blocker.
    fn blocked_in_metadata(&mut self, blocker: ReasonCode) {
        self.nothing_applied();
        self.count(json!({ "blocked_reason": blocker }));
    }

    /// Nothing was applied, and the restore's failure reason is the blocker.
    fn blocked_by_failure_reason(&mut self, blocker: ReasonCode) {
        self.nothing_applied();
        self.restore.failure_reason = Some(blocker.code().to_owned());
    }
}

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "workspace changed hands",
        temptation: "The restore says completed; the run noted a workspace mismatch.",
        expected: blocked(ReasonCode::WorkspaceMismatch),
        differs: |case| case.blocked_by_code(ReasonCode::WorkspaceMismatch),
    },
    Scenario {
        name: "environment not entitled",
        temptation: "Completed without one failed item; nothing was allowed to begin.",
        expected: blocked(ReasonCode::TenantNotEntitled),
        differs: |case| case.blocked_by_reason_code(ReasonCode::TenantNotEntitled),
    },
    Scenario {
        name: "capability missing",
        temptation: "The capability has been granted since, so the gate is open today.",
        expected: blocked(ReasonCode::MissingCapability),
        differs: |case| case.blocked_by_legitimacy(ReasonCode::MissingCapability),
    },
    Scenario {
        name: "environment not operable",
        temptation: "The environment is back, and the restore says completed.",
        expected: blocked(ReasonCode::TenantNotOperable),
        differs: |case| case.blocked_in_metadata(ReasonCode::TenantNotOperable),
    },
    Scenario {
        name: "environment missing",
        temptation: "No item failed, because there was nothing to write to.",
        expected: blocked(ReasonCode::TenantMissing),
        differs: |case| case.blocked_by_failure_reason(ReasonCode::TenantMissing),
    },
    Scenario {
        name: "initiator gone",
        temptation: "Completed and audited; whoever asked for it no longer exists.",
        expected: blocked(ReasonCode::InitiatorMissing),
        differs: |case| case.blocked_by_code(ReasonCode::InitiatorMissing),
    },
    Scenario {
        name: "initiator not entitled",
        temptation: "Completed and audited; whoever asked for it was not allowed to.",
        expected: blocked(ReasonCode::InitiatorNotEntitled),
        differs: |case| case.blocked_by_reason_code(ReasonCode::InitiatorNotEntitled),
    },
    Scenario {
        name: "provider connection invalid",
        temptation: "A snapshot was captured afterwards, so the provider seems to answer.",
        expected: blocked(ReasonCode::ProviderConnectionInvalid),
        differs: |case| case.blocked_by_legitimacy(ReasonCode::ProviderConnectionInvalid),
    },
    Scenario {
        name: "write gate closed",
        temptation: "The restore says completed; the gate let nothing through.",
        expected: blocked(ReasonCode::WriteGateBlocked),
        differs: |case| case.blocked_in_metadata(ReasonCode::WriteGateBlocked),
    },
    Scenario {
        name: "prerequisite invalid",
        temptation: "The checks passed once; at execution one of them did not hold.",
        expected: blocked(ReasonCode::ExecutionPrerequisiteInvalid),
        differs: |case| case.blocked_by_failure_reason(ReasonCode::ExecutionPrerequisiteInvalid),
    },
    Scenario {
        name: "roles not configured",
        temptation: "Cancelled by nobody, failed nowhere, completed.",
        expected: blocked(ReasonCode::RbacNotConfigured),
        differs: |case| case.blocked_by_code(ReasonCode::RbacNotConfigured),
    },
    Scenario {
        name: "role check failed",
        temptation: "The restore failed, which reads as if it had tried.",
        expected: blocked(ReasonCode::RbacUnhealthy),
        differs: |case| {
            case.ended("failed");
            case.blocked_by_reason_code(ReasonCode::RbacUnhealthy);
        },
    },
    Scenario {
        name: "role check too old",
        temptation: "The check had passed, only some time ago.",
        expected: blocked(ReasonCode::RbacStale),
        differs: |case| case.blocked_by_legitimacy(ReasonCode::RbacStale),
    },
    Scenario {
        name: "operations paused",
        temptation: "Operations were resumed since, and the restore says completed.",
        expected: blocked(ReasonCode::OperationalControlPaused),
        differs: |case| case.blocked_in_metadata(ReasonCode::OperationalControlPaused),
    },
    Scenario {
        name: "blocked half-way",
        temptation: "Every item that was tried is applied, and blocked sounds untouched.",
        expected: partially(ReasonCode::BlockedAfterWrites),
        differs: |case| {
            case.count(json!({ "blocked_reason": ReasonCode::OperationalControlPaused }));
        },
    },
    Scenario {
        name: "blocker cannot be read",
        temptation: "All else is proven; what the failure summary says cannot be read.",
        expected: partially(ReasonCode::ClearanceUnreadable),
        differs: |case| case.run.failure_summary = Some(r#""write gate?""#.to_owned()),
    },
];
