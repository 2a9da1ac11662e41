//! The console as a server.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::middleware::from_fn_with_state;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::guard::{Guard, guard};
use super::load::Console;
use super::server::{ConnectionLimits, serve};
use super::{api, login, metrics, pages};
use crate::clock::Clock;

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

/// Shows the console until `stop`. Sessions and rates go by `clock`, connections by the machine's own.
///
/// Fails where `listener` can be reached from elsewhere and there are no tokens.
pub async fn serve_console(
    listener: TcpListener,
    console: Console,
    limits: ConsoleLimits,
    clock: Clock,
    stop: CancellationToken,
) -> io::Result<()> {
    if console.settings.tokens.is_empty() && !listener.local_addr()?.ip().is_loopback() {
        return Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            "without tokens, the console listens on this machine's own address only",
        ));
    }
    let guard = Guard::new(&console.settings, limits, clock).map_err(io::Error::other)?;
    let router = router(Arc::new(console), Arc::new(guard));
    serve(listener, limits.connections, router, stop).await
}

fn router(console: Arc<Console>, guarding: Arc<Guard>) -> Router {
    Router::new()
        .merge(pages::routes())
        .merge(api::routes())
        .merge(metrics::routes())
        .merge(login::routes(Arc::clone(&guarding)))
        .fallback(|| async { StatusCode::NOT_FOUND })
        .method_not_allowed_fallback(|| async { StatusCode::METHOD_NOT_ALLOWED })
        .with_state(console)
        .layer(from_fn_with_state(guarding, guard))
}
