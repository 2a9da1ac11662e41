//! One transaction: lock, look, decide, write.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;
use reconciler_jobs::ids::RunId;
use reconciler_jobs::restore_execute::facts::{RunFacts, RunStatus};
use reconciler_jobs::restore_execute::record::{Record, record};
use reconciler_jobs::restore_execute::{Facts, Outcome, Policy, decide};
use reconciler_jobs::sweep::Watch;
use tracing::{Instrument as _, Span};

use super::gather::Proofs;
use super::round::{Laps, Round};
use super::statements::Lock;
use super::written::{Counted, check_held, check_written};
use crate::metrics::TransactionStage;
use crate::storage::database::EitherDatabase;
use crate::storage::error::{Result, StoreError, StoreFault};
use crate::storage::model::{ActionDone, Assessment, ClaimedJob, Settled, Settlement, Settling};
use crate::storage::records::{FoundRun, WatchWrite};
use crate::storage::report;
use crate::storage::transaction::{DatabaseTransaction, finish};
use crate::telemetry::names;

/// The step that is refused where nothing may be settled.
pub(super) const SETTLE: &str = "settle runs";

/// Settles runs in a database, for jobs that ask for them.
#[derive(Clone, Copy)]
pub(in crate::storage) struct Settler<'s> {
    pub(super) database: &'s EitherDatabase,
    pub(super) jobs: &'s [ClaimedJob],
    pub(super) with: &'s Settling,
}

impl<'s> Settler<'s> {
    pub(in crate::storage) fn new(
        database: &'s EitherDatabase,
        jobs: &'s [ClaimedJob],
        with: &'s Settling,
    ) -> Self {
        Self {
            database,
            jobs,
            with,
        }
    }

    /// One transaction: lock, look, decide, write, commit. Reports what was committed.
    pub(super) async fn commit_batch(&self, batch: &[RunId], lock: Lock) -> Result<Round> {
        let span = names::batch_span(batch.len());
        for job in self.jobs {
            if !job.span.is_none() && batch.contains(&job.run) {
                span.follows_from(&job.span);
            }
        }
        let settling = async {
            let round = self.transact(batch, lock).await?;
            report::round(&round, self.jobs);
            Ok(round)
        };
        settling.instrument(span).await
    }

    /// As [`Self::commit_batch`], up to what a commit would check, and then undone. Reports nothing.
    pub(super) async fn rehearse_batch(&self, batch: &[RunId], lock: Lock) -> Result<Vec<Settled>> {
        let mut tx = self.database.begin_trusted("rehearse verdicts").await?;
        let result = async {
            let broken = tx.count_broken_references().await?;
            let mut round = self
                .decide_and_write(&mut tx, batch, lock, Laps::begin())
                .await?;
            tx.check_deferred().await?;
            if tx.count_broken_references().await? > broken {
                return Err(StoreError::refused("commit", StoreFault::BrokenReference));
            }
            for run in round.suspects {
                let result = suspended(&mut tx, run).await?;
                round.settled.push(Settled { run, result });
            }
            Ok(round.settled)
        };
        let result = result.await;
        tx.rollback().await?;
        result
    }

    async fn transact(&self, batch: &[RunId], lock: Lock) -> Result<Round> {
        let mut stages = Laps::begin();
        let mut tx = self.database.begin_trusted(SETTLE).await?;
        stages.end(TransactionStage::Begin);
        let result = self.decide_and_write(&mut tx, batch, lock, stages).await;
        let commit = result
            .as_ref()
            .map_or_else(|_| Span::none(), |round| round.commit.clone());
        let mut round = finish(tx, result).instrument(commit).await?;
        round.commit = Span::none();
        round.stages.end(TransactionStage::Commit);
        Ok(round)
    }

    async fn decide_and_write(
        &self,
        tx: &mut DatabaseTransaction,
        batch: &[RunId],
        lock: Lock,
        mut stages: Laps,
    ) -> Result<Round> {
        let with = self.with;
        let ids = tx.lock_open_runs(batch, lock).await?;
        stages.end(TransactionStage::Lock);
        let locked = tx.load_runs(&ids).await?;
        let rows: Vec<RunFacts> = locked
            .iter()
            .map(|run| RunFacts::parse(&run.row, &with.policy))
            .collect();
        let loading = Proofs::load(tx, &rows, &with.policy);
        let proofs = loading.instrument(names::facts_load(rows.len())).await?;
        stages.end(TransactionStage::Load);
        let assessments = proofs.decide(rows, tx.as_of, &with.policy);
        let (records, deferred) = prepare(&locked, assessments, with)?;
        stages.end(TransactionStage::Decide);

        let commit = if records.is_empty() {
            Span::none()
        } else {
            names::verdict_commit(records.len())
        };
        let writing = write_verdicts(tx, &records);
        writing.instrument(commit.clone()).await?;
        let watches: Vec<_> = deferred.iter().filter_map(Deferral::watch_write).collect();
        tx.watch(&watches).await?;
        tx.forget_attempts(&ids).await?;
        if let Some(action) = &with.action {
            let decided = records.iter().map(|verdict| &verdict.assessment);
            let open = deferred.iter().map(|deferral| &deferral.assessment);
            let done: Vec<_> = decided.chain(open).map(done_about).collect();
            tx.note_actions(action, &done).await?;
        }
        let mut round = look_past(tx, batch, &locked, lock, &with.policy, stages).await?;
        check_held(tx, &round.settled).await?;
        round
            .settled
            .extend(deferred.into_iter().map(Deferral::into_settled));
        for verdict in records {
            round.add(verdict);
        }
        round.commit = commit;
        acknowledge(tx, &round.settled, self.jobs).await?;
        round.stages.end(TransactionStage::Write);
        Ok(round)
    }
}

/// What is remembered of a suspected run that is not tried.
pub(super) async fn suspended(tx: &mut DatabaseTransaction, run: RunId) -> Result<Settlement> {
    let attempts = tx.load_attempts(run).await?;
    Ok(Settlement::Suspended {
        tries: attempts.map_or(0, |attempts| attempts.tries),
        until: attempts
            .filter(|attempts| !attempts.dead)
            .map(|attempts| attempts.try_again_at),
    })
}

/// What came of a run that a person had settled.
fn done_about(assessment: &Assessment) -> ActionDone {
    let Assessment { facts, decision } = assessment;
    let word = decision.outcome().map_or("deferred", Outcome::name);
    ActionDone::new(facts.run.id, format!("{word}: {}", decision.reason.code()))
}

/// Finishes the jobs of runs that were dealt with, and returns those of runs that somebody else holds.
pub(super) async fn acknowledge(
    tx: &mut DatabaseTransaction,
    settled: &[Settled],
    jobs: &[ClaimedJob],
) -> Result<()> {
    if jobs.is_empty() {
        return Ok(());
    }
    let results: HashMap<RunId, &Settlement> = settled
        .iter()
        .map(|settled| (settled.run, &settled.result))
        .collect();
    let (released, finished): (Vec<_>, Vec<_>) = jobs
        .iter()
        .filter_map(|job| Some((job, *results.get(&job.run)?)))
        .partition(|(_, result)| matches!(result, Settlement::Locked));
    tx.finish_jobs(&finished.iter().map(|(job, _)| *job).collect::<Vec<_>>())
        .await?;
    tx.release_jobs(&released.iter().map(|(job, _)| *job).collect::<Vec<_>>())
        .await
}

/// A verdict that is ready to be written.
struct PreparedVerdict {
    assessment: Assessment,
    record: Record,
}

impl PreparedVerdict {
    fn run(&self) -> RunId {
        self.assessment.facts.run.id
    }
}

impl Round {
    fn add(&mut self, verdict: PreparedVerdict) {
        let run = verdict.run();
        self.decisions
            .insert(run, verdict.record.ledger.decision_id);
        let result = Settlement::Committed(Box::new(verdict.assessment));
        self.settled.push(Settled { run, result });
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
) -> Result<(Vec<PreparedVerdict>, Vec<Deferral<'a>>)> {
    let mut verdicts = Vec::new();
    let mut deferrals = Vec::new();
    for (found, assessment) in locked.iter().zip(assessments) {
        let Assessment { facts, decision } = &assessment;
        let record = record(&found.row, facts, decision, &with.by)
            .map_err(|error| StoreError::refused("prepare a verdict", error))?;
        if let Some(record) = record {
            verdicts.push(PreparedVerdict { assessment, record });
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

/// Closes runs, which nobody else can have closed since they were locked, and writes their ledger and audit entries.
async fn write_verdicts(tx: &mut DatabaseTransaction, verdicts: &[PreparedVerdict]) -> Result<()> {
    if verdicts.is_empty() {
        return Ok(());
    }
    let records = || verdicts.iter().map(|verdict| &verdict.record);
    let updates: Vec<_> = records().map(|record| &record.run).collect();
    let closed = tx.close_runs(&updates).await?;
    let ledger: Vec<_> = records().map(|record| &record.ledger).collect();
    tx.insert_ledger(&ledger).await?;
    let audits: Vec<_> = records().map(|record| &record.audit).collect();
    let audited = tx.insert_audits(&audits).await?;
    check_written(tx, &updates, &Counted { closed, audited }).await?;
    let runs: Vec<RunId> = verdicts.iter().map(PreparedVerdict::run).collect();
    tx.unwatch(&runs).await
}

/// What became of the runs that were not locked: closed, of another type, held, suspected, or not there.
async fn look_past(
    tx: &mut DatabaseTransaction,
    batch: &[RunId],
    locked: &[FoundRun],
    lock: Lock,
    policy: &Policy,
    stages: Laps,
) -> Result<Round> {
    let mut round = Round {
        settled: Vec::with_capacity(batch.len()),
        decisions: HashMap::with_capacity(locked.len()),
        suspects: Vec::new(),
        stages,
        commit: Span::none(),
    };
    let held: HashSet<RunId> = locked.iter().map(|run| run.row.id).collect();
    let rest: Vec<RunId> = batch
        .iter()
        .copied()
        .filter(|run| !held.contains(run))
        .collect();
    if rest.is_empty() {
        return Ok(round);
    }
    let found = tx.load_runs(&rest).await?;
    // What is in other hands may as well be paused; most of the time nothing is looked past.
    let pauses = tx.load_pauses().await?;
    let is_paused = |found: &FoundRun| {
        let workspace = found.row.workspace_id;
        pauses.iter().any(|pause| pause.covers(workspace))
            && is_open(&RunFacts::parse(&found.row, policy))
    };
    let mut found: HashMap<RunId, FoundRun> =
        found.into_iter().map(|run| (run.row.id, run)).collect();
    for run in rest {
        match found.remove(&run) {
            Some(found) if is_paused(&found) => {
                let result = Settlement::Paused;
                round.settled.push(Settled { run, result });
            }
            // Where suspects were to be locked as well, one that was not is in other hands.
            Some(found)
                if !lock.suspects
                    && found.is_suspect
                    && is_open(&RunFacts::parse(&found.row, policy)) =>
            {
                round.suspects.push(run);
            }
            found => {
                let result = seen_only(found, tx.as_of, policy);
                round.settled.push(Settled { run, result });
            }
        }
    }
    Ok(round)
}

/// What became of a run that was looked at and not locked.
pub(super) fn seen_only(found: Option<FoundRun>, as_of: Timestamp, policy: &Policy) -> Settlement {
    let Some(found) = found else {
        return Settlement::Absent;
    };
    let facts = RunFacts::parse(&found.row, policy);
    if is_open(&facts) {
        return Settlement::Locked;
    }
    // The run itself decides, so nothing is read of its proof.
    let facts = Facts::gather(as_of, policy, facts, &[], None, &[], &[]);
    let decision = decide(&facts);
    Settlement::Deferred(Box::new(Assessment { facts, decision }), None)
}

fn is_open(run: &RunFacts) -> bool {
    run.is_restore_execute && matches!(run.status, RunStatus::Queued | RunStatus::Running)
}
