//! A database of either kind, and how statements get to it: one by one, or in a transaction.

use jiff::Timestamp;
use reconciler_jobs::ids::RunId;
use sqlx::pool::PoolConnection;
use sqlx::{FromRow, Postgres, Sqlite};

use super::connection::{Connection, EitherRow};
use super::distrust::Distrust;
use super::error::{During as _, Result, StoreError};
use super::model::Backend;
use super::postgres::PostgresStore;
use super::sqlite::SqliteStore;
use super::statement::{Statement, Value, statement};
use super::transaction::{DatabaseTransaction, finish};

/// A database of either kind.
#[derive(Debug, Clone)]
pub(super) enum EitherDatabase {
    Postgres(PostgresStore),
    Sqlite(SqliteStore),
}

/// Which tables are there.
#[derive(FromRow)]
pub(super) struct TablesFound {
    pub(super) has_platform: bool,
    pub(super) has_own: bool,
    has_queue: bool,
}

/// A connection that goes back to its pool.
enum Lent {
    Postgres(PoolConnection<Postgres>),
    Sqlite(PoolConnection<Sqlite>),
}

impl Lent {
    fn driver(&mut self) -> Connection<'_> {
        match self {
            Self::Postgres(connection) => Connection::Postgres(connection),
            Self::Sqlite(connection) => Connection::Sqlite(connection),
        }
    }
}

impl EitherDatabase {
    async fn lend(&self, statement: Statement) -> Result<Lent> {
        // Boxed: it is large, and part of whatever sends a statement.
        let lent = match self {
            Self::Postgres(database) => Box::pin(database.pool.acquire()).await.map(Lent::Postgres),
            Self::Sqlite(database) => {
                let pool = if statement.in_queue {
                    &database.queue
                } else {
                    &database.pool
                };
                Box::pin(pool.acquire()).await.map(Lent::Sqlite)
            }
        };
        lent.during(statement.step)
    }

    pub(super) async fn fetch_all<R: EitherRow>(
        &self,
        statement: Statement,
        values: &[Value<'_>],
    ) -> Result<Vec<R>> {
        let mut lent = self.lend(statement).await?;
        lent.driver().fetch_all(statement, values).await
    }

    pub(super) async fn fetch_one<R: EitherRow>(
        &self,
        statement: Statement,
        values: &[Value<'_>],
    ) -> Result<R> {
        let mut lent = self.lend(statement).await?;
        lent.driver().fetch_one(statement, values).await
    }

    pub(super) async fn fetch_runs(
        &self,
        statement: Statement,
        values: &[Value<'_>],
    ) -> Result<Vec<RunId>> {
        let mut lent = self.lend(statement).await?;
        lent.driver().fetch_runs(statement, values).await
    }

    pub(super) async fn execute(&self, statement: Statement, values: &[Value<'_>]) -> Result<u64> {
        let mut lent = self.lend(statement).await?;
        lent.driver().execute(statement, values).await
    }
}

impl EitherDatabase {
    /// Sends a sign of life: on PostgreSQL on the connection that is for nothing else.
    pub(super) async fn say_alive(&self, statement: Statement, values: &[Value<'_>]) -> Result<()> {
        let mut lent = match self {
            Self::Postgres(database) => Box::pin(database.pulse.acquire())
                .await
                .map(Lent::Postgres)
                .during(statement.step)?,
            Self::Sqlite(_) => self.lend(statement).await?,
        };
        lent.driver().execute(statement, values).await.map(drop)
    }

    pub(super) fn backend(&self) -> Backend {
        match self {
            Self::Postgres(_) => Backend::Postgres,
            Self::Sqlite(_) => Backend::Sqlite,
        }
    }

    /// Fails once a file is not the one that was opened.
    pub(super) fn check_files(&self, step: &'static str) -> Result<()> {
        match self {
            Self::Postgres(_) => Ok(()),
            Self::Sqlite(database) => {
                database.check_file(step)?;
                database.has_queue_file(step).map(drop)
            }
        }
    }

    /// Whether apalis's own tables are there.
    pub(super) async fn has_queue(&self) -> Result<bool> {
        let found = self
            .find_tables("look for the queue's tables", true)
            .await?;
        Ok(found.has_queue)
    }

    /// Which tables are there; on SQLite, in the jobs' own file where that is asked for.
    pub(super) async fn find_tables(
        &self,
        step: &'static str,
        in_queue: bool,
    ) -> Result<TablesFound> {
        let statement = Statement {
            in_queue,
            ..statement!(step, "has_tables")
        };
        self.fetch_one(statement, &[]).await
    }

    /// Whether jobs are in a file of their own, and that is there.
    pub(super) async fn has_queue_file(&self, step: &'static str) -> Result<bool> {
        match self {
            Self::Postgres(_) => Ok(false),
            Self::Sqlite(database) => {
                database.check_file(step)?;
                Ok(database.has_queue_file(step)? && self.has_queue().await?)
            }
        }
    }

    /// A transaction that is rolled back unless it is committed.
    pub(super) async fn begin(&self) -> Result<DatabaseTransaction> {
        match self {
            Self::Postgres(database) => database.begin().await,
            Self::Sqlite(database) => database.begin().await,
        }
    }

    /// One that may write, and none where nothing may be settled.
    pub(super) async fn begin_trusted(&self, step: &'static str) -> Result<DatabaseTransaction> {
        self.begin_unless(step, |_| true).await
    }

    /// One that may write, unless `refuses` what keeps anything from being proven in it.
    pub(super) async fn begin_unless(
        &self,
        step: &'static str,
        refuses: impl Fn(&Distrust) -> bool,
    ) -> Result<DatabaseTransaction> {
        let tx = self.begin().await?;
        match tx.distrust().filter(refuses) {
            None => Ok(tx),
            Some(distrust) => finish(tx, Err(StoreError::fatal(step, distrust))).await,
        }
    }

    /// Does something in a transaction that may write, and commits it.
    pub(super) async fn write<R>(
        &self,
        act: impl AsyncFnOnce(&mut DatabaseTransaction) -> Result<R>,
    ) -> Result<R> {
        let mut tx = self.begin().await?;
        let done = act(&mut tx).await;
        finish(tx, done).await
    }

    /// Reads from one snapshot, in a transaction that cannot write.
    pub(super) async fn read<R>(
        &self,
        look: impl AsyncFnOnce(&mut DatabaseTransaction) -> Result<R>,
    ) -> Result<R> {
        let mut tx = match self {
            Self::Postgres(database) => database.begin_read().await,
            Self::Sqlite(database) => database.begin_read().await,
        }?;
        let seen = look(&mut tx).await;
        finish(tx, seen).await
    }

    /// The database's clock. Fails where the database is away.
    pub(super) async fn now(&self) -> Result<Timestamp> {
        self.read(async |tx| Ok(tx.as_of)).await
    }

    /// Every row that one statement returns, in a transaction that cannot write.
    pub(super) async fn read_all<R: EitherRow>(
        &self,
        statement: Statement,
        values: &[Value<'_>],
    ) -> Result<Vec<R>> {
        self.read(async |tx| tx.driver().fetch_all(statement, values).await)
            .await
    }
}
