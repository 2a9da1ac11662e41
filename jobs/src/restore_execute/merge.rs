//! Rewriting a JSON column without losing what it held.
//!
//! **Invariant:** a key and a value that are not ours are copied byte for byte; a column that cannot be rewritten so
//! is left alone.
//!
//! # Design notes
//!
//! Merging in the database (`jsonb ||`, `json_patch`) was rejected: `'[]' || '{…}'` makes a list of
//! a map, `json_patch` deletes keys whose value is null, and each database normalises numbers in a
//! way of its own. The run's row is locked while we read and write it, so nothing is lost by
//! merging outside.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
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

fn has_nul_escape(document: &[u8]) -> bool {
    has_escape(document, |code| code == 0)
}

/// Whether a string is written with an escape for such a UTF-16 unit. Backslashes only occur inside of strings, and an
/// escaped backslash is stepped over whole.
pub(super) fn has_escape(document: &[u8], is_it: impl Fn(u16) -> bool) -> bool {
    let mut rest = document;
    while let Some(at) = rest.iter().position(|byte| *byte == b'\\') {
        let escape = rest.get(at..).unwrap_or_default();
        let digits = escape.strip_prefix(b"\\u").and_then(|it| it.get(..4));
        let digits = digits.and_then(|digits| std::str::from_utf8(digits).ok());
        let code = digits.and_then(|digits| u16::from_str_radix(digits, 16).ok());
        if code.is_some_and(&is_it) {
            return true;
        }
        rest = escape.get(2..).unwrap_or_default();
    }
    false
}

/// The entries of a map by key, each key and each value as it is written: what stands there as an escape may be a
/// character that the database cannot store.
#[derive(Default)]
struct RawMap(BTreeMap<String, (Box<RawValue>, Box<RawValue>)>);

impl<'de> Deserialize<'de> for RawMap {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(RawMapVisitor)
    }
}

struct RawMapVisitor;

impl<'de> Visitor<'de> for RawMapVisitor {
    type Value = RawMap;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RawMap, A::Error> {
        let mut entries = BTreeMap::new();
        while let Some(key) = map.next_key::<Box<RawValue>>()? {
            let name: String = serde_json::from_str(key.get()).map_err(A::Error::custom)?;
            entries.insert(name, (key, map.next_value()?));
        }
        Ok(RawMap(entries))
    }
}

/// The entries of a map, as they are written. Null and PHP's `[]` are the empty map.
fn raw_map(column: &Column) -> Result<RawMap, serde_json::Error> {
    let Column::Bytes(bytes) = column else {
        return Ok(RawMap::default());
    };
    serde_json::from_slice(bytes).or_else(|error| {
        let is_empty = column.parse().is_ok_and(|document| document.is_empty_map());
        is_empty.then(RawMap::default).ok_or(error)
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
    let RawMap(mut map) = raw_map(column)?;
    for (key, value) in entries {
        map.insert(key.to_owned(), (to_raw_value(key)?, value));
    }
    let entries: Vec<String> = map
        .values()
        .map(|(key, value)| format!("{}:{}", key.get(), value.get()))
        .collect();
    RawValue::from_string(format!("{{{}}}", entries.join(",")))
}

/// What stands under a key of the map in `column`, as it is written. Nothing for null.
pub(super) fn raw_entry(
    column: &Column,
    key: &str,
) -> Result<Option<Box<RawValue>>, serde_json::Error> {
    let found = raw_map(column)?.0.remove(key);
    let value = found.map(|(_, value)| value);
    Ok(value.filter(|value| value.get() != "null"))
}
