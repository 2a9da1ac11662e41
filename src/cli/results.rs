//! What became of runs that were named, and the exit code that follows: `reconcile` and `wait` say it alike.

use std::collections::HashSet;

use reconciler_jobs::ids::RunId;
use reconciler_jobs::restore_execute::reason::CLAIM_BOUNDARY;

use super::exit::Exit;
use super::output::{Document, Reconciled};
use super::screen::Screen;
use super::table::kept;
use crate::views::verdict::{DecisionWord, RunFate, RunResult};

/// The runs that were named, each once, in their order.
pub(super) fn distinct(runs: &[i64]) -> Vec<RunId> {
    let mut seen = HashSet::new();
    let runs = runs.iter().copied().map(RunId);
    runs.filter(|run| seen.insert(*run)).collect()
}

impl From<&RunResult> for Exit {
    /// The code for this run alone. What is only foreseen counts as if it were decided.
    fn from(result: &RunResult) -> Self {
        match (result.state, result.decision) {
            (RunFate::Absent, _) => Self::CouldNotRun,
            (RunFate::Decided | RunFate::Decidable | RunFate::DecidedBefore, Some(decision)) => {
                Self::from(decision)
            }
            _ => Self::Undecided,
        }
    }
}

impl From<DecisionWord> for Exit {
    /// The code for a run with this decision.
    fn from(decision: DecisionWord) -> Self {
        match decision {
            DecisionWord::Succeeded => Self::Done,
            DecisionWord::PartiallySucceeded | DecisionWord::Blocked | DecisionWord::Failed => {
                Self::BelowSucceeded
            }
            DecisionWord::Deferred => Self::Undecided,
        }
    }
}

/// Shows what became of each run.
pub(super) fn show(
    results: Reconciled,
    document: impl Fn(Reconciled) -> Document,
    screen: &mut Screen,
) -> anyhow::Result<()> {
    if screen.output.is_json() {
        return Ok(screen.json(&document(results))?);
    }
    let Reconciled { runs, .. } = &results;
    screen.table(
        ["RUN", "DECISION", "REASON, - MISSING", "NEXT ACTION"].map(kept),
        runs.iter().map(row),
    )?;
    for refused in runs.iter().filter(|result| result.error.is_some()) {
        let error = refused.error.as_deref().unwrap_or_default();
        screen.line(&format!("Run {} was refused: {error}", refused.run))?;
    }
    if runs
        .iter()
        .any(|result| result.decision == Some(DecisionWord::Succeeded))
    {
        screen.line(CLAIM_BOUNDARY)?;
    }
    Ok(())
}

fn row(result: &RunResult) -> [String; 4] {
    let reason = result.reason.iter().map(|reason| reason.code.clone());
    let missing = result.missing.iter().map(|code| format!("- {code}"));
    [
        result.run.to_string(),
        result.in_words(),
        reason.chain(missing).collect::<Vec<_>>().join("\n"),
        result.next_action(),
    ]
}
