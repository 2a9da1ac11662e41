//! Signals. After Ctrl-C in the middle of a pass the page in hand is finished first, so that nothing is half done.

use std::cell::Cell;
use std::future::Future;
use std::ops::ControlFlow;
use std::pin::pin;

use futures_util::future::{Either, select};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::failure::Failure;
use crate::storage::StoreError;
use crate::telemetry::Verbosity;

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
                        "interrupted: finishing what is in hand; once more breaks it off"
                    );
                }
            }
        }
    }
}

/// Cancelled by the first SIGTERM, SIGINT or SIGHUP.
pub(super) fn stop_on_signal() -> std::io::Result<CancellationToken> {
    let stop = CancellationToken::new();
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hangup = signal(SignalKind::hangup())?;
    let told = stop.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            _ = hangup.recv() => {}
        }
        told.cancel();
    });
    Ok(stop)
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
