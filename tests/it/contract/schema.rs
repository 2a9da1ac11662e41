//! Our own schema: created once however often and from wherever, and a ledger that only grows.

use restore_reconciler::internals::storage::{Distrust, QueuePool, Store};
use restore_reconciler::internals::worker::set_up;

use crate::support::case::Case;
use crate::support::store::{Fixture, on_both};

on_both!(
    migrating_again_changes_nothing,
    two_connections_may_migrate_at_once,
    the_queues_tables_are_not_among_ours,
    a_missing_migration_makes_an_older_schema,
    the_ledger_only_grows,
    a_database_without_the_platform_is_told_apart,
);

async fn migrating_again_changes_nothing(on: Fixture) {
    on.plant([Case::proven(1)]).await;
    on.verdict(1).await;
    let before = on.fingerprint().await;
    on.migrator().await.migrate().await.unwrap();
    assert_eq!(before, on.fingerprint().await);
}

async fn two_connections_may_migrate_at_once(on: Fixture) {
    // The fixture has migrated already; a race needs databases in which nobody has.
    for _ in 0..5 {
        let fresh = on.empty_one_beside().await;
        fresh.install().await;
        let (migrator, other) = (fresh.migrator().await, fresh.migrator().await);
        let (one, two) = tokio::join!(migrator.migrate(), other.migrate());
        one.unwrap();
        two.unwrap();
        let (one, two) = tokio::join!(set_up(&migrator), set_up(&other));
        one.unwrap();
        two.unwrap();
        assert!(migrator.has_queue().await.unwrap());
        assert_eq!(fresh.number_of("reconciler.ledger").await, 0);
    }
}

/// The library that delivers jobs numbers its migrations in a table of a common name, and on SQLite it would
/// like to do without `fsync`.
async fn the_queues_tables_are_not_among_ours(on: Fixture) {
    let schemas = "SELECT DISTINCT table_schema AS name FROM information_schema.tables
                   WHERE table_name IN ('_sqlx_migrations', 'jobs', 'workers')";
    let tables =
        "SELECT name FROM sqlite_schema WHERE name IN ('_sqlx_migrations', 'Jobs', 'Workers')";
    assert!(!on.store.has_queue().await.unwrap());
    let on = on.with_queue().await;
    assert!(on.store.has_queue().await.unwrap());
    let found = on.rows(on.either(tables, schemas)).await;
    let names: Vec<_> = found.iter().map(|row| row["name"].as_deref()).collect();
    let beside: &[_] = if on.is_sqlite() {
        &[]
    } else {
        &[Some("apalis")]
    };
    assert_eq!(names, beside);
    if let QueuePool::Sqlite(pool) = on.store.queue_pool() {
        let synchronous = sqlx::query_scalar("PRAGMA synchronous").fetch_one(&pool);
        let synchronous: i64 = synchronous.await.unwrap();
        assert_eq!(synchronous, 2, "FULL");
    }
}

/// As where a record was restored in part: the newest version alone says nothing of it.
async fn a_missing_migration_makes_an_older_schema(on: Fixture) {
    let known = on.store.schema_version_known();
    assert_eq!(on.store.schema_version().await.unwrap(), Some(known));
    on.execute("DELETE FROM reconciler.migrations WHERE version = 8")
        .await;
    let found = if on.is_sqlite() { 7 } else { 6 };
    assert_eq!(on.store.schema_version().await.unwrap(), Some(found));
    let expected = Some(Distrust::OtherSchema { found, known });
    assert_eq!(on.store.find_distrust().await.unwrap(), expected);
}

async fn the_ledger_only_grows(on: Fixture) {
    on.plant([Case::proven(1), Case::proven(2)]).await;
    on.verdict(1).await;
    let entry = "decision_id, operation_run_id, workspace_id, managed_environment_id, run_created_at, outcome, \
                 reason_code, ruleset, facts, facts_digest, decision, worker, source, decided_at";
    let mut changes = vec![
        "UPDATE reconciler.ledger SET outcome = 'succeeded'".to_owned(),
        "UPDATE reconciler.ledger SET outcome = outcome WHERE false OR true".to_owned(),
        "DELETE FROM reconciler.ledger".to_owned(),
        "DELETE FROM reconciler.ledger WHERE operation_run_id = 1".to_owned(),
        // A second verdict for a run, under another name.
        format!(
            "INSERT INTO reconciler.ledger ({entry}) SELECT 'another name', {} FROM reconciler.ledger",
            entry.trim_start_matches("decision_id, ")
        ),
        // The same name for another run.
        format!(
            "INSERT INTO reconciler.ledger ({entry}) SELECT decision_id, 2, {} FROM reconciler.ledger",
            entry.trim_start_matches("decision_id, operation_run_id, ")
        ),
    ];
    if on.is_sqlite() {
        changes.push(format!(
            "INSERT OR REPLACE INTO reconciler.ledger ({entry}) SELECT {entry} FROM reconciler.ledger"
        ));
        changes.push("UPDATE OR REPLACE reconciler.ledger SET outcome = 'failed'".to_owned());
    } else {
        changes.push("TRUNCATE reconciler.ledger".to_owned());
        changes.push(format!(
            "INSERT INTO reconciler.ledger ({entry}) SELECT {entry} FROM reconciler.ledger \
             ON CONFLICT (decision_id) DO UPDATE SET outcome = 'failed'"
        ));
    }
    let before = on.rows("SELECT * FROM reconciler.ledger").await;
    for change in changes {
        assert!(on.try_execute(&change).await.is_err(), "accepted: {change}");
        assert_eq!(before, on.rows("SELECT * FROM reconciler.ledger").await);
    }
    on.verdict(2).await;
    on.assert_one_of_each(2).await;
}

async fn a_database_without_the_platform_is_told_apart(on: Fixture) {
    let advice = async |store: &Store| {
        let error = store.count_due(None).await.unwrap_err();
        error.advice().unwrap().to_owned()
    };
    assert!(on.store.has_platform().await.unwrap());
    let empty = on.empty_one_beside().await;
    assert!(!empty.store.has_platform().await.unwrap());
    assert!(advice(&empty.store).await.contains("platform's tables"));

    empty.install().await;
    assert!(advice(&empty.store).await.contains("migrate"));
}
