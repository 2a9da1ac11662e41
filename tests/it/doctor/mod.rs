//! `doctor`, on databases as operators really have them: half migrated, of another product, closed, read-only.
//!
//! Whatever it advises is run here as it is printed, and whatever it calls needed is taken away to
//! see that a sweep then fails.

mod hidden_rows;
mod postgres;
mod sqlite;

use restore_reconciler::internals::doctor::needs::platform_tables;
use restore_reconciler::internals::doctor::{self, Check, Level, Purpose};
use restore_reconciler::internals::storage::{Store, StoreError, Tally};
use restore_reconciler::internals::sweep::Scope;

use crate::support::case::Case;
use crate::support::settled::{self, settling};
use crate::support::store::{Fixture, on_both};

on_both!(
    each_listed_column_is_needed,
    no_other_column_is_needed,
    a_database_of_another_product_is_said_to_be_one,
    a_half_migrated_database_is_examined_to_its_end,
);

/// What `doctor` says, with what holds for everything that it ever says.
async fn examine(store: &Store) -> Vec<Check> {
    examine_as(store, None).await
}

/// The same, of a role that is said to be for something.
async fn examine_as(store: &Store, purpose: Option<Purpose>) -> Vec<Check> {
    let examined = doctor::examine(store, purpose).await;
    let checks = examined.expect("the connection holds").checks;
    for check in &checks {
        assert!(check.finding.ends_with('.'), "{check:?}");
        assert!(!check.subject.is_empty(), "{check:?}");
        let is_good = check.level == Level::Good;
        assert_eq!(check.action.is_none(), is_good, "{check:?}");
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
    let found = checks.iter().find(|check| check.subject == subject);
    found.unwrap_or_else(|| panic!("nothing about {subject}: {checks:#?}"))
}

fn action<'c>(checks: &'c [Check], subject: &str) -> &'c str {
    about(checks, subject).action.as_deref().expect("an action")
}

#[track_caller]
fn assert_finds(checks: &[Check], subject: &str, text: &str) {
    let check = about(checks, subject);
    assert!(check.finding.contains(text), "{text:?} in {check:?}");
}

#[track_caller]
fn assert_level(checks: &[Check], subject: &str, level: Level) {
    let check = about(checks, subject);
    assert_eq!(check.level, level, "{check:?}");
}

/// Runs each line of what was printed about a subject, as `psql` would, one statement at a time.
async fn follow(on: &Fixture, checks: &[Check], subject: &str) {
    for line in action(checks, subject).lines() {
        if line.starts_with("ALTER ROLE") {
            on.execute_as_superuser(line).await;
        } else {
            on.execute(line).await;
        }
    }
}

/// Adds one run whose restore failed, so that a sweep reads every table and writes a verdict.
async fn plant_one(on: &Fixture) {
    on.plant([Case::failed(1)]).await;
}

async fn pass(store: &Store) -> Result<Tally, StoreError> {
    let pass = settled::pass(store, Scope::default(), &settling()).await?;
    Ok(pass.tally)
}

async fn assert_sweep_works(store: &Store) {
    let tally = pass(store).await.expect("the sweep works");
    assert_eq!((tally.failed, tally.looked_at()), (1, 1), "{tally:?}");
}

/// The database is whole for a worker: nothing is a problem, and a sweep works.
async fn assert_serves(store: &Store) -> Vec<Check> {
    let checks = examine(store).await;
    assert_eq!(problems(&checks), Vec::<&Check>::new());
    assert_sweep_works(store).await;
    checks
}

/// Changes something, and says what is found about the subject then.
async fn assert_found_after(on: &Fixture, subject: &str, changes: &[(&str, &str)]) {
    for (statement, found) in changes {
        on.execute(statement).await;
        assert_finds(&examine(&on.store).await, subject, found);
    }
}

/// Every entry of the list is needed: without it no sweep works, and the check names it.
async fn each_listed_column_is_needed(on: Fixture) {
    plant_one(&on).await;
    let rename = async |table: &str, from: &str, to: &str| {
        // On one connection: on SQLite another one may not have noticed the last change yet.
        let script = format!("ALTER TABLE {table} RENAME COLUMN {from} TO {to}").leak();
        on.standin.execute_script(script).await.expect(script);
    };
    for table in platform_tables() {
        for column in table.worker_columns() {
            let (table, column) = (table.name, column.name);
            rename(table, column, "gone").await;
            let subject = format!("column {table}.{column}");
            assert_level(&examine(&on.store).await, &subject, Level::Problem);
            // No settlement reads it.
            let is_used = if subject == "column evidence_snapshots.created_at" {
                on.store.find_shift().await.is_err()
            } else {
                pass(&on.store).await.is_err()
            };
            assert!(is_used, "{subject} is not needed");
            rename(table, "gone", column).await;
        }
    }
    assert_sweep_works(&on.store).await;
}

/// Every other column of the platform gets a name that the list does not know.
async fn no_other_column_is_needed(on: Fixture) {
    plant_one(&on).await;
    let columns = on.either(
        "SELECT relation.name AS table_name, attribute.name AS column_name
         FROM sqlite_schema AS relation JOIN pragma_table_info(relation.name) AS attribute
         WHERE relation.type = 'table' AND relation.name NOT LIKE 'reconciler%'
           AND relation.name NOT LIKE 'sqlite%'",
        "SELECT table_name::text, column_name::text
         FROM information_schema.columns WHERE table_schema = 'public'",
    );
    let mut renamed = Vec::new();
    for row in on.rows(columns).await {
        let [table, column] = ["table_name", "column_name"].map(|it| row[it].as_deref().unwrap());
        let is_listed = platform_tables().any(|need| {
            need.name == table && need.worker_columns().any(|listed| listed.name == column)
        });
        if !is_listed {
            let rename = format!("ALTER TABLE {table} RENAME COLUMN {column} TO {column}_gone");
            on.execute(&rename).await;
            renamed.push(format!("{table}.{column}"));
        }
    }
    assert!(renamed.contains(&"restore_runs.preview".to_owned()));
    assert_serves(&on.store).await;
}

async fn a_database_of_another_product_is_said_to_be_one(on: Fixture) {
    let on = on.empty_one_beside().await;
    on.execute("CREATE TABLE invoices (id integer)").await;
    let checks = examine(&on.migrator().await).await;
    let found = problems(&checks);
    assert_eq!(found.len(), 2, "{checks:#?}");
    assert!(found[0].finding.contains("none of the platform's tables"));
    let action = |check: &Check| check.action.clone().unwrap();
    assert!(action(found[0]).contains("RECONCILER_DATABASE_URL"));
    assert_eq!(action(found[1]), "Run `restore-reconciler migrate`.");
}

async fn a_half_migrated_database_is_examined_to_its_end(on: Fixture) {
    let subject = on.either("tables of reconciler", "schema reconciler");
    on.execute(
        "DROP TABLE audit_logs; ALTER TABLE restore_runs DROP COLUMN results; DROP TABLE reconciler.watch_list",
    )
    .await;
    let missing = [
        "column restore_runs.results",
        "table audit_logs",
        on.either("table reconciler_watch_list", "table reconciler.watch_list"),
    ];
    assert_eq!(subjects(&examine(&on.store).await, Level::Problem), missing);

    on.execute(
        "INSERT INTO reconciler.migrations (version, description, success, checksum, execution_time)
         SELECT 9999, description, success, checksum, execution_time FROM reconciler.migrations WHERE version = 1",
    )
    .await;
    let newer = examine(&on.store).await;
    assert!(action(&newer, subject).starts_with("Upgrade restore-reconciler"));
    let unchecked = "ALTER TABLE reconciler.migrations DROP COLUMN checksum";
    let changes = [
        ("DELETE FROM reconciler.migrations", "missing: 1"),
        (unchecked, "could not be examined"),
    ];
    assert_found_after(&on, subject, &changes).await;
    on.execute("DROP TABLE reconciler.migrations").await;
    let checks = examine(&on.store).await;
    assert_eq!(
        action(&checks, subject),
        "Run `restore-reconciler migrate`."
    );
}
