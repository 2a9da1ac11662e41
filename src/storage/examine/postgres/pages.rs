//! What the pages of the console need: to read, and to ask.
//!
//! Nothing here is a problem: `serve` mostly connects as a role of its own, and workers do without any of it.

use sqlx::postgres::PgConnection;

use super::Check;
use super::facts::{self, FoundColumn, FoundFunction, FoundIndex, FoundTable, Server};
use super::privileges::Lack;
use crate::storage::error::StoreError;
use crate::storage::examine::CHECK_THE_URL;
use crate::storage::examine::needs::{CONSOLE, CONSOLE_CALLS, CONSOLE_OWN, QUEUE, Read};

pub(super) const SUBJECT: &str = "console";

/// What a console reads and calls, as far as it is there.
pub(super) struct Sources {
    pub(super) tables: Vec<FoundTable>,
    columns: Vec<FoundColumn>,
    pub(super) indexes: Vec<FoundIndex>,
    own: Vec<FoundTable>,
    functions: Vec<FoundFunction>,
}

pub(super) async fn load(connection: &mut PgConnection) -> Result<Sources, StoreError> {
    let names = CONSOLE.map(|read| read.table);
    let tables = facts::load_tables(connection, &names, None).await?;
    let oids: Vec<_> = tables.iter().map(|table| table.oid).collect();
    let queue = QUEUE.map(|table| table.name);
    let mut own = facts::load_tables(connection, &CONSOLE_OWN, Some("reconciler")).await?;
    own.extend(facts::load_tables(connection, &queue, Some("apalis")).await?);
    Ok(Sources {
        columns: facts::load_columns(connection, &oids).await?,
        indexes: facts::load_indexes(connection, &oids).await?,
        functions: facts::load_functions(connection, &CONSOLE_CALLS).await?,
        tables,
        own,
    })
}

pub(super) fn judge(server: &Server, sources: &Sources) -> Check {
    let absent: Vec<String> = CONSOLE
        .iter()
        .flat_map(|read| sources.absent(read))
        .collect();
    if !absent.is_empty() {
        return Check::advice(
            SUBJECT,
            format!(
                "{} cannot be found; the console (`serve`) reads that, and workers do not need it.",
                absent.join(", ")
            ),
            CHECK_THE_URL,
        );
    }
    let lacks: Vec<Lack> = sources.lacks(server).collect();
    if lacks.is_empty() {
        return Check::good(
            SUBJECT,
            format!(
                "Role {} may read what the console (`serve`) shows.",
                server.role
            ),
        );
    }
    let what: Vec<&str> = lacks.iter().map(|lack| lack.what.as_str()).collect();
    let grants: Vec<&str> = lacks.iter().map(|lack| lack.grant.as_str()).collect();
    Check::advice(
        SUBJECT,
        format!(
            "Role {} lacks {}; only the console (`serve`) needs that, as the role that it connects as.",
            server.role,
            what.join(" and ")
        ),
        grants.join("\n"),
    )
}

impl Sources {
    fn placed(&self, read: &Read) -> Option<&FoundTable> {
        self.tables.iter().find(|table| table.name == read.table)
    }

    fn column(&self, table: &FoundTable, name: &str) -> Option<&FoundColumn> {
        let mut columns = self.columns.iter();
        columns.find(|column| column.table_oid == table.oid && column.name == name)
    }

    /// What is not there of a table, or the table itself. The other checks say so of what a worker needs too.
    fn absent(&self, read: &Read) -> Vec<String> {
        let Some(table) = self.placed(read) else {
            return vec![read.table.to_owned()];
        };
        let columns = read.columns.iter();
        columns
            .filter(|name| self.column(table, name).is_none())
            .map(|name| format!("{}.{name}", read.table))
            .collect()
    }

    fn lacks<'s>(&'s self, server: &'s Server) -> impl Iterator<Item = Lack> + 's {
        let role = &server.role;
        let mut closed: Vec<&str> = self
            .tables
            .iter()
            .chain(&self.own)
            .filter(|table| !table.may_use_schema)
            .map(|table| table.schema.as_str())
            .collect();
        closed.sort_unstable();
        closed.dedup();
        let schemas = closed.into_iter().map(move |schema| Lack {
            what: format!("USAGE of schema {schema}"),
            grant: format!("GRANT USAGE ON SCHEMA {schema} TO {role};"),
        });
        let platform = CONSOLE
            .iter()
            .filter_map(move |read| self.unread(read, role));
        let own = self.own.iter().filter(|table| !table.may_select);
        let own = own.map(move |table| Lack {
            what: format!("SELECT on {}", table.qualified_name),
            grant: format!("GRANT SELECT ON {} TO {role};", table.qualified_name),
        });
        let calls = self.functions.iter().filter(|call| !call.may_execute);
        let calls = calls.map(move |call| Lack {
            what: format!("EXECUTE on reconciler.{}", call.name),
            grant: format!(
                "GRANT EXECUTE ON FUNCTION reconciler.{} TO {role};",
                call.name
            ),
        });
        schemas.chain(platform).chain(own).chain(calls)
    }

    /// The columns of a table that this role may not read.
    fn unread(&self, read: &Read, role: &str) -> Option<Lack> {
        let table = self.placed(read)?;
        let is_closed = |name: &&&str| {
            let column = self.column(table, name);
            column.is_some_and(|column| !column.may_select)
        };
        let names: Vec<&str> = read.columns.iter().filter(is_closed).copied().collect();
        (!names.is_empty()).then(|| Lack {
            what: format!("SELECT on {} column(s) of {}", names.len(), read.table),
            grant: format!(
                "GRANT SELECT ({}) ON {} TO {role};",
                names.join(", "),
                table.qualified_name
            ),
        })
    }
}
