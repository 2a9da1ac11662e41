//! `enqueue RUN…`: queues a job for each run that is open.

use std::collections::{HashMap, HashSet};

use reconciler_jobs::ids::RunId;
use reconciler_jobs::restore_execute::reason::CLAIM_BOUNDARY;

use super::exit::Exit;
use super::output::{Asked, AskedRun, AskedState, ClaimBoundary, Document, State, Word};
use super::screen::{Output, Screen};
use super::session::Session;
use super::verdict;
use crate::storage::Store;
use crate::storage::oversight::Standing;

/// Why a job was queued, as its payload says it.
const CAUSE: &str = "command";

/// Runs to queue a job for.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Ids of operation runs.
    #[arg(value_name = "RUN", required = true, value_parser = clap::value_parser!(i64).range(1..))]
    runs: Vec<i64>,
}

/// Queues jobs and says for each run whether one was queued, and why not. A worker decides the runs. The jobs
/// belong to the trace that the environment names.
pub(super) async fn run(session: &mut Session<'_>, args: &Args) -> anyhow::Result<Exit> {
    let store = session.open_for_work().await?;
    let runs = distinct(&args.runs);
    let found = look_up(&*store, &runs).await?;
    let open: Vec<RunId> = runs
        .iter()
        .copied()
        .filter(|run| found.get(run).is_some_and(may_be_queued))
        .collect();
    let trace = session.environment.trace();
    let queued = store.request(&open, CAUSE, trace).await?;
    let queued: HashSet<RunId> = queued.into_iter().collect();
    let state = |standing: &Standing| match standing {
        _ if queued.contains(&standing.run) => AskedState::Queued,
        _ if standing.is_dead() => AskedState::DeadLetter,
        _ => AskedState::NotQueued,
    };
    // Looked up again: a run that the queue took no job for may have been closed meanwhile.
    let found = look_up(&*store, &runs).await?;
    let mut answers = Vec::with_capacity(runs.len());
    for run in runs {
        answers.push(match found.get(&run) {
            Some(standing) if queued.contains(&run) => answer(standing, AskedState::Queued),
            standing => answer_for(&*store, run, standing, state).await?,
        });
    }
    show(answers, Document::Enqueue, session.screen)
}

fn may_be_queued(standing: &Standing) -> bool {
    standing.is_ours() && standing.is_open() && !standing.is_dead()
}

/// The runs that were named, each once, in their order.
pub(super) fn distinct(runs: &[i64]) -> Vec<RunId> {
    let mut seen = HashSet::new();
    let runs = runs.iter().copied().map(RunId);
    runs.filter(|run| seen.insert(*run)).collect()
}

/// What is remembered of the runs that exist.
pub(super) async fn look_up(
    store: &dyn Store,
    runs: &[RunId],
) -> anyhow::Result<HashMap<RunId, Standing>> {
    let standings = store.load_standings(runs).await?;
    Ok(standings
        .into_iter()
        .map(|standing| (standing.run, standing))
        .collect())
}

/// What became of a run: `state` says it of one that is open, the run itself of all others.
pub(super) async fn answer_for(
    store: &dyn Store,
    run: RunId,
    standing: Option<&Standing>,
    state: impl Fn(&Standing) -> AskedState,
) -> anyhow::Result<AskedRun> {
    let Some(standing) = standing else {
        return Ok(AskedRun {
            run: run.0,
            state: AskedState::Absent,
            decision: None,
            workspace: None,
            environment: None,
        });
    };
    if !standing.is_ours() {
        return Ok(answer(standing, AskedState::UnsupportedType));
    }
    if standing.is_open() {
        return Ok(answer(standing, state(standing)));
    }
    let on_record = verdict::on_record(store, run).await?;
    let closed = verdict::closed(run, on_record.as_ref());
    let state = match closed.state {
        State::DecidedBefore => AskedState::DecidedBefore,
        State::LedgerAltered => AskedState::LedgerAltered,
        _ => AskedState::ClosedElsewhere,
    };
    Ok(AskedRun {
        decision: closed.decision,
        ..answer(standing, state)
    })
}

fn answer(standing: &Standing, state: AskedState) -> AskedRun {
    AskedRun {
        run: standing.run.0,
        state,
        decision: None,
        workspace: Some(standing.workspace.0),
        environment: standing.environment.map(|id| id.0),
    }
}

/// Shows what became of each run, and derives the exit code from it.
pub(super) fn show(
    runs: Vec<AskedRun>,
    document: impl Fn(Asked) -> Document,
    screen: &mut Screen,
) -> anyhow::Result<Exit> {
    let exit = Exit::of_all(runs.iter().map(AskedRun::exit));
    let asked = Asked {
        runs,
        claim_boundary: ClaimBoundary::default(),
    };
    if screen.output == Output::Json {
        screen.json(&document(asked))?;
        return Ok(exit);
    }
    screen.table(
        ["RUN", "WORKSPACE", "ENVIRONMENT", "STATE", "NEXT"],
        asked.runs.iter().map(row),
    )?;
    let claims = |asked: &AskedRun| asked.decision == Some(Word::Succeeded);
    if asked.runs.iter().any(claims) {
        screen.line(CLAIM_BOUNDARY)?;
    }
    Ok(exit)
}

fn row(asked: &AskedRun) -> [String; 5] {
    let (state, next) = in_words(asked.state);
    let state = match asked.decision {
        Some(decision) => format!("{state}: {}", decision.name()),
        None => state.to_owned(),
    };
    [
        asked.run.to_string(),
        id(asked.workspace),
        id(asked.environment),
        state,
        next.to_owned(),
    ]
}

/// An id as tables show it.
pub(super) fn id(id: Option<i64>) -> String {
    id.map_or_else(|| "-".to_owned(), |id| id.to_string())
}

/// What became of a run, and what to do next.
fn in_words(state: AskedState) -> (&'static str, &'static str) {
    match state {
        AskedState::Queued => ("a job was queued", "A worker looks at the run soon."),
        AskedState::NotQueued => (
            "open, but no job was queued",
            "Run `restore-reconciler doctor`; the next sweep finds the run.",
        ),
        AskedState::DeadLetter => (
            "a dead letter; no job was queued",
            "Read `restore-reconciler queue show RUN`, then let it start over with `queue retry RUN`.",
        ),
        AskedState::StartsOver => ("starts over", "A worker looks at the run soon."),
        AskedState::DueAlready => ("due already", "A worker looks at the run soon."),
        AskedState::NotInTrouble => (
            "open and not in trouble; nothing to retry",
            "To have it looked at soon, use `restore-reconciler enqueue RUN`.",
        ),
        AskedState::Dropped => (
            "dropped; the run stays open, nothing is proven",
            "It is never tried again until `restore-reconciler queue retry RUN`.",
        ),
        AskedState::DroppedBefore => (
            "dropped before; the run stays open, nothing is proven",
            "It is never tried again until `restore-reconciler queue retry RUN`.",
        ),
        AskedState::NotDead => (
            "open and no dead letter; nothing was dropped",
            "Read `restore-reconciler queue show RUN`.",
        ),
        AskedState::DecidedBefore => ("closed, with a verdict on record", "Nothing."),
        AskedState::LedgerAltered => (
            "closed; its ledger entry was altered",
            "Find out who changed the ledger.",
        ),
        AskedState::ClosedElsewhere => (
            "closed elsewhere; not proven",
            "Find out who closed the run; no verdict of ours is on record.",
        ),
        AskedState::UnsupportedType => (
            "not a restore.execute run",
            "Name a run of type restore.execute.",
        ),
        AskedState::Absent => ("does not exist", "Check the run's id."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATES: [AskedState; 14] = [
        AskedState::Queued,
        AskedState::NotQueued,
        AskedState::DeadLetter,
        AskedState::StartsOver,
        AskedState::DueAlready,
        AskedState::NotInTrouble,
        AskedState::Dropped,
        AskedState::DroppedBefore,
        AskedState::NotDead,
        AskedState::DecidedBefore,
        AskedState::LedgerAltered,
        AskedState::ClosedElsewhere,
        AskedState::UnsupportedType,
        AskedState::Absent,
    ];

    /// A dropped run is still open. Whoever reads only its line must not take it for done.
    #[test]
    fn no_words_about_a_run_claim_more_than_its_state() {
        for state in STATES {
            let (said, next) = in_words(state);
            let text = format!("{said} {next}").to_lowercase();
            for claim in ["succeeded", "restored", "resolved", "done"] {
                assert!(!text.contains(claim), "{state:?}: {text}");
            }
        }
        for state in [AskedState::Dropped, AskedState::DroppedBefore] {
            let said = in_words(state).0;
            assert!(
                said.contains("stays open") && said.contains("nothing is proven"),
                "{said}"
            );
        }
    }
}
