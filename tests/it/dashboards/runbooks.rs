//! That every alert leads to a page, and that the page names commands, pages, settings and log lines that exist.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use restore_reconciler::internals::config::Config;
use restore_reconciler::internals::storage::census::COMPARED_MAX;
use serde_json::Value;

use super::files::{Dashboard, dashboards, files, root, rules, text};
use super::looks::is_page;
use crate::manual::{between, is_taken};

/// The page of reason codes, which is generated and has tests of its own.
const REASONS: &str = "reasons.md";

/// Pages about alerts.
fn runbooks() -> Vec<(String, String)> {
    let mut pages = files("config/runbooks", "md");
    pages.retain(|path| !path.ends_with(REASONS));
    let name = |path: &Path| path.file_name().expect("a file").display().to_string();
    pages.iter().map(|path| (name(path), text(path))).collect()
}

#[test]
fn every_alert_says_what_happened_and_has_a_runbook_of_its_name() {
    let mut named = BTreeSet::new();
    for alert in rules().iter().filter(|rule| rule.alert.is_some()) {
        let name = alert.name();
        let is_known = ["critical", "warning"].contains(&alert.severity());
        assert!(is_known, "{name}");
        let annotations: Vec<&str> = alert.annotations.keys().map(String::as_str).collect();
        assert_eq!(annotations, ["description", "runbook", "summary"], "{name}");
        let annotation = |of: &str| alert.annotations[of].as_str();
        assert!(annotation("description").ends_with('.'), "{name}");
        assert!(!annotation("summary").ends_with('.'), "{name}");
        let runbook = annotation("runbook");
        let file = runbook.strip_prefix("config/runbooks/").expect(runbook);
        assert_eq!(file, file_of(name), "{name}");
        named.insert(file.to_owned());
    }
    let pages: BTreeSet<String> = runbooks().into_iter().map(|(name, _)| name).collect();
    assert_eq!(pages, named, "one page for each alert");
}

/// `ReconcilerNoWorker` has `no-worker.md`.
fn file_of(alert: &str) -> String {
    let words = alert.strip_prefix("Reconciler").expect(alert).chars();
    let words = words.flat_map(|c| [c.is_uppercase().then_some('-'), Some(c)]);
    let words: String = words.flatten().collect();
    let name = words.trim_start_matches('-').to_ascii_lowercase();
    format!("{name}.md")
}

#[test]
fn runbooks_say_what_an_alert_does_not_mean_what_to_look_at_and_what_to_do() {
    for (name, page) in runbooks() {
        let title = page.lines().next().and_then(|line| line.strip_prefix("# "));
        assert_eq!(file_of(title.expect(&name)), name);
        for part in ["**It does not mean**", "**Look at**\n\n- ", "**Do**\n\n1. "] {
            assert_eq!(page.matches(part).count(), 1, "{name}: {part}");
        }
        let lines = page.lines().count();
        assert!(lines < 40, "{name} is read by somebody in a hurry");
    }
}

/// What a span of code names.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Named {
    Command,
    Page,
    LogLine,
    File,
    Setting,
    /// Anything else: a table, a reason, a stage.
    Word,
}

impl Named {
    const CHECKED: [Self; 4] = [Self::Command, Self::Page, Self::LogLine, Self::Setting];

    /// What it is, and whether it exists.
    fn of(span: &str, settings: &Value) -> (Self, bool) {
        let setting = span.split_once('.');
        let setting = setting.filter(|(section, _)| settings.get(section).is_some());
        if let Some(arguments) = span.strip_prefix("restore-reconciler ") {
            (Self::Command, is_taken(&arguments.replace("RUN", "1")))
        } else if span.starts_with('/') {
            // Probes are the worker's.
            (Self::Page, is_page(span) || span == "/readyz?verbose")
        } else if span.starts_with("config/") {
            (Self::File, root().join(span).exists())
        } else if let Some((section, key)) = setting {
            (Self::Setting, settings[section].get(key).is_some())
        } else if span.contains(' ') {
            (Self::LogLine, is_said(&root().join("src"), span))
        } else {
            (Self::Word, true)
        }
    }
}

#[test]
fn runbooks_name_commands_pages_settings_and_log_lines_that_exist() {
    let settings = serde_json::to_value(Config::default()).expect("JSON");
    let mut named = BTreeSet::new();
    for (name, page) in runbooks() {
        for span in page.split('`').skip(1).step_by(2) {
            let (what, exists) = Named::of(span, &settings);
            assert!(exists, "{name}: {span} is no {what:?}");
            named.insert(what);
        }
    }
    for what in Named::CHECKED {
        assert!(named.contains(&what), "{what:?}");
    }
}

#[test]
fn runbooks_lead_to_pages_and_panels_that_exist() {
    let dashboards = dashboards();
    let shown = dashboards.iter().flat_map(Dashboard::shown);
    let titles: Vec<&str> = shown.map(|panel| panel.title.as_str()).collect();
    let (mut links, mut panels) = (0, 0);
    for (name, page) in runbooks() {
        for link in between(&page, "](", ')') {
            let file = root().join("config/runbooks").join(link);
            assert!(file.exists(), "{name}: {link}");
            links += 1;
        }
        for title in between(&page, "panel \"", '"') {
            assert!(titles.contains(&title), "{name}: {title}");
            panels += 1;
        }
    }
    assert!(links > 5 && panels > 1, "{links} {panels}");
}

/// Whether some line of the program has these words, so that they can be found in its log.
fn is_said(directory: &Path, words: &str) -> bool {
    let entries = fs::read_dir(directory).expect("a directory");
    let mut paths = entries.map(|entry| entry.expect("an entry").path());
    let is_code = |path: &Path| path.extension().is_some_and(|it| it == "rs");
    paths.any(|path| {
        path.is_dir() && is_said(&path, words) || is_code(&path) && text(&path).contains(words)
    })
}

#[test]
fn the_runbook_of_the_overclaim_guard_says_how_far_it_looks() {
    let page = text(&root().join("config/runbooks/ledger-disagreement.md"));
    assert_eq!(COMPARED_MAX, 10_000);
    let bound = "Only the\n10,000 verdicts of the runs with the highest ids are compared";
    assert!(page.contains(bound));
}
