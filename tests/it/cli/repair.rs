//! What others take away of what migrations made: told by `doctor` and by `migrate`, put right by `migrate --repair`.

use std::fs;

use sqlx::{Connection as _, raw_sql};
use tempfile::TempDir;
use tokio::task;

use super::installation::{execute, grant, said};
use super::stage::{assert_says, plant, program, ran};
use crate::support::case::Case;
use crate::support::cluster::{self, TestDatabase};
use crate::support::roles::{self, Purpose, connect};
use crate::support::scene::{NO_SWEEPS, OPEN_JOBS, Scene, dismiss};
use crate::support::time::eventually;
use crate::support::worker::said_by;

/// What `migrate --with-platform-trigger` wants of the tables' owner.
const TRIGGER: &str = "GRANT TRIGGER ON restore_runs, evidence_snapshots, audit_logs TO migrator; GRANT SELECT (id, operation_run_id) ON restore_runs TO migrator";

/// A platform with our schema and the queue's, and a job that waits.
async fn installed() -> TestDatabase {
    let database = cluster::database().await;
    let url = database.url();
    plant(&url).await;
    execute(&Purpose::Owner.url(&url), TRIGGER.to_owned()).await;
    said(&url, "migrate --with-platform-trigger", 0);
    roles::grant(&url).await;
    said(&url, "enqueue 1", 0);
    database
}

/// What may be lost and can be made again, with what is said of it.
const LOSSES: [&[(&str, &str)]; 2] = [
    &[
        ("ALTER TABLE apalis.jobs DROP COLUMN metadata", "column apalis.jobs.metadata"),
        ("ALTER TABLE apalis.workers DROP COLUMN started_at", "column apalis.workers.started_at"),
        ("DROP TRIGGER notify_workers ON apalis.jobs", "trigger apalis.jobs notify_workers"),
        ("DROP FUNCTION apalis.get_jobs", "function apalis.get_jobs(worker_id text,"),
        ("DROP INDEX apalis.idx_apalis_jobs_fetch_partial", "index apalis.idx_apalis_jobs_fetch_partial"),
        ("ALTER TABLE apalis.jobs DROP CONSTRAINT fk_worker_lock_by", "constraint apalis.jobs fk_worker_lock_by"),
        ("DROP INDEX reconciler.watch_list_by_time", "index reconciler.watch_list_by_time"),
        ("DROP FUNCTION reconciler.job_id", "function reconciler.job_id()"),
        ("DROP FUNCTION reconciler.request", "function reconciler.request(operation_run_id bigint,"),
        (
            "ALTER TABLE reconciler.ledger DISABLE TRIGGER ledger_rows_are_final",
            "trigger reconciler.ledger ledger_rows_are_final: It is switched off",
        ),
        (
            "CREATE OR REPLACE FUNCTION reconciler.wake() RETURNS void LANGUAGE sql AS 'SELECT'",
            "function reconciler.wake(): It is not as migrations make it",
        ),
    ],
    &[
        ("DROP EXTENSION hstore CASCADE", "extension hstore"),
        ("DROP FUNCTION apalis.notify_new_jobs CASCADE", "function apalis.notify_new_jobs()"),
        ("DROP TABLE apalis.workers CASCADE", "table apalis.workers"),
        ("DROP FUNCTION reconciler.refuse_change CASCADE", "trigger reconciler.ledger ledger_rows_are_final"),
        (
            "DO $$ BEGIN
                 EXECUTE replace(pg_get_functiondef('reconciler.request'::regproc), 'public.', 'gone.');
             END $$",
            "It asks gone.operation_runs, and our schema serves the platform of public.operation_runs",
        ),
        (
            "UPDATE apalis.jobs SET status = 'Queued', lock_by = 'gone'",
            "constraint apalis.jobs fk_worker_lock_by",
        ),
    ],
];

#[tokio::test]
async fn what_was_lost_is_told_and_made_good_and_no_job_goes_with_it() {
    let database = installed().await;
    let url = database.url();
    let waits = "DO $$ BEGIN ASSERT (SELECT count(*) FROM apalis.jobs WHERE status = 'Pending') = 1; END $$";
    for losses in LOSSES {
        for (loss, _) in losses {
            execute(&url, (*loss).to_owned()).await;
        }
        let told: Vec<&str> = losses.iter().map(|(_, told)| *told).collect();
        let repair = "Run `restore-reconciler migrate --repair`.";
        said(&url, "migrate", 1).says(
            &[],
            &[&told[..], &["missing or different", repair]].concat(),
        );
        said(&url, "migrate --status", 3)
            .says(&[&told[..], &["in the way: ", repair]].concat(), &[]);
        let examined = said(&url, "doctor --output json", 3).stdout;
        let repaired = said(&url, "migrate --repair", 0).stdout;
        for told in told {
            let (object, finding) = told.split_once(": ").unwrap_or((told, told));
            assert!(examined.contains(finding), "{finding}: {examined}");
            let is_named = repaired.contains(object) || told.starts_with("It asks");
            assert!(
                is_named && repaired.contains("Put right: "),
                "{object}: {repaired}"
            );
        }
        let nothing = "Nothing that migrations made was missing or different.";
        said(&url, "migrate --repair", 0).says(&[nothing], &[]);
        execute(&url, waits.to_owned()).await;
        // Grants went with functions and tables.
        roles::grant(&url).await;
        assert_says(
            &url,
            "doctor ⇒ 0 | problems: 0\n migrate ⇒ 0 | nothing was changed",
        );
    }
}

/// Jobs and workers are hints: where a row cannot be told whole, it is worth nothing.
#[tokio::test]
async fn rows_that_cannot_be_without_what_was_lost_are_removed_and_counted() {
    let database = installed().await;
    let url = database.url();
    let in_hand = "INSERT INTO apalis.workers (id, worker_type, storage_name) VALUES ('gone', 'restore.execute', 'x');
                   UPDATE apalis.jobs SET status = 'Running', lock_by = 'gone', lock_at = now()";
    execute(&url, in_hand.to_owned()).await;
    for (loss, column, table, jobs) in [
        (
            "worker_type",
            "apalis.workers.worker_type",
            "apalis.workers",
            1,
        ),
        ("id", "apalis.workers.id", "", 1),
        ("job", "apalis.jobs.job", "apalis.jobs", 0),
    ] {
        let (of, _) = column.rsplit_once('.').expect("a column");
        execute(&url, format!("ALTER TABLE {of} DROP COLUMN {loss} CASCADE")).await;
        let told = format!(
            "column {column}: It was made by a migration and is gone, and no row can be without it"
        );
        let advice = "`restore-reconciler migrate --repair`: it removes the rows of that table";
        said(&url, "migrate", 1).says(&[], &[&told, advice]);
        assert!(
            said(&url, "doctor --output json", 3)
                .stdout
                .contains(advice)
        );
        let repaired = said(&url, "migrate --repair", 0).stdout;
        let removed = format!("table {table}, whose rows were removed: 1");
        let is_told = repaired.contains("rows were removed");
        assert_eq!(is_told, !table.is_empty(), "{repaired}");
        assert!(!is_told || repaired.contains(&removed), "{repaired}");
        let left = format!(
            "DO $$ BEGIN ASSERT (SELECT count(*) FROM apalis.jobs WHERE status = 'Pending' AND lock_by IS NULL) = {jobs}; END $$"
        );
        execute(&url, left).await;
        said(&url, "migrate", 0);
    }
    said(&url, "doctor", 0);
}

/// How full an index's pages are is for whoever looks after the server, and apalis makes some of its indexes twice.
#[tokio::test]
async fn what_changes_nothing_for_anybody_is_no_damage() {
    let database = installed().await;
    let url = database.url();
    let tuned = "ALTER INDEX apalis.idx_apalis_jobs_fetch_partial SET (fillfactor = 70);
                 ALTER INDEX reconciler.watch_list_by_time SET (fillfactor = 70, deduplicate_items = off);
                 DROP INDEX apalis.lidx, apalis.idx_apalis_workers_last_seen, apalis.wtidx, apalis.unique_job_id";
    execute(&url, tuned.to_owned()).await;
    said(&url, "migrate", 0);
    said(&url, "doctor", 0);
    execute(&url, "DROP INDEX apalis.idx_apalis_jobs_lock_by".to_owned()).await;
    said(&url, "migrate", 1).says(
        &[],
        &["index apalis.idx_apalis_jobs_lock_by", "index apalis.lidx"],
    );
    said(&url, "migrate --repair", 0);
}

/// Workers take the queue's tables in whatever order they need them.
#[tokio::test(flavor = "multi_thread")]
async fn a_repair_outlives_a_deadlock_with_a_worker() {
    let database = installed().await;
    let url = database.url();
    execute(
        &url,
        "ALTER TABLE apalis.jobs DROP COLUMN metadata".to_owned(),
    )
    .await;
    let mut worker = connect(Purpose::Worker, &url).await;
    let begun = raw_sql("BEGIN; LOCK TABLE apalis.workers IN ROW EXCLUSIVE MODE");
    begun.execute(&mut worker).await.expect("a lock");
    let repairing = task::spawn_blocking({
        let url = url.clone();
        move || said(&url, "migrate --repair", 0)
    });
    let mut observer = connect(Purpose::Engineer, &url).await;
    let waits =
        "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'apalis.workers'::regclass";
    let waits = async || {
        let waiting: i64 = sqlx::query_scalar(waits)
            .fetch_one(&mut observer)
            .await
            .expect("an answer");
        (waiting == 1).then_some(())
    };
    eventually(waits, async || "nobody waits".to_owned()).await;
    // One of both is ended: the worker would poll again.
    let polled = raw_sql("LOCK TABLE apalis.jobs IN ROW EXCLUSIVE MODE; COMMIT");
    let polled = polled.execute(&mut worker).await;
    worker.close().await.expect("its locks go with it");
    let repaired = repairing.await.expect("it is repaired").stdout;
    assert!(
        repaired.contains("column apalis.jobs.metadata"),
        "{repaired} {polled:?}"
    );
}

/// Whoever builds an index keeps others from writing to its table.
#[tokio::test]
async fn an_index_is_not_built_for_ever() {
    let database = installed().await;
    let url = database.url();
    let slow = "CREATE FUNCTION slow() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(30); END';
                DROP INDEX reconciler.watch_list_by_time";
    execute(&url, slow.to_owned()).await;
    let on_indexes = "CREATE EVENT TRIGGER slow ON ddl_command_end WHEN TAG IN ('CREATE INDEX') EXECUTE FUNCTION slow()";
    cluster::execute_as_superuser(&url, on_indexes).await;
    let config = TempDir::new().expect("a directory");
    let config = config.path().join("reconciler.toml");
    let limits = "[database]\nstatement_timeout = \"1s\"\nlock_timeout = \"1s\"\n";
    fs::write(&config, limits).expect("a file");
    let repair = [
        "migrate",
        "--repair",
        "--config",
        config.to_str().expect("UTF-8"),
    ];
    ran(&mut program(&url, &repair)).exits(1).says(
        &[],
        &[
            "an index was not built within 1000ms, in which nobody can write to its table; nothing was changed",
            "by hand, it is made by: DROP INDEX CONCURRENTLY IF EXISTS reconciler.watch_list_by_time; \
             CREATE INDEX CONCURRENTLY watch_list_by_time ON reconciler.watch_list",
            "raise database.statement_timeout for this command",
        ],
    );
    cluster::execute_as_superuser(&url, "DROP EVENT TRIGGER slow").await;
    let mut repair = program(&url, &repair);
    ran(&mut repair)
        .exits(0)
        .says(&["index reconciler.watch_list_by_time"], &[]);
}

/// What holds verdicts is not made again: empty, it would say that there were none.
#[tokio::test]
async fn a_lost_ledger_is_not_made_again() {
    let database = installed().await;
    let url = database.url();
    execute(
        &url,
        "ALTER TABLE reconciler.watch_list DROP COLUMN error".to_owned(),
    )
    .await;
    for verb in ["migrate", "migrate --repair"] {
        said(&url, verb, 1).says(
            &[],
            &[
                "column reconciler.watch_list.error: It was made by a migration and is gone",
                "Restore schema reconciler from a backup",
            ],
        );
    }
    let other = "ALTER TABLE reconciler.watch_list ADD COLUMN error text;
                 ALTER TABLE apalis.jobs ALTER COLUMN priority TYPE bigint";
    execute(&url, other.to_owned()).await;
    let told = "column apalis.jobs.priority: It is of type bigint, and was made as integer.";
    said(&url, "migrate --repair", 1).says(&[], &[told, "DROP SCHEMA apalis CASCADE"]);
    said(&url, "doctor", 3);
    execute(
        &Purpose::Migrator.url(&url),
        "DROP SCHEMA apalis CASCADE".to_owned(),
    )
    .await;
    said(&url, "migrate", 0);
    grant(&database, "worker", "reconciler").await;
    said(&url, "doctor", 0);
}

/// As `DROP SCHEMA public CASCADE` and a restore of that schema alone leave it: the platform is back, and hstore and what
/// hung on it went.
#[tokio::test(flavor = "multi_thread")]
async fn jobs_are_taken_again_once_a_half_restored_queue_is_repaired() {
    let scene = Scene::new(NO_SWEEPS).await;
    scene.execute(TRIGGER).await;
    let migrate = async |option: &str, code: i32| {
        let (ended, said) = said_by(scene.url(), &["migrate", option]).await;
        assert_eq!(ended, Some(code), "{said}");
        said
    };
    migrate("--with-platform-trigger", 0).await;
    scene.plant((1..=3).map(Case::proven)).await;
    scene.request(1..=3).await;
    scene
        .execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public AUTHORIZATION laravel")
        .await;
    scene
        .execute("GRANT USAGE, CREATE ON SCHEMA public TO migrator")
        .await;
    scene.install().await;
    scene.plant_world().await;
    scene.plant((1..=3).map(Case::proven)).await;

    let (ended, doctor) = said_by(scene.url(), &["doctor"]).await;
    assert_eq!(ended, Some(3), "{doctor}");
    for lost in ["extension hstore", "apalis.jobs.metadata", "went with them"] {
        assert!(doctor.contains(lost), "{lost}: {doctor}");
    }
    let without_right = migrate("--repair", 1).await;
    assert!(
        without_right.contains("GRANT TRIGGER ON"),
        "{without_right}"
    );
    scene.execute(TRIGGER).await;
    let told = migrate("--output=table", 1).await;
    assert!(told.contains("migrate --repair"), "{told}");
    let repaired = migrate("--repair", 0).await;
    for again in [
        "extension hstore",
        "column apalis.jobs.metadata",
        "trigger audit_logs restore_reconciler_request",
        "trigger evidence_snapshots restore_reconciler_request",
        "trigger restore_runs restore_reconciler_request",
        "was added to the platform's tables",
    ] {
        assert!(repaired.contains(again), "{again}: {repaired}");
    }
    assert!(
        migrate("--repair", 0)
            .await
            .contains("Nothing that migrations made was missing")
    );
    let (ended, doctor) = said_by(scene.url(), &["doctor"]).await;
    assert_eq!(ended, Some(0), "{doctor}");

    let worker = scene.worker().await;
    scene.until(OPEN_JOBS, 0, &worker).await;
    scene.verdicts(3, &worker).await;
    dismiss(worker).await;
    let triggers = "pg_trigger WHERE tgname = 'restore_reconciler_request'";
    assert_eq!(scene.number_of(triggers).await, 3);
}
