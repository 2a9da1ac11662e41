//! What is said of the queue.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ClaimBoundary, Verdict, Word};
use crate::cli::exit::Exit;
use crate::storage::oversight::{
    AttemptsOnRecord, JobOnRecord, JobState, QueueCount, QueueEntry, QueueState, ShardJobs,
    WatchOnRecord,
};

/// What `enqueue`, `queue retry` or `queue drop` came to, run by run. None of them decides anything.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Asked {
    /// One entry per run, in the order in which they were asked for.
    pub runs: Vec<AskedRun>,
    /// What no verdict claims.
    pub claim_boundary: ClaimBoundary,
}

/// What became of one run that was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AskedRun {
    /// The run.
    pub run: i64,
    /// What became of it.
    pub state: AskedState,
    /// The decision on record, where the run has a verdict of ours.
    pub decision: Option<Word>,
    /// The run's workspace; none where there is no such run.
    pub workspace: Option<i64>,
    /// The run's environment.
    pub environment: Option<i64>,
}

impl AskedRun {
    /// The exit code for this run alone.
    #[must_use]
    pub fn exit(&self) -> Exit {
        match self.state {
            AskedState::Queued
            | AskedState::StartsOver
            | AskedState::DueAlready
            | AskedState::NotInTrouble
            | AskedState::Dropped
            | AskedState::DroppedBefore => Exit::Done,
            AskedState::DecidedBefore => self.decision.map_or(Exit::Undecided, Word::exit),
            AskedState::DeadLetter
            | AskedState::NotDead
            | AskedState::LedgerAltered
            | AskedState::ClosedElsewhere
            | AskedState::UnsupportedType => Exit::Undecided,
            AskedState::NotQueued | AskedState::Absent => Exit::CouldNotRun,
        }
    }
}

/// What became of a run that an operator asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AskedState {
    /// A job was queued.
    Queued,
    /// The run is open, and the queue took no job for it.
    NotQueued,
    /// The run is a dead letter, so a job would change nothing.
    DeadLetter,
    /// The run starts over, and a job was queued.
    StartsOver,
    /// The run is in trouble, and its time has come already.
    DueAlready,
    /// The run is open and not in trouble.
    NotInTrouble,
    /// The dead letter is acknowledged. The run stays open, and nothing is proven.
    Dropped,
    /// The dead letter was acknowledged before.
    DroppedBefore,
    /// The run is open and no dead letter.
    NotDead,
    /// The run is closed, with a verdict that the ledger holds.
    DecidedBefore,
    /// The run is closed, and the ledger's entry for it was altered: its columns, facts and digest disagree.
    LedgerAltered,
    /// Somebody else closed the run. The ledger holds no verdict, so nothing was proven.
    ClosedElsewhere,
    /// The run is of a type that is not judged here.
    UnsupportedType,
    /// There is no such run.
    Absent,
}

/// What `queue list` shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct QueueListed {
    /// The database's clock when it was read, RFC 3339.
    pub as_of: String,
    /// The workspace that the list is confined to.
    pub workspace: Option<i64>,
    /// One count per state that has entries, worst first.
    pub counts: Vec<StateCount>,
    /// Jobs that ask for a shard of a sweep, of all workspaces.
    pub sweep_jobs: ShardJobs,
    /// Entries, worst state first, and the oldest of each state first.
    pub entries: Vec<ListedEntry>,
    /// How many more there are.
    pub omitted: u64,
}

/// How many entries are in one state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StateCount {
    /// The state.
    pub state: QueueState,
    /// How many there are.
    pub entries: u64,
    /// Since when the oldest one is in it, RFC 3339.
    pub oldest_since: String,
    /// How long that is, in seconds.
    pub oldest_age_s: u64,
}

/// A run in trouble, or a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ListedEntry {
    /// Why it is listed.
    pub state: QueueState,
    /// The run; none where a job does not name one that can be read.
    pub run: Option<i64>,
    /// The run's workspace; none where there is no such run.
    pub workspace: Option<i64>,
    /// The run's environment.
    pub environment: Option<i64>,
    /// The job, where the entry is one.
    pub job: Option<String>,
    /// Why the job was queued.
    pub cause: Option<String>,
    /// Who has the job in hand, or had the run in hand last.
    pub worker: Option<String>,
    /// Deliveries of a job, the present one included; tries of a run.
    pub tries: u32,
    /// Since when it is in this state, RFC 3339.
    pub since: String,
    /// When the run is looked at or tried again by itself, RFC 3339.
    pub next_at: Option<String>,
    /// The reason on the watch list.
    pub reason: Option<String>,
    /// What the database said, where it refused.
    pub error: Option<String>,
}

impl StateCount {
    /// The count, seen at `as_of`.
    pub(in crate::cli) fn at(count: &QueueCount, as_of: jiff::Timestamp) -> Self {
        let age = as_of.duration_since(count.oldest).as_secs();
        Self {
            state: count.state,
            entries: count.entries,
            oldest_since: count.oldest.to_string(),
            oldest_age_s: u64::try_from(age).unwrap_or_default(),
        }
    }
}

impl From<QueueEntry> for ListedEntry {
    fn from(entry: QueueEntry) -> Self {
        Self {
            state: entry.state,
            run: entry.run.map(|id| id.0),
            workspace: entry.workspace.map(|id| id.0),
            environment: entry.environment.map(|id| id.0),
            job: entry.job,
            cause: entry.cause,
            worker: entry.worker,
            tries: entry.tries,
            since: entry.since.to_string(),
            next_at: super::moment(entry.next_at),
            reason: entry.reason,
            error: entry.error,
        }
    }
}

/// What `queue show` shows: everything that is remembered of one run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct QueueShown {
    /// The run.
    pub run: i64,
    /// Its workspace.
    pub workspace: i64,
    /// Its environment.
    pub environment: Option<i64>,
    /// Its type.
    pub run_type: String,
    /// Its status.
    pub run_status: String,
    /// Settlements that never ended.
    pub attempts: Option<Attempts>,
    /// Its entry on the watch list.
    pub watch: Option<Watch>,
    /// The latest jobs that asked for it, the latest first.
    pub jobs: Vec<Job>,
    /// The verdict on record.
    pub verdict: Option<Verdict>,
    /// What to do next.
    pub next_action: String,
    /// What no verdict claims.
    pub claim_boundary: ClaimBoundary,
}

/// Settlements of a run that never ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Attempts {
    /// How many were begun since the run last started over.
    pub tries: u32,
    /// Who had the run in hand last.
    pub worker: String,
    /// When the run was first suspected, RFC 3339.
    pub first_seen_at: String,
    /// When the last try began, RFC 3339.
    pub last_tried_at: Option<String>,
    /// When the next one may begin, RFC 3339; none for a dead letter.
    pub try_again_at: Option<String>,
    /// Since when the run is a dead letter, RFC 3339.
    pub dead_at: Option<String>,
    /// Since when the dead letter is dropped, RFC 3339.
    pub dropped_at: Option<String>,
}

impl From<&AttemptsOnRecord> for Attempts {
    fn from(attempts: &AttemptsOnRecord) -> Self {
        let next = Some(attempts.try_again_at).filter(|_| attempts.dead_at.is_none());
        Self {
            tries: attempts.tries,
            worker: attempts.worker.clone(),
            first_seen_at: attempts.first_seen_at.to_string(),
            last_tried_at: super::moment(attempts.last_tried_at),
            try_again_at: super::moment(next),
            dead_at: super::moment(attempts.dead_at),
            dropped_at: super::moment(attempts.dropped_at),
        }
    }
}

/// A run's entry on the watch list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Watch {
    /// Why the run stays open.
    pub reason_code: String,
    /// How often it was looked at.
    pub tries: u32,
    /// When it was put on the list, RFC 3339.
    pub first_seen_at: String,
    /// When it was looked at last, RFC 3339.
    pub last_looked_at: String,
    /// When it is looked at again, RFC 3339.
    pub look_again_at: String,
    /// What the database said, where it refused.
    pub error: Option<String>,
}

impl From<&WatchOnRecord> for Watch {
    fn from(watch: &WatchOnRecord) -> Self {
        Self {
            reason_code: watch.reason_code.clone(),
            tries: watch.tries,
            first_seen_at: watch.first_seen_at.to_string(),
            last_looked_at: watch.last_looked_at.to_string(),
            look_again_at: watch.look_again_at.to_string(),
            error: watch.error.clone(),
        }
    }
}

/// A job in any state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Job {
    /// The job.
    pub id: String,
    /// Where it stands.
    pub state: JobState,
    /// Why it was queued; none where that cannot be read.
    pub cause: Option<String>,
    /// Who has taken it.
    pub worker: Option<String>,
    /// How often it was delivered.
    pub deliveries: u32,
    /// From when on it may be taken, RFC 3339.
    pub run_at: String,
    /// When it was taken, RFC 3339.
    pub taken_at: Option<String>,
    /// When it was finished, RFC 3339.
    pub done_at: Option<String>,
}

impl From<&JobOnRecord> for Job {
    fn from(job: &JobOnRecord) -> Self {
        Self {
            id: job.id.clone(),
            state: job.state,
            cause: job.cause.clone(),
            worker: job.worker.clone(),
            deliveries: job.deliveries,
            run_at: job.run_at.to_string(),
            taken_at: super::moment(job.taken_at),
            done_at: super::moment(job.done_at),
        }
    }
}
