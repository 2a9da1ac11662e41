//! The command line: one file per verb.
//!
//! ```text
//! arguments ─▶ settings ─▶ store ─▶ verb ─▶ document ─▶ table or JSON ─▶ exit code
//! ```
//!
//! **Invariants:**
//! - Whatever is shown passes through one writer, in `screen`.
//! - What a verb found is one [`output::Document`]; the table shows what is in it and the JSON is it.
//! - The exit code is derived from the same document. See [`Exit`].

mod completions;
mod demo;
mod doctor;
mod enqueue;
mod exit;
mod explain;
mod failure;
mod forget;
mod grants;
mod help;
mod interruption;
mod ledger;
mod man;
mod migrate;
mod opinions;
pub mod output;
mod probe;
mod progress;
mod queue;
mod reason;
mod reconcile;
mod reload;
mod results;
mod runs;
mod screen;
mod serve;
mod session;
mod settings;
mod since;
mod supervisor;
mod survey;
mod sweep;
mod table;
mod token;
mod uninstall;
mod version;
mod wait;
mod waiting;
mod words;
mod work;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{
    CommandFactory as _, FromArgMatches as _, Parser, Subcommand, ValueEnum as _, ValueHint,
};

pub use exit::Exit;
use reconciler_jobs::restore_execute::reason::CLAIM_BOUNDARY;
use screen::{Colour, NoteReader, Output, Screen};
use session::Session;

use crate::config::{Config, Environment, Log};
use crate::telemetry::{self, Format};

/// What every verb takes stands in its help after what is its own.
const OF_EVERY_VERB: usize = 900;

/// Threads of a worker, and of the console.
const WORKER_THREADS: usize = 2;

/// Decides whether restores were proven, and if not, what is missing.
///
/// The database is named by `RECONCILER_DATABASE_URL` in the environment; `demo` needs none.
#[derive(Debug, Parser)]
#[command(name = "restore-reconciler", version)]
struct Cli {
    /// Configuration file; else the one that `RECONCILER_CONFIG` names, else the defaults.
    #[arg(long, global = true, display_order = OF_EVERY_VERB, value_name = "FILE", value_hint = ValueHint::FilePath)]
    config: Option<PathBuf>,
    /// How results are written.
    #[arg(short, long, global = true, display_order = OF_EVERY_VERB, value_enum, default_value_t)]
    output: Output,
    /// Log at the configured level, `info` by default, instead of warnings only; `doctor` also lists what is well.
    #[arg(short, long, global = true, display_order = OF_EVERY_VERB)]
    verbose: bool,
    /// When colour is used.
    #[arg(long, global = true, display_order = OF_EVERY_VERB, value_enum, default_value_t)]
    color: Colour,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    #[command(flatten)]
    OnDatabase(OnDatabase),
    /// Show, check or describe the configuration.
    #[command(subcommand)]
    Config(settings::Command),
    /// Print a script that completes commands in a shell.
    Completions(completions::Args),
    /// Print a manual page, or write all of them into a directory.
    Man(man::Args),
    /// Make a token for the console, and print it with its section of the configuration.
    Token(token::Args),
    /// Ask a worker or a console whether it is well; for containers that have no other program to ask with.
    Probe(probe::Args),
    /// Say which program this is, with what it was built, and by which rules it judges.
    Version,
}

/// Verbs that need settings and a database.
#[derive(Debug, Subcommand)]
enum OnDatabase {
    /// Create or upgrade this product's own schema; platform tables get a trigger only if asked for.
    Migrate(migrate::Args),
    /// Show what `migrate` created, or remove it, with every verdict on record.
    Uninstall(uninstall::Args),
    /// Erase the facts of a workspace that has left; its verdicts stay, with their reasons and digests.
    Forget(forget::Args),
    /// Decide every run that is due, once.
    Sweep(sweep::Args),
    /// Work until told to stop: take jobs, sweep on the schedule, look again when it is time.
    Work(work::Args),
    /// Show the console until told to stop, where `--listen` or `console.listen` says.
    Serve(serve::Args),
    /// List runs, as the console does: which are undecided, what was decided, and why.
    #[command(alias = "list")]
    Runs(runs::Args),
    /// List, show and check verdicts on record.
    #[command(subcommand)]
    Ledger(ledger::Command),
    /// Wait until runs have their verdicts; the exit code is that of the verdict.
    Wait(wait::Args),
    /// List second opinions on runs that somebody else closed; exit code 10 where a success is not proven.
    Opinions(opinions::Args),
    /// Decide the runs that are named, now.
    Reconcile(reconcile::Args),
    /// Show what the rules see in a run, what is missing, and what to do next; write nothing.
    Explain(explain::Args),
    /// Queue a job for each of the runs that are named, for a worker to look at soon.
    Enqueue(enqueue::Args),
    /// Show what is queued, in hand or in trouble, and let runs in trouble start over.
    #[command(subcommand)]
    Queue(queue::Command),
    /// Look at the database before trusting it.
    #[command(aliases = ["health", "status"])]
    Doctor(doctor::Args),
    /// Print what a role of the database needs, ready for psql; grant nothing.
    Grants(grants::Args),
    /// Judge a platform of named scenarios, twice; needs no database.
    Demo(demo::Args),
}

/// The program. Reads its own arguments and environment, and returns its exit code.
pub fn main() -> ExitCode {
    run(std::env::args_os(), Environment::read()).into()
}

fn run(arguments: impl Iterator<Item = OsString>, environment: Environment) -> Exit {
    let arguments: Vec<OsString> = arguments.collect();
    let parsed = command()
        .try_get_matches_from(&arguments)
        .and_then(|matches| Cli::from_arg_matches(&matches));
    let (output, colour, file) = if let Ok(cli) = &parsed {
        (cli.output, cli.color, cli.config.clone())
    } else {
        let file = option_in(&arguments, "--config", None).map(PathBuf::from);
        (output_in(&arguments), Colour::Never, file)
    };
    // Also of a configuration that cannot be used: whoever reads each line as JSON reads why.
    let read_by = if Config::log_format_wanted(file.as_deref(), &environment) == Format::Json {
        NoteReader::Program
    } else if telemetry::is_journals(environment.journal()) {
        NoteReader::Journal
    } else {
        NoteReader::Person
    };
    let mut screen = Screen::new(output, colour, environment.terminal(), read_by);
    match parsed {
        Ok(cli) => {
            let configured = environment.clone();
            dispatch(cli, &mut screen, environment).unwrap_or_else(|error| {
                // What is no file, such as a pipe, was not read before.
                screen.heed(Config::log_format_wanted(file.as_deref(), &configured));
                failure::show(&error, &mut screen)
            })
        }
        Err(message) => say(&message, &mut screen),
    }
}

/// The command line, as it is parsed, explained, completed and described in manual pages.
fn command() -> clap::Command {
    words::without_files(help::arranged(Cli::command()))
        .long_version(version::text())
        .after_long_help(exit_codes())
}

/// How results are wanted, by a command line that may not be understood.
fn output_in(arguments: &[OsString]) -> Output {
    option_in(arguments, "--output", Some('o'))
        .and_then(|word| Output::from_str(word, false).ok())
        .unwrap_or_default()
}

/// The value of an option in a command line that may not be understood.
fn option_in<'a>(arguments: &'a [OsString], long: &str, short: Option<char>) -> Option<&'a str> {
    let mut arguments = arguments.iter().filter_map(|it| it.to_str());
    let wanted = arguments.find_map(|it| {
        let long = it.strip_prefix(long);
        // Flags without a value may stand before it: `-vo json`.
        let flags = it.strip_prefix('-').map(|it| it.trim_start_matches('v'));
        match long.or(flags.and_then(|it| it.strip_prefix(short?))) {
            Some("") => Some(None),
            word => word.map(Some),
        }
    });
    let word = wanted.and_then(|word| word.or_else(|| arguments.next()));
    word.map(|word| word.trim_start_matches('='))
}

/// Help and version are results; anything else is a mistake in the arguments.
fn say(message: &clap::Error, screen: &mut Screen) -> Exit {
    if message.use_stderr() {
        return failure::show_usage(message, screen);
    }
    match screen.prose(&message.render().to_string()) {
        Ok(()) => Exit::Done,
        Err(error) => failure::show(&error.into(), screen),
    }
}

fn exit_codes() -> String {
    let lines = Exit::ALL.map(|exit| format!("  {:>2}  {}", exit.code(), exit.meaning()));
    format!("Exit codes:\n{}\n\n{CLAIM_BOUNDARY}", lines.join("\n"))
}

fn dispatch(cli: Cli, screen: &mut Screen, environment: Environment) -> anyhow::Result<Exit> {
    match cli.command {
        Command::Completions(args) => completions::run(screen, &args, &mut command()),
        Command::Man(args) => man::run(screen, &args, command()),
        Command::Token(args) => token::run(screen, &args),
        Command::Probe(args) => probe::run(screen, &args),
        Command::Version => version::run(screen),
        Command::Config(command) => {
            settings::run(screen, &command, cli.config.as_deref(), &environment)
        }
        Command::OnDatabase(verb) => {
            let config = Session::load_config(cli.config.as_deref(), &environment)?;
            let no_color = environment.terminal().no_color || cli.color == Colour::Never;
            screen.heed(config.log.format);
            let filter = log_filter(&config.log, cli.verbose, &verb);
            let spans = environment.spans();
            let telemetry = telemetry::start(
                filter,
                config.log.format,
                no_color,
                environment.journal(),
                &spans,
            )
            .context("cannot start logging")?;
            let session = Session {
                screen,
                config,
                config_file: cli.config.clone(),
                environment,
                verbosity: telemetry.verbosity(),
                is_verbose: cli.verbose,
            };
            on_database(session, verb)
        }
    }
}

/// One-shot commands show what they did by themselves, so logs begin at warnings unless somebody
/// asked for more: with `--verbose`, or by configuring another filter than the default. What goes
/// wrong in a demonstration goes wrong on purpose.
fn log_filter<'a>(log: &'a Log, verbose: bool, verb: &OnDatabase) -> &'a str {
    let configured = verbose || log.filter != Log::default().filter;
    match verb {
        _ if configured => &log.filter,
        OnDatabase::Demo(_) => "off",
        OnDatabase::Work(_) | OnDatabase::Serve(_) => &log.filter,
        _ => "warn",
    }
}

fn on_database(mut session: Session<'_>, verb: OnDatabase) -> anyhow::Result<Exit> {
    // One thread serves a command. A worker has a second one, so that probes are answered and heartbeats
    // are sent while a large batch is being decided.
    let works = match &verb {
        OnDatabase::Work(_) | OnDatabase::Serve(_) => true,
        OnDatabase::Demo(args) => args.through_queue,
        _ => false,
    };
    let mut runtime = if works {
        tokio::runtime::Builder::new_multi_thread()
    } else {
        tokio::runtime::Builder::new_current_thread()
    };
    let runtime = runtime
        .worker_threads(WORKER_THREADS)
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    runtime.block_on(async {
        let session = &mut session;
        match verb {
            OnDatabase::Migrate(args) => Box::pin(migrate::run(session, &args)).await,
            OnDatabase::Uninstall(args) => uninstall::run(session, &args).await,
            OnDatabase::Forget(args) => forget::run(session, &args).await,
            OnDatabase::Sweep(args) => sweep::run(session, &args).await,
            OnDatabase::Work(args) => Box::pin(work::run(session, &args)).await,
            OnDatabase::Serve(args) => serve::run(session, &args).await,
            OnDatabase::Runs(args) => runs::run(session, &args).await,
            OnDatabase::Ledger(command) => ledger::run(session, &command).await,
            OnDatabase::Wait(args) => wait::run(session, &args).await,
            OnDatabase::Opinions(args) => opinions::run(session, &args).await,
            OnDatabase::Reconcile(args) => reconcile::run(session, &args).await,
            OnDatabase::Explain(args) => explain::run(session, &args).await,
            OnDatabase::Enqueue(args) => enqueue::run(session, &args).await,
            OnDatabase::Queue(command) => queue::run(session, &command).await,
            OnDatabase::Doctor(args) => doctor::run(session, &args).await,
            OnDatabase::Grants(args) => grants::run(session, &args).await,
            OnDatabase::Demo(args) => Box::pin(demo::run(session, &args)).await,
        }
    })
}
