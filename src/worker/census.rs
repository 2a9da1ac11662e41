//! The numbers about the whole database: counted by one worker at a time, exported by every one.
//!
//! No verdict waits for it. A census that fails leaves what was counted before, with the time when that was.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;

use super::shared::{BEAT_EVERY, Shared};
use crate::health::Obstacle;
use crate::metrics::{
    CENSUS_DURATION, CENSUS_TAKEN, DISAGREEMENTS, DUE_AGE, DUE_RUNS, FEED_LAG, FEED_UNPLACED,
    FOREIGN_ROWS, LEDGER_ROWS, LEDGER_UNSEALED, OPEN_RUNS, PAUSES, QUEUE_AGE, QUEUE_ENTRIES,
    UNDECIDED_AGE, UNDECIDED_RUNS, UNPROVEN_SUCCESSES, deferral_reasons, number, seconds_of,
};
use crate::storage::QueueState;
use crate::storage::StoreError;
use crate::storage::census::{Census, Listed};

/// Takes its turn at counting, and exports what was counted, until the process stops.
pub(super) async fn keep_counting(shared: Arc<Shared>) {
    let mut failing = false;
    // Consumers of the feed in the census before: one that is in the next no more is exported as 0 once.
    let mut consumers = BTreeSet::new();
    loop {
        // Beside another version of our schema nothing is written, not even this.
        while shared.health.is_obstructed_by(Obstacle::OtherSchema) {
            if shared.rest(BEAT_EVERY).await.is_err() {
                return;
            }
        }
        let limit = shared.options.worker.attempt_timeout;
        let counted = tokio::time::timeout(limit, count(&shared)).await;
        let error = match counted {
            Ok(Ok(census)) => {
                if let Some(census) = &census {
                    export(census);
                    export_lags(census, &mut consumers);
                    let refused = census.queue.get(&QueueState::Refused);
                    shared.health.paused(census.pauses);
                    shared.health.refused(refused.map_or(0, |it| it.entries));
                }
                None
            }
            Ok(Err(error)) => Some(error.to_string()),
            Err(_) => Some("the database took too long".to_owned()),
        };
        // Said once: the age of the census says how long it lasts.
        if let Some(error) = &error
            && !failing
            && shared.health.database_is_up()
        {
            tracing::warn!(
                error,
                "the census failed; metrics keep what was counted before"
            );
        }
        failing = error.is_some();
        if shared
            .rest(shared.options.metrics.census_every)
            .await
            .is_err()
        {
            return;
        }
    }
}

async fn count(shared: &Shared) -> Result<Option<Census>, StoreError> {
    let worker = shared.name.as_str();
    // A little early, so that the same worker need not miss every other turn of its own.
    let every = shared.options.metrics.census_every.mul_f64(0.9);
    if shared.store.claim_census(worker, every).await? {
        let census = shared.store.take_census().await?;
        shared.store.publish_census(&census).await?;
    }
    shared.store.load_census().await
}

fn export(census: &Census) {
    // As of the census: an age that grew while nobody counts would tell of runs that are long settled.
    let age = |since| census.age(since).as_secs_f64();
    CENSUS_TAKEN.set([], seconds_of(census.as_of));
    CENSUS_DURATION.set([], number(census.took_micros) / 1e6);
    OPEN_RUNS.set([], number(census.open_runs));
    DUE_RUNS.set([], number(census.due_runs));
    DUE_AGE.set([], census.due_since.map_or(0.0, age));
    LEDGER_ROWS.set([], number(census.ledger_rows));
    DISAGREEMENTS.set([], number(census.disagreements));
    FOREIGN_ROWS.set([], number(census.foreign_rows));
    PAUSES.set([], number(census.pauses));
    UNPROVEN_SUCCESSES.set([], number(census.unproven_successes));
    let entries = |listed: Option<&Listed>| number(listed.map_or(0, |it| it.entries));
    let oldest = |listed: Option<&Listed>| listed.map_or(0.0, |it| age(it.oldest));
    for state in QueueState::ALL {
        let listed = census.queue.get(&state);
        QUEUE_ENTRIES.set([state.name()], entries(listed));
        QUEUE_AGE.set([state.name()], oldest(listed));
    }
    for reason in deferral_reasons() {
        let listed = census.undecided.get(reason);
        UNDECIDED_RUNS.set([reason], entries(listed));
        UNDECIDED_AGE.set([reason], oldest(listed));
    }
}

fn export_lags(census: &Census, consumers: &mut BTreeSet<String>) {
    let age = |since: Option<Timestamp>| since.map_or(0.0, |since| census.age(since).as_secs_f64());
    let lags = &census.feed;
    FEED_UNPLACED.set([], age(lags.unplaced_since));
    LEDGER_UNSEALED.set([], age(lags.unsealed_since));
    consumers.extend(lags.behind_since.keys().cloned());
    for consumer in consumers.iter() {
        let since = lags.behind_since.get(consumer).copied().flatten();
        FEED_LAG.set_for(consumer, age(since));
    }
    consumers.retain(|consumer| lags.behind_since.contains_key(consumer));
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::metrics::{Exporter, QUEUE_STATES, Role};

    #[test]
    fn every_state_of_the_queue_has_its_series() {
        assert_eq!(QueueState::ALL.map(QueueState::name), QUEUE_STATES);
    }

    #[test]
    fn a_new_consumer_has_its_series_however_many_were_forgotten() {
        let exporter = Exporter::new(&[Role::Worker], Timestamp::UNIX_EPOCH).unwrap();
        let mut consumers = BTreeSet::new();
        for number in 0..100 {
            let census = json!({
                "as_of": "2026-01-01T00:01:00Z", "took_micros": 0, "open_runs": 0, "due_runs": 0, "due_since": null,
                "queue": {}, "ledger_rows": 0, "disagreements": 0, "foreign_rows": 0,
                "feed": {"behind_since": {(format!("c{number}")): "2026-01-01T00:00:00Z"}},
            });
            let census: Census = serde_json::from_value(census).unwrap();
            exporter.record(|| export_lags(&census, &mut consumers));
            assert_eq!(consumers.len(), 1);
        }
        let said = exporter.exported().render();
        for (consumer, lag) in [("c98", 0), ("c99", 60)] {
            let series = format!("reconciler_feed_lag_seconds{{consumer=\"{consumer}\"}} {lag}\n");
            assert!(said.contains(&series), "{said}");
        }
    }
}
