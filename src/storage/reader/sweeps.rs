//! The latest sweeps.

use jiff::Timestamp;
use reconciler_jobs::ids::WorkspaceId;
use sqlx::FromRow;

use super::open::Reader;
use super::scope::Workspaces;
use crate::storage::column::{OptionalId, StoredMoment};
use crate::storage::error::Result;
use crate::storage::model::Tally;
use crate::storage::statement::{statement, values};

/// A pass over the due runs, as its row says.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct SweepSeen {
    /// The sweep's id.
    pub id: i64,
    /// Who swept.
    pub worker: String,
    /// The workspace that it was confined to.
    #[sqlx(rename = "workspace_id", try_from = "OptionalId")]
    pub workspace: Option<WorkspaceId>,
    /// When it began.
    #[sqlx(try_from = "StoredMoment")]
    pub started_at: Timestamp,
    /// When it ended; none where it is still going on, or died.
    #[sqlx(try_from = "StoredMoment")]
    pub ended_at: Option<Timestamp>,
    /// The tick of the schedule that it was for.
    #[sqlx(try_from = "StoredMoment")]
    pub tick_at: Option<Timestamp>,
    /// Which part of the workspaces.
    pub shard: i64,
    /// Into how many parts the workspaces were divided.
    pub shards: i64,
    /// When it was last heard of.
    #[sqlx(try_from = "StoredMoment")]
    pub beat_at: Option<Timestamp>,
    /// What became of the runs.
    #[sqlx(flatten)]
    pub tally: Tally,
}

impl Reader {
    /// The latest sweeps, the latest first. Those over all workspaces are shown to everybody, but what they came
    /// to only to those who may see all workspaces: others read a tally of zeros.
    pub async fn load_sweeps(&self, of: &Workspaces, limit: u32) -> Result<Vec<SweepSeen>> {
        let statement = statement!("list sweeps", both "list_sweeps");
        let values = values![of.ids(), limit];
        let mut sweeps: Vec<SweepSeen> = self.database.read_all(statement, values).await?;
        for sweep in &mut sweeps {
            if !of.may_include(sweep.workspace) {
                sweep.tally = Tally::default();
            }
        }
        Ok(sweeps)
    }
}
