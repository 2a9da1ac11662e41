//! Rows of the queue as statements return them. Both databases name their columns alike.

use std::collections::BTreeMap;

use reconciler_jobs::ids::{EnvironmentId, RunId, WorkspaceId};
use sqlx::FromRow;

use super::queue::{
    AttemptsOnRecord, JobOnRecord, JobState, QueueCount, QueueEntry, Standing, WatchOnRecord,
};
use super::rows::optional;
use crate::storage::column::Word;
use crate::storage::queue::{QueueState, cause_of, run_of};
use crate::storage::records::moment;

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
    since: i64,
    next_at: Option<i64>,
    reason: Option<String>,
    error: Option<String>,
    in_state: i64,
    oldest: i64,
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
            oldest: moment(self.oldest)?,
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
            since: moment(self.since)?,
            next_at: optional(self.next_at)?,
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
    attempts_first_seen_at: Option<i64>,
    attempts_last_tried_at: Option<i64>,
    attempts_try_again_at: Option<i64>,
    attempts_dead_at: Option<i64>,
    attempts_dropped_at: Option<i64>,
    watch_reason_code: Option<String>,
    watch_tries: Option<i64>,
    watch_first_seen_at: Option<i64>,
    watch_last_looked_at: Option<i64>,
    watch_look_again_at: Option<i64>,
    watch_error: Option<String>,
}

impl TryFrom<StandingRecord> for Standing {
    type Error = sqlx::Error;

    fn try_from(record: StandingRecord) -> Result<Self, sqlx::Error> {
        Ok(Self {
            run: RunId(record.run),
            workspace: WorkspaceId(record.workspace),
            environment: record.environment.map(EnvironmentId),
            attempts: record.attempts()?,
            watch: record.watch()?,
            run_type: record.run_type.into(),
            status: record.status.into(),
        })
    }
}

impl StandingRecord {
    fn attempts(&self) -> Result<Option<AttemptsOnRecord>, sqlx::Error> {
        let (Some(tries), Some(worker), Some(first_seen_at)) = (
            self.attempts_tries,
            &self.attempts_worker,
            self.attempts_first_seen_at,
        ) else {
            return Ok(None);
        };
        let dead_at = optional(self.attempts_dead_at)?;
        Ok(Some(AttemptsOnRecord {
            tries: counted(tries),
            worker: worker.clone(),
            first_seen_at: moment(first_seen_at)?,
            last_tried_at: optional(self.attempts_last_tried_at)?,
            try_again_at: optional(self.attempts_try_again_at.filter(|_| dead_at.is_none()))?,
            dead_at,
            dropped_at: optional(self.attempts_dropped_at)?,
        }))
    }

    fn watch(&self) -> Result<Option<WatchOnRecord>, sqlx::Error> {
        let (Some(reason_code), Some(first), Some(last), Some(again)) = (
            &self.watch_reason_code,
            self.watch_first_seen_at,
            self.watch_last_looked_at,
            self.watch_look_again_at,
        ) else {
            return Ok(None);
        };
        Ok(Some(WatchOnRecord {
            reason_code: reason_code.clone(),
            tries: counted(self.watch_tries.unwrap_or_default()),
            first_seen_at: moment(first)?,
            last_looked_at: moment(last)?,
            look_again_at: moment(again)?,
            error: self.watch_error.clone(),
        }))
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
    run_at: i64,
    taken_at: Option<i64>,
    done_at: Option<i64>,
}

impl JobRecord {
    /// Whether the job asks for `run`.
    pub(super) fn asks_for(&self, run: RunId) -> bool {
        run_of(&self.payload) == Some(run)
    }
}

impl TryFrom<JobRecord> for JobOnRecord {
    type Error = sqlx::Error;

    fn try_from(record: JobRecord) -> Result<Self, sqlx::Error> {
        let state = match record.status.as_str() {
            "Pending" => JobState::Waiting,
            "Queued" | "Running" => JobState::InHand,
            "Done" => JobState::Finished,
            "Killed" => JobState::Killed,
            _ => JobState::Failed,
        };
        Ok(Self {
            id: record.id,
            state,
            cause: cause_of(&record.payload),
            worker: record.worker,
            deliveries: counted(record.deliveries),
            run_at: moment(record.run_at)?,
            taken_at: optional(record.taken_at)?,
            done_at: optional(record.done_at)?,
        })
    }
}

fn counted(number: i64) -> u32 {
    u32::try_from(number.max(0)).unwrap_or(u32::MAX)
}
