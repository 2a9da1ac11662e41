//! From a platform's database to verdicts and back, as an engineer goes: `grants`, `migrate`, `doctor`, `uninstall`, each
//! as the role that does it.

use reconciler_fixtures::Standin;
use restore_reconciler::internals::cli::output::Document;
use sqlx::{AssertSqlSafe, ConnectOptions as _, PgConnection, postgres::PgConnectOptions, raw_sql};

use super::stage::{RUNNING, Ran, assert_says, plant, run};
use crate::manual;
use crate::support::cluster::{self, TestDatabase};
use crate::support::roles::{Purpose, as_role, connect};
use crate::support::scene::{dismiss, until_said};
use crate::support::worker::Worker;

/// A platform's database in which nothing is everybody's, and nothing of ours is there.
pub(super) async fn platforms() -> TestDatabase {
    let database = cluster::database().await;
    let owner = Standin::new(&Purpose::Owner.url(&database.url())).expect("a URL");
    owner.install().await.expect("the stand-in");
    let closed = "REVOKE ALL ON SCHEMA public FROM PUBLIC, migrator;
                  REVOKE ALL ON DATABASE {database} FROM migrator";
    let closed = closed.replace("{database}", &format!("\"{}\"", database.name()));
    execute(&Purpose::Owner.url(&database.url()), closed).await;
    database
}

#[expect(
    clippy::disallowed_methods,
    reason = "statements that the program printed, and names that this file makes up"
)]
async fn try_execute(url: &str, statements: String) -> Result<(), sqlx::Error> {
    let options: PgConnectOptions = Purpose::Engineer.url(url).parse().expect("a URL");
    let mut connection: PgConnection = options.connect().await.expect("a role that may log in");
    raw_sql(AssertSqlSafe(statements))
        .execute(&mut connection)
        .await
        .map(drop)
}

pub(super) async fn execute(url: &str, statements: String) {
    let done = try_execute(url, statements.clone()).await;
    done.unwrap_or_else(|error| panic!("{statements}: {error}"));
}

/// What is printed for a purpose, run by whoever owns what it is about.
pub(super) async fn grant(database: &TestDatabase, purpose: &str, role: &str) -> Vec<String> {
    let url = database.url();
    let ran = run(&url, &["grants", purpose, "--to", role, "--output", "json"]).exits(0);
    let Document::Grants(printed) = ran.document() else {
        panic!("{}", ran.stdout)
    };
    let mut statements = Vec::new();
    for grant in printed.grants {
        execute(&as_role(&url, &grant.owner), grant.statement.clone()).await;
        statements.push(grant.statement);
    }
    statements
}

/// Each part of a printed block, run by whom it names.
async fn run_printed(url: &str, block: &str) {
    let parts = block.split("-- By ").skip(1);
    for part in parts {
        let (owner, statements) = part.split_once(", or a superuser:").expect("a role");
        execute(&as_role(url, owner), statements.to_owned()).await;
    }
}

#[track_caller]
pub(super) fn said(url: &str, verb: &str, code: i32) -> Ran {
    let arguments: Vec<&str> = verb.split_whitespace().collect();
    run(url, &arguments).exits(code)
}

/// The manual's blocks are what the program prints for the manual's roles.
#[tokio::test]
async fn the_manual_shows_what_grants_prints() {
    let database = cluster::database().await;
    let url = database.url();
    plant(&url).await;
    let printed = |purpose: &str, role: &str| {
        let printed = said(&url, &format!("grants {purpose} --to {role}"), 0).stdout;
        printed.replace(&format!(" {} ", database.name()), " tenantatlas ")
    };
    for (purpose, role) in [
        ("migrator", "migrator"),
        ("platform", "platform"),
        ("console", "console"),
        ("worker", "reconciler"),
    ] {
        if purpose == "platform" {
            said(&url, "migrate", 0);
        }
        assert_eq!(
            manual::grants(purpose).trim(),
            printed(purpose, role).trim(),
            "{purpose}"
        );
    }
}

#[tokio::test]
async fn roles_made_by_grants_alone_do_all_that_they_are_for() {
    let database = platforms().await;
    let url = database.url();
    let refused = said(&url, "migrate", 1);
    refused.says(
        &[],
        &[
            "does not hold the platform's tables",
            "in a schema that it may use",
        ],
    );
    grant(&database, "migrator", "migrator").await;
    // hstore has no place beside the platform's tables, and so gets one in our own schema.
    assert_says(
        &url,
        "migrate --status ⇒ 3 | schema reconciler: not there; to be run: 1, 2 | extension hstore: to be created in schema reconciler
         migrate ⇒ 0 | The schema `reconciler` was created | `apalis` was created | hstore was created in schema reconciler, because
         migrate ⇒ 0 | The schema `reconciler` is at version | already; nothing was changed
         migrate --status ⇒ 0 | schema apalis: at version | nothing is missing",
    );
    assert_says(
        &Purpose::Migrator.url(&url),
        "doctor --as migrator ⇒ 0 | problems: 0",
    );
    for (purpose, role) in [
        ("worker", "reconciler"),
        ("console", "console"),
        ("platform", "platform"),
    ] {
        let statements = grant(&database, purpose, role).await;
        assert!(!statements.is_empty());
        let as_role = as_role(&url, role);
        for verb in ["doctor", &format!("doctor --as {purpose}")] {
            let ran = run(
                &as_role,
                &[
                    verb.split(' ').collect::<Vec<_>>(),
                    vec!["--output", "json"],
                ]
                .concat(),
            );
            let Document::Doctor(examined) = ran.exits(0).document() else {
                panic!("{purpose}")
            };
            let word = serde_json::to_value(examined.purpose).expect("a word");
            assert_eq!(word, purpose, "{verb} as {role}");
        }
    }
    // The search path of a role that is called as our schema leads there by itself; any other's has to be told.
    let path = format!(
        "ALTER ROLE somebody IN DATABASE {} SET search_path = \"$user\", public, reconciler;",
        database.name()
    );
    let printed = said(&url, "grants worker --to somebody", 0).stdout;
    let printed = printed.replace("\n   ", "");
    assert!(printed.contains(&path), "{printed}");
    // What is well is told to whoever asks for it.
    let quiet = said(&url, "doctor", 0).all();
    assert!(!quiet.contains("Good ("), "{quiet}");
    said(&url, "--verbose doctor", 0).says(&["Good ("], &[]);
    // Whoever only looks is never told to write.
    let console = Purpose::Console.url(&url);
    let examined = said(&console, "doctor --verbose", 0).all();
    assert!(!examined.contains("UPDATE"), "{examined}");
    said(&console, "doctor --as worker", 3).says(&["GRANT UPDATE (status"], &[]);
}

/// By what a role is judged is said, and where nothing tells it, how to say it.
#[tokio::test]
async fn a_role_that_nothing_tells_of_is_asked_about() {
    let database = cluster::database().await;
    let url = database.url();
    plant(&url).await;
    said(&url, "migrate", 0);
    let role = format!("new_{}", database.name());
    cluster::execute_as_superuser(&url, &format!("CREATE ROLE {role} LOGIN")).await;
    let as_role = as_role(&url, &role);
    let nothing_tells = "Nothing tells what role";
    said(&as_role, "doctor", 3).says(
        &[
            nothing_tells,
            "doctor --as worker|observer|console|platform|migrator",
            "; the role was judged as worker.",
        ],
        &[],
    );
    let told = said(&as_role, "doctor --as console", 3);
    let told = told.says(&["; the role was judged as console."], &[]).all();
    assert!(!told.contains(nothing_tells), "{told}");
    let is_to_write = |line: &str| line.contains("GRANT UPDATE") && line.contains(" ON public.");
    assert!(!told.lines().any(is_to_write), "{told}");
    grant(&database, "console", &role).await;
    let known = said(&as_role, "doctor", 0);
    let known = known
        .says(&["; the role was judged as console."], &[])
        .all();
    assert!(!known.contains(nothing_tells), "{known}");
    cluster::execute_as_superuser(&url, &format!("DROP OWNED BY {role}; DROP ROLE {role}")).await;
}

#[tokio::test]
async fn nothing_is_migrated_while_anything_stands_in_the_way() {
    let database = platforms().await;
    let url = database.url();
    let owner = Purpose::Owner.url(&url);
    execute(
        &owner,
        "GRANT USAGE ON SCHEMA public TO migrator".to_owned(),
    )
    .await;
    let create = format!("GRANT CREATE ON DATABASE {} TO migrator;", database.name());
    let read = "GRANT SELECT (id, type, status) ON public.operation_runs TO migrator;";
    said(&url, "migrate", 1).says(
        &[],
        &[
            "nothing was migrated: ",
            &create,
            read,
            "no run could be asked for",
        ],
    );
    said(&url, "migrate --status", 3).says(&["in the way: ", &create, read], &[]);
    execute(&owner, format!("{create} {read}")).await;
    assert_says(&url, "migrate ⇒ 0 | was created");

    // Another role may not change what the first one owns.
    let other = format!("other_{}", database.name());
    cluster::execute_as_superuser(&url, &format!("CREATE ROLE {other} LOGIN")).await;
    grant(&database, "migrator", &other).await;
    let as_other = as_role(&url, &other);
    said(&as_other, "migrate", 1).says(
        &[],
        &["Schema reconciler belongs to migrator", "as migrator."],
    );
    cluster::execute_as_superuser(&url, &format!("DROP OWNED BY {other}; DROP ROLE {other}")).await;
}

/// Triggers are added last, and their right is asked for first.
#[tokio::test]
async fn a_migrator_that_may_add_no_triggers_is_told_before_anything_is_written() {
    let database = platforms().await;
    let url = database.url();
    grant(&database, "migrator", "migrator").await;
    let adding = "migrate --with-platform-trigger";
    let right = "GRANT TRIGGER ON public.restore_runs TO migrator;";
    said(&url, adding, 1).says(
        &[],
        &[
            "nothing was migrated: Role migrator lacks TRIGGER of restore_runs",
            right,
        ],
    );
    said(&url, "migrate --status", 3).says(&["schema reconciler: not there"], &[]);
    assert_says(&url, "migrate ⇒ 0 | was created");
    said(&url, adding, 1).says(&[], &[right]);
    let rights = format!(
        "{right} GRANT TRIGGER ON public.evidence_snapshots, public.audit_logs TO migrator;
         GRANT SELECT (id, operation_run_id) ON public.restore_runs TO migrator"
    );
    execute(&Purpose::Owner.url(&url), rights).await;
    said(&url, adding, 0).says(&["was added to the platform's tables"], &[]);
}

/// Where a database keeps extensions apart, and the platform in a schema of its own.
#[tokio::test]
async fn extensions_and_a_platform_in_schemas_of_their_own_are_found() {
    let database = platforms().await;
    let url = database.url();
    let apart = "CREATE SCHEMA extensions; CREATE EXTENSION hstore SCHEMA extensions;
                 ALTER SCHEMA public RENAME TO app";
    execute(&url, apart.to_owned()).await;
    let name = database.name();
    let [moves, works] = ["moves", "works"].map(|role| format!("{role}_{name}"));
    cluster::execute_as_superuser(
        &url,
        &format!("CREATE ROLE {moves} LOGIN; CREATE ROLE {works} LOGIN"),
    )
    .await;
    let as_role = |role: &str| as_role(&url, role);
    let owner = format!(
        "{}&options=-c%20search_path%3Dapp",
        Purpose::Owner.url(&url)
    );
    let printed = |purpose: &str, role: &str| {
        said(&owner, &format!("grants {purpose} --to {role}"), 0).stdout
    };
    run_printed(&url, &printed("migrator", &moves)).await;
    let closed = "hstore is in schema extensions, which role";
    said(&as_role(&moves), "migrate", 1).says(&[], &["nothing was migrated: ", closed]);
    execute(&url, format!("GRANT USAGE ON SCHEMA extensions TO {moves}")).await;
    said(&as_role(&moves), "migrate", 0).says(&["`apalis` was created"], &[]);
    let grants = printed("worker", &works);
    assert!(
        grants
            .replace("\n   ", "")
            .contains("search_path = app, \"$user\", extensions;"),
        "{grants}"
    );
    run_printed(&url, &grants).await;
    said(&as_role(&works), "doctor", 0);
    // Afterwards it may be taken back, and migrating again does nothing.
    execute(
        &url,
        format!("REVOKE CREATE ON DATABASE {name} FROM {moves}"),
    )
    .await;
    said(&as_role(&moves), "migrate", 0).says(&["nothing was changed"], &[]);
    cluster::execute_as_superuser(
        &url,
        &format!("DROP OWNED BY {moves}, {works} CASCADE; DROP ROLE {moves}, {works}"),
    )
    .await;
}

/// Where whoever migrates may create beside the platform's tables, extensions go there; only migrations want pgcrypto.
#[tokio::test]
async fn extensions_go_beside_the_platforms_tables_where_that_is_allowed() {
    let database = cluster::database().await;
    let url = database.url();
    plant(&url).await;
    let beside = "GRANT CREATE ON SCHEMA public TO migrator";
    execute(&Purpose::Owner.url(&url), beside.to_owned()).await;
    said(&url, "migrate", 0).says(&["hstore", "in schema public"], &[]);
    grant(&database, "worker", "reconciler").await;
    let dropped = "DROP EXTENSION pgcrypto";
    execute(&Purpose::Migrator.url(&url), dropped.to_owned()).await;
    assert_says(&url, "migrate ⇒ 0 | nothing was changed\ndoctor ⇒ 0");
}

/// A role that may read the platform's tables and nothing else is enough to see what would be decided.
#[tokio::test]
async fn what_would_be_decided_is_shown_before_anything_is_installed() {
    let database = cluster::database().await;
    let url = database.url();
    plant(&url).await;
    let looks = format!("looks_{}", database.name());
    cluster::execute_as_superuser(&url, &format!("CREATE ROLE {looks} LOGIN")).await;
    let may_read = format!(
        "GRANT USAGE ON SCHEMA public TO {looks}; GRANT SELECT ON ALL TABLES IN SCHEMA public TO {looks}"
    );
    execute(&Purpose::Owner.url(&url), may_read).await;
    let as_role = as_role(&url, &looks);
    let not_yet = "Nothing of ours is in this database yet";
    let before = said(&as_role, "sweep --dry-run", 10);
    let before = before.says(
        &[
            "Looked at 5 due runs",
            "This was a dry run",
            "restore.execution_failed",
        ],
        &[not_yet, "restore-reconciler migrate"],
    );
    said(&as_role, "sweep --dry-run --workspace 2 --output json", 10)
        .says(&["\"runs\": 1"], &[not_yet]);
    said(&as_role, "explain 1", 0).says(&["if it were reconciled now: succeeded"], &[not_yet]);
    said(&as_role, "explain 2", 10).says(&["restore.execution_failed"], &[not_yet]);
    said(&as_role, "explain 999", 1).says(&[], &["run 999 does not exist"]);
    // Whoever would write has to migrate first.
    for verb in ["sweep", "sweep --dry-run --rehearse", "reconcile 1"] {
        said(&as_role, verb, 1).says(&[], &["to do: Run `restore-reconciler migrate` first."]);
    }
    let hides = "ALTER TABLE audit_logs ENABLE ROW LEVEL SECURITY";
    let shows = "ALTER TABLE audit_logs DISABLE ROW LEVEL SECURITY";
    execute(&url, hides.to_owned()).await;
    said(&as_role, "sweep --dry-run", 1).says(&[], &["may hide rows of audit_logs"]);
    execute(&url, shows.to_owned()).await;

    // Afterwards the same is decided, and nothing is said of it.
    said(&url, "migrate", 0);
    grant(&database, "worker", "reconciler").await;
    let after = said(&url, "sweep --dry-run", 10);
    assert!(!after.stderr.contains(not_yet), "{}", after.all());
    let decided = |ran: &Ran| {
        let lines = ran.stdout.lines().skip(1);
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(decided(&before), decided(&after));
    cluster::execute_as_superuser(&url, &format!("DROP OWNED BY {looks}; DROP ROLE {looks}")).await;
}

/// Somebody else may run it: what is printed is whole, and the record of it is the program's own.
#[tokio::test]
async fn the_printed_script_migrates() {
    let database = platforms().await;
    let url = database.url();
    grant(&database, "migrator", "migrator").await;
    let printed = run(&url, &["migrate", "--sql"]);
    assert_eq!(printed.code, 0, "{}", printed.all());
    let script = printed.stdout;
    assert!(
        script.contains("-- Migration 9 of schema reconciler"),
        "{script}"
    );
    let before = said(&url, "migrate --status", 3);
    before.says(&["schema reconciler: not there"], &[]);
    execute(&Purpose::Migrator.url(&url), script).await;
    assert_says(
        &url,
        "migrate --status ⇒ 0 | schema reconciler: at version | nothing is missing
         migrate ⇒ 0 | nothing was changed",
    );
    assert_says(&Purpose::Migrator.url(&url), "doctor ⇒ 0");
    assert_eq!(said(&url, "migrate --sql", 0).stdout, "");
}

/// Not even whoever may use the schema, unless it was granted; and whoever could before the upgrade still can.
#[tokio::test]
async fn our_functions_are_nobodys_who_was_not_granted_them() {
    let database = platforms().await;
    let url = database.url();
    grant(&database, "migrator", "migrator").await;
    said(&url, "migrate", 0);
    let [asking, silent] = ["asking", "silent"].map(|name| format!("{name}_{}", database.name()));
    cluster::execute_as_superuser(
        &url,
        &format!("CREATE ROLE {asking} LOGIN; CREATE ROLE {silent} LOGIN"),
    )
    .await;
    let migrator = Purpose::Migrator.url(&url);
    // As migration 8 left it, with a platform that was let in by the schema alone.
    let before = format!(
        "GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA reconciler TO PUBLIC;
         GRANT USAGE ON SCHEMA reconciler TO {asking};
         DELETE FROM reconciler.migrations WHERE version = 9"
    );
    execute(&migrator, before).await;
    // However high the others are.
    assert_says(
        &migrator,
        "migrate --status ⇒ 3 | to be run: 9
         doctor --as migrator ⇒ 3 | Migrations are missing: 9.
         migrate ⇒ 0",
    );
    execute(
        &migrator,
        format!("GRANT USAGE ON SCHEMA reconciler TO {silent}"),
    )
    .await;
    let mut engineer = connect(Purpose::Engineer, &url).await;
    let open = "SELECT count(*) FROM pg_proc JOIN pg_namespace ON pg_namespace.oid = pronamespace
                WHERE nspname = 'reconciler' AND (proacl IS NULL OR has_function_privilege('public', pg_proc.oid, 'EXECUTE'))
                  AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = pg_proc.oid AND deptype = 'e')";
    let open: i64 = sqlx::query_scalar(open)
        .fetch_one(&mut engineer)
        .await
        .expect("a number");
    assert_eq!(open, 0);
    let ask = || "SELECT reconciler.request(1)".to_owned();
    let as_role = |role: &str| as_role(&url, role);
    execute(&as_role(&asking), ask()).await;
    let refused = try_execute(&as_role(&silent), ask()).await;
    let refused = refused.expect_err("nothing was granted").to_string();
    assert!(
        refused.contains("permission denied for function request"),
        "{refused}"
    );
    cluster::execute_as_superuser(
        &url,
        &format!("DROP OWNED BY {asking}, {silent}; DROP ROLE {asking}, {silent}"),
    )
    .await;
}

/// Whether `reconciler.request` queued a job for an open run.
pub(super) async fn is_asked(platform: &mut PgConnection) -> bool {
    let asked = sqlx::query_scalar("SELECT reconciler.request($1)").bind(RUNNING);
    asked
        .fetch_one(platform)
        .await
        .expect("no caller ever fails")
}

/// It runs with the rights of its owner, and is silent where they do not do.
#[tokio::test]
async fn what_keeps_requests_from_being_queued_is_said() {
    let database = cluster::database().await;
    let url = database.url();
    plant(&url).await;
    said(&url, "migrate", 0);
    for (purpose, role) in [("worker", "reconciler"), ("platform", "platform")] {
        grant(&database, purpose, role).await;
    }
    let subject = "rights of reconciler.request";
    let mut platform = connect(Purpose::Platform, &url).await;
    let owner = Purpose::Owner.url(&url);
    let hidden = "ALTER TABLE operation_runs ENABLE ROW LEVEL SECURITY;
                  CREATE POLICY seen ON operation_runs TO reconciler, platform USING (true)";
    for (breaks, finding, mends) in [
        (
            "REVOKE SELECT ON operation_runs FROM migrator",
            "which lacks SELECT on 3 column(s)",
            "",
        ),
        (
            "REVOKE INSERT ON apalis.jobs FROM migrator",
            "which lacks INSERT",
            "",
        ),
        (
            "REVOKE USAGE ON SCHEMA public FROM migrator, PUBLIC",
            "which lacks USAGE",
            "GRANT USAGE ON SCHEMA public TO reconciler",
        ),
        (
            hidden,
            "row security may hide runs",
            "ALTER TABLE operation_runs DISABLE ROW LEVEL SECURITY",
        ),
    ] {
        assert!(is_asked(&mut platform).await, "before {breaks}");
        execute(&url, breaks.to_owned()).await;
        assert!(!is_asked(&mut platform).await, "{breaks}");
        let Document::Doctor(found) = said(&url, "doctor --output json", 3).document() else {
            panic!("{breaks}")
        };
        let check = found
            .checks
            .into_iter()
            .find(|check| check.subject == subject);
        let check = check.expect("a check");
        assert!(check.finding.contains("runs as migrator,"), "{check:?}");
        assert!(check.finding.contains(finding), "{check:?}");
        // A superuser's part is not taken here: to pass by row security is another way out.
        let action = check.action.expect("a statement");
        if action.starts_with("GRANT") {
            execute(&url, action).await;
        }
        execute(&url, mends.to_owned()).await;
        said(&url, "doctor", 0);
    }
    assert!(is_asked(&mut platform).await);
    // Nothing that a worker does fails by it, so it says so when it starts.
    execute(
        &owner,
        "REVOKE SELECT ON operation_runs FROM migrator".to_owned(),
    )
    .await;
    let worker = Worker::start(&url, None).await;
    let worker = worker.unwrap_or_else(|why| panic!("{why}"));
    until_said(&worker, "reconciler.request does not work").await;
    dismiss(worker).await;
}

/// What would be lost with it, or is at work on it, is in its way.
#[tokio::test]
async fn nothing_is_removed_that_others_still_need() {
    let database = cluster::database().await;
    let (url, name) = (database.url(), database.name().to_owned());
    plant(&url).await;
    said(&url, "migrate", 0);
    let migrator = Purpose::Migrator.url(&url);
    let doing = format!("uninstall --yes {name}");
    let worker = "INSERT INTO apalis.workers (id, worker_type, storage_name, layers, last_seen)
                  VALUES ('w', 'restore.execute', 's', '', now())";
    for (is_there, found, is_gone) in [
        (
            "CREATE VIEW public.report AS SELECT outcome FROM reconciler.ledger",
            "public.report would go with what they read",
            "DROP VIEW public.report",
        ),
        (
            worker,
            "1 worker at work within the last half minute",
            "DELETE FROM apalis.workers",
        ),
    ] {
        execute(&url, is_there.to_owned()).await;
        said(&migrator, &doing, 1).says(&[], &[found, "nothing was removed"]);
        execute(&url, is_gone.to_owned()).await;
    }
    let foreign = worker
        .replace("restore.execute", "mail")
        .replace("now()", "'2020-01-01'");
    execute(&url, foreign).await;
    said(&migrator, &doing, 0).says(
        &[
            "Removed: reconciler, with",
            "also holds jobs of others (mail)",
        ],
        &[],
    );
    execute(&url, "DELETE FROM apalis.workers".to_owned()).await;
    said(&migrator, &doing, 0).says(&["Removed: apalis, with"], &[]);
}

/// Whoever reads keeps it from being removed; it does not wait for ever, and says for whom it did.
#[tokio::test]
async fn a_removal_that_has_to_wait_says_for_whom() {
    let database = cluster::database().await;
    let (url, name) = (database.url(), database.name().to_owned());
    plant(&url).await;
    said(&url, "migrate", 0);
    grant(&database, "console", "console").await;
    let mut console = connect(Purpose::Console, &url).await;
    let holds = "BEGIN; SELECT count(*) FROM reconciler.ledger";
    raw_sql(holds)
        .execute(&mut console)
        .await
        .expect("it reads");
    let config = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(config.path(), "[database]\nlock_timeout = \"300ms\"\n").expect("a file");
    let config = config.path().to_str().expect("a path");
    let migrator = Purpose::Migrator.url(&url);
    let refused = run(
        &migrator,
        &["--config", config, "uninstall", "--yes", &name],
    )
    .exits(1);
    refused.says(
        &[],
        &[
            "cannot remove our schemas: console (process",
            "is in the way of a lock; nothing was changed by this step",
            "to do: Have these sessions end",
        ],
    );
    said(&migrator, "uninstall", 0).says(&["Would be removed: apalis and reconciler"], &[]);
    raw_sql("COMMIT")
        .execute(&mut console)
        .await
        .expect("it ends");
    said(&migrator, &format!("uninstall --yes {name}"), 0);
}

/// The owner of the tables need not be the schema's, and then grants a part only.
#[tokio::test]
async fn what_one_owner_may_grant_is_told_from_what_others_have_to() {
    let database = cluster::database().await;
    let url = database.url();
    plant(&url).await;
    said(&url, "migrate", 0);
    cluster::execute_as_superuser(&url, "ALTER SCHEMA public OWNER TO postgres").await;
    let ran = said(&url, "grants worker --to somebody --owned-by laravel", 0);
    assert!(!ran.stdout.contains("SCHEMA"), "{}", ran.all());
    ran.says(
        &[
            "ON public.operation_runs TO somebody;",
            "GRANT USAGE ON SEQUENCE",
        ],
        &["also needed, and left out: statements of migrator, postgres"],
    );
    let ran = said(&url, "grants worker --to somebody --owned-by postgres", 0);
    ran.says(
        &["GRANT USAGE ON SCHEMA public TO somebody;"],
        &["of laravel, migrator"],
    );
}

#[tokio::test]
async fn what_was_created_is_removed_once_the_database_is_named() {
    let database = cluster::database().await;
    let (url, name) = (database.url(), database.name().to_owned());
    plant(&url).await;
    said(&url, "migrate", 0);
    grant(&database, "worker", "reconciler").await;
    said(&url, "sweep", 10);
    let migrator = Purpose::Migrator.url(&url);
    let doing = format!("uninstall --yes {name}");
    said(&migrator, "uninstall", 0).says(
        &[
            "Would be removed: apalis and reconciler, with 3 verdicts",
            "pg_dump",
            &doing,
        ],
        &[],
    );
    said(&migrator, "uninstall --yes other", 1).says(&[], &["nothing was removed"]);
    said(&url, "doctor", 0);

    let others =
        "INSERT INTO apalis.jobs (id, job_type, job, status, attempts, max_attempts, run_at)
                  VALUES ('1', 'mail', '', 'Pending', 0, 1, now())";
    execute(&migrator, others.to_owned()).await;
    said(&migrator, "uninstall", 0).says(
        &[
            "Would be removed: reconciler",
            "also holds jobs of others (mail)",
        ],
        &[],
    );
    execute(&migrator, "DELETE FROM apalis.jobs".to_owned()).await;
    said(&migrator, &doing, 0).says(&["Removed: apalis and reconciler, with 3 verdicts"], &[]);
    said(&migrator, "uninstall", 0).says(&["Nothing of ours"], &[]);
    assert_says(&url, "migrate ⇒ 0 | `reconciler` was created");
}

/// What the check about time zones says, on one line.
fn zones(url: &str) -> String {
    let Document::Doctor(found) = run(url, &["doctor", "--output", "json"]).document() else {
        panic!("no checks")
    };
    let mut checks = found.checks.into_iter();
    let check = checks.find(|check| check.subject == "time zones");
    let check = check.expect("a check");
    format!("{} {}", check.finding, check.action.unwrap_or_default())
}

/// What a server, or somebody for all roles, says of every session counts where nothing nearer says otherwise.
#[tokio::test]
async fn what_is_said_of_every_session_is_seen() {
    let cluster = cluster::private();
    let database = cluster.database().await;
    let (url, name) = (database.url(), database.name());
    plant(&url).await;
    said(&url, "migrate", 0);
    grant(&database, "worker", "reconciler").await;
    cluster.set("log_timezone", "America/New_York").await;
    cluster.execute("CREATE ROLE root SUPERUSER LOGIN").await;
    let root = as_role(&url, "root");
    let none = "No setting has sessions begin in a time zone other than UTC";
    for (changes, role, expected) in [
        (
            "",
            &url,
            "which by default has the zone of its log, America/New_York",
        ),
        ("", &root, "UTC: the server in Asia/Kolkata; a"),
        (
            "ALTER ROLE ALL SET TimeZone = 'Europe/Berlin'",
            &url,
            "every role in Europe/Berlin; a moment that is written without its zone is taken for one of that zone. \
             ALTER ROLE ALL SET TimeZone = 'UTC';",
        ),
        (
            "ALTER DATABASE {name} SET TimeZone = 'UTC'; ALTER ROLE reconciler SET TimeZone = 'Asia/Tokyo'",
            &url,
            "UTC: role reconciler in Asia/Tokyo; a",
        ),
        (
            "ALTER ROLE reconciler IN DATABASE {name} SET TimeZone = 'UTC'",
            &url,
            none,
        ),
        (
            "ALTER DATABASE {name} RESET TimeZone; ALTER ROLE ALL SET TimeZone = 'UTC'",
            &root,
            none,
        ),
    ] {
        let changes = changes.replace("{name}", name);
        for change in changes.split("; ").filter(|it| !it.is_empty()) {
            cluster.execute(change).await;
        }
        let found = zones(role);
        assert!(found.contains(expected), "{changes}: {found}");
    }

    // Which path others have that was not given one, whoever has one of his own cannot see.
    let granted =
        |url: &str, purpose: &str| said(url, &format!("grants {purpose} --to somebody"), 0).stdout;
    let told = "ALTER ROLE somebody IN DATABASE";
    assert!(!granted(&url, "worker").contains(told));
    cluster.set("search_path", "app").await;
    let public = format!("{url}&options=-c%20search_path%3Dpublic");
    assert!(granted(&public, "worker").contains(told));
    let other = cluster.database().await;
    let url = other.url();
    let public = format!("{url}&options=-c%20search_path%3Dpublic");
    let owner = Standin::new(&Purpose::Owner.url(&public)).expect("a URL");
    owner.install().await.expect("the stand-in");
    execute(&url, "ALTER SCHEMA public RENAME TO app".to_owned()).await;
    let found = granted(&url, "migrator");
    assert!(!found.contains(told), "{found}");
}
