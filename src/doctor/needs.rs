//! What our statements need of a database: the one list that `doctor` goes by.
//!
//! **Invariant:** the list names every platform column that a settlement, or a look at whether moments are hours off,
//! reads or writes, and every one that the console reads, and no other. A test takes the columns away one by one, and all
//! others at once. A worker works without what the console alone reads.

use serde::Serialize;

/// What is needed of one table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct NeededTable {
    /// Whose table it is, and so which check speaks of it.
    pub(super) part: Owner,
    /// Where it must be; nothing where the search path leads to it.
    pub(super) schema: Option<&'static str>,
    /// The table's name, without its schema.
    pub name: &'static str,
    /// The privilege that covers what a worker writes to single columns; nothing where it writes to none.
    pub(super) written_with: Option<&'static str>,
    /// What a worker does with whole rows of our own tables.
    pub(super) privileges: &'static [&'static str],
    /// Whether the console reads it.
    pub(super) is_shown: bool,
    /// The columns that are used, of a table of the platform.
    pub(super) columns: &'static [NeededColumn],
}

/// Whose table it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Owner {
    /// The platform's; workers need it.
    Platform,
    /// The platform's; only the console reads it.
    Console,
    /// Ours, in schema `reconciler`.
    Own,
    /// The queue's, in schema `apalis`. Only long-running workers need it.
    Queue,
}

/// A column of a platform table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct NeededColumn {
    /// The column's name.
    pub name: &'static str,
    /// The types of PostgreSQL that the statements work on, as the server spells them; `enum` for each that
    /// somebody made of words.
    types: &'static [&'static str],
    /// The words that statements compare it with or write there, and that an `enum` must therefore have.
    words: &'static [&'static str],
    /// Whether a worker reads it.
    pub(super) is_read: bool,
    /// Whether a worker writes it.
    pub(super) is_written: bool,
    /// Whether the console reads it.
    is_shown: bool,
}

/// `integer` is no type of an id: Laravel's ids are `bigint`, and rows are read as such.
const ID: &[&str] = &["bigint"];
const TEXT: &[&str] = &["character varying", "text"];
/// Text with a vocabulary.
const WORD: &[&str] = &["character varying", "text", "enum"];
const JSON: &[&str] = &["json", "jsonb", "text"];
const MOMENT: &[&str] = &["timestamp without time zone", "timestamp with time zone"];
/// How a verdict is called in the platform's audit log.
const AUDITED: &[&str] = &["success", "partial", "blocked", "failure"];
const FLAG: &[&str] = &["boolean"];

/// What a worker reads, the console reads too.
const fn read(name: &'static str, types: &'static [&'static str]) -> NeededColumn {
    NeededColumn {
        name,
        types,
        words: &[],
        is_read: true,
        is_written: false,
        is_shown: true,
    }
}

const fn both(name: &'static str, types: &'static [&'static str]) -> NeededColumn {
    NeededColumn {
        is_written: true,
        ..read(name, types)
    }
}

const fn written(name: &'static str, types: &'static [&'static str]) -> NeededColumn {
    NeededColumn {
        is_read: false,
        is_shown: false,
        ..both(name, types)
    }
}

const fn shown(name: &'static str, types: &'static [&'static str]) -> NeededColumn {
    NeededColumn {
        is_read: false,
        ..read(name, types)
    }
}

const fn platform(name: &'static str, columns: &'static [NeededColumn]) -> NeededTable {
    NeededTable {
        part: Owner::Platform,
        schema: None,
        name,
        written_with: None,
        privileges: &[],
        is_shown: true,
        columns,
    }
}

const fn console(name: &'static str, columns: &'static [NeededColumn]) -> NeededTable {
    NeededTable {
        part: Owner::Console,
        ..platform(name, columns)
    }
}

const fn own(
    name: &'static str,
    privileges: &'static [&'static str],
    is_shown: bool,
) -> NeededTable {
    NeededTable {
        part: Owner::Own,
        schema: Some("reconciler"),
        privileges,
        is_shown,
        ..platform(name, &[])
    }
}

const fn queue(name: &'static str) -> NeededTable {
    NeededTable {
        part: Owner::Queue,
        schema: Some("apalis"),
        privileges: &["SELECT", "INSERT", "UPDATE", "DELETE"],
        ..platform(name, &[])
    }
}

/// Every table, in the order in which checks speak of them.
pub(super) const TABLES: [NeededTable; 34] = [
    console("workspaces", &[shown("id", ID), shown("name", TEXT)]),
    console(
        "managed_environments",
        &[
            shown("id", ID),
            shown("workspace_id", ID),
            shown("name", TEXT),
            shown("deleted_at", MOMENT),
        ],
    ),
    NeededTable {
        written_with: Some("UPDATE"),
        ..platform(
            "operation_runs",
            &[
                read("id", ID),
                read("workspace_id", ID),
                read("managed_environment_id", ID),
                NeededColumn {
                    words: &["restore.execute"],
                    ..read("type", WORD)
                },
                NeededColumn {
                    words: &["queued", "running", "completed"],
                    ..both("status", WORD)
                },
                NeededColumn {
                    words: &["succeeded", "partially_succeeded", "blocked", "failed"],
                    ..both("outcome", WORD)
                },
                both("summary_counts", JSON),
                both("failure_summary", JSON),
                both("context", JSON),
                both("started_at", MOMENT),
                both("completed_at", MOMENT),
                read("created_at", MOMENT),
                written("updated_at", MOMENT),
            ],
        )
    },
    platform(
        "restore_runs",
        &[
            read("id", ID),
            read("workspace_id", ID),
            read("managed_environment_id", ID),
            read("backup_set_id", ID),
            read("operation_run_id", ID),
            shown("requested_by", TEXT),
            read("is_dry_run", FLAG),
            read("status", WORD),
            read("requested_items", JSON),
            shown("group_mapping", JSON),
            shown("preview", JSON),
            read("results", JSON),
            read("metadata", JSON),
            read("failure_reason", TEXT),
            read("started_at", MOMENT),
            read("completed_at", MOMENT),
            read("deleted_at", MOMENT),
            read("created_at", MOMENT),
            read("updated_at", MOMENT),
        ],
    ),
    platform(
        "evidence_snapshots",
        &[
            read("id", ID),
            read("workspace_id", ID),
            read("managed_environment_id", ID),
            read("operation_run_id", ID),
            read("status", WORD),
            read("completeness_state", WORD),
            read("generated_at", MOMENT),
            read("expires_at", MOMENT),
            NeededColumn {
                is_shown: false,
                ..read("created_at", MOMENT)
            },
            read("updated_at", MOMENT),
        ],
    ),
    NeededTable {
        written_with: Some("INSERT"),
        ..platform(
            "audit_logs",
            &[
                read("id", ID),
                both("workspace_id", ID),
                both("managed_environment_id", ID),
                NeededColumn {
                    words: &["system"],
                    ..written("actor_type", WORD)
                },
                written("actor_label", TEXT),
                NeededColumn {
                    words: &["operation_run.reconciled"],
                    ..both("action", WORD)
                },
                NeededColumn {
                    words: &["operation_run"],
                    ..both("resource_type", WORD)
                },
                both("resource_id", TEXT),
                NeededColumn {
                    words: AUDITED,
                    ..both("status", WORD)
                },
                NeededColumn {
                    words: AUDITED,
                    ..both("outcome", WORD)
                },
                written("summary", TEXT),
                written("metadata", JSON),
                both("recorded_at", MOMENT),
            ],
        )
    },
    platform(
        "backup_sets",
        &[
            read("id", ID),
            read("workspace_id", ID),
            read("managed_environment_id", ID),
            shown("name", TEXT),
            shown("status", WORD),
            shown("completed_at", MOMENT),
            shown("deleted_at", MOMENT),
        ],
    ),
    platform(
        "backup_items",
        &[
            read("id", ID),
            read("backup_set_id", ID),
            shown("policy_type", TEXT),
            shown("payload", JSON),
            shown("metadata", JSON),
            read("deleted_at", MOMENT),
        ],
    ),
    own("ledger", &["SELECT", "INSERT"], true),
    own("ledger_facts", &["SELECT", "INSERT"], true),
    own("ledger_revisions", &["SELECT"], true),
    own("ledger_positions", &["SELECT"], false),
    own("ledger_leaves", &["SELECT", "INSERT"], false),
    own("checkpoints", &["SELECT", "INSERT"], false),
    own("verdict_consumers", &["SELECT"], false),
    own("verdict_feed", &[], false),
    own("verdicts", &["SELECT"], true),
    own(
        "watch_list",
        &["SELECT", "INSERT", "UPDATE", "DELETE"],
        true,
    ),
    own("attempts", &["SELECT", "INSERT", "UPDATE", "DELETE"], true),
    own("actions", &["SELECT"], true),
    own("pauses", &["SELECT", "INSERT", "DELETE"], true),
    own("sweeps", &["SELECT", "INSERT", "UPDATE"], true),
    own("ticks", &["SELECT", "INSERT", "UPDATE", "DELETE"], true),
    own("census", &["SELECT", "INSERT", "UPDATE"], false),
    own("judges", &["SELECT", "INSERT", "UPDATE", "DELETE"], true),
    own("opinions", &["SELECT", "INSERT"], true),
    own("current_opinions", &["SELECT"], true),
    own("opinion_facts", &["SELECT", "INSERT"], false),
    own("opinion_cursor", &["SELECT", "UPDATE"], false),
    own(
        "opinion_watch",
        &["SELECT", "INSERT", "UPDATE", "DELETE"],
        false,
    ),
    own("migrations", &["SELECT"], true),
    own("platform", &["SELECT"], true),
    queue("jobs"),
    queue("workers"),
];

/// The platform's tables that a worker needs.
pub fn platform_tables() -> impl Iterator<Item = &'static NeededTable> {
    TABLES.iter().filter(|table| table.part == Owner::Platform)
}

impl NeededTable {
    /// The columns that a worker reads or writes.
    pub fn worker_columns(&self) -> impl Iterator<Item = &'static NeededColumn> {
        let columns = self.columns.iter();
        columns.filter(|column| column.is_read || column.is_written)
    }

    /// The columns that the console reads.
    pub(super) fn console_columns(&self) -> impl Iterator<Item = &'static NeededColumn> {
        self.columns.iter().filter(|column| column.is_shown)
    }
}
