//! `wait RUN…`: waits until each run is closed, and ends with the exit code of its verdict. Decides nothing.

use std::time::Duration;

use jiff::SignedDuration;
use reconciler_jobs::ids::RunId;
use reconciler_jobs::restore_execute::Policy;

use super::exit::Exit;
use super::interruption::Interruption;
use super::output::{Document, Reconciled};
use super::progress::Progress;
use super::results::{distinct, show};
use super::session::Session;
use super::since::age;
use crate::clock::Stopwatch;
use crate::storage::reader::{QueueStanding, Reader, Workspaces};
use crate::storage::{Access, Store, StoreError};
use crate::views::ClaimBoundary;
use crate::views::verdict::{RefusedVerdict, RunFate, RunResult, Verdict};

/// How often it is looked whether a run is closed.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Runs to wait for.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Ids of operation runs.
    #[arg(value_name = "RUN", required = true, value_parser = clap::value_parser!(i64).range(1..))]
    runs: Vec<i64>,
    /// Give up after so long, such as `10m`; without it, wait for as long as it takes.
    #[arg(long, value_name = "AGE", value_parser = age)]
    timeout: Option<SignedDuration>,
}

/// Waits for the verdicts of the runs that are named.
pub(super) async fn run(session: &mut Session<'_>, args: &Args) -> anyhow::Result<Exit> {
    let store = session.open_migrated(Access::Read).await?;
    await_verdicts(session, &store, &distinct(&args.runs), args.timeout).await
}

/// Waits until none of the runs is open that a worker may still decide, and shows how each stands. A run that nobody tries
/// again is not waited for. After the timeout or Ctrl-C, shows why each run is open that is.
pub(super) async fn await_verdicts(
    session: &mut Session<'_>,
    store: &Store,
    runs: &[RunId],
    timeout: Option<SignedDuration>,
) -> anyhow::Result<Exit> {
    let policy = session.config.rules.policy();
    let reader = store.reader();
    let interruption = Interruption::default();
    let timeout = timeout.map(SignedDuration::unsigned_abs);
    let mut progress = Progress::new(session.screen, "waiting", runs.len() as u64);
    let waiting = async {
        let since = Stopwatch::start();
        loop {
            let standings = reader.load_standings(&Workspaces::All, runs).await?;
            let open = standings.iter().filter(|it| is_awaited(it)).count();
            progress.show("waiting", (runs.len() - open) as u64, runs.len() as u64);
            let left = timeout.map(|timeout| timeout.saturating_sub(since.elapsed()));
            if open == 0
                || left.is_some_and(|left| left.is_zero())
                || interruption.wish().is_break()
            {
                return Ok(standings);
            }
            tokio::time::sleep(left.map_or(LOOK_EVERY, |left| left.min(LOOK_EVERY))).await;
        }
    };
    let standings = interruption.heed_during(waiting).await?;
    drop(progress);
    let mut results = Vec::with_capacity(runs.len());
    for run in runs {
        let standing = standings.iter().find(|it| it.run == *run);
        results.push(result_of(&reader, *run, standing, &policy).await?);
    }
    let waited = Reconciled {
        complete: !standings.iter().any(is_awaited),
        runs: results,
        claim_boundary: ClaimBoundary::default(),
    };
    let exit = Exit::of_all(waited.runs.iter().map(Exit::from));
    show(waited, Document::Wait, session.screen)?;
    Ok(exit)
}

/// Whether somebody may still decide it.
fn is_awaited(standing: &QueueStanding) -> bool {
    standing.is_ours() && standing.is_open() && !standing.is_dead()
}

async fn result_of(
    reader: &Reader,
    run: RunId,
    standing: Option<&QueueStanding>,
    policy: &Policy,
) -> Result<RunResult, StoreError> {
    let assessed = reader.assess(&Workspaces::All, &[run], policy).await?;
    let Some(assessment) = assessed.into_iter().next() else {
        return Ok(RunResult::undecided(run, RunFate::Absent));
    };
    let verdict = reader.load_verdict(&Workspaces::All, run).await?;
    let verdict = verdict.as_ref().map(Verdict::from);
    let refusal = standing.and_then(QueueStanding::refusal);
    Ok(match refusal.as_ref().map(RefusedVerdict::from) {
        Some(refusal) => RunResult::refused(run, Some(refusal.again_at), refusal.said),
        None => RunResult::awaited(&assessment, verdict.as_ref()),
    })
}
