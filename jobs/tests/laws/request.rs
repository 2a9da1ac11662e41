//! What a job says of when it was asked for, and of its trace.

use jiff::Timestamp;
use reconciler_jobs::restore_execute::request::Request;
use reconciler_jobs::trace::TraceContext;

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

#[test]
fn a_request_says_which_trace_it_belongs_to_or_none() {
    let trace = |traceparent: &str| {
        let text = format!(r#"{{"run":1,"traceparent":"{traceparent}"}}"#);
        serde_json::from_str::<Request>(&text).unwrap().trace()
    };
    let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    assert!(trace(parent).is_some());
    assert_eq!(trace(parent), TraceContext::parse(parent));
    assert_eq!(trace("of another time"), None);
}
