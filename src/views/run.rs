//! One run: the decision first, then what it rests on and what happened.

mod card;
mod diagnostics;
mod evidence;
mod items;
mod seen;

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};
use reconciler_jobs::ids::{BackupSetId, RestoreId, RunId};
use reconciler_jobs::reading::attention::{AttentionState, Cause, Tone, attention};
use reconciler_jobs::reading::freshness::{Freshness, FreshnessThresholds};
use reconciler_jobs::reading::result_state::{Claim, NextAction, RestoreResult};
use reconciler_jobs::reading::{Availability, SeenRestore};
use reconciler_jobs::restore_execute::ReasonCode;
use reconciler_jobs::restore_execute::facts::{RestoreFacts, RestoreStatus, RunOutcome, RunStatus};
use reconciler_jobs::restore_execute::reason::CLAIM_BOUNDARY;
use schemars::JsonSchema;
use serde::Serialize;

use self::card::{anchor, card, unlinked};
use self::diagnostics::{Diagnostic, diagnostics};
use self::evidence::{EvidenceShown, evidence};
use self::items::{ItemsShown, items};
use super::counterfactual::CounterfactualShown;
use super::failure::FailureDetails;
use super::later::LaterOpinion;
use super::moment::{in_words, took};
use super::opinion::{ClosedBy, OpinionShown};
use super::state::{KnownRun, RunState, RunStateShown};
use super::timeline::{Event, events};
use super::verdict::{Exception, LegResult, LegWord, Reason, RefusedVerdict, Verdict};
use super::{Labelled, Moment, Place, Visibility};
use crate::config::{Linked, Links, addresses};
use crate::storage::Pause;
use crate::storage::reader::{NextLook, RunInFull, RunOnRecord};
pub use card::Card;
pub(super) use card::tone;
pub use items::SummaryShown;
pub(super) use items::summary;
pub(super) use seen::{freshness, labelled, legs, place, reason_now, run_state, seen};

/// Everything about one run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct RunDetail {
    /// The database's clock.
    pub as_of: Moment,
    /// The run.
    pub run: RunId,
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
    /// What to say first.
    pub state: RunStateShown,
    /// When our verdict was decided, or since when the run is queued or running; none where that is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Moment>,
    /// For how many seconds it may be queued, or running, until that is too long; none where it is closed, or not executed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit_seconds: Option<i64>,
    /// How its restore reads, in the contract's words.
    pub card: Card,
    /// How long the operation took, in words; none where it has not ended, or its moments are not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub took: Option<String>,
    /// When it is looked at again, and how often it was; none where it is closed, or nobody has looked yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_look: Option<NextLookShown>,
    /// The restore that is tied to it.
    pub restore: Option<RestoreLine>,
    /// The operation that shows what was executed.
    pub operation_proof: Labelled<Availability>,
    /// Evidence of the environment after the restore.
    pub evidence: EvidenceShown,
    /// The eight legs, as the database stands now.
    pub legs: Vec<LegResult>,
    /// What was counted; none without a restore.
    pub summary: Option<SummaryShown>,
    /// What became of the items; none without a restore.
    pub items: Option<ItemsShown>,
    /// What is recorded of a failure; none without a restore, or where nothing says that something failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<FailureDetails>,
    /// Whether the result needs somebody; none without a restore.
    pub attention: Option<AttentionShown>,
    /// What happened, the earliest first.
    pub timeline: Vec<Event>,
    /// Why nobody settles it, where it is open and paused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pause: Option<Pause>,
    /// The verdict on record.
    pub verdict: Option<Verdict>,
    /// What the verdict lacks for a success, or hangs on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub counterfactual: Option<CounterfactualShown>,
    /// Who closed the run, where that was somebody else.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub closed_by: Option<ClosedBy>,
    /// What the rules say of a run that somebody else closed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub opinion: Option<OpinionShown>,
    /// What the rules would say today beside the verdict, where that is something else.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub later: Option<LaterOpinion>,
    /// That the database refuses the run a verdict.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refusal: Option<RefusedVerdict>,
    /// What its primary reason means, where this version knows it and the record can be relied on.
    pub verdict_reason: Option<Reason>,
    /// The most that may be claimed; none where nothing may.
    pub claim: Option<&'static str>,
    /// What none of this claims.
    pub claim_boundary: &'static str,
    /// Words, counts and ids for whoever has to look closer.
    pub diagnostics: Vec<Diagnostic>,
    /// Pages of the platform about what is shown, where the configuration has templates of their addresses.
    #[serde(skip_serializing_if = "Links::is_empty")]
    pub links: Links,
}

/// A restore in short.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct RestoreLine {
    /// The restore.
    pub id: RestoreId,
    /// The platform's status of the restore.
    pub status: RestoreStatus,
    /// Whether it was a preview.
    pub is_dry_run: bool,
    /// When it started, where that can be read.
    pub started_at: Option<Moment>,
    /// When it ended, where that can be read.
    pub completed_at: Option<Moment>,
    /// How long it took, in words; none where one of these moments is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub took: Option<String>,
    /// Where it restored from.
    pub backup_set: Option<BackupSetId>,
}

/// When an open run is looked at again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub struct NextLookShown {
    /// When; none for a dead letter, which nobody looks at until somebody says so.
    pub at: Option<Moment>,
    /// How often it was looked at, or tried, before.
    pub tries: u32,
}

/// Whether the result needs somebody. Secondary to the card.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub struct AttentionShown {
    /// The state.
    pub state: AttentionState,
    /// What happened.
    pub summary: &'static str,
    /// Whether somebody has to look.
    pub follow_up_required: bool,
    /// What to do next.
    pub primary_next_action: &'static str,
    /// What it is due to.
    pub primary_cause_family: Cause,
    /// What it does not prove.
    pub recovery_claim_boundary: &'static str,
    /// An identifier of the claim boundary, for programs.
    pub recovery_claim_boundary_id: &'static str,
    /// How urgent it looks.
    pub tone: Tone,
}

impl RunDetail {
    /// The backup items that are in trouble.
    pub fn troubled_items(&self) -> Vec<i64> {
        let exceptions = self.items.iter().flat_map(|it| &it.exceptions);
        exceptions.filter_map(Exception::item).collect()
    }

    /// With the types of these items.
    #[must_use]
    pub fn typed(mut self, types: &HashMap<i64, String>) -> Self {
        let items = self.items.iter_mut();
        for it in items.flat_map(|it| &mut it.exceptions) {
            it.policy_type = it.item().and_then(|item| types.get(&item).cloned());
        }
        self
    }

    /// From one run.
    pub fn new(found: &RunInFull, visibility: Visibility, limits: &FreshnessThresholds) -> Self {
        let row = &found.seen;
        let facts = &row.assessment.facts;
        let seen = seen(&row.assessment, visibility);
        let result = seen.as_ref().map(RestoreResult::of);
        let verdict = found.verdict.as_ref().map(Verdict::from);
        let state = run_state(row, visibility, limits);
        let is_reliable = state.state.is_reliable();
        let leads_there = anchor(&state) == "#failure";
        let is_open = matches!(facts.run.status, RunStatus::Queued | RunStatus::Running);
        let (since, limit) = lasting(found, state.state, limits);
        Self {
            as_of: Moment(facts.as_of),
            run: facts.run.id,
            place: place(row),
            status: facts.run.status,
            outcome: facts.run.outcome,
            freshness: freshness(row, limits),
            created_at: facts.run.created_at.moment().map(Moment),
            since: since.map(Moment),
            limit_seconds: limit.map(|it| it.as_secs()),
            took: took(facts.run.started_at, facts.run.completed_at),
            next_look: found
                .next_look
                .filter(|_| is_open)
                .map(|NextLook { at, tries }| {
                    let at = at.map(Moment);
                    NextLookShown { at, tries }
                }),
            card: result.zip(seen).map_or_else(
                || unlinked(facts, &state),
                |(result, seen)| card(&result, facts.run.id, seen.restore.id, &state),
            ),
            state,
            restore: seen.map(|seen| restore_line(seen.restore, found.backup_set)),
            operation_proof: labelled(
                result.map_or(Availability::Unavailable, |result| result.operation_proof),
            ),
            evidence: evidence(&row.assessment, result.as_ref(), visibility),
            legs: legs(&row.assessment, visibility),
            summary: result.map(|result| summary(result.summary)),
            items: seen.map(|seen| items(seen.restore)),
            failure: seen.and_then(|seen| {
                let leads = |it: RestoreResult| it.next_action == NextAction::ReviewFailure;
                failure(&seen, leads_there || result.is_some_and(leads))
            }),
            attention: seen.as_ref().map(|seen| attention_shown(seen, &row.record)),
            pause: found.pause.clone().filter(|_| is_open),
            timeline: events(
                &row.assessment,
                verdict.as_ref(),
                &found.actions,
                visibility,
            ),
            verdict_reason: verdict
                .as_ref()
                .filter(|verdict| verdict.standing.is_readable())
                .and_then(|verdict| ReasonCode::parse(&verdict.reason_code))
                .map(Reason::from),
            claim: result
                .filter(|_| is_reliable)
                .and_then(|result| result.claim)
                .map(Claim::label),
            claim_boundary: CLAIM_BOUNDARY,
            diagnostics: diagnostics(row, verdict.as_ref(), visibility),
            links: Links::new(),
            later: LaterOpinion::beside(found).filter(|_| visibility.evidence),
            refusal: row.record.refusal.as_ref().map(RefusedVerdict::from),
            closed_by: ClosedBy::of(row),
            opinion: OpinionShown::beside(row),
            counterfactual: (found.verdict.as_ref())
                .and_then(|record| CounterfactualShown::of_record(record, visibility)),
            verdict,
        }
    }

    /// With the addresses that the platform has for what is shown.
    #[must_use]
    pub fn linked(mut self, templates: &Links) -> Self {
        let restore = self.restore.as_ref();
        self.links = addresses(templates, |of| match of {
            Linked::Run => Some(self.run.0),
            Linked::Restore => restore.map(|it| it.id.0),
            Linked::BackupSet => restore?.backup_set.map(|set| set.0),
            Linked::Evidence => self.evidence.snapshot.map(|it| it.id.0),
            Linked::Environment => self.place.environment.as_ref().map(|it| it.id.0),
            Linked::Workspace => Some(self.place.workspace.id.0),
        });
        self
    }

    /// Whether anybody can still close the run.
    pub fn is_open(&self) -> bool {
        matches!(self.status, RunStatus::Queued | RunStatus::Running)
    }

    /// How long it has been so, in words.
    pub fn lasting(&self) -> Option<String> {
        let since = self.since?;
        let Some(limit) = self.limit_seconds else {
            return Some(format!("Decided {}.", since.age(&self.as_of)));
        };
        let lasted = self.as_of.0.duration_since(since.0);
        let status = match self.status {
            RunStatus::Running => "Running",
            _ => "Queued",
        };
        let limit = in_words(SignedDuration::from_secs(limit));
        (!lasted.is_negative()).then(|| {
            format!(
                "{status} for {}; over {limit} is too long.",
                in_words(lasted)
            )
        })
    }

    /// Where the next action of the run's state leads.
    pub fn next_href(&self) -> &'static str {
        anchor(&self.state)
    }

    /// How many legs the viewer may see.
    pub fn legs_shown(&self) -> usize {
        let shown = |leg: &&LegResult| leg.state != LegWord::NotShown;
        self.legs.iter().filter(shown).count()
    }

    /// How many legs hold.
    pub fn legs_held(&self) -> usize {
        let holds = |leg: &&LegResult| leg.state == LegWord::Holds;
        self.legs.iter().filter(holds).count()
    }
}

/// When a verdict that can be relied on was decided; or since when an open run is queued or running, and for how long it may
/// be.
fn lasting(
    found: &RunInFull,
    state: RunState,
    limits: &FreshnessThresholds,
) -> (Option<Timestamp>, Option<SignedDuration>) {
    let verdict = found.verdict.as_ref().filter(|_| state.is_reliable());
    match limits.of_open(&found.seen.assessment.facts.run) {
        _ if state == RunState::NotExecuted => (None, None),
        Some((since, limit)) => (since.moment(), Some(limit)),
        None => (verdict.map(|it| it.decided_at), None),
    }
}

fn restore_line(restore: &RestoreFacts, backup_set: Option<BackupSetId>) -> RestoreLine {
    RestoreLine {
        id: restore.id,
        status: restore.status,
        is_dry_run: restore.is_dry_run,
        started_at: restore.started_at.moment().map(Moment),
        completed_at: restore.completed_at.moment().map(Moment),
        took: took(restore.started_at, restore.completed_at),
        backup_set,
    }
}

/// What is recorded of a failure, where a status, a blocker or a record says that there was one.
pub(super) fn failure(seen: &SeenRestore<'_>, leads_here: bool) -> Option<FailureDetails> {
    let run = seen.run;
    let is_recorded = !seen.restore.failures.is_empty()
        || !seen.restore.blockers.is_empty()
        || run.is_some_and(|run| run.failures > 0 || !run.blockers.is_empty());
    (leads_here || is_recorded).then(|| FailureDetails::of(seen.restore, run))
}

pub(super) fn attention_shown(seen: &SeenRestore<'_>, record: &RunOnRecord) -> AttentionShown {
    let known = seen.run.map(|run| KnownRun {
        run,
        restore: Some(seen.restore),
        record,
    });
    let cause = attention(seen);
    let cause = known.map_or(cause, |known| known.beside(cause));
    let state = cause.state();
    AttentionShown {
        state,
        summary: cause.summary(),
        follow_up_required: state.needs_follow_up(),
        primary_next_action: cause.next_action(),
        primary_cause_family: cause,
        recovery_claim_boundary: state.claim_boundary(),
        recovery_claim_boundary_id: state.claim_boundary_id(),
        tone: cause.tone(),
    }
}
