//! The configuration, from its text to what is in force or what is said of it.

mod database_url;
mod environment;
mod file;
mod links;
mod places;
mod schedule;
mod tokens;
mod values;
mod variables;

use std::collections::BTreeSet;
use std::ffi::OsString;

use restore_reconciler::internals::config::{
    CONFIG_VARIABLE, Config, ConfigError, DATABASE_URL_VARIABLE, Environment,
};
use serde_json::Value as Json;

#[expect(
    clippy::result_large_err,
    reason = "a test looks at the error and drops it"
)]
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

/// Every key that is no section, by path.
fn keys(settings: &Json, path: &str) -> BTreeSet<String> {
    let entries = settings.as_object().into_iter().flatten();
    entries
        .flat_map(|(name, value)| {
            let full = if path.is_empty() {
                name.clone()
            } else {
                format!("{path}.{name}")
            };
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

fn defaults() -> Json {
    serde_json::to_value(Config::default()).unwrap()
}
