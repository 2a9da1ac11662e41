//! What another policy would have said of a verdict on record, from its recorded facts.
//!
//! ```text
//! recorded facts ──every record that they allow──▶ decide with the other policy ──all alike?──▶ an answer, or none
//! ```
//!
//! Facts hold what one policy read: words it did not know are counted, entries it did not ask for are not there. Where the
//! other policy would have read more, each record that the facts leave possible is judged, and only what all of them
//! come to is an answer. Each is judged at the moment of the verdict. Where the other policy would have closed the run
//! before that, at a moment at which the recorded one left it open, and otherwise, there is none: nobody knows whether
//! somebody would have looked then.
//!
//! **Invariant:** an answer is what the other policy would have said, at that moment, of the rows that the facts came
//! from. Whatever facts cannot tell is [`Unanswered`], never guessed.

use std::collections::BTreeSet;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::canonical::digest_of;
use super::decision::Decision;
use super::facts::{AuditFacts, Facts, Policy, Voice};
use super::outcome::Outcome;
use super::past::Past;
use super::reason::ReasonCode;
use super::results::{ItemFacts, Part, PartTally, RecordedFailure};
use super::review::{Doubt, Name, Recorded, review_as};
use super::rows::AUDITS_PER_RESTORE_MAX;
use super::rules::{RULESET, decide};
use super::ruleset_1;
use super::words::{Class, ItemFinding, ItemWords, WordClass};
use crate::ids::AuditId;
use crate::stamp::{Stamp, shifted};
use crate::vocabulary;

/// What a policy says of a run.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
pub struct PolicyAnswer {
    /// The outcome; none where the run would have stayed open at that moment.
    pub outcome: Option<Outcome>,
    /// The primary reason.
    pub reason: ReasonCode,
}

impl From<&Decision> for PolicyAnswer {
    fn from(decision: &Decision) -> Self {
        Self {
            outcome: decision.outcome(),
            reason: decision.reason,
        }
    }
}

vocabulary! {
    /// Why recorded facts do not say what another policy would have said.
    #[derive(PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
    #[serde(rename_all = "snake_case")]
    pub enum Unanswered {
        /// What is not recorded.
        sentence: &'static str,
    }
    /// Each ruleset records what it reads.
    Ruleset {
        sentence: "it was decided by another ruleset, which recorded what it read itself",
    }
    /// Other times close runs before their proof comes, or before it goes.
    EarlierLook {
        sentence: "whether somebody would have looked at the run before what was recorded last",
    }
    /// Entries with other actions or types are not read.
    AuditEntries {
        sentence: "which audit entries the other names would have found",
    }
    /// Rows and statuses of which not every word is recorded.
    ItemWords {
        sentence: "which words the items and the status of its results had",
    }
    /// Codes that name no blocker are not kept.
    BlockerCodes {
        sentence: "which other codes were recorded on the run or its restore",
    }
}

/// What `policy` would have said of a verdict that stands, by the rules of its time; where `ruleset` is given, only of one
/// that those rules reached.
///
/// A setting that the rules of its time did not have changes nothing.
pub fn simulate(
    recorded: &Recorded<'_>,
    name: &Name<'_>,
    ruleset: Option<&str>,
    policy: &Policy,
) -> Result<Result<PolicyAnswer, Unanswered>, Doubt> {
    let facts = review_as(recorded, name)?.facts;
    if ruleset.is_some_and(|it| it != recorded.ruleset) {
        return Ok(Err(Unanswered::Ruleset));
    }
    Ok(match recorded.ruleset {
        RULESET => answer(&facts, policy),
        _ => answer_first(&facts, policy),
    })
}

/// What the first ruleset would have said of its facts: of the settings, it had the four times and the names of audit actions.
fn answer_first(facts: &Facts, policy: &Policy) -> Result<PolicyAnswer, Unanswered> {
    let sorted = |names: &[String]| names.iter().cloned().collect::<BTreeSet<_>>();
    let before = &facts.policy;
    if sorted(&before.audit_actions) != sorted(&policy.audit_actions) {
        return Err(Unanswered::AuditEntries);
    }
    if may_close_sooner(before, policy) {
        return Err(Unanswered::EarlierLook);
    }
    let anew = Facts {
        policy: policy.clone(),
        ..facts.clone()
    };
    Ok(PolicyAnswer::from(&ruleset_1::decide(&anew)))
}

/// What `policy` would have said of these facts. No word may be in two of its classes.
pub fn answer(facts: &Facts, policy: &Policy) -> Result<PolicyAnswer, Unanswered> {
    let anew = read_anew(facts, policy)?;
    let said = PolicyAnswer::from(&decide(&anew));
    let mut possible = vec![anew];
    for (unknown, others) in [
        (Unanswered::ItemWords, statuses as Others),
        (Unanswered::AuditEntries, audits),
        (Unanswered::BlockerCodes, blockers),
    ] {
        let before = &facts.policy;
        let more: Vec<_> = possible.iter().flat_map(|it| others(it, before)).collect();
        let mut answers = more.iter().map(|it| PolicyAnswer::from(&decide(it)));
        if answers.any(|other| other != said) {
            return Err(unknown);
        }
        possible.extend(more);
    }
    let may_be_earlier = |it| is_open_to_an_earlier_look(facts, it, said);
    if facts.policy != *policy && possible.iter().any(may_be_earlier) {
        return Err(Unanswered::EarlierLook);
    }
    Ok(said)
}

/// Records that are possible beside one, which carries the other policy; the recorded policy read it.
type Others = fn(&Facts, &Policy) -> Vec<Facts>;

/// The facts with the other policy, and the rows whose one unknown word it knows counted anew.
fn read_anew(facts: &Facts, policy: &Policy) -> Result<Facts, Unanswered> {
    let mut anew = Facts {
        policy: policy.clone(),
        ..facts.clone()
    };
    let Some(restore) = &mut anew.restore else {
        return Ok(anew);
    };
    let (before, now) = (&facts.policy.item_words, &policy.item_words);
    let is_dropped = WordClass::ALL
        .into_iter()
        .any(|class| !lacking(before.of(class), now.of(class)).is_empty());
    let is_added = WordClass::ALL
        .into_iter()
        .any(|class| !lacking(now.of(class), before.of(class)).is_empty());
    if is_dropped || (is_added && !reclassify(&mut restore.items, now)) {
        return Err(Unanswered::ItemWords);
    }
    Ok(anew)
}

/// Counts rows with words that `words` knows in their class. False where that cannot be said of all.
fn reclassify(items: &mut ItemFacts, words: &ItemWords) -> bool {
    let named: Vec<_> = WordClass::ALL
        .into_iter()
        .flat_map(|class| {
            words
                .of(class)
                .iter()
                .map(move |word| (digest_of(word), class))
        })
        .collect();
    let class_of = |digest: &str| named.iter().find(|(it, _)| it == digest).map(|(_, it)| it);
    let rows_of = |items: &ItemFacts, part: Part| {
        let words = items.unknown_words.iter().filter(|word| word.part == part);
        words.map(|word| word.rows).sum::<u64>()
    };
    let is_whole = |tally: &PartTally, part| tally.unrecognised == rows_of(items, part);
    let is_recorded = items.unknown_words_omitted == 0
        && is_whole(&items.items, Part::Item)
        && is_whole(&items.foundations, Part::Foundation)
        // An item may say its assignments twice, as rows and as counts.
        && items.assignments.unrecognised == 0
        && rows_of(items, Part::Assignment) == 0
        && items.assignment_conflicts == 0;
    if !is_recorded {
        return false;
    }
    let known: Vec<_> = items
        .unknown_words
        .iter()
        .filter_map(|word| Some((word.part, word.rows, class_of(&word.digest)?.class())))
        .collect();
    for (part, rows, class) in known {
        let tally = match part {
            Part::Foundation => &mut items.foundations,
            _ => &mut items.items,
        };
        tally.unrecognised -= rows;
        tally.add(class, rows);
        let is_written = matches!(class, Class::Applied | Class::Trouble(ItemFinding::Partial));
        if part == Part::Foundation && is_written {
            items.foundations_written += rows;
        }
    }
    items
        .unknown_words
        .retain(|word| class_of(&word.digest).is_none());
    true
}

/// The status of the results, or of the metadata, may be a word that says now that something failed.
fn statuses(facts: &Facts, before: &Policy) -> Vec<Facts> {
    let words = &facts.policy.item_words;
    let is_added = [WordClass::Failed, WordClass::Partial]
        .into_iter()
        .any(|class| !lacking(words.of(class), before.item_words.of(class)).is_empty());
    let denials = [
        RecordedFailure::ResultsStatus,
        RecordedFailure::MetadataStatus,
    ];
    let denied = denials.into_iter().filter_map(|denial| {
        let mut other = facts.clone();
        let failures = &mut other.restore.as_mut()?.failures;
        if failures.contains(&denial) {
            return None;
        }
        failures.push(denial);
        failures.sort_unstable();
        Some(other)
    });
    denied.filter(|_| is_added).collect()
}

/// Entries that were not asked for may say anything, and any of those that were may be one that is asked for no more.
fn audits(facts: &Facts, before: &Policy) -> Vec<Facts> {
    let now = &facts.policy;
    let names = [
        (&now.audit_actions, &before.audit_actions),
        (&now.audit_resource_types, &before.audit_resource_types),
    ];
    let is_dropped = names
        .iter()
        .any(|(now, before)| !lacking(before, now).is_empty());
    // Where some are asked for no more, others come in that were beyond the most that are read.
    let is_full = facts.audits.len() as u64 >= AUDITS_PER_RESTORE_MAX.unsigned_abs();
    let is_named = names
        .iter()
        .any(|(now, before)| !lacking(now, before).is_empty());
    let is_added = is_named || (is_dropped && is_full);
    let with = |audits: Vec<AuditFacts>| Facts {
        audits,
        ..facts.clone()
    };
    let mut others = Vec::new();
    if is_dropped && !facts.audits.is_empty() {
        others.push(with(Vec::new()));
        others.extend(facts.audits.iter().map(|audit| with(vec![*audit])));
    }
    if is_added && facts.restore.is_some() {
        let kept: Vec<_> = others.iter().map(|it| it.audits.clone()).collect();
        for kept in std::iter::once(facts.audits.clone()).chain(kept) {
            for recorded_at in [Some(facts.as_of), None] {
                others.extend(Voice::ALL.map(|voice| {
                    let mut audits = kept.clone();
                    audits.push(AuditFacts {
                        id: AuditId(i64::MAX),
                        action: Voice::Silent,
                        status: voice,
                        outcome: voice,
                        recorded_at,
                    });
                    with(audits)
                }));
            }
        }
    }
    others
}

/// Codes that name a blocker now may have been taken for failures, or for nothing. One place is tried: the blocker is the last of
/// the registry, and no row that asks for a blocker asks for failures.
fn blockers(facts: &Facts, before: &Policy) -> Vec<Facts> {
    let named = ReasonCode::BlockerConfigured;
    let now = &facts.policy;
    let is_added = !lacking(&now.blocker_codes, &before.blocker_codes).is_empty();
    let is_dropped = !lacking(&before.blocker_codes, &now.blocker_codes).is_empty();
    let mut others = Vec::new();
    if is_dropped {
        let mut without = facts.clone();
        without.run.blockers.retain(|it| *it != named);
        if let Some(restore) = &mut without.restore {
            restore.blockers.retain(|it| *it != named);
        }
        others.push(without);
    }
    if is_added {
        let mut with = facts.clone();
        with.run.blockers.push(named);
        others.push(with);
    }
    others
}

/// Whether somebody who looked earlier might have closed the run otherwise: at a moment at which the recorded policy left it
/// open and the other one does not. That the recorded one would have closed it shows that nobody looked then.
fn is_open_to_an_earlier_look(facts: &Facts, anew: &Facts, said: PolicyAnswer) -> bool {
    if blocks_before_the_start(facts, &anew.policy) {
        return true;
    }
    // Facts keep one snapshot of each status: another one may have counted. A restore's row that was written again needs no
    // such care: whatever it said then keeps a run open under both policies, or closes it under both.
    let evidence = &anew.evidence;
    let others_may_have_counted =
        evidence.in_progress || evidence.retired_unknown || !evidence.retired.is_empty();
    moments(facts, &anew.policy).into_iter().any(|moment| {
        let (Some(before), Some(past)) = (Past::of(facts, moment), Past::of(anew, moment)) else {
            return false;
        };
        let earlier = PolicyAnswer::from(&decide(&past.facts));
        let is_closed = earlier.outcome.is_some() && decide(&before.facts).outcome().is_none();
        is_closed && (earlier != said || others_may_have_counted)
    })
}

/// The moments before the verdict at which what is known changes, or a time of the other policy runs out.
fn moments(facts: &Facts, policy: &Policy) -> BTreeSet<Timestamp> {
    let evidence = &facts.evidence;
    let snapshots = evidence
        .retired
        .iter()
        .map(|it| &it.snapshot)
        .chain(&evidence.active);
    let of_evidence = snapshots.flat_map(|it| [it.generated_at, it.expires_at]);
    let retired = evidence.retired.iter().map(|it| it.retired_at);
    let recorded = facts.audits.iter().filter_map(|audit| audit.recorded_at);
    let ended = facts.restore.as_ref().map(|restore| restore.completed_at);
    let ended = ended.and_then(Stamp::moment);
    let windows = [policy.settle_window, policy.settle_window_in_progress];
    let closes = windows
        .into_iter()
        .filter_map(|window| Some(shifted(ended?, window)));
    let dated = of_evidence.chain(retired).filter_map(Stamp::moment);
    let all = dated.chain(recorded).chain(ended).chain(closes);
    all.filter(|at| *at < facts.as_of).collect()
}

/// Whether a blocker may have ended the run before its restore started, had one been recorded for a while: one that ends it
/// sooner, or that the recorded policy took for none.
fn blocks_before_the_start(facts: &Facts, policy: &Policy) -> bool {
    let recorded = &facts.policy;
    let ends_more = policy.blocked_after < recorded.blocked_after
        || !lacking(&policy.blocker_codes, &recorded.blocker_codes).is_empty();
    let restore = facts.restore.as_ref().filter(|_| ends_more);
    restore.is_some_and(|restore| {
        let created = [facts.run.created_at, restore.created_at].map(Stamp::moment);
        let created = created.into_iter().max().flatten();
        let mut was_startable = [restore.started_at, restore.completed_at].into_iter();
        let until = was_startable.find_map(Stamp::moment).unwrap_or(facts.as_of);
        created.is_none_or(|created| until > shifted(created, policy.blocked_after))
    })
}

/// Whether times of the other policy may have a run closed sooner: windows close, a snapshot counts, or an end does not.
fn may_close_sooner(before: &Policy, other: &Policy) -> bool {
    other.settle_window < before.settle_window
        || other.settle_window_in_progress < before.settle_window_in_progress
        || other.evidence_skew_max > before.evidence_skew_max
        || other.clock_skew_max < before.clock_skew_max
}

/// The words of `of` that `among` does not have.
fn lacking<'a>(of: &'a [String], among: &[String]) -> BTreeSet<&'a str> {
    let words = of.iter().filter(|word| !among.contains(word));
    words.map(String::as_str).collect()
}
