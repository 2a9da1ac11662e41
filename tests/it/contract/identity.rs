//! Whose verdict it is: ids come again, so a run is its id, its workspace, its environment and when it was created.

use reconciler_jobs::ids::RunId;
use restore_reconciler::internals::doctor::{Level, examine};
use restore_reconciler::internals::storage::reader::Workspaces;
use restore_reconciler::internals::storage::{RecordedVerdict, Settlement};
use restore_reconciler::internals::sweep::Scope;

use crate::support::case::Case;
use crate::support::settled::{pass, reason, settling};
use crate::support::store::{Fixture, on_all};

on_all!(
    a_verdict_of_another_run_with_the_same_id_is_neither_shown_nor_in_the_way,
    a_run_that_was_rolled_back_with_its_platform_is_judged_anew,
    a_run_whose_row_does_not_say_when_it_was_created_has_one_verdict,
    an_older_program_gives_no_run_a_second_verdict,
    what_another_platform_left_above_the_highest_run_hides_nothing,
    what_another_platform_left_delays_no_run_and_holds_none,
    a_suspect_that_has_the_id_of_another_begins_anew,
);

async fn on_record(on: &Fixture, run: i64) -> Option<RecordedVerdict> {
    let reader = on.store.reader();
    let verdict = reader.load_verdict(&Workspaces::All, RunId(run)).await;
    verdict.unwrap()
}

/// Settles a run, whatever is on record about it.
async fn commit(on: &Fixture, run: i64) {
    let result = on.settle_one(run).await;
    assert!(matches!(result, Settlement::Committed(_)), "{result:?}");
    let before = on.fingerprint().await;
    let again = on.settle_one(run).await;
    assert!(
        matches!(&again, Settlement::Deferred(closed, None) if reason(closed) == "run.already_terminal"),
        "{again:?}"
    );
    assert_eq!(
        on.fingerprint().await,
        before,
        "the second pass changes nothing"
    );
}

async fn ledger(on: &Fixture) -> (Level, u64) {
    let checks = examine(&on.store, None).await.unwrap().checks;
    let check = checks.into_iter().find(|check| check.subject == "ledger");
    let foreign = on.store.count_foreign_verdicts().await.unwrap();
    (check.unwrap().level, foreign)
}

/// The rows of the platform go, those of the ledger stay: `migrate:fresh`, and runs are numbered from 1 again.
pub(super) async fn build_afresh(on: &Fixture) {
    for table in [
        "audit_logs",
        "evidence_snapshots",
        "restore_runs",
        "operation_runs",
    ] {
        on.execute(&format!("DELETE FROM {table}")).await;
    }
}

/// Moves when each run was created, as runs of another day have it.
async fn created_earlier(on: &Fixture) {
    on.execute(on.either(
        "UPDATE operation_runs SET created_at = created_at - 3600000000",
        "UPDATE operation_runs SET created_at = created_at - interval '1 h'",
    ))
    .await;
}

async fn a_verdict_of_another_run_with_the_same_id_is_neither_shown_nor_in_the_way(on: Fixture) {
    on.plant([Case::failed(1), Case::proven(2)]).await;
    on.settle(&[1, 2]).await;
    assert_eq!(ledger(&on).await, (Level::Good, 0));
    let first = on_record(&on, 1).await.unwrap();

    build_afresh(&on).await;
    assert_eq!(
        ledger(&on).await,
        (Level::Good, 0),
        "a run that is gone says nothing"
    );
    on.plant([Case::proven(1)]).await;
    created_earlier(&on).await;
    assert_eq!(on_record(&on, 1).await, None);
    assert_eq!(ledger(&on).await, (Level::Problem, 1));

    commit(&on, 1).await;
    let second = on_record(&on, 1).await.unwrap();
    assert_eq!(
        (first.outcome.as_str(), second.outcome.as_str()),
        ("failed", "succeeded")
    );
    assert_eq!((second.revision, second.first_decision_id), (1, None));
    assert_eq!(on.count("SELECT count(*) FROM reconciler.ledger").await, 3);

    for (column, other) in [("workspace_id", 2), ("managed_environment_id", 12)] {
        let own = on.run(1).await[column].clone().unwrap();
        on.execute(&format!(
            "UPDATE operation_runs SET {column} = {other} WHERE id = 1"
        ))
        .await;
        assert_eq!(on_record(&on, 1).await, None, "{column}");
        on.execute(&format!(
            "UPDATE operation_runs SET {column} = {own} WHERE id = 1"
        ))
        .await;
    }
    assert!(on_record(&on, 1).await.is_some());
}

async fn a_run_that_was_rolled_back_with_its_platform_is_judged_anew(on: Fixture) {
    on.plant([Case::proven(1)]).await;
    let open = on.either(
        "CREATE TABLE kept AS SELECT * FROM operation_runs",
        "CREATE TABLE kept AS TABLE operation_runs",
    );
    on.execute(open).await;
    commit(&on, 1).await;
    let mut before = on_record(&on, 1).await.unwrap();
    let first = before.decision_id.clone();
    for revision in 2..=3 {
        on.execute(
            "UPDATE operation_runs
             SET status = kept.status, outcome = kept.outcome, context = kept.context, completed_at = kept.completed_at
             FROM kept WHERE kept.id = operation_runs.id",
        )
        .await;
        commit(&on, 1).await;
        let anew = on_record(&on, 1).await.unwrap();
        assert_eq!(anew.revision, revision);
        assert_eq!(anew.first_decision_id.as_deref(), Some(&*first));
        assert!(anew.decided_at >= before.decided_at);
        assert_eq!(ledger(&on).await, (Level::Good, 0));
        before = anew;
    }
    assert_eq!(on.count("SELECT count(*) FROM reconciler.ledger").await, 3);
}

async fn a_run_whose_row_does_not_say_when_it_was_created_has_one_verdict(on: Fixture) {
    on.plant([Case::proven(1), Case::proven(2)]).await;
    on.execute("UPDATE operation_runs SET created_at = NULL WHERE id = 1")
        .await;
    let far = on.either("9223372036854775807", "'infinity'");
    on.execute(&format!(
        "UPDATE operation_runs SET created_at = {far} WHERE id = 2"
    ))
    .await;
    for run in [1, 2] {
        commit(&on, run).await;
        assert_eq!(on_record(&on, run).await.unwrap().revision, 1);
    }
    assert_eq!(ledger(&on).await, (Level::Good, 0));
}

/// It knows nothing of moments and revisions.
async fn an_older_program_gives_no_run_a_second_verdict(on: Fixture) {
    on.plant([Case::proven(1)]).await;
    commit(&on, 1).await;
    let before = on.rows("SELECT * FROM reconciler.ledger").await;
    let columns = "operation_run_id, workspace_id, managed_environment_id, outcome, reason_code, ruleset, facts, \
                   facts_digest, decision, worker, source, decided_at";
    let older = format!(
        "INSERT INTO reconciler.ledger (decision_id, {columns}) SELECT 'older', {columns} FROM reconciler.verdicts"
    );
    let refused = on.try_execute(&older).await.unwrap_err().to_string();
    assert!(
        refused.contains("this program is older than its database"),
        "{refused}"
    );
    assert_eq!(before, on.rows("SELECT * FROM reconciler.ledger").await);
}

/// More of them than are compared, with ids that no run has yet.
async fn what_another_platform_left_above_the_highest_run_hides_nothing(on: Fixture) {
    on.plant([Case::failed(1)]).await;
    commit(&on, 1).await;
    let columns = "workspace_id, managed_environment_id, outcome, reason_code, ruleset, facts, facts_digest, decision, \
                   worker, source, decided_at, run_created_at";
    on.execute(&format!(
        "WITH RECURSIVE above (id) AS (SELECT 1000 UNION ALL SELECT id + 1 FROM above WHERE id < 11500)
         INSERT INTO reconciler.ledger (decision_id, operation_run_id, {columns})
         SELECT 'above-' || above.id, above.id, {columns} FROM above CROSS JOIN reconciler.ledger"
    ))
    .await;
    assert_eq!(ledger(&on).await, (Level::Good, 0));
    created_earlier(&on).await;
    assert_eq!(ledger(&on).await, (Level::Problem, 1));
}

/// A run that waits for a day, and a dead letter.
async fn leave_behind(on: &Fixture) {
    on.plant([Case::in_progress(1), Case::proven(2)]).await;
    on.settle(&[1]).await;
    on.store.suspect(&[RunId(2)], "dead").await.unwrap();
    let far = on.in_seconds(86_400);
    let now = on.in_seconds(0);
    on.execute(&format!(
        "UPDATE reconciler.watch_list SET look_again_at = {far}"
    ))
    .await;
    on.execute(&format!(
        "UPDATE reconciler.attempts SET tries = 5, dead_at = {now}"
    ))
    .await;
}

async fn sweep(on: &Fixture) -> u64 {
    let pass = pass(&on.store, Scope::default(), &settling()).await;
    pass.unwrap().tally.verdicts()
}

async fn what_another_platform_left_delays_no_run_and_holds_none(on: Fixture) {
    leave_behind(&on).await;
    assert_eq!(sweep(&on).await, 0, "they are the runs that were there");
    build_afresh(&on).await;
    on.plant([Case::proven(1), Case::proven(2)]).await;
    assert_eq!(sweep(&on).await, 0, "and so are their rows, put back");

    created_earlier(&on).await;
    assert_eq!(sweep(&on).await, 2);
    for table in ["reconciler.watch_list", "reconciler.attempts"] {
        assert_eq!(on.number_of(table).await, 0, "{table}");
    }
    for (column, other) in [("workspace_id", 2), ("managed_environment_id", 12)] {
        build_afresh(&on).await;
        on.execute("DELETE FROM reconciler.watch_list").await;
        leave_behind(&on).await;
        on.execute(&format!(
            "UPDATE reconciler.watch_list SET {column} = {other};
             UPDATE reconciler.attempts SET {column} = {other}"
        ))
        .await;
        on.store.forget_leftovers().await.unwrap();
        for table in ["reconciler.watch_list", "reconciler.attempts"] {
            assert_eq!(on.number_of(table).await, 0, "{table}, {column}");
        }
    }
}

async fn a_suspect_that_has_the_id_of_another_begins_anew(on: Fixture) {
    leave_behind(&on).await;
    created_earlier(&on).await;
    let suspects = [RunId(2)];
    on.store.suspect(&suspects, "another").await.unwrap();
    let row = "SELECT tries, worker, dead_at FROM reconciler.attempts WHERE operation_run_id = 2";
    let found = on.row(row).await;
    assert_eq!(found["tries"].as_deref(), Some("0"));
    assert_eq!(found["worker"].as_deref(), Some("another"));
    assert_eq!(found["dead_at"], None);
    on.store.suspect(&suspects, "third").await.unwrap();
    assert_eq!(on.row(row).await, found, "it is remembered already");
    on.store.forget_leftovers().await.unwrap();
    assert_eq!(on.row(row).await, found, "it is the run that is there");

    on.settle(&[1]).await;
    let foreign = "SELECT count(*) FROM reconciler.watch_list AS watch
        JOIN operation_runs AS run ON run.id = watch.operation_run_id
        WHERE watch.run_created_at <> run.created_at";
    assert_eq!(
        on.count(foreign).await,
        0,
        "an entry is the last run's that was waited for"
    );
}
