//! Log lines, on standard error.

use super::fields::{SectionValue, either, text_of};
use super::section::section;
use crate::telemetry::{self, Format};

section! {
    /// Log lines, on standard error.
    pub struct Log {
        /// A level, or a list such as "info,sqlx=warn" that sets other levels for single modules.
        filter: String = "info".to_owned(), by filter;
        /// "text" for people, "json" for machines.
        format: Format = Format::Text, by either(("text", Format::Text), ("json", Format::Json));
    }
}

fn filter(found: SectionValue<'_>) -> Result<String, String> {
    let text = text_of(found).ok_or(telemetry::TelemetryError::Filter);
    text.and_then(|text| telemetry::parse_filter(text).map(|_| text.to_owned()))
        .map_err(|error| error.to_string())
}
