//! Untrusted JSON, read totally: every byte string gives a value or a named fault.
//!
//! The platform's columns were written by many versions of a PHP program and by people with a
//! database shell. This reader keeps what a decision needs and refuses, by name, what it cannot
//! keep: nesting beyond [`DEPTH_MAX`], documents beyond [`BYTES_MAX`], broken text.
//!
//! **Invariant:** no number is ever rounded. A number that is not written as an integer within ±2⁵³ is
//! read as [`Json::Inexact`], which equals no count and names no id. That goes for `2.0` and `1e2` as
//! well: a reader of doubles cannot tell `2.0` from `2.00000000000000000001`, and PHP writes a whole
//! float without its fraction unless it is told otherwise.
//!
//! # Design notes
//!
//! `serde_json::Value` was rejected: it keeps the last of two equal keys, so a duplicate would
//! vanish before anybody could report it, and it rounds what does not fit a double.

use std::borrow::Cow;
use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};

/// Deepest nesting that is read. Laravel's own columns nest to about eight.
pub const DEPTH_MAX: usize = 64;

/// Longest document that is read, in bytes. Results of 10,000 items take about 5 MB.
pub const BYTES_MAX: usize = 64 * 1024 * 1024;

/// Most values in one document. Results of 10,000 items hold some 200,000; a document of nothing but
/// brackets would otherwise take twenty times its own size in memory.
pub const VALUES_MAX: u32 = 2_000_000;

/// Longest text that is kept, in bytes. Every word this product knows is shorter.
pub const TEXT_BYTES_MAX: usize = 256;

/// Largest magnitude that a double holds exactly, and so the largest integer that every reader of JSON takes for the
/// same. Ids may be larger, counts may not.
pub const INTEGER_MAX: i64 = 1 << 53;

/// A JSON value, reduced to what a decision can use. Text is borrowed from the document where it can be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Json<'a> {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// An integer of 64 bits, written as nothing but digits and a sign.
    Integer(i64),
    /// Any other number: beyond that, or written with a fraction or an exponent, or as `-0`.
    Inexact,
    /// Text of at most [`TEXT_BYTES_MAX`] bytes.
    Text(Cow<'a, str>),
    /// Longer text; its content is dropped, so it equals no word.
    LongText,
    /// A list, in order.
    List(Vec<Json<'a>>),
    /// A map in document order. Duplicate keys are kept, so that they can be reported.
    Map(Vec<(Cow<'a, str>, Json<'a>)>),
}

/// Why a document could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// Longer than [`BYTES_MAX`], or of more values than [`VALUES_MAX`].
    Oversized,
    /// Nested deeper than [`DEPTH_MAX`].
    TooDeep,
    /// One key twice in one map, where the meaning of the map depends on its keys.
    DuplicateKey,
    /// Not JSON, not UTF-8, half of a surrogate pair, or a number beyond a double.
    Invalid,
    /// JSON of another shape than the column is meant to hold.
    Shape,
}

/// A JSON column as a store hands it over.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Column {
    /// SQL null.
    #[default]
    Null,
    /// The document's text. Bytes, because SQLite does not promise UTF-8.
    Bytes(Vec<u8>),
    /// Longer than [`BYTES_MAX`], so the store did not fetch it.
    Oversized,
}

impl Column {
    /// From a query that returns the text, or null in its place where it is longer than
    /// [`BYTES_MAX`], and whether the column holds anything.
    #[must_use]
    pub fn fetched(text: Option<Vec<u8>>, present: bool) -> Self {
        match text {
            Some(bytes) => Self::Bytes(bytes),
            None if present => Self::Oversized,
            None => Self::Null,
        }
    }

    /// Reads the column. SQL null reads as JSON `null`.
    pub fn parse(&self) -> Result<Json<'_>, Fault> {
        match self {
            Self::Null => Ok(Json::Null),
            Self::Bytes(bytes) => parse(bytes),
            Self::Oversized => Err(Fault::Oversized),
        }
    }
}

/// Reads one document.
pub fn parse(bytes: &[u8]) -> Result<Json<'_>, Fault> {
    if bytes.len() > BYTES_MAX {
        return Err(Fault::Oversized);
    }
    // Found to be UTF-8 at once, it need not be looked at word by word. If it is not, the reader says
    // whether anything else was wrong before that.
    match std::str::from_utf8(bytes) {
        Ok(text) => read(serde_json::Deserializer::from_str(text)),
        Err(_) => read(serde_json::Deserializer::from_slice(bytes)),
    }
}

fn read<'a>(
    mut reader: serde_json::Deserializer<impl serde_json::de::Read<'a>>,
) -> Result<Json<'a>, Fault> {
    let values_left = Cell::new(VALUES_MAX);
    let seed = Seed {
        depth: 0,
        values_left: &values_left,
    };
    let value = seed
        .deserialize(&mut reader)
        .map_err(|error| fault_of(&error))?;
    reader.end().map_err(|_| Fault::Invalid)?;
    Ok(value)
}

/// `serde_json` reports a visitor's own error as text only, so the marker travels in the message.
const TOO_DEEP: &str = "nested too deep";
const TOO_MANY: &str = "too many values";

fn fault_of(error: &serde_json::Error) -> Fault {
    let message = error.to_string();
    if message.starts_with(TOO_DEEP) || message.starts_with("recursion limit exceeded") {
        Fault::TooDeep
    } else if message.starts_with(TOO_MANY) {
        Fault::Oversized
    } else {
        Fault::Invalid
    }
}

impl<'a> Json<'a> {
    /// The value under `key`; [`Json::Null`] where the key is missing or this is not a map.
    ///
    /// Callers check [`Json::has_duplicate_keys`] first where a second value would matter.
    #[must_use]
    pub fn get(&self, key: &str) -> &Json<'a> {
        self.entries()
            .iter()
            .find(|(name, _)| name == key)
            .map_or(&Json::Null, |(_, value)| value)
    }

    /// The entries of a map, none for anything else.
    #[must_use]
    pub fn entries(&self) -> &[(Cow<'a, str>, Json<'a>)] {
        match self {
            Self::Map(entries) => entries,
            _ => &[],
        }
    }

    /// Text, where this is text short enough to be a word.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// An integer, or text of nothing but decimal digits with an optional sign: PHP writes both.
    #[must_use]
    pub fn integer(&self) -> Option<i64> {
        match self {
            Self::Integer(number) => Some(*number),
            Self::Text(text) => integer_from_text(text),
            _ => None,
        }
    }

    /// PHP encodes an empty map as `[]`; a null column, `{}` and `[]` all mean "nothing recorded".
    #[must_use]
    pub fn is_empty_map(&self) -> bool {
        match self {
            Self::Null => true,
            Self::List(items) => items.is_empty(),
            Self::Map(entries) => entries.is_empty(),
            _ => false,
        }
    }

    /// Whether nothing is said by this value: null, false, 0, blank text, `[]` or `{}`.
    #[must_use]
    pub fn is_blank(&self) -> bool {
        match self {
            Self::Null | Self::Bool(false) | Self::Integer(0) => true,
            Self::Text(text) => text.trim().is_empty(),
            Self::List(items) => items.is_empty(),
            Self::Map(entries) => entries.is_empty(),
            Self::Bool(true) | Self::Integer(_) | Self::Inexact | Self::LongText => false,
        }
    }

    /// Whether any map in this value holds one key twice.
    #[must_use]
    pub fn has_duplicate_keys(&self) -> bool {
        match self {
            Self::Map(entries) => {
                has_duplicates(entries)
                    || entries.iter().any(|(_, value)| value.has_duplicate_keys())
            }
            Self::List(items) => items.iter().any(Self::has_duplicate_keys),
            _ => false,
        }
    }
}

/// The largest map of which each key is compared with each, which takes less than sorting them.
const SMALL: usize = 16;

fn has_duplicates(entries: &[(Cow<'_, str>, Json<'_>)]) -> bool {
    if entries.len() <= SMALL {
        let mut seen = entries.iter().enumerate();
        return seen.any(|(at, (key, _))| entries.iter().take(at).any(|(other, _)| other == key));
    }
    let mut keys: Vec<&str> = entries.iter().map(|(key, _)| key.as_ref()).collect();
    keys.sort_unstable();
    keys.windows(2).any(|pair| pair.first() == pair.last())
}

pub(crate) fn integer_from_text(text: &str) -> Option<i64> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

fn bounded_text<'a>(text: &str, keep: impl FnOnce() -> Cow<'a, str>) -> Json<'a> {
    if text.len() > TEXT_BYTES_MAX {
        Json::LongText
    } else {
        Json::Text(keep())
    }
}

/// A key; serde borrows a `Cow` only where a field says so.
#[derive(Deserialize)]
#[serde(transparent)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

/// Carries the limits down, because a visitor has no other way to know where it is.
#[derive(Clone, Copy)]
struct Seed<'a> {
    depth: usize,
    values_left: &'a Cell<u32>,
}

impl Seed<'_> {
    fn deeper<E: serde::de::Error>(self) -> Result<Self, E> {
        if self.depth >= DEPTH_MAX {
            return Err(E::custom(TOO_DEEP));
        }
        Ok(Self {
            depth: self.depth + 1,
            ..self
        })
    }

    fn count<E: serde::de::Error>(self) -> Result<(), E> {
        let left = self.values_left.get().checked_sub(1);
        self.values_left
            .set(left.ok_or_else(|| E::custom(TOO_MANY))?);
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = Json<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Json<'de>, D::Error> {
        self.count()?;
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = Json<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_unit<E>(self) -> Result<Json<'de>, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json<'de>, E> {
        Ok(Json::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Json<'de>, E> {
        Ok(Json::Integer(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Json<'de>, E> {
        Ok(i64::try_from(value).map_or(Json::Inexact, Json::Integer))
    }

    /// Whatever the double looks like, the text may have said something else.
    fn visit_f64<E>(self, _: f64) -> Result<Json<'de>, E> {
        Ok(Json::Inexact)
    }

    fn visit_borrowed_str<E>(self, value: &'de str) -> Result<Json<'de>, E> {
        Ok(bounded_text(value, || Cow::Borrowed(value)))
    }

    /// Text with escapes, which stands nowhere as it reads.
    fn visit_str<E>(self, value: &str) -> Result<Json<'de>, E> {
        Ok(bounded_text(value, || Cow::Owned(value.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Json<'de>, A::Error> {
        let inner = self.deeper::<A::Error>()?;
        let mut items = Vec::new();
        while let Some(item) = list.next_element_seed(inner)? {
            items.push(item);
        }
        Ok(Json::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Json<'de>, A::Error> {
        let inner = self.deeper::<A::Error>()?;
        let mut entries = Vec::new();
        while let Some(Key(key)) = map.next_key()? {
            entries.push((key, map.next_value_seed(inner)?));
        }
        Ok(Json::Map(entries))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(value: &str) -> Json<'_> {
        Json::Text(Cow::Borrowed(value))
    }

    #[test]
    fn numbers_are_exact_or_refused() {
        let cases = [
            ("2", Json::Integer(2)),
            ("-2", Json::Integer(-2)),
            ("0", Json::Integer(0)),
            ("-0", Json::Inexact),
            ("2.0", Json::Inexact),
            ("2.5", Json::Inexact),
            ("1e2", Json::Inexact),
            ("1E-400", Json::Inexact),
            ("0.99999999999999999999", Json::Inexact),
            ("2.00000000000000000001", Json::Inexact),
            ("7.0000000000000000001", Json::Inexact),
            ("9007199254740992", Json::Integer(INTEGER_MAX)),
            ("-9007199254740992", Json::Integer(-INTEGER_MAX)),
            ("9007199254740992.0", Json::Inexact),
            ("9007199254740993.0", Json::Inexact),
            ("9007199254740993", Json::Integer(INTEGER_MAX + 1)),
            ("-9223372036854775808", Json::Integer(i64::MIN)),
            ("9223372036854775808", Json::Inexact),
            ("18446744073709551616", Json::Inexact),
            ("1e300", Json::Inexact),
        ];
        for (document, expected) in cases {
            assert_eq!(parse(document.as_bytes()), Ok(expected), "{document}");
        }
        assert_eq!(parse(b"1e999"), Err(Fault::Invalid));
    }

    #[test]
    fn nesting_stops_at_the_limit() {
        let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        assert!(parse(nested(DEPTH_MAX).as_bytes()).is_ok());
        assert_eq!(parse(nested(DEPTH_MAX + 1).as_bytes()), Err(Fault::TooDeep));
        assert_eq!(parse(nested(100_000).as_bytes()), Err(Fault::TooDeep));
    }

    #[test]
    fn a_document_of_nothing_but_brackets_is_refused() {
        let values = usize::try_from(VALUES_MAX).unwrap();
        let list_of = |items: usize| format!("[{}[]]", "[],".repeat(items - 1));
        assert!(parse(list_of(values - 1).as_bytes()).is_ok());
        assert_eq!(parse(list_of(values).as_bytes()), Err(Fault::Oversized));
    }

    #[test]
    fn broken_text_is_a_fault_and_a_nul_is_text() {
        assert_eq!(parse(br#""\ud800""#), Err(Fault::Invalid));
        assert_eq!(parse(b"\"\xff\""), Err(Fault::Invalid));
        assert_eq!(parse(b"{} {}"), Err(Fault::Invalid));
        assert_eq!(parse(b""), Err(Fault::Invalid));
        assert_eq!(parse(br#""a\u0000b""#), Ok(text("a\0b")));
    }

    #[test]
    fn long_text_is_dropped_and_duplicates_are_kept() {
        let long = format!("\"{}\"", "x".repeat(TEXT_BYTES_MAX + 1));
        assert_eq!(parse(long.as_bytes()), Ok(Json::LongText));
        let twice = parse(br#"{"a":1,"a":2}"#).unwrap();
        assert_eq!(twice.entries().len(), 2);
        assert!(twice.has_duplicate_keys());
        assert!(
            !parse(br#"{"a":{"b":1},"c":{"b":1}}"#)
                .unwrap()
                .has_duplicate_keys()
        );
    }

    #[test]
    fn a_duplicate_is_found_in_a_map_of_any_size() {
        for size in [2, SMALL, SMALL + 1, 100] {
            let map = |keys: &[String]| format!("[{{{}}}]", keys.join(","));
            let mut keys: Vec<_> = (0..size).map(|key| format!("\"{key}\":1")).collect();
            assert!(
                !parse(map(&keys).as_bytes()).unwrap().has_duplicate_keys(),
                "{size}"
            );
            keys[size - 1] = format!("\"{}\":2", size - 2);
            assert!(
                parse(map(&keys).as_bytes()).unwrap().has_duplicate_keys(),
                "{size}"
            );
        }
    }

    #[test]
    fn the_first_fault_is_the_one_that_is_named() {
        let deep = "[".repeat(DEPTH_MAX + 1);
        let broken = [deep.as_bytes(), b"\"\xff\""].concat();
        assert_eq!(parse(&broken), Err(Fault::TooDeep));
    }

    #[test]
    fn text_counts_as_a_number_only_when_it_is_nothing_else() {
        for (given, expected) in [
            ("12", Some(12)),
            ("-3", Some(-3)),
            ("", None),
            ("1.5", None),
            (" 1", None),
            ("+1", None),
        ] {
            assert_eq!(text(given).integer(), expected, "{given:?}");
        }
        assert_eq!(text("9007199254740993").integer(), Some(INTEGER_MAX + 1));
        assert_eq!(text("9223372036854775808").integer(), None);
    }
}
