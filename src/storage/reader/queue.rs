//! The queue, read for an operator.

use std::collections::{BTreeMap, HashMap};

use reconciler_jobs::ids::RunId;

use super::listing::{JobOnRecord, QueueCount, QueueEntry, QueueListing, QueueScope, ShardJobs};
use super::model::{HEARD_OF_WITHIN, WorkerSeen};
use super::queue_rows::{EntryRecord, JobRecord, read_all};
use crate::storage::error::{During as _, StoreError};
use crate::storage::queue::QueueState;
use crate::storage::settle::{Transactions as _, finish};
use crate::storage::statement::{Statement, statement, values};
use crate::storage::store::EitherDatabase;

/// The step, as errors name it.
const LIST: &str = "list the queue";

const COUNT_SHARDS: Statement = statement!(LIST, queue "count_shards");

/// What is queued, in hand or in trouble, within `scope`.
pub(super) async fn load_entries(
    database: &EitherDatabase,
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
            EitherDatabase::Postgres(_) => tx.driver().fetch_one(COUNT_SHARDS, &[]).await?,
            EitherDatabase::Sqlite(_) => ShardJobs::default(),
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
    database: &EitherDatabase,
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
    database: &EitherDatabase,
    run: RunId,
    limit: u32,
) -> Result<Vec<JobOnRecord>, StoreError> {
    let statement = statement!("look up jobs", queue "load_jobs");
    let values = values![run, limit];
    let records: Vec<JobRecord> = match database {
        EitherDatabase::Postgres(_) => {
            let mut tx = database.begin_read().await?;
            let records = tx.driver().fetch_all(statement, values).await;
            finish(tx, records).await?
        }
        EitherDatabase::Sqlite(_) if !database.has_queue_file(statement.step).await? => Vec::new(),
        // All whose payloads have the run's digits.
        EitherDatabase::Sqlite(_) => database.fetch_all(statement, values).await?,
    };
    let jobs = records.into_iter().filter(|record| record.asks_for(run));
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    Ok(jobs.take(limit).map(JobOnRecord::from).collect())
}

/// Workers of the queue; none where there is no queue.
pub(super) async fn load_workers(
    database: &EitherDatabase,
    limit: u32,
) -> Result<Vec<WorkerSeen>, StoreError> {
    let statement = statement!("list workers", queue "list_workers");
    let seconds = i64::try_from(HEARD_OF_WITHIN.as_secs()).unwrap_or(i64::MAX);
    let values = values![limit, seconds];
    match database {
        EitherDatabase::Postgres(_) if database.has_queue().await? => {
            let mut tx = database.begin_read().await?;
            let workers = tx.driver().fetch_all(statement, values).await;
            finish(tx, workers).await
        }
        EitherDatabase::Sqlite(_) if database.has_queue_file(statement.step).await? => {
            database.fetch_all(statement, values).await
        }
        _ => Ok(Vec::new()),
    }
}
