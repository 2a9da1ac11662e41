//! The one settling path, for one run and for five hundred, on both databases.
//!
//! A crash at any point leaves nothing or everything, because there is one transaction per batch.
//! Running twice is harmless, because a closed run is never locked again, and nobody else can close one that is
//! locked. What was written is looked for before it is committed where anything could have swallowed it.
//!
//! A batch is only as quick as its slowest statement, and a platform that keeps writing to its runs
//! can disturb a large one every time. Such a batch is halved like one that holds a refused row:
//! what is smaller is quicker and meets fewer writers.
//!
//! What one row made the database raise, as a trigger does, can look like a failure of everything. It is told
//! apart by the others: the batch is halved down to single runs, and only if none of them can be settled
//! either, and all fail alike, it concerns everyone, and nobody is put on the watch list. Runs that were to blame
//! before are to blame again: they often come back without the others.
//!
//! Runs that cannot share a batch are the story of `isolate`.
//!
//! | Module | Story |
//! |---|---|
//! | `statements` | what is asked of a database |
//! | `door` | which runs come in, and what becomes of the others |
//! | `gather` | what the rules need to know, read set by set |
//! | `once` | one transaction: lock, look, decide, write |
//! | `written` | whether what was written is there |
//! | `isolate` | runs that cannot share a batch |
//! | `rehearse` | the same, undone |

mod door;
mod gather;
mod isolate;
mod once;
mod rehearse;
pub(super) mod round;
mod statements;
mod written;

use std::collections::BTreeSet;

use reconciler_jobs::ids::RunId;
use reconciler_jobs::restore_execute::Policy;
use reconciler_jobs::restore_execute::facts::RunFacts;
use reconciler_jobs::sweep::admission::SettlingMode;

use super::error::{Result, StoreError};
use super::model::{Assessment, Settled, Settlement};
use super::transaction::{DatabaseTransaction, with_retries};
use round::Round;

pub(super) use gather::assess_rows;
pub(super) use once::Settler;
pub(super) use round::halves;
pub(super) use statements::Lock;

impl Settler<'_> {
    /// See [`super::Store::settle_jobs`].
    pub(super) async fn settle(&self, runs: &[RunId], settled: &mut Vec<Settled>) -> Result<()> {
        let distinct: BTreeSet<RunId> = runs.iter().copied().collect();
        let distinct: Vec<RunId> = distinct.into_iter().collect();
        let batch_max = usize::try_from(self.with.batch_runs_max)
            .unwrap_or(usize::MAX)
            .max(1);
        let mut admitted = Vec::new();
        let runs = if self.with.admission.mode() == SettlingMode::Act {
            &distinct
        } else {
            for batch in distinct.chunks(batch_max) {
                admitted.extend(self.admit(batch, settled).await?);
            }
            &admitted
        };
        let mut pending: Vec<&[RunId]> = runs.chunks(batch_max).rev().collect();
        let mut failed = Vec::new();
        while let Some(batch) = pending.pop() {
            match self.try_together(batch).await {
                Ok(round) => {
                    settled.extend(round.settled);
                    for run in round.suspects {
                        let tried = self.attempt(run).await;
                        settled.extend(hold_back(run, tried, &mut failed)?);
                    }
                }
                Err(error) => match batch {
                    [_, _, ..] if error.may_spare_others() => pending.extend(halves(batch)),
                    [run] => {
                        let tried = self.give_way(*run, error).await;
                        settled.extend(hold_back(*run, tried, &mut failed)?);
                    }
                    _ => return Err(error),
                },
            }
        }
        if concerns_everyone(&failed, settled) && !self.were_to_blame(&failed).await? {
            let first = failed.into_iter().next();
            return first.map_or(Ok(()), |(_, error)| Err(error));
        }
        for (run, error) in failed {
            settled.push(self.blame(run, &error).await?);
        }
        Ok(())
    }

    async fn try_together(&self, batch: &[RunId]) -> Result<Round> {
        let lock = Lock {
            due_only: self.with.due_only,
            suspects: false,
            ..Lock::SETTLE
        };
        with_retries(self.with.retries_max, || self.commit_batch(batch, lock)).await
    }
}

/// Keeps a run that failed alone until it is known how the others fare, if that may make a difference.
fn hold_back(
    run: RunId,
    tried: Result<Settled>,
    failed: &mut Vec<(RunId, StoreError)>,
) -> Result<Option<Settled>> {
    match tried {
        Err(error) if error.may_concern_one_row() => {
            failed.push((run, error));
            Ok(None)
        }
        tried => tried.map(Some),
    }
}

/// So few runs that fail without company are to blame if somebody raised the error on purpose. They would come
/// back together for ever.
const FEW: usize = 2;

/// Whether these runs, each of which failed alone, are not to blame: no other was written about, and all
/// failed alike.
fn concerns_everyone(failed: &[(RunId, StoreError)], settled: &[Settled]) -> bool {
    let is_written = |settled: &Settled| {
        matches!(
            settled.result,
            Settlement::Committed(_) | Settlement::Deferred(_, Some(_))
        )
    };
    match failed {
        [] => false,
        _ if settled.iter().any(is_written) => false,
        few if few.len() <= FEW => !few.iter().all(|(_, error)| error.is_said_on_purpose()),
        [(_, first), others @ ..] => others.iter().all(|(_, error)| error.is_like(first)),
    }
}

/// Decides `runs` as they stand in the transaction's snapshot. Runs that do not exist are absent.
pub(super) async fn assess_within(
    tx: &mut DatabaseTransaction,
    runs: &[RunId],
    policy: &Policy,
) -> Result<Vec<Assessment>> {
    let found = tx.load_runs(runs).await?;
    let rows: Vec<RunFacts> = found
        .iter()
        .map(|run| RunFacts::parse(&run.row, policy))
        .collect();
    assess_rows(tx, rows, policy).await
}
