//! Gathers jobs and settles their runs together.
//!
//! A job that finds nobody busy is settled at once, alone. While settlements are under way jobs gather,
//! and the next settlement takes all of them, up to a batch: under load the batches grow by themselves,
//! and nobody ever waits for company.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use reconciler_jobs::ids::RunId;
use reconciler_jobs::restore_execute::record::Source;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio_util::task::TaskTracker;

use super::attempt::attempt;
use super::shared::Shared;
use crate::health::Loop;
use crate::storage::{ClaimedJob, Settled};
use crate::telemetry::names::BATCH_JOBS;

/// How many settlements of jobs are under way at once. A second one keeps a batch that waits for a lock
/// from holding up all others; more only compete for the same processors.
const LANES: usize = 2;

/// How long jobs stay in the queue at most while every lane is busy. Whoever has them in hand by then can settle
/// them as soon as a lane is free.
const BUSY_WAIT: Duration = Duration::from_millis(20);

/// Where settlements of jobs take place.
#[derive(Debug, Clone)]
struct Lanes {
    free: Arc<Semaphore>,
    left: Arc<Notify>,
}

/// A job on its way to a settlement.
struct Delivery {
    job: ClaimedJob,
    /// Whether it was in the hands of a worker that ended.
    again: bool,
    settled: oneshot::Sender<()>,
}

/// Where handlers leave their jobs.
#[derive(Debug, Clone)]
pub(super) struct Batcher {
    deliveries: mpsc::Sender<Delivery>,
    lanes: Lanes,
}

/// The job was not settled; apalis will deliver it again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the job was given back unsettled")]
pub(super) struct GivenBack;

impl Batcher {
    /// A batcher, and the loop that works for it until every clone of the batcher is gone.
    pub(super) fn new(shared: &Arc<Shared>) -> (Self, impl Future<Output = ()> + Send + 'static) {
        let (deliveries, receiver) = mpsc::channel(shared.options.worker.jobs_max as usize);
        let lanes = Lanes {
            free: Arc::new(Semaphore::new(LANES)),
            left: Arc::default(),
        };
        let gathering = gather(Arc::clone(shared), receiver, lanes.clone());
        (Self { deliveries, lanes }, gathering)
    }

    /// Returns at once if a job would be settled at once. Otherwise it is as well off in the queue, from which
    /// one poll takes all that have gathered meanwhile: returns when a lane becomes free, or after a short while.
    pub(super) async fn ready_for_more(&self) {
        let left = self.lanes.left.notified(); // told of every lane that is left from now on
        if self.lanes.free.available_permits() == 0 {
            // A lane stays busy for as long as its batch takes; that is no reason not to poll.
            let _ = tokio::time::timeout(BUSY_WAIT, left).await;
        }
    }

    /// Returns once the job's run was dealt with in a committed transaction.
    pub(super) async fn deliver(&self, job: ClaimedJob, again: bool) -> Result<(), GivenBack> {
        let (settled, done) = oneshot::channel();
        let delivery = Delivery {
            job,
            again,
            settled,
        };
        self.deliveries
            .send(delivery)
            .await
            .map_err(|_| GivenBack)?;
        done.await.map_err(|_| GivenBack)
    }
}

async fn gather(shared: Arc<Shared>, mut deliveries: mpsc::Receiver<Delivery>, lanes: Lanes) {
    let settlements = TaskTracker::new();
    let batch_max = usize::try_from(shared.options.settling.batch_runs_max).unwrap_or(usize::MAX);
    let mut waiting = Vec::new();
    while deliveries.recv_many(&mut waiting, batch_max).await > 0 {
        let Ok(lane) = Arc::clone(&lanes.free).acquire_owned().await else {
            break; // only a closed semaphore refuses, and nobody closes it
        };
        while waiting.len() < batch_max
            && let Ok(delivery) = deliveries.try_recv()
        {
            waiting.push(delivery);
        }
        let settling = run_batch(Arc::clone(&shared), std::mem::take(&mut waiting), lane);
        let left = Arc::clone(&lanes.left);
        settlements.spawn(async move {
            settling.await;
            left.notify_waiters();
        });
    }
    settlements.close();
    settlements.wait().await;
}

/// Settles a batch, however long that takes, and tells each handler when its run was dealt with. What is
/// dropped untold was given back.
async fn run_batch(shared: Arc<Shared>, batch: Vec<Delivery>, lane: OwnedSemaphorePermit) {
    let again: Vec<RunId> = batch
        .iter()
        .filter(|delivery| delivery.again)
        .map(|delivery| delivery.job.run)
        .collect();
    let mut open = OpenJobs::new(batch);
    let mut suspects = again;
    while !open.is_empty() {
        let (runs, jobs) = (open.runs(), open.jobs());
        let mut settled = Vec::with_capacity(runs.len());
        let asked = (runs.as_slice(), jobs.as_slice());
        let settling = attempt(&shared, Source::Request, asked, &suspects, &mut settled);
        // The loop that takes jobs is silent while those it has taken wait.
        let result = shared.beating(Loop::Queue, settling).await;
        open.close(&settled);
        let Err(trouble) = result else {
            suspects.clear();
            continue;
        };
        trouble.tell(&open.runs());
        if trouble.is_obstacle() || shared.health.is_obstructed() {
            break;
        }
        if trouble.is_about_the_runs() {
            suspects = open.runs();
        }
        let rested = shared.pause_beating(Loop::Queue, trouble.pause()).await;
        if rested.is_err() {
            break;
        }
    }
    open.give_back(&shared).await;
    drop(lane);
}

/// Jobs of a batch that were not dealt with yet, by run.
struct OpenJobs(HashMap<RunId, Vec<Delivery>>);

impl OpenJobs {
    fn new(batch: Vec<Delivery>) -> Self {
        let mut open: HashMap<RunId, Vec<Delivery>> = HashMap::new();
        for delivery in batch {
            open.entry(delivery.job.run).or_default().push(delivery);
        }
        Self(open)
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn len(&self) -> usize {
        self.0.values().map(Vec::len).sum()
    }

    fn runs(&self) -> Vec<RunId> {
        self.0.keys().copied().collect()
    }

    fn jobs(&self) -> Vec<ClaimedJob> {
        self.0
            .values()
            .flatten()
            .map(|delivery| delivery.job.clone())
            .collect()
    }

    fn close(&mut self, settled: &[Settled]) {
        for settled in settled {
            for delivery in self.0.remove(&settled.run).unwrap_or_default() {
                // A handler that no longer listens was stopped; its job is finished all the same.
                let _ = delivery.settled.send(());
            }
        }
    }

    /// Returns what is left to the queue. If that fails too, the queue takes it once this worker has not
    /// been heard of for a while.
    async fn give_back(&self, shared: &Shared) {
        if self.is_empty() {
            return;
        }
        if let Err(error) = shared.store.release(&self.jobs()).await {
            tracing::debug!(
                { %error, { BATCH_JOBS } = self.len() },
                "jobs could not be given back; they are taken over later"
            );
        }
    }
}
