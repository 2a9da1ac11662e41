//! What a restore recorded about its items: `results`, `requested_items` and `metadata`.
//!
//! ```text
//! results.foundations   list of {type, sourceId, targetId, decision, reason}
//! results.items         map: backup item id → {status, assignment_outcomes[], assignment_summary{}}
//! requested_items       list of backup item ids; null where the request was not itemised
//! metadata              {total, succeeded, failed, skipped, partial, non_applied, foundations_skipped, …}
//! ```
//!
//! PHP writes an empty map as `[]` and a map with keys 0…n as a list; both are accepted everywhere.
//!
//! **Invariant:** only a word this module knows counts as applied. Everything else — an unknown
//! word, a missing one, an item that is not a map — is unrecognised, and unrecognised is a gap.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::blockers::{blocker, may_name_a_blocker};
use super::reason::ReasonCode;
use crate::json::{Column, Fault, INTEGER_MAX, Json, TEXT_BYTES_MAX, integer_from_text};

/// How many troubled items facts name; the rest are counted.
pub const EXCEPTIONS_MAX: usize = 20;

/// How many items one restore may record. More are not read, and are a gap.
pub const ITEMS_MAX: usize = 100_000;

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
    /// One count per row of `results.items`, by the item's own status.
    pub items: PartTally,
    /// One count per row of `results.foundations`.
    pub foundations: PartTally,
    /// Foundations that changed the environment; mapping to an existing object does not.
    pub foundations_written: u64,
    /// One count per assignment of any item.
    pub assignments: PartTally,
    /// Items whose assignment list and assignment counts disagree.
    pub assignment_conflicts: u64,
    /// Whether and how `requested_items` lists the request.
    pub requested: Requested,
    /// Requested items without a row.
    pub missing: u64,
    /// Rows that nobody requested.
    pub unexpected: u64,
    /// Ids that occur more than once, in the rows or in the request.
    pub repeated: u64,
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

/// How the request is recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Requested {
    /// Null: the whole backup set, and only the counter `total` says how much that is.
    #[default]
    NotItemised,
    /// A list of this many different ids.
    Listed(u64),
    /// It could not be read.
    Unreadable(Fault),
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

/// A troubled item.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ItemException {
    /// Where it was found.
    pub part: Part,
    /// The backup item's id, or the position of a foundation in its list.
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
    /// The assignments of an item.
    Assignment,
    /// `results.foundations`.
    Foundation,
}

/// What is wrong with an item.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum ItemFinding {
    /// Applied in part.
    Partial,
    /// Failed.
    Failed,
    /// Skipped.
    Skipped,
    /// Not applied.
    NotApplied,
    /// The item's outcome is a word that the rules do not know.
    Unrecognised,
    /// Requested, but without a row.
    Missing,
    /// A row that nobody requested.
    Unexpected,
    /// One id twice.
    Repeated,
    /// The item's assignment list and its counts disagree.
    Conflicting,
}

/// What became of one row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    Applied,
    Trouble(ItemFinding),
}

impl Class {
    /// The closed vocabulary of outcomes. Words are compared exactly.
    fn of_word(word: &str) -> Self {
        match word {
            "applied" | "succeeded" | "success" | "created" | "updated" | "mapped_existing"
            | "created_copy" => Self::Applied,
            "partial" => Self::Trouble(ItemFinding::Partial),
            "failed" | "error" => Self::Trouble(ItemFinding::Failed),
            "skipped" => Self::Trouble(ItemFinding::Skipped),
            "preview_only" | "dry_run" | "manual_required" | "not_applied" | "ignored" => {
                Self::Trouble(ItemFinding::NotApplied)
            }
            _ => Self::Trouble(ItemFinding::Unrecognised),
        }
    }

    fn of(value: &Json) -> Self {
        value
            .text()
            .map_or(Self::Trouble(ItemFinding::Unrecognised), Self::of_word)
    }
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

    fn add(&mut self, class: Class, count: u64) {
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

/// Reads `results` against `requested_items`.
pub(super) fn parse_items(results: &Column, requested: &Column) -> ItemFacts {
    let document = results.parse();
    let mut reader = ResultsReader::default();
    reader.facts.reading = match document
        .as_ref()
        .map_err(|fault| *fault)
        .and_then(|results| reader.read_results(results))
    {
        Ok(reading) => reading,
        Err(fault) => {
            // Half of a document proves as little as none of it.
            reader = ResultsReader::default();
            ColumnState::Unreadable(fault)
        }
    };
    reader.compare_with_request(requested);
    reader.finish()
}

#[derive(Default)]
struct ResultsReader<'a> {
    facts: ItemFacts,
    rows_by_id: BTreeMap<Cow<'a, str>, u64>,
    exceptions: BTreeSet<ItemException>,
    findings: u64,
}

impl<'a> ResultsReader<'a> {
    fn read_results(&mut self, results: &'a Json<'a>) -> Result<ColumnState, Fault> {
        if results.is_empty_map() {
            return Ok(ColumnState::Absent);
        }
        let Json::Map(entries) = results else {
            return Err(Fault::Shape);
        };
        for part in ["items", "foundations"] {
            if entries.iter().filter(|(key, _)| key == part).count() > 1 {
                return Err(Fault::DuplicateKey);
            }
        }
        for (position, foundation) in keyed(results.get("foundations"))? {
            self.read_foundation(&position, foundation);
        }
        let items = results.get("items");
        let rows = keyed(items)?;
        if rows.len() > ITEMS_MAX {
            return Err(Fault::Oversized);
        }
        let is_list = matches!(items, Json::List(_));
        for (key, item) in rows {
            self.read_item(key, is_list, item);
        }
        Ok(ColumnState::Read)
    }

    fn read_foundation(&mut self, position: &str, foundation: &Json) {
        let decision = unambiguous(foundation).get("decision");
        let class = Class::of(decision);
        let written = matches!(class, Class::Applied | Class::Trouble(ItemFinding::Partial));
        if written && decision.text() != Some("mapped_existing") {
            self.facts.foundations_written += 1;
        }
        self.facts.foundations.add(class, 1);
        self.note(Part::Foundation, position, class);
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
        let class = if consistent && key.len() <= TEXT_BYTES_MAX {
            Class::of(item.get("status"))
        } else {
            Class::Trouble(ItemFinding::Unrecognised)
        };
        let id = if is_list {
            stated_id.unwrap_or(key)
        } else {
            key
        };
        self.facts.items.add(class, 1);
        self.note(Part::Item, &id, class);
        self.read_assignments(&id, item);
        *self.rows_by_id.entry(id).or_default() += 1;
    }

    fn read_assignments(&mut self, id: &str, item: &Json) {
        let summary = item.get("assignment_summary");
        let listed = tally_outcomes(item.get("assignment_outcomes"));
        let counted = tally_summary(summary);
        let total = MetadataCount::parse(summary.get("total"));
        let totals_agree = counted.is_none_or(|tally| total.agrees(|count| count == tally.total()));
        let lists_agree = listed.is_none() || counted.is_none() || listed == counted;
        if !(totals_agree && lists_agree) {
            self.facts.assignment_conflicts += 1;
            self.except(Part::Assignment, id, ItemFinding::Conflicting);
        }
        let Some(tally) = listed.or(counted) else {
            return;
        };
        for (class, count) in [
            (Class::Applied, tally.applied),
            (Class::Trouble(ItemFinding::Partial), tally.partial),
            (Class::Trouble(ItemFinding::Failed), tally.failed),
            (Class::Trouble(ItemFinding::Skipped), tally.skipped),
            (Class::Trouble(ItemFinding::NotApplied), tally.not_applied),
            (
                Class::Trouble(ItemFinding::Unrecognised),
                tally.unrecognised,
            ),
        ] {
            self.facts.assignments.add(class, count);
            if count > 0 {
                self.note(Part::Assignment, id, class);
            }
        }
    }

    fn compare_with_request(&mut self, requested: &Column) {
        let document = requested.parse();
        let request = document
            .as_ref()
            .map_err(|fault| *fault)
            .and_then(parse_requested);
        let mut rows = std::mem::take(&mut self.rows_by_id);
        let wanted = request.as_ref().ok().and_then(Option::as_ref);
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
            Ok(None) => Requested::NotItemised,
            Ok(Some(wanted)) => {
                let missing = wanted.keys().filter(|id| rows.remove(*id).is_none());
                self.facts.missing = self.except_all(missing, ItemFinding::Missing);
                self.facts.unexpected = self.except_all(rows.keys(), ItemFinding::Unexpected);
                Requested::Listed(wanted.len() as u64)
            }
        };
    }

    fn note(&mut self, part: Part, id: &str, class: Class) {
        if let Class::Trouble(finding) = class {
            self.except(part, id, finding);
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

    fn finish(self) -> ItemFacts {
        let exceptions: Vec<_> = self.exceptions.into_iter().collect();
        let exceptions_omitted = self.findings - exceptions.len() as u64;
        ItemFacts {
            exceptions,
            exceptions_omitted,
            ..self.facts
        }
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
        Json::Null => (&[][..], &[][..]),
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

/// `requested_items`: each id with how often it occurs, or nothing where the request is not itemised.
fn parse_requested<'a>(
    requested: &'a Json<'a>,
) -> Result<Option<BTreeMap<Cow<'a, str>, u64>>, Fault> {
    if *requested == Json::Null {
        return Ok(None);
    }
    let mut ids = BTreeMap::new();
    for value in values(requested)? {
        *ids.entry(item_id(value).ok_or(Fault::Shape)?).or_default() += 1;
    }
    Ok(Some(ids))
}

/// `assignment_outcomes` of an item that says nothing twice: a list of `{status}`. Nothing where the item
/// has none.
fn tally_outcomes(outcomes: &Json) -> Option<PartTally> {
    if *outcomes == Json::Null {
        return None;
    }
    let mut tally = PartTally::default();
    match values(outcomes) {
        Ok(rows) => {
            for row in rows {
                tally.add(Class::of(row.get("status")), 1);
            }
        }
        Err(_) => tally.unrecognised = 1,
    }
    Some(tally)
}

/// `assignment_summary` of such an item: outcome word → count. Nothing where the item has none.
fn tally_summary(summary: &Json) -> Option<PartTally> {
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
            MetadataCount::Count(count) => tally.add(Class::of_word(word), count),
            MetadataCount::Unreadable => tally.add(Class::Trouble(ItemFinding::Unrecognised), 1),
        }
    }
    Some(tally)
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
    pub fn agree_with(&self, facts: &ItemFacts) -> bool {
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
        let items = &facts.items;
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
                .agrees(|count| count <= facts.foundations.total() - facts.foundations.applied)
    }
}

/// What `metadata` says.
pub(super) struct Metadata {
    pub(super) counters: Counters,
    pub(super) blocker: Option<ReasonCode>,
    pub(super) readable: bool,
}

/// Reads `metadata`. One that cannot be read leaves no counter that could agree with anything.
pub(super) fn parse_metadata(metadata: &Column) -> Metadata {
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
        blocker: blocker(blocked_reason),
        readable: may_name_a_blocker(blocked_reason),
    }
}
