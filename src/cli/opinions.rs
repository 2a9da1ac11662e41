//! `opinions`: what the rules have to say on runs that somebody else closed.

use std::time::Duration;

use jiff::Timestamp;
use reconciler_jobs::ids::{RunId, WorkspaceId};
use reconciler_jobs::restore_execute::reason::CLAIM_BOUNDARY;

use super::exit::Exit;
use super::failure::Failure;
use super::interruption::Interruption;
use super::output::{Document, OpinionList};
use super::progress::Progress;
use super::screen::{Screen, Tint};
use super::session::Session;
use super::since::Since;
use super::table::{kept, spare};
use crate::storage::{Access, OpinionScope, Store};
use crate::views::opinion::OpinionShown;
use crate::views::{ClaimBoundary, Moment};

/// How many are listed unless asked for otherwise.
const LISTED: u32 = 100;

/// Between two looks whether whoever is at it is done.
const TURN_AGAIN_AFTER: Duration = Duration::from_millis(200);

/// Which opinions to list.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Args {
    /// Only runs closed since then: a moment such as `2026-11-01T00:00:00Z`, or an age such as `36h` or `7d`.
    #[arg(long, value_name = "WHEN")]
    since: Option<Since>,
    /// Only runs of this workspace.
    #[arg(long, value_name = "ID", value_parser = clap::value_parser!(i64).range(1..))]
    workspace: Option<i64>,
    /// List verdicts of ours as well that would be stronger today. They stay final.
    #[arg(long)]
    later: bool,
    /// At most so many of each, unproven successes first.
    #[arg(long, value_name = "N", default_value_t = LISTED, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    limit: u32,
}

/// Lists what is on record.
pub(super) async fn run(session: &mut Session<'_>, args: &Args) -> anyhow::Result<Exit> {
    let store = session.open_migrated(Access::Read).await?;
    list(session, &store, args).await
}

/// Forms all that can be formed now, then lists them.
pub(super) async fn form_all(session: &mut Session<'_>) -> anyhow::Result<Exit> {
    let store = session.open_to_settle(Access::Write).await?;
    let window = Duration::try_from(session.config.sweep.opinions_window).unwrap_or_default();
    if window.is_zero() {
        return Err(Failure::new(
            "opinions are turned off",
            "Set sweep.opinions_window to how far back runs are to be judged, such as \"2160h\".",
        )
        .into());
    }
    let policy = session.config.rules.policy();
    let mut progress = Progress::new(session.screen, "judging", 0);
    let interruption = Interruption::default();
    let forming = async {
        let mut scope = OpinionScope {
            from: Some(0),
            ..OpinionScope::new(window)
        };
        while interruption.wish().is_continue() {
            match store.form_opinions(&policy, scope).await? {
                Some(part) => {
                    progress.advance(usize::try_from(part.judged).unwrap_or(usize::MAX));
                    scope.from = Some(part.walked_to);
                    if part.is_over {
                        return Ok(true);
                    }
                }
                // A worker is at it.
                None => tokio::time::sleep(TURN_AGAIN_AFTER).await,
            }
        }
        Ok(false)
    };
    let is_complete = interruption.heed_during(forming).await?;
    drop(progress);
    let args = Args {
        since: None,
        workspace: None,
        later: false,
        limit: LISTED,
    };
    let listed = list(session, &store, &args).await?;
    let rest = if is_complete {
        Exit::Done
    } else {
        Exit::Undecided
    };
    Ok(Exit::of_all([listed, rest]))
}

async fn list(session: &mut Session<'_>, store: &Store, args: &Args) -> anyhow::Result<Exit> {
    let now = store.now().await?;
    let since = args.since.map(|since| since.before(now));
    let workspace = args.workspace.map(WorkspaceId);
    let mut listed = store
        .list_opinions(workspace, since, args.limit + 1)
        .await?;
    let more = listed.len() > args.limit as usize;
    listed.truncate(args.limit as usize);
    let mut opinions: Vec<_> = listed.into_iter().map(OpinionShown::from).collect();
    let mut later = Vec::new();
    if args.later {
        later = find_later(session, store, workspace, since, args.limit as usize + 1).await?;
    }
    let more = more || later.len() > args.limit as usize;
    opinions.extend(later.into_iter().take(args.limit as usize));
    let list = OpinionList {
        as_of: Moment(now),
        workspace: args.workspace,
        opinions,
        more,
        claim_boundary: ClaimBoundary::default(),
    };
    let is_unproven = |opinion: &OpinionShown| opinion.unproven_success;
    let exit = if list.opinions.iter().any(is_unproven) {
        Exit::BelowSucceeded
    } else {
        Exit::Done
    };
    show(list, session.screen)?;
    Ok(exit)
}

/// Verdicts of ours that would be stronger today, the lowest ids first.
async fn find_later(
    session: &mut Session<'_>,
    store: &Store,
    workspace: Option<WorkspaceId>,
    since: Option<Timestamp>,
    limit: usize,
) -> anyhow::Result<Vec<OpinionShown>> {
    let policy = session.config.rules.policy();
    let reader = store.reader();
    let mut progress = Progress::new(session.screen, "judging again", 0);
    let (mut found, mut after) = (Vec::new(), Some(RunId(0)));
    while let Some(from) = after.filter(|_| found.len() < limit) {
        let part = reader.load_later(workspace, since, from, &policy).await?;
        progress.advance(part.looked_at);
        after = part.after;
        found.extend(part.found.into_iter().map(|record| OpinionShown {
            later: true,
            ..OpinionShown::from(record)
        }));
    }
    Ok(found)
}

fn show(list: OpinionList, screen: &mut Screen) -> anyhow::Result<()> {
    if screen.output.is_json() {
        return Ok(screen.json(&Document::Opinions(list))?);
    }
    let within = list
        .workspace
        .map_or_else(String::new, |id| format!(" in workspace {id}"));
    if list.opinions.is_empty() {
        screen.line(&format!(
            "No opinion is on record{within}. Workers form them on runs that somebody else closed; \
             `sweep --opinions` does so at once."
        ))?;
        return Ok(());
    }
    let unproven = list
        .opinions
        .iter()
        .filter(|it| it.unproven_success)
        .count();
    let tint = if unproven > 0 { Tint::Bad } else { Tint::Good };
    screen.tinted(
        tint,
        &format!(
            "Among these, runs that say that they succeeded, which is not proven: {unproven}."
        ),
    )?;
    screen.table(
        [
            kept("RUN"),
            spare(2, "WORKSPACE"),
            spare(3, "ENVIRONMENT"),
            kept("CLAIMED"),
            kept("OPINION"),
            kept("REASON"),
            spare(1, "CLOSED"),
        ],
        list.opinions.iter().map(|it| row(it, &list.as_of)),
    )?;
    if list.more {
        screen.line("There are more; see them with a higher --limit.")?;
    }
    Ok(screen.line(CLAIM_BOUNDARY)?)
}

fn row(opinion: &OpinionShown, now: &Moment) -> [String; 7] {
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    let word = match opinion.opinion {
        _ if opinion.unproven_success => "unproven success".to_owned(),
        _ if opinion.later => "stronger today, verdict is final".to_owned(),
        stance => or_dash(stance.map(|stance| stance.word().to_owned())),
    };
    [
        opinion.run.to_string(),
        opinion.workspace.to_string(),
        or_dash(opinion.environment.map(|id| id.to_string())),
        opinion.claimed.clone(),
        word,
        opinion.reason.clone(),
        or_dash(opinion.closed_at.map(|at| at.age(now))),
    ]
}
