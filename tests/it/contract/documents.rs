//! JSON columns: whatever they hold, it is still there afterwards.

use std::collections::BTreeMap;

use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::support::case::{Case, restore_of};
use crate::support::settled::{committed, deferred, reason};
use crate::support::store::{Columns, Fixture, on_all, with};

on_all!(
    an_empty_map_is_a_map_however_php_wrote_it,
    a_context_that_is_no_map_is_left_alone,
    every_other_key_of_a_context_is_untouched,
    counts_are_merged_into_maps_only,
    a_failure_summary_gains_one_entry_and_stops_at_twenty,
    metadata_that_is_no_map_proves_nothing,
    text_that_jsonb_refuses_harms_nobody
);

type Raw = BTreeMap<String, Box<RawValue>>;

fn raw(text: Option<&String>) -> Raw {
    serde_json::from_str(text.expect("a document")).expect("a map")
}

fn value(text: Option<&String>) -> Value {
    serde_json::from_str(text.expect("a document")).expect("JSON")
}

fn raw_text(map: &Raw) -> BTreeMap<&str, &str> {
    let texts = map.iter().map(|(key, value)| (key.as_str(), value.get()));
    texts.collect()
}

/// One case per text, with ids from 1.
fn cases(texts: &[Option<&str>], set: impl Fn(&mut Case, Option<String>)) -> Vec<Case> {
    let cases = texts.iter().zip(1..).map(|(text, id)| {
        let text = text.map(str::to_owned);
        with(Case::proven(id), |case| set(case, text))
    });
    cases.collect()
}

async fn runs_below(on: &Fixture, id: i64) -> Vec<Columns> {
    let runs = format!("SELECT * FROM operation_runs WHERE id < {id} ORDER BY id");
    on.rows(&runs).await
}

async fn an_empty_map_is_a_map_however_php_wrote_it(on: Fixture) {
    let empty = [None, Some("[]"), Some("{}"), Some("null")];
    let cases = cases(&empty, |case, text| {
        // Nothing names the restore, so the restore has to point at the run.
        case.run.context.clone_from(&text);
        case.run.summary_counts.clone_from(&text);
        case.run.failure_summary.clone_from(&text);
        case.restore.metadata = text;
        case.restore.status = "failed".to_owned();
    });
    on.plant(cases).await;
    for run in 1..=4 {
        let written = on.verdict(run).await;
        let context = raw(written.run["context"].as_ref());
        assert_eq!(context.keys().collect::<Vec<_>>(), ["reconciliation"]);
        assert_eq!(value(written.run["summary_counts"].as_ref())["total"], 2);
        let failures = value(written.run["failure_summary"].as_ref());
        assert_eq!(failures[0]["code"], "restore.execution_failed");
        assert_eq!(failures.as_array().unwrap().len(), 1);
    }
}

async fn a_context_that_is_no_map_is_left_alone(on: Fixture) {
    let deep = "[".repeat(70) + &"]".repeat(70);
    let deep = format!(r#"{{"restore_run_id":1000006,"deep":{deep}}}"#);
    let odd = [r#"["a"]"#, r#""text""#, "12", "true", "[[]]", &deep].map(Some);
    on.plant(cases(&odd, |case, text| case.run.context = text))
        .await;
    on.plant([Case::proven(99)]).await;
    let before = runs_below(&on, 99).await;
    let results = on.settle(&[1, 2, 3, 4, 5, 6, 99]).await;
    on.assert_deferred(1..=6, "run.context_malformed").await;
    assert_eq!(before, runs_below(&on, 99).await);
    committed(&results[&99]);
}

async fn every_other_key_of_a_context_is_untouched(on: Fixture) {
    let context = r#"{
        "z": 12345678901234567890.10, "tiny": 1e-30, "zero": 0, "minus": -0.50,
        "restore_run_id": "1000001",
        "null": null, "nested": {"null": null, "list": [null, {}, [], "", {"a": null}]},
        "text": "é ☃ \ud83d\ude00 \"quoted\" back\\slash \\u0000 line\nbreak \/ <&>",
        "": "an empty key", "reconciliation": {"from": "somebody else", "n": 12345678901234567890.10},
        "a\"b": 1, "été": [1, 2, 3], "selection": {"policies": [ 1 , 2 ]}
    }"#;
    on.plant([Case::proven(1).with_context(Some(context))])
        .await;
    let before = raw(on.run(1).await["context"].as_ref());
    let written = on.verdict(1).await;
    let mut after = raw(written.run["context"].as_ref());
    let ours = after.remove("reconciliation").unwrap();
    assert!(ours.get().contains("restore.proof_complete"));
    let mut expected = raw_text(&before);
    // Ours to set; what stood there before is kept below it.
    let theirs = expected.remove("reconciliation").unwrap();
    let ours = raw(Some(&ours.get().to_owned()));
    assert_eq!(ours["superseded"].get(), theirs);
    assert_eq!(raw_text(&after), expected);
    assert_eq!(after["z"].get(), "12345678901234567890.10");
}

async fn counts_are_merged_into_maps_only(on: Fixture) {
    let map = r#"{"total": 9, "custom": 12345678901234567890.10, "nested": {"a": null}}"#;
    let held = [map, "[1]", r#""text""#, "7"].map(Some);
    let cases = cases(&held, |case, text| case.run.summary_counts = text);
    on.plant(cases).await;
    let merged = on.verdict(1).await.run["summary_counts"].clone();
    let merged = raw(merged.as_ref());
    assert_eq!(merged["total"].get(), "2");
    assert_eq!(merged["custom"].get(), "12345678901234567890.10");
    let nested = merged["nested"].get().to_owned();
    assert_eq!(value(Some(&nested)), json!({"a": null}));
    for run in [2, 3, 4] {
        let before = on.run(run).await["summary_counts"].clone();
        let written = on.verdict(run).await;
        assert_eq!(written.run["summary_counts"], before, "run {run}");
        assert_eq!(written.reason(), "restore.proof_complete", "run {run}");
    }
}

async fn a_failure_summary_gains_one_entry_and_stops_at_twenty(on: Fixture) {
    let entries = |count: usize| {
        let entry = r#"{"code":"x","message":"é","n":12345678901234567890.10,"none":null}"#;
        format!("[{}]", vec![entry; count].join(","))
    };
    let lists = [1, 19, 20].map(entries);
    let no_lists = [r#"{"code":"x"}"#, r#""text""#, "7"];
    let held = lists.iter().map(String::as_str).chain(no_lists);
    let held: Vec<_> = held.map(Some).collect();
    let cases = cases(&held, |case, text| {
        case.run.failure_summary = text;
        case.restore.status = "failed".to_owned();
    });
    on.plant(cases).await;
    for (run, length) in [(1, 2), (2, 20), (3, 20)] {
        let before = on.run(run).await;
        let after = on.verdict(run).await.run;
        let [before, after] = [before, after].map(|row| -> Vec<Box<RawValue>> {
            serde_json::from_str(row["failure_summary"].as_deref().unwrap()).unwrap()
        });
        assert_eq!(after.len(), length, "run {run}");
        for (before, after) in before.iter().zip(&after) {
            assert_eq!(before.get(), after.get(), "run {run}");
        }
    }
    for run in [4, 5, 6] {
        let before = on.run(run).await["failure_summary"].clone();
        let after = on.verdict(run).await.run["failure_summary"].clone();
        assert_eq!(before, after, "run {run}");
    }
}

async fn metadata_that_is_no_map_proves_nothing(on: Fixture) {
    let odd = [r#""text""#, "[1]", "7"].map(Some);
    let held = [[None, Some("[]"), Some("{}")], odd].concat();
    on.plant(cases(&held, |case, text| case.restore.metadata = text))
        .await;
    on.assert_judged(1..=3, "restore.proof_complete").await;
    on.assert_judged(4..=6, "restore.counts_conflict").await;
}

/// What `json` and SQLite's text keep and `jsonb` would refuse: one such row must not cost the batch
/// its verdicts, and none of it may be lost.
async fn text_that_jsonb_refuses_harms_nobody(on: Fixture) {
    if !on.is_sqlite() {
        on.execute(
            "ALTER TABLE operation_runs ALTER context TYPE json, ALTER failure_summary TYPE json,
             ALTER summary_counts TYPE json",
        )
        .await;
    }
    let named = |more: &str| format!(r#"{{"restore_run_id":1000001,{more}}}"#);
    let mut refused = vec![
        named(r#""nul":"\u0000""#),
        named(r#""twice":1,"twice":2"#),
        named(r#""inner":{"twice":1,"twice":2}"#),
        named(r#""half":"\ud800""#),
        named(r#""half":"\udc00 text""#),
        named(r#""\u0000":1"#),
        named(r#""huge":1e999"#),
    ];
    if on.is_sqlite() {
        refused.push("{not json".to_owned());
        refused.push(String::new());
    }
    let count = i64::try_from(refused.len()).unwrap();
    let texts: Vec<Option<&str>> = refused.iter().map(|text| Some(text.as_str())).collect();
    let mut planted = cases(&texts, |case, text| case.run.context = text);
    // A good context, and one of the other columns spoilt.
    let mut spoilt = Case::failed(101);
    spoilt.run.failure_summary = Some(r#"[{"code":"x","message":"\u0000"}]"#.to_owned());
    spoilt.run.summary_counts = Some(r#"{"total":1,"total":2}"#.to_owned());
    planted.extend([spoilt, Case::proven(102)]);
    let runs: Vec<i64> = planted.iter().map(|case| case.run.id).collect();
    on.plant(planted).await;
    if on.is_sqlite() {
        on.execute(
            "UPDATE operation_runs SET context = CAST(x'7b2261223a22ff227d' AS TEXT) WHERE id = 1",
        )
        .await;
    }
    let before = runs_below(&on, 102).await;

    let results = on.settle(&runs).await;
    for run in 1..=count {
        let (assessment, _) = deferred(&results[&run]);
        assert_eq!(reason(assessment), "run.context_malformed", "run {run}");
    }
    on.assert_one_of_each(2).await;
    let after = runs_below(&on, 102).await;
    let last = before.len() - 1;
    assert_eq!(before[..last], after[..last]);
    for column in ["failure_summary", "summary_counts"] {
        assert_eq!(before[last][column], after[last][column], "{column}");
    }
    assert_eq!(restore_of(1), 1_000_001, "the contexts above name it");
}
