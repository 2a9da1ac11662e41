//! Opens a store by URL. The one place that chooses between the databases.

use std::sync::Arc;

use super::Store;
use super::error::StoreError;
use super::limits::{Access, Limits};
use super::postgres::PostgresStore;
use super::sqlite::SqliteStore;

/// Connects to the database that `url` names, by its scheme: `postgres`, `postgresql` or `sqlite`.
///
/// The URL is never part of an error: it may hold a password.
pub async fn connect(
    url: &str,
    access: Access,
    limits: &Limits,
) -> Result<Arc<dyn Store>, StoreError> {
    match url.split_once(':').map(|(scheme, _)| scheme) {
        Some("postgres" | "postgresql") => Ok(Arc::new(PostgresStore::connect(url, limits).await?)),
        Some("sqlite") => Ok(Arc::new(SqliteStore::connect(url, access, limits).await?)),
        _ => Err(no_database()),
    }
}

/// Of a URL of some other kind.
pub(super) fn no_database() -> StoreError {
    StoreError::fatal(
        "choose a database",
        "the URL must begin with postgres:// or sqlite:",
    )
}
