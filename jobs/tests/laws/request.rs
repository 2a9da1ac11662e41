//! What a job says of when it was asked for.

use jiff::Timestamp;
use reconciler_jobs::restore_execute::request::Request;

fn asked_at(text: &str) -> Option<i64> {
    let request: Request = serde_json::from_str(text).unwrap();
    request.asked_at().map(Timestamp::as_microsecond)
}

#[test]
fn a_request_says_when_it_was_made_or_nothing() {
    let micros = 1_700_000_000_123_456;
    assert_eq!(
        asked_at(r#"{"run":1,"asked_at":1700000000123456}"#),
        Some(micros)
    );
    for text in [
        r#"{"run":1}"#,
        r#"{"run":1,"asked_at":null}"#,
        r#"{"run":1,"asked_at":"yesterday"}"#,
        r#"{"run":1,"asked_at":{"seconds":5}}"#,
        r#"{"run":1,"asked_at":9223372036854775807}"#,
    ] {
        assert_eq!(asked_at(text), None, "{text}");
    }
}
