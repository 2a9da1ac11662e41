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
    let is_map = legitimacy.is_empty_map() || matches!(legitimacy, Json::Map(_) | Json::Bool(_));
    if is_map && may_name_a_blocker(code) {
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

/// PHP calls `"12"`, `12`, `12.5`, `" 12"` and `"1e999"` numeric. Only the first two can name a row;
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

/// The blockers among `failure_summary[].code` and `.reason_code`.
pub(super) fn parse_failure_summary(column: &Column) -> Result<Vec<ReasonCode>, Fault> {
    let summary = column.parse()?;
    if summary.has_duplicate_keys() {
        return Err(Fault::DuplicateKey);
    }
    let entries: Vec<&Json> = match &summary {
        Json::Null => Vec::new(),
        Json::List(entries) => entries.iter().collect(),
        // One entry that nobody wrapped in a list, or a list whose keys PHP did not renumber.
        Json::Map(pairs)
            if summary.get("code").text().is_none()
                && summary.get("reason_code").text().is_none() =>
        {
            pairs.iter().map(|(_, entry)| entry).collect()
        }
        Json::Map(_) => vec![&summary],
        _ => return Err(Fault::Shape),
    };
    let codes = |entry: &&Json| {
        [
            blocker(entry.get("code")),
            blocker(entry.get("reason_code")),
        ]
    };
    Ok(entries.iter().flat_map(codes).flatten().collect())
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
