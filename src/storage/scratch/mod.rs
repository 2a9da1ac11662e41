//! Databases that come and go, for measurements: one that is prepared, and a copy of it for each measurement,
//! so that all of them begin alike.
//!
//! **Invariant:** nothing but databases of these names is ever created, filled or removed.

mod postgres;
mod sqlite;

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use reconciler_jobs::ids::RunId;

use self::postgres::Server;
use self::sqlite::Directory;
use super::limits::Limits;
use super::standin::Standin;
use super::{Backend, Settling, StoreError};

/// Where the databases are.
#[derive(Debug)]
pub struct Scratch(Place);

#[derive(Debug)]
enum Place {
    Server(Server),
    Directory(Directory),
}

impl Scratch {
    /// On the PostgreSQL server that `url` names, whose user must be allowed to create databases. The database
    /// that `url` names is connected to and not touched.
    pub async fn on_server(url: &str) -> Result<Self, StoreError> {
        Ok(Self(Place::Server(Server::connect(url).await?)))
    }

    /// SQLite files in a directory that exists.
    #[must_use]
    pub fn in_directory(directory: &Path) -> Self {
        Self(Place::Directory(Directory::new(directory)))
    }

    /// Which database it is.
    #[must_use]
    pub fn backend(&self) -> Backend {
        match self.0 {
            Place::Server(_) => Backend::Postgres,
            Place::Directory(_) => Backend::Sqlite,
        }
    }

    /// Creates the database that is to be prepared, empty, and returns its URL. Fails if there is one: somebody
    /// else measures on this server, or was killed while measuring.
    pub async fn create(&self) -> Result<String, StoreError> {
        match &self.0 {
            Place::Server(server) => server.create().await,
            Place::Directory(directory) => Ok(directory.prepared()),
        }
    }

    /// Copies the prepared database, to which nobody may be connected, in place of an earlier copy, and returns
    /// the copy's URL.
    pub async fn copy(&self) -> Result<String, StoreError> {
        match &self.0 {
            Place::Server(server) => server.copy().await,
            Place::Directory(directory) => directory.copy(),
        }
    }

    /// Removes both, whoever is still connected to them.
    pub async fn remove(&self) -> Result<(), StoreError> {
        match &self.0 {
            Place::Server(server) => server.remove().await,
            Place::Directory(directory) => directory.remove(),
        }
    }

    /// What the server, or the library, says of itself: its version, and how it keeps what was committed.
    pub async fn describe(&self) -> Result<String, StoreError> {
        match &self.0 {
            Place::Server(server) => server.describe().await,
            Place::Directory(_) => Directory::describe().await,
        }
    }

    /// Connects to one of its databases.
    pub async fn open(&self, url: &str, limits: &Limits) -> Result<Arc<dyn Workbench>, StoreError> {
        match &self.0 {
            Place::Server(_) => postgres::open(url, limits).await,
            Place::Directory(_) => sqlite::open(url, limits).await,
        }
    }
}

/// Statements for measurements alone.
#[async_trait]
pub trait Workbench: Standin {
    /// Adds runs with complete proof that were closed long ago, with all that belongs to them: restore,
    /// evidence, the platform's audit entry and ours, and the ledger's entry. Their documents are small. Run N
    /// has restore N.
    async fn plant_settled(&self, first: RunId, last: RunId) -> Result<(), StoreError>;

    /// Creates the indexes that `doctor` advises, or removes them again.
    async fn set_advised_indexes(&self, wanted: bool) -> Result<(), StoreError>;

    /// Tells the planner what the tables hold.
    async fn analyse(&self) -> Result<(), StoreError>;

    /// Closes due runs by one statement, which reads what a settlement reads and writes what it writes, with
    /// the verdict that was reached about `like`. Returns how many it closed.
    async fn close_like(
        &self,
        runs: &[RunId],
        like: RunId,
        with: &Settling,
    ) -> Result<u64, StoreError>;

    /// Lets go of the database, and returns once nobody of ours is connected to it.
    async fn close(&self);

    /// How many rows statements have read and written in this database so far; nothing where the database does
    /// not count them.
    async fn rows_touched(&self) -> Result<Option<RowsTouched>, StoreError>;

    /// Connects once more, as the platform does.
    async fn producer(&self) -> Result<Box<dyn Producer>, StoreError>;
}

/// One of the platform's connections: whatever it does waits for what it did before.
#[async_trait]
pub trait Producer: Send {
    /// Writes the end of a planted run's restore, with its documents and an audit entry, and commits it.
    /// Fails if it asked in vain, because the run is not open.
    async fn end_restore(&mut self, run: RunId, last: LastStep) -> Result<(), StoreError>;
}

/// What a producer does last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LastStep {
    /// Nothing more.
    None,
    /// It sends a statement that does nothing: the least that anything more could cost.
    Select,
    /// It asks for the run: on PostgreSQL in the same transaction; on SQLite, where the queue is in another
    /// file, right after it.
    Request,
}

/// What a producer says whose request was not queued.
const ASKED_IN_VAIN: &str = "the run is not open, or the queue cannot be written to";

/// Rows of tables, as the database counts them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RowsTouched {
    /// Read from a table or an index.
    pub read: u64,
    /// Inserted, updated or deleted.
    pub written: u64,
}
