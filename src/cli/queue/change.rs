//! `queue retry` and `queue drop`: a run in trouble starts over, or is left alone.
//!
//! Neither decides anything about a run, and both may be repeated.

use std::collections::HashSet;

use reconciler_jobs::ids::RunId;
use reconciler_jobs::restore_execute::ReasonCode;

use crate::cli::enqueue::{answer_for, distinct, look_up, show};
use crate::cli::exit::Exit;
use crate::cli::output::{AskedRun, AskedState, Document};
use crate::cli::session::Session;
use crate::storage::Store;
use crate::storage::oversight::{QueueScope, QueueState, Standing};
use crate::storage::reader::Workspaces;

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
}

/// Dead letters that are to be left alone.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct DropArgs {
    /// Ids of operation runs.
    #[arg(value_name = "RUN", required = true, value_parser = clap::value_parser!(i64).range(1..))]
    runs: Vec<i64>,
}

/// Lets runs start over: a dead letter or a suspended run is tried afresh, still alone, and a refused one is
/// due now.
pub(super) async fn retry(session: &mut Session<'_>, args: &RetryArgs) -> anyhow::Result<Exit> {
    let store = session.open_for_work().await?;
    let answers = if args.dead {
        retry_dead(&*store).await?
    } else {
        retry_runs(&*store, &distinct(&args.runs)).await?
    };
    if args.dead && answers.is_empty() {
        session.screen.note("There are no dead letters.");
    }
    show(answers, Document::QueueRetry, session.screen)
}

/// Page after page; a page of which no run starts over is the last one.
async fn retry_dead(store: &dyn Store) -> anyhow::Result<Vec<AskedRun>> {
    let scope = QueueScope {
        states: vec![QueueState::DeadLetter],
        workspaces: Workspaces::All,
        live_only: false,
        limit: PAGE_MAX,
    };
    let mut answers = Vec::new();
    loop {
        let entries = store.load_entries(&scope).await?.entries;
        let runs: Vec<RunId> = entries.iter().filter_map(|entry| entry.run).collect();
        let page = retry_runs(store, &runs).await?;
        let any = page
            .iter()
            .any(|answer| answer.state == AskedState::StartsOver);
        answers.extend(page);
        if !any {
            return Ok(answers);
        }
    }
}

async fn retry_runs(store: &dyn Store, runs: &[RunId]) -> anyhow::Result<Vec<AskedRun>> {
    let changed: HashSet<RunId> = store.retry(runs).await?.into_iter().collect();
    let state = |standing: &Standing| match standing {
        _ if changed.contains(&standing.run) => AskedState::StartsOver,
        _ if is_in_trouble(standing) => AskedState::DueAlready,
        _ => AskedState::NotInTrouble,
    };
    answers(store, runs, state).await
}

fn is_in_trouble(standing: &Standing) -> bool {
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
    let dropped = store.drop_dead_letters(&runs).await?;
    let dropped: HashSet<RunId> = dropped.into_iter().collect();
    let state = |standing: &Standing| match standing {
        _ if dropped.contains(&standing.run) => AskedState::Dropped,
        _ if standing.is_dead() => AskedState::DroppedBefore,
        _ => AskedState::NotDead,
    };
    let answers = answers(&*store, &runs, state).await?;
    show(answers, Document::QueueDrop, session.screen)
}

async fn answers(
    store: &dyn Store,
    runs: &[RunId],
    state: impl Fn(&Standing) -> AskedState,
) -> anyhow::Result<Vec<AskedRun>> {
    let found = look_up(store, runs).await?;
    let mut answers = Vec::with_capacity(runs.len());
    for run in runs {
        answers.push(answer_for(store, *run, found.get(run), &state).await?);
    }
    Ok(answers)
}
