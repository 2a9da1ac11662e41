//! What joins a job's row, log lines, spans and the record of a verdict, and how much is said of it.

use reconciler_jobs::ids::RunId;
use reconciler_jobs::trace::TraceContext;
use rustix::process::Signal;
use serde_json::{Value, json};
use tokio::process::Command;

use crate::support::case::Case;
use crate::support::process::program;
use crate::support::scene::{NO_SWEEPS, OPEN_JOBS, Scene, text_of, until_said};
use crate::support::store::{Fixture, on_both};
use crate::support::worker::said_by;

const TRACE_ID: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

fn lines(said: &str) -> Vec<Value> {
    let lines = said.lines().map(serde_json::from_str);
    lines.collect::<Result<_, _>>().expect("JSON lines")
}

/// The only line whose message begins so.
fn line<'a>(lines: &'a [Value], begins: &str) -> &'a Value {
    let says = |line: &&Value| {
        let message = line["message"].as_str();
        message.is_some_and(|message| message.starts_with(begins))
    };
    let found: Vec<_> = lines.iter().filter(says).collect();
    assert_eq!(found.len(), 1, "{begins:?}: {lines:#?}");
    found[0]
}

fn span<'a>(line: &'a Value, name: &str) -> &'a Value {
    let spans = line["spans"].as_array().expect("spans");
    let found = spans.iter().find(|span| span["name"] == name);
    found.unwrap_or_else(|| panic!("not within {name}: {line:#}"))
}

/// One id is in the ledger, the audit entry, the context, the log line and the span; the job's id and its trace are
/// in its row and in the same line and span.
#[tokio::test(flavor = "multi_thread")]
async fn one_id_joins_row_line_span_and_record() {
    let log = "[log]\nformat = \"json\"\nfilter = \"info,restore_reconciler=debug\"\n";
    let scene = Scene::new(&format!("{NO_SWEEPS}{log}")).await;
    scene.plant([Case::failed(1)]).await;
    let worker = scene.worker().await;
    let asked = format!(
        "BEGIN; SET LOCAL reconciler.traceparent = '{TRACE}'; SELECT reconciler.request(1); COMMIT"
    );
    scene.execute(&asked).await;
    scene.verdicts(1, &worker).await;
    scene.until(OPEN_JOBS, 0, &worker).await;
    until_said(&worker, "run 1 was dealt with").await;
    let (_, said) = worker.terminate().await;

    let written = "SELECT ledger.decision_id, audit.metadata ->> 'decision_id' AS audited,
            run.context -> 'reconciliation' ->> 'decision_id' AS told,
            job.id AS job, convert_from(job.job, 'UTF8')::json ->> 'traceparent' AS trace
        FROM reconciler.ledger AS ledger
        JOIN operation_runs AS run ON run.id = ledger.operation_run_id
        JOIN audit_logs AS audit ON audit.action = 'operation_run.reconciled' AND audit.resource_id = run.id::text
        JOIN apalis.jobs AS job ON job.job_type = run.type";
    let written = scene.row(written).await;
    let written = |name| text_of(&written, name);
    let (decision, job) = (json!(written("decision_id")), json!(written("job")));
    assert_eq!(decision.as_str().map(str::len), Some(32));
    assert_eq!(json!(written("audited")), decision);
    assert_eq!(json!(written("told")), decision);
    assert_eq!(written("trace"), TRACE);

    let lines = lines(&said);
    let verdict = line(&lines, "run 1 is failed");
    let dealt = line(&lines, "run 1 was dealt with");
    let running = span(dealt, "job.run");
    for holds in [verdict, running] {
        assert_eq!(holds["verdict.decision_id"], decision);
        assert_eq!(holds["verdict.outcome"], "failed");
        assert_eq!(holds["verdict.reason"], "restore.execution_failed");
        assert_eq!(holds["run.id"], 1);
        assert_eq!(holds["job.id"], job);
        assert_eq!(holds["trace.id"], TRACE_ID);
    }
    assert_eq!(verdict["level"], "INFO");
    assert_eq!(span(verdict, "settle.batch")["batch.runs"], 1);
    let received = span(line(&lines, "asked to look at run 1"), "trigger.receive");
    assert_eq!(received["job.id"], job);
    assert_eq!(received["run.id"], 1);
    assert_eq!(received["trace.id"], TRACE_ID);
    assert_eq!(received["trigger.cause"], "platform");
    let decided = line(&lines, "rule ");
    assert_eq!(decided["run.id"], 1);
    assert_eq!(decided["verdict.rule"], 17);
    assert_eq!(decided["level"], "DEBUG");
}

on_both!(
    a_verdict_has_one_line_after_it_was_committed,
    jobs_belong_to_the_trace_that_was_given,
);

async fn a_verdict_has_one_line_after_it_was_committed(on: Fixture) {
    let scene = Scene::on(on, NO_SWEEPS).await;
    let mut open = Case::proven(3);
    open.restore.status = "running".to_owned();
    scene.plant([Case::failed(1), Case::proven(2), open]).await;
    let swept = async || {
        let (code, said) = said_by(scene.url(), &["--verbose", "sweep"]).await;
        assert!(code.is_some(), "{said}");
        said
    };
    let said = swept().await;
    let rows = "SELECT operation_run_id AS run, decision_id FROM reconciler.ledger";
    let rows = scene.rows(rows).await;
    assert_eq!(rows.len(), 2, "{said}");
    for row in rows {
        let [run, decision] = ["run", "decision_id"].map(|name| text_of(&row, name));
        let of_run =
            |line: &&str| line.contains(" INFO ") && line.contains(&format!(": run {run} is "));
        let lines: Vec<&str> = said.lines().filter(of_run).collect();
        let [line] = lines[..] else {
            panic!("run {run}: {said}");
        };
        let decision = format!("verdict.decision_id=\"{decision}\"");
        for held in ["sweep.pass{", "settle.batch{", &decision] {
            assert!(line.contains(held), "{line}");
        }
        for of_a_job in ["job.id", "trace.id"] {
            assert!(!line.contains(of_a_job), "{line}");
        }
    }
    assert_eq!(said.matches("verdict.decision_id").count(), 2, "{said}");
    assert!(!swept().await.contains("verdict.decision_id"));
}

async fn jobs_belong_to_the_trace_that_was_given(on: Fixture) {
    let scene = Scene::on(on, NO_SWEEPS).await;
    scene.plant((1..=4).map(Case::failed)).await;
    let trace = TraceContext::parse(TRACE);
    let store = &scene.database.store;
    for (runs, trace) in [(&[RunId(1), RunId(2)][..], trace), (&[RunId(3)], None)] {
        let queued = store.request(runs, "test", trace).await.unwrap();
        assert_eq!(queued.len(), runs.len());
    }
    for (run, given) in [("4", TRACE), ("3", "nonsense")] {
        let mut enqueue = Command::from(program(scene.url(), &["enqueue", run]));
        let asked = enqueue.env("TRACEPARENT", given).output();
        let asked = asked.await.expect("the binary was built");
        assert!(asked.status.success(), "{asked:?}");
    }
    let payloads = scene.payloads("restore.execute").await;
    let traces = payloads
        .iter()
        .map(|it| (it["run"].as_i64(), &it["traceparent"]));
    let mut traces: Vec<_> = traces.collect();
    traces.sort_by_key(|(run, _)| *run);
    let (given, none) = (&json!(TRACE), &Value::Null);
    let expected = [(1, given), (2, given), (3, none), (3, none), (4, given)];
    assert_eq!(traces, expected.map(|(run, trace)| (Some(run), trace)));
}

/// Nobody has to restart a worker to see what it does.
#[tokio::test(flavor = "multi_thread")]
async fn a_signal_has_more_said_and_the_next_one_less() {
    const ASKED: &str = "asked to look at run";
    let scene = Scene::new(NO_SWEEPS).await;
    scene.plant((1..=3).map(Case::failed)).await;
    let worker = scene.worker().await;
    scene.request([1]).await;
    scene.verdicts(1, &worker).await;
    assert!(!worker.said().contains(ASKED), "{}", worker.said());
    worker.tell(Signal::USR1);
    until_said(&worker, "log level: debug").await;
    scene.request([2]).await;
    scene.verdicts(2, &worker).await;
    until_said(&worker, "asked to look at run 2").await;
    worker.tell(Signal::USR1);
    until_said(&worker, "log level: as configured").await;
    scene.request([3]).await;
    scene.verdicts(3, &worker).await;
    let (code, said) = worker.terminate().await;
    assert_eq!(code, Some(0), "{said}");
    assert!(!said.contains("asked to look at run 3"), "{said}");
}
