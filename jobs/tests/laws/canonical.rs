//! The canonical form, which equal facts share on every database.

use std::io::Write as _;

use proptest::prelude::*;
use reconciler_jobs::ids::RunId;
use reconciler_jobs::json::INTEGER_MAX;
use reconciler_jobs::restore_execute::canonical::{
    CanonicalError, Digester, ReadError, canonicalise, digest_of, read_back,
};
use serde_json::{Value, json};

#[test]
fn key_order_and_spacing_do_not_matter() {
    let one = canonicalise(&json!({"b": 1, "a": ["é", null]})).unwrap();
    let other: Value = serde_json::from_str(r#"{ "a":["\u00e9",null], "b":1 }"#).unwrap();
    assert_eq!(one, canonicalise(&other).unwrap());
    assert_eq!(one.text, r#"{"a":["é",null],"b":1}"#);
}

/// Characters that are escaped, and those on which UTF-8 and UTF-16 disagree about the order.
fn text() -> impl Strategy<Value = String> {
    let odd = prop::sample::select(vec![
        '"',
        '\\',
        '/',
        '\u{7f}',
        '\u{e000}',
        '\u{ffff}',
        '\u{10000}',
    ]);
    let character = prop_oneof![
        odd,
        prop::char::range('\0', ' '),
        prop::char::range('a', 'c'),
        any::<char>()
    ];
    prop::collection::vec(character, 0..4).prop_map(String::from_iter)
}

fn document() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<Option<bool>>().prop_map(|value| json!(value)),
        (-INTEGER_MAX..=INTEGER_MAX).prop_map(Value::from),
        (-2_i64..2).prop_map(Value::from),
        text().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 30, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::hash_map(text(), inner, 0..5)
                .prop_map(|entries| entries.into_iter().collect()),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn the_canonical_form_is_that_of_rfc_8785(document in document()) {
        let expected = serde_json_canonicalizer::to_string(&document).unwrap();
        prop_assert_eq!(canonicalise(&document).unwrap().text, expected);
    }
}

#[test]
fn keys_are_in_the_order_of_utf_16() {
    let text = canonicalise(&json!({"\u{e000}": 1, "\u{10000}": 2}))
        .unwrap()
        .text;
    assert_eq!(text, "{\"\u{10000}\":2,\"\u{e000}\":1}");
}

#[test]
fn the_digest_is_plain_sha256() {
    let expected = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    assert_eq!(digest_of(""), expected);
}

#[test]
fn a_text_written_in_parts_has_the_digest_of_the_whole() {
    let mut digester = Digester::default();
    digester.write_all(b"two ").unwrap();
    digester.write_all(b"parts").unwrap();
    assert_eq!(digester.finish(), digest_of("two parts"));
}

#[test]
fn only_the_canonical_form_is_read_back() {
    type Counts = std::collections::BTreeMap<String, u8>;
    let counts = Counts::from([("a".to_owned(), 1), ("b".to_owned(), 2)]);
    assert_eq!(read_back::<Counts>(r#"{"a":1,"b":2}"#).unwrap(), counts);
    // The byte from which on each is written otherwise.
    for (text, byte) in [
        (r#"{"b":2,"a":1}"#, 2),
        (r#"{"a":1, "b":2}"#, 7),
        (r#"{"a":1,"a":1,"b":2}"#, 8),
        ("{\"\\u0061\":1}", 2),
    ] {
        let found = match read_back::<Counts>(text) {
            Err(ReadError::NotCanonical(found)) => Some(found),
            _ => None,
        };
        assert_eq!(found, Some(byte), "{text}");
    }
    for text in ["", "[]", r#"{"a":-1}"#, r#"{"a":1}}"#] {
        let read = read_back::<Counts>(text);
        assert!(matches!(read, Err(ReadError::Unreadable(_))), "{text}");
    }
}

#[test]
fn numbers_that_would_collapse_are_text_or_refused() {
    for refused in [json!([{"a": 1.5}]), json!(u64::MAX)] {
        assert!(
            matches!(canonicalise(&refused), Err(CanonicalError::Inexact(_))),
            "{refused}"
        );
    }
    let id = RunId(INTEGER_MAX + 1);
    let text = canonicalise(&json!([INTEGER_MAX, id, -id.0])).unwrap().text;
    let expected = r#"[9007199254740992,"9007199254740993","-9007199254740993"]"#;
    assert_eq!(text, expected);
    assert_eq!(read_back::<RunId>("\"9007199254740993\"").unwrap(), id);
    for text in ["\"7\"", "\"seven\""] {
        assert!(read_back::<RunId>(text).is_err(), "{text}");
    }
}
