//! What an operator sees of the queue.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;
use reconciler_jobs::ids::{EnvironmentId, RunId, WorkspaceId};
use reconciler_jobs::restore_execute::facts::{RUN_TYPE, RunStatus};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::queue_rows::{EntryRecord, JobRecord, read_all};
use super::{HEARD_OF_WITHIN, WorkerSeen, Workspaces};
use crate::storage::StoreError;
use crate::storage::error::During as _;
use crate::storage::queue::QueueState;
use crate::storage::settle::{Transactions as _, finish};
use crate::storage::statement::{Statement, statement, values};
use crate::storage::store::Database;

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
pub struct Standing {
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

/// The step, as errors name it.
const LIST: &str = "list the queue";

const COUNT_SHARDS: Statement = statement!(LIST, queue "count_shards");

/// What is queued, in hand or in trouble, within `scope`.
pub(super) async fn load_entries(
    database: &Database,
    scope: &QueueScope,
) -> Result<QueueListing, StoreError> {
    let statement = statement!(LIST, "load_entries");
    let has_file = database.has_queue_file(LIST).await?;
    let states: Vec<&str> = scope.states.iter().copied().map(QueueState::name).collect();
    let workspaces = scope.workspaces().ids();
    let values = values![states, workspaces, scope.limit, scope.live_only];
    let mut tx = database.begin_read().await?;
    let as_of = tx.as_of();
    let found = async {
        let records: Vec<EntryRecord> = tx.driver().fetch_all(statement, values).await?;
        let shards: ShardJobs = match database {
            Database::Postgres(_) => tx.driver().fetch_one(COUNT_SHARDS, &[]).await?,
            Database::Sqlite(_) => ShardJobs::default(),
        };
        Ok((records, shards))
    };
    let found = found.await;
    let (records, mut shards) = finish(tx, found).await?;
    let (mut entries, mut counts) = read_all(records).during(LIST)?;
    if has_file {
        for job in load_unfinished(database, scope).await? {
            count(&mut counts, &job);
            entries.push(job);
        }
        shards = database.fetch_one(COUNT_SHARDS, &[]).await?;
    }
    Ok(QueueListing::cut(
        as_of,
        entries,
        counts,
        shards,
        scope.limit,
    ))
}

/// Jobs that wait or are in hand, within `scope` but for its limit, where they are in a file of their own. They are
/// read all at once, because their runs' workspaces are in the other file: a file that holds more of them than fit
/// into memory is not what this database is for.
async fn load_unfinished(
    database: &Database,
    scope: &QueueScope,
) -> Result<Vec<QueueEntry>, StoreError> {
    let unfinished = statement!(LIST, sqlite queue "load_unfinished");
    let scopes = statement!(LIST, sqlite "load_scopes");
    let mut records: Vec<EntryRecord> = database.fetch_all(unfinished, &[]).await?;
    records.iter_mut().for_each(EntryRecord::find_run);
    let runs: Vec<i64> = records.iter().filter_map(|record| record.run).collect();
    let scopes: Vec<(i64, i64, Option<i64>, bool)> =
        database.fetch_all(scopes, values![runs]).await?;
    let scopes: HashMap<i64, (i64, Option<i64>, bool)> = scopes
        .into_iter()
        .map(|(run, workspace, environment, is_live)| (run, (workspace, environment, is_live)))
        .collect();
    records.retain_mut(|record| {
        let found = record.run.and_then(|run| scopes.get(&run));
        if let Some((workspace, environment, _)) = found {
            record.workspace = Some(*workspace);
            record.environment = *environment;
        }
        found.is_none_or(|(.., is_live)| *is_live || !scope.live_only)
    });
    let (mut entries, _) = read_all(records).during(LIST)?;
    let workspaces = scope.workspaces();
    entries.retain(|entry| {
        scope.states.contains(&entry.state) && workspaces.may_include(entry.workspace)
    });
    Ok(entries)
}

fn count(counts: &mut BTreeMap<QueueState, QueueCount>, job: &QueueEntry) {
    let count = counts.entry(job.state).or_insert(QueueCount {
        state: job.state,
        entries: 0,
        oldest: job.since,
    });
    count.entries += 1;
    count.oldest = count.oldest.min(job.since);
}

/// The latest jobs that ask for `run`, the latest first; none where there is no queue.
pub(super) async fn load_jobs(
    database: &Database,
    run: RunId,
    limit: u32,
) -> Result<Vec<JobOnRecord>, StoreError> {
    let statement = statement!("look up jobs", queue "load_jobs");
    let values = values![run, limit];
    let records: Vec<JobRecord> = match database {
        Database::Postgres(_) => {
            let mut tx = database.begin_read().await?;
            let records = tx.driver().fetch_all(statement, values).await;
            finish(tx, records).await?
        }
        Database::Sqlite(_) if !database.has_queue_file(statement.step).await? => Vec::new(),
        // All whose payloads have the run's digits.
        Database::Sqlite(_) => database.fetch_all(statement, values).await?,
    };
    let jobs = records.into_iter().filter(|record| record.asks_for(run));
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    Ok(jobs.take(limit).map(JobOnRecord::from).collect())
}

/// Workers of the queue; none where there is no queue.
pub(super) async fn load_workers(
    database: &Database,
    limit: u32,
) -> Result<Vec<WorkerSeen>, StoreError> {
    let statement = statement!("list workers", queue "list_workers");
    let seconds = i64::try_from(HEARD_OF_WITHIN.as_secs()).unwrap_or(i64::MAX);
    let values = values![limit, seconds];
    match database {
        Database::Postgres(_) if database.has_queue().await? => {
            let mut tx = database.begin_read().await?;
            let workers = tx.driver().fetch_all(statement, values).await;
            finish(tx, workers).await
        }
        Database::Sqlite(_) if database.has_queue_file(statement.step).await? => {
            database.fetch_all(statement, values).await
        }
        _ => Ok(Vec::new()),
    }
}
