//! A transaction of either database, with its moment; how it ends, and when it is tried again.

use std::time::Duration;

use jiff::Timestamp;
use sqlx::{Connection as _, Postgres, Sqlite};

use reconciler_jobs::ids::RunId;

use super::connection::Connection;
use super::distrust::{Distrust, Trust};
use super::error::{During as _, ErrorKind, Result, StoreError};
use super::statement::{statement, values};

/// The step at which what is checked late is refused.
const COMMIT: &str = "commit";

/// How long a commit may take. Whatever it would refuse was checked before, so it waits for a disk or for a standby.
const CONFIRMED_WITHIN: Duration = Duration::from_secs(10);

/// Pause before the first retry of a transient failure; doubled each time.
const RETRY_PAUSE_MIN: Duration = Duration::from_millis(20);

/// Longest pause between two tries.
const RETRY_PAUSE_MAX: Duration = Duration::from_secs(2);

/// What else acts on the platform's tables when they are written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Interference {
    /// A trigger, a rule or a policy may change or drop what is written, without an error.
    pub(super) may_swallow: bool,
    /// A policy may show runs that it lets nobody change, and so nobody lock.
    pub(super) may_hide: bool,
}

/// Rolled back unless it is committed.
pub(super) struct DatabaseTransaction {
    tx: Tx,
    /// The database's clock, read when the transaction began; on a standby, the moment of the last change that it
    /// knows.
    pub(super) as_of: Timestamp,
    /// What else acts on the platform's tables, as it was when the transaction began.
    pub(super) interference: Interference,
    /// Why nothing may be proven from what is read in it, as it was when it began.
    distrust: Option<Distrust>,
    /// What an operator vouches for.
    pub(super) trust: Trust,
    /// Whether nothing of ours is in the database, so that statements name the platform's tables alone.
    pub(super) is_alone: bool,
    /// Whether the database can store every character.
    pub(super) is_unicode: bool,
    /// How many bytes of restores' documents were parsed in it so far.
    pub(super) bytes_parsed: usize,
}

/// A transaction of one driver.
pub(super) enum Tx {
    Postgres(sqlx::Transaction<'static, Postgres>),
    /// One that may write keeps every other writer out.
    Sqlite(sqlx::Transaction<'static, Sqlite>),
}

impl Tx {
    pub(super) fn driver(&mut self) -> Connection<'_> {
        match self {
            Self::Postgres(tx) => Connection::Postgres(tx),
            Self::Sqlite(tx) => Connection::Sqlite(tx),
        }
    }
}

impl DatabaseTransaction {
    pub(super) fn new(tx: Tx, as_of: Timestamp, interference: Interference) -> Self {
        Self {
            tx,
            as_of,
            interference,
            distrust: None,
            is_alone: false,
            is_unicode: true,
            trust: Trust::default(),
            bytes_parsed: 0,
        }
    }

    /// This transaction, with what an operator vouches for, and the reason to prove nothing in it where there is one.
    pub(super) fn trusted(mut self, trust: Trust, distrust: Option<Distrust>) -> Self {
        self.trust = trust;
        self.distrust = distrust;
        self
    }

    /// Why nothing may be proven from what is read in it.
    pub(super) fn distrust(&self) -> Option<Distrust> {
        self.distrust.clone()
    }

    /// Those of `runs` that can be locked now, without keeping them; all of them where somebody holds one.
    pub(super) async fn find_lockable(&mut self, runs: &[RunId]) -> Result<Vec<RunId>> {
        let Tx::Postgres(tx) = &mut self.tx else {
            return Ok(runs.to_vec());
        };
        let find = statement!("lock runs", postgres "find_lockable");
        // A savepoint: what fails in it spoils nothing.
        let mut part = tx.begin().await.during(find.step)?;
        let connection = Connection::Postgres(&mut part);
        let found = connection.fetch_runs(find, values![runs]).await;
        part.rollback().await.during(find.step)?;
        Ok(found.unwrap_or_else(|_| runs.to_vec()))
    }

    /// The connection inside of the transaction.
    pub(super) fn driver(&mut self) -> Connection<'_> {
        self.tx.driver()
    }

    /// Checks now what would otherwise be checked by the commit. Only PostgreSQL can be told to.
    pub(super) async fn check_deferred(&mut self) -> Result<()> {
        if let Tx::Postgres(tx) = &mut self.tx {
            let check = sqlx::query(include_str!("postgres/sql/check_deferred.sql"));
            check.execute(&mut **tx).await.during(COMMIT)?;
        }
        Ok(())
    }

    /// Makes everything permanent.
    ///
    /// PostgreSQL tells of a commit that fails before it has let go of the locks, and nothing waits for that:
    /// the next try, on another connection, might find its own runs held. So what a commit would refuse is
    /// refused before it, and the rollback is waited for.
    ///
    /// A commit that is not confirmed in time goes on all the same: the rows are the truth of it.
    pub(super) async fn commit(mut self) -> Result<()> {
        if let Err(error) = self.check_deferred().await {
            return self.fail(error).await;
        }
        match self.tx {
            Tx::Postgres(tx) => {
                // In a task of its own: a session that waits for a standby keeps its place in the pool, whoever drops this.
                let committing = tokio::spawn(tx.commit());
                match tokio::time::timeout(CONFIRMED_WITHIN, committing).await {
                    Ok(committed) => committed.unwrap_or(Err(sqlx::Error::WorkerCrashed)),
                    Err(_) => return Err(StoreError::fatal(COMMIT, Distrust::Unconfirmed)),
                }
            }
            Tx::Sqlite(tx) => tx.commit().await,
        }
        .during(COMMIT)
    }

    /// Undoes everything because of an error, which is what is returned.
    async fn fail<R>(self, error: StoreError) -> Result<R> {
        if let Err(lost) = self.rollback().await {
            tracing::debug!(%lost, "the connection ended, and with it the transaction");
        }
        Err(error)
    }

    /// Undoes everything, and returns once its locks are released.
    pub(super) async fn rollback(self) -> Result<()> {
        match self.tx {
            Tx::Postgres(tx) => tx.rollback().await,
            Tx::Sqlite(tx) => tx.rollback().await,
        }
        .during("roll back")
    }
}

/// Commits what succeeded. What failed is rolled back here and waited for: a transaction that is
/// merely dropped keeps its locks until its connection is used again, and the next try, on another
/// connection, would pass over its own runs as held by somebody else.
pub(super) async fn finish<R>(tx: DatabaseTransaction, result: Result<R>) -> Result<R> {
    match result {
        Ok(value) => {
            tx.commit().await?;
            Ok(value)
        }
        Err(error) => tx.fail(error).await,
    }
}

/// Runs `attempt` again after a transient failure, at most `retries_max` times.
pub(super) async fn with_retries<R, F>(
    retries_max: u32,
    mut attempt: impl FnMut() -> F,
) -> Result<R>
where
    F: Future<Output = Result<R>>,
{
    let mut pause = RETRY_PAUSE_MIN;
    for _ in 0..retries_max {
        match attempt().await {
            Err(error) if error.kind() == ErrorKind::Transient => {
                let pause_seconds = pause.as_secs_f64();
                tracing::debug!(%error, pause_seconds, "will be tried again");
                tokio::time::sleep(pause).await;
                pause = pause.saturating_mul(2).min(RETRY_PAUSE_MAX);
            }
            result => return result,
        }
    }
    attempt().await
}
