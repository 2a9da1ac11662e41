//! The console as a server.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::middleware::from_fn_with_state;
use jiff::Timestamp;
use reconciler_jobs::restore_execute::Policy;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::Bounds;
use super::connections::{Client, Connections};
use super::guard::{Guard, guard};
use super::problem::Problem;
use super::surveys::Surveys;
use super::{api, exported, login, pages};
use crate::clock::{Clock, monotonic};
use crate::config;
use crate::storage::reader::{Reader, Requests};

/// How long answers that were begun may go on after the server was told to stop.
const FAREWELL: Duration = Duration::from_secs(5);

/// What the console shows, and to whom.
pub struct Console {
    /// Where everything is read.
    pub reader: Arc<dyn Reader>,
    /// Where runs are asked for: the only thing that is ever written.
    pub requests: Arc<dyn Requests>,
    /// Who gets in.
    pub settings: config::Console,
    /// What counts as proof.
    pub policy: Policy,
    /// What was counted lately.
    pub surveys: Surveys,
    /// What is exported for dashboards.
    pub metrics: config::Metrics,
    /// When this process started, by its own clock.
    pub started: Timestamp,
}

/// What is not configured: how much is done at once, and how long anybody is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// How long one request may take, from its headers to the beginning of its answer.
    pub request: Duration,
    /// How many pages are made at once, a quarter of them for one viewer; further requests wait for one to be done.
    pub requests_max: usize,
    /// How long a request waits for that before it is refused.
    pub turn: Duration,
    /// How many logins may fail from one address in a minute.
    pub logins_per_minute: u32,
    /// What a connection may take.
    pub connections: Bounds,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            request: Duration::from_secs(15),
            requests_max: 64,
            turn: Duration::from_secs(1),
            logins_per_minute: 10,
            connections: Bounds {
                connections_max: 256,
                lifetime: Duration::from_mins(1),
                bytes_max: 2 << 20,
            },
        }
    }
}

/// Shows the console until `stop`.
///
/// Fails where `listener` can be reached from elsewhere and there are no tokens.
pub async fn serve_console(
    listener: TcpListener,
    console: Console,
    stop: CancellationToken,
) -> io::Result<()> {
    serve_console_within(Patience::default(), monotonic(), listener, console, stop).await
}

/// The same with another patience, by another clock. Connections last as long as the machine's clock says.
pub async fn serve_console_within(
    patience: Patience,
    clock: Clock,
    listener: TcpListener,
    console: Console,
    stop: CancellationToken,
) -> io::Result<()> {
    if console.settings.tokens.is_empty() && !listener.local_addr()?.ip().is_loopback() {
        return Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            "without tokens, the console listens on this machine's own address only",
        ));
    }
    let guard = Guard::new(&console.settings, patience, clock).map_err(io::Error::other)?;
    let service =
        router(Arc::new(console), Arc::new(guard)).into_make_service_with_connect_info::<Client>();
    let connections = Connections::new(listener, patience.connections);
    let stopped = stop.clone().cancelled_owned();
    let server = axum::serve(connections, service).with_graceful_shutdown(stopped);
    tokio::select! {
        ended = server.into_future() => ended,
        () = async {
            stop.cancelled().await;
            tokio::time::sleep(FAREWELL).await;
        } => Ok(()),
    }
}

fn router(console: Arc<Console>, guarding: Arc<Guard>) -> Router {
    Router::new()
        .merge(pages::routes())
        .merge(api::routes())
        .merge(exported::routes())
        .merge(login::routes(Arc::clone(&guarding)))
        .fallback(|| async { Problem::not_found() })
        .method_not_allowed_fallback(|| async { Problem::method_not_allowed() })
        .with_state(console)
        .layer(from_fn_with_state(guarding, guard))
}
