//! What can go wrong with a database, sorted by what to do about it.

use std::borrow::Cow;
use std::error::Error as StdError;

use sqlx::migrate::MigrateError;

use super::queue::Unheard;

/// A step that failed, and what may be done about it.
///
/// A restore without proof is not an error; this type means that we could not do our own work.
#[derive(Debug, thiserror::Error)]
#[error("cannot {step}: {source}")]
pub struct StoreError {
    step: &'static str,
    kind: ErrorKind,
    #[source]
    source: Box<dyn StdError + Send + Sync>,
}

/// What to do about a failed step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// The same step may succeed in a moment: a lost connection, a deadlock, a busy file.
    Transient,
    /// The database refused some row of the batch; the others may be fine.
    Refused,
    /// Nothing will work until somebody changes something.
    Fatal,
}

impl StoreError {
    /// A failure of our own, before any statement was sent.
    pub(super) fn refused(
        step: &'static str,
        source: impl Into<Box<dyn StdError + Send + Sync>>,
    ) -> Self {
        Self {
            step,
            kind: ErrorKind::Refused,
            source: source.into(),
        }
    }

    /// Something is not as it must be, and no retry will change that.
    pub(super) fn fatal(
        step: &'static str,
        source: impl Into<Box<dyn StdError + Send + Sync>>,
    ) -> Self {
        Self {
            step,
            kind: ErrorKind::Fatal,
            source: source.into(),
        }
    }

    /// A migration that failed. Where the database said why, that decides what to do about it.
    pub(super) fn migration(step: &'static str, error: MigrateError) -> Self {
        match error {
            MigrateError::Execute(source) | MigrateError::ExecuteMigration(source, _) => Self {
                step,
                kind: classify(&source),
                source: source.into(),
            },
            other => Self::fatal(step, other),
        }
    }

    /// What may be done about it.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Whether other writers got in between. Fewer rows at a time, being quicker, may get through.
    ///
    /// A lock on a whole table or file, which SQLite and lock timeouts report, is not of this kind:
    /// it is in the way of one row as it is in the way of many.
    pub(super) fn is_disturbance(&self) -> bool {
        let Some(source) = self.source.downcast_ref::<sqlx::Error>() else {
            return false;
        };
        // Serialization failure, deadlock.
        matches!(code_of(source).as_deref(), Some("40001" | "40P01"))
    }

    /// What an operator should do, where that is known.
    #[must_use]
    pub fn advice(&self) -> Option<&'static str> {
        if self.source.is::<Unheard>() {
            return Some(
                "Set RECONCILER_LISTEN_URL to a URL that leads to the PostgreSQL server itself.",
            );
        }
        let source = self.source.downcast_ref::<sqlx::Error>()?;
        let text = source.to_string();
        match code_of(source).as_deref() {
            Some("42P01" | "3F000" | "1") if text.contains("reconciler") => {
                Some("Run `restore-reconciler migrate` first.")
            }
            Some("42P01" | "1") if text.contains("operation_runs") => Some(
                "This database does not hold the platform's tables. Check RECONCILER_DATABASE_URL.",
            ),
            Some("42703") => Some(
                "The platform's tables differ from what is expected. Run `restore-reconciler doctor`.",
            ),
            Some("42501") => Some("Grant what `restore-reconciler doctor` lists as missing."),
            Some("25006" | "8") => {
                Some("The database is read-only. Point RECONCILER_DATABASE_URL at the primary.")
            }
            // Ours are prepared on a connection and used on the same one; only a pooler can tell them apart.
            Some("26000" | "42P05" | "08P01") if text.contains("prepared statement") => Some(
                "A pooler in transaction mode mixes up prepared statements. PgBouncer needs version 1.21 \
                 and max_prepared_statements above 0, or pool_mode=session for this user; or connect to \
                 the server itself.",
            ),
            Some("28P01" | "28000" | "3D000") => {
                Some("Check user, password and database name in RECONCILER_DATABASE_URL.")
            }
            _ if self.kind == ErrorKind::Transient => {
                Some("Check that the database is up and reachable, then run the command again.")
            }
            _ => None,
        }
    }
}

/// Names the step that a database error interrupted.
pub(super) trait During<T> {
    /// `step` completes the sentence "cannot …".
    fn during(self, step: &'static str) -> Result<T, StoreError>;
}

impl<T> During<T> for Result<T, sqlx::Error> {
    fn during(self, step: &'static str) -> Result<T, StoreError> {
        self.map_err(|source| StoreError {
            step,
            kind: classify(&source),
            source: source.into(),
        })
    }
}

fn code_of(error: &sqlx::Error) -> Option<Cow<'_, str>> {
    error
        .as_database_error()
        .and_then(sqlx::error::DatabaseError::code)
}

fn classify(error: &sqlx::Error) -> ErrorKind {
    match error {
        sqlx::Error::Io(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::Protocol(_)
        | sqlx::Error::WorkerCrashed => ErrorKind::Transient,
        sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) | sqlx::Error::Encode(_) => {
            ErrorKind::Refused
        }
        sqlx::Error::Database(database) => {
            let code = database.code().unwrap_or_default();
            if database
                .try_downcast_ref::<sqlx::postgres::PgDatabaseError>()
                .is_some()
            {
                classify_sqlstate(&code)
            } else {
                classify_sqlite(&code)
            }
        }
        _ => ErrorKind::Fatal,
    }
}

/// PostgreSQL's error codes, by class.
fn classify_sqlstate(code: &str) -> ErrorKind {
    match code {
        // Serialization failure, deadlock, lock timeout, too many connections, server going down, and a
        // transaction that the server ended because this process was suspended.
        "40001" | "40P01" | "55P03" | "53300" | "57P01" | "57P02" | "57P03" | "25P03" => {
            ErrorKind::Transient
        }
        // A statement that took too long may be fine with half of the rows.
        "57014" => ErrorKind::Refused,
        // Connection exceptions.
        _ if code.starts_with("08") => ErrorKind::Transient,
        // Bad data, broken constraints, limits, and errors raised by triggers.
        _ if ["22", "23", "54", "P0"]
            .iter()
            .any(|class| code.starts_with(class)) =>
        {
            ErrorKind::Refused
        }
        _ => ErrorKind::Fatal,
    }
}

/// SQLite's result codes; the low byte is the primary one.
fn classify_sqlite(code: &str) -> ErrorKind {
    match code.parse::<u32>().map(|code| code & 0xff) {
        // BUSY, LOCKED.
        Ok(5 | 6) => ErrorKind::Transient,
        // TOOBIG, CONSTRAINT (errors raised by triggers are of this kind), MISMATCH.
        Ok(18..=20) => ErrorKind::Refused,
        _ => ErrorKind::Fatal,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_sorted_by_what_to_do_about_them() {
        let postgres = [
            ("40001", ErrorKind::Transient),
            ("08006", ErrorKind::Transient),
            ("22P05", ErrorKind::Refused),
            ("23505", ErrorKind::Refused),
            ("P0001", ErrorKind::Refused),
            ("57014", ErrorKind::Refused),
            ("25P03", ErrorKind::Transient),
            ("42P01", ErrorKind::Fatal),
            ("42501", ErrorKind::Fatal),
            ("25006", ErrorKind::Fatal),
        ];
        for (code, kind) in postgres {
            assert_eq!(classify_sqlstate(code), kind, "{code}");
        }
        let sqlite = [
            ("5", ErrorKind::Transient),
            ("517", ErrorKind::Transient),
            ("1811", ErrorKind::Refused),
            ("2067", ErrorKind::Refused),
            ("8", ErrorKind::Fatal),
            ("1", ErrorKind::Fatal),
        ];
        for (code, kind) in sqlite {
            assert_eq!(classify_sqlite(code), kind, "{code}");
        }
    }

    #[test]
    fn a_lost_connection_is_transient_and_advised_on() {
        let lost = std::io::Error::new(std::io::ErrorKind::ConnectionRefused, "refused");
        let error = Err::<(), _>(sqlx::Error::Io(lost))
            .during("open a connection")
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Transient);
        assert!(error.to_string().starts_with("cannot open a connection: "));
        assert!(error.advice().is_some());
    }
}
