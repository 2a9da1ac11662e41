//! `queue show RUN`: everything that is remembered of one run, and what to do next.
//!
//! The run's documents and its proof are not looked at: looking at them may be what ended a process.

use jiff::Timestamp;
use reconciler_jobs::ids::RunId;
use reconciler_jobs::quantity;
use reconciler_jobs::restore_execute::reason::CLAIM_BOUNDARY;

use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::output::Document;
use crate::cli::screen::{Screen, Tint};
use crate::cli::session::Session;
use crate::cli::table::{kept, spare};
use crate::storage::reader::{AttemptsOnRecord, JobOnRecord, WatchOnRecord, Workspaces};
use crate::views::Moment;
use crate::views::queue::RunInQueue;
use crate::views::verdict::{DecisionWord, Verdict};

/// How many jobs of one run are shown.
const JOBS_MAX: u32 = 20;

/// A run to show.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// Id of an operation run.
    #[arg(value_name = "RUN", value_parser = clap::value_parser!(i64).range(1..))]
    run: i64,
}

pub(super) async fn run(session: &mut Session<'_>, args: &Args) -> anyhow::Result<Exit> {
    let store = session.open_for_work().await?;
    let run = RunId(args.run);
    let reader = store.reader();
    let found = reader.load_standings(&Workspaces::All, &[run]).await?;
    let Some(standing) = found.into_iter().next() else {
        return Err(Failure::new(
            format!("run {run} does not exist"),
            "Check the id: it is the one of a row of operation_runs.",
        )
        .into());
    };
    let jobs = reader.load_jobs(run, JOBS_MAX).await?;
    let verdict = reader.load_verdict(&Workspaces::All, run).await?;
    let shown = RunInQueue::new(standing, jobs, verdict.as_ref().map(Verdict::from));
    if session.screen.output.is_json() {
        let document = Document::QueueShow(Box::new(shown));
        session.screen.json(&document)?;
    } else {
        show(&shown, session.screen)?;
    }
    Ok(Exit::Done)
}

fn show(shown: &RunInQueue, screen: &mut Screen) -> anyhow::Result<()> {
    let environment = shown.environment.map_or_else(
        || "no environment".to_owned(),
        |id| format!("environment {id}"),
    );
    screen.tinted(Tint::Heading, &format!("Run {}", shown.run))?;
    screen.line(&format!(
        "  {}, {}, workspace {}, {environment}",
        shown.run_type, shown.run_status, shown.workspace
    ))?;
    if let Some(attempts) = &shown.attempts {
        show_attempts(attempts, screen)?;
    }
    if let Some(watch) = &shown.watch {
        show_watch(watch, screen)?;
    }
    if let Some(verdict) = &shown.verdict {
        show_verdict(verdict, screen)?;
    }
    screen.line("")?;
    if shown.jobs.is_empty() {
        screen.line("No job that asked for it is on record.")?;
    } else {
        screen.table(
            [
                spare(4, "JOB"),
                kept("STATE"),
                spare(1, "CAUSE"),
                spare(2, "DELIVERED"),
                spare(3, "FROM"),
                kept("TAKEN"),
                kept("FINISHED"),
                spare(5, "WORKER"),
            ],
            shown.jobs.iter().map(row),
        )?;
    }
    screen.line(&format!("Next: {}", shown.next_action))?;
    let succeeded = DecisionWord::Succeeded.name();
    let says_succeeded = shown
        .verdict
        .as_ref()
        .is_some_and(|verdict| verdict.outcome == succeeded);
    if says_succeeded {
        screen.line(CLAIM_BOUNDARY)?;
    }
    Ok(())
}

fn show_attempts(attempts: &AttemptsOnRecord, screen: &mut Screen) -> anyhow::Result<()> {
    let (tint, what) = match (&attempts.dead_at, &attempts.dropped_at) {
        (Some(_), Some(at)) => (
            Tint::Notice,
            format!("Dead letter, dropped at {}", Moment(*at)),
        ),
        (Some(at), None) => (Tint::Bad, format!("Dead letter since {}", Moment(*at))),
        (None, _) => (Tint::Notice, "Suspended: settled alone".to_owned()),
    };
    screen.line("")?;
    screen.tinted(tint, &what)?;
    let when =
        |at: Option<Timestamp>| at.map_or_else(|| "never".to_owned(), |at| Moment(at).to_string());
    let last = when(attempts.last_tried_at);
    let next = when(attempts.try_again_at);
    screen.line(&format!(
        "  {} that never ended, the last one begun: {last}; the next one: {next}",
        if attempts.tries == 1 {
            "1 try".to_owned()
        } else {
            format!("{} tries", attempts.tries)
        }
    ))?;
    screen.line(&format!(
        "  first seen at {}, last in the hands of {}",
        Moment(attempts.first_seen_at),
        attempts.worker
    ))?;
    Ok(())
}

fn show_watch(watch: &WatchOnRecord, screen: &mut Screen) -> anyhow::Result<()> {
    screen.line("")?;
    screen.tinted(
        Tint::Notice,
        &format!("On the watch list: {}", watch.reason_code),
    )?;
    screen.line(&format!(
        "  {} since {}, the last at {}; the next at {}",
        quantity(u64::from(watch.tries), "look"),
        Moment(watch.first_seen_at),
        Moment(watch.last_looked_at),
        Moment(watch.look_again_at)
    ))?;
    if let Some(error) = &watch.error {
        screen.line(&format!("  the database said: {error}"))?;
    }
    Ok(())
}

fn show_verdict(verdict: &Verdict, screen: &mut Screen) -> anyhow::Result<()> {
    let altered = if verdict.standing.is_readable() {
        ""
    } else {
        "; THE LEDGER WAS ALTERED"
    };
    screen.line("")?;
    screen.tinted(Tint::Heading, "Verdict")?;
    screen.line(&format!(
        "  {}, {}, decided at {} by {}{altered}",
        verdict.outcome, verdict.reason_code, verdict.decided_at, verdict.worker
    ))?;
    Ok(())
}

fn row(job: &JobOnRecord) -> [String; 8] {
    let dash = || "-".to_owned();
    let or_dash = |text: &Option<String>| text.clone().unwrap_or_else(dash);
    let when = |at: Option<Timestamp>| at.map_or_else(dash, |at| Moment(at).to_string());
    [
        job.id.clone(),
        job.state.name().to_owned(),
        or_dash(&job.cause),
        job.deliveries.to_string(),
        Moment(job.run_at).to_string(),
        when(job.taken_at),
        when(job.done_at),
        or_dash(&job.worker),
    ]
}
