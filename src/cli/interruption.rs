//! Signals. After Ctrl-C in the middle of a pass the page in hand is finished first, so that nothing is half done.

use std::cell::Cell;
use std::future::Future;
use std::ops::ControlFlow;
use std::pin::pin;
use std::time::Duration;

use futures_util::future::{Either, select, select_all};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::failure::Failure;
use crate::clock::Stopwatch;
use crate::storage::StoreError;
use crate::telemetry::Verbosity;

/// Signals that come so close after the first are the same wish: supervisors and terminals send more than one.
const SAME_WISH_WITHIN: Duration = Duration::from_millis(250);

/// Whether somebody wants the command to stop.
#[derive(Debug, Default)]
pub(super) struct Interruption(Cell<bool>);

impl Interruption {
    /// What a pass is told after each page.
    pub(super) fn wish(&self) -> ControlFlow<()> {
        if self.0.get() {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    }

    /// Does `work` to its end, and notes the first Ctrl-C meanwhile. After the second one `work` is
    /// dropped: somebody does not want to wait for a database that does not answer.
    pub(super) async fn heed_during<T>(
        &self,
        work: impl Future<Output = Result<T, StoreError>>,
    ) -> anyhow::Result<T> {
        let mut work = pin!(work);
        loop {
            match select(&mut work, pin!(tokio::signal::ctrl_c())).await {
                Either::Left((done, _)) => return Ok(done?),
                // Without signals there is nothing to heed.
                Either::Right((Err(_), _)) => return Ok(work.await?),
                Either::Right((Ok(()), _)) if self.0.replace(true) => {
                    return Err(Failure::new(
                        "the pass was broken off in the middle of a page",
                        "Every verdict is on record whole or not at all. Run the command again.",
                    )
                    .into());
                }
                Either::Right((Ok(()), _)) => {
                    tracing::warn!(
                        "interrupted: finishing what is under way; once more breaks it off"
                    );
                }
            }
        }
    }
}

/// Cancelled by the first SIGTERM or SIGINT; the second one ends the process at once, with the exit code that a shell gives to
/// what a signal ended.
pub(super) fn stop_on_signal() -> std::io::Result<CancellationToken> {
    let stop = CancellationToken::new();
    let mut signals = [SignalKind::terminate(), SignalKind::interrupt()]
        .into_iter()
        .map(|kind| Ok((kind, signal(kind)?)))
        .collect::<std::io::Result<Vec<_>>>()?;
    let told = stop.clone();
    tokio::spawn(async move {
        next_of(&mut signals).await;
        told.cancel();
        let since = Stopwatch::start();
        let mut kind = next_of(&mut signals).await;
        while since.elapsed() < SAME_WISH_WITHIN {
            kind = next_of(&mut signals).await;
        }
        tracing::warn!("told to stop once more: ended in the middle of what was under way");
        end_at_once(128 + kind.as_raw_value());
    });
    Ok(stop)
}

async fn next_of(signals: &mut [(SignalKind, Signal)]) -> SignalKind {
    let each = signals
        .iter_mut()
        .map(|(kind, signal)| Box::pin(async { signal.recv().await.map(|()| *kind) }));
    match select_all(each).await.0 {
        Some(kind) => kind,
        None => std::future::pending().await,
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "somebody does not want to wait for destructors either"
)]
fn end_at_once(code: i32) -> ! {
    std::process::exit(code)
}

/// Whether this process was started with the signal ignored. Linux says so; elsewhere none is taken to be.
pub(super) fn is_ignored(kind: SignalKind) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    ignored_of(&status) >> (kind.as_raw_value() - 1) & 1 == 1
}

/// The mask of ignored signals, the first in the lowest bit.
fn ignored_of(status: &str) -> u64 {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .unwrap_or(0)
}

/// Each SIGUSR1 has the program say more than was configured, and the next one no more than that.
pub(super) fn say_more_on_signal(verbosity: Verbosity) -> std::io::Result<()> {
    let mut told = signal(SignalKind::user_defined1())?;
    tokio::spawn(async move {
        while told.recv().await.is_some() {
            verbosity.switch();
        }
    });
    Ok(())
}
