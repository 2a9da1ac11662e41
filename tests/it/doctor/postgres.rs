//! What only PostgreSQL has: roles, types, schemas, row security, and indexes that were not finished.

use restore_reconciler::internals::doctor::{self, Check, Level};
use restore_reconciler::internals::storage::Store;
use restore_reconciler::internals::worker::set_up;

use super::{
    about, action, assert_finds, assert_found_after, assert_level, assert_serves,
    assert_sweep_works, examine, follow, pass, plant_one, problems, subjects,
};
use crate::console::grants_in_the_manual;
use crate::support::role::Role;
use crate::support::store::Fixture;

/// With one run.
async fn prepared() -> Fixture {
    let on = Fixture::postgres().await;
    plant_one(&on).await;
    on
}

/// With one run, and a role that may do what `options` say.
async fn prepared_with_role(options: &str) -> (Fixture, Role) {
    let on = prepared().await;
    let role = Role::new(&on, options).await;
    (on, role)
}

/// What is printed about the subject at this level is enough to have nothing more to say.
async fn assert_mends(on: &Fixture, viewer: &Store, subject: &str, level: Level) {
    let checks = examine(viewer).await;
    assert_level(&checks, subject, level);
    follow(on, &checks, subject).await;
    assert_level(&examine(viewer).await, subject, Level::Good);
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

#[tokio::test]
async fn the_printed_grants_are_enough() {
    let identity_keys = "REVOKE ALL ON SCHEMA public FROM PUBLIC";
    let serial_keys = "ALTER TABLE audit_logs ALTER COLUMN id DROP IDENTITY;
         CREATE SEQUENCE \"audit Log ids\" START 1000;
         ALTER TABLE audit_logs ALTER COLUMN id SET DEFAULT nextval('\"audit Log ids\"');";
    for shape in [identity_keys, serial_keys] {
        the_printed_grants_are_enough_for(shape).await;
    }
}

/// Prepares a platform as `shape` leaves it and a role that may do nothing, runs every statement
/// that `doctor` prints for it, and sweeps as that role.
async fn the_printed_grants_are_enough_for(shape: &str) {
    let (on, role) = prepared_with_role("LOGIN").await;
    on.execute(shape).await;
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
    let checks = assert_serves(&worker).await;
    assert_level(&checks, "schema reconciler", Level::Good);
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
    set_up(&on.store).await.unwrap();
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
    let found = "only the console (`serve`) needs that";
    assert_finds(&examine(&console).await, "console", found);
    assert_mends(&on, &console, "console", Level::Advice).await;
    let granted = rights(&on, &role.name).await;
    assert!(granted.len() > 60, "{granted:?}");
    assert_eq!(granted, rights(&on, &by_manual).await);

    // What is not there is no problem of a worker.
    on.execute("ALTER TABLE workspaces RENAME TO gone").await;
    let absent = assert_serves(&on.store).await;
    let finding = &about(&absent, "console").finding;
    assert!(finding.starts_with("workspaces cannot be found;"));
    on.execute(&format!("DROP OWNED BY {by_manual}; DROP ROLE {by_manual}"))
        .await;
    role.forget(&on).await;
}

/// What was printed grants no more than is needed.
async fn assert_few_rights(role: &Role) {
    let mut connection = role.connection().await;
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
        let done = sqlx::query(statement).execute(&mut connection).await;
        let error = done.expect_err(statement).to_string();
        assert!(error.contains("permission denied"), "{error}");
    }
}

#[tokio::test]
async fn a_role_that_may_do_much_is_advised_against() {
    let (on, role) = prepared_with_role("LOGIN").await;
    assert_finds(&examine(&on.store).await, "role", "superuser");

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

/// Tables beside the search path, and a role that may only read.
#[tokio::test]
async fn what_keeps_a_role_from_working_is_a_problem_with_the_statement_that_ends_it() {
    let beside =
        "CREATE SCHEMA \"Tenant Atlas\"; ALTER TABLE operation_runs SET SCHEMA \"Tenant Atlas\"";
    let read_only = "ALTER ROLE {role} SET default_transaction_read_only = on";
    for (subject, cause) in [("table operation_runs", beside), ("writes", read_only)] {
        let (on, role) = prepared_with_role("SUPERUSER LOGIN").await;
        on.execute(&cause.replace("{role}", &role.quoted)).await;
        let worker = role.store().await;
        let checks = examine(&worker).await;
        assert_eq!(subjects(&checks, Level::Problem), [subject]);
        assert!(pass(&worker).await.is_err(), "{subject}");
        follow(&on, &checks, subject).await;
        assert_serves(&role.store().await).await;
    }
}

/// Changes the type of every column of some kinds, then examines and sweeps.
async fn types_are_accepted(changes: &[(&str, &str)]) {
    let on = prepared().await;
    for (columns, kind) in changes {
        for column in columns.split_whitespace() {
            let (table, column) = column.split_once('.').expect("table.column");
            change_type(&on, table, column, kind).await;
        }
    }
    assert_serves(&on.store).await;
}

async fn change_type(on: &Fixture, table: &str, column: &str, kind: &str) {
    on.execute(&format!(
        "ALTER TABLE {table} ALTER COLUMN {column} TYPE {kind} USING {column}::{kind}"
    ))
    .await;
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

/// Those of newer migrations, those of older ones, and JSON in text columns.
#[tokio::test]
async fn types_of_other_migrations_are_accepted() {
    types_are_accepted(&[(JSON, "jsonb"), (MOMENTS, "timestamptz"), (TEXTS, "text")]).await;
    types_are_accepted(&[
        (JSON, "json"),
        (MOMENTS, "timestamp(0)"),
        ("restore_runs.failure_reason", "varchar(255)"),
    ])
    .await;
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
        change_type(&on, table, name, found).await;
        let checks = examine(&on.store).await;
        let subject = format!("column {table}.{name}");
        assert_level(&checks, &subject, Level::Problem);
        let finding = format!("Its type is {found}, which is not understood.");
        assert_eq!(about(&checks, &subject).finding, finding);
        let tally = pass(&on.store).await;
        let is_settled = tally.is_ok_and(|tally| tally.verdicts() > 0);
        assert!(!is_settled, "{subject} works as {found}: one more to list");
    }
}

#[tokio::test]
async fn a_column_that_nobody_fills_is_a_problem_of_the_audit_log() {
    let on = prepared().await;
    on.execute("TRUNCATE audit_logs; ALTER TABLE audit_logs ADD COLUMN tenant_ref text NOT NULL")
        .await;
    let checks = examine(&on.store).await;
    let problems = subjects(&checks, Level::Problem);
    assert_eq!(problems, ["column audit_logs.tenant_ref"]);
}

#[tokio::test]
async fn row_security_is_pointed_out_and_the_printed_policy_ends_it() {
    let (on, role) = prepared_with_role("LOGIN").await;
    let quoted = &role.quoted;
    on.execute(&format!(
        "GRANT USAGE ON SCHEMA reconciler TO {quoted};
         GRANT ALL ON ALL TABLES IN SCHEMA public, reconciler TO {quoted};
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
    assert_mends(&on, &on.store, subject, Level::Advice).await;
    on.execute(
        "UPDATE pg_index SET indisvalid = false
         WHERE indexrelid = 'restore_runs_live_operation_run_id_index'::regclass",
    )
    .await;
    let checks = examine(&on.store).await;
    assert!(action(&checks, subject).starts_with("DROP INDEX CONCURRENTLY IF EXISTS public."));
    assert_mends(&on, &on.store, subject, Level::Advice).await;
}

#[tokio::test]
async fn only_a_lost_connection_is_an_error() {
    let on = prepared().await;
    let store = on.store.clone();
    drop(on);
    assert!(doctor::examine(&store).await.is_err());
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
    set_up(&on.store).await.unwrap();
    on.store.set_platform_triggers(true).await.unwrap();
    let checks = examine(&on.store).await;
    for subject in "queue,extensions,reconciler.request,platform trigger".split(',') {
        assert_level(&checks, subject, Level::Good);
    }

    // The platform connects as another role, and so do we.
    let role = Role::new(&on, "LOGIN").await;
    let quoted = &role.quoted;
    on.execute(&format!("GRANT USAGE ON SCHEMA reconciler TO {quoted}"))
        .await;
    let worker = role.store().await;
    assert_mends(&on, &worker, "queue", Level::Advice).await;
    assert!(worker.has_queue().await.unwrap());

    on.execute(&format!(
        "REVOKE USAGE ON SCHEMA reconciler FROM {quoted}; ALTER TABLE operation_runs OWNER TO {quoted}"
    ))
    .await;
    assert_mends(&on, &on.store, "reconciler.request", Level::Advice).await;

    let disabled = "ALTER TABLE restore_runs DISABLE TRIGGER restore_reconciler_request";
    let dropped = "DROP TRIGGER restore_reconciler_request ON restore_runs";
    let changes = [
        (disabled, "switched off on public.restore_runs"),
        (dropped, "evidence_snapshots only"),
    ];
    assert_found_after(&on, "platform trigger", &changes).await;
    on.execute("ALTER TABLE operation_runs OWNER TO CURRENT_USER")
        .await;
    role.forget(&on).await;
}

/// What the statement about the server says of one that answers otherwise than the one that runs it: subject, level,
/// finding and action.
async fn checks_of_a_server(answers: [(&str, &str); 2]) -> Vec<(String, String, String, String)> {
    let mut statement = include_str!("../../../src/doctor/postgres/server.sql").to_owned();
    for (question, answer) in answers {
        assert!(statement.contains(question), "{question}");
        statement = statement.replace(question, answer);
    }
    let statement: &'static str = statement.leak();
    let on = Fixture::empty_postgres().await;
    let checks: Vec<(_, _, _, Option<String>)> = sqlx::query_as(statement)
        .fetch_all(on.pg())
        .await
        .expect(statement);
    let with_action = |(subject, level, finding, action): (_, _, _, Option<String>)| {
        (subject, level, finding, action.unwrap_or_default())
    };
    checks.into_iter().map(with_action).collect()
}

#[tokio::test]
async fn old_servers_and_other_products_are_problems() {
    let version = async |text, number| {
        let number = ("current_setting('server_version_num')", number);
        let mut checks = checks_of_a_server([("version()", text), number]).await;
        let (_, level, finding, action) = checks.remove(0);
        (level, finding, action)
    };
    let (level, ..) = version("'PostgreSQL 14.0 on x86_64'", "'140000'").await;
    assert_eq!(level, "good");
    let (level, _, action) = version("'PostgreSQL 13.9 on x86_64'", "'130009'").await;
    assert_eq!(level, "problem");
    assert_eq!(action, "Upgrade the server to PostgreSQL 14 or newer.");
    let (level, found, _) = version("'CockroachDB CCL v23.1 (x86_64)'", "'130000'").await;
    assert_eq!(level, "problem");
    assert!(found.contains("no PostgreSQL but CockroachDB"), "{found}");
}

#[tokio::test]
async fn a_replica_takes_no_writes() {
    let replica = [
        ("pg_is_in_recovery()", "true"),
        ("current_setting('transaction_read_only')::boolean", "true"),
    ];
    let (subject, level, _, action) = checks_of_a_server(replica).await.remove(1);
    assert_eq!((subject.as_str(), level.as_str()), ("writes", "problem"));
    assert!(action.contains("primary"), "{action}");
}
