//! The text of a configuration file: which keys may stand in it, and where something is wrong.

use std::collections::BTreeMap;
use std::ops::Range;

use serde_json::Value as Json;
use toml::Spanned;
use toml::de::{DeTable, DeValue, Deserializer};

use super::console::TOKEN_PREFIX;
use super::environment::{DATABASE_URL_VARIABLE, LISTEN_URL_VARIABLE, READ_URL_VARIABLE};
use super::error::ConfigError;
use super::fields::nearest;

const SHOWN_CHARS_MAX: usize = 80;
/// Keys that people try to put a database URL or password under, with the variable each belongs in.
const SECRET_KEYS: [(&str, &str); 9] = [
    ("url", DATABASE_URL_VARIABLE),
    ("database_url", DATABASE_URL_VARIABLE),
    ("dsn", DATABASE_URL_VARIABLE),
    ("password", DATABASE_URL_VARIABLE),
    ("reconciler_database_url", DATABASE_URL_VARIABLE),
    ("listen_url", LISTEN_URL_VARIABLE),
    ("reconciler_listen_url", LISTEN_URL_VARIABLE),
    ("read_url", READ_URL_VARIABLE),
    ("reconciler_read_url", READ_URL_VARIABLE),
];

/// The text of a file, to say where in it something is wrong.
pub(super) struct SourceText<'t> {
    pub(super) text: &'t str,
    pub(super) file: &'t str,
    /// Every key that there is, with its default.
    pub(super) default: Json,
}

impl SourceText<'_> {
    /// File and line, from 1.
    fn place(&self, offset: usize) -> String {
        let before = self.text.get(..offset).unwrap_or(self.text);
        format!("{}:{}", self.file, before.matches('\n').count() + 1)
    }

    /// The text with blanks in place of each line that is no TOML, and, where that begins a section, of what is in it; and what
    /// is wrong with each such line.
    pub(super) fn legible(&self) -> (String, Vec<(usize, ConfigError)>) {
        let mut text = self.text.to_owned();
        let mut mistakes = Vec::new();
        loop {
            let (_, errors) = DeTable::parse_recoverable(&text);
            let mut broken = BTreeMap::new();
            for error in &errors {
                let offset = error.span().map_or(0, |span| span.start);
                let before = text.get(..offset).unwrap_or(&text);
                let line = before.rfind('\n').map_or(0, |at| at + 1);
                broken.entry(line).or_insert((offset, error));
            }
            // What is found later follows from what was blanked out.
            if mistakes.is_empty() {
                let told = broken.values();
                mistakes = told
                    .map(|(at, error)| (*at, self.syntax_error(error)))
                    .collect();
            }
            let lines: Vec<usize> = broken.into_keys().collect();
            if lines.is_empty() {
                return (text, mistakes);
            }
            let before = text.clone();
            for line in lines {
                blank_out(&mut text, line);
            }
            if text == before {
                return (String::new(), mistakes);
            }
        }
    }

    pub(super) fn syntax_error(&self, error: &toml::de::Error) -> ConfigError {
        let offset = error.span().map_or(0, |span| span.start);
        let before = self.text.get(..offset).unwrap_or(self.text);
        let column = before.chars().rev().take_while(|&c| c != '\n').count() + 1;
        ConfigError::Syntax {
            place: format!("{}:{column}", self.place(offset)),
            problem: shown(error.message()),
        }
    }

    /// Takes out of `table` what is no key of `known`, or no section where that holds one, and says so of each.
    pub(super) fn take_unknown(
        &self,
        table: &mut DeTable<'_>,
        known: &Json,
        path: &str,
        mistakes: &mut Vec<(usize, ConfigError)>,
    ) {
        let mut unknown = Vec::new();
        for (key, value) in table.iter_mut() {
            let name = key.get_ref().as_ref();
            let full = shown(&joined(path, name));
            let offset = key.span().start;
            let place = self.place(offset);
            let secret = SECRET_KEYS
                .iter()
                .find(|(secret, _)| name.eq_ignore_ascii_case(secret));
            let mistake = match (known.get(name), value.get_mut(), secret) {
                (Some(inner @ Json::Object(_)), DeValue::Table(section), _) => {
                    self.take_unknown(section, inner, &full, mistakes);
                    continue;
                }
                (Some(Json::Object(_)), ..) => ConfigError::NotASection { place, key: full },
                (Some(_), ..) => continue,
                (None, _, Some((_, variable))) => ConfigError::Secret {
                    place,
                    key: full,
                    variable,
                },
                (None, _, None) => ConfigError::UnknownKey {
                    place,
                    key: full,
                    advice: self.advice(name, known),
                },
            };
            mistakes.push((offset, mistake));
            unknown.push(name.to_owned());
        }
        for name in unknown {
            table.remove(name.as_str());
        }
    }

    /// Takes out of `root` each value that `read` does not accept, and says so of each.
    pub(super) fn take_refused(
        &self,
        root: &mut DeTable<'_>,
        read: impl Fn(Deserializer<'_>) -> Result<(), toml::de::Error>,
        mistakes: &mut Vec<(usize, ConfigError)>,
    ) {
        loop {
            let whole = Spanned::new(0..self.text.len(), root.clone());
            let Err(error) = read(Deserializer::from(whole)) else {
                return;
            };
            let offset = error.span().map_or(0, |span| span.start);
            mistakes.push((offset, self.value_error(&error, root)));
            if !take_at(root, offset) {
                return;
            }
        }
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

    pub(super) fn value_error(&self, error: &toml::de::Error, root: &DeTable<'_>) -> ConfigError {
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

/// Puts blanks in place of the line that begins at `start`, and of what is in its section if it begins one.
fn blank_out(text: &mut String, start: usize) {
    let rest = text.get(start..).unwrap_or_default();
    let is_heading = |line: &str| line.trim_start().starts_with('[');
    let mut lines = rest.split_inclusive('\n');
    let mut length = lines.next().map_or(0, str::len);
    if is_heading(rest) {
        let inner = lines.take_while(|line| !is_heading(line));
        length += inner.map(str::len).sum::<usize>();
    }
    let line = rest.get(..length).unwrap_or_default();
    let blanks: String = line
        .bytes()
        .map(|it| if it == b'\n' { '\n' } else { ' ' })
        .collect();
    text.replace_range(start..start + length, &blanks);
}

/// Takes out the value that covers `offset`, and says whether there was one.
fn take_at(table: &mut DeTable<'_>, offset: usize) -> bool {
    let (mut here, mut is_taken) = (None, false);
    for (key, value) in table.iter_mut() {
        let is_here = value.span().contains(&offset);
        match value.get_mut() {
            DeValue::Table(section) => is_taken |= take_at(section, offset),
            _ if is_here => here = Some(key.get_ref().to_string()),
            _ => {}
        }
    }
    if is_taken {
        return true;
    }
    here.is_some_and(|key| table.remove(key.as_str()).is_some())
}

/// The key whose value covers `offset`, and where that value stands.
fn key_at(table: &DeTable<'_>, path: &str, offset: usize) -> Option<(String, Range<usize>)> {
    table
        .iter()
        .find_map(|(key, value): (_, &Spanned<DeValue<'_>>)| {
            let full = joined(path, key.get_ref());
            match value.get_ref() {
                // A section may stand in several places, so its own span is the last resort.
                DeValue::Table(section) => {
                    let inner = key_at(section, &full, offset);
                    let whole = || value.span().contains(&offset).then(|| (full, value.span()));
                    inner.or_else(whole)
                }
                _ => value.span().contains(&offset).then(|| (full, value.span())),
            }
        })
}

pub(super) fn joined(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}.{name}")
    }
}

pub(super) fn value_at(settings: &Json, key: &str) -> String {
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
    if text.contains(TOKEN_PREFIX) {
        return "(not shown: it looks like a token)".to_owned();
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
