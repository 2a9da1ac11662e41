//! What the catalogue says. Read only; nothing here judges.

use sqlx::FromRow;
use sqlx::postgres::PgConnection;
use sqlx::postgres::types::Oid;

use crate::storage::error::{During as _, StoreError};
use crate::storage::examine::Applied;

/// What answers, and as whom we are here. Names are quoted where they must be.
#[derive(Debug, Clone, FromRow)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "one flag per question, as the query names them"
)]
pub(super) struct Server {
    pub(super) version: String,
    pub(super) version_number: i32,
    pub(super) is_replica: bool,
    pub(super) is_read_only: bool,
    pub(super) database: String,
    pub(super) role: String,
    pub(super) is_superuser: bool,
    pub(super) search_path: String,
    pub(super) may_create_schema: bool,
    /// Nothing where there is no such schema.
    pub(super) may_use_own_schema: Option<bool>,
}

/// A table, and what this role may do with all of it.
#[derive(Debug, Clone, FromRow)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "one flag per question, as the query names them"
)]
pub(super) struct FoundTable {
    pub(super) oid: Oid,
    pub(super) name: String,
    pub(super) schema: String,
    pub(super) qualified_name: String,
    pub(super) is_table: bool,
    pub(super) is_on_search_path: bool,
    pub(super) may_use_schema: bool,
    pub(super) is_owner: bool,
    pub(super) hides_rows: bool,
    pub(super) may_select: bool,
    pub(super) may_insert: bool,
    pub(super) may_update: bool,
    pub(super) may_delete: bool,
}

/// A column, and what this role may do with it.
#[derive(Debug, Clone, FromRow)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "one flag per question, as the query names them"
)]
pub(super) struct FoundColumn {
    pub(super) table_oid: Oid,
    pub(super) name: String,
    pub(super) type_name: String,
    /// Has no default and refuses null.
    pub(super) must_be_given: bool,
    pub(super) may_select: bool,
    pub(super) may_insert: bool,
    pub(super) may_update: bool,
    pub(super) sequence: Option<String>,
    pub(super) may_use_sequence: bool,
}

/// An index. Its predicate is text as the server prints it.
#[derive(Debug, Clone, FromRow)]
pub(super) struct FoundIndex {
    pub(super) table_oid: Oid,
    pub(super) name: String,
    pub(super) qualified_name: String,
    pub(super) is_valid: bool,
    pub(super) columns: Vec<String>,
    pub(super) predicate: Option<String>,
}

/// A function of our own schema.
#[derive(Debug, Clone, FromRow)]
pub(super) struct FoundFunction {
    pub(super) name: String,
    pub(super) may_execute: bool,
}

/// What queues jobs, and for whom. Names are quoted where they must be.
#[derive(Debug, Clone, FromRow)]
pub(super) struct Around {
    /// Of the queue's tables, those that are there.
    pub(super) tables: Vec<String>,
    /// Of the extensions that the queue's migrations ask for, those that are not there.
    pub(super) extensions_missing: Vec<String>,
    /// Of those, the ones that this role may not create, or that the server does not have.
    pub(super) extensions_out_of_reach: Vec<String>,
    /// Statements that let this role work with the queue's tables.
    pub(super) grants: Vec<String>,
    /// Platform tables with an enabled trigger of ours, qualified.
    pub(super) triggers: Vec<String>,
    /// Platform tables with a trigger of ours that is switched off, qualified.
    pub(super) triggers_off: Vec<String>,
    /// Whoever owns the platform's runs; nothing where they cannot be found.
    pub(super) platform_role: Option<String>,
    /// Whether that role may call `reconciler.request`.
    pub(super) platform_may_request: Option<bool>,
}

pub(super) async fn load_around(connection: &mut PgConnection) -> Result<Around, StoreError> {
    sqlx::query_as(include_str!("around.sql"))
        .fetch_one(connection)
        .await
        .during("look for the queue")
}

pub(super) async fn load_server(connection: &mut PgConnection) -> Result<Server, StoreError> {
    sqlx::query_as(include_str!("server.sql"))
        .fetch_one(connection)
        .await
        .during("ask the server what it is")
}

/// Tables by name: in `schema`, or wherever the platform's may be.
pub(super) async fn load_tables(
    connection: &mut PgConnection,
    names: &[&str],
    schema: Option<&str>,
) -> Result<Vec<FoundTable>, StoreError> {
    sqlx::query_as(include_str!("tables.sql"))
        .bind(names)
        .bind(schema)
        .fetch_all(connection)
        .await
        .during("look for tables")
}

pub(super) async fn load_columns(
    connection: &mut PgConnection,
    tables: &[Oid],
) -> Result<Vec<FoundColumn>, StoreError> {
    sqlx::query_as(include_str!("columns.sql"))
        .bind(tables)
        .fetch_all(connection)
        .await
        .during("look for columns")
}

pub(super) async fn load_indexes(
    connection: &mut PgConnection,
    tables: &[Oid],
) -> Result<Vec<FoundIndex>, StoreError> {
    sqlx::query_as(include_str!("indexes.sql"))
        .bind(tables)
        .fetch_all(connection)
        .await
        .during("look for indexes")
}

pub(super) async fn load_functions(
    connection: &mut PgConnection,
    names: &[&str],
) -> Result<Vec<FoundFunction>, StoreError> {
    sqlx::query_as(include_str!("functions.sql"))
        .bind(names)
        .fetch_all(connection)
        .await
        .during("look for functions")
}

pub(super) async fn load_applied(
    connection: &mut PgConnection,
) -> Result<Vec<Applied>, StoreError> {
    sqlx::query_as(include_str!("applied.sql"))
        .fetch_all(connection)
        .await
        .during("read which migrations were run")
}
