//! What a long-running process answers over HTTP: a worker its probes, `serve` the console.
//!
//! ```text
//! probe, Prometheus ───────────▶ probes ─▶ health and metrics, in memory
//! browser, program ─▶ guard ───▶ pages, api ─▶ Reader, which writes nothing
//!                       └─ access: tokens, sessions, capabilities, origins, rates
//! ```
//!
//! `server` keeps whoever connects from holding the process, `turns` gives each asker a share of it, `query` reads what
//! is asked for, `load` answers it within what the viewer may see, `cache`
//! keeps for seconds what took long to count, `problem` says what went wrong, `login` makes a session of a token,
//! `metrics` answers Prometheus, and `headers` are what every answer tells the browser.
//!
//! **Invariants:**
//! - Nothing here works or knows who works. A probe waits for no database: its answer takes no longer than its
//!   bytes.
//! - What a viewer sees is what the reader gives for the viewer's workspaces; see
//!   [`Capability`](crate::config::Capability) for what it may do.

mod access;
mod api;
mod cache;
mod guard;
mod headers;
mod load;
mod login;
mod metrics;
mod pages;
mod probes;
mod problem;
mod query;
mod serve;
mod server;
mod turns;

use std::io;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

pub use access::{NewToken, NoChance};
pub use load::Console;
pub use serve::{ConsoleLimits, serve_console};
pub use server::ConnectionLimits;

use crate::health::Health;
use crate::metrics::Exported;

/// Answers probes until `stop`: `GET /livez` and `GET /readyz`, each 200 `ok` or 503 `not ok`. `GET /metrics`
/// answers with what this process exports.
///
/// With `?verbose` they list their checks, one per line; with `Accept: application/json` the answer
/// is the whole [`Report`](crate::health::Report).
pub async fn serve_probes(
    listener: TcpListener,
    limits: ConnectionLimits,
    health: Arc<Health>,
    exported: Exported,
    stop: CancellationToken,
) -> io::Result<()> {
    let router = probes::routes(health, exported);
    server::serve(listener, limits, router, stop).await
}
