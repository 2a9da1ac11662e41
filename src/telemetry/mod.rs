//! Log lines, on standard error, so that standard output stays what was asked for; and the spans that they are
//! written in.
//!
//! **Invariant:** every event passes through the one subscriber set here; nothing else writes logs.
//!
//! # Design notes
//!
//! Filters are levels, alone or per module. Filters on spans and field values would need a regular
//! expression engine, and have nothing to select here.

#[cfg(feature = "otlp")]
mod export;
mod journal;
pub mod names;
mod verbosity;

use std::fmt;
use std::io::{self, IsTerminal};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use tracing::Subscriber;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::registry::{LookupSpan, Registry};
use tracing_subscriber::reload;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};

use crate::clock;
pub use journal::{is_journals, priority};
pub use verbosity::Verbosity;

/// The longest filter text that is read, in bytes.
pub const FILTER_BYTES_MAX: usize = 1_000;

/// apalis. What its workers die of is said once, by whoever restarts them.
const QUIET: [&str; 3] = ["apalis_core", "apalis_postgres", "apalis_sqlite"];

/// How a log line is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// One line for people.
    #[default]
    Text,
    /// One JSON object per line.
    Json,
}

/// Why logging could not be set up.
#[derive(Debug, Error)]
pub enum TelemetryError {
    /// The filter selects nothing that can be understood.
    #[error(
        "the filter must be a level (off, error, warn, info, debug, trace), or a list such as \
         \"info,sqlx=warn\" that sets other levels for single modules, of at most \
         {FILTER_BYTES_MAX} bytes"
    )]
    Filter,
    /// A subscriber was set before.
    #[error("logging was set up already in this program")]
    Again(#[from] TryInitError),
}

/// Reads a filter: levels, alone or as `module=level`, separated by commas. Later ones win.
///
/// A lone word that is no level is refused. Taken as a module, as is usual, a mistyped `inof` would
/// silence everything else.
///
/// apalis is silent unless it is named: what its workers die of is said once, by
/// whoever restarts them.
pub fn parse_filter(text: &str) -> Result<Targets, TelemetryError> {
    if text.len() > FILTER_BYTES_MAX {
        return Err(TelemetryError::Filter);
    }
    let quiet = QUIET.into_iter().fold(Targets::new(), |targets, library| {
        targets.with_target(library, LevelFilter::OFF)
    });
    text.split(',')
        .try_fold(quiet, |targets, directive| {
            let directive = directive.trim();
            match directive.split_once('=') {
                None => level(directive).map(|level| targets.with_default(level)),
                Some((target, word)) if is_module_path(target) => {
                    level(word).map(|level| targets.with_target(target, level))
                }
                Some(_) => None,
            }
        })
        .ok_or(TelemetryError::Filter)
}

fn level(word: &str) -> Option<LevelFilter> {
    match word {
        "off" => Some(LevelFilter::OFF),
        "error" => Some(LevelFilter::ERROR),
        "warn" => Some(LevelFilter::WARN),
        "info" => Some(LevelFilter::INFO),
        "debug" => Some(LevelFilter::DEBUG),
        "trace" => Some(LevelFilter::TRACE),
        _ => None,
    }
}

fn is_module_path(text: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | ':' | '.');
    !text.is_empty() && text.chars().all(allowed)
}

/// What was set up. Spans that wait to be sent are sent when it is dropped.
#[derive(Debug)]
pub struct Telemetry {
    verbosity: Verbosity,
    #[cfg(feature = "otlp")]
    _export: Option<export::Export>,
}

impl Telemetry {
    /// Changes how much is said.
    pub fn verbosity(&self) -> Verbosity {
        self.verbosity.clone()
    }
}

/// Where spans are sent, if the program was built with the feature `otlp`.
#[derive(Debug, Clone, Copy, Default)]
pub struct Spans<'a> {
    /// The address of a collector.
    pub collector: Option<&'a str>,
    /// What this service is called there, if not by its own name.
    pub service: Option<&'a str>,
}

#[cfg(feature = "otlp")]
impl Spans<'_> {
    fn export(&self) -> Option<Result<export::Export, export::ExportError>> {
        let collector = self.collector?;
        Some(export::Export::to(collector, self.service))
    }
}

/// Sends all events from here on to standard error, and spans where they are wanted.
///
/// Where standard error leads to `journal`, which is what `JOURNAL_STREAM` says, lines of text have their priorities
/// there.
///
/// Colour appears where standard error is a terminal and `no_color` is false. Fails on a filter that
/// cannot be read, and when called twice.
pub fn start(
    filter: &str,
    format: Format,
    no_color: bool,
    journal: Option<&str>,
    spans: &Spans<'_>,
) -> Result<Telemetry, TelemetryError> {
    let colour = !no_color && io::stderr().is_terminal();
    let (verbosity, filter) = Verbosity::new(parse_filter(filter)?);
    // What a panic says by itself is neither JSON nor has a priority.
    if format == Format::Json || is_journals(journal) {
        std::panic::set_hook(Box::new(
            |panic| tracing::error!(panic = %panic, "a task panicked"),
        ));
    }
    // Lines of JSON hold their level anyway.
    let journal = journal.filter(|_| format == Format::Text);
    let lines = subscriber(filter, format, colour, journal::JournalLines::new(journal));
    #[cfg(feature = "otlp")]
    {
        let (export, failure) = match spans.export().transpose() {
            Ok(export) => (export, None),
            Err(error) => (None, Some(error)),
        };
        let spans = export.as_ref().map(export::Export::layer);
        lines.with(spans).try_init()?;
        if let Some(error) = failure {
            tracing::warn!(%error, "spans are sent nowhere");
        }
        Ok(Telemetry {
            verbosity,
            _export: export,
        })
    }
    #[cfg(not(feature = "otlp"))]
    {
        lines.try_init()?;
        if spans.collector.is_some() {
            tracing::debug!(
                "spans are sent nowhere: this program was built without the feature otlp"
            );
        }
        Ok(Telemetry { verbosity })
    }
}

fn subscriber<W>(
    filter: reload::Layer<Targets, Registry>,
    format: Format,
    colour: bool,
    writer: W,
) -> impl Subscriber + for<'a> LookupSpan<'a> + Send + Sync
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(writer)
        .with_timer(WallClock);
    let lines = match format {
        Format::Text => lines.with_ansi(colour).boxed(),
        Format::Json => lines
            .with_ansi(false)
            .json()
            .flatten_event(true)
            .with_current_span(false)
            .boxed(),
    };
    tracing_subscriber::registry().with(lines.with_filter(filter))
}

struct WallClock;

impl FormatTime for WallClock {
    fn format_time(&self, writer: &mut Writer<'_>) -> fmt::Result {
        write!(writer, "{:.6}", clock::wall())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tracing::Level;

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn logged(filter: &str, format: Format, colour: bool) -> String {
        let lines = Lines::default();
        let writer = lines.clone();
        let (_verbosity, filter) = Verbosity::new(parse_filter(filter).unwrap());
        let subscriber = subscriber(filter, format, colour, move || writer.clone());
        tracing::subscriber::with_default(subscriber, || {
            tracing::info!(runs = 3, "settled");
            tracing::debug!("details");
        });
        let bytes = lines.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn text_lines_carry_message_and_fields() {
        let text = logged("info", Format::Text, false);
        assert_eq!(text.lines().count(), 1, "{text}");
        assert!(text.contains("INFO"), "{text}");
        assert!(text.contains("settled runs=3"), "{text}");
        assert!(!text.contains('\u{1b}'), "no colour was asked for: {text}");
    }

    #[test]
    fn json_lines_are_one_object_each_and_never_coloured() {
        let text = logged("debug", Format::Json, true);
        assert!(
            !text.contains("\\u001b") && !text.contains('\u{1b}'),
            "{text}"
        );
        let lines: Vec<serde_json::Value> = text
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(lines.len(), 2);
        assert_eq!(lines[0]["message"], "settled");
        assert_eq!(lines[0]["runs"], 3);
        let timestamp = lines[0]["timestamp"].as_str().unwrap();
        assert!(timestamp.parse::<jiff::Timestamp>().is_ok(), "{timestamp}");
    }

    #[test]
    fn colour_appears_only_where_asked_for() {
        assert!(logged("info", Format::Text, true).contains('\u{1b}'));
    }

    #[test]
    fn a_filter_sets_levels_alone_and_per_module() {
        let filter = parse_filter("warn, restore_reconciler::storage=debug,sqlx=off").unwrap();
        assert!(filter.would_enable("restore_reconciler", &Level::WARN));
        assert!(!filter.would_enable("restore_reconciler", &Level::INFO));
        assert!(filter.would_enable("restore_reconciler::storage::sqlite", &Level::DEBUG));
        assert!(!filter.would_enable("sqlx::query", &Level::ERROR));
        assert_eq!(logged("off", Format::Text, false), "");
        assert!(!filter.would_enable("apalis_core::worker", &Level::ERROR));
        let asked_for = parse_filter("warn,apalis_core=debug").unwrap();
        assert!(asked_for.would_enable("apalis_core::worker", &Level::DEBUG));
    }

    #[test]
    fn a_filter_that_would_silence_by_mistake_is_refused() {
        let long = "a".repeat(FILTER_BYTES_MAX) + "=info";
        for text in [
            "",
            "inof",
            "INFO",
            "sqlx",
            "sqlx=",
            "=info",
            "sqlx=loud",
            "info,",
            "a b=info",
            "3",
            "info[span]=debug",
            &long,
        ] {
            assert!(
                matches!(parse_filter(text), Err(TelemetryError::Filter)),
                "{text:?}"
            );
        }
    }
}
