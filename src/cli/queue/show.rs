//! `queue show RUN`: everything that is remembered of one run, and what to do next.
//!
//! The run's documents and its proof are not looked at: looking at them may be what ended a process.

use reconciler_jobs::ids::RunId;
use reconciler_jobs::restore_execute::ReasonCode;
use reconciler_jobs::restore_execute::facts::RunStatus;
use reconciler_jobs::restore_execute::reason::CLAIM_BOUNDARY;

use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::output::{
    Attempts, ClaimBoundary, Document, Job, QueueShown, State, Verdict, Watch, Word, stored_word,
};
use crate::cli::screen::{Output, Screen, Tint};
use crate::cli::session::Session;
use crate::cli::verdict;
use crate::storage::oversight::{JobOnRecord, JobState, Standing};

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
    let found = store.load_standings(&[run]).await?;
    let Some(standing) = found.into_iter().next() else {
        return Err(Failure::new(
            format!("run {run} does not exist"),
            "Check the id: it is the one of a row of operation_runs.",
        )
        .into());
    };
    let jobs = store.load_jobs(run, JOBS_MAX).await?;
    let verdict = verdict::on_record(&*store, run).await?;
    let shown = QueueShown {
        run: run.0,
        workspace: standing.workspace.0,
        environment: standing.environment.map(|id| id.0),
        next_action: next_action(&standing, &jobs, verdict.as_ref()),
        attempts: standing.attempts.as_ref().map(Attempts::from),
        watch: standing.watch.as_ref().map(Watch::from),
        jobs: jobs.iter().map(Job::from).collect(),
        verdict,
        run_type: shown_type(&standing.run_type).to_owned(),
        run_status: stored_word(&RunStatus::parse(&standing.status)),
        claim_boundary: ClaimBoundary::default(),
    };
    if session.screen.output == Output::Json {
        let document = Document::QueueShow(Box::new(shown));
        session.screen.json(&document)?;
    } else {
        show(&shown, session.screen)?;
    }
    Ok(Exit::Done)
}

/// The type of a run where it is a word, as every type of the platform is.
fn shown_type(run_type: &str) -> &str {
    let is_word = |c: char| c.is_ascii_lowercase() || matches!(c, '.' | '_');
    if run_type.chars().all(is_word) {
        run_type
    } else {
        "unknown type"
    }
}

/// What to do next, in a sentence or two.
fn next_action(standing: &Standing, jobs: &[JobOnRecord], verdict: Option<&Verdict>) -> String {
    let run = standing.run;
    if !standing.is_ours() {
        return "Nothing: only runs of type restore.execute are judged here.".to_owned();
    }
    if !standing.is_open() {
        let closed = verdict::closed(run, verdict);
        return match closed.state {
            State::DecidedBefore => {
                format!("Nothing here; `restore-reconciler explain {run}` shows the verdict.")
            }
            _ => verdict::next_action(&closed),
        };
    }
    let refused = ReasonCode::SettleFailed.code();
    let job = |state| jobs.iter().any(|job| job.state == state);
    match (&standing.attempts, &standing.watch) {
        (Some(attempts), _) if attempts.dropped_at.is_some() => format!(
            "The dead letter was acknowledged. The run is still open and nothing is proven; \
             `restore-reconciler queue retry {run}` lets it start over."
        ),
        (Some(attempts), _) if attempts.dead_at.is_some() => format!(
            "Find out what ended worker {} while it settled this run: its log, and memory limits. Then let \
             the run start over with `restore-reconciler queue retry {run}`, or leave it alone with \
             `restore-reconciler queue drop {run}`.",
            attempts.worker
        ),
        (Some(attempts), _) => format!(
            "Nothing: it is tried again, alone, from {} on. `restore-reconciler queue retry {run}` makes \
             that now.",
            attempts.try_again_at
        ),
        (None, Some(watch)) if watch.reason_code == refused => format!(
            "Put right what the database objects to. The run is tried again by itself at {}; \
             `restore-reconciler queue retry {run}` makes that now.",
            watch.look_again_at
        ),
        (None, Some(watch)) => format!(
            "Nothing here: it is looked at again at {}. `restore-reconciler explain {run}` shows what is \
             missing.",
            watch.look_again_at
        ),
        (None, None) if job(JobState::InHand) => "Nothing: a worker has it in hand.".to_owned(),
        (None, None) if job(JobState::Waiting) => {
            "See that a worker is running: a job waits for it.".to_owned()
        }
        (None, None) => format!(
            "Nothing: the next sweep looks at it. `restore-reconciler enqueue {run}` has that done sooner."
        ),
    }
}

fn show(shown: &QueueShown, screen: &mut Screen) -> anyhow::Result<()> {
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
                "JOB",
                "STATE",
                "CAUSE",
                "DELIVERED",
                "FROM",
                "TAKEN",
                "FINISHED",
                "WORKER",
            ],
            shown.jobs.iter().map(row),
        )?;
    }
    screen.line(&format!("Next: {}", shown.next_action))?;
    let succeeded = Word::Succeeded.name();
    let says_succeeded = shown
        .verdict
        .as_ref()
        .is_some_and(|verdict| verdict.outcome == succeeded);
    if says_succeeded {
        screen.line(CLAIM_BOUNDARY)?;
    }
    Ok(())
}

fn show_attempts(attempts: &Attempts, screen: &mut Screen) -> anyhow::Result<()> {
    let (tint, what) = match (&attempts.dead_at, &attempts.dropped_at) {
        (Some(_), Some(at)) => (Tint::Notice, format!("Dead letter, dropped at {at}")),
        (Some(at), None) => (Tint::Bad, format!("Dead letter since {at}")),
        (None, _) => (Tint::Notice, "Suspended: settled alone".to_owned()),
    };
    screen.line("")?;
    screen.tinted(tint, &what)?;
    let none = || "never".to_owned();
    let last = attempts.last_tried_at.clone().unwrap_or_else(none);
    let next = attempts.try_again_at.clone().unwrap_or_else(none);
    screen.line(&format!(
        "  {} tries that never ended, the last one begun: {last}; the next one: {next}",
        attempts.tries
    ))?;
    screen.line(&format!(
        "  first seen at {}, last in the hands of {}",
        attempts.first_seen_at, attempts.worker
    ))?;
    Ok(())
}

fn show_watch(watch: &Watch, screen: &mut Screen) -> anyhow::Result<()> {
    screen.line("")?;
    screen.tinted(
        Tint::Notice,
        &format!("On the watch list: {}", watch.reason_code),
    )?;
    screen.line(&format!(
        "  {} looks since {}, the last at {}; the next at {}",
        watch.tries, watch.first_seen_at, watch.last_looked_at, watch.look_again_at
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
    screen.tinted(Tint::Heading, "Verdict on record")?;
    screen.line(&format!(
        "  {}, {}, decided at {} by {}{altered}",
        verdict.outcome, verdict.reason_code, verdict.decided_at, verdict.worker
    ))?;
    Ok(())
}

fn row(job: &Job) -> [String; 8] {
    let or_dash = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
    [
        job.id.clone(),
        job.state.name().to_owned(),
        or_dash(&job.cause),
        job.deliveries.to_string(),
        job.run_at.clone(),
        or_dash(&job.taken_at),
        or_dash(&job.done_at),
        or_dash(&job.worker),
    ]
}
