//! Modules are ranked, and each uses lower ones only, so that the crate can be read from the bottom up.
//!
//! **Limit:** imports are read, not names that are written out in full in the middle of code.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Every module, the lowest first. One that only gathers others stands above them.
const RANKS: &str = "
    vocabulary ids stamp json trace restore_execute::outcome restore_execute::reason
    restore_execute::request restore_execute::rows restore_execute::merge
    restore_execute::blockers restore_execute::context restore_execute::results
    restore_execute::facts restore_execute::link restore_execute::proof
    restore_execute::decision restore_execute::rules restore_execute::canonical
    restore_execute::record restore_execute::review restore_execute sweep::shard sweep::turns
    sweep attempt reading::seen reading::summary reading::attention reading::unlinked
    reading::result_state reading::posture reading::freshness reading::backup_items
    reading::backup_health reading::preparation reading::gates::gate reading::gates::judge
    reading::gates reading::now reading
";

/// Each module with its source, without its unit tests.
fn modules() -> BTreeMap<String, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut pending: Vec<PathBuf> = vec![root.clone()];
    let mut modules = BTreeMap::new();
    while let Some(folder) = pending.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                pending.push(path);
                continue;
            }
            let source = std::fs::read_to_string(&path).unwrap();
            let code = source.split("#[cfg(test)]").next().unwrap().to_owned();
            let relative = path.strip_prefix(&root).unwrap().with_extension("");
            let parts = relative.iter().map(|part| part.to_str().unwrap());
            let parts: Vec<&str> = parts.filter(|part| *part != "mod").collect();
            modules.insert(parts.join("::"), code);
        }
    }
    modules.remove("lib");
    modules
}

/// The paths that an import names: `a::{b, c::D}` names `a::b` and `a::c::D`.
fn paths(import: &str) -> Vec<String> {
    let Some((before, rest)) = import.split_once('{') else {
        return vec![import.to_owned()];
    };
    let inner = rest.strip_suffix('}').unwrap_or(rest);
    let mut depth = 0;
    let parts = inner.split(|c: char| {
        depth += i32::from(c == '{') - i32::from(c == '}');
        c == ',' && depth == 0
    });
    parts
        .filter(|part| !part.is_empty())
        .flat_map(|part| {
            paths(part)
                .into_iter()
                .map(|path| format!("{before}{path}"))
        })
        .collect()
}

/// The other modules that a module imports from.
fn imported(module: &str, code: &str) -> BTreeSet<&'static str> {
    let statements = code.split(';').filter_map(|statement| {
        let start = statement
            .rfind("\nuse ")
            .or_else(|| statement.rfind("\npub use "))?;
        Some(statement.get(start..)?.split_once("use ")?.1)
    });
    let parent = module.rsplit_once("::").map_or("", |(parent, _)| parent);
    let named = statements.flat_map(|import| {
        let import: String = import.split_whitespace().collect();
        paths(&import)
    });
    let absolute = named.map(|path| {
        if let Some(path) = path.strip_prefix("crate::") {
            path.to_owned()
        } else if let Some(path) = path.strip_prefix("super::") {
            format!("{parent}::{path}")
        } else {
            format!("{module}::{path}")
        }
    });
    let owner = |path: String| {
        let is_of = |rank: &&str| path == *rank || path.starts_with(&format!("{rank}::"));
        let owners = RANKS.split_whitespace().filter(is_of);
        owners.max_by_key(|rank| rank.len())
    };
    let owners = absolute.filter_map(owner);
    owners.filter(|owner| *owner != module).collect()
}

#[test]
fn every_module_has_a_rank_and_uses_lower_ones_only() {
    let rank = |module: &str| RANKS.split_whitespace().position(|ranked| ranked == module);
    let modules = modules();
    for module in RANKS.split_whitespace() {
        assert!(modules.contains_key(module), "{module} is gone");
    }
    let mut imports = 0;
    for (module, code) in &modules {
        let own = rank(module).unwrap_or_else(|| panic!("{module} has no rank"));
        for used in imported(module, code) {
            imports += 1;
            assert!(
                rank(used).unwrap() < own,
                "{module} uses {used}, which is above it"
            );
        }
    }
    assert!(imports > 80, "{imports} imports: they are not read");
}

#[test]
fn imports_are_read_whatever_their_shape() {
    let code = "\nuse super::facts::{At, Facts};\nuse crate::{ids, json::{Column, Json}};\npub use rules::decide;";
    assert_eq!(
        imported("restore_execute::proof", code),
        BTreeSet::from(["ids", "json", "restore_execute::facts"])
    );
    assert_eq!(
        imported("restore_execute", code),
        BTreeSet::from(["ids", "json", "restore_execute::rules"])
    );
}
