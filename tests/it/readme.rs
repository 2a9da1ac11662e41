//! The README says what the code does: the parts that can be compared are compared.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use restore_reconciler::metrics;

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The rows of every table in `text` whose first cell is a number, without typography.
fn numbered_rows(text: &str) -> Vec<String> {
    text.lines()
        .map(|line| line.trim_start_matches("//!").trim())
        .filter(|line| {
            let first = line
                .trim_start_matches('|')
                .split('|')
                .next()
                .unwrap_or_default()
                .trim();
            line.starts_with('|') && first.parse::<u8>().is_ok()
        })
        .map(|line| line.replace('`', ""))
        .collect()
}

#[test]
fn its_decision_table_is_the_one_beside_the_rules() {
    let rules = numbered_rows(&read("jobs/src/restore_execute/rules.rs"));
    let readme = read("README.md");
    let (_, section) = readme
        .split_once("## What is decided")
        .expect("the section");
    let (section, _) = section
        .split_once("## Exit codes")
        .expect("the next section");
    let readme = numbered_rows(section);
    assert_eq!(rules.len(), 22);
    for (rule, row) in rules.iter().zip(&readme) {
        assert_eq!(cells(rule, 0..3), cells(row, 0..3));
        // The README spells out "that gap" where the codes are few.
        if !rule.contains("that gap") {
            assert_eq!(cells(rule, 3..4), cells(row, 3..4));
        }
    }
    assert_eq!(rules.len(), readme.len());
}

fn cells(row: &str, range: std::ops::Range<usize>) -> Vec<String> {
    let cells: Vec<String> = row
        .trim_matches('|')
        .split('|')
        .map(|cell| cell.trim().to_owned())
        .collect();
    cells[range].to_vec()
}

#[test]
fn every_file_it_links_to_is_there() {
    let readme = read("README.md");
    let links: BTreeSet<&str> = readme
        .split("](")
        .skip(1)
        .filter_map(|rest| rest.split_once(')'))
        .map(|(target, _)| target)
        .filter(|target| !target.contains("://"))
        .collect();
    assert!(links.len() >= 3, "{links:?}");
    for link in links {
        assert!(
            Path::new(env!("CARGO_MANIFEST_DIR")).join(link).exists(),
            "{link}"
        );
    }
}

/// Generated, so that neither a name nor a label can be described that is not exported.
#[test]
fn its_table_of_metrics_is_the_one_that_is_declared() {
    let table = metrics::table();
    assert!(
        read("README.md").contains(&format!("\n\n{table}\n")),
        "the README must hold this table:\n{table}"
    );
}

/// An alert that nobody is told of in the README, or one that is not there.
#[test]
fn its_alerts_are_those_that_are_configured() {
    let named = |text: &str| -> BTreeSet<String> {
        let words = text.split(|c: char| !c.is_alphanumeric());
        let alerts = words.filter(|word| word.len() > 10 && word.starts_with("Reconciler"));
        alerts.map(str::to_owned).collect()
    };
    let configured = read("config/prometheus/alerts.yml");
    let configured = configured.lines().filter(|line| line.contains("- alert:"));
    let configured: Vec<&str> = configured.collect();
    assert_eq!(named(&read("README.md")), named(&configured.join("\n")));
}
