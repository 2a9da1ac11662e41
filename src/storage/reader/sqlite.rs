//! The console's statements, for SQLite, whose queue is in a file of its own that may not be there.

use std::collections::{BTreeMap, HashMap};

use futures_util::TryStreamExt as _;
use jiff::Timestamp;
use reconciler_jobs::ids::{EnvironmentId, RestoreId, RunId, WorkspaceId};
use reconciler_jobs::reading::backup_health::BackupSetFacts;
use tokio::task::consume_budget;

use super::look::{Look, OUTCOMES, RunsAsked, Source};
use super::queue::{
    JobOnRecord, QueueCount, QueueEntry, QueueListing, QueueScope, ShardJobs, Standing,
};
use super::queue_rows::{EntryRecord, JobRecord, StandingRecord, read_all};
use super::rows::{
    DescribedRecord, DescribedRun, EnvironmentRecord, FoundRestore, FoundSet, Gathering,
    ItemRecord, LatestRecord, ListedEnvironment, OpenRecord, PreparationRecord, ScopedRestore,
    SetRecord, SweepRecord, WorkerRecord,
};
use super::{
    HEARD_OF_WITHIN, ITEM_METADATA_BYTES_MAX, ITEMS_MAX, OpenRuns, PREPARATION_BYTES_MAX,
    SweepSeen, WorkerSeen, Workspaces,
};
use crate::storage::error::During as _;
use crate::storage::queue::document;
use crate::storage::records::{Ask, VerdictRecord, moment};
use crate::storage::sqlite::SqliteStore;
use crate::storage::sqlite::transaction::SqliteTransaction;
use crate::storage::{Backend, Queue as _, QueueState, RecordedVerdict, Store as _, StoreError};

impl Source for SqliteStore {
    fn backend(&self) -> Backend {
        Backend::Sqlite
    }

    async fn list_queue(&self, scope: &QueueScope) -> Result<QueueListing, StoreError> {
        let step = "list the queue";
        let as_of = self.now().await?;
        let states: Vec<&str> = scope.states.iter().copied().map(QueueState::name).collect();
        let records: Vec<EntryRecord> = sqlx::query_as(include_str!("sqlite/load_troubled.sql"))
            .bind(document(step, &states)?)
            .bind(ids_of(step, &scope.workspaces())?)
            .bind(i64::from(scope.limit))
            .bind(scope.live_only)
            .fetch_all(self.pool())
            .await
            .during(step)?;
        let (mut entries, mut counts) = read_all(records).during(step)?;
        let mut shards = ShardJobs::default();
        if self.has_jobs(step).await? {
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

    async fn load_jobs(&self, run: RunId, limit: u32) -> Result<Vec<JobOnRecord>, StoreError> {
        let step = "look up jobs";
        let mut jobs = Vec::new();
        if !self.has_jobs(step).await? {
            return Ok(jobs);
        }
        let mut records = sqlx::query_as::<_, JobRecord>(include_str!("sqlite/load_jobs.sql"))
            .bind(run.0)
            .fetch(self.queue());
        while jobs.len() < limit as usize
            && let Some(record) = records.try_next().await.during(step)?
        {
            if record.asks_for(run) {
                jobs.push(JobOnRecord::try_from(record).during(step)?);
            }
        }
        Ok(jobs)
    }

    async fn list_workers(&self, limit: u32) -> Result<Vec<WorkerSeen>, StoreError> {
        let step = "list workers";
        if !self.has_jobs(step).await? {
            return Ok(Vec::new());
        }
        let records: Vec<WorkerRecord> = sqlx::query_as(include_str!("sqlite/list_workers.sql"))
            .bind(i64::from(limit))
            .bind(seconds())
            .fetch_all(self.queue())
            .await
            .during(step)?;
        let workers: sqlx::Result<_> = records.into_iter().map(WorkerSeen::try_from).collect();
        workers.during(step)
    }
}

impl SqliteStore {
    /// Whether the jobs' file is there, and the library's tables in it. Fails where the database's own file is gone.
    async fn has_jobs(&self, step: &'static str) -> Result<bool, StoreError> {
        self.check_file(step)?;
        Ok(self.has_queue_file(step)? && self.has_queue().await?)
    }

    /// Jobs that wait or are in hand, within `scope` but for its limit. They are read all at once, because their
    /// runs' workspaces are in the other file: a file that holds more of them than fit into memory is not what this
    /// database is for.
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
        let workspaces = scope.workspaces();
        entries.retain(|entry| {
            scope.states.contains(&entry.state) && workspaces.may_include(entry.workspace)
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

fn seconds() -> i64 {
    i64::try_from(HEARD_OF_WITHIN.as_secs()).unwrap_or(i64::MAX)
}

/// As the statements take a scope: null stands for all.
fn ids_of(step: &'static str, of: &Workspaces) -> Result<Option<String>, StoreError> {
    of.ids().map(|ids| document(step, &ids)).transpose()
}

impl Look for SqliteTransaction {
    async fn look_for_runs(&mut self, asked: &RunsAsked) -> Result<Vec<(RunId, bool)>, StoreError> {
        let step = "look for runs";
        let statement = match asked.of {
            _ if asked.is_open => include_str!("sqlite/look_for_open_runs.sql"),
            Workspaces::All => include_str!("sqlite/look_for_runs.sql"),
            Workspaces::Only(_) => include_str!("sqlite/look_for_scoped_runs.sql"),
        };
        let found: Vec<(i64, bool)> = sqlx::query_as(statement)
            .bind(ids_of(step, &asked.of)?)
            .bind(asked.environment.map(|id| id.0))
            .bind(asked.below.map(|id| id.0))
            .bind(i64::from(asked.looked_at_max))
            .bind(asked.outcome)
            .bind(asked.reason)
            .bind(asked.created_from.map(Timestamp::as_microsecond))
            .bind(asked.created_before.map(Timestamp::as_microsecond))
            .bind(document(step, &OUTCOMES)?)
            .fetch_all(self.connection())
            .await
            .during(step)?;
        let found = found.into_iter();
        Ok(found
            .map(|(run, is_wanted)| (RunId(run), is_wanted))
            .collect())
    }

    async fn describe_runs(
        &mut self,
        of: &Workspaces,
        runs: &[RunId],
    ) -> Result<Vec<DescribedRun>, StoreError> {
        let step = "look up runs";
        let records: Vec<DescribedRecord> =
            sqlx::query_as(include_str!("sqlite/describe_runs.sql"))
                .bind(ids_of(step, of)?)
                .bind(document(step, runs)?)
                .fetch_all(self.connection())
                .await
                .during(step)?;
        let described: sqlx::Result<_> = records.into_iter().map(DescribedRun::try_from).collect();
        described.during(step)
    }

    async fn load_standings(&mut self, runs: &[RunId]) -> Result<Vec<Standing>, StoreError> {
        let step = "look up runs";
        let records: Vec<StandingRecord> =
            sqlx::query_as(include_str!("sqlite/load_standings.sql"))
                .bind(document(step, runs)?)
                .fetch_all(self.connection())
                .await
                .during(step)?;
        let standings: sqlx::Result<_> = records.into_iter().map(Standing::try_from).collect();
        standings.during(step)
    }

    async fn load_verdict(
        &mut self,
        of: &Workspaces,
        run: RunId,
    ) -> Result<Option<RecordedVerdict>, StoreError> {
        let step = "read the ledger";
        let record: Option<VerdictRecord> = sqlx::query_as(include_str!("sqlite/load_verdict.sql"))
            .bind(run.0)
            .bind(ids_of(step, of)?)
            .fetch_optional(self.connection())
            .await
            .during(step)?;
        record
            .map(RecordedVerdict::try_from)
            .transpose()
            .during(step)
    }

    async fn find_environment(
        &mut self,
        of: &Workspaces,
        environment: EnvironmentId,
    ) -> Result<Option<WorkspaceId>, StoreError> {
        let step = "look up an environment";
        let found: Option<i64> = sqlx::query_scalar(include_str!("sqlite/find_environment.sql"))
            .bind(ids_of(step, of)?)
            .bind(environment.0)
            .fetch_optional(self.connection())
            .await
            .during(step)?;
        Ok(found.map(WorkspaceId))
    }

    async fn find_restore(
        &mut self,
        of: &Workspaces,
        restore: RestoreId,
    ) -> Result<Option<FoundRestore>, StoreError> {
        let step = "look up a restore";
        let record: Option<PreparationRecord> =
            sqlx::query_as(include_str!("sqlite/find_restore.sql"))
                .bind(ids_of(step, of)?)
                .bind(restore.0)
                .bind(PREPARATION_BYTES_MAX)
                .fetch_optional(self.connection())
                .await
                .during(step)?;
        Ok(record.map(FoundRestore::from))
    }

    async fn find_sources(&mut self, asks: &[Ask]) -> Result<Vec<FoundSet>, StoreError> {
        let step = "look up backup sets";
        let records: Vec<SetRecord> = sqlx::query_as(include_str!("sqlite/find_sources.sql"))
            .bind(document(step, asks)?)
            .fetch_all(self.connection())
            .await
            .during(step)?;
        Ok(records.into_iter().map(FoundSet::from).collect())
    }

    async fn list_environments(
        &mut self,
        of: &Workspaces,
        after: Option<(WorkspaceId, EnvironmentId)>,
        limit: u32,
    ) -> Result<Vec<ListedEnvironment>, StoreError> {
        let step = "list environments";
        let records: Vec<EnvironmentRecord> =
            sqlx::query_as(include_str!("sqlite/list_environments.sql"))
                .bind(ids_of(step, of)?)
                .bind(after.map(|(workspace, _)| workspace.0))
                .bind(after.map(|(_, environment)| environment.0))
                .bind(i64::from(limit))
                .fetch_all(self.connection())
                .await
                .during(step)?;
        Ok(records.into_iter().map(ListedEnvironment::from).collect())
    }

    async fn find_recent_restores(
        &mut self,
        asks: &[Ask],
        window: u32,
    ) -> Result<Vec<ScopedRestore>, StoreError> {
        let step = "look for recent restores";
        let records: Vec<LatestRecord> =
            sqlx::query_as(include_str!("sqlite/find_recent_restores.sql"))
                .bind(document(step, asks)?)
                .bind(i64::from(window))
                .fetch_all(self.connection())
                .await
                .during(step)?;
        Ok(records.into_iter().map(ScopedRestore::from).collect())
    }

    async fn find_older_restores(
        &mut self,
        asks: &[Ask],
    ) -> Result<Vec<ScopedRestore>, StoreError> {
        let step = "look for older restores";
        let records: Vec<LatestRecord> =
            sqlx::query_as(include_str!("sqlite/find_older_restores.sql"))
                .bind(document(step, asks)?)
                .fetch_all(self.connection())
                .await
                .during(step)?;
        Ok(records.into_iter().map(ScopedRestore::from).collect())
    }

    async fn find_preparing(
        &mut self,
        asks: &[Ask],
    ) -> Result<HashMap<EnvironmentId, RestoreId>, StoreError> {
        let step = "look for restores that are being prepared";
        let found: Vec<(i64, i64)> = sqlx::query_as(include_str!("sqlite/find_preparing.sql"))
            .bind(document(step, asks)?)
            .fetch_all(self.connection())
            .await
            .during(step)?;
        let found = found.into_iter();
        Ok(found
            .map(|(environment, restore)| (EnvironmentId(environment), RestoreId(restore)))
            .collect())
    }

    async fn count_open_runs(
        &mut self,
        asks: &[Ask],
    ) -> Result<HashMap<EnvironmentId, OpenRuns>, StoreError> {
        let step = "count open runs";
        let records: Vec<OpenRecord> = sqlx::query_as(include_str!("sqlite/count_open_runs.sql"))
            .bind(document(step, asks)?)
            .fetch_all(self.connection())
            .await
            .during(step)?;
        Ok(records.into_iter().map(OpenRecord::read).collect())
    }

    async fn find_backup_sets(&mut self, asks: &[Ask]) -> Result<Vec<FoundSet>, StoreError> {
        let step = "look for backup sets";
        let records: Vec<SetRecord> = sqlx::query_as(include_str!("sqlite/find_backup_sets.sql"))
            .bind(document(step, asks)?)
            .fetch_all(self.connection())
            .await
            .during(step)?;
        Ok(records.into_iter().map(FoundSet::from).collect())
    }

    async fn load_backups(
        &mut self,
        sets: Vec<FoundSet>,
    ) -> Result<HashMap<i64, BackupSetFacts>, StoreError> {
        let step = "read backup items";
        let ids: Vec<i64> = sets.iter().map(|set| set.row.id.0).collect();
        let mut gathering = Gathering::of(sets);
        if !ids.is_empty() {
            let mut records =
                sqlx::query_as::<_, ItemRecord>(include_str!("sqlite/load_backup_items.sql"))
                    .bind(document(step, &ids)?)
                    .bind(i64::from(ITEMS_MAX))
                    .bind(ITEM_METADATA_BYTES_MAX)
                    .fetch(self.connection());
            while let Some(record) = records.try_next().await.during(step)? {
                gathering.add(record);
                // Items that have arrived together are read without a pause.
                consume_budget().await;
            }
        }
        Ok(gathering.finish())
    }

    async fn load_recent_verdicts(
        &mut self,
        workspaces: &[WorkspaceId],
        limit: u32,
    ) -> Result<Vec<(WorkspaceId, Timestamp, String)>, StoreError> {
        let step = "read the latest verdicts";
        let ids: Vec<i64> = workspaces.iter().map(|workspace| workspace.0).collect();
        let found: Vec<(i64, i64, String)> =
            sqlx::query_as(include_str!("sqlite/load_recent_verdicts.sql"))
                .bind(document(step, &ids)?)
                .bind(i64::from(limit))
                .fetch_all(self.connection())
                .await
                .during(step)?;
        let verdicts: sqlx::Result<_> = found
            .into_iter()
            .map(|(workspace, at, outcome)| Ok((WorkspaceId(workspace), moment(at)?, outcome)))
            .collect();
        verdicts.during(step)
    }

    async fn list_sweeps(
        &mut self,
        of: &Workspaces,
        limit: u32,
    ) -> Result<Vec<SweepSeen>, StoreError> {
        let step = "list sweeps";
        let records: Vec<SweepRecord> = sqlx::query_as(include_str!("sqlite/list_sweeps.sql"))
            .bind(ids_of(step, of)?)
            .bind(i64::from(limit))
            .fetch_all(self.connection())
            .await
            .during(step)?;
        let sweeps: sqlx::Result<_> = records.into_iter().map(SweepSeen::try_from).collect();
        sweeps.during(step)
    }
}
