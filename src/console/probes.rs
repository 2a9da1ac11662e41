//! The probes, `/livez` and `/readyz`, and what Prometheus asks for, `/metrics`.

use std::fmt::Write as _;
use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::health::{Check, Health, Report};
use crate::metrics::Exported;

/// What is known of this process, in memory.
#[derive(Clone)]
pub(super) struct Known {
    pub(super) health: Arc<Health>,
    pub(super) exported: Exported,
}

/// The media type of the text format of Prometheus.
const TEXT_FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Everything that this process exports.
pub(super) async fn metrics(State(known): State<Known>) -> Response {
    exposition(known.exported.render())
}

/// Metrics as an answer.
pub(super) fn exposition(text: String) -> Response {
    ([(header::CONTENT_TYPE, TEXT_FORMAT)], text).into_response()
}

/// Whether a restart would help: 503 if a loop has fallen silent.
pub(super) async fn livez(
    State(known): State<Known>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let report = known.health.report();
    let is_vital = |check: &Check| check.vital;
    answer(report.live, &report, is_vital, query.as_deref(), &headers)
}

/// Whether work gets done: 503 while it does not.
pub(super) async fn readyz(
    State(known): State<Known>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let report = known.health.report();
    answer(report.ready, &report, |_| true, query.as_deref(), &headers)
}

/// `counts` says which checks led to `ok`. JSON always holds all of them, because each says there
/// what it counts for.
fn answer(
    ok: bool,
    report: &Report,
    counts: impl Fn(&Check) -> bool,
    query: Option<&str>,
    headers: &HeaderMap,
) -> Response {
    let status = if ok {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    if wants_json(headers)
        && let Ok(json) = serde_json::to_vec(report)
    {
        return (status, [(header::CONTENT_TYPE, "application/json")], json).into_response();
    }
    let mut text = String::new();
    if is_verbose(query) {
        for check in report.checks.iter().filter(|check| counts(check)) {
            let sign = if check.ok { '+' } else { '-' };
            // Writing to a text cannot fail.
            writeln!(text, "[{sign}] {}: {}", check.name, check.detail).ok();
        }
    }
    text.push_str(if ok { "ok\n" } else { "not ok\n" });
    (status, text).into_response()
}

fn is_verbose(query: Option<&str>) -> bool {
    let mut names = query
        .unwrap_or_default()
        .split('&')
        .filter_map(|pair| pair.split('=').next());
    names.any(|name| name == "verbose")
}

fn wants_json(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(header::ACCEPT).into_iter();
    accepted
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|range| range.split(';').next())
        .any(|range| range.trim().eq_ignore_ascii_case("application/json"))
}
