//! What became of the items of a restore, and what was counted of them.

use reconciler_jobs::quantity;
use reconciler_jobs::reading::summary::{METADATA_ONLY, Summary};
use reconciler_jobs::restore_execute::facts::RestoreFacts;
use reconciler_jobs::restore_execute::results::{ColumnState, PartTally, Requested};
use schemars::JsonSchema;
use serde::Serialize;

use crate::views::verdict::Exception;

/// What was counted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct SummaryShown {
    /// Each count that somebody made, in the order in which they are shown.
    pub counts: Vec<Count>,
    /// Stands in the place of counts that nobody made, or beside those that no row is behind.
    pub note: Option<&'static str>,
    /// Whether no item row is behind the counts.
    pub is_metadata_only: bool,
}

/// One count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Count {
    /// What was counted.
    pub name: &'static str,
    /// How many.
    pub count: u64,
}

/// What became of the items, as their rows say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ItemsShown {
    /// Rows of items.
    pub items: PartTally,
    /// Rows of foundations.
    pub foundations: PartTally,
    /// Assignments of any item.
    pub assignments: PartTally,
    /// Whether the recorded results could be read, or there are none.
    pub is_readable: bool,
    /// How many items were requested; none where the request does not list them.
    pub requested: Option<u64>,
    /// Requested items without a row.
    pub missing: u64,
    /// Rows that nobody requested.
    pub unexpected: u64,
    /// Ids that occur more than once.
    pub repeated: u64,
    /// The first items that are in trouble.
    pub exceptions: Vec<Exception>,
    /// How many findings there are beyond those.
    pub exceptions_omitted: u64,
}

impl ItemsShown {
    /// How the recorded results answer the request, for people; none where the request does not list its items.
    pub fn request(&self) -> Option<String> {
        let missing = match self.requested? {
            0 => "The request lists no item".to_owned(),
            requested => {
                let left = match self.missing {
                    0 => "each has a result".to_owned(),
                    missing => format!("no result for {missing} of them"),
                };
                format!("{} requested; {left}", quantity(requested, "item"))
            }
        };
        Some(match self.unexpected {
            0 => format!("{missing}."),
            unexpected => format!(
                "{missing}; {} that nobody requested.",
                quantity(unexpected, "result")
            ),
        })
    }

    /// Each part that has rows with their outcomes, in the order in which they are shown.
    pub fn parts(&self) -> impl Iterator<Item = (&'static str, PartTally)> {
        [
            ("items", self.items),
            ("foundations", self.foundations),
            ("assignments", self.assignments),
        ]
        .into_iter()
        .filter(|(_, tally)| tally.total() > 0)
    }
}

pub(in crate::views) fn summary(summary: Summary) -> SummaryShown {
    let (counts, note) = match summary {
        Summary::Uncounted(why) => (None, Some(why.label())),
        Summary::Counted(counts) => (Some(counts), None),
        Summary::MetadataOnly(counts) => (Some(counts), Some(METADATA_ONLY)),
    };
    let named = |(name, count)| Count { name, count };
    SummaryShown {
        counts: counts.map_or_else(Vec::new, |counts| counts.named().map(named).collect()),
        note,
        is_metadata_only: matches!(summary, Summary::MetadataOnly(_)),
    }
}

pub(super) fn items(restore: &RestoreFacts) -> ItemsShown {
    let found = &restore.items;
    let exceptions = found.exceptions.iter().map(Exception::from);
    ItemsShown {
        is_readable: !matches!(found.reading, ColumnState::Unreadable(_)),
        items: found.items,
        foundations: found.foundations,
        assignments: found.assignments,
        requested: match found.requested {
            Requested::Listed(items) | Requested::BackupSet(items) => Some(items),
            Requested::NotItemised | Requested::Unreadable(_) => None,
        },
        missing: found.missing,
        unexpected: found.unexpected,
        repeated: found.repeated,
        exceptions: exceptions.collect(),
        exceptions_omitted: found.exceptions_omitted,
    }
}
