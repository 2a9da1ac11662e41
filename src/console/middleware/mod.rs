//! What stands before every page, from the outside to the inside.
//!
//! ```text
//! request ─▶ headers ─▶ problem ─▶ shape ─▶ identify ─▶ time, panics ─▶ form ─▶ concurrency ─▶ page
//! ```
//!
//! **Invariants:**
//! - A page runs for a known viewer only, save those that a login is made of, and a page that changes something
//!   only for a request that no other site could have made.
//! - Every answer has the security headers, whoever made it. What hyper refuses before it is a request has no body.
//!
//! # Design notes
//!
//! `tower_http::csrf` knows no form tokens, lets OPTIONS pass, and takes the first of two headers that may stand
//! there once; tower's own limit of concurrency gives one caller everything and lets any number wait. Both are ours.

mod concurrency;
mod headers;
mod identify;
mod problem;

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, Extension, FromRequest as _, Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use tower::ServiceBuilder;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::limit::RequestBodyLimitLayer;
use tower_http::map_request_body::MapRequestBodyLayer;
use tower_http::timeout::TimeoutLayer;

use super::access::{AccessControl, Caller, Viewer, is_from_elsewhere, names_this_machine};
use super::login::LOGIN;
use super::metrics::LIVEZ;
use super::problem::Problem;
use super::query::field;
use super::server::{Client, ConnectionLimits};
pub(super) use concurrency::Concurrency;
use identify::is_safe;

/// The longest target of a request, in bytes.
const TARGET_BYTES_MAX: usize = 4 << 10;
/// The longest headers of a request, in bytes of names and values.
const HEADER_BYTES_MAX: usize = 16 << 10;
/// The most headers of a request.
const HEADERS_MAX: usize = 64;
/// The longest body of a request, in bytes.
const BODY_BYTES_MAX: usize = 16 << 10;
/// The header that scripts may send instead of the field `csrf` of a form.
const FORM_TOKEN_HEADER: &str = "x-csrf-token";

/// What is not configured: how much the console does at once, and how long it waits for anybody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConsoleLimits {
    /// How long one request may take, from its headers to the beginning of its answer; half of that for its body.
    pub request_timeout: Duration,
    /// How many pages are made at once, a quarter of them for one caller; further requests wait for one to be done.
    pub requests_max: usize,
    /// How long a request waits for that before it is refused.
    pub permit_timeout: Duration,
    /// How many logins may fail from one address in a minute.
    pub logins_per_minute: u32,
    /// What clients may take.
    pub connections: ConnectionLimits,
}

impl Default for ConsoleLimits {
    fn default() -> Self {
        Self {
            request_timeout: Duration::from_secs(15),
            requests_max: 64,
            permit_timeout: Duration::from_secs(1),
            logins_per_minute: 10,
            connections: ConnectionLimits {
                connections_max: 256,
                lifetime: Duration::from_mins(1),
                bytes_max: 2 << 20,
                shutdown_grace: Duration::from_secs(5),
            },
        }
    }
}

/// Puts everything here before the pages of `router`.
pub(super) fn protect(
    router: Router,
    access: &Arc<AccessControl>,
    concurrency: Arc<Concurrency>,
    request_timeout: Duration,
) -> Router {
    let layers = ServiceBuilder::new()
        .layer(from_fn(close_in_order))
        .layer(headers::security(access.behind_tls))
        .layer(headers::caching())
        .layer(from_fn(problem::render))
        .layer(from_fn_with_state(Arc::clone(access), check_shape))
        .layer(from_fn_with_state(Arc::clone(access), identify::identify))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(TimeoutLayer::with_status_code(
            StatusCode::SERVICE_UNAVAILABLE,
            request_timeout,
        ))
        .layer(RequestBodyLimitLayer::new(BODY_BYTES_MAX))
        .layer(MapRequestBodyLayer::new(Body::new))
        .layer(from_fn_with_state(request_timeout / 2, check_form))
        .layer(from_fn_with_state(concurrency, limit_concurrency));
    router.layer(layers)
}

/// Ends a connection with an answer rather than in the middle of a later one.
async fn close_in_order(
    ConnectInfo(client): ConnectInfo<Client>,
    request: Request,
    next: Next,
) -> Response {
    let mut response = next.run(request).await;
    if client.should_end() {
        let close = HeaderValue::from_static("close");
        response.headers_mut().insert(header::CONNECTION, close);
    }
    response
}

/// Refuses what can be refused without knowing who calls.
async fn check_shape(
    State(access): State<Arc<AccessControl>>,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let (uri, headers) = (request.uri(), request.headers());
    let target = uri.path_and_query().map_or(0, |it| it.as_str().len());
    if target > TARGET_BYTES_MAX {
        return Err(StatusCode::URI_TOO_LONG.into());
    }
    let length = |(name, value): (&HeaderName, &HeaderValue)| name.as_str().len() + value.len();
    if headers.iter().map(length).sum::<usize>() > HEADER_BYTES_MAX || headers.len() > HEADERS_MAX {
        return Err(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE.into());
    }
    if headers.get_all(header::HOST).iter().count() > 1 {
        return Err(Problem::bad_request("There may be one Host header."));
    }
    if access.is_open() && !names_this_machine(uri, headers) {
        return Err(Problem::misdirected());
    }
    if !is_safe(request.method()) && is_from_elsewhere(uri, headers) {
        return Err(Problem::foreign());
    }
    Ok(next.run(request).await)
}

/// What was thrown says what no answer may.
fn panicked(_: Box<dyn Any + Send>) -> Response {
    tracing::error!("a page panicked");
    StatusCode::INTERNAL_SERVER_ERROR.into_response()
}

/// Reads the body of a request that changes something, no other body counts, and refuses what does not come from a
/// form of ours. Who sends a bearer token is no browser that another site could have led here.
async fn check_form(
    State(body_timeout): State<Duration>,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    if is_safe(&parts.method) {
        return Ok(next.run(Request::from_parts(parts, Body::empty())).await);
    }
    let reading = Bytes::from_request(Request::new(body), &());
    let body = match tokio::time::timeout(body_timeout, reading).await {
        Ok(read) => read.map_err(|refused| Problem::from(refused.status()))?,
        Err(_) => return Err(StatusCode::REQUEST_TIMEOUT.into()),
    };
    let viewer = parts.extensions.get::<Option<Viewer>>();
    let expected = viewer.and_then(|viewer| viewer.as_ref()?.form_token.as_ref());
    if let Some(expected) = expected
        && parts.uri.path() != LOGIN
    {
        let sent = match parts.headers.get(FORM_TOKEN_HEADER) {
            Some(sent) => sent.as_bytes().to_vec(),
            None => field(&body, "csrf").unwrap_or_default().into_bytes(),
        };
        if !expected.is(&sent) {
            return Err(Problem::foreign());
        }
    }
    Ok(next.run(Request::from_parts(parts, body.into())).await)
}

/// Has a page made when there is room for one more, or says that there are too many before it.
async fn limit_concurrency(
    State(concurrency): State<Arc<Concurrency>>,
    ConnectInfo(client): ConnectInfo<Client>,
    Extension(caller): Extension<Caller>,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let _answering = client.begin();
    if request.uri().path() == LIVEZ {
        return Ok(next.run(request).await);
    }
    let permit = concurrency.acquire(caller).await;
    let _permit = permit.ok_or(StatusCode::SERVICE_UNAVAILABLE)?;
    Ok(next.run(request).await)
}

#[cfg(test)]
mod tests;
