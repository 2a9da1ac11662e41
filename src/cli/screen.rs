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

use serde::Serialize;
use terminal_size::terminal_size_of;
use tracing::Level;

use super::output::{Document, Listening, lines};
use super::table::{TableColumn, TableRows, fold};
use crate::clock;
use crate::config::Terminal;
use crate::telemetry::{Format, priority};

/// How wide a terminal is taken to be that does not know it.
const COLUMNS_UNKNOWN: u16 = 80;
/// Fewer columns than this would put every word on a line of its own.
const COLUMNS_MIN: u16 = 40;
/// Longer lines are hard to read.
const COLUMNS_MAX: u16 = 180;
/// And so are longer ones of sentences.
const PROSE_COLUMNS_MAX: u16 = 100;

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
    /// On a terminal, unless `NO_COLOR` is set or `TERM` is `dumb`.
    #[default]
    Auto,
    /// Always, unless `NO_COLOR` is set or `TERM` is `dumb`.
    Always,
    /// Never.
    Never,
}

/// Who reads what is written beside the results.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoteReader {
    /// People.
    Person,
    /// systemd's journal, which takes the priority of a line from what it begins with.
    Journal,
    /// A program, which wants JSON in each line, as `log.format` says.
    Program,
}

/// A line beside the results, by the names that lines of the log have.
#[derive(Serialize)]
struct NoteLine<'a> {
    timestamp: String,
    level: &'a str,
    message: &'a str,
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
    read_by: NoteReader,
    results: Stream,
    notes: Stream,
    /// Where text is folded; none where a program reads it.
    columns: Option<u16>,
    is_dumb: bool,
}

#[expect(
    clippy::struct_excessive_bools,
    reason = "each says one thing about where text goes"
)]
struct Stream {
    name: &'static str,
    writer: Box<dyn Write>,
    is_terminal: bool,
    /// Whether it is a terminal that shows no more than ASCII.
    is_ascii: bool,
    colour: bool,
    abandoned: bool,
}

impl Screen {
    /// The screen of this program's own streams.
    pub(super) fn new(
        output: Output,
        colour: Colour,
        terminal: Terminal,
        read_by: NoteReader,
    ) -> Self {
        let colour = if terminal.no_color {
            Colour::Never
        } else {
            colour
        };
        let asked = || match terminal_size_of(io::stdout()) {
            Some((width, _)) => Some(width.0),
            None => io::stdout().is_terminal().then_some(COLUMNS_UNKNOWN),
        };
        let columns = terminal.columns.or_else(asked);
        Self {
            output,
            read_by,
            results: Stream::new("stdout", io::stdout(), colour, terminal.is_ascii),
            notes: Stream::new("stderr", io::stderr(), colour, terminal.is_ascii),
            columns: columns.map(|columns| columns.clamp(COLUMNS_MIN, COLUMNS_MAX)),
            is_dumb: terminal.is_dumb,
        }
    }

    /// Whether somebody is watching standard error, on a terminal that can move its cursor.
    pub(super) fn is_watched(&self) -> bool {
        self.notes.is_terminal && !self.is_dumb && self.read_by == NoteReader::Person
    }

    /// From here on, lines beside the results are as those of the log are.
    pub(super) fn heed(&mut self, format: Format) {
        if format == Format::Json {
            self.read_by = NoteReader::Program;
        }
    }

    /// Whether a failure is to be one JSON document.
    pub(super) fn fails_in_json(&self) -> bool {
        self.output.is_json() || self.read_by == NoteReader::Program
    }

    /// Writes one line of a result, in as many lines as there is room for.
    pub(super) fn line(&mut self, text: &str) -> io::Result<()> {
        let text = folded(&self.results.shown(text), self.columns);
        self.results.write(&text, "\n")
    }

    /// Writes one line of a result that is there to be copied.
    pub(super) fn verbatim(&mut self, text: &str) -> io::Result<()> {
        let text = self.results.shown(text).into_owned();
        self.results.write(&text, "\n")
    }

    /// Writes a line of what to do, by itself: a sentence where there is room for it, and a statement as it is to be copied.
    pub(super) fn action(&mut self, line: &str) -> io::Result<()> {
        let line = format!("    {line}");
        if line.ends_with('.') {
            self.line(&line)
        } else {
            self.verbatim(&line)
        }
    }

    /// Writes one line of a result in colour.
    pub(super) fn tinted(&mut self, tint: Tint, text: &str) -> io::Result<()> {
        let text = folded(&self.results.shown(text), self.columns);
        self.results.write_tinted(tint, &text)
    }

    /// Writes a text of ours, its sentences in as many lines as there is room for. A command that is to be copied stays
    /// whole.
    pub(super) fn prose(&mut self, text: &str) -> io::Result<()> {
        let Some(width) = self.columns.map(|width| width.min(PROSE_COLUMNS_MAX)) else {
            return self.text(text);
        };
        let lines = text.split('\n').map(|line| {
            if line.starts_with(concat!("  ", env!("CARGO_PKG_NAME"), " ")) {
                return line.to_owned();
            }
            fold(line, width, margin(line, width))
        });
        let text = lines.collect::<Vec<_>>().join("\n");
        self.text(&text)
    }

    /// Says where a process listens, on a line of its own, once it does.
    pub(super) fn listening(&mut self, address: String) -> io::Result<()> {
        if !self.fails_in_json() {
            return self.line(&format!("listening on {address}"));
        }
        let document = Document::Listening(Listening { address });
        self.results.write(&serde_json::to_string(&document)?, "\n")
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

    /// Writes rows under a heading: in as many columns of characters as there are, or for a program a line each,
    /// with tabs between cells.
    pub(super) fn table<const N: usize>(
        &mut self,
        columns: [TableColumn; N],
        rows: impl IntoIterator<Item = [String; N]>,
    ) -> io::Result<()> {
        let rows = rows.into_iter();
        let rows = rows.map(|row| row.map(|cell| self.results.shown(&cell).into_owned()));
        let rows = TableRows::new(columns, rows.collect());
        let Some(width) = self.columns else {
            return self.results.write(&rows.in_tabs(), "\n");
        };
        let laid = rows.laid_out(width);
        match laid.text.split_once('\n').filter(|_| laid.in_columns) {
            Some((heading, rest)) => {
                self.results.write_tinted(Tint::Heading, heading)?;
                self.results.write(rest, "\n")?;
            }
            None => self.results.write(&laid.text, "\n")?,
        }
        if !laid.left_out.is_empty() {
            let left_out = laid.left_out.join(", ");
            self.note(&format!(
                "No room for {left_out}: see a wider terminal, or --output json."
            ));
        }
        Ok(())
    }

    /// Writes one line beside the results. Nobody is there to be told if this fails.
    pub(super) fn note(&mut self, text: &str) {
        self.write_beside(Level::INFO, text);
    }

    /// Writes what went wrong beside the results, the first line of it in colour.
    pub(super) fn trouble(&mut self, text: &str) {
        self.write_beside(Level::ERROR, text);
    }

    fn write_beside(&mut self, level: Level, text: &str) {
        let text = match self.read_by {
            NoteReader::Program => {
                return self.json_note(&NoteLine {
                    timestamp: format!("{:.6}", clock::wall()),
                    level: level.as_str(),
                    message: text,
                });
            }
            NoteReader::Journal => {
                let begun = format!("<{}>", priority(level));
                let shown = self.notes.shown(text);
                let lines = shown.lines().map(|line| format!("{begun}{line}"));
                lines.collect::<Vec<_>>().join("\n")
            }
            NoteReader::Person => {
                let columns = self.columns.filter(|_| self.notes.is_terminal);
                folded(&self.notes.shown(text), columns)
            }
        };
        let _ = match text.split_once('\n') {
            _ if level != Level::ERROR => self.notes.write(&text, "\n"),
            None => self.notes.write_tinted(Tint::Bad, &text),
            Some((head, rest)) => {
                let written = self.notes.write_tinted(Tint::Bad, head);
                written.and_then(|()| self.notes.write(rest, "\n"))
            }
        };
    }
}

/// Where a line of sentences goes on below itself: behind the name that it explains, or behind the mark of its point.
fn margin(line: &str, width: u16) -> usize {
    let text = line.trim_start_matches(' ');
    let indent = line.len() - text.len();
    if text.starts_with("- ") {
        return indent + 2;
    }
    let behind_name = text.find("  ").map(|at| {
        let rest = text.get(at..).unwrap_or_default();
        indent + at + rest.len() - rest.trim_start_matches(' ').len()
    });
    let has_room = |at: &usize| *at <= usize::from(width / 2);
    behind_name.filter(has_room).unwrap_or(indent)
}

/// The text in lines that there is room for, if anybody says how much.
fn folded(text: &str, columns: Option<u16>) -> String {
    let Some(width) = columns else {
        return text.to_owned();
    };
    let lines = text.split('\n').map(|line| {
        let indent = line.len() - line.trim_start_matches(' ').len();
        fold(line, width, indent)
    });
    lines.collect::<Vec<_>>().join("\n")
}

impl Stream {
    fn new(
        name: &'static str,
        writer: impl Write + IsTerminal + 'static,
        colour: Colour,
        is_ascii: bool,
    ) -> Self {
        let is_terminal = writer.is_terminal();
        Self::with(name, writer, is_terminal, colour, is_ascii)
    }

    fn with(
        name: &'static str,
        writer: impl Write + 'static,
        is_terminal: bool,
        colour: Colour,
        is_ascii: bool,
    ) -> Self {
        Self {
            name,
            colour: match colour {
                Colour::Auto => is_terminal,
                Colour::Always => true,
                Colour::Never => false,
            },
            is_terminal,
            is_ascii: is_terminal && is_ascii,
            writer: Box::new(writer),
            abandoned: false,
        }
    }

    /// The text as it can be shown here: without control characters, line ends excepted, and in ASCII where a terminal
    /// knows no more.
    fn shown<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let text = visible(text);
        if !self.is_ascii || text.is_ascii() {
            return text;
        }
        Cow::Owned(text.chars().fold(String::new(), in_ascii))
    }

    fn write_tinted(&mut self, tint: Tint, text: &str) -> io::Result<()> {
        if self.colour {
            self.write(&format!("{}{text}\u{1b}[0m", tint.code()), "\n")
        } else {
            self.write(text, "\n")
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

fn in_ascii(mut text: String, c: char) -> String {
    match c {
        '…' => text.push_str("..."),
        '–' | '—' => text.push('-'),
        '“' | '”' => text.push('"'),
        _ if c.is_ascii() => text.push(c),
        _ => text.extend(c.escape_unicode()),
    }
    text
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
    fn what_a_terminal_does_not_know_is_written_out() {
        assert_eq!(
            "Zürich …".chars().fold(String::new(), in_ascii),
            "Z\\u{fc}rich ..."
        );
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
        let failing = |kind| Stream::with("stdout", Failing(kind), false, Colour::Auto, false);
        let mut gone = failing(ErrorKind::BrokenPipe);
        assert!(gone.write("lost", "\n").is_ok() && gone.abandoned);
        let mut full = failing(ErrorKind::StorageFull);
        let error = full.write("lost", "\n").unwrap_err().to_string();
        assert!(error.starts_with("could not write to stdout: "), "{error}");
    }
}
