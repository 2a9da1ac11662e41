//! What is queued, in hand or in trouble, and who works on it.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use jiff::Timestamp;
use reconciler_jobs::ids::{EnvironmentId, RunId, WorkspaceId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sqlx::FromRow;

use super::open::Reader;
use super::scope::Workspaces;
use crate::storage::column::{CountColumn, OptionalId, StoredMoment};
use crate::storage::database::EitherDatabase;
use crate::storage::error::Result;
use crate::storage::model::Pause;
use crate::storage::queue::{QueueState, cause_of, run_of};
use crate::storage::statement::{Statement, statement, values};

/// The step, as errors name it.
const LIST: &str = "list the queue";

/// Open runs by the reason why they are.
pub(in crate::storage) const COUNT_UNDECIDED: Statement =
    statement!("count open runs by their reason", "count_undecided");

const COUNT_SHARDS: Statement = statement!(LIST, both queue "count_shards");

/// How long ago a worker may have been heard of last to be listed.
const HEARD_OF_WITHIN: Duration = Duration::from_hours(7 * 24);

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
    pub fn for_viewer(of: &Workspaces, states: &[QueueState], limit: u32) -> Self {
        Self {
            states: states.to_vec(),
            of: of.clone(),
            workspace: None,
            live_only: *of != Workspaces::All,
            limit,
        }
    }

    /// Whose entries are listed.
    fn workspaces(&self) -> Workspaces {
        self.of.within(self.workspace)
    }
}

/// A run in trouble, or a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, FromRow)]
#[schemars(rename = "ListedEntry")]
pub struct QueueEntry {
    /// Why it is listed.
    #[sqlx(try_from = "String")]
    pub state: QueueState,
    /// The run; none where a job does not name one that can be read.
    #[schemars(with = "Option<i64>")]
    #[sqlx(try_from = "OptionalId")]
    pub run: Option<RunId>,
    /// The run's workspace; none where there is no such run.
    #[schemars(with = "Option<i64>")]
    #[sqlx(try_from = "OptionalId")]
    pub workspace: Option<WorkspaceId>,
    /// The run's environment.
    #[schemars(with = "Option<i64>")]
    #[sqlx(try_from = "OptionalId")]
    pub environment: Option<EnvironmentId>,
    /// The job, where the entry is one.
    pub job: Option<String>,
    /// Why the job was queued.
    #[sqlx(skip)]
    pub cause: Option<String>,
    /// Who has the job in hand, or had the run in hand last.
    pub worker: Option<String>,
    /// Deliveries of a job, the present one included; tries of a run.
    #[sqlx(try_from = "CountColumn")]
    pub tries: u32,
    /// Since when it is in this state, RFC 3339.
    #[schemars(with = "String")]
    #[sqlx(try_from = "StoredMoment")]
    pub since: Timestamp,
    /// When the run is looked at or tried again by itself, RFC 3339.
    #[schemars(with = "Option<String>")]
    #[sqlx(try_from = "StoredMoment")]
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
    Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema, FromRow,
)]
pub struct ShardJobs {
    /// Jobs that wait for a worker.
    #[sqlx(try_from = "CountColumn")]
    pub waiting: u64,
    /// Jobs that a worker has taken.
    #[sqlx(try_from = "CountColumn")]
    pub in_hand: u64,
}

/// What is queued, in hand or in trouble.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct QueueListing {
    /// The database's clock.
    pub as_of: Timestamp,
    /// Entries, worst state first, and the oldest of each state first.
    pub entries: Vec<QueueEntry>,
    /// One count per state that has entries, whether or not they fit into the list.
    pub counts: Vec<QueueCount>,
    /// Jobs of sweeps.
    pub shards: ShardJobs,
    /// What is paused, everything first.
    pub pauses: Vec<Pause>,
}

impl QueueListing {
    /// How many entries there are beyond those that are listed.
    pub fn omitted(&self) -> u64 {
        let all: u64 = self.counts.iter().map(|count| count.entries).sum();
        all.saturating_sub(self.entries.len() as u64)
    }
}

/// Open runs that are open for one reason, as they were looked at last.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct OpenReason {
    /// The code of the reason.
    pub reason: String,
    /// How many runs.
    #[sqlx(rename = "entries", try_from = "CountColumn")]
    pub runs: u64,
    /// When the oldest started, or was created.
    #[sqlx(try_from = "StoredMoment")]
    pub oldest: Timestamp,
    /// When the first of them is looked at again.
    #[sqlx(try_from = "StoredMoment")]
    pub next_at: Timestamp,
}

/// A worker of the queue.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct WorkerSeen {
    /// The worker's name.
    pub name: String,
    /// Which queue it serves.
    pub queue: String,
    /// When it was last heard of.
    #[sqlx(try_from = "StoredMoment")]
    pub last_seen_at: Timestamp,
}

/// A row of `load_entries`.
#[derive(FromRow)]
struct EntryRecord {
    #[sqlx(flatten)]
    entry: QueueEntry,
    payload: Option<Vec<u8>>,
    #[sqlx(try_from = "CountColumn")]
    in_state: u64,
    #[sqlx(try_from = "StoredMoment")]
    oldest: Timestamp,
}

/// The pauses of the workspaces that a viewer sees, and those of everything.
fn visible(mut pauses: Vec<Pause>, of: &Workspaces) -> Vec<Pause> {
    pauses.retain(|it| it.workspace.is_none_or(|id| of.may_include(Some(id))));
    pauses
}

impl Reader {
    /// What is paused of what may be seen, everything first.
    pub async fn load_pauses(&self, of: &Workspaces) -> Result<Vec<Pause>> {
        let pauses = self.database.read(async |tx| tx.load_pauses().await);
        Ok(visible(pauses.await?, of))
    }

    /// What is queued, in hand or in trouble, within `scope`. Jobs that name no run are everybody's who may see all
    /// workspaces, and nobody else's; so are the jobs of sweeps.
    pub async fn load_queue(&self, scope: &QueueScope) -> Result<QueueListing> {
        let database = &self.database;
        let statement = statement!(LIST, "load_entries");
        let has_file = database.has_queue_file(LIST).await?;
        let states: Vec<&str> = scope.states.iter().copied().map(QueueState::name).collect();
        let workspaces = scope.workspaces().ids();
        let values = values![states, workspaces, scope.limit, scope.live_only];
        let reading = database.read(async |tx| {
            let records: Vec<EntryRecord> = tx.driver().fetch_all(statement, values).await?;
            let shards: ShardJobs = match database {
                EitherDatabase::Postgres(_) => tx.driver().fetch_one(COUNT_SHARDS, &[]).await?,
                EitherDatabase::Sqlite(_) => ShardJobs::default(),
            };
            Ok((tx.as_of, records, shards, tx.load_pauses().await?))
        });
        let (as_of, records, mut shards, pauses) = reading.await?;
        let mut counts = BTreeMap::new();
        let mut entries = Vec::with_capacity(records.len());
        for record in records {
            let state = record.entry.state;
            let count = QueueCount {
                state,
                entries: record.in_state,
                oldest: record.oldest,
            };
            counts.insert(state, count);
            entries.push(record.read());
        }
        if has_file {
            for job in load_unfinished(database, scope).await? {
                count(&mut counts, &job);
                entries.push(job);
            }
            shards = database.fetch_one(COUNT_SHARDS, &[]).await?;
        }
        entries.sort_by(|a, b| {
            (a.state, a.since, a.run, &a.job).cmp(&(b.state, b.since, b.run, &b.job))
        });
        entries.truncate(usize::try_from(scope.limit).unwrap_or(usize::MAX));
        Ok(QueueListing {
            as_of,
            entries,
            counts: counts.into_values().collect(),
            shards: if scope.of == Workspaces::All {
                shards
            } else {
                ShardJobs::default()
            },
            pauses: visible(pauses, &scope.workspaces()),
        })
    }

    /// A viewer's open runs by the reason why they are open.
    pub async fn load_open_reasons(&self, of: &Workspaces) -> Result<Vec<OpenReason>> {
        let values = values![of.ids()];
        self.database.read_all(COUNT_UNDECIDED, values).await
    }

    /// Workers that were heard of lately, at most `limit`, the latest first; none where there is no queue.
    pub async fn load_workers(&self, limit: u32) -> Result<Vec<WorkerSeen>> {
        let statement = statement!("list workers", queue "list_workers");
        let seconds = i64::try_from(HEARD_OF_WITHIN.as_secs()).unwrap_or(i64::MAX);
        let values = values![limit, seconds];
        let database = &self.database;
        match database {
            EitherDatabase::Postgres(_) if database.has_queue().await? => {
                database.read_all(statement, values).await
            }
            EitherDatabase::Sqlite(_) if database.has_queue_file(statement.step).await? => {
                database.fetch_all(statement, values).await
            }
            _ => Ok(Vec::new()),
        }
    }
}

impl EntryRecord {
    fn read(self) -> QueueEntry {
        QueueEntry {
            cause: self.payload.as_deref().and_then(cause_of),
            ..self.entry
        }
    }
}

/// Jobs that wait or are in hand, within `scope` but for its limit, where they are in a file of their own. They are
/// read all at once, because their runs' workspaces are in the other file: a file that holds more of them than fit
/// into memory is not what this database is for.
async fn load_unfinished(database: &EitherDatabase, scope: &QueueScope) -> Result<Vec<QueueEntry>> {
    let unfinished = statement!(LIST, sqlite queue "load_unfinished");
    let scopes = statement!(LIST, sqlite "load_scopes");
    let mut records: Vec<EntryRecord> = database.fetch_all(unfinished, &[]).await?;
    for record in &mut records {
        record.entry.run = record.payload.as_deref().and_then(run_of);
    }
    let runs = records.iter().filter_map(|record| record.entry.run);
    let runs: Vec<RunId> = runs.collect();
    let scopes: Vec<(i64, i64, Option<i64>, bool)> =
        database.fetch_all(scopes, values![&*runs]).await?;
    let scopes: HashMap<i64, (i64, Option<i64>, bool)> = scopes
        .into_iter()
        .map(|(run, workspace, environment, is_live)| (run, (workspace, environment, is_live)))
        .collect();
    let mut entries: Vec<QueueEntry> = records.into_iter().map(EntryRecord::read).collect();
    entries.retain_mut(|entry| {
        let found = entry.run.and_then(|run| scopes.get(&run.0));
        if let Some((workspace, environment, _)) = found {
            entry.workspace = Some(WorkspaceId(*workspace));
            entry.environment = environment.map(EnvironmentId);
        }
        found.is_none_or(|(.., is_live)| *is_live || !scope.live_only)
    });
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
