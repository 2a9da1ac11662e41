//! The standard work: the runs that are settled while the clock is running.
//!
//! Seven of ten have complete proof; the others are spread evenly over the reasons for which a verdict is
//! below `succeeded`. Nothing is random: run N is the same in every measurement.

use jiff::{SignedDuration, Timestamp};
use reconciler_jobs::restore_execute::ReasonCode;
use reconciler_jobs::restore_execute::facts::RUN_TYPE;
use serde_json::{Map, Value, json};

use reconciler_fixtures::{
    PlantedAudit, PlantedBackupItem, PlantedBackupSet, PlantedEnvironment, PlantedRestore,
    PlantedRun, PlantedSnapshot, PlantedWorkspace, PlatformRows,
};

/// How many workspaces share the runs.
const WORKSPACES: i64 = 50;

/// When restores ended, in minutes before they are planted: longer than any settle window.
const ENDED: i64 = 120;

/// What a verdict will say, and what makes it say so.
type Flaw = (ReasonCode, fn(&mut Bundle));

/// The runs below `succeeded`, as often as each other.
const FLAWS: [Flaw; 15] = [
    (ReasonCode::ItemsMixed, |it| it.set_item(0, "skipped")),
    (ReasonCode::ItemsMissing, |it| {
        it.items.pop();
    }),
    (ReasonCode::ItemsUnrecognised, |it| {
        it.set_item(0, "applied_with_warnings");
    }),
    (ReasonCode::ItemsUnexpected, |it| {
        it.requested.pop();
    }),
    (ReasonCode::AllItemsFailed, |it| {
        (0..it.items.len()).for_each(|item| it.set_item(item, "failed"));
    }),
    (ReasonCode::ExecutionFailed, |it| {
        it.end("failed", "restore.failed", "failure");
    }),
    (ReasonCode::Cancelled, |it| {
        it.end("cancelled", "restore.cancelled", "blocked");
        it.items.clear();
    }),
    (ReasonCode::CancelledAfterWrites, |it| {
        it.end("cancelled", "restore.cancelled", "blocked");
    }),
    (ReasonCode::AbortedAfterWrites, |it| {
        it.end("aborted", "restore.cancelled", "blocked");
    }),
    (ReasonCode::AuditMissing, |it| it.audit = None),
    (ReasonCode::AuditContradicts, |it| {
        it.end("completed", "restore.failed", "failure");
    }),
    (ReasonCode::EvidenceMissing, |it| it.snapshot = None),
    (ReasonCode::EvidenceIncomplete, |it| {
        it.set_snapshot(|snapshot| "partial".clone_into(&mut snapshot.completeness_state));
    }),
    (ReasonCode::EvidencePredatesRestore, |it| {
        let before = it.ago(ENDED + 10);
        it.set_snapshot(|snapshot| snapshot.generated_at = Some(before));
    }),
    (ReasonCode::EvidenceExpired, |it| {
        let before = it.ago(ENDED / 2);
        it.set_snapshot(|snapshot| snapshot.expires_at = Some(before));
    }),
];

/// How many runs with complete proof stand before the flawed ones.
const PROVEN: usize = FLAWS.len() * 7 / 3;

/// What the verdict about a run will say.
#[cfg(test)]
fn expected(run: i64) -> ReasonCode {
    flaw(run).map_or(ReasonCode::ProofComplete, |(reason, _)| *reason)
}

fn flaw(run: i64) -> Option<&'static Flaw> {
    let kinds = PROVEN + FLAWS.len();
    let kind = usize::try_from(run.unsigned_abs()).unwrap_or_default() % kinds;
    FLAWS.get(kind.checked_sub(PROVEN)?)
}

/// The workspaces, with one environment and one backup set each.
pub(crate) fn workspaces() -> PlatformRows {
    let mut rows = PlatformRows::default();
    for id in 1..=WORKSPACES {
        rows.workspaces.push(PlantedWorkspace {
            id,
            name: format!("Customer {id}"),
        });
        rows.environments.push(PlantedEnvironment {
            id: environment_of(id),
            workspace_id: id,
            name: "Production".to_owned(),
        });
        rows.backup_sets.push(PlantedBackupSet {
            id: environment_of(id),
            workspace_id: id,
            managed_environment_id: environment_of(id),
            ..PlantedBackupSet::default()
        });
    }
    rows
}

fn environment_of(workspace: i64) -> i64 {
    workspace * 10 + 1
}

/// The environments beside that one.
fn others_of(workspace: i64) -> impl Iterator<Item = i64> {
    let all = workspace * 10..(workspace + 1) * 10;
    all.filter(move |id| *id != environment_of(workspace))
}

/// How many items a backup set has beside settled runs.
const BACKUP_ITEMS: i64 = 20;

/// What else the workspaces of years have: ten environments each, whose backup sets hold items.
pub(crate) fn estate() -> PlatformRows {
    let mut rows = PlatformRows::default();
    for workspace in 1..=WORKSPACES {
        for id in others_of(workspace) {
            rows.environments.push(PlantedEnvironment {
                id,
                workspace_id: workspace,
                name: format!("Branch {id}"),
            });
            rows.backup_sets.push(PlantedBackupSet {
                id,
                workspace_id: workspace,
                managed_environment_id: id,
                ..PlantedBackupSet::default()
            });
        }
        let sets = std::iter::once(environment_of(workspace)).chain(others_of(workspace));
        rows.backup_items.extend(sets.flat_map(|set| {
            (0..BACKUP_ITEMS).map(move |_| PlantedBackupItem {
                backup_set_id: set,
                policy_type: "deviceConfiguration".to_owned(),
                payload: r#"{"settings": ["one", "another"]}"#.to_owned(),
                captured_at: "2025-01-01T00:00:00Z".to_owned(),
                ..PlantedBackupItem::default()
            })
        }));
    }
    rows
}

/// Due runs, each with a restore of `items` items, which have the runs' own numbers.
pub(crate) fn runs(numbers: impl Iterator<Item = i64>, items: u32, now: Timestamp) -> PlatformRows {
    let mut rows = PlatformRows::default();
    for run in numbers {
        let mut bundle = Bundle::proven(run, items, now);
        if let Some((_, differs)) = flaw(run) {
            differs(&mut bundle);
        }
        bundle.plant(&mut rows);
    }
    rows
}

/// How long the results of one proven restore are.
pub(crate) fn results_bytes(items: u32) -> usize {
    let rows = runs(std::iter::once(0), items, Timestamp::UNIX_EPOCH);
    let results = rows
        .restores
        .iter()
        .filter_map(|restore| restore.results.as_ref());
    results.map(String::len).sum()
}

/// The rows of one run.
struct Bundle {
    now: Timestamp,
    run: i64,
    workspace: i64,
    status: &'static str,
    requested: Vec<i64>,
    items: Vec<(i64, Value)>,
    audit: Option<PlantedAudit>,
    snapshot: Option<PlantedSnapshot>,
}

impl Bundle {
    fn proven(run: i64, items: u32, now: Timestamp) -> Self {
        let workspace = 1 + run.rem_euclid(WORKSPACES);
        let environment = environment_of(workspace);
        let numbers = 1_000..1_000 + i64::from(items);
        let mut bundle = Self {
            now,
            run,
            workspace,
            status: "",
            requested: numbers.clone().collect(),
            items: numbers.map(|number| (number, item(number))).collect(),
            audit: Some(PlantedAudit {
                workspace_id: Some(workspace),
                managed_environment_id: Some(environment),
                resource_type: "restore_run".to_owned(),
                resource_id: run.to_string(),
                ..PlantedAudit::default()
            }),
            snapshot: Some(PlantedSnapshot {
                id: run,
                workspace_id: workspace,
                managed_environment_id: environment,
                operation_run_id: Some(run),
                status: "active".to_owned(),
                completeness_state: "complete".to_owned(),
                ..PlantedSnapshot::default()
            }),
        };
        let (captured, expires) = (bundle.ago(ENDED - 10), bundle.ago(-24 * 60));
        bundle.set_snapshot(|snapshot| {
            snapshot.generated_at = Some(captured);
            snapshot.expires_at = Some(expires);
        });
        bundle.end("completed", "restore.completed", "success");
        bundle
    }

    fn ago(&self, minutes: i64) -> String {
        let ago = SignedDuration::from_mins(minutes);
        self.now.checked_sub(ago).unwrap_or(self.now).to_string()
    }

    fn set_item(&mut self, place: usize, outcome: &str) {
        if let Some((_, Value::Object(item))) = self.items.get_mut(place) {
            item.insert("status".to_owned(), json!(outcome));
        }
    }

    fn set_snapshot(&mut self, differs: impl FnOnce(&mut PlantedSnapshot)) {
        self.snapshot.as_mut().map(differs);
    }

    fn end(&mut self, status: &'static str, action: &str, outcome: &str) {
        self.status = status;
        let ended = self.ago(ENDED);
        if let Some(audit) = &mut self.audit {
            action.clone_into(&mut audit.action);
            outcome.clone_into(&mut audit.status);
            audit.outcome = Some(outcome.to_owned());
            audit.recorded_at = ended;
        }
    }

    fn counters(&self) -> Value {
        let of = |outcome: &str| {
            let has = |(_, item): &&(i64, Value)| item.get("status") == Some(&json!(outcome));
            self.items.iter().filter(has).count()
        };
        let (failed, skipped) = (of("failed"), of("skipped"));
        json!({
            "total": self.items.len(), "succeeded": of("applied"), "failed": failed, "skipped": skipped,
            "partial": 0, "non_applied": failed + skipped, "foundations_skipped": 0,
        })
    }

    fn plant(self, rows: &mut PlatformRows) {
        let (created, started, ended) =
            (self.ago(ENDED + 65), self.ago(ENDED + 60), self.ago(ENDED));
        let environment = environment_of(self.workspace);
        let context = json!({
            "restore_run_id": self.run,
            "target_scope": { "workspace_id": self.workspace, "managed_environment_id": environment },
        });
        rows.runs.push(PlantedRun {
            id: self.run,
            workspace_id: self.workspace,
            managed_environment_id: Some(environment),
            r#type: RUN_TYPE.to_owned(),
            status: "running".to_owned(),
            outcome: "pending".to_owned(),
            summary_counts: Some("{}".to_owned()),
            failure_summary: Some("[]".to_owned()),
            context: Some(context.to_string()),
            started_at: Some(started.clone()),
            created_at: Some(created.clone()),
            ..PlantedRun::default()
        });
        let metadata = self.counters().to_string();
        let items: Map<String, Value> = self
            .items
            .into_iter()
            .map(|(number, item)| (number.to_string(), item))
            .collect();
        rows.restores.push(PlantedRestore {
            id: self.run,
            workspace_id: self.workspace,
            managed_environment_id: environment,
            backup_set_id: environment,
            operation_run_id: Some(self.run),
            status: self.status.to_owned(),
            requested_items: Some(json!(self.requested).to_string()),
            results: Some(json!({ "foundations": [], "items": items }).to_string()),
            metadata: Some(metadata),
            started_at: Some(started),
            completed_at: Some(ended),
            created_at: Some(created),
            ..PlantedRestore::default()
        });
        rows.audits.extend(self.audit);
        rows.snapshots.extend(self.snapshot);
    }
}

/// What the platform writes about one policy.
fn item(number: i64) -> Value {
    json!({
        "status": "applied",
        "policy_type": "deviceConfiguration",
        "policy_identifier": format!("6f1d2b8e-0c55-4b1e-9a7d-{number:012}"),
        "created_policy_id": format!("c2a94e07-77b1-4f3a-8c60-{number:012}"),
    })
}

#[cfg(test)]
mod tests {
    use std::ops::ControlFlow;

    use reconciler_fixtures::Standin;
    use reconciler_jobs::ids::RunId;
    use restore_reconciler::storage::{Access, Limits, Settlement, connect};
    use restore_reconciler::sweep::{Scope, sweep};

    use super::*;
    use crate::bench::settling;

    #[tokio::test]
    async fn each_run_comes_to_what_it_was_planted_for() {
        let directory = tempfile::tempdir().unwrap();
        let url = format!(
            "sqlite://{}",
            directory.path().join("work.sqlite").display()
        );
        let limits = Limits::default();
        let store = connect(&url, Access::Create, &limits).await.unwrap();
        let standin = Standin::new(&url).unwrap();
        standin.install().await.unwrap();
        store.migrate().await.unwrap();
        standin.plant(&workspaces()).await.unwrap();
        let all = 1..=100;
        let now = store.now().await.unwrap();
        standin.plant(&runs(all.clone(), 20, now)).await.unwrap();

        let mut found = Vec::new();
        let with = settling();
        sweep(&store, Scope::default(), &with, |settled| {
            found.extend(settled.iter().map(|settled| match &settled.result {
                Settlement::Committed(it) => (settled.run, it.decision.reason),
                other => panic!("{}: {other:?}", settled.run.0),
            }));
            ControlFlow::Continue(())
        })
        .await
        .unwrap();
        found.sort_by_key(|(run, _)| *run);
        let wanted: Vec<_> = all.map(|run| (RunId(run), expected(run))).collect();
        assert_eq!(found, wanted);
        let proven = found
            .iter()
            .filter(|(_, reason)| *reason == ReasonCode::ProofComplete);
        assert_eq!(proven.count(), 70);
    }

    #[test]
    fn results_are_as_long_as_those_of_twenty_items() {
        assert!((3_000..4_000).contains(&results_bytes(20)));
    }
}
