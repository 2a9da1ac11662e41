//! Pages of runs: what filters leave, and that nothing is lost between two pages.

use reconciler_jobs::ids::{EnvironmentId, RunId, WorkspaceId};
use reconciler_jobs::reading::result_state::ResultState;
use reconciler_jobs::restore_execute::ReasonCode;
use reconciler_jobs::restore_execute::facts::RunOutcome;
use restore_reconciler::internals::storage::reader::{
    JUDGED_MAX, LOOKED_AT_MAX, RunFilter, Workspaces,
};

use super::{all, filter, ids, only, page, reader};
use crate::support::case::{CREATED, Case, FOREIGN, HOME, NEIGHBOUR};
use crate::support::store::{Fixture, moved, on_both, with};

on_both!(
    each_filter_leaves_out_the_others,
    pages_hold_each_run_once_while_others_come_and_close,
    a_page_looks_at_so_many_runs_and_no_more,
);

/// Runs 1 to 9 of all kinds; the first three were looked at.
async fn plant_all_kinds(on: &Fixture) {
    on.plant([
        Case::proven(1),
        Case::failed(2),
        Case::in_progress(3),
        moved(Case::proven(4), NEIGHBOUR),
        with(Case::proven(5), |late| {
            late.run.created_at = Some("2025-03-02T10:00:00Z".to_owned());
        }),
        with(Case::proven(6), |it| it.run.managed_environment_id = None),
        with(Case::proven(7), |it| {
            it.run.r#type = "policy.sync".to_owned();
        }),
        with(Case::proven(8), |closed| {
            closed.run.status = "completed".to_owned();
            closed.run.outcome = "blocked".to_owned();
        }),
        moved(Case::proven(9), FOREIGN),
    ])
    .await;
    on.settle(&[1, 2, 3]).await;
}

/// What is wanted, and which of the runs that leaves.
fn filters() -> Vec<(RunFilter, &'static [i64])> {
    let outcome = |outcome| filter(|it| it.outcome = Some(outcome));
    let reason = |reason| filter(|it| it.reason = Some(reason));
    let state = |state, with_evidence| {
        filter(|it| {
            it.state = Some(state);
            // Whoever may not see evidence asks for what he reads.
            it.with_evidence = with_evidence;
        })
    };
    let workspace = |id| filter(|it| it.workspace = Some(WorkspaceId(id)));
    let environment = |id| filter(|it| it.environment = Some(EnvironmentId(id)));
    let undecided = filter(|it| it.undecided = true);
    let created = |from: Option<&str>, before: Option<&str>| {
        filter(|it| {
            it.created_from = from.map(|moment| moment.parse().expect("a moment"));
            it.created_before = before.map(|moment| moment.parse().expect("a moment"));
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
        (state(ResultState::CompletedWithEvidence, true), &[1]),
        (state(ResultState::CompletedWithEvidence, false), &[]),
        (state(ResultState::CompletedProofIncomplete, false), &[1]),
        (state(ResultState::Failed, true), &[2]),
        (state(ResultState::InProgress, true), &[9, 5, 4, 3]),
        (state(ResultState::BlockedOrCancelled, true), &[8]),
        (state(ResultState::NotExecuted, true), &[]),
    ]
}

async fn each_filter_leaves_out_the_others(on: Fixture) {
    plant_all_kinds(&on).await;
    let reader = reader(&on).await;
    for (filter, expected) in filters() {
        for limit in [1, 2, 100] {
            let found = all(&reader, &Workspaces::All, &filter, limit).await;
            assert_eq!(found, expected, "{filter:?} by {limit}");
            let upwards = RunFilter {
                upwards: true,
                ..filter.clone()
            };
            let found = all(&reader, &Workspaces::All, &upwards, limit).await;
            assert!(
                found.iter().eq(expected.iter().rev()),
                "{upwards:?} by {limit}: {found:?}"
            );
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
    let in_progress = filter(|it| it.state = Some(ResultState::InProgress));
    let undecided = filter(|it| it.undecided = true);
    for filter in [RunFilter::default(), in_progress, undecided] {
        let is_any = filter == RunFilter::default();
        let mut below = None;
        let mut found = Vec::new();
        let mut next = on.count("SELECT max(id) FROM operation_runs").await + 1;
        loop {
            let page = page(&reader, &only(HOME.0), &filter, below, 7).await;
            found.extend(ids(&page));
            below = page.below;
            // What was on a page is closed behind it, and something new begins.
            if is_any {
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
        let closed = on.numbers(closed).await;
        let expected = old.iter().rev().copied();
        let expected = expected.filter(|run| is_any || !closed.contains(run));
        assert_eq!(ours, expected.collect::<Vec<_>>());
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
    let failed = filter(|it| it.outcome = Some(RunOutcome::Failed));
    let state = filter(|it| it.state = Some(ResultState::Failed));
    for of in [Workspaces::All, only(HOME.0)] {
        let first = page(&reader, &of, &failed, None, 10).await;
        assert_eq!((ids(&first), first.below), (vec![], Some(RunId(11))));
        let second = page(&reader, &of, &failed, first.below, 10).await;
        assert_eq!((ids(&second), second.below), (vec![5], None));
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
