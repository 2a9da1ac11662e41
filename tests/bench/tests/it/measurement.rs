//! The real binary measures the program, on databases of its own, with worker processes of its own.
//!
//! Figures are of a debug build on a busy machine, so nothing is said of how large they are.

use std::{collections::BTreeSet, fs, path::Path, process::Command};

use serde_json::Value;
use sqlx::{Connection as _, PgConnection};
use tempfile::TempDir;

use crate::cluster;

const SUBJECTS: &str = "
    sweep row_at_a_time ceiling check simulation start queued one latency memory big_run
    growth idle_sweep page producers tree leaves audit
";

/// Ids of processes whose environment names `directory`.
fn processes_of(directory: &Path) -> Vec<String> {
    let name = directory.to_str().expect("text").as_bytes();
    let names = |all: Vec<u8>| all.windows(name.len()).any(|part| part == name);
    let is_ours = |id: &String| fs::read(format!("/proc/{id}/environ")).is_ok_and(names);
    let entries = fs::read_dir("/proc").expect("Linux");
    let ids = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    ids.filter(is_ours).collect()
}

/// Measures a little, and returns the document and the drawing.
fn measure(database_url: &str) -> (Value, String) {
    let directory = TempDir::new().expect("a directory");
    let chart = directory.path().join("chart.svg");
    let mut command = Command::new(env!("CARGO_BIN_EXE_reconciler-bench"));
    command
        .args("--output json --runs 100 --rounds 1 --duration 1".split(' '))
        .args(["--settled", "1000", "--leaves", "2000", "--chart"])
        .arg(&chart)
        .env_clear()
        .env("TMPDIR", directory.path())
        .env("RECONCILER_DATABASE_URL", database_url);
    let output = command.output().expect("the binary was built");
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{log}");
    assert_eq!(processes_of(directory.path()), [""; 0]);
    let drawn = fs::read_to_string(&chart).expect("a chart");
    fs::remove_file(chart).expect("it was there");
    let left = fs::read_dir(directory.path()).expect("still there");
    let left: Vec<_> = left.collect();
    assert!(left.is_empty(), "{left:?}");
    let document = serde_json::from_slice(&output.stdout);
    (document.expect("a document"), drawn)
}

/// Every subject has a figure above zero, every ratio a target, and the drawing shows each figure.
fn assert_whole(document: &Value, drawn: &str) {
    let figures = document["figures"].as_array().expect("figures");
    let found: BTreeSet<&str> = figures
        .iter()
        .filter(|figure| figure["median"].as_f64().is_some_and(|median| median > 0.0))
        .filter_map(|figure| figure["subject"].as_str())
        .collect();
    for subject in SUBJECTS.split_whitespace() {
        assert!(found.contains(subject), "{subject}: {found:?}");
    }
    let targets = document["targets"].as_array().expect("targets");
    assert_eq!(targets.len(), 21, "{targets:?}");
    let bars = figures.iter().filter(|figure| figure["unit"] != "rows");
    let bars = bars.count();
    assert!(drawn.starts_with("<svg"), "{drawn}");
    assert!(drawn.matches("<rect").count() > bars, "{drawn}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_small_measurement_comes_to_its_end_and_leaves_nothing_behind() {
    let database = cluster::database().await;
    // Measuring takes databases of its own, and whoever may make them.
    let url = database.url().replacen(cluster::NOBODY, "postgres", 1);
    // A parameter that would lead to the platform's own database.
    let parameter = format!("{url}&dbname={}", database.name());
    let (document, drawn) = measure(&parameter);
    assert_whole(&document, &drawn);
    let session = PgConnection::connect(&url).await;
    let mut session = session.expect("the server is there");
    let left = "SELECT count(*) FROM pg_database WHERE datname LIKE 'restore_reconciler_bench%'";
    let left = sqlx::query_scalar(left).fetch_one(&mut session).await;
    let left: i64 = left.expect("an answer");
    assert_eq!(left, 0);
    let touched = "SELECT to_regclass('operation_runs') IS NOT NULL";
    let touched = sqlx::query_scalar(touched).fetch_one(&mut session).await;
    let touched: bool = touched.expect("an answer");
    assert!(!touched, "somebody's own database was measured on");
}
