//! `wait RUN…`: waits until each run is closed, and ends with the exit code of its verdict. Decides nothing.

use std::time::Duration;

use jiff::SignedDuration;
use reconciler_jobs::ids::RunId;
use reconciler_jobs::quantity;
use reconciler_jobs::restore_execute::Policy;
use reconciler_jobs::sweep::admission::Admission;

use super::exit::Exit;
use super::interruption::Interruption;
use super::output::{Document, Reconciled};
use super::results::{distinct, show};
use super::session::Session;
use super::since::age;
use crate::clock::Stopwatch;
use crate::storage::reader::{QueueStanding, Reader, Workspaces};
use crate::storage::{Access, ErrorKind, Store, StoreError};
use crate::views::verdict::{RefusedVerdict, RunFate, RunResult, Verdict};
use crate::views::{ClaimBoundary, Moment};

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
/// again, that is paused, or that this configuration has only observed, is not waited for. After the timeout or Ctrl-C,
/// shows why each run is open that is.
pub(super) async fn await_verdicts(
    session: &mut Session<'_>,
    store: &Store,
    runs: &[RunId],
    timeout: Option<SignedDuration>,
) -> anyhow::Result<Exit> {
    let policy = session.config.rules.policy();
    let admission = session.config.settling.admission();
    let reader = store.reader();
    let interruption = Interruption::default();
    let timeout = timeout.map(SignedDuration::unsigned_abs);
    let screen = &mut *session.screen;
    let waiting = async {
        let since = Stopwatch::start();
        let mut said = runs.len() + 1;
        loop {
            let standings = match reader.load_standings(&Workspaces::All, runs).await {
                Err(error) if error.kind() == ErrorKind::Transient => None,
                found => Some(found?),
            };
            let awaited = |found: &Vec<QueueStanding>| {
                let awaited = found.iter().filter(|it| is_awaited(it, &admission));
                awaited.count()
            };
            let open = standings.as_ref().map_or(runs.len(), awaited);
            if open < said && open > 0 && !screen.output.is_json() {
                said = open;
                let all = quantity(runs.len() as u64, "run");
                screen.note(&format!("waiting for {open} of {all}"));
            }
            let left = timeout.map(|timeout| timeout.saturating_sub(since.elapsed()));
            let is_over = left.is_some_and(|left| left.is_zero());
            if open == 0 || is_over || interruption.wish().is_break() {
                break;
            }
            tokio::time::sleep(left.map_or(LOOK_EVERY, |left| left.min(LOOK_EVERY))).await;
        }
        let standings = reader.load_standings(&Workspaces::All, runs).await?;
        let mut results = Vec::with_capacity(runs.len());
        for run in runs {
            let standing = standings.iter().find(|it| it.run == *run);
            let result = match standing {
                None => RunResult::undecided(*run, RunFate::Absent),
                Some(standing) => result_of(&reader, standing, &policy, &admission).await?,
            };
            results.push(result);
        }
        Ok(results)
    };
    let runs = interruption.heed_during(waiting).await?;
    let waited = Reconciled {
        complete: !runs.iter().any(|it| it.state == RunFate::Open),
        runs,
        claim_boundary: ClaimBoundary::default(),
    };
    let exit = Exit::of_all(waited.runs.iter().map(Exit::from));
    show(waited, Document::Wait, session.screen)?;
    Ok(exit)
}

/// Whether somebody may still decide it.
fn is_awaited(standing: &QueueStanding, admission: &Admission) -> bool {
    standing.is_ours()
        && standing.is_open()
        && !standing.is_dead()
        && standing.pause.is_none()
        && admission.admits_workspace(standing.workspace)
}

/// How a run stands. Nothing of a suspect is parsed: that may be what ended those who tried it.
async fn result_of(
    reader: &Reader,
    standing: &QueueStanding,
    policy: &Policy,
    admission: &Admission,
) -> Result<RunResult, StoreError> {
    let run = standing.run;
    if standing.is_ours() && !standing.is_open() {
        let verdict = reader.load_verdict(&Workspaces::All, run).await?;
        return Ok(RunResult::closed(
            run,
            verdict.as_ref().map(Verdict::from).as_ref(),
        ));
    }
    if standing.is_open() && standing.pause.is_some() {
        return Ok(RunResult::undecided(run, RunFate::Paused));
    }
    if let Some(attempts) = standing.attempts.as_ref().filter(|_| standing.is_open()) {
        return Ok(RunResult {
            look_again_at: attempts.try_again_at.map(Moment),
            ..RunResult::undecided(run, RunFate::Suspended)
        });
    }
    if let Some(refusal) = standing.refusal().as_ref().map(RefusedVerdict::from) {
        return Ok(RunResult::refused(
            run,
            Some(refusal.again_at),
            refusal.said,
        ));
    }
    if standing.is_ours() && !admission.admits_workspace(standing.workspace) {
        return Ok(RunResult::undecided(run, RunFate::Observed));
    }
    match reader.assess(&Workspaces::All, &[run], policy).await {
        Ok(assessed) => Ok(assessed.first().map_or_else(
            || RunResult::undecided(run, RunFate::Absent),
            RunResult::awaited,
        )),
        Err(error) if error.kind() == ErrorKind::Refused => {
            Ok(RunResult::refused(run, None, Some(error.to_string())))
        }
        Err(error) => Err(error),
    }
}
