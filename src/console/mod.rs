//! What a long-running process answers over HTTP: a worker its probes, `serve` the console.
//!
//! ```text
//! probe, Prometheus ─▶ server ─▶ probes ─▶ health and metrics, in memory
//! browser, program ──▶ server ─▶ middleware ─▶ login, pages, api, metrics ─▶ load ─▶ Reader, which writes nothing
//!                                    └─ access: tokens, sessions, origins, rates
//! ```
//!
//! `server` keeps whoever connects from holding a process, `middleware` lets requests through to pages, `query` reads
//! what is asked for, `load` answers it within what the viewer may see, `cache` keeps for seconds what took long to
//! count, and `problem` says what went wrong. Each file uses those before it in this list only: `access`, `server`,
//! `problem`, `query`, `cache`, `load`, `probes`, `metrics`, `pages`, `api`, `login`, `middleware`.
//!
//! **Invariants:**
//! - Nothing here works or knows who works. A probe waits for no database: its answer takes no longer than its
//!   bytes.
//! - What a viewer sees is what the reader gives for the viewer's workspaces; see
//!   [`Capability`](crate::config::Capability) for what it may do.

mod access;
mod api;
mod cache;
mod load;
mod login;
mod metrics;
mod middleware;
pub mod pages;
mod probes;
mod problem;
mod query;
mod server;

use std::io;
use std::sync::Arc;

use axum::Router;
use axum::http::{StatusCode, header};
use axum::middleware::from_fn_with_state;
use axum::response::IntoResponse;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::config::{Console, Token};
use crate::health::Health;
use crate::metrics::Exported;
use access::AccessControl;
pub use access::NewToken;
pub use load::ConsoleState;
use metrics::LIVEZ;
pub use middleware::ConsoleLimits;
use middleware::{Concurrency, protect};
pub use query::{EnvironmentQuery, RestoreQuery, RunQuery};
pub use server::ConnectionLimits;
use server::serve;

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
    serve(listener, limits, probes::routes(health, exported), stop).await
}

/// Whether the console may be shown where `listener` listens: not where others can reach it and there are no tokens.
pub fn may_listen(listener: &TcpListener, settings: &Console) -> io::Result<()> {
    if settings.is_open() && !listener.local_addr()?.ip().is_loopback() {
        return Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            "without tokens, the console listens on this machine's own address only",
        ));
    }
    Ok(())
}

/// Tells whoever asks for anything that the console waits for its database, until `stop`.
pub async fn serve_absence(listener: TcpListener, stop: CancellationToken) -> io::Result<()> {
    let live = get(|| async { "ok\n" });
    let router = Router::new().route(LIVEZ, live);
    let router = router.fallback(|| async { absence() });
    serve(listener, ConnectionLimits::default(), router, stop).await
}

fn absence() -> impl IntoResponse {
    let headers = [
        (header::RETRY_AFTER, "5"),
        (header::CACHE_CONTROL, "no-store"),
        (header::CONNECTION, "close"),
        (header::CONTENT_TYPE, "text/plain; charset=utf-8"),
    ];
    let text = "The console waits for its database. Its log says what to do.\n";
    (StatusCode::SERVICE_UNAVAILABLE, headers, text)
}

/// Takes tokens as they are read again.
async fn follow(mut tokens: watch::Receiver<Vec<Token>>, access: Arc<AccessControl>) {
    while tokens.changed().await.is_ok() {
        let tokens = tokens.borrow_and_update().clone();
        access.renew(&tokens);
    }
}

/// Shows the console until `stop`. Sessions and rates go by `clock`, connections by the machine's own.
///
/// Fails where `listener` can be reached from elsewhere and there are no tokens.
pub async fn serve_console(
    listener: TcpListener,
    console: ConsoleState,
    limits: ConsoleLimits,
    clock: Clock,
    stop: CancellationToken,
) -> io::Result<()> {
    may_listen(&listener, &console.settings)?;
    let access = AccessControl::new(&console.settings, limits.logins_per_minute, clock);
    let access = Arc::new(access.map_err(io::Error::other)?);
    if let Some(tokens) = console.tokens.clone() {
        tokio::spawn(follow(tokens, Arc::clone(&access)));
    }
    let concurrency = Concurrency::new(limits.requests_max, limits.permit_timeout);
    let console = Arc::new(console);
    let router = Router::new()
        .merge(pages::routes::routes())
        .merge(api::routes())
        .merge(metrics::routes())
        .merge(login::routes(Arc::clone(&access)))
        .fallback(|| async { StatusCode::NOT_FOUND })
        .method_not_allowed_fallback(|| async { StatusCode::METHOD_NOT_ALLOWED })
        .layer(from_fn_with_state(Arc::clone(&console), pages::see_status))
        .layer(from_fn_with_state(Arc::clone(&console), metrics::tell_lag))
        .with_state(console);
    let router = protect(router, &access, concurrency.into(), limits.request_timeout);
    serve(listener, limits.connections, router, stop).await
}
