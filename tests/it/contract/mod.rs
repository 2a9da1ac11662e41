//! What every store promises, checked on each of them by running every statement that it has.
//!
//! A test here is one function over a [`Fixture`](crate::support::store::Fixture) and runs on SQLite,
//! on PostgreSQL and, where column types matter, on a PostgreSQL whose columns have the other type
//! that Laravel could have given them.

mod documents;
mod due;
mod links;
mod moments;
mod poison;
mod reading;
mod schema;
mod scope;
mod sizes;
mod sweeps;
mod verdicts;
