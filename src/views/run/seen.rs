//! What a viewer may know of a run that was read, which every view of runs begins with.

use reconciler_jobs::reading::freshness::{Freshness, FreshnessThresholds};
use reconciler_jobs::reading::result_state::{RestoreResult, ResultState};
use reconciler_jobs::reading::{Availability, SeenRestore};
use reconciler_jobs::restore_execute::ReasonCode;
use reconciler_jobs::restore_execute::facts::{RestoreFacts, RunStatus};
use reconciler_jobs::restore_execute::proof::Leg;

use crate::storage::Assessment;
use crate::storage::reader::RunSeen;
use crate::views::state::{KnownRun, RunStateShown};
use crate::views::verdict::{LegResult, LegWord, leg_state};
use crate::views::{Labelled, Named, Place, Visibility, gone};

/// The state of a run, as one viewer may know it.
pub(in crate::views) fn run_state(
    row: &RunSeen,
    visibility: Visibility,
    limits: &FreshnessThresholds,
) -> RunStateShown {
    let facts = &row.assessment.facts;
    let known = KnownRun {
        run: &facts.run,
        restore: row.assessment.restore(),
        record: &row.record,
    };
    let result = seen(&row.assessment, visibility).map(|seen| RestoreResult::of(&seen).situation);
    let open = reason_now(row, visibility);
    RunStateShown::new(known, open, result, facts.as_of, limits)
}

/// The legs; those that look at the restore are not shown where it is not certain whose it is, and evidence is
/// not shown to whoever may not see it.
pub(in crate::views) fn legs(assessment: &Assessment, visibility: Visibility) -> Vec<LegResult> {
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

/// The restore that is tied to a run, as a viewer may see it.
pub(in crate::views) fn seen(
    assessment: &Assessment,
    visibility: Visibility,
) -> Option<SeenRestore<'_>> {
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
pub(in crate::views) fn reason_now(row: &RunSeen, visibility: Visibility) -> Option<ReasonCode> {
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

pub(in crate::views) fn place(row: &RunSeen) -> Place {
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

pub(in crate::views) fn freshness(
    row: &RunSeen,
    limits: &FreshnessThresholds,
) -> Labelled<Freshness> {
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

/// With its label.
pub(in crate::views) fn labelled(state: Availability) -> Labelled<Availability> {
    Labelled {
        state,
        label: state.label(),
    }
}
