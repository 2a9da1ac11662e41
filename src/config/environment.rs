//! The environment: the variables that are read. None of their values is ever printed.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use reconciler_jobs::trace::TraceContext;

use super::database_url::{DatabaseUrl, DatabaseUrlError};
use super::error::ConfigError;
use super::passfile::{PASS_FILE_VARIABLE, password_in, read_text};
use crate::storage::{AddressError, Backend};
use crate::telemetry::Spans;

/// Names the configuration file, where `--config` does not.
pub const CONFIG_VARIABLE: &str = "RECONCILER_CONFIG";
/// Holds the URL of the database, secrets included.
pub const DATABASE_URL_VARIABLE: &str = "RECONCILER_DATABASE_URL";
/// Holds the URL that leads to the PostgreSQL server itself, secrets included, where the database's
/// URL leads through a pooler in transaction mode, which passes no notifications on.
pub const LISTEN_URL_VARIABLE: &str = "RECONCILER_LISTEN_URL";

/// Holds the URL of a hot standby, secrets included, that the console is read from.
pub(super) const READ_URL_VARIABLE: &str = "RECONCILER_READ_URL";

/// Names a file with the URL of the database, as secrets are handed to containers and services.
const DATABASE_URL_FILE_VARIABLE: &str = "RECONCILER_DATABASE_URL_FILE";
/// Names a file with the URL that leads to the server itself.
const LISTEN_URL_FILE_VARIABLE: &str = "RECONCILER_LISTEN_URL_FILE";

/// Names a file with the URL of the standby.
const READ_URL_FILE_VARIABLE: &str = "RECONCILER_READ_URL_FILE";

/// What the names of this program's variables begin with.
pub(super) const PREFIX: &str = "RECONCILER_";

/// Every variable of this program's own.
pub(super) const NAMES: [&str; 7] = [
    CONFIG_VARIABLE,
    DATABASE_URL_VARIABLE,
    DATABASE_URL_FILE_VARIABLE,
    LISTEN_URL_VARIABLE,
    LISTEN_URL_FILE_VARIABLE,
    READ_URL_VARIABLE,
    READ_URL_FILE_VARIABLE,
];

/// Holds the W3C trace context of whoever started this program.
const TRACE_VARIABLE: &str = "TRACEPARENT";
/// Holds the address of a collector of traces, as OpenTelemetry names it.
const COLLECTOR_VARIABLE: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
/// Holds the name by which spans are told apart from those of others, as OpenTelemetry names it.
const SERVICE_VARIABLE: &str = "OTEL_SERVICE_NAME";

/// What the environment says of the terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Terminal {
    /// Colour is unwanted: `NO_COLOR` is set to anything but the empty text, or the terminal is dumb.
    pub no_color: bool,
    /// It cannot move its cursor: `TERM` is `dumb`.
    pub is_dumb: bool,
    /// It shows no more than ASCII: the first of `LC_ALL`, `LC_CTYPE` and `LANG` that is set names something other
    /// than UTF-8, such as `C`.
    pub is_ascii: bool,
    /// How wide text is to be, whether or not there is a terminal: `COLUMNS`.
    pub columns: Option<u16>,
}

impl Terminal {
    fn from_lookup(lookup: &impl Fn(&str) -> Option<OsString>) -> Self {
        let given = |name: &str| lookup(name).filter(|value| !value.is_empty());
        let is_dumb = given("TERM").is_some_and(|term| term == "dumb");
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(given);
        let is_utf_8 = |locale: &OsString| {
            let name = locale.to_string_lossy().to_ascii_lowercase();
            name.contains("utf-8") || name.contains("utf8")
        };
        Self {
            no_color: is_dumb || given("NO_COLOR").is_some(),
            is_dumb,
            is_ascii: locale.is_some_and(|locale| !is_utf_8(&locale)),
            columns: given("COLUMNS")
                .and_then(|columns| columns.to_str()?.parse().ok())
                .filter(|columns| *columns > 0),
        }
    }
}

/// The variables this program reads, as they were when it started.
///
/// Values are judged when they are asked for, so that a verb that needs no database is not stopped
/// by a broken URL.
#[derive(Clone, Default)]
pub struct Environment {
    config: Option<OsString>,
    database_url: Given,
    listen_url: Given,
    read_url: Given,
    password: Option<OsString>,
    authority: Option<OsString>,
    pass_file: Option<PathBuf>,
    home: Option<PathBuf>,
    trace: Option<OsString>,
    collector: Option<OsString>,
    service: Option<OsString>,
    journal: Option<OsString>,
    terminal: Terminal,
    /// Variables with the prefix of this program.
    settings: Vec<(String, OsString)>,
}

impl Environment {
    /// Reads the variables of this program's own environment.
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one place that reads the environment"
    )]
    pub fn read() -> Self {
        Self::from_lookup(|name| std::env::var_os(name)).with_settings(std::env::vars_os())
    }

    /// Takes single settings from these variables.
    #[must_use]
    pub fn with_settings(mut self, all: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        let named = all.into_iter().filter_map(|(name, value)| {
            let name = name.into_string().ok()?;
            name.starts_with(PREFIX).then_some((name, value))
        });
        self.settings = named.collect();
        self.settings.sort();
        self
    }

    pub(super) fn settings(&self) -> &[(String, OsString)] {
        &self.settings
    }

    /// Takes the variables from elsewhere; for tests.
    pub fn from_lookup(lookup: impl Fn(&str) -> Option<OsString>) -> Self {
        let url = |name, file_name| Given {
            name,
            file_name,
            value: lookup(name),
            file: lookup(file_name),
        };
        Self {
            config: lookup(CONFIG_VARIABLE),
            database_url: url(DATABASE_URL_VARIABLE, DATABASE_URL_FILE_VARIABLE),
            listen_url: url(LISTEN_URL_VARIABLE, LISTEN_URL_FILE_VARIABLE),
            read_url: url(READ_URL_VARIABLE, READ_URL_FILE_VARIABLE),
            password: lookup("PGPASSWORD"),
            authority: lookup("PGSSLROOTCERT"),
            pass_file: lookup(PASS_FILE_VARIABLE).map(PathBuf::from),
            home: lookup("HOME").map(PathBuf::from),
            trace: lookup(TRACE_VARIABLE),
            collector: lookup(COLLECTOR_VARIABLE),
            service: lookup(SERVICE_VARIABLE),
            journal: lookup("JOURNAL_STREAM"),
            terminal: Terminal::from_lookup(&lookup),
            settings: Vec::new(),
        }
    }

    /// What is said of the terminal.
    pub fn terminal(&self) -> Terminal {
        self.terminal
    }

    /// The file of systemd's journal, if it listens.
    pub fn journal(&self) -> Option<&str> {
        self.journal.as_ref()?.to_str()
    }

    /// Where spans are sent, if anywhere, and by which name. Empty is as good as absent, as the specification of these
    /// variables has it.
    pub fn spans(&self) -> Spans<'_> {
        fn given(value: Option<&OsString>) -> Option<&str> {
            value?.to_str().filter(|text| !text.is_empty())
        }
        Spans {
            collector: given(self.collector.as_ref()),
            service: given(self.service.as_ref()),
        }
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
        self.server_of(&self.listen_url)
    }

    /// The URL of a standby to read from, if one is given. Always PostgreSQL.
    pub fn read_url(&self) -> Result<Option<DatabaseUrl>, ConfigError> {
        self.server_of(&self.read_url)
    }

    /// Where a standby is given to read from, it is the database from now on.
    pub fn read_elsewhere(&mut self) -> Result<(), ConfigError> {
        if self.read_url()?.is_some() {
            self.database_url = std::mem::take(&mut self.read_url);
        }
        Ok(())
    }

    fn server_of(&self, given: &Given) -> Result<Option<DatabaseUrl>, ConfigError> {
        let refused = |problem| ConfigError::DatabaseUrl {
            name: given.given_by(),
            problem,
        };
        match self.url_of(given) {
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

    /// A URL with its password, which stands in it, in `PGPASSWORD`, or in PostgreSQL's file of passwords; and with the
    /// authority that `PGSSLROOTCERT` names, where it names none.
    fn url_of(&self, given: &Given) -> Result<Option<DatabaseUrl>, ConfigError> {
        let Some(mut url) = given.url()? else {
            return Ok(None);
        };
        let authority = self.authority.as_ref().and_then(|file| file.to_str());
        if let Some(file) = authority.filter(|file| !file.is_empty() && url.wants_authority()) {
            url = url.with("sslrootcert", file);
        }
        let Some(login) = url.wants_password() else {
            return Ok(Some(url));
        };
        let password = match &self.password {
            Some(password) => password.to_str().map(str::to_owned),
            None => self.password_on_file(&login)?,
        };
        Ok(Some(match password {
            Some(password) => url.with("password", &password),
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

/// Why a standby will not do.
const NO_STANDBY: AddressError = AddressError::Value(
    "target_session_attrs",
    "must be any, read-write or primary: verdicts are written; RECONCILER_READ_URL may ask for a standby",
);

/// A URL that is given in a variable, or in a file that another variable names.
#[derive(Clone, Default)]
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
            .and_then(|url: DatabaseUrl| {
                if url.wants_standby() && self.name != READ_URL_VARIABLE {
                    return Err(NO_STANDBY.into());
                }
                Ok(Some(url))
            })
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
