//! What only PostgreSQL has: roles, types, schemas, row security, and indexes that were not finished.

use restore_reconciler::internals::doctor::{Check, Level};
use restore_reconciler::internals::storage::{Access, Limits, Store, connect};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions as _, Connection as _};

use super::{
    about, action, assert_finds, assert_level, assert_serves, assert_sweep_works, examine, follow,
    pass, plant_one, problems, subjects,
};
use crate::console::grants_in_the_manual;
use crate::support::store::Fixture;

/// With one run.
async fn prepared() -> Fixture {
    let on = Fixture::postgres().await;
    plant_one(&on).await;
    on
}

/// A role that no other test uses, whose name must be quoted wherever it is written.
struct Role {
    name: String,
    quoted: String,
    /// Where it finds the database. The cluster trusts every name.
    url: String,
}

impl Role {
    /// One that may do what `options` say.
    async fn new(on: &Fixture, options: &str) -> Self {
        let connection: PgConnectOptions = on.url.parse().expect("a URL");
        let database = connection.get_database().expect("a name");
        let name = format!("the \"worker\" of {}", &database[..20]);
        let quoted = format!("\"{}\"", name.replace('"', "\"\""));
        on.execute(&format!("CREATE ROLE {quoted} {options}")).await;
        let url = connection.username(&name).to_url_lossy().to_string();
        Self { name, quoted, url }
    }

    /// The database as this role sees it, on connections that are new.
    async fn store(&self) -> Store {
        connect(&self.url, Access::Write, &Limits::default())
            .await
            .expect("the database can be reached")
    }
}

#[tokio::test]
async fn a_fresh_database_wants_indexes_and_nothing_else() {
    let on = prepared().await;
    let checks = examine(&on.store).await;
    assert_eq!(problems(&checks), Vec::<&Check>::new());
    let indexes = |checks: &[Check]| {
        let advised = subjects(checks, Level::Advice).into_iter();
        let indexes = advised.filter(|subject| subject.starts_with("index on"));
        indexes.map(str::to_owned).collect::<Vec<_>>()
    };
    let advised = indexes(&checks);
    assert_eq!(advised.len(), 5, "{checks:#?}");
    for subject in &advised {
        follow(&on, &checks, subject).await;
    }
    assert_eq!(indexes(&examine(&on.store).await), Vec::<String>::new());
    assert_sweep_works(&on.store).await;
}

/// Prepares a platform as `shape` leaves it and a role that may do nothing, runs every statement
/// that `doctor` prints for it, and sweeps as that role.
async fn the_printed_grants_are_enough(shape: &str) {
    let on = prepared().await;
    on.execute(shape).await;
    let role = Role::new(&on, "LOGIN").await;
    let worker = role.store().await;
    let checks = examine(&worker).await;
    assert_level(&checks, "role", Level::Good);
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
        follow(&on, &checks, &check.subject).await;
    }
    let checks = examine(&worker).await;
    assert_eq!(problems(&checks), Vec::<&Check>::new());
    assert_level(&checks, "schema reconciler", Level::Good);
    assert_sweep_works(&worker).await;
    assert_few_rights(&role).await;
}

/// All that a role may do beyond everybody: what, of which table, which column.
async fn rights(on: &Fixture, role: &str) -> Vec<(String, String, String)> {
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
    .fetch_all(on.pg())
    .await
    .expect("rights")
}

/// What a console's role lacks is told apart, and is what the manual grants it: no more and no less.
#[tokio::test]
async fn what_a_console_lacks_is_advice_and_what_the_manual_grants() {
    let on = prepared().await;
    restore_reconciler::internals::worker::set_up(&on.store)
        .await
        .unwrap();
    on.execute(
        "REVOKE ALL ON SCHEMA public FROM PUBLIC;
         REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA reconciler FROM PUBLIC",
    )
    .await;
    assert_level(&examine(&on.store).await, "console", Level::Good);

    let role = Role::new(&on, "LOGIN").await;
    let by_manual = role.name.replace("the \"worker\" of ", "console_");
    on.execute(&format!("CREATE ROLE {by_manual} LOGIN")).await;
    on.execute(&grants_in_the_manual(&by_manual)).await;
    let console = role.store().await;
    let checks = examine(&console).await;
    assert_level(&checks, "console", Level::Advice);
    assert_finds(&checks, "console", "only the console (`serve`) needs that");
    follow(&on, &checks, "console").await;
    assert_level(&examine(&console).await, "console", Level::Good);
    let granted = rights(&on, &role.name).await;
    assert!(granted.len() > 60, "{granted:?}");
    assert_eq!(granted, rights(&on, &by_manual).await);

    // What is not there is no problem of a worker.
    on.execute("ALTER TABLE backup_items RENAME TO gone").await;
    let absent = examine(&on.store).await;
    assert!(
        about(&absent, "console")
            .finding
            .starts_with("backup_items cannot be found;")
    );
    assert_serves(&on.store).await;
    let quoted = &role.quoted;
    on.execute(&format!(
        "DROP OWNED BY {quoted}, {by_manual}; DROP ROLE {quoted}, {by_manual}"
    ))
    .await;
}

/// What was printed grants no more than is needed.
async fn assert_few_rights(role: &Role) {
    let mut connection = PgConnection::connect(&role.url)
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
    let on = prepared().await;
    assert_finds(&examine(&on.store).await, "role", "superuser");

    let role = Role::new(&on, "LOGIN").await;
    let quoted = &role.quoted;
    on.execute(&format!("ALTER TABLE restore_runs OWNER TO {quoted}"))
        .await;
    let checks = examine(&role.store().await).await;
    assert_level(&checks, "role", Level::Advice);
    assert_finds(&checks, "role", "owns restore_runs,");
}

#[tokio::test]
async fn a_schema_that_this_role_may_not_create_is_for_another_to_migrate() {
    let on = Fixture::empty_postgres().await;
    on.standin.install().await.expect("the stand-in");
    let worker = Role::new(&on, "LOGIN").await.store().await;
    let checks = examine(&worker).await;
    assert!(action(&checks, "schema reconciler").contains("as a role that may create schemas"));
    assert!(worker.migrate().await.is_err());
}

#[tokio::test]
async fn tables_beside_the_search_path_are_found_and_the_path_is_told() {
    let on = prepared().await;
    on.execute(
        "CREATE SCHEMA \"Tenant Atlas\"; ALTER TABLE operation_runs SET SCHEMA \"Tenant Atlas\"",
    )
    .await;
    let role = Role::new(&on, "SUPERUSER LOGIN").await;
    let checks = examine(&role.store().await).await;
    assert_eq!(subjects(&checks, Level::Problem), ["table operation_runs"]);
    follow(&on, &checks, "table operation_runs").await;
    assert_serves(&role.store().await).await;
}

#[tokio::test]
async fn a_read_only_role_is_a_problem_with_the_statement_that_ends_it() {
    let on = prepared().await;
    let role = Role::new(&on, "SUPERUSER LOGIN").await;
    let quoted = &role.quoted;
    on.execute(&format!(
        "ALTER ROLE {quoted} SET default_transaction_read_only = on"
    ))
    .await;
    let worker = role.store().await;
    let checks = examine(&worker).await;
    assert_eq!(subjects(&checks, Level::Problem), ["writes"]);
    assert!(pass(&worker).await.is_err());
    follow(&on, &checks, "writes").await;
    assert_serves(&role.store().await).await;
}

/// Changes the type of every column of some kinds, then examines and sweeps.
async fn types_are_accepted(changes: &[(&str, &str)]) {
    let on = prepared().await;
    for (columns, type_name) in changes {
        for column in columns.split_whitespace() {
            let (table, column) = column.split_once('.').expect("table.column");
            on.execute(&format!(
                "ALTER TABLE {table} ALTER COLUMN {column} TYPE {type_name} USING {column}::{type_name}"
            ))
            .await;
        }
    }
    assert_serves(&on.store).await;
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
    let on = prepared().await;
    on.execute("ALTER TABLE restore_runs ALTER COLUMN is_dry_run DROP DEFAULT")
        .await;
    for (table, name, found) in [
        ("restore_runs", "is_dry_run", "integer"),
        ("restore_runs", "id", "integer"),
        ("audit_logs", "resource_id", "bigint"),
    ] {
        on.execute(&format!(
            "ALTER TABLE {table} ALTER COLUMN {name} TYPE {found} USING {name}::{found}"
        ))
        .await;
        let checks = examine(&on.store).await;
        let subject = format!("column {table}.{name}");
        assert_level(&checks, &subject, Level::Problem);
        assert_eq!(
            about(&checks, &subject).finding,
            format!("Its type is {found}, which is not understood.")
        );
        let tally = pass(&on.store).await;
        let is_settled = tally.is_ok_and(|tally| tally.verdicts() > 0);
        assert!(
            !is_settled,
            "{subject} works as {found}, so the list is too short"
        );
    }
}

#[tokio::test]
async fn a_column_that_nobody_fills_is_a_problem_of_the_audit_log() {
    let on = prepared().await;
    on.execute("TRUNCATE audit_logs; ALTER TABLE audit_logs ADD COLUMN tenant_ref text NOT NULL")
        .await;
    assert_eq!(
        subjects(&examine(&on.store).await, Level::Problem),
        ["column audit_logs.tenant_ref"]
    );
}

#[tokio::test]
async fn row_security_is_pointed_out_and_the_printed_policy_ends_it() {
    let on = prepared().await;
    let role = Role::new(&on, "LOGIN").await;
    let quoted = &role.quoted;
    on.execute(&format!(
        "GRANT ALL ON ALL TABLES IN SCHEMA public TO {quoted};
         GRANT USAGE ON SCHEMA reconciler TO {quoted};
         GRANT ALL ON ALL TABLES IN SCHEMA reconciler TO {quoted};
         ALTER TABLE operation_runs ENABLE ROW LEVEL SECURITY;"
    ))
    .await;
    let worker = role.store().await;
    let checks = examine(&worker).await;
    assert_level(&checks, "table operation_runs", Level::Problem);
    let tally = pass(&worker).await.expect("a sweep");
    assert_eq!(tally.looked_at(), 0, "all are hidden");
    follow(&on, &checks, "table operation_runs").await;
    assert_sweep_works(&worker).await;
}

#[tokio::test]
async fn an_index_that_was_not_built_to_its_end_is_dropped_first() {
    let on = prepared().await;
    let subject = "index on restore_runs";
    follow(&on, &examine(&on.store).await, subject).await;
    assert_level(&examine(&on.store).await, subject, Level::Good);
    on.execute(
        "UPDATE pg_index SET indisvalid = false
         WHERE indexrelid = 'restore_runs_live_operation_run_id_index'::regclass",
    )
    .await;
    let checks = examine(&on.store).await;
    assert_level(&checks, subject, Level::Advice);
    assert!(action(&checks, subject).starts_with("DROP INDEX CONCURRENTLY IF EXISTS public."));
    follow(&on, &checks, subject).await;
    assert_level(&examine(&on.store).await, subject, Level::Good);
}

#[tokio::test]
async fn only_a_lost_connection_is_an_error() {
    let on = prepared().await;
    let store = on.store.clone();
    drop(on);
    assert!(
        restore_reconciler::internals::doctor::examine(&store)
            .await
            .is_err()
    );
}

/// What brings runs to a worker sooner than a sweep is looked at, and what is advised is enough.
#[tokio::test]
async fn what_the_queue_lacks_is_told_with_what_to_do() {
    let on = prepared().await;
    let checks = examine(&on.store).await;
    assert_level(&checks, "queue", Level::Advice);
    assert_finds(&checks, "extensions", "hstore");
    assert_finds(&checks, "reconciler.request", "may call it");
    assert_finds(&checks, "platform trigger", "not installed");
    restore_reconciler::internals::worker::set_up(&on.store)
        .await
        .unwrap();
    on.store.set_platform_triggers(true).await.unwrap();
    let checks = examine(&on.store).await;
    for subject in [
        "queue",
        "extensions",
        "reconciler.request",
        "platform trigger",
    ] {
        assert_level(&checks, subject, Level::Good);
    }

    // The platform connects as another role, and so do we.
    let role = Role::new(&on, "LOGIN").await;
    let quoted = &role.quoted;
    on.execute(&format!("GRANT USAGE ON SCHEMA reconciler TO {quoted}"))
        .await;
    let worker = role.store().await;
    let checks = examine(&worker).await;
    assert_level(&checks, "queue", Level::Advice);
    follow(&on, &checks, "queue").await;
    assert_level(&examine(&worker).await, "queue", Level::Good);
    assert!(worker.has_queue().await.unwrap());

    on.execute(&format!(
        "REVOKE USAGE ON SCHEMA reconciler FROM {quoted}; ALTER TABLE operation_runs OWNER TO {quoted}"
    ))
    .await;
    let checks = examine(&on.store).await;
    assert_level(&checks, "reconciler.request", Level::Advice);
    follow(&on, &checks, "reconciler.request").await;
    assert_level(&examine(&on.store).await, "reconciler.request", Level::Good);

    for (statement, found) in [
        (
            "ALTER TABLE restore_runs DISABLE TRIGGER restore_reconciler_request",
            "switched off on public.restore_runs",
        ),
        (
            "DROP TRIGGER restore_reconciler_request ON restore_runs",
            "evidence_snapshots only",
        ),
    ] {
        on.execute(statement).await;
        assert_finds(&examine(&on.store).await, "platform trigger", found);
    }
    on.execute(&format!(
        "ALTER TABLE operation_runs OWNER TO CURRENT_USER; DROP OWNED BY {quoted}; DROP ROLE {quoted}"
    ))
    .await;
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
    let on = Fixture::empty_postgres().await;
    sqlx::query_as(statement)
        .fetch_all(on.pg())
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
