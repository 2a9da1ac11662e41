//! `runs`: the list that pages show, with the same filters.

use jiff::SignedDuration;
use reconciler_jobs::ids::{EnvironmentId, WorkspaceId};
use reconciler_jobs::reading::result_state::ResultState;
use reconciler_jobs::restore_execute::ReasonCode;
use reconciler_jobs::restore_execute::facts::RunOutcome;
use reconciler_jobs::restore_execute::outcome::Outcome;
use reconciler_jobs::restore_execute::reason::CLAIM_BOUNDARY;

use super::exit::Exit;
use super::output::{Document, RunsListed};
use super::reason;
use super::screen::Screen;
use super::session::Session;
use super::since::{Since, age};
use super::table::{kept, spare};
use super::words::OneOf;
use crate::storage::Access;
use crate::storage::reader::{RunFilter, Workspaces};
use crate::views::runs::{RunLine, parse_outcome, parse_state};
use crate::views::{ClaimBoundary, Moment, Named, Visibility, stored_word};

/// How many runs are listed unless asked for otherwise, and how many are read together.
const LISTED: u32 = 50;
const PART: u32 = 200;

/// Which runs to list.
#[derive(Debug, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each asks for itself")]
pub(super) struct Args {
    /// Only runs that nobody has closed.
    #[arg(long)]
    undecided: bool,
    /// Only unproven successes: runs that somebody else closed, and that claim more than is proven.
    #[arg(long)]
    unproven: bool,
    /// Only open runs of environments that were deleted or moved to another workspace.
    #[arg(long)]
    orphaned: bool,
    /// Only runs whose row has this outcome, as the platform writes it.
    #[arg(long, value_name = "OUTCOME", value_parser = OUTCOMES)]
    outcome: Option<RunOutcome>,
    /// Only runs whose verdict, opinion or entry on the watch list has this reason.
    #[arg(long, value_name = "CODE", value_parser = reason::CODES, hide_possible_values = true)]
    reason: Option<ReasonCode>,
    /// Only runs whose restore reads so now.
    #[arg(long, value_name = "STATE", value_parser = STATES)]
    state: Option<ResultState>,
    /// Only runs created so long ago or longer, such as `2h` or `7d`.
    #[arg(long, value_name = "AGE", value_parser = age)]
    older_than: Option<SignedDuration>,
    /// Only runs created since then: a moment such as `2026-11-01T00:00:00Z`, or an age such as `36h` or `7d`.
    #[arg(long, value_name = "WHEN")]
    since: Option<Since>,
    /// Only runs of this workspace.
    #[arg(long, value_name = "ID", value_parser = clap::value_parser!(i64).range(1..))]
    workspace: Option<i64>,
    /// Only runs of this environment.
    #[arg(long, value_name = "ID", value_parser = clap::value_parser!(i64).range(1..))]
    environment: Option<i64>,
    /// List the lowest ids first.
    #[arg(long)]
    oldest_first: bool,
    /// At most so many, the highest ids first unless asked for otherwise.
    #[arg(long, value_name = "N", default_value_t = LISTED, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    limit: u32,
}

const OUTCOMES: OneOf<RunOutcome> = OneOf {
    words: || {
        let closed = Outcome::ALL.map(|outcome| outcome.name().to_owned());
        ["pending".to_owned()].into_iter().chain(closed).collect()
    },
    read: parse_outcome,
    listed: None,
};

const STATES: OneOf<ResultState> = OneOf {
    words: || ResultState::ALL.map(|state| stored_word(&state)).to_vec(),
    read: parse_state,
    listed: None,
};

/// Lists runs. Writes nothing, and needs no more than the right to read.
pub(super) async fn run(session: &mut Session<'_>, args: &Args) -> anyhow::Result<Exit> {
    let store = session.open_migrated(Access::Read).await?;
    let reader = store.reader();
    let now = reader.now().await?;
    let filter = RunFilter {
        workspace: args.workspace.map(WorkspaceId),
        environment: args.environment.map(EnvironmentId),
        outcome: args.outcome,
        reason: args.reason,
        state: args.state,
        with_evidence: true,
        undecided: args.undecided,
        unproven: args.unproven,
        orphaned: args.orphaned,
        created_from: args.since.map(|since| since.before(now)),
        created_before: args.older_than.map(|age| Since::Ago(age).before(now)),
        upwards: args.oldest_first,
    };
    let policy = session.config.rules.policy();
    let limits = session.config.console.freshness();
    let limit = args.limit as usize;
    let (mut runs, mut last) = (Vec::new(), None);
    let more = loop {
        let part = PART.min(args.limit);
        let page = reader.load_runs(&Workspaces::All, &filter, last, part, &policy);
        let page = page.await?;
        let visibility = Visibility { evidence: true };
        let lines = page
            .rows
            .iter()
            .map(|row| RunLine::new(row, visibility, &limits));
        runs.extend(lines);
        last = page.below;
        if last.is_none() || runs.len() >= limit {
            break last.is_some() || runs.len() > limit;
        }
    };
    runs.truncate(limit);
    let listed = RunsListed {
        as_of: Moment(now),
        runs,
        more,
        claim_boundary: ClaimBoundary::default(),
    };
    show(listed, session.screen)?;
    Ok(Exit::Done)
}

fn show(listed: RunsListed, screen: &mut Screen) -> anyhow::Result<()> {
    if screen.output.is_json() {
        return Ok(screen.json(&Document::Runs(listed))?);
    }
    if listed.runs.is_empty() {
        return Ok(screen.line("No run matches.")?);
    }
    screen.table(
        [
            kept("RUN"),
            spare(2, "WORKSPACE"),
            spare(3, "ENVIRONMENT"),
            kept("STATE"),
            kept("REASON"),
            spare(1, "CREATED"),
        ],
        listed.runs.iter().map(|run| row(run, listed.as_of)),
    )?;
    if listed.more {
        screen.line("There may be more; see them with a higher --limit, or with a filter.")?;
    }
    Ok(screen.line(CLAIM_BOUNDARY)?)
}

fn row(run: &RunLine, now: Moment) -> [String; 6] {
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    let place = &run.place;
    [
        run.run.to_string(),
        named(&place.workspace),
        or_dash(place.environment.as_ref().map(named)),
        run.state.label.to_owned(),
        or_dash(run.state.reason_code.clone()),
        or_dash(run.created_at.map(|at| at.age(&now))),
    ]
}

fn named<Id: std::fmt::Display>(it: &Named<Id>) -> String {
    format!("{} {}", it.id, it.name)
}
