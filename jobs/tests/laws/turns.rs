//! Workspaces take turns: every run that is due comes once, and no workspace waits for another.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use reconciler_jobs::ids::{RunId, WorkspaceId};
use reconciler_jobs::sweep::turns::{DueWorkspace, READ_AHEAD_RUNS, Reading, Span, Turns};

/// What is due, by workspace.
type Due = BTreeMap<i64, BTreeSet<i64>>;

fn workspaces(due: &Due) -> Vec<DueWorkspace> {
    due.iter()
        .map(|(workspace, runs)| DueWorkspace {
            workspace: WorkspaceId(*workspace),
            runs: runs.len() as u64,
            last: RunId(*runs.last().unwrap()),
        })
        .collect()
}

/// Reads spans of the runs that are due, in the order in which the store reads.
fn read(due: &Due, reading: &Reading) -> Vec<(WorkspaceId, RunId)> {
    let of = |span: &Span| {
        let runs = &due[&span.workspace.0];
        let (after, last) = (span.after.0, span.last.0);
        let above = runs
            .iter()
            .filter(move |run| **run > after && **run <= last);
        let workspace = span.workspace;
        above
            .take(reading.each as usize)
            .map(move |run| (workspace, RunId(*run)))
    };
    reading.spans.iter().flat_map(of).collect()
}

/// The pages of a pass. `between` changes what is due after each of them.
fn pages(
    due: &mut Due,
    page_max: usize,
    read_ahead: u32,
    mut between: impl FnMut(&mut Due),
) -> Vec<Vec<i64>> {
    let mut turns = Turns::new(&workspaces(due), read_ahead);
    let mut pages = Vec::new();
    while !turns.is_over() {
        let mut page = Vec::new();
        turns.fill(&mut page, page_max);
        while let Some(reading) = turns.reading().filter(|_| page.len() < page_max) {
            let room = read_ahead as usize;
            assert!(reading.spans.len() * reading.each as usize <= room.max(1));
            turns.add(&reading, read(due, &reading));
            turns.fill(&mut page, page_max);
        }
        assert!(
            page.len() == page_max || turns.is_over(),
            "a page is full, or the last"
        );
        pages.push(page.into_iter().map(|run| run.0).collect());
        between(due);
    }
    pages
}

/// Workspaces with as many runs as `sizes` says; a run's id tells its workspace.
fn crowd(sizes: &[i64]) -> Due {
    let run = |workspace: i64, number: i64| workspace * 100_000 + number;
    (1..)
        .zip(sizes)
        .map(|(workspace, size)| (workspace, (0..*size).map(|it| run(workspace, it)).collect()))
        .collect()
}

#[test]
fn who_has_little_to_give_is_through_before_who_has_much() {
    let mut due = crowd(&[5, 1, 2]);
    let pages = pages(&mut due, 3, 100, |_| {});
    assert_eq!(
        pages,
        [
            vec![100_000, 200_000, 300_000],
            vec![100_001, 300_001, 100_002],
            vec![100_003, 100_004],
        ]
    );
}

#[test]
fn more_workspaces_than_a_page_has_room_for_take_turns() {
    let mut due = crowd(&[2, 2, 2, 2, 2]);
    let firsts: Vec<i64> = pages(&mut due, 2, 3, |_| {})
        .into_iter()
        .flatten()
        .map(|run| run / 100_000)
        .collect();
    assert_eq!(firsts, [1, 2, 3, 4, 5, 1, 2, 3, 4, 5]);
}

#[test]
fn a_pass_ends_although_new_runs_keep_coming() {
    let mut due = crowd(&[4, 1]);
    let mut next = 100_004;
    let pages = pages(&mut due, 1, 2, |due| {
        due.get_mut(&1).unwrap().insert(next);
        next += 1;
    });
    assert_eq!(pages.len(), 5);
}

#[test]
fn runs_that_somebody_else_settled_meanwhile_are_no_obstacle() {
    let mut due = crowd(&[4, 4]);
    let pages = pages(&mut due, 2, 2, |due| {
        due.get_mut(&2).unwrap().clear();
    });
    let met: Vec<i64> = pages.into_iter().flatten().collect();
    assert_eq!(met, [100_000, 200_000, 100_001, 100_002, 100_003]);
}

#[test]
fn no_workspace_means_no_page() {
    let mut turns = Turns::new(&[], READ_AHEAD_RUNS);
    assert!(turns.is_over() && turns.reading().is_none());
    let mut page = Vec::new();
    turns.fill(&mut page, 500);
    assert!(page.is_empty());
}

proptest! {
    /// The two laws of turns.
    #[test]
    fn each_run_is_met_once_and_no_workspace_gets_ahead(
        sizes in prop::collection::vec(1_i64..=40, 1..=12),
        page_max in 1_usize..=15,
        read_ahead in 1_u32..=60,
    ) {
        let mut due = crowd(&sizes);
        let pages = pages(&mut due, page_max, read_ahead, |_| {});
        let met: Vec<i64> = pages.iter().flatten().copied().collect();
        let distinct: BTreeSet<i64> = met.iter().copied().collect();
        prop_assert_eq!(distinct.len(), met.len());
        let all: BTreeSet<i64> = due.values().flatten().copied().collect();
        prop_assert_eq!(distinct, all);

        let mut given = vec![0_i64; sizes.len()];
        for run in met {
            given[usize::try_from(run / 100_000).unwrap() - 1] += 1;
            let unfinished = given.iter().zip(&sizes).filter(|(given, size)| given < size);
            let (low, high) = unfinished
                .fold((i64::MAX, i64::MIN), |(low, high), (given, _)| (low.min(*given), high.max(*given)));
            prop_assert!(high <= low.saturating_add(1), "{given:?} of {sizes:?}");
        }
    }
}
