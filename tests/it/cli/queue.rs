//! `enqueue`, `queue` and the trigger options of `migrate`, by running them.

use restore_reconciler::internals::{
    cli::output::{Document, TriggerWord},
    storage::QueueState,
    views::queue::RequestState,
};

use reconciler_fixtures::Standin;

use super::stage::{File, assert_says, execute, plant, run};
use crate::console::{Ask, Serving, Settings};
use crate::support::case::Case;
use crate::support::cluster;
use crate::support::roles::grant;
use crate::support::store::Fixture;

const NOW: &str = "CAST(unixepoch('now', 'subsec') * 1000 AS INTEGER) * 1000";

/// A file in which run 1 is a dead letter and run 3 was refused.
async fn troubled() -> File {
    let file = File::planted().await;
    let script = format!(
        "INSERT INTO reconciler_attempts (
             operation_run_id, workspace_id, tries, worker, first_seen_at, last_tried_at, try_again_at, dead_at
         ) VALUES (1, 1, 5, 'worker-that-ended', {NOW}, {NOW}, {NOW}, {NOW});
         INSERT INTO reconciler_watch_list (
             operation_run_id, workspace_id, reason_code, first_seen_at, last_looked_at, look_again_at, tries, error
         ) VALUES (3, 1, 'run.settle_failed', {NOW}, {NOW}, {NOW} + 3600000000, 4, 'the disk is full');"
    );
    execute(&file.url(), script.leak()).await;
    file
}

#[tokio::test]
async fn enqueueing_says_for_each_run_whether_and_why_not() {
    let file = troubled().await;
    let url = file.url();
    assert_says(
        &url,
        "enqueue 2     ⇒  0 | a job was queued
         enqueue 2 6   ⇒  0 | a job was queued
         enqueue 4     ⇒ 11 | not a restore.execute run
         enqueue 5     ⇒ 11 | closed elsewhere; no verdict of ours
         enqueue 1     ⇒ 11 | a dead letter; no job was queued
         enqueue 2 999 ⇒  1 | does not exist
         reconcile 2   ⇒ 10
         enqueue 2     ⇒ 10 | closed, with a verdict on record | failed",
    );
    let asked = run(&url, &["enqueue", "6", "1", "6", "999", "--output", "json"]).exits(1);
    let Document::Enqueue(asked) = asked.document() else {
        panic!("{}", asked.stdout)
    };
    let runs = asked.runs.iter();
    let states: Vec<_> = runs.map(|it| (it.run, it.state, it.workspace)).collect();
    let expected = [
        (6, RequestState::Queued, Some(2)),
        (1, RequestState::DeadLetter, Some(1)),
        (999, RequestState::Absent, None),
    ];
    assert_eq!(states, expected);
}

/// Who acted is the user of the operating system, as another program of it names him.
#[tokio::test]
async fn who_acts_on_the_command_line_is_put_on_record_by_name() {
    let file = troubled().await;
    let url = file.url();
    run(&url, &["enqueue", "2"]).exits(0);
    run(&url, &["queue", "drop", "1", "--reason", "gone"]).exits(0);
    let user = std::process::Command::new("id")
        .arg("-un")
        .output()
        .unwrap();
    let user = String::from_utf8(user.stdout).unwrap();
    let pool = sqlx::SqlitePool::connect(&url).await.unwrap();
    let noted = "SELECT action, actor, reason FROM reconciler_actions ORDER BY action";
    let noted: Vec<(String, Option<String>, Option<String>)> =
        sqlx::query_as(noted).fetch_all(&pool).await.unwrap();
    let by = Some(user.trim().to_owned());
    let expected = [
        ("drop".to_owned(), by.clone(), Some("gone".to_owned())),
        ("enqueue".to_owned(), by, None),
    ];
    assert_eq!(noted, expected);
}

#[tokio::test]
async fn a_proven_run_that_is_asked_for_again_comes_with_the_claim_boundary() {
    let file = File::planted().await;
    // It is checked that whoever says `succeeded` also says what that does not claim.
    assert_says(
        &file.url(),
        "reconcile 1   ⇒ 0
         enqueue 1     ⇒ 0 | succeeded
         queue retry 1 ⇒ 0 | succeeded
          queue drop 1 --reason gone  ⇒ 0 | succeeded
          queue show 1  ⇒ 0 | Verdict",
    );
}

#[tokio::test]
async fn a_list_begins_with_what_is_worst_and_says_what_it_leaves_out() {
    let file = troubled().await;
    let url = file.url();
    run(&url, &["enqueue", "2", "6"]).exits(0);
    let listed = run(&url, &["queue", "list", "--output", "json"]).exits(0);
    let Document::QueueList(listed) = listed.document() else {
        panic!("{}", listed.stdout)
    };
    let entries = listed.entries.iter();
    let states: Vec<_> = entries
        .map(|it| (it.state, it.run.map(|run| run.0)))
        .collect();
    let expected = [
        (QueueState::DeadLetter, Some(1)),
        (QueueState::Refused, Some(3)),
        (QueueState::Waiting, Some(2)),
        (QueueState::Waiting, Some(6)),
    ];
    assert_eq!(states, expected);
    assert_says(
        &url,
        "queue list ⇒ 0 | dead_letter | the oldest for | worker-that-ended | never | the disk is full | ENVIRONMENT
         queue list --limit 1 ⇒ 0 | 3 more
         queue list --workspace 9 ⇒ 0 | Nothing is listed in workspace 9.",
    );
    for chosen in [&["--workspace", "2"][..], &["--waiting"]] {
        let listed = run(&url, &[&["queue", "list"], chosen].concat()).exits(0);
        assert!(!listed.stdout.contains("dead_letter"), "{}", listed.stdout);
    }
}

#[tokio::test]
async fn a_run_is_shown_with_what_to_do_next() {
    let file = troubled().await;
    assert_says(
        &file.url(),
        "queue show 1 ⇒ 0 | Dead letter since | 5 tries | worker-that-ended | queue retry 1 | queue drop 1
         queue show 3 ⇒ 0 | run.settle_failed | the disk is full | 4 looks | queue retry 3
         explain 3 ⇒ 11 | refused by the database | run.settle_failed | The database said: the disk is full | By itself, in
         queue show 2 ⇒ 0 | No job that asked for it | enqueue 2
         queue show 4 ⇒ 0 | only runs of type restore.execute
         queue show 5 ⇒ 0 | completed
         enqueue 2 ⇒ 0
         queue show 2 ⇒ 0 | command | waiting | See that a worker is running
         queue show 999 ⇒ 1 ! run 999 does not exist ! to do:",
    );
}

/// Nothing is said to be refused that was not, and no line in the log is about a verdict that nobody committed.
#[tokio::test]
async fn a_rehearsal_says_what_would_be_refused_and_leaves_no_trace() {
    let file = File::planted().await;
    let url = file.url();
    assert_says(
        &url,
        "doctor --rehearse          ⇒  0 | rehearsal: Due runs were settled and undone
         sweep --rehearse           ⇒  2 ! --dry-run",
    );
    let refuse = "CREATE TRIGGER poison BEFORE UPDATE ON operation_runs WHEN NEW.id = 2
        BEGIN SELECT RAISE(ABORT, 'refused by a test'); END";
    execute(&url, refuse).await;
    let before = fingerprint(&url).await;
    let doctor = run(&url, &["doctor", "--rehearse"]).exits(3);
    let would = "The database would refuse a verdict for run 2: cannot close runs: ";
    assert!(doctor.stdout.contains(would), "{}", doctor.stdout);
    let swept = run(&url, &["sweep", "--dry-run", "--rehearse"]).exits(10);
    let rehearsal = "This was a rehearsal: all of it was undone.";
    assert!(swept.stdout.contains(rehearsal), "{}", swept.stdout);
    let refused = "Run 2 would be refused: cannot close runs: ";
    assert!(swept.stdout.contains(refused), "{}", swept.stdout);
    for said in [doctor.stderr, swept.stderr] {
        assert!(!said.contains("refused to record"), "{said}");
    }
    let document = run(
        &url,
        &["sweep", "--dry-run", "--rehearse", "--output", "json"],
    )
    .exits(10);
    let Document::Sweep(document) = document.document() else {
        panic!("{}", document.stdout)
    };
    assert!(document.dry_run && document.rehearsed);
    assert_eq!(document.counts.refused, 1);
    assert_eq!(before, fingerprint(&url).await);
}

/// Of a verdict that would have been a success, no list that is handed on says so.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_server_refuses_is_rehearsed_and_then_listed_without_its_verdict() {
    let on = Fixture::postgres().await.with_queue().await;
    on.plant([Case::proven(1), Case::failed(2)]).await;
    on.execute("ALTER TABLE operation_runs ADD CHECK (id <> 1 OR status <> 'completed')")
        .await;
    let before = on.fingerprint().await;
    let doctor = run(&on.url, &["doctor", "--rehearse"]).exits(3);
    doctor.says(
        &[
            "The database would refuse a verdict for run 1: cannot close runs: ",
            "(SQLSTATE 23514)",
        ],
        &[],
    );
    assert_eq!(on.fingerprint().await, before);
    run(&on.url, &["sweep"]);
    let settings = Settings::holding("[console]\nlisten = \"127.0.0.1:0\"");
    let serving = Serving::start(&on.url, &settings).await;
    let listed = serving.ask(&Ask::get("/runs.csv")).body;
    serving.stop().await;
    let mut table = csv::Reader::from_reader(listed.as_bytes());
    let columns = table.headers().expect("a header").clone();
    let rows: Vec<_> = table.records().map(|row| row.expect("a row")).collect();
    let cell = |run: &str, column: &str| {
        let row = rows.iter().find(|row| &row[0] == run).expect(run);
        let at = columns.iter().position(|it| it == column);
        row[at.expect(column)].to_owned()
    };
    assert_eq!(cell("1", "reason_code"), "run.settle_failed");
    assert!(
        cell("1", "refusal").contains("(SQLSTATE 23514)"),
        "{listed}"
    );
    for column in ["verdict", "decided_at"] {
        assert_eq!(cell("1", column), "", "{listed}");
        assert_ne!(cell("2", column), "", "{listed}");
    }
    assert_eq!(cell("1", "outcome"), "pending");
    assert!(!listed.contains("proof_complete"), "{listed}");
}

async fn fingerprint(url: &str) -> String {
    let standin = Standin::new(url).expect("a URL");
    standin.fingerprint().await.expect("a fingerprint")
}

#[tokio::test]
async fn runs_in_trouble_start_over_and_those_that_are_not_do_not() {
    let file = troubled().await;
    assert_says(
        &file.url(),
        "reconcile 1     ⇒ 11 | suspended
         queue retry 1 3 ⇒  0 | starts over
         queue retry 1 3 ⇒  0 | due already
         queue retry 2   ⇒  0 | not in trouble
         queue retry 5   ⇒ 11 | closed elsewhere
         queue retry 999 ⇒  1
         reconcile 1     ⇒  0",
    );
    assert_says(
        &troubled().await.url(),
        "queue retry --dead ⇒ 0 | starts over
         queue retry --dead ⇒ 0 ! There are no dead letters.",
    );
}

#[tokio::test]
async fn a_dropped_dead_letter_is_said_to_be_open() {
    let file = troubled().await;
    assert_says(
        &file.url(),
        "queue drop 1 --reason gone ⇒  0 | dropped | the run stays open, nothing is proven
          queue drop 1 --reason again ⇒  0 | dropped before | the run stays open, nothing is proven
         queue drop 3 --reason gone ⇒ 11 | nothing was dropped
         queue drop 999 --reason gone ⇒  1
         queue drop 1 ⇒ 2 ! --reason",
    );
    let listed = run(&file.url(), &["queue", "list"]).exits(0);
    assert!(!listed.stdout.contains("dropped"), "{}", listed.stdout);
    assert_says(
        &file.url(),
        "queue list --all ⇒ 0 | dropped
         queue show 1     ⇒ 0 | still open and nothing is proven | queue retry 1
         queue retry 1    ⇒ 0 | starts over",
    );
}

#[tokio::test]
async fn a_pause_is_said_wherever_somebody_looks_for_why_a_run_waits() {
    assert_says(
        &troubled().await.url(),
        "queue pause ⇒ 2 ! --reason
         queue pause --workspace 1 --reason moving ⇒ 0 | Workspace 1 is paused since | moving
         queue pause --workspace 1 --reason again ⇒ 0 | moving ! paused before
         queue list ⇒ 0 | Workspace 1 is paused since | moving
         queue show 2 ⇒ 0 | is paused since | queue resume --workspace 1
         explain 2 ⇒ 10 | Not before it is resumed | queue resume --workspace 1 | moving
         reconcile 2 ⇒ 11 | paused | queue resume
         doctor ⇒ 0 | Workspace 1 is paused since | queue resume --workspace 1
         queue resume ⇒ 0 | Workspace 1 is paused since ! That was not paused.
         queue resume --workspace 1 --reason moved ⇒ 0 | Nothing is paused.
         reconcile 2 ⇒ 10",
    );
}

#[tokio::test]
async fn without_the_queues_tables_its_verbs_say_what_to_do() {
    let file = File::new();
    let store = file.create().await;
    plant(&file.url()).await;
    store.migrate().await.unwrap();
    assert_says(
        &file.url(),
        "enqueue 1          ⇒ 1 ! the queue's tables are not there ! migrate
         queue list         ⇒ 1 ! the queue's tables are not there ! migrate
         queue retry --dead ⇒ 1 ! the queue's tables are not there ! migrate",
    );
}

#[tokio::test]
async fn on_sqlite_a_platform_trigger_is_refused_before_anything_is_done() {
    let file = File::new();
    plant(&file.url()).await;
    for option in ["--with-platform-trigger", "--without-platform-trigger"] {
        let refused = run(&file.url(), &["migrate", option]).exits(1);
        let why = "a SQLite file has no triggers";
        refused.says(&[], &[why, "nothing was changed", "to do: "]);
    }
    assert_says(
        &file.url(),
        "migrate ⇒ 0 | was created | Platform tables were not touched.",
    );
}

#[tokio::test]
async fn on_postgres_a_platform_trigger_is_added_named_kept_and_removed() {
    let database = cluster::database().await;
    let url = database.url();
    plant(&url).await;
    execute(
        &url,
        "GRANT TRIGGER ON restore_runs, evidence_snapshots, audit_logs TO migrator; GRANT SELECT (id, operation_run_id) ON restore_runs TO migrator",
    )
    .await;
    assert_says(
        &url,
        "migrate --with-platform-trigger ⇒ 0 | was created | was added | restore_runs | evidence_snapshots | audit_logs",
    );
    grant(&url).await;
    assert_says(
        &url,
        "--verbose doctor ⇒ 0 | The queue's tables are there. | hstore and pgcrypto are there. | may call it.
         --verbose doctor ⇒ 0 | It is installed on public.audit_logs and public.evidence_snapshots and public.restore_runs.
         migrate ⇒ 0 | Platform tables were not touched.
         --verbose doctor ⇒ 0 | It is installed on public.audit_logs and public.evidence_snapshots and public.restore_runs.",
    );
    let ended = "UPDATE restore_runs SET status = 'partial' WHERE operation_run_id = 1";
    execute(&url, ended).await;
    assert_says(&url, "queue show 1 ⇒ 0 | restore | waiting");

    let without = ["migrate", "--without-platform-trigger", "--output", "json"];
    let removed = run(&url, &without).exits(0);
    let Document::Migrate(removed) = removed.document() else {
        panic!("{}", removed.stdout)
    };
    assert_eq!(removed.platform_trigger, Some(TriggerWord::Removed));
    assert_says(&url, "--verbose doctor ⇒ 0 | It is not installed");
}
