//! What migrations make in our schemas, whether all of it is there, and making again what is not.
//!
//! What they make is written down in `migrations/shape.json`: what the server says of a database that was just migrated,
//! which a test compares. So nothing need be migrated anew to see what was lost, by whoever may read the catalogue.
//!
//! **Invariant:** nothing is made again whose content is lost with it but for the queue's: what is there of a job stays, and
//! a ledger cannot be written again.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use sqlx::{AssertSqlSafe, Connection as _, FromRow, PgConnection, raw_sql};

use super::set_local;
use crate::storage::error::{During as _, Result, StoreError, StoreFault};

/// A database that was just migrated.
const SHAPE: &str = include_str!("../../../migrations/shape.json");

/// What stands in it for the table that `reconciler.request` asks.
const RUNS: &str = "{runs}";

/// The table that says how far the queue's schema was migrated: without it, nothing of it is missed.
const QUEUE_RECORD: &str = "apalis._sqlx_migrations";

/// An index that migrating makes by itself where it is missing.
const MADE_BY_MIGRATING: &str = "apalis.reconciler_in_hand";

/// Jobs name their worker.
const CLAIMS: &str = "apalis.jobs fk_worker_lock_by";

/// The step that is named where it cannot be done.
pub(super) const MAKE_AGAIN: &str = "put right what migrations have made";

/// What puts most of it right.
const REPAIR: &str = "Run `restore-reconciler migrate --repair`.";

/// What to do about a lost column of the queue's that no row can be without.
const REPAIR_EMPTYING: &str = "Run `restore-reconciler migrate --repair`: it removes the rows of that table of the queue's, which are \
    worthless without it. Sweeps find the runs.";

/// Kinds of what is made, in the order in which one needs the other.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, sqlx::Type,
)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
enum PartKind {
    Extension,
    Table,
    Column,
    Constraint,
    Index,
    Function,
    Trigger,
    /// The table that `reconciler.request` asks.
    Request,
}

/// Something that migrations make.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, FromRow)]
pub struct SchemaPart {
    kind: PartKind,
    name: String,
    /// The type of a column; empty for any other part that works.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    definition: String,
    /// What makes it; nothing for what migrations make on demand only.
    statement: Option<String>,
}

impl SchemaPart {
    fn word(&self) -> &'static str {
        match self.kind {
            PartKind::Extension => "extension",
            PartKind::Table => "table",
            PartKind::Column => "column",
            PartKind::Constraint => "constraint",
            PartKind::Index => "index",
            PartKind::Function | PartKind::Request => "function",
            PartKind::Trigger => "trigger",
        }
    }

    /// Whether it is in this table.
    fn is_in(&self, table: &str) -> bool {
        let rest = self.name.strip_prefix(table);
        let named = rest.is_some_and(|rest| rest.starts_with(['.', ' ']));
        let is_on = |statement: &String| statement.contains(&format!(" ON {table} "));
        named || (self.kind == PartKind::Index && self.statement.as_ref().is_some_and(is_on))
    }

    fn is_of_queue(&self) -> bool {
        self.kind == PartKind::Extension || self.name.starts_with("apalis.")
    }

    /// Whether it is a column that no row can be without, and that cannot be added where there are rows.
    fn is_of_every_row(&self) -> bool {
        let is_so = |it: &String| it.ends_with(" NOT NULL") && !it.contains(" DEFAULT ");
        self.kind == PartKind::Column && self.statement.as_ref().is_some_and(is_so)
    }

    /// What an index that works is on, and whether that is unique by it.
    fn indexed(&self) -> Option<(String, bool)> {
        let statement = self
            .statement
            .as_ref()
            .filter(|_| self.definition.is_empty())?;
        if self.kind == PartKind::Index {
            let (_, on) = statement.split_once(" ON ")?;
            return Some((on.to_owned(), statement.contains("CREATE UNIQUE ")));
        }
        let (_, columns) = statement.rsplit_once(" PRIMARY KEY ")?;
        let (table, _) = self.name.split_once(' ')?;
        Some((format!("{table} USING btree {columns}"), true))
    }

    /// Whether this index of the queue's is one of several that do the same: its migrations make some twice.
    fn is_spared_by(&self, found: &[Self]) -> bool {
        let Some((on, is_unique)) = self.indexed().filter(|_| self.is_of_queue()) else {
            return false;
        };
        self.kind == PartKind::Index
            && found
                .iter()
                .filter_map(Self::indexed)
                .any(|other| other.0 == on && other.1 >= is_unique)
    }

    /// A column may have another default, which is for whoever gave it that.
    fn fits(&self, found: &Self) -> bool {
        self.definition == found.definition
            && (self.kind == PartKind::Column || self.statement == found.statement)
    }
}

/// Something that migrations made, and that is not there as they made it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    part: SchemaPart,
    finding: String,
    /// Whether its table is not there either.
    is_of_lost_table: bool,
    is_gone: bool,
}

impl Damage {
    /// What it is, as `column apalis.jobs.metadata`.
    #[must_use]
    pub fn subject(&self) -> String {
        format!("{} {}", self.part.word(), self.part.name)
    }

    /// What became of it, in one sentence.
    #[must_use]
    pub fn finding(&self) -> &str {
        &self.finding
    }

    /// What to do about it.
    #[must_use]
    pub fn action(&self) -> &'static str {
        match self.part.kind {
            _ if self.is_repairable() && self.costs_rows() => REPAIR_EMPTYING,
            _ if self.is_repairable() => REPAIR,
            _ if self.part.is_of_queue() => {
                "Jobs are hints, without which sweeps find the runs: DROP SCHEMA apalis CASCADE, then run \
                 `restore-reconciler migrate`."
            }
            _ => "Restore schema reconciler from a backup: a ledger cannot be written again.",
        }
    }

    /// Whether it can be made again.
    fn is_repairable(&self) -> bool {
        match self.part.kind {
            _ if self.is_of_lost_table || self.part.kind == PartKind::Table => {
                self.part.is_of_queue()
            }
            PartKind::Column => {
                let is_of_record = self.part.is_in(QUEUE_RECORD);
                self.part.is_of_queue() && self.is_gone && !(is_of_record && self.costs_rows())
            }
            _ => true,
        }
    }

    /// Whether the rows of its table have to go, so that it can be made again.
    fn costs_rows(&self) -> bool {
        self.is_gone && !self.is_of_lost_table && self.part.is_of_every_row()
    }

    /// Whether migrating puts it right by itself.
    #[must_use]
    pub fn is_made_by_migrating(&self) -> bool {
        self.is_gone && self.part.name == MADE_BY_MIGRATING
    }

    /// Whether it is a trigger on a table of the platform's.
    #[must_use]
    pub fn is_of_platform(&self) -> bool {
        self.part.kind == PartKind::Trigger && self.part.statement.is_none()
    }

    /// Whether it is an extension.
    #[must_use]
    pub fn is_extension(&self) -> bool {
        self.part.kind == PartKind::Extension
    }

    /// Whether it goes without saying, because what it belongs to is missing, too.
    #[must_use]
    pub fn is_said_elsewhere(&self) -> bool {
        self.is_of_lost_table
    }
}

/// What migrations have made, as it is there now.
pub async fn look(connection: &mut PgConnection) -> Result<Vec<SchemaPart>> {
    let step = "look at what migrations have made";
    let mut tx = connection.begin().await.during(step)?;
    // Finds no schema of ours and no extension by itself, so that names are told whole.
    set_local(&mut tx, "search_path", "pg_catalog")
        .await
        .during(step)?;
    let found = sqlx::query_as(include_str!("sql/shape.sql"))
        .fetch_all(&mut *tx)
        .await
        .during(step)?;
    tx.rollback().await.during(step)?;
    Ok(found)
}

/// What is missing or different, of the queue where that was ever migrated, and of our own where `is_own_migrated`.
/// `runs` is the table that `reconciler.request` is to ask.
pub(super) async fn find(
    connection: &mut PgConnection,
    is_own_migrated: bool,
    runs: Option<&str>,
) -> Result<Vec<Damage>> {
    let wanted: Vec<SchemaPart> = serde_json::from_str(SHAPE)
        .map_err(|error| StoreError::fatal("read what migrations make", error))?;
    let found = look(connection).await?;
    Ok(compare(wanted, &found, is_own_migrated, runs))
}

fn compare(
    mut wanted: Vec<SchemaPart>,
    found: &[SchemaPart],
    is_own_migrated: bool,
    runs: Option<&str>,
) -> Vec<Damage> {
    let there: HashMap<(PartKind, &str), &SchemaPart> = found
        .iter()
        .map(|part| ((part.kind, part.name.as_str()), part))
        .collect();
    let is_there = |kind, name: &str| there.contains_key(&(kind, name));
    let has_queue = is_there(PartKind::Table, QUEUE_RECORD);
    wanted.retain(|part| {
        if part.is_of_queue() {
            has_queue
        } else {
            is_own_migrated
        }
    });
    for (function, tables) in [
        ("row_changed", &["restore_runs", "evidence_snapshots"][..]),
        ("audit_written", &["audit_logs"]),
    ] {
        if is_there(PartKind::Function, &format!("reconciler.{function}()")) {
            wanted.extend(tables.iter().map(|table| SchemaPart {
                kind: PartKind::Trigger,
                name: format!("{table} restore_reconciler_request"),
                definition: String::new(),
                statement: None,
            }));
        }
    }
    let lost_tables: Vec<String> = wanted
        .iter()
        .filter(|part| part.kind == PartKind::Table && !is_there(part.kind, &part.name))
        .map(|part| part.name.clone())
        .collect();
    let asks_elsewhere = found.iter().find_map(|part| {
        let runs = runs?;
        (part.kind == PartKind::Request && part.name != runs).then(|| {
            let asked = &part.name;
            format!("It asks {asked}, and our schema serves the platform of {runs}.")
        })
    });
    // What a reference leads to comes before it.
    wanted.sort_by_key(|part| (part.kind, part.name == CLAIMS));
    let damage = wanted.into_iter().filter_map(|part| {
        let is_request = part.name.starts_with("reconciler.request(");
        let (finding, is_gone) = match there.get(&(part.kind, part.name.as_str())) {
            None if part.is_spared_by(found) => return None,
            None if part.is_of_every_row() => (
                "It was made by a migration and is gone, and no row can be without it.".to_owned(),
                true,
            ),
            None => ("It was made by a migration and is gone.".to_owned(), true),
            Some(found) if !part.fits(found) => {
                let said = match (part.kind, found.definition.as_str()) {
                    (PartKind::Column, of) => {
                        format!("It is of type {of}, and was made as {}.", part.definition)
                    }
                    (PartKind::Index, "invalid") => "It was not built to its end.".to_owned(),
                    (PartKind::Trigger, "switched off") => "It is switched off.".to_owned(),
                    _ => "It is not as migrations make it.".to_owned(),
                };
                (said, false)
            }
            Some(_) if is_request => (asks_elsewhere.clone()?, false),
            Some(_) => return None,
        };
        let is_of_lost_table = lost_tables.iter().any(|table| part.is_in(table));
        Some(Damage {
            part,
            finding,
            is_of_lost_table,
            is_gone,
        })
    });
    damage.collect()
}

/// Makes again what can be, but for triggers on the platform's tables, and says what that was. Nobody gets to the queue
/// meanwhile, and an index that takes longer than `build_within` fails all of it.
pub(super) async fn make_again(
    connection: &mut PgConnection,
    damage: &[Damage],
    runs: &str,
    build_within: &str,
) -> Result<Vec<String>> {
    let mut made = Vec::new();
    if damage.iter().any(|damage| damage.part.is_of_queue()) {
        let lock = raw_sql(include_str!("sql/lock_queue.sql"));
        lock.execute(&mut *connection).await.during(MAKE_AGAIN)?;
    }
    for damage in damage.iter().filter(|damage| damage.is_repairable()) {
        let Some(statement) = &damage.part.statement else {
            continue;
        };
        if damage.part.name == CLAIMS {
            let repair_claims = sqlx::query(include_str!("sql/repair_claims.sql"));
            repair_claims
                .execute(&mut *connection)
                .await
                .during(MAKE_AGAIN)?;
        }
        if damage.costs_rows() {
            made.extend(make_room(connection, &damage.part).await?);
        }
        if damage.part.kind == PartKind::Index {
            build(connection, statement, build_within).await?;
        } else {
            let statement = statement.replace(RUNS, runs);
            run(connection, statement).await.during(MAKE_AGAIN)?;
        }
        if !damage.is_of_lost_table {
            made.push(damage.subject());
        }
    }
    Ok(made)
}

/// Removes the rows of the queue's table that are in a lost column's way, and says how many there were.
async fn make_room(connection: &mut PgConnection, column: &SchemaPart) -> Result<Option<String>> {
    let (table, empty) = if column.is_in("apalis.jobs") {
        ("apalis.jobs", include_str!("sql/empty_jobs.sql"))
    } else {
        ("apalis.workers", include_str!("sql/empty_workers.sql"))
    };
    let removed = sqlx::query(empty).execute(connection).await;
    let rows = removed.during(MAKE_AGAIN)?.rows_affected();
    Ok((rows > 0).then(|| format!("table {table}, whose rows were removed: {rows}")))
}

/// Builds an index, which keeps everybody from writing to its table, and so not for ever.
async fn build(connection: &mut PgConnection, statement: &str, within: &str) -> Result<()> {
    let limit = "statement_timeout";
    set_local(connection, limit, within)
        .await
        .during(MAKE_AGAIN)?;
    match run(connection, statement.to_owned())
        .await
        .during(MAKE_AGAIN)
    {
        Err(error) if error.is_about_time() => {
            let within = within.to_owned();
            // An index on months cannot be built without keeping others out.
            let statement = if statement.contains(" ON reconciler.ledger") {
                statement.to_owned()
            } else {
                statement.replace("INDEX ", "INDEX CONCURRENTLY ")
            };
            return Err(StoreError::fatal(
                MAKE_AGAIN,
                StoreFault::Unbuilt { within, statement },
            ));
        }
        built => built?,
    }
    set_local(connection, limit, "0").await.during(MAKE_AGAIN)
}

#[expect(
    clippy::disallowed_methods,
    reason = "statements of a file of ours, with a name in them that the server has quoted"
)]
async fn run(connection: &mut PgConnection, statement: String) -> sqlx::Result<()> {
    let statement = raw_sql(AssertSqlSafe(statement));
    statement.execute(connection).await.map(drop)
}
