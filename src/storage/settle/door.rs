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
use super::once::{Settler, acknowledge, seen_only, suspended};
use super::round::halves;
use crate::storage::error::Result;
use crate::storage::model::{Settled, Settlement};
use crate::storage::report;
use crate::storage::transaction::{finish, with_retries};

/// The step that is refused where nothing may be proven.
const OBSERVE: &str = "observe runs";

/// What became of some runs at the door.
#[derive(Default)]
struct Sorted {
    admitted: Vec<RunId>,
    settled: Vec<Settled>,
}

impl Settler<'_> {
    /// Returns the open runs that may be settled, and deals with the others.
    pub(super) async fn admit(
        &self,
        batch: &[RunId],
        settled: &mut Vec<Settled>,
    ) -> Result<Vec<RunId>> {
        let mut admitted = Vec::new();
        let mut pending = vec![batch];
        while let Some(batch) = pending.pop() {
            let sorting = with_retries(self.with.retries_max, || self.sort(batch));
            match (sorting.await, batch) {
                (Ok(sorted), _) => {
                    admitted.extend(sorted.admitted);
                    self.tell(&sorted.settled);
                    settled.extend(sorted.settled);
                }
                (Err(error), [_, _, ..]) if error.may_spare_others() => {
                    pending.extend(halves(batch));
                }
                (Err(error), [run]) if error.may_spare_others() => {
                    let result = Settlement::refused(None, &error);
                    let refused = [Settled { run: *run, result }];
                    self.database
                        .write(async |tx| acknowledge(tx, &refused, self.jobs).await)
                        .await?;
                    self.tell(&refused);
                    settled.extend(refused);
                }
                (Err(error), _) => return Err(error),
            }
        }
        Ok(admitted)
    }

    fn tell(&self, settled: &[Settled]) {
        for it in settled {
            report::alone(it);
            if let Settlement::Observed(assessment) = &it.result {
                let (run, decision) = (&assessment.facts.run, &assessment.decision);
                self.with.observations.note(run, decision);
            }
        }
    }

    async fn sort(&self, batch: &[RunId]) -> Result<Sorted> {
        let (with, mut sorted) = (self.with, Sorted::default());
        let mut tx = self.database.begin_trusted(OBSERVE).await?;
        let sorting = async {
            let found = tx.load_runs(batch).await?;
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
                    seen_only(Some(found), tx.as_of, &with.policy)
                } else if found.is_suspect {
                    suspended(&mut tx, run).await?
                } else {
                    observed.push(RunFacts::parse(row, &with.policy));
                    continue;
                };
                sorted.settled.push(Settled { run, result });
            }
            let assessed = assess_rows(&mut tx, observed, &with.policy).await?;
            let assessed = assessed.into_iter().map(|assessment| Settled {
                run: assessment.facts.run.id,
                result: Settlement::Observed(Box::new(assessment)),
            });
            sorted.settled.extend(assessed);
            acknowledge(&mut tx, &sorted.settled, self.jobs).await
        };
        let sorting = sorting.await;
        finish(tx, sorting).await?;
        Ok(sorted)
    }
}

/// Whether a run is open, before anything of it is parsed.
fn may_be_open(row: &RunRow) -> bool {
    let status = RunStatus::parse(&row.status);
    row.run_type == RUN_TYPE && matches!(status, RunStatus::Queued | RunStatus::Running)
}
