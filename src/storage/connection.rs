//! The two drivers, and all that is asked of them. Whatever is above this module is written once.

use futures_util::stream::BoxStream;
use futures_util::{StreamExt as _, TryStreamExt as _};
use jiff::Timestamp;
use sqlx::postgres::{PgConnection, PgRow, Postgres};
use sqlx::sqlite::{Sqlite, SqliteConnection, SqliteRow};
use sqlx::{FromRow, query_as_with, query_with};

use super::column::Moment;
use super::error::{During as _, StoreError};
use super::statement::{Statement, Value, postgres_arguments, sqlite_arguments};

/// A row of either database. Both name their columns alike, so that one struct serves both.
pub(super) trait Record:
    for<'r> FromRow<'r, PgRow> + for<'r> FromRow<'r, SqliteRow> + Send + Unpin
{
}

impl<R> Record for R where
    R: for<'r> FromRow<'r, PgRow> + for<'r> FromRow<'r, SqliteRow> + Send + Unpin
{
}

/// A connection that statements are sent through, one after the other.
pub(super) enum Connection<'c> {
    Postgres(&'c mut PgConnection),
    Sqlite(&'c mut SqliteConnection),
}

impl<'c> Connection<'c> {
    /// The rows that a statement returns, as they arrive.
    pub(super) fn stream<R: Record + 'c>(
        self,
        statement: Statement,
        values: &[Value<'_>],
    ) -> Result<BoxStream<'c, Result<R, StoreError>>, StoreError> {
        let step = statement.step;
        let rows = match self {
            Self::Postgres(connection) => {
                let arguments = postgres_arguments(values).during(step)?;
                query_as_with::<Postgres, R, _>(statement.postgres, arguments).fetch(connection)
            }
            Self::Sqlite(connection) => {
                let arguments = sqlite_arguments(values).during(step)?;
                query_as_with::<Sqlite, R, _>(statement.sqlite, arguments).fetch(connection)
            }
        };
        Ok(rows.map(move |row| row.during(step)).boxed())
    }

    /// Every row that a statement returns.
    pub(super) async fn fetch_all<R: Record + 'c>(
        self,
        statement: Statement,
        values: &[Value<'_>],
    ) -> Result<Vec<R>, StoreError> {
        self.stream(statement, values)?.try_collect().await
    }

    /// The one row that a statement may return. The answer is read to its end: a constraint that is checked late
    /// fails after the row.
    pub(super) async fn fetch_optional<R: Record + 'c>(
        self,
        statement: Statement,
        values: &[Value<'_>],
    ) -> Result<Option<R>, StoreError> {
        Ok(self.fetch_all(statement, values).await?.pop())
    }

    /// The one column of every row that a statement returns.
    pub(super) async fn fetch_column<T: 'c>(
        self,
        statement: Statement,
        values: &[Value<'_>],
    ) -> Result<Vec<T>, StoreError>
    where
        (T,): Record,
    {
        let rows: Vec<(T,)> = self.fetch_all(statement, values).await?;
        Ok(rows.into_iter().map(|(value,)| value).collect())
    }

    /// How many rows a statement wrote.
    pub(super) async fn execute(
        self,
        statement: Statement,
        values: &[Value<'_>],
    ) -> Result<u64, StoreError> {
        let step = statement.step;
        match self {
            Self::Postgres(connection) => {
                let arguments = postgres_arguments(values).during(step)?;
                let query = query_with::<Postgres, _>(statement.postgres, arguments);
                let done = query.execute(connection).await.during(step)?;
                Ok(done.rows_affected())
            }
            Self::Sqlite(_) if statement.sqlite.is_empty() => Ok(0),
            Self::Sqlite(connection) => {
                let arguments = sqlite_arguments(values).during(step)?;
                let query = query_with::<Sqlite, _>(statement.sqlite, arguments);
                let done = query.execute(connection).await.during(step)?;
                Ok(done.rows_affected())
            }
        }
    }
}

/// A transaction of either database.
pub(super) trait Session: Send + Sized {
    fn state(&self) -> &State;

    fn state_mut(&mut self) -> &mut State;

    /// The connection inside of the transaction.
    fn driver(&mut self) -> Connection<'_>;

    fn commit(self) -> impl Future<Output = Result<(), StoreError>> + Send;

    fn rollback(self) -> impl Future<Output = Result<(), StoreError>> + Send;
}

/// What a transaction knows of itself.
pub(super) struct State {
    /// The database's clock, read when the transaction began.
    pub(super) as_of: Timestamp,
    /// How many bytes of restores' documents were parsed in it so far.
    pub(super) bytes_parsed: usize,
}

impl State {
    pub(super) fn at(step: &'static str, as_of: Moment) -> Result<Self, StoreError> {
        Ok(Self {
            as_of: as_of.read(step)?,
            bytes_parsed: 0,
        })
    }
}
