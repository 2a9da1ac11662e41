//! The decision tables as they are written: in the documentation, and for a third party that decides again.

use reconciler_jobs::restore_execute::canonical::digest_of;
use reconciler_jobs::restore_execute::{RULESETS, ReasonCode};

/// By ruleset: the module whose documentation holds the table, and the files of the auditor.
const WRITTEN: [[&str; 3]; 2] = [
    [
        include_str!("../../src/restore_execute/ruleset_1/rules.rs"),
        include_str!("../../../config/auditor/restore.execute-1.txt"),
        include_str!("../../../config/auditor/restore.execute-1.json"),
    ],
    [
        include_str!("../../src/restore_execute/rules.rs"),
        include_str!("../../../config/auditor/restore.execute-2.txt"),
        include_str!("../../../config/auditor/restore.execute-2.json"),
    ],
];

/// The auditor's verifier, which knows tables by their digests and reason codes in their order.
const VERIFIER: &str = include_str!("../../../config/auditor/verify.py");

#[test]
fn tables_are_written_as_they_decide() {
    for (ruleset, [module, text, json]) in RULESETS.iter().zip(WRITTEN) {
        let table = ruleset.table;
        let documented = module
            .lines()
            .skip_while(|line| !line.starts_with("//! | # |"));
        let documented = documented.take_while(|line| line.starts_with("//! |"));
        let documented: String = documented.map(|line| line[4..].to_owned() + "\n").collect();
        assert_eq!(documented, table.to_string());
        assert_eq!(text, table.to_string());
        assert_eq!(json, table.to_json().unwrap());
        let known = format!("\"{}\": \"{}\"", table.ruleset, digest_of(json));
        assert!(VERIFIER.contains(&known), "the verifier lacks {known}");
    }
}

#[test]
fn the_verifier_lists_gaps_in_the_order_of_the_registry() {
    let (_, listed) = VERIFIER.split_once("REASONS = \"\"\"").unwrap();
    let (listed, _) = listed.split_once("\"\"\"").unwrap();
    let codes: Vec<&str> = listed.split_whitespace().collect();
    assert_eq!(codes, ReasonCode::ALL.map(ReasonCode::code));
}
