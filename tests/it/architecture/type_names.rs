//! A type's name means one thing, so that a reader who meets it in a signature need not look where it comes from.
//!
//! **Limit:** a type that a macro makes of another name is not seen, and one that is indented is read only inside
//! of a macro's braces, where it has a visibility.

use std::collections::BTreeMap;

use super::{Files, assert_none, code_of, load_files};

/// Names that may stand for several types, and why.
const SHARED: &[(&str, &str)] = &[
    (
        "Args",
        "what one verb takes; each verb has its file, and no file sees two",
    ),
    (
        "Command",
        "the verbs below one word of the command line, as clap's own examples call them",
    ),
];

#[test]
fn no_two_types_share_a_name() {
    let files = load_files(&["src", "jobs/src", "tests/fixtures/src"], "rs");
    assert!(declared(&files).len() > 300, "types are not read");
    assert_none(&doubles(&files));
}

#[test]
fn each_name_that_may_be_shared_is() {
    let files = load_files(&["src"], "rs");
    let declared = declared(&files);
    for (name, reason) in SHARED {
        let places = declared.get(*name).map_or(0, Vec::len);
        assert!(places > 1, "{name} has {places} meaning(s): {reason}");
    }
}

/// Each name with two types or more, and where they are.
fn doubles(files: &Files) -> Vec<String> {
    declared(files)
        .into_iter()
        .filter(|(name, places)| {
            places.len() > 1 && !SHARED.iter().any(|(shared, _)| shared == name)
        })
        .map(|(name, places)| format!("{name} is declared at {}", places.join(", ")))
        .collect()
}

/// Each type's name with its places, without those of unit tests.
fn declared(files: &Files) -> BTreeMap<String, Vec<String>> {
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let shipped = files
        .iter()
        .filter(|(path, _)| !path.ends_with("/tests.rs"));
    for (path, text) in shipped {
        let code = text.split("#[cfg(test)]\nmod ").next().unwrap();
        for (number, line) in (1..).zip(code.lines()) {
            if let Some(name) = type_in(&code_of(line)) {
                found
                    .entry(name.to_owned())
                    .or_default()
                    .push(format!("{path}:{number}"));
            }
        }
    }
    found
}

/// The name of the type that a line declares.
fn type_in(line: &str) -> Option<&str> {
    let mut words = line.split_whitespace().peekable();
    let visible = words.next_if(|word| word.starts_with("pub")).is_some();
    if visible && line.contains("pub(in ") {
        words.next();
    }
    if !visible && line.starts_with(char::is_whitespace) {
        return None;
    }
    if !["struct", "enum", "trait", "type", "union"].contains(&words.next()?) {
        return None;
    }
    words
        .next()?
        .split(|c: char| !c.is_alphanumeric() && c != '_')
        .next()
        .filter(|name| !name.is_empty())
}

#[test]
fn a_type_is_read_whatever_its_visibility() {
    for line in [
        "struct Run;",
        "pub enum Run {",
        "pub(super) trait Run: Send {",
        "pub(in crate::storage) struct Run<'a> {",
        "    pub type Run = (u8, u8);",
    ] {
        assert_eq!(type_in(line), Some("Run"), "{line}");
    }
    for line in [
        "fn run() {",
        "    type Run = u8;",
        "// struct Run;",
        "let struct_of = 1;",
    ] {
        assert_eq!(type_in(&code_of(line)), None, "{line}");
    }
}

#[test]
fn a_planted_double_is_found_and_a_unit_test_has_names_of_its_own() {
    let files = |second: &str| {
        Files::from([
            ("src/a.rs".to_owned(), "pub struct Run;\n".to_owned()),
            ("src/b.rs".to_owned(), second.to_owned()),
        ])
    };
    let found = doubles(&files("\nenum Run {}\n"));
    assert_eq!(found, ["Run is declared at src/a.rs:1, src/b.rs:2"]);
    assert_none(&doubles(&files(
        "#[cfg(test)]\nmod tests {\n    pub struct Run;\n}\n",
    )));
    assert_none(&doubles(&files("struct Args;\nstruct Runs;\n")));
}
