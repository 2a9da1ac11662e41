//! The manual's first day, followed as it is written: each command by the role that it names, with the files that it shows.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use tempfile::TempDir;

use super::stage::ran;
use crate::manual::{fenced, read};
use crate::support::case::Case;
use crate::support::process::program;
use crate::support::roles::Purpose;
use crate::support::scene::{dismiss, until_ready, until_said};
use crate::support::store::{Fixture, moved};
use crate::support::worker::Worker;

/// Who connects so in the manual.
const ROLES: [(&str, Purpose); 3] = [
    ("postgres://migrator@", Purpose::Migrator),
    ("postgres://observer@", Purpose::Observer),
    ("postgres://reconciler@", Purpose::Worker),
];

/// What each worker of the day is asked for, and says of it, in turn.
const SAID: [&[(i64, &str)]; 3] = [
    &[(
        3,
        "run 3 would be partially_succeeded: restore.evidence_missing",
    )],
    &[
        (3, "run 3 is partially_succeeded: restore.evidence_missing"),
        (32, "run 32 would be succeeded: restore.proof_complete"),
    ],
    &[(31, "run 31 is succeeded: restore.proof_complete")],
];

#[tokio::test(flavor = "multi_thread")]
async fn the_first_day_goes_as_the_manual_says() {
    let page = read("config/manual/operate.md");
    let (_, day) = page.split_once("\n## First day\n").expect("the section");
    let day = day.split("\n## ").next().expect("its text");
    let directory = TempDir::new().expect("a temporary directory");
    let files: BTreeMap<String, String> = fenced(day, "toml")
        .map(|text| {
            let name = text.lines().next().and_then(|line| line.strip_prefix("# "));
            let name = name.expect("a name").to_owned();
            let path = directory.path().join(&name);
            fs::write(&path, text).expect("a file");
            (name, path.to_str().expect("text").to_owned())
        })
        .collect();

    let on = Fixture::empty_postgres().await;
    on.install().await;
    on.plant_world().await;
    let elsewhere = (31..=40).map(|run| moved(Case::proven(run), (2, 21)));
    let home = (1..=30).map(|run| {
        let mut case = Case::proven(run);
        if run % 3 == 0 {
            case.snapshots.clear();
        }
        case
    });
    on.plant(home.chain(elsewhere)).await;
    let platform = on.platform().await;

    let (mut url, mut config, mut workers) = (on.url.clone(), None, SAID.into_iter());
    let commands = fenced(day, "console").next().expect("the commands");
    for line in commands.lines() {
        let command = line.strip_prefix("$ ").expect("a command");
        let (command, comment) = command.split_once(" #").unwrap_or((command, ""));
        if let Some(shown) = command.strip_prefix("export RECONCILER_DATABASE_URL=") {
            let role = ROLES.iter().find(|(prefix, _)| shown.starts_with(prefix));
            url = role.expect(shown).1.url(&on.url);
            continue;
        }
        if let Some(name) = command.strip_prefix("export RECONCILER_CONFIG=") {
            config = Some(files[name.trim()].clone());
            continue;
        }
        let verb = command
            .trim()
            .strip_prefix("restore-reconciler ")
            .expect(line);
        let arguments: Vec<&str> = verb.split_whitespace().collect();
        if arguments == ["work"] {
            let worker = Worker::start(&url, config.as_deref().map(Path::new)).await;
            let worker = worker.unwrap_or_else(|why| panic!("{why}"));
            until_ready(&worker).await;
            for (run, says) in workers.next().expect("three workers") {
                let requested = on.value(&format!("SELECT reconciler.request({run})")).await;
                assert_eq!(requested.as_deref(), Some("t"), "{line}");
                until_said(&worker, says).await;
            }
            dismiss(worker).await;
            if workers.len() == 2 {
                assert_eq!(on.platform().await, platform, "{line}");
            }
            continue;
        }
        let mut program = program(&url, &arguments);
        if let Some(config) = &config {
            program.env("RECONCILER_CONFIG", config);
        }
        let ran = ran(&mut program);
        let expected = if arguments == ["sweep"] { 11 } else { 0 };
        assert_eq!(ran.code, expected, "{line}\n{}", ran.all());
        if comment.contains("run it with psql") {
            on.execute(&ran.stdout).await;
        }
    }
    assert_eq!(workers.len(), 0);
    // The other workspace was left alone until the end.
    let early = "SELECT count(*) FROM reconciler.ledger WHERE workspace_id = 2 AND decided_at <
                     (SELECT max(decided_at) FROM reconciler.ledger WHERE workspace_id = 1)";
    assert_eq!(on.count(early).await, 0);
}
