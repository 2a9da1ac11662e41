//! Laws over preparations whose columns may hold anything.

use proptest::prelude::*;
use reconciler_jobs::json::Column;
use reconciler_jobs::reading::gates::{GateState, Gates};
use serde_json::{Value, json};

use super::Draft;
use crate::generate::{cases, word_of};
use crate::support;

const VALUES: &str = r#"
    null true false 0 1 -1 "f1" "f2" "" [] {} [1] ["g1"] {"g1":null} {"fingerprint":"f1"}
    {"fingerprint":"f1","blocking_count":0} 2.5
"#;

const POINTERS: &[&str] = &[
    "/scope_basis",
    "/scope_basis/fingerprint",
    "/scope_basis/cached_groups",
    "/check_basis",
    "/check_basis/fingerprint",
    "/check_basis/blocking_count",
    "/check_basis/warning_count",
    "/preview_basis",
    "/preview_basis/fingerprint",
    "/execution_safety_snapshot",
    "/execution_safety_snapshot/fingerprint",
    "/execution_safety_snapshot/confirmed",
    "/execution_safety_snapshot/blocking_count",
];

const STATUSES: &str = "
    draft scoped checked previewed pending running completed failed odd
";

fn any_column() -> impl Strategy<Value = Column> {
    prop_oneof![
        Just(Column::Null),
        Just(Column::Oversized),
        word_of(VALUES).prop_map(support::json),
        prop::collection::vec(any::<u8>(), 0..12).prop_map(Column::Bytes),
    ]
}

fn any_draft() -> impl Strategy<Value = Draft> {
    let change = (prop::sample::select(POINTERS), word_of(VALUES));
    (
        word_of(STATUSES),
        prop::collection::vec(change, 0..3),
        prop::collection::vec((0..3_usize, any_column()), 0..2),
        prop::bool::weighted(0.1),
    )
        .prop_map(|(status, changes, columns, is_dry_run)| {
            let mut draft = Draft::ready();
            status.clone_into(&mut draft.row.status);
            draft.row.is_dry_run = Some(is_dry_run);
            for (pointer, value) in changes {
                if let Some(found) = draft.metadata.pointer_mut(pointer) {
                    *found = serde_json::from_str(value).unwrap();
                }
            }
            for (which, column) in columns {
                *[
                    &mut draft.row.requested_items,
                    &mut draft.row.group_mapping,
                    &mut draft.row.preview,
                ][which] = column;
            }
            draft
        })
}

/// Each takes one record away, or makes it doubtful.
fn weaken(draft: &mut Draft, which: usize) {
    let take = |draft: &mut Draft, pointer: &str| {
        if let Some(found) = draft.metadata.pointer_mut(pointer) {
            *found = Value::Null;
        }
    };
    match which.checked_sub(POINTERS.len()) {
        None => take(draft, POINTERS[which]),
        Some(0) => draft.set = None,
        Some(1) => draft.row.has_target = false,
        Some(2) => draft.row.preview = Column::Null,
        Some(3) => draft.row.preview = support::json("{"),
        Some(4) => "draft".clone_into(&mut draft.row.status),
        Some(5) => "odd".clone_into(&mut draft.row.status),
        Some(6) => draft.row.is_dry_run = None,
        Some(7) => draft.row.requested_items = support::json("[]"),
        Some(8) => draft.row.group_mapping = support::json(r#"{"g9":null}"#),
        Some(9) => draft.metadata = json!([]),
        _ => {
            let found = draft.metadata.pointer_mut("/scope_basis/fingerprint");
            if let Some(Value::String(fingerprint)) = found
                && !fingerprint.is_empty()
            {
                fingerprint.push('x');
            }
        }
    }
}

proptest! {
    #![proptest_config(cases(2_000))]

    /// Whatever the columns hold, execution is available only behind six passed gates of one scope.
    #[test]
    fn execution_is_never_available_early(draft in any_draft()) {
        let (facts, gates) = (draft.facts(), draft.gates());
        prop_assert_eq!(gates, Gates::of(&facts));
        let passed = gates.iter().take(6).all(|it| it.state.is_passed());
        let may = passed && facts.status.is_pre_execution() && !facts.is_dry_run;
        prop_assert_eq!(gates.execution_available(), may);
        if may {
            let scope = &facts.scope_basis.fingerprint;
            prop_assert!(scope.is_some());
            prop_assert_eq!(scope, &facts.check_basis.fingerprint);
            prop_assert_eq!(scope, &facts.preview_basis.fingerprint);
            prop_assert_eq!(scope, &facts.safety_snapshot.fingerprint);
        }
        let last = gates.iter().last().unwrap();
        prop_assert_ne!(last.state, GateState::Complete);
    }

    /// A record that is taken away completes no gate and lets none be passed.
    #[test]
    fn less_record_is_never_more_complete(draft in any_draft(), which in 0..POINTERS.len() + 11) {
        let mut weaker = draft.clone();
        weaken(&mut weaker, which);
        let (before, after) = (draft.gates(), weaker.gates());
        for (then, now) in before.iter().zip(after.iter()) {
            prop_assert!(then.state.is_passed() || !now.state.is_passed(), "{then:?} {now:?}");
            let is_complete = |state| state == GateState::Complete;
            prop_assert!(is_complete(then.state) || !is_complete(now.state), "{then:?} {now:?}");
        }
    }
}
