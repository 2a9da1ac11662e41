//! The statements of a look. Each is set-based: one round trip for a whole page.
//!
//! A scope that is null, and a filter that is, cost nothing on PostgreSQL: plans are made for the values at hand.
//!
//! **Invariant:** each statement carries the viewer's workspaces, or asks in the scope of rows that were found
//! within them.

use std::collections::HashMap;

use futures_util::TryStreamExt as _;
use jiff::Timestamp;
use reconciler_jobs::ids::{EnvironmentId, RestoreId, RunId, WorkspaceId};
use reconciler_jobs::reading::backup_health::BackupSetFacts;
use tokio::task::consume_budget;

use super::model::{
    ITEM_METADATA_BYTES_MAX, ITEMS_MAX, OpenRuns, PREPARATION_BYTES_MAX, SweepSeen, Workspaces,
};
use super::rows::{
    DescribedRecord, DescribedRun, FoundRestore, FoundSet, Gathering, ItemRecord,
    ListedEnvironment, OpenRecord, PreparationRecord, ScopedRestore, SetRecord, SweepRecord,
};
use crate::storage::column::{Id, StoredMoment};
use crate::storage::connection::Connection;
use crate::storage::error::StoreError;
use crate::storage::model::RecordedVerdict;
use crate::storage::records::Ask;
use crate::storage::statement::{statement, values};
use crate::storage::transaction::DatabaseTransaction;

/// Words of `operation_runs.outcome` that are known.
pub(super) const OUTCOMES: [&str; 5] = [
    "pending",
    "succeeded",
    "partially_succeeded",
    "blocked",
    "failed",
];

/// Which runs are looked at, and which of these are wanted.
pub(super) struct RunsQuery {
    pub(super) of: Workspaces,
    pub(super) environment: Option<EnvironmentId>,
    pub(super) is_open: bool,
    pub(super) below: Option<RunId>,
    pub(super) looked_at_max: u32,
    /// One of [`OUTCOMES`], or `unknown` for all other words.
    pub(super) outcome: Option<&'static str>,
    pub(super) reason: Option<&'static str>,
    pub(super) created_from: Option<Timestamp>,
    pub(super) created_before: Option<Timestamp>,
}

impl RunsQuery {
    /// Whether a run that is looked at may be unwanted.
    pub(super) fn leaves_some_out(&self) -> bool {
        self.outcome.is_some()
            || self.reason.is_some()
            || self.created_from.is_some()
            || self.created_before.is_some()
    }
}

impl DatabaseTransaction {
    /// Runs that are looked at, the highest id first, and whether each is wanted.
    pub(super) async fn look_for_runs(
        &mut self,
        query: &RunsQuery,
    ) -> Result<Vec<(RunId, bool)>, StoreError> {
        let step = "look for runs";
        let connection = self.driver();
        let statement = match connection {
            Connection::Postgres(_) if query.is_open => {
                statement!(step, postgres "look_for_open_runs")
            }
            _ => statement!(step, "look_for_runs"),
        };
        let values = values![
            query.of.ids(),
            query.environment,
            query.below,
            query.looked_at_max,
            query.outcome,
            query.reason,
            query.created_from,
            query.created_before,
            OUTCOMES.to_vec(),
            query.is_open,
        ];
        let found: Vec<(Id, bool)> = connection.fetch_all(statement, values).await?;
        let found = found.into_iter();
        Ok(found
            .map(|(run, is_wanted)| (run.into(), is_wanted))
            .collect())
    }

    /// Loads those of `runs` that may be seen.
    pub(super) async fn describe_runs(
        &mut self,
        of: &Workspaces,
        runs: &[RunId],
    ) -> Result<Vec<DescribedRun>, StoreError> {
        let statement = statement!("look up runs", "describe_runs");
        let values = values![of.ids(), runs];
        let records: Vec<DescribedRecord> = self.driver().fetch_all(statement, values).await?;
        Ok(records.into_iter().map(DescribedRun::from).collect())
    }

    /// The verdict on record for a run, if it is of a workspace that may be seen.
    pub(super) async fn load_verdict(
        &mut self,
        of: &Workspaces,
        run: RunId,
    ) -> Result<Option<RecordedVerdict>, StoreError> {
        let statement = statement!("read the ledger", "load_verdict");
        let values = values![run, of.ids()];
        self.driver().fetch_optional(statement, values).await
    }

    /// The workspace of a live environment.
    pub(super) async fn find_environment(
        &mut self,
        of: &Workspaces,
        environment: EnvironmentId,
    ) -> Result<Option<WorkspaceId>, StoreError> {
        let statement = statement!("look up an environment", "find_environment");
        let values = values![of.ids(), environment];
        let found: Option<(Id,)> = self.driver().fetch_optional(statement, values).await?;
        Ok(found.map(|(workspace,)| workspace.into()))
    }

    /// A live restore.
    pub(super) async fn find_restore(
        &mut self,
        of: &Workspaces,
        restore: RestoreId,
    ) -> Result<Option<FoundRestore>, StoreError> {
        let statement = statement!("look up a restore", "find_restore");
        let values = values![of.ids(), restore, PREPARATION_BYTES_MAX];
        let record: Option<PreparationRecord> =
            self.driver().fetch_optional(statement, values).await?;
        Ok(record.map(FoundRestore::from))
    }

    /// The backup sets of the restores asked about, by restore.
    pub(super) async fn find_sources(&mut self, asks: &[Ask]) -> Result<Vec<FoundSet>, StoreError> {
        let statement = statement!("look up backup sets", "find_sources");
        let values = values![Ask::restores(asks)];
        let records: Vec<SetRecord> = self.driver().fetch_all(statement, values).await?;
        Ok(records.into_iter().map(FoundSet::from).collect())
    }

    /// Live environments after one, in the order of workspaces.
    pub(super) async fn list_environments(
        &mut self,
        of: &Workspaces,
        after: Option<(WorkspaceId, EnvironmentId)>,
        limit: u32,
    ) -> Result<Vec<ListedEnvironment>, StoreError> {
        let statement = statement!("list environments", "list_environments");
        let values = values![
            of.ids(),
            after.map(|(workspace, _)| workspace),
            after.map(|(_, environment)| environment),
            limit,
        ];
        self.driver().fetch_all(statement, values).await
    }

    /// The latest executed restore of each environment, as far as it is among the last `window` of all. None on
    /// SQLite, which has few of them.
    pub(super) async fn find_recent_restores(
        &mut self,
        environments: &[Ask],
        window: u32,
    ) -> Result<Vec<ScopedRestore>, StoreError> {
        let statement = statement!("look for recent restores", postgres "find_recent_restores");
        let values = values![Ask::environments(environments), window];
        self.driver().fetch_all(statement, values).await
    }

    /// The latest executed restore of each environment, however old.
    pub(super) async fn find_older_restores(
        &mut self,
        environments: &[Ask],
    ) -> Result<Vec<ScopedRestore>, StoreError> {
        let statement = statement!("look for older restores", "find_older_restores");
        let values = values![Ask::environments(environments)];
        self.driver().fetch_all(statement, values).await
    }

    /// The latest restore of each environment that is being prepared.
    pub(super) async fn find_preparing(
        &mut self,
        environments: &[Ask],
    ) -> Result<HashMap<EnvironmentId, RestoreId>, StoreError> {
        let step = "look for restores that are being prepared";
        let statement = statement!(step, "find_preparing");
        let values = values![Ask::environments(environments)];
        let found: Vec<(Id, Id)> = self.driver().fetch_all(statement, values).await?;
        let found = found.into_iter();
        Ok(found
            .map(|(environment, restore)| (environment.into(), restore.into()))
            .collect())
    }

    /// The open runs of each environment that has any.
    pub(super) async fn count_open_runs(
        &mut self,
        environments: &[Ask],
    ) -> Result<HashMap<EnvironmentId, OpenRuns>, StoreError> {
        let statement = statement!("count open runs", "count_open_runs");
        let values = values![Ask::environments(environments)];
        let records: Vec<OpenRecord> = self.driver().fetch_all(statement, values).await?;
        Ok(records.into_iter().map(OpenRecord::read).collect())
    }

    /// The latest completed backup set of each environment, by environment.
    pub(super) async fn find_backup_sets(
        &mut self,
        environments: &[Ask],
    ) -> Result<Vec<FoundSet>, StoreError> {
        let statement = statement!("look for backup sets", "find_backup_sets");
        let values = values![Ask::environments(environments)];
        let records: Vec<SetRecord> = self.driver().fetch_all(statement, values).await?;
        Ok(records.into_iter().map(FoundSet::from).collect())
    }

    /// What was captured in these sets, by owner.
    pub(super) async fn load_backups(
        &mut self,
        sets: Vec<FoundSet>,
    ) -> Result<HashMap<i64, BackupSetFacts>, StoreError> {
        let statement = statement!("read backup items", "load_backup_items");
        let ids: Vec<i64> = sets.iter().map(|set| set.row.id.0).collect();
        let mut gathering = Gathering::of(sets);
        if !ids.is_empty() {
            let values = values![ids, ITEMS_MAX, ITEM_METADATA_BYTES_MAX];
            let mut records = self.driver().stream::<ItemRecord>(statement, values)?;
            while let Some(record) = records.try_next().await? {
                gathering.add(record);
                // Items that have arrived together are read without a pause.
                consume_budget().await;
            }
        }
        Ok(gathering.finish())
    }

    /// The latest verdicts of each workspace, with their outcomes in words.
    pub(super) async fn load_recent_verdicts(
        &mut self,
        workspaces: &[WorkspaceId],
        limit: u32,
    ) -> Result<Vec<(WorkspaceId, Timestamp, String)>, StoreError> {
        let statement = statement!("read the latest verdicts", "load_recent_verdicts");
        let values = values![workspaces, limit];
        let found: Vec<(Id, StoredMoment, String)> =
            self.driver().fetch_all(statement, values).await?;
        found
            .into_iter()
            .map(|(workspace, at, outcome)| {
                Ok((workspace.into(), at.read(statement.step)?, outcome))
            })
            .collect()
    }

    /// The latest sweeps over all workspaces, or over one that may be seen.
    pub(super) async fn list_sweeps(
        &mut self,
        of: &Workspaces,
        limit: u32,
    ) -> Result<Vec<SweepSeen>, StoreError> {
        let statement = statement!("list sweeps", "list_sweeps");
        let values = values![of.ids(), limit];
        let records: Vec<SweepRecord> = self.driver().fetch_all(statement, values).await?;
        Ok(records.into_iter().map(SweepSeen::from).collect())
    }
}
