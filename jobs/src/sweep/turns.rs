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
