//! The environment: the variables that are read. None of their values is ever printed.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use reconciler_jobs::trace::TraceContext;

use super::database_url::{DatabaseUrl, DatabaseUrlError};
use super::error::ConfigError;
use super::passfile::{PASS_FILE_VARIABLE, password_in, read_text};
use crate::storage::{AddressError, Backend};

/// Names the configuration file, where `--config` does not.
pub const CONFIG_VARIABLE: &str = "RECONCILER_CONFIG";
/// Holds the URL of the database, secrets included.
pub const DATABASE_URL_VARIABLE: &str = "RECONCILER_DATABASE_URL";
/// Holds the URL that leads to the PostgreSQL server itself, secrets included, where the database's
/// URL leads through a pooler in transaction mode, which passes no notifications on.
pub const LISTEN_URL_VARIABLE: &str = "RECONCILER_LISTEN_URL";

/// Names a file with the URL of the database, as secrets are handed to containers and services.
const DATABASE_URL_FILE_VARIABLE: &str = "RECONCILER_DATABASE_URL_FILE";
/// Names a file with the URL that leads to the server itself.
const LISTEN_URL_FILE_VARIABLE: &str = "RECONCILER_LISTEN_URL_FILE";

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
    database_url: Given,
    listen_url: Given,
    password: Option<OsString>,
    pass_file: Option<PathBuf>,
    home: Option<PathBuf>,
    trace: Option<OsString>,
    collector: Option<OsString>,
    no_color: bool,
}

impl Environment {
    /// Reads the variables of this program's own environment.
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
            database_url: Given {
                name: DATABASE_URL_VARIABLE,
                file_name: DATABASE_URL_FILE_VARIABLE,
                value: lookup(DATABASE_URL_VARIABLE),
                file: lookup(DATABASE_URL_FILE_VARIABLE),
            },
            listen_url: Given {
                name: LISTEN_URL_VARIABLE,
                file_name: LISTEN_URL_FILE_VARIABLE,
                value: lookup(LISTEN_URL_VARIABLE),
                file: lookup(LISTEN_URL_FILE_VARIABLE),
            },
            password: lookup("PGPASSWORD"),
            pass_file: lookup(PASS_FILE_VARIABLE).map(PathBuf::from),
            home: lookup("HOME").map(PathBuf::from),
            trace: lookup(TRACE_VARIABLE),
            collector: lookup(COLLECTOR_VARIABLE),
            no_color: lookup("NO_COLOR").is_some_and(|value| !value.is_empty()),
        }
    }

    /// Whether colour is unwanted: `NO_COLOR` is set to anything but the empty text.
    pub fn no_color(&self) -> bool {
        self.no_color
    }

    /// Where spans are sent, if anywhere. Empty is as good as absent, as the variable's own specification has it.
    pub fn collector(&self) -> Option<&str> {
        self.collector
            .as_ref()?
            .to_str()
            .filter(|text| !text.is_empty())
    }

    /// The trace that this program is part of. Others set the variable for others, so what is malformed is as
    /// good as absent.
    pub fn trace(&self) -> Option<TraceContext> {
        TraceContext::parse(self.trace.as_ref()?.to_str()?)
    }

    /// The URL of the database, if one is given.
    pub fn database_url(&self) -> Result<Option<DatabaseUrl>, ConfigError> {
        self.url_of(&self.database_url)
    }

    /// The URL on which to listen for notifications, if it is not the database's. Always PostgreSQL.
    pub fn listen_url(&self) -> Result<Option<DatabaseUrl>, ConfigError> {
        let refused = |problem| ConfigError::DatabaseUrl {
            name: self.listen_url.given_by(),
            problem,
        };
        match self.url_of(&self.listen_url) {
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

    /// A URL with its password, which stands in it, in `PGPASSWORD`, or in PostgreSQL's file of passwords.
    fn url_of(&self, given: &Given) -> Result<Option<DatabaseUrl>, ConfigError> {
        let Some(url) = given.url()? else {
            return Ok(None);
        };
        let Some(login) = url.wants_password() else {
            return Ok(Some(url));
        };
        let password = match &self.password {
            Some(password) => password.to_str().map(str::to_owned),
            None => self.password_on_file(&login)?,
        };
        Ok(Some(match password {
            Some(password) => url.with_password(&password),
            None => url,
        }))
    }

    fn password_on_file(&self, login: &[String; 4]) -> Result<Option<String>, ConfigError> {
        if let Some(file) = &self.pass_file {
            return password_in(file, login);
        }
        let at_home = self.home.as_ref().map(|home| home.join(".pgpass"));
        match at_home.filter(|file| file.is_file()) {
            Some(file) => password_in(&file, login),
            None => Ok(None),
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

/// A URL that is given in a variable, or in a file that another variable names.
#[derive(Default)]
struct Given {
    name: &'static str,
    file_name: &'static str,
    value: Option<OsString>,
    file: Option<OsString>,
}

impl Given {
    /// The variable that is set.
    fn given_by(&self) -> &'static str {
        if self.file.is_some() {
            self.file_name
        } else {
            self.name
        }
    }

    /// The URL as it is written. A file may end with a line end, and is read each time: what is in it may change.
    fn url(&self) -> Result<Option<DatabaseUrl>, ConfigError> {
        let value = given(self.value.as_ref(), self.name)?;
        let file = given(self.file.as_ref(), self.file_name)?;
        let text = match (value, file) {
            (None, None) => return Ok(None),
            (Some(_), Some(_)) => {
                return Err(ConfigError::GivenTwice {
                    name: self.name,
                    file_name: self.file_name,
                });
            }
            (Some(value), None) => value.to_str().map(str::to_owned),
            (None, Some(file)) => Some(self.read(Path::new(file))?),
        };
        text.ok_or(AddressError::NotPlainText.into())
            .and_then(|text| text.parse())
            .map(Some)
            .map_err(|problem| ConfigError::DatabaseUrl {
                name: self.given_by(),
                problem,
            })
    }

    fn read(&self, file: &Path) -> Result<String, ConfigError> {
        let text = read_text(file).map_err(|source| ConfigError::SecretFile {
            file: file.display().to_string(),
            given_by: self.file_name,
            source,
        })?;
        Ok(text.trim_end_matches(['\n', '\r']).to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::config::tests::environment;

    const SECRET: &str = "hunter2";

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
    fn no_refused_url_is_repeated() {
        for text in [
            "postgres://user@host/db?pwd=hunter2",
            "postgres://user@host/db?hunter2",
            "postgres://user:hunter2/x@host/db",
            "postgres://user:12/hunter2@host/db",
            "postgres://user:12?hunter2@host/db",
            "postgres://user:12#hunter2",
            "postgres://user:hunter2",
            "postgres://user:hunter2@h1,h2/db",
            "postgres://user@host/db?sslmode=hunter2",
            "postgres://user@host/db?channel_binding=hunter2",
            "postgres://user@host/db?connect_timeout=hunter2",
            "postgres://user@host/db?port=hunter2",
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
                problem: DatabaseUrlError::Server(AddressError::NotPlainText),
                ..
            })
        ));
    }
}
