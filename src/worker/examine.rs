//! Whether what the database shows may be trusted: looked at all the time, said once per change.
//!
//! A settlement asks by itself. This loop keeps the worker from taking up what it would have to give back, and lets it go
//! on.

use std::sync::Arc;
use std::time::Duration;

use super::shared::Shared;
use crate::health::Obstacle;

/// How often the database is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// How long an answer may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// Looks until the process stops.
pub(super) async fn keep_examining(shared: Arc<Shared>) {
    loop {
        if shared.health.database_is_up() {
            // What fails is asked again; what else is wrong with the database is said by whoever settles.
            let looking = shared.store.find_distrust();
            if let Ok(Ok(found)) = tokio::time::timeout(ANSWER_WITHIN, looking).await {
                shared.found(Obstacle::HiddenRows, found.as_ref());
                shared.health.obstacle(Obstacle::Unexamined, false);
            }
        }
        if shared.pause(LOOK_EVERY).await.is_err() {
            return;
        }
    }
}
