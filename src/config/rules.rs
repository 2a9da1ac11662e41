//! What counts as proof.

use jiff::SignedDuration;
use reconciler_jobs::restore_execute::Policy;
use reconciler_jobs::restore_execute::results::SUMMARY_KEYS;

use super::fields::{SectionValue, distinct_texts};
use super::section::section;

/// The longest list of audit actions.
pub const AUDIT_ACTIONS_MAX: usize = 50;
/// The longest audit action, in characters; the platform's column holds no more.
pub const AUDIT_ACTION_CHARS_MAX: usize = 255;

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
        /// Audit actions that record the end of a restore.
        #[schemars(length(min = 1, max = AUDIT_ACTIONS_MAX), extend("uniqueItems" = true))]
        #[schemars(inner(length(min = 1, max = AUDIT_ACTION_CHARS_MAX)))]
        audit_actions: Vec<String> = Policy::default().audit_actions, by audit_actions;
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
    #[must_use]
    pub fn policy(&self) -> Policy {
        let rules = self.clone();
        Policy {
            settle_window: rules.settle_window,
            settle_window_in_progress: rules.settle_window_in_progress,
            clock_skew_max: rules.clock_skew_max,
            evidence_skew_max: rules.evidence_skew_max,
            audit_actions: rules.audit_actions,
            summary_keys: rules.summary_keys,
        }
    }
}

fn audit_actions(found: SectionValue<'_>) -> Result<Vec<String>, String> {
    let is_action = |text: &String| {
        !text.is_empty()
            && text.chars().count() <= AUDIT_ACTION_CHARS_MAX
            && !text.contains(|c: char| c.is_whitespace() || c.is_control())
    };
    distinct_texts(found)
        .filter(|actions| (1..=AUDIT_ACTIONS_MAX).contains(&actions.len()))
        .filter(|actions| actions.iter().all(is_action))
        .ok_or_else(|| {
            format!(
                "it must be a list of 1 to {AUDIT_ACTIONS_MAX} different action names without \
                 blanks, of at most {AUDIT_ACTION_CHARS_MAX} characters each"
            )
        })
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
