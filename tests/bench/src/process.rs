//! A worker, or a console, as an operator would run it: a process of this very program under the name of the other
//! one, so that what is measured was built with what measures it. It is told by its environment and a file what to work
//! on. A worker tells by its log what it committed.
//!
//! **Invariant:** no process outlives the value that stands for it, unless this program is killed.

use std::collections::{HashMap, VecDeque};
use std::fs;
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::anyhow;
use jiff::Timestamp;
use reconciler_jobs::ids::RunId;
use restore_reconciler::internals::cli::output::Document;
use restore_reconciler::internals::clock::Stopwatch;
use restore_reconciler::internals::config::{
    CONFIG_VARIABLE, DATABASE_URL_VARIABLE, LISTEN_URL_VARIABLE,
};
use rustix::process::{Pid, Signal, kill_process};
use serde::Deserialize;
use serde::de::IgnoredAny;
use tempfile::NamedTempFile;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::net::TcpStream;
use tokio::process::{Child, ChildStderr, ChildStdout, Command};
use tokio::sync::watch;
use tokio::time::timeout;

use crate::bench::all;

/// The name under which this program is the operator's.
pub(crate) const OPERATED_AS: &str = "restore-reconciler";

/// How long a process may take to be ready, and to end when it is told to.
const PROCESS_TIMEOUT: Duration = Duration::from_secs(30);

/// How often it is asked whether it is ready.
const ASK_EVERY: Duration = Duration::from_millis(2);

/// Without a further verdict for so long, no more are expected.
const SILENT_FOR: Duration = Duration::from_secs(30);

/// How many of its last words are kept, for the message of a failure.
const LINES_KEPT: usize = 20;

/// A schedule of sweeps that does not come while anything is measured.
pub(crate) const HARDLY_EVER: &str = "0 0 0 29 2 *";
/// A schedule of sweeps without a break.
pub(crate) const EVERY_SECOND: &str = "* * * * * *";

/// A running worker or console.
#[derive(Debug)]
pub(crate) struct OwnProcess {
    child: Child,
    pid: Pid,
    address: SocketAddr,
    ready_after: Duration,
    said: Said,
    /// Where it wrote its address; closed, it could not write any more.
    _stdout: Lines<BufReader<ChildStdout>>,
    _config: NamedTempFile,
}

impl OwnProcess {
    /// Starts a worker on the database that `url` names, with the built-in settings but for what a measurement has to
    /// know, and returns when it says that it is ready. What it commits from then on is found in `verdicts`.
    pub(crate) async fn worker(
        url: &str,
        sweeps: &str,
        verdicts: &Verdicts,
    ) -> anyhow::Result<Self> {
        let arguments = ["work", "--listen", "127.0.0.1:0"];
        let config = format!("[sweep]\nschedule = \"{sweeps}\"\n[log]\nformat = \"json\"\n");
        Self::start(url, &arguments, &config, verdicts).await
    }

    /// Shows the console over the database that `url` names to whoever asks, as often as it can, and returns when it
    /// listens.
    pub(crate) async fn console(url: &str) -> anyhow::Result<Self> {
        let config = "[console]\nlisten = \"127.0.0.1:0\"\nrequests_per_minute = 1000000\n[log]\nformat = \"json\"\n";
        Self::start(url, &["serve"], config, &Verdicts::new()).await
    }

    async fn start(
        url: &str,
        arguments: &[&str],
        config: &str,
        verdicts: &Verdicts,
    ) -> anyhow::Result<Self> {
        let said = Said::default();
        let started = Self::spawn(url, arguments, config, verdicts, &said).await;
        started.map_err(|problem| said.failed("did not become ready", &problem))
    }

    async fn spawn(
        url: &str,
        arguments: &[&str],
        config: &str,
        verdicts: &Verdicts,
        said: &Said,
    ) -> io::Result<Self> {
        let mut file = NamedTempFile::new()?;
        file.write_all(config.as_bytes())?;
        let mut command = Command::new(std::env::current_exe()?);
        command
            .arg0(OPERATED_AS)
            .args(arguments)
            .env(DATABASE_URL_VARIABLE, url)
            .env(CONFIG_VARIABLE, file.path())
            // Notices are sent within one database, and this variable names another.
            .env_remove(LISTEN_URL_VARIABLE)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        let starting = Stopwatch::start();
        let mut child = command.spawn()?;
        let pid = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
        let pipes = (pid, child.stdout.take(), child.stderr.take());
        let (Some(pid), Some(stdout), Some(stderr)) = pipes else {
            return Err(io::Error::other("it has no pipes"));
        };
        tokio::spawn(listen(stderr, verdicts.clone(), said.clone()));
        let mut stdout = BufReader::new(stdout).lines();
        let address = in_time(become_ready(&mut stdout)).await?;
        Ok(Self {
            child,
            pid,
            address,
            ready_after: starting.elapsed(),
            said: said.clone(),
            _stdout: stdout,
            _config: file,
        })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it says where something went wrong with it.
    pub(crate) fn failed(&self, problem: &str, why: &io::Error) -> anyhow::Error {
        self.said.failed(problem, why)
    }

    /// How long it took from its start until it was ready.
    pub(crate) fn ready_after(&self) -> Duration {
        self.ready_after
    }

    /// The most memory it has had at any moment, in KiB. Nothing where the system does not tell.
    pub(crate) fn peak_resident(&self) -> Option<u32> {
        let status = format!("/proc/{}/status", self.pid.as_raw_nonzero());
        peak_in(&fs::read_to_string(status).ok()?)
    }

    /// Has it finish what it has in hand, and waits for its end.
    pub(crate) async fn stop(mut self) -> anyhow::Result<()> {
        let ended = in_time(async {
            // It was not waited for yet, so that the id cannot be somebody else's.
            kill_process(self.pid, Signal::TERM)?;
            let status = self.child.wait().await?;
            let failed = || io::Error::other(status.to_string());
            status.success().then_some(()).ok_or_else(failed)
        });
        let ended = ended.await;
        ended.map_err(|problem| self.said.failed("did not end well", &problem))
    }
}

async fn in_time<T>(what: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    let done = timeout(PROCESS_TIMEOUT, what).await;
    done.unwrap_or_else(|_| Err(io::Error::other("it takes too long")))
}

/// Where it listens, as soon as it answers there: a worker as long as it is not ready does not say 200.
async fn become_ready(stdout: &mut Lines<BufReader<ChildStdout>>) -> io::Result<SocketAddr> {
    let line = stdout.next_line().await?.unwrap_or_default();
    let unknown = || io::Error::other("it does not say where it listens");
    let Ok(Document::Listening(said)) = serde_json::from_str(&line) else {
        return Err(unknown());
    };
    let console = said.address.strip_prefix("http://");
    let address = console.unwrap_or(&said.address).parse();
    let address = address.map_err(|_| unknown())?;
    while console.is_none() && !is_ready(address).await? {
        tokio::time::sleep(ASK_EVERY).await;
    }
    Ok(address)
}

async fn is_ready(address: SocketAddr) -> io::Result<bool> {
    let mut connection = TcpStream::connect(address).await?;
    let request = b"GET /readyz HTTP/1.0\r\n\r\n";
    connection.write_all(request).await?;
    let mut answer = Vec::new();
    connection.read_to_end(&mut answer).await?;
    Ok(answer.starts_with(b"HTTP/1.0 200 ") || answer.starts_with(b"HTTP/1.1 200 "))
}

/// Verdicts that were committed, of any number of workers: by run, when.
#[derive(Debug, Clone)]
pub(crate) struct Verdicts(watch::Sender<HashMap<RunId, Timestamp>>);

/// The part of a log line that tells of a verdict.
#[derive(Deserialize)]
struct VerdictLine {
    timestamp: Timestamp,
    #[serde(rename = "run.id")]
    run: i64,
    #[serde(rename = "verdict.outcome")]
    _outcome: IgnoredAny,
}

impl Verdicts {
    pub(crate) fn new() -> Self {
        Self(watch::Sender::new(HashMap::new()))
    }

    /// Whether the line tells of a verdict.
    fn note(&self, line: &str) -> bool {
        let Ok(verdict) = serde_json::from_str::<VerdictLine>(line) else {
            return false;
        };
        self.0.send_modify(|verdicts| {
            verdicts.insert(RunId(verdict.run), verdict.timestamp);
        });
        true
    }

    /// Returns as soon as there are so many, and fails where no more of them come.
    pub(crate) async fn until(&self, wanted: u64) -> anyhow::Result<HashMap<RunId, Timestamp>> {
        let mut noted = self.0.subscribe();
        loop {
            let verdicts = noted.borrow_and_update().len() as u64;
            if verdicts >= wanted {
                return Ok(noted.borrow().clone());
            }
            let another = timeout(SILENT_FOR, noted.changed()).await;
            if !matches!(another, Ok(Ok(()))) {
                all(verdicts, wanted)?;
            }
        }
    }
}

async fn listen(stderr: ChildStderr, verdicts: Verdicts, said: Said) {
    let mut lines = BufReader::new(stderr).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        if !verdicts.note(&line) {
            said.keep(line);
        }
    }
}

/// The last words of a process, verdicts left out.
#[derive(Debug, Clone, Default)]
struct Said(Arc<Mutex<VecDeque<String>>>);

impl Said {
    fn keep(&self, line: String) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() == LINES_KEPT {
            kept.pop_front();
        }
        kept.push_back(line);
    }

    fn failed(&self, problem: &str, why: &io::Error) -> anyhow::Error {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let said: String = kept.iter().flat_map(|line| ["\n", line]).collect();
        anyhow!("a process of its own {problem}: {why}. Its last words:{said}")
    }
}

/// The peak of resident memory, in KiB, in what Linux says about a process.
fn peak_in(status: &str) -> Option<u32> {
    let mut lines = status.lines();
    let peak = lines.find_map(|line| line.strip_prefix("VmHWM:"))?;
    peak.strip_suffix("kB")?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use restore_reconciler::internals::telemetry::names::{OUTCOME, RUN_ID};

    use super::*;

    #[test]
    fn the_peak_is_found_among_the_other_sizes() {
        let status = "Name:\tx\nVmPeak:\t  900 kB\nVmHWM:\t    1536 kB\nVmRSS:\t 100 kB\n";
        assert_eq!(peak_in(status), Some(1536));
        assert_eq!(peak_in("VmRSS:\t 100 kB\n"), None);
    }

    #[tokio::test]
    async fn a_verdict_is_noted_once_and_other_lines_are_none() {
        let verdicts = Verdicts::new();
        let timestamp = r#""timestamp":"2025-03-01T10:00:00.000001Z""#;
        // Spelled as the log spells them, so that nothing is waited for that is called otherwise.
        let line = format!(r#"{{{timestamp},"{RUN_ID}":7,"{OUTCOME}":"blocked","message":"x"}}"#);
        assert!(verdicts.note(&line) && verdicts.note(&line));
        assert!(!verdicts.note(&format!(r#"{{{timestamp},"{RUN_ID}":8}}"#)));
        assert!(!verdicts.note("thread panicked"));
        let noted = verdicts.until(1).await.unwrap();
        let at = "2025-03-01T10:00:00.000001Z".parse().unwrap();
        assert_eq!(noted, HashMap::from([(RunId(7), at)]));
    }
}
