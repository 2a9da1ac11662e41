//! The text of a configuration file: which keys may stand in it, and where something is wrong.

use std::ops::Range;

use serde_json::Value as Json;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::console::TOKEN_PREFIX;
use super::environment::{DATABASE_URL_VARIABLE, LISTEN_URL_VARIABLE};
use super::error::ConfigError;

const SHOWN_CHARS_MAX: usize = 80;
/// Keys that people try to put a database URL or password under, with the variable each belongs in.
const SECRET_KEYS: [(&str, &str); 7] = [
    ("url", DATABASE_URL_VARIABLE),
    ("database_url", DATABASE_URL_VARIABLE),
    ("dsn", DATABASE_URL_VARIABLE),
    ("password", DATABASE_URL_VARIABLE),
    ("reconciler_database_url", DATABASE_URL_VARIABLE),
    ("listen_url", LISTEN_URL_VARIABLE),
    ("reconciler_listen_url", LISTEN_URL_VARIABLE),
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

    pub(super) fn syntax_error(&self, error: &toml::de::Error) -> ConfigError {
        let offset = error.span().map_or(0, |span| span.start);
        let before = self.text.get(..offset).unwrap_or(self.text);
        let column = before.chars().rev().take_while(|&c| c != '\n').count() + 1;
        ConfigError::Syntax {
            place: format!("{}:{column}", self.place(offset)),
            problem: shown(error.message()),
        }
    }

    /// Every key of `table` is a key of `known`, and where that holds a section, it is one.
    pub(super) fn check_keys(
        &self,
        table: &DeTable<'_>,
        known: &Json,
        path: &str,
    ) -> Result<(), ConfigError> {
        for (key, value) in table {
            let name = key.get_ref().as_ref();
            let full = shown(&joined(path, name));
            let place = self.place(key.span().start);
            let secret = SECRET_KEYS
                .iter()
                .find(|(secret, _)| name.eq_ignore_ascii_case(secret));
            match (known.get(name), value.get_ref()) {
                (Some(inner @ Json::Object(_)), DeValue::Table(section)) => {
                    self.check_keys(section, inner, &full)?;
                }
                (Some(Json::Object(_)), _) => {
                    return Err(ConfigError::NotASection { place, key: full });
                }
                (Some(_), _) => {}
                (None, _) => {
                    if let Some((_, variable)) = secret {
                        return Err(ConfigError::Secret {
                            place,
                            key: full,
                            variable,
                        });
                    }
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

/// The most similar of `names`, if one is similar enough to be meant.
fn nearest<'n>(name: &str, names: &[&'n str]) -> Option<&'n str> {
    names
        .iter()
        .map(|near| (strsim::jaro_winkler(&name.to_lowercase(), near), *near))
        .filter(|(likeness, _)| *likeness > 0.75)
        .max_by(|left, right| left.0.total_cmp(&right.0))
        .map(|(_, near)| near)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::tests::{parse, refusal};

    const SECRET: &str = "hunter2";

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
        for (text, variable) in [
            (
                "[database]\nurl = \"postgres://u:hunter2@h/d\"",
                DATABASE_URL_VARIABLE,
            ),
            (
                "\ndatabase_url = \"postgres://u:hunter2@h/d\"",
                DATABASE_URL_VARIABLE,
            ),
            ("[database]\nPassword = \"hunter2\"", DATABASE_URL_VARIABLE),
            (
                "[worker]\nlisten_url = \"postgres://u:hunter2@h/d\"",
                LISTEN_URL_VARIABLE,
            ),
        ] {
            let message = refusal(text);
            assert!(message.starts_with("x.toml:2:"), "{message}");
            assert!(message.contains(variable), "{message}");
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
}
