//! The six laws of the rulebook, over generated rows.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use reconciler_jobs::ids::{EnvironmentId, RestoreId, RunId, WorkspaceId};
use reconciler_jobs::json::Column;
use reconciler_jobs::reading::now::{Change, Now};
use reconciler_jobs::restore_execute::canonical::{canonicalise, read_back};
use reconciler_jobs::restore_execute::facts::Facts;
use reconciler_jobs::restore_execute::proof::Leg;
use reconciler_jobs::restore_execute::record::{RunUpdate, record};
use reconciler_jobs::restore_execute::review::{Name, Recorded, Standing, review};
use reconciler_jobs::restore_execute::rows::{AuditRow, RunRow, SetItems};
use reconciler_jobs::restore_execute::{Outcome, ReasonCode, decide};
use reconciler_jobs::stamp::Stamp;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::generate::{any_twins, cases};
use crate::support::{Case, at, attribution, audit, candidate, json, line, snapshot};

/// Whether a value, or a list of such values, names a blocker by itself or under its codes.
fn names_a_blocker(value: &Value) -> bool {
    match value {
        Value::String(text) => ReasonCode::parse_blocker(text).is_some(),
        Value::Array(list) => list.iter().any(names_a_blocker),
        Value::Object(map) => ["code", "reason_code"]
            .iter()
            .filter_map(|key| map.get(*key))
            .any(names_a_blocker),
        _ => false,
    }
}

/// Whether any entry of a failure summary does, be it a list, a map with keys, or one bare entry.
fn summary_names_a_blocker(summary: &Value) -> bool {
    match summary {
        Value::Object(map) if map.contains_key("code") || map.contains_key("reason_code") => {
            names_a_blocker(summary)
        }
        Value::Object(map) => map.values().any(names_a_blocker),
        _ => names_a_blocker(summary),
    }
}

fn document(column: &Column) -> Value {
    match column {
        Column::Bytes(bytes) => serde_json::from_slice(bytes).unwrap_or(Value::Null),
        Column::Null | Column::Oversized => Value::Null,
    }
}

/// An id as text: `7`, `"7"` and `"007"` are one.
fn id_text(value: &Value) -> Option<String> {
    let number = |text: &str| {
        text.parse::<i64>()
            .map_or(text.to_owned(), |id| id.to_string())
    };
    match value {
        Value::String(text) => Some(number(text)),
        Value::Number(id) => id.as_i64().map(|id| id.to_string()),
        _ => None,
    }
}

/// Each result's id with the result.
fn results_by_id(results: &Value) -> Vec<(Option<String>, Value)> {
    match &results["items"] {
        Value::Array(list) => list
            .iter()
            .enumerate()
            .map(|(place, item)| {
                let stated = id_text(&item["backup_item_id"]);
                (stated.or(Some(place.to_string())), item.clone())
            })
            .collect(),
        Value::Object(map) => map
            .iter()
            .map(|(key, item)| (id_text(&Value::from(key.as_str())), item.clone()))
            .collect(),
        _ => vec![],
    }
}

/// Whether the results are of exactly the items that were requested, or, where none are listed, of those of the
/// backup set. A request that is a map may hold a key twice, and is not judged here.
fn answers_the_request(case: &Case, ids: &[Option<String>]) -> bool {
    let sorted = |mut ids: Vec<Option<String>>| {
        ids.sort();
        ids
    };
    let wanted = match document(&case.restore.requested_items) {
        Value::Array(wanted) => wanted.iter().map(id_text).collect(),
        Value::Null => match &case.restore.backup_items {
            SetItems::Ids(ids) => ids.iter().map(|id| Some(id.to_string())).collect(),
            SetItems::Absent => return false,
        },
        _ => return true,
    };
    sorted(wanted) == sorted(ids.to_vec())
}

/// Whether a value says nothing.
fn is_blank(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Number(number) => number.as_i64() == Some(0),
        Value::String(text) => text.trim().is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Object(map) => map.is_empty(),
        Value::Bool(true) => false,
    }
}

/// Whether a row says that it was applied, and nothing else.
fn says_applied(row: &Value) -> bool {
    let applied = [
        "applied",
        "succeeded",
        "success",
        "created",
        "updated",
        "mapped_existing",
        "created_copy",
    ];
    let said: Vec<_> = ["status", "decision", "outcome"]
        .iter()
        .map(|key| &row[*key])
        .filter(|word| !word.is_null())
        .collect();
    let is_applied = |word: &&Value| word.as_str().is_some_and(|word| applied.contains(&word));
    !said.is_empty()
        && said.iter().all(is_applied)
        && row["success"] != Value::Bool(false)
        && is_blank(&row["error"])
}

/// Whether every row of a list or a map says that it was applied. There may be none.
fn all_applied(rows: &Value) -> bool {
    match rows {
        Value::Null => true,
        Value::Array(list) => list.iter().all(says_applied),
        Value::Object(map) => map.values().all(says_applied),
        _ => false,
    }
}

/// Whether some record says that the restore did not all succeed.
fn failure_recorded(case: &Case) -> bool {
    let results = document(&case.restore.results);
    let metadata = document(&case.restore.metadata);
    let summary = document(&case.run.failure_summary);
    let entries = match summary {
        Value::Array(list) => list,
        Value::Object(map) if !(map.contains_key("code") || map.contains_key("reason_code")) => {
            map.into_iter().map(|(_, entry)| entry).collect()
        }
        _ => vec![],
    };
    let words = "failed error partial aborted cancelled completed_with_errors";
    let denies = |word: &Value| {
        let word = word.as_str().unwrap_or_default();
        words.split(' ').any(|denial| denial == word)
    };
    let reason = case.restore.failure_reason.as_deref().unwrap_or_default();
    ["failed", "blocked", "partially_succeeded"].contains(&case.run.outcome.as_str())
        || !reason.trim().is_empty()
        || !entries.is_empty()
        || denies(&results["status"])
        || denies(&metadata["status"])
        || !is_blank(&results["errors"])
}

/// Whether an entry says that the restore completed and the last word is not another one. Actions
/// beyond the platform's own are no entries; an entry at no moment is later than all.
fn witnessed(case: &Case) -> bool {
    let own = case.audits.iter().filter(|row| {
        row.restore_id == case.restore.id && case.policy.audit_actions.contains(&row.action)
    });
    let says = |word: Option<&str>| match word.unwrap_or_default() {
        "" | "info" => "nothing",
        "completed" | "success" | "succeeded" | "executed" => "yes",
        "partial"
        | "completed_with_errors"
        | "partially_succeeded"
        | "failed"
        | "failure"
        | "error"
        | "cancelled"
        | "aborted"
        | "blocked" => "no",
        _ => "what?",
    };
    let completed = |row: &AuditRow| {
        let said = [says(row.status.as_deref()), says(row.outcome.as_deref())];
        ["restore.completed", "restore.executed"].contains(&row.action.as_str())
            && !said.contains(&"no")
            && (!said.contains(&"what?") || said.contains(&"yes"))
    };
    let (agreeing, others): (Vec<&AuditRow>, Vec<&AuditRow>) = own.partition(|row| completed(row));
    let place = |row: &&AuditRow| row.recorded_at.moment().map(|moment| (moment, row.id));
    let last = agreeing
        .iter()
        .filter_map(place)
        .filter(|(moment, _)| *moment <= case.as_of)
        .filter(|(moment, _)| {
            case.restore
                .started_at
                .moment()
                .is_none_or(|start| start.as_second() <= moment.as_second())
        })
        .max();
    let overruled = others
        .iter()
        .any(|row| place(row).is_none_or(|place| Some(place) > last));
    last.is_some() && !overruled
}

/// Whether the newest active snapshot is complete, has not expired, and is not older than the end. An
/// end ahead of the clock means now, and one at the zero date or before the start is none.
fn evidenced(case: &Case) -> bool {
    let newest = case
        .snapshots
        .iter()
        .filter(|row| row.run_id == case.run.id && row.status == "active")
        .max_by_key(|row| row.id);
    let seconds = |stamp: Stamp| stamp.moment().map(Timestamp::as_second);
    let started = seconds(case.restore.started_at).unwrap_or(0);
    let ended = seconds(case.restore.completed_at);
    let ended = ended.filter(|ended| *ended > 0 && *ended >= started);
    newest.is_some_and(|row| {
        let valid = match row.expires_at {
            Stamp::Absent | Stamp::Far => true,
            Stamp::At(moment) => moment > case.as_of,
            Stamp::Unreadable => false,
        };
        let follows = ended
            .zip(seconds(row.generated_at))
            .is_some_and(|(ended, generated)| {
                let before = ended.min(case.as_of.as_second()) - generated;
                before <= case.policy.evidence_skew_max.as_secs()
            });
        row.completeness.as_deref() == Some("complete") && valid && follows
    })
}

/// Conditions without which nobody may say succeeded, read from the rows by other means than the
/// code under test: every one of these is necessary, none looks at a leg.
pub(crate) fn plainly_unproven(case: &Case) -> Option<&'static str> {
    let results = document(&case.restore.results);
    let items = results_by_id(&results);
    let idle = |(_, item): &(Option<String>, Value)| !says_applied(item);
    let summary = document(&case.run.failure_summary);
    let context = document(&case.run.context);
    let metadata = document(&case.restore.metadata);
    let ids: Vec<_> = items.iter().map(|(id, _)| id.clone()).collect();
    [
        (case.run.run_type != "restore.execute", "type"),
        (case.run.status == "completed", "closed"),
        (case.restore.status != "completed", "status"),
        (case.restore.is_dry_run != Some(false), "dry run"),
        (
            case.restore.workspace_id != case.run.workspace_id,
            "workspace",
        ),
        (
            Some(case.restore.environment_id) != case.run.environment_id,
            "environment",
        ),
        (case.candidates.is_empty(), "candidates"),
        (items.is_empty() || items.iter().any(idle), "items"),
        (!all_applied(&results["foundations"]), "foundations"),
        (
            !all_applied(&results["mappings"]["foundations"]),
            "mappings",
        ),
        (!all_applied(&results["assignments"]), "assignments"),
        (failure_recorded(case), "failure"),
        (!answers_the_request(case, &ids), "request"),
        (
            metadata["failed"]
                .as_f64()
                .is_some_and(|failed| failed != 0.0),
            "failed counter",
        ),
        (
            names_a_blocker(&metadata["blocked_reason"]),
            "metadata blocker",
        ),
        (
            names_a_blocker(&context["execution_legitimacy"]["reason_code"]),
            "context blocker",
        ),
        (summary_names_a_blocker(&summary), "run blocker"),
        (
            case.restore
                .failure_reason
                .as_deref()
                .is_some_and(|text| ReasonCode::parse_blocker(text).is_some()),
            "reason",
        ),
        (
            matches!(case.restore.started_at, Stamp::Unreadable | Stamp::Far),
            "start",
        ),
        (case.restore.completed_at.moment().is_none(), "end"),
        (!witnessed(case), "audit"),
        (!evidenced(case), "evidence"),
    ]
    .into_iter()
    .find_map(|(found, name)| found.then_some(name))
}

/// The text of every value of a map. Null and PHP's empty map are the empty map.
fn raw_entries(column: &Column) -> BTreeMap<String, Box<RawValue>> {
    match column {
        Column::Bytes(bytes) => serde_json::from_slice(bytes).unwrap_or_else(|_| {
            let emptied: Vec<Value> = serde_json::from_slice(bytes).unwrap_or_default();
            assert!(emptied.is_empty(), "a list was taken for a map");
            BTreeMap::new()
        }),
        Column::Null => BTreeMap::new(),
        Column::Oversized => panic!("what was not read was written"),
    }
}

/// Whatever the columns of a run held that a verdict writes is still in them.
pub(crate) fn assert_nothing_lost(before: &RunRow, after: &RunUpdate) {
    assert_kept(&before.context, &after.context, &["reconciliation"]);
    if let Some(counts) = &after.summary_counts {
        assert_kept(&before.summary_counts, counts, &COUNTS);
    }
    if let Some(summary) = &after.failure_summary {
        let after: Vec<Box<RawValue>> = serde_json::from_str(summary.get()).unwrap();
        let before = raw_list(&before.failure_summary);
        assert_eq!(after.len(), before.len() + 1);
        for (before, after) in before.iter().zip(&after) {
            assert_eq!(before.get(), after.get());
        }
    }
}

fn assert_kept(before: &Column, after: &RawValue, own: &[&str]) {
    let after: BTreeMap<String, Box<RawValue>> = serde_json::from_str(after.get()).unwrap();
    for (key, value) in raw_entries(before) {
        if !own.contains(&key.as_str()) {
            assert_eq!(after[&key].get(), value.get(), "{key}");
        }
    }
}

fn raw_list(column: &Column) -> Vec<Box<RawValue>> {
    match column {
        Column::Bytes(bytes) => serde_json::from_slice(bytes).unwrap_or_default(),
        Column::Null | Column::Oversized => vec![],
    }
}

const COUNTS: [&str; 7] = [
    "total",
    "processed",
    "succeeded",
    "failed",
    "skipped",
    "partial",
    "non_applied",
];

proptest! {
    #![proptest_config(cases(1_000))]

    #[test]
    fn law_1_no_overclaim(twins in any_twins()) {
        let case = twins.case;
        let decision = case.decide();
        let all_hold = Leg::ALL.into_iter().all(|leg| decision.proof.holds(leg));
        prop_assert_ne!(decision.rule, 0, "no row of the table matched");
        prop_assert_eq!(all_hold, decision.proof.gaps().is_empty());
        if decision.outcome() == Some(Outcome::Succeeded) {
            prop_assert!(all_hold);
            prop_assert_eq!(plainly_unproven(&case), None);
        }
        if decision.rule >= 5 {
            prop_assert_eq!(all_hold, decision.outcome() == Some(Outcome::Succeeded));
        }
    }

    #[test]
    fn law_2_losing_a_proof_never_helps(twins in any_twins()) {
        let case = twins.case;
        let before = case.decide();
        for (name, weaken) in WEAKENINGS {
            let mut weaker = case.clone();
            weaken(&mut weaker);
            let after = weaker.decide();
            let better = before.outcome().zip(after.outcome()).is_some_and(|(before, after)| after > before);
            prop_assert!(!better, "{} turned {} into {}", name, line(&before), line(&after));
            let proven = after.outcome() == Some(Outcome::Succeeded);
            prop_assert!(!proven || before.outcome() == after.outcome(), "{}", name);
            prop_assert!(!proven || plainly_unproven(&weaker).is_none(), "{}", name);
        }
    }

    #[test]
    fn law_3_a_foreign_restore_is_as_good_as_none(
        twins in any_twins(),
        (workspace, environment) in prop::sample::select(vec![(1, 1), (1, 3), (2, 1), (2, 2)]),
    ) {
        let mut foreign = twins.case;
        foreign.run.environment_id = Some(EnvironmentId(2));
        foreign.restore.workspace_id = WorkspaceId(workspace);
        foreign.restore.environment_id = EnvironmentId(environment);
        let facts = foreign.facts_with_any_restore();
        let seen = decide(&facts);
        prop_assert!(record(&foreign.run, &facts, &seen, &attribution()).unwrap().is_none());

        let mut gone = foreign.clone();
        gone.candidates.clear();
        let unseen = gone.decide();
        prop_assert_eq!(&seen, &unseen);
        let spoken = seen.proof.gaps().into_iter().filter(|gap| !gap.is_blocker());
        for gap in spoken {
            prop_assert!(matches!(gap, ReasonCode::ProofUnavailable
                | ReasonCode::FailureRecorded | ReasonCode::ClearanceUnreadable), "{}", gap);
        }
    }

    #[test]
    fn law_3_rows_about_others_change_nothing(twins in any_twins()) {
        let case = twins.case;
        let mut crowded = case.clone();
        let mut stranger = candidate(RestoreId(99), Some(RunId(71)));
        stranger.run_id = RunId(71);
        crowded.candidates.push(stranger);
        crowded.audits.push(audit(999, "restore.failed", "11:59:00"));
        crowded.audits.last_mut().unwrap().restore_id = RestoreId(99);
        crowded.snapshots.push(snapshot(999_999, "active", "10:00:00"));
        crowded.snapshots.last_mut().unwrap().run_id = RunId(71);
        prop_assert_eq!(crowded.facts(), case.facts());
    }

    #[test]
    fn law_4_deterministic_in_any_order(twins in any_twins()) {
        let (one, other) = (twins.case.facts(), twins.reversed.facts());
        prop_assert_eq!(&one, &other);
        prop_assert_eq!(decide(&one), decide(&other));
        let canonical = canonicalise(&one).unwrap();
        let again: Facts = read_back(&canonical.text).unwrap();
        prop_assert_eq!(decide(&again), decide(&one));
        prop_assert_eq!(canonicalise(&again).unwrap(), canonical);
        prop_assert_eq!(again, one);
    }

    #[test]
    fn law_5_total_and_nothing_is_lost(twins in any_twins()) {
        let case = twins.case;
        let decision = case.decide();
        let record = case.record();
        prop_assert_eq!(record.is_some(), decision.outcome().is_some());
        prop_assert_eq!(decision.outcome(), decision.reason.outcome());
        if let Some(record) = record {
            let reviewed = review(&Recorded::from(&record.ledger)).unwrap();
            let standing = Standing::of(&Recorded::from(&record.ledger), &Name::from(&record.ledger));
            prop_assert_eq!(standing, Standing::Stands);
            prop_assert_eq!((reviewed.facts, reviewed.decision), (case.facts(), decision));
            assert_nothing_lost(&case.run, &record.run);
            prop_assert!(record.run.completed_at <= case.as_of);
            prop_assert!(record.run.started_at.is_none_or(|started| started <= record.run.completed_at));
        }
    }

    #[test]
    fn law_6_a_second_pass_writes_nothing(twins in any_twins()) {
        let mut case = twins.case;
        let (before, decision) = (case.facts(), case.decide());
        if let Some(record) = case.record() {
            let first = record.run;
            case.run.status = "completed".to_owned();
            first.outcome.clone_into(&mut case.run.outcome);
            case.run.context = json(first.context.get());
            if let Some(counts) = first.summary_counts {
                case.run.summary_counts = json(counts.get());
            }
            if let Some(summary) = first.failure_summary {
                case.run.failure_summary = json(summary.get());
            }
            prop_assert_eq!(line(&case.decide()), "deferred run.already_terminal");
            // What was written is no evidence of its own: the rules say of the closed run what was recorded.
            let closed = case.facts();
            let now = Now::of(&closed, Some(&decision));
            let legs = decide(&closed).proof;
            if !before.run.denies_success() {
                prop_assert_eq!(now.change, Change::Same, "{:?} {:?}", &now.decision, &decision);
                prop_assert_eq!(legs, decision.proof);
            }
            prop_assert!(case.record().is_none());
        }
    }
}

type Weaken = fn(&mut Case);

/// Single steps that take a proof away or make it weaker, on rows of any shape.
const WEAKENINGS: [(&str, Weaken); 23] = [
    ("an outcome that is no success stands on the run", |case| {
        case.run.outcome = "failed".to_owned();
    }),
    ("a failure is noted", |case| {
        if case.restore.failure_reason.is_none() {
            case.restore.failure_reason = Some("HTTP 500".to_owned());
        }
    }),
    ("the backup set is gone", |case| {
        case.restore.backup_items = SetItems::Absent;
    }),
    ("it ended at the zero date", |case| {
        case.restore.completed_at = Stamp::parse(Some(0), true);
    }),
    ("the candidates are gone", |case| case.candidates.clear()),
    ("another restore claims the run", |case| {
        case.run.context = json(r#"{"restore_run_id":7}"#);
        case.candidates = vec![
            candidate(RestoreId(7), None),
            candidate(RestoreId(8), Some(case.run.id)),
        ];
    }),
    ("the environment is another one", |case| {
        case.restore.environment_id = EnvironmentId(9);
    }),
    ("it was a preview", |case| {
        case.restore.is_dry_run = Some(true);
    }),
    ("nobody knows whether it was a preview", |case| {
        case.restore.is_dry_run = None;
    }),
    ("it is still running", |case| {
        case.restore.status = "running".to_owned();
    }),
    ("its status is unknown", |case| {
        case.restore.status = "Completed".to_owned();
    }),
    ("audit entries are gone", |case| case.audits.clear()),
    ("an audit entry contradicts", |case| {
        let mut row = audit(9_999, "restore.executed", "12:00:00");
        row.status = Some("exploded".to_owned());
        row.recorded_at = Stamp::Unreadable;
        case.audits.push(row);
    }),
    ("the last audit entry contradicts", |case| {
        let mut row = audit(9_999, "restore.failed", "12:00:00");
        row.recorded_at = Stamp::At(case.as_of);
        case.audits.push(row);
    }),
    ("nobody can read when snapshots expire", |case| {
        for row in &mut case.snapshots {
            row.expires_at = Stamp::Unreadable;
        }
    }),
    ("more was requested", |case| {
        case.restore.requested_items = json("[101,102,999]");
    }),
    ("a blocker is recorded in an odd shape", |case| {
        if case.run.failure_summary == json("[]") {
            case.run.failure_summary = json(r#"[{"code":"x"},["write_gate_blocked"]]"#);
        }
    }),
    ("snapshots are gone", |case| case.snapshots.clear()),
    ("snapshots are not complete", |case| {
        for row in &mut case.snapshots {
            row.completeness = Some("partial".to_owned());
        }
    }),
    ("snapshots have expired", |case| {
        for row in &mut case.snapshots {
            row.expires_at = Stamp::At(case.as_of);
        }
    }),
    ("snapshots were generated before everything", |case| {
        for row in &mut case.snapshots {
            row.generated_at = Stamp::parse(Some(0), true);
        }
        case.policy.evidence_skew_max = SignedDuration::ZERO;
        case.restore.started_at = at("11:00:00");
    }),
    ("the start cannot be read", |case| {
        case.restore.started_at = Stamp::Unreadable;
    }),
    ("the end is not recorded", |case| {
        case.restore.completed_at = Stamp::Absent;
    }),
];

/// Generated cases that are all alike would prove little.
#[test]
fn generated_cases_reach_every_rule() {
    let mut runner = TestRunner::deterministic();
    let strategy = any_twins();
    let mut reached: BTreeMap<u8, usize> = BTreeMap::new();
    for _ in 0..3_000 {
        let twins = strategy.new_tree(&mut runner).unwrap().current();
        *reached.entry(twins.case.decide().rule).or_default() += 1;
    }
    assert_eq!(reached.len(), 26, "{reached:?}");
    assert!(reached[&26] > 50, "{reached:?}");
}
