//! `demo`: shows on a database of its own what is judged and how.

mod export;

use std::fs::{self, File};
use std::io::{BufWriter, ErrorKind};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use reconciler_fixtures::Standin;
use reconciler_jobs::ids::RunId;
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
use super::table::kept;
use crate::config::DATABASE_URL_VARIABLE;
use crate::demo::{
    self, DemoError, DemoExported, DemoOptions, DemoReport, PassReport, QueueReport,
    ScenarioReport, ThroughQueue, VolumeReport,
};
use crate::storage::{self, Access, Store, Tally};
use crate::views::stored_word;

/// The most runs that are generated.
const RUNS_MAX: u64 = 10_000_000;

/// The scenarios that are shown unless all are asked for: one for each way to come out that a person meets first.
const SHOWN: [&str; 5] = [
    "complete proof",
    "no evidence",
    "counters without rows",
    "completed, every item failed",
    "write gate closed",
];
/// The scenario whose run the demonstration names for `explain`.
const LOOKED_INTO: &str = "no evidence";

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
    /// Show every scenario: what tempts to call it a success, what is missing, and what to do next.
    #[arg(long)]
    all: bool,
    /// Keep the database in this SQLite file, which must not exist yet.
    ///
    /// Without it, the database that `RECONCILER_DATABASE_URL` names is used if it holds no platform
    /// tables, and a temporary file if none is named.
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    keep: Option<PathBuf>,
    /// Write the verdicts into this file, which must not exist yet, as an auditor gets them, signed with a key made for this.
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    export: Option<PathBuf>,
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
    args.export.as_deref().map(claim).transpose()?;
    let shown = |step: demo::DemoProgress| progress.show(step.phase.name(), step.done, step.total);
    let report = demo::run(&store, &standin, &options, shown).await;
    drop(progress);
    let mut report = report.map_err(refusal)?;
    if let Some(file) = &args.export {
        report.export = Some(export(&store, file).await?);
    }

    let exit = if report.is_as_expected() {
        Exit::Done
    } else {
        Exit::CouldNotRun
    };
    let remains = place.remains(args.through_queue || args.serve, args.serve);
    let next = place.next(&report);
    let exported = report.export.clone();
    show(report, args.all, session.screen, |screen| {
        if let Some(DemoExported { file, key }) = exported {
            screen.line("")?;
            screen.line(&format!("The verdicts are in {file} as well, for whoever has this key and `ledger verify --offline`:"))?;
            screen.verbatim(&format!("  {key}"))?;
        }
        screen.line("")?;
        screen.line(&remains)?;
        next.iter().try_for_each(|command| screen.verbatim(command))
    })?;
    if let Some(stop) = stop {
        serve(session, &place, store, stop).await?;
    }
    Ok(exit)
}

/// Writes the verdicts into a file of their own, which is removed where that fails.
async fn export(store: &Store, file: &Path) -> anyhow::Result<DemoExported> {
    let opened = File::options().write(true).open(file)?;
    let made = export::export_demo(&store.reader(), BufWriter::new(opened)).await;
    if made.is_err() {
        fs::remove_file(file)?;
    }
    let file = file.display().to_string();
    Ok(DemoExported { file, key: made? })
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
                "The database is temporary and goes when this ends; --keep FILE keeps it. Next:"
                    .to_owned()
            }
            Self::Temporary(_) if through_queue => {
                "The database and its queue were temporary and are gone. Next:".to_owned()
            }
            Self::Temporary(_) => "The database was temporary and is gone. Next:".to_owned(),
            Self::Kept(file, queue) => {
                let beside = queue.as_ref().map_or_else(String::new, |queue| {
                    format!(", and its queue is {}", queue.display())
                });
                format!("The database is {}{beside}. Next:", file.display())
            }
            Self::Named if through_queue => format!(
                "The rows and the finished jobs are in the database that {DATABASE_URL_VARIABLE} \
                 names. Next:"
            ),
            Self::Named => {
                format!("The rows are in the database that {DATABASE_URL_VARIABLE} names. Next:")
            }
        }
    }

    /// Three commands that somebody may go on with.
    fn next(&self, report: &DemoReport) -> [String; 3] {
        let looked_into = report.scenarios.iter().find(|it| it.name == LOOKED_INTO);
        let run = looked_into.map_or(RunId(0), |scenario| scenario.run);
        let on = |url: &str, verb: &str| {
            format!("  {DATABASE_URL_VARIABLE}={url} restore-reconciler {verb}")
        };
        let explain = format!("explain {run}");
        let verbs = [&*explain, "runs --undecided", "serve"];
        match self {
            Self::Temporary(_) => [
                "  restore-reconciler demo --keep demo.sqlite".to_owned(),
                on("sqlite://demo.sqlite", &explain),
                "  restore-reconciler demo --serve".to_owned(),
            ],
            Self::Kept(file, _) => {
                let url = format!("sqlite://{}", file.display());
                verbs.map(|verb| on(&url, verb))
            }
            Self::Named => verbs.map(|verb| format!("  restore-reconciler {verb}")),
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

fn show(
    report: DemoReport,
    all: bool,
    screen: &mut Screen,
    end: impl FnOnce(&mut Screen) -> std::io::Result<()>,
) -> anyhow::Result<()> {
    if screen.output.is_json() {
        return Ok(screen.json(&Document::Demo(Box::new(report)))?);
    }
    if all {
        show_all(&report, screen)?;
    } else {
        show_some(&report, screen)?;
    }
    if let Some(volume) = &report.volume {
        show_volume(volume, screen)?;
    }
    screen.line("")?;
    if all {
        show_passes(&report, screen)?;
    }
    show_conclusion(&report, screen)?;
    screen.line(CLAIM_BOUNDARY)?;
    Ok(end(screen)?)
}

/// Shows the scenarios in [`SHOWN`], a line each, and every one that did not come out as expected.
fn show_some(report: &DemoReport, screen: &mut Screen) -> anyhow::Result<()> {
    let is_shown = |it: &&ScenarioReport| SHOWN.contains(&it.name) || !it.as_expected;
    let shown: Vec<&ScenarioReport> = report.scenarios.iter().filter(is_shown).collect();
    let rows = shown.iter().map(|scenario| {
        let mut why = scenario
            .reason_code
            .map_or_else(String::new, |it| it.code().to_owned());
        if !scenario.as_expected {
            let (decision, reason) = (scenario.expected_decision, scenario.expected_reason);
            why = format!("{why}\nNOT AS EXPECTED: {} {reason}", decision.name());
        }
        let (name, decision) = (
            scenario.name.to_owned(),
            scenario.decision.name().to_owned(),
        );
        [name, decision, why]
    });
    screen.table(["LOOKS LIKE", "VERDICT", "WHY"].map(kept), rows)?;
    let more = report.scenarios.len().saturating_sub(shown.len());
    let hint =
        format!("{more} more with --all: what each looks like, what is missing, and what to do.");
    Ok(screen.line(&hint)?)
}

fn show_all(report: &DemoReport, screen: &mut Screen) -> anyhow::Result<()> {
    let columns = [
        "SCENARIO, RESTORE STATUS",
        "VERDICT, REASON, MISSING",
        "NEXT ACTION",
    ];
    Ok(screen.table(columns.map(kept), report.scenarios.iter().map(row))?)
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
        ["KIND", "EXPECTED", "REASON", "PLANTED", "CAME OUT SO"].map(kept),
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
        ["OUTCOME", "FIRST PASS", "SECOND PASS"].map(kept),
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

/// How many came out as they are named to, what that was, and whether a second pass changed anything.
fn show_conclusion(report: &DemoReport, screen: &mut Screen) -> anyhow::Result<()> {
    let all = report.scenarios.len();
    let expected = report.scenarios.iter().filter(|it| it.as_expected).count();
    let tint = if expected == all {
        Tint::Good
    } else {
        Tint::Bad
    };
    let counts = counts(&report.scenarios);
    screen.tinted(
        tint,
        &format!("{expected} of {all} scenarios as expected: {counts}."),
    )?;
    if let (Some(first), Some(second)) = (report.first.queue, report.second.queue) {
        let ms = report.first.sweep_ms.saturating_add(report.second.sweep_ms);
        screen.line(&format!(
            "The verdicts came through the queue: {}, from the first request to the last job \
             finished in {:.1} s.",
            quantity(first.queued.saturating_add(second.queued), "job"),
            std::time::Duration::from_millis(ms).as_secs_f64()
        ))?;
    }
    let but = match report.second.queue {
        Some(_) => " but when open runs are looked at",
        None => "",
    };
    if report.unchanged {
        let line = format!("The second pass changed nothing{but}.");
        screen.tinted(Tint::Good, &line)?;
    } else {
        screen.tinted(Tint::Bad, "THE SECOND PASS CHANGED SOMETHING.")?;
    }
    Ok(())
}

/// How many came out in which way, in the order in which they are met first from the end: success leads.
fn counts(scenarios: &[ScenarioReport]) -> String {
    let mut counts: Vec<(&str, usize)> = Vec::new();
    for scenario in scenarios.iter().rev() {
        let name = scenario.decision.name();
        match counts.iter_mut().find(|(known, _)| *known == name) {
            Some((_, count)) => *count += 1,
            None => counts.push((name, 1)),
        }
    }
    let counts = counts.iter().map(|(name, count)| format!("{count} {name}"));
    counts.collect::<Vec<_>>().join(", ")
}
