//! Everything that is ever asked of a store, for a page of runs; and the settlement of a single one.

use std::ops::ControlFlow;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use reconciler_jobs::ids::RunId;
use reconciler_jobs::sweep::shard::Shard;
use restore_reconciler::internals::storage::QueueState;
use restore_reconciler::internals::storage::reader::{QueueScope, Workspaces};
use restore_reconciler::internals::storage::{
    ClaimedJob, Retention, Store, StoreError, SweepStart,
};
use restore_reconciler::internals::sweep::{Scope, sweep};
use tracing::Span;

use super::looks;
use super::place::{Place, WORKER, scope_of};
use crate::support::case::{Case, rows_of};
use crate::support::store::settling;

/// How many runs a page has.
pub(super) const PAGE: i64 = 500;

/// How many runs a day needs: pages for jobs, for a sweep, for one that died, and for an operator.
const RUNS: i64 = 4 * PAGE;

/// Suspects are settled alone, which would take a while for a page of them.
const TRUST: &str = "TRUNCATE reconciler.attempts";

/// Open runs from `first` on, in all workspaces; the restores of some still go on.
fn cases(first: i64) -> impl Iterator<Item = Case> {
    (first..first + RUNS).map(|id| {
        let mut case = if id % 10 == 0 {
            Case::in_progress(id)
        } else {
            Case::proven(id)
        };
        let (workspace, environment) = scope_of(id);
        case.move_to(workspace, environment);
        case
    })
}

pub(super) async fn prepare(place: &Place, first: i64) {
    let rows = rows_of(cases(first));
    place.standin.plant(&rows).await.expect("due runs");
}

fn page(first: i64) -> Vec<RunId> {
    (first..first + PAGE).map(RunId).collect()
}

/// Does it all, with the runs that were prepared.
pub(super) async fn spend(place: &Place, first: i64) -> Result<(), StoreError> {
    let store = &place.store;
    looks::look(place, first).await?;
    jobs(place, &page(first)).await?;
    looks(store, &page(first)).await?;
    suspects(place, &page(first + PAGE)).await?;
    operators(place, &page(first + 2 * PAGE)).await?;
    let start = SweepStart {
        by: "dead",
        workspace: None,
        tick: None,
        shard: Shard::WHOLE,
        in_hand: &page(first + 3 * PAGE),
    };
    store.open_sweep(&start).await?;
    let suspects = store.take_over_sweeps(None, Duration::ZERO, WORKER).await?;
    assert_eq!(suspects.len(), start.in_hand.len());
    place.execute(TRUST).await;
    ticks(store).await?;
    let pass = sweep(store, Scope::default(), &settling(), |_| {
        ControlFlow::Continue(())
    })
    .await?;
    assert!(pass.tally.verdicts() > PAGE.unsigned_abs(), "{pass:?}");
    let idle = sweep(store, Scope::default(), &settling(), |_| {
        ControlFlow::Continue(())
    })
    .await?;
    assert_eq!(idle.tally.verdicts(), 0, "{idle:?}");
    Ok(())
}

/// Settles a run of which nothing was read before.
pub(super) async fn settle_one(place: &Place, first: i64) -> Result<(), StoreError> {
    let run = RunId(first + PAGE - 1);
    place
        .store
        .settle(&[run], &settling(), &mut Vec::new())
        .await
}

/// Jobs are queued, taken, given back, and settled.
async fn jobs(place: &Place, runs: &[RunId]) -> Result<(), StoreError> {
    let store = &place.store;
    assert_eq!(
        store.request(runs, "platform", None).await?.len(),
        runs.len()
    );
    store.count_unfinished().await?;
    let jobs = take(place).await;
    store.release(&jobs).await?;
    let jobs = take(place).await;
    store.discard(&jobs[0].id, WORKER).await?;
    store.keep_alive(&[WORKER.to_owned()]).await?;
    store.discard_unreadable().await?;
    store
        .settle_jobs(&runs[..runs.len() - 1], &jobs, &settling(), &mut Vec::new())
        .await?;
    store
        .request(&page(runs[0].0 + PAGE)[..10], "platform", None)
        .await?;
    take(place).await;
    store.release_all("host-1-2").await?;
    assert!(
        store
            .request_once(RunId(runs[0].0 + PAGE), "console", None)
            .await?
    );
    store
        .request(&page(runs[0].0 + PAGE)[..1], "platform", None)
        .await?;
    Ok(())
}

/// As the library that delivers jobs does.
async fn take(place: &Place) -> Vec<ClaimedJob> {
    let taken: Vec<(String, i64)> = sqlx::query_as(
        "UPDATE apalis.jobs SET status = 'Queued', lock_by = $1, lock_at = now()
         WHERE status = 'Pending' AND job_type = 'restore.execute'
         RETURNING id, (convert_from(job, 'UTF8')::json ->> 'run')::bigint",
    )
    .bind(WORKER)
    .fetch_all(&place.own)
    .await
    .expect("jobs");
    let held = |(id, run)| ClaimedJob {
        id,
        worker: WORKER.to_owned(),
        run: RunId(run),
        asked_at: None,
        trace: None,
        span: Span::none(),
    };
    taken.into_iter().map(held).collect()
}

async fn looks(store: &Store, runs: &[RunId]) -> Result<(), StoreError> {
    let (reader, all) = (store.reader(), Workspaces::All);
    reader.assess(&all, runs, &settling().policy).await?;
    reader.assess(&all, &runs[..1], &settling().policy).await?;
    assert!(reader.load_verdict(&all, runs[1]).await?.is_some());
    store.load_rechecks(500).await?;
    reader.load_standings(&all, runs).await?;
    reader.load_jobs(runs[1], 20).await?;
    Ok(())
}

/// Runs that were in the hands of a process that ended.
async fn suspects(place: &Place, runs: &[RunId]) -> Result<(), StoreError> {
    let store = &place.store;
    store.suspect(&runs[..20], WORKER).await?;
    store
        .settle(&runs[..5], &settling(), &mut Vec::new())
        .await?;
    store
        .settle(&runs[20..], &settling(), &mut Vec::new())
        .await?;
    place
        .execute("UPDATE reconciler.watch_list SET look_again_at = statement_timestamp()")
        .await;
    assert!(!store.load_rechecks(500).await?.runs.is_empty());
    Ok(())
}

async fn operators(place: &Place, runs: &[RunId]) -> Result<(), StoreError> {
    let store = &place.store;
    store.suspect(runs, WORKER).await?;
    place
        .execute("UPDATE reconciler.attempts SET tries = 5, dead_at = statement_timestamp()")
        .await;
    for states in [&QueueState::ALL[..], &QueueState::UNSETTLED] {
        let scope = QueueScope {
            states: states.to_vec(),
            of: Workspaces::All,
            workspace: None,
            live_only: false,
            limit: 100,
        };
        store.reader().load_queue(&scope).await?;
    }
    store.drop_dead_letters(&runs[..250]).await?;
    assert_eq!(store.retry(runs).await?.len(), runs.len());
    place.execute(TRUST).await;
    Ok(())
}

async fn ticks(store: &Store) -> Result<(), StoreError> {
    let tick = store.now().await?;
    let plan = |_| 4;
    assert_eq!(store.win_tick(tick, WORKER, &plan).await?, Some(4));
    assert_eq!(store.win_tick(tick, WORKER, &plan).await?, None);
    store.has_late_shards(later(tick)).await?;
    let keep = Retention {
        jobs: Duration::from_mins(1_650),
        workers: Duration::from_hours(1),
        ticks: Duration::from_mins(19_000),
    };
    store.prune(&keep).await?;
    Ok(())
}

fn later(tick: Timestamp) -> Timestamp {
    tick.checked_add(SignedDuration::from_mins(1))
        .expect("not the end of time")
}
