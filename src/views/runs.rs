//! The list of runs.

use reconciler_jobs::ids::{RestoreId, RunId};
use reconciler_jobs::reading::freshness::{Freshness, FreshnessThresholds};
use reconciler_jobs::reading::result_state::{RestoreResult, ResultState};
use reconciler_jobs::restore_execute::facts::{RunOutcome, RunStatus};
use reconciler_jobs::restore_execute::{Outcome, ReasonCode};
use schemars::JsonSchema;
use serde::Serialize;

use super::opinion::{ClosedBy, OpinionShown};
use super::run::{freshness, place, reason_now, run_state, seen};
use super::state::RunStateShown;
use super::verdict::{Reason, RefusedVerdict};
use super::{Labelled, Moment, Place, Visibility, stored_word};
use crate::storage::reader::{RunListing, RunSeen};

/// A part of the list, the highest ids first unless the oldest are asked for first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct RunList {
    /// The database's clock.
    pub as_of: Moment,
    /// The runs. There may be none although `next` leads on: looking through the list stops after a while.
    pub runs: Vec<RunLine>,
    /// Asks for the part before; none at the beginning.
    pub previous: Option<String>,
    /// Asks for the next part; none at the end.
    pub next: Option<String>,
}

/// One run in the list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct RunLine {
    /// The run.
    pub run: RunId,
    /// What to say first.
    pub state: RunStateShown,
    /// Where it belongs.
    pub place: Place,
    /// What its row says.
    pub status: RunStatus,
    /// What its row says; anybody can write that.
    pub outcome: RunOutcome,
    /// Whether it still moves.
    pub freshness: Labelled<Freshness>,
    /// When it was created, where that can be read.
    pub created_at: Option<Moment>,
    /// The restore that is tied to it.
    pub restore: Option<RestoreId>,
    /// How that restore reads.
    pub result: Option<Labelled<ResultState>>,
    /// The verdict on record; none where we reached none.
    pub verdict: Option<VerdictLine>,
    /// Why the run stays open, as the rules see it now; none for a closed one, and none where only evidence
    /// tells that the viewer may not see. Where the database refuses a verdict, that is the reason.
    pub open_reason: Option<Reason>,
    /// Who closed the run, where that was somebody else.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub closed_by: Option<ClosedBy>,
    /// What the rules say of a run that somebody else closed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub opinion: Option<OpinionShown>,
    /// That the database refuses the run a verdict.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refusal: Option<RefusedVerdict>,
}

/// A verdict in short.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct VerdictLine {
    /// The outcome, where this version knows the word.
    pub outcome: Option<Outcome>,
    /// The primary reason; another version of the rules may have known others.
    pub reason_code: String,
    /// What that means.
    pub reason: Option<Reason>,
    /// When, by the database's clock.
    pub decided_at: Moment,
}

/// Reads the outcome of a run's row; none where nobody would write that.
pub(crate) fn parse_outcome(text: &str) -> Option<RunOutcome> {
    let is_known = text == "pending" || Outcome::parse(text).is_some();
    is_known.then(|| RunOutcome::parse(text))
}

/// Reads the state of a restore's result.
pub(crate) fn parse_state(text: &str) -> Option<ResultState> {
    ResultState::ALL
        .into_iter()
        .find(|state| stored_word(state) == text)
}

impl RunList {
    /// From a page of runs; `links` are how to ask for the one before and the next.
    pub fn new(
        page: &RunListing,
        visibility: Visibility,
        limits: &FreshnessThresholds,
        (previous, next): (Option<String>, Option<String>),
    ) -> Self {
        Self {
            as_of: Moment(page.as_of),
            runs: page
                .rows
                .iter()
                .map(|row| RunLine::new(row, visibility, limits))
                .collect(),
            previous,
            next,
        }
    }
}

impl RunLine {
    /// From one run.
    pub fn new(row: &RunSeen, visibility: Visibility, limits: &FreshnessThresholds) -> Self {
        let facts = &row.assessment.facts;
        let run = &facts.run;
        let result = seen(&row.assessment, visibility).map(|seen| RestoreResult::of(&seen));
        let is_closed = run.status == RunStatus::Completed;
        Self {
            run: run.id,
            state: run_state(row, visibility, limits),
            place: place(row),
            status: run.status,
            outcome: run.outcome,
            freshness: freshness(row, limits),
            created_at: run.created_at.moment().map(Moment),
            restore: row.assessment.restore().map(|restore| restore.id),
            result: result.map(|result| Labelled {
                state: result.state(),
                label: result.situation.label(),
            }),
            verdict: row.record.verdict.as_ref().map(|verdict| VerdictLine {
                outcome: Outcome::parse(&verdict.outcome),
                reason_code: verdict.reason_code.clone(),
                reason: ReasonCode::parse(&verdict.reason_code).map(Reason::from),
                decided_at: Moment(verdict.decided_at),
            }),
            open_reason: reason_now(row, visibility)
                .filter(|_| !is_closed)
                .map(Reason::from),
            closed_by: ClosedBy::of(row),
            opinion: OpinionShown::beside(row),
            refusal: row.record.refusal.as_ref().map(RefusedVerdict::from),
        }
    }
}
