//! The legs of the first ruleset, where they are not those of today: moments are compared as they are, a far expiry is none that
//! counts, a word that nobody knows denies an entry, and a recorded failure denies nothing.

use jiff::Timestamp;

use crate::ids::AuditId;
use crate::restore_execute::facts::{
    At, AuditFacts, EvidenceFacts, Facts, RestoreFacts, SnapshotFacts, Voice,
};
use crate::restore_execute::proof::{
    Leg, LegState, Proof, every_item_failed, execution_gap, inactive_gap, intent_gaps,
    linked_restore, negated, present, scope_gaps, started, state,
};
use crate::restore_execute::reason::ReasonCode;
use crate::restore_execute::results::{ColumnState, Requested};
use crate::stamp::{Stamp, shifted};

/// Evaluates all legs.
pub(super) fn evaluate_all(facts: &Facts) -> Proof {
    let linked = linked_restore(facts);
    Proof::from_legs(Leg::ALL.map(|leg| evaluate(leg, facts, linked)))
}

fn evaluate(leg: Leg, facts: &Facts, linked: Option<&RestoreFacts>) -> LegState {
    let restore = match (leg, linked) {
        (Leg::Clearance, _) => {
            let gaps = clearance_gaps(facts, linked);
            // What the run itself recorded still counts; that nothing is recorded, nobody can say.
            let is_unknown = linked.is_none() && gaps.is_empty();
            return if is_unknown {
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
        Leg::Evidence => evidence_gaps(&facts.evidence, restore, facts.at()),
    })
}

/// A request that was not itemised is covered only where the counter `total` says how much it was.
fn items_gaps(restore: &RestoreFacts) -> Vec<ReasonCode> {
    let facts = &restore.items;
    let rows = facts.items.total();
    let unreadable = matches!(facts.reading, ColumnState::Unreadable(_));
    let uncovered =
        facts.requested == Requested::NotItemised && restore.counters.total.count() != Some(rows);
    let parts = [&facts.items, &facts.foundations, &facts.assignments];
    present([
        (
            !unreadable && (rows == 0 || facts.missing > 0 || uncovered),
            ReasonCode::ItemsMissing,
        ),
        (
            unreadable
                || matches!(facts.requested, Requested::Unreadable(_))
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

fn audit_gap(facts: &Facts, restore: &RestoreFacts) -> Option<ReasonCode> {
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

/// The latest audit entry that records how the restore ended, agrees with its status, and is not
/// contradicted by a later one. An entry whose time cannot be read supports nothing and counts as
/// later than everything.
pub(in crate::restore_execute) fn supporting_audit(facts: &Facts) -> Option<AuditId> {
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
pub(in crate::restore_execute) fn evidence_gaps(
    evidence: &EvidenceFacts,
    restore: &RestoreFacts,
    at: At<'_>,
) -> Vec<ReasonCode> {
    let Some(active) = &evidence.active else {
        return vec![inactive_gap(evidence)];
    };
    present([
        (!active.complete, ReasonCode::EvidenceIncomplete),
        (!is_unexpired(active, at.as_of), ReasonCode::EvidenceExpired),
        (
            !follows_restore(restore, active, at),
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
fn follows_restore(restore: &RestoreFacts, snapshot: &SnapshotFacts, at: At<'_>) -> bool {
    let Some((started, ended)) = started(restore).zip(ended_at(restore, at)) else {
        return false;
    };
    let floor = shifted(started.max(ended), negated(at.policy.evidence_skew_max));
    let ceiling = shifted(at.as_of, at.policy.clock_skew_max);
    snapshot
        .generated_at
        .moment()
        .is_some_and(|generated| (floor..=ceiling).contains(&generated))
}

/// When the restore ended. An end in the near future is a clock that runs ahead and means now; one
/// further off is no end that anything could be compared with.
pub(in crate::restore_execute) fn ended_at(
    restore: &RestoreFacts,
    at: At<'_>,
) -> Option<Timestamp> {
    let completed = restore.completed_at.moment()?;
    let latest = shifted(at.as_of, at.policy.clock_skew_max);
    (completed <= latest).then(|| completed.min(at.as_of))
}

/// Blockers recorded on the run count even where no restore can be linked.
fn clearance_gaps(facts: &Facts, restore: Option<&RestoreFacts>) -> Vec<ReasonCode> {
    let on_restore = restore.map_or(&[][..], |restore| &restore.blockers);
    let mut gaps: Vec<_> = facts
        .run
        .blockers
        .iter()
        .chain(on_restore)
        .copied()
        .collect();
    let readable =
        facts.run.blockers_readable && restore.is_none_or(|restore| restore.metadata_readable);
    if !readable {
        gaps.push(ReasonCode::ClearanceUnreadable);
    }
    gaps
}

/// Whether no column says anything else than `expected`.
pub(in crate::restore_execute) fn agrees(entry: &AuditFacts, expected: Voice) -> bool {
    [entry.action, entry.status, entry.outcome]
        .iter()
        .all(|voice| *voice == Voice::Silent || *voice == expected)
}
