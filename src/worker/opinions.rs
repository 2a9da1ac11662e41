//! Second opinions, formed while nothing else needs the database: a part at a time, by one worker at a time.

use std::sync::Arc;
use std::time::Duration;

use super::shared::Shared;
use crate::clock::Stopwatch;
use crate::metrics::OPINIONS;
use crate::storage::{ErrorKind, OpinionPart, OpinionScope, StoreError};

/// How long until it is looked again for runs that somebody closed, where all were judged.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// How many times as long as a part took is waited before the next, so that most of the time is left to settlements.
const PAUSES_PER_PART: u32 = 4;

/// What trying to form a part of the opinions came to.
enum Tried {
    /// Not now: there is nothing to do, or something is in the way.
    Nothing,
    Formed(OpinionPart),
    /// Perhaps because of one of the runs.
    Refused(String),
    Failed(StoreError),
}

/// Forms opinions until the process stops.
pub(super) async fn keep_forming(shared: Arc<Shared>) {
    let window = Duration::try_from(shared.options.sweep.opinions_window).unwrap_or_default();
    let mut scope = OpinionScope::new(window);
    let mut is_failing = false;
    loop {
        let since_start = Stopwatch::start();
        // What is dropped is undone.
        let tried = tokio::select! {
            () = shared.stop.cancelled() => return,
            tried = form(&shared, scope) => tried,
        };
        let took = since_start.elapsed();
        let mut wait = LOOK_EVERY;
        match tried {
            Tried::Nothing => {}
            Tried::Formed(part) => {
                is_failing = false;
                scope.passes = false;
                scope.judged_max = (scope.judged_max * 2).min(OpinionScope::JUDGED_MAX);
                note(&part);
                if !part.is_over {
                    wait = took * PAUSES_PER_PART;
                }
            }
            Tried::Refused(error) => {
                tracing::debug!(error, "fewer runs are judged together");
                scope.passes = scope.judged_max == 1;
                scope.judged_max = (scope.judged_max / 2).max(1);
            }
            Tried::Failed(error) => {
                // Said once: verdicts do not wait for it.
                if !is_failing && shared.health.database_is_up() {
                    tracing::warn!(
                        %error,
                        advice = error.advice(),
                        "no opinions are formed on runs that others closed"
                    );
                }
                is_failing = true;
            }
        }
        if shared.rest(wait).await.is_err() {
            return;
        }
    }
}

fn note(part: &OpinionPart) {
    for (claimed, stance) in &part.kept {
        OPINIONS.add([claimed.word(), stance.word()], 1);
    }
    for run in &part.passed {
        tracing::warn!(
            { { crate::telemetry::names::RUN_ID } = run.0 },
            "a run that somebody else closed cannot be judged, and gets no opinion"
        );
    }
}

async fn form(shared: &Shared, scope: OpinionScope) -> Tried {
    if scope.window.is_zero() || shared.health.is_obstructed() || !shared.health.database_is_up() {
        return Tried::Nothing;
    }
    let policy = &shared.options.settling.policy;
    let forming = shared.store.form_opinions(policy, scope);
    let limit = shared.options.worker.attempt_timeout;
    match tokio::time::timeout(limit, forming).await {
        Ok(Ok(None)) => Tried::Nothing,
        Ok(Ok(Some(part))) => Tried::Formed(part),
        Ok(Err(error)) if error.kind() == ErrorKind::Refused => Tried::Refused(error.to_string()),
        Ok(Err(error)) => Tried::Failed(error),
        Err(_) => Tried::Refused("it took too long".to_owned()),
    }
}
