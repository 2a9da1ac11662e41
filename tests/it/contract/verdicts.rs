//! What a verdict writes, column by column, and that a deferral writes nothing to the platform.

use jiff::{SignedDuration, Timestamp};
use reconciler_jobs::ids::RunId;
use reconciler_jobs::restore_execute::canonical::{canonicalise, digest_of};
use reconciler_jobs::restore_execute::review::Standing;
use reconciler_jobs::restore_execute::{Facts, RULESET, decide};
use restore_reconciler::internals::storage::Settlement;
use restore_reconciler::internals::storage::reader::Workspaces;
use serde_json::{Map, Value, json};

use crate::support::case::{Case, ENDED, STARTED, audit, restore_of, snapshot_of};
use crate::support::settled::{Written, reason};
use crate::support::store::{Columns, Fixture, moment, on_all, with};

on_all!(
    a_proven_restore_succeeds,
    a_mixed_restore_succeeds_in_part,
    a_cancelled_restore_is_blocked,
    a_failed_restore_fails,
    a_run_that_started_keeps_its_start,
    an_end_outside_of_the_runs_life_becomes_now,
    a_deferral_is_watched_with_growing_waits,
    a_verdict_takes_its_run_off_the_watch_list,
    a_verdict_on_record_can_be_read_back,
    facts_that_were_erased_leave_their_verdict_as_it_was,
    one_pass_over_many_outcomes_writes_each_once,
);

/// What differs between one verdict and another.
struct Expected {
    outcome: &'static str,
    reason: &'static str,
    audit: &'static str,
    /// How many items were applied, and how many failed.
    counts: Option<(u64, u64)>,
    /// The count in the new failure entry.
    troubled: Option<u64>,
    missing: &'static [&'static str],
    /// The legs that do not hold.
    broken: &'static [&'static str],
    audit_log_id: Option<i64>,
}

fn json_of(text: Option<&String>) -> Value {
    serde_json::from_str(text.expect("a document")).expect("JSON")
}

fn text<'a>(columns: &'a Columns, name: &str) -> Option<&'a str> {
    columns[name].as_deref()
}

/// Compares every row that a verdict on this case, which is of run 1, writes, every column of it.
async fn check(on: &Fixture, case: Case, expected: &Expected) {
    on.plant([case]).await;
    let before = on.run(1).await;
    let earliest = on.store.now().await.unwrap();
    let written = on.verdict(1).await;
    let latest = on.store.now().await.unwrap();
    let now = moment(written.run["updated_at"].as_ref()).unwrap();
    let second = SignedDuration::from_secs(1);
    assert!((earliest - second..=latest).contains(&now), "{now}");

    let digest = text(&written.ledger, "facts_digest").unwrap().to_owned();
    check_run(&before, &written, expected, now, &digest);
    check_audit(&written, expected, now, &digest);
    check_ledger(&written, expected, &digest);
    check_facts(on, &digest).await;
    let others = on.number_of("audit_logs WHERE resource_type <> 'restore_run'");
    let others = others.await;
    assert_eq!(others, 1, "one entry of ours");
    assert_eq!(on.number_of("reconciler.watch_list").await, 0);
}

/// Each of these columns holds this text, and nothing is in a column that no test knows.
fn assert_columns(row: &Columns, known: usize, expected: &[(&str, Option<&str>)]) {
    for (column, value) in expected {
        assert_eq!(text(row, column), *value, "{column}");
    }
    let all = row.keys();
    assert_eq!(all.len(), known, "a new column needs a rule: {all:?}");
}

fn check_run(
    before: &Columns,
    written: &Written,
    expected: &Expected,
    now: Timestamp,
    digest: &str,
) {
    let run = &written.run;
    let legs = "link scope intent execution items audit evidence clearance".split(' ');
    let proof: Map<String, Value> = legs
        .map(|leg| (leg.to_owned(), json!(!expected.broken.contains(&leg))))
        .collect();
    let sentence = written.assessment.decision.reason.sentence();
    assert_eq!(
        json_of(run["context"].as_ref()),
        json!({
            "restore_run_id": restore_of(1),
            "reconciliation": {
                "reconciled_at": now.to_string(),
                "source": "sweep",
                "adapter": "restore.execute",
                "ruleset": RULESET,
                "decision": expected.outcome,
                "reason_code": expected.reason,
                "reason": sentence,
                "previous": { "status": "running", "outcome": "pending" },
                "proof": proof,
                "missing": expected.missing,
                "evidence": {
                    "restore_run_id": restore_of(1),
                    "restore_status": written.assessment.facts.restore.as_ref().unwrap().status,
                    "audit_log_id": expected.audit_log_id,
                    "evidence_snapshot_id": snapshot_of(1),
                },
                "decision_id": digest[..32],
                "facts_digest": digest,
            }
        })
    );
    match expected.counts {
        Some((applied, failed)) => {
            let counts = json!({
                "total": 2, "processed": 2, "succeeded": applied, "failed": failed, "skipped": 0,
                "partial": 0, "non_applied": 0,
            });
            assert_eq!(json_of(run["summary_counts"].as_ref()), counts);
        }
        None => assert_eq!(run["summary_counts"], None),
    }
    if expected.outcome == "succeeded" {
        assert_eq!(run["failure_summary"], None);
    } else {
        let mut entry = json!({
            "code": expected.reason, "reason_code": expected.reason, "message": sentence,
        });
        if let Some(count) = expected.troubled {
            entry["count"] = json!(count);
        }
        assert_eq!(json_of(run["failure_summary"].as_ref()), json!([entry]));
    }
    for (column, expected) in [("started_at", STARTED), ("completed_at", ENDED)] {
        let found = moment(run[column].as_ref());
        assert_eq!(found, Some(expected.parse().unwrap()), "{column}");
    }
    let untouched = "id workspace_id managed_environment_id user_id initiator_name type run_identity_hash created_at";
    for column in untouched.split(' ') {
        assert_eq!(run[column], before[column], "{column}");
    }
    let closed = [
        ("status", Some("completed")),
        ("outcome", Some(expected.outcome)),
    ];
    assert_columns(run, 16, &closed);
}

fn check_audit(written: &Written, expected: &Expected, now: Timestamp, digest: &str) {
    let entry = &written.audit;
    let sentence = written.assessment.decision.reason.sentence();
    let summary = format!("Reconciled as {}. {sentence}", expected.outcome);
    let columns = [
        ("workspace_id", Some("1")),
        ("managed_environment_id", Some("11")),
        ("actor_id", None),
        ("actor_email", None),
        ("actor_name", None),
        ("actor_type", Some("system")),
        ("actor_label", Some("restore-reconciler")),
        ("action", Some("operation_run.reconciled")),
        ("resource_type", Some("operation_run")),
        ("resource_id", Some("1")),
        ("status", Some(expected.audit)),
        ("outcome", Some(expected.audit)),
        ("summary", Some(summary.as_str())),
    ];
    assert_columns(entry, 16, &columns);
    assert_eq!(
        json_of(entry["metadata"].as_ref()),
        json!({
            "operation_run_id": 1,
            "restore_run_id": restore_of(1),
            "decision": expected.outcome,
            "reason_code": expected.reason,
            "missing": expected.missing,
            "ruleset": RULESET,
            "source": "sweep",
            "decision_id": digest[..32],
            "facts_digest": digest,
        })
    );
    assert_eq!(moment(entry["recorded_at"].as_ref()), Some(now));
}

fn check_ledger(written: &Written, expected: &Expected, digest: &str) {
    let entry = &written.ledger;
    let columns = [
        ("decision_id", Some(&digest[..32])),
        ("operation_run_id", Some("1")),
        ("workspace_id", Some("1")),
        ("managed_environment_id", Some("11")),
        ("outcome", Some(expected.outcome)),
        ("reason_code", Some(expected.reason)),
        ("ruleset", Some(RULESET)),
        ("worker", Some("worker-of-a-test")),
        ("source", Some("sweep")),
        ("revision", Some("1")),
        ("first_decision_id", None),
    ];
    assert_columns(entry, 16, &columns);

    // The ledger alone must be enough to repeat the decision.
    let kept = text(entry, "facts").unwrap();
    assert_eq!(digest_of(kept), digest);
    let facts: Facts = serde_json::from_str(kept).expect("facts can be read back");
    assert_eq!(facts, written.assessment.facts);
    assert_eq!(canonicalise(&facts).unwrap().text, kept);
    let decision = decide(&facts);
    assert_eq!(decision, written.assessment.decision);
    let decision = canonicalise(&decision).unwrap().text;
    assert_eq!(text(entry, "decision"), Some(decision.as_str()));
    assert_eq!(moment(entry["decided_at"].as_ref()), Some(facts.as_of));
    let created_at = moment(entry["run_created_at"].as_ref());
    assert_eq!(created_at, facts.run.created_at.moment());
}

/// They stand beside the entry, by their digest, and in it no more.
async fn check_facts(on: &Fixture, digest: &str) {
    let beside = on
        .row(on.either(
            "SELECT facts_digest, workspace_id, length(salt) AS salt, facts IS NULL AS is_erased
             FROM reconciler.ledger_facts",
            "SELECT encode(kept.facts_digest, 'hex') AS facts_digest, kept.workspace_id, length(salt) AS salt,
                 (kept.facts IS NULL)::integer AS is_erased
             FROM reconciler.ledger_facts AS kept JOIN reconciler.ledger USING (run_created_at)",
        ))
        .await;
    let expected = [
        ("workspace_id", "1"),
        ("salt", "16"),
        ("facts_digest", digest),
        ("is_erased", "0"),
    ];
    let expected = expected.map(|(column, value)| (column, Some(value)));
    assert_columns(&beside, 4, &expected);
    let entry = on.row("SELECT * FROM reconciler.ledger").await;
    assert_columns(
        &entry,
        16,
        &[("facts", None), ("facts_digest", Some(digest))],
    );
}

const PROVEN: Expected = Expected {
    outcome: "succeeded",
    reason: "restore.proof_complete",
    audit: "success",
    counts: Some((2, 0)),
    troubled: None,
    missing: &[],
    broken: &[],
    audit_log_id: Some(1),
};

async fn a_proven_restore_succeeds(on: Fixture) {
    check(&on, Case::proven(1), &PROVEN).await;
}

async fn a_mixed_restore_succeeds_in_part(on: Fixture) {
    let case = with(Case::proven(1), |case| {
        case.item("8", json!({ "status": "failed" }));
        case.restore.metadata = Some("[]".to_owned());
    });
    let expected = Expected {
        outcome: "partially_succeeded",
        reason: "restore.items_mixed",
        audit: "partial",
        counts: Some((1, 1)),
        troubled: Some(1),
        missing: &["restore.items_mixed"],
        broken: &["items"],
        ..PROVEN
    };
    check(&on, case, &expected).await;
}

async fn a_cancelled_restore_is_blocked(on: Fixture) {
    let case = with(Case::proven(1), |case| {
        case.restore.status = "cancelled".to_owned();
        case.restore.results = None;
        case.restore.metadata = None;
        case.audits = vec![audit(restore_of(1), "restore.cancelled", ENDED)];
        case.audits[0].status = "cancelled".to_owned();
        case.audits[0].outcome = Some("blocked".to_owned());
    });
    let expected = Expected {
        outcome: "blocked",
        reason: "restore.cancelled",
        audit: "blocked",
        counts: None, // nobody counted, so nobody writes zeros
        missing: &["restore.cancelled", "restore.items_missing"],
        broken: &["execution", "items"],
        ..PROVEN
    };
    check(&on, case, &expected).await;
}

async fn a_failed_restore_fails(on: Fixture) {
    let expected = Expected {
        outcome: "failed",
        reason: "restore.execution_failed",
        audit: "failure",
        missing: &["restore.execution_failed", "restore.audit_contradicts"],
        broken: &["execution", "audit"],
        audit_log_id: None,
        ..PROVEN
    };
    check(&on, Case::failed(1), &expected).await;
}

async fn a_run_that_started_keeps_its_start(on: Fixture) {
    let start = "2025-03-01T10:00:03Z";
    let case = with(Case::proven(1), |case| {
        case.run.started_at = Some(start.to_owned());
    });
    on.plant([case]).await;
    let started = moment(on.verdict(1).await.run["started_at"].as_ref());
    assert_eq!(started, Some(start.parse().unwrap()));
}

async fn an_end_outside_of_the_runs_life_becomes_now(on: Fixture) {
    let ahead = on.store.now().await.unwrap() + SignedDuration::from_mins(90);
    let before_it = Some("2025-03-01T09:59:59Z".to_owned());
    let ends = [before_it, Some(ahead.to_string()), None];
    on.plant(
        (1..)
            .zip(ends)
            .map(|(id, end)| with(Case::failed(id), |case| case.restore.completed_at = end)),
    )
    .await;
    for run in [1, 2, 3] {
        let written = on.verdict(run).await.run;
        assert_eq!(written["completed_at"], written["updated_at"], "run {run}");
        let written = moment(written["updated_at"].as_ref()).unwrap();
        let now = on.store.now().await.unwrap();
        assert!(written <= now, "not in the future");
    }
}

async fn a_deferral_is_watched_with_growing_waits(on: Fixture) {
    on.plant([Case::in_progress(1)]).await;
    let mut first_seen = None;
    for (tries, wait) in [(1, 30), (2, 60), (3, 120), (4, 240)] {
        let assessment = on.deferral(1).await;
        assert_eq!(reason(&assessment), "restore.in_progress");
        let watched = on.row("SELECT * FROM reconciler.watch_list").await;
        for (column, value) in [
            ("operation_run_id", "1"),
            ("workspace_id", "1"),
            ("managed_environment_id", "11"),
            ("reason_code", "restore.in_progress"),
            ("tries", &tries.to_string()),
        ] {
            assert_eq!(text(&watched, column), Some(value), "{column}");
        }
        let looked = moment(watched["last_looked_at"].as_ref()).unwrap();
        let again = moment(watched["look_again_at"].as_ref()).unwrap();
        let slack = (again - looked).total(jiff::Unit::Second).unwrap() - f64::from(wait);
        assert!(slack.abs() < 0.9, "waits {wait} s: {watched:?}");
        let seen = first_seen.get_or_insert_with(|| watched["first_seen_at"].clone());
        assert_eq!(watched["first_seen_at"], *seen);
    }
    assert_eq!(on.number_of("reconciler.ledger").await, 0);
}

async fn a_verdict_takes_its_run_off_the_watch_list(on: Fixture) {
    on.plant([Case::in_progress(1), Case::in_progress(2)]).await;
    on.settle(&[1, 2]).await;
    on.execute("UPDATE restore_runs SET status = 'failed' WHERE operation_run_id = 1")
        .await;
    on.verdict(1).await;
    let watched = on
        .value("SELECT operation_run_id FROM reconciler.watch_list")
        .await;
    assert_eq!(watched.as_deref(), Some("2"));
}

async fn a_verdict_on_record_can_be_read_back(on: Fixture) {
    on.plant([Case::proven(1), Case::in_progress(2)]).await;
    let written = on.verdict(1).await;
    let reader = on.store.reader();
    let recorded = reader.load_verdict(&Workspaces::All, RunId(1)).await;
    let recorded = recorded.unwrap().unwrap();
    assert_eq!(recorded.outcome, "succeeded");
    assert_eq!(recorded.reason_code, "restore.proof_complete");
    assert_eq!(recorded.decided_at, written.assessment.facts.as_of);
    assert_eq!(recorded.facts, written.ledger["facts"]);
    assert_eq!(Some(recorded.facts_digest), written.ledger["facts_digest"]);
    assert_eq!(Some(recorded.decision), written.ledger["decision"]);
    assert_eq!(Some(recorded.decision_id), written.ledger["decision_id"]);
    assert_eq!(recorded.worker, "worker-of-a-test");
    assert_eq!(recorded.ruleset, RULESET);
    let none = reader.load_verdict(&Workspaces::All, RunId(2)).await;
    assert_eq!(none.unwrap(), None);
}

async fn facts_that_were_erased_leave_their_verdict_as_it_was(on: Fixture) {
    on.plant([Case::proven(1)]).await;
    on.verdict(1).await;
    let entry = on.rows("SELECT * FROM reconciler.ledger").await;
    let altered = on.try_execute("UPDATE reconciler.ledger_facts SET facts = '{}'");
    assert!(altered.await.is_err());
    on.execute("DELETE FROM reconciler.ledger_facts WHERE workspace_id = 1")
        .await;
    assert_eq!(on.rows("SELECT * FROM reconciler.ledger").await, entry);
    let recorded = (on.store.reader())
        .load_verdict(&Workspaces::All, RunId(1))
        .await;
    let recorded = recorded.unwrap().unwrap();
    assert_eq!(recorded.facts, None);
    assert_eq!(recorded.standing(), Standing::FactsErased);
    assert_eq!(recorded.outcome, "succeeded");
    let again = on.settle_one(1).await;
    assert!(matches!(again, Settlement::Deferred(_, None)), "{again:?}");
    assert_eq!(on.rows("SELECT * FROM reconciler.ledger").await, entry);
}

async fn one_pass_over_many_outcomes_writes_each_once(on: Fixture) {
    let cases = (1..=60).map(|id| match id % 3 {
        0 => Case::proven(id),
        1 => Case::failed(id),
        _ => Case::in_progress(id),
    });
    on.plant(cases).await;
    let runs: Vec<i64> = (1..=60).chain(1..=60).collect(); // named twice, settled once
    let results = on.settle(&runs).await;
    assert_eq!(results.len(), 60);
    for (run, result) in results {
        let outcome = match &result {
            Settlement::Committed(assessment) => assessment.decision.name(),
            Settlement::Deferred(..) => "deferred",
            _ => panic!("{result:?}"),
        };
        let expected = ["succeeded", "failed", "deferred"][usize::try_from(run % 3).unwrap()];
        assert_eq!(outcome, expected, "run {run}");
    }
    on.assert_one_of_each(40).await;
    assert_eq!(on.number_of("reconciler.watch_list").await, 20);
}
