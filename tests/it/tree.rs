//! The tree over the ledger: leaves, checkpoints, and what somebody changes behind our back.

mod exports;
mod model;
mod sealing;
mod tampers;
mod verifier;

use std::time::Duration;

use restore_reconciler::internals::ledger::{CheckpointSigner, NewKey, note, origin_of};
use restore_reconciler::internals::storage::{CheckpointDue, Sealed, Store, TreeState};
use restore_reconciler::internals::tree::Edge;

use crate::contract::place_verdicts;
use crate::support::case::{Case, FOREIGN, HOME};
use crate::support::store::{Fixture, moved};

/// A checkpoint with each batch.
const EACH: CheckpointDue = CheckpointDue {
    every: Duration::from_hours(1),
    verdicts: 1,
};

/// Makes a batch of leaves and, of them, a checkpoint.
async fn seal(store: &Store, leaves: u32, signer: Option<&CheckpointSigner>) -> Sealed {
    let signers = signer.map(std::slice::from_ref).unwrap_or_default();
    let write = |state: &TreeState, edge: &Edge| note(&origin_of(&state.install_id), edge, signers);
    store.seal(leaves, EACH, write).await.expect("leaves")
}

/// Makes leaves of all, and a checkpoint of each so many.
pub(crate) async fn seal_all(on: &Fixture, leaves: u32, signer: Option<&CheckpointSigner>) {
    while seal(&on.store, leaves, signer).await.leaves > 0 {}
}

/// Some verdicts, all of them under a checkpoint that nobody signed.
pub(crate) async fn sealed() -> Fixture {
    let on = judged(4).await;
    seal_all(&on, 10, None).await;
    on
}

/// Verdicts on so many runs of two workspaces, each with its position.
async fn judged(last: i64) -> Fixture {
    let on = Fixture::postgres().await;
    judge(&on, 1, last).await;
    on
}

async fn judge(on: &Fixture, first: i64, last: i64) {
    let case = |id| {
        let case = match id % 3 {
            0 => Case::failed(id),
            _ => Case::proven(id),
        };
        moved(case, if id % 4 == 0 { FOREIGN } else { HOME })
    };
    on.plant((first..=last).map(case)).await;
    let runs: Vec<i64> = (first..=last).collect();
    on.settle(&runs).await;
    place_verdicts(on, last).await;
}

/// Whose checkpoints these are.
async fn origin(on: &Fixture) -> String {
    let id = on.store.reader().install_id().await.expect("an answer");
    origin_of(&id.expect("a schema that is bound"))
}

/// A key for them: who signs, and what checks.
async fn key(on: &Fixture) -> (CheckpointSigner, String) {
    let key = NewKey::make(&origin(on).await);
    (
        CheckpointSigner::read(&key.private).expect("a key"),
        key.public,
    )
}
