//! The README and the manual say what the code does: the parts that can be compared are compared.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use restore_reconciler::metrics::{DECLARED, Role};

/// Pages with more bytes than this are not read to their end.
const README_BYTES_MAX: usize = 12 << 10;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The README and every page of the manual, by path.
fn pages() -> BTreeMap<String, String> {
    let manual = fs::read_dir(root().join("config/manual")).expect("the manual");
    let manual = manual.map(|entry| {
        let name = entry.expect("an entry").file_name();
        format!("config/manual/{}", name.display())
    });
    let names = manual.chain(["README.md".to_owned()]);
    let pages: BTreeMap<_, _> = names.map(|name| (name.clone(), read(&name))).collect();
    assert!(pages.len() > 6, "{:?}", pages.keys());
    pages
}

/// The statements that the manual tells an operator to run for the roles of a worker and of a platform.
pub(crate) fn grants_of_a_worker() -> String {
    grants("-- The worker: ")
}

/// The statements that the manual tells an operator to run for the role of a console.
pub(crate) fn grants_of_a_console() -> String {
    grants("-- The console: ")
}

/// The block of SQL that begins with this comment.
fn grants(opening: &str) -> String {
    let page = read("config/manual/database.md");
    let block = fenced(&page, "sql").find(|block| block.starts_with(opening));
    block.expect(opening).to_owned()
}

/// The blocks of a language.
fn fenced<'p>(page: &'p str, language: &str) -> impl Iterator<Item = &'p str> {
    let blocks = page.split("\n```").skip(1).step_by(2);
    let prefix = format!("{language}\n");
    blocks.filter_map(move |block| block.strip_prefix(&prefix))
}

/// Everything that stands between an opening and the next end.
fn between<'p>(page: &'p str, opening: &str, end: char) -> impl Iterator<Item = &'p str> {
    let rests = page.split(opening).skip(1);
    rests.filter_map(move |rest| rest.split(end).next())
}

/// The cells of every row of every table, without typography.
fn rows(text: &str) -> Vec<Vec<String>> {
    let lines = text
        .lines()
        .map(|line| line.trim_start_matches("//!").trim());
    let rows = lines.filter(|line| line.starts_with('|'));
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
    assert!(
        bytes <= README_BYTES_MAX,
        "{bytes}: what an operator looks up belongs to config/manual"
    );
}

#[test]
fn the_decision_table_is_the_one_beside_the_rules() {
    let rules = numbered_rows(&read("jobs/src/restore_execute/rules.rs"));
    let manual = numbered_rows(&read("config/manual/rules.md"));
    assert_eq!(rules.len(), 22);
    assert_eq!(rules.len(), manual.len());
    for (rule, row) in rules.iter().zip(&manual) {
        assert_eq!(rule[..3], row[..3]);
        // The manual spells out "that gap" where the codes are few.
        if rule[3] != "that gap" {
            assert_eq!(rule[3], row[3]);
        }
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
            assert!(
                anchor.is_empty() || has_heading(&target, anchor),
                "{path}: {link}"
            );
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
    assert!(
        page.contains(&format!("\n\n{table}\n")),
        "config/manual/metrics.md must hold this table:\n{table}"
    );
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
    let configured: Vec<&str> = configured.collect();
    let page = read("config/manual/metrics.md");
    assert_eq!(named(&page), named(&configured.join("\n")));
}
