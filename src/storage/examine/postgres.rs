//! What `doctor` looks at on PostgreSQL.

use super::Check;
use crate::storage::error::{During as _, StoreError};
use crate::storage::postgres::PostgresStore;

pub(in crate::storage) async fn examine(store: &PostgresStore) -> Result<Vec<Check>, StoreError> {
    sqlx::query("SELECT 1")
        .execute(store.pool())
        .await
        .during("reach the database")?;
    Ok(Vec::new())
}
