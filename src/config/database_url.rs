//! The database URL with its secret.
//!
//! **Invariant:** nothing here prints a secret. A URL that was refused is not repeated, and one that
//! was accepted shows only parts that are known to be harmless.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;
use url::Url;

use crate::storage::Backend;

/// Where the database is, with the secret to enter it.
///
/// Prints without the password and without every parameter that is not known to be harmless.
#[derive(Clone, PartialEq, Eq)]
pub struct DatabaseUrl {
    text: String,
    redacted: String,
    backend: Backend,
}

/// The parameters that the driver understands in the URL of a server.
const SERVER_PARAMETERS: [&str; 15] = [
    "host",
    "hostaddr",
    "port",
    "dbname",
    "user",
    "password",
    "application_name",
    "options",
    "sslmode",
    "ssl-mode",
    "sslrootcert",
    "ssl-root-cert",
    "sslcert",
    "sslkey",
    "statement-cache-capacity",
];

/// Why a text is no database URL. Says nothing of the text itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum DatabaseUrlError {
    /// Not UTF-8, or with spaces or line ends in it, as a secret read from a file often has.
    #[error("it holds spaces, line ends or bytes that no URL holds; remove them")]
    NotPlainText,
    /// A database this program does not know, or no URL at all.
    #[error("it must begin with postgres://, postgresql:// or sqlite:, in lower case")]
    Scheme,
    /// A URL of a known kind with a mistake in it.
    #[error(
        "it is not of the form postgres://USER:PASSWORD@HOST:PORT/DATABASE ({0}); characters such \
         as @ : / ? # % in the password must be percent-encoded"
    )]
    Malformed(&'static str),
    /// A parameter that the driver would ignore, and print with its value while doing so.
    #[error(
        "it has a parameter that is not one of {}; a password belongs before the @",
        SERVER_PARAMETERS.join(", ")
    )]
    UnknownParameter,
    /// No file is named.
    #[error("it names no file; write sqlite://FILE, or sqlite://FILE?mode=rwc to create it")]
    NoFile,
    /// Another database where only PostgreSQL will do.
    #[error("it must begin with postgres:// or postgresql://: only PostgreSQL notifies")]
    NotPostgres,
}

impl DatabaseUrl {
    /// Which database it is.
    #[must_use]
    pub fn backend(&self) -> Backend {
        self.backend
    }

    /// The URL with its secret, for whoever connects. Never print it.
    #[must_use]
    pub fn expose_secret(&self) -> &str {
        &self.text
    }
}

impl FromStr for DatabaseUrl {
    type Err = DatabaseUrlError;

    fn from_str(text: &str) -> Result<Self, DatabaseUrlError> {
        let (scheme, rest) = text.split_once(':').ok_or(DatabaseUrlError::Scheme)?;
        let (backend, redacted) = match scheme {
            "postgres" | "postgresql" => (Backend::Postgres, redact_server(text)?),
            "sqlite" => (Backend::Sqlite, redact_file(rest)?),
            _ => return Err(DatabaseUrlError::Scheme),
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

fn redact_server(text: &str) -> Result<String, DatabaseUrlError> {
    // The parser would drop them silently; a SQLite file name may hold blanks.
    if text.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Err(DatabaseUrlError::NotPlainText);
    }
    let url = Url::parse(text).map_err(|error| DatabaseUrlError::Malformed(problem_of(error)))?;
    // An unencoded `/`, `?` or `#` ends the host early and moves the rest of a password to where
    // it would be shown. The `@` that closes it gives that away.
    let after_host = [Some(url.path()), url.query(), url.fragment()];
    if url.cannot_be_a_base()
        || url.fragment().is_some()
        || after_host
            .into_iter()
            .flatten()
            .any(|part| part.contains('@'))
    {
        return Err(DatabaseUrlError::Malformed(
            "user, host and database cannot be told apart",
        ));
    }
    let is_known = |key: &str| SERVER_PARAMETERS.contains(&key) || key.starts_with("options[");
    if !url.query_pairs().all(|(key, _)| is_known(&key)) {
        return Err(DatabaseUrlError::UnknownParameter);
    }
    let user = match (url.username(), url.password()) {
        ("", None) => String::new(),
        (user, None) => format!("{}@", shown_user(user)),
        (user, Some(_)) => format!("{}:***@", shown_user(user)),
    };
    let host = url.host_str().unwrap_or_default();
    let port = url
        .port()
        .map(|port| format!(":{port}"))
        .unwrap_or_default();
    let query = redact_query(url.query());
    Ok(format!(
        "{}://{user}{host}{port}{}{query}",
        url.scheme(),
        url.path()
    ))
}

/// An encoded user name may hold an encoded password behind an encoded colon.
fn shown_user(user: &str) -> &str {
    if user.contains('%') { "***" } else { user }
}

fn redact_file(rest: &str) -> Result<String, DatabaseUrlError> {
    if rest.contains(char::is_control) {
        return Err(DatabaseUrlError::NotPlainText);
    }
    let (path, query) = match rest.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (rest, None),
    };
    match path.trim_start_matches("//") {
        "" => Err(DatabaseUrlError::NoFile),
        // Somebody wrote the URL of a server and the wrong scheme.
        name if name.contains('@') && name.contains(':') => Ok("sqlite://***".to_owned()),
        _ => Ok(format!("sqlite:{path}{}", redact_query(query))),
    }
}

/// Keeps parameters that are known to be harmless; `password=` is one that is not.
fn redact_query(query: Option<&str>) -> String {
    let Some(query) = query else {
        return String::new();
    };
    let shown: Vec<_> = query
        .split('&')
        .map(|pair| match pair.split_once('=') {
            Some((
                "host" | "port" | "dbname" | "user" | "sslmode" | "application_name" | "mode"
                | "cache" | "immutable",
                _,
            )) => pair,
            _ => "***",
        })
        .collect();
    format!("?{}", shown.join("&"))
}

fn problem_of(error: url::ParseError) -> &'static str {
    match error {
        url::ParseError::EmptyHost => "the host is missing",
        url::ParseError::InvalidPort => "the port is not a number from 0 to 65535",
        _ => "it cannot be taken apart",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> DatabaseUrl {
        text.parse().expect(text)
    }

    #[test]
    fn the_scheme_names_the_database() {
        for (text, backend) in [
            ("postgres://u@h/d", Backend::Postgres),
            ("postgresql:///d?host=/run/postgresql", Backend::Postgres),
            ("sqlite://runs.sqlite", Backend::Sqlite),
            ("sqlite:/var/lib/my runs.sqlite", Backend::Sqlite),
            ("sqlite::memory:", Backend::Sqlite),
        ] {
            let url = url(text);
            assert_eq!(url.backend(), backend, "{text}");
            assert_eq!(url.expose_secret(), text);
        }
        for text in [
            "mysql://u:hunter2@h/d",
            "hunter2",
            "hunter2:x",
            "POSTGRES://h/d",
            "",
        ] {
            let message = text.parse::<DatabaseUrl>().unwrap_err().to_string();
            assert!(
                message.contains("postgres://, postgresql:// or sqlite:"),
                "{message}"
            );
        }
    }

    #[test]
    fn a_url_prints_without_its_secrets() {
        for (text, redacted) in [
            (
                "postgres://user:hunter2@host/db",
                "postgres://user:***@host/db",
            ),
            (
                "postgresql://user:hunter2@[::1]:5433/db",
                "postgresql://user:***@[::1]:5433/db",
            ),
            ("postgres://user@host/db", "postgres://user@host/db"),
            ("postgres://:hunter2@host", "postgres://:***@host"),
            ("postgres://us%3Ahunter2@host/db", "postgres://***@host/db"),
            (
                "postgres://user:hunter2@x@host/db",
                "postgres://user:***@host/db",
            ),
            (
                "postgres://host/db?sslmode=require&password=hunter2&options[x]=hunter2",
                "postgres://host/db?sslmode=require&***&***",
            ),
            (
                "sqlite://a.db?mode=rwc&key=hunter2",
                "sqlite://a.db?mode=rwc&***",
            ),
            ("sqlite://user:hunter2@host/db", "sqlite://***"),
        ] {
            let url = url(text);
            assert_eq!(url.to_string(), redacted);
            assert_eq!(format!("{url:?}"), format!("DatabaseUrl({redacted})"));
        }
    }
}
