//! Verdicts, reasons and legs, and what became of a run, on a terminal as on a page.

use reconciler_jobs::ids::RunId;
use reconciler_jobs::restore_execute::proof::LegState;
use reconciler_jobs::restore_execute::review::Standing;
use reconciler_jobs::restore_execute::{self as rules, Outcome, ReasonCode, Ruling, results};
use reconciler_jobs::vocabulary;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Moment, stored_word};
use crate::storage::reader::{LedgerRow, RefusalSeen};
use crate::storage::{Assessment, RecordedVerdict};

/// A registered reason with what it means.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Reason {
    /// The code.
    #[schemars(extend("enum" = codes()))]
    pub code: String,
    /// What was found.
    pub sentence: String,
    /// What it means for somebody who relies on the restore.
    pub impact: String,
    /// What to do next.
    pub next_action: String,
}

impl From<ReasonCode> for Reason {
    fn from(reason: ReasonCode) -> Self {
        Self {
            code: reason.code().to_owned(),
            sentence: reason.sentence().to_owned(),
            impact: reason.impact().to_owned(),
            next_action: reason.next_action().to_owned(),
        }
    }
}

pub(crate) fn codes() -> Vec<&'static str> {
    ReasonCode::ALL.map(ReasonCode::code).to_vec()
}

/// The codes of every gap worth telling.
pub(crate) fn missing(decision: &rules::Decision) -> Vec<String> {
    let code = |reason: ReasonCode| reason.code().to_owned();
    decision.missing().into_iter().map(code).collect()
}

/// What became of one leg.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LegResult {
    /// The leg.
    pub leg: String,
    /// Whether it holds.
    pub state: LegWord,
    /// What would have to be true for it to hold.
    pub requirement: String,
    /// Why it does not.
    pub gaps: Vec<Reason>,
}

vocabulary! {
    /// Whether a leg holds.
    #[derive(Serialize, Deserialize, JsonSchema)]
    #[serde(rename_all = "snake_case")]
    pub enum LegWord {
        /// The label that pages and tables show.
        label: &'static str,
    }
    /// It holds.
    Holds { label: "proven" }
    /// It does not.
    Gaps { label: "missing" }
    /// There was nothing to look at.
    NotAssessed { label: "not assessed" }
    /// The viewer may not see it.
    NotShown { label: "not shown" }
}

/// The word for a leg's state, and its gaps.
pub(super) fn leg_state(state: &LegState) -> (LegWord, Vec<Reason>) {
    match state {
        LegState::Holds => (LegWord::Holds, Vec::new()),
        LegState::NotAssessed => (LegWord::NotAssessed, Vec::new()),
        LegState::Gaps(gaps) => (
            LegWord::Gaps,
            gaps.iter().copied().map(Reason::from).collect(),
        ),
    }
}

/// An item that is in trouble.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Exception {
    /// `item`, `assignment` or `foundation`.
    pub part: String,
    /// The backup item's id, or the position of a foundation in its list.
    pub id: String,
    /// The type of policy that the item is, where that was looked up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy_type: Option<String>,
    /// What is wrong with it.
    pub finding: String,
}

impl Exception {
    /// The backup item that it is about.
    pub fn item(&self) -> Option<i64> {
        self.id.parse().ok().filter(|_| self.part != "foundation")
    }
}

impl From<&results::ItemException> for Exception {
    fn from(exception: &results::ItemException) -> Self {
        Self {
            part: stored_word(&exception.part),
            id: exception.id.clone(),
            policy_type: None,
            finding: stored_word(&exception.finding),
        }
    }
}

/// A verdict on record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Verdict {
    /// Names the verdict.
    pub decision_id: String,
    /// The outcome.
    pub outcome: String,
    /// The reason's code; another version of the rules may have known others.
    pub reason_code: String,
    /// The codes of everything that was missing; none where another version's decision cannot be
    /// read.
    pub missing: Option<Vec<String>>,
    /// The version of the rules.
    pub ruleset: String,
    /// SHA-256 of the facts, as it was recorded.
    pub facts_digest: String,
    /// Whether the facts on record still have that digest; null where they were erased.
    pub digest_matches: Option<bool>,
    /// Whether it follows from those facts, as every column says it.
    pub standing: Standing,
    /// Who decided.
    pub worker: String,
    /// When, RFC 3339.
    #[schemars(with = "String")]
    pub decided_at: Moment,
    /// Where the run was rolled back with its platform and judged anew: which of its verdicts this is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revision: Option<Revision>,
}

/// A verdict on record, and whose the ledger says it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FiledVerdict {
    /// The run.
    pub run: i64,
    /// Its workspace.
    pub workspace: i64,
    /// Its environment, where it has one.
    pub environment: Option<i64>,
    /// When the run was created, RFC 3339; none where that is not known. Runs have ids of earlier ones.
    #[schemars(with = "Option<String>")]
    pub run_created_at: Option<Moment>,
    /// Because of what it was decided: `sweep`, `request`, `watch` or `command`.
    pub source: String,
    /// Where it stands in the feed; none where it has no position.
    pub position: Option<i64>,
    /// The verdict.
    #[serde(flatten)]
    pub verdict: Verdict,
}

impl From<&LedgerRow> for FiledVerdict {
    fn from(row: &LedgerRow) -> Self {
        Self {
            run: row.verdict.run.0,
            workspace: row.workspace.0,
            environment: row.environment.map(|id| id.0),
            run_created_at: row.run_created_at.map(Moment),
            source: row.source.clone(),
            position: row.position,
            verdict: Verdict::from(&row.verdict),
        }
    }
}

/// Which of a run's verdicts one is that is not its first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Revision {
    /// 2 or higher.
    pub number: i64,
    /// Names the first.
    pub first_decision_id: String,
}

impl From<&RecordedVerdict> for Verdict {
    fn from(record: &RecordedVerdict) -> Self {
        let decision: Option<rules::Decision> = serde_json::from_str(&record.decision).ok();
        Self {
            decision_id: record.decision_id.clone(),
            outcome: record.outcome.clone(),
            reason_code: record.reason_code.clone(),
            missing: decision.as_ref().map(missing),
            ruleset: record.ruleset.clone(),
            facts_digest: record.facts_digest.clone(),
            digest_matches: (record.facts.as_ref())
                .map(|facts| rules::canonical::digest_of(facts) == record.facts_digest),
            standing: record.standing(),
            worker: record.worker.clone(),
            decided_at: record.decided_at.into(),
            revision: record
                .first_decision_id
                .clone()
                .map(|first_decision_id| Revision {
                    number: record.revision,
                    first_decision_id,
                }),
        }
    }
}

/// That the database refuses an open run its verdict. What the verdict would be is said nowhere: it was not recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RefusedVerdict {
    /// What the database said the last time: its message and SQLSTATE, cut to a length.
    pub said: Option<String>,
    /// How often it was tried.
    pub tries: u64,
    /// Since when the run is on the watch list, RFC 3339.
    #[schemars(with = "String")]
    pub since: Moment,
    /// When it was refused last, RFC 3339.
    #[schemars(with = "String")]
    pub tried_at: Moment,
    /// When it is tried again by itself, RFC 3339.
    #[schemars(with = "String")]
    pub again_at: Moment,
}

impl From<&RefusalSeen> for RefusedVerdict {
    fn from(seen: &RefusalSeen) -> Self {
        Self {
            said: seen.said.clone(),
            tries: seen.tries,
            since: Moment(seen.since),
            tried_at: Moment(seen.tried_at),
            again_at: Moment(seen.again_at),
        }
    }
}

/// What became of one run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RunResult {
    /// The run.
    pub run: i64,
    /// What became of it.
    pub state: RunFate,
    /// The decision; none where there is none of ours.
    pub decision: Option<DecisionWord>,
    /// The primary reason.
    pub reason: Option<Reason>,
    /// The row of the decision table that matched.
    pub rule: Option<u8>,
    /// The codes of everything that is missing.
    pub missing: Vec<String>,
    /// When it is due again at the latest, RFC 3339.
    #[schemars(with = "Option<String>")]
    pub look_again_at: Option<Moment>,
    /// What the database said, where it refused.
    pub error: Option<String>,
}

impl RunResult {
    /// A run of which no more is known than what became of it.
    pub fn undecided(run: RunId, state: RunFate) -> Self {
        Self {
            run: run.0,
            state,
            decision: None,
            reason: None,
            rule: None,
            missing: Vec::new(),
            look_again_at: None,
            error: None,
        }
    }

    /// A run with a decision of this moment.
    pub fn decided(state: RunFate, assessment: &Assessment) -> Self {
        let Assessment { facts, decision } = assessment;
        Self {
            decision: Some(decision.into()),
            reason: Some(decision.reason.into()),
            rule: Some(decision.rule),
            missing: missing(decision),
            ..Self::undecided(facts.run.id, state)
        }
    }

    /// What would become of a run if it were reconciled now.
    pub fn foreseen(assessment: &Assessment, verdict: Option<&Verdict>) -> Self {
        let Assessment { facts, decision } = assessment;
        match decision.ruling {
            _ if decision.reason == ReasonCode::AlreadyTerminal => {
                Self::closed(facts.run.id, verdict)
            }
            Ruling::Verdict(_) => Self::decided(RunFate::Decidable, assessment),
            Ruling::Deferred { look_again_at } => Self {
                look_again_at: look_again_at.map(Moment),
                ..Self::decided(RunFate::Deferred, assessment)
            },
        }
    }

    /// A run that was waited for. Of one that is open, what would be decided is not said: nobody has decided it.
    pub fn awaited(assessment: &Assessment) -> Self {
        let foreseen = Self::foreseen(assessment, None);
        match foreseen.state {
            RunFate::Decidable => Self::undecided(assessment.facts.run.id, RunFate::Open),
            RunFate::Deferred if assessment.decision.is_about_open_run() => Self {
                state: RunFate::Open,
                decision: None,
                ..foreseen
            },
            _ => foreseen,
        }
    }

    /// A run that the database refuses a verdict. What was decided counts for nothing, and is not said.
    pub fn refused(run: RunId, look_again_at: Option<Moment>, error: Option<String>) -> Self {
        Self {
            reason: Some(ReasonCode::SettleFailed.into()),
            look_again_at,
            error,
            ..Self::undecided(run, RunFate::Refused)
        }
    }

    /// A closed run. Its own outcome column is not asked: anybody can write that.
    pub fn closed(run: RunId, verdict: Option<&Verdict>) -> Self {
        let reason = verdict.and_then(|verdict| ReasonCode::parse(&verdict.reason_code));
        let outcome = verdict.and_then(|verdict| Outcome::parse(&verdict.outcome));
        let state = match verdict {
            None => RunFate::ClosedElsewhere,
            Some(verdict) if verdict.standing.is_readable() && outcome.is_some() => {
                RunFate::DecidedBefore
            }
            Some(_) => RunFate::LedgerAltered,
        };
        let decision = outcome
            .filter(|_| state == RunFate::DecidedBefore)
            .map(DecisionWord::from);
        Self {
            decision,
            reason: match state {
                RunFate::ClosedElsewhere => Some(ReasonCode::AlreadyTerminal.into()),
                RunFate::DecidedBefore => reason.map(Reason::from),
                _ => None,
            },
            missing: verdict
                .filter(|_| state == RunFate::DecidedBefore)
                .and_then(|verdict| verdict.missing.clone())
                .unwrap_or_default(),
            ..Self::undecided(run, state)
        }
    }

    /// What became of a run, in the words of a table. Says who decided where it was not this command.
    pub fn in_words(&self) -> String {
        let decision = self.decision.map_or("undecided", DecisionWord::name);
        match self.state {
            RunFate::Decided | RunFate::Decidable | RunFate::Deferred => decision.to_owned(),
            RunFate::DecidedBefore => format!("{decision} (on record)"),
            RunFate::Open => "still open".to_owned(),
            RunFate::Observed if self.decision.is_none() => "only observed".to_owned(),
            RunFate::Observed => format!("only observed; would be {decision}"),
            RunFate::LedgerAltered => "closed; its ledger entry was altered".to_owned(),
            RunFate::ClosedElsewhere => "closed elsewhere; no verdict of ours".to_owned(),
            RunFate::Paused => "paused".to_owned(),
            RunFate::Locked => "held by another writer".to_owned(),
            RunFate::Suspended => "suspended after attempts that never ended".to_owned(),
            RunFate::Refused => "refused by the database".to_owned(),
            RunFate::Absent => "does not exist".to_owned(),
        }
    }

    /// What to do next.
    pub fn next_action(&self) -> String {
        let advice = match self.state {
            RunFate::LedgerAltered => {
                "What the ledger holds of this run contradicts itself; find out who changed the ledger."
            }
            RunFate::Observed => {
                "Nothing was written. What is settled say settling.mode, act_in and not_before of the configuration."
            }
            RunFate::Paused => {
                "`restore-reconciler queue list` says who paused it and why; `queue resume` ends that."
            }
            RunFate::Locked => "Reconcile the run again in a moment.",
            RunFate::Suspended => {
                "Read `restore-reconciler queue show RUN`; a dead letter is tried again by `queue retry RUN`."
            }
            RunFate::Absent => "Check the run's id.",
            RunFate::Open if self.reason.is_none() => {
                "A worker decides it, if one is at work: `restore-reconciler doctor` says so. Or use `reconcile RUN`."
            }
            _ => {
                return self
                    .reason
                    .as_ref()
                    .map(|reason| reason.next_action.clone())
                    .unwrap_or_default();
            }
        };
        advice.to_owned()
    }
}

/// What became of a run that was to be decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "State")]
pub enum RunFate {
    /// A verdict was reached and written.
    Decided,
    /// A verdict would be reached if the run were reconciled now. Nothing was written.
    Decidable,
    /// The run stays as it is.
    Deferred,
    /// The run is open, and nobody has decided it while it was waited for.
    Open,
    /// This would be decided, and the configuration has the run only observed. Nothing was written.
    Observed,
    /// The run was closed before, with a verdict that the ledger holds.
    DecidedBefore,
    /// The run is closed, and the ledger's entry for it was altered: its columns, facts and digest disagree.
    LedgerAltered,
    /// Somebody else closed the run. The ledger holds no verdict on it.
    ClosedElsewhere,
    /// The run's workspace, or everything, is paused. Nothing was tried.
    Paused,
    /// Another writer holds the run right now.
    Locked,
    /// Earlier settlements of this run ended the process that tried them. Nothing was tried now.
    Suspended,
    /// The database refused to record a verdict.
    Refused,
    /// There is no such run.
    Absent,
}

vocabulary! {
    /// A decision in one word.
    #[derive(PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
    #[serde(rename_all = "snake_case")]
    #[schemars(rename = "Word")]
    pub enum DecisionWord {
        /// The word itself.
        name: &'static str,
    }
    /// The proof bundle is complete.
    Succeeded { name: Outcome::Succeeded.name() }
    /// Something is missing.
    PartiallySucceeded { name: Outcome::PartiallySucceeded.name() }
    /// The restore was stopped.
    Blocked { name: Outcome::Blocked.name() }
    /// The restore failed.
    Failed { name: Outcome::Failed.name() }
    /// The run stays open.
    Deferred { name: "deferred" }
}

impl From<Outcome> for DecisionWord {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Succeeded => Self::Succeeded,
            Outcome::PartiallySucceeded => Self::PartiallySucceeded,
            Outcome::Blocked => Self::Blocked,
            Outcome::Failed => Self::Failed,
        }
    }
}

impl From<&rules::Decision> for DecisionWord {
    fn from(decision: &rules::Decision) -> Self {
        decision.outcome().map_or(Self::Deferred, Self::from)
    }
}
