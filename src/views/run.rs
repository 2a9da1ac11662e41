//! One run: the decision first, then what it rests on and what happened.

use reconciler_jobs::ids::{BackupSetId, RestoreId, RunId, SnapshotId};
use reconciler_jobs::quantity;
use reconciler_jobs::reading::attention::{AttentionState, Cause, Tone, attention};
use reconciler_jobs::reading::freshness::{Freshness, FreshnessThresholds};
use reconciler_jobs::reading::result_state::{Claim, NextAction, RestoreResult, ResultState};
use reconciler_jobs::reading::summary::{METADATA_ONLY, Summary};
use reconciler_jobs::reading::unlinked::Unlinked;
use reconciler_jobs::reading::{Availability, SeenRestore};
use reconciler_jobs::restore_execute::ReasonCode;
use reconciler_jobs::restore_execute::facts::{
    Facts, RestoreFacts, RestoreStatus, RunOutcome, RunStatus,
};
use reconciler_jobs::restore_execute::proof::Leg;
use reconciler_jobs::restore_execute::reason::{CLAIM_BOUNDARY, Chapter};
use reconciler_jobs::restore_execute::results::{ColumnState, PartTally, Requested};
use reconciler_jobs::restore_execute::review::Standing;
use schemars::JsonSchema;
use serde::Serialize;

use super::counterfactual::CounterfactualShown;
use super::failure::FailureDetails;
use super::later::LaterOpinion;
use super::opinion::{ClosedBy, OpinionShown};
use super::state::{KnownRun, RunState, RunStateShown};
use super::timeline::{Event, events};
use super::verdict::{Exception, LegResult, LegWord, Reason, RefusedVerdict, Verdict, leg_state};
use super::{Labelled, Moment, Named, Place, Step, Visibility, gone, stored_word};
use crate::config::{Linked, Links, addresses};
use crate::storage::reader::{RunInFull, RunOnRecord, RunSeen};
use crate::storage::{Assessment, Pause};

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
    /// How its restore reads, in the contract's words.
    pub card: Card,
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

/// How a restore reads: status, reason, impact, and what to do next. It looks no calmer than what is on record, and
/// leads where that does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Card {
    /// The state of the contract; none where no restore is tied to the run.
    pub state: Option<ResultState>,
    /// How urgent it looks.
    pub tone: Tone,
    /// The status.
    pub status: &'static str,
    /// Why.
    pub reason: &'static str,
    /// What that means for whoever relies on the restore.
    pub impact: &'static str,
    /// What to do next.
    pub next_action: Step,
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
    /// Where it restored from.
    pub backup_set: Option<BackupSetId>,
}

/// Evidence, as far as the viewer may see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct EvidenceShown {
    /// Whether it can be opened.
    pub state: Labelled<Availability>,
    /// The latest active snapshot, which decides.
    pub snapshot: Option<SnapshotShown>,
    /// Whether another one is queued or generating.
    pub further_in_progress: bool,
    /// Why it does not count as proof.
    pub gaps: Vec<Reason>,
}

/// The latest active snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub struct SnapshotShown {
    /// The snapshot.
    pub id: SnapshotId,
    /// Whether its completeness state is `complete`.
    pub is_complete: bool,
    /// When it was captured, where that can be read.
    pub generated_at: Option<Moment>,
    /// Until when it is valid, where it says so.
    pub expires_at: Option<Moment>,
}

/// What was counted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct SummaryShown {
    /// Each count that somebody made, in the order in which they are shown.
    pub counts: Vec<Count>,
    /// Stands in the place of counts that nobody made, or beside those that no row is behind.
    pub note: Option<&'static str>,
    /// Whether no item row is behind the counts.
    pub is_metadata_only: bool,
}

/// One count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Count {
    /// What was counted.
    pub name: &'static str,
    /// How many.
    pub count: u64,
}

/// What became of the items, as their rows say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ItemsShown {
    /// Rows of items.
    pub items: PartTally,
    /// Rows of foundations.
    pub foundations: PartTally,
    /// Assignments of any item.
    pub assignments: PartTally,
    /// Whether the recorded results could be read, or there are none.
    pub is_readable: bool,
    /// How many items were requested; none where the request does not list them.
    pub requested: Option<u64>,
    /// Requested items without a row.
    pub missing: u64,
    /// Rows that nobody requested.
    pub unexpected: u64,
    /// Ids that occur more than once.
    pub repeated: u64,
    /// The first items that are in trouble.
    pub exceptions: Vec<Exception>,
    /// How many findings there are beyond those.
    pub exceptions_omitted: u64,
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

/// One line for whoever has to look closer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Diagnostic {
    /// What it is.
    pub name: &'static str,
    /// What was found: words, counts and ids.
    pub text: String,
}

impl ItemsShown {
    /// How the recorded results answer the request, for people; none where the request does not list its items.
    pub fn request(&self) -> Option<String> {
        let missing = match self.requested? {
            0 => "The request lists no item".to_owned(),
            requested => {
                let left = match self.missing {
                    0 => "each has a result".to_owned(),
                    missing => format!("no result for {missing} of them"),
                };
                format!("{} requested; {left}", quantity(requested, "item"))
            }
        };
        Some(match self.unexpected {
            0 => format!("{missing}."),
            unexpected => format!(
                "{missing}; {} that nobody requested.",
                quantity(unexpected, "result")
            ),
        })
    }

    /// Each part that has rows with their outcomes, in the order in which they are shown.
    pub fn parts(&self) -> impl Iterator<Item = (&'static str, PartTally)> {
        [
            ("items", self.items),
            ("foundations", self.foundations),
            ("assignments", self.assignments),
        ]
        .into_iter()
        .filter(|(_, tally)| tally.total() > 0)
    }
}

impl RunDetail {
    /// From one run.
    pub fn new(found: &RunInFull, visibility: Visibility, limits: &FreshnessThresholds) -> Self {
        let row = &found.seen;
        let facts = &row.assessment.facts;
        let seen = seen(&row.assessment, visibility);
        let result = seen.as_ref().map(RestoreResult::of);
        let verdict = found.verdict.as_ref().map(Verdict::from);
        let standing = verdict.as_ref().map(|verdict| verdict.standing);
        let state = run_state(row, standing, visibility, limits);
        let is_reliable = state.state.is_reliable();
        let leads_there = anchor(&state) == "#failure";
        Self {
            as_of: Moment(facts.as_of),
            run: facts.run.id,
            place: place(row),
            status: facts.run.status,
            outcome: facts.run.outcome,
            freshness: freshness(row, limits),
            created_at: facts.run.created_at.moment().map(Moment),
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
            attention: seen
                .as_ref()
                .map(|seen| attention_shown(seen, &row.record, standing)),
            pause: found
                .pause
                .clone()
                .filter(|_| matches!(facts.run.status, RunStatus::Queued | RunStatus::Running)),
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

pub(super) fn labelled(state: Availability) -> Labelled<Availability> {
    Labelled {
        state,
        label: state.label(),
    }
}

/// The state of a run, as one viewer may know it.
pub(super) fn run_state(
    row: &RunSeen,
    standing: Option<Standing>,
    visibility: Visibility,
    limits: &FreshnessThresholds,
) -> RunStateShown {
    let facts = &row.assessment.facts;
    let known = KnownRun {
        run: &facts.run,
        restore: row.assessment.restore(),
        record: &row.record,
        standing,
    };
    let result = seen(&row.assessment, visibility).map(|seen| RestoreResult::of(&seen).situation);
    let open = reason_now(row, visibility);
    RunStateShown::new(known, open, result, facts.as_of, limits)
}

/// Where the next action of a state leads on the page of a run.
fn anchor(state: &RunStateShown) -> &'static str {
    let reason = state.reason_code.as_deref().and_then(ReasonCode::parse);
    match (state.state, reason.map(ReasonCode::chapter)) {
        (RunState::UnprovenSuccess, _) => "#legs",
        (RunState::ClosedByPlatform, _) => "#verdict",
        (state, _) if !state.is_reliable() => "#verdict",
        (RunState::Failed, Some(Chapter::Execution)) => "#failure",
        (_, Some(Chapter::Items)) => "#items",
        (_, Some(Chapter::Evidence | Chapter::Proof)) => "#evidence",
        (_, Some(Chapter::Execution)) => "#timeline",
        _ => "#legs",
    }
}

fn unlinked(facts: &Facts, state: &RunStateShown) -> Card {
    let found = Unlinked::of(&facts.run);
    Card {
        state: None,
        tone: found.tone().or_worse(state.tone),
        status: found.label(),
        reason: found.reason(),
        impact: found.impact(),
        next_action: Step {
            label: found.next_action(),
            href: Some("#legs".to_owned()),
        },
    }
}

/// How urgent a result looks beside the state of its run: never calmer than that, and evidence alone is nothing to be
/// calm about as long as no verdict says that all was proven.
pub(super) fn tone(result: ResultState, run: Option<&RunStateShown>) -> Tone {
    let is_proven = run.is_some_and(|run| run.tone == Tone::Calm);
    let tone = match result {
        ResultState::CompletedWithEvidence if !is_proven => Tone::Warning,
        state => state.tone(),
    };
    run.map_or(tone, |run| tone.or_worse(run.tone))
}

/// The card of a restore, on the page of `run`.
fn card(result: &RestoreResult, run: RunId, restore: RestoreId, state: &RunStateShown) -> Card {
    let next_action = if state.is_below_succeeded {
        Step {
            label: state.next_action,
            href: Some(anchor(state).to_owned()),
        }
    } else {
        Step {
            label: result.next_action.label(),
            href: Some(target(result.next_action, run, restore)),
        }
    };
    Card {
        state: Some(result.state()),
        tone: tone(result.state(), Some(state)),
        status: result.situation.label(),
        reason: result.situation.reason(),
        impact: result.situation.impact(),
        next_action,
    }
}

/// Where a next action leads on the page of a run.
fn target(action: NextAction, run: RunId, restore: RestoreId) -> String {
    let anchor = match action {
        NextAction::OpenEvidence => return format!("/runs/{run}/evidence"),
        NextAction::ReviewPreview | NextAction::ContinuePreparation => {
            return format!("/restores/{restore}");
        }
        NextAction::ViewProgress => "timeline",
        NextAction::OpenOperationProof => "operation-proof",
        NextAction::ReviewProofGap | NextAction::ReviewBlocker => "legs",
        NextAction::ReviewFailure => "failure",
        NextAction::ReviewItems | NextAction::ReviewDiagnostics => "items",
    };
    format!("#{anchor}")
}

fn restore_line(restore: &RestoreFacts, backup_set: Option<BackupSetId>) -> RestoreLine {
    RestoreLine {
        id: restore.id,
        status: restore.status,
        is_dry_run: restore.is_dry_run,
        started_at: restore.started_at.moment().map(Moment),
        completed_at: restore.completed_at.moment().map(Moment),
        backup_set,
    }
}

/// What `result` shows of evidence, and why it is no proof where it is not.
fn evidence(
    assessment: &Assessment,
    result: Option<&RestoreResult>,
    visibility: Visibility,
) -> EvidenceShown {
    let state = result.map_or(Availability::Unavailable, |result| result.evidence);
    let may_show = visibility.evidence && result.is_some();
    let stored = &assessment.facts.evidence;
    let snapshot = stored.active.filter(|_| may_show);
    let gaps = if may_show {
        assessment.decision.proof.gaps_of(Leg::Evidence)
    } else {
        &[]
    };
    EvidenceShown {
        state: labelled(state),
        snapshot: snapshot.map(|snapshot| SnapshotShown {
            id: snapshot.id,
            is_complete: snapshot.complete,
            generated_at: snapshot.generated_at.moment().map(Moment),
            expires_at: snapshot.expires_at.moment().map(Moment),
        }),
        further_in_progress: may_show
            && result.is_some_and(|result| result.further_evidence_in_progress),
        gaps: gaps.iter().copied().map(Reason::from).collect(),
    }
}

/// The legs; those that look at the restore are not shown where it is not certain whose it is, and evidence is
/// not shown to whoever may not see it.
pub(crate) fn legs(assessment: &Assessment, visibility: Visibility) -> Vec<LegResult> {
    let judged = assessment.restore().is_some();
    let comes_first =
        |leg| matches!(leg, Leg::Link | Leg::Scope) && assessment.facts.run.is_restore_execute;
    let shown = |(leg, state): (Leg, _)| {
        let (state, gaps) = if leg == Leg::Evidence && !visibility.evidence {
            (LegWord::NotShown, Vec::new())
        } else if judged || comes_first(leg) {
            leg_state(state)
        } else {
            (LegWord::NotAssessed, Vec::new())
        };
        LegResult {
            leg: leg.name().to_owned(),
            state,
            requirement: leg.requirement().to_owned(),
            gaps,
        }
    };
    assessment.decision.proof.legs().map(shown).collect()
}

pub(super) fn summary(summary: Summary) -> SummaryShown {
    let (counts, note) = match summary {
        Summary::Uncounted(why) => (None, Some(why.label())),
        Summary::Counted(counts) => (Some(counts), None),
        Summary::MetadataOnly(counts) => (Some(counts), Some(METADATA_ONLY)),
    };
    let named = |(name, count)| Count { name, count };
    SummaryShown {
        counts: counts.map_or_else(Vec::new, |counts| counts.named().map(named).collect()),
        note,
        is_metadata_only: matches!(summary, Summary::MetadataOnly(_)),
    }
}

fn items(restore: &RestoreFacts) -> ItemsShown {
    let found = &restore.items;
    let exceptions = found.exceptions.iter().map(Exception::from);
    ItemsShown {
        is_readable: !matches!(found.reading, ColumnState::Unreadable(_)),
        items: found.items,
        foundations: found.foundations,
        assignments: found.assignments,
        requested: match found.requested {
            Requested::Listed(items) | Requested::BackupSet(items) => Some(items),
            Requested::NotItemised | Requested::Unreadable(_) => None,
        },
        missing: found.missing,
        unexpected: found.unexpected,
        repeated: found.repeated,
        exceptions: exceptions.collect(),
        exceptions_omitted: found.exceptions_omitted,
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

pub(super) fn attention_shown(
    seen: &SeenRestore<'_>,
    record: &RunOnRecord,
    standing: Option<Standing>,
) -> AttentionShown {
    let known = seen.run.map(|run| KnownRun {
        run,
        restore: Some(seen.restore),
        record,
        standing,
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

fn diagnostics(
    row: &RunSeen,
    verdict: Option<&Verdict>,
    visibility: Visibility,
) -> Vec<Diagnostic> {
    let assessment = &row.assessment;
    let Assessment { facts, decision } = assessment;
    let mut lines = vec![
        ("run status", stored_word(&facts.run.status)),
        ("run outcome", stored_word(&facts.run.outcome)),
    ];
    let is_closed = facts.run.status == RunStatus::Completed;
    if let Some(reason) = reason_now(row, visibility).filter(|_| !is_closed) {
        if row.record.refusal.is_none() {
            lines.push(("rule that matched now", decision.rule.to_string()));
        }
        lines.push(("reason now", reason.code().to_owned()));
    }
    if let Some(refusal) = &row.record.refusal {
        let said = refusal.said.as_deref().unwrap_or("not recorded");
        lines.push(("the database said", said.to_owned()));
    }
    if let Some(restore) = assessment.restore() {
        let blockers = restore.blockers.iter().chain(&facts.run.blockers);
        let codes: Vec<_> = blockers.map(|blocker| blocker.code()).collect();
        lines.push(("restore", restore.id.to_string()));
        lines.push(("restore status", stored_word(&restore.status)));
        lines.push(("blockers recorded", listed(&codes)));
        lines.push(("audit entries read", facts.audits.len().to_string()));
    }
    if let Some(verdict) = verdict {
        let digest = match verdict.digest_matches {
            Some(true) => "as recorded",
            Some(false) => "NOT AS RECORDED",
            None => "erased",
        };
        lines.extend([
            ("verdict", verdict.decision_id.clone()),
            ("rules", verdict.ruleset.clone()),
            ("decided by", verdict.worker.clone()),
            ("digest of the facts", verdict.facts_digest.clone()),
            ("facts on record", digest.to_owned()),
            (
                "review of the record",
                verdict.standing.sentence().to_owned(),
            ),
        ]);
        lines.extend(verdict.revision.as_ref().map(|revision| {
            let (number, first) = (revision.number, &revision.first_decision_id);
            let why = "the run was rolled back with its platform";
            (
                "revision",
                format!("{number}, because {why}; the first was {first}"),
            )
        }));
    }
    let line = |(name, text)| Diagnostic { name, text };
    lines.into_iter().map(line).collect()
}

fn listed(codes: &[&str]) -> String {
    if codes.is_empty() {
        "none".to_owned()
    } else {
        codes.join(", ")
    }
}

/// The restore that is tied to a run, as a viewer may see it.
pub(super) fn seen(assessment: &Assessment, visibility: Visibility) -> Option<SeenRestore<'_>> {
    let facts = &assessment.facts;
    Some(SeenRestore {
        at: facts.at(),
        restore: assessment.restore()?,
        run: Some(&facts.run),
        evidence: visibility.evidence.then_some(&facts.evidence),
    })
}

/// The primary reason now, unless it could only be told by looking at evidence that the viewer may not see. Where the
/// database refuses a verdict that is the reason, whatever the verdict would be.
pub(super) fn reason_now(row: &RunSeen, visibility: Visibility) -> Option<ReasonCode> {
    use ReasonCode::{
        EvidenceExpired, EvidenceInProgress, EvidenceIncomplete, EvidenceMissing,
        EvidenceNotCurrent, EvidencePredatesRestore, ProofComplete,
    };
    let tells = [
        EvidenceMissing,
        EvidenceInProgress,
        EvidenceIncomplete,
        EvidenceExpired,
        EvidencePredatesRestore,
        EvidenceNotCurrent,
        ProofComplete,
    ];
    if row.record.refusal.is_some() {
        return Some(ReasonCode::SettleFailed);
    }
    let reason = row.assessment.decision.reason;
    Some(reason).filter(|reason| visibility.evidence || !tells.contains(reason))
}

pub(super) fn place(row: &RunSeen) -> Place {
    let run = &row.assessment.facts.run;
    let name = |id| row.environment_name.clone().unwrap_or_else(|| gone(id));
    Place {
        workspace: Named {
            id: run.workspace_id,
            name: row.workspace_name.clone(),
        },
        environment: run.environment_id.map(|id| Named { id, name: name(id) }),
        is_orphaned: run.environment_id.is_some() && row.environment_name.is_none(),
    }
}

pub(super) fn freshness(row: &RunSeen, limits: &FreshnessThresholds) -> Labelled<Freshness> {
    let facts = &row.assessment.facts;
    let restore = row.assessment.restore();
    if facts.run.status != RunStatus::Completed && restore.is_some_and(RestoreFacts::is_prepared) {
        return Labelled {
            state: Freshness::Unknown,
            label: ResultState::NotExecuted.label(),
        };
    }
    let state = Freshness::of(
        &facts.run,
        row.record.verdict.is_some(),
        facts.as_of,
        limits,
    );
    Labelled {
        state,
        label: state.label(),
    }
}
