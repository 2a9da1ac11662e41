//! A real `PgBouncer` before a test's database.
//!
//! It listens on a socket file in a directory of its own, as the cluster does, and has that cluster's owner: it
//! refuses to run as root. **Invariant:** it does not outlive the test: dropping it kills it, and so does the
//! kernel when the thread that started it has ended.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection as _, PgConnection};
use tempfile::TempDir;
use tokio::process::{Child, Command};

use super::cluster::{NOBODY, environment};
use super::roles::{self, Purpose};
use super::time::in_time;

/// Names a `PgBouncer` to use instead of the installed one. `tests/run` sets it where that is too old.
const PROGRAM_VARIABLE: &str = "RECONCILER_TEST_PGBOUNCER";

/// The first release that follows prepared statements from connection to connection.
pub(crate) const FOLLOWS_STATEMENTS: (u32, u32) = (1, 21);

/// How it hands out its few connections to the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// For a transaction, and prepared statements are followed.
    Transaction,
    /// For a transaction, and nothing is followed.
    TransactionOnly,
    /// For as long as the client stays.
    Session,
}

/// Lives as long as this value.
pub(crate) struct Pooler {
    _running: Child,
    directory: TempDir,
    log: PathBuf,
    database: String,
}

impl Pooler {
    /// Starts one before the database that `url` names, with `connections` to it.
    pub(crate) async fn before(url: &str, mode: Mode, connections: u32) -> Self {
        let program = program();
        assert!(
            mode != Mode::Transaction || version(&program) >= FOLLOWS_STATEMENTS,
            "{} is too old: install PgBouncer {FOLLOWS_STATEMENTS:?} or newer, or run tests/run, which gets one",
            program.display(),
        );
        let options: PgConnectOptions = url.parse().expect("a PostgreSQL URL");
        let socket = options.get_socket().expect("a directory of sockets");
        let database = options.get_database().expect("a database").to_owned();
        let directory = TempDir::with_prefix("restore-reconciler-pooler-").expect("a directory");
        let own = fs::metadata(socket).expect("the cluster's directory");
        let path = |name: &str| directory.path().join(name);
        // Copied, because its owner may have no right to where it was built.
        fs::copy(&program, path("pgbouncer")).expect("the program can be read");
        fs::write(
            path("users"),
            roles::names()
                .map(|name| format!("\"{name}\" \"\"\n"))
                .concat(),
        )
        .expect("a file");
        let prepared = match mode {
            Mode::Transaction => "max_prepared_statements = 200",
            // Releases that follow none do not know the setting.
            _ if version(&program) < FOLLOWS_STATEMENTS => "",
            _ => "max_prepared_statements = 0",
        };
        let ini = settings(&options, directory.path(), mode, connections) + prepared;
        fs::write(path("ini"), ini + "\n").expect("a file");
        fs::set_permissions(path("pgbouncer"), fs::Permissions::from_mode(0o755)).expect("ours");
        for name in ["pgbouncer", "users", "ini", ""] {
            chown(path(name), Some(own.uid()), Some(own.gid())).expect("ours, or we are root");
        }
        let running = spawn(directory.path(), (own.uid(), own.gid()));
        let pooler = Self {
            _running: running,
            log: path("log"),
            directory,
            database,
        };
        in_time("the pooler", pooler.is_there()).await;
        pooler
    }

    /// The way to the database through it.
    pub(crate) fn url(&self) -> String {
        format!(
            "postgres://{NOBODY}@localhost:6432/{}?host={}",
            self.database,
            self.directory.path().display()
        )
    }

    /// What it said.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    async fn is_there(&self) {
        let url = Purpose::Engineer.url(&self.url());
        let options: PgConnectOptions = url.parse().expect("a URL");
        let options = options.extra_float_digits(None);
        while let Err(error) = async {
            let mut connection = PgConnection::connect_with(&options).await?;
            connection.ping().await
        }
        .await
        {
            let is_absent = matches!(&error, sqlx::Error::Io(_));
            assert!(is_absent, "{error}\n{}", self.log());
            tokio::task::yield_now().await;
        }
    }
}

fn settings(server: &PgConnectOptions, directory: &Path, mode: Mode, connections: u32) -> String {
    let pool_mode = match mode {
        Mode::Session => "session",
        Mode::Transaction | Mode::TransactionOnly => "transaction",
    };
    let database = server.get_database().expect("a database");
    format!(
        "[databases]\n\
         {database} = host={} port={} dbname={database}\n\
         [pgbouncer]\n\
         listen_addr =\n\
         listen_port = 6432\n\
         unix_socket_dir = {directory}\n\
         auth_type = trust\n\
         auth_file = {directory}/users\n\
         logfile = {directory}/log\n\
         pool_mode = {pool_mode}\n\
         default_pool_size = {connections}\n",
        server.get_socket().expect("a directory").display(),
        server.get_port(),
        directory = directory.display(),
    )
}

fn spawn(directory: &Path, (user, group): (u32, u32)) -> Child {
    let mut command = Command::new("setpriv");
    // Told by the kernel of our end only after the change of user, which would make it forget.
    if rustix::process::geteuid().is_root() {
        command.args([
            format!("--reuid={user}"),
            format!("--regid={group}"),
            "--clear-groups".to_owned(),
            "--".to_owned(),
            "setpriv".to_owned(),
        ]);
    }
    command
        .args(["--pdeathsig=KILL", "--"])
        .arg(directory.join("pgbouncer"))
        .arg("--quiet")
        .arg(directory.join("ini"))
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .expect("setpriv is installed, as tests/postgres needs it too")
}

/// The named one, or where Debian puts it, which is not on everybody's path.
fn program() -> PathBuf {
    if let Some(named) = environment(PROGRAM_VARIABLE) {
        return named.into();
    }
    let path = environment("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain([PathBuf::from("/usr/sbin")])
        .map(|directory| directory.join("pgbouncer"))
        .find(|program| program.exists())
        .expect("PgBouncer is not installed: apt-get install pgbouncer, or run tests/run")
}

/// Of `PgBouncer 1.24.1`, the first two numbers.
fn version(program: &Path) -> (u32, u32) {
    let said = std::process::Command::new(program)
        .arg("--version")
        .output()
        .expect("it can be executed");
    let said = String::from_utf8(said.stdout).expect("text");
    let mut numbers = said
        .trim_start_matches("PgBouncer ")
        .split(|c: char| !c.is_ascii_digit())
        .map(str::parse);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => (major, minor),
        _ => panic!("{}: {said}", program.display()),
    }
}
