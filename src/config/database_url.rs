//! The database URL with its secret.
//!
//! **Invariant:** nothing here prints a secret. A URL that was refused is not repeated, and one that
//! was accepted shows only parts that are known to be harmless.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;
use url::form_urlencoded;

use crate::storage::{AddressError, Backend, ServerAddress, WantedServer, shown_query};

/// Where the database is, with the secret to enter it.
///
/// Prints without the password and without every parameter that is not known to be harmless.
#[derive(Clone, PartialEq, Eq)]
pub struct DatabaseUrl {
    text: String,
    redacted: String,
    backend: Backend,
}

/// Why a text is no database URL. Says nothing of the text itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum DatabaseUrlError {
    /// A database this program does not know, or no URL at all.
    #[error("it must begin with postgres://, postgresql://, pgsql:// or sqlite:, in lower case")]
    Scheme,
    /// The URL of a server that cannot be followed.
    #[error(transparent)]
    Server(#[from] AddressError),
    /// No file is named.
    #[error("it names no file; write sqlite://FILE, or sqlite://FILE?mode=rwc to create it")]
    NoFile,
    /// Another database where only PostgreSQL will do.
    #[error("it must begin with postgres:// or postgresql://: only PostgreSQL notifies")]
    NotPostgres,
}

impl DatabaseUrl {
    /// Which database it is.
    pub fn backend(&self) -> Backend {
        self.backend
    }

    /// The URL with its secret, for whoever connects. Never print it.
    pub fn expose_secret(&self) -> &str {
        &self.text
    }

    /// Whether no primary is meant.
    pub(super) fn wants_standby(&self) -> bool {
        let address = ServerAddress::parse(&self.text);
        address.is_ok_and(|address| address.wanted == WantedServer::Standby)
    }

    /// Whom a password is to be looked up for: host, port, database and user. Nobody where the URL holds one, and
    /// on SQLite.
    pub(super) fn wants_password(&self) -> Option<[String; 4]> {
        if self.backend == Backend::Sqlite {
            return None;
        }
        let address = ServerAddress::parse(&self.text).ok()?;
        (!address.has_password).then(|| address.login())
    }

    /// Whether it matters which authority vouches for the server, and the URL names none.
    pub(super) fn wants_authority(&self) -> bool {
        let address = ServerAddress::parse(&self.text);
        self.backend == Backend::Postgres && address.is_ok_and(|address| address.wants_authority())
    }

    /// This URL with a parameter behind what it has. It is not shown.
    pub(super) fn with(self, name: &str, value: &str) -> Self {
        let between = if self.text.contains('?') { '&' } else { '?' };
        let value: String = form_urlencoded::byte_serialize(value.as_bytes()).collect();
        Self {
            text: format!("{}{between}{name}={value}", self.text),
            ..self
        }
    }
}

impl FromStr for DatabaseUrl {
    type Err = DatabaseUrlError;

    fn from_str(text: &str) -> Result<Self, DatabaseUrlError> {
        let backend = Backend::of_url(text).ok_or(DatabaseUrlError::Scheme)?;
        let redacted = match backend {
            Backend::Postgres => ServerAddress::parse(text)?.shown,
            Backend::Sqlite => redact_file(text.split_once(':').unwrap_or_default().1)?,
        };
        Ok(Self {
            text: text.to_owned(),
            redacted,
            backend,
        })
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.redacted)
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DatabaseUrl({})", self.redacted)
    }
}

fn redact_file(rest: &str) -> Result<String, DatabaseUrlError> {
    if rest.contains(char::is_control) {
        return Err(AddressError::NotPlainText.into());
    }
    let (path, query) = match rest.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (rest, None),
    };
    match path.trim_start_matches("//") {
        "" => Err(DatabaseUrlError::NoFile),
        // Somebody wrote the URL of a server and the wrong scheme.
        name if name.contains('@') && name.contains(':') => Ok("sqlite://***".to_owned()),
        _ => Ok(format!("sqlite:{path}{}", shown_query(query))),
    }
}
