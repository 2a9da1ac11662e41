//! Scenes: rows beside the scenarios, so that somebody who looks around finds every state that can be shown.
//!
//! | Module | Shows |
//! |---|---|
//! | [`backups`] | backup inputs, from none at all to recent ones without a fault |
//! | [`preparations`] | each reason of each safety gate |
//! | [`histories`] | each recovery posture, restores without a run, and proof that came or went after the verdict |
//!
//! An environment is named after what it shows, and shows that alone.
//!
//! **Invariant:** the ids of scenes are their own. Neither a scenario nor a generated run has one of them.

mod backups;
mod histories;
mod preparations;

use jiff::{SignedDuration, Timestamp};
use reconciler_jobs::ids::RunId;
use serde_json::json;

use super::case::Place;
use reconciler_fixtures::{
    PlantedBackupItem, PlantedBackupSet, PlantedEnvironment, PlantedWorkspace, PlatformRows,
};

/// The first run of a scene. Restores of runs have ten times its number.
const FIRST_RUN: i64 = 5_001;

/// The first environment of a scene, and the first backup set.
const FIRST_ENVIRONMENT: i64 = 60_001;

/// The first restore that has no run.
const FIRST_RESTORE: i64 = 70_001;

/// Everything that is there before any run is judged.
pub(super) fn before(now: Timestamp) -> PlatformRows {
    let mut stage = Stage::new(now);
    backups::plant(&mut stage);
    preparations::plant(&mut stage);
    histories::plant(&mut stage);
    stage.rows
}

/// What comes too late for the verdicts.
pub(super) fn afterwards(now: Timestamp) -> PlatformRows {
    // The same scenes once more, for their ids; only what is new is kept.
    let mut stage = Stage::new(now);
    backups::plant(&mut stage);
    preparations::plant(&mut stage);
    histories::plant_late(&mut stage)
}

/// The runs of scenes.
pub(super) fn runs() -> impl Iterator<Item = RunId> {
    histories::runs().map(RunId)
}

/// Rows as they are put together.
struct Stage {
    now: Timestamp,
    workspace: i64,
    rows: PlatformRows,
}

impl Stage {
    fn new(now: Timestamp) -> Self {
        Self {
            now,
            workspace: 0,
            rows: PlatformRows::default(),
        }
    }

    /// A moment this many minutes ago; a negative number lies in the future.
    fn ago(&self, minutes: i64) -> String {
        let ago = SignedDuration::from_mins(minutes);
        self.now.checked_sub(ago).unwrap_or(self.now).to_string()
    }

    /// Adds a workspace, to which the environments that follow belong.
    fn workspace(&mut self, id: i64, name: &str) {
        self.workspace = id;
        self.rows.workspaces.push(PlantedWorkspace {
            id,
            name: name.to_owned(),
        });
    }

    /// Adds an environment, as the place of the run with this number.
    fn environment(&mut self, name: &str, run: i64) -> Place {
        let id = next(FIRST_ENVIRONMENT, self.rows.environments.len());
        self.rows.environments.push(PlantedEnvironment {
            id,
            workspace_id: self.workspace,
            name: name.to_owned(),
        });
        Place {
            run,
            workspace: self.workspace,
            environment: id,
        }
    }

    /// A backup set of last night, not added yet.
    fn set(&self, place: Place) -> PlantedBackupSet {
        PlantedBackupSet {
            id: next(FIRST_ENVIRONMENT, self.rows.backup_sets.len()),
            workspace_id: place.workspace,
            managed_environment_id: place.environment,
            completed_at: Some(self.ago(10 * 60)),
            ..PlantedBackupSet::default()
        }
    }

    /// An item of a backup set that nothing speaks against, not added yet.
    fn item(&self) -> PlantedBackupItem {
        PlantedBackupItem {
            policy_type: "deviceConfiguration".to_owned(),
            payload: json!({ "displayName": "Disk encryption", "settings": { "enabled": true } })
                .to_string(),
            assignments: Some("[]".to_owned()),
            metadata: Some(json!({ "source": "graph" }).to_string()),
            captured_at: self.ago(10 * 60 + 5),
            ..PlantedBackupItem::default()
        }
    }

    /// Adds a backup set with its items; its id.
    fn add(&mut self, set: PlantedBackupSet, items: Vec<PlantedBackupItem>) -> i64 {
        let id = set.id;
        self.rows.backup_sets.push(set);
        let items = items.into_iter().map(|item| PlantedBackupItem {
            backup_set_id: id,
            ..item
        });
        self.rows.backup_items.extend(items);
        id
    }
}

fn next(first: i64, taken: usize) -> i64 {
    i64::try_from(taken).map_or(i64::MAX, |taken| first.saturating_add(taken))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::demo::scenarios;

    #[test]
    fn ids_are_unique_and_collide_with_no_scenario() {
        let rows = before(Timestamp::UNIX_EPOCH);
        let lists = [
            rows.environments.iter().map(|row| row.id).collect(),
            rows.backup_sets.iter().map(|row| row.id).collect(),
            rows.restores.iter().map(|row| row.id).collect(),
            rows.runs.iter().map(|row| row.id).collect::<Vec<_>>(),
        ];
        for ids in lists {
            let unique: BTreeSet<_> = ids.iter().collect();
            assert_eq!(unique.len(), ids.len());
        }
        let runs: Vec<_> = rows.runs.iter().map(|row| RunId(row.id)).collect();
        assert_eq!(runs, super::runs().collect::<Vec<_>>());
        for (_, place) in scenarios::placed() {
            assert!(place.run < FIRST_RUN && place.run * 10 < FIRST_RUN * 10);
            assert!(place.environment < FIRST_ENVIRONMENT);
        }
        let late = afterwards(Timestamp::UNIX_EPOCH);
        assert!(late.runs.is_empty() && late.restores.is_empty() && !late.snapshots.is_empty());
        for snapshot in &late.snapshots {
            assert!(rows.snapshots.iter().all(|row| row.id != snapshot.id));
        }
    }
}
