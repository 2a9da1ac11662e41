//! A restore that may have no run, and what restores point at.

use std::collections::HashMap;

use jiff::Timestamp;
use reconciler_jobs::ids::{EnvironmentId, RestoreId, RunId, WorkspaceId};
use reconciler_jobs::json::Column;
use reconciler_jobs::reading::gates::{PreparationFacts, PreparationRow};
use reconciler_jobs::reading::metadata_keys::MetadataKeys;
use reconciler_jobs::restore_execute::facts::{Candidate, EvidenceFacts, RestoreFacts, RunFacts};
use reconciler_jobs::restore_execute::{Policy, link};
use sqlx::FromRow;

use super::names::{NameColumn, shown};
use super::open::Reader;
use super::record::{DescribedRecord, RunOnRecord};
use super::scope::Workspaces;
use crate::storage::column::{Id, OptionalId, Word};
use crate::storage::error::Result;
use crate::storage::parsing::away;
use crate::storage::records::{Ask, record};
use crate::storage::statement::{statement, values};
use crate::storage::transaction::DatabaseTransaction;

/// Longest document about the preparation of a restore that is read, in bytes.
const PREPARATION_BYTES_MAX: i64 = 8 * 1024 * 1024;

/// One restore that may have no run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestoreSeen {
    /// The database's clock.
    pub as_of: Timestamp,
    /// The restore.
    pub restore: RestoreFacts,
    /// The run that it points at, in its own scope.
    pub run: Option<RunFacts>,
    /// Evidence captured for that run.
    pub evidence: EvidenceFacts,
    /// What is on record of that run.
    pub record: RunOnRecord,
    /// Workspace's name.
    pub workspace_name: String,
    /// Environment's name.
    pub environment_name: String,
    /// Who asked for it.
    pub requested_by: Option<String>,
    /// What is known before it is executed.
    pub preparation: PreparationFacts,
}

/// A restore, the run that it points at, that run's evidence, and what is on record of it.
pub type Latest = (RestoreFacts, Option<RunFacts>, EvidenceFacts, RunOnRecord);

record! {
    PreparationColumns for PreparationRow {
        has_target: bool,
        is_dry_run: Option<bool>,
        status: Word,
    } with documents {
        requested_items / has_requested_items,
        group_mapping / has_group_mapping,
        preview / has_preview,
        metadata / has_metadata,
    }
}

/// A restore that may be seen, before it is executed.
#[derive(FromRow)]
struct PreparationRecord {
    #[sqlx(try_from = "Id")]
    workspace_id: WorkspaceId,
    #[sqlx(try_from = "Id")]
    environment_id: EnvironmentId,
    #[sqlx(try_from = "OptionalId")]
    points_at: Option<RunId>,
    #[sqlx(try_from = "NameColumn")]
    workspace_name: String,
    #[sqlx(try_from = "NameColumn")]
    environment_name: String,
    requested_by: Option<Word>,
    #[sqlx(flatten)]
    columns: PreparationColumns,
}

/// A restore in its own scope, and the run that it points at.
#[derive(Debug, Clone, Copy, FromRow)]
pub(super) struct ScopedRestore {
    #[sqlx(rename = "restore_id", try_from = "Id")]
    pub(super) restore: RestoreId,
    #[sqlx(rename = "workspace_id", try_from = "Id")]
    pub(super) workspace: WorkspaceId,
    #[sqlx(rename = "environment_id", try_from = "Id")]
    pub(super) environment: EnvironmentId,
    #[sqlx(try_from = "OptionalId")]
    pub(super) points_at: Option<RunId>,
}

impl ScopedRestore {
    /// Asks about the restore. Whatever asks for a run asks for the one it points at, or for none.
    pub(super) fn ask(&self) -> Ask {
        Ask {
            run: self.points_at.unwrap_or(RunId(0)),
            workspace: self.workspace,
            environment: self.environment,
            restore: Some(self.restore),
        }
    }
}

impl Reader {
    /// One live restore.
    pub async fn load_restore(
        &self,
        of: &Workspaces,
        restore: RestoreId,
        policy: &Policy,
        keys: &MetadataKeys,
    ) -> Result<Option<RestoreSeen>> {
        let statement = statement!("look up a restore", "find_restore");
        let values = values![of.ids(), restore, PREPARATION_BYTES_MAX];
        let keys = keys.clone();
        let reading = self.database.read(async |tx| {
            let found: Option<PreparationRecord> =
                tx.driver().fetch_optional(statement, values).await?;
            let Some(record) = found else {
                return Ok(None);
            };
            let scoped = ScopedRestore {
                restore,
                workspace: record.workspace_id,
                environment: record.environment_id,
                points_at: record.points_at,
            };
            let asks = [scoped.ask()];
            let Some(facts) = tx.load_restores(&asks, policy).await?.into_iter().next() else {
                return Ok(None);
            };
            let (run, evidence, record_of_run) =
                PointedAt::by(tx, &[scoped], policy).await?.of(&scoped);
            let sources = tx.find_sources(&asks).await?;
            let source = tx.load_backups(sources).await?.remove(&restore.0);
            let row = PreparationRow::from(record.columns);
            let gather = move || PreparationFacts::gather(&row, source, &keys);
            let preparation = away("read how a restore was prepared", gather).await?;
            Ok(Some(RestoreSeen {
                as_of: tx.as_of,
                restore: facts,
                run,
                evidence,
                record: record_of_run,
                workspace_name: record.workspace_name,
                environment_name: record.environment_name,
                requested_by: record.requested_by.map(shown),
                preparation,
            }))
        });
        reading.await
    }
}

/// Runs of our type that restores point at, each with the restore that the link rule ties to it, the evidence that was
/// captured for it in its own scope, and what is on record of it.
pub(super) struct PointedAt(HashMap<RunId, (RunFacts, RestoreId, EvidenceFacts, RunOnRecord)>);

impl PointedAt {
    pub(super) async fn by(
        tx: &mut DatabaseTransaction,
        restores: &[ScopedRestore],
        policy: &Policy,
    ) -> Result<Self> {
        let ids: Vec<RunId> = restores
            .iter()
            .filter_map(|restore| restore.points_at)
            .collect();
        let found = tx.load_runs(&ids).await?;
        let runs: Vec<RunFacts> = found
            .iter()
            .map(|run| RunFacts::parse(&run.row, policy))
            .filter(|run| run.is_restore_execute)
            .collect();
        let asks: Vec<Ask> = runs.iter().filter_map(Ask::candidates_of).collect();
        let candidates = tx.load_candidates(&asks).await?;
        let asks: Vec<Ask> = runs.iter().filter_map(ask_for_evidence).collect();
        let snapshots = tx.load_snapshots(&asks).await?;
        let ids: Vec<RunId> = runs.iter().map(|run| run.id).collect();
        let described = tx.describe(&Workspaces::All, &ids).await?;
        let mut described: HashMap<RunId, DescribedRecord> =
            described.into_iter().map(|it| (it.id, it)).collect();
        let with_evidence = |run: RunFacts| {
            let own = candidates.iter().filter(|row| row.run_id == run.id);
            let own: Vec<Candidate> = own.map(Candidate::from).collect();
            let restore = link::resolve(&run, &own).ok()?;
            let own = snapshots.iter().filter(|row| row.run_id == run.id);
            let evidence = EvidenceFacts::gather(own);
            let record = described.remove(&run.id).map(|it| it.of(&run));
            Some((run.id, (run, restore, evidence, record.unwrap_or_default())))
        };
        Ok(Self(runs.into_iter().filter_map(with_evidence).collect()))
    }

    /// What a restore points at, if that is in the restore's own scope, and no other restore is as good.
    pub(super) fn of(
        &self,
        restore: &ScopedRestore,
    ) -> (Option<RunFacts>, EvidenceFacts, RunOnRecord) {
        let found = restore.points_at.and_then(|run| self.0.get(&run));
        let own = found.filter(|(run, linked, ..)| {
            run.workspace_id == restore.workspace
                && run.environment_id == Some(restore.environment)
                && *linked == restore.restore
        });
        match own {
            Some((run, _, evidence, record)) => {
                (Some(run.clone()), evidence.clone(), record.clone())
            }
            None => (None, EvidenceFacts::default(), RunOnRecord::default()),
        }
    }
}

fn ask_for_evidence(run: &RunFacts) -> Option<Ask> {
    Some(Ask {
        run: run.id,
        workspace: run.workspace_id,
        environment: run.environment_id?,
        restore: None,
    })
}

/// Asks about a restore in its own scope.
pub(super) fn ask_about(restore: &RestoreFacts) -> Ask {
    let scoped = ScopedRestore {
        restore: restore.id,
        workspace: restore.workspace_id,
        environment: restore.environment_id,
        points_at: None,
    };
    scoped.ask()
}
