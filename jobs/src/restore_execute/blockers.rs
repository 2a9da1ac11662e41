//! Blockers that the platform recorded, wherever it records them.
//!
//! Beside those of the registry, a platform grows blockers of its own: configuration names their codes, and all of
//! them are the one reason [`ReasonCode::BlockerConfigured`].
//!
//! **Invariant:** only a code that is exactly one of these counts, and a value of a kind that could hide one is
//! reported as unreadable, never passed over.

use super::reason::ReasonCode;
use crate::json::{Column, Fault, Json};

/// The codes that name a blocker.
pub(super) struct BlockerCodes<'a> {
    /// Codes that configuration adds to the blockers of the registry.
    pub(super) added: &'a [String],
}

/// What `failure_summary` says.
#[derive(Default)]
pub(super) struct FailureSummary {
    /// The blocker that each entry names, with the codes of the entry.
    pub(super) blockers: Vec<(ReasonCode, EntryCodes)>,
    /// The codes of each entry that names none, be it a text: a failure that was recorded.
    pub(super) failures: Vec<EntryCodes>,
    /// Whether nothing else in the column could hide a blocker.
    pub(super) readable: bool,
}

/// Both codes of an entry, where they are text.
pub(super) type EntryCodes = [Option<String>; 2];

impl BlockerCodes<'_> {
    /// The blocker that is exactly `text`. Any other text names none.
    pub(super) fn parse(&self, text: &str) -> Option<ReasonCode> {
        let added = || self.added.iter().any(|code| code == text);
        ReasonCode::parse_blocker(text).or_else(|| added().then_some(ReasonCode::BlockerConfigured))
    }

    /// The blocker a value names, if it is exactly a code.
    pub(super) fn named_by(&self, value: &Json) -> Option<ReasonCode> {
        value.text().and_then(|text| self.parse(text))
    }

    /// Reads the entries of `failure_summary` by `.code` and `.reason_code`. A blocker that was found counts,
    /// whatever the entry beside it looks like.
    pub(super) fn read_failure_summary(&self, column: &Column) -> FailureSummary {
        let entries = match column.parse() {
            Ok(summary) if summary.has_duplicate_keys() => Err(Fault::DuplicateKey),
            Ok(summary) => entries_of(summary),
            Err(fault) => Err(fault),
        };
        let Ok(entries) = entries else {
            return FailureSummary::default();
        };
        let mut summary = FailureSummary {
            readable: entries.iter().all(is_readable_entry),
            ..FailureSummary::default()
        };
        for entry in &entries {
            let codes = [entry.get("code"), entry.get("reason_code")];
            let texts = || codes.map(|code| code.text().map(str::to_owned));
            let mut named: Vec<_> = codes
                .iter()
                .filter_map(|code| self.named_by(code))
                .map(|blocker| (blocker, texts()))
                .collect();
            named.dedup_by_key(|(blocker, _)| *blocker);
            // A text by itself is no entry, and says all the same that something failed, unless it is a blocker's code.
            let names_none = match entry {
                Json::Text(text) => self.parse(text).is_none(),
                entry => *entry == Json::LongText || is_readable_entry(entry),
            };
            if named.is_empty() && names_none {
                summary.failures.push(texts());
            }
            summary.blockers.append(&mut named);
        }
        summary
    }
}

/// A list, a list whose keys PHP did not renumber, or one entry that nobody wrapped in a list.
fn entries_of(summary: Json<'_>) -> Result<Vec<Json<'_>>, Fault> {
    match summary {
        Json::Null => Ok(Vec::new()),
        Json::List(entries) => Ok(entries),
        Json::Map(pairs) => {
            let is_code = |key: &str| key == "code" || key == "reason_code";
            if pairs.iter().any(|(key, _)| is_code(key)) {
                Ok(vec![Json::Map(pairs)])
            } else {
                Ok(pairs.into_iter().map(|(_, entry)| entry).collect())
            }
        }
        _ => Err(Fault::Shape),
    }
}

/// Whether an entry is a map whose codes could be read, or nothing. Codes of a provider are often
/// numbers (HTTP's 500), and no number names a blocker.
fn is_readable_entry(entry: &Json) -> bool {
    let is_entry = entry.is_empty_map() || matches!(entry, Json::Map(_));
    let is_code = |code: &Json| may_name_a_blocker(code) || matches!(code, Json::Integer(_));
    is_entry && is_code(entry.get("code")) && is_code(entry.get("reason_code"))
}

/// Whether a value is of a kind that [`BlockerCodes::named_by`] can read: text, or nothing. Anything else could hide
/// a blocker.
pub(super) fn may_name_a_blocker(value: &Json) -> bool {
    value.is_empty_map() || matches!(value, Json::Text(_) | Json::LongText | Json::Bool(false))
}
