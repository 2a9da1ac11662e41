//! What a run's `context` says.

use serde::{Deserialize, Serialize};

use super::blockers::{BlockerCodes, may_name_a_blocker};
use super::merge::is_rewritable;
use super::reason::ReasonCode;
use super::rows::RunRow;
use crate::ids::RestoreId;
use crate::json::{Column, Fault, Json};
use crate::vocabulary;

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

vocabulary! {
    /// Who closed a run, as `context.reconciliation.reason_code` has it: the platform closes runs too.
    #[derive(Serialize, Deserialize)]
    #[serde(rename_all = "snake_case")]
    pub enum Closer {
        /// The code that this closer writes; none where it may be any.
        code: Option<&'static str>,
        /// What to tell people about it.
        sentence: &'static str,
    }
    /// A healer found it queued for too long.
    StaleQueued {
        code: Some("run.stale_queued"),
        sentence: "The platform closed it, because it was queued for too long.",
    }
    /// A healer found it running for too long.
    StaleRunning {
        code: Some("run.stale_running"),
        sentence: "The platform closed it, because it was running for too long.",
    }
    /// A healer found that the job of the run had timed out or was abandoned.
    Abandonment {
        code: Some("run.infrastructure_timeout_or_abandonment"),
        sentence: "The platform closed it, because its job timed out or was abandoned.",
    }
    /// The queue reported that the job of the run had failed.
    QueueFailure {
        code: Some("run.queue_failure_bridge"),
        sentence: "The platform closed it, because its queue reported that the job failed.",
    }
    /// Restore and run said different things.
    OutOfSync {
        code: Some("run.adapter_out_of_sync"),
        sentence: "The platform closed it, because run and restore said different things.",
    }
    /// An adapter, with a code of its own.
    Adapter {
        code: None,
        sentence: "The listener of the platform closed it.",
    }
}

impl Closer {
    /// Whether it closed the run because nobody else did.
    #[must_use]
    pub fn is_healer(self) -> bool {
        self.code().is_some()
    }
}

/// All that `context` says.
pub(super) struct ContextReading {
    pub(super) context: ContextFacts,
    /// The blocker that `execution_legitimacy` recorded.
    pub(super) legitimacy: Result<Option<ReasonCode>, Fault>,
    /// Who closed the run, and the code that was written.
    pub(super) closer: Option<(Closer, String)>,
}

/// Reads `context`: which restore it names, whether it contradicts the run's scope, the blocker
/// that `execution_legitimacy` recorded, and who closed the run.
pub(super) fn parse_context(row: &RunRow, codes: &BlockerCodes<'_>) -> ContextReading {
    let Some(context) = read_map(&row.context) else {
        return ContextReading {
            context: ContextFacts::Malformed,
            legitimacy: Ok(None),
            closer: None,
        };
    };
    ContextReading {
        context: ContextFacts::Map {
            restore: named_restore(context.get("restore_run_id")),
            scope_contradicts: contradicts(context.get("target_scope"), row),
        },
        legitimacy: parse_legitimacy(context.get("execution_legitimacy"), codes),
        closer: parse_closer(context.get("reconciliation")),
    }
}

fn parse_closer(reconciliation: &Json) -> Option<(Closer, String)> {
    let code = reconciliation.get("reason_code").text()?;
    let known = Closer::ALL
        .into_iter()
        .find(|closer| closer.code() == Some(code));
    Some((known.unwrap_or(Closer::Adapter), code.to_owned()))
}

fn parse_legitimacy(
    legitimacy: &Json,
    codes: &BlockerCodes<'_>,
) -> Result<Option<ReasonCode>, Fault> {
    let code = legitimacy.get("reason_code");
    let is_readable =
        legitimacy.is_empty_map() || matches!(legitimacy, Json::Map(_) | Json::Bool(_));
    if is_readable && may_name_a_blocker(code) {
        Ok(codes.named_by(code))
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

/// Whether `target_scope` states a workspace or environment by number, and another one than the run's. A GUID says
/// nothing here: it is Microsoft's, and the run has none to compare it with.
fn contradicts(target_scope: &Json, row: &RunRow) -> bool {
    let environment = row.environment_id.map(|id| id.0);
    let own = [
        ("workspace_id", Some(row.workspace_id.0)),
        ("managed_environment_id", environment),
        ("environment_id", environment),
        ("tenant_id", environment),
    ];
    own.into_iter()
        .any(|(key, own)| match named_restore(target_scope.get(key)) {
            NamedRestore::Unnamed => false,
            NamedRestore::Id(RestoreId(stated)) => Some(stated) != own,
            NamedRestore::Impossible => true,
        })
}
