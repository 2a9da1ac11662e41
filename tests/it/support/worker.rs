//! The real binary as a worker of its own, to be watched, stopped and killed.
//!
//! **Invariant:** no worker outlives the test that started it, however that ends: dropping one kills it, and
//! the kernel kills it when the thread that started it has ended. Start workers on a thread that lives as long
//! as the test, not on one lent for blocking work.

use std::{
    collections::VecDeque,
    fmt,
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    process::Stdio,
    sync::{Arc, Mutex, PoisonError},
};

use reconciler_fixtures::Standin;
use rustix::process::{Pid, Signal, kill_process};
use sqlx::{PgPool, postgres::PgPoolOptions};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::TcpStream,
    process::{Child, ChildStderr, Command},
    task::JoinHandle,
    time::timeout,
};

use super::case::world;
use super::time::TIMEOUT;

/// How many of the last lines on standard error are kept.
const LINES_KEPT: usize = 200;

/// A running worker.
pub(crate) struct Worker {
    child: Child,
    pid: Pid,
    probes: SocketAddr,
    said: Said,
    listening: JoinHandle<()>,
}

/// Why there is no worker: it ended, or it took too long. Shows what it said.
#[derive(Debug)]
pub(crate) struct NotStarted(String);

impl fmt::Display for NotStarted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Worker {
    /// Starts `work` on the database of `url` and waits until it answers probes.
    pub(crate) async fn start(url: &str, config: Option<&Path>) -> Result<Self, NotStarted> {
        let mut command = without_heirs(env!("CARGO_BIN_EXE_restore-reconciler"));
        command
            .args(["work", "--listen", "127.0.0.1:0"])
            .env("RECONCILER_DATABASE_URL", url);
        if let Some(file) = config {
            command.env("RECONCILER_CONFIG", file);
        }
        Self::spawn(command).await
    }

    /// The same, listening for notices at `listen_url`.
    pub(crate) async fn start_listening(
        url: &str,
        listen_url: &str,
        config: &Path,
    ) -> Result<Self, NotStarted> {
        let mut command = without_heirs(env!("CARGO_BIN_EXE_restore-reconciler"));
        command
            .args(["work", "--listen", "127.0.0.1:0"])
            .env("RECONCILER_DATABASE_URL", url)
            .env("RECONCILER_LISTEN_URL", listen_url)
            .env("RECONCILER_CONFIG", config);
        Self::spawn(command).await
    }

    async fn spawn(mut command: Command) -> Result<Self, NotStarted> {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("setpriv is installed, as tests/postgres needs it too");
        let pid = child.id().expect("it was not waited for");
        let pid = Pid::from_raw(i32::try_from(pid).expect("a process id")).expect("not zero");
        let said = Said::default();
        let stderr = child.stderr.take().expect("stderr is piped");
        let listening = tokio::spawn(said.clone().listen(stderr));
        let mut stdout = BufReader::new(child.stdout.take().expect("stdout is piped")).lines();

        let first = timeout(TIMEOUT, stdout.next_line()).await;
        let line = match first {
            Ok(Ok(Some(line))) => line,
            Ok(Ok(None)) => {
                let end = timeout(TIMEOUT, child.wait()).await;
                return Err(NotStarted(format!("it ended: {end:?}\n{said}")));
            }
            other => return Err(NotStarted(format!("it says nothing: {other:?}\n{said}"))),
        };
        let probes = line
            .strip_prefix("listening on ")
            .and_then(|address| address.parse::<SocketAddr>().ok())
            .ok_or_else(|| NotStarted(format!("it said {line:?}\n{said}")))?;
        assert!(probes.ip() == Ipv4Addr::LOCALHOST && probes.port() != 0);
        // A pipe that nobody reads fills up.
        tokio::spawn(async move { while let Ok(Some(_)) = stdout.next_line().await {} });
        Ok(Self {
            child,
            pid,
            probes,
            said,
            listening,
        })
    }

    pub(crate) fn pid(&self) -> i32 {
        self.pid.as_raw_nonzero().get()
    }

    /// Where it answers probes and exports metrics.
    pub(crate) fn address(&self) -> SocketAddr {
        self.probes
    }

    /// The last lines of its standard error, for the message of a failure.
    pub(crate) fn said(&self) -> String {
        self.said.to_string()
    }

    /// SIGKILL, and the end.
    pub(crate) async fn kill(mut self) {
        self.child.kill().await.expect("it is ours to kill");
    }

    /// SIGSTOP: it keeps what it has, and does nothing.
    pub(crate) fn stop(&self) {
        self.signal(Signal::STOP);
    }

    /// SIGCONT.
    pub(crate) fn go_on(&self) {
        self.signal(Signal::CONT);
    }

    /// SIGTERM, and its exit code; nothing if a signal ended it.
    pub(crate) async fn terminate(self) -> (Option<i32>, String) {
        self.signal(Signal::TERM);
        self.ended().await
    }

    /// SIGTERM or SIGINT; how it goes on is the test's affair.
    pub(crate) fn tell(&self, signal: Signal) {
        self.signal(signal);
    }

    /// Waits for the end: its exit code, and what it said.
    pub(crate) async fn ended(mut self) -> (Option<i32>, String) {
        let status = timeout(TIMEOUT, self.child.wait())
            .await
            .unwrap_or_else(|_| panic!("it does not end\n{}", self.said))
            .expect("it is ours to wait for");
        // Its last words may still be on their way.
        timeout(TIMEOUT, self.listening)
            .await
            .unwrap_or_else(|_| panic!("somebody else keeps its standard error\n{}", self.said))
            .expect("listening never fails");
        (status.code(), self.said.to_string())
    }

    /// Whether it has ended by itself.
    pub(crate) fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    /// The status and the body of an answer to `GET path`.
    pub(crate) async fn probe(&self, path: &str) -> (u16, String) {
        timeout(TIMEOUT, get(self.probes, path))
            .await
            .unwrap_or_else(|_| panic!("GET {path}: no answer\n{}", self.said))
            .unwrap_or_else(|error| panic!("GET {path}: {error}\n{}", self.said))
    }

    fn signal(&self, signal: Signal) {
        // Not waited for yet, so that the id cannot be somebody else's.
        kill_process(self.pid, signal).expect("it is ours to signal");
    }
}

/// Prepares the database at `url` for workers: the platform's stand-in, our schema and the queue, the scopes
/// of [`world`]. Returns a pool that finds its way back to a server that was away.
pub(crate) async fn stage(url: &str) -> PgPool {
    let standin = Standin::new(url).expect("a URL");
    standin.install().await.expect("the stand-in");
    let mut migrate = without_heirs(env!("CARGO_BIN_EXE_restore-reconciler"));
    migrate.arg("migrate").env("RECONCILER_DATABASE_URL", url);
    let migrated = migrate.output().await.expect("the binary was built");
    assert!(migrated.status.success(), "{migrated:?}");
    standin.plant(&world()).await.expect("the world");
    PgPoolOptions::new()
        .max_connections(2)
        .connect(url)
        .await
        .expect("the database accepts more connections")
}

/// What a verb that ends by itself says on both outputs, and its exit code.
pub(crate) async fn said_by(url: &str, verb: &[&str]) -> (Option<i32>, String) {
    let mut command = without_heirs(env!("CARGO_BIN_EXE_restore-reconciler"));
    command.args(verb).env("RECONCILER_DATABASE_URL", url);
    let output = timeout(TIMEOUT, command.kill_on_drop(true).output())
        .await
        .unwrap_or_else(|_| panic!("{verb:?} does not end"))
        .expect("setpriv is installed");
    let said = [output.stdout, output.stderr].concat();
    (
        output.status.code(),
        String::from_utf8(said).expect("it says text"),
    )
}

/// A program that the kernel kills when whoever started it has ended, with next to nothing in its environment.
fn without_heirs(program: &str) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig=KILL", "--", program]);
    command.env_clear().env("PATH", "/usr/bin:/bin");
    command
}

async fn get(address: SocketAddr, path: &str) -> std::io::Result<(u16, String)> {
    let mut connection = TcpStream::connect(address).await?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    connection.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    connection.read_to_string(&mut answer).await?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head
        .strip_prefix("HTTP/1.1 ")
        .and_then(|rest| rest.get(..3)?.parse().ok())
        .ok_or_else(|| std::io::Error::other(format!("no HTTP: {answer:?}")))?;
    Ok((status, body.to_owned()))
}

/// The last lines that a worker said.
#[derive(Clone, Default)]
struct Said(Arc<Mutex<VecDeque<String>>>);

impl Said {
    async fn listen(self, stderr: ChildStderr) {
        let mut lines = BufReader::new(stderr).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if kept.len() == LINES_KEPT {
                kept.pop_front();
            }
            kept.push_back(line);
        }
    }
}

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.iter().try_for_each(|line| writeln!(f, "    {line}"))
    }
}

mod tests {
    use std::fs;

    use tokio::net::TcpListener;

    use super::*;
    use crate::support::time::in_time;

    /// A program that does what is expected of a worker, and listens nowhere.
    async fn stand_in(script: &str) -> Result<Worker, NotStarted> {
        let mut command = without_heirs("bash");
        command.args(["-c", script]);
        Worker::spawn(command).await
    }

    const WAITS: &str = "trap 'exit 3' TERM
        echo 'listening on 127.0.0.1:1'
        tail --pid=$$ --sleep-interval=0.1 --follow /dev/null >/dev/null 2>&1 & wait";

    fn state(worker: &Worker) -> Option<char> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", worker.pid())).ok()?;
        stat.rsplit_once(") ")?.1.chars().next()
    }

    async fn is_in_state(worker: &Worker, wanted: impl Fn(Option<char>) -> bool) {
        in_time("a state", async {
            while !wanted(state(worker)) {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }

    #[tokio::test]
    async fn it_is_stopped_continued_and_asked_to_end() {
        let mut worker = stand_in(WAITS).await.expect("a worker");
        worker.stop();
        is_in_state(&worker, |state| state == Some('T')).await;
        worker.go_on();
        is_in_state(&worker, |state| state != Some('T')).await;
        assert!(!worker.has_ended());
        assert_eq!(worker.terminate().await.0, Some(3));
    }

    #[tokio::test]
    async fn it_is_killed_and_dropping_kills_it_too() {
        let worker = stand_in(WAITS).await.expect("a worker");
        let proc = format!("/proc/{}", worker.pid());
        worker.kill().await;
        assert!(!Path::new(&proc).exists());

        let worker = stand_in(WAITS).await.expect("a worker");
        let stat = format!("/proc/{}/stat", worker.pid());
        drop(worker);
        in_time("its death", async {
            // Gone, or a zombie until the runtime reaps it.
            while fs::read_to_string(&stat).is_ok_and(|stat| !stat.contains(") Z ")) {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }

    #[tokio::test]
    async fn one_that_ends_instead_of_listening_says_why() {
        let refused = stand_in("echo 'no such verb' >&2; exit 2").await;
        let Err(NotStarted(why)) = refused else {
            panic!("it listens nowhere");
        };
        assert!(why.contains("it ended") && why.contains('2'), "{why}");
        let Err(NotStarted(why)) = stand_in("echo nonsense").await else {
            panic!("it listens nowhere");
        };
        assert!(why.contains("nonsense"), "{why}");
    }

    #[tokio::test]
    async fn only_the_last_lines_are_kept() {
        let worker = stand_in(
            "for i in {1..1000}; do echo line $i >&2; done; echo 'listening on 127.0.0.1:1'",
        )
        .await
        .expect("a worker");
        let said = worker.said.clone();
        in_time("the last line", async {
            while !said.to_string().contains("line 1000\n") {
                tokio::task::yield_now().await;
            }
        })
        .await;
        let said = said.to_string();
        assert_eq!(said.lines().count(), LINES_KEPT);
        assert!(!said.contains("line 800\n") && said.contains("line 801\n"));
        assert_eq!(worker.ended().await.0, Some(0));
    }

    #[tokio::test]
    async fn a_probe_reads_status_and_body() {
        let server = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = server.local_addr().unwrap();
        let answered = tokio::spawn(async move {
            let (mut client, _) = server.accept().await.unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                client.read_buf(&mut request).await.unwrap();
            }
            client
                .write_all(b"HTTP/1.1 503 Service Unavailable\r\nA: b\r\n\r\nnot ready\n")
                .await
                .unwrap();
            request
        });
        let (status, body) = in_time("an answer", get(address, "/readyz")).await.unwrap();
        assert_eq!((status, body.as_str()), (503, "not ready\n"));
        let request = answered.await.unwrap();
        assert!(request.starts_with(b"GET /readyz HTTP/1.1\r\n"));
    }
}
