//! The one writer: everything a person or a script reads passes through here.
//!
//! **Invariants:**
//! - Results go to standard output, everything else to standard error.
//! - Escape codes are written by this module alone, and only where colour is wanted. Control
//!   characters in text, which may come from a database that anybody could have written to, are
//!   shown as escapes instead of being obeyed.
//! - A reader that went away is no error: `sweep | head` did its work. Any other failure to write says to which stream.

use std::borrow::Cow;
use std::io::{self, ErrorKind, IsTerminal, Write};

use comfy_table::{ColumnConstraint, ContentArrangement, LineStyle, Table, Width, presets};
use serde::Serialize;
use terminal_size::terminal_size_of;

use super::output::lines;

/// Columns of a table that is not shown on a terminal.
const PIPED_COLUMNS: u16 = 160;
/// Fewer columns than this would put every word on a line of its own.
const COLUMNS_MIN: u16 = 60;
/// Longer lines are hard to read.
const COLUMNS_MAX: u16 = 180;

/// Lines of a table besides its rows: its heading, and a line above, below and under that.
const FRAME_LINES: usize = 4;

/// Codes are not folded, so that they can be searched for and copied. Longer words are.
const WORD_COLUMNS_MAX: u16 = 36;
/// What a cell takes beside its text: a blank on each side, and one to the next cell.
const CELL_COLUMNS: u16 = 3;

/// How results are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub(super) enum Output {
    /// Tables and sentences for people.
    #[default]
    Table,
    /// One JSON document, indented, as `config schema --of output` describes it.
    Json,
    /// The same, a line each: a list is written as documents that hold one entry each.
    Jsonl,
}

impl Output {
    /// Whether a program reads it.
    pub(super) fn is_json(self) -> bool {
        self != Self::Table
    }
}

/// When colour is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub(super) enum Colour {
    /// On a terminal, unless `NO_COLOR` is set.
    #[default]
    Auto,
    /// Always, unless `NO_COLOR` is set.
    Always,
    /// Never.
    Never,
}

/// What a stretch of text says about itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tint {
    Good,
    Notice,
    Bad,
    Heading,
}

impl Tint {
    const fn code(self) -> &'static str {
        match self {
            Self::Good => "\u{1b}[32m",
            Self::Notice => "\u{1b}[33m",
            Self::Bad => "\u{1b}[31m",
            Self::Heading => "\u{1b}[1m",
        }
    }
}

/// Standard output and standard error.
pub(super) struct Screen {
    pub(super) output: Output,
    results: Stream,
    notes: Stream,
    columns: u16,
}

struct Stream {
    name: &'static str,
    writer: Box<dyn Write>,
    is_terminal: bool,
    colour: bool,
    abandoned: bool,
}

impl Screen {
    /// The screen of this program's own streams.
    pub(super) fn new(output: Output, colour: Colour, no_color: bool) -> Self {
        let colour = if no_color { Colour::Never } else { colour };
        let columns = terminal_size_of(io::stdout()).map_or(PIPED_COLUMNS, |(columns, _)| {
            columns.0.clamp(COLUMNS_MIN, COLUMNS_MAX)
        });
        Self {
            output,
            results: Stream::new("stdout", io::stdout(), io::stdout().is_terminal(), colour),
            notes: Stream::new("stderr", io::stderr(), io::stderr().is_terminal(), colour),
            columns,
        }
    }

    /// Whether somebody is watching standard error.
    pub(super) fn is_watched(&self) -> bool {
        self.notes.is_terminal
    }

    /// Writes one line of a result.
    pub(super) fn line(&mut self, text: &str) -> io::Result<()> {
        self.results.write(&visible(text), "\n")
    }

    /// Writes one line of a result in colour.
    pub(super) fn tinted(&mut self, tint: Tint, text: &str) -> io::Result<()> {
        self.results.write_tinted(tint, text)
    }

    /// Writes a text of ours as it stands, such as a script.
    pub(super) fn text(&mut self, text: &str) -> io::Result<()> {
        self.results.write(text, "")
    }

    /// Writes one JSON document, indented, or a line for each entry of a list.
    pub(super) fn json(&mut self, document: &impl Serialize) -> io::Result<()> {
        if self.output != Output::Jsonl {
            let text = serde_json::to_string_pretty(document)?;
            return self.results.write(&text, "\n");
        }
        for line in lines(serde_json::to_value(document)?) {
            self.results.write(&line.to_string(), "\n")?;
        }
        Ok(())
    }

    /// Writes one JSON document on a line of its own, beside the results.
    pub(super) fn json_note(&mut self, document: &impl Serialize) {
        let _ = serde_json::to_string(document).map(|text| self.notes.write(&text, "\n"));
    }

    /// Writes rows under a heading, in as many columns of characters as there are.
    pub(super) fn table<const N: usize>(
        &mut self,
        heading: [&str; N],
        rows: impl IntoIterator<Item = [String; N]>,
    ) -> io::Result<()> {
        let table = render_table(self.columns, heading, rows);
        self.results.write(&table, "\n")
    }

    /// Writes one line beside the results. Nobody is there to be told if this fails.
    pub(super) fn note(&mut self, text: &str) {
        let _ = self.notes.write(&visible(text), "\n");
    }

    /// Writes a note like [`Self::note`], in colour.
    pub(super) fn tinted_note(&mut self, tint: Tint, text: &str) {
        let _ = self.notes.write_tinted(tint, text);
    }
}

impl Stream {
    fn new(
        name: &'static str,
        writer: impl Write + 'static,
        is_terminal: bool,
        colour: Colour,
    ) -> Self {
        Self {
            name,
            colour: match colour {
                Colour::Auto => is_terminal,
                Colour::Always => true,
                Colour::Never => false,
            },
            is_terminal,
            writer: Box::new(writer),
            abandoned: false,
        }
    }

    fn write_tinted(&mut self, tint: Tint, text: &str) -> io::Result<()> {
        let text = visible(text);
        if self.colour {
            self.write(&format!("{}{text}\u{1b}[0m", tint.code()), "\n")
        } else {
            self.write(&text, "\n")
        }
    }

    fn write(&mut self, text: &str, end: &str) -> io::Result<()> {
        if self.abandoned {
            return Ok(());
        }
        let written = self
            .writer
            .write_all(text.as_bytes())
            .and_then(|()| self.writer.write_all(end.as_bytes()))
            .and_then(|()| self.writer.flush());
        match written {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {
                self.abandoned = true;
                Ok(())
            }
            written => written.map_err(|error| {
                let text = format!(
                    "could not write to {}: {error}; what was done until then stands",
                    self.name
                );
                io::Error::new(error.kind(), text)
            }),
        }
    }
}

fn render_table<const N: usize>(
    columns: u16,
    heading: [&str; N],
    rows: impl IntoIterator<Item = [String; N]>,
) -> String {
    let mut table = Table::new();
    table
        .load_style(presets::UTF8_HORIZONTAL_ONLY)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(columns)
        .set_header(heading);
    table.style_mut().row_separator = LineStyle::none();
    let mut words = heading.map(longest_word);
    for row in rows {
        let row = row.map(|cell| visible(&cell).into_owned());
        for (longest, cell) in words.iter_mut().zip(&row) {
            *longest = longest_word(cell).max(*longest);
        }
        table.add_row(row);
    }
    let widths = words.map(|longest| longest.min(WORD_COLUMNS_MAX) + CELL_COLUMNS);
    if widths.iter().sum::<u16>() <= columns {
        let at_least = |width| ColumnConstraint::LowerBoundary(Width::Fixed(width));
        table.set_constraints(widths.map(at_least));
    }
    let rendered = table.trim_fmt();
    // Rows that take several lines run into each other without a line between them.
    if rendered.lines().count() <= table.row_count() + FRAME_LINES {
        return rendered;
    }
    table.load_style(presets::UTF8_HORIZONTAL_ONLY).trim_fmt()
}

fn longest_word(text: &str) -> u16 {
    let longest = text.split_whitespace().map(|word| word.chars().count());
    u16::try_from(longest.max().unwrap_or(0)).unwrap_or(u16::MAX)
}

/// The text with control characters, line ends excepted, written out.
fn visible(text: &str) -> Cow<'_, str> {
    let is_obeyed = |c: char| c.is_control() && c != '\n';
    if !text.contains(is_obeyed) {
        return Cow::Borrowed(text);
    }
    let shown = text.chars().fold(String::new(), |mut shown, c| {
        if is_obeyed(c) {
            shown.extend(c.escape_default());
        } else {
            shown.push(c);
        }
        shown
    });
    Cow::Owned(shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_shown_and_not_obeyed() {
        assert_eq!(visible("plain\nlines"), "plain\nlines");
        assert_eq!(visible("a\u{1b}[2Jb\r\u{9b}1m"), "a\\u{1b}[2Jb\\r\\u{9b}1m");
    }

    #[test]
    fn a_table_fits_its_width() {
        let long = "A sentence that is longer than the table is wide, so that it has to be folded.";
        let table = render_table(
            COLUMNS_MIN,
            ["RUN", "WHAT"],
            [["7".to_owned(), long.to_owned()]],
        );
        assert!(
            table
                .lines()
                .all(|line| line.chars().count() <= usize::from(COLUMNS_MIN)),
            "{table}"
        );
        assert!(table.contains("RUN"), "{table}");
    }

    #[test]
    fn a_code_is_never_folded() {
        let code = "restore.evidence_predates_restore";
        let sentence = "A sentence that takes all the room that it can get, and then some more.";
        let cells = [sentence, code, sentence].map(str::to_owned);
        let table = render_table(80, ["A", "CODE", "B"], [cells]);
        assert!(table.contains(code), "{table}");
    }

    /// A pipe whose reader is gone, and one on a full disk.
    struct Failing(ErrorKind);

    impl Write for Failing {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn only_a_reader_that_went_away_is_no_error() {
        let mut gone = Stream::new(
            "stdout",
            Failing(ErrorKind::BrokenPipe),
            false,
            Colour::Auto,
        );
        assert!(gone.write("lost", "\n").is_ok() && gone.abandoned);
        let mut full = Stream::new(
            "stdout",
            Failing(ErrorKind::StorageFull),
            false,
            Colour::Auto,
        );
        let error = full.write("lost", "\n").unwrap_err().to_string();
        assert!(error.starts_with("could not write to stdout: "), "{error}");
    }
}
