//! Whose turn it is in a pass: workspaces give one run each, round after round, until all are through.
//!
//! So a workspace that has a hundred thousand runs due does not keep one waiting that has three. Ids are
//! read ahead, many at a time, because a read costs a look at every due run of the workspaces asked for,
//! whatever it returns.
//!
//! **Invariants:** a run is met once at most, because ids only go up within a workspace; a pass ends,
//! because no id above the one that was the highest when it began is met.

use std::collections::{HashMap, VecDeque};

use crate::ids::{RunId, WorkspaceId};

/// How many ids are read at once, and so held in memory. What lies ahead may be stale by the time it is
/// its turn, which costs a look in vain.
pub const READ_AHEAD_RUNS: u32 = 10_000;

/// A workspace with runs that were due when the pass began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DueWorkspace {
    /// The workspace.
    pub workspace: WorkspaceId,
    /// How many runs.
    pub runs: u64,
    /// The highest id among them.
    pub last: RunId,
}

/// Where to read on in a workspace: ids above `after`, up to `last`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The workspace.
    pub workspace: WorkspaceId,
    /// Only runs with a higher id.
    pub after: RunId,
    /// No run with a higher id.
    pub last: RunId,
}

/// What is to be read: the lowest `each` ids of each span.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// One per workspace.
    pub spans: Vec<Span>,
    /// How many runs of each, at most.
    pub each: u32,
}

/// The workspaces that still have something to give, in the order of their turns.
#[derive(Debug, Clone)]
pub struct Turns {
    waiting: VecDeque<Turn>,
    read_ahead: u32,
}

#[derive(Debug, Clone)]
struct Turn {
    rest: Span,
    /// Ids that were read.
    ahead: VecDeque<RunId>,
    /// Whether there may be more than those.
    is_open: bool,
}

impl Turns {
    /// In the order given, reading at most `read_ahead` ids at once, and at least one.
    #[must_use]
    pub fn new(due: &[DueWorkspace], read_ahead: u32) -> Self {
        let waiting = due.iter().map(|due| Turn {
            rest: Span {
                workspace: due.workspace,
                after: RunId(i64::MIN),
                last: due.last,
            },
            ahead: VecDeque::new(),
            is_open: true,
        });
        Self {
            waiting: waiting.collect(),
            read_ahead: read_ahead.max(1),
        }
    }

    /// Whether every workspace is through.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Fills `page` up to `page_max` runs. Ends before that where ids have to be read first, and where
    /// all workspaces are through.
    pub fn fill(&mut self, page: &mut Vec<RunId>, page_max: usize) {
        while page.len() < page_max {
            let Some(turn) = self.waiting.front_mut() else {
                return;
            };
            let Some(run) = turn.ahead.pop_front() else {
                // Nothing was read of it yet, and nobody may overtake it.
                return;
            };
            page.push(run);
            self.waiting.rotate_left(1);
            self.waiting.pop_back_if(|turn| turn.is_through());
        }
    }

    /// What has to be read before [`Self::fill`] goes on; nothing where it can.
    #[must_use]
    pub fn reading(&self) -> Option<Reading> {
        let is_dry = |turn: &&Turn| turn.ahead.is_empty();
        self.waiting.front().filter(is_dry)?;
        let spans_max = usize::try_from(self.read_ahead).unwrap_or(usize::MAX);
        let dry = self.waiting.iter().filter(is_dry);
        let spans: Vec<Span> = dry.take(spans_max).map(|turn| turn.rest).collect();
        let count = u32::try_from(spans.len()).unwrap_or(u32::MAX).max(1);
        Some(Reading {
            spans,
            each: (self.read_ahead / count).max(1),
        })
    }

    /// Takes up what `reading` came to: of each workspace, runs in ascending order. One that gave less
    /// than it was asked for has no more.
    pub fn add(&mut self, reading: &Reading, runs: impl IntoIterator<Item = (WorkspaceId, RunId)>) {
        let mut found: HashMap<WorkspaceId, VecDeque<RunId>> = reading
            .spans
            .iter()
            .map(|span| (span.workspace, VecDeque::new()))
            .collect();
        for (workspace, run) in runs {
            if let Some(found) = found.get_mut(&workspace) {
                found.push_back(run);
            }
        }
        for turn in &mut self.waiting {
            if let Some(found) = found.remove(&turn.rest.workspace) {
                turn.take_up(found, reading.each);
            }
        }
        self.waiting.retain(|turn| !turn.is_through());
    }
}

impl Turn {
    fn take_up(&mut self, runs: VecDeque<RunId>, asked: u32) {
        if let Some(highest) = runs.back() {
            self.rest.after = *highest;
        }
        let gave_all = runs.len() < usize::try_from(asked).unwrap_or(usize::MAX);
        self.is_open = !gave_all && self.rest.after < self.rest.last;
        self.ahead = runs;
    }

    fn is_through(&self) -> bool {
        !self.is_open && self.ahead.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::prelude::*;

    use super::*;

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
}
