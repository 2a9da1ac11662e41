//! What can be set, where it may come from, and the only place that reads the environment.
//!
//! Settings come from the built-in default, then from one TOML file, then from variables of the environment. Secrets come
//! from the environment, or from files that it names, and never print. Each section has a file of its own, in
//! which `section!` declares its keys; `source` knows the text of a file, `fields` reads single values,
//! `environment` holds the variables, `variables` reads settings from them, `passfile` reads PostgreSQL's file of passwords.
//!
//! **Invariant:** a [`Config`] that came from a file is within every range stated on its fields, and
//! no error of this module holds a secret: errors show a value only where it cannot be a URL.

mod capability;
mod checkpoints;
mod console;
mod database;
mod database_url;
mod environment;
mod error;
mod fields;
mod links;
mod log;
mod metrics;
mod passfile;
mod preparation;
mod rules;
mod section;
mod settling;
mod source;
mod sweep;
mod variables;
mod worker;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use schemars::{JsonSchema, Schema, schema_for};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use toml::de::DeTable;

pub use capability::Capability;
pub use checkpoints::Checkpoints;
pub(crate) use console::is_token_name;
pub use console::{All, Console, Proxy, Reach, TOKEN_PREFIX, Token, user_name};
pub use database::Database;
pub use database_url::DatabaseUrl;
pub use environment::{
    CONFIG_VARIABLE, DATABASE_URL_VARIABLE, Environment, LISTEN_URL_VARIABLE, Terminal,
};
pub use error::{ConfigError, FILE_BYTES_MAX};
pub(crate) use fields::nearest;
pub use links::{Linked, Links, addresses};
pub use log::Log;
pub use metrics::Metrics;
pub use preparation::Preparing;
pub use rules::Rules;
pub use settling::{Settlements, Surveying};
use source::{SourceText, joined, value_at};
pub use sweep::{Cron, Sweep};
pub use variables::variable_of;
use variables::{Variable, settings_in};
pub use worker::Worker;

use crate::telemetry::Format;

/// Settings of restore-reconciler.
///
/// Durations are texts such as "10m", "1h 30m" or "500ms".
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// What counts as proof.
    pub rules: Rules,
    /// Which runs are settled.
    pub settling: Settlements,
    /// What a survey of restores that ended may find.
    pub survey: Surveying,
    /// How runs are swept, and when a run that stayed open is looked at again.
    pub sweep: Sweep,
    /// How the long-running worker takes jobs, gives up on them, and stops.
    pub worker: Worker,
    /// Roots of the tree over the ledger, and where copies of them go.
    pub checkpoints: Checkpoints,
    /// Who gets into the console, and where it listens.
    pub console: Console,
    /// What the platform calls what it records of a preparation.
    pub preparation: Preparing,
    /// What is exported for dashboards.
    pub metrics: Metrics,
    /// The connection to the database.
    pub database: Database,
    /// Log lines, on standard error.
    pub log: Log,
}

/// The one mistake, or all of them as one.
fn several(mut mistakes: Vec<ConfigError>) -> Result<(), ConfigError> {
    match mistakes.len() {
        0 => Ok(()),
        1 => Err(mistakes.swap_remove(0)),
        _ => Err(ConfigError::Several(mistakes)),
    }
}

/// What was read last of what is no file, such as a pipe: for whoever asks afterwards what it said.
static READ_ONCE: Mutex<String> = Mutex::new(String::new());

fn read_once() -> MutexGuard<'static, String> {
    READ_ONCE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The text of a file, and its name.
fn read_file(path: &Path, given_by: &'static str) -> Result<(String, String), ConfigError> {
    let file = path.display().to_string();
    let is_file = path.is_file();
    let mut bytes = Vec::new();
    let read =
        File::open(path).and_then(|opened| opened.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes));
    match (read, String::from_utf8(bytes)) {
        (Err(source), _) => Err(ConfigError::Unreadable {
            file,
            given_by,
            source,
        }),
        (Ok(length), _) if length as u64 > FILE_BYTES_MAX => Err(ConfigError::TooLong { file }),
        (Ok(_), Err(_)) => Err(ConfigError::NotText { file }),
        (Ok(_), Ok(text)) => {
            if !is_file {
                read_once().clone_from(&text);
            }
            Ok((text, file))
        }
    }
}

impl Config {
    /// Reads the file that `--config` names, else the one that [`CONFIG_VARIABLE`] names, and over it the variables that
    /// hold single settings. Where nothing says otherwise, the defaults hold.
    pub fn load(flag: Option<&Path>, environment: &Environment) -> Result<Self, ConfigError> {
        Ok(Self::load_with_origins(flag, environment)?.0)
    }

    /// As [`Self::load`], and says where each setting came from that is not the default: by key, a file or a variable.
    pub fn load_with_origins(
        flag: Option<&Path>,
        environment: &Environment,
    ) -> Result<(Self, BTreeMap<String, String>), ConfigError> {
        let reading = match (flag, environment.config_file()?) {
            (Some(path), _) => read_file(path, "the command line"),
            (None, Some(path)) => read_file(Path::new(path), CONFIG_VARIABLE),
            (None, None) => Ok(Default::default()),
        };
        let ((text, file), unreadable) = match reading {
            Ok(read) => (read, None),
            Err(mistake) => (Default::default(), Some(mistake)),
        };
        let (config, mut mistakes) = Self::read(&text, &file);
        mistakes.extend(unreadable);
        let (variables, others) =
            settings_in(environment, &Self::default().to_json(), |settings| {
                Self::deserialize(settings).map(drop)
            });
        mistakes.extend(others);
        config.refused(&file, mistakes, &variables)?;
        let unread = |error: toml::de::Error, place: &str| ConfigError::Syntax {
            place: place.to_owned(),
            problem: error.message().to_owned(),
        };
        let mut settings: toml::Table =
            toml::from_str(&text).map_err(|error| unread(error, &file))?;
        let mut origins = BTreeMap::new();
        for (section, keys) in &settings {
            for (key, _) in keys.as_table().into_iter().flatten() {
                origins.insert(joined(section, key), file.clone());
            }
        }
        if variables.is_empty() {
            return Ok((config.checked(&file)?, origins));
        }
        for variable in variables {
            origins.insert(joined(&variable.section, &variable.key), variable.name);
            let section = settings.entry(variable.section);
            let section = section.or_insert_with(|| toml::Table::new().into());
            if let Some(section) = section.as_table_mut() {
                section.insert(variable.key, variable.value);
            }
        }
        let file = match file.as_str() {
            "" => "the environment".to_owned(),
            file => format!("{file} and the environment"),
        };
        // Each value was accepted by itself.
        let config = Self::deserialize(settings).map_err(|error| unread(error, &file))?;
        Ok((config.checked(&file)?, origins))
    }

    /// Reads one file and nothing else, no variable either. `given_by` is the option that names it.
    pub fn of_file(path: &Path, given_by: &'static str) -> Result<Self, ConfigError> {
        let (text, file) = read_file(path, given_by)?;
        Self::parse(&text, &file)
    }

    /// The format of the log that is asked for, so far as that can be told: the settings may be ones that cannot be used, and
    /// what is no file must have been read before.
    pub fn log_format_wanted(flag: Option<&Path>, environment: &Environment) -> Format {
        let variable = variable_of("log.format");
        let mut variables = environment.settings().iter();
        let is_json = if let Some((_, value)) = variables.find(|(name, _)| *name == variable) {
            value == "json"
        } else {
            let named = environment.config_file().ok().flatten().map(Path::new);
            let text = match flag.or(named) {
                Some(path) if path.is_file() => read_file(path, "").unwrap_or_default().0,
                Some(_) => read_once().clone(),
                None => String::new(),
            };
            let (root, _) = DeTable::parse_recoverable(&text);
            let value = root.get_ref().get("log").and_then(|section| {
                let format = section.get_ref().as_table()?.get("format")?;
                format.get_ref().as_str()
            });
            value == Some("json")
        };
        if is_json { Format::Json } else { Format::Text }
    }

    /// Reads settings from the text of a file. `file` is its name in errors, of which there may be several.
    pub fn parse(text: &str, file: &str) -> Result<Self, ConfigError> {
        let (config, mistakes) = Self::read(text, file);
        config.refused(file, mistakes, &[])?;
        config.checked(file)
    }

    /// Settings of which each is allowed by itself, and what is wrong with others, in whose place the defaults are.
    fn read(text: &str, file: &str) -> (Self, Vec<ConfigError>) {
        let source = SourceText {
            text,
            file,
            default: Self::default().to_json(),
        };
        let (legible, mut mistakes) = source.legible();
        let (root, _) = DeTable::parse_recoverable(&legible);
        let mut root = root.into_inner();
        source.take_unknown(&mut root, &source.default, "", &mut mistakes);
        let read = |text: toml::de::Deserializer<'_>| Self::deserialize(text).map(drop);
        source.take_refused(&mut root, read, &mut mistakes);
        mistakes.sort_by_key(|(offset, _)| *offset);
        let mut mistakes: Vec<_> = mistakes.into_iter().map(|(_, mistake)| mistake).collect();
        let root = toml::de::Deserializer::from(toml::Spanned::new(0..text.len(), root));
        let config = Self::deserialize(root).unwrap_or_else(|error| {
            mistakes.push(source.syntax_error(&error));
            Self::default()
        });
        (config, mistakes)
    }

    /// Refuses mistakes, if there are any, and with them what contradicts each other of the rest. `overruled` come after
    /// these settings.
    fn refused(
        &self,
        file: &str,
        mut mistakes: Vec<ConfigError>,
        overruled: &[Variable],
    ) -> Result<(), ConfigError> {
        if mistakes.is_empty() {
            return Ok(());
        }
        let is_meant = |setting: &str| {
            let variable = variable_of(setting);
            !overruled.iter().any(|it| it.name == variable)
                && !mistakes.iter().any(|it| match it {
                    ConfigError::Value { key, .. } => key == setting,
                    ConfigError::Variable { name, .. } => *name == variable,
                    // What the line would have said, nobody knows.
                    ConfigError::Syntax { .. } => true,
                    _ => false,
                })
        };
        let mut disorder = self.find_disorder(file);
        disorder.retain(|it| match it {
            ConfigError::Order {
                shorter, longer, ..
            } => is_meant(shorter) && is_meant(longer),
            _ => true,
        });
        mistakes.extend(disorder);
        several(mistakes)
    }

    /// The settings, if none contradicts another.
    fn checked(self, file: &str) -> Result<Self, ConfigError> {
        several(self.find_disorder(file))?;
        if let Some([first, second]) = self.rules.lists_that_share_a_word() {
            let file = file.to_owned();
            return Err(ConfigError::WordTwice {
                file,
                first,
                second,
            });
        }
        self.console.check_reach(file)?;
        Ok(self)
    }

    /// Every setting by key, with its value; without those that have none.
    pub fn settings(&self) -> Vec<(String, Json)> {
        let all = self.to_json();
        let sections = all.as_object().into_iter().flatten();
        let settings = sections.flat_map(|(section, keys)| {
            let keys = keys.as_object().into_iter().flatten();
            keys.map(move |(key, value)| (joined(section, key), value.clone()))
        });
        settings.filter(|(_, value)| !value.is_null()).collect()
    }

    /// The checked-in file that lists every key with its default and what it means.
    pub fn annotated_default() -> &'static str {
        include_str!("../../config/reconciler.toml")
    }

    /// The JSON Schema of the file, for editors.
    pub fn schema() -> Schema {
        schema_for!(Self)
    }

    fn to_json(&self) -> Json {
        // Fails for maps with keys that are no text, and there are none.
        serde_json::to_value(self).unwrap_or_default()
    }

    /// Pairs of settings that contradict each other.
    fn find_disorder(&self, file: &str) -> Vec<ConfigError> {
        let settings = self.to_json();
        let rules = &self.rules;
        let sweep = &self.sweep;
        let worker = &self.worker;
        let console = &self.console;
        let database = &self.database;
        [
            (
                rules.settle_window <= rules.settle_window_in_progress,
                "rules.settle_window",
                "longer than",
                "rules.settle_window_in_progress",
            ),
            (
                sweep.wait_min <= sweep.wait_max,
                "sweep.wait_min",
                "longer than",
                "sweep.wait_max",
            ),
            (
                database.lock_timeout <= database.statement_timeout,
                "database.lock_timeout",
                "longer than",
                "database.statement_timeout",
            ),
            (
                database.statement_timeout <= worker.attempt_timeout,
                "database.statement_timeout",
                "longer than",
                "worker.attempt_timeout",
            ),
            (
                worker.poll_interval < worker.orphan_after,
                "worker.poll_interval",
                "not shorter than",
                "worker.orphan_after",
            ),
            (
                console.session_idle <= console.session_max,
                "console.session_idle",
                "longer than",
                "console.session_max",
            ),
        ]
        .into_iter()
        .filter(|(in_order, ..)| !in_order)
        .map(|(_, shorter, fault, longer)| ConfigError::Order {
            file: file.to_owned(),
            shorter,
            shorter_value: value_at(&settings, shorter),
            fault,
            longer,
            longer_value: value_at(&settings, longer),
        })
        .collect()
    }
}
