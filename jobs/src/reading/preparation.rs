//! Preparation: what a restore records before it is executed.
//!
//! The platform does not say what its JSON columns hold; this is how they are read here.
//!
//! | Column | Shape |
//! |---|---|
//! | `requested_items` | list of backup item ids; null means the whole backup set |
//! | `group_mapping` | map: source group id → target group id, or `SKIP`; anything else is unresolved |
//! | `preview` | a map or a list; an empty one is none |
//! | `metadata.scope_basis` | `fingerprint`; `scope_mode`, a word; `required_groups`, a list of source group ids; `cached_groups`, a number |
//! | `metadata.check_basis` | `fingerprint`, `blocking_count`, `warning_count` |
//! | `metadata.preview_basis` | `fingerprint` |
//! | `metadata.execution_safety_snapshot` | `fingerprint`; `confirmed`, which is exactly `true`; `blocking_count` |
//!
//! Each record also says when it was made, under a name that ends with `_at`. Within these records, names other than
//! `fingerprint`, `scope_mode` and that are settings: [`MetadataKeys`]. Which words `scope_mode` may have nobody documents, so it
//! is shown and decides nothing.
//!
//! A fingerprint is that of the scope that the record was made for: one that differs from `scope_basis.fingerprint`
//! belongs to an earlier scope. A record without one belongs to none.
//!
//! **Invariant:** reading is total, and a doubt is never read as a record: keys twice, words of another type and
//! numbers that are none count as nothing recorded.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use super::backup_health::BackupSetFacts;
use super::metadata_keys::{MetadataKey, MetadataKeys};
use crate::json::{Column, Json};
use crate::restore_execute::facts::RestoreStatus;
use crate::vocabulary;

/// The target of a group whose assignments are left out.
pub const SKIP: &str = "SKIP";

/// How many unresolved groups are named; the rest are counted.
pub const UNRESOLVED_MAX: usize = 20;

/// How much of a group's id is kept.
const GROUP_ID_CHARS_MAX: usize = 64;

/// What a row of `restore_runs` says before it is executed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    missing_docs,
    reason = "a field without words is the column of its name"
)]
pub struct PreparationRow {
    /// `is_dry_run`; null counts as one.
    pub is_dry_run: Option<bool>,
    pub status: String,
    /// Whether its environment is live, and of its own workspace.
    pub has_target: bool,
    pub requested_items: Column,
    pub group_mapping: Column,
    pub preview: Column,
    pub metadata: Column,
}

/// What the gates are judged from.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a column or a key of its own"
)]
pub struct PreparationFacts {
    /// Whether it can only be a preview.
    pub is_dry_run: bool,
    /// How far it has come.
    pub status: RestoreStatus,
    /// Where it restores from; none where the set is gone or somebody else's.
    pub source: Option<BackupSetFacts>,
    /// Whether its environment is live, and of its own workspace.
    pub has_target: bool,
    /// What it is meant to restore.
    pub scope: RestoreScope,
    /// Which groups are mapped to which; none where that cannot be read.
    pub mapping: Option<MappingSummary>,
    /// Whether there are groups to choose targets from.
    pub groups: GroupCache,
    /// The scope as it was recorded.
    pub scope_basis: Basis,
    /// What the platform calls that scope, in a word of its own.
    pub scope_mode: Option<String>,
    /// What validation was made for, and what it found.
    pub check_basis: Basis,
    /// Whether there is a preview.
    pub has_preview: bool,
    /// What the preview was made for.
    pub preview_basis: Basis,
    /// What was confirmed.
    pub safety_snapshot: Basis,
    /// Whether the snapshot says that somebody confirmed it.
    pub is_confirmed: bool,
}

/// What a restore is meant to restore.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "Scope")]
pub enum RestoreScope {
    /// Everything that the backup set holds.
    All,
    /// So many of its items, at least one.
    Items(u64),
    /// An empty list.
    Nothing,
    /// No list of ids.
    Unreadable,
}

/// How far the groups of assignments are mapped to groups of the target.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, JsonSchema)]
pub struct MappingSummary {
    /// Source groups that need a decision.
    pub required: u64,
    /// How many assignments have a target.
    pub resolved: u64,
    /// How many assignments are left out on purpose.
    pub skipped: u64,
    /// How many assignments have neither a target nor a reason to be left out.
    pub unresolved: u64,
    /// Ids of the first [`UNRESOLVED_MAX`] of these, in order.
    pub unresolved_groups: Vec<String>,
}

vocabulary! {
    /// Whether directory groups of the target are cached, so that one can be chosen.
    #[derive(Serialize, JsonSchema)]
    #[serde(rename_all = "snake_case")]
    pub enum GroupCache {
        /// What is known of the cache; it says nothing about which groups exist.
        summary: &'static str,
        /// How a target group is found.
        next_action: &'static str,
    }
    /// Some are.
    Available {
        summary: "Cached directory groups are available to choose from.",
        next_action: "Resolve target mappings",
    }
    /// None are, which says nothing about the target itself.
    Empty {
        summary: "No directory groups are cached yet. The cache is empty; that does not mean that the tenant has no groups.",
        next_action: "Open group sync",
    }
    /// Nobody noted.
    Unknown {
        summary: "Whether directory groups are cached is not recorded.",
        next_action: "Open group sync",
    }
}

/// One of the records that a preparation leaves behind. What is none is not recorded, or cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Basis {
    /// The scope that it was made for.
    pub fingerprint: Option<String>,
    /// Findings that block.
    pub blocking: Option<u64>,
    /// Findings that warn.
    pub warnings: Option<u64>,
    /// When it was made.
    pub recorded_at: Option<Timestamp>,
}

impl PreparationFacts {
    /// From a restore and its backup set.
    #[must_use]
    pub fn gather(
        row: &PreparationRow,
        source: Option<BackupSetFacts>,
        keys: &MetadataKeys,
    ) -> Self {
        let metadata = unambiguous(&row.metadata);
        let record = |key| metadata.as_ref().map_or(&Json::Null, |map| map.get(key));
        let scope_basis = record("scope_basis");
        let snapshot = record("execution_safety_snapshot");
        Self {
            is_dry_run: row.is_dry_run != Some(false),
            status: RestoreStatus::parse(&row.status),
            source,
            has_target: row.has_target,
            scope: RestoreScope::parse(&row.requested_items),
            mapping: MappingSummary::parse(
                &row.group_mapping,
                scope_basis.get(keys.name(MetadataKey::RequiredGroups)),
            ),
            groups: GroupCache::parse(scope_basis.get(keys.name(MetadataKey::CachedGroups))),
            scope_basis: Basis::parse(scope_basis, keys),
            scope_mode: word(scope_basis.get("scope_mode")),
            check_basis: Basis::parse(record("check_basis"), keys),
            has_preview: unambiguous(&row.preview).is_some_and(|preview| !preview.is_empty_map()),
            preview_basis: Basis::parse(record("preview_basis"), keys),
            safety_snapshot: Basis::parse(snapshot, keys),
            is_confirmed: *snapshot.get(keys.name(MetadataKey::Confirmed)) == Json::Bool(true),
        }
    }
}

/// A map or a list without doubt about its keys, or null.
fn unambiguous(column: &Column) -> Option<Json<'_>> {
    let read = column.parse().ok()?;
    let has_shape = matches!(read, Json::Null | Json::Map(_) | Json::List(_));
    (has_shape && !read.has_duplicate_keys()).then_some(read)
}

impl RestoreScope {
    /// PHP writes a list of which something was filtered out as a map.
    fn parse(column: &Column) -> Self {
        let ids: BTreeSet<Option<i64>> = match &unambiguous(column) {
            None => return Self::Unreadable,
            Some(Json::List(items)) => items.iter().map(Json::integer).collect(),
            Some(Json::Map(items)) => items.iter().map(|(_, item)| item.integer()).collect(),
            Some(_) => return Self::All,
        };
        if ids.iter().any(|id| id.is_none_or(|id| id <= 0)) {
            return Self::Unreadable;
        }
        match u64::try_from(ids.len()).unwrap_or(u64::MAX) {
            0 => Self::Nothing,
            items => Self::Items(items),
        }
    }
}

/// What became of one source group.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Target {
    Chosen,
    Skipped,
    Open,
}

impl Target {
    fn parse(value: &Json<'_>) -> Self {
        match value.text().map(str::trim) {
            None | Some("") => Self::Open,
            Some(word) if word.eq_ignore_ascii_case(SKIP) => Self::Skipped,
            Some(_) => Self::Chosen,
        }
    }
}

impl MappingSummary {
    fn parse(column: &Column, required: &Json<'_>) -> Option<Self> {
        let mapping = unambiguous(column)?;
        if !matches!(mapping, Json::Map(_)) && !mapping.is_empty_map() {
            return None;
        }
        let mut targets: BTreeMap<&str, Target> = BTreeMap::new();
        for group in required_groups(required)? {
            targets.insert(group, Target::Open);
        }
        for (group, target) in mapping.entries() {
            targets.insert(group, Target::parse(target));
        }
        let count = |which| {
            let counted = targets.values().filter(|target| **target == which).count();
            u64::try_from(counted).unwrap_or(u64::MAX)
        };
        let open = |target: &Target| *target == Target::Open;
        Some(Self {
            required: u64::try_from(targets.len()).unwrap_or(u64::MAX),
            resolved: count(Target::Chosen),
            skipped: count(Target::Skipped),
            unresolved: count(Target::Open),
            unresolved_groups: targets
                .iter()
                .filter(|(_, target)| open(target))
                .take(UNRESOLVED_MAX)
                .map(|(group, _)| group.chars().take(GROUP_ID_CHARS_MAX).collect())
                .collect(),
        })
    }
}

/// None where it is no list of ids.
fn required_groups<'a>(listed: &'a Json<'_>) -> Option<Vec<&'a str>> {
    match listed {
        Json::List(groups) => groups.iter().map(Json::text).collect(),
        nothing if nothing.is_empty_map() => Some(Vec::new()),
        _ => None,
    }
}

impl GroupCache {
    fn parse(count: &Json<'_>) -> Self {
        match count.integer() {
            Some(0) => Self::Empty,
            Some(count) if count > 0 => Self::Available,
            _ => Self::Unknown,
        }
    }
}

impl Basis {
    fn parse(record: &Json<'_>, keys: &MetadataKeys) -> Self {
        let counted = |key| count(record.get(keys.name(key)));
        let mut moments = record
            .entries()
            .iter()
            .filter(|(key, _)| key.ends_with("_at"));
        let fingerprint = record.get("fingerprint").text().map(str::trim);
        Self {
            recorded_at: moments.find_map(|(_, value)| value.text()?.parse().ok()),
            fingerprint: fingerprint
                .filter(|text| !text.is_empty())
                .map(str::to_owned),
            blocking: counted(MetadataKey::BlockingCount),
            warnings: counted(MetadataKey::WarningCount),
        }
    }

    /// Whether blockers were counted.
    #[must_use]
    pub fn blocks(&self) -> bool {
        self.blocking.is_some_and(|findings| findings > 0)
    }

    /// Whether somebody looked for blockers and found none.
    #[must_use]
    pub fn is_clear(&self) -> bool {
        self.blocking == Some(0)
    }
}

/// A short text that somebody chose.
fn word(value: &Json<'_>) -> Option<String> {
    let text = value.text()?.trim();
    let is_word = (1..=GROUP_ID_CHARS_MAX).contains(&text.len())
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "_-. ".contains(c));
    is_word.then(|| text.to_owned())
}

fn count(value: &Json<'_>) -> Option<u64> {
    u64::try_from(value.integer()?).ok()
}
