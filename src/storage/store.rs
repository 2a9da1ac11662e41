//! The store: one behaviour over a database of either kind.

use std::time::Duration;

use jiff::Timestamp;
use reconciler_jobs::ids::RunId;
use sqlx::migrate::Migrator;

use super::connection::Connection;
use super::database::EitherDatabase;
use super::distrust::{Distrust, Trust};
use super::error::{During as _, Result, StoreError};
use super::model::{Backend, ClaimedJob, Driver, Settled, Settling};
use super::postgres;
use super::postgres::uninstall::Installed;
use super::postgres::upgrade::Ground;
use super::settle::Settler;
use super::sqlite;
use super::statement::{statement, values};

/// A database that holds the platform's tables and our own. Clones share its connections.
#[derive(Debug, Clone)]
pub struct Store {
    pub(super) database: EitherDatabase,
}

impl Store {
    /// Which database this is.
    pub fn backend(&self) -> Backend {
        self.database.backend()
    }

    /// What an operator vouches for.
    pub fn trust(&self) -> Trust {
        match &self.database {
            EitherDatabase::Postgres(database) => database.limits.trust,
            EitherDatabase::Sqlite(database) => database.trust,
        }
    }

    /// Creates or upgrades our own schema. Platform tables are never touched. Several processes may
    /// call this at once; one works, the others wait.
    pub async fn migrate(&self) -> Result<()> {
        self.migrate_showing(&mut |_| ()).await
    }

    /// As [`Self::migrate`], and tells `copied` about how many entries of an older ledger are left to be copied.
    pub async fn migrate_showing(&self, copied: &mut impl FnMut(u64)) -> Result<()> {
        match &self.database {
            EitherDatabase::Postgres(database) => {
                let pool = &database.pool;
                let ground = postgres::upgrade::look(pool, &Migrator::DEFAULT).await?;
                if ground.is_left_alone(&ground.own) {
                    return Ok(());
                }
                postgres::upgrade::run_own(pool, ground.beside_platform(), copied).await?;
                self.extend_ledger().await
            }
            EitherDatabase::Sqlite(database) => {
                let step = "migrate the reconciler_ tables";
                sqlite::run_migrations(&database.pool, step, &sqlite::migrator()).await
            }
        }
    }

    /// Has our schema serve the platform that is found, once it is migrated. SQLite has nothing to bind.
    pub async fn rebind(&self) -> Result<()> {
        match &self.database {
            EitherDatabase::Postgres(database) => postgres::upgrade::bind(&database.pool).await,
            EitherDatabase::Sqlite(_) => Ok(()),
        }
    }

    /// Makes again what is missing or different of what migrations made, and says what that was. SQLite has no schemas of
    /// which others could take something away.
    pub async fn repair(&self, ground: &Ground) -> Result<Vec<String>> {
        match &self.database {
            EitherDatabase::Postgres(database) => {
                let within = database.limits.statement_timeout;
                postgres::upgrade::repair(&database.pool, ground, within).await
            }
            EitherDatabase::Sqlite(_) => Ok(Vec::new()),
        }
    }

    /// What of ours is in a database of PostgreSQL; nothing on SQLite, where there are no schemas. Writes nothing.
    pub async fn installed(&self) -> Result<Option<Installed>> {
        match &self.database {
            EitherDatabase::Postgres(database) => {
                postgres::uninstall::look(&database.pool).await.map(Some)
            }
            EitherDatabase::Sqlite(_) => Ok(None),
        }
    }

    /// Removes it, all or nothing.
    pub async fn uninstall(&self, installed: &Installed) -> Result<()> {
        match &self.database {
            EitherDatabase::Postgres(database) => {
                let lock_timeout = database.limits.lock_timeout;
                postgres::uninstall::remove(&database.pool, installed, lock_timeout).await
            }
            EitherDatabase::Sqlite(_) => Ok(()),
        }
    }

    /// Lets the platform's own writes ask for runs, or no longer: a trigger on `restore_runs` and one on
    /// `evidence_snapshots` that call `reconciler.request`. They never fail a write. Doing either again
    /// does nothing. Only PostgreSQL has somebody to ask.
    pub async fn set_platform_triggers(&self, wanted: bool) -> Result<()> {
        match &self.database {
            EitherDatabase::Postgres(database) => postgres::triggers::set(database, wanted).await,
            EitherDatabase::Sqlite(_) => Err(StoreError::fatal(
                "set triggers on the platform's tables",
                "only PostgreSQL has them: on SQLite, jobs are in another file",
            )),
        }
    }

    /// The newest migration of our own schema that was applied, or the last before one that is missing; nothing where there is
    /// none.
    pub async fn schema_version(&self) -> Result<Option<i64>> {
        let step = "read the version of our schema";
        let database = &self.database;
        if !database.find_tables(step, false).await?.has_own {
            return Ok(None);
        }
        let statement = statement!(step, both "schema_version");
        let (applied,): (String,) = database.fetch_one(statement, &[]).await?;
        // A record of no migration is none.
        Ok((!applied.is_empty()).then(|| postgres::version_of(&applied, self.versions_known())))
    }

    /// The newest migration that this program brings along.
    pub fn schema_version_known(&self) -> i64 {
        postgres::newest(self.versions_known())
    }

    fn versions_known(&self) -> &'static [i64] {
        match self.database {
            EitherDatabase::Postgres(_) => &postgres::VERSIONS_KNOWN,
            EitherDatabase::Sqlite(_) => &sqlite::VERSIONS_KNOWN,
        }
    }

    /// Decides `runs` and commits the verdicts, in batches of at most `with.batch_runs_max`.
    ///
    /// Each run given appears exactly once in `settled`, in no particular order, after the
    /// transaction that dealt with it was committed. On an error, `settled` holds what had been
    /// committed before it. A run that the database refuses is isolated by halving its batch, put
    /// on the watch list, and reported; it never holds up the others. Where every single run is refused
    /// alike, and not for what it holds, nobody is to blame, and that is the error. A run that other writers
    /// disturb at every try is left to a later pass in the same way.
    ///
    /// A run that was in the hands of a process that ended is settled alone, after the try was
    /// written down: see [`reconciler_jobs::attempt`].
    pub async fn settle(
        &self,
        runs: &[RunId],
        with: &Settling,
        settled: &mut Vec<Settled>,
    ) -> Result<()> {
        self.settle_jobs(runs, &[], with, settled).await
    }

    /// As [`Self::settle`], and where the queue is in the same database, finishes the jobs that asked
    /// for these runs in the transaction that deals with their run. A job whose run somebody else
    /// holds goes back to its queue. A job that was taken from its worker meanwhile is left alone.
    pub async fn settle_jobs(
        &self,
        runs: &[RunId],
        jobs: &[ClaimedJob],
        with: &Settling,
        settled: &mut Vec<Settled>,
    ) -> Result<()> {
        let settler = Settler::new(&self.database, jobs, with);
        // Boxed: whoever settles would have to carry all of it in a future of his own.
        Box::pin(settler.settle(runs, settled)).await
    }

    /// Settles `runs` up to the moment before the commit, says what would become of each, and undoes it: nothing is
    /// committed, counted or announced. Runs that may end a process are not tried.
    ///
    /// Give it few at a time: meanwhile whoever else settles them passes them over.
    pub async fn rehearse(&self, runs: &[RunId], with: &Settling) -> Result<Vec<Settled>> {
        let settler = Settler::new(&self.database, &[], with);
        Box::pin(settler.rehearse(runs)).await
    }

    /// Whether the platform's tables are there.
    pub async fn has_platform(&self) -> Result<bool> {
        let step = "look for the platform's tables";
        Ok(self.database.find_tables(step, false).await?.has_platform)
    }

    /// The driver, for those who have questions of their own to the database.
    pub fn driver(&self) -> Driver<'_> {
        match &self.database {
            EitherDatabase::Postgres(database) => Driver::Postgres(&database.pool),
            EitherDatabase::Sqlite(database) => Driver::Sqlite(&database.pool),
        }
    }

    /// Whether our schema, which must be there, is another one than this program knows, or serves another platform than the
    /// one that is found, or rows that prove may be hidden from this role now, and nobody vouches that they are not: what
    /// settlements ask, too.
    pub async fn find_obstacle(&self) -> Result<Option<Distrust>> {
        match &self.database {
            EitherDatabase::Postgres(database) if !database.is_alone => {
                let tx = database.begin().await?;
                let distrust = tx.distrust();
                tx.rollback().await?;
                Ok(distrust)
            }
            EitherDatabase::Postgres(_) => self.database.read(async |tx| Ok(tx.distrust())).await,
            EitherDatabase::Sqlite(_) => {
                let found = self.schema_version().await?.unwrap_or_default();
                let known = self.schema_version_known();
                Ok((found != known).then_some(Distrust::OtherSchema { found, known }))
            }
        }
    }

    /// Whether commits have waited for so long for a synchronous standby, as this role's sessions show; and ends the waits
    /// of what is no transaction.
    pub async fn waits_for_standby(&self, wait: Duration) -> Result<bool> {
        let EitherDatabase::Postgres(database) = &self.database else {
            return Ok(false);
        };
        let statement = statement!("look for commits that wait", postgres "end_waits");
        // Other sessions may all be waiting.
        let mut lent = Box::pin(database.pulse.acquire())
            .await
            .during(statement.step)?;
        Connection::Postgres(&mut lent)
            .fetch_one(statement, values![wait])
            .await
            .map(|(waits,)| waits)
    }

    /// Opens one more session, and ends it, to learn why there is none. A file has none to be refused.
    pub async fn try_session(&self) -> Result<()> {
        match &self.database {
            EitherDatabase::Postgres(database) => database.try_session().await,
            EitherDatabase::Sqlite(_) => Ok(()),
        }
    }

    /// Whether those who settle and those who take jobs get a session at once.
    pub async fn lends_sessions(&self) -> bool {
        match &self.database {
            EitherDatabase::Postgres(database) => database.lends_sessions().await,
            EitherDatabase::Sqlite(_) => true,
        }
    }

    /// This database, read with statements that name no table of ours, for where none is there yet: due runs, and what
    /// would be decided. Changes nothing on SQLite, where that is not offered.
    #[must_use]
    pub fn alone(self) -> Self {
        match self.database {
            EitherDatabase::Postgres(database) => Self {
                database: EitherDatabase::Postgres(database.alone()),
            },
            EitherDatabase::Sqlite(_) => self,
        }
    }

    /// Whether it is to be looked at without anything of ours.
    #[must_use]
    pub fn is_alone(&self) -> bool {
        matches!(&self.database, EitherDatabase::Postgres(database) if database.is_alone)
    }

    /// The database's clock.
    pub async fn now(&self) -> Result<Timestamp> {
        self.database.now().await
    }
}
