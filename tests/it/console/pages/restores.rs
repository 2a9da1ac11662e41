//! The page of one restore: prepared, or executed.

use reconciler_jobs::json::Column;
use reconciler_jobs::reading::backup_health::{BackupSetFacts, Quality};
use reconciler_jobs::reading::gates::{PreparationFacts, PreparationRow};
use reconciler_jobs::reading::metadata_keys::MetadataKeys;
use reconciler_jobs::restore_execute::facts::{EvidenceFacts, RestoreStatus, RunStatus};
use reconciler_jobs::restore_execute::results::{Counters, ItemFacts};
use reconciler_jobs::stamp::Stamp;
use restore_reconciler::internals::console::pages::RestorePage;
use restore_reconciler::internals::storage::reader::{RestoreSeen, RunOnRecord};
use restore_reconciler::internals::views::restore::Preparation;
use serde_json::{Value, json};

use super::scene::{backup, now, proven, restore};
use super::{judging, shell, text};

struct Recorded {
    status: &'static str,
    is_dry_run: bool,
    mapping: Value,
    preview: Value,
    metadata: Value,
    source: Option<BackupSetFacts>,
}

impl Recorded {
    fn draft() -> Self {
        Self {
            status: "draft",
            is_dry_run: false,
            mapping: json!([]),
            preview: json!([]),
            metadata: json!([]),
            source: Some(backup()),
        }
    }

    /// Everything but the execution.
    fn ready() -> Self {
        Self {
            status: "pending",
            preview: json!({ "items": [1] }),
            metadata: json!({
                "scope_basis": { "fingerprint": "a", "cached_groups": 12 },
                "check_basis": { "fingerprint": "a", "blocking_count": 0, "warning_count": 0 },
                "preview_basis": { "fingerprint": "a" },
                "execution_safety_snapshot": {
                    "fingerprint": "a", "confirmed": true, "blocking_count": 0, "warning_count": 0,
                },
            }),
            ..Self::draft()
        }
    }

    fn seen(self) -> RestoreSeen {
        let column = |value: &Value| Column::Bytes(value.to_string().into_bytes());
        let row = PreparationRow {
            is_dry_run: Some(self.is_dry_run),
            status: self.status.to_owned(),
            has_target: true,
            requested_items: column(&json!([501, 502])),
            group_mapping: column(&self.mapping),
            preview: column(&self.preview),
            metadata: column(&self.metadata),
        };
        let mut restore = restore();
        restore.status = RestoreStatus::parse(self.status);
        restore.is_dry_run = self.is_dry_run;
        restore.items = ItemFacts::default();
        restore.counters = Counters::default();
        restore.started_at = Stamp::Absent;
        restore.completed_at = Stamp::Absent;
        RestoreSeen {
            as_of: now(),
            restore,
            run: None,
            evidence: EvidenceFacts::default(),
            record: RunOnRecord::default(),
            workspace_name: "Contoso".to_owned(),
            environment_name: "Production".to_owned(),
            requested_by: Some("ops@contoso.example".to_owned()),
            preparation: PreparationFacts::gather(&row, self.source, &MetadataKeys::default()),
        }
    }
}

/// A restore of which everything but the execution is there.
pub(super) fn ready() -> RestoreSeen {
    Recorded::ready().seen()
}

fn page(found: &RestoreSeen) -> String {
    text(&RestorePage {
        shell: &shell("Restore"),
        answer: &judging(|judging| Preparation::new(found, judging)),
    })
}

#[test]
fn a_preparation_in_every_state() {
    let show = |name: &str, recorded: Recorded| {
        insta::assert_snapshot!(format!("restore_{name}"), page(&recorded.seen()));
    };
    let draft = |differs: fn(&mut Recorded)| {
        let mut recorded = Recorded::draft();
        differs(&mut recorded);
        recorded
    };
    show("draft", Recorded::draft());
    show("ready", Recorded::ready());
    let nothing_captured = draft(|it| it.source.as_mut().unwrap().quality = Quality::default());
    show("nothing_captured", nothing_captured);
    show("source_gone", draft(|it| it.source = None));
    let unresolved = draft(|it| {
        it.status = "scoped";
        it.mapping = json!({ "group-<1>": null, "group-2": "target-2", "group-3": "SKIP" });
        it.metadata = json!({ "scope_basis": { "fingerprint": "a", "cached_groups": 0 } });
    });
    show("groups_unresolved_and_none_cached", unresolved);
    let blocked = draft(|it| {
        it.status = "checked";
        it.metadata = json!({
            "scope_basis": { "fingerprint": "a" },
            "check_basis": { "fingerprint": "a", "blocking_count": 2, "warning_count": 0 },
        });
    });
    show("validation_blocked", blocked);
    let mut preview_only = Recorded::ready();
    preview_only.is_dry_run = true;
    show("preview_only", preview_only);
}

#[test]
fn an_executed_restore_shows_its_result_with_and_without_a_run() {
    let executed = |has_run: bool| {
        let mut facts = proven();
        facts.run.status = RunStatus::Completed;
        let mut recorded = Recorded::ready();
        recorded.status = "completed";
        RestoreSeen {
            restore: restore(),
            run: has_run.then_some(facts.run),
            evidence: facts.evidence,
            ..recorded.seen()
        }
    };
    insta::assert_snapshot!("restore_executed", page(&executed(true)));
    insta::assert_snapshot!("restore_without_run", page(&executed(false)));
}
