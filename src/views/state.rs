//! The state of a run, which is said before anything else: derived once, and drawn alike on every surface.
//!
//! **Invariants:**
//! - What is on record comes first: a refusal, a verdict of ours, an opinion. What else can be seen never makes that look
//!   better.
//! - Only a verdict of ours is calm.

use jiff::Timestamp;
use reconciler_jobs::reading::attention::{Cause, Tone};
use reconciler_jobs::reading::freshness::{Freshness, FreshnessThresholds};
use reconciler_jobs::reading::result_state::Situation;
use reconciler_jobs::restore_execute::facts::{RestoreFacts, RunFacts, RunOutcome, RunStatus};
use reconciler_jobs::restore_execute::opinion::{Stance, is_unproven_success};
use reconciler_jobs::restore_execute::review::Standing;
use reconciler_jobs::restore_execute::{Outcome, ReasonCode};
use reconciler_jobs::vocabulary;
use schemars::JsonSchema;
use serde::Serialize;

use crate::storage::reader::RunOnRecord;

vocabulary! {
    /// What a run is in.
    #[derive(Serialize, JsonSchema)]
    #[serde(rename_all = "snake_case")]
    pub enum RunState {
        /// The label that pages show.
        label: &'static str,
        /// How urgent it looks.
        tone: Tone,
    }
    /// Our verdict: everything is proven.
    Succeeded { label: "Succeeded", tone: Tone::Calm }
    /// Our verdict: something is missing.
    PartlySucceeded { label: "Partly succeeded", tone: Tone::Warning }
    /// Our verdict: it was stopped.
    Blocked { label: "Blocked", tone: Tone::Danger }
    /// Our verdict: it failed.
    Failed { label: "Failed", tone: Tone::Danger }
    /// Open, and not for too long.
    Undecided { label: "Undecided", tone: Tone::Neutral }
    /// Open for longer than an operation may be, or nobody knows for how long.
    UndecidedTooLong { label: "Undecided too long", tone: Tone::Warning }
    /// Open, about a preview or a preparation that nobody executed.
    NotExecuted { label: "Not executed", tone: Tone::Neutral }
    /// Open, and the database refuses it a verdict.
    Refused { label: "Verdict refused by the database", tone: Tone::Danger }
    /// Closed by somebody else as a success that is not proven.
    UnprovenSuccess { label: "Unproven success", tone: Tone::Danger }
    /// Closed by somebody else.
    ClosedByPlatform { label: "Closed by the platform", tone: Tone::Neutral }
    /// Closed with a verdict of ours whose record cannot be relied on.
    RecordAltered { label: "Record altered", tone: Tone::Danger }
    /// Closed with a verdict of ours, and the run says another outcome by now.
    ClosedOtherwise { label: "Closed otherwise since", tone: Tone::Danger }
    /// Its own status says nothing that this version knows.
    StatusUnknown { label: "Status not recognised", tone: Tone::Warning }
}

impl From<Outcome> for RunState {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Succeeded => Self::Succeeded,
            Outcome::PartiallySucceeded => Self::PartlySucceeded,
            Outcome::Blocked => Self::Blocked,
            Outcome::Failed => Self::Failed,
        }
    }
}

impl RunState {
    /// Whether something may be claimed of the restore: no record is missing, altered or contradicted.
    pub fn is_reliable(self) -> bool {
        !matches!(
            self,
            Self::Refused | Self::UnprovenSuccess | Self::RecordAltered | Self::ClosedOtherwise
        )
    }
}

/// A run with what is known of it.
#[derive(Debug, Clone, Copy)]
pub struct KnownRun<'a> {
    /// The run.
    pub run: &'a RunFacts,
    /// The restore that is tied to it.
    pub restore: Option<&'a RestoreFacts>,
    /// What is on record of it.
    pub record: &'a RunOnRecord,
}

impl KnownRun<'_> {
    /// The state that follows from what is on record; none where that is nothing of this run as it is now.
    pub fn recorded(self) -> Option<RunState> {
        let RunOnRecord {
            verdict,
            refusal,
            opinion,
        } = self.record;
        let is_unproven = || {
            let stance = opinion
                .as_ref()
                .and_then(|given| Stance::parse(&given.stance));
            stance.is_some_and(|stance| is_unproven_success(self.run.outcome, stance))
        };
        match verdict {
            _ if refusal.is_some() => Some(RunState::Refused),
            // One that was opened again is judged anew.
            _ if self.run.status != RunStatus::Completed => None,
            Some(verdict) if !verdict.standing.is_readable() => Some(RunState::RecordAltered),
            Some(verdict) => Some(match Outcome::parse(&verdict.outcome) {
                None => RunState::RecordAltered,
                Some(_) if RunOutcome::parse(&verdict.outcome) != self.run.outcome => {
                    RunState::ClosedOtherwise
                }
                Some(outcome) => outcome.into(),
            }),
            None => is_unproven().then_some(RunState::UnprovenSuccess),
        }
    }

    /// The state.
    fn state(self, as_of: Timestamp, limits: &FreshnessThresholds) -> RunState {
        let is_prepared = || self.restore.is_some_and(RestoreFacts::is_prepared);
        self.recorded().unwrap_or_else(|| match self.run.status {
            RunStatus::Completed => RunState::ClosedByPlatform,
            RunStatus::Unknown => RunState::StatusUnknown,
            RunStatus::Queued | RunStatus::Running if is_prepared() => RunState::NotExecuted,
            _ => match Freshness::of(self.run, false, as_of, limits) {
                Freshness::FreshActive => RunState::Undecided,
                _ => RunState::UndecidedTooLong,
            },
        })
    }

    /// Whether its verdict follows from the facts on record; what can only be read proves nothing.
    fn stands(self) -> bool {
        let verdict = self.record.verdict.as_ref();
        verdict.is_some_and(|verdict| verdict.standing == Standing::Stands)
    }

    /// Why the result of its restore needs somebody, or does not, where `cause` is what else can be seen of that: what is
    /// on record is never read more calmly than it is, and a success is one where it is on record.
    pub fn beside(self, cause: Cause) -> Cause {
        let is_calmer_than = |tone: Tone| cause.tone().urgency() < tone.urgency();
        match self.recorded() {
            Some(RunState::Failed) if is_calmer_than(Tone::Danger) => Cause::ExecutionFailed,
            Some(RunState::Blocked) if is_calmer_than(Tone::Danger) => Cause::Stopped,
            Some(state) if !state.is_reliable() && is_calmer_than(Tone::Danger) => {
                Cause::NoReliableVerdict
            }
            Some(RunState::PartlySucceeded) if is_calmer_than(Tone::Warning) => Cause::NotProven,
            Some(RunState::Succeeded) if cause == Cause::NoVerdict && self.stands() => {
                Cause::Nothing
            }
            _ => cause,
        }
    }
}

/// The state of a run with what is said of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct RunStateShown {
    /// The state.
    pub state: RunState,
    /// The label that every surface shows.
    pub label: &'static str,
    /// How urgent it looks.
    pub tone: Tone,
    /// The code of the reason; none where there is none, or only evidence tells it that the viewer may not see.
    pub reason_code: Option<String>,
    /// Why.
    pub reason: &'static str,
    /// What that means for whoever relies on the restore.
    pub impact: &'static str,
    /// What to do next.
    pub next_action: &'static str,
    /// Whether something on record, or on a closed run, says less than that everything is proven.
    #[serde(skip)]
    pub is_below_succeeded: bool,
}

impl RunStateShown {
    /// The state at a moment; `open` is why the run stays open if it does, and `result` how its restore reads, as far as
    /// the viewer may know.
    pub(crate) fn new(
        known: KnownRun<'_>,
        open: Option<ReasonCode>,
        result: Option<Situation>,
        as_of: Timestamp,
        limits: &FreshnessThresholds,
    ) -> Self {
        let state = known.state(as_of, limits);
        let record = known.record;
        let reason_code = match state {
            RunState::Refused => Some(ReasonCode::SettleFailed.code().to_owned()),
            RunState::ClosedByPlatform | RunState::UnprovenSuccess => record
                .opinion
                .as_ref()
                .map(|opinion| opinion.reason_code.clone()),
            RunState::RecordAltered => None,
            _ if known.run.status == RunStatus::Completed => record
                .verdict
                .as_ref()
                .map(|verdict| verdict.reason_code.clone()),
            _ => open.map(|reason| reason.code().to_owned()),
        };
        let reason = reason_code.as_deref().and_then(ReasonCode::parse);
        let [mut why, mut impact, next_action] = texts(state, record, reason);
        let mut tone = tone(known, state, reason);
        // Nobody judged it, so its restore speaks for itself.
        let result = result.filter(|_| state == RunState::ClosedByPlatform);
        if let Some(worse) = result.filter(|it| it.state().tone().urgency() > tone.urgency()) {
            (why, impact) = (worse.reason(), worse.impact());
            tone = worse.state().tone();
        }
        Self {
            state,
            label: state.label(),
            tone,
            reason_code,
            reason: why,
            impact,
            next_action,
            is_below_succeeded: match state {
                RunState::ClosedByPlatform => known.run.outcome != RunOutcome::Succeeded,
                state => known.recorded().is_some() && state != RunState::Succeeded,
            },
        }
    }
}

fn tone(known: KnownRun<'_>, state: RunState, reason: Option<ReasonCode>) -> Tone {
    match (state, known.run.outcome) {
        // It can be read, and nobody can judge it again.
        (RunState::Succeeded, _) if !known.stands() => Tone::Warning,
        (RunState::ClosedByPlatform, RunOutcome::Failed | RunOutcome::Blocked) => Tone::Danger,
        (RunState::ClosedByPlatform, RunOutcome::Succeeded) => state.tone(),
        (RunState::ClosedByPlatform, _) => Tone::Warning,
        (RunState::Undecided, _) if reason == Some(ReasonCode::ProofUnavailable) => Tone::Warning,
        _ => state.tone(),
    }
}

/// Why, what that means, and what to do next.
fn texts(state: RunState, record: &RunOnRecord, reason: Option<ReasonCode>) -> [&'static str; 3] {
    let opinion = record.opinion.as_ref();
    match (state, reason) {
        (RunState::RecordAltered, _) => [
            "The record of the verdict was altered, or cannot be read.",
            "Do not rely on this verdict.",
            "Find out who changed the ledger.",
        ],
        (RunState::ClosedOtherwise, _) => [
            "The run says another outcome than the verdict on record.",
            "Do not rely on either of them.",
            "Find out who closed the run again, and why.",
        ],
        (RunState::UnprovenSuccess, reason) => {
            let found = opinion.and_then(|it| Outcome::parse(it.found.as_deref()?));
            let is_worse = matches!(found, Some(Outcome::Failed | Outcome::Blocked));
            let [impact, next_action] = match reason.filter(|_| is_worse) {
                Some(reason) => [reason.impact(), reason.next_action()],
                None => [
                    "The platform reports that this restore succeeded, and the proof for that is incomplete.",
                    "Compare what the run says with the proof",
                ],
            };
            let unproven = "The run says that it succeeded, and that is not proven.";
            [
                reason.map_or(unproven, ReasonCode::sentence),
                impact,
                next_action,
            ]
        }
        (RunState::ClosedByPlatform, _) => [
            match opinion.and_then(|it| Stance::parse(&it.stance)) {
                Some(stance) => stance.sentence(),
                None => "The platform closed the run, and it was not judged.",
            },
            "The outcome on the run stands as it is. No verdict of ours says what was proven.",
            "See who closed the run, and why.",
        ],
        (_, Some(reason)) => [reason.sentence(), reason.impact(), reason.next_action()],
        (RunState::StatusUnknown, None) => {
            let reason = ReasonCode::RunStatusUnknown;
            [reason.sentence(), reason.impact(), reason.next_action()]
        }
        (RunState::Undecided | RunState::UndecidedTooLong | RunState::NotExecuted, None) => [
            "The run is open, and is not judged yet.",
            "Results and evidence are not final yet.",
            "View operation progress.",
        ],
        (_, None) => [
            "This version does not know the reason on record.",
            "Read the verdict with the version that recorded it.",
            "Review the proof.",
        ],
    }
}
