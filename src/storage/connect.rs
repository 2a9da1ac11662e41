//! Opens a store by URL. The one place that chooses between the databases.

use std::sync::Arc;
use std::time::Duration;

use super::Store;
use super::error::StoreError;
use super::postgres::PostgresStore;
use super::sqlite::SqliteStore;
use super::standin::Standin;

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Reading and writing an existing database.
    Write,
    /// Reading only; on SQLite the file is opened so that nothing could be written.
    Read,
    /// As [`Self::Write`]; a SQLite file that does not exist is created.
    Create,
}

/// Limits on what one program takes from the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Connections at the same time.
    pub connections_max: u32,
    /// How long to wait for a connection.
    pub connect_timeout: Duration,
    /// How long one statement may take. On SQLite nothing corresponds to it.
    pub statement_timeout: Duration,
    /// How long to wait for a lock that somebody else holds.
    pub lock_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_max: 4,
            connect_timeout: Duration::from_secs(10),
            statement_timeout: Duration::from_mins(1),
            lock_timeout: Duration::from_secs(5),
        }
    }
}

/// Connects to the database that `url` names, by its scheme: `postgres`, `postgresql` or `sqlite`.
///
/// The URL is never part of an error: it may hold a password.
pub async fn connect(
    url: &str,
    access: Access,
    limits: &Limits,
) -> Result<Arc<dyn Store>, StoreError> {
    Ok(connect_standin(url, access, limits).await?)
}

/// As [`connect`], for a database whose platform tables are a stand-in, or are about to be.
pub async fn connect_standin(
    url: &str,
    access: Access,
    limits: &Limits,
) -> Result<Arc<dyn Standin>, StoreError> {
    match url.split_once(':').map(|(scheme, _)| scheme) {
        Some("postgres" | "postgresql") => Ok(Arc::new(PostgresStore::connect(url, limits).await?)),
        Some("sqlite") => Ok(Arc::new(SqliteStore::connect(url, access, limits).await?)),
        _ => Err(StoreError::fatal(
            "choose a database",
            "the URL must begin with postgres:// or sqlite:",
        )),
    }
}
