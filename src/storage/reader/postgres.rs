//! The console's statements, for PostgreSQL.
//!
//! A scope that is null, and a filter that is, cost nothing: plans are made for the values at hand.

use std::collections::HashMap;

use futures_util::TryStreamExt as _;
use jiff::Timestamp;
use reconciler_jobs::ids::{EnvironmentId, RestoreId, RunId, WorkspaceId};
use reconciler_jobs::reading::backup_health::BackupSetFacts;
use tokio::task::consume_budget;

use super::look::{Look, OUTCOMES, RunsAsked, Source};
use super::queue::{JobOnRecord, QueueListing, QueueScope, ShardJobs, Standing};
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
use crate::storage::postgres::PostgresStore;
use crate::storage::postgres::transaction::PostgresTransaction;
use crate::storage::records::{Ask, VerdictRecord, moment};
use crate::storage::settle::{Transaction as _, Transactions as _, finish};
use crate::storage::{Backend, Queue as _, QueueState, RecordedVerdict, StoreError};

impl Source for PostgresStore {
    fn backend(&self) -> Backend {
        Backend::Postgres
    }

    async fn list_queue(&self, scope: &QueueScope) -> Result<QueueListing, StoreError> {
        let step = "list the queue";
        let states: Vec<&str> = scope.states.iter().copied().map(QueueState::name).collect();
        let mut tx = self.begin_read().await?;
        let records: Vec<EntryRecord> = sqlx::query_as(include_str!("postgres/load_entries.sql"))
            .bind(states)
            .bind(scope.workspaces().ids())
            .bind(i64::from(scope.limit))
            .bind(scope.live_only)
            .fetch_all(tx.connection())
            .await
            .during(step)?;
        let shards: ShardJobs = sqlx::query_as(include_str!("postgres/count_shards.sql"))
            .fetch_one(tx.connection())
            .await
            .during(step)?;
        let as_of = tx.as_of();
        tx.commit().await?;
        let (entries, counts) = read_all(records).during(step)?;
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
        let mut tx = self.begin_read().await?;
        let records: Vec<JobRecord> = sqlx::query_as(include_str!("postgres/load_jobs.sql"))
            .bind(run.0)
            .bind(i64::from(limit))
            .fetch_all(tx.connection())
            .await
            .during(step)?;
        tx.commit().await?;
        let jobs: sqlx::Result<_> = records.into_iter().map(JobOnRecord::try_from).collect();
        jobs.during(step)
    }

    async fn list_workers(&self, limit: u32) -> Result<Vec<WorkerSeen>, StoreError> {
        let step = "list workers";
        if !self.has_queue().await? {
            return Ok(Vec::new());
        }
        let mut tx = self.begin_read().await?;
        let records: Result<Vec<WorkerRecord>, StoreError> =
            sqlx::query_as(include_str!("postgres/list_workers.sql"))
                .bind(i64::from(limit))
                .bind(seconds())
                .fetch_all(tx.connection())
                .await
                .during(step);
        let records = finish(tx, records).await?.into_iter();
        let workers: sqlx::Result<_> = records.map(WorkerSeen::try_from).collect();
        workers.during(step)
    }
}

fn seconds() -> i64 {
    i64::try_from(HEARD_OF_WITHIN.as_secs()).unwrap_or(i64::MAX)
}

fn ids(runs: &[RunId]) -> Vec<i64> {
    runs.iter().map(|run| run.0).collect()
}

fn workspaces(asks: &[Ask]) -> Vec<i64> {
    asks.iter().map(|ask| ask.workspace.0).collect()
}

fn environments(asks: &[Ask]) -> Vec<i64> {
    asks.iter().map(|ask| ask.environment.0).collect()
}

impl Look for PostgresTransaction {
    async fn look_for_runs(&mut self, asked: &RunsAsked) -> Result<Vec<(RunId, bool)>, StoreError> {
        let statement = if asked.is_open {
            include_str!("postgres/look_for_open_runs.sql")
        } else {
            include_str!("postgres/look_for_runs.sql")
        };
        let found: Vec<(i64, bool)> = sqlx::query_as(statement)
            .bind(asked.of.ids())
            .bind(asked.environment.map(|id| id.0))
            .bind(asked.below.map(|id| id.0))
            .bind(i64::from(asked.looked_at_max))
            .bind(asked.outcome)
            .bind(asked.reason)
            .bind(asked.created_from.map(Timestamp::as_microsecond))
            .bind(asked.created_before.map(Timestamp::as_microsecond))
            .bind(OUTCOMES.as_slice())
            .fetch_all(self.connection())
            .await
            .during("look for runs")?;
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
            sqlx::query_as(include_str!("postgres/describe_runs.sql"))
                .bind(of.ids())
                .bind(ids(runs))
                .fetch_all(self.connection())
                .await
                .during(step)?;
        let described: sqlx::Result<_> = records.into_iter().map(DescribedRun::try_from).collect();
        described.during(step)
    }

    async fn load_standings(&mut self, runs: &[RunId]) -> Result<Vec<Standing>, StoreError> {
        let step = "look up runs";
        let records: Vec<StandingRecord> =
            sqlx::query_as(include_str!("postgres/load_standings.sql"))
                .bind(ids(runs))
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
        let record: Option<VerdictRecord> =
            sqlx::query_as(include_str!("postgres/load_verdict.sql"))
                .bind(run.0)
                .bind(of.ids())
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
        let found: Option<i64> = sqlx::query_scalar(include_str!("postgres/find_environment.sql"))
            .bind(of.ids())
            .bind(environment.0)
            .fetch_optional(self.connection())
            .await
            .during("look up an environment")?;
        Ok(found.map(WorkspaceId))
    }

    async fn find_restore(
        &mut self,
        of: &Workspaces,
        restore: RestoreId,
    ) -> Result<Option<FoundRestore>, StoreError> {
        let record: Option<PreparationRecord> =
            sqlx::query_as(include_str!("postgres/find_restore.sql"))
                .bind(of.ids())
                .bind(restore.0)
                .bind(PREPARATION_BYTES_MAX)
                .fetch_optional(self.connection())
                .await
                .during("look up a restore")?;
        Ok(record.map(FoundRestore::from))
    }

    async fn find_sources(&mut self, asks: &[Ask]) -> Result<Vec<FoundSet>, StoreError> {
        let restores: Vec<Option<i64>> = asks
            .iter()
            .map(|ask| ask.restore.map(|restore| restore.0))
            .collect();
        let records: Vec<SetRecord> = sqlx::query_as(include_str!("postgres/find_sources.sql"))
            .bind(restores)
            .bind(workspaces(asks))
            .bind(environments(asks))
            .fetch_all(self.connection())
            .await
            .during("look up backup sets")?;
        Ok(records.into_iter().map(FoundSet::from).collect())
    }

    async fn list_environments(
        &mut self,
        of: &Workspaces,
        after: Option<(WorkspaceId, EnvironmentId)>,
        limit: u32,
    ) -> Result<Vec<ListedEnvironment>, StoreError> {
        let records: Vec<EnvironmentRecord> =
            sqlx::query_as(include_str!("postgres/list_environments.sql"))
                .bind(of.ids())
                .bind(after.map(|(workspace, _)| workspace.0))
                .bind(after.map(|(_, environment)| environment.0))
                .bind(i64::from(limit))
                .fetch_all(self.connection())
                .await
                .during("list environments")?;
        Ok(records.into_iter().map(ListedEnvironment::from).collect())
    }

    async fn find_recent_restores(
        &mut self,
        asks: &[Ask],
        window: u32,
    ) -> Result<Vec<ScopedRestore>, StoreError> {
        let records: Vec<LatestRecord> =
            sqlx::query_as(include_str!("postgres/find_recent_restores.sql"))
                .bind(workspaces(asks))
                .bind(environments(asks))
                .bind(i64::from(window))
                .fetch_all(self.connection())
                .await
                .during("look for recent restores")?;
        Ok(records.into_iter().map(ScopedRestore::from).collect())
    }

    async fn find_older_restores(
        &mut self,
        asks: &[Ask],
    ) -> Result<Vec<ScopedRestore>, StoreError> {
        let records: Vec<LatestRecord> =
            sqlx::query_as(include_str!("postgres/find_older_restores.sql"))
                .bind(workspaces(asks))
                .bind(environments(asks))
                .fetch_all(self.connection())
                .await
                .during("look for older restores")?;
        Ok(records.into_iter().map(ScopedRestore::from).collect())
    }

    async fn find_preparing(
        &mut self,
        asks: &[Ask],
    ) -> Result<HashMap<EnvironmentId, RestoreId>, StoreError> {
        let found: Vec<(i64, i64)> = sqlx::query_as(include_str!("postgres/find_preparing.sql"))
            .bind(workspaces(asks))
            .bind(environments(asks))
            .fetch_all(self.connection())
            .await
            .during("look for restores that are being prepared")?;
        let found = found.into_iter();
        Ok(found
            .map(|(environment, restore)| (EnvironmentId(environment), RestoreId(restore)))
            .collect())
    }

    async fn count_open_runs(
        &mut self,
        asks: &[Ask],
    ) -> Result<HashMap<EnvironmentId, OpenRuns>, StoreError> {
        let records: Vec<OpenRecord> = sqlx::query_as(include_str!("postgres/count_open_runs.sql"))
            .bind(workspaces(asks))
            .bind(environments(asks))
            .fetch_all(self.connection())
            .await
            .during("count open runs")?;
        Ok(records.into_iter().map(OpenRecord::read).collect())
    }

    async fn find_backup_sets(&mut self, asks: &[Ask]) -> Result<Vec<FoundSet>, StoreError> {
        let records: Vec<SetRecord> = sqlx::query_as(include_str!("postgres/find_backup_sets.sql"))
            .bind(workspaces(asks))
            .bind(environments(asks))
            .fetch_all(self.connection())
            .await
            .during("look for backup sets")?;
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
                sqlx::query_as::<_, ItemRecord>(include_str!("postgres/load_backup_items.sql"))
                    .bind(ids)
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
            sqlx::query_as(include_str!("postgres/load_recent_verdicts.sql"))
                .bind(ids)
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
        let records: Vec<SweepRecord> = sqlx::query_as(include_str!("postgres/list_sweeps.sql"))
            .bind(of.ids())
            .bind(i64::from(limit))
            .fetch_all(self.connection())
            .await
            .during(step)?;
        let sweeps: sqlx::Result<_> = records.into_iter().map(SweepSeen::try_from).collect();
        sweeps.during(step)
    }
}
