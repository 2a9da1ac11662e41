//! Lines for systemd's journal, which takes their priority from what they begin with.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd as _;
use std::os::unix::fs::MetadataExt as _;

use tracing::{Level, Metadata};
use tracing_subscriber::fmt::MakeWriter;

/// Standard error, with a priority before each event where that is the journal's.
#[derive(Debug, Clone, Copy)]
pub(super) struct JournalLines {
    is_journal: bool,
}

impl JournalLines {
    /// `journal` names the file of the journal's stream, as a device and a number.
    pub(super) fn new(journal: Option<&str>) -> Self {
        Self {
            is_journal: is_journals(journal),
        }
    }
}

/// Whether standard error leads to the journal, whose stream is named as a device and a number.
pub fn is_journals(stream: Option<&str>) -> bool {
    stream.is_some_and(|stream| stderr_file().is_ok_and(|file| file == stream))
}

/// What the journal calls a level.
pub fn priority(level: Level) -> u8 {
    match level {
        Level::ERROR => 3,
        Level::WARN => 4,
        Level::INFO => 6,
        Level::DEBUG | Level::TRACE => 7,
    }
}

fn stderr_file() -> io::Result<String> {
    let file = File::from(io::stderr().as_fd().try_clone_to_owned()?).metadata()?;
    Ok(format!("{}:{}", file.dev(), file.ino()))
}

/// An event on its way to standard error.
#[derive(Debug)]
pub(super) struct JournalLine {
    priority: Option<u8>,
}

impl MakeWriter<'_> for JournalLines {
    type Writer = JournalLine;

    fn make_writer(&self) -> JournalLine {
        JournalLine { priority: None }
    }

    fn make_writer_for(&self, event: &Metadata<'_>) -> JournalLine {
        JournalLine {
            priority: self.is_journal.then(|| priority(*event.level())),
        }
    }
}

impl Write for JournalLine {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Some(priority) = self.priority.take() else {
            return io::stderr().write(bytes);
        };
        // In one piece, so that no other line comes between.
        let mut line = format!("<{priority}>").into_bytes();
        line.extend_from_slice(bytes);
        io::stderr().write_all(&line)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}
