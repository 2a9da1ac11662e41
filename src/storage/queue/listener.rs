//! Notifications that jobs were queued, on a connection of their own.

use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgListener};

use crate::storage::database::EitherDatabase;
use crate::storage::error::{During as _, Result, StoreError, StoreFault};
use crate::storage::postgres::{PostgresStore, address_of, pooled};
use crate::storage::store::Store;

/// `reconciler.wake()` notifies it.
const CHANNEL: &str = "reconciler_wake";

/// The step, as errors name it.
const LISTEN: &str = "listen for jobs";

/// How long a notification of our own may be under way. It takes a millisecond.
const HEARD_WITHIN: Duration = Duration::from_secs(1);

/// Waits for jobs to be queued.
#[derive(Debug)]
pub struct Listener(Option<PgListener>);

impl Listener {
    /// Waits for the next notification. One may be lost, and one may stand for many jobs. Returns also
    /// after the connection was lost and is there again, because notifications were missed meanwhile.
    ///
    /// A SQLite file notifies nobody: its readers look again after a while.
    pub async fn next(&mut self) -> Result<()> {
        match &mut self.0 {
            Some(listener) => listener.try_recv().await.during(LISTEN).map(drop),
            None => std::future::pending().await,
        }
    }
}

impl Store {
    /// Waits for jobs, on a connection of its own. `url` leads around a pooler that cannot pass notifications on.
    ///
    /// Notifies itself first. What does not arrive is [`ErrorKind::Fatal`](crate::storage::ErrorKind::Fatal).
    pub async fn listen(&self, url: Option<&str>) -> Result<Listener> {
        let EitherDatabase::Postgres(database) = &self.database else {
            return Ok(Listener(None));
        };
        let mut listener = connect(database, url).await?;
        if !is_heard_by(database, &mut listener).await? {
            return Err(StoreError::fatal(LISTEN, StoreFault::Unheard));
        }
        listener.listen(CHANNEL).await.during(LISTEN)?;
        Ok(Listener(Some(listener)))
    }
}

/// A connection beside the pool, which would be short of one for ever.
async fn connect(database: &PostgresStore, url: Option<&str>) -> Result<PgListener> {
    let mut connect_timeout = database.limits.connect_timeout;
    let mut wanted = database.wanted;
    let options = match url {
        None => PgConnectOptions::clone(&database.pool.connect_options()),
        Some(url) => {
            let address = address_of(url)?;
            connect_timeout = address.connect_timeout.unwrap_or(connect_timeout);
            wanted = address.wanted;
            address.into_options()?
        }
    };
    // It is a pool all the same, because a listener takes from one when it has lost its connection.
    let pool = pooled(wanted)
        .max_connections(1)
        .acquire_timeout(connect_timeout)
        .max_lifetime(None)
        .idle_timeout(None)
        .connect_lazy_with(options);
    PgListener::connect_with(&pool).await.during(LISTEN)
}

/// Whether a notification that is sent on the way that jobs come reaches the listener.
///
/// On a channel that is used once. A pooler's session would go on listening, and whoever it is lent to
/// next would be told of notifications that he never asked for, in the middle of his statements.
async fn is_heard_by(database: &PostgresStore, listener: &mut PgListener) -> Result<bool> {
    let word = getrandom::u64().map_err(|error| StoreError::fatal(LISTEN, error))?;
    let word = format!("reconciler_{word:016x}");
    listener.listen(&word).await.during(LISTEN)?;
    let sent = sqlx::query(include_str!("../postgres/sql/send_notice.sql"))
        .bind(&word)
        .execute(&database.pool)
        .await;
    match sent {
        Ok(_) => {}
        // It came back to its sender, who does not listen: both have the same session.
        Err(sqlx::Error::Protocol(_)) => return Ok(false),
        Err(error) => return Err(error).during(LISTEN),
    }
    // Nothing else can come, but the news that the connection was lost, and what was said meanwhile.
    match tokio::time::timeout(HEARD_WITHIN, listener.try_recv()).await {
        Ok(Ok(Some(_))) => listener.unlisten(&word).await.during(LISTEN).map(|()| true),
        Ok(Ok(None)) => Err(sqlx::Error::WorkerCrashed).during(LISTEN),
        Ok(Err(error)) => Err(error).during(LISTEN),
        Err(_) => Ok(false),
    }
}
