//! What can be set, where it may come from, and the only place that reads the environment.
//!
//! Settings come from the built-in default, then from one TOML file. Secrets come from the
//! environment, or from files that it names, and never print. Each section has a file of its own, in
//! which `section!` declares its keys; `source` knows the text of a file, `fields` reads single values,
//! `environment` holds the variables, `passfile` reads PostgreSQL's file of passwords.
//!
//! **Invariant:** a [`Config`] that came from a file is within every range stated on its fields, and
//! no error of this module holds a secret: errors show a value only where it cannot be a URL.
//!
//! # Design notes
//!
//! Single settings cannot be overridden by environment variables or flags. One file says what is in
//! force, and a mistyped variable, which nobody could refuse, is not a way to change a verdict.

mod capability;
mod console;
mod database;
mod database_url;
mod environment;
mod error;
mod fields;
mod log;
mod metrics;
mod passfile;
mod rules;
mod section;
mod source;
mod sweep;
mod worker;

use std::fs::File;
use std::io::Read;
use std::path::Path;

use schemars::{JsonSchema, Schema, schema_for};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use toml::de::DeTable;

pub use capability::Capability;
pub(crate) use console::is_token_name;
pub use console::{All, Console, Reach, TOKEN_PREFIX, Token};
pub use database::Database;
pub use database_url::DatabaseUrl;
pub use environment::{CONFIG_VARIABLE, DATABASE_URL_VARIABLE, Environment, LISTEN_URL_VARIABLE};
pub use error::{ConfigError, FILE_BYTES_MAX};
pub use log::Log;
pub use metrics::Metrics;
pub use rules::Rules;
use source::{SourceText, value_at};
pub use sweep::{Cron, Sweep};
pub use worker::Worker;

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
    /// How the long-running worker takes jobs, gives up on them, and stops.
    pub worker: Worker,
    /// Who gets into the console, and where it listens.
    pub console: Console,
    /// What is exported for dashboards.
    pub metrics: Metrics,
    /// The connection to the database.
    pub database: Database,
    /// Log lines, on standard error.
    pub log: Log,
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
        let source = SourceText {
            text,
            file,
            default: Self::default().to_json(),
        };
        let root = DeTable::parse(text).map_err(|error| source.syntax_error(&error))?;
        source.check_keys(root.get_ref(), &source.default, "")?;
        let config = Self::deserialize(toml::de::Deserializer::from(root.clone()))
            .map_err(|error| source.value_error(&error, root.get_ref()))?;
        config.check_order(file)?;
        if let Some([first, second]) = config.rules.lists_that_share_a_word() {
            let file = file.to_owned();
            return Err(ConfigError::WordTwice {
                file,
                first,
                second,
            });
        }
        config.console.check_reach(file)?;
        Ok(config)
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

    /// Refuses pairs of settings that contradict each other.
    fn check_order(&self, file: &str) -> Result<(), ConfigError> {
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
        .find(|(in_order, ..)| !in_order)
        .map_or(Ok(()), |(_, shorter, fault, longer)| {
            Err(ConfigError::Order {
                file: file.to_owned(),
                shorter,
                shorter_value: value_at(&settings, shorter),
                fault,
                longer,
                longer_value: value_at(&settings, longer),
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::ffi::OsString;
    use std::path::PathBuf;
    use std::time::Duration;

    use jiff::SignedDuration;
    use reconciler_jobs::restore_execute::Policy;
    use reconciler_jobs::sweep::Schedule;

    use super::source::joined;
    use super::*;
    use crate::storage::Limits;
    use crate::telemetry::Format;

    pub(super) fn parse(text: &str) -> Result<Config, ConfigError> {
        Config::parse(text, "x.toml")
    }

    pub(super) fn refusal(text: &str) -> String {
        parse(text).expect_err(text).to_string()
    }

    pub(super) fn environment(config: Option<&str>, url: Option<&str>) -> Environment {
        Environment::from_lookup(|name| match name {
            CONFIG_VARIABLE => config.map(OsString::from),
            DATABASE_URL_VARIABLE => url.map(OsString::from),
            _ => None,
        })
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
    pub(super) fn keys(settings: &Json, path: &str) -> BTreeSet<String> {
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

    pub(super) fn annotated() -> Json {
        let table: toml::Table = toml::from_str(Config::annotated_default()).unwrap();
        serde_json::to_value(table).unwrap()
    }

    /// The only key without a value: an empty list would refuse the sections that are added to it.
    const TOKENS: &str = "console.tokens";

    #[test]
    fn a_token_may_be_added_to_the_checked_in_file_or_its_example_used() {
        let file = Config::annotated_default();
        let (before, example) = file.split_once("# [[console.tokens]]").unwrap();
        let (example, after) = example.split_once("\n\n").unwrap();
        let example = format!("[[console.tokens]]{}", example.replace("\n# ", "\n"));
        let appended = format!("{file}\n{example}\n");
        let in_place = format!("{before}{example}\n\n{after}");
        for text in [&appended, &in_place] {
            let mut config = parse(text).expect(text);
            assert_eq!(config.console.tokens[0].name, "ops");
            config.console.tokens.clear();
            assert_eq!(config, Config::default());
        }
    }

    #[test]
    fn an_outcome_word_is_of_one_class() {
        let both = "rules.applied_words = [\"patched\"]\nrules.failed_words = [\"throttled\", \"patched\"]";
        let found = refusal(both);
        assert!(
            found.contains("rules.applied_words and rules.failed_words share a word"),
            "{found}"
        );
        assert!(!found.contains("patched"), "{found}");
        let words = parse("rules.applied_words = [\"patched\"]")
            .unwrap()
            .rules
            .policy()
            .item_words;
        assert_eq!(words.applied, ["patched"]);
    }

    #[test]
    fn the_checked_in_file_is_the_built_in_default() {
        assert_eq!(
            parse(Config::annotated_default()).unwrap(),
            Config::default()
        );
        assert_eq!(parse("").unwrap(), Config::default());
        assert_eq!(Config::default().rules.policy(), Policy::default());
        assert_eq!(Config::default().sweep.back_off(), Schedule::default());
        assert_eq!(Config::default().database.limits(), Limits::default());
    }

    #[test]
    fn the_checked_in_file_lists_every_key_and_no_other() {
        let mut every = keys(&Config::default().to_json(), "");
        every.retain(|key| key != TOKENS);
        assert_eq!(keys(&annotated(), ""), every);
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
            serde_json::from_str(include_str!("../../config/reconciler.schema.json"))
                .unwrap_or_default();
        assert!(
            checked_in == *Config::schema().as_value(),
            "config/reconciler.schema.json is out of date; write it again with\n\
             restore-reconciler config schema > config/reconciler.schema.json"
        );
    }

    #[test]
    fn what_a_config_writes_it_reads_back() {
        let mut config = Config::default();
        config.rules.settle_window = SignedDuration::new(61, 500_000_000);
        config.database.lock_timeout = Duration::from_millis(250);
        config.worker.retain_jobs = Duration::from_secs(90);
        config.sweep.schedule = "0 0 4 * * *".parse().unwrap();
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
        assert_eq!(config.sweep.back_off(), Schedule::default());
        assert_eq!(
            (config.log.format, config.log.filter.as_str()),
            (Format::Json, "warn,sqlx=off")
        );
        assert_eq!(config.database, Database::default());
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
        assert!(
            refusal("worker.attempt_timeout = \"4s\"").contains("`database.statement_timeout`")
        );
        assert_eq!(
            refusal("[worker]\npoll_interval = \"2s\"\norphan_after = \"2s\""),
            "x.toml: `worker.poll_interval` is \"2s\", not shorter than `worker.orphan_after`, which \
             is \"2s\"; lower the first or raise the second"
        );
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
}
