//! The census: what is true of the whole database, as numbers for a dashboard.
//!
//! ```text
//! worker A ─▶ claim: yes ─▶ count ─▶ publish ─┐
//! worker B ─▶ claim: no ──────────────────────┴▶ load ─▶ every worker exports the same numbers
//! ```
//!
//! One worker counts at a time, however many there are, and none is needed for it: one that dies while it counts
//! loses its turn to whoever asks next. A worker that has just started exports what was counted before it.

mod postgres;
mod sqlite;

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use sqlx::FromRow;

use super::QueueState;
use super::StoreError;
use super::records::moment;

/// How many of the verdicts on record are compared with their runs: those of the runs with the highest ids.
pub const COMPARED_MAX: i64 = 10_000;

/// What was counted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Census {
    /// The database's clock when it began.
    pub as_of: Timestamp,
    /// How long it took, in microseconds.
    pub took_micros: u64,
    /// Runs that nobody has closed.
    pub open_runs: u64,
    /// Those of them whose time to be looked at has come.
    pub due_runs: u64,
    /// Since when the oldest of these is due; none where none is, or nobody knows since when.
    pub due_since: Option<Timestamp>,
    /// What is in each list of the queue that holds anything.
    pub queue: BTreeMap<QueueState, Listed>,
    /// Verdicts on record.
    pub ledger_rows: u64,
    /// Runs that say something else than the verdict on record, among [`COMPARED_MAX`].
    pub disagreements: u64,
}

/// What is in one list of the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listed {
    /// How many entries.
    pub entries: u64,
    /// Since when the oldest is in it.
    pub oldest: Timestamp,
}

impl Census {
    /// How long ago something was when this was counted; never less than no time.
    #[must_use]
    pub fn age(&self, since: Timestamp) -> SignedDuration {
        self.as_of.duration_since(since).max(SignedDuration::ZERO)
    }
}

/// A database that can be counted.
#[async_trait]
pub trait Counting: Send + Sync {
    /// Whether this worker is to count now: nobody was told to for `every`, by the database's clock.
    async fn claim_census(&self, worker: &str, every: Duration) -> Result<bool, StoreError>;

    /// Counts. Needs the queue's tables. Reads no document and no payload, so that it costs little beside a settlement.
    async fn take_census(&self) -> Result<Census, StoreError>;

    /// Leaves what was counted for all workers, unless something newer is there.
    async fn publish_census(&self, census: &Census) -> Result<(), StoreError>;

    /// What was counted last; nothing where nobody has counted yet, or a later release counted something else.
    async fn load_census(&self) -> Result<Option<Census>, StoreError>;
}

/// A row of `count_runs`.
#[derive(FromRow)]
struct RunsRecord {
    as_of: i64,
    open_runs: i64,
    due_runs: i64,
    due_since: Option<i64>,
    ledger_rows: i64,
    disagreements: i64,
}

impl RunsRecord {
    fn read(self, queue: Vec<ListRecord>, took: Duration) -> sqlx::Result<Census> {
        Ok(Census {
            as_of: moment(self.as_of)?,
            took_micros: u64::try_from(took.as_micros()).unwrap_or(u64::MAX),
            open_runs: self.open_runs.unsigned_abs(),
            due_runs: self.due_runs.unsigned_abs(),
            due_since: self.due_since.map(moment).transpose()?,
            queue: queue
                .into_iter()
                .map(ListRecord::read)
                .collect::<sqlx::Result<_>>()?,
            ledger_rows: self.ledger_rows.unsigned_abs(),
            disagreements: self.disagreements.unsigned_abs(),
        })
    }
}

/// A row of `count_queue`, `count_troubled` or `count_jobs`.
#[derive(FromRow)]
struct ListRecord {
    state: String,
    entries: i64,
    oldest: i64,
}

impl ListRecord {
    fn read(self) -> sqlx::Result<(QueueState, Listed)> {
        let state = QueueState::parse(&self.state)
            .ok_or_else(|| sqlx::Error::Decode(format!("no state: {}", self.state).into()))?;
        let listed = Listed {
            entries: self.entries.unsigned_abs(),
            oldest: moment(self.oldest)?,
        };
        Ok((state, listed))
    }
}

/// From `load_census`. What cannot be read was counted by another release.
fn published(counts: Option<String>) -> Option<Census> {
    serde_json::from_str(&counts?).ok()
}
