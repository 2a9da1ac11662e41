//! When the queue is looked at: when somebody says so, shortly afterwards, and in any case after a while.
//!
//! A notice is a hint. It can be lost, and when transactions queue jobs at the same time only one of them
//! sends it, perhaps before the others have committed. So a notice is followed by a few more looks, and
//! without any notice the queue is looked at once per interval. While nobody is free to settle what is found
//! there, notices add up to one look.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use apalis::prelude::{PollSnapshot, PollStrategy};
use futures_util::stream::{BoxStream, Stream, StreamExt as _, unfold};
use tokio::sync::Notify;

use super::Shared;
use super::batcher::Batcher;
use crate::config::DatabaseUrl;
use crate::storage::{ErrorKind, StoreError};

/// When, after a notice, the queue is looked at again.
const ECHOES: [Duration; 4] = [
    Duration::from_millis(4),
    Duration::from_millis(16),
    Duration::from_millis(40),
    Duration::from_millis(90),
];

/// How long until listening is tried again after it failed.
const LISTEN_PAUSE: Duration = Duration::from_millis(500);

/// The same where it can only succeed once somebody has changed something.
const LISTEN_PAUSE_LONG: Duration = Duration::from_mins(1);

/// Wakes whoever takes jobs that ask for runs.
#[derive(Debug, Clone, Default)]
pub(super) struct Wake(Arc<Notify>);

/// The moments at which one worker looks at its queue.
pub(super) struct Looks {
    moments: BoxStream<'static, ()>,
    looked: Looked,
}

impl Looks {
    /// Looks once per interval.
    pub(super) fn every(interval: Duration) -> Self {
        Self::at(unfold((), move |()| async move {
            tokio::time::sleep(interval).await;
            Some(((), ()))
        }))
    }

    /// Looks when woken, and once per interval, as soon as there is a use for more jobs.
    pub(super) fn when_woken(wake: &Wake, interval: Duration, batcher: &Batcher) -> Self {
        let start = (wake.clone(), batcher.clone());
        Self::at(unfold(start, move |(wake, batcher)| async move {
            // Elapsing is as good a reason to look as being notified.
            let _ = tokio::time::timeout(interval, wake.0.notified()).await;
            batcher.ready_for_more().await;
            Some(((), (wake, batcher)))
        }))
    }

    fn at(moments: impl Stream<Item = ()> + Send + 'static) -> Self {
        Self {
            moments: moments.boxed(),
            looked: Looked::default(),
        }
    }

    /// Follows whether looks come to an end.
    pub(super) fn looked(&self) -> Looked {
        self.looked.clone()
    }
}

/// Whether one worker has looked at its queue since it was last asked.
///
/// The library tells of no look that has come to its end, and one that finds nothing looks like one that is
/// under way. But it does not send a heartbeat while a look is under way, and none after one that failed: a
/// heartbeat that follows a look says that the look was answered. The first heartbeat of a worker, which
/// registers it, follows none.
#[derive(Debug, Clone, Default)]
pub(super) struct Looked(Arc<AtomicBool>);

impl Looked {
    /// A look has begun, goes on, or has ended.
    fn note(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// At a heartbeat: whether a look was answered since the last one.
    pub(super) fn is_answered(&self) -> bool {
        self.0.swap(false, Ordering::Relaxed)
    }
}

impl PollStrategy for Looks {
    fn on_poll(&mut self, _: &PollSnapshot) {
        self.looked.note();
    }

    fn poll_drive(&mut self, cx: &mut Context<'_>, _: &PollSnapshot) -> Poll<Option<()>> {
        let look = self.moments.poll_next_unpin(cx);
        if look.is_ready() {
            // The library asks for the next moment only when it is woken, and a look that was under way when
            // this moment came may end in the same breath, with nothing found: then nobody would wake it.
            cx.waker().wake_by_ref();
        }
        look
    }
}

/// Passes notices on until the process stops. Without a way to listen, the interval has to do.
pub(super) async fn listen(shared: &Shared, wake: &Wake) {
    let stopped = shared.stop.cancelled();
    let listening = async {
        let mut is_said = false;
        loop {
            let Err(error) = pass_on(shared, wake).await;
            let pause = if error.kind() == ErrorKind::Fatal {
                if !is_said {
                    say_why_polled(shared, &error);
                    is_said = true;
                }
                LISTEN_PAUSE_LONG
            } else {
                // The loss of the database has been said once, by whoever watches it.
                tracing::debug!(%error, "notices of new jobs do not arrive; the queue is polled");
                LISTEN_PAUSE
            };
            // What a role may do, and how it gets in, often changes with a short absence.
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = shared.database_gone() => shared.health.database_up().await,
            }
        }
    };
    tokio::select! {
        () = stopped => {}
        () = listening => {}
    }
}

fn say_why_polled(shared: &Shared, error: &StoreError) {
    tracing::warn!(
        %error,
        advice = error.advice(),
        every = ?shared.options.poll_interval,
        "nobody says when there are new jobs; the queue is polled"
    );
}

async fn pass_on(shared: &Shared, wake: &Wake) -> Result<Infallible, StoreError> {
    let url = shared.listen_url.as_ref();
    let mut wakes = shared
        .store
        .listen(url.map(DatabaseUrl::expose_secret))
        .await?;
    wake.0.notify_one(); // what was missed before
    let mut echoes = ECHOES.iter();
    loop {
        let echo = echoes.clone().next().copied();
        tokio::select! {
            noticed = wakes.next() => {
                noticed?;
                wake.0.notify_one();
                echoes = ECHOES.iter();
            }
            () = tokio::time::sleep(echo.unwrap_or_default()), if echo.is_some() => {
                wake.0.notify_one();
                echoes.next();
            }
        }
    }
}
