//! Preparations, one per reason of a safety gate.

use serde_json::{Value, json};

use super::backups::Backup;
use super::{FIRST_RESTORE, Stage, next};
use reconciler_fixtures::{PlantedBackupSet, PlantedRestore};

/// A restore that is being prepared. Ready to be executed until a scene changes something.
struct Preparation {
    restore: PlantedRestore,
    metadata: Value,
    backup: Backup,
    /// A backup set that is used instead.
    foreign: Option<i64>,
}

impl Preparation {
    fn ready(stage: &Stage, environment: &str, backup: Backup) -> Self {
        let PlantedBackupSet {
            workspace_id,
            managed_environment_id,
            ..
        } = backup.set;
        Self {
            restore: PlantedRestore {
                id: next(FIRST_RESTORE, stage.rows.restores.len()),
                workspace_id,
                managed_environment_id,
                status: "pending".to_owned(),
                requested_by: Some(format!(
                    "{} <operator@example.test>",
                    first_word(environment)
                )),
                requested_items: Some(json!([601, 602]).to_string()),
                group_mapping: Some(json!({ "group-staff": "target-staff" }).to_string()),
                preview: Some(json!({ "items": [{ "id": 601, "action": "update" }] }).to_string()),
                created_at: Some(stage.ago(30)),
                ..PlantedRestore::default()
            },
            metadata: json!({
                "scope_basis": { "fingerprint": "scope-1", "cached_groups": 48 },
                "check_basis": { "fingerprint": "scope-1", "blocking_count": 0, "warning_count": 0 },
                "preview_basis": { "fingerprint": "scope-1" },
                "execution_safety_snapshot": { "fingerprint": "scope-1", "blocking_count": 0, "confirmed": true },
            }),
            backup,
            foreign: None,
        }
    }

    /// How far it has come: what is recorded later is not recorded yet.
    fn only(&mut self, status: &str) {
        status.clone_into(&mut self.restore.status);
        let kept = match status {
            "draft" => 0,
            "scoped" => 1,
            "checked" => 2,
            "previewed" => 3,
            _ => 4,
        };
        let records = [
            "scope_basis",
            "check_basis",
            "preview_basis",
            "execution_safety_snapshot",
        ];
        for record in records.into_iter().skip(kept) {
            self.set(record, json!([]));
        }
        if kept < 3 {
            self.restore.preview = None;
        }
    }

    fn status(&mut self, status: &str) {
        status.clone_into(&mut self.restore.status);
    }

    /// Replaces one record of the metadata.
    fn set(&mut self, record: &str, value: Value) {
        if let Some(records) = self.metadata.as_object_mut() {
            records.insert(record.to_owned(), value);
        }
    }

    /// Replaces one key of one record.
    fn note(&mut self, record: &str, key: &str, value: Value) {
        let found = self.metadata.get_mut(record).and_then(Value::as_object_mut);
        if let Some(entries) = found {
            entries.insert(key.to_owned(), value);
        }
    }

    fn groups(&mut self, mapping: &Value, cached: u64) {
        self.only("scoped");
        self.restore.group_mapping = Some(mapping.to_string());
        self.note("scope_basis", "cached_groups", json!(cached));
    }

    fn request(&mut self, items: &Value) {
        self.only("draft");
        self.restore.requested_items = Some(items.to_string());
    }
}

/// Somebody's name, so that there is one to be kept from those who may not see it.
fn first_word(text: &str) -> &str {
    text.split(' ').next().unwrap_or_default()
}

type Scene = (&'static str, fn(&mut Preparation));

/// Another environment's backup set, which the first scene of backups plants.
const FOREIGN_SET: i64 = super::FIRST_ENVIRONMENT;

const SOURCES: [Scene; 5] = [
    ("Source of another environment", |it| {
        it.foreign = Some(FOREIGN_SET);
    }),
    ("Source deleted", |it| {
        it.backup
            .set
            .deleted_at
            .clone_from(&it.backup.set.completed_at);
    }),
    ("Source unfinished", |it| {
        "running".clone_into(&mut it.backup.set.status);
    }),
    ("Source without items", |it| it.backup.items.clear()),
    ("Source with faults only", |it| {
        for item in &mut it.backup.items {
            item.metadata = Some(json!({ "source": "metadata_only" }).to_string());
        }
    }),
];

const SCOPES: [Scene; 9] = [
    ("Draft", |it| it.only("draft")),
    ("Nothing selected", |it| it.request(&json!([]))),
    ("Selection not understood", |it| {
        it.request(&json!(["everything"]));
    }),
    ("Whole backup set requested", |it| it.request(&Value::Null)),
    ("Groups unresolved", |it| {
        it.groups(
            &json!({ "group-staff": "target-staff", "group-nurses": null, "group-guests": "" }),
            48,
        );
    }),
    ("Groups unresolved, none cached", |it| {
        it.groups(&json!({ "group-staff": null }), 0);
    }),
    ("Groups left out", |it| {
        it.groups(&json!({ "group-staff": "SKIP" }), 48);
    }),
    ("Group mapping not understood", |it| {
        it.groups(&json!(["target-staff"]), 48);
    }),
    ("Scope recorded", |it| it.only("scoped")),
];

const CHECKS: [Scene; 11] = [
    ("Validation blocked", |it| {
        it.only("checked");
        it.note("check_basis", "blocking_count", json!(2));
    }),
    ("Validation with warnings", |it| {
        it.only("checked");
        it.note("check_basis", "warning_count", json!(3));
    }),
    ("Validation, warnings not counted", |it| {
        it.only("checked");
        it.note("check_basis", "warning_count", json!(null));
    }),
    ("Validation of an earlier scope", |it| {
        it.only("checked");
        it.note("check_basis", "fingerprint", json!("scope-0"));
    }),
    ("Validated", |it| it.only("checked")),
    ("Preview of an earlier scope", |it| {
        it.only("previewed");
        it.note("preview_basis", "fingerprint", json!("scope-0"));
    }),
    ("Previewed", |it| it.only("previewed")),
    ("Confirmed for an earlier scope", |it| {
        it.note("execution_safety_snapshot", "fingerprint", json!("scope-0"));
    }),
    ("Confirmed against blockers", |it| {
        it.note("execution_safety_snapshot", "blocking_count", json!(1));
    }),
    ("Ready, with warnings", |it| {
        it.note("check_basis", "warning_count", json!(1));
    }),
    ("Ready", |_| ()),
];

const EXECUTIONS: [Scene; 5] = [
    ("Preview only", |it| {
        it.restore.is_dry_run = true;
        it.status("previewed");
    }),
    ("Execution under way", |it| it.status("running")),
    ("Execution over", |it| it.status("completed")),
    ("Execution failed", |it| it.status("failed")),
    ("Status not understood", |it| it.status("on hold")),
];

pub(super) fn plant(stage: &mut Stage) {
    stage.workspace(22, "Orchard Retail");
    let scenes = SOURCES
        .iter()
        .chain(&SCOPES)
        .chain(&CHECKS)
        .chain(&EXECUTIONS);
    for (environment, differs) in scenes {
        let place = stage.environment(environment, 0);
        let backup = Backup::whole(stage, place);
        let mut it = Preparation::ready(stage, environment, backup);
        differs(&mut it);
        let set = stage.add(it.backup.set, it.backup.items);
        stage.rows.restores.push(PlantedRestore {
            backup_set_id: it.foreign.unwrap_or(set),
            metadata: Some(it.metadata.to_string()),
            ..it.restore
        });
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use jiff::Timestamp;
    use reconciler_jobs::reading::gates::{
        CardStatus, GateReason, Gates, PreparationFacts, PreparationRow,
    };

    use super::super::backups::tests::{column, facts};
    use super::*;
    use reconciler_fixtures::PlatformRows;

    fn gates(restore: &PlantedRestore, rows: &PlatformRows) -> Gates {
        let own = rows.backup_sets.iter().find(|set| {
            set.id == restore.backup_set_id
                && set.managed_environment_id == restore.managed_environment_id
        });
        let row = PreparationRow {
            is_dry_run: Some(restore.is_dry_run),
            status: restore.status.clone(),
            has_target: true,
            requested_items: column(restore.requested_items.as_deref()),
            group_mapping: column(restore.group_mapping.as_deref()),
            preview: column(restore.preview.as_deref()),
            metadata: column(restore.metadata.as_deref()),
        };
        Gates::of(&PreparationFacts::gather(
            &row,
            own.map(|set| facts(set, rows)),
        ))
    }

    /// A restore whose environment is gone cannot be looked at, so none is planted.
    #[test]
    fn every_reason_and_every_card_has_an_environment() {
        let mut stage = Stage::new(Timestamp::UNIX_EPOCH);
        super::super::backups::plant(&mut stage);
        plant(&mut stage);
        let rows = stage.rows;
        let found: Vec<Gates> = rows
            .restores
            .iter()
            .map(|restore| gates(restore, &rows))
            .collect();
        let reasons: BTreeSet<GateReason> = found
            .iter()
            .flat_map(|it| it.iter().map(|gate| gate.reason))
            .collect();
        let missing: Vec<_> = GateReason::ALL
            .iter()
            .filter(|it| !reasons.contains(it))
            .collect();
        assert_eq!(missing, [&GateReason::TargetMissing]);
        let cards: BTreeSet<CardStatus> = found.iter().map(|it| it.card().status).collect();
        assert_eq!(cards.len(), CardStatus::ALL.len());
    }
}
