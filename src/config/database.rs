//! The connection to the database.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;

use super::fields::either;
use super::section::section;
use crate::storage::{Limits, Trust};

section! {
    /// The connection to the database. Its URL is a secret and no setting.
    pub struct Database {
        /// How many connections are open at most.
        connections_max: u32 = Limits::default().connections_max, whole 1 to 100;
        /// How long to wait for a connection. "1s" to "5m".
        connect_timeout: Duration = Limits::default().connect_timeout, "1s" to "5m";
        /// How long one statement of a look or a settlement may take. "1s" to "1h".
        statement_timeout: Duration = Limits::default().statement_timeout, "1s" to "1h";
        /// How long one statement may wait for a lock. "100ms" to "10m", not longer than
        /// `statement_timeout` and `worker.attempt_timeout`.
        lock_timeout: Duration = Limits::default().lock_timeout, "100ms" to "10m";
        /// How often a transaction is tried again after a passing failure.
        retries_max: u32 = 5, whole 0 to 20;
        /// What to do where row security or views may hide rows that prove: "refused" settles nothing, "trusted" says
        /// that the role is shown every row.
        row_security: RowSecurity = RowSecurity::Refused,
            by either(("refused", RowSecurity::Refused), ("trusted", RowSecurity::Trusted));
        /// What to do where most evidence is dated hours off its restores or its own rows, as by a wrong time zone:
        /// "refused" settles nothing, "acknowledged" goes by what is written.
        time_shift: TimeShift = TimeShift::Refused,
            by either(("refused", TimeShift::Refused), ("acknowledged", TimeShift::Acknowledged));
    }
}

/// Whether somebody vouches for row security and views.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RowSecurity {
    /// Nobody does: where they may hide rows, nothing is settled.
    Refused,
    /// They show the role every row that proves.
    Trusted,
}

/// Whether somebody has acknowledged that evidence is dated hours off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TimeShift {
    /// Nobody has: where it is, nothing is settled.
    Refused,
    /// Runs are judged by the moments that are written.
    Acknowledged,
}

impl Database {
    /// These settings as a store takes them.
    pub fn limits(&self) -> Limits {
        Limits {
            connections_max: self.connections_max,
            connect_timeout: self.connect_timeout,
            statement_timeout: self.statement_timeout,
            lock_timeout: self.lock_timeout,
            trust: Trust {
                row_security: self.row_security == RowSecurity::Trusted,
                time_shift: self.time_shift == TimeShift::Acknowledged,
                ..Trust::default()
            },
        }
    }
}
