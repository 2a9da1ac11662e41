//! What this role may do, and the exact statements that let it do what is missing.
//!
//! Privileges are asked for column by column: the worker needs neither the names of people in the
//! audit log nor what a restore's preview said.

use super::facts::{FoundColumn, FoundTable, Server};
use super::{Check, Placed};
use crate::storage::examine::needs::{Column, OwnTable};

/// A privilege that is missing, in words, and the statement that grants it.
pub(super) struct Lack {
    pub(super) what: String,
    pub(super) grant: String,
}

pub(super) fn judge_platform(server: &Server, platform: &[Placed]) -> Vec<Check> {
    let mut checks = judge_schemas(server, platform.iter().map(|placed| &placed.table));
    checks.extend(platform.iter().map(|placed| {
        let lacks = lacks_on_platform(server, placed);
        judge(&placed.table.name, server, &lacks)
    }));
    checks
}

/// Tables that migrations created, in one schema.
pub(super) fn judge_own(server: &Server, tables: &[FoundTable], needs: &[OwnTable]) -> Vec<Check> {
    let mut checks = judge_schemas(server, tables.iter());
    let needs = needs.iter().filter(|need| !need.privileges.is_empty());
    checks.extend(needs.filter_map(|need| {
        let table = tables.iter().find(|table| table.name == need.name)?;
        let missing = need
            .privileges
            .iter()
            .filter(|privilege| !may(table, privilege));
        let missing: Vec<&str> = missing.copied().collect();
        let what = missing.join(", ");
        let lack = (!missing.is_empty()).then(|| Lack {
            grant: format!(
                "GRANT {what} ON {} TO {};",
                table.qualified_name, server.role
            ),
            what,
        });
        let lacks: Vec<Lack> = lack.into_iter().collect();
        Some(judge(&table.qualified_name, server, &lacks))
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

fn judge(table: &str, server: &Server, lacks: &[Lack]) -> Check {
    let subject = format!("privileges on {table}");
    if lacks.is_empty() {
        return Check::good(subject, "What is needed is granted.");
    }
    let what: Vec<&str> = lacks.iter().map(|lack| lack.what.as_str()).collect();
    let grants: Vec<&str> = lacks.iter().map(|lack| lack.grant.as_str()).collect();
    Check::problem(
        subject,
        format!("Role {} lacks {}.", server.role, what.join(" and ")),
        grants.join("\n"),
    )
}

fn lacks_on_platform(server: &Server, placed: &Placed) -> Vec<Lack> {
    let need = placed.need;
    let read = lack_of_columns(server, placed, "SELECT", |c| c.is_read, |c| c.may_select);
    let written = match need.written_with {
        Some("UPDATE") => {
            lack_of_columns(server, placed, "UPDATE", |c| c.is_written, |c| c.may_update)
        }
        Some("INSERT") => {
            lack_of_columns(server, placed, "INSERT", |c| c.is_written, |c| c.may_insert)
        }
        _ => None,
    };
    // A default that draws from a sequence is used by every insert that does not name the column.
    let closed = placed
        .columns
        .iter()
        .filter(|found| need.written_with == Some("INSERT") && !found.may_use_sequence);
    let sequences = closed.filter_map(|found| found.sequence.as_ref());
    let sequences = sequences.map(|sequence| Lack {
        what: format!("USAGE of sequence {sequence}"),
        grant: format!("GRANT USAGE ON SEQUENCE {sequence} TO {};", server.role),
    });
    read.into_iter().chain(written).chain(sequences).collect()
}

/// The columns that need a privilege and do not have it; nothing where there are none. Columns that
/// do not exist are reported elsewhere and cannot be granted.
fn lack_of_columns(
    server: &Server,
    placed: &Placed,
    privilege: &str,
    is_needed: fn(&Column) -> bool,
    is_granted: fn(&FoundColumn) -> bool,
) -> Option<Lack> {
    let needed = placed
        .need
        .columns
        .iter()
        .filter(|column| is_needed(column));
    let found = needed.filter_map(|column| {
        let mut columns = placed.columns.iter();
        columns.find(|found| found.name == column.name)
    });
    let names: Vec<&str> = found
        .filter(|found| !is_granted(found))
        .map(|found| found.name.as_str())
        .collect();
    (!names.is_empty()).then(|| Lack {
        what: format!("{privilege} on {} column(s)", names.len()),
        grant: format!(
            "GRANT {privilege} ({}) ON {} TO {};",
            names.join(", "),
            placed.table.qualified_name,
            server.role
        ),
    })
}
