//! Pages of runs: what filters leave, and that nothing is lost between two pages.

use std::collections::BTreeSet;

use reconciler_jobs::ids::{EnvironmentId, RunId, WorkspaceId};
use reconciler_jobs::reading::result_state::ResultState;
use reconciler_jobs::restore_execute::ReasonCode;
use reconciler_jobs::restore_execute::facts::RunOutcome;
use restore_reconciler::internals::storage::reader::{
    JUDGED_MAX, LOOKED_AT_MAX, RunFilter, Workspaces,
};

use super::{all, ids, moved, only, page, reader};
use crate::support::case::{CREATED, Case, FOREIGN, HOME, NEIGHBOUR};
use crate::support::store::{Fixture, on_both};

on_both!(
    each_filter_leaves_out_the_others,
    pages_hold_each_run_once_while_others_come_and_close,
    a_page_looks_at_so_many_runs_and_no_more,
);

/// Runs 1 to 9 of all kinds; the first three were looked at.
async fn plant_all_kinds(on: &Fixture) {
    let mut late = Case::proven(5);
    late.run.created_at = Some("2025-03-02T10:00:00Z".to_owned());
    let mut housekeeping = Case::proven(6);
    housekeeping.run.managed_environment_id = None;
    let mut other_type = Case::proven(7);
    other_type.run.r#type = "policy.sync".to_owned();
    let mut closed = Case::proven(8);
    closed.run.status = "completed".to_owned();
    closed.run.outcome = "blocked".to_owned();
    let (first, second, third) = (Case::proven(1), Case::failed(2), Case::in_progress(3));
    on.plant([first, second, third, late, housekeeping, other_type, closed])
        .await;
    let neighbour = moved(Case::proven(4), NEIGHBOUR);
    on.plant([neighbour, moved(Case::proven(9), FOREIGN)]).await;
    on.settle(&[1, 2, 3]).await;
}

/// What is wanted, and which of the runs that leaves.
fn filters() -> Vec<(RunFilter, &'static [i64])> {
    let with = |change: &dyn Fn(&mut RunFilter)| {
        let mut filter = RunFilter::default();
        change(&mut filter);
        filter
    };
    let outcome = |outcome| with(&|filter| filter.outcome = Some(outcome));
    let reason = |reason| with(&|filter| filter.reason = Some(reason));
    let state = |state| {
        with(&|filter| {
            filter.state = Some(state);
            filter.with_evidence = true;
        })
    };
    let workspace = |id| with(&|filter| filter.workspace = Some(WorkspaceId(id)));
    let environment = |id| with(&|filter| filter.environment = Some(EnvironmentId(id)));
    let undecided = with(&|filter| filter.undecided = true);
    let created = |from: Option<&str>, before: Option<&str>| {
        with(&|filter| {
            filter.created_from = from.map(|moment| moment.parse().expect("a moment"));
            filter.created_before = before.map(|moment| moment.parse().expect("a moment"));
        })
    };
    let noon = Some("2025-03-01T12:00:00Z");
    vec![
        (RunFilter::default(), &[9, 8, 6, 5, 4, 3, 2, 1]),
        (workspace(HOME.0), &[8, 6, 5, 4, 3, 2, 1]),
        (environment(NEIGHBOUR.1), &[4]),
        (
            RunFilter {
                workspace: Some(WorkspaceId(FOREIGN.0)),
                ..environment(NEIGHBOUR.1)
            },
            &[],
        ),
        (outcome(RunOutcome::Succeeded), &[1]),
        (outcome(RunOutcome::Failed), &[2]),
        (outcome(RunOutcome::Blocked), &[8]),
        (outcome(RunOutcome::Pending), &[9, 6, 5, 4, 3]),
        (outcome(RunOutcome::Unknown), &[]),
        (reason(ReasonCode::ProofComplete), &[1]),
        (reason(ReasonCode::InProgress), &[3]),
        (undecided.clone(), &[9, 6, 5, 4, 3]),
        (
            RunFilter {
                environment: Some(EnvironmentId(HOME.1)),
                reason: Some(ReasonCode::InProgress),
                ..undecided
            },
            &[3],
        ),
        (created(noon, None), &[5]),
        (created(None, noon), &[9, 8, 6, 4, 3, 2, 1]),
        (created(Some(CREATED), noon), &[9, 8, 6, 4, 3, 2, 1]),
        (created(None, Some(CREATED)), &[]),
        (state(ResultState::CompletedWithEvidence), &[1]),
        // Whoever may not see evidence asks for what he reads.
        (
            RunFilter {
                with_evidence: false,
                ..state(ResultState::CompletedWithEvidence)
            },
            &[],
        ),
        (
            RunFilter {
                with_evidence: false,
                ..state(ResultState::CompletedProofIncomplete)
            },
            &[1],
        ),
        (state(ResultState::Failed), &[2]),
        (state(ResultState::InProgress), &[9, 5, 4, 3]),
        (state(ResultState::BlockedOrCancelled), &[8]),
        (state(ResultState::NotExecuted), &[]),
    ]
}

async fn each_filter_leaves_out_the_others(on: Fixture) {
    plant_all_kinds(&on).await;
    let reader = reader(&on).await;
    for (filter, expected) in filters() {
        for limit in [1, 2, 100] {
            let found = all(&reader, &Workspaces::All, &filter, limit).await;
            assert_eq!(found, expected, "{filter:?} by {limit}");
        }
        let own: Vec<i64> = expected.iter().copied().filter(|run| *run != 9).collect();
        let found = all(&reader, &only(HOME.0), &filter, 3).await;
        assert_eq!(found, own, "{filter:?}");
    }
}

async fn pages_hold_each_run_once_while_others_come_and_close(on: Fixture) {
    let old: Vec<i64> = (1..=60).collect();
    on.plant(old.iter().map(|run| Case::proven(*run))).await;
    let reader = reader(&on).await;
    for (undecided, state) in [
        (false, None),
        (false, Some(ResultState::InProgress)),
        (true, None),
    ] {
        let filter = RunFilter {
            undecided,
            state,
            ..RunFilter::default()
        };
        let mut below = None;
        let mut found = Vec::new();
        let mut next = on.count("SELECT max(id) FROM operation_runs").await + 1;
        loop {
            let page = page(&reader, &only(HOME.0), &filter, below, 7).await;
            found.extend(ids(&page));
            below = page.below;
            // What was on a page is closed behind it, and something new begins.
            if !undecided && state.is_none() {
                on.settle(&ids(&page)[..1]).await;
            }
            on.plant([Case::proven(next)]).await;
            next += 1;
            if below.is_none() {
                break;
            }
        }
        let ours: Vec<i64> = found.iter().copied().filter(|run| *run <= 60).collect();
        let closed = "SELECT id FROM operation_runs WHERE status = 'completed' AND id <= 60";
        let closed: BTreeSet<i64> = on
            .rows(closed)
            .await
            .iter()
            .map(|row| {
                row["id"]
                    .as_deref()
                    .expect("an id")
                    .parse()
                    .expect("a number")
            })
            .collect();
        let expected: Vec<i64> = old
            .iter()
            .rev()
            .copied()
            .filter(|run| (!undecided && state.is_none()) || !closed.contains(run))
            .collect();
        assert_eq!(ours, expected);
    }
}

async fn a_page_looks_at_so_many_runs_and_no_more(on: Fixture) {
    let number = LOOKED_AT_MAX + 10;
    on.execute(&format!(
        "INSERT INTO operation_runs (
             id, workspace_id, managed_environment_id, initiator_name, type, status, outcome, run_identity_hash
         )
         WITH RECURSIVE number (id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM number WHERE id < {number})
         SELECT id, {}, {}, '', 'restore.execute', 'completed', CASE WHEN id = 5 THEN 'failed' ELSE 'succeeded' END, ''
         FROM number",
        HOME.0, HOME.1
    ))
    .await;
    let reader = reader(&on).await;
    for of in [Workspaces::All, only(HOME.0)] {
        let failed = RunFilter {
            outcome: Some(RunOutcome::Failed),
            ..RunFilter::default()
        };
        let first = page(&reader, &of, &failed, None, 10).await;
        assert_eq!((ids(&first), first.below), (vec![], Some(RunId(11))));
        let second = page(&reader, &of, &failed, first.below, 10).await;
        assert_eq!((ids(&second), second.below), (vec![5], None));
        let state = RunFilter {
            state: Some(ResultState::Failed),
            ..RunFilter::default()
        };
        let first = page(&reader, &of, &state, None, 10).await;
        let last = RunId(i64::from(number - JUDGED_MAX + 1));
        assert_eq!((ids(&first), first.below), (vec![], Some(last)));
        let most = page(&reader, &of, &RunFilter::default(), None, u32::MAX).await;
        assert_eq!(most.rows.len(), JUDGED_MAX as usize);
        assert_eq!(most.below, Some(last));
        let smallest = page(&reader, &of, &RunFilter::default(), Some(RunId(3)), 0).await;
        assert_eq!((ids(&smallest), smallest.below), (vec![2], Some(RunId(2))));
    }
}
