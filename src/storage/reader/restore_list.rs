//! Pages of restores: executed ones, some of which name no run, and those that are being prepared.

use jiff::Timestamp;
use reconciler_jobs::ids::{EnvironmentId, RestoreId, WorkspaceId};
use reconciler_jobs::restore_execute::Policy;
use reconciler_jobs::restore_execute::facts::RestoreFacts;
use reconciler_jobs::vocabulary;
use schemars::JsonSchema;
use serde::Serialize;
use sqlx::FromRow;

use super::names::NameColumn;
use super::open::Reader;
use super::restores::{Latest, PointedAt, ScopedRestore};
use super::runs::{JUDGED_MAX, LOOKED_AT_MAX, PAGE_BYTES_MAX};
use super::scope::Workspaces;
use crate::storage::error::Result;
use crate::storage::statement::{statement, values};
use crate::storage::transaction::DatabaseTransaction;

/// How many restores are read before it is known how large they are.
const READ_AT_ONCE: usize = 10;

vocabulary! {
    /// What is known of a restore from its row alone.
    #[derive(Serialize, JsonSchema)]
    #[serde(rename_all = "snake_case")]
    pub enum RestoreKind {
        /// The word for it, in addresses and answers.
        word: &'static str,
        /// What lists of them are called.
        label: &'static str,
    }
    /// It was handed over to be executed.
    Executed { word: "executed", label: "Executed" }
    /// It is a preview, or still being prepared.
    Preparing { word: "preparing", label: "Being prepared" }
    /// It was executed and names no run, as one that was imported.
    WithoutRun { word: "without_run", label: "Executed, naming no run" }
}

/// Which restores are to be listed. What is none says nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RestoreFilter {
    /// Only restores of this workspace.
    pub workspace: Option<WorkspaceId>,
    /// Only restores of this environment.
    pub environment: Option<EnvironmentId>,
    /// Only restores of this kind; those that name no run are among the executed ones.
    pub kind: Option<RestoreKind>,
}

/// A part of the list of restores, the highest ids first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestoreListing {
    /// The database's clock.
    pub as_of: Timestamp,
    /// The restores.
    pub rows: Vec<RestoreInList>,
    /// Where to go on: below this id. None at the end. A page may be short, or empty, and still not be the last one.
    pub below: Option<RestoreId>,
}

/// A restore with what it points at, and the names of where it belongs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestoreInList {
    /// The restore, the run that it points at, that run's evidence, and what is on record of it.
    pub found: Latest,
    /// Whether its row names a run, whichever.
    pub names_run: bool,
    /// Workspace's name.
    pub workspace_name: String,
    /// Environment's name.
    pub environment_name: String,
}

/// A row of `look_for_restores`.
#[derive(FromRow)]
struct RestoreListRow {
    #[sqlx(flatten)]
    scoped: ScopedRestore,
    #[sqlx(try_from = "NameColumn")]
    workspace_name: String,
    #[sqlx(try_from = "NameColumn")]
    environment_name: String,
    is_wanted: bool,
}

impl Reader {
    /// Live restores below `below`, at most `limit`.
    pub async fn load_restores(
        &self,
        of: &Workspaces,
        filter: &RestoreFilter,
        below: Option<RestoreId>,
        limit: u32,
        policy: &Policy,
    ) -> Result<RestoreListing> {
        let limit = limit.clamp(1, JUDGED_MAX);
        let of = of.within(filter.workspace);
        // To find a page of one kind, many restores of the others may have to be passed.
        let looked_at_max = filter.kind.map_or(limit + 1, |_| LOOKED_AT_MAX);
        let statement = statement!("look for restores", "look_for_restores");
        let kind = filter.kind.map(RestoreKind::word);
        let values = values![of.ids(), filter.environment, below, looked_at_max, kind];
        let reading = self.database.read(async |tx| {
            let found: Vec<RestoreListRow> = tx.driver().fetch_all(statement, values).await?;
            let is_cut = u32::try_from(found.len()).is_ok_and(|found| found >= looked_at_max);
            let last = found.last().map(|record| record.scoped.restore);
            let mut wanted: Vec<RestoreListRow> =
                found.into_iter().filter(|it| it.is_wanted).collect();
            let limit = usize::try_from(limit).unwrap_or(usize::MAX);
            let mut below = last.filter(|_| is_cut);
            if wanted.len() > limit {
                wanted.truncate(limit);
                below = wanted.last().map(|record| record.scoped.restore);
            }
            let mut rows = Vec::with_capacity(wanted.len());
            let mut left = wanted.into_iter().peekable();
            while left.peek().is_some() {
                if tx.bytes_parsed >= PAGE_BYTES_MAX {
                    below = rows
                        .last()
                        .map(|row: &RestoreInList| row.found.0.id)
                        .or(below);
                    break;
                }
                let batch: Vec<RestoreListRow> = left.by_ref().take(READ_AT_ONCE).collect();
                rows.extend(load_batch(tx, batch, policy).await?);
            }
            Ok(RestoreListing {
                as_of: tx.as_of,
                rows,
                below,
            })
        });
        reading.await
    }
}

async fn load_batch(
    tx: &mut DatabaseTransaction,
    batch: Vec<RestoreListRow>,
    policy: &Policy,
) -> Result<Vec<RestoreInList>> {
    let scoped: Vec<ScopedRestore> = batch.iter().map(|record| record.scoped).collect();
    let asks: Vec<_> = scoped.iter().map(ScopedRestore::ask).collect();
    let mut restores: Vec<RestoreFacts> = tx.load_restores(&asks, policy).await?;
    let pointed_at = PointedAt::by(tx, &scoped, policy).await?;
    let read = |record: RestoreListRow| {
        let id = record.scoped.restore;
        let place = restores.iter().position(|restore| restore.id == id)?;
        let restore = restores.swap_remove(place);
        let (run, evidence, on_record) = pointed_at.of(&record.scoped);
        Some(RestoreInList {
            found: (restore, run, evidence, on_record),
            names_run: record.scoped.points_at.is_some(),
            workspace_name: record.workspace_name,
            environment_name: record.environment_name,
        })
    };
    Ok(batch.into_iter().filter_map(read).collect())
}
