//! Rows for the stand-in of the platform's tables.
//!
//! Demonstrations and tests need a platform to look at. These rows are as raw as the platform's own:
//! JSON is text that need not be JSON, moments are text that need not be moments (`infinity`), so
//! that whatever Laravel could leave behind can be planted.

use async_trait::async_trait;
use jiff::Timestamp;
use reconciler_jobs::ids::RunId;
use serde::Serialize;

use super::{Store, StoreError};

/// A store whose platform tables are a stand-in, or are about to be.
///
/// Kept apart from [`Store`], so that no verb that works on a real platform can reach it.
#[async_trait]
pub trait Standin: Store {
    /// Creates the stand-in's tables.
    async fn install(&self) -> Result<(), StoreError>;

    /// Adds rows to the stand-in.
    async fn plant(&self, rows: &PlatformRows) -> Result<(), StoreError>;

    /// Runs statements that a demonstration or a test brings along, such as a trigger that refuses
    /// one row.
    async fn execute_script(&self, script: &'static str) -> Result<(), StoreError>;

    /// A digest of every row that a verdict or a sweep may write, sweeps excepted. Two equal
    /// fingerprints mean that nothing changed in between.
    async fn fingerprint(&self) -> Result<String, StoreError>;

    /// The same, but for when open runs are looked at and how often they were.
    async fn fingerprint_but_looks(&self) -> Result<String, StoreError>;

    /// What settlements that began at `since` or later wrote about runs with a higher id than `after`,
    /// in ascending order, at most `limit`.
    async fn load_findings(
        &self,
        since: Timestamp,
        after: RunId,
        limit: u32,
    ) -> Result<Vec<Finding>, StoreError>;
}

/// What a settlement wrote about one run: an entry of the ledger, or of the watch list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The run.
    pub run: RunId,
    /// The verdict's outcome; none where the run stays open.
    pub outcome: Option<String>,
    /// The primary reason.
    pub reason_code: String,
    /// What made the worker look, as the ledger has it; the watch list does not say.
    pub source: Option<String>,
}

/// Rows to be added, table by table.
#[derive(Debug, Clone, Default)]
pub struct PlatformRows {
    /// `workspaces`.
    pub workspaces: Vec<PlantedWorkspace>,
    /// `managed_environments`.
    pub environments: Vec<PlantedEnvironment>,
    /// `backup_sets`.
    pub backup_sets: Vec<PlantedBackupSet>,
    /// `backup_items`.
    pub backup_items: Vec<PlantedBackupItem>,
    /// `operation_runs`.
    pub runs: Vec<PlantedRun>,
    /// `restore_runs`.
    pub restores: Vec<PlantedRestore>,
    /// `evidence_snapshots`.
    pub snapshots: Vec<PlantedSnapshot>,
    /// `audit_logs`.
    pub audits: Vec<PlantedAudit>,
}

/// A row of `workspaces`.
#[derive(Debug, Clone, Default, Serialize)]
pub struct PlantedWorkspace {
    /// Primary key.
    pub id: i64,
    /// Name.
    pub name: String,
}

/// A row of `managed_environments`.
#[derive(Debug, Clone, Default, Serialize)]
pub struct PlantedEnvironment {
    /// Primary key.
    pub id: i64,
    /// Its workspace.
    pub workspace_id: i64,
    /// Name.
    pub name: String,
}

/// A row of `backup_sets`. Unless said otherwise, a completed one, of which nobody noted when.
#[derive(Debug, Clone, Serialize)]
pub struct PlantedBackupSet {
    /// Primary key.
    pub id: i64,
    /// Its workspace.
    pub workspace_id: i64,
    /// Its environment.
    pub managed_environment_id: i64,
    /// `name`.
    pub name: String,
    /// `status`.
    pub status: String,
    /// `completed_at`.
    pub completed_at: Option<String>,
    /// `metadata`.
    pub metadata: Option<String>,
    /// `deleted_at`.
    pub deleted_at: Option<String>,
}

impl Default for PlantedBackupSet {
    fn default() -> Self {
        Self {
            id: 0,
            workspace_id: 0,
            managed_environment_id: 0,
            name: "Nightly backup".to_owned(),
            status: "completed".to_owned(),
            completed_at: None,
            metadata: None,
            deleted_at: None,
        }
    }
}

/// A row of `backup_items`; its id is the next one.
#[derive(Debug, Clone, Default, Serialize)]
pub struct PlantedBackupItem {
    /// Its backup set.
    pub backup_set_id: i64,
    /// `policy_type`.
    pub policy_type: String,
    /// `payload`.
    pub payload: String,
    /// `assignments`.
    pub assignments: Option<String>,
    /// `metadata`.
    pub metadata: Option<String>,
    /// `captured_at`.
    pub captured_at: String,
    /// `deleted_at`.
    pub deleted_at: Option<String>,
}

/// A row of `operation_runs`. Moments are RFC 3339 or anything else the column might hold.
#[derive(Debug, Clone, Default, Serialize)]
pub struct PlantedRun {
    /// Primary key.
    pub id: i64,
    /// Its workspace.
    pub workspace_id: i64,
    /// Its environment.
    pub managed_environment_id: Option<i64>,
    /// `type`.
    pub r#type: String,
    /// `status`.
    pub status: String,
    /// `outcome`.
    pub outcome: String,
    /// `summary_counts`.
    pub summary_counts: Option<String>,
    /// `failure_summary`.
    pub failure_summary: Option<String>,
    /// `context`.
    pub context: Option<String>,
    /// `started_at`.
    pub started_at: Option<String>,
    /// `completed_at`.
    pub completed_at: Option<String>,
    /// `created_at`.
    pub created_at: Option<String>,
}

/// A row of `restore_runs`.
#[derive(Debug, Clone, Default, Serialize)]
pub struct PlantedRestore {
    /// Primary key.
    pub id: i64,
    /// Its workspace.
    pub workspace_id: i64,
    /// Its environment.
    pub managed_environment_id: i64,
    /// Its backup set.
    pub backup_set_id: i64,
    /// The run it points at.
    pub operation_run_id: Option<i64>,
    /// `is_dry_run`.
    pub is_dry_run: bool,
    /// `status`.
    pub status: String,
    /// `requested_by`.
    pub requested_by: Option<String>,
    /// `requested_items`.
    pub requested_items: Option<String>,
    /// `group_mapping`.
    pub group_mapping: Option<String>,
    /// `preview`.
    pub preview: Option<String>,
    /// `results`.
    pub results: Option<String>,
    /// `metadata`.
    pub metadata: Option<String>,
    /// `failure_reason`.
    pub failure_reason: Option<String>,
    /// `started_at`.
    pub started_at: Option<String>,
    /// `completed_at`.
    pub completed_at: Option<String>,
    /// `deleted_at`.
    pub deleted_at: Option<String>,
    /// `created_at`.
    pub created_at: Option<String>,
}

/// A row of `evidence_snapshots`.
#[derive(Debug, Clone, Default, Serialize)]
pub struct PlantedSnapshot {
    /// Primary key.
    pub id: i64,
    /// Its workspace.
    pub workspace_id: i64,
    /// Its environment.
    pub managed_environment_id: i64,
    /// The run it was captured for.
    pub operation_run_id: Option<i64>,
    /// `status`.
    pub status: String,
    /// `completeness_state`.
    pub completeness_state: String,
    /// `generated_at`.
    pub generated_at: Option<String>,
    /// `expires_at`.
    pub expires_at: Option<String>,
}

/// A row of `audit_logs`; its id is the next one.
#[derive(Debug, Clone, Default, Serialize)]
pub struct PlantedAudit {
    /// Its workspace.
    pub workspace_id: Option<i64>,
    /// Its environment.
    pub managed_environment_id: Option<i64>,
    /// `action`.
    pub action: String,
    /// `resource_type`.
    pub resource_type: String,
    /// `resource_id`.
    pub resource_id: String,
    /// `status`.
    pub status: String,
    /// `outcome`.
    pub outcome: Option<String>,
    /// `recorded_at`.
    pub recorded_at: String,
}

impl PlatformRows {
    /// One JSON document per table, in an order in which no row comes before one it refers to.
    pub(super) fn documents(&self) -> Result<[String; 8], serde_json::Error> {
        Ok([
            serde_json::to_string(&self.workspaces)?,
            serde_json::to_string(&self.environments)?,
            serde_json::to_string(&self.backup_sets)?,
            serde_json::to_string(&self.backup_items)?,
            serde_json::to_string(&self.runs)?,
            serde_json::to_string(&self.restores)?,
            serde_json::to_string(&self.snapshots)?,
            serde_json::to_string(&self.audits)?,
        ])
    }
}
