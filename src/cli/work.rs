//! `work`: the long-running process.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use reconciler_jobs::restore_execute::record::Source;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::exit::Exit;
use super::failure::Failure;
use super::interruption::{say_more_on_signal, stop_on_signal};
use super::session::Session;
use crate::console::{ConnectionLimits, serve_probes};
use crate::health::{self, DatabaseState, Health, Loop, Schema};
use crate::metrics::{Exporter, Role};
use crate::storage::{ErrorKind, Store, StoreError};
use crate::{clock, worker};

/// How long until the database is tried again while it is away at the start.
const CONNECT_AGAIN_AFTER: Duration = Duration::from_secs(1);

/// How long a database may take to answer at the start.
const ANSWER_WITHIN: Duration = Duration::from_secs(20);

/// How often the process shows that it lives while it waits.
const BEAT_EVERY: Duration = Duration::from_secs(1);

/// How many ticks of the schedule may pass without a sweep that succeeded.
const SWEEPS_MISSED_MAX: u32 = 3;

/// How this process answers probes.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Where to answer probes, /livez and /readyz, and /metrics. Port 0 picks a free one; what was picked is printed.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0")]
    listen: SocketAddr,
}

/// Works until the process is told to stop.
pub(super) async fn run(session: &mut Session<'_>, args: &Args) -> anyhow::Result<Exit> {
    let stop = stop_on_signal().context("cannot wait for signals")?;
    say_more_on_signal(session.verbosity.clone()).context("cannot wait for signals")?;
    // Before anything is listened on: without a URL nothing will ever work.
    session.database_url()?;
    let listen_url = session.environment.listen_url()?;
    let health = Health::new(limits(session), &Loop::ALL);
    let exported = Exporter::new(&[Role::Worker], clock::wall())
        .and_then(Exporter::install)
        .context("metrics cannot be exported")?;
    let listener = TcpListener::bind(args.listen).await.with_context(|| {
        Failure::new(
            format!("cannot listen on {}", args.listen),
            "Choose another address with --listen; port 0 picks a free port.",
        )
    })?;
    let address = listener
        .local_addr()
        .context("cannot read the address listened on")?;
    // Probes are answered until the very end, also while what is in hand is finished.
    let answering = CancellationToken::new();
    let probes = tokio::spawn(serve_probes(
        listener,
        ConnectionLimits::default(),
        Arc::clone(&health),
        exported.clone(),
        answering.clone(),
    ));
    let tidying = tokio::spawn(async move { exported.keep_tidy().await });
    session.screen.line(&format!("listening on {address}"))?;
    let worked = match connect(session, &health, &stop).await? {
        None => Ok(()),
        Some(store) => {
            let settling = session.settling(Source::Request);
            let options = worker::Options {
                worker: session.config.worker.clone(),
                sweep: session.config.sweep.clone(),
                metrics: session.config.metrics.clone(),
                listen_url,
                settling,
            };
            worker::run(store, health, options, stop).await
        }
    };
    tidying.abort();
    answering.cancel();
    probes
        .await
        .context("the server of the probes panicked")?
        .context("probes were no longer answered")?;
    worked.context(Failure::new(
        "the worker stopped",
        "Read the log above; start it again, as a supervisor such as systemd does.",
    ))?;
    Ok(Exit::Done)
}

/// Waits for a database that is away; anything else that is wrong with it is an error.
async fn connect(
    session: &Session<'_>,
    health: &Health,
    stop: &CancellationToken,
) -> anyhow::Result<Option<Store>> {
    let connecting = async {
        loop {
            if let Some(store) = try_to_connect(session, health).await? {
                return Ok(Some(store));
            }
            tokio::time::sleep(CONNECT_AGAIN_AFTER).await;
        }
    };
    let beating = async {
        loop {
            for name in Loop::ALL {
                health.beat(name);
            }
            tokio::time::sleep(BEAT_EVERY).await;
        }
    };
    tokio::select! {
        store = connecting => store,
        () = stop.cancelled() => Ok(None),
        never = beating => never,
    }
}

/// A store; nothing where the database is away or does not answer.
async fn try_to_connect(session: &Session<'_>, health: &Health) -> anyhow::Result<Option<Store>> {
    let opened = tokio::time::timeout(ANSWER_WITHIN, session.open_for_work()).await;
    let error = match opened {
        Ok(Ok(store)) => {
            health.schema(Schema::Fits);
            return Ok(Some(store));
        }
        Ok(Err(error)) if is_away(&error) => format!("{error:#}"),
        Ok(Err(error)) => return Err(error),
        Err(_) => format!("no answer within {ANSWER_WITHIN:?}"),
    };
    let why = "it cannot be reached";
    if health.database(DatabaseState::Away { why }) {
        tracing::warn!(error, "the database is away; waiting for it");
    }
    Ok(None)
}

fn is_away(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<StoreError>())
        .any(|error| error.kind() == ErrorKind::Transient)
}

fn limits(session: &Session<'_>) -> health::HealthLimits {
    let gap = session.config.sweep.schedule.longest_gap(clock::wall());
    health::HealthLimits {
        sweep_age: gap.saturating_mul(SWEEPS_MISSED_MAX),
        ..health::HealthLimits::default()
    }
}
