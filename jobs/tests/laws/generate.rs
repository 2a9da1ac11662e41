//! Generated rows: a proven case in which any column may hold anything, or anything but a little.
//!
//! Strategies are boxed: unboxed, their trees are moved about on the stack and outgrow that of a test.

use jiff::SignedDuration;
use proptest::prelude::*;
use reconciler_jobs::ids::{EnvironmentId, RestoreId, RunId, SnapshotId, WorkspaceId};
use reconciler_jobs::json::Column;
use reconciler_jobs::restore_execute::rows::{CandidateRow, SetItems};
use reconciler_jobs::stamp::Stamp;

use crate::support::{Case, RESTORE, RUN, audit, candidate, moment, snapshot};

/// So many cases, and no file of those that failed.
pub(crate) fn cases(cases: u32) -> ProptestConfig {
    ProptestConfig {
        cases,
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

/// One of the words of a text.
pub(crate) fn word_of(text: &'static str) -> impl Strategy<Value = &'static str> {
    prop::sample::select(text.split_whitespace().collect::<Vec<_>>())
}

/// A document that can be written with its keys in either order.
#[derive(Debug, Clone)]
pub(crate) enum Doc {
    Raw(String),
    List(Vec<Doc>),
    Map(Vec<(String, Doc)>),
}

impl Doc {
    pub(crate) fn text(&self, reversed: bool) -> String {
        match self {
            Self::Raw(text) => text.clone(),
            Self::List(items) => {
                let items: Vec<_> = items.iter().map(|item| item.text(reversed)).collect();
                format!("[{}]", items.join(","))
            }
            Self::Map(entries) => {
                let mut entries: Vec<_> = entries
                    .iter()
                    .map(|(key, value)| format!("{}:{}", quoted(key), value.text(reversed)))
                    .collect();
                if reversed {
                    entries.reverse();
                }
                format!("{{{}}}", entries.join(if reversed { " , " } else { "," }))
            }
        }
    }
}

fn quoted(text: &str) -> String {
    serde_json::to_string(text).unwrap()
}

/// A column, and the same with its keys the other way round.
#[derive(Debug, Clone)]
pub(crate) struct Columns {
    forward: Column,
    reversed: Column,
}

/// A case, and the same with rows and keys the other way round.
#[derive(Debug, Clone)]
pub(crate) struct Twins {
    pub(crate) case: Case,
    pub(crate) reversed: Case,
}

const WORDS: &[&str] = &[
    "applied",
    "succeeded",
    "success",
    "created",
    "updated",
    "mapped_existing",
    "created_copy",
    "completed_with_errors",
    "partial",
    "failed",
    "error",
    "skipped",
    "preview_only",
    "dry_run",
    "manual_required",
    "Applied",
    " applied",
    "done",
    "",
    "101",
    "102",
    "7",
    " 7",
    "7.5",
    "1e999",
    "70",
    "write_gate_blocked",
    "missing_capability",
    "intune_rbac.stale",
    "complete",
    "é\u{1F600}",
];

const KEYS: &str = r#"
    items foundations status decision outcome error success errors assignments mappings
    backup_item_id assignment_outcomes assignment_summary
    101 102 0101 0 1 total succeeded failed skipped partial non_applied processed
    foundations_skipped blocked_reason code reason_code restore_run_id target_scope
    workspace_id managed_environment_id environment_id tenant_id execution_legitimacy reconciliation note é😀 a"b\c
"#;

fn leaf() -> BoxedStrategy<Doc> {
    let raw = |text: &str| Doc::Raw(text.to_owned());
    prop_oneof![
        6 => prop::sample::select(WORDS).prop_map(|word| Doc::Raw(quoted(word))),
        4 => (-3_i64..120).prop_map(|number| Doc::Raw(number.to_string())),
        1 => any::<i64>().prop_map(|number| Doc::Raw(number.to_string())),
        1 => any::<f64>().prop_filter("JSON has no NaN", |number| number.is_finite())
            .prop_map(|number| Doc::Raw(format!("{number:e}"))),
        1 => any::<String>().prop_map(|text| Doc::Raw(quoted(&text))),
        2 => prop::sample::select(vec![
            "null", "true", "false", "12345678901234567890.10", "1E400", "-0.0", "2.0", "\"\\u0000\"",
            "\"\\ud800\"", "\"\\ud83d\\ude00\"", "\"\\/\"", "9007199254740993", "[]", "{}", "[[[]]]", "",
        ]).prop_map(raw),
    ]
    .boxed()
}

fn key() -> impl Strategy<Value = String> {
    prop_oneof![
        9 => word_of(KEYS).prop_map(str::to_owned),
        1 => any::<String>(),
    ]
}

/// Any JSON, made of the platform's words more often than chance would.
pub(crate) fn doc() -> BoxedStrategy<Doc> {
    leaf()
        .prop_recursive(5, 40, 5, |inner| {
            prop_oneof![
                1 => prop::collection::vec(inner.clone(), 0..5).prop_map(Doc::List),
                2 => prop::collection::vec((key(), inner), 0..6).prop_map(Doc::Map),
            ]
        })
        .boxed()
}

fn map(keys: &'static [&'static str]) -> impl Strategy<Value = Doc> {
    prop::collection::vec(
        (prop::sample::select(keys).prop_map(str::to_owned), doc()),
        0..4,
    )
    .prop_map(Doc::Map)
}

/// Documents of the right shape with anything in the places that are looked at.
fn shaped() -> BoxedStrategy<Doc> {
    prop_oneof![
        map(&["101", "102", "103", "0"])
            .prop_map(|items| Doc::Map(vec![("items".to_owned(), items)])),
        map(&[
            "total",
            "succeeded",
            "failed",
            "skipped",
            "blocked_reason",
            "note"
        ]),
        map(&[
            "restore_run_id",
            "target_scope",
            "execution_legitimacy",
            "note",
            "reconciliation",
            "big"
        ]),
        prop::collection::vec(map(&["code", "reason_code", "message"]), 0..3).prop_map(Doc::List),
        map(&["note", "é", "total", "processed"]),
    ]
    .boxed()
}

/// Results of which nothing was applied.
fn idle() -> impl Strategy<Value = Doc> {
    prop::sample::select(vec![
        r#"{"items":{"101":{"status":"failed"},"102":{"status":"error"}}}"#,
        r#"{"items":{"101":{"status":"skipped"}}}"#,
        r#"{"foundations":[{"decision":"mapped_existing"}]}"#,
        "[]",
    ])
    .prop_map(|text| Doc::Raw(text.to_owned()))
}

/// Results as requested, of which one thing is any word under any key.
fn nearly() -> impl Strategy<Value = Doc> {
    let entry = |key: &str, doc: Doc| (key.to_owned(), doc);
    let item = move |key: &str, word: &str| Doc::Map(vec![entry(key, Doc::Raw(quoted(word)))]);
    let keys = &["status", "decision", "outcome", "error", "success"][..];
    let places = 0_usize..6;
    (
        prop::sample::select(WORDS),
        prop::sample::select(keys),
        places,
    )
        .prop_map(move |(word, key, place)| {
            let odd = || item(key, word);
            let mut second = vec![entry("status", Doc::Raw(quoted("applied")))];
            let mut results = Vec::new();
            match place {
                0 => second = vec![entry(key, Doc::Raw(quoted(word)))],
                1 if key != "status" => second.push(entry(key, Doc::Raw(quoted(word)))),
                2 => results.push(entry("assignments", Doc::List(vec![odd()]))),
                3 => {
                    let foundations = vec![entry("foundations", Doc::List(vec![odd()]))];
                    results.push(entry("mappings", Doc::Map(foundations)));
                }
                4 => results.push(entry("status", Doc::Raw(quoted(word)))),
                5 => results.push(entry("errors", Doc::List(vec![odd()]))),
                _ => {}
            }
            let items = vec![
                entry("101", item("status", "created")),
                entry("102", Doc::Map(second)),
            ];
            results.push(entry("items", Doc::Map(items)));
            Doc::Map(results)
        })
}

fn columns() -> BoxedStrategy<Columns> {
    let written = |doc: Doc| Columns {
        forward: Column::Bytes(doc.text(false).into_bytes()),
        reversed: Column::Bytes(doc.text(true).into_bytes()),
    };
    let same = |column: Column| Columns {
        forward: column.clone(),
        reversed: column,
    };
    prop_oneof![
        6 => shaped().prop_map(written),
        4 => doc().prop_map(written),
        7 => idle().prop_map(written),
        5 => nearly().prop_map(written),
        1 => prop::collection::vec(any::<u8>(), 0..40).prop_map(move |bytes| same(Column::Bytes(bytes))),
        1 => Just(same(Column::Null)),
        1 => Just(same(Column::Oversized)),
    ]
    .boxed()
}

/// Half of the time the column of the proven case stays.
fn sometimes<T: std::fmt::Debug + Clone>(
    strategy: impl Strategy<Value = T>,
) -> impl Strategy<Value = Option<T>> {
    prop::option::weighted(0.25, strategy)
}

/// Nine times in ten the usual word.
fn mostly(
    usual: &'static str,
    others: &'static [&'static str],
) -> impl Strategy<Value = &'static str> {
    prop_oneof![9 => Just(usual), 1 => prop::sample::select(others)]
}

fn stamp() -> BoxedStrategy<Stamp> {
    let noon = moment("12:00:00").as_microsecond();
    prop_oneof![
        1 => (any::<Option<i64>>(), any::<bool>()).prop_map(|(micros, present)| Stamp::parse(micros, present)),
        6 => (-100_i64..40).prop_map(move |minutes| Stamp::parse(Some(noon + minutes * 60_000_000), true)),
        2 => Just(Stamp::Absent),
        1 => prop::sample::select(vec![Stamp::Far, Stamp::Unreadable, Stamp::parse(Some(0), true)]),
    ]
    .boxed()
}

fn duration() -> BoxedStrategy<SignedDuration> {
    prop_oneof![
        (0_i64..90).prop_map(SignedDuration::from_mins),
        (
            any::<i64>(),
            any::<i32>().prop_map(|nanos| nanos % 1_000_000_000)
        )
            .prop_map(|(seconds, nanos)| SignedDuration::new(seconds / 2, nanos)),
        Just(SignedDuration::MIN),
        Just(SignedDuration::MAX),
    ]
    .boxed()
}

const RESTORE_STATUSES: &str = "completed,completed,partial,failed,cancelled,cancelled,aborted,aborted,queued,\
    completed_with_errors,draft,Completed,";

fn twin_run() -> BoxedStrategy<Twins> {
    (
        sometimes(columns()),
        sometimes(columns()),
        sometimes(columns()),
        sometimes(stamp()),
        sometimes(stamp()),
        mostly("running", &["queued", "completed", "Running"]),
        mostly("restore.execute", &["restore.verify"]),
        sometimes(prop_oneof![Just(None), Just(Some(EnvironmentId(3)))]),
        mostly(
            "pending",
            &["succeeded", "failed", "blocked", "partially_succeeded"],
        ),
    )
        .prop_map(
            |(
                context,
                summary,
                counts,
                started,
                created,
                status,
                run_type,
                environment,
                outcome,
            )| {
                twins(|case, reversed| {
                    let run = &mut case.run;
                    put(&mut run.context, context.as_ref(), reversed);
                    put(&mut run.failure_summary, summary.as_ref(), reversed);
                    put(&mut run.summary_counts, counts.as_ref(), reversed);
                    run.started_at = started.unwrap_or(run.started_at);
                    run.created_at = created.unwrap_or(run.created_at);
                    run.status = status.to_owned();
                    run.run_type = run_type.to_owned();
                    run.outcome = outcome.to_owned();
                    run.environment_id = environment.unwrap_or(run.environment_id);
                })
            },
        )
        .boxed()
}

fn put(slot: &mut Column, columns: Option<&Columns>, reversed: bool) {
    if let Some(columns) = columns {
        let chosen = if reversed {
            &columns.reversed
        } else {
            &columns.forward
        };
        slot.clone_from(chosen);
    }
}

fn twins(change: impl Fn(&mut Case, bool)) -> Twins {
    let mut case = Case::proven();
    change(&mut case, false);
    let mut reversed = Case::proven();
    change(&mut reversed, true);
    Twins { case, reversed }
}

fn twin_restore() -> BoxedStrategy<Twins> {
    (
        sometimes(columns()),
        sometimes(columns()),
        sometimes(columns()),
        sometimes(prop::option::of(any::<bool>())),
        sometimes(prop::sample::select(
            RESTORE_STATUSES.split(',').collect::<Vec<_>>(),
        )),
        sometimes(prop::option::of(prop::sample::select(WORDS))),
        (sometimes(stamp()), sometimes(stamp()), sometimes(stamp())),
        prop::option::weighted(0.05, (1_i64..4, 1_i64..4)),
        sometimes(set_items()),
        prop::option::weighted(
            0.1,
            (
                prop::sample::select(&["write_gate_blocked", "operational_control.paused"][..]),
                any::<bool>(),
            ),
        ),
    )
        .prop_map(
            |(results, requested, metadata, dry, status, reason, stamps, scope, set, waiting)| {
                twins(|case, reversed| {
                    let restore = &mut case.restore;
                    put(&mut restore.results, results.as_ref(), reversed);
                    put(&mut restore.requested_items, requested.as_ref(), reversed);
                    put(&mut restore.metadata, metadata.as_ref(), reversed);
                    restore.is_dry_run = dry.unwrap_or(restore.is_dry_run);
                    status
                        .unwrap_or("completed")
                        .clone_into(&mut restore.status);
                    restore.failure_reason = reason.flatten().map(str::to_owned);
                    restore.started_at = stamps.0.unwrap_or(restore.started_at);
                    restore.completed_at = stamps.1.unwrap_or(restore.completed_at);
                    restore.created_at = stamps.2.unwrap_or(restore.created_at);
                    restore.updated_at = stamps.0.unwrap_or(restore.updated_at);
                    restore.backup_items = set.clone().unwrap_or(restore.backup_items.clone());
                    if let Some((blocker, started)) = waiting {
                        if !started {
                            "queued".clone_into(&mut restore.status);
                            restore.started_at = Stamp::Absent;
                        }
                        restore.failure_reason = Some(blocker.to_owned());
                        restore.results = Column::Null;
                        restore.metadata = Column::Null;
                    }
                    if let Some((workspace, environment)) = scope {
                        restore.workspace_id = WorkspaceId(workspace);
                        restore.environment_id = EnvironmentId(environment);
                    }
                })
            },
        )
        .boxed()
}

/// What a backup set may hold.
fn set_items() -> impl Strategy<Value = SetItems> {
    prop_oneof![
        Just(SetItems::Absent),
        prop::collection::btree_set(100_i64..104, 0..4)
            .prop_map(|ids| SetItems::Ids(ids.into_iter().collect())),
    ]
}

fn twin_witnesses() -> BoxedStrategy<Twins> {
    let audits = prop::collection::vec(
        (
            895_i64..905,
            prop::sample::select(
                &[
                    "restore.completed",
                    "restore.executed",
                    "restore.failed",
                    "x",
                ][..],
            ),
            prop::option::of(prop::sample::select(
                &["success", "failed", "partial", "?"][..],
            )),
            prop::option::of(prop::sample::select(&["success", "info", "ok"][..])),
            stamp(),
            prop::bool::weighted(0.9),
        ),
        0..4,
    );
    let snapshots = prop::collection::vec(
        (
            495_i64..505,
            prop::sample::select(&["active", "active", "generating", "failed", "Active"][..]),
            prop::option::of(prop::sample::select(
                &["complete", "complete", "partial"][..],
            )),
            (stamp(), stamp()),
            prop::bool::weighted(0.9),
        ),
        0..4,
    );
    let candidates = prop::collection::vec(
        (6_i64..9, prop::option::of(69_i64..72), any::<bool>()),
        0..4,
    );
    (
        sometimes(audits),
        sometimes(snapshots),
        sometimes(candidates),
        sometimes((duration(), duration(), duration(), duration())),
        -40_i64..60,
    )
        .prop_map(|(audits, snapshots, candidates, windows, minutes)| {
            let mut twins = twins(|_, _| {});
            let case = &mut twins.case;
            case.as_of += SignedDuration::from_mins(minutes);
            if let Some(audits) = &audits {
                case.audits.clear();
                for (id, action, status, outcome, recorded, own) in audits {
                    let mut row = audit(*id, action, "12:00:00");
                    row.restore_id = if *own { RESTORE } else { RestoreId(8) };
                    row.status = status.map(str::to_owned);
                    row.outcome = outcome.map(str::to_owned);
                    row.recorded_at = *recorded;
                    case.audits.push(row);
                }
            }
            if let Some(snapshots) = &snapshots {
                case.snapshots.clear();
                for (id, status, completeness, (generated, expires), own) in snapshots {
                    // Ids are keys: no two snapshots share one.
                    let unique = id * 10 + i64::try_from(case.snapshots.len()).unwrap();
                    let mut row = snapshot(unique, status, "12:00:00");
                    row.id = SnapshotId(unique);
                    row.run_id = if *own { RUN } else { RunId(71) };
                    row.completeness = completeness.map(str::to_owned);
                    row.generated_at = *generated;
                    row.expires_at = *expires;
                    case.snapshots.push(row);
                }
            }
            if let Some(candidates) = &candidates {
                case.candidates = candidates
                    .iter()
                    .map(|(id, run, contests)| CandidateRow {
                        contests: *contests,
                        ..candidate(RestoreId(*id), run.map(RunId))
                    })
                    .collect();
            }
            if let Some((settle, progress, skew, evidence)) = windows {
                case.policy.settle_window = settle;
                case.policy.settle_window_in_progress = progress;
                case.policy.clock_skew_max = skew;
                case.policy.evidence_skew_max = evidence;
            }
            let reversed = &mut twins.reversed;
            reversed.as_of = case.as_of;
            reversed.policy = case.policy.clone();
            reversed.audits = case.audits.iter().rev().cloned().collect();
            reversed.snapshots = case.snapshots.iter().rev().cloned().collect();
            reversed.candidates = case.candidates.iter().rev().copied().collect();
            twins
        })
        .boxed()
}

/// Any rows at all, success among them.
pub(crate) fn any_twins() -> BoxedStrategy<Twins> {
    (twin_run(), twin_restore(), twin_witnesses())
        .prop_map(|(run, restore, mut twins)| {
            twins.case.run = run.case.run;
            twins.reversed.run = run.reversed.run;
            twins.case.restore = restore.case.restore;
            twins.reversed.restore = restore.reversed.restore;
            twins
        })
        .boxed()
}
