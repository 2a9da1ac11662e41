//! Jobs in the platform's database: finished by the transaction that dealt with their run, or not at all.

use std::collections::BTreeMap;

use reconciler_jobs::ids::RunId;
use restore_reconciler::internals::storage::{
    ClaimedJob, ErrorKind, Settled, Settlement, StoreError,
};
use sqlx::raw_sql;

use crate::support::case::Case;
use crate::support::roles::{Purpose, connect};
use crate::support::scene::text_of;
use crate::support::settled::{by_run, claimed, deferred, refused, settling};
use crate::support::store::{Columns, Fixture};

/// Who holds the jobs of these tests.
const WORKER: &str = "host-1-2/restore.execute/0";
const OTHER: &str = "host-3-4/restore.execute/0";

/// A database with the queue's tables, two workers that are registered there, and failed restores.
async fn prepared(runs: impl IntoIterator<Item = i64>) -> Fixture {
    let on = Fixture::postgres_with_queue().await;
    on.plant(runs.into_iter().map(Case::failed)).await;
    for worker in [WORKER, OTHER] {
        on.execute(&format!(
            "INSERT INTO apalis.workers (id, worker_type, storage_name)
             VALUES ('{worker}', 'restore.execute', 'PgStorage')"
        ))
        .await;
    }
    on
}

/// Asks for runs as the platform does, and has `worker` take the jobs.
async fn held(on: &Fixture, runs: impl IntoIterator<Item = i64>, worker: &str) -> Vec<ClaimedJob> {
    for run in runs {
        let asked = on.value(&format!("SELECT reconciler.request({run})")).await;
        assert_eq!(asked.as_deref(), Some("t"), "run {run}");
    }
    let taken = on
        .rows(&format!(
            "UPDATE apalis.jobs SET status = 'Queued', lock_by = '{worker}', lock_at = now()
             WHERE status = 'Pending'
             RETURNING id, convert_from(job, 'UTF8')::json ->> 'run' AS run"
        ))
        .await;
    let taken = taken.iter().map(|row| {
        let run = text_of(row, "run").parse().unwrap();
        claimed(text_of(row, "id").to_owned(), run, worker)
    });
    let mut jobs: Vec<_> = taken.collect();
    jobs.sort_by(|a, b| (a.run, &a.id).cmp(&(b.run, &b.id)));
    jobs
}

async fn try_settle(on: &Fixture, jobs: &[ClaimedJob]) -> (Vec<Settled>, Result<(), StoreError>) {
    let runs: Vec<RunId> = jobs.iter().map(|job| job.run).collect();
    let (with, mut settled) = (settling(), Vec::new());
    let result = on.store.settle_jobs(&runs, jobs, &with, &mut settled).await;
    (settled, result)
}

async fn settle(on: &Fixture, jobs: &[ClaimedJob]) -> BTreeMap<i64, Settlement> {
    let (settled, result) = try_settle(on, jobs).await;
    result.unwrap();
    by_run(settled)
}

async fn job(on: &Fixture, id: &str) -> Columns {
    on.row(&format!("SELECT * FROM apalis.jobs WHERE id = '{id}'"))
        .await
}

async fn status(on: &Fixture, of: &ClaimedJob) -> String {
    text_of(&job(on, &of.id).await, "status").to_owned()
}

/// All jobs are done, so many.
async fn assert_done(on: &Fixture, jobs: i64) {
    let done = on.number_of("apalis.jobs WHERE status = 'Done'").await;
    assert_eq!((done, on.number_of("apalis.jobs").await), (jobs, jobs));
}

/// Refuses, with this error code, whatever is done to runs such as `= 7`: at once, or at the end of the transaction.
async fn refuse(on: &Fixture, runs: &str, deferred: bool, code: &str) {
    let trigger = if deferred {
        format!(
            "CREATE CONSTRAINT TRIGGER refuse AFTER INSERT ON reconciler.ledger DEFERRABLE INITIALLY DEFERRED
             FOR EACH ROW WHEN (new.operation_run_id {runs}) EXECUTE FUNCTION refuse()"
        )
    } else {
        format!(
            "CREATE TRIGGER refuse BEFORE UPDATE ON operation_runs FOR EACH ROW
             WHEN (new.id {runs}) EXECUTE FUNCTION refuse()"
        )
    };
    on.execute(&format!(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN RAISE EXCEPTION 'refused by a test' USING ERRCODE = '{code}'; END $$; {trigger}"
    ))
    .await;
}

#[tokio::test]
async fn a_job_is_done_with_its_verdict() {
    let on = prepared(1..=20).await;
    let jobs = held(&on, 1..=20, WORKER).await;
    settle(&on, &jobs).await;
    on.assert_one_of_each(20).await;
    assert_done(&on, 20).await;
    let transactions = "SELECT count(DISTINCT written) FROM (
        SELECT xmin::text AS written FROM apalis.jobs WHERE done_at IS NOT NULL
        UNION ALL SELECT xmin::text FROM reconciler.ledger) AS rows";
    assert_eq!(on.count(transactions).await, 1, "one transaction wrote all");
}

#[tokio::test]
async fn a_commit_that_fails_leaves_neither_verdict_nor_finished_job() {
    let on = prepared(6..=8).await;
    let jobs = held(&on, 6..=8, WORKER).await;
    let rows = on.rows("SELECT * FROM apalis.jobs ORDER BY id").await;
    let before = on.fingerprint().await;
    refuse(&on, "> 0", true, "insufficient_privilege").await;
    let (settled, result) = try_settle(&on, &jobs).await;
    assert_eq!(result.unwrap_err().kind(), ErrorKind::Fatal);
    assert_eq!(settled, []);
    assert_eq!(before, on.fingerprint().await);
    assert_eq!(rows, on.rows("SELECT * FROM apalis.jobs ORDER BY id").await);

    on.execute("DROP FUNCTION refuse() CASCADE").await;
    settle(&on, &jobs).await;
    on.assert_one_of_each(3).await;
    assert_done(&on, 3).await;
}

#[tokio::test]
async fn a_job_that_was_taken_away_is_left_alone() {
    let on = prepared([1, 2]).await;
    let jobs = held(&on, [1, 2], WORKER).await;
    let id = &jobs[0].id;
    let given = format!("UPDATE apalis.jobs SET lock_by = '{OTHER}' WHERE id = '{id}'");
    on.execute(&given).await;
    let before = job(&on, id).await;
    settle(&on, &jobs).await;
    on.assert_one_of_each(2).await;
    assert_eq!(before, job(&on, &jobs[0].id).await);
    assert_eq!(status(&on, &jobs[1]).await, "Done");

    // Nor when it is given back, or cannot be read.
    on.store.release(&jobs[..1]).await.unwrap();
    on.store.discard(&jobs[0].id, WORKER).await.unwrap();
    assert_eq!(before, job(&on, &jobs[0].id).await);
    on.store.discard(&jobs[0].id, OTHER).await.unwrap();
    assert_eq!(status(&on, &jobs[0]).await, "Killed");
}

/// A job that was given to others and back to its queue has no worker; an old one must not finish it.
#[tokio::test]
async fn a_job_that_waits_again_is_not_finished_by_whoever_had_it() {
    let on = prepared([1]).await;
    let jobs = held(&on, [1], WORKER).await;
    on.execute("UPDATE apalis.jobs SET status = 'Pending', lock_by = NULL, lock_at = NULL")
        .await;
    let before = job(&on, &jobs[0].id).await;
    settle(&on, &jobs).await;
    assert_eq!(before, job(&on, &jobs[0].id).await);
    // Delivered once more, it finds nothing to do and is done.
    let again = held(&on, [], OTHER).await;
    let fingerprint = on.fingerprint().await;
    settle(&on, &again).await;
    assert_eq!(status(&on, &again[0]).await, "Done");
    assert_eq!(fingerprint, on.fingerprint().await);
}

#[tokio::test]
async fn a_run_that_is_held_gives_its_jobs_back_for_a_second_later() {
    let on = prepared([1, 2, 3]).await;
    on.store.suspect(&[RunId(3)], "heir").await.unwrap();
    let jobs = held(&on, [1, 1, 2, 3], WORKER).await;
    let mut other = connect(Purpose::Engineer, &on.url).await;
    raw_sql("BEGIN; SELECT FROM operation_runs WHERE id IN (1, 3) FOR UPDATE")
        .execute(&mut other)
        .await
        .unwrap();
    let results = settle(&on, &jobs).await;
    assert_eq!(results[&1], Settlement::Locked);
    assert_eq!(results[&3], Settlement::Locked, "a suspect too");
    let back = "apalis.jobs
        WHERE status = 'Pending' AND lock_by IS NULL AND lock_at IS NULL AND attempts = 0
          AND run_at - now() BETWEEN interval '200 ms' AND interval '1 s'";
    assert_eq!(on.number_of(back).await, 3);
    assert_eq!(on.number_of("apalis.jobs WHERE status = 'Done'").await, 1);
    assert_eq!(on.number_of("apalis.jobs").await, 4);
}

#[tokio::test]
async fn all_jobs_of_a_run_are_finished_together() {
    let on = prepared([1, 2]).await;
    on.plant([Case::in_progress(3)]).await;
    let jobs = held(&on, [1, 1, 1, 2, 3, 3], WORKER).await;
    let results = settle(&on, &jobs).await;
    deferred(&results[&3]);
    on.assert_one_of_each(2).await;
    assert_done(&on, 6).await;
    let tries = on.count("SELECT tries FROM reconciler.watch_list").await;
    assert_eq!(tries, 1, "two jobs, one look");
}

#[tokio::test]
async fn jobs_of_runs_that_are_closed_or_gone_are_finished() {
    let on = prepared([1, 2, 3]).await;
    let jobs = held(&on, [1, 2, 3], WORKER).await;
    on.execute(
        "UPDATE operation_runs SET status = 'completed' WHERE id = 1;
         UPDATE operation_runs SET type = 'restore.verify' WHERE id = 2;
         DELETE FROM restore_runs WHERE operation_run_id = 3;
         DELETE FROM evidence_snapshots WHERE operation_run_id = 3;
         DELETE FROM operation_runs WHERE id = 3",
    )
    .await;
    let before = on.fingerprint().await;
    let results = settle(&on, &jobs).await;
    assert_eq!(results[&3], Settlement::Absent);
    assert_done(&on, 3).await;
    assert_eq!(before, on.fingerprint().await);
}

/// Refused at once, or at the commit.
async fn refused_run_is_watched(deferred: bool, code: &str) {
    let on = prepared(1..=12).await;
    refuse(&on, "= 7", deferred, code).await;
    let jobs = held(&on, (1..=12).chain([7]), WORKER).await;
    let results = settle(&on, &jobs).await;
    assert!(refused(&results[&7]).0.is_some());
    on.assert_one_of_each(11).await;
    assert_done(&on, 13).await;
    let watched = on.row("SELECT * FROM reconciler.watch_list").await;
    assert_eq!(watched["operation_run_id"].as_deref(), Some("7"));
    assert_eq!(watched["reason_code"].as_deref(), Some("run.settle_failed"));
    let error = watched["error"].as_deref().unwrap();
    assert!(error.contains("refused by a test"), "{error}");
}

#[tokio::test]
async fn a_refused_runs_job_is_done_and_the_run_is_watched() {
    for deferred in [false, true] {
        for code in ["raise_exception", "insufficient_privilege"] {
            refused_run_is_watched(deferred, code).await;
        }
    }
}

/// Nobody will look at it by himself; its job must not keep coming back.
#[tokio::test]
async fn the_job_of_a_run_that_is_refused_even_its_place_on_the_watch_list_is_done() {
    let on = prepared(6..=8).await;
    refuse(&on, "= 7", false, "raise_exception").await;
    on.execute(
        "CREATE TRIGGER refuse BEFORE INSERT ON reconciler.watch_list FOR EACH ROW
         EXECUTE FUNCTION refuse()",
    )
    .await;
    let jobs = held(&on, 6..=8, WORKER).await;
    let results = settle(&on, &jobs).await;
    assert_eq!(refused(&results[&7]).0, None);
    assert_done(&on, 3).await;
    assert_eq!(on.store.count_due(None).await.unwrap(), 1, "a sweep's");
}

#[tokio::test]
async fn jobs_of_suspects_are_done_whatever_becomes_of_them() {
    let on = prepared(1..=5).await;
    let suspects = [1, 2, 3].map(RunId);
    on.store.suspect(&suspects, "heir").await.unwrap();
    on.execute(
        "UPDATE reconciler.attempts SET tries = 5 WHERE operation_run_id = 1;
         UPDATE reconciler.attempts SET tries = 1, try_again_at = now() + interval '1 hour'
         WHERE operation_run_id = 2",
    )
    .await;
    let jobs = held(&on, [1, 1, 2, 3, 4, 5], WORKER).await;
    let results = settle(&on, &jobs).await;
    let is_tried_again = |run: i64| match &results[&run] {
        Settlement::Suspended { until, .. } => until.is_some(),
        result => panic!("run {run}: {result:?}"),
    };
    assert!(!is_tried_again(1) && is_tried_again(2));
    on.assert_one_of_each(3).await;
    assert_done(&on, 6).await;
    // Asked for again, a dead letter is a dead letter, and the job is done.
    let fingerprint = on.fingerprint().await;
    let attempts = on.rows("SELECT * FROM reconciler.attempts").await;
    let again = held(&on, [1], OTHER).await;
    settle(&on, &again).await;
    assert_eq!(status(&on, &again[0]).await, "Done");
    assert_eq!(fingerprint, on.fingerprint().await);
    assert_eq!(attempts, on.rows("SELECT * FROM reconciler.attempts").await);
}
