//! Whether the database is there. Asked all the time, said once per change.
//!
//! The question is also a sign of life: apalis sends none while jobs wait in its buffer, and a worker that waits would be taken for dead, and its jobs from it.

use std::sync::Arc;
use std::time::Duration;

use super::shared::Shared;
use crate::health::{DatabaseState, NO_SESSION};
use crate::metrics::{DATABASE_UP, RECONNECTS};
use crate::storage::StoreError;

/// How often the database is asked.
const ASK_EVERY: Duration = Duration::from_millis(500);

/// How long an answer may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);

/// Watches the database until the process stops, or cannot go on.
pub(super) async fn keep_watch(shared: Arc<Shared>) {
    let mut last = DatabaseState::Up;
    let mut was_away = false;
    loop {
        let (found, error) = match ask(&shared).await {
            Ok(answer) => answer,
            Err(error) => {
                let why = "it is not the one that was opened; the log says what to do";
                shared.health.database(DatabaseState::Away { why });
                DATABASE_UP.set([], 0.0);
                tracing::error!(%error, advice = error.advice(), "the worker cannot go on");
                return;
            }
        };
        let is_up = found == DatabaseState::Up;
        DATABASE_UP.set([], f64::from(u8::from(is_up)));
        RECONNECTS.add([], u64::from(is_up && was_away));
        was_away = !is_up;
        let is_refusal = matches!(found, DatabaseState::Refuses { .. }) && found != last;
        last = found;
        if shared.health.database(found) || is_refusal {
            match error {
                None => tracing::info!("the database is there"),
                Some(Complaint { error, advice }) if is_refusal => tracing::warn!(
                    error,
                    advice,
                    "the database takes no sign of life; waiting until it does"
                ),
                Some(Complaint { error, .. }) => {
                    tracing::warn!(error, "the database is away; waiting for it");
                }
            }
        }
        if shared.pause(ASK_EVERY).await.is_err() {
            return;
        }
    }
}

/// What the log says of an answer.
struct Complaint {
    error: String,
    advice: Option<&'static str>,
}

impl From<StoreError> for Complaint {
    fn from(error: StoreError) -> Self {
        Self {
            error: error.to_string(),
            advice: error.advice(),
        }
    }
}

/// What was found, and the error if there was one. Fails where this process cannot go on.
async fn ask(shared: &Shared) -> Result<(DatabaseState, Option<Complaint>), StoreError> {
    let workers = shared.workers();
    let alive = shared.store.keep_alive(&workers);
    let (found, said) = match tokio::time::timeout(ANSWER_WITHIN, alive).await {
        Ok(Ok(())) => return Ok((DatabaseState::Up, None)),
        Ok(Err(error)) if error.needs_restart() => return Err(error),
        Ok(Err(error)) if error.is_about_lock() => {
            let why = "somebody holds a lock on the queue's tables, so that no sign of life can be written";
            (DatabaseState::Away { why }, Complaint::from(error))
        }
        Ok(Err(error)) if error.is_read_only() => {
            let why = "the server is read-only, as a standby is until it is promoted";
            (DatabaseState::Away { why }, Complaint::from(error))
        }
        Ok(Err(error)) if error.is_about_tables() => {
            let why = "the queue's tables are not there, or this role may not write to them; the log says why, and \
                       `restore-reconciler doctor` what to do";
            (DatabaseState::Refuses { why }, Complaint::from(error))
        }
        silent => {
            // The driver repeats what is refused so until its time is up, and tells of that alone.
            if let Some(error) = shared.refused_session().await {
                let why = NO_SESSION;
                return Ok((DatabaseState::Refuses { why }, Some(Complaint::from(error))));
            }
            let (why, error) = match silent {
                Ok(answer) => ("it cannot be asked", answer.err().map(Complaint::from)),
                Err(_) => ("it does not answer in time", None),
            };
            let silence = || Complaint {
                error: format!("no answer within {} s", ANSWER_WITHIN.as_secs()),
                advice: None,
            };
            (DatabaseState::Away { why }, error.unwrap_or_else(silence))
        }
    };
    Ok((found, Some(said)))
}
