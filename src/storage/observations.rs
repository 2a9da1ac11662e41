//! What was said of runs that are only observed. They stay as they are and are found again by each sweep, so that without
//! this each would be counted for ever.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use reconciler_jobs::ids::RunId;
use reconciler_jobs::restore_execute::facts::RunFacts;
use reconciler_jobs::restore_execute::{Decision, ReasonCode};

use crate::metrics::WOULD_BE;
use crate::telemetry::names::{OUTCOME, REASON, RUN_ID, WORKSPACE_ID};

/// How many runs are remembered. With more of them all are forgotten, and counted once more.
const REMEMBERED_MAX: usize = 100_000;

/// What was said last of each run. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Observations(Arc<Mutex<HashMap<RunId, (&'static str, ReasonCode)>>>);

impl Observations {
    /// Says and counts what would become of a run, unless that is what was said of it last.
    pub fn note(&self, run: &RunFacts, decision: &Decision) {
        let (outcome, reason) = (decision.name(), decision.reason);
        if !self.is_news(run.id, (outcome, reason)) {
            return;
        }
        let (run, workspace, reason) = (run.id, run.workspace_id.0, reason.code());
        WOULD_BE.add([outcome, reason], 1);
        tracing::info!(
            {
                { RUN_ID } = run.0,
                { WORKSPACE_ID } = workspace,
                { OUTCOME } = outcome,
                { REASON } = reason,
            },
            "run {run} would be {outcome}: {reason}"
        );
    }

    fn is_news(&self, run: RunId, said: (&'static str, ReasonCode)) -> bool {
        let mut before = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if before.len() >= REMEMBERED_MAX && !before.contains_key(&run) {
            before.clear();
        }
        before.insert(run, said) != Some(said)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_again_is_no_news_and_what_is_remembered_is_bounded() {
        let observations = Observations::default();
        let say = |run, reason| observations.is_news(RunId(run), ("deferred", reason));
        let rows = [
            (1, ReasonCode::InProgress, true),
            (1, ReasonCode::InProgress, false),
            (2, ReasonCode::InProgress, true),
            (1, ReasonCode::Settling, true),
            (2, ReasonCode::InProgress, false),
        ];
        for (run, reason, expected) in rows {
            assert_eq!(say(run, reason), expected, "{run} {reason:?}");
        }
        let most = i64::try_from(REMEMBERED_MAX).unwrap();
        assert!((3..=most + 2).all(|run| say(run, ReasonCode::Settling)));
        assert!(say(2, ReasonCode::InProgress), "all are forgotten together");
        let remembered = observations.0.lock().unwrap().len();
        assert!(remembered <= REMEMBERED_MAX, "{remembered}");
    }
}
