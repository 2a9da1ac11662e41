//! Databases that are down, half-migrated, of another product, or not ours to write.

use std::fs;

use restore_reconciler::internals::cli::output::Document;
use tempfile::TempDir;

use super::stage::{File, SECRET, execute, plant, program, ran, run};
use crate::support::cluster::{self, TestDatabase};

async fn planted_postgres() -> TestDatabase {
    let database = cluster::database().await;
    plant(&database.url()).await;
    database
}

#[tokio::test]
async fn migrating_says_what_it_did_and_does_it_once() {
    let file = File::new();
    plant(&file.url()).await;
    let url = file.url();
    run(&url, &["migrate"])
        .exits(0)
        .says(&["was created, at version"], &[]);
    run(&url, &["migrate"])
        .exits(0)
        .says(&["nothing was changed"], &[]);
    run(&url, &["doctor"]).exits(0);
}

#[tokio::test]
async fn a_database_that_cannot_be_used_gets_a_clear_message() {
    let half = File::new();
    plant(&half.url()).await;
    let wrong = File::new();
    execute(&wrong.url(), "CREATE TABLE customers (id INTEGER)").await;
    let garbage = File::new();
    fs::write(garbage.path(), "not a database ".repeat(100)).unwrap();
    let missing = File::new();
    let sweep: &[&str] = &["sweep"];
    let reconcile: &[&str] = &["reconcile", "1"];
    let explain: &[&str] = &["explain", "1"];
    for verb in [sweep, &["sweep", "--dry-run"], reconcile, explain] {
        run(&half.url(), verb)
            .exits(1)
            .says(&[], &["error: ", "restore-reconciler migrate"]);
    }
    for verb in [sweep, reconcile, explain, &["migrate"]] {
        run(&wrong.url(), verb)
            .exits(1)
            .says(&[], &["does not hold the platform's tables", "to do: "]);
        run(&garbage.url(), verb)
            .exits(1)
            .says(&[], &["not a database", "to do: "]);
        run(&missing.url(), verb).exits(1).says(
            &[],
            &["cannot open the database", "Check that the file exists"],
        );
    }
    run(&missing.url(), &["doctor"]).exits(3).says(
        &["Problems (1)", "connection", "Check that the file exists"],
        &[],
    );
    assert!(!missing.path().exists(), "no verb creates a database");
}

#[tokio::test]
async fn nothing_is_written_into_a_schema_of_a_later_release() {
    let file = File::planted().await;
    execute(
        &file.url(),
            "INSERT INTO reconciler_migrations (version, description, success, checksum, execution_time)
             VALUES (99, 'later', true, x'00', 0)",
    )
    .await;
    let before = file.bytes();
    for verb in [&["sweep"][..], &["reconcile", "1"]] {
        run(&file.url(), verb)
            .exits(1)
            .says(&[], &["is at version 99", "Upgrade restore-reconciler"]);
    }
    assert_eq!(before, file.bytes());
}

#[tokio::test]
async fn one_table_of_the_same_name_does_not_make_a_platform() {
    let file = File::new();
    let script = "CREATE TABLE operation_runs (managed_environment_id INTEGER)";
    execute(&file.url(), script).await;
    for verb in [&["migrate"][..], &["sweep"]] {
        run(&file.url(), verb)
            .exits(1)
            .says(&[], &["does not hold the platform's tables"]);
    }
}

#[tokio::test]
async fn a_database_that_may_only_be_read_can_be_explained_and_not_swept() {
    let file = File::planted().await;
    let url = format!("{}?mode=ro", file.url());
    for verb in [&["sweep"][..], &["reconcile", "1"]] {
        run(&url, verb)
            .exits(1)
            .says(&[], &["error: ", "read-only", "to do: "]);
    }
    run(&url, &["migrate"])
        .exits(0)
        .says(&["nothing was changed"], &[]);
    run(&url, &["explain", "1"]).exits(0);
    run(&url, &["sweep", "--dry-run"]).exits(10);

    let half = File::new();
    plant(&half.url()).await;
    run(&format!("{}?mode=ro", half.url()), &["migrate"])
        .exits(1)
        .says(&[], &["cannot migrate", "to do: "]);
}

#[test]
fn a_database_that_is_down_or_not_named_gets_a_clear_message() {
    let directory = TempDir::new().unwrap();
    let config = directory.path().join("reconciler.toml");
    fs::write(&config, "[database]\nconnect_timeout = \"1s\"\n").unwrap();
    let config = config.to_str().unwrap();
    let url = format!("postgres://reconciler:{SECRET}@127.0.0.1:1/platform");
    run(&url, &["--config", config, "sweep"]).exits(1).says(
        &[],
        &[
            "cannot connect to PostgreSQL",
            "to do: Check that the database is up",
        ],
    );
    run(&url, &["--config", config, "doctor"]).exits(3).says(
        &["Problems (1)", "cannot connect to PostgreSQL", "is up"],
        &[],
    );

    let unusable = format!("mysql://root:{SECRET}@localhost/platform");
    run(&unusable, &["sweep"])
        .exits(1)
        .says(&[], &["postgres://"]);
    for verb in ["sweep", "doctor", "migrate"] {
        let mut command = program("", &[verb]);
        command.env_remove("RECONCILER_DATABASE_URL");
        ran(&mut command).exits(1).says(
            &[],
            &["no database is named", "RECONCILER_DATABASE_URL", "demo"],
        );
    }
}

#[tokio::test]
async fn on_postgres_a_dry_run_needs_no_right_to_write() {
    let database = planted_postgres().await;
    let url = database.url();
    run(&url, &["sweep"])
        .exits(1)
        .says(&[], &["restore-reconciler migrate"]);
    run(&url, &["migrate"]).exits(0).says(&["was created"], &[]);
    let set_read_only = "DO $$ BEGIN
        EXECUTE format('ALTER DATABASE %I SET default_transaction_read_only = on', current_database());
    END $$";
    execute(&url, set_read_only).await;
    let dry = run(&url, &["sweep", "--dry-run", "--output", "json"]).exits(10);
    run(&url, &["explain", "1"]).exits(0);
    for verb in [&["sweep"][..], &["reconcile", "1"]] {
        run(&url, verb)
            .exits(1)
            .says(&[], &["read-only", "to do: "]);
    }
    let reset = "BEGIN READ WRITE; DO $$ BEGIN
        EXECUTE format('ALTER DATABASE %I RESET default_transaction_read_only', current_database());
    END $$; COMMIT";
    execute(&url, reset).await;
    let wet = run(&url, &["sweep", "--output", "json"]).exits(10);
    let (Document::Sweep(dry), Document::Sweep(wet)) = (dry.document(), wet.document()) else {
        panic!("both are sweeps")
    };
    assert_eq!((dry.counts, dry.reasons), (wet.counts, wet.reasons));
    run(&url, &["sweep"]).exits(0);
    run(&url, &["reconcile", "1"])
        .exits(0)
        .says(&["(on record)"], &[]);
}

#[tokio::test]
async fn on_postgres_a_wrong_product_or_a_wrong_password_gets_a_clear_message() {
    let database = cluster::database().await;
    for verb in ["sweep", "migrate"] {
        run(&database.url(), &[verb])
            .exits(1)
            .says(&[], &["does not hold the platform's tables", "to do: "]);
    }
    let nobody = database.url().replace(database.name(), "no_such_database");
    run(&nobody, &["sweep"])
        .exits(1)
        .says(&[], &["no_such_database", "to do: Check user, password"]);
}
