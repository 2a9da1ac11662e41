//! Databases that come and go: one that is prepared, and a copy of it for each measurement, so that all of them begin
//! alike. Their names are fixed, so that one that was left behind is found, and that two measurements do not disturb
//! each other unnoticed.
//!
//! **Invariant:** nothing but databases of these names is ever created, filled or removed.

use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context as _, bail, ensure};
use restore_reconciler::internals::storage::Limits;
use sqlx::error::DatabaseError;
use sqlx::postgres::{PgPool, PgPoolOptions};
use sqlx::{Connection as _, PgConnection};
use url::Url;

/// The database that is prepared, and its copy.
const PREPARED: &str = "restore_reconciler_bench";
const COPY: &str = "restore_reconciler_bench_copy";

const CREATE: &str = "CREATE DATABASE restore_reconciler_bench";
const COPY_PREPARED: &str =
    "CREATE DATABASE restore_reconciler_bench_copy TEMPLATE restore_reconciler_bench";
const REMOVE_PREPARED: &str = "DROP DATABASE IF EXISTS restore_reconciler_bench WITH (FORCE)";
const REMOVE_COPY: &str = "DROP DATABASE IF EXISTS restore_reconciler_bench_copy WITH (FORCE)";

/// The server's version, and the settings that decide how it keeps what was committed.
const DESCRIBE: &str = "SELECT format(
    'PostgreSQL %s, shared_buffers %s, fsync %s, synchronous_commit %s',
    current_setting('server_version'), current_setting('shared_buffers'), current_setting('fsync'),
    current_setting('synchronous_commit')
)";

/// What a server says where a database of that name is there already.
const DUPLICATE_DATABASE: &str = "42P04";

const OCCUPIED: &str = "somebody measures on this server, or was killed while measuring. If nobody does: \
    DROP DATABASE restore_reconciler_bench WITH (FORCE), and the same of restore_reconciler_bench_copy";

const NAME: &str = "SELECT current_database()::text";

/// A PostgreSQL server, and which databases on it are ours.
#[derive(Debug)]
pub(crate) struct Scratch {
    url: Url,
    pool: PgPool,
    /// Whether the prepared database is ours. Whoever has it has the copy too.
    is_ours: AtomicBool,
}

impl Scratch {
    /// On the server that `url` names, whose user must be allowed to create databases. The database that `url` names
    /// is connected to and not touched.
    pub(crate) async fn on_server(url: &str) -> anyhow::Result<Self> {
        let step = "cannot connect to PostgreSQL";
        // Neither error may repeat the URL, and with it the password.
        let malformed = |_| sqlx::Error::Configuration("its URL is malformed".into());
        let parsed = Url::parse(url).map_err(malformed).context(step)?;
        let pool = PgPoolOptions::new()
            .max_connections(1)
            .acquire_timeout(Limits::default().connect_timeout)
            .connect(url)
            .await
            .context(step)?;
        Ok(Self {
            url: parsed,
            pool,
            is_ours: AtomicBool::new(false),
        })
    }

    /// Creates the database that is to be prepared, empty, and returns its URL. Fails if there is one: somebody else
    /// measures on this server, or was killed while measuring.
    pub(crate) async fn create(&self) -> anyhow::Result<String> {
        // Before it is there: whoever is interrupted meanwhile removes it.
        self.is_ours.store(true, Ordering::Relaxed);
        if let Err(error) = sqlx::raw_sql(CREATE).execute(&self.pool).await {
            self.is_ours.store(false, Ordering::Relaxed);
            let code = error.as_database_error().and_then(DatabaseError::code);
            return match code.as_deref() {
                Some(DUPLICATE_DATABASE) => bail!(OCCUPIED),
                _ => Err(error).context("cannot create a database to prepare"),
            };
        }
        let url = self.url_of(PREPARED);
        if let Err(error) = assert_leads_to_prepared(&url).await {
            self.remove().await?;
            return Err(error);
        }
        Ok(url)
    }

    /// Copies the prepared database, to which nobody may be connected, in place of an earlier copy, and returns the
    /// copy's URL.
    pub(crate) async fn copy(&self) -> anyhow::Result<String> {
        execute(&self.pool, "remove the copy of a database", REMOVE_COPY).await?;
        execute(&self.pool, "copy the prepared database", COPY_PREPARED).await?;
        Ok(self.url_of(COPY))
    }

    /// Removes both, whoever is still connected to them.
    ///
    /// On a connection of its own: a statement that was broken off keeps the other one until it ends.
    pub(crate) async fn remove(&self) -> anyhow::Result<()> {
        if !self.is_ours.swap(false, Ordering::Relaxed) {
            return Ok(());
        }
        let step = "cannot remove the databases of a measurement";
        let pool = PgPoolOptions::new()
            .max_connections(1)
            .connect_with((*self.pool.connect_options()).clone())
            .await
            .context(step)?;
        execute(&pool, step, REMOVE_COPY).await?;
        execute(&pool, step, REMOVE_PREPARED).await?;
        pool.close().await;
        Ok(())
    }

    /// What the server says of itself: its version, and how it keeps what was committed.
    pub(crate) async fn describe(&self) -> anyhow::Result<String> {
        sqlx::query_scalar(DESCRIBE)
            .fetch_one(&self.pool)
            .await
            .context("cannot ask the server about itself")
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

async fn execute(pool: &PgPool, step: &'static str, statement: &'static str) -> anyhow::Result<()> {
    let executed = sqlx::raw_sql(statement).execute(pool).await;
    executed.map(drop).context(step)
}

/// Fails where the URL, which was made from somebody's, leads to a database that is not the new one.
async fn assert_leads_to_prepared(url: &str) -> anyhow::Result<()> {
    let step = "cannot open the database to prepare";
    let mut session = PgConnection::connect(url).await.context(step)?;
    let name = sqlx::query_scalar(NAME).fetch_one(&mut session).await;
    let name: String = name.context(step)?;
    session.close().await.context(step)?;
    let is_prepared = name == PREPARED;
    ensure!(
        is_prepared,
        "the URL of the database to prepare leads to another one"
    );
    Ok(())
}
