//! What was judged, as an auditor gets it: both verifiers read it without the database, and see a changed byte.

use std::fs::{self, File};
use std::io::Read as _;
use std::process::Command;

use tempfile::TempDir;
use zip::ZipArchive;

use super::{judge, judged, key, seal_all};
use crate::cli::stage::{assert_says, run};
use crate::support::case::HOME;
use crate::support::store::Fixture;

const VERIFIER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/config/auditor/verify.py");

/// The moment between what was decided before and what is after.
const NOW: &str =
    r#"SELECT to_char(statement_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')"#;

const ERASE: &str = "SET session_replication_role = replica; DELETE FROM reconciler.ledger_facts";

/// Exports the home workspace, and has both verifiers check it by this key. They exit alike.
fn export(on: &Fixture, file: &str, key: &str, more: &[&str]) -> String {
    let home = HOME.0.to_string();
    let asked = ["ledger", "export", "--workspace", &home, "--to", file];
    let exported = run(&on.url, &[&asked, more].concat()).exits(0);
    check(file, key, 0);
    exported.stdout
}

fn check(file: &str, key: &str, code: i32) {
    run("", &["ledger", "verify", "--offline", file, "--key", key]).exits(code);
    let mut python = Command::new("python3");
    let python = python.args([VERIFIER, file, "--key", key]).output();
    let python = python.expect("Python is installed");
    let said = String::from_utf8_lossy(&python.stdout);
    assert_eq!(python.status.code(), Some(code), "{said}");
}

#[tokio::test]
async fn what_is_exported_is_checked_by_both_verifiers_without_its_database() {
    let on = judged(12).await;
    let (signer, public) = key(&on).await;
    seal_all(&on, 5, Some(&signer)).await;
    let between = on.value(NOW).await.expect("a moment");
    judge(&on, 13, 16).await;
    let directory = TempDir::new().expect("a directory");
    let file = |name: &str| directory.path().join(name).display().to_string();

    let whole = file("whole.zip");
    let said = export(&on, &whole, &public, &[]);
    assert!(said.starts_with("9 verdicts of workspace 1 in "), "{said}");
    assert!(
        said.contains("the checkpoint of 12 verdicts, signed by restore-reconciler/"),
        "{said}"
    );
    // Nobody's file is written over.
    let home = HOME.0.to_string();
    let again = ["ledger", "export", "--workspace", &home, "--to", &whole];
    run(&on.url, &again)
        .exits(1)
        .says(&[], &["Name a file that is not there yet"]);

    seal_all(&on, 5, Some(&signer)).await;
    let said = export(&on, &file("later.zip"), &public, &["--since", &between]);
    assert!(said.starts_with("3 verdicts of workspace 1 in "), "{said}");

    let mut bytes = fs::read(&whole).expect("a file");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    let tampered = file("tampered.zip");
    fs::write(&tampered, bytes).expect("a file");
    check(&tampered, &public, 3);

    on.execute_as_superuser(ERASE).await;
    let lost = file("lost.zip");
    let asked = ["ledger", "export", "--workspace", &home, "--to", &lost];
    let not_on_record = "the facts are not there, and it is not on record that they were erased";
    run(&on.url, &asked)
        .exits(3)
        .says(&[not_on_record, "12 disagreements: "], &[]);
    check(&lost, &public, 0);
    on.execute(
        "INSERT INTO reconciler.actions (action, workspace_id, found) VALUES ('forget', 1, '{}')",
    )
    .await;
    let said = export(&on, &file("erased.zip"), &public, &[]);
    assert!(said.contains("12 of them without their facts"), "{said}");
    let stranger = [
        "ledger",
        "export",
        "--workspace",
        "999",
        "--to",
        &file("nobody.zip"),
    ];
    run(&on.url, &stranger)
        .exits(1)
        .says(&[], &["of no such verdict of workspace 999"]);
    assert!(!directory.path().join("nobody.zip").exists());
}

/// The file is as the ledger is, and neither the command nor whoever gets the file is left to believe it.
#[tokio::test]
async fn what_was_changed_after_its_leaf_is_named_when_it_is_exported() {
    let on = judged(6).await;
    let (signer, public) = key(&on).await;
    seal_all(&on, 10, Some(&signer)).await;
    let changed = "SET session_replication_role = replica; UPDATE reconciler.ledger SET worker = 'x' WHERE operation_run_id = 1";
    on.execute_as_superuser(changed).await;
    let changed = "SET session_replication_role = replica; UPDATE reconciler.ledger_facts SET facts = facts || ' '
        WHERE facts_digest = (SELECT decode(facts_digest, 'hex') FROM reconciler.ledger WHERE operation_run_id = 2)";
    on.execute_as_superuser(changed).await;
    let directory = TempDir::new().expect("a directory");
    let file = directory.path().join("export.zip").display().to_string();
    let home = HOME.0.to_string();
    let asked = ["ledger", "export", "--workspace", &home, "--to", &file];
    run(&on.url, &asked).exits(3).says(
        &[
            "run 1, workspace ",
            "is not the one that its leaf was made of",
            "run 2, workspace ",
            "has other facts than its leaf was made of",
            "2 disagreements: the ledger was changed",
        ],
        &[],
    );
    check(&file, &public, 3);
    let mut archive = ZipArchive::new(File::open(&file).expect("a file")).expect("an archive");
    let mut page = String::new();
    let mut report = archive.by_name("report.html").expect("a report");
    report.read_to_string(&mut page).expect("a page");
    assert_eq!(page.matches("<td>record altered</td>").count(), 2, "{page}");
}

/// Whose it was, nobody can say any more. That it is missed in the export, its verifiers say.
#[tokio::test]
async fn a_verdict_whose_position_is_gone_is_named_when_others_are_exported() {
    let on = judged(6).await;
    let (signer, public) = key(&on).await;
    seal_all(&on, 10, Some(&signer)).await;
    let gone = "SET session_replication_role = replica; DELETE FROM reconciler.ledger_positions WHERE position = 2";
    on.execute_as_superuser(gone).await;
    let directory = TempDir::new().expect("a directory");
    let file = directory.path().join("export.zip").display().to_string();
    let home = HOME.0.to_string();
    let asked = ["ledger", "export", "--workspace", &home, "--to", &file];
    let named = "the verdict at position 2 is gone, with its position";
    run(&on.url, &asked).exits(3).says(&[named], &[]);
    check(&file, &public, 3);
}

#[tokio::test]
async fn without_a_checkpoint_nothing_is_exported() {
    let file = Fixture::sqlite().await;
    let server = judged(2).await;
    for url in [&file.url, &server.url] {
        assert_says(
            url,
            "ledger export --workspace 1 --to /nowhere/x.zip ⇒ 1 ! there is no checkpoint",
        );
    }
}
