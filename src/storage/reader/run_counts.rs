//! How many runs or restores a list has in each of its parts, as far as they are counted, and the places that it can be
//! narrowed to.

use jiff::{SignedDuration, Timestamp};
use sqlx::FromRow;

use super::environments::PlaceSeen;
use super::open::Reader;
use super::scope::Workspaces;
use crate::storage::column::{CountColumn, Id};
use crate::storage::error::Result;
use crate::storage::statement::{statement, values};

/// How far the runs or restores of one part are counted, and among how many of the latest those of an outcome are.
pub const COUNTED_MAX: u32 = 5_000;

/// How many runs there are of what kind. Each is at most [`COUNTED_MAX`] and one more, and those of an outcome are among the
/// latest runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, FromRow)]
pub struct RunCounts {
    /// All of them.
    #[sqlx(try_from = "CountColumn")]
    pub runs: u64,
    /// Whose row says failed.
    #[sqlx(try_from = "CountColumn")]
    pub failed: u64,
    /// Whose row says blocked.
    #[sqlx(try_from = "CountColumn")]
    pub blocked: u64,
    /// Whose row says partially succeeded.
    #[sqlx(try_from = "CountColumn")]
    pub partially_succeeded: u64,
    /// Whose row says succeeded.
    #[sqlx(try_from = "CountColumn")]
    pub succeeded: u64,
    /// That are open.
    #[sqlx(try_from = "CountColumn")]
    pub undecided: u64,
    /// That are open for longer than was asked for.
    #[sqlx(try_from = "CountColumn")]
    pub too_long: u64,
    /// That say they succeeded where that is not proven.
    #[sqlx(skip)]
    pub unproven: u64,
}

/// How many of the latest restores are of what kind; at most [`COUNTED_MAX`] and one more are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, FromRow)]
pub struct RestoreCounts {
    /// All of them.
    #[sqlx(try_from = "CountColumn")]
    pub restores: u64,
    /// Restores that were handed over to be executed.
    #[sqlx(try_from = "CountColumn")]
    pub executed: u64,
    /// Previews, and restores that are being prepared.
    #[sqlx(try_from = "CountColumn")]
    pub preparing: u64,
    /// Restores that were executed and name no run.
    #[sqlx(try_from = "CountColumn")]
    pub without_run: u64,
}

/// What stands above a list of runs.
pub type RunParts = ListParts<RunCounts>;

/// What stands above a list of restores.
pub type RestoreParts = ListParts<RestoreCounts>;

/// What stands above a list.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ListParts<C> {
    /// How many there are of what.
    pub counts: C,
    /// The environments that a viewer may choose from, in the order of workspaces; none where there are too many.
    pub places: Vec<PlaceSeen>,
}

impl RunCounts {
    /// Whether there may be more of an outcome than were counted.
    pub fn is_cut(&self) -> bool {
        self.runs > u64::from(COUNTED_MAX)
    }
}

impl Reader {
    /// What stands above a viewer's list of runs; those that are open for longer than `too_long` are counted.
    pub async fn load_run_parts(
        &self,
        of: &Workspaces,
        too_long: SignedDuration,
    ) -> Result<RunParts> {
        let counting = statement!("count listed runs", "count_listed_runs");
        let bound = COUNTED_MAX + 1;
        let counted = self.database.read(async |tx| {
            let before = tx.as_of.checked_sub(too_long).unwrap_or(Timestamp::MIN);
            let values = values![of.ids(), bound, bound, before];
            tx.driver().fetch_one(counting, values).await
        });
        let mut counts: RunCounts = counted.await?;
        counts.unproven = self.count_unproven(of, bound).await?;
        Ok(RunParts {
            counts,
            places: self.load_places(of).await?,
        })
    }

    /// What stands above a viewer's list of restores.
    pub async fn load_restore_parts(&self, of: &Workspaces) -> Result<RestoreParts> {
        let counting = statement!("count listed restores", "count_listed_restores");
        let values = values![of.ids(), COUNTED_MAX + 1];
        let counted = self
            .database
            .read(async |tx| tx.driver().fetch_one(counting, values).await);
        Ok(RestoreParts {
            counts: counted.await?,
            places: self.load_places(of).await?,
        })
    }

    async fn count_unproven(&self, of: &Workspaces, bound: u32) -> Result<u64> {
        let nothing: Option<i64> = None;
        let values = values![of.ids(), nothing, nothing, bound, false];
        let unproven = super::runs::FIND_UNPROVEN;
        let found: Vec<(Id,)> = self.database.read_all(unproven, values).await?;
        Ok(found.len() as u64)
    }
}
