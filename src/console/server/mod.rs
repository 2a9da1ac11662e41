//! One graceful server, for the probes of a worker and for the console: accepts within limits, answers, and stops.

mod connections;

use std::io;

use axum::Router;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

pub(super) use connections::Client;
pub use connections::ConnectionLimits;
use connections::Connections;

/// Answers by `router` until `stop`.
pub(super) async fn serve(
    listener: TcpListener,
    limits: ConnectionLimits,
    router: Router,
    stop: CancellationToken,
) -> io::Result<()> {
    let connections = Connections::new(listener, limits);
    let service = router.into_make_service_with_connect_info::<Client>();
    let stopped = stop.clone().cancelled_owned();
    let server = axum::serve(connections, service).with_graceful_shutdown(stopped);
    tokio::select! {
        ended = server.into_future() => ended,
        () = async {
            stop.cancelled().await;
            tokio::time::sleep(limits.shutdown_grace).await;
        } => Ok(()),
    }
}
