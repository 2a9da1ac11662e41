//! Settles runs for real, in transactions that are undone, to learn what the database would refuse.
//!
//! Nothing is committed, so nothing is counted and nobody is told. Runs that may end a process are not tried: who
//! dies of one here would leave no word of it.

use reconciler_jobs::ids::RunId;

use super::once::Settler;
use super::round::halves;
use super::statements::Lock;
use crate::storage::error::Result;
use crate::storage::model::{Settled, Settlement};
use crate::storage::transaction::with_retries;

impl Settler<'_> {
    /// See [`crate::storage::Store::rehearse`].
    pub(in crate::storage) async fn rehearse(&self, runs: &[RunId]) -> Result<Vec<Settled>> {
        let lock = Lock {
            due_only: self.with.due_only,
            suspects: false,
            ..Lock::SETTLE
        };
        let mut settled = Vec::with_capacity(runs.len());
        let mut pending = vec![runs];
        while let Some(batch) = pending.pop() {
            let rehearsed =
                with_retries(self.with.retries_max, || self.rehearse_batch(batch, lock));
            match (rehearsed.await, batch) {
                (Ok(round), _) => settled.extend(round),
                (Err(error), [run]) if error.may_spare_others() => {
                    let result = if error.is_disturbance() {
                        Settlement::Locked
                    } else {
                        Settlement::refused(None, &error)
                    };
                    settled.push(Settled { run: *run, result });
                }
                (Err(error), [_, _, ..]) if error.may_spare_others() => {
                    pending.extend(halves(batch));
                }
                (Err(error), _) => return Err(error),
            }
        }
        Ok(settled)
    }
}
