//! What the console and the command line show is read here, and nothing can be written here.
//!
//! The console's [`Reader`] has connections of its own, which refuse to write: on PostgreSQL each session is
//! read-only, on SQLite the file is opened so. A command reads through the connections of its store. What is
//! returned are facts and rows; the pure crate says what they mean.
//!
//! **Invariants:**
//! - Every answer keeps to the viewer's [`Workspaces`]. What lies outside of them is absent, exactly as if it
//!   did not exist; deleted rows are absent for everybody.
//! - Every list has a limit, and so has the number of rows that are looked at to fill it.
//! - A row of an environment that is deleted, or is another workspace's than its own, is absent like the
//!   environment. Operators see such runs, and those of other types, through [`Reader::assess`],
//!   [`Reader::load_standings`] and a [`QueueScope`] that is not `live_only`.
//!
//! | Module | Story |
//! |---|---|
//! | `open` | connections that cannot write, and the one thing that may be asked for |
//! | `statements` | the statements of a look |
//! | `reading` | the reader |
//! | `runs` | pages of runs, and one run in full |
//! | `restores` | a restore that may have no run, and what a restore points at |
//! | `environments` | pages of environments, and a walk through all of them |
//! | `queue` | what is queued, in hand or in trouble, and who works on it |
//! | `standing` | what is remembered of a run beside its own row |
//! | `model` | what is read: runs, restores, environments, sweeps |
//! | `rows` | rows as statements return them |
//! | `names` | names as they are shown |

mod environments;
mod model;
mod names;
mod open;
mod queue;
mod reading;
mod restores;
mod rows;
mod runs;
mod standing;
mod statements;

pub use model::{
    EnvironmentPage, EnvironmentPassed, EnvironmentSeen, ITEMS_MAX, JUDGED_MAX, LOOKED_AT_MAX,
    Latest, More, OpenRuns, RefusalSeen, RestoreSeen, RunFilter, RunInFull, RunListing, RunSeen,
    SweepSeen, VerdictSeen, Walk, Walked, Workspaces,
};
pub use names::{is_invisible, is_joiner};
pub use open::{Requests, open_reader, open_requests};
pub use queue::{QueueCount, QueueEntry, QueueListing, QueueScope, ShardJobs, WorkerSeen};
pub use reading::Reader;
pub use standing::{AttemptsOnRecord, JobOnRecord, JobState, QueueStanding, WatchOnRecord};
