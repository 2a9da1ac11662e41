//! What was counted of a restore's result.
//!
//! **Invariant:** a number is shown only where somebody counted. Nothing is filled up with zeros, and counters
//! without item rows are said to be just that.

use schemars::JsonSchema;
use serde::Serialize;

use crate::restore_execute::facts::RestoreFacts;
use crate::restore_execute::results::{Counters, MetadataCount};
use crate::vocabulary;

vocabulary! {
    /// What is said where nobody counted. Which one depends on the state.
    #[derive(Serialize, JsonSchema)]
    #[serde(rename_all = "snake_case")]
    pub enum Uncounted {
        /// The label that pages show.
        label,
    }
    Unavailable = "Result summary unavailable"
    InProgress = "In progress"
    FailureDetailsRequired = "Failure details required"
    Stopped = "Unavailable"
}

/// What is known of how a restore's items fared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Summary {
    /// Nobody counted.
    Uncounted(Uncounted),
    /// The platform counted, and there are item rows to look at.
    Counted(Counts),
    /// The platform counted, and there is no item row behind it.
    MetadataOnly(Counts),
}

/// Stands beside counts that no row is behind.
pub const METADATA_ONLY: &str =
    "Metadata-only: the platform counted, and no item-level rows are recorded.";

/// The platform's counters; none where nobody counted, or where it is no number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, JsonSchema)]
pub struct Counts {
    /// Items that were to be restored.
    pub total: Option<u64>,
    /// Applied.
    pub succeeded: Option<u64>,
    /// Failed.
    pub failed: Option<u64>,
    /// Skipped.
    pub skipped: Option<u64>,
    /// Applied in part.
    pub partial: Option<u64>,
    /// Not applied.
    pub non_applied: Option<u64>,
    /// Foundations skipped.
    pub foundations_skipped: Option<u64>,
}

impl Counts {
    fn of(counters: &Counters) -> Self {
        Self {
            total: counters.total.count(),
            succeeded: counters.succeeded.count(),
            failed: counters.failed.count(),
            skipped: counters.skipped.count(),
            partial: counters.partial.count(),
            non_applied: counters.non_applied.count(),
            foundations_skipped: counters.foundations_skipped.count(),
        }
    }

    /// Each count with its name, in the order in which they are shown; those that nobody made are left out.
    pub fn named(&self) -> impl Iterator<Item = (&'static str, u64)> {
        [
            ("total", self.total),
            ("succeeded", self.succeeded),
            ("failed", self.failed),
            ("skipped", self.skipped),
            ("partial", self.partial),
            ("not applied", self.non_applied),
            ("foundations skipped", self.foundations_skipped),
        ]
        .into_iter()
        .filter_map(|(name, count)| Some((name, count?)))
    }
}

impl Summary {
    pub(super) fn of(restore: &RestoreFacts, uncounted: Uncounted) -> Self {
        let counts = Counts::of(&restore.counters);
        if counts == Counts::default() {
            return Self::Uncounted(uncounted);
        }
        if has_rows(restore) {
            Self::Counted(counts)
        } else {
            Self::MetadataOnly(counts)
        }
    }
}

/// Whether any row says what became of an item or of a foundation.
fn has_rows(restore: &RestoreFacts) -> bool {
    restore.items.items.total() > 0 || restore.items.foundations.total() > 0
}

/// Whether somebody counted at least one.
pub(super) fn counted(counter: MetadataCount) -> bool {
    counter.count().is_some_and(|count| count > 0)
}
