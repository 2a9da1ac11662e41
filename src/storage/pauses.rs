//! Pauses: nothing is settled of a workspace, or at all, until somebody resumes it.
//!
//! Whoever settles asks within its transaction, so that a pause holds for each settlement that begins after it. A job that
//! asks for a paused run is done; once it is resumed, runs are due by themselves.

use reconciler_jobs::ids::WorkspaceId;

use super::error::Result;
use super::model::{Action, Pause};
use super::statement::{action_values, statement, values};
use super::store::Store;
use super::transaction::DatabaseTransaction;

impl Store {
    /// Has nothing settled any more, of a workspace or at all; false where that was so before.
    pub async fn pause(&self, workspace: Option<WorkspaceId>, action: &Action) -> Result<bool> {
        let statement = statement!("pause", both "pause");
        let pausing = self.database.write(async |tx| {
            let values = values![workspace, action.actor.as_deref(), action.reason.as_deref()];
            let is_new = tx.driver().execute(statement, values).await? > 0;
            if is_new {
                tx.note_action(workspace, action, "paused", None).await?;
            }
            Ok(is_new)
        });
        pausing.await
    }

    /// Has it settled again, and makes due what waits there; false where it was not paused.
    pub async fn resume(&self, workspace: Option<WorkspaceId>, action: &Action) -> Result<bool> {
        let resume = statement!("resume", both "resume");
        let end_deferrals = statement!("resume", both "end_deferrals");
        let resuming = self.database.write(async |tx| {
            let as_of = tx.as_of;
            let was_paused = tx.driver().execute(resume, values![workspace]).await? > 0;
            if was_paused {
                let values = values![workspace, as_of];
                tx.driver().execute(end_deferrals, values).await?;
                tx.note_action(workspace, action, "resumed", None).await?;
            }
            Ok(was_paused)
        });
        resuming.await
    }

    /// What is paused, everything first.
    pub async fn load_pauses(&self) -> Result<Vec<Pause>> {
        self.database.read(async |tx| tx.load_pauses().await).await
    }
}

impl DatabaseTransaction {
    /// Leaves for ever what is done about a workspace, or about all.
    pub(super) async fn note_action(
        &mut self,
        workspace: Option<WorkspaceId>,
        action: &Action,
        outcome: &'static str,
        found: Option<String>,
    ) -> Result<()> {
        let statement = statement!("note an action", both "note_action");
        let [verb, actor, reason, trace] = action_values(Some(action));
        let (outcome, found) = (outcome.into(), found.into());
        let values = &[verb, actor, reason, trace, workspace.into(), outcome, found];
        self.driver().execute(statement, values).await.map(drop)
    }
}
