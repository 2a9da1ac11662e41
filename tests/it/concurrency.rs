//! Many writers, one verdict each: duplicates and lost updates must be impossible, not improbable.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use restore_reconciler::internals::storage::{Access, Limits, Settling, Tally, connect};
use restore_reconciler::internals::sweep::Scope;
use tokio::task::JoinSet;

use crate::support::case::Case;
use crate::support::cluster::environment;
use crate::support::roles::Purpose;
use crate::support::settled::{pages, pass, settling};
use crate::support::store::Fixture;
use crate::support::time::TIMEOUT;

const RUNS: i64 = 2_000;

fn small_batches(worker: &str) -> Settling {
    let mut with = settling();
    with.batch_runs_max = 100;
    with.by.worker = worker.to_owned();
    with
}

/// Sweeps until nothing is due, and counts what this worker committed itself.
async fn sweep_until_nothing_is_due(url: &str, worker: &str) -> u64 {
    // A file has one writer at a time, in no order, and on a busy machine each takes long.
    let limits = Limits {
        lock_timeout: TIMEOUT,
        ..Limits::default()
    };
    let store = connect(&Purpose::Worker.url(url), Access::Write, &limits).await;
    let store = store.expect("the database accepts connections");
    let mut committed = 0;
    while store.count_due(None).await.expect("a count") > 0 {
        let pass = pass(&store, Scope::default(), &small_batches(worker)).await;
        let tally = pass.expect("contention is no error").tally;
        assert_eq!(tally.refused, 0);
        committed += tally.verdicts();
    }
    committed
}

/// Has each of these workers sweep in a task of its own, and counts what they committed.
async fn sweep_together(url: &str, workers: &'static [&str]) -> i64 {
    let mut sweeping = JoinSet::new();
    for worker in workers {
        let url = url.to_owned();
        sweeping.spawn(async move { sweep_until_nothing_is_due(&url, worker).await });
    }
    let committed: u64 = sweeping.join_all().await.into_iter().sum();
    committed.cast_signed()
}

#[tokio::test(flavor = "multi_thread")]
async fn eight_connections_settle_each_run_once() {
    let on = Fixture::postgres().await;
    on.plant((1..=RUNS).map(Case::proven)).await;
    let workers = &["1", "2", "3", "4", "5", "6", "7", "8"];
    assert_eq!(sweep_together(&on.url, workers).await, RUNS);
    on.assert_one_of_each(RUNS).await;
    assert_sweeps_add_up(&on).await;
}

/// What the sweeps table says is what was committed.
async fn assert_sweeps_add_up(on: &Fixture) {
    let counted = "SELECT CAST(sum(succeeded) AS BIGINT) FROM reconciler.sweeps";
    assert_eq!(on.count(counted).await, RUNS);
}

/// Set in the processes that the test below starts: the file that they settle.
const SETTLE: &str = "RECONCILER_TEST_SETTLE";

#[tokio::test]
async fn two_processes_settle_each_run_of_a_file_once() {
    if let Some(url) = environment(SETTLE) {
        println!("ready");
        let word = std::io::stdin().read_line(&mut String::new());
        word.expect("the word to start");
        let worker = format!("process {}", std::process::id());
        let committed = sweep_until_nothing_is_due(&url, &worker).await;
        println!("\ncommitted {committed}");
        return;
    }

    let on = Fixture::sqlite().await;
    on.plant((1..=RUNS).map(Case::proven)).await;
    // This binary again, running this test only, which then takes the branch above.
    let mut settlers = [&on.url, &on.url].map(|url| Settler::start(url));
    for settler in &mut settlers {
        settler.line("ready");
    }
    settlers.iter_mut().for_each(Settler::go);
    let committed: i64 = settlers.iter_mut().map(Settler::finish).sum();
    assert_eq!(committed, RUNS);
    on.assert_one_of_each(RUNS).await;
    assert_sweeps_add_up(&on).await;
}

struct Settler {
    child: Child,
    said: BufReader<ChildStdout>,
}

impl Settler {
    fn start(url: &str) -> Self {
        let this_test = "concurrency::two_processes_settle_each_run_of_a_file_once";
        let mut child = Command::new(std::env::current_exe().expect("this binary"))
            .args(["--exact", this_test, "--nocapture"])
            .env(SETTLE, url)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("this binary starts");
        let said = BufReader::new(child.stdout.take().expect("stdout is piped"));
        Self { child, said }
    }

    /// Reads on until a line that contains `word`, and returns what follows it.
    fn line(&mut self, word: &str) -> String {
        loop {
            let mut line = String::new();
            let read = self.said.read_line(&mut line).expect("text");
            assert!(read > 0, "the process ended without saying {word:?}");
            if let Some((_, rest)) = line.split_once(word) {
                return rest.trim().to_owned();
            }
        }
    }

    fn go(&mut self) {
        let stdin = self.child.stdin.as_mut().expect("stdin is piped");
        stdin.write_all(b"go\n").expect("the process listens");
    }

    fn finish(&mut self) -> i64 {
        let committed = self.line("committed").parse().expect("a number");
        assert!(self.child.wait().expect("an end").success());
        committed
    }
}

/// The platform closes runs, and touches others, while two workers settle them. Each run ends as ours
/// or as the platform's, whole.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_the_platform_closes_is_theirs_whole() {
    let on = Arc::new(Fixture::postgres().await);
    on.plant((1..=RUNS).map(Case::proven)).await;
    let done = Arc::new(AtomicBool::new(false));
    let platform = tokio::spawn(act_as_the_platform(Arc::clone(&on), Arc::clone(&done)));
    let committed = sweep_together(&on.url, &["one", "two"]).await;
    done.store(true, Ordering::Relaxed);
    platform.await.expect("the platform never fails");

    let theirs = "operation_runs WHERE outcome = 'failed'";
    let theirs = on.number_of(theirs).await;
    let both = format!("both took part: {theirs} and {committed}");
    assert!(theirs > 0 && committed > 0, "{both}");
    on.assert_one_of_each(committed).await;
    let mixed = "operation_runs AS run
        LEFT JOIN reconciler.ledger AS entry ON entry.operation_run_id = run.id
        LEFT JOIN audit_logs AS audit
            ON audit.resource_type = 'operation_run' AND audit.resource_id = run.id::text
        WHERE run.status <> 'completed'
           OR (entry.operation_run_id IS NULL) <> (run.outcome = 'failed')
           OR (audit.id IS NULL) <> (run.outcome = 'failed')
           OR (run.context::jsonb ? 'reconciliation') <> (run.outcome = 'succeeded')
           OR coalesce(run.user_id = 1, false) <> (run.outcome = 'failed')";
    let mixed = on.number_of(mixed).await;
    assert_eq!(mixed, 0, "runs that are partly ours and partly theirs");
    assert_eq!(theirs + committed, RUNS);
}

/// Closes three runs at a time, guarded as the platform guards it, and touches ten others.
async fn act_as_the_platform(on: Arc<Fixture>, done: Arc<AtomicBool>) {
    while !done.load(Ordering::Relaxed) {
        on.execute(
            "UPDATE operation_runs
             SET status = 'completed', outcome = 'failed', user_id = 1, updated_at = now()
             WHERE status IN ('queued', 'running') AND id IN (
                 SELECT id FROM operation_runs WHERE status = 'running' ORDER BY random() LIMIT 3
             )",
        )
        .await;
        on.execute(
            "UPDATE operation_runs SET user_id = 0, updated_at = now()
             WHERE status IN ('queued', 'running') AND id IN (
                 SELECT id FROM operation_runs WHERE status = 'running' ORDER BY random() LIMIT 10
             )",
        )
        .await;
    }
}

async fn a_large_sweep_writes_one_of_each(on: Fixture, count: i64) {
    on.plant((1..=count).step_by(2).map(Case::failed)).await;
    on.plant((2..=count).step_by(2).map(Case::proven)).await;
    let (swept, pages) = pages(&on.store, Scope::default(), &settling()).await;
    let half = count.unsigned_abs() / 2;
    assert_eq!((swept.tally.succeeded, swept.tally.failed), (half, half));
    assert_eq!(swept.tally.looked_at(), count.unsigned_abs());
    assert!(pages.iter().map(Vec::len).eq(vec![500; pages.len()]));
    on.assert_one_of_each(count).await;

    let before = on.fingerprint().await;
    let again = pass(&on.store, Scope::default(), &settling()).await;
    assert_eq!(again.expect("a sweep").tally, Tally::default());
    assert_eq!(before, on.fingerprint().await);
}

#[tokio::test]
async fn five_thousand_runs_on_postgresql() {
    a_large_sweep_writes_one_of_each(Fixture::postgres().await, 5_000).await;
}

#[tokio::test]
async fn two_thousand_runs_on_sqlite() {
    a_large_sweep_writes_one_of_each(Fixture::sqlite().await, 2_000).await;
}
