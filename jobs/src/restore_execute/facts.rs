//! The typed snapshot a decision is made from.
//!
//! Facts are small, ordered and complete: whatever a rule may look at is here, whatever the platform
//! stored beyond that is gone. They carry their own moment ([`Facts::as_of`]) and their own
//! [`Policy`], so that a decision can be repeated years later from the ledger alone.
//!
//! **Invariant:** equal rows give equal facts, in whatever order the rows arrived.

use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::context::ContextFacts;
use super::reason::ReasonCode;
use super::results::{Counters, ItemFacts};
use super::rows::{AuditRow, CandidateRow, RestoreRow, RunRow, SnapshotRow};
use super::{blockers, context, results};
use crate::ids::{AuditId, EnvironmentId, RestoreId, RunId, SnapshotId, WorkspaceId};
use crate::stamp::Stamp;
use crate::vocabulary;

/// The one operation type this product judges.
pub const RUN_TYPE: &str = "restore.execute";

/// Everything a decision about one run may look at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// The database's clock when the facts were read. All windows are measured from here.
    pub as_of: Timestamp,
    /// The settings in force.
    pub policy: Policy,
    /// The run.
    pub run: RunFacts,
    /// Restores that may belong to the run, by id.
    pub candidates: Vec<Candidate>,
    /// The restore the link rule chose among the candidates, if it chose one.
    pub restore: Option<RestoreFacts>,
    /// Terminal audit entries about that restore, by id.
    pub audits: Vec<AuditFacts>,
    /// Evidence captured for the run.
    pub evidence: EvidenceFacts,
}

/// Settings that can change a decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// How long after a restore's end its audit entry and its evidence may still arrive.
    pub settle_window: SignedDuration,
    /// How long both may still arrive while a snapshot of the run is queued or generating.
    pub settle_window_in_progress: SignedDuration,
    /// How far a restore's end may lie in the future before it is taken as unknown.
    pub clock_skew_max: SignedDuration,
    /// How much older than the restore's end evidence may be and still count as newer.
    pub evidence_skew_max: SignedDuration,
    /// Audit actions that record the end of a restore.
    pub audit_actions: Vec<String>,
    /// Keys of `summary_counts` that a verdict may write.
    pub summary_keys: Vec<String>,
}

/// When a judgement is made, and under which settings.
#[derive(Debug, Clone, Copy)]
pub struct At<'a> {
    /// The database's clock when the rows were read.
    pub as_of: Timestamp,
    /// The settings in force.
    pub policy: &'a Policy,
}

impl Default for Policy {
    fn default() -> Self {
        let owned = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect();
        Self {
            settle_window: SignedDuration::from_mins(10),
            settle_window_in_progress: SignedDuration::from_mins(60),
            clock_skew_max: SignedDuration::from_mins(5),
            evidence_skew_max: SignedDuration::ZERO,
            audit_actions: owned(&[
                "restore.executed",
                "restore.completed",
                "restore.partial",
                "restore.failed",
                "restore.cancelled",
            ]),
            summary_keys: owned(&results::SUMMARY_KEYS),
        }
    }
}

/// What the run itself says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunFacts {
    /// The run.
    pub id: RunId,
    /// The workspace that the run belongs to.
    pub workspace_id: WorkspaceId,
    /// The environment that it acts on; none for workspace housekeeping, which no restore can match.
    pub environment_id: Option<EnvironmentId>,
    /// Whether its type is [`RUN_TYPE`].
    pub is_restore_execute: bool,
    /// The run's status when it was read.
    pub status: RunStatus,
    /// The outcome on the run's row before this verdict, recorded as the previous one.
    pub outcome: RunOutcome,
    /// When it was created.
    pub created_at: Stamp,
    /// When it started, if anybody noted that.
    pub started_at: Stamp,
    /// What its context says.
    pub context: ContextFacts,
    /// Blockers recorded on the run, in registry order.
    pub blockers: Vec<ReasonCode>,
    /// Whether `failure_summary` and `context.execution_legitimacy` could be read, so that no blocker
    /// hides there.
    pub blockers_readable: bool,
}

vocabulary! {
    /// `operation_runs.status`.
    #[derive(Serialize, Deserialize, JsonSchema)]
    #[serde(rename_all = "snake_case")]
    pub enum RunStatus {
        /// The platform's word.
        word: &'static str,
    }
    /// Not started.
    Queued { word: "queued" }
    /// Started.
    Running { word: "running" }
    /// Closed; immutable from here on.
    Completed { word: "completed" }
    /// Any other text, other case and padding included.
    Unknown { word: "unknown" }
}

vocabulary! {
    /// `operation_runs.outcome`.
    #[derive(Serialize, Deserialize, JsonSchema)]
    #[serde(rename_all = "snake_case")]
    pub enum RunOutcome {
        /// The platform's word.
        word: &'static str,
    }
    /// None yet.
    Pending { word: "pending" }
    /// Proven.
    Succeeded { word: "succeeded" }
    /// Something is missing.
    PartiallySucceeded { word: "partially_succeeded" }
    /// Stopped before it did anything.
    Blocked { word: "blocked" }
    /// Failed.
    Failed { word: "failed" }
    /// Any other text.
    Unknown { word: "unknown" }
}

/// A live restore in the run's scope that may belong to the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Candidate {
    /// The restore.
    pub restore_id: RestoreId,
    /// The run it points at.
    pub points_at: Option<RunId>,
}

/// What the restore says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestoreFacts {
    /// The restore.
    pub id: RestoreId,
    /// The workspace that the restore belongs to.
    pub workspace_id: WorkspaceId,
    /// The environment that was restored.
    pub environment_id: EnvironmentId,
    /// Whether it was a preview. Null in the column counts as one.
    pub is_dry_run: bool,
    /// The restore's own status, which is a claim and no proof.
    pub status: RestoreStatus,
    /// When it was created.
    pub created_at: Stamp,
    /// When it started.
    pub started_at: Stamp,
    /// When it ended.
    pub completed_at: Stamp,
    /// Item, foundation and assignment outcomes, counted.
    pub items: ItemFacts,
    /// The counters beside them.
    pub counters: Counters,
    /// Blockers recorded on the restore, in registry order.
    pub blockers: Vec<ReasonCode>,
    /// Whether `metadata` and its `blocked_reason` could be read, so that no blocker hides there.
    pub metadata_readable: bool,
}

vocabulary! {
    /// `restore_runs.status`.
    #[derive(Serialize, Deserialize, JsonSchema)]
    #[serde(rename_all = "snake_case")]
    pub enum RestoreStatus {
        /// The platform's word.
        word: &'static str,
        /// Whether the restore has not begun to change anything.
        is_pre_execution: bool,
        /// What an audit entry has to say to agree with this status. None before the restore ended.
        voice: Option<Voice>,
    }
    /// Before execution.
    Draft { word: "draft", is_pre_execution: true, voice: None }
    /// Before execution.
    Scoped { word: "scoped", is_pre_execution: true, voice: None }
    /// Before execution.
    Checked { word: "checked", is_pre_execution: true, voice: None }
    /// Before execution.
    Previewed { word: "previewed", is_pre_execution: true, voice: None }
    /// Before execution.
    Pending { word: "pending", is_pre_execution: true, voice: None }
    /// Executing.
    Queued { word: "queued", is_pre_execution: false, voice: None }
    /// Executing.
    Running { word: "running", is_pre_execution: false, voice: None }
    /// Ended; says nothing about recovery.
    Completed { word: "completed", is_pre_execution: false, voice: Some(Voice::Completed) }
    /// Ended with some items undone.
    Partial { word: "partial", is_pre_execution: false, voice: Some(Voice::Partial) }
    /// Ended in failure.
    Failed { word: "failed", is_pre_execution: false, voice: Some(Voice::Failed) }
    /// Stopped by somebody.
    Cancelled { word: "cancelled", is_pre_execution: false, voice: Some(Voice::Stopped) }
    /// Stopped; no longer written, still present.
    Aborted { word: "aborted", is_pre_execution: false, voice: Some(Voice::Stopped) }
    /// The older word for `partial`: no longer written, and rows with it remain.
    CompletedWithErrors {
        word: "completed_with_errors", is_pre_execution: false, voice: Some(Voice::Partial)
    }
    /// Any other text, other case and padding included.
    Unknown { word: "unknown", is_pre_execution: false, voice: None }
}

/// A terminal audit entry about the restore.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct AuditFacts {
    /// The entry.
    pub id: AuditId,
    /// What its action says about how the restore ended.
    pub action: Voice,
    /// What its status says.
    pub status: Voice,
    /// What its outcome says.
    pub outcome: Voice,
    /// When it was recorded; none where that cannot be read.
    pub recorded_at: Option<Timestamp>,
}

/// What one column of an audit entry says about how a restore ended.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Voice {
    /// Nothing either way.
    Silent,
    /// It completed.
    Completed,
    /// It completed in part.
    Partial,
    /// It failed.
    Failed,
    /// It was cancelled, aborted or blocked.
    Stopped,
    /// A word this version does not know. It agrees with nothing.
    Unclear,
}

/// Evidence snapshots captured for the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct EvidenceFacts {
    /// The active snapshot with the highest id.
    pub active: Option<SnapshotFacts>,
    /// Whether a snapshot is queued or generating.
    pub in_progress: bool,
    /// Whether there is a snapshot in any other state: superseded, expired, failed, unknown.
    pub retired: bool,
}

/// The active evidence snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotFacts {
    /// The snapshot.
    pub id: SnapshotId,
    /// Whether its completeness state is exactly `complete`.
    pub complete: bool,
    /// When it was generated.
    pub generated_at: Stamp,
    /// Until when it is valid; absent means for ever.
    pub expires_at: Stamp,
}

impl Facts {
    /// When they were read, and under which settings.
    #[must_use]
    pub fn at(&self) -> At<'_> {
        At {
            as_of: self.as_of,
            policy: &self.policy,
        }
    }

    /// Puts together what a store read about one run. Rows about other runs are passed over.
    #[must_use]
    pub fn gather(
        as_of: Timestamp,
        policy: &Policy,
        run: RunFacts,
        candidates: &[CandidateRow],
        restore: Option<RestoreFacts>,
        audits: &[AuditRow],
        snapshots: &[SnapshotRow],
    ) -> Self {
        let mut candidates: Vec<_> = candidates
            .iter()
            .filter(|row| row.run_id == run.id)
            .map(|row| Candidate {
                restore_id: row.restore_id,
                points_at: row.points_at,
            })
            .collect();
        candidates.sort_unstable();
        candidates.dedup();

        let mut audits: Vec<_> = audits
            .iter()
            .filter(|row| {
                restore
                    .as_ref()
                    .is_some_and(|restore| restore.id == row.restore_id)
            })
            .filter(|row| policy.audit_actions.contains(&row.action))
            .map(AuditFacts::parse)
            .collect();
        audits.sort_unstable();
        audits.dedup();

        let evidence = EvidenceFacts::gather(snapshots.iter().filter(|row| row.run_id == run.id));
        let policy = policy.clone();
        Self {
            as_of,
            policy,
            run,
            candidates,
            restore,
            audits,
            evidence,
        }
    }
}

impl RunFacts {
    /// Reads a run's row.
    #[must_use]
    pub fn parse(row: &RunRow) -> Self {
        let (failures, summary) = blockers::parse_failure_summary(&row.failure_summary);
        let (context, legitimacy) = context::parse_context(row);
        let blockers_readable = summary.is_ok() && legitimacy.is_ok();
        let recorded = failures.into_iter().chain(legitimacy.ok().flatten());
        Self {
            id: row.id,
            workspace_id: row.workspace_id,
            environment_id: row.environment_id,
            is_restore_execute: row.run_type == RUN_TYPE,
            status: RunStatus::parse(&row.status),
            outcome: RunOutcome::parse(&row.outcome),
            created_at: row.created_at,
            started_at: row.started_at,
            blockers: in_registry_order(recorded),
            context,
            blockers_readable,
        }
    }
}

impl RestoreFacts {
    /// Reads a restore's row. The row, which may hold many megabytes, is not needed afterwards.
    #[must_use]
    pub fn parse(row: &RestoreRow) -> Self {
        let metadata = results::parse_metadata(&row.metadata);
        let reason = row
            .failure_reason
            .as_deref()
            .and_then(ReasonCode::parse_blocker);
        Self {
            id: row.id,
            workspace_id: row.workspace_id,
            environment_id: row.environment_id,
            is_dry_run: row.is_dry_run.unwrap_or(true),
            status: RestoreStatus::parse(&row.status),
            created_at: row.created_at,
            started_at: row.started_at,
            completed_at: row.completed_at,
            items: results::parse_items(&row.results, &row.requested_items),
            counters: metadata.counters,
            blockers: in_registry_order(metadata.blocker.into_iter().chain(reason)),
            metadata_readable: metadata.readable,
        }
    }
}

fn in_registry_order(blockers: impl Iterator<Item = ReasonCode>) -> Vec<ReasonCode> {
    let mut blockers: Vec<_> = blockers.collect();
    blockers.sort_unstable();
    blockers.dedup();
    blockers
}

impl RunStatus {
    /// Exactly one of the platform's words, or [`Self::Unknown`].
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let known = Self::ALL.into_iter().find(|status| status.word() == text);
        known.unwrap_or(Self::Unknown)
    }
}

impl RunOutcome {
    /// Exactly one of the platform's words, or [`Self::Unknown`].
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let known = Self::ALL.into_iter().find(|outcome| outcome.word() == text);
        known.unwrap_or(Self::Unknown)
    }
}

impl RestoreStatus {
    /// Exactly one of the platform's words, or [`Self::Unknown`].
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let known = Self::ALL.into_iter().find(|status| status.word() == text);
        known.unwrap_or(Self::Unknown)
    }
}

impl AuditFacts {
    fn parse(row: &AuditRow) -> Self {
        Self {
            id: row.id,
            action: Voice::of_action(&row.action),
            status: row
                .status
                .as_deref()
                .map_or(Voice::Silent, Voice::of_status),
            outcome: row
                .outcome
                .as_deref()
                .map_or(Voice::Silent, Voice::of_outcome),
            recorded_at: row.recorded_at.moment(),
        }
    }

    /// Whether no column says anything else than `expected`.
    #[must_use]
    pub fn agrees(&self, expected: Voice) -> bool {
        [self.action, self.status, self.outcome]
            .iter()
            .all(|voice| *voice == Voice::Silent || *voice == expected)
    }
}

impl Voice {
    /// Actions beyond these say that the restore ended, not how.
    fn of_action(action: &str) -> Self {
        match action {
            "restore.completed" => Self::Completed,
            "restore.partial" => Self::Partial,
            "restore.failed" => Self::Failed,
            "restore.cancelled" => Self::Stopped,
            _ => Self::Silent,
        }
    }

    fn of_status(status: &str) -> Self {
        match status {
            "" | "info" => Self::Silent,
            "completed" | "success" | "succeeded" | "executed" => Self::Completed,
            "partial" | "completed_with_errors" | "partially_succeeded" => Self::Partial,
            "failed" | "failure" | "error" => Self::Failed,
            "cancelled" | "aborted" | "blocked" => Self::Stopped,
            _ => Self::Unclear,
        }
    }

    fn of_outcome(outcome: &str) -> Self {
        match outcome {
            "" | "info" => Self::Silent,
            "success" => Self::Completed,
            "partial" => Self::Partial,
            "failure" => Self::Failed,
            "blocked" => Self::Stopped,
            _ => Self::Unclear,
        }
    }
}

impl EvidenceFacts {
    /// Puts together the snapshots of one run.
    #[must_use]
    pub fn gather<'a>(rows: impl Iterator<Item = &'a SnapshotRow>) -> Self {
        let mut facts = Self::default();
        for row in rows {
            match row.status.as_str() {
                "active" if facts.active.is_none_or(|active| active.id < row.id) => {
                    facts.active = Some(SnapshotFacts::parse(row));
                }
                "active" => {}
                "queued" | "generating" => facts.in_progress = true,
                _ => facts.retired = true,
            }
        }
        facts
    }
}

impl SnapshotFacts {
    fn parse(row: &SnapshotRow) -> Self {
        Self {
            id: row.id,
            complete: row.completeness.as_deref() == Some("complete"),
            generated_at: row.generated_at,
            expires_at: row.expires_at,
        }
    }
}
