//! The door of the settling path: which runs come in. The others are observed: decided, said, and neither locked nor written.
//!
//! What is of ours is dealt with as ever: a job that asked for such a run is done, and on the watch list it would only be in
//! the way of those that are settled.

use reconciler_jobs::ids::RunId;
use reconciler_jobs::restore_execute::facts::RunFacts;

use super::gather::assess_rows;
use super::once::{acknowledge, is_open, seen_only};
use super::transaction::{Transaction, Transactions, begin_trusted, finish, with_retries};
use crate::storage::error::StoreError;
use crate::storage::model::{ClaimedJob, Settled, Settlement, Settling};
use crate::storage::report;

/// The step that is refused where nothing may be proven.
const OBSERVE: &str = "observe runs";

/// What became of some runs at the door.
struct Sorted {
    admitted: Vec<RunId>,
    settled: Vec<Settled>,
}

/// Returns the open runs that may be settled, and deals with the others.
pub(super) async fn admit<T: Transactions>(
    store: &T,
    batch: &[RunId],
    jobs: &[ClaimedJob],
    with: &Settling,
    settled: &mut Vec<Settled>,
) -> Result<Vec<RunId>, StoreError> {
    let mut admitted = Vec::new();
    let mut pending = vec![batch];
    while let Some(batch) = pending.pop() {
        let sorting = with_retries(with.retries_max, || sort(store, batch, jobs, with));
        match (sorting.await, batch) {
            (Ok(sorted), _) => {
                admitted.extend(sorted.admitted);
                tell(&sorted.settled, with);
                settled.extend(sorted.settled);
            }
            (Err(error), [_, _, ..]) if error.may_spare_others() => {
                let (left, right) = batch.split_at(batch.len() / 2);
                pending.extend([right, left]);
            }
            (Err(error), [run]) if error.may_spare_others() => {
                let result = Settlement::Refused {
                    watch: None,
                    error: error.to_string(),
                };
                let refused = [Settled { run: *run, result }];
                let mut tx = store.begin().await?;
                let done = acknowledge(&mut tx, &refused, jobs).await;
                finish(tx, done).await?;
                tell(&refused, with);
                settled.extend(refused);
            }
            (Err(error), _) => return Err(error),
        }
    }
    Ok(admitted)
}

fn tell(settled: &[Settled], with: &Settling) {
    for it in settled {
        report::alone(it);
        if let Settlement::Observed(assessment) = &it.result {
            let (run, decision) = (&assessment.facts.run, &assessment.decision);
            with.observations.note(run, decision);
        }
    }
}

async fn sort<T: Transactions>(
    store: &T,
    batch: &[RunId],
    jobs: &[ClaimedJob],
    with: &Settling,
) -> Result<Sorted, StoreError> {
    let mut tx = begin_trusted(store, OBSERVE).await?;
    let sorted = sort_within(&mut tx, batch, jobs, with).await;
    finish(tx, sorted).await
}

async fn sort_within(
    tx: &mut impl Transaction,
    batch: &[RunId],
    jobs: &[ClaimedJob],
    with: &Settling,
) -> Result<Sorted, StoreError> {
    let found = tx.load_runs(batch).await?;
    let mut sorted = Sorted {
        admitted: Vec::new(),
        settled: Vec::new(),
    };
    let known: Vec<RunId> = found.iter().map(|found| found.row.id).collect();
    let absent = batch.iter().filter(|run| !known.contains(run));
    sorted.settled.extend(absent.map(|run| Settled {
        run: *run,
        result: Settlement::Absent,
    }));
    let mut observed: Vec<RunFacts> = Vec::new();
    for found in found {
        let facts = RunFacts::parse(&found.row, &with.policy);
        let run = facts.id;
        let result = if !is_open(&facts) {
            seen_only(Some(found), tx.as_of(), &with.policy)
        } else if with.admission.admits(facts.workspace_id, facts.created_at) {
            sorted.admitted.push(run);
            continue;
        } else {
            observed.push(facts);
            continue;
        };
        sorted.settled.push(Settled { run, result });
    }
    let assessed = assess_rows(tx, observed, &with.policy).await?;
    let assessed = assessed.into_iter().map(|assessment| Settled {
        run: assessment.facts.run.id,
        result: Settlement::Observed(Box::new(assessment)),
    });
    sorted.settled.extend(assessed);
    let dealt_with: Vec<RunId> = sorted.settled.iter().map(|it| it.run).collect();
    tx.unwatch(&dealt_with).await?;
    tx.forget_attempts(&dealt_with).await?;
    acknowledge(tx, &sorted.settled, jobs).await?;
    Ok(sorted)
}
