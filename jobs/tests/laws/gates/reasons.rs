//! Each reason of each gate, by what leads to it.

use std::collections::BTreeSet;

use reconciler_jobs::reading::backup_health::{BackupItemRow, BackupSetRow};
use reconciler_jobs::reading::gates::{GateReason, GateState, Gates};
use serde_json::Value;

use super::{Draft, captured, with};
use crate::support;

/// What is put where, into a preparation that is ready: a status, a column, or a place in the metadata. Then the gate
/// that tells of it, and what it says.
const ROWS: &str = r#"
    status | pending | source | source_usable
    status | pending | target | target_selected
    status | pending | scope | scope_recorded
    status | pending | validation | checks_passed
    status | pending | preview | preview_made
    status | pending | confirmation | confirmed
    status | pending | execution | ready_to_execute
    status | draft | scope | scope_not_recorded
    status | draft | validation | not_its_turn
    status | draft | preview | not_its_turn
    status | draft | confirmation | not_its_turn
    status | scoped | validation | checks_missing
    status | checked | preview | preview_missing
    status | previewed | confirmation | not_confirmed
    status | previewed | execution | not_executed
    status | queued | execution | executing
    status | running | execution | executing
    status | completed | execution | executed
    status | partial | execution | executed
    status | completed_with_errors | execution | executed
    status | failed | execution | execution_stopped
    status | aborted | execution | execution_stopped
    status | cancelled | execution | execution_stopped
    status | queued | confirmation | past_confirmation
    status | running | confirmation | past_confirmation
    status | completed | confirmation | past_confirmation
    status | partial | confirmation | past_confirmation
    status | failed | confirmation | past_confirmation
    status | completed_with_errors | confirmation | past_confirmation
    status | cancelled | confirmation | confirmed
    status | aborted | confirmation | confirmed
    status | Pending | confirmation | not_its_turn
    status | Pending | scope | scope_not_recorded
    status | Pending | execution | status_unknown
    requested_items | null | scope | scope_recorded
    requested_items | {"0":"101","2":102} | scope | scope_recorded
    requested_items | ["all"] | scope | scope_unreadable
    requested_items | [0] | scope | scope_unreadable
    requested_items | 7 | scope | scope_unreadable
    requested_items | { | scope | scope_unreadable
    requested_items | [] | scope | nothing_selected
    requested_items | {} | scope | nothing_selected
    group_mapping | [] | scope | scope_recorded
    group_mapping | null | scope | scope_recorded
    group_mapping | ["t1"] | scope | mapping_unreadable
    group_mapping | {"a":"b","a":"c"} | scope | mapping_unreadable
    group_mapping | "t1" | scope | mapping_unreadable
    group_mapping | {"g1":null,"g2":"t"} | scope | mappings_unresolved
    group_mapping | {"g1":" "} | scope | mappings_unresolved
    group_mapping | {"g1":7} | scope | mappings_unresolved
    group_mapping | {"g1":{"id":"t1"}} | scope | mappings_unresolved
    group_mapping | {"g1":"SKIP"} | scope | mappings_skipped
    group_mapping | {"g1":" skip"} | scope | mappings_skipped
    /scope_basis | {"fingerprint":"f1","required_groups":"g1"} | scope | mapping_unreadable
    /scope_basis | {"fingerprint":"f1","required_groups":[1]} | scope | mapping_unreadable
    /scope_basis | {"fingerprint":"f1","required_groups":["g1"]} | scope | scope_recorded
    /scope_basis | {"fingerprint":"f1","required_groups":["g3"]} | scope | mappings_unresolved
    /scope_basis | {"fingerprint":"f1","required_groups":["g3"],"cached_groups":0} | scope | groups_not_cached
    /scope_basis | [] | scope | scope_not_recorded
    /scope_basis/fingerprint | 1 | scope | scope_not_recorded
    /scope_basis/fingerprint | " " | scope | scope_not_recorded
    /scope_basis/fingerprint | "f2" | validation | checks_outdated
    /scope_basis/fingerprint | "f2" | preview | not_its_turn
    /check_basis | [] | validation | checks_missing
    /check_basis/fingerprint | null | validation | checks_missing
    /check_basis/blocking_count | "no" | validation | checks_missing
    /check_basis/blocking_count | null | validation | checks_missing
    /check_basis/blocking_count | 1 | validation | checks_blocked
    /check_basis/warning_count | 2 | validation | checks_warned
    /check_basis/warning_count | null | validation | checks_uncounted
    preview | null | preview | preview_missing
    preview | [] | preview | preview_missing
    preview | true | preview | preview_missing
    /preview_basis | {} | preview | preview_missing
    /preview_basis/fingerprint | "f0" | preview | preview_outdated
    /execution_safety_snapshot/confirmed | "true" | confirmation | not_confirmed
    /execution_safety_snapshot/blocking_count | null | confirmation | not_confirmed
    /execution_safety_snapshot/blocking_count | 3 | confirmation | confirmation_blocked
    /execution_safety_snapshot/fingerprint | "f0" | confirmation | confirmation_outdated
"#;

fn changed(place: &str, value: &str) -> Gates {
    with(|it| match place {
        "status" => value.clone_into(&mut it.row.status),
        "requested_items" => it.row.requested_items = support::json(value),
        "group_mapping" => it.row.group_mapping = support::json(value),
        "preview" => it.row.preview = support::json(value),
        pointer => {
            let found: &mut Value = it.metadata.pointer_mut(pointer).unwrap();
            *found = serde_json::from_str(value).unwrap();
        }
    })
}

/// The reason of one gate, both as machines read them.
fn reason(gates: &Gates, gate: &str) -> String {
    let shown = serde_json::to_value(gates).unwrap();
    let gates = shown["gates"].as_array().unwrap();
    let found = gates.iter().find(|it| it["gate"] == gate).unwrap();
    found["reason"].as_str().unwrap().to_owned()
}

/// What no column of the restore says.
fn beside_the_columns() -> [(&'static str, &'static str, Gates); 12] {
    let set = |change: fn(&mut BackupSetRow, &mut Vec<BackupItemRow>)| {
        with(|it| {
            let (row, items) = it.set.as_mut().unwrap();
            change(row, items);
        })
    };
    let second = |row: &mut BackupSetRow, items: &mut Vec<BackupItemRow>| {
        row.items = 2;
        items.push(captured("{"));
    };
    let empty = |row: &mut BackupSetRow, items: &mut Vec<BackupItemRow>| {
        row.items = 0;
        items.clear();
    };
    let preview_only = |is_dry_run| with(|it: &mut Draft| it.row.is_dry_run = is_dry_run);
    [
        ("source", "source_usable", set(second)),
        (
            "source",
            "source_degraded",
            set(|_, items| items[0].has_payload = false),
        ),
        ("source", "source_degraded", set(|_, items| items.clear())),
        ("source", "source_missing", with(|it| it.set = None)),
        (
            "source",
            "source_unusable",
            set(|row, _| row.is_deleted = true),
        ),
        (
            "source",
            "source_unusable",
            set(|row, _| row.status.push('?')),
        ),
        ("source", "source_empty", set(empty)),
        (
            "target",
            "target_missing",
            with(|it| it.row.has_target = false),
        ),
        ("validation", "not_its_turn", with(|it| it.set = None)),
        ("confirmation", "preview_only", preview_only(None)),
        ("execution", "preview_only", preview_only(Some(true))),
        ("execution", "ready_to_execute", preview_only(Some(false))),
    ]
}

#[test]
fn every_reason_is_found_where_it_belongs() {
    let mut met = BTreeSet::new();
    for line in ROWS.lines().filter(|line| !line.trim().is_empty()) {
        let fields: Vec<&str> = line.split(" | ").map(str::trim).collect();
        let gates = changed(fields[0], fields[1]);
        assert_eq!(reason(&gates, fields[2]), fields[3], "{line}");
        met.insert(fields[3]);
    }
    for (gate, expected, gates) in beside_the_columns() {
        assert_eq!(reason(&gates, gate), expected, "{gates:?}");
        met.insert(expected);
    }
    assert_eq!(met.len(), GateReason::ALL.len(), "every reason has a row");
    let states: Vec<_> = GateReason::ALL.iter().map(|it| it.state()).collect();
    assert!(GateState::ALL.iter().all(|state| states.contains(state)));
}
