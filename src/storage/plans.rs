//! Plans that sessions keep of statements, and that stop fitting when tables are dropped and made again under a
//! running process, as by a dump that is restored. The server then refuses the statement in that session for ever, so no
//! session is lent any more that is older than the latest such refusal.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sqlx::error::DatabaseError;
use sqlx::postgres::PgDatabaseError;

use crate::clock::Stopwatch;

/// Where PostgreSQL finds that a plan has another result than it had.
const REVALIDATES: &str = "RevalidateCachedQuery";

/// What moments are measured from.
static BEGAN: LazyLock<Stopwatch> = LazyLock::new(Stopwatch::start);

/// The latest refusal of any pool, in milliseconds. One too many sessions that are closed cost a moment each.
static REFUSED_AT: AtomicU64 = AtomicU64::new(0);

/// Whether the server refuses a statement for what the session remembers of it.
pub(super) fn is_refusal(error: &dyn DatabaseError) -> bool {
    let Some(error) = error.try_downcast_ref::<PgDatabaseError>() else {
        return false;
    };
    match error.code() {
        // By the place, because the message may be in any language.
        "0A000" => error.routine() == Some(REVALIDATES),
        // Internal errors are not translated.
        "XX000" => error.message().starts_with("cache lookup failed for type"),
        _ => false,
    }
}

/// Remembers such a refusal.
pub(super) fn note_refusal() {
    REFUSED_AT.fetch_max(milliseconds(BEGAN.elapsed()).max(1), Ordering::Relaxed);
}

/// Whether a session of this age may remember plans that no longer fit.
pub(super) fn may_be_outdated(age: Duration) -> bool {
    let opened_at = milliseconds(BEGAN.elapsed().saturating_sub(age));
    opened_at < REFUSED_AT.load(Ordering::Relaxed)
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
