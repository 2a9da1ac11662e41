//! Backup health: a row per fault and per finding, and the laws that hold over any items.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use reconciler_jobs::ids::BackupSetId;
use reconciler_jobs::json::Column;
use reconciler_jobs::reading::backup_health::{
    BackupFinding, BackupHealth, BackupItemRow, BackupReading, BackupSetFacts, BackupSetRow,
    BackupStatus, BackupThresholds, Quality,
};
use reconciler_jobs::stamp::Stamp;

use crate::generate::{cases, word_of};
use crate::support::{at, json, moment};

/// A completed set, an hour old at noon, of one item that nothing speaks against.
#[derive(Debug, Clone)]
struct Set {
    row: BackupSetRow,
    items: Vec<BackupItemRow>,
}

fn item(metadata: &str) -> BackupItemRow {
    BackupItemRow {
        has_payload: true,
        metadata: json(metadata),
    }
}

impl Set {
    fn whole() -> Self {
        Self {
            row: BackupSetRow {
                id: BackupSetId(3),
                name: "Nightly".to_owned(),
                status: "completed".to_owned(),
                completed_at: at("11:00:00"),
                is_deleted: false,
                items: 1,
            },
            items: vec![item("[]")],
        }
    }

    fn of(metadata: &[&str]) -> Self {
        let mut set = Self::whole();
        set.items = metadata.iter().map(|text| item(text)).collect();
        set.row.items = u64::try_from(metadata.len()).unwrap();
        set
    }

    fn facts(&self) -> BackupSetFacts {
        BackupSetFacts::gather(self.row.clone(), &self.items)
    }

    fn read(&self) -> BackupReading {
        read(Some(&self.facts()))
    }
}

fn noon() -> Timestamp {
    moment("12:00:00")
}

fn read(set: Option<&BackupSetFacts>) -> BackupReading {
    BackupReading::of(set, noon(), &BackupThresholds::default())
}

/// Metadata of one item, and its faults: metadata-only, assignment issue, orphaned assignments, or another one.
const ITEMS: &str = r#"
    [] | -
    {} | -
    null | -
    {"source":"graph"} | -
    {"source":null,"snapshot_source":null} | -
    {"source":"metadata_only"} | m
    {"source":" Metadata_Only "} | m
    {"snapshot_source":"metadata_only"} | m
    {"source":true} | m
    {"source":["graph"]} | m
    {"assignments_fetch_failed":false} | -
    {"assignments_fetch_failed":null} | -
    {"assignments_fetch_failed":true} | a
    {"assignments_fetch_failed":"false"} | a
    {"assignments_fetch_failed":0} | a
    {"assignments_fetch_failed":[]} | a
    {"assignment_capture_reason":"separate_role_assignments"} | -
    {"assignment_capture_reason":"captured"} | -
    {"assignment_capture_reason":"not_applicable"} | -
    {"assignment_capture_reason":"throttled"} | a
    {"assignment_capture_reason":""} | a
    {"assignment_capture_reason":7} | a
    {"has_orphaned_assignments":false} | -
    {"has_orphaned_assignments":true} | o
    {"has_orphaned_assignments":"no"} | o
    {"integrity_warning":""} | -
    {"integrity_warning":"  "} | -
    {"integrity_warning":[]} | -
    {"integrity_warning":"payload redacted"} | x
    {"integrity_warning":false} | x
    {"integrity_warning":["a"]} | x
    {"warnings":[]} | -
    {"warnings":null} | -
    {"warnings":["scope tags were not captured"]} | x
    {"warnings":true} | x
    {"source":"metadata_only","assignments_fetch_failed":true,"has_orphaned_assignments":true,"integrity_warning":"w"} | maox
    {"source":"graph","source":"graph"} | x
    [1] | x
    7 | x
    "captured" | x
    { | x
"#;

fn letters(quality: &Quality) -> String {
    let found = [
        (quality.metadata_only, 'm'),
        (quality.assignment_issues, 'a'),
        (quality.orphaned_assignments, 'o'),
        (quality.other_faults, 'x'),
    ];
    let letters: String = found
        .into_iter()
        .filter_map(|(count, letter)| (count == 1).then_some(letter))
        .collect();
    if letters.is_empty() {
        "-".to_owned()
    } else {
        letters
    }
}

#[test]
fn every_fault_of_an_item_is_counted() {
    for line in ITEMS.lines().filter(|line| !line.trim().is_empty()) {
        let (metadata, expected) = line.split_once(" | ").unwrap();
        let quality = Set::of(&[metadata.trim()]).facts().quality;
        assert_eq!(letters(&quality), expected, "{line}");
        assert_eq!(quality.degraded, u64::from(expected != "-"), "{line}");
    }
    for metadata in [Column::Oversized, Column::Bytes(vec![0xff])] {
        let mut set = Set::whole();
        set.items[0].metadata = metadata;
        assert_eq!(set.facts().quality.other_faults, 1);
    }
    let mut set = Set::whole();
    set.items[0].metadata = Column::Null;
    assert_eq!(set.facts().quality.degraded, 0);
    set.items[0].has_payload = false;
    assert_eq!(letters(&set.facts().quality), "m");
}

/// An item with two faults is one degraded item, and what was not looked at is counted as that.
#[test]
fn items_are_counted_once_and_faults_each() {
    let mut set = Set::of(&[
        r#"{"source":"metadata_only","has_orphaned_assignments":true}"#,
        r#"{"assignments_fetch_failed":true}"#,
        "[]",
    ]);
    set.row.items = 10;
    let quality = set.facts().quality;
    let counts: Vec<_> = quality.named().map(|(_, count)| count).collect();
    assert_eq!(counts, [10, 2, 1, 1, 1, 0, 7]);
    set.row.items = 0;
    let quality = set.facts().quality;
    assert_eq!((quality.items, quality.not_looked_at), (3, 0));
}

#[test]
fn every_finding_decides_where_it_is_the_first() {
    let changed = |change: &dyn Fn(&mut Set)| {
        let mut set = Set::whole();
        change(&mut set);
        set.read()
    };
    let completed = |stamp: Stamp| changed(&|set| set.row.completed_at = stamp);
    let age = |days: i64, seconds: i64| {
        let age = SignedDuration::from_hours(24 * days) + SignedDuration::from_secs(seconds);
        completed(Stamp::At(noon() - age))
    };
    let of = |metadata: &str| Set::of(&["[]", metadata]).read();
    let rows = [
        (BackupFinding::NoSet, read(None)),
        (
            BackupFinding::Deleted,
            changed(&|set| set.row.is_deleted = true),
        ),
        (
            BackupFinding::NotCompleted,
            changed(&|set| "Completed".clone_into(&mut set.row.status)),
        ),
        (BackupFinding::NothingCaptured, Set::of(&[]).read()),
        (BackupFinding::AgeUnknown, completed(Stamp::Absent)),
        (BackupFinding::AgeUnknown, completed(Stamp::Unreadable)),
        (BackupFinding::AgeUnknown, age(0, -301)),
        (BackupFinding::Captured, age(0, -300)),
        (BackupFinding::Captured, age(7, -1)),
        (BackupFinding::TooOld, age(7, 0)),
        (
            BackupFinding::SetFailed,
            changed(&|set| "failed".clone_into(&mut set.row.status)),
        ),
        (
            BackupFinding::SetPartial,
            changed(&|set| "partial".clone_into(&mut set.row.status)),
        ),
        (
            BackupFinding::NotLookedAt,
            changed(&|set| set.row.items = 2),
        ),
        (
            BackupFinding::MetadataOnly,
            of(r#"{"source":"metadata_only"}"#),
        ),
        (
            BackupFinding::AssignmentIssues,
            of(r#"{"assignments_fetch_failed":true}"#),
        ),
        (
            BackupFinding::OrphanedAssignments,
            of(r#"{"has_orphaned_assignments":true}"#),
        ),
        (BackupFinding::OtherFaults, of("{")),
        (BackupFinding::Captured, of("{}")),
    ];
    for (expected, read) in &rows {
        assert_eq!(read.finding, *expected);
        assert_eq!(read.health, expected.health());
        assert!(read.further.is_empty(), "{read:?}");
    }
    let met: BTreeSet<_> = rows.iter().map(|(finding, _)| finding).collect();
    assert_eq!(
        met.len(),
        BackupFinding::ALL.len(),
        "every finding has a row"
    );
    let states: BTreeSet<_> = rows.iter().map(|(_, read)| read.health).collect();
    assert_eq!(states.len(), BackupHealth::ALL.len());
}

/// Age is told before quality, and quality is told all the same.
#[test]
fn what_does_not_decide_is_told_as_well() {
    let mut set = Set::of(&[
        r#"{"source":"metadata_only"}"#,
        r#"{"assignments_fetch_failed":true}"#,
    ]);
    set.row.completed_at = Stamp::Absent;
    let read = set.read();
    assert_eq!(read.health, BackupHealth::Stale);
    assert_eq!(
        read.further,
        [BackupFinding::MetadataOnly, BackupFinding::AssignmentIssues]
    );
    set.row.is_deleted = true;
    assert!(set.read().further.is_empty());
    let shown = serde_json::to_value(Set::whole().read()).unwrap();
    assert_eq!(shown["health"], "healthy");
}

const VALUES: &str = r#"
    null true false 0 1 "" "false" "metadata_only" "graph" "captured" [] {} [1] {"a":1}
    1e999 "\ud800"
"#;

const KEYS: &str = "
    source snapshot_source assignments_fetch_failed assignment_capture_reason
    has_orphaned_assignments integrity_warning warnings note
";

fn any_metadata() -> impl Strategy<Value = Column> {
    let entry = (word_of(KEYS), word_of(VALUES));
    let map = prop::collection::vec(entry, 0..3).prop_map(|entries| {
        let entries: Vec<_> = entries
            .iter()
            .map(|(key, value)| format!("\"{key}\":{value}"))
            .collect();
        json(&format!("{{{}}}", entries.join(",")))
    });
    prop_oneof![
        6 => map,
        2 => word_of(VALUES).prop_map(json),
        1 => prop::collection::vec(any::<u8>(), 0..20).prop_map(Column::Bytes),
        1 => Just(Column::Null),
    ]
}

fn any_stamp() -> impl Strategy<Value = Stamp> {
    prop_oneof![
        1 => Just(Stamp::Absent),
        1 => Just(Stamp::Unreadable),
        4 => (-20_i64..20).prop_map(|days| Stamp::At(noon() - SignedDuration::from_hours(17 * days))),
        1 => Just(Stamp::At(Timestamp::MIN)),
        1 => Just(Stamp::At(Timestamp::MAX)),
    ]
}

fn any_set() -> impl Strategy<Value = Set> {
    let item = (prop::bool::weighted(0.8), any_metadata()).prop_map(|(has_payload, metadata)| {
        BackupItemRow {
            has_payload,
            metadata,
        }
    });
    let items = prop_oneof![
        Just(vec![item_without_fault()]),
        prop::collection::vec(item, 0..4)
    ];
    let beyond = prop_oneof![4 => Just(0_u64), 1 => Just(3), 1 => Just(u64::MAX - 9)];
    (items, beyond, any_stamp(), prop::bool::weighted(0.1)).prop_map(
        |(items, beyond, completed_at, is_deleted)| {
            let mut set = Set::whole();
            set.row.items = u64::try_from(items.len()).unwrap() + beyond;
            set.row.is_deleted = is_deleted;
            set.row.completed_at = completed_at;
            set.items = items;
            set
        },
    )
}

fn item_without_fault() -> BackupItemRow {
    item("[]")
}

/// Each takes one proof away.
const WEAKER: &[fn(&mut Set)] = &[
    |set| set.row.is_deleted = true,
    |set| set.row.status.push(' '),
    |set| set.row.status.replace_range(.., "partial"),
    |set| set.row.status.replace_range(.., "failed"),
    |set| set.row.completed_at = Stamp::Absent,
    |set| set.row.completed_at = Stamp::Unreadable,
    |set| set.row.completed_at = Stamp::At(noon() - SignedDuration::from_hours(900)),
    |set| set.row.items += u64::from(set.row.items > 0),
    |set| drop(set.items.pop()),
    |set| {
        if let Some(first) = set.items.first_mut() {
            first.has_payload = false;
        }
    },
    |set| {
        if let Some(first) = set.items.first_mut() {
            first.metadata = json("{");
        }
    },
    |set| {
        set.items.clear();
        set.row.items = 0;
    },
];

proptest! {
    #![proptest_config(cases(1_000))]

    /// Whatever the columns hold: items in any order read the same, and only what was looked at is fine.
    #[test]
    fn any_items_are_read_alike_and_without_overclaim(set in any_set()) {
        let facts = set.facts();
        let mut reversed = set.clone();
        reversed.items.reverse();
        prop_assert_eq!(&facts, &reversed.facts());
        let quality = facts.quality;
        prop_assert!(quality.degraded + quality.not_looked_at <= quality.items);
        if set.read().health == BackupHealth::Healthy {
            prop_assert!(facts.status == BackupStatus::Completed && !facts.is_deleted && facts.quality.items > 0);
            prop_assert_eq!((quality.degraded, quality.not_looked_at), (0, 0));
            prop_assert!(facts.completed_at.moment().is_some());
        }
    }

    /// A proof that is taken away never improves anything.
    #[test]
    fn less_proof_is_never_better(set in any_set(), at in 0..WEAKER.len()) {
        let mut weaker = set.clone();
        WEAKER[at](&mut weaker);
        prop_assert!(weaker.read().health <= set.read().health, "{:?}", weaker);
    }
}
