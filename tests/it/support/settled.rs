//! What becomes of runs that a test settles, and what a verdict wrote.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use reconciler_jobs::ids::RunId;
use reconciler_jobs::restore_execute::Policy;
use reconciler_jobs::restore_execute::record::{Attribution, Source};
use reconciler_jobs::sweep::admission::Admission;
use reconciler_jobs::sweep::{Schedule, Watch};
use restore_reconciler::internals::storage::{
    Assessment, ClaimedJob, Observations, Settled, Settlement, Settling, Store, StoreError,
};
use restore_reconciler::internals::sweep::{Pass, Scope, sweep};
use tracing::Span;

use super::store::{Columns, Fixture};

/// The settings that tests settle with, unless they are about settings.
pub(crate) fn settling() -> Settling {
    Settling {
        policy: Policy::default(),
        schedule: Schedule::default(),
        batch_runs_max: 500,
        retries_max: 5,
        attempts_max: 5,
        due_only: false,
        admission: Admission::default(),
        observations: Observations::default(),
        by: Attribution {
            worker: "worker-of-a-test".to_owned(),
            source: Source::Sweep,
        },
        action: None,
    }
}

/// Settles runs and returns what became of each; fails the test on an error.
pub(crate) async fn settle(
    store: &Store,
    runs: &[i64],
    with: &Settling,
) -> BTreeMap<i64, Settlement> {
    let mut settled = Vec::new();
    let result = store.settle(&run_ids(runs), with, &mut settled).await;
    result.expect("runs can be settled");
    by_run(settled)
}

/// What became of each run.
pub(crate) fn by_run(settled: Vec<Settled>) -> BTreeMap<i64, Settlement> {
    let count = settled.len();
    let results = settled.into_iter();
    let by_run: BTreeMap<_, _> = results.map(|it| (it.run.0, it.result)).collect();
    assert_eq!(by_run.len(), count, "one answer per run");
    by_run
}

/// One pass over all that is due in a scope.
pub(crate) async fn pass(store: &Store, scope: Scope, with: &Settling) -> Result<Pass, StoreError> {
    sweep(store, scope, with, |_| ControlFlow::Continue(())).await
}

/// The same, with the runs of each page.
pub(crate) async fn pages(store: &Store, scope: Scope, with: &Settling) -> (Pass, Vec<Vec<i64>>) {
    let mut pages = Vec::new();
    let pass = sweep(store, scope, with, |settled| {
        pages.push(settled.iter().map(|settled| settled.run.0).collect());
        ControlFlow::Continue(())
    });
    (pass.await.expect("a pass"), pages)
}

/// A job that asks for a run, in the hands of a worker.
pub(crate) fn claimed(id: String, run: i64, worker: &str) -> ClaimedJob {
    ClaimedJob {
        id,
        worker: worker.to_owned(),
        run: RunId(run),
        asked_at: None,
        trace: None,
        span: Span::none(),
    }
}

pub(crate) fn run_ids(runs: &[i64]) -> Vec<RunId> {
    runs.iter().copied().map(RunId).collect()
}

impl Fixture {
    /// Settles runs once.
    pub(crate) async fn settle(&self, runs: &[i64]) -> BTreeMap<i64, Settlement> {
        settle(&self.store, runs, &settling()).await
    }

    /// Settles one run once.
    pub(crate) async fn settle_one(&self, run: i64) -> Settlement {
        let result = self.settle(&[run]).await.remove(&run);
        result.expect("an answer for the run")
    }

    /// Settles a run that must be deferred, and checks that no platform row changed.
    pub(crate) async fn deferral(&self, run: i64) -> Assessment {
        let before = self.platform().await;
        let result = self.settle_one(run).await;
        let Settlement::Deferred(assessment, _) = result else {
            panic!("run {run}: {result:?}");
        };
        assert_eq!(before, self.platform().await, "a deferral writes nothing");
        *assessment
    }

    /// Settles runs, each of which must be deferred for this reason, as [`Self::deferral`] does.
    pub(crate) async fn assert_deferred(&self, runs: impl IntoIterator<Item = i64>, why: &str) {
        for run in runs {
            assert_eq!(reason(&self.deferral(run).await), why, "run {run}");
        }
    }

    /// Settles runs, each of which must get a verdict for this reason, as [`Self::verdict`] does.
    pub(crate) async fn assert_judged(&self, runs: impl IntoIterator<Item = i64>, why: &str) {
        for run in runs {
            assert_eq!(self.verdict(run).await.reason(), why, "run {run}");
        }
    }

    /// Settles a run that must get a verdict, settles it again, checks that the second pass changed
    /// nothing, and returns every row that the first one wrote.
    pub(crate) async fn verdict(&self, run: i64) -> Written {
        let result = self.settle_one(run).await;
        let Settlement::Committed(assessment) = result else {
            panic!("run {run}: {result:?}");
        };
        let before = self.fingerprint().await;
        let again = self.settle_one(run).await;
        assert!(
            matches!(&again, Settlement::Deferred(closed, None)
                if reason(closed) == "run.already_terminal"),
            "{again:?}"
        );
        let after = self.fingerprint().await;
        assert_eq!(before, after, "a second pass writes nothing");
        let audit = format!(
            "SELECT * FROM audit_logs WHERE resource_type = 'operation_run' AND resource_id = '{run}'"
        );
        let ledger = format!("SELECT * FROM reconciler.verdicts WHERE operation_run_id = {run}");
        Written {
            assessment: *assessment,
            run: self.run(run).await,
            audit: self.row(&audit).await,
            ledger: self.row(&ledger).await,
        }
    }

    /// Settles runs at once, each of which must get a verdict for its reason.
    pub(crate) async fn assert_verdicts(&self, expected: &[(i64, &str)]) {
        let runs: Vec<i64> = expected.iter().map(|(run, _)| *run).collect();
        let results = self.settle(&runs).await;
        for (run, reason) in expected {
            assert_eq!(self::reason(committed(&results[run])), *reason, "run {run}");
        }
    }

    /// Checks that every verdict has exactly one closed run, one ledger entry and one audit entry.
    pub(crate) async fn assert_one_of_each(&self, verdicts: i64) {
        for query in [
            "SELECT count(*) FROM reconciler.ledger",
            "SELECT count(DISTINCT operation_run_id) FROM reconciler.ledger",
            "SELECT count(*) FROM audit_logs WHERE action = 'operation_run.reconciled'",
            "SELECT count(DISTINCT resource_id) FROM audit_logs WHERE action = 'operation_run.reconciled'",
            "SELECT count(*) FROM operation_runs AS run
             JOIN reconciler.ledger AS entry ON entry.operation_run_id = run.id
             WHERE run.status = 'completed' AND run.outcome = entry.outcome",
        ] {
            assert_eq!(self.count(query).await, verdicts, "{query}");
        }
    }
}

/// What a verdict wrote.
#[derive(Debug)]
pub(crate) struct Written {
    pub(crate) assessment: Assessment,
    pub(crate) run: Columns,
    pub(crate) audit: Columns,
    pub(crate) ledger: Columns,
}

impl Written {
    pub(crate) fn reason(&self) -> &'static str {
        reason(&self.assessment)
    }
}

/// Why a run is judged, or not, as it is.
pub(crate) fn reason(assessment: &Assessment) -> &'static str {
    assessment.decision.reason.code()
}

/// What was found about a run that must have a verdict now.
#[track_caller]
pub(crate) fn committed(result: &Settlement) -> &Assessment {
    let Settlement::Committed(assessment) = result else {
        panic!("{result:?}");
    };
    assessment
}

/// What was found about a run that must be watched now.
#[track_caller]
pub(crate) fn deferred(result: &Settlement) -> (&Assessment, Watch) {
    let Settlement::Deferred(assessment, Some(watch)) = result else {
        panic!("{result:?}");
    };
    (assessment, *watch)
}

/// What was found about a run that has a verdict now, or is watched.
#[track_caller]
pub(crate) fn assessed(result: &Settlement) -> &Assessment {
    match result {
        Settlement::Committed(assessment) | Settlement::Deferred(assessment, Some(_)) => assessment,
        _ => panic!("{result:?}"),
    }
}

/// Whether a run that the database refuses is watched now, and what the database said.
#[track_caller]
pub(crate) fn refused(result: &Settlement) -> (Option<Watch>, &str) {
    let Settlement::Refused { watch, error } = result else {
        panic!("{result:?}");
    };
    (*watch, error)
}
