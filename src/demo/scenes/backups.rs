//! Backup inputs of each quality.

use jiff::Timestamp;
use serde_json::json;

use super::Stage;
use crate::storage::reader::ITEMS_MAX;
use reconciler_fixtures::{PlantedBackupItem, PlantedBackupSet};

const DAY: i64 = 24 * 60;

/// A backup set with its items. Recent and whole until a scene changes something.
pub(super) struct Backup {
    now: Timestamp,
    pub(super) set: PlantedBackupSet,
    pub(super) items: Vec<PlantedBackupItem>,
}

impl Backup {
    /// Of three items; not added yet.
    pub(super) fn whole(stage: &Stage, place: crate::demo::case::Place) -> Self {
        Self {
            now: stage.now,
            set: stage.set(place),
            items: vec![stage.item(); 3],
        }
    }

    /// Moves the moment at which it was completed.
    fn completed(&mut self, minutes_ago: i64) {
        self.set.completed_at = Some(Stage::new(self.now).ago(minutes_ago));
    }

    /// Replaces what is known of the last item.
    fn last_item(&mut self, metadata: &str) {
        if let Some(item) = self.items.last_mut() {
            item.metadata = Some(metadata.to_owned());
        }
    }
}

/// One environment with its backup sets, the older first.
type Scene = (&'static str, &'static [fn(&mut Backup)]);

const SCENES: [Scene; 17] = [
    ("Backed up last night", &[|_| ()]),
    ("Never backed up", &[]),
    (
        "Backup deleted",
        &[|it| it.set.deleted_at.clone_from(&it.set.completed_at)],
    ),
    (
        "Backup unfinished",
        &[|it| "running".clone_into(&mut it.set.status)],
    ),
    ("Backup of nothing", &[|it| it.items.clear()]),
    ("Backup without a date", &[|it| it.set.completed_at = None]),
    ("Backup of last month", &[|it| it.completed(31 * DAY)]),
    ("Backup of tomorrow", &[|it| it.completed(-DAY)]),
    (
        "Backup too large to look through",
        &[|it| {
            let item = it.items.first().cloned().unwrap_or_default();
            it.items = vec![item; ITEMS_MAX as usize + 1];
        }],
    ),
    (
        "Settings not captured",
        &[|it| it.last_item(r#"{"source":"metadata_only"}"#)],
    ),
    (
        "Payload empty",
        &[|it| {
            if let Some(item) = it.items.last_mut() {
                "[]".clone_into(&mut item.payload);
            }
        }],
    ),
    (
        "Assignments not captured",
        &[|it| {
            it.last_item(r#"{"assignments_fetch_failed":true}"#);
        }],
    ),
    (
        "Assignments orphaned",
        &[|it| {
            it.last_item(r#"{"has_orphaned_assignments":true}"#);
        }],
    ),
    (
        "Integrity warning",
        &[|it| {
            it.last_item(
                &json!({ "integrity_warning": "Protected values were left out." }).to_string(),
            );
        }],
    ),
    (
        "Metadata not understood",
        &[|it| it.last_item(r#"["captured"]"#)],
    ),
    (
        "Newer backup has a fault",
        &[
            |it| it.completed(2 * DAY),
            |it| it.last_item(r#"{"assignments_fetch_failed":"timeout"}"#),
        ],
    ),
    (
        "Newer backup unfinished",
        &[
            |it| it.completed(2 * DAY),
            |it| {
                "running".clone_into(&mut it.set.status);
                it.set.completed_at = None;
            },
        ],
    ),
];

pub(super) fn plant(stage: &mut Stage) {
    stage.workspace(21, "Lumen Health");
    for (environment, sets) in SCENES {
        let place = stage.environment(environment, 0);
        for differs in sets {
            let mut backup = Backup::whole(stage, place);
            differs(&mut backup);
            stage.add(backup.set, backup.items);
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::collections::BTreeSet;

    use reconciler_jobs::ids::BackupSetId;
    use reconciler_jobs::json::Column;
    use reconciler_jobs::reading::backup_health::{
        BackupItemRow, BackupReading, BackupSetFacts, BackupSetRow, Finding, Thresholds,
    };
    use reconciler_jobs::stamp::Stamp;

    use super::*;
    use reconciler_fixtures::PlatformRows;

    /// What a reader makes of a planted set.
    pub(crate) fn facts(set: &PlantedBackupSet, rows: &PlatformRows) -> BackupSetFacts {
        let items: Vec<_> = rows
            .backup_items
            .iter()
            .filter(|item| item.backup_set_id == set.id)
            .collect();
        let row = BackupSetRow {
            id: BackupSetId(set.id),
            name: set.name.clone(),
            status: set.status.clone(),
            completed_at: stamp(set.completed_at.as_deref()),
            is_deleted: set.deleted_at.is_some(),
            items: items.len() as u64,
        };
        let looked_at: Vec<_> = items
            .into_iter()
            .take(ITEMS_MAX as usize)
            .map(item_row)
            .collect();
        BackupSetFacts::gather(row, &looked_at)
    }

    fn item_row(item: &PlantedBackupItem) -> BackupItemRow {
        BackupItemRow {
            has_payload: !["null", "[]", "{}"].contains(&item.payload.as_str()),
            metadata: column(item.metadata.as_deref()),
        }
    }

    pub(crate) fn column(text: Option<&str>) -> Column {
        text.map_or(Column::Null, |text| Column::Bytes(text.into()))
    }

    pub(crate) fn stamp(text: Option<&str>) -> Stamp {
        text.map_or(Stamp::Absent, |text| Stamp::At(text.parse().unwrap()))
    }

    /// Deleted and unfinished sets are no latest completed set: there is none then.
    #[test]
    fn every_finding_has_an_environment() {
        let now: Timestamp = "2026-03-01T12:00:00Z".parse().unwrap();
        let mut stage = Stage::new(now);
        plant(&mut stage);
        let rows = stage.rows;
        let found: BTreeSet<Finding> = rows
            .environments
            .iter()
            .map(|environment| {
                let sets = rows.backup_sets.iter().filter(|set| {
                    set.managed_environment_id == environment.id
                        && set.status == "completed"
                        && set.deleted_at.is_none()
                });
                let latest = sets.max_by_key(|set| set.id).map(|set| facts(set, &rows));
                BackupReading::of(latest.as_ref(), now, &Thresholds::default()).finding
            })
            .collect();
        let missing: Vec<_> = Finding::ALL
            .iter()
            .filter(|it| !found.contains(it))
            .collect();
        assert_eq!(missing, [&Finding::Deleted, &Finding::NotCompleted]);
    }
}
