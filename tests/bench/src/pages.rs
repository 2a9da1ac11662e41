//! How long the console's pages take beside many settled runs.
//!
//! A console as an operator would run it, a process of this very program, is asked for one page after the other
//! over connections of their own.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use restore_reconciler::clock::Stopwatch;
use serde::Deserialize;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::bench::{Bench, Progress, Subject, milliseconds};
use crate::error::BenchError;
use crate::growth::Indexes;
use crate::process::OwnProcess;
use crate::report::{Figure, Series, Unit, percentile};

/// How often each page is asked for in a round, with the indexes that `doctor` advises.
const REQUESTS: usize = 50;

/// The same with the platform's own indexes alone, where a page reads whole tables.
const REQUESTS_SLOW: usize = 3;

/// How often it is asked for before, so that its rows are in memory.
const UNMEASURED: usize = 2;

/// How long an answer may take.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// A run in the middle of the settled ones, as the API tells of it.
#[derive(Deserialize)]
struct Listed {
    runs: Vec<Example>,
}

#[derive(Deserialize)]
struct Example {
    run: i64,
    restore: Option<i64>,
    place: Place,
}

#[derive(Deserialize)]
struct Place {
    workspace: Named,
    environment: Option<Named>,
}

#[derive(Deserialize)]
struct Named {
    id: i64,
}

/// A page and what it is called.
struct Page {
    path: String,
    series: Series,
}

impl Bench<'_> {
    /// Asks for every kind of page. `middle` is the id of a run with as many settled ones above it as below.
    pub(crate) async fn pages(
        &self,
        url: &str,
        middle: i64,
        progress: &mut impl FnMut(Progress),
    ) -> Result<Vec<Figure>, BenchError> {
        let mut figures = Vec::new();
        for indexes in Indexes::BOTH {
            let on = self.open(url).await?;
            indexes.put(&on).await?;
            on.analyse().await?;
            on.close().await?;
            let console = OwnProcess::console(url).await?;
            let measured = self
                .ask_for_pages(console.address(), middle, indexes, progress)
                .await
                .map_err(|error| console.failed("did not answer as it should", &error));
            console.stop().await?;
            figures.extend(measured?);
        }
        Ok(figures)
    }

    async fn ask_for_pages(
        &self,
        console: SocketAddr,
        middle: i64,
        indexes: Indexes,
        progress: &mut impl FnMut(Progress),
    ) -> io::Result<Vec<Figure>> {
        let listed = get(console, &format!("/api/v1/runs?limit=1&below={middle}")).await?;
        let listed: Listed = serde_json::from_slice(&listed).map_err(io::Error::other)?;
        let example = listed.runs.into_iter().next();
        let example = example.ok_or_else(|| io::Error::other("it shows no run"))?;
        let mut pages = pages(&example, self.options.settled, indexes);
        let requests = match indexes {
            Indexes::Advised => REQUESTS,
            Indexes::Own => REQUESTS_SLOW,
        };
        for round in 0..self.options.rounds {
            for page in &mut pages {
                let mut times = Vec::with_capacity(requests);
                for number in 0..UNMEASURED + requests {
                    let asking = Stopwatch::start();
                    get(console, &page.path).await?;
                    if number >= UNMEASURED {
                        times.push(milliseconds(asking.elapsed()));
                    }
                }
                times.sort_by(f64::total_cmp);
                if let Some(slow) = percentile(&times, 99) {
                    page.series.add(slow);
                }
            }
            progress(Progress {
                step: "asking for pages",
                done: u64::from(round + 1),
                total: u64::from(self.options.rounds),
            });
        }
        Ok(pages
            .iter()
            .filter_map(|page| page.series.figure())
            .collect())
    }
}

fn pages(example: &Example, settled: u64, indexes: Indexes) -> Vec<Page> {
    let run = example.run;
    let workspace = example.place.workspace.id;
    let environment = example.place.environment.as_ref().map(|it| it.id);
    let page = |name: &str, path: String| Page {
        path,
        series: Series::new(
            Subject::Page,
            format!("{name}, p99, {settled} settled, {}", indexes.name()),
            Unit::Milliseconds,
        ),
    };
    let some = |name: &str, path: Option<String>| path.map(|path| page(name, path));
    [
        Some(page("overview", "/".to_owned())),
        Some(page(
            "overview of a workspace",
            format!("/?workspace={workspace}"),
        )),
        Some(page("runs", "/runs".to_owned())),
        Some(page("runs, half way down", format!("/runs?below={run}"))),
        Some(page(
            "runs of a workspace",
            format!("/runs?workspace={workspace}"),
        )),
        some(
            "runs of an environment",
            environment.map(|id| format!("/runs?environment={id}")),
        ),
        Some(page("runs by outcome", "/runs?outcome=failed".to_owned())),
        Some(page(
            "runs by reason",
            "/runs?reason=restore.items_mixed".to_owned(),
        )),
        Some(page("runs by result", "/runs?state=failed".to_owned())),
        Some(page("undecided runs", "/runs?undecided=true".to_owned())),
        Some(page("one run", format!("/runs/{run}"))),
        Some(page(
            "what the rules say now",
            format!("/runs/{run}/explain"),
        )),
        some(
            "one restore",
            example.restore.map(|id| format!("/restores/{id}")),
        ),
        Some(page("queue and sweeps", "/queue".to_owned())),
    ]
    .into_iter()
    .flatten()
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
    let answer = timeout(ANSWER_TIMEOUT, asking)
        .await
        .unwrap_or_else(|_| Err(io::Error::other(format!("{path} takes too long"))))?;
    let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n");
    let body = end.and_then(|end| answer.get(end + 4..));
    match body {
        Some(body) if answer.starts_with(b"HTTP/1.1 200 ") => Ok(body.to_vec()),
        _ => {
            let head = String::from_utf8_lossy(&answer);
            let status = head.lines().next().unwrap_or("nothing");
            Err(io::Error::other(format!(
                "{path} is answered with {status}"
            )))
        }
    }
}
