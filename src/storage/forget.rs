//! Forgetting a workspace that has left: its facts are erased, and the ledger stays as it is.

use reconciler_jobs::ids::WorkspaceId;
use serde::Serialize;
use sqlx::FromRow;

use super::column::CountColumn;
use super::error::{Result, StoreError};
use super::model::Action;
use super::statement::{statement, values};
use super::store::Store;

/// How many facts one transaction erases of each kind.
const ERASED_MAX: u32 = 5_000;

/// What is kept about a workspace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, FromRow)]
pub struct Forgettable {
    /// Verdicts in the ledger, which stay.
    #[sqlx(try_from = "CountColumn")]
    pub verdicts: u64,
    /// Facts of verdicts.
    #[sqlx(try_from = "CountColumn")]
    pub facts: u64,
    /// Facts of opinions.
    #[sqlx(try_from = "CountColumn")]
    pub opinion_facts: u64,
    /// Verdicts whose facts stand in the ledger itself, and stay with it.
    #[sqlx(try_from = "CountColumn")]
    pub facts_in_ledger: u64,
    /// Open runs that were looked at: a verdict on one brings facts again.
    #[sqlx(try_from = "CountColumn")]
    pub open_runs: u64,
}

impl Store {
    /// Counts what is kept about a workspace.
    pub async fn count_forgettable(&self, workspace: WorkspaceId) -> Result<Forgettable> {
        let statement = statement!("look at what is kept of a workspace", both "count_forgettable");
        self.database.fetch_one(statement, values![workspace]).await
    }

    /// Erases some of the facts of a workspace, and says how many; none once there are none. With the first part, what was
    /// found and who has it done is left for ever.
    pub async fn forget_part(
        &self,
        workspace: WorkspaceId,
        first: Option<(&Forgettable, &Action)>,
    ) -> Result<u64> {
        let facts = statement!("erase the facts of verdicts", both "forget_facts");
        let opinions = statement!("erase the facts of opinions", both "forget_opinion_facts");
        let values = values![workspace, ERASED_MAX];
        let erasing = self.database.write(async |tx| {
            let of_verdicts = tx.driver().execute(facts, values).await?;
            let of_opinions = tx.driver().execute(opinions, values).await?;
            if let Some((found, action)) = first {
                let found = serde_json::to_string(found)
                    .map_err(|error| StoreError::refused("note an action", error))?;
                tx.note_action(Some(workspace), action, "began", Some(found))
                    .await?;
            }
            Ok(of_verdicts + of_opinions)
        });
        erasing.await
    }
}
