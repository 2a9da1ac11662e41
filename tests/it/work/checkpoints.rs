//! Workers make leaves and checkpoints by themselves, off the settling path, and hand checkpoints out.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use restore_reconciler::internals::ledger::NewKey;
use sqlx::raw_sql;
use tempfile::TempDir;

use super::end_soundly;
use super::feed::until_exported;
use crate::cli::stage::run;
use crate::contract::place_verdicts;
use crate::support::case::Case;
use crate::support::roles::{Purpose, connect};
use crate::support::scene::{CENSUS, NO_SWEEPS, OPEN, SWEEPS, Scene, VERDICTS, until_said};
use crate::support::time::{Machine, eventually};
use crate::tree::seal_all;

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
    fs::remove_file(&file).expect("it is there");
    let path = file.display().to_string();
    run(scene.url(), &["ledger", "key", "--to", &path]).exits(0);
    for mode in [0o644, 0o604, 0o620, 0o602] {
        fs::set_permissions(&file, Permissions::from_mode(mode)).expect("a mode");
        let said = format!("is no secret: its mode {mode:03o} lets others read it");
        let advice = format!("chmod 600 {path}");
        for verb in ["work", "doctor"] {
            let ran = run(scene.url(), &["--config", &config, verb]);
            let all = ran.all();
            assert!(
                all.contains(&said) && all.contains(&advice),
                "{mode:o} {verb}: {all}"
            );
        }
    }
    // What a group may read is how a secret is mounted for one.
    fs::set_permissions(&file, Permissions::from_mode(0o440)).expect("a mode");
    let ran = run(scene.url(), &["--config", &config, "doctor"]);
    assert!(!ran.all().contains("is no secret"), "{}", ran.all());
}

/// Whoever is at it for ever keeps all verdicts from their leaves.
#[tokio::test(flavor = "multi_thread")]
async fn how_long_verdicts_wait_for_their_leaves_is_exported() {
    const WAIT: &str = "reconciler_ledger_unsealed_age_seconds";
    let scene = Scene::new(&format!("{NO_SWEEPS}{CENSUS}")).await;
    scene.plant([Case::proven(1)]).await;
    let mut other = connect(Purpose::Engineer, scene.url()).await;
    let turn = "BEGIN; SELECT pg_advisory_xact_lock(7165071)";
    raw_sql(turn).execute(&mut other).await.expect("a lock");
    let worker = scene.worker().await;
    scene.request([1]).await;
    until_exported(&worker, |it| it.is_above_zero(WAIT)).await;
    raw_sql("ROLLBACK")
        .execute(&mut other)
        .await
        .expect("an end");
    until_exported(&worker, |it| it.is_zero(WAIT)).await;
    end_soundly(&scene, [worker]).await;
}

/// While workers settle thousands of runs, what they have committed last waits no longer than what they commit alone.
#[tokio::test(flavor = "multi_thread")]
async fn each_verdict_has_its_leaf_in_time_under_load() {
    const WAVES: i64 = 12;
    const RUNS: i64 = 200;
    const OLDEST: &str =
        "SELECT coalesce((extract(epoch FROM clock_timestamp() - min(verdict.decided_at)) * 1000)::bigint, 0)
         FROM reconciler.ledger AS verdict
         WHERE NOT EXISTS (
             SELECT
             FROM reconciler.ledger_positions AS placed
             JOIN reconciler.ledger_leaves AS sealed USING (position)
             WHERE placed.decision_id = verdict.decision_id
         )";
    let machine = Machine::watch();
    let scene = Scene::new(SWEEPS).await;
    let workers = [scene.worker().await, scene.worker().await];
    let worst = AtomicI64::new(0);
    let look = async |query: &str, wanted: i64| {
        worst.fetch_max(scene.count(OLDEST).await, Ordering::Relaxed);
        (scene.count(query).await == wanted).then_some(())
    };
    let state = async || {
        format!(
            "{} leaves\n{}",
            scene.count(LEAVES).await,
            workers[0].said()
        )
    };
    for wave in 0..WAVES {
        let runs = (wave + 1) * RUNS;
        scene
            .plant((wave * RUNS + 1..=runs).map(Case::proven))
            .await;
        eventually(async || look(VERDICTS, runs).await, state).await;
    }
    eventually(async || look(LEAVES, WAVES * RUNS).await, state).await;
    let worst = Duration::from_millis(worst.into_inner().unsigned_abs());
    // A second more is too long on any machine.
    let granted = machine.grants(WITHIN).min(WITHIN + Duration::from_secs(1));
    assert!(worst < granted, "{worst:?}, granted {granted:?}");
    println!("the oldest verdict without a leaf was {worst:?} old");
    end_soundly(&scene, workers).await;
}

/// Of one that was made just before its maker ended, nobody has a copy.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_made_before_is_handed_out_once_at_the_next_start() {
    let directory = TempDir::new().expect("a directory");
    let of = |name: &str| directory.path().join(name);
    let scene = Scene::new(&config(directory.path())).await;
    let key = of("key").display().to_string();
    run(scene.url(), &["ledger", "key", "--to", &key]).exits(0);
    scene.plant((1..=2).map(Case::proven)).await;
    scene.settle(&[1, 2]).await;
    place_verdicts(&scene, 2).await;
    seal_all(&scene, 10, None).await;
    assert!(!of("kept").exists());
    for _ in 0..2 {
        let worker = scene.worker().await;
        until_said(&worker, "is handed out again").await;
        until_in(&of("kept"), "\n2\n").await;
        until_in(&of("given"), "\n2\n").await;
        end_soundly(&scene, [worker]).await;
    }
    let kept = fs::read_to_string(of("kept")).expect("text");
    assert_eq!(kept.matches("restore-reconciler/").count(), 1, "{kept}");
}

/// A key of before signs nothing for an installation that has another id now.
#[tokio::test(flavor = "multi_thread")]
async fn a_worker_signs_nothing_by_a_key_of_another_installation() {
    let directory = TempDir::new().expect("a directory");
    let of = |name: &str| directory.path().join(name);
    let scene = Scene::new(&config(directory.path())).await;
    let key = of("key").display().to_string();
    run(scene.url(), &["ledger", "key", "--to", &key]).exits(0);
    scene.plant((1..=2).map(Case::proven)).await;
    let worker = scene.worker().await;
    scene.request([1]).await;
    until_in(&of("kept"), "\n1\n").await;
    let other =
        "UPDATE reconciler.platform SET install_id = '00000000-0000-4000-8000-000000000000'";
    let mut migrator = connect(Purpose::Migrator, scene.url()).await;
    let done = raw_sql(other).execute(&mut migrator).await;
    done.expect("another id");
    scene.request([2]).await;
    until_in(
        &of("kept"),
        "restore-reconciler/00000000-0000-4000-8000-000000000000\n2\n",
    )
    .await;
    until_said(&worker, "a checkpoint lacks signatures").await;
    let kept = fs::read_to_string(of("kept")).expect("text");
    assert_eq!(
        kept.matches('\u{2014}').count(),
        1,
        "the second is unsigned: {kept}"
    );
    end_soundly(&scene, [worker]).await;
    let listed = run(scene.url(), &["ledger", "checkpoints"]).exits(0);
    assert!(
        listed.stdout.contains("unsigned") && !listed.stdout.contains("verified"),
        "{}",
        listed.stdout
    );
}
