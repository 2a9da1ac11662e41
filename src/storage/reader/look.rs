//! What a database has to offer to whoever looks, beside what it has for a settlement.
//!
//! **Invariant:** each statement carries the viewer's workspaces, or asks in the scope of rows that were found
//! within them.

use std::collections::HashMap;
use std::future::Future;

use jiff::Timestamp;
use reconciler_jobs::ids::{EnvironmentId, RestoreId, RunId, WorkspaceId};
use reconciler_jobs::reading::backup_health::BackupSetFacts;

use super::queue::{JobOnRecord, QueueListing, QueueScope, Standing};
use super::rows::{DescribedRun, FoundRestore, FoundSet, ListedEnvironment, ScopedRestore};
use super::{OpenRuns, SweepSeen, WorkerSeen, Workspaces};
use crate::storage::records::Ask;
use crate::storage::settle::{Transaction, Transactions};
use crate::storage::{Backend, RecordedVerdict, StoreError};

/// Words of `operation_runs.outcome` that are known.
pub(super) const OUTCOMES: [&str; 5] = [
    "pending",
    "succeeded",
    "partially_succeeded",
    "blocked",
    "failed",
];

/// Which runs are looked at, and which of these are wanted.
pub(super) struct RunsAsked {
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

impl RunsAsked {
    /// Whether a run that is looked at may be unwanted.
    pub(super) fn leaves_some_out(&self) -> bool {
        self.outcome.is_some()
            || self.reason.is_some()
            || self.created_from.is_some()
            || self.created_before.is_some()
    }
}

/// A database that can be looked at.
pub(super) trait Source: Transactions<Transaction: Look> {
    /// Which database this is.
    fn backend(&self) -> Backend;

    /// What is queued, in hand or in trouble.
    fn list_queue(
        &self,
        scope: &QueueScope,
    ) -> impl Future<Output = Result<QueueListing, StoreError>> + Send;

    /// The latest jobs that ask for `run`, the latest first; none where there is no queue.
    fn load_jobs(
        &self,
        run: RunId,
        limit: u32,
    ) -> impl Future<Output = Result<Vec<JobOnRecord>, StoreError>> + Send;

    /// Workers of the queue; none where there is no queue.
    fn list_workers(
        &self,
        limit: u32,
    ) -> impl Future<Output = Result<Vec<WorkerSeen>, StoreError>> + Send;
}

/// The statements of a look. Each is set-based: one round trip for a whole page.
pub(super) trait Look: Transaction {
    /// Runs that are looked at, the highest id first, and whether each is wanted.
    fn look_for_runs(
        &mut self,
        asked: &RunsAsked,
    ) -> impl Future<Output = Result<Vec<(RunId, bool)>, StoreError>> + Send;

    /// Those of `runs` that may be seen.
    fn describe_runs(
        &mut self,
        of: &Workspaces,
        runs: &[RunId],
    ) -> impl Future<Output = Result<Vec<DescribedRun>, StoreError>> + Send;

    /// What is remembered of `runs`, in ascending order. Runs that do not exist are absent.
    fn load_standings(
        &mut self,
        runs: &[RunId],
    ) -> impl Future<Output = Result<Vec<Standing>, StoreError>> + Send;

    /// The verdict on record for a run, if it is of a workspace that may be seen.
    fn load_verdict(
        &mut self,
        of: &Workspaces,
        run: RunId,
    ) -> impl Future<Output = Result<Option<RecordedVerdict>, StoreError>> + Send;

    /// The workspace of a live environment.
    fn find_environment(
        &mut self,
        of: &Workspaces,
        environment: EnvironmentId,
    ) -> impl Future<Output = Result<Option<WorkspaceId>, StoreError>> + Send;

    /// A live restore.
    fn find_restore(
        &mut self,
        of: &Workspaces,
        restore: RestoreId,
    ) -> impl Future<Output = Result<Option<FoundRestore>, StoreError>> + Send;

    /// The backup sets of the restores asked about, by restore.
    fn find_sources(
        &mut self,
        asks: &[Ask],
    ) -> impl Future<Output = Result<Vec<FoundSet>, StoreError>> + Send;

    /// Live environments after one, in the order of workspaces.
    fn list_environments(
        &mut self,
        of: &Workspaces,
        after: Option<(WorkspaceId, EnvironmentId)>,
        limit: u32,
    ) -> impl Future<Output = Result<Vec<ListedEnvironment>, StoreError>> + Send;

    /// The latest executed restore of each environment, as far as it is among the last `window` of all.
    fn find_recent_restores(
        &mut self,
        environments: &[Ask],
        window: u32,
    ) -> impl Future<Output = Result<Vec<ScopedRestore>, StoreError>> + Send;

    /// The same, however old.
    fn find_older_restores(
        &mut self,
        environments: &[Ask],
    ) -> impl Future<Output = Result<Vec<ScopedRestore>, StoreError>> + Send;

    /// The latest restore of each environment that is being prepared.
    fn find_preparing(
        &mut self,
        environments: &[Ask],
    ) -> impl Future<Output = Result<HashMap<EnvironmentId, RestoreId>, StoreError>> + Send;

    /// The open runs of each environment that has any.
    fn count_open_runs(
        &mut self,
        environments: &[Ask],
    ) -> impl Future<Output = Result<HashMap<EnvironmentId, OpenRuns>, StoreError>> + Send;

    /// The latest completed backup set of each environment, by environment.
    fn find_backup_sets(
        &mut self,
        environments: &[Ask],
    ) -> impl Future<Output = Result<Vec<FoundSet>, StoreError>> + Send;

    /// What was captured in these sets, by owner.
    fn load_backups(
        &mut self,
        sets: Vec<FoundSet>,
    ) -> impl Future<Output = Result<HashMap<i64, BackupSetFacts>, StoreError>> + Send;

    /// The latest verdicts of each workspace, with their outcomes in words.
    fn load_recent_verdicts(
        &mut self,
        workspaces: &[WorkspaceId],
        limit: u32,
    ) -> impl Future<Output = Result<Vec<(WorkspaceId, Timestamp, String)>, StoreError>> + Send;

    /// The latest sweeps over all workspaces, or over one that may be seen.
    fn list_sweeps(
        &mut self,
        of: &Workspaces,
        limit: u32,
    ) -> impl Future<Output = Result<Vec<SweepSeen>, StoreError>> + Send;
}
