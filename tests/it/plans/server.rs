//! What the server says of each statement that it executes: its plan, and how much of it came true.
//!
//! `auto_explain` sends it to whoever sent the statement, as a notice, so that nothing has to be repeated here:
//! what is judged is what the program sends, with the values and the settings that it sends it with.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Debug,
    sync::{Arc, Mutex},
};

use serde_json::Value;
use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};

use crate::support::listening::{Listening, listen};

/// Settings of the database by which sessions have their statements explained.
pub(super) const EXPLAIN: [&str; 8] = [
    "SET session_preload_libraries = auto_explain",
    "SET auto_explain.log_min_duration = 0",
    "SET auto_explain.log_level = notice",
    "SET auto_explain.log_format = json",
    "SET auto_explain.log_analyze = on",
    "SET auto_explain.log_timing = off",
    "SET auto_explain.log_buffers = on",
    "SET auto_explain.log_nested_statements = on",
];

/// One statement that was executed.
#[derive(Debug)]
pub(super) struct Executed {
    /// The text, which begins with its name where it is one of ours.
    pub(super) text: String,
    pub(super) milliseconds: f64,
    /// By table.
    pub(super) reads: BTreeMap<String, Read>,
    /// The partitions that were looked into, by table.
    pub(super) partitions: BTreeMap<&'static str, BTreeSet<String>>,
    /// The access paths, for people.
    pub(super) paths: Vec<String>,
}

/// What was read of a table.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Read {
    /// Rows, those included that were looked at in vain.
    pub(super) rows: u64,
    /// Whether the table was read from its beginning to its end.
    pub(super) is_sequential: bool,
}

impl Executed {
    /// The name of the file that the statement is in.
    pub(super) fn name(&self) -> Option<&str> {
        let first = self.text.lines().next()?;
        let (name, _) = first.strip_prefix("-- ")?.split_once(':')?;
        Some(name)
    }

    fn parse(notice: &str) -> Option<Self> {
        let (duration, plan) = notice
            .strip_prefix("duration: ")?
            .split_once(" ms  plan:\n")?;
        let said: Value = serde_json::from_str(plan).expect("auto_explain writes JSON");
        let mut executed = Self {
            text: said["Query Text"].as_str()?.to_owned(),
            milliseconds: duration.parse().expect("a number"),
            reads: BTreeMap::new(),
            partitions: BTreeMap::new(),
            paths: Vec::new(),
        };
        executed.add(&said["Plan"]);
        Some(executed)
    }

    fn add(&mut self, node: &Value) {
        let kind = node["Node Type"].as_str().expect("every node has a type");
        if let (Some(table), true) = (node["Relation Name"].as_str(), kind.ends_with("Scan")) {
            let count = |key: &str| node[key].as_f64().unwrap_or_default();
            let each = count("Actual Rows")
                + count("Rows Removed by Filter")
                + count("Rows Removed by Index Recheck");
            let of = partitioned(table);
            if let Some(of) = of.filter(|_| count("Actual Loops") > 0.0) {
                let partitions = self.partitions.entry(of).or_default();
                partitions.insert(table.to_owned());
            }
            let read = self.reads.entry(of.unwrap_or(table).to_owned());
            let read = read.or_default();
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "counts of rows"
            )]
            let rows = (each * count("Actual Loops")) as u64;
            read.rows += rows;
            // A month that has no rows yet has no index to be found by.
            read.is_sequential |= kind == "Seq Scan" && rows > 0;
            let index = node["Index Name"].as_str().unwrap_or_default();
            self.paths.push(format!("{kind} {table} {index} ({rows})"));
        } else if kind == "Bitmap Index Scan" {
            let index = node["Index Name"].as_str().unwrap_or_default();
            self.paths.push(format!("{kind} {index}"));
        }
        for child in node["Plans"].as_array().into_iter().flatten() {
            self.add(child);
        }
    }
}

/// The table that a partition is of: `ledger_2025_01` and `ledger_default` are of `ledger`.
fn partitioned(table: &str) -> Option<&'static str> {
    let is_partition =
        |part: &str| part == "default" || part.bytes().all(|byte| b"0123456789_".contains(&byte));
    ["ledger_facts", "ledger"].into_iter().find(|of| {
        let part = table
            .strip_prefix(of)
            .and_then(|rest| rest.strip_prefix('_'));
        part.is_some_and(is_partition)
    })
}

/// What this thread is told by servers.
#[derive(Clone, Default)]
pub(super) struct Notices(Arc<Mutex<Vec<String>>>);

impl Notices {
    /// Listens for as long as the guard lives.
    pub(super) fn listen(&self) -> Listening {
        listen(tracing_subscriber::registry().with(self.clone()))
    }

    /// What was executed since the last time.
    pub(super) fn take(&self) -> Vec<Executed> {
        let notices = std::mem::take(&mut *self.0.lock().expect("nobody panics holding it"));
        let parsed = notices.iter().map(String::as_str);
        parsed.filter_map(Executed::parse).collect()
    }
}

impl<S: Subscriber> Layer<S> for Notices {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if event.metadata().target() == "sqlx::postgres::notice" {
            event.record(&mut Message(self));
        }
    }
}

struct Message<'n>(&'n Notices);

impl Visit for Message<'_> {
    fn record_str(&mut self, _: &Field, value: &str) {
        // Foreign keys are checked row by row, by statements that the server makes up itself.
        if !value.contains(" FOR KEY SHARE OF x\"") {
            let mut notices = self.0.0.lock().expect("nobody panics holding it");
            notices.push(value.to_owned());
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.record_str(field, &format!("{value:?}"));
    }
}
