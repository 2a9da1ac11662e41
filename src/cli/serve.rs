//! `serve`: shows the console until told to stop.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context as _;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::exit::Exit;
use super::failure::Failure;
use super::interruption::{say_more_on_signal, stop_on_signal};
use super::reload::reload_on_signal;
use super::session::Session;
use super::supervisor::{tell_answering, tell_stop};
use super::waiting::{may_pass, wait_for_database};
use crate::clock::{self, monotonic};
use crate::console::{ConsoleLimits, ConsoleState, may_listen, serve_absence, serve_console};
use crate::storage::Access;
use crate::storage::reader::{open_reader, open_requests, request_elsewhere};

/// How long the database may take until people are told that it is waited for.
const OPEN_WITHIN: Duration = Duration::from_secs(2);

/// Where to show it.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Where to listen, instead of `console.listen`: an address and a port; port 0 picks a free one.
    #[arg(long, value_name = "ADDR")]
    listen: Option<SocketAddr>,
}

/// Shows it, as soon as its database is there. Who gets in is in the configuration.
pub(super) async fn run(session: &mut Session<'_>, args: &Args) -> anyhow::Result<Exit> {
    if let Some(listen) = args.listen {
        session.config.console.listen = listen;
    }
    let stop = stop_on_signal().context("cannot wait for signals")?;
    say_more_on_signal(session.verbosity.clone()).context("cannot wait for signals")?;
    let tokens = reload_on_signal(session).context("cannot wait for signals")?;
    session.check_database_url()?;
    let asked = session.database_url()?;
    session.environment.read_elsewhere()?;
    session.check_database_url()?;
    let read = session.database_url()?;
    let listener = listen(session).await?;
    if !is_open(session, &listener, &stop).await? {
        return Ok(Exit::Done);
    }
    let console = open_console(session, read.expose_secret(), asked.expose_secret()).await?;
    tell_answering("answering");
    show_at(listener, console.following(tokens), stop).await?;
    Ok(Exit::Done)
}

/// Whether the database is there: at once, or after a while, in which everybody is told so. False where the process was
/// told to stop before.
async fn is_open(
    session: &mut Session<'_>,
    listener: &std::net::TcpListener,
    stop: &CancellationToken,
) -> anyhow::Result<bool> {
    let backend = session.database_url()?.backend();
    let opened = tokio::time::timeout(OPEN_WITHIN, session.open_migrated(Access::Read)).await;
    let is_there = match opened {
        Ok(Err(error)) if !may_pass(backend, &error) => return Err(error),
        Ok(Ok(_)) => true,
        Ok(Err(_)) | Err(_) => false,
    };
    say_where(session, listener)?;
    tokio::spawn(tell_stop(stop.clone()));
    if is_there {
        return Ok(true);
    }
    tell_answering("waiting for its database");
    let open = async || session.open_migrated(Access::Read).await.map(drop);
    let found = stop.child_token();
    let waiting = shared(listener)?;
    let answering = tokio::spawn(serve_absence(waiting, found.clone()));
    let opened = tokio::select! {
        opened = wait_for_database(backend, open, |_| ()) => opened.map(|()| true),
        () = stop.cancelled() => Ok(false),
    };
    found.cancel();
    answering
        .await
        .context("the server that says so panicked")?
        .context("nobody was told that the console waits for its database")?;
    opened
}

/// A second listener on the address, for whoever answers until the console is shown.
fn shared(listener: &std::net::TcpListener) -> anyhow::Result<TcpListener> {
    let shared = listener.try_clone().and_then(TcpListener::from_std);
    shared.context("the address cannot be listened on twice")
}

async fn listen(session: &Session<'_>) -> anyhow::Result<std::net::TcpListener> {
    let listen = session.config.console.listen;
    let listener = TcpListener::bind(listen).await.with_context(|| {
        Failure::new(
            format!("cannot listen on {listen}"),
            "Choose another address with --listen or as console.listen; port 0 picks a free port.",
        )
    })?;
    may_listen(&listener, &session.config.console)?;
    listener.into_std().context("the address cannot be kept")
}

fn say_where(session: &mut Session<'_>, listener: &std::net::TcpListener) -> anyhow::Result<()> {
    let address = listener
        .local_addr()
        .context("cannot read the address listened on")?;
    session.screen.listening(format!("http://{address}"))?;
    Ok(())
}

/// Shows the console over the database that `url` names, until `stop`.
pub(super) async fn show(
    session: &mut Session<'_>,
    url: &str,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let tokens = reload_on_signal(session).context("cannot wait for signals")?;
    let listener = listen(session).await?;
    let console = open_console(session, url, url).await?;
    say_where(session, &listener)?;
    show_at(listener, console.following(tokens), stop).await
}

async fn open_console(
    session: &Session<'_>,
    read: &str,
    asked: &str,
) -> anyhow::Result<ConsoleState> {
    let limits = session.config.database.limits();
    let reader = open_reader(read, &limits).await?;
    let requests = if read == asked {
        open_requests(asked, &limits).await?
    } else {
        request_elsewhere(asked, &limits, reader.clone())
    };
    Ok(ConsoleState::new(
        reader,
        requests,
        &session.config,
        clock::wall(),
    ))
}

async fn show_at(
    listener: std::net::TcpListener,
    console: ConsoleState,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let listener = TcpListener::from_std(listener).context("the address cannot be listened on")?;
    let limits = ConsoleLimits::default();
    serve_console(listener, console, limits, monotonic(), stop)
        .await
        .context("the console was no longer shown")
}
