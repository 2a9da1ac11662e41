//! A database that workers can work on, and the ways in which these tests look at it.

use std::{fs, path::PathBuf, time::Duration};

use sqlx::{Connection as _, PgConnection, PgPool, raw_sql};
use tempfile::TempDir;
use tokio::time::{interval, timeout};

use crate::support::cluster::TestDatabase;
use crate::support::worker::{Worker, stage};

/// How long to wait before it is a failure. Debug builds on a busy machine are slow.
pub(super) const PATIENCE: Duration = Duration::from_mins(1);
/// Between two looks.
pub(super) const POLL: Duration = Duration::from_millis(20);

/// No sweep within the time of any test, so that a request is the only way to a verdict.
pub(super) const NO_SWEEPS: &str = "[sweep]\nschedule = \"0 0 0 1 1 *\"\n";
/// A sweep each second.
pub(super) const SWEEPS: &str = "[sweep]\nschedule = \"* * * * * *\"\n";

/// Settling run N waits for advisory lock N before it closes the run.
const HOLD: &str = "
    CREATE OR REPLACE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        PERFORM pg_advisory_xact_lock_shared(new.id);
        RETURN new;
    END
    $$;
    CREATE OR REPLACE TRIGGER hold BEFORE UPDATE ON operation_runs FOR EACH ROW
        WHEN (old.status <> 'completed' AND new.status = 'completed') EXECUTE FUNCTION hold()";

const WORKSPACES: &str = "
    WITH workspace AS (
        INSERT INTO workspaces (id, name)
        SELECT id, 'Workspace ' || id FROM generate_series($1, $1 + $2 - 1) AS id
        ON CONFLICT DO NOTHING
    ),
    environment AS (
        INSERT INTO managed_environments (id, workspace_id, name)
        SELECT id * 10 + 1, id, 'Environment' FROM generate_series($1, $1 + $2 - 1) AS id
        ON CONFLICT DO NOTHING
    )
    INSERT INTO backup_sets (id, workspace_id, managed_environment_id, name, status)
    SELECT id * 10 + 1, id, id * 10 + 1, 'Backup', 'completed' FROM generate_series($1, $1 + $2 - 1) AS id
    ON CONFLICT DO NOTHING";

/// The same rows as those of [`crate::support::case::Case::proven`], a whole set at once.
const RUNS: &str = r#"
    WITH one AS (
        SELECT id, $3 + id % $4 AS workspace, ($3 + id % $4) * 10 + 1 AS environment
        FROM generate_series($1, $2) AS id
    ),
    run AS (
        INSERT INTO operation_runs (
            id, workspace_id, managed_environment_id, initiator_name, type, status, outcome,
            run_identity_hash, context, created_at, updated_at
        )
        SELECT id, workspace, environment, 'A. Operator', 'restore.execute', 'running', 'pending', 'run-' || id,
            jsonb_build_object('restore_run_id', 1000000 + id), '2025-03-01 10:00:00', '2025-03-01 10:00:00'
        FROM one
    ),
    restore AS (
        INSERT INTO restore_runs (
            id, workspace_id, managed_environment_id, backup_set_id, operation_run_id, status,
            requested_items, results, metadata, started_at, completed_at, created_at
        )
        SELECT 1000000 + id, workspace, environment, environment, id, 'completed', '[7,8]',
            '{"foundations":[],"items":{"7":{"status":"applied"},"8":{"status":"applied"}}}',
            '{"total":2,"succeeded":2}',
            '2025-03-01 10:00:10', '2025-03-01 10:05:00', '2025-03-01 10:00:00'
        FROM one
    ),
    audit AS (
        INSERT INTO audit_logs (
            workspace_id, managed_environment_id, action, resource_type, resource_id, status, outcome, recorded_at
        )
        SELECT workspace, environment, 'restore.completed', 'restore_run', 1000000 + id, 'success', 'success',
            '2025-03-01 10:05:01'
        FROM one
    )
    INSERT INTO evidence_snapshots (
        id, workspace_id, managed_environment_id, operation_run_id, status, completeness_state, generated_at
    )
    SELECT 2000000 + id, workspace, environment, id, 'active', 'complete', '2025-03-01 10:06:00+00'
    FROM one"#;

/// How many sessions wait for advisory locks of [`Scene::hold`].
pub(super) const WAITING: &str = "
    SELECT count(*)
    FROM pg_locks AS lock JOIN pg_stat_activity AS session USING (pid)
    WHERE lock.locktype = 'advisory' AND NOT lock.granted AND session.datname = current_database()";

/// Jobs that are not done, and who has them; for the message of a failure.
const UNFINISHED: &str = "
    SELECT format('job %s %s: %s, %s tries, in hand of %s for %s; last seen %s ago', job.id, convert_from(job.job, 'UTF8'),
        job.status, job.attempts, job.lock_by, now() - job.lock_at, now() - worker.last_seen)
    FROM apalis.jobs AS job LEFT JOIN apalis.workers AS worker ON worker.id = job.lock_by
    WHERE job.status <> 'Done'";

pub(super) const OPEN: &str = "SELECT count(*) FROM operation_runs WHERE status <> 'completed'";

/// A database, prepared, and the configuration of its workers.
pub(super) struct Scene {
    pub(super) database: TestDatabase,
    pub(super) pool: PgPool,
    pub(super) config: PathBuf,
    _directory: TempDir,
}

impl Scene {
    pub(super) async fn new(database: TestDatabase, config: &str) -> Self {
        let pool = stage(&database.url()).await;
        let directory = TempDir::new().expect("a temporary directory");
        let file = directory.path().join("reconciler.toml");
        // A line per verdict would leave no room for what else is said.
        let quiet = "[log]\nfilter = \"info,restore_reconciler::storage::report=warn\"\n";
        fs::write(&file, format!("{config}{quiet}")).expect("a file");
        Self {
            database,
            pool,
            config: file,
            _directory: directory,
        }
    }

    /// Starts a worker and waits until it is ready.
    pub(super) async fn worker(&self) -> Worker {
        self.worker_at(&self.database.url()).await
    }

    /// The same by another way to the database.
    pub(super) async fn worker_at(&self, url: &str) -> Worker {
        let worker = self.unready_at(url).await;
        until_ready(&worker).await;
        worker
    }

    /// Starts a worker and waits until it answers probes.
    pub(super) async fn unready_at(&self, url: &str) -> Worker {
        Worker::start(url, Some(&self.config))
            .await
            .unwrap_or_else(|why| panic!("{why}"))
    }

    /// Runs with complete proof, from `first` to `last`, spread over `workspaces`, numbered from `workspace` on.
    pub(super) async fn plant(&self, first: i64, last: i64, workspace: i64, workspaces: i64) {
        let mut tx = self.pool.begin().await.expect("a transaction");
        sqlx::query(WORKSPACES)
            .bind(workspace)
            .bind(workspaces)
            .execute(&mut *tx)
            .await
            .expect("workspaces");
        plant(&mut tx, first, last, workspace, workspaces).await;
        tx.commit().await.expect("a commit");
    }

    /// One run of a workspace that is there, and the request for it, in one transaction.
    pub(super) async fn plant_and_request(&self, run: i64, workspace: i64) {
        let mut tx = self.pool.begin().await.expect("a transaction");
        plant(&mut tx, run, run, workspace, 1).await;
        let queued: bool = sqlx::query_scalar("SELECT reconciler.request($1)")
            .bind(run)
            .fetch_one(&mut *tx)
            .await
            .expect("an answer");
        assert!(queued, "run {run}");
        tx.commit().await.expect("a commit");
    }

    /// Asks for all these runs in one transaction.
    pub(super) async fn request(&self, first: i64, last: i64) {
        let queued: i64 = sqlx::query_scalar(
            "SELECT count(*) FILTER (WHERE reconciler.request(run)) FROM generate_series($1, $2) AS run",
        )
        .bind(first)
        .bind(last)
        .fetch_one(&self.pool)
        .await
        .expect("an answer");
        assert_eq!(queued, last - first + 1);
    }

    /// Makes the settlement of `run` wait until the session that is returned ends.
    pub(super) async fn hold(&self, run: i64) -> PgConnection {
        self.execute(HOLD).await;
        let mut session = PgConnection::connect(&self.database.url())
            .await
            .expect("a connection");
        sqlx::query("SELECT pg_advisory_lock($1)")
            .bind(run)
            .execute(&mut session)
            .await
            .expect("nobody else has it");
        session
    }

    pub(super) async fn execute(&self, script: &'static str) {
        raw_sql(script)
            .execute(&self.pool)
            .await
            .unwrap_or_else(|error| panic!("{error}: {script}"));
    }

    pub(super) async fn count(&self, query: &'static str) -> i64 {
        sqlx::query_scalar(query)
            .fetch_one(&self.pool)
            .await
            .unwrap_or_else(|error| panic!("{error}: {query}"))
    }

    /// Waits until a query counts so many.
    pub(super) async fn until(&self, query: &'static str, wanted: i64, worker: &Worker) {
        let mut poll = interval(POLL);
        let counted = timeout(PATIENCE, async {
            while self.count(query).await != wanted {
                poll.tick().await;
            }
        });
        if counted.await.is_err() {
            let found = self.count(query).await;
            let jobs: Vec<String> = sqlx::query_scalar(UNFINISHED)
                .fetch_all(&self.pool)
                .await
                .expect("an answer");
            let (jobs, said) = (jobs.join("\n"), worker.said());
            panic!("{found}, not {wanted}: {query}\n{jobs}\n{said}");
        }
    }
}

async fn plant(session: &mut PgConnection, first: i64, last: i64, workspace: i64, workspaces: i64) {
    sqlx::query(RUNS)
        .bind(first)
        .bind(last)
        .bind(workspace)
        .bind(workspaces)
        .execute(session)
        .await
        .expect("runs");
}

/// Waits until a worker says that it is ready.
pub(super) async fn until_ready(worker: &Worker) {
    let mut poll = interval(POLL);
    let ready = timeout(PATIENCE, async {
        while worker.probe("/readyz").await.0 != 200 {
            poll.tick().await;
        }
    });
    if ready.await.is_err() {
        let (_, state) = worker.probe("/readyz?verbose").await;
        panic!("not ready: {state}\n{}", worker.said());
    }
}

/// Ends a worker in peace.
pub(super) async fn dismiss(worker: Worker) {
    let (code, said) = worker.terminate().await;
    assert_eq!(code, Some(0), "a worker that was told to stop\n{said}");
}
