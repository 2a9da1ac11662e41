//! Questions to the record: what would have been said at an earlier moment, and by another policy.

use std::fs;

use reconciler_fixtures::Case;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::ledger::{document, filled, tamper};
use super::stage::{assert_says, run};
use crate::support::case::FOREIGN;
use crate::support::store::{Fixture, moved, on_both};

on_both!(
    a_run_is_told_as_it_was_known_then,
    what_another_policy_would_have_said_is_counted_and_not_guessed,
);

async fn a_run_is_told_as_it_was_known_then(on: Fixture) {
    let mut open = Case::proven(2);
    open.snapshots.clear();
    on.plant([Case::proven(1), open]).await;
    on.settle(&[1]).await;
    let before = on.fingerprint().await;
    assert_says(
        &on.url,
        "explain 1 --at 2025-03-01T09:59:59Z ⇒ 11 | There was no such run then. | Dated later | Operation  created
         explain 1 --at 2025-03-01T10:00:05Z ⇒ 11 | From the facts that its verdict recorded later | restore.in_progress | taken as queued
         explain 1 --at 2025-03-01T10:01:00Z ⇒ 11 | restore.in_progress | - What the restore had done by then
         explain 1 --at 2025-03-01T10:05:30Z ⇒ 11 | restore.settling | Dated by then | Audit | Dated later | snapshot 2000001 captured
         explain 1 --at 2025-03-01T10:06:30Z ⇒ 0 | Decision then: succeeded | Dated later | Verdict    succeeded
         explain 1 --at 0s ⇒ 0 | The verdict on record had been reached by then.
         explain 2 --at 2025-03-01T10:05:30Z ⇒ 11 | From the platform's rows as they are now | restore.settling
         explain 2 --at 2025-03-01T11:00:00Z ⇒ 10 | Decision then: partially_succeeded | restore.evidence_missing
         explain 2 --at 2999-01-01T00:00:00Z ⇒ 1 ! lies in the future ! Ask for a moment that has passed
         explain 9 --at 1h ⇒ 1 ! run 9 does not exist
         explain --reason restore.settling --at 1h ⇒ 2 ! cannot be used with",
    );
    let asked = ["explain", "1", "--at", "2025-03-01T10:05:30Z", "-o", "json"];
    let said = document(&run(&on.url, &asked).exits(11));
    assert_eq!(said["command"], "explain_at");
    assert_eq!(said["basis"], "recorded_facts");
    assert_eq!(said["result"]["state"], "deferred");
    assert_eq!(
        said["not_recorded"],
        json!(["run_texts", "other_restores", "evidence", "restore_row"])
    );
    let events = said["timeline"].as_array().expect("a timeline");
    let dated = events.iter().filter(|event| event["dated_by_then"] == true);
    assert_eq!((dated.count(), events.len()), (6, 8), "{said}");
    assert_eq!(on.fingerprint().await, before, "nothing was written");
}

/// Verdicts of one kind each, and one of another workspace.
async fn judge(on: &Fixture) {
    let mut older = Case::proven(2);
    older.snapshots[0].generated_at = Some("2025-03-01T10:04:30Z".to_owned());
    let mut merged = Case::proven(3);
    merged.request(
        [(7, "applied"), (8, "merged")].map(|(item, word)| (item, json!({ "status": word }))),
    );
    merged.restore.metadata = None;
    let elsewhere = moved(Case::failed(5), FOREIGN);
    on.plant([Case::proven(1), older, merged, Case::failed(4), elsewhere])
        .await;
    on.settle(&[1, 2, 3, 4, 5]).await;
    assert_eq!(on.number_of("reconciler.ledger").await, 5);
}

async fn what_another_policy_would_have_said_is_counted_and_not_guessed(on: Fixture) {
    judge(&on).await;
    let before = on.fingerprint().await;
    let directory = TempDir::new().expect("a directory");
    let simulated = |rules: &str, more: &[&str]| -> Value {
        let file = directory.path().join("policy.toml");
        fs::write(&file, format!("[rules]\n{rules}\n")).expect("a file");
        let file = file.to_str().expect("UTF-8");
        let asked = [
            &["ledger", "simulate", "--policy", file, "-o", "json"],
            more,
        ]
        .concat();
        document(&run(&on.url, &asked).exits(0))
    };
    let counts = |said: &Value| {
        [
            "entries",
            "same",
            "changed",
            "not_recorded",
            "erased",
            "unsound",
        ]
        .map(|name| said[name].as_u64().expect("a number"))
    };
    for (rules, more, expected) in [
        ("", &[][..], [5, 5, 0, 0, 0, 0]),
        ("evidence_skew_max = \"1m\"", &[], [5, 4, 1, 0, 0, 0]),
        ("applied_words = [\"merged\"]", &[], [5, 4, 1, 0, 0, 0]),
        (
            "applied_words = [\"merged\"]",
            &["--workspace", "2"],
            [1, 1, 0, 0, 0, 0],
        ),
        (
            "applied_words = [\"merged\"]",
            &["--since", "2999-01-01T00:00:00Z"],
            [0; 6],
        ),
        // What failed has failed, whatever else the audit log says.
        (
            "audit_actions = [\"restore.ended\"]",
            &[],
            [5, 3, 0, 2, 0, 0],
        ),
        ("", &["--ruleset", "restore.execute/1"], [5, 0, 0, 5, 0, 0]),
    ] {
        let said = simulated(rules, more);
        assert_eq!(counts(&said), expected, "{rules} {more:?}: {said}");
    }
    let said = simulated("applied_words = [\"merged\"]", &[]);
    let change = json!({"from": "partially_succeeded", "to": "succeeded", "verdicts": 1});
    assert_eq!(said["outcomes"], json!([change]), "{said}");
    assert_eq!(said["changes"][0]["examples"][0]["run"], 3, "{said}");
    assert_eq!(
        said["changes"][0]["from"]["reason"],
        "restore.items_unrecognised"
    );
    assert_eq!(
        said["workspaces"],
        json!([{"workspace": 1, "verdicts": 4, "changed": 1}])
    );
    let missing = simulated("audit_actions = [\"restore.ended\"]", &[]);
    assert_eq!(missing["reasons_not_recorded"][0]["what"], "audit_entries");
    assert_eq!(on.fingerprint().await, before, "nothing was written");
    assert_says(
        &on.url,
        "ledger simulate ⇒ 0 | Asked: 5 verdicts, each as of the moment at which it was reached | 5 would have had the same outcome and reason
         ledger simulate --policy /nowhere.toml ⇒ 1 ! /nowhere.toml ! --policy
         ledger simulate --ruleset restore.execute/9 ⇒ 2 ! restore.execute/9",
    );
    let altered = "UPDATE reconciler.ledger SET outcome = 'succeeded' WHERE operation_run_id = RUN";
    let named = run(
        &on.url,
        &[
            "ledger",
            "simulate",
            "--policy",
            directory
                .path()
                .join("policy.toml")
                .to_str()
                .expect("UTF-8"),
        ],
    );
    named
        .exits(0)
        .says(&[], &["asked with audit_actions = [", "is in force"]);
    assert_eq!(missing["rules"]["evidence_skew_max"], "0s");
    tamper(&on, &filled(&on, altered, 4)).await;
    let said = simulated("evidence_skew_max = \"1m\"", &[]);
    assert_eq!(counts(&said), [5, 3, 1, 0, 0, 1], "{said}");
}
