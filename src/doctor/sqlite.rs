//! What `doctor` looks at on SQLite: the file, and that all tables are there. Indexes are not advised: nobody has a
//! million runs in the embedded default.
//!
//! Types are not looked at: SQLite gives a type to each value and not to a column, and the parsers
//! make a gap of a value that is not what it should be.

use std::collections::BTreeMap;

use sqlx::{Connection as _, FromRow, SqliteConnection, SqlitePool};

use super::check::{
    Applied, CHECK_THE_URL, Check, Level, MIGRATE, answer, judge_migrations, judged,
};
use super::needs::{NeededTable, TABLES, platform_tables};
use super::purpose::Examination;
use crate::storage::sqlite::migrator;
use crate::storage::{During as _, ErrorKind, Store, StoreError};

const OWN_SUBJECT: &str = "tables of reconciler";

/// Our own tables.
const OWN: [&str; 10] = [
    "reconciler_ledger",
    "reconciler_ledger_facts",
    "reconciler_watch_list",
    "reconciler_sweeps",
    "reconciler_attempts",
    "reconciler_ticks",
    "reconciler_judges",
    "reconciler_actions",
    "reconciler_pauses",
    "reconciler_platform",
];

#[derive(Debug, FromRow)]
struct File {
    version: String,
    path: Option<String>,
    journal_mode: String,
}

#[derive(Debug, FromRow)]
struct FoundColumn {
    table_name: String,
    name: String,
    must_be_given: bool,
}

/// Columns by table.
type Tables = BTreeMap<String, Vec<FoundColumn>>;

pub(super) async fn examine(store: &Store, pool: &SqlitePool) -> Result<Examination, StoreError> {
    let checks = look(store, pool).await?;
    let purpose = None;
    Ok(Examination { purpose, checks })
}

async fn look(store: &Store, pool: &SqlitePool) -> Result<Vec<Check>, StoreError> {
    let mut checks = match answer("file", load_file(pool).await)? {
        Ok(file) => vec![
            judge_version(&file),
            look_at_writes(pool, &file).await,
            judge_journal(&file),
        ],
        Err(check) => return Ok(vec![*check]),
    };
    let tables = match answer("platform", load_tables(pool).await)? {
        Ok(tables) => tables,
        Err(check) => {
            checks.push(*check);
            return Ok(checks);
        }
    };
    checks.extend(judge_platform(&tables));
    checks.extend(judge_console(&tables));
    checks.extend(look_at_own(store, pool, &tables).await?);
    Ok(checks)
}

async fn load_file(pool: &SqlitePool) -> Result<File, StoreError> {
    sqlx::query_as(include_str!("sqlite/file.sql"))
        .fetch_one(pool)
        .await
        .during("ask which file this is")
}

async fn load_tables(pool: &SqlitePool) -> Result<Tables, StoreError> {
    let columns: Vec<FoundColumn> = sqlx::query_as(include_str!("sqlite/columns.sql"))
        .fetch_all(pool)
        .await
        .during("look for tables")?;
    let mut tables = Tables::new();
    for column in columns {
        let table = tables.entry(column.table_name.clone()).or_default();
        table.push(column);
    }
    Ok(tables)
}

fn judge_version(file: &File) -> Check {
    Check::good("library", format!("SQLite {} is built in.", file.version))
}

/// Begins to write and rolls back, on a connection of its own, because the store's may have been
/// opened for reading only.
///
/// `BEGIN IMMEDIATE` alone would not tell: on a file that may not be written it begins to read. To
/// open the file past SQLite would be a trap: closing it again drops the locks that this process
/// holds on it.
async fn look_at_writes(pool: &SqlitePool, file: &File) -> Check {
    let subject = "file";
    let Some(path) = file.path.as_deref().filter(|path| !path.is_empty()) else {
        return Check::advice(
            subject,
            "The database is in memory and ends with this program.",
            "Name a file: RECONCILER_DATABASE_URL=sqlite://FILE",
        );
    };
    match try_to_write(pool).await {
        Ok(()) => Check::good(subject, format!("{path} may be written.")),
        Err(error) if error.kind() == ErrorKind::Transient => Check::advice(
            subject,
            format!("{path} is being written by somebody else, and for long."),
            "Find out which other program works on the file; one at a time can write.",
        ),
        Err(error) => Check::problem(
            subject,
            format!("{path} may not be written: {error}."),
            "Give this program's user the right to write the file and its directory.",
        ),
    }
}

async fn try_to_write(pool: &SqlitePool) -> Result<(), StoreError> {
    let step = "begin to write";
    let options = pool.connect_options().as_ref().clone();
    let options = options.read_only(false).create_if_missing(false);
    let mut connection = SqliteConnection::connect_with(&options)
        .await
        .during(step)?;
    let mut tx = connection
        .begin_with("BEGIN IMMEDIATE")
        .await
        .during(step)?;
    sqlx::query(include_str!("sqlite/try_write.sql"))
        .execute(&mut *tx)
        .await
        .during(step)?;
    tx.rollback().await.during(step)?;
    connection.close().await.during(step)
}

fn judge_journal(file: &File) -> Check {
    let subject = "journal";
    let mode = &file.journal_mode;
    if mode == "wal" || mode == "memory" {
        return Check::good(subject, format!("The journal mode is {mode}."));
    }
    Check::advice(
        subject,
        format!("The journal mode is {mode}, so readers and the writer wait for each other."),
        "PRAGMA journal_mode = WAL;",
    )
}

fn judge_platform(tables: &Tables) -> Vec<Check> {
    let subject = "platform";
    if !is_platform(tables) {
        let names: Vec<&str> = platform_tables().map(|table| table.name).collect();
        return vec![Check::problem(
            subject,
            format!(
                "The file holds none of the platform's tables ({}).",
                names.join(", ")
            ),
            CHECK_THE_URL,
        )];
    }
    let stand_in = Check::good(
        subject,
        "This is the embedded default with a stand-in for the platform's tables, not the \
         platform's database.",
    );
    let judged = platform_tables().flat_map(|need| judge_table(tables, need));
    std::iter::once(stand_in).chain(judged).collect()
}

fn is_platform(tables: &Tables) -> bool {
    platform_tables().any(|need| tables.contains_key(need.name))
}

/// Nothing where all is there, or nothing of the platform. Workers do without what only the console reads.
fn judge_console(tables: &Tables) -> Option<Check> {
    let is_there = |table: &str, name: &str| {
        let columns = tables.get(table);
        columns.is_some_and(|columns| columns.iter().any(|column| column.name == name))
    };
    let absent = TABLES.iter().flat_map(|need| {
        let columns = need.console_columns().map(|column| column.name);
        let absent = columns.filter(|name| !is_there(need.name, name));
        absent.map(|name| format!("{}.{name}", need.name))
    });
    let absent: Vec<String> = absent.collect();
    if absent.is_empty() || !is_platform(tables) {
        return None;
    }
    Some(Check::advice(
        "console",
        format!(
            "{} cannot be found; the console (`serve`) reads that, and workers do not need it.",
            absent.join(", ")
        ),
        CHECK_THE_URL,
    ))
}

fn judge_table(tables: &Tables, need: &NeededTable) -> Vec<Check> {
    let subject = format!("table {}", need.name);
    let Some(columns) = tables.get(need.name) else {
        return vec![Check::problem(
            subject,
            "There is no such table.",
            CHECK_THE_URL,
        )];
    };
    let is_there = |name: &str| columns.iter().any(|column| column.name == name);
    let missing = need
        .worker_columns()
        .filter(|column| !is_there(column.name));
    let mut checks: Vec<Check> = missing
        .map(|column| {
            Check::problem(
                format!("column {}.{}", need.name, column.name),
                "There is no such column.",
                CHECK_THE_URL,
            )
        })
        .collect();
    if need.written_with == Some("INSERT") {
        let is_used = |name: &str| need.worker_columns().any(|column| column.name == name);
        let unfilled = columns
            .iter()
            .filter(|column| column.must_be_given && !is_used(&column.name));
        checks.extend(unfilled.map(|column| {
            Check::problem(
                format!("column {}.{}", need.name, column.name),
                "It refuses null, has no default, and is not among the columns that are written.",
                "Give the column a default.",
            )
        }));
    }
    if checks.is_empty() {
        let count = need.worker_columns().count();
        checks.push(Check::good(
            subject,
            format!("All {count} columns that are used are there."),
        ));
    }
    checks
}

async fn look_at_own(
    store: &Store,
    pool: &SqlitePool,
    tables: &Tables,
) -> Result<Vec<Check>, StoreError> {
    if !tables.contains_key("reconciler_migrations") {
        let finding = "They do not exist yet.";
        return Ok(vec![Check::problem(OWN_SUBJECT, finding, MIGRATE)]);
    }
    let applied = sqlx::query_as::<_, Applied>(include_str!("sqlite/applied.sql"))
        .fetch_all(pool)
        .await
        .during("read which migrations were run");
    let state = match answer(OWN_SUBJECT, applied)? {
        Ok(applied) => judge_migrations(OWN_SUBJECT, &applied, &migrator()),
        Err(check) => *check,
    };
    // Tables that a migration is yet to create are its business.
    let is_migrated = state.action.as_deref() != Some(MIGRATE);
    let lost = OWN
        .iter()
        .filter(|name| is_migrated && !tables.contains_key(**name))
        .map(|name| {
            Check::problem(
                format!("table {name}"),
                "It was created by a migration and is gone.",
                "Restore the file from a backup: a ledger cannot be written again.",
            )
        });
    let mut checks: Vec<Check> = std::iter::once(state).chain(lost).collect();
    if checks.iter().all(|check| check.level == Level::Good) {
        checks.extend(look_at_installation(pool).await?);
    }
    checks.push(look_at_queue(store).await);
    Ok(checks)
}

async fn look_at_installation(pool: &SqlitePool) -> Result<Vec<Check>, StoreError> {
    let subject = "installation";
    let id: Result<String, _> = sqlx::query_scalar(include_str!("sqlite/installation.sql"))
        .fetch_one(pool)
        .await
        .during("ask which installation this is");
    let good = |id| Check::good(subject, format!("Its install id is {id}."));
    judged(subject, id, |id| [good(id)])
}

/// The jobs' file. That it cannot be opened mostly means that nobody has made it yet.
async fn look_at_queue(store: &Store) -> Check {
    let subject = "queue";
    if store.has_queue().await.unwrap_or(false) {
        return Check::good(
            subject,
            "The queue's tables are there, in a file of their own.",
        );
    }
    Check::advice(
        subject,
        "The queue's tables are not there; without them, `work` and `enqueue` do not run, and sweeps do.",
        MIGRATE,
    )
}
