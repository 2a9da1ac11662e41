//! Connections that cannot write, and the one thing that may be asked for.

use jiff::Timestamp;
use reconciler_jobs::ids::RunId;
use reconciler_jobs::trace::TraceContext;

use crate::storage::connect::{connect, connect_to_read};
use crate::storage::connection::EitherRow;
use crate::storage::error::StoreError;
use crate::storage::limits::{Access, Limits};
use crate::storage::model::Backend;
use crate::storage::settle::{Transactions as _, finish};
use crate::storage::statement::{Statement, Value};
use crate::storage::store::{EitherDatabase, Store};

/// Opens the database that `url` names, to look at it and for nothing else.
///
/// The URL is never part of an error: it may hold a password.
pub async fn open_reader(url: &str, limits: &Limits) -> Result<Reader, StoreError> {
    let database = connect_to_read(url, limits).await?;
    Ok(Reader { database })
}

/// Looks at a database, within a viewer's workspaces, and changes nothing. Clones share its connections.
#[derive(Debug, Clone)]
pub struct Reader {
    pub(in crate::storage) database: EitherDatabase,
}

impl Reader {
    /// Which database this is.
    pub fn backend(&self) -> Backend {
        self.database.backend()
    }

    /// The database's clock. Fails where the database is away.
    pub async fn now(&self) -> Result<Timestamp, StoreError> {
        let tx = self.database.begin_read().await?;
        let now = tx.as_of();
        finish(tx, Ok(now)).await
    }

    /// Every row that one statement returns, in a transaction of its own.
    pub(super) async fn fetch_all<R: EitherRow>(
        &self,
        statement: Statement,
        values: &[Value<'_>],
    ) -> Result<Vec<R>, StoreError> {
        let mut tx = self.database.begin_read().await?;
        let rows = tx.driver().fetch_all(statement, values).await;
        finish(tx, rows).await
    }
}

/// Asks for runs to be looked at. Whoever has this can do nothing else.
#[derive(Debug, Clone)]
pub struct Requests(Store);

impl Requests {
    /// Asks for a run; whether it is open, and so was asked for. Where a job that asks for it is not finished,
    /// none is added; else the job belongs to `trace`.
    ///
    /// Nobody is asked whether the run may be seen: that is for the caller to know.
    pub async fn request(
        &self,
        run: RunId,
        cause: &str,
        trace: Option<TraceContext>,
    ) -> Result<bool, StoreError> {
        self.0.request_once(run, cause, trace).await
    }
}

/// Opens the database that `url` names, to ask for runs and for nothing else, over one connection.
pub async fn open_requests(url: &str, limits: &Limits) -> Result<Requests, StoreError> {
    let limits = Limits {
        connections_max: 1,
        ..*limits
    };
    let store = connect(url, Access::Write, &limits).await?;
    Ok(Requests(store))
}

impl Store {
    /// Reads through this store's own connections, each answer in a transaction that cannot write.
    pub fn reader(&self) -> Reader {
        Reader {
            database: self.database.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use sqlx::error::DatabaseError;

    use super::*;
    use crate::storage::sqlite::SqliteStore;

    const PREPARE: &str = "CREATE TABLE written (id INTEGER)";
    const WRITE: &str = "INSERT INTO written VALUES (1)";

    #[tokio::test]
    async fn files_that_are_looked_at_cannot_be_written_to() {
        let directory = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", directory.path().join("file.sqlite").display());
        let limits = Limits::default();
        let owner = SqliteStore::connect(&url, Access::Create, &limits)
            .await
            .unwrap();
        for file in [owner.pool(), owner.queue()] {
            sqlx::query(PREPARE).execute(file).await.unwrap();
            sqlx::query(WRITE).execute(file).await.unwrap();
        }
        let store = SqliteStore::connect(&url, Access::Read, &limits)
            .await
            .unwrap();
        for file in [store.pool(), store.queue()] {
            let refused = sqlx::query(WRITE).execute(file).await.unwrap_err();
            let code = refused.as_database_error().and_then(DatabaseError::code);
            assert_eq!(code.as_deref(), Some("8"), "{refused}");
        }
    }
}
