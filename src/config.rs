//! What can be set, where it may come from, and the only place that reads the environment.
//!
//! Settings come from the built-in default, then from one TOML file. Secrets come from the
//! environment alone and never print.
//!
//! **Invariant:** a [`Config`] that came from a file is within every range stated on its fields, and
//! no error of this module holds a secret: errors show a value only where it cannot be a URL.
//!
//! # Design notes
//!
//! Single settings cannot be overridden by environment variables or flags. One file says what is in
//! force, and a mistyped variable, which nobody could refuse, is not a way to change a verdict.

use std::ffi::OsString;
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::ops::Range;
use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use jiff::SignedDuration;
use jiff::fmt::friendly::SpanParser;
use reconciler_jobs::restore_execute::Policy;
use reconciler_jobs::restore_execute::results::SUMMARY_KEYS;
use reconciler_jobs::sweep::Schedule;
use schemars::{JsonSchema, Schema, schema_for};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value as Json;
use thiserror::Error;
use toml::Spanned;
use toml::de::{DeTable, DeValue};
use url::Url;

use crate::telemetry::{self, Format};

/// Names the configuration file, where `--config` does not.
pub const CONFIG_VARIABLE: &str = "RECONCILER_CONFIG";
/// Holds the URL of the database, secrets included.
pub const DATABASE_URL_VARIABLE: &str = "RECONCILER_DATABASE_URL";
/// The largest configuration file that is read.
pub const FILE_BYTES_MAX: u64 = 1 << 20;
/// The longest list of audit actions.
pub const AUDIT_ACTIONS_MAX: usize = 50;
/// The longest audit action, in characters; the platform's column holds no more.
pub const AUDIT_ACTION_CHARS_MAX: usize = 255;

const SECOND_MS: u64 = 1_000;
const MINUTE_MS: u64 = 60 * SECOND_MS;
const HOUR_MS: u64 = 60 * MINUTE_MS;
const WEEK_MS: u64 = 168 * HOUR_MS;
const SHOWN_CHARS_MAX: usize = 80;
/// Keys that people try to put a database URL or password under.
const SECRET_KEYS: [&str; 5] = [
    "url",
    "database_url",
    "dsn",
    "password",
    "reconciler_database_url",
];

/// Settings of restore-reconciler.
///
/// Durations are texts such as "10m", "1h 30m" or "500ms".
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// What counts as proof.
    pub rules: Rules,
    /// How runs are swept, and when a run that stayed open is looked at again.
    pub sweep: Sweep,
    /// The connection to the database.
    pub database: Database,
    /// Log lines, on standard error.
    pub log: Log,
}

/// What counts as proof. All of it can change a verdict and is recorded with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Rules {
    /// How long after a restore's end its audit entry and its evidence may still arrive. "0s" to
    /// "168h", not longer than `settle_window_in_progress`.
    #[serde(
        serialize_with = "friendly",
        deserialize_with = "duration::<_, _, 0, WEEK_MS>"
    )]
    #[schemars(with = "String")]
    pub settle_window: SignedDuration,
    /// The same while an evidence snapshot of the run is queued or generating. "0s" to "168h".
    #[serde(
        serialize_with = "friendly",
        deserialize_with = "duration::<_, _, 0, WEEK_MS>"
    )]
    #[schemars(with = "String")]
    pub settle_window_in_progress: SignedDuration,
    /// How far a restore's end may lie in the future before it is taken as unknown. "0s" to "1h".
    #[serde(
        serialize_with = "friendly",
        deserialize_with = "duration::<_, _, 0, HOUR_MS>"
    )]
    #[schemars(with = "String")]
    pub clock_skew_max: SignedDuration,
    /// How much older than the restore's end evidence may be and still count as newer. "0s" to "1h".
    #[serde(
        serialize_with = "friendly",
        deserialize_with = "duration::<_, _, 0, HOUR_MS>"
    )]
    #[schemars(with = "String")]
    pub evidence_skew_max: SignedDuration,
    /// Audit actions that record the end of a restore.
    #[serde(deserialize_with = "audit_actions")]
    #[schemars(length(min = 1, max = AUDIT_ACTIONS_MAX), extend("uniqueItems" = true))]
    #[schemars(inner(length(min = 1, max = AUDIT_ACTION_CHARS_MAX)))]
    pub audit_actions: Vec<String>,
    /// Keys of `summary_counts` that a verdict may write.
    #[serde(deserialize_with = "summary_keys")]
    #[schemars(extend(
        "uniqueItems" = true,
        "items" = serde_json::json!({"type": "string", "enum": SUMMARY_KEYS})
    ))]
    pub summary_keys: Vec<String>,
}

/// How runs are swept, and when a run that stayed open is looked at again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Sweep {
    /// How many runs one transaction settles at most.
    #[serde(deserialize_with = "whole::<_, 1, 5_000>")]
    #[schemars(range(min = 1, max = 5_000))]
    pub batch_runs_max: u32,
    /// The wait after the first look at a run that stays open; doubled after each further look. "1s"
    /// to "1h", not longer than `wait_max`.
    #[serde(
        serialize_with = "friendly",
        deserialize_with = "duration::<_, _, SECOND_MS, HOUR_MS>"
    )]
    #[schemars(with = "String")]
    pub wait_min: SignedDuration,
    /// The longest wait between two looks. "1s" to "24h".
    #[serde(
        serialize_with = "friendly",
        deserialize_with = "duration::<_, _, SECOND_MS, { 24 * HOUR_MS }>"
    )]
    #[schemars(with = "String")]
    pub wait_max: SignedDuration,
}

/// The connection to the database. Its URL is a secret and comes from the environment alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Database {
    /// How many connections are open at most.
    #[serde(deserialize_with = "whole::<_, 1, 100>")]
    #[schemars(range(min = 1, max = 100))]
    pub connections_max: u32,
    /// How long to wait for a connection. "1s" to "5m".
    #[serde(
        serialize_with = "friendly",
        deserialize_with = "duration::<_, _, SECOND_MS, { 5 * MINUTE_MS }>"
    )]
    #[schemars(with = "String")]
    pub connect_timeout: Duration,
    /// How long one statement may take. "1s" to "1h".
    #[serde(
        serialize_with = "friendly",
        deserialize_with = "duration::<_, _, SECOND_MS, HOUR_MS>"
    )]
    #[schemars(with = "String")]
    pub statement_timeout: Duration,
    /// How long one statement may wait for a lock. "100ms" to "10m", not longer than
    /// `statement_timeout`.
    #[serde(
        serialize_with = "friendly",
        deserialize_with = "duration::<_, _, 100, { 10 * MINUTE_MS }>"
    )]
    #[schemars(with = "String")]
    pub lock_timeout: Duration,
    /// How often a transaction is tried again after a passing failure.
    #[serde(deserialize_with = "whole::<_, 0, 20>")]
    #[schemars(range(min = 0, max = 20))]
    pub retries_max: u32,
}

/// Log lines, on standard error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Log {
    /// A level, or a list such as "info,sqlx=warn" that sets other levels for single modules.
    #[serde(deserialize_with = "log_filter")]
    pub filter: String,
    /// "text" for people, "json" for machines.
    #[serde(deserialize_with = "log_format")]
    pub format: Format,
}

impl Default for Rules {
    fn default() -> Self {
        let Policy {
            settle_window,
            settle_window_in_progress,
            clock_skew_max,
            evidence_skew_max,
            audit_actions,
            summary_keys,
        } = Policy::default();
        Self {
            settle_window,
            settle_window_in_progress,
            clock_skew_max,
            evidence_skew_max,
            audit_actions,
            summary_keys,
        }
    }
}

impl Default for Sweep {
    fn default() -> Self {
        let Schedule { wait_min, wait_max } = Schedule::default();
        Self {
            batch_runs_max: 500,
            wait_min,
            wait_max,
        }
    }
}

impl Default for Database {
    fn default() -> Self {
        Self {
            connections_max: 4,
            connect_timeout: Duration::from_secs(10),
            statement_timeout: Duration::from_mins(1),
            lock_timeout: Duration::from_secs(5),
            retries_max: 5,
        }
    }
}

impl Default for Log {
    fn default() -> Self {
        Self {
            filter: "info".to_owned(),
            format: Format::Text,
        }
    }
}

impl Rules {
    /// These settings as the pure rules take them.
    #[must_use]
    pub fn policy(&self) -> Policy {
        let rules = self.clone();
        Policy {
            settle_window: rules.settle_window,
            settle_window_in_progress: rules.settle_window_in_progress,
            clock_skew_max: rules.clock_skew_max,
            evidence_skew_max: rules.evidence_skew_max,
            audit_actions: rules.audit_actions,
            summary_keys: rules.summary_keys,
        }
    }
}

impl Sweep {
    /// The waits between looks, as the pure back-off takes them.
    #[must_use]
    pub fn schedule(&self) -> Schedule {
        Schedule {
            wait_min: self.wait_min,
            wait_max: self.wait_max,
        }
    }
}

impl Config {
    /// Reads the file that `--config` names, else the one that [`CONFIG_VARIABLE`] names. With
    /// neither, the defaults hold.
    pub fn load(flag: Option<&Path>, environment: &Environment) -> Result<Self, ConfigError> {
        match (flag, environment.config_file()?) {
            (Some(path), _) => Self::read(path, "--config"),
            (None, Some(path)) => Self::read(Path::new(path), CONFIG_VARIABLE),
            (None, None) => Ok(Self::default()),
        }
    }

    fn read(path: &Path, given_by: &'static str) -> Result<Self, ConfigError> {
        let file = path.display().to_string();
        let mut bytes = Vec::new();
        let read = File::open(path)
            .and_then(|opened| opened.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes));
        match (read, String::from_utf8(bytes)) {
            (Err(source), _) => Err(ConfigError::Unreadable {
                file,
                given_by,
                source,
            }),
            (Ok(length), _) if length as u64 > FILE_BYTES_MAX => Err(ConfigError::TooLong { file }),
            (Ok(_), Err(_)) => Err(ConfigError::NotText { file }),
            (Ok(_), Ok(text)) => Self::parse(&text, &file),
        }
    }

    /// Reads settings from the text of a file. `file` is its name in errors.
    pub fn parse(text: &str, file: &str) -> Result<Self, ConfigError> {
        let source = Source {
            text,
            file,
            default: Self::default().to_json(),
        };
        let root = DeTable::parse(text).map_err(|error| source.syntax_error(&error))?;
        source.check_keys(root.get_ref(), &source.default, "")?;
        let config = Self::deserialize(toml::de::Deserializer::from(root.clone()))
            .map_err(|error| source.value_error(&error, root.get_ref()))?;
        config.check_order(file)?;
        Ok(config)
    }

    /// The checked-in file that lists every key with its default and what it means.
    #[must_use]
    pub fn annotated_default() -> &'static str {
        include_str!("../config/reconciler.toml")
    }

    /// The JSON Schema of the file, for editors.
    #[must_use]
    pub fn schema() -> Schema {
        schema_for!(Self)
    }

    fn to_json(&self) -> Json {
        // Fails for maps with keys that are no text, and there are none.
        serde_json::to_value(self).unwrap_or_default()
    }

    /// Refuses pairs of settings that contradict each other.
    fn check_order(&self, file: &str) -> Result<(), ConfigError> {
        let settings = self.to_json();
        let rules = &self.rules;
        let sweep = &self.sweep;
        let database = &self.database;
        [
            (
                rules.settle_window <= rules.settle_window_in_progress,
                "rules.settle_window",
                "rules.settle_window_in_progress",
            ),
            (
                sweep.wait_min <= sweep.wait_max,
                "sweep.wait_min",
                "sweep.wait_max",
            ),
            (
                database.lock_timeout <= database.statement_timeout,
                "database.lock_timeout",
                "database.statement_timeout",
            ),
        ]
        .into_iter()
        .find(|(in_order, ..)| !in_order)
        .map_or(Ok(()), |(_, shorter, longer)| {
            Err(ConfigError::Order {
                file: file.to_owned(),
                shorter,
                shorter_value: value_at(&settings, shorter),
                longer,
                longer_value: value_at(&settings, longer),
            })
        })
    }
}

/// Why the configuration or the environment could not be used. Texts never hold a secret.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// The file is missing, a directory, or not ours to read.
    #[error("cannot read the configuration file {file}, which {given_by} names")]
    Unreadable {
        /// The file.
        file: String,
        /// The flag or variable that names it.
        given_by: &'static str,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The file cannot be a configuration.
    #[error("{file} is larger than {FILE_BYTES_MAX} bytes, so it is no configuration file")]
    TooLong {
        /// The file.
        file: String,
    },
    /// The file is not UTF-8.
    #[error("{file} is not UTF-8 text; save it as UTF-8")]
    NotText {
        /// The file.
        file: String,
    },
    /// The file is not TOML. The line itself is not shown, because it may hold a secret.
    #[error("{place}: not valid TOML: {problem}")]
    Syntax {
        /// The file, line and column.
        place: String,
        /// What the parser said.
        problem: String,
    },
    /// A key that means nothing.
    #[error("{place}: unknown key `{key}`; {advice}")]
    UnknownKey {
        /// The file and line.
        place: String,
        /// The full path of the key.
        key: String,
        /// The nearest valid name, or all of them.
        advice: String,
    },
    /// A secret in a file.
    #[error(
        "{place}: `{key}` does not belong in a file: the database URL is a secret and is \
         read from the environment variable {DATABASE_URL_VARIABLE}; remove the key, and change \
         the password if others can read the file"
    )]
    Secret {
        /// The file and line.
        place: String,
        /// The full path of the key.
        key: String,
    },
    /// A value where a section is meant.
    #[error("{place}: `{key}` is a section; write it as `[{key}]` with its keys below")]
    NotASection {
        /// The file and line.
        place: String,
        /// The section.
        key: String,
    },
    /// A value that is not allowed.
    #[error(
        "{place}: `{key}` is {value}: {problem}; change it, or remove it to use the default, \
         {default}"
    )]
    Value {
        /// The file and line.
        place: String,
        /// The full path of the key.
        key: String,
        /// The value as it stands in the file, shortened.
        value: String,
        /// What is allowed.
        problem: String,
        /// The default.
        default: String,
    },
    /// Two durations that contradict each other.
    #[error(
        "{file}: `{shorter}` is {shorter_value}, longer than `{longer}`, which is {longer_value}; \
         lower the first or raise the second"
    )]
    Order {
        /// The file.
        file: String,
        /// The setting that may not be longer.
        shorter: &'static str,
        /// Its value.
        shorter_value: String,
        /// The setting that may not be shorter.
        longer: &'static str,
        /// Its value.
        longer_value: String,
    },
    /// A variable that is set to nothing, which a failed injection of a secret looks like.
    #[error("the environment variable {name} is empty; give it a value, or unset it")]
    EmptyVariable {
        /// The variable.
        name: &'static str,
    },
    /// The database URL cannot be used.
    #[error("the environment variable {DATABASE_URL_VARIABLE} cannot be used: {0}")]
    DatabaseUrl(DatabaseUrlError),
}

/// The variables this program reads, as they were when it started.
///
/// Values are judged when they are asked for, so that a verb that needs no database is not stopped
/// by a broken URL.
#[derive(Default)]
pub struct Environment {
    config: Option<OsString>,
    database_url: Option<OsString>,
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
            no_color: lookup("NO_COLOR").is_some_and(|value| !value.is_empty()),
        }
    }

    /// Whether colour is unwanted: `NO_COLOR` is set to anything but the empty text.
    #[must_use]
    pub fn no_color(&self) -> bool {
        self.no_color
    }

    /// The URL of the database, if one is given.
    pub fn database_url(&self) -> Result<Option<DatabaseUrl>, ConfigError> {
        let Some(value) = given(self.database_url.as_ref(), DATABASE_URL_VARIABLE)? else {
            return Ok(None);
        };
        value
            .to_str()
            .ok_or(DatabaseUrlError::NotPlainText)
            .and_then(str::parse)
            .map(Some)
            .map_err(ConfigError::DatabaseUrl)
    }

    fn config_file(&self) -> Result<Option<&OsString>, ConfigError> {
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

/// The databases this program works on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backend {
    /// `postgres://` or `postgresql://`.
    Postgres,
    /// `sqlite:`.
    Sqlite,
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
    /// No file is named.
    #[error("it names no file; write sqlite://FILE, or sqlite://FILE?mode=rwc to create it")]
    NoFile,
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

/// The text of a file, to say where in it something is wrong.
struct Source<'t> {
    text: &'t str,
    file: &'t str,
    /// Its keys are all keys there are.
    default: Json,
}

impl Source<'_> {
    /// File and line, from 1.
    fn place(&self, offset: usize) -> String {
        let before = self.text.get(..offset).unwrap_or(self.text);
        format!("{}:{}", self.file, before.matches('\n').count() + 1)
    }

    fn syntax_error(&self, error: &toml::de::Error) -> ConfigError {
        let offset = error.span().map_or(0, |span| span.start);
        let before = self.text.get(..offset).unwrap_or(self.text);
        let column = before.chars().rev().take_while(|&c| c != '\n').count() + 1;
        ConfigError::Syntax {
            place: format!("{}:{column}", self.place(offset)),
            problem: shown(error.message()),
        }
    }

    /// Every key of `table` is a key of `known`, and where that holds a section, it is one.
    fn check_keys(&self, table: &DeTable<'_>, known: &Json, path: &str) -> Result<(), ConfigError> {
        for (key, value) in table {
            let name = key.get_ref().as_ref();
            let full = shown(&joined(path, name));
            let place = self.place(key.span().start);
            match (known.get(name), value.get_ref()) {
                (Some(inner @ Json::Object(_)), DeValue::Table(section)) => {
                    self.check_keys(section, inner, &full)?;
                }
                (Some(Json::Object(_)), _) => {
                    return Err(ConfigError::NotASection { place, key: full });
                }
                (Some(_), _) => {}
                (None, _) if SECRET_KEYS.contains(&name.to_lowercase().as_str()) => {
                    return Err(ConfigError::Secret { place, key: full });
                }
                (None, _) => {
                    let advice = self.advice(name, known);
                    return Err(ConfigError::UnknownKey {
                        place,
                        key: full,
                        advice,
                    });
                }
            }
        }
        Ok(())
    }

    /// The nearest name beside `name`, or the same name in a section, or all names there are.
    fn advice(&self, name: &str, known: &Json) -> String {
        let names = names_in(known);
        let elsewhere = || {
            let home = |section: &&str| {
                let keys = self.default.get(section);
                keys.is_some_and(|keys| keys.get(name).is_some())
            };
            names_in(&self.default)
                .into_iter()
                .find(home)
                .map(|section| joined(section, name))
        };
        nearest(name, &names)
            .map(str::to_owned)
            .or_else(elsewhere)
            .map_or_else(
                || format!("valid here: `{}`", names.join("`, `")),
                |near| format!("did you mean `{near}`?"),
            )
    }

    fn value_error(&self, error: &toml::de::Error, root: &DeTable<'_>) -> ConfigError {
        let offset = error.span().map_or(0, |span| span.start);
        let (key, span) = key_at(root, "", offset).unwrap_or_default();
        ConfigError::Value {
            place: self.place(span.start),
            value: shown(self.text.get(span).unwrap_or_default()),
            problem: error.message().to_owned(),
            default: value_at(&self.default, &key),
            key,
        }
    }
}

/// The key whose value covers `offset`, and where that value stands.
fn key_at(table: &DeTable<'_>, path: &str, offset: usize) -> Option<(String, Range<usize>)> {
    table
        .iter()
        .find_map(|(key, value): (_, &Spanned<DeValue<'_>>)| {
            let full = joined(path, key.get_ref());
            match value.get_ref() {
                // A section may stand in several places, so its own span says little.
                DeValue::Table(section) => key_at(section, &full, offset),
                _ => value.span().contains(&offset).then(|| (full, value.span())),
            }
        })
}

fn joined(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}.{name}")
    }
}

fn value_at(settings: &Json, key: &str) -> String {
    let pointer = format!("/{}", key.replace('.', "/"));
    settings
        .pointer(&pointer)
        .map(Json::to_string)
        .unwrap_or_default()
}

/// Text from a file, as an error may show it.
fn shown(text: &str) -> String {
    if text.contains("://") {
        return "(not shown: it looks like a URL)".to_owned();
    }
    let line: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    if line.chars().count() <= SHOWN_CHARS_MAX {
        return line;
    }
    line.chars()
        .take(SHOWN_CHARS_MAX)
        .chain("…".chars())
        .collect()
}

fn names_in(section: &Json) -> Vec<&str> {
    let keys = section.as_object().into_iter().flat_map(|map| map.keys());
    keys.map(String::as_str).collect()
}

/// The most similar of `names`, if one is similar enough to be meant.
fn nearest<'n>(name: &str, names: &[&'n str]) -> Option<&'n str> {
    names
        .iter()
        .map(|near| (strsim::jaro_winkler(&name.to_lowercase(), near), *near))
        .filter(|(likeness, _)| *likeness > 0.75)
        .max_by(|left, right| left.0.total_cmp(&right.0))
        .map(|(_, near)| near)
}

fn friendly<S: Serializer, T>(duration: &T, serializer: S) -> Result<S::Ok, S::Error>
where
    T: Copy + TryInto<SignedDuration>,
{
    let duration = (*duration)
        .try_into()
        .map_err(|_| serde::ser::Error::custom("the duration is too long to be written"))?;
    serializer.collect_str(&format_args!("{duration:#}"))
}

/// Whatever stands there. None for an integer that no type holds; each reader says what it takes.
fn any<'de, D: Deserializer<'de>>(deserializer: D) -> Option<toml::Value> {
    toml::Value::deserialize(deserializer).ok()
}

/// A duration from `MIN` to `MAX` milliseconds, in jiff's friendly format.
fn duration<'de, D, T, const MIN: u64, const MAX: u64>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: TryFrom<SignedDuration>,
{
    let value = any(deserializer);
    let duration = value
        .as_ref()
        .and_then(toml::Value::as_str)
        .and_then(|text| SpanParser::new().parse_duration(text).ok());
    let range = Duration::from_millis(MIN)..=Duration::from_millis(MAX);
    duration
        .filter(|duration| !duration.is_negative() && range.contains(&duration.unsigned_abs()))
        .and_then(|duration| T::try_from(duration).ok())
        .ok_or_else(|| {
            let [min, max] = [range.start(), range.end()].map(|limit| {
                SignedDuration::try_from(*limit).map_or(String::new(), |text| format!("{text:#}"))
            });
            let fault = match duration {
                Some(duration) if duration.is_negative() => "a duration cannot be negative",
                Some(_) => "it is out of range",
                None => "it is not a duration",
            };
            D::Error::custom(format!(
                "{fault}; allowed is a text from \"{min}\" to \"{max}\", such as \"1m 30s\", in \
                 hours, minutes, seconds and milliseconds"
            ))
        })
}

/// A whole number from `MIN` to `MAX`.
fn whole<'de, D, const MIN: u32, const MAX: u32>(deserializer: D) -> Result<u32, D::Error>
where
    D: Deserializer<'de>,
{
    any(deserializer)
        .and_then(|value| value.as_integer())
        .and_then(|number| u32::try_from(number).ok())
        .filter(|number| (MIN..=MAX).contains(number))
        .ok_or_else(|| D::Error::custom(format!("it must be a whole number from {MIN} to {MAX}")))
}

/// A list of texts, all different.
fn distinct_texts(value: &toml::Value) -> Option<Vec<String>> {
    let list = value.as_array()?;
    let texts: Vec<String> = list
        .iter()
        .map(|item| item.as_str().map(str::to_owned))
        .collect::<Option<_>>()?;
    let repeats = (1..texts.len()).any(|n| {
        let (before, rest) = texts.split_at(n);
        rest.first().is_some_and(|text| before.contains(text))
    });
    (!repeats).then_some(texts)
}

fn audit_actions<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let is_action = |text: &String| {
        !text.is_empty()
            && text.chars().count() <= AUDIT_ACTION_CHARS_MAX
            && !text.contains(|c: char| c.is_whitespace() || c.is_control())
    };
    any(deserializer)
        .and_then(|value| distinct_texts(&value))
        .filter(|actions| (1..=AUDIT_ACTIONS_MAX).contains(&actions.len()))
        .filter(|actions| actions.iter().all(is_action))
        .ok_or_else(|| {
            D::Error::custom(format!(
                "it must be a list of 1 to {AUDIT_ACTIONS_MAX} different action names without \
                 blanks, of at most {AUDIT_ACTION_CHARS_MAX} characters each"
            ))
        })
}

fn summary_keys<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    any(deserializer)
        .and_then(|value| distinct_texts(&value))
        .filter(|keys| keys.iter().all(|key| SUMMARY_KEYS.contains(&key.as_str())))
        .ok_or_else(|| {
            D::Error::custom(format!(
                "it must be a list of different keys out of those that can be counted ({})",
                SUMMARY_KEYS.join(", ")
            ))
        })
}

fn log_filter<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    match any(deserializer) {
        Some(toml::Value::String(text)) => telemetry::parse_filter(&text)
            .map(|_| text)
            .map_err(D::Error::custom),
        _ => Err(D::Error::custom(telemetry::TelemetryError::Filter)),
    }
}

fn log_format<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Format, D::Error> {
    match any(deserializer).as_ref().and_then(toml::Value::as_str) {
        Some("text") => Ok(Format::Text),
        Some("json") => Ok(Format::Json),
        _ => Err(D::Error::custom("it must be \"text\" or \"json\"")),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::PathBuf;

    use super::*;

    const SECRET: &str = "hunter2";

    fn parse(text: &str) -> Result<Config, ConfigError> {
        Config::parse(text, "x.toml")
    }

    fn refusal(text: &str) -> String {
        parse(text).expect_err(text).to_string()
    }

    fn environment(config: Option<&str>, url: Option<&str>) -> Environment {
        Environment::from_lookup(|name| match name {
            CONFIG_VARIABLE => config.map(OsString::from),
            DATABASE_URL_VARIABLE => url.map(OsString::from),
            _ => None,
        })
    }

    fn url(text: &str) -> DatabaseUrl {
        text.parse().expect(text)
    }

    /// A file of its own in the system's temporary directory, removed when dropped.
    struct TempFile(PathBuf);

    impl TempFile {
        fn holding(name: &str, bytes: &[u8]) -> Self {
            let name = format!("reconciler-config-{}-{name}.toml", std::process::id());
            let path = std::env::temp_dir().join(name);
            std::fs::write(&path, bytes).unwrap();
            Self(path)
        }

        fn text(&self) -> &str {
            self.0.to_str().unwrap()
        }
    }

    impl Drop for TempFile {
        fn drop(&mut self) {
            std::fs::remove_file(&self.0).ok();
        }
    }

    /// Every key that is no section, by path.
    fn keys(settings: &Json, path: &str) -> BTreeSet<String> {
        let entries = settings.as_object().into_iter().flatten();
        entries
            .flat_map(|(name, value)| {
                let full = joined(path, name);
                if value.is_object() {
                    keys(value, &full)
                } else {
                    BTreeSet::from([full])
                }
            })
            .collect()
    }

    fn annotated() -> Json {
        let table: toml::Table = toml::from_str(Config::annotated_default()).unwrap();
        serde_json::to_value(table).unwrap()
    }

    #[test]
    fn the_checked_in_file_is_the_built_in_default() {
        assert_eq!(
            parse(Config::annotated_default()).unwrap(),
            Config::default()
        );
        assert_eq!(parse("").unwrap(), Config::default());
        assert_eq!(Config::default().rules.policy(), Policy::default());
        assert_eq!(Config::default().sweep.schedule(), Schedule::default());
    }

    #[test]
    fn the_checked_in_file_lists_every_key_and_no_other() {
        assert_eq!(
            keys(&annotated(), ""),
            keys(&Config::default().to_json(), "")
        );
    }

    #[test]
    fn every_key_of_the_checked_in_file_has_a_comment_above_it() {
        let lines: Vec<_> = Config::annotated_default().lines().collect();
        let explained = lines.windows(2).filter(|pair| {
            let is_key = pair[1].starts_with(|c: char| c.is_ascii_lowercase());
            is_key && pair[0].starts_with("# ")
        });
        assert_eq!(explained.count(), keys(&annotated(), "").len());
    }

    #[test]
    fn the_checked_in_schema_is_the_generated_one() {
        let checked_in: Json =
            serde_json::from_str(include_str!("../config/reconciler.schema.json"))
                .unwrap_or_default();
        assert!(
            checked_in == *Config::schema().as_value(),
            "config/reconciler.schema.json is out of date; write it again with\n\
             restore-reconciler config schema > config/reconciler.schema.json"
        );
    }

    #[test]
    fn the_schema_knows_every_key_and_the_range_of_every_number() {
        let schema = Config::schema();
        for key in keys(&Config::default().to_json(), "") {
            let (section, name) = key.split_once('.').unwrap();
            let definition = schema.as_value()["$defs"]
                .as_object()
                .unwrap()
                .iter()
                .find(|(title, _)| title.eq_ignore_ascii_case(section))
                .unwrap()
                .1;
            assert_eq!(definition["additionalProperties"], false, "{section}");
            let property = &definition["properties"][name];
            assert!(property.is_object(), "{key}");
            if property["type"] == "integer" {
                let accepts = |n: i64| parse(&format!("{key} = {n}")).is_ok();
                let limit = |limit: &str| property[limit].as_i64().unwrap();
                let (min, max) = (limit("minimum"), limit("maximum"));
                assert!(accepts(min) && accepts(max), "{key}");
                assert!(!accepts(min - 1) && !accepts(max + 1), "{key}");
            }
        }
    }

    /// The comment lines right above a key of the checked-in file, as one line.
    fn comment_above(name: &str) -> String {
        let lines: Vec<_> = Config::annotated_default().lines().collect();
        let at = lines
            .iter()
            .position(|line| line.starts_with(&format!("{name} = ")))
            .unwrap();
        let mut comment: Vec<_> = lines[..at]
            .iter()
            .rev()
            .map_while(|line| line.strip_prefix("# "))
            .collect();
        comment.reverse();
        comment.join(" ")
    }

    #[test]
    fn the_documented_range_of_every_duration_is_the_one_that_holds() {
        let durations = [
            ("rules.settle_window", "0s", "168h"),
            ("rules.settle_window_in_progress", "0s", "168h"),
            ("rules.clock_skew_max", "0s", "1h"),
            ("rules.evidence_skew_max", "0s", "1h"),
            ("sweep.wait_min", "1s", "1h"),
            ("sweep.wait_max", "1s", "24h"),
            ("database.connect_timeout", "1s", "5m"),
            ("database.statement_timeout", "1s", "1h"),
            ("database.lock_timeout", "100ms", "10m"),
        ];
        for (key, min, max) in durations {
            let in_range = |value: &str| {
                let parsed = parse(&format!("{key} = \"{value}\""));
                !matches!(parsed, Err(ConfigError::Value { .. }))
            };
            assert!(in_range(min) && in_range(max), "{key}");
            assert!(!in_range(&format!("{max} 1ms")), "{key}");
            let below = match min {
                "0s" => "-1ms",
                "1s" => "999ms",
                _ => "99ms",
            };
            assert!(!in_range(below), "{key}");

            let (section, name) = key.split_once('.').unwrap();
            let title = section[..1].to_uppercase() + &section[1..];
            let pointer = format!("/$defs/{title}/properties/{name}/description");
            let schema = Config::schema();
            let described = schema.pointer(&pointer).and_then(Json::as_str).unwrap();
            let range = format!("\"{min}\" to \"{max}\"");
            assert!(described.replace('\n', " ").contains(&range), "{key}");
            assert!(comment_above(name).contains(&range), "{key}");
        }
        let every = keys(&Config::default().to_json(), "");
        let is_text = |key: &&String| value_at(&annotated(), key).starts_with('"');
        let texts = every.iter().filter(is_text).count();
        assert_eq!(
            texts,
            durations.len() + 2,
            "only log.filter and log.format are other texts"
        );
    }

    #[test]
    fn what_a_config_writes_it_reads_back() {
        let mut config = Config::default();
        config.rules.settle_window = SignedDuration::new(61, 500_000_000);
        config.database.lock_timeout = Duration::from_millis(250);
        config.log.format = Format::Json;
        let written = serde_json::to_string(&config).unwrap();
        assert_eq!(serde_json::from_str::<Config>(&written).unwrap(), config);
    }

    #[test]
    fn a_file_replaces_defaults_key_by_key() {
        let config = parse(
            "[rules]\nsettle_window = \"20m\"\nsummary_keys = []\n\
             [sweep]\nbatch_runs_max = 50\n[log]\nformat = \"json\"\nfilter = \"warn,sqlx=off\"",
        )
        .unwrap();
        assert_eq!(
            config.rules.policy().settle_window,
            SignedDuration::from_mins(20)
        );
        assert!(config.rules.policy().summary_keys.is_empty());
        assert_eq!(config.sweep.batch_runs_max, 50);
        assert_eq!(config.sweep.schedule(), Schedule::default());
        assert_eq!(
            (config.log.format, config.log.filter.as_str()),
            (Format::Json, "warn,sqlx=off")
        );
        assert_eq!(config.database, Database::default());
    }

    #[test]
    fn durations_are_friendly_texts() {
        for (text, millis) in [
            ("0s", 0),
            ("10m", 600_000),
            ("1h 30m", 5_400_000),
            ("1h30m", 5_400_000),
            ("1 hour, 30 minutes", 5_400_000),
            ("1.5h", 5_400_000),
            ("00:10:00", 600_000),
            ("500ms", 500),
            ("168h", 604_800_000),
        ] {
            let config = parse(&format!(
                "rules.settle_window = \"{text}\"\nrules.settle_window_in_progress = \"168h\""
            ))
            .expect(text);
            assert_eq!(config.rules.settle_window.as_millis(), millis, "{text}");
        }
    }

    #[test]
    fn durations_that_are_none_or_out_of_range_are_refused() {
        for (value, fault) in [
            ("\"-10m\"", "a duration cannot be negative"),
            ("\"10m ago\"", "a duration cannot be negative"),
            ("\"168h 1s\"", "it is out of range"),
            ("\"7d\"", "it is not a duration"),
            ("\"PT10M\"", "it is not a duration"),
            ("\"10\"", "it is not a duration"),
            ("\"\"", "it is not a duration"),
            ("\"9999999999999999999h\"", "it is not a duration"),
            ("600", "it is not a duration"),
            ("1979-05-27", "it is not a duration"),
            ("{ minutes = 10 }", "it is not a duration"),
        ] {
            let text = refusal(&format!("[rules]\n\nsettle_window = {value}"));
            assert!(text.contains(fault), "{value}: {text}");
            assert!(text.contains("from \"0s\" to \"168h\""), "{value}: {text}");
        }
    }

    #[test]
    fn a_refused_value_is_named_with_file_line_range_and_default() {
        assert_eq!(
            refusal("# comment\n[sweep]\nbatch_runs_max = 5001 # many"),
            "x.toml:3: `sweep.batch_runs_max` is 5001: it must be a whole number from 1 to 5000; \
             change it, or remove it to use the default, 500"
        );
        assert_eq!(
            refusal("[database]\nlock_timeout = \"1ms\""),
            "x.toml:2: `database.lock_timeout` is \"1ms\": it is out of range; allowed is a text \
             from \"100ms\" to \"10m\", such as \"1m 30s\", in hours, minutes, seconds and \
             milliseconds; change it, or remove it to use the default, \"5s\""
        );
    }

    #[test]
    fn values_of_the_wrong_kind_or_out_of_range_are_refused() {
        let many = format!(
            "[{}]",
            (0..51)
                .map(|n| format!("\"a{n}\""))
                .collect::<Vec<_>>()
                .join(",")
        );
        let long = format!("[\"{}\"]", "a".repeat(256));
        for (key, value) in [
            ("sweep.batch_runs_max", "0"),
            ("sweep.batch_runs_max", "-1"),
            ("sweep.batch_runs_max", "\"500\""),
            ("sweep.batch_runs_max", "500.0"),
            ("sweep.batch_runs_max", "true"),
            ("sweep.batch_runs_max", "9223372036854775807"),
            ("database.connections_max", "101"),
            ("database.retries_max", "21"),
            ("database.statement_timeout", "\"0s\""),
            ("rules.audit_actions", "[]"),
            ("rules.audit_actions", "\"restore.executed\""),
            ("rules.audit_actions", "[\"restore.executed\", 1]"),
            (
                "rules.audit_actions",
                "[\"restore.executed\", \"restore.executed\"]",
            ),
            ("rules.audit_actions", "[\" restore.executed\"]"),
            ("rules.audit_actions", "[\"\"]"),
            ("rules.audit_actions", many.as_str()),
            ("rules.audit_actions", long.as_str()),
            ("rules.summary_keys", "[\"total\", \"recovered\"]"),
            ("rules.summary_keys", "[\"total\", \"total\"]"),
            ("log.filter", "\"inof\""),
            ("log.filter", "3"),
            ("log.format", "\"xml\""),
            ("log.format", "[]"),
        ] {
            let text = refusal(&format!("{key} = {value}"));
            assert!(
                text.starts_with(&format!("x.toml:1: `{key}` is ")),
                "{value}: {text}"
            );
            let says_what = text.contains("must be") || text.contains("allowed is");
            assert!(says_what, "{value}: {text}");
            assert!(text.len() < 700, "{text}");
        }
    }

    #[test]
    fn an_integer_that_no_type_holds_is_refused_with_its_place() {
        let text = refusal("[sweep]\nbatch_runs_max = 99999999999999999999999");
        assert!(
            text.contains(": it must be a whole number from 1 to 5000;"),
            "{text}"
        );
        assert!(
            text.starts_with("x.toml:2: `sweep.batch_runs_max` is 9999"),
            "{text}"
        );
    }

    #[test]
    fn unknown_keys_are_refused_with_the_nearest_name() {
        for (text, message) in [
            (
                "[rules]\nsettle_windw = \"10m\"",
                "x.toml:2: unknown key `rules.settle_windw`; did you mean `settle_window`?",
            ),
            (
                "\n[swep]",
                "x.toml:2: unknown key `swep`; did you mean `sweep`?",
            ),
            (
                "[log]\nFormat = \"text\"",
                "x.toml:2: unknown key `log.Format`; did you mean `format`?",
            ),
            (
                "wait_min = \"30s\"",
                "x.toml:1: unknown key `wait_min`; did you mean `sweep.wait_min`?",
            ),
            (
                "log = { zzz.deep.key = 1 }",
                "x.toml:1: unknown key `log.zzz`; valid here: `filter`, `format`",
            ),
        ] {
            assert_eq!(refusal(text), message);
        }
    }

    #[test]
    fn a_section_must_be_written_as_one() {
        for text in ["rules = 1", "rules = \"10m\"", "[[rules]]", "rules = []"] {
            assert_eq!(
                refusal(text),
                "x.toml:1: `rules` is a section; write it as `[rules]` with its keys below"
            );
        }
    }

    #[test]
    fn durations_that_contradict_each_other_are_refused() {
        assert_eq!(
            refusal("[sweep]\nwait_min = \"2m\"\nwait_max = \"90s\""),
            "x.toml: `sweep.wait_min` is \"2m\", longer than `sweep.wait_max`, which is \"1m 30s\"; \
             lower the first or raise the second"
        );
        assert!(
            refusal("rules.settle_window = \"2h\"").contains("`rules.settle_window_in_progress`")
        );
        assert!(refusal("database.lock_timeout = \"2m\"").contains("`database.statement_timeout`"));
        assert!(
            parse("sweep.wait_min = \"15m\"").is_ok(),
            "equal is in order"
        );
    }

    #[test]
    fn text_that_is_not_toml_is_refused_with_its_place() {
        let text = refusal("[rules]\nsettle_window = 10m\n");
        assert!(text.starts_with("x.toml:2:"), "{text}");
        assert!(text.contains("not valid TOML"), "{text}");
        let text = refusal("[log]\nformat = \"text\"\nformat = \"json\"\n");
        assert!(
            text.starts_with("x.toml:3:1: not valid TOML: duplicate key"),
            "{text}"
        );
        let deep = "a = ".to_owned() + &"[".repeat(100_000);
        assert!(matches!(parse(&deep), Err(ConfigError::Syntax { .. })));
    }

    #[test]
    fn a_secret_in_a_file_is_refused_and_not_repeated() {
        for text in [
            "[database]\nurl = \"postgres://u:hunter2@h/d\"",
            "\ndatabase_url = \"postgres://u:hunter2@h/d\"",
            "[database]\nPassword = \"hunter2\"",
        ] {
            let message = refusal(text);
            assert!(message.starts_with("x.toml:2:"), "{message}");
            assert!(message.contains(DATABASE_URL_VARIABLE), "{message}");
            assert!(!message.contains(SECRET), "{message}");
        }
    }

    #[test]
    fn no_error_repeats_a_url_wherever_it_stands_in_the_file() {
        let url = "postgres://u:hunter2@h/d";
        for text in [
            format!("database = \"{url}\""),
            format!("[database]\nurl = {url}"),
            format!("[database]\nconnections_max = \"{url}\""),
            format!("[log]\nfilter = \"{url}\""),
            format!("[rules]\naudit_actions = [\"{url}\", 1]"),
            format!("[rules]\nsettle_window = \"{url}\""),
            format!("\"{url}\" = 1"),
            format!("[\"{url}\"]\nx = 1"),
            format!("[database.\"{url}\"]\nx = 1"),
            url.to_owned(),
        ] {
            let error = parse(&text).expect_err(&text);
            let shown = format!("{error} {error:?}");
            assert!(!shown.contains(SECRET), "{text}: {shown}");
        }
    }

    #[test]
    fn the_flag_wins_over_the_variable_and_without_both_the_defaults_hold() {
        let one = TempFile::holding("one", b"sweep.batch_runs_max = 1");
        let two = TempFile::holding("two", b"\xef\xbb\xbfsweep.batch_runs_max = 2");
        let runs = |flag: Option<&Path>, variable: Option<&str>| {
            let config = Config::load(flag, &environment(variable, None)).unwrap();
            config.sweep.batch_runs_max
        };
        assert_eq!(runs(Some(&one.0), Some(two.text())), 1);
        assert_eq!(
            runs(None, Some(two.text())),
            2,
            "a byte order mark is no key"
        );
        assert_eq!(runs(None, None), 500);
    }

    #[test]
    fn a_file_that_cannot_be_read_is_named_with_what_named_it() {
        let refusal = |flag: Option<&str>, variable: Option<&str>| {
            Config::load(flag.map(Path::new), &environment(variable, None))
                .unwrap_err()
                .to_string()
        };
        assert_eq!(
            refusal(Some("/nowhere/x.toml"), None),
            "cannot read the configuration file /nowhere/x.toml, which --config names"
        );
        assert_eq!(
            refusal(None, Some("/")),
            "cannot read the configuration file /, which RECONCILER_CONFIG names"
        );
        assert!(refusal(None, Some("")).contains("RECONCILER_CONFIG is empty"));
        let latin = TempFile::holding("latin", b"# caf\xe9");
        assert!(refusal(Some(latin.text()), None).ends_with("is not UTF-8 text; save it as UTF-8"));
        let bytes = usize::try_from(FILE_BYTES_MAX).unwrap() + 1;
        let long = TempFile::holding("long", &vec![b'\n'; bytes]);
        assert!(refusal(Some(long.text()), None).contains("larger than 1048576 bytes"));
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
                "postgres://host/db?sslmode=require&password=hunter2&hunter2",
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

    #[cfg(unix)]
    #[test]
    fn a_url_that_is_not_text_is_refused() {
        use std::os::unix::ffi::OsStringExt;
        let environment = Environment::from_lookup(|name| {
            (name == DATABASE_URL_VARIABLE).then(|| OsString::from_vec(b"sqlite://\xff".to_vec()))
        });
        assert!(matches!(
            environment.database_url(),
            Err(ConfigError::DatabaseUrl(DatabaseUrlError::NotPlainText))
        ));
    }
}
