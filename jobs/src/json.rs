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
