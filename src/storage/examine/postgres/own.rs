//! Our own schema: there, whole, and of this program's age.

use super::facts::Server;
use super::{Check, OWN, Own};
use crate::storage::examine::{MIGRATE, judge_migrations};
use crate::storage::postgres::migrator;

pub(super) const SUBJECT: &str = "schema reconciler";

pub(super) fn judge(server: &Server, own: &Own) -> Vec<Check> {
    let has = |name: &str| own.tables.iter().any(|table| table.name == name);
    let state = match &own.applied {
        _ if server.may_use_own_schema.is_none() => absent(server),
        _ if !has("migrations") => Check::problem(
            SUBJECT,
            "The schema is there, but holds no record of migrations.",
            MIGRATE,
        ),
        None => Check::problem(
            SUBJECT,
            format!(
                "Role {} may not read which migrations were run, and nothing is written to a schema \
                 of unknown age.",
                server.role
            ),
            format!("GRANT SELECT ON reconciler.migrations TO {};", server.role),
        ),
        Some(applied) => judge_migrations(SUBJECT, applied, &migrator()),
    };
    // Tables that a migration is yet to create are its business.
    let is_migrated =
        state.action.as_deref() != Some(MIGRATE) && server.may_use_own_schema.is_some();
    let lost = OWN
        .iter()
        .filter(|table| is_migrated && !has(table.name))
        .map(|table| {
            Check::problem(
                format!("table reconciler.{}", table.name),
                "It was created by a migration and is gone.",
                "Restore schema reconciler from a backup: a ledger cannot be written again.",
            )
        });
    std::iter::once(state).chain(lost).collect()
}

fn absent(server: &Server) -> Check {
    let finding = "The schema does not exist yet.";
    if server.may_create_schema {
        return Check::problem(SUBJECT, finding, MIGRATE);
    }
    Check::problem(
        SUBJECT,
        finding,
        format!(
            "Run `restore-reconciler migrate` as a role that may create schemas in database {}; \
             {} may not.",
            server.database, server.role
        ),
    )
}
