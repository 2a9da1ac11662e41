//! `queue retry` and `queue drop`: a run in trouble starts over, or is left alone.
//!
//! Neither decides anything about a run, and both may be repeated.

use std::collections::HashSet;

use reconciler_jobs::ids::{RunId, WorkspaceId};
use reconciler_jobs::restore_execute::ReasonCode;

use crate::cli::enqueue::{results_of, show};
use crate::cli::exit::Exit;
use crate::cli::output::{Document, PauseReport};
use crate::cli::results::distinct;
use crate::cli::session::Session;
use crate::storage::reader::{QueueScope, QueueStanding, Workspaces};
use crate::storage::{Access, Action, ActionVerb, QueueState, Store};
use crate::views::queue::{RequestState, RequestedRun};

/// How many dead letters start over together.
const PAGE_MAX: u32 = 1_000;

/// Runs that are to start over.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct RetryArgs {
    /// Ids of operation runs.
    #[arg(value_name = "RUN", required_unless_present = "dead", conflicts_with = "dead",
          value_parser = clap::value_parser!(i64).range(1..))]
    runs: Vec<i64>,
    /// All dead letters that are not dropped.
    #[arg(long)]
    dead: bool,
    /// Why, for whoever reads the run's timeline later.
    #[arg(long, value_name = "TEXT", value_parser = Action::reason_of)]
    reason: Option<String>,
}

/// Dead letters that are to be left alone.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct DropArgs {
    /// Ids of operation runs.
    #[arg(value_name = "RUN", required = true, value_parser = clap::value_parser!(i64).range(1..))]
    runs: Vec<i64>,
    /// Why, for whoever reads the run's timeline later.
    #[arg(long, value_name = "TEXT", value_parser = Action::reason_of)]
    reason: String,
}

/// What is to be paused.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct PauseArgs {
    /// Only this workspace.
    #[arg(long, value_name = "ID", value_parser = clap::value_parser!(i64).range(1..))]
    workspace: Option<i64>,
    /// Why, for whoever finds it paused.
    #[arg(long, value_name = "TEXT", value_parser = Action::reason_of)]
    reason: String,
}

/// What is to be resumed.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct ResumeArgs {
    /// This workspace, which was paused alone.
    #[arg(long, value_name = "ID", value_parser = clap::value_parser!(i64).range(1..))]
    workspace: Option<i64>,
    /// Why, for whoever reads it later.
    #[arg(long, value_name = "TEXT", value_parser = Action::reason_of)]
    reason: Option<String>,
}

/// Lets runs start over: a dead letter or a suspended run is tried afresh, still alone, and a refused one is
/// due now.
pub(super) async fn retry(session: &mut Session<'_>, args: &RetryArgs) -> anyhow::Result<Exit> {
    let store = session.open_for_work().await?;
    let action = session.action(ActionVerb::Retry, args.reason.as_deref());
    let results = if args.dead {
        retry_dead(&store, &action).await?
    } else {
        retry_runs(&store, &distinct(&args.runs), &action).await?
    };
    if args.dead && results.is_empty() {
        session.screen.note("There are no dead letters.");
    }
    show(results, Document::QueueRetry, session.screen)
}

/// Page after page; a page of which no run starts over is the last one.
async fn retry_dead(store: &Store, action: &Action) -> anyhow::Result<Vec<RequestedRun>> {
    let scope = QueueScope {
        states: vec![QueueState::DeadLetter],
        of: Workspaces::All,
        workspace: None,
        live_only: false,
        limit: PAGE_MAX,
    };
    let reader = store.reader();
    let mut results = Vec::new();
    loop {
        let entries = reader.load_queue(&scope).await?.entries;
        let runs: Vec<RunId> = entries.iter().filter_map(|entry| entry.run).collect();
        let page = retry_runs(store, &runs, action).await?;
        let any = page
            .iter()
            .any(|result| result.state == RequestState::StartsOver);
        results.extend(page);
        if !any {
            return Ok(results);
        }
    }
}

async fn retry_runs(
    store: &Store,
    runs: &[RunId],
    action: &Action,
) -> anyhow::Result<Vec<RequestedRun>> {
    let changed = store.retry(runs, action).await?;
    let changed: HashSet<RunId> = changed.into_iter().collect();
    let state = |standing: &QueueStanding| match standing {
        _ if changed.contains(&standing.run) => RequestState::StartsOver,
        _ if is_in_trouble(standing) => RequestState::DueAlready,
        _ => RequestState::NotInTrouble,
    };
    results_of(&store.reader(), runs, state).await
}

fn is_in_trouble(standing: &QueueStanding) -> bool {
    let refused = ReasonCode::SettleFailed.code();
    let watch = standing.watch.as_ref();
    standing.attempts.is_some() || watch.is_some_and(|watch| watch.reason_code == refused)
}

/// Acknowledges dead letters. Their runs stay open.
pub(super) async fn drop_letters(
    session: &mut Session<'_>,
    args: &DropArgs,
) -> anyhow::Result<Exit> {
    let store = session.open_for_work().await?;
    let runs = distinct(&args.runs);
    let action = session.action(ActionVerb::Drop, Some(&args.reason));
    let dropped = store.drop_dead_letters(&runs, &action).await?;
    let dropped: HashSet<RunId> = dropped.into_iter().collect();
    let state = |standing: &QueueStanding| match standing {
        _ if dropped.contains(&standing.run) => RequestState::Dropped,
        _ if standing.is_dead() => RequestState::DroppedBefore,
        _ => RequestState::NotDead,
    };
    let results = results_of(&store.reader(), &runs, state).await?;
    show(results, Document::QueueDrop, session.screen)
}

/// Has nothing settled any more. What is in hand is finished.
pub(super) async fn pause(session: &mut Session<'_>, args: &PauseArgs) -> anyhow::Result<Exit> {
    let store = session.open_migrated(Access::Write).await?;
    let action = session.action(ActionVerb::Pause, Some(&args.reason));
    let changed = store.pause(args.workspace.map(WorkspaceId), &action);
    let report = report(&store, args.workspace, changed.await?).await?;
    if !report.changed {
        session.screen.note("That was paused before, and stays so.");
    }
    show_pauses(report, Document::QueuePause, session)
}

/// Has it settled again; what waits there is due at once.
pub(super) async fn resume(session: &mut Session<'_>, args: &ResumeArgs) -> anyhow::Result<Exit> {
    let store = session.open_migrated(Access::Write).await?;
    let action = session.action(ActionVerb::Resume, args.reason.as_deref());
    let changed = store.resume(args.workspace.map(WorkspaceId), &action);
    let report = report(&store, args.workspace, changed.await?).await?;
    if !report.changed {
        session.screen.note("That was not paused.");
    }
    show_pauses(report, Document::QueueResume, session)
}

/// What came of it, with all that is paused now.
async fn report(
    store: &Store,
    workspace: Option<i64>,
    changed: bool,
) -> anyhow::Result<PauseReport> {
    let pauses = store.load_pauses().await?;
    Ok(PauseReport {
        workspace,
        changed,
        pauses,
    })
}

fn show_pauses(
    report: PauseReport,
    document: impl Fn(PauseReport) -> Document,
    session: &mut Session<'_>,
) -> anyhow::Result<Exit> {
    if session.screen.output.is_json() {
        session.screen.json(&document(report))?;
        return Ok(Exit::Done);
    }
    if report.pauses.is_empty() {
        session.screen.line("Nothing is paused.")?;
    }
    for pause in &report.pauses {
        session.screen.line(&format!("{}.", pause.sentence()))?;
    }
    Ok(Exit::Done)
}
