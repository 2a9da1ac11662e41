//! A transaction of PostgreSQL.

use sqlx::{PgConnection, Postgres};

use crate::storage::column::Moment;
use crate::storage::connection::{Connection, Session, State};
use crate::storage::error::{During as _, StoreError};
use crate::storage::limits::Limits;

/// A transaction with its moment.
pub(in crate::storage) struct PostgresTransaction {
    tx: sqlx::Transaction<'static, Postgres>,
    state: State,
}

impl PostgresTransaction {
    pub(super) async fn open(
        mut tx: sqlx::Transaction<'static, Postgres>,
        limits: &Limits,
    ) -> Result<Self, StoreError> {
        let step = "read the database's clock";
        let (as_of, ..): (Moment, String, String, String, String, String) =
            sqlx::query_as(include_str!("sql/open_transaction.sql"))
                .bind(format!("{}ms", limits.statement_timeout.as_millis()))
                .bind(format!("{}ms", limits.lock_timeout.as_millis()))
                .fetch_one(&mut *tx)
                .await
                .during(step)?;
        let state = State::at(step, as_of)?;
        Ok(Self { tx, state })
    }

    /// The connection inside of the transaction, for statements that no settlement sends.
    pub(in crate::storage) fn connection(&mut self) -> &mut PgConnection {
        &mut self.tx
    }
}

impl Session for PostgresTransaction {
    fn state(&self) -> &State {
        &self.state
    }

    fn state_mut(&mut self) -> &mut State {
        &mut self.state
    }

    fn driver(&mut self) -> Connection<'_> {
        Connection::Postgres(&mut self.tx)
    }

    /// A commit that fails is told of before the server has let go of the locks, and nothing waits for that:
    /// the next try, on another connection, might find its own runs held. So what a commit would refuse is
    /// refused before it, and the rollback is waited for.
    async fn commit(mut self) -> Result<(), StoreError> {
        let checked = sqlx::query(include_str!("sql/check_deferred.sql"))
            .execute(&mut *self.tx)
            .await
            .during("commit");
        if let Err(error) = checked {
            if let Err(lost) = Session::rollback(self).await {
                tracing::debug!(%lost, "the connection ended, and with it the transaction");
            }
            return Err(error);
        }
        self.tx.commit().await.during("commit")
    }

    async fn rollback(self) -> Result<(), StoreError> {
        self.tx.rollback().await.during("roll back")
    }
}
