//! The demonstration, on both databases: every reason code, nothing foreign, and a second pass that
//! changes nothing.

use std::collections::BTreeSet;
use std::time::Duration;

use reconciler_fixtures::{HIDDEN_IDS, Standin, policy};
use reconciler_jobs::ids::RunId;
use reconciler_jobs::reading::now::{Change, Now};
use reconciler_jobs::restore_execute::review::Standing;
use reconciler_jobs::restore_execute::{Decision, ReasonCode};
use restore_reconciler::internals::demo::{
    self, DemoError, DemoOptions, DemoProgress, DemoReport, Phase, QueueReport, ThroughQueue,
};
use restore_reconciler::internals::storage::Tally;
use restore_reconciler::internals::storage::reader::{RunFilter, Workspaces};
use serde_json::Value;

use crate::support::roles::Purpose;
use crate::support::scene::text_of;
use crate::support::store::{Fixture, on_both_empty, open_as};

on_both_empty!(
    every_scenario_comes_out_as_the_rulebook_demands,
    scenes_stand_beside_the_scenarios,
    the_queue_comes_to_the_same_as_a_sweep,
    a_job_that_nobody_finishes_ends_the_wait_and_is_told,
);

async fn demonstrate(
    on: &Fixture,
    options: &DemoOptions,
) -> Result<(DemoReport, Vec<DemoProgress>), DemoError> {
    let mut said = Vec::new();
    let says = |progress| said.push(progress);
    // Whose database it is: a demonstration makes everything that it needs.
    let store = open_as(Purpose::Owner, &on.url).await;
    let standin = Standin::new(&on.url_of(Purpose::Owner)).expect("a URL");
    let report = demo::run(&store, &standin, options, says).await?;
    Ok((report, said))
}

/// With so many generated runs beside the scenarios.
fn with_runs(runs: u64) -> DemoOptions {
    DemoOptions {
        runs,
        ..DemoOptions::default()
    }
}

/// A query's columns `run` and `text`.
async fn texts(on: &Fixture, query: &str) -> Vec<(i64, String)> {
    let rows = on.rows(query).await;
    let texts = rows.iter().map(|row| {
        let run = text_of(row, "run").parse().expect("an id");
        (run, text_of(row, "text").to_owned())
    });
    texts.collect()
}

/// Everything that verdicts wrote: three texts per verdict, each a JSON document.
async fn written(on: &Fixture) -> [Vec<(i64, String)>; 3] {
    let reconciliations = on.either(
        "SELECT id AS run, context ->> '$.reconciliation' AS text FROM operation_runs
         WHERE status = 'completed' AND context ->> '$.reconciliation' IS NOT NULL",
        "SELECT id AS run, context ->> 'reconciliation' AS text FROM operation_runs
         WHERE status = 'completed' AND jsonb_typeof(context) = 'object' AND context ? 'reconciliation'",
    );
    let audits = on.either(
        "SELECT resource_id AS run, json_array(json(metadata), summary, resource_id) AS text
         FROM audit_logs WHERE action = 'operation_run.reconciled'",
        "SELECT resource_id AS run, jsonb_build_array(metadata, summary, resource_id) AS text
         FROM audit_logs WHERE action = 'operation_run.reconciled'",
    );
    let ledger = "SELECT operation_run_id AS run, '[' || coalesce(facts, 'null') || ',' || decision || ',' || workspace_id || ']' AS text
         FROM reconciler.verdicts";
    [
        texts(on, reconciliations).await,
        texts(on, audits).await,
        texts(on, ledger).await,
    ]
}

fn assert_as_expected(report: &DemoReport) {
    for scenario in &report.scenarios {
        assert!(scenario.as_expected, "{scenario:#?}");
    }
    let volume = report.volume.as_ref();
    assert_eq!(volume.map_or(0, |volume| volume.unexpected), 0);
    assert!(report.unchanged);
    assert!(report.is_as_expected());
    let (first, second) = (&report.first, &report.second);
    assert_eq!(first.swept.passed_over, 0);
    assert_eq!(first.swept.refused, 1);
    assert_eq!(second.swept.looked_at(), 0, "nothing is due any more");
    assert_eq!(second.by_command, first.by_command);
}

fn assert_every_code_is_a_primary_reason(report: &DemoReport) {
    let seen = report.scenarios.iter().filter_map(|it| it.reason_code);
    let seen: BTreeSet<_> = seen.collect();
    let never = ReasonCode::ALL.iter().filter(|code| !seen.contains(code));
    let never: Vec<_> = never.collect();
    assert!(never.is_empty(), "{never:?}");
}

/// One entry of each kind per verdict, and none for any other run.
async fn assert_written_once(on: &Fixture, report: &DemoReport) {
    let first = &report.first.swept;
    let verdicts = first.succeeded + first.partially_succeeded + first.blocked + first.failed;
    let written = written(on).await.map(|rows| {
        assert_eq!(rows.len() as u64, verdicts);
        let runs = rows.into_iter().map(|(run, _)| run);
        runs.collect::<BTreeSet<i64>>()
    });
    let [reconciled, audited, recorded] = &written;
    assert_eq!(recorded.len() as u64, verdicts, "one row per run");
    assert_eq!([reconciled, audited], [recorded; 2], "for the same runs");
    for scenario in &report.scenarios {
        let is_written = recorded.contains(&scenario.run.0);
        let is_verdict = scenario.decision.is_verdict();
        assert_eq!(is_written, is_verdict, "{}", scenario.name);
    }
}

async fn assert_nothing_foreign_is_mentioned(on: &Fixture) {
    let mut numbers = 0;
    for (run, text) in written(on).await.iter().flatten() {
        let document: Value = serde_json::from_str(text).unwrap();
        each_number(&document, &mut |number| {
            assert!(number < HIDDEN_IDS, "run {run} mentions {number}: {text}");
            numbers += 1;
        });
    }
    assert!(numbers > 1_000, "the texts were not looked into");
}

fn each_number(value: &Value, visit: &mut impl FnMut(i64)) {
    match value {
        Value::Number(number) => visit(number.as_i64().expect("ids and counts are integers")),
        Value::String(text) => {
            if let Ok(number) = text.parse() {
                visit(number);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| each_number(item, visit)),
        Value::Object(entries) => {
            for (key, item) in entries {
                each_number(&Value::from(key.as_str()), visit);
                each_number(item, visit);
            }
        }
        Value::Null | Value::Bool(_) => {}
    }
}

/// Phases follow each other, and each one counts up to its end.
fn assert_progress_is_usable(said: &[DemoProgress]) {
    assert!(said.is_sorted_by_key(|progress| (progress.phase, progress.done)));
    for phase in [Phase::Planting, Phase::FirstPass, Phase::Reading] {
        let last = said.iter().rfind(|progress| progress.phase == phase);
        let last = last.unwrap();
        assert!(last.total > 0);
        assert_eq!(last.done, last.total, "{phase:?}");
    }
}

async fn every_scenario_comes_out_as_the_rulebook_demands(on: Fixture) {
    let (report, said) = demonstrate(&on, &with_runs(0)).await.unwrap();
    assert_as_expected(&report);
    assert_every_code_is_a_primary_reason(&report);
    assert_written_once(&on, &report).await;
    assert_nothing_foreign_is_mentioned(&on).await;
    assert_progress_is_usable(&said);

    let before = on.standin.fingerprint().await.unwrap();
    let again = demonstrate(&on, &with_runs(0)).await;
    assert!(matches!(again, Err(DemoError::PlatformPresent)));
    assert_eq!(on.standin.fingerprint().await.unwrap(), before);
}

/// How what would be said now relates to each recorded verdict.
async fn changes_since(on: &Fixture) -> BTreeSet<Change> {
    let mut changes = BTreeSet::new();
    let [.., ledger] = written(on).await;
    let store = open_as(Purpose::Owner, &on.url).await;
    for (run, _) in ledger {
        let run = RunId(run);
        let reader = store.reader();
        let (all, policy) = (&Workspaces::All, policy());
        let verdict = reader.load_verdict(all, run).await.unwrap().unwrap();
        let recorded: Decision = serde_json::from_str(&verdict.decision).unwrap();
        let assessed = reader.assess(all, &[run], &policy).await.unwrap();
        let now = Now::of(&assessed[0].facts, Some(&recorded));
        changes.insert(now.change);
    }
    changes
}

/// What somebody did to the records of scenes is told, and the ledger refuses to be altered again.
async fn assert_standings_of_scenes(on: &Fixture) {
    let store = open_as(Purpose::Owner, &on.url).await;
    let reader = store.reader();
    let expected = [
        Standing::Stands,
        Standing::Contradicted,
        Standing::FactsAltered,
        Standing::FactsUnreadable,
        Standing::FactsErased,
        Standing::OtherRules,
    ];
    let filter = RunFilter::default();
    let below = Some(RunId(5_007));
    let (all, policy) = (Workspaces::All, policy());
    let listing = reader.load_runs(&all, &filter, below, 6, &policy).await;
    let mut listed = listing.unwrap().rows;
    listed.reverse();
    for ((run, expected), line) in (5_001..).zip(expected).zip(listed) {
        let verdict = reader.load_verdict(&Workspaces::All, RunId(run)).await;
        let standing = verdict.unwrap().expect("a verdict").standing();
        assert_eq!(standing, expected, "{run}");
        assert_eq!(line.assessment.facts.run.id, RunId(run));
        let seen = line.record.verdict.expect("a verdict").standing;
        assert_eq!(seen, expected, "{run} in the list");
    }
    for altered in ["ledger SET outcome", "ledger_facts SET facts"] {
        let update =
            format!("UPDATE reconciler.{altered} = 'failed' WHERE facts_digest IS NOT NULL");
        let refused = on.try_execute(&update).await;
        assert!(refused.is_err(), "{update}");
    }
}

/// Scenes change nothing of what is demonstrated, and every way in which proof can come late is among them.
async fn scenes_stand_beside_the_scenarios(on: Fixture) {
    let options = DemoOptions {
        scenes: true,
        through_queue: (!on.is_sqlite()).then(ThroughQueue::default),
        ..DemoOptions::default()
    };
    let (report, _) = demonstrate(&on, &options).await.unwrap();
    assert!(report.unchanged && report.is_as_expected(), "{report:#?}");
    assert_every_code_is_a_primary_reason(&report);
    assert_written_once(&on, &report).await;
    assert_nothing_foreign_is_mentioned(&on).await;
    assert_standings_of_scenes(&on).await;
    let changes = changes_since(&on).await;
    let unrecorded = [
        Change::OpenUndecided,
        Change::OpenRefused,
        Change::RecordUnreadable,
        Change::RecordContradicted,
        Change::ClosedElsewhere,
    ];
    for change in Change::ALL {
        let is_expected = !unrecorded.contains(&change);
        assert_eq!(changes.contains(&change), is_expected, "{change:?}");
    }
}

#[tokio::test]
async fn two_thousand_generated_runs_come_out_alike_on_both_databases() {
    let sqlite = Fixture::empty_sqlite().await;
    let postgres = Fixture::empty_postgres().await;
    let (on_sqlite, _) = demonstrate(&sqlite, &with_runs(2_000)).await.unwrap();
    let (on_postgres, said) = demonstrate(&postgres, &with_runs(2_000)).await.unwrap();
    for (on, report) in [(&sqlite, &on_sqlite), (&postgres, &on_postgres)] {
        assert_as_expected(report);
        assert_written_once(on, report).await;
        assert_nothing_foreign_is_mentioned(on).await;
    }
    assert_progress_is_usable(&said);
    assert_eq!(on_sqlite.scenarios, on_postgres.scenarios);
    assert_eq!(on_sqlite.volume, on_postgres.volume);
    assert_eq!(on_sqlite.first.swept, on_postgres.first.swept);
}

/// The same scenarios, the same verdicts, read field by field; only what led to the run differs.
fn assert_same_verdicts(swept: &DemoReport, queued: &DemoReport) {
    assert_eq!(swept.scenarios.len(), queued.scenarios.len());
    for (swept, queued) in swept.scenarios.iter().zip(&queued.scenarios) {
        let mut swept = serde_json::to_value(swept).unwrap();
        if swept["reached_by"] == "sweep" {
            swept["reached_by"] = "request".into();
        }
        assert_eq!(swept, serde_json::to_value(queued).unwrap());
    }
    assert_eq!(swept.volume, queued.volume);
    assert_eq!(swept.first.swept, queued.first.swept);
    assert_eq!(swept.first.by_command, queued.first.by_command);
    assert_eq!(swept.second.by_command, queued.second.by_command);
    assert_eq!(swept.first.queue, None);
}

/// One job per open run in each pass, each finished; open runs stay open for the same reasons.
fn assert_passes_went_through_the_queue(report: &DemoReport) {
    let (first, second) = (&report.first, &report.second);
    let runs = report.scenarios.len() as u64 + report.volume.as_ref().unwrap().runs;
    let by_command = first.by_command.looked_at();
    assert!(by_command > 0);
    let asked = QueueReport {
        queued: runs - by_command,
        turned_away: by_command,
    };
    assert_eq!(first.queue, Some(asked));
    assert_eq!(first.swept.looked_at(), asked.queued);

    let open = first.swept.deferred + first.swept.refused;
    assert!(first.swept.refused == 1 && open > 1 && first.swept.verdicts() > 1);
    let asked = QueueReport {
        queued: open,
        turned_away: runs - open,
    };
    assert_eq!(second.queue, Some(asked));
    let stayed_open = Tally {
        deferred: first.swept.deferred,
        refused: first.swept.refused,
        ..Tally::default()
    };
    assert_eq!(second.swept, stayed_open);
}

async fn the_queue_comes_to_the_same_as_a_sweep(queued: Fixture) {
    let swept = queued.empty_one_beside().await;
    let (by_sweep, _) = demonstrate(&swept, &with_runs(200)).await.unwrap();
    let through_queue = DemoOptions {
        through_queue: Some(ThroughQueue::default()),
        ..with_runs(200)
    };
    let (report, said) = demonstrate(&queued, &through_queue).await.unwrap();
    assert_same_verdicts(&by_sweep, &report);
    assert_passes_went_through_the_queue(&report);
    assert!(report.is_as_expected(), "{report:#?}");
    assert_written_once(&queued, &report).await;
    assert_nothing_foreign_is_mentioned(&queued).await;
    assert_progress_is_usable(&said);

    for (on, source) in [(&swept, "sweep"), (&queued, "request")] {
        let found = on.value("SELECT DISTINCT source FROM reconciler.ledger");
        assert_eq!(found.await.as_deref(), Some(source));
    }
    let jobs = [report.first, report.second].map(|pass| pass.queue.unwrap().queued);
    let jobs = i64::try_from(jobs.iter().sum::<u64>()).unwrap();
    let queued = if queued.is_sqlite() {
        queued.with_queue().await
    } else {
        queued
    };
    let by_status = "SELECT count(*) AS run, status AS text FROM apalis.jobs GROUP BY status";
    assert_eq!(texts(&queued, by_status).await, [(jobs, "Done".to_owned())]);
    assert_digests_tell_looks_from_changes(&queued).await;
}

async fn assert_digests_tell_looks_from_changes(on: &Fixture) {
    let whole = on.standin.fingerprint().await.unwrap();
    let but_looks = async || on.standin.fingerprint_but_looks().await.unwrap();
    let before = but_looks().await;
    let looked = "UPDATE reconciler.watch_list SET tries = tries + 1";
    on.execute(looked).await;
    assert_ne!(on.standin.fingerprint().await.unwrap(), whole);
    assert_eq!(but_looks().await, before);
    let other_reason = "UPDATE reconciler.watch_list SET reason_code = 'other'";
    on.execute(other_reason).await;
    let watched = but_looks().await;
    assert_ne!(watched, before);
    let other_outcome = "UPDATE operation_runs SET outcome = 'other'";
    on.execute(other_outcome).await;
    assert_ne!(but_looks().await, watched);
}

async fn a_job_that_nobody_finishes_ends_the_wait_and_is_told(on: Fixture) {
    let on = on.with_queue().await;
    if !on.is_sqlite() {
        on.execute("REASSIGN OWNED BY migrator TO laravel").await;
    }
    let next_century = on.either("7258118400", "'2200-01-01'");
    on.execute(&format!(
        "INSERT INTO apalis.jobs (id, job_type, job, status, attempts, max_attempts, run_at, priority)
         VALUES ('00000000000000000000000000', 'restore.execute', '{{}}', 'Pending', 0, 1, {next_century}, 0)"
    ))
    .await;
    let options = DemoOptions {
        through_queue: Some(ThroughQueue {
            stalled_after: Duration::from_secs(6), // some are finished in less, on a busy machine too
            ..ThroughQueue::default()
        }),
        ..DemoOptions::default()
    };
    let error = demonstrate(&on, &options).await.unwrap_err();
    let DemoError::Stalled { left, queued, .. } = error else {
        panic!("{error}");
    };
    assert!(0 < left && left < queued, "{left} of {queued}");
    assert!(error.to_string().ends_with("none was finished for 6 s"));
}

#[tokio::test]
async fn a_report_says_the_same_words_as_json() {
    let on = Fixture::empty_sqlite().await;
    let (report, _) = demonstrate(&on, &with_runs(1)).await.unwrap();
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(json["volume"]["runs"], 1);
    let scenarios = json["scenarios"].as_array().unwrap();
    for (scenario, json) in report.scenarios.iter().zip(scenarios) {
        assert_eq!(json["decision"], scenario.decision.name());
        assert_eq!(json["reason_code"], scenario.expected_reason.code());
        assert_eq!(json["run"], scenario.run.0);
        assert!(!scenario.next_action.is_empty());
    }
}
