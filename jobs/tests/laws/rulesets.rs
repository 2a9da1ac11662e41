//! What the second ruleset decides otherwise than the first, each with the facts of both.
//!
//! `corpus/differences.jsonl` has the same rows as a program of the first ruleset read and decided them. Its facts are
//! judged again by the rules of its time, and the rows, changed here in the same way, by those of today.

use reconciler_jobs::ids::RestoreId;
use reconciler_jobs::json::Column;
use reconciler_jobs::restore_execute::review::{Doubt, review};
use reconciler_jobs::restore_execute::rows::SetItems;
use reconciler_jobs::restore_execute::{RULESET, RULESET_NUMBER};
use reconciler_jobs::stamp::Stamp;

use crate::support::{Case, Kept, RUN, at, audit, candidate, json, line, moment};

const FIRST: &str = include_str!("corpus/differences.jsonl");

/// What the rules of its time make of the facts on file, in one line.
fn by_the_rules_of_its_time(kept: &Kept) -> String {
    match review(&kept.recorded()) {
        Ok(reviewed) => line(&reviewed.decision),
        // A deferral is no verdict, and is told as what it is.
        Err(Doubt::WrongVerdict { follows, .. }) => follows.replace("no verdict:", "deferred"),
        Err(doubt) => panic!("{}: {doubt}", kept.change),
    }
}

type Change = fn(&mut Case);

/// What is changed in the proven case, and what that is decided as today.
const CHANGES: [(&str, &str, Change); 43] = [
    (
        "an outcome under decision",
        "succeeded restore.proof_complete",
        |case| {
            case.one_item(r#"{"decision":"applied"}"#);
        },
    ),
    (
        "two outcomes that disagree",
        "partially_succeeded restore.nothing_applied",
        |case| {
            case.one_item(r#"{"status":"applied","decision":"failed"}"#);
        },
    ),
    (
        "an error beside a success",
        "partially_succeeded restore.nothing_applied",
        |case| {
            case.one_item(r#"{"status":"applied","error":"HTTP 409"}"#);
        },
    ),
    (
        "success: false beside a success",
        "partially_succeeded restore.nothing_applied",
        |case| {
            case.one_item(r#"{"status":"applied","success":false}"#);
        },
    ),
    (
        "assignments beside the items",
        "partially_succeeded restore.items_mixed",
        |case| {
            case.restore.results = json(&beside(r#""assignments":[{"status":"failed"}]"#));
        },
    ),
    (
        "foundations under mappings",
        "partially_succeeded restore.items_mixed",
        |case| {
            let mappings = r#""mappings":{"foundations":[{"decision":"failed"}]}"#;
            case.restore.results = json(&beside(mappings));
        },
    ),
    (
        "a request that cannot be read",
        "partially_succeeded restore.request_unreadable",
        |case| {
            case.restore.requested_items = json(r#"[{"id":101}]"#);
        },
    ),
    (
        "a null request, and no counter",
        "succeeded restore.proof_complete",
        |case| {
            case.restore.requested_items = json("null");
            case.restore.metadata = json("{}");
        },
    ),
    (
        "a failure reason",
        "partially_succeeded restore.failure_recorded",
        |case| {
            case.restore.failure_reason = Some("HTTP 503".to_owned());
        },
    ),
    (
        "a failure in the summary",
        "partially_succeeded restore.failure_recorded",
        |case| {
            case.run.failure_summary = json(r#"[{"code":"graph.throttled"}]"#);
        },
    ),
    (
        "results that say failed",
        "partially_succeeded restore.failure_recorded",
        |case| {
            case.restore.results = json(&beside(r#""status":"failed""#));
        },
    ),
    (
        "errors in the results",
        "partially_succeeded restore.failure_recorded",
        |case| {
            case.restore.results = json(&beside(r#""errors":[{"code":429}]"#));
        },
    ),
    (
        "metadata that says failed",
        "partially_succeeded restore.failure_recorded",
        |case| {
            case.restore.metadata = json(r#"{"status":"failed"}"#);
        },
    ),
    (
        "an open run with an outcome",
        "partially_succeeded restore.failure_recorded",
        |case| {
            case.run.outcome = "failed".to_owned();
        },
    ),
    (
        "every item skipped",
        "partially_succeeded restore.nothing_applied",
        |case| case.one_item(r#"{"status":"skipped"}"#),
    ),
    (
        "queued and blocked for an hour",
        "blocked write_gate_blocked",
        |case| {
            never_started(case, "queued", "write_gate_blocked");
        },
    ),
    (
        "a draft and blocked for an hour",
        "blocked write_gate_blocked",
        |case| {
            never_started(case, "draft", "write_gate_blocked");
        },
    ),
    (
        "queued and paused",
        "deferred restore.blocked_waiting",
        |case| {
            never_started(case, "queued", "operational_control.paused");
        },
    ),
    (
        "evidence that expires on 9999-12-31",
        "succeeded restore.proof_complete",
        |case| {
            case.snapshots[0].expires_at = Stamp::parse(Some(253_402_214_400_000_000), true);
        },
    ),
    (
        "an end at the zero date",
        "partially_succeeded restore.evidence_predates_restore",
        |case| {
            case.restore.completed_at = Stamp::parse(Some(0), true);
        },
    ),
    (
        "an end before the start",
        "partially_succeeded restore.evidence_predates_restore",
        |case| {
            case.restore.completed_at = at("10:59:30");
        },
    ),
    (
        "evidence of the second of the end",
        "succeeded restore.proof_complete",
        |case| {
            case.restore.completed_at = at("11:30:00.7");
            case.snapshots[0].generated_at = at("11:30:00");
        },
    ),
    (
        "an unknown word beside a known one",
        "succeeded restore.proof_complete",
        |case| {
            case.audits[0].status = Some("ok".to_owned());
            case.audits[0].outcome = Some("success".to_owned());
        },
    ),
    (
        "a status word as an outcome",
        "succeeded restore.proof_complete",
        |case| {
            case.audits[0].outcome = Some("succeeded".to_owned());
        },
    ),
    (
        "another tenant in the scope",
        "deferred restore.proof_unavailable",
        |case| {
            case.run.context = json(r#"{"restore_run_id":7,"target_scope":{"tenant_id":9}}"#);
        },
    ),
    (
        "a workspace that is no number",
        "succeeded restore.proof_complete",
        |case| {
            case.run.context =
                json(r#"{"restore_run_id":7,"target_scope":{"workspace_id":"one"}}"#);
        },
    ),
    (
        "a draft or a dry run beside the named restore",
        "succeeded restore.proof_complete",
        |case| {
            case.candidates.push(candidate(RestoreId(8), Some(RUN)));
            case.candidates[1].contests = false;
        },
    ),
    (
        "a null request, and a larger set",
        "partially_succeeded restore.items_missing",
        |case| {
            case.restore.requested_items = json("null");
            case.restore.backup_items = SetItems::Ids((101..106).collect());
        },
    ),
    (
        "a null request, and no set",
        "partially_succeeded restore.request_unreadable",
        |case| {
            case.restore.requested_items = json("null");
            case.restore.backup_items = SetItems::Absent;
        },
    ),
    (
        "a configured blocker, and nothing applied",
        "blocked restore.blocker_configured",
        |case| {
            case.nothing_applied();
            configured_blocker(case);
        },
    ),
    (
        "a configured blocker, and something applied",
        "partially_succeeded restore.blocked_after_writes",
        configured_blocker,
    ),
    // A store reads the types that it is told of. That of the first ruleset knew `restore_run` only, and did not read
    // this entry.
    (
        "an audit entry that calls the restore by its model",
        "succeeded restore.proof_complete",
        |case| {
            let read = case.policy.audit_resource_types.iter();
            assert!(read.clone().any(|name| name == r"App\Models\RestoreRun"));
        },
    ),
    (
        "an audit entry of the second of the start",
        "succeeded restore.proof_complete",
        |case| {
            case.restore.started_at = at("11:00:00.9");
            case.audits = vec![audit(900, "restore.completed", "11:00:00")];
        },
    ),
    (
        "a word that configuration adds",
        "succeeded restore.proof_complete",
        |case| {
            case.one_item(r#"{"status":"patched"}"#);
            case.policy.item_words.applied = vec!["patched".to_owned()];
        },
    ),
    (
        "another environment in the scope",
        "deferred restore.proof_unavailable",
        |case| {
            case.run.context = json(r#"{"restore_run_id":7,"target_scope":{"environment_id":3}}"#);
        },
    ),
    (
        "evidence that never expires, as infinity",
        "succeeded restore.proof_complete",
        |case| case.snapshots[0].expires_at = Stamp::Far,
    ),
    (
        "an outcome under outcome",
        "succeeded restore.proof_complete",
        |case| case.one_item(r#"{"outcome":"applied"}"#),
    ),
    (
        "a foundation that failed under status",
        "partially_succeeded restore.items_unrecognised",
        |case| {
            case.one_item(r#"{"status":"applied"}"#);
            case.restore.results = json(
                r#"{"items":{"101":{"status":"applied"}},"foundations":[{"decision":"created","status":"failed"}]}"#,
            );
        },
    ),
    (
        "an assignment that failed under decision",
        "partially_succeeded restore.items_unrecognised",
        |case| {
            case.one_item(r#"{"status":"applied","assignment_outcomes":[{"status":"success","decision":"failed"}]}"#);
        },
    ),
    (
        "an error beside the success of an assignment",
        "partially_succeeded restore.items_unrecognised",
        |case| {
            case.one_item(r#"{"status":"applied","assignment_outcomes":[{"status":"success","error":"HTTP 409"}]}"#);
        },
    ),
    (
        "an error beside a foundation",
        "partially_succeeded restore.items_unrecognised",
        |case| {
            case.one_item(r#"{"status":"applied"}"#);
            case.restore.results = json(
                r#"{"items":{"101":{"status":"applied"}},"foundations":[{"decision":"created","error":"HTTP 409"}]}"#,
            );
        },
    ),
    (
        "partial, and every item skipped",
        "partially_succeeded restore.nothing_applied",
        |case| {
            case.restore.status = "partial".to_owned();
            case.nothing_applied();
        },
    ),
    (
        "queued and blocked since a moment ago",
        "deferred restore.blocked_waiting",
        |case| {
            case.restore.status = "queued".to_owned();
            case.restore.started_at = Stamp::Absent;
            case.restore.completed_at = Stamp::Absent;
            case.restore.results = Column::Null;
            case.restore.metadata = Column::Null;
            case.run.failure_summary = json(r#"[{"code":"write_gate_blocked"}]"#);
            case.run.created_at = at("11:50:00");
        },
    ),
];

fn beside(part: &str) -> String {
    let items = r#""items":{"101":{"status":"applied"},"102":{"status":"applied"}}"#;
    format!("{{{part},{items}}}")
}

fn configured_blocker(case: &mut Case) {
    case.policy.blocker_codes = vec!["backup_quality_blocked".to_owned()];
    case.restore.failure_reason = Some("backup_quality_blocked".to_owned());
}

fn never_started(case: &mut Case, status: &str, blocker: &str) {
    case.restore.status = status.to_owned();
    case.restore.started_at = Stamp::Absent;
    case.restore.results = json("[]");
    case.restore.metadata = json("{}");
    case.restore.failure_reason = Some(blocker.to_owned());
    case.as_of = moment("13:00:00");
}

#[test]
fn the_number_of_the_ruleset_is_the_one_in_its_name() {
    let (_, number) = RULESET.split_once('/').unwrap();
    assert_eq!(number.parse(), Ok(RULESET_NUMBER));
}

#[test]
fn each_change_is_decided_otherwise_than_by_the_first_ruleset() {
    let first: Vec<Kept> = FIRST
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(first.len(), CHANGES.len());
    for (then, (name, expected, change)) in first.iter().zip(CHANGES) {
        assert_eq!(then.change, name);
        let mut case = Case::proven();
        change(&mut case);
        let now = line(&case.decide());
        assert_eq!(now, expected, "{name}");
        let before = by_the_rules_of_its_time(then);
        assert_eq!(
            before,
            format!("{} {}", then.outcome, then.reason_code),
            "{name}"
        );
        assert_ne!(before, now, "{name}");
    }
    let calmer = first
        .iter()
        .zip(CHANGES)
        .filter(|(then, (_, now, _))| then.outcome == "succeeded" && !now.starts_with("succeeded"));
    assert_eq!(
        calmer.count(),
        22,
        "what the first ruleset called a success"
    );
}
