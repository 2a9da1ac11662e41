//! The proof bundle: eight legs, each evaluated by itself.
//!
//! | Leg | Holds when |
//! |---|---|
//! | link | exactly one live restore of the same scope belongs to the run (see [`super::link`]) |
//! | scope | workspace and environment are equal and `context.target_scope` does not contradict |
//! | intent | the restore is no preview and is past its pre-execution statuses |
//! | execution | the restore's status is `completed` |
//! | items | rows exist, all are applied, they are exactly what was requested, counters agree |
//! | audit | an entry records the restore's end, agrees with its status, and none contradicts it later |
//! | evidence | the active snapshot is complete, valid, and not older than the restore's end |
//! | clearance | no blocker and no failure is recorded, and every place that could record a blocker can be read |
//!
//! Source: the platform's "success proof bundle matrix"; audit continuity, and what counts as
//! recorded, are this product's own reading where the specification is silent.
//!
//! **Invariant:** legs never look at each other. All gaps are reported, not only the first.

use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::context::ContextFacts;
use super::facts::{
    At, AuditFacts, EvidenceFacts, Facts, RestoreFacts, RestoreStatus, RunFacts, SnapshotFacts,
};
use super::link;
use super::reason::ReasonCode;
use super::results::{ColumnState, MetadataCount, Requested};
use crate::ids::AuditId;
use crate::stamp::{Stamp, shifted, whole_seconds};
use crate::vocabulary;

vocabulary! {
    /// One of the eight things a success needs.
    #[derive(PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
    #[serde(rename_all = "snake_case")]
    pub enum Leg {
        /// The leg's name, as stored and shown.
        name: &'static str,
        /// What would have to be true for the leg to hold.
        requirement: &'static str,
    }
    /// Which restore belongs to the run.
    Link {
        name: "link",
        requirement: "One live restore of the same workspace and environment belongs to this run.",
    }
    /// Same workspace and environment.
    Scope {
        name: "scope",
        requirement: "Restore and context agree with the run's workspace and environment.",
    }
    /// Meant to change something.
    Intent {
        name: "intent",
        requirement: "The restore is no preview and has left its preparation.",
    }
    /// Ran to its end.
    Execution {
        name: "execution",
        requirement: "The restore's status is completed.",
    }
    /// Did what was requested, item by item.
    Items {
        name: "items",
        requirement: "Every requested item has exactly one result, every result is applied, and counters agree.",
    }
    /// Independently recorded.
    Audit {
        name: "audit",
        requirement: "An audit entry records the restore's end, and no later one contradicts it.",
    }
    /// Looked at afterwards.
    Evidence {
        name: "evidence",
        requirement: "The active evidence snapshot of this run is complete, valid, and no older than the restore's end.",
    }
    /// Not stopped by anything.
    Clearance {
        name: "clearance",
        requirement: "No blocker and no failure is recorded on the run or its restore, and whatever could record a blocker can be read.",
    }
}

/// What became of one leg.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LegState {
    /// It holds.
    Holds,
    /// It does not, for these reasons, in registry order.
    Gaps(Vec<ReasonCode>),
    /// There is no restore to look at.
    NotAssessed,
}

/// The state of every leg.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proof {
    legs: [LegState; 8],
}

impl Proof {
    /// Evaluates all legs.
    #[must_use]
    pub fn evaluate(facts: &Facts) -> Self {
        let linked = linked_restore(facts);
        Self {
            legs: Leg::ALL.map(|leg| evaluate(leg, facts, linked)),
        }
    }

    /// The legs in their order, as another ruleset evaluated them.
    pub(super) fn from_legs(legs: [LegState; 8]) -> Self {
        Self { legs }
    }

    /// Every leg with its state, in order.
    pub fn legs(&self) -> impl Iterator<Item = (Leg, &LegState)> {
        Leg::ALL.into_iter().zip(&self.legs)
    }

    /// Whether `leg` holds.
    #[must_use]
    pub fn holds(&self, leg: Leg) -> bool {
        self.legs()
            .any(|(each, state)| each == leg && *state == LegState::Holds)
    }

    /// Whether all eight legs hold.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.legs.iter().all(|state| *state == LegState::Holds)
    }

    /// The gaps of one leg, in registry order.
    #[must_use]
    pub fn gaps_of(&self, leg: Leg) -> &[ReasonCode] {
        self.legs()
            .find(|(each, _)| *each == leg)
            .map_or(&[], |(_, state)| {
                if let LegState::Gaps(gaps) = state {
                    gaps
                } else {
                    &[]
                }
            })
    }

    /// Every gap once, in registry order.
    #[must_use]
    pub fn gaps(&self) -> Vec<ReasonCode> {
        let mut gaps: Vec<_> = Leg::ALL
            .iter()
            .flat_map(|leg| self.gaps_of(*leg))
            .copied()
            .collect();
        gaps.sort_unstable();
        gaps.dedup();
        gaps
    }
}

/// The restore that the link rule chooses, provided that it is the one the facts hold. A foreign one
/// is as good as none: no leg may look into it, or its gaps would tell that it exists.
pub(super) fn linked_restore(facts: &Facts) -> Option<&RestoreFacts> {
    let chosen = link::resolve(&facts.run, &facts.candidates).ok()?;
    facts
        .restore
        .as_ref()
        .filter(|restore| restore.id == chosen && is_in_scope(facts, restore))
}

/// The queries carry the scope already; this is the same rule once more, where it can be tested.
fn is_in_scope(facts: &Facts, restore: &RestoreFacts) -> bool {
    facts.run.workspace_id == restore.workspace_id
        && facts.run.environment_id == Some(restore.environment_id)
}

fn evaluate(leg: Leg, facts: &Facts, linked: Option<&RestoreFacts>) -> LegState {
    let restore = match (leg, linked) {
        (Leg::Clearance, Some(_)) => return state(clearance_gaps(Some(&facts.run), linked)),
        (Leg::Clearance, None) => {
            // What the run itself recorded still counts; that nothing is recorded, nobody can say.
            let gaps = clearance_gaps(Some(&facts.run), None);
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
        Leg::Evidence => evidence_gaps(&facts.evidence, restore, facts.at()),
    })
}

pub(super) fn state(mut gaps: Vec<ReasonCode>) -> LegState {
    gaps.sort_unstable();
    gaps.dedup();
    if gaps.is_empty() {
        LegState::Holds
    } else {
        LegState::Gaps(gaps)
    }
}

/// Keeps those whose condition is true.
pub(super) fn present<T, const N: usize>(all: [(bool, T); N]) -> Vec<T> {
    all.into_iter()
        .filter_map(|(found, one)| found.then_some(one))
        .collect()
}

pub(super) fn scope_gaps(facts: &Facts, restore: &RestoreFacts) -> Vec<ReasonCode> {
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

pub(super) fn intent_gaps(restore: &RestoreFacts) -> Vec<ReasonCode> {
    present([
        (restore.is_dry_run, ReasonCode::PreviewOnly),
        (restore.status.is_pre_execution(), ReasonCode::NotExecuted),
    ])
}

pub(super) fn execution_gap(restore: &RestoreFacts) -> Option<ReasonCode> {
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
#[must_use]
pub(crate) fn something_applied(restore: &RestoreFacts) -> bool {
    let items = &restore.items;
    let counted = |counter: MetadataCount| counter.count().is_some_and(|count| count > 0);
    items.items.has_effect()
        || items.assignments.has_effect()
        || items.foundations_written > 0
        || (items.items.total() == 0
            && (counted(restore.counters.succeeded) || counted(restore.counters.partial)))
}

pub(crate) fn items_gaps(restore: &RestoreFacts) -> Vec<ReasonCode> {
    let facts = &restore.items;
    let rows = facts.items.total();
    let unreadable = matches!(facts.reading, ColumnState::Unreadable(_));
    let request_known = matches!(
        facts.requested,
        Requested::Listed(_) | Requested::BackupSet(_)
    );
    let parts = [&facts.items, &facts.foundations, &facts.assignments];
    present([
        (!request_known, ReasonCode::RequestUnreadable),
        (
            rows > 0 && !something_applied(restore),
            ReasonCode::NothingApplied,
        ),
        (
            !unreadable && (rows == 0 || facts.missing > 0),
            ReasonCode::ItemsMissing,
        ),
        (
            unreadable || parts.iter().any(|tally| tally.unrecognised > 0),
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
#[must_use]
pub(crate) fn every_item_failed(restore: &RestoreFacts) -> bool {
    let items = &restore.items.items;
    items.failed > 0 && items.failed == items.total()
}

fn audit_gap(facts: &Facts, restore: &RestoreFacts) -> Option<ReasonCode> {
    if supporting_audit(facts).is_some() {
        return None;
    }
    let expected = restore.status.voice();
    let since = started(restore);
    let contradicts = |entry: &AuditFacts| {
        expected.is_none_or(|voice| !entry.agrees(voice)) && !is_before(entry, since)
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
        .is_some_and(|(recorded, moment)| whole_seconds(recorded) < whole_seconds(moment))
}

/// When the restore began: its row was created before anything ran, so that will do where nobody
/// noted the start. It will not do for a start that was noted and cannot be read: that may have been
/// any later moment, so then no audit entry can be placed and no evidence follows.
pub(super) fn started(restore: &RestoreFacts) -> Option<Timestamp> {
    match restore.started_at {
        Stamp::At(started) => Some(started),
        Stamp::Absent => restore.created_at.moment(),
        Stamp::Far | Stamp::Unreadable => None,
    }
}

/// The latest audit entry that records how the restore ended, agrees with its status, and is not
/// contradicted by a later one. An entry whose time cannot be read supports nothing and counts as
/// later than everything.
#[must_use]
pub fn supporting_audit(facts: &Facts) -> Option<AuditId> {
    let restore = linked_restore(facts)?;
    let expected = restore.status.voice()?;
    let since = started(restore)?;
    let placed = |entry: &AuditFacts| entry.recorded_at.map(|recorded| (recorded, entry.id));
    let support = facts
        .audits
        .iter()
        .filter(|entry| entry.agrees(expected))
        .filter_map(placed)
        .filter(|(recorded, _)| {
            whole_seconds(*recorded) >= whole_seconds(since) && *recorded <= facts.as_of
        })
        .max()?;
    let overruled = facts.audits.iter().any(|entry| {
        !entry.agrees(expected) && placed(entry).is_none_or(|position| position > support)
    });
    (!overruled).then_some(support.1)
}

/// What evidence captured for a restore's run lacks.
pub(crate) fn evidence_gaps(
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

/// What is lacking where no snapshot is active.
pub(super) fn inactive_gap(evidence: &EvidenceFacts) -> ReasonCode {
    if evidence.in_progress {
        ReasonCode::EvidenceInProgress
    } else if evidence.retired_unknown || !evidence.retired.is_empty() {
        ReasonCode::EvidenceNotCurrent
    } else {
        ReasonCode::EvidenceMissing
    }
}

/// A snapshot that expires exactly now has expired.
fn is_unexpired(snapshot: &SnapshotFacts, as_of: Timestamp) -> bool {
    match snapshot.expires_at {
        Stamp::Absent | Stamp::Far => true,
        Stamp::At(expires) => expires > as_of,
        Stamp::Unreadable => false,
    }
}

/// No restore ends before it starts, so evidence must not be older than either moment, and both must
/// be known. Nor can it be from the future, but for a clock that runs ahead.
fn follows_restore(restore: &RestoreFacts, snapshot: &SnapshotFacts, at: At<'_>) -> bool {
    let Some((started, ended)) = started(restore).zip(ended_at(restore, at)) else {
        return false;
    };
    let floor = shifted(
        whole_seconds(started.max(ended)),
        negated(at.policy.evidence_skew_max),
    );
    let ceiling = shifted(at.as_of, at.policy.clock_skew_max);
    snapshot
        .generated_at
        .moment()
        .is_some_and(|generated| whole_seconds(generated) >= floor && generated <= ceiling)
}

/// When the restore ended. An end in the near future is a clock that runs ahead and means now. One further off is no
/// end that anything could be compared with; nor is PHP's zero date, or one before the restore's own start.
#[must_use]
pub(super) fn ended_at(restore: &RestoreFacts, at: At<'_>) -> Option<Timestamp> {
    let completed = restore.completed_at.moment()?;
    let latest = shifted(at.as_of, at.policy.clock_skew_max);
    let follows_start = restore
        .started_at
        .moment()
        .is_none_or(|started| whole_seconds(started) <= whole_seconds(completed));
    let is_end = completed > Timestamp::UNIX_EPOCH && completed <= latest && follows_start;
    is_end.then(|| completed.min(at.as_of))
}

/// The shortest duration has no opposite; the longest is as good.
pub(super) fn negated(duration: SignedDuration) -> SignedDuration {
    duration.checked_neg().unwrap_or(SignedDuration::MAX)
}

/// What is recorded on the run counts even where no restore can be linked, and on the restore where no run is known.
#[must_use]
pub(crate) fn clearance_gaps(
    run: Option<&RunFacts>,
    restore: Option<&RestoreFacts>,
) -> Vec<ReasonCode> {
    let mut gaps: Vec<_> = run
        .into_iter()
        .flat_map(RunFacts::blockers_recorded)
        .collect();
    gaps.extend(restore.into_iter().flat_map(|it| &it.blockers));
    let readable = run.is_none_or(|run| run.blockers_readable)
        && restore.is_none_or(|restore| restore.metadata_readable);
    let failed = run.is_some_and(RunFacts::failure_recorded)
        || restore.is_some_and(|restore| !restore.failures.is_empty());
    gaps.extend(present([
        (failed, ReasonCode::FailureRecorded),
        (!readable, ReasonCode::ClearanceUnreadable),
    ]));
    gaps
}
