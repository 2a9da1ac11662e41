//! The long-running process at work: what it does when it is asked, when it is time, and when something is
//! wrong with a job or with a run.

mod in_time;
mod latency;
mod lifecycle;
mod patience;
mod poison;
mod scene;
mod ticks;

use std::{fs, path::PathBuf, sync::Arc, time::Duration};

use restore_reconciler::clock::Stopwatch;
use restore_reconciler::storage::{Access, Limits, Standin, connect_standin};
use sqlx::{AssertSqlSafe, PgPool};
use tempfile::TempDir;
use tokio::time::interval;

use crate::support::case::{Case, rows_of};
use crate::support::cluster::{self, TestDatabase};
use crate::support::worker::{Worker, stage};

/// How long to wait before it is a failure. Nothing waits longer than it must.
const PATIENCE: Duration = Duration::from_secs(40);
/// Between two looks.
const POLL: Duration = Duration::from_millis(10);

/// A database that is ready for workers, and a way to look into it.
struct Site {
    pool: PgPool,
    store: Arc<dyn Standin>,
    url: String,
    config: PathBuf,
    _directory: TempDir,
    _database: TestDatabase,
}

impl Site {
    /// With this configuration for its workers.
    async fn new(config: &str) -> Self {
        let database = cluster::database().await;
        let url = database.url();
        let pool = stage(&url).await;
        let store = connect_standin(&url, Access::Write, &Limits::default())
            .await
            .expect("the server is there");
        let directory = TempDir::new().expect("a temporary directory");
        let file = directory.path().join("reconciler.toml");
        fs::write(&file, config).expect("a file");
        Self {
            pool,
            store,
            url,
            config: file,
            _directory: directory,
            _database: database,
        }
    }

    async fn worker(&self) -> Worker {
        Worker::start(&self.url, Some(&self.config))
            .await
            .unwrap_or_else(|why| panic!("{why}"))
    }

    async fn plant(&self, cases: impl IntoIterator<Item = Case>) {
        let rows = rows_of(cases);
        self.store.plant(&rows).await.expect("rows can be planted");
    }

    /// Asks for runs, all in one transaction.
    async fn request(&self, runs: impl IntoIterator<Item = i64>) {
        let runs: Vec<i64> = runs.into_iter().collect();
        let queued: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM unnest($1::bigint[]) AS run WHERE reconciler.request(run)",
        )
        .bind(&runs)
        .fetch_one(&self.pool)
        .await
        .expect("an answer");
        assert_eq!(usize::try_from(queued), Ok(runs.len()));
    }

    #[expect(clippy::disallowed_methods, reason = "statements of a test")]
    async fn execute(&self, statements: &str) {
        sqlx::raw_sql(AssertSqlSafe(statements))
            .execute(&self.pool)
            .await
            .unwrap_or_else(|error| panic!("{statements}: {error}"));
    }

    /// The number that a query gives.
    #[expect(clippy::disallowed_methods, reason = "statements of a test")]
    async fn count(&self, query: &str) -> i64 {
        sqlx::query_scalar(AssertSqlSafe(query))
            .fetch_one(&self.pool)
            .await
            .unwrap_or_else(|error| panic!("{query}: {error}"))
    }

    /// Waits until a query gives this number, and says how long that took.
    async fn until(&self, query: &str, number: i64, worker: &Worker) -> Duration {
        let began = Stopwatch::start();
        let mut poll = interval(POLL);
        loop {
            poll.tick().await;
            let found = self.count(query).await;
            if found == number {
                return began.elapsed();
            }
            assert!(
                began.elapsed() < PATIENCE,
                "{query}: {found}, not {number}\n{}",
                worker.said()
            );
        }
    }

    /// Waits until so many runs have a verdict.
    async fn verdicts(&self, number: i64, worker: &Worker) -> Duration {
        self.until(VERDICTS, number, worker).await
    }

    async fn fingerprint(&self) -> Vec<u8> {
        format!(
            "{:?}",
            self.store.fingerprint().await.expect("a fingerprint")
        )
        .into_bytes()
    }
}

const VERDICTS: &str = "SELECT count(*) FROM reconciler.ledger";

/// Jobs that somebody still has to deal with.
const OPEN_JOBS: &str = "SELECT count(*) FROM apalis.jobs
    WHERE job_type = 'restore.execute' AND status NOT IN ('Done', 'Killed')";

async fn ends_well(worker: Worker) {
    let (code, said) = worker.terminate().await;
    assert_eq!(code, Some(0), "a worker that was told to stop\n{said}");
}
