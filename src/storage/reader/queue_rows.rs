//! Rows of the queue as statements return them. Both databases name their columns alike.

use std::collections::BTreeMap;

use jiff::Timestamp;
use reconciler_jobs::ids::{EnvironmentId, RunId, WorkspaceId};
use sqlx::FromRow;

use super::listing::{
    AttemptsOnRecord, JobOnRecord, JobState, QueueCount, QueueEntry, QueueStanding, WatchOnRecord,
};
use crate::storage::column::{StoredMoment, Word};
use crate::storage::queue::{QueueState, cause_of, run_of};

/// A row of `load_entries`.
#[derive(FromRow)]
pub(super) struct EntryRecord {
    pub(super) state: String,
    pub(super) run: Option<i64>,
    pub(super) workspace: Option<i64>,
    pub(super) environment: Option<i64>,
    job: Option<String>,
    payload: Option<Vec<u8>>,
    worker: Option<String>,
    tries: i64,
    #[sqlx(try_from = "StoredMoment")]
    since: Timestamp,
    #[sqlx(try_from = "StoredMoment")]
    next_at: Option<Timestamp>,
    reason: Option<String>,
    error: Option<String>,
    in_state: i64,
    #[sqlx(try_from = "StoredMoment")]
    oldest: Timestamp,
}

impl EntryRecord {
    /// Finds the run in the payload, where the statement has not.
    pub(super) fn find_run(&mut self) {
        self.run = self.payload.as_deref().and_then(run_of).map(|run| run.0);
    }

    /// The entry, and the count of its state.
    pub(super) fn read(self) -> Result<(QueueEntry, QueueCount), sqlx::Error> {
        let state = QueueState::parse(&self.state)
            .ok_or_else(|| sqlx::Error::Decode(format!("no state: {}", self.state).into()))?;
        let count = QueueCount {
            state,
            entries: self.in_state.unsigned_abs(),
            oldest: self.oldest,
        };
        let entry = QueueEntry {
            state,
            run: self.run.map(RunId),
            workspace: self.workspace.map(WorkspaceId),
            environment: self.environment.map(EnvironmentId),
            job: self.job,
            cause: self.payload.as_deref().and_then(cause_of),
            worker: self.worker,
            tries: counted(self.tries),
            since: self.since,
            next_at: self.next_at,
            reason: self.reason,
            error: self.error,
        };
        Ok((entry, count))
    }
}

/// Entries and the counts of their states.
pub(super) type Read = (Vec<QueueEntry>, BTreeMap<QueueState, QueueCount>);

pub(super) fn read_all(records: Vec<EntryRecord>) -> Result<Read, sqlx::Error> {
    let mut entries = Vec::with_capacity(records.len());
    let mut counts = BTreeMap::new();
    for record in records {
        let (entry, count) = record.read()?;
        counts.insert(count.state, count);
        entries.push(entry);
    }
    Ok((entries, counts))
}

/// A row of `load_standings`.
#[derive(FromRow)]
pub(super) struct StandingRecord {
    run: i64,
    workspace: i64,
    environment: Option<i64>,
    run_type: Word,
    status: Word,
    attempts_tries: Option<i64>,
    attempts_worker: Option<String>,
    #[sqlx(try_from = "StoredMoment")]
    attempts_first_seen_at: Option<Timestamp>,
    #[sqlx(try_from = "StoredMoment")]
    attempts_last_tried_at: Option<Timestamp>,
    #[sqlx(try_from = "StoredMoment")]
    attempts_try_again_at: Option<Timestamp>,
    #[sqlx(try_from = "StoredMoment")]
    attempts_dead_at: Option<Timestamp>,
    #[sqlx(try_from = "StoredMoment")]
    attempts_dropped_at: Option<Timestamp>,
    watch_reason_code: Option<String>,
    watch_tries: Option<i64>,
    #[sqlx(try_from = "StoredMoment")]
    watch_first_seen_at: Option<Timestamp>,
    #[sqlx(try_from = "StoredMoment")]
    watch_last_looked_at: Option<Timestamp>,
    #[sqlx(try_from = "StoredMoment")]
    watch_look_again_at: Option<Timestamp>,
    watch_error: Option<String>,
}

impl From<StandingRecord> for QueueStanding {
    fn from(record: StandingRecord) -> Self {
        Self {
            run: RunId(record.run),
            workspace: WorkspaceId(record.workspace),
            environment: record.environment.map(EnvironmentId),
            attempts: record.attempts(),
            watch: record.watch(),
            run_type: record.run_type.into(),
            status: record.status.into(),
        }
    }
}

impl StandingRecord {
    fn attempts(&self) -> Option<AttemptsOnRecord> {
        let dead_at = self.attempts_dead_at;
        Some(AttemptsOnRecord {
            tries: counted(self.attempts_tries?),
            worker: self.attempts_worker.clone()?,
            first_seen_at: self.attempts_first_seen_at?,
            last_tried_at: self.attempts_last_tried_at,
            try_again_at: self.attempts_try_again_at.filter(|_| dead_at.is_none()),
            dead_at,
            dropped_at: self.attempts_dropped_at,
        })
    }

    fn watch(&self) -> Option<WatchOnRecord> {
        Some(WatchOnRecord {
            reason_code: self.watch_reason_code.clone()?,
            tries: counted(self.watch_tries?),
            first_seen_at: self.watch_first_seen_at?,
            last_looked_at: self.watch_last_looked_at?,
            look_again_at: self.watch_look_again_at?,
            error: self.watch_error.clone(),
        })
    }
}

/// A row of `load_jobs`.
#[derive(FromRow)]
pub(super) struct JobRecord {
    id: String,
    status: String,
    payload: Vec<u8>,
    worker: Option<String>,
    deliveries: i64,
    #[sqlx(try_from = "StoredMoment")]
    run_at: Timestamp,
    #[sqlx(try_from = "StoredMoment")]
    taken_at: Option<Timestamp>,
    #[sqlx(try_from = "StoredMoment")]
    done_at: Option<Timestamp>,
}

impl JobRecord {
    /// Whether the job asks for `run`.
    pub(super) fn asks_for(&self, run: RunId) -> bool {
        run_of(&self.payload) == Some(run)
    }
}

impl From<JobRecord> for JobOnRecord {
    fn from(record: JobRecord) -> Self {
        let state = match record.status.as_str() {
            "Pending" => JobState::Waiting,
            "Queued" | "Running" => JobState::InHand,
            "Done" => JobState::Finished,
            "Killed" => JobState::Killed,
            _ => JobState::Failed,
        };
        Self {
            id: record.id,
            state,
            cause: cause_of(&record.payload),
            worker: record.worker,
            deliveries: counted(record.deliveries),
            run_at: record.run_at,
            taken_at: record.taken_at,
            done_at: record.done_at,
        }
    }
}

fn counted(number: i64) -> u32 {
    u32::try_from(number.max(0)).unwrap_or(u32::MAX)
}
