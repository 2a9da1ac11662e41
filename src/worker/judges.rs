//! Which rules the workers judge by: says its own, and tells of others that differ.
//!
//! A loop of its own, so that no sign of life waits for it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use reconciler_jobs::sweep::admission::SettlingMode;

use super::shared::Shared;
use crate::clock::Stopwatch;
use crate::health::Obstacle;
use crate::storage::{Judge, StoreError};

/// How often a worker says which rules it judges by, and hears of the others.
const COMPARE_EVERY: Duration = Duration::from_secs(2);

/// How long an answer may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);

/// How long others are taken to know what was announced. They forget it after half a minute.
const KNOWN_FOR: Duration = Duration::from_secs(20);

/// Compares until the process stops.
pub(super) async fn keep_comparing(shared: Arc<Shared>) {
    let mut said = None;
    let mut announced = Announced::default();
    let mut obstacles = shared.health.watch_obstacles();
    loop {
        obstacles.mark_unchanged();
        let is_up = shared.health.database_is_up();
        if is_up {
            announced.announce(&shared).await;
            compare(&shared, &mut said).await;
        }
        let is_unknown = announced.tell(&shared);
        let has_changed = async {
            if is_up {
                // Fails when the sender is gone, which lives as long as this process works.
                obstacles.changed().await.ok();
            } else {
                shared.health.database_up().await;
            }
        };
        tokio::select! {
            paused = shared.pause(COMPARE_EVERY) => if paused.is_err() {
                return;
            },
            () = has_changed, if is_unknown => {}
        }
    }
}

/// Until a migration has made the table there is nobody to be told; what fails is asked again.
async fn compare(shared: &Shared, said: &mut Option<bool>) {
    let hearing = tokio::time::timeout(ANSWER_WITHIN, shared.store.list_judges());
    let (Ok(own), Ok(Ok(mut others))) = (own(shared), hearing.await) else {
        return;
    };
    others.retain(Judge::settles);
    tell_of_newer_rules(shared, &own, &others);
    if !own.settles() {
        give_way(shared, others.first(), said);
    }
    tell_of_other_settings(shared, &own, &others);
}

/// What others know of this worker's rules. Nothing is settled before they do: a worker of a lower ruleset would settle
/// beside it.
#[derive(Default)]
struct Announced {
    /// Runs since the database was last told.
    last: Option<Stopwatch>,
    /// Why the database was not told just now.
    failure: Option<String>,
    is_failure_said: bool,
}

impl Announced {
    /// A worker that settles nothing for a reason of its own does not keep others from it. Where commits wait for a
    /// standby, its announcement shows whether they still do.
    async fn announce(&mut self, shared: &Shared) {
        let is_only_outranked = |obstacles: &BTreeSet<_>| {
            let mut obstacles = obstacles.iter();
            obstacles.all(|it| {
                matches!(
                    it,
                    Obstacle::NewerRules
                        | Obstacle::Beside
                        | Obstacle::Unconfirmed
                        | Obstacle::Unannounced
                )
            })
        };
        let obstacles = shared.health.watch_obstacles();
        self.failure = None;
        if !is_only_outranked(&obstacles.borrow()) {
            self.last = None;
        } else if !shared.health.cannot_settle() {
            let began = Stopwatch::start();
            match tokio::time::timeout(ANSWER_WITHIN, announce(shared)).await {
                Ok(Ok(())) => self.last = Some(began),
                Ok(Err(error)) => self.failure = Some(error.to_string()),
                Err(_) => self.failure = Some("the database did not answer in time".to_owned()),
            }
        }
    }

    /// Notes whether others may not know although it matters to them, and returns it. Whoever could not settle is let try
    /// until a verdict is committed, which shows that it can again.
    fn tell(&mut self, shared: &Shared) -> bool {
        let is_known = |last: Stopwatch| last.elapsed() < KNOWN_FOR;
        let is_unknown =
            settles(shared) && !self.last.is_some_and(is_known) && !shared.health.cannot_settle();
        shared.health.obstacle(Obstacle::Unannounced, is_unknown);
        match self.failure.take().filter(|_| is_unknown) {
            Some(error) if !self.is_failure_said => {
                tracing::warn!(
                    error,
                    "the database does not take by which rules this worker judges, so it settles nothing"
                );
                self.is_failure_said = true;
            }
            None if !is_unknown && std::mem::take(&mut self.is_failure_said) => {
                tracing::info!("others know again by which rules this worker judges");
            }
            _ => {}
        }
        is_unknown
    }
}

/// Whether it matters to others by which rules this worker judges.
pub(super) fn settles(shared: &Shared) -> bool {
    shared.options.settling.admission.mode() != SettlingMode::Observe
}

async fn announce(shared: &Shared) -> Result<(), StoreError> {
    shared.store.announce_rules(&own(shared)?).await
}

fn own(shared: &Shared) -> Result<Judge, StoreError> {
    let settling = &shared.options.settling;
    Ok(Judge {
        next_sweep_at: *shared.next_sweep(),
        ..Judge::new(shared.name.as_str(), &settling.policy)?.in_mode(settling.admission.mode())
    })
}

/// Says, as the last thing, that this worker judges no more. Others would think so half a minute later.
pub(super) async fn withdraw(shared: &Shared) {
    let withdrawing = shared.store.withdraw_rules(shared.name.as_str());
    if let Ok(Err(error)) = tokio::time::timeout(ANSWER_WITHIN, withdrawing).await {
        tracing::debug!(%error, "others may think for half a minute that this worker still judges");
    }
}

fn tell_of_newer_rules(shared: &Shared, own: &Judge, others: &[Judge]) {
    let newer = others.iter().find(|other| other.ruleset > own.ruleset);
    if !shared
        .health
        .obstacle(Obstacle::NewerRules, newer.is_some())
    {
        return;
    }
    if let Some(newer) = newer {
        tracing::warn!(
            worker = newer.worker,
            ruleset = newer.ruleset,
            own = own.ruleset,
            "a worker of newer rules is at work, so this one settles nothing"
        );
    } else {
        tracing::info!("no worker of newer rules is at work any more");
    }
}

/// What an observer takes up, nobody settles, so it takes nothing from a worker that does.
fn give_way(shared: &Shared, acting: Option<&Judge>, said: &mut Option<bool>) {
    shared.health.obstacle(Obstacle::Beside, acting.is_some());
    // It is in the way from the start, until somebody has heard.
    if said.replace(acting.is_some()) == Some(acting.is_some()) {
        return;
    }
    if let Some(acting) = acting {
        tracing::warn!(
            worker = acting.worker,
            "a worker that settles runs is at work, so this one, which only observes, takes nothing up"
        );
    } else {
        tracing::info!("no worker that settles runs is at work, so this one observes");
    }
}

fn tell_of_other_settings(shared: &Shared, own: &Judge, others: &[Judge]) {
    let differs = |other: &&Judge| other.ruleset == own.ruleset && !other.agrees_with(own);
    let other = others.iter().find(differs);
    let was_so = shared
        .others_differ
        .swap(other.is_some(), Ordering::Relaxed);
    if let Some(other) = other.filter(|_| !was_so) {
        tracing::warn!(
            worker = other.worker,
            settings = other.policy_digest,
            own = own.policy_digest,
            "another worker judges by other settings of [rules]; which verdict a run gets is left to chance"
        );
    }
}
