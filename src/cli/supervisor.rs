//! What a supervisor is told that wants to know, as systemd does of services with `Type=notify`. Nobody else is told
//! anything.

use std::sync::Arc;
use std::time::Duration;

use sd_notify::NotifyState;
use tokio_util::sync::CancellationToken;

use crate::health::Health;

/// How often a process looks at itself.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Tells that the process is ready once a loop has turned, then that it lives as long as it does, and what it is up to
/// whenever that changes; after `stop`, that it stops, which may take a while. A process that waits for its database is
/// ready in this sense: to start it again would not help.
pub(super) async fn keep_telling(health: Arc<Health>, stop: CancellationToken) {
    let mut told = String::new();
    let mut is_ready = false;
    let mut looks = tokio::time::interval(LOOK_EVERY);
    let mut is_stopping = false;
    loop {
        tokio::select! {
            _ = looks.tick() => {}
            () = stop.cancelled(), if !is_stopping => {
                is_stopping = true;
                tell(&[NotifyState::Stopping]);
            }
        }
        let report = health.report();
        if !is_ready && health.has_begun() {
            is_ready = true;
            tell(&[NotifyState::Ready]);
        }
        if report.live {
            tell(&[NotifyState::Watchdog]);
        }
        let wrong = report.checks.iter().find(|check| !check.ok);
        let now = wrong.map_or("working", |check| &check.detail);
        if told != now {
            now.clone_into(&mut told);
            tell(&[NotifyState::Status(now)]);
        }
    }
}

/// Tells that a process answers, which the console does from its start, and what it is up to.
pub(super) fn tell_answering(status: &str) {
    tell(&[NotifyState::Ready, NotifyState::Status(status)]);
}

/// Tells that the process stops, as soon as it was told to.
pub(super) async fn tell_stop(stop: CancellationToken) {
    stop.cancelled().await;
    tell(&[NotifyState::Stopping]);
}

fn tell(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::debug!(%error, "the supervisor cannot be told");
    }
}
