//! The queue as an operator sees it, and what is remembered of one run.

use std::collections::BTreeMap;

use jiff::Timestamp;
use reconciler_jobs::ids::{EnvironmentId, RunId, WorkspaceId};
use reconciler_jobs::restore_execute::ReasonCode;
use reconciler_jobs::restore_execute::facts::{RUN_TYPE, RunStatus};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::model::{RefusalSeen, Workspaces};
use super::names::shown_error;
use crate::storage::queue::QueueState;

/// What is to be listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueScope {
    /// Only these states.
    pub states: Vec<QueueState>,
    /// Whose entries may be seen.
    pub of: Workspaces,
    /// Only those of this workspace, where one is given.
    pub workspace: Option<WorkspaceId>,
    /// Whether runs are left out whose environment is gone.
    pub live_only: bool,
    /// At most so many entries.
    pub limit: u32,
}

impl QueueScope {
    /// What a viewer sees: nothing of environments that are gone.
    #[must_use]
    pub fn for_viewer(of: &Workspaces, states: &[QueueState], limit: u32) -> Self {
        Self {
            states: states.to_vec(),
            of: of.clone(),
            workspace: None,
            live_only: true,
            limit,
        }
    }

    /// Whose entries are listed.
    pub(super) fn workspaces(&self) -> Workspaces {
        match self.workspace {
            Some(workspace) => self.of.narrowed(workspace),
            None => self.of.clone(),
        }
    }
}

/// A run in trouble, or a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "ListedEntry")]
pub struct QueueEntry {
    /// Why it is listed.
    pub state: QueueState,
    /// The run; none where a job does not name one that can be read.
    #[schemars(with = "Option<i64>")]
    pub run: Option<RunId>,
    /// The run's workspace; none where there is no such run.
    #[schemars(with = "Option<i64>")]
    pub workspace: Option<WorkspaceId>,
    /// The run's environment.
    #[schemars(with = "Option<i64>")]
    pub environment: Option<EnvironmentId>,
    /// The job, where the entry is one.
    pub job: Option<String>,
    /// Why the job was queued.
    pub cause: Option<String>,
    /// Who has the job in hand, or had the run in hand last.
    pub worker: Option<String>,
    /// Deliveries of a job, the present one included; tries of a run.
    pub tries: u32,
    /// Since when it is in this state, RFC 3339.
    #[schemars(with = "String")]
    pub since: Timestamp,
    /// When the run is looked at or tried again by itself, RFC 3339.
    #[schemars(with = "Option<String>")]
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

    pub(super) fn cut(
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
pub struct QueueStanding {
    /// The run.
    pub run: RunId,
    /// The workspace that the run belongs to.
    pub workspace: WorkspaceId,
    /// The environment that the run belongs to; none for a run of the whole workspace.
    pub environment: Option<EnvironmentId>,
    /// The platform's type of the run.
    pub run_type: String,
    /// The platform's status of the run.
    pub status: String,
    /// Settlements that never ended.
    pub attempts: Option<AttemptsOnRecord>,
    /// The run's entry on the watch list; none if it is not watched.
    pub watch: Option<WatchOnRecord>,
}

impl QueueStanding {
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

    /// That the database refuses the run a verdict, if it does.
    #[must_use]
    pub fn refusal(&self) -> Option<RefusalSeen> {
        let watch = self.watch.as_ref().filter(|watch| {
            self.is_ours() && self.is_open() && watch.reason_code == ReasonCode::SettleFailed.code()
        })?;
        Some(RefusalSeen {
            since: watch.first_seen_at,
            tried_at: watch.last_looked_at,
            again_at: watch.look_again_at,
            tries: watch.tries.into(),
            said: watch.error.as_deref().map(shown_error),
        })
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Attempts")]
pub struct AttemptsOnRecord {
    /// How many were begun since the run last started over.
    pub tries: u32,
    /// Who had the run in hand last.
    pub worker: String,
    /// When the run was first suspected, RFC 3339.
    #[schemars(with = "String")]
    pub first_seen_at: Timestamp,
    /// When the last try began, RFC 3339.
    #[schemars(with = "Option<String>")]
    pub last_tried_at: Option<Timestamp>,
    /// When the next one may begin, RFC 3339; none for a dead letter.
    #[schemars(with = "Option<String>")]
    pub try_again_at: Option<Timestamp>,
    /// Since when the run is a dead letter, RFC 3339.
    #[schemars(with = "Option<String>")]
    pub dead_at: Option<Timestamp>,
    /// Since when the dead letter is dropped, RFC 3339.
    #[schemars(with = "Option<String>")]
    pub dropped_at: Option<Timestamp>,
}

/// A run's entry on the watch list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Watch")]
pub struct WatchOnRecord {
    /// Why the run stays open.
    pub reason_code: String,
    /// How often it was looked at.
    pub tries: u32,
    /// When it was put on the list, RFC 3339.
    #[schemars(with = "String")]
    pub first_seen_at: Timestamp,
    /// When it was looked at last, RFC 3339.
    #[schemars(with = "String")]
    pub last_looked_at: Timestamp,
    /// When it is looked at again, RFC 3339.
    #[schemars(with = "String")]
    pub look_again_at: Timestamp,
    /// What the database said, where it refused.
    pub error: Option<String>,
}

/// A job in any state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Job")]
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
    /// From when on it may be taken, RFC 3339.
    #[schemars(with = "String")]
    pub run_at: Timestamp,
    /// When it was taken, RFC 3339.
    #[schemars(with = "Option<String>")]
    pub taken_at: Option<Timestamp>,
    /// When it was finished, RFC 3339.
    #[schemars(with = "Option<String>")]
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
