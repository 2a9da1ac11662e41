//! What counts as proof.

use jiff::SignedDuration;
use reconciler_jobs::restore_execute::Policy;
use reconciler_jobs::restore_execute::facts::is_known;
use reconciler_jobs::restore_execute::record::{AUDIT_ACTION, AUDIT_RESOURCE_TYPE};
use reconciler_jobs::restore_execute::results::SUMMARY_KEYS;
use reconciler_jobs::restore_execute::words::ItemWords;

use super::fields::{SectionValue, distinct_texts};
use super::section::section;

/// The longest list of words.
pub const WORDS_MAX: usize = 50;
/// The longest word, in characters; the platform's columns hold no more.
pub const WORD_CHARS_MAX: usize = 255;

section! {
    /// What counts as proof. All of it can change a verdict and is recorded with it.
    pub struct Rules {
        /// How long after a restore's end its audit entry and its evidence may still arrive. "0s" to
        /// "168h", not longer than `settle_window_in_progress`.
        settle_window: SignedDuration = Policy::default().settle_window, "0s" to "168h";
        /// The same while an evidence snapshot of the run is queued or generating. "0s" to "168h".
        settle_window_in_progress: SignedDuration = Policy::default().settle_window_in_progress,
            "0s" to "168h";
        /// How far a restore's end may lie in the future before it is taken as unknown. "0s" to "1h".
        clock_skew_max: SignedDuration = Policy::default().clock_skew_max, "0s" to "1h";
        /// How much older than the restore's end evidence may be and still count as newer. "0s" to "1h".
        evidence_skew_max: SignedDuration = Policy::default().evidence_skew_max, "0s" to "1h";
        /// How long a restore with a recorded blocker may still start, from when it was last written, before its run
        /// is closed as blocked. A pause waits for as long as it lasts. "1m" to "720h".
        blocked_after: SignedDuration = Policy::default().blocked_after, "1m" to "720h";
        /// Audit actions that record the end of a restore, beside the built-in ones, which always do. Others say that it
        /// ended, not how.
        #[schemars(length(min = 1, max = WORDS_MAX), extend("uniqueItems" = true))]
        #[schemars(inner(length(min = 1, max = WORD_CHARS_MAX)))]
        audit_actions: Vec<String> = Policy::default().audit_actions, by audit_actions;
        /// What `audit_logs.resource_type` calls a restore, beside the built-in names.
        #[schemars(length(min = 1, max = WORDS_MAX), extend("uniqueItems" = true))]
        #[schemars(inner(length(min = 1, max = WORD_CHARS_MAX)))]
        audit_resource_types: Vec<String> = Policy::default().audit_resource_types, by audit_resource_types;
        /// Codes that name a blocker, beside those that the rules know. Each is told as
        /// `restore.blocker_configured`.
        #[schemars(length(max = WORDS_MAX), extend("uniqueItems" = true))]
        #[schemars(inner(length(min = 1, max = WORD_CHARS_MAX)))]
        blocker_codes: Vec<String> = Policy::default().blocker_codes, by blocker_codes;
        /// Words of a newer platform for items, foundations and assignments that were applied. No list of words may
        /// hold one that the rules know, or one of another list.
        #[schemars(length(max = WORDS_MAX), extend("uniqueItems" = true))]
        #[schemars(inner(length(min = 1, max = WORD_CHARS_MAX)))]
        applied_words: Vec<String> = Vec::new(), by added_words;
        /// Words of a newer platform for items, foundations and assignments that were applied in part.
        #[schemars(length(max = WORDS_MAX), extend("uniqueItems" = true))]
        #[schemars(inner(length(min = 1, max = WORD_CHARS_MAX)))]
        partial_words: Vec<String> = Vec::new(), by added_words;
        /// Words of a newer platform for items, foundations and assignments that failed.
        #[schemars(length(max = WORDS_MAX), extend("uniqueItems" = true))]
        #[schemars(inner(length(min = 1, max = WORD_CHARS_MAX)))]
        failed_words: Vec<String> = Vec::new(), by added_words;
        /// Words of a newer platform for items, foundations and assignments that were not applied.
        #[schemars(length(max = WORDS_MAX), extend("uniqueItems" = true))]
        #[schemars(inner(length(min = 1, max = WORD_CHARS_MAX)))]
        not_applied_words: Vec<String> = Vec::new(), by added_words;
        /// Keys of `summary_counts` that a verdict may write.
        #[schemars(extend(
            "uniqueItems" = true,
            "items" = serde_json::json!({"type": "string", "enum": SUMMARY_KEYS})
        ))]
        summary_keys: Vec<String> = Policy::default().summary_keys, by summary_keys;
    }
}

impl Rules {
    /// These settings as the pure rules take them.
    pub fn policy(&self) -> Policy {
        let rules = self.clone();
        Policy {
            settle_window: rules.settle_window,
            settle_window_in_progress: rules.settle_window_in_progress,
            clock_skew_max: rules.clock_skew_max,
            evidence_skew_max: rules.evidence_skew_max,
            blocked_after: rules.blocked_after,
            audit_actions: widened(Policy::default().audit_actions, rules.audit_actions),
            audit_resource_types: widened(
                Policy::default().audit_resource_types,
                rules.audit_resource_types,
            ),
            blocker_codes: rules.blocker_codes,
            item_words: ItemWords {
                applied: rules.applied_words,
                partial: rules.partial_words,
                failed: rules.failed_words,
                not_applied: rules.not_applied_words,
            },
            summary_keys: rules.summary_keys,
        }
    }

    /// The keys of two lists of words that share one.
    pub(super) fn lists_that_share_a_word(&self) -> Option<[&'static str; 2]> {
        let lists = [
            ("applied_words", &self.applied_words),
            ("partial_words", &self.partial_words),
            ("failed_words", &self.failed_words),
            ("not_applied_words", &self.not_applied_words),
            ("blocker_codes", &self.blocker_codes),
        ];
        lists.iter().enumerate().find_map(|(place, (key, words))| {
            let others = lists.iter().take(place);
            let mut sharing =
                others.filter(|(_, theirs)| words.iter().any(|it| theirs.contains(it)));
            sharing.next().map(|(other, _)| [*other, *key])
        })
    }
}

fn is_word(text: &str) -> bool {
    !text.is_empty()
        && text.chars().count() <= WORD_CHARS_MAX
        && !text.contains(|c: char| c.is_whitespace() || c.is_control())
}

fn words(found: SectionValue<'_>) -> Option<Vec<String>> {
    distinct_texts(found)
        .filter(|words| words.len() <= WORDS_MAX)
        .filter(|words| words.iter().all(|word| is_word(word)))
}

/// A list that was configured never hides what the rules know: a record that contradicts would be hidden with it.
fn widened(built_in: Vec<String>, configured: Vec<String>) -> Vec<String> {
    let known = built_in.clone();
    let added = configured.into_iter().filter(|word| !known.contains(word));
    built_in.into_iter().chain(added).collect()
}

fn audit_actions(found: SectionValue<'_>) -> Result<Vec<String>, String> {
    names_without(found, AUDIT_ACTION)
}

fn audit_resource_types(found: SectionValue<'_>) -> Result<Vec<String>, String> {
    names_without(found, AUDIT_RESOURCE_TYPE)
}

/// A list of names, of which none is that of our own entries: those prove nothing.
fn names_without(found: SectionValue<'_>, own: &str) -> Result<Vec<String>, String> {
    let is_list = |names: &Vec<String>| !names.is_empty() && names.iter().all(|name| name != own);
    words(found).filter(is_list).ok_or_else(|| {
        format!(
            "it must be a list of 1 to {WORDS_MAX} different names without blanks, of at most \
             {WORD_CHARS_MAX} characters each, and without {own}, which is our own"
        )
    })
}

fn blocker_codes(found: SectionValue<'_>) -> Result<Vec<String>, String> {
    let codes = words(found).ok_or_else(|| {
        format!(
            "it must be a list of at most {WORDS_MAX} different codes without blanks, of at most \
             {WORD_CHARS_MAX} characters each"
        )
    })?;
    match codes.iter().find(|code| is_known(code)) {
        Some(code) => Err(format!(
            "the codes must be others than the codes and words that the rules know; leave out {code}"
        )),
        None => Ok(codes),
    }
}

fn added_words(found: SectionValue<'_>) -> Result<Vec<String>, String> {
    let words = words(found).ok_or_else(|| {
        format!(
            "it must be a list of at most {WORDS_MAX} different words without blanks, of at most \
             {WORD_CHARS_MAX} characters each"
        )
    })?;
    match words.iter().find(|word| is_known(word)) {
        Some(word) => Err(format!(
            "the words must be others than those that the rules know, which cannot be moved; leave out {word}"
        )),
        None => Ok(words),
    }
}

fn summary_keys(found: SectionValue<'_>) -> Result<Vec<String>, String> {
    distinct_texts(found)
        .filter(|keys| keys.iter().all(|key| SUMMARY_KEYS.contains(&key.as_str())))
        .ok_or_else(|| {
            format!(
                "it must be a list of different keys out of those that can be counted ({})",
                SUMMARY_KEYS.join(", ")
            )
        })
}
