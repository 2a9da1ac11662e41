//! A restore that may have no run, and what restores point at.

use std::collections::HashMap;

use reconciler_jobs::ids::{RestoreId, RunId};
use reconciler_jobs::reading::gates::PreparationFacts;
use reconciler_jobs::restore_execute::facts::{Candidate, EvidenceFacts, RestoreFacts, RunFacts};
use reconciler_jobs::restore_execute::{Policy, link};

use super::model::{RestoreSeen, Workspaces};
use super::rows::ScopedRestore;
use crate::storage::error::StoreError;
use crate::storage::parsing::away;
use crate::storage::records::Ask;
use crate::storage::settle::Transaction as _;
use crate::storage::transaction::DatabaseTransaction;

/// Runs of our type that restores point at, each with the restore that the link rule ties to it and the evidence that
/// was captured for it in its own scope.
pub(super) struct PointedAt(HashMap<RunId, (RunFacts, RestoreId, EvidenceFacts)>);

impl PointedAt {
    pub(super) async fn by(
        tx: &mut DatabaseTransaction,
        restores: &[ScopedRestore],
        policy: &Policy,
    ) -> Result<Self, StoreError> {
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
        let with_evidence = |run: RunFacts| {
            let own = candidates.iter().filter(|row| row.run_id == run.id);
            let own: Vec<Candidate> = own.map(Candidate::from).collect();
            let restore = link::resolve(&run, &own).ok()?;
            let own = snapshots.iter().filter(|row| row.run_id == run.id);
            let evidence = EvidenceFacts::gather(own);
            Some((run.id, (run, restore, evidence)))
        };
        Ok(Self(runs.into_iter().filter_map(with_evidence).collect()))
    }

    /// What a restore points at, if that is in the restore's own scope, and no other restore is as good.
    pub(super) fn of(&self, restore: &ScopedRestore) -> (Option<RunFacts>, EvidenceFacts) {
        let found = restore.points_at.and_then(|run| self.0.get(&run));
        let own = found.filter(|(run, linked, _)| {
            run.workspace_id == restore.workspace
                && run.environment_id == Some(restore.environment)
                && *linked == restore.restore
        });
        match own {
            Some((run, _, evidence)) => (Some(run.clone()), evidence.clone()),
            None => (None, EvidenceFacts::default()),
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

pub(super) async fn load_one(
    tx: &mut DatabaseTransaction,
    of: &Workspaces,
    restore: RestoreId,
    policy: &Policy,
) -> Result<Option<RestoreSeen>, StoreError> {
    let Some(found) = tx.find_restore(of, restore).await? else {
        return Ok(None);
    };
    let scoped = ScopedRestore {
        restore,
        workspace: found.workspace,
        environment: found.environment,
        points_at: found.points_at,
    };
    let asks = [scoped.ask()];
    let Some(facts) = tx.load_restores(&asks, policy).await?.into_iter().next() else {
        return Ok(None);
    };
    let (run, evidence) = PointedAt::by(tx, &[scoped], policy).await?.of(&scoped);
    let sources = tx.find_sources(&asks).await?;
    let source = tx.load_backups(sources).await?.remove(&restore.0);
    let row = found.preparation;
    let gather = move || PreparationFacts::gather(&row, source);
    let preparation = away("read how a restore was prepared", gather).await?;
    Ok(Some(RestoreSeen {
        as_of: tx.as_of(),
        restore: facts,
        run,
        evidence,
        workspace_name: found.workspace_name,
        environment_name: found.environment_name,
        requested_by: found.requested_by,
        preparation,
    }))
}
