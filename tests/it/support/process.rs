//! The real binary as a process of its own, to be watched, stopped and killed.
//!
//! **Invariant:** no process outlives the test that started it, however that ends: dropping one kills it, and
//! the kernel kills it when the thread that started it has ended. Start processes on a thread that lives as long
//! as the test, not on one lent for blocking work.

use std::collections::VecDeque;
use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};

use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader, Lines};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::roles::Purpose;
use super::time::TIMEOUT;

/// Verbs that open no database.
const NO_DATABASE: [&str; 8] = [
    "config",
    "completions",
    "man",
    "probe",
    "token",
    "version",
    "--version",
    "--help",
];

/// The binary, with nothing in its environment but the URL of a database, unless that is empty. It connects as the role
/// that runs this verb in production, unless the URL is that of another one.
pub(crate) fn program(url: &str, arguments: &[&str]) -> std::process::Command {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_restore-reconciler"));
    command.env_clear().args(arguments).stdin(Stdio::null());
    if !url.is_empty() {
        let purpose = Purpose::of_verb(arguments);
        let connects = !arguments.iter().any(|it| NO_DATABASE.contains(it));
        let is_known = purpose.is_some() || !connects || !Purpose::is_nobodys(url);
        assert!(is_known, "nobody is known to run {arguments:?}");
        let url = purpose.map_or_else(|| url.to_owned(), |purpose| purpose.url(url));
        command.env("RECONCILER_DATABASE_URL", url);
    }
    command
}

/// A running verb that listens: a worker or a console.
pub(crate) struct Process {
    child: Child,
    pid: Pid,
    address: SocketAddr,
    said: Said,
    listening: [JoinHandle<()>; 2],
}

/// Why there is no process: it ended, or it took too long. Shows what it said.
#[derive(Debug)]
pub(crate) struct NotStarted(String);

impl fmt::Display for NotStarted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Process {
    /// Starts it and waits until it says where it listens. The last lines that it says are kept, so many of them.
    pub(crate) async fn spawn(
        command: &std::process::Command,
        lines_kept: usize,
    ) -> Result<Self, NotStarted> {
        let mut child = without_heirs(command)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("setpriv is installed, as tests/postgres needs it too");
        let pid = child.id().expect("it was not waited for");
        let pid = Pid::from_raw(i32::try_from(pid).expect("a process id")).expect("not zero");
        let said = Said::new(lines_kept);
        let stderr = BufReader::new(child.stderr.take().expect("stderr is piped")).lines();
        let stderr = tokio::spawn(said.clone().listen(stderr));
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
        // As text, or where lines of the log are JSON, as that.
        let in_json = serde_json::from_str::<serde_json::Value>(&line).unwrap_or_default();
        let address = line
            .strip_prefix("listening on ")
            .or(in_json["address"].as_str());
        let address = address
            .map(|address| address.trim_start_matches("http://"))
            .and_then(|address| address.parse::<SocketAddr>().ok())
            .ok_or_else(|| NotStarted(format!("it said {line:?}\n{said}")))?;
        assert!(address.ip() == Ipv4Addr::LOCALHOST && address.port() != 0);
        let stdout = tokio::spawn(said.clone().listen(stdout));
        Ok(Self {
            child,
            pid,
            address,
            said,
            listening: [stdout, stderr],
        })
    }

    pub(crate) fn pid(&self) -> i32 {
        self.pid.as_raw_nonzero().get()
    }

    /// Where it listens: a worker for probes, a console for whoever looks.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The last lines that it said since, on both outputs.
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
        for listening in self.listening {
            timeout(TIMEOUT, listening)
                .await
                .unwrap_or_else(|_| panic!("somebody else keeps its outputs\n{}", self.said))
                .expect("listening never fails");
        }
        (status.code(), self.said.to_string())
    }

    /// Whether it has ended by itself.
    pub(crate) fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    /// The status and the body of an answer to `GET path`.
    pub(crate) async fn probe(&self, path: &str) -> (u16, String) {
        timeout(TIMEOUT, get(self.address, path))
            .await
            .unwrap_or_else(|_| panic!("GET {path}: no answer\n{}", self.said))
            .unwrap_or_else(|error| panic!("GET {path}: {error}\n{}", self.said))
    }

    fn signal(&self, signal: Signal) {
        // Not waited for yet, so that the id cannot be somebody else's.
        kill_process(self.pid, signal).expect("it is ours to signal");
    }
}

/// The same, killed by the kernel when whoever started it has ended, with next to nothing more in its environment.
fn without_heirs(command: &std::process::Command) -> Command {
    let mut lonely = Command::new("setpriv");
    lonely
        .args(["--pdeathsig=KILL", "--"])
        .arg(command.get_program())
        .args(command.get_args())
        .env_clear()
        .env("PATH", "/usr/bin:/bin");
    for (name, value) in command.get_envs() {
        lonely.env(name, value.unwrap_or_default());
    }
    lonely
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

/// The last lines that a process said.
#[derive(Clone)]
struct Said {
    lines: Arc<Mutex<VecDeque<String>>>,
    lines_kept: usize,
}

impl Said {
    fn new(lines_kept: usize) -> Self {
        Self {
            lines: Arc::default(),
            lines_kept,
        }
    }

    async fn listen<R: AsyncRead + Unpin>(self, mut output: Lines<BufReader<R>>) {
        while let Ok(Some(line)) = output.next_line().await {
            let mut kept = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
            if kept.len() == self.lines_kept {
                kept.pop_front();
            }
            kept.push_back(line);
        }
    }
}

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kept = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        kept.iter().try_for_each(|line| writeln!(f, "    {line}"))
    }
}

mod tests {
    use std::{fs, path::Path};

    use tokio::net::TcpListener;

    use super::*;
    use crate::support::time::{eventually, in_time};

    /// A program that does what is expected of a worker, and listens nowhere.
    async fn stand_in(script: &str) -> Result<Process, NotStarted> {
        let mut command = std::process::Command::new("bash");
        command.args(["-c", script]);
        Process::spawn(&command, LINES_KEPT).await
    }

    const LINES_KEPT: usize = 200;

    const WAITS: &str = "trap 'exit 3' TERM
        echo 'listening on 127.0.0.1:1'
        tail --pid=$$ --sleep-interval=0.1 --follow /dev/null >/dev/null 2>&1 & wait";

    fn state(worker: &Process) -> Option<char> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", worker.pid())).ok()?;
        stat.rsplit_once(") ")?.1.chars().next()
    }

    async fn until(what: &str, is_so: impl Fn() -> bool) {
        let look = async || is_so().then_some(());
        eventually(look, async || what.to_owned()).await;
    }

    #[tokio::test]
    async fn it_is_stopped_continued_and_asked_to_end() {
        let mut worker = stand_in(WAITS).await.expect("a worker");
        worker.stop();
        until("it is stopped", || state(&worker) == Some('T')).await;
        worker.go_on();
        until("it goes on", || state(&worker) != Some('T')).await;
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
        // Gone, or a zombie until the runtime reaps it.
        let lives = || fs::read_to_string(&stat).is_ok_and(|stat| !stat.contains(") Z "));
        until("its death", || !lives()).await;
    }

    #[tokio::test]
    async fn one_that_ends_instead_of_listening_says_why() {
        for (script, said) in [
            ("echo 'no such verb' >&2; exit 2", ["it ended", "2"]),
            ("echo nonsense", ["it said", "nonsense"]),
        ] {
            let Err(NotStarted(why)) = stand_in(script).await else {
                panic!("it listens nowhere");
            };
            assert!(said.iter().all(|words| why.contains(words)), "{why}");
        }
    }

    #[tokio::test]
    async fn only_the_last_lines_are_kept() {
        let script =
            "for i in {1..1000}; do echo line $i >&2; done; echo 'listening on 127.0.0.1:1'";
        let worker = stand_in(script).await.expect("a worker");
        until("the last line", || worker.said().contains("line 1000\n")).await;
        let said = worker.said();
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
            let answer = b"HTTP/1.1 503 Service Unavailable\r\nA: b\r\n\r\nnot ready\n";
            client.write_all(answer).await.unwrap();
            request
        });
        let (status, body) = in_time("an answer", get(address, "/readyz")).await.unwrap();
        assert_eq!((status, body.as_str()), (503, "not ready\n"));
        let request = answered.await.unwrap();
        assert!(request.starts_with(b"GET /readyz HTTP/1.1\r\n"));
    }
}
