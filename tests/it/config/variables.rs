//! Single settings from the environment, which come after the file, and where each setting came from.

use std::ffi::OsString;
use std::fs;
use std::path::Path;

use restore_reconciler::internals::config::{Config, ConfigError, Environment, variable_of};
use tempfile::TempDir;

use crate::support::process::program;

fn given(variables: &[(&str, &str)]) -> Environment {
    let pair = |(name, value): &(&str, &str)| (OsString::from(name), OsString::from(value));
    Environment::default().with_settings(variables.iter().map(pair))
}

fn refused(variable: (&str, &str)) -> String {
    let error: Result<Config, ConfigError> = Config::load(None, &given(&[variable]));
    error.expect_err(variable.0).to_string()
}

#[test]
fn every_setting_has_a_variable_that_reads_what_the_file_reads() {
    let default = Config::default();
    for (key, value) in default.settings() {
        let text = match value.as_str() {
            Some(text) => text.to_owned(),
            None => value.to_string(),
        };
        let variable = variable_of(&key);
        let found = Config::load(None, &given(&[(&variable, &text)]));
        assert_eq!(found.expect(&variable), default, "{variable}={text}");
    }
}

#[test]
fn a_variable_comes_after_the_file_and_is_told_as_the_origin() {
    let directory = TempDir::new().expect("a directory");
    let file = directory.path().join("x.toml");
    let text = "[sweep]\nbatch_runs_max = 7\nwait_min = \"1m\"\n[console]\nqueued_max = \"2h\"\n";
    fs::write(&file, text).expect("a file");
    let environment = given(&[
        ("RECONCILER_SWEEP__BATCH_RUNS_MAX", "9"),
        ("RECONCILER_SETTLING__ACT_IN", "[3, 4]"),
        ("RECONCILER_SETTLING__MODE", "observe"),
        ("RECONCILER_RULES__AUDIT_ACTIONS", "[\"restore.done\"]"),
        // An orchestrator sets such for a service of this name.
        ("RECONCILER_SERVICE_HOST", "10.0.0.1"),
        ("RECONCILER_PORT_9646_TCP", "tcp://10.0.0.1:9646"),
        ("RECONCILER_ENV_RECONCILER_SWEEP__SCHEDULE", "x"),
        ("RECONCILER__CANARY_SERVICE_HOST", "10.0.0.1"),
    ]);
    let (config, origins) = Config::load_with_origins(Some(&file), &environment).expect("settings");
    assert_eq!(config.sweep.batch_runs_max, 9);
    assert_eq!(config.rules.audit_actions, ["restore.done"]);
    let named = file.display().to_string();
    let origin = |key: &str| origins.get(key).map(String::as_str);
    assert_eq!(
        origin("sweep.batch_runs_max"),
        Some("RECONCILER_SWEEP__BATCH_RUNS_MAX")
    );
    assert_eq!(origin("sweep.wait_min"), Some(&*named));
    assert_eq!(
        origin("settling.act_in"),
        Some("RECONCILER_SETTLING__ACT_IN")
    );
    assert_eq!(origin("sweep.wait_max"), None);
}

/// A section within a section is one variable, written as the file has it.
#[test]
fn links_and_a_proxy_are_given_by_variables_and_shown_with_them() {
    let directory = TempDir::new().expect("a directory");
    let file = directory.path().join("x.toml").display().to_string();
    fs::write(&file, "[sweep]\nbatch_runs_max = 7\n").expect("a file");
    let proxy = "{ addresses = [\"10.0.0.1\"], header = \"x-forwarded-user\", workspaces = \"all\", \
                 capabilities = [\"runs.view\"] }";
    let mut show = program("", &["--config", &file, "config", "show"]);
    show.env(
        "RECONCILER_CONSOLE__LINKS",
        "{ run = \"https://atlas.example/{run}\" }",
    )
    .env("RECONCILER_CONSOLE__PROXY", proxy);
    let shown = show.output().expect("the binary was built");
    let text = String::from_utf8(shown.stdout).expect("text");
    for (key, holds, from) in [
        (
            "console.links",
            "https://atlas.example/{run}",
            "RECONCILER_CONSOLE__LINKS",
        ),
        (
            "console.proxy",
            "x-forwarded-user",
            "RECONCILER_CONSOLE__PROXY",
        ),
        ("sweep.batch_runs_max", "7", &file),
        ("sweep.schedule", "", "default"),
    ] {
        let row = text.lines().find(|line| line.starts_with(key)).expect(key);
        let cells: Vec<&str> = row.split('\t').collect();
        assert!(cells[1].contains(holds) && cells[2] == from, "{row}");
    }
    let error = refused((
        "RECONCILER_CONSOLE__LINKS",
        "{ rum = \"https://atlas.example/{run}\" }",
    ));
    assert!(error.contains("did you mean `run`?"), "{error}");
    let error = refused(("RECONCILER_CONSOLE__PROXY", "{ addresses = [] }"));
    assert!(error.contains("1 to 16 IP addresses"), "{error}");
}

#[test]
fn what_is_no_setting_or_not_allowed_is_refused_by_name() {
    let cases = [
        (
            "RECONCILER_SWEEP__SCHEDUL",
            "x",
            "did you mean RECONCILER_SWEEP__SCHEDULE?",
        ),
        (
            "RECONCILER_SWEEP_SCHEDULE",
            "x",
            "did you mean RECONCILER_SWEEP__SCHEDULE?",
        ),
        (
            "RECONCILER_DATABSE_URL",
            "x",
            "did you mean RECONCILER_DATABASE_URL?",
        ),
        ("RECONCILER_NOTHING__AT_ALL", "x", "is no setting"),
        (
            "RECONCILER_WORKER__CONCURRENCY",
            "3",
            "`restore-reconciler config show` lists every setting",
        ),
        (
            "RECONCILER_WORKER__JOB_MAX",
            "3",
            "did you mean RECONCILER_WORKER__JOBS_MAX?",
        ),
        (
            "RECONCILER_SWEEP__BATCH_RUNS_MAX",
            "0",
            "a whole number from 1",
        ),
        ("RECONCILER_SWEEP__BATCH_RUNS_MAX", "", "it is empty"),
        (
            "RECONCILER_SWEEP__BATCH_RUNS_MAX",
            "hunter2",
            "or the default, 500",
        ),
        ("RECONCILER_SWEEP__WAIT_MAX", "1s", "`sweep.wait_min`"),
    ];
    for (name, value, said) in cases {
        let error = refused((name, value));
        assert!(error.contains(said), "{name}={value}: {error}");
        assert!(!error.contains("hunter2"), "{error}");
    }
}

#[test]
fn every_mistake_of_a_file_is_told_at_once() {
    let text = "[sweep]\nbatch_runs_max = 0\nschedul = \"x\"\nwait_min = 3\n[rules]\nurl = \"x\"\n";
    let error = Config::parse(text, "x.toml")
        .expect_err("mistakes")
        .to_string();
    let lines: Vec<&str> = error.lines().collect();
    assert_eq!(lines.len(), 5, "{error}");
    for (line, said) in [
        (0, "4 mistakes:"),
        (1, "x.toml:2: `sweep.batch_runs_max` is 0"),
        (2, "x.toml:3: unknown key `sweep.schedul`"),
        (3, "x.toml:4: `sweep.wait_min` is 3"),
        (4, "x.toml:6: `rules.url` does not belong in a file"),
    ] {
        assert!(lines[line].contains(said), "{said}: {error}");
    }
}

/// What follows from a line that is no TOML is guesswork, and what contradicts a setting that is wrong, too.
#[test]
fn what_is_wrong_beside_a_line_that_is_no_toml_is_told_with_it() {
    let cases: [(&str, &[&str]); 5] = [
        (
            "[sweep]\nlanes = = 1\n[log]\nformat=\"yaml\n[rules\nurl = \"x\"\n",
            &[
                "2:9: not valid TOML",
                "4:13: not valid TOML",
                "5:7: not valid TOML",
            ],
        ),
        (
            "[sweep]\nschedul = \"x\"\nlanes = = 0\nbatch_runs_max = 0\n",
            &[
                "2: unknown key",
                "3:9: not valid TOML",
                "4: `sweep.batch_runs_max` is 0",
            ],
        ),
        (
            "a = 1\na = 2\n[sweep]\nlanes = 0\n",
            &[
                "1: unknown key",
                "2:1: not valid TOML: duplicate key",
                "4: `sweep.lanes` is 0",
            ],
        ),
        (
            "[sweep]\nwait_min = \"20m\"\nwait_max = \"1m\"\n[log]\nformat = \"yaml\"\n",
            &[
                "5: `log.format`",
                " `sweep.wait_min` is \"20m\", longer than",
            ],
        ),
        (
            "[sweep]\nwait_min = \"20m\"\nwait_max = 1\n",
            &["3: `sweep.wait_max` is 1"],
        ),
    ];
    for (text, expected) in cases {
        let error = Config::parse(text, "x.toml").expect_err("mistakes");
        let mistakes = error.texts();
        assert_eq!(mistakes.len(), expected.len(), "{mistakes:#?}");
        for (mistake, said) in mistakes.iter().zip(expected) {
            assert!(
                mistake.starts_with(&format!("x.toml:{said}")),
                "{said}: {mistakes:#?}"
            );
        }
    }
}

/// So are those of the environment, and a program is given each by itself.
#[test]
fn mistakes_of_the_file_and_the_environment_are_told_together() {
    let directory = TempDir::new().expect("a directory");
    let file = directory.path().join("x.toml").display().to_string();
    fs::write(&file, "[sweep]\nbatch_runs_max = 0\nschedul = \"x\"\n").expect("a file");
    let arguments = ["--config", &file, "--output", "json", "config", "show"];
    let mut show = program("", &arguments);
    show.env("RECONCILER_SWEEP__WAIT_MIN", "soon")
        .env("RECONCILER_SWEEP__SCHEDUL", "x");
    let said = show.output().expect("the binary was built");
    assert_eq!(said.status.code(), Some(1), "{said:?}");
    let failed: serde_json::Value = serde_json::from_slice(&said.stderr).expect("JSON");
    let mistakes = failed["mistakes"].as_array().expect("mistakes");
    let expected = [
        "`sweep.batch_runs_max` is 0",
        "unknown key `sweep.schedul`",
        "RECONCILER_SWEEP__SCHEDUL is no setting",
        "RECONCILER_SWEEP__WAIT_MIN cannot be used",
    ];
    assert_eq!(mistakes.len(), expected.len(), "{failed}");
    for (mistake, said) in mistakes.iter().zip(expected) {
        assert!(mistake.as_str().expect("a text").contains(said), "{failed}");
    }
}

/// A file that is not there hides no variable that is wrong.
#[test]
fn mistakes_of_the_environment_are_told_beside_a_file_that_cannot_be_read() {
    let environment = given(&[("RECONCILER_SWEEP__SCHEDUL", "x")]);
    let error = Config::load(Some(Path::new("/nowhere/x.toml")), &environment);
    let mistakes = error.expect_err("mistakes").texts();
    assert_eq!(mistakes.len(), 2, "{mistakes:?}");
    assert!(
        mistakes[0].starts_with("cannot read the configuration file"),
        "{mistakes:?}"
    );
    assert!(mistakes[1].contains("is no setting"), "{mistakes:?}");
}

/// What the file says alone may need what a variable adds.
#[test]
fn a_file_is_judged_with_the_variables_that_come_over_it() {
    let directory = TempDir::new().expect("a directory");
    let file = directory.path().join("x.toml");
    fs::write(&file, "[sweep]\nwait_min = \"20m\"\n").expect("a file");
    let alone = Config::load(Some(&file), &given(&[])).expect_err("an order");
    assert!(alone.to_string().contains("`sweep.wait_min`"), "{alone}");
    let environment = given(&[("RECONCILER_SWEEP__WAIT_MAX", "1h")]);
    assert!(Config::load(Some(&file), &environment).is_ok());
    let text = "[sweep]\nwait_min = \"20m\"\n[database]\nlock_timeout = \"55s\"\nstatement_timeout = \"50s\"\n";
    let both = Config::parse(text, "x.toml")
        .expect_err("two orders")
        .to_string();
    assert!(both.starts_with("2 mistakes:"), "{both}");
}
