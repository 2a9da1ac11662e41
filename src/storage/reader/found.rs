//! What has an id that somebody looks for.

use reconciler_jobs::ids::{RestoreId, RunId};
use sqlx::FromRow;

use super::open::Reader;
use super::scope::Workspaces;
use crate::storage::column::Id;
use crate::storage::error::Result;
use crate::storage::statement::{statement, values};

/// Something that has an id, and may be seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// A run of type `restore.execute`.
    Run(RunId),
    /// A live restore.
    Restore(RestoreId),
    /// A snapshot of evidence, by its run.
    Evidence(RunId),
    /// A verdict, by its run.
    Decision(RunId),
}

/// What an id may be.
#[derive(FromRow)]
struct FoundRow {
    kind: String,
    #[sqlx(try_from = "Id")]
    id: RunId,
}

impl FoundRow {
    fn found(self) -> Found {
        match self.kind.as_str() {
            "restore" => Found::Restore(RestoreId(self.id.0)),
            "evidence" => Found::Evidence(self.id),
            "decision" => Found::Decision(self.id),
            _ => Found::Run(self.id),
        }
    }
}

impl Found {
    /// The run that must be seen for this to be.
    fn run(self) -> Option<RunId> {
        match self {
            Self::Restore(_) => None,
            Self::Run(run) | Self::Evidence(run) | Self::Decision(run) => Some(run),
        }
    }
}

impl Reader {
    /// What may be seen and has this id, or is this decision; evidence only `with_evidence`.
    pub async fn find(
        &self,
        of: &Workspaces,
        id: Option<i64>,
        decision: Option<String>,
        with_evidence: bool,
    ) -> Result<Vec<Found>> {
        let statement = statement!("look for an id", both "find_by_id");
        let values = values![of.ids(), id, decision, with_evidence];
        let looking = self.database.read(async |tx| {
            let rows: Vec<FoundRow> = tx.driver().fetch_all(statement, values).await?;
            let mut found: Vec<Found> = rows.into_iter().map(FoundRow::found).collect();
            let runs: Vec<RunId> = found.iter().filter_map(|it| it.run()).collect();
            let seen = tx.describe(of, &runs).await?;
            let is_seen = |run: RunId| seen.iter().any(|record| record.id == run);
            found.retain(|it| it.run().is_none_or(is_seen));
            Ok(found)
        });
        looking.await
    }
}
