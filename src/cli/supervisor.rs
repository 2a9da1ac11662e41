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
    keep_telling_to(tell, health, stop).await;
}

async fn keep_telling_to(
    mut tell: impl FnMut(&[NotifyState<'_>]),
    health: Arc<Health>,
    stop: CancellationToken,
) {
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

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

    use super::*;
    use crate::health::{HealthLimits, Loop};

    async fn next(told: &mut UnboundedReceiver<String>) -> String {
        told.recv().await.expect("it goes on")
    }

    /// A worker that still runs, but whose loops do not turn, is to be started again by whoever watches it.
    #[tokio::test]
    async fn nobody_is_told_that_a_stuck_loop_lives() {
        let seconds = Arc::new(AtomicU64::new(0));
        let clock = Arc::clone(&seconds);
        let clock = Arc::new(move || Duration::from_secs(clock.load(Ordering::Relaxed)));
        let limits = HealthLimits::default();
        let health = Health::with_clock(limits, &[Loop::Queue, Loop::Due], clock);
        let (sender, mut told) = unbounded_channel();
        let tell = move |state: &[NotifyState<'_>]| {
            let said: Vec<String> = state.iter().map(ToString::to_string).collect();
            sender.send(said.concat()).expect("somebody listens");
        };
        let telling = keep_telling_to(tell, Arc::clone(&health), CancellationToken::new());
        let telling = tokio::spawn(telling);
        assert_eq!(
            next(&mut told).await,
            "WATCHDOG=1",
            "what has not begun is not stuck"
        );
        assert_eq!(next(&mut told).await, "STATUS=has not begun");
        health.beat(Loop::Queue);
        health.beat(Loop::Due);
        let mut said = next(&mut told).await;
        while said == "WATCHDOG=1" {
            said = next(&mut told).await;
        }
        assert_eq!(said, "READY=1", "not before a loop has turned");
        while !said.starts_with("STATUS=") {
            said = next(&mut told).await;
        }
        while told.try_recv().is_ok() {}
        // One of them goes on, and the other does not.
        seconds.store(limits.silence.as_secs() + 1, Ordering::Relaxed);
        health.beat(Loop::Queue);
        assert_eq!(next(&mut told).await, "STATUS=last turn 16s ago");
        health.beat(Loop::Due);
        assert_eq!(next(&mut told).await, "WATCHDOG=1");
        telling.abort();
    }
}
