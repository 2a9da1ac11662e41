//! `doctor`, on databases as operators really have them: half migrated, of another product, closed,
//! read-only.
//!
//! Whatever it advises is run here as it is printed, and whatever it calls needed is taken away to
//! see that a sweep then fails.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use reconciler_jobs::restore_execute::Policy;
use reconciler_jobs::restore_execute::record::{Attribution, Source};
use reconciler_jobs::sweep::Schedule;
use restore_reconciler::storage::examine::needs::PLATFORM;
use restore_reconciler::storage::examine::{Check, Level};
use restore_reconciler::storage::standin::{
    PlantedAudit, PlantedBackupSet, PlantedEnvironment, PlantedRestore, PlantedRun,
    PlantedSnapshot, PlantedWorkspace, PlatformRows,
};
use restore_reconciler::storage::{Access, Limits, Settling, Store, StoreError, Tally, connect};
use restore_reconciler::sweep::{Scope, sweep};
use sqlx::Connection as _;
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions as _, SqliteConnection};

use crate::support::cluster::{TestDatabase, database};

/// A role's name that must be quoted wherever it is written.
const AWKWARD: &str = "the \"worker\" of";

async fn open(url: &str) -> Arc<dyn Store> {
    connect(url, Access::Create, &Limits::default())
        .await
        .expect("the database can be reached")
}

/// What `doctor` says, with what holds for everything that it ever says.
async fn examine(store: &dyn Store) -> Vec<Check> {
    let checks = store.examine().await.expect("the connection holds");
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

async fn run(store: &dyn Store, script: String) {
    // A script is `'static`, because the program only knows scripts that were compiled into it.
    let script: &'static str = script.leak();
    store.execute_script(script).await.expect(script);
}

/// Runs each line of what was printed, as `psql` would, one statement at a time.
async fn run_lines(store: &dyn Store, lines: &str) {
    for line in lines.lines() {
        run(store, line.to_owned()).await;
    }
}

/// One run whose restore failed, so that a sweep reads every table and writes a verdict.
fn one_run() -> PlatformRows {
    let moment = || Some("2026-01-01T00:00:00Z".to_owned());
    PlatformRows {
        workspaces: vec![PlantedWorkspace {
            id: 1,
            name: "W".to_owned(),
        }],
        environments: vec![PlantedEnvironment {
            id: 2,
            workspace_id: 1,
            name: "E".to_owned(),
        }],
        backup_sets: vec![PlantedBackupSet {
            id: 3,
            workspace_id: 1,
            managed_environment_id: 2,
        }],
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
            backup_set_id: 3,
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
    }
}

async fn prepare(store: &dyn Store) {
    store.install_standin().await.expect("the stand-in");
    store.migrate().await.expect("our own schema");
    store.plant(&one_run()).await.expect("one run");
}

async fn pass(store: &dyn Store) -> Result<Tally, StoreError> {
    let settling = Settling {
        policy: Policy::default(),
        schedule: Schedule::default(),
        batch_runs_max: 500,
        retries_max: 0,
        by: Attribution {
            worker: "doctor-test".to_owned(),
            source: Source::Sweep,
        },
    };
    sweep(store, Scope::default(), &settling, |_| {}).await
}

async fn assert_sweep_works(store: &dyn Store) {
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

/// Where a role finds the database. The cluster trusts every name.
fn url_as(database: &TestDatabase, role: &str) -> String {
    let options: PgConnectOptions = database.url().parse().expect("a URL");
    options.username(role).to_url_lossy().to_string()
}

/// A role's name that no other test uses, and the same quoted.
fn role_of(database: &TestDatabase) -> (String, String) {
    let role = format!("{AWKWARD} {}", &database.name()[..20]);
    let quoted = format!("\"{}\"", role.replace('"', "\"\""));
    (role, quoted)
}

async fn a_fresh_database_wants_indexes_and_nothing_else(store: &dyn Store) {
    prepare(store).await;
    let checks = examine(store).await;
    assert_eq!(problems(&checks), Vec::<&Check>::new());
    let indexes = |checks: &[Check]| {
        let advised = subjects(checks, Level::Advice).into_iter();
        advised
            .filter(|subject| subject.starts_with("index on"))
            .count()
    };
    assert_eq!(indexes(&checks), 4, "{checks:#?}");
    for check in checks
        .iter()
        .filter(|check| check.subject.starts_with("index on"))
    {
        run_lines(store, check.action.as_deref().unwrap()).await;
    }
    let checks = examine(store).await;
    assert_eq!(indexes(&checks), 0, "{checks:#?}");
    assert_sweep_works(store).await;
}

#[tokio::test]
async fn a_fresh_database_wants_indexes_and_nothing_else_on_postgres() {
    let database = database().await;
    a_fresh_database_wants_indexes_and_nothing_else(&*open(&database.url()).await).await;
}

#[tokio::test]
async fn a_fresh_database_wants_indexes_and_nothing_else_on_sqlite() {
    let file = TempFile::new("fresh");
    a_fresh_database_wants_indexes_and_nothing_else(&*open(&file.url()).await).await;
}

/// Every entry of the list is needed: without it no sweep works, and the check names it.
async fn each_listed_column_is_needed(store: &dyn Store) {
    prepare(store).await;
    for table in PLATFORM {
        for column in table.columns {
            let (table, column) = (table.name, column.name);
            run(
                store,
                format!("ALTER TABLE {table} RENAME COLUMN {column} TO gone"),
            )
            .await;
            let subject = format!("column {table}.{column}");
            let checks = examine(store).await;
            assert_eq!(about(&checks, &subject).level, Level::Problem, "{subject}");
            assert!(pass(store).await.is_err(), "{subject} is not needed");
            run(
                store,
                format!("ALTER TABLE {table} RENAME COLUMN gone TO {column}"),
            )
            .await;
        }
    }
    assert_sweep_works(store).await;
}

#[tokio::test]
async fn each_listed_column_is_needed_on_postgres() {
    let database = database().await;
    each_listed_column_is_needed(&*open(&database.url()).await).await;
}

#[tokio::test]
async fn each_listed_column_is_needed_on_sqlite() {
    let file = TempFile::new("needed");
    each_listed_column_is_needed(&*open(&file.url()).await).await;
}

/// Statements that give every column a new name that the list does not know.
fn renames(columns: &[(String, String)]) -> String {
    let mut script = String::new();
    for (table, column) in columns {
        let is_listed = PLATFORM.iter().any(|need| {
            need.name == table && need.columns.iter().any(|listed| listed.name == column)
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

#[tokio::test]
async fn no_other_column_is_needed_on_postgres() {
    let database = database().await;
    let store = open(&database.url()).await;
    prepare(&*store).await;
    let mut connection = database
        .url()
        .parse::<PgConnectOptions>()
        .expect("a URL")
        .connect()
        .await
        .expect("a connection");
    let columns: Vec<(String, String)> = sqlx::query_as(
        "SELECT table_name::text, column_name::text
         FROM information_schema.columns WHERE table_schema = 'public'",
    )
    .fetch_all(&mut connection)
    .await
    .expect("columns");
    let script = renames(&columns);
    assert!(
        script.contains("restore_runs RENAME COLUMN preview"),
        "{script}"
    );
    run(&*store, script).await;
    assert_eq!(problems(&examine(&*store).await), Vec::<&Check>::new());
    assert_sweep_works(&*store).await;
}

#[tokio::test]
async fn no_other_column_is_needed_on_sqlite() {
    let file = TempFile::new("others");
    let store = open(&file.url()).await;
    prepare(&*store).await;
    let mut connection = SqliteConnection::connect(&file.url())
        .await
        .expect("a connection");
    let columns: Vec<(String, String)> = sqlx::query_as(
        "SELECT relation.name, attribute.name
         FROM sqlite_schema AS relation JOIN pragma_table_info(relation.name) AS attribute
         WHERE relation.type = 'table' AND relation.name NOT LIKE 'reconciler%'
           AND relation.name NOT LIKE 'sqlite%'",
    )
    .fetch_all(&mut connection)
    .await
    .expect("columns");
    run(&*store, renames(&columns)).await;
    assert_eq!(problems(&examine(&*store).await), Vec::<&Check>::new());
    assert_sweep_works(&*store).await;
}

async fn a_database_of_another_product_is_said_to_be_one(store: &dyn Store) {
    run(store, "CREATE TABLE invoices (id integer)".to_owned()).await;
    let checks = examine(store).await;
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
    a_database_of_another_product_is_said_to_be_one(&*open(&database.url()).await).await;
}

#[tokio::test]
async fn a_database_of_another_product_is_said_to_be_one_on_sqlite() {
    let file = TempFile::new("another");
    a_database_of_another_product_is_said_to_be_one(&*open(&file.url()).await).await;
}

/// `own` is the schema's name and separator, or the prefix that stands for it.
async fn a_half_migrated_database_is_examined_to_its_end(
    store: &dyn Store,
    subject: &str,
    own: &str,
) {
    prepare(store).await;
    run(store, "DROP TABLE audit_logs".to_owned()).await;
    run(
        store,
        "ALTER TABLE restore_runs DROP COLUMN results".to_owned(),
    )
    .await;
    run(store, format!("DROP TABLE {own}watch_list")).await;
    let checks = examine(store).await;
    assert_eq!(
        subjects(&checks, Level::Problem),
        [
            "column restore_runs.results".to_owned(),
            "table audit_logs".to_owned(),
            format!("table {own}watch_list"),
        ]
    );

    run(
        store,
        format!(
            "INSERT INTO {own}migrations (version, description, success, checksum, execution_time)
             SELECT 9999, description, success, checksum, execution_time FROM {own}migrations"
        ),
    )
    .await;
    assert!(action(&examine(store).await, subject).starts_with("Upgrade restore-reconciler"));
    run(store, format!("DELETE FROM {own}migrations")).await;
    assert!(
        about(&examine(store).await, subject)
            .finding
            .contains("missing: 1")
    );
    run(
        store,
        format!("ALTER TABLE {own}migrations DROP COLUMN checksum"),
    )
    .await;
    assert!(
        about(&examine(store).await, subject)
            .finding
            .contains("could not be examined")
    );
    run(store, format!("DROP TABLE {own}migrations")).await;
    assert_eq!(
        action(&examine(store).await, subject),
        "Run `restore-reconciler migrate`."
    );
}

#[tokio::test]
async fn a_half_migrated_database_is_examined_to_its_end_on_postgres() {
    let database = database().await;
    let store = open(&database.url()).await;
    let subject = "schema reconciler";
    a_half_migrated_database_is_examined_to_its_end(&*store, subject, "reconciler.").await;
}

#[tokio::test]
async fn a_half_migrated_database_is_examined_to_its_end_on_sqlite() {
    let file = TempFile::new("half");
    let store = open(&file.url()).await;
    let subject = "tables of reconciler";
    a_half_migrated_database_is_examined_to_its_end(&*store, subject, "reconciler_").await;
}

/// Prepares a platform as `shape` leaves it and a role that may do nothing, runs every statement
/// that `doctor` prints for it, and sweeps as that role.
async fn the_printed_grants_are_enough(shape: &'static str) {
    let database = database().await;
    let owner = open(&database.url()).await;
    prepare(&*owner).await;
    owner.execute_script(shape).await.expect(shape);
    let (role, quoted) = role_of(&database);
    run(&*owner, format!("CREATE ROLE {quoted} LOGIN")).await;

    let worker = open(&url_as(&database, &role)).await;
    let checks = examine(&*worker).await;
    assert_eq!(about(&checks, "role").level, Level::Good);
    assert!(pass(&*worker).await.is_err(), "nothing is granted yet");
    // A record of migrations that cannot be read is no problem of the sweep's.
    let granted = |check: &&Check| {
        let action = check.action.as_deref().unwrap_or_default();
        action.starts_with("GRANT")
    };
    let grants: Vec<&Check> = checks.iter().filter(granted).collect();
    for check in problems(&checks) {
        assert!(grants.contains(&check), "{check:#?}");
    }
    for check in &grants {
        run_lines(&*owner, check.action.as_deref().unwrap()).await;
    }
    let checks = examine(&*worker).await;
    assert_eq!(problems(&checks), Vec::<&Check>::new());
    assert_eq!(about(&checks, "schema reconciler").level, Level::Good);
    assert_sweep_works(&*worker).await;
    assert_few_rights(&database, &role).await;
}

/// What was printed grants no more than is needed.
async fn assert_few_rights(database: &TestDatabase, role: &str) {
    let mut connection = url_as(database, role)
        .parse::<PgConnectOptions>()
        .expect("a URL")
        .connect()
        .await
        .expect("a connection");
    for statement in [
        "SELECT actor_email FROM audit_logs",
        "SELECT preview FROM restore_runs",
        "UPDATE operation_runs SET type = 'restore.verify'",
        "UPDATE restore_runs SET status = 'completed'",
        "UPDATE audit_logs SET action = 'x'",
        "DELETE FROM audit_logs",
        "DELETE FROM operation_runs",
        "UPDATE reconciler.ledger SET outcome = 'succeeded'",
        "DELETE FROM reconciler.sweeps",
        "DELETE FROM reconciler.migrations",
    ] {
        let error = sqlx::query(statement)
            .execute(&mut connection)
            .await
            .expect_err(statement);
        assert!(error.to_string().contains("permission denied"), "{error}");
    }
}

#[tokio::test]
async fn the_printed_grants_are_enough_for_identity_keys() {
    the_printed_grants_are_enough("REVOKE ALL ON SCHEMA public FROM PUBLIC").await;
}

#[tokio::test]
async fn the_printed_grants_are_enough_for_serial_keys() {
    the_printed_grants_are_enough(
        "ALTER TABLE audit_logs ALTER COLUMN id DROP IDENTITY;
         CREATE SEQUENCE \"audit Log ids\" START 1000;
         ALTER TABLE audit_logs ALTER COLUMN id SET DEFAULT nextval('\"audit Log ids\"');",
    )
    .await;
}

#[tokio::test]
async fn a_role_that_may_do_much_is_advised_against() {
    let database = database().await;
    let store = open(&database.url()).await;
    prepare(&*store).await;
    assert!(
        about(&examine(&*store).await, "role")
            .finding
            .contains("superuser")
    );

    let (role, quoted) = role_of(&database);
    run(&*store, format!("CREATE ROLE {quoted} LOGIN")).await;
    run(
        &*store,
        format!("ALTER TABLE restore_runs OWNER TO {quoted}"),
    )
    .await;
    let owner = open(&url_as(&database, &role)).await;
    let checks = examine(&*owner).await;
    assert_eq!(about(&checks, "role").level, Level::Advice);
    assert!(
        about(&checks, "role")
            .finding
            .contains("owns restore_runs,")
    );
}

#[tokio::test]
async fn a_schema_that_this_role_may_not_create_is_for_another_to_migrate() {
    let database = database().await;
    let store = open(&database.url()).await;
    store.install_standin().await.expect("the stand-in");
    let (role, quoted) = role_of(&database);
    run(&*store, format!("CREATE ROLE {quoted} LOGIN")).await;
    let worker = open(&url_as(&database, &role)).await;
    let checks = examine(&*worker).await;
    assert!(action(&checks, "schema reconciler").contains("as a role that may create schemas"));
    assert!(worker.migrate().await.is_err());
}

#[tokio::test]
async fn tables_beside_the_search_path_are_found_and_the_path_is_told() {
    let database = database().await;
    let store = open(&database.url()).await;
    prepare(&*store).await;
    let (role, quoted) = role_of(&database);
    run(
        &*store,
        format!(
            "CREATE ROLE {quoted} SUPERUSER LOGIN; CREATE SCHEMA \"Tenant Atlas\";
             ALTER TABLE operation_runs SET SCHEMA \"Tenant Atlas\";"
        ),
    )
    .await;
    let worker = open(&url_as(&database, &role)).await;
    let checks = examine(&*worker).await;
    assert_eq!(subjects(&checks, Level::Problem), ["table operation_runs"]);
    run_lines(&*worker, action(&checks, "table operation_runs")).await;

    let worker = open(&url_as(&database, &role)).await;
    assert_eq!(problems(&examine(&*worker).await), Vec::<&Check>::new());
    assert_sweep_works(&*worker).await;
}

#[tokio::test]
async fn a_read_only_role_is_a_problem_with_the_statement_that_ends_it() {
    let database = database().await;
    let store = open(&database.url()).await;
    prepare(&*store).await;
    let (role, quoted) = role_of(&database);
    run(
        &*store,
        format!(
            "CREATE ROLE {quoted} SUPERUSER LOGIN;
             ALTER ROLE {quoted} SET default_transaction_read_only = on;"
        ),
    )
    .await;
    let worker = open(&url_as(&database, &role)).await;
    let checks = examine(&*worker).await;
    assert_eq!(subjects(&checks, Level::Problem), ["writes"]);
    assert!(pass(&*worker).await.is_err());
    run_lines(&*store, action(&checks, "writes")).await;

    let worker = open(&url_as(&database, &role)).await;
    assert_eq!(problems(&examine(&*worker).await), Vec::<&Check>::new());
    assert_sweep_works(&*worker).await;
}

/// Changes the type of every column of some kinds, then examines and sweeps.
async fn types_are_accepted(changes: &[(&str, &str)]) {
    let database = database().await;
    let store = open(&database.url()).await;
    prepare(&*store).await;
    for (columns, type_name) in changes {
        for column in columns.split_whitespace() {
            let (table, column) = column.split_once('.').expect("table.column");
            run(
                &*store,
                format!(
                    "ALTER TABLE {table} ALTER COLUMN {column} TYPE {type_name}
                     USING {column}::{type_name}"
                ),
            )
            .await;
        }
    }
    assert_eq!(problems(&examine(&*store).await), Vec::<&Check>::new());
    assert_sweep_works(&*store).await;
}

const JSON: &str = "operation_runs.context operation_runs.failure_summary \
    operation_runs.summary_counts restore_runs.requested_items restore_runs.results \
    restore_runs.metadata audit_logs.metadata";
const MOMENTS: &str = "operation_runs.started_at operation_runs.completed_at \
    operation_runs.created_at operation_runs.updated_at restore_runs.started_at \
    restore_runs.completed_at restore_runs.deleted_at restore_runs.created_at \
    evidence_snapshots.generated_at evidence_snapshots.expires_at audit_logs.recorded_at";
const TEXTS: &str = "restore_runs.status evidence_snapshots.status \
    evidence_snapshots.completeness_state audit_logs.actor_label audit_logs.action \
    audit_logs.resource_type audit_logs.resource_id audit_logs.status audit_logs.summary";

#[tokio::test]
async fn types_of_newer_migrations_are_accepted() {
    types_are_accepted(&[(JSON, "jsonb"), (MOMENTS, "timestamptz"), (TEXTS, "text")]).await;
}

#[tokio::test]
async fn types_of_older_migrations_are_accepted() {
    let changes = [
        (JSON, "json"),
        (MOMENTS, "timestamp(0)"),
        ("restore_runs.failure_reason", "varchar(255)"),
    ];
    types_are_accepted(&changes).await;
}

#[tokio::test]
async fn json_in_text_columns_is_accepted() {
    types_are_accepted(&[(JSON, "text")]).await;
}

#[tokio::test]
async fn types_that_no_statement_works_on_are_named() {
    let database = database().await;
    let store = open(&database.url()).await;
    prepare(&*store).await;
    for (column, to, found) in [
        (
            "restore_runs.is_dry_run",
            "integer USING is_dry_run::integer",
            "integer",
        ),
        ("restore_runs.id", "integer", "integer"),
        (
            "audit_logs.resource_id",
            "bigint USING resource_id::bigint",
            "bigint",
        ),
    ] {
        let (table, name) = column.split_once('.').expect("table.column");
        let defaults = format!("ALTER TABLE {table} ALTER COLUMN {name} DROP DEFAULT");
        if name == "is_dry_run" {
            run(&*store, defaults).await;
        }
        run(
            &*store,
            format!("ALTER TABLE {table} ALTER COLUMN {name} TYPE {to}"),
        )
        .await;
        let checks = examine(&*store).await;
        let check = about(&checks, &format!("column {column}"));
        assert_eq!(check.level, Level::Problem);
        assert_eq!(
            check.finding,
            format!("Its type is {found}, which is not understood.")
        );
        let tally = pass(&*store).await;
        let is_settled = tally.is_ok_and(|tally| tally.verdicts() > 0);
        assert!(
            !is_settled,
            "{column} works as {found}, so the list is too short"
        );
    }
}

#[tokio::test]
async fn a_column_that_nobody_fills_is_a_problem_of_the_audit_log() {
    let database = database().await;
    let store = open(&database.url()).await;
    prepare(&*store).await;
    let column = "ALTER TABLE audit_logs ADD COLUMN tenant_ref text NOT NULL";
    run(&*store, "TRUNCATE audit_logs".to_owned()).await;
    run(&*store, column.to_owned()).await;
    let checks = examine(&*store).await;
    assert_eq!(
        subjects(&checks, Level::Problem),
        ["column audit_logs.tenant_ref"]
    );
}

#[tokio::test]
async fn row_security_is_pointed_out_and_the_printed_policy_ends_it() {
    let database = database().await;
    let store = open(&database.url()).await;
    prepare(&*store).await;
    let (role, quoted) = role_of(&database);
    run(
        &*store,
        format!(
            "CREATE ROLE {quoted} LOGIN; GRANT ALL ON ALL TABLES IN SCHEMA public TO {quoted};
             GRANT USAGE ON SCHEMA reconciler TO {quoted};
             GRANT ALL ON ALL TABLES IN SCHEMA reconciler TO {quoted};
             ALTER TABLE operation_runs ENABLE ROW LEVEL SECURITY;"
        ),
    )
    .await;
    let worker = open(&url_as(&database, &role)).await;
    let checks = examine(&*worker).await;
    assert_eq!(about(&checks, "table operation_runs").level, Level::Advice);
    assert_eq!(
        pass(&*worker).await.expect("a sweep").looked_at(),
        0,
        "all are hidden"
    );
    run_lines(&*store, action(&checks, "table operation_runs")).await;
    assert_sweep_works(&*worker).await;
}

#[tokio::test]
async fn an_index_that_was_not_built_to_its_end_is_dropped_first() {
    let database = database().await;
    let store = open(&database.url()).await;
    prepare(&*store).await;
    let subject = "index on restore_runs";
    run_lines(&*store, action(&examine(&*store).await, subject)).await;
    assert_eq!(about(&examine(&*store).await, subject).level, Level::Good);
    run(
        &*store,
        "UPDATE pg_index SET indisvalid = false
         WHERE indexrelid = 'restore_runs_live_operation_run_id_index'::regclass"
            .to_owned(),
    )
    .await;
    let checks = examine(&*store).await;
    assert_eq!(about(&checks, subject).level, Level::Advice);
    assert!(action(&checks, subject).starts_with("DROP INDEX CONCURRENTLY IF EXISTS public."));
    run_lines(&*store, action(&checks, subject)).await;
    assert_eq!(about(&examine(&*store).await, subject).level, Level::Good);
}

#[tokio::test]
async fn only_a_lost_connection_is_an_error() {
    let database = database().await;
    let store = open(&database.url()).await;
    prepare(&*store).await;
    drop(database);
    assert!(store.examine().await.is_err());
}

#[tokio::test]
async fn a_sqlite_file_is_examined_without_a_change_to_it() {
    let file = TempFile::new("untouched");
    let store = open(&file.url()).await;
    prepare(&*store).await;
    run(&*store, "PRAGMA wal_checkpoint(TRUNCATE)".to_owned()).await;
    let before = std::fs::read(&file.0).expect("the file");
    let reader = connect(&file.url(), Access::Read, &Limits::default())
        .await
        .expect("the file opens");
    let checks = examine(&*reader).await;
    assert_eq!(problems(&checks), Vec::<&Check>::new());
    assert_eq!(
        about(&checks, "journal").finding,
        "The journal mode is wal."
    );
    assert!(about(&checks, "file").finding.ends_with("may be written."));
    assert!(std::fs::read(&file.0).expect("the file") == before);
}

#[tokio::test]
async fn a_sqlite_file_with_a_rollback_journal_is_advised_on() {
    let file = TempFile::new("rollback");
    std::fs::write(&file.0, b"").expect("an empty file");
    let reader = connect(&file.url(), Access::Read, &Limits::default())
        .await
        .expect("the file opens");
    let checks = examine(&*reader).await;
    assert!(
        about(&checks, "journal")
            .finding
            .contains("journal mode is delete")
    );
    assert_eq!(action(&checks, "journal"), "PRAGMA journal_mode = WAL;");
}

#[tokio::test]
async fn a_sqlite_file_that_may_not_be_written_is_a_problem() {
    let file = TempFile::new("closed");
    std::fs::write(&file.0, b"").expect("an empty file");
    let mut permissions = std::fs::metadata(&file.0).expect("the file").permissions();
    permissions.set_readonly(true);
    std::fs::set_permissions(&file.0, permissions).expect("the file is ours");
    // Root may write whatever the permissions say.
    let is_closed = std::fs::OpenOptions::new()
        .append(true)
        .open(&file.0)
        .is_err();
    let reader = connect(&file.url(), Access::Read, &Limits::default())
        .await
        .expect("the file opens");
    let checks = examine(&*reader).await;
    let expected = if is_closed {
        Level::Problem
    } else {
        Level::Good
    };
    assert_eq!(about(&checks, "file").level, expected);
}
