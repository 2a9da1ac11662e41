//! Single settings from the environment: `RECONCILER_SWEEP__SCHEDULE` is `schedule` of the section `sweep`.
//!
//! A variable with two underscores behind the prefix is a setting, and refused where there is none of that name. So is one
//! that differs from a name of this program by a slip; others, such as those that orchestrators set for a service of this
//! name, are left alone.
//!
//! **Invariant:** no error holds the value of a variable.

use std::ffi::OsStr;

use serde_json::Value as Json;
use toml::{Table, Value};

use super::environment::{Environment, NAMES, PREFIX};
use super::error::ConfigError;
use super::fields::nearest;
use super::source::value_at;

/// What parts a section from its key.
const PART: &str = "__";

/// How names begin that Docker and Kubernetes give to links and services; no section is called so.
const OTHERS: [&str; 2] = ["RECONCILER_ENV_", "RECONCILER__"];

/// Names that differ by no more than so many letters are taken for a slip.
const SLIP_LETTERS: usize = 2;

/// A setting that a variable holds.
pub(super) struct Variable {
    pub(super) name: String,
    pub(super) section: String,
    pub(super) key: String,
    pub(super) value: Value,
}

/// The variable that holds the setting of this section and key, parted by a dot.
pub fn variable_of(setting: &str) -> String {
    setting
        .split_once('.')
        .map_or_else(String::new, |(section, key)| name_of(section, key))
}

fn name_of(section: &str, key: &str) -> String {
    format!("{PREFIX}{section}{PART}{key}").to_uppercase()
}

/// Reads the settings that the environment holds, and what is wrong with others; each is judged by itself, and `accept` says
/// what is wrong with one.
pub(super) fn settings_in(
    environment: &Environment,
    default: &Json,
    accept: impl Fn(Table) -> Result<(), toml::de::Error>,
) -> (Vec<Variable>, Vec<ConfigError>) {
    let known = names(default);
    let (mut found, mut mistakes) = (Vec::new(), Vec::new());
    let all = environment.settings().iter();
    for (name, text) in all.filter(|(name, _)| !OTHERS.iter().any(|it| name.starts_with(it))) {
        let setting = known.iter().find(|(known, ..)| known == name);
        if let Some((_, section, key)) = setting {
            match read(name, (section, key), text, default, &accept) {
                Ok(variable) => found.push(variable),
                Err(mistake) => mistakes.push(mistake),
            }
        } else if name.contains(PART) || is_slip(name, &known) {
            mistakes.push(unknown(name, &known));
        }
    }
    (found, mistakes)
}

/// Every variable that is a setting, with its section and key.
fn names(default: &Json) -> Vec<(String, String, String)> {
    let sections = default.as_object().into_iter().flatten();
    let keys = sections.flat_map(|(section, keys)| {
        let keys = keys.as_object().into_iter().flatten();
        keys.map(|(key, _)| (name_of(section, key), section.clone(), key.clone()))
    });
    keys.collect()
}

fn is_slip(name: &str, known: &[(String, String, String)]) -> bool {
    let settings = known.iter().map(|(known, ..)| known.as_str());
    let mut near = settings.chain(NAMES);
    !NAMES.contains(&name) && near.any(|it| strsim::levenshtein(name, it) <= SLIP_LETTERS)
}

fn unknown(name: &str, known: &[(String, String, String)]) -> ConfigError {
    let parts = name.strip_prefix(PREFIX).and_then(|it| it.split_once(PART));
    let (section, key) = parts.unwrap_or_default();
    let own = known
        .iter()
        .filter(|(_, own, _)| own.eq_ignore_ascii_case(section));
    let own: Vec<&str> = own.map(|(.., key)| key.as_str()).collect();
    // In a section that there is, only its own keys are meant: what stands before them is alike in all.
    let near = if own.is_empty() {
        let names = known.iter().map(|(known, ..)| known.as_str());
        let names: Vec<&str> = names.chain(NAMES).collect();
        nearest(name, &names).map(str::to_owned)
    } else {
        nearest(key, &own).map(|near| name_of(section, near))
    };
    ConfigError::UnknownVariable {
        name: name.to_owned(),
        advice: near.map_or_else(
            || "`restore-reconciler config show` lists every setting".to_owned(),
            |near| format!("did you mean {near}?"),
        ),
    }
}

fn read(
    name: &str,
    (section, key): (&str, &str),
    text: &OsStr,
    default: &Json,
    accept: impl Fn(Table) -> Result<(), toml::de::Error>,
) -> Result<Variable, ConfigError> {
    let refused = |problem: String| ConfigError::Variable {
        name: name.to_owned(),
        problem,
        default: value_at(default, &format!("{section}.{key}")),
    };
    let text = text
        .to_str()
        .ok_or_else(|| refused("it is not UTF-8 text".to_owned()))?;
    if text.is_empty() {
        return Err(refused(
            "it is empty; give it a value, or unset it".to_owned(),
        ));
    }
    let is_text = default
        .get(section)
        .and_then(|keys| keys.get(key))
        .is_some_and(Json::is_string);
    let value = value_of(text, is_text);
    let alone = Table::from_iter([(key.to_owned(), value.clone())]);
    let alone = Table::from_iter([(section.to_owned(), Value::Table(alone))]);
    accept(alone).map_err(|error| refused(error.message().to_owned()))?;
    Ok(Variable {
        name: name.to_owned(),
        section: section.to_owned(),
        key: key.to_owned(),
        value,
    })
}

/// The value that a text stands for: a list, number, or yes or no as the file has it; any other text is itself.
fn value_of(text: &str, is_text: bool) -> Value {
    let as_text = || Value::String(text.to_owned());
    if is_text && !text.starts_with('[') {
        return as_text();
    }
    let parsed: Result<Table, _> = toml::from_str(&format!("value = {text}"));
    let value = parsed.ok().filter(|table| table.len() == 1);
    let value = value.and_then(|mut table| table.remove("value"));
    value.unwrap_or_else(as_text)
}
