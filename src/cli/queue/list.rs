//! `queue list`: what is queued, in hand or in trouble, worst first.

use jiff::SignedDuration;
use reconciler_jobs::ids::WorkspaceId;

use crate::cli::enqueue::id;
use crate::cli::exit::Exit;
use crate::cli::output::Document;
use crate::cli::screen::{Screen, Tint};
use crate::cli::session::Session;
use crate::cli::table::{kept, spare};
use crate::storage::QueueState;
use crate::storage::reader::{QueueEntry, QueueScope, Workspaces};
use crate::views::Moment;
use crate::views::queue::{QueueListed, StateCount};

/// How many entries are listed unless asked for otherwise.
const ENTRIES_MAX: u32 = 100;

/// What to list. Without a choice, everything but dropped dead letters and deferred runs.
#[derive(Debug, clap::Args)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "one flag per state, which may be combined"
)]
pub(in crate::cli) struct Args {
    /// Everything, dropped dead letters and deferred runs included.
    #[arg(long, conflicts_with_all = ["dead", "suspended", "refused", "in_hand", "waiting"])]
    all: bool,
    /// Dead letters.
    #[arg(long)]
    dead: bool,
    /// Runs whose settlements never ended and that are tried again.
    #[arg(long)]
    suspended: bool,
    /// Runs that the database refused to record a verdict for.
    #[arg(long)]
    refused: bool,
    /// Jobs that a worker has taken.
    #[arg(long)]
    in_hand: bool,
    /// Jobs that wait for a worker.
    #[arg(long)]
    waiting: bool,
    /// Only this workspace.
    #[arg(long, value_name = "ID", value_parser = clap::value_parser!(i64).range(1..))]
    workspace: Option<i64>,
    /// At most so many entries.
    #[arg(long, value_name = "N", default_value_t = ENTRIES_MAX, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    limit: u32,
}

impl Args {
    fn scope(&self) -> QueueScope {
        let chosen: Vec<QueueState> = [
            (self.dead, QueueState::DeadLetter),
            (self.suspended, QueueState::Suspended),
            (self.refused, QueueState::Refused),
            (self.in_hand, QueueState::InHand),
            (self.waiting, QueueState::Waiting),
        ]
        .into_iter()
        .filter_map(|(is_chosen, state)| is_chosen.then_some(state))
        .collect();
        let states = match (self.all, chosen.is_empty()) {
            (true, _) => QueueState::ALL.to_vec(),
            (false, true) => QueueState::UNSETTLED.to_vec(),
            (false, false) => chosen,
        };
        QueueScope {
            states,
            of: Workspaces::All,
            workspace: self.workspace.map(WorkspaceId),
            live_only: false,
            limit: self.limit,
        }
    }
}

pub(super) async fn run(session: &mut Session<'_>, args: &Args) -> anyhow::Result<Exit> {
    let store = session.open_for_work().await?;
    let listing = store.reader().load_queue(&args.scope()).await?;
    show(QueueListed::new(listing, args.workspace), session.screen)?;
    Ok(Exit::Done)
}

fn show(listed: QueueListed, screen: &mut Screen) -> anyhow::Result<()> {
    if screen.output.is_json() {
        return Ok(screen.json(&Document::QueueList(listed))?);
    }
    let within = listed
        .workspace
        .map_or_else(String::new, |id| format!(" in workspace {id}"));
    for pause in &listed.pauses {
        screen.tinted(Tint::Notice, &format!("{}.", pause.sentence()))?;
    }
    if listed.entries.is_empty() {
        screen.line(&format!("Nothing is listed{within}."))?;
    } else {
        for count in &listed.counts {
            screen.tinted(tint(count.state), &count_line(count))?;
        }
        screen.table(
            [
                kept("STATE"),
                kept("RUN"),
                spare(3, "WORKSPACE"),
                spare(4, "ENVIRONMENT"),
                spare(2, "TRIES"),
                kept("SINCE"),
                spare(1, "NEXT"),
                spare(5, "WORKER"),
                kept("WHY"),
            ],
            listed.entries.iter().map(|entry| row(entry, &listed.as_of)),
        )?;
    }
    if listed.omitted > 0 {
        let omitted = listed.omitted;
        screen.line(&format!("{omitted} more; see them with a higher --limit."))?;
    }
    let jobs = listed.sweep_jobs;
    if jobs.waiting + jobs.in_hand > 0 {
        screen.line(&format!(
            "Sweep jobs, in all workspaces: {} waiting, {} running.",
            jobs.waiting, jobs.in_hand
        ))?;
    }
    Ok(())
}

fn tint(state: QueueState) -> Tint {
    match state {
        QueueState::DeadLetter => Tint::Bad,
        QueueState::Suspended | QueueState::Refused | QueueState::Dropped => Tint::Notice,
        QueueState::InHand | QueueState::Waiting | QueueState::Deferred => Tint::Good,
    }
}

fn count_line(count: &StateCount) -> String {
    let age = SignedDuration::from_secs(i64::try_from(count.oldest_age_s).unwrap_or(i64::MAX));
    format!(
        "{:<12}{:>8}   the oldest for {age:#}",
        count.state.name(),
        count.entries
    )
}

fn row(entry: &QueueEntry, now: &Moment) -> [String; 9] {
    let dash = || "-".to_owned();
    let next = match (entry.next_at, entry.state) {
        (Some(at), _) => Moment(at).age(now),
        (None, QueueState::DeadLetter | QueueState::Dropped) => "never".to_owned(),
        (None, _) => dash(),
    };
    let why = [&entry.reason, &entry.error, &entry.cause]
        .into_iter()
        .flatten()
        .map(String::as_str)
        .collect::<Vec<_>>()
        .join("\n");
    [
        entry.state.name().to_owned(),
        id(entry.run.map(|id| id.0)),
        id(entry.workspace.map(|id| id.0)),
        id(entry.environment.map(|id| id.0)),
        entry.tries.to_string(),
        Moment(entry.since).age(now),
        next,
        entry.worker.clone().unwrap_or_else(dash),
        why,
    ]
}
