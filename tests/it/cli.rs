//! The command line, by running the real binary on planted databases.

mod binding;
mod containers;
mod databases;
mod demo;
mod encryption;
mod first_day;
mod forget;
mod ids;
mod installation;
mod interruption;
mod layout;
pub(crate) mod ledger;
mod locks;
mod opinions;
mod question;
mod queue;
mod repair;
mod runs;
pub(crate) mod stage;
mod surface;
mod survey;
mod terminal;

use restore_reconciler::internals::cli::output::Document;

use stage::{File, assert_says, execute, run};

#[tokio::test]
async fn a_run_that_is_reconciled_says_how_it_went_and_so_does_the_exit_code() {
    let file = File::planted().await;
    assert_says(
        &file.url(),
        "reconcile 1     ⇒  0 | restore.proof_complete
         reconcile 1 1   ⇒  0 | succeeded (on record)
         reconcile 3     ⇒ 11 | restore.in_progress
         reconcile 4     ⇒ 11 | run.unsupported_type
         reconcile 5     ⇒ 11 | closed elsewhere; no verdict of ours
         reconcile 7     ⇒ 11 | restore.proof_unavailable
         reconcile 1 3   ⇒ 11 | deferred
         reconcile 3 2 1 ⇒ 10 | restore.execution_failed
         reconcile 2     ⇒ 10 | failed (on record)
         reconcile 999 2 ⇒  1 | does not exist",
    );
}

#[tokio::test]
async fn an_explanation_has_the_exit_code_of_the_run_and_writes_nothing() {
    let file = File::planted().await;
    let before = file.bytes();
    assert_says(
        &file.url(),
        "explain 1   ⇒  0 | if it were reconciled now: succeeded (rule 26)
         explain 2   ⇒ 10 | failed (rule 17) | Items in trouble
         explain 3   ⇒ 11 | restore.in_progress | Looked at again: With the sweeps
         explain 4   ⇒ 11 | run.unsupported_type | Never
         explain 5   ⇒ 11 | closed elsewhere; no verdict of ours | Never
         explain 6   ⇒ 10 | restore.items_unexpected | restore.evidence_missing | \\u{1b}[2J
         explain 999 ⇒  1 ! run 999 does not exist ! to do:",
    );
    assert!(before == file.bytes(), "explaining wrote something");
    assert_says(
        &file.url(),
        "reconcile 1 ⇒ 0
         explain 1   ⇒ 0 | succeeded (on record) | Verdict | the facts on record have it",
    );
}

#[tokio::test]
async fn nothing_is_said_of_a_restore_that_may_be_somebody_elses() {
    let file = File::planted().await;
    let shown = run(&file.url(), &["explain", "7"]).exits(11);
    assert!(!shown.stdout.contains("1006"), "{}", shown.stdout);
    let json = run(&file.url(), &["explain", "7", "--output", "json"]).exits(11);
    assert!(!json.stdout.contains("1006"), "{}", json.stdout);
    let Document::Explain(explained) = json.document() else {
        panic!("{}", json.stdout)
    };
    assert_eq!((explained.restore, explained.exceptions.len()), (None, 0));
    assert_eq!(explained.result.missing, ["restore.proof_unavailable"]);
}

/// A file in which the ledger entry of run 1 was changed afterwards.
async fn altered(script: &'static str) -> File {
    let file = File::planted().await;
    run(&file.url(), &["reconcile", "1"]).exits(0);
    let guard = "DROP TRIGGER reconciler_ledger_rows_are_not_updated;
                 DROP TRIGGER reconciler_ledger_facts_are_not_updated";
    execute(&file.url(), guard).await;
    execute(&file.url(), script).await;
    file
}

#[tokio::test]
async fn an_altered_ledger_proves_nothing() {
    let script =
        "UPDATE reconciler_ledger_facts SET facts = replace(facts, 'completed', 'complexed')";
    assert_says(
        &altered(script).await.url(),
        "reconcile 1 ⇒ 11 | its ledger entry was altered
         explain 1   ⇒ 11 | THE FACTS ON RECORD DO NOT HAVE IT",
    );
}

#[tokio::test]
async fn erased_facts_are_told_from_altered_ones() {
    let script = "DELETE FROM reconciler_ledger_facts";
    assert_says(
        &altered(script).await.url(),
        "reconcile 1 ⇒ 0 | succeeded (on record)
         explain 1   ⇒ 0 | the facts were erased | The facts were erased, so the verdict can be read",
    );
}

#[tokio::test]
async fn a_column_that_contradicts_the_recorded_facts_proves_nothing() {
    let script = "UPDATE reconciler_ledger SET reason_code = 'restore.evidence_missing'";
    assert_says(
        &altered(script).await.url(),
        "reconcile 1 ⇒ 11 | its ledger entry was altered
         explain 1   ⇒ 11 | its ledger entry was altered | The ledger's columns contradict the facts on record",
    );
}

#[tokio::test]
async fn a_dry_run_announces_the_sweep_and_leaves_every_byte() {
    let file = File::planted().await;
    let url = file.url();
    let before = file.bytes();
    let dry = run(&url, &["sweep", "--dry-run", "--output", "json"]).exits(10);
    assert!(before == file.bytes(), "a dry run wrote something");

    let wet = run(&url, &["sweep", "--output", "json"]).exits(10);
    assert!(before != file.bytes());
    let (Document::Sweep(dry), Document::Sweep(wet)) = (dry.document(), wet.document()) else {
        panic!("both are sweeps")
    };
    assert!(dry.dry_run && !wet.dry_run && dry.complete && wet.complete);
    assert_eq!((dry.runs, dry.counts), (wet.runs, wet.counts));
    assert_eq!(dry.reasons, wet.reasons);
    assert_eq!(wet.runs, 5);
    assert_eq!((wet.counts.succeeded, wet.counts.deferred), (1, 2));

    // What stays open waits, so a second pass finds nothing.
    assert_says(&url, "sweep ⇒ 0 | No run is due.");
}

#[tokio::test]
async fn a_sweep_keeps_to_its_workspace_and_its_limit() {
    let file = File::planted().await;
    let url = file.url();
    assert_says(
        &url,
        "sweep --workspace 9 ⇒ 0 | No run is due in workspace 9.",
    );
    let swept = run(&url, &["sweep", "--limit", "1", "--output", "json"]).exits(0);
    let Document::Sweep(swept) = swept.document() else {
        panic!("a sweep")
    };
    assert_eq!((swept.runs, swept.limit), (1, Some(1)));
    assert_says(
        &url,
        "sweep --workspace 2 ⇒ 10 | Looked at 1 due run in workspace 2",
    );
}

#[tokio::test]
async fn a_run_that_the_database_refuses_is_named_with_the_reason() {
    let file = File::planted().await;
    execute(
        &file.url(),
        "CREATE TRIGGER refuse BEFORE UPDATE ON operation_runs WHEN OLD.id = 1
         BEGIN SELECT RAISE(ABORT, 'not this one'); END;",
    )
    .await;
    assert_says(
        &file.url(),
        "sweep --workspace 1 ⇒ 10 | Run 1 was refused | not this one
         reconcile 1         ⇒ 11 | refused by the database | Run 1 was refused",
    );
}
