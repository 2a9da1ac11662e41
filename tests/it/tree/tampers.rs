//! What somebody who may do anything does to a ledger of some hundred verdicts, of which one checkpoint was kept elsewhere.

use std::fs;
use std::path::Path;

use super::{judge, judged, key, seal_all};
use crate::cli::ledger::interrupted_at;
use crate::cli::stage::{Ran, run};
use crate::support::case::HOME;
use crate::support::roles::Purpose;
use crate::support::store::Fixture;

const LAST: i64 = 120;
/// What is kept elsewhere is of so many.
const KEPT: i64 = 90;

/// All that somebody might change, with the triggers out of the way.
const TABLES: [&str; 5] = [
    "ledger",
    "ledger_facts",
    "ledger_positions",
    "ledger_leaves",
    "checkpoints",
];

/// Leaves as they were: what is done to the verdict at position 50, the one before it or the one after.
const NAMED: &[(&str, &str)] = &[
    ("UPDATE LEDGER SET decision_id = repeat('a', 32) WHERE VERDICT", "position 50 is gone"),
    ("UPDATE LEDGER SET operation_run_id = 999 WHERE VERDICT", "position 50 is not the one"),
    ("UPDATE LEDGER SET workspace_id = workspace_id + 100 WHERE VERDICT", "position 50 is gone, or was filed elsewhere"),
    ("UPDATE LEDGER SET managed_environment_id = 999 WHERE VERDICT", "position 50 is not the one"),
    ("UPDATE LEDGER SET run_created_at = run_created_at - interval '1 us' WHERE VERDICT", "position 50 is gone"),
    ("UPDATE LEDGER SET revision = 2, first_decision_id = decision_id WHERE VERDICT", "position 50 is not the one"),
    ("UPDATE LEDGER SET outcome = 'blocked' WHERE VERDICT", "position 50 is not the one"),
    ("UPDATE LEDGER SET reason_code = 'restore.aborted' WHERE VERDICT", "position 50 is not the one"),
    ("UPDATE LEDGER SET ruleset = 'restore.execute/1' WHERE VERDICT", "position 50 is not the one"),
    ("UPDATE LEDGER SET facts_digest = reverse(facts_digest) WHERE VERDICT", "position 50 is not the one"),
    ("UPDATE LEDGER SET decision = decision || ' ' WHERE VERDICT", "position 50 is not the one"),
    ("UPDATE LEDGER SET worker = 'nobody' WHERE VERDICT", "position 50 is not the one"),
    ("UPDATE LEDGER SET source = 'sweep', worker = worker || 'x' WHERE VERDICT", "position 50 is not the one"),
    ("UPDATE LEDGER SET decided_at = decided_at + interval '1 us' WHERE VERDICT", "position 50 is not the one"),
    ("UPDATE reconciler.ledger_facts SET salt = substr(sha256('x'), 1, 16) WHERE facts_digest = decode((SELECT facts_digest FROM LEDGER WHERE VERDICT), 'hex')",
     "position 50 has another salt of its facts"),
    ("UPDATE POSITIONS SET workspace_id = workspace_id + 100 WHERE position = 50", "position 50 is gone, or was filed elsewhere"),
    ("UPDATE POSITIONS SET workspace_position = 9999 WHERE position = 50", "position 50 is not the one"),
    ("UPDATE LEAVES SET leaf = sha256('x') WHERE position = 50", "position 50 is not the one"),
    ("UPDATE LEAVES SET facts_seal = NULL WHERE position = 50", "position 50 is not the one"),
    ("DELETE FROM LEDGER WHERE VERDICT", "position 50 is gone, or was filed elsewhere"),
    ("DELETE FROM LEDGER WHERE VERDICT; DELETE FROM POSITIONS WHERE position = 50", "position 50 is gone, with its position"),
    ("DELETE FROM LEDGER WHERE VERDICT; DELETE FROM POSITIONS WHERE position = 50; DELETE FROM LEAVES WHERE position = 50",
     "nothing is left of 1 position before position 51"),
    ("DELETE FROM LEAVES WHERE position = 50", "the leaves of 1 position before position 51 are gone"),
    // Two verdicts have each other's place.
    ("CREATE TEMP TABLE pair AS SELECT * FROM POSITIONS WHERE position IN (50, 51); DELETE FROM POSITIONS WHERE position IN (50, 51);
      INSERT INTO POSITIONS (position, decision_id, run_created_at, workspace_id, workspace_position)
      SELECT 101 - position, decision_id, run_created_at, workspace_id, workspace_position FROM pair", "position 51 is not the one"),
    // One is put between, and the rest moves on.
    ("UPDATE POSITIONS SET position = position + 100000 WHERE position >= 50;
      UPDATE POSITIONS SET position = position - 99999 WHERE position > 99999;
      INSERT INTO POSITIONS (position, decision_id, workspace_id, workspace_position) VALUES (50, repeat('b', 32), 777, 1)",
     "position 50 is gone, or was filed elsewhere"),
    // One goes, and the rest moves up.
    ("DELETE FROM POSITIONS WHERE position = 50; UPDATE POSITIONS SET position = position + 99999 WHERE position > 50;
      UPDATE POSITIONS SET position = position - 100000 WHERE position > 99999", "position 50 is not the one"),
    ("UPDATE reconciler.checkpoints SET root = sha256('x') WHERE size = 60", "checkpoint of 60 verdicts on record is not what its own columns say"),
    ("UPDATE reconciler.checkpoints SET note = replace(note, E'\\n60\\n', E'\\n61\\n') WHERE size = 60", "on record is not what its own columns say"),
];

/// Leaves and checkpoints are made anew after it, so that all of it fits again: found by what was kept elsewhere alone.
const MADE_ANEW: &[(&str, &str)] = &[
    ("UPDATE LEDGER SET worker = 'nobody' WHERE VERDICT", "between positions 31 and 60 one was changed"),
    ("DELETE FROM POSITIONS WHERE position = 50; UPDATE POSITIONS SET position = position + 99999 WHERE position > 50;
      UPDATE POSITIONS SET position = position - 100000 WHERE position > 99999", "between positions 31 and 60 one was changed"),
    // The tail is cut.
    ("DELETE FROM POSITIONS WHERE position > 80", "is of 90 verdicts; there are leaves of 80: between positions 61 and 90 some were removed"),
    // An older dump is restored, and all goes on from there.
    ("DELETE FROM POSITIONS WHERE position > 40; INSERT INTO POSITIONS (position, decision_id, run_created_at, workspace_id,
      workspace_position) SELECT 40 + row_number() OVER (ORDER BY operation_run_id DESC), decision_id, run_created_at, workspace_id,
      (SELECT max(before.workspace_position) FROM POSITIONS AS before WHERE before.workspace_id = entry.workspace_id)
      + row_number() OVER (PARTITION BY workspace_id ORDER BY operation_run_id DESC) FROM LEDGER AS entry
      WHERE NOT EXISTS (SELECT FROM POSITIONS AS placed WHERE placed.decision_id = entry.decision_id)", "between positions 31 and 60 one was changed"),
];

fn filled(statements: &str) -> String {
    let verdict = "decision_id = (SELECT decision_id FROM POSITIONS WHERE position = 50)";
    let filled = statements.replace("VERDICT", verdict);
    let filled = filled.replace("LEDGER", "reconciler.ledger");
    let filled = filled.replace("POSITIONS", "reconciler.ledger_positions");
    filled.replace("LEAVES", "reconciler.ledger_leaves")
}

async fn tamper(on: &Fixture, statements: &str) {
    let off = "SET session_replication_role = replica;";
    on.execute_as_superuser(&format!("{off}{statements}")).await;
}

/// Everything as it was.
async fn put_back(on: &Fixture) {
    let all = TABLES.map(|table| {
        format!("DELETE FROM reconciler.{table}; INSERT INTO reconciler.{table} SELECT * FROM kept.{table};")
    });
    tamper(on, &all.concat()).await;
}

fn verify(on: &Fixture, kept: &Path, key: &str) -> Ran {
    let kept = kept.to_str().expect("a path");
    run(
        &on.url,
        &["ledger", "verify", "--checkpoint", kept, "--key", key],
    )
}

/// The checkpoints so far, as they are kept.
fn keep(on: &Fixture, to: &Path) {
    let notes = run(&on.url, &["ledger", "checkpoints", "--notes"]).exits(0);
    fs::write(to, notes.stdout).expect("a file");
}

#[tokio::test]
async fn whatever_somebody_does_to_what_is_covered_is_found_and_located() {
    let on = judged(KEPT).await;
    let (signer, public) = key(&on).await;
    let directory = tempfile::TempDir::new().expect("a directory");
    let kept = directory.path().join("kept.txt");
    seal_all(&on, 30, Some(&signer)).await;
    keep(&on, &kept);
    judge(&on, KEPT + 1, LAST).await;
    seal_all(&on, 30, Some(&signer)).await;
    verify(&on, &kept, &public).exits(0).says(
        &[
            "120 leaves of the tree",
            "7 checkpoints of the tree",
            "The first 90 verdicts are those of a checkpoint that was kept elsewhere, verified: signed by restore-reconciler/",
        ],
        &[],
    );
    let copies =
        TABLES.map(|table| format!("CREATE TABLE kept.{table} AS TABLE reconciler.{table};"));
    tamper(&on, &format!("CREATE SCHEMA kept; {}", copies.concat())).await;
    for (statements, said) in NAMED {
        println!("{statements}");
        tamper(&on, &filled(statements)).await;
        run(&on.url, &["ledger", "verify"])
            .exits(3)
            .says(&[said], &[]);
        verify(&on, &kept, &public).exits(3).says(&[said], &[]);
        put_back(&on).await;
    }
    for (statements, said) in MADE_ANEW {
        println!("{statements}, made anew");
        let all = "DELETE FROM reconciler.ledger_leaves; DELETE FROM reconciler.checkpoints";
        tamper(&on, &format!("{}; {all}", filled(statements))).await;
        seal_all(&on, 30, Some(&signer)).await;
        let alone = run(&on.url, &["ledger", "verify"]);
        assert!(
            !alone.stdout.contains("leaves or checkpoints disagree"),
            "{}",
            alone.stdout
        );
        verify(&on, &kept, &public)
            .exits(3)
            .says(&["checkpoint kept elsewhere", said], &[]);
        put_back(&on).await;
    }
    verify(&on, &kept, &public).exits(0);
}

/// Erased facts are shown as erased, agree with the tree, and what is left of them is still compared.
#[tokio::test]
async fn a_workspace_that_was_forgotten_agrees_with_the_tree() {
    let on = judged(12).await;
    let (signer, public) = key(&on).await;
    let directory = tempfile::TempDir::new().expect("a directory");
    let kept = directory.path().join("kept.txt");
    seal_all(&on, 30, Some(&signer)).await;
    keep(&on, &kept);
    let home = HOME.0.to_string();
    let migrator = on.url_of(Purpose::Migrator);
    run(&migrator, &["forget", "--workspace", &home, "--yes"]).exits(0);
    verify(&on, &kept, &public).exits(0).says(
        &[
            "9 agree as far as can be told: their facts were erased",
            "The first 12 verdicts are those",
        ],
        &[],
    );
    // Half of the digest is the decision's id; the rest of it stands nowhere else.
    let digest = "overlay(facts_digest PLACING md5('x') FROM 33)";
    tamper(
        &on,
        &format!("UPDATE reconciler.ledger SET facts_digest = {digest} WHERE operation_run_id = 1"),
    )
    .await;
    verify(&on, &kept, &public).exits(3).says(
        &[
            "run 1, workspace ",
            "is not the one that its leaf was made of",
        ],
        &[],
    );
}

/// A check of a large tree need not begin anew: what was found to follow from its verdicts is compared by its roots alone.
#[tokio::test]
async fn a_check_of_the_tree_goes_on_where_it_was_interrupted() {
    let on = judged(6).await;
    let (signer, public) = key(&on).await;
    let directory = tempfile::TempDir::new().expect("a directory");
    let kept = directory.path().join("kept.txt");
    seal_all(&on, 3, Some(&signer)).await;
    keep(&on, &kept);
    let said = interrupted_at(
        &on,
        "BEGIN; LOCK TABLE reconciler.ledger_leaves IN ACCESS EXCLUSIVE MODE",
    )
    .await;
    for words in ["6 positions of the feed", "6 leaves", "--above 6"] {
        assert!(said.contains(words), "{words}: {said}");
    }
    judge(&on, 7, 8).await;
    seal_all(&on, 3, Some(&signer)).await;
    let go_on = || {
        let kept = kept.to_str().expect("a path");
        let above = ["ledger", "verify", "--above", "6"];
        let from_elsewhere = ["--checkpoint", kept, "--key", &public];
        run(&on.url, &[&above[..], &from_elsewhere].concat())
    };
    go_on().exits(0).says(
        &[
            "Read: 0 verdicts",
            "2 leaves",
            "The leaves of the first 6 verdicts are those of",
            "That verdicts up to position 6 follow from theirs, an earlier check said.",
        ],
        &[],
    );
    for (statements, said) in [
        (
            "UPDATE LEAVES SET leaf = sha256('x') WHERE position = 2",
            "between positions 1 and 3 one was changed",
        ),
        (
            "DELETE FROM LEAVES WHERE position = 2",
            "nothing is left of 1 position before position 3",
        ),
        (
            "DELETE FROM LEAVES WHERE position > 4",
            "the earlier check had come to position 6, and the leaves end at position 4",
        ),
        (
            "UPDATE LEDGER SET worker = 'nobody' WHERE decision_id = (SELECT decision_id FROM POSITIONS WHERE position = 8)",
            "position 8 is not the one",
        ),
    ] {
        println!("{statements}");
        let copy = "CREATE SCHEMA kept; CREATE TABLE kept.LEAVES AS TABLE LEAVES;";
        let copy = copy.replace("kept.LEAVES", "kept.ledger_leaves");
        tamper(&on, &filled(&format!("{copy} {statements}"))).await;
        go_on().exits(3).says(&[said], &[]);
        let back = "DELETE FROM LEAVES; INSERT INTO LEAVES SELECT * FROM kept.ledger_leaves; DROP SCHEMA kept CASCADE";
        tamper(&on, &filled(back)).await;
    }
}
