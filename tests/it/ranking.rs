//! Modules are ranked, and each uses lower ones only, so that a crate can be read from the bottom up.
//!
//! What a module names is read from its text: imports, and paths from `crate`, `super`, `self` or a module of its own.
//! Unit tests may name whatever they like.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Rows of modules, the lowest first. Modules of one row do not know each other.
type Ranks = &'static [&'static [&'static str]];

/// Every module of the library.
const LIBRARY: Ranks = &[
    &["clock", "release", "tree"],
    &["health", "metrics"],
    &["http", "telemetry::journal", "telemetry::verbosity"],
    &["telemetry::export"],
    &["telemetry::names"],
    &["telemetry"],
    &["storage::distrust", "storage::plans"],
    &["storage::error"],
    &["storage::queue::state"],
    &["storage::column"],
    &["storage::limits", "storage::observations"],
    &["storage::model"],
    &["storage::settle::round"],
    &["storage::report", "storage::spelling"],
    &["storage::statement"],
    &["storage::connection", "storage::records"],
    &["storage::parsing", "storage::transaction"],
    &["storage::postgres::address"],
    &["storage::postgres::holders"],
    &["storage::postgres::nodelay"],
    &["storage::postgres"],
    &["storage::postgres::shape"],
    &[
        "storage::postgres::triggers",
        "storage::postgres::uninstall",
        "storage::postgres::upgrade",
    ],
    &["storage::sqlite"],
    &["storage::database"],
    &["storage::settle::statements"],
    &["storage::settle::gather", "storage::settle::written"],
    &["storage::settle::once"],
    &[
        "storage::settle::door",
        "storage::settle::isolate",
        "storage::settle::rehearse",
    ],
    &["storage::settle"],
    &["storage::store"],
    &["storage::queue::file", "storage::queue::listener"],
    &["storage::connect", "storage::sweeps"],
    &["storage::queue"],
    &["storage::reader::names", "storage::reader::scope"],
    &[
        "storage::reader::backups",
        "storage::reader::open",
        "storage::reader::record",
    ],
    &[
        "storage::reader::queue",
        "storage::reader::restores",
        "storage::reader::standing",
        "storage::reader::sweeps",
    ],
    &[
        "storage::reader::environments",
        "storage::reader::found",
        "storage::reader::run",
    ],
    &[
        "storage::reader::later",
        "storage::reader::ledger",
        "storage::reader::runs",
        "storage::reader::status",
    ],
    &[
        "storage::reader::restore_list",
        "storage::reader::run_counts",
    ],
    &["storage::reader"],
    &["storage::pauses"],
    &[
        "storage::census",
        "storage::feed",
        "storage::forget",
        "storage::judges",
        "storage::metadata_keys",
        "storage::moments",
        "storage::opinions",
        "storage::survey",
        "storage::tree",
    ],
    &["storage"],
    &["config::capability", "config::database_url"],
    &["config::error"],
    &["config::passfile"],
    &["config::environment", "config::fields"],
    &["config::links", "config::section"],
    &[
        "config::checkpoints",
        "config::console",
        "config::database",
        "config::log",
        "config::metrics",
        "config::rules",
    ],
    &[
        "config::preparation",
        "config::settling",
        "config::source",
        "config::sweep",
        "config::worker",
    ],
    &["config::variables"],
    &["config"],
    &["doctor::check", "doctor::indexes", "doctor::needs"],
    &["doctor::purpose"],
    &["doctor::rights"],
    &["doctor::postgres", "doctor::rehearsal", "doctor::sqlite"],
    &[
        "doctor::hidden_rows",
        "doctor::metadata_keys",
        "doctor::moments",
    ],
    &["doctor"],
    &["sweep", "views::moment", "views::state"],
    &[
        "ledger::checkpoint",
        "ledger::exported",
        "ledger::parts",
        "ledger::proofs",
    ],
    &["ledger::archive", "ledger::report"],
    &["ledger::offline"],
    &["ledger::export", "ledger::simulate", "ledger::verify"],
    &["ledger::leaves"],
    &["ledger", "postures", "views"],
    &[
        "views::environment",
        "views::failure",
        "views::mix",
        "views::opinion",
        "views::simulation",
        "views::status",
    ],
    &["views::survey"],
    &["views::overview", "views::verdict"],
    &[
        "views::counterfactual",
        "views::later",
        "views::queue",
        "views::timeline",
    ],
    &["views::run::card", "views::run::items", "views::run::seen"],
    &["views::run::diagnostics", "views::run::evidence"],
    &["views::run"],
    &[
        "views::explain",
        "views::past",
        "views::restore",
        "views::restores",
        "views::runs",
    ],
    &[
        "console::access::cookie",
        "console::access::origin",
        "console::access::viewer",
    ],
    &["console::access::rate", "console::access::tokens"],
    &["console::access::sessions"],
    &["console::access"],
    &["console::cache", "console::probes", "console::problem"],
    &["console::query"],
    &["console::load"],
    &["console::api::describe", "console::api::tagged"],
    &["console::api"],
    &["console::metrics"],
    &["console::pages::download", "console::pages::words"],
    &[
        "console::pages::chart",
        "console::pages::form",
        "console::pages::spans",
    ],
    &["console::pages"],
    &["console::pages::routes"],
    &["console::server::connections"],
    &["console::server"],
    &["console::login"],
    &[
        "console::middleware::concurrency",
        "console::middleware::headers",
        "console::middleware::identify",
    ],
    &["console::middleware::problem"],
    &["console::middleware"],
    &["console"],
    &["worker::name"],
    &["worker::shared"],
    &["worker::attempt"],
    &[
        "worker::batch",
        "worker::census",
        "worker::checkpoints",
        "worker::connection",
        "worker::examine",
        "worker::judges",
        "worker::opinions",
        "worker::rights",
    ],
    &["worker::feed"],
    &["worker::notify", "worker::recheck"],
    &["worker::runtime"],
    &["worker::supervise"],
    &["worker::restore_execute", "worker::sweeps"],
    &["worker"],
    &["demo::error", "demo::report", "demo::seen"],
    &["demo::through_queue", "demo::volume"],
    &["demo"],
    &[
        "cli::exit",
        "cli::help",
        "cli::output",
        "cli::supervisor",
        "cli::table",
        "cli::words",
    ],
    &["cli::screen"],
    &[
        "cli::completions",
        "cli::failure",
        "cli::results",
        "cli::since",
    ],
    &[
        "cli::interruption",
        "cli::ledger::offline",
        "cli::ledger::part",
        "cli::man",
        "cli::progress",
        "cli::reason",
        "cli::session",
        "cli::waiting",
    ],
    &[
        "cli::ledger::checkpoints",
        "cli::ledger::export",
        "cli::ledger::simulate",
        "cli::reload",
    ],
    &[
        "cli::explain",
        "cli::forget",
        "cli::grants",
        "cli::ledger",
        "cli::migrate",
        "cli::opinions",
        "cli::runs",
        "cli::survey",
        "cli::wait",
    ],
    &["cli::enqueue"],
    &["cli::doctor"],
    &["cli::queue::change", "cli::queue::list", "cli::queue::show"],
    &["cli::queue"],
    &["cli::demo::export", "cli::reconcile", "cli::serve"],
    &[
        "cli::demo",
        "cli::probe",
        "cli::settings",
        "cli::sweep",
        "cli::token",
        "cli::uninstall",
        "cli::version",
        "cli::work",
    ],
    &["cli"],
    &["internals"],
];

/// Modules with others below them, of which neither runs the other: what they share is beneath both.
const APART: [&str; 2] = ["console", "worker"];

/// Every module of the pure crate.
const PURE: Ranks = &[
    &["vocabulary"],
    &["json"],
    &["ids"],
    &["stamp"],
    &["trace"],
    &["restore_execute::outcome"],
    &["restore_execute::reason"],
    &["restore_execute::request"],
    &["restore_execute::rows"],
    &["restore_execute::merge"],
    &["restore_execute::blockers"],
    &["restore_execute::context"],
    &["restore_execute::canonical"],
    &["restore_execute::words"],
    &["restore_execute::results"],
    &["restore_execute::facts"],
    &["restore_execute::link"],
    &["restore_execute::proof"],
    &["restore_execute::decision"],
    &["restore_execute::table"],
    &["restore_execute::rules"],
    &["restore_execute::ruleset_1::facts"],
    &["restore_execute::ruleset_1::proof"],
    &["restore_execute::ruleset_1::rules"],
    &["restore_execute::ruleset_1"],
    &["restore_execute::rulesets"],
    &["restore_execute::counterfactual"],
    &["restore_execute::opinion", "restore_execute::record"],
    &[
        "restore_execute::past",
        "restore_execute::review",
        "restore_execute::survey",
    ],
    &["restore_execute::simulate"],
    &["restore_execute"],
    &["sweep::admission", "sweep::shard"],
    &["sweep::turns"],
    &["sweep"],
    &["attempt"],
    &["shift"],
    &["reading::seen"],
    &["reading::summary"],
    &["reading::attention"],
    &["reading::unlinked"],
    &["reading::result_state"],
    &["reading::posture"],
    &["reading::freshness"],
    &["reading::backup_items"],
    &["reading::backup_health"],
    &["reading::metadata_keys"],
    &["reading::preparation"],
    &["reading::gates::gate"],
    &["reading::gates::judge"],
    &["reading::gates"],
    &["reading::now"],
    &["reading"],
];

/// Each module's text by its path, without comments and unit tests.
type Modules = BTreeMap<String, String>;

fn load_modules(root: &str) -> Modules {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(root);
    let mut pending: Vec<PathBuf> = vec![root.clone()];
    let mut modules = Modules::new();
    while let Some(folder) = pending.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                pending.push(path);
                continue;
            }
            let relative = path.strip_prefix(&root).unwrap().with_extension("");
            let parts = relative.iter().map(|part| part.to_str().unwrap());
            let parts: Vec<&str> = parts.filter(|part| *part != "mod").collect();
            let is_module = path.extension().is_some_and(|extension| extension == "rs");
            if is_module && !matches!(parts[..], ["lib" | "main"] | [.., "tests"]) {
                modules.insert(
                    parts.join("::"),
                    code_of(&fs::read_to_string(&path).unwrap()),
                );
            }
        }
    }
    modules
}

/// A module's text without comments, unit tests, and the paths of restricted visibility.
fn code_of(text: &str) -> String {
    let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
    let lines = code.lines().filter_map(|line| line.split("//").next());
    let code: String = lines.flat_map(|line| [line, "\n"]).collect();
    let mut pieces = code.split("pub(");
    let first = pieces.next().unwrap().to_owned();
    let rest = pieces.map(|piece| piece.split_once(')').map_or(piece, |(_, rest)| rest));
    rest.fold(first, |code, piece| code + "pub" + piece)
}

/// The words from which a path may begin, each with the module that it stands for.
fn beginnings(module: &str, code: &str) -> Vec<(String, String)> {
    let parent = module.rsplit_once("::").map_or("", |(parent, _)| parent);
    let below = |parent: &str| match parent {
        "" => String::new(),
        parent => format!("{parent}::"),
    };
    let children = code.split("mod ").skip(1).filter_map(|rest| {
        let (name, _) = rest.split_once(';')?;
        let is_name = name.chars().all(|c| c.is_alphanumeric() || c == '_');
        is_name.then(|| (name.to_owned(), format!("{module}::{name}::")))
    });
    let fixed = [
        ("crate", String::new()),
        ("super", below(parent)),
        ("self", below(module)),
    ];
    let fixed = fixed.map(|(word, stands_for)| (word.to_owned(), stands_for));
    fixed.into_iter().chain(children).collect()
}

/// Notes every path that begins `text`: `a::{b, c::D}` names `a::b` and `a::c::D`. Returns what follows.
fn read_paths<'t>(text: &'t str, before: &str, found: &mut BTreeSet<String>) -> &'t str {
    let text = text.trim_start();
    if let Some(mut rest) = text.strip_prefix('{') {
        loop {
            let after = read_paths(rest, before, found);
            rest = after.trim_start_matches(|c| c != ',' && c != '}');
            match rest.strip_prefix(',') {
                Some(next) => rest = next,
                None => return rest.get(1..).unwrap_or_default(),
            }
        }
    }
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_');
    let (name, rest) = text.split_at(end.unwrap_or(text.len()));
    match rest.strip_prefix("::") {
        Some(rest) if name == "super" => {
            let parent = before.trim_end_matches("::").rsplit_once("::");
            let parent = parent.map_or(String::new(), |(parent, _)| format!("{parent}::"));
            read_paths(rest, &parent, found)
        }
        Some(rest) => read_paths(rest, &format!("{before}{name}::"), found),
        None => {
            found.insert(format!("{before}{name}"));
            rest
        }
    }
}

/// The modules that the text of `module` names, itself aside.
fn named(module: &str, code: &str, modules: &Modules) -> BTreeSet<String> {
    let is_name = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
    let mut paths = BTreeSet::new();
    for (word, stands_for) in beginnings(module, code) {
        for (at, _) in code.match_indices(&format!("{word}::")) {
            if !code[..at].ends_with(is_name) {
                read_paths(&code[at + word.len() + 2..], &stands_for, &mut paths);
            }
        }
    }
    let owner = |path: String| {
        let is_of = |of: &&String| path == **of || path.starts_with(&format!("{of}::"));
        modules
            .keys()
            .filter(is_of)
            .max_by_key(|of| of.len())
            .cloned()
    };
    let owners = paths.into_iter().filter_map(owner);
    owners.filter(|owner| owner != module).collect()
}

/// Every module without a rank, every rank without a module, and every use of a module that is not lower.
fn violations(modules: &Modules, ranks: Ranks) -> Vec<String> {
    let rank = |module: &str| ranks.iter().position(|row| row.contains(&module));
    let gone = ranks.iter().copied().flatten();
    let gone = gone.filter(|ranked| !modules.contains_key(**ranked));
    let mut found: Vec<String> = gone.map(|ranked| format!("{ranked} is gone")).collect();
    for (module, code) in modules {
        let Some(own) = rank(module) else {
            found.push(format!("{module} has no rank"));
            continue;
        };
        for used in named(module, code, modules) {
            if rank(&used).is_some_and(|used| used >= own) {
                found.push(format!("{module} uses {used}, which is not below it"));
            }
            let of = |module: &str| APART.into_iter().find(|part| module.starts_with(part));
            if of(module).is_some() && of(&used).is_some() && of(module) != of(&used) {
                found.push(format!("{module} uses {used}, which it must run without"));
            }
        }
    }
    found
}

#[test]
fn every_module_has_a_rank_and_uses_lower_ones_only() {
    for (root, ranks, uses_min) in [("src", LIBRARY, 400), ("jobs/src", PURE, 80)] {
        let modules = load_modules(root);
        assert_eq!(violations(&modules, ranks), Vec::<String>::new(), "{root}");
        let uses = modules
            .iter()
            .map(|(module, code)| named(module, code, &modules).len());
        let uses: usize = uses.sum();
        assert!(uses > uses_min, "{uses} uses in {root}: they are not read");
    }
}

#[test]
fn what_is_named_is_read_whatever_its_shape() {
    let modules = load_modules("src");
    let code = code_of(
        "mod settle;\npub(in crate::cli) fn f() {}\nuse super::{clock::Stopwatch, views::{run, Moment}};
         pub(crate) use crate::storage::error as e; // crate::demo
         // crate::worker
         fn g() { settle::run(crate::metrics::RUNS); other_settle::run(); }
#[cfg(test)]\nmod tests { use crate::doctor; }",
    );
    let found = named("storage", &code, &modules);
    let expected = [
        "clock",
        "metrics",
        "storage::error",
        "storage::settle",
        "views",
        "views::run",
    ];
    assert_eq!(
        found.iter().map(String::as_str).collect::<Vec<_>>(),
        expected
    );
    let code = "use super::super::queue::state::{QueueState, run_of};";
    assert_eq!(
        named("storage::reader::queue", code, &modules),
        BTreeSet::from(["storage::queue::state".to_owned()])
    );
}

#[test]
fn a_use_upwards_or_beside_and_a_module_without_a_rank_are_found() {
    for (module, code, finding) in [
        (
            "storage::store",
            "use crate::cli::exit;",
            "uses cli::exit, which is not below it",
        ),
        (
            "storage::store",
            "fn f() { crate::doctor::examine(); }",
            "uses doctor, which",
        ),
        (
            "sweep",
            "use crate::postures::Tally;",
            "uses postures, which is not below it",
        ),
        (
            "worker::name",
            "use crate::console::problem::Problem;",
            "which it must run without",
        ),
        ("views::novelty", "", "has no rank"),
    ] {
        let mut modules = load_modules("src");
        modules.insert(module.to_owned(), code.to_owned());
        let found = violations(&modules, LIBRARY);
        assert!(found.len() == 1 && found[0].contains(finding), "{found:?}");
    }
    let mut modules = load_modules("src");
    modules.remove("clock");
    let found = violations(&modules, LIBRARY);
    assert_eq!(found, ["clock is gone"]);
}
