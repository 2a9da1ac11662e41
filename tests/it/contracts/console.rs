//! Every page and every answer of the console over the demonstration, and what it and a worker export.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::Duration;

use reconciler_jobs::restore_execute::ReasonCode;
use reconciler_jobs::restore_execute::canonical::digest_of;
use restore_reconciler::internals::clock::Stopwatch;
use serde_json::Value;
use tempfile::TempDir;

use super::mask::{mask, without_between};
use crate::support::process::program;

/// Answers that are kept as they are, one of each kind.
const WHOLE: [&str; 13] = [
    "/api/v1/",
    "/api/v1/queue",
    "/api/v1/runs?limit=3",
    "/api/v1/runs/1001",
    "/api/v1/runs/1001/explain",
    "/api/v1/runs/1003",
    "/api/v1/sweeps",
    "/api/v1/posture?workspace=11&limit=2",
    "/api/v1/restores?limit=2&kind=executed",
    "/api/v1/restores/70029/gates",
    "/api/v1/restores/999/gates",
    "/api/v1/runs?outcom=failed",
    "/api/v1/nothing",
];

/// How long the demonstration's worker may take to show itself.
const WORKER_WITHIN: Duration = Duration::from_mins(1);

/// A program that serves, ended with this value.
struct Serving {
    child: Child,
    address: String,
    _directory: TempDir,
}

impl Serving {
    /// Starts the demonstration.
    fn start() -> Self {
        let directory = TempDir::new().expect("a temporary directory");
        let settings = "[console]\nlisten = \"127.0.0.1:0\"\nrequests_per_minute = 1000000\n";
        fs::write(directory.path().join("settings.toml"), settings).expect("a file");
        let mut child = program("", &["--config", "settings.toml", "demo", "--serve"])
            .current_dir(directory.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the binary was built");
        let stdout = BufReader::new(child.stdout.take().expect("it is piped"));
        let mut lines = stdout.lines().map_while(Result::ok);
        let address = |line: String| Some(line.strip_prefix("listening on http://")?.to_owned());
        let serving = Self {
            address: lines.find_map(address).expect("it says where it listens"),
            child,
            _directory: directory,
        };
        // The first page says so once the demonstration's worker has shown itself.
        let since = Stopwatch::start();
        while !serving.get("/")[2].contains(">1 worker<") {
            assert!(since.elapsed() < WORKER_WITHIN, "no worker shows itself");
        }
        serving
    }

    /// The status, the type and the text of an answer.
    fn get(&self, path: &str) -> [String; 3] {
        let mut stream = TcpStream::connect(&self.address).expect("it listens");
        let own = format!("Host: {}\r\nConnection: close", self.address);
        let request = format!("GET {path} HTTP/1.1\r\n{own}\r\n\r\n");
        stream.write_all(request.as_bytes()).expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("it answers");
        let (head, body) = answer.split_once("\r\n\r\n").expect("an HTTP answer");
        let (status, headers) = head.split_once("\r\n").unwrap_or((head, ""));
        let mut headers = headers.lines();
        let kind = headers.find_map(|line| line.strip_prefix("content-type: "));
        let status = status.trim_start_matches("HTTP/1.1 ");
        [status, kind.unwrap_or_default(), body].map(str::to_owned)
    }

    /// An answer without what differs between two runs.
    fn masked(&self, path: &str) -> String {
        let [status, kind, body] = self.get(path);
        // Each page says on paper where it is, and the port is another each time.
        let body = body.replace(&self.address, "console.example");
        let body = if kind.starts_with("application/") {
            match serde_json::from_str::<Value>(&body) {
                Ok(mut json) => {
                    // Whether the demonstration's worker has shown itself yet is a matter of moments.
                    for of_worker in ["workers", "next_sweep_at"] {
                        json.as_object_mut().map(|answer| answer.remove(of_worker));
                    }
                    sort_events(&mut json);
                    format!("{json:#}")
                }
                Err(_) => body,
            }
        } else {
            // What the worker is at is a matter of moments, as are the moment and the age beside it.
            let body = without_between(&body, "<section class=\"strip", "</section>");
            with_sorted_events(&without_between(&body, "<time", "</time>"))
        };
        format!("{path}: {status}, {kind}\n{}\n", mask(&body))
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it was killed");
    }
}

/// Evidence has whole seconds, verdicts have not: which of them comes first in a timeline depends on when the second
/// ended.
fn sort_events(answer: &mut Value) {
    if let Some(Value::Array(events)) = answer.get_mut("timeline") {
        events.sort_by_key(|event| mask(&event.to_string()));
    }
}

/// The same in a page.
fn with_sorted_events(page: &str) -> String {
    let is_event = |line: &&str| line.starts_with("<li><time");
    let lines = page.lines().filter(|line| !line.is_empty());
    let (mut events, others): (Vec<&str>, Vec<&str>) = lines.partition(is_event);
    events.sort_unstable();
    [others, events].concat().join("\n")
}

/// Where the pages lead to that are reached from `/`, in the order of their addresses.
fn crawl(serving: &Serving) -> BTreeMap<String, String> {
    let mut seen = BTreeMap::new();
    let mut known = BTreeSet::from(["/".to_owned()]);
    let mut ahead = VecDeque::from(["/".to_owned()]);
    while let Some(path) = ahead.pop_front() {
        let answer = serving.masked(&path);
        assert!(answer.contains(": 200 OK"), "{answer}");
        for href in hrefs(&answer) {
            if known.insert(href.clone()) {
                ahead.push_back(href);
            }
        }
        seen.insert(path, answer);
    }
    seen
}

/// Addresses of this console that a page leads to.
fn hrefs(page: &str) -> impl Iterator<Item = String> {
    page.split("href=\"")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .filter(|href| href.starts_with('/'))
        .map(|href| {
            let href = href.replace("&#38;", "&").replace("&amp;", "&");
            href.split('#').next().unwrap_or_default().to_owned()
        })
}

/// Reason codes on a page that do not lead to what they mean.
fn codes_that_lead_nowhere(page: &str) -> Vec<&str> {
    let before = page.split("<code>").skip(1);
    let codes = before.filter_map(|rest| rest.split("</code>").next());
    let leads = |code: &&str| {
        page.contains(&format!(
            "<a href=\"/reasons/{code}\"><code>{code}</code></a>"
        ))
    };
    let bare = |code: &str| page.matches(&format!("<code>{code}</code>")).count();
    let linked = |code: &str| page.matches(&format!("\"><code>{code}</code></a>")).count();
    codes
        .filter(|code| ReasonCode::parse(code).is_some())
        .filter(|code| !leads(code) || bare(code) != linked(code))
        .collect()
}

/// What has a name of its own: columns of the platform, and settings.
const NAMED: [&str; 5] = [
    "operation_runs",
    "restore_runs",
    "failure_summary",
    "applied_words",
    "blocker_codes",
];

/// Words joined by underscores that a page says outside of code: names within this program, and none of people's. Reason codes
/// are names that people look up.
fn joined_words(page: &str) -> BTreeSet<&str> {
    let (_, main) = page.split_once("<main").unwrap_or_default();
    let (main, _) = main.split_once("</main>").unwrap_or((main, ""));
    let pieces = main.split('<').filter_map(|piece| piece.split_once('>'));
    let said = pieces.filter(|(tag, _)| !tag.starts_with("code"));
    let words =
        said.flat_map(|(_, text)| text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_'));
    let codes = ReasonCode::ALL.map(ReasonCode::code);
    let is_known = |word: &str| {
        NAMED.contains(&word)
            || codes
                .iter()
                .any(|code| code.split('.').any(|it| it == word))
    };
    let is_part = |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_lowercase());
    words
        .filter(|word| word.contains('_') && word.split('_').all(is_part))
        .filter(|word| !is_known(word))
        .collect()
}

/// One line per answer: its address and its digest. The answers are left below `target`.
fn digests(answers: &BTreeMap<String, String>) -> String {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("contracts");
    fs::create_dir_all(&directory).expect("a directory");
    let lines = answers.iter().map(|(path, answer)| {
        let name = path.replace(|it: char| !it.is_ascii_alphanumeric(), "_");
        fs::write(directory.join(name), answer).expect("a file");
        format!("{} {path}\n", &digest_of(answer)[..16])
    });
    lines.collect()
}

#[test]
fn every_page_and_every_answer_reads_as_it_read() {
    let serving = Serving::start();
    let whole: String = WHOLE.map(|path| serving.masked(path)).join("\n");
    insta::assert_snapshot!("api", whole);
    let [.., openapi] = serving.get("/api/v1/openapi.json");
    let openapi: Value = serde_json::from_str(&openapi).expect("JSON");
    insta::assert_snapshot!("openapi", format!("{openapi:#}"));

    let pages = crawl(&serving);
    assert!(pages.len() > 300, "{} pages", pages.len());
    for code in ReasonCode::ALL {
        assert!(pages.contains_key(&format!("/reasons/{code}")), "{code}");
    }
    let shown = pages.values().filter(|page| page.contains("text/html"));
    let bare: Vec<&str> = shown
        .flat_map(|page| codes_that_lead_nowhere(page))
        .collect();
    assert!(bare.is_empty(), "{bare:?}");
    let shown = pages.iter().filter(|(_, page)| page.contains("text/html"));
    let joined: BTreeMap<&String, BTreeSet<&str>> = shown
        .map(|(path, page)| (path, joined_words(page)))
        .filter(|(_, words)| !words.is_empty())
        .collect();
    assert!(joined.is_empty(), "{joined:#?}");
    insta::assert_snapshot!("pages", digests(&pages));
    let answers = pages.keys().filter_map(|path| {
        let (first, id) = path.trim_start_matches('/').split_once('/')?;
        let of = match first {
            "runs" => format!("/api/v1/runs/{id}"),
            "restores" => format!("/api/v1/restores/{id}/gates"),
            _ => return None,
        };
        (!of.contains("evidence")).then(|| (of.clone(), serving.masked(&of)))
    });
    insta::assert_snapshot!("answers", digests(&answers.collect()));
}

/// The lines that describe metrics, and each series without its value.
fn described(text: &str) -> String {
    let lines = text.lines().map(|line| match line.rsplit_once(' ') {
        Some((series, _)) if !line.starts_with('#') => series.to_owned() + "\n",
        _ => line.to_owned() + "\n",
    });
    // The order in which metrics are written is nobody's promise.
    let lines: BTreeSet<String> = lines.collect();
    lines.into_iter().collect()
}

#[test]
fn what_is_exported_keeps_its_names() {
    let serving = Serving::start();
    let [.., exported] = serving.get("/metrics");
    insta::assert_snapshot!("console_metrics", described(&exported));
}
