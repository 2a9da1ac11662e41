//! What the program looks like from outside: arguments, JSON, colour, pipes, logs.

use std::{
    collections::BTreeSet,
    fs,
    io::{BufRead as _, BufReader, Write as _},
    process::{Command, Stdio},
};

use restore_reconciler::internals::cli::output::Document;
use restore_reconciler::internals::views::verdict::{DecisionWord, RunFate};
use tempfile::TempDir;

use super::stage::{FAILED, File, assert_says, program, ran, run};
use crate::support::schema::Schema;
use crate::support::store::Fixture;

#[tokio::test]
async fn json_is_one_document_that_reads_back_into_its_type() {
    let file = File::planted().await;
    let verbs = "
        migrate; doctor; explain 6; sweep --dry-run; reconcile 1 2 3 4 5 999; explain 1; sweep;
        ledger list; ledger show 1; ledger verify;
        enqueue 1 3 4 5 999; queue list --all; queue show 3; queue retry 3; queue drop 3 --reason gone;
        config default; config check; token ops --all-workspaces; version";
    for verb in verbs.split(';') {
        let mut arguments: Vec<&str> = verb.split_whitespace().collect();
        arguments.extend(["--output", "json"]);
        let ran = run(&file.url(), &arguments);
        let written: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
        let read_back = serde_json::to_value(ran.document()).unwrap();
        assert_eq!(written, read_back, "{verb}");
        assert!(written["command"].is_string(), "{verb}");
    }
    let again = ["reconcile", "2", "999", "2", "--output", "json"];
    let reconciled = run(&file.url(), &again);
    let Document::Reconcile(reconciled) = reconciled.exits(1).document() else {
        panic!("a reconciliation")
    };
    let results = reconciled.runs.iter();
    let found: Vec<_> = results.map(|it| (it.run, it.state, it.decision)).collect();
    let decided = (FAILED, RunFate::DecidedBefore, Some(DecisionWord::Failed));
    assert_eq!(found, [decided, (999, RunFate::Absent, None)]);
}

#[tokio::test]
async fn colour_is_for_those_who_ask_and_never_with_no_color() {
    let file = File::planted().await;
    let coloured = run(&file.url(), &["explain", "1", "--color", "always"]);
    let shown = coloured.stdout;
    assert!(shown.contains("\u{1b}[32m"), "{shown}");
    let mut plain = program(&file.url(), &["explain", "1", "--color", "always"]);
    ran(plain.env("NO_COLOR", "1")).exits(0);
}

#[tokio::test]
async fn a_reader_that_goes_away_is_no_error() {
    let file = File::planted().await;
    for (arguments, code) in [(&["sweep"][..], 10), (&["completions", "bash"], 0)] {
        let mut command = program(&file.url(), arguments);
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}");
        assert!(output.stderr.is_empty(), "{arguments:?}");
    }
}

/// Whatever a verb shows goes one way.
#[tokio::test]
async fn a_device_that_is_full_is_an_error_that_says_where() {
    let file = File::planted().await;
    let verbs = "
        migrate; doctor; explain 1; sweep --dry-run; sweep; reconcile 1; enqueue 1; queue list; queue show 3; queue retry 3;
        demo; work --listen 127.0.0.1:0; config default; config check; config schema; completions bash; version;
        token ops --all-workspaces; --version; --help; explain --reason restore.items_missing";
    for verb in verbs
        .split(';')
        .flat_map(|verb| [verb.to_owned(), format!("{verb} --output json")])
    {
        let arguments: Vec<&str> = verb.split_whitespace().collect();
        let full = fs::File::options().write(true).open("/dev/full").unwrap();
        let empty = File::new();
        let _created = empty.create().await;
        let is_demo = arguments[0] == "demo";
        let on = if is_demo { &empty } else { &file };
        let mut command = program(&on.url(), &arguments);
        let output = command.stdout(full).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{verb}: {said}");
        let told = "could not write to stdout: No space left on device (os error 28); what was done until then stands";
        assert!(said.contains(told), "{verb}: {said}");
    }
}

#[tokio::test]
async fn logs_begin_at_warnings_and_verbose_shows_each_verdict() {
    let file = File::planted().await;
    let quiet = run(&file.url(), &["reconcile", "1"]).exits(0);
    assert_eq!(quiet.stderr, "");
    assert_says(&file.url(), "-v reconcile 2 ⇒ 10 ! INFO ! run 2 is failed");
}

#[test]
fn verbs_about_the_configuration_need_no_database_and_no_working_file() {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("broken.toml");
    fs::write(&file, "[sweep]\nbatch_runs_maxx = 5\n").unwrap();
    let file = file.display();
    assert_says(
        "",
        &format!(
            "config default ⇒ 0 | batch_runs_max = 500
             --config {file} config schema ⇒ 0 | batch_runs_max
             config schema --of output ⇒ 0 | claim_boundary
             config check {file} ⇒ 1 ! batch_runs_max ! to do:
             --config {file} sweep ⇒ 1 ! batch_runs_maxx
             explain --reason restore.items_missing ⇒ 0 | ### `restore.items_missing`
             explain --reason restore.items_missing ⇒ 0 | **What it does not mean:** That the missing items were not restored
             --version ⇒ 0 | commit: | features: | tls | ruleset: restore.execute/
             -V ⇒ 0 | restore-reconciler
             version ⇒ 0 | commit: | features: | tls | ruleset: restore.execute/"
        ),
    );
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        assert_says("", &format!("completions {shell} ⇒ 0 | reconcile"));
    }
    let help = run("", &["--help"]).exits(0);
    help.says(&["Exit codes:", "  11  "], &[]);
}

#[test]
fn the_schema_describes_every_document() {
    let schema = include_str!("../../../config/output.schema.json");
    let commands = "migrate sweep reconcile explain doctor demo config enqueue queue_list queue_show \
        queue_retry queue_drop token version \
        grants migrate_status uninstall opinions forget runs wait config_show listening error";
    for command in commands.split(' ') {
        let of_command = format!(r#""const": "{command}""#);
        assert!(schema.contains(&of_command), "{command}");
    }
}

#[test]
fn a_command_line_that_cannot_be_understood_is_a_usage_error() {
    let lines = "
        reconsile 1
        reconcile
        reconcile seven
        reconcile 1.5
        reconcile 0
        reconcile -- -1
        reconcile 9223372036854775808
        explain
        explain 1 2
        explain --reason restore.nothing
        explain 1 --reason restore.items_missing
        enqueue
        queue
        queue retry
        queue retry 1 --dead
        queue drop
        queue list --all --dead
        queue list --limit 0
        migrate --with-platform-trigger --without-platform-trigger
        sweep --limit 0
        sweep --workspace x
        sweep --output yaml
        sweep -o yaml
        wait
        enqueue 1 --timeout 1s
        runs --limit 0
        man --to . explain
        completions cobol
        serve 127.0.0.1:1
        token ops
        token --all-workspaces
        token ops --all-workspaces --workspace 1
        token ops --workspace 0
        token ops --workspace 1 --can runs.write
        config";
    let lines = lines.lines().map(|line| line.split_whitespace().collect());
    let with_a_space = vec!["token", "o ps", "--all-workspaces"];
    for arguments in lines.chain([with_a_space]) {
        let ran = run("sqlite://nowhere", &arguments).exits(2);
        let said = ran.all();
        assert!(ran.stdout.is_empty(), "{arguments:?}: {said}");
        assert!(!ran.stderr.is_empty(), "{arguments:?}: {said}");
    }
}

/// The script is run by the shell it is for: a generated function that is never reached completes
/// nothing, and looks the same.
#[test]
fn bash_completes_what_follows_a_verb() {
    let script = run("", &["completions", "bash"]).exits(0).stdout;
    let asked = "COMP_WORDS=(restore-reconciler sweep --dry); COMP_CWORD=2
        _restore-reconciler restore-reconciler --dry sweep; echo \"${COMPREPLY[@]}\"";
    let done = Command::new("bash")
        .args(["--norc", "-c", &format!("{script}\n{asked}")])
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&done.stdout).trim(), "--dry-run");
}

/// A number is no file, and a word of ours is one of a few.
#[test]
fn bash_completes_words_and_offers_no_files_for_numbers() {
    let script = run("", &["completions", "bash"]).exits(0).stdout;
    for (option, typed, offered) in [
        ("--reason", "restore.items_miss", "restore.items_missing"),
        ("--outcome", "pen", "pending"),
        ("--state", "completed_w", "completed_with_evidence"),
        ("--workspace", "", ""),
    ] {
        let asked = format!(
            "cd /; COMP_WORDS=(restore-reconciler runs {option} '{typed}'); COMP_CWORD=3
            _restore-reconciler restore-reconciler '{typed}' {option}; echo \"${{COMPREPLY[@]}}\""
        );
        let done = Command::new("bash")
            .args(["--norc", "-c", &format!("{script}\n{asked}")])
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&done.stdout);
        assert_eq!(said.trim(), offered, "{option}");
    }
}

/// What a program that asked for JSON reads where a command could not do its work.
#[test]
fn errors_are_json_where_json_was_asked_for() {
    let cases = [
        ("explain 1 -o json", 1, "no database is named", true),
        ("--output=jsonl sweep", 1, "no database is named", true),
        (
            "-ojson --config nowhere.toml sweep",
            1,
            "the configuration cannot be used",
            true,
        ),
        ("-o json queue", 2, "a verb is missing", true),
        ("-vo json queue", 2, "a verb is missing", true),
        ("-vojson queue", 2, "a verb is missing", true),
        ("reconsile 1 -o json", 2, "unrecognized subcommand", true),
        (
            "sweep --limit 0 --output json",
            2,
            "invalid value '0' for '--limit <N>'",
            true,
        ),
    ];
    for (line, code, said, is_advised) in cases {
        let arguments: Vec<&str> = line.split_whitespace().collect();
        let ran = run("", &arguments).exits(code);
        assert_eq!(ran.stdout, "", "{line}");
        let Document::Error(failed) = serde_json::from_str(&ran.stderr).expect(line) else {
            panic!("{line}: {}", ran.all())
        };
        assert_eq!(i32::from(failed.code), code, "{line}");
        assert!(failed.error.contains(said), "{line}: {failed:?}");
        assert_eq!(failed.advice.is_some(), is_advised, "{line}: {failed:?}");
    }
}

/// What is written by nobody but a process that listens, and about one.
const ABOUT_PROCESSES: [&str; 2] = ["listening", "probe"];

#[tokio::test]
async fn every_line_is_as_the_schema_says() {
    let text = run("", &["config", "schema", "--of", "output"])
        .exits(0)
        .stdout;
    assert!(text == include_str!("../../../config/output.schema.json"));
    let schema = Schema::of(&text);
    let wrong = serde_json::json!({ "command": "queue_list", "entries": [1] });
    assert!(schema.check(&wrong).is_err(), "it would be seen");
    let file = File::planted().await;
    let on = Fixture::postgres_with_queue().await;
    let of_file = "
        migrate; doctor; doctor --survey; explain 6; sweep --dry-run --list; reconcile 1 2 3 4 5 999; explain 1; explain 2;
        explain 7; sweep --list; ledger list; ledger show 1; ledger verify; ledger verify --offline Cargo.toml;
        ledger simulate; ledger checkpoints; explain 1 --at 1h; wait 1 2; runs; runs --undecided;
        enqueue 1 3 4 5 999; queue list --all; queue show 3; queue retry 3; queue drop 3 --reason gone;
        queue pause --workspace 1 --reason moving; queue resume --workspace 1; opinions;
        config default; config check; config show; token ops --all-workspaces; version;
        explain 999; reconsile; sweep --limit 0";
    let directory = TempDir::new().unwrap();
    let of_server = format!(
        "migrate --status; grants worker --to reconciler; uninstall; doctor; forget --workspace 1 --yes; ledger key --to {}",
        directory.path().join("key").display()
    );
    let sealed = crate::tree::sealed().await;
    let export = directory.path().join("export.zip");
    let kept = directory.path().join("kept.txt");
    let notes = run(&sealed.url, &["ledger", "checkpoints", "--notes"]).exits(0);
    fs::write(&kept, notes.stdout).unwrap();
    let (to, kept) = (export.display(), kept.display());
    let of_sealed = format!(
        "ledger export --workspace 1 --to {to}; ledger verify --offline {to}; ledger checkpoints; ledger verify --checkpoint {kept}"
    );
    let mut seen = BTreeSet::new();
    for (url, verbs) in [
        (file.url(), of_file),
        (on.url.clone(), &of_server),
        (sealed.url.clone(), &of_sealed),
        (String::new(), "demo"),
    ] {
        for verb in verbs.split(';') {
            let mut arguments: Vec<&str> = verb.split_whitespace().collect();
            arguments.extend(["-o", "jsonl"]);
            let ran = run(&url, &arguments);
            // What could not be done is the last line beside the results.
            let beside = ran.stderr.lines().last().filter(|_| ran.stdout.is_empty());
            let lines: Vec<&str> = ran.stdout.lines().chain(beside).collect();
            assert!(!lines.is_empty(), "{verb}: {}", ran.all());
            for line in lines {
                let line: serde_json::Value = serde_json::from_str(line).expect(line);
                let fits = schema.check(&line);
                assert!(fits.is_ok(), "{verb}: {fits:?}: {line}");
                seen.insert(line["command"].as_str().expect(verb).to_owned());
            }
        }
    }
    let all: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let all = all["oneOf"].as_array().expect("documents").iter();
    let all = all.filter_map(|it| it["properties"]["command"]["const"].as_str());
    let rest: BTreeSet<&str> = all.filter(|it| !seen.contains(*it)).collect();
    assert_eq!(rest, BTreeSet::from(ABOUT_PROCESSES));
}

/// Asks for lines of JSON.
const IN_JSON: (&str, &str) = ("RECONCILER_LOG__FORMAT", "json");

/// Whoever collects lines of JSON gets no other, from whichever verb, and whatever went wrong.
#[tokio::test]
async fn where_the_log_is_json_every_line_is() {
    let file = File::planted().await;
    let directory = TempDir::new().unwrap();
    let named = |name: &str, text: &str| {
        let path = directory.path().join(name);
        fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let json = named("json.toml", "[log]\nformat = \"json\"\n");
    let refused = named(
        "refused.toml",
        "log.format = \"json\"\n[sweep]\nschedul = \"x\"\n",
    );
    let broken = named("broken.toml", "[log]\nformat = \"json\"\n[sweep\n");
    let of_files = format!(
        "--config {json} explain 999 ⇒ 1 ! run 999 does not exist
         --config {json} sweep --limit 0 ⇒ 2 ! invalid value '0'
         --config {refused} sweep ⇒ 1 ! did you mean `schedule`?
         --config {broken} sweep ⇒ 1 ! broken.toml:3
         --config {broken} config show ⇒ 1 ! broken.toml:3"
    );
    let of_variable = "explain 999 ⇒ 1 ! run 999 does not exist
         work --nothing ⇒ 2 ! unexpected argument
         -v reconcile 1 ⇒ 0 ! run 1 is succeeded
         wait 3 --timeout 100ms ⇒ 11 ! waiting for 1 of 1 run
         queue retry --dead ⇒ 0 ! There are no dead letters.";
    for (rows, variable) in [(&*of_files, None), (of_variable, Some(IN_JSON))] {
        for row in rows.lines() {
            let (line, expected) = row.split_once(" ⇒ ").expect("a row");
            let (code, said) = expected.split_once(" ! ").expect("a row");
            let arguments: Vec<&str> = line.split_whitespace().collect();
            let ran = ran(program(&file.url(), &arguments).envs(variable));
            let ran = ran.exits(code.parse().expect("a code"));
            assert!(ran.stderr.contains(said), "{line}: {}", ran.all());
            for line in ran.stderr.lines() {
                let found: serde_json::Value = serde_json::from_str(line).expect(line);
                let is_named = found["command"] == "error" || found["level"].is_string();
                assert!(is_named, "{line}");
            }
        }
    }
}

/// A pipe can be read once only, so what it asks for is known once it was read.
#[tokio::test]
async fn what_a_pipe_asks_for_is_heeded_where_it_cannot_be_used() {
    let file = File::planted().await;
    for (text, verb, said) in [
        (
            "log.format = \"json\"\n[sweep]\nschedul = \"x\"\n",
            "sweep",
            "did you mean `schedule`?",
        ),
        (
            "[log]\nformat = \"json\"\n[sweep\n",
            "sweep",
            "/dev/stdin:3",
        ),
        (
            "[log]\nformat = \"json\"\n[sweep\n",
            "config show",
            "/dev/stdin:3",
        ),
        (
            "log.format = \"json\"\n",
            "explain 999",
            "run 999 does not exist",
        ),
    ] {
        let arguments: Vec<&str> = verb.split(' ').chain(["--config", "/dev/stdin"]).collect();
        let mut command = program(&file.url(), &arguments);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child
            .stdin
            .take()
            .unwrap()
            .write_all(text.as_bytes())
            .unwrap();
        let ended = child.wait_with_output().unwrap();
        let stderr = String::from_utf8(ended.stderr).unwrap();
        let found: serde_json::Value = serde_json::from_str(&stderr).expect(&stderr);
        assert_eq!(
            (ended.status.code(), &found["command"]),
            (Some(1), &"error".into())
        );
        assert!(stderr.contains(said), "{verb}: {stderr}");
    }
}

#[tokio::test]
async fn where_the_log_is_json_so_is_the_line_that_says_where_a_process_listens() {
    let file = File::planted().await;
    let schema = Schema::of(include_str!("../../../config/output.schema.json"));
    for (verb, begins) in [("work", ""), ("serve", "http://")] {
        let mut command = program(&file.url(), &[verb, "--listen", "127.0.0.1:0"]);
        command
            .envs([IN_JSON])
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        let mut said = BufReader::new(child.stdout.take().unwrap());
        said.read_line(&mut line).unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        let found: serde_json::Value = serde_json::from_str(&line).expect(&line);
        assert_eq!(schema.check(&found), Ok(()));
        let address = found["address"].as_str().expect("an address");
        assert!(
            address.starts_with(&format!("{begins}127.0.0.1:")),
            "{address}"
        );
    }
}

#[tokio::test]
async fn a_list_is_a_line_an_entry_where_lines_are_asked_for() {
    let file = File::planted().await;
    let cases = [
        ("reconcile 1 2 3", 3),
        ("runs", 6),
        ("queue list", 1),
        ("sweep", 1),
        ("version", 1),
    ];
    for (line, count) in cases {
        let arguments = line.split_whitespace().chain(["-o", "jsonl"]);
        let ran = run(&file.url(), &arguments.collect::<Vec<_>>());
        let lines: Vec<serde_json::Value> = ran
            .stdout
            .lines()
            .map(|line| serde_json::from_str(line).expect("a document"))
            .collect();
        assert_eq!(lines.len(), count, "{line}: {}", ran.all());
        let command = line.split(' ').next().expect("a verb");
        let is_of = |it: &serde_json::Value| {
            it["command"]
                .as_str()
                .is_some_and(|it| it.starts_with(command))
        };
        assert!(lines.iter().all(is_of), "{line}");
    }
}

#[test]
fn what_people_try_first_leads_somewhere() {
    assert_says(
        "",
        "list ⇒ 1 ! no database is named
         status ⇒ 1 ! no database is named
         health ⇒ 1 ! no database is named
         version ⇒ 0 | ruleset:
         man ⇒ 0 | .TH restore-reconciler
         man queue retry ⇒ 0 | restore\\-reconciler\\-queue\\-retry | Example
         man nothing ⇒ 1 ! there is no verb `nothing`
         config show ⇒ 0 | sweep.schedule | default
         completions --help ⇒ 0 | /etc/bash_completion.d/restore-reconciler | restore-reconciler.fish
         wait --help ⇒ 0 | Example: | restore-reconciler wait 4711",
    );
    let directory = TempDir::new().unwrap();
    let to = directory.path().display().to_string();
    run("", &["man", "--to", &to]).exits(0);
    let pages = fs::read_dir(directory.path()).unwrap().count();
    assert!(pages > 25, "{pages}");
    let help = run("", &["--help"]).exits(0);
    help.says(
        &[
            "Look:\n  doctor",
            "Decide:\n  sweep",
            "wait         Wait until",
        ],
        &[],
    );
}
