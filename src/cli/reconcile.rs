//! `reconcile RUN…`: decides the runs that are named, now.

use std::collections::HashMap;

use reconciler_jobs::ids::RunId;
use reconciler_jobs::restore_execute::ReasonCode;
use reconciler_jobs::restore_execute::record::Source;
use reconciler_jobs::sweep::Watch;

use super::exit::Exit;
use super::output::{Document, Reconciled};
use super::results::{distinct, show};
use super::session::Session;
use crate::storage::reader::{Reader, Workspaces};
use crate::storage::{Access, Settlement, StoreError};
use crate::views::verdict::{RunFate, RunResult, Verdict};
use crate::views::{ClaimBoundary, Moment};

/// Runs to reconcile.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Ids of operation runs.
    #[arg(value_name = "RUN", required = true, value_parser = clap::value_parser!(i64).range(1..))]
    runs: Vec<i64>,
}

/// Settles the runs and shows what became of each. After an error, shows what was committed before.
pub(super) async fn run(session: &mut Session<'_>, args: &Args) -> anyhow::Result<Exit> {
    let store = session.open_to_settle(Access::Write).await?;
    let runs = distinct(&args.runs);
    let mut settled = Vec::with_capacity(runs.len());
    let settling = session.settling(Source::Command);
    store.forget_leftovers().await?;
    let mut done = store.settle(&runs, &settling, &mut settled).await;

    let mut results: HashMap<RunId, Settlement> = settled
        .into_iter()
        .map(|settled| (settled.run, settled.result))
        .collect();
    let reader = store.reader();
    let mut found = Vec::with_capacity(runs.len());
    for run in runs {
        let Some(settlement) = results.remove(&run) else {
            continue;
        };
        match result_of(&reader, run, settlement).await {
            Ok(result) => found.push(result),
            Err(error) => done = done.and(Err(error)),
        }
    }
    let exit = Exit::of_all(found.iter().map(Exit::from));
    let reconciled = Reconciled {
        complete: done.is_ok(),
        runs: found,
        claim_boundary: ClaimBoundary::default(),
    };
    show(reconciled, Document::Reconcile, session.screen)?;
    done?;
    Ok(exit)
}

async fn result_of(
    reader: &Reader,
    run: RunId,
    settlement: Settlement,
) -> Result<RunResult, StoreError> {
    let again_at = |watch: Option<Watch>| watch.map(|watch| watch.look_again_at.into());
    Ok(match settlement {
        Settlement::Committed(assessment) => RunResult::decided(RunFate::Decided, &assessment),
        Settlement::Deferred(assessment, watch)
            if assessment.decision.reason != ReasonCode::AlreadyTerminal =>
        {
            RunResult {
                look_again_at: again_at(watch),
                ..RunResult::decided(RunFate::Deferred, &assessment)
            }
        }
        Settlement::Deferred(..) => {
            let record = reader.load_verdict(&Workspaces::All, run).await?;
            RunResult::closed(run, record.as_ref().map(Verdict::from).as_ref())
        }
        Settlement::Observed(assessment) => RunResult::decided(RunFate::Observed, &assessment),
        Settlement::Refused { watch, error } => {
            RunResult::refused(run, again_at(watch), Some(error))
        }
        Settlement::Suspended { until, .. } => RunResult {
            look_again_at: until.map(Moment),
            ..RunResult::undecided(run, RunFate::Suspended)
        },
        Settlement::Paused => RunResult::undecided(run, RunFate::Paused),
        Settlement::Locked => RunResult::undecided(run, RunFate::Locked),
        Settlement::Absent => RunResult::undecided(run, RunFate::Absent),
    })
}

#[cfg(test)]
mod tests {
    use reconciler_jobs::restore_execute::review::Standing;

    use super::*;

    fn verdict(outcome: &str, standing: Standing) -> Verdict {
        Verdict {
            decision_id: "id".to_owned(),
            outcome: outcome.to_owned(),
            reason_code: ReasonCode::ProofComplete.code().to_owned(),
            missing: Some(Vec::new()),
            ruleset: "restore.execute/2".to_owned(),
            facts_digest: "digest".to_owned(),
            digest_matches: Some(standing != Standing::FactsAltered),
            standing,
            worker: "worker".to_owned(),
            decided_at: jiff::Timestamp::UNIX_EPOCH.into(),
            revision: None,
        }
    }

    #[test]
    fn only_an_intact_verdict_of_ours_counts() {
        let cases = [
            (
                Some(verdict("succeeded", Standing::Stands)),
                RunFate::DecidedBefore,
                Exit::Done,
            ),
            (
                Some(verdict("failed", Standing::Stands)),
                RunFate::DecidedBefore,
                Exit::BelowSucceeded,
            ),
            (
                Some(verdict("succeeded", Standing::FactsAltered)),
                RunFate::LedgerAltered,
                Exit::Undecided,
            ),
            (
                Some(verdict("succeeded", Standing::Contradicted)),
                RunFate::LedgerAltered,
                Exit::Undecided,
            ),
            (
                Some(verdict("Succeeded", Standing::OtherRules)),
                RunFate::LedgerAltered,
                Exit::Undecided,
            ),
            (None, RunFate::ClosedElsewhere, Exit::Undecided),
        ];
        for (verdict, state, exit) in cases {
            let result = RunResult::closed(RunId(1), verdict.as_ref());
            assert_eq!(
                (result.state, Exit::from(&result)),
                (state, exit),
                "{verdict:?}"
            );
            assert_eq!(
                result.in_words().contains("succeeded"),
                exit == Exit::Done,
                "{result:?}"
            );
        }
    }
}
