//! What `doctor` looks at on PostgreSQL.

use super::Check;
use crate::storage::StoreError;
use crate::storage::postgres::PostgresStore;

pub(in crate::storage) async fn examine(store: &PostgresStore) -> Result<Vec<Check>, StoreError> {
    let _ = store.pool();
    Ok(Vec::new())
}
