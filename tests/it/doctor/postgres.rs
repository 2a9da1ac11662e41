//! What only PostgreSQL has: roles, types, schemas, row security, and indexes that were not finished.

use restore_reconciler::doctor::{Check, Level};
use sqlx::ConnectOptions as _;
use sqlx::postgres::PgConnectOptions;

use super::{
    about, action, assert_sweep_works, examine, open, pass, prepare, problems, renames, run,
    run_lines, subjects,
};
use crate::console::grants_in_the_manual;
use crate::support::cluster::{TestDatabase, database};

/// A role's name that must be quoted wherever it is written.
const AWKWARD: &str = "the \"worker\" of";

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

#[tokio::test]
async fn no_other_column_is_needed_on_postgres() {
    let database = database().await;
    let store = open(&database.url()).await;
    prepare(&store).await;
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
    run(&store, script).await;
    assert_eq!(problems(&examine(&store).await), Vec::<&Check>::new());
    assert_sweep_works(&store).await;
}

/// Prepares a platform as `shape` leaves it and a role that may do nothing, runs every statement
/// that `doctor` prints for it, and sweeps as that role.
async fn the_printed_grants_are_enough(shape: &'static str) {
    let database = database().await;
    let owner = open(&database.url()).await;
    prepare(&owner).await;
    owner.standin.execute_script(shape).await.expect(shape);
    let (role, quoted) = role_of(&database);
    run(&owner, format!("CREATE ROLE {quoted} LOGIN")).await;

    let worker = open(&url_as(&database, &role)).await;
    let checks = examine(&worker).await;
    assert_eq!(about(&checks, "role").level, Level::Good);
    assert!(pass(&worker).await.is_err(), "nothing is granted yet");
    // What the console needs is advice of its own, and nothing for a worker.
    let granted = |check: &&Check| {
        let action = check.action.as_deref().unwrap_or_default();
        action.starts_with("GRANT") && check.subject != "console"
    };
    let grants: Vec<&Check> = checks.iter().filter(granted).collect();
    for check in problems(&checks) {
        assert!(grants.contains(&check), "{check:#?}");
    }
    for check in &grants {
        run_lines(&owner, check.action.as_deref().unwrap()).await;
    }
    let checks = examine(&worker).await;
    assert_eq!(problems(&checks), Vec::<&Check>::new());
    assert_eq!(about(&checks, "schema reconciler").level, Level::Good);
    assert_sweep_works(&worker).await;
    assert_few_rights(&database, &role).await;
}

/// All that a role may do beyond everybody: what, of which table, which column.
async fn rights(database: &TestDatabase, role: &str) -> Vec<(String, String, String)> {
    let mut connection = database
        .url()
        .parse::<PgConnectOptions>()
        .expect("a URL")
        .connect()
        .await
        .expect("a connection");
    sqlx::query_as(
        "SELECT privilege_type::text, (table_schema || '.' || table_name)::text, column_name::text
         FROM information_schema.column_privileges WHERE grantee = $1
         UNION ALL
         SELECT granted.privilege_type, 'schema ' || namespace.nspname, ''
         FROM pg_namespace AS namespace, aclexplode(namespace.nspacl) AS granted
         WHERE granted.grantee = (SELECT oid FROM pg_roles WHERE rolname = $1)
         UNION ALL
         SELECT granted.privilege_type, 'function ' || called.proname, ''
         FROM pg_proc AS called, aclexplode(called.proacl) AS granted
         WHERE granted.grantee = (SELECT oid FROM pg_roles WHERE rolname = $1)
         ORDER BY 1, 2, 3",
    )
    .bind(role)
    .fetch_all(&mut connection)
    .await
    .expect("rights")
}

/// What a console's role lacks is told apart, and is what the manual grants it: no more and no less.
#[tokio::test]
async fn what_a_console_lacks_is_advice_and_what_the_manual_grants() {
    let database = database().await;
    let owner = open(&database.url()).await;
    prepare(&owner).await;
    restore_reconciler::worker::set_up(&owner).await.unwrap();
    run(
        &owner,
        "REVOKE ALL ON SCHEMA public FROM PUBLIC;
         REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA reconciler FROM PUBLIC"
            .to_owned(),
    )
    .await;
    assert_eq!(about(&examine(&owner).await, "console").level, Level::Good);

    let (role, quoted) = role_of(&database);
    let by_manual = format!("console_{}", database.name());
    run(
        &owner,
        format!("CREATE ROLE {quoted} LOGIN; CREATE ROLE {by_manual} LOGIN"),
    )
    .await;
    run(&owner, grants_in_the_manual(&by_manual)).await;
    let console = open(&url_as(&database, &role)).await;
    let checks = examine(&console).await;
    let check = about(&checks, "console");
    assert_eq!(check.level, Level::Advice);
    assert!(
        check
            .finding
            .contains("only the console (`serve`) needs that"),
        "{check:?}"
    );
    run_lines(&owner, action(&checks, "console")).await;
    let checks = examine(&console).await;
    assert_eq!(about(&checks, "console").level, Level::Good, "{checks:#?}");
    let granted = rights(&database, &role).await;
    assert!(granted.len() > 60, "{granted:?}");
    assert_eq!(granted, rights(&database, &by_manual).await);

    // What is not there is no problem of a worker.
    run(&owner, "ALTER TABLE backup_items RENAME TO gone".to_owned()).await;
    let checks = examine(&owner).await;
    assert!(
        about(&checks, "console")
            .finding
            .starts_with("backup_items cannot be found;")
    );
    assert_eq!(problems(&checks), Vec::<&Check>::new());
    assert_sweep_works(&owner).await;
    run(
        &owner,
        format!("DROP OWNED BY {quoted}, {by_manual}; DROP ROLE {quoted}, {by_manual}"),
    )
    .await;
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
    prepare(&store).await;
    assert!(
        about(&examine(&store).await, "role")
            .finding
            .contains("superuser")
    );

    let (role, quoted) = role_of(&database);
    run(&store, format!("CREATE ROLE {quoted} LOGIN")).await;
    run(
        &store,
        format!("ALTER TABLE restore_runs OWNER TO {quoted}"),
    )
    .await;
    let owner = open(&url_as(&database, &role)).await;
    let checks = examine(&owner).await;
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
    store.standin.install().await.expect("the stand-in");
    let (role, quoted) = role_of(&database);
    run(&store, format!("CREATE ROLE {quoted} LOGIN")).await;
    let worker = open(&url_as(&database, &role)).await;
    let checks = examine(&worker).await;
    assert!(action(&checks, "schema reconciler").contains("as a role that may create schemas"));
    assert!(worker.migrate().await.is_err());
}

#[tokio::test]
async fn tables_beside_the_search_path_are_found_and_the_path_is_told() {
    let database = database().await;
    let store = open(&database.url()).await;
    prepare(&store).await;
    let (role, quoted) = role_of(&database);
    run(
        &store,
        format!(
            "CREATE ROLE {quoted} SUPERUSER LOGIN; CREATE SCHEMA \"Tenant Atlas\";
             ALTER TABLE operation_runs SET SCHEMA \"Tenant Atlas\";"
        ),
    )
    .await;
    let worker = open(&url_as(&database, &role)).await;
    let checks = examine(&worker).await;
    assert_eq!(subjects(&checks, Level::Problem), ["table operation_runs"]);
    run_lines(&worker, action(&checks, "table operation_runs")).await;

    let worker = open(&url_as(&database, &role)).await;
    assert_eq!(problems(&examine(&worker).await), Vec::<&Check>::new());
    assert_sweep_works(&worker).await;
}

#[tokio::test]
async fn a_read_only_role_is_a_problem_with_the_statement_that_ends_it() {
    let database = database().await;
    let store = open(&database.url()).await;
    prepare(&store).await;
    let (role, quoted) = role_of(&database);
    run(
        &store,
        format!(
            "CREATE ROLE {quoted} SUPERUSER LOGIN;
             ALTER ROLE {quoted} SET default_transaction_read_only = on;"
        ),
    )
    .await;
    let worker = open(&url_as(&database, &role)).await;
    let checks = examine(&worker).await;
    assert_eq!(subjects(&checks, Level::Problem), ["writes"]);
    assert!(pass(&worker).await.is_err());
    run_lines(&store, action(&checks, "writes")).await;

    let worker = open(&url_as(&database, &role)).await;
    assert_eq!(problems(&examine(&worker).await), Vec::<&Check>::new());
    assert_sweep_works(&worker).await;
}

/// Changes the type of every column of some kinds, then examines and sweeps.
async fn types_are_accepted(changes: &[(&str, &str)]) {
    let database = database().await;
    let store = open(&database.url()).await;
    prepare(&store).await;
    for (columns, type_name) in changes {
        for column in columns.split_whitespace() {
            let (table, column) = column.split_once('.').expect("table.column");
            run(
                &store,
                format!(
                    "ALTER TABLE {table} ALTER COLUMN {column} TYPE {type_name}
                     USING {column}::{type_name}"
                ),
            )
            .await;
        }
    }
    assert_eq!(problems(&examine(&store).await), Vec::<&Check>::new());
    assert_sweep_works(&store).await;
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
    prepare(&store).await;
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
            run(&store, defaults).await;
        }
        run(
            &store,
            format!("ALTER TABLE {table} ALTER COLUMN {name} TYPE {to}"),
        )
        .await;
        let checks = examine(&store).await;
        let check = about(&checks, &format!("column {column}"));
        assert_eq!(check.level, Level::Problem);
        assert_eq!(
            check.finding,
            format!("Its type is {found}, which is not understood.")
        );
        let tally = pass(&store).await;
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
    prepare(&store).await;
    let column = "ALTER TABLE audit_logs ADD COLUMN tenant_ref text NOT NULL";
    run(&store, "TRUNCATE audit_logs".to_owned()).await;
    run(&store, column.to_owned()).await;
    let checks = examine(&store).await;
    assert_eq!(
        subjects(&checks, Level::Problem),
        ["column audit_logs.tenant_ref"]
    );
}

#[tokio::test]
async fn row_security_is_pointed_out_and_the_printed_policy_ends_it() {
    let database = database().await;
    let store = open(&database.url()).await;
    prepare(&store).await;
    let (role, quoted) = role_of(&database);
    run(
        &store,
        format!(
            "CREATE ROLE {quoted} LOGIN; GRANT ALL ON ALL TABLES IN SCHEMA public TO {quoted};
             GRANT USAGE ON SCHEMA reconciler TO {quoted};
             GRANT ALL ON ALL TABLES IN SCHEMA reconciler TO {quoted};
             ALTER TABLE operation_runs ENABLE ROW LEVEL SECURITY;"
        ),
    )
    .await;
    let worker = open(&url_as(&database, &role)).await;
    let checks = examine(&worker).await;
    assert_eq!(about(&checks, "table operation_runs").level, Level::Problem);
    assert_eq!(
        pass(&worker).await.expect("a sweep").looked_at(),
        0,
        "all are hidden"
    );
    run_lines(&store, action(&checks, "table operation_runs")).await;
    assert_sweep_works(&worker).await;
}

#[tokio::test]
async fn an_index_that_was_not_built_to_its_end_is_dropped_first() {
    let database = database().await;
    let store = open(&database.url()).await;
    prepare(&store).await;
    let subject = "index on restore_runs";
    run_lines(&store, action(&examine(&store).await, subject)).await;
    assert_eq!(about(&examine(&store).await, subject).level, Level::Good);
    run(
        &store,
        "UPDATE pg_index SET indisvalid = false
         WHERE indexrelid = 'restore_runs_live_operation_run_id_index'::regclass"
            .to_owned(),
    )
    .await;
    let checks = examine(&store).await;
    assert_eq!(about(&checks, subject).level, Level::Advice);
    assert!(action(&checks, subject).starts_with("DROP INDEX CONCURRENTLY IF EXISTS public."));
    run_lines(&store, action(&checks, subject)).await;
    assert_eq!(about(&examine(&store).await, subject).level, Level::Good);
}

#[tokio::test]
async fn only_a_lost_connection_is_an_error() {
    let database = database().await;
    let store = open(&database.url()).await;
    prepare(&store).await;
    drop(database);
    assert!(restore_reconciler::doctor::examine(&store).await.is_err());
}

/// What brings runs to a worker sooner than a sweep is looked at, and what is advised is enough.
#[tokio::test]
async fn what_the_queue_lacks_is_told_with_what_to_do() {
    let database = database().await;
    let owner = open(&database.url()).await;
    prepare(&owner).await;
    let checks = examine(&owner).await;
    assert_eq!(about(&checks, "queue").level, Level::Advice);
    assert!(about(&checks, "extensions").finding.contains("hstore"));
    assert!(
        about(&checks, "reconciler.request")
            .finding
            .contains("may call it")
    );
    assert!(
        about(&checks, "platform trigger")
            .finding
            .contains("not installed")
    );
    restore_reconciler::worker::set_up(&owner).await.unwrap();
    owner.set_platform_triggers(true).await.unwrap();
    let checks = examine(&owner).await;
    for subject in [
        "queue",
        "extensions",
        "reconciler.request",
        "platform trigger",
    ] {
        assert_eq!(about(&checks, subject).level, Level::Good, "{subject}");
    }

    // The platform connects as another role, and so do we.
    let (role, quoted) = role_of(&database);
    run(
        &owner,
        format!("CREATE ROLE {quoted} LOGIN; GRANT USAGE ON SCHEMA reconciler TO {quoted}"),
    )
    .await;
    let worker = open(&url_as(&database, &role)).await;
    let checks = examine(&worker).await;
    assert_eq!(about(&checks, "queue").level, Level::Advice);
    run_lines(&owner, action(&checks, "queue")).await;
    assert_eq!(about(&examine(&worker).await, "queue").level, Level::Good);
    assert!(worker.has_queue().await.unwrap());

    run(
        &owner,
        format!("REVOKE USAGE ON SCHEMA reconciler FROM {quoted}; ALTER TABLE operation_runs OWNER TO {quoted}"),
    )
    .await;
    let checks = examine(&owner).await;
    assert_eq!(about(&checks, "reconciler.request").level, Level::Advice);
    run_lines(&owner, action(&checks, "reconciler.request")).await;
    let checks = examine(&owner).await;
    assert_eq!(about(&checks, "reconciler.request").level, Level::Good);

    run(
        &owner,
        "ALTER TABLE restore_runs DISABLE TRIGGER restore_reconciler_request".to_owned(),
    )
    .await;
    let off = examine(&owner).await;
    assert!(
        about(&off, "platform trigger")
            .finding
            .contains("switched off on public.restore_runs")
    );
    run(
        &owner,
        "DROP TRIGGER restore_reconciler_request ON restore_runs".to_owned(),
    )
    .await;
    let one = examine(&owner).await;
    assert!(
        about(&one, "platform trigger")
            .finding
            .contains("evidence_snapshots only")
    );
    run(&owner, format!("ALTER TABLE operation_runs OWNER TO CURRENT_USER; DROP OWNED BY {quoted}; DROP ROLE {quoted}")).await;
}

/// What the statement about the server says of one that answers otherwise than the one that runs it.
async fn checks_of_a_server(
    answers: &[(&str, &str)],
) -> Vec<(String, String, String, Option<String>)> {
    let mut statement = include_str!("../../../src/doctor/postgres/server.sql").to_owned();
    for (question, answer) in answers {
        assert!(statement.contains(question), "{question}");
        statement = statement.replace(question, answer);
    }
    let statement: &'static str = statement.leak();
    let database = database().await;
    let options: PgConnectOptions = database.url().parse().expect("a URL");
    let mut connection = options.connect().await.expect("a connection");
    sqlx::query_as(statement)
        .fetch_all(&mut connection)
        .await
        .expect(statement)
}

#[tokio::test]
async fn old_servers_and_other_products_are_problems() {
    let version = |text: &'static str, number: &'static str| {
        [
            ("version()", text),
            ("current_setting('server_version_num')", number),
        ]
    };
    let fourteen = version("'PostgreSQL 14.0 on x86_64'", "'140000'");
    assert_eq!(checks_of_a_server(&fourteen).await[0].1, "good");
    let thirteen =
        &checks_of_a_server(&version("'PostgreSQL 13.9 on x86_64'", "'130009'")).await[0];
    assert_eq!(thirteen.1, "problem");
    assert_eq!(
        thirteen.3.as_deref(),
        Some("Upgrade the server to PostgreSQL 14 or newer.")
    );
    let other = version("'CockroachDB CCL v23.1 (x86_64)'", "'130000'");
    let other = &checks_of_a_server(&other).await[0];
    assert_eq!(other.1, "problem");
    assert!(
        other.2.contains("no PostgreSQL but CockroachDB"),
        "{other:?}"
    );
}

#[tokio::test]
async fn a_replica_takes_no_writes() {
    let replica = [
        ("pg_is_in_recovery()", "true"),
        ("current_setting('transaction_read_only')::boolean", "true"),
    ];
    let writes = &checks_of_a_server(&replica).await[1];
    assert_eq!(
        (writes.0.as_str(), writes.1.as_str()),
        ("writes", "problem")
    );
    assert!(writes.3.as_deref().unwrap().contains("primary"));
}
