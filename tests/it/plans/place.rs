//! A database as it is after years: a million settled runs, and a queue that has delivered many jobs.

use std::sync::atomic::{AtomicI64, Ordering};

use futures_util::future::join;
use reconciler_fixtures::{PlatformRows, Standin};
use reconciler_jobs::ids::RunId;
use restore_reconciler::internals::storage::reader::{Reader, open_reader};
use restore_reconciler::internals::storage::{Limits, Store};
use restore_reconciler::internals::worker::set_up;
use sqlx::postgres::{PgPool, PgPoolOptions};

use super::server::EXPLAIN;
use super::statements::LARGE;
use crate::support::cluster::{TestDatabase, database, environment, execute_as_superuser};
use crate::support::roles::{Purpose, connect, grant};
use crate::support::store::{open, open_as};

/// How many settled runs there are, unless this says otherwise.
const SETTLED_VARIABLE: &str = "RECONCILER_TEST_SETTLED";
const SETTLED: i64 = 1_000_000;

/// All that is open has a higher number, as it is with what is new.
pub(super) const OPEN_FIRST: i64 = 100_000_001;

/// How many settled runs one transaction plants.
const CHUNK_RUNS: i64 = 62_500;

/// How many jobs, and how many sweeps, ended long ago; as [`REST`] has it.
const FINISHED: u64 = 100_000;

/// How many backup sets there are, and how many items in all; as [`REST`] has it.
const BACKUP_SETS: u64 = 20_000;
const BACKUP_ITEMS: u64 = 400_000;

pub(super) const WORKSPACES: i64 = 50;

/// Who has the jobs in hand.
pub(super) const WORKER: &str = "host-1-2/restore.execute/0";

/// A setting of the database with which a million rows are planted, and its end. Foreign keys are checked by triggers, which
/// a replica does not fire.
const UNCHECKED: &str = "SET session_replication_role = replica";
const CHECKED: &str = "RESET session_replication_role";

/// The months of what was settled.
const MONTHS: &str = "
SELECT reconciler.add_partition(('reconciler.' || name)::regclass, name, month::date)
FROM (VALUES ('ledger'), ('ledger_facts')) AS partitioned (name)
CROSS JOIN generate_series(date '2025-01-01', date '2025-05-01', '1 month') AS month";

/// What else they are planted without.
const HURRY: &str = "
CREATE TABLE put_aside AS
SELECT indexname AS name, indexdef AS definition FROM pg_indexes
WHERE schemaname = 'public' AND indexname LIKE ANY (ARRAY['%\\_index', '%\\_unique\\_%']);
DO $$
DECLARE
    index record;
BEGIN
    FOR index IN SELECT name FROM put_aside LOOP
        EXECUTE format('DROP INDEX %I', index.name);
    END LOOP;
END
$$";

/// The end of [`HURRY`], and what the queue and the sweeps leave behind in years; [`UNCHECKED`] as well.
const REST: &str = "
DO $$
DECLARE
    index record;
BEGIN
    FOR index IN SELECT definition FROM put_aside LOOP
        EXECUTE index.definition;
    END LOOP;
END
$$;
DROP TABLE put_aside;
INSERT INTO apalis.workers (id, worker_type, storage_name)
VALUES ('host-1-2/restore.execute/0', 'restore.execute', 'PgStorage');
INSERT INTO apalis.jobs (
    id, job_type, job, status, attempts, max_attempts, run_at, priority, lock_by, lock_at, done_at
)
SELECT
    reconciler.job_id(), 'restore.execute',
    convert_to(json_build_object('run', number, 'cause', 'platform')::text, 'UTF8'),
    'Done', 1, 1, ended, 0, 'host-1-2/restore.execute/0', ended, ended
FROM generate_series(1, 100000) AS number
CROSS JOIN LATERAL (SELECT statement_timestamp() - number * interval '1 second' AS ended) AS moment;
INSERT INTO reconciler.sweeps (worker, started_at, ended_at, beat_at, tick_at)
SELECT 'host-1-2', moment, moment, moment, moment
FROM generate_series(timestamptz '2025-01-01', '2025-01-01'::timestamptz + interval '100000 min', '1 min') AS moment;
INSERT INTO reconciler.ledger_positions (position, decision_id, run_created_at, workspace_id, workspace_position)
SELECT
    row_number() OVER (ORDER BY operation_run_id), decision_id, run_created_at, workspace_id,
    row_number() OVER (PARTITION BY workspace_id ORDER BY operation_run_id)
FROM reconciler.ledger;
INSERT INTO reconciler.ledger_leaves (position, leaf)
SELECT position, sha256(position::text::bytea) FROM reconciler.ledger_positions ORDER BY position;
INSERT INTO reconciler.checkpoints (size, root, edge, note)
SELECT position, leaf, decode(repeat('00', 32 * length(replace(position::bit(64)::text, '0', ''))), 'hex'), 'a note'
FROM reconciler.ledger_leaves WHERE position % 50 = 0 ORDER BY position;
INSERT INTO backup_sets (id, workspace_id, managed_environment_id, name, status)
SELECT 1000 + number, environment.workspace_id, environment.id, 'Nightly backup', 'completed'
FROM generate_series(1, 20000) AS number
JOIN managed_environments AS environment ON environment.workspace_id = 1 + number % 50;
INSERT INTO backup_items (backup_set_id, policy_type, payload, metadata, captured_at)
SELECT 1000 + number / 20, 'policy', '[1]', '[]', '2025-01-01'
FROM generate_series(20, 400000) AS number;
DELETE FROM reconciler.ledger WHERE operation_run_id <= 100000;
INSERT INTO reconciler.opinions (
    operation_run_id, workspace_id, managed_environment_id, run_created_at, revision, claimed, stance, reason_code,
    ruleset, facts_digest, closed_at, formed_at
)
SELECT
    id, workspace_id, managed_environment_id, created_at, 1, 'succeeded',
    CASE WHEN id % 100 = 0 THEN 'claims_more' ELSE 'agrees' END, 'restore.evidence_missing',
    'restore.execute/2', encode(sha256(id::text::bytea), 'hex'), completed_at, completed_at
FROM operation_runs WHERE id <= 100000;
INSERT INTO managed_environments (id, workspace_id, name) VALUES (5, 1, 'Never used');
INSERT INTO reconciler.ticks (tick_at, worker, won_at)
SELECT moment, 'host-1-2', moment
FROM generate_series(statement_timestamp() - interval '20000 min', statement_timestamp(), '1 min') AS moment;";

/// The database, and two ways into it.
pub(super) struct Place {
    /// As the program is connected; its statements are explained.
    pub(super) store: Store,
    /// As rows are planted, by the engineer.
    pub(super) standin: Standin,
    /// As a console is.
    pub(super) reader: Reader,
    /// The engineer's, which are not, once there is something to explain.
    pub(super) own: PgPool,
    settled: i64,
    database: TestDatabase,
}

impl Place {
    pub(super) async fn furnished() -> Self {
        let settled = environment(SETTLED_VARIABLE)
            .map_or(SETTLED, |number| number.parse().expect("a number"));
        let database = database().await;
        let place = Self {
            store: open(&database.url()).await,
            standin: standin(&database),
            reader: look(&database).await,
            own: own(&database).await,
            settled,
            database,
        };
        place.fill().await
    }

    async fn fill(mut self) -> Self {
        let url = self.database.url();
        let owner = Standin::new(&Purpose::Owner.url(&url)).expect("a URL");
        owner.install().await.expect("the stand-in");
        let migrator = open_as(Purpose::Migrator, &url).await;
        migrator.migrate().await.expect("our schema");
        set_up(&migrator).await.expect("the queue's tables");
        grant(&url).await;
        self.standin.plant(&scopes()).await.expect("workspaces");
        let mut migrator = connect(Purpose::Migrator, &url).await;
        let made = sqlx::raw_sql(MONTHS).execute(&mut migrator).await;
        made.expect("partitions");
        self.execute(HURRY).await;
        self.set_up([UNCHECKED]).await;
        self.own = own(&self.database).await;
        let next = AtomicI64::new(0);
        join(self.plant(&next), self.plant(&next)).await;
        self.execute(REST).await;
        self.set_up([CHECKED]).await;
        self.own = own(&self.database).await;
        self.set_up(EXPLAIN).await;
        self
    }

    /// Changes settings that only a superuser may change: to pass by triggers, and what the server loads.
    async fn set_up(&mut self, settings: impl IntoIterator<Item = &str>) {
        let name = self.database.name();
        for setting in settings {
            let setting = format!("ALTER DATABASE {name} {setting}");
            execute_as_superuser(&self.database.url(), &setting).await;
        }
        self.reopen().await;
    }

    /// One of two lanes, as the server has two processors.
    async fn plant(&self, next: &AtomicI64) {
        loop {
            let first = next.fetch_add(CHUNK_RUNS, Ordering::Relaxed);
            if first >= self.settled {
                return;
            }
            let last = self.settled.min(first + CHUNK_RUNS) - 1;
            let run = |number| RunId(1 + number);
            let planted = self.standin.plant_settled(run(first), run(last)).await;
            planted.expect("settled runs");
        }
    }

    /// How many rows a table has, at least.
    pub(super) fn rows_of(&self, table: &str) -> u64 {
        match table {
            "jobs" | "sweeps" => FINISHED,
            "backup_sets" => BACKUP_SETS,
            "backup_items" => BACKUP_ITEMS,
            table if LARGE.contains(&table) => self.settled.unsigned_abs(),
            _ => u64::MAX, // it stays small
        }
    }

    /// Executes statements that change the settings of connections, and opens the store's again.
    pub(super) async fn reopen_after(&mut self, statements: &'static str) {
        self.execute(statements).await;
        self.reopen().await;
    }

    async fn reopen(&mut self) {
        self.store = open(&self.database.url()).await;
        self.standin = standin(&self.database);
        self.reader = look(&self.database).await;
    }

    pub(super) fn url(&self) -> String {
        self.database.url()
    }

    pub(super) async fn execute(&self, statements: &'static str) {
        let done = sqlx::raw_sql(statements).execute(&self.own).await;
        done.unwrap_or_else(|error| panic!("{statements}: {error}"));
    }
}

fn standin(database: &TestDatabase) -> Standin {
    Standin::new(&Purpose::Engineer.url(&database.url())).expect("a URL")
}

async fn own(database: &TestDatabase) -> PgPool {
    let own = PgPoolOptions::new().max_connections(1);
    let own = own.connect(&Purpose::Engineer.url(&database.url())).await;
    own.expect("a connection")
}

async fn look(database: &TestDatabase) -> Reader {
    let reader = open_reader(&Purpose::Console.url(&database.url()), &Limits::default()).await;
    reader.expect("the database accepts connections")
}

/// The workspace of a run, and its environment.
pub(super) fn scope_of(run: i64) -> (i64, i64) {
    let workspace = 1 + run % WORKSPACES;
    (workspace, environment_of(workspace))
}

fn environment_of(workspace: i64) -> i64 {
    workspace * 10 + 1
}

fn scopes() -> PlatformRows {
    let mut rows = PlatformRows::default();
    for id in 1..=WORKSPACES {
        let environment = (environment_of(id), format!("Environment of {id}"));
        rows.add_environments(id, format!("Workspace {id}"), [environment]);
    }
    rows
}
