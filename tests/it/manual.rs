//! The README and the manual say what the code does: the parts that can be compared are compared, and what can be
//! run is run.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use reconciler_jobs::restore_execute::proof::Leg;
use reconciler_jobs::restore_execute::results::{EXCEPTIONS_MAX, ITEMS_MAX};
use reconciler_jobs::restore_execute::words::WordClass;
use reconciler_jobs::{json, restore_execute::record::FAILURE_SUMMARY_MAX};
use restore_reconciler::internals::metrics::{DECLARED, Role};
use serde_json::Value;

use crate::support::process::program;

/// Pages with more bytes than this are not read to their end.
const README_BYTES_MAX: usize = 12 << 10;

const PROGRAM: &str = env!("CARGO_BIN_EXE_restore-reconciler");

pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

pub(crate) fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The README and every page of the manual, by path.
fn pages() -> BTreeMap<String, String> {
    let manual = fs::read_dir(root().join("config/manual")).expect("the manual");
    let manual = manual.map(|entry| entry.expect("an entry").file_name());
    let manual = manual.map(|name| format!("config/manual/{}", name.display()));
    let names = manual.chain(["README.md".to_owned()]);
    let pages: BTreeMap<_, _> = names.map(|name| (name.clone(), read(&name))).collect();
    assert!(pages.len() > 6, "{:?}", pages.keys());
    pages
}

/// The block of the manual that `grants` prints for this purpose.
pub(crate) fn grants(purpose: &str) -> String {
    let page = read("config/manual/database.md");
    let command = format!("$ restore-reconciler grants {purpose} --to ");
    let block = fenced(&page, "console").find(|block| block.starts_with(&command));
    let (_, printed) = block
        .and_then(|block| block.split_once('\n'))
        .expect(purpose);
    printed.to_owned()
}

/// The blocks of a language.
pub(crate) fn fenced<'p>(page: &'p str, language: &str) -> impl Iterator<Item = &'p str> {
    let blocks = page.split("\n```").skip(1).step_by(2);
    let prefix = format!("{language}\n");
    blocks.filter_map(move |block| block.strip_prefix(&prefix))
}

/// What stands between single backticks, outside of blocks.
fn spans(page: &str) -> Vec<&str> {
    let prose = page.split("\n```").step_by(2);
    let spans = prose.flat_map(|text| text.split('`').skip(1).step_by(2));
    spans.collect()
}

/// Everything that stands between an opening and the next end.
pub(crate) fn between<'p>(
    page: &'p str,
    opening: &str,
    end: char,
) -> impl Iterator<Item = &'p str> {
    let rests = page.split(opening).skip(1);
    rests.filter_map(move |rest| rest.split(end).next())
}

/// The cells of every row of every table, without typography.
fn rows(text: &str) -> Vec<Vec<String>> {
    let lines = text.lines().map(|line| line.trim_start_matches("//!"));
    let rows = lines.map(str::trim).filter(|line| line.starts_with('|'));
    rows.map(|row| {
        let cells = row.replace('`', "");
        let cells = cells.trim_matches('|').split('|');
        cells.map(|cell| cell.trim().to_owned()).collect()
    })
    .collect()
}

/// Those rows whose first cell is a number.
fn numbered_rows(text: &str) -> Vec<Vec<String>> {
    let mut rows = rows(text);
    rows.retain(|row| row[0].parse::<u8>().is_ok());
    rows
}

#[test]
fn the_readme_can_be_read_at_one_sitting() {
    let bytes = read("README.md").len();
    let what_to_do = "what an operator looks up belongs to config/manual";
    assert!(bytes <= README_BYTES_MAX, "{bytes}: {what_to_do}");
}

#[test]
fn the_decision_table_is_the_one_beside_the_rules() {
    let rules = numbered_rows(&read("jobs/src/restore_execute/rules.rs"));
    let manual = numbered_rows(&read("config/manual/rules.md"));
    assert_eq!(rules.len(), 26);
    assert_eq!(rules, manual);
}

#[test]
fn the_legs_are_those_that_are_looked_at() {
    let page = read("config/manual/rules.md");
    let (_, table) = page.split_once("| Leg |").expect("the table of legs");
    let rows = rows(table);
    let legs: Vec<&str> = rows.iter().map(|row| &*row[0]).skip(1).take(8).collect();
    assert_eq!(legs, Leg::ALL.map(Leg::name));
}

#[test]
fn the_words_are_those_that_are_read() {
    let page = read("config/manual/rules.md");
    let (_, table) = page
        .split_once("| Class | Words |")
        .expect("the table of words");
    let (table, _) = table.split_once("\n\n").expect("an end of the table");
    let classes: Vec<Vec<String>> = rows(table).into_iter().skip(1).collect();
    let known = WordClass::ALL.map(|class| {
        let name = class.name();
        let key = format!("rules.{name}_words");
        vec![name.replace('_', " "), class.known().join(" "), key]
    });
    assert_eq!(classes, known);
}

#[test]
fn the_limits_are_those_that_are_kept() {
    let page = read("config/manual/rules.md");
    let grouped = |number: usize| {
        let digits = number.to_string();
        let groups = digits.as_bytes().rchunks(3).rev();
        let groups = groups.map(|group| str::from_utf8(group).expect("digits"));
        groups.collect::<Vec<&str>>().join(",")
    };
    let (mebibytes, depth, word) = (json::BYTES_MAX >> 20, json::DEPTH_MAX, json::TEXT_BYTES_MAX);
    let (values, items) = (grouped(json::VALUES_MAX as usize), grouped(ITEMS_MAX));
    let limits = format!(
        "a JSON column of a restore: {mebibytes} MiB
         a JSON column of a restore: {values} values
         nesting of JSON: {depth} levels
         items of a restore: {items}
         words, such as a status: {word} bytes
         troubled items named per verdict: {EXCEPTIONS_MAX}
         entries in failure_summary: {FAILURE_SUMMARY_MAX}"
    );
    for limit in limits.lines() {
        let (what, limit) = limit.trim().split_once(": ").expect("a limit");
        let rows = rows(&page);
        let row = rows.iter().find(|row| row[0] == what).expect(what);
        assert!(row[1].contains(limit), "{what}: {limit} in {}", row[1]);
    }
}

#[test]
fn every_link_resolves() {
    let mut found = 0;
    for (path, page) in pages() {
        let links = between(&page, "](", ')').chain(between(&page, "src=\"", '"'));
        for link in links.filter(|link| !link.contains("://")) {
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let folder = root().join(&path);
            let target = folder.parent().expect("a folder").join(file);
            assert!(target.exists(), "{path}: {link}");
            let is_there = anchor.is_empty() || has_heading(&target, anchor);
            assert!(is_there, "{path}: {link}");
            found += 1;
        }
    }
    assert!(found > 20, "{found}");
}

/// Whoever installs the package has no other files than those that it holds.
#[test]
fn the_package_holds_what_its_manual_leads_to() {
    let manifest: Value = toml::from_str(&read("Cargo.toml")).expect("TOML");
    let assets = &manifest["package"]["metadata"]["deb"]["assets"];
    let held = assets
        .as_array()
        .expect("assets")
        .iter()
        .filter_map(|asset| {
            let folder = asset[1]
                .as_str()?
                .strip_prefix("usr/share/doc/restore-reconciler/")?;
            let (from, files) = asset[0].as_str()?.split_once(folder)?;
            let (begin, end) = files.split_once('*')?;
            from.is_empty()
                .then(|| (format!("{folder}{begin}"), end.trim_start_matches("*/*")))
        });
    let held: Vec<(String, &str)> = held.collect();
    let mut found = 0;
    for (path, page) in pages()
        .iter()
        .filter(|(path, _)| path.starts_with("config/"))
    {
        let links = between(page, "](", ')').filter(|link| !link.contains("://"));
        for link in links.filter(|link| !link.starts_with('#')) {
            let (file, _) = link.split_once('#').unwrap_or((link, ""));
            let folder = root().join("config/manual").join(file);
            let folder = folder.canonicalize().expect(link);
            let file = folder
                .strip_prefix(root())
                .expect("ours")
                .to_str()
                .expect("text");
            let is_held = held.iter().any(|(begin, end)| {
                let is_file = file.starts_with(begin) && file.ends_with(end);
                is_file || begin.starts_with(&format!("{file}/"))
            });
            assert!(is_held, "{path}: {link} in {held:?}");
            found += 1;
        }
    }
    assert!(found > 20, "{found}");
}

/// Whether a page has a heading that this fragment opens.
fn has_heading(page: &Path, anchor: &str) -> bool {
    let text = fs::read_to_string(page).expect("a page");
    text.lines().any(|line| {
        let heading = line.trim_start_matches('#').trim().to_lowercase();
        line.starts_with('#') && heading.replace(' ', "-") == anchor
    })
}

#[test]
fn every_file_and_module_that_is_named_is_there() {
    const FOLDERS: [&str; 5] = ["config/", "jobs/", "migrations/", "src/", "tests/"];
    let mut found = 0;
    for (path, page) in pages() {
        let is_path = |span: &&str| FOLDERS.iter().any(|folder| span.starts_with(folder));
        for span in spans(&page).into_iter().filter(is_path) {
            let file = span.split_whitespace().next().expect("a word");
            assert!(root().join(file).exists(), "{path}: {span}");
            found += 1;
        }
        for module in between(&page, "restore_reconciler::", ' ') {
            let file = format!("src/{}", module.trim_end_matches(':').replace("::", "/"));
            let mut files = [".rs", "/mod.rs"]
                .map(|end| format!("{file}{end}"))
                .into_iter();
            let is_there = files.any(|file| root().join(file).exists());
            assert!(is_there, "{path}: {module}");
            found += 1;
        }
    }
    assert!(found > 20, "{found}");
}

/// Whether the program takes such a command line.
pub(crate) fn is_taken(arguments: &str) -> bool {
    let mut command = Command::new(PROGRAM);
    command.args(arguments.split_whitespace()).arg("--help");
    let output = command.output().expect("the program was built");
    output.status.success()
}

#[test]
fn every_command_is_one_that_the_program_takes() {
    let mut found = BTreeSet::new();
    for (path, page) in pages() {
        let lines = fenced(&page, "console").flat_map(str::lines);
        for line in lines.filter(|line| line.starts_with("$ ")) {
            let (command, _) = line.split_once(" #").unwrap_or((line, ""));
            let Some((_, arguments)) = command.split_once("restore-reconciler ") else {
                continue;
            };
            assert!(is_taken(arguments), "{path}: {line}");
            found.extend(arguments.split_whitespace().next().map(str::to_owned));
        }
    }
    assert!(found.len() > 8, "{found:?}");
}

#[test]
fn the_settings_exist_and_have_the_defaults_that_are_named() {
    /// Of a capability and of files, whose names look like those of settings.
    const NO_KEYS: [&str; 4] = ["rs", "txt", "view", "yml"];
    let defaults: Value = toml::from_str(&read("config/reconciler.toml")).expect("TOML");
    let sections = defaults.as_object().expect("sections");
    let default = |name: &str| {
        let (section, key) = name.split_once('.')?;
        let value = defaults.get(section)?.get(key)?;
        Some(value.as_str().map_or(value.to_string(), str::to_owned))
    };
    let (mut found, mut compared) = (0, 0);
    for (path, page) in pages() {
        for span in spans(&page) {
            let name = span.split_whitespace().next().unwrap_or_default();
            let is_key = name.split_once('.').is_some_and(|(section, key)| {
                sections.contains_key(section) && !NO_KEYS.contains(&key)
            });
            assert!(!is_key || default(name).is_some(), "{path}: {span}");
            found += usize::from(is_key);
        }
        for row in rows(&page).iter().filter(|row| row.len() == 3) {
            if let Some(default) = default(&row[0]) {
                assert_eq!(row[1], default, "{path}: {}", row[0]);
                compared += 1;
            }
        }
    }
    assert!(found > 15 && compared > 5, "{found} {compared}");
}

#[test]
fn the_exit_codes_are_those_of_the_program() {
    let help = Command::new(PROGRAM).arg("--help").output();
    let help = String::from_utf8(help.expect("the program was built").stdout).expect("text");
    let (_, codes) = help.split_once("Exit codes:\n").expect("exit codes");
    let first = |line| str::split_whitespace(line).next();
    let codes: Vec<&str> = codes.lines().map_while(first).collect();
    let page = read("config/manual/operate.md");
    let (_, table) = page.split_once("## Exit codes").expect("the section");
    let rows = numbered_rows(table);
    let named: Vec<&str> = rows.iter().map(|row| &*row[0]).collect();
    assert_eq!(named, codes);
}

/// The README shows the first screen as it is on a terminal, but for the time it took.
#[test]
fn the_demo_prints_what_the_readme_shows() {
    let output = program("", &["demo"]).env("COLUMNS", "80").output();
    let output = output.expect("the program was built");
    let printed = String::from_utf8(output.stdout).expect("text");
    let readme = read("README.md");
    let sample = fenced(&readme, "text").next().expect("the sample");
    assert_eq!(sample.trim_end(), printed.trim_end());
}

/// What the auditor's page shows is run, command by command, in a directory of its own. Keys are others each time.
#[test]
fn the_proof_on_one_page_is_what_comes_of_its_commands() {
    let directory = tempfile::TempDir::new().expect("a directory");
    let verifier = root().join("config/auditor/verify.py");
    fs::copy(verifier, directory.path().join("verify.py")).expect("a copy");
    symlink(PROGRAM, directory.path().join("restore-reconciler")).expect("a name");
    let page = read("config/manual/auditor.md");
    let (_, page) = page.split_once("## Proof on one page").expect("it");
    let (page, _) = page.split_once("\n## ").expect("the next section");
    let shown: Vec<String> = fenced(page, "console")
        .map(|it| format!("{it}\n"))
        .collect();
    let shown = shown.concat();
    let key_in = |text: &str| {
        let mut words = text.split_whitespace().map(str::to_owned);
        words.find(|word| word.starts_with("restore-reconciler/demo+"))
    };
    let of_page = key_in(&shown).expect("a key");
    let (mut printed, mut made) = (String::new(), None);
    for command in commands_of(&shown) {
        let key = made.as_ref().unwrap_or(&of_page);
        let said = said_in(directory.path(), &command.replace(&of_page, key));
        made = made.or_else(|| key_in(&said));
        printed.extend(["$ ", command.as_str(), said.as_str()]);
    }
    let made = made.expect("a key");
    // A name and an id; what follows may have that sign, too.
    let id_of = |key: &str| {
        let (end, _) = key.match_indices('+').nth(1).expect("its id");
        key[..end].to_owned()
    };
    let printed = printed
        .replace(&made, &of_page)
        .replace(&id_of(&made), &id_of(&of_page));
    let mut rest = printed.as_str();
    // Where the page has an ellipsis, some lines are left out.
    for part in shown.split("…\n") {
        let part = part.trim_end();
        let at = rest.find(part);
        let at = at.unwrap_or_else(|| panic!("{part}\n--- is not in\n{printed}"));
        rest = &rest[at + part.len()..];
    }
}

/// The commands of a page, each with the document that it reads.
fn commands_of(shown: &str) -> Vec<String> {
    let mut commands: Vec<String> = Vec::new();
    let is_open =
        |command: &&mut String| command.contains("<<'END'") && !command.ends_with("\nEND\n");
    for line in shown.lines() {
        if let Some(command) = line.strip_prefix("$ ") {
            commands.push(format!("{command}\n"));
        } else if let Some(command) = commands.last_mut().filter(is_open) {
            command.extend([line, "\n"]);
        }
    }
    assert!(commands.len() > 6, "{commands:?}");
    commands
}

fn said_in(directory: &Path, command: &str) -> String {
    let path = directory.display();
    let script = format!("PATH=\"{path}:$PATH\" COLUMNS=200\nexport PATH COLUMNS\n{command}");
    let mut shell = Command::new("sh");
    shell.args(["-c", &script]).current_dir(directory);
    let output = shell
        .env_remove("RECONCILER_DATABASE_URL")
        .output()
        .expect("sh");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{command}");
    String::from_utf8(output.stdout).expect("text")
}

/// Generated, so that neither a name nor a label can be described that is not exported.
#[test]
fn the_table_of_metrics_is_the_one_that_is_declared() {
    let rows = DECLARED.iter().map(|metric| {
        let labels: Vec<String> = metric.labels.iter().map(|it| format!(" `{it}`")).collect();
        let (name, labels, kind) = (metric.name, labels.join(","), metric.kind.name());
        let (by, help) = (verbs(metric.role), metric.help);
        format!("| `{name}`{labels} | {kind} | {by} | {help} |\n")
    });
    let rows: String = rows.collect();
    let table = format!("| Metric and its labels | Kind | By | |\n|---|---|---|---|\n{rows}");
    let page = read("config/manual/metrics.md");
    let is_held = page.contains(&format!("\n\n{table}\n"));
    assert!(is_held, "config/manual/metrics.md must hold:\n{table}");
}

/// The verbs whose processes export it.
const fn verbs(role: Role) -> &'static str {
    match role {
        Role::Worker => "`work`",
        Role::Console => "`serve`",
        Role::Any => "both",
    }
}

#[test]
fn the_alerts_are_those_that_are_configured() {
    let named = |text: &str| -> BTreeSet<String> {
        let words = text.split(|c: char| !c.is_alphanumeric());
        let alerts = words.filter(|word| word.len() > 10 && word.starts_with("Reconciler"));
        alerts.map(str::to_owned).collect()
    };
    let configured = read("config/prometheus/alerts.yml");
    let configured = configured.lines().filter(|line| line.contains("- alert:"));
    let configured = configured.flat_map(named).collect();
    assert_eq!(named(&read("config/manual/metrics.md")), configured);
}
