//! Words that nothing of this product may use as a claim, wherever it says something.

use std::path::{Path, PathBuf};
use std::{fs, io};

/// Phrases that claim what nobody can prove.
const FORBIDDEN: [&str; 4] = ["recovery verified", "customer-safe", "compliant", "healthy"];

/// Where words are that somebody may read.
const PLACES: [&str; 4] = ["src", "jobs/src", "config", "README.md"];

/// A reason code of the platform: it speaks of access control.
const A_CODE: &str = "intune_rbac.unhealthy";

/// Files whose tests name the words in order to look for them.
const LOOKING: [&str; 2] = [
    "jobs/src/restore_execute/reason.rs",
    "src/console/pages/tests/mod.rs",
];

#[test]
fn nothing_that_somebody_may_read_claims_too_much() -> io::Result<()> {
    let mut files = Vec::new();
    for place in PLACES {
        collect(
            &Path::new(env!("CARGO_MANIFEST_DIR")).join(place),
            &mut files,
        )?;
    }
    assert!(files.len() > 300, "{} files", files.len());
    let mut found = Vec::new();
    for file in &files {
        found.extend(claims(file)?);
    }
    assert!(found.is_empty(), "{found:#?}");
    Ok(())
}

#[test]
fn a_claim_is_found_in_any_line_and_a_part_of_a_word_is_none() {
    let text = "one\nThis tenant is Healthy.\nintune_rbac.unhealthy\nunhealthy\nRECOVERY VERIFIED";
    assert_eq!(lines(text), [2, 5]);
}

fn collect(path: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    if path.is_file() {
        files.push(path.to_owned());
        return Ok(());
    }
    for entry in fs::read_dir(path)? {
        collect(&entry?.path(), files)?;
    }
    Ok(())
}

fn claims(file: &Path) -> io::Result<Vec<String>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let name = file
        .strip_prefix(root)
        .unwrap_or(file)
        .display()
        .to_string();
    let Ok(text) = String::from_utf8(fs::read(file)?) else {
        return Ok(Vec::new());
    };
    if LOOKING.contains(&name.as_str()) {
        return Ok(Vec::new());
    }
    let found = lines(&text).into_iter();
    Ok(found.map(|line| format!("{name}:{line}")).collect())
}

/// The numbers of the lines that hold a forbidden phrase. The name of a state in code is no claim.
fn lines(text: &str) -> Vec<usize> {
    let claims = |line: &str| {
        let line = line.replace(A_CODE, "");
        // Declared in a vocabulary, with words beside it that are looked at.
        let line = line.trim().strip_prefix("Healthy {").unwrap_or(&line);
        let is_code =
            line.contains("::Healthy") || line.contains(": Healthy {") || line.trim() == "Healthy,";
        let lower = line.to_lowercase();
        !is_code && FORBIDDEN.iter().any(|phrase| holds(&lower, phrase))
    };
    (1..)
        .zip(text.lines())
        .filter(|(_, line)| claims(line))
        .map(|(number, _)| number)
        .collect()
}

/// Whether the phrase stands there by itself.
fn holds(line: &str, phrase: &str) -> bool {
    line.match_indices(phrase).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + phrase.len()..].chars().next();
        [before, after]
            .into_iter()
            .flatten()
            .all(|c| !c.is_alphanumeric() && c != '_')
    })
}

/// Words of ours for what people know by another one, and sentences that nobody would say.
const INNER: [&str; 5] = [
    "silent",
    "named by command",
    "passed over",
    "0 requested",
    "0 of them",
];

/// What pages and the command line say in plainer words.
const OUTWORN: [&str; 14] = [
    "longer than expected",
    "by reconciliation",
    "Verdict on record",
    "What would close it",
    "asks for anybody",
    "heard of",
    "in hand",
    "legs hold",
    "looked at now",
    "not by itself",
    "readable moment",
    "recorded moment",
    "written nowhere",
    "Jobs of sweeps",
];

/// Where texts for people are, as they are written and as they come out.
const TEXTS: [&str; 8] = [
    "src/cli",
    "src/console/templates",
    "src/demo",
    "src/storage/report.rs",
    "src/views",
    "jobs/src/reading",
    "tests/fixtures/src/catalogue",
    "README.md",
];

/// Whether a line counts one of what it names as several: `1 items`.
fn counts_one_as_many(line: &str) -> bool {
    let words: Vec<&str> = line.split_whitespace().collect();
    let is_many = |word: &str| {
        let word = word.trim_matches(|c: char| !c.is_alphanumeric());
        let is_word = word.len() > 3 && word.chars().all(|c| c.is_ascii_lowercase());
        is_word && word.ends_with('s') && !word.ends_with("ss")
    };
    let next = words.iter().skip(1);
    words
        .iter()
        .zip(next)
        .any(|(count, word)| *count == "1" && is_many(word))
}

#[test]
fn no_inner_word_reaches_a_person() -> io::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for place in TEXTS {
        collect(&root.join(place), &mut files)?;
    }
    let written = files.len();
    collect(&root.join("tests/it"), &mut files)?;
    let is_text = |(place, file): &(usize, &PathBuf)| {
        *place < written || file.extension().is_some_and(|ending| ending == "snap")
    };
    let mut found = Vec::new();
    let mut snapshots = 0;
    for (place, file) in files.iter().enumerate().filter(is_text) {
        snapshots += usize::from(place >= written);
        for line in fs::read_to_string(file)?.lines() {
            // What is said in code for whoever reads that.
            let is_code = line.trim_start().starts_with("//");
            let is_outworn = place < written && OUTWORN.iter().any(|word| line.contains(word));
            let is_inner = INNER.iter().any(|word| line.contains(word)) || counts_one_as_many(line);
            if (is_inner || is_outworn) && !is_code {
                found.push(format!("{}: {line}", file.display()));
            }
        }
    }
    assert!(snapshots > 50, "{snapshots} snapshots");
    assert!(found.is_empty(), "{found:#?}");
    Ok(())
}

#[test]
fn one_of_several_is_found_and_one_of_its_own_is_not() {
    for line in ["scope 1 items", "1 runs, such as 7", "in 1 workspaces."] {
        assert!(counts_one_as_many(line), "{line}");
    }
    for line in [
        "1 item",
        "11 items",
        "seen 1 s ago",
        "1 of 2 parts",
        "at 1 less",
        "rule 1 was",
    ] {
        assert!(!counts_one_as_many(line), "{line}");
    }
}
