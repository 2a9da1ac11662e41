//! The file as a whole: defaults, order, schema, and which file is read.

use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::SignedDuration;
use reconciler_jobs::restore_execute::Policy;
use reconciler_jobs::sweep::Schedule;
use restore_reconciler::internals::config::{Config, Database, FILE_BYTES_MAX};
use restore_reconciler::internals::storage::Limits;
use restore_reconciler::internals::telemetry::Format;
use serde_json::Value as Json;

use super::{annotated, defaults, environment, keys, parse, refusal};

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

/// The only keys without a value: an empty one would refuse the sections that are added to it.
const SECTIONS: [&str; 3] = ["console.links", "console.proxy", "console.tokens"];

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
    let both =
        "rules.applied_words = [\"patched\"]\nrules.failed_words = [\"throttled\", \"patched\"]";
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
    let mut every = keys(&defaults(), "");
    every.retain(|key| !SECTIONS.contains(&key.as_str()));
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
        serde_json::from_str(include_str!("../../../config/reconciler.schema.json"))
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
    assert!(refusal("rules.settle_window = \"2h\"").contains("`rules.settle_window_in_progress`"));
    assert!(refusal("database.lock_timeout = \"2m\"").contains("`database.statement_timeout`"));
    assert!(
        parse("sweep.wait_min = \"15m\"").is_ok(),
        "equal is in order"
    );
    assert!(refusal("worker.attempt_timeout = \"4s\"").contains("`database.statement_timeout`"));
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
        "cannot read the configuration file /nowhere/x.toml, which the command line names"
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
