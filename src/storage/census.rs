//! The census: what is true of the whole database, as numbers for a dashboard.
//!
//! ```text
//! worker A ─▶ claim: yes ─▶ count ─▶ publish ─┐
//! worker B ─▶ claim: no ──────────────────────┴▶ load ─▶ every worker exports the same numbers
//! ```
//!
//! One worker counts at a time, however many there are, and none is needed for it: one that dies while it counts
//! loses its turn to whoever asks next. A worker that has just started exports what was counted before it.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use sqlx::FromRow;

use super::column::{CountColumn, StoredMoment};
use super::database::EitherDatabase;
use super::error::Result;
use super::queue::QueueState;
use super::reader::{COUNT_UNDECIDED, OpenReason};
use super::statement::{Statement, Value, statement, values};
use super::store::Store;
use crate::clock::Stopwatch;

/// How many of the verdicts on record are compared with their runs: those of the runs with the highest ids.
pub const COMPARED_MAX: i64 = 10_000;

const COUNT_RUNS: Statement = statement!("take the census", "count_runs");

/// What was counted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, FromRow)]
pub struct Census {
    /// The database's clock when it began.
    #[sqlx(try_from = "StoredMoment")]
    pub as_of: Timestamp,
    /// How long it took, in microseconds.
    #[sqlx(skip)]
    pub took_micros: u64,
    /// Runs that nobody has closed.
    #[sqlx(try_from = "CountColumn")]
    pub open_runs: u64,
    /// How many of these are due: their time to be looked at has come.
    #[sqlx(try_from = "CountColumn")]
    pub due_runs: u64,
    /// Since when the oldest of these is due; none where none is, or nobody knows since when.
    #[sqlx(try_from = "StoredMoment")]
    pub due_since: Option<Timestamp>,
    /// What is in each list of the queue that holds anything.
    #[sqlx(skip)]
    pub queue: BTreeMap<QueueState, Listed>,
    /// Open runs that were looked at, by the code of the reason why they are open. A census of before this was counted
    /// has none.
    #[serde(default)]
    #[sqlx(skip)]
    pub undecided: BTreeMap<String, Listed>,
    /// Verdicts on record.
    #[sqlx(try_from = "CountColumn")]
    pub ledger_rows: u64,
    /// Runs that say something else than the verdict on record, among [`COMPARED_MAX`].
    #[sqlx(try_from = "CountColumn")]
    pub disagreements: u64,
    /// Verdicts of other runs that had the ids of runs that are there, among as many: this ledger is another platform's.
    #[sqlx(try_from = "CountColumn")]
    pub foreign_rows: u64,
    /// Runs that somebody else closed as succeeded, and that is not proven. A census of before this was counted has none.
    #[serde(default)]
    #[sqlx(try_from = "CountColumn")]
    pub unproven_successes: u64,
    /// Pauses in force. A census of before this was counted has none.
    #[serde(default)]
    #[sqlx(skip)]
    pub pauses: u64,
    /// What the platform has not heard of yet. A census of before this was read has nothing.
    #[serde(default)]
    #[sqlx(skip)]
    pub feed: FeedLags,
}

/// Since when the oldest verdict waits to be heard of.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[expect(
    clippy::struct_field_names,
    reason = "they stand in the census on record"
)]
pub struct FeedLags {
    /// To get its position; none where none waits.
    pub unplaced_since: Option<Timestamp>,
    /// To get its leaf in the tree over the ledger; none where none waits. A census of before this was read has none.
    #[serde(default)]
    pub unsealed_since: Option<Timestamp>,
    /// To be acknowledged by each consumer; none where it has acknowledged all.
    pub behind_since: BTreeMap<String, Option<Timestamp>>,
}

/// What is in one list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, FromRow)]
pub struct Listed {
    /// How many entries.
    #[sqlx(try_from = "CountColumn")]
    pub entries: u64,
    /// Since when the oldest is in it.
    #[sqlx(try_from = "StoredMoment")]
    pub oldest: Timestamp,
}

impl Census {
    /// How long ago something was when this was counted; never less than no time.
    pub fn age(&self, since: Timestamp) -> SignedDuration {
        self.as_of.duration_since(since).max(SignedDuration::ZERO)
    }
}

impl Store {
    /// Whether this worker is to count now: nobody was told to for `every`, by the database's clock.
    pub async fn claim_census(&self, worker: &str, every: Duration) -> Result<bool> {
        let statement = statement!("claim the census", both "claim_census");
        let values = values![worker, every];
        Ok(self.database.execute(statement, values).await? > 0)
    }

    /// Counts. Needs the queue's tables. Reads no document and no payload, so that it costs little beside a settlement.
    pub async fn take_census(&self) -> Result<Census> {
        let step = COUNT_RUNS.step;
        let count_queue = statement!(step, "count_queue");
        let count_feed = statement!(step, postgres "count_feed");
        let since_start = Stopwatch::start();
        let counted = self.database.read(async |tx| {
            let census: Census = tx
                .driver()
                .fetch_one(COUNT_RUNS, values![COMPARED_MAX])
                .await?;
            let queue: Vec<ListRecord> = tx.driver().fetch_all(count_queue, &[]).await?;
            let of_all: Option<Vec<i64>> = None;
            let undecided: Vec<OpenReason> = tx
                .driver()
                .fetch_all(COUNT_UNDECIDED, values![of_all])
                .await?;
            let feed: Vec<LagRecord> = tx.driver().fetch_all(count_feed, &[]).await?;
            let pauses = tx.load_pauses().await?.len() as u64;
            Ok((Census { pauses, ..census }, queue, undecided, feed))
        });
        let (mut census, mut queue, undecided, feed) = counted.await?;
        for LagRecord {
            consumer,
            is_placed,
            since,
        } in feed
        {
            match consumer {
                Some(consumer) => drop(census.feed.behind_since.insert(consumer, since)),
                None if is_placed => census.feed.unsealed_since = since,
                None => census.feed.unplaced_since = since,
            }
        }
        if let EitherDatabase::Sqlite(_) = self.database {
            let count_jobs = statement!(step, sqlite queue "count_jobs");
            queue.extend(
                self.database
                    .fetch_all::<ListRecord>(count_jobs, &[])
                    .await?,
            );
        }
        let took = since_start.elapsed().as_micros();
        census.took_micros = u64::try_from(took).unwrap_or(u64::MAX);
        let undecided = undecided.into_iter();
        census.undecided = undecided
            .map(|it| {
                let (entries, oldest) = (it.runs, it.oldest);
                (it.reason, Listed { entries, oldest })
            })
            .collect();
        census.queue = queue.into_iter().map(|it| (it.state, it.listed)).collect();
        Ok(census)
    }

    /// Verdicts of other runs that had the ids of runs that are there, among [`COMPARED_MAX`].
    pub async fn count_foreign_verdicts(&self) -> Result<u64> {
        let counted: Census = self
            .database
            .fetch_one(COUNT_RUNS, values![COMPARED_MAX])
            .await?;
        Ok(counted.foreign_rows)
    }

    /// Leaves what was counted for all workers, unless something newer is there.
    pub async fn publish_census(&self, census: &Census) -> Result<()> {
        let statement = statement!("publish the census", both "publish_census");
        let counts = Value::document(statement.step, census)?;
        let values = &[census.as_of.into(), counts];
        self.database.execute(statement, values).await.map(drop)
    }

    /// What was counted last; nothing where nobody has counted yet, or a later release counted something else.
    pub async fn load_census(&self) -> Result<Option<Census>> {
        let statement = statement!("read the census", both "load_census");
        let counts: Vec<(Option<String>,)> = self.database.fetch_all(statement, &[]).await?;
        let counts = counts.into_iter().find_map(|(counts,)| counts);
        // What cannot be read was counted by another release.
        Ok(counts.and_then(|counts| serde_json::from_str(&counts).ok()))
    }
}

/// A row of `count_feed`: of one consumer, or of none.
#[derive(FromRow)]
struct LagRecord {
    consumer: Option<String>,
    is_placed: bool,
    #[sqlx(try_from = "StoredMoment")]
    since: Option<Timestamp>,
}

/// A row of `count_queue`, or of `count_jobs`.
#[derive(FromRow)]
struct ListRecord {
    #[sqlx(try_from = "String")]
    state: QueueState,
    #[sqlx(flatten)]
    listed: Listed,
}
