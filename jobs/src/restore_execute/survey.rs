//! Whether a platform speaks the words that the rules know: how often each leg held of restores that ended, and which
//! words were seen.
//!
//! A platform that calls things by other names gives no restore a proof, and every verdict on it would be wrong in the
//! same way. One restore shows nothing; a leg that never held in [`RESTORES_MIN`] of them shows it.
//!
//! **Invariant:** of words only those are told that have the form of a name. Any other text may be a secret, and is
//! counted.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::context::Closer;
use super::facts::{Facts, Policy, RestoreStatus, Retirement, is_known};
use super::opinion::opine;
use super::proof::{Leg, LegState};
use super::reason::ReasonCode;
use super::rows::RunRow;
use super::words::{PLACES, WordClass};
use crate::json::{Column, Json};
use crate::vocabulary;

/// In how many restores a leg never held before that is suspicious.
pub const RESTORES_MIN: u64 = 20;

/// How many words of one kind are kept.
const WORDS_MAX: usize = 100;

/// The longest name, in bytes, the longest part of one, and how many digits it may have: tokens and hashes have more.
const NAME_BYTES_MAX: usize = 64;
const PART_BYTES_MAX: usize = 24;
const DIGITS_MAX: usize = 2;

/// What a code is taken for that a verdict has written.
const OUR_OWN: &str = "our own";

/// The keys of `metadata` that the rules read.
const METADATA_READ: [&str; 9] = [
    "total",
    "succeeded",
    "failed",
    "skipped",
    "partial",
    "non_applied",
    "foundations_skipped",
    "status",
    "blocked_reason",
];

vocabulary! {
    /// Where a word was seen.
    #[derive(PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
    #[serde(rename_all = "snake_case")]
    pub enum WordKind {
        /// What it is called.
        label: &'static str,
        /// The key of the configuration that teaches the rules such a word; none where nothing does.
        key: Option<&'static str>,
    }
    /// `audit_logs.action`.
    AuditAction { label: "audit action", key: Some("rules.audit_actions") }
    /// `audit_logs.resource_type`.
    AuditResourceType { label: "audit resource type", key: Some("rules.audit_resource_types") }
    /// A code of a recorded failure or blocker.
    BlockerCode { label: "blocker code", key: Some("rules.blocker_codes") }
    /// What became of an item, a foundation or an assignment. There is a key for each class of words.
    ItemWord { label: "item word", key: Some("rules.applied_words") }
    /// `restore_runs.status`.
    RestoreStatus { label: "restore status", key: None }
    /// A key of `restore_runs.metadata`.
    MetadataKey { label: "metadata key", key: None }
    /// `evidence_snapshots.status`.
    EvidenceStatus { label: "evidence status", key: None }
    /// `evidence_snapshots.completeness_state`.
    Completeness { label: "evidence completeness", key: None }
}

impl WordKind {
    /// What the rules take such a word for; none where they do not know it.
    fn meaning(self, word: &str, policy: &Policy) -> Option<&'static str> {
        let is_among = |words: &[&str], meaning| words.contains(&word).then_some(meaning);
        let is_listed = |words: &[String], meaning| {
            let mut words = words.iter();
            words.any(|it| it == word).then_some(meaning)
        };
        match self {
            Self::AuditAction => is_listed(&policy.audit_actions, "an end"),
            Self::AuditResourceType => is_listed(&policy.audit_resource_types, "a restore"),
            Self::BlockerCode => {
                let is_closers = Closer::ALL.iter().any(|it| it.code() == Some(word));
                ReasonCode::parse_blocker(word)
                    .map(|_| "a blocker")
                    .or_else(|| is_listed(&policy.blocker_codes, "a blocker"))
                    .or_else(|| ReasonCode::parse(word).map(|_| OUR_OWN))
                    .or_else(|| is_closers.then_some("a closed run"))
            }
            Self::ItemWord => WordClass::ALL
                .into_iter()
                .find(|class| {
                    let mut added = policy.item_words.of(*class).iter();
                    class.known().contains(&word) || added.any(|it| it == word)
                })
                .map(WordClass::name)
                // No list of words takes one that the rules know of a restore or a run.
                .or_else(|| is_known(word).then_some("no outcome")),
            Self::RestoreStatus => {
                (RestoreStatus::parse(word) != RestoreStatus::Unknown).then_some("known")
            }
            Self::MetadataKey => is_among(&METADATA_READ, "read"),
            Self::EvidenceStatus => is_among(
                &[
                    "active",
                    "queued",
                    "generating",
                    "superseded",
                    "expired",
                    "failed",
                ],
                "known",
            ),
            Self::Completeness => is_among(&["complete", "partial", "missing", "stale"], "known"),
        }
    }
}

/// How often one leg held.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LegTally {
    /// The leg.
    pub leg: Leg,
    /// Of how many restores this could be told. Items, audit, evidence and clearance are expected of restores that say
    /// that they completed; of others they count where they hold.
    pub told: u64,
    /// Of how many it held.
    pub held: u64,
    /// Why it did not hold of the others, by reason.
    pub gaps: BTreeMap<ReasonCode, u64>,
}

/// How often one word was seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WordTally {
    /// Where.
    pub kind: WordKind,
    /// The word.
    pub word: String,
    /// What the rules take it for; none where they do not know it.
    pub meaning: Option<String>,
    /// About how many restores.
    pub restores: u64,
}

/// Something that is to be answered before anything is settled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SurveyFinding {
    /// The leg that never held; none where it is about moments, or about what cannot be read.
    pub leg: Option<Leg>,
    /// What was found.
    pub finding: String,
    /// Whether the configuration accepts it.
    pub accepted: bool,
    /// What of the configuration would answer it, any one of them.
    pub answers: Vec<SurveyAnswer>,
}

/// A key of the configuration, with a value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SurveyAnswer {
    /// The key, with its section.
    pub key: String,
    /// The value, as the file has it.
    pub value: String,
}

/// What was found of the restores that were looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SurveyReport {
    /// How many there were.
    pub restores: u64,
    /// Restores that the database would not hand over.
    pub unreadable: u64,
    /// Every leg.
    pub legs: Vec<LegTally>,
    /// Words, those of one kind together, the most frequent first.
    pub words: Vec<WordTally>,
    /// How many sightings there were of words that are not listed, for their form or their number.
    pub words_left_out: u64,
    /// What is to be answered.
    pub findings: Vec<SurveyFinding>,
}

/// What was seen so far.
#[derive(Debug, Clone, Default)]
pub struct SurveyTally {
    restores: u64,
    unreadable: u64,
    legs: BTreeMap<Leg, (u64, u64, BTreeMap<ReasonCode, u64>)>,
    with_snapshot: u64,
    words: BTreeMap<(WordKind, String), u64>,
    left_out: u64,
}

impl SurveyTally {
    /// Counts a restore that ended and whose run is gone, as where it was deleted: nothing can be told of it.
    pub fn add_lost(&mut self) {
        self.restores += 1;
    }

    /// Counts a restore that ended, with what is known of its run; none where no run that is there belongs to it.
    pub fn add(&mut self, facts: Option<&Facts>) {
        self.restores += 1;
        let Some(facts) = facts else {
            self.tell(
                Leg::Link,
                &LegState::Gaps(vec![ReasonCode::ProofUnavailable]),
            );
            return;
        };
        let evidence = &facts.evidence;
        let has_snapshot = evidence.active.is_some()
            || evidence.in_progress
            || evidence.retired_unknown
            || !evidence.retired.is_empty();
        self.with_snapshot += u64::from(has_snapshot);
        let mut retired = evidence.retired.iter();
        let has_aged = retired.any(|it| it.status != Retirement::Failed);
        let decision = opine(facts).decision;
        let status = facts.restore.as_ref().map(|restore| restore.status);
        for (leg, state) in decision.proof.legs() {
            let is_settling = decision.reason == ReasonCode::Settling;
            let is_told = match (leg, state) {
                (_, LegState::NotAssessed) => false,
                (_, LegState::Holds) | (Leg::Link | Leg::Scope | Leg::Intent, _) => true,
                (Leg::Execution, _) => status == Some(RestoreStatus::Unknown),
                // What may still arrive, or was there and has aged, is no other word for it.
                (Leg::Audit, _) if is_settling => false,
                (Leg::Evidence, LegState::Gaps(gaps)) => {
                    let ages = |gap: &ReasonCode| match gap {
                        ReasonCode::EvidenceExpired | ReasonCode::EvidenceInProgress => true,
                        ReasonCode::EvidenceNotCurrent => has_aged,
                        _ => false,
                    };
                    !is_settling
                        && status == Some(RestoreStatus::Completed)
                        && !gaps.iter().all(ages)
                }
                (Leg::Audit | Leg::Items | Leg::Clearance, _) => {
                    status == Some(RestoreStatus::Completed)
                }
            };
            if is_told {
                self.tell(leg, state);
            }
        }
    }

    fn tell(&mut self, leg: Leg, state: &LegState) {
        let (told, held, gaps) = self.legs.entry(leg).or_default();
        *told += 1;
        match state {
            LegState::Gaps(found) => {
                for gap in found {
                    *gaps.entry(*gap).or_default() += 1;
                }
            }
            _ => *held += 1,
        }
    }

    /// Counts a restore that the database would not hand over.
    pub fn add_unreadable(&mut self) {
        self.unreadable += 1;
    }

    /// Counts the words that were seen of one restore, each once.
    pub fn add_words(&mut self, words: impl IntoIterator<Item = (WordKind, String)>) {
        for (kind, word) in words.into_iter().collect::<BTreeSet<_>>() {
            self.add_word(kind, word, 1);
        }
    }

    /// Counts a word that was seen of so many restores.
    pub fn add_word(&mut self, kind: WordKind, word: String, restores: u64) {
        let key = (kind, word);
        let of_kind = self.words.keys().filter(|(other, _)| *other == kind);
        let is_kept = self.words.contains_key(&key) || of_kind.count() < WORDS_MAX;
        if is_kept && is_name(&key.1) {
            *self.words.entry(key).or_default() += restores;
        } else {
            self.left_out += restores;
        }
    }

    /// Whether every leg has held that is not accepted, so that no more restores could find one that never did.
    #[must_use]
    pub fn has_held_all(&self, accepted: &[Leg]) -> bool {
        let held = |leg: &Leg| self.legs.get(leg).is_some_and(|(_, held, _)| *held > 0);
        Leg::ALL
            .iter()
            .all(|leg| accepted.contains(leg) || held(leg))
    }

    /// How many restores the database would not hand over, where too few others are left to tell anything.
    #[must_use]
    pub fn too_many_unreadable(&self) -> Option<u64> {
        let is_so = self.unreadable >= RESTORES_MIN && self.restores < RESTORES_MIN;
        is_so.then_some(self.unreadable)
    }

    /// The legs that never held, in enough restores.
    #[must_use]
    pub fn never_held(&self) -> Vec<Leg> {
        let never = |(told, held, _): &(u64, u64, _)| *told >= RESTORES_MIN && *held == 0;
        let legs = self.legs.iter();
        legs.filter(|(_, tally)| never(tally))
            .map(|(leg, _)| *leg)
            .collect()
    }

    /// What follows from it. `shift` says that moments are hours off, where they are.
    #[must_use]
    pub fn report(self, policy: &Policy, accepted: &[Leg], shift: Option<String>) -> SurveyReport {
        let shift = shift.map(|finding| SurveyFinding {
            leg: None,
            finding,
            accepted: false,
            answers: vec![SurveyAnswer::new("database.time_shift", "\"acknowledged\"")],
        });
        let unreadable = self.too_many_unreadable().map(|restores| SurveyFinding {
            leg: None,
            finding: format!(
                "The database would not hand over {restores} restores, so that too few are left to tell of."
            ),
            accepted: false,
            answers: Vec::new(),
        });
        let never = self.never_held().into_iter();
        let findings = never
            .map(|leg| self.finding(leg, policy, accepted))
            .chain(shift)
            .chain(unreadable)
            .collect();
        let legs = Leg::ALL.map(|leg| {
            let (told, held, gaps) = self.legs.get(&leg).cloned().unwrap_or_default();
            LegTally {
                leg,
                told,
                held,
                gaps,
            }
        });
        let mut words: Vec<WordTally> = self
            .words
            .into_iter()
            .map(|((kind, word), restores)| WordTally {
                meaning: kind.meaning(&word, policy).map(str::to_owned),
                kind,
                word,
                restores,
            })
            .collect();
        // Written by verdicts, and so no word of the platform's.
        words.retain(|it| it.meaning.as_deref() != Some(OUR_OWN));
        words.sort_by_key(|it| (it.kind, std::cmp::Reverse(it.restores)));
        SurveyReport {
            restores: self.restores,
            unreadable: self.unreadable,
            legs: legs.into(),
            words,
            words_left_out: self.left_out,
            findings,
        }
    }

    fn finding(&self, leg: Leg, policy: &Policy, accepted: &[Leg]) -> SurveyFinding {
        let (told, _, gaps) = self.legs.get(&leg).cloned().unwrap_or_default();
        let gaps: Vec<String> = gaps
            .iter()
            .map(|(gap, restores)| format!("{} of {restores}", gap.code()))
            .collect();
        let mut finding = format!(
            "In none of {told} restores did the {} leg hold: {}.",
            leg.name(),
            gaps.join(", ")
        );
        if leg == Leg::Evidence && self.with_snapshot == 0 {
            finding.push_str(" There is no evidence snapshot of any of them.");
        }
        let kinds: &[WordKind] = match leg {
            Leg::Items => &[WordKind::ItemWord],
            Leg::Audit => &[WordKind::AuditAction, WordKind::AuditResourceType],
            _ => &[],
        };
        let words = kinds
            .iter()
            .filter_map(|kind| self.words_that_answer(*kind, policy));
        let mut accepting: Vec<Leg> = accepted.to_vec();
        accepting.extend((!accepted.contains(&leg)).then_some(leg));
        let accepting: Vec<&str> = accepting.iter().map(|leg| leg.name()).collect();
        let accepting = SurveyAnswer::new("survey.accepted", &list_of(&accepting));
        SurveyFinding {
            leg: Some(leg),
            finding,
            accepted: accepted.contains(&leg),
            answers: words.chain([accepting]).collect(),
        }
    }

    /// The list of words of this kind that would hold what was seen and is not known. Where some of that speaks of
    /// restores, the rest is about something else.
    fn words_that_answer(&self, kind: WordKind, policy: &Policy) -> Option<SurveyAnswer> {
        let seen = self.words.keys().filter(|(of, _)| *of == kind);
        let unknown = seen.filter(|(_, word)| kind.meaning(word, policy).is_none());
        let mut unknown: Vec<&str> = unknown.map(|(_, word)| word.as_str()).collect();
        let speaks_of_restores = |word: &&str| word.to_lowercase().contains("restor");
        if kind.is_of_audit() && unknown.iter().any(speaks_of_restores) {
            unknown.retain(speaks_of_restores);
        }
        if unknown.is_empty() {
            return None;
        }
        let configured: &[String] = match kind {
            WordKind::AuditAction => &policy.audit_actions,
            WordKind::AuditResourceType => &policy.audit_resource_types,
            WordKind::ItemWord => policy.item_words.of(WordClass::Applied),
            _ => &[],
        };
        let words = configured.iter().map(String::as_str).chain(unknown);
        Some(SurveyAnswer::new(
            kind.key()?,
            &list_of(&words.collect::<Vec<_>>()),
        ))
    }
}

impl WordKind {
    fn is_of_audit(self) -> bool {
        matches!(self, Self::AuditAction | Self::AuditResourceType)
    }
}

impl SurveyAnswer {
    fn new(key: &str, value: &str) -> Self {
        Self {
            key: key.to_owned(),
            value: value.to_owned(),
        }
    }
}

/// Words as a file has them. Single quotes, because names may hold backslashes and no quotes.
fn list_of(words: &[&str]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
    format!("[{}]", quoted.join(", "))
}

/// Whether a text has the form of a name: parts of letters and a few digits, such as `restore.executed` or
/// `App\Models\RestoreRun`.
fn is_name(text: &str) -> bool {
    let parts = || text.split(['_', '.', '-', ':', '\\', '/']);
    let is_part = |part: &str| {
        (1..=PART_BYTES_MAX).contains(&part.len())
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric())
    };
    text.len() <= NAME_BYTES_MAX
        && text.starts_with(|c: char| c.is_ascii_alphabetic())
        && parts().all(is_part)
        && text.bytes().filter(u8::is_ascii_digit).count() <= DIGITS_MAX
}

/// The words that a restore's own row says.
#[must_use]
pub fn words_of_restore(
    status: &str,
    results: &Column,
    metadata: &Column,
    failure_reason: Option<&str>,
) -> Vec<(WordKind, String)> {
    let mut found = vec![(WordKind::RestoreStatus, status.to_owned())];
    if let Ok(results) = results.parse() {
        for part in ["items", "foundations", "assignments", "mappings"] {
            collect(results.get(part), WordKind::ItemWord, &PLACES, &mut found);
        }
    }
    if let Ok(metadata) = metadata.parse() {
        let keys = metadata.entries().iter().map(|(key, _)| key.to_string());
        found.extend(keys.map(|key| (WordKind::MetadataKey, key)));
        let reason = metadata.get("blocked_reason").text().map(str::to_owned);
        found.extend(reason.map(|code| (WordKind::BlockerCode, code)));
    }
    // Else it is a sentence, and no code.
    let code = failure_reason.filter(|text| is_name(text));
    found.extend(code.map(|code| (WordKind::BlockerCode, code.to_owned())));
    found
}

/// The codes that a run's row says.
#[must_use]
pub fn words_of_run(row: &RunRow) -> Vec<(WordKind, String)> {
    let mut found = Vec::new();
    let (kind, keys) = (WordKind::BlockerCode, ["code", "reason_code"]);
    if let Ok(summary) = row.failure_summary.parse() {
        collect(&summary, kind, &keys, &mut found);
    }
    if let Ok(context) = row.context.parse() {
        let legitimacy = context.get("execution_legitimacy");
        collect(legitimacy, kind, &["reason_code"], &mut found);
    }
    found
}

/// Adds every text that stands under one of these keys, and what assignments are counted by.
fn collect(value: &Json, kind: WordKind, keys: &[&str], found: &mut Vec<(WordKind, String)>) {
    match value {
        Json::List(values) => {
            for value in values {
                collect(value, kind, keys, found);
            }
        }
        Json::Map(entries) => {
            for (key, value) in entries {
                if key == "assignment_summary" {
                    let counted = value.entries().iter().map(|(word, _)| word.to_string());
                    let words = counted.filter(|word| word != "total");
                    found.extend(words.map(|word| (kind, word)));
                } else if let (true, Some(word)) = (keys.contains(&key.as_ref()), value.text()) {
                    found.push((kind, word.to_owned()));
                } else {
                    collect(value, kind, keys, found);
                }
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_from_what_may_be_a_secret() {
        for name in [
            "restored",
            "restore.executed",
            r"App\Models\RestoreRun",
            "v2-ok",
            "a:b/c",
        ] {
            assert!(is_name(name), "{name}");
        }
        let hash = "ab".repeat(32);
        for other in [
            "",
            "two words",
            "a..b",
            "a@b.example",
            "7days",
            "ghp_x7k2m9q4",
            "Bearer abc",
            "kqxwvbnmzlkjhgfdsapoiuytr",
            "naïve",
            "6f1f0c1e-8a55-4d5c-9b7e-1c2d3e4f5a6b",
            &hash,
        ] {
            assert!(!is_name(other), "{other}");
        }
    }

    #[test]
    fn words_are_found_wherever_they_may_stand() {
        let column = |text: &str| Column::Bytes(text.as_bytes().to_vec());
        let results = column(
            r#"{"items": {"7": {"status": "done", "assignment_outcomes": [{"outcome": "attached"}],
                "assignment_summary": {"total": 2, "linked": 2}}},
                "foundations": [{"decision": "reused"}], "mappings": {"foundations": [{"status": "kept"}]},
                "status": "finished"}"#,
        );
        let metadata = column(r#"{"blocked_reason": "backup_locked", "wizard": {"step": 3}}"#);
        let found = words_of_restore("ended", &results, &metadata, Some("gate_shut"));
        let mut found: Vec<&str> = found.iter().map(|(_, word)| word.as_str()).collect();
        found.sort_unstable();
        let expected =
            "attached backup_locked blocked_reason done ended gate_shut kept linked reused wizard";
        assert_eq!(found.join(" "), expected);
        let broken = words_of_restore("x", &column("{"), &column("[]"), Some("It broke."));
        assert_eq!(broken, [(WordKind::RestoreStatus, "x".to_owned())]);
    }

    #[test]
    fn what_cannot_be_read_is_no_all_clear() {
        let findings = |unreadable, lost| {
            let mut tally = SurveyTally::default();
            (0..unreadable).for_each(|_| tally.add_unreadable());
            (0..lost).for_each(|_| tally.add_lost());
            assert_eq!(tally.never_held(), []);
            tally.report(&Policy::default(), &[], None).findings.len()
        };
        let found = [(500, 0), (20, 19), (20, 20), (19, 0)].map(|(of, lost)| findings(of, lost));
        assert_eq!(found, [1, 1, 0, 0]);
    }

    #[test]
    fn what_is_no_name_and_what_is_too_much_is_counted() {
        let mut tally = SurveyTally::default();
        let words = (0..WORDS_MAX + 5).map(|number| {
            let letter = |at: usize| char::from(b'a' + u8::try_from(at % 26).unwrap());
            let word = [letter(number), letter(number / 26)];
            (WordKind::ItemWord, word.iter().collect())
        });
        tally.add_words(words);
        tally.add_words([(WordKind::MetadataKey, "a secret".to_owned())]);
        tally.add_word(WordKind::AuditAction, "restore.ended".to_owned(), 7);
        let report = tally.report(&Policy::default(), &[], None);
        assert_eq!(report.words_left_out, 6);
        assert_eq!(report.words.len(), WORDS_MAX + 1);
        assert_eq!(report.words[0].word, "restore.ended");
        assert_eq!(report.words[0].restores, 7);
    }
}
