//! Whether this role may do what a worker does, and finds what that needs: looked at all the time, said once per change.
//!
//! Whoever has nothing to do would not notice that a right was revoked, or a schema renamed, and whoever has is told of the
//! first thing alone that is refused. The catalogue knows all of it, and is all that is read.

use std::sync::Arc;
use std::time::Duration;

use reconciler_jobs::sweep::admission::SettlingMode;

use super::shared::Shared;
use crate::doctor::{self, Purpose};

/// How often it is looked at: some 10 ms of the server each.
const LOOK_EVERY: Duration = Duration::from_secs(8);

/// How long until it is asked whether the database is there by now.
const WAIT_EVERY: Duration = Duration::from_millis(100);

/// How long an answer may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// How many things are named.
const NAMED_MAX: usize = 10;

/// Looks until the process stops.
pub(super) async fn keep_looking(shared: Arc<Shared>) {
    let mut said = Vec::new();
    let purpose = match shared.options.settling.admission.mode() {
        SettlingMode::Observe => Purpose::Observer,
        SettlingMode::Act | SettlingMode::ActInPart => Purpose::Worker,
    };
    loop {
        let wait = if shared.health.database_answers() {
            let looking = doctor::find_lacks(&shared.store, purpose);
            match tokio::time::timeout(ANSWER_WITHIN, looking).await {
                Ok(Ok(lacks)) => {
                    shared.health.rights(lacks.is_empty());
                    if lacks != said {
                        tell(&lacks);
                    }
                    said = lacks;
                }
                Ok(Err(error)) => tracing::debug!(%error, "rights could not be looked at"),
                Err(_) => tracing::debug!("rights could not be looked at in time"),
            }
            LOOK_EVERY
        } else {
            WAIT_EVERY
        };
        if shared.pause(wait).await.is_err() {
            return;
        }
    }
}

fn tell(lacks: &[(String, Option<String>)]) {
    if lacks.is_empty() {
        tracing::info!("all that a worker needs is there and granted again");
        return;
    }
    let some = lacks.iter().take(NAMED_MAX);
    let what: Vec<&str> = some.clone().map(|(what, _)| what.as_str()).collect();
    let grants: Vec<&str> = some.filter_map(|(_, grant)| grant.as_deref()).collect();
    let others = lacks.len().saturating_sub(NAMED_MAX);
    tracing::warn!(
        lacks = what.join("; "),
        others,
        advice = if grants.is_empty() {
            "Run `restore-reconciler doctor`.".to_owned()
        } else {
            grants.join(" ")
        },
        "this role lacks what a worker needs"
    );
}
