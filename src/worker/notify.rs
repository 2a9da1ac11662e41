//! When a queue is polled: on NOTIFY, shortly afterwards, and in any case once per interval.
//!
//! A notification is a hint. It can be lost, and when transactions queue jobs at the same time only one of them
//! sends it, perhaps before the others have committed. So it is followed by a few more polls. While nobody is free
//! to settle what is found in the queue, notifications add up to one poll.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use apalis::prelude::{PollSnapshot, PollStrategy};
use futures_util::stream::{BoxStream, Stream, StreamExt as _, unfold};
use tokio::sync::Notify;

use super::batch::Batcher;
use super::shared::Shared;
use crate::config::DatabaseUrl;
use crate::storage::{ErrorKind, StoreError};

/// How long after a notification, and after each poll that follows it, the queue is polled again.
const ECHOES: [Duration; 4] = [
    Duration::from_millis(4),
    Duration::from_millis(16),
    Duration::from_millis(40),
    Duration::from_millis(90),
];

/// How long until listening is tried again after it failed.
const LISTEN_PAUSE: Duration = Duration::from_millis(500);

/// How long until listening is tried again where it can only succeed once somebody has changed something.
const LISTEN_PAUSE_LONG: Duration = Duration::from_mins(1);

/// The moments at which one worker polls its queue.
pub(super) struct Polls {
    moments: BoxStream<'static, ()>,
    polled: Polled,
}

impl Polls {
    /// Polls once per interval.
    pub(super) fn every(interval: Duration) -> Self {
        Self::at(unfold((), move |()| async move {
            tokio::time::sleep(interval).await;
            Some(((), ()))
        }))
    }

    /// Polls when `jobs_wait`, and once per interval, as soon as there is a use for more jobs.
    pub(super) fn when_notified(
        jobs_wait: &Arc<Notify>,
        interval: Duration,
        batcher: &Batcher,
    ) -> Self {
        let start = (Arc::clone(jobs_wait), batcher.clone());
        Self::at(unfold(start, move |(jobs_wait, batcher)| async move {
            // Elapsing is as good a reason to poll as being notified.
            let _ = tokio::time::timeout(interval, jobs_wait.notified()).await;
            batcher.ready_for_more().await;
            Some(((), (jobs_wait, batcher)))
        }))
    }

    fn at(moments: impl Stream<Item = ()> + Send + 'static) -> Self {
        Self {
            moments: moments.boxed(),
            polled: Polled::default(),
        }
    }

    /// Follows whether polls come to an end.
    pub(super) fn polled(&self) -> Polled {
        self.polled.clone()
    }
}

/// Whether one worker has polled its queue since it was last asked.
///
/// apalis tells of no poll that has come to its end, and one that finds nothing looks like one that is under way.
/// But it does not send a heartbeat while a poll is under way, and none after one that failed: a heartbeat that
/// follows a poll says that the poll was answered. The first heartbeat of a worker, which registers it, follows
/// none.
#[derive(Debug, Clone, Default)]
pub(super) struct Polled(Arc<AtomicBool>);

impl Polled {
    /// A poll has begun, goes on, or has ended.
    fn note(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// At a heartbeat: whether a poll was answered since the last one.
    pub(super) fn is_answered(&self) -> bool {
        self.0.swap(false, Ordering::Relaxed)
    }
}

impl PollStrategy for Polls {
    fn on_poll(&mut self, _: &PollSnapshot) {
        self.polled.note();
    }

    fn poll_drive(&mut self, cx: &mut Context<'_>, _: &PollSnapshot) -> Poll<Option<()>> {
        let moment = self.moments.poll_next_unpin(cx);
        if moment.is_ready() {
            // apalis asks for the next moment only when it is woken, and a poll that was under way when this
            // moment came may end at the same time, with nothing found: then nobody would wake it.
            cx.waker().wake_by_ref();
        }
        moment
    }
}

/// Passes notifications on until the process stops. Without a way to listen, the interval has to do.
pub(super) async fn listen(shared: Arc<Shared>, jobs_wait: Arc<Notify>) {
    let stopped = shared.stop.cancelled();
    let listening = async {
        let mut is_said = false;
        loop {
            let Err(error) = pass_on(&shared, &jobs_wait).await;
            let pause = if error.kind() == ErrorKind::Fatal {
                if !is_said {
                    say_why_polled(&shared, &error);
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
        every_seconds = shared.options.worker.poll_interval.as_secs_f64(),
        "nobody says when there are new jobs; the queue is polled"
    );
}

async fn pass_on(shared: &Shared, jobs_wait: &Notify) -> Result<Infallible, StoreError> {
    let url = shared.options.listen_url.as_ref();
    let mut notifications = shared
        .store
        .listen(url.map(DatabaseUrl::expose_secret))
        .await?;
    jobs_wait.notify_one(); // what was missed before
    let mut echoes = ECHOES.iter();
    loop {
        let echo = echoes.clone().next().copied();
        tokio::select! {
            notified = notifications.next() => {
                notified?;
                jobs_wait.notify_one();
                echoes = ECHOES.iter();
            }
            () = tokio::time::sleep(echo.unwrap_or_default()), if echo.is_some() => {
                jobs_wait.notify_one();
                echoes.next();
            }
        }
    }
}
