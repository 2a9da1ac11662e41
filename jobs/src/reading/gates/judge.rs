//! How one gate is judged from what a preparation recorded.

use super::gate::{Gate, GateReason};
use crate::reading::backup_health::{BackupSetFacts, BackupStatus};
use crate::reading::preparation::{Basis, GroupCache, PreparationFacts, RestoreScope};
use crate::restore_execute::facts::RestoreStatus;

/// `passed` says whether every gate before this one is.
pub(super) fn judge(gate: Gate, facts: &PreparationFacts, passed: bool) -> GateReason {
    match gate {
        Gate::Source => source(facts.source.as_ref()),
        Gate::Target if facts.has_target => GateReason::TargetSelected,
        Gate::Target => GateReason::TargetMissing,
        Gate::Scope => scope(facts),
        Gate::Validation => validation(facts, passed),
        Gate::Preview => preview(facts, passed),
        Gate::Confirmation => confirmation(facts, passed),
        Gate::Execution => execution(facts, passed),
    }
}

/// A backup set with at least one item that nothing speaks against is usable; how good the others are is shown
/// beside it.
fn source(set: Option<&BackupSetFacts>) -> GateReason {
    let Some(set) = set else {
        return GateReason::SourceMissing;
    };
    let quality = &set.quality;
    if set.is_deleted || set.status != BackupStatus::Completed {
        GateReason::SourceUnusable
    } else if quality.items == 0 {
        GateReason::SourceEmpty
    } else if quality.items > quality.degraded.saturating_add(quality.not_looked_at) {
        GateReason::SourceUsable
    } else {
        GateReason::SourceDegraded
    }
}

/// How many steps of the preparation the status claims. Statuses beyond it claim all of them.
fn steps(status: RestoreStatus) -> u8 {
    match status {
        RestoreStatus::Draft | RestoreStatus::Unknown => 0,
        RestoreStatus::Scoped => 1,
        RestoreStatus::Checked => 2,
        RestoreStatus::Previewed => 3,
        _ => 4,
    }
}

fn scope(facts: &PreparationFacts) -> GateReason {
    match facts.scope {
        RestoreScope::Nothing => return GateReason::NothingSelected,
        RestoreScope::Unreadable => return GateReason::ScopeUnreadable,
        RestoreScope::All | RestoreScope::Items(_) => {}
    }
    let Some(mapping) = &facts.mapping else {
        return GateReason::MappingUnreadable;
    };
    if mapping.unresolved > 0 {
        return match facts.groups {
            GroupCache::Empty => GateReason::GroupsNotCached,
            GroupCache::Available | GroupCache::Unknown => GateReason::MappingsUnresolved,
        };
    }
    if facts.scope_basis.fingerprint.is_none() || steps(facts.status) < 1 {
        GateReason::ScopeNotRecorded
    } else if mapping.skipped > 0 {
        GateReason::MappingsSkipped
    } else {
        GateReason::ScopeRecorded
    }
}

/// Whether a record was made for the scope as it is; none where that cannot be told.
fn is_current(basis: &Basis, facts: &PreparationFacts) -> Option<bool> {
    Some(basis.fingerprint.as_ref()? == facts.scope_basis.fingerprint.as_ref()?)
}

/// Recorded blockers are told even before its turn: they are what has to be resolved.
fn validation(facts: &PreparationFacts, passed: bool) -> GateReason {
    let basis = &facts.check_basis;
    if basis.blocks() {
        return GateReason::ChecksBlocked;
    }
    if !passed {
        return GateReason::NotItsTurn;
    }
    match is_current(basis, facts) {
        Some(false) => GateReason::ChecksOutdated,
        Some(true) if basis.is_clear() && steps(facts.status) >= 2 => match basis.warnings {
            Some(0) => GateReason::ChecksPassed,
            Some(_) => GateReason::ChecksWarned,
            None => GateReason::ChecksUncounted,
        },
        _ => GateReason::ChecksMissing,
    }
}

fn preview(facts: &PreparationFacts, passed: bool) -> GateReason {
    match is_current(&facts.preview_basis, facts) {
        _ if !passed => GateReason::NotItsTurn,
        Some(false) => GateReason::PreviewOutdated,
        Some(true) if facts.has_preview && steps(facts.status) >= 3 => GateReason::PreviewMade,
        _ => GateReason::PreviewMissing,
    }
}

fn confirmation(facts: &PreparationFacts, passed: bool) -> GateReason {
    let snapshot = &facts.safety_snapshot;
    match is_current(snapshot, facts) {
        _ if facts.is_dry_run => GateReason::PreviewOnly,
        _ if has_begun(facts.status) => GateReason::PastConfirmation,
        _ if snapshot.blocks() => GateReason::ConfirmationBlocked,
        _ if !passed => GateReason::NotItsTurn,
        Some(false) => GateReason::ConfirmationOutdated,
        Some(true) if facts.is_confirmed && snapshot.is_clear() && steps(facts.status) >= 4 => {
            GateReason::Confirmed
        }
        _ => GateReason::NotConfirmed,
    }
}

/// Whether it was handed over for execution. One that was stopped may never have been.
fn has_begun(status: RestoreStatus) -> bool {
    let is_stopped = matches!(status, RestoreStatus::Cancelled | RestoreStatus::Aborted);
    !status.is_pre_execution() && !is_stopped && status != RestoreStatus::Unknown
}

fn execution(facts: &PreparationFacts, passed: bool) -> GateReason {
    match facts.status {
        _ if facts.is_dry_run => GateReason::PreviewOnly,
        RestoreStatus::Unknown => GateReason::StatusUnknown,
        RestoreStatus::Queued | RestoreStatus::Running => GateReason::Executing,
        RestoreStatus::Failed | RestoreStatus::Cancelled | RestoreStatus::Aborted => {
            GateReason::ExecutionStopped
        }
        status if !status.is_pre_execution() => GateReason::Executed,
        _ if passed => GateReason::ReadyToExecute,
        _ => GateReason::NotExecuted,
    }
}
