//! The canonical form of facts, its digest, and the way back.
//!
//! Two stores, two versions of a driver, or two orders of rows must not give two digests. RFC 8785
//! fixes key order, number format and escapes; SHA-256 over that text is the digest.
//!
//! RFC 8785 reads every number as a double, so two integers beyond 2⁵³ may collapse into one text.
//! Such an integer, which only an id can be, is written as text; fractions are refused.

use std::io;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::json::INTEGER_MAX;

/// A document in canonical form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Canonical {
    /// The RFC 8785 text.
    pub text: String,
    /// SHA-256 of the text, as 64 lowercase hexadecimal digits.
    pub digest: String,
}

/// Why a value has no canonical form.
#[derive(Debug, thiserror::Error)]
pub enum CanonicalError {
    /// Two different numbers could become one text.
    #[error("the number {0} is no integer of 64 bits")]
    Inexact(serde_json::Number),
    /// The value does not serialise.
    #[error("cannot be serialised: {0}")]
    Serialise(#[from] serde_json::Error),
}

/// Why a text cannot be taken for the canonical form of a value.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// It is no JSON, or lacks something that such a value has.
    #[error("cannot be read: {0}")]
    Unreadable(serde_json::Error),
    /// What was read would be written differently: the text says more, or says it in another form.
    #[error("is not in the canonical form of what it says, from byte {0} on")]
    NotCanonical(usize),
}

/// Brings a value into canonical form.
pub fn canonicalise(value: &impl Serialize) -> Result<Canonical, CanonicalError> {
    let text = canonical_text(value)?;
    let digest = digest_of(&text);
    Ok(Canonical { text, digest })
}

/// Reads a value back from its canonical form.
///
/// The value says all that the text does: one that [`canonicalise`] would write differently, be it for
/// a key that this version does not know or for a space, is refused.
pub fn read_back<T: Serialize + DeserializeOwned>(text: &str) -> Result<T, ReadError> {
    let value = serde_json::from_str(text).map_err(ReadError::Unreadable)?;
    match canonical_text(&value) {
        Ok(written) if written == text => Ok(value),
        written => {
            let written = written.unwrap_or_default();
            Err(ReadError::NotCanonical(first_difference(text, &written)))
        }
    }
}

/// The first byte in which two texts differ; where one begins with the other, that is the end of the shorter one.
#[must_use]
pub fn first_difference(one: &str, other: &str) -> usize {
    let pairs = one.bytes().zip(other.bytes());
    pairs.take_while(|(one, other)| one == other).count()
}

fn canonical_text(value: &impl Serialize) -> Result<String, CanonicalError> {
    let mut document = serde_json::to_value(value)?;
    make_exact(&mut document)?;
    // What is left of RFC 8785 is the order of keys, and whoever finds it kept need not sort.
    let written = if is_in_order(&document) {
        serde_json::to_string(&document)
    } else {
        serde_json_canonicalizer::to_string(&document)
    };
    Ok(written?)
}

/// SHA-256 of a text, as 64 lowercase hexadecimal digits.
#[must_use]
pub fn digest_of(text: &str) -> String {
    let mut digester = Digester::default();
    digester.update(text.as_bytes());
    digester.finish()
}

/// SHA-256 of what comes in parts.
#[derive(Debug, Default)]
pub struct Digester(Sha256);

impl Digester {
    /// Takes the next part.
    pub fn update(&mut self, part: &[u8]) {
        self.0.update(part);
    }

    /// The digest of all parts, as 64 lowercase hexadecimal digits.
    #[must_use]
    pub fn finish(self) -> String {
        const DIGITS: [char; 16] = [
            '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f',
        ];
        let nibbles = |byte: u8| [byte >> 4, byte & 15];
        let digit = |nibble: u8| DIGITS.get(usize::from(nibble));
        let digest = self.0.finalize();
        let nibbles = digest.iter().flat_map(|byte| nibbles(*byte));
        nibbles.filter_map(digit).collect()
    }
}

impl io::Write for Digester {
    fn write(&mut self, part: &[u8]) -> io::Result<usize> {
        self.update(part);
        Ok(part.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn make_exact(value: &mut Value) -> Result<(), CanonicalError> {
    match value {
        Value::Number(number) => match number.as_i64() {
            Some(integer) if (-INTEGER_MAX..=INTEGER_MAX).contains(&integer) => Ok(()),
            Some(integer) => {
                *value = Value::from(integer.to_string());
                Ok(())
            }
            None => Err(CanonicalError::Inexact(number.clone())),
        },
        Value::Array(items) => items.iter_mut().try_for_each(make_exact),
        Value::Object(entries) => entries.values_mut().try_for_each(make_exact),
        Value::Null | Value::Bool(_) | Value::String(_) => Ok(()),
    }
}

/// Whether every map holds its keys in the order of their UTF-16 units.
fn is_in_order(value: &Value) -> bool {
    match value {
        Value::Array(items) => items.iter().all(is_in_order),
        Value::Object(entries) => {
            let in_order =
                |one: &&String, next: &&String| one.encode_utf16().lt(next.encode_utf16());
            entries.keys().is_sorted_by(in_order) && entries.values().all(is_in_order)
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => true,
    }
}
