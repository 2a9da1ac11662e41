//! `enqueue RUN…`: queues a job for each run that is open.

use std::collections::{HashMap, HashSet};

use jiff::SignedDuration;
use reconciler_jobs::ids::RunId;
use reconciler_jobs::restore_execute::reason::CLAIM_BOUNDARY;

use super::exit::Exit;
use super::output::{Document, RequestReport};
use super::results::distinct;
use super::screen::Screen;
use super::session::Session;
use super::since::age;
use super::table::{kept, spare};
use super::wait::await_verdicts;
use crate::storage::ActionVerb;
use crate::storage::reader::{QueueStanding, Reader, Workspaces};
use crate::views::ClaimBoundary;
use crate::views::queue::{RequestState, RequestedRun};
use crate::views::verdict::{DecisionWord, RunFate, RunResult, Verdict};

/// Runs to queue a job for.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Ids of operation runs.
    #[arg(value_name = "RUN", required = true, value_parser = clap::value_parser!(i64).range(1..))]
    runs: Vec<i64>,
    /// Wait for their verdicts, as `wait` does, and end with the exit code that it would have.
    #[arg(long)]
    wait: bool,
    /// With `--wait`, give up after so long, such as `10m`.
    #[arg(long, value_name = "AGE", value_parser = age, requires = "wait")]
    timeout: Option<SignedDuration>,
}

/// Queues jobs and says for each run whether one was queued, and why not. A worker decides the runs. The jobs
/// belong to the trace that the environment names.
pub(super) async fn run(session: &mut Session<'_>, args: &Args) -> anyhow::Result<Exit> {
    let store = session.open_for_work().await?;
    let reader = store.reader();
    let runs = distinct(&args.runs);
    let found = reader.load_standings(&Workspaces::All, &runs).await?;
    let open: Vec<RunId> = found
        .iter()
        .filter(|run| run.is_ours() && run.is_open() && !run.is_dead())
        .map(|run| run.run)
        .collect();
    let action = session.action(ActionVerb::Enqueue, None);
    let queued = store.enqueue(&open, &action).await?;
    if args.wait {
        return await_verdicts(session, &store, &runs, args.timeout).await;
    }
    let queued: HashSet<i64> = queued.into_iter().map(|run| run.0).collect();
    // Looked up again: a run that the queue took no job for may have been closed meanwhile.
    let mut results = results_of(&reader, &runs, |standing| {
        if standing.is_dead() {
            RequestState::DeadLetter
        } else {
            RequestState::NotQueued
        }
    })
    .await?;
    let is_queued =
        |it: &&mut RequestedRun| queued.contains(&it.run) && it.state != RequestState::Absent;
    for result in results.iter_mut().filter(is_queued) {
        result.state = RequestState::Queued;
        result.decision = None;
    }
    show(results, Document::Enqueue, session.screen)
}

/// What became of runs: `state` says it of those that are open, the runs themselves of all others.
pub(super) async fn results_of(
    reader: &Reader,
    runs: &[RunId],
    state: impl Fn(&QueueStanding) -> RequestState,
) -> anyhow::Result<Vec<RequestedRun>> {
    let found = reader.load_standings(&Workspaces::All, runs).await?;
    let found: HashMap<RunId, QueueStanding> =
        found.into_iter().map(|run| (run.run, run)).collect();
    let mut results = Vec::with_capacity(runs.len());
    for run in runs {
        let standing = found.get(run);
        let (state, decision) = match standing {
            None => (RequestState::Absent, None),
            Some(standing) if !standing.is_ours() => (RequestState::UnsupportedType, None),
            Some(standing) if standing.is_open() => (state(standing), None),
            Some(_) => {
                let record = reader.load_verdict(&Workspaces::All, *run).await?;
                let verdict = record.as_ref().map(Verdict::from);
                let closed = RunResult::closed(*run, verdict.as_ref());
                let state = match closed.state {
                    RunFate::DecidedBefore => RequestState::DecidedBefore,
                    RunFate::LedgerAltered => RequestState::LedgerAltered,
                    _ => RequestState::ClosedElsewhere,
                };
                (state, closed.decision)
            }
        };
        results.push(RequestedRun {
            run: run.0,
            state,
            decision,
            workspace: standing.map(|standing| standing.workspace.0),
            environment: standing.and_then(|standing| Some(standing.environment?.0)),
        });
    }
    Ok(results)
}

impl From<&RequestedRun> for Exit {
    /// The code for this run alone.
    fn from(requested: &RequestedRun) -> Self {
        match requested.state {
            RequestState::Queued
            | RequestState::StartsOver
            | RequestState::DueAlready
            | RequestState::NotInTrouble
            | RequestState::Dropped
            | RequestState::DroppedBefore => Self::Done,
            RequestState::DecidedBefore => requested.decision.map_or(Self::Undecided, Self::from),
            RequestState::DeadLetter
            | RequestState::NotDead
            | RequestState::LedgerAltered
            | RequestState::ClosedElsewhere
            | RequestState::UnsupportedType => Self::Undecided,
            RequestState::NotQueued | RequestState::Absent => Self::CouldNotRun,
        }
    }
}

/// Shows what became of each run, and derives the exit code from it.
pub(super) fn show(
    runs: Vec<RequestedRun>,
    document: impl Fn(RequestReport) -> Document,
    screen: &mut Screen,
) -> anyhow::Result<Exit> {
    let exit = Exit::of_all(runs.iter().map(Exit::from));
    let requested = RequestReport {
        runs,
        claim_boundary: ClaimBoundary::default(),
    };
    if screen.output.is_json() {
        screen.json(&document(requested))?;
        return Ok(exit);
    }
    screen.table(
        [
            kept("RUN"),
            spare(1, "WORKSPACE"),
            spare(2, "ENVIRONMENT"),
            kept("STATE"),
            kept("NEXT"),
        ],
        requested.runs.iter().map(row),
    )?;
    let claims = |run: &RequestedRun| run.decision == Some(DecisionWord::Succeeded);
    if requested.runs.iter().any(claims) {
        screen.line(CLAIM_BOUNDARY)?;
    }
    Ok(exit)
}

fn row(requested: &RequestedRun) -> [String; 5] {
    let (state, next) = (requested.state.said(), requested.state.next());
    let state = match requested.decision {
        Some(decision) => format!("{state}: {}", decision.name()),
        None => state.to_owned(),
    };
    [
        requested.run.to_string(),
        id(requested.workspace),
        id(requested.environment),
        state,
        next.to_owned(),
    ]
}

/// An id as tables show it.
pub(super) fn id(id: Option<i64>) -> String {
    id.map_or_else(|| "-".to_owned(), |id| id.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A dropped run is still open. Whoever reads only its line must not take it for done.
    #[test]
    fn no_words_about_a_run_claim_more_than_its_state() {
        for state in RequestState::ALL {
            let text = format!("{} {}", state.said(), state.next()).to_lowercase();
            for claim in ["succeeded", "restored", "resolved", "done"] {
                assert!(!text.contains(claim), "{state:?}: {text}");
            }
        }
        for state in [RequestState::Dropped, RequestState::DroppedBefore] {
            let said = state.said();
            assert!(
                said.contains("stays open") && said.contains("nothing is proven"),
                "{said}"
            );
        }
    }
}
