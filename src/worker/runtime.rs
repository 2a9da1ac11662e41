//! One queue's worker, on either database.
//!
//! apalis has its own ideas about retries, acknowledgements and panics. They are switched off or kept away here: a
//! handler returns once its run was dealt with, a job is finished by the transaction that did so, and whatever a
//! payload holds can be decoded, because a payload that cannot would end the worker each time it is delivered.

use std::convert::Infallible;
use std::time::Duration;

use apalis::prelude::{Attempt, Codec, Event};
use apalis_postgres::PostgresStorage;
use apalis_sqlite::SqliteStorage;
use serde::de::DeserializeOwned;
use serde_json::error::Category;

use super::notify::Polled;
use crate::health::{Health, Loop};
use crate::storage::{Backend, Migrator, Store, StoreError};

/// How many heartbeats at least fit into the time after which a silent worker loses its jobs.
const BEATS_PER_ORPHAN: f64 = 6.0;

/// The longest pause between two heartbeats, which are also how the loop shows that it turns.
const HEARTBEAT_MAX: Duration = Duration::from_secs(2);

/// Creates or upgrades the queue's own tables: schema `apalis` on PostgreSQL, a file beside the database
/// on SQLite. Several processes may call this at once.
///
/// On PostgreSQL it needs the extensions hstore and pgcrypto, or the right to create them.
pub async fn set_up(store: &Store) -> Result<(), StoreError> {
    store.migrate_queue(queue_migrations(store.backend())).await
}

/// The migrations of the queue's own tables.
pub fn queue_migrations(backend: Backend) -> Migrator {
    match backend {
        Backend::Postgres => PostgresStorage::migrations(),
        Backend::Sqlite => SqliteStorage::migrations(),
    }
}

/// The bytes of a job, whatever they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Payload(Vec<u8>);

impl Payload {
    /// What the job says.
    pub(super) fn parse<J: DeserializeOwned>(&self) -> Result<J, NotThisJob> {
        serde_json::from_slice(&self.0)
            .map_err(|error| NotThisJob(error.classify(), error.column()))
    }
}

/// Why a payload is no job of its queue. The parser's own words would quote what it holds.
#[derive(Debug, thiserror::Error)]
#[error("it is no job of this queue: {} at byte {}", problem(self.0), self.1)]
pub(super) struct NotThisJob(Category, usize);

fn problem(category: Category) -> &'static str {
    match category {
        Category::Io | Category::Eof => "it ends too early",
        Category::Syntax => "it is no JSON",
        Category::Data => "a value is missing or of another type",
    }
}

/// Takes payloads as they are.
#[derive(Debug, Clone, Copy)]
pub(super) struct AsIs;

impl Codec<Payload> for AsIs {
    type Error = Infallible;
    type Compact = Vec<u8>;

    fn encode(&self, payload: &Payload) -> Result<Vec<u8>, Infallible> {
        Ok(payload.0.clone())
    }

    fn decode(&self, bytes: &Vec<u8>) -> Result<Payload, Infallible> {
        Ok(Payload(bytes.clone()))
    }
}

/// Whether a job was taken before by a worker that ended.
pub(super) fn was_delivered_before(attempt: &Attempt) -> bool {
    attempt.current() > 1 // the delivery under way is counted
}

/// How a worker shows that it is alive.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rhythm {
    pub(super) heartbeat: Duration,
    pub(super) missed: u32,
}

impl Rhythm {
    /// A worker that was silent for `orphan_after` loses its jobs, and not before. apalis counts whole seconds, so that a rhythm even a millisecond too short would cost a whole one.
    pub(super) fn new(orphan_after: Duration) -> Self {
        let whole = orphan_after.as_secs() + u64::from(orphan_after.subsec_nanos() > 0);
        let whole = Duration::from_secs(whole);
        let heartbeat = whole.div_f64(BEATS_PER_ORPHAN).min(HEARTBEAT_MAX);
        // Up to whole milliseconds, so that beats do not add up to less.
        let heartbeat = Duration::from_millis(u64::from(heartbeat.subsec_millis()) + 1)
            + Duration::from_secs(heartbeat.as_secs());
        let missed = whole.as_millis().div_ceil(heartbeat.as_millis());
        Self {
            heartbeat,
            missed: u32::try_from(missed).unwrap_or(u32::MAX),
        }
    }
}

/// A queue, and how it is worked on.
#[derive(Debug, Clone, Copy)]
pub(super) struct QueueSpec {
    /// What apalis and the queue's rows call it.
    pub(super) name: &'static str,
    /// The loop whose turns its workers' signs of life are.
    pub(super) beats_as: Loop,
    /// How many jobs are in hand at the same time, and are fetched at most.
    pub(super) jobs_max: usize,
    /// Whether apalis acknowledges jobs on PostgreSQL; else the settling transaction does.
    pub(super) acknowledges: bool,
}

/// One worker of one queue: a future that ends when the process is told to stop and everything in hand is
/// finished, or when the worker fails.
///
/// A macro, because the two backends share no name for all that a worker asks of them.
macro_rules! work_on {
    ($shared:expr, $queue:expr, $worker:expr, $polls:expr, $context:expr, $handler:expr) => {{
        use $crate::storage::QueuePool;
        use $crate::worker::runtime::run_worker;
        let shared = std::sync::Arc::clone(&$shared);
        let (queue, worker, polls, context) = ($queue, $worker, $polls, $context);
        async move {
            match shared.store.queue_pool() {
                QueuePool::Postgres(pool) => {
                    let storage = apalis_postgres::PostgresStorage::new(&pool);
                    let config =
                        apalis_postgres::Config::default().persist_results(queue.acknowledges);
                    run_worker!(
                        storage, config, shared, queue, worker, polls, context, $handler
                    )
                }
                QueuePool::Sqlite(pool) => {
                    let storage = apalis_sqlite::SqliteStorage::new(&pool);
                    let config = apalis_sqlite::Config::default().persist_results(true);
                    run_worker!(
                        storage, config, shared, queue, worker, polls, context, $handler
                    )
                }
            }
        }
    }};
}
pub(super) use work_on;

macro_rules! run_worker {
    ($storage:expr, $config:expr, $shared:expr, $queue:expr, $worker:expr, $polls:expr, $context:expr,
     $handler:expr) => {{
        use apalis::prelude::*;
        let rhythm = $crate::worker::runtime::Rhythm::new($shared.options.worker.orphan_after);
        let config = $config
            .queue($queue.name)
            .batch_size($queue.jobs_max)
            .heartbeat_interval(rhythm.heartbeat)
            .missed_heartbeats(rhythm.missed as usize)
            .lock_tasks(false);
        let polled = $polls.polled();
        let backend = $storage
            .with_config(config)
            .with_codec($crate::worker::runtime::AsIs)
            .poll_with_strategy($polls);
        let health = std::sync::Arc::clone(&$shared.health);
        let running = WorkerContext::new(&$worker);
        let worker = WorkerBuilder::new(&running)
            .backend(backend)
            .concurrency($queue.jobs_max)
            .data($context)
            .on_event(move |_, event| {
                $crate::worker::runtime::note(&health, $queue.beats_as, &polled, event);
            })
            .build($handler)
            .run();
        tokio::pin!(worker);
        let ended = tokio::select! {
            biased;
            ended = &mut worker => ended,
            () = $shared.told_to_finish() => {
                // It has begun: its first turn came before this one.
                let _ = running.stop();
                // It sends no sign of life any more.
                $shared.beating($queue.beats_as, &mut worker).await
            }
        };
        ended.map_err(Into::into)
    }};
}
pub(super) use run_worker;

/// Takes a worker's events for signs of life. A heartbeat was written to the database, and is also how one
/// learns that a poll of the queue was answered.
pub(super) fn note(health: &Health, which: Loop, polled: &Polled, event: &Event) {
    match event {
        Event::HeartBeat => {
            health.beat(which);
            if polled.is_answered() && which == Loop::Queue {
                health.polled();
            }
        }
        Event::Success(_) | Event::Error(_) => health.beat(which),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_worker_loses_its_jobs_too_early_or_seems_silent() {
        for millis in (2_000..=600_000).step_by(50) {
            let orphan_after = Duration::from_millis(millis);
            let rhythm = Rhythm::new(orphan_after);
            let counted = (rhythm.heartbeat * rhythm.missed).as_secs();
            let late = Duration::from_secs(counted).checked_sub(orphan_after);
            assert!(
                late.is_some_and(|late| late <= Duration::from_secs(3)),
                "{orphan_after:?}: {rhythm:?}"
            );
            assert!(rhythm.heartbeat <= HEARTBEAT_MAX + Duration::from_millis(1));
            assert!(rhythm.missed >= 6, "{rhythm:?}");
        }
    }
}
