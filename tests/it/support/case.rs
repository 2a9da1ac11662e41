//! Platform rows for tests: one restore whose proof is complete, which each test then changes.

use reconciler_fixtures::{
    PlantedAudit, PlantedBackupSet, PlantedEnvironment, PlantedRestore, PlantedRun,
    PlantedSnapshot, PlantedWorkspace, PlatformRows,
};

/// The workspace and environment that [`Case::proven`] lives in.
pub(crate) const HOME: (i64, i64) = (1, 11);
/// Another environment of the same workspace.
pub(crate) const NEIGHBOUR: (i64, i64) = (1, 12);
/// Another workspace.
pub(crate) const FOREIGN: (i64, i64) = (2, 21);

/// When the run of [`Case::proven`] was created. Long enough ago that no settle window is open.
pub(crate) const CREATED: &str = "2025-03-01T10:00:00Z";
/// When its restore started.
pub(crate) const STARTED: &str = "2025-03-01T10:00:10Z";
/// When its restore ended.
pub(crate) const ENDED: &str = "2025-03-01T10:05:00Z";
/// When the end was entered into the audit log.
pub(crate) const RECORDED: &str = "2025-03-01T10:05:01Z";
/// When its evidence was generated.
pub(crate) const GENERATED: &str = "2025-03-01T10:06:00Z";

/// Both requested items, applied.
const RESULTS: &str =
    r#"{"foundations":[],"items":{"7":{"status":"applied"},"8":{"status":"applied"}}}"#;

/// A run and what there is about it.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    pub(crate) run: PlantedRun,
    pub(crate) restore: PlantedRestore,
    pub(crate) audits: Vec<PlantedAudit>,
    pub(crate) snapshots: Vec<PlantedSnapshot>,
    /// Restores beside the one that the run's context names.
    pub(crate) others: Vec<PlantedRestore>,
}

/// The id of the restore of run `run`; far from run ids, so that neither passes for the other.
pub(crate) fn restore_of(run: i64) -> i64 {
    1_000_000 + run
}

/// The id of the snapshot of run `run`.
pub(crate) fn snapshot_of(run: i64) -> i64 {
    2_000_000 + run
}

impl Case {
    /// Run `id` with a restore that all eight legs hold for.
    pub(crate) fn proven(id: i64) -> Self {
        let restore = restore_of(id);
        Self {
            run: PlantedRun {
                id,
                workspace_id: HOME.0,
                managed_environment_id: Some(HOME.1),
                r#type: "restore.execute".to_owned(),
                status: "running".to_owned(),
                outcome: "pending".to_owned(),
                context: Some(format!(r#"{{"restore_run_id":{restore}}}"#)),
                created_at: Some(CREATED.to_owned()),
                ..PlantedRun::default()
            },
            restore: PlantedRestore {
                id: restore,
                workspace_id: HOME.0,
                managed_environment_id: HOME.1,
                backup_set_id: HOME.1,
                operation_run_id: Some(id),
                status: "completed".to_owned(),
                requested_items: Some("[7,8]".to_owned()),
                results: Some(RESULTS.to_owned()),
                metadata: Some(r#"{"total":2,"succeeded":2}"#.to_owned()),
                started_at: Some(STARTED.to_owned()),
                completed_at: Some(ENDED.to_owned()),
                created_at: Some(CREATED.to_owned()),
                ..PlantedRestore::default()
            },
            audits: vec![audit(restore, "restore.completed", RECORDED)],
            snapshots: vec![snapshot(snapshot_of(id), id, "active")],
            others: Vec::new(),
        }
    }

    /// A restore that failed, with nothing else recorded.
    pub(crate) fn failed(id: i64) -> Self {
        let mut case = Self::proven(id);
        case.restore.status = "failed".to_owned();
        case
    }

    /// A restore that is still running, so that the run has to wait.
    pub(crate) fn in_progress(id: i64) -> Self {
        let mut case = Self::proven(id);
        case.restore.status = "running".to_owned();
        case
    }

    /// With another context than the one that names the restore.
    pub(crate) fn with_context(mut self, context: Option<&str>) -> Self {
        self.run.context = context.map(str::to_owned);
        self
    }
}

/// A successful entry about a restore, in the home scope.
pub(crate) fn audit(restore: i64, action: &str, recorded_at: &str) -> PlantedAudit {
    PlantedAudit {
        workspace_id: Some(HOME.0),
        managed_environment_id: Some(HOME.1),
        action: action.to_owned(),
        resource_type: "restore_run".to_owned(),
        resource_id: restore.to_string(),
        status: "success".to_owned(),
        outcome: Some("success".to_owned()),
        recorded_at: recorded_at.to_owned(),
    }
}

/// A complete snapshot of a run, in the home scope.
pub(crate) fn snapshot(id: i64, run: i64, status: &str) -> PlantedSnapshot {
    PlantedSnapshot {
        id,
        workspace_id: HOME.0,
        managed_environment_id: HOME.1,
        operation_run_id: Some(run),
        status: status.to_owned(),
        completeness_state: "complete".to_owned(),
        generated_at: Some(GENERATED.to_owned()),
        expires_at: None,
    }
}

/// Everything that rows can refer to.
pub(crate) fn world() -> PlatformRows {
    let scopes = [HOME, NEIGHBOUR, FOREIGN];
    PlatformRows {
        workspaces: [HOME.0, FOREIGN.0]
            .map(|id| PlantedWorkspace {
                id,
                name: format!("Workspace {id}"),
            })
            .into(),
        environments: scopes
            .map(|(workspace_id, id)| PlantedEnvironment {
                id,
                workspace_id,
                name: format!("Environment {id}"),
            })
            .into(),
        backup_sets: scopes
            .map(|(workspace_id, managed_environment_id)| PlantedBackupSet {
                id: managed_environment_id,
                workspace_id,
                managed_environment_id,
                ..PlantedBackupSet::default()
            })
            .into(),
        ..PlatformRows::default()
    }
}

/// The rows of all `cases`.
pub(crate) fn rows_of(cases: impl IntoIterator<Item = Case>) -> PlatformRows {
    let mut rows = PlatformRows::default();
    for case in cases {
        rows.runs.push(case.run);
        rows.restores.push(case.restore);
        rows.restores.extend(case.others);
        rows.audits.extend(case.audits);
        rows.snapshots.extend(case.snapshots);
    }
    rows
}
