//! The one settling path, for one run and for five hundred, on both databases.
//!
//! A crash at any point leaves nothing or everything, because there is one transaction per batch.
//! Running twice is harmless, because a closed run is never locked again. Losing a race is a normal
//! result, because the guard is part of the statement that closes the run.
//!
//! A batch is only as quick as its slowest statement, and a platform that keeps writing to its runs
//! can disturb a large one every time. Such a batch is halved like one that holds a refused row:
//! what is smaller is quicker and meets fewer writers.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::future::Future;
use std::time::Duration;

use jiff::Timestamp;
use reconciler_jobs::ids::{RestoreId, RunId};
use reconciler_jobs::restore_execute::facts::{Candidate, RestoreFacts, RunFacts, RunStatus};
use reconciler_jobs::restore_execute::record::{
    AuditEntry, LedgerEntry, Record, RunUpdate, record,
};
use reconciler_jobs::restore_execute::rows::{AuditRow, CandidateRow, SnapshotRow};
use reconciler_jobs::restore_execute::{Facts, Policy, decide, link};
use reconciler_jobs::sweep::Watch;

use super::error::{ErrorKind, StoreError};
use super::records::{Ask, FoundRun, WatchWrite};
use super::report;
use super::{Assessment, Settled, Settlement, Settling};

/// Pause before the first retry of a transient failure; doubled each time.
const RETRY_PAUSE_MIN: Duration = Duration::from_millis(20);

/// Longest pause between two tries.
const RETRY_PAUSE_MAX: Duration = Duration::from_secs(2);

/// Opens transactions.
pub(super) trait Transactions: Sync {
    /// A transaction that is rolled back unless it is committed.
    type Transaction: Transaction;

    /// Opens one that may write.
    fn begin(&self) -> impl Future<Output = Result<Self::Transaction, StoreError>> + Send;

    /// Opens one that sees one snapshot and cannot write.
    fn begin_read(&self) -> impl Future<Output = Result<Self::Transaction, StoreError>> + Send;
}

/// The statements of a settlement. Each is set-based: one round trip however many runs there are.
pub(super) trait Transaction: Send {
    /// The database's clock, read when the transaction began.
    fn as_of(&self) -> Timestamp;

    /// Locks the open `restore.execute` runs among `runs` that nobody else holds, and says which.
    fn lock_open_runs(
        &mut self,
        runs: &[RunId],
    ) -> impl Future<Output = Result<Vec<RunId>, StoreError>> + Send;

    /// Reads runs in any state. A run locked before reads as it was locked.
    fn load_runs(
        &mut self,
        runs: &[RunId],
    ) -> impl Future<Output = Result<Vec<FoundRun>, StoreError>> + Send;

    /// Live restores that a run's context names or that point at the run: the named one, and at
    /// most two others per run, highest ids first. More cannot change the link.
    fn load_candidates(
        &mut self,
        asks: &[Ask],
    ) -> impl Future<Output = Result<Vec<CandidateRow>, StoreError>> + Send;

    /// The restores asked for. Rows are parsed as they arrive, so that only one row's documents are
    /// in memory at a time.
    fn load_restores(
        &mut self,
        asks: &[Ask],
    ) -> impl Future<Output = Result<Vec<RestoreFacts>, StoreError>> + Send;

    /// The latest terminal audit entries about the restores asked for.
    fn load_audits(
        &mut self,
        asks: &[Ask],
        actions: &[String],
    ) -> impl Future<Output = Result<Vec<AuditRow>, StoreError>> + Send;

    /// Per run asked for and per status, the evidence snapshot with the highest id.
    fn load_snapshots(
        &mut self,
        asks: &[Ask],
    ) -> impl Future<Output = Result<Vec<SnapshotRow>, StoreError>> + Send;

    /// Closes the runs that are still open and returns which ones those were.
    fn close_runs(
        &mut self,
        updates: &[&RunUpdate],
    ) -> impl Future<Output = Result<Vec<RunId>, StoreError>> + Send;

    /// Appends audit entries.
    fn insert_audits(
        &mut self,
        entries: &[&AuditEntry],
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Appends ledger entries. A second entry for a run is an error.
    fn insert_ledger(
        &mut self,
        entries: &[&LedgerEntry],
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Puts runs on the watch list, or updates them there.
    fn watch(
        &mut self,
        entries: &[WatchWrite],
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Takes runs off the watch list.
    fn unwatch(&mut self, runs: &[RunId]) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Makes everything above permanent.
    fn commit(self) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Undoes everything above, and returns once its locks are released.
    fn rollback(self) -> impl Future<Output = Result<(), StoreError>> + Send;
}

/// See [`super::Store::settle`].
pub(super) async fn settle<T: Transactions>(
    store: &T,
    runs: &[RunId],
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
        match with_retries(with.retries_max, || settle_once(store, batch, with)).await {
            Ok(results) => {
                report::committed(&results);
                settled.extend(results);
            }
            Err(error) => match (batch, error.kind()) {
                ([_, _, ..], kind) if kind == ErrorKind::Refused || error.is_disturbance() => {
                    let (left, right) = batch.split_at(batch.len() / 2);
                    pending.extend([right, left]);
                }
                ([run], ErrorKind::Refused) => {
                    settled.push(isolate(store, *run, with, &error).await?);
                }
                // Somebody changes this very run all the time. A later look will find it at rest.
                ([run], _) if error.is_disturbance() => {
                    let held = Settled {
                        run: *run,
                        result: Settlement::Locked,
                    };
                    report::committed(std::slice::from_ref(&held));
                    settled.push(held);
                }
                _ => return Err(error),
            },
        }
    }
    Ok(())
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

/// One transaction: lock, look, decide, write, commit.
async fn settle_once<T: Transactions>(
    store: &T,
    batch: &[RunId],
    with: &Settling,
) -> Result<Vec<Settled>, StoreError> {
    let mut tx = store.begin().await?;
    let result = settle_within(&mut tx, batch, with).await;
    finish(tx, result).await
}

/// Commits what succeeded. What failed is rolled back here and waited for: a transaction that is
/// merely dropped keeps its locks until its connection is used again, and the next try, on another
/// connection, would pass over its own runs as held by somebody else.
async fn finish<R>(tx: impl Transaction, result: Result<R, StoreError>) -> Result<R, StoreError> {
    match result {
        Ok(value) => {
            tx.commit().await?;
            Ok(value)
        }
        Err(error) => {
            if let Err(lost) = tx.rollback().await {
                tracing::debug!(%lost, "the connection ended, and with it the transaction");
            }
            Err(error)
        }
    }
}

async fn settle_within(
    tx: &mut impl Transaction,
    batch: &[RunId],
    with: &Settling,
) -> Result<Vec<Settled>, StoreError> {
    let locked = tx.lock_open_runs(batch).await?;
    let locked = tx.load_runs(&locked).await?;
    let rows: Vec<RunFacts> = locked.iter().map(|run| RunFacts::parse(&run.row)).collect();
    let assessments = assess_rows(tx, rows, &with.policy).await?;
    let (records, deferred) = prepare(&locked, assessments, with)?;

    let closed = write_verdicts(tx, &records).await?;
    let watches: Vec<_> = deferred.iter().filter_map(Deferral::watch_write).collect();
    tx.watch(&watches).await?;
    let mut results = look_past(tx, batch, &locked, &with.policy).await?;
    results.extend(deferred.into_iter().map(Deferral::into_settled));
    results.extend(records.into_iter().map(|verdict| {
        let won = closed.contains(&verdict.run());
        verdict.into_settled(won)
    }));
    Ok(results)
}

/// Loads what the rules need, set by set, and decides each run.
async fn assess_rows(
    tx: &mut impl Transaction,
    runs: Vec<RunFacts>,
    policy: &Policy,
) -> Result<Vec<Assessment>, StoreError> {
    let asks: Vec<Ask> = runs.iter().filter_map(Ask::candidates_of).collect();
    let candidates = group(tx.load_candidates(&asks).await?, |row: &CandidateRow| {
        row.run_id
    });
    let linked: Vec<Ask> = runs
        .iter()
        .filter_map(|run| linked_ask(run, &candidates))
        .collect();
    let restores = load_restores(tx, &linked).await?;
    let audits = tx
        .load_audits(&distinct_restores(&linked), &policy.audit_actions)
        .await?;
    let audits = group(audits, |row: &AuditRow| row.restore_id);
    let snapshots = group(tx.load_snapshots(&linked).await?, |row: &SnapshotRow| {
        row.run_id
    });
    let chosen: HashMap<RunId, RestoreId> = linked
        .iter()
        .filter_map(|ask| Some((ask.run, ask.restore?)))
        .collect();

    let as_of = tx.as_of();
    let assess = |run: RunFacts| {
        let id = run.id;
        let restore = chosen
            .get(&id)
            .and_then(|restore| restores.get(restore))
            .cloned();
        let about = restore.as_ref().and_then(|restore| audits.get(&restore.id));
        let facts = Facts::gather(
            as_of,
            policy,
            run,
            candidates.get(&id).map_or(&[], Vec::as_slice),
            restore,
            about.map_or(&[], Vec::as_slice),
            snapshots.get(&id).map_or(&[], Vec::as_slice),
        );
        let decision = decide(&facts);
        Assessment { facts, decision }
    };
    Ok(runs.into_iter().map(assess).collect())
}

/// Asks about the restore that the link rule chooses.
fn linked_ask(run: &RunFacts, candidates: &HashMap<RunId, Vec<CandidateRow>>) -> Option<Ask> {
    let ask = Ask::candidates_of(run)?;
    let rows = candidates.get(&run.id).map_or(&[][..], Vec::as_slice);
    let rows: Vec<Candidate> = rows
        .iter()
        .map(|row| Candidate {
            restore_id: row.restore_id,
            points_at: row.points_at,
        })
        .collect();
    match link::resolve(run, &rows) {
        Ok(restore) => Some(ask.about(restore)),
        Err(gap) => {
            tracing::debug!(run = run.id.0, ?gap, "no restore can be tied to this run");
            None
        }
    }
}

async fn load_restores(
    tx: &mut impl Transaction,
    linked: &[Ask],
) -> Result<BTreeMap<RestoreId, RestoreFacts>, StoreError> {
    let restores = tx.load_restores(&distinct_restores(linked)).await?;
    Ok(restores
        .into_iter()
        .map(|restore| (restore.id, restore))
        .collect())
}

/// Two runs may name one restore; asking twice would double its rows.
fn distinct_restores(linked: &[Ask]) -> Vec<Ask> {
    let mut seen = HashSet::new();
    linked
        .iter()
        .copied()
        .filter(|ask| seen.insert(ask.restore))
        .collect()
}

fn group<R, K: std::hash::Hash + Eq>(rows: Vec<R>, key: impl Fn(&R) -> K) -> HashMap<K, Vec<R>> {
    let mut groups: HashMap<K, Vec<R>> = HashMap::new();
    for row in rows {
        groups.entry(key(&row)).or_default().push(row);
    }
    groups
}

/// A verdict that is ready to be written.
struct Verdict {
    assessment: Assessment,
    record: Record,
}

impl Verdict {
    fn run(&self) -> RunId {
        self.assessment.facts.run.id
    }

    /// Losing is normal: whoever closed the run saw the same facts or newer ones, so our verdict is
    /// dropped, never merged.
    fn into_settled(self, won: bool) -> Settled {
        let run = self.run();
        let result = if won {
            Settlement::Committed(Box::new(self.assessment))
        } else {
            Settlement::Lost
        };
        Settled { run, result }
    }
}

/// A decision to wait.
struct Deferral<'a> {
    found: &'a FoundRun,
    assessment: Assessment,
    watch: Option<Watch>,
}

impl Deferral<'_> {
    fn watch_write(&self) -> Option<WatchWrite> {
        self.watch
            .as_ref()
            .map(|watch| WatchWrite::new(&self.found.row, watch))
    }

    fn into_settled(self) -> Settled {
        let run = self.found.row.id;
        Settled {
            run,
            result: Settlement::Deferred(Box::new(self.assessment), self.watch),
        }
    }
}

/// Sorts decisions into verdicts and deferrals, and prepares what each writes.
fn prepare<'a>(
    locked: &'a [FoundRun],
    assessments: Vec<Assessment>,
    with: &Settling,
) -> Result<(Vec<Verdict>, Vec<Deferral<'a>>), StoreError> {
    let mut verdicts = Vec::new();
    let mut deferrals = Vec::new();
    for (found, assessment) in locked.iter().zip(assessments) {
        let Assessment { facts, decision } = &assessment;
        let record = record(&found.row, facts, decision, &with.by)
            .map_err(|error| StoreError::refused("prepare a verdict", error))?;
        if let Some(record) = record {
            verdicts.push(Verdict { assessment, record });
        } else {
            let watched = found.watched.as_ref();
            let watch = Watch::after(decision, watched, facts.as_of, &with.schedule);
            deferrals.push(Deferral {
                found,
                assessment,
                watch,
            });
        }
    }
    Ok((verdicts, deferrals))
}

/// Closes runs, and writes the audit and ledger entries of exactly those it closed.
async fn write_verdicts(
    tx: &mut impl Transaction,
    verdicts: &[Verdict],
) -> Result<HashSet<RunId>, StoreError> {
    if verdicts.is_empty() {
        return Ok(HashSet::new());
    }
    let updates: Vec<_> = verdicts.iter().map(|verdict| &verdict.record.run).collect();
    let closed: HashSet<RunId> = tx.close_runs(&updates).await?.into_iter().collect();
    let won = || {
        verdicts
            .iter()
            .filter(|verdict| closed.contains(&verdict.run()))
    };
    let ledger: Vec<_> = won().map(|verdict| &verdict.record.ledger).collect();
    tx.insert_ledger(&ledger).await?;
    let audits: Vec<_> = won().map(|verdict| &verdict.record.audit).collect();
    tx.insert_audits(&audits).await?;
    let runs: Vec<RunId> = won().map(Verdict::run).collect();
    tx.unwatch(&runs).await?;
    Ok(closed)
}

/// What became of the runs that were not locked: closed, of another type, held, or not there.
async fn look_past(
    tx: &mut impl Transaction,
    batch: &[RunId],
    locked: &[FoundRun],
    policy: &Policy,
) -> Result<Vec<Settled>, StoreError> {
    let held: HashSet<RunId> = locked.iter().map(|run| run.row.id).collect();
    let rest: Vec<RunId> = batch
        .iter()
        .copied()
        .filter(|run| !held.contains(run))
        .collect();
    if rest.is_empty() {
        return Ok(Vec::new());
    }
    let found = tx.load_runs(&rest).await?;
    let mut found: HashMap<RunId, RunFacts> = found
        .iter()
        .map(|run| (run.row.id, RunFacts::parse(&run.row)))
        .collect();
    let as_of = tx.as_of();
    let settled = |run: RunId| {
        let result = match found.remove(&run) {
            None => Settlement::Absent,
            Some(facts) if is_open(&facts) => Settlement::Locked,
            // The run itself decides, so nothing is read of its proof.
            Some(facts) => {
                let facts = Facts::gather(as_of, policy, facts, &[], None, &[], &[]);
                let decision = decide(&facts);
                Settlement::Deferred(Box::new(Assessment { facts, decision }), None)
            }
        };
        Settled { run, result }
    };
    Ok(rest.into_iter().map(settled).collect())
}

fn is_open(run: &RunFacts) -> bool {
    run.is_restore_execute && matches!(run.status, RunStatus::Queued | RunStatus::Running)
}

/// Puts a refused run on the watch list, in a transaction that reads the run and nothing of its proof.
async fn isolate<T: Transactions>(
    store: &T,
    run: RunId,
    with: &Settling,
    error: &StoreError,
) -> Result<Settled, StoreError> {
    let watch = match with_retries(with.retries_max, || watch_refused(store, run, with)).await {
        Ok(watch) => watch,
        // Not even its row can be read. It stays due, and the error below says why.
        Err(error) if error.kind() == ErrorKind::Refused => None,
        Err(error) => return Err(error),
    };
    let result = Settlement::Refused {
        watch,
        error: error.to_string(),
    };
    let settled = Settled { run, result };
    report::committed(std::slice::from_ref(&settled));
    Ok(settled)
}

async fn watch_refused<T: Transactions>(
    store: &T,
    run: RunId,
    with: &Settling,
) -> Result<Option<Watch>, StoreError> {
    let mut tx = store.begin().await?;
    let result = watch_refused_within(&mut tx, run, with).await;
    finish(tx, result).await
}

async fn watch_refused_within(
    tx: &mut impl Transaction,
    run: RunId,
    with: &Settling,
) -> Result<Option<Watch>, StoreError> {
    let locked = tx.lock_open_runs(&[run]).await?;
    let found = tx.load_runs(&locked).await?;
    let Some(found) = found.first() else {
        return Ok(None);
    };
    let watch = Watch::after_refusal(found.watched.as_ref(), tx.as_of(), &with.schedule);
    tx.watch(&[WatchWrite::new(&found.row, &watch)]).await?;
    Ok(Some(watch))
}

/// Runs `attempt` again after a transient failure, at most `retries_max` times.
async fn with_retries<R, F>(
    retries_max: u32,
    mut attempt: impl FnMut() -> F,
) -> Result<R, StoreError>
where
    F: Future<Output = Result<R, StoreError>>,
{
    let mut pause = RETRY_PAUSE_MIN;
    for _ in 0..retries_max {
        match attempt().await {
            Err(error) if error.kind() == ErrorKind::Transient => {
                tracing::debug!(%error, ?pause, "will be tried again");
                tokio::time::sleep(pause).await;
                pause = pause.saturating_mul(2).min(RETRY_PAUSE_MAX);
            }
            result => return result,
        }
    }
    attempt().await
}
