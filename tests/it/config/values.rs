//! Single values: what is read, within which range, and what is said of others.

use jiff::SignedDuration;
use restore_reconciler::internals::config::{Config, ConfigError};
use serde_json::Value as Json;

use super::{annotated, defaults, keys, parse, refusal};

#[test]
fn the_schema_knows_every_key_and_the_range_of_every_number() {
    let schema = Config::schema();
    for key in keys(&defaults(), "") {
        let (section, name) = key.split_once('.').unwrap();
        let definition = schema.as_value()["$defs"]
            .as_object()
            .unwrap()
            .iter()
            .find(|(title, _)| title.eq_ignore_ascii_case(section))
            .unwrap()
            .1;
        assert_eq!(definition["additionalProperties"], false, "{section}");
        let property = &definition["properties"][name];
        assert!(property.is_object(), "{key}");
        if property["type"] == "integer" {
            let accepts = |n: i64| parse(&format!("{key} = {n}")).is_ok();
            let limit = |limit: &str| property[limit].as_i64().unwrap();
            let (min, max) = (limit("minimum"), limit("maximum"));
            assert!(accepts(min) && accepts(max), "{key}");
            assert!(!accepts(min - 1) && !accepts(max + 1), "{key}");
        }
    }
}

/// The comment lines right above a key of the checked-in file, as one line.
fn comment_above(name: &str) -> String {
    let lines: Vec<_> = Config::annotated_default().lines().collect();
    let at = lines
        .iter()
        .position(|line| line.starts_with(&format!("{name} = ")))
        .unwrap();
    let mut comment: Vec<_> = lines[..at]
        .iter()
        .rev()
        .map_while(|line| line.strip_prefix("# "))
        .collect();
    comment.reverse();
    comment.join(" ")
}

#[test]
fn the_documented_range_of_every_duration_is_the_one_that_holds() {
    let durations = [
        ("rules.settle_window", "0s", "168h"),
        ("rules.settle_window_in_progress", "0s", "168h"),
        ("rules.clock_skew_max", "0s", "1h"),
        ("rules.evidence_skew_max", "0s", "1h"),
        ("rules.blocked_after", "1m", "720h"),
        ("sweep.wait_min", "1s", "1h"),
        ("sweep.wait_max", "1s", "24h"),
        ("sweep.opinions_window", "0s", "87600h"),
        ("worker.poll_interval", "50ms", "10s"),
        ("worker.orphan_after", "2s", "10m"),
        ("worker.attempt_timeout", "1s", "10m"),
        ("worker.drain_timeout", "1s", "10m"),
        ("worker.retain_jobs", "1m", "720h"),
        ("checkpoints.every", "1s", "24h"),
        ("console.session_idle", "1m", "24h"),
        ("console.session_max", "1m", "168h"),
        ("console.queued_max", "1m", "8760h"),
        ("console.running_max", "1m", "8760h"),
        ("console.backup_age_max", "1h", "8760h"),
        ("metrics.census_every", "1s", "10m"),
        ("database.connect_timeout", "1s", "5m"),
        ("database.statement_timeout", "1s", "1h"),
        ("database.lock_timeout", "100ms", "10m"),
    ];
    for (key, min, max) in durations {
        let in_range = |value: &str| {
            let parsed = parse(&format!("{key} = \"{value}\""));
            !matches!(parsed, Err(ConfigError::Value { .. }))
        };
        assert!(in_range(min) && in_range(max), "{key}");
        assert!(!in_range(&format!("{max} 1ms")), "{key}");
        let below: SignedDuration = min.parse().unwrap();
        let below = below - SignedDuration::from_millis(1);
        assert!(!in_range(&format!("{below:#}")), "{key}");

        let (section, name) = key.split_once('.').unwrap();
        let title = section[..1].to_uppercase() + &section[1..];
        let pointer = format!("/$defs/{title}/properties/{name}/description");
        let schema = Config::schema();
        let described = schema.pointer(&pointer).and_then(Json::as_str).unwrap();
        let range = format!("\"{min}\" to \"{max}\"");
        assert!(described.replace('\n', " ").contains(&range), "{key}");
        assert!(comment_above(name).contains(&range), "{key}");
    }
    let every = keys(&defaults(), "");
    let is_text = |key: &&String| {
        annotated()
            .pointer(&format!("/{}", key.replace('.', "/")))
            .is_some_and(Json::is_string)
    };
    let texts = every.iter().filter(is_text).count();
    assert_eq!(
        texts,
        durations.len() + 15,
        "only settling.mode, act_in and not_before, sweep.schedule, console.listen and time_zone, database.row_security and time_shift, \
         the five names of preparation, and log.filter and log.format are other texts"
    );
}

#[test]
fn durations_are_friendly_texts() {
    for (text, millis) in [
        ("0s", 0),
        ("10m", 600_000),
        ("1h 30m", 5_400_000),
        ("1h30m", 5_400_000),
        ("1 hour, 30 minutes", 5_400_000),
        ("1.5h", 5_400_000),
        ("00:10:00", 600_000),
        ("500ms", 500),
        ("168h", 604_800_000),
    ] {
        let config = parse(&format!(
            "rules.settle_window = \"{text}\"\nrules.settle_window_in_progress = \"168h\""
        ))
        .expect(text);
        assert_eq!(config.rules.settle_window.as_millis(), millis, "{text}");
    }
}

#[test]
fn durations_that_are_none_or_out_of_range_are_refused() {
    for (value, fault) in [
        ("\"-10m\"", "a duration cannot be negative"),
        ("\"10m ago\"", "a duration cannot be negative"),
        ("\"168h 1s\"", "it is out of range"),
        ("\"7d\"", "it is not a duration"),
        ("\"PT10M\"", "it is not a duration"),
        ("\"10\"", "it is not a duration"),
        ("\"\"", "it is not a duration"),
        ("\"9999999999999999999h\"", "it is not a duration"),
        ("600", "it is not a duration"),
        ("1979-05-27", "it is not a duration"),
        ("{ minutes = 10 }", "it is not a duration"),
    ] {
        let text = refusal(&format!("[rules]\n\nsettle_window = {value}"));
        assert!(text.contains(fault), "{value}: {text}");
        assert!(text.contains("from \"0s\" to \"168h\""), "{value}: {text}");
    }
}

#[test]
fn values_of_the_wrong_kind_or_out_of_range_are_refused() {
    let many = format!(
        "[{}]",
        (0..51)
            .map(|n| format!("\"a{n}\""))
            .collect::<Vec<_>>()
            .join(",")
    );
    let long = format!("[\"{}\"]", "a".repeat(256));
    for (key, value) in [
        ("sweep.batch_runs_max", "0"),
        ("sweep.batch_runs_max", "-1"),
        ("sweep.batch_runs_max", "\"500\""),
        ("sweep.batch_runs_max", "500.0"),
        ("sweep.batch_runs_max", "true"),
        ("sweep.batch_runs_max", "9223372036854775807"),
        ("sweep.schedule", "\"0 0 * * *\""),
        ("sweep.schedule", "true"),
        ("settling.mode", "\"off\""),
        ("settling.act_in", "[]"),
        ("settling.act_in", "3"),
        ("settling.not_before", "\"yesterday\""),
        ("survey.accepted", "[\"luck\"]"),
        ("survey.accepted", "[\"audit\", \"audit\"]"),
        ("worker.jobs_max", "\"500\""),
        ("worker.attempts_max", "0"),
        ("worker.retain_jobs", "\"30d\""),
        ("database.connections_max", "101"),
        ("database.retries_max", "21"),
        ("database.statement_timeout", "\"0s\""),
        ("rules.audit_actions", "[]"),
        ("rules.audit_actions", "\"restore.executed\""),
        ("rules.audit_actions", "[\"restore.executed\", 1]"),
        (
            "rules.audit_actions",
            "[\"restore.executed\", \"restore.executed\"]",
        ),
        ("rules.audit_actions", "[\" restore.executed\"]"),
        ("rules.audit_actions", "[\"\"]"),
        ("rules.audit_resource_types", "[]"),
        ("rules.audit_resource_types", "[\"operation_run\"]"),
        ("rules.audit_actions", "[\"operation_run.reconciled\"]"),
        ("rules.blocker_codes", "[\"write_gate_blocked\"]"),
        ("rules.blocker_codes", "[\"a blank\"]"),
        ("rules.blocker_codes", "[\"failed\"]"),
        ("rules.blocker_codes", "[\"cancelled\"]"),
        ("rules.applied_words", "[\"failed\"]"),
        ("rules.applied_words", "[\"write_gate_blocked\"]"),
        ("rules.applied_words", "[\"restore.execution_failed\"]"),
        ("rules.failed_words", "[\"applied\"]"),
        ("rules.applied_words", "[\"aborted\"]"),
        ("rules.applied_words", "[\"cancelled\"]"),
        ("rules.applied_words", "[\"completed_with_errors\"]"),
        ("rules.applied_words", "[\"failure\"]"),
        ("rules.applied_words", "[\"blocked\"]"),
        ("rules.partial_words", "[\"completed\"]"),
        ("rules.not_applied_words", "[\"queued\"]"),
        ("rules.applied_words", "[\"pending\"]"),
        ("rules.not_applied_words", "[\"x\", \"x\"]"),
        ("rules.audit_actions", many.as_str()),
        ("rules.audit_actions", long.as_str()),
        ("rules.summary_keys", "[\"total\", \"recovered\"]"),
        ("rules.summary_keys", "[\"total\", \"total\"]"),
        ("console.listen", "\"localhost:8717\""),
        ("console.listen", "\"127.0.0.1\""),
        ("console.listen", "8717"),
        ("console.behind_tls", "\"yes\""),
        ("console.requests_per_minute", "9"),
        ("log.filter", "\"inof\""),
        ("log.filter", "3"),
        ("log.format", "\"xml\""),
        ("log.format", "[]"),
    ] {
        let text = refusal(&format!("{key} = {value}"));
        assert!(
            text.starts_with(&format!("x.toml:1: `{key}` is ")),
            "{value}: {text}"
        );
        let says_what = text.contains("must be") || text.contains("allowed is");
        assert!(says_what, "{value}: {text}");
        assert!(text.len() < 700, "{text}");
    }
}
