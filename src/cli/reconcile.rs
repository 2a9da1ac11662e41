//! `reconcile RUN…`: decides the runs that are named, now.

use std::collections::{HashMap, HashSet};

use reconciler_jobs::ids::RunId;
use reconciler_jobs::restore_execute::ReasonCode;
use reconciler_jobs::restore_execute::reason::CLAIM_BOUNDARY;
use reconciler_jobs::restore_execute::record::Source;
use reconciler_jobs::sweep::Watch;

use super::exit::Exit;
use super::output::{ClaimBoundary, Document, Reconciled, RunResult, State, Word, missing, moment};
use super::screen::{Output, Screen};
use super::session::Session;
use super::verdict;
use crate::storage::{Access, Assessment, Settlement, Store, StoreError};

/// Runs to reconcile.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Ids of operation runs.
    #[arg(value_name = "RUN", required = true, value_parser = clap::value_parser!(i64).range(1..))]
    runs: Vec<i64>,
}

/// Settles the runs and shows what became of each. After an error, shows what was committed before.
pub(super) async fn run(session: &mut Session<'_>, args: &Args) -> anyhow::Result<Exit> {
    let store = session.open_migrated(Access::Write).await?;
    let mut seen = HashSet::new();
    let runs: Vec<RunId> = args.runs.iter().copied().map(RunId).collect();
    let runs: Vec<RunId> = runs.into_iter().filter(|run| seen.insert(*run)).collect();
    let mut settled = Vec::with_capacity(runs.len());
    let settling = session.settling(Source::Command);
    let mut done = store.settle(&runs, &settling, &mut settled).await;

    let mut results: HashMap<RunId, Settlement> = settled
        .into_iter()
        .map(|settled| (settled.run, settled.result))
        .collect();
    let mut found = Vec::with_capacity(runs.len());
    for run in runs {
        let Some(settlement) = results.remove(&run) else {
            continue;
        };
        match result_of(&*store, run, settlement).await {
            Ok(result) => found.push(result),
            Err(error) => done = done.and(Err(error)),
        }
    }
    let exit = Exit::of_all(found.iter().map(RunResult::exit));
    let reconciled = Reconciled {
        complete: done.is_ok(),
        runs: found,
        claim_boundary: ClaimBoundary::default(),
    };
    show(reconciled, session.screen)?;
    done?;
    Ok(exit)
}

async fn result_of(
    store: &dyn Store,
    run: RunId,
    settlement: Settlement,
) -> Result<RunResult, StoreError> {
    let state = match settlement {
        Settlement::Committed(assessment) => return Ok(decided(State::Decided, &assessment)),
        Settlement::Deferred(assessment, _)
            if assessment.decision.reason == ReasonCode::AlreadyTerminal =>
        {
            State::ClosedElsewhere
        }
        Settlement::Deferred(assessment, watch) => {
            let look_again_at = moment(watch.map(|watch| watch.look_again_at));
            return Ok(RunResult {
                look_again_at,
                ..decided(State::Deferred, &assessment)
            });
        }
        Settlement::Refused { watch, error } => return Ok(refused(run, watch, error)),
        Settlement::Suspended { until, .. } => {
            return Ok(RunResult {
                look_again_at: moment(until),
                ..undecided(run, State::Suspended)
            });
        }
        Settlement::Lost => State::ClosedElsewhere,
        Settlement::Locked => State::Locked,
        Settlement::Absent => State::Absent,
    };
    if state == State::ClosedElsewhere {
        let on_record = verdict::on_record(store, run).await?;
        return Ok(verdict::closed(run, on_record.as_ref()));
    }
    Ok(undecided(run, state))
}

/// A run with a decision of this moment.
pub(super) fn decided(state: State, assessment: &Assessment) -> RunResult {
    let Assessment { facts, decision } = assessment;
    RunResult {
        decision: Some(Word::of(decision)),
        reason: Some(decision.reason.into()),
        rule: Some(decision.rule),
        missing: missing(decision),
        ..undecided(facts.run.id, state)
    }
}

fn refused(run: RunId, watch: Option<Watch>, error: String) -> RunResult {
    RunResult {
        reason: Some(ReasonCode::SettleFailed.into()),
        look_again_at: moment(watch.map(|watch| watch.look_again_at)),
        error: Some(error),
        ..undecided(run, State::Refused)
    }
}

fn undecided(run: RunId, state: State) -> RunResult {
    RunResult {
        run: run.0,
        state,
        decision: None,
        reason: None,
        rule: None,
        missing: Vec::new(),
        look_again_at: None,
        error: None,
    }
}

fn show(reconciled: Reconciled, screen: &mut Screen) -> anyhow::Result<()> {
    if screen.output == Output::Json {
        return Ok(screen.json(&Document::Reconcile(reconciled))?);
    }
    let Reconciled { runs, .. } = &reconciled;
    screen.table(
        ["RUN", "DECISION", "REASON, - MISSING", "NEXT ACTION"],
        runs.iter().map(row),
    )?;
    for refused in runs.iter().filter(|result| result.error.is_some()) {
        let error = refused.error.as_deref().unwrap_or_default();
        screen.line(&format!("Run {} was refused: {error}", refused.run))?;
    }
    if runs
        .iter()
        .any(|result| result.decision == Some(Word::Succeeded))
    {
        screen.line(CLAIM_BOUNDARY)?;
    }
    Ok(())
}

fn row(result: &RunResult) -> [String; 4] {
    let reason = result.reason.iter().map(|reason| reason.code.clone());
    let missing = result.missing.iter().map(|code| format!("- {code}"));
    [
        result.run.to_string(),
        verdict::in_words(result),
        reason.chain(missing).collect::<Vec<_>>().join("\n"),
        verdict::next_action(result),
    ]
}
