//! Databases that are down, half-migrated, of another product, or not ours to write.

use std::fs;

use restore_reconciler::internals::cli::output::Document;
use tempfile::TempDir;

use super::stage::{File, SECRET, assert_says, execute, plant, run};
use crate::support::cluster;
use crate::support::proxy::Proxy;
use crate::support::roles::{Purpose, grant};
use crate::support::store::Fixture;
use crate::support::worker::said_by;

#[tokio::test]
async fn migrating_says_what_it_did_and_does_it_once() {
    let file = File::new();
    plant(&file.url()).await;
    assert_says(
        &file.url(),
        "migrate ⇒ 0 | was created, at version
         migrate ⇒ 0 | nothing was changed
         doctor  ⇒ 0",
    );
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
    for verb in ["sweep", "sweep --dry-run", "reconcile 1", "explain 1"] {
        assert_says(
            &half.url(),
            &format!("{verb} ⇒ 1 ! error: ! restore-reconciler migrate"),
        );
    }
    for verb in ["sweep", "reconcile 1", "explain 1", "migrate"] {
        for (file, said) in [
            (&wrong, "does not hold the platform's tables ! to do:"),
            (&garbage, "not a database ! to do:"),
            (
                &missing,
                "cannot open the database ! Check that the file exists",
            ),
        ] {
            assert_says(&file.url(), &format!("{verb} ⇒ 1 ! {said}"));
        }
    }
    assert_says(
        &missing.url(),
        "doctor ⇒ 3 | Problems (1) | connection | Check that the file exists",
    );
    assert!(!missing.path().exists(), "no verb creates a database");
}

/// Brackets are of the URL, and no part of the address.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_is_reached_at_an_ipv6_address() {
    if std::net::TcpListener::bind("[::1]:0").is_err() {
        println!("skipped: this machine has no IPv6");
        return;
    }
    let on = Fixture::postgres().await;
    let proxy = Proxy::before_at_ipv6(&on.url);
    let url = Purpose::Worker.url(&proxy.url(&on.url));
    assert!(url.contains("@[::1]:"), "{url}");
    let (code, said) = said_by(&url, &["sweep"]).await;
    assert_eq!(code, Some(0), "{said}");
    let beside = url.replace("@[::1]:", "@:") + "?host=::1";
    let (code, said) = said_by(&beside, &["sweep"]).await;
    assert_eq!(code, Some(0), "{said}");
}

#[test]
fn several_hosts_are_refused_by_name() {
    for hosts in [
        "host1:5433,host2/d",
        "host1:5433%2Chost2/d",
        "/d?host=host1,host2&port=5433,5432",
    ] {
        let url = format!("postgres://u:{SECRET}@{hosts}");
        let refused = run(&url, &["doctor"]);
        assert_eq!(refused.code, 1, "{}", refused.all());
        refused.says(
            &[],
            &["it names several hosts; name one that always leads to the primary"],
        );
    }
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
    assert_says(
        &file.url(),
        "sweep       ⇒ 1 ! is at version 99 ! Upgrade restore-reconciler
         reconcile 1 ⇒ 1 ! is at version 99 ! Upgrade restore-reconciler",
    );
    assert_eq!(before, file.bytes());

    // Nor into one that lacks a migration before the newest.
    let gap = "DELETE FROM reconciler_migrations WHERE version IN (8, 99)";
    execute(&file.url(), gap).await;
    assert_says(
        &file.url(),
        "sweep ⇒ 1 ! is older than this program ! Run `restore-reconciler migrate` first",
    );
}

#[tokio::test]
async fn one_table_of_the_same_name_does_not_make_a_platform() {
    let file = File::new();
    let script = "CREATE TABLE operation_runs (managed_environment_id INTEGER)";
    execute(&file.url(), script).await;
    assert_says(
        &file.url(),
        "migrate ⇒ 1 ! does not hold the platform's tables
         sweep   ⇒ 1 ! does not hold the platform's tables",
    );
}

#[tokio::test]
async fn a_database_that_may_only_be_read_can_be_explained_and_not_swept() {
    let file = File::planted().await;
    assert_says(
        &format!("{}?mode=ro", file.url()),
        "sweep           ⇒  1 ! error: ! read-only ! to do:
         reconcile 1     ⇒  1 ! error: ! read-only ! to do:
         migrate         ⇒  0 | nothing was changed
         explain 1       ⇒  0
         sweep --dry-run ⇒ 10",
    );

    let half = File::new();
    plant(&half.url()).await;
    assert_says(
        &format!("{}?mode=ro", half.url()),
        "migrate ⇒ 1 ! cannot migrate ! to do:",
    );
}

#[test]
fn a_database_that_is_down_or_not_named_gets_a_clear_message() {
    let directory = TempDir::new().unwrap();
    let config = directory.path().join("reconciler.toml");
    fs::write(&config, "[database]\nconnect_timeout = \"1s\"\n").unwrap();
    let config = config.display();
    assert_says(
        &format!("postgres://reconciler:{SECRET}@127.0.0.1:1/platform"),
        &format!(
            "--config {config} sweep  ⇒ 1 ! cannot connect to PostgreSQL ! to do: Check that the database is up
             --config {config} doctor ⇒ 3 | Problems (1) | cannot connect to PostgreSQL | is up"
        ),
    );
    assert_says(
        &format!("mysql://root:{SECRET}@localhost/platform"),
        "sweep ⇒ 1 ! postgres://",
    );
    for verb in ["sweep", "doctor", "migrate"] {
        let row = "⇒ 1 ! no database is named ! RECONCILER_DATABASE_URL ! demo";
        assert_says("", &format!("{verb} {row}"));
    }
}

#[tokio::test]
async fn on_postgres_a_dry_run_needs_no_right_to_write() {
    let database = cluster::database().await;
    let url = database.url();
    plant(&url).await;
    assert_says(
        &url,
        "sweep   ⇒ 1 ! restore-reconciler migrate
         migrate ⇒ 0 | was created",
    );
    grant(&url).await;
    let set_read_only = "DO $$ BEGIN
        EXECUTE format('ALTER DATABASE %I SET default_transaction_read_only = on', current_database());
    END $$";
    execute(&url, set_read_only).await;
    let dry = run(&url, &["sweep", "--dry-run", "--output", "json"]).exits(10);
    assert_says(
        &url,
        "explain 1   ⇒ 0
         sweep       ⇒ 1 ! read-only ! to do:
         reconcile 1 ⇒ 1 ! read-only ! to do:",
    );
    let reset = "BEGIN READ WRITE; DO $$ BEGIN
        EXECUTE format('ALTER DATABASE %I RESET default_transaction_read_only', current_database());
    END $$; COMMIT";
    execute(&url, reset).await;
    let wet = run(&url, &["sweep", "--output", "json"]).exits(10);
    let (Document::Sweep(dry), Document::Sweep(wet)) = (dry.document(), wet.document()) else {
        panic!("both are sweeps")
    };
    assert_eq!((dry.counts, dry.reasons), (wet.counts, wet.reasons));
    assert_says(
        &url,
        "sweep       ⇒ 0
         reconcile 1 ⇒ 0 | (on record)",
    );
}

#[tokio::test]
async fn on_postgres_a_wrong_product_or_a_wrong_password_gets_a_clear_message() {
    let database = cluster::database().await;
    assert_says(
        &database.url(),
        "sweep   ⇒ 1 ! does not hold the platform's tables ! to do:
         migrate ⇒ 1 ! does not hold the platform's tables ! to do:",
    );
    assert_says(
        &database.url().replace(database.name(), "no_such_database"),
        "sweep ⇒ 1 ! no_such_database ! to do: Check user, password",
    );
}
