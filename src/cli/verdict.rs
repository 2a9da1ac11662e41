//! What is said of a run that is closed: what the ledger holds, and nothing more.

use reconciler_jobs::ids::RunId;
use reconciler_jobs::restore_execute::{Outcome, ReasonCode};

use super::output::{Reason, RunResult, State, Verdict, Word};
use crate::storage::{Store, StoreError};

/// The verdict on record, if we reached one.
pub(super) async fn on_record(
    store: &dyn Store,
    run: RunId,
) -> Result<Option<Verdict>, StoreError> {
    let record = store.load_verdict(run).await?;
    Ok(record.as_ref().map(Verdict::from))
}

/// A closed run. Its own outcome column is not asked: anybody can write that.
pub(super) fn closed(run: RunId, verdict: Option<&Verdict>) -> RunResult {
    let reason = verdict.and_then(|verdict| ReasonCode::parse(&verdict.reason_code));
    let outcome = verdict.and_then(|verdict| Outcome::parse(&verdict.outcome));
    let state = match verdict {
        None => State::ClosedElsewhere,
        Some(verdict) if verdict.standing.is_readable() && outcome.is_some() => {
            State::DecidedBefore
        }
        Some(_) => State::LedgerAltered,
    };
    let decision = outcome
        .filter(|_| state == State::DecidedBefore)
        .map(Word::from);
    RunResult {
        run: run.0,
        state,
        decision,
        reason: match state {
            State::ClosedElsewhere => Some(ReasonCode::AlreadyTerminal.into()),
            State::DecidedBefore => reason.map(Reason::from),
            _ => None,
        },
        rule: None,
        missing: verdict
            .filter(|_| state == State::DecidedBefore)
            .and_then(|verdict| verdict.missing.clone())
            .unwrap_or_default(),
        look_again_at: None,
        error: None,
    }
}

/// What became of a run, in the words of a table. Says who decided where it was not this command.
pub(super) fn in_words(result: &RunResult) -> String {
    let decision = result.decision.map_or("undecided", Word::name);
    match result.state {
        State::Decided | State::Decidable | State::Deferred => decision.to_owned(),
        State::DecidedBefore => format!("{decision} (on record)"),
        State::LedgerAltered => "closed; its ledger entry was altered".to_owned(),
        State::ClosedElsewhere => "closed elsewhere; not proven".to_owned(),
        State::Locked => "held by another writer".to_owned(),
        State::Suspended => "suspended after attempts that never ended".to_owned(),
        State::Refused => "refused by the database".to_owned(),
        State::Absent => "does not exist".to_owned(),
    }
}

/// What to do next.
pub(super) fn next_action(result: &RunResult) -> String {
    let advice = match result.state {
        State::LedgerAltered => {
            "What the ledger holds of this run contradicts itself; find out who changed the ledger."
        }
        State::Locked => "Reconcile the run again in a moment.",
        State::Suspended => {
            "Read `restore-reconciler queue show RUN`; a dead letter is tried again by `queue retry RUN`."
        }
        State::Absent => "Check the run's id.",
        _ => {
            return result
                .reason
                .as_ref()
                .map(|reason| reason.next_action.clone())
                .unwrap_or_default();
        }
    };
    advice.to_owned()
}

#[cfg(test)]
mod tests {
    use reconciler_jobs::restore_execute::review::Standing;

    use super::*;
    use crate::cli::exit::Exit;

    fn verdict(outcome: &str, standing: Standing) -> Verdict {
        Verdict {
            decision_id: "id".to_owned(),
            outcome: outcome.to_owned(),
            reason_code: ReasonCode::ProofComplete.code().to_owned(),
            missing: Some(Vec::new()),
            ruleset: "restore.execute/1".to_owned(),
            facts_digest: "digest".to_owned(),
            digest_matches: standing != Standing::FactsAltered,
            standing,
            worker: "worker".to_owned(),
            decided_at: "2026-01-01T00:00:00Z".to_owned(),
        }
    }

    #[test]
    fn only_an_intact_verdict_of_ours_counts() {
        let cases = [
            (
                Some(verdict("succeeded", Standing::Stands)),
                State::DecidedBefore,
                Exit::Done,
            ),
            (
                Some(verdict("failed", Standing::Stands)),
                State::DecidedBefore,
                Exit::BelowSucceeded,
            ),
            (
                Some(verdict("succeeded", Standing::FactsAltered)),
                State::LedgerAltered,
                Exit::Undecided,
            ),
            (
                Some(verdict("succeeded", Standing::Contradicted)),
                State::LedgerAltered,
                Exit::Undecided,
            ),
            (
                Some(verdict("Succeeded", Standing::OtherRules)),
                State::LedgerAltered,
                Exit::Undecided,
            ),
            (None, State::ClosedElsewhere, Exit::Undecided),
        ];
        for (verdict, state, exit) in cases {
            let result = closed(RunId(1), verdict.as_ref());
            assert_eq!((result.state, result.exit()), (state, exit), "{verdict:?}");
            assert_eq!(
                in_words(&result).contains("succeeded"),
                exit == Exit::Done,
                "{result:?}"
            );
        }
    }
}
