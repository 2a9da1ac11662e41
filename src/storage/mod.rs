//! The store: reads what the platform recorded, and writes verdicts.
//!
//! ```text
//! settle(runs) ─▶ begin ─▶ lock ─▶ load facts ─▶ decide (pure) ─▶ close, audit, ledger ─▶ commit
//! ```
//!
//! One [`Store`] trait, two implementations, chosen by URL: PostgreSQL for the platform's own
//! database, SQLite as the embedded default. What they share is written once: the order of a
//! settlement in `settle`, the shape of rows in `records`. What differs is SQL, one file per query
//! beside the code that runs it.
//!
//! **Invariants:**
//! - Every query that reads proof carries the run's workspace and environment.
//! - A verdict, its audit entry and its ledger entry are committed together or not at all, and only
//!   while the run is open.
//! - Nothing is counted or logged before it was committed.
//!
//! # Design notes
//!
//! `sqlx::Any` was rejected: it speaks the smallest language both databases share, and set-based
//! statements are not in it. Checked query macros were rejected because they check against one
//! database at build time; instead, one contract suite runs every statement on both. One generic
//! implementation over `sqlx::Database` was rejected as well: its bounds take more lines than the calls
//! they would share, which do no more than bind values to a statement.

pub mod census;
mod column;
mod connect;
mod connection;
mod error;
mod limits;
mod parsing;
pub mod postgres;
pub mod queue;
pub mod reader;
mod records;
mod report;
mod settle;
pub mod sqlite;
mod statement;
mod sweeps;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use reconciler_jobs::ids::{RunId, WorkspaceId};
use reconciler_jobs::restore_execute::facts::RestoreFacts;
use reconciler_jobs::restore_execute::proof::Leg;
use reconciler_jobs::restore_execute::record::Attribution;
use reconciler_jobs::restore_execute::review::{Name, Recorded, Standing};
use reconciler_jobs::restore_execute::{Decision, Facts, Outcome, Policy};
use reconciler_jobs::sweep::shard::Shard;
use reconciler_jobs::sweep::turns::{DueWorkspace, Reading};
use reconciler_jobs::sweep::{Schedule, Watch};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use census::Counting;
pub use connect::connect;
pub(crate) use error::During;
pub use error::{ErrorKind, StoreError};
pub use limits::{Access, Limits};
pub use queue::oversight::Oversight;
pub use queue::{Awaited, HeldJob, Pruned, Queue, QueuePool, QueueState, Retention, Wakes};
pub use sqlite::queue_file;
pub use sweeps::SweepStart;

use reader::Reader;

/// How many runs are settled together unless configured otherwise.
pub const BATCH_RUNS_MAX: u32 = 500;

/// Longest JSON column of a run that is read, in bytes. A batch holds those of all its runs until it is
/// committed, so they are bounded more tightly than a restore's, which are read one by one.
pub const RUN_COLUMN_BYTES_MAX: i64 = 1024 * 1024;

/// How many audit entries of one restore are read: the latest ones, which overrule the others.
pub const AUDITS_PER_RESTORE_MAX: i64 = 32;

/// A database that holds the platform's tables and our own.
#[async_trait]
pub trait Store: Queue + Oversight + Counting {
    /// Which database this is.
    fn backend(&self) -> Backend;

    /// Reads through this store's own connections, each answer in a transaction that cannot write.
    fn reader(&self) -> Arc<dyn Reader>;

    /// Creates or upgrades our own schema. Platform tables are never touched. Several processes may
    /// call this at once; one works, the others wait.
    async fn migrate(&self) -> Result<(), StoreError>;

    /// Lets the platform's own writes ask for runs, or no longer: a trigger on `restore_runs` and one on
    /// `evidence_snapshots` that call `reconciler.request`. They never fail a write. Doing either again
    /// does nothing. Only PostgreSQL has somebody to ask.
    async fn set_platform_triggers(&self, wanted: bool) -> Result<(), StoreError>;

    /// The newest migration of our own schema that was applied; nothing where there is none.
    async fn schema_version(&self) -> Result<Option<i64>, StoreError>;

    /// The newest migration that this program brings along.
    fn schema_version_known(&self) -> i64;

    /// The workspaces of `shard` that have open `restore.execute` runs due now, in ascending order; or
    /// only `workspace`.
    async fn load_due_workspaces(
        &self,
        workspace: Option<WorkspaceId>,
        shard: Shard,
    ) -> Result<Vec<DueWorkspace>, StoreError>;

    /// Due runs, of each span the lowest ids, in ascending order within a workspace.
    async fn load_due(&self, reading: &Reading) -> Result<Vec<(WorkspaceId, RunId)>, StoreError>;

    /// How many runs are due now.
    async fn count_due(&self, workspace: Option<WorkspaceId>) -> Result<u64, StoreError> {
        let due = self.load_due_workspaces(workspace, Shard::WHOLE).await?;
        Ok(due.iter().map(|due| due.runs).sum())
    }

    /// Decides `runs` and commits the verdicts, in batches of at most `with.batch_runs_max`.
    ///
    /// Each run given appears exactly once in `settled`, in no particular order, after the
    /// transaction that dealt with it was committed. On an error, `settled` holds what had been
    /// committed before it. A run that the database refuses is isolated by halving its batch, put
    /// on the watch list, and reported; it never holds up the others. Where every single run is refused
    /// alike, and not for what it holds, nobody is to blame, and that is the error. A run that other writers
    /// disturb at every try is left to a later pass in the same way.
    ///
    /// A run that was in the hands of a process that ended is settled alone, after the try was
    /// written down: see [`reconciler_jobs::attempt`].
    async fn settle(
        &self,
        runs: &[RunId],
        with: &Settling,
        settled: &mut Vec<Settled>,
    ) -> Result<(), StoreError> {
        self.settle_jobs(runs, &[], with, settled).await
    }

    /// As [`Self::settle`], and where the queue is in the same database, finishes the jobs that asked
    /// for these runs in the transaction that deals with their run. A job whose run somebody else
    /// holds goes back to its queue. A job that was taken from its worker meanwhile is left alone.
    async fn settle_jobs(
        &self,
        runs: &[RunId],
        jobs: &[HeldJob],
        with: &Settling,
        settled: &mut Vec<Settled>,
    ) -> Result<(), StoreError>;

    /// Opens a sweep's row, with its first page in hand, and returns its id.
    async fn open_sweep(&self, start: &SweepStart<'_>) -> Result<i64, StoreError>;

    /// Notes that a sweep is alive and about to settle `runs`. Whatever it noted before was settled.
    async fn note_page(&self, sweep: i64, runs: &[RunId]) -> Result<(), StoreError>;

    /// Ends a sweep's row with what the sweep did, and forgets watched runs, and attempts at runs, that
    /// somebody else closed.
    async fn close_sweep(&self, sweep: i64, tally: &Tally) -> Result<(), StoreError>;

    /// Takes what dead sweeps had in hand: those that never ended and were asked for by the same tick
    /// for the same shard, or have noted nothing for longer than `silent_for`. Returns the runs among it
    /// that are still open, now listed as attempts of `by` unless they were before, due at once.
    ///
    /// Several may call this at once; what was in hand is returned to one of them.
    async fn take_over_sweeps(
        &self,
        tick: Option<(Timestamp, Shard)>,
        silent_for: Duration,
        by: &str,
    ) -> Result<Vec<RunId>, StoreError>;

    /// Whether the platform's tables are there.
    async fn has_platform(&self) -> Result<bool, StoreError>;

    /// The driver, for those who have questions of their own to the database.
    fn driver(&self) -> Driver<'_>;

    /// The database's clock.
    async fn now(&self) -> Result<Timestamp, StoreError>;
}

/// Which database a store speaks to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backend {
    /// The platform's own database.
    Postgres,
    /// A file of our own.
    Sqlite,
}

/// The pool of connections behind a store.
#[derive(Debug, Clone, Copy)]
pub enum Driver<'s> {
    /// To a PostgreSQL server.
    Postgres(&'s sqlx::PgPool),
    /// To a SQLite file.
    Sqlite(&'s sqlx::SqlitePool),
}

/// How runs are settled.
#[derive(Debug, Clone)]
pub struct Settling {
    /// The rules' settings.
    pub policy: Policy,
    /// How long deferred runs wait.
    pub schedule: Schedule,
    /// How many runs share one transaction.
    pub batch_runs_max: u32,
    /// How often a transient failure is tried again.
    pub retries_max: u32,
    /// How often a run whose settlement ended its process is tried.
    pub attempts_max: u32,
    /// Whether a run whose time to be looked at again has not come is passed over.
    pub due_only: bool,
    /// Who settles, and why.
    pub by: Attribution,
}

/// A run's facts and what was decided from them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assessment {
    /// What was known.
    pub facts: Facts,
    /// What follows.
    pub decision: Decision,
}

impl Assessment {
    /// The restore that may be spoken of: none where the run is of another type, and none that
    /// cannot be tied to the run with certainty.
    #[must_use]
    pub fn restore(&self) -> Option<&RestoreFacts> {
        let proof = &self.decision.proof;
        let certain = proof.holds(Leg::Link) && proof.holds(Leg::Scope);
        self.facts
            .restore
            .as_ref()
            .filter(|_| certain && self.facts.run.is_restore_execute)
    }
}

/// What became of one run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settled {
    /// The run.
    pub run: RunId,
    /// What became of it.
    pub result: Settlement,
}

/// What became of a run that was to be settled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settlement {
    /// The verdict was committed.
    Committed(Box<Assessment>),
    /// The decision was to wait; the platform was not touched.
    Deferred(Box<Assessment>, Option<Watch>),
    /// Another writer closed the run between our look and our write. Nothing of ours was written.
    Lost,
    /// Another writer holds the run right now, or has just looked at it.
    Locked,
    /// Earlier settlements of this run never ended. Nothing was tried.
    Suspended {
        /// How many there were.
        tries: u32,
        /// When it is tried again; never by itself where there is no such moment: it is a dead letter.
        until: Option<Timestamp>,
    },
    /// There is no such run.
    Absent,
    /// The database refused to record a verdict for this run alone.
    Refused {
        /// When it is tried again.
        watch: Option<Watch>,
        /// What the database said.
        error: String,
    },
}

/// A verdict as the ledger holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedVerdict {
    /// The run that it is filed under.
    pub run: RunId,
    /// Names the verdict.
    pub decision_id: String,
    /// The outcome that was written to the run.
    pub outcome: String,
    /// The primary reason.
    pub reason_code: String,
    /// Version of the rules.
    pub ruleset: String,
    /// The facts, in canonical form.
    pub facts: String,
    /// SHA-256 of `facts`.
    pub facts_digest: String,
    /// The decision, in canonical form.
    pub decision: String,
    /// Who decided.
    pub worker: String,
    /// When, by the database's clock.
    pub decided_at: Timestamp,
}

impl RecordedVerdict {
    /// Whether its columns say what follows from the facts on record.
    #[must_use]
    pub fn standing(&self) -> Standing {
        let recorded = Recorded {
            outcome: &self.outcome,
            reason_code: &self.reason_code,
            ruleset: &self.ruleset,
            facts: &self.facts,
            facts_digest: &self.facts_digest,
            decision: &self.decision,
        };
        let name = Name {
            run: self.run,
            decision_id: &self.decision_id,
            decided_at: self.decided_at,
        };
        Standing::of(&recorded, &name)
    }
}

/// How many runs ended in which way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Tally {
    /// Verdicts `succeeded`.
    pub succeeded: u64,
    /// Verdicts `partially_succeeded`.
    pub partially_succeeded: u64,
    /// Verdicts `blocked`.
    pub blocked: u64,
    /// Verdicts `failed`.
    pub failed: u64,
    /// Runs that stay open.
    pub deferred: u64,
    /// Runs that the database refused to close.
    pub refused: u64,
    /// Runs that somebody else dealt with, that are not ours to judge, or that do not exist.
    pub passed_over: u64,
}

impl Tally {
    /// Counts one run.
    pub fn add(&mut self, result: &Settlement) {
        match result {
            Settlement::Committed(assessment) | Settlement::Deferred(assessment, _) => {
                self.add_decision(&assessment.decision);
            }
            Settlement::Refused { .. } => self.refused += 1,
            Settlement::Lost
            | Settlement::Locked
            | Settlement::Suspended { .. }
            | Settlement::Absent => self.passed_over += 1,
        }
    }

    /// Counts one decision.
    pub fn add_decision(&mut self, decision: &Decision) {
        match decision.outcome() {
            Some(outcome) => *self.slot(outcome) += 1,
            None if decision.stays_open() => self.deferred += 1,
            None => self.passed_over += 1,
        }
    }

    fn slot(&mut self, outcome: Outcome) -> &mut u64 {
        match outcome {
            Outcome::Succeeded => &mut self.succeeded,
            Outcome::PartiallySucceeded => &mut self.partially_succeeded,
            Outcome::Blocked => &mut self.blocked,
            Outcome::Failed => &mut self.failed,
        }
    }

    /// The counts as the sweeps table has them, in the order of its columns.
    fn columns(&self) -> [i64; 7] {
        [
            self.succeeded,
            self.partially_succeeded,
            self.blocked,
            self.failed,
            self.deferred,
            self.refused,
            self.passed_over,
        ]
        .map(|count| i64::try_from(count).unwrap_or(i64::MAX))
    }

    /// All verdicts.
    #[must_use]
    pub fn verdicts(&self) -> u64 {
        self.succeeded + self.partially_succeeded + self.blocked + self.failed
    }

    /// All runs.
    #[must_use]
    pub fn looked_at(&self) -> u64 {
        self.verdicts() + self.deferred + self.refused + self.passed_over
    }
}
