//! Everything that is ever asked of a store, for a page of runs; and the settlement of a single one.

use std::pin::pin;
use std::time::Duration;

use futures_util::TryStreamExt as _;
use jiff::SignedDuration;
use reconciler_jobs::ids::{RunId, WorkspaceId};
use reconciler_jobs::reading::metadata_keys::MetadataKeys;
use reconciler_jobs::restore_execute::Policy;
use reconciler_jobs::sweep::admission::Admission;
use reconciler_jobs::sweep::shard::Shard;
use restore_reconciler::internals::ledger::note;
use restore_reconciler::internals::storage::reader::{
    LedgerFilter, LedgerParts, QueueScope, Workspaces,
};
use restore_reconciler::internals::storage::{
    Action, ActionVerb, CheckpointDue, ClaimedJob, OpinionScope, QueueState, Retention, Settling,
    Store, StoreError, SweepStart,
};
use restore_reconciler::internals::sweep::Scope;
use sqlx::{Connection as _, PgConnection};

use super::looks::{self, Pages};
use super::place::{Place, WORKER, scope_of};
use crate::support::case::{Case, rows_of};
use crate::support::roles::Purpose;
use crate::support::settled::{claimed, pass, settling};
use crate::support::store::moved;
use crate::support::time::eventually;

/// How many runs a page has.
pub(super) const PAGE: i64 = 500;

/// How many runs a day needs: pages for jobs, for a sweep, for one that died, and for an operator.
const RUNS: i64 = 4 * PAGE;

/// Suspects are settled alone, which would take a while for a page of them.
const TRUST: &str = "TRUNCATE reconciler.attempts";

/// One that only its run's context ties to it.
const UNLINKED: &str = "
UPDATE restore_runs SET operation_run_id = NULL
WHERE id = (SELECT max(id) FROM restore_runs WHERE status = 'completed' AND deleted_at IS NULL AND NOT is_dry_run)";

/// A trigger that does nothing. Nobody can tell, so what is written is looked for.
const WATCHED: &str = "
CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE TRIGGER nothing AFTER INSERT ON audit_logs FOR EACH STATEMENT EXECUTE FUNCTION nothing()";

/// How many verdicts get their positions at once.
pub(super) const BATCH: u32 = 200;

/// A consumer that has acknowledged all.
const CAUGHT_UP: &str =
    "SELECT reconciler.ack_verdicts('mail', max(position)) FROM reconciler.ledger_positions";

const UNWATCHED: &str = "DROP FUNCTION nothing() CASCADE";

/// Open runs from `first` on, in all workspaces; the restores of some still go on.
/// Half of the latest runs that are open, and the walk just before them.
const CLOSED_BY_ANOTHER: &str = "
    WITH latest AS (
        SELECT id FROM operation_runs
        WHERE type = 'restore.execute' AND status IN ('queued', 'running')
        ORDER BY id DESC
        LIMIT 20
    ), closed AS (
        UPDATE operation_runs SET status = 'completed', outcome = 'succeeded',
            completed_at = CASE WHEN id % 2 = 0 THEN now() ELSE created_at END
        WHERE id IN (SELECT id FROM latest) AND id % 4 < 2
        RETURNING id
    )
    UPDATE reconciler.opinion_cursor
    SET idle_until = '-infinity', walked_to = (SELECT min(id) - 1 FROM latest)";

fn cases(first: i64) -> impl Iterator<Item = Case> {
    (first..first + RUNS).map(|id| {
        let case = if id % 10 == 0 {
            Case::in_progress(id)
        } else {
            Case::proven(id)
        };
        moved(case, scope_of(id))
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
pub(super) async fn spend(place: &Place, first: i64, depth: Pages) -> Result<(), StoreError> {
    let store = &place.store;
    looks::look(place, first, depth).await?;
    jobs(place, &page(first)).await?;
    looks(place, &page(first)).await?;
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
    opinions(place).await?;
    feed(place).await;
    ledger(place, first).await?;
    assert_eq!(store.find_distrust().await?, None);
    store.count_metadata_keys(&MetadataKeys::default()).await?;
    place.execute(UNLINKED).await;
    let last = u32::try_from(PAGE).expect("a page");
    store
        .survey_restores(&Policy::default(), last, true)
        .await?;
    place.execute(WATCHED).await;
    let busy = pass(store, Scope::default(), &settling()).await?;
    place.execute(UNWATCHED).await;
    assert!(busy.tally.verdicts() > PAGE.unsigned_abs(), "{busy:?}");
    let idle = pass(store, Scope::default(), &settling()).await?;
    assert_eq!(idle.tally.verdicts(), 0, "{idle:?}");
    Ok(())
}

/// Settles a run of which nothing was read before.
pub(super) async fn settle_one(place: &Place, first: i64) -> Result<(), StoreError> {
    settle(&place.store, &[RunId(first + PAGE - 1)]).await
}

fn action(verb: ActionVerb) -> Action {
    Action {
        actor: Some("somebody".to_owned()),
        ..Action::new(verb)
    }
}

async fn settle(store: &Store, runs: &[RunId]) -> Result<(), StoreError> {
    store.settle(runs, &settling(), &mut Vec::new()).await
}

/// Jobs are queued, taken, given back, and settled.
async fn jobs(place: &Place, runs: &[RunId]) -> Result<(), StoreError> {
    let store = &place.store;
    let queued = store.request(runs, "platform", None).await?;
    assert_eq!(queued.len(), runs.len());
    store.count_unfinished().await?;
    let jobs = take(place).await;
    store.release(&jobs).await?;
    let jobs = take(place).await;
    store.discard(&jobs[0].id, WORKER).await?;
    store.keep_alive(&[WORKER.to_owned()]).await?;
    store.discard_unreadable().await?;
    let (all_but_one, with) = (&runs[..runs.len() - 1], settling());
    store
        .settle_jobs(all_but_one, &jobs, &with, &mut Vec::new())
        .await?;
    let others = page(runs[0].0 + PAGE);
    store.request(&others[..10], "platform", None).await?;
    take(place).await;
    store.release_all("host-1-2").await?;
    assert!(
        store
            .request_once(others[0], &action(ActionVerb::Request))
            .await?
    );
    store.request(&others[..1], "platform", None).await?;
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
    let held = |(id, run)| claimed(id, run, WORKER);
    taken.into_iter().map(held).collect()
}

async fn looks(place: &Place, runs: &[RunId]) -> Result<(), StoreError> {
    let store = &place.store;
    let (reader, all) = (store.reader(), Workspaces::All);
    reader.assess(&all, runs, &settling().policy).await?;
    reader.assess(&all, &runs[..1], &settling().policy).await?;
    assert_eq!(reader.load_verdicts(&all, runs[1]).await?.len(), 1);
    let verdict = reader.load_verdict(&all, runs[1]).await?;
    let decision = verdict.map(|verdict| verdict.decision_id);
    assert!(decision.is_some());
    let found = place.reader.find(&all, Some(runs[1].0), decision, true);
    let found = found.await?;
    assert!(found.len() >= 2, "{found:?}");
    store.load_rechecks(500, &Admission::default()).await?;
    reader.load_standings(&all, runs).await?;
    reader.load_jobs(runs[1], 20).await?;
    Ok(())
}

/// Runs that were in the hands of a process that ended.
async fn suspects(place: &Place, runs: &[RunId]) -> Result<(), StoreError> {
    let store = &place.store;
    store.suspect(&runs[..20], WORKER).await?;
    settle(store, &runs[..5]).await?;
    settle(store, &runs[20..]).await?;
    place
        .execute("UPDATE reconciler.watch_list SET look_again_at = statement_timestamp()")
        .await;
    assert!(
        !store
            .load_rechecks(500, &Admission::default())
            .await?
            .runs
            .is_empty()
    );
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
    store
        .enqueue(&runs[..2], &action(ActionVerb::Enqueue))
        .await?;
    let given_up = action(ActionVerb::Drop);
    store.drop_dead_letters(&runs[..250], &given_up).await?;
    let retried = store.retry(runs, &action(ActionVerb::Retry)).await?;
    assert_eq!(retried.len(), runs.len());
    store.reader().load_actions(runs[0]).await?;
    let by_hand = Settling {
        action: Some(action(ActionVerb::Reconcile)),
        ..settling()
    };
    let settled = &mut Vec::new();
    store.settle(&runs[..5], &by_hand, settled).await?;
    place.execute(TRUST).await;
    Ok(())
}

/// Somebody else closes some runs; a part of the walk past all comes to them, and to others that stay open.
async fn opinions(place: &Place) -> Result<(), StoreError> {
    let store = &place.store;
    place.execute(CLOSED_BY_ANOTHER).await;
    let scope = OpinionScope::new(Duration::from_hours(24 * 365 * 100));
    let part = store.form_opinions(&settling().policy, scope).await?;
    assert!(part.is_some_and(|part| part.judged > 0));
    let policy = settling().policy;
    let later = place
        .reader
        .load_later(None, None, RunId(0), &policy)
        .await?;
    assert!(later.looked_at > 0);
    store.list_opinions(None, None, 100).await.map(drop)
}

/// A part of the ledger is listed and one is compared, at its end and in the middle; an entry is shown; positions are read.
async fn ledger(place: &Place, first: i64) -> Result<(), StoreError> {
    let reader = place.store.reader();
    for below in [RunId(first), RunId(150_000)] {
        for parts in [
            LedgerParts::Listed,
            LedgerParts::Judged,
            LedgerParts::Compared,
        ] {
            let parts = reader.walk_ledger(LedgerFilter::default(), below, parts);
            let part = pin!(parts).try_next().await?.expect("a part");
            assert!(part.entries.len() > 100, "{}", part.entries.len());
        }
    }
    let run = RunId(150_001);
    assert_eq!(reader.find_entries(None, Some(run)).await?.len(), 1);
    assert!(!reader.walk_positions(200_000).await?.is_empty());
    let leaves = pin!(reader.walk_leaves(0)).try_next().await?;
    assert!(leaves.is_some_and(|part| part.places.len() == 2_000));
    assert_eq!(reader.load_leaves(50_000, i64::MAX).await?.len(), 10_000);
    let workspace = WorkspaceId(1);
    let since = reader.now().await? - SignedDuration::from_hours(24 * 365 * 100);
    assert!(reader.first_place(workspace, since).await?.is_some());
    let exported = pin!(reader.walk_exported(workspace, 1_001, i64::MAX))
        .try_next()
        .await?;
    assert!(exported.is_some_and(|places| places.len() == 2_000));
    assert_eq!(reader.list_checkpoints(50).await?.len(), 50);
    Ok(())
}

/// Verdicts get positions, and a consumer that has told of all before them is given them.
async fn feed(place: &Place) {
    place.execute(CAUGHT_UP).await;
    let placed = async || {
        let placed = place.store.place_verdicts(BATCH).await;
        let placed = placed.expect("an answer")?.placed?;
        (placed == i64::from(BATCH)).then_some(())
    };
    // A transaction of another test may be under way.
    eventually(placed, async || "no full batch".to_owned()).await;
    let due = CheckpointDue {
        every: Duration::from_hours(1),
        verdicts: 1,
    };
    let write = |_: &_, edge: &_| note("plans", edge, &[]);
    let sealed = place.store.seal(BATCH, due, write).await;
    assert!(sealed.expect("leaves").checkpoint.is_some());
    let next = "SELECT count(*) FROM reconciler.next_verdicts('mail', 100)";
    let mut explained = PgConnection::connect(&Purpose::Platform.url(&place.url()))
        .await
        .expect("a connection");
    let given = sqlx::query_scalar(next).fetch_one(&mut explained).await;
    assert_eq!(given.ok(), Some(100_i64));
}

async fn ticks(store: &Store) -> Result<(), StoreError> {
    let tick = store.now().await?;
    let plan = |_| 4;
    assert_eq!(store.win_tick(tick, WORKER, &plan).await?, Some(4));
    assert_eq!(store.win_tick(tick, WORKER, &plan).await?, None);
    let later = tick + SignedDuration::from_mins(1);
    store.note_swept(tick, Shard::WHOLE).await?;
    assert_eq!(store.last_swept(later).await?, Some(tick));
    let keep = Retention {
        jobs: Duration::from_mins(1_650),
        workers: Duration::from_hours(1),
        ticks: Duration::from_mins(19_000),
    };
    store.prune(&keep).await?;
    store.extend_ledger().await
}
