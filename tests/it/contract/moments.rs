//! Moments and words that a column may hold although nobody meant it to.

use restore_reconciler::internals::storage::{Access, Limits, connect};

use crate::support::case::{Case, ENDED, STARTED};
use crate::support::roles::Purpose;
use crate::support::settled::{assessed, reason, settle, settling};
use crate::support::store::{Fixture, moment, on_all, with};

on_all!(
    odd_moments_are_gaps_where_they_matter,
    odd_words_are_known_by_no_rule
);

type Set = fn(&mut Case, String);

const PROOF: &str = "restore.proof_complete";
const PREDATES: &str = "restore.evidence_predates_restore";
const EXPIRED: &str = "restore.evidence_expired";
const NO_AUDIT: &str = "restore.audit_missing";

/// Which column is spoilt, and the reason while it holds no moment at all.
const COLUMNS: [(&str, Set); 8] = [
    (PROOF, |case, text| case.run.created_at = Some(text)),
    (PROOF, |case, text| case.run.started_at = Some(text)),
    (PROOF, |case, text| case.restore.created_at = Some(text)),
    (NO_AUDIT, |case, text| case.restore.started_at = Some(text)),
    (PREDATES, ENDED_AT),
    (NO_AUDIT, RECORDED_AT),
    (PREDATES, |case, text| {
        case.snapshots[0].generated_at = Some(text);
    }),
    (EXPIRED, EXPIRES_AT),
];

const ENDED_AT: Set = |case, text| case.restore.completed_at = Some(text);
const RECORDED_AT: Set = |case, text| case.audits[0].recorded_at = text;
const EXPIRES_AT: Set = |case, text| case.snapshots[0].expires_at = Some(text);

async fn odd_moments_are_gaps_where_they_matter(on: Fixture) {
    let odd = [
        "infinity",
        "-infinity",
        "1969-12-31T23:59:59Z",
        "0001-01-01T00:00:00Z",
    ];
    let mut expected = Vec::new();
    let mut cases = Vec::new();
    for (reason, set) in COLUMNS {
        for text in odd {
            let id = i64::try_from(cases.len()).unwrap() + 1;
            cases.push(with(Case::proven(id), |case| set(case, text.to_owned())));
            // SQLite has no infinity: there it is a text that is no moment.
            let is_far = text == "infinity" && reason == EXPIRED && !on.is_sqlite();
            expected.push((id, if is_far { PROOF } else { reason }));
        }
    }
    let far = [
        (PREDATES, ENDED_AT),
        (NO_AUDIT, RECORDED_AT),
        (PROOF, EXPIRES_AT),
    ];
    for (id, (reason, set)) in (101..).zip(far) {
        let far = "9999-06-01T00:00:00Z".to_owned();
        cases.push(with(Case::proven(id), |case| set(case, far)));
        expected.push((id, reason));
    }
    on.plant(cases).await;
    let started =
        "SELECT id, started_at FROM operation_runs WHERE started_at IS NOT NULL ORDER BY id";
    let before = on.rows(started).await;
    on.assert_verdicts(&expected).await;
    let verdicts = i64::try_from(expected.len()).unwrap();
    on.assert_one_of_each(verdicts).await;
    for row in before {
        let id = row["id"].clone().unwrap();
        let started = on.run(id.parse().unwrap()).await["started_at"].clone();
        assert_eq!(started, row["started_at"], "run {id} keeps its odd start");
    }
}

async fn odd_words_are_known_by_no_rule(on: Fixture) {
    let mut cases: Vec<Case> = (1..=6).map(Case::proven).collect();
    cases[0].restore.status = "Completed".to_owned();
    cases[1].restore.status = "completed ".to_owned();
    cases[2].run.outcome = "Pending".to_owned();
    cases[3].audits[0].status = " success".to_owned();
    cases[3].audits[0].outcome = None;
    cases[4].audits[0].action = "Restore.Completed".to_owned();
    cases[5].snapshots[0].completeness_state = "Complete".to_owned();
    on.plant(cases).await;
    if on.is_sqlite() {
        // Text that is no UTF-8 is one more odd word.
        on.plant((7..=12).map(Case::proven)).await;
        on.execute(
            "UPDATE restore_runs SET status = CAST(x'ff' AS TEXT) WHERE operation_run_id = 7;
             UPDATE operation_runs SET outcome = CAST(x'ff' AS TEXT) WHERE id = 8;
             UPDATE audit_logs SET status = CAST(x'ff' AS TEXT), outcome = NULL WHERE resource_id = '1000009';
             UPDATE evidence_snapshots SET completeness_state = CAST(x'ff' AS TEXT)
                 WHERE operation_run_id = 10;
             UPDATE restore_runs SET failure_reason = CAST(x'ff' AS TEXT) WHERE operation_run_id = 11;
             UPDATE evidence_snapshots SET status = CAST(x'ff' AS TEXT) WHERE operation_run_id = 12;",
        )
        .await;
    }
    let last = if on.is_sqlite() { 12 } else { 6 };
    let runs: Vec<i64> = (1..=last).collect();
    let results = on.settle(&runs).await;
    let expected = [
        "restore.status_unknown",
        "restore.status_unknown",
        PROOF,
        "restore.audit_contradicts",
        NO_AUDIT,
        "restore.evidence_incomplete",
        "restore.status_unknown",
        PROOF,
        "restore.audit_contradicts",
        "restore.evidence_incomplete",
        "restore.failure_recorded",
        "restore.evidence_not_current",
    ];
    for (run, expected) in runs.iter().zip(expected) {
        assert_eq!(reason(assessed(&results[run])), expected, "run {run}");
    }
}

/// A pooler may hand out a session in any time zone. The platform's columns hold UTC all the same.
#[tokio::test]
async fn the_time_zone_of_a_session_does_not_matter() {
    for on in [Fixture::postgres().await, Fixture::postgres_variant().await] {
        on.plant([Case::failed(1)]).await;
        let limits = Limits {
            connections_max: 1,
            ..Limits::default()
        };
        let elsewhere = format!(
            "{}&options[TimeZone]=Asia/Kolkata",
            on.url_of(Purpose::Worker)
        );
        let store = connect(&elsewhere, Access::Write, &limits).await.unwrap();
        let before = store.now().await.unwrap();
        settle(&store, &[1], &settling()).await;
        let run = on.run(1).await;
        for (column, expected) in [("started_at", STARTED), ("completed_at", ENDED)] {
            let found = moment(run[column].as_ref());
            assert_eq!(found, Some(expected.parse().unwrap()), "{column}");
        }
        let audit = "SELECT recorded_at FROM audit_logs WHERE resource_type = 'operation_run'";
        let recorded = on.value(audit).await;
        for written in [run["updated_at"].as_ref(), recorded.as_ref()] {
            let off = moment(written).unwrap().duration_since(before).as_secs();
            assert!(off.abs() <= 60, "{off} s from the database's clock");
        }
    }
}
