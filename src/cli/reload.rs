//! SIGHUP: tokens and the log filter are read again while the process goes on.

use std::path::PathBuf;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use super::failure;
use super::interruption::is_ignored;
use super::session::Session;
use crate::config::{Environment, Token};
use crate::telemetry::{Verbosity, parse_filter};

/// What is read again, and who is told.
struct Reloading {
    file: Option<PathBuf>,
    environment: Environment,
    verbosity: Verbosity,
    /// As it was configured last.
    filter: String,
    tokens: watch::Sender<Vec<Token>>,
    /// Whether a proxy says who somebody is, so that without tokens nobody else gets in.
    has_proxy: bool,
}

/// Reads them again at each SIGHUP, and tells of the tokens. Where whoever started the process has ignored that signal, as
/// `nohup` does, it stays ignored.
pub(super) fn reload_on_signal(
    session: &Session<'_>,
) -> std::io::Result<watch::Receiver<Vec<Token>>> {
    let (sender, tokens) = watch::channel(session.config.console.tokens.clone());
    if is_ignored(SignalKind::hangup()) {
        return Ok(tokens);
    }
    let mut told = signal(SignalKind::hangup())?;
    let mut reloading = Reloading {
        file: session.config_file.clone(),
        environment: session.environment.clone(),
        verbosity: session.verbosity.clone(),
        filter: session.config.log.filter.clone(),
        tokens: sender,
        has_proxy: session.config.console.proxy.is_some(),
    };
    tokio::spawn(async move {
        while told.recv().await.is_some() {
            reloading.read();
        }
    });
    Ok(tokens)
}

impl Reloading {
    fn read(&mut self) {
        let config = match Session::load_config(self.file.as_deref(), &self.environment) {
            Ok(config) => config,
            Err(error) => {
                let why = failure::causes(&error).join(": ");
                tracing::error!("SIGHUP: {why}; tokens and the log filter stay as they are");
                return;
            }
        };
        let tokens = config.console.tokens;
        // Whoever connects would be let in, on whatever address is listened on. A worker follows no tokens.
        let lets_in = !self.tokens.is_closed() && !self.has_proxy;
        if lets_in && tokens.is_empty() && !self.tokens.borrow().is_empty() {
            tracing::error!(
                "SIGHUP: the configuration has no tokens any more, and without any everybody is let in; tokens and the log \
                 filter stay as they are. Restart the process if that is meant"
            );
            return;
        }
        if config.log.filter != self.filter
            && let Ok(filter) = parse_filter(&config.log.filter)
        {
            self.verbosity.configure(filter);
            self.filter = config.log.filter;
        }
        tracing::info!(
            tokens = tokens.len(),
            "SIGHUP: tokens and the log filter were read again; other settings are read at a start"
        );
        self.tokens.send_replace(tokens);
    }
}
