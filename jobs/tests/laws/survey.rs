//! What a survey tells of restores that ended: a row for each leg that is told of or is not, for each word that the rules
//! know, and for what a platform of other words is advised.

use std::collections::BTreeMap;

use reconciler_jobs::restore_execute::facts::Policy;
use reconciler_jobs::restore_execute::proof::Leg;
use reconciler_jobs::restore_execute::survey::{
    RESTORES_MIN, SurveyReport, SurveyTally, WordKind, words_of_run,
};
use reconciler_jobs::restore_execute::words::ItemWords;

use crate::support::{Case, at, json, moment, snapshot};

type Change = fn(&mut Case);

fn surveyed(change: Change, restores: u64) -> SurveyTally {
    let mut case = Case::proven();
    change(&mut case);
    let (mut tally, facts) = (SurveyTally::default(), case.facts());
    (0..restores).for_each(|_| tally.add(Some(&facts)));
    tally
}

/// One more word of an item that was applied.
fn joined() -> ItemWords {
    ItemWords {
        applied: vec!["joined".to_owned()],
        ..ItemWords::default()
    }
}

fn reported(tally: SurveyTally) -> SurveyReport {
    tally.report(&Policy::default(), &[], None)
}

/// A sign for each leg: `+` where it held, `-` where it did not, `.` where that says nothing of the platform's words.
const LEGS: [(&str, Change, &str); 16] = [
    ("proven", |_| (), "++++++++"),
    (
        "another status",
        |case| case.restore.status = "ended".to_owned(),
        "+++-+.++",
    ),
    (
        "failed, and nothing is there",
        |case| {
            case.restore.status = "failed".to_owned();
            case.items("{}");
            case.run.failure_summary = json(r#"[{"code":"x"}]"#);
            case.audits.clear();
            case.snapshots.clear();
        },
        "+++.....",
    ),
    ("items", |case| case.items("{}"), "++++-+++"),
    (
        "a failure",
        |case| case.run.failure_summary = json(r#"[{"code":"x"}]"#),
        "+++++++-",
    ),
    ("no audit entry", |case| case.audits.clear(), "+++++-++"),
    (
        "no audit entry yet",
        |case| {
            case.audits.clear();
            case.as_of = moment("11:36:00");
        },
        "+++++.++",
    ),
    ("no evidence", |case| case.snapshots.clear(), "++++++-+"),
    (
        "no evidence yet",
        |case| {
            case.snapshots.clear();
            case.as_of = moment("11:36:00");
        },
        "++++++.+",
    ),
    (
        "expired",
        |case| case.snapshots[0].expires_at = at("11:59:00"),
        "++++++.+",
    ),
    (
        "expired, and never complete",
        |case| {
            case.snapshots[0].expires_at = at("11:59:00");
            case.snapshots[0].completeness = None;
        },
        "++++++-+",
    ),
    (
        "never made",
        |case| {
            case.snapshots = vec![snapshot(500, "generating", "11:35:00")];
            case.as_of = moment("12:31:00");
        },
        "++++++.+",
    ),
    (
        "replaced by none",
        |case| case.snapshots = vec![snapshot(500, "superseded", "11:20:00")],
        "++++++.+",
    ),
    (
        "could not be made",
        |case| case.snapshots = vec![snapshot(500, "failed", "11:35:00")],
        "++++++-+",
    ),
    (
        "another scope",
        |case| {
            case.run.context = json(r#"{"restore_run_id":7,"target_scope":{"tenant_id":9}}"#);
        },
        "+-++++++",
    ),
    (
        "nothing points at the run",
        |case| {
            case.candidates.clear();
            case.run.context = json("{}");
        },
        "-.......",
    ),
];

#[test]
fn a_leg_is_told_of_where_it_could_have_held() {
    for (about, change, expected) in LEGS {
        let report = reported(surveyed(change, 2));
        let sign = |told, held| match (told, held) {
            (0, 0) => '.',
            (2, 0) => '-',
            (2, 2) => '+',
            _ => '?',
        };
        let legs = report.legs.iter().map(|it| sign(it.told, it.held));
        let legs = legs.collect::<String>();
        assert_eq!(legs, expected, "{about}");
        for leg in &report.legs {
            let is_said = !leg.gaps.is_empty() && leg.gaps.values().all(|of| *of == 2);
            assert_eq!(leg.told > leg.held, is_said, "{about}: {leg:?}");
        }
        assert_eq!((report.restores, report.unreadable), (2, 0), "{about}");
    }
    let mut gone = SurveyTally::default();
    gone.add_lost();
    gone.add(None);
    let report = reported(gone);
    assert_eq!((report.restores, report.legs[0].told), (2, 1));
    assert_eq!(report.legs[0].held, 0);
}

#[test]
fn twenty_restores_show_that_a_leg_never_holds() {
    let unaudited: Change = |case| case.audits.clear();
    for (restores, expected) in [(RESTORES_MIN - 1, &[][..]), (RESTORES_MIN, &[Leg::Audit])] {
        let tally = surveyed(unaudited, restores);
        assert_eq!(tally.never_held(), expected, "{restores}");
        assert!(!tally.has_held_all(&[]) && tally.has_held_all(&[Leg::Audit]));
        assert!(!tally.has_held_all(&[Leg::Evidence]));
    }
    let mut tally = surveyed(unaudited, RESTORES_MIN);
    tally.add(Some(&Case::proven().facts()));
    assert_eq!(tally.never_held(), []);
    assert!(tally.has_held_all(&[]));
    assert!(!SurveyTally::default().has_held_all(&[]));
    let mut unreadable = SurveyTally::default();
    (0..=RESTORES_MIN).for_each(|_| unreadable.add_unreadable());
    assert_eq!(unreadable.too_many_unreadable(), Some(RESTORES_MIN + 1));
    assert_eq!(reported(unreadable).unreadable, RESTORES_MIN + 1);
}

type Words = &'static [(WordKind, &'static str)];

const OF_AUDITS: Words = &[
    (WordKind::AuditAction, "restore.done"),
    (WordKind::AuditAction, "login"),
    (WordKind::AuditResourceType, "Restoration"),
    (WordKind::AuditResourceType, "user"),
    (WordKind::ItemWord, "merged"),
];

const OF_ITEMS: Words = &[
    (WordKind::ItemWord, "restored_to"),
    (WordKind::ItemWord, "merged"),
    (WordKind::ItemWord, "applied"),
    (WordKind::AuditAction, "login"),
];

/// What is found where a leg never held, and what would answer it.
#[test]
fn a_platform_of_other_words_is_advised() {
    use WordKind::{AuditAction, ItemWord};
    let unaudited: Change = |case| case.audits.clear();
    let without_items: Change = |case| case.items("{}");
    let bare: Change = |case| case.snapshots.clear();
    let incomplete: Change = |case| case.snapshots[0].completeness = None;
    let failed: Change = |case| "failed".clone_into(&mut case.snapshots[0].status);
    let shelved: Change = |case| "shelved".clone_into(&mut case.snapshots[0].status);
    let not_current: &[&str] = &[
        "In none of 20 restores did the evidence leg hold: restore.evidence_not_current of 20.",
        "survey.accepted = ['evidence']",
    ];
    let policy = Policy {
        audit_actions: vec!["ended".to_owned()],
        audit_resource_types: vec!["run".to_owned()],
        item_words: joined(),
        ..Policy::default()
    };
    let rows: [(Change, Words, &[&str]); 8] = [
        (
            unaudited,
            OF_AUDITS,
            &[
                "In none of 20 restores did the audit leg hold: restore.audit_missing of 20.",
                "rules.audit_actions = ['ended', 'restore.done']",
                "rules.audit_resource_types = ['run', 'Restoration']",
                "survey.accepted = ['audit']",
            ],
        ),
        (
            unaudited,
            &[(AuditAction, "login")],
            &[
                "In none of 20 restores did the audit leg hold: restore.audit_missing of 20.",
                "rules.audit_actions = ['ended', 'login']",
                "survey.accepted = ['audit']",
            ],
        ),
        (
            without_items,
            OF_ITEMS,
            &[
                "In none of 20 restores did the items leg hold: restore.items_missing of 20.",
                "rules.applied_words = ['joined', 'merged', 'restored_to']",
                "survey.accepted = ['items']",
            ],
        ),
        (
            without_items,
            &[(ItemWord, "applied")],
            &[
                "In none of 20 restores did the items leg hold: restore.items_missing of 20.",
                "survey.accepted = ['items']",
            ],
        ),
        (
            bare,
            &[],
            &[
                "In none of 20 restores did the evidence leg hold: restore.evidence_missing of 20. There is no evidence snapshot of any of them.",
                "survey.accepted = ['evidence']",
            ],
        ),
        (
            incomplete,
            &[],
            &[
                "In none of 20 restores did the evidence leg hold: restore.evidence_incomplete of 20.",
                "survey.accepted = ['evidence']",
            ],
        ),
        (failed, &[], not_current),
        (shelved, &[], not_current),
    ];
    for (change, words, expected) in rows {
        let mut tally = surveyed(change, RESTORES_MIN);
        tally.add_words(words.iter().map(|(kind, word)| (*kind, (*word).to_owned())));
        let found = tally.report(&policy, &[], None).findings;
        let said: Vec<_> = found
            .iter()
            .flat_map(|it| {
                let answers = it.answers.iter();
                let answers = answers.map(|it| format!("{} = {}", it.key, it.value));
                std::iter::once(it.finding.clone()).chain(answers)
            })
            .collect();
        assert_eq!(said, expected);
    }
}

#[test]
fn a_word_is_said_with_what_it_is_taken_for() {
    let policy = Policy {
        blocker_codes: vec!["licence.gone".to_owned()],
        item_words: joined(),
        ..Policy::default()
    };
    let rows = [
        (WordKind::AuditAction, "restore.completed", Some("an end")),
        (WordKind::AuditAction, "login", None),
        (
            WordKind::AuditResourceType,
            "restore_run",
            Some("a restore"),
        ),
        (WordKind::AuditResourceType, "user", None),
        (
            WordKind::BlockerCode,
            "write_gate_blocked",
            Some("a blocker"),
        ),
        (WordKind::BlockerCode, "licence.gone", Some("a blocker")),
        (WordKind::BlockerCode, "gate.shut", None),
        (WordKind::ItemWord, "applied", Some("applied")),
        (WordKind::ItemWord, "joined", Some("applied")),
        (WordKind::ItemWord, "completed", Some("no outcome")),
        (WordKind::ItemWord, "merged", None),
        (WordKind::RestoreStatus, "completed", Some("known")),
        (WordKind::RestoreStatus, "ended", None),
        (WordKind::MetadataKey, "total", Some("read")),
        (WordKind::MetadataKey, "wizard", None),
        (WordKind::EvidenceStatus, "active", Some("known")),
        (WordKind::Completeness, "complete", Some("known")),
    ];
    let mut tally = SurveyTally::default();
    for (kind, word, _) in rows {
        tally.add_word(kind, word.to_owned(), 3);
        tally.add_word(kind, word.to_owned(), 1);
    }
    tally.add_word(
        WordKind::BlockerCode,
        "restore.proof_complete".to_owned(),
        1,
    );
    let report = tally.report(&policy, &[], None);
    let said = report.words.iter();
    let said: BTreeMap<_, _> = said
        .map(|it| {
            (
                (it.kind, it.word.as_str()),
                (it.meaning.as_deref(), it.restores),
            )
        })
        .collect();
    let expected = rows.into_iter();
    let expected: BTreeMap<_, _> = expected
        .map(|(kind, word, meaning)| ((kind, word), (meaning, 4)))
        .collect();
    assert_eq!(said, expected);
}

#[test]
fn the_codes_of_a_run_are_found() {
    let mut case = Case::proven();
    case.run.failure_summary = json(r#"[{"code":"one"},{"reason_code":"two","note":"no"}]"#);
    case.run.context = json(r#"{"execution_legitimacy":{"reason_code":"three"},"code":"no"}"#);
    let found = words_of_run(&case.run);
    let expected = ["one", "two", "three"];
    assert_eq!(
        found,
        expected.map(|it| (WordKind::BlockerCode, it.to_owned()))
    );
}
