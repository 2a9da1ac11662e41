//! The real binary as a worker, and the database that it works on.

use std::path::Path;

use reconciler_fixtures::Standin;
use sqlx::{PgPool, postgres::PgPoolOptions};
use tokio::{process::Command, time::timeout};

use super::case::world;
use super::process::{NotStarted, Process, program};
use super::roles::{Purpose, grant};
use super::time::TIMEOUT;

/// How many of the last lines that a worker says are kept.
const LINES_KEPT: usize = 200;

/// A process that works.
pub(crate) type Worker = Process;

impl Process {
    /// Starts `work` on the database of `url` and waits until it answers probes.
    pub(crate) async fn start(url: &str, config: Option<&Path>) -> Result<Self, NotStarted> {
        let mut command = program(url, &["work", "--listen", "127.0.0.1:0"]);
        if let Some(file) = config {
            command.env("RECONCILER_CONFIG", file);
        }
        Self::spawn(&command, LINES_KEPT).await
    }

    /// The same from a shell that ignores SIGHUP.
    pub(crate) async fn start_with_hangup_ignored(
        url: &str,
        config: &Path,
    ) -> Result<Self, NotStarted> {
        let worker = program(url, &["work", "--listen", "127.0.0.1:0"]);
        let mut shell = std::process::Command::new("sh");
        shell
            .args(["-c", r#"trap "" HUP; exec "$0" "$@""#])
            .arg(worker.get_program())
            .args(worker.get_args())
            .envs(
                worker
                    .get_envs()
                    .filter_map(|(name, value)| Some((name, value?))),
            )
            .env("RECONCILER_CONFIG", config);
        Self::spawn(&shell, LINES_KEPT).await
    }

    /// The same, listening for notices at `listen_url`.
    pub(crate) async fn start_listening(
        url: &str,
        listen_url: &str,
        config: &Path,
    ) -> Result<Self, NotStarted> {
        let mut command = program(url, &["work", "--listen", "127.0.0.1:0"]);
        command
            .env("RECONCILER_LISTEN_URL", Purpose::Worker.url(listen_url))
            .env("RECONCILER_CONFIG", config);
        Self::spawn(&command, LINES_KEPT).await
    }
}

/// Prepares the database at `url` for workers: the platform's stand-in, our schema and the queue, the scopes
/// of [`world`]. Returns a pool that finds its way back to a server that was away.
pub(crate) async fn stage(url: &str) -> PgPool {
    let owner = Standin::new(&Purpose::Owner.url(url)).expect("a URL");
    owner.install().await.expect("the stand-in");
    grant(url).await;
    let migrated = Command::from(program(url, &["migrate"])).output().await;
    let migrated = migrated.expect("the binary was built");
    assert!(migrated.status.success(), "{migrated:?}");
    grant(url).await;
    let platform = Standin::new(&Purpose::Platform.url(url)).expect("a URL");
    platform.plant(&world()).await.expect("the world");
    let pool = PgPoolOptions::new().max_connections(2);
    let pool = pool.connect(&Purpose::Engineer.url(url)).await;
    pool.expect("the database accepts more connections")
}

/// What a verb that ends by itself says on both outputs, and its exit code.
pub(crate) async fn said_by(url: &str, verb: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::from(program(url, verb));
    let output = timeout(TIMEOUT, command.kill_on_drop(true).output()).await;
    let output = output.unwrap_or_else(|_| panic!("{verb:?} does not end"));
    let output = output.expect("the binary was built");
    let said = String::from_utf8([output.stdout, output.stderr].concat());
    (output.status.code(), said.expect("it says text"))
}
