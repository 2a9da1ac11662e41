//! What a run's `context` says.

use serde::{Deserialize, Serialize};

use super::blockers::{blocker, may_name_a_blocker};
use super::merge::is_rewritable;
use super::reason::ReasonCode;
use super::rows::RunRow;
use crate::ids::RestoreId;
use crate::json::{Column, Fault, Json};

/// What `operation_runs.context` says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ContextFacts {
    /// Not a map, or a map that cannot be written back without losing part of it.
    Malformed,
    /// A map, an empty list (PHP's empty map), or null.
    Map {
        /// The restore the context names.
        restore: NamedRestore,
        /// Whether `target_scope` names another workspace or environment than the run's.
        scope_contradicts: bool,
    },
}

/// `context.restore_run_id`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NamedRestore {
    /// Nothing numeric.
    Unnamed,
    /// This row.
    Id(RestoreId),
    /// Numeric, but not written as an id: with a fraction or an exponent, or beyond 2⁵³.
    Impossible,
}

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
fn read_map(column: &Column) -> Option<Json<'_>> {
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
