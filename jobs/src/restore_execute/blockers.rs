//! Blockers that the platform recorded, wherever it records them.
//!
//! **Invariant:** only a code that is exactly one of the registry's blockers counts, and a value of a
//! kind that could hide one is reported as unreadable, never passed over.

use super::reason::ReasonCode;
use crate::json::{Column, Fault, Json};

/// The blockers among `failure_summary[].code` and `.reason_code`, and whether nothing else in the
/// column could hide one. A blocker that was found counts, whatever the entry beside it looks like.
pub(super) fn parse_failure_summary(column: &Column) -> (Vec<ReasonCode>, Result<(), Fault>) {
    let entries = match column.parse() {
        Ok(summary) if summary.has_duplicate_keys() => Err(Fault::DuplicateKey),
        Ok(summary) => entries_of(summary),
        Err(fault) => Err(fault),
    };
    let entries = match entries {
        Ok(entries) => entries,
        Err(fault) => return (Vec::new(), Err(fault)),
    };
    let codes = |entry: &Json| {
        [
            blocker(entry.get("code")),
            blocker(entry.get("reason_code")),
        ]
    };
    let found = entries.iter().flat_map(codes).flatten().collect();
    let readable = entries.iter().all(is_readable_entry);
    (found, readable.then_some(()).ok_or(Fault::Shape))
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

/// The blocker a value names, if it is exactly a code.
pub(super) fn blocker(value: &Json) -> Option<ReasonCode> {
    value.text().and_then(ReasonCode::parse_blocker)
}

/// Whether a value is of a kind that [`blocker`] can read: text, or nothing. Anything else could hide
/// a blocker.
pub(super) fn may_name_a_blocker(value: &Json) -> bool {
    value.is_empty_map() || matches!(value, Json::Text(_) | Json::LongText | Json::Bool(false))
}
