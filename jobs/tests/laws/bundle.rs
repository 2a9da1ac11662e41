//! The bundle that the benches judge: one proven restore of twenty items, as the platform writes it.

use crate::support::{Case, at, audit, json};

const ITEMS: usize = 20;

const TYPES: [&str; 4] = [
    "deviceConfiguration",
    "deviceCompliancePolicy",
    "settingsCatalogPolicy",
    "conditionalAccessPolicy",
];

/// Twenty items of which every fourth has assignments, counters that agree, one audit entry, one snapshot.
pub(crate) fn bundle() -> Case {
    let mut case = Case::proven();
    case.run.context = json(
        r#"{"restore_run_id":7,"backup_set_id":41,"initiator":{"id":12,"source":"ui"},"target_scope":{"workspace_id":1,"managed_environment_id":2},"execution_legitimacy":{"reason_code":null}}"#,
    );
    case.run.summary_counts = json(r#"{"queued_items":20}"#);
    let ids: Vec<_> = (0..ITEMS).map(|item| (501 + item).to_string()).collect();
    let items: Vec<_> = ids.iter().enumerate().map(item).collect();
    case.restore.requested_items = json(&format!("[{}]", ids.join(",")));
    case.restore.results = json(&format!(
        r#"{{"foundations":[{{"type":"assignmentFilter","sourceId":"filter-7f3a","targetId":"filter-91bc","decision":"created","reason":null}}],"items":{{{}}}}}"#,
        items.join(",")
    ));
    case.restore.metadata = json(
        r#"{"total":20,"succeeded":20,"failed":0,"skipped":0,"partial":0,"non_applied":0,"foundations_skipped":0,"blocked_reason":null}"#,
    );
    let mut recorded = audit(900, "restore.completed", "11:31:00");
    recorded.status = Some("success".to_owned());
    recorded.outcome = Some("success".to_owned());
    case.audits = vec![recorded];
    case.snapshots[0].expires_at = at("23:59:59");
    case
}

fn item((position, id): (usize, &String)) -> String {
    let policy_type = TYPES[position % TYPES.len()];
    let assignments = if position % 4 == 0 {
        r#","assignment_outcomes":[{"status":"success","group_id":"grp-31"}],"assignment_summary":{"total":1,"success":1}"#
    } else {
        ""
    };
    format!(
        r#""{id}":{{"status":"applied","action":"updated","policy_type":"{policy_type}","policy_id":"pol-{id}","name":"Baseline {id}","platform":"windows10"{assignments}}}"#
    )
}

/// The benches' numbers are compared over years, so what they measure must not drift.
#[test]
fn the_benches_judge_a_proven_restore_of_twenty_items() {
    let case = bundle();
    let facts = case.facts();
    let items = &facts.restore.as_ref().unwrap().items;
    assert_eq!((items.items.applied, items.items.total()), (20, 20));
    assert_eq!((items.assignments.applied, facts.audits.len()), (5, 1));
    let reconciler_jobs::json::Column::Bytes(results) = &case.restore.results else {
        panic!("no results");
    };
    assert!((3_000..4_000).contains(&results.len()), "{}", results.len());
    let line = crate::support::line(&case.decide());
    assert_eq!(line, "succeeded restore.proof_complete");
}
