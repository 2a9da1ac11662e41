//! The triggers on the platform's tables: they ask when something came to its end, and are never in the way.

use restore_reconciler::internals::storage::Store;
use sqlx::{Connection as _, raw_sql};

use super::request::{break_each, causes, jobs, platform};
use crate::support::case::{restore_of, snapshot_of};
use crate::support::role::Role;
use crate::support::roles::Purpose;
use crate::support::store::Fixture;

async fn watched_platform() -> Fixture {
    let on = platform().await;
    migrator(&on)
        .await
        .set_platform_triggers(true)
        .await
        .unwrap();
    on
}

/// Whoever migrates, with the right that the triggers want of the tables' owner.
pub(super) async fn migrator(on: &Fixture) -> Store {
    let role = Purpose::Migrator.role();
    let grant = format!(
        "GRANT TRIGGER ON restore_runs, evidence_snapshots, audit_logs TO {role};
         GRANT SELECT (id, operation_run_id) ON restore_runs TO {role}"
    );
    on.execute(&grant).await;
    on.migrator().await
}

pub(super) fn restore_becomes(status: &str) -> String {
    let id = restore_of(1);
    format!("UPDATE restore_runs SET status = '{status}' WHERE id = {id}")
}

async fn triggers(on: &Fixture) -> i64 {
    on.number_of("pg_trigger WHERE tgname = 'restore_reconciler_request'")
        .await
}

#[tokio::test]
async fn the_end_of_a_restore_asks_for_its_run_once() {
    let on = watched_platform().await;
    assert_eq!(jobs(&on).await, 0, "nothing happened yet");
    let mut expected = 0;
    for status in "completed partial failed cancelled aborted completed_with_errors".split(' ') {
        on.execute(&restore_becomes("running")).await;
        assert_eq!(jobs(&on).await, expected, "not before {status}");
        on.execute(&restore_becomes(status)).await;
        expected += 1;
        assert_eq!(jobs(&on).await, expected, "{status}");
        on.execute(&restore_becomes(status)).await;
        on.execute("UPDATE restore_runs SET updated_at = now()")
            .await;
        assert_eq!(jobs(&on).await, expected, "{status} is no change");
    }
    for status in "draft,pending,queued,Completed,completed ,odd".split(',') {
        on.execute(&restore_becomes(status)).await;
    }
    assert_eq!(jobs(&on).await, expected);
    assert_eq!(causes(&on).await, vec![Some("restore".to_owned()); 6]);
}

#[tokio::test]
async fn evidence_asks_for_its_run_when_it_is_active() {
    let on = watched_platform().await;
    let id = snapshot_of(1);
    let becomes = async |status: &str| {
        let statement =
            format!("UPDATE evidence_snapshots SET status = '{status}' WHERE id = {id}");
        on.execute(&statement).await;
    };
    for status in ["queued", "generating", "failed", "expired", "superseded"] {
        becomes(status).await;
    }
    assert_eq!(jobs(&on).await, 0);
    becomes("active").await;
    becomes("active").await;
    assert_eq!(jobs(&on).await, 1);
    for (status, expected) in [("queued", 1), ("active", 2)] {
        on.execute(&format!(
            "INSERT INTO evidence_snapshots (workspace_id, managed_environment_id, operation_run_id, status)
             SELECT workspace_id, managed_environment_id, operation_run_id, '{status}'
             FROM evidence_snapshots WHERE id = {id}"
        ))
        .await;
        assert_eq!(jobs(&on).await, expected);
    }
    assert_eq!(causes(&on).await, vec![Some("evidence".to_owned()); 2]);
}

#[tokio::test]
async fn an_audit_entry_about_the_end_of_a_restore_asks_for_its_run() {
    let on = watched_platform().await;
    let restore = restore_of(1);
    let writes = async |action: &str, resource: &str, id: &str| {
        let statement = format!(
            "INSERT INTO audit_logs (workspace_id, managed_environment_id, action, resource_type, resource_id, recorded_at)
             SELECT workspace_id, managed_environment_id, '{action}', '{resource}', '{id}', now()
             FROM restore_runs WHERE id = {restore}"
        );
        on.execute(&statement).await;
    };
    let this = restore.to_string();
    for (action, resource, id) in [
        ("restore.started", "restore_run", &*this),
        ("restore.executed", "backup_set", &this),
        ("restore.executed", "restore_run", "99999999"),
        ("restore.executed", "restore_run", "no number"),
        ("restore.executed", "restore_run", "99999999999999999999"),
        ("policy.updated", "policy", &this),
    ] {
        writes(action, resource, id).await;
        assert_eq!(jobs(&on).await, 0, "{action} {resource} {id}");
    }
    writes("restore.executed", "restore_run", &this).await;
    writes("restore.failed", "App\\Models\\RestoreRun", &this).await;
    assert_eq!(causes(&on).await, vec![Some("audit".to_owned()); 2]);

    // Whatever is broken, the platform's entry is written.
    for broken in [
        "ALTER TABLE restore_runs RENAME COLUMN operation_run_id TO run_id",
        "ALTER TABLE audit_logs RENAME COLUMN resource_id TO about",
    ] {
        on.execute(broken).await;
        on.execute("INSERT INTO audit_logs (action, resource_type, recorded_at) VALUES ('restore.failed', 'restore_run', now())")
            .await;
    }
    assert_eq!(jobs(&on).await, 2);
}

#[tokio::test]
async fn what_is_rolled_back_asks_for_nothing() {
    let on = watched_platform().await;
    for (end, expected) in [("ROLLBACK", 0), ("COMMIT", 1)] {
        on.execute(&format!("BEGIN; {}; {end}", restore_becomes("failed")))
            .await;
        assert_eq!(jobs(&on).await, expected, "{end}");
    }
}

#[tokio::test]
async fn restores_of_no_run_or_of_closed_ones_ask_for_nothing() {
    let on = watched_platform().await;
    on.execute("UPDATE restore_runs SET status = 'failed' WHERE operation_run_id <> 1")
        .await;
    on.execute("UPDATE restore_runs SET operation_run_id = NULL")
        .await;
    on.execute("UPDATE restore_runs SET status = 'partial'")
        .await;
    assert_eq!(jobs(&on).await, 0);
}

#[tokio::test]
async fn the_platforms_writes_never_fail_whatever_is_broken() {
    let breaks = [
        "DROP TABLE apalis.jobs CASCADE",
        "DROP SCHEMA apalis CASCADE",
        "ALTER TABLE apalis.jobs RENAME COLUMN job TO payload",
        "ALTER TABLE operation_runs RENAME COLUMN status TO state",
        "ALTER TABLE restore_runs RENAME COLUMN operation_run_id TO run_id",
        "ALTER TABLE restore_runs DROP COLUMN operation_run_id",
        "ALTER TABLE restore_runs ALTER operation_run_id TYPE text USING 'no number'",
        "DROP FUNCTION reconciler.request(bigint, text)",
    ];
    let without_foreign_key = async || {
        let on = watched_platform().await;
        on.execute(
            "ALTER TABLE restore_runs DROP CONSTRAINT restore_runs_operation_run_id_foreign",
        )
        .await;
        on
    };
    let function = "reconciler.row_changed()";
    break_each(
        &breaks,
        function,
        without_foreign_key,
        async |on, broken| {
            on.execute(&restore_becomes("failed")).await;
            let failed = on.number_of("restore_runs WHERE status = 'failed'").await;
            assert_eq!(failed, 1, "{broken}");
        },
    )
    .await;
}

/// Types change and columns come and go as if nobody listened, and the triggers go on working.
#[tokio::test]
async fn the_platforms_own_migrations_notice_nothing() {
    let on = watched_platform().await;
    on.execute(
        "ALTER TABLE restore_runs ALTER status TYPE text;
         ALTER TABLE evidence_snapshots ALTER status TYPE text;
         ALTER TABLE restore_runs RENAME COLUMN metadata TO details;
         ALTER TABLE restore_runs ADD COLUMN added json;
         ALTER TABLE audit_logs ALTER action TYPE text, ALTER resource_type TYPE text, ALTER resource_id TYPE text;",
    )
    .await;
    on.execute(&restore_becomes("failed")).await;
    assert_eq!(jobs(&on).await, 1);
    on.execute("ALTER TABLE restore_runs DROP COLUMN status")
        .await;
    on.execute("UPDATE restore_runs SET failure_reason = 'kept'")
        .await;
}

/// Who writes to the platform's tables needs no right of ours.
#[tokio::test]
async fn a_role_that_knows_nothing_of_us_fires_the_trigger() {
    let on = watched_platform().await;
    let role = Role::new(&on, "LOGIN").await;
    on.execute(&format!(
        "GRANT SELECT, UPDATE ON restore_runs TO {}",
        role.quoted
    ))
    .await;
    let mut writer = role.connection().await;
    raw_sql("UPDATE restore_runs SET status = 'failed'")
        .execute(&mut writer)
        .await
        .unwrap();
    assert_eq!(jobs(&on).await, 1);
    writer.close().await.unwrap();
    role.forget(&on).await;
}

#[tokio::test]
async fn adding_twice_and_removing_twice_does_it_once() {
    let on = platform().await;
    let migrator = migrator(&on).await;
    assert_eq!(triggers(&on).await, 0);
    let functions =
        "SELECT count(*) FROM pg_proc WHERE proname IN ('row_changed', 'audit_written')";
    for _ in 0..2 {
        migrator.set_platform_triggers(true).await.unwrap();
        assert_eq!(triggers(&on).await, 3);
    }
    migrator.migrate().await.unwrap();
    assert_eq!(triggers(&on).await, 3, "a plain migration leaves them");
    on.execute(&restore_becomes("failed")).await;
    assert_eq!(jobs(&on).await, 1);
    for _ in 0..2 {
        migrator.set_platform_triggers(false).await.unwrap();
        assert_eq!((triggers(&on).await, on.count(functions).await), (0, 0));
    }
    on.execute(&restore_becomes("partial")).await;
    assert_eq!(jobs(&on).await, 1);
}
