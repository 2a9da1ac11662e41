//! What a verdict hangs on: which facts it would have taken, or which ones it took.
//!
//! ```text
//! below succeeded ── why not? ──▶ the smallest set of facts that would have made it succeed
//! succeeded       ── why?     ──▶ every fact whose loss alone would have made it less
//! ```
//!
//! Each [`ProofFact`] can be *mended*, to the value that the proof demands, and *lost*. **Why not** mends all of them and
//! then leaves out, one after the other, each that the success does not need. What is left is minimal by construction:
//! dropping any one of it is not enough. As no fact can stand in for another (a test mends everything but one), it is the
//! smallest set, and the only one of its size. **Why** loses each fact by itself and decides again.
//!
//! A fact is mended to the value that asks least of the others: an end that nobody recorded is taken to be as early as it
//! can be, so that evidence on record still follows it. Counters that agreed with the results are taken to follow them.
//!
//! Nothing can make a run succeed where the clock reads 1970 or a policy turns an allowance into a demand (a negative skew,
//! which the configuration refuses); then there is no answer.
//!
//! **Invariant:** an answer is about the record. That a restore would have worked, it never says.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::context::{ContextFacts, NamedRestore};
use super::facts::{
    AuditFacts, Facts, RestoreFacts, RestoreStatus, RunOutcome, SnapshotFacts, Voice,
};
use super::outcome::Outcome;
use super::proof::{Leg, started};
use super::reason::ReasonCode;
use super::results::{
    ColumnState, Counters, ItemFacts, ItemFinding, MetadataCount, Part, PartTally, RecordedFailure,
    RequestFault, Requested,
};
use super::rulesets::Ruleset;
use crate::ids::{AuditId, SnapshotId};
use crate::json::Fault;
use crate::stamp::{Stamp, shifted, whole_seconds};
use crate::{quantity, vocabulary};

/// How many items an answer names by their ids.
const IDS_MAX: usize = 5;

vocabulary! {
    /// What a verdict is asked.
    #[derive(Serialize, Deserialize, JsonSchema)]
    #[serde(rename_all = "snake_case")]
    pub enum Question {
        /// How the answer begins.
        lead: &'static str,
        /// What the answer does not say.
        boundary: &'static str,
    }
    /// Which facts a verdict below succeeded lacks.
    WhyNot {
        lead: "This restore lacks exactly",
        boundary: "That is what the record lacks; whether the restore would have worked, it does not say.",
    }
    /// Which facts a success hangs on.
    Why {
        lead: "The success hangs on each of these alone",
        boundary: "What is recorded twice is not among them, as losing it once changes nothing.",
    }
}

vocabulary! {
    /// One fact that a success rests on, in the order in which they are mended and told.
    #[derive(PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
    #[serde(rename_all = "snake_case")]
    pub enum ProofFact {
        /// What is lacking, or what the success hangs on, where no more is known of it.
        phrase,
        /// The part of the proof that asks for it.
        leg: Leg,
    }
    NamesRestore = "a context that names the restore" { leg: Leg::Link }
    PointsAtRun = "a restore that points at the run" { leg: Leg::Link }
    SameScope = "a context that names no other workspace or environment" { leg: Leg::Scope }
    NoPreview = "a restore that is no preview" { leg: Leg::Intent }
    StatusCompleted = "the status completed" { leg: Leg::Execution }
    Request = "a request that can be read" { leg: Leg::Items }
    ReadableResults = "results that can be read" { leg: Leg::Items }
    Results = "a result for each requested item" { leg: Leg::Items }
    Applied = "an applied outcome of each result" { leg: Leg::Items }
    Recognised = "no outcome that the rules do not know" { leg: Leg::Items }
    AsRequested = "no result beyond the request, and none twice" { leg: Leg::Items }
    Counts = "counters that agree with the results" { leg: Leg::Items }
    Start = "a start of the restore" { leg: Leg::Audit }
    AuditEntry = "an audit entry that the restore completed" { leg: Leg::Audit }
    AuditUncontradicted = "no later audit entry that says otherwise" { leg: Leg::Audit }
    End = "an end of the restore" { leg: Leg::Evidence }
    Snapshot = "an active evidence snapshot" { leg: Leg::Evidence }
    NoBlocker = "a record without a blocker" { leg: Leg::Clearance }
    NoFailure = "a record without a failure" { leg: Leg::Clearance }
    ReadableRun = "`failure_summary` and `execution_legitimacy` that can be read" { leg: Leg::Clearance }
    ReadableMetadata = "metadata of the restore that can be read" { leg: Leg::Clearance }
}

/// A fact, and what is said of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NamedFact {
    /// Which.
    pub fact: ProofFact,
    /// The part of the proof that asks for it.
    pub leg: Leg,
    /// The fact in words, as a part of a sentence.
    pub text: String,
}

/// Asks the verdict that a ruleset gives on these facts. Nothing where it gives none.
#[must_use]
pub fn ask(rules: &Ruleset, facts: &Facts) -> Option<(Question, Vec<NamedFact>)> {
    let named = |found: &[ProofFact], text: &dyn Fn(ProofFact) -> String| {
        let name = |&fact: &ProofFact| NamedFact {
            fact,
            leg: fact.leg(),
            text: text(fact),
        };
        found.iter().map(name).collect()
    };
    if rules.decide(facts).outcome()? == Outcome::Succeeded {
        let found = hangs_on(rules, facts);
        Some((
            Question::Why,
            named(&found, &|fact| fact.resting(rules, facts)),
        ))
    } else {
        let found = lacks(rules, facts)?;
        let text = |fact: ProofFact| fact.lacking(rules, facts, &found);
        Some((Question::WhyNot, named(&found, &text)))
    }
}

/// The smallest set of facts that would have made a verdict succeed; empty for a success. Nothing where there is no
/// verdict, or no such set.
#[must_use]
pub fn lacks(rules: &Ruleset, facts: &Facts) -> Option<Vec<ProofFact>> {
    rules.decide(facts).outcome()?;
    let mut needed = ProofFact::ALL.to_vec();
    if !succeeds(rules, &mended(rules, facts, &needed)) {
        return None;
    }
    for fact in ProofFact::ALL {
        let mut fewer = needed.clone();
        fewer.retain(|each| *each != fact);
        if succeeds(rules, &mended(rules, facts, &fewer)) {
            needed = fewer;
        }
    }
    Some(needed)
}

/// Every fact whose loss alone would take a success away; empty where there is none.
#[must_use]
pub fn hangs_on(rules: &Ruleset, facts: &Facts) -> Vec<ProofFact> {
    if !succeeds(rules, facts) {
        return Vec::new();
    }
    let is_needed = |fact: &ProofFact| !succeeds(rules, &lost(rules, facts, *fact));
    ProofFact::ALL.into_iter().filter(is_needed).collect()
}

/// The facts with these as a success needs them. Those that are so already stay as they are.
#[must_use]
pub fn mended(rules: &Ruleset, facts: &Facts, these: &[ProofFact]) -> Facts {
    let mut facts = facts.clone();
    for fact in ProofFact::ALL {
        if these.contains(&fact) {
            fact.mend(rules, &mut facts);
        }
    }
    facts
}

/// The facts without this one.
#[must_use]
pub fn lost(rules: &Ruleset, facts: &Facts, fact: ProofFact) -> Facts {
    let mut facts = facts.clone();
    fact.lose(rules, &mut facts);
    facts
}

fn succeeds(rules: &Ruleset, facts: &Facts) -> bool {
    rules.decide(facts).outcome() == Some(Outcome::Succeeded)
}

impl ProofFact {
    /// A verdict is reached on a restore that is tied to its run and is no preview: the first four are never lacking.
    fn mend(self, rules: &Ruleset, facts: &mut Facts) {
        let as_of = facts.as_of;
        match self {
            Self::Start if !has_start(rules, facts) => {
                let latest = latest_start(rules, facts);
                if let Some(restore) = &mut facts.restore {
                    restore.started_at = Stamp::At(latest);
                }
            }
            Self::AuditEntry if (rules.supporting_audit)(facts).is_none() => {
                facts.audits.push(entry_of_now(as_of, Voice::Completed));
            }
            Self::AuditUncontradicted => {
                facts.audits.retain(|entry| !overrules(rules, entry, as_of));
            }
            Self::End if !has_end(rules, facts) => {
                let earliest = earliest_end(facts);
                if let Some(restore) = &mut facts.restore {
                    restore.completed_at = Stamp::At(earliest);
                }
            }
            Self::Snapshot if !snapshot_gaps(rules, facts).is_empty() => {
                facts.evidence.active = Some(SnapshotFacts {
                    id: SnapshotId(i64::MAX),
                    complete: true,
                    generated_at: Stamp::At(as_of),
                    expires_at: Stamp::Absent,
                });
            }
            Self::NoBlocker => facts.run.blockers.clear(),
            Self::NoFailure => {
                facts.run.failures = 0;
                facts.run.outcome = RunOutcome::Pending;
            }
            Self::ReadableRun => facts.run.blockers_readable = true,
            _ => {}
        }
        if let Some(restore) = &mut facts.restore {
            self.mend_restore(restore);
        }
    }

    fn mend_restore(self, restore: &mut RestoreFacts) {
        match self {
            Self::StatusCompleted => restore.status = RestoreStatus::Completed,
            Self::NoBlocker => restore.blockers.clear(),
            Self::NoFailure => restore.failures.clear(),
            Self::ReadableMetadata if !restore.metadata_readable => {
                restore.metadata_readable = true;
                // Where nothing of it could be read, its counters could not.
                if restore.counters.total == MetadataCount::Unreadable {
                    restore.counters = Counters::default();
                }
            }
            _ => {
                let agreed = counters_agree(restore);
                self.mend_items(&mut restore.items);
                let is_theirs = self == Self::Counts || agreed;
                // The first ruleset knows how much was requested by `total` alone, where that was not itemised.
                for total in [restore.counters.total, MetadataCount::Absent] {
                    if is_theirs && !counters_agree(restore) {
                        restore.counters = Counters {
                            total,
                            ..Counters::default()
                        };
                    }
                }
            }
        }
    }

    fn mend_items(self, items: &mut ItemFacts) {
        let rows = items.items.total();
        match self {
            Self::Request if requested(items).is_none() => {
                items.requested = Requested::Listed(rows);
            }
            Self::ReadableResults => items.reading = ColumnState::Read,
            Self::Results if rows == 0 => {
                let wanted = requested(items).map(|count| count.max(1));
                items.items.applied = wanted.unwrap_or(1);
                items.missing = 0;
                if let Some(wanted) = wanted {
                    items.requested = Requested::Listed(wanted);
                }
            }
            Self::Results => {
                items.items.applied += items.missing;
                items.missing = 0;
            }
            Self::Applied => each_tally(items, |tally| PartTally {
                applied: tally.total() - tally.unrecognised,
                unrecognised: tally.unrecognised,
                ..PartTally::default()
            }),
            Self::Recognised => each_tally(items, |tally| PartTally {
                applied: tally.applied + tally.unrecognised,
                unrecognised: 0,
                ..*tally
            }),
            Self::AsRequested => {
                items.unexpected = 0;
                items.repeated = 0;
            }
            Self::Counts => items.assignment_conflicts = 0,
            _ => {}
        }
    }

    fn lose(self, rules: &Ruleset, facts: &mut Facts) {
        let as_of = facts.as_of;
        match self {
            Self::NamesRestore | Self::SameScope => {
                if let ContextFacts::Map {
                    restore,
                    scope_contradicts,
                } = &mut facts.run.context
                {
                    match self {
                        Self::SameScope => *scope_contradicts = true,
                        _ => *restore = NamedRestore::Unnamed,
                    }
                }
            }
            Self::PointsAtRun => {
                let id = facts.restore.as_ref().map(|restore| restore.id);
                let candidates = facts.candidates.iter_mut();
                for candidate in candidates.filter(|it| Some(it.restore_id) == id) {
                    candidate.points_at = None;
                }
            }
            Self::AuditEntry => {
                let support = (rules.supporting_audit)(facts);
                facts.audits.retain(|entry| Some(entry.id) != support);
            }
            Self::AuditUncontradicted => facts.audits.push(entry_of_now(as_of, Voice::Failed)),
            Self::Snapshot => facts.evidence.active = None,
            Self::NoBlocker => facts.run.blockers.push(ReasonCode::WriteGateBlocked),
            Self::NoFailure => facts.run.failures += 1,
            Self::ReadableRun => facts.run.blockers_readable = false,
            _ => {
                if let Some(restore) = &mut facts.restore {
                    self.lose_from(restore);
                }
            }
        }
    }

    fn lose_from(self, restore: &mut RestoreFacts) {
        let items = &mut restore.items;
        let rows = &mut items.items;
        match self {
            Self::NoPreview => restore.is_dry_run = true,
            Self::StatusCompleted => restore.status = RestoreStatus::Unknown,
            Self::Start => restore.started_at = Stamp::Absent,
            Self::End => restore.completed_at = Stamp::Absent,
            Self::ReadableMetadata => restore.metadata_readable = false,
            Self::Request => items.requested = Requested::Unreadable(RequestFault::SetAbsent),
            Self::ReadableResults => items.reading = ColumnState::Unreadable(Fault::Shape),
            Self::AsRequested => items.unexpected += 1,
            Self::Counts => items.assignment_conflicts += 1,
            Self::Results => items.missing += take_one(&mut rows.applied),
            Self::Applied => rows.failed += take_one(&mut rows.applied),
            Self::Recognised => rows.unrecognised += take_one(&mut rows.applied),
            _ => {}
        }
    }

    /// What is lacking, beside the others of `set`.
    fn lacking(self, rules: &Ruleset, facts: &Facts, set: &[Self]) -> String {
        let phrase = self.phrase();
        let Some(restore) = &facts.restore else {
            return phrase.to_owned();
        };
        match self {
            Self::StatusCompleted => format!(
                "{phrase} (it is {})",
                restore.status.word().replace('_', " ")
            ),
            Self::Request
            | Self::Results
            | Self::Applied
            | Self::Recognised
            | Self::AsRequested => self.lacking_of(&restore.items),
            Self::Start => format!("{phrase}, by {}", told(latest_start(rules, facts))),
            Self::AuditEntry => audit_lacking(rules, facts, restore),
            Self::AuditUncontradicted => {
                let ids: Vec<_> = (facts.audits.iter())
                    .filter(|entry| overrules(rules, entry, facts.as_of))
                    .map(|entry| entry.id.to_string())
                    .collect();
                format!("{phrase}, as entry {} does", joined(&ids))
            }
            Self::End => {
                let latest = generated_at(facts).filter(|_| !set.contains(&Self::Snapshot));
                let latest = latest.map(|it| shifted(it, facts.policy.evidence_skew_max));
                let latest = told(latest.map_or(facts.as_of, |it| it.min(facts.as_of)));
                let from = has_start(rules, facts).then(|| told(earliest_end(facts)));
                from.map_or_else(
                    || format!("{phrase}, by {latest}"),
                    |from| format!("{phrase} between {from} and {latest}"),
                )
            }
            Self::Snapshot => snapshot_lacking(rules, facts, restore),
            Self::NoBlocker => {
                let recorded = facts.run.blockers.iter().chain(&restore.blockers);
                let codes: Vec<_> = recorded.map(|code| format!("`{code}`")).collect();
                format!("{phrase} ({})", joined(&codes))
            }
            Self::NoFailure => format!("{phrase} ({})", failures(facts, restore)),
            _ => phrase.to_owned(),
        }
    }

    fn lacking_of(self, items: &ItemFacts) -> String {
        use ItemFinding::{
            Failed, Missing, NotApplied, Partial, Repeated, Skipped, Unexpected, Unrecognised,
        };
        match self {
            Self::Request => match items.requested {
                Requested::Unreadable(RequestFault::SetAbsent | RequestFault::SetEmpty) => {
                    "a backup set that holds the requested items".to_owned()
                }
                _ => self.phrase().to_owned(),
            },
            Self::Results if requested(items) == Some(0) => {
                "a request that lists an item, and a result for it".to_owned()
            }
            Self::Results if items.missing > 0 => {
                format!(
                    "a result for {}",
                    found(items, items.missing, |it| it == Missing)
                )
            }
            Self::Applied => {
                let count = |tally: &PartTally| tally.total() - tally.applied - tally.unrecognised;
                let is_it = |it| matches!(it, Failed | Partial | Skipped | NotApplied);
                format!("an applied outcome of {}", in_parts(items, count, is_it))
            }
            Self::Recognised => {
                let parts = in_parts(items, |tally| tally.unrecognised, |it| it == Unrecognised);
                format!("an outcome that the rules know of {parts}")
            }
            Self::AsRequested => {
                let unasked = found(items, items.unexpected, |it| it == Unexpected);
                let twice = found(items, items.repeated, |it| it == Repeated);
                let parts = [
                    (items.unexpected > 0)
                        .then(|| format!("a request for {unasked}, of which there is a result")),
                    (items.repeated > 0).then(|| format!("no id twice ({twice})")),
                ];
                joined(&parts.into_iter().flatten().collect::<Vec<_>>())
            }
            _ => self.phrase().to_owned(),
        }
    }

    /// What the success hangs on.
    fn resting(self, rules: &Ruleset, facts: &Facts) -> String {
        let (active, entry) = (facts.evidence.active, (rules.supporting_audit)(facts));
        let restore = facts.restore.as_ref().map(|restore| restore.id);
        match (self, restore, entry, active) {
            (Self::NamesRestore | Self::PointsAtRun, Some(id), ..) => {
                format!("{} ({id})", self.phrase())
            }
            (Self::AuditEntry, _, Some(entry), _) => format!("{} ({entry})", self.phrase()),
            (Self::Snapshot, .., Some(active)) => format!("{} ({})", self.phrase(), active.id),
            _ => self.phrase().to_owned(),
        }
    }
}

/// Whether there is a start from which audit entries and evidence can be counted.
fn has_start(rules: &Ruleset, facts: &Facts) -> bool {
    let found = facts.restore.as_ref().and_then(started);
    found.is_some_and(|moment| (rules.precision)(moment) <= facts.as_of)
}

fn has_end(rules: &Ruleset, facts: &Facts) -> bool {
    let restore = facts.restore.as_ref();
    restore.is_some_and(|it| (rules.ended_at)(it, facts.at()).is_some())
}

/// The latest start that the rest of the record can follow: the end, entries that agree, and, without an end, evidence.
fn latest_start(rules: &Ruleset, facts: &Facts) -> Timestamp {
    let is_past = |moment: &Timestamp| *moment > Timestamp::UNIX_EPOCH && *moment <= facts.as_of;
    let ended = facts.restore.as_ref().map(|it| it.completed_at);
    let ended = ended.and_then(Stamp::moment).filter(is_past);
    let agreeing = (facts.audits.iter()).filter(|it| (rules.agrees)(it, Voice::Completed));
    let entries = agreeing.filter_map(|entry| entry.recorded_at);
    let later = entries.chain(ended.or(generated_at(facts))).filter(is_past);
    whole_seconds(later.fold(facts.as_of, Timestamp::min))
}

fn generated_at(facts: &Facts) -> Option<Timestamp> {
    facts.evidence.active?.generated_at.moment()
}

/// The earliest end that is one: no earlier than the start, and not PHP's zero date.
fn earliest_end(facts: &Facts) -> Timestamp {
    let first = shifted(Timestamp::UNIX_EPOCH, jiff::SignedDuration::from_secs(1));
    let started = facts.restore.as_ref().and_then(started);
    started.map_or(first, |moment| whole_seconds(moment).max(first))
}

fn snapshot_gaps(rules: &Ruleset, facts: &Facts) -> Vec<ReasonCode> {
    let gaps = |restore: &RestoreFacts| (rules.evidence_gaps)(&facts.evidence, restore, facts.at());
    facts.restore.as_ref().map_or_else(Vec::new, gaps)
}

/// An entry that comes last of all that lie in the past.
fn entry_of_now(as_of: Timestamp, action: Voice) -> AuditFacts {
    AuditFacts {
        id: AuditId(i64::MAX),
        action,
        status: Voice::Silent,
        outcome: Voice::Silent,
        recorded_at: Some(as_of),
    }
}

/// Whether an entry denies the completion, and no entry of the past can be later: its time lies ahead, or cannot be read.
fn overrules(rules: &Ruleset, entry: &AuditFacts, as_of: Timestamp) -> bool {
    !(rules.agrees)(entry, Voice::Completed)
        && entry.recorded_at.is_none_or(|moment| moment > as_of)
}

fn counters_agree(restore: &RestoreFacts) -> bool {
    let ItemFacts {
        items, foundations, ..
    } = &restore.items;
    restore.counters.agree_with(items, foundations)
}

fn requested(items: &ItemFacts) -> Option<u64> {
    match items.requested {
        Requested::Listed(count) | Requested::BackupSet(count) => Some(count),
        Requested::NotItemised | Requested::Unreadable(_) => None,
    }
}

fn each_tally(items: &mut ItemFacts, mend: impl Fn(&PartTally) -> PartTally) {
    for tally in [
        &mut items.items,
        &mut items.foundations,
        &mut items.assignments,
    ] {
        *tally = mend(tally);
    }
}

fn take_one(count: &mut u64) -> u64 {
    let taken = u64::from(*count > 0);
    *count -= taken;
    taken
}

fn told(moment: Timestamp) -> String {
    moment.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// `a`, `a and b`, `a, b and c`.
fn joined(parts: &[String]) -> String {
    match parts {
        [] => String::new(),
        [one] => one.clone(),
        [others @ .., last] => format!("{} and {last}", others.join(", ")),
    }
}

/// Items with such a finding, by their ids where these are numbers.
fn found(items: &ItemFacts, count: u64, is_it: impl Fn(ItemFinding) -> bool) -> String {
    let is_named = |id: &str| !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit());
    let exceptions = items.exceptions.iter();
    let mut ids: Vec<_> = exceptions
        .filter(|it| it.part == Part::Item && is_it(it.finding) && is_named(&it.id))
        .map(|it| it.id.clone())
        .collect();
    if let ([id], 1) = (ids.as_slice(), count) {
        return format!("item {id}");
    }
    ids.truncate(IDS_MAX);
    let omitted = count.saturating_sub(ids.len() as u64);
    if omitted > 0 && !ids.is_empty() {
        ids.push(format!("{omitted} more"));
    }
    match joined(&ids) {
        ids if ids.is_empty() => quantity(count, "item"),
        ids => format!("{} ({ids})", quantity(count, "item")),
    }
}

/// How many rows of each part are meant.
fn in_parts(
    items: &ItemFacts,
    count: impl Fn(&PartTally) -> u64,
    is_it: impl Fn(ItemFinding) -> bool,
) -> String {
    let beside = |tally: &PartTally, one: &str| match count(tally) {
        0 => None,
        rows => Some(quantity(rows, one)),
    };
    let rows = count(&items.items);
    let parts = [
        (rows > 0).then(|| found(items, rows, is_it)),
        beside(&items.foundations, "foundation"),
        beside(&items.assignments, "assignment"),
    ];
    joined(&parts.into_iter().flatten().collect::<Vec<_>>())
}

fn audit_lacking(rules: &Ruleset, facts: &Facts, restore: &RestoreFacts) -> String {
    let phrase = ProofFact::AuditEntry.phrase();
    let since = started(restore).filter(|_| has_start(rules, facts));
    let since = since.map(whole_seconds);
    let denying = facts.audits.iter();
    let denied = denying
        .filter(|entry| !(rules.agrees)(entry, Voice::Completed))
        .filter_map(|entry| Some((entry.recorded_at?, entry.id)))
        .filter(|(at, _)| *at <= facts.as_of && since.is_none_or(|since| *at >= since));
    match (denied.max(), since) {
        (Some((_, id)), _) => format!("{phrase}, later than entry {id}, which says otherwise"),
        (None, Some(since)) => format!("{phrase}, recorded at {} or later", told(since)),
        (None, None) => phrase.to_owned(),
    }
}

fn snapshot_lacking(rules: &Ruleset, facts: &Facts, restore: &RestoreFacts) -> String {
    let phrase = ProofFact::Snapshot.phrase();
    let ended = (rules.ended_at)(restore, facts.at());
    let since = started(restore).zip(ended).map_or_else(
        || "generated no earlier than the start and end of the restore".to_owned(),
        |(started, ended)| {
            let back = facts.policy.evidence_skew_max.checked_neg();
            let floor = whole_seconds(started.max(ended));
            let floor = back.map_or(Timestamp::MIN, |back| shifted(floor, back));
            format!("generated at {} or later", told(floor))
        },
    );
    let wrong: Vec<_> = (snapshot_gaps(rules, facts).into_iter())
        .filter_map(|gap| match gap {
            ReasonCode::EvidenceIncomplete => Some("is not complete"),
            ReasonCode::EvidenceExpired => Some("had expired"),
            ReasonCode::EvidencePredatesRestore if ended.is_some() => {
                Some("is not shown to be newer")
            }
            _ => None,
        })
        .map(str::to_owned)
        .collect();
    let there = (facts.evidence.active.filter(|_| !wrong.is_empty()))
        .map_or_else(String::new, |active| {
            format!(" (snapshot {} {})", active.id, joined(&wrong))
        });
    format!("{phrase}, complete and valid, {since}{there}")
}

/// Where failures are recorded.
fn failures(facts: &Facts, restore: &RestoreFacts) -> String {
    let place = |failure: &RecordedFailure| match failure {
        RecordedFailure::FailureReason => "`failure_reason`",
        RecordedFailure::ResultsStatus => "`results.status`",
        RecordedFailure::ResultsErrors => "`results.errors`",
        RecordedFailure::MetadataStatus => "`metadata.status`",
    };
    let summary = (facts.run.failures > 0).then_some("`failure_summary`");
    let outcome = facts.run.denies_success().then_some("the run's `outcome`");
    let places = restore.failures.iter().map(place);
    let places = places.chain(summary).chain(outcome).map(str::to_owned);
    joined(&places.collect::<Vec<_>>())
}
