//! The canonical form of facts, and its digest.
//!
//! Two stores, two versions of a driver, or two orders of rows must not give two digests. RFC 8785
//! fixes key order, number format and escapes; SHA-256 over that text is the digest.
//!
//! RFC 8785 reads every number as a double, so two integers beyond 2⁵³ may collapse into one text.
//! Such numbers, and fractions, are refused before anything is canonicalised.

use serde::Serialize;
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
    #[error("the number {0} is beyond what JSON carries exactly (±2^53, whole numbers only)")]
    Inexact(serde_json::Number),
    /// The value does not serialise.
    #[error("cannot be serialised: {0}")]
    Serialise(#[from] serde_json::Error),
}

/// Brings a value into canonical form.
pub fn canonicalise(value: &impl Serialize) -> Result<Canonical, CanonicalError> {
    let document = serde_json::to_value(value)?;
    refuse_inexact(&document)?;
    let text = serde_json_canonicalizer::to_string(&document)?;
    let digest = digest_of(&text);
    Ok(Canonical { text, digest })
}

/// SHA-256 of a text, as 64 lowercase hexadecimal digits.
#[must_use]
pub fn digest_of(text: &str) -> String {
    const DIGITS: [char; 16] = [
        '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f',
    ];
    let nibbles = |byte: u8| [byte >> 4, byte & 15];
    let digit = |nibble: u8| DIGITS.get(usize::from(nibble));
    Sha256::digest(text)
        .iter()
        .flat_map(|byte| nibbles(*byte))
        .filter_map(digit)
        .collect()
}

fn refuse_inexact(value: &Value) -> Result<(), CanonicalError> {
    match value {
        Value::Number(number) => match number.as_i64() {
            Some(integer) if (-INTEGER_MAX..=INTEGER_MAX).contains(&integer) => Ok(()),
            _ => Err(CanonicalError::Inexact(number.clone())),
        },
        Value::Array(items) => items.iter().try_for_each(refuse_inexact),
        Value::Object(entries) => entries.values().try_for_each(refuse_inexact),
        Value::Null | Value::Bool(_) | Value::String(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn key_order_and_spacing_do_not_matter() {
        let one = canonicalise(&json!({"b": 1, "a": ["é", null]})).unwrap();
        let other: Value = serde_json::from_str(r#"{ "a":["\u00e9",null], "b":1 }"#).unwrap();
        assert_eq!(one, canonicalise(&other).unwrap());
        assert_eq!(one.text, r#"{"a":["é",null],"b":1}"#);
    }

    #[test]
    fn the_digest_is_plain_sha256() {
        let expected = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(digest_of(""), expected);
    }

    #[test]
    fn numbers_that_would_collapse_are_refused() {
        for refused in [
            json!(9_007_199_254_740_993_i64),
            json!([{"a": 1.5}]),
            json!(u64::MAX),
        ] {
            assert!(
                matches!(canonicalise(&refused), Err(CanonicalError::Inexact(_))),
                "{refused}"
            );
        }
        assert!(canonicalise(&json!(INTEGER_MAX)).is_ok());
    }
}
