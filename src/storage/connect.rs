//! Opens a store by URL. The one place that chooses between the databases.

use super::database::EitherDatabase;
use super::error::{Result, StoreError};
use super::limits::{Access, Limits};
use super::model::Backend;
use super::postgres::{self, PostgresStore};
use super::sqlite::SqliteStore;
use super::store::Store;

/// Connects to the database that `url` names, by its scheme: `postgres`, `postgresql`, `pgsql` or `sqlite`.
///
/// The URL is never part of an error: it may hold a password.
pub async fn connect(url: &str, access: Access, limits: &Limits) -> Result<Store> {
    let database = open(url, access, &[], limits).await?;
    Ok(Store { database })
}

/// Connects like [`connect`], but nothing can be written through it, whatever is sent: on PostgreSQL sessions refuse it by
/// themselves, not only transactions.
pub(super) async fn connect_to_read(url: &str, limits: &Limits) -> Result<EitherDatabase> {
    open(url, Access::Read, &[postgres::READ_ONLY], limits).await
}

async fn open(
    url: &str,
    access: Access,
    settings: &[(&str, &str)],
    limits: &Limits,
) -> Result<EitherDatabase> {
    Ok(match scheme_of(url)? {
        Backend::Postgres => {
            EitherDatabase::Postgres(PostgresStore::connect(url, settings, limits).await?)
        }
        Backend::Sqlite => EitherDatabase::Sqlite(SqliteStore::connect(url, access, limits).await?),
    })
}

/// That `url` names a database in a way that can be followed, whether or not it is there.
pub fn check_url(url: &str) -> Result<()> {
    match scheme_of(url)? {
        Backend::Postgres => postgres::address_of(url).map(drop),
        Backend::Sqlite => Ok(()),
    }
}

fn scheme_of(url: &str) -> Result<Backend> {
    Backend::of_url(url).ok_or_else(|| {
        StoreError::fatal(
            "choose a database",
            "the URL must begin with postgres:// or sqlite:",
        )
    })
}
