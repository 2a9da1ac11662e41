//! PostgreSQL: the platform's own database.
//!
//! **Invariants:** every look and every settlement sets its transaction's own time zone and limits, so
//! that it does not matter what the session or a connection pooler left behind. Settlements see one snapshot
//! (`REPEATABLE READ`); a run that changed since is a serialization failure, which is tried again.
//!
//! # Design notes
//!
//! Rows are written through `json_populate_recordset` over the platform's own row type. Arrays and
//! `UNNEST` would need the column types in the statement, and whether a column is `json` or `jsonb`,
//! with or without time zone, is for Laravel's migrations to choose.

mod transaction;

use async_trait::async_trait;
use futures_util::TryStreamExt as _;
use jiff::Timestamp;
use reconciler_jobs::ids::{RunId, WorkspaceId};
use reconciler_jobs::restore_execute::Policy;
use reconciler_jobs::restore_execute::canonical::digest_of;
use sqlx::migrate::Migrator;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::{Connection as _, PgConnection};

use self::transaction::PostgresTransaction;
use super::error::{During as _, StoreError};
use super::examine::Check;
use super::limits::Limits;
use super::records::{VerdictRecord, moment};
use super::settle::{self, Transaction as _, Transactions};
use super::standin::{PlatformRows, Standin};
use super::{
    Assessment, Backend, DuePage, RecordedVerdict, Settled, Settling, Store, Tally, examine,
};

/// In the order of [`PlatformRows::documents`].
const PLANT: [&str; 7] = [
    include_str!("plant_workspaces.sql"),
    include_str!("plant_environments.sql"),
    include_str!("plant_backup_sets.sql"),
    include_str!("plant_runs.sql"),
    include_str!("plant_restores.sql"),
    include_str!("plant_snapshots.sql"),
    include_str!("plant_audits.sql"),
];

/// A PostgreSQL database.
#[derive(Debug, Clone)]
pub struct PostgresStore {
    pool: PgPool,
    limits: Limits,
}

impl PostgresStore {
    /// Connects, and fails if the database cannot be reached.
    pub async fn connect(url: &str, limits: &Limits) -> Result<Self, StoreError> {
        // The parser's own error would repeat the URL, and with it the password.
        let options: PgConnectOptions = url.parse().map_err(|_| {
            StoreError::fatal(
                "read the database URL",
                "it is not of the form postgres://user:password@host:port/database",
            )
        })?;
        let options = options.application_name("restore-reconciler");
        // The pool goes on trying until its time is up and then says only that; one attempt of our own
        // says at once, and why.
        let step = "connect to PostgreSQL";
        let first = PgConnection::connect_with(&options);
        let first = tokio::time::timeout(limits.connect_timeout, first)
            .await
            .map_err(|_| sqlx::Error::PoolTimedOut)
            .flatten()
            .during(step)?;
        first.close().await.during(step)?;
        let pool = PgPoolOptions::new()
            .max_connections(limits.connections_max)
            .acquire_timeout(limits.connect_timeout)
            .connect_lazy_with(options);
        Ok(Self {
            pool,
            limits: *limits,
        })
    }

    /// The pool, for the examination of a database before its schema is trusted.
    pub(super) fn pool(&self) -> &PgPool {
        &self.pool
    }
}

/// The migrations of our own schema.
pub(super) fn migrator() -> Migrator {
    let mut migrator = sqlx::migrate!("migrations/postgres");
    migrator.create_schema("reconciler");
    migrator.dangerous_set_table_name("reconciler.migrations");
    migrator
}

impl Transactions for PostgresStore {
    type Transaction = PostgresTransaction;

    async fn begin(&self) -> Result<PostgresTransaction, StoreError> {
        let tx = self
            .pool
            .begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ")
            .await;
        PostgresTransaction::open(tx.during("begin a transaction")?, &self.limits).await
    }

    async fn begin_read(&self) -> Result<PostgresTransaction, StoreError> {
        let tx = self
            .pool
            .begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            .await;
        PostgresTransaction::open(tx.during("begin to read")?, &self.limits).await
    }
}

#[async_trait]
impl Store for PostgresStore {
    fn backend(&self) -> Backend {
        Backend::Postgres
    }

    async fn migrate(&self) -> Result<(), StoreError> {
        let step = "migrate schema reconciler";
        let mut connection = self.pool.acquire().await.during(step)?;
        // After a failure the migrator leaves its lock behind, and that lives as long as its session.
        connection.close_on_drop();
        migrator()
            // `run` is this call behind a trait that a boxed future cannot name.
            .run_direct(None, &mut *connection, false)
            .await
            .map_err(|error| StoreError::migration(step, error))
    }

    async fn schema_version(&self) -> Result<Option<i64>, StoreError> {
        let step = "read the version of our schema";
        let exists: bool = sqlx::query_scalar(include_str!("has_schema.sql"))
            .fetch_one(&self.pool)
            .await
            .during(step)?;
        if !exists {
            return Ok(None);
        }
        sqlx::query_scalar(include_str!("schema_version.sql"))
            .fetch_one(&self.pool)
            .await
            .during(step)
    }

    fn schema_version_known(&self) -> i64 {
        migrator()
            .iter()
            .map(|migration| migration.version)
            .max()
            .unwrap_or_default()
    }

    async fn load_due(&self, page: &DuePage) -> Result<Vec<RunId>, StoreError> {
        let mut tx = self.begin_read().await?;
        let ids: Vec<i64> = sqlx::query_scalar(include_str!("load_due.sql"))
            .bind(page.after.0)
            .bind(page.workspace.map(|id| id.0))
            .bind(i64::from(page.limit))
            .fetch_all(tx.connection())
            .await
            .during("look for due runs")?;
        tx.commit().await?;
        Ok(ids.into_iter().map(RunId).collect())
    }

    async fn count_due(&self, workspace: Option<WorkspaceId>) -> Result<u64, StoreError> {
        let mut tx = self.begin_read().await?;
        let count: i64 = sqlx::query_scalar(include_str!("count_due.sql"))
            .bind(workspace.map(|id| id.0))
            .fetch_one(tx.connection())
            .await
            .during("count due runs")?;
        tx.commit().await?;
        Ok(count.unsigned_abs())
    }

    async fn settle(
        &self,
        runs: &[RunId],
        with: &Settling,
        settled: &mut Vec<Settled>,
    ) -> Result<(), StoreError> {
        settle::settle(self, runs, with, settled).await
    }

    async fn assess(&self, runs: &[RunId], policy: &Policy) -> Result<Vec<Assessment>, StoreError> {
        settle::assess(self, runs, policy).await
    }

    async fn load_verdict(&self, run: RunId) -> Result<Option<RecordedVerdict>, StoreError> {
        let record: Option<VerdictRecord> = sqlx::query_as(include_str!("load_verdict.sql"))
            .bind(run.0)
            .fetch_optional(&self.pool)
            .await
            .during("read the ledger")?;
        record
            .map(RecordedVerdict::try_from)
            .transpose()
            .during("read the ledger")
    }

    async fn open_sweep(
        &self,
        by: &str,
        workspace: Option<WorkspaceId>,
    ) -> Result<i64, StoreError> {
        sqlx::query_scalar(include_str!("open_sweep.sql"))
            .bind(by)
            .bind(workspace.map(|id| id.0))
            .fetch_one(&self.pool)
            .await
            .during("note the beginning of a sweep")
    }

    async fn close_sweep(&self, sweep: i64, tally: &Tally) -> Result<(), StoreError> {
        let mut statement = sqlx::query(include_str!("close_sweep.sql")).bind(sweep);
        for count in tally.columns() {
            statement = statement.bind(count);
        }
        statement
            .execute(&self.pool)
            .await
            .during("note the end of a sweep")?;
        sqlx::query(include_str!("forget_closed.sql"))
            .execute(&self.pool)
            .await
            .during("forget closed runs")?;
        Ok(())
    }

    async fn has_platform(&self) -> Result<bool, StoreError> {
        sqlx::query_scalar(include_str!("has_platform.sql"))
            .fetch_one(&self.pool)
            .await
            .during("look for the platform's tables")
    }

    async fn examine(&self) -> Result<Vec<Check>, StoreError> {
        examine::postgres::examine(self).await
    }

    async fn now(&self) -> Result<Timestamp, StoreError> {
        let micros: i64 = sqlx::query_scalar(include_str!("now.sql"))
            .fetch_one(&self.pool)
            .await
            .during("read the database's clock")?;
        moment(micros).during("read the database's clock")
    }
}

#[async_trait]
impl Standin for PostgresStore {
    async fn install(&self) -> Result<(), StoreError> {
        self.execute_script(include_str!(
            "../../../migrations/platform/postgres/platform.sql"
        ))
        .await
    }

    async fn plant(&self, rows: &PlatformRows) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        let documents = rows
            .documents()
            .map_err(|error| StoreError::fatal("serialise planted rows", error))?;
        for (document, statement) in documents.into_iter().zip(PLANT) {
            sqlx::query(statement)
                .bind(document)
                .execute(tx.connection())
                .await
                .during("plant rows")?;
        }
        tx.commit().await
    }

    async fn execute_script(&self, script: &'static str) -> Result<(), StoreError> {
        sqlx::raw_sql(script)
            .execute(&self.pool)
            .await
            .during("execute a script")?;
        Ok(())
    }

    async fn fingerprint(&self) -> Result<String, StoreError> {
        let mut rows =
            sqlx::query_scalar::<_, String>(include_str!("fingerprint.sql")).fetch(&self.pool);
        let mut digest = String::new();
        while let Some(row) = rows.try_next().await.during("read written rows")? {
            digest = digest_of(&(digest + &row));
        }
        Ok(digest)
    }
}
