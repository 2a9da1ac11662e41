//! A store with the platform's stand-in in it, and a second way into the same database.
//!
//! Tests ask the store to act, and look at what it did through a connection of their own. Values come
//! back as text, and both databases name tables alike here (`reconciler.ledger` reads
//! `reconciler_ledger` on SQLite), so that one test serves both.

use std::{
    collections::BTreeMap,
    fs,
    path::PathBuf,
    sync::atomic::{AtomicU32, Ordering},
};

use jiff::Timestamp;
use reconciler_fixtures::Standin;
use reconciler_jobs::{
    ids::RunId,
    restore_execute::{
        Policy,
        record::{Attribution, Source},
    },
    sweep::Schedule,
};
use restore_reconciler::internals::storage::{
    Access, Assessment, Limits, QueuePool, Settlement, Settling, Store, connect, queue_file,
};
use sqlx::{
    AssertSqlSafe, Column as _, PgPool, Row, SqlitePool, ValueRef as _,
    postgres::PgPoolOptions,
    raw_sql,
    sqlite::{SqliteConnectOptions, SqlitePoolOptions},
};
use tokio::sync::OnceCell;

use super::case::{Case, rows_of, world};
use super::cluster::{self, TestDatabase};

/// One row, by column, as text.
pub(crate) type Columns = BTreeMap<String, Option<String>>;

/// A module of tests, each with a fixture of its own: `async fn name(on: Fixture)`.
macro_rules! with_fixture {
    (#[$test:meta] $module:ident, $fixture:ident: $($name:ident),+) => {
        mod $module { $(
            #[$test]
            async fn $name() {
                super::$name($crate::support::store::Fixture::$fixture().await).await;
            }
        )+ }
    };
}
pub(crate) use with_fixture;

/// Runs each named test on both databases: `async fn name(on: Fixture)`.
macro_rules! on_both {
    ($($name:ident),+ $(,)?) => {
        $crate::support::store::with_fixture!(#[tokio::test] on_sqlite, sqlite: $($name),+);
        $crate::support::store::with_fixture!(#[tokio::test] on_postgres, postgres: $($name),+);
    };
}
pub(crate) use on_both;

/// As [`on_both`], in a database without any table, and with a thread for whatever works beside the test.
macro_rules! on_both_empty {
    ($($name:ident),+ $(,)?) => {
        $crate::support::store::with_fixture!(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)] on_sqlite, empty_sqlite: $($name),+
        );
        $crate::support::store::with_fixture!(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)] on_postgres, empty_postgres: $($name),+
        );
    };
}
pub(crate) use on_both_empty;

/// As [`on_both`], and on a PostgreSQL whose columns have the other type that Laravel could have
/// given them: `json` for `jsonb` and the reverse, with a time zone and without.
macro_rules! on_all {
    ($($name:ident),+ $(,)?) => {
        $crate::support::store::on_both!($($name),+);
        $crate::support::store::with_fixture!(
            #[tokio::test] on_postgres_with_other_column_types, postgres_variant: $($name),+
        );
    };
}
pub(crate) use on_all;

/// Every JSON and every time column of the platform's tables gets the type that it does not have.
const OTHER_COLUMN_TYPES: &str = "
DO $$
DECLARE
    named record;
BEGIN
    FOR named IN
        SELECT table_name, column_name, CASE data_type
            WHEN 'json' THEN 'jsonb'
            WHEN 'jsonb' THEN 'json'
            WHEN 'timestamp without time zone' THEN 'timestamp(0) with time zone'
            WHEN 'timestamp with time zone' THEN 'timestamp(0) without time zone'
        END AS other
        FROM information_schema.columns
        WHERE table_schema = 'public' AND (data_type LIKE 'json%' OR data_type LIKE 'timestamp%')
    LOOP
        EXECUTE format('ALTER TABLE %I ALTER %I DROP DEFAULT', named.table_name, named.column_name);
        EXECUTE format(
            'ALTER TABLE %I ALTER %I TYPE %s USING %I::%s',
            named.table_name, named.column_name, named.other, named.column_name, named.other
        );
    END LOOP;
    -- Defaults of the old type went with it.
    ALTER TABLE evidence_snapshots ALTER summary SET DEFAULT '{}';
END
$$";

/// A store, migrated, with the stand-in's tables and the scopes of [`world`].
pub(crate) struct Fixture {
    pub(crate) store: Store,
    pub(crate) standin: Standin,
    pub(crate) url: String,
    raw: Raw,
    home: Home,
}

enum Raw {
    Postgres(PgPool),
    Sqlite(SqlitePool),
}

/// What is removed with the fixture.
#[expect(dead_code, reason = "held for their destructors")]
enum Home {
    Database(Box<TestDatabase>),
    Directory(Directory),
}

/// A directory that is removed with this value.
struct Directory(PathBuf);

impl Drop for Directory {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0)); // best effort: the system empties it one day
    }
}

impl Directory {
    fn create() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("restore-reconciler-test-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).expect("a fresh directory");
        Self(path)
    }
}

impl Fixture {
    pub(crate) async fn sqlite() -> Self {
        let fixture = Self::empty_sqlite().await;
        fixture.furnish().await;
        fixture
    }

    /// A file without any table.
    pub(crate) async fn empty_sqlite() -> Self {
        let directory = Directory::create();
        let file = directory.0.join("platform.sqlite");
        let url = format!("sqlite:{}", file.display());
        let store = connect(&url, Access::Create, &Limits::default())
            .await
            .expect("the file opens");
        let pool = SqlitePoolOptions::new()
            .connect_with(SqliteConnectOptions::new().filename(&file))
            .await
            .expect("the file opens twice");
        Self {
            store,
            standin: Standin::new(&url).expect("a URL"),
            url,
            raw: Raw::Sqlite(pool),
            home: Home::Directory(directory),
        }
    }

    pub(crate) async fn postgres() -> Self {
        static FURNISHED: OnceCell<TestDatabase> = OnceCell::const_new();
        Self::copy_of(&FURNISHED, Self::furnish).await
    }

    /// With the other of the two types that each JSON and each time column may have.
    pub(crate) async fn postgres_variant() -> Self {
        static FURNISHED: OnceCell<TestDatabase> = OnceCell::const_new();
        let furnish = async |fixture: &Self| {
            fixture.standin.install().await.expect("the stand-in");
            fixture.execute(OTHER_COLUMN_TYPES).await;
            fixture.store.migrate().await.expect("our schema");
            fixture.standin.plant(&world()).await.expect("the world");
        };
        Self::copy_of(&FURNISHED, furnish).await
    }

    /// A copy of a database that is furnished once for all tests of this process: to copy it costs less.
    async fn copy_of(
        template: &'static OnceCell<TestDatabase>,
        furnish: impl AsyncFnOnce(&Self),
    ) -> Self {
        let make = async || {
            let fixture = Self::empty_postgres().await;
            furnish(&fixture).await;
            // A template has no connections. The server waits a moment for those of the store to end.
            fixture.pg().close().await;
            match fixture.home {
                Home::Database(database) => *database,
                Home::Directory(_) => panic!("it is on PostgreSQL"),
            }
        };
        let template = template.get_or_init(make).await;
        Self::in_database(cluster::database_from(template.name()).await).await
    }

    /// A database without any table.
    pub(crate) async fn empty_postgres() -> Self {
        Self::in_database(cluster::database().await).await
    }

    /// Another database without any table, on the same system.
    pub(crate) async fn empty_one_beside(&self) -> Self {
        if self.is_sqlite() {
            Self::empty_sqlite().await
        } else {
            Self::empty_postgres().await
        }
    }

    /// A database without any table on some other cluster.
    pub(crate) async fn in_database(database: TestDatabase) -> Self {
        let url = database.url();
        let store = connect(&url, Access::Write, &Limits::default())
            .await
            .expect("the database accepts connections");
        let pool = PgPoolOptions::new()
            .max_connections(2)
            .connect(&url)
            .await
            .expect("the database accepts more connections");
        Self {
            store,
            standin: Standin::new(&url).expect("a URL"),
            url,
            raw: Raw::Postgres(pool),
            home: Home::Database(Box::new(database)),
        }
    }

    /// Tables and the scopes that rows refer to.
    pub(crate) async fn furnish(&self) {
        self.standin.install().await.expect("the stand-in");
        self.store.migrate().await.expect("our schema");
        self.standin.plant(&world()).await.expect("the world");
    }

    /// With the tables of the library that delivers jobs, in schema `apalis` for this side of the test on both
    /// databases.
    pub(crate) async fn with_queue(mut self) -> Self {
        restore_reconciler::internals::worker::set_up(&self.store)
            .await
            .expect("the queue's tables");
        if let Raw::Sqlite(pool) = &self.raw {
            self.raw = Raw::Sqlite(beside_its_queue(pool).await);
        }
        self
    }

    /// The connections to a PostgreSQL.
    pub(crate) fn pg(&self) -> &PgPool {
        match &self.raw {
            Raw::Postgres(pool) => pool,
            Raw::Sqlite(_) => panic!("on PostgreSQL only"),
        }
    }

    /// Runs a statement on the queue's tables, which are in a file of their own on SQLite.
    #[expect(
        clippy::disallowed_methods,
        reason = "statements of a test, with ids it made up itself"
    )]
    pub(crate) async fn execute_on_queue(&self, statements: &str) {
        let done = match self.store.queue_pool() {
            QueuePool::Postgres(pool) => {
                let statements = statements.replace("Jobs", "apalis.jobs");
                let statements = statements.replace("Workers", "apalis.workers");
                raw_sql(AssertSqlSafe(statements))
                    .execute(&pool)
                    .await
                    .map(drop)
            }
            QueuePool::Sqlite(pool) => raw_sql(AssertSqlSafe(statements.to_owned()))
                .execute(&pool)
                .await
                .map(drop),
        };
        done.unwrap_or_else(|error| panic!("{statements}: {error}"));
    }

    /// Adds the rows of these cases.
    pub(crate) async fn plant(&self, cases: impl IntoIterator<Item = Case>) {
        let rows = rows_of(cases);
        self.standin
            .plant(&rows)
            .await
            .expect("rows can be planted");
    }

    pub(crate) fn is_sqlite(&self) -> bool {
        matches!(self.raw, Raw::Sqlite(_))
    }

    /// Whichever text suits the database.
    pub(crate) fn either<'a>(&self, sqlite: &'a str, postgres: &'a str) -> &'a str {
        if self.is_sqlite() { sqlite } else { postgres }
    }

    /// Runs statements and fails the test if the database refuses them.
    pub(crate) async fn execute(&self, statements: &str) {
        self.try_execute(statements)
            .await
            .unwrap_or_else(|error| panic!("{statements}: {error}"));
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "statements of a test, with ids it made up itself"
    )]
    pub(crate) async fn try_execute(&self, statements: &str) -> sqlx::Result<()> {
        let statements = raw_sql(AssertSqlSafe(self.dialect(statements)));
        match &self.raw {
            Raw::Postgres(pool) => statements.execute(pool).await.map(drop),
            Raw::Sqlite(pool) => statements.execute(pool).await.map(drop),
        }
    }

    /// All rows of a query.
    #[expect(
        clippy::disallowed_methods,
        reason = "statements of a test, with ids it made up itself"
    )]
    pub(crate) async fn rows(&self, query: &str) -> Vec<Columns> {
        let query = self.dialect(query);
        let statement = raw_sql(AssertSqlSafe(query.clone()));
        match &self.raw {
            Raw::Postgres(pool) => {
                let rows = statement.fetch_all(pool).await;
                let rows = rows.unwrap_or_else(|error| panic!("{query}: {error}"));
                let text = |row: &sqlx::postgres::PgRow, at: usize| {
                    let value = row.try_get_raw(at).expect("a column");
                    (!value.is_null()).then(|| value.as_str().expect("text").to_owned())
                };
                rows.iter().map(|row| columns(row, text)).collect()
            }
            Raw::Sqlite(pool) => {
                let rows = statement.fetch_all(pool).await;
                let rows = rows.unwrap_or_else(|error| panic!("{query}: {error}"));
                let text = |row: &sqlx::sqlite::SqliteRow, at: usize| {
                    // SQLite gives any value as bytes of text; a test may have planted invalid UTF-8.
                    let bytes: Option<Vec<u8>> = row.try_get_unchecked(at).expect("bytes");
                    bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
                };
                rows.iter().map(|row| columns(row, text)).collect()
            }
        }
    }

    /// The only row of a query.
    pub(crate) async fn row(&self, query: &str) -> Columns {
        let mut rows = self.rows(query).await;
        assert_eq!(rows.len(), 1, "{query}");
        rows.remove(0)
    }

    /// The only value of a query.
    pub(crate) async fn value(&self, query: &str) -> Option<String> {
        let row = self.row(query).await;
        assert_eq!(row.len(), 1, "{query}");
        row.into_values().next().expect("one column")
    }

    /// The number that a query gives.
    pub(crate) async fn count(&self, query: &str) -> i64 {
        let value = self.value(query).await.expect("a number");
        value.parse().expect("a number")
    }

    fn dialect(&self, statements: &str) -> String {
        if self.is_sqlite() {
            statements.replace("reconciler.", "reconciler_")
        } else {
            statements.to_owned()
        }
    }

    /// A row of the platform's runs, every column.
    pub(crate) async fn run(&self, id: i64) -> Columns {
        self.row(&format!("SELECT * FROM operation_runs WHERE id = {id}"))
            .await
    }

    /// Everything in the platform's tables that a verdict could touch.
    pub(crate) async fn platform(&self) -> Vec<Vec<Columns>> {
        let mut tables = Vec::new();
        for table in "operation_runs audit_logs restore_runs evidence_snapshots".split(' ') {
            tables.push(
                self.rows(&format!("SELECT * FROM {table} ORDER BY id"))
                    .await,
            );
        }
        tables
    }

    /// Settles runs once.
    pub(crate) async fn settle(&self, runs: &[i64]) -> BTreeMap<i64, Settlement> {
        settle(&self.store, runs, &settling()).await
    }

    /// Settles one run once.
    pub(crate) async fn settle_one(&self, run: i64) -> Settlement {
        self.settle(&[run])
            .await
            .remove(&run)
            .expect("an answer for the run")
    }

    /// Settles a run that must be deferred, and checks that no platform row changed.
    pub(crate) async fn deferral(&self, run: i64) -> Assessment {
        let before = self.platform().await;
        let result = self.settle_one(run).await;
        let Settlement::Deferred(assessment, _) = result else {
            panic!("run {run}: {result:?}");
        };
        assert_eq!(before, self.platform().await, "a deferral writes nothing");
        *assessment
    }

    /// Settles a run that must get a verdict, settles it again, checks that the second pass changed
    /// nothing, and returns every row that the first one wrote.
    pub(crate) async fn verdict(&self, run: i64) -> Written {
        let result = self.settle_one(run).await;
        let Settlement::Committed(assessment) = result else {
            panic!("run {run}: {result:?}");
        };
        let fingerprint = self.standin.fingerprint().await.expect("a fingerprint");
        let again = self.settle_one(run).await;
        assert!(
            matches!(&again, Settlement::Deferred(closed, None)
                if closed.decision.reason.code() == "run.already_terminal"),
            "{again:?}"
        );
        let unchanged = self.standin.fingerprint().await.expect("a fingerprint");
        assert_eq!(fingerprint, unchanged, "a second pass writes nothing");
        Written {
            assessment: *assessment,
            run: self.run(run).await,
            audit: self
                .row(&format!(
                    "SELECT * FROM audit_logs
                     WHERE resource_type = 'operation_run' AND resource_id = '{run}'"
                ))
                .await,
            ledger: self
                .row(&format!(
                    "SELECT * FROM reconciler.ledger WHERE operation_run_id = {run}"
                ))
                .await,
        }
    }

    /// Settles runs at once, each of which must get a verdict for its reason.
    pub(crate) async fn assert_verdicts(&self, expected: &[(i64, &str)]) {
        let runs: Vec<i64> = expected.iter().map(|(run, _)| *run).collect();
        let results = self.settle(&runs).await;
        for (run, reason) in expected {
            let Settlement::Committed(assessment) = &results[run] else {
                panic!("run {run}: {:?}", results[run]);
            };
            assert_eq!(assessment.decision.reason.code(), *reason, "run {run}");
        }
    }

    /// Checks that every verdict has exactly one closed run, one ledger entry and one audit entry.
    pub(crate) async fn assert_one_of_each(&self, verdicts: i64) {
        let ledger = "SELECT count(DISTINCT operation_run_id) FROM reconciler.ledger";
        let audits = "SELECT count(DISTINCT resource_id) FROM audit_logs
                      WHERE action = 'operation_run.reconciled'";
        let all_audits = "SELECT count(*) FROM audit_logs
                          WHERE action = 'operation_run.reconciled'";
        let agreeing = "SELECT count(*) FROM operation_runs AS run
                        JOIN reconciler.ledger AS entry ON entry.operation_run_id = run.id
                        WHERE run.status = 'completed' AND run.outcome = entry.outcome";
        for query in [
            "SELECT count(*) FROM reconciler.ledger",
            ledger,
            all_audits,
            audits,
            agreeing,
        ] {
            assert_eq!(self.count(query).await, verdicts, "{query}");
        }
    }
}

/// Connections to the same file that find the queue's own file in schema `apalis`.
async fn beside_its_queue(pool: &SqlitePool) -> SqlitePool {
    let options = pool.connect_options();
    let queue = queue_file(options.get_filename());
    let queue = queue.to_str().expect("a path of a test").to_owned();
    SqlitePoolOptions::new()
        .after_connect(move |connection, _| {
            let queue = queue.clone();
            Box::pin(async move {
                sqlx::query("ATTACH DATABASE ?1 AS apalis")
                    .bind(queue)
                    .execute(connection)
                    .await
                    .map(drop)
            })
        })
        .connect_with(options.as_ref().clone())
        .await
        .expect("the file opens beside its queue")
}

fn columns<R: Row>(row: &R, text: impl Fn(&R, usize) -> Option<String>) -> Columns {
    row.columns()
        .iter()
        .map(|column| (column.name().to_owned(), text(row, column.ordinal())))
        .collect()
}

/// What a verdict wrote.
#[derive(Debug)]
pub(crate) struct Written {
    pub(crate) assessment: Assessment,
    pub(crate) run: Columns,
    pub(crate) audit: Columns,
    pub(crate) ledger: Columns,
}

impl Written {
    pub(crate) fn reason(&self) -> &'static str {
        self.assessment.decision.reason.code()
    }
}

/// The settings that tests settle with, unless they are about settings.
pub(crate) fn settling() -> Settling {
    Settling {
        policy: Policy::default(),
        schedule: Schedule::default(),
        batch_runs_max: 500,
        retries_max: 5,
        attempts_max: 5,
        due_only: false,
        by: Attribution {
            worker: "worker-of-a-test".to_owned(),
            source: Source::Sweep,
        },
    }
}

/// Settles runs and returns what became of each; fails the test on an error.
pub(crate) async fn settle(
    store: &Store,
    runs: &[i64],
    with: &Settling,
) -> BTreeMap<i64, Settlement> {
    let runs: Vec<RunId> = runs.iter().copied().map(RunId).collect();
    let mut settled = Vec::new();
    store
        .settle(&runs, with, &mut settled)
        .await
        .expect("runs can be settled");
    let count = settled.len();
    let by_run: BTreeMap<i64, Settlement> = settled
        .into_iter()
        .map(|settled| (settled.run.0, settled.result))
        .collect();
    assert_eq!(by_run.len(), count, "one answer per run");
    by_run
}

/// A moment as either database's client shows it: microseconds, or a date and a time in UTC.
pub(crate) fn moment(text: Option<&String>) -> Option<Timestamp> {
    let text = text?;
    if let Ok(micros) = text.parse() {
        return Some(Timestamp::from_microsecond(micros).expect("a moment"));
    }
    let utc = text.trim_end_matches("+00").replace(' ', "T") + "Z";
    Some(utc.parse().expect("a moment"))
}
