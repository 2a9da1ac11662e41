//! Whether what the database shows may be trusted: looked at all the time, said once per change.
//!
//! A settlement asks by itself which version our schema has, whose the platform is and whether rows may be hidden. This loop
//! keeps the worker from taking up what it would have to give back, and lets it go on. Whether evidence is dated hours off, or
//! a leg of the proof never held, is a habit of many rows, and looked at rarely.

use std::sync::Arc;
use std::time::Duration;

use super::shared::Shared;
use crate::clock::Stopwatch;
use crate::health::{Obstacle, Schema};
use crate::storage::{Distrust, ErrorKind, StoreError};

/// How often it is asked what settlements ask.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// How often moments are sampled, and how often while they are found to be off, so that a worker goes on soon.
const SAMPLE_EVERY: Duration = Duration::from_mins(5);
const SAMPLE_AGAIN_EVERY: Duration = Duration::from_secs(10);

/// How long a commit waits for a standby before nothing else is settled, and how many looks then have to find none that waits
/// for long before that ends. Each worker commits every other second by which rules it judges.
const UNCONFIRMED_AFTER: Duration = Duration::from_secs(3);
const STILL_UNCONFIRMED_AFTER: Duration = Duration::from_millis(500);
const CONFIRMED_LOOKS: u32 = 3;

/// How often restores that ended are surveyed, and how often while a leg is found that never held.
const SURVEY_EVERY: Duration = Duration::from_hours(24);
const SURVEY_AGAIN_EVERY: Duration = Duration::from_secs(10);

/// How long an answer may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// Looks until the process stops.
pub(super) async fn keep_examining(shared: Arc<Shared>) {
    let settling = &shared.options.settling;
    let (mut sampled, mut surveyed) = (None, None);
    let (mut was_silent, mut survey_fails) = (false, false);
    let mut confirmed = CONFIRMED_LOOKS;
    loop {
        // Nothing is taken up before the first look, so that it waits for nothing else.
        tokio::select! {
            () = shared.stop.cancelled() => return,
            () = shared.health.database_up() => {}
        }
        let is_confirmed = are_commits_confirmed(&shared, &mut confirmed).await;
        let is_known = !is_confirmed || look_as_settlements(&shared).await;
        let looking = shared.store.find_shift();
        let every = (SAMPLE_EVERY, SAMPLE_AGAIN_EVERY);
        sample(
            &shared,
            &mut sampled,
            Obstacle::ShiftedTimes,
            every,
            looking,
        )
        .await;
        // Whoever settles nothing may look at whatever there is.
        if settling.admission.acts {
            survey(&shared, &mut surveyed, &mut survey_fails).await;
        }
        if shared.stop.is_cancelled() {
            return;
        }
        let is_silent =
            !is_known || sampled.is_none() || settling.admission.acts && surveyed.is_none();
        if is_silent && !was_silent {
            tracing::warn!(
                "the database does not say whether proof can be trusted, so nothing is taken up yet: a lock on the \
                 platform's tables, or a slow view, may be why"
            );
        }
        was_silent = is_silent;
        if !is_silent {
            shared.health.obstacle(Obstacle::Unexamined, false);
        }
        if shared.pause(LOOK_EVERY).await.is_err() {
            return;
        }
    }
}

/// Whether no commit waits for a synchronous standby, as it was found so often in a row.
async fn are_commits_confirmed(shared: &Shared, looks: &mut u32) -> bool {
    let is_waiting = *looks < CONFIRMED_LOOKS;
    let wait = if is_waiting {
        STILL_UNCONFIRMED_AFTER
    } else {
        UNCONFIRMED_AFTER
    };
    let looking = shared.store.waits_for_standby(wait);
    match tokio::time::timeout(ANSWER_WITHIN, looking).await {
        Ok(Ok(true)) => *looks = 0,
        Ok(Ok(false)) => *looks = looks.saturating_add(1),
        Ok(Err(_)) | Err(_) => {} // whoever shows that this worker is alive says so
    }
    let is_confirmed = *looks >= CONFIRMED_LOOKS;
    if !is_confirmed {
        shared.found_by_settlements(Some(&Distrust::Unconfirmed));
    }
    is_confirmed
}

/// Asks what settlements ask, notes what was found, and returns whether there was an answer. What is refused here is refused
/// to each settlement.
async fn look_as_settlements(shared: &Shared) -> bool {
    let looking = tokio::time::timeout(ANSWER_WITHIN, shared.store.find_obstacle()).await;
    let is_known = match &looking {
        Ok(Ok(found)) => {
            shared.found_by_settlements(found.as_ref());
            shared.refused(Obstacle::Unusable, None);
            shared.health.schema(schema_of(found.as_ref()));
            true
        }
        Ok(Err(error)) if error.is_about_tables() => {
            shared.refused(Obstacle::Unusable, Some(error));
            shared.health.schema(Schema::Unreadable);
            true
        }
        Ok(Err(error)) => {
            tracing::debug!(%error, "whether proof can be trusted could not be examined");
            error.kind() != ErrorKind::Transient
        }
        Err(_) => false,
    };
    if !is_known || shared.health.is_obstructed_by(Obstacle::NoSessions) {
        // A limit that lets it work is in nobody's way.
        let refused = if is_known && shared.store.lends_sessions().await {
            None
        } else {
            shared.refused_session().await
        };
        shared.refused(Obstacle::NoSessions, refused.as_ref());
    }
    is_known
}

fn schema_of(found: Option<&Distrust>) -> Schema {
    match found {
        Some(Distrust::OtherSchema { found, known }) if found > known => Schema::Newer,
        Some(Distrust::OtherSchema { .. }) => Schema::Older,
        _ => Schema::Fits,
    }
}

/// Looks for a habit of many rows if it is time to, and notes when to do so again: rarely, and soon where it is found.
async fn sample(
    shared: &Shared,
    last: &mut Option<(Stopwatch, Duration)>,
    obstacle: Obstacle,
    (rarely, soon): (Duration, Duration),
    looking: impl Future<Output = Result<Option<Distrust>, StoreError>>,
) {
    let is_due = last.is_none_or(|(since, every)| since.elapsed() >= every);
    if !is_due {
        return;
    }
    let note = |found: Option<&Distrust>| shared.found(obstacle, found);
    let is_answered = tokio::select! {
        () = shared.stop.cancelled() => return,
        is_answered = look(looking, note) => is_answered,
    };
    if is_answered {
        let is_found = shared.health.is_obstructed_by(obstacle);
        let every = if is_found { soon } else { rarely };
        *last = Some((Stopwatch::start(), every));
    }
}

/// Surveys restores if it is time to. One that fails has found nothing out, and is tried again: a worker that acted before
/// goes on meanwhile, and one that has just started waits. One that takes too long would do so again: nobody waits for it.
async fn survey(shared: &Shared, last: &mut Option<(Stopwatch, Duration)>, fails: &mut bool) {
    if last.is_some_and(|(since, every)| since.elapsed() < every) {
        return;
    }
    let surveying = shared.store.find_unheld(&shared.options.settling.policy);
    let within = shared.options.worker.attempt_timeout;
    let surveyed = tokio::select! {
        () = shared.stop.cancelled() => return,
        surveyed = tokio::time::timeout(within, surveying) => surveyed,
    };
    let error = match surveyed {
        Ok(Ok(found)) => {
            shared.found(Obstacle::NeverHeld, found.as_ref());
            let every = if found.is_some() {
                SURVEY_AGAIN_EVERY
            } else {
                SURVEY_EVERY
            };
            *last = Some((Stopwatch::start(), every));
            *fails = false;
            return;
        }
        Ok(Err(error)) => error.to_string(),
        Err(_) => {
            tracing::warn!(
                "restores that ended were not surveyed in time, so runs are settled as if nothing had been found; \
                 `doctor --survey` takes as long as it needs"
            );
            *last = Some((Stopwatch::start(), SURVEY_EVERY));
            return;
        }
    };
    if let Some(last) = last {
        *last = (Stopwatch::start(), SURVEY_AGAIN_EVERY);
    }
    if !*fails && shared.health.database_is_up() {
        tracing::warn!(
            error,
            "restores that ended cannot be surveyed, which is tried again; a worker that has not acted yet waits for it"
        );
        *fails = true;
    }
}

/// Notes what was found, and returns whether there was an answer. What fails in passing is asked again; what else is wrong
/// with the database is said by whoever settles.
async fn look(
    looking: impl Future<Output = Result<Option<Distrust>, StoreError>>,
    note: impl Fn(Option<&Distrust>),
) -> bool {
    match tokio::time::timeout(ANSWER_WITHIN, looking).await {
        Ok(Ok(found)) => {
            note(found.as_ref());
            true
        }
        Ok(Err(error)) => {
            tracing::debug!(%error, "whether proof can be trusted could not be examined");
            error.kind() != ErrorKind::Transient
        }
        Err(_) => false,
    }
}
