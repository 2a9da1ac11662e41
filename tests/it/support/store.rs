//! A store with the platform's stand-in in it, and a second way into the same database.
//!
//! Tests ask the store to act, and look at what it did through a connection of their own. Values come
//! back as text, and both databases name tables alike here (`reconciler.ledger` reads
//! `reconciler_ledger` on SQLite), so that one test serves both.

use std::collections::BTreeMap;

use jiff::Timestamp;
use reconciler_fixtures::Standin;
use restore_reconciler::internals::storage::{
    Access, Limits, QueuePool, Store, Trust, connect, queue_file,
};
use restore_reconciler::internals::worker::set_up;
use sqlx::postgres::{PgPool, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool, SqlitePoolOptions};
use sqlx::{AssertSqlSafe, Column as _, Row, ValueRef as _, raw_sql};
use tempfile::TempDir;
use tokio::sync::OnceCell;

use super::case::{Case, rows_of, world};
use super::cluster::{self, TestDatabase};
use super::roles::{self, Purpose};

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

/// Every time column of the platform's tables holds microseconds.
const MICROSECONDS: &str = "
DO $$
DECLARE
    named record;
BEGIN
    FOR named IN
        SELECT table_name, column_name, replace(data_type, 'timestamp', 'timestamp(6)') AS precise
        FROM information_schema.columns
        WHERE table_schema = 'public' AND data_type LIKE 'timestamp%'
    LOOP
        EXECUTE format('ALTER TABLE %I ALTER %I TYPE %s', named.table_name, named.column_name, named.precise);
    END LOOP;
END
$$";

/// A store, migrated, with the stand-in's tables and the scopes of [`world`].
pub(crate) struct Fixture {
    pub(crate) store: Store,
    /// In the engineer's hands, for what reaches into both the platform's tables and ours.
    pub(crate) standin: Standin,
    /// Plants rows, as the platform's application.
    pub(crate) platform: Standin,
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
    Directory(TempDir),
}

impl Fixture {
    pub(crate) async fn sqlite() -> Self {
        let fixture = Self::empty_sqlite().await;
        fixture.furnish().await;
        fixture
    }

    /// A file without any table.
    pub(crate) async fn empty_sqlite() -> Self {
        let directory = TempDir::with_prefix("restore-reconciler-test-").expect("a directory");
        let file = directory.path().join("platform.sqlite");
        let url = format!("sqlite:{}", file.display());
        let store = connect(&url, Access::Create, &Limits::default()).await;
        let pool = SqlitePoolOptions::new()
            .connect_with(SqliteConnectOptions::new().filename(&file))
            .await
            .expect("the file opens twice");
        Self {
            store: store.expect("the file opens"),
            standin: Standin::new(&url).expect("a URL"),
            platform: Standin::new(&Purpose::Platform.url(&url)).expect("a URL"),
            url,
            raw: Raw::Sqlite(pool),
            home: Home::Directory(directory),
        }
    }

    pub(crate) async fn postgres() -> Self {
        static FURNISHED: OnceCell<TestDatabase> = OnceCell::const_new();
        Self::copy_of(&FURNISHED, Self::furnish).await
    }

    /// With the tables of the library that delivers jobs.
    pub(crate) async fn postgres_with_queue() -> Self {
        static FURNISHED: OnceCell<TestDatabase> = OnceCell::const_new();
        let furnish = async |fixture: &Self| {
            fixture.furnish().await;
            fixture.set_up_queue().await;
        };
        Self::copy_of(&FURNISHED, furnish).await
    }

    /// With the other of the two types that each JSON and each time column may have.
    pub(crate) async fn postgres_variant() -> Self {
        static FURNISHED: OnceCell<TestDatabase> = OnceCell::const_new();
        let furnish = async |fixture: &Self| {
            fixture.install().await;
            fixture.execute(OTHER_COLUMN_TYPES).await;
            fixture.settle_in().await;
        };
        Self::copy_of(&FURNISHED, furnish).await
    }

    /// With time columns that hold microseconds, as a platform may have altered them.
    pub(crate) async fn postgres_with_microseconds() -> Self {
        let fixture = Self::empty_postgres().await;
        fixture.install().await;
        fixture.execute(MICROSECONDS).await;
        fixture.settle_in().await;
        fixture
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
        let store = open(&url).await;
        let engineer = Purpose::Engineer.url(&url);
        let pool = PgPoolOptions::new().max_connections(2);
        let pool = pool.connect(&engineer).await;
        let pool = pool.expect("the database accepts more connections");
        Self {
            store,
            standin: Standin::new(&engineer).expect("a URL"),
            platform: Standin::new(&Purpose::Platform.url(&url)).expect("a URL"),
            url,
            raw: Raw::Postgres(pool),
            home: Home::Database(Box::new(database)),
        }
    }

    /// Tables and the scopes that rows refer to.
    pub(crate) async fn furnish(&self) {
        self.install().await;
        self.settle_in().await;
    }

    /// Creates the platform's tables.
    pub(crate) async fn install(&self) {
        let owner = Standin::new(&self.url_of(Purpose::Owner)).expect("a URL");
        owner.install().await.expect("the stand-in");
        self.grant().await;
    }

    /// Our schema beside the platform's tables, and the scopes that rows refer to.
    async fn settle_in(&self) {
        self.migrator().await.migrate().await.expect("our schema");
        self.grant().await;
        self.plant_world().await;
    }

    /// The scopes that rows refer to.
    pub(crate) async fn plant_world(&self) {
        self.platform.plant(&world()).await.expect("the world");
    }

    /// Where a role finds this database.
    pub(crate) fn url_of(&self, purpose: Purpose) -> String {
        purpose.url(&self.url)
    }

    /// The database as the role that migrates sees it, on connections that are new.
    pub(crate) async fn migrator(&self) -> Store {
        open_as(Purpose::Migrator, &self.url).await
    }

    /// Creates the tables of the library that delivers jobs.
    pub(crate) async fn set_up_queue(&self) {
        let migrator = self.migrator().await;
        set_up(&migrator).await.expect("the queue's tables");
        self.grant().await;
    }

    /// Grants every role what it may do in what there is by now.
    pub(crate) async fn grant(&self) {
        if !self.is_sqlite() {
            roles::grant(&self.url).await;
        }
    }

    /// With the tables of the library that delivers jobs, in schema `apalis` for this side of the test on both
    /// databases.
    pub(crate) async fn with_queue(mut self) -> Self {
        self.set_up_queue().await;
        if let Raw::Sqlite(pool) = &self.raw {
            self.raw = Raw::Sqlite(beside_its_queue(pool).await);
        }
        self
    }

    /// What only a superuser may do: make roles, end sessions of others, change the server.
    pub(crate) async fn execute_as_superuser(&self, statements: &str) {
        cluster::execute_as_superuser(&self.url, statements).await;
    }

    /// The connections to a PostgreSQL, the engineer's.
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
            QueuePool::Postgres(_) => {
                let statements = statements.replace("Jobs", "apalis.jobs");
                self.try_execute(&statements.replace("Workers", "apalis.workers"))
                    .await
            }
            QueuePool::Sqlite(pool) => {
                let statements = raw_sql(AssertSqlSafe(statements.to_owned()));
                statements.execute(&pool).await.map(drop)
            }
        };
        done.unwrap_or_else(|error| panic!("{statements}: {error}"));
    }

    /// Adds the rows of these cases.
    pub(crate) async fn plant(&self, cases: impl IntoIterator<Item = Case>) {
        let planted = self.platform.plant(&rows_of(cases)).await;
        planted.expect("rows can be planted");
    }

    pub(crate) fn is_sqlite(&self) -> bool {
        matches!(self.raw, Raw::Sqlite(_))
    }

    /// Whichever text suits the database.
    pub(crate) fn either<'a>(&self, sqlite: &'a str, postgres: &'a str) -> &'a str {
        if self.is_sqlite() { sqlite } else { postgres }
    }

    /// SQL for a moment so many seconds from now, as our own tables hold it.
    pub(crate) fn in_seconds(&self, seconds: i64) -> String {
        if self.is_sqlite() {
            format!(
                "((CAST(unixepoch('now', 'subsec') * 1000 AS INTEGER) + {seconds} * 1000) * 1000)"
            )
        } else {
            format!("(statement_timestamp() + interval '{seconds} s')")
        }
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
        let rows = match &self.raw {
            Raw::Postgres(pool) => statement.fetch_all(pool).await.map(|rows| {
                let text = |row: &sqlx::postgres::PgRow, at: usize| {
                    let value = row.try_get_raw(at).expect("a column");
                    (!value.is_null()).then(|| value.as_str().expect("text").to_owned())
                };
                rows.iter().map(|row| columns(row, text)).collect()
            }),
            Raw::Sqlite(pool) => statement.fetch_all(pool).await.map(|rows| {
                let text = |row: &sqlx::sqlite::SqliteRow, at: usize| {
                    // SQLite gives any value as bytes of text; a test may have planted invalid UTF-8.
                    let bytes: Option<Vec<u8>> = row.try_get_unchecked(at).expect("bytes");
                    bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
                };
                rows.iter().map(|row| columns(row, text)).collect()
            }),
        };
        rows.unwrap_or_else(|error| panic!("{query}: {error}"))
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

    /// How many rows of a table there are, or of what else may follow `FROM`.
    pub(crate) async fn number_of(&self, rows: &str) -> i64 {
        self.count(&format!("SELECT count(*) FROM {rows}")).await
    }

    /// The numbers that a query gives, one a row.
    pub(crate) async fn numbers(&self, query: &str) -> Vec<i64> {
        let rows = self.rows(query).await.into_iter();
        let values = rows.flat_map(Columns::into_values);
        let numbers = values.map(|value| value.expect("a number").parse());
        numbers.collect::<Result<_, _>>().expect("numbers")
    }

    /// Everything that a verdict writes or could change.
    pub(crate) async fn fingerprint(&self) -> String {
        let fingerprint = self.standin.fingerprint().await;
        fingerprint.expect("a fingerprint")
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
            let rows = format!("SELECT * FROM {table} ORDER BY id");
            tables.push(self.rows(&rows).await);
        }
        tables
    }

    /// Has the database refuse an event, such as `UPDATE ON operation_runs`, for rows that meet a condition.
    pub(crate) async fn refuse(&self, event: &str, condition: &str) {
        let name = event.replace([' ', '.'], "_");
        self.execute(&if self.is_sqlite() {
            format!(
                "CREATE TRIGGER {name} BEFORE {event} WHEN {condition}
                 BEGIN SELECT RAISE(ABORT, 'refused by a test'); END"
            )
        } else {
            format!(
                "CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$
                 BEGIN RAISE EXCEPTION 'refused by a test'; END $$;
                 CREATE TRIGGER {name} BEFORE {event} FOR EACH ROW
                 WHEN ({condition}) EXECUTE FUNCTION {name}()"
            )
        })
        .await;
    }

    /// The end of [`Self::refuse`].
    pub(crate) async fn permit(&self, event: &str) {
        let name = event.replace([' ', '.'], "_");
        let gone = self.either("TRIGGER {name}", "FUNCTION {name}() CASCADE");
        let gone = gone.replace("{name}", &name);
        self.execute(&format!("DROP {gone}")).await;
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

/// A store on the database at `url`, on connections of its own, which are a worker's.
pub(crate) async fn open(url: &str) -> Store {
    open_as(Purpose::Worker, url).await
}

/// The same, whose configuration vouches for what could be doubted.
pub(crate) async fn open_trusting(url: &str, trust: Trust) -> Store {
    let limits = Limits {
        trust,
        ..Limits::default()
    };
    let store = connect(&Purpose::Worker.url(url), Access::Write, &limits).await;
    store.expect("the database accepts connections")
}

/// A store on the database of `url`, as the role that has this purpose.
pub(crate) async fn open_as(purpose: Purpose, url: &str) -> Store {
    let store = connect(&purpose.url(url), Access::Write, &Limits::default()).await;
    store.expect("the database accepts connections")
}

/// A store that only reads the database of `url`, as the worker's role.
pub(crate) async fn open_to_read(url: &str) -> Store {
    let url = Purpose::Worker.url(url);
    let store = connect(&url, Access::Read, &Limits::default()).await;
    store.expect("the database accepts connections")
}

/// The case, changed.
pub(crate) fn with(mut case: Case, change: impl FnOnce(&mut Case)) -> Case {
    change(&mut case);
    case
}

/// The case in another workspace and environment.
pub(crate) fn moved(mut case: Case, (workspace, environment): (i64, i64)) -> Case {
    case.move_to(workspace, environment);
    case
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
