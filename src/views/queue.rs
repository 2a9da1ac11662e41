//! The queue and the sweeps: what waits, what is in trouble, who works.

use jiff::{SignedDuration, Timestamp};
use reconciler_jobs::ids::{EnvironmentId, RunId, WorkspaceId};
use schemars::JsonSchema;
use serde::Serialize;

use super::Moment;
use crate::storage::Tally;
use crate::storage::oversight::{QueueEntry, QueueListing, QueueState, ShardJobs};
use crate::storage::reader::{SweepSeen, WorkerSeen};

/// How long a worker may be silent and still count as alive: it shows itself several times in that.
const ALIVE_FOR: SignedDuration = SignedDuration::from_secs(60);

/// What is queued, in hand or in trouble.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct QueueShown {
    /// The database's clock.
    pub as_of: Moment,
    /// How many entries are in each state that has any, worst first.
    pub counts: Vec<StateLine>,
    /// Jobs that ask for a part of a sweep; none for a viewer who may not see all workspaces.
    pub sweep_jobs: Option<ShardJobs>,
    /// Entries, worst state first, the oldest of each first.
    pub entries: Vec<EntryLine>,
    /// How many entries there are beyond those.
    pub entries_omitted: u64,
    /// Workers that were heard of lately.
    pub workers: Vec<WorkerLine>,
}

/// How many entries are in one state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub struct StateLine {
    /// The state.
    pub state: QueueState,
    /// For people.
    pub label: &'static str,
    /// How many.
    pub entries: u64,
    /// Since when the oldest one is in it.
    pub oldest: Moment,
}

/// A run in trouble, or a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct EntryLine {
    /// Why it is listed.
    pub state: QueueState,
    /// For people.
    pub label: &'static str,
    /// The run; none where a job names none that can be read.
    pub run: Option<RunId>,
    /// The run's workspace.
    pub workspace: Option<WorkspaceId>,
    /// The run's environment.
    pub environment: Option<EnvironmentId>,
    /// Tries of a run, deliveries of a job.
    pub tries: u32,
    /// Since when it is in this state.
    pub since: Moment,
    /// When it is looked at or tried again by itself.
    pub next_at: Option<Moment>,
    /// The reason on the watch list.
    pub reason_code: Option<String>,
    /// Whether the database refused a verdict; the worker's log says why.
    pub is_refused: bool,
}

/// A worker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct WorkerLine {
    /// Its name; none for a viewer who may not see all workspaces.
    pub name: Option<String>,
    /// Which queue it serves.
    pub queue: String,
    /// When it was last heard of.
    pub last_seen_at: Moment,
    /// Whether that was lately.
    pub is_alive: bool,
}

/// The latest sweeps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct SweepsShown {
    /// The database's clock.
    pub as_of: Moment,
    /// The sweeps, the latest first.
    pub sweeps: Vec<SweepLine>,
}

/// A sweep.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct SweepLine {
    /// Its id.
    pub id: i64,
    /// Who swept; none for a viewer who may not see all workspaces, also where the sweep was confined to one that
    /// the viewer sees: workers are everybody's, and so is what their names tell of hosts.
    pub worker: Option<String>,
    /// The workspace that it was confined to.
    pub workspace: Option<WorkspaceId>,
    /// Which part of the workspaces, counted from 1, of how many.
    pub part: (i64, i64),
    /// The tick of the schedule that it was for.
    pub tick_at: Option<Moment>,
    /// When it began.
    pub started_at: Moment,
    /// When it ended; none where it is still going on, or died.
    pub ended_at: Option<Moment>,
    /// What became of the runs; none for a sweep over workspaces that the viewer may not all see.
    pub counts: Option<Tally>,
}

/// For people.
#[must_use]
pub const fn label(state: QueueState) -> &'static str {
    match state {
        QueueState::DeadLetter => "dead letter",
        QueueState::Suspended => "suspended",
        QueueState::Refused => "refused",
        QueueState::InHand => "in hand",
        QueueState::Waiting => "waiting",
        QueueState::Dropped => "dropped",
        QueueState::Deferred => "deferred",
    }
}

impl QueueShown {
    /// From what was read. `sees_all` says whether the viewer may see every workspace.
    #[must_use]
    pub fn of(listing: &QueueListing, workers: &[WorkerSeen], sees_all: bool) -> Self {
        let counts = listing.counts.iter().map(|count| StateLine {
            state: count.state,
            label: label(count.state),
            entries: count.entries,
            oldest: Moment(count.oldest),
        });
        Self {
            as_of: Moment(listing.as_of),
            counts: counts.collect(),
            sweep_jobs: sees_all.then_some(listing.shards),
            entries: listing.entries.iter().map(EntryLine::of).collect(),
            entries_omitted: listing.omitted(),
            workers: workers
                .iter()
                .map(|worker| WorkerLine::of(worker, listing.as_of, sees_all))
                .collect(),
        }
    }

    /// How many workers are alive.
    #[must_use]
    pub fn workers_alive(&self) -> usize {
        self.workers.iter().filter(|worker| worker.is_alive).count()
    }
}

impl EntryLine {
    fn of(entry: &QueueEntry) -> Self {
        Self {
            state: entry.state,
            label: label(entry.state),
            run: entry.run,
            workspace: entry.workspace,
            environment: entry.environment,
            tries: entry.tries,
            since: Moment(entry.since),
            next_at: entry.next_at.map(Moment),
            reason_code: entry.reason.clone(),
            is_refused: entry.error.is_some(),
        }
    }
}

impl WorkerLine {
    fn of(worker: &WorkerSeen, as_of: Timestamp, sees_all: bool) -> Self {
        Self {
            name: sees_all.then(|| worker.name.clone()),
            queue: worker.queue.clone(),
            last_seen_at: Moment(worker.last_seen_at),
            is_alive: as_of.duration_since(worker.last_seen_at) < ALIVE_FOR,
        }
    }
}

impl SweepsShown {
    /// From what was read. `sees_all` says whether the viewer may see every workspace.
    #[must_use]
    pub fn of(as_of: Timestamp, sweeps: &[SweepSeen], sees_all: bool) -> Self {
        let line = |sweep: &SweepSeen| SweepLine {
            id: sweep.id,
            worker: sees_all.then(|| sweep.worker.clone()),
            workspace: sweep.workspace,
            part: (sweep.shard.0 + 1, sweep.shard.1),
            tick_at: sweep.tick_at.map(Moment),
            started_at: Moment(sweep.started_at),
            ended_at: sweep.ended_at.map(Moment),
            counts: (sees_all || sweep.workspace.is_some()).then_some(sweep.tally),
        };
        Self {
            as_of: Moment(as_of),
            sweeps: sweeps.iter().map(line).collect(),
        }
    }
}
