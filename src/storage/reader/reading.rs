//! The reader, written once over what a database has to offer. Each answer comes from one snapshot.

use std::collections::BTreeSet;

use jiff::Timestamp;
use reconciler_jobs::ids::{EnvironmentId, RestoreId, RunId, WorkspaceId};
use reconciler_jobs::restore_execute::{Outcome, Policy};

use super::model::{
    EnvironmentPage, EnvironmentPassed, RestoreSeen, RunFilter, RunInFull, RunListing, SweepSeen,
    Walk, Walked, Workspaces,
};
use super::{environments, restores, runs};
use crate::storage::connection::EitherRow;
use crate::storage::error::StoreError;
use crate::storage::model::{Assessment, Backend, RecordedVerdict, Tally};
use crate::storage::settle::{Transactions as _, assess_within, finish};
use crate::storage::statement::{Statement, Value};
use crate::storage::store::EitherDatabase;

/// Looks at a database, within a viewer's workspaces, and changes nothing. Clones share its connections.
#[derive(Debug, Clone)]
pub struct Reader {
    pub(in crate::storage) database: EitherDatabase,
}

impl Reader {
    /// Which database this is.
    #[must_use]
    pub fn backend(&self) -> Backend {
        self.database.backend()
    }

    /// The database's clock. Fails where the database is away.
    pub async fn now(&self) -> Result<Timestamp, StoreError> {
        let tx = self.database.begin_read().await?;
        let now = tx.as_of();
        finish(tx, Ok(now)).await
    }

    /// Runs of type `restore.execute` below `below`, at most `limit`.
    pub async fn load_runs(
        &self,
        of: &Workspaces,
        filter: &RunFilter,
        below: Option<RunId>,
        limit: u32,
        policy: &Policy,
    ) -> Result<RunListing, StoreError> {
        let mut tx = self.database.begin_read().await?;
        let page = runs::load_page(&mut tx, of, filter, below, limit, policy).await;
        finish(tx, page).await
    }

    /// One run of type `restore.execute`.
    pub async fn load_run(
        &self,
        of: &Workspaces,
        run: RunId,
        policy: &Policy,
    ) -> Result<Option<RunInFull>, StoreError> {
        let mut tx = self.database.begin_read().await?;
        let found = runs::load_one(&mut tx, of, run, policy).await;
        finish(tx, found).await
    }

    /// One live restore.
    pub async fn load_restore(
        &self,
        of: &Workspaces,
        restore: RestoreId,
        policy: &Policy,
    ) -> Result<Option<RestoreSeen>, StoreError> {
        let mut tx = self.database.begin_read().await?;
        let found = restores::load_one(&mut tx, of, restore, policy).await;
        finish(tx, found).await
    }

    /// Live environments after `after`, at most `limit`; only those of `workspace` where one is given.
    pub async fn load_environments(
        &self,
        of: &Workspaces,
        workspace: Option<WorkspaceId>,
        after: Option<(WorkspaceId, EnvironmentId)>,
        limit: u32,
        policy: &Policy,
    ) -> Result<EnvironmentPage, StoreError> {
        let of = workspace.map_or_else(|| of.clone(), |workspace| of.narrowed(workspace));
        let mut tx = self.database.begin_read().await?;
        let page = environments::load_page(&mut tx, &of, after, limit, policy).await;
        finish(tx, page).await
    }

    /// Goes through live environments in the order of [`EnvironmentPage`], and shows `visit` one part after the
    /// other, each with the moment of [`Walked`]. What was shown is dropped before the next part is read.
    pub async fn walk_environments(
        &self,
        of: &Workspaces,
        walk: &Walk,
        policy: &Policy,
        visit: &mut (dyn FnMut(Timestamp, Vec<EnvironmentPassed>) + Send),
    ) -> Result<Walked, StoreError> {
        let workspace = walk.workspace;
        let of = workspace.map_or_else(|| of.clone(), |workspace| of.narrowed(workspace));
        let mut tx = self.database.begin_read().await?;
        let walked = environments::walk(&mut tx, &of, walk, policy, visit).await;
        finish(tx, walked).await
    }

    /// The latest verdicts of each of `workspaces` that may be seen, at most `limit` of each, in no particular
    /// order.
    pub async fn load_recent_verdicts(
        &self,
        of: &Workspaces,
        workspaces: &[WorkspaceId],
        limit: u32,
    ) -> Result<Vec<(WorkspaceId, Timestamp, Outcome)>, StoreError> {
        let seen: BTreeSet<WorkspaceId> = workspaces
            .iter()
            .copied()
            .filter(|workspace| of.may_include(Some(*workspace)))
            .collect();
        let seen: Vec<WorkspaceId> = seen.into_iter().collect();
        let mut tx = self.database.begin_read().await?;
        let found = tx.load_recent_verdicts(&seen, limit).await;
        let verdicts = finish(tx, found).await?.into_iter();
        Ok(verdicts
            .filter_map(|(workspace, decided_at, outcome)| {
                Some((workspace, decided_at, Outcome::parse(&outcome)?))
            })
            .collect())
    }

    /// Decides runs of any type as they stand, all from one snapshot. Those that do not exist are absent.
    pub async fn assess(
        &self,
        of: &Workspaces,
        runs: &[RunId],
        policy: &Policy,
    ) -> Result<Vec<Assessment>, StoreError> {
        let mut tx = self.database.begin_read().await?;
        let assessed = assess_within(&mut tx, runs, policy).await;
        let mut assessed = finish(tx, assessed).await?;
        assessed.retain(|it| of.may_include(Some(it.facts.run.workspace_id)));
        Ok(assessed)
    }

    /// The verdict on record for a run, if we reached one.
    pub async fn load_verdict(
        &self,
        of: &Workspaces,
        run: RunId,
    ) -> Result<Option<RecordedVerdict>, StoreError> {
        let mut tx = self.database.begin_read().await?;
        let found = tx.load_verdict(of, run).await;
        finish(tx, found).await
    }

    /// The latest sweeps, the latest first. Those over all workspaces are shown to everybody, but what they came
    /// to only to those who may see all workspaces: others read a tally of zeros.
    pub async fn load_sweeps(
        &self,
        of: &Workspaces,
        limit: u32,
    ) -> Result<Vec<SweepSeen>, StoreError> {
        let mut tx = self.database.begin_read().await?;
        let found = tx.list_sweeps(of, limit).await;
        let mut sweeps = finish(tx, found).await?;
        for sweep in &mut sweeps {
            if !of.may_include(sweep.workspace) {
                sweep.tally = Tally::default();
            }
        }
        Ok(sweeps)
    }

    /// Every row that one statement returns, in a transaction of its own.
    pub(super) async fn fetch_all<R: EitherRow>(
        &self,
        statement: Statement,
        values: &[Value<'_>],
    ) -> Result<Vec<R>, StoreError> {
        let mut tx = self.database.begin_read().await?;
        let rows = tx.driver().fetch_all(statement, values).await;
        finish(tx, rows).await
    }
}
