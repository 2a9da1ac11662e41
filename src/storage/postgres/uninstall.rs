//! Removing what `migrate` created.
//!
//! **Invariant:** what others have put into the schema that users of the queue's library share, or hang on an extension
//! of ours, is never removed.

use std::time::Duration;

use sqlx::FromRow;
use sqlx::postgres::PgPool;

use super::holders::LockWaiter;
use super::{milliseconds, set_local};
use crate::storage::error::{During as _, Result};

/// What is there to be removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installed {
    /// The database's name.
    pub database: String,
    /// Our own schema and the queue's, as far as they go.
    pub schemas: Vec<&'static str>,
    /// The verdicts in the ledger, of all platforms.
    pub verdicts: i64,
    /// Queues of others in schema `apalis`, which therefore stays.
    pub foreign_queues: Vec<String>,
    /// Tables of others that would lose columns.
    pub uses_of_hstore: Option<String>,
    /// Views of others that would go with what they read.
    pub readers: Option<String>,
    /// Workers that have shown lately that they are alive.
    pub live_workers: i64,
}

#[derive(FromRow)]
struct BeforeUninstalling {
    database: String,
    has_own: bool,
    has_queue: bool,
    uses_of_hstore: Option<String>,
    holds_hstore: bool,
    readers: Option<String>,
}

/// Looks; writes nothing.
pub(in crate::storage) async fn look(pool: &PgPool) -> Result<Installed> {
    let step = "look at what would be removed";
    let before: BeforeUninstalling =
        sqlx::query_as(include_str!("sql/look_before_uninstalling.sql"))
            .fetch_one(pool)
            .await
            .during(step)?;
    let mut installed = Installed {
        database: before.database,
        schemas: Vec::new(),
        verdicts: 0,
        foreign_queues: Vec::new(),
        uses_of_hstore: before.uses_of_hstore,
        readers: before.readers,
        live_workers: 0,
    };
    if before.has_queue {
        let looked = sqlx::query_as(include_str!("sql/look_into_queue.sql"));
        (installed.foreign_queues, installed.live_workers) =
            looked.fetch_one(pool).await.during(step)?;
        if installed.foreign_queues.is_empty() {
            installed.schemas.push("apalis");
        } else if before.holds_hstore {
            let uses = installed.uses_of_hstore.take();
            let jobs = "apalis.jobs".to_owned();
            installed.uses_of_hstore =
                Some(uses.map_or(jobs.clone(), |uses| format!("{jobs}, {uses}")));
        }
    }
    if before.has_own {
        installed.schemas.push("reconciler");
        installed.verdicts = sqlx::query_scalar(include_str!("sql/count_verdicts.sql"))
            .fetch_one(pool)
            .await
            .during(step)?;
    }
    Ok(installed)
}

/// Removes it, all or nothing, and waits no longer for each lock than `lock_timeout`. One that is not to be had is fatal,
/// and the error says who has it.
pub(in crate::storage) async fn remove(
    pool: &PgPool,
    installed: &Installed,
    lock_timeout: Duration,
) -> Result<()> {
    let step = "remove our schemas";
    let mut tx = pool.begin().await.during(step)?;
    let waiter = LockWaiter::of(&mut tx, step).await?;
    let limit = milliseconds(lock_timeout);
    set_local(&mut tx, "lock_timeout", &limit)
        .await
        .during(step)?;
    for schema in &installed.schemas {
        let statement = match *schema {
            "apalis" => include_str!("sql/drop_queue.sql"),
            _ => include_str!("sql/drop_own.sql"),
        };
        let dropping = async {
            let dropped = sqlx::query(statement).execute(&mut *tx).await;
            dropped.during(step)
        };
        waiter.naming(pool, step, dropping).await?;
    }
    tx.commit().await.during(step)
}
