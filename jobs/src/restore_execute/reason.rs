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

use super::outcome::Outcome;

/// Stands wherever something positive is said about a restore.
pub const CLAIM_BOUNDARY: &str = "Completion and evidence do not prove environment recovery.";

crate::vocabulary! {
    /// What a reason code is about; the runbook has one chapter for each.
    pub enum Chapter {
        /// The heading of the chapter.
        title,
    }
    Run = "The run itself"
    Link = "Which restore belongs to the run"
    Intent = "Whether anything was meant to change"
    Execution = "How the restore ended"
    Items = "Items and counters"
    Audit = "Audit entries"
    Evidence = "Evidence after the run"
    Clearance = "Records of blockers"
    Blocker = "Blockers recorded by the platform"
    Proof = "Nothing is missing"
}

/// The platform records blockers under its own codes; all of them are misread, and looked into, in one way.
const BLOCKER_DOES_NOT_MEAN: &str =
    "That it still holds, or that it stopped the restore: it is what the platform recorded then.";
const BLOCKER_LOOK_AT: &str = "`operation_runs.failure_summary` and `restore_runs.metadata` of the restore, and \
                               the state of the gate today.";

crate::vocabulary! {
    /// Why a decision came out as it did, or what one leg lacks.
    ///
    /// The order of the variants is the order in which the rulebook lists them. It orders the
    /// gaps of one leg, of which the first is the primary reason where that leg decides. Which
    /// leg decides is the order of the decision table's rows, and that is another one: a gap of
    /// clearance that is no blocker (row 22) comes before gaps of audit and evidence, although they are
    /// listed before it, because no time could close it.
    #[derive(PartialOrd, Ord)]
    pub enum ReasonCode {
        /// What was found, in one sentence that is safe to store and to show.
        sentence,
        /// The code as it is stored and shown.
        code: &'static str,
        /// What the code is about.
        chapter: Chapter,
        /// The outcome of a verdict that has this primary reason; none where nothing is ever decided for it.
        outcome: Option<Outcome>,
        /// What it means for somebody who relies on the restore.
        impact: &'static str,
        /// What the code does not say, though it may look so; for the runbook.
        does_not_mean: &'static str,
        /// What to look at before anything is done; for the runbook.
        look_at: &'static str,
        /// What to do next.
        next_action: &'static str,
    }
    UnsupportedType = "This run is not of type restore.execute." {
        code: "run.unsupported_type", chapter: Chapter::Run, outcome: None,
        impact: "Nothing was judged and nothing was written.",
        does_not_mean: "That anything is wrong with the run: other types are not this product's to judge.",
        look_at: "`operation_runs.type` of the run, and whoever asked for it to be looked at.",
        next_action: "Use the product's own page for this type of operation.",
    }
    AlreadyTerminal = "This run is closed already; a closed run is never changed." {
        code: "run.already_terminal", chapter: Chapter::Run, outcome: None,
        impact: "The outcome on the run stands as it is. It was not judged again.",
        does_not_mean: "That this product closed it, or would have closed it so.",
        look_at: "`context.reconciliation` of the run, and its verdict: `restore-reconciler explain RUN`.",
        next_action: "Read the run's recorded reconciliation, if it has one.",
    }
    RunStatusUnknown = "The run's own status is none of queued, running and completed." {
        code: "run.status_unknown", chapter: Chapter::Run, outcome: None,
        impact: "Nothing can be written to a run whose state is unknown.",
        does_not_mean: "That the restore failed, or that it did not.",
        look_at: "`operation_runs.status`, and the releases of the platform that write it.",
        next_action: "Find out what wrote the status of this run and correct it there.",
    }
    ContextMalformed = "The run's context cannot be read as a map without losing part of it." {
        code: "run.context_malformed", chapter: Chapter::Run, outcome: None,
        impact: "No verdict can be recorded, because recording one would damage the context.",
        does_not_mean: "That the restore is at fault: it was not judged.",
        look_at: "`operation_runs.context`: a list with members, a number, a key twice, or text that is not JSON.",
        next_action: "Repair operation_runs.context of this run; it is looked at again by itself.",
    }
    SettleFailed = "The database refused to record a verdict for this run alone." {
        code: "run.settle_failed", chapter: Chapter::Run, outcome: None,
        impact: "The run stays open; other runs are not affected.",
        does_not_mean: "That the restore failed: a verdict may be ready and cannot be written.",
        look_at: "`restore-reconciler queue show RUN`, which keeps what the database said; triggers and constraints on `operation_runs` and `audit_logs`.",
        next_action: "Read the worker's log for the refused step, repair the cause, and reconcile the run.",
    }
    ProofUnavailable = "No restore record can be tied to this run with certainty." {
        code: "restore.proof_unavailable", chapter: Chapter::Link, outcome: None,
        impact: "Nothing can be said about the restore.",
        does_not_mean: "That there was no restore: there may be one that belongs elsewhere, was deleted, or is one of several.",
        look_at: "`context.restore_run_id` of the run, and `restore_runs.operation_run_id` of restores of the same environment. The precise cause is in the worker's log at level debug.",
        next_action: "Check which restore this run belongs to, then reconcile it again.",
    }
    PreviewOnly = "The restore was a preview; nothing was executed." {
        code: "restore.preview_only", chapter: Chapter::Intent, outcome: None,
        impact: "A preview proves what would be done, not that anything was.",
        does_not_mean: "That a restore was tried and stopped.",
        look_at: "`restore_runs.is_dry_run`, and who started the restore and from where.",
        next_action: "Review the preview, or execute the restore.",
    }
    NotExecuted = "The restore has not been executed yet." {
        code: "restore.not_executed", chapter: Chapter::Intent, outcome: None,
        impact: "There is nothing to prove yet.",
        does_not_mean: "That the restore failed: nobody has begun it.",
        look_at: "The restore's own page in the console, with its gates.",
        next_action: "Continue preparing the restore, or discard it.",
    }
    InProgress = "The restore is still queued or running." {
        code: "restore.in_progress", chapter: Chapter::Execution, outcome: None,
        impact: "Results and evidence are not final.",
        does_not_mean: "That the restore still moves: whoever executed it may be dead.",
        look_at: "When the restore started, and whether its executing job is alive. Nothing here restarts it.",
        next_action: "Wait for the restore to end; it is looked at again by itself.",
    }
    StatusUnknown = "The restore's status is not one this version knows." {
        code: "restore.status_unknown", chapter: Chapter::Execution, outcome: None,
        impact: "An unknown status proves nothing, in either direction.",
        does_not_mean: "That the restore ended, or that it did not.",
        look_at: "`restore_runs.status`, and which release of the platform wrote it.",
        next_action: "Compare restore_runs.status with the statuses in the rulebook; upgrade the worker if the platform is newer.",
    }
    Settling = "The restore completed; its audit entry or its evidence may still arrive." {
        code: "restore.settling", chapter: Chapter::Execution, outcome: None,
        impact: "A verdict is final, so it waits until the settle window closes.",
        does_not_mean: "That proof is lost: there is still time for it to arrive.",
        look_at: "How long `rules.settle_window` is, and whether evidence is being generated.",
        next_action: "Nothing; it is looked at again by itself.",
    }
    BlockedWaiting = "A blocker is recorded, and the restore has not started." {
        code: "restore.blocked_waiting", chapter: Chapter::Execution, outcome: None,
        impact: "No readable record shows that it applied anything. It may start yet, so its run stays open.",
        does_not_mean: "That the restore is over: whoever lifts the blocker may still start it.",
        look_at: "The blocker among the gaps of the run, and how long `rules.blocked_after` is. A pause waits for as long as it lasts.",
        next_action: "Lift the blocker or discard the restore; it is looked at again by itself.",
    }
    Cancelled = "The restore was cancelled; no readable record shows that it applied anything." {
        code: "restore.cancelled", chapter: Chapter::Execution, outcome: Some(Outcome::Blocked),
        impact: "Results that are missing, unreadable or unknown are listed as gaps and could hide changes; all others show none.",
        does_not_mean: "That the environment was left as it was: only that no record shows a change.",
        look_at: "The gaps of this run, of which results that cannot be read are the ones that could hide a change.",
        next_action: "Start a new restore if it is still wanted.",
    }
    CancelledAfterWrites = "The restore was cancelled after something had been applied." {
        code: "restore.cancelled_after_writes", chapter: Chapter::Execution, outcome: Some(Outcome::PartiallySucceeded),
        impact: "The environment holds part of the restore.",
        does_not_mean: "That what had been applied was undone.",
        look_at: "Item outcomes of the run: what was applied, and what was not reached.",
        next_action: "Review item outcomes, then restore the rest or undo what was applied.",
    }
    Aborted = "The restore was aborted; no readable record shows that it applied anything." {
        code: "restore.aborted", chapter: Chapter::Execution, outcome: Some(Outcome::Failed),
        impact: "Results that are missing, unreadable or unknown are listed as gaps and could hide changes; all others show none.",
        does_not_mean: "That the environment was left as it was: only that no record shows a change.",
        look_at: "`restore_runs.failure_reason`, and the gaps of this run.",
        next_action: "Find out why the restore was aborted, then start a new one.",
    }
    AbortedAfterWrites = "The restore was aborted after something had been applied." {
        code: "restore.aborted_after_writes", chapter: Chapter::Execution, outcome: Some(Outcome::PartiallySucceeded),
        impact: "The environment holds part of the restore.",
        does_not_mean: "That what had been applied was undone.",
        look_at: "Item outcomes of the run: what was applied, and what was not reached.",
        next_action: "Review item outcomes, then restore the rest or undo what was applied.",
    }
    ExecutionFailed = "The restore failed." {
        code: "restore.execution_failed", chapter: Chapter::Execution, outcome: Some(Outcome::Failed),
        impact: "Some requested changes may not have been applied.",
        does_not_mean: "That nothing was applied: a restore can fail half way.",
        look_at: "`restore_runs.failure_reason`, and item outcomes of the run.",
        next_action: "Review failure details and item outcomes.",
    }
    RequestUnreadable = "What was requested cannot be read, or its backup set cannot be found." {
        code: "restore.request_unreadable", chapter: Chapter::Items, outcome: Some(Outcome::PartiallySucceeded),
        impact: "Nobody can show that everything requested was restored.",
        does_not_mean: "That something was left out: results may be complete, but there is nothing to hold them against.",
        look_at: "`restore_runs.requested_items`; where it is null, the backup set and its items at the time the restore started.",
        next_action: "Find out what was requested, and compare it with recorded results.",
    }
    NothingApplied = "Items have results, and not one of them was applied." {
        code: "restore.nothing_applied", chapter: Chapter::Items, outcome: Some(Outcome::PartiallySucceeded),
        impact: "The restore ended, and no record shows that it changed anything.",
        does_not_mean: "That the environment is as it was: only that no record shows a change.",
        look_at: "Item outcomes of the run: why each was skipped, or what its outcome says.",
        next_action: "Review item outcomes; restore again what is still wanted.",
    }
    ItemsMissing = "Results do not cover everything that was requested." {
        code: "restore.items_missing", chapter: Chapter::Items, outcome: Some(Outcome::PartiallySucceeded),
        impact: "Nobody can show that every requested item was restored.",
        does_not_mean: "That the missing items were not restored: nobody wrote down what became of them.",
        look_at: "`restore_runs.requested_items` beside `results`; where it is null, the items of the backup set.",
        next_action: "Compare requested items with recorded results; restore what has no result.",
    }
    ItemsUnrecognised = "Results cannot be read, contradict themselves, or hold an outcome this version does not know." {
        code: "restore.items_unrecognised", chapter: Chapter::Items, outcome: Some(Outcome::PartiallySucceeded),
        impact: "What is not understood does not count as applied.",
        does_not_mean: "That those items failed.",
        look_at: "The items named under diagnostics of the run, and the platform's release notes for new outcomes.",
        next_action: "Review the named items; add outcomes of a newer platform to `rules.applied_words` or its siblings.",
    }
    ItemsMixed = "Some items were skipped, applied in part, or failed." {
        code: "restore.items_mixed", chapter: Chapter::Items, outcome: Some(Outcome::PartiallySucceeded),
        impact: "The restore is incomplete.",
        does_not_mean: "That the items that were applied are in doubt.",
        look_at: "Item outcomes of the run, the failed and skipped ones first.",
        next_action: "Review item outcomes before relying on the result.",
    }
    ItemsUnexpected = "Results name an item that nobody requested, or one item twice." {
        code: "restore.items_unexpected", chapter: Chapter::Items, outcome: Some(Outcome::PartiallySucceeded),
        impact: "Results and request do not describe the same restore.",
        does_not_mean: "That something was restored that should not have been: the record may be wrong.",
        look_at: "`restore_runs.results` for identifiers that `requested_items` does not name, or that stand there twice.",
        next_action: "Compare requested items with recorded results.",
    }
    CountsConflict = "The recorded counters disagree with the recorded item outcomes." {
        code: "restore.counts_conflict", chapter: Chapter::Items, outcome: Some(Outcome::PartiallySucceeded),
        impact: "One of the two records is wrong, so neither proves the restore.",
        does_not_mean: "That the items are wrong: the counters may be.",
        look_at: "`restore_runs.metadata` and `operation_runs.summary_counts` beside the item outcomes.",
        next_action: "Compare counters and item outcomes of this restore.",
    }
    AllItemsFailed = "Every item failed." {
        code: "restore.all_items_failed", chapter: Chapter::Items, outcome: Some(Outcome::Failed),
        impact: "The restore ended without applying any item.",
        does_not_mean: "That the environment was not reached: each item was tried.",
        look_at: "What the items' failures have in common: throttling, permissions, a provider that was away.",
        next_action: "Review failure details.",
    }
    AuditMissing = "No audit entry records the end of this restore." {
        code: "restore.audit_missing", chapter: Chapter::Audit, outcome: Some(Outcome::PartiallySucceeded),
        impact: "The restore's own record stands alone; nothing independent confirms it.",
        does_not_mean: "That the restore did not end: its own record says that it did.",
        look_at: "`audit_logs` of the restore, the actions in `rules.audit_actions`, and whatever writes the entry.",
        next_action: "Find out why the audit entry was not written.",
    }
    AuditContradicts = "The audit log says something else than the restore's status." {
        code: "restore.audit_contradicts", chapter: Chapter::Audit, outcome: Some(Outcome::PartiallySucceeded),
        impact: "Two records of the same restore disagree.",
        does_not_mean: "That the audit log is right and the restore's status is not, or the other way round.",
        look_at: "All terminal audit entries of the restore, in the order of their ids.",
        next_action: "Review the audit entries of this restore.",
    }
    EvidenceMissing = "No post-run evidence snapshot exists for this run." {
        code: "restore.evidence_missing", chapter: Chapter::Evidence, outcome: Some(Outcome::PartiallySucceeded),
        impact: "Nobody looked at the environment after the restore.",
        does_not_mean: "That the restore failed, or that the environment is not as it should be.",
        look_at: "`evidence_snapshots` of the run, and whether evidence was asked for after the restore.",
        next_action: "Capture evidence for this environment and review it by hand.",
    }
    EvidenceInProgress = "The post-run evidence snapshot was not finished." {
        code: "restore.evidence_in_progress", chapter: Chapter::Evidence, outcome: Some(Outcome::PartiallySucceeded),
        impact: "There is no result to look at.",
        does_not_mean: "That evidence will come: it did not within the window.",
        look_at: "The snapshot's job, and `rules.settle_window_in_progress`.",
        next_action: "Find out why the snapshot did not finish.",
    }
    EvidenceIncomplete = "The post-run evidence snapshot is not complete." {
        code: "restore.evidence_incomplete", chapter: Chapter::Evidence, outcome: Some(Outcome::PartiallySucceeded),
        impact: "What the snapshot does not hold stays unproven.",
        does_not_mean: "That what is in the snapshot is wrong.",
        look_at: "The snapshot's own gaps, and the permissions it was taken with.",
        next_action: "Review the snapshot's gaps, or capture evidence again.",
    }
    EvidenceExpired = "The post-run evidence snapshot has expired." {
        code: "restore.evidence_expired", chapter: Chapter::Evidence, outcome: Some(Outcome::PartiallySucceeded),
        impact: "Expired evidence describes a state that may be gone.",
        does_not_mean: "That the evidence was wrong when it was taken.",
        look_at: "`evidence_snapshots.expires_at`, beside the moment of the verdict.",
        next_action: "Capture evidence again and review it by hand.",
    }
    EvidencePredatesRestore = "The evidence snapshot cannot be shown to be newer than the restore." {
        code: "restore.evidence_predates_restore", chapter: Chapter::Evidence, outcome: Some(Outcome::PartiallySucceeded),
        impact: "It describes the environment before the restore ended.",
        does_not_mean: "That the evidence is wrong: it shows another moment.",
        look_at: "`evidence_snapshots.generated_at` beside `restore_runs.completed_at`, and the clocks of the hosts that wrote them.",
        next_action: "Capture evidence again and review it by hand.",
    }
    EvidenceNotCurrent = "Evidence snapshots exist for this run, but none is active." {
        code: "restore.evidence_not_current", chapter: Chapter::Evidence, outcome: Some(Outcome::PartiallySucceeded),
        impact: "Superseded, expired or failed snapshots prove nothing.",
        does_not_mean: "That there was never any evidence.",
        look_at: "The statuses of the snapshots of this run, and what superseded them.",
        next_action: "Capture evidence again and review it by hand.",
    }
    WorkspaceMismatch = "A blocker is recorded: the restore belonged to another workspace." {
        code: "workspace_mismatch", chapter: Chapter::Blocker, outcome: Some(Outcome::Blocked),
        impact: "The platform recorded that its write gate refused the restore.",
        does_not_mean: BLOCKER_DOES_NOT_MEAN, look_at: BLOCKER_LOOK_AT,
        next_action: "Review blocker: the workspace the restore was started in.",
    }
    TenantNotEntitled = "A blocker is recorded: the environment was not entitled to the restore." {
        code: "tenant_not_entitled", chapter: Chapter::Blocker, outcome: Some(Outcome::Blocked),
        impact: "The platform recorded that its write gate refused the restore.",
        does_not_mean: BLOCKER_DOES_NOT_MEAN, look_at: BLOCKER_LOOK_AT,
        next_action: "Review blocker: the environment's entitlement.",
    }
    MissingCapability = "A blocker is recorded: a capability was missing." {
        code: "missing_capability", chapter: Chapter::Blocker, outcome: Some(Outcome::Blocked),
        impact: "The platform recorded that its write gate refused the restore.",
        does_not_mean: BLOCKER_DOES_NOT_MEAN, look_at: BLOCKER_LOOK_AT,
        next_action: "Review blocker: the capabilities of whoever started the restore.",
    }
    TenantNotOperable = "A blocker is recorded: the environment could not be operated on." {
        code: "tenant_not_operable", chapter: Chapter::Blocker, outcome: Some(Outcome::Blocked),
        impact: "The platform recorded that its write gate refused the restore.",
        does_not_mean: BLOCKER_DOES_NOT_MEAN, look_at: BLOCKER_LOOK_AT,
        next_action: "Review blocker: the environment's state.",
    }
    TenantMissing = "A blocker is recorded: the restore's environment no longer existed." {
        code: "tenant_missing", chapter: Chapter::Blocker, outcome: Some(Outcome::Blocked),
        impact: "The platform recorded that its write gate refused the restore.",
        does_not_mean: BLOCKER_DOES_NOT_MEAN, look_at: BLOCKER_LOOK_AT,
        next_action: "Review blocker: whether the environment was removed.",
    }
    InitiatorMissing = "A blocker is recorded: whoever started the restore no longer existed." {
        code: "initiator_missing", chapter: Chapter::Blocker, outcome: Some(Outcome::Blocked),
        impact: "The platform recorded that its write gate refused the restore.",
        does_not_mean: BLOCKER_DOES_NOT_MEAN, look_at: BLOCKER_LOOK_AT,
        next_action: "Review blocker: start the restore again under a current account.",
    }
    InitiatorNotEntitled = "A blocker is recorded: whoever started the restore was not entitled to." {
        code: "initiator_not_entitled", chapter: Chapter::Blocker, outcome: Some(Outcome::Blocked),
        impact: "The platform recorded that its write gate refused the restore.",
        does_not_mean: BLOCKER_DOES_NOT_MEAN, look_at: BLOCKER_LOOK_AT,
        next_action: "Review blocker: the entitlement of whoever started the restore.",
    }
    ProviderConnectionInvalid = "A blocker is recorded: the provider connection was not valid." {
        code: "provider_connection_invalid", chapter: Chapter::Blocker, outcome: Some(Outcome::Blocked),
        impact: "The provider could not be written to.",
        does_not_mean: BLOCKER_DOES_NOT_MEAN, look_at: BLOCKER_LOOK_AT,
        next_action: "Review blocker: the provider connection of this environment.",
    }
    WriteGateBlocked = "A blocker is recorded: the write gate was closed." {
        code: "write_gate_blocked", chapter: Chapter::Blocker, outcome: Some(Outcome::Blocked),
        impact: "Writes to the environment were not allowed.",
        does_not_mean: BLOCKER_DOES_NOT_MEAN, look_at: BLOCKER_LOOK_AT,
        next_action: "Review blocker: the write gate of this environment.",
    }
    ExecutionPrerequisiteInvalid = "A blocker is recorded: a prerequisite did not hold." {
        code: "execution_prerequisite_invalid", chapter: Chapter::Blocker, outcome: Some(Outcome::Blocked),
        impact: "The restore could not be executed safely.",
        does_not_mean: BLOCKER_DOES_NOT_MEAN, look_at: BLOCKER_LOOK_AT,
        next_action: "Review blocker: the prerequisites recorded with the restore.",
    }
    RbacNotConfigured = "A blocker is recorded: Intune role assignments were not configured." {
        code: "intune_rbac.not_configured", chapter: Chapter::Blocker, outcome: Some(Outcome::Blocked),
        impact: "Writes to the environment were not allowed.",
        does_not_mean: BLOCKER_DOES_NOT_MEAN, look_at: BLOCKER_LOOK_AT,
        next_action: "Review blocker: configure Intune role assignments.",
    }
    RbacUnhealthy = "A blocker is recorded: the check of Intune role assignments had failed." {
        code: "intune_rbac.unhealthy", chapter: Chapter::Blocker, outcome: Some(Outcome::Blocked),
        impact: "Writes to the environment were not allowed.",
        does_not_mean: BLOCKER_DOES_NOT_MEAN, look_at: BLOCKER_LOOK_AT,
        next_action: "Review blocker: repair Intune role assignments.",
    }
    RbacStale = "A blocker is recorded: the check of Intune role assignments was too old." {
        code: "intune_rbac.stale", chapter: Chapter::Blocker, outcome: Some(Outcome::Blocked),
        impact: "Writes to the environment were not allowed.",
        does_not_mean: BLOCKER_DOES_NOT_MEAN, look_at: BLOCKER_LOOK_AT,
        next_action: "Review blocker: run the check of Intune role assignments again.",
    }
    OperationalControlPaused = "A blocker is recorded: operations were paused." {
        code: "operational_control.paused", chapter: Chapter::Blocker, outcome: Some(Outcome::Blocked),
        impact: "Writes to the environment were not allowed.",
        does_not_mean: BLOCKER_DOES_NOT_MEAN, look_at: BLOCKER_LOOK_AT,
        next_action: "Review blocker: who paused operations, and whether they were resumed.",
    }
    BlockerConfigured = "A blocker is recorded, one that the configuration names." {
        code: "restore.blocker_configured", chapter: Chapter::Blocker, outcome: Some(Outcome::Blocked),
        impact: "Writes to the environment were not allowed.",
        does_not_mean: BLOCKER_DOES_NOT_MEAN, look_at: BLOCKER_LOOK_AT,
        next_action: "Review blocker: the code recorded with the run is one of `rules.blocker_codes`.",
    }
    FailureRecorded = "A record beside the restore's status says that something failed." {
        code: "restore.failure_recorded", chapter: Chapter::Clearance, outcome: Some(Outcome::PartiallySucceeded),
        impact: "While a failure is recorded, nobody can show that the restore succeeded.",
        does_not_mean: "That an item failed: what failed may have been tried again.",
        look_at: "`restore_runs.failure_reason`, `results.status`, `results.errors` and `metadata.status`; `operation_runs.failure_summary` and `outcome`.",
        next_action: "Review the recorded failure before relying on the result.",
    }
    ClearanceUnreadable = "A record that could name a blocker cannot be read." {
        code: "restore.clearance_unreadable", chapter: Chapter::Clearance, outcome: Some(Outcome::PartiallySucceeded),
        impact: "Nobody can show that nothing stopped the restore.",
        does_not_mean: "That a blocker stopped the restore.",
        look_at: "`operation_runs.failure_summary` and `restore_runs.metadata`, as text.",
        next_action: "Repair failure_summary of the run or metadata of the restore.",
    }
    BlockedAfterWrites = "A blocker is recorded, and something was applied." {
        code: "restore.blocked_after_writes", chapter: Chapter::Clearance, outcome: Some(Outcome::PartiallySucceeded),
        impact: "The environment was changed by a restore that a blocker is recorded for.",
        does_not_mean: "That the one stopped the other: the restore may have been tried again. Nor that what was applied was undone.",
        look_at: "The blocker among the gaps of the run, and item outcomes.",
        next_action: "Review blocker and item outcomes, then restore the rest or undo what was applied.",
    }
    ProofComplete = "The proof bundle is complete. Completion and evidence do not prove environment recovery." {
        code: "restore.proof_complete", chapter: Chapter::Proof, outcome: Some(Outcome::Succeeded),
        impact: "The restore ran as requested, and evidence was captured after it.",
        does_not_mean: "That the environment recovered, or that it is as it was when the backup was taken.",
        look_at: "The evidence of the run: what it holds, and when it was taken.",
        next_action: "Open evidence and review it.",
    }
}

impl ReasonCode {
    /// Whether it is one of the blockers that the platform's write gates and checks record.
    #[must_use]
    pub const fn is_blocker(self) -> bool {
        matches!(self.chapter(), Chapter::Blocker)
    }

    /// The registered code that is exactly `text`: same case, no padding.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.code() == text)
    }

    /// The blocker that is exactly `text`. Any other text names no blocker.
    #[must_use]
    pub fn parse_blocker(text: &str) -> Option<Self> {
        Self::parse(text).filter(|reason| reason.is_blocker())
    }

    /// Whether the run itself is in the way: closed, of another type, or in a state that nobody knows.
    /// A run in that state is never due, and looking at it again cannot change that.
    #[must_use]
    pub const fn is_never_due(self) -> bool {
        matches!(
            self,
            Self::UnsupportedType | Self::AlreadyTerminal | Self::RunStatusUnknown
        )
    }

    /// What is said of the code beside its sentence, each with its heading: by the console, the command line and the
    /// runbook alike.
    #[must_use]
    pub fn explained(self) -> [(&'static str, &'static str); 4] {
        [
            ("What it means", self.impact()),
            ("What it does not mean", self.does_not_mean()),
            ("What to look at", self.look_at()),
            ("What to do", self.next_action()),
        ]
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
        let codes = Self::ALL.map(Self::code).to_vec();
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
