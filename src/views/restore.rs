//! One restore: while it is being prepared, what still stands in the way; afterwards, its result.

use reconciler_jobs::ids::{EnvironmentId, RestoreId, RunId, WorkspaceId};
use reconciler_jobs::quantity;
use reconciler_jobs::reading::attention::Tone;
use reconciler_jobs::reading::gates::{
    Gate, GateReading, GateReason, GateState, Gates, GroupCache, MappingSummary, PreparationFacts,
    RestoreScope,
};
use reconciler_jobs::reading::result_state::{Claim, NextAction, RestoreResult, ResultState};
use reconciler_jobs::reading::{Availability, SeenRestore};
use reconciler_jobs::restore_execute::Policy;
use reconciler_jobs::restore_execute::facts::{At, RestoreStatus};
use reconciler_jobs::restore_execute::reason::CLAIM_BOUNDARY;
use schemars::JsonSchema;
use serde::Serialize;

use super::environment::{BackupShown, Judging};
use super::failure::FailureDetails;
use super::run::{
    AttentionShown, Card, SummaryShown, attention_shown, failure, labelled, summary, tone,
};
use super::state::{KnownRun, RunStateShown};
use super::{Labelled, Moment, Named, Step, Visibility, gone};
use crate::config::{Linked, Links, addresses};
use crate::storage::reader::RestoreSeen;

/// One restore.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each answers a question of its own"
)]
pub struct Preparation {
    /// The database's clock.
    pub as_of: Moment,
    /// The restore.
    pub restore: RestoreId,
    /// The workspace that the restore belongs to.
    pub workspace: Named<WorkspaceId>,
    /// The environment that the restore belongs to.
    pub environment: Named<EnvironmentId>,
    /// The platform's status of the restore.
    pub status: RestoreStatus,
    /// Whether it can only be a preview.
    pub is_dry_run: bool,
    /// Whether it was executed, so that its result is what counts.
    pub is_executed: bool,
    /// Whether it is at its first step, where the gates are shown in full.
    pub is_at_first_step: bool,
    /// What to say first.
    pub card: Card,
    /// What the contract says first of its result, also of one that was not executed.
    pub contract: Card,
    /// The most that may be claimed; none where nothing may.
    pub claim: Option<&'static str>,
    /// What is recorded of a failure; none where nothing says that something failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<FailureDetails>,
    /// The state of its run; none where it has none.
    pub run_state: Option<RunStateShown>,
    /// The seven gates, in order.
    pub gates: Vec<GateLine>,
    /// How many of them are complete: `2/7 gates complete`.
    pub compact: String,
    /// The first gate that is not passed.
    pub next_gate: Option<GateLine>,
    /// Whether it could be executed now.
    pub execution_available: bool,
    /// Where the execution stands, as pages say it.
    pub execution: &'static str,
    /// What it would restore from.
    pub source: BackupShown,
    /// The proof aside.
    pub proof: ProofAside,
    /// Which groups are mapped to which; none where that cannot be read.
    pub mapping: Option<MappingSummary>,
    /// Whether there are groups to choose targets from.
    pub groups: Labelled<GroupCache>,
    /// How a target group is found.
    pub groups_next_action: &'static str,
    /// What was counted.
    pub summary: SummaryShown,
    /// Whether the result needs somebody.
    pub attention: AttentionShown,
    /// What none of this claims.
    pub claim_boundary: &'static str,
    /// Pages of the platform about what is shown, where the configuration has templates of their addresses.
    #[serde(skip_serializing_if = "Links::is_empty")]
    pub links: Links,
}

/// One gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub struct GateLine {
    /// Which.
    pub gate: Gate,
    /// What pages call the gate.
    pub label: &'static str,
    /// Whether it is passed.
    pub state: GateState,
    /// What pages call the gate's state.
    pub state_label: &'static str,
    /// How urgent it looks.
    pub tone: Tone,
    /// Why it is in its state.
    pub reason: GateReason,
    /// What the state means, in one sentence.
    pub sentence: &'static str,
    /// What to do next.
    pub next_action: &'static str,
    /// When the record was made that it is read from, where that says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recorded_at: Option<Moment>,
}

/// What would prove the restore, and what it is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ProofAside {
    /// Who asked for it, as the platform noted.
    pub requested_by: Option<String>,
    /// What it restores.
    pub scope: RestoreScope,
    /// What the platform calls that, in the word that it recorded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope_mode: Option<String>,
    /// The operation that shows what was executed.
    pub operation_proof: Labelled<Availability>,
    /// The operation.
    pub run: Option<RunId>,
    /// Evidence of the environment after the restore.
    pub evidence: Labelled<Availability>,
}

impl Preparation {
    /// From one restore.
    pub fn new(found: &RestoreSeen, judging: Judging<'_>) -> Self {
        let seen = seen(found, judging.policy, judging.visibility);
        let result = RestoreResult::of(&seen);
        let gates = Gates::of(&found.preparation);
        let is_executed = result.state() != ResultState::NotExecuted;
        let known = seen.run.map(|run| KnownRun {
            run,
            restore: Some(seen.restore),
            record: &found.record,
        });
        let run_state = known.map(|known| {
            RunStateShown::new(
                known,
                None,
                Some(result.situation),
                found.as_of,
                judging.freshness,
            )
        });
        let run = found.run.as_ref().map(|run| run.id);
        let contract = result_card(&result, run, run_state.as_ref());
        let is_reliable = run_state.as_ref().is_none_or(|it| it.state.is_reliable());
        let line = |read: &GateReading| GateLine::new(*read, &found.preparation);
        Self {
            as_of: Moment(found.as_of),
            restore: found.restore.id,
            workspace: Named {
                id: found.restore.workspace_id,
                name: found.workspace_name.clone(),
            },
            environment: Named {
                id: found.restore.environment_id,
                name: if found.preparation.has_target {
                    found.environment_name.clone()
                } else {
                    gone(found.restore.environment_id)
                },
            },
            status: found.restore.status,
            is_dry_run: found.restore.is_dry_run,
            is_executed,
            is_at_first_step: found.restore.status == RestoreStatus::Draft,
            card: if is_executed {
                contract.clone()
            } else {
                gates_card(&gates, run_state.as_ref())
            },
            contract,
            claim: result.claim.filter(|_| is_reliable).map(Claim::label),
            failure: failure(&seen, result.next_action == NextAction::ReviewFailure),
            run_state,
            compact: gates.compact(),
            next_gate: gates.next().map(line),
            execution_available: gates.execution_available(),
            execution: gates.execution_label(),
            gates: gates.iter().map(line).collect(),
            source: BackupShown::new(
                found.preparation.source.as_ref(),
                found.as_of,
                judging.backup,
            ),
            proof: aside(found, &result),
            mapping: found.preparation.mapping.clone(),
            groups: Labelled {
                state: found.preparation.groups,
                label: found.preparation.groups.summary(),
            },
            groups_next_action: found.preparation.groups.next_action(),
            summary: summary(result.summary),
            attention: attention_shown(&seen, &found.record),
            claim_boundary: CLAIM_BOUNDARY,
            links: Links::new(),
        }
    }

    /// With the addresses that the platform has for what is shown.
    #[must_use]
    pub fn linked(mut self, templates: &Links) -> Self {
        self.links = addresses(templates, |of| match of {
            Linked::Run => self.proof.run.map(|run| run.0),
            Linked::Restore => Some(self.restore.0),
            Linked::BackupSet => self.source.set.as_ref().map(|set| set.id.0),
            Linked::Environment => Some(self.environment.id.0),
            Linked::Workspace => Some(self.workspace.id.0),
            Linked::Evidence => None,
        });
        self.source.link(&self.links);
        self
    }

    /// What the restore restores, for people.
    pub fn scope(&self) -> String {
        let scope = match self.proof.scope {
            RestoreScope::All => "everything in the backup set".to_owned(),
            RestoreScope::Items(items) => quantity(items, "item"),
            RestoreScope::Nothing => "nothing is selected".to_owned(),
            RestoreScope::Unreadable => "cannot be read".to_owned(),
        };
        match &self.proof.scope_mode {
            Some(mode) => format!("{scope}; recorded as {mode}"),
            None => scope,
        }
    }
}

impl GateLine {
    fn new(read: GateReading, facts: &PreparationFacts) -> Self {
        let basis = match read.gate {
            Gate::Scope => Some(&facts.scope_basis),
            Gate::Validation => Some(&facts.check_basis),
            Gate::Preview => Some(&facts.preview_basis),
            Gate::Confirmation => Some(&facts.safety_snapshot),
            Gate::Source | Gate::Target | Gate::Execution => None,
        };
        Self {
            recorded_at: basis.and_then(|it| it.recorded_at).map(Moment),
            gate: read.gate,
            label: read.gate.label(),
            state: read.state,
            state_label: read.state.label(),
            tone: read.state.tone(),
            reason: read.reason,
            sentence: read.reason.sentence(),
            next_action: read.reason.next_action(),
        }
    }
}

fn seen<'a>(found: &'a RestoreSeen, policy: &'a Policy, visibility: Visibility) -> SeenRestore<'a> {
    SeenRestore {
        at: At {
            as_of: found.as_of,
            policy,
        },
        restore: &found.restore,
        run: found.run.as_ref(),
        evidence: visibility.evidence.then_some(&found.evidence),
    }
}

fn gates_card(gates: &Gates, run: Option<&RunStateShown>) -> Card {
    let card = gates.card();
    let recorded = run.filter(|run| run.is_below_succeeded);
    let tone = card.status.tone();
    Card {
        state: Some(ResultState::NotExecuted),
        tone: recorded.map_or(tone, |run| tone.or_worse(run.tone)),
        status: card.status.label(),
        reason: card.reason,
        impact: card.impact,
        next_action: Step {
            label: card.next_action,
            href: Some("#gates".to_owned()),
        },
    }
}

fn result_card(result: &RestoreResult, run: Option<RunId>, state: Option<&RunStateShown>) -> Card {
    let recorded = state.filter(|state| state.is_below_succeeded);
    let (label, target) = match (recorded, result.next_action, run) {
        (Some(state), _, Some(run)) => (state.next_action, format!("/runs/{run}")),
        (_, action @ (NextAction::ReviewPreview | NextAction::ContinuePreparation), _) => {
            (action.label(), "#gates".to_owned())
        }
        (_, action @ NextAction::ReviewFailure, _) => (action.label(), "#failure".to_owned()),
        (_, action @ NextAction::ReviewProofGap, _) | (_, action, None) => {
            (action.label(), "#proof".to_owned())
        }
        (_, action @ NextAction::OpenEvidence, Some(run)) => {
            (action.label(), format!("/runs/{run}/evidence"))
        }
        (_, action, Some(run)) => (action.label(), format!("/runs/{run}")),
    };
    Card {
        state: Some(result.state()),
        tone: tone(result.state(), state),
        status: result.situation.label(),
        reason: result.situation.reason(),
        impact: result.situation.impact(),
        next_action: Step {
            label,
            href: Some(target),
        },
    }
}

fn aside(found: &RestoreSeen, result: &RestoreResult) -> ProofAside {
    ProofAside {
        requested_by: found.requested_by.clone(),
        scope: found.preparation.scope,
        scope_mode: found.preparation.scope_mode.clone(),
        operation_proof: labelled(result.operation_proof),
        run: found.run.as_ref().map(|run| run.id),
        evidence: labelled(result.evidence),
    }
}
