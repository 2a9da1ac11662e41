//! The rows about each run, streamed: one statement, hence one snapshot, and one run in memory at a time.

use std::str::FromStr as _;

use futures_util::TryStreamExt as _;
use serde::Deserialize;
use serde_json::Value;
use sqlx::sqlite::{SqliteConnectOptions, SqliteRow};
use sqlx::{ConnectOptions as _, Row as _};

use crate::support::roles::{Purpose, connect};

/// All that a database says about one run.
#[derive(Debug, Default)]
pub(super) struct Said {
    pub(super) run: i64,
    pub(super) row: Option<RunRow>,
    pub(super) entries: Vec<Entry>,
    pub(super) audits: Vec<Value>,
}

/// A row of `operation_runs`.
#[derive(Debug)]
pub(super) struct RunRow {
    /// The columns that a verdict writes or must not change; moments are microseconds.
    pub(super) columns: Value,
    pub(super) status: String,
    pub(super) watch: Watch,
    pub(super) context: Option<String>,
}

/// What decides whether an open run is due, in microseconds.
#[derive(Debug, Deserialize)]
pub(super) struct Watch {
    pub(super) now: i64,
    pub(super) look_again_at: Option<i64>,
    pub(super) try_again_at: Option<i64>,
    pub(super) dead_at: Option<i64>,
    pub(super) dropped_at: Option<i64>,
    pub(super) tries: Option<i64>,
}

/// A row of the ledger.
#[derive(Debug)]
pub(super) struct Entry {
    /// All columns but the facts.
    pub(super) columns: Value,
    pub(super) facts: String,
}

impl Entry {
    pub(super) fn text(&self, column: &str) -> &str {
        self.columns[column].as_str().unwrap_or_default()
    }
}

/// A row of the statement.
struct Line {
    run: i64,
    part: i64,
    body: String,
    document: Option<String>,
    decision: Option<String>,
}

/// Hands over what the database says about each run that it says anything about, in order of runs.
pub(super) async fn each_run(url: &str, mut judge: impl FnMut(&Said)) {
    let mut said = Said::default();
    let mut hear = |line: Line| {
        if line.run != said.run {
            judge(&std::mem::take(&mut said));
            said.run = line.run;
        }
        said.add(line);
    };
    if url.starts_with("sqlite:") {
        let options = SqliteConnectOptions::from_str(url).expect("a URL");
        let mut connection = options.connect().await.expect("the file opens");
        let mut lines = sqlx::query(include_str!("sqlite.sql")).fetch(&mut connection);
        while let Some(row) = lines.try_next().await.expect("rows") {
            hear(sqlite_line(&row));
        }
    } else {
        let mut connection = connect(Purpose::Engineer, url).await;
        // Facts are sorted with their rows; without this, on disk.
        let set = sqlx::query("SET work_mem = '256MB'");
        set.execute(&mut connection).await.expect("a setting");
        let mut lines = sqlx::query(include_str!("postgres.sql")).fetch(&mut connection);
        while let Some(row) = lines.try_next().await.expect("rows") {
            hear(Line {
                run: row.get("run"),
                part: row.get::<i32, _>("part").into(),
                body: row.get("body"),
                document: row.get("document"),
                decision: row.get("decision"),
            });
        }
    }
    judge(&said);
}

/// SQLite promises no UTF-8.
fn sqlite_line(row: &SqliteRow) -> Line {
    let text = |column: &str| {
        let bytes: Option<Vec<u8>> = row.try_get_unchecked(column).expect("bytes");
        bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
    };
    Line {
        run: row.get("run"),
        part: row.get("part"),
        body: text("body").expect("a body"),
        document: text("document"),
        decision: text("decision"),
    }
}

impl Said {
    fn add(&mut self, line: Line) {
        let columns = serde_json::from_str(&line.body);
        let mut columns: Value = columns.expect("the statement's own JSON");
        match line.part {
            1 => {
                self.row = Some(RunRow {
                    status: columns["status"].as_str().unwrap_or_default().to_owned(),
                    watch: Watch::deserialize(&columns).expect("moments"),
                    columns,
                    context: line.document,
                });
            }
            2 => {
                columns["decision"] = line.decision.into();
                self.entries.push(Entry {
                    columns,
                    facts: line.document.unwrap_or_default(),
                });
            }
            _ => {
                let metadata = line.document.unwrap_or_default();
                columns["metadata"] =
                    serde_json::from_str(&metadata).unwrap_or_else(|_| metadata.into());
                self.audits.push(columns);
            }
        }
    }
}
