//! What a program may do with a database, how much of it, and what it takes on trust.

use std::time::Duration;

use super::distrust::Trust;

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Reading and writing an existing database.
    Write,
    /// Reading only. A SQLite file is opened so that nothing could be written; on PostgreSQL, looks are
    /// `READ ONLY` transactions whatever the connection is for.
    Read,
    /// As [`Self::Write`]; a SQLite file that does not exist is created.
    Create,
}

/// Limits on what one program takes from the database, and on what it doubts there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Connections at the same time.
    pub connections_max: u32,
    /// How long to wait for a connection.
    pub connect_timeout: Duration,
    /// How long one statement of a look or a settlement may take. On SQLite nothing corresponds to it.
    pub statement_timeout: Duration,
    /// How long to wait for a lock that somebody else holds.
    pub lock_timeout: Duration,
    /// What an operator vouches for.
    pub trust: Trust,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_max: 8,
            connect_timeout: Duration::from_secs(10),
            statement_timeout: Duration::from_mins(1),
            lock_timeout: Duration::from_secs(5),
            trust: Trust::default(),
        }
    }
}
