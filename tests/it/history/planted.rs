//! One violation at a time, planted in a database that was settled honestly, and each is found for what it
//! is, about its run and no other.
//!
//! The database's own defences are taken down first: a checker that relied on them could not tell what
//! happens where somebody has done the same.

use std::collections::BTreeSet;

use reconciler_jobs::restore_execute::canonical::digest_of;
use restore_reconciler::internals::sweep::Scope;

use super::Kind::{self, *};
use super::honest::{VARIETY, mixture, patient};
use super::{System, assert_sound, check, summary};
use crate::support::settled::pass;
use crate::support::store::{Fixture, on_both};

on_both!(
    each_planted_violation_is_found_for_what_it_is,
    each_finding_says_what_was_expected_and_what_was_found,
);

/// A violation: its kind, the run it is about, and how it comes about.
struct Violation(&'static str, Kind, i64, Planted);

enum Planted {
    Both(&'static str),
    /// Sets columns of the run itself, of its ledger row, or of its audit entry.
    Run(&'static str),
    Ledger(&'static str),
    Audit(&'static str),
    Either {
        sqlite: &'static str,
        postgres: &'static str,
    },
    /// Replaces a text in the facts of the run, and their digest and the decision's id wherever they stand.
    Facts(&'static str, &'static str),
}

use Planted::{Audit, Both, Either, Facts, Ledger, Run};

// In the mixture, 20 and 40 are proven, 1 and 21 failed, 2 waits, 5 and 25 were closed by the platform, 3 is
// partially proven, 13 had a start.
const TABLE: &[Violation] = &[
    Violation("nobody watches an open run", Lost, 2, Both(
        "DELETE FROM reconciler.watch_list WHERE operation_run_id = 2",
    )),
    Violation("a watched run's time has passed", Lost, 2, Both(
        "UPDATE reconciler.watch_list SET look_again_at = last_looked_at WHERE operation_run_id = 2",
    )),
    Violation("a tried run's time has passed", Lost, 2, Both(
        "INSERT INTO reconciler.attempts
             (operation_run_id, workspace_id, worker, first_seen_at, try_again_at)
         SELECT 2, 1, 'w', first_seen_at, first_seen_at
         FROM reconciler.watch_list WHERE operation_run_id = 2;
         DELETE FROM reconciler.watch_list WHERE operation_run_id = 2",
    )),
    Violation("a closed run is opened, and what was written about it removed", Lost, 20, Both(
        "UPDATE operation_runs SET status = 'queued', context = NULL WHERE id = 20;
         DELETE FROM audit_logs WHERE resource_type = 'operation_run' AND resource_id = '20';
         DELETE FROM reconciler.ledger WHERE operation_run_id = 20",
    )),
    Violation("a run is dead", DeadLetter, 2, Both(
        "INSERT INTO reconciler.attempts
             (operation_run_id, workspace_id, worker, first_seen_at, try_again_at, dead_at)
         SELECT 2, 1, 'w', first_seen_at, first_seen_at, first_seen_at
         FROM reconciler.watch_list WHERE operation_run_id = 2",
    )),
    Violation("a closed run is deleted", RunMissing, 20, Both("DELETE FROM operation_runs WHERE id = 20")),
    Violation("a closed run is opened", RunOpen, 20, Run("status = 'running'")),
    Violation("a verdict on a run that stayed open", RunOpen, 20, Run(
        "status = 'running', outcome = 'pending', completed_at = NULL, context = NULL",
    )),
    Violation("a failed run is called a success", OutcomeDiffers, 1, Run("outcome = 'succeeded'")),
    Violation("a closed run is touched", ChangedAfterwards, 20, Either {
        sqlite: "UPDATE operation_runs SET updated_at = updated_at + 1000000 WHERE id = 20",
        postgres: "UPDATE operation_runs SET updated_at = updated_at + interval '1 s' WHERE id = 20",
    }),
    Violation("a closed run ends later", ChangedAfterwards, 20, Run("completed_at = updated_at")),
    Violation("a closed run never ended", ChangedAfterwards, 20, Run("completed_at = NULL")),
    Violation("the start that we added is taken away", ChangedAfterwards, 20, Run("started_at = NULL")),
    Violation("the start that was there is another", ChangedAfterwards, 13, Run("started_at = completed_at")),
    Violation("a closed run moves to another environment", ChangedAfterwards, 20, Run("managed_environment_id = 12")),
    Violation("a closed run moves to another workspace", ChangedAfterwards, 20, Run("workspace_id = 2")),
    Violation("a closed run becomes one of another type", ChangedAfterwards, 20, Run("type = 'restore.verify'")),
    Violation("the platform closed the run that has our verdict", ClosedByAnother, 20, Run(
        "context = '{\"restore_run_id\":1000020}', completed_at = created_at, updated_at = created_at",
    )),
    Violation("an audit entry about a run that the platform closed", ClosedByAnother, 5, Both(
        "INSERT INTO audit_logs
             (workspace_id, managed_environment_id, actor_type, actor_label, action, resource_type,
              resource_id, status, outcome, summary, metadata, recorded_at)
         SELECT workspace_id, managed_environment_id, actor_type, actor_label, action, resource_type,
             '5', status, outcome, summary, metadata, recorded_at
         FROM audit_logs WHERE resource_type = 'operation_run' AND resource_id = '20'",
    )),
    Violation("our words in a run that the platform closed", UnknownDecision, 5, Both(
        "UPDATE operation_runs SET context = (SELECT context FROM operation_runs WHERE id = 20)
         WHERE id = 5",
    )),
    Violation("our words in a run that is open", UnknownDecision, 2, Both(
        "UPDATE operation_runs SET context = (SELECT context FROM operation_runs WHERE id = 20)
         WHERE id = 2",
    )),
    Violation("the ledger lost a verdict", UnknownDecision, 20, Both(
        "DELETE FROM reconciler.ledger WHERE operation_run_id = 20",
    )),
    Violation("a run names the decision about another", UnknownDecision, 20, Both(
        "UPDATE operation_runs SET context = (SELECT context FROM operation_runs WHERE id = 40)
         WHERE id = 20",
    )),
    Violation("our words are taken out of a run", ContextMissing, 20, Run("context = '{}'")),
    Violation("a run tells of another reason", ContextDiffers, 1, Run(
        "context = replace(context, 'restore.execution_failed', 'restore.aborted')",
    )),
    Violation("a run tells that a gap is none", ContextDiffers, 3, Both(
        "UPDATE operation_runs
         SET context = replace(replace(context, '\"evidence\": false', '\"evidence\":true'),
             '\"evidence\":false', '\"evidence\":true')
         WHERE id = 3",
    )),
    Violation("the audit entry is gone", AuditMissing, 20, Both(
        "DELETE FROM audit_logs WHERE resource_type = 'operation_run' AND resource_id = '20'",
    )),
    Violation("the audit log tells of a success", AuditDiffers, 1, Audit("outcome = 'success'")),
    Violation("the audit log tells of another reason", AuditDiffers, 1, Audit(
        "metadata = replace(metadata, 'restore.execution_failed', 'restore.aborted')",
    )),
    Violation("the audit log names another decision", AuditDiffers, 20, Both(
        "UPDATE audit_logs
         SET metadata = (SELECT metadata FROM audit_logs
             WHERE resource_type = 'operation_run' AND resource_id = '40')
         WHERE resource_type = 'operation_run' AND resource_id = '20'",
    )),
    Violation("the audit log tells of another moment", AuditDiffers, 20, Either {
        sqlite: "UPDATE audit_logs SET recorded_at = recorded_at - 1000000
                 WHERE resource_type = 'operation_run' AND resource_id = '20'",
        postgres: "UPDATE audit_logs SET recorded_at = recorded_at - interval '1 s'
                   WHERE resource_type = 'operation_run' AND resource_id = '20'",
    }),
    Violation("an audit entry shows in another environment", AuditDiffers, 20, Audit("managed_environment_id = 12")),
    Violation("an audit entry shows in another workspace", AuditDiffers, 20, Audit("workspace_id = 2")),
    Violation("an audit entry about a run that is open", AuditWithoutVerdict, 2, Both(
        "INSERT INTO audit_logs (workspace_id, action, resource_type, resource_id, recorded_at)
         SELECT 1, 'operation_run.reconciled', 'operation_run', '2', recorded_at
         FROM audit_logs WHERE resource_type = 'operation_run' AND resource_id = '20'",
    )),
    Violation("an audit entry about no run at all", AuditWithoutVerdict, 0, Both(
        "INSERT INTO audit_logs (workspace_id, action, resource_type, resource_id, recorded_at)
         SELECT 1, 'operation_run.reconciled', 'operation_run', 'x', recorded_at
         FROM audit_logs WHERE resource_type = 'operation_run' AND resource_id = '20'",
    )),
    Violation("a run has its verdict twice", TwoVerdicts, 20, Both(
        "INSERT INTO reconciler.ledger SELECT * FROM reconciler.ledger WHERE operation_run_id = 20",
    )),
    Violation("a verdict is audited twice", TwoAudits, 20, Both(
        "INSERT INTO audit_logs
             (workspace_id, managed_environment_id, actor_type, actor_label, action, resource_type,
              resource_id, status, outcome, summary, metadata, recorded_at)
         SELECT workspace_id, managed_environment_id, actor_type, actor_label, action, resource_type,
             resource_id, status, outcome, summary, metadata, recorded_at
         FROM audit_logs WHERE resource_type = 'operation_run' AND resource_id = '20'",
    )),
    Violation("a run's context holds two decisions", TwoDecisions, 20, Both(
        "UPDATE operation_runs
         SET context = replace(context, '\"reconciliation\":',
             '\"reconciliation\":{\"decision_id\":\"0\"},\"reconciliation\":')
         WHERE id = 20",
    )),
    Violation("a run's reconciliation names two decisions", TwoDecisions, 20, Run(
        "context = replace(context, '\"decision_id\":', '\"decision_id\":\"0\",\"decision_id\":')",
    )),
    Violation("a verdict moves to another workspace", LedgerDiffers, 20, Ledger("workspace_id = 2")),
    Violation("a verdict moves to another environment", LedgerDiffers, 20, Ledger("managed_environment_id = NULL")),
    Violation("a verdict was reached at another moment", LedgerDiffers, 20, Either {
        sqlite: "UPDATE reconciler.ledger SET decided_at = decided_at + 1 WHERE operation_run_id = 20",
        postgres: "UPDATE reconciler.ledger SET decided_at = decided_at + interval '1 microsecond'
                   WHERE operation_run_id = 20",
    }),
    Violation("a verdict has another name", LedgerDiffers, 20, Ledger("decision_id = 'x'")),
    Violation("nobody reached the verdict", LedgerDiffers, 20, Ledger("worker = ' '")),
    Violation("the facts are altered", FactsAltered, 20, Ledger(
        "facts = replace(facts, '\"failed\":0', '\"failed\":00')",
    )),
    Violation("the facts are those of another verdict", FactsAltered, 20, Both(
        "UPDATE reconciler.ledger
         SET facts = (SELECT facts FROM reconciler.ledger WHERE operation_run_id = 40)
         WHERE operation_run_id = 20",
    )),
    Violation("facts of no version, digested anew", FactsUnreadable, 20, Facts(
        r#""is_dry_run":false"#,
        r#""is_dry_run":"no""#,
    )),
    Violation("facts that say more, digested anew", FactsUnreadable, 20, Facts(
        r#""is_dry_run":false"#,
        r#""is_drill":false,"is_dry_run":false"#,
    )),
    Violation("a success without evidence", Overclaim, 20, Facts(r#""complete":true"#, r#""complete":false"#)),
    Violation("a success of a restore that runs", Overclaim, 20, Facts(
        r#""status":"completed","updated_at""#,
        r#""status":"running","updated_at""#,
    )),
    Violation("a success written over a run that was closed", Overclaim, 20, Facts(
        r#""status":"running","workspace_id""#,
        r#""status":"completed","workspace_id""#,
    )),
    Violation("a failure that is told as a success everywhere", Overclaim, 1, Both(
        "UPDATE reconciler.ledger
         SET (outcome, reason_code, decision) = (
             SELECT outcome, reason_code, decision FROM reconciler.ledger WHERE operation_run_id = 20)
         WHERE operation_run_id = 1;
         UPDATE operation_runs
         SET outcome = 'succeeded',
             context = replace(replace(replace(context,
                 'restore.execution_failed', 'restore.proof_complete'),
                 '\"decision\":\"failed\"', '\"decision\":\"succeeded\"'),
                 '\"decision\": \"failed\"', '\"decision\":\"succeeded\"')
         WHERE id = 1;
         UPDATE audit_logs
         SET outcome = 'success', status = 'success',
             metadata = replace(replace(metadata,
                 'restore.execution_failed', 'restore.proof_complete'),
                 '\"decision\":\"failed\"', '\"decision\":\"succeeded\"')
         WHERE resource_type = 'operation_run' AND resource_id = '1'",
    )),
    Violation("a failure that the facts do not give", WrongVerdict, 1, Facts(
        r#""status":"failed","updated_at""#,
        r#""status":"aborted","updated_at""#,
    )),
    Violation("a decision that names another row of the table", WrongVerdict, 1, Ledger(
        "decision = replace(decision, '\"rule\":17', '\"rule\":16')",
    )),
    Violation("a verdict of other rules", WrongVerdict, 20, Both(
        "UPDATE reconciler.ledger SET ruleset = 'restore.execute/0' WHERE operation_run_id = 20;
         UPDATE operation_runs SET context = replace(context, 'restore.execute/2', 'restore.execute/0')
         WHERE id = 20;
         UPDATE audit_logs SET metadata = replace(metadata, 'restore.execute/2', 'restore.execute/0')
         WHERE resource_type = 'operation_run' AND resource_id = '20'",
    )),
];

/// A settled mixture whose tables refuse nothing any more, and whose JSON is plain text.
async fn settle_and_disarm(on: &Fixture) {
    on.plant((1..=2 * VARIETY).map(mixture)).await;
    let pass = pass(&on.store, Scope::default(), &patient()).await;
    pass.expect("a pass");
    assert_sound(&on.url, System::QUIET).await;
    on.execute(on.either(
        // A table without constraints takes the name of the one that had them; its entries hold their facts.
        "CREATE TABLE loose AS SELECT * FROM reconciler_verdicts;
         DROP VIEW reconciler_verdicts;
         DROP TABLE reconciler_ledger;
         ALTER TABLE loose RENAME TO reconciler_ledger",
        "CREATE TABLE loose AS SELECT * FROM reconciler.verdicts;
         ALTER TABLE loose SET SCHEMA reconciler;
         DROP VIEW reconciler.verdicts;
         DROP VIEW reconciler.verdict_feed CASCADE;
         DROP TABLE reconciler.ledger;
         ALTER TABLE reconciler.loose RENAME TO ledger;
         ALTER TABLE operation_runs ALTER context TYPE text USING context::text;
         ALTER TABLE audit_logs ALTER metadata TYPE text USING metadata::text",
    ))
    .await;
    for (saved, table) in SAVED {
        on.execute(&format!("CREATE TABLE {saved} AS SELECT * FROM {table}"))
            .await;
    }
}

const SAVED: [(&str, &str); 5] = [
    ("saved_attempts", "reconciler.attempts"),
    ("saved_audits", "audit_logs"),
    ("saved_ledger", "reconciler.ledger"),
    ("saved_runs", "operation_runs"),
    ("saved_watch_list", "reconciler.watch_list"),
];

async fn undo(on: &Fixture) {
    for (saved, table) in SAVED {
        on.execute(&format!(
            "DELETE FROM {table}; INSERT INTO {table} SELECT * FROM {saved}"
        ))
        .await;
    }
}

impl Planted {
    async fn plant(&self, on: &Fixture, run: i64) {
        match self {
            Both(statements) => on.execute(statements).await,
            Run(set) => set_where(on, "operation_runs", set, &format!("id = {run}")).await,
            Ledger(set) => {
                let its = format!("operation_run_id = {run}");
                set_where(on, "reconciler.ledger", set, &its).await;
            }
            Audit(set) => {
                let its = format!("resource_type = 'operation_run' AND resource_id = '{run}'");
                set_where(on, "audit_logs", set, &its).await;
            }
            Either { sqlite, postgres } => on.execute(on.either(sqlite, postgres)).await,
            Facts(from, to) => rewrite_facts(on, run, from, to).await,
        }
    }
}

async fn set_where(on: &Fixture, table: &str, set: &str, which: &str) {
    on.execute(&format!("UPDATE {table} SET {set} WHERE {which}"))
        .await;
}

/// What somebody does who knows how digests are made and where they stand.
async fn rewrite_facts(on: &Fixture, run: i64, from: &str, to: &str) {
    let entry = format!("SELECT * FROM reconciler.ledger WHERE operation_run_id = {run}");
    let entry = on.row(&entry).await;
    let column = |name: &str| entry[name].clone().expect("a value");
    let facts = column("facts");
    assert!(facts.contains(from), "{from}: {facts}");
    let facts = facts.replace(from, to);
    let digest = digest_of(&facts);
    let id = &digest[..32];
    let (old_digest, old_id) = (column("facts_digest"), column("decision_id"));
    on.execute(&format!(
        "UPDATE reconciler.ledger
         SET facts = '{facts}', facts_digest = '{digest}', decision_id = '{id}'
         WHERE operation_run_id = {run};
         UPDATE operation_runs
         SET context = replace(replace(context, '{old_digest}', '{digest}'), '{old_id}', '{id}')
         WHERE id = {run};
         UPDATE audit_logs
         SET metadata = replace(replace(metadata, '{old_digest}', '{digest}'), '{old_id}', '{id}')
         WHERE resource_type = 'operation_run' AND resource_id = '{run}'"
    ))
    .await;
}

async fn each_planted_violation_is_found_for_what_it_is(on: Fixture) {
    settle_and_disarm(&on).await;
    let mut missed = Vec::new();
    for Violation(name, kind, run, planted) in TABLE {
        planted.plant(&on, *run).await;
        let findings = check(&on.url, System::QUIET).await;
        let found: Vec<_> = findings.iter().map(|it| (it.kind, it.run)).collect();
        if found != [(*kind, *run)] {
            missed.push(format!("{name}: expected {kind:?}, {}", summary(&findings)));
        }
        undo(&on).await;
    }
    assert!(missed.is_empty(), "{}", missed.join("\n\n"));
    assert_sound(&on.url, System::QUIET).await;
}

#[test]
fn each_kind_is_planted() {
    let planted: BTreeSet<Kind> = TABLE.iter().map(|Violation(_, kind, ..)| *kind).collect();
    assert_eq!(planted.len(), WrongVerdict as usize + 1, "{planted:?}");
}

async fn each_finding_says_what_was_expected_and_what_was_found(on: Fixture) {
    settle_and_disarm(&on).await;
    on.execute(
        "UPDATE operation_runs SET outcome = 'succeeded' WHERE id = 1;
         UPDATE reconciler.ledger SET outcome = 'succeeded' WHERE operation_run_id = 3;
         DELETE FROM audit_logs WHERE resource_type = 'operation_run' AND resource_id = '20'",
    )
    .await;
    let text = summary(&check(&on.url, System::QUIET).await);
    for line in [
        "{OutcomeDiffers: 2, ContextDiffers: 1, AuditMissing: 1, AuditDiffers: 1, Overclaim: 1}",
        r#"run 1: OutcomeDiffers: expected {"outcome":"failed"}; found {"outcome":"succeeded"}"#,
        "run 3: Overclaim: expected a verdict that follows from its facts; found succeeded \
         restore.evidence_missing is on record; the facts give partially_succeeded restore.evidence_missing",
        "run 20: AuditMissing: expected an audit entry about decision ",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
}
