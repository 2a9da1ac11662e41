//! `runs` and `wait`: which runs there are, and how long it takes until one is decided.

use std::process::Stdio;

use restore_reconciler::internals::cli::output::Document;
use serde_json::{Value, json};

use super::stage::{assert_says, program, run};
use crate::console::Settings;
use crate::support::case::{Case, FOREIGN, HOME, NEIGHBOUR};
use crate::support::roles::Purpose;
use crate::support::scene::{NO_SWEEPS, OPEN_JOBS, Scene, dismiss};
use crate::support::store::{Fixture, moved, on_both};
use crate::support::time::eventually;

on_both!(
    runs_are_listed_as_they_are_asked_for,
    a_wait_ends_with_the_verdict,
    a_sweep_names_what_it_decided,
);

/// The runs that a document lists.
fn listed(url: &str, filters: &str) -> Vec<i64> {
    let arguments = ["runs", "--output", "json"].into_iter();
    let arguments: Vec<&str> = arguments.chain(filters.split_whitespace()).collect();
    let found = run(url, &arguments).exits(0);
    let document: Value = serde_json::from_str(&found.stdout).expect("a document");
    assert_eq!(document["command"], "runs");
    let runs = document["runs"].as_array().expect("runs").iter();
    runs.map(|run| run["run"].as_i64().expect("an id"))
        .collect()
}

async fn runs_are_listed_as_they_are_asked_for(on: Fixture) {
    let url = on.url.clone();
    assert_says(&url, "runs ⇒ 0 | No run matches.");
    on.plant([
        Case::proven(1),
        Case::failed(2),
        moved(Case::in_progress(3), NEIGHBOUR),
        moved(Case::in_progress(4), FOREIGN),
    ])
    .await;
    on.settle(&[1, 2, 3, 4]).await;
    let before = on.fingerprint().await;
    let away = FOREIGN.0.to_string();
    let (home, beside) = (HOME.1, NEIGHBOUR.1);
    let cases: [(&str, &[i64]); 19] = [
        ("", &[4, 3, 2, 1]),
        ("--limit 3", &[4, 3, 2]),
        ("--limit 3 --oldest-first", &[1, 2, 3]),
        ("--undecided --oldest-first", &[3, 4]),
        ("--undecided", &[4, 3]),
        (&format!("--undecided --workspace {away}"), &[4]),
        (&format!("--environment {beside}"), &[3]),
        (&format!("--environment {home}"), &[2, 1]),
        (&format!("--environment {home} --undecided"), &[]),
        (&format!("--environment {beside} --workspace {away}"), &[]),
        ("--outcome failed", &[2]),
        ("--outcome pending", &[4, 3]),
        ("--reason restore.proof_complete", &[1]),
        ("--state in_progress", &[4, 3]),
        ("--older-than 1h", &[4, 3, 2, 1]),
        ("--older-than 18000d", &[]),
        ("--since 18000d", &[4, 3, 2, 1]),
        ("--since 1h", &[]),
        ("--unproven", &[]),
    ];
    for (filters, expected) in cases {
        assert_eq!(listed(&url, filters), expected, "{filters}");
    }
    assert_says(
        &url,
        "runs --limit 1 ⇒ 0 | RUN | There may be more | do not prove environment recovery
         runs --undecided ⇒ 0 | ago | restore.
         runs --outcome lost ⇒ 2 ! partially_succeeded
         runs --state lost ⇒ 2 ! in_progress
         runs --reason lost ⇒ 2 ! no such word
         runs --older-than soon ⇒ 2 ! 7d 12h
         runs --limit 0 ⇒ 2",
    );
    assert_eq!(on.fingerprint().await, before);
}

async fn a_wait_ends_with_the_verdict(on: Fixture) {
    let url = on.url.clone();
    on.plant([1, 2, 3, 4].map(|id| match id {
        1 => Case::proven(id),
        2 => Case::failed(id),
        _ => Case::in_progress(id),
    }))
    .await;
    assert_says(
        &url,
        "wait 1 --timeout 0s ⇒ 11 | still open | A worker decides it
         wait 3 --timeout 100ms ⇒ 11 | still open | restore. ! waiting for 1 of 1 run
         wait 99 ⇒ 1 | does not exist
         enqueue 3 --timeout 1s ⇒ 2 ! --wait",
    );
    on.set_up_queue().await;
    let mut waiting = program(&url, &["wait", "1", "2", "--output", "json"]);
    let waiting = waiting.stdout(Stdio::piped()).spawn();
    let waiting = waiting.expect("the binary was built");
    on.settle(&[1]).await;
    on.settle(&[2]).await;
    let waited = waiting.wait_with_output().expect("an end");
    assert_eq!(waited.status.code(), Some(10));
    let document: Document = serde_json::from_slice(&waited.stdout).expect("a document");
    let Document::Wait(waited) = document else {
        panic!("{document:?}")
    };
    assert!(waited.complete);
    assert_eq!(
        serde_json::to_value(&waited.runs).expect("JSON")[1]["decision"],
        json!("failed")
    );
    assert_says(
        &url,
        "wait 1 ⇒ 0 | succeeded (on record) | do not prove environment recovery
         wait 1 2 ⇒ 10
         enqueue 1 2 --wait ⇒ 10 | failed (on record)
         wait 1 3 --timeout 0s ⇒ 11",
    );
    // Whom nobody tries again, and whom this configuration only observes, nobody waits for.
    let (now, home) = (on.in_seconds(0), HOME.0);
    on.execute(&format!(
        "INSERT INTO reconciler.attempts (
            operation_run_id, workspace_id, tries, worker, first_seen_at, last_tried_at, try_again_at, dead_at
        ) VALUES (3, {home}, 5, 'ended', {now}, {now}, {now}, {now})"
    ))
    .await;
    let settings = Settings::holding("[settling]\nmode = \"observe\"\n");
    let path = settings.path();
    assert_says(
        &url,
        &format!(
            "wait 3 ⇒ 11 | suspended after attempts that never ended
             --config {path} wait 3 ⇒ 11 | suspended
             --config {path} wait 1 ⇒ 0 | succeeded (on record)
             --config {path} wait 4 ⇒ 11 | only observed | Nothing was written"
        ),
    );
}

/// A real worker decides meanwhile; whoever waits ends as the verdict does.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_asks_and_waits_ends_with_the_verdict_of_a_worker() {
    let scene = Scene::new(NO_SWEEPS).await;
    scene
        .plant([Case::proven(1), Case::failed(2), Case::failed(3)])
        .await;
    let spawn = |verb: &str| {
        let arguments: Vec<&str> = verb.split(' ').collect();
        let mut waiting = program(scene.url(), &arguments);
        let waiting = waiting
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        waiting.expect("the binary was built")
    };
    let waiting = [
        ("enqueue 1 --wait --timeout 2m", 0, "succeeded"),
        ("enqueue 2 1 --wait --timeout 2m", 10, "failed"),
        ("wait 1 2 --timeout 2m", 10, "failed"),
    ]
    .map(|(verb, code, said)| (verb, code, said, spawn(verb)));
    // Asked for, and not decided before anybody is there to do so.
    assert_says(
        scene.url(),
        "enqueue 3 --wait --timeout 0s ⇒ 11 | still open",
    );
    let asked = async || (scene.count(OPEN_JOBS).await >= 3).then_some(());
    eventually(asked, async || "three runs are asked for".to_owned()).await;
    let worker = scene.worker().await;
    for (verb, code, said, child) in waiting {
        let ended = child.wait_with_output().expect("an end");
        let text = String::from_utf8_lossy(&ended.stdout);
        assert_eq!(ended.status.code(), Some(code), "{verb}: {text}");
        assert!(text.contains(said), "{verb}: {text}");
    }
    dismiss(worker).await;
}

/// With no more than the console's rights, and three commands.
#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_finds_explains_and_waits_in_three_commands() {
    let scene = Scene::new(NO_SWEEPS).await;
    scene
        .plant([Case::failed(1), moved(Case::proven(2), FOREIGN)])
        .await;
    let url = Purpose::Console.url(scene.url());
    let found = run(
        &url,
        &["runs", "--undecided", "--workspace", &HOME.0.to_string()],
    )
    .exits(0);
    let rows: Vec<&str> = found
        .stdout
        .lines()
        .filter(|line| line.contains('\t'))
        .collect();
    assert_eq!(rows.len(), 2, "{}", found.all());
    let id = rows[1].split('\t').next().expect("a run").trim();
    let explained = run(&url, &["explain", id]).exits(10);
    explained.says(
        &[
            "if it were reconciled now: failed",
            "restore.execution_failed",
        ],
        &[],
    );
    let known = run(&url, &["explain", id, "--at", "1h"]).exits(10);
    known.says(&["Decision then: failed"], &[]);
    let mut waiting = program(&url, &["wait", id, "--timeout", "2m"]);
    let waiting = waiting
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let worker = scene.worker().await;
    scene.request([id.parse().expect("a number")]).await;
    let waited = waiting.expect("the binary was built").wait_with_output();
    let waited = waited.expect("an end");
    assert_eq!(waited.status.code(), Some(10));
    let said = String::from_utf8_lossy(&waited.stdout);
    assert!(said.contains("failed (on record)"), "{said}");
    dismiss(worker).await;
}

async fn a_sweep_names_what_it_decided(on: Fixture) {
    let url = on.url.clone();
    on.plant([Case::proven(1), Case::failed(2), Case::in_progress(3)])
        .await;
    let decided = |arguments: &[&str]| {
        let found = run(&url, &[arguments, &["--output", "json"]].concat()).exits(10);
        let Document::Sweep(swept) = found.document() else {
            panic!("{}", found.all())
        };
        assert_eq!(swept.decided_omitted, None);
        let decided = swept.decided.expect("a list").into_iter();
        decided
            .map(|it| format!("{} {} {}", it.run, it.decision.name(), it.code))
            .collect::<Vec<_>>()
    };
    let expected = [
        "1 succeeded restore.proof_complete",
        "2 failed restore.execution_failed",
    ];
    assert_eq!(decided(&["sweep", "--dry-run", "--list"]), expected);
    assert_eq!(decided(&["sweep", "--list"]), expected);
    assert_says(&url, "sweep --opinions --list ⇒ 2");
}
