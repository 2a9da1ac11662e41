//! One complete proven case, made of the rows a store would read, and the way from rows to a
//! decision. Tests change one thing in it and say what must come out.

use jiff::Timestamp;
use reconciler_jobs::ids::{AuditId, EnvironmentId, RestoreId, RunId, SnapshotId, WorkspaceId};
use reconciler_jobs::json::Column;
use reconciler_jobs::restore_execute::facts::{Facts, Policy, RestoreFacts, RunFacts};
use reconciler_jobs::restore_execute::record::{Attribution, Record, Source, record};
use reconciler_jobs::restore_execute::review::Recorded;
use reconciler_jobs::restore_execute::rows::{
    AuditRow, CandidateRow, RestoreRow, RunRow, SetItems, SnapshotRow,
};
use reconciler_jobs::restore_execute::{Decision, Ruling, decide, link};
use reconciler_jobs::stamp::Stamp;

pub(crate) const RUN: RunId = RunId(70);
pub(crate) const RESTORE: RestoreId = RestoreId(7);
pub(crate) const WORKSPACE: WorkspaceId = WorkspaceId(1);
pub(crate) const ENVIRONMENT: EnvironmentId = EnvironmentId(2);

/// The restore's life on one day: created 10:59, started 11:00, ended 11:30, recorded 11:31,
/// evidence at 11:35, judged at noon. The settle window closes at 11:40, the long one at 12:30.
pub(crate) const NOON: &str = "12:00:00";

/// Everything a store reads about one run.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    pub(crate) as_of: Timestamp,
    pub(crate) policy: Policy,
    pub(crate) run: RunRow,
    pub(crate) candidates: Vec<CandidateRow>,
    pub(crate) restore: RestoreRow,
    pub(crate) audits: Vec<AuditRow>,
    pub(crate) snapshots: Vec<SnapshotRow>,
}

/// A moment of the day on which everything happens.
pub(crate) fn moment(clock: &str) -> Timestamp {
    format!("2026-03-01T{clock}Z").parse().unwrap()
}

/// The same as a column holds it.
pub(crate) fn at(clock: &str) -> Stamp {
    Stamp::parse(Some(moment(clock).as_microsecond()), true)
}

pub(crate) fn json(text: &str) -> Column {
    Column::Bytes(text.as_bytes().to_vec())
}

impl Case {
    /// All eight legs hold.
    pub(crate) fn proven() -> Self {
        Self {
            as_of: moment(NOON),
            policy: Policy::default(),
            run: RunRow {
                id: RUN,
                workspace_id: WORKSPACE,
                environment_id: Some(ENVIRONMENT),
                run_type: "restore.execute".to_owned(),
                status: "running".to_owned(),
                outcome: "pending".to_owned(),
                context: json(
                    r#"{"restore_run_id":7,"target_scope":{"workspace_id":1,"managed_environment_id":2},"execution_legitimacy":{"reason_code":null}}"#,
                ),
                failure_summary: json("[]"),
                summary_counts: json("[]"),
                started_at: at("11:00:00"),
                completed_at: Stamp::Absent,
                created_at: at("10:59:00"),
            },
            candidates: vec![candidate(RESTORE, Some(RUN))],
            restore: RestoreRow {
                id: RESTORE,
                workspace_id: WORKSPACE,
                environment_id: ENVIRONMENT,
                is_dry_run: Some(false),
                status: "completed".to_owned(),
                requested_items: json("[101,102]"),
                backup_items: SetItems::Ids(vec![101, 102]),
                results: json(
                    r#"{"foundations":[{"type":"scopeTag","sourceId":"a","targetId":"b","decision":"mapped_existing"}],"items":{"101":{"status":"applied","assignment_outcomes":[{"status":"success"}]},"102":{"status":"updated"}}}"#,
                ),
                metadata: json(r#"{"total":2,"succeeded":2,"failed":0,"blocked_reason":null}"#),
                failure_reason: None,
                started_at: at("11:00:00"),
                completed_at: at("11:30:00"),
                created_at: at("10:59:00"),
                updated_at: at("11:30:00"),
            },
            audits: vec![audit(900, "restore.completed", "11:31:00")],
            snapshots: vec![snapshot(500, "active", "11:35:00")],
        }
    }

    /// What a store does: the link rule chooses among candidates, and that restore is loaded.
    pub(crate) fn facts(&self) -> Facts {
        let run = RunFacts::parse(&self.run, &self.policy);
        let candidates: Vec<_> = self.gather(None).candidates;
        let chosen = link::resolve(&run, &candidates);
        let loaded = chosen == Ok(self.restore.id);
        self.gather(loaded.then(|| RestoreFacts::parse(&self.restore, &self.policy)))
    }

    /// What a store with a defect would do: the restore's row is handed over whatever it is.
    pub(crate) fn facts_with_any_restore(&self) -> Facts {
        self.gather(Some(RestoreFacts::parse(&self.restore, &self.policy)))
    }

    fn gather(&self, restore: Option<RestoreFacts>) -> Facts {
        Facts::gather(
            self.as_of,
            &self.policy,
            RunFacts::parse(&self.run, &self.policy),
            &self.candidates,
            restore,
            &self.audits,
            &self.snapshots,
        )
    }

    pub(crate) fn decide(&self) -> Decision {
        decide(&self.facts())
    }

    /// What the verdict writes, if it is one.
    pub(crate) fn record(&self) -> Option<Record> {
        let facts = self.facts();
        record(&self.run, &facts, &decide(&facts), &attribution()).unwrap()
    }

    /// The whole results column with these items, and no foundations.
    pub(crate) fn items(&mut self, items: &str) {
        self.restore.results = json(&format!(r#"{{"items":{items}}}"#));
    }

    /// One item, requested as 101, and no counters.
    pub(crate) fn one_item(&mut self, item: &str) {
        self.items(&format!(r#"{{"101":{item}}}"#));
        self.restore.requested_items = json("[101]");
        self.restore.metadata = Column::Null;
    }

    /// A restore of which no item, foundation or assignment was applied.
    pub(crate) fn nothing_applied(&mut self) {
        self.one_item(r#"{"status":"skipped"}"#);
    }
}

/// A decision that some program recorded, as a line of a corpus has it.
#[derive(serde::Deserialize)]
pub(crate) struct Kept {
    /// What was changed in the proven case, where that is what the line is about.
    #[serde(default)]
    pub(crate) change: String,
    pub(crate) outcome: String,
    pub(crate) reason_code: String,
    pub(crate) ruleset: String,
    pub(crate) facts: String,
    facts_digest: String,
    decision: String,
}

impl Kept {
    pub(crate) fn recorded(&self) -> Recorded<'_> {
        Recorded {
            outcome: &self.outcome,
            reason_code: &self.reason_code,
            ruleset: &self.ruleset,
            facts: &self.facts,
            facts_digest: &self.facts_digest,
            decision: &self.decision,
        }
    }
}

pub(crate) fn candidate(restore_id: RestoreId, points_at: Option<RunId>) -> CandidateRow {
    CandidateRow {
        run_id: RUN,
        restore_id,
        points_at,
        contests: true,
    }
}

/// An entry that says nothing but its action.
pub(crate) fn audit(id: i64, action: &str, recorded_at: &str) -> AuditRow {
    AuditRow {
        restore_id: RESTORE,
        id: AuditId(id),
        action: action.to_owned(),
        status: None,
        outcome: None,
        recorded_at: at(recorded_at),
    }
}

/// A complete snapshot that never expires.
pub(crate) fn snapshot(id: i64, status: &str, generated_at: &str) -> SnapshotRow {
    SnapshotRow {
        run_id: RUN,
        id: SnapshotId(id),
        status: status.to_owned(),
        completeness: Some("complete".to_owned()),
        generated_at: at(generated_at),
        expires_at: Stamp::Absent,
        updated_at: at(generated_at),
    }
}

pub(crate) fn attribution() -> Attribution {
    Attribution {
        worker: "worker-1".to_owned(),
        source: Source::Sweep,
    }
}

/// A decision in one line: `partially_succeeded restore.items_mixed`.
pub(crate) fn line(decision: &Decision) -> String {
    format!("{} {}", decision.name(), decision.reason)
}

pub(crate) fn look_again_at(decision: &Decision) -> Option<Timestamp> {
    match decision.ruling {
        Ruling::Deferred { look_again_at } => look_again_at,
        Ruling::Verdict(_) => None,
    }
}
