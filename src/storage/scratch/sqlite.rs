//! Databases that are files in a directory.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use reconciler_jobs::ids::RunId;
use sqlx::{Connection as _, SqliteConnection};

use super::{ASKED_IN_VAIN, LastStep, Producer, RowsTouched, Workbench};
use crate::storage::Settling;
use crate::storage::error::{During as _, StoreError};
use crate::storage::limits::{Access, Limits};
use crate::storage::queue::Queue as _;
use crate::storage::settle::{Transaction as _, Transactions as _, with_retries};
use crate::storage::sqlite::SqliteStore;

const PREPARED: &str = "prepared.db";
const COPY: &str = "copy.db";

/// How often a restore's end is written again when somebody else held the file for too long.
const RETRIES_MAX: u32 = 5;

/// What SQLite writes beside a database, and we beside that.
const BESIDE: [&str; 6] = ["", "-wal", "-shm", ".queue", ".queue-wal", ".queue-shm"];

/// A directory.
#[derive(Debug)]
pub(super) struct Directory(PathBuf);

impl Directory {
    pub(super) fn new(directory: &Path) -> Self {
        Self(directory.to_owned())
    }

    pub(super) fn prepared(&self) -> String {
        self.url_of(PREPARED)
    }

    pub(super) fn copy(&self) -> Result<String, StoreError> {
        for beside in BESIDE {
            let [from, to] = [PREPARED, COPY].map(|name| self.0.join(format!("{name}{beside}")));
            copy_or_remove(&from, &to)
                .map_err(|error| StoreError::fatal("copy the prepared database", error))?;
        }
        Ok(self.url_of(COPY))
    }

    pub(super) fn remove(&self) -> Result<(), StoreError> {
        for name in [COPY, PREPARED] {
            for beside in BESIDE {
                remove(&self.0.join(format!("{name}{beside}")))
                    .map_err(|error| StoreError::fatal("remove a measurement's files", error))?;
            }
        }
        Ok(())
    }

    pub(super) async fn describe() -> Result<String, StoreError> {
        let step = "ask SQLite about itself";
        let mut memory = SqliteConnection::connect("sqlite::memory:")
            .await
            .during(step)?;
        sqlx::query_scalar(include_str!("sqlite/describe.sql"))
            .fetch_one(&mut memory)
            .await
            .during(step)
    }

    fn url_of(&self, file: &str) -> String {
        format!("sqlite://{}", self.0.join(file).display())
    }
}

/// Never writes into the file that is there: a connection to it that is still being closed would write its log
/// into the new content.
fn copy_or_remove(from: &Path, to: &Path) -> std::io::Result<()> {
    remove(to)?;
    if from.try_exists()? {
        fs::copy(from, to)?;
    }
    Ok(())
}

fn remove(file: &Path) -> std::io::Result<()> {
    match fs::remove_file(file) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

pub(super) async fn open(url: &str, limits: &Limits) -> Result<Arc<dyn Workbench>, StoreError> {
    Ok(Arc::new(
        SqliteStore::connect(url, Access::Create, limits).await?,
    ))
}

#[async_trait]
impl Workbench for SqliteStore {
    async fn plant_settled(&self, first: RunId, last: RunId) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        for statement in [
            include_str!("sqlite/plant_settled_runs.sql"),
            include_str!("sqlite/plant_settled_restores.sql"),
            include_str!("sqlite/plant_settled_snapshots.sql"),
            include_str!("sqlite/plant_settled_audits.sql"),
            include_str!("sqlite/plant_settled_ledger.sql"),
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
            include_str!("sqlite/advise_indexes.sql")
        } else {
            include_str!("sqlite/forget_indexes.sql")
        };
        sqlx::raw_sql(script)
            .execute(self.pool())
            .await
            .during("change the indexes")?;
        Ok(())
    }

    async fn analyse(&self) -> Result<(), StoreError> {
        sqlx::raw_sql(include_str!("sqlite/analyse.sql"))
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
        let step = "close runs by set-based statements";
        let refused = |error| StoreError::refused(step, error);
        let ids: Vec<i64> = runs.iter().map(|run| run.0).collect();
        let ids = serde_json::to_string(&ids).map_err(refused)?;
        let actions = serde_json::to_string(&with.policy.audit_actions).map_err(refused)?;
        let mut tx = self.begin().await?;
        sqlx::query(include_str!("sqlite/read_like.sql"))
            .bind(&ids)
            .bind(&actions)
            .execute(tx.connection())
            .await
            .during(step)?;
        let closed = sqlx::query(include_str!("sqlite/close_like.sql"))
            .bind(&ids)
            .bind(like.0)
            .execute(tx.connection())
            .await
            .during(step)?
            .rows_affected();
        for statement in [
            include_str!("sqlite/enter_like.sql"),
            include_str!("sqlite/note_like.sql"),
        ] {
            sqlx::query(statement)
                .bind(&ids)
                .bind(like.0)
                .execute(tx.connection())
                .await
                .during(step)?;
        }
        tx.commit().await?;
        Ok(closed)
    }

    async fn close(&self) {
        self.pool().close().await;
        self.queue().close().await;
    }

    async fn rows_touched(&self) -> Result<Option<RowsTouched>, StoreError> {
        Ok(None)
    }

    async fn producer(&self) -> Result<Box<dyn Producer>, StoreError> {
        Ok(Box::new(self.clone()))
    }
}

#[async_trait]
impl Producer for SqliteStore {
    async fn end_restore(&mut self, run: RunId, last: LastStep) -> Result<(), StoreError> {
        let step = "end a restore";
        // The worker writes into the same file.
        with_retries(RETRIES_MAX, async || {
            let mut tx = self
                .pool()
                .begin_with("BEGIN IMMEDIATE")
                .await
                .during(step)?;
            for statement in [
                include_str!("sqlite/end_restore.sql"),
                include_str!("sqlite/note_end.sql"),
            ] {
                sqlx::query(statement)
                    .bind(run.0)
                    .execute(&mut *tx)
                    .await
                    .during(step)?;
            }
            tx.commit().await.during(step)
        })
        .await?;
        if last == LastStep::Request && self.request(&[run], "platform", None).await?.is_empty() {
            return Err(StoreError::fatal(step, ASKED_IN_VAIN));
        }
        Ok(())
    }
}
