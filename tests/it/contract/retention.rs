//! What is removed once it is old, and what stays however old it is.

use std::time::Duration;

use restore_reconciler::internals::storage::{Pruned, Retention};

use crate::support::scene::text_of;
use crate::support::store::{Fixture, on_both};

on_both!(
    old_finished_jobs_go_and_all_others_stay,
    silent_workers_without_jobs_go,
    old_ticks_go,
    a_limit_is_kept_and_the_rest_goes_next_time,
    dead_letters_stay_however_old_they_are,
);

const KEEP: Retention = Retention {
    jobs: Duration::from_hours(24),
    workers: Duration::from_hours(1),
    ticks: Duration::from_hours(48),
};

/// A moment so many hours ago, as the queue's tables hold it.
fn hours_ago(on: &Fixture, hours: u32) -> String {
    if on.is_sqlite() {
        format!("(unixepoch('now') - {hours} * 3600)")
    } else {
        format!("(statement_timestamp() - interval '{hours} hours')")
    }
}

/// The rows that numbers up to `count` make, as a table `many (n)`.
fn many(on: &Fixture, count: u32) -> String {
    if on.is_sqlite() {
        format!(
            "(WITH RECURSIVE up (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM up WHERE n < {count}) \
             SELECT n FROM up) AS many"
        )
    } else {
        format!("generate_series(1, {count}) AS many (n)")
    }
}

/// Jobs named after `id` that were done so long ago.
async fn jobs(on: &Fixture, id: &str, state: &str, attempts: u32, done_at: &str, count: u32) {
    let many = many(on, count);
    let empty = on.either("x'7b7d'", "'{}'");
    let kind = match id {
        _ if id.starts_with("foreign") => "backup.execute",
        _ if id.starts_with("shard") => "restore.sweep",
        _ => "restore.execute",
    };
    on.execute_on_queue(&format!(
        "INSERT INTO Jobs (id, job_type, job, status, attempts, max_attempts, run_at, done_at)
         SELECT '{id}' || n, '{kind}', {empty}, '{state}', {attempts}, 2, {}, {done_at} FROM {many}",
        hours_ago(on, 100)
    ))
    .await;
}

async fn worker(on: &Fixture, id: &str, kind: &str, hours: u32) {
    on.execute_on_queue(&format!(
        "INSERT INTO Workers (id, worker_type, storage_name, layers, last_seen)
         VALUES ('{id}', '{kind}', 'storage', '', {})",
        hours_ago(on, hours)
    ))
    .await;
}

/// The names of what is left.
async fn ids(on: &Fixture, table: &str) -> Vec<String> {
    let rows = on.rows(&format!("SELECT id FROM apalis.{table}")).await;
    let mut ids: Vec<_> = rows
        .iter()
        .map(|row| text_of(row, "id").to_owned())
        .collect();
    ids.sort_unstable();
    ids
}

/// So many jobs, workers and ticks go, and whatever is left stays where nothing has become older.
async fn assert_pruned(on: &Fixture, jobs: u64, workers: u64, ticks: u64) {
    let expected = Pruned {
        jobs,
        workers,
        ticks,
    };
    for expected in [expected, Pruned::default()] {
        assert_eq!(on.store.prune(&KEEP).await.unwrap(), expected);
    }
}

async fn old_finished_jobs_go_and_all_others_stay(on: Fixture) {
    let on = on.with_queue().await;
    let (old, young) = (hours_ago(&on, 25), hours_ago(&on, 23));
    let goes = [
        ("done", "Done", 1),
        ("killed", "Killed", 1),
        ("given-up", "Failed", 2),
        ("shard", "Done", 1),
    ];
    for (id, state, attempts) in goes {
        jobs(&on, &format!("{id}-old-"), state, attempts, &old, 1).await;
        jobs(&on, &format!("{id}-young-"), state, attempts, &young, 1).await;
    }
    let stays = [
        ("waiting", "Pending", 0, "NULL"),
        ("waiting-again", "Pending", 1, &old),
        ("taken", "Queued", 0, "NULL"),
        ("in-hand", "Running", 1, "NULL"),
        ("tried-again", "Failed", 1, &old),
        ("foreign", "Done", 1, &old),
    ];
    for (id, state, attempts, done_at) in stays {
        jobs(&on, &format!("{id}-"), state, attempts, done_at, 1).await;
    }
    assert_pruned(&on, 4, 0, 0).await;
    let mut kept: Vec<String> = stays.iter().map(|(id, ..)| format!("{id}-1")).collect();
    kept.extend(goes.iter().map(|(id, ..)| format!("{id}-young-1")));
    kept.sort_unstable();
    assert_eq!(ids(&on, "jobs").await, kept);
}

async fn silent_workers_without_jobs_go(on: Fixture) {
    let on = on.with_queue().await;
    worker(&on, "silent", "restore.execute", 2).await;
    worker(&on, "silent-sweeper", "restore.sweep", 2).await;
    worker(&on, "heard-of", "restore.execute", 0).await;
    worker(&on, "foreign", "backup.execute", 2).await;
    for (id, state) in [("hands-full", "Running"), ("named", "Done")] {
        worker(&on, id, "restore.execute", 2).await;
        jobs(&on, id, state, 1, &hours_ago(&on, 1), 1).await;
        on.execute_on_queue(&format!(
            "UPDATE Jobs SET lock_by = '{id}' WHERE id = '{id}1'"
        ))
        .await;
    }
    assert_pruned(&on, 0, 2, 0).await;
    let kept = ["foreign", "hands-full", "heard-of", "named"];
    assert_eq!(ids(&on, "workers").await, kept);
}

async fn old_ticks_go(on: Fixture) {
    let on = on.with_queue().await;
    for (tick, hours) in [("old", 49), ("young", 47)] {
        let at = on.in_seconds(-3600 * hours);
        on.execute(&format!(
            "INSERT INTO reconciler.ticks (tick_at, worker, won_at) VALUES ({at}, '{tick}', {at})"
        ))
        .await;
    }
    assert_pruned(&on, 0, 0, 1).await;
    let left = on.value("SELECT worker FROM reconciler.ticks").await;
    assert_eq!(left.as_deref(), Some("young"));
}

/// However many there are, one call removes a hundred thousand, and the next one the rest.
async fn a_limit_is_kept_and_the_rest_goes_next_time(on: Fixture) {
    let on = on.with_queue().await;
    jobs(&on, "old-", "Done", 1, &hours_ago(&on, 25), 100_007).await;
    jobs(&on, "young-", "Done", 1, &hours_ago(&on, 23), 10).await;
    let many = many(&on, 234);
    on.execute_on_queue(&format!(
        "INSERT INTO Workers (id, worker_type, storage_name, layers, last_seen)
         SELECT 'silent-' || n, 'restore.execute', 'storage', '', {} FROM {many}",
        hours_ago(&on, 2)
    ))
    .await;
    let first = on.store.prune(&KEEP).await.unwrap();
    assert_eq!((first.jobs, first.workers, first.ticks), (100_000, 234, 0));
    assert_pruned(&on, 7, 0, 0).await;
    assert_eq!(ids(&on, "jobs").await.len(), 10);
}

/// A dead letter is a run that waits for an operator; nobody else may forget it.
async fn dead_letters_stay_however_old_they_are(on: Fixture) {
    let on = on.with_queue().await;
    let ago = on.in_seconds(-3600 * 9_999);
    on.execute(&format!(
        "INSERT INTO reconciler.attempts (
            operation_run_id, workspace_id, tries, worker, first_seen_at, try_again_at, dead_at, dropped_at
         ) VALUES (1, 1, 5, 'w', {ago}, {ago}, {ago}, NULL), (2, 1, 5, 'w', {ago}, {ago}, {ago}, {ago});
         INSERT INTO reconciler.watch_list (
            operation_run_id, workspace_id, reason_code, first_seen_at, last_looked_at, look_again_at, tries
         ) VALUES (3, 1, 'run.settle_failed', {ago}, {ago}, {ago}, 9)"
    ))
    .await;
    assert_pruned(&on, 0, 0, 0).await;
    assert_eq!(on.number_of("reconciler.attempts").await, 2);
    assert_eq!(on.number_of("reconciler.watch_list").await, 1);
}
