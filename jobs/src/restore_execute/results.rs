//! What a restore recorded about its items: `results`, `requested_items` and `metadata`.
//!
//! ```text
//! results.foundations            list of {type, sourceId, targetId, decision, reason}
//! results.mappings.foundations   the same
//! results.items                  map: backup item id → {status, assignment_outcomes[], assignment_summary{}}
//! results.assignments            list of {status}
//! results.status, .errors        what is said of the restore as a whole
//! requested_items                list of backup item ids; null means all items of the backup set
//! metadata                       {total, succeeded, failed, skipped, partial, non_applied, foundations_skipped, …}
//! ```
//!
//! PHP writes an empty map as `[]` and a map with keys 0…n as a list; both are accepted everywhere. Every place that
//! exists is read.
//!
//! **Invariant:** only a word that [`super::words`] knows counts as applied. Everything else — an unknown
//! word, a missing one, an item that is not a map — is unrecognised, and unrecognised is a gap.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::blockers::{BlockerCodes, may_name_a_blocker};
use super::reason::ReasonCode;
use super::rows::{RestoreRow, SetItems};
pub use super::words::ItemFinding;
use super::words::{Class, ItemWords, RowWords};
use crate::json::{Column, Fault, INTEGER_MAX, Json, TEXT_BYTES_MAX, integer_from_text};

/// How many troubled items facts name; the rest are counted.
pub const EXCEPTIONS_MAX: usize = 20;

/// How many items one restore may record. More are not read, and are a gap.
pub const ITEMS_MAX: usize = 100_000;

/// How many unknown words facts name by their digests; rows with others are counted.
pub const UNKNOWN_WORDS_MAX: usize = 20;

/// How much of a troubled item's id is kept.
const EXCEPTION_ID_CHARS_MAX: usize = 64;

/// The keys of `summary_counts` that this product knows how to count.
pub const SUMMARY_KEYS: [&str; 7] = [
    "total",
    "processed",
    "succeeded",
    "failed",
    "skipped",
    "partial",
    "non_applied",
];

/// Item, foundation and assignment outcomes of one restore, counted.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ItemFacts {
    /// Whether `results` could be read.
    pub reading: ColumnState,
    /// One count per row of `results.items`, by the item's own word.
    pub items: PartTally,
    /// One count per row of `results.foundations` and `results.mappings.foundations`.
    pub foundations: PartTally,
    /// Foundations that changed the environment; mapping to an existing object does not.
    pub foundations_written: u64,
    /// One count per assignment of any item, and per row of `results.assignments`.
    pub assignments: PartTally,
    /// Items whose assignment list and assignment counts disagree.
    pub assignment_conflicts: u64,
    /// What was requested.
    pub requested: Requested,
    /// Requested items without a row.
    pub missing: u64,
    /// Rows that nobody requested.
    pub unexpected: u64,
    /// Ids that occur more than once, in the rows or in the request.
    pub repeated: u64,
    /// The first [`UNKNOWN_WORDS_MAX`] words that nobody knows, in order of part and digest.
    pub unknown_words: Vec<UnknownWord>,
    /// How many rows have other unknown words.
    pub unknown_words_omitted: u64,
    /// The first [`EXCEPTIONS_MAX`] troubled items, in order of part, id and finding.
    pub exceptions: Vec<ItemException>,
    /// How many findings there are beyond those. A row found twice counts twice.
    pub exceptions_omitted: u64,
}

/// Whether a column could be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ColumnState {
    /// Nothing is recorded.
    #[default]
    Absent,
    /// It was read.
    Read,
    /// It could not be read.
    Unreadable(Fault),
}

/// What was requested.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Requested {
    /// The whole backup set, as the first ruleset had it: nobody asked what that was. A gap since.
    #[default]
    NotItemised,
    /// A list of this many different ids.
    Listed(u64),
    /// The whole backup set, which held this many items when the restore started.
    BackupSet(u64),
    /// Nobody can say.
    Unreadable(RequestFault),
}

/// Why nobody can say what was requested.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RequestFault {
    /// `requested_items` cannot be read.
    Column(Fault),
    /// The whole backup set was requested, and there is none in the run's workspace and environment.
    SetAbsent,
    /// It held no item when the restore started.
    SetEmpty,
    /// It held more than [`ITEMS_MAX`].
    SetOversized,
}

/// Rows with one word that nobody knows.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct UnknownWord {
    /// Where they stand.
    pub part: Part,
    /// SHA-256 of the word. The word itself may be anything, and is not kept.
    pub digest: String,
    /// How many rows have it.
    pub rows: u64,
}

/// Rows by outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct PartTally {
    /// Applied in full.
    pub applied: u64,
    /// Applied in part.
    pub partial: u64,
    /// Failed.
    pub failed: u64,
    /// Skipped.
    pub skipped: u64,
    /// Not applied for another known reason.
    pub not_applied: u64,
    /// An outcome this version does not know, or none.
    pub unrecognised: u64,
}

/// A place where a restore records that it did not all succeed, whatever its status says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RecordedFailure {
    /// Text in `failure_reason` that is no blocker's code.
    FailureReason,
    /// A failure word in `results.status`.
    ResultsStatus,
    /// Anything in `results.errors`.
    ResultsErrors,
    /// A failure word in `metadata.status`.
    MetadataStatus,
}

/// A troubled item.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ItemException {
    /// Where it was found.
    pub part: Part,
    /// The backup item's id, or the position in its list of what stands beside the items.
    pub id: String,
    /// What is wrong with it.
    pub finding: ItemFinding,
}

/// A part of the results.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// `results.items` or `requested_items`.
    Item,
    /// The assignments of an item, or a row of `results.assignments`.
    Assignment,
    /// `results.foundations` or `results.mappings.foundations`.
    Foundation,
}

impl PartTally {
    /// All rows.
    #[must_use]
    pub fn total(&self) -> u64 {
        [
            self.partial,
            self.failed,
            self.skipped,
            self.not_applied,
            self.unrecognised,
        ]
        .iter()
        .fold(self.applied, |sum, count| sum.saturating_add(*count))
    }

    /// Whether some row has a known outcome other than applied.
    #[must_use]
    pub fn is_mixed(&self) -> bool {
        self.partial > 0 || self.failed > 0 || self.skipped > 0 || self.not_applied > 0
    }

    /// Whether some row changed the environment.
    #[must_use]
    pub fn has_effect(&self) -> bool {
        self.applied > 0 || self.partial > 0
    }

    /// This tally with the larger count of applied rows, and of rows applied in part, of both.
    fn with_effects_of(&self, other: &Self) -> Self {
        Self {
            applied: self.applied.max(other.applied),
            partial: self.partial.max(other.partial),
            ..*self
        }
    }

    fn by_class(&self) -> [(Class, u64); 6] {
        use ItemFinding::{Failed, NotApplied, Partial, Skipped, Unrecognised};
        [
            (Class::Applied, self.applied),
            (Class::Trouble(Partial), self.partial),
            (Class::Trouble(Failed), self.failed),
            (Class::Trouble(Skipped), self.skipped),
            (Class::Trouble(NotApplied), self.not_applied),
            (Class::Trouble(Unrecognised), self.unrecognised),
        ]
    }

    pub(super) fn add(&mut self, class: Class, count: u64) {
        let slot = match class {
            Class::Applied => &mut self.applied,
            Class::Trouble(ItemFinding::Partial) => &mut self.partial,
            Class::Trouble(ItemFinding::Failed) => &mut self.failed,
            Class::Trouble(ItemFinding::Skipped) => &mut self.skipped,
            Class::Trouble(ItemFinding::NotApplied) => &mut self.not_applied,
            Class::Trouble(_) => &mut self.unrecognised,
        };
        // Beyond what JSON carries exactly, more is not more: the ledger must hold the same number.
        *slot = slot.saturating_add(count).min(INTEGER_MAX.unsigned_abs());
    }
}

/// Reads `results` against the request, and what is said of the restore as a whole.
pub(super) fn parse_items(
    row: &RestoreRow,
    words: &ItemWords,
) -> (ItemFacts, Vec<RecordedFailure>) {
    let document = row.results.parse();
    let mut reader = ResultsReader::new(words);
    reader.facts.reading = match &document {
        Ok(results) => reader.read_results(results),
        Err(fault) => ColumnState::Unreadable(*fault),
    };
    reader.compare_with_request(row);
    reader.finish()
}

struct ResultsReader<'a> {
    words: &'a ItemWords,
    facts: ItemFacts,
    failures: Vec<RecordedFailure>,
    rows_by_id: BTreeMap<Cow<'a, str>, u64>,
    exceptions: BTreeSet<ItemException>,
    findings: u64,
    unknown: BTreeMap<(Part, String), u64>,
    unknown_rows: u64,
}

impl<'a> ResultsReader<'a> {
    fn new(words: &'a ItemWords) -> Self {
        Self {
            words,
            facts: ItemFacts::default(),
            failures: Vec::new(),
            rows_by_id: BTreeMap::new(),
            exceptions: BTreeSet::new(),
            findings: 0,
            unknown: BTreeMap::new(),
            unknown_rows: 0,
        }
    }

    /// Reads each place by itself: one that cannot be read hides nothing that the others say.
    fn read_results(&mut self, results: &'a Json<'a>) -> ColumnState {
        if results.is_empty_map() {
            return ColumnState::Absent;
        }
        if !matches!(results, Json::Map(_)) {
            return ColumnState::Unreadable(Fault::Shape);
        }
        let read = [
            only(results, "foundations").and_then(|found| self.read_foundations(found)),
            mapped_foundations(results).and_then(|found| self.read_foundations(found)),
            only(results, "assignments").and_then(|found| self.read_assignments_beside(found)),
            only(results, "items").and_then(|items| self.read_items(items)),
            only(results, "status").map(|status| {
                let denies = self.words.denies_success(status);
                self.failures
                    .extend(denies.then_some(RecordedFailure::ResultsStatus));
            }),
            only(results, "errors").map(|errors| {
                let denies = !errors.is_blank();
                self.failures
                    .extend(denies.then_some(RecordedFailure::ResultsErrors));
            }),
        ];
        let fault = read.into_iter().find_map(Result::err);
        fault.map_or(ColumnState::Read, ColumnState::Unreadable)
    }

    fn read_foundations(&mut self, foundations: &'a Json<'a>) -> Result<(), Fault> {
        for (position, foundation) in keyed(foundations)? {
            self.read_foundation(&position, foundation);
        }
        Ok(())
    }

    fn read_assignments_beside(&mut self, assignments: &'a Json<'a>) -> Result<(), Fault> {
        for (position, assignment) in keyed(assignments)? {
            let said = self.words.read(unambiguous(assignment));
            self.facts.assignments.add(said.class, 1);
            self.note(Part::Assignment, &position, &said);
        }
        Ok(())
    }

    fn read_items(&mut self, items: &'a Json<'a>) -> Result<(), Fault> {
        let rows = keyed(items)?;
        if rows.len() > ITEMS_MAX {
            return Err(Fault::Oversized);
        }
        let is_list = matches!(items, Json::List(_));
        for (key, item) in rows {
            self.read_item(key, is_list, item);
        }
        Ok(())
    }

    fn read_foundation(&mut self, position: &str, foundation: &Json) {
        let said = self.words.read(unambiguous(foundation));
        let written = matches!(
            said.class,
            Class::Applied | Class::Trouble(ItemFinding::Partial)
        );
        if written && !said.mapped {
            self.facts.foundations_written += 1;
        }
        self.facts.foundations.add(said.class, 1);
        self.note(Part::Foundation, position, &said);
    }

    /// A map's key is the item's id; a list has only what the row itself says. A row that gives
    /// itself another id than its key says two things, and is read as saying nothing.
    fn read_item(&mut self, key: Cow<'a, str>, is_list: bool, item: &'a Json<'a>) {
        let item = unambiguous(item);
        let stated = item.get("backup_item_id");
        let stated_id = item_id(stated);
        let consistent = *stated == Json::Null
            || (is_list && stated_id.is_some())
            || stated_id.as_ref() == Some(&key);
        let said = if consistent && key.len() <= TEXT_BYTES_MAX {
            self.words.read(item)
        } else {
            self.words.read(&Json::Null)
        };
        let id = if is_list {
            stated_id.unwrap_or(key)
        } else {
            key
        };
        self.facts.items.add(said.class, 1);
        self.note(Part::Item, &id, &said);
        self.read_assignments(&id, item);
        *self.rows_by_id.entry(id).or_default() += 1;
    }

    fn read_assignments(&mut self, id: &str, item: &Json) {
        let summary = item.get("assignment_summary");
        let listed = self.tally_outcomes(item.get("assignment_outcomes"));
        let counted = self.tally_summary(summary);
        let total = MetadataCount::parse(summary.get("total"));
        let totals_agree = counted.is_none_or(|tally| total.agrees(|count| count == tally.total()));
        let lists_agree = listed.is_none() || counted.is_none() || listed == counted;
        if !(totals_agree && lists_agree) {
            self.facts.assignment_conflicts += 1;
            self.except(Part::Assignment, id, ItemFinding::Conflicting);
        }
        // Where they disagree, what either shows to be done may have been.
        let tally = match (listed, counted) {
            (Some(listed), Some(counted)) => listed.with_effects_of(&counted),
            (Some(tally), None) | (None, Some(tally)) => tally,
            (None, None) => return,
        };
        for (class, count) in tally.by_class() {
            self.facts.assignments.add(class, count);
            if let (Class::Trouble(finding), 1..) = (class, count) {
                self.except(Part::Assignment, id, finding);
            }
        }
    }

    /// `assignment_outcomes` of an item that says nothing twice: a list of rows. Nothing where the item has none.
    fn tally_outcomes(&mut self, outcomes: &Json) -> Option<PartTally> {
        if *outcomes == Json::Null {
            return None;
        }
        let mut tally = PartTally::default();
        match values(outcomes) {
            Ok(rows) => {
                for row in rows {
                    let said = self.words.read(row);
                    tally.add(said.class, 1);
                    self.keep_unknown(Part::Assignment, said.unknown, 1);
                }
            }
            Err(_) => tally.unrecognised = 1,
        }
        Some(tally)
    }

    /// `assignment_summary` of such an item: outcome word → count. Nothing where the item has none.
    fn tally_summary(&mut self, summary: &Json) -> Option<PartTally> {
        if *summary == Json::Null {
            return None;
        }
        let mut tally = PartTally::default();
        if !summary.is_empty_map() && summary.entries().is_empty() {
            tally.unrecognised = 1;
            return Some(tally);
        }
        for (word, value) in summary.entries().iter().filter(|(word, _)| word != "total") {
            match MetadataCount::parse(value) {
                MetadataCount::Absent => {}
                MetadataCount::Count(count) => {
                    tally.add(self.words.class_of(word), count);
                    self.keep_unknown(Part::Assignment, self.words.unknown(word), count);
                }
                MetadataCount::Unreadable => {
                    tally.add(Class::Trouble(ItemFinding::Unrecognised), 1);
                }
            }
        }
        Some(tally)
    }

    fn compare_with_request(&mut self, row: &RestoreRow) {
        let document = row.requested_items.parse();
        let request = document
            .as_ref()
            .map_err(|fault| RequestFault::Column(*fault))
            .and_then(|requested| parse_request(requested, &row.backup_items));
        let mut rows = std::mem::take(&mut self.rows_by_id);
        let wanted = request.as_ref().ok().map(|request| &request.ids);
        let repeated: BTreeSet<_> = wanted
            .into_iter()
            .flatten()
            .chain(&rows)
            .filter(|(_, count)| **count > 1)
            .map(|(id, _)| id)
            .collect();
        self.facts.repeated = self.except_all(repeated, ItemFinding::Repeated);
        self.facts.requested = match &request {
            Err(fault) => Requested::Unreadable(*fault),
            Ok(RequestedIds { ids, is_whole_set }) => {
                let missing = ids.keys().filter(|id| rows.remove(*id).is_none());
                self.facts.missing = self.except_all(missing, ItemFinding::Missing);
                self.facts.unexpected = self.except_all(rows.keys(), ItemFinding::Unexpected);
                let items = ids.len() as u64;
                if *is_whole_set {
                    Requested::BackupSet(items)
                } else {
                    Requested::Listed(items)
                }
            }
        };
    }

    fn note(&mut self, part: Part, id: &str, said: &RowWords) {
        if let Class::Trouble(finding) = said.class {
            self.except(part, id, finding);
        }
        self.keep_unknown(part, said.unknown.clone(), 1);
    }

    /// Keeps the first unknown words in their own order. One that was dropped is dropped again.
    fn keep_unknown(&mut self, part: Part, digest: Option<String>, rows: u64) {
        let Some(digest) = digest else {
            return;
        };
        let most = INTEGER_MAX.unsigned_abs();
        let kept = self.unknown.entry((part, digest)).or_default();
        *kept = kept.saturating_add(rows).min(most);
        self.unknown_rows = self.unknown_rows.saturating_add(rows).min(most);
        if self.unknown.len() > UNKNOWN_WORDS_MAX {
            self.unknown.pop_last();
        }
    }

    /// Keeps the first findings in their own order, so that the order of rows does not matter.
    fn except(&mut self, part: Part, id: &str, finding: ItemFinding) {
        let id = id.chars().take(EXCEPTION_ID_CHARS_MAX).collect();
        self.exceptions.insert(ItemException { part, id, finding });
        self.findings += 1;
        if self.exceptions.len() > EXCEPTIONS_MAX {
            self.exceptions.pop_last();
        }
    }

    fn except_all<'i>(
        &mut self,
        ids: impl IntoIterator<Item = &'i Cow<'i, str>>,
        finding: ItemFinding,
    ) -> u64 {
        let ids = ids.into_iter();
        ids.map(|id| self.except(Part::Item, id, finding)).count() as u64
    }

    fn finish(self) -> (ItemFacts, Vec<RecordedFailure>) {
        let exceptions: Vec<_> = self.exceptions.into_iter().collect();
        let exceptions_omitted = self.findings - exceptions.len() as u64;
        let named = self.unknown.into_iter();
        let unknown_words: Vec<_> = named
            .map(|((part, digest), rows)| UnknownWord { part, digest, rows })
            .collect();
        let rows = unknown_words.iter().map(|word| word.rows);
        let named = rows.fold(0_u64, u64::saturating_add);
        let facts = ItemFacts {
            exceptions,
            exceptions_omitted,
            unknown_words,
            unknown_words_omitted: self.unknown_rows.saturating_sub(named),
            ..self.facts
        };
        (facts, self.failures)
    }
}

/// The one value under a key of a map; null where there is none.
fn only<'a>(map: &'a Json<'a>, key: &str) -> Result<&'a Json<'a>, Fault> {
    let found = map.entries().iter().filter(|(name, _)| name == key);
    match found.count() {
        0 | 1 => Ok(map.get(key)),
        _ => Err(Fault::DuplicateKey),
    }
}

/// `mappings.foundations`.
fn mapped_foundations<'a>(results: &'a Json<'a>) -> Result<&'a Json<'a>, Fault> {
    let mappings = only(results, "mappings")?;
    if mappings.is_empty_map() || matches!(mappings, Json::Map(_)) {
        only(mappings, "foundations")
    } else {
        Err(Fault::Shape)
    }
}

/// The values of a map or a list, each with its key or position as text.
fn keyed<'a>(value: &'a Json<'a>) -> Result<Vec<(Cow<'a, str>, &'a Json<'a>)>, Fault> {
    match value {
        Json::Null => Ok(Vec::new()),
        Json::Map(entries) => Ok(entries
            .iter()
            .map(|(key, value)| (key_text(key), value))
            .collect()),
        Json::List(items) => Ok(items
            .iter()
            .enumerate()
            .map(|(index, value)| (Cow::Owned(index.to_string()), value))
            .collect()),
        _ => Err(Fault::Shape),
    }
}

/// The values of a map or a list.
fn values<'a>(value: &'a Json<'a>) -> Result<impl Iterator<Item = &'a Json<'a>>, Fault> {
    let (items, entries) = match value {
        Json::Map(entries) => (&[][..], entries.as_slice()),
        Json::List(items) => (items.as_slice(), &[][..]),
        _ => return Err(Fault::Shape),
    };
    Ok(items.iter().chain(entries.iter().map(|(_, value)| value)))
}

/// A key as an id: `"007"` and `"7"` are one item.
fn key_text(key: &str) -> Cow<'_, str> {
    // No other integer is written in two ways.
    let id = integer_from_text(key).filter(|_| key.starts_with(['0', '-']));
    id.map_or(Cow::Borrowed(key), |id| Cow::Owned(id.to_string()))
}

/// An id as text, so that `7` and `"7"` are one item.
fn item_id<'a>(value: &'a Json<'a>) -> Option<Cow<'a, str>> {
    match value {
        Json::Integer(id) => Some(Cow::Owned(id.to_string())),
        _ => value.text().map(key_text),
    }
}

/// A row with one key twice says two things; it is read as saying nothing.
fn unambiguous<'a>(row: &'a Json<'a>) -> &'a Json<'a> {
    if row.has_duplicate_keys() {
        &Json::Null
    } else {
        row
    }
}

/// The items that were requested, each with how often it was.
struct RequestedIds<'a> {
    ids: BTreeMap<Cow<'a, str>, u64>,
    is_whole_set: bool,
}

/// `requested_items`; null stands for the whole backup set.
fn parse_request<'a>(
    requested: &'a Json<'a>,
    set: &SetItems,
) -> Result<RequestedIds<'a>, RequestFault> {
    if *requested == Json::Null {
        return parse_set(set);
    }
    let mut ids = BTreeMap::new();
    for value in values(requested).map_err(RequestFault::Column)? {
        let id = item_id(value).ok_or(RequestFault::Column(Fault::Shape))?;
        *ids.entry(id).or_default() += 1;
    }
    Ok(RequestedIds {
        ids,
        is_whole_set: false,
    })
}

fn parse_set(set: &SetItems) -> Result<RequestedIds<'static>, RequestFault> {
    match set {
        SetItems::Absent => Err(RequestFault::SetAbsent),
        SetItems::Ids(ids) if ids.is_empty() => Err(RequestFault::SetEmpty),
        SetItems::Ids(ids) if ids.len() > ITEMS_MAX => Err(RequestFault::SetOversized),
        SetItems::Ids(ids) => Ok(RequestedIds {
            ids: ids
                .iter()
                .map(|id| (Cow::Owned(id.to_string()), 1))
                .collect(),
            is_whole_set: true,
        }),
    }
}

/// One counter of `metadata`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MetadataCount {
    /// Nobody counted.
    #[default]
    Absent,
    /// This many.
    Count(u64),
    /// Something is there, but it is no count: negative, beyond 2⁵³, text, or written with a fraction
    /// or an exponent.
    Unreadable,
}

impl MetadataCount {
    fn parse(value: &Json) -> Self {
        match value {
            Json::Null => Self::Absent,
            _ => value
                .integer()
                .filter(|count| *count <= INTEGER_MAX)
                .and_then(|count| u64::try_from(count).ok())
                .map_or(Self::Unreadable, Self::Count),
        }
    }

    /// The count, where somebody counted.
    #[must_use]
    pub fn count(self) -> Option<u64> {
        match self {
            Self::Count(count) => Some(count),
            Self::Absent | Self::Unreadable => None,
        }
    }

    /// Whether the counter, where present, satisfies `holds`.
    fn agrees(self, holds: impl Fn(u64) -> bool) -> bool {
        match self {
            Self::Absent => true,
            Self::Count(count) => holds(count),
            Self::Unreadable => false,
        }
    }
}

/// The counters of `metadata`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Counters {
    /// Items that were to be restored.
    pub total: MetadataCount,
    /// Items applied.
    pub succeeded: MetadataCount,
    /// Items failed.
    pub failed: MetadataCount,
    /// Items skipped.
    pub skipped: MetadataCount,
    /// Items applied in part.
    pub partial: MetadataCount,
    /// Items not applied.
    pub non_applied: MetadataCount,
    /// Foundations skipped.
    pub foundations_skipped: MetadataCount,
}

impl Counters {
    /// Whether every counter that is present agrees with the rows.
    ///
    /// The platform counts some rows under `skipped`, some under `non_applied` and some under both,
    /// so for these two only an excess is a contradiction. Without rows there is nothing to compare;
    /// only a counter that is no number is one then.
    #[must_use]
    pub fn agree_with(&self, items: &PartTally, foundations: &PartTally) -> bool {
        let all = [
            self.total,
            self.succeeded,
            self.failed,
            self.skipped,
            self.partial,
            self.non_applied,
            self.foundations_skipped,
        ];
        if all.contains(&MetadataCount::Unreadable) {
            return false;
        }
        if items.total() == 0 {
            return true;
        }
        let undone = items.total() - items.applied;
        let idle = items
            .skipped
            .saturating_add(items.not_applied)
            .saturating_add(items.unrecognised);
        self.total.agrees(|count| count == items.total())
            && self.succeeded.agrees(|count| count == items.applied)
            && self.failed.agrees(|count| count == items.failed)
            && self.partial.agrees(|count| count == items.partial)
            && self.skipped.agrees(|count| count <= idle)
            && self.non_applied.agrees(|count| count <= undone)
            && self
                .foundations_skipped
                .agrees(|count| count <= foundations.total() - foundations.applied)
    }
}

/// What `metadata` says.
pub(super) struct Metadata {
    pub(super) counters: Counters,
    pub(super) blocker: Option<ReasonCode>,
    /// Whether its status denies a success.
    pub(super) denies_success: bool,
    pub(super) readable: bool,
}

/// Reads `metadata`. One that cannot be read leaves no counter that could agree with anything.
pub(super) fn parse_metadata(
    metadata: &Column,
    words: &ItemWords,
    codes: &BlockerCodes<'_>,
) -> Metadata {
    let readable = metadata.parse().ok().filter(|document| {
        let is_map = document.is_empty_map() || matches!(document, Json::Map(_));
        is_map && !document.has_duplicate_keys()
    });
    let Some(document) = readable else {
        let counters = Counters {
            total: MetadataCount::Unreadable,
            ..Counters::default()
        };
        return Metadata {
            counters,
            blocker: None,
            denies_success: false,
            readable: false,
        };
    };
    let counter = |key: &str| MetadataCount::parse(document.get(key));
    let blocked_reason = document.get("blocked_reason");
    Metadata {
        counters: Counters {
            total: counter("total"),
            succeeded: counter("succeeded"),
            failed: counter("failed"),
            skipped: counter("skipped"),
            partial: counter("partial"),
            non_applied: counter("non_applied"),
            foundations_skipped: counter("foundations_skipped"),
        },
        blocker: codes.named_by(blocked_reason),
        denies_success: words.denies_success(document.get("status")),
        readable: may_name_a_blocker(blocked_reason),
    }
}
