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

use super::once::{SETTLE, acknowledge, commit_batch};
use super::transaction::{
    Lock, Transaction, Transactions, begin_to_isolate, begin_trusted, finish, with_retries,
};
use crate::storage::error::{ErrorKind, Result, StoreError};
use crate::storage::model::{ActionDone, ClaimedJob, Settled, Settlement, Settling};
use crate::storage::records::{FoundRun, WatchWrite};
use crate::storage::report;
use crate::telemetry::names::RUN_ID;

/// Settles a suspected run if its time has come, after writing down that it is being tried.
pub(super) async fn attempt<T: Transactions>(
    store: &T,
    run: RunId,
    jobs: &[ClaimedJob],
    with: &Settling,
) -> Result<Settled> {
    let begun = with_retries(with.retries_max, || begin(store, run, jobs, with)).await?;
    let seen = match begun {
        Begun::Try(seen) => seen,
        Begun::Suspended { result, gave_up } => {
            if gave_up {
                report::gave_up(run);
            }
            let settled = Settled { run, result };
            report::alone(&settled);
            return Ok(settled);
        }
    };
    // A try counts where it ends a process, and not where the run was in other hands or the database was lost.
    match (try_alone(store, run, jobs, with).await, seen) {
        (Ok(settled), Some(seen))
            if matches!(settled.result, Settlement::Locked | Settlement::Paused) =>
        {
            with_retries(with.retries_max, || take_back(store, run, &seen, with)).await?;
            Ok(settled)
        }
        (Err(error), Some(seen)) => {
            if let Err(lost) = take_back(store, run, &seen, with).await {
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

async fn try_alone<T: Transactions>(
    store: &T,
    run: RunId,
    jobs: &[ClaimedJob],
    with: &Settling,
) -> Result<Settled> {
    let alone = [run];
    let tried = with_retries(with.retries_max, || {
        commit_batch(store, &alone, jobs, with, Lock::SETTLE)
    });
    match tried.await {
        Ok(round) => {
            let gone = Settled {
                run,
                result: Settlement::Absent,
            };
            Ok(round.settled.into_iter().next().unwrap_or(gone))
        }
        Err(error) => give_way(store, run, jobs, with, error).await,
    }
}

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

/// Writes down that a try begins, if it does.
async fn begin<T: Transactions>(
    store: &T,
    run: RunId,
    jobs: &[ClaimedJob],
    with: &Settling,
) -> Result<Begun> {
    let mut tx = begin_trusted(store, SETTLE).await?;
    let result = begin_within(&mut tx, run, jobs, with).await;
    finish(tx, result).await
}

async fn begin_within(
    tx: &mut impl Transaction,
    run: RunId,
    jobs: &[ClaimedJob],
    with: &Settling,
) -> Result<Begun> {
    let Some(seen) = tx.load_attempts(run).await? else {
        return Ok(Begun::Try(None));
    };
    let worker = &with.by.worker;
    let mut gave_up = false;
    let until = match seen.next(tx.as_of(), with.attempts_max, &with.schedule) {
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
    acknowledge(tx, &settled, jobs).await?;
    let [settled] = settled;
    Ok(Begun::Suspended {
        result: settled.result,
        gave_up,
    })
}

/// Remembers again what was remembered before a try.
async fn take_back<T: Transactions>(
    store: &T,
    run: RunId,
    seen: &Attempts,
    with: &Settling,
) -> Result<()> {
    let mut tx = begin_to_isolate(store, SETTLE).await?;
    let result = tx.note_attempt(run, seen, &with.by.worker).await;
    finish(tx, result).await
}

/// What becomes of a single run whose settlement failed: it makes way for the others, unless nothing
/// would work for them either.
pub(super) async fn give_way<T: Transactions>(
    store: &T,
    run: RunId,
    jobs: &[ClaimedJob],
    with: &Settling,
    error: StoreError,
) -> Result<Settled> {
    let result = if error.kind() == ErrorKind::Refused {
        isolate(store, run, jobs, with, &error).await?
    } else if error.is_disturbance() {
        // Somebody changes this very run all the time. A later look will find it at rest.
        let settled = [Settled {
            run,
            result: Settlement::Locked,
        }];
        with_retries(with.retries_max, || release(store, &settled, jobs)).await?;
        Settlement::Locked
    } else {
        return Err(error);
    };
    let settled = Settled { run, result };
    report::alone(&settled);
    Ok(settled)
}

/// Isolates a run that failed alone, where others did not, for a reason that is not a refusal by itself.
pub(super) async fn blame<T: Transactions>(
    store: &T,
    run: RunId,
    jobs: &[ClaimedJob],
    with: &Settling,
    error: &StoreError,
) -> Result<Settled> {
    let result = isolate(store, run, jobs, with, error).await?;
    let settled = Settled { run, result };
    report::alone(&settled);
    Ok(settled)
}

/// Whether all of these runs are on the watch list because the database refused them before.
pub(super) async fn were_to_blame<T: Transactions>(
    store: &T,
    failed: &[(RunId, StoreError)],
) -> Result<bool> {
    let runs: Vec<RunId> = failed.iter().map(|(run, _)| *run).collect();
    let mut tx = store.begin_read().await?;
    let found = tx.load_runs(&runs).await;
    let found = finish(tx, found).await?;
    let refused = found.iter().filter(|found| {
        let watched = found.watched.as_ref();
        watched.is_some_and(|watched| watched.reason_code == ReasonCode::SettleFailed.code())
    });
    Ok(refused.count() == failed.len())
}

async fn release<T: Transactions>(
    store: &T,
    settled: &[Settled],
    jobs: &[ClaimedJob],
) -> Result<()> {
    if jobs.is_empty() {
        return Ok(());
    }
    let mut tx = begin_to_isolate(store, SETTLE).await?;
    let result = acknowledge(&mut tx, settled, jobs).await;
    finish(tx, result).await
}

/// Puts a refused run on the watch list, in a transaction that reads the run and nothing of its proof.
async fn isolate<T: Transactions>(
    store: &T,
    run: RunId,
    jobs: &[ClaimedJob],
    with: &Settling,
    error: &StoreError,
) -> Result<Settlement> {
    let refused = |watch| Settlement::Refused {
        watch,
        error: error.to_string(),
    };
    match with_retries(with.retries_max, || {
        watch_refused(store, run, jobs, with, error)
    })
    .await
    {
        Ok(watch) => Ok(refused(watch)),
        // Not even its row can be read. It stays due, and the error says why.
        Err(unreadable)
            if unreadable.kind() == ErrorKind::Refused || unreadable.may_concern_one_row() =>
        {
            let settled = [Settled {
                run,
                result: refused(None),
            }];
            with_retries(with.retries_max, || release(store, &settled, jobs)).await?;
            Ok(refused(None))
        }
        Err(error) => Err(error),
    }
}

async fn watch_refused<T: Transactions>(
    store: &T,
    run: RunId,
    jobs: &[ClaimedJob],
    with: &Settling,
    error: &StoreError,
) -> Result<Option<Watch>> {
    let mut tx = begin_to_isolate(store, SETTLE).await?;
    let result = watch_refused_within(&mut tx, run, jobs, with, error).await;
    finish(tx, result).await
}

async fn watch_refused_within(
    tx: &mut impl Transaction,
    run: RunId,
    jobs: &[ClaimedJob],
    with: &Settling,
    error: &StoreError,
) -> Result<Option<Watch>> {
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
    let watch = found.first().filter(is_open).map(|found| {
        let watch = Watch::after_refusal(found.watched.as_ref(), tx.as_of(), &with.schedule);
        (watch, WatchWrite::refused(&found.row, &watch, error))
    });
    if let Some((_, write)) = &watch {
        tx.watch(std::slice::from_ref(write)).await?;
        tx.forget_attempts(&locked).await?;
        if let Some(action) = &with.action {
            let refused = ActionDone::new(run, "refused by the database");
            tx.note_actions(action, &[refused]).await?;
        }
    }
    let watch = watch.map(|(watch, _)| watch);
    let settled = [Settled {
        run,
        result: Settlement::Refused {
            watch,
            error: String::new(),
        },
    }];
    acknowledge(tx, &settled, jobs).await?;
    Ok(watch)
}
