//! `reconciler.request`: what the platform calls within its own transactions, whoever calls it and
//! whatever state the queue is in.

use reconciler_jobs::ids::RunId;
use sqlx::{Connection as _, PgConnection, raw_sql};

use crate::support::case::Case;
use crate::support::store::Fixture;

/// Calls the function once, for run 1.
const ASK: &str = "SELECT reconciler.request(1, 'test')";

/// A database with an open run, a closed one and one of another type: 1, 2 and 3.
pub(super) async fn platform() -> Fixture {
    let on = Fixture::postgres().await.with_queue().await;
    let mut closed = Case::proven(2);
    closed.run.status = "completed".to_owned();
    let mut foreign = Case::proven(3);
    foreign.run.r#type = "backup.execute".to_owned();
    on.plant([Case::proven(1), closed, foreign]).await;
    on
}

pub(super) async fn jobs(on: &Fixture) -> i64 {
    on.count("SELECT count(*) FROM apalis.jobs").await
}

async fn asks(on: &Fixture, question: &str) -> bool {
    on.value(question).await.as_deref() == Some("t")
}

/// A role of this database's own that may do nothing.
pub(super) async fn role(on: &Fixture) -> String {
    let role = on.value("SELECT 'role_of_' || current_database()").await;
    let role = role.unwrap();
    on.execute(&format!("CREATE ROLE {role} LOGIN")).await;
    role
}

async fn forget(on: &Fixture, role: &str) {
    on.execute(&format!("DROP OWNED BY {role}; DROP ROLE {role}"))
        .await;
}

#[tokio::test]
async fn a_job_is_queued_with_the_callers_transaction_or_not_at_all() {
    let on = platform().await;
    on.execute(&format!("BEGIN; {ASK}; ROLLBACK")).await;
    assert_eq!(jobs(&on).await, 0);
    on.execute(&format!("BEGIN; {ASK}; COMMIT")).await;
    assert_eq!(jobs(&on).await, 1);
    let job = on
        .store
        .reader()
        .load_jobs(RunId(1), 10)
        .await
        .unwrap()
        .remove(0);
    assert_eq!(job.cause.as_deref(), Some("test"));
}

#[tokio::test]
async fn runs_that_are_not_ours_to_judge_get_no_job() {
    let on = platform().await;
    for run in ["2", "3", "999", "-1", "NULL", "9223372036854775807"] {
        let question = format!("SELECT reconciler.request({run})");
        assert!(!asks(&on, &question).await, "{run}");
    }
    assert_eq!(jobs(&on).await, 0);
    assert!(asks(&on, "SELECT reconciler.request(1, NULL)").await);
    assert_eq!(jobs(&on).await, 1);
}

#[tokio::test]
async fn a_caller_never_fails_whatever_is_broken() {
    let weak = "ALTER FUNCTION reconciler.request(bigint, text) OWNER TO ";
    let breaks = [
        "DROP TABLE apalis.jobs CASCADE",
        "DROP SCHEMA apalis CASCADE",
        "ALTER TABLE apalis.jobs RENAME COLUMN run_at TO ran_at",
        "ALTER TABLE apalis.jobs ADD COLUMN more text NOT NULL",
        "ALTER TABLE operation_runs RENAME COLUMN type TO kind",
        "ALTER TABLE operation_runs RENAME TO runs",
        "DROP FUNCTION reconciler.job_id()",
        "DROP FUNCTION reconciler.wake()",
        weak,
    ];
    for broken in breaks {
        let on = platform().await;
        let role = role(&on).await;
        let broken = broken.to_owned() + if broken == weak { &role } else { "" };
        on.execute(&broken).await;
        on.execute(&format!(
            "BEGIN; {ASK}; INSERT INTO workspaces (id, name) VALUES (88, 'kept'); COMMIT"
        ))
        .await;
        assert!(!asks(&on, ASK).await, "{broken}");
        let kept = on
            .count("SELECT count(*) FROM workspaces WHERE id = 88")
            .await;
        assert_eq!(kept, 1, "{broken}");
        forget(&on, &role).await;
    }
}

#[tokio::test]
async fn usage_of_the_schema_is_all_that_a_caller_needs_and_tricks_change_nothing() {
    let on = platform().await;
    let role = role(&on).await;
    let url = on.url.replacen("reconciler@", &format!("{role}@"), 1);
    let mut caller = PgConnection::connect(&url).await.unwrap();
    let refused = raw_sql(ASK).execute(&mut caller).await.unwrap_err();
    assert!(
        refused.to_string().contains("permission denied"),
        "{refused}"
    );

    on.execute(&format!("GRANT USAGE ON SCHEMA reconciler TO {role}"))
        .await;
    raw_sql(ASK).execute(&mut caller).await.unwrap();
    assert_eq!(jobs(&on).await, 1);
    for closed_to_him in ["SELECT * FROM apalis.jobs", "SELECT * FROM operation_runs"] {
        assert!(raw_sql(closed_to_him).execute(&mut caller).await.is_err());
    }

    // Tables of his own that say that closed runs are open, and functions that are found before the server's.
    on.execute(&format!("CREATE SCHEMA tricks AUTHORIZATION {role}"))
        .await;
    raw_sql(
        "CREATE TEMP TABLE operation_runs AS
             SELECT 2::bigint AS id, 'restore.execute' AS type, 'running' AS status;
         CREATE FUNCTION tricks.convert_to(text, name) RETURNS bytea
             LANGUAGE sql AS $$ SELECT 'stolen'::bytea $$;
         CREATE FUNCTION tricks.yes(text, text) RETURNS boolean LANGUAGE sql AS $$ SELECT true $$;
         CREATE OPERATOR tricks.= (LEFTARG = text, RIGHTARG = text, FUNCTION = tricks.yes);
         SET search_path = pg_temp, tricks, pg_catalog, public;",
    )
    .execute(&mut caller)
    .await
    .unwrap();
    let tricked: bool = sqlx::query_scalar("SELECT reconciler.request(2)")
        .fetch_one(&mut caller)
        .await
        .unwrap();
    assert!(!tricked, "a closed run got a job");
    let honest: bool = sqlx::query_scalar("SELECT reconciler.request(1, 'again')")
        .fetch_one(&mut caller)
        .await
        .unwrap();
    assert!(honest);
    let found = on.store.reader().load_jobs(RunId(1), 10).await.unwrap();
    assert_eq!(found[0].cause.as_deref(), Some("again"));
    caller.close().await.unwrap();
    forget(&on, &role).await;
}
