//! What is due, and what the store remembers of a sweep while it goes on.

use std::iter;
use std::time::Duration;

use jiff::Timestamp;
use reconciler_jobs::ids::{RunId, WorkspaceId};
use reconciler_jobs::sweep::shard::Shard;
use reconciler_jobs::sweep::turns::{DueWorkspace, Reading};

use super::column::{CountColumn, Id};
use super::database::EitherDatabase;
use super::error::Result;
use super::model::Tally;
use super::statement::{Statement, Table, Value, statement, values};
use super::store::Store;
use super::transaction::DatabaseTransaction;

/// Remembers that open runs were in the hands of a process that ended.
pub(super) const SUSPECT: Statement = statement!("note suspected runs", both "suspect");

/// A sweep whose first page is about to be settled.
#[derive(Debug, Clone, Copy)]
pub struct SweepStart<'a> {
    /// Who sweeps.
    pub by: &'a str,
    /// Only this workspace.
    pub workspace: Option<WorkspaceId>,
    /// The tick that asked for the sweep; none where a person did.
    pub tick: Option<Timestamp>,
    /// The part of the workspaces that it covers.
    pub shard: Shard,
    /// The first page.
    pub in_hand: &'a [RunId],
}

/// The workspaces with due runs, as this transaction sees them.
pub(super) async fn load_due_workspaces(
    tx: &mut DatabaseTransaction,
    workspace: Option<WorkspaceId>,
    shard: Shard,
) -> Result<Vec<DueWorkspace>> {
    let step = "count due runs";
    let statement = if tx.is_alone {
        statement!(step, postgres "load_due_workspaces_alone")
    } else {
        statement!(step, "load_due_workspaces")
    };
    let values = values![workspace, shard.index(), shard.of()];
    let due: Vec<(Id, CountColumn, Id)> = tx.driver().fetch_all(statement, values).await?;
    let due = due.into_iter().map(|(workspace, runs, last)| DueWorkspace {
        workspace: workspace.into(),
        runs: runs.into(),
        last: last.into(),
    });
    Ok(due.collect())
}

impl Store {
    /// The workspaces of `shard` that have open `restore.execute` runs due now, in ascending order; or
    /// only `workspace`.
    pub async fn load_due_workspaces(
        &self,
        workspace: Option<WorkspaceId>,
        shard: Shard,
    ) -> Result<Vec<DueWorkspace>> {
        self.database
            .read(async |tx| load_due_workspaces(tx, workspace, shard).await)
            .await
    }

    /// Due runs, of each span the lowest ids, in ascending order within a workspace.
    pub async fn load_due(&self, reading: &Reading) -> Result<Vec<(WorkspaceId, RunId)>> {
        let step = "look for due runs";
        let spans = || reading.spans.iter();
        let spans = Table::default()
            .integers("workspace", spans().map(|span| span.workspace))
            .integers("after", spans().map(|span| span.after))
            .integers("last", spans().map(|span| span.last));
        let statement = if self.is_alone() {
            statement!(step, postgres "load_due_alone")
        } else {
            statement!(step, "load_due")
        };
        let values = values![spans, reading.each];
        let due: Vec<(Id, Id)> = self.database.read_all(statement, values).await?;
        Ok(due
            .into_iter()
            .map(|(workspace, run)| (workspace.into(), run.into()))
            .collect())
    }

    /// How many runs are due now.
    pub async fn count_due(&self, workspace: Option<WorkspaceId>) -> Result<u64> {
        let due = self.load_due_workspaces(workspace, Shard::WHOLE).await?;
        Ok(due.iter().map(|due| due.runs).sum())
    }

    /// Opens a sweep's row, with its first page in hand, and returns its id.
    pub async fn open_sweep(&self, start: &SweepStart<'_>) -> Result<i64> {
        let statement = statement!("note the beginning of a sweep", both "open_sweep");
        let SweepStart {
            by,
            workspace,
            tick,
            shard,
            in_hand,
        } = *start;
        let values = values![by, workspace, tick, shard.index(), shard.of(), in_hand];
        let (sweep,) = self.database.fetch_one(statement, values).await?;
        Ok(sweep)
    }

    /// Notes that a sweep is alive and about to settle `runs`. Whatever it noted before was settled.
    pub async fn note_page(&self, sweep: i64, runs: &[RunId]) -> Result<()> {
        let statement = statement!("note a page of a sweep", both "note_page");
        let values = values![sweep, runs];
        self.database.execute(statement, values).await.map(drop)
    }

    /// Ends a sweep's row with what the sweep did, and forgets what is closed.
    pub async fn close_sweep(&self, sweep: i64, tally: &Tally) -> Result<()> {
        let statement = statement!("note the end of a sweep", both "close_sweep");
        let counts = tally.columns().into_iter();
        let mut values: Vec<Value> = iter::once(sweep).chain(counts).map(Value::from).collect();
        values.push(Vec::<i64>::new().into()); // nothing is in hand any more
        self.database.execute(statement, &values).await?;
        self.forget_closed().await
    }

    /// Forgets what is on record about other runs than those that have their ids now, which it would keep from being due.
    /// Writes nothing where there is none.
    pub async fn forget_leftovers(&self) -> Result<()> {
        let statement = statement!("look for what other runs left", both "has_leftovers");
        match self.database.fetch_one(statement, &[]).await? {
            (true,) => self.forget_closed().await,
            (false,) => Ok(()),
        }
    }

    /// Forgets watched runs, and attempts at runs, that somebody else closed, or that were others with the same ids.
    async fn forget_closed(&self) -> Result<()> {
        let statement = statement!("forget closed runs", "forget_closed");
        self.database.execute(statement, &[]).await.map(drop)
    }

    /// Takes what dead sweeps had in hand: those that never ended and were asked for by the same tick
    /// for the same shard, or have noted nothing for longer than `silent_for`. Returns the runs among it
    /// that are still open, now listed as attempts of `by` unless they were before, due at once.
    ///
    /// Several may call this at once; what was in hand is returned to one of them.
    pub async fn take_over_sweeps(
        &self,
        tick: Option<(Timestamp, Shard)>,
        silent_for: Duration,
        by: &str,
    ) -> Result<Vec<RunId>> {
        let step = "take over from dead sweeps";
        let at = tick.map(|(tick, _)| tick);
        let shard = tick.map(|(_, shard)| i64::from(shard.index()));
        let take_over = statement!(step, "take_over_sweeps");
        let values = values![at, shard, silent_for, by];
        match &self.database {
            EitherDatabase::Postgres(_) => self.database.fetch_runs(take_over, values).await,
            // Three statements where PostgreSQL has one; the transaction keeps everybody else out meanwhile.
            EitherDatabase::Sqlite(_) => {
                let taking = self.database.write(async |tx| {
                    let runs = tx.driver().fetch_runs(take_over, values).await?;
                    tx.driver().execute(SUSPECT, values![&*runs, by]).await?;
                    Ok(runs)
                });
                taking.await
            }
        }
    }
}
