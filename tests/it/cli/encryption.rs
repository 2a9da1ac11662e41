//! A server that others reach by TLS only, with a certificate of an authority that no machine knows.
//!
//! The server makes the certificates itself, with `openssl`, which Debian's PostgreSQL brings: so the key is its own
//! user's, whoever runs the tests. It listens on addresses of this machine that nobody else uses, so that its port
//! is nobody else's either.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use reconciler_jobs::ids::RunId;
use sqlx::postgres::PgConnectOptions;
use tempfile::TempDir;
use tokio::time::Instant;

use super::stage::{SECRET, assert_says, plant, program, ran};
use crate::console::{Serving, Settings};
use crate::support::cluster::{self, Cluster, NOBODY, TestDatabase};
use crate::support::roles::{self, Purpose, as_role, connect};
use crate::support::scene::{dismiss, until_answered, until_ready, until_said};
use crate::support::store::open;
use crate::support::worker::Worker;
use crate::work::waiting::until_shown;

/// One more than the last network that a server of this process listens in.
static STARTED: AtomicU8 = AtomicU8::new(100);

struct Server {
    cluster: Cluster,
    database: TestDatabase,
    /// The URL of the server over the network, as this user, without parameters.
    url: String,
    /// A URL of the server at an address that its certificate does not name.
    elsewhere: String,
    data: PathBuf,
}

impl Server {
    async fn start() -> Self {
        let cluster = cluster::private();
        cluster.survive_kills().await;
        let database = cluster.database().await;
        let [.., high, low] = std::process::id().to_be_bytes();
        let number = STARTED.fetch_add(2, Ordering::Relaxed);
        let [address, elsewhere] =
            [number, number + 1].map(|net| format!("127.{net}.{high}.{low}"));
        let found: PgConnectOptions = database.url().parse().expect("a URL");
        let (port, name) = (found.get_port(), database.name());
        let [url, elsewhere_url] = [&address, &elsewhere]
            .map(|address| format!("postgres://{NOBODY}@{address}:{port}/{name}"));
        let mut server = Self {
            data: PathBuf::new(),
            cluster,
            url,
            elsewhere: elsewhere_url,
            database,
        };
        let mut engineer = connect(Purpose::Engineer, &server.database.url()).await;
        let data: String = sqlx::query_scalar("SHOW data_directory")
            .fetch_one(&mut engineer)
            .await
            .expect("the server says where it is");
        server.data = data.into();
        server.cluster.execute(&certificates(&address)).await;
        server.cluster.execute(&admission()).await;
        server.cluster.execute(&keeper()).await;
        server
            .restart_with(&[
                &format!("listen_addresses = '{address}, {elsewhere}'"),
                "ssl_cert_file = 'server.crt'",
                "ssl_key_file = 'server.key'",
                "ssl = on",
            ])
            .await;
        server
    }

    async fn restart_with(&mut self, settings: &[&str]) {
        for setting in settings {
            let setting = format!("ALTER SYSTEM SET {setting}");
            self.cluster.execute(&setting).await;
        }
        self.cluster.kill();
        self.cluster.start_again();
    }
}

/// Runs a shell's command as the server, in its directory.
fn as_server(command: &str) -> String {
    format!("COPY (SELECT) TO PROGRAM $command$cat >/dev/null; {command}$command$;")
}

/// An authority, a certificate of it for the server's address, and another authority.
fn certificates(address: &str) -> String {
    let new = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2";
    as_server(&format!(
        "{{ set -e; umask 077
         {new} -subj /CN=authority -keyout ca.key -out ca.crt
         {new} -subj /CN=stranger -keyout stranger.key -out stranger.crt
         {new} -subj /CN=server -keyout server.key -out server.crt -CA ca.crt -CAkey ca.key \
            -addext basicConstraints=critical,CA:FALSE -addext subjectAltName=IP:{address}
         }} 2>certificates.log || {{ cat certificates.log >&2; exit 1; }}"
    ))
}

/// Over the network, encrypted only, and [`keeper`] with its password only.
fn admission() -> String {
    let lines = "local all all trust\\n\
         hostssl all keeper 127.0.0.0/8 scram-sha-256\\n\
         hostssl all reconciler,migrator 127.0.0.0/8 trust\\n";
    as_server(&format!("printf '{lines}' >pg_hba.conf"))
}

/// A worker with a password.
fn keeper() -> String {
    format!("CREATE ROLE keeper LOGIN PASSWORD '{SECRET}' IN ROLE reconciler, console")
}

#[tokio::test]
async fn a_server_that_wants_encryption_is_reached_or_it_is_said_how() {
    let mut server = Server::start().await;
    plant(&server.database.url()).await;
    let (url, elsewhere) = (&server.url.clone(), &server.elsewhere.clone());
    let in_data = |name: &str| server.data.join(name).display().to_string();
    let (authority, stranger) = (in_data("ca.crt"), in_data("stranger.crt"));
    let no_authority = in_data("pg_hba.conf");
    let encrypted = "encryption: The connection is encrypted (TLSv1.3, TLS_";
    let wants = "no encryption (SQLSTATE 28000)";

    assert_says(url, "migrate ⇒ 0 | was created");
    roles::grant(&server.database.url()).await;
    for (url, rows) in [
        (
            format!("{url}?sslmode=disable"),
            format!(
                "sweep  ⇒ 1 ! {wants} ! to do: The server lets this user in over an encrypted connection only
                 doctor ⇒ 3 | {wants} | Write sslmode=verify-full"
            ),
        ),
        (url.clone(), format!("--verbose doctor ⇒ 0 | {encrypted} | who answers is not checked")),
        (
            format!("{url}?sslmode=require"),
            format!("--verbose doctor ⇒ 0 | {encrypted} | who answers is not checked"),
        ),
        (
            format!("{url}?sslmode=verify-full&sslrootcert={authority}"),
            format!(
                "--verbose doctor ⇒ 0 | {encrypted} | the server's name and certificate are checked
                 sweep  ⇒ 10"
            ),
        ),
        (
            format!("{url}?sslmode=verify-full"),
            "sweep  ⇒ 1 ! UnknownIssuer ! to do: This machine does not know the authority ! sslrootcert=FILE
             doctor ⇒ 3 | UnknownIssuer | sslrootcert=FILE"
                .to_owned(),
        ),
        (
            format!("{url}?sslmode=require&sslrootcert={stranger}"),
            "sweep ⇒ 1 ! UnknownIssuer ! sslrootcert=FILE".to_owned(),
        ),
        (
            format!("{elsewhere}?sslmode=verify-full&sslrootcert={authority}"),
            "sweep ⇒ 1 ! not valid for name ! to do: Name the server in RECONCILER_DATABASE_URL as its certificate does"
                .to_owned(),
        ),
        (
            format!("{elsewhere}?sslmode=require&sslrootcert={authority}"),
            format!("--verbose doctor ⇒ 0 | {encrypted} | the server's certificate is checked, and not its name"),
        ),
        (
            format!("{url}?sslmode=verify-full&sslrootcert={}", in_data("nothing.crt")),
            "sweep ⇒ 1 ! cannot read the file that sslrootcert names: No such file".to_owned(),
        ),
        (
            format!("{url}?sslmode=verify-full&sslrootcert={no_authority}"),
            "sweep ⇒ 1 ! sslrootcert names: it holds no certificate".to_owned(),
        ),
        (
            server.database.url().replace("sslmode=prefer", "sslmode=require"),
            "--verbose doctor ⇒ 0 | The connection is not encrypted, and does not leave this machine".to_owned(),
        ),
    ] {
        println!("{url}");
        assert_says(&url, &rows);
    }

    assert_variable_is_followed(url, [&authority, &stranger, &no_authority]);

    server.restart_with(&["ssl = off"]).await;
    assert_says(
        &format!("{url}?sslmode=require"),
        "sweep  ⇒ 1 ! server does not support TLS ! to do: The server takes no encrypted connections
         doctor ⇒ 3 | server does not support TLS | Set `ssl = on`",
    );
}

/// Another program's variable names the authority as the URL would, which comes first; no value is as good as no variable.
fn assert_variable_is_followed(url: &str, [authority, stranger, no_authority]: [&str; 3]) {
    let certificate = fs::read_to_string(authority).expect("a certificate");
    let (require, full) = ("sslmode=require", "sslmode=verify-full");
    let of_system = &format!("{full}&sslrootcert=system");
    let is_checked = "the server's certificate is checked, and not its name";
    let all_is_checked = "the server's name and certificate are checked";
    let is_not_checked = "who answers is not checked";
    for (parameters, variable, code, said) in [
        (require, stranger, 3, "UnknownIssuer"),
        (require, no_authority, 3, "it holds no certificate"),
        (require, authority, 0, is_checked),
        (require, "", 0, is_not_checked),
        (require, "system", 3, "without sslmode=verify-full"),
        (full, "system", 3, "UnknownIssuer"),
        (full, "", 3, "UnknownIssuer"),
        (full, &*certificate, 0, all_is_checked),
        (of_system, authority, 3, "UnknownIssuer"),
        ("sslmode=prefer", "system", 0, is_not_checked),
    ] {
        let mut command = program(&format!("{url}?{parameters}"), &["--verbose", "doctor"]);
        let ran = ran(command.env("PGSSLROOTCERT", variable)).exits(code);
        let all = ran.all();
        assert!(all.contains(said), "{parameters}, {variable:?}: {all}");
    }
}

/// What is longer than a record of TLS is written in parts, of which none waits for the server's word about the one before, which
/// comes 40 ms later. The fastest of several tells that from a machine that is busy.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_long_is_sent_at_once() {
    const RECORD_BYTES_MAX: usize = 16_384;
    const RUN_BYTES: usize = 12;
    let server = Server::start().await;
    plant(&server.database.url()).await;
    assert_says(&server.database.url(), "migrate ⇒ 0");
    roles::grant(&server.database.url()).await;
    let url = as_role(&server.url, "reconciler");
    let store = open(&format!("{url}?sslmode=require")).await;
    let nobodys: Vec<_> = (1..)
        .map(|run| RunId(1_000_000 + run))
        .take(RECORD_BYTES_MAX / RUN_BYTES * 3 / 2)
        .collect();
    let mut fastest = Duration::MAX;
    for _ in 0..20 {
        let began = Instant::now();
        store.suspect(&nobodys, "nobody").await.expect("an answer");
        fastest = fastest.min(began.elapsed());
    }
    assert!(fastest < Duration::from_millis(30), "{fastest:?}");
}

#[tokio::test]
async fn a_standby_is_refused_where_the_url_asks_for_the_primary() {
    let mut server = Server::start().await;
    plant(&server.database.url()).await;
    server.restart_with(&["wal_level = 'replica'"]).await;
    let primary = format!("{}?target_session_attrs=primary", server.url);
    assert_says(&primary, "migrate ⇒ 0 | was created");
    roles::grant(&server.database.url()).await;
    server.cluster.execute("CHECKPOINT").await;
    server
        .cluster
        .execute(&as_server("touch standby.signal"))
        .await;
    server.restart_with(&[]).await;
    let refused =
        "this server is a standby, and target_session_attrs asks for the primary (SQLSTATE 25006)";
    assert_says(
        &primary,
        &format!(
            "sweep ⇒ 1 ! {refused} ! to do: The database is read-only. Point RECONCILER_DATABASE_URL at the primary"
        ),
    );
    let any = format!("{}?target_session_attrs=any", server.url);
    assert_says(&any, "explain 1 ⇒ 0\nsweep ⇒ 1 ! (SQLSTATE 25006)");
}

#[tokio::test]
async fn a_password_comes_from_where_others_look_for_it_and_is_never_said() {
    let server = Server::start().await;
    plant(&server.database.url()).await;
    assert_says(&server.database.url(), "migrate ⇒ 0");
    roles::grant(&server.database.url()).await;
    let directory = TempDir::new().expect("a directory");
    let file = |name: &str, text: &str, mode: u32| {
        let path = directory.path().join(name);
        fs::write(&path, text).expect(name);
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect(name);
        path.display().to_string()
    };
    let bare = &as_role(&server.url, "keeper");
    let whole = bare.replace("keeper@", &format!("keeper:{SECRET}@"));
    let lines = format!("no password {SECRET}\n*:*:other:*:wrong\n*:*:*:keeper:{SECRET}\n");
    let url_file = &file("url", &format!("{whole}\n"), 0o444);
    let (own, open) = (
        &file(".pgpass", &lines, 0o600),
        &file("open", &lines, 0o640),
    );
    let others = &file("others", "*:*:other:*:wrong\n", 0o644);
    let home = &directory.path().display().to_string();
    let lost = &Path::new(home).join("lost").display().to_string();
    let (url, url_in, passes) = (
        "RECONCILER_DATABASE_URL",
        "RECONCILER_DATABASE_URL_FILE",
        "PGPASSFILE",
    );

    for (variables, code, said) in [
        (&[(url, &whole)][..], 0, "encryption: "),
        (&[(url_in, url_file)], 0, "encryption: "),
        (&[(url, bare), (passes, own)], 0, "encryption: "),
        (&[(url, bare), ("HOME", home)], 0, "encryption: "),
        (
            &[(url, bare), ("PGPASSWORD", &SECRET.to_owned())],
            0,
            "encryption: ",
        ),
        (&[(url, bare)], 3, "keeper\" (SQLSTATE 28P01)"),
        (&[(url, bare), (passes, open)], 1, "run `chmod 600 "),
        (&[(url, &whole), (passes, open)], 0, "encryption: "),
        (
            &[(url, bare), (passes, &"/dev/null".to_owned())],
            3,
            "keeper\" (SQLSTATE 28P01)",
        ),
        (
            &[(url, bare), (passes, others)],
            3,
            "keeper\" (SQLSTATE 28P01)",
        ),
        (
            &[(url, bare), (passes, lost)],
            1,
            "lost, which PGPASSFILE names",
        ),
        (
            &[(url_in, lost)],
            1,
            "lost, which RECONCILER_DATABASE_URL_FILE names",
        ),
        (
            &[(url, &whole), (url_in, url_file)],
            1,
            "are both set; unset one of them",
        ),
    ] {
        let mut command = program("", &["--verbose", "doctor"]);
        let ran =
            ran(command.envs(variables.iter().map(|(name, value)| (name, value)))).exits(code);
        assert!(ran.all().contains(said), "{variables:?}: {}", ran.all());
    }
}

/// One that is wrong is waited for as a server that is down is.
#[tokio::test(flavor = "multi_thread")]
async fn a_password_that_is_put_right_later_is_waited_for() {
    let server = Server::start().await;
    plant(&server.database.url()).await;
    assert_says(&server.database.url(), "migrate ⇒ 0");
    roles::grant(&server.database.url()).await;
    let url = as_role(&server.url, "keeper").replace("keeper@", "keeper:later@");
    let worker = Worker::start(&url, None).await;
    let worker = worker.unwrap_or_else(|why| panic!("{why}"));
    let settings = Settings::holding("[console]\nlisten = \"127.0.0.1:0\"");
    let console = Serving::start(&url, &settings).await;
    let wrong = "(SQLSTATE 28P01)";
    until_said(&worker, wrong).await;
    until_answered(&worker, "/readyz", 503).await;
    until_shown(&console, 503).await;
    let right = "ALTER ROLE keeper PASSWORD 'later'";
    server.cluster.execute(right).await;
    until_ready(&worker).await;
    until_shown(&console, 200).await;
    assert_eq!(worker.said().matches(wrong).count(), 1, "{}", worker.said());
    dismiss(worker).await;
    console.stop().await;
}

/// A server that takes the connection and never answers costs as long as the URL says.
#[tokio::test]
async fn a_connection_that_is_never_answered_is_given_up_in_time() {
    let silent = TcpListener::bind("127.0.0.1:0").expect("a socket");
    let port = silent.local_addr().expect("an address").port();
    let url = format!("postgres://keeper@127.0.0.1:{port}/app?sslmode=disable&connect_timeout=1");
    let since = Instant::now();
    assert_says(&url, "doctor ⇒ 3 | connection: ");
    assert!(
        since.elapsed() < Duration::from_secs(8),
        "{:?}",
        since.elapsed()
    );
}
