//! The page of one restore: prepared, or executed.

use reconciler_jobs::json::Column;
use reconciler_jobs::reading::backup_health;
use reconciler_jobs::reading::backup_health::{BackupSetFacts, Quality};
use reconciler_jobs::reading::freshness::FreshnessThresholds;
use reconciler_jobs::reading::gates::{PreparationFacts, PreparationRow};
use reconciler_jobs::restore_execute::Policy;
use reconciler_jobs::restore_execute::facts::{EvidenceFacts, RestoreStatus, RunStatus};
use reconciler_jobs::restore_execute::results::{Counters, ItemFacts};
use reconciler_jobs::stamp::Stamp;
use restore_reconciler::internals::console::pages::RestorePage;
use restore_reconciler::internals::storage::reader::RestoreSeen;
use restore_reconciler::internals::views::Visibility;
use restore_reconciler::internals::views::environment::Judging;
use restore_reconciler::internals::views::restore::Preparation;
use serde_json::{Value, json};

use super::scene::{backup, now, proven, restore};
use super::{shell, text};

/// What a preparation has recorded.
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
            workspace_name: "Contoso".to_owned(),
            environment_name: "Production".to_owned(),
            requested_by: Some("ops@contoso.example".to_owned()),
            preparation: PreparationFacts::gather(&row, self.source),
        }
    }
}

fn page(found: &RestoreSeen) -> String {
    let policy = Policy::default();
    let answer = Preparation::new(
        found,
        Judging {
            policy: &policy,
            freshness: &FreshnessThresholds::default(),
            backup: &backup_health::BackupThresholds::default(),
            visibility: Visibility { evidence: true },
        },
    );
    text(&RestorePage {
        shell: &shell("Restore"),
        answer: &answer,
    })
}

#[test]
fn a_preparation_in_every_state() {
    let cases = [
        ("draft", Recorded::draft()),
        ("ready", Recorded::ready()),
        (
            "nothing_captured",
            Recorded {
                source: Some(BackupSetFacts {
                    quality: Quality::default(),
                    ..backup()
                }),
                ..Recorded::draft()
            },
        ),
        (
            "source_gone",
            Recorded {
                source: None,
                ..Recorded::draft()
            },
        ),
        (
            "groups_unresolved_and_none_cached",
            Recorded {
                status: "scoped",
                mapping: json!({ "group-<1>": null, "group-2": "target-2", "group-3": "SKIP" }),
                metadata: json!({ "scope_basis": { "fingerprint": "a", "cached_groups": 0 } }),
                ..Recorded::draft()
            },
        ),
        (
            "validation_blocked",
            Recorded {
                status: "checked",
                metadata: json!({
                    "scope_basis": { "fingerprint": "a" },
                    "check_basis": { "fingerprint": "a", "blocking_count": 2, "warning_count": 0 },
                }),
                ..Recorded::draft()
            },
        ),
        (
            "preview_only",
            Recorded {
                is_dry_run: true,
                ..Recorded::ready()
            },
        ),
    ];
    for (name, recorded) in cases {
        insta::assert_snapshot!(format!("restore_{name}"), page(&recorded.seen()));
    }
}

#[test]
fn an_executed_restore_shows_its_result_with_and_without_a_run() {
    let executed = |has_run: bool| {
        let facts = proven();
        let mut run = facts.run;
        run.status = RunStatus::Completed;
        RestoreSeen {
            restore: restore(),
            run: has_run.then_some(run),
            evidence: facts.evidence,
            ..Recorded {
                status: "completed",
                ..Recorded::ready()
            }
            .seen()
        }
    };
    insta::assert_snapshot!("restore_executed", page(&executed(true)));
    insta::assert_snapshot!("restore_without_run", page(&executed(false)));
}
