//! Second opinions, formed while nothing else needs the database: a part at a time, by one worker at a time.

use std::sync::Arc;
use std::time::Duration;

use super::shared::Shared;
use crate::clock::Stopwatch;
use crate::metrics::OPINIONS;
use crate::storage::{OpinionPart, StoreError};

/// How long until it is looked again for runs that somebody closed, where all were judged.
const LOOK_EVERY: Duration = Duration::from_secs(15);

/// How many times as long as a part took is waited before the next, so that most of the time is left to settlements.
const PAUSES_PER_PART: u32 = 4;

/// Forms opinions until the process stops.
pub(super) async fn keep_forming(shared: Arc<Shared>) {
    let mut failing = false;
    loop {
        let since_start = Stopwatch::start();
        let formed = match form(&shared).await {
            None => Ok(None),
            Some(formed) => formed.map_err(|error| error.to_string()),
        };
        let wait = match &formed {
            Ok(Some(part)) if !part.is_over => since_start.elapsed() * PAUSES_PER_PART,
            _ => LOOK_EVERY,
        };
        match formed {
            Ok(part) => {
                failing = false;
                for (claimed, stance) in part.into_iter().flat_map(|part| part.kept) {
                    OPINIONS.add([claimed.word(), stance.word()], 1);
                }
            }
            Err(error) => {
                // Said once: verdicts do not wait for it.
                if !failing && shared.health.database_is_up() {
                    tracing::warn!(error, "no opinions are formed on runs that others closed");
                }
                failing = true;
            }
        }
        if shared.rest(wait).await.is_err() {
            return;
        }
    }
}

/// Forms a part; nothing where that is not wanted or not possible now.
async fn form(shared: &Shared) -> Option<Result<Option<OpinionPart>, StoreError>> {
    let window = Duration::try_from(shared.options.sweep.opinions_window).unwrap_or_default();
    if window.is_zero() || shared.health.is_obstructed() {
        return None;
    }
    let policy = &shared.options.settling.policy;
    let forming = shared.store.form_opinions(policy, window, false);
    let limit = shared.options.worker.attempt_timeout;
    // What takes too long is undone, and tried again later.
    tokio::time::timeout(limit, forming).await.ok()
}
