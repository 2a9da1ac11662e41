//! The long-running process at work: what it does when it is asked, when it is time, and when something is
//! wrong with a job or with a run.

mod bounds;
mod checkpoints;
mod dropped;
mod feed;
mod hidden_rows;
mod in_time;
pub(crate) mod jobs;
mod latency;
mod lifecycle;
mod observe;
mod opinions;
mod other_platform;
mod patience;
mod pauses;
mod poison;
mod rights;
mod rules;
mod sessions;
mod shifts;
mod sqlite;
mod ticks;
mod trace;
pub(crate) mod waiting;

use crate::history::{System, assert_sound};
use crate::support::scene::{OPEN, Scene, dismiss};
use crate::support::worker::Worker;

/// When a worker last said that it was alive, in microseconds. PostgreSQL.
const LATEST_BEAT: &str = "SELECT coalesce(extract(epoch FROM max(last_seen)) * 1000000, 0)::bigint
    FROM apalis.workers WHERE id NOT LIKE 'dead-%'";

/// Ends workers in peace, after which everything that happened makes sense.
async fn end_soundly(scene: &Scene, workers: impl IntoIterator<Item = Worker>) {
    for worker in workers {
        dismiss(worker).await;
    }
    assert_sound(scene.url(), System::QUIET).await;
}

/// Has another worker settle what is left.
async fn settle_the_rest(scene: &Scene) {
    let other = scene.worker().await;
    scene.until(OPEN, 0, &other).await;
    end_soundly(scene, [other]).await;
}
