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

use crate::storage::error::{During as _, StoreError};

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

/// What puts most of it right.
const REPAIR: &str = "Run `restore-reconciler migrate --repair`.";

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
            PartKind::Column => self.part.is_of_queue() && self.is_gone,
            _ => true,
        }
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
pub async fn look(connection: &mut PgConnection) -> Result<Vec<SchemaPart>, StoreError> {
    let step = "look at what migrations have made";
    let mut tx = connection.begin().await.during(step)?;
    sqlx::query(include_str!("sql/open_shape.sql"))
        .execute(&mut *tx)
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
) -> Result<Vec<Damage>, StoreError> {
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
    if is_there(PartKind::Function, "reconciler.row_changed()") {
        wanted.extend(
            ["restore_runs", "evidence_snapshots"].map(|table| SchemaPart {
                kind: PartKind::Trigger,
                name: format!("{table} restore_reconciler_request"),
                definition: String::new(),
                statement: None,
            }),
        );
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

/// Makes again what can be, but for triggers on the platform's tables, and says what that was.
pub(super) async fn make_again(
    connection: &mut PgConnection,
    damage: &[Damage],
    runs: &str,
) -> sqlx::Result<Vec<String>> {
    let mut made = Vec::new();
    for damage in damage.iter().filter(|damage| damage.is_repairable()) {
        let Some(statement) = &damage.part.statement else {
            continue;
        };
        if damage.part.name == CLAIMS {
            let repair_claims = sqlx::query(include_str!("sql/repair_claims.sql"));
            repair_claims.execute(&mut *connection).await?;
        }
        run(connection, statement.replace(RUNS, runs)).await?;
        if !damage.is_of_lost_table {
            made.push(damage.subject());
        }
    }
    Ok(made)
}

#[expect(
    clippy::disallowed_methods,
    reason = "statements of a file of ours, with a name in them that the server has quoted"
)]
async fn run(connection: &mut PgConnection, statement: String) -> sqlx::Result<()> {
    let statement = raw_sql(AssertSqlSafe(statement));
    statement.execute(connection).await.map(drop)
}
