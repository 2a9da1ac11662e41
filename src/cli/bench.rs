//! `bench`: measures how fast runs are settled.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use std::time::Duration;

use tempfile::TempDir;

use super::exit::Exit;
use super::failure::Failure;
use super::interruption::stop_on_signal;
use super::output::Document;
use super::progress::Progress;
use super::screen::{Output, Screen};
use super::session::Session;
use crate::bench::{self, BenchOptions, BenchProgress, Figure, Target, Unit, Work, rounded};
use crate::storage::{Backend, Scratch};

/// What to measure.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Settle so many runs in each measurement.
    #[arg(long, value_name = "N", default_value_t = 5_000, value_parser = clap::value_parser!(u32).range(100..=1_000_000))]
    runs: u32,
    /// Give each restore so many items.
    #[arg(long, value_name = "K", default_value_t = 20, value_parser = clap::value_parser!(u32).range(2..=1_000))]
    items: u32,
    /// Measure growth beside up to so many settled runs.
    #[arg(long, value_name = "M", default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(100..=10_000_000))]
    settled: u64,
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
}

/// Measures, on databases of its own.
pub(super) async fn run(session: &mut Session<'_>, args: &Args) -> anyhow::Result<Exit> {
    let stop = stop_on_signal().context("cannot wait for signals")?;
    let directory = TempDir::new().context("cannot create a temporary directory")?;
    let scratch = scratch(session, directory.path()).await?;
    let options = BenchOptions {
        runs: args.runs,
        items: args.items,
        rounds: args.rounds,
        settled: args.settled,
        duration: Duration::from_secs(args.duration),
    };
    // What cannot be written is better known now than in some minutes.
    let chart = args.chart.as_deref().map(Saved::at).transpose()?;
    let json = args.json.as_deref().map(Saved::at).transpose()?;
    let mut progress = Progress::new(session.screen, "planting", 0);
    let shown = |step: BenchProgress| progress.show(step.step, step.done, step.total);
    let report = tokio::select! {
        report = bench::run(&scratch, options, shown) => report,
        () = stop.cancelled() => {
            scratch.remove().await?;
            let advice = "Its databases were removed. Run the command again.";
            return Err(Failure::new("the measurement was broken off", advice).into());
        }
    };
    drop(progress);
    let report = report?;

    let drawn = report.chart()?;
    let document = Document::Bench(Box::new(report));
    let text = serde_json::to_string_pretty(&document)? + "\n";
    show(document, session.screen)?;
    for (file, text) in [(chart, drawn), (json, text)] {
        file.map_or(Ok(()), |file| file.save(&text))?;
    }
    Ok(Exit::Done)
}

/// On the server that the environment names, or in files of our own.
async fn scratch(session: &Session<'_>, directory: &Path) -> anyhow::Result<Scratch> {
    match session.environment.database_url()? {
        Some(url) if url.backend() == Backend::Postgres => {
            let server = Scratch::on_server(url.expose_secret()).await;
            server.with_context(|| {
                Failure::new(
                    format!("cannot measure on the server of {url}"),
                    "Check that it is up, and that this user may create databases.",
                )
            })
        }
        _ => Ok(Scratch::in_directory(directory)),
    }
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

fn show(document: Document, screen: &mut Screen) -> anyhow::Result<()> {
    if screen.output == Output::Json {
        return Ok(screen.json(&document)?);
    }
    let Document::Bench(report) = document else {
        return Ok(());
    };
    screen.line(&report.machine)?;
    screen.line(&report.database)?;
    let Work {
        runs,
        items,
        results_bytes,
        rounds,
        ..
    } = report.work;
    screen.line(&format!(
        "{runs} runs, {items} items each ({results_bytes} bytes of results); medians of {rounds} rounds"
    ))?;
    screen.table(
        ["MEASURED", "MEDIAN", "LEAST", "MOST"],
        report.figures.iter().map(figure),
    )?;
    screen.table(
        ["TARGET", "SHOULD BE", "IS", ""],
        report.targets.iter().map(target),
    )?;
    Ok(())
}

fn figure(figure: &Figure) -> [String; 4] {
    [
        figure.name(),
        figure.value(),
        rounded(figure.min),
        rounded(figure.max),
    ]
}

fn target(target: &Target) -> [String; 4] {
    let unit = target.unit.map_or("×", Unit::symbol);
    let sign = if target.at_least { "≥" } else { "≤" };
    [
        target.name.to_owned(),
        format!("{sign} {} {unit}", rounded(target.bound)),
        format!("{} {unit}", rounded(target.value)),
        if target.held { "held" } else { "MISSED" }.to_owned(),
    ]
}
