//! Connections that cannot write, and the one thing that may be asked for.

use std::fmt;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use reconciler_jobs::ids::RunId;
use sqlx::FromRow;
use tokio::sync::OnceCell;

use crate::storage::connect::{connect, connect_to_read};
use crate::storage::database::EitherDatabase;
use crate::storage::error::{Result, StoreError, StoreFault};
use crate::storage::limits::{Access, Limits};
use crate::storage::model::{Action, Backend};
use crate::storage::statement::{Statement, statement};
use crate::storage::store::Store;

/// Opens the database that `url` names, to look at it and for nothing else.
///
/// The URL is never part of an error: it may hold a password.
pub async fn open_reader(url: &str, limits: &Limits) -> Result<Reader> {
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

    /// About how far behind its primary a standby was when it was read last; none where this is no standby. One for
    /// which nothing has changed for an hour cannot tell that from an hour's delay, and says an hour.
    pub fn behind(&self) -> Option<SignedDuration> {
        match &self.database {
            EitherDatabase::Postgres(database) => database.behind(),
            EitherDatabase::Sqlite(_) => None,
        }
    }

    /// Names the database, and on PostgreSQL its cluster: the same on a standby, and nowhere else.
    async fn which(&self) -> Result<Option<Which>> {
        const WHICH: Statement = statement!("ask which database it is", postgres "which_database");
        Ok(self.database.read_all(WHICH, &[]).await?.pop())
    }

    /// The database's clock. Fails where the database is away.
    pub async fn now(&self) -> Result<Timestamp> {
        self.database.now().await
    }
}

/// A database of a cluster.
#[derive(Debug, PartialEq, Eq, FromRow)]
struct Which {
    cluster: i64,
    database: String,
}

/// Asks for runs to be looked at, lets runs in trouble start over, and gives dead letters up. Whoever has this can do
/// nothing else. Clones share its connection.
#[derive(Debug, Clone)]
pub struct Requests {
    to: RequestTarget,
    /// What those who ask have seen, where that is not read from what is asked.
    seen: Option<Reader>,
    store: Arc<OnceCell<Store>>,
}

/// A database that may be asked.
#[derive(Clone)]
struct RequestTarget {
    url: String,
    limits: Limits,
}

impl RequestTarget {
    fn new(url: &str, limits: &Limits) -> Self {
        let limits = Limits {
            connections_max: 1,
            ..*limits
        };
        let url = url.to_owned();
        Self { url, limits }
    }

    async fn connect(&self) -> Result<Store> {
        connect(&self.url, Access::Write, &self.limits).await
    }
}

impl fmt::Debug for RequestTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestTarget").finish_non_exhaustive() // the URL may hold a password
    }
}

impl Requests {
    /// Asks for a run; whether it is open, and so was asked for. Where a job that asks for it is not finished,
    /// none is added; else the job belongs to the action's trace.
    ///
    /// Nobody is asked whether the run may be seen: that is for the caller to know. Fails where what is read is
    /// another database than the one that would be asked.
    pub async fn request(&self, run: RunId, action: &Action) -> Result<bool> {
        let store = self.store.get_or_try_init(|| self.open()).await?;
        store.request_once(run, action).await
    }

    /// Lets a run in trouble start over; whether it did. See [`Self::request`].
    pub async fn retry(&self, run: RunId, action: &Action) -> Result<bool> {
        let store = self.store.get_or_try_init(|| self.open()).await?;
        Ok(!store.retry(&[run], action).await?.is_empty())
    }

    /// Gives a dead letter up; whether it was one, and was not given up before. See [`Self::request`].
    pub async fn give_up(&self, run: RunId, action: &Action) -> Result<bool> {
        let store = self.store.get_or_try_init(|| self.open()).await?;
        Ok(!store.drop_dead_letters(&[run], action).await?.is_empty())
    }

    async fn open(&self) -> Result<Store> {
        let store = self.to.connect().await?;
        if let Some(seen) = &self.seen
            && seen.which().await? != store.reader().which().await?
        {
            return Err(StoreError::fatal("ask for runs", StoreFault::OtherDatabase));
        }
        Ok(store)
    }
}

/// Opens the database that `url` names, to ask for runs and for nothing else, over one connection.
pub async fn open_requests(url: &str, limits: &Limits) -> Result<Requests> {
    let to = RequestTarget::new(url, limits);
    let store = to.connect().await?;
    Ok(Requests {
        to,
        seen: None,
        store: Arc::new(OnceCell::new_with(Some(store))),
    })
}

/// Asks the database that `url` names for runs that are seen elsewhere, through `seen`. Nothing is opened before something is asked for, so that
/// a standby is shown while its primary is away.
pub fn request_elsewhere(url: &str, limits: &Limits, seen: Reader) -> Requests {
    Requests {
        to: RequestTarget::new(url, limits),
        seen: Some(seen),
        store: Arc::default(),
    }
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
        for file in [&owner.pool, &owner.queue] {
            sqlx::query(PREPARE).execute(file).await.unwrap();
            sqlx::query(WRITE).execute(file).await.unwrap();
        }
        let store = SqliteStore::connect(&url, Access::Read, &limits)
            .await
            .unwrap();
        for file in [&store.pool, &store.queue] {
            let refused = sqlx::query(WRITE).execute(file).await.unwrap_err();
            let code = refused.as_database_error().and_then(DatabaseError::code);
            assert_eq!(code.as_deref(), Some("8"), "{refused}");
        }
    }
}
