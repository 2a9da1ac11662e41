//! What no other surface has room for: how each code is misread, and where to look before anything is done.

use reconciler_jobs::restore_execute::ReasonCode;

/// What a person on duty needs beside the explanation of a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Notes {
    /// What the code does not say, though it may look so.
    pub(super) does_not_mean: &'static str,
    /// What to look at before anything is done.
    pub(super) look_at: &'static str,
}

const fn notes_of(does_not_mean: &'static str, look_at: &'static str) -> Notes {
    Notes {
        does_not_mean,
        look_at,
    }
}

/// Exhaustive on purpose: a new code does not compile until somebody says how it may be misread.
#[expect(
    clippy::too_many_lines,
    reason = "a table, which has as many lines as there are codes"
)]
pub(super) const fn notes(reason: ReasonCode) -> Notes {
    use ReasonCode as R;
    match reason {
        R::UnsupportedType => notes_of(
            "That anything is wrong with the run: other types are not this product's to judge.",
            "`operation_runs.type` of the run, and whoever asked for it to be looked at.",
        ),
        R::AlreadyTerminal => notes_of(
            "That this product closed it, or would have closed it so.",
            "`context.reconciliation` of the run, and its verdict: `restore-reconciler explain RUN`.",
        ),
        R::RunStatusUnknown => notes_of(
            "That the restore failed, or that it did not.",
            "`operation_runs.status`, and the releases of the platform that write it.",
        ),
        R::ContextMalformed => notes_of(
            "That the restore is at fault: it was not judged.",
            "`operation_runs.context`: a list with members, a number, a key twice, or text that is not JSON.",
        ),
        R::SettleFailed => notes_of(
            "That the restore failed: a verdict may be ready and cannot be written.",
            "`restore-reconciler queue show RUN`, which keeps what the database said; triggers and constraints on \
             `operation_runs` and `audit_logs`.",
        ),
        R::ProofUnavailable => notes_of(
            "That there was no restore: there may be one that belongs elsewhere, was deleted, or is one of several.",
            "`context.restore_run_id` of the run, and `restore_runs.operation_run_id` of restores of the same \
             environment. The precise cause is in the worker's log at level debug.",
        ),
        R::PreviewOnly => notes_of(
            "That a restore was tried and stopped.",
            "`restore_runs.is_dry_run`, and who started the restore and from where.",
        ),
        R::NotExecuted => notes_of(
            "That the restore failed: nobody has begun it.",
            "The restore's own page in the console, with its gates.",
        ),
        R::InProgress => notes_of(
            "That the restore still moves: whoever executed it may be dead.",
            "When the restore started, and whether its executing job is alive. Nothing here restarts it.",
        ),
        R::StatusUnknown => notes_of(
            "That the restore ended, or that it did not.",
            "`restore_runs.status`, and which release of the platform wrote it.",
        ),
        R::Settling => notes_of(
            "That proof is lost: there is still time for it to arrive.",
            "How long `rules.settle_window` is, and whether evidence is being generated.",
        ),
        R::Cancelled => notes_of(
            "That the environment was left as it was: only that no record shows a change.",
            "The gaps of this run, of which results that cannot be read are the ones that could hide a change.",
        ),
        R::CancelledAfterWrites | R::AbortedAfterWrites => notes_of(
            "That what had been applied was undone.",
            "Item outcomes of the run: what was applied, and what was not reached.",
        ),
        R::Aborted => notes_of(
            "That the environment was left as it was: only that no record shows a change.",
            "`restore_runs.failure_reason`, and the gaps of this run.",
        ),
        R::ExecutionFailed => notes_of(
            "That nothing was applied: a restore can fail half way.",
            "`restore_runs.failure_reason`, and item outcomes of the run.",
        ),
        R::ItemsMissing => notes_of(
            "That the missing items were not restored: nobody wrote down what became of them.",
            "`restore_runs.requested_items` beside `results`; without rows for items, the counters, which must \
             name a total.",
        ),
        R::ItemsUnrecognised => notes_of(
            "That those items failed.",
            "The items named under diagnostics of the run, and the platform's release notes for new outcomes.",
        ),
        R::ItemsMixed => notes_of(
            "That the items that were applied are in doubt.",
            "Item outcomes of the run, the failed and skipped ones first.",
        ),
        R::ItemsUnexpected => notes_of(
            "That something was restored that should not have been: the record may be wrong.",
            "`restore_runs.results` for identifiers that `requested_items` does not name, or that stand there twice.",
        ),
        R::CountsConflict => notes_of(
            "That the items are wrong: the counters may be.",
            "`restore_runs.metadata` and `operation_runs.summary_counts` beside the item outcomes.",
        ),
        R::AllItemsFailed => notes_of(
            "That the environment was not reached: each item was tried.",
            "What the items' failures have in common: throttling, permissions, a provider that was away.",
        ),
        R::AuditMissing => notes_of(
            "That the restore did not end: its own record says that it did.",
            "`audit_logs` of the restore, the actions in `rules.audit_actions`, and whatever writes the entry.",
        ),
        R::AuditContradicts => notes_of(
            "That the audit log is right and the restore's status is not, or the other way round.",
            "All terminal audit entries of the restore, in the order of their ids.",
        ),
        R::EvidenceMissing => notes_of(
            "That the restore failed, or that the environment is not as it should be.",
            "`evidence_snapshots` of the run, and whether evidence was asked for after the restore.",
        ),
        R::EvidenceInProgress => notes_of(
            "That evidence will come: it did not within the window.",
            "The snapshot's job, and `rules.settle_window_in_progress`.",
        ),
        R::EvidenceIncomplete => notes_of(
            "That what is in the snapshot is wrong.",
            "The snapshot's own gaps, and the permissions it was taken with.",
        ),
        R::EvidenceExpired => notes_of(
            "That the evidence was wrong when it was taken.",
            "`evidence_snapshots.expires_at`, beside the moment of the verdict.",
        ),
        R::EvidencePredatesRestore => notes_of(
            "That the evidence is wrong: it shows another moment.",
            "`evidence_snapshots.generated_at` beside `restore_runs.completed_at`, and the clocks of the hosts \
             that wrote them.",
        ),
        R::EvidenceNotCurrent => notes_of(
            "That there was never any evidence.",
            "The statuses of the snapshots of this run, and what superseded them.",
        ),
        R::ClearanceUnreadable => notes_of(
            "That a blocker stopped the restore.",
            "`operation_runs.failure_summary` and `restore_runs.metadata`, as text.",
        ),
        R::BlockedAfterWrites => notes_of(
            "That what had been applied was undone.",
            "The blocker among the gaps of the run, and item outcomes.",
        ),
        R::ProofComplete => notes_of(
            "That the environment recovered, or that it is as it was when the backup was taken.",
            "The evidence of the run: what it holds, and when it was taken.",
        ),
        R::WorkspaceMismatch
        | R::TenantNotEntitled
        | R::MissingCapability
        | R::TenantNotOperable
        | R::TenantMissing
        | R::InitiatorMissing
        | R::InitiatorNotEntitled
        | R::ProviderConnectionInvalid
        | R::WriteGateBlocked
        | R::ExecutionPrerequisiteInvalid
        | R::RbacNotConfigured
        | R::RbacUnhealthy
        | R::RbacStale
        | R::OperationalControlPaused => notes_of(
            "That it still holds: it is what the platform recorded when the restore was stopped.",
            "`operation_runs.failure_summary` and `restore_runs.metadata` of the restore, and the state of the gate \
             today.",
        ),
    }
}
