//! One pass over all due runs: the guarantee behind every hint that was lost.

use std::ops::ControlFlow;

use jiff::Timestamp;
use reconciler_jobs::ids::{RunId, WorkspaceId};
use reconciler_jobs::sweep::shard::Shard;
use reconciler_jobs::sweep::turns::{READ_AHEAD_RUNS, Turns};

use crate::storage::{Settled, Settling, Store, StoreError, SweepStart, Tally};

/// What a pass covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Scope {
    /// Only this workspace.
    pub workspace: Option<WorkspaceId>,
    /// Only this part of the workspaces.
    pub shard: Shard,
    /// At most so many runs.
    pub limit: Option<u64>,
    /// The tick that asked for the pass; none where a person did.
    pub tick: Option<Timestamp>,
}

/// What a pass came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Pass {
    /// How many runs ended in which way.
    pub tally: Tally,
    /// Whether the pass came to the end of its scope, and was not told to stop before it.
    pub is_complete: bool,
}

/// Settles every due run within `scope`, page by page, the workspaces in turns, and tells `progress` what
/// each page came to, after it was committed. Stops after a page where `progress` says so.
///
/// A run that is due again at once, because somebody else holds it, is left to the next pass: each
/// run is looked at once, so a pass ends whatever the platform does meanwhile. The sweeps table says
/// which page is in hand, before it is settled, and keeps what the pass came to, also when it ends in
/// an error. A pass that finds nothing due leaves no trace.
pub async fn sweep(
    store: &dyn Store,
    scope: Scope,
    with: &Settling,
    mut progress: impl FnMut(&[Settled]) -> ControlFlow<()>,
) -> Result<Pass, StoreError> {
    let mut pages = DuePages::new(scope, with.batch_runs_max);
    let Some(first) = pages.next(store).await? else {
        return Ok(Pass {
            is_complete: true,
            ..Pass::default()
        });
    };
    let start = SweepStart {
        by: &with.by.worker,
        workspace: scope.workspace,
        tick: scope.tick,
        shard: scope.shard,
        in_hand: &first,
    };
    let sweep = store.open_sweep(&start).await?;
    let mut tally = Tally::default();
    let settled = settle_pages(store, sweep, first, &mut pages, with, |settled| {
        for run in settled {
            tally.add(&run.result);
        }
        progress(settled)
    })
    .await;
    let closed = store.close_sweep(sweep, &tally).await;
    settled.and(closed)?;
    Ok(Pass {
        tally,
        is_complete: pages.is_over(),
    })
}

async fn settle_pages(
    store: &dyn Store,
    sweep: i64,
    first: Vec<RunId>,
    pages: &mut DuePages,
    with: &Settling,
    mut progress: impl FnMut(&[Settled]) -> ControlFlow<()>,
) -> Result<(), StoreError> {
    let mut runs = first;
    loop {
        let mut settled = Vec::with_capacity(runs.len());
        let result = store.settle(&runs, with, &mut settled).await;
        let flow = progress(&settled);
        result?;
        if flow.is_break() {
            return Ok(());
        }
        let Some(next) = pages.next(store).await? else {
            return Ok(());
        };
        runs = next;
        store.note_page(sweep, &runs).await?;
    }
}

/// Walks through due runs, one workspace after the other and then all over again, so that a pass never
/// meets a run twice and no workspace waits for another's last run.
#[derive(Debug)]
pub struct DuePages {
    workspace: Option<WorkspaceId>,
    shard: Shard,
    /// Nothing until the first page is asked for.
    turns: Option<Turns>,
    left: u64,
    page_max: u32,
}

impl DuePages {
    /// From the beginning of `scope`, in pages of at most `page_max` runs.
    #[must_use]
    pub fn new(scope: Scope, page_max: u32) -> Self {
        Self {
            workspace: scope.workspace,
            shard: scope.shard,
            turns: None,
            left: scope.limit.unwrap_or(u64::MAX),
            page_max,
        }
    }

    /// Whether there is nothing left that was due when the first page was asked for.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.left == 0 || self.turns.as_ref().is_some_and(Turns::is_over)
    }

    /// The next page; nothing after the last one.
    pub async fn next(&mut self, store: &dyn Store) -> Result<Option<Vec<RunId>>, StoreError> {
        let page_max = u64::from(self.page_max).min(self.left);
        let page_max = usize::try_from(page_max).unwrap_or(usize::MAX);
        let turns = match &mut self.turns {
            Some(turns) => turns,
            none => {
                let due = store
                    .load_due_workspaces(self.workspace, self.shard)
                    .await?;
                none.insert(Turns::new(&due, READ_AHEAD_RUNS))
            }
        };
        let mut page = Vec::new();
        turns.fill(&mut page, page_max);
        while page.len() < page_max
            && let Some(reading) = turns.reading()
        {
            let runs = store.load_due(&reading).await?;
            turns.add(&reading, runs);
            turns.fill(&mut page, page_max);
        }
        self.left = self.left.saturating_sub(page.len() as u64);
        Ok((!page.is_empty()).then_some(page))
    }
}
