//! A real Prometheus for a test, with the example configuration.
//!
//! **Invariant:** it does not outlive the test: dropping it kills it, and so does the kernel when the thread that
//! started it has ended.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use restore_reconciler::internals::clock;
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::net::TcpStream;
use tokio::process::{Child, ChildStderr, Command};

use super::files::{files, text};
use super::stage::{Stage, TOKEN_MADE_BY};
use crate::support::time::in_time;

/// The file that the example names for the console's token.
const TOKEN: &str = "restore-reconciler.token";

/// A directory with the files of `config/prometheus`, as the example says that they should lie.
pub(super) struct Place(TempDir);

impl Place {
    pub(super) fn of_the_example() -> Self {
        let directory = TempDir::with_prefix("restore-reconciler-prometheus-");
        let place = Self(directory.expect("a directory"));
        for file in files("config/prometheus", "yml") {
            fs::copy(&file, place.path(file.file_name().expect("a file"))).expect("a copy");
        }
        fs::write(place.path(TOKEN), "a-token").expect("a file");
        place
    }

    pub(super) fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.0.path().join(name)
    }

    /// Changes the example to scrape these, each second.
    fn scraping(self, stage: &Stage) -> Self {
        let config = self.path("prometheus.yml");
        let mut example = text(&config);
        assert!(example.contains(TOKEN_MADE_BY), "{example}");
        let (worker, console) = (stage.worker.address(), stage.console.address());
        for (before, after) in [
            ("_interval: 15s", "_interval: 1s"),
            ("- 127.0.0.1:9646\n", &format!("- {worker}\n")),
            ("- 127.0.0.1:8717\n", &format!("- {console}\n")),
        ] {
            assert!(example.contains(before), "{before}: {example}");
            example = example.replace(before, after);
        }
        fs::write(&config, example).expect("a file");
        fs::write(self.path(TOKEN), &stage.token).expect("a file");
        self
    }
}

pub(super) struct Prometheus {
    _running: Child,
    address: SocketAddr,
    _place: Place,
}

impl Prometheus {
    /// Starts one that scrapes both, and waits until it listens.
    pub(super) async fn scraping(stage: &Stage) -> Self {
        let place = Place::of_the_example().scraping(stage);
        let option = |name: &str, file: &str| format!("--{name}={}", place.path(file).display());
        let mut running = Command::new("setpriv")
            .args(["--pdeathsig=KILL", "--", "prometheus"])
            .arg(option("config.file", "prometheus.yml"))
            .arg(option("storage.tsdb.path", "data"))
            .arg("--web.listen-address=127.0.0.1:0")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("setpriv is installed, as tests/postgres needs it too");
        let mut said = BufReader::new(running.stderr.take().expect("stderr is piped")).lines();
        let address = in_time("where it listens", listening(&mut said)).await;
        // A pipe that nobody reads fills up.
        tokio::spawn(async move { while let Ok(Some(_)) = said.next_line().await {} });
        Self {
            _running: running,
            address,
            _place: place,
        }
    }

    /// What an expression is now: a number for each series, or nothing as long as it cannot answer.
    pub(super) async fn ask(&self, expression: &str) -> Vec<f64> {
        let result = self.result("query", expression, "").await;
        let values = result.iter().map(|series| series["value"][1].as_str());
        let values = values.map(|value| value.expect("a number"));
        values.map(|value| value.parse().expect(value)).collect()
    }

    /// Every series of an expression over the last `seconds`, as Prometheus has it: labels, and pairs of a moment
    /// and a value.
    pub(super) async fn ask_back(&self, expression: &str, seconds: u64) -> Vec<Value> {
        let now = clock::wall().as_second();
        let start = now.saturating_sub_unsigned(seconds);
        let step = (seconds / 120).max(1);
        let range = format!("&start={start}&end={now}&step={step}");
        self.result("query_range", expression, &range).await
    }

    async fn result(&self, how: &str, expression: &str, more: &str) -> Vec<Value> {
        let query: String = url::form_urlencoded::byte_serialize(expression.as_bytes()).collect();
        let path = format!("/api/v1/{how}?query={query}{more}");
        let answer = in_time("an answer", self.get(&path)).await;
        let answer = answer.expect("a connection");
        let Ok(mut answer) = serde_json::from_str::<Value>(&answer) else {
            return Vec::new(); // it has not read its storage yet, and says so in words
        };
        assert_eq!(answer["status"], "success", "{expression}: {answer}");
        let Value::Array(result) = answer["data"]["result"].take() else {
            panic!("no list: {expression}: {answer}")
        };
        result
    }

    /// HTTP 1.0, in which an answer ends with its connection and is not cut into chunks.
    async fn get(&self, path: &str) -> std::io::Result<String> {
        let mut connection = TcpStream::connect(self.address).await?;
        let request = format!("GET {path} HTTP/1.0\r\nHost: {}\r\n\r\n", self.address);
        connection.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        connection.read_to_string(&mut answer).await?;
        let (_, body) = answer.split_once("\r\n\r\n").unwrap_or_default();
        Ok(body.to_owned())
    }
}

/// Reads until it says which port it was given.
async fn listening(said: &mut Lines<BufReader<ChildStderr>>) -> SocketAddr {
    let mut all = Vec::new();
    while let Ok(Some(line)) = said.next_line().await {
        let (_, address) = line.split_once("address=").unwrap_or_default();
        let address = address.split(' ').next().unwrap_or_default().parse();
        match address {
            Ok(address) if line.contains("Listening on") => return address,
            _ => all.push(line),
        }
    }
    panic!(
        "Prometheus does not start; if it is not installed: apt-get install prometheus, or run tests/run\n{}",
        all.join("\n")
    )
}
