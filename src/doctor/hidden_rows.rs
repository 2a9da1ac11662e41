//! Whether rows that prove may be hidden from the role, and what is to be done about it. On SQLite nothing hides rows.

use sqlx::postgres::PgPool;

use super::check::{Check, judged};
use super::postgres::{CheckRow, checks_of};
use crate::storage::{During as _, StoreError, Trust};

/// Looks at row security and at views. Nothing where no table is found: other checks say so.
pub(super) async fn examine(pool: &PgPool, trust: Trust) -> Result<Vec<Check>, StoreError> {
    let found: Result<Vec<CheckRow>, _> = sqlx::query_as(include_str!("postgres/row_security.sql"))
        .bind(trust.row_security)
        .fetch_all(pool)
        .await
        .during("look for row security");
    judged("row security", found, checks_of)
}
