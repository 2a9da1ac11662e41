//! Runs that stayed open, settled again when their time comes.
//!
//! Nothing notes which runs a recheck has in hand. A run that ends the process would be the first that the next
//! process meets, for ever; so what is due already when a process begins is settled one by one, each attempt
//! written down, and the others, which nobody held up, are few.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use reconciler_jobs::ids::RunId;
use reconciler_jobs::restore_execute::record::Source;

use super::attempt::{Trouble, attempt};
use super::shared::{BEAT_EVERY, Shared};
use crate::health::Loop;
use crate::storage::Settlement;

/// The longest wait between two rechecks: runs that others put on the watch list meanwhile are found by then.
const RECHECK_EVERY: Duration = Duration::from_millis(400);

/// The wait before the next page when more have become due than fit into one.
const NEXT_PAGE_AFTER: Duration = Duration::from_millis(20);

/// How the runs of a recheck are settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Care {
    /// One run a transaction, as suspects are settled.
    OneByOne,
    Together,
}

/// Settles what becomes due until the process stops.
pub(super) async fn keep_rechecking(shared: Arc<Shared>) {
    let mut care = Care::OneByOne;
    while shared.admitted(Loop::Due).await.is_ok() {
        // Longer than an attempt may take, which has a limit of its own and says what it had in hand.
        let limit = shared.options.worker.attempt_timeout * 2;
        let rechecking = recheck(&shared, care);
        let paused = match shared.answered(Loop::Due, limit, rechecking).await {
            Some(Ok(wait)) => {
                care = Care::Together;
                shared.pause(wait).await
            }
            Some(Err(trouble)) => shared.pause_beating(Loop::Due, trouble.pause()).await,
            None => shared.pause_beating(Loop::Due, BEAT_EVERY).await,
        };
        if paused.is_err() {
            return;
        }
    }
}

/// Settles what has become due, and says how long until the next recheck.
async fn recheck(shared: &Shared, care: Care) -> Result<Duration, Trouble> {
    let settling = &shared.options.settling;
    if !settling.admission.acts {
        return Ok(RECHECK_EVERY); // sweeps observe what is due
    }
    let limit = settling.batch_runs_max;
    let loading = shared.store.load_rechecks(limit, &settling.admission);
    let awaited = match loading.await {
        Ok(awaited) => awaited,
        Err(error) => {
            let trouble = Trouble::from(error);
            trouble.tell(&[]);
            return Err(trouble);
        }
    };
    let is_full = awaited.runs.len() >= limit as usize;
    let any = !awaited.runs.is_empty() && attempt_all(shared, awaited.runs, care).await?;
    if is_full && any {
        return Ok(NEXT_PAGE_AFTER);
    }
    let next = awaited.next_in.map_or(RECHECK_EVERY, |next| {
        Duration::try_from(next).unwrap_or_default()
    });
    Ok(next.min(RECHECK_EVERY))
}

/// Settles runs, and says whether any of them was not in other hands. What it had in hand when it failed
/// because of one of them is suspected.
async fn attempt_all(shared: &Shared, mut runs: Vec<RunId>, care: Care) -> Result<bool, Trouble> {
    let suspects = match care {
        Care::OneByOne => runs.as_slice(),
        Care::Together => &[],
    };
    let mut settled = Vec::with_capacity(runs.len());
    let settling = attempt(shared, Source::Watch, (&runs, &[]), suspects, &mut settled);
    let Err(trouble) = settling.await else {
        return Ok(settled
            .iter()
            .any(|settled| settled.result != Settlement::Locked));
    };
    let done: HashSet<RunId> = settled.iter().map(|settled| settled.run).collect();
    runs.retain(|run| !done.contains(run));
    trouble.tell(&runs);
    if trouble.is_about_the_runs() {
        shared.store.suspect(&runs, shared.name.as_str()).await?;
    }
    Err(trouble)
}
