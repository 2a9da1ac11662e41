//! Outcome words: what became of an item, a foundation or an assignment.
//!
//! | Class | Words |
//! |---|---|
//! | applied | `applied` `succeeded` `success` `created` `updated` `mapped_existing` `created_copy` |
//! | partial | `partial` |
//! | failed | `failed` `error` |
//! | not applied | `skipped` `preview_only` `dry_run` `manual_required` `not_applied` `ignored` |
//!
//! Words are compared exactly, and any other one is unrecognised. The words of a newer platform are added by
//! configuration; a word that the rules know, be it of this table or of another vocabulary, cannot be moved by it.
//!
//! A row may say its word under `status`, `decision` or `outcome`, or under several of them. Two words of two classes
//! contradict each other, and so does a success beside `success: false` or beside an `error`: such a row says nothing,
//! and counts as unrecognised.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::canonical::digest_of;
use crate::json::Json;
use crate::vocabulary;

/// Where a row may say what became of it.
pub(super) const PLACES: [&str; 3] = ["status", "decision", "outcome"];

/// Words that a status of the whole restore may be, beside those of the classes failed and partial, and that deny a
/// success.
const DENIALS: [&str; 3] = ["aborted", "cancelled", "completed_with_errors"];

/// Words of a foundation that was written, whatever else its row says.
const WRITTEN: [&str; 3] = ["created", "created_copy", "updated"];

vocabulary! {
    /// A class of outcome words that configuration can add to.
    pub enum WordClass {
        /// The key under which words are added.
        name: &'static str,
        /// The words that the rules know.
        known: &'static [&'static str],
        /// What a row with such a word counts as.
        class: Class,
    }
    /// Done.
    Applied {
        name: "applied",
        known: &[
            "applied", "succeeded", "success", "created", "updated", "mapped_existing", "created_copy",
        ],
        class: Class::Applied,
    }
    /// Done in part.
    Partial {
        name: "partial",
        known: &["partial"],
        class: Class::Trouble(ItemFinding::Partial),
    }
    /// Tried in vain.
    Failed {
        name: "failed",
        known: &["failed", "error"],
        class: Class::Trouble(ItemFinding::Failed),
    }
    /// Not done.
    NotApplied {
        name: "not_applied",
        known: &["skipped", "preview_only", "dry_run", "manual_required", "not_applied", "ignored"],
        class: Class::Trouble(ItemFinding::NotApplied),
    }
}

/// What is wrong with an item.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
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
    /// The item says nothing of its outcome, contradicts itself, or says a word that the rules do not know.
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

/// The one word of its class that is counted by itself.
const SKIPPED: &str = "skipped";

/// Words that configuration adds, by class.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ItemWords {
    /// Done.
    pub applied: Vec<String>,
    /// Done in part.
    pub partial: Vec<String>,
    /// Tried in vain.
    pub failed: Vec<String>,
    /// Not done.
    pub not_applied: Vec<String>,
}

/// What became of one row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// Applied in full.
    Applied,
    /// Anything else.
    Trouble(ItemFinding),
}

/// What a row says became of it.
pub(super) struct RowWords {
    pub(super) class: Class,
    /// Whether `mapped_existing` is among its words and none that says what was written.
    pub(super) mapped: bool,
    /// The digest of the one word that it says and nobody knows.
    pub(super) unknown: Option<String>,
}

impl ItemWords {
    /// The words that are added to a class.
    #[must_use]
    pub fn of(&self, class: WordClass) -> &[String] {
        match class {
            WordClass::Applied => &self.applied,
            WordClass::Partial => &self.partial,
            WordClass::Failed => &self.failed,
            WordClass::NotApplied => &self.not_applied,
        }
    }

    /// The class of a word. What the rules know goes before what was added.
    pub(super) fn class_of(&self, word: &str) -> Class {
        if word == SKIPPED {
            return Class::Trouble(ItemFinding::Skipped);
        }
        let mut classes = WordClass::ALL.into_iter();
        let known = classes.find(|class| class.known().contains(&word));
        let added = || {
            let has = |class: &WordClass| self.of(*class).iter().any(|added| added == word);
            WordClass::ALL.into_iter().find(has)
        };
        known
            .or_else(added)
            .map_or(Class::UNRECOGNISED, WordClass::class)
    }

    /// The digest of a word that nobody knows.
    pub(super) fn unknown(&self, word: &str) -> Option<String> {
        (self.class_of(word) == Class::UNRECOGNISED).then(|| digest_of(word))
    }

    /// Reads a row that says nothing twice.
    pub(super) fn read(&self, row: &Json) -> RowWords {
        let said = PLACES.map(|place| row.get(place));
        let words = || said.into_iter().filter(|word| **word != Json::Null);
        let class_of = |word: &Json| {
            word.text()
                .map_or(Class::UNRECOGNISED, |word| self.class_of(word))
        };
        let class = words()
            .map(class_of)
            .reduce(Class::beside)
            .unwrap_or(Class::UNRECOGNISED);
        let denied = *row.get("success") == Json::Bool(false) || !row.get("error").is_blank();
        let unknown = || {
            let word = words().next()?.text()?;
            let alone = !denied && words().all(|other| other.text() == Some(word));
            self.unknown(word).filter(|_| alone)
        };
        let says = |known| words().any(|word| word.text() == Some(known));
        RowWords {
            class: if class == Class::Applied && denied {
                Class::UNRECOGNISED
            } else {
                class
            },
            mapped: says("mapped_existing") && !WRITTEN.into_iter().any(says),
            unknown: (class == Class::UNRECOGNISED).then(unknown).flatten(),
        }
    }

    /// Whether a status of the whole restore says that it did not all succeed.
    pub(super) fn denies_success(&self, status: &Json) -> bool {
        let failure = [ItemFinding::Failed, ItemFinding::Partial].map(Class::Trouble);
        status
            .text()
            .is_some_and(|word| DENIALS.contains(&word) || failure.contains(&self.class_of(word)))
    }
}

impl Class {
    pub(super) const UNRECOGNISED: Self = Self::Trouble(ItemFinding::Unrecognised);

    /// What two words of one row come to. Skipping is one way of not applying.
    fn beside(self, other: Self) -> Self {
        use ItemFinding::{NotApplied, Skipped};
        match (self, other) {
            (one, other) if one == other => one,
            (Self::Trouble(Skipped | NotApplied), Self::Trouble(Skipped | NotApplied)) => {
                Self::Trouble(Skipped)
            }
            _ => Self::UNRECOGNISED,
        }
    }
}
