//! A transaction of SQLite.

use sqlx::{Sqlite, SqliteConnection};

use crate::storage::column::Moment;
use crate::storage::connection::{Connection, Session, State};
use crate::storage::error::{During as _, StoreError};

/// A transaction with its moment. One that may write keeps every other writer out.
pub(in crate::storage) struct SqliteTransaction {
    tx: sqlx::Transaction<'static, Sqlite>,
    state: State,
}

impl SqliteTransaction {
    pub(super) async fn open(
        mut tx: sqlx::Transaction<'static, Sqlite>,
    ) -> Result<Self, StoreError> {
        let step = "read the clock";
        let as_of: Moment = sqlx::query_scalar(super::NOW)
            .fetch_one(&mut *tx)
            .await
            .during(step)?;
        let state = State::at(step, as_of)?;
        Ok(Self { tx, state })
    }

    /// The connection inside of the transaction, for statements that no settlement sends.
    pub(in crate::storage) fn connection(&mut self) -> &mut SqliteConnection {
        &mut self.tx
    }
}

impl Session for SqliteTransaction {
    fn state(&self) -> &State {
        &self.state
    }

    fn state_mut(&mut self) -> &mut State {
        &mut self.state
    }

    fn driver(&mut self) -> Connection<'_> {
        Connection::Sqlite(&mut self.tx)
    }

    async fn commit(self) -> Result<(), StoreError> {
        self.tx.commit().await.during("commit")
    }

    async fn rollback(self) -> Result<(), StoreError> {
        self.tx.rollback().await.during("roll back")
    }
}
