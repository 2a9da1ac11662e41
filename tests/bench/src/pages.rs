//! How long the console's pages take beside many settled runs.
//!
//! A console as an operator would run it, a process of this very program, is asked for one page after the other
//! over connections of their own.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use restore_reconciler::internals::clock::Stopwatch;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::bench::{Bench, Record, Subject, milliseconds};
use crate::growth::Indexes;
use crate::process::OwnProcess;
use crate::report::{Unit, percentile};

/// How often each page is asked for in a round, with the indexes that `doctor` advises.
const REQUESTS: usize = 50;

/// The same with the platform's own indexes alone, where a page reads whole tables.
const REQUESTS_SLOW: usize = 3;

/// How often it is asked for before, so that its rows are in memory.
const UNMEASURED: usize = 2;

const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

impl Bench<'_> {
    /// Asks for every kind of page. `middle` is the id of a run with as many settled ones above it as below.
    pub(crate) async fn pages(
        &self,
        url: &str,
        middle: i64,
        record: &mut Record,
    ) -> anyhow::Result<()> {
        for indexes in Indexes::BOTH {
            let on = self.open(url).await?;
            indexes.put(&on).await?;
            on.analyse().await?;
            on.close().await?;
            let console = OwnProcess::console(url).await?;
            let asking = self.ask_for_pages(console.address(), middle, indexes, record);
            let asked = asking.await;
            let asked =
                asked.map_err(|error| console.failed("did not answer as it should", &error));
            console.stop().await?;
            asked?;
        }
        Ok(())
    }

    async fn ask_for_pages(
        &self,
        console: SocketAddr,
        middle: i64,
        indexes: Indexes,
        record: &mut Record,
    ) -> io::Result<()> {
        let listed = get(console, &format!("/api/v1/runs?limit=1&below={middle}")).await?;
        let listed: Value = serde_json::from_slice(&listed).map_err(io::Error::other)?;
        let example = listed.pointer("/runs/0");
        let pages = pages(example.ok_or_else(|| io::Error::other("it shows no run"))?);
        let requests = match indexes {
            Indexes::Advised => REQUESTS,
            Indexes::Own => REQUESTS_SLOW,
        };
        let (settled, rounds) = (self.options.settled, self.options.rounds);
        for round in 0..rounds {
            for (name, path) in &pages {
                let mut times = Vec::with_capacity(requests);
                for number in 0..UNMEASURED + requests {
                    let asking = Stopwatch::start();
                    get(console, path).await?;
                    if number >= UNMEASURED {
                        times.push(milliseconds(asking.elapsed()));
                    }
                }
                if let Some(slow) = percentile(&times, 99) {
                    let variant = format!("{name}, p99, {settled} settled, {}", indexes.name());
                    let measured = &mut record.measured;
                    measured.add(Subject::Page, &variant, Unit::Milliseconds, slow);
                }
            }
            let (done, total) = (u64::from(round + 1), u64::from(rounds));
            record.progress.show("asking for pages", done, total);
        }
        Ok(())
    }
}

/// What each page is called, and where it is, for a run in the middle of the settled ones as the API tells of it.
fn pages(example: &Value) -> Vec<(&'static str, String)> {
    let id = |pointer: &str| example.pointer(pointer).and_then(Value::as_i64);
    let with = |before: &str, pointer| Some(format!("{before}{}", id(pointer)?));
    let run = with("/runs/", "/run");
    let workspace = "/place/workspace/id";
    let environment = "/place/environment/id";
    let always = |path: &str| Some(path.to_owned());
    let pages = [
        ("overview", always("/")),
        ("overview of a workspace", with("/?workspace=", workspace)),
        ("runs", always("/runs")),
        ("runs, half way down", with("/runs?below=", "/run")),
        ("runs of a workspace", with("/runs?workspace=", workspace)),
        (
            "runs of an environment",
            with("/runs?environment=", environment),
        ),
        ("runs by outcome", always("/runs?outcome=failed")),
        ("runs by reason", always("/runs?reason=restore.items_mixed")),
        ("runs by result", always("/runs?state=failed")),
        ("undecided runs", always("/runs?undecided=true")),
        ("one run", run.clone()),
        ("what the rules say now", run.map(|run| run + "/explain")),
        ("one restore", with("/restores/", "/restore")),
        ("queue and sweeps", always("/queue")),
    ];
    let known = pages.into_iter();
    known
        .filter_map(|(name, path)| Some((name, path?)))
        .collect()
}

/// The body of an answer that is 200.
async fn get(console: SocketAddr, path: &str) -> io::Result<Vec<u8>> {
    let asking = async {
        let mut connection = TcpStream::connect(console).await?;
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: {console}\r\nConnection: close\r\n\r\n");
        connection.write_all(request.as_bytes()).await?;
        let mut answer = Vec::new();
        connection.read_to_end(&mut answer).await?;
        Ok(answer)
    };
    let too_long = |_| Err(io::Error::other(format!("{path} takes too long")));
    let answer = timeout(ANSWER_TIMEOUT, asking)
        .await
        .unwrap_or_else(too_long)?;
    let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n");
    let body = end.and_then(|end| answer.get(end + 4..));
    match body {
        Some(body) if answer.starts_with(b"HTTP/1.1 200 ") => Ok(body.to_vec()),
        _ => {
            let head = String::from_utf8_lossy(&answer);
            let status = head.lines().next().unwrap_or("nothing");
            let problem = format!("{path} is answered with {status}");
            Err(io::Error::other(problem))
        }
    }
}
