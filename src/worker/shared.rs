//! What all parts of the process share: the store, what is known of its state, and how to wait without seeming dead.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use reconciler_jobs::restore_execute::record::{Attribution, Source};
use tokio_util::sync::CancellationToken;

use super::name::ProcessName;
use crate::config::{self, DatabaseUrl};
use crate::health::{Health, Loop, Obstacle};
use crate::ledger::checkpoint::CheckpointSigner;
use crate::storage::{Distrust, Settling, Store, StoreError};
use crate::telemetry::names::BATCH_JOBS;

/// How often a loop that waits reports that it still turns.
pub(super) const BEAT_EVERY: Duration = Duration::from_secs(1);

/// How long a poll that was dropped may take to be committed all the same.
const POLL_LANDS_WITHIN: Duration = Duration::from_millis(100);

/// How long giving back what was not begun may take.
const GIVE_BACK_WITHIN: Duration = Duration::from_secs(2);

/// How long a session may take to be refused.
const REFUSED_WITHIN: Duration = Duration::from_secs(1);

/// How long looking for rows that nobody can read may take.
const DISCARD_WITHIN: Duration = Duration::from_secs(10);

/// What a worker works with.
pub struct Options {
    /// How jobs are taken, given up on, and stopped.
    pub worker: config::Worker,
    /// When sweeps happen, and how large they are.
    pub sweep: config::Sweep,
    /// How often the database is counted.
    pub metrics: config::Metrics,
    /// Leads to the database around a pooler that cannot pass notifications on.
    pub listen_url: Option<DatabaseUrl>,
    /// How runs are settled, whoever settles them and why.
    pub settling: Settling,
    /// When checkpoints are made, who signs them, and where copies go.
    pub checkpoints: Checkpointing,
}

/// How checkpoints of the tree over the ledger are made.
#[derive(Debug, Default)]
pub struct Checkpointing {
    /// When, and where copies go.
    pub settings: config::Checkpoints,
    /// Who signs them.
    pub signers: Vec<CheckpointSigner>,
}

/// What all parts of the process share.
pub(super) struct Shared {
    pub(super) store: Store,
    pub(super) health: Arc<Health>,
    pub(super) options: Options,
    pub(super) name: ProcessName,
    /// The names under which this process takes jobs now, by queue.
    workers: Mutex<BTreeMap<&'static str, String>>,
    /// The last tick whose sweep has ended, the first of all times where there is none; nothing before that was asked.
    last_swept: Mutex<Option<Timestamp>>,
    /// The tick of the schedule that is waited for.
    next_sweep: Mutex<Option<Timestamp>>,
    /// Whether another worker judges by other settings.
    pub(super) others_differ: AtomicBool,
    /// Whether a part has ended that must not.
    pub(super) broken: AtomicBool,
    pub(super) stop: CancellationToken,
}

/// The process was told to stop.
pub(super) struct Stopped;

impl Shared {
    pub(super) fn new(
        store: Store,
        health: Arc<Health>,
        options: Options,
        stop: CancellationToken,
    ) -> Self {
        Self {
            store,
            health,
            options,
            name: ProcessName::of_this_process(),
            workers: Mutex::default(),
            last_swept: Mutex::default(),
            next_sweep: Mutex::default(),
            others_differ: AtomicBool::new(false),
            broken: AtomicBool::new(false),
            stop,
        }
    }

    /// How runs are settled for this reason.
    pub(super) fn settling(&self, source: Source) -> Settling {
        Settling {
            by: Attribution {
                worker: self.name.as_str().to_owned(),
                source,
            },
            due_only: source != Source::Request,
            ..self.options.settling.clone()
        }
    }

    /// Notes the name under which this process takes a queue's jobs from now on.
    pub(super) fn takes_jobs_as(&self, queue: &'static str, worker: &str) {
        let mut workers = self.workers.lock().unwrap_or_else(PoisonError::into_inner);
        workers.insert(queue, worker.to_owned());
    }

    /// The tick of the schedule that is waited for.
    pub(super) fn next_sweep(&self) -> MutexGuard<'_, Option<Timestamp>> {
        let next = self.next_sweep.lock();
        next.unwrap_or_else(PoisonError::into_inner)
    }

    /// The last tick whose sweep has ended, as it was when that was last asked.
    pub(super) fn last_swept(&self) -> MutexGuard<'_, Option<Timestamp>> {
        self.last_swept
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// The names under which this process takes jobs now.
    pub(super) fn workers(&self) -> Vec<String> {
        let workers = self.workers.lock().unwrap_or_else(PoisonError::into_inner);
        workers.values().cloned().collect()
    }

    /// Removes what may end a worker: apalis gives up on a whole poll when it cannot read one row. Returns whether
    /// the queue was gone through.
    pub(super) async fn discard_unreadable(&self, which: Loop) -> bool {
        let discarding = self.store.discard_unreadable();
        match self.answered(which, DISCARD_WITHIN, discarding).await {
            Some(Ok(jobs)) => {
                if jobs > 0 {
                    tracing::warn!(
                        { { BATCH_JOBS } = jobs },
                        "jobs whose rows nobody can read were discarded"
                    );
                }
                true
            }
            Some(Err(error)) => {
                tracing::debug!(%error, "rows that nobody can read may be left");
                false
            }
            None => false,
        }
    }

    /// Waits, unless the process is told to stop.
    pub(super) async fn pause(&self, length: Duration) -> Result<(), Stopped> {
        tokio::select! {
            () = self.stop.cancelled() => Err(Stopped),
            () = tokio::time::sleep(length) => Ok(()),
        }
    }

    /// Waits so long and until the database is there.
    pub(super) async fn rest(&self, length: Duration) -> Result<(), Stopped> {
        let rested = async {
            tokio::time::sleep(length).await;
            self.health.database_up().await;
        };
        tokio::select! {
            () = self.stop.cancelled() => Err(Stopped),
            () = rested => Ok(()),
        }
    }

    /// Returns when the database, having been there, is away.
    pub(super) async fn database_gone(&self) {
        self.health.database_up().await;
        let mut up = self.health.watch_database();
        // Fails when nobody watches the database any more, and then nobody will say that it is away.
        if up.wait_for(|up| !up).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Notes why nothing may be settled, as settlements find it, and which of these reasons there are no more.
    pub(super) fn found_by_settlements(&self, distrust: Option<&Distrust>) {
        let found = distrust.map(obstacle_of);
        for obstacle in [
            Obstacle::OtherSchema,
            Obstacle::Unbound,
            Obstacle::NoPlatform,
            Obstacle::OtherPlatform,
            Obstacle::HiddenRows,
            Obstacle::Unconfirmed,
        ] {
            self.found(obstacle, distrust.filter(|_| found == Some(obstacle)));
        }
    }

    /// Why the server gives no further session, where it says so: whoever waits for one is not told.
    pub(super) async fn refused_session(&self) -> Option<StoreError> {
        let asked = tokio::time::timeout(REFUSED_WITHIN, self.store.try_session()).await;
        let refused = asked.ok()?.err()?;
        refused.is_about_sessions().then_some(refused)
    }

    /// Notes whether the database refuses what nothing can be done without, and says so where that is news.
    pub(super) fn refused(&self, obstacle: Obstacle, error: Option<&StoreError>) {
        if !self.health.obstacle(obstacle, error.is_some()) {
            return;
        }
        match error {
            Some(error) => {
                tracing::warn!(%error, advice = error.advice(), obstacle = obstacle.name(), "nothing can be settled");
            }
            None => tell_gone(obstacle),
        }
    }

    /// Notes whether there is a reason of this kind to settle nothing, and says so where that is news.
    pub(super) fn found(&self, obstacle: Obstacle, distrust: Option<&Distrust>) {
        if !self.health.obstacle(obstacle, distrust.is_some()) {
            return;
        }
        if let Some(distrust) = distrust {
            tracing::warn!(advice = distrust.advice(), "{distrust}");
        } else {
            tell_gone(obstacle);
        }
    }

    /// Waits until work may be taken up, the database being there and nothing in the way of a settlement, and reports
    /// meanwhile that the loop still turns.
    pub(super) async fn admitted(&self, which: Loop) -> Result<(), Stopped> {
        let mut obstacles = self.health.watch_obstacles();
        let admitted = async {
            self.health.database_up().await;
            // Fails when the sender is gone, which lives as long as this process works.
            obstacles.wait_for(BTreeSet::is_empty).await.ok();
        };
        self.beating(which, async {
            tokio::select! {
                () = self.stop.cancelled() => Err(Stopped),
                () = admitted => Ok(()),
            }
        })
        .await
    }

    /// Returns when something keeps this worker from settling, or the process is told to stop: what is in hand is
    /// finished, and nothing else is taken up.
    pub(super) async fn told_to_finish(&self) {
        let mut obstacles = self.health.watch_obstacles();
        tokio::select! {
            () = self.stop.cancelled() => {}
            _ = obstacles.wait_for(|obstacles| !obstacles.is_empty()) => {}
        }
    }

    /// Gives back to their queues what workers took whose names begin so, and did not begin: apalis drops a poll that
    /// is under way when it is told to stop, and the database may commit it a moment later. No more than a favour, and
    /// bounded: others take over what is not given back.
    pub(super) async fn give_back(&self, workers: &str) {
        let giving_back = async {
            for wait in [Duration::ZERO, POLL_LANDS_WITHIN] {
                tokio::time::sleep(wait).await;
                match self.store.release_all(workers).await {
                    Ok(0) => {}
                    Ok(jobs) => tracing::debug!(
                        { { BATCH_JOBS } = jobs },
                        "gave back jobs that were not begun"
                    ),
                    Err(error) => {
                        tracing::debug!(%error, "jobs may be left; they are taken over later");
                    }
                }
            }
        };
        let _ = tokio::time::timeout(GIVE_BACK_WITHIN, giving_back).await;
    }

    /// Waits so long and until the database is there, and reports meanwhile that the loop still turns.
    pub(super) async fn pause_beating(&self, which: Loop, length: Duration) -> Result<(), Stopped> {
        self.beating(which, self.rest(length)).await
    }

    /// Works on what the database has to answer, and reports meanwhile that the loop still turns: how long an
    /// answer takes says nothing about the loop. Nothing if the database went away before it answered, or took
    /// longer than `limit`.
    pub(super) async fn answered<T>(
        &self,
        which: Loop,
        limit: Duration,
        work: impl Future<Output = T>,
    ) -> Option<T> {
        let answer = async {
            tokio::select! {
                answer = tokio::time::timeout(limit, work) => answer.ok(),
                () = self.database_gone() => None,
            }
        };
        self.beating(which, answer).await
    }

    pub(super) async fn beating<T>(&self, which: Loop, work: impl Future<Output = T>) -> T {
        let mut work = std::pin::pin!(work);
        loop {
            self.health.beat(which);
            if let Ok(done) = tokio::time::timeout(BEAT_EVERY, &mut work).await {
                return done;
            }
        }
    }
}

fn obstacle_of(distrust: &Distrust) -> Obstacle {
    match distrust {
        Distrust::HiddenRows(_) => Obstacle::HiddenRows,
        Distrust::OtherPlatform { .. } => Obstacle::OtherPlatform,
        Distrust::Unbound => Obstacle::Unbound,
        Distrust::NoPlatform(_) => Obstacle::NoPlatform,
        Distrust::OtherSchema { .. } => Obstacle::OtherSchema,
        Distrust::ShiftedTimes(_) => Obstacle::ShiftedTimes,
        Distrust::Unconfirmed => Obstacle::Unconfirmed,
        Distrust::NeverHeld(_) => Obstacle::NeverHeld,
    }
}

fn tell_gone(obstacle: Obstacle) {
    tracing::info!(
        obstacle = obstacle.name(),
        "what was in the way of settlements is gone"
    );
}
