//! Many writers, one verdict each: duplicates and lost updates must be impossible, not improbable.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    ops::ControlFlow,
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use reconciler_jobs::restore_execute::record::Source;
use restore_reconciler::internals::storage::{
    Access, Limits, Settled, Settlement, Settling, Tally, connect,
};
use restore_reconciler::internals::sweep::{Scope, sweep};

use crate::support::case::Case;
use crate::support::cluster::environment;
use crate::support::store::{Fixture, settling};
use crate::support::time::TIMEOUT;

const RUNS: i64 = 2_000;

fn small_batches(worker: &str) -> Settling {
    let mut with = settling();
    with.batch_runs_max = 100;
    with.by.worker = worker.to_owned();
    with.by.source = Source::Sweep;
    with
}

/// Sweeps until nothing is due, and counts what this worker committed itself.
async fn sweep_until_nothing_is_due(url: &str, worker: &str) -> u64 {
    // A file has one writer at a time, in no order, and on a busy machine each takes long.
    let limits = Limits {
        lock_timeout: TIMEOUT,
        ..Limits::default()
    };
    let store = connect(url, Access::Write, &limits)
        .await
        .expect("the database accepts connections");
    let mut committed = 0;
    while store.count_due(None).await.expect("a count") > 0 {
        let tally = sweep(&store, Scope::default(), &small_batches(worker), |_| {
            ControlFlow::Continue(())
        })
        .await
        .expect("contention is no error")
        .tally;
        assert_eq!(tally.refused, 0);
        committed += tally.verdicts();
    }
    committed
}

#[tokio::test(flavor = "multi_thread")]
async fn eight_connections_settle_each_run_once() {
    let on = Fixture::postgres().await;
    on.plant((1..=RUNS).map(Case::proven)).await;
    let workers: Vec<_> = (1..=8)
        .map(|number| {
            let url = on.url.clone();
            tokio::spawn(async move {
                sweep_until_nothing_is_due(&url, &format!("worker {number}")).await
            })
        })
        .collect();
    let mut committed = 0;
    for worker in workers {
        committed += worker.await.expect("no worker fails");
    }
    assert_eq!(committed, RUNS.unsigned_abs());
    on.assert_one_of_each(RUNS).await;
    assert_sweeps_add_up(&on).await;
}

/// What the sweeps table says is what was committed.
async fn assert_sweeps_add_up(on: &Fixture) {
    let counted = on
        .count("SELECT CAST(sum(succeeded) AS BIGINT) FROM reconciler.sweeps")
        .await;
    assert_eq!(counted, RUNS);
}

/// Set in the processes that the test below starts: the file that they settle.
const SETTLE: &str = "RECONCILER_TEST_SETTLE";

#[tokio::test]
async fn two_processes_settle_each_run_of_a_file_once() {
    if let Some(url) = environment(SETTLE) {
        println!("ready");
        std::io::stdin()
            .read_line(&mut String::new())
            .expect("the word to start");
        let worker = format!("process {}", std::process::id());
        let committed = sweep_until_nothing_is_due(&url, &worker).await;
        println!("\ncommitted {committed}");
        return;
    }

    let on = Fixture::sqlite().await;
    on.plant((1..=RUNS).map(Case::proven)).await;
    // This binary again, running this test only, which then takes the branch above.
    let mut settlers = [Settler::start(&on.url), Settler::start(&on.url)];
    for settler in &mut settlers {
        settler.line("ready");
    }
    let mut committed = 0;
    for settler in &mut settlers {
        settler.go();
    }
    for settler in &mut settlers {
        committed += settler.finish();
    }
    assert_eq!(committed, RUNS);
    on.assert_one_of_each(RUNS).await;
    assert_sweeps_add_up(&on).await;
}

struct Settler {
    child: Child,
    said: BufReader<std::process::ChildStdout>,
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
    let workers = ["one", "two"].map(|worker| {
        let url = on.url.clone();
        tokio::spawn(async move { sweep_until_nothing_is_due(&url, worker).await })
    });
    let mut committed = 0;
    for worker in workers {
        committed += worker.await.expect("no worker fails");
    }
    done.store(true, Ordering::Relaxed);
    platform.await.expect("the platform never fails");

    let theirs = on
        .count("SELECT count(*) FROM operation_runs WHERE outcome = 'failed'")
        .await;
    assert!(
        theirs > 0 && committed > 0,
        "both took part: {theirs} and {committed}"
    );
    on.assert_one_of_each(i64::try_from(committed).expect("a count"))
        .await;
    let mixed = "SELECT count(*) FROM operation_runs AS run
        LEFT JOIN reconciler.ledger AS entry ON entry.operation_run_id = run.id
        LEFT JOIN audit_logs AS audit
            ON audit.resource_type = 'operation_run' AND audit.resource_id = run.id::text
        WHERE run.status <> 'completed'
           OR (entry.operation_run_id IS NULL) <> (run.outcome = 'failed')
           OR (audit.id IS NULL) <> (run.outcome = 'failed')
           OR (run.context::jsonb ? 'reconciliation') <> (run.outcome = 'succeeded')
           OR coalesce(run.user_id = 1, false) <> (run.outcome = 'failed')";
    assert_eq!(
        on.count(mixed).await,
        0,
        "runs that are partly ours and partly theirs"
    );
    assert_eq!(theirs + i64::try_from(committed).expect("a count"), RUNS);
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
    on.plant((1..=count).map(|id| {
        if id % 2 == 0 {
            Case::proven(id)
        } else {
            Case::failed(id)
        }
    }))
    .await;
    let mut looks = 0;
    let tally = sweep(&on.store, Scope::default(), &settling(), |settled| {
        let committed = |result: &Settlement| matches!(result, Settlement::Committed(_));
        assert!(settled.iter().all(|run| committed(&run.result)));
        looks += 1;
        ControlFlow::Continue(())
    })
    .await
    .expect("a sweep")
    .tally;
    let half = count.unsigned_abs() / 2;
    assert_eq!((tally.succeeded, tally.failed), (half, half));
    assert_eq!(looks, count / 500);
    on.assert_one_of_each(count).await;

    let before = on.standin.fingerprint().await.expect("a fingerprint");
    let go_on = |_: &[Settled]| ControlFlow::Continue(());
    let again = sweep(&on.store, Scope::default(), &settling(), go_on).await;
    assert_eq!(again.expect("a sweep").tally, Tally::default());
    assert_eq!(
        before,
        on.standin.fingerprint().await.expect("a fingerprint")
    );
}

#[tokio::test]
async fn five_thousand_runs_on_postgresql() {
    a_large_sweep_writes_one_of_each(Fixture::postgres().await, 5_000).await;
}

#[tokio::test]
async fn two_thousand_runs_on_sqlite() {
    a_large_sweep_writes_one_of_each(Fixture::sqlite().await, 2_000).await;
}
