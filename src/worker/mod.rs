//! The long-running process: takes jobs, sweeps on a schedule, and looks again when it is time.
//!
//! ```text
//! NOTIFY, interval ─▶ queue `restore.execute` ─▶ handler ─▶ batcher ─┐
//! tick ─▶ won? ─▶ queue `restore.sweep` ─▶ handler ─▶ sweep ─────────┼─▶ Store::settle
//! look_again_at, try_again_at ─▶ recheck ────────────────────────────┘
//! ```
//!
//! | Module | Story |
//! |---|---|
//! | `shared` | what all parts of the process share |
//! | `runtime` | one queue's worker, on either database |
//! | `supervise` | keeps a worker running |
//! | `notify` | when a queue is polled |
//! | `restore_execute` | the handler of jobs that ask for one run |
//! | `batch` | gathers jobs and settles their runs together |
//! | `attempt` | one attempt to settle runs, and what its not coming to an end says about them |
//! | `recheck` | runs that stayed open, settled again when their time comes |
//! | `sweeps` | ticks of the schedule, and the handler of jobs that ask for a shard |
//! | `connection` | whether the database is there |
//! | `judges` | which rules the workers judge by |
//! | `examine` | whether what the database shows may be trusted, and proves anything |
//! | `opinions` | second opinions on runs that somebody else closed |
//! | `feed` | positions of verdicts, in which the platform reads them, and their leaves in the tree |
//! | `checkpoints` | leaves and checkpoints, made and handed out |
//! | `rights` | whether this role may do what a worker does |
//! | `census` | numbers about the whole database, for dashboards |
//! | `name` | names that nobody else has |
//!
//! **Invariants:**
//! - The queue delivers hints and is told what became of them; no decision depends on it.
//! - Whatever ends here can be killed at any moment: what was not committed is found again by the
//!   queue, by another process, or by the next sweep.
//! - Every loop reports that it still turns, whether or not the database is there.

mod attempt;
mod batch;
mod census;
mod checkpoints;
mod connection;
mod examine;
mod feed;
mod judges;
mod name;
mod notify;
mod opinions;
mod recheck;
mod restore_execute;
mod rights;
mod runtime;
mod shared;
mod supervise;
mod sweeps;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use futures_util::FutureExt as _;

use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::health::{Health, Obstacle};
use crate::storage::Store;
use crate::telemetry::names::{WORKER_NAME, WORKER_PART};
use batch::Batcher;
use shared::Shared;

pub use runtime::{queue_migrations, set_up};
pub use shared::{Checkpointing, Options};

/// A part of the process ended that must not end; what it was is in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a part of the worker ended by itself")]
pub struct Broken;

/// Works until `stop`, then finishes what is in hand, within the limit that the options set. What is not
/// finished by then is taken over by others.
///
/// Where one of its parts ends before that, the process is to be started afresh: it stops by itself.
pub async fn run(
    store: Store,
    health: Arc<Health>,
    options: Options,
    stop: CancellationToken,
) -> Result<(), Broken> {
    let drain_timeout = options.worker.drain_timeout;
    let shared = Arc::new(Shared::new(store, health, options, stop.clone()));
    tracing::info!({ { WORKER_NAME } = shared.name.as_str() }, "working");
    let tasks = start(&shared);
    stop.cancelled().await;
    shared.health.stopping();
    tracing::info!(
        limit_seconds = drain_timeout.as_secs_f64(),
        "stopping: what is in hand is finished"
    );
    let drained = tokio::time::timeout(drain_timeout, tasks.wait())
        .await
        .is_ok();
    if drained {
        shared.give_back(shared.name.as_str()).await;
        judges::withdraw(&shared).await;
        tracing::info!("stopped");
    } else {
        tracing::warn!("stopped with jobs in hand; other workers take them over");
    }
    if shared.broken.load(Ordering::Relaxed) {
        return Err(Broken);
    }
    Ok(())
}

fn start(shared: &Arc<Shared>) -> TaskTracker {
    // Before anything is taken up.
    shared.health.obstacle(Obstacle::Unexamined, true);
    let settles = judges::settles(shared);
    shared.health.obstacle(Obstacle::Unannounced, settles);
    let mode = shared.options.settling.admission.mode();
    shared.health.mode(mode.detail());
    shared.health.obstacle(Obstacle::Beside, !settles);
    let parts = WorkerParts {
        tasks: TaskTracker::new(),
        shared,
    };
    let own = || Arc::clone(shared);
    let jobs_wait = Arc::new(Notify::new());
    let (batcher, gathering) = Batcher::new(shared);
    let listening = notify::listen(own(), Arc::clone(&jobs_wait));
    let taking_jobs = restore_execute::work(own(), jobs_wait, batcher);
    parts.begin("batcher", gathering);
    parts.begin("listening", listening);
    parts.begin("queue", taking_jobs);
    parts.begin("sweeps", sweeps::work(own()));
    parts.begin("schedule", sweeps::keep_time(own()));
    parts.begin("awaited runs", recheck::keep_rechecking(own()));
    parts.begin("connection", connection::keep_watch(own()));
    parts.begin("rules", judges::keep_comparing(own()));
    parts.begin("examination", examine::keep_examining(own()));
    parts.begin("rights", rights::keep_looking(own()));
    parts.begin("census", census::keep_counting(own()));
    parts.begin("opinions", opinions::keep_forming(own()));
    let (to_hand_out, to_take) = mpsc::channel(checkpoints::WAITING_MAX);
    parts.begin("feed", feed::keep_placing(own()));
    parts.begin("leaves", feed::keep_sealing(own(), to_hand_out));
    let handing_out = checkpoints::keep_handing_out(own(), to_take);
    parts.begin("checkpoints", handing_out);
    parts.tasks.close();
    parts.tasks
}

/// The parts of the process.
struct WorkerParts<'s> {
    tasks: TaskTracker,
    shared: &'s Arc<Shared>,
}

impl WorkerParts<'_> {
    /// Starts one. One that ends before it is told to takes the process with it: what is left would look alive and not
    /// work.
    fn begin(&self, part: &'static str, work: impl Future<Output = ()> + Send + 'static) {
        let shared = Arc::clone(self.shared);
        self.tasks.spawn(async move {
            let ended = AssertUnwindSafe(work).catch_unwind().await;
            if ended.is_err() || !shared.stop.is_cancelled() {
                tracing::error!(
                    { { WORKER_PART } = part },
                    "a part of the worker ended by itself; the process stops"
                );
                shared.broken.store(true, Ordering::Relaxed);
                shared.stop.cancel();
            }
        });
    }
}
