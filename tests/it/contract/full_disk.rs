//! Transactions that SQLite ends by itself, as it does where a commit finds the disk full.

use std::fs;
use std::ops::RangeInclusive;
use std::path::Path;
use std::process::Command;

use reconciler_fixtures::Standin;
use restore_reconciler::internals::storage::{Access, Limits, Store, connect};
use restore_reconciler::internals::worker::set_up;
use tempfile::TempDir;

use crate::support::case::{Case, rows_of, world};
use crate::support::scene::{SWEEPS, dismiss, until_ready, until_said};
use crate::support::settled::{refused, run_ids, settle, settling};
use crate::support::store::Fixture;
use crate::support::time::eventually;
use crate::support::worker::Worker;

/// Whatever comes next comes on the connection that was there.
async fn on_one_connection(url: &str, access: Access) -> Store {
    let limits = Limits {
        connections_max: 1,
        ..Limits::default()
    };
    connect(url, access, &limits).await.expect("a file")
}

#[tokio::test]
async fn a_transaction_that_sqlite_ended_by_itself_spoils_none_that_follows() {
    let on = Fixture::sqlite().await;
    on.plant([Case::proven(1), Case::proven(2)]).await;
    on.execute(
        "CREATE TRIGGER ends BEFORE INSERT ON reconciler_ledger WHEN NEW.operation_run_id = 1
         BEGIN SELECT RAISE(ROLLBACK, 'ended by a test'); END",
    )
    .await;
    let store = on_one_connection(&on.url, Access::Write).await;
    let mut results = settle(&store, &[1], &settling()).await;
    let result = results.remove(&1).expect("an answer");
    let (_, error) = refused(&result);
    assert!(error.contains("ended by a test"), "{error}");
    let settled = settle(&store, &[2], &settling()).await;
    assert_eq!(settled.len(), 1);
    on.execute("DROP TRIGGER ends").await;
    settle(&store, &[1], &settling()).await;
    on.assert_one_of_each(2).await;
}

/// A file system of its own, gone with this value.
struct SmallDisk(TempDir);

impl SmallDisk {
    /// None where this user may mount none.
    fn mount() -> Option<Self> {
        let directory = TempDir::new().expect("a directory");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=8m", "tmpfs"]);
        let mounted = mount.arg(directory.path()).output();
        let is_mounted = mounted.is_ok_and(|mounted| mounted.status.success());
        is_mounted.then_some(Self(directory))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn filler(&self) -> std::path::PathBuf {
        self.path().join("filler")
    }

    fn fill(&self) {
        let full = fs::write(self.filler(), vec![0; 16 << 20]);
        full.expect_err("there is not that much room");
    }

    fn free(&self) {
        fs::remove_file(self.filler()).expect("it is there");
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: connections of the test may still be closing.
        drop(Command::new("umount").arg("-l").arg(self.path()).output());
    }
}

/// A database on it with this many runs that wait for a verdict.
async fn prepared(disk: &SmallDisk, runs: i64) -> (String, Store) {
    let url = format!("sqlite:{}", disk.path().join("platform.sqlite").display());
    let store = on_one_connection(&url, Access::Create).await;
    let standin = Standin::new(&url).expect("a URL");
    standin.install().await.expect("the stand-in");
    store.migrate().await.expect("our tables");
    set_up(&store).await.expect("the queue");
    standin.plant(&world()).await.expect("the world");
    plant(&url, 1..=runs).await;
    (url, store)
}

async fn plant(url: &str, runs: RangeInclusive<i64>) {
    let rows = rows_of(runs.map(Case::proven));
    let standin = Standin::new(url).expect("a URL");
    standin.plant(&rows).await.expect("runs");
}

const RUNS: i64 = 60;

#[tokio::test]
async fn a_disk_that_was_full_is_got_over() {
    let Some(disk) = SmallDisk::mount() else {
        println!("skipped: this user may mount no file system");
        return;
    };
    let (_, store) = prepared(&disk, RUNS).await;
    let runs: Vec<i64> = (1..=RUNS).collect();
    disk.fill();
    let (ids, with, mut settled) = (run_ids(&runs), settling(), Vec::new());
    let full = store.settle(&ids, &with, &mut settled).await;
    let error = full.expect_err("the disk is full").to_string();
    assert!(error.contains("disk is full"), "{error}");
    assert_eq!(settled.len(), 0, "all or nothing");
    disk.free();
    let settled = settle(&store, &runs, &settling()).await;
    assert_eq!(settled.len(), runs.len(), "there is room again");
}

/// By itself, on the connections that it has.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_goes_on_once_there_is_room_again() {
    let Some(disk) = SmallDisk::mount() else {
        println!("skipped: this user may mount no file system");
        return;
    };
    let (url, store) = prepared(&disk, RUNS).await;
    let config = disk.path().join("reconciler.toml");
    let one = "[database]\nconnections_max = 1\n[log]\nfilter = \"info,restore_reconciler::worker::sweeps=debug\"\n";
    fs::write(&config, format!("{SWEEPS}{one}")).expect("a file");
    let worker = Worker::start(&url, Some(&config)).await;
    let worker = worker.unwrap_or_else(|why| panic!("{why}"));
    until_ready(&worker).await;
    let is_settled = async || (store.count_due(None).await.ok() == Some(0)).then_some(());
    eventually(is_settled, async || worker.said()).await;
    disk.fill();
    // Whatever it tries first.
    until_said(&worker, "database or disk is full").await;
    assert_eq!(worker.probe("/livez").await.0, 200, "{}", worker.said());
    disk.free();
    plant(&url, RUNS + 1..=2 * RUNS).await;
    eventually(is_settled, async || worker.said()).await;
    until_ready(&worker).await;
    dismiss(worker).await;
}
