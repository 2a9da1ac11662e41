//! A complete, proven bundle of rows, and the ways in which a scenario spoils it.
//!
//! The restore ended two hours ago: longer than any settle window, so that a gap is a gap. Moments
//! are whole seconds, as the platform's columns are.

use jiff::{SignedDuration, Timestamp};
use reconciler_fixtures::{
    PlantedAudit, PlantedBackupSet, PlantedEnvironment, PlantedRestore, PlantedRun,
    PlantedSnapshot, PlantedWorkspace, PlatformRows,
};
use reconciler_jobs::restore_execute::facts::RUN_TYPE;
use serde_json::{Map, Value, json};

/// Rows of other workspaces and environments, of other runs, and deleted rows have ids from here on.
/// No verdict may mention one of them.
pub const HIDDEN_IDS: i64 = 9_000_000_000;

/// A workspace that no scenario's run belongs to.
const FOREIGN_WORKSPACE: i64 = HIDDEN_IDS + 1;

/// Its one environment.
const FOREIGN_ENVIRONMENT: i64 = HIDDEN_IDS + 2;

/// When the restore began and ended, and when evidence was captured, in minutes before now.
const STARTED: i64 = 180;
const ENDED: i64 = 120;
const CAPTURED: i64 = 110;

/// The backup items of the request.
pub(super) const ITEMS: [&str; 3] = ["501", "502", "503"];

/// The run of a case, and where it belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) run: i64,
    pub(super) workspace: i64,
    pub(super) environment: i64,
}

impl Place {
    /// One of the two environments of a workspace, alternating from run to run.
    pub(super) fn of(run: i64, workspace: i64) -> Self {
        Self {
            run,
            workspace,
            environment: workspace * 10 + 1 + run.rem_euclid(2),
        }
    }

    /// A third environment of the same workspace, which no run belongs to.
    fn sibling(workspace: i64) -> i64 {
        HIDDEN_IDS + workspace * 10
    }
}

/// The rows of one run. Complete and proven until a scenario changes something.
pub(super) struct Case {
    now: Timestamp,
    pub(super) run: PlantedRun,
    pub(super) restore: PlantedRestore,
    /// Restores beside the one above.
    pub(super) rivals: Vec<PlantedRestore>,
    pub(super) audit: PlantedAudit,
    /// Audit entries beside the one above.
    pub(super) more_audits: Vec<PlantedAudit>,
    pub(super) snapshot: PlantedSnapshot,
    /// Snapshots beside the one above.
    pub(super) more_snapshots: Vec<PlantedSnapshot>,
    other_runs: Vec<PlantedRun>,
    without: Vec<Part>,
    context: Map<String, Value>,
    counters: Map<String, Value>,
    items: Map<String, Value>,
    foundations: Vec<Value>,
}

/// A row that a case can do without.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Restore,
    Audit,
    Snapshot,
}

impl Case {
    pub(super) fn proven(place: Place, now: Timestamp) -> Self {
        let mut case = Self {
            now,
            run: PlantedRun {
                id: place.run,
                workspace_id: place.workspace,
                managed_environment_id: Some(place.environment),
                r#type: RUN_TYPE.to_owned(),
                status: "running".to_owned(),
                outcome: "pending".to_owned(),
                summary_counts: Some(r#"{"queued_items": 3}"#.to_owned()),
                failure_summary: Some("[]".to_owned()),
                ..PlantedRun::default()
            },
            restore: PlantedRestore {
                id: place.run * 10,
                workspace_id: place.workspace,
                managed_environment_id: place.environment,
                backup_set_id: place.environment,
                operation_run_id: Some(place.run),
                requested_items: Some(json!([501, 502, 503]).to_string()),
                ..PlantedRestore::default()
            },
            rivals: Vec::new(),
            audit: PlantedAudit {
                workspace_id: Some(place.workspace),
                managed_environment_id: Some(place.environment),
                resource_type: "restore_run".to_owned(),
                resource_id: (place.run * 10).to_string(),
                ..PlantedAudit::default()
            },
            more_audits: Vec::new(),
            snapshot: PlantedSnapshot {
                id: place.run * 10,
                workspace_id: place.workspace,
                managed_environment_id: place.environment,
                operation_run_id: Some(place.run),
                status: "active".to_owned(),
                completeness_state: "complete".to_owned(),
                ..PlantedSnapshot::default()
            },
            more_snapshots: Vec::new(),
            other_runs: Vec::new(),
            without: Vec::new(),
            context: Map::new(),
            counters: Map::new(),
            items: Map::new(),
            foundations: Vec::new(),
        };
        case.set_moments();
        case.set_documents();
        case.ended("completed");
        case
    }

    fn set_moments(&mut self) {
        let [started, ended, captured] = [STARTED, ENDED, CAPTURED].map(|ago| self.ago(ago));
        self.run.created_at = Some(self.ago(STARTED + 5));
        self.run.started_at = Some(self.ago(STARTED));
        self.restore.created_at = Some(self.ago(STARTED + 5));
        self.restore.started_at = Some(started);
        self.restore.completed_at = Some(ended.clone());
        self.audit.recorded_at = ended;
        self.snapshot.generated_at = Some(captured);
        self.snapshot.expires_at = Some(self.ago(-30 * 24 * 60));
    }

    fn set_documents(&mut self) {
        self.note("restore_run_id", json!(self.restore.id));
        let scope = json!({
            "workspace_id": self.run.workspace_id,
            "managed_environment_id": self.run.managed_environment_id,
        });
        self.note("target_scope", scope);
        self.every_item("applied");
        self.foundation("created");
    }

    /// A moment this many minutes ago; a negative number lies in the future.
    pub(super) fn ago(&self, minutes: i64) -> String {
        let ago = SignedDuration::from_mins(minutes);
        self.now.checked_sub(ago).unwrap_or(self.now).to_string()
    }

    /// Leaves a row out.
    pub(super) fn without(&mut self, part: Part) {
        self.without.push(part);
    }

    // The run.

    /// Sets one key of the run's context.
    pub(super) fn note(&mut self, key: &str, value: Value) {
        self.context.insert(key.to_owned(), value);
        self.run.context = Some(Value::Object(self.context.clone()).to_string());
    }

    /// Names no restore in the context, so that the restore has to point at the run.
    pub(super) fn name_no_restore(&mut self) {
        self.context.remove("restore_run_id");
        self.run.context = Some(Value::Object(self.context.clone()).to_string());
    }

    // The restore.

    /// Sets the restore's status, and lets the audit log say the same.
    pub(super) fn ended(&mut self, status: &str) {
        let (action, outcome) = match status {
            "completed" => ("restore.completed", "success"),
            "partial" | "completed_with_errors" => ("restore.partial", "partial"),
            "failed" => ("restore.failed", "failure"),
            "cancelled" | "aborted" => ("restore.cancelled", "blocked"),
            _ => ("restore.executed", "info"),
        };
        status.clone_into(&mut self.restore.status);
        action.clone_into(&mut self.audit.action);
        outcome.clone_into(&mut self.audit.status);
        self.audit.outcome = Some(outcome.to_owned());
    }

    /// Moves the restore's end, its audit entry and its evidence.
    pub(super) fn ended_ago(&mut self, minutes: i64) {
        let ended = self.ago(minutes);
        self.restore.completed_at = Some(ended.clone());
        self.snapshot.generated_at = Some(ended.clone());
        self.audit.recorded_at = ended;
    }

    /// A second restore like the first one, with an id of its own.
    pub(super) fn rival(&self) -> PlantedRestore {
        PlantedRestore {
            id: self.restore.id + 1,
            ..self.restore.clone()
        }
    }

    /// Gives the restore an id that no verdict may mention, and lets context and audit log name it.
    pub(super) fn hide_restore(&mut self) {
        self.restore.id += HIDDEN_IDS;
        self.audit.resource_id = self.restore.id.to_string();
        self.note("restore_run_id", json!(self.restore.id));
    }

    /// Moves the restore and its audit entry to somebody else's workspace.
    pub(super) fn restore_in_foreign_workspace(&mut self) {
        self.hide_restore();
        self.restore.workspace_id = FOREIGN_WORKSPACE;
        self.restore.managed_environment_id = FOREIGN_ENVIRONMENT;
        self.restore.backup_set_id = FOREIGN_ENVIRONMENT;
        self.audit_in_foreign_workspace();
    }

    /// Moves the restore and its audit entry to another environment of the same workspace.
    pub(super) fn restore_in_foreign_environment(&mut self) {
        self.hide_restore();
        let sibling = Place::sibling(self.run.workspace_id);
        self.restore.managed_environment_id = sibling;
        self.restore.backup_set_id = sibling;
        self.audit.managed_environment_id = Some(sibling);
    }

    // Its items.

    /// Sets every item's outcome, and counters that agree where the outcome is known.
    pub(super) fn every_item(&mut self, outcome: &str) {
        for id in ITEMS {
            self.item(
                id,
                json!({ "status": outcome, "policy_type": "deviceConfiguration" }),
            );
        }
        let of = |words: &[&str]| if words.contains(&outcome) { 3 } else { 0 };
        self.count(json!({
            "total": 3,
            "succeeded": of(&["applied"]),
            "failed": of(&["failed"]),
            "skipped": of(&["skipped"]),
            "partial": of(&["partial"]),
            "non_applied": of(&["failed", "skipped"]),
            "foundations_skipped": 0,
        }));
    }

    /// Sets one item, or adds it.
    pub(super) fn item(&mut self, id: &str, item: Value) {
        self.items.insert(id.to_owned(), item);
        self.render_results();
    }

    /// Takes one item's result away.
    pub(super) fn without_item(&mut self, id: &str) {
        self.items.remove(id);
        self.render_results();
    }

    /// Takes all item results away, and leaves foundations and counters.
    pub(super) fn without_items(&mut self) {
        self.items.clear();
        self.render_results();
    }

    /// Sets what became of the one foundation.
    pub(super) fn foundation(&mut self, decision: &str) {
        self.foundations = vec![json!({
            "type": "assignmentFilter",
            "sourceId": "filter-source",
            "targetId": "filter-target",
            "decision": decision,
        })];
        self.render_results();
    }

    /// Sets some counters, and other keys of the restore's metadata.
    pub(super) fn count(&mut self, counters: Value) {
        if let Value::Object(counters) = counters {
            self.counters.extend(counters);
        }
        self.restore.metadata = Some(Value::Object(self.counters.clone()).to_string());
    }

    fn render_results(&mut self) {
        let results = json!({ "foundations": self.foundations, "items": self.items });
        self.restore.results = Some(results.to_string());
    }

    /// No item, no foundation, and counters that say so: nothing was applied.
    pub(super) fn nothing_applied(&mut self) {
        self.every_item("skipped");
        self.foundations.clear();
        self.without_items();
    }

    // Its audit entry.

    /// Moves the audit entry to somebody else's workspace.
    pub(super) fn audit_in_foreign_workspace(&mut self) {
        self.audit.workspace_id = Some(FOREIGN_WORKSPACE);
        self.audit.managed_environment_id = Some(FOREIGN_ENVIRONMENT);
    }

    /// An entry like the one there is, this many minutes later.
    pub(super) fn later_audit(&self, minutes: i64) -> PlantedAudit {
        PlantedAudit {
            recorded_at: self.ago(ENDED - minutes),
            ..self.audit.clone()
        }
    }

    // Its evidence.

    /// A snapshot like the one there is, with a higher id.
    pub(super) fn later_snapshot(&self) -> PlantedSnapshot {
        PlantedSnapshot {
            id: self.snapshot.id + 1,
            ..self.snapshot.clone()
        }
    }

    /// Moves the snapshot to somebody else's workspace.
    pub(super) fn snapshot_in_foreign_workspace(&mut self) {
        self.snapshot.id += HIDDEN_IDS;
        self.snapshot.workspace_id = FOREIGN_WORKSPACE;
        self.snapshot.managed_environment_id = FOREIGN_ENVIRONMENT;
    }

    /// A run of the same environment that was closed long ago; its id.
    pub(super) fn other_run(&mut self) -> i64 {
        let other = PlantedRun {
            id: HIDDEN_IDS + self.run.id,
            status: "completed".to_owned(),
            outcome: "succeeded".to_owned(),
            completed_at: self.restore.completed_at.clone(),
            ..self.run.clone()
        };
        let id = other.id;
        self.other_runs.push(other);
        id
    }

    /// Adds the rows to `rows`.
    pub(super) fn plant(self, rows: &mut PlatformRows) {
        let has = |part: Part| !self.without.contains(&part);
        rows.runs.push(self.run);
        rows.runs.extend(self.other_runs);
        rows.restores
            .extend(has(Part::Restore).then_some(self.restore));
        rows.restores.extend(self.rivals);
        rows.audits.extend(has(Part::Audit).then_some(self.audit));
        rows.audits.extend(self.more_audits);
        rows.snapshots
            .extend(has(Part::Snapshot).then_some(self.snapshot));
        rows.snapshots.extend(self.more_snapshots);
    }
}

/// Adds a workspace with the environments that [`Place`] names, each with one backup set.
pub(super) fn plant_workspace(rows: &mut PlatformRows, id: i64, name: &str) {
    let environments = [
        (id * 10 + 1, "Production"),
        (id * 10 + 2, "Pilot"),
        (Place::sibling(id), "Closed down"),
    ];
    plant_environments(rows, id, name, &environments);
}

/// Adds the workspace that no run belongs to.
pub(super) fn plant_foreign_workspace(rows: &mut PlatformRows) {
    let environments = [(FOREIGN_ENVIRONMENT, "Production")];
    plant_environments(rows, FOREIGN_WORKSPACE, "Somebody else", &environments);
}

fn plant_environments(
    rows: &mut PlatformRows,
    workspace_id: i64,
    name: &str,
    environments: &[(i64, &str)],
) {
    rows.workspaces.push(PlantedWorkspace {
        id: workspace_id,
        name: name.to_owned(),
    });
    for (id, name) in environments {
        rows.environments.push(PlantedEnvironment {
            id: *id,
            workspace_id,
            name: (*name).to_owned(),
        });
        rows.backup_sets.push(PlantedBackupSet {
            id: *id,
            workspace_id,
            managed_environment_id: *id,
            ..PlantedBackupSet::default()
        });
    }
}
