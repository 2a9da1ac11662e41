//! What the console and the command line show is read here, and nothing can be written here.
//!
//! The console's [`Reader`] has connections of its own, which refuse to write: on PostgreSQL each session is
//! read-only, on SQLite the file is opened so. A command reads through the connections of its store. What is
//! returned are facts and rows; the pure crate says what they mean.
//!
//! **Invariants:**
//! - Every answer keeps to the viewer's [`Workspaces`]. What lies outside of them is absent, exactly as if it
//!   did not exist; deleted rows are absent for everybody.
//! - Each statement carries the viewer's workspaces, or asks in the scope of rows that were found within them.
//! - Every list has a limit, and so has the number of rows that are looked at to fill it.
//! - A row of an environment that is deleted, or is another workspace's than its own, is absent like the
//!   environment; but for open runs and what is queued, which whoever may see all sees. Operators see such runs, and those of other types, through [`Reader::assess`],
//!   [`Reader::load_standings`] and a [`QueueScope`] that is not `live_only`.
//!
//! | Module | Story |
//! |---|---|
//! | `scope` | whose rows may be seen |
//! | `names` | names as they are shown |
//! | `open` | connections that cannot write, and the one thing that may be asked for |
//! | `run`, `runs` | one run in full; pages of runs |
//! | `run_counts` | how many runs are in which part of the list |
//! | `record` | what is on record of runs |
//! | `found` | what has an id that somebody looks for |
//! | `later` | verdicts that would be stronger today |
//! | `ledger` | the ledger itself, entry by entry |
//! | `restores` | a restore that may have no run, and what a restore points at |
//! | `restore_list` | pages of restores |
//! | `backups` | backup sets, and what was captured in them |
//! | `environments` | pages of environments, and a walk through all of them |
//! | `queue`, `standing` | what is queued, in hand or in trouble; what is remembered of one run |
//! | `sweeps` | the latest sweeps |
//! | `status` | whether runs are looked at, as every page says it |
//!
//! Each module holds its model, its rows and its statements. A statement is set-based: one round trip for a whole
//! page. A scope that is null, and a filter that is, cost nothing on PostgreSQL: plans are made for the values at hand.

mod backups;
mod environments;
mod found;
mod later;
mod ledger;
mod names;
mod open;
mod queue;
mod record;
mod restore_list;
mod restores;
mod run;
mod run_counts;
mod runs;
mod scope;
mod standing;
mod status;
mod sweeps;

pub use backups::ITEMS_MAX;
pub use environments::{
    EnvironmentPage, EnvironmentSeen, LongestOpen, OpenRuns, PlaceSeen, UnprovenRuns, Walk, Walked,
};
pub use found::Found;
pub use ledger::{LedgerFilter, LedgerPart, LedgerParts, LedgerRow, PassedEntry, PositionSeen};
pub use names::{is_invisible, is_joiner};
pub use open::{Reader, Requests, open_reader, open_requests, request_elsewhere};
pub(in crate::storage) use queue::COUNT_UNDECIDED;
pub use queue::{
    OpenReason, QueueCount, QueueEntry, QueueListing, QueueScope, ShardJobs, WorkerSeen,
};
pub use record::{RefusalSeen, RunOnRecord, VerdictSeen};
pub use restore_list::{RestoreFilter, RestoreInList, RestoreKind, RestoreListing};
pub use restores::{Latest, RestoreSeen};
pub use run::{RunInFull, RunSeen};
pub use run_counts::{COUNTED_MAX, RestoreParts, RunCounts, RunParts};
pub use runs::{JUDGED_MAX, LOOKED_AT_MAX, OrphanedRuns, RecentVerdict, RunFilter, RunListing};
pub use scope::Workspaces;
pub use standing::{
    AttemptsOnRecord, JobOnRecord, JobState, NextLook, QueueStanding, WatchOnRecord,
};
pub use status::{OPEN_COUNTED_MAX, StatusFacts};
pub use sweeps::SweepSeen;
