//! Looks at a database the way an operator would before trusting it.
//!
//! An examination expects nothing: the database may be half migrated, of another product, read-only,
//! or closed to this role. Facts are read from the catalogue, which every role may read, and judged
//! by pure functions.
//!
//! **Invariants:** an examination writes nothing. Whatever is missing is a [`Check`]; only a lost
//! connection is an error.

mod check;
mod indexes;
pub mod needs;
mod postgres;
mod sqlite;

use crate::storage::{Driver, Store, StoreError};

pub use check::{Check, Level};

/// Examines the database behind a store.
pub async fn examine(store: &Store) -> Result<Vec<Check>, StoreError> {
    match store.driver() {
        Driver::Postgres(pool) => postgres::examine(store, pool).await,
        Driver::Sqlite(pool) => sqlite::examine(store, pool).await,
    }
}
