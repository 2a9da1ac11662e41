//! Cron expressions: when they come due, and which are refused.

use std::time::Duration;

use jiff::Timestamp;
use restore_reconciler::internals::config::Cron;

use super::{parse, refusal};

fn cron(text: &str) -> Cron {
    text.parse().expect(text)
}

fn moment(text: &str) -> Timestamp {
    text.parse().expect(text)
}

#[test]
fn an_expression_names_moments_in_utc_with_the_second_first() {
    for (text, after, next) in [
        (
            "0 * * * * *",
            "2026-03-01T10:00:00Z",
            "2026-03-01T10:01:00Z",
        ),
        (
            "0 * * * * *",
            "2026-03-01T10:00:59.9Z",
            "2026-03-01T10:01:00Z",
        ),
        (
            "15 */5 * * * *",
            "2026-03-01T10:00:16Z",
            "2026-03-01T10:05:15Z",
        ),
        (
            "0 30 4 * * Mon-Fri",
            "2026-02-27T04:30:00Z",
            "2026-03-02T04:30:00Z",
        ),
        (
            "0 0 0 29 2 *",
            "2026-03-01T00:00:00Z",
            "2028-02-29T00:00:00Z",
        ),
    ] {
        assert_eq!(
            cron(text).next_after(moment(after)),
            Some(moment(next)),
            "{text}"
        );
    }
}

#[test]
fn the_longest_gap_spans_a_weekend() {
    let wednesday = moment("2026-03-04T12:00:00Z");
    for (text, hours) in [
        ("0 0 * * * *", 1),
        ("0 30 4 * * Mon-Fri", 72),
        ("0 0 8,18 * * *", 14),
    ] {
        assert_eq!(
            cron(text).longest_gap(wednesday),
            Duration::from_hours(hours),
            "{text}"
        );
    }
    assert_eq!(
        cron("0 * * * * *").longest_gap(moment("2100-12-31T23:59:00Z")),
        Duration::ZERO
    );
}

#[test]
fn what_is_no_expression_or_never_due_is_refused_with_line_and_what_is_expected() {
    for text in [
        "\"\"",
        "\"off\"",
        "\"* * * * *\"",
        "\"0 * * * * * 2026\"",
        "\"0* * * * * 2026\"",
        "\"0 * * * * * *\"",
        "\"0*****\"",
        "\"@hourly\"",
        "\"60 * * * * *\"",
        "\"0 */0 * * * *\"",
        "\"0 5-1 * * * *\"",
        "\"0 * * * * Moonday\"",
        "\"0 99999999999999999999 * * * *\"",
        "\"0 * * * * é\"",
        "60",
        "[\"0 * * * * *\"]",
    ] {
        let message = refusal(&format!("[sweep]\nschedule = {text}"));
        assert!(
            message.starts_with("x.toml:2: `sweep.schedule` is "),
            "{text}: {message}"
        );
        let expected = "it must be a cron expression of six fields, which are second, minute,";
        assert!(message.contains(expected), "{text}: {message}");
        assert!(
            message.ends_with("use the default, \"0 * * * * *\""),
            "{message}"
        );
    }
    let never = refusal("[sweep]\nschedule = \"0 0 0 30 2 *\"");
    assert!(never.contains("comes due"), "{never}");
}

#[test]
fn an_expression_is_written_as_it_was_given() {
    let config = parse("[sweep]\nschedule = \"0 */5 8-18 * * Mon-Fri\"").unwrap();
    assert_eq!(config.sweep.schedule.to_string(), "0 */5 8-18 * * Mon-Fri");
    let json = serde_json::to_value(&config).unwrap();
    assert_eq!(json["sweep"]["schedule"], "0 */5 8-18 * * Mon-Fri");
}
