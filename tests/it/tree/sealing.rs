//! Leaves and checkpoints are made one after the other, once, and stay.

use std::fs;
use std::os::unix::fs::MetadataExt as _;

use restore_reconciler::internals::cli::output::Document;
use restore_reconciler::internals::ledger::CheckpointSigner;
use restore_reconciler::internals::storage::Store;
use sqlx::{AssertSqlSafe, Connection as _, raw_sql};

use super::{EACH, judge, judged, origin, seal, seal_all};
use crate::cli::stage::{assert_says, run};
use crate::support::case::Case;
use crate::support::roles::{Purpose, connect};
use crate::support::store::{Fixture, open};

const ALL: &str = "SELECT * FROM reconciler.ledger_leaves ORDER BY position";

#[tokio::test]
async fn leaves_are_made_once_in_batches_and_checkpoints_go_on_from_the_last() {
    let on = judged(10).await;
    for (leaves, size) in [(4, Some(4)), (4, Some(8)), (2, Some(10)), (0, None)] {
        let sealed = seal(&on.store, 4, None).await;
        let made = sealed.checkpoint.map(|it| it.size);
        assert_eq!((sealed.leaves, made), (leaves, size));
    }
    let (in_batches, roots) = (
        on.rows(ALL).await,
        "SELECT encode(root, 'hex') FROM reconciler.checkpoints WHERE size = 10",
    );
    let root = on.value(roots).await;
    // All at once comes to the same.
    let off = "SET session_replication_role = replica; DELETE FROM reconciler.ledger_leaves; DELETE FROM reconciler.checkpoints";
    on.execute_as_superuser(off).await;
    seal_all(&on, 100, None).await;
    assert_eq!(
        (on.rows(ALL).await, on.value(roots).await),
        (in_batches, root)
    );
    judge(&on, 11, 12).await;
    assert_eq!(seal(&on.store, 100, None).await.leaves, 2);
    run(&on.url, &["ledger", "verify"])
        .exits(0)
        .says(&["12 leaves of the tree", "2 of these are unsigned"], &[]);
}

#[tokio::test]
async fn whoever_looks_is_told_of_verdicts_that_wait_for_their_leaves() {
    let on = judged(2).await;
    assert_says(&on.url, "--verbose doctor ⇒ 0 | Verdicts get their leaves.");
    let earlier = "SET session_replication_role = replica;
        UPDATE reconciler.ledger_positions SET placed_at = placed_at - interval '2 minutes'";
    on.execute_as_superuser(earlier).await;
    run(&on.url, &["doctor"]).exits(0).says(
        &["Verdicts from position 1 on wait for their leaves since"],
        &[],
    );
    seal_all(&on, 10, None).await;
    assert_says(&on.url, "--verbose doctor ⇒ 0 | Verdicts get their leaves.");
}

/// Two processes at it, of which one has begun before the other ended.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_process_at_a_time_makes_leaves() {
    let on = judged(40).await;
    let mut other = connect(Purpose::Engineer, &on.url).await;
    let mut held = other.begin().await.expect("a transaction");
    let lock = "SELECT pg_advisory_xact_lock(7165071)";
    raw_sql(lock).execute(&mut *held).await.expect("a lock");
    assert_eq!(
        seal(&on.store, 100, None).await.leaves,
        0,
        "somebody else is at it"
    );
    // No verdict waits for it.
    on.plant([Case::proven(41)]).await;
    on.settle(&[41]).await;
    held.rollback().await.expect("an end");
    let stores = [open(&on.url).await, open(&on.url).await];
    let [one, two] = &stores;
    let at_it = async |store: &Store| while seal(store, 3, None).await.leaves > 0 {};
    tokio::join!(at_it(one), at_it(two), at_it(&on.store));
    seal_all(&on, 3, None).await;
    assert_eq!(on.number_of("reconciler.ledger_leaves").await, 40);
    run(&on.url, &["ledger", "verify"]).exits(0);
}

/// Whoever writes leaves may add to them, and the owner of the tables no more than that, while their triggers are there.
#[tokio::test]
#[expect(
    clippy::disallowed_methods,
    reason = "statements of a test, with numbers it made up itself"
)]
async fn nothing_enters_below_the_last_leaf_and_nothing_is_changed() {
    let on = judged(6).await;
    seal(&on.store, 4, None).await;
    let leaf = |position: i64| {
        format!(
            "INSERT INTO reconciler.ledger_leaves (position, leaf) VALUES ({position}, sha256('x'))"
        )
    };
    let checkpoint = |size: i64| {
        format!(
            "INSERT INTO reconciler.checkpoints (size, root, edge, note) VALUES ({size}, sha256('x'), sha256('x'), 'x')"
        )
    };
    let refused = [
        (leaf(2), "duplicate key"),
        (leaf(0), "check constraint"),
        (leaf(6), "leaves follow on each other: 6 to 6 refused"),
        (
            leaf(5) + ", (7, sha256('x'))",
            "leaves follow on each other: 5 to 7 refused",
        ),
        (
            checkpoint(3),
            "checkpoints grow with the leaves: one of 3 refused",
        ),
        (
            checkpoint(4),
            "checkpoints grow with the leaves: one of 4 refused",
        ),
        (
            checkpoint(5),
            "checkpoints grow with the leaves: one of 5 refused",
        ),
    ];
    let changed = ["ledger_leaves", "checkpoints"]
        .into_iter()
        .flat_map(|table| {
            let column = if table == "checkpoints" {
                "root"
            } else {
                "leaf"
            };
            [
                format!("UPDATE reconciler.{table} SET {column} = sha256('y')"),
                format!("DELETE FROM reconciler.{table}"),
                format!("TRUNCATE reconciler.{table}"),
            ]
        });
    let changed = changed.map(|statement| (statement, "is insert-only"));
    for (statement, said) in refused.into_iter().chain(changed) {
        for purpose in [Purpose::Worker, Purpose::Migrator] {
            let mut connection = connect(purpose, &on.url).await;
            let done = raw_sql(AssertSqlSafe(statement.clone()));
            let error = done
                .execute(&mut connection)
                .await
                .expect_err(&statement)
                .to_string();
            let is_lacking = purpose == Purpose::Worker && error.contains("permission denied");
            let is_insert = statement.starts_with("INSERT");
            assert!(
                error.contains(said) || is_lacking && !is_insert,
                "{statement}: {error}"
            );
        }
    }
    // After a hole that somebody made, nothing goes on, and nothing fills it.
    let hole = "SET session_replication_role = replica; DELETE FROM reconciler.ledger_leaves WHERE position = 2";
    on.execute_as_superuser(hole).await;
    let mut migrator = connect(Purpose::Migrator, &on.url).await;
    let filled = raw_sql(AssertSqlSafe(leaf(2)));
    let error = filled
        .execute(&mut migrator)
        .await
        .expect_err("below others");
    assert!(error.to_string().contains("2 to 2 refused"), "{error}");
    // Neither is there a checkpoint of what is left, which would be that of no tree.
    let unchecked = "SET session_replication_role = replica; DELETE FROM reconciler.checkpoints";
    on.execute_as_superuser(unchecked).await;
    let sealed = on.store.seal(100, EACH, |_, _| Some("x".to_owned())).await;
    let error = sealed.expect_err("a hole").to_string();
    assert!(
        error.contains("do not follow on the latest checkpoint"),
        "{error}"
    );
    assert_eq!(on.number_of("reconciler.checkpoints").await, 0);
}

#[tokio::test]
async fn a_key_is_made_for_its_owner_alone_and_checkpoints_say_who_signed() {
    let on = judged(2).await;
    let directory = tempfile::TempDir::new().expect("a directory");
    let file = directory.path().join("checkpoints.key");
    let to = file.to_str().expect("a path");
    assert_says(
        &on.url,
        "ledger checkpoints ⇒ 0 | There is no checkpoint yet.",
    );
    let made = run(&on.url, &["ledger", "key", "--to", to, "-o", "json"]).exits(0);
    let Document::LedgerKey(made) = made.document() else {
        panic!("{}", made.all())
    };
    assert!(made.key.starts_with(&origin(&on).await), "{made:?}");
    assert_eq!(fs::metadata(&file).expect("a file").mode() & 0o777, 0o600);
    let private = fs::read_to_string(&file).expect("a key");
    assert!(private.starts_with("PRIVATE+KEY+"), "a signer's key");
    run(&on.url, &["ledger", "key", "--to", to])
        .exits(1)
        .says(&[], &["the private key cannot be written to"]);
    assert_eq!(
        fs::read_to_string(&file).expect("a key"),
        private,
        "it is as it was"
    );

    let signer = CheckpointSigner::read(&private).expect("a key");
    seal(&on.store, 1, None).await;
    seal(&on.store, 1, Some(&signer)).await;
    let listed = run(&on.url, &["ledger", "checkpoints", "-o", "json"]).exits(0);
    let Document::LedgerCheckpoints(listed) = listed.document() else {
        panic!("{}", listed.all())
    };
    let found: Vec<_> = listed
        .checkpoints
        .iter()
        .map(|it| (it.size, it.signed_by.join(",")))
        .collect();
    let name: Vec<&str> = made.key.splitn(3, '+').take(2).collect();
    let name = name.join("+");
    assert_eq!(found, [(2, name), (1, String::new())]);
    assert_says(
        &on.url,
        "ledger checkpoints ⇒ 0 | VERDICTS | restore-reconciler/ | unsigned\nledger checkpoints --limit 1 ⇒ 0 | VERDICTS",
    );
}

#[tokio::test]
async fn on_sqlite_there_is_no_tree_and_that_is_said() {
    let on = Fixture::sqlite().await;
    assert_says(
        &on.url,
        "ledger checkpoints ⇒ 0 | There is no checkpoint yet
         ledger key --to /nowhere/key ⇒ 1 ! this database has no tree over its ledger
         ledger verify --checkpoint /nowhere/kept ⇒ 1 ! this database has no tree over its ledger
         ledger verify --checkpoint /nowhere/kept --workspace 3 ⇒ 2 ! cannot be used with",
    );
}
