//! Explain now: what the rules say at this moment, beside what was recorded.

use reconciler_jobs::ids::RunId;
use reconciler_jobs::reading::now::{Change, Now};
use reconciler_jobs::restore_execute::proof::{Leg, LegState};
use reconciler_jobs::restore_execute::reason::CLAIM_BOUNDARY;
use reconciler_jobs::restore_execute::review::Standing;
use reconciler_jobs::restore_execute::{Decision, Outcome, ReasonCode, Ruleset};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::counterfactual::CounterfactualShown;
use super::run::{legs, place};
use super::timeline::Event;
use super::verdict::{
    Exception, LegResult, LegWord, Reason, RefusedVerdict, RunResult, Verdict, leg_state,
};
use super::{ClaimBoundary, Moment, Place, Visibility, stored_word};
use crate::storage::reader::{RefusalSeen, RunInFull};
use crate::storage::{ActionOnRecord, Assessment, Pause, RecordedVerdict};

/// What the rules say of a run now, and what was recorded of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Explanation {
    /// The database's clock.
    pub as_of: Moment,
    /// The run.
    pub run: RunId,
    /// Where it belongs.
    pub place: Place,
    /// What the rules say now. It is written nowhere.
    pub now: Said,
    /// What was recorded; none where we reached no verdict, or its text cannot be read.
    pub recorded: Option<Said>,
    /// That the database refuses the run a verdict: then that is said now, and not what the rules would say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refusal: Option<RefusedVerdict>,
    /// How the two relate.
    pub change: Change,
    /// What the comparison came to, in one sentence.
    pub sentence: &'static str,
    /// Whether anything would be said now that was not recorded.
    pub differs: bool,
    /// Whether evidence that the record lacks is available now.
    pub evidence_came_late: bool,
    /// The eight legs, then and now.
    pub legs: Vec<LegLine>,
    /// Gaps on record that are none now.
    pub closed_gaps: Vec<Reason>,
    /// Gaps now that are not on record.
    pub opened_gaps: Vec<Reason>,
    /// What none of this claims.
    pub claim_boundary: &'static str,
}

/// A decision in short.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Said {
    /// The outcome; none where the run is to stay open.
    pub outcome: Option<Outcome>,
    /// The primary reason.
    pub reason: Reason,
    /// The row of the decision table that matched; none where the database refuses a verdict.
    pub rule: Option<u8>,
}

/// A leg then and now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct LegLine {
    /// The leg.
    pub leg: Leg,
    /// What pages call the leg.
    pub name: &'static str,
    /// The leg's state as the verdict recorded it.
    pub then: Option<LegWord>,
    /// The leg's state as the rules see it now.
    pub now: LegWord,
    /// Whether the two differ.
    pub differs: bool,
}

impl Explanation {
    /// From one run, for a viewer who may see evidence.
    pub fn new(found: &RunInFull) -> Self {
        let assessment = &found.seen.assessment;
        let standing = found.verdict.as_ref().map(RecordedVerdict::standing);
        let recorded: Option<Decision> = found.verdict.as_ref().and_then(readable);
        let mut now = Now::of(&assessment.facts, recorded.as_ref());
        if standing == Some(Standing::Contradicted) {
            now = now.beside(Change::RecordContradicted);
        } else if standing.is_some() && recorded.is_none() {
            now = now.beside(Change::RecordUnreadable);
        }
        let refusal = found.seen.record.refusal.as_ref().map(RefusedVerdict::from);
        if refusal.is_some() && standing.is_none() {
            now = now.beside(Change::OpenRefused);
        }
        let judged = assessment.restore().is_some();
        Self {
            as_of: Moment(now.as_of),
            run: assessment.facts.run.id,
            place: place(&found.seen),
            sentence: now.sentence(),
            differs: now.differs(),
            change: now.change,
            evidence_came_late: now.evidence_came_late,
            legs: now
                .legs
                .iter()
                .map(|leg| line(leg.leg, leg.then.as_ref(), &leg.now, judged))
                .collect(),
            closed_gaps: reasons(&now.closed_gaps, judged),
            opened_gaps: reasons(&now.opened_gaps, judged),
            now: match refusal {
                Some(_) => Said::refused(),
                None => Said::from(&now.decision),
            },
            refusal,
            recorded: recorded.as_ref().map(Said::from),
            claim_boundary: CLAIM_BOUNDARY,
        }
    }
}

impl Said {
    /// What is said of a run that the database refuses a verdict.
    fn refused() -> Self {
        Self {
            outcome: None,
            reason: Reason::from(ReasonCode::SettleFailed),
            rule: None,
        }
    }
}

impl From<&Decision> for Said {
    fn from(decision: &Decision) -> Self {
        Self {
            outcome: decision.outcome(),
            reason: Reason::from(decision.reason),
            rule: Some(decision.rule),
        }
    }
}

/// A decision on record that may be shown for what it says.
fn readable(verdict: &RecordedVerdict) -> Option<Decision> {
    let decision = serde_json::from_str(&verdict.decision).ok();
    decision.filter(|_| verdict.standing().is_readable())
}

/// A restore that cannot be tied to the run may be somebody else's: nothing is said of it.
fn line(leg: Leg, then: Option<&LegState>, now: &LegState, judged: bool) -> LegLine {
    let is_shown = judged || matches!(leg, Leg::Link | Leg::Scope);
    let word = |state: &LegState| leg_state(state).0;
    LegLine {
        leg,
        name: leg.name(),
        then: then.map(word),
        now: if is_shown {
            word(now)
        } else {
            LegWord::NotAssessed
        },
        differs: then.is_some_and(|then| is_shown && then != now),
    }
}

fn reasons(gaps: &[ReasonCode], judged: bool) -> Vec<Reason> {
    let is_shown = |gap: &&ReasonCode| judged || **gap == ReasonCode::ProofUnavailable;
    gaps.iter()
        .filter(is_shown)
        .copied()
        .map(Reason::from)
        .collect()
}

/// Everything about one run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Explained {
    /// The run and what became of it, or would.
    pub result: RunResult,
    /// The database's clock when it was read, RFC 3339.
    #[schemars(with = "String")]
    pub as_of: Moment,
    /// The run's workspace.
    pub workspace: i64,
    /// The run's environment.
    pub environment: Option<i64>,
    /// The run's status.
    pub run_status: String,
    /// The run's outcome.
    pub run_outcome: String,
    /// The restore, where it can be tied to the run.
    pub restore: Option<LinkedRestore>,
    /// The eight legs as the database stands now.
    pub legs: Vec<LegResult>,
    /// The first items that are in trouble.
    pub exceptions: Vec<Exception>,
    /// How many more there are.
    pub exceptions_omitted: u64,
    /// The verdict on record.
    pub verdict: Option<Verdict>,
    /// What the verdict, or the one that would be reached now, lacks for a success or hangs on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counterfactual: Option<CounterfactualShown>,
    /// That the database refuses the run a verdict.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refusal: Option<RefusedVerdict>,
    /// Why nobody settles it, where it is open and paused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pause: Option<Pause>,
    /// What people did about the run, the latest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub actions: Vec<Event>,
    /// What no verdict claims.
    pub claim_boundary: ClaimBoundary,
}

/// A restore, in short.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Restore")]
pub struct LinkedRestore {
    /// The restore.
    pub id: i64,
    /// The platform's status of the restore.
    pub status: String,
    /// Whether it was a preview.
    pub is_dry_run: bool,
    /// When it ended, RFC 3339, where that can be read.
    #[schemars(with = "Option<String>")]
    pub completed_at: Option<Moment>,
}

impl Explained {
    /// From one run as an operator sees it, evidence and all.
    pub fn new(
        assessment: &Assessment,
        record: Option<&RecordedVerdict>,
        refusal: Option<&RefusalSeen>,
        actions: &[ActionOnRecord],
    ) -> Self {
        let facts = &assessment.facts;
        let refusal = refusal.map(RefusedVerdict::from);
        let verdict = record.map(Verdict::from);
        let visibility = Visibility { evidence: true };
        // A restore that cannot be tied to the run with certainty may be somebody else's.
        let restore = assessment.restore();
        let items = restore.map(|restore| &restore.items);
        Self {
            result: match &refusal {
                Some(refusal) => {
                    RunResult::refused(facts.run.id, Some(refusal.again_at), refusal.said.clone())
                }
                None => RunResult::foreseen(assessment, verdict.as_ref()),
            },
            as_of: facts.as_of.into(),
            workspace: facts.run.workspace_id.0,
            environment: facts.run.environment_id.map(|id| id.0),
            run_status: stored_word(&facts.run.status),
            run_outcome: stored_word(&facts.run.outcome),
            restore: restore.map(|restore| LinkedRestore {
                id: restore.id.0,
                status: stored_word(&restore.status),
                is_dry_run: restore.is_dry_run,
                completed_at: restore.completed_at.moment().map(Moment),
            }),
            legs: legs(assessment, visibility),
            exceptions: items.map_or_else(Vec::new, |items| {
                items.exceptions.iter().map(Exception::from).collect()
            }),
            exceptions_omitted: items.map_or(0, |items| items.exceptions_omitted),
            counterfactual: match record {
                Some(record) => CounterfactualShown::of_record(record, visibility),
                // What a refused verdict would be is said nowhere.
                None if refusal.is_some() => None,
                None => CounterfactualShown::of(Ruleset::in_force(), facts, visibility),
            },
            verdict,
            refusal,
            pause: None,
            actions: actions.iter().map(Event::from).collect(),
            claim_boundary: ClaimBoundary::default(),
        }
    }
}
