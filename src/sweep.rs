//! One pass over all due runs: the guarantee behind every hint that was lost.

use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::ops::ControlFlow;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::{Stream, StreamExt as _, stream};
use jiff::Timestamp;
use reconciler_jobs::ids::{RunId, WorkspaceId};
use reconciler_jobs::sweep::admission::SettlingMode;
use reconciler_jobs::sweep::shard::Shard;
use reconciler_jobs::sweep::turns::{READ_AHEAD_RUNS, Turns};
use tokio::sync::{Mutex, Semaphore};
use tracing::Instrument as _;

use crate::storage::{
    Backend, Settled, Settlement, Settling, Store, StoreError, SweepStart, Tally,
};
use crate::telemetry::names;

/// What a pass covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scope {
    /// Only this workspace.
    pub workspace: Option<WorkspaceId>,
    /// Only this part of the workspaces.
    pub shard: Shard,
    /// At most so many runs; where a tick asked for the pass, without those that are only observed.
    pub limit: Option<u64>,
    /// The tick that asked for the pass; none where a person did.
    pub tick: Option<Timestamp>,
    /// How many pages are settled at once, each in a transaction of its own; one on SQLite, which has one writer.
    pub lanes: NonZeroU32,
}

impl Default for Scope {
    /// Everything, page after page.
    fn default() -> Self {
        Self {
            workspace: None,
            shard: Shard::WHOLE,
            limit: None,
            tick: None,
            lanes: NonZeroU32::MIN,
        }
    }
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
    store: &Store,
    scope: Scope,
    with: &Settling,
    progress: impl FnMut(&[Settled]) -> ControlFlow<()>,
) -> Result<Pass, StoreError> {
    let shard = (scope.shard.index(), scope.shard.of());
    let span = names::sweep_pass(scope.tick, shard, scope.workspace);
    pass(store, scope, with, progress).instrument(span).await
}

async fn pass(
    store: &Store,
    scope: Scope,
    with: &Settling,
    mut progress: impl FnMut(&[Settled]) -> ControlFlow<()>,
) -> Result<Pass, StoreError> {
    // Runs that are only observed stay due. If they counted, those that come first would keep a worker from the others.
    let counts_all = with.admission.mode() == SettlingMode::Act || scope.tick.is_none();
    let (pages_limit, settled_limit) = match scope.limit {
        limit if counts_all => (limit, u64::MAX),
        limit => (None, limit.unwrap_or(u64::MAX)),
    };
    let read = Scope {
        limit: pages_limit,
        ..scope
    };
    let mut pages = DuePages::new(read, with.batch_runs_max);
    store.forget_leftovers().await?;
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
    let in_hand = InHand {
        sweep,
        runs: Mutex::new(first.iter().copied().collect()),
    };
    let read = Pages {
        first,
        rest: &mut pages,
        lanes: match store.backend() {
            Backend::Postgres => scope.lanes.get() as usize,
            Backend::Sqlite => 1,
        },
    };
    let mut tally = Tally::default();
    let mut counted: u64 = 0;
    let settled = take_pages(store, &in_hand, read, with, |settled| {
        for run in settled {
            tally.add(&run.result);
            counted += u64::from(!is_untouched(&run.result));
        }
        let told = progress(settled);
        if counted >= settled_limit {
            ControlFlow::Break(())
        } else {
            told
        }
    })
    .await;
    let closed = store.close_sweep(sweep, &tally).await;
    let all = settled?;
    closed?;
    Ok(Pass {
        tally,
        is_complete: counted >= settled_limit || all && pages.is_over(),
    })
}

fn is_untouched(result: &Settlement) -> bool {
    matches!(
        result,
        Settlement::Observed(_) | Settlement::Paused | Settlement::Suspended { .. }
    )
}

/// Settles pages, as many at once as there are lanes, and reads the page after them meanwhile. Returns whether
/// all were settled. Once `progress` says stop, or a page has failed, what is in hand is settled and no more.
async fn take_pages(
    store: &Store,
    in_hand: &InHand,
    pages: Pages<'_>,
    with: &Settling,
    mut progress: impl FnMut(&[Settled]) -> ControlFlow<()>,
) -> Result<bool, StoreError> {
    let (over, lanes) = (&AtomicBool::new(false), &Semaphore::new(pages.lanes));
    let settle = |page: Result<Vec<RunId>, StoreError>| async move {
        let mut settled = Vec::new();
        let runs = match page {
            Ok(runs) => runs,
            Err(error) => return (settled, Err(error)),
        };
        let _lane = lanes.acquire().await;
        if over.load(Ordering::Relaxed) {
            return (settled, Ok(false));
        }
        let mut result = in_hand.take(store, &runs).await;
        if result.is_ok() {
            result = store.settle(&runs, with, &mut settled).await;
        }
        in_hand.put_down(&runs).await;
        (settled, result.map(|()| true))
    };
    let ahead = pages.lanes + 1;
    let mut settling = pin!(pages.read(store, over).map(settle).buffer_unordered(ahead));
    let mut end = Ok(true);
    while let Some((settled, result)) = settling.next().await {
        let stop = !settled.is_empty() && progress(&settled).is_break();
        over.fetch_or(stop || result.is_err(), Ordering::Relaxed);
        end = end.and_then(|all| Ok(all & result?));
    }
    end
}

/// Rehearses every due run within `scope`, page by page, as [`sweep`] would settle it, and says whether it came to the
/// end. Nothing is committed, the pass itself leaves no trace, and pages follow each other.
pub async fn rehearse(
    store: &Store,
    scope: Scope,
    with: &Settling,
    mut progress: impl FnMut(&[Settled]) -> ControlFlow<()>,
) -> Result<bool, StoreError> {
    let mut pages = DuePages::new(scope, with.batch_runs_max);
    while let Some(runs) = pages.next(store).await? {
        let settled = store.rehearse(&runs, with).await?;
        if progress(&settled).is_break() {
            break;
        }
    }
    Ok(pages.is_over())
}

/// The pages of a pass, the first of which was read to see whether there is one.
struct Pages<'a> {
    first: Vec<RunId>,
    rest: &'a mut DuePages,
    lanes: usize,
}

impl Pages<'_> {
    /// Reads them one after the other, until an error or until it is over.
    fn read(
        self,
        store: &Store,
        over: &AtomicBool,
    ) -> impl Stream<Item = Result<Vec<RunId>, StoreError>> {
        stream::unfold((Some(self.first), self.rest), |(first, rest)| async {
            let page = match first {
                Some(first) => Ok(Some(first)),
                None if over.load(Ordering::Relaxed) => Ok(None),
                None => rest.next(store).await,
            };
            over.fetch_or(page.is_err(), Ordering::Relaxed);
            Some((page.transpose()?, (None, rest)))
        })
    }
}

/// The runs of a pass that are being settled, as its row has them.
struct InHand {
    sweep: i64,
    runs: Mutex<BTreeSet<RunId>>,
}

impl InHand {
    /// Notes them before they are settled. The notes of two pages must not overtake each other.
    async fn take(&self, store: &Store, page: &[RunId]) -> Result<(), StoreError> {
        let mut runs = self.runs.lock().await;
        let noted = runs.len();
        runs.extend(page);
        if runs.len() == noted {
            return Ok(()); // the first page, with which the row began
        }
        let runs: Vec<RunId> = runs.iter().copied().collect();
        store.note_page(self.sweep, &runs).await
    }

    /// Leaves them to be forgotten by the next note.
    async fn put_down(&self, page: &[RunId]) {
        let mut runs = self.runs.lock().await;
        for run in page {
            runs.remove(run);
        }
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
    pub fn is_over(&self) -> bool {
        self.left == 0 || self.turns.as_ref().is_some_and(Turns::is_over)
    }

    /// The next page; nothing after the last one.
    pub async fn next(&mut self, store: &Store) -> Result<Option<Vec<RunId>>, StoreError> {
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
