//! Completed restores, every item applied, whose end nobody else recorded or looked at.

use reconciler_jobs::restore_execute::ReasonCode;

use super::{Scenario, partially};
use crate::demo::case::{HIDDEN_IDS, Part};

pub(super) const AUDIT: &[Scenario] = &[
    Scenario {
        name: "no audit entry",
        temptation: "Restore, items and evidence agree; only the log is silent.",
        expected: partially(ReasonCode::AuditMissing),
        differs: |case| case.without(Part::Audit),
    },
    Scenario {
        name: "audit entry of our own kind",
        temptation: "An entry says restore.completed, about an operation run with that number.",
        expected: partially(ReasonCode::AuditMissing),
        differs: |case| "operation_run".clone_into(&mut case.audit.resource_type),
    },
    Scenario {
        name: "audit entry of a foreign workspace",
        temptation: "The entry names this restore; it was written in another workspace.",
        expected: partially(ReasonCode::AuditMissing),
        differs: |case| case.audit_in_foreign_workspace(),
    },
    Scenario {
        name: "audit entry of the preview",
        temptation: "The entry is about this restore, and says that its preview was fine.",
        expected: partially(ReasonCode::AuditMissing),
        differs: |case| "restore.previewed".clone_into(&mut case.audit.action),
    },
    Scenario {
        name: "audit entry before the start",
        temptation: "An entry records completion, from before this attempt began.",
        expected: partially(ReasonCode::AuditMissing),
        differs: |case| case.audit.recorded_at = case.ago(300),
    },
    Scenario {
        name: "failure audited, restore completed",
        temptation: "The restore's own record says completed; the log is somebody else's.",
        expected: partially(ReasonCode::AuditContradicts),
        differs: |case| {
            case.ended("failed");
            "completed".clone_into(&mut case.restore.status);
        },
    },
    Scenario {
        name: "failure audited afterwards",
        temptation: "The log says completed; a later entry says failed.",
        expected: partially(ReasonCode::AuditContradicts),
        differs: |case| {
            let mut later = case.later_audit(3);
            "restore.failed".clone_into(&mut later.action);
            "failure".clone_into(&mut later.status);
            later.outcome = Some("failure".to_owned());
            case.more_audits.push(later);
        },
    },
];

pub(super) const EVIDENCE: &[Scenario] = &[
    Scenario {
        name: "no evidence",
        temptation: "Everything was applied and audited; looking again would only confirm it.",
        expected: partially(ReasonCode::EvidenceMissing),
        differs: |case| case.without(Part::Snapshot),
    },
    Scenario {
        name: "evidence of another run",
        temptation: "A complete, fresh snapshot of the same environment, taken for another run.",
        expected: partially(ReasonCode::EvidenceMissing),
        differs: |case| {
            case.snapshot.id += HIDDEN_IDS;
            case.snapshot.operation_run_id = Some(case.other_run());
        },
    },
    Scenario {
        name: "evidence of a foreign workspace",
        temptation: "A complete snapshot names this run; it was taken in another workspace.",
        expected: partially(ReasonCode::EvidenceMissing),
        differs: |case| case.snapshot_in_foreign_workspace(),
    },
    Scenario {
        name: "evidence never finished",
        temptation: "A snapshot for this run was begun two hours ago.",
        expected: partially(ReasonCode::EvidenceInProgress),
        differs: |case| {
            "generating".clone_into(&mut case.snapshot.status);
            case.snapshot.generated_at = None;
        },
    },
    Scenario {
        name: "evidence incomplete",
        temptation: "The snapshot is active, fresh, and holds nearly everything.",
        expected: partially(ReasonCode::EvidenceIncomplete),
        differs: |case| "partial".clone_into(&mut case.snapshot.completeness_state),
    },
    Scenario {
        name: "newer evidence incomplete",
        temptation: "A complete snapshot exists; a newer one, which is not, took its place.",
        expected: partially(ReasonCode::EvidenceIncomplete),
        differs: |case| {
            let mut newer = case.later_snapshot();
            "missing".clone_into(&mut newer.completeness_state);
            case.more_snapshots.push(newer);
        },
    },
    Scenario {
        name: "evidence expired an hour ago",
        temptation: "The snapshot was complete and newer than the restore, until an hour ago.",
        expected: partially(ReasonCode::EvidenceExpired),
        differs: |case| case.snapshot.expires_at = Some(case.ago(60)),
    },
    Scenario {
        name: "evidence expired just now",
        temptation: "Its last second of validity is the one in which the run is judged.",
        expected: partially(ReasonCode::EvidenceExpired),
        differs: |case| case.snapshot.expires_at = Some(case.ago(0)),
    },
    Scenario {
        name: "evidence older than the restore",
        temptation: "The snapshot is complete and valid; it was taken while the restore ran.",
        expected: partially(ReasonCode::EvidencePredatesRestore),
        differs: |case| case.snapshot.generated_at = Some(case.ago(150)),
    },
    Scenario {
        name: "nobody knows when it ended",
        temptation: "Completed, audited, complete evidence; the end has no date.",
        expected: partially(ReasonCode::EvidencePredatesRestore),
        differs: |case| case.restore.completed_at = None,
    },
    Scenario {
        name: "end at infinity",
        temptation: "The end has a date, which is infinity.",
        expected: partially(ReasonCode::EvidencePredatesRestore),
        differs: |case| case.restore.completed_at = Some("infinity".to_owned()),
    },
    Scenario {
        name: "end in the future",
        temptation: "The restore ended tomorrow, and evidence was captured today.",
        expected: partially(ReasonCode::EvidencePredatesRestore),
        differs: |case| case.restore.completed_at = Some(case.ago(-24 * 60)),
    },
    Scenario {
        name: "evidence superseded",
        temptation: "The snapshot was complete; only its status is superseded.",
        expected: partially(ReasonCode::EvidenceNotCurrent),
        differs: |case| "superseded".clone_into(&mut case.snapshot.status),
    },
    Scenario {
        name: "evidence capture failed",
        temptation: "A snapshot exists, is marked complete, and failed.",
        expected: partially(ReasonCode::EvidenceNotCurrent),
        differs: |case| "failed".clone_into(&mut case.snapshot.status),
    },
];
