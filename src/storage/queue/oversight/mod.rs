//! What an operator sees of the queue, and the little that he may change about it.
//!
//! Nothing here decides anything: a run that starts over is judged by the rules like any other, and a
//! dead letter that is dropped stays open.

mod postgres;
mod records;
mod sqlite;

use std::collections::BTreeMap;

use async_trait::async_trait;
use jiff::Timestamp;
use reconciler_jobs::ids::{EnvironmentId, RunId, WorkspaceId};
use reconciler_jobs::restore_execute::facts::{RUN_TYPE, RunStatus};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::storage::StoreError;
use crate::storage::reader::Workspaces;

/// Why a run or a job is listed, worst first.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum QueueState {
    /// Every settlement that was tried ended its process. Nobody tries again by himself.
    DeadLetter,
    /// Settlements ended their process, or were in its hands when it ended. The next one waits.
    Suspended,
    /// The database refused a verdict. The run is tried again, less and less often.
    Refused,
    /// A worker has taken the job.
    InHand,
    /// The job waits for a worker.
    Waiting,
    /// A dead letter that an operator has acknowledged.
    Dropped,
    /// The rules wait for proof that may still arrive.
    Deferred,
}

impl QueueState {
    /// Every state, worst first.
    pub const ALL: [Self; 7] = [
        Self::DeadLetter,
        Self::Suspended,
        Self::Refused,
        Self::InHand,
        Self::Waiting,
        Self::Dropped,
        Self::Deferred,
    ];

    /// Those that somebody may have to act on, or that a worker is about to.
    pub const UNSETTLED: [Self; 5] = [
        Self::DeadLetter,
        Self::Suspended,
        Self::Refused,
        Self::InHand,
        Self::Waiting,
    ];

    /// The word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::DeadLetter => "dead_letter",
            Self::Suspended => "suspended",
            Self::Refused => "refused",
            Self::InHand => "in_hand",
            Self::Waiting => "waiting",
            Self::Dropped => "dropped",
            Self::Deferred => "deferred",
        }
    }

    /// The state of that word.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }
}

/// What is to be listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueScope {
    /// Only these states.
    pub states: Vec<QueueState>,
    /// Only what belongs to these workspaces.
    pub workspaces: Workspaces,
    /// Whether runs are left out whose environment is gone.
    pub live_only: bool,
    /// At most so many entries.
    pub limit: u32,
}

/// A run in trouble, or a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueEntry {
    /// Why it is listed.
    pub state: QueueState,
    /// The run; none where a job does not name one that can be read.
    pub run: Option<RunId>,
    /// The run's workspace; none where there is no such run.
    pub workspace: Option<WorkspaceId>,
    /// The run's environment.
    pub environment: Option<EnvironmentId>,
    /// The job, where the entry is one.
    pub job: Option<String>,
    /// Why the job was queued.
    pub cause: Option<String>,
    /// Who has the job in hand, or had the run in hand last.
    pub worker: Option<String>,
    /// Deliveries of a job, the present one included; tries of a run.
    pub tries: u32,
    /// Since when it is in this state.
    pub since: Timestamp,
    /// When the run is looked at or tried again by itself.
    pub next_at: Option<Timestamp>,
    /// The reason on the watch list.
    pub reason: Option<String>,
    /// What the database said, where it refused.
    pub error: Option<String>,
}

/// How many entries are in one state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueueCount {
    /// The state.
    pub state: QueueState,
    /// How many there are.
    pub entries: u64,
    /// Since when the oldest one is in it.
    pub oldest: Timestamp,
}

/// Jobs that ask for a shard of a sweep. They name no run and belong to no workspace.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema, sqlx::FromRow,
)]
pub struct ShardJobs {
    /// Jobs that wait for a worker.
    #[sqlx(try_from = "i64")]
    pub waiting: u64,
    /// Jobs that a worker has taken.
    #[sqlx(try_from = "i64")]
    pub in_hand: u64,
}

/// What is queued, in hand or in trouble.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueListing {
    /// The database's clock.
    pub as_of: Timestamp,
    /// Entries, worst state first, and the oldest of each state first.
    pub entries: Vec<QueueEntry>,
    /// One count per state that has entries, whether or not they fit into the list.
    pub counts: Vec<QueueCount>,
    /// Jobs of sweeps.
    pub shards: ShardJobs,
}

impl QueueListing {
    /// How many entries there are beyond those that are listed.
    #[must_use]
    pub fn omitted(&self) -> u64 {
        let all: u64 = self.counts.iter().map(|count| count.entries).sum();
        all.saturating_sub(self.entries.len() as u64)
    }

    fn cut(
        as_of: Timestamp,
        mut entries: Vec<QueueEntry>,
        counts: BTreeMap<QueueState, QueueCount>,
        shards: ShardJobs,
        limit: u32,
    ) -> Self {
        entries.sort_by(|a, b| {
            (a.state, a.since, a.run, &a.job).cmp(&(b.state, b.since, b.run, &b.job))
        });
        entries.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        Self {
            as_of,
            entries,
            counts: counts.into_values().collect(),
            shards,
        }
    }
}

/// What is remembered of a run beside its own row. Read without any of its documents, so that it can be
/// shown also where looking at those ended a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// The run.
    pub run: RunId,
    /// Its workspace.
    pub workspace: WorkspaceId,
    /// Its environment.
    pub environment: Option<EnvironmentId>,
    /// Its type.
    pub run_type: String,
    /// Its status.
    pub status: String,
    /// Settlements that never ended.
    pub attempts: Option<AttemptsOnRecord>,
    /// Its entry on the watch list.
    pub watch: Option<WatchOnRecord>,
}

impl Standing {
    /// Whether the run is of the type that is judged here.
    #[must_use]
    pub fn is_ours(&self) -> bool {
        self.run_type == RUN_TYPE
    }

    /// Whether the run is open.
    #[must_use]
    pub fn is_open(&self) -> bool {
        matches!(
            RunStatus::parse(&self.status),
            RunStatus::Queued | RunStatus::Running
        )
    }

    /// Whether the run is a dead letter, dropped or not.
    #[must_use]
    pub fn is_dead(&self) -> bool {
        self.attempts
            .as_ref()
            .is_some_and(|attempts| attempts.dead_at.is_some())
    }
}

/// Settlements of a run that never ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttemptsOnRecord {
    /// How many were begun. None where the run was merely in the hands of a process that ended.
    pub tries: u32,
    /// Who had the run in hand last.
    pub worker: String,
    /// When the run was first suspected.
    pub first_seen_at: Timestamp,
    /// When the last try began.
    pub last_tried_at: Option<Timestamp>,
    /// When the next one may begin.
    pub try_again_at: Timestamp,
    /// Since when the run is a dead letter.
    pub dead_at: Option<Timestamp>,
    /// Since when the dead letter is dropped.
    pub dropped_at: Option<Timestamp>,
}

/// A run's entry on the watch list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WatchOnRecord {
    /// Why the run stays open.
    pub reason_code: String,
    /// How often it was looked at.
    pub tries: u32,
    /// When it was put on the list.
    pub first_seen_at: Timestamp,
    /// When it was looked at last.
    pub last_looked_at: Timestamp,
    /// When it is looked at again.
    pub look_again_at: Timestamp,
    /// What the database said, where it refused.
    pub error: Option<String>,
}

/// A job in any state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobOnRecord {
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
    /// From when on it may be taken.
    pub run_at: Timestamp,
    /// When it was taken.
    pub taken_at: Option<Timestamp>,
    /// When it was finished.
    pub done_at: Option<Timestamp>,
}

/// Where a job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum JobState {
    /// It waits for a worker.
    Waiting,
    /// A worker has taken it.
    InHand,
    /// It was dealt with, which says nothing about its run.
    Finished,
    /// Nobody could read it, or an operator removed it.
    Killed,
    /// The library that delivers jobs gave up on it.
    Failed,
}

impl JobState {
    /// The word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::InHand => "in_hand",
            Self::Finished => "finished",
            Self::Killed => "killed",
            Self::Failed => "failed",
        }
    }
}

/// A database that shows its queue to an operator.
#[async_trait]
pub trait Oversight: Send + Sync {
    /// What is queued, in hand or in trouble, within `scope`.
    async fn load_entries(&self, scope: &QueueScope) -> Result<QueueListing, StoreError>;

    /// What is remembered of `runs`, in ascending order. Runs that do not exist are absent.
    async fn load_standings(&self, runs: &[RunId]) -> Result<Vec<Standing>, StoreError>;

    /// The latest jobs that ask for `run`, at most `limit`, the latest first.
    ///
    /// Every job that is kept is passed over, since none of the library's indexes is by run, and one of ours
    /// would be paid for each time that a job is queued, taken and finished. Only those that contain the
    /// run's digits are parsed.
    async fn load_jobs(&self, run: RunId, limit: u32) -> Result<Vec<JobOnRecord>, StoreError>;

    /// Lets open runs start over that are dead letters, suspended or refused, queues a job for each, and
    /// says which those are. A suspect stays one, so that it is still settled alone. A run whose time has
    /// come already is left as it is.
    async fn retry(&self, runs: &[RunId]) -> Result<Vec<RunId>, StoreError>;

    /// Takes dead letters among `runs` out of the lists, removes the jobs that wait for them, and says
    /// which were not dropped before. The runs stay open. Of the jobs, those that wait are read, and no other.
    async fn drop_dead_letters(&self, runs: &[RunId]) -> Result<Vec<RunId>, StoreError>;
}
