//! Positions of verdicts in the feed that the platform reads. PostgreSQL's alone: on SQLite there is no feed.

use jiff::Timestamp;
use sqlx::FromRow;

use super::column::StoredMoment;
use super::error::Result;
use super::statement::{statement, values};
use super::store::Store;

/// What giving positions came to.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct FeedProgress {
    /// How many verdicts got one; none where another process is at it.
    pub placed: Option<i64>,
    /// Since when the oldest verdict waits that got none, unless there were too many for one batch.
    #[sqlx(try_from = "StoredMoment")]
    pub waiting_since: Option<Timestamp>,
    /// Who keeps it waiting, with the process id, where that is known: the oldest transaction under way.
    pub held_up_by: Option<String>,
}

impl Store {
    /// Gives positions to at most so many verdicts. None on SQLite.
    pub async fn place_verdicts(&self, verdicts_max: u32) -> Result<Option<FeedProgress>> {
        let statement = statement!("give verdicts their positions", postgres "place_verdicts");
        let mut placed = self
            .database
            .fetch_all(statement, values![verdicts_max])
            .await?;
        Ok(placed.pop())
    }
}
