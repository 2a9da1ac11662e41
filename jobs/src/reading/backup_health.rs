//! Backup health: what could be restored, judged by the backup set that finished last, however it ended.
//!
//! An older set never makes up for it, however whole it is. What is counted of its items is [`Quality`]'s story.
//!
//! **Invariant:** speaks of backup inputs only, never of recovery. What was not looked at is never fine.

use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::Serialize;

use super::attention::Tone;
pub use super::backup_items::{BackupItemRow, Quality};
use crate::ids::BackupSetId;
use crate::stamp::Stamp;
use crate::vocabulary;

/// A row of `backup_sets`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    missing_docs,
    reason = "a field without words is the column of its name"
)]
pub struct BackupSetRow {
    /// Primary key.
    pub id: BackupSetId,
    pub name: String,
    pub status: String,
    pub completed_at: Stamp,
    /// Whether `deleted_at` is set.
    pub is_deleted: bool,
    /// How many live items it has, whether or not they were looked at.
    pub items: u64,
}

/// A backup set, as far as anything is judged from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackupSetFacts {
    /// The set.
    pub id: BackupSetId,
    /// The set's name, as its workspace chose it.
    pub name: String,
    /// How it ended.
    pub status: BackupStatus,
    /// When it ended.
    pub completed_at: Stamp,
    /// Whether it was deleted.
    pub is_deleted: bool,
    /// What was captured.
    pub quality: Quality,
}

impl BackupSetFacts {
    /// From a set and those of its items that were looked at.
    #[must_use]
    pub fn gather(row: BackupSetRow, items: &[BackupItemRow]) -> Self {
        Self {
            id: row.id,
            name: row.name,
            status: BackupStatus::parse(&row.status),
            completed_at: row.completed_at,
            is_deleted: row.is_deleted,
            quality: Quality::count(row.items, items),
        }
    }
}

vocabulary! {
    /// `backup_sets.status`.
    #[derive(Serialize, JsonSchema)]
    #[serde(rename_all = "snake_case")]
    pub enum BackupStatus {
        /// The platform's word.
        word: &'static str,
    }
    /// All was captured that was to be.
    Completed { word: "completed" }
    /// Some of it was not.
    Partial { word: "partial" }
    /// It failed, and may hold items all the same.
    Failed { word: "failed" }
    /// Any other text: it has not ended.
    NotEnded { word: "not_ended" }
}

impl BackupStatus {
    fn parse(word: &str) -> Self {
        let known = Self::ALL.into_iter().find(|status| status.word() == word);
        known.unwrap_or(Self::NotEnded)
    }
}

/// When the inputs of a backup are too old.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BackupThresholds {
    /// Since the set was completed. One of exactly this age is stale.
    pub age_max: SignedDuration,
    /// How far in the future it may have been completed, where clocks differ.
    pub clock_skew_max: SignedDuration,
}

impl Default for BackupThresholds {
    fn default() -> Self {
        Self {
            age_max: SignedDuration::from_hours(7 * 24),
            clock_skew_max: SignedDuration::from_mins(5),
        }
    }
}

vocabulary! {
    /// What is known of what could be restored, the state that claims least first.
    #[derive(PartialOrd, Ord, Serialize, JsonSchema)]
    #[serde(rename_all = "snake_case")]
    pub enum BackupHealth {
        /// The label that pages show.
        label: &'static str,
        /// How urgent it looks.
        tone: Tone,
    }
    /// There is nothing that could be restored.
    Absent { label: "No usable backup inputs", tone: Tone::Danger }
    /// There is, and it is too old, or its age is unknown.
    Stale { label: "Backup inputs out of date", tone: Tone::Warning }
    /// It is recent, and not whole.
    Degraded { label: "Backup inputs incomplete", tone: Tone::Warning }
    /// It is recent, and nothing speaks against it. Says nothing about recovery.
    Healthy { label: "Recent backup inputs captured", tone: Tone::Calm }
}

impl BackupHealth {
    /// What the state does not prove.
    #[must_use]
    pub const fn claim_boundary(self) -> &'static str {
        BACKUP_CLAIM_BOUNDARY
    }

    /// An identifier of the claim boundary, for programs.
    #[must_use]
    pub const fn claim_boundary_id(self) -> &'static str {
        "backup_inputs_only_restore_not_proven"
    }

    /// Whether a surface may speak well of backup inputs, and of nothing else.
    #[must_use]
    pub const fn healthy_claim_allowed(self) -> bool {
        matches!(self, Self::Healthy)
    }
}

/// Stands wherever the quality of backup inputs is shown.
pub const BACKUP_CLAIM_BOUNDARY: &str =
    "Input quality does not prove that execution is safe or that an environment can be recovered.";

vocabulary! {
    /// What was found of a backup set, in the order in which it decides.
    #[derive(PartialOrd, Ord, Serialize, JsonSchema)]
    #[serde(rename_all = "snake_case")]
    #[schemars(rename = "Finding")]
    pub enum BackupFinding {
        /// What was found, in one sentence.
        summary,
        /// The state it leads to.
        health: BackupHealth,
        /// What to do next.
        next_action: &'static str,
    }
    NoSet = "No completed backup set is available." {
        health: BackupHealth::Absent,
        next_action: "Create a backup set.",
    }
    Deleted = "The backup set was deleted." {
        health: BackupHealth::Absent,
        next_action: "Create a backup set.",
    }
    NotCompleted = "The backup set has not been completed." {
        health: BackupHealth::Absent,
        next_action: "Open the backup set.",
    }
    NothingCaptured = "The backup set holds no captured items." {
        health: BackupHealth::Absent,
        next_action: "Open the backup set and find out why nothing was captured.",
    }
    AgeUnknown = "When the backup set was completed is not recorded, or cannot be true." {
        health: BackupHealth::Stale,
        next_action: "Capture a new backup set.",
    }
    TooOld = "The backup set is older than it may be." {
        health: BackupHealth::Stale,
        next_action: "Capture a new backup set.",
    }
    SetFailed = "The latest backup failed." {
        health: BackupHealth::Degraded,
        next_action: "Find out why the backup failed, and capture a new one.",
    }
    SetPartial = "The latest backup captured only a part of what it was to capture." {
        health: BackupHealth::Degraded,
        next_action: "Open the backup set and review what is missing.",
    }
    NotLookedAt = "The backup set has more items than were looked at." {
        health: BackupHealth::Degraded,
        next_action: "Open the backup set and review its items.",
    }
    MetadataOnly = "Some items were captured without their settings." {
        health: BackupHealth::Degraded,
        next_action: "Review the metadata-only items.",
    }
    AssignmentIssues = "The assignments of some items could not be captured." {
        health: BackupHealth::Degraded,
        next_action: "Review the items with assignment issues.",
    }
    OrphanedAssignments = "Assignments of some items name what no longer exists." {
        health: BackupHealth::Degraded,
        next_action: "Review the items with orphaned assignments.",
    }
    OtherFaults = "Some items carry a warning, or their metadata cannot be read." {
        health: BackupHealth::Degraded,
        next_action: "Review the degraded items.",
    }
    Captured = "The backup set is recent, and no fault of its items is recorded." {
        health: BackupHealth::Healthy,
        next_action: "Review the backup set before a restore relies on it.",
    }
}

/// What is known of the inputs that an environment could be restored from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BackupReading {
    /// The state.
    pub health: BackupHealth,
    /// What decided.
    pub finding: BackupFinding,
    /// What else was found, in order.
    pub further: Vec<BackupFinding>,
}

impl BackupReading {
    /// Reads the set that finished last; none where there is none that the viewer may see.
    #[must_use]
    pub fn of(set: Option<&BackupSetFacts>, as_of: Timestamp, limits: &BackupThresholds) -> Self {
        let mut found = match set {
            None => vec![BackupFinding::NoSet],
            Some(set) => findings(set, as_of, limits),
        }
        .into_iter();
        let finding = found.next().unwrap_or(BackupFinding::Captured);
        Self {
            health: finding.health(),
            finding,
            further: found.collect(),
        }
    }
}

/// Everything that speaks against a set. Of one that nothing can be restored from, that is all there is to say.
fn findings(
    set: &BackupSetFacts,
    as_of: Timestamp,
    limits: &BackupThresholds,
) -> Vec<BackupFinding> {
    let quality = &set.quality;
    let unusable = [
        (set.is_deleted, BackupFinding::Deleted),
        (
            set.status == BackupStatus::NotEnded,
            BackupFinding::NotCompleted,
        ),
        (quality.items == 0, BackupFinding::NothingCaptured),
    ];
    if let Some((_, finding)) = unusable.into_iter().find(|(found, _)| *found) {
        return vec![finding];
    }
    let age = set.completed_at.moment().map(|it| as_of.duration_since(it));
    let is_known =
        |age: &SignedDuration| age.saturating_add(limits.clock_skew_max) >= SignedDuration::ZERO;
    let age = age.filter(is_known);
    [
        (age.is_none(), BackupFinding::AgeUnknown),
        (
            age.is_some_and(|age| age >= limits.age_max),
            BackupFinding::TooOld,
        ),
        (set.status == BackupStatus::Failed, BackupFinding::SetFailed),
        (
            set.status == BackupStatus::Partial,
            BackupFinding::SetPartial,
        ),
        (quality.not_looked_at > 0, BackupFinding::NotLookedAt),
        (quality.metadata_only > 0, BackupFinding::MetadataOnly),
        (
            quality.assignment_issues > 0,
            BackupFinding::AssignmentIssues,
        ),
        (
            quality.orphaned_assignments > 0,
            BackupFinding::OrphanedAssignments,
        ),
        (quality.other_faults > 0, BackupFinding::OtherFaults),
    ]
    .into_iter()
    .filter_map(|(found, finding)| found.then_some(finding))
    .collect()
}
