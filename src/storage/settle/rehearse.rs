//! Settles runs for real, in transactions that are undone, to learn what the database would refuse.
//!
//! Nothing is committed, so nothing is counted and nobody is told. Runs that may end a process are not tried: who
//! dies of one here would leave no word of it.

use reconciler_jobs::ids::RunId;

use super::once::rehearse_batch;
use super::transaction::{Lock, Transactions, with_retries};
use crate::storage::error::Result;
use crate::storage::model::{Settled, Settlement, Settling};

/// See [`crate::storage::Store::rehearse`].
pub(in crate::storage) async fn rehearse<T: Transactions>(
    store: &T,
    runs: &[RunId],
    with: &Settling,
) -> Result<Vec<Settled>> {
    let lock = Lock {
        due_only: with.due_only,
        suspects: false,
        ..Lock::SETTLE
    };
    let mut settled = Vec::with_capacity(runs.len());
    let mut pending = vec![runs];
    while let Some(batch) = pending.pop() {
        let rehearsed = with_retries(with.retries_max, || {
            rehearse_batch(store, batch, with, lock)
        });
        match (rehearsed.await, batch) {
            (Ok(round), _) => settled.extend(round),
            (Err(error), [run]) if error.may_spare_others() => {
                let result = if error.is_disturbance() {
                    Settlement::Locked
                } else {
                    Settlement::Refused {
                        watch: None,
                        error: error.to_string(),
                    }
                };
                settled.push(Settled { run: *run, result });
            }
            (Err(error), [_, _, ..]) if error.may_spare_others() => {
                let (left, right) = batch.split_at(batch.len() / 2);
                pending.extend([right, left]);
            }
            (Err(error), _) => return Err(error),
        }
    }
    Ok(settled)
}
