//! What a verdict writes: the run's new columns, one audit entry, one ledger entry.
//!
//! All three are prepared here, so that a store only has to put them into place in one transaction.
//!
//! What a column held stays in it: see the module `merge`.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Value, json};

use super::canonical::{Canonical, CanonicalError, canonicalise, digest_of};
use super::decision::Decision;
use super::facts::{Facts, RUN_TYPE, RestoreFacts, RunFacts};
use super::merge::{has_escape, is_rewritable, merge, raw_entry, raw_list};
use super::outcome::Outcome;
use super::proof::{Leg, ended_at, supporting_audit};
use super::reason::ReasonCode;
use super::rows::RunRow;
use super::rules::RULESET;
use crate::ids::{EnvironmentId, RunId, SnapshotId, WorkspaceId};
use crate::json::Column;
use crate::stamp::{Stamp, whole_seconds};
use crate::vocabulary;

/// How many entries `failure_summary` may hold. A full list is left as it is; the reason stands in
/// `context.reconciliation` all the same.
pub const FAILURE_SUMMARY_MAX: usize = 20;

/// How much of what stood under `context.reconciliation` before is kept, in bytes. Of anything longer its digest and its
/// length are.
pub const SUPERSEDED_BYTES_MAX: usize = 64 * 1024;

/// Who is written into the audit log as the actor.
pub const ACTOR_LABEL: &str = "restore-reconciler";

/// The audit action of a verdict.
pub const AUDIT_ACTION: &str = "operation_run.reconciled";

/// What the audit log calls a run. An entry about one can never prove a restore.
pub const AUDIT_RESOURCE_TYPE: &str = "operation_run";

/// Who reached a verdict, and because of what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attribution {
    /// The worker's name, unique per start.
    pub worker: String,
    /// What made it look at the run.
    pub source: Source,
}

vocabulary! {
    /// What made a worker look at a run.
    #[derive(Serialize)]
    #[serde(rename_all = "snake_case")]
    pub enum Source {
        /// The word that is stored.
        name: &'static str,
    }
    /// A pass over all due runs.
    Sweep { name: "sweep" }
    /// An operator's command.
    Command { name: "command" }
    /// A job: somebody asked for this run.
    Request { name: "request" }
    /// The time had come at which a run that stayed open was to be looked at again.
    Watch { name: "watch" }
}

/// Everything one verdict writes.
#[derive(Debug)]
pub struct Record {
    /// New values for the run's row.
    pub run: RunUpdate,
    /// The audit entry.
    pub audit: AuditEntry,
    /// The ledger entry.
    pub ledger: LedgerEntry,
}

/// New values for a row of `operation_runs`, named as its columns are. `status` becomes `completed`.
#[derive(Debug, Clone, Serialize)]
pub struct RunUpdate {
    /// Which run.
    pub id: RunId,
    /// The run's workspace: the update matches no row of another one.
    pub workspace_id: WorkspaceId,
    /// The run's environment: the update matches no row of another one.
    pub managed_environment_id: Option<EnvironmentId>,
    /// The verdict.
    pub outcome: &'static str,
    /// The restore's start, for a run that has none, if it is no later than `completed_at`.
    pub started_at: Option<Timestamp>,
    /// When the run ended.
    pub completed_at: Timestamp,
    /// Now.
    pub updated_at: Timestamp,
    /// The merged counts; none leaves the column alone.
    pub summary_counts: Option<Box<RawValue>>,
    /// The list with one entry more; none leaves the column alone.
    pub failure_summary: Option<Box<RawValue>>,
    /// The whole context with `reconciliation` set. It is no part of a document: whoever reads that would turn its escapes
    /// into characters.
    #[serde(skip)]
    pub context: Box<RawValue>,
}

impl RunUpdate {
    /// For a database that may not have the characters that escapes stand for: counts and failures that hold such are left
    /// alone.
    #[must_use]
    pub fn of_ascii(&self) -> Self {
        let keep = |document: &Option<Box<RawValue>>| {
            let kept = document.clone();
            kept.filter(|document| !has_escape(document.get().as_bytes(), |code| code > 0x7f))
        };
        Self {
            summary_counts: keep(&self.summary_counts),
            failure_summary: keep(&self.failure_summary),
            ..self.clone()
        }
    }
}

/// A row of `audit_logs`, named as its columns are. Ids, codes and our own sentences only.
#[derive(Debug, Clone, Serialize)]
pub struct AuditEntry {
    /// The run's workspace.
    pub workspace_id: WorkspaceId,
    /// The run's environment.
    pub managed_environment_id: Option<EnvironmentId>,
    /// `system`.
    pub actor_type: &'static str,
    /// [`ACTOR_LABEL`].
    pub actor_label: &'static str,
    /// [`AUDIT_ACTION`].
    pub action: &'static str,
    /// `operation_run`, so that this entry can never prove a restore.
    pub resource_type: &'static str,
    /// The run's id as text.
    pub resource_id: String,
    /// The verdict, in the audit log's words.
    pub status: &'static str,
    /// The verdict, in the audit log's words.
    pub outcome: &'static str,
    /// The verdict and its reason in one sentence.
    pub summary: String,
    /// Ids and codes.
    pub metadata: Value,
    /// Now.
    pub recorded_at: Timestamp,
}

/// A row of our own ledger.
#[derive(Debug, Clone, Serialize)]
pub struct LedgerEntry {
    /// Half of the digest: names this verdict wherever it is mentioned.
    pub decision_id: String,
    /// The run, whose id another run may have had before: it is told from that one by the two that follow and by
    /// when it was created.
    pub operation_run_id: RunId,
    /// The run's workspace.
    pub workspace_id: WorkspaceId,
    /// The run's environment.
    pub managed_environment_id: Option<EnvironmentId>,
    /// The verdict.
    pub outcome: &'static str,
    /// The primary reason.
    pub reason_code: &'static str,
    /// Version of the rules.
    pub ruleset: &'static str,
    /// The facts, in canonical form.
    pub facts: String,
    /// SHA-256 of `facts`.
    pub facts_digest: String,
    /// The decision, in canonical form.
    pub decision: String,
    /// Who decided.
    pub worker: String,
    /// Because of what.
    pub source: &'static str,
    /// When, by the database's clock.
    pub decided_at: Timestamp,
    /// When the run was created; none where its row does not say.
    pub run_created_at: Option<Timestamp>,
}

/// Why a verdict cannot be recorded. Neither happens to a row that a database can hold today.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The facts have no canonical form.
    #[error("the facts of run {run} have no canonical form: {source}")]
    Canonical {
        /// The run.
        run: RunId,
        /// Why.
        source: CanonicalError,
    },
    /// The context could not be merged although it was found mergeable.
    #[error("the context of run {run} cannot be merged: {source}")]
    Context {
        /// The run.
        run: RunId,
        /// Why.
        source: serde_json::Error,
    },
}

/// Prepares what a verdict writes; nothing for a deferred decision.
pub fn record(
    row: &RunRow,
    facts: &Facts,
    decision: &Decision,
    by: &Attribution,
) -> Result<Option<Record>, RecordError> {
    let (Some(outcome), Some(restore)) = (decision.outcome(), facts.restore.as_ref()) else {
        return Ok(None);
    };
    let unrecordable = |source| RecordError::Canonical {
        run: row.id,
        source,
    };
    let Canonical { text, digest } = canonicalise(facts).map_err(unrecordable)?;
    let ruling = canonicalise(decision).map_err(unrecordable)?;
    let verdict = VerdictParts {
        facts,
        decision,
        outcome,
        restore,
        digest: &digest,
        source: by.source.name(),
    };
    let context = verdict
        .context(&row.context)
        .map_err(|source| RecordError::Context {
            run: row.id,
            source,
        })?;
    Ok(Some(Record {
        run: verdict.run_update(row, context),
        audit: verdict.audit_entry(),
        ledger: verdict.ledger_entry(text, ruling.text, by),
    }))
}

/// What the verdict that follows from these facts, with this digest, wrote into its run: when that ended, and
/// `context.reconciliation` without what stood there before. Nothing for a deferred decision.
#[must_use]
pub fn traces(
    facts: &Facts,
    decision: &Decision,
    digest: &str,
    source: &str,
) -> Option<(Timestamp, Value)> {
    let restore = facts.restore.as_ref()?;
    let verdict = VerdictParts {
        facts,
        decision,
        outcome: decision.outcome()?,
        restore,
        digest,
        source,
    };
    Some((completed_at(facts, restore), verdict.reconciliation()))
}

/// A verdict with all that is known about it.
struct VerdictParts<'a> {
    facts: &'a Facts,
    decision: &'a Decision,
    outcome: Outcome,
    restore: &'a RestoreFacts,
    /// SHA-256 of the facts' text.
    digest: &'a str,
    source: &'a str,
}

impl VerdictParts<'_> {
    fn decision_id(&self) -> &str {
        decision_id(self.digest)
    }

    fn run_update(&self, row: &RunRow, context: Box<RawValue>) -> RunUpdate {
        let run = &self.facts.run;
        let completed_at = completed_at(self.facts, self.restore);
        RunUpdate {
            id: run.id,
            workspace_id: run.workspace_id,
            managed_environment_id: run.environment_id,
            outcome: self.outcome.name(),
            started_at: started_at(run, self.restore, completed_at),
            completed_at,
            updated_at: whole_seconds(self.facts.as_of),
            summary_counts: self.summary_counts(&row.summary_counts),
            failure_summary: self.failure_summary(&row.failure_summary),
            context,
        }
    }

    /// The column with our own record in it. What stood in its place is kept below it, and never looked into.
    fn context(&self, column: &Column) -> Result<Box<RawValue>, serde_json::Error> {
        let Value::Object(entries) = self.reconciliation() else {
            return merge(column, []);
        };
        let mut reconciliation = BTreeMap::new();
        for (key, value) in entries {
            reconciliation.insert(key, to_raw_value(&value)?);
        }
        if let Some(before) = raw_entry(column, RECONCILIATION)? {
            reconciliation.insert("superseded".to_owned(), superseded(before)?);
        }
        merge(column, [(RECONCILIATION, to_raw_value(&reconciliation)?)])
    }

    fn reconciliation(&self) -> Value {
        let proof: BTreeMap<_, _> = Leg::ALL
            .iter()
            .map(|leg| (leg.name(), self.decision.proof.holds(*leg)))
            .collect();
        let run = &self.facts.run;
        json!({
            "reconciled_at": whole_seconds(self.facts.as_of),
            "source": self.source,
            "adapter": RUN_TYPE,
            "ruleset": RULESET,
            "decision": self.outcome,
            "reason_code": self.decision.reason,
            "reason": self.decision.reason.sentence(),
            "previous": { "status": run.status, "outcome": run.outcome },
            "proof": proof,
            "missing": self.decision.proof.gaps(),
            "evidence": {
                "restore_run_id": self.restore.id,
                "restore_status": self.restore.status,
                "audit_log_id": supporting_audit(self.facts),
                "evidence_snapshot_id": self.supporting_snapshot(),
            },
            "decision_id": self.decision_id(),
            "facts_digest": self.digest,
        })
    }

    /// The active snapshot, where it proves something: an expired one is no more evidence than none.
    fn supporting_snapshot(&self) -> Option<SnapshotId> {
        let active = self.facts.evidence.active?;
        self.decision
            .proof
            .holds(Leg::Evidence)
            .then_some(active.id)
    }

    fn audit_entry(&self) -> AuditEntry {
        let run = &self.facts.run;
        AuditEntry {
            workspace_id: run.workspace_id,
            managed_environment_id: run.environment_id,
            actor_type: "system",
            actor_label: ACTOR_LABEL,
            action: AUDIT_ACTION,
            resource_type: AUDIT_RESOURCE_TYPE,
            resource_id: run.id.to_string(),
            status: self.outcome.audit_outcome(),
            outcome: self.outcome.audit_outcome(),
            summary: format!(
                "Reconciled as {}. {}",
                self.outcome,
                self.decision.reason.sentence()
            ),
            metadata: json!({
                "operation_run_id": run.id,
                "restore_run_id": self.restore.id,
                "decision": self.outcome,
                "reason_code": self.decision.reason,
                "missing": self.decision.proof.gaps(),
                "ruleset": RULESET,
                "source": self.source,
                "decision_id": self.decision_id(),
                "facts_digest": self.digest,
            }),
            recorded_at: whole_seconds(self.facts.as_of),
        }
    }

    fn ledger_entry(&self, facts: String, decision: String, by: &Attribution) -> LedgerEntry {
        let run = &self.facts.run;
        LedgerEntry {
            decision_id: self.decision_id().to_owned(),
            operation_run_id: run.id,
            workspace_id: run.workspace_id,
            managed_environment_id: run.environment_id,
            outcome: self.outcome.name(),
            reason_code: self.decision.reason.code(),
            ruleset: RULESET,
            facts,
            facts_digest: self.digest.to_owned(),
            decision,
            worker: by.worker.clone(),
            source: by.source.name(),
            decided_at: self.facts.as_of,
            run_created_at: run.created_at.moment(),
        }
    }

    /// Counts are merged only where somebody counted, and only into a column that keeps its keys.
    fn summary_counts(&self, column: &Column) -> Option<Box<RawValue>> {
        let counts = summary_counts(self.facts, self.restore);
        let holds_map = is_rewritable(column)
            && column.parse().is_ok_and(|document| {
                (document.is_empty_map() || !document.entries().is_empty())
                    && !document.has_duplicate_keys()
            });
        if counts.is_empty() || !holds_map {
            return None;
        }
        let counts: Result<Vec<_>, _> = counts
            .into_iter()
            .map(|(key, count)| Ok((key, to_raw_value(&count)?)))
            .collect();
        counts.and_then(|counts| merge(column, counts)).ok()
    }

    fn failure_summary(&self, column: &Column) -> Option<Box<RawValue>> {
        if self.outcome == Outcome::Succeeded {
            return None;
        }
        let mut entries = raw_list(column)?;
        if entries.len() >= FAILURE_SUMMARY_MAX {
            return None;
        }
        let reason = self.decision.reason;
        let mut entry = json!({
            "code": reason,
            "reason_code": reason,
            "message": reason.sentence(),
        });
        if let (Some(count), Some(fields)) = (self.troubled_items(), entry.as_object_mut()) {
            fields.insert("count".to_owned(), Value::from(count));
        }
        entries.push(to_raw_value(&entry).ok()?);
        to_raw_value(&entries).ok()
    }

    /// How many items the reason is about, where it is about items.
    fn troubled_items(&self) -> Option<u64> {
        let facts = &self.restore.items;
        let items = &facts.items;
        match self.decision.reason {
            ReasonCode::ItemsMissing if facts.missing > 0 => Some(facts.missing),
            ReasonCode::ItemsUnexpected => Some(facts.unexpected.saturating_add(facts.repeated)),
            ReasonCode::ItemsMixed
            | ReasonCode::NothingApplied
            | ReasonCode::AllItemsFailed
            | ReasonCode::ExecutionFailed => {
                Some(items.total().saturating_sub(items.applied)).filter(|count| *count > 0)
            }
            _ => None,
        }
    }
}

/// The key of a run's context that is ours.
const RECONCILIATION: &str = "reconciliation";

fn superseded(before: Box<RawValue>) -> Result<Box<RawValue>, serde_json::Error> {
    let text = before.get();
    if text.len() <= SUPERSEDED_BYTES_MAX {
        return Ok(before);
    }
    to_raw_value(&json!({ "sha256": digest_of(text), "bytes": text.len() }))
}

/// The name of the verdict whose facts have this digest.
pub(super) fn decision_id(digest: &str) -> &str {
    digest.get(..32).unwrap_or(digest)
}

/// What was counted, from the rows where there are rows and from the counters where there are none.
/// A number that nobody counted is absent, never zero.
#[must_use]
pub fn summary_counts(facts: &Facts, restore: &RestoreFacts) -> BTreeMap<&'static str, u64> {
    let items = &restore.items.items;
    let counters = &restore.counters;
    let counts = if items.total() > 0 {
        [
            ("total", Some(items.total())),
            ("processed", Some(items.total())),
            ("succeeded", Some(items.applied)),
            ("failed", Some(items.failed)),
            ("skipped", Some(items.skipped)),
            ("partial", Some(items.partial)),
            (
                "non_applied",
                Some(items.not_applied.saturating_add(items.unrecognised)),
            ),
        ]
    } else {
        [
            ("total", counters.total.count()),
            ("processed", None),
            ("succeeded", counters.succeeded.count()),
            ("failed", counters.failed.count()),
            ("skipped", counters.skipped.count()),
            ("partial", counters.partial.count()),
            ("non_applied", counters.non_applied.count()),
        ]
    };
    let wanted = |key: &str| {
        facts
            .policy
            .summary_keys
            .iter()
            .any(|allowed| allowed == key)
    };
    counts
        .into_iter()
        .filter(|(key, _)| wanted(key))
        .filter_map(|(key, count)| Some((key, count?)))
        .collect()
}

/// The restore's start, for a run that has none. A start after the end that is written beside it
/// would make a duration below zero, so such a run keeps having none.
fn started_at(
    run: &RunFacts,
    restore: &RestoreFacts,
    completed_at: Timestamp,
) -> Option<Timestamp> {
    match run.started_at {
        Stamp::Absent => restore
            .started_at
            .moment()
            .map(whole_seconds)
            .filter(|started| *started <= completed_at),
        Stamp::At(_) | Stamp::Far | Stamp::Unreadable => None,
    }
}

/// The restore's end where it lies in the run's life, otherwise now.
fn completed_at(facts: &Facts, restore: &RestoreFacts) -> Timestamp {
    let ended = ended_at(restore, facts.at()).map(whole_seconds);
    let created = facts.run.created_at.moment().map(whole_seconds);
    let lived = ended
        .zip(created)
        .filter(|(ended, created)| created <= ended);
    lived.map_or_else(|| whole_seconds(facts.as_of), |(ended, _)| ended)
}
