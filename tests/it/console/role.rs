//! The console as a role that may do what the manual grants it, and no more.

use reconciler_fixtures::Standin;
use restore_reconciler::internals::config::{Capability, Reach};
use sqlx::{PgPool, raw_sql};

use super::program::{Serving, Settings};
use super::server::{Ask, CHIEF, entry};
use crate::manual::grants;
use crate::support::case::{Case, rows_of};
use crate::support::cluster::{database, execute_as_superuser};
use crate::support::roles::{Purpose, as_role};
use crate::support::worker::{said_by, stage};

/// What the manual grants to the console, as it stands there.
pub(crate) fn grants_in_the_manual(role: &str) -> String {
    let grants = grants("console");
    assert!(grants.contains(" TO console;"), "{grants}");
    grants.replace(" TO console;", &format!(" TO {role};"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_console_needs_no_more_than_the_manual_grants() {
    let database = database().await;
    let pool = stage(&database.url()).await;
    let standin = Standin::new(&Purpose::Platform.url(&database.url())).unwrap();
    let cases = [Case::proven(1), Case::in_progress(2)];
    standin.plant(&rows_of(cases)).await.unwrap();
    // One run stays open.
    assert_eq!(said_by(&database.url(), &["sweep"]).await.0, Some(11));
    let role = format!("console_{}", database.name());
    let closed = format!(
        "REVOKE ALL ON SCHEMA public FROM PUBLIC;
         REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA reconciler FROM PUBLIC;
         GRANT USAGE ON SCHEMA public TO {role};"
    );
    execute_as_superuser(&database.url(), &format!("CREATE ROLE {role} LOGIN")).await;
    execute(&pool, closed).await;
    execute(&pool, grants_in_the_manual(&role)).await;

    let url = as_role(&database.url(), &role);
    let sha256 = entry(CHIEF, Reach::Only([1].into()), &Capability::ALL).sha256;
    let settings = Settings::holding(&format!(
        "[console]\nlisten = \"127.0.0.1:0\"\n[[console.tokens]]\nname = \"chief\"\nsha256 = \"{sha256}\"\n\
         workspaces = \"all\"\ncapabilities = [\"runs.view\", \"evidence.view\", \"runs.reconcile\", \"queue.manage\"]\n"
    ));
    let serving = Serving::start(&url, &settings).await;
    let restore = rows_of([Case::proven(1)]).restores[0].id;
    let paths = format!(
        "/ /runs /runs?reason=restore.proof_complete /runs?undecided=true /runs?state=completed_with_evidence \
         /runs/1 /runs/1/evidence /runs/1/explain /restores/{restore} /restores /queue /runs.csv \
         /api/v1/status"
    );
    for path in paths.split(' ') {
        let answer = serving.ask(&Ask::get(path).bearer(CHIEF));
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
    }
    // As after an upgrade, until the new grants are given.
    let revoke = |verb, to| format!("{verb} SELECT ON reconciler.judges {to} {role}");
    execute(&pool, revoke("REVOKE", "FROM")).await;
    let answer = serving.ask(&Ask::get("/").bearer(CHIEF));
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(
        answer.body.contains("modes of workers are not known"),
        "{answer:?}"
    );
    execute(&pool, revoke("GRANT", "TO")).await;
    let asked = serving.ask(&Ask::post("/api/v1/runs/2/reconcile").bearer(CHIEF));
    assert_eq!(asked.status, 202, "{asked:?}");
    assert!(asked.body.contains("\"asked\":true"), "{asked:?}");
    let dead = "INSERT INTO reconciler.attempts (
            operation_run_id, workspace_id, tries, worker, first_seen_at, try_again_at, dead_at
        ) VALUES (2, 1, 5, 'worker', now(), now(), now())";
    for action in ["drop", "retry"] {
        execute(&pool, format!("{dead} ON CONFLICT DO NOTHING")).await;
        let ask = Ask::post(&format!("/api/v1/queue/2/{action}")).bearer(CHIEF);
        let answer = serving.ask(&ask.body(b"{\"reason\":\"why\"}"));
        assert_eq!(answer.json()["changed"], true, "{answer:?}");
    }
    let noted = sqlx::query_scalar(
        "SELECT string_agg(action, ' ' ORDER BY acted_at) FROM reconciler.actions",
    );
    let noted: String = noted.fetch_one(&pool).await.unwrap();
    assert_eq!(noted, "request drop retry");
    let jobs = sqlx::query_scalar(
        "SELECT count(*) FROM apalis.jobs WHERE status <> 'Killed' AND job_type = 'restore.execute'",
    );
    let jobs: i64 = jobs.fetch_one(&pool).await.unwrap();
    assert_eq!(jobs, 1);
    let said = serving.stop().await;
    assert!(!said.contains("permission denied"), "{said}");

    // Once one of them is taken away, it says so, and goes on when it is given back.
    let serving = Serving::start(&url, &settings).await;
    let shown = |wanted: u16| {
        let answer = serving.ask(&Ask::get("/api/v1/runs").bearer(CHIEF));
        assert_eq!(answer.status, wanted, "{answer:?}");
        answer.body
    };
    shown(200);
    execute(&pool, format!("REVOKE USAGE ON SCHEMA public FROM {role}")).await;
    let told = shown(503);
    assert!(
        told.contains("The console may not read the database"),
        "{told}"
    );
    execute(&pool, format!("GRANT USAGE ON SCHEMA public TO {role}")).await;
    shown(200);
    serving.stop().await;

    assert_few_rights(&url).await;
    let gone = format!("DROP OWNED BY {role}; DROP ROLE {role}");
    execute_as_superuser(&database.url(), &gone).await;
}

/// What is granted lets nobody write, nor read what no page shows.
async fn assert_few_rights(url: &str) {
    let pool = PgPool::connect(url).await.expect("a role that may log in");
    for statement in [
        "SELECT actor_email FROM audit_logs",
        "SELECT user_id FROM operation_runs",
        "SELECT assignments FROM backup_items",
        "UPDATE operation_runs SET status = 'completed'",
        "INSERT INTO audit_logs (action) VALUES ('x')",
        "UPDATE reconciler.watch_list SET tries = 1",
        "UPDATE reconciler.attempts SET worker = 'x'",
        "INSERT INTO reconciler.actions (action, acted_by) VALUES ('drop', 'x')",
        "UPDATE apalis.jobs SET job = ''",
        "DELETE FROM reconciler.sweeps",
        "DELETE FROM apalis.jobs",
    ] {
        let refused = sqlx::query(statement).execute(&pool).await;
        let refused = refused.expect_err(statement).to_string();
        let is_denied = refused.contains("permission denied");
        assert!(is_denied, "{statement}: {refused}");
    }
    pool.close().await;
}

#[expect(
    clippy::disallowed_methods,
    reason = "names of roles cannot be bound, and each is made in this file"
)]
async fn execute(pool: &PgPool, script: String) {
    let statements = raw_sql(sqlx::AssertSqlSafe(script.clone()));
    statements.execute(pool).await.expect(&script);
}
