//! Databases on a PostgreSQL server. Their names are fixed, so that one that was left behind is found, and that
//! two measurements do not disturb each other unnoticed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use reconciler_jobs::ids::RunId;
use sqlx::postgres::{PgPool, PgPoolOptions};
use sqlx::{Connection as _, PgConnection};
use url::Url;

use super::{ASKED_IN_VAIN, LastStep, Producer, RowsTouched, Workbench};
use crate::storage::error::{During as _, StoreError};
use crate::storage::limits::Limits;
use crate::storage::postgres::PostgresStore;
use crate::storage::settle::{Transaction as _, Transactions as _};
use crate::storage::{AUDITS_PER_RESTORE_MAX, Settling};

/// As `create.sql` has it.
const PREPARED: &str = "restore_reconciler_bench";

/// As `copy.sql` has it.
const COPY: &str = "restore_reconciler_bench_copy";

/// How long planting and copying may take.
const STATEMENT_WITHIN: Duration = Duration::from_mins(30);

/// A session's counters are complete once it has ended, which takes a moment after it was closed.
const ALONE_LOOKS: u32 = 500;
const ALONE_LOOK_EVERY: Duration = Duration::from_millis(10);

/// A server.
#[derive(Debug)]
pub(super) struct Server {
    url: Url,
    pool: PgPool,
    /// Whether the prepared database is ours. Whoever has it has the copy too.
    is_ours: AtomicBool,
}

impl Server {
    pub(super) async fn connect(url: &str) -> Result<Self, StoreError> {
        let step = "connect to PostgreSQL";
        // Neither error may repeat the URL, and with it the password.
        let parsed =
            Url::parse(url).map_err(|_| StoreError::fatal(step, "its URL is malformed"))?;
        let pool = PgPoolOptions::new()
            .max_connections(1)
            .acquire_timeout(Limits::default().connect_timeout)
            .connect(url)
            .await
            .during(step)?;
        Ok(Self {
            url: parsed,
            pool,
            is_ours: AtomicBool::new(false),
        })
    }

    pub(super) async fn create(&self) -> Result<String, StoreError> {
        // Before it is there: whoever is interrupted meanwhile removes it.
        self.is_ours.store(true, Ordering::Relaxed);
        let created = self
            .execute(
                "create a database to prepare",
                include_str!("postgres/create.sql"),
            )
            .await;
        if created.is_err() {
            self.is_ours.store(false, Ordering::Relaxed);
        }
        created?;
        let url = self.url_of(PREPARED);
        if let Err(error) = assert_leads_to_prepared(&url).await {
            self.remove().await?;
            return Err(error);
        }
        Ok(url)
    }

    pub(super) async fn copy(&self) -> Result<String, StoreError> {
        self.remove_copy(&self.pool).await?;
        self.execute(
            "copy the prepared database",
            include_str!("postgres/copy.sql"),
        )
        .await?;
        Ok(self.url_of(COPY))
    }

    /// On a connection of its own: a statement that was broken off keeps the other one until it ends.
    pub(super) async fn remove(&self) -> Result<(), StoreError> {
        if !self.is_ours.swap(false, Ordering::Relaxed) {
            return Ok(());
        }
        let step = "remove the databases of a measurement";
        let pool = PgPoolOptions::new()
            .max_connections(1)
            .connect_with((*self.pool.connect_options()).clone())
            .await
            .during(step)?;
        self.remove_copy(&pool).await?;
        sqlx::raw_sql(include_str!("postgres/remove_prepared.sql"))
            .execute(&pool)
            .await
            .during(step)?;
        pool.close().await;
        Ok(())
    }

    async fn remove_copy(&self, pool: &PgPool) -> Result<(), StoreError> {
        sqlx::raw_sql(include_str!("postgres/remove_copy.sql"))
            .execute(pool)
            .await
            .during("remove the copy of a database")?;
        Ok(())
    }

    pub(super) async fn describe(&self) -> Result<String, StoreError> {
        sqlx::query_scalar(include_str!("postgres/describe.sql"))
            .fetch_one(&self.pool)
            .await
            .during("ask the server about itself")
    }

    async fn execute(&self, step: &'static str, statement: &'static str) -> Result<(), StoreError> {
        sqlx::raw_sql(statement)
            .execute(&self.pool)
            .await
            .during(step)?;
        Ok(())
    }

    /// A database's name in the URL's parameters would overrule the one in its path.
    fn url_of(&self, database: &str) -> String {
        let mut url = self.url.clone();
        url.set_path(database);
        let others: Vec<(String, String)> = url
            .query_pairs()
            .filter(|(name, _)| name != "dbname")
            .map(|(name, value)| (name.into_owned(), value.into_owned()))
            .collect();
        url.set_query(None);
        if !others.is_empty() {
            url.query_pairs_mut().extend_pairs(others);
        }
        url.into()
    }
}

pub(super) async fn open(url: &str, limits: &Limits) -> Result<Arc<dyn Workbench>, StoreError> {
    let limits = Limits {
        statement_timeout: limits.statement_timeout.max(STATEMENT_WITHIN),
        ..*limits
    };
    Ok(Arc::new(PostgresStore::connect(url, &limits).await?))
}

/// Fails where the URL, which was made from somebody's, leads to a database that is not the new one.
async fn assert_leads_to_prepared(url: &str) -> Result<(), StoreError> {
    let step = "open the database to prepare";
    let mut session = PgConnection::connect(url).await.during(step)?;
    let name: String = sqlx::query_scalar(include_str!("postgres/name.sql"))
        .fetch_one(&mut session)
        .await
        .during(step)?;
    session.close().await.during(step)?;
    if name == PREPARED {
        Ok(())
    } else {
        Err(StoreError::fatal(step, "its URL leads to another one"))
    }
}

#[async_trait]
impl Workbench for PostgresStore {
    async fn plant_settled(&self, first: RunId, last: RunId) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        for statement in [
            include_str!("postgres/plant_settled_runs.sql"),
            include_str!("postgres/plant_settled_restores.sql"),
            include_str!("postgres/plant_settled_snapshots.sql"),
            include_str!("postgres/plant_settled_audits.sql"),
            include_str!("postgres/plant_settled_ledger.sql"),
        ] {
            sqlx::query(statement)
                .bind(first.0)
                .bind(last.0)
                .execute(tx.connection())
                .await
                .during("plant settled runs")?;
        }
        tx.commit().await
    }

    async fn set_advised_indexes(&self, wanted: bool) -> Result<(), StoreError> {
        let script = if wanted {
            include_str!("postgres/advise_indexes.sql")
        } else {
            include_str!("postgres/forget_indexes.sql")
        };
        sqlx::raw_sql(script)
            .execute(self.pool())
            .await
            .during("change the indexes")?;
        Ok(())
    }

    async fn analyse(&self) -> Result<(), StoreError> {
        sqlx::raw_sql(include_str!("postgres/analyse.sql"))
            .execute(self.pool())
            .await
            .during("analyse the tables")?;
        Ok(())
    }

    async fn close_like(
        &self,
        runs: &[RunId],
        like: RunId,
        with: &Settling,
    ) -> Result<u64, StoreError> {
        let ids: Vec<i64> = runs.iter().map(|run| run.0).collect();
        let mut tx = self.begin().await?;
        let closed: i64 = sqlx::query_scalar(include_str!("postgres/close_like.sql"))
            .bind(ids)
            .bind(like.0)
            .bind(&with.policy.audit_actions)
            .bind(AUDITS_PER_RESTORE_MAX)
            .fetch_one(tx.connection())
            .await
            .during("close runs by one statement")?;
        tx.commit().await?;
        Ok(closed.unsigned_abs())
    }

    async fn close(&self) {
        self.pool().close().await;
        self.queue().close().await;
    }

    async fn rows_touched(&self) -> Result<Option<RowsTouched>, StoreError> {
        let step = "read the server's counters";
        for _ in 0..ALONE_LOOKS {
            let others: i64 = sqlx::query_scalar(include_str!("postgres/count_others.sql"))
                .fetch_one(self.pool())
                .await
                .during(step)?;
            if others == 0 {
                break;
            }
            tokio::time::sleep(ALONE_LOOK_EVERY).await;
        }
        let (read, written): (i64, i64) = sqlx::query_as(include_str!("postgres/rows_touched.sql"))
            .fetch_one(self.pool())
            .await
            .during(step)?;
        Ok(Some(RowsTouched {
            read: read.unsigned_abs(),
            written: written.unsigned_abs(),
        }))
    }

    async fn producer(&self) -> Result<Box<dyn Producer>, StoreError> {
        let connection = PgConnection::connect_with(&self.pool().connect_options())
            .await
            .during("connect as the platform does")?;
        Ok(Box::new(Platform(connection)))
    }
}

/// A connection that no pool looks after.
struct Platform(PgConnection);

#[async_trait]
impl Producer for Platform {
    async fn end_restore(&mut self, run: RunId, last: LastStep) -> Result<(), StoreError> {
        let step = "end a restore";
        let mut tx = self.0.begin().await.during(step)?;
        for statement in [
            include_str!("postgres/end_restore.sql"),
            include_str!("postgres/note_end.sql"),
        ] {
            sqlx::query(statement)
                .bind(run.0)
                .execute(&mut *tx)
                .await
                .during(step)?;
        }
        let answer: bool = match last {
            LastStep::None => true,
            LastStep::Select => sqlx::query_scalar(include_str!("postgres/select.sql"))
                .fetch_one(&mut *tx)
                .await
                .during(step)?,
            LastStep::Request => sqlx::query_scalar(include_str!("postgres/ask.sql"))
                .bind(run.0)
                .fetch_one(&mut *tx)
                .await
                .during(step)?,
        };
        if !answer {
            return Err(StoreError::fatal(step, ASKED_IN_VAIN));
        }
        tx.commit().await.during(step)
    }
}
