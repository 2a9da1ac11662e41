//! SQLite: the embedded default, for demonstrations, tests and trying things out.
//!
//! **Invariants:** a transaction that may write begins with `BEGIN IMMEDIATE`, so it waits for other
//! writers before it has read anything, and never fails half-way because it could not upgrade.
//! Moments are integer microseconds.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, OnceLock};

use futures_util::FutureExt as _;
use sqlx::Connection as _;
use sqlx::migrate::Migrator;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool, SqlitePoolOptions,
    SqliteSynchronous,
};

use super::column::StoredMoment;
use super::distrust::Trust;
use super::error::{During as _, Result, StoreError, StoreFault};
use super::limits::{Access, Limits};
use super::postgres::versions_of;
use super::statement::{Statement, statement};
use super::transaction::{DatabaseTransaction, Interference, Tx};

/// The clock of a database that has none of its own: the machine's, asked for through SQL.
const NOW: Statement = statement!("read the database's clock", sqlite "now");

/// The migrations that this program brings along, in their order.
pub(super) static VERSIONS_KNOWN: LazyLock<Vec<i64>> = LazyLock::new(|| versions_of(&migrator()));

/// What the name of the jobs' file has after that of the database.
const QUEUE_SUFFIX: &str = ".queue";

/// A SQLite file.
#[derive(Debug, Clone)]
pub struct SqliteStore {
    pub(super) pool: SqlitePool,
    /// Opened by the first statement that is sent through it.
    pub(super) queue: SqlitePool,
    /// Where the file is, and which one it was when it was opened.
    file_seen: Arc<WatchedFile>,
    /// The jobs' own file, as it was when it was first seen.
    queue_seen: Arc<WatchedFile>,
    pub(super) trust: Trust,
}

/// A file, and which of those that may have been in its place over time.
#[derive(Debug)]
struct WatchedFile {
    place: PathBuf,
    device_and_node: OnceLock<(u64, u64)>,
}

impl WatchedFile {
    fn at(place: PathBuf) -> Self {
        Self {
            place,
            device_and_node: OnceLock::new(),
        }
    }

    /// Whether the file is the one that it was when this was first asked and found one; none if there was none yet.
    fn is_same(&self) -> Option<bool> {
        let found = std::fs::metadata(&self.place)
            .ok()
            .map(|file| (file.dev(), file.ino()));
        match found {
            Some(found) => Some(*self.device_and_node.get_or_init(|| found) == found),
            None => self.device_and_node.get().map(|_| false),
        }
    }
}

impl SqliteStore {
    /// Opens the file that `url` names.
    pub async fn connect(url: &str, access: Access, limits: &Limits) -> Result<Self> {
        let options: SqliteConnectOptions = url
            .parse()
            .map_err(|error: sqlx::Error| StoreError::fatal("read the database URL", error))?;
        let options = options.busy_timeout(limits.lock_timeout).foreign_keys(true);
        let options = match access {
            // Journal mode is a property of the file, and setting it would be a write.
            Access::Read => options.read_only(true),
            Access::Write | Access::Create => options
                .create_if_missing(access == Access::Create)
                .journal_mode(SqliteJournalMode::Wal)
                .synchronous(SqliteSynchronous::Full),
        };
        let queue = queue_file(options.get_filename());
        let pools = || {
            SqlitePoolOptions::new()
                .max_connections(limits.connections_max)
                .acquire_timeout(limits.connect_timeout)
                .after_release(|connection, _| is_out_of_transaction(connection).boxed())
        };
        let file_seen = WatchedFile::at(options.get_filename().to_owned());
        let queue_seen = WatchedFile::at(queue.clone());
        let queue = options
            .clone()
            .filename(queue)
            .create_if_missing(access != Access::Read);
        let pool = pools()
            .connect_with(options)
            .await
            .during("open the SQLite file")?;
        let queue = pools().connect_lazy_with(queue);
        file_seen.is_same();
        queue_seen.is_same();
        Ok(Self {
            pool,
            queue,
            file_seen: Arc::new(file_seen),
            queue_seen: Arc::new(queue_seen),
            trust: limits.trust,
        })
    }

    /// A transaction that may write, and keeps every other writer out.
    pub(super) async fn begin(&self) -> Result<DatabaseTransaction> {
        self.begin_with("begin a transaction", "BEGIN IMMEDIATE")
            .await
    }

    /// A transaction that sees one snapshot and does not write.
    pub(super) async fn begin_read(&self) -> Result<DatabaseTransaction> {
        let step = "begin to read";
        self.check_file(step)?;
        self.begin_with(step, "BEGIN DEFERRED").await
    }

    async fn begin_with(
        &self,
        step: &'static str,
        begin: &'static str,
    ) -> Result<DatabaseTransaction> {
        // Boxed: it is large, and part of whatever begins a transaction.
        let tx = Box::pin(self.pool.begin_with(begin)).await.during(step)?;
        let mut tx = Tx::Sqlite(tx);
        let (as_of, may_swallow): (StoredMoment, bool) = tx.driver().fetch_one(NOW, &[]).await?;
        let interference = Interference {
            may_swallow,
            may_hide: false,
        };
        let as_of = as_of.read(NOW.step)?;
        Ok(DatabaseTransaction::new(tx, as_of, interference))
    }

    /// Fails once the database's file is not the one that was opened. One in memory always is.
    pub(super) fn check_file(&self, step: &'static str) -> Result<()> {
        if self.file_seen.is_same() != Some(false) {
            return Ok(());
        }
        let place = self.file_seen.place.clone();
        Err(StoreError::fatal(step, StoreFault::DatabaseFileGone(place)))
    }

    /// Whether there is a file with jobs. Fails once it is not the one that was first seen.
    pub(super) fn has_queue_file(&self, step: &'static str) -> Result<bool> {
        match self.queue_seen.is_same() {
            Some(false) => {
                let place = self.queue_seen.place.clone();
                Err(StoreError::fatal(step, StoreFault::QueueFileGone(place)))
            }
            same => Ok(same.is_some()),
        }
    }
}

/// Whether a connection that comes back can begin another transaction. SQLite ends one by itself on a full disk, which the
/// driver does not notice: it would take every later one on that connection for a part of the one that has ended.
async fn is_out_of_transaction(connection: &mut SqliteConnection) -> sqlx::Result<bool> {
    // A rollback that nobody waits for comes first.
    connection.ping().await?;
    Ok(!connection.is_in_transaction())
}

/// Applies migrations, one process at a time.
pub(super) async fn run_migrations(
    pool: &SqlitePool,
    step: &'static str,
    migrations: &Migrator,
) -> Result<()> {
    // The migrator takes no lock of its own on SQLite; inside of a write transaction it has one.
    let mut tx = pool.begin_with("BEGIN IMMEDIATE").await.during(step)?;
    migrations
        // `run` is this call behind a trait that a boxed future cannot name.
        .run_direct(None, &mut *tx, false)
        .await
        .map_err(|error| StoreError::migration(step, error))?;
    tx.commit().await.during(step)
}

/// The jobs' own file, beside the database in `file`.
pub fn queue_file(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(QUEUE_SUFFIX);
    name.into()
}

/// The migrations of our own tables.
pub(crate) fn migrator() -> Migrator {
    let mut migrator = sqlx::migrate!("migrations/sqlite");
    migrator.dangerous_set_table_name("reconciler_migrations");
    migrator
}
