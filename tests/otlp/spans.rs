//! What a worker sends, and what it costs it that nobody takes it.

use std::collections::BTreeMap;
use std::process::Stdio;
use std::time::Duration;

use reconciler_fixtures::Standin;
use reconciler_fixtures::proven::{Case, rows_of, world};
use reconciler_jobs::ids::RunId;
use reconciler_jobs::trace::TraceContext;
use restore_reconciler::internals::storage::reader::Workspaces;
use restore_reconciler::internals::storage::{Access, Limits, Store, connect};
use restore_reconciler::internals::worker;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;
use tokio::time::{interval, timeout};

use crate::collector::{Collector, Span};

/// Debug builds on a busy machine are slow; nothing waits longer than it must.
const TIMEOUT: Duration = Duration::from_mins(2);
const POLL: Duration = Duration::from_millis(10);

/// No sweep within the time of any test.
const NO_SWEEPS: &str = "[sweep]\nschedule = \"0 0 0 1 1 *\"\n";
/// Every span and every line that there is.
const LOUD: &str = "[log]\nfilter = \"trace\"\n";

const TRACE_ID: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CALLER: &str = "00f067aa0ba902b7";

/// What every secret begins with.
const SECRET: &str = "hunter2hunter2";

/// A SQLite file with open runs, and a worker that sends its spans to `collector`.
struct Scene {
    store: Store,
    worker: Child,
    /// Reads what it says all the while: a full pipe would stop it.
    said: JoinHandle<String>,
    directory: TempDir,
}

impl Scene {
    /// With so many runs whose restore failed.
    async fn new(runs: i64, collector: &str) -> Self {
        Self::with((1..=runs).map(Case::failed), "", collector, &[]).await
    }

    /// With these runs, of which some are asked for before anybody works, each within a trace.
    async fn with(
        cases: impl IntoIterator<Item = Case>,
        log: &str,
        collector: &str,
        asked: &[(i64, TraceContext)],
    ) -> Self {
        let directory = TempDir::new().expect("a temporary directory");
        let url = format!("sqlite://{}/platform.sqlite", directory.path().display());
        let store = connect(&url, Access::Create, &Limits::default()).await;
        let store = store.expect("a file");
        let standin = Standin::new(&url).expect("a URL");
        standin.install().await.expect("the stand-in");
        standin.plant(&world()).await.expect("the world");
        standin.plant(&rows_of(cases)).await.expect("rows");
        store.migrate().await.expect("our tables");
        worker::set_up(&store).await.expect("the queue");
        for (run, trace) in asked {
            request(&store, *run, Some(*trace)).await;
        }
        let config = directory.path().join("reconciler.toml");
        std::fs::write(&config, format!("{NO_SWEEPS}{log}")).expect("a file");
        let mut worker = Command::new(env!("CARGO_BIN_EXE_restore-reconciler"))
            .args(["work", "--listen", "127.0.0.1:0"])
            .env_clear()
            .env("RECONCILER_DATABASE_URL", &url)
            .env("RECONCILER_CONFIG", &config)
            .env("OTEL_EXPORTER_OTLP_ENDPOINT", collector)
            .env("OTEL_BSP_SCHEDULE_DELAY", "50")
            .env("OTEL_SERVICE_NAME", "ours")
            .env(
                "OTEL_RESOURCE_ATTRIBUTES",
                "service.name=theirs,deployment.environment.name=test",
            )
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the binary was built");
        let mut stdout = BufReader::new(worker.stdout.take().expect("piped")).lines();
        let line = timeout(TIMEOUT, stdout.next_line()).await.expect("in time");
        let line = line.expect("a line").unwrap_or_default();
        assert!(line.starts_with("listening on "), "{line}");
        let mut stderr = worker.stderr.take().expect("piped");
        let said = tokio::spawn(async move {
            let mut said = String::new();
            stderr.read_to_string(&mut said).await.expect("text");
            said
        });
        Self {
            store,
            worker,
            said,
            directory,
        }
    }

    async fn request(&self, run: i64, trace: Option<TraceContext>) {
        request(&self.store, run, trace).await;
    }

    /// Waits for the verdict of a run, and returns its id.
    async fn verdict(&self, run: i64) -> String {
        let settled = async {
            let mut poll = interval(POLL);
            loop {
                poll.tick().await;
                let reader = self.store.reader();
                let found = reader.load_verdict(&Workspaces::All, RunId(run)).await;
                if let Some(verdict) = found.expect("the ledger") {
                    return verdict.decision_id;
                }
            }
        };
        timeout(TIMEOUT, settled).await.expect("a verdict")
    }

    /// SIGTERM, and what it said.
    async fn end(self) -> String {
        let Self {
            mut worker,
            said,
            directory,
            ..
        } = self;
        let pid = i32::try_from(worker.id().expect("it runs")).expect("an id");
        kill_process(Pid::from_raw(pid).expect("not zero"), Signal::TERM).expect("it is ours");
        let end = async { (said.await, worker.wait().await) };
        let (said, status) = timeout(TIMEOUT, end).await.expect("it ends");
        let (said, status) = (said.expect("text"), status.expect("it is ours"));
        assert!(status.success(), "{status}\n{said}");
        drop(directory);
        said
    }
}

async fn request(store: &Store, run: i64, trace: Option<TraceContext>) {
    let asked = store.request(&[RunId(run)], "test", trace).await;
    assert_eq!(asked.expect("a job"), [RunId(run)]);
}

fn named<'a>(spans: &'a [Span], name: &str) -> &'a Span {
    let found: Vec<_> = spans.iter().filter(|span| span.name == name).collect();
    assert_eq!(found.len(), 1, "{name}: {spans:#?}");
    found[0]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_is_part_of_the_trace_of_whoever_asked() {
    let (collector, address) = Collector::start().await;
    let scene = Scene::new(1, &address).await;
    let trace = TraceContext::parse(&format!("00-{TRACE_ID}-{CALLER}-01"));
    assert!(trace.is_some());
    scene.request(1, trace).await;
    let decision = scene.verdict(1).await;
    let said = scene.end().await;

    let heads = collector.heads();
    assert!(!heads.is_empty(), "{said}");
    for head in heads {
        assert!(head.starts_with("POST /v1/traces HTTP/1.1\r\n"), "{head}");
        assert!(head.contains("application/x-protobuf"), "{head}");
    }
    let spans = collector.spans();
    let (received, running) = (named(&spans, "trigger.receive"), named(&spans, "job.run"));
    for span in [received, running] {
        assert_eq!([&*span.trace, &*span.parent], [TRACE_ID, CALLER]);
        assert_eq!(span.fields["run.id"], "1");
        assert_eq!(span.fields["trace.id"], TRACE_ID);
    }
    assert_eq!(received.fields["job.id"], running.fields["job.id"]);
    assert_eq!(running.fields["verdict.decision_id"], decision);
    assert_eq!(running.links, [received.id.as_str()]);
    // By the names that others know as well.
    assert_eq!(running.kind, Some(5));
    assert_eq!(running.fields["messaging.system"], "apalis");
    assert_eq!(
        running.fields["messaging.destination.name"],
        "restore.execute"
    );
    assert_eq!(running.fields["messaging.operation.type"], "process");
    assert_eq!(
        running.fields["messaging.message.id"],
        running.fields["job.id"]
    );
    assert_eq!(running.resource["service.name"], "ours");
    assert_eq!(
        running.resource["service.version"],
        env!("CARGO_PKG_VERSION")
    );

    let batch = named(&spans, "settle.batch");
    assert_eq!(batch.links, [running.id.as_str()]);
    let line = |event: &&_| BTreeMap::contains_key(*event, "verdict.decision_id");
    let lines: Vec<_> = batch.events.iter().filter(line).collect();
    assert_eq!(lines.len(), 1, "{batch:#?}");
    assert_eq!(lines[0]["verdict.decision_id"], decision);
    for part in ["facts.load", "verdict.commit"] {
        let part = named(&spans, part);
        assert_eq!((&part.trace, &part.parent), (&batch.trace, &batch.id));
    }
    let are_named = spans.iter().all(|span| span.name.contains('.'));
    assert!(are_named, "{spans:#?}");
}

/// Runs that are settled together belong to the traces of different people.
#[tokio::test(flavor = "multi_thread")]
async fn a_batch_leads_to_the_trace_of_each_of_its_jobs() {
    const RUNS: i64 = 5;
    let (collector, address) = Collector::start().await;
    let trace_of = |run: i64| format!("4bf92f3577b34da6a3ce929d0e0e{run:04}");
    let asked = (1..=RUNS).map(|run| {
        let trace = TraceContext::parse(&format!("00-{}-{CALLER}-01", trace_of(run)));
        (run, trace.expect("a trace"))
    });
    let asked: Vec<_> = asked.collect();
    let scene = Scene::with((1..=RUNS).map(Case::failed), "", &address, &asked).await;
    for run in 1..=RUNS {
        scene.verdict(run).await;
    }
    scene.end().await;

    let spans = collector.spans();
    let jobs: Vec<&Span> = spans.iter().filter(|span| span.name == "job.run").collect();
    let mut traces: Vec<&str> = jobs.iter().map(|span| &*span.trace).collect();
    traces.sort_unstable();
    let expected: Vec<String> = (1..=RUNS).map(trace_of).collect();
    assert_eq!(traces, expected);
    for job in &jobs {
        assert_eq!(job.kind, Some(5), "a consumer's");
        assert_eq!(job.fields["messaging.system"], "apalis");
        assert_eq!(
            job.resource["service.name"], "ours",
            "whatever attributes say"
        );
        assert_eq!(job.resource["deployment.environment.name"], "test");
    }
    let batches: Vec<&Span> = spans
        .iter()
        .filter(|it| it.name == "settle.batch")
        .collect();
    assert!(
        batches.len() < jobs.len(),
        "some were settled together: {batches:#?}"
    );
    let ids = |span: &&Span| span.id.clone();
    let mut linked: Vec<String> = batches.iter().flat_map(|it| it.links.clone()).collect();
    let mut ran: Vec<String> = jobs.iter().map(ids).collect();
    linked.sort_unstable();
    ran.sort_unstable();
    assert_eq!(linked, ran, "each job once");
}

/// Jobs are settled, the loss is said once, and the end does not wait for it.
#[tokio::test(flavor = "multi_thread")]
async fn a_lost_collector_costs_nothing_and_is_said_once() {
    let scene = Scene::new(5, "http://127.0.0.1:1").await;
    for run in 1..=5 {
        scene.request(run, None).await;
        scene.verdict(run).await;
    }
    let said = scene.end().await;
    assert_eq!(said.matches("spans cannot be sent").count(), 1, "{said}");
    assert_eq!(said.matches(" is failed").count(), 5, "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_is_none_stops_nobody() {
    for address in ["https://127.0.0.1:1", "nonsense", "http://"] {
        let scene = Scene::new(1, address).await;
        scene.request(1, None).await;
        scene.verdict(1).await;
        let said = scene.end().await;
        assert!(said.contains("spans"), "{address}: {said}");
    }
}

/// In every column that holds a text or a document, as a value and as a key.
fn sown(id: i64) -> Case {
    let mut case = Case::failed(id);
    let secret = |column: &str| format!("{SECRET}-{column}");
    let document = |column: &str| {
        let secret = secret(column);
        Some(json!({ &secret: [&secret, { "deep": &secret }] }).to_string())
    };
    let in_context = secret("context");
    let context = json!({ "restore_run_id": case.restore.id, &in_context: &in_context });
    case.run.context = Some(context.to_string());
    let failures = json!([{ "note": secret("failure_summary") }]);
    case.run.failure_summary = Some(failures.to_string());
    case.run.summary_counts = document("summary_counts");
    case.restore.requested_by = Some(secret("requested_by"));
    case.restore.group_mapping = document("group_mapping");
    case.restore.preview = document("preview");
    case.restore.metadata = document("metadata");
    case.restore.failure_reason = Some(secret("failure_reason"));
    let in_results = secret("results");
    let items = json!({ "7": { "status": "failed", "error": in_results } });
    let results = json!({ "foundations": [{ "reason": in_results }], "items": items });
    case.restore.results = Some(results.to_string());
    case
}

#[tokio::test(flavor = "multi_thread")]
async fn no_span_holds_what_the_platform_wrote() {
    let (collector, address) = Collector::start().await;
    let mut deferred = sown(2);
    deferred.restore = Case::in_progress(2).restore;
    let scene = Scene::with([sown(1), deferred], LOUD, &address, &[]).await;
    scene.request(2, None).await;
    scene.request(1, None).await;
    scene.verdict(1).await;
    let said = scene.end().await;
    assert!(!said.contains(SECRET), "{said}");
    let spans = collector.spans();
    assert!(spans.iter().any(|span| span.name == "facts.load"));
    let sent = collector.bodies();
    let is_sent = |words: &str| {
        let mut pieces = sent.windows(words.len());
        pieces.any(|piece| piece == words.as_bytes())
    };
    assert!(!is_sent(SECRET), "{spans:#?}");
    // That it would be seen: what the worker says of the run is among what was sent.
    assert!(is_sent("restore.execution_failed"));
}
