//! Backup quality: what was captured of each item of a backup set.
//!
//! What an item's metadata may say against it. A word that is not understood counts as the fault.
//!
//! | Key | Says | Fault |
//! |---|---|---|
//! | `source`, `snapshot_source` | `metadata_only`, or anything that is no word | metadata-only |
//! | `assignments_fetch_failed` | anything but `false` | assignment issue |
//! | `assignment_capture_reason` | anything but a reason under which none is missing | assignment issue |
//! | `has_orphaned_assignments` | anything but `false` | orphaned assignments |
//! | `integrity_warning`, `warnings` | anything but nothing: null, blank text, an empty list or map | degraded |
//!
//! A missing key says nothing. Metadata that cannot be read, or has a key twice, is degraded, and an empty payload
//! is metadata-only.
//!
//! **Invariant:** a doubt is a fault. What was not looked at is counted as that.

use schemars::JsonSchema;
use serde::Serialize;

use crate::json::{Column, Json};

/// The source of an item without captured settings.
const METADATA_ONLY: &str = "metadata_only";

/// Reasons of `assignment_capture_reason` under which no assignment is missing: all were captured, or the item
/// has none of its own.
const NOTHING_MISSING: [&str; 3] = ["captured", "not_applicable", "separate_role_assignments"];

/// A row of `backup_items`, live.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackupItemRow {
    /// Whether `payload` holds anything: it is neither null nor an empty list or map.
    pub has_payload: bool,
    /// `metadata`.
    pub metadata: Column,
}

/// What was captured, item by item. An item can be counted more than once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, JsonSchema)]
pub struct Quality {
    /// Items.
    pub items: u64,
    /// Items with any of the faults below.
    pub degraded: u64,
    /// Items without captured settings.
    pub metadata_only: u64,
    /// Items whose assignments could not be captured.
    pub assignment_issues: u64,
    /// Items whose assignments name what no longer exists.
    pub orphaned_assignments: u64,
    /// Items with a warning, or whose metadata cannot be read.
    pub other_faults: u64,
    /// Items that were not looked at, because there are too many.
    pub not_looked_at: u64,
}

/// What speaks against one item.
#[derive(Debug, Clone, Copy, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is found, and counted, by itself"
)]
struct Faults {
    metadata_only: bool,
    assignment_issue: bool,
    orphaned_assignments: bool,
    other: bool,
}

impl Faults {
    fn of(item: &BackupItemRow) -> Self {
        let read = item.metadata.parse().ok();
        let read = read.filter(|read| !read.has_duplicate_keys());
        let mut faults = match read {
            Some(empty) if empty.is_empty_map() => Self::default(),
            Some(map @ Json::Map(_)) => Self::recorded(&map),
            _ => Self {
                other: true,
                ..Self::default()
            },
        };
        faults.metadata_only |= !item.has_payload;
        faults
    }

    fn recorded(metadata: &Json<'_>) -> Self {
        let is_raised = |key| !matches!(metadata.get(key), Json::Null | Json::Bool(false));
        let names_no_settings = |key| match metadata.get(key) {
            Json::Null => false,
            Json::Text(word) => word.trim().eq_ignore_ascii_case(METADATA_ONLY),
            _ => true,
        };
        let warns = |key| {
            let warning = metadata.get(key);
            let is_blank = warning.text().is_some_and(|text| text.trim().is_empty());
            !(is_blank || warning.is_empty_map())
        };
        let capture = metadata.get("assignment_capture_reason");
        let is_complete = *capture == Json::Null
            || capture
                .text()
                .is_some_and(|reason| NOTHING_MISSING.contains(&reason));
        Self {
            metadata_only: names_no_settings("source") || names_no_settings("snapshot_source"),
            assignment_issue: is_raised("assignments_fetch_failed") || !is_complete,
            orphaned_assignments: is_raised("has_orphaned_assignments"),
            other: warns("integrity_warning") || warns("warnings"),
        }
    }

    fn any(self) -> bool {
        self.metadata_only || self.assignment_issue || self.orphaned_assignments || self.other
    }
}

impl Quality {
    /// Counts what was captured of a set of `total` items, as far as `items` were looked at.
    pub(super) fn count(total: u64, items: &[BackupItemRow]) -> Self {
        let looked_at = u64::try_from(items.len()).unwrap_or(u64::MAX);
        let mut quality = Self {
            items: total.max(looked_at),
            not_looked_at: total.saturating_sub(looked_at),
            ..Self::default()
        };
        for faults in items.iter().map(Faults::of) {
            quality.degraded += u64::from(faults.any());
            quality.metadata_only += u64::from(faults.metadata_only);
            quality.assignment_issues += u64::from(faults.assignment_issue);
            quality.orphaned_assignments += u64::from(faults.orphaned_assignments);
            quality.other_faults += u64::from(faults.other);
        }
        quality
    }

    /// Each count with its name, in the order in which they are shown.
    pub fn named(&self) -> impl Iterator<Item = (&'static str, u64)> {
        [
            ("items", self.items),
            ("degraded items", self.degraded),
            ("metadata-only items", self.metadata_only),
            ("assignment issues", self.assignment_issues),
            ("orphaned assignments", self.orphaned_assignments),
            ("items with other faults", self.other_faults),
            ("items not looked at", self.not_looked_at),
        ]
        .into_iter()
    }
}
