//! Runs that cannot share a batch: those the database refuses, and those that may have ended a process.
//!
//! A refused run is put on the watch list and tried again like a deferred one, for ever: whatever the
//! database objects to can be put right without asking us. A run that was in the hands of a process
//! that ended is settled alone, after the try was committed, so that the next crash names its culprit.

use reconciler_jobs::attempt::{Attempts, Trial};
use reconciler_jobs::ids::RunId;
use reconciler_jobs::restore_execute::facts::RunStatus;
use reconciler_jobs::restore_execute::reason::ReasonCode;
use reconciler_jobs::sweep::Watch;

use super::once::{SETTLE, Settler, acknowledge};
use super::statements::Lock;
use crate::storage::distrust::Distrust;
use crate::storage::error::{ErrorKind, Result, StoreError};
use crate::storage::model::{ActionDone, Settled, Settlement};
use crate::storage::records::{FoundRun, WatchWrite};
use crate::storage::report;
use crate::storage::transaction::{DatabaseTransaction, finish, with_retries};
use crate::telemetry::names::RUN_ID;

/// What was found when a try was to begin.
enum Begun {
    /// It begins. Holds what was remembered before; nothing where somebody else has since come to the end of it.
    Try(Option<Attempts>),
    /// It does not.
    Suspended {
        result: Settlement,
        /// Whether the run has just become a dead letter.
        gave_up: bool,
    },
}

impl Settler<'_> {
    /// Settles a suspected run if its time has come, after writing down that it is being tried.
    pub(super) async fn attempt(&self, run: RunId) -> Result<Settled> {
        let retries_max = self.with.retries_max;
        let seen = match with_retries(retries_max, || self.begin_try(run)).await? {
            Begun::Try(seen) => seen,
            Begun::Suspended { result, gave_up } => {
                if gave_up {
                    report::gave_up(run);
                }
                return Ok(reported(run, result));
            }
        };
        // A try counts where it ends a process, and not where the run was in other hands or the database was lost.
        match (self.try_alone(run).await, seen) {
            (Ok(settled), Some(seen))
                if matches!(settled.result, Settlement::Locked | Settlement::Paused) =>
            {
                with_retries(retries_max, || self.take_back(run, &seen)).await?;
                Ok(settled)
            }
            (Err(error), Some(seen)) => {
                if let Err(lost) = self.take_back(run, &seen).await {
                    tracing::debug!(
                        { %lost, { RUN_ID } = run.0 },
                        "a try that failed is counted all the same"
                    );
                }
                Err(error)
            }
            (settled, _) => settled,
        }
    }

    async fn try_alone(&self, run: RunId) -> Result<Settled> {
        let alone = [run];
        let tried = with_retries(self.with.retries_max, || {
            self.commit_batch(&alone, Lock::SETTLE)
        });
        match tried.await {
            Ok(round) => {
                let gone = Settled {
                    run,
                    result: Settlement::Absent,
                };
                Ok(round.settled.into_iter().next().unwrap_or(gone))
            }
            Err(error) => self.give_way(run, error).await,
        }
    }

    /// Writes down that a try begins, if it does.
    async fn begin_try(&self, run: RunId) -> Result<Begun> {
        let mut tx = self.database.begin_trusted(SETTLE).await?;
        let begun = async {
            let Some(seen) = tx.load_attempts(run).await? else {
                return Ok(Begun::Try(None));
            };
            let worker = &self.with.by.worker;
            let mut gave_up = false;
            let until = match seen.next(tx.as_of, self.with.attempts_max, &self.with.schedule) {
                Trial::Begin(next) => {
                    tx.note_attempt(run, &next, worker).await?;
                    return Ok(Begun::Try(Some(seen)));
                }
                Trial::GiveUp(dead) => {
                    tx.note_attempt(run, &dead, worker).await?;
                    gave_up = true;
                    None
                }
                Trial::Wait(until) => Some(until),
                Trial::Dead => None,
            };
            let result = Settlement::Suspended {
                tries: seen.tries,
                until,
            };
            let settled = [Settled { run, result }];
            acknowledge(&mut tx, &settled, self.jobs).await?;
            let [Settled { result, .. }] = settled;
            Ok(Begun::Suspended { result, gave_up })
        };
        let begun = begun.await;
        finish(tx, begun).await
    }

    /// Remembers again what was remembered before a try.
    async fn take_back(&self, run: RunId, seen: &Attempts) -> Result<()> {
        let mut tx = self.begin_to_isolate().await?;
        let result = tx.note_attempt(run, seen, &self.with.by.worker).await;
        finish(tx, result).await
    }

    /// Begins the transaction that records a refusal. That proves nothing, so it may also begin where rows may be hidden.
    async fn begin_to_isolate(&self) -> Result<DatabaseTransaction> {
        let refuses = |it: &Distrust| !matches!(it, Distrust::HiddenRows(_));
        self.database.begin_unless(SETTLE, refuses).await
    }

    /// What becomes of a single run whose settlement failed: it makes way for the others, unless nothing
    /// would work for them either.
    pub(super) async fn give_way(&self, run: RunId, error: StoreError) -> Result<Settled> {
        if error.kind() == ErrorKind::Refused {
            self.blame(run, &error).await
        } else if error.is_disturbance() {
            // Somebody changes this very run all the time. A later look will find it at rest.
            self.release(run, Settlement::Locked).await?;
            Ok(reported(run, Settlement::Locked))
        } else {
            Err(error)
        }
    }

    /// Isolates a run that failed alone, where others did not.
    pub(super) async fn blame(&self, run: RunId, error: &StoreError) -> Result<Settled> {
        let watched = with_retries(self.with.retries_max, || self.watch_refused(run, error));
        let watch = match watched.await {
            Ok(watch) => watch,
            // Not even its row can be read. It stays due, and the error says why.
            Err(unreadable)
                if unreadable.kind() == ErrorKind::Refused || unreadable.may_concern_one_row() =>
            {
                self.release(run, Settlement::refused(None, error)).await?;
                None
            }
            Err(error) => return Err(error),
        };
        Ok(reported(run, Settlement::refused(watch, error)))
    }

    /// Whether all of these runs are on the watch list because the database refused them before.
    pub(super) async fn were_to_blame(&self, failed: &[(RunId, StoreError)]) -> Result<bool> {
        let runs: Vec<RunId> = failed.iter().map(|(run, _)| *run).collect();
        let found = self.database.read(async |tx| tx.load_runs(&runs).await);
        let found = found.await?;
        let refused = found.iter().filter(|found| {
            let watched = found.watched.as_ref();
            watched.is_some_and(|watched| watched.reason_code == ReasonCode::SettleFailed.code())
        });
        Ok(refused.count() == failed.len())
    }

    /// Deals with the jobs of a run of which nothing is written.
    async fn release(&self, run: RunId, result: Settlement) -> Result<()> {
        if self.jobs.is_empty() {
            return Ok(());
        }
        let settled = [Settled { run, result }];
        with_retries(self.with.retries_max, async || {
            let mut tx = self.begin_to_isolate().await?;
            let result = acknowledge(&mut tx, &settled, self.jobs).await;
            finish(tx, result).await
        })
        .await
    }

    /// Puts a refused run on the watch list, in a transaction that reads the run and nothing of its proof.
    async fn watch_refused(&self, run: RunId, error: &StoreError) -> Result<Option<Watch>> {
        let mut tx = self.begin_to_isolate().await?;
        let watched = async {
            let locked = tx.lock_open_runs(&[run], Lock::SETTLE).await?;
            // What a policy keeps from being locked is watched all the same.
            let seen = if locked.is_empty() && error.is_ours() {
                &[run][..]
            } else {
                &locked
            };
            let found = tx.load_runs(seen).await?;
            let is_open = |found: &&FoundRun| {
                let status = RunStatus::parse(&found.row.status);
                matches!(status, RunStatus::Queued | RunStatus::Running)
            };
            let (as_of, schedule) = (tx.as_of, &self.with.schedule);
            let mut watch = None;
            if let Some(found) = found.first().filter(is_open) {
                let next = Watch::after_refusal(found.watched.as_ref(), as_of, schedule);
                let write = WatchWrite::refused(&found.row, &next, error);
                tx.watch(std::slice::from_ref(&write)).await?;
                tx.forget_attempts(&locked).await?;
                if let Some(action) = &self.with.action {
                    let refused = ActionDone::new(run, "refused by the database");
                    tx.note_actions(action, &[refused]).await?;
                }
                watch = Some(next);
            }
            let settled = [Settled {
                run,
                result: Settlement::refused(watch, error),
            }];
            acknowledge(&mut tx, &settled, self.jobs).await?;
            Ok(watch)
        };
        let watched = watched.await;
        finish(tx, watched).await
    }
}

/// What became of a run alone, which is reported.
fn reported(run: RunId, result: Settlement) -> Settled {
    let settled = Settled { run, result };
    report::alone(&settled);
    settled
}
