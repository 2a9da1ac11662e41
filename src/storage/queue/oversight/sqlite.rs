//! The operator's queries, for SQLite, where jobs are in a file of their own.
//!
//! Unfinished jobs are read all at once, because their runs' workspaces are in the other file: a file that
//! holds more of them than fit into memory is not what this database is for.

use std::collections::{BTreeMap, HashMap};

use async_trait::async_trait;
use futures_util::TryStreamExt as _;
use reconciler_jobs::ids::RunId;

use super::records::{EntryRecord, JobRecord, StandingRecord, read_all, run_of};
use super::{
    JobOnRecord, Oversight, QueueCount, QueueEntry, QueueListing, QueueScope, QueueState,
    ShardJobs, Standing,
};
use crate::storage::Store as _;
use crate::storage::StoreError;
use crate::storage::error::During as _;
use crate::storage::queue::{Queue as _, document};
use crate::storage::sqlite::SqliteStore;

/// What the operator himself asked for.
const CAUSE: &str = "command";

#[async_trait]
impl Oversight for SqliteStore {
    async fn load_entries(&self, scope: &QueueScope) -> Result<QueueListing, StoreError> {
        self.list_entries(scope, true).await
    }

    async fn load_standings(&self, runs: &[RunId]) -> Result<Vec<Standing>, StoreError> {
        let step = "look up runs";
        let records: Vec<StandingRecord> =
            sqlx::query_as(include_str!("sqlite/load_standings.sql"))
                .bind(document(step, runs)?)
                .fetch_all(self.pool())
                .await
                .during(step)?;
        let standings: Result<_, sqlx::Error> =
            records.into_iter().map(Standing::try_from).collect();
        standings.during(step)
    }

    async fn load_jobs(&self, run: RunId, limit: u32) -> Result<Vec<JobOnRecord>, StoreError> {
        let step = "look up jobs";
        let mut records = sqlx::query_as::<_, JobRecord>(include_str!("sqlite/load_jobs.sql"))
            .bind(run.0)
            .fetch(self.queue());
        let mut jobs = Vec::new();
        while jobs.len() < limit as usize
            && let Some(record) = records.try_next().await.during(step)?
        {
            if record.asks_for(run) {
                jobs.push(JobOnRecord::try_from(record).during(step)?);
            }
        }
        Ok(jobs)
    }

    async fn retry(&self, runs: &[RunId]) -> Result<Vec<RunId>, StoreError> {
        let step = "let runs start over";
        let runs = document(step, runs)?;
        let now = self.now().await?.as_microsecond();
        let mut tx = self
            .pool()
            .begin_with("BEGIN IMMEDIATE")
            .await
            .during(step)?;
        let started_over: Vec<i64> = sqlx::query_scalar(include_str!("sqlite/start_over.sql"))
            .bind(&runs)
            .bind(now)
            .fetch_all(&mut *tx)
            .await
            .during(step)?;
        let made_due: Vec<i64> = sqlx::query_scalar(include_str!("sqlite/make_due.sql"))
            .bind(&runs)
            .bind(now)
            .fetch_all(&mut *tx)
            .await
            .during(step)?;
        tx.commit().await.during(step)?;
        let mut changed: Vec<RunId> = started_over
            .into_iter()
            .chain(made_due)
            .map(RunId)
            .collect();
        changed.sort_unstable();
        changed.dedup();
        self.request(&changed, CAUSE, None).await?;
        Ok(changed)
    }

    async fn drop_dead_letters(&self, runs: &[RunId]) -> Result<Vec<RunId>, StoreError> {
        let step = "drop dead letters";
        let runs = document(step, runs)?;
        let now = self.now().await?.as_microsecond();
        let dropped: Vec<i64> = sqlx::query_scalar(include_str!("sqlite/drop_dead.sql"))
            .bind(&runs)
            .bind(now)
            .fetch_all(self.pool())
            .await
            .during(step)?;
        let dead: Vec<i64> = sqlx::query_scalar(include_str!("sqlite/load_dead.sql"))
            .bind(&runs)
            .fetch_all(self.pool())
            .await
            .during(step)?;
        let waiting: Vec<(String, Vec<u8>)> =
            sqlx::query_as(include_str!("sqlite/load_waiting.sql"))
                .fetch_all(self.queue())
                .await
                .during(step)?;
        let jobs: Vec<String> = waiting
            .into_iter()
            .filter(|(_, payload)| run_of(payload).is_some_and(|run| dead.contains(&run.0)))
            .map(|(job, _)| job)
            .collect();
        sqlx::query(include_str!("sqlite/kill_jobs.sql"))
            .bind(document(step, &jobs)?)
            .execute(self.queue())
            .await
            .during(step)?;
        let mut dropped: Vec<RunId> = dropped.into_iter().map(RunId).collect();
        dropped.sort_unstable();
        Ok(dropped)
    }
}

impl SqliteStore {
    /// As [`Oversight::load_entries`]; without jobs where their file is not there.
    pub(in crate::storage) async fn list_entries(
        &self,
        scope: &QueueScope,
        has_jobs: bool,
    ) -> Result<QueueListing, StoreError> {
        let step = "list the queue";
        let as_of = self.now().await?;
        let states: Vec<&str> = scope.states.iter().copied().map(QueueState::name).collect();
        let workspaces = scope.workspaces.ids();
        let workspaces = workspaces.map(|ids| document(step, &ids)).transpose()?;
        let records: Vec<EntryRecord> = sqlx::query_as(include_str!("sqlite/load_troubled.sql"))
            .bind(document(step, &states)?)
            .bind(workspaces)
            .bind(i64::from(scope.limit))
            .bind(scope.live_only)
            .fetch_all(self.pool())
            .await
            .during(step)?;
        let (mut entries, mut counts) = read_all(records).during(step)?;
        let mut shards = ShardJobs::default();
        if has_jobs {
            for job in self.load_unfinished(scope).await? {
                count(&mut counts, &job);
                entries.push(job);
            }
            shards = sqlx::query_as(include_str!("sqlite/count_shards.sql"))
                .fetch_one(self.queue())
                .await
                .during(step)?;
        }
        Ok(QueueListing::cut(
            as_of,
            entries,
            counts,
            shards,
            scope.limit,
        ))
    }

    /// Jobs that wait or are in hand, within `scope` but for its limit.
    async fn load_unfinished(&self, scope: &QueueScope) -> Result<Vec<QueueEntry>, StoreError> {
        let step = "list the queue";
        let mut records: Vec<EntryRecord> =
            sqlx::query_as(include_str!("sqlite/load_unfinished.sql"))
                .fetch_all(self.queue())
                .await
                .during(step)?;
        records.iter_mut().for_each(EntryRecord::find_run);
        let runs: Vec<i64> = records.iter().filter_map(|record| record.run).collect();
        let scopes: Vec<(i64, i64, Option<i64>, bool)> =
            sqlx::query_as(include_str!("sqlite/load_scopes.sql"))
                .bind(document(step, &runs)?)
                .fetch_all(self.pool())
                .await
                .during(step)?;
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
        let (mut entries, _) = read_all(records).during(step)?;
        entries.retain(|entry| {
            scope.states.contains(&entry.state) && scope.workspaces.may_include(entry.workspace)
        });
        Ok(entries)
    }
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
