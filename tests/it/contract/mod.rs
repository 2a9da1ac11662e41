//! What every store promises, checked on each of them by running every statement that it has.
//!
//! A test here is one function over a [`Fixture`](crate::support::store::Fixture) and runs on SQLite,
//! on PostgreSQL and, where column types matter, on a PostgreSQL whose columns have the other type
//! that Laravel could have given them.

mod attempts;
mod binding;
mod cases;
mod census;
mod documents;
mod due;
mod encoding;
mod feed;
mod full_disk;
mod hidden_rows;
mod identity;
mod jobs;
mod judges;
mod links;
mod metadata_keys;
mod moments;
mod notices;
mod opinions;
mod pauses;
mod poison;
mod polls;
mod pools;
mod queue;
mod reader;
mod reading;
mod rehearsal;
mod request;
mod retention;
mod schema;
mod scope;
mod shape;
mod shifts;
mod sizes;
mod suspects;
mod swallowed;
mod sweeps;
mod triggers;
mod upgrade;
mod verdicts;

pub(crate) use feed::place_verdicts;
pub(crate) use reader::{READING_WRITES, filter};
