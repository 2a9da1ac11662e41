//! What the rules need to know of a batch's runs, read set by set.

use std::collections::{BTreeMap, HashMap, HashSet};

use jiff::Timestamp;
use reconciler_jobs::ids::{RestoreId, RunId};
use reconciler_jobs::restore_execute::facts::{Candidate, RestoreFacts, RunFacts};
use reconciler_jobs::restore_execute::rows::{AuditRow, CandidateRow, SnapshotRow};
use reconciler_jobs::restore_execute::{Facts, Policy, decide, link};

use crate::storage::error::Result;
use crate::storage::model::Assessment;
use crate::storage::records::Ask;
use crate::storage::transaction::DatabaseTransaction;
use crate::telemetry::names::{REASON, RULE, RUN_ID};

/// What was read about a batch's runs beside themselves.
pub(super) struct Proofs {
    candidates: HashMap<RunId, Vec<CandidateRow>>,
    chosen: HashMap<RunId, RestoreId>,
    restores: BTreeMap<RestoreId, RestoreFacts>,
    audits: HashMap<RestoreId, Vec<AuditRow>>,
    snapshots: HashMap<RunId, Vec<SnapshotRow>>,
}

/// Loads what the rules need, set by set, and decides each run.
pub(in crate::storage) async fn assess_rows(
    tx: &mut DatabaseTransaction,
    runs: Vec<RunFacts>,
    policy: &Policy,
) -> Result<Vec<Assessment>> {
    let proofs = Proofs::load(tx, &runs, policy).await?;
    Ok(proofs.decide(runs, tx.as_of, policy))
}

impl Proofs {
    pub(super) async fn load(
        tx: &mut DatabaseTransaction,
        runs: &[RunFacts],
        policy: &Policy,
    ) -> Result<Self> {
        let asks: Vec<Ask> = runs.iter().filter_map(Ask::candidates_of).collect();
        let candidates = group(tx.load_candidates(&asks).await?, |row| row.run_id);
        let linked: Vec<Ask> = runs
            .iter()
            .filter_map(|run| linked_ask(run, &candidates))
            .collect();
        let distinct = distinct_restores(&linked);
        let restores = tx.load_restores(&distinct, policy).await?.into_iter();
        let audits = tx.load_audits(&distinct, policy).await?;
        let snapshots = tx.load_snapshots(&linked).await?;
        let chosen = linked.iter();
        Ok(Self {
            candidates,
            chosen: chosen
                .filter_map(|ask| Some((ask.run, ask.restore?)))
                .collect(),
            restores: restores.map(|restore| (restore.id, restore)).collect(),
            audits: group(audits, |row| row.restore_id),
            snapshots: group(snapshots, |row| row.run_id),
        })
    }

    pub(super) fn decide(
        &self,
        runs: Vec<RunFacts>,
        as_of: Timestamp,
        policy: &Policy,
    ) -> Vec<Assessment> {
        let assess = |run: RunFacts| {
            let id = run.id;
            let restore = self
                .chosen
                .get(&id)
                .and_then(|restore| self.restores.get(restore))
                .cloned();
            let about = restore
                .as_ref()
                .and_then(|restore| self.audits.get(&restore.id));
            let facts = Facts::gather(
                as_of,
                policy,
                run,
                self.candidates.get(&id).map_or(&[], Vec::as_slice),
                restore,
                about.map_or(&[], Vec::as_slice),
                self.snapshots.get(&id).map_or(&[], Vec::as_slice),
            );
            let decision = decide(&facts);
            let (rule, reason) = (decision.rule, decision.reason.code());
            tracing::debug!(
                { { RUN_ID } = id.0, { RULE } = rule, { REASON } = reason },
                "rule {rule} decides run {id}: {reason}"
            );
            Assessment { facts, decision }
        };
        runs.into_iter().map(assess).collect()
    }
}

/// Asks about the restore that the link rule chooses.
fn linked_ask(run: &RunFacts, candidates: &HashMap<RunId, Vec<CandidateRow>>) -> Option<Ask> {
    let ask = Ask::candidates_of(run)?;
    let rows = candidates.get(&run.id).map_or(&[][..], Vec::as_slice);
    let rows: Vec<Candidate> = rows.iter().map(Candidate::from).collect();
    match link::resolve(run, &rows) {
        Ok(restore) => Some(ask.about(restore)),
        Err(gap) => {
            tracing::debug!({ { RUN_ID } = run.id.0, %gap }, "no restore can be tied to this run");
            None
        }
    }
}

/// Two runs may name one restore; asking twice would double its rows.
fn distinct_restores(linked: &[Ask]) -> Vec<Ask> {
    let mut seen = HashSet::new();
    linked
        .iter()
        .copied()
        .filter(|ask| seen.insert(ask.restore))
        .collect()
}

fn group<R, K: std::hash::Hash + Eq>(rows: Vec<R>, key: impl Fn(&R) -> K) -> HashMap<K, Vec<R>> {
    let mut groups: HashMap<K, Vec<R>> = HashMap::new();
    for row in rows {
        groups.entry(key(&row)).or_default().push(row);
    }
    groups
}
