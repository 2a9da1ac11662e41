//! One pass over all due runs: the guarantee behind every hint that was lost.

use reconciler_jobs::ids::{RunId, WorkspaceId};

use crate::storage::{DuePage, Settled, Settling, Store, StoreError, Tally};

/// What a pass covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Scope {
    /// Only this workspace.
    pub workspace: Option<WorkspaceId>,
    /// At most so many runs.
    pub limit: Option<u64>,
}

/// Settles every due run within `scope`, page by page in order of id, and tells `progress` what each
/// page came to, after it was committed.
///
/// A run that is due again at once, because somebody else holds it, is left to the next pass: each
/// run is looked at once, so a pass ends whatever the platform does meanwhile. The sweeps table
/// keeps what the pass came to, also when it ends in an error.
pub async fn sweep(
    store: &dyn Store,
    scope: Scope,
    with: &Settling,
    mut progress: impl FnMut(&[Settled]),
) -> Result<Tally, StoreError> {
    let sweep = store.open_sweep(&with.by.worker, scope.workspace).await?;
    let mut tally = Tally::default();
    let swept = pages(store, scope, with, |settled| {
        for run in settled {
            tally.add(&run.result);
        }
        progress(settled);
    })
    .await;
    let closed = store.close_sweep(sweep, &tally).await;
    swept.and(closed)?;
    Ok(tally)
}

async fn pages(
    store: &dyn Store,
    scope: Scope,
    with: &Settling,
    mut progress: impl FnMut(&[Settled]),
) -> Result<(), StoreError> {
    let mut pages = DuePages::new(scope, with.batch_runs_max);
    while let Some(runs) = pages.next(store).await? {
        let mut settled = Vec::with_capacity(runs.len());
        let result = store.settle(&runs, with, &mut settled).await;
        progress(&settled);
        result?;
    }
    Ok(())
}

/// Walks through due runs by key, so that a pass never meets a run twice.
#[derive(Debug)]
pub struct DuePages {
    workspace: Option<WorkspaceId>,
    after: RunId,
    left: u64,
    page_max: u32,
}

impl DuePages {
    /// From the beginning of `scope`, in pages of at most `page_max` runs.
    #[must_use]
    pub fn new(scope: Scope, page_max: u32) -> Self {
        Self {
            workspace: scope.workspace,
            after: RunId(i64::MIN),
            left: scope.limit.unwrap_or(u64::MAX),
            page_max,
        }
    }

    /// The next page; nothing after the last one.
    pub async fn next(&mut self, store: &dyn Store) -> Result<Option<Vec<RunId>>, StoreError> {
        let limit = u32::try_from(self.left).map_or(self.page_max, |left| left.min(self.page_max));
        if limit == 0 {
            return Ok(None);
        }
        let page = DuePage {
            workspace: self.workspace,
            after: self.after,
            limit,
        };
        let runs = store.load_due(&page).await?;
        let Some(last) = runs.last() else {
            return Ok(None);
        };
        self.after = *last;
        self.left = self.left.saturating_sub(runs.len() as u64);
        Ok(Some(runs))
    }
}
