//! The platform's tables: are they there, of types that our statements work on, and quick to search?

use super::facts::{FoundColumn, FoundIndex, FoundTable, Server};
use super::pages::Sources;
use super::{Check, PLATFORM, Placed};
use crate::storage::examine::CHECK_THE_URL;
use crate::storage::examine::indexes::{WANTED, Wanted};
use crate::storage::examine::needs::Column;

pub(super) fn judge_tables(server: &Server, platform: &[Placed]) -> Vec<Check> {
    if platform.is_empty() {
        return vec![Check::problem(
            "platform",
            format!(
                "Database {} holds none of the platform's tables ({}).",
                server.database,
                PLATFORM.map(|table| table.name).join(", ")
            ),
            CHECK_THE_URL,
        )];
    }
    let mut checks = Vec::new();
    for need in &PLATFORM {
        match platform.iter().find(|placed| placed.need == need) {
            Some(placed) => checks.extend(judge_table(server, placed)),
            None => checks.push(Check::problem(
                subject_of(need.name),
                "There is no such table.",
                CHECK_THE_URL,
            )),
        }
    }
    checks
}

fn subject_of(table: &str) -> String {
    format!("table {table}")
}

fn judge_table(server: &Server, placed: &Placed) -> Vec<Check> {
    let Placed {
        need,
        table,
        columns,
        ..
    } = placed;
    let subject = subject_of(need.name);
    let mut checks = Vec::new();
    if !table.is_table {
        checks.push(Check::problem(
            &subject,
            format!(
                "{} is no table, so its rows cannot be locked.",
                table.qualified_name
            ),
            CHECK_THE_URL,
        ));
    }
    // A schema that may not be used is never on the path; the privilege is asked for elsewhere.
    if table.may_use_schema && !table.is_on_search_path {
        checks.push(Check::problem(
            &subject,
            format!(
                "It is in schema {}, which the search path ({}) does not lead to.",
                table.schema, server.search_path
            ),
            format!(
                "ALTER ROLE {} IN DATABASE {} SET search_path = {}, {};",
                server.role, server.database, table.schema, server.search_path
            ),
        ));
    }
    // A hidden audit entry or rival restore would turn a contradiction into a success.
    if table.hides_rows {
        checks.push(Check::problem(
            &subject,
            format!(
                "Row security may hide rows of it, and with them contrary proof, from role {}.",
                server.role
            ),
            format!(
                "CREATE POLICY restore_reconciler ON {} TO {} USING (true);",
                table.qualified_name, server.role
            ),
        ));
    }
    checks.extend(need.columns.iter().filter_map(|column| {
        let found = columns.iter().find(|found| found.name == column.name);
        judge_column(need.name, column, found)
    }));
    if need.written_with == Some("INSERT") {
        let is_unknown = |found: &&FoundColumn| {
            found.must_be_given && !need.columns.iter().any(|column| column.name == found.name)
        };
        checks.extend(columns.iter().filter(is_unknown).map(|found| {
            Check::problem(
                format!("column {}.{}", need.name, found.name),
                "It refuses null, has no default, and is not among the columns that are written.",
                format!(
                    "Give the column a default, or use a release of restore-reconciler that \
                     fills {}.",
                    found.name
                ),
            )
        }));
    }
    if checks.is_empty() {
        checks.push(Check::good(
            subject,
            format!(
                "All {} columns that are used are there, of types that are understood.",
                need.columns.len()
            ),
        ));
    }
    checks
}

fn judge_column(table: &str, need: &Column, found: Option<&FoundColumn>) -> Option<Check> {
    let subject = format!("column {table}.{}", need.name);
    let Some(found) = found else {
        return Some(Check::problem(
            subject,
            "There is no such column.",
            CHECK_THE_URL,
        ));
    };
    let accepted = need.kind.accepted_types();
    (!accepted.contains(&found.type_name.as_str())).then(|| {
        Check::problem(
            subject,
            format!("Its type is {}, which is not understood.", found.type_name),
            format!(
                "Let the platform's migrations make it {}, or use a release of \
                 restore-reconciler that knows its type.",
                accepted.join(" or ")
            ),
        )
    })
}

/// The console reads every table that anything is looked for in.
pub(super) fn judge_indexes(sources: &Sources) -> Vec<Check> {
    WANTED
        .iter()
        .filter_map(|wanted| {
            let mut tables = sources.tables.iter();
            let table = tables.find(|table| table.name == wanted.table && table.is_table)?;
            let over_table = |index: &&FoundIndex| index.table_oid == table.oid;
            let indexes: Vec<&FoundIndex> = sources.indexes.iter().filter(over_table).collect();
            Some(judge_index(wanted, table, &indexes))
        })
        .collect()
}

fn judge_index(wanted: &Wanted, table: &FoundTable, indexes: &[&FoundIndex]) -> Check {
    let subject = format!("index on {}", wanted.table);
    let serves =
        |index: &&FoundIndex| wanted.is_served_by(&index.columns, index.predicate.as_deref());
    let mut serving = indexes.iter().copied().filter(serves);
    if let Some(index) = serving.clone().find(|index| index.is_valid) {
        return Check::good(subject, format!("{} serves.", index.qualified_name));
    }
    let create = format!(
        "CREATE INDEX CONCURRENTLY IF NOT EXISTS {} ON {} {};",
        wanted.name, table.qualified_name, wanted.definition
    );
    // Left by an attempt that failed. It slows writes and helps nobody, and under the same name it
    // would keep the statement from doing anything.
    let torn = serving.find(|index| !index.is_valid).or_else(|| {
        let mut indexes = indexes.iter().copied();
        indexes.find(|index| index.name == wanted.name && !index.is_valid)
    });
    match torn {
        Some(torn) => Check::advice(
            subject,
            format!(
                "{} was not built to its end; without it, {}.",
                torn.qualified_name, wanted.purpose
            ),
            format!(
                "DROP INDEX CONCURRENTLY IF EXISTS {};\n{create}",
                torn.qualified_name
            ),
        ),
        None => Check::advice(subject, format!("Without one, {}.", wanted.purpose), create),
    }
}
