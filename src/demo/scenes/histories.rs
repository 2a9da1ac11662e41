//! Restores that were executed: each posture of an environment, restores without a run, and runs whose proof came,
//! or went, after their verdict.

use serde_json::json;

use super::{FIRST_RESTORE, FIRST_RUN, Stage, next};
use crate::demo::case::{Case, Part, Place};
use reconciler_fixtures::{PlantedRestore, PlatformRows};

/// One environment with one restore. It differs from a proven one before it is judged, and something may be added
/// afterwards.
struct Scene {
    environment: &'static str,
    differs: fn(&mut Case),
    late: fn(&Case, &mut PlatformRows),
}

const fn scene(environment: &'static str, differs: fn(&mut Case)) -> Scene {
    Scene {
        environment,
        differs,
        late: |_, _| (),
    }
}

const POSTURES: [Scene; 7] = [
    scene("Latest restore proven", |_| ()),
    scene("Latest restore failed", |case| {
        case.ended("failed");
        case.every_item("failed");
    }),
    scene("Latest restore partial", |case| {
        case.ended("partial");
        case.item("503", json!({ "status": "failed" }));
    }),
    scene("Latest restore left items out", |case| {
        case.item("503", json!({ "status": "skipped" }));
    }),
    scene("Latest restore stopped", |case| {
        case.ended("cancelled");
        case.nothing_applied();
    }),
    scene("Latest restore stopped halfway", |case| {
        case.ended("cancelled");
    }),
    scene("Restore under way", |case| {
        case.ended("running");
        case.without(Part::Audit);
        case.without(Part::Snapshot);
        case.run.created_at = Some(case.ago(6));
        case.run.started_at = Some(case.ago(5));
        case.restore.created_at = Some(case.ago(6));
        case.restore.started_at = Some(case.ago(5));
        case.restore.completed_at = None;
    }),
];

const LATE: [Scene; 6] = [
    Scene {
        environment: "Evidence came too late",
        differs: |case| case.without(Part::Snapshot),
        late: |case, rows| rows.snapshots.push(case.snapshot.clone()),
    },
    Scene {
        environment: "Evidence replaced by less",
        differs: |_| (),
        late: incomplete_evidence,
    },
    Scene {
        environment: "Incomplete evidence came too late",
        differs: |case| case.without(Part::Snapshot),
        late: incomplete_evidence,
    },
    Scene {
        environment: "Audit entry came too late",
        differs: |case| case.without(Part::Audit),
        late: |case, rows| rows.audits.push(case.audit.clone()),
    },
    Scene {
        environment: "No audit entry, and evidence went",
        differs: |case| case.without(Part::Audit),
        late: incomplete_evidence,
    },
    scene("Nothing changed since", |case| case.without(Part::Snapshot)),
];

/// Restores without a run, by environment, status, and whether they were previews.
const LEGACY: [(&str, &str, bool); 7] = [
    ("Previews only", "completed", true),
    ("Imported, completed", "completed", false),
    (
        "Imported, completed with errors",
        "completed_with_errors",
        false,
    ),
    ("Imported, failed", "failed", false),
    ("Imported, aborted", "aborted", false),
    ("Imported, cancelled", "cancelled", false),
    ("Imported, unknown status", "archived", false),
];

/// A newer snapshot that does not hold everything.
fn incomplete_evidence(case: &Case, rows: &mut PlatformRows) {
    let mut snapshot = case.later_snapshot();
    "partial".clone_into(&mut snapshot.completeness_state);
    rows.snapshots.push(snapshot);
}

/// The runs of all scenes that have one.
pub(super) fn runs() -> impl Iterator<Item = i64> {
    POSTURES
        .iter()
        .chain(&LATE)
        .zip(FIRST_RUN..)
        .map(|(_, run)| run)
}

/// The scenes with a run, each in its place; places are the same each time.
fn placed(stage: &mut Stage) -> Vec<(&'static Scene, Place, i64)> {
    stage.workspace(23, "Cedar Council");
    let scenes = POSTURES.iter().chain(&LATE);
    scenes
        .zip(FIRST_RUN..)
        .map(|(scene, run)| {
            let place = stage.environment(scene.environment, run);
            (scene, place, whole_backup(stage, place))
        })
        .collect()
}

fn whole_backup(stage: &mut Stage, place: Place) -> i64 {
    let (set, items) = (stage.set(place), vec![stage.item(); 3]);
    stage.add(set, items)
}

pub(super) fn plant(stage: &mut Stage) {
    for (scene, place, set) in placed(stage) {
        let mut case = Case::proven(place, stage.now);
        case.restore.backup_set_id = set;
        case.restore.requested_by = Some("Robin Operator <robin@example.test>".to_owned());
        (scene.differs)(&mut case);
        case.plant(&mut stage.rows);
    }
    let place = stage.environment("Nothing executed yet", 0);
    whole_backup(stage, place);
    for (environment, status, is_dry_run) in LEGACY {
        let place = stage.environment(environment, 0);
        let set = whole_backup(stage, place);
        let mut case = Case::proven(place, stage.now);
        case.ended(status);
        stage.rows.restores.push(PlantedRestore {
            id: next(FIRST_RESTORE, stage.rows.restores.len()),
            backup_set_id: set,
            operation_run_id: None,
            is_dry_run,
            ..case.restore
        });
    }
}

/// What is added once all runs are judged.
pub(super) fn plant_late(stage: &mut Stage) -> PlatformRows {
    let mut rows = PlatformRows::default();
    for (scene, place, _) in placed(stage) {
        let mut case = Case::proven(place, stage.now);
        case.snapshot.generated_at = Some(case.ago(0));
        case.audit.recorded_at = case.ago(0);
        (scene.late)(&case, &mut rows);
    }
    rows
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use reconciler_jobs::ids::{EnvironmentId, RestoreId, WorkspaceId};
    use reconciler_jobs::reading::Seen;
    use reconciler_jobs::reading::attention::attention;
    use reconciler_jobs::reading::posture::{EnvironmentPosture, PostureReason};
    use reconciler_jobs::restore_execute::Policy;
    use reconciler_jobs::restore_execute::facts::{At, RestoreFacts};
    use reconciler_jobs::restore_execute::rows::RestoreRow;

    use super::super::backups::tests::{column, stamp};
    use super::*;

    fn facts(restore: &PlantedRestore) -> RestoreFacts {
        RestoreFacts::parse(&RestoreRow {
            id: RestoreId(restore.id),
            workspace_id: WorkspaceId(restore.workspace_id),
            environment_id: EnvironmentId(restore.managed_environment_id),
            is_dry_run: Some(restore.is_dry_run),
            status: restore.status.clone(),
            requested_items: column(restore.requested_items.as_deref()),
            results: column(restore.results.as_deref()),
            metadata: column(restore.metadata.as_deref()),
            failure_reason: restore.failure_reason.clone(),
            started_at: stamp(restore.started_at.as_deref()),
            completed_at: stamp(restore.completed_at.as_deref()),
            created_at: stamp(restore.created_at.as_deref()),
        })
    }

    use PostureReason::{CompletedWithFollowUp, Failed, NoHistory, NoRecentIssuesVisible, Partial};

    const EXPECTED: [(&str, PostureReason); 21] = [
        ("Latest restore proven", NoRecentIssuesVisible),
        ("Latest restore failed", Failed),
        ("Latest restore partial", Partial),
        ("Latest restore left items out", CompletedWithFollowUp),
        ("Latest restore stopped", Failed),
        ("Latest restore stopped halfway", Partial),
        ("Restore under way", NoHistory),
        ("Evidence came too late", NoRecentIssuesVisible),
        ("Evidence replaced by less", NoRecentIssuesVisible),
        ("Incomplete evidence came too late", NoRecentIssuesVisible),
        ("Audit entry came too late", NoRecentIssuesVisible),
        ("No audit entry, and evidence went", NoRecentIssuesVisible),
        ("Nothing changed since", NoRecentIssuesVisible),
        ("Nothing executed yet", NoHistory),
        ("Previews only", NoHistory),
        ("Imported, completed", NoRecentIssuesVisible),
        ("Imported, completed with errors", Partial),
        ("Imported, failed", Failed),
        ("Imported, aborted", Partial),
        ("Imported, cancelled", Partial),
        ("Imported, unknown status", Partial),
    ];

    /// As the restores alone say, without the runs' outcomes.
    #[test]
    fn every_posture_has_an_environment() {
        let now: Timestamp = "2026-03-01T12:00:00Z".parse().unwrap();
        let mut stage = Stage::new(now);
        plant(&mut stage);
        let policy = Policy::default();
        let at = At {
            as_of: now,
            policy: &policy,
        };
        let posture = |environment: i64| {
            let here = |row: &&PlantedRestore| row.managed_environment_id == environment;
            let history = stage.rows.restores.iter().filter(here).map(|row| {
                let restore = facts(row);
                let seen = Seen {
                    at,
                    restore: &restore,
                    run: None,
                    evidence: None,
                };
                (restore.id, attention(&seen).state())
            });
            EnvironmentPosture::of(history).reason
        };
        let rows = &stage.rows.environments;
        let found: Vec<_> = rows
            .iter()
            .map(|row| (row.name.as_str(), posture(row.id)))
            .collect();
        assert_eq!(found, EXPECTED);
        for reason in PostureReason::ALL {
            assert!(
                found.iter().any(|(_, found)| *found == reason),
                "{reason:?}"
            );
        }
    }
}
