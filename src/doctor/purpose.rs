//! What a role is for, and what it needs for that: the one list that `grants` prints and `doctor` compares with.

use clap::ValueEnum;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::check::Check;
use super::needs::{NeededTable, Owner};

/// What a role of PostgreSQL is for.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ValueEnum, sqlx::Type,
)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum Purpose {
    /// `work`, `sweep`, `reconcile` and whatever else judges: reads what proves, writes verdicts.
    Worker,
    /// The same where `settling.mode` is `observe`: writes nothing into the platform's tables.
    Observer,
    /// `serve`: looks, asks for runs, lets dead letters start over or gives them up, and notes who did. Writes nothing of
    /// the platform's.
    Console,
    /// The platform's application, which asks for runs with `reconciler.request`, and hears of verdicts.
    Platform,
    /// `migrate`: creates and owns our schema and the queue's.
    Migrator,
}

/// What was found in a database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Examination {
    /// By what the role was judged; none on SQLite, which has no roles.
    pub purpose: Option<Purpose>,
    /// What was looked at.
    pub checks: Vec<Check>,
}

/// A right that a purpose needs, on an object that is looked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Right {
    /// Whose the object is.
    pub(super) part: Owner,
    kind: ObjectKind,
    /// Where a table is; none where it is not there.
    oid: Option<i64>,
    name: &'static str,
    privileges: Vec<&'static str>,
    /// The columns that one privilege is about; empty where it is about the whole.
    columns: Vec<&'static str>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum ObjectKind {
    Database,
    Table,
    Function,
    /// Whose types are named without a schema, so that the search path must lead to it.
    Extension,
}

/// A table of the list, and where it is; nowhere where it is not there.
pub(super) type Located = (&'static NeededTable, Option<i64>);

/// What the console calls to ask for a run.
const CONSOLE_CALLS: [&str; 2] = ["request", "run_of"];

/// The columns of an action on record that whoever acts fills in. Its moment and the role of the database are not his to
/// say.
const NOTED: [&str; 10] = [
    "action",
    "actor",
    "reason",
    "trace",
    "workspace_id",
    "managed_environment_id",
    "operation_run_id",
    "run_created_at",
    "outcome",
    "found",
];

/// The columns that the console writes where it lets a dead letter start over, or gives it up.
const MANAGED: [(&str, &[&str]); 3] = [
    (
        "attempts",
        &["tries", "try_again_at", "dead_at", "dropped_at"],
    ),
    ("watch_list", &["look_again_at"]),
    ("jobs", &["status", "done_at"]),
];

/// What a worker calls; the names of its jobs, the ledger's months, and verdicts' positions are made by the database.
const WORKER_CALLS: [&str; 6] = [
    "extend_ledger",
    "feed_stall",
    "job_id",
    "place_verdicts",
    "request",
    "run_of",
];

/// What the platform calls, to ask for runs and to hear of verdicts.
const PLATFORM_CALLS: [&str; 4] = [
    "request",
    "next_verdicts",
    "ack_verdicts",
    "forget_consumer",
];

/// The view of all verdicts with their positions, which the platform may read without being a consumer.
const PLATFORM_READS: &str = "verdict_feed";

/// What `reconciler.request` calls.
const CALLED_BY_REQUEST: [&str; 2] = ["job_id", "wake"];

/// What `reconciler.request` reads of a run, with the rights of whoever migrated.
const READ_BY_REQUEST: [&str; 3] = ["id", "type", "status"];

impl Purpose {
    /// What it does, in a few words.
    pub(crate) const fn duty(self) -> &'static str {
        match self {
            Self::Worker => "The worker reads what proves and writes verdicts",
            Self::Observer => "The worker reads what proves and only observes",
            Self::Console => "The console looks and asks",
            Self::Platform => "The platform asks, and hears of verdicts",
            Self::Migrator => "Whoever migrates owns our schema and the queue's",
        }
    }

    /// Whether it looks at runs and what proves them.
    pub(super) const fn reads_proof(self) -> bool {
        matches!(self, Self::Worker | Self::Observer | Self::Console)
    }

    /// Everything that it needs, in the order in which it is granted.
    pub(super) fn rights(self, tables: &[Located]) -> Vec<Right> {
        let of_tables = |of: fn(&Located) -> Vec<Right>| tables.iter().flat_map(of).collect();
        let mut rights: Vec<Right> = match self {
            Self::Worker | Self::Observer => of_tables(worker_rights),
            Self::Console => of_tables(console_rights),
            Self::Platform => of_tables(read_by_platform),
            Self::Migrator => vec![Right::create()],
        };
        let calls: &[&str] = match self {
            Self::Worker | Self::Observer => &WORKER_CALLS,
            Self::Console => &CONSOLE_CALLS,
            Self::Platform => &PLATFORM_CALLS,
            Self::Migrator => &[],
        };
        rights.extend(calls.iter().map(|name| Right::call(name)));
        match self {
            Self::Migrator => rights.extend(of_tables(read_by_request)),
            Self::Worker => rights.push(Right::find("hstore")),
            Self::Observer => {
                rights.retain(|right| {
                    right.part != Owner::Platform || right.privileges == ["SELECT"]
                });
                rights.push(Right::find("hstore"));
            }
            Self::Console | Self::Platform => {}
        }
        rights
    }
}

/// What whoever adds the platform's triggers needs, beside what migrating needs.
pub(super) fn rights_of_triggers(tables: &[Located]) -> Vec<Right> {
    let watched = ["restore_runs", "evidence_snapshots", "audit_logs"];
    let watched = tables
        .iter()
        .filter(|(table, _)| watched.contains(&table.name));
    let mut rights: Vec<Right> = watched
        .map(|table| Right::table(table, &["TRIGGER"]))
        .collect();
    // What the one on the audit log looks up.
    let mut tables = tables.iter();
    let restores = tables.find(|(table, _)| table.name == "restore_runs");
    let read = ["id", "operation_run_id"].into_iter();
    rights.extend(restores.and_then(|restores| Right::columns(restores, "SELECT", read)));
    rights
}

/// What the owner of `reconciler.request` needs, with whose rights it runs: without any of it, each call is answered
/// with false.
pub(super) fn rights_of_request(tables: &[Located]) -> Vec<Right> {
    let mut rights: Vec<Right> = tables.iter().flat_map(read_by_request).collect();
    let jobs = tables.iter().find(|(table, _)| table.name == "jobs");
    rights.extend(jobs.map(|jobs| Right::table(jobs, &["INSERT"])));
    rights.extend(CALLED_BY_REQUEST.map(Right::call));
    rights
}

impl Right {
    fn table((table, oid): &Located, privileges: &[&'static str]) -> Self {
        Self {
            part: table.part,
            kind: ObjectKind::Table,
            oid: *oid,
            name: table.name,
            privileges: privileges.to_vec(),
            columns: Vec::new(),
        }
    }

    /// Nothing where it is about no column.
    fn columns(
        located: &Located,
        privilege: &'static str,
        columns: impl Iterator<Item = &'static str>,
    ) -> Option<Self> {
        let right = Self {
            columns: columns.collect(),
            ..Self::table(located, &[privilege])
        };
        (!right.columns.is_empty()).then_some(right)
    }

    /// Whether it is for those who ask for runs, and for nobody who settles them.
    pub(super) fn is_to_ask(&self) -> bool {
        self.kind == ObjectKind::Function && self.name == "request"
    }

    fn call(name: &'static str) -> Self {
        Self {
            part: Owner::Own,
            kind: ObjectKind::Function,
            oid: None,
            name,
            privileges: vec!["EXECUTE"],
            columns: Vec::new(),
        }
    }

    /// To name the types of an extension without its schema.
    fn find(name: &'static str) -> Self {
        Self {
            part: Owner::Queue,
            kind: ObjectKind::Extension,
            privileges: Vec::new(),
            ..Self::call(name)
        }
    }

    /// To make two schemas, and extensions that any owner of a database may make.
    fn create() -> Self {
        Self {
            part: Owner::Platform,
            kind: ObjectKind::Database,
            privileges: vec!["CREATE"],
            ..Self::call("")
        }
    }
}

fn worker_rights(located: &Located) -> Vec<Right> {
    let (table, _) = located;
    match table.part {
        Owner::Platform => {
            let read = table.columns.iter().filter(|column| column.is_read);
            let written = table.columns.iter().filter(|column| column.is_written);
            let read = Right::columns(located, "SELECT", read.map(|column| column.name));
            let written = table.written_with.and_then(|privilege| {
                Right::columns(located, privilege, written.map(|column| column.name))
            });
            read.into_iter().chain(written).collect()
        }
        Owner::Console => Vec::new(),
        Owner::Own | Owner::Queue => with_notes(located, table.privileges),
    }
}

/// These privileges, and on the record of actions the right to add to it.
fn with_notes(located: &Located, privileges: &[&'static str]) -> Vec<Right> {
    let noted = NOTED.into_iter().filter(|_| located.0.name == "actions");
    let noted = Right::columns(located, "INSERT", noted);
    let rights = [Right::table(located, privileges)].into_iter();
    rights.chain(noted).collect()
}

fn console_rights(located: &Located) -> Vec<Right> {
    let (table, _) = located;
    match table.part {
        Owner::Platform | Owner::Console => {
            let shown = table.console_columns().map(|column| column.name);
            Right::columns(located, "SELECT", shown)
                .into_iter()
                .collect()
        }
        Owner::Own | Owner::Queue if table.is_shown => {
            let managed = MANAGED.iter().filter(|(name, _)| *name == table.name);
            let managed = managed.filter_map(|(_, columns)| {
                Right::columns(located, "UPDATE", columns.iter().copied())
            });
            let mut rights = with_notes(located, &["SELECT"]);
            rights.extend(managed);
            rights
        }
        Owner::Own | Owner::Queue => Vec::new(),
    }
}

fn read_by_platform(located: &Located) -> Vec<Right> {
    let is_read = located.0.name == PLATFORM_READS;
    let read = is_read.then(|| Right::table(located, &["SELECT"]));
    read.into_iter().collect()
}

/// What `reconciler.request` reads of this table; nothing of most.
pub(super) fn read_by_request(located: &Located) -> Vec<Right> {
    let is_asked_about = located.0.name == "operation_runs";
    let read = READ_BY_REQUEST.into_iter().filter(|_| is_asked_about);
    Right::columns(located, "SELECT", read)
        .into_iter()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::needs::TABLES;
    use super::*;

    fn all(purpose: Purpose) -> Vec<Right> {
        let nowhere: Vec<Located> = TABLES.iter().map(|table| (table, None)).collect();
        purpose.rights(&nowhere)
    }

    fn writes(right: &Right) -> bool {
        let writing = ["INSERT", "UPDATE", "DELETE", "CREATE"];
        right.privileges.iter().any(|one| writing.contains(one))
    }

    #[test]
    fn a_console_writes_little_and_a_migrator_writes_nothing_of_the_platforms() {
        let console = all(Purpose::Console);
        let written: Vec<_> = console.iter().filter(|right| writes(right)).collect();
        let names: Vec<_> = written
            .iter()
            .map(|right| (right.name, &*right.privileges, right.columns.len()))
            .collect();
        let expected = [
            ("watch_list", &["UPDATE"][..], 1),
            ("attempts", &["UPDATE"], 4),
            ("actions", &["INSERT"], NOTED.len()),
            ("jobs", &["UPDATE"], 2),
        ];
        assert_eq!(names, expected);
        let of_platform = |right: &Right| right.kind == ObjectKind::Table && writes(right);
        assert!(!all(Purpose::Migrator).iter().any(of_platform));
        assert!(!all(Purpose::Platform).iter().any(writes));
    }

    #[test]
    fn a_worker_writes_to_two_tables_of_the_platform() {
        let worker = all(Purpose::Worker);
        let of_platform = |right: &&Right| right.part == Owner::Platform && writes(right);
        let written: Vec<_> = worker.iter().filter(of_platform).collect();
        let names: Vec<_> = written.iter().map(|right| right.name).collect();
        assert_eq!(names, ["operation_runs", "audit_logs"]);
        assert!(written.iter().all(|right| !right.columns.is_empty()));
    }
}
