//! The platform's JSON, value by value: what is exact, what is a fault, and where reading stops.

use std::borrow::Cow;

use reconciler_jobs::json::{
    BYTES_MAX, Column, DEPTH_MAX, Fault, INTEGER_MAX, Json, TEXT_BYTES_MAX, VALUES_MAX, parse,
};

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
fn a_document_is_read_up_to_its_last_byte() {
    assert_eq!(BYTES_MAX, 67_108_864);
    let text = |bytes: usize| format!("\"{}\"", "x".repeat(bytes - 2));
    assert_eq!(parse(text(BYTES_MAX).as_bytes()), Ok(Json::LongText));
    let longer = text(BYTES_MAX + 1);
    assert_eq!(parse(longer.as_bytes()), Err(Fault::Oversized));
}

#[test]
fn a_column_holds_nothing_or_text_or_more_than_is_fetched() {
    let bytes = || b"7".to_vec();
    for (text, present, expected, parsed) in [
        (
            Some(bytes()),
            true,
            Column::Bytes(bytes()),
            Ok(Json::Integer(7)),
        ),
        (None, true, Column::Oversized, Err(Fault::Oversized)),
        (None, false, Column::Null, Ok(Json::Null)),
    ] {
        let column = Column::fetched(text, present);
        assert_eq!(column, expected);
        assert_eq!(column.parse(), parsed, "{column:?}");
    }
}

/// What each says as text and as a number, and whether it is an empty map, says nothing, and has a key twice.
#[test]
fn a_value_is_asked_in_five_ways() {
    let long = format!("\"{}\"", "x".repeat(TEXT_BYTES_MAX + 1));
    let [is, not] = [true, false];
    for (document, word, number, asked) in [
        ("null", None, None, [is, is, not]),
        ("true", None, None, [not, not, not]),
        ("false", None, None, [not, is, not]),
        ("0", None, Some(0), [not, is, not]),
        ("5", None, Some(5), [not, not, not]),
        ("0.0", None, None, [not, not, not]),
        (r#"" ""#, Some(" "), None, [not, is, not]),
        (r#""a""#, Some("a"), None, [not, not, not]),
        (r#""-5""#, Some("-5"), Some(-5), [not, not, not]),
        (long.as_str(), None, None, [not, not, not]),
        ("[]", None, None, [is, is, not]),
        ("[0]", None, None, [not, not, not]),
        ("{}", None, None, [is, is, not]),
        (r#"{"a":0}"#, None, None, [not, not, not]),
        (r#"{"a":[{"b":1,"b":1}]}"#, None, None, [not, not, is]),
    ] {
        let value = parse(document.as_bytes()).unwrap();
        assert_eq!(
            (value.text(), value.integer()),
            (word, number),
            "{document}"
        );
        let found = [
            value.is_empty_map(),
            value.is_blank(),
            value.has_duplicate_keys(),
        ];
        assert_eq!(found, asked, "{document}");
    }
}

#[test]
fn the_first_of_two_values_is_the_one_under_a_key() {
    let twice = parse(br#"{"b":3,"a":1,"a":2}"#).unwrap();
    assert_eq!(twice.get("a"), &Json::Integer(1));
    for (document, key) in [(r#"{"b":3}"#, "a"), ("[1]", "0"), ("null", "a")] {
        let value = parse(document.as_bytes()).unwrap();
        assert_eq!(value.get(key), &Json::Null, "{document}");
    }
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
    for (one, bytes) in [("x", 1), ("\\n", 1), ("ü", 2)] {
        let text = |bytes_max: usize| format!("\"{}\"", one.repeat(bytes_max / bytes));
        let kept = text(TEXT_BYTES_MAX);
        assert!(matches!(parse(kept.as_bytes()), Ok(Json::Text(_))), "{one}");
        let long = text(TEXT_BYTES_MAX + bytes);
        assert_eq!(parse(long.as_bytes()), Ok(Json::LongText), "{one}");
    }
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
    for size in [2, 16, 17, 100] {
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
        ("-", None),
        ("--1", None),
    ] {
        assert_eq!(text(given).integer(), expected, "{given:?}");
    }
    assert_eq!(text("9007199254740993").integer(), Some(INTEGER_MAX + 1));
    assert_eq!(text("9223372036854775808").integer(), None);
}
