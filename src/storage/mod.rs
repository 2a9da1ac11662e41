//! The store: reads what the platform recorded, and writes verdicts.
//!
//! ```text
//! settle(runs) ─▶ begin ─▶ lock ─▶ load facts ─▶ decide (pure) ─▶ close, audit, ledger ─▶ commit
//! ```
//!
//! One [`Store`], over one of two databases, chosen by URL: PostgreSQL for the platform's own, SQLite as the
//! embedded default. Whatever is done is written once, statements that differ in spelling alone too, below `sql`; what
//! differs is the SQL below `postgres/sql` and `sqlite/sql`, and what a database needs around it: connections, migrations,
//! notifications.
//!
//! | Module | Story |
//! |---|---|
//! | `model` | what goes in and comes out: how runs are settled, what became of each |
//! | `distrust` | why nothing may be proven from what a database shows |
//! | `statement`, `spelling`, `column` | what is sent to a database, and what comes back |
//! | `connection`, `transaction`, `database` | the two drivers, and all that is asked of them |
//! | `postgres`, `sqlite` | what one database needs that the other does not |
//! | `store`, `sweeps`, `census`, `feed`, `judges`, `moments`, `survey`, `queue` | what the store does, written once |
//! | `tree` | leaves and checkpoints, by which a changed verdict is found |
//! | `forget` | what is erased of a workspace that has left |
//! | `pauses` | where nothing is settled until somebody resumes it |
//! | `observations` | what was said of runs that are only observed |
//! | `settle` | the one settling path |
//! | `reader` | what is shown |
//!
//! **Invariants:**
//! - Every query that reads proof carries the run's workspace and environment.
//! - A verdict, its audit entry and its ledger entry are committed together or not at all, and only
//!   while the run is open.
//! - Nothing is counted or logged before it was committed.
//!
//! # Design notes
//!
//! `sqlx::Any` was rejected: it speaks the smallest language both databases share, and set-based
//! statements are not in it. Checked query macros were rejected because they check against one
//! database at build time; instead, one contract suite runs every statement on both. Generic code
//! over `sqlx::EitherDatabase` was rejected as well: its bounds would follow every function that sends a statement. An
//! enum of the two drivers stops them at `connection`.

pub mod census;
mod column;
mod connect;
mod connection;
mod database;
mod distrust;
mod error;
mod feed;
mod forget;
mod judges;
mod limits;
mod metadata_keys;
mod model;
mod moments;
mod observations;
mod opinions;
mod parsing;
mod pauses;
mod plans;
pub mod postgres;
pub mod queue;
pub mod reader;
mod records;
mod report;
mod settle;
mod spelling;
pub mod sqlite;
mod statement;
mod store;
mod survey;
mod sweeps;
mod transaction;
mod tree;

pub use connect::{check_url, connect};
pub use distrust::{Distrust, Trust};
pub(crate) use error::During;
pub use error::{ErrorKind, StoreError};
pub use feed::FeedProgress;
pub use judges::{Judge, next_sweep};
pub use limits::{Access, Limits};
pub use model::{
    ACTION_REASON_CHARS_MAX, AUDITS_PER_RESTORE_MAX, Action, ActionOnRecord, ActionVerb,
    Assessment, BATCH_RUNS_MAX, Backend, ClaimedJob, Driver, OpinionOnRecord, Pause,
    RUN_COLUMN_BYTES_MAX, RecordedVerdict, Settled, Settlement, Settling, Tally,
};
pub use observations::Observations;
pub use opinions::{OpinionPart, OpinionScope};
pub use postgres::shape::{Damage, look as look_at_shape};
pub use postgres::uninstall::Installed;
pub(crate) use postgres::upgrade::find_damage;
pub use postgres::upgrade::{Ground, NewExtension, SchemaState};
pub use postgres::{AddressError, ServerAddress, WantedServer, shown_query};
pub use queue::{Pruned, QueuePool, QueueState, Rechecks, Retention};
pub use sqlite::queue_file;
pub(crate) use sqlx::migrate::Migrator;
pub use store::Store;
pub use survey::SURVEYED;
pub use sweeps::SweepStart;
pub use tree::{
    CheckpointDue, CheckpointRow, KnownPart, LeafPart, LedgerPlace, Sealed, TreeState, hash_of,
};
