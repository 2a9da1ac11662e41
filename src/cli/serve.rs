//! `serve`: shows the console until told to stop.

use anyhow::Context as _;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::exit::Exit;
use super::failure::Failure;
use super::interruption::{say_more_on_signal, stop_on_signal};
use super::session::Session;
use crate::clock::{self, monotonic};
use crate::console::{ConsoleLimits, ConsoleState, serve_console};
use crate::storage::Access;
use crate::storage::reader::{open_reader, open_requests};

/// Shows it. Where it listens and who gets in is in the configuration.
pub(super) async fn run(session: &mut Session<'_>) -> anyhow::Result<Exit> {
    let stop = stop_on_signal().context("cannot wait for signals")?;
    say_more_on_signal(session.verbosity.clone()).context("cannot wait for signals")?;
    // Says what is wrong with the database, or its schema, before anything is listened on.
    session.open_migrated(Access::Read).await?;
    let url = session.database_url()?;
    show(session, url.expose_secret(), stop).await?;
    Ok(Exit::Done)
}

/// Shows the console over the database that `url` names, until `stop`.
pub(super) async fn show(
    session: &mut Session<'_>,
    url: &str,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let limits = session.config.database.limits();
    let reader = open_reader(url, &limits).await?;
    let requests = open_requests(url, &limits).await?;
    let console = ConsoleState::new(reader, requests, &session.config, clock::wall());
    let listen = session.config.console.listen;
    let listener = TcpListener::bind(listen).await.with_context(|| {
        Failure::new(
            format!("cannot listen on {listen}"),
            "Choose another address as console.listen; port 0 picks a free port.",
        )
    })?;
    let address = listener
        .local_addr()
        .context("cannot read the address listened on")?;
    session
        .screen
        .line(&format!("listening on http://{address}"))?;
    let limits = ConsoleLimits::default();
    serve_console(listener, console, limits, monotonic(), stop)
        .await
        .context("the console was no longer shown")
}
