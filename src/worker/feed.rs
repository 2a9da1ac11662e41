//! Gives verdicts their positions in the feed that the platform reads, and those with a position their leaves in the tree over
//! the ledger: a batch at a time, by one worker at a time, soon after this process has committed some, and in any case once in
//! a while. No settlement waits for either, and no position for a leaf.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tracing::field;

use super::checkpoints::{ADVICE, BATCH_LEAVES, LATE_BATCH_LEAVES, seal};
use super::shared::Shared;
use crate::clock::Stopwatch;
use crate::storage::{CheckpointRow, FeedProgress, StoreError};

/// How long until it is looked for verdicts that others have committed.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How many verdicts get their positions at once.
const BATCH_VERDICTS: u32 = 1_000;

/// How many times as long as a batch took is waited before the next, so that most of the time is left to settlements.
const PAUSES_PER_BATCH: u32 = 4;

/// The least time between two batches, so that commits in a row are one, and one notification.
const PAUSE_MIN: Duration = Duration::from_millis(50);

/// The most time between two batches of positions: on a busy server a batch takes long, and each verdict is to have its leaf
/// within five seconds.
const PAUSE_MAX: Duration = Duration::from_secs(1);

/// How long a position waits for its leaf before leaves are made without long pauses: each is to have it within five seconds.
const LATE: Duration = Duration::from_secs(1);

/// What is said once where positions cannot be given: verdicts do not wait for them.
const UNPLACED: &str = "the platform does not hear of new verdicts";

/// The same of leaves.
const UNSEALED: &str = "new verdicts get no leaf in the tree over the ledger";

/// Gives positions until the process stops.
pub(super) async fn keep_placing(shared: Arc<Shared>) {
    let mut is_stalled = false;
    let mut is_failing = false;
    loop {
        let since_start = Stopwatch::start();
        // What is dropped is undone.
        let placed = tokio::select! {
            () = shared.stop.cancelled() => return,
            placed = place(&shared) => placed,
        };
        let pause = (since_start.elapsed() * PAUSES_PER_BATCH).clamp(PAUSE_MIN, PAUSE_MAX);
        let mut is_full = false;
        match placed {
            Ok(progress) => {
                is_failing = false;
                if let Some(progress) = progress.filter(|it| it.placed.is_some()) {
                    is_full = progress.placed >= Some(i64::from(BATCH_VERDICTS));
                    tell_stall(&progress, &mut is_stalled);
                }
            }
            Err(error) => tell_failure(&shared, UNPLACED, &error, &mut is_failing),
        }
        if shared.rest(pause).await.is_err() {
            return;
        }
        if !is_full {
            tokio::select! {
                () = shared.stop.cancelled() => return,
                () = shared.health.commits.notified() => {}
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
        }
    }
}

/// Makes leaves until the process stops. Checkpoints that are made go to `made`.
pub(super) async fn keep_sealing(shared: Arc<Shared>, made: mpsc::Sender<CheckpointRow>) {
    let (mut is_failing, mut is_late) = (false, false);
    loop {
        let leaves_max = if is_late {
            LATE_BATCH_LEAVES
        } else {
            BATCH_LEAVES
        };
        let since_start = Stopwatch::start();
        // What is dropped is undone.
        let sealed = tokio::select! {
            () = shared.stop.cancelled() => return,
            sealed = seal(&shared, leaves_max) => sealed,
        };
        let mut pause = (since_start.elapsed() * PAUSES_PER_BATCH).max(PAUSE_MIN);
        match sealed {
            Ok(sealed) => {
                is_failing = false;
                is_late = sealed.waited >= LATE;
                if is_late {
                    // As long as it took: half of the time is left to settlements, even to a ledger that has all its leaves to make.
                    pause = since_start.elapsed().max(PAUSE_MIN);
                } else if sealed.leaves < BATCH_LEAVES as usize {
                    pause = pause.max(LOOK_EVERY);
                }
                if let Some(checkpoint) = sealed.checkpoint
                    && made.try_send(checkpoint).is_err()
                {
                    tracing::warn!(
                        advice = ADVICE,
                        "a checkpoint is not handed out: too many wait for that"
                    );
                }
            }
            Err(error) => {
                pause = pause.max(LOOK_EVERY);
                // It may have been too much at once.
                is_late = false;
                tell_failure(&shared, UNSEALED, &error, &mut is_failing);
            }
        }
        if shared.rest(pause).await.is_err() {
            return;
        }
    }
}

/// Gives positions to a batch. Nothing where something is in the way, such as another version of our schema.
async fn place(shared: &Shared) -> Result<Option<FeedProgress>, StoreError> {
    if shared.health.is_obstructed() || !shared.health.database_is_up() {
        return Ok(None);
    }
    let placing = shared.store.place_verdicts(BATCH_VERDICTS);
    let limit = shared.options.worker.attempt_timeout;
    // It is given another try where it takes too long.
    tokio::time::timeout(limit, placing)
        .await
        .unwrap_or(Ok(None))
}

/// Says once who keeps verdicts waiting, and that it is over.
fn tell_stall(progress: &FeedProgress, is_stalled: &mut bool) {
    match (&progress.held_up_by, *is_stalled) {
        (Some(who), false) => tracing::warn!(
            held_up_by = who,
            since = progress.waiting_since.map(field::display),
            "the platform does not hear of new verdicts until a transaction that began before them has ended"
        ),
        (None, true) => tracing::info!("the platform hears of new verdicts again"),
        _ => {}
    }
    *is_stalled = progress.held_up_by.is_some();
}

/// Says once that something fails.
fn tell_failure(shared: &Shared, what: &'static str, error: &StoreError, is_failing: &mut bool) {
    if !*is_failing && shared.health.database_is_up() {
        tracing::warn!(%error, advice = error.advice(), "{what}");
    }
    *is_failing = true;
}
