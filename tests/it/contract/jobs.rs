//! Jobs in the platform's database: finished by the transaction that dealt with their run, or not at all.

use std::collections::BTreeMap;

use reconciler_jobs::ids::RunId;
use restore_reconciler::internals::storage::{
    ClaimedJob, ErrorKind, Settled, Settlement, Settling, StoreError,
};
use restore_reconciler::internals::worker::set_up;
use sqlx::{Connection as _, PgConnection, raw_sql};
use tracing::Span;

use crate::support::case::Case;
use crate::support::store::{Columns, Fixture, settling};

/// Who holds the jobs of these tests.
const WORKER: &str = "host-1-2/restore.execute/0";
const OTHER: &str = "host-3-4/restore.execute/0";

/// A database with the queue's tables, and two workers that are registered there.
async fn prepared() -> Fixture {
    let on = Fixture::postgres().await;
    set_up(&on.store).await.unwrap();
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
    let mut jobs: Vec<_> = taken
        .into_iter()
        .map(|row| ClaimedJob {
            id: row["id"].clone().unwrap(),
            worker: worker.to_owned(),
            run: RunId(row["run"].as_ref().unwrap().parse().unwrap()),
            asked_at: None,
            trace: None,
            span: Span::none(),
        })
        .collect();
    jobs.sort_by(|a, b| (a.run, &a.id).cmp(&(b.run, &b.id)));
    jobs
}

async fn try_settle(
    on: &Fixture,
    jobs: &[ClaimedJob],
    with: &Settling,
) -> (Vec<Settled>, Result<(), StoreError>) {
    let runs: Vec<RunId> = jobs.iter().map(|job| job.run).collect();
    let mut settled = Vec::new();
    let result = on.store.settle_jobs(&runs, jobs, with, &mut settled).await;
    (settled, result)
}

async fn settle(on: &Fixture, jobs: &[ClaimedJob]) -> BTreeMap<i64, Settlement> {
    let (settled, result) = try_settle(on, jobs, &settling()).await;
    result.unwrap();
    let count = settled.len();
    let by_run: BTreeMap<_, _> = settled
        .into_iter()
        .map(|settled| (settled.run.0, settled.result))
        .collect();
    assert_eq!(by_run.len(), count, "one answer per run");
    by_run
}

async fn job(on: &Fixture, id: &str) -> Columns {
    on.row(&format!("SELECT * FROM apalis.jobs WHERE id = '{id}'"))
        .await
}

async fn status(on: &Fixture, job_of: &ClaimedJob) -> String {
    job(on, &job_of.id).await["status"].clone().unwrap()
}

/// How many jobs are in each state.
async fn statuses(on: &Fixture) -> Vec<(String, i64)> {
    on.rows("SELECT status, count(*) AS jobs FROM apalis.jobs GROUP BY status ORDER BY status")
        .await
        .iter()
        .map(|row| {
            let jobs = row["jobs"].as_ref().unwrap().parse().unwrap();
            (row["status"].clone().unwrap(), jobs)
        })
        .collect()
}

/// Refuses, with this error code, whatever is done to run 7: at once, or at the end of the transaction.
async fn refuse_seven(on: &Fixture, deferred: bool, code: &str) {
    let trigger = if deferred {
        "CREATE CONSTRAINT TRIGGER refuse AFTER INSERT ON reconciler.ledger DEFERRABLE INITIALLY DEFERRED
         FOR EACH ROW WHEN (new.operation_run_id = 7) EXECUTE FUNCTION refuse()"
    } else {
        "CREATE TRIGGER refuse BEFORE UPDATE ON operation_runs FOR EACH ROW
         WHEN (new.id = 7) EXECUTE FUNCTION refuse()"
    };
    on.execute(&format!(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN RAISE EXCEPTION 'refused by a test' USING ERRCODE = '{code}'; END $$; {trigger}"
    ))
    .await;
}

#[tokio::test]
async fn a_job_is_done_with_its_verdict() {
    let on = prepared().await;
    on.plant((1..=20).map(Case::failed)).await;
    let jobs = held(&on, 1..=20, WORKER).await;
    settle(&on, &jobs).await;
    on.assert_one_of_each(20).await;
    assert_eq!(statuses(&on).await, [("Done".to_owned(), 20)]);
    let transactions = "SELECT count(DISTINCT written) FROM (
        SELECT xmin::text AS written FROM apalis.jobs WHERE done_at IS NOT NULL
        UNION ALL SELECT xmin::text FROM reconciler.ledger) AS rows";
    assert_eq!(on.count(transactions).await, 1, "one transaction wrote all");
}

#[tokio::test]
async fn a_commit_that_fails_leaves_neither_verdict_nor_finished_job() {
    let on = prepared().await;
    on.plant((6..=8).map(Case::failed)).await;
    let jobs = held(&on, 6..=8, WORKER).await;
    let rows = on.rows("SELECT * FROM apalis.jobs ORDER BY id").await;
    let before = on.standin.fingerprint().await.unwrap();
    refuse_seven(&on, true, "insufficient_privilege").await;
    on.execute(
        "CREATE CONSTRAINT TRIGGER refuse_others AFTER INSERT ON reconciler.ledger DEFERRABLE INITIALLY DEFERRED
         FOR EACH ROW WHEN (new.operation_run_id <> 7) EXECUTE FUNCTION refuse()",
    )
    .await;
    let (settled, result) = try_settle(&on, &jobs, &settling()).await;
    assert_eq!(result.unwrap_err().kind(), ErrorKind::Fatal);
    assert_eq!(settled, []);
    assert_eq!(before, on.standin.fingerprint().await.unwrap());
    assert_eq!(rows, on.rows("SELECT * FROM apalis.jobs ORDER BY id").await);

    on.execute("DROP FUNCTION refuse() CASCADE").await;
    settle(&on, &jobs).await;
    on.assert_one_of_each(3).await;
    assert_eq!(statuses(&on).await, [("Done".to_owned(), 3)]);
}

#[tokio::test]
async fn a_job_that_was_taken_away_is_left_alone() {
    let on = prepared().await;
    on.plant([1, 2].map(Case::failed)).await;
    let jobs = held(&on, [1, 2], WORKER).await;
    on.execute(&format!(
        "UPDATE apalis.jobs SET lock_by = '{OTHER}' WHERE id = '{}'",
        jobs[0].id
    ))
    .await;
    let before = job(&on, &jobs[0].id).await;
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
    let on = prepared().await;
    on.plant([Case::failed(1)]).await;
    let jobs = held(&on, [1], WORKER).await;
    on.execute("UPDATE apalis.jobs SET status = 'Pending', lock_by = NULL, lock_at = NULL")
        .await;
    let before = job(&on, &jobs[0].id).await;
    settle(&on, &jobs).await;
    assert_eq!(before, job(&on, &jobs[0].id).await);
    // Delivered once more, it finds nothing to do and is done.
    let again = held(&on, [], OTHER).await;
    let fingerprint = on.standin.fingerprint().await.unwrap();
    settle(&on, &again).await;
    assert_eq!(status(&on, &again[0]).await, "Done");
    assert_eq!(fingerprint, on.standin.fingerprint().await.unwrap());
}

#[tokio::test]
async fn a_run_that_is_held_gives_its_jobs_back_for_a_second_later() {
    let on = prepared().await;
    on.plant([1, 2, 3].map(Case::failed)).await;
    on.store.suspect(&[RunId(3)], "heir").await.unwrap();
    let jobs = held(&on, [1, 1, 2, 3], WORKER).await;
    let mut other = PgConnection::connect(&on.url).await.unwrap();
    raw_sql("BEGIN; SELECT FROM operation_runs WHERE id IN (1, 3) FOR UPDATE")
        .execute(&mut other)
        .await
        .unwrap();
    let results = settle(&on, &jobs).await;
    assert_eq!(results[&1], Settlement::Locked);
    assert_eq!(results[&3], Settlement::Locked, "a suspect too");
    assert_eq!(
        statuses(&on).await,
        [("Done".to_owned(), 1), ("Pending".to_owned(), 3)]
    );
    let back = "SELECT count(*) FROM apalis.jobs
        WHERE status = 'Pending' AND lock_by IS NULL AND lock_at IS NULL AND attempts = 0
          AND run_at - now() BETWEEN interval '200 ms' AND interval '1 s'";
    assert_eq!(on.count(back).await, 3);
}

#[tokio::test]
async fn all_jobs_of_a_run_are_finished_together() {
    let on = prepared().await;
    on.plant([1, 2].map(Case::failed)).await;
    on.plant([Case::in_progress(3)]).await;
    let jobs = held(&on, [1, 1, 1, 2, 3, 3], WORKER).await;
    let results = settle(&on, &jobs).await;
    assert!(matches!(results[&3], Settlement::Deferred(_, Some(_))));
    on.assert_one_of_each(2).await;
    assert_eq!(statuses(&on).await, [("Done".to_owned(), 6)]);
    assert_eq!(
        on.count("SELECT tries FROM reconciler.watch_list").await,
        1,
        "two jobs, one look"
    );
}

#[tokio::test]
async fn jobs_of_runs_that_are_closed_or_gone_are_finished() {
    let on = prepared().await;
    on.plant([1, 2, 3].map(Case::failed)).await;
    let jobs = held(&on, [1, 2, 3], WORKER).await;
    on.execute(
        "UPDATE operation_runs SET status = 'completed' WHERE id = 1;
         UPDATE operation_runs SET type = 'restore.verify' WHERE id = 2;
         DELETE FROM restore_runs WHERE operation_run_id = 3;
         DELETE FROM evidence_snapshots WHERE operation_run_id = 3;
         DELETE FROM operation_runs WHERE id = 3",
    )
    .await;
    let before = on.standin.fingerprint().await.unwrap();
    let results = settle(&on, &jobs).await;
    assert_eq!(results[&3], Settlement::Absent);
    assert_eq!(statuses(&on).await, [("Done".to_owned(), 3)]);
    assert_eq!(before, on.standin.fingerprint().await.unwrap());
}

async fn refused_run_is_watched(deferred: bool, code: &str) {
    let on = prepared().await;
    on.plant((1..=12).map(Case::failed)).await;
    refuse_seven(&on, deferred, code).await;
    let jobs = held(&on, (1..=12).chain([7]), WORKER).await;
    let results = settle(&on, &jobs).await;
    assert!(
        matches!(results[&7], Settlement::Refused { watch: Some(_), .. }),
        "{:?}",
        results[&7]
    );
    on.assert_one_of_each(11).await;
    assert_eq!(statuses(&on).await, [("Done".to_owned(), 13)]);
    let watched = on.row("SELECT * FROM reconciler.watch_list").await;
    assert_eq!(watched["operation_run_id"].as_deref(), Some("7"));
    assert_eq!(watched["reason_code"].as_deref(), Some("run.settle_failed"));
    let error = watched["error"].as_deref().unwrap();
    assert!(error.contains("refused by a test"), "{error}");
}

#[tokio::test]
async fn a_refused_runs_job_is_done_and_the_run_is_watched() {
    refused_run_is_watched(false, "raise_exception").await;
    refused_run_is_watched(false, "insufficient_privilege").await;
}

#[tokio::test]
async fn a_run_that_is_refused_at_the_commit_is_no_different() {
    refused_run_is_watched(true, "raise_exception").await;
    refused_run_is_watched(true, "insufficient_privilege").await;
}

/// Nobody will look at it by himself; its job must not keep coming back.
#[tokio::test]
async fn the_job_of_a_run_that_is_refused_even_its_place_on_the_watch_list_is_done() {
    let on = prepared().await;
    on.plant((6..=8).map(Case::failed)).await;
    refuse_seven(&on, false, "raise_exception").await;
    on.execute(
        "CREATE TRIGGER refuse BEFORE INSERT ON reconciler.watch_list FOR EACH ROW
         EXECUTE FUNCTION refuse()",
    )
    .await;
    let jobs = held(&on, 6..=8, WORKER).await;
    let results = settle(&on, &jobs).await;
    assert!(
        matches!(results[&7], Settlement::Refused { watch: None, .. }),
        "{:?}",
        results[&7]
    );
    assert_eq!(statuses(&on).await, [("Done".to_owned(), 3)]);
    assert_eq!(on.store.count_due(None).await.unwrap(), 1, "a sweep's");
}

#[tokio::test]
async fn jobs_of_suspects_are_done_whatever_becomes_of_them() {
    let on = prepared().await;
    on.plant((1..=5).map(Case::failed)).await;
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
    assert!(matches!(
        results[&1],
        Settlement::Suspended { until: None, .. }
    ));
    assert!(matches!(
        results[&2],
        Settlement::Suspended { until: Some(_), .. }
    ));
    on.assert_one_of_each(3).await;
    assert_eq!(statuses(&on).await, [("Done".to_owned(), 6)]);
    // Asked for again, a dead letter is a dead letter, and the job is done.
    let fingerprint = on.standin.fingerprint().await.unwrap();
    let attempts = on.rows("SELECT * FROM reconciler.attempts").await;
    let again = held(&on, [1], OTHER).await;
    settle(&on, &again).await;
    assert_eq!(status(&on, &again[0]).await, "Done");
    assert_eq!(fingerprint, on.standin.fingerprint().await.unwrap());
    assert_eq!(attempts, on.rows("SELECT * FROM reconciler.attempts").await);
}
