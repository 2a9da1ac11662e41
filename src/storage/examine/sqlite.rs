//! What `doctor` looks at on SQLite.

use super::Check;
use crate::storage::error::{During as _, StoreError};
use crate::storage::sqlite::SqliteStore;

pub(in crate::storage) async fn examine(store: &SqliteStore) -> Result<Vec<Check>, StoreError> {
    sqlx::query("SELECT 1")
        .execute(store.pool())
        .await
        .during("reach the database")?;
    Ok(Vec::new())
}
