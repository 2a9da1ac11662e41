//! What a long-running process answers over HTTP: a worker its probes, `serve` the console.
//!
//! ```text
//! probe, Prometheus ───────────▶ probes ─▶ health and metrics, in memory
//! browser, program ─▶ guard ───▶ pages, api ─▶ Reader, which writes nothing
//!                       └─ access: tokens, sessions, capabilities, origins, rates
//! ```
//!
//! `connections` keeps whoever connects from holding the server, `turns` gives each asker a share of it, `surveys`
//! keeps for seconds what took long to count, `problem` says what went wrong, `login` makes a session of a token,
//! `exported` answers Prometheus, and `headers` are what every answer tells the browser.
//!
//! **Invariants:**
//! - Nothing here works or knows who works. A probe waits for no database: its answer takes no longer than its
//!   bytes.
//! - What a viewer sees is what the reader gives for the viewer's workspaces; see
//!   [`Capability`](crate::config::Capability) for what it may do.

mod access;
mod api;
mod asked;
mod asking;
mod connections;
mod exported;
mod guard;
mod headers;
mod login;
mod pages;
mod probes;
mod problem;
mod serve;
mod surveys;
mod turns;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::map_response;
use axum::response::Response;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

pub use access::{NewToken, NoChance};
pub use serve::{Console, Patience, serve_console, serve_console_within};
pub use surveys::Surveys;

use crate::health::Health;
use crate::metrics::Exported;
use connections::Connections;
use probes::Known;

/// What a client may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// How many connections are open at most. One more ends the oldest on which no request is being answered,
    /// so that clients who say nothing cannot keep out one who does; where there is none, it ends itself.
    pub connections_max: usize,
    /// How long a connection lasts.
    pub lifetime: Duration,
    /// How many bytes a client may send.
    pub bytes_max: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            connections_max: 64,
            lifetime: Duration::from_secs(5),
            bytes_max: 16 << 10,
        }
    }
}

/// How long an answer that was begun may go on after the server was told to stop.
const FAREWELL: Duration = Duration::from_millis(500);

/// Answers probes until `stop`: `GET /livez` and `GET /readyz`, each 200 `ok` or 503 `not ok`. `GET /metrics`
/// answers with what this process exports.
///
/// With `?verbose` they list their checks, one per line; with `Accept: application/json` the answer
/// is the whole [`Report`](crate::health::Report).
pub async fn serve(
    listener: TcpListener,
    health: Arc<Health>,
    exported: Exported,
    stop: CancellationToken,
) -> io::Result<()> {
    serve_within(Bounds::default(), listener, health, exported, stop).await
}

/// The same within other bounds.
pub async fn serve_within(
    bounds: Bounds,
    listener: TcpListener,
    health: Arc<Health>,
    exported: Exported,
    stop: CancellationToken,
) -> io::Result<()> {
    let known = Known { health, exported };
    let connections = Connections::new(listener, bounds);
    let stopped = stop.clone().cancelled_owned();
    let server = axum::serve(connections, router(known)).with_graceful_shutdown(stopped);
    tokio::select! {
        ended = server.into_future() => ended,
        () = async {
            stop.cancelled().await;
            tokio::time::sleep(FAREWELL).await;
        } => Ok(()),
    }
}

fn router(known: Known) -> Router {
    Router::new()
        .route("/livez", get(probes::livez))
        .route("/readyz", get(probes::readyz))
        .route("/metrics", get(probes::metrics))
        .fallback(|| async { (StatusCode::NOT_FOUND, "not found\n") })
        .method_not_allowed_fallback(|| async { (StatusCode::METHOD_NOT_ALLOWED, "GET or HEAD\n") })
        .layer(map_response(finish))
        .with_state(known)
}

/// An answer is true for its moment only, and a probe asks once.
async fn finish(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}
