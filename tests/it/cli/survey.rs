//! `doctor --survey`: a platform of other words is told from one that proves what it restores.

use reconciler_jobs::restore_execute::proof::Leg;
use reconciler_jobs::restore_execute::survey::{SurveyReport, WordKind};
use restore_reconciler::internals::cli::output::Document;
use serde_json::json;

use super::stage::{Ran, run};
use crate::console::Settings;
use crate::support::case::Case;
use crate::support::role::Role;
use crate::support::store::{Fixture, on_both};
use crate::support::worker::said_by;

on_both!(
    other_words_are_found_with_what_teaches_them,
    moments_that_are_off_fail_the_survey,
    what_was_deleted_and_what_has_aged_is_no_finding,
    what_is_said_can_be_read_by_whoever_reads_the_tables,
);

/// How many restores of each kind are planted: as many as it takes.
const EACH: i64 = 20;

/// What is different of a platform, the leg that never holds for it, what is seen, and what teaches the rules its words:
/// nothing where that would change no leg.
struct Foreign {
    differs: fn(&mut Case),
    leg: Option<Leg>,
    seen: Option<(WordKind, &'static str)>,
    taught: Option<&'static str>,
}

const FOREIGN: [Foreign; 12] = [
    Foreign {
        differs: |_| (),
        leg: None,
        seen: Some((WordKind::ItemWord, "applied")),
        taught: None,
    },
    Foreign {
        differs: |case| case.each_audit(|it| "restore.finished".clone_into(&mut it.action)),
        leg: Some(Leg::Audit),
        seen: Some((WordKind::AuditAction, "restore.finished")),
        taught: Some("rules.audit_actions"),
    },
    Foreign {
        differs: |case| case.each_audit(|it| r"App\Restore".clone_into(&mut it.resource_type)),
        leg: Some(Leg::Audit),
        seen: Some((WordKind::AuditResourceType, r"App\Restore")),
        taught: Some("rules.audit_resource_types"),
    },
    Foreign {
        differs: |case| {
            case.restore.metadata = None;
            case.item("7", json!({ "outcome": "reinstated" }));
            case.item("8", json!({ "outcome": "reinstated" }));
        },
        leg: Some(Leg::Items),
        seen: Some((WordKind::ItemWord, "reinstated")),
        taught: Some("rules.applied_words"),
    },
    // No list of words would take it.
    Foreign {
        differs: |case| {
            case.restore.metadata = None;
            case.item("7", json!({ "outcome": "pending" }));
            case.item("8", json!({ "outcome": "pending" }));
        },
        leg: Some(Leg::Items),
        seen: Some((WordKind::ItemWord, "pending")),
        taught: None,
    },
    Foreign {
        differs: |case| {
            case.run.failure_summary = Some(r#"[{"code": "vault_locked"}]"#.to_owned());
        },
        leg: Some(Leg::Clearance),
        seen: Some((WordKind::BlockerCode, "vault_locked")),
        taught: None,
    },
    Foreign {
        differs: |case| case.each_snapshot(|it| "full".clone_into(&mut it.completeness_state)),
        leg: Some(Leg::Evidence),
        seen: Some((WordKind::Completeness, "full")),
        taught: None,
    },
    Foreign {
        differs: |case| case.each_snapshot(|it| "ready".clone_into(&mut it.status)),
        leg: Some(Leg::Evidence),
        seen: Some((WordKind::EvidenceStatus, "ready")),
        taught: None,
    },
    Foreign {
        differs: |case| case.snapshots.clear(),
        leg: Some(Leg::Evidence),
        seen: None,
        taught: None,
    },
    Foreign {
        differs: |case| "finished".clone_into(&mut case.restore.status),
        leg: Some(Leg::Execution),
        seen: Some((WordKind::RestoreStatus, "finished")),
        taught: None,
    },
    Foreign {
        differs: |case| {
            case.restore.metadata = Some(r#"{"total":2,"succeeded":2,"wizard_step":3}"#.to_owned());
        },
        leg: None,
        seen: Some((WordKind::MetadataKey, "wizard_step")),
        taught: None,
    },
    // Nothing says which run it was.
    Foreign {
        differs: |case| {
            case.run.context = None;
            case.restore.operation_run_id = None;
        },
        leg: Some(Leg::Link),
        seen: None,
        taught: None,
    },
];

fn report(ran: &Ran) -> SurveyReport {
    let Document::DoctorSurvey(surveyed) = ran.document() else {
        panic!("{}", ran.all())
    };
    surveyed.report
}

/// What a survey of the latest restores says, with these settings.
fn survey(url: &str, settings: &str, code: i32) -> SurveyReport {
    let settings = Settings::holding(settings);
    let last = EACH.to_string();
    let line = [
        "--config",
        &settings.path(),
        "doctor",
        "--survey",
        "--last",
        &last,
    ];
    report(&run(url, &[&line[..], &["--output", "json"]].concat()).exits(code))
}

async fn other_words_are_found_with_what_teaches_them(on: Fixture) {
    for (number, foreign) in (0..).zip(&FOREIGN) {
        let first = 1_000 + number * EACH;
        let cases = (first..first + EACH).map(|id| {
            let mut case = Case::proven(id);
            (foreign.differs)(&mut case);
            case
        });
        on.plant(cases).await;
        let code = if foreign.leg.is_some() { 3 } else { 0 };
        let found = survey(&on.url, "", code);
        let row = format!("row {number}: {found:#?}");
        let legs: Vec<_> = found.findings.iter().map(|it| it.leg).collect();
        assert_eq!(
            legs,
            foreign.leg.map(Some).into_iter().collect::<Vec<_>>(),
            "{row}"
        );
        assert_eq!(found.restores, EACH.unsigned_abs(), "{row}");
        if let Some((kind, word)) = foreign.seen {
            let mut seen = found.words.iter();
            let seen = seen.find(|it| (it.kind, it.word.as_str()) == (kind, word));
            let seen = seen.unwrap_or_else(|| panic!("{row}"));
            assert_eq!(seen.restores, EACH.unsigned_abs(), "{row}");
            // The first is an item's own word, and the other one of a run's.
            let is_known = number == 0 || word == "pending";
            assert_eq!(seen.meaning.is_some(), is_known, "{row}");
        }
        let Some(leg) = foreign.leg else { continue };
        let answers = &found.findings[0].answers;
        let keys: Vec<&str> = answers.iter().map(|answer| answer.key.as_str()).collect();
        let expected = foreign.taught.into_iter().chain(["survey.accepted"]);
        assert_eq!(keys, expected.collect::<Vec<_>>(), "{row}");
        // Each is taken as it is printed.
        for answer in answers {
            let (section, key) = answer.key.split_once('.').expect("a section");
            let settings = format!("[{section}]\n{key} = {}\n", answer.value);
            let answered = survey(&on.url, &settings, 0);
            assert!(
                answered.findings.iter().all(|it| it.leg == Some(leg)),
                "{row}"
            );
            assert_eq!(answered.findings.is_empty(), section == "rules", "{row}");
        }
    }
    // Among the others each leg has held.
    run(&on.url, &["doctor", "--survey"]).exits(0);
}

/// A platform that deletes old runs, and one whose evidence was superseded, are healthy.
async fn what_was_deleted_and_what_has_aged_is_no_finding(on: Fixture) {
    on.plant((1..=2 * EACH).map(Case::proven)).await;
    for statement in [
        "UPDATE restore_runs SET operation_run_id = NULL",
        "DELETE FROM operation_runs",
    ] {
        on.execute(statement).await;
    }
    assert_eq!(survey(&on.url, "", 0).findings, []);
    let aged = (1_001..=1_000 + EACH).map(|id| {
        let mut case = Case::proven(id);
        case.each_snapshot(|it| "superseded".clone_into(&mut it.status));
        case
    });
    on.plant(aged).await;
    let found = survey(&on.url, "", 0);
    assert_eq!(
        (found.findings, found.restores),
        (Vec::new(), EACH.unsigned_abs())
    );
}

/// Fewer say nothing.
async fn moments_that_are_off_fail_the_survey(on: Fixture) {
    let without_evidence = |id| {
        let mut case = Case::proven(id);
        case.snapshots.clear();
        case
    };
    on.plant((1..EACH).map(without_evidence)).await;
    assert_eq!(survey(&on.url, "", 0).findings, []);
    on.plant((101..125).map(Case::proven)).await;
    let shift = on.either(
        "UPDATE evidence_snapshots SET generated_at = generated_at + 3600000000",
        "UPDATE evidence_snapshots SET generated_at = generated_at + interval '1 h'",
    );
    on.execute(shift).await;
    let found = survey(&on.url, "", 3);
    let answers: Vec<_> = found.findings.iter().flat_map(|it| &it.answers).collect();
    assert_eq!(answers[0].key, "database.time_shift", "{found:#?}");
    survey(&on.url, "[database]\ntime_shift = \"acknowledged\"\n", 0);
}

/// Of words that may be secrets it is said how many there are.
async fn what_is_said_can_be_read_by_whoever_reads_the_tables(on: Fixture) {
    let secret = "ghp_c0ffee1234567890";
    on.plant((1..=EACH).map(|id| {
        let mut case = Case::proven(id);
        case.restore.metadata = None;
        case.item("7", json!({ "status": secret }));
        case.restore.failure_reason = Some("It broke.".to_owned());
        case
    }))
    .await;
    let before = on.fingerprint().await;
    let mut url = on.url.clone();
    let role = if on.is_sqlite() {
        None
    } else {
        let role = Role::new(&on, "LOGIN").await;
        let tables = "operation_runs, restore_runs, evidence_snapshots, audit_logs, backup_sets, backup_items";
        on.execute(&format!("GRANT SELECT ON {tables} TO {}", role.quoted))
            .await;
        url.clone_from(&role.url);
        Some(role)
    };
    let (code, said) = said_by(&url, &["doctor", "--survey"]).await;
    assert_eq!(code, Some(3), "{said}");
    for part in [
        "Restores that ended and were looked at: 20.",
        "In none of 20 restores did the items leg hold: restore.items_unrecognised of 20",
        "survey.accepted = ['items']",
        "20 more sightings are of words",
        "do not prove environment recovery",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert!(!said.contains("ghp") && !said.contains("broke"), "{said}");
    assert_eq!(on.fingerprint().await, before);
    if let Some(role) = role {
        role.forget(&on).await;
    }
}

/// The demo's restores prove what they say.
#[test]
fn the_demos_restores_pass() {
    let directory = tempfile::TempDir::new().expect("a directory");
    let file = directory.path().join("demo.sqlite");
    let file = file.to_str().expect("text");
    run("", &["demo", "--keep", file]).exits(0);
    let found = report(
        &run(
            &format!("sqlite:{file}"),
            &["doctor", "--survey", "--output", "json"],
        )
        .exits(0),
    );
    assert!(
        found.restores > 60 && found.findings.is_empty(),
        "{found:#?}"
    );
    assert!(found.legs.iter().all(|leg| leg.held > 0), "{found:#?}");
}
