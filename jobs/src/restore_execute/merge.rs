//! Rewriting a JSON column without losing what it held.
//!
//! **Invariant:** a value that is not ours is copied byte for byte; a column that cannot be rewritten so
//! is left alone.
//!
//! # Design notes
//!
//! Merging in the database (`jsonb ||`, `json_patch`) was rejected: `'[]' || '{…}'` makes a list of
//! a map, `json_patch` deletes keys whose value is null, and each database normalises numbers in a
//! way of its own. The run's row is locked while we read and write it, so nothing is lost by
//! merging outside.

use std::collections::BTreeMap;

use serde_json::value::{RawValue, to_raw_value};

use crate::json::Column;

/// Whether a map in this column can be written back key by key without losing anything, on every
/// database: PostgreSQL's `jsonb` refuses the escape for NUL that `json` accepts.
#[must_use]
pub(super) fn is_rewritable(column: &Column) -> bool {
    match column {
        Column::Null => true,
        Column::Bytes(bytes) => !has_nul_escape(bytes) && raw_map(column).is_ok(),
        Column::Oversized => false,
    }
}

/// Backslashes only occur inside of strings, and an escaped backslash is stepped over whole.
fn has_nul_escape(document: &[u8]) -> bool {
    let mut rest = document;
    while let Some(at) = rest.iter().position(|byte| *byte == b'\\') {
        let escape = rest.get(at..).unwrap_or_default();
        if escape.starts_with(b"\\u0000") {
            return true;
        }
        rest = escape.get(2..).unwrap_or_default();
    }
    false
}

type RawMap = BTreeMap<String, Box<RawValue>>;

/// The entries of a map, values as they are written. Null and PHP's `[]` are the empty map.
fn raw_map(column: &Column) -> Result<RawMap, serde_json::Error> {
    let Column::Bytes(bytes) = column else {
        return Ok(RawMap::new());
    };
    serde_json::from_slice(bytes).or_else(|error| {
        let is_empty = column.parse().is_ok_and(|document| document.is_empty_map());
        is_empty.then(RawMap::new).ok_or(error)
    })
}

/// The entries of a list, as they are written. Nothing where the column holds something else.
pub(super) fn raw_list(column: &Column) -> Option<Vec<Box<RawValue>>> {
    match column {
        Column::Null => Some(Vec::new()),
        Column::Oversized => None,
        Column::Bytes(bytes) if has_nul_escape(bytes) => None,
        Column::Bytes(bytes) => {
            if column.parse().ok()?.is_empty_map() {
                return Some(Vec::new());
            }
            serde_json::from_slice(bytes).ok()
        }
    }
}

/// The map in `column` with `entries` set, everything else copied byte for byte.
pub(super) fn merge(
    column: &Column,
    entries: impl IntoIterator<Item = (&'static str, Box<RawValue>)>,
) -> Result<Box<RawValue>, serde_json::Error> {
    let mut map = raw_map(column)?;
    for (key, value) in entries {
        map.insert(key.to_owned(), value);
    }
    to_raw_value(&map)
}

/// What stands under a key of the map in `column`, as it is written. Nothing for null.
pub(super) fn raw_entry(
    column: &Column,
    key: &str,
) -> Result<Option<Box<RawValue>>, serde_json::Error> {
    let value = raw_map(column)?.remove(key);
    Ok(value.filter(|value| value.get() != "null"))
}
