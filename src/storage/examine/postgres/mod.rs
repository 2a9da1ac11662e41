//! What `doctor` looks at on PostgreSQL.
//!
//! Facts are loaded on one connection, query by query, and not in a transaction: what is wrong with
//! one must not take the others along.

mod facts;
mod own;
mod pages;
mod platform;
mod privileges;
mod queue;
mod server;

use sqlx::postgres::PgConnection;

use self::facts::{FoundColumn, FoundTable, Server};
use super::needs::{OWN, PLATFORM, QUEUE, Table};
use super::{Applied, Check, MIGRATE, answer, judge_clock};
use crate::clock;
use crate::storage::Store as _;
use crate::storage::error::{During as _, StoreError};
use crate::storage::postgres::PostgresStore;

/// The schema of the library that delivers jobs.
const QUEUE_SUBJECT: &str = "schema apalis";

/// A platform table that is there.
struct Placed {
    need: &'static Table,
    table: FoundTable,
    columns: Vec<FoundColumn>,
}

/// Our own schema, as far as it is there and may be read.
struct Own {
    tables: Vec<FoundTable>,
    /// Nothing where the record of migrations is missing or closed to this role.
    applied: Option<Vec<Applied>>,
}

pub(in crate::storage) async fn examine(store: &PostgresStore) -> Result<Vec<Check>, StoreError> {
    let mut connection = store.pool().acquire().await.during("reach the database")?;
    let server = match answer("server", facts::load_server(&mut connection).await)? {
        Ok(server) => server,
        Err(check) => return Ok(vec![*check]),
    };
    let mut checks = vec![server::judge_version(&server)];
    checks.push(server::judge_writes(&server));

    match answer("platform", load_platform(&mut connection).await)? {
        Ok(platform) => {
            checks.push(server::judge_role(&server, &platform));
            checks.extend(platform::judge_tables(&server, &platform));
            checks.extend(privileges::judge_platform(&server, &platform));
            let is_there = !platform.is_empty();
            match answer(pages::SUBJECT, pages::load(&mut connection).await)? {
                Ok(sources) => {
                    checks.extend(platform::judge_indexes(&sources));
                    // Without a platform, there is nothing to advise yet.
                    checks.extend(is_there.then(|| pages::judge(&server, &sources)));
                }
                Err(check) => checks.push(*check),
            }
        }
        Err(check) => checks.push(*check),
    }
    match answer(own::SUBJECT, load_own(&mut connection, &server).await)? {
        Ok(own) => {
            checks.extend(own::judge(&server, &own));
            checks.extend(privileges::judge_own(&server, &own.tables, &OWN));
        }
        Err(check) => checks.push(*check),
    }
    match answer(QUEUE_SUBJECT, load_queue(&mut connection).await)? {
        Ok(queue) => {
            checks.push(judge_queue(&queue));
            checks.extend(privileges::judge_own(&server, &queue, &QUEUE));
        }
        Err(check) => checks.push(*check),
    }
    // What is missing beside our own schema is made together with it.
    if server.may_use_own_schema == Some(true) {
        match answer(queue::SUBJECT, facts::load_around(&mut connection).await)? {
            Ok(around) => checks.extend(queue::judge(&server, &around)),
            Err(check) => checks.push(*check),
        }
    }
    // The clock is read through the pool, which may hold no more than this one.
    drop(connection);
    checks.push(look_at_clock(store).await?);
    Ok(checks)
}

async fn load_platform(connection: &mut PgConnection) -> Result<Vec<Placed>, StoreError> {
    let names = PLATFORM.map(|table| table.name);
    let tables = facts::load_tables(connection, &names, None).await?;
    let oids: Vec<_> = tables.iter().map(|table| table.oid).collect();
    let columns = facts::load_columns(connection, &oids).await?;
    let place = |need: &'static Table| {
        let table = tables.iter().find(|table| table.name == need.name)?.clone();
        let of_table = |column: &&FoundColumn| column.table_oid == table.oid;
        let columns = columns.iter().filter(of_table).cloned().collect();
        Some(Placed {
            need,
            table,
            columns,
        })
    };
    Ok(PLATFORM.iter().filter_map(place).collect())
}

async fn load_own(connection: &mut PgConnection, server: &Server) -> Result<Own, StoreError> {
    let names = OWN.map(|table| table.name);
    let tables = facts::load_tables(connection, &names, Some("reconciler")).await?;
    let may_read_record = server.may_use_own_schema == Some(true)
        && tables
            .iter()
            .any(|table| table.name == "migrations" && table.may_select);
    let applied = if may_read_record {
        Some(facts::load_applied(connection).await?)
    } else {
        None
    };
    Ok(Own { tables, applied })
}

async fn load_queue(connection: &mut PgConnection) -> Result<Vec<FoundTable>, StoreError> {
    let names = QUEUE.map(|table| table.name);
    facts::load_tables(connection, &names, Some("apalis")).await
}

/// No problem: whoever only sweeps needs no queue.
fn judge_queue(tables: &[FoundTable]) -> Check {
    if tables.len() == QUEUE.len() {
        return Check::good(QUEUE_SUBJECT, "The queue's tables are there.");
    }
    Check::advice(
        QUEUE_SUBJECT,
        "The queue's tables are not there, so `restore-reconciler work` cannot work.",
        MIGRATE,
    )
}

async fn look_at_clock(store: &PostgresStore) -> Result<Check, StoreError> {
    let before = clock::wall();
    let database = answer("clock", store.now().await)?;
    let after = clock::wall();
    Ok(match database {
        Ok(database) => judge_clock(before, database, after),
        Err(check) => *check,
    })
}
