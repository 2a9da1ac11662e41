//! What is shown beside runs: backups, verdicts, the queue, sweeps and workers; and asking for a run.

use std::time::Duration;

use futures_util::future::join_all;
use reconciler_jobs::ids::{BackupSetId, RestoreId, RunId, WorkspaceId};
use reconciler_jobs::reading::freshness::FreshnessThresholds;
use reconciler_jobs::reading::metadata_keys::MetadataKeys;
use reconciler_jobs::restore_execute::Outcome;
use restore_reconciler::internals::clock::Stopwatch;
use restore_reconciler::internals::storage::reader::{
    QueueScope, Reader, Workspaces, open_requests,
};
use restore_reconciler::internals::storage::{
    Action, ActionVerb, ErrorKind, Limits, QueueState, Tally,
};
use restore_reconciler::internals::views::Visibility;
use restore_reconciler::internals::views::runs::RunLine;

use super::{POLICY, delete, only, reader};
use crate::support::case::{CREATED, Case, FOREIGN, HOME, restore_of};
use crate::support::hold::Writer;
use crate::support::roles::Purpose;
use crate::support::store::{Fixture, moved, on_both};
use crate::support::time::Machine;

on_both!(
    backup_items_are_counted_and_their_payloads_are_left_alone,
    verdicts_queue_and_sweeps_are_those_of_the_viewer,
    no_name_looks_like_another_one,
    a_queue_that_is_not_there_is_empty,
    asking_for_a_run_queues_a_job,
    ten_requests_make_one_job,
);

async fn backup_items_are_counted_and_their_payloads_are_left_alone(on: Fixture) {
    let item = |id: i64, payload: &str, metadata: &str| {
        format!(
            "INSERT INTO backup_items (id, backup_set_id, policy_type, payload, metadata, captured_at)
             VALUES ({id}, {}, 'policy', '{payload}', '{metadata}', {});",
            HOME.1,
            on.either("0", "now()")
        )
    };
    let secret = format!("{{\"secret\": \"77777777{}\"}}", "x".repeat(200_000));
    let long = format!("\"{}\"", "y".repeat(20_000));
    let mut statements = String::new();
    for (id, payload) in (1..).zip(["null", "[]", "{}", " { } ", "\"\"", "[1]", &secret]) {
        statements += &item(id, payload, "{}");
    }
    statements += &item(8, "[1]", &long);
    statements += &item(9, "[1]", "{}");
    on.execute(&statements).await;
    delete(&on, "backup_items", 9).await;
    let reader = reader(&on).await;
    let backup = async || {
        let page = reader
            .load_environments(&only(HOME.0), None, None, 1, &POLICY)
            .await;
        let page = page.expect("a page");
        assert!(!format!("{page:?}").contains("77777777"));
        page.rows[0].backup.clone().expect("a backup set")
    };
    assert_eq!(backup().await.quality.items, 8);
    assert_eq!(backup().await.name, "Nightly backup");
    // The latest decides, and only a completed one.
    on.execute(&format!(
        "INSERT INTO backup_sets (id, workspace_id, managed_environment_id, name, status, completed_at)
         VALUES (901, {0}, {1}, 'Empty', 'completed', {2}), (902, {0}, {1}, 'Begun', 'running', NULL),
             (903, {0}, {1}, 'Other', 'Completed', NULL), (904, {0}, {1}, 'Gone', 'completed', NULL)",
        HOME.0,
        HOME.1,
        on.either("1740823200000000", "'2025-03-01 10:00:00'")
    ))
    .await;
    delete(&on, "backup_sets", 904).await;
    let latest = backup().await;
    assert_eq!((latest.id, latest.quality.items), (BackupSetId(901), 0));
    assert_eq!(latest.completed_at.moment(), CREATED.parse().ok());
}

/// Names come from three tables through five statements.
async fn no_name_looks_like_another_one(on: Fixture) {
    on.plant([Case::proven(1)]).await;
    let long = on.either("text", "varchar(5000)");
    let widen = format!("ALTER TABLE backup_sets ALTER COLUMN name TYPE {long}");
    on.execute(on.either("SELECT 1", &widen)).await;
    on.execute(&format!(
        "UPDATE workspaces SET name = 'Con\u{200b}toso\u{202e}x';
         UPDATE managed_environments SET name = 'Prod\u{1b}[31m';
         UPDATE restore_runs SET requested_by = 'eve\u{2066}@example';
         UPDATE backup_sets SET name = '{}', completed_at = {}",
        "n".repeat(300),
        on.either("1740823200000000", "'2025-03-01 10:00:00'"),
    ))
    .await;
    let reader = reader(&on).await;
    let of = only(HOME.0);
    let found = reader.load_run(&of, RunId(1), &POLICY).await;
    let found = found.unwrap().expect("the run").seen;
    let page = reader
        .load_environments(&of, None, None, 10, &POLICY)
        .await
        .unwrap();
    let environment = &page.rows[0];
    let restore = RestoreId(restore_of(1));
    let restore = reader
        .load_restore(&of, restore, &POLICY, &MetadataKeys::default())
        .await;
    let restore = restore.unwrap().expect("the restore");
    let workspace = "Con\u{fffd}toso\u{fffd}x";
    assert_eq!(found.workspace_name, workspace);
    assert_eq!(environment.workspace_name, workspace);
    assert_eq!(restore.workspace_name, workspace);
    let name = "Prod\u{fffd}[31m";
    assert_eq!(found.environment_name.as_deref(), Some(name));
    assert_eq!(environment.name, name);
    assert_eq!(restore.environment_name, name);
    assert_eq!(restore.requested_by.as_deref(), Some("eve\u{fffd}@example"));
    let cut = format!("{}…", "n".repeat(254));
    assert_eq!(environment.backup.as_ref().expect("a set").name, cut);
    let source = restore.preparation.source.as_ref();
    assert_eq!(source.expect("a set").name, cut);
    // As the API writes it.
    let limits = FreshnessThresholds::default();
    let line = RunLine::new(&found, Visibility { evidence: true }, &limits);
    let line = serde_json::to_value(&line).unwrap();
    assert_eq!(line["place"]["workspace"]["name"], workspace);
    assert_eq!(line["place"]["environment"]["name"], name);
}

async fn verdicts_queue_and_sweeps_are_those_of_the_viewer(on: Fixture) {
    let on = on.with_queue().await;
    on.plant((1..=5).map(Case::proven)).await;
    on.plant([moved(Case::failed(6), FOREIGN)]).await;
    on.settle(&[1]).await;
    on.settle(&[2, 6]).await;
    on.store.request(&[RunId(3)], "test", None).await.unwrap();
    on.execute_on_queue(&format!(
        "INSERT INTO Jobs (id, job_type, job, status, attempts, max_attempts, run_at, priority)
         VALUES ('unreadable', 'restore.execute', {0}, 'Pending', 0, 1, {1}, 0),
             ('shard', 'restore.sweep', {0}, 'Pending', 0, 1, {1}, 0);
         INSERT INTO Workers (id, worker_type, storage_name, last_seen)
         VALUES ('lately', 'restore.execute', '', {1}), ('before', 'restore.sweep', '', {2}),
             ('long ago', 'restore.sweep', '', {3}), ('other', 'other', '', {1})",
        on.either("x'00'", "'\\x00'"),
        on.either("unixepoch('now')", "now()"),
        on.either("unixepoch('now') - 60", "now() - interval '1 minute'"),
        on.either("unixepoch('now') - 691200", "now() - interval '8 days'"),
    ))
    .await;
    let now = on.either("1740823200000000", "'2025-03-01 10:00:00+00'");
    on.execute(&format!(
        "INSERT INTO reconciler.sweeps (
             worker, workspace_id, started_at, ended_at, succeeded, failed, shard, shards
         )
         VALUES ('one', NULL, {now}, {now}, 2, 1, 1, 4), ('two', {}, {now}, NULL, 3, 0, 0, 1),
             ('three', {}, {now}, NULL, 4, 0, 0, 1)",
        HOME.0, FOREIGN.0
    ))
    .await;
    let reader = reader(&on).await;
    let asked = [HOME.0, FOREIGN.0, HOME.0].map(WorkspaceId);
    let verdicts = async |of: &Workspaces, limit| {
        let verdicts = reader.load_recent_verdicts(of, &asked, limit).await;
        let verdicts = verdicts.unwrap().into_iter();
        let verdicts = verdicts.map(|it| (it.workspace.0, it.outcome, it.stands));
        let mut verdicts: Vec<(i64, Outcome, bool)> = verdicts.collect();
        verdicts.sort_unstable();
        verdicts
    };
    let succeeded = (HOME.0, Outcome::Succeeded, true);
    let failed = (FOREIGN.0, Outcome::Failed, true);
    assert_eq!(verdicts(&only(HOME.0), 10).await, [succeeded; 2]);
    assert_eq!(verdicts(&only(HOME.0), 1).await, [succeeded]);
    let everybody = verdicts(&Workspaces::All, 10).await;
    assert_eq!(everybody, [succeeded, succeeded, failed]);

    let states = [QueueState::Waiting];
    let queue = async |of: &Workspaces| {
        let scope = QueueScope::for_viewer(of, &states, 10);
        let listing = reader.load_queue(&scope).await.unwrap();
        let entries: u64 = listing.counts.iter().map(|count| count.entries).sum();
        assert_eq!(entries, listing.entries.len() as u64);
        let runs = listing.entries.iter().map(|entry| entry.run);
        let mut runs: Vec<Option<i64>> = runs.map(|run| run.map(|run| run.0)).collect();
        runs.sort_unstable();
        (runs, listing.shards.waiting)
    };
    assert_eq!(queue(&Workspaces::All).await, (vec![None, Some(3)], 1));
    assert_eq!(queue(&only(HOME.0)).await, (vec![Some(3)], 0));
    assert_eq!(queue(&only(FOREIGN.0)).await, (vec![], 0));

    let sweeps = reader.load_sweeps(&Workspaces::All, 10).await.unwrap();
    let names: Vec<&str> = sweeps.iter().map(|sweep| sweep.worker.as_str()).collect();
    assert_eq!(names, ["three", "two", "one"]);
    assert_eq!((sweeps[2].shard, sweeps[2].shards), (1, 4));
    assert_eq!(sweeps[2].started_at, CREATED.parse().unwrap());
    assert_eq!((sweeps[2].tally.succeeded, sweeps[2].tally.failed), (2, 1));
    let own = reader.load_sweeps(&only(HOME.0), 10).await.unwrap();
    assert_eq!(own.len(), 2);
    assert_eq!(own[0], sweeps[1]);
    assert_eq!((own[1].id, own[1].tally), (sweeps[2].id, Tally::default()));
    let last = reader.load_sweeps(&Workspaces::All, 1).await;
    assert_eq!(last.unwrap(), sweeps[..1]);

    assert_status_is_that_of_the_viewer(&on, &reader, now).await;
    // Of three runs two say something else by now, and then the third is open again: no verdict goes with that.
    let calmed = (HOME.0, Outcome::Succeeded, false);
    let other = (FOREIGN.0, Outcome::Failed, false);
    let everybody = verdicts(&Workspaces::All, 10).await;
    assert_eq!(everybody, [calmed, succeeded, other]);
    on.execute("UPDATE operation_runs SET status = 'running' WHERE id = 2")
        .await;
    let everybody = verdicts(&Workspaces::All, 10).await;
    assert_eq!(everybody, [calmed, calmed, other]);
    let workers = reader.load_workers(10).await.unwrap();
    let names: Vec<&str> = workers.iter().map(|worker| worker.name.as_str()).collect();
    assert_eq!(names, ["lately", "before"]);
    assert_eq!(workers[1].queue, "restore.sweep");
    assert_eq!(reader.load_workers(1).await.unwrap(), workers[..1]);
}

async fn assert_status_is_that_of_the_viewer(on: &Fixture, reader: &Reader, now: &str) {
    // The tick before the sweeps was swept to its end, with nothing to do.
    on.execute(&format!(
        "INSERT INTO reconciler.ticks (tick_at, worker, won_at, shards, swept)
         VALUES ({now}, 'one', {now}, 0, 0), ({}, 'two', {now}, 2, 1)",
        on.either("1740823260000000", "'2025-03-01 10:01:00+00'")
    ))
    .await;
    let said_otherwise = "UPDATE operation_runs SET outcome = 'blocked' WHERE id IN (1, 6)";
    on.execute(said_otherwise).await;
    let glance = async |of: &Workspaces| {
        let found = reader.load_status(of).await.unwrap();
        assert_eq!(found.workers.len(), 2);
        assert_eq!(found.swept_at, Some(CREATED.parse().unwrap()));
        let waiting: u64 = found.queue.counts.iter().map(|it| it.entries).sum();
        let counts = found.counts;
        (
            counts.open_runs,
            waiting,
            counts.compared,
            counts.contradicted,
        )
    };
    assert_eq!(glance(&Workspaces::All).await, (3, 2, 3, 2));
    assert_eq!(glance(&only(HOME.0)).await, (3, 1, 2, 1));
    assert_eq!(glance(&only(FOREIGN.0)).await, (0, 0, 1, 1));
}

async fn a_queue_that_is_not_there_is_empty(on: Fixture) {
    let reader = reader(&on).await;
    assert_eq!(reader.load_workers(10).await.unwrap(), []);
    if on.is_sqlite() {
        on.plant([Case::in_progress(1)]).await;
        on.settle(&[1]).await;
        let scope = QueueScope::for_viewer(&Workspaces::All, &QueueState::ALL, 10);
        let listing = reader.load_queue(&scope).await.unwrap();
        assert_eq!(listing.entries.len(), 1);
        assert_eq!(listing.entries[0].state, QueueState::Deferred);
    }
}

async fn asking_for_a_run_queues_a_job(on: Fixture) {
    let on = on.with_queue().await;
    on.plant([Case::proven(1), Case::proven(2)]).await;
    on.settle(&[2]).await;
    let url = on.url_of(Purpose::Console);
    let (requests, action) = (
        open_requests(&url, &Limits::default()).await.unwrap(),
        Action::new(ActionVerb::Request),
    );
    let before = on.fingerprint().await;
    for (run, is_asked_for) in [(1, true), (2, false), (99, false)] {
        let asked = requests.request(RunId(run), &action).await;
        assert_eq!(asked.unwrap(), is_asked_for, "run {run}");
    }
    assert_eq!(on.store.count_unfinished().await.unwrap(), 1);
    assert_eq!(on.fingerprint().await, before);
    let queue = reader(&on).await;
    let scope = QueueScope::for_viewer(&Workspaces::All, &[QueueState::Waiting], 10);
    let queue = queue.load_queue(&scope).await.unwrap();
    assert_eq!(queue.entries[0].cause.as_deref(), Some("console"));
    on.settle(&[1]).await;
    assert_eq!(on.number_of("reconciler.ledger").await, 2);
}

#[tokio::test]
async fn a_queue_that_somebody_holds_is_waited_for_no_longer_than_a_lock() {
    let on = Fixture::sqlite().await.with_queue().await;
    on.plant([Case::proven(1)]).await;
    let limits = Limits {
        lock_timeout: Duration::from_millis(500),
        ..Limits::default()
    };
    let requests = open_requests(&on.url, &limits).await.unwrap();
    let action = Action::new(ActionVerb::Request);
    let writer = Writer::of_queue(&on.url).await;
    let machine = Machine::watch();
    let watch = Stopwatch::start();
    let refused = requests.request(RunId(1), &action).await;
    let (refused, waited) = (refused.unwrap_err(), watch.elapsed());
    println!("waited {waited:?}");
    assert_eq!(refused.kind(), ErrorKind::Transient, "{refused}");
    assert!(waited >= limits.lock_timeout, "{waited:?}");
    let granted = machine.grants(limits.lock_timeout * 3);
    assert!(waited < granted, "{waited:?}");
    writer.let_go().await;
    assert!(requests.request(RunId(1), &action).await.unwrap());
}

async fn ten_requests_make_one_job(on: Fixture) {
    let on = on.with_queue().await;
    on.plant([Case::proven(1), Case::proven(11)]).await;
    let url = on.url_of(Purpose::Console);
    let requests = open_requests(&url, &Limits::default()).await.unwrap();
    let action = Action::new(ActionVerb::Request);
    let ask = async |run: i64| {
        let asking = (0..10).map(|_| requests.request(RunId(run), &action));
        let mut asked = join_all(asking).await.into_iter();
        assert!(asked.all(Result::unwrap));
    };
    // What says nothing of a run, or of another one only, is in nobody's way.
    on.execute_on_queue(&format!(
        "INSERT INTO Jobs (id, job_type, job, status, attempts, max_attempts, run_at, priority)
         VALUES ('odd', 'restore.execute', {}, 'Pending', 0, 1, {}, 0)",
        on.either("CAST('{1' AS BLOB)", "convert_to('{1', 'UTF8')"),
        on.either("unixepoch('now')", "now()"),
    ))
    .await;
    ask(11).await;
    ask(1).await;
    let jobs = async |status: &str| {
        let jobs = format!("apalis.jobs WHERE status = '{status}'");
        on.number_of(&jobs).await
    };
    assert_eq!(jobs("Pending").await, 3);
    for (status, expected) in [("Queued", 3), ("Running", 3), ("Done", 3)] {
        on.execute_on_queue(&format!("UPDATE Jobs SET status = '{status}'"))
            .await;
        ask(1).await;
        assert_eq!(jobs(status).await, expected, "{status}");
        let more = i64::from(status == "Done");
        assert_eq!(jobs("Pending").await, more, "after {status}");
    }
}
