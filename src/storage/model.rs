//! What goes into the store and comes out of it: how runs are settled, what became of each, and the verdict on record.

use jiff::Timestamp;
use reconciler_jobs::ids::{EnvironmentId, RunId, WorkspaceId};
use reconciler_jobs::restore_execute::facts::RestoreFacts;
use reconciler_jobs::restore_execute::proof::Leg;
use reconciler_jobs::restore_execute::record::Attribution;
use reconciler_jobs::restore_execute::review::{Name, Recorded, Standing, review_as};
use reconciler_jobs::restore_execute::{Decision, Facts, Outcome, Policy, Ruleset};
use reconciler_jobs::sweep::admission::Admission;
use reconciler_jobs::sweep::{Schedule, Watch};
use reconciler_jobs::trace::TraceContext;
use reconciler_jobs::vocabulary;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sqlx::FromRow;
use tracing::Span;

use super::column::{CountColumn, Id, OptionalId, StoredMoment};
use super::error::StoreError;
use super::observations::Observations;

/// How many runs are settled together unless configured otherwise.
pub const BATCH_RUNS_MAX: u32 = 500;

/// Longest JSON column of a run that is read, in bytes. A batch holds those of all its runs until it is
/// committed, so they are bounded more tightly than a restore's, which are read one by one.
pub const RUN_COLUMN_BYTES_MAX: i64 = 1024 * 1024;

pub use reconciler_jobs::restore_execute::rows::AUDITS_PER_RESTORE_MAX;

/// Which database a store speaks to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backend {
    /// The platform's own database.
    Postgres,
    /// A file of our own.
    Sqlite,
}

impl Backend {
    /// The database that a URL names by its scheme. `pgsql` is Laravel's word.
    pub fn of_url(url: &str) -> Option<Self> {
        match url.split_once(':')?.0 {
            "postgres" | "postgresql" | "pgsql" => Some(Self::Postgres),
            "sqlite" => Some(Self::Sqlite),
            _ => None,
        }
    }
}

/// The pool of connections behind a store.
#[derive(Debug, Clone, Copy)]
pub enum Driver<'s> {
    /// To a PostgreSQL server.
    Postgres(&'s sqlx::PgPool),
    /// To a SQLite file.
    Sqlite(&'s sqlx::SqlitePool),
}

/// How runs are settled.
#[derive(Debug, Clone)]
pub struct Settling {
    /// The rules' settings.
    pub policy: Policy,
    /// How long deferred runs wait.
    pub schedule: Schedule,
    /// How many runs share one transaction.
    pub batch_runs_max: u32,
    /// How often a transient failure is tried again.
    pub retries_max: u32,
    /// How often a run whose settlement ended its process is tried.
    pub attempts_max: u32,
    /// Whether a run whose time to be looked at again has not come is passed over.
    pub due_only: bool,
    /// Which runs may be settled.
    pub admission: Admission,
    /// What was said of the others.
    pub observations: Observations,
    /// Who settles, and why.
    pub by: Attribution,
    /// What is put on record with what is settled, where a person has it done.
    pub action: Option<Action>,
}

vocabulary! {
    /// What a person did.
    pub enum ActionVerb {
        /// The word that is stored and shown.
        name: &'static str,
        /// What somebody did, as timelines say it.
        did: &'static str,
    }
    /// Asked for a run on the console.
    Request { name: "request", did: "asked for" }
    /// Asked for runs on the command line.
    Enqueue { name: "enqueue", did: "asked for on the command line" }
    /// Had runs settled at once.
    Reconcile { name: "reconcile", did: "settled at once" }
    /// Let runs start over.
    Retry { name: "retry", did: "retried" }
    /// Gave dead letters up.
    Drop { name: "drop", did: "given up" }
    /// Had nothing settled any more, of a workspace or at all.
    Pause { name: "pause", did: "paused" }
    /// Had it settled again.
    Resume { name: "resume", did: "resumed" }
    /// Erased the facts of a workspace.
    Forget { name: "forget", did: "facts erased" }
}

/// That nothing is settled, of a workspace or at all, until somebody resumes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, FromRow)]
pub struct Pause {
    /// The workspace; none where everything is paused.
    #[schemars(with = "Option<i64>")]
    #[sqlx(try_from = "OptionalId")]
    pub workspace: Option<WorkspaceId>,
    /// Since when, RFC 3339.
    #[schemars(with = "String")]
    #[sqlx(try_from = "StoredMoment")]
    pub since: Timestamp,
    /// Who paused it, where that is known.
    pub actor: Option<String>,
    /// Why, in that person's words.
    pub reason: String,
}

impl Pause {
    /// Whether runs of this workspace are not settled.
    pub fn covers(&self, workspace: WorkspaceId) -> bool {
        self.workspace.is_none_or(|it| it == workspace)
    }

    /// What is paused, since when, by whom and why.
    pub fn sentence(&self) -> String {
        let (what, since) = (self.what(), self.since);
        let by = self.actor.as_deref().map(|actor| format!(" by {actor}"));
        let by = by.unwrap_or_default();
        format!("{what} is paused since {since}{by}: {}", self.reason)
    }

    /// How it ends.
    pub fn ends_with(&self) -> String {
        let flag = self.workspace.map(|id| format!(" --workspace {id}"));
        format!(
            "restore-reconciler queue resume{}",
            flag.unwrap_or_default()
        )
    }

    fn what(&self) -> String {
        match self.workspace {
            Some(workspace) => format!("Workspace {workspace}"),
            None => "Everything".to_owned(),
        }
    }
}

/// Who does something, how and why. It is put on record in the transaction of what is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Action {
    /// What is done.
    pub verb: ActionVerb,
    /// The name of a token, whom a proxy names, or the user of the operating system; none where nothing tells people apart.
    pub actor: Option<String>,
    /// Why, in the person's words.
    pub reason: Option<String>,
    /// The trace that it belongs to.
    pub trace: Option<TraceContext>,
}

/// The longest reason that somebody may give, in characters.
pub const ACTION_REASON_CHARS_MAX: usize = 500;

impl Action {
    /// By nobody that is known, for no reason that was given.
    pub fn new(verb: ActionVerb) -> Self {
        Self {
            verb,
            actor: None,
            reason: None,
            trace: None,
        }
    }

    /// A reason as it may be put on record: one line that says something, and nothing that cannot be seen.
    pub fn reason_of(text: &str) -> Result<String, UnusableReason> {
        let text = text.trim();
        let is_short = (1..=ACTION_REASON_CHARS_MAX).contains(&text.chars().count());
        if is_short && !text.chars().any(char::is_control) {
            Ok(text.to_owned())
        } else {
            Err(UnusableReason)
        }
    }
}

/// A text that is no reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a reason is one line of 1 to {ACTION_REASON_CHARS_MAX} characters")]
pub struct UnusableReason;

/// What came of an action for one run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ActionDone {
    pub(super) run: RunId,
    pub(super) outcome: String,
    /// What was known before, and is known no more.
    pub(super) found: Option<String>,
}

impl ActionDone {
    pub(super) fn new(run: RunId, outcome: impl Into<String>) -> Self {
        Self {
            run,
            outcome: outcome.into(),
            found: None,
        }
    }
}

/// What a person did about a run, as it is on record.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct ActionOnRecord {
    /// When, by the database's clock.
    #[sqlx(try_from = "StoredMoment")]
    pub acted_at: Timestamp,
    /// What was done.
    pub verb: String,
    /// Who did it, where that is known.
    pub actor: Option<String>,
    /// What came of it.
    pub outcome: Option<String>,
    /// Why, in the person's words.
    pub reason: Option<String>,
    /// The trace that it belongs to.
    pub trace: Option<String>,
}

/// A job that a worker has taken.
#[derive(Debug, Clone, PartialEq)]
pub struct ClaimedJob {
    /// The job.
    pub id: String,
    /// The worker that took it. Another name in its row means that it was taken away since.
    pub worker: String,
    /// The run it asks for.
    pub run: RunId,
    /// When the run was asked for, by the database's clock.
    pub asked_at: Option<Timestamp>,
    /// The trace it belongs to, if any.
    pub trace: Option<TraceContext>,
    /// What it is logged under; [`Span::none`] where nobody listens.
    pub span: Span,
}

/// A run's facts and what was decided from them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assessment {
    /// What was known.
    pub facts: Facts,
    /// What follows.
    pub decision: Decision,
}

impl Assessment {
    /// The restore that may be spoken of: none where the run is of another type, and none that
    /// cannot be tied to the run with certainty.
    pub fn restore(&self) -> Option<&RestoreFacts> {
        let proof = &self.decision.proof;
        let certain = proof.holds(Leg::Link) && proof.holds(Leg::Scope);
        self.facts
            .restore
            .as_ref()
            .filter(|_| certain && self.facts.run.is_restore_execute)
    }
}

/// What became of one run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settled {
    /// The run.
    pub run: RunId,
    /// What became of it.
    pub result: Settlement,
}

/// What became of a run that was to be settled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settlement {
    /// The verdict was committed.
    Committed(Box<Assessment>),
    /// The decision was to wait; the platform was not touched.
    Deferred(Box<Assessment>, Option<Watch>),
    /// This is what would be decided. The run may not be settled, and was neither locked nor written.
    Observed(Box<Assessment>),
    /// The run's workspace is paused. Nothing was tried.
    Paused,
    /// Another writer holds the run right now, or has just looked at it.
    Locked,
    /// Earlier settlements of this run never ended. Nothing was tried.
    Suspended {
        /// How many there were.
        tries: u32,
        /// When it is tried again; never by itself where there is no such moment: it is a dead letter.
        until: Option<Timestamp>,
    },
    /// There is no such run.
    Absent,
    /// The database refused to record a verdict for this run alone.
    Refused {
        /// When it is tried again.
        watch: Option<Watch>,
        /// What the database said.
        error: String,
    },
}

impl Settlement {
    /// The database refused a verdict, and said why.
    pub(super) fn refused(watch: Option<Watch>, error: &StoreError) -> Self {
        let error = error.to_string();
        Self::Refused { watch, error }
    }
}

/// A verdict as the ledger holds it.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct RecordedVerdict {
    /// The run that it is filed under.
    #[sqlx(rename = "operation_run_id", try_from = "Id")]
    pub run: RunId,
    /// Names the verdict.
    pub decision_id: String,
    /// The outcome that was written to the run.
    pub outcome: String,
    /// The primary reason.
    pub reason_code: String,
    /// Version of the rules.
    pub ruleset: String,
    /// The facts, in canonical form; none where they were erased.
    pub facts: Option<String>,
    /// SHA-256 of `facts`.
    pub facts_digest: String,
    /// The decision, in canonical form.
    pub decision: String,
    /// Who decided.
    pub worker: String,
    /// When, by the database's clock.
    #[sqlx(try_from = "StoredMoment")]
    pub decided_at: Timestamp,
    /// 1, or higher where the run was rolled back with its platform and judged anew.
    pub revision: i64,
    /// The verdict that the run had first, where this is a later one.
    pub first_decision_id: Option<String>,
}

impl RecordedVerdict {
    /// What its columns say. Facts that were erased are empty.
    pub fn recorded(&self) -> Recorded<'_> {
        Recorded {
            outcome: &self.outcome,
            reason_code: &self.reason_code,
            ruleset: &self.ruleset,
            facts: self.facts.as_deref().unwrap_or_default(),
            facts_digest: &self.facts_digest,
            decision: &self.decision,
        }
    }

    /// What the ledger calls it.
    pub fn name(&self) -> Name<'_> {
        Name {
            run: self.run,
            decision_id: &self.decision_id,
            decided_at: self.decided_at,
        }
    }

    /// The rules that reached it, and the facts that they read, where it stands.
    pub fn judged(&self) -> Option<(&'static Ruleset, Facts)> {
        let reviewed = review_as(&self.recorded(), &self.name()).ok()?;
        Some((Ruleset::named(&self.ruleset)?, reviewed.facts))
    }

    /// Whether its columns say what follows from the facts on record.
    pub fn standing(&self) -> Standing {
        let (recorded, name) = (self.recorded(), self.name());
        match self.facts {
            Some(_) => Standing::of(&recorded, &name),
            None => Standing::without_facts(&recorded, &name),
        }
    }
}

/// How many runs ended in which way.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema, FromRow,
)]
pub struct Tally {
    /// Verdicts `succeeded`.
    #[sqlx(try_from = "CountColumn")]
    pub succeeded: u64,
    /// Verdicts `partially_succeeded`.
    #[sqlx(try_from = "CountColumn")]
    pub partially_succeeded: u64,
    /// Verdicts `blocked`.
    #[sqlx(try_from = "CountColumn")]
    pub blocked: u64,
    /// Verdicts `failed`.
    #[sqlx(try_from = "CountColumn")]
    pub failed: u64,
    /// Runs that stay open.
    #[sqlx(try_from = "CountColumn")]
    pub deferred: u64,
    /// Runs that the database refused to close.
    #[sqlx(try_from = "CountColumn")]
    pub refused: u64,
    /// Runs that somebody else dealt with, that are not ours to judge, or that do not exist.
    #[sqlx(try_from = "CountColumn")]
    pub passed_over: u64,
}

impl Tally {
    /// Counts one run.
    pub fn add(&mut self, result: &Settlement) {
        match result {
            Settlement::Committed(assessment) | Settlement::Deferred(assessment, _) => {
                self.add_decision(&assessment.decision);
            }
            Settlement::Refused { .. } => self.refused += 1,
            Settlement::Observed(_)
            | Settlement::Paused
            | Settlement::Locked
            | Settlement::Suspended { .. }
            | Settlement::Absent => {
                self.passed_over += 1;
            }
        }
    }

    /// Counts one decision.
    pub fn add_decision(&mut self, decision: &Decision) {
        match decision.outcome() {
            Some(outcome) => *self.slot(outcome) += 1,
            None if decision.stays_open() => self.deferred += 1,
            None => self.passed_over += 1,
        }
    }

    fn slot(&mut self, outcome: Outcome) -> &mut u64 {
        match outcome {
            Outcome::Succeeded => &mut self.succeeded,
            Outcome::PartiallySucceeded => &mut self.partially_succeeded,
            Outcome::Blocked => &mut self.blocked,
            Outcome::Failed => &mut self.failed,
        }
    }

    /// The counts as the sweeps table has them, in the order of its columns.
    pub(super) fn columns(&self) -> [i64; 7] {
        [
            self.succeeded,
            self.partially_succeeded,
            self.blocked,
            self.failed,
            self.deferred,
            self.refused,
            self.passed_over,
        ]
        .map(|count| i64::try_from(count).unwrap_or(i64::MAX))
    }

    /// All verdicts.
    pub fn verdicts(&self) -> u64 {
        self.succeeded + self.partially_succeeded + self.blocked + self.failed
    }

    /// All runs.
    pub fn looked_at(&self) -> u64 {
        self.verdicts() + self.deferred + self.refused + self.passed_over
    }
}

/// An opinion that is on record.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct OpinionOnRecord {
    /// The run.
    #[sqlx(try_from = "Id")]
    pub run_id: RunId,
    /// The run's workspace.
    #[sqlx(try_from = "Id")]
    pub workspace_id: WorkspaceId,
    /// The run's environment.
    #[sqlx(try_from = "OptionalId")]
    pub environment_id: Option<EnvironmentId>,
    /// The outcome on the run's row when the opinion was formed.
    pub claimed: String,
    /// How the outcome relates to what is proven.
    pub stance: String,
    /// The code of the reason for that.
    pub reason_code: String,
    /// What the rules would have decided, if anything.
    pub found: Option<String>,
    /// When the run was closed, if anybody noted that.
    #[sqlx(try_from = "StoredMoment")]
    pub closed_at: Option<Timestamp>,
    /// When the opinion was formed.
    #[sqlx(try_from = "StoredMoment")]
    pub formed_at: Timestamp,
}
