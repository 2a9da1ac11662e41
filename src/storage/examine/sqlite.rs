//! What `doctor` looks at on SQLite.

use super::Check;
use crate::storage::StoreError;
use crate::storage::sqlite::SqliteStore;

pub(in crate::storage) async fn examine(store: &SqliteStore) -> Result<Vec<Check>, StoreError> {
    let _ = store.pool();
    Ok(Vec::new())
}
