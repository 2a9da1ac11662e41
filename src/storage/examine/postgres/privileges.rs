//! What this role may do, and the exact statements that let it do what is missing.
//!
//! Privileges are asked for column by column: the worker needs neither the names of people in the
//! audit log nor what a restore's preview said.

use super::facts::{FoundColumn, FoundTable, Server};
use super::{Check, OWN, Own, Placed};
use crate::storage::examine::needs::Column;

pub(super) fn judge_platform(server: &Server, platform: &[Placed]) -> Vec<Check> {
    let schemas = platform.iter().map(|placed| &placed.table);
    let mut checks: Vec<Check> = judge_schemas(server, schemas);
    checks.extend(platform.iter().map(|placed| {
        let statements = missing_grants(server, placed);
        judge(&placed.table.name, server, &statements)
    }));
    checks
}

pub(super) fn judge_own(server: &Server, own: &Own) -> Vec<Check> {
    let mut checks = judge_schemas(server, own.tables.iter());
    checks.extend(own.tables.iter().filter_map(|table| {
        let need = OWN.iter().find(|need| need.name == table.name)?;
        let missing: Vec<&str> = need
            .privileges
            .iter()
            .copied()
            .filter(|privilege| !may(table, privilege))
            .collect();
        let statements = if missing.is_empty() {
            Vec::new()
        } else {
            let (what, role) = (missing.join(", "), &server.role);
            vec![format!(
                "GRANT {what} ON {} TO {role};",
                table.qualified_name
            )]
        };
        Some(judge(&table.qualified_name, server, &statements))
    }));
    checks
}

fn may(table: &FoundTable, privilege: &str) -> bool {
    match privilege {
        "SELECT" => table.may_select,
        "INSERT" => table.may_insert,
        "UPDATE" => table.may_update,
        "DELETE" => table.may_delete,
        _ => false,
    }
}

/// One check per schema that this role may not use.
fn judge_schemas<'t>(server: &Server, tables: impl Iterator<Item = &'t FoundTable>) -> Vec<Check> {
    let mut schemas: Vec<&str> = tables
        .filter(|table| !table.may_use_schema)
        .map(|table| table.schema.as_str())
        .collect();
    schemas.sort_unstable();
    schemas.dedup();
    let check = |schema: &str| {
        Check::problem(
            format!("privileges on schema {schema}"),
            format!("Role {} may not use the schema.", server.role),
            format!("GRANT USAGE ON SCHEMA {schema} TO {};", server.role),
        )
    };
    schemas.into_iter().map(check).collect()
}

fn judge(table: &str, server: &Server, statements: &[String]) -> Check {
    let subject = format!("privileges on {table}");
    if statements.is_empty() {
        return Check::good(subject, "What is needed is granted.");
    }
    Check::problem(
        subject,
        format!("Role {} may not do all that is needed.", server.role),
        statements.join("\n"),
    )
}

fn missing_grants(server: &Server, placed: &Placed) -> Vec<String> {
    let Placed {
        need,
        table,
        columns,
        ..
    } = placed;
    let role = &server.role;
    let lacking = |is_needed: fn(&Column) -> bool, is_granted: fn(&FoundColumn) -> bool| {
        let names = need.columns.iter().filter(|column| is_needed(column));
        names
            .filter_map(|column| columns.iter().find(|found| found.name == column.name))
            .filter(|found| !is_granted(found))
            .map(|found| found.name.as_str())
            .collect::<Vec<_>>()
    };
    let written = match need.written_with {
        Some("UPDATE") => Some(("UPDATE", lacking(|c| c.is_written, |c| c.may_update))),
        Some("INSERT") => Some(("INSERT", lacking(|c| c.is_written, |c| c.may_insert))),
        _ => None,
    };
    let read = ("SELECT", lacking(|c| c.is_read, |c| c.may_select));
    let mut statements: Vec<String> = std::iter::once(read)
        .chain(written)
        .filter(|(_, names)| !names.is_empty())
        .map(|(privilege, names)| {
            let (names, table) = (names.join(", "), &table.qualified_name);
            format!("GRANT {privilege} ({names}) ON {table} TO {role};")
        })
        .collect();
    if need.written_with == Some("INSERT") {
        // A default that draws from a sequence is used by every insert that does not name the column.
        let closed = columns.iter().filter(|found| !found.may_use_sequence);
        statements.extend(
            closed
                .filter_map(|found| found.sequence.as_ref())
                .map(|sequence| format!("GRANT USAGE ON SEQUENCE {sequence} TO {role};")),
        );
    }
    statements
}
