//! What a database has to offer for a settlement.

use std::future::Future;
use std::time::Duration;

use jiff::Timestamp;
use reconciler_jobs::attempt::Attempts;
use reconciler_jobs::ids::RunId;
use reconciler_jobs::restore_execute::{Policy, RULESET_NUMBER};

use reconciler_jobs::restore_execute::facts::RestoreFacts;
use reconciler_jobs::restore_execute::record::{AuditEntry, LedgerEntry, RunUpdate};
use reconciler_jobs::restore_execute::rows::{AuditRow, CandidateRow, SnapshotRow};

use crate::storage::distrust::Distrust;
use crate::storage::error::{ErrorKind, Result, StoreError};
use crate::storage::model::{Action, ActionDone, ClaimedJob, Pause};
use crate::storage::records::{Ask, FoundRun, WatchWrite, WrittenRecord};

/// Pause before the first retry of a transient failure; doubled each time.
const RETRY_PAUSE_MIN: Duration = Duration::from_millis(20);

/// Longest pause between two tries.
const RETRY_PAUSE_MAX: Duration = Duration::from_secs(2);

/// Which open runs a settlement takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::storage) struct Lock {
    /// Only those whose time to be looked at again has come.
    pub(in crate::storage) due_only: bool,
    /// Also those of which unfinished settlements are remembered.
    pub(in crate::storage) suspects: bool,
    /// Also those of paused workspaces.
    pub(in crate::storage) paused: bool,
    /// None while a worker of a higher ruleset than this is alive.
    pub(in crate::storage) ruleset: i64,
}

impl Lock {
    /// All that this program may settle.
    pub(in crate::storage) const SETTLE: Self = Self {
        due_only: false,
        suspects: true,
        paused: false,
        ruleset: RULESET_NUMBER,
    };

    /// All, whoever may settle them: to ask for a run is no verdict.
    pub(in crate::storage) const ASK: Self = Self {
        paused: true,
        ruleset: i64::MAX,
        ..Self::SETTLE
    };
}

/// What else acts on the platform's tables when they are written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::storage) struct Interference {
    /// A trigger, a rule or a policy may change or drop what is written, without an error.
    pub(in crate::storage) may_swallow: bool,
    /// A policy may show runs that it lets nobody change, and so nobody lock.
    pub(in crate::storage) may_hide: bool,
}

/// Opens transactions.
pub(in crate::storage) trait Transactions: Sync {
    /// A transaction that is rolled back unless it is committed.
    type Transaction: Transaction;

    /// Opens one that may write.
    fn begin(&self) -> impl Future<Output = Result<Self::Transaction>> + Send;

    /// Opens one that sees one snapshot and cannot write.
    fn begin_read(&self) -> impl Future<Output = Result<Self::Transaction>> + Send;
}

/// The statements of a settlement. Each is set-based: one round trip however many runs there are.
pub(in crate::storage) trait Transaction: Send {
    /// The database's clock, read when the transaction began.
    fn as_of(&self) -> Timestamp;

    /// Why nothing may be proven from what is read in it, as it was when the transaction began.
    fn distrust(&self) -> Option<Distrust>;

    /// How many bytes of restores' documents were parsed in it so far.
    fn bytes_parsed(&self) -> usize;

    /// Locks the open `restore.execute` runs among `runs` that nobody else holds, and says which.
    fn lock_open_runs(
        &mut self,
        runs: &[RunId],
        lock: Lock,
    ) -> impl Future<Output = Result<Vec<RunId>>> + Send;

    /// Reads runs in any state. A run locked before reads as it was locked.
    fn load_runs(&mut self, runs: &[RunId]) -> impl Future<Output = Result<Vec<FoundRun>>> + Send;

    /// Live restores that a run's context names or that point at the run: the named one, and at
    /// most two others per run, highest ids first. More cannot change the link.
    fn load_candidates(
        &mut self,
        asks: &[Ask],
    ) -> impl Future<Output = Result<Vec<CandidateRow>>> + Send;

    /// The restores asked for. Rows are parsed as they arrive, so that only one row's documents are
    /// in memory at a time.
    fn load_restores(
        &mut self,
        asks: &[Ask],
        policy: &Policy,
    ) -> impl Future<Output = Result<Vec<RestoreFacts>>> + Send;

    /// The latest terminal audit entries about the restores asked for.
    fn load_audits(
        &mut self,
        asks: &[Ask],
        policy: &Policy,
    ) -> impl Future<Output = Result<Vec<AuditRow>>> + Send;

    /// Per run asked for and per status, the evidence snapshot with the highest id.
    fn load_snapshots(
        &mut self,
        asks: &[Ask],
    ) -> impl Future<Output = Result<Vec<SnapshotRow>>> + Send;

    /// What else acts on the platform's tables, as it was when the transaction began.
    fn interference(&self) -> Interference;

    /// Closes the runs that are still open, none where rows may be hidden by now, and says how many the database counted.
    fn close_runs(&mut self, updates: &[&RunUpdate]) -> impl Future<Output = Result<u64>> + Send;

    /// Appends audit entries, and says how many the database counted.
    fn insert_audits(
        &mut self,
        entries: &[&AuditEntry],
    ) -> impl Future<Output = Result<u64>> + Send;

    /// Puts on record what a person did about runs.
    fn note_actions(
        &mut self,
        action: &Action,
        done: &[ActionDone],
    ) -> impl Future<Output = Result<()>> + Send;

    /// What is paused.
    fn load_pauses(&mut self) -> impl Future<Output = Result<Vec<Pause>>> + Send;

    /// Looks for what was written about runs in this transaction.
    fn look_for_written(
        &mut self,
        updates: &[&RunUpdate],
    ) -> impl Future<Output = Result<Vec<WrittenRecord>>> + Send;

    /// Those of `runs` that can be locked now, without keeping them; all of them where somebody holds one.
    fn find_lockable(&mut self, runs: &[RunId]) -> impl Future<Output = Result<Vec<RunId>>> + Send;

    /// Appends ledger entries. A second entry for a run is an error.
    fn insert_ledger(
        &mut self,
        entries: &[&LedgerEntry],
    ) -> impl Future<Output = Result<()>> + Send;

    /// Puts runs on the watch list, or updates them there.
    fn watch(&mut self, entries: &[WatchWrite]) -> impl Future<Output = Result<()>> + Send;

    /// Takes runs off the watch list.
    fn unwatch(&mut self, runs: &[RunId]) -> impl Future<Output = Result<()>> + Send;

    /// What is remembered of a run's unfinished settlements, locked.
    fn load_attempts(
        &mut self,
        run: RunId,
    ) -> impl Future<Output = Result<Option<Attempts>>> + Send;

    /// Remembers a try that begins now, or that the run is a dead letter.
    fn note_attempt(
        &mut self,
        run: RunId,
        attempts: &Attempts,
        worker: &str,
    ) -> impl Future<Output = Result<()>> + Send;

    /// Forgets the unfinished settlements of runs, because one has come to its end.
    fn forget_attempts(&mut self, runs: &[RunId]) -> impl Future<Output = Result<()>> + Send;

    /// Marks jobs as done that their worker still holds.
    fn finish_jobs(&mut self, jobs: &[&ClaimedJob]) -> impl Future<Output = Result<()>> + Send;

    /// Gives jobs back to their queue that their worker still holds, for a little later.
    fn release_jobs(&mut self, jobs: &[&ClaimedJob]) -> impl Future<Output = Result<()>> + Send;

    /// How many rows have references that lead nowhere, where the database does not check them with
    /// [`Self::check_deferred`]. Reads whole tables: for rehearsals.
    fn count_broken_references(&mut self) -> impl Future<Output = Result<i64>> + Send;

    /// Checks now what would otherwise be checked by the commit.
    fn check_deferred(&mut self) -> impl Future<Output = Result<()>> + Send;

    /// Makes everything above permanent.
    fn commit(self) -> impl Future<Output = Result<()>> + Send;

    /// Undoes everything above, and returns once its locks are released.
    fn rollback(self) -> impl Future<Output = Result<()>> + Send;
}

/// Opens a transaction that may write, and none where nothing may be settled.
pub(in crate::storage) async fn begin_trusted<T: Transactions>(
    store: &T,
    step: &'static str,
) -> Result<T::Transaction> {
    begin_unless(store, step, |_| true).await
}

/// Begins the transaction that records a refusal. That proves nothing, so it may also begin where rows may be hidden.
pub(super) async fn begin_to_isolate<T: Transactions>(
    store: &T,
    step: &'static str,
) -> Result<T::Transaction> {
    begin_unless(store, step, |it| !matches!(it, Distrust::HiddenRows(_))).await
}

async fn begin_unless<T: Transactions>(
    store: &T,
    step: &'static str,
    refuses: impl Fn(&Distrust) -> bool,
) -> Result<T::Transaction> {
    let tx = store.begin().await?;
    match tx.distrust().filter(refuses) {
        None => Ok(tx),
        Some(distrust) => finish(tx, Err(StoreError::fatal(step, distrust))).await,
    }
}

/// Commits what succeeded. What failed is rolled back here and waited for: a transaction that is
/// merely dropped keeps its locks until its connection is used again, and the next try, on another
/// connection, would pass over its own runs as held by somebody else.
pub(in crate::storage) async fn finish<R>(tx: impl Transaction, result: Result<R>) -> Result<R> {
    match result {
        Ok(value) => {
            tx.commit().await?;
            Ok(value)
        }
        Err(error) => {
            if let Err(lost) = tx.rollback().await {
                tracing::debug!(%lost, "the connection ended, and with it the transaction");
            }
            Err(error)
        }
    }
}

/// Runs `attempt` again after a transient failure, at most `retries_max` times.
pub(in crate::storage) async fn with_retries<R, F>(
    retries_max: u32,
    mut attempt: impl FnMut() -> F,
) -> Result<R>
where
    F: Future<Output = Result<R>>,
{
    let mut pause = RETRY_PAUSE_MIN;
    for _ in 0..retries_max {
        match attempt().await {
            Err(error) if error.kind() == ErrorKind::Transient => {
                tracing::debug!(%error, ?pause, "will be tried again");
                tokio::time::sleep(pause).await;
                pause = pause.saturating_mul(2).min(RETRY_PAUSE_MAX);
            }
            result => return result,
        }
    }
    attempt().await
}
