//! The door of the settling path: which runs come in. The others are observed: decided, said, and neither locked nor written.
//!
//! A job that asked for such a run is done. What else is remembered of it, watch list and attempts, is left to whoever settles it.
//!
//! **Invariant:** nothing of a run that may have ended a process is parsed here. Only whoever settles it writes down first that
//! it is being tried.

use reconciler_jobs::ids::RunId;
use reconciler_jobs::restore_execute::facts::{RUN_TYPE, RunFacts, RunStatus};
use reconciler_jobs::restore_execute::rows::RunRow;

use super::gather::assess_rows;
use super::once::{acknowledge, seen_only, suspended};
use super::transaction::{Transaction, Transactions, begin_trusted, finish, with_retries};
use crate::storage::error::Result;
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
) -> Result<Vec<RunId>> {
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
) -> Result<Sorted> {
    let mut tx = begin_trusted(store, OBSERVE).await?;
    let sorted = sort_within(&mut tx, batch, jobs, with).await;
    finish(tx, sorted).await
}

async fn sort_within(
    tx: &mut impl Transaction,
    batch: &[RunId],
    jobs: &[ClaimedJob],
    with: &Settling,
) -> Result<Sorted> {
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
    let mut observed = Vec::new();
    for found in found {
        let row = &found.row;
        let run = row.id;
        let result = if with.admission.admits(row.workspace_id, row.created_at) {
            sorted.admitted.push(run);
            continue;
        } else if !may_be_open(row) {
            seen_only(Some(found), tx.as_of(), &with.policy)
        } else if found.is_suspect {
            suspended(tx, run).await?
        } else {
            observed.push(found);
            continue;
        };
        sorted.settled.push(Settled { run, result });
    }
    let observed = observed
        .iter()
        .map(|found| RunFacts::parse(&found.row, &with.policy))
        .collect();
    let assessed = assess_rows(tx, observed, &with.policy).await?;
    let assessed = assessed.into_iter().map(|assessment| Settled {
        run: assessment.facts.run.id,
        result: Settlement::Observed(Box::new(assessment)),
    });
    sorted.settled.extend(assessed);
    acknowledge(tx, &sorted.settled, jobs).await?;
    Ok(sorted)
}

/// Whether a run is open, before anything of it is parsed.
fn may_be_open(row: &RunRow) -> bool {
    let status = RunStatus::parse(&row.status);
    row.run_type == RUN_TYPE && matches!(status, RunStatus::Queued | RunStatus::Running)
}
