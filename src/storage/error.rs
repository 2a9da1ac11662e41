//! What can go wrong with a database, sorted by what to do about it.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;
use std::path::PathBuf;

use sqlx::error::DatabaseError;
use sqlx::migrate::MigrateError;
use sqlx::postgres::PgDatabaseError;

use super::distrust::Distrust;
use super::plans;

/// Where PostgreSQL raises what a function's `RAISE` says.
const RAISED: &str = "exec_stmt_raise";

/// Where it raises that a row is against a policy, or against the condition of a view.
const ROW_CHECK: &str = "ExecWithCheckOptions";

/// A step that failed, and what may be done about it.
///
/// A restore without proof is not an error; this type means that we could not do our own work.
///
/// Neither form of it shows more of what the database said than its message: details and contexts quote
/// rows, and with them whatever a column holds.
///
/// What is shown is whole: there is no further source to be shown after it, because the driver repeats its own
/// sources, and shows a line of the server's program where it means the SQLSTATE.
pub struct StoreError {
    step: &'static str,
    kind: ErrorKind,
    cause: Box<dyn StdError + Send + Sync>,
}

impl StdError for StoreError {}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let step = self.step;
        match self.postgres_error() {
            Some(error) => write!(
                f,
                "cannot {step}: {} (SQLSTATE {})",
                error.message(),
                error.code()
            ),
            None => write!(f, "cannot {step}: {}", self.cause),
        }
    }
}

impl fmt::Debug for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreError")
            .field("step", &self.step)
            .field("kind", &self.kind)
            .field("cause", &format_args!("{self}"))
            .finish()
    }
}

/// What a step came to.
pub(super) type Result<T, E = StoreError> = std::result::Result<T, E>;

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

/// Something is not as it must be: found by us, and not said by the driver.
#[derive(Debug, thiserror::Error)]
pub(super) enum StoreFault {
    /// A file that was removed goes on for those who have it open, and for nobody else: what others write would never be
    /// seen.
    #[error("the database's file {0} was removed or replaced under a running process")]
    DatabaseFileGone(PathBuf),
    #[error("the queue's file {0} was removed or replaced under a running process")]
    QueueFileGone(PathBuf),
    /// A pooler in transaction mode takes the order to listen, gives it to one session of many, and forgets who gave it.
    #[error("notices do not arrive, as behind a pooler in transaction mode")]
    Unheard,
    /// What is read and what is written are not the same.
    #[error("RECONCILER_READ_URL leads to another database than RECONCILER_DATABASE_URL")]
    OtherDatabase,
    /// What SQLite says at a commit, and of no single row.
    #[error("FOREIGN KEY constraint failed")]
    BrokenReference,
    /// Somebody else is in the way of a lock that would have to be had.
    #[error("{holders} is in the way of a lock; nothing was changed by this step")]
    Held { holders: String },
    /// An index could not be built in a time for which others can be kept from its table.
    #[error(
        "an index was not built within {within}, in which nobody can write to its table; nothing was changed by this step; \
         by hand, it is made by: {statement}"
    )]
    Unbuilt { within: String, statement: String },
}

impl StoreFault {
    /// What an operator should do, where that is known.
    fn advice(&self) -> Option<&'static str> {
        Some(match self {
            Self::DatabaseFileGone(_) => {
                "Put the file back in its place if it was removed, then start this program again."
            }
            Self::QueueFileGone(_) => {
                "Run `restore-reconciler migrate`, then start this program again. No verdict depends on jobs: sweeps find \
                 what they asked for."
            }
            Self::Unheard => {
                "Set RECONCILER_LISTEN_URL to a URL that leads to the PostgreSQL server itself."
            }
            Self::OtherDatabase => {
                "Name a standby of the server in RECONCILER_READ_URL, and the same database."
            }
            Self::BrokenReference => return None,
            Self::Held { .. } => "Have these sessions end, then run the command again.",
            Self::Unbuilt { .. } => {
                "Run that statement by hand, as whoever owns the table, or raise database.statement_timeout for this \
                 command; then run the command again."
            }
        })
    }
}

impl StoreError {
    /// A failure of our own, before any statement was sent.
    pub(super) fn refused(
        step: &'static str,
        cause: impl Into<Box<dyn StdError + Send + Sync>>,
    ) -> Self {
        Self {
            step,
            kind: ErrorKind::Refused,
            cause: cause.into(),
        }
    }

    /// Something is not as it must be, and no retry will change that.
    pub(crate) fn fatal(
        step: &'static str,
        cause: impl Into<Box<dyn StdError + Send + Sync>>,
    ) -> Self {
        Self {
            step,
            kind: ErrorKind::Fatal,
            cause: cause.into(),
        }
    }

    fn of_driver(step: &'static str, source: sqlx::Error) -> Self {
        let is_outdated = source.as_database_error().is_some_and(plans::is_refusal);
        if is_outdated {
            plans::note_refusal();
        }
        Self {
            step,
            // Another session has no such plan.
            kind: if is_outdated {
                ErrorKind::Transient
            } else {
                classify(&source)
            },
            cause: source.into(),
        }
    }

    /// A failure of the library that delivers jobs, which passes on what the driver said.
    pub(crate) fn of_queue(source: sqlx::Error) -> Self {
        Self::of_driver("look for jobs", source)
    }

    /// A migration that failed. Where the database said why, that decides what to do about it.
    pub(super) fn migration(step: &'static str, error: MigrateError) -> Self {
        match error {
            MigrateError::Execute(source) | MigrateError::ExecuteMigration(source, _) => {
                Self::of_driver(step, source)
            }
            other => Self::fatal(step, other),
        }
    }

    /// The same text in at most so many characters. What is left out is of the message: how it ends, with the
    /// SQLSTATE, is kept.
    pub(super) fn in_short(&self, chars_max: usize) -> String {
        let text = self.to_string().replace('\0', "");
        let all = text.chars().count();
        if all <= chars_max {
            return text;
        }
        // Not every database has the character for it.
        let ending = match self.postgres_error() {
            Some(error) => format!("... (SQLSTATE {})", error.code()),
            None => "...".to_owned(),
        };
        let kept = chars_max.saturating_sub(ending.chars().count());
        text.chars().take(kept).chain(ending.chars()).collect()
    }

    /// What may be done about it.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Whether other writers got in between. Fewer rows at a time, being quicker, may get through.
    ///
    /// A lock on a whole table or file, which SQLite and lock timeouts report, is not of this kind:
    /// it is in the way of one row as it is in the way of many.
    pub(super) fn is_disturbance(&self) -> bool {
        let Some(source) = self.cause.downcast_ref::<sqlx::Error>() else {
            return false;
        };
        // Serialization failure, deadlock.
        matches!(code_of(source).as_deref(), Some("40001" | "40P01"))
    }

    /// Whether a failure that looks as if it concerned everyone may be about one row after all: something
    /// in the database raised it on the way, such as a trigger, or the row could not be read.
    pub(super) fn may_concern_one_row(&self) -> bool {
        self.kind == ErrorKind::Fatal
            && self.database_error().is_some_and(|error| {
                let code = error.code().unwrap_or_default();
                match error.try_downcast_ref::<PgDatabaseError>() {
                    Some(error) => {
                        // The server says where, if it was not at the statement itself.
                        error.r#where().is_some()
                            || error.routine() == Some(ROW_CHECK)
                            || !is_about_everyone(&code)
                    }
                    None => may_be_about_a_row(&code, error.message()),
                }
            })
    }

    /// Whether a smaller batch may fare better.
    pub(super) fn may_spare_others(&self) -> bool {
        self.kind == ErrorKind::Refused || self.is_disturbance() || self.may_concern_one_row()
    }

    /// Whether somebody has written into the database that it shall refuse such a row.
    pub(super) fn is_said_on_purpose(&self) -> bool {
        self.postgres_error()
            .is_some_and(|error| matches!(error.routine(), Some(RAISED | ROW_CHECK)))
    }

    /// Whether the database said nothing, and we found that something is not as it must be.
    pub(super) fn is_ours(&self) -> bool {
        !self.cause.is::<sqlx::Error>()
    }

    /// Whether both are the same failure, whatever rows their texts name.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        self.step == other.step && self.sqlstate() == other.sqlstate()
    }

    /// Whether somebody on the way to the server, such as a pooler, takes no settings with a connection.
    pub(super) fn is_about_settings(&self) -> bool {
        self.database_error().is_some_and(|error| {
            let code = error.code().unwrap_or_default();
            code == "0A000" || (code == "08P01" && error.message().contains("startup parameter"))
        })
    }

    fn sqlstate(&self) -> Option<Cow<'_, str>> {
        self.database_error().and_then(DatabaseError::code)
    }

    fn database_error(&self) -> Option<&dyn DatabaseError> {
        let source = self.cause.downcast_ref::<sqlx::Error>()?;
        source.as_database_error()
    }

    fn postgres_error(&self) -> Option<&PgDatabaseError> {
        self.database_error()?.try_downcast_ref()
    }

    /// Why nothing may be proven here, where that is what it says.
    pub fn distrust(&self) -> Option<&Distrust> {
        self.cause.downcast_ref()
    }

    /// Whether the server takes no writes: a standby that is to take the place of another one, say.
    #[must_use]
    pub fn is_read_only(&self) -> bool {
        self.sqlstate().is_some_and(|code| code == "25006")
    }

    /// Whether it is about one row that was handed over, and not about the statement.
    pub(super) fn is_about_decoding(&self) -> bool {
        matches!(
            self.cause.downcast_ref(),
            Some(sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_))
        )
    }

    /// Whether a lock of somebody else's was in the way for too long.
    #[must_use]
    pub fn is_about_lock(&self) -> bool {
        matches!(self.cause.downcast_ref(), Some(StoreFault::Held { .. }))
            || self.sqlstate().is_some_and(|code| code == "55P03")
    }

    /// Whether a statement took longer than it may.
    pub(super) fn is_about_time(&self) -> bool {
        self.sqlstate().is_some_and(|code| code == "57014")
    }

    /// Whether the server gives no session, because a limit of the role, of the database or of its own is used up.
    #[must_use]
    pub fn is_about_sessions(&self) -> bool {
        self.sqlstate().is_some_and(|code| code == "53300")
    }

    /// Whether something is not there, or this role may not use it.
    #[must_use]
    pub fn is_about_tables(&self) -> bool {
        let code = self.sqlstate();
        let codes = ["3F000", "42501", "42703", "42P01"];
        self.postgres_error().is_some() && code.is_some_and(|code| codes.contains(&&*code))
    }

    /// Whether this process cannot go on with what it has opened, and a new one could.
    pub fn needs_restart(&self) -> bool {
        let fault = self.cause.downcast_ref();
        matches!(
            fault,
            Some(StoreFault::DatabaseFileGone(_) | StoreFault::QueueFileGone(_))
        )
    }

    /// What an operator should do, where that is known.
    pub fn advice(&self) -> Option<&'static str> {
        if let Some(fault) = self.cause.downcast_ref::<StoreFault>() {
            return fault.advice();
        }
        if let Some(distrust) = self.distrust() {
            return Some(distrust.advice());
        }
        let source = self.cause.downcast_ref::<sqlx::Error>()?;
        let text = source.to_string();
        match code_of(source).as_deref() {
            Some("42P01" | "3F000" | "1") if text.contains("reconciler") => {
                Some("Run `restore-reconciler migrate` first.")
            }
            Some("42P01") if text.contains("\"apalis.") => Some(
                "Run `restore-reconciler doctor`: the queue's schema was renamed, or its tables are gone.",
            ),
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
            Some("53300") => Some(self.advice_on_sessions()),
            // Ours are prepared on a connection and used on the same one; only a pooler can tell them apart.
            Some("26000" | "42P05" | "08P01") if text.contains("prepared statement") => Some(
                "A pooler in transaction mode mixes up prepared statements. PgBouncer needs version 1.21 \
                 and max_prepared_statements above 0, or pool_mode=session for this user; or connect to \
                 the server itself.",
            ),
            Some("28000") if text.contains("pg_hba.conf") => Some(advice_on_admission(&text)),
            Some("28P01" | "28000" | "3D000") => {
                Some("Check user, password and database name in RECONCILER_DATABASE_URL.")
            }
            None => advice_on_encryption(&text).or_else(|| self.advice_on_absence()),
            _ => self.advice_on_absence(),
        }
    }

    /// Which limit it is, the server says in words of any language, and by where it says so.
    fn advice_on_sessions(&self) -> &'static str {
        match self.postgres_error().and_then(PgDatabaseError::routine) {
            Some("InitializeSessionUserId") => {
                "The role's own connection limit is used up. Raise it, `ALTER ROLE … CONNECTION LIMIT …`, or lower \
                 database.connections_max; the manual says how many connections each process takes."
            }
            Some("CheckMyDatabase") => {
                "The database's connection limit is used up. Raise it, `ALTER DATABASE … CONNECTION LIMIT …`, or lower \
                 database.connections_max."
            }
            _ => {
                "All connections of the server are in use. Raise its max_connections, have others take fewer, or lower \
                 database.connections_max."
            }
        }
    }

    fn advice_on_absence(&self) -> Option<&'static str> {
        (self.kind == ErrorKind::Transient)
            .then_some("Check that the database is up and reachable, then run the command again.")
    }
}

/// The server's table of who is let in has no line for this user, database and host, or one that says no. The
/// server ends its sentence with whether the connection was encrypted.
fn advice_on_admission(text: &str) -> &'static str {
    if text.contains("no encryption") || text.contains("SSL off") {
        "The server lets this user in over an encrypted connection only, or not at all. Write sslmode=verify-full \
         (or require) into RECONCILER_DATABASE_URL; where it says so already, the server needs a line of \
         pg_hba.conf for this user, database and address."
    } else {
        "Add a line for this user, database and address to the server's pg_hba.conf, such as \
         `hostssl DATABASE USER ADDRESS scram-sha-256`, and reload it."
    }
}

/// What the driver says of TLS has no code.
fn advice_on_encryption(text: &str) -> Option<&'static str> {
    if text.contains("server does not support TLS") {
        return Some(
            "The server takes no encrypted connections. Set `ssl = on` there, with a certificate; where nobody can \
             listen on the way to it, write sslmode=disable into RECONCILER_DATABASE_URL.",
        );
    }
    let (_, problem) = text.split_once(CERTIFICATE_REFUSED)?;
    Some(if problem.contains("UnknownIssuer") {
        "This machine does not know the authority that signed the server's certificate. Name a file with the \
         authority's own certificate in RECONCILER_DATABASE_URL: sslrootcert=FILE."
    } else if problem.contains("not valid for name") || problem.contains("NotValidForName") {
        "Name the server in RECONCILER_DATABASE_URL as its certificate does, or have the certificate made for this \
         name too; sslmode=verify-ca asks for the authority alone."
    } else if problem.contains("expired") || problem.contains("not valid yet") {
        "Renew the server's certificate, and check this machine's clock."
    } else if problem.contains("CaUsedAsEndEntity") {
        "The server shows an authority's certificate as its own. Have one made for the server; with \
         sslmode=require, the connection is encrypted and who answers is not checked."
    } else {
        "Check the server's certificate, and the authority that sslrootcert names in RECONCILER_DATABASE_URL."
    })
}

/// What the driver says of a server whose certificate does not hold.
const CERTIFICATE_REFUSED: &str = "invalid peer certificate";

/// Names the step that a database error interrupted.
pub(crate) trait During<T> {
    /// `step` completes the sentence "cannot …".
    fn during(self, step: &'static str) -> Result<T, StoreError>;
}

impl<T> During<T> for Result<T, sqlx::Error> {
    fn during(self, step: &'static str) -> Result<T, StoreError> {
        self.map_err(|source| StoreError::of_driver(step, source))
    }
}

fn code_of(error: &sqlx::Error) -> Option<Cow<'_, str>> {
    error.as_database_error().and_then(DatabaseError::code)
}

fn classify(error: &sqlx::Error) -> ErrorKind {
    match error {
        // A server shows the same certificate to the next attempt.
        sqlx::Error::Io(error) if error.to_string().contains(CERTIFICATE_REFUSED) => {
            ErrorKind::Fatal
        }
        sqlx::Error::Io(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::Protocol(_)
        | sqlx::Error::WorkerCrashed => ErrorKind::Transient,
        sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) | sqlx::Error::Encode(_) => {
            ErrorKind::Refused
        }
        sqlx::Error::Database(database) => {
            let code = database.code().unwrap_or_default();
            if database.try_downcast_ref::<PgDatabaseError>().is_some() {
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

/// Whether an error of a statement itself is about no row: connections, transactions and their modes,
/// authorization, names and rights, the server's resources, and its operators.
fn is_about_everyone(code: &str) -> bool {
    ["08", "0A", "25", "26", "28", "3D", "3F", "42", "53", "57"]
        .iter()
        .any(|class| code.starts_with(class))
}

/// Whether an error of SQLite may be about a row: its page is damaged, or a function of a trigger cannot work
/// with it. The code of the latter is also that of a statement which cannot be prepared.
fn may_be_about_a_row(code: &str, message: &str) -> bool {
    match code.parse::<u32>().map(|code| code & 0xff) {
        // ERROR
        Ok(1) => !message.starts_with("no such "),
        // IOERR, CORRUPT
        Ok(10 | 11) => true,
        _ => false,
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
    fn what_may_be_about_one_row_is_told_from_what_is_about_everyone() {
        for code in ["42501", "42P01", "25006", "3F000", "53100", "28P01"] {
            assert!(is_about_everyone(code), "{code}");
        }
        for code in ["XX001", "44000", "58030", "P0001"] {
            assert!(!is_about_everyone(code), "{code}");
        }
        for (code, message, expected) in [
            ("1", "malformed JSON", true),
            ("11", "database disk image is malformed", true),
            ("266", "disk I/O error", true),
            ("1", "no such table: operation_runs", false),
            ("1", "no such column: status", false),
            ("8", "attempt to write a readonly database", false),
            ("13", "database or disk is full", false),
        ] {
            assert_eq!(may_be_about_a_row(code, message), expected, "{message}");
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
