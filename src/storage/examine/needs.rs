//! What our statements need of a database: the one list that `doctor` goes by.
//!
//! **Invariant:** the list names every platform column that a settlement reads or writes, and no
//! other. A test takes the columns away one by one, and all others at once. What the console reads is a
//! list of its own: a worker works without it.

/// A table of the platform.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Table {
    /// Its name.
    pub name: &'static str,
    /// The privilege that covers what is written; nothing where the table is only read.
    pub written_with: Option<&'static str>,
    /// The columns that are used.
    pub columns: &'static [Column],
}

/// A column of a platform table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
    /// Whether it is read.
    pub is_read: bool,
    /// Whether it is written.
    pub is_written: bool,
}

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A number that names a row.
    Id,
    /// A short text.
    Text,
    /// A JSON document.
    Json,
    /// A point in time.
    Moment,
    /// Yes or no.
    Flag,
}

impl Kind {
    /// The types of PostgreSQL that the statements work on, as the server spells them.
    ///
    /// `integer` is no type of an id: Laravel's ids are `bigint`, and rows are read as such.
    #[must_use]
    pub fn accepted_types(self) -> &'static [&'static str] {
        match self {
            Self::Id => &["bigint"],
            Self::Text => &["character varying", "text"],
            Self::Json => &["json", "jsonb", "text"],
            Self::Moment => &["timestamp without time zone", "timestamp with time zone"],
            Self::Flag => &["boolean"],
        }
    }
}

const fn read(name: &'static str, kind: Kind) -> Column {
    Column {
        name,
        kind,
        is_read: true,
        is_written: false,
    }
}

const fn written(name: &'static str, kind: Kind) -> Column {
    Column {
        name,
        kind,
        is_read: false,
        is_written: true,
    }
}

const fn both(name: &'static str, kind: Kind) -> Column {
    Column {
        name,
        kind,
        is_read: true,
        is_written: true,
    }
}

/// The platform's tables, as far as they are used.
pub const PLATFORM: [Table; 4] = [
    Table {
        name: "operation_runs",
        written_with: Some("UPDATE"),
        columns: &[
            read("id", Kind::Id),
            read("workspace_id", Kind::Id),
            read("managed_environment_id", Kind::Id),
            read("type", Kind::Text),
            both("status", Kind::Text),
            both("outcome", Kind::Text),
            both("summary_counts", Kind::Json),
            both("failure_summary", Kind::Json),
            both("context", Kind::Json),
            both("started_at", Kind::Moment),
            written("completed_at", Kind::Moment),
            read("created_at", Kind::Moment),
            written("updated_at", Kind::Moment),
        ],
    },
    Table {
        name: "restore_runs",
        written_with: None,
        columns: &[
            read("id", Kind::Id),
            read("workspace_id", Kind::Id),
            read("managed_environment_id", Kind::Id),
            read("operation_run_id", Kind::Id),
            read("is_dry_run", Kind::Flag),
            read("status", Kind::Text),
            read("requested_items", Kind::Json),
            read("results", Kind::Json),
            read("metadata", Kind::Json),
            read("failure_reason", Kind::Text),
            read("started_at", Kind::Moment),
            read("completed_at", Kind::Moment),
            read("deleted_at", Kind::Moment),
            read("created_at", Kind::Moment),
        ],
    },
    Table {
        name: "evidence_snapshots",
        written_with: None,
        columns: &[
            read("id", Kind::Id),
            read("workspace_id", Kind::Id),
            read("managed_environment_id", Kind::Id),
            read("operation_run_id", Kind::Id),
            read("status", Kind::Text),
            read("completeness_state", Kind::Text),
            read("generated_at", Kind::Moment),
            read("expires_at", Kind::Moment),
        ],
    },
    Table {
        name: "audit_logs",
        written_with: Some("INSERT"),
        columns: &[
            read("id", Kind::Id),
            both("workspace_id", Kind::Id),
            both("managed_environment_id", Kind::Id),
            written("actor_type", Kind::Text),
            written("actor_label", Kind::Text),
            both("action", Kind::Text),
            both("resource_type", Kind::Text),
            both("resource_id", Kind::Text),
            both("status", Kind::Text),
            both("outcome", Kind::Text),
            written("summary", Kind::Text),
            written("metadata", Kind::Json),
            both("recorded_at", Kind::Moment),
        ],
    },
];

/// A table of our own on PostgreSQL, and what a worker does with its rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct OwnTable {
    pub(super) name: &'static str,
    pub(super) privileges: &'static [&'static str],
}

/// Our own tables. What the record of migrations says is judged together with it.
pub(super) const OWN: [OwnTable; 7] = [
    OwnTable {
        name: "ledger",
        privileges: &["SELECT", "INSERT"],
    },
    OwnTable {
        name: "watch_list",
        privileges: &["SELECT", "INSERT", "UPDATE", "DELETE"],
    },
    OwnTable {
        name: "attempts",
        privileges: &["SELECT", "INSERT", "UPDATE", "DELETE"],
    },
    OwnTable {
        name: "sweeps",
        privileges: &["SELECT", "INSERT", "UPDATE"],
    },
    OwnTable {
        name: "ticks",
        privileges: &["SELECT", "INSERT", "DELETE"],
    },
    OwnTable {
        name: "census",
        privileges: &["SELECT", "INSERT", "UPDATE"],
    },
    OwnTable {
        name: "migrations",
        privileges: &[],
    },
];

/// The tables of the library that delivers jobs, in schema `apalis`. Only long-running workers need them.
pub(super) const QUEUE: [OwnTable; 2] = [
    OwnTable {
        name: "jobs",
        privileges: &["SELECT", "INSERT", "UPDATE", "DELETE"],
    },
    OwnTable {
        name: "workers",
        privileges: &["SELECT", "INSERT", "UPDATE", "DELETE"],
    },
];

/// What a console reads of one platform table. It writes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Read {
    pub(super) table: &'static str,
    pub(super) columns: &'static [&'static str],
}

/// What the console reads of the platform's tables. Only `serve` needs it.
pub(super) const CONSOLE: [Read; 8] = [
    Read {
        table: "workspaces",
        columns: &["id", "name"],
    },
    Read {
        table: "managed_environments",
        columns: &["id", "workspace_id", "name", "deleted_at"],
    },
    Read {
        table: "operation_runs",
        columns: &[
            "id",
            "workspace_id",
            "managed_environment_id",
            "type",
            "status",
            "outcome",
            "summary_counts",
            "failure_summary",
            "context",
            "started_at",
            "created_at",
        ],
    },
    Read {
        table: "restore_runs",
        columns: &[
            "id",
            "workspace_id",
            "managed_environment_id",
            "backup_set_id",
            "operation_run_id",
            "requested_by",
            "is_dry_run",
            "status",
            "requested_items",
            "group_mapping",
            "preview",
            "results",
            "metadata",
            "failure_reason",
            "started_at",
            "completed_at",
            "deleted_at",
            "created_at",
        ],
    },
    Read {
        table: "evidence_snapshots",
        columns: &[
            "id",
            "workspace_id",
            "managed_environment_id",
            "operation_run_id",
            "status",
            "completeness_state",
            "generated_at",
            "expires_at",
        ],
    },
    Read {
        table: "audit_logs",
        columns: &[
            "id",
            "workspace_id",
            "managed_environment_id",
            "action",
            "resource_type",
            "resource_id",
            "status",
            "outcome",
            "recorded_at",
        ],
    },
    Read {
        table: "backup_sets",
        columns: &[
            "id",
            "workspace_id",
            "managed_environment_id",
            "name",
            "status",
            "completed_at",
            "deleted_at",
        ],
    },
    Read {
        table: "backup_items",
        columns: &["id", "backup_set_id", "payload", "metadata", "deleted_at"],
    },
];

/// What the console reads of our own tables on PostgreSQL.
pub(super) const CONSOLE_OWN: [&str; 5] =
    ["migrations", "ledger", "sweeps", "watch_list", "attempts"];

/// What the console calls to ask for a run, in our own schema on PostgreSQL.
pub(super) const CONSOLE_CALLS: [&str; 2] = ["request", "run_of"];
