//! Exports checked by both verifiers: the program's, and the auditor's in plain Python, which shares no code with it.
//!
//! | Module | Story |
//! |---|---|
//! | `facts` | facts of every kind, judged by both |
//! | `ledger` | exports of made-up ledgers, whose verdicts follow from their facts |
//! | `report` | the page for people in an export |
//! | `python` | the auditor's verifier, asked about many exports at once |
//! | `tampers` | exports that were tampered with, each with what has to be found |

#[cfg(test)]
mod facts;
#[cfg(test)]
mod ledger;
#[cfg(test)]
mod python;
#[cfg(test)]
mod report;
#[cfg(test)]
mod tampers;

use std::collections::BTreeMap;
use std::io::Cursor;
use std::path::Path;
use std::process::Command;

use reconciler_jobs::restore_execute::reason::CLAIM_BOUNDARY;
use restore_reconciler::internals::ledger::check_export;
use restore_reconciler::internals::ledger::{PinnedKey, SignatureState};

/// What a verifier says of an export: how it was signed, its counts, and what each finding is about.
type Said = (String, [u64; 3], Vec<(String, Option<u64>)>);

/// What the program says.
#[cfg(test)]
fn said(export: &[u8], keys: &[String]) -> Said {
    let pinned: Vec<_> = keys
        .iter()
        .map(|key| PinnedKey::read(key).unwrap())
        .collect();
    let checked = check_export(Cursor::new(export), &pinned);
    let signature = match checked.signature {
        SignatureState::Verified => "verified",
        SignatureState::Unsigned => "unsigned",
        _ => "other",
    };
    let findings = checked.findings.iter().map(|finding| {
        let about = serde_json::to_value(finding.about).unwrap();
        (about.as_str().unwrap().to_owned(), finding.line)
    });
    let mut findings: Vec<_> = findings.collect();
    findings.sort();
    findings.dedup();
    let counts = [checked.verdicts, checked.erased, checked.absent];
    (signature.to_owned(), counts, findings)
}

/// A number that is asked for.
#[cfg(test)]
#[expect(
    clippy::disallowed_methods,
    reason = "how much is compared is asked of the test, not of the program"
)]
fn asked(variable: &str) -> Option<u64> {
    let number = std::env::var(variable).ok()?;
    Some(number.parse().unwrap())
}

/// How many generated exports are compared; `RECONCILER_TEST_EXPORTS` names another number.
const EXPORTS: u64 = 200;

#[test]
fn both_verifiers_say_the_same_of_generated_exports() {
    let exports = asked("RECONCILER_TEST_EXPORTS").unwrap_or(EXPORTS);
    let pool = ledger::pool();
    let mut python = python::Verifier::start();
    let mut seen = [0; 3];
    for number in 1..=exports {
        let made = ledger::Ledger::made(number, &pool);
        let export = made.export();
        let ours = said(&export, &made.trusted);
        let expected = match (made.is_signed, made.trusted.is_empty()) {
            (true, false) => "verified",
            (true, true) => "other",
            (false, _) => "unsigned",
        };
        assert_eq!(ours.0, expected, "export {number}");
        assert_eq!(ours.1, made.counts(), "export {number}");
        assert_eq!(ours.2, [], "export {number}");
        assert_eq!(python.said(&export, &made.trusted), ours, "export {number}");
        for (seen, count) in seen.iter_mut().zip(made.counts()) {
            *seen += count;
        }
    }
    assert!(seen.iter().all(|seen| *seen > 0), "{seen:?}");
}

/// How many facts are compared; `RECONCILER_TEST_FACTS` names another number.
const FACTS: u64 = 4_000;

#[test]
fn both_decide_the_same_from_facts_of_every_kind() {
    let facts_max = asked("RECONCILER_TEST_FACTS").unwrap_or(FACTS);
    let mut python = python::Verifier::start();
    let mut rules = BTreeMap::new();
    for recipe in facts::recipes() {
        for number in 1..=facts_max {
            let facts = recipe.made(number);
            let ours = facts::decided(&recipe.ruleset, &facts);
            let theirs = python.decided(&recipe.ruleset, &facts);
            let decided = ours.clone().unwrap_or_default();
            assert_eq!(decided, theirs, "{} {number}: {facts}", recipe.ruleset);
            let rule = ours.map(|decision| decision["rule"].to_string());
            *rules.entry((recipe.ruleset.clone(), rule)).or_insert(0) += 1;
        }
    }
    // Nearly all rows of both tables, and facts that are none.
    assert!(rules.len() > 40, "{rules:?}");
}

/// Exit code and text of a program that checks a file.
#[cfg(test)]
fn ran(program: &str, arguments: &[&str], file: &Path, keys: &[String]) -> (Option<i32>, String) {
    let mut command = Command::new(program);
    command.args(arguments).arg(file);
    for key in keys {
        command.args(["--key", key]);
    }
    let output = command.output().unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(error, "", "{program}");
    (
        output.status.code(),
        String::from_utf8(output.stdout).unwrap(),
    )
}

#[test]
fn both_programs_exit_alike_without_a_database() {
    type Case<'a> = (&'a [u8], &'a [String], i32, &'a str, &'a str);
    const VERIFIER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/config/auditor/verify.py");
    let ours = env!("CARGO_BIN_EXE_restore-reconciler");
    let pool = ledger::pool();
    let key = ledger::Ledger::key();
    let export = ledger::Ledger::fixed(&pool, Some(&key.private)).export();
    let altered = tampers::all(&pool).swap_remove(1).export;
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("export.zip");
    let named = vec![key.public];
    let cases: [Case<'_>; 3] = [
        (
            &export,
            &named,
            0,
            "verified: signed by",
            "signed by a key that you trust",
        ),
        (
            &export,
            &[],
            0,
            "no key that you named",
            "not by a key that you named",
        ),
        (&altered, &[], 3, "disagrees: ", "DISAGREES "),
    ];
    for (export, keys, code, we_say, they_say) in cases {
        std::fs::write(&file, export).unwrap();
        let verb = ["ledger", "verify", "--offline"];
        for (ran, says) in [
            (ran(ours, &verb, &file, keys), we_say),
            (ran("python3", &["-B", VERIFIER], &file, keys), they_say),
        ] {
            let (found, text) = ran;
            assert_eq!(found, Some(code), "{text}");
            assert!(text.contains(says), "{says}: {text}");
            assert!(text.contains(CLAIM_BOUNDARY), "{text}");
            assert!(!keys.is_empty() || !text.contains("verified"), "{text}");
        }
    }
}

/// A stranger reads it in a quarter of an hour, and needs nothing but Python.
#[test]
fn the_auditors_program_is_one_short_file_of_plain_python() {
    let program = include_str!("../../config/auditor/verify.py");
    assert!(program.lines().count() <= 900);
    let imports = program.lines().filter_map(|line| {
        let mut words = line.split_whitespace();
        let is_import = matches!(words.next(), Some("import" | "from"));
        words.next().filter(|_| is_import)
    });
    let imports: Vec<&str> = imports.collect();
    assert!(imports.contains(&"hashlib"), "{imports:?}");
    let others = "import sys; print(sorted(set(sys.argv[1:]) - sys.stdlib_module_names), end='')";
    let python = Command::new("python3")
        .args(["-c", others])
        .args(&imports)
        .output();
    assert_eq!(String::from_utf8(python.unwrap().stdout).unwrap(), "[]");
}

/// A ledger's signatures: who signed the three checkpoints, whom the auditor trusts, what the last signature is worth, and how
/// many findings there are.
type Signed<'a> = (&'a str, [&'a [usize]; 3], &'a [usize], &'a str, usize);

const SIGNED: [Signed<'_>; 15] = [
    (
        "two keys sign each, the first is trusted",
        [&[0, 1]; 3],
        &[0],
        "verified",
        0,
    ),
    (
        "two keys sign each, the second is trusted",
        [&[0, 1]; 3],
        &[1],
        "verified",
        0,
    ),
    (
        "two keys sign each, both are trusted",
        [&[0, 1]; 3],
        &[0, 1],
        "verified",
        0,
    ),
    (
        "two keys sign each, another is trusted",
        [&[0, 1]; 3],
        &[2],
        "other",
        1,
    ),
    (
        "two keys sign each, none is trusted",
        [&[0, 1]; 3],
        &[],
        "other",
        0,
    ),
    (
        "rotation, both are trusted",
        [&[0], &[0, 1], &[1]],
        &[0, 1],
        "verified",
        0,
    ),
    (
        "rotation, the old one is trusted",
        [&[0], &[0, 1], &[1]],
        &[0],
        "other",
        1,
    ),
    (
        "rotation, the new one is trusted",
        [&[0], &[0, 1], &[1]],
        &[1],
        "verified",
        0,
    ),
    (
        "rotation in its middle, the old one is trusted",
        [&[0], &[0], &[0, 1]],
        &[0],
        "verified",
        0,
    ),
    (
        "the key was lost, another one signs since",
        [&[0], &[0], &[1]],
        &[1],
        "verified",
        0,
    ),
    (
        "the key was lost, nobody signs since",
        [&[0], &[0], &[]],
        &[0],
        "unsigned",
        1,
    ),
    (
        "the key was lost, nobody is trusted",
        [&[0], &[0], &[]],
        &[],
        "unsigned",
        0,
    ),
    (
        "nobody signs at first",
        [&[], &[], &[0]],
        &[0],
        "verified",
        0,
    ),
    (
        "nobody signs, nobody is trusted",
        [&[], &[], &[]],
        &[],
        "unsigned",
        0,
    ),
    (
        "nobody signs, somebody is trusted",
        [&[], &[], &[]],
        &[0, 1],
        "unsigned",
        1,
    ),
];

#[test]
fn a_signature_is_worth_what_the_trusted_keys_make_of_it() {
    let pool = ledger::pool();
    let keys = [(); 3].map(|()| ledger::Ledger::key());
    let mut python = python::Verifier::start();
    for (name, by, trusted, worth, found) in SIGNED {
        let by = by.map(|all| all.iter().map(|key| &keys[*key]).collect::<Vec<_>>());
        let export = ledger::Ledger::signed(&pool, by.each_ref().map(Vec::as_slice));
        let trusted: Vec<_> = trusted
            .iter()
            .map(|key| keys[*key].public.clone())
            .collect();
        let findings = vec![("signature".to_owned(), None); found];
        let ours = said(&export, &trusted);
        assert_eq!(ours, (worth.to_owned(), [5, 1, 0], findings), "{name}");
        assert_eq!(python.said(&export, &trusted), ours, "{name}");
    }
}

#[test]
fn both_verifiers_find_what_was_tampered_with() {
    let pool = ledger::pool();
    let mut python = python::Verifier::start();
    let tampered = tampers::all(&pool);
    let mut wrong = Vec::new();
    for tamper in &tampered {
        let ours = said(&tamper.export, &tamper.trusted);
        let theirs = python.said(&tamper.export, &tamper.trusted);
        if ours.2 != tamper.expected || theirs != ours {
            wrong.push(format!(
                "{}\n  expected {:?}\n  program  {ours:?}\n  auditor  {theirs:?}",
                tamper.name, tamper.expected
            ));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {}:\n{}",
        wrong.len(),
        tampered.len(),
        wrong.join("\n")
    );
    assert!(tampered.len() >= 200, "{}", tampered.len());
}
