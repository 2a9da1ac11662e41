//! Triggers on two of the platform's tables, for those who asked for them.
//!
//! **Invariant:** a trigger never fails the write that fires it, and never stands in the way of the platform's
//! migrations. The next sweep finds what a trigger missed.

use sqlx::raw_sql;

use super::PostgresStore;
use super::holders::LockWaiter;
use crate::storage::connection::Connection;
use crate::storage::error::{During as _, Result};

/// Adds the triggers, or removes them with all that belongs to them.
pub(in crate::storage) async fn set(store: &PostgresStore, wanted: bool) -> Result<()> {
    let (step, script) = if wanted {
        (
            "add triggers to the platform's tables",
            include_str!("sql/add_triggers.sql"),
        )
    } else {
        (
            "remove the triggers from the platform's tables",
            include_str!("sql/remove_triggers.sql"),
        )
    };
    let mut tx = store.begin().await?;
    if let Connection::Postgres(connection) = tx.driver() {
        let waiter = LockWaiter::of(&mut *connection, step).await?;
        let setting = async { raw_sql(script).execute(connection).await.during(step) };
        waiter.naming(&store.pool, step, setting).await?;
    }
    tx.commit().await
}
