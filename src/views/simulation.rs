//! What another policy would have said of the verdicts on record, counted.

use std::cmp::Reverse;

use reconciler_jobs::ids::WorkspaceId;
use reconciler_jobs::restore_execute::simulate::{PolicyAnswer, Unanswered};
use reconciler_jobs::restore_execute::{Outcome, ReasonCode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ClaimBoundary, Moment};
use crate::config::Rules;
use crate::ledger::simulate::{Changed, NamedVerdict, Simulation};

/// How many workspaces are named, those with the most changes first.
const WORKSPACES_MAX: usize = 100;

/// What another policy would have said of the verdicts on record. It is written nowhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SimulationShown {
    /// The database's clock when it began.
    pub as_of: Moment,
    /// What was asked, of which verdicts.
    #[serde(flatten)]
    pub asked: SimulationAsked,
    /// Whether all that was asked for was read.
    pub complete: bool,
    /// Verdicts that were read.
    pub entries: u64,
    /// Those of which outcome and primary reason would have been the same.
    pub same: u64,
    /// Those of which one of them would have been another, or which would not have been decided then.
    pub changed: u64,
    /// Those of which the recorded facts do not tell what would have been said.
    pub not_recorded: u64,
    /// Those whose facts were erased.
    pub erased: u64,
    /// Those that do not follow from their facts: `ledger verify` says why. Nothing is said of them.
    pub unsound: u64,
    /// What is not recorded, and of how many.
    pub reasons_not_recorded: Vec<NotRecorded>,
    /// Changes by outcome, the most frequent first.
    pub outcomes: Vec<OutcomeChange>,
    /// Changes by outcome and reason, the most frequent first.
    pub changes: Vec<ReasonChange>,
    /// Workspaces with changes, those with the most first.
    pub workspaces: Vec<WorkspaceChange>,
    /// How many more workspaces have changes.
    pub workspaces_omitted: u64,
    /// How long it took, in milliseconds.
    pub elapsed_ms: u64,
    /// What no verdict claims.
    pub claim_boundary: ClaimBoundary,
}

/// What was asked, of which verdicts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SimulationAsked {
    /// The file whose `[rules]` were asked; none where those in force were.
    pub policy: Option<String>,
    /// The settings that were asked.
    pub rules: Rules,
    /// Only verdicts of these rules are asked; none where those of any are, each by its own.
    pub ruleset: Option<String>,
    /// The workspace that was asked for.
    pub workspace: Option<i64>,
    /// Only what was decided then or later.
    pub since: Option<Moment>,
    /// Only what was decided before then.
    pub until: Option<Moment>,
}

/// Verdicts of which something is not recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NotRecorded {
    /// What.
    pub what: Unanswered,
    /// The same in words.
    pub sentence: String,
    /// Of how many verdicts.
    pub verdicts: u64,
}

/// Verdicts that would have had another outcome, or none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OutcomeChange {
    /// What is on record.
    pub from: Outcome,
    /// What would have been said; none where the run would have stayed open then.
    pub to: Option<Outcome>,
    /// How many verdicts.
    pub verdicts: u64,
}

/// Verdicts that would have had another reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReasonChange {
    /// What is on record.
    pub from: PolicyAnswer,
    /// What would have been said.
    pub to: PolicyAnswer,
    /// How many verdicts.
    pub verdicts: u64,
    /// Some of them, those of the highest runs.
    pub examples: Vec<NamedVerdict>,
}

/// How many verdicts of a workspace would have changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WorkspaceChange {
    /// The workspace.
    pub workspace: i64,
    /// How many of its verdicts were read.
    pub verdicts: u64,
    /// How many of them would have changed.
    pub changed: u64,
}

impl SimulationShown {
    /// Puts what was counted beside what was asked.
    pub fn new(as_of: Moment, asked: SimulationAsked, found: &Simulation) -> Self {
        let mut changes: Vec<_> = found.changes.iter().map(ReasonChange::from).collect();
        changes.sort_by_key(|change| Reverse(change.verdicts));
        let mut workspaces: Vec<_> = found.workspaces.iter().filter_map(of_workspace).collect();
        workspaces.sort_by_key(|it| Reverse(it.changed));
        let workspaces_omitted = workspaces.len().saturating_sub(WORKSPACES_MAX) as u64;
        workspaces.truncate(WORKSPACES_MAX);
        let unanswered = found.unanswered.iter();
        Self {
            as_of,
            asked,
            complete: false,
            entries: found.entries,
            same: found.same,
            changed: changes.iter().map(|change| change.verdicts).sum(),
            not_recorded: found.unanswered.values().sum(),
            erased: found.erased,
            unsound: found.unsound,
            reasons_not_recorded: unanswered.map(NotRecorded::from).collect(),
            outcomes: by_outcome(&changes),
            changes,
            workspaces,
            workspaces_omitted,
            elapsed_ms: 0,
            claim_boundary: ClaimBoundary::default(),
        }
    }
}

/// How many verdicts of a workspace would have changed, if any.
fn of_workspace((workspace, counts): (&WorkspaceId, &(u64, u64))) -> Option<WorkspaceChange> {
    let (verdicts, changed) = *counts;
    (changed > 0).then_some(WorkspaceChange {
        workspace: workspace.0,
        verdicts,
        changed,
    })
}

impl From<(&Unanswered, &u64)> for NotRecorded {
    fn from((what, verdicts): (&Unanswered, &u64)) -> Self {
        Self {
            what: *what,
            sentence: what.sentence().to_owned(),
            verdicts: *verdicts,
        }
    }
}

fn by_outcome(changes: &[ReasonChange]) -> Vec<OutcomeChange> {
    let mut outcomes: Vec<OutcomeChange> = Vec::new();
    for change in changes {
        let Some(from) = change
            .from
            .outcome
            .filter(|_| change.from.outcome != change.to.outcome)
        else {
            continue;
        };
        let to = change.to.outcome;
        match outcomes
            .iter_mut()
            .find(|it| it.from == from && it.to == to)
        {
            Some(known) => known.verdicts += change.verdicts,
            None => outcomes.push(OutcomeChange {
                from,
                to,
                verdicts: change.verdicts,
            }),
        }
    }
    outcomes.sort_by_key(|change| Reverse(change.verdicts));
    outcomes
}

impl From<(&(PolicyAnswer, PolicyAnswer), &Changed)> for ReasonChange {
    fn from(((from, to), changed): (&(PolicyAnswer, PolicyAnswer), &Changed)) -> Self {
        Self {
            from: *from,
            to: *to,
            verdicts: changed.count,
            examples: changed.examples.clone(),
        }
    }
}

/// `outcome, reason` as tables and sentences say it.
pub fn in_words(answer: PolicyAnswer) -> String {
    let PolicyAnswer { outcome, reason } = answer;
    format!("{}, {}", outcome_word(outcome), ReasonCode::code(reason))
}

/// The outcome, or that there would have been none.
pub fn outcome_word(outcome: Option<Outcome>) -> &'static str {
    outcome.map_or("still open", Outcome::name)
}
