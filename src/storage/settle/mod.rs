//! The one settling path, for one run and for five hundred, on both databases.
//!
//! A crash at any point leaves nothing or everything, because there is one transaction per batch.
//! Running twice is harmless, because a closed run is never locked again. Losing a race is a normal
//! result, because the guard is part of the statement that closes the run.
//!
//! A batch is only as quick as its slowest statement, and a platform that keeps writing to its runs
//! can disturb a large one every time. Such a batch is halved like one that holds a refused row:
//! what is smaller is quicker and meets fewer writers.
//!
//! Runs that cannot share a batch are the story of `alone`.
//!
//! | Module | Story |
//! |---|---|
//! | `transaction` | what a database has to offer |
//! | `gather` | what the rules need to know, read set by set |
//! | `once` | one transaction: lock, look, decide, write |
//! | `alone` | runs that cannot share a batch |

mod alone;
mod gather;
mod once;
mod transaction;

use std::collections::BTreeSet;

use reconciler_jobs::ids::RunId;
use reconciler_jobs::restore_execute::Policy;
use reconciler_jobs::restore_execute::facts::RunFacts;

use super::error::{ErrorKind, StoreError};
use super::queue::HeldJob;
use super::report;
use super::{Assessment, Settled, Settling};
use gather::assess_rows;
use once::{Round, settle_once};
use transaction::finish;

pub(super) use transaction::{Lock, Transaction, Transactions, with_retries};

/// See [`super::Store::settle_jobs`].
pub(super) async fn settle<T: Transactions>(
    store: &T,
    runs: &[RunId],
    jobs: &[HeldJob],
    with: &Settling,
    settled: &mut Vec<Settled>,
) -> Result<(), StoreError> {
    let distinct: Vec<RunId> = runs
        .iter()
        .copied()
        .collect::<BTreeSet<_>>()
        .into_iter()
        .collect();
    let batch_max = usize::try_from(with.batch_runs_max)
        .unwrap_or(usize::MAX)
        .max(1);
    let mut pending: Vec<&[RunId]> = distinct.chunks(batch_max).rev().collect();
    while let Some(batch) = pending.pop() {
        match settle_together(store, batch, jobs, with).await {
            Ok(round) => {
                report::committed(&round.settled);
                settled.extend(round.settled);
                for run in round.suspects {
                    settled.push(alone::attempt(store, run, jobs, with).await?);
                }
            }
            Err(error) => match batch {
                [_, _, ..] if error.kind() == ErrorKind::Refused || error.is_disturbance() => {
                    let (left, right) = batch.split_at(batch.len() / 2);
                    pending.extend([right, left]);
                }
                [run] => settled.push(alone::give_way(store, *run, jobs, with, error).await?),
                _ => return Err(error),
            },
        }
    }
    Ok(())
}

async fn settle_together<T: Transactions>(
    store: &T,
    batch: &[RunId],
    jobs: &[HeldJob],
    with: &Settling,
) -> Result<Round, StoreError> {
    let lock = Lock {
        due_only: with.due_only,
        suspects: false,
    };
    with_retries(with.retries_max, || {
        settle_once(store, batch, jobs, with, lock)
    })
    .await
}

/// See [`super::Store::assess`].
pub(super) async fn assess<T: Transactions>(
    store: &T,
    runs: &[RunId],
    policy: &Policy,
) -> Result<Vec<Assessment>, StoreError> {
    let mut tx = store.begin_read().await?;
    let result = assess_within(&mut tx, runs, policy).await;
    finish(tx, result).await
}

async fn assess_within(
    tx: &mut impl Transaction,
    runs: &[RunId],
    policy: &Policy,
) -> Result<Vec<Assessment>, StoreError> {
    let found = tx.load_runs(runs).await?;
    let rows: Vec<RunFacts> = found.iter().map(|run| RunFacts::parse(&run.row)).collect();
    assess_rows(tx, rows, policy).await
}
