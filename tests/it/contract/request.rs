//! `reconciler.request`: what the platform calls within its own transactions, whoever calls it and
//! whatever state the queue is in.

use reconciler_jobs::ids::RunId;
use sqlx::{Connection as _, raw_sql};

use crate::support::case::Case;
use crate::support::role::Role;
use crate::support::store::{Fixture, with};

/// Calls the function once, for run 1.
const ASK: &str = "SELECT reconciler.request(1, 'test')";

/// A database with an open run, a closed one and one of another type: 1, 2 and 3.
pub(super) async fn platform() -> Fixture {
    let on = Fixture::postgres_with_queue().await;
    let closed = with(Case::proven(2), |case| {
        case.run.status = "completed".to_owned();
    });
    let other = with(Case::proven(3), |case| {
        case.run.r#type = "backup.execute".to_owned();
    });
    on.plant([Case::proven(1), closed, other]).await;
    on
}

pub(super) async fn jobs(on: &Fixture) -> i64 {
    on.number_of("apalis.jobs").await
}

/// Why each job of run 1 was queued, the last one first.
pub(super) async fn causes(on: &Fixture) -> Vec<Option<String>> {
    let jobs = on.store.reader().load_jobs(RunId(1), 10).await.unwrap();
    jobs.into_iter().map(|job| job.cause).collect()
}

async fn asks(on: &Fixture, question: &str) -> bool {
    on.value(question).await.as_deref() == Some("t")
}

/// Breaks a platform of its own in each of these ways, the last one being to give a function to a role that may do
/// nothing, and has `act` see what becomes of whoever uses it.
pub(super) async fn break_each(
    breaks: &[&str],
    function: &str,
    platform: impl AsyncFn() -> Fixture,
    act: impl AsyncFn(&Fixture, &str),
) {
    for broken in breaks.iter().copied().chain([function]) {
        let on = platform().await;
        let role = Role::new(&on, "LOGIN").await;
        let weak = format!("ALTER FUNCTION {function} OWNER TO {}", role.quoted);
        if broken == function {
            on.execute_as_superuser(&weak).await;
        } else {
            on.execute(broken).await;
        }
        act(&on, broken).await;
        role.forget(&on).await;
    }
}

#[tokio::test]
async fn a_job_is_queued_with_the_callers_transaction_or_not_at_all() {
    let on = platform().await;
    on.execute(&format!("BEGIN; {ASK}; ROLLBACK")).await;
    assert_eq!(jobs(&on).await, 0);
    on.execute(&format!("BEGIN; {ASK}; COMMIT")).await;
    assert_eq!(jobs(&on).await, 1);
    assert_eq!(causes(&on).await, [Some("test".to_owned())]);
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
    let breaks = [
        "DROP TABLE apalis.jobs CASCADE",
        "DROP SCHEMA apalis CASCADE",
        "ALTER TABLE apalis.jobs RENAME COLUMN run_at TO ran_at",
        "ALTER TABLE apalis.jobs ADD COLUMN more text NOT NULL",
        "ALTER TABLE operation_runs RENAME COLUMN type TO kind",
        "ALTER TABLE operation_runs RENAME TO runs",
        "DROP FUNCTION reconciler.job_id()",
        "DROP FUNCTION reconciler.wake()",
    ];
    let function = "reconciler.request(bigint, text)";
    break_each(&breaks, function, platform, async |on, broken| {
        on.execute(&format!(
            "BEGIN; {ASK}; INSERT INTO workspaces (id, name) VALUES (88, 'kept'); COMMIT"
        ))
        .await;
        assert!(!asks(on, ASK).await, "{broken}");
        let kept = on.number_of("workspaces WHERE id = 88").await;
        assert_eq!(kept, 1, "{broken}");
    })
    .await;
}

#[tokio::test]
async fn a_caller_needs_what_grants_prints_and_no_more_and_tricks_change_nothing() {
    let on = platform().await;
    let role = Role::new(&on, "LOGIN").await;
    let quoted = &role.quoted;
    let mut caller = role.connection().await;
    let refused = raw_sql(ASK).execute(&mut caller).await.unwrap_err();
    let refused = refused.to_string();
    assert!(refused.contains("permission denied"), "{refused}");

    on.execute(&format!(
        "GRANT USAGE ON SCHEMA reconciler TO {quoted};
         GRANT EXECUTE ON FUNCTION reconciler.request TO {quoted}"
    ))
    .await;
    raw_sql(ASK).execute(&mut caller).await.unwrap();
    assert_eq!(jobs(&on).await, 1);
    for closed_to_him in ["SELECT * FROM apalis.jobs", "SELECT * FROM operation_runs"] {
        assert!(raw_sql(closed_to_him).execute(&mut caller).await.is_err());
    }

    // Tables of his own that say that closed runs are open, and functions that are found before the server's.
    on.execute(&format!("CREATE SCHEMA tricks AUTHORIZATION {quoted}"))
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
    let asked = "SELECT reconciler.request(2), reconciler.request(1, 'again')";
    let asked = sqlx::query_as(asked).fetch_one(&mut caller).await;
    let (tricked, honest): (bool, bool) = asked.unwrap();
    assert!(!tricked, "a closed run got a job");
    assert!(honest);
    assert_eq!(causes(&on).await[0].as_deref(), Some("again"));
    caller.close().await.unwrap();
    role.forget(&on).await;
}
