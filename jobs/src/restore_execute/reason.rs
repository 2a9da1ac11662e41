//! The closed registry of reason codes.
//!
//! A code is all that travels: into `context.reconciliation`, audit entries, metric labels and
//! scripts. The sentences beside it are the only words this product ever says about a decision, so
//! that no surface can promise more than the rules do.
//!
//! **Invariant:** codes are written and read only through this enum. A test fails if a code can
//! never be produced.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::decision::Outcome;

/// Stands wherever something positive is said about a restore.
pub const CLAIM_BOUNDARY: &str = "Completion and evidence do not prove environment recovery.";

/// What a code means to a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Explanation {
    /// What was found, in one sentence that is safe to store and to show.
    pub sentence: &'static str,
    /// What it means for somebody who relies on the restore.
    pub impact: &'static str,
    /// What to do next.
    pub next_action: &'static str,
}

macro_rules! registry {
    ($($variant:ident = $code:literal {
        $sentence:literal
        impact: $impact:literal
        next: $next:literal
    })+) => {
        /// Why a decision came out as it did, or what one leg lacks.
        ///
        /// The order of the variants is the order in which the rulebook lists them. It orders the
        /// gaps of one leg, of which the first is the primary reason where that leg decides. Which
        /// leg decides is the order of the decision table's rows, and that is another one: clearance
        /// that cannot be read (row 18) comes before gaps of audit and evidence, although they are
        /// listed before it, because no time could close it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum ReasonCode {
            $(#[doc = concat!("`", $code, "`: ", $sentence)] $variant,)+
        }

        impl ReasonCode {
            /// Every code, in registry order.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// The code as it is stored and shown.
            #[must_use]
            pub const fn code(self) -> &'static str {
                match self { $(Self::$variant => $code,)+ }
            }

            /// What the code means to a person.
            #[must_use]
            pub const fn explanation(self) -> Explanation {
                match self {
                    $(Self::$variant => Explanation {
                        sentence: $sentence,
                        impact: $impact,
                        next_action: $next,
                    },)+
                }
            }
        }
    };
}

registry! {
    UnsupportedType = "run.unsupported_type" {
        "This run is not of type restore.execute."
        impact: "Nothing was judged and nothing was written."
        next: "Use the product's own page for this type of operation."
    }
    AlreadyTerminal = "run.already_terminal" {
        "This run is closed already; a closed run is never changed."
        impact: "The outcome on the run stands as it is. It was not judged again."
        next: "Read the run's recorded reconciliation, if it has one."
    }
    RunStatusUnknown = "run.status_unknown" {
        "The run's own status is none of queued, running and completed."
        impact: "Nothing can be written to a run whose state is unknown."
        next: "Find out what wrote the status of this run and correct it there."
    }
    ContextMalformed = "run.context_malformed" {
        "The run's context cannot be read as a map without losing part of it."
        impact: "No verdict can be recorded, because recording one would damage the context."
        next: "Repair operation_runs.context of this run; it is looked at again by itself."
    }
    SettleFailed = "run.settle_failed" {
        "The database refused to record a verdict for this run alone."
        impact: "The run stays open; other runs are not affected."
        next: "Read the worker's log for the refused step, repair the cause, and reconcile the run."
    }
    ProofUnavailable = "restore.proof_unavailable" {
        "No restore record can be tied to this run with certainty."
        impact: "Nothing can be said about the restore."
        next: "Check which restore this run belongs to, then reconcile it again."
    }
    PreviewOnly = "restore.preview_only" {
        "The restore was a preview; nothing was executed."
        impact: "A preview proves what would be done, not that anything was."
        next: "Review the preview, or execute the restore."
    }
    NotExecuted = "restore.not_executed" {
        "The restore has not been executed yet."
        impact: "There is nothing to prove yet."
        next: "Continue preparing the restore, or discard it."
    }
    InProgress = "restore.in_progress" {
        "The restore is still queued or running."
        impact: "Results and evidence are not final."
        next: "Wait for the restore to end; it is looked at again by itself."
    }
    StatusUnknown = "restore.status_unknown" {
        "The restore's status is not one this version knows."
        impact: "An unknown status proves nothing, in either direction."
        next: "Compare restore_runs.status with the statuses in the rulebook; upgrade the worker if the platform is newer."
    }
    Settling = "restore.settling" {
        "The restore completed; its audit entry or its evidence may still arrive."
        impact: "A verdict is final, so it waits until the settle window closes."
        next: "Nothing; it is looked at again by itself."
    }
    Cancelled = "restore.cancelled" {
        "The restore was cancelled; no readable record shows that it applied anything."
        impact: "Results that are missing, unreadable or unknown are listed as gaps and could hide changes; all others show none."
        next: "Start a new restore if it is still wanted."
    }
    CancelledAfterWrites = "restore.cancelled_after_writes" {
        "The restore was cancelled after something had been applied."
        impact: "The environment holds part of the restore."
        next: "Review item outcomes, then restore the rest or undo what was applied."
    }
    Aborted = "restore.aborted" {
        "The restore was aborted; no readable record shows that it applied anything."
        impact: "Results that are missing, unreadable or unknown are listed as gaps and could hide changes; all others show none."
        next: "Find out why the restore was aborted, then start a new one."
    }
    AbortedAfterWrites = "restore.aborted_after_writes" {
        "The restore was aborted after something had been applied."
        impact: "The environment holds part of the restore."
        next: "Review item outcomes, then restore the rest or undo what was applied."
    }
    ExecutionFailed = "restore.execution_failed" {
        "The restore failed."
        impact: "Some requested changes may not have been applied."
        next: "Review failure details and item outcomes."
    }
    ItemsMissing = "restore.items_missing" {
        "Results do not cover everything that was requested, or what was requested is not recorded."
        impact: "Nobody can show that every requested item was restored."
        next: "Compare requested items with recorded results; restore what has no result."
    }
    ItemsUnrecognised = "restore.items_unrecognised" {
        "Results cannot be read, or hold an outcome this version does not know."
        impact: "What is not understood does not count as applied."
        next: "Review the named items; upgrade the worker if the platform writes newer outcomes."
    }
    ItemsMixed = "restore.items_mixed" {
        "Some items were skipped, applied in part, or failed."
        impact: "The restore is incomplete."
        next: "Review item outcomes before relying on the result."
    }
    ItemsUnexpected = "restore.items_unexpected" {
        "Results name an item that nobody requested, or one item twice."
        impact: "Results and request do not describe the same restore."
        next: "Compare requested items with recorded results."
    }
    CountsConflict = "restore.counts_conflict" {
        "The recorded counters disagree with the recorded item outcomes."
        impact: "One of the two records is wrong, so neither proves the restore."
        next: "Compare counters and item outcomes of this restore."
    }
    AllItemsFailed = "restore.all_items_failed" {
        "Every item failed."
        impact: "The restore ended without applying any item."
        next: "Review failure details."
    }
    AuditMissing = "restore.audit_missing" {
        "No audit entry records the end of this restore."
        impact: "The restore's own record stands alone; nothing independent confirms it."
        next: "Find out why the audit entry was not written."
    }
    AuditContradicts = "restore.audit_contradicts" {
        "The audit log says something else than the restore's status."
        impact: "Two records of the same restore disagree."
        next: "Review the audit entries of this restore."
    }
    EvidenceMissing = "restore.evidence_missing" {
        "No post-run evidence snapshot exists for this run."
        impact: "Nobody looked at the environment after the restore."
        next: "Capture evidence for this environment and review it by hand."
    }
    EvidenceInProgress = "restore.evidence_in_progress" {
        "The post-run evidence snapshot was not finished."
        impact: "There is no result to look at."
        next: "Find out why the snapshot did not finish."
    }
    EvidenceIncomplete = "restore.evidence_incomplete" {
        "The post-run evidence snapshot is not complete."
        impact: "What the snapshot does not hold stays unproven."
        next: "Review the snapshot's gaps, or capture evidence again."
    }
    EvidenceExpired = "restore.evidence_expired" {
        "The post-run evidence snapshot has expired."
        impact: "Expired evidence describes a state that may be gone."
        next: "Capture evidence again and review it by hand."
    }
    EvidencePredatesRestore = "restore.evidence_predates_restore" {
        "The evidence snapshot cannot be shown to be newer than the restore."
        impact: "It describes the environment before the restore ended."
        next: "Capture evidence again and review it by hand."
    }
    EvidenceNotCurrent = "restore.evidence_not_current" {
        "Evidence snapshots exist for this run, but none is active."
        impact: "Superseded, expired or failed snapshots prove nothing."
        next: "Capture evidence again and review it by hand."
    }
    WorkspaceMismatch = "workspace_mismatch" {
        "The restore was stopped because it belonged to another workspace."
        impact: "The write gate refused the restore."
        next: "Review blocker: the workspace the restore was started in."
    }
    TenantNotEntitled = "tenant_not_entitled" {
        "The restore was stopped because the environment was not entitled to it."
        impact: "The write gate refused the restore."
        next: "Review blocker: the environment's entitlement."
    }
    MissingCapability = "missing_capability" {
        "The restore was stopped because a capability was missing."
        impact: "The write gate refused the restore."
        next: "Review blocker: the capabilities of whoever started the restore."
    }
    TenantNotOperable = "tenant_not_operable" {
        "The restore was stopped because the environment could not be operated on."
        impact: "The write gate refused the restore."
        next: "Review blocker: the environment's state."
    }
    TenantMissing = "tenant_missing" {
        "The restore was stopped because its environment no longer existed."
        impact: "The write gate refused the restore."
        next: "Review blocker: whether the environment was removed."
    }
    InitiatorMissing = "initiator_missing" {
        "The restore was stopped because whoever started it no longer existed."
        impact: "The write gate refused the restore."
        next: "Review blocker: start the restore again under a current account."
    }
    InitiatorNotEntitled = "initiator_not_entitled" {
        "The restore was stopped because whoever started it was not entitled to."
        impact: "The write gate refused the restore."
        next: "Review blocker: the entitlement of whoever started the restore."
    }
    ProviderConnectionInvalid = "provider_connection_invalid" {
        "The restore was stopped because the provider connection was not valid."
        impact: "The provider could not be written to."
        next: "Review blocker: the provider connection of this environment."
    }
    WriteGateBlocked = "write_gate_blocked" {
        "The restore was stopped by the write gate."
        impact: "Writes to the environment were not allowed."
        next: "Review blocker: the write gate of this environment."
    }
    ExecutionPrerequisiteInvalid = "execution_prerequisite_invalid" {
        "The restore was stopped because a prerequisite did not hold."
        impact: "The restore could not be executed safely."
        next: "Review blocker: the prerequisites recorded with the restore."
    }
    RbacNotConfigured = "intune_rbac.not_configured" {
        "The restore was stopped because Intune role assignments were not configured."
        impact: "Writes to the environment were not allowed."
        next: "Review blocker: configure Intune role assignments."
    }
    RbacUnhealthy = "intune_rbac.unhealthy" {
        "The restore was stopped because the check of Intune role assignments had failed."
        impact: "Writes to the environment were not allowed."
        next: "Review blocker: repair Intune role assignments."
    }
    RbacStale = "intune_rbac.stale" {
        "The restore was stopped because the check of Intune role assignments was too old."
        impact: "Writes to the environment were not allowed."
        next: "Review blocker: run the check of Intune role assignments again."
    }
    OperationalControlPaused = "operational_control.paused" {
        "The restore was stopped because operations were paused."
        impact: "Writes to the environment were not allowed."
        next: "Review blocker: who paused operations, and whether they were resumed."
    }
    ClearanceUnreadable = "restore.clearance_unreadable" {
        "A record that could name a blocker cannot be read."
        impact: "Nobody can show that nothing stopped the restore."
        next: "Repair failure_summary of the run or metadata of the restore."
    }
    BlockedAfterWrites = "restore.blocked_after_writes" {
        "A blocker stopped the restore after something had been applied."
        impact: "The environment holds part of the restore."
        next: "Review blocker and item outcomes, then restore the rest or undo what was applied."
    }
    ProofComplete = "restore.proof_complete" {
        "The proof bundle is complete. Completion and evidence do not prove environment recovery."
        impact: "The restore ran as requested, and evidence was captured after it."
        next: "Open evidence and review it."
    }
}

impl ReasonCode {
    /// Blockers that the platform's write gates and checks record, in registry order.
    pub const BLOCKERS: &[Self] = &[
        Self::WorkspaceMismatch,
        Self::TenantNotEntitled,
        Self::MissingCapability,
        Self::TenantNotOperable,
        Self::TenantMissing,
        Self::InitiatorMissing,
        Self::InitiatorNotEntitled,
        Self::ProviderConnectionInvalid,
        Self::WriteGateBlocked,
        Self::ExecutionPrerequisiteInvalid,
        Self::RbacNotConfigured,
        Self::RbacUnhealthy,
        Self::RbacStale,
        Self::OperationalControlPaused,
    ];

    /// The registered code that is exactly `text`: same case, no padding.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .copied()
            .find(|reason| reason.code() == text)
    }

    /// The blocker that is exactly `text`. Any other text names no blocker.
    #[must_use]
    pub fn parse_blocker(text: &str) -> Option<Self> {
        Self::BLOCKERS
            .iter()
            .copied()
            .find(|reason| reason.code() == text)
    }

    /// The outcome of a verdict that has this primary reason; none where nothing is ever decided for it.
    ///
    /// Exhaustive on purpose: a new code does not compile until somebody says what it comes to.
    #[must_use]
    pub const fn outcome(self) -> Option<Outcome> {
        match self {
            Self::UnsupportedType
            | Self::AlreadyTerminal
            | Self::RunStatusUnknown
            | Self::ContextMalformed
            | Self::SettleFailed
            | Self::ProofUnavailable
            | Self::PreviewOnly
            | Self::NotExecuted
            | Self::InProgress
            | Self::StatusUnknown
            | Self::Settling => None,
            Self::Aborted | Self::ExecutionFailed | Self::AllItemsFailed => Some(Outcome::Failed),
            Self::Cancelled
            | Self::WorkspaceMismatch
            | Self::TenantNotEntitled
            | Self::MissingCapability
            | Self::TenantNotOperable
            | Self::TenantMissing
            | Self::InitiatorMissing
            | Self::InitiatorNotEntitled
            | Self::ProviderConnectionInvalid
            | Self::WriteGateBlocked
            | Self::ExecutionPrerequisiteInvalid
            | Self::RbacNotConfigured
            | Self::RbacUnhealthy
            | Self::RbacStale
            | Self::OperationalControlPaused => Some(Outcome::Blocked),
            Self::CancelledAfterWrites
            | Self::AbortedAfterWrites
            | Self::BlockedAfterWrites
            | Self::ItemsMissing
            | Self::ItemsUnrecognised
            | Self::ItemsMixed
            | Self::ItemsUnexpected
            | Self::CountsConflict
            | Self::AuditMissing
            | Self::AuditContradicts
            | Self::EvidenceMissing
            | Self::EvidenceInProgress
            | Self::EvidenceIncomplete
            | Self::EvidenceExpired
            | Self::EvidencePredatesRestore
            | Self::EvidenceNotCurrent
            | Self::ClearanceUnreadable => Some(Outcome::PartiallySucceeded),
            Self::ProofComplete => Some(Outcome::Succeeded),
        }
    }

    /// Whether the run itself is in the way: closed, of another type, or in a state that nobody knows.
    /// Such a run is never due, and no look of ours can change that.
    #[must_use]
    pub const fn is_never_due(self) -> bool {
        matches!(
            self,
            Self::UnsupportedType | Self::AlreadyTerminal | Self::RunStatusUnknown
        )
    }

    /// The heading in the runbook that explains this code.
    #[must_use]
    pub fn anchor(self) -> String {
        self.code().replace(['.', '_'], "-")
    }
}

impl fmt::Display for ReasonCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.code())
    }
}

impl Serialize for ReasonCode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.code())
    }
}

impl JsonSchema for ReasonCode {
    fn schema_name() -> Cow<'static, str> {
        "ReasonCode".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let codes: Vec<_> = Self::ALL.iter().map(|reason| reason.code()).collect();
        json_schema!({ "type": "string", "enum": codes })
    }
}

impl<'de> Deserialize<'de> for ReasonCode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let code = Cow::<str>::deserialize(deserializer)?;
        Self::parse(&code).ok_or_else(|| {
            serde::de::Error::custom(format!("`{code}` is not a registered reason code"))
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn codes_and_anchors_are_unique_and_read_back() {
        let codes: BTreeSet<_> = ReasonCode::ALL.iter().map(|reason| reason.code()).collect();
        let anchors: BTreeSet<_> = ReasonCode::ALL
            .iter()
            .map(|reason| reason.anchor())
            .collect();
        assert_eq!(
            (codes.len(), anchors.len()),
            (ReasonCode::ALL.len(), ReasonCode::ALL.len())
        );
        for reason in ReasonCode::ALL {
            assert_eq!(ReasonCode::parse(reason.code()), Some(*reason));
            assert_eq!(ReasonCode::parse(&reason.code().to_uppercase()), None);
        }
    }

    #[test]
    fn no_sentence_claims_what_a_restore_cannot_prove() {
        for reason in ReasonCode::ALL {
            let Explanation {
                sentence,
                impact,
                next_action,
            } = reason.explanation();
            let words = format!(" {sentence} {impact} {next_action} ").to_lowercase();
            for claim in [
                "recovery verified",
                " healthy",
                "compliant",
                "customer-safe",
            ] {
                assert!(!words.contains(claim), "{reason} says {claim:?}");
            }
            assert!(
                sentence.len() < 200,
                "{reason}: an audit summary holds 255 characters"
            );
            assert!(
                [sentence, impact, next_action]
                    .iter()
                    .all(|text| text.ends_with('.')),
                "{reason}"
            );
        }
        assert!(
            ReasonCode::ProofComplete
                .explanation()
                .sentence
                .contains(CLAIM_BOUNDARY)
        );
    }

    #[test]
    fn a_blocker_is_recognised_only_when_it_is_exactly_a_code() {
        assert_eq!(
            ReasonCode::parse_blocker("write_gate_blocked"),
            Some(ReasonCode::WriteGateBlocked)
        );
        for text in [
            "Write_Gate_Blocked",
            " write_gate_blocked",
            "restore.cancelled",
            "",
        ] {
            assert_eq!(ReasonCode::parse_blocker(text), None, "{text:?}");
        }
    }
}
