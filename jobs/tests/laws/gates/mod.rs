//! Safety gates: the compact form, the decision card, and what is read from columns.
//!
//! | Module | Story |
//! |---|---|
//! | `laws` | laws over any columns |
//! | `reasons` | a row per reason |

mod laws;
mod reasons;

use std::collections::BTreeSet;

use reconciler_jobs::ids::BackupSetId;
use reconciler_jobs::json::Column;
use reconciler_jobs::reading::backup_health::{BackupItemRow, BackupSetFacts, BackupSetRow};
use reconciler_jobs::reading::gates::{
    CardStatus, Gate, GateReason, Gates, GroupCache, PreparationFacts, PreparationRow, RestoreScope,
};
use reconciler_jobs::reading::metadata_keys::{MetadataKey, MetadataKeys};
use serde_json::{Value, json};

use crate::support::{self, at};

/// A restore of which every gate before execution is complete.
#[derive(Debug, Clone)]
struct Draft {
    row: PreparationRow,
    metadata: Value,
    set: Option<(BackupSetRow, Vec<BackupItemRow>)>,
}

impl Draft {
    fn ready() -> Self {
        let set = BackupSetRow {
            id: BackupSetId(3),
            name: "Nightly".to_owned(),
            status: "completed".to_owned(),
            completed_at: at("11:00:00"),
            is_deleted: false,
            items: 1,
        };
        Self {
            row: PreparationRow {
                is_dry_run: Some(false),
                status: "pending".to_owned(),
                has_target: true,
                requested_items: support::json("[101,102]"),
                group_mapping: support::json(r#"{"g1":"t1","g2":"t2"}"#),
                preview: support::json(r#"{"items":[{"id":101}]}"#),
                metadata: Column::Null,
            },
            metadata: json!({
                "scope_basis": {"fingerprint": "f1", "cached_groups": 12},
                "check_basis": {"fingerprint": "f1", "blocking_count": 0, "warning_count": 0},
                "preview_basis": {"fingerprint": "f1"},
                "execution_safety_snapshot": {"fingerprint": "f1", "confirmed": true, "blocking_count": 0},
            }),
            set: Some((set, vec![captured("[]")])),
        }
    }

    fn facts(&self) -> PreparationFacts {
        self.facts_by(&MetadataKeys::default())
    }

    fn facts_by(&self, keys: &MetadataKeys) -> PreparationFacts {
        let mut row = self.row.clone();
        row.metadata = support::json(&self.metadata.to_string());
        let gather = |(set, items): (BackupSetRow, Vec<_>)| BackupSetFacts::gather(set, &items);
        PreparationFacts::gather(&row, self.set.clone().map(gather), keys)
    }

    fn gates(&self) -> Gates {
        Gates::of(&self.facts())
    }
}

fn captured(metadata: &str) -> BackupItemRow {
    BackupItemRow {
        has_payload: true,
        metadata: support::json(metadata),
    }
}

fn draft(change: impl FnOnce(&mut Draft)) -> Draft {
    let mut draft = Draft::ready();
    change(&mut draft);
    draft
}

fn with(change: impl FnOnce(&mut Draft)) -> Gates {
    draft(change).gates()
}

fn status(word: &str) -> Gates {
    with(|it| word.clone_into(&mut it.row.status))
}

fn mapping(text: &str, basis: Value) -> Gates {
    with(|it| {
        it.row.group_mapping = support::json(text);
        it.metadata["scope_basis"] = basis;
    })
}

fn basis() -> Value {
    json!({"fingerprint": "f1"})
}

/// Whatever keys there are, and none at all.
#[test]
fn what_was_executed_is_past_its_confirmation() {
    let executed = with(|it| {
        "completed".clone_into(&mut it.row.status);
        it.metadata = json!({});
    });
    let confirmation = executed.iter().find(|it| it.gate == Gate::Confirmation);
    assert_eq!(
        confirmation.map(|it| it.reason),
        Some(GateReason::PastConfirmation)
    );
}

/// Each key by another name, which alone is read then.
#[test]
fn keys_are_read_by_the_names_that_they_are_given() {
    let draft = Draft::ready();
    let of = |keys: &MetadataKeys| draft.facts_by(keys);
    let ours = of(&MetadataKeys::default());
    for key in MetadataKey::ALL {
        let mut keys = MetadataKeys::default();
        let at = MetadataKey::ALL.iter().position(|it| *it == key);
        "elsewhere".clone_into(&mut keys.0[at.expect("one of them")]);
        let is_there = key != MetadataKey::RequiredGroups; // it records none
        assert_eq!(of(&keys) != ours, is_there, "{key:?}");
    }
}

/// One line per step of the wizard.
#[test]
fn the_compact_form_counts_what_is_complete() {
    let read = |word: &str| {
        let gates = status(word);
        let next = gates.next().map(|it| it.gate);
        (gates.compact(), next, gates.execution_label())
    };
    let not_yet = "Execution unavailable";
    for (word, count, next, label) in [
        ("draft", 2, Gate::Scope, not_yet),
        ("scoped", 3, Gate::Validation, not_yet),
        ("checked", 4, Gate::Preview, not_yet),
        ("previewed", 5, Gate::Confirmation, not_yet),
        ("pending", 6, Gate::Execution, "Execution available"),
        ("running", 6, Gate::Execution, not_yet),
        ("odd", 2, Gate::Scope, not_yet),
    ] {
        let expected = (format!("{count}/7 gates complete"), Some(next), label);
        assert_eq!(read(word), expected, "{word}");
    }
    let warned = mapping(r#"{"g1":"skip"}"#, basis());
    assert!(warned.execution_available());
    assert_eq!(warned.compact(), "5/7 gates complete");
    assert_eq!(status("completed").next(), None);
    let order: Vec<_> = warned.iter().map(|it| it.gate).collect();
    assert_eq!(order, Gate::ALL);
}

#[test]
fn the_card_says_what_decides() {
    use CardStatus as Status;
    let skipped = mapping(r#"{"g1":"SKIP"}"#, basis());
    let uncached = mapping(r#"{"g1":null}"#, json!({"cached_groups": 0}));
    let preview = with(|it| it.row.is_dry_run = None);
    let blocked = with(|it| {
        it.row.requested_items = support::json("[]");
        it.metadata["check_basis"]["blocking_count"] = json!(1);
    });
    let failed = with(|it| {
        it.set = None;
        "failed".clone_into(&mut it.row.status);
    });
    let rows = [
        (Status::Ready, with(|_| ()), "Execute restore"),
        (Status::ReadyWithWarnings, skipped, "Execute restore"),
        (Status::ActionRequired, status("draft"), "Confirm the scope"),
        (Status::ActionRequired, uncached, "Open group sync"),
        (Status::Blocked, blocked, "Resolve validation blockers"),
        (Status::PreviewOnly, preview, "Review preview"),
        (Status::Executed, failed, "Open restore result"),
        (Status::StatusUnknown, status("odd"), "Review diagnostics"),
    ];
    for (expected, gates, next) in &rows {
        let card = gates.card();
        assert_eq!((card.status, card.next_action), (*expected, *next));
        assert_eq!(card.impact, expected.impact());
    }
    let met: BTreeSet<_> = rows.iter().map(|(status, ..)| status).collect();
    assert_eq!(met.len(), CardStatus::ALL.len(), "every status has a row");
}

/// What is listed is bounded, in order, and counted in full.
#[test]
fn unresolved_groups_are_named_up_to_a_bound() {
    let groups: Vec<_> = (0..30)
        .map(|at| format!(r#""{at:02}-{}":null"#, "x".repeat(100)))
        .collect();
    let facts = draft(|it| {
        let entries = groups.join(",");
        it.row.group_mapping = support::json(&format!(r#"{{{entries},"a":"t","b":"SKIP"}}"#));
        it.metadata["scope_basis"]["required_groups"] = json!(["a", "c"]);
    })
    .facts();
    let mapping = facts.mapping.unwrap();
    assert_eq!((mapping.required, mapping.resolved), (33, 1));
    assert_eq!((mapping.skipped, mapping.unresolved), (1, 31));
    assert_eq!(mapping.unresolved_groups.len(), 20);
    assert!(mapping.unresolved_groups.iter().all(|id| id.len() == 64));
    assert!(mapping.unresolved_groups.is_sorted());
}

/// Nobody documents the words of a scope's mode, so it decides nothing; nor does when a record was made.
#[test]
fn what_a_record_says_of_itself_is_shown_and_decides_nothing() {
    let said = |mode: Value, at: Value| {
        draft(|it| {
            it.metadata["scope_basis"]["scope_mode"] = mode;
            it.metadata["check_basis"]["checked_at"] = at;
        })
    };
    let told = said(json!(" selected "), json!("2026-02-01T12:00:00+01:00"));
    let facts = told.facts();
    assert_eq!(facts.scope_mode.as_deref(), Some("selected"));
    let at = facts.check_basis.recorded_at.map(|at| at.to_string());
    assert_eq!(at.as_deref(), Some("2026-02-01T11:00:00Z"));
    assert_eq!(told.gates(), Draft::ready().gates());
    for (mode, at) in [
        (json!(null), json!(7)),
        (json!(["all"]), json!("yesterday")),
        (json!("<b>"), json!({})),
        (json!("x".repeat(65)), json!("")),
    ] {
        let facts = said(mode, at).facts();
        assert_eq!(
            (facts.scope_mode, facts.check_basis.recorded_at),
            (None, None)
        );
    }
}

#[test]
fn the_cache_and_the_scope_are_read_from_what_is_noted() {
    let groups = |count: Value| {
        draft(|it| it.metadata["scope_basis"]["cached_groups"] = count)
            .facts()
            .groups
    };
    for (count, expected) in [
        (json!(3), GroupCache::Available),
        (json!("3"), GroupCache::Available),
        (json!(0), GroupCache::Empty),
        (json!(-1), GroupCache::Unknown),
        (json!([]), GroupCache::Unknown),
        (Value::Null, GroupCache::Unknown),
    ] {
        assert_eq!(groups(count.clone()), expected, "{count}");
    }
    assert_eq!(GroupCache::Empty.next_action(), "Open group sync");
    let scope = |text: &str| {
        draft(|it| it.row.requested_items = support::json(text))
            .facts()
            .scope
    };
    assert_eq!(scope("[101,102,101]"), RestoreScope::Items(2));
    assert_eq!(scope("null"), RestoreScope::All);
}
