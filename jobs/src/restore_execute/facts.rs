//! The typed snapshot a decision is made from.
//!
//! Facts are small, ordered and complete: whatever a rule may look at is here, whatever the platform
//! stored beyond that is gone. They carry their own moment ([`Facts::as_of`]) and their own
//! [`Policy`], so that a decision can be repeated years later from the ledger alone.
//!
//! **Invariant:** equal rows give equal facts, in whatever order the rows arrived.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::blockers::{BlockerCodes, EntryCodes};
use super::context::{self, Closer, ContextFacts};
use super::reason::ReasonCode;
use super::results::{self, Counters, ItemFacts, RecordedFailure};
use super::rows::{AuditRow, CandidateRow, RestoreRow, RunRow, SnapshotRow};
use super::words::{Class, ItemWords};
use crate::ids::{AuditId, EnvironmentId, RestoreId, RunId, SnapshotId, WorkspaceId};
use crate::json::TEXT_BYTES_MAX;
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
    /// How long a restore with a recorded blocker may still start before its run is closed as blocked.
    pub blocked_after: SignedDuration,
    /// Audit actions that record the end of a restore.
    pub audit_actions: Vec<String>,
    /// What the audit log calls a restore.
    pub audit_resource_types: Vec<String>,
    /// Codes that name a blocker beside those of the registry.
    pub blocker_codes: Vec<String>,
    /// Outcome words beside those that the rules know.
    pub item_words: ItemWords,
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
            blocked_after: SignedDuration::from_mins(60),
            audit_actions: owned(&[
                "restore.executed",
                "restore.completed",
                "restore.partial",
                "restore.failed",
                "restore.cancelled",
            ]),
            audit_resource_types: owned(&["restore_run", "App\\Models\\RestoreRun"]),
            blocker_codes: Vec::new(),
            item_words: ItemWords::default(),
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
    /// When it was closed, if it is.
    pub completed_at: Stamp,
    /// What its context says.
    pub context: ContextFacts,
    /// Blockers recorded on the run, in registry order.
    pub blockers: Vec<ReasonCode>,
    /// Whether `failure_summary` and `context.execution_legitimacy` could be read, so that no blocker
    /// hides there.
    pub blockers_readable: bool,
    /// How many entries of `failure_summary` name no blocker: failures that somebody recorded.
    pub failures: u64,
    /// Who closed it, where it is closed and its context says so.
    pub closer: Option<CloserFacts>,
}

/// The traces of whoever closed a run. Of a claim they are no evidence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CloserFacts {
    /// Who it was.
    pub closer: Closer,
    /// How many of the run's recorded failures have the closer's own code.
    pub failures: u64,
    /// Blockers that only such entries name, in registry order.
    pub blockers: Vec<ReasonCode>,
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
    /// Whether it may have changed something: it is no dry run, and has left its preparation.
    pub contests: bool,
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
    /// When its row was last written.
    pub updated_at: Stamp,
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
    /// Where it is recorded that the restore did not all succeed, in the order of [`RecordedFailure`].
    pub failures: Vec<RecordedFailure>,
    /// Whether `metadata` and its `blocked_reason` could be read, so that no blocker hides there.
    pub metadata_readable: bool,
}

impl RestoreFacts {
    /// Whether it is a preview, or is still being prepared: a run that it belongs to is neither fresh nor stale. One
    /// that was handed over, or has started, is none of these.
    #[must_use]
    pub fn is_prepared(&self) -> bool {
        let is_preparing = self.status.is_pre_execution() && self.status != RestoreStatus::Pending;
        self.is_dry_run || (is_preparing && self.started_at == Stamp::Absent)
    }
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

vocabulary! {
    /// What one column of an audit entry says about how a restore ended.
    #[derive(PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
    #[serde(rename_all = "snake_case")]
    pub enum Voice {
        /// The words of `status` and of `outcome`, which are one vocabulary, that say so.
        words: &'static [&'static str],
    }
    /// Nothing either way.
    Silent { words: &["", "info"] }
    /// It completed.
    Completed { words: &["completed", "success", "succeeded", "executed"] }
    /// It completed in part.
    Partial { words: &["partial", "completed_with_errors", "partially_succeeded"] }
    /// It failed.
    Failed { words: &["failed", "failure", "error"] }
    /// It was cancelled, aborted or blocked.
    Stopped { words: &["cancelled", "aborted", "blocked"] }
    /// A word this version does not know. It agrees with nothing.
    Unclear { words: &[] }
}

/// Evidence snapshots captured for the run.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct EvidenceFacts {
    /// The active snapshot with the highest id.
    pub active: Option<SnapshotFacts>,
    /// Whether a snapshot is queued or generating.
    pub in_progress: bool,
    /// Per status that a snapshot retires into, the one with the highest id.
    pub retired: Vec<RetiredSnapshot>,
    /// Whether there is a snapshot in a state that nobody knows.
    pub retired_unknown: bool,
}

/// A snapshot that was active once, or failed before it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetiredSnapshot {
    /// Where it retired to.
    pub status: Retirement,
    /// When its row was last written.
    pub retired_at: Stamp,
    /// The snapshot.
    pub snapshot: SnapshotFacts,
}

vocabulary! {
    /// The statuses of a snapshot that proves nothing any more.
    #[derive(PartialOrd, Ord, Serialize, Deserialize)]
    #[serde(rename_all = "snake_case")]
    pub enum Retirement {
        /// The platform's word.
        word: &'static str,
    }
    /// A newer snapshot took the place of this one.
    Superseded { word: "superseded" }
    /// The snapshot was valid until a moment that has passed.
    Expired { word: "expired" }
    /// The snapshot could not be made.
    Failed { word: "failed" }
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

    /// The facts of a run as if nobody had closed it: without the traces of whoever did.
    #[must_use]
    pub fn reopened(&self) -> Self {
        let mut facts = self.clone();
        let run = &mut facts.run;
        if run.status == RunStatus::Completed {
            run.blockers = run.blockers_recorded().collect();
            let of_closer = run.closer.as_ref().map_or(0, |closer| closer.failures);
            run.failures = run.failures.saturating_sub(of_closer);
            run.status = RunStatus::Running;
            run.outcome = RunOutcome::Pending;
        }
        facts
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
            .map(Candidate::from)
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

impl From<&CandidateRow> for Candidate {
    fn from(row: &CandidateRow) -> Self {
        Self {
            restore_id: row.restore_id,
            points_at: row.points_at,
            contests: row.contests,
        }
    }
}

impl RunFacts {
    /// Reads a run's row.
    #[must_use]
    pub fn parse(row: &RunRow, policy: &Policy) -> Self {
        let codes = policy.codes();
        let summary = codes.read_failure_summary(&row.failure_summary);
        let read = context::parse_context(row, &codes);
        let blockers_readable = summary.readable && read.legitimacy.is_ok();
        let legitimacy = read.legitimacy.ok().flatten();
        let recorded = summary.blockers.iter().map(|(blocker, _)| *blocker);
        // Traces on an open run say nothing: nobody has closed it.
        let status = RunStatus::parse(&row.status);
        let closed_by = read.closer.filter(|_| status == RunStatus::Completed);
        let closer = closed_by.map(|(closer, code)| {
            // An entry of ours has its code in both places; of what others write nobody knows.
            let is_ours = ReasonCode::parse(&code).is_some();
            let is_own = |codes: &EntryCodes| {
                let mut texts = codes.iter().map(|text| text.as_ref() == Some(&code));
                if is_ours {
                    texts.all(|is_it| is_it)
                } else {
                    texts.any(|is_it| is_it)
                }
            };
            let others = summary.blockers.iter().filter(|(_, codes)| !is_own(codes));
            let elsewhere: Vec<_> = others
                .map(|(blocker, _)| *blocker)
                .chain(legitimacy)
                .collect();
            let own = summary.blockers.iter().filter(|(_, codes)| is_own(codes));
            // A closer that names the blocker it found adds one entry to that of whoever recorded it.
            let own = || own.clone().map(|(blocker, _)| *blocker);
            let is_only_own = |blocker: ReasonCode| {
                !elsewhere.contains(&blocker) && own().filter(|it| *it == blocker).count() == 1
            };
            CloserFacts {
                closer,
                failures: count(summary.failures.iter().filter(|codes| is_own(codes))),
                blockers: in_registry_order(own().filter(|it| is_only_own(*it))),
            }
        });
        Self {
            id: row.id,
            workspace_id: row.workspace_id,
            environment_id: row.environment_id,
            is_restore_execute: row.run_type == RUN_TYPE,
            status,
            outcome: RunOutcome::parse(&row.outcome),
            created_at: row.created_at,
            started_at: row.started_at,
            completed_at: row.completed_at,
            blockers: in_registry_order(recorded.chain(legitimacy)),
            context: read.context,
            blockers_readable,
            failures: count(summary.failures.iter()),
            closer,
        }
    }

    /// Whether a failure is recorded on it. Of a closed run the traces of whoever closed it are none.
    #[must_use]
    pub fn failure_recorded(&self) -> bool {
        let of_closer = self.closer().map_or(0, |closer| closer.failures);
        self.failures > of_closer || self.denies_success()
    }

    /// Blockers recorded on it, likewise.
    pub fn blockers_recorded(&self) -> impl Iterator<Item = ReasonCode> {
        let of_closer = self.closer().map_or(&[][..], |closer| &closer.blockers);
        let recorded = self.blockers.iter().copied();
        recorded.filter(|blocker| !of_closer.contains(blocker))
    }

    fn closer(&self) -> Option<&CloserFacts> {
        let is_closed = self.status == RunStatus::Completed;
        self.closer.as_ref().filter(|_| is_closed)
    }

    /// Whether it is open, and an outcome that is no success stands on it already.
    #[must_use]
    pub fn denies_success(&self) -> bool {
        use RunOutcome::{Blocked, Failed, PartiallySucceeded};
        self.status != RunStatus::Completed
            && matches!(self.outcome, Failed | Blocked | PartiallySucceeded)
    }
}

fn count<T>(entries: impl Iterator<Item = T>) -> u64 {
    entries.count() as u64
}

impl RestoreFacts {
    /// Reads a restore's row. The row, which may hold many megabytes, is not needed afterwards.
    #[must_use]
    pub fn parse(row: &RestoreRow, policy: &Policy) -> Self {
        let codes = policy.codes();
        let metadata = results::parse_metadata(&row.metadata, &policy.item_words, &codes);
        let (items, mut failures) = results::parse_items(row, &policy.item_words);
        let reason = row.failure_reason.as_deref().unwrap_or_default();
        let blocker = codes.parse(reason);
        // Only the beginning of a longer reason was fetched: blanks there say nothing of what follows.
        let is_cut = reason.chars().count() >= TEXT_BYTES_MAX;
        if blocker.is_none() && (is_cut || !reason.trim().is_empty()) {
            failures.push(RecordedFailure::FailureReason);
        }
        if metadata.denies_success {
            failures.push(RecordedFailure::MetadataStatus);
        }
        failures.sort_unstable();
        Self {
            id: row.id,
            workspace_id: row.workspace_id,
            environment_id: row.environment_id,
            is_dry_run: row.is_dry_run.unwrap_or(true),
            status: RestoreStatus::parse(&row.status),
            created_at: row.created_at,
            updated_at: row.updated_at,
            started_at: row.started_at,
            completed_at: row.completed_at,
            items,
            counters: metadata.counters,
            blockers: in_registry_order(metadata.blocker.into_iter().chain(blocker)),
            failures,
            metadata_readable: metadata.readable,
        }
    }
}

impl Policy {
    fn codes(&self) -> BlockerCodes<'_> {
        BlockerCodes {
            added: &self.blocker_codes,
        }
    }
}

fn in_registry_order(blockers: impl Iterator<Item = ReasonCode>) -> Vec<ReasonCode> {
    let mut blockers: Vec<_> = blockers.collect();
    blockers.sort_unstable();
    blockers.dedup();
    blockers
}

macro_rules! read_words {
    ($($name:ident),+) => {$(
        impl $name {
            /// Exactly one of the platform's words, or [`Self::Unknown`].
            #[must_use]
            pub fn parse(text: &str) -> Self {
                let known = Self::ALL.into_iter().find(|it| it.word() == text);
                known.unwrap_or(Self::Unknown)
            }
        }
    )+};
}

read_words!(RunStatus, RunOutcome, RestoreStatus);

impl AuditFacts {
    fn parse(row: &AuditRow) -> Self {
        Self {
            id: row.id,
            action: Voice::of_action(&row.action),
            status: Voice::of_word(row.status.as_deref()),
            outcome: Voice::of_word(row.outcome.as_deref()),
            recorded_at: row.recorded_at.moment(),
        }
    }

    /// Whether no column says anything else than `expected`. A word that nobody knows says nothing beside a known one
    /// that agrees, and denies an entry that has no other.
    #[must_use]
    pub fn agrees(&self, expected: Voice) -> bool {
        let words = [self.status, self.outcome];
        let may_stand = |voice: &Voice| match voice {
            Voice::Silent => true,
            Voice::Unclear => words.contains(&expected),
            voice => *voice == expected,
        };
        may_stand(&self.action) && words.iter().all(may_stand)
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

    pub(super) fn of_word(word: Option<&str>) -> Self {
        let word = word.unwrap_or_default();
        let known = Self::ALL.into_iter().find(|it| it.words().contains(&word));
        known.unwrap_or(Self::Unclear)
    }
}

impl EvidenceFacts {
    /// Puts together the snapshots of one run.
    #[must_use]
    pub fn gather<'a>(rows: impl Iterator<Item = &'a SnapshotRow>) -> Self {
        let mut facts = Self::default();
        let mut retired: BTreeMap<Retirement, &SnapshotRow> = BTreeMap::new();
        for row in rows {
            let retirement = Retirement::ALL
                .into_iter()
                .find(|it| it.word() == row.status);
            match (row.status.as_str(), retirement) {
                ("active", _) if facts.active.is_none_or(|active| active.id < row.id) => {
                    facts.active = Some(SnapshotFacts::parse(row));
                }
                ("active", _) => {}
                ("queued" | "generating", _) => facts.in_progress = true,
                (_, Some(retirement)) => {
                    let latest = retired.entry(retirement).or_insert(row);
                    if latest.id < row.id {
                        *latest = row;
                    }
                }
                (_, None) => facts.retired_unknown = true,
            }
        }
        let retired = retired.into_iter();
        facts.retired = retired
            .map(|(status, row)| RetiredSnapshot {
                status,
                retired_at: row.updated_at,
                snapshot: SnapshotFacts::parse(row),
            })
            .collect();
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

/// Whether the rules know a word, be it of what became of an item, of a restore or of a run, or a code: none of these can
/// be added to a class, or what says that something did not succeed could be made to say that it did.
#[must_use]
pub fn is_known(word: &str) -> bool {
    // What is said of a run is said by words of these.
    ItemWords::default().class_of(word) != Class::UNRECOGNISED
        || Voice::of_word(Some(word)) != Voice::Unclear
        || RestoreStatus::parse(word) != RestoreStatus::Unknown
        || ReasonCode::parse(word).is_some()
}
