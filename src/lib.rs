//! Was this restore proven, and if not, what is missing?
//!
//! `restore-reconciler` looks at `restore.execute` runs whose restore has ended, gathers every proof
//! the platform's database holds, decides `succeeded`, `partially_succeeded`, `blocked` or `failed`,
//! and writes the verdict, its reasons and an audit entry in one transaction. It claims no more than
//! it can prove: a status that says `completed` proves nothing yet.
//!
//! # Bird's eye
//!
//! ```text
//!             ┌───────────────── restore-reconciler: deliver, store, show ─────────────────┐
//!  platform ─▶│ worker: jobs, ticks ─┐                                                    │
//!   command ─▶│ cli ─▶ sweep ────────┴▶ storage ─▶ one transaction:                       │
//!             │                       lock ─▶ load ─▶ ┌─────────────────┐ ─▶ write ─▶ commit │─▶ report
//!     probe ─▶│ console ◀─ health                     │ reconciler-jobs │                 │
//!             │                                       │ facts ─▶ decide │                 │
//!             └───────────────────────────────────────┴─────────────────┴─────────────────┘
//! ```
//!
//! The run's row is the truth. A job in the queue is a hint that it is time to look at a run; a hint may
//! be lost or come twice without harm, because the sweep finds what was lost and a closed run is never
//! locked again.
//!
//! # Where things are
//!
//! | Module | Story |
//! |---|---|
//! | [`reconciler_jobs`] | every decision, as pure functions; start at `restore_execute::rules` |
//! | [`storage`] | reads what the platform recorded, writes verdicts; start at `storage::Store::settle` |
//! | [`doctor`] | what is looked at before a database is trusted: checks as statements, and one list of needs |
//! | [`ledger`] | the whole ledger, judged again and compared with what else was written, or asked what another policy would have said |
//! | [`tree`] | the tree over the ledger's verdicts, by which a changed one is found |
//! | [`sweep`] | one pass over all due runs |
//! | [`postures`] | how many environments are in which recovery posture |
//! | [`worker`] | the long-running process: jobs, the sweep's schedule, rechecks of runs that stayed open |
//! | [`config`] | settings, the environment, and the database URL with its secret |
//! | [`cli`] | one file per verb |
//! | [`demo`] | named scenarios on a stand-in for the platform, each built to tempt an overclaim |
//! | [`health`] | what a long-running process knows about itself |
//! | [`console`] | what is answered over HTTP: the probes of a worker; pages and an API for who may look |
//! | [`views`] | the shapes in which runs, restores, environments and the queue are shown, whoever shows them |
//! | [`metrics`] | every number that is exported, declared once |
//! | [`http`] | one request to a probe or a collector |
//! | [`telemetry`], [`clock`] | log lines; the one place that reads a clock |
//!
//! A program enters by [`main`]; tests and measurements reach in through [`internals`]. All else is private, so that the
//! compiler finds what nobody uses.
//!
//! # Invariants
//!
//! - Decisions are made in the pure crate only. It has no clock, no input or output, and no way to
//!   get one: its dependency list is checked by a test.
//! - A verdict's "now" is the database's clock, read once per batch.
//! - Verdict, audit entry and ledger entry are committed together, guarded by the run's status, or
//!   not at all.
//! - Every query that reads proof carries the run's workspace and environment. Foreign and deleted
//!   rows never show, not even by what is said about their absence.
//! - Platform tables are never migrated, but for a trigger on two of them where `migrate` is told to add it;
//!   restores are never retried, closed runs are never changed.
//! - A worker can be killed at any moment: what was not committed is found again by the queue, by
//!   another process, or by the next sweep.
//! - `sqlx` is named in [`storage`] and [`doctor`] only, `apalis` in [`worker`] only, `axum` in [`console`] only,
//!   `anyhow` in [`cli`] only, the wall clock in [`clock`] only. A test reads the sources and holds
//!   them to it.
//!
//! Deliberately absent: calls to Microsoft Graph or any other provider, further operation types,
//! new statuses or outcomes, and a notion of "probably fine".

#![expect(
    unreachable_pub,
    reason = "what a private module offers to the rest of the library is `pub`; the compiler still sees what nobody uses"
)]
#![expect(
    clippy::must_use_candidate,
    reason = "nobody outside calls these functions, and a call whose answer is left out does nothing"
)]

mod cli;
mod clock;
mod config;
mod console;
mod demo;
mod doctor;
mod health;
mod http;
#[doc(hidden)]
pub mod internals;
mod ledger;
mod metrics;
mod postures;
mod release;
mod storage;
mod sweep;
mod telemetry;
mod tree;
mod views;
mod worker;

pub use cli::main;
