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
use super::reload::reload_on_signal;
use super::session::Session;
use super::supervisor::keep_telling;
use super::waiting::wait_for_database;
use crate::clock;
use crate::console::{ConnectionLimits, serve_probes};
use crate::doctor::{self, Level};
use crate::health::{self, DatabaseState, Health, Loop, Schema};
use crate::ledger::checkpoint::{CheckpointSigner, origin_of};
use crate::metrics::{Exporter, Role};
use crate::storage::Store;
use crate::worker::{self, Checkpointing};

/// How long an answer may take that nothing depends on.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);

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
    reload_on_signal(session).context("cannot wait for signals")?;
    // Before anything is listened on: without a URL that can be followed nothing will ever work.
    session.check_database_url()?;
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
    session.screen.listening(address.to_string())?;
    let telling = tokio::spawn(keep_telling(Arc::clone(&health), stop.clone()));
    let worked = match connect(session, &health, &stop).await? {
        None => Ok(()),
        Some(store) => {
            let settling = session.settling(Source::Request);
            let checkpoints = checkpointing(session, &store).await?;
            let options = worker::Options {
                worker: session.config.worker.clone(),
                sweep: session.config.sweep.clone(),
                metrics: session.config.metrics.clone(),
                listen_url,
                settling,
                checkpoints,
            };
            warn_of_request(&store).await;
            worker::run(store, health, options, stop).await
        }
    };
    tidying.abort();
    telling.abort();
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

/// How checkpoints are made. A key that is named and cannot sign for this installation ends the program: nobody would look for
/// signatures that are not there.
async fn checkpointing(session: &Session<'_>, store: &Store) -> anyhow::Result<Checkpointing> {
    let settings = session.config.checkpoints.clone();
    let mut signers = Vec::new();
    for path in &settings.key_files {
        let cannot_sign = || {
            Failure::new(
                format!("the key in {path} cannot sign the checkpoints of this database"),
                "Make one with `restore-reconciler ledger key`, and name its file in [checkpoints] key_files.",
            )
        };
        let key = std::fs::read_to_string(path).with_context(cannot_sign)?;
        let signer = CheckpointSigner::read(&key).with_context(cannot_sign)?;
        let origin = store.reader().install_id().await?.as_deref().map(origin_of);
        if let Some(origin) = origin.filter(|origin| signer.name() != origin) {
            let other = format!("it is one of {}, and this is {origin}", signer.name());
            return Err(anyhow::anyhow!(other).context(cannot_sign()));
        }
        signers.push(signer);
    }
    if let Some((file, mode)) = settings.exposed_keys().next() {
        return Err(Failure::new(
            format!("the key in {file} is no secret: its mode {mode} lets others read it, or change it"),
            format!(
                "chmod 600 {file}, or mount it with mode 0440, in Kubernetes by `defaultMode: 0440`; where others may have read it, \
                 make a new one with `restore-reconciler ledger key`."
            ),
        )
        .into());
    }
    Ok(Checkpointing { settings, signers })
}

/// Nothing that a worker does fails where requests are lost, so it is said at the start.
async fn warn_of_request(store: &Store) {
    let examined = tokio::time::timeout(ANSWER_WITHIN, doctor::examine_request(store));
    match examined.await {
        Ok(Ok(Some(check))) if check.level == Level::Problem => {
            tracing::warn!(
                advice = check.action,
                "reconciler.request does not work: {}",
                check.finding
            );
        }
        Ok(Ok(_)) => {}
        Ok(Err(error)) => tracing::warn!(%error, "cannot tell whether reconciler.request works"),
        Err(_) => {
            tracing::warn!("the database did not say in time whether reconciler.request works");
        }
    }
}

/// Waits until there is a database to work on.
async fn connect(
    session: &Session<'_>,
    health: &Health,
    stop: &CancellationToken,
) -> anyhow::Result<Option<Store>> {
    let beating = async {
        loop {
            for name in Loop::ALL {
                health.beat(name);
            }
            tokio::time::sleep(BEAT_EVERY).await;
        }
    };
    let away = |why| {
        health.database(DatabaseState::Away { why });
    };
    let backend = session.database_url()?.backend();
    let store = tokio::select! {
        store = wait_for_database(backend, async || session.open_for_work().await, away) => store?,
        () = stop.cancelled() => return Ok(None),
        never = beating => never,
    };
    health.schema(Schema::Fits);
    Ok(Some(store))
}

fn limits(session: &Session<'_>) -> health::HealthLimits {
    let gap = session.config.sweep.schedule.longest_gap(clock::wall());
    health::HealthLimits {
        sweep_age: gap.saturating_mul(SWEEPS_MISSED_MAX),
        ..health::HealthLimits::default()
    }
}
