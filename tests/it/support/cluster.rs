//! A real PostgreSQL for every test that wants one, thrown away with the test process.
//!
//! `tests/postgres` starts the server and owns its clean-up. This module holds the pipe that keeps
//! it alive, and gives each test a database of its own on it.
//!
//! **Invariant:** however the test process ends, SIGKILL included, no server and no directory stays behind.
//!
//! # Design notes
//! The cluster sits in a `static`, which is never dropped. Its clean-up therefore cannot be a destructor: it is the
//! kernel closing this process's end of a pipe. A container was rejected, because the tests must run where only Rust,
//! a C compiler and a package manager are; one cluster per test was, because starting one takes a second.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Write as _};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::OnceLock;
use std::thread;
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection, PgConnection, raw_sql};

/// The URL of a cluster that already runs and that the caller looks after. `tests/run` sets it,
/// which spares a process per test (cargo-nextest) a cluster per test.
const SHARED_CLUSTER_VARIABLE: &str = "RECONCILER_TEST_POSTGRES_URL";

/// The superuser, as `tests/postgres` makes it. Only this file connects as it.
const SUPERUSER: &str = "postgres";

/// Who stands in the URLs that tests get until somebody is named. There is no such role, so that nobody connects as the
/// superuser unawares.
pub(crate) const NOBODY: &str = "nobody";

/// How statements begin that are about roles and databases, or about the server itself. All else is for the roles to do.
const OF_ROLES_AND_SERVERS: [&str; 12] = [
    "CREATE ROLE ",
    "ALTER ROLE ",
    "DROP ROLE ",
    "DROP OWNED ",
    "CREATE DATABASE ",
    "ALTER DATABASE ",
    "DROP DATABASE ",
    "ALTER SYSTEM ",
    "CHECKPOINT",
    "SELECT pg_",
    "VACUUM ",
    "UPDATE pg_index ",
];

/// How texts begin that go round what the server lets anybody do; whatever follows is part of that.
const AROUND_THE_RULES: [&str; 5] = [
    "SET session_replication_role ",
    "SET allow_system_table_mods ",
    "COPY (SELECT) TO PROGRAM ",
    "CREATE EVENT TRIGGER ",
    "DROP EVENT TRIGGER ",
];

/// Makes the roles of a platform where they are not there yet. Tests of several processes may begin at once: the lock
/// is held until all roles are there.
const CREATE_ROLES: &str = "
SELECT pg_advisory_xact_lock(7301215544112);
DO $$
DECLARE
    wanted text;
BEGIN
    FOREACH wanted IN ARRAY '{laravel,migrator,reconciler,observer,console,platform}'::text[] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = wanted) THEN
            EXECUTE format('CREATE ROLE %I LOGIN', wanted);
        END IF;
    END LOOP;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'engineer') THEN
        CREATE ROLE engineer LOGIN;
        GRANT laravel, migrator, reconciler, console, platform TO engineer WITH ADMIN OPTION;
        GRANT pg_monitor TO engineer;
    END IF;
END
$$";

/// The role that a database and the platform's tables in it belong to.
const OWNER: &str = "laravel";

/// What the migrator needs of an empty database, beside `CREATE` on it: a way to the platform's tables, which our
/// functions read as their owner, and a schema to put hstore in, which the queue finds by the search path.
const PREPARE: &str = "GRANT USAGE, CREATE ON SCHEMA public TO migrator";

/// What an empty database is a copy of.
const EMPTY: &str = "template0";

/// Creates an empty database that no other test sees.
pub(crate) async fn database() -> TestDatabase {
    database_from(EMPTY).await
}

/// Creates a database as a copy of `template`, the name of one that nobody is connected to at the moment.
pub(crate) async fn database_from(template: &str) -> TestDatabase {
    database_with(template, "").await
}

/// Creates an empty database on the cluster of this URL, which may lead elsewhere later.
pub(crate) async fn database_at(url: &str) -> TestDatabase {
    create_database(url, EMPTY, "").await
}

/// Creates a database as a copy of `template` that is made with these options, too.
pub(crate) async fn database_with(template: &str, options: &str) -> TestDatabase {
    create_database(cluster_url(), template, options).await
}

async fn create_database(cluster_url: &str, template: &str, options: &str) -> TestDatabase {
    let maintenance = as_superuser(cluster_url);
    let mut connection = connect(&maintenance).await;
    let name = sqlx::query_scalar("SELECT 'test_' || replace(gen_random_uuid()::text, '-', '')");
    let name: String = name.fetch_one(&mut connection).await.expect("an answer");
    for statement in [
        CREATE_ROLES.to_owned(),
        // Files in memory are copied in a third of the time that it takes to log their pages.
        format!(
            r#"CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY file_copy OWNER {OWNER} {options}"#
        ),
        // A copy of a database has no rights of its template.
        format!(r#"GRANT CREATE ON DATABASE "{name}" TO migrator"#),
    ] {
        let done = execute(&mut connection, statement).await;
        done.expect("roles and databases are made");
    }
    let database = TestDatabase { name, maintenance };
    if template == EMPTY {
        let owner = database.maintenance.clone().username(OWNER);
        let mut owner = connect(&owner.database(&database.name)).await;
        let prepared = execute(&mut owner, PREPARE.to_owned()).await;
        prepared.expect("the owner may grant");
    }
    database
}

/// A database of one test. Dropped with this value if that is possible, and with the cluster otherwise.
pub(crate) struct TestDatabase {
    name: String,
    maintenance: PgConnectOptions,
}

impl TestDatabase {
    /// The name on the cluster, for [`database_from`].
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Where it is; `Purpose::url` says who connects.
    pub(crate) fn url(&self) -> String {
        let options = self.maintenance.clone().username(NOBODY);
        let options = options.database(&self.name);
        options.to_url_lossy().to_string()
    }
}

impl Drop for TestDatabase {
    // A destructor cannot await, and the runtime it is called on may be ending: hence a thread with a runtime of its own.
    // Connections that a test left open are cut, for which the server waits a tenth of a second, and nobody waits for it:
    // where the process ends before, the cluster goes soon, and its databases with it.
    fn drop(&mut self) {
        let (name, maintenance) = (self.name.clone(), self.maintenance.clone());
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .ok()?;
            runtime.block_on(async {
                let mut connection = PgConnection::connect_with(&maintenance).await.ok()?;
                let gone = format!(r#"DROP DATABASE "{name}" WITH (FORCE)"#);
                execute(&mut connection, gone).await.ok()
            })
        });
    }
}

/// Starts a cluster that only the caller uses, for what can be measured on a whole cluster only.
/// Blocks the thread for about a second.
pub(crate) fn private() -> Cluster {
    Cluster::start()
}

/// A running `tests/postgres`. Lives until this value's pipe closes, which is when this process ends at the latest.
pub(crate) struct Cluster {
    url: String,
    supervisor: Child,
    output: BufReader<ChildStdout>,
}

impl Cluster {
    /// Creates an empty database on this cluster.
    pub(crate) async fn database(&self) -> TestDatabase {
        create_database(&self.url, EMPTY, "").await
    }

    /// Makes the server keep whatever it confirmed when it is killed. Unless told to, it loses the commits
    /// of the last moments, and pages of which half had reached the system.
    pub(crate) async fn survive_kills(&self) {
        self.set("synchronous_commit", "on").await;
        self.set("full_page_writes", "on").await;
    }

    /// Changes a setting, which takes effect at once or, where it cannot, with the next start.
    pub(crate) async fn set(&self, setting: &str, value: &str) {
        self.execute(&format!("ALTER SYSTEM SET {setting} = '{value}'"))
            .await;
        self.execute("SELECT pg_reload_conf()").await;
    }

    /// Does something as the superuser.
    pub(crate) async fn execute(&self, statement: &str) {
        execute_as_superuser(&self.url, statement).await;
    }

    /// Starts a hot standby of this cluster, which has to [`Cluster::survive_kills`] and is started again twice.
    pub(crate) async fn standby(&mut self) -> Self {
        self.set("wal_level", "replica").await;
        self.set("max_wal_senders", "4").await;
        self.kill();
        self.start_again();
        self.execute("CHECKPOINT").await; // with all that a standby has to know
        self.kill();
        let options: PgConnectOptions = self.url.parse().expect("a PostgreSQL URL");
        let directory = options.get_socket().expect("a directory of sockets");
        let standby = Self::start_with(&["--standby-of".as_ref(), directory.as_os_str()]);
        self.start_again();
        standby
    }

    /// Has whatever is confirmed from now on be seen on the standby as well, which follows by then.
    pub(crate) async fn confirm_with_standby(&self) {
        self.set("synchronous_commit", "remote_apply").await;
        self.set("synchronous_standby_names", "*").await;
        let mut session = connect(&as_superuser(&self.url)).await;
        // One statement after the other: within one, the session does not see that its settings were read anew.
        let confirms = "SELECT EXISTS (SELECT FROM pg_stat_replication WHERE sync_state = 'sync')";
        let confirmed = async {
            while !sqlx::query_scalar(confirms).fetch_one(&mut session).await? {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            Ok::<_, sqlx::Error>(())
        };
        let confirmed = tokio::time::timeout(Duration::from_mins(1), confirmed).await;
        let confirmed = confirmed.expect("a standby that confirms");
        confirmed.expect("an answer");
    }

    /// Makes a standby a primary, and returns once it is one.
    pub(crate) async fn promote(&self) {
        self.execute("SELECT pg_promote()").await;
    }

    /// Where this cluster is, with a database that every cluster has.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Ends the server and all its backends with SIGKILL. Blocks the thread for some milliseconds.
    pub(crate) fn kill(&mut self) {
        self.order("kill");
    }

    /// Starts the server again on what [`Cluster::kill`] left, and blocks the thread until it has recovered.
    pub(crate) fn start_again(&mut self) {
        self.order("start");
    }

    fn order(&mut self, word: &str) {
        let input = self.supervisor.stdin.as_mut().expect("stdin is piped");
        writeln!(input, "{word}").expect("tests/postgres listens");
        let mut answer = String::new();
        self.output.read_line(&mut answer).expect("text");
        assert_eq!(answer.trim_end(), word, "tests/postgres says why above");
    }

    fn start() -> Self {
        Self::start_with(&[])
    }

    fn start_with(arguments: &[&OsStr]) -> Self {
        // The measurements' own test, in another package, has a cluster too.
        let directories = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
        let program = directories
            .map(|directory| directory.join("tests/postgres"))
            .find(|program| program.is_file())
            .expect("the repository is whole");
        let mut supervisor = Command::new(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .process_group(0) // Ctrl-C ends the tests; the end of the tests ends the cluster
            .spawn()
            .expect("tests/postgres is executable and bash is installed");
        let mut output = BufReader::new(supervisor.stdout.take().expect("stdout is piped"));
        let mut url = String::new();
        output.read_line(&mut url).expect("text");
        let has_started = !url.is_empty();
        assert!(has_started, "tests/postgres says why above");
        Self {
            url: as_nobody(url.trim_end()),
            supervisor,
            output,
        }
    }
}

/// The cluster that all tests of this process share, started by the first one that asks. Blocks
/// that test's thread for about a second, as it has nothing else to do.
fn cluster_url() -> &'static str {
    static URL: OnceLock<String> = OnceLock::new();
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    URL.get_or_init(|| {
        environment(SHARED_CLUSTER_VARIABLE)
            .unwrap_or_else(|| CLUSTER.get_or_init(Cluster::start).url.clone())
    })
}

#[expect(
    clippy::disallowed_methods,
    reason = "test set-up is no part of the program's configuration"
)]
pub(crate) fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Does something as the superuser, in the database at `url`: what no role may do that has a purpose.
pub(crate) async fn execute_as_superuser(url: &str, statements: &str) {
    assert!(
        is_a_superusers(statements),
        "some role may do this itself: {statements}"
    );
    let mut connection = connect(&as_superuser(url)).await;
    let done = execute(&mut connection, statements.to_owned()).await;
    done.unwrap_or_else(|error| panic!("{statements}: {error}"));
}

fn as_nobody(url: &str) -> String {
    url.replacen(&format!("//{SUPERUSER}@"), &format!("//{NOBODY}@"), 1)
}

fn as_superuser(url: &str) -> PgConnectOptions {
    let options: PgConnectOptions = url.parse().expect("a PostgreSQL URL");
    options.username(SUPERUSER)
}

fn is_a_superusers(statements: &str) -> bool {
    let begins = |text: &str, with: &[&str]| with.iter().any(|it| text.starts_with(it));
    let is_so = |statement: &str| {
        let is_membership =
            begins(statement, &["GRANT ", "REVOKE "]) && !statement.contains(" ON ");
        begins(statement, &OF_ROLES_AND_SERVERS)
            || is_membership
            // A role that may create nothing cannot be given anything by others.
            || begins(statement, &["ALTER "]) && statement.contains(" OWNER TO ")
    };
    let each = statements.split(';').map(str::trim);
    begins(statements, &AROUND_THE_RULES) || each.filter(|it| !it.is_empty()).all(is_so)
}

async fn connect(options: &PgConnectOptions) -> PgConnection {
    let connection = PgConnection::connect_with(options).await;
    connection.expect("the cluster accepts connections")
}

#[expect(
    clippy::disallowed_methods,
    reason = "a database's name cannot be bound, and each is made in this file"
)]
async fn execute(connection: &mut PgConnection, statement: String) -> sqlx::Result<()> {
    let statement = raw_sql(sqlx::AssertSqlSafe(statement));
    statement.execute(connection).await.map(drop)
}

mod tests {
    use std::{fs, io::Read, path::Path};

    use super::*;

    async fn connected(database: &TestDatabase) -> PgConnection {
        connect(&as_superuser(&database.url())).await
    }

    #[tokio::test]
    async fn the_url_of_a_database_lets_nobody_in() {
        let refused = PgConnection::connect(&database().await.url()).await;
        let refused = refused.expect_err("nobody was named").to_string();
        assert!(
            refused.contains("role \"nobody\" does not exist"),
            "{refused}"
        );
    }

    #[test]
    fn a_superuser_is_not_asked_for_what_others_may_do() {
        for (statements, is_its) in [
            ("CREATE ROLE one LOGIN; ALTER ROLE one SET a = 'b';", true),
            ("GRANT one, two TO three", true),
            ("ALTER TABLE one OWNER TO two", true),
            (
                "SET session_replication_role = replica; DELETE FROM one",
                true,
            ),
            (
                "CREATE ROLE one LOGIN; GRANT SELECT ON ALL TABLES IN SCHEMA public TO one",
                false,
            ),
            ("INSERT INTO one VALUES (1)", false),
            (
                "DELETE FROM one; SET session_replication_role = replica",
                false,
            ),
            ("CREATE EXTENSION hstore", false),
        ] {
            assert_eq!(is_a_superusers(statements), is_its, "{statements}");
        }
    }

    #[tokio::test]
    async fn the_server_answers_and_does_not_default_to_utc() {
        let database = database().await;
        let mut connection = connected(&database).await;
        // Read from the server's file, because sqlx asks for UTC in each session that it opens.
        let (name, time_zone): (String, String) = sqlx::query_as(
            "SELECT current_database()::text, setting
             FROM pg_file_settings WHERE name = 'timezone' AND applied",
        )
        .fetch_one(&mut connection)
        .await
        .expect("the server answers");
        assert_eq!(name, database.name());
        assert_eq!(time_zone, "Asia/Kolkata");
    }

    #[tokio::test]
    async fn a_database_starts_as_its_template_and_goes_its_own_way() {
        let template = database().await;
        let mut connection = connected(&template).await;
        let created = execute(&mut connection, "CREATE TABLE kept (id bigint)".into()).await;
        created.expect("a table");
        let closed = connection.close().await;
        closed.expect("a template must have no connections");

        let copy = database_from(template.name()).await;
        assert_ne!(copy.name(), template.name());
        let dropped = execute(&mut connected(&copy).await, "DROP TABLE kept".into()).await;
        dropped.expect("the copy has the table");
    }

    #[tokio::test]
    async fn a_dropped_database_is_gone_although_somebody_is_still_connected() {
        let database = database().await;
        let (name, maintenance) = (database.name().to_owned(), database.maintenance.clone());
        let _left_open = connected(&database).await;
        drop(database);
        let mut connection = connect(&maintenance).await;
        let remaining = "SELECT count(*) FROM pg_database WHERE datname = $1";
        let gone = async {
            let count = sqlx::query_scalar::<_, i64>;
            while count(remaining)
                .bind(&name)
                .fetch_one(&mut connection)
                .await?
                > 0
            {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            Ok::<_, sqlx::Error>(())
        };
        let gone = tokio::time::timeout(Duration::from_mins(1), gone).await;
        gone.expect("it goes soon").expect("an answer");
    }

    #[tokio::test]
    async fn a_killed_server_starts_again_with_all_it_confirmed() {
        let mut cluster = private();
        cluster.survive_kills().await;
        let database = cluster.database().await;
        let options = as_superuser(&database.url());
        let rows = "CREATE TABLE kept (id bigint); INSERT INTO kept VALUES (1)";
        let kept = execute(&mut connected(&database).await, rows.into()).await;
        kept.expect("a table with a row");
        let mut open = connected(&database).await;
        let begun = execute(&mut open, "BEGIN; INSERT INTO kept VALUES (2)".into()).await;
        begun.expect("another row");

        cluster.kill();
        assert!(PgConnection::connect_with(&options).await.is_err());
        assert!(execute(&mut open, "COMMIT".into()).await.is_err());
        cluster.start_again();
        let (kept, mut connection) = ("SELECT id FROM kept", connect(&options).await);
        let kept = sqlx::query_scalar(kept).fetch_all(&mut connection).await;
        let kept: Vec<i64> = kept.expect("the server has recovered");
        assert_eq!(kept, [1]);
    }

    #[tokio::test]
    async fn a_standby_follows_and_takes_the_place_of_its_primary() {
        let mut primary = private();
        primary.survive_kills().await;
        let standby = primary.standby().await;
        let database = database_at(primary.url()).await;
        let rows = "CREATE TABLE kept (id bigint); INSERT INTO kept VALUES (1)";
        let kept = execute(&mut connected(&database).await, rows.into()).await;
        kept.expect("a table with a row");
        primary.confirm_with_standby().await;
        let another = "INSERT INTO kept VALUES (2)"; // confirmed once the standby has it
        let kept = execute(&mut connected(&database).await, another.into()).await;
        kept.expect("another row");

        primary.kill();
        let refused = "CREATE TABLE refused (id bigint)".to_owned();
        let url = as_superuser(standby.url()).database(database.name());
        let refused = execute(&mut connect(&url).await, refused).await;
        assert!(refused.is_err(), "a standby takes no writes");
        standby.promote().await;
        let mut connection = connect(&url).await;
        let kept = sqlx::query_scalar("DELETE FROM kept RETURNING id").fetch_all(&mut connection);
        let kept: Vec<i64> = kept.await.expect("the standby takes writes now");
        assert_eq!(kept, [1, 2]);
    }

    /// Set in the process that the test below starts in order to kill it.
    const HOLD: &str = "RECONCILER_TEST_HOLD_A_CLUSTER";

    #[test]
    fn a_killed_test_process_leaves_neither_server_nor_directory() {
        if environment(HOLD).is_some() {
            let cluster = Cluster::start();
            eprintln!("{}", cluster.url);
            loop {
                thread::park(); // until killed
            }
        }

        // This binary again, running this test only, which then takes the branch above.
        let (_, this_module) = module_path!().split_once("::").expect("a crate");
        let this_test =
            format!("{this_module}::a_killed_test_process_leaves_neither_server_nor_directory");
        let mut holder = Command::new(std::env::current_exe().expect("this binary"))
            .args(["--exact", &this_test, "--nocapture"])
            .env(HOLD, "yes")
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("this binary starts");
        let mut said = BufReader::new(holder.stderr.take().expect("stderr is piped"));
        let mut url = String::new();
        said.read_line(&mut url).expect("text");
        let (_, directory) = url.trim_end().split_once("host=").expect("a directory");
        let directory = Path::new(directory);
        let server = fs::read_to_string(directory.join("data/postmaster.pid"));
        let server = server.expect("a running server");
        let pid = server.lines().next().expect("the server's process id");
        let server = Path::new("/proc").join(pid);
        assert!(server.exists());

        holder.kill().expect("SIGKILL is sent");
        holder.wait().expect("the holder is dead");
        // The supervisor shares that stderr and closes it last, so the end of it is the end of the clean-up.
        said.read_to_string(&mut String::new()).expect("text");
        for gone in [directory, &server] {
            assert!(!gone.exists(), "{} is still there", gone.display());
        }
    }
}
