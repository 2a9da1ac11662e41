//! `demo`: shows on a database of its own what is judged and how.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use reconciler_fixtures::Standin;
use reconciler_jobs::quantity;
use reconciler_jobs::restore_execute::reason::CLAIM_BOUNDARY;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use super::exit::Exit;
use super::failure::Failure;
use super::interruption::stop_on_signal;
use super::output::Document;
use super::progress::{Progress, per_second};
use super::screen::{Screen, Tint};
use super::serve;
use super::session::Session;
use crate::config::DATABASE_URL_VARIABLE;
use crate::demo::{
    self, DemoError, DemoOptions, DemoReport, PassReport, QueueReport, ScenarioReport,
    ThroughQueue, VolumeReport,
};
use crate::storage::{self, Access, Store, Tally};
use crate::views::stored_word;

/// The most runs that are generated.
const RUNS_MAX: u64 = 10_000_000;

/// What to demonstrate, and where.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Generate so many runs beside the named scenarios.
    #[arg(
        long,
        value_name = "N",
        default_value_t = 0,
        value_parser = clap::value_parser!(u64).range(..=RUNS_MAX)
    )]
    runs: u64,
    /// Keep the database in this SQLite file, which must not exist yet.
    ///
    /// Without it, the database that `RECONCILER_DATABASE_URL` names is used if it holds no platform
    /// tables, and a temporary file if none is named.
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    keep: Option<PathBuf>,
    /// Have a worker inside this process judge the runs, each asked for by a job in the real queue.
    ///
    /// On SQLite the queue is a file beside the database, named like it with `.queue` at the end.
    #[arg(long)]
    pub(super) through_queue: bool,
    /// Show the console over it afterwards, until Ctrl-C, with a worker that does what is asked for there.
    ///
    /// It listens where `console.listen` says. Backups, preparations and histories are planted beside the
    /// scenarios, so that every state of every page can be seen.
    #[arg(long)]
    serve: bool,
}

/// Demonstrates, and shows what came of it. Succeeds if every scenario came out as it is named to,
/// and a second pass changed nothing.
pub(super) async fn run(session: &mut Session<'_>, args: &Args) -> anyhow::Result<Exit> {
    let stop = stop_on_signal_if(args.serve)?;
    let place = DemoPlace::choose(session, args)?;
    let store = place.open(session).await?;
    let standin = Standin::new(&place.url(session)?)?;
    let options = DemoOptions {
        runs: args.runs,
        batch_runs_max: session.config.sweep.batch_runs_max,
        retries_max: session.config.database.retries_max,
        scenes: args.serve,
        through_queue: through_queue(session, args)?,
    };
    let mut progress = Progress::new(session.screen, "planting", 0);
    let shown = |step: demo::DemoProgress| progress.show(step.phase.name(), step.done, step.total);
    let report = demo::run(&store, &standin, &options, shown).await;
    drop(progress);
    let report = report.map_err(refusal)?;

    let exit = if report.is_as_expected() {
        Exit::Done
    } else {
        Exit::CouldNotRun
    };
    let remains = place.remains(args.through_queue || args.serve, args.serve);
    show(report, &remains, session.screen)?;
    if let Some(stop) = stop {
        serve(session, &place, store, stop).await?;
    }
    Ok(exit)
}

fn stop_on_signal_if(serve: bool) -> anyhow::Result<Option<CancellationToken>> {
    let stop = serve.then(stop_on_signal).transpose();
    stop.context("cannot wait for signals")
}

/// Shows the console over what was demonstrated.
async fn serve(
    session: &mut Session<'_>,
    place: &DemoPlace,
    store: Store,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let through = ThroughQueue {
        worker: session.config.worker.clone(),
        listen_url: session.environment.listen_url()?,
        ..ThroughQueue::default()
    };
    let mut working = demo::keep_working(store, &through).await?;
    let url = place.url(session)?;
    tokio::select! {
        shown = serve::show(session, &url, stop) => {
            working.end().await;
            shown
        }
        () = working.broken() => Err(Failure::new(
            "the worker of the demonstration stopped",
            "Most likely a file of its database was removed or replaced. Run the demonstration again.",
        ).into()),
    }
}

fn through_queue(session: &Session<'_>, args: &Args) -> anyhow::Result<Option<ThroughQueue>> {
    if !args.through_queue {
        return Ok(None);
    }
    Ok(Some(ThroughQueue {
        worker: session.config.worker.clone(),
        listen_url: session.environment.listen_url()?,
        ..ThroughQueue::default()
    }))
}

fn refusal(error: DemoError) -> anyhow::Error {
    match error {
        DemoError::Store(error) => error.into(),
        DemoError::Standin(error) => error.into(),
        DemoError::Stalled { .. } => {
            let advice = "Run it again with --verbose, or without --through-queue.";
            anyhow::Error::from(error)
                .context(Failure::new("the worker did not finish its jobs", advice))
        }
        DemoError::PlatformPresent => {
            let advice = format!(
                "Nothing was written. Unset {DATABASE_URL_VARIABLE} to use a temporary file, or \
                 name an empty database."
            );
            let what = "the demonstration does not touch a database that may be real";
            anyhow::Error::from(error).context(Failure::new(what, advice))
        }
    }
}

/// Where the demonstration takes place.
enum DemoPlace {
    /// A directory that is gone afterwards.
    Temporary(TempDir),
    /// A file of the operator's, and the queue's file beside it if there is one.
    Kept(PathBuf, Option<PathBuf>),
    /// The database that the environment names.
    Named,
}

impl DemoPlace {
    fn choose(session: &Session<'_>, args: &Args) -> anyhow::Result<Self> {
        if let Some(file) = &args.keep {
            return Self::keep(file, args.through_queue || args.serve);
        }
        if session.environment.database_url()?.is_some() {
            return Ok(Self::Named);
        }
        let directory = TempDir::with_prefix("restore-reconciler-demo-")
            .context("cannot create a temporary directory")?;
        Ok(Self::Temporary(directory))
    }

    fn keep(file: &Path, through_queue: bool) -> anyhow::Result<Self> {
        claim(file)?;
        let queue = through_queue.then(|| storage::queue_file(file));
        if let Some(queue) = &queue
            && let Err(error) = claim(queue)
        {
            fs::remove_file(file).context("cannot remove the file that was created for it")?;
            return Err(error);
        }
        Ok(Self::Kept(file.to_owned(), queue))
    }

    async fn open(&self, session: &Session<'_>) -> anyhow::Result<Store> {
        if matches!(self, Self::Named) {
            return session.connect(Access::Create).await;
        }
        let url = self.url(session)?;
        Ok(storage::connect(&url, Access::Create, &session.limits()).await?)
    }

    /// The URL, which may hold a password.
    fn url(&self, session: &Session<'_>) -> anyhow::Result<String> {
        match self {
            Self::Named => Ok(session.database_url()?.expose_secret().to_owned()),
            Self::Kept(file, _) => sqlite_url(file),
            Self::Temporary(directory) => sqlite_url(&directory.path().join("demo.sqlite")),
        }
    }

    /// What is left to look at afterwards.
    fn remains(&self, through_queue: bool, serve: bool) -> String {
        match self {
            Self::Temporary(_) if serve => {
                "The database is temporary and goes when this ends; --keep FILE keeps it."
                    .to_owned()
            }
            Self::Temporary(_) if through_queue => {
                "The database and its queue were temporary and are gone; --keep FILE keeps them."
                    .to_owned()
            }
            Self::Temporary(_) => {
                "The database was temporary and is gone; --keep FILE keeps it.".to_owned()
            }
            Self::Kept(file, queue) => {
                let beside = queue.as_ref().map_or_else(String::new, |queue| {
                    format!(", and its queue is {}", queue.display())
                });
                format!(
                    "The database is {0}{beside}. Look into it with\n  \
                     {DATABASE_URL_VARIABLE}=sqlite://{0} restore-reconciler explain RUN",
                    file.display()
                )
            }
            Self::Named if through_queue => format!(
                "The rows and the finished jobs are in the database that {DATABASE_URL_VARIABLE} \
                 names."
            ),
            Self::Named => {
                format!("The rows are in the database that {DATABASE_URL_VARIABLE} names.")
            }
        }
    }
}

/// Creates the file, empty, so that no other program's file can be taken for it.
fn claim(file: &Path) -> anyhow::Result<()> {
    let shown = file.display();
    match File::create_new(file) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Err(Failure::new(
            format!("{shown} exists already"),
            "Name a file that does not exist; nothing is overwritten.",
        )
        .into()),
        Err(error) => Err(error).context(Failure::new(
            format!("cannot create {shown}"),
            "Check that the directory exists and that this user may write there.",
        )),
    }
}

/// The URL of a file. A question mark would end the name, so there it is escaped.
fn sqlite_url(file: &Path) -> anyhow::Result<String> {
    let name = file.to_str().context("the file's name is not UTF-8")?;
    let name = name
        .replace('%', "%25")
        .replace('?', "%3F")
        .replace('#', "%23");
    Ok(format!("sqlite://{name}"))
}

fn show(report: DemoReport, remains: &str, screen: &mut Screen) -> anyhow::Result<()> {
    if screen.output.is_json() {
        return Ok(screen.json(&Document::Demo(Box::new(report)))?);
    }
    screen.table(
        [
            "SCENARIO, RESTORE STATUS",
            "VERDICT, REASON, - ALSO MISSING",
            "NEXT ACTION",
        ],
        report.scenarios.iter().map(row),
    )?;
    if let Some(volume) = &report.volume {
        show_volume(volume, screen)?;
    }
    screen.line("")?;
    show_passes(&report, screen)?;
    show_conclusion(&report, screen)?;
    screen.line(CLAIM_BOUNDARY)?;
    screen.line("")?;
    screen.line(remains)?;
    Ok(())
}

fn row(scenario: &ScenarioReport) -> [String; 3] {
    let status = scenario.restore_status.map_or_else(
        || "no restore judged".to_owned(),
        |status| format!("restore {}", stored_word(&status)),
    );
    let mut found = vec![scenario.decision.name().to_owned()];
    found.extend(scenario.reason_code.map(|reason| reason.code().to_owned()));
    let others = scenario
        .missing
        .iter()
        .filter(|gap| Some(**gap) != scenario.reason_code);
    found.extend(others.map(|gap| format!("- {gap}")));
    if !scenario.as_expected {
        let (decision, reason) = (scenario.expected_decision, scenario.expected_reason);
        found.push(format!("NOT AS EXPECTED: {} {reason}", decision.name()));
    }
    [
        format!("{}; {status}\n{}", scenario.name, scenario.temptation),
        found.join("\n"),
        scenario.next_action.to_owned(),
    ]
}

fn show_volume(volume: &VolumeReport, screen: &mut Screen) -> anyhow::Result<()> {
    screen.line("")?;
    screen.tinted(
        Tint::Heading,
        &format!(
            "{} in {}",
            quantity(volume.runs, "generated run"),
            quantity(volume.workspaces, "workspace")
        ),
    )?;
    let rows = volume.kinds.iter().map(|kind| {
        [
            kind.name.to_owned(),
            kind.expected_decision.name().to_owned(),
            kind.expected_reason.code().to_owned(),
            kind.planted.to_string(),
            kind.as_expected.to_string(),
        ]
    });
    screen.table(
        ["KIND", "EXPECTED", "REASON", "PLANTED", "CAME OUT SO"],
        rows,
    )?;
    Ok(())
}

/// What each pass came to, by outcome.
fn show_passes(report: &DemoReport, screen: &mut Screen) -> anyhow::Result<()> {
    let passes = [&report.first, &report.second];
    let row = |name: &str, count: fn(&Tally) -> u64| {
        let [first, second] =
            passes.map(|pass| count(&pass.swept).saturating_add(count(&pass.by_command)));
        [name.to_owned(), first.to_string(), second.to_string()]
    };
    screen.table(
        ["OUTCOME", "FIRST PASS", "SECOND PASS"],
        [
            row("succeeded", |counts| counts.succeeded),
            row("partially_succeeded", |counts| counts.partially_succeeded),
            row("blocked", |counts| counts.blocked),
            row("failed", |counts| counts.failed),
            row("deferred", |counts| counts.deferred),
            row("refused", |counts| counts.refused),
            row("left alone", |counts| counts.passed_over),
        ],
    )?;
    screen.line(&pass_line("First pass", &report.first))?;
    screen.line(&pass_line("Second pass", &report.second))?;
    Ok(())
}

fn pass_line(name: &str, pass: &PassReport) -> String {
    let runs = pass.swept.looked_at();
    let elapsed = std::time::Duration::from_millis(pass.sweep_ms);
    let by_command = pass.by_command.looked_at();
    if let Some(queue) = &pass.queue {
        return queue_line(name, pass, queue, elapsed);
    }
    if runs == 0 {
        return format!(
            "{name}: no run was due; {} asked for by id.",
            quantity(by_command, "run")
        );
    }
    let (seconds, rate) = (elapsed.as_secs_f64(), per_second(runs, elapsed));
    format!(
        "{name}: {} in {seconds:.1} s, {rate} per second; {} asked for by id.",
        quantity(runs, "due run"),
        quantity(by_command, "run")
    )
}

fn queue_line(
    name: &str,
    pass: &PassReport,
    queue: &QueueReport,
    elapsed: std::time::Duration,
) -> String {
    let (jobs, by_command) = (queue.queued, pass.by_command.looked_at());
    let (seconds, rate) = (elapsed.as_secs_f64(), per_second(jobs, elapsed));
    format!(
        "{name}: {} in {seconds:.1} s, {rate} per second; {} turned away; {} asked for by id.",
        quantity(jobs, "job"),
        quantity(queue.turned_away, "request"),
        quantity(by_command, "run")
    )
}

fn show_conclusion(report: &DemoReport, screen: &mut Screen) -> anyhow::Result<()> {
    let all = report.scenarios.len();
    let unexpected = report
        .scenarios
        .iter()
        .filter(|scenario| !scenario.as_expected)
        .count();
    if unexpected == 0 {
        let line = format!("All {all} scenarios came out as they are named to.");
        screen.tinted(Tint::Good, &line)?;
    } else {
        let line =
            format!("{unexpected} of {all} scenarios did not come out as they are named to.");
        screen.tinted(Tint::Bad, &line)?;
    }
    if let (Some(first), Some(second)) = (report.first.queue, report.second.queue) {
        let ms = report.first.sweep_ms.saturating_add(report.second.sweep_ms);
        screen.line(&format!(
            "The verdicts came through the queue: {} jobs, from the first request to the last job \
             finished in {:.1} s.",
            first.queued.saturating_add(second.queued),
            std::time::Duration::from_millis(ms).as_secs_f64()
        ))?;
    }
    if report.unchanged {
        let but = match report.second.queue {
            Some(_) => " but when open runs are looked at",
            None => "",
        };
        screen.tinted(
            Tint::Good,
            &format!("The second pass changed nothing{but}."),
        )?;
    } else {
        screen.tinted(Tint::Bad, "THE SECOND PASS CHANGED SOMETHING.")?;
    }
    Ok(())
}
