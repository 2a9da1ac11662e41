//! `doctor`, on databases as operators really have them: half migrated, of another product, closed,
//! read-only.
//!
//! Whatever it advises is run here as it is printed, and whatever it calls needed is taken away to
//! see that a sweep then fails.

mod postgres;
mod sqlite;

use std::fmt::Write as _;
use std::ops::{ControlFlow, Deref};
use std::path::PathBuf;

use crate::support::cluster::database;
use reconciler_fixtures::{
    PlantedAudit, PlantedRestore, PlantedRun, PlantedSnapshot, PlatformRows, Standin,
};
use reconciler_jobs::restore_execute::Policy;
use reconciler_jobs::restore_execute::record::{Attribution, Source};
use reconciler_jobs::sweep::Schedule;
use restore_reconciler::doctor::needs::platform_tables;
use restore_reconciler::doctor::{Check, Level};
use restore_reconciler::storage::{
    Access, Limits, Settled, Settling, Store, StoreError, Tally, connect,
};
use restore_reconciler::sweep::{Scope, sweep};

/// A store, and a way past it into the same database.
struct Opened {
    store: Store,
    standin: Standin,
}

impl Deref for Opened {
    type Target = Store;

    fn deref(&self) -> &Self::Target {
        &self.store
    }
}

async fn open(url: &str) -> Opened {
    let store = connect(url, Access::Create, &Limits::default()).await;
    Opened {
        store: store.expect("the database can be reached"),
        standin: Standin::new(url).expect("a URL"),
    }
}

/// What `doctor` says, with what holds for everything that it ever says.
async fn examine(store: &Store) -> Vec<Check> {
    let checks = restore_reconciler::doctor::examine(store)
        .await
        .expect("the connection holds");
    for check in &checks {
        assert!(check.finding.ends_with('.'), "{check:?}");
        assert!(!check.subject.is_empty(), "{check:?}");
        assert_eq!(
            check.action.is_some(),
            check.level != Level::Good,
            "{check:?}"
        );
        let said = format!("{check:?}").to_lowercase();
        for word in ["recovery verified", "healthy", "compliant", "customer-safe"] {
            assert!(!said.contains(word), "{check:?}");
        }
    }
    checks
}

fn problems(checks: &[Check]) -> Vec<&Check> {
    let is_problem = |check: &&Check| check.level == Level::Problem;
    checks.iter().filter(is_problem).collect()
}

fn subjects(checks: &[Check], level: Level) -> Vec<&str> {
    let of_level = checks.iter().filter(|check| check.level == level);
    of_level.map(|check| check.subject.as_str()).collect()
}

fn about<'c>(checks: &'c [Check], subject: &str) -> &'c Check {
    checks
        .iter()
        .find(|check| check.subject == subject)
        .unwrap_or_else(|| panic!("nothing about {subject}: {checks:#?}"))
}

fn action<'c>(checks: &'c [Check], subject: &str) -> &'c str {
    about(checks, subject).action.as_deref().expect("an action")
}

async fn run(on: &Opened, script: String) {
    // A script is `'static`, because the program only knows scripts that were compiled into it.
    let script: &'static str = script.leak();
    on.standin.execute_script(script).await.expect(script);
}

/// Runs each line of what was printed, as `psql` would, one statement at a time.
async fn run_lines(on: &Opened, lines: &str) {
    for line in lines.lines() {
        run(on, line.to_owned()).await;
    }
}

/// One run whose restore failed, so that a sweep reads every table and writes a verdict.
fn one_run() -> PlatformRows {
    let moment = || Some("2026-01-01T00:00:00Z".to_owned());
    let mut rows = PlatformRows {
        runs: vec![PlantedRun {
            id: 4,
            workspace_id: 1,
            managed_environment_id: Some(2),
            r#type: "restore.execute".to_owned(),
            status: "running".to_owned(),
            outcome: "pending".to_owned(),
            summary_counts: Some("[]".to_owned()),
            context: Some(r#"{"kept":true}"#.to_owned()),
            created_at: moment(),
            ..PlantedRun::default()
        }],
        restores: vec![PlantedRestore {
            id: 5,
            workspace_id: 1,
            managed_environment_id: 2,
            backup_set_id: 2,
            operation_run_id: Some(4),
            status: "failed".to_owned(),
            results: Some(r#"{"items":{"7":{"status":"failed"}}}"#.to_owned()),
            requested_items: Some("[7]".to_owned()),
            metadata: Some(r#"{"failed":1}"#.to_owned()),
            started_at: moment(),
            completed_at: moment(),
            created_at: moment(),
            ..PlantedRestore::default()
        }],
        snapshots: vec![PlantedSnapshot {
            id: 6,
            workspace_id: 1,
            managed_environment_id: 2,
            operation_run_id: Some(4),
            status: "active".to_owned(),
            completeness_state: "complete".to_owned(),
            generated_at: moment(),
            expires_at: moment(),
        }],
        audits: vec![PlantedAudit {
            workspace_id: Some(1),
            managed_environment_id: Some(2),
            action: "restore.failed".to_owned(),
            resource_type: "restore_run".to_owned(),
            resource_id: "5".to_owned(),
            status: "failed".to_owned(),
            outcome: Some("failure".to_owned()),
            recorded_at: "2026-01-01T00:00:00Z".to_owned(),
        }],
        ..PlatformRows::default()
    };
    rows.add_environments(1, "W", [(2, "E")]);
    rows
}

async fn prepare(on: &Opened) {
    on.standin.install().await.expect("the stand-in");
    on.migrate().await.expect("our own schema");
    on.standin.plant(&one_run()).await.expect("one run");
}

async fn pass(store: &Store) -> Result<Tally, StoreError> {
    let settling = Settling {
        policy: Policy::default(),
        schedule: Schedule::default(),
        batch_runs_max: 500,
        retries_max: 0,
        attempts_max: 5,
        due_only: false,
        by: Attribution {
            worker: "doctor-test".to_owned(),
            source: Source::Sweep,
        },
    };
    let go_on = |_: &[Settled]| ControlFlow::Continue(());
    let pass = sweep(store, Scope::default(), &settling, go_on).await?;
    Ok(pass.tally)
}

async fn assert_sweep_works(store: &Store) {
    let tally = pass(store).await.expect("the sweep works");
    assert_eq!((tally.failed, tally.looked_at()), (1, 1), "{tally:?}");
}

/// A SQLite file of one test.
struct TempFile(PathBuf);

impl TempFile {
    fn new(name: &str) -> Self {
        let name = format!("reconciler-doctor-{}-{name}.sqlite", std::process::id());
        Self(std::env::temp_dir().join(name))
    }

    fn url(&self) -> String {
        format!("sqlite://{}", self.0.display())
    }
}

impl Drop for TempFile {
    fn drop(&mut self) {
        for suffix in ["", "-wal", "-shm"] {
            let mut path = self.0.clone().into_os_string();
            path.push(suffix);
            std::fs::remove_file(path).ok();
        }
    }
}

#[tokio::test]
async fn a_fresh_database_wants_indexes_and_nothing_else_on_postgres() {
    let database = database().await;
    let on = open(&database.url()).await;
    prepare(&on).await;
    let checks = examine(&on).await;
    assert_eq!(problems(&checks), Vec::<&Check>::new());
    let indexes = |checks: &[Check]| {
        let advised = subjects(checks, Level::Advice).into_iter();
        advised
            .filter(|subject| subject.starts_with("index on"))
            .count()
    };
    assert_eq!(indexes(&checks), 5, "{checks:#?}");
    for check in checks
        .iter()
        .filter(|check| check.subject.starts_with("index on"))
    {
        run_lines(&on, check.action.as_deref().unwrap()).await;
    }
    let checks = examine(&on).await;
    assert_eq!(indexes(&checks), 0, "{checks:#?}");
    assert_sweep_works(&on).await;
}

#[tokio::test]
async fn a_fresh_file_wants_its_queue_and_nothing_else() {
    let file = TempFile::new("fresh");
    let on = open(&file.url()).await;
    prepare(&on).await;
    let checks = examine(&on).await;
    assert_eq!(problems(&checks), Vec::<&Check>::new());
    assert_eq!(subjects(&checks, Level::Advice), ["queue"]);
    assert_sweep_works(&on).await;
}

/// Every entry of the list is needed: without it no sweep works, and the check names it.
async fn each_listed_column_is_needed(on: &Opened) {
    prepare(on).await;
    for table in platform_tables() {
        for column in table.worker_columns() {
            let (table, column) = (table.name, column.name);
            run(
                on,
                format!("ALTER TABLE {table} RENAME COLUMN {column} TO gone"),
            )
            .await;
            let subject = format!("column {table}.{column}");
            let checks = examine(on).await;
            assert_eq!(about(&checks, &subject).level, Level::Problem, "{subject}");
            assert!(pass(on).await.is_err(), "{subject} is not needed");
            run(
                on,
                format!("ALTER TABLE {table} RENAME COLUMN gone TO {column}"),
            )
            .await;
        }
    }
    assert_sweep_works(on).await;
}

#[tokio::test]
async fn each_listed_column_is_needed_on_postgres() {
    let database = database().await;
    each_listed_column_is_needed(&open(&database.url()).await).await;
}

#[tokio::test]
async fn each_listed_column_is_needed_on_sqlite() {
    let file = TempFile::new("needed");
    each_listed_column_is_needed(&open(&file.url()).await).await;
}

/// Statements that give every column a new name that the list does not know.
fn renames(columns: &[(String, String)]) -> String {
    let mut script = String::new();
    for (table, column) in columns {
        let is_listed = platform_tables().any(|need| {
            need.name == table && need.worker_columns().any(|listed| listed.name == *column)
        });
        if !is_listed {
            writeln!(
                script,
                "ALTER TABLE {table} RENAME COLUMN {column} TO {column}_gone;"
            )
            .expect("text grows");
        }
    }
    script
}

async fn a_database_of_another_product_is_said_to_be_one(on: &Opened) {
    run(on, "CREATE TABLE invoices (id integer)".to_owned()).await;
    let checks = examine(on).await;
    let found = problems(&checks);
    assert_eq!(found.len(), 2, "{checks:#?}");
    assert!(found[0].finding.contains("none of the platform's tables"));
    assert!(
        found[0]
            .action
            .as_ref()
            .unwrap()
            .contains("RECONCILER_DATABASE_URL")
    );
    assert_eq!(
        found[1].action.as_deref(),
        Some("Run `restore-reconciler migrate`.")
    );
}

#[tokio::test]
async fn a_database_of_another_product_is_said_to_be_one_on_postgres() {
    let database = database().await;
    a_database_of_another_product_is_said_to_be_one(&open(&database.url()).await).await;
}

#[tokio::test]
async fn a_database_of_another_product_is_said_to_be_one_on_sqlite() {
    let file = TempFile::new("another");
    a_database_of_another_product_is_said_to_be_one(&open(&file.url()).await).await;
}

/// `own` is the schema's name and separator, or the prefix that stands for it.
async fn a_half_migrated_database_is_examined_to_its_end(on: &Opened, subject: &str, own: &str) {
    prepare(on).await;
    run(on, "DROP TABLE audit_logs".to_owned()).await;
    run(
        on,
        "ALTER TABLE restore_runs DROP COLUMN results".to_owned(),
    )
    .await;
    run(on, format!("DROP TABLE {own}watch_list")).await;
    let checks = examine(on).await;
    assert_eq!(
        subjects(&checks, Level::Problem),
        [
            "column restore_runs.results".to_owned(),
            "table audit_logs".to_owned(),
            format!("table {own}watch_list"),
        ]
    );

    run(
        on,
        format!(
            "INSERT INTO {own}migrations (version, description, success, checksum, execution_time)
             SELECT 9999, description, success, checksum, execution_time FROM {own}migrations WHERE version = 1"
        ),
    )
    .await;
    assert!(action(&examine(on).await, subject).starts_with("Upgrade restore-reconciler"));
    run(on, format!("DELETE FROM {own}migrations")).await;
    assert!(
        about(&examine(on).await, subject)
            .finding
            .contains("missing: 1")
    );
    run(
        on,
        format!("ALTER TABLE {own}migrations DROP COLUMN checksum"),
    )
    .await;
    assert!(
        about(&examine(on).await, subject)
            .finding
            .contains("could not be examined")
    );
    run(on, format!("DROP TABLE {own}migrations")).await;
    assert_eq!(
        action(&examine(on).await, subject),
        "Run `restore-reconciler migrate`."
    );
}

#[tokio::test]
async fn a_half_migrated_database_is_examined_to_its_end_on_postgres() {
    let database = database().await;
    let store = open(&database.url()).await;
    let subject = "schema reconciler";
    a_half_migrated_database_is_examined_to_its_end(&store, subject, "reconciler.").await;
}

#[tokio::test]
async fn a_half_migrated_database_is_examined_to_its_end_on_sqlite() {
    let file = TempFile::new("half");
    let store = open(&file.url()).await;
    let subject = "tables of reconciler";
    a_half_migrated_database_is_examined_to_its_end(&store, subject, "reconciler_").await;
}
