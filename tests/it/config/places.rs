//! What is wrong with a file, and where in it.

use restore_reconciler::internals::config::{
    ConfigError, DATABASE_URL_VARIABLE, LISTEN_URL_VARIABLE,
};

use super::{parse, refusal};

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
