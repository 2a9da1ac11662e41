//! What each job decides: pure functions from facts to decisions.
//!
//! The shell around this crate reads rows, hands them over, and writes what comes back. Everything
//! that makes a verdict right or wrong happens here, where it can be tested over its whole input
//! space in milliseconds.
//!
//! | Module | Story |
//! |---|---|
//! | [`ids`] | one type per kind of id |
//! | [`json`] | untrusted JSON, read totally: a value or a named fault |
//! | [`stamp`] | untrusted timestamps: a moment, nothing, or unreadable |
//! | [`shift`] | whether evidence is dated hours off, as by a wrong time zone |
//! | [`restore_execute`] | is this restore proven, and if not, what is missing? |
//! | [`reading`] | what operators are shown of restores, derived each time |
//! | [`sweep`] | when runs are looked at: whose turn it is in a pass, and when a deferred run is due again |
//! | [`trace`] | which trace a job belongs to |
//! | [`attempt`] | when a run that may have ended a process is tried again, and when no more |
//!
//! **Invariant:** no input or output, no clock, no randomness, no async. The dependency list in
//! `Cargo.toml` keeps it so: nothing listed there can open a socket, and `jiff` is built without the
//! feature that knows what time it is.
//!
//! # Design notes
//!
//! A module of the worker would be less ceremony, but a module can call storage without anybody
//! noticing. A crate cannot: Cargo refuses the cycle.

pub mod attempt;
pub mod ids;
pub mod json;
pub mod reading;
pub mod restore_execute;
pub mod shift;
pub mod stamp;
pub mod sweep;
pub mod trace;
mod vocabulary;

pub use vocabulary::quantity;
