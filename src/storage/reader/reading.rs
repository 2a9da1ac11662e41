//! The reader, written once over what a database has to offer. Each answer comes from one snapshot.

use std::collections::BTreeSet;

use async_trait::async_trait;
use jiff::Timestamp;
use reconciler_jobs::ids::{EnvironmentId, RestoreId, RunId, WorkspaceId};
use reconciler_jobs::restore_execute::{Outcome, Policy};

use super::look::{Look, Source};
use super::queue::{JobOnRecord, QueueListing, QueueScope, ShardJobs, Standing};
use super::{
    EnvironmentPage, EnvironmentPassed, Reader, RestoreSeen, RunFilter, RunInFull, RunPage,
    SweepSeen, Walk, Walked, WorkerSeen, Workspaces, environments, restores, runs,
};
use crate::storage::settle::{Transaction as _, assess_within, finish};
use crate::storage::{Assessment, Backend, RecordedVerdict, StoreError, Tally};

/// Looks at a database and changes nothing.
pub(in crate::storage) struct Reading<S>(pub(in crate::storage) S);

#[async_trait]
impl<S: Source + Send> Reader for Reading<S> {
    fn backend(&self) -> Backend {
        self.0.backend()
    }

    async fn now(&self) -> Result<Timestamp, StoreError> {
        let tx = self.0.begin_read().await?;
        let now = tx.as_of();
        finish(tx, Ok(now)).await
    }

    async fn load_runs(
        &self,
        of: &Workspaces,
        filter: &RunFilter,
        below: Option<RunId>,
        limit: u32,
        policy: &Policy,
    ) -> Result<RunPage, StoreError> {
        let mut tx = self.0.begin_read().await?;
        let page = runs::load_page(&mut tx, of, filter, below, limit, policy).await;
        finish(tx, page).await
    }

    async fn load_run(
        &self,
        of: &Workspaces,
        run: RunId,
        policy: &Policy,
    ) -> Result<Option<RunInFull>, StoreError> {
        let mut tx = self.0.begin_read().await?;
        let found = runs::load_one(&mut tx, of, run, policy).await;
        finish(tx, found).await
    }

    async fn load_restore(
        &self,
        of: &Workspaces,
        restore: RestoreId,
        _: &Policy,
    ) -> Result<Option<RestoreSeen>, StoreError> {
        let mut tx = self.0.begin_read().await?;
        let found = restores::load_one(&mut tx, of, restore).await;
        finish(tx, found).await
    }

    async fn load_environments(
        &self,
        of: &Workspaces,
        workspace: Option<WorkspaceId>,
        after: Option<(WorkspaceId, EnvironmentId)>,
        limit: u32,
    ) -> Result<EnvironmentPage, StoreError> {
        let of = workspace.map_or_else(|| of.clone(), |workspace| of.narrowed(workspace));
        let mut tx = self.0.begin_read().await?;
        let page = environments::load_page(&mut tx, &of, after, limit).await;
        finish(tx, page).await
    }

    async fn walk_environments(
        &self,
        of: &Workspaces,
        walk: &Walk,
        visit: &mut (dyn FnMut(Timestamp, Vec<EnvironmentPassed>) + Send),
    ) -> Result<Walked, StoreError> {
        let workspace = walk.workspace;
        let of = workspace.map_or_else(|| of.clone(), |workspace| of.narrowed(workspace));
        let mut tx = self.0.begin_read().await?;
        let walked = environments::walk(&mut tx, &of, walk, visit).await;
        finish(tx, walked).await
    }

    async fn load_recent_verdicts(
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
        let mut tx = self.0.begin_read().await?;
        let found = tx.load_recent_verdicts(&seen, limit).await;
        let verdicts = finish(tx, found).await?.into_iter();
        Ok(verdicts
            .filter_map(|(workspace, decided_at, outcome)| {
                Some((workspace, decided_at, Outcome::parse(&outcome)?))
            })
            .collect())
    }

    async fn assess(
        &self,
        of: &Workspaces,
        runs: &[RunId],
        policy: &Policy,
    ) -> Result<Vec<Assessment>, StoreError> {
        let mut tx = self.0.begin_read().await?;
        let assessed = assess_within(&mut tx, runs, policy).await;
        let mut assessed = finish(tx, assessed).await?;
        assessed.retain(|it| of.may_include(Some(it.facts.run.workspace_id)));
        Ok(assessed)
    }

    async fn load_verdict(
        &self,
        of: &Workspaces,
        run: RunId,
    ) -> Result<Option<RecordedVerdict>, StoreError> {
        let mut tx = self.0.begin_read().await?;
        let found = tx.load_verdict(of, run).await;
        finish(tx, found).await
    }

    async fn load_standings(
        &self,
        of: &Workspaces,
        runs: &[RunId],
    ) -> Result<Vec<Standing>, StoreError> {
        let mut tx = self.0.begin_read().await?;
        let found = tx.load_standings(runs).await;
        let mut standings = finish(tx, found).await?;
        standings.retain(|standing| of.may_include(Some(standing.workspace)));
        Ok(standings)
    }

    async fn load_jobs(&self, run: RunId, limit: u32) -> Result<Vec<JobOnRecord>, StoreError> {
        self.0.load_jobs(run, limit).await
    }

    async fn load_queue(&self, scope: &QueueScope) -> Result<QueueListing, StoreError> {
        let mut listing = self.0.list_queue(scope).await?;
        if scope.of != Workspaces::All {
            listing.shards = ShardJobs::default();
        }
        Ok(listing)
    }

    async fn load_sweeps(&self, of: &Workspaces, limit: u32) -> Result<Vec<SweepSeen>, StoreError> {
        let mut tx = self.0.begin_read().await?;
        let found = tx.list_sweeps(of, limit).await;
        let mut sweeps = finish(tx, found).await?;
        for sweep in &mut sweeps {
            if !of.may_include(sweep.workspace) {
                sweep.tally = Tally::default();
            }
        }
        Ok(sweeps)
    }

    async fn load_workers(&self, limit: u32) -> Result<Vec<WorkerSeen>, StoreError> {
        self.0.list_workers(limit).await
    }
}
