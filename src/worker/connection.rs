//! Whether the database is there. Asked all the time, said once per change.
//!
//! The question is also a sign of life: apalis sends none while jobs wait in its buffer, and a worker that waits would be taken for dead, and its jobs from it.

use std::cmp::Ordering;
use std::sync::Arc;
use std::time::Duration;

use super::shared::Shared;
use crate::health::{DatabaseState, Schema};
use crate::metrics::{DATABASE_UP, RECONNECTS};
use crate::storage::StoreError;

/// How often the database is asked.
const ASK_EVERY: Duration = Duration::from_millis(500);

/// Every how many questions the schema is judged.
const SCHEMA_EVERY: u32 = 60;

/// How long an answer may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);

/// Watches the database until the process stops, or cannot go on.
pub(super) async fn keep_watch(shared: Arc<Shared>) {
    let mut asked: u32 = 0;
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
        if shared.health.database(found) {
            match error {
                None => tracing::info!("the database is there"),
                Some(error) => tracing::warn!(error, "the database is away; waiting for it"),
            }
        }
        if is_up && asked.is_multiple_of(SCHEMA_EVERY) {
            judge_schema(&shared).await;
        }
        asked = asked.wrapping_add(1);
        if shared.pause(ASK_EVERY).await.is_err() {
            return;
        }
    }
}

/// A migration may happen under a running worker.
async fn judge_schema(shared: &Shared) {
    let known = shared.store.schema_version_known();
    let version = tokio::time::timeout(ANSWER_WITHIN, shared.store.schema_version()).await;
    if let Ok(Ok(found)) = version {
        shared
            .health
            .schema(match found.map(|found| found.cmp(&known)) {
                Some(Ordering::Equal) => Schema::Fits,
                Some(Ordering::Greater) => Schema::Newer,
                Some(Ordering::Less) | None => Schema::Older,
            });
    }
}

/// What was found, and the error if there was one. Fails where this process cannot go on.
async fn ask(shared: &Shared) -> Result<(DatabaseState, Option<String>), StoreError> {
    let (why, error) = match tokio::time::timeout(
        ANSWER_WITHIN,
        shared.store.keep_alive(&shared.workers()),
    )
    .await
    {
        Ok(Ok(())) => return Ok((DatabaseState::Up, None)),
        Ok(Err(error)) if error.needs_restart() => return Err(error),
        Ok(Err(error)) if error.is_about_lock() => (
            "somebody holds a lock on the queue's tables, so that no sign of life can be written",
            error.to_string(),
        ),
        Ok(Err(error)) if error.is_read_only() => (
            "the server is read-only, as a standby is until it is promoted",
            error.to_string(),
        ),
        Ok(Err(error)) => ("it cannot be asked", error.to_string()),
        Err(_) => (
            "it does not answer in time",
            format!("no answer within {ANSWER_WITHIN:?}"),
        ),
    };
    Ok((DatabaseState::Away { why }, Some(error)))
}
