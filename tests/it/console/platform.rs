//! A platform of two workspaces: what the guest may see, and what must not exist for it.

use jiff::Timestamp;
use reconciler_fixtures::{Case, CaseIds, PlantedBackupItem, PlatformRows, Standin};
use restore_reconciler::internals::storage::{Access, Limits, connect};
use restore_reconciler::internals::{clock, worker};
use serde_json::json;
use tempfile::TempDir;

use crate::support::process::program;

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
        let url = format!("sqlite://{}/platform.sqlite", directory.path().display());
        let limits = Limits::default();
        let store = connect(&url, Access::Create, &limits).await.unwrap();
        let standin = Standin::new(&url).unwrap();
        standin.install().await.unwrap();
        standin.plant(&rows()).await.unwrap();
        store.migrate().await.unwrap();
        worker::set_up(&store).await.unwrap();
        drop(store);
        let swept = program(&url, &["sweep"]).output();
        let swept = swept.expect("the binary was built");
        assert_eq!(swept.status.code(), Some(10), "{swept:?}");
        Self {
            url,
            _directory: directory,
        }
    }
}

fn rows() -> PlatformRows {
    let now = clock::wall();
    let both = [OWN, ELSEWHERE];
    let each_kind = |workspace| KINDS.map(|kind| case(workspace, kind, now));
    let mut rows: PlatformRows = both.into_iter().flat_map(each_kind).collect();
    for (id, whose) in both.into_iter().zip(["own", MARKER]) {
        let environment = (id, format!("{whose} environment"));
        rows.add_environments(id, format!("{whose} workspace"), [environment]);
        rows.backup_items.push(PlantedBackupItem {
            backup_set_id: id,
            policy_type: "deviceConfiguration".into(),
            payload: format!("{{\"id\": \"{MARKER} payload\"}}"),
            metadata: Some(marked("metadata")),
            captured_at: case(id, PROVEN, now).ago(201),
            ..PlantedBackupItem::default()
        });
    }
    for set in &mut rows.backup_sets {
        set.completed_at = Some(case(set.id, PROVEN, now).ago(200));
        set.metadata = Some(marked("metadata"));
    }
    rows
}

/// A map with a remark that nobody is shown.
fn marked(what: &str) -> String {
    format!("{{\"note\": \"{MARKER} {what}\"}}")
}

fn case(workspace: i64, kind: i64, now: Timestamp) -> Case {
    let ids = CaseIds {
        run: id(workspace, kind),
        restore: id(workspace, kind),
        workspace,
        environment: workspace,
    };
    let mut case = Case::new(ids, now);
    case.without_foundation();
    case.request([(11, json!({ "status": "applied" }))]);
    case.restore.metadata = Some(marked("metadata"));
    case.restore.failure_reason = (workspace != OWN).then(|| format!("{MARKER} failure"));
    case.run.context = Some(marked("context"));
    if kind != PROVEN {
        case.audits.clear();
        case.snapshots.clear();
    }
    match kind {
        FAILED => {
            "failed".clone_into(&mut case.restore.status);
            case.item("11", json!({ "status": "failed" }));
        }
        RUNNING => {
            "running".clone_into(&mut case.restore.status);
            case.item("11", json!({ "status": "pending" }));
            case.restore.completed_at = None;
        }
        LINKED => {
            let other = id(OWN + ELSEWHERE - workspace, FAILED);
            case.run.context = Some(json!({ "restore_run_id": other }).to_string());
            case.has_restore = false;
        }
        DELETED => case.restore.deleted_at = Some(case.ago(60)),
        _ => {}
    }
    case
}
