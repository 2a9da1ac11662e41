//! What a run's own JSON columns say: `context` and `failure_summary`.

use super::facts::{ContextFacts, NamedRestore};
use super::reason::ReasonCode;
use super::record::is_rewritable;
use super::rows::RunRow;
use crate::ids::RestoreId;
use crate::json::{Column, Fault, Json};

/// Reads `context`: which restore it names, whether it contradicts the run's scope, and the blocker
/// that `execution_legitimacy` recorded.
pub(super) fn parse_context(row: &RunRow) -> (ContextFacts, Result<Option<ReasonCode>, Fault>) {
    let Some(context) = read_map(&row.context) else {
        return (ContextFacts::Malformed, Ok(None));
    };
    let restore = named_restore(context.get("restore_run_id"));
    let scope_contradicts = contradicts(context.get("target_scope"), row);
    let legitimacy = parse_legitimacy(context.get("execution_legitimacy"));
    (
        ContextFacts::Map {
            restore,
            scope_contradicts,
        },
        legitimacy,
    )
}

fn parse_legitimacy(legitimacy: &Json) -> Result<Option<ReasonCode>, Fault> {
    let code = legitimacy.get("reason_code");
    let is_readable =
        legitimacy.is_empty_map() || matches!(legitimacy, Json::Map(_) | Json::Bool(_));
    if is_readable && may_name_a_blocker(code) {
        Ok(blocker(code))
    } else {
        Err(Fault::Shape)
    }
}

/// The context as a map that can also be written back whole, or nothing.
fn read_map(column: &Column) -> Option<Json> {
    let context = column.parse().ok()?;
    let is_map = context.is_empty_map() || matches!(context, Json::Map(_));
    (is_map && !context.has_duplicate_keys() && is_rewritable(column)).then_some(context)
}

/// PHP calls `"12"`, `12`, `12.0`, `" 12"` and `"1e999"` numeric. Only the first two name a row;
/// the others must not pass as "names nothing", or the link rule would fall back to guessing. The
/// same goes for a text too long to keep: it may have been digits.
fn named_restore(value: &Json) -> NamedRestore {
    if let Some(id) = value.integer() {
        return NamedRestore::Id(RestoreId(id));
    }
    match value {
        Json::Inexact | Json::LongText => NamedRestore::Impossible,
        Json::Text(text) if is_numeric(text) => NamedRestore::Impossible,
        _ => NamedRestore::Unnamed,
    }
}

/// Rust also reads `inf` and `nan` as numbers, and PHP does not.
fn is_numeric(text: &str) -> bool {
    text.bytes().any(|byte| byte.is_ascii_digit()) && text.trim().parse::<f64>().is_ok()
}

/// Whether `target_scope` states a workspace or environment, and another one than the run's.
fn contradicts(target_scope: &Json, row: &RunRow) -> bool {
    let differs = |key: &str, own: Option<i64>| match target_scope.get(key) {
        Json::Null => false,
        stated => stated.integer().is_none() || stated.integer() != own,
    };
    differs("workspace_id", Some(row.workspace_id.0))
        || differs("managed_environment_id", row.environment_id.map(|id| id.0))
}

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
fn entries_of(summary: Json) -> Result<Vec<Json>, Fault> {
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
