//! Was this restore proven, and if not, what is missing?
//!
//! `restore-reconciler` looks at `restore.execute` runs whose restore has ended, gathers every proof
//! the platform's database holds, decides `succeeded`, `partially_succeeded`, `blocked` or `failed`,
//! and writes the verdict, its reasons and an audit entry in one transaction. It claims no more than
//! it can prove: a status that says `completed` is where it begins to ask.
//!
//! # Bird's eye
//!
//! ```text
//!            ┌──────────────── restore-reconciler: look, store, show ────────────────┐
//!  command ─▶│ cli ─▶ sweep ─▶ storage ─▶ one transaction:                           │
//!            │                   lock ─▶ load ─▶ ┌─────────────────┐ ─▶ write ─▶ commit │─▶ report
//!            │                                   │ reconciler-jobs │                 │
//!            │                                   │ facts ─▶ decide │                 │
//!            └───────────────────────────────────┴─────────────────┴─────────────────┘
//! ```
//!
//! The run's row is the truth. Whatever points at a run — an operator, a pass over all due runs — is
//! a hint that it is time to look; a hint may be lost or come twice without harm, because a pass
//! finds what was lost and a closed run is never locked again.
//!
//! # Where things are
//!
//! | Module | Story |
//! |---|---|
//! | [`reconciler_jobs`] | every decision, as pure functions; start at `restore_execute::rules` |
//! | [`storage`] | reads what the platform recorded, writes verdicts; start at `storage::Store::settle` |
//! | [`sweep`] | one pass over all due runs |
//! | [`config`] | settings, the environment, and the database URL with its secret |
//! | [`cli`] | one file per verb |
//! | [`demo`] | named scenarios on a stand-in for the platform, each built to tempt an overclaim |
//! | [`runbook`] | the page about reason codes, generated from their registry |
//! | [`telemetry`], [`clock`] | log lines; the one place that reads a clock |
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
//! - Platform tables are never migrated, restores are never retried, closed runs are never changed.
//! - `sqlx` is named in [`storage`] only, `anyhow` in [`cli`] only, the wall clock in [`clock`] only.
//!   A test reads the sources and holds them to it.
//!
//! Deliberately absent: calls to Microsoft Graph or any other provider, further operation types,
//! new statuses or outcomes, and a notion of "probably fine".

pub mod cli;
pub mod clock;
pub mod config;
pub mod demo;
pub mod runbook;
pub mod storage;
pub mod sweep;
pub mod telemetry;
