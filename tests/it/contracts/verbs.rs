//! Each verb, over the demonstration's rows before and after they are judged.

use std::fmt::Write as _;
use std::path::Path;

use tempfile::TempDir;

use super::{mask, run};

/// Runs of the demonstration of which each verb is asked in detail.
const RUNS: [&str; 7] = ["1000", "1001", "1003", "1005", "1012", "1020", "1030"];

/// No run has this id.
const NOBODY: &str = "999";

/// The demonstration's database, with a queue.
fn judged() -> TempDir {
    let directory = TempDir::new().expect("a temporary directory");
    let kept = run(directory.path(), &["demo", "--keep", "platform.sqlite"]);
    assert_eq!(kept.code, Some(0), "{}", kept.stderr);
    let migrated = run(directory.path(), &["migrate"]);
    assert_eq!(migrated.code, Some(0), "{}", migrated.stderr);
    directory
}

/// What verbs said, one after the other, as one text.
fn said(directory: &Path, verbs: &[&[&str]], format: &str) -> String {
    let mut all = String::new();
    for verb in verbs {
        let ran = run(directory, &[verb, &["--output", format][..]].concat());
        let code = ran.code.expect("no signal ended it");
        let (stdout, stderr) = (mask(&ran.stdout), mask(&ran.stderr));
        writeln!(all, "$ {}\n{stdout}{stderr}→ exit {code}\n", verb.join(" "))
            .expect("a text takes anything");
    }
    all
}

#[test]
fn every_verb_writes_its_document_and_its_exit_code() {
    let directory = judged();
    let path = directory.path();
    let about_runs: Vec<&[&str]> = vec![
        &["migrate"],
        &["doctor"],
        &["doctor", "--survey", "--last", "5"],
        &["sweep"],
        &["sweep", "--dry-run"],
        &["reconcile", "1000", "1001", "1003", "1005", "1012", NOBODY],
        &["reconcile", "1012"],
        &["explain", NOBODY],
        &["enqueue", "1000", "1001", "1005", NOBODY],
        &["queue", "list"],
        &["queue", "list", "--all", "--limit", "5"],
        &["queue", "show", "1000"],
        &["queue", "show", "1001"],
        &["queue", "show", NOBODY],
        &["queue", "retry", "1000", "1001"],
        &["queue", "drop", "1000", "--reason", "gone"],
        &["token", "ops", "--workspace", "3"],
        &["config", "check"],
    ];
    insta::assert_snapshot!("documents", said(path, &about_runs, "json"));
    let explained = RUNS.map(|run| ["explain", run]);
    let explained: Vec<&[&str]> = explained.iter().map(|verb| &verb[..]).collect();
    insta::assert_snapshot!("explained", said(path, &explained, "json"));
}

#[test]
fn every_verb_says_to_people_what_it_said() {
    let directory = judged();
    let path = directory.path();
    let verbs: Vec<&[&str]> = vec![
        &["doctor"],
        &["sweep"],
        &["sweep", "--dry-run"],
        &["reconcile", "1000", "1001", "1003", "1005", "1012", NOBODY],
        &["explain", "1003"],
        &["explain", "1012"],
        &["explain", "1030"],
        &["explain", "1105"],
        &["explain", NOBODY],
        &["enqueue", "1000", "1001", "1005", NOBODY],
        &["queue", "show", "1001"],
        &["queue", "retry", "1001"],
        &["queue", "drop", "1001", "--reason", "gone"],
        &["config", "check"],
        &["config", "default"],
    ];
    let said = said(path, &verbs, "table");
    insta::assert_snapshot!("for_people", said);
}

#[test]
fn the_demonstration_prints_what_it_printed() {
    for (name, arguments) in [
        ("demo", &["demo", "--all"][..]),
        ("demo_first_screen", &["demo"]),
    ] {
        let directory = TempDir::new().expect("a temporary directory");
        let ran = run(directory.path(), arguments);
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        let lines = ran.stdout.lines().map(|line| {
            // How long it took is in it.
            let line = line.split_once(" in ").map_or(line, |(before, _)| before);
            line.to_owned() + "\n"
        });
        insta::assert_snapshot!(name, mask(&lines.collect::<String>()));
    }
    let directory = TempDir::new().expect("a temporary directory");
    let document = run(directory.path(), &["demo", "--output", "json"]);
    assert_eq!(document.code, Some(0), "{}", document.stderr);
    insta::assert_snapshot!("demo_document", mask(&document.stdout));
}
