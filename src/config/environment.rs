//! The environment: the variables that are read, and the database URL with its secret.
//!
//! **Invariant:** nothing here prints a secret. A URL that was refused is not repeated, and one that
//! was accepted shows only parts that are known to be harmless.

use std::ffi::OsString;
use std::fmt;
use std::str::FromStr;

use reconciler_jobs::trace::TraceContext;
use thiserror::Error;
use url::Url;

use super::error::ConfigError;
use crate::storage::Backend;

/// Names the configuration file, where `--config` does not.
pub const CONFIG_VARIABLE: &str = "RECONCILER_CONFIG";
/// Holds the URL of the database, secrets included.
pub const DATABASE_URL_VARIABLE: &str = "RECONCILER_DATABASE_URL";
/// Holds the URL that leads to the PostgreSQL server itself, secrets included, where the database's
/// URL leads through a pooler in transaction mode, which passes no notifications on.
pub const LISTEN_URL_VARIABLE: &str = "RECONCILER_LISTEN_URL";

/// Holds the W3C trace context of whoever started this program.
const TRACE_VARIABLE: &str = "TRACEPARENT";
/// Holds the address of a collector of traces, as OpenTelemetry names it.
const COLLECTOR_VARIABLE: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";

/// The variables this program reads, as they were when it started.
///
/// Values are judged when they are asked for, so that a verb that needs no database is not stopped
/// by a broken URL.
#[derive(Default)]
pub struct Environment {
    config: Option<OsString>,
    database_url: Option<OsString>,
    listen_url: Option<OsString>,
    trace: Option<OsString>,
    collector: Option<OsString>,
    no_color: bool,
}

impl Environment {
    /// Reads the variables of this program's own environment.
    #[must_use]
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one place that reads the environment"
    )]
    pub fn read() -> Self {
        Self::from_lookup(|name| std::env::var_os(name))
    }

    /// Takes the variables from elsewhere; for tests.
    pub fn from_lookup(lookup: impl Fn(&str) -> Option<OsString>) -> Self {
        Self {
            config: lookup(CONFIG_VARIABLE),
            database_url: lookup(DATABASE_URL_VARIABLE),
            listen_url: lookup(LISTEN_URL_VARIABLE),
            trace: lookup(TRACE_VARIABLE),
            collector: lookup(COLLECTOR_VARIABLE),
            no_color: lookup("NO_COLOR").is_some_and(|value| !value.is_empty()),
        }
    }

    /// Whether colour is unwanted: `NO_COLOR` is set to anything but the empty text.
    #[must_use]
    pub fn no_color(&self) -> bool {
        self.no_color
    }

    /// Where spans are sent, if anywhere. Empty is as good as absent, as the variable's own specification has it.
    #[must_use]
    pub fn collector(&self) -> Option<&str> {
        self.collector
            .as_ref()?
            .to_str()
            .filter(|text| !text.is_empty())
    }

    /// The trace that this program is part of. Others set the variable for others, so what is malformed is as
    /// good as absent.
    #[must_use]
    pub fn trace(&self) -> Option<TraceContext> {
        TraceContext::parse(self.trace.as_ref()?.to_str()?)
    }

    /// The URL of the database, if one is given.
    pub fn database_url(&self) -> Result<Option<DatabaseUrl>, ConfigError> {
        url_of(self.database_url.as_ref(), DATABASE_URL_VARIABLE)
    }

    /// The URL on which to listen for notifications, if it is not the database's. Always PostgreSQL.
    pub fn listen_url(&self) -> Result<Option<DatabaseUrl>, ConfigError> {
        let refused = |problem| ConfigError::DatabaseUrl {
            name: LISTEN_URL_VARIABLE,
            problem,
        };
        match url_of(self.listen_url.as_ref(), LISTEN_URL_VARIABLE) {
            Ok(Some(url)) if url.backend() != Backend::Postgres => {
                Err(refused(DatabaseUrlError::NotPostgres))
            }
            Err(ConfigError::DatabaseUrl {
                problem: DatabaseUrlError::Scheme | DatabaseUrlError::NoFile,
                ..
            }) => Err(refused(DatabaseUrlError::NotPostgres)),
            url => url,
        }
    }

    pub(super) fn config_file(&self) -> Result<Option<&OsString>, ConfigError> {
        given(self.config.as_ref(), CONFIG_VARIABLE)
    }
}

fn given<'v>(
    value: Option<&'v OsString>,
    name: &'static str,
) -> Result<Option<&'v OsString>, ConfigError> {
    match value {
        Some(value) if value.is_empty() => Err(ConfigError::EmptyVariable { name }),
        value => Ok(value),
    }
}

fn url_of(
    value: Option<&OsString>,
    name: &'static str,
) -> Result<Option<DatabaseUrl>, ConfigError> {
    let Some(value) = given(value, name)? else {
        return Ok(None);
    };
    value
        .to_str()
        .ok_or(DatabaseUrlError::NotPlainText)
        .and_then(str::parse)
        .map(Some)
        .map_err(|problem| ConfigError::DatabaseUrl { name, problem })
}

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
    use crate::config::Config;
    use crate::config::tests::environment;

    const SECRET: &str = "hunter2";

    fn url(text: &str) -> DatabaseUrl {
        text.parse().expect(text)
    }

    #[test]
    fn an_absent_url_is_none_and_an_empty_one_is_refused() {
        assert_eq!(environment(None, None).database_url().unwrap(), None);
        let empty = environment(None, Some("")).database_url().unwrap_err();
        assert_eq!(
            empty.to_string(),
            "the environment variable RECONCILER_DATABASE_URL is empty; give it a value, or unset it"
        );
    }

    #[test]
    fn a_broken_url_stops_nobody_who_does_not_ask_for_it() {
        let environment = environment(None, Some("nonsense"));
        assert!(Config::load(None, &environment).is_ok());
        assert!(environment.database_url().is_err());
    }

    #[test]
    fn no_color_counts_when_it_is_not_empty() {
        let no_color = |value: Option<&'static str>| {
            Environment::from_lookup(|name| {
                value.filter(|_| name == "NO_COLOR").map(OsString::from)
            })
            .no_color()
        };
        assert!(no_color(Some("1")) && no_color(Some("0")));
        assert!(!no_color(Some("")) && !no_color(None));
    }

    #[test]
    fn a_trace_context_counts_where_it_is_one() {
        const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let trace = |value: Option<&'static str>| {
            Environment::from_lookup(|name| {
                value.filter(|_| name == "TRACEPARENT").map(OsString::from)
            })
            .trace()
        };
        assert_eq!(trace(Some(TRACE)).unwrap().to_string(), TRACE);
        assert_eq!((trace(Some("nonsense")), trace(None)), (None, None));
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

    #[test]
    fn no_refused_url_is_repeated() {
        for text in [
            "postgres://user@host/db?pwd=hunter2",
            "postgres://user@host/db?hunter2",
            "postgres://user:hunter2/x@host/db",
            "postgres://user:12/hunter2@host/db",
            "postgres://user:12?hunter2@host/db",
            "postgres://user:12#hunter2",
            "postgres://user:hunter2",
            "postgres://user:hunter2@/db",
            "postgres://user:hunter2@host:port/db",
            "postgres:user:hunter2@host/db",
            "postgres://user:hunter2@host/db\n",
            "postgres://user:hunter2 @host/db",
            "sqlite://hunter2\n",
            "sqlite://",
            "sqlite:?key=hunter2",
            "hunter2://host/db",
            "user:hunter2@host/db",
        ] {
            let error = environment(None, Some(text))
                .database_url()
                .expect_err(text);
            let shown = format!("{error} {error:?}");
            assert!(!shown.contains(SECRET), "{text:?}: {shown}");
            assert!(shown.contains(DATABASE_URL_VARIABLE), "{text:?}: {shown}");
        }
    }

    fn listen_url(text: &'static str) -> Result<Option<DatabaseUrl>, ConfigError> {
        let lookup = |name: &str| (name == LISTEN_URL_VARIABLE).then(|| OsString::from(text));
        Environment::from_lookup(lookup).listen_url()
    }

    #[test]
    fn notifications_are_listened_for_on_postgresql_alone() {
        assert_eq!(environment(None, None).listen_url().unwrap(), None);
        let url = listen_url("postgres://user:hunter2@host/db")
            .unwrap()
            .unwrap();
        assert_eq!(url.to_string(), "postgres://user:***@host/db");
        for text in ["sqlite:hunter2", "sqlite:", "mysql://hunter2@h", "hunter2"] {
            assert_eq!(
                listen_url(text).unwrap_err().to_string(),
                "the environment variable RECONCILER_LISTEN_URL cannot be used: it must begin with \
                 postgres:// or postgresql://: only PostgreSQL notifies",
                "{text}"
            );
        }
        for text in ["", "postgres://user:hunter2", "postgres://u@h/d?hunter2"] {
            let error = listen_url(text).unwrap_err();
            let shown = format!("{error} {error:?}");
            assert!(!shown.contains(SECRET), "{text:?}: {shown}");
            assert!(shown.contains(LISTEN_URL_VARIABLE), "{text:?}: {shown}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_url_that_is_not_text_is_refused() {
        use std::os::unix::ffi::OsStringExt;
        let environment = Environment::from_lookup(|name| {
            (name == DATABASE_URL_VARIABLE).then(|| OsString::from_vec(b"sqlite://\xff".to_vec()))
        });
        assert!(matches!(
            environment.database_url(),
            Err(ConfigError::DatabaseUrl {
                problem: DatabaseUrlError::NotPlainText,
                ..
            })
        ));
    }
}
