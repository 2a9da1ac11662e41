//! A platform of two workspaces: what the guest may see, and what must not exist for it.

use std::process::Command;

use jiff::SignedDuration;
use reconciler_fixtures::{
    PlantedAudit, PlantedBackupItem, PlantedBackupSet, PlantedEnvironment, PlantedRestore,
    PlantedRun, PlantedSnapshot, PlantedWorkspace, PlatformRows, Standin,
};
use restore_reconciler::storage::{self, Access, Limits};
use restore_reconciler::{clock, worker};
use tempfile::TempDir;

/// The guest's workspace, and the first of its ids.
pub(crate) const OWN: i64 = 1;
/// The other workspace, and the first of its ids.
pub(crate) const ELSEWHERE: i64 = 2;

/// In every text of the other workspace, of what was deleted, and of what nobody is shown.
pub(crate) const MARKER: &str = "FOREIGN";
/// In the name of the file, which no error may name.
pub(crate) const SECRET: &str = "hunter2";

/// In each workspace, of each thousand: its run has complete proof and a verdict.
pub(crate) const PROVEN: i64 = 1;
/// Its restore failed, and it has a verdict.
pub(crate) const FAILED: i64 = 2;
/// Its restore is still running.
pub(crate) const RUNNING: i64 = 3;
/// Names a restore of the other workspace as its own.
pub(crate) const LINKED: i64 = 4;
/// Its restore was deleted.
pub(crate) const DELETED: i64 = 5;

/// All of them.
pub(crate) const KINDS: [i64; 5] = [PROVEN, FAILED, RUNNING, LINKED, DELETED];

/// Runs and restores have one id.
pub(crate) const fn id(workspace: i64, kind: i64) -> i64 {
    workspace * 1_000 + kind
}

/// A SQLite file with all of it, gone afterwards.
pub(crate) struct Platform {
    pub(crate) url: String,
    _directory: TempDir,
}

impl Platform {
    pub(crate) async fn planted() -> Self {
        let directory = TempDir::with_prefix(SECRET).expect("a temporary directory");
        let url = format!(
            "sqlite://{}",
            directory.path().join("platform.sqlite").display()
        );
        let store = storage::connect(&url, Access::Create, &Limits::default())
            .await
            .unwrap();
        let standin = Standin::new(&url).unwrap();
        standin.install().await.unwrap();
        standin.plant(&rows()).await.unwrap();
        store.migrate().await.unwrap();
        worker::set_up(&store).await.unwrap();
        drop(store);
        let swept = Command::new(env!("CARGO_BIN_EXE_restore-reconciler"))
            .env_clear()
            .env("RECONCILER_DATABASE_URL", &url)
            .arg("sweep")
            .output()
            .expect("the binary was built");
        assert_eq!(swept.status.code(), Some(10), "{swept:?}");
        Self {
            url,
            _directory: directory,
        }
    }
}

fn ago(minutes: i64) -> String {
    (clock::wall() - SignedDuration::from_mins(minutes)).to_string()
}

fn rows() -> PlatformRows {
    let both = [OWN, ELSEWHERE];
    let name = |workspace: i64, what: &str| match workspace {
        OWN => format!("own {what}"),
        _ => format!("{MARKER} {what}"),
    };
    let each = |of: fn(i64, i64) -> PlantedRun| {
        both.iter()
            .flat_map(|workspace| KINDS.map(|kind| of(*workspace, kind)))
            .collect()
    };
    PlatformRows {
        workspaces: both
            .map(|id| PlantedWorkspace {
                id,
                name: name(id, "workspace"),
            })
            .into(),
        environments: both
            .map(|id| PlantedEnvironment {
                id,
                workspace_id: id,
                name: name(id, "environment"),
            })
            .into(),
        backup_sets: both
            .map(|id| PlantedBackupSet {
                id,
                workspace_id: id,
                managed_environment_id: id,
                status: "completed".into(),
                completed_at: Some(ago(200)),
                metadata: Some(format!("{{\"note\": \"{MARKER} metadata\"}}")),
                ..PlantedBackupSet::default()
            })
            .into(),
        backup_items: both
            .map(|id| PlantedBackupItem {
                backup_set_id: id,
                policy_type: "deviceConfiguration".into(),
                payload: format!("{{\"id\": \"{MARKER} payload\"}}"),
                metadata: Some(format!("{{\"note\": \"{MARKER} metadata\"}}")),
                captured_at: ago(201),
                ..PlantedBackupItem::default()
            })
            .into(),
        runs: each(run),
        restores: both
            .iter()
            .flat_map(|workspace| {
                [PROVEN, FAILED, RUNNING, DELETED].map(|kind| restore(*workspace, kind))
            })
            .collect(),
        snapshots: both.map(snapshot).into(),
        audits: both.map(audit).into(),
    }
}

fn run(workspace: i64, kind: i64) -> PlantedRun {
    let other = OWN + ELSEWHERE - workspace;
    let named = (kind == LINKED).then(|| format!("{{\"restore_run_id\": {}}}", id(other, FAILED)));
    PlantedRun {
        id: id(workspace, kind),
        workspace_id: workspace,
        managed_environment_id: Some(workspace),
        r#type: "restore.execute".into(),
        status: "running".into(),
        outcome: "pending".into(),
        context: named.or_else(|| Some(format!("{{\"note\": \"{MARKER} context\"}}"))),
        created_at: Some(ago(150)),
        started_at: Some(ago(140)),
        ..PlantedRun::default()
    }
}

fn restore(workspace: i64, kind: i64) -> PlantedRestore {
    let is_over = kind != RUNNING;
    let (status, item) = match kind {
        FAILED => ("failed", "failed"),
        RUNNING => ("running", "pending"),
        _ => ("completed", "applied"),
    };
    let said = (workspace != OWN).then(|| format!("{MARKER} failure"));
    PlantedRestore {
        id: id(workspace, kind),
        workspace_id: workspace,
        managed_environment_id: workspace,
        backup_set_id: workspace,
        operation_run_id: Some(id(workspace, kind)),
        status: status.into(),
        requested_items: Some("[11]".into()),
        results: Some(format!(
            "{{\"foundations\": [], \"items\": {{\"11\": {{\"status\": \"{item}\"}}}}}}"
        )),
        metadata: Some(format!("{{\"note\": \"{MARKER} metadata\"}}")),
        failure_reason: said,
        created_at: Some(ago(150)),
        started_at: Some(ago(140)),
        completed_at: is_over.then(|| ago(120)),
        deleted_at: (kind == DELETED).then(|| ago(60)),
        ..PlantedRestore::default()
    }
}

fn snapshot(workspace: i64) -> PlantedSnapshot {
    PlantedSnapshot {
        id: workspace,
        workspace_id: workspace,
        managed_environment_id: workspace,
        operation_run_id: Some(id(workspace, PROVEN)),
        status: "active".into(),
        completeness_state: "complete".into(),
        generated_at: Some(ago(110)),
        expires_at: None,
    }
}

fn audit(workspace: i64) -> PlantedAudit {
    PlantedAudit {
        workspace_id: Some(workspace),
        managed_environment_id: Some(workspace),
        action: "restore.completed".into(),
        resource_type: "restore_run".into(),
        resource_id: id(workspace, PROVEN).to_string(),
        status: "success".into(),
        outcome: Some("success".into()),
        recorded_at: ago(119),
    }
}
