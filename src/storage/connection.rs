//! The two drivers, and all that is asked of them. Whatever is above this module is written once.

use futures_util::stream::{self, BoxStream};
use futures_util::{StreamExt as _, TryStreamExt as _};
use reconciler_jobs::ids::RunId;
use sqlx::postgres::{PgConnection, PgRow, Postgres};
use sqlx::sqlite::{Sqlite, SqliteConnection, SqliteRow};
use sqlx::{FromRow, query_as_with, query_with};

use super::column::Id;
use super::error::{During as _, Result};
use super::statement::{Statement, Value, postgres_arguments, sqlite_arguments};

/// A row of either database. Both name their columns alike, so that one struct serves both.
pub(super) trait EitherRow:
    for<'r> FromRow<'r, PgRow> + for<'r> FromRow<'r, SqliteRow> + Send + Unpin
{
}

impl<R> EitherRow for R where
    R: for<'r> FromRow<'r, PgRow> + for<'r> FromRow<'r, SqliteRow> + Send + Unpin
{
}

/// A connection that statements are sent through, one after the other.
pub(super) enum Connection<'c> {
    Postgres(&'c mut PgConnection),
    Sqlite(&'c mut SqliteConnection),
}

impl<'c> Connection<'c> {
    /// The rows that a statement returns, as they arrive; none where this database has nothing to do.
    pub(super) fn stream<R: EitherRow + 'c>(
        self,
        statement: Statement,
        values: &[Value<'_>],
    ) -> Result<BoxStream<'c, Result<R>>> {
        let step = statement.step;
        let rows = match self {
            Self::Postgres(_) if statement.postgres.is_empty() => stream::empty().boxed(),
            Self::Sqlite(_) if statement.sqlite.is_empty() => stream::empty().boxed(),
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
    pub(super) async fn fetch_all<R: EitherRow + 'c>(
        self,
        statement: Statement,
        values: &[Value<'_>],
    ) -> Result<Vec<R>> {
        self.stream(statement, values)?.try_collect().await
    }

    /// The one row that a statement may return. The answer is read to its end: a constraint that is checked late
    /// fails after the row.
    pub(super) async fn fetch_optional<R: EitherRow + 'c>(
        self,
        statement: Statement,
        values: &[Value<'_>],
    ) -> Result<Option<R>> {
        Ok(self.fetch_all(statement, values).await?.pop())
    }

    /// The one row that a statement always returns.
    pub(super) async fn fetch_one<R: EitherRow + 'c>(
        self,
        statement: Statement,
        values: &[Value<'_>],
    ) -> Result<R> {
        let row = self.fetch_optional(statement, values).await?;
        row.ok_or(sqlx::Error::RowNotFound).during(statement.step)
    }

    /// The runs whose ids a statement returns.
    pub(super) async fn fetch_runs(
        self,
        statement: Statement,
        values: &[Value<'_>],
    ) -> Result<Vec<RunId>> {
        let runs: Vec<(Id,)> = self.fetch_all(statement, values).await?;
        Ok(runs.into_iter().map(|(run,)| run.into()).collect())
    }

    /// How many rows a statement wrote; none where this database has nothing to do.
    pub(super) async fn execute(self, statement: Statement, values: &[Value<'_>]) -> Result<u64> {
        let step = statement.step;
        match self {
            Self::Postgres(_) if statement.postgres.is_empty() => Ok(0),
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
