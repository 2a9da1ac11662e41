//! Whether runs are looked at: what every page says of it, counted within a viewer's workspaces.

use jiff::Timestamp;
use sqlx::FromRow;

use super::open::Reader;
use super::queue::{QueueListing, QueueScope, WorkerSeen};
use super::scope::Workspaces;
use crate::storage::column::{CountColumn, StoredMoment};
use crate::storage::error::Result;
use crate::storage::queue::QueueState;
use crate::storage::statement::{statement, values};

/// How far open runs are counted.
pub const OPEN_COUNTED_MAX: u32 = 10_000;

/// How many of the latest verdicts are compared with their runs: of each workspace, or of all.
const COMPARED_MAX: u32 = 200;

/// How many workers are counted: as many as a queue has rows for.
const WORKERS_MAX: u32 = 1_000;

/// What of the queue is shown on every page.
const COUNTED: [QueueState; 3] = [
    QueueState::Waiting,
    QueueState::Refused,
    QueueState::DeadLetter,
];

/// Whether runs are looked at, as far as the database tells.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StatusFacts {
    /// What waits, is refused, or is a dead letter, and when that was read.
    pub queue: QueueListing,
    /// Workers, the one that was heard of last at the beginning.
    pub workers: Vec<WorkerSeen>,
    /// When the latest sweep over all workspaces was complete; none where there was none, or that may not be read.
    pub swept_at: Option<Timestamp>,
    /// What was counted of runs and verdicts.
    pub counts: StatusCounts,
}

/// What was counted of runs and verdicts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, FromRow)]
pub struct StatusCounts {
    /// Open runs, [`OPEN_COUNTED_MAX`] and one more at most.
    #[sqlx(try_from = "CountColumn")]
    pub open_runs: u64,
    /// The latest verdicts.
    #[sqlx(try_from = "CountColumn")]
    pub compared: u64,
    /// Of the verdicts that were compared, those whose runs say another outcome by now, or are open again.
    #[sqlx(try_from = "CountColumn")]
    pub contradicted: u64,
}

impl Reader {
    /// Whether runs are looked at. Workers and sweeps are everybody's; what is counted is the viewer's own.
    pub async fn load_status(&self, of: &Workspaces) -> Result<StatusFacts> {
        let statement = statement!("count open runs and compare verdicts", "load_status");
        let values = values![of.ids(), OPEN_COUNTED_MAX + 1, COMPARED_MAX];
        let counts: Vec<StatusCounts> = self.database.read_all(statement, values).await?;
        Ok(StatusFacts {
            queue: self
                .load_queue(&QueueScope::for_viewer(of, &COUNTED, 1))
                .await?,
            workers: self.load_workers(WORKERS_MAX).await?,
            swept_at: self.last_complete_sweep().await,
            counts: counts.into_iter().next().unwrap_or_default(),
        })
    }

    /// After an upgrade a console may not be allowed to read ticks yet, and shows everything else.
    async fn last_complete_sweep(&self) -> Option<Timestamp> {
        let statement = statement!("look for the last complete sweep", both "last_complete_sweep");
        let found: Result<Vec<(StoredMoment,)>, _> = self.database.read_all(statement, &[]).await;
        let found = found.inspect_err(|error| tracing::debug!(%error, "sweeps are not known"));
        let (at,) = found.ok()?.pop()?;
        at.read(statement.step).ok()
    }
}
