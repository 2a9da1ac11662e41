//! The probes, `/livez` and `/readyz`, and what Prometheus asks for, `/metrics`.

use std::fmt::Write as _;
use std::sync::Arc;

use axum::Router;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::map_response;
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use crate::health::{Health, HealthCheck, Report};
use crate::metrics::{CHECK_OK, Exported};

/// What is known of this process, in memory.
#[derive(Clone)]
struct Known {
    health: Arc<Health>,
    exported: Exported,
}

/// The media type of the text format of Prometheus.
const TEXT_FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// `GET /livez`, `GET /readyz`, and `GET /metrics`.
pub(super) fn routes(health: Arc<Health>, exported: Exported) -> Router {
    Router::new()
        .route("/livez", get(livez))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .fallback(|| async { (StatusCode::NOT_FOUND, "not found\n") })
        .method_not_allowed_fallback(|| async { (StatusCode::METHOD_NOT_ALLOWED, "GET or HEAD\n") })
        .layer(map_response(for_this_moment))
        .with_state(Known { health, exported })
}

/// An answer is true for its moment only, and a probe asks once.
async fn for_this_moment(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}

/// Everything that this process exports.
async fn metrics(State(known): State<Known>) -> Response {
    for check in known.health.report().checks {
        CHECK_OK.set([check.name], f64::from(u8::from(check.ok)));
    }
    exposition(known.exported.render())
}

/// Metrics as an answer.
pub(super) fn exposition(text: String) -> Response {
    ([(header::CONTENT_TYPE, TEXT_FORMAT)], text).into_response()
}

/// Whether a restart would help: 503 if a loop has fallen silent.
async fn livez(
    State(known): State<Known>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let report = known.health.report();
    let is_vital = |check: &HealthCheck| check.vital;
    answer(report.live, &report, is_vital, query.as_deref(), &headers)
}

/// Whether work gets done: 503 while it does not.
async fn readyz(
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
    counts: impl Fn(&HealthCheck) -> bool,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::health::{HealthLimits, Loop};
    use crate::metrics::CHECKS;

    #[test]
    fn every_check_has_its_series() {
        let report = Health::new(HealthLimits::default(), &Loop::ALL).report();
        let names: Vec<&str> = report.checks.iter().map(|check| check.name).collect();
        assert_eq!(names, CHECKS);
    }
}
