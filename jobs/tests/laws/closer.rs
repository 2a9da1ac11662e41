//! Who closed a run, and which of its recorded failures and blockers are that closer's own traces: a claim is no evidence
//! for itself.

use reconciler_jobs::restore_execute::ReasonCode;
use reconciler_jobs::restore_execute::facts::{CloserFacts, Policy, RunFacts};

use crate::support::{Case, json};

const BLOCKER: &str = "write_gate_blocked";

/// A run that was closed with this code, these entries in its summary, and this blocker in its context.
fn closed_with(code: &str, summary: &str, legitimacy: &str) -> RunFacts {
    let mut run = Case::proven().run;
    run.status = "completed".to_owned();
    run.failure_summary = json(summary);
    run.context = json(&format!(
        r#"{{"reconciliation":{{"reason_code":{code}}},"execution_legitimacy":{{"reason_code":{legitimacy}}}}}"#
    ));
    RunFacts::parse(&run, &Policy::default())
}

fn said(run: &RunFacts) -> String {
    let Some(CloserFacts {
        closer,
        failures,
        blockers,
    }) = &run.closer
    else {
        return "nobody".to_owned();
    };
    let codes = |codes: &mut dyn Iterator<Item = &'static str>| codes.collect::<Vec<_>>().join(" ");
    let own = codes(&mut blockers.iter().map(|code| code.code()));
    let left = codes(&mut run.blockers_recorded().map(ReasonCode::code));
    format!(
        "{closer:?}, own {failures} [{own}], recorded {} [{left}]",
        run.failure_recorded()
    )
}

/// The closer's code, the entries of the summary, the blocker in the context, and what is told of them.
type Row<'a> = (&'a str, &'a str, &'a str, &'a str);

fn check(rows: &[Row<'_>]) {
    for (code, summary, legitimacy, expected) in rows {
        let run = closed_with(code, summary, legitimacy);
        assert_eq!(said(&run), *expected, "{code} {summary} {legitimacy}");
    }
}

#[test]
fn failures_of_a_closer_are_told_from_what_others_recorded() {
    check(&[
        ("null", "[]", "null", "nobody"),
        ("7", "[]", "null", "nobody"),
        (
            r#""run.stale_queued""#,
            "[]",
            "null",
            "StaleQueued, own 0 [], recorded false []",
        ),
        (
            r#""run.stale_running""#,
            "[]",
            "null",
            "StaleRunning, own 0 [], recorded false []",
        ),
        (
            r#""run.queue_failure_bridge""#,
            "[]",
            "null",
            "QueueFailure, own 0 [], recorded false []",
        ),
        (
            r#""app.closed""#,
            "[]",
            "null",
            "Adapter, own 0 [], recorded false []",
        ),
        // A failure under the closer's code is the closer's own, under one of two keys; any other one is somebody's.
        (
            r#""run.stale_running""#,
            r#"[{"code":"run.stale_running"}]"#,
            "null",
            "StaleRunning, own 1 [], recorded false []",
        ),
        (
            r#""run.stale_running""#,
            r#"[{"reason_code":"run.stale_running","code":"x"}]"#,
            "null",
            "StaleRunning, own 1 [], recorded false []",
        ),
        (
            r#""run.stale_running""#,
            r#"[{"code":"graph.throttled"}]"#,
            "null",
            "StaleRunning, own 0 [], recorded true []",
        ),
        (
            r#""run.stale_running""#,
            r#"[{"code":"run.stale_running"},{"code":"graph.throttled"}]"#,
            "null",
            "StaleRunning, own 1 [], recorded true []",
        ),
        // A code of the registry is our own trace only where it stands in both places, as we write it.
        (
            r#""restore.execution_failed""#,
            r#"[{"code":"restore.execution_failed","reason_code":"restore.execution_failed"}]"#,
            "null",
            "Adapter, own 1 [], recorded false []",
        ),
        (
            r#""restore.execution_failed""#,
            r#"[{"code":"restore.execution_failed"}]"#,
            "null",
            "Adapter, own 0 [], recorded true []",
        ),
    ]);
}

#[test]
fn blockers_of_a_closer_are_told_from_what_others_recorded() {
    let blocked = format!(r#"{{"code":"{BLOCKER}"}}"#);
    let both = format!(r#"{{"code":"{BLOCKER}","reason_code":"{BLOCKER}"}}"#);
    let named = format!(r#"{{"code":"app.closed","reason_code":"{BLOCKER}"}}"#);
    let quoted = format!(r#""{BLOCKER}""#);
    check(&[
        // A blocker that the closer names is its own where nobody else recorded it.
        (
            r#""app.closed""#,
            &format!("[{named}]"),
            "null",
            "Adapter, own 0 [write_gate_blocked], recorded false []",
        ),
        (
            r#""app.closed""#,
            &format!("[{blocked}]"),
            "null",
            "Adapter, own 0 [], recorded false [write_gate_blocked]",
        ),
        (
            r#""app.closed""#,
            &format!("[{named},{blocked}]"),
            "null",
            "Adapter, own 0 [], recorded false [write_gate_blocked]",
        ),
        (
            r#""app.closed""#,
            &format!("[{named},{named}]"),
            "null",
            "Adapter, own 0 [], recorded false [write_gate_blocked]",
        ),
        (
            r#""app.closed""#,
            &format!("[{named}]"),
            &quoted,
            "Adapter, own 0 [], recorded false [write_gate_blocked]",
        ),
        // The closer's code is a blocker itself.
        (
            &quoted,
            &format!("[{both}]"),
            "null",
            "Adapter, own 0 [write_gate_blocked], recorded false []",
        ),
    ]);
}

/// The traces are of a closed run: on an open one they are what anybody recorded.
#[test]
fn an_open_run_has_no_traces_of_a_closer() {
    let mut run = Case::proven().run;
    run.failure_summary = json(r#"[{"code":"run.stale_running"}]"#);
    run.context = json(r#"{"reconciliation":{"reason_code":"run.stale_running"}}"#);
    let run = RunFacts::parse(&run, &Policy::default());
    assert_eq!(said(&run), "nobody");
    assert!(run.failure_recorded());
}
