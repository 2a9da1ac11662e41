//! What a person reads: figures in tables, how far a measurement has come, and why it failed.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::time::Duration;

use comfy_table::{ContentArrangement, LineStyle, Table, presets};
use restore_reconciler::internals::clock::Stopwatch;
use terminal_size::terminal_size_of;

use crate::report::{Figure, Report, Target, Unit, rounded};

/// Columns of a table that is not shown on a terminal.
const PIPED_COLUMNS: u16 = 160;

/// How often a line says how far a measurement has come.
const LINE_EVERY: Duration = Duration::from_secs(5);

impl Report {
    /// What was measured, in two tables.
    pub(crate) fn tables(&self) -> String {
        let (runs, items, rounds) = (self.work.runs, self.work.items, self.work.rounds);
        let (machine, database) = (&self.machine, &self.database);
        let bytes = self.work.results_bytes;
        let mut text = format!(
            "{machine}\n{database}\n\
             {runs} runs, {items} items each ({bytes} bytes of results); medians of {rounds} rounds\n"
        );
        let figures = self.figures.iter().map(figure);
        text += &table(["MEASURED", "MEDIAN", "LEAST", "MOST"], figures);
        let targets = self.targets.iter().map(target);
        text += &table(["TARGET", "SHOULD BE", "IS", ""], targets);
        text
    }
}

fn figure(figure: &Figure) -> [String; 4] {
    let [min, max] = [figure.min, figure.max].map(rounded);
    [figure.name(), figure.value(), min, max]
}

fn target(target: &Target) -> [String; 4] {
    let unit = target.unit.map_or("×", Unit::symbol);
    let sign = if target.at_least { "≥" } else { "≤" };
    [
        target.name.clone(),
        format!("{sign} {} {unit}", rounded(target.bound)),
        format!("{} {unit}", rounded(target.value)),
        if target.held { "held" } else { "MISSED" }.to_owned(),
    ]
}

fn table(heading: [&str; 4], rows: impl Iterator<Item = [String; 4]>) -> String {
    let columns = terminal_size_of(io::stdout()).map_or(PIPED_COLUMNS, |(columns, _)| columns.0);
    let mut table = Table::new();
    table
        .load_style(presets::UTF8_HORIZONTAL_ONLY)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(columns)
        .set_header(heading)
        .add_rows(rows);
    table.style_mut().row_separator = LineStyle::none();
    table.trim_fmt() + "\n"
}

/// How far a measurement has come, on standard error.
pub(crate) struct ProgressLines(Stopwatch);

impl ProgressLines {
    pub(crate) fn new() -> Self {
        Self(Stopwatch::start())
    }

    /// Writes a line if the last one was written a while ago.
    pub(crate) fn show(&mut self, step: &str, done: u64, total: u64) {
        if self.0.elapsed() >= LINE_EVERY {
            self.0 = Stopwatch::start();
            note(&format!("{step}: {done} of {total}\n"));
        }
    }
}

/// Writes a failure to standard error, from the outside in.
pub(crate) fn failure(error: &anyhow::Error) {
    let mut text = format!("error: {error}\n");
    for cause in error.chain().skip(1) {
        // Into text, which cannot fail.
        let _ = writeln!(text, "  because: {cause}");
    }
    note(&text);
}

/// Nobody is there to be told if this fails.
fn note(text: &str) {
    let _ = io::stderr().write_all(text.as_bytes());
}
