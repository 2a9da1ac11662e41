//! Triggers on two of the platform's tables, for those who asked for them.
//!
//! **Invariant:** a trigger never fails the write that fires it, and never stands in the way of the platform's
//! migrations. The next sweep finds what a trigger missed.

use super::PostgresStore;
use crate::storage::error::StoreError;
use crate::storage::statement::Statement;

/// Adds the triggers, or removes them with all that belongs to them.
pub(in crate::storage) async fn set(store: &PostgresStore, wanted: bool) -> Result<(), StoreError> {
    let (step, statements): (_, &[&'static str]) = if wanted {
        (
            "add triggers to the platform's tables",
            &[
                include_str!("sql/triggers/create_function.sql"),
                include_str!("sql/triggers/watch_restores.sql"),
                include_str!("sql/triggers/watch_evidence.sql"),
            ],
        )
    } else {
        (
            "remove the triggers from the platform's tables",
            &[include_str!("sql/triggers/remove.sql")],
        )
    };
    let mut tx = store.begin().await?;
    for statement in statements {
        let statement = Statement::of_postgres(step, statement);
        tx.driver().execute(statement, &[]).await?;
    }
    tx.commit().await
}
