//! What a verdict writes, to the last key.

use jiff::Timestamp;
use reconciler_jobs::json::Column;
use reconciler_jobs::restore_execute::canonical::digest_of;
use reconciler_jobs::restore_execute::record::{FAILURE_SUMMARY_MAX, SUPERSEDED_BYTES_MAX, traces};
use reconciler_jobs::stamp::Stamp;
use serde_json::{Value, json as value};

use crate::support::{Case, at, json, moment};

fn reconciliation(case: &Case) -> Value {
    let record = case.record().unwrap();
    let context: Value = serde_json::from_str(record.run.context.get()).unwrap();
    context["reconciliation"].clone()
}

#[test]
fn the_reconciliation_of_a_success_names_every_proof() {
    let mut case = Case::proven();
    case.as_of = moment("12:00:00.999999");
    let record = case.record().unwrap();
    let digest = &record.ledger.facts_digest;
    let expected = value!({
        "reconciled_at": "2026-03-01T12:00:00Z",
        "source": "sweep",
        "adapter": "restore.execute",
        "ruleset": "restore.execute/2",
        "decision": "succeeded",
        "reason_code": "restore.proof_complete",
        "reason": "The proof bundle is complete. Completion and evidence do not prove environment recovery.",
        "previous": { "status": "running", "outcome": "pending" },
        "proof": {
            "link": true, "scope": true, "intent": true, "execution": true,
            "items": true, "audit": true, "evidence": true, "clearance": true,
        },
        "missing": [],
        "evidence": {
            "restore_run_id": 7,
            "restore_status": "completed",
            "audit_log_id": 900,
            "evidence_snapshot_id": 500,
        },
        "decision_id": digest[..32],
        "facts_digest": digest,
    });
    assert_eq!(reconciliation(&case), expected);
    assert_eq!(record.run.outcome, "succeeded");
    assert!(
        record.run.failure_summary.is_none(),
        "a success adds no failure"
    );
    assert_eq!(record.ledger.decision_id, digest[..32]);
    assert_eq!(record.ledger.decided_at, case.as_of);
}

#[test]
fn a_verdict_below_success_says_what_is_missing() {
    let mut case = Case::proven();
    case.items(r#"{"101":{"status":"applied"},"102":{"status":"skipped"}}"#);
    case.audits.clear();
    let found = reconciliation(&case);
    assert_eq!(
        found["missing"],
        value!([
            "restore.items_mixed",
            "restore.counts_conflict",
            "restore.audit_missing"
        ])
    );
    assert_eq!(
        (&found["proof"]["items"], &found["proof"]["audit"]),
        (&value!(false), &value!(false))
    );
    assert_eq!(found["evidence"]["audit_log_id"], Value::Null);
    let record = case.record().unwrap();
    let summary: Value = serde_json::from_str(record.run.failure_summary.unwrap().get()).unwrap();
    let message = "Some items were skipped, applied in part, or failed.";
    let code = "restore.items_mixed";
    assert_eq!(
        summary,
        value!([{ "code": code, "reason_code": code, "message": message, "count": 1 }])
    );
    assert_eq!(
        (record.audit.outcome, record.audit.resource_type),
        ("partial", "operation_run")
    );
}

/// The run's columns, the audit entry and the ledger say one verdict, with one reason and the same gaps.
#[test]
fn every_place_says_the_verdict_that_was_decided() {
    let change = |change: fn(&mut Case)| {
        let mut case = Case::proven();
        change(&mut case);
        case
    };
    for (case, outcome, word) in [
        (change(|_| ()), "succeeded", "success"),
        (
            change(|case| case.audits.clear()),
            "partially_succeeded",
            "partial",
        ),
        (
            change(|case| {
                case.nothing_applied();
                case.restore.status = "cancelled".to_owned();
            }),
            "blocked",
            "blocked",
        ),
        (
            change(|case| case.restore.status = "failed".to_owned()),
            "failed",
            "failure",
        ),
    ] {
        let decision = case.decide();
        let record = case.record().unwrap();
        let audit = &record.audit;
        let told = [
            record.run.outcome,
            record.ledger.outcome,
            decision.name(),
            audit.status,
            audit.outcome,
        ];
        assert_eq!(told, [outcome, outcome, outcome, word, word]);
        let metadata = &audit.metadata;
        assert_eq!(metadata["decision"], outcome);
        assert_eq!(metadata["reason_code"], decision.reason.code());
        assert_eq!(record.ledger.reason_code, decision.reason.code());
        let gaps = serde_json::to_value(decision.proof.gaps()).unwrap();
        let missing = [&metadata["missing"], &reconciliation(&case)["missing"]];
        assert_eq!(missing, [&gaps, &gaps], "{outcome}");
        let summary = format!("Reconciled as {outcome}. {}", decision.reason.sentence());
        assert_eq!(audit.summary, summary);
    }
}

#[test]
fn what_was_not_applied_is_not_counted_as_a_success() {
    let mut case = Case::proven();
    case.items(r#"{"101":{"status":"applied"},"102":{"status":"failed"}}"#);
    let counts = case.record().unwrap().run.summary_counts.unwrap();
    let counts: Value = serde_json::from_str(counts.get()).unwrap();
    let told = ["total", "succeeded", "failed"].map(|key| counts[key].as_u64());
    assert_eq!(told, [Some(2), Some(1), Some(1)]);
}

/// What the entry of a failure counts, where its reason is about items.
#[test]
fn a_failure_says_how_many_items_it_is_about() {
    type Row<'a> = (&'a str, &'a str, &'a str, Option<u64>);
    let rows: [Row<'_>; 7] = [
        (
            "restore.items_missing",
            "[101,102,103]",
            r#"{"101":{"status":"applied"}}"#,
            Some(2),
        ),
        // Nothing was requested, and nothing has a result.
        ("restore.items_missing", "[]", "{}", None),
        (
            "restore.items_unexpected",
            "[101]",
            r#"{"101":{"status":"applied"},"102":{"status":"applied"},"103":{"status":"applied"}}"#,
            Some(2),
        ),
        (
            "restore.items_mixed",
            "[101,102,103]",
            r#"{"101":{"status":"applied"},"102":{"status":"failed"},"103":{"status":"failed"}}"#,
            Some(2),
        ),
        (
            "restore.all_items_failed",
            "[101,102]",
            r#"{"101":{"status":"failed"},"102":{"status":"failed"}}"#,
            Some(2),
        ),
        (
            "restore.execution_failed",
            "[101]",
            r#"{"101":{"status":"applied"}}"#,
            None,
        ),
        (
            "restore.audit_missing",
            "[101]",
            r#"{"101":{"status":"applied"}}"#,
            None,
        ),
    ];
    for (reason, requested, items, count) in rows {
        let mut case = Case::proven();
        case.restore.requested_items = json(requested);
        case.items(items);
        case.restore.metadata = Column::Null;
        case.audits.clear();
        if reason == "restore.execution_failed" {
            "failed".clone_into(&mut case.restore.status);
        }
        let summary = case.record().unwrap().run.failure_summary.unwrap();
        let summary: Value = serde_json::from_str(summary.get()).unwrap();
        assert_eq!(summary[0]["code"], reason);
        assert_eq!(
            summary[0].get("count").and_then(Value::as_u64),
            count,
            "{reason}: {items}"
        );
    }
}

/// A reader of the reconciliation must not be led to evidence that proved nothing.
#[test]
fn only_evidence_that_holds_is_named() {
    type Spoil = fn(&mut Case);
    let rows: [(&str, Spoil); 4] = [
        ("restore.evidence_expired", |case| {
            case.snapshots[0].expires_at = Stamp::At(case.as_of);
        }),
        ("restore.evidence_predates_restore", |case| {
            case.snapshots[0].generated_at = at("11:29:59");
        }),
        ("restore.evidence_incomplete", |case| {
            case.snapshots[0].completeness = None;
        }),
        ("restore.evidence_missing", |case| case.snapshots.clear()),
    ];
    for (reason, spoil) in rows {
        let mut case = Case::proven();
        spoil(&mut case);
        let found = reconciliation(&case);
        assert_eq!(found["reason_code"], reason);
        let evidence = &found["evidence"];
        assert_eq!(evidence["evidence_snapshot_id"], Value::Null, "{reason}");
        assert_eq!(evidence["audit_log_id"], 900, "{reason}");
    }
    let mut case = Case::proven();
    case.audits.clear();
    let found = reconciliation(&case);
    assert_eq!(found["evidence"]["evidence_snapshot_id"], value!(500));
}

#[test]
fn an_older_reconciliation_is_kept_below_ours_as_it_was_written() {
    let older = r#"{ "n" : 1e2, "decision":"from before","superseded":{"a": 1.50 } }"#;
    let written = |reconciliation: &str| {
        let mut case = Case::proven();
        case.run.context = json(&format!(
            r#"{{"zebra":1e2,"restore_run_id":"7","reconciliation":{reconciliation},"é":[null]}}"#
        ));
        let record = case.record().unwrap();
        assert!(
            !record.ledger.facts.contains("before") && !record.ledger.decision.contains("before")
        );
        record.run.context.get().to_owned()
    };
    let context = written(older);
    for kept in [r#""zebra":1e2"#, r#""é":[null]"#, older] {
        assert!(context.contains(kept), "{kept}: {context}");
    }
    let read: Value = serde_json::from_str(&context).unwrap();
    assert_eq!(
        read["reconciliation"]["superseded"]["decision"],
        "from before"
    );
    assert_eq!(read["reconciliation"]["decision"], "succeeded");

    for (text, kept) in [
        ("x".repeat(SUPERSEDED_BYTES_MAX - 2), true),
        ("x".repeat(SUPERSEDED_BYTES_MAX - 1), false),
    ] {
        let text = format!("\"{text}\"");
        let context: Value = serde_json::from_str(&written(&text)).unwrap();
        let superseded = &context["reconciliation"]["superseded"];
        if kept {
            assert!(superseded.is_string());
        } else {
            let expected = value!({ "sha256": digest_of(&text), "bytes": text.len() });
            assert_eq!(*superseded, expected);
        }
    }
    assert!(!written("null").contains("superseded"));
    assert_eq!(SUPERSEDED_BYTES_MAX, 65_536, "the manual says so");
}

#[test]
fn the_failure_summary_is_bounded() {
    for (held, expected) in [
        (FAILURE_SUMMARY_MAX - 1, true),
        (FAILURE_SUMMARY_MAX, false),
    ] {
        let summary = format!("[{}]", vec![r#"{"code":"x"}"#; held].join(","));
        assert_eq!(is_added_to(&summary), expected, "{held}");
    }
}

/// Whether a verdict below success adds its failure to a summary.
fn is_added_to(summary: &str) -> bool {
    let mut case = Case::proven();
    case.audits.clear();
    case.run.failure_summary = json(summary);
    case.record().unwrap().run.failure_summary.is_some()
}

#[test]
fn only_counts_that_the_policy_allows_are_written() {
    let mut case = Case::proven();
    case.policy.summary_keys = vec!["failed".to_owned(), "total".to_owned()];
    let counts = case.record().unwrap().run.summary_counts.unwrap();
    let counts: Value = serde_json::from_str(counts.get()).unwrap();
    assert_eq!(counts, value!({ "failed": 0, "total": 2 }));
}

/// Of a database of ASCII: whether counts and failures are written, and both are left alone by themselves.
#[test]
fn what_only_an_escape_can_say_is_written_where_the_database_has_the_character() {
    let rows = [
        ("{}", "[]", [true, true]),
        (r#"{"a":"\u2603"}"#, "[]", [false, true]),
        ("{}", r#"[{"code":"\u2603"}]"#, [true, false]),
        (r#"{"\u0080":1}"#, r#"["\u0080"]"#, [false, false]),
        (r#"{"\u007f":1}"#, r#"["\u007f"]"#, [true, true]),
    ];
    for (counts, failures, expected) in rows {
        let mut case = Case::proven();
        case.audits.clear();
        case.run.summary_counts = json(counts);
        case.run.failure_summary = json(failures);
        let run = case.record().unwrap().run;
        assert!(run.summary_counts.is_some() && run.failure_summary.is_some());
        let kept = run.of_ascii();
        let kept = [
            kept.summary_counts.is_some(),
            kept.failure_summary.is_some(),
        ];
        assert_eq!(kept, expected, "{counts} {failures}");
    }
}

#[test]
fn a_failure_summary_that_is_no_list_is_left_alone() {
    for (document, written) in [
        ("{}", true),
        ("null", true),
        (r#"{"code":"x"}"#, false),
        ("5", false),
        (r#"["\u0000"]"#, false),
    ] {
        assert_eq!(is_added_to(document), written, "{document}");
    }
    let mut case = Case::proven();
    case.run.failure_summary = Column::Oversized;
    assert!(case.record().unwrap().run.failure_summary.is_none());
}

#[test]
fn a_run_ends_with_its_restore_or_now() {
    for (ended, expected) in [
        (at("11:30:00.9"), "11:30:00"), // in whole seconds
        (at("11:00:00"), "11:00:00"),   // exactly at its own start
        (at("10:59:59"), "12:00:00"),   // an end before its start is none
        (at("11:59:59.9"), "11:59:59"),
        (at("12:00:00"), "12:00:00"), // exactly now
        (at("12:00:01"), "12:00:00"),
        (Stamp::Unreadable, "12:00:00"),
    ] {
        let mut case = Case::proven();
        case.restore.completed_at = ended;
        // The window would defer some of these; what is tested is the moment that is written.
        case.policy.settle_window = jiff::SignedDuration::ZERO;
        let record = case.record().unwrap();
        assert_eq!(record.run.completed_at, moment(expected), "{ended:?}");
    }
}

#[test]
fn a_start_is_added_only_where_there_is_none() {
    let started = |change: fn(&mut Case)| -> Option<Timestamp> {
        let mut case = Case::proven();
        change(&mut case);
        case.record().unwrap().run.started_at
    };
    assert_eq!(started(|_| {}), None);
    assert_eq!(
        started(|case| case.run.started_at = Stamp::Absent),
        Some(moment("11:00:00"))
    );
    assert_eq!(
        started(|case| case.run.started_at = Stamp::Unreadable),
        None
    );
    let late = |clock: &'static str| {
        let mut case = Case::proven();
        case.run.started_at = Stamp::Absent;
        case.restore.started_at = at(clock);
        let run = case.record().unwrap().run;
        (run.started_at, run.completed_at)
    };
    let end = moment("11:30:00");
    assert_eq!(late("11:30:00.9"), (Some(end), end), "in the same second");
    let (start, now) = (moment("11:30:01"), moment("12:00:00"));
    assert_eq!(late("11:30:01"), (Some(start), now), "the end is none");
    assert_eq!(late("12:00:01"), (None, now), "a start in the future");
}

#[test]
fn nothing_personal_and_nothing_of_the_provider_is_written() {
    let mut case = Case::proven();
    let secret = "jane@contoso.com";
    case.one_item(&format!(
        r#"{{"status":"{secret}","error":"{secret}","name":"{secret}"}}"#
    ));
    case.restore.failure_reason = Some(secret.to_owned());
    case.run.failure_summary = json(&format!(r#"[{{"message":"{secret}"}}]"#));
    let record = case.record().unwrap();
    let audit = serde_json::to_string(&record.audit).unwrap();
    assert!(!audit.contains(secret) && !record.run.context.get().contains(secret));
    assert!(!record.ledger.facts.contains(secret) && !record.ledger.decision.contains(secret));
}

/// By its traces a verdict is found again in its run, so they are what it wrote there, and a deferred decision has none.
#[test]
fn the_traces_of_a_verdict_are_what_it_wrote() {
    let proven = Case::proven();
    let mut lacking = Case::proven();
    lacking.audits.clear();
    for case in [proven, lacking] {
        let (record, facts) = (case.record().unwrap(), case.facts());
        let digest = &record.ledger.facts_digest;
        let found = traces(&facts, &case.decide(), digest, record.ledger.source).unwrap();
        assert_eq!(found, (record.run.completed_at, reconciliation(&case)));
    }
    let mut waits = Case::proven();
    waits.restore.status = "running".to_owned();
    assert_eq!(traces(&waits.facts(), &waits.decide(), "", "sweep"), None);
}
