//! The eight legs of the first ruleset.

use jiff::{SignedDuration, Timestamp};

use super::facts::{FirstCandidate, FirstEvidence, FirstFacts, FirstRequested, FirstRestore};
use crate::ids::{AuditId, RestoreId};
use crate::restore_execute::context::{ContextFacts, NamedRestore};
use crate::restore_execute::facts::{AuditFacts, RestoreStatus, SnapshotFacts, Voice};
use crate::restore_execute::proof::{Leg, LegState, Proof, present, state};
use crate::restore_execute::reason::ReasonCode;
use crate::restore_execute::results::{ColumnState, MetadataCount};
use crate::stamp::{Stamp, shifted};

/// Evaluates all legs.
pub(super) fn evaluate_all(facts: &FirstFacts) -> Proof {
    let linked = linked_restore(facts);
    Proof::from_legs(Leg::ALL.map(|leg| evaluate(leg, facts, linked)))
}

/// The restore that the link rule chooses, provided that it is the one the facts hold. A foreign one
/// is as good as none: no leg may look into it, or its gaps would tell that it exists.
fn linked_restore(facts: &FirstFacts) -> Option<&FirstRestore> {
    let chosen = resolve(facts)?;
    facts
        .restore
        .as_ref()
        .filter(|restore| restore.id == chosen && is_in_scope(facts, restore))
}

/// The queries carry the scope already; this is the same rule once more, where it can be tested.
fn is_in_scope(facts: &FirstFacts, restore: &FirstRestore) -> bool {
    facts.run.workspace_id == restore.workspace_id
        && facts.run.environment_id == Some(restore.environment_id)
}

fn evaluate(leg: Leg, facts: &FirstFacts, linked: Option<&FirstRestore>) -> LegState {
    let restore = match (leg, linked) {
        (Leg::Clearance, Some(_)) => return state(clearance_gaps(facts, linked)),
        (Leg::Clearance, None) => {
            // What the run itself recorded still counts; that nothing is recorded, nobody can say.
            let gaps = clearance_gaps(facts, None);
            return if gaps.is_empty() {
                LegState::NotAssessed
            } else {
                state(gaps)
            };
        }
        (Leg::Link, None) => return state(vec![ReasonCode::ProofUnavailable]),
        (_, None) => return LegState::NotAssessed,
        (_, Some(restore)) => restore,
    };
    state(match leg {
        Leg::Link | Leg::Clearance => Vec::new(),
        Leg::Scope => scope_gaps(facts, restore),
        Leg::Intent => intent_gaps(restore),
        Leg::Execution => execution_gap(restore).into_iter().collect(),
        Leg::Items => items_gaps(restore),
        Leg::Audit => audit_gap(facts, restore).into_iter().collect(),
        Leg::Evidence => evidence_gaps(&facts.evidence, restore, facts),
    })
}

fn scope_gaps(facts: &FirstFacts, restore: &FirstRestore) -> Vec<ReasonCode> {
    let context_agrees = matches!(
        facts.run.context,
        ContextFacts::Map {
            scope_contradicts: false,
            ..
        }
    );
    present([(
        !(is_in_scope(facts, restore) && context_agrees),
        ReasonCode::ProofUnavailable,
    )])
}

fn intent_gaps(restore: &FirstRestore) -> Vec<ReasonCode> {
    present([
        (restore.is_dry_run, ReasonCode::PreviewOnly),
        (restore.status.is_pre_execution(), ReasonCode::NotExecuted),
    ])
}

fn execution_gap(restore: &FirstRestore) -> Option<ReasonCode> {
    let applied = something_applied(restore);
    match restore.status {
        RestoreStatus::Completed => None,
        RestoreStatus::Draft
        | RestoreStatus::Scoped
        | RestoreStatus::Checked
        | RestoreStatus::Previewed
        | RestoreStatus::Pending => Some(ReasonCode::NotExecuted),
        RestoreStatus::Queued | RestoreStatus::Running => Some(ReasonCode::InProgress),
        RestoreStatus::Partial | RestoreStatus::CompletedWithErrors => Some(ReasonCode::ItemsMixed),
        RestoreStatus::Failed => Some(ReasonCode::ExecutionFailed),
        RestoreStatus::Cancelled if applied => Some(ReasonCode::CancelledAfterWrites),
        RestoreStatus::Cancelled => Some(ReasonCode::Cancelled),
        RestoreStatus::Aborted if applied => Some(ReasonCode::AbortedAfterWrites),
        RestoreStatus::Aborted => Some(ReasonCode::Aborted),
        RestoreStatus::Unknown => Some(ReasonCode::StatusUnknown),
    }
}

/// Whether the records show that the restore changed the environment.
pub(super) fn something_applied(restore: &FirstRestore) -> bool {
    let items = &restore.items;
    let counted = |counter: MetadataCount| counter.count().is_some_and(|count| count > 0);
    items.items.has_effect()
        || items.assignments.has_effect()
        || items.foundations_written > 0
        || (items.items.total() == 0
            && (counted(restore.counters.succeeded) || counted(restore.counters.partial)))
}

/// A request that was not itemised is covered only where the counter `total` says how much it was.
pub(super) fn items_gaps(restore: &FirstRestore) -> Vec<ReasonCode> {
    let facts = &restore.items;
    let rows = facts.items.total();
    let unreadable = matches!(facts.reading, ColumnState::Unreadable(_));
    let uncovered = facts.requested == FirstRequested::NotItemised
        && restore.counters.total.count() != Some(rows);
    let parts = [&facts.items, &facts.foundations, &facts.assignments];
    present([
        (
            !unreadable && (rows == 0 || facts.missing > 0 || uncovered),
            ReasonCode::ItemsMissing,
        ),
        (
            unreadable
                || matches!(facts.requested, FirstRequested::Unreadable(_))
                || parts.iter().any(|tally| tally.unrecognised > 0),
            ReasonCode::ItemsUnrecognised,
        ),
        (
            parts.iter().any(|tally| tally.is_mixed()),
            ReasonCode::ItemsMixed,
        ),
        (
            facts.unexpected > 0 || facts.repeated > 0,
            ReasonCode::ItemsUnexpected,
        ),
        (
            facts.assignment_conflicts > 0
                || !restore
                    .counters
                    .agree_with(&facts.items, &facts.foundations),
            ReasonCode::CountsConflict,
        ),
        (every_item_failed(restore), ReasonCode::AllItemsFailed),
    ])
}

/// Whether there are items and not one of them has any other outcome than failed.
pub(super) fn every_item_failed(restore: &FirstRestore) -> bool {
    let items = &restore.items.items;
    items.failed > 0 && items.failed == items.total()
}

fn audit_gap(facts: &FirstFacts, restore: &FirstRestore) -> Option<ReasonCode> {
    if supporting_audit(facts).is_some() {
        return None;
    }
    let expected = restore.status.voice();
    let since = started(restore);
    let contradicts = |entry: &AuditFacts| {
        expected.is_none_or(|voice| !agrees(entry, voice)) && !is_before(entry, since)
    };
    let contradicted = facts.audits.iter().any(contradicts);
    Some(if contradicted {
        ReasonCode::AuditContradicts
    } else {
        ReasonCode::AuditMissing
    })
}

fn is_before(entry: &AuditFacts, moment: Option<Timestamp>) -> bool {
    entry
        .recorded_at
        .zip(moment)
        .is_some_and(|(recorded, moment)| recorded < moment)
}

/// When the restore began: its row was created before anything ran, so that will do where nobody
/// noted the start. It will not do for a start that was noted and cannot be read: that may have been
/// any later moment, so then no audit entry can be placed and no evidence follows.
fn started(restore: &FirstRestore) -> Option<Timestamp> {
    match restore.started_at {
        Stamp::At(started) => Some(started),
        Stamp::Absent => restore.created_at.moment(),
        Stamp::Far | Stamp::Unreadable => None,
    }
}

/// The latest audit entry that records how the restore ended, agrees with its status, and is not
/// contradicted by a later one. An entry whose time cannot be read supports nothing and counts as
/// later than everything.
fn supporting_audit(facts: &FirstFacts) -> Option<AuditId> {
    let restore = linked_restore(facts)?;
    let expected = restore.status.voice()?;
    let since = started(restore)?;
    let placed = |entry: &AuditFacts| entry.recorded_at.map(|recorded| (recorded, entry.id));
    let support = facts
        .audits
        .iter()
        .filter(|entry| agrees(entry, expected))
        .filter_map(placed)
        .filter(|(recorded, _)| (since..=facts.as_of).contains(recorded))
        .max()?;
    let overruled = facts.audits.iter().any(|entry| {
        !agrees(entry, expected) && placed(entry).is_none_or(|position| position > support)
    });
    (!overruled).then_some(support.1)
}

/// What evidence captured for a restore's run lacks.
pub(super) fn evidence_gaps(
    evidence: &FirstEvidence,
    restore: &FirstRestore,
    facts: &FirstFacts,
) -> Vec<ReasonCode> {
    let Some(active) = &evidence.active else {
        let code = if evidence.in_progress {
            ReasonCode::EvidenceInProgress
        } else if evidence.retired {
            ReasonCode::EvidenceNotCurrent
        } else {
            ReasonCode::EvidenceMissing
        };
        return vec![code];
    };
    present([
        (!active.complete, ReasonCode::EvidenceIncomplete),
        (
            !is_unexpired(active, facts.as_of),
            ReasonCode::EvidenceExpired,
        ),
        (
            !follows_restore(restore, active, facts),
            ReasonCode::EvidencePredatesRestore,
        ),
    ])
}

/// A snapshot that expires exactly now has expired.
fn is_unexpired(snapshot: &SnapshotFacts, as_of: Timestamp) -> bool {
    match snapshot.expires_at {
        Stamp::Absent => true,
        Stamp::At(expires) => expires > as_of,
        Stamp::Far | Stamp::Unreadable => false,
    }
}

/// No restore ends before it starts, so evidence must not be older than either moment, and both must
/// be known. Nor can it be from the future, but for a clock that runs ahead.
fn follows_restore(restore: &FirstRestore, snapshot: &SnapshotFacts, facts: &FirstFacts) -> bool {
    let Some((started, ended)) = started(restore).zip(ended_at(restore, facts)) else {
        return false;
    };
    let floor = shifted(started.max(ended), negated(facts.policy.evidence_skew_max));
    let ceiling = shifted(facts.as_of, facts.policy.clock_skew_max);
    snapshot
        .generated_at
        .moment()
        .is_some_and(|generated| (floor..=ceiling).contains(&generated))
}

/// When the restore ended. An end in the near future is a clock that runs ahead and means now; one
/// further off is no end that anything could be compared with.
pub(super) fn ended_at(restore: &FirstRestore, facts: &FirstFacts) -> Option<Timestamp> {
    let completed = restore.completed_at.moment()?;
    let latest = shifted(facts.as_of, facts.policy.clock_skew_max);
    (completed <= latest).then(|| completed.min(facts.as_of))
}

/// The shortest duration has no opposite; the longest is as good.
fn negated(duration: SignedDuration) -> SignedDuration {
    duration.checked_neg().unwrap_or(SignedDuration::MAX)
}

/// Blockers recorded on the run count even where no restore can be linked.
fn clearance_gaps(facts: &FirstFacts, restore: Option<&FirstRestore>) -> Vec<ReasonCode> {
    let mut gaps = recorded_blockers(facts, restore);
    let readable =
        facts.run.blockers_readable && restore.is_none_or(|restore| restore.metadata_readable);
    if !readable {
        gaps.push(ReasonCode::ClearanceUnreadable);
    }
    gaps
}

fn recorded_blockers(facts: &FirstFacts, restore: Option<&FirstRestore>) -> Vec<ReasonCode> {
    let on_restore = restore.map_or(&[][..], |restore| &restore.blockers);
    facts
        .run
        .blockers
        .iter()
        .chain(on_restore)
        .copied()
        .collect()
}

/// Chooses the restore that belongs to the run.
fn resolve(facts: &FirstFacts) -> Option<RestoreId> {
    let run = &facts.run;
    let points_here = |candidate: &&FirstCandidate| candidate.points_at == Some(run.id);
    let ContextFacts::Map { restore, .. } = run.context else {
        return None;
    };
    match restore {
        NamedRestore::Impossible => None,
        NamedRestore::Unnamed => {
            let pointing = facts.candidates.iter().filter(points_here);
            pointing.map(|candidate| candidate.restore_id).max()
        }
        NamedRestore::Id(named) => {
            let is_named = |candidate: &FirstCandidate| candidate.restore_id == named;
            let usable = facts.candidates.iter().any(|candidate| {
                is_named(candidate) && candidate.points_at.is_none_or(|run_id| run_id == run.id)
            });
            let contested = facts
                .candidates
                .iter()
                .filter(points_here)
                .any(|candidate| !is_named(candidate));
            (usable && !contested).then_some(named)
        }
    }
}

/// Whether no column says anything else than `expected`.
fn agrees(entry: &AuditFacts, expected: Voice) -> bool {
    [entry.action, entry.status, entry.outcome]
        .iter()
        .all(|voice| *voice == Voice::Silent || *voice == expected)
}
