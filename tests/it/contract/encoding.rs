//! A database whose encoding does not have every character: what was written as an escape stays one.

use restore_reconciler::internals::doctor::{self, Level};

use crate::support::case::Case;
use crate::support::cluster;
use crate::support::settled::refused;
use crate::support::store::{Fixture, with};

const LATIN1: &str = "ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'";

/// With a context of this type, and the rows' other documents as the stand-in has them.
async fn latin1(context: &str) -> Fixture {
    let on = Fixture::in_database(cluster::database_with("template0", LATIN1).await).await;
    on.furnish().await;
    let failed = with(Case::failed(2), |case| case.run.context = None);
    on.plant([Case::proven(1), failed]).await;
    on.execute(&format!(
        "ALTER TABLE operation_runs ALTER context TYPE {context} USING context::{context},
             ALTER summary_counts TYPE json USING summary_counts::json,
             ALTER failure_summary TYPE json USING failure_summary::json"
    ))
    .await;
    on
}

/// A key, a value and a value below one, each of a character that LATIN1 does not have, and one that it has.
const ESCAPED: &str = r#"{"\u2603":"\u2603","below":{"\u2603":["\ud83d\ude00"]},"\u00e9":"é"}"#;

#[tokio::test]
async fn escapes_for_characters_that_a_database_lacks_stay_escapes_and_get_a_verdict() {
    for context in ["json", "text"] {
        let on = latin1(context).await;
        on.execute(&format!("UPDATE operation_runs SET context = '{ESCAPED}'"))
            .await;
        on.execute(r#"UPDATE operation_runs SET summary_counts = '{"\u2603":1}', failure_summary = '[{"message":"\u2603"}]'"#)
            .await;
        on.execute(r#"UPDATE restore_runs SET metadata = '{"\u2603":"\u2603"}' WHERE operation_run_id = 2"#)
            .await;
        for run in [1, 2] {
            let written = on.verdict(run).await;
            let stored = written.run["context"].as_deref().expect("a context");
            for kept in [
                r#""\u2603":"\u2603""#,
                r#""below":{"\u2603":["\ud83d\ude00"]}"#,
                r#""\u00e9":"é""#,
                r#""reconciliation":{"#,
            ] {
                assert!(stored.contains(kept), "{kept} in {stored}");
            }
            let left = r#"[{"message":"\u2603"}]"#;
            assert_eq!(written.run["failure_summary"].as_deref(), Some(left));
        }
        assert_eq!(on.number_of("reconciler.watch_list").await, 0);
    }
}

/// What the encoding has is written where it always is.
#[tokio::test]
async fn what_a_small_encoding_has_is_merged_as_ever() {
    let on = latin1("jsonb").await;
    on.execute(
        r#"UPDATE operation_runs SET context = '{"é":1}', failure_summary = '[{"message":"é"}]'"#,
    )
    .await;
    let written = on.verdict(2).await;
    let failures = written.run["failure_summary"].as_deref().expect("a list");
    assert!(
        failures.contains("restore.") && failures.contains('é'),
        "{failures}"
    );
    let context = written.run["context"].as_deref().expect("a context");
    assert!(context.contains(r#""é": 1"#), "{context}");
}

/// What the database says of a refusal is kept, however long it is.
#[tokio::test]
async fn a_long_refusal_is_remembered_in_a_small_encoding() {
    let on = latin1("json").await;
    on.execute(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN RAISE EXCEPTION '%', repeat('no ', 400); END $$;
         CREATE TRIGGER refuse BEFORE INSERT ON audit_logs FOR EACH ROW EXECUTE FUNCTION refuse()",
    )
    .await;
    let result = on.settle_one(2).await;
    let (watch, error) = refused(&result);
    assert!(watch.is_some() && error.contains("no no"), "{error}");
    let kept = on.value("SELECT error FROM reconciler.watch_list").await;
    assert!(kept.is_some_and(|kept| kept.ends_with("... (SQLSTATE P0001)")));
}

#[tokio::test]
async fn a_doctor_names_the_encoding() {
    for (on, level, name) in [
        (latin1("json").await, Level::Advice, "LATIN1"),
        (Fixture::postgres().await, Level::Good, "UTF8"),
    ] {
        let examined = doctor::examine(&on.store, None).await.expect("an answer");
        let mut checks = examined.checks.into_iter();
        let check = checks
            .find(|check| check.subject == "encoding")
            .expect("a check");
        assert_eq!(check.level, level);
        assert!(check.finding.contains(name), "{check:?}");
    }
}
