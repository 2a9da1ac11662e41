//! Which rules the workers judge by: says its own, and tells of others that differ.
//!
//! A loop of its own, so that no sign of life waits for it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::shared::Shared;
use crate::health::Obstacle;
use crate::storage::{Judge, StoreError};

/// How often a worker says which rules it judges by, and hears of the others.
const COMPARE_EVERY: Duration = Duration::from_secs(2);

/// How long an answer may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);

/// Compares until the process stops.
pub(super) async fn keep_comparing(shared: Arc<Shared>) {
    let mut said = None;
    loop {
        // Until a migration has made the table there is nobody to be told; what fails is asked again.
        if shared.health.database_is_up()
            && let Ok(Ok((own, mut others))) =
                tokio::time::timeout(ANSWER_WITHIN, hear(&shared)).await
        {
            others.retain(Judge::settles);
            tell_of_newer_rules(&shared, &own, &others);
            if !own.settles() {
                give_way(&shared, others.first(), &mut said);
            }
            tell_of_other_settings(&shared, &own, &others);
        }
        if shared.pause(COMPARE_EVERY).await.is_err() {
            return;
        }
    }
}

/// Says, as the last thing, that this worker judges no more. Others would think so half a minute later.
pub(super) async fn withdraw(shared: &Shared) {
    let withdrawing = shared.store.withdraw_rules(shared.name.as_str());
    if let Ok(Err(error)) = tokio::time::timeout(ANSWER_WITHIN, withdrawing).await {
        tracing::debug!(%error, "others may think for half a minute that this worker still judges");
    }
}

/// A worker that settles nothing for a reason of its own does not keep others from it. Where commits wait for a standby, its
/// announcement shows whether they still do.
async fn hear(shared: &Shared) -> Result<(Judge, Vec<Judge>), StoreError> {
    let settling = &shared.options.settling;
    let own = Judge {
        next_sweep_at: *shared.next_sweep(),
        ..Judge::new(shared.name.as_str(), &settling.policy)?.in_mode(settling.admission.mode())
    };
    let is_only_outranked = |obstacles: &BTreeSet<_>| {
        let mut obstacles = obstacles.iter();
        obstacles.all(|it| {
            matches!(
                it,
                Obstacle::NewerRules | Obstacle::Beside | Obstacle::Unconfirmed
            )
        })
    };
    let obstacles = shared.health.watch_obstacles();
    let settles = !shared.health.cannot_settle() && is_only_outranked(&obstacles.borrow());
    if settles {
        shared.store.announce_rules(&own).await?;
    }
    Ok((own, shared.store.list_judges().await?))
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
