//! Measures how fast runs are settled, on databases of its own, on a PostgreSQL server.
//!
//! ```sh
//! cargo run --release -p reconciler-bench -- --json bench.json --chart bench.svg
//! ```
//!
//! `RECONCILER_DATABASE_URL` names the server, whose user must be allowed to create databases. The database in it is
//! connected to and not touched.

mod audit;
mod bench;
mod chart;
mod growth;
mod leaves;
mod machine;
mod pages;
mod process;
mod report;
mod requests;
mod scratch;
mod sealing;
mod settling;
mod shown;
mod targets;
mod work;
mod workbench;
mod workers;

use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::{Parser, ValueEnum};
use restore_reconciler::internals::config::{DATABASE_URL_VARIABLE, DatabaseUrl, Environment};
use restore_reconciler::internals::storage::Backend;
use restore_reconciler::internals::telemetry;
use tokio::signal::unix::{SignalKind, signal};

use self::bench::{Options, Part};
use self::process::OPERATED_AS;
use self::scratch::Scratch;

/// Threads of this program, as many as a worker has.
const THREADS: usize = 2;

/// Planting a million rows takes as long as it takes.
const LOG_FILTER: &str = "warn,sqlx::query=error";

/// Measures how fast runs are settled, on databases of its own.
///
/// `RECONCILER_DATABASE_URL` names the PostgreSQL server; the database in it is not touched.
#[derive(Debug, Parser)]
#[command(name = "reconciler-bench", version, max_term_width = 100)]
struct Args {
    /// Settle so many runs in each measurement.
    #[arg(long, value_name = "N", default_value_t = 5_000, value_parser = clap::value_parser!(u32).range(100..=1_000_000))]
    runs: u32,
    /// Give each restore so many items.
    #[arg(long, value_name = "K", default_value_t = 20, value_parser = clap::value_parser!(u32).range(2..=1_000))]
    items: u32,
    /// Measure growth beside up to so many settled runs.
    #[arg(long, value_name = "M", default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(100..=10_000_000))]
    settled: u64,
    /// Measure a tree with so many leaves.
    #[arg(long, value_name = "L", default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(100..=100_000_000))]
    leaves: u64,
    /// Take turns so often.
    #[arg(long, value_name = "R", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
    /// Write the figures to this file, as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Draw the figures into this file, as SVG.
    #[arg(long, value_name = "FILE.svg")]
    chart: Option<PathBuf>,
    /// Make requests for so many seconds, or until all runs were asked for.
    #[arg(long, value_name = "S", default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=600))]
    duration: u64,
    /// Measure these parts alone.
    #[arg(long, value_enum, value_name = "PART", value_delimiter = ',')]
    only: Vec<Part>,
    /// How results are written.
    #[arg(long, value_enum, default_value_t)]
    output: Output,
}

/// How results are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
enum Output {
    /// Tables and sentences for people.
    #[default]
    Table,
    /// One JSON document, indented.
    Json,
}

fn main() -> ExitCode {
    if std::env::args_os()
        .next()
        .is_some_and(|name| name == OPERATED_AS)
    {
        return restore_reconciler::main();
    }
    let args = Args::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(THREADS)
        .enable_all()
        .build()
        .context("cannot start the runtime");
    match runtime.and_then(|runtime| runtime.block_on(run(&args))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            shown::failure(&error);
            ExitCode::FAILURE
        }
    }
}

/// Measures, and shows what came of it.
async fn run(args: &Args) -> anyhow::Result<()> {
    let environment = Environment::read();
    let no_color = environment.terminal().no_color;
    let _telemetry = telemetry::start(
        LOG_FILTER,
        telemetry::Format::default(),
        no_color,
        None,
        &telemetry::Spans::default(),
    )
    .context("cannot start logging")?;
    let Some(url) = environment.database_url()? else {
        bail!(
            "no server is named: set {DATABASE_URL_VARIABLE} to postgres://USER:PASSWORD@HOST:PORT/DATABASE"
        );
    };
    if url.backend() != Backend::Postgres {
        bail!("{url} names no PostgreSQL server, and nothing is measured elsewhere");
    }
    // What cannot be written is better known now than in some minutes.
    let chart = args.chart.as_deref().map(Saved::at).transpose()?;
    let json = args.json.as_deref().map(Saved::at).transpose()?;
    let report = measure(&url, args).await?;

    let text = serde_json::to_string_pretty(&report)? + "\n";
    match args.output {
        Output::Json => io::stdout().write_all(text.as_bytes())?,
        Output::Table => io::stdout().write_all(report.tables().as_bytes())?,
    }
    for (file, text) in [(chart, report.chart()?), (json, text)] {
        file.map_or(Ok(()), |file| file.save(&text))?;
    }
    Ok(())
}

/// Measures until it is done or somebody wants it to stop, and leaves no database behind.
async fn measure(url: &DatabaseUrl, args: &Args) -> anyhow::Result<report::Report> {
    let mut terminate = signal(SignalKind::terminate()).context("cannot wait for signals")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot wait for signals")?;
    let scratch = Scratch::on_server(url.expose_secret())
        .await
        .with_context(|| format!("cannot measure on the server of {url}: is it up, and may this user create databases?"))?;
    let options = Options {
        runs: args.runs,
        items: args.items,
        rounds: args.rounds,
        settled: args.settled,
        leaves: args.leaves,
        parts: args.only.clone(),
        duration: Duration::from_secs(args.duration),
    };
    tokio::select! {
        report = bench::run(&scratch, options) => return report,
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    scratch.remove().await?;
    bail!("the measurement was broken off; its databases were removed")
}

/// A file that can be written.
struct Saved<'a> {
    name: &'a Path,
    file: File,
}

impl<'a> Saved<'a> {
    fn at(name: &'a Path) -> anyhow::Result<Self> {
        let file =
            File::create(name).with_context(|| format!("cannot write {}", name.display()))?;
        Ok(Self { name, file })
    }

    fn save(mut self, text: &str) -> anyhow::Result<()> {
        let written = self.file.write_all(text.as_bytes());
        written.with_context(|| format!("cannot write {}", self.name.display()))
    }
}
