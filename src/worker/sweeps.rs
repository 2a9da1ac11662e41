//! Ticks of the schedule, and the handler of jobs that ask for a shard of a sweep.
//!
//! Every host sees every tick. One of them wins it, and queues as many shards as the backlog calls for;
//! whoever is free takes one. A tick that nobody wins, and a shard that nobody finishes, cost no more
//! than the time until the next tick.

use std::ops::ControlFlow;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use apalis::prelude::{AbortError, Attempt, BoxDynError, Data, TaskId};
use futures_util::FutureExt as _;
use jiff::{SignedDuration, Timestamp};
use reconciler_jobs::restore_execute::record::Source;
use reconciler_jobs::sweep::shard::{QUEUE, SHARDS_MAX, Shard, SweepJob, shards_for};

use super::attempt::{Trouble, note};
use super::notify::Polls;
use super::runtime::{Payload, QueueSpec, was_delivered_before, work_on};
use super::shared::{BEAT_EVERY, Shared};
use super::supervise;
use crate::clock::{self, Stopwatch};
use crate::config::Cron;
use crate::health::{Loop, Obstacle};
use crate::metrics::{COMPLETED, FAILED, SWEEP_DURATION, SWEEP_SUCCEEDED, SWEEPS, seconds_of};
use crate::storage::{Pruned, Retention, StoreError, Tally};
use crate::sweep::{Pass, Scope, sweep};
use crate::telemetry::names::{
    BATCH_DEFERRED, BATCH_RUNS, BATCH_VERDICTS, JOB_ID, SWEEP_COMPLETE, SWEEP_SHARD, SWEEP_SHARDS,
    SWEEP_TICK,
};

/// How many shards of a sweep one host works on at a time.
const SHARDS_IN_HAND: usize = 1;

/// How long workers are remembered that were not heard of.
const RETAIN_WORKERS: Duration = Duration::from_hours(1);

/// A pass that has noted nothing for so long is dead. Longer than any page may take.
const PASS_DEAD_AFTER: Duration = Duration::from_mins(10);

/// How long a host may take to win a tick and to remove what is finished, before it leaves the rest to the next.
const TICK_WITHIN: Duration = Duration::from_mins(2);

/// How long won ticks are remembered.
const RETAIN_TICKS: Duration = Duration::from_hours(24);

/// How often the database's clock is read while no tick is near.
const READ_CLOCK_EVERY: Duration = Duration::from_secs(30);

/// Ticks that passed unnoticed for longer than this, as while the database was away, are one: the latest of them.
const NOTICED_WITHIN: SignedDuration = SignedDuration::from_secs(10);

/// No tick is won later than this.
const WON_WITHIN: SignedDuration = SignedDuration::from_hours(1);

/// Takes part in every tick until the process stops.
///
/// Ticks come by the database's clock. By a host's own, one that is ahead would win ticks that have not come, and others
/// would take them for done.
pub(super) async fn keep_time(shared: Arc<Shared>) {
    let mut since: Option<Timestamp> = None;
    loop {
        let now = shared.answered(Loop::Schedule, TICK_WITHIN, shared.store.now());
        let wait = match now.await {
            Some(Ok(now)) => {
                let before = since.filter(|since| *since <= now).unwrap_or(now);
                let before = before.max(now - WON_WITHIN);
                match next_tick(&shared.options.sweep.schedule, before, now) {
                    Some(tick) if tick <= now => {
                        since = Some(tick);
                        on_tick(&shared, tick).await;
                        Duration::ZERO
                    }
                    next => {
                        since = Some(before);
                        *shared.next_sweep() = next;
                        forget_early(&shared, next.unwrap_or(now)).await;
                        let wait = next.and_then(|next| next.duration_since(now).try_into().ok());
                        wait.unwrap_or(READ_CLOCK_EVERY).min(READ_CLOCK_EVERY)
                    }
                }
            }
            Some(Err(_)) | None => BEAT_EVERY,
        };
        if shared.pause_beating(Loop::Schedule, wait).await.is_err() {
            return;
        }
    }
}

/// Forgets ticks to come that are won already. A clock that was set back, or that of a standby which was behind, comes to ticks
/// again that were won before; found won, they would be taken for swept.
async fn forget_early(shared: &Shared, next: Timestamp) {
    if shared.health.is_obstructed() {
        return; // nothing is written meanwhile
    }
    let forgetting = shared.store.forget_early_ticks(next);
    let forgotten = shared.answered(Loop::Schedule, TICK_WITHIN, forgetting);
    if let Some(Err(error)) = forgotten.await {
        tracing::debug!(%error, "ticks of another clock may be left");
    }
}

/// The tick after `before`; of several that are long past at `now`, the latest.
fn next_tick(schedule: &Cron, before: Timestamp, now: Timestamp) -> Option<Timestamp> {
    let mut tick = schedule.next_after(before)?;
    while now.duration_since(tick) > NOTICED_WITHIN {
        match schedule.next_after(tick) {
            Some(next) if next <= now => tick = next,
            Some(_) | None => break,
        }
    }
    Some(tick)
}

async fn on_tick(shared: &Shared, tick: Timestamp) {
    if shared.health.is_obstructed() {
        return; // what it would count as due, it may not settle
    }
    let won = shared.answered(Loop::Schedule, TICK_WITHIN, win(shared, tick));
    match won.await {
        Some(Ok(())) => {}
        Some(Err(error)) => {
            if error.distrust().is_some() {
                shared.found_by_settlements(error.distrust());
            }
            tracing::debug!(
                { %error, { SWEEP_TICK } = %tick },
                "this host takes no part in the tick"
            );
        }
        None => {
            tracing::debug!(
                { { SWEEP_TICK } = %tick },
                "the database did not answer in time for the tick"
            );
        }
    }
}

async fn win(shared: &Shared, tick: Timestamp) -> Result<(), StoreError> {
    let plan = |due| shards_for(due, u64::from(shared.options.sweep.shard_runs), SHARDS_MAX);
    // Whoever swept. One that ended before this host first looked is none that it has seen.
    let swept = shared.store.last_swept(tick).await?;
    let swept = swept.unwrap_or(Timestamp::MIN);
    let before = shared.last_swept().replace(swept);
    if before.is_some_and(|before| swept > before) {
        shared.health.sweep_succeeded();
    }
    shared.store.forget_leftovers().await?;
    let won = shared
        .store
        .win_tick(tick, shared.name.as_str(), &plan)
        .await?;
    let Some(shards) = won else {
        return Ok(());
    };
    if shards == 0 {
        // Nothing is due, and this host has just looked.
        shared.health.sweep_succeeded();
        SWEEP_SUCCEEDED.set([], seconds_of(clock::wall()));
    }
    tracing::debug!({ { SWEEP_TICK } = %tick, { SWEEP_SHARDS } = shards }, "won the tick");
    shared.store.extend_ledger().await?;
    let keep = Retention {
        jobs: shared.options.worker.retain_jobs,
        workers: RETAIN_WORKERS,
        ticks: RETAIN_TICKS,
    };
    let Pruned {
        jobs,
        workers,
        ticks,
    } = shared.store.prune(&keep).await?;
    tracing::debug!(jobs, workers, ticks, "removed what is finished");
    Ok(())
}

/// Takes shards until the process stops.
pub(super) async fn work(shared: Arc<Shared>) {
    let queue = QueueSpec {
        name: QUEUE,
        beats_as: Loop::Sweeps,
        jobs_max: SHARDS_IN_HAND,
        acknowledges: true,
    };
    supervise::keep_running(&shared, queue, |worker| {
        let polls = Polls::every(shared.options.worker.poll_interval);
        work_on!(
            shared,
            queue,
            worker,
            polls,
            Arc::clone(&shared),
            sweep_shard
        )
    })
    .await;
}

/// A shard was not swept to its end. The queue does not repeat it: it would at once, and the next tick goes on.
#[derive(Debug, thiserror::Error)]
#[error("the shard was not swept to its end; the next tick goes on")]
struct Unswept;

/// Sweeps one shard. One that was not swept to its end is given up, so that no host takes it for done.
async fn sweep_shard(
    payload: Payload,
    id: TaskId,
    attempt: Attempt,
    shared: Data<Arc<Shared>>,
) -> Result<(), BoxDynError> {
    let job: SweepJob = match payload.parse() {
        Ok(job) => job,
        Err(error) => {
            tracing::warn!({ { JOB_ID } = %id, %error }, "a job cannot be read and is discarded");
            return Err(Box::new(AbortError::new(error)));
        }
    };
    let Some(part) = job.part() else {
        tracing::warn!(
            { { JOB_ID } = %id },
            "a job names shard {} of {}, which does not exist, and is discarded",
            job.shard,
            job.shards
        );
        return Ok(());
    };
    let since_start = Stopwatch::start();
    match pass(&shared, job.tick, part, was_delivered_before(&attempt)).await {
        Ok(pass) => {
            SWEEPS.add([COMPLETED], 1);
            SWEEP_DURATION.took([], since_start.elapsed());
            let Tally { deferred, .. } = pass.tally;
            let (verdicts, complete) = (pass.tally.verdicts(), pass.is_complete);
            tracing::info!(
                {
                    { SWEEP_TICK } = %job.tick,
                    { SWEEP_SHARD } = job.shard,
                    { BATCH_VERDICTS } = verdicts,
                    { BATCH_DEFERRED } = deferred,
                    { SWEEP_COMPLETE } = complete,
                },
                "swept"
            );
            if complete {
                SWEEP_SUCCEEDED.set([], seconds_of(clock::wall()));
                if part == Shard::WHOLE {
                    // One of several says nothing of the others, which the next tick looks at.
                    shared.health.sweep_succeeded();
                }
                if let Err(error) = shared.store.note_swept(job.tick, part).await {
                    tracing::debug!(%error, "no other host knows that this shard was swept");
                }
                return Ok(());
            }
        }
        Err(trouble) => {
            SWEEPS.add([FAILED], 1);
            shared.health.sweep_failed();
            tracing::warn!(
                { { SWEEP_TICK } = %job.tick, { SWEEP_SHARD } = job.shard, trouble = trouble.said() },
                "a sweep failed; the next tick goes on"
            );
        }
    }
    Err(Box::new(AbortError::new(Unswept)))
}

async fn pass(shared: &Shared, tick: Timestamp, part: Shard, again: bool) -> Result<Pass, Trouble> {
    // The worker that had this job before may have died of the page that it had in hand.
    take_over(shared, again.then_some((tick, part))).await?;
    let scope = Scope {
        tick: Some(tick),
        shard: part,
        limit: Some(u64::from(shared.options.sweep.runs_max)),
        lanes: shared.options.sweep.lanes(),
        ..Scope::default()
    };
    let with = shared.settling(Source::Sweep);
    let pages = AtomicU64::new(0);
    let sweeping = sweep(&shared.store, scope, &with, |settled| {
        note(&shared.health, settled, &Ok(()));
        pages.fetch_add(1, Ordering::Relaxed);
        // Others may settle by lower rules again, once they no longer know of these.
        let is_unknown = shared.health.is_obstructed_by(Obstacle::Unannounced);
        if is_unknown || shared.stop.is_cancelled() {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    });
    let moving = while_it_moves(shared, &pages, sweeping);
    let result = shared.beating(Loop::Sweeps, moving).await;
    if let Err(trouble) = &result
        && trouble.is_about_the_runs()
    {
        take_over(shared, Some((tick, part))).await?;
    }
    result
}

/// Lets a pass go on for as long as it settles pages, and ends it where it panics.
async fn while_it_moves(
    shared: &Shared,
    pages: &AtomicU64,
    sweeping: impl Future<Output = Result<Pass, StoreError>>,
) -> Result<Pass, Trouble> {
    // A page is settled within one attempt, unless it is halved; then it has time for another.
    let limit = shared.options.worker.attempt_timeout * 2;
    let mut sweeping = std::pin::pin!(AssertUnwindSafe(sweeping).catch_unwind());
    loop {
        let before = pages.load(Ordering::Relaxed);
        match tokio::time::timeout(limit, &mut sweeping).await {
            Ok(Ok(pass)) => return Ok(pass?),
            Ok(Err(_)) => return Err(Trouble::Panicked),
            Err(_) if pages.load(Ordering::Relaxed) == before => return Err(Trouble::Hung),
            Err(_) => {}
        }
    }
}

/// Has what dead passes had in hand tried one by one.
async fn take_over(shared: &Shared, same: Option<(Timestamp, Shard)>) -> Result<(), StoreError> {
    let suspects = shared
        .store
        .take_over_sweeps(same, PASS_DEAD_AFTER, shared.name.as_str())
        .await?;
    if !suspects.is_empty() {
        let runs = suspects.len();
        tracing::warn!(
            { { BATCH_RUNS } = runs },
            "a sweep ended with a page in hand; its runs are settled one by one"
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A sweep a day is not lost because the database was away at its moment, and one a second is not made up for.
    #[test]
    fn of_ticks_that_nobody_noticed_the_latest_is_left() {
        let at = |clock: &str| format!("2026-03-01T{clock}Z").parse::<Timestamp>().unwrap();
        for (schedule, before, now, expected) in [
            ("0 0 3 * * *", "02:59:30", "02:59:31", "03:00:00"),
            ("0 0 3 * * *", "02:59:30", "03:20:00", "03:00:00"),
            ("* * * * * *", "03:00:00", "03:00:05", "03:00:01"),
            ("* * * * * *", "03:00:00", "03:20:00", "03:19:50"),
            ("0 * * * * *", "03:00:00", "03:20:05", "03:20:00"),
        ] {
            let schedule = schedule.parse().unwrap();
            let tick = next_tick(&schedule, at(before), at(now));
            assert_eq!(tick, Some(at(expected)), "{before} {now}");
        }
    }
}
