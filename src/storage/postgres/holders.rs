//! Who has the locks that somebody waits for, so that nobody waits without knowing for whom.

use sqlx::postgres::PgPool;

use crate::storage::error::{During as _, Held, StoreError};

/// What is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Awaited {
    /// What is ours, or what triggers of ours are on.
    Ours,
    /// What is ours, and the platform's tables that triggers are put on.
    Platform,
    /// The turn to migrate.
    Turn,
}

/// Who has locks on it.
pub(super) async fn find(
    pool: &PgPool,
    of: Awaited,
    step: &'static str,
) -> Result<String, StoreError> {
    let of = match of {
        Awaited::Ours => "ours",
        Awaited::Platform => "platform",
        Awaited::Turn => "turn",
    };
    let found = sqlx::query_scalar(include_str!("sql/find_holders.sql")).bind(of);
    found.fetch_one(pool).await.during(step)
}

/// What was done within the time that a lock may be waited for. Where it was not to be had, the error is fatal, and says
/// who has it.
pub(super) async fn named<T>(
    done: Result<T, StoreError>,
    pool: &PgPool,
    of: Awaited,
    step: &'static str,
) -> Result<T, StoreError> {
    match done {
        Err(error) if error.is_about_lock() => match find(pool, of, step).await {
            Ok(holders) => Err(StoreError::fatal(step, Held { holders })),
            Err(_) => Err(error),
        },
        done => done,
    }
}
