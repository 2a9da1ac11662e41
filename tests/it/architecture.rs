//! The dependency rules of the code, checked on its source tree.
//!
//! The compiler holds the border between the two crates; it cannot hold the borders inside one. Each
//! rule is a row of [`RULES`] with the reason a reader of a failure needs, and each row is proven able
//! to fail by a planted violation below.
//!
//! **Limit:** the check reads lines, not syntax. It blanks comments and the text of string literals on
//! each line, so it can be misled by a literal that spans lines. It is a fence against accidents, not
//! against intent.
//! Who may use whom among our own modules is a ranking of them all, in `ranking`.

mod type_names;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use reconciler_jobs::restore_execute::canonical::digest_of;

use crate::manual::{between, read, root};

/// One border: these words may not occur in the Rust files under `within`, save those under `except`.
struct Rule {
    name: &'static str,
    within: &'static [&'static str],
    except: &'static [&'static str],
    words: &'static [Word],
    reason: &'static str,
}

/// How a word is recognised in code.
enum Word {
    /// A name and every name that it begins: `apalis` finds `apalis_postgres` too.
    Crate(&'static str),
    /// The text as it stands.
    Text(&'static str),
}

use Word::{Crate, Text};

/// Code that ships. Tests may reach for a database or a clock.
const SHIPPED: &[&str] = &["src/", "jobs/src/"];
const EVERYTHING: &[&str] = &["src/", "jobs/", "tests/"];

const RULES: &[Rule] = &[
    Rule {
        name: "sqlx only in storage",
        within: SHIPPED,
        // Doctor's statements ask about a database, not for what is in it, and run in no transaction.
        except: &["src/storage/", "src/doctor/"],
        words: &[Crate("sqlx")],
        reason: "every statement and every transaction is found in one place",
    },
    Rule {
        name: "apalis only in worker",
        within: SHIPPED,
        except: &["src/worker/"],
        words: &[Crate("apalis")],
        reason: "the queue delivers hints; no decision may come to depend on it",
    },
    Rule {
        name: "axum and askama only in console",
        within: SHIPPED,
        except: &["src/console/"],
        words: &[Crate("axum"), Crate("askama")],
        reason: "pages show what was decided and can be taken away whole",
    },
    Rule {
        name: "anyhow only at the edge",
        within: SHIPPED,
        except: &["src/cli/", "src/main.rs"],
        words: &[Crate("anyhow")],
        reason: "inside, an error's variant names the failed step, so that callers can act on it",
    },
    Rule {
        name: "subscribers and exporters only in telemetry",
        within: SHIPPED,
        except: &["src/telemetry/"],
        words: &[
            Crate("tracing_subscriber"),
            Crate("opentelemetry"),
            Crate("tracing_opentelemetry"),
        ],
        reason: "whoever says something knows nothing of who listens",
    },
    Rule {
        name: "the stand-in only in demo",
        within: SHIPPED,
        except: &["src/demo/", "src/cli/demo.rs"],
        words: &[Crate("reconciler_fixtures")],
        reason: "no verb that works on a real platform can reach what fills one",
    },
    Rule {
        name: "clocks only in clock.rs",
        within: SHIPPED,
        except: &["src/clock.rs"],
        words: &[
            Text("SystemTime"),
            Text("Instant::now"),
            Text("Timestamp::now"),
            Text("Zoned::now"),
        ],
        reason: "a verdict's time comes from the database, and tests choose theirs",
    },
    Rule {
        name: "the pure crate is pure",
        within: &["jobs/src/"],
        except: &[],
        words: &[
            Crate("tokio"),
            Text("std::fs"),
            Text("std::net"),
            Text("std::env"),
            Text("std::process"),
            Text("std::thread"),
            Text("std::time::Instant"),
            Text("async fn"),
        ],
        reason: "a decision is a function of its facts: the same ones give the same verdict anywhere",
    },
    Rule {
        name: "statements only in .sql files",
        within: &["src/"],
        except: &[],
        words: &[
            Text("query(\""),
            Text("query_as(\""),
            Text("query_scalar(\""),
        ],
        reason: "a statement with a name and a purpose can be found, explained and run by hand",
    },
    Rule {
        name: "no Debug in logs",
        within: SHIPPED,
        except: &[],
        words: &[Text(", ?"), Text("= ?"), Text("{ ?"), Text("  ?")],
        reason: "whoever reads them knows our words and codes, not our types",
    },
    Rule {
        name: "nothing unfinished",
        within: EVERYTHING,
        except: &[],
        words: &[Text("#[ignore"), Text("todo!"), Text("unimplemented!")],
        reason: "a test that does not run and a branch that is not written look like ones that are",
    },
];

/// What the pure crate may depend on: none of these can open a socket, read a clock or spawn a task.
const PURE_DEPENDENCIES: &str =
    "jiff schemars serde serde_json serde_json_canonicalizer sha2 thiserror";

/// What the top of the repository may hold, besides dot-files and what `.gitignore` names.
const TOP_LEVEL: &str =
    "Cargo.toml Cargo.lock src jobs migrations tests config Dockerfile README.md";

/// Repository-relative path, with `/`, to content.
type Files = BTreeMap<String, String>;

#[test]
fn the_source_tree_keeps_the_rules() {
    let rust = load_files(&["src", "jobs", "tests"], "rs");
    assert!(rust.contains_key("src/main.rs"), "the tree was not found");
    let of_file = |(path, text): (&String, &String)| {
        [violations(path, text), unreasoned_expectations(path, text)].concat()
    };
    assert_none(&rust.iter().flat_map(of_file).collect::<Vec<_>>());
}

#[test]
fn every_sql_file_is_named_for_its_purpose_and_used_once() {
    let load = |extension| load_files(&["src", "tests/bench", "tests/fixtures"], extension);
    assert_none(&sql_violations(&load("sql"), &load("rs")));
}

#[test]
fn the_pure_crate_depends_on_nothing_that_could_act() {
    let [workspace, jobs] = ["Cargo.toml", "jobs/Cargo.toml"].map(read);
    assert_none(&dependency_violations(&workspace, &jobs));
}

#[test]
fn the_top_level_holds_only_what_a_newcomer_is_told_about() {
    let entries = fs::read_dir(root()).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let names: Vec<String> = names.collect();
    assert_none(&top_level_violations(&names, &read(".gitignore")));
}

/// Of a licence that only one of them knew, a part would enter without a notice, or a release would fail.
#[test]
fn notices_are_made_of_every_licence_that_may_enter() {
    let [deny, about] = [".cargo/deny.toml", ".cargo/about.toml"]
        .map(|file| toml::from_str::<toml::Table>(&read(file)).unwrap());
    let mut lists = [&deny["licenses"]["allow"], &about["accepted"]].map(|list| {
        let words = list.as_array().unwrap().iter();
        words.map(|it| it.as_str().unwrap()).collect::<Vec<_>>()
    });
    for list in &mut lists {
        list.sort_unstable();
    }
    assert_eq!(lists[0], lists[1]);
    assert_eq!(deny["graph"]["targets"], about["targets"]);
}

/// `tests/console --redraw` replaces them, and notes what it drew.
#[test]
fn pictures_show_what_there_is() {
    let mut drawn = String::new();
    for (folder, extension) in [
        ("src/console/templates", "html"),
        ("src/console/assets", "css"),
        ("config/grafana/dashboards", "json"),
    ] {
        drawn.extend(load_files(&[folder], extension).into_values());
    }
    drawn += &read("tests/browser/dashboards.mjs");
    let noted = read("tests/browser/pictures/made-of.sha256");
    let advice = "tests/console --redraw, and look at them";
    assert_eq!(noted.trim(), digest_of(&drawn), "{advice}");
}

fn assert_none(found: &[String]) {
    let (number, lines) = (found.len(), found.join("\n"));
    assert_eq!(number, 0, "{number} violation(s):\n{lines}");
}

/// Every rule that one Rust file breaks, one line per place.
fn violations(path: &str, text: &str) -> Vec<String> {
    let is_under = |roots: &[&str]| roots.iter().any(|root| path.starts_with(root));
    let holds = |rule: &&Rule| is_under(rule.within) && !is_under(rule.except);
    let mut found = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let code = code_of(line);
        let breaks = |rule: &&Rule| rule.words.iter().any(|word| word.occurs_in(&code));
        for Rule { name, reason, .. } in RULES.iter().filter(holds).filter(breaks) {
            found.push(format!("{path}:{number}: {name}, because {reason}"));
        }
    }
    found
}

/// Every `#[expect]` that does not say why.
fn unreasoned_expectations(path: &str, text: &str) -> Vec<String> {
    let code: String = text.lines().map(|line| code_of(line) + "\n").collect();
    let openings = ["#[expect(", "#![expect("].into_iter();
    let starts = openings.flat_map(|opening| code.match_indices(opening));
    let unreasoned = starts.filter(|(start, _)| {
        let attribute = code[*start..].split(")]").next().unwrap_or_default();
        !attribute.contains("reason")
    });
    let numbers = unreasoned.map(|(start, _)| code[..start].matches('\n').count() + 1);
    let why = "an expectation gives its reason, because it outlives its author";
    numbers
        .map(|number| format!("{path}:{number}: {why}"))
        .collect()
}

impl Word {
    fn occurs_in(&self, code: &str) -> bool {
        let (Crate(word) | Text(word)) = self;
        let is_name = |c: char| c.is_alphanumeric() || c == '_';
        code.match_indices(word).any(|(start, _)| match self {
            Text(_) => true,
            Crate(_) => !code[..start].ends_with(is_name),
        })
    }
}

/// A line without its comment and without the text inside its string literals.
fn code_of(line: &str) -> String {
    let mut code = String::new();
    let mut rest = line.chars().peekable();
    let mut in_string = false;
    while let Some(c) = rest.next() {
        match (in_string, c) {
            (true, '\\') => drop(rest.next()),
            (_, '"') => {
                in_string = !in_string;
                code.push('"');
            }
            (true, _) => {}
            (false, '/') if rest.peek() == Some(&'/') => break,
            // The literal '"' opens no string.
            (false, '\'') if rest.peek() == Some(&'"') => drop(rest.next()),
            (false, _) => code.push(c),
        }
    }
    code
}

/// Every `.sql` file whose first line does not name it, or that is not included exactly once.
fn sql_violations(sql: &Files, rust: &Files) -> Vec<String> {
    let included = rust.iter().flat_map(|(user, text)| inclusions(user, text));
    let included: Vec<PathBuf> = included.collect();
    let mut found = Vec::new();
    for (path, text) in sql {
        let name = Path::new(path).file_stem().unwrap().to_str().unwrap();
        let line = text.lines().next().unwrap_or_default();
        let purpose = line.strip_prefix(&format!("-- {name}: "));
        if purpose.is_none_or(|purpose| purpose.trim().is_empty()) {
            found.push(format!(
                "{path}:1: begins with `-- {name}: purpose`, because the server's log shows that line"
            ));
        }
        let uses = included.iter().filter(|it| *it == Path::new(path)).count();
        if uses != 1 {
            found.push(format!(
                "{path}: included {uses} times instead of once, so it is dead or shared"
            ));
        }
    }
    found
}

/// The files that the Rust file `user` includes, once for each time; its text names them relative to itself, or as a
/// statement of both databases or of one.
fn inclusions(user: &str, text: &str) -> Vec<PathBuf> {
    let directory = Path::new(user).parent().unwrap();
    let is_code = |line: &&str| !line.trim_start().starts_with("//");
    let code = text.lines().filter(is_code);
    let code: String = code.flat_map(str::split_whitespace).collect();
    let included = between(&code, "include_str!(\"", '"');
    let included = included.map(|relative| normalized(&directory.join(relative)));
    let stated = between(&code, "statement!(", ')').flat_map(stated);
    included.chain(stated).collect()
}

/// The files that `statement!` with these arguments, which stand without spaces, includes.
fn stated(arguments: &str) -> Vec<PathBuf> {
    let Some(name) = arguments.rsplit('"').nth(1) else {
        return Vec::new();
    };
    let folders: &[&str] = if arguments.contains(",both") {
        &["sql"]
    } else if arguments.contains(",postgres\"") {
        &["postgres/sql"]
    } else if arguments.contains(",sqlite") {
        &["sqlite/sql"]
    } else {
        &["postgres/sql", "sqlite/sql"]
    };
    let file = |folder| format!("src/storage/{folder}/{name}.sql").into();
    folders.iter().map(file).collect()
}

fn normalized(path: &Path) -> PathBuf {
    path.components().fold(PathBuf::new(), |mut parts, part| {
        match part.as_os_str().to_str() {
            Some("..") => drop(parts.pop()),
            _ => parts.push(part),
        }
        parts
    })
}

/// What the pure crate depends on and should not, or jiff with a clock in it.
fn dependency_violations(workspace: &str, jobs: &str) -> Vec<String> {
    let mut found = Vec::new();
    let of_crate = section(jobs, "[dependencies]");
    let mut names: Vec<&str> = of_crate.filter_map(|line| key_of(line)).collect();
    names.sort_unstable();
    if names.join(" ") != PURE_DEPENDENCIES {
        found.push(format!(
            "jobs/Cargo.toml: depends on {names:?} instead of {PURE_DEPENDENCIES}"
        ));
    }
    let is_other = |line: &&str| !["[dependencies]", "[dev-dependencies]"].contains(line);
    let tables = jobs.lines().filter(|line| line.starts_with('['));
    let tables = tables.filter(|line| line.contains("dependencies"));
    for table in tables.filter(is_other) {
        found.push(format!(
            "jobs/Cargo.toml: {table} hides a dependency from the list"
        ));
    }
    let is_jiff = |line: &&str| key_of(line) == Some("jiff");
    let mut jiff = section(workspace, "[workspace.dependencies]").filter(is_jiff);
    if !jiff.any(|line| line.contains("default-features = false") && !line.contains("\"std\"")) {
        found.push("Cargo.toml: jiff has its `std` feature, and with it a clock".to_owned());
    }
    let mut jiff = section(jobs, "[dependencies]").filter(is_jiff);
    if jiff.any(|line| line.contains("features")) {
        let fault = "jobs/Cargo.toml: jiff's features are chosen in the workspace only";
        found.push(fault.to_owned());
    }
    found
}

/// The lines of one table of a manifest.
fn section<'a>(manifest: &'a str, header: &'a str) -> impl Iterator<Item = &'a str> {
    manifest
        .lines()
        .skip_while(move |line| line.trim() != header)
        .skip(1)
        .take_while(|line| !line.starts_with('['))
}

/// The key of a manifest's line, without what follows a dot: `serde` of `serde.workspace = true`.
fn key_of(line: &str) -> Option<&str> {
    let line = line.split('#').next()?;
    let (key, _) = line.split_once('=')?;
    key.trim().split('.').next()
}

/// Entries that are neither in [`TOP_LEVEL`] nor dot-files nor ignored by one of git's plain patterns.
fn top_level_violations(entries: &[String], gitignore: &str) -> Vec<String> {
    let ignores = |pattern: &str, entry: &str| match pattern.strip_prefix('*') {
        Some(suffix) => !suffix.is_empty() && entry.ends_with(suffix),
        None => pattern.trim_matches('/') == entry,
    };
    let is_stray = |entry: &&String| {
        let is_ignored = gitignore.lines().any(|pattern| ignores(pattern, entry));
        !is_ignored && !entry.starts_with('.') && !TOP_LEVEL.split(' ').any(|it| it == *entry)
    };
    let why = "the top level is a table of contents and has no place for it";
    let strays = entries.iter().filter(is_stray);
    strays.map(|entry| format!("{entry}: {why}")).collect()
}

fn load_files(directories: &[&str], extension: &str) -> Files {
    let mut files = Files::new();
    let mut pending: Vec<PathBuf> = directories.iter().map(|name| root().join(name)).collect();
    while let Some(directory) = pending.pop() {
        for entry in fs::read_dir(&directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                pending.push(path);
            } else if path.extension().is_some_and(|found| found == extension) {
                let relative = path.strip_prefix(root()).unwrap().to_str().unwrap();
                files.insert(relative.to_owned(), read(relative));
            }
        }
    }
    files
}

mod tests {
    use super::*;

    /// Each rule, and below it files and a line in each that breaks it.
    const PLANTED: &[&str] = &[
        "sqlx only in storage:",
        "    src/cli/sweep.rs: use sqlx::PgPool;",
        "    jobs/src/lib.rs: use sqlx::Row;",
        "apalis only in worker:",
        "    src/storage/mod.rs: use apalis_postgres::Task;",
        "axum and askama only in console:",
        "    src/worker/mod.rs: pub async fn page() -> axum::Json<()> {",
        "    src/cli/demo.rs: #[derive(askama::Template)]",
        "subscribers and exporters only in telemetry:",
        "    src/cli/work.rs: let layer = tracing_opentelemetry::layer();",
        "the stand-in only in demo:",
        "    src/cli/sweep.rs: use reconciler_fixtures::Standin;",
        "anyhow only at the edge:",
        "    src/storage/error.rs: Other(#[from] anyhow::Error),",
        "clocks only in clock.rs:",
        "    src/storage/mod.rs: let now = Timestamp::now(); // quick",
        "    jobs/src/sweep.rs: fn due(now: SystemTime) {}",
        "the pure crate is pure:",
        "    jobs/src/lib.rs: pub async fn decide() {}",
        "    jobs/src/lib.rs: let text = std::fs::read_to_string(path);",
        "statements only in .sql files:",
        "    src/storage/postgres/mod.rs: sqlx::query(\"SELECT 1\")",
        "no Debug in logs:",
        "    src/worker/mod.rs: tracing::info!(limit = ?drain_timeout, \"stopping\");",
        "    src/storage/report.rs: { { RUN_ID } = run.0, ?result },",
        "    src/worker/sweeps.rs:             ?job,",
        "nothing unfinished:",
        "    jobs/tests/laws.rs: #[ignore = \"slow\"]",
        "    src/cli/doctor.rs: todo!()",
    ];

    #[test]
    fn each_planted_violation_is_found_and_each_rule_has_one() {
        let mut planted = BTreeSet::new();
        let mut rule = "";
        for row in PLANTED {
            let Some((path, line)) = row.trim_start().split_once(": ") else {
                rule = row.trim_end_matches(':');
                continue;
            };
            planted.insert(rule);
            let found = violations(path, &format!("//! A file.\n{line}\n"));
            let expected = format!("{path}:2: {rule}, because");
            let is_found = found.iter().any(|it| it.starts_with(&expected));
            assert!(is_found, "{row}\n{found:?}");
        }
        let rules: BTreeSet<_> = RULES.iter().map(|rule| rule.name).collect();
        assert_eq!(planted, rules, "each rule can fail, and is seen to");
    }

    #[test]
    fn what_only_looks_like_a_violation_is_not_one() {
        let innocent = [
            ("src/storage/postgres/mod.rs", "use sqlx::postgres::PgPool;"),
            ("src/main.rs", "fn main() -> anyhow::Result<()> {"),
            ("src/clock.rs", "Timestamp::now()"),
            ("src/cli/a.rs", "worker: String, // crate::apalis writes it"),
            ("src/cli/a.rs", "//! Unlike sqlx::Any, this asks."),
            (
                "src/cli/a.rs",
                "let a = \"use sqlx::migrate, \\\"todo!\\\"\";",
            ),
            (
                "src/cli/a.rs",
                "if c == '\"' || d == '\"' { let client = 1; }",
            ),
            ("tests/it/settle.rs", "use sqlx::PgPool;"),
            (
                "src/cli/a.rs",
                "fn a<T: ?Sized + Debug>(a: &T) -> Result<()> { b()?; }",
            ),
        ];
        for (path, line) in innocent {
            assert_none(&violations(path, line));
        }
    }

    #[test]
    fn an_expectation_without_a_reason_is_found_on_one_line_or_several() {
        let bare = "fn a() {}\n#[expect(dead_code)]\nfn b() {}\n";
        assert!(unreasoned_expectations("a.rs", bare)[0].starts_with("a.rs:2:"));
        let spread = "#![expect(\n    dead_code,\n)]\n#[expect(dead_code, reason = \"x\")]\n";
        assert_eq!(unreasoned_expectations("a.rs", spread).len(), 1);
        let reasoned = "#[expect(\n    dead_code,\n    reason = \"soon (or so)] used\"\n)]\n";
        assert_none(&unreasoned_expectations("a.rs", reasoned));
    }

    #[test]
    fn a_nameless_a_misnamed_a_dead_and_a_shared_sql_file_are_found() {
        let file = |path: &str, text: &str| Files::from([(path.to_owned(), text.to_owned())]);
        let user = |text: &str| file("src/storage/postgres/mod.rs", text);
        let query = |text: &str| file("src/storage/sql/load_runs.sql", text);
        let once = user("const A: &str = include_str!(\n    \"../sql/load_runs.sql\"\n);");
        let good = query("-- load_runs: the runs of a batch\nSELECT 1");

        assert_none(&sql_violations(&good, &once));
        for bad in [
            "SELECT 1",
            "-- load_restores: x\nSELECT 1",
            "-- load_runs:\nSELECT 1",
            "-- load_runs: \nSELECT 1",
        ] {
            assert_eq!(sql_violations(&query(bad), &once).len(), 1, "{bad}");
        }
        for unused in [
            "",
            "// include_str!(\"../sql/load_runs.sql\")",
            "include_str!(\"load_runs.sql\")",
        ] {
            assert_eq!(sql_violations(&good, &user(unused)).len(), 1, "{unused}");
        }
        let twice = "include_str!(\"../sql/load_runs.sql\") include_str!(\"../sql/load_runs.sql\")";
        assert_eq!(sql_violations(&good, &user(twice)).len(), 1);
    }

    #[test]
    fn a_pure_crate_that_gains_a_dependency_or_a_clock_is_found() {
        let workspace =
            "[workspace.dependencies]\njiff = { version = \"0.2\", default-features = false }\n";
        let jobs = "[dependencies]\njiff.workspace = true\nschemars.workspace = true\nserde.workspace = true\n\
            serde_json.workspace = true\nserde_json_canonicalizer = \"0.4\" # why\nsha2 = { version = \"0.11\" }\nthiserror.workspace = true\n\
            [dev-dependencies]\nproptest.workspace = true\n";
        assert_none(&dependency_violations(workspace, jobs));

        let with_clock = workspace.replace("= false", "= false, features = [\"std\"]");
        let by_default = workspace.replace(", default-features = false", "");
        for workspace in [with_clock, by_default] {
            let found = dependency_violations(&workspace, jobs);
            assert_eq!(found.len(), 1, "{workspace}");
        }
        for jobs in [
            jobs.replace("[dev-dependencies]", "tokio = \"1\"\n[dev-dependencies]"),
            jobs.replace("sha2 = { version = \"0.11\" }\n", ""),
            format!("{jobs}[target.'cfg(unix)'.dependencies]\nlibc = \"1\"\n"),
            jobs.replace("jiff.workspace = true", "jiff = { features = [\"std\"] }"),
        ] {
            assert_eq!(dependency_violations(workspace, &jobs).len(), 1, "{jobs}");
        }
    }

    #[test]
    fn a_stray_entry_at_the_top_is_found() {
        let entries = ["src", ".ci", "target", "demo.sqlite", "notes.md"].map(str::to_owned);
        let found = top_level_violations(&entries, "/target\n*.sqlite\n");
        assert_eq!(found.len(), 1);
        assert!(found[0].starts_with("notes.md:"));
    }
}
