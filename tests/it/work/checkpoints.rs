//! Workers make leaves and checkpoints by themselves, off the settling path, and hand checkpoints out.

use std::fs;
use std::path::Path;
use std::time::Duration;

use restore_reconciler::internals::ledger::NewKey;
use sqlx::raw_sql;
use tempfile::TempDir;

use super::end_soundly;
use crate::cli::stage::run;
use crate::contract::place_verdicts;
use crate::support::case::Case;
use crate::support::roles::{Purpose, connect};
use crate::support::scene::{NO_SWEEPS, OPEN, Scene, VERDICTS, until_said};
use crate::support::time::eventually;

const LEAVES: &str = "SELECT count(*) FROM reconciler.ledger_leaves";

const POSITIONS: &str = "SELECT count(*) FROM reconciler.ledger_positions";

/// How long after its position a verdict has its leaf at the latest.
const WITHIN: Duration = Duration::from_secs(5);

/// A configuration whose checkpoints go into this directory.
fn config(directory: &Path) -> String {
    let directory = directory.display();
    format!(
        "{NO_SWEEPS}[checkpoints]\nevery = \"1s\"\nkey_files = [\"{directory}/key\"]\nfiles = [\"{directory}/kept\"]\n\
         command = [\"/usr/bin/tee\", \"-a\", \"{directory}/given\"]\n"
    )
}

async fn until_in(file: &Path, text: &str) {
    let is_there = async || {
        let found = fs::read_to_string(file).unwrap_or_default();
        found.contains(text).then_some(())
    };
    eventually(is_there, async || {
        format!("{} lacks {text:?}", file.display())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_make_leaves_and_hand_checkpoints_out_and_no_settlement_waits() {
    let directory = TempDir::new().expect("a directory");
    let of = |name: &str| directory.path().join(name);
    let scene = Scene::new(&config(directory.path())).await;
    let key = of("key").display().to_string();
    let made = run(scene.url(), &["ledger", "key", "--to", &key]).exits(0);
    let public = made
        .stdout
        .lines()
        .find(|line| line.contains('+'))
        .expect("a key")
        .trim()
        .to_owned();
    scene.plant((1..=42).map(Case::proven)).await;
    // Those of an older release have positions, and no leaf.
    scene.settle(&(1..=10).collect::<Vec<_>>()).await;
    place_verdicts(&scene, 10).await;
    let workers = [scene.worker().await, scene.worker().await];
    scene.until(LEAVES, 10, &workers[0]).await;
    scene.request(11..=40).await;
    scene.until(LEAVES, 40, &workers[0]).await;
    scene.request([41]).await;
    // A transaction of another test may keep it waiting for its position.
    scene.until(POSITIONS, 41, &workers[0]).await;
    let took = scene.until(LEAVES, 41, &workers[0]).await;
    assert!(took < WITHIN, "{took:?}");

    let mut other = connect(Purpose::Migrator, scene.url()).await;
    let lock = "BEGIN; LOCK TABLE reconciler.ledger_leaves IN ACCESS EXCLUSIVE MODE";
    raw_sql(lock).execute(&mut other).await.expect("a lock");
    scene.request([42]).await;
    scene.until(OPEN, 0, &workers[0]).await;
    assert_eq!(scene.count(VERDICTS).await, 42, "nobody waits for its leaf");
    raw_sql("ROLLBACK")
        .execute(&mut other)
        .await
        .expect("an end");
    scene.until(LEAVES, 42, &workers[0]).await;

    for name in ["kept", "given"] {
        until_in(&of(name), "\n42\n").await;
    }
    let (kept, given) = (of("kept"), fs::read_to_string(of("given")).expect("text"));
    let kept = kept.to_str().expect("a path");
    run(
        scene.url(),
        &["ledger", "verify", "--checkpoint", kept, "--key", &public],
    )
    .exits(0)
    .says(
        &["The first 42 verdicts are those of a checkpoint that was kept elsewhere, verified"],
        &[],
    );
    until_said(&workers[0], "the tree over the ledger has a new checkpoint").await;
    let private = fs::read_to_string(of("key")).expect("a key");
    let secret = private
        .trim()
        .splitn(5, '+')
        .last()
        .expect("a key")
        .to_owned();
    for said in [workers[0].said(), workers[1].said(), given] {
        assert!(!said.contains(&secret), "{said}");
    }
    end_soundly(&scene, workers).await;
    run(scene.url(), &["ledger", "verify"])
        .exits(0)
        .says(&["42 leaves of the tree"], &[]);
}

#[tokio::test]
async fn a_worker_does_not_start_with_a_key_that_cannot_sign_for_this_database() {
    let directory = TempDir::new().expect("a directory");
    let scene = Scene::new(&config(directory.path())).await;
    let file = directory.path().join("key");
    let config = scene.config.display().to_string();
    let works = |said: &str| {
        let ran = run(scene.url(), &["--config", &config, "work"]).exits(1);
        ran.says(
            &[],
            &[
                "cannot sign the checkpoints of this database",
                said,
                "to do: ",
            ],
        );
    };
    works("No such file");
    fs::write(&file, "PRIVATE+KEY+x+00000000+AAAA\n").expect("a file");
    works("it is no key");
    fs::write(&file, NewKey::make("restore-reconciler/another").private).expect("a file");
    works("it is one of restore-reconciler/another");
}
