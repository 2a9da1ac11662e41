//! A statement in the words of both databases, and the values that go with it.
//!
//! What is sent is a `.sql` file and values beside it, never text that was put together while this program runs. Where each
//! database has a file, both take their values in the same order; a value that only one of them needs is passed over by
//! the other.

use std::borrow::Cow;
use std::time::Duration;

use jiff::Timestamp;
use reconciler_jobs::ids::{EnvironmentId, RestoreId, RunId, WorkspaceId};
use serde::Serialize;
use serde_json::Map;
use sqlx::Arguments as _;
use sqlx::error::BoxDynError;
use sqlx::postgres::PgArguments;
use sqlx::sqlite::SqliteArguments;

use super::column::PostgresMoment;
use super::error::{Result, StoreError};
use super::model::Action;

/// One step, as each database is told to do it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Statement {
    /// Completes the sentence "cannot …" in errors.
    pub(super) step: &'static str,
    /// Whether it is for the file with the jobs, where they have one of their own.
    pub(super) in_queue: bool,
    /// Empty where there is nothing to do.
    pub(super) postgres: &'static str,
    pub(super) sqlite: &'static str,
}

/// `statement!("close runs", "close_runs")`: the step, and the name of its file below `postgres/sql` and `sqlite/sql`.
///
/// `both` before the name: one file below `sql` serves both. `postgres` or `sqlite`: the other database has nothing to do.
/// `queue`: on SQLite, it is for the file with the jobs.
macro_rules! statement {
    (@text $database:literal $name:literal) => {
        include_str!(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/src/storage/",
            $database,
            "/sql/",
            $name,
            ".sql"
        ))
    };
    (@ $step:expr, $in_queue:literal, [$($postgres:literal)?], [$($sqlite:literal)?]) => {
        $crate::storage::statement::Statement {
            step: $step,
            in_queue: $in_queue,
            postgres: concat!($($crate::storage::statement::statement!(@text "postgres" $postgres))?),
            sqlite: concat!($($crate::storage::statement::statement!(@text "sqlite" $sqlite))?),
        }
    };
    (@both $step:expr, $in_queue:literal, $name:literal) => {{
        const TEXT: &str = $crate::storage::statement::statement!(@text "." $name);
        // By itself: where the function around it had to know the length before its types, an optimised build would ask for
        // both in a circle.
        const SQLITE: &str = {
            use $crate::storage::spelling::{spelled, text_of};
            const LENGTH: usize = spelled::<0>(TEXT).1;
            const SPELLED: [u8; LENGTH] = spelled(TEXT).0;
            text_of(&SPELLED)
        };
        $crate::storage::statement::Statement {
            step: $step,
            in_queue: $in_queue,
            postgres: TEXT,
            sqlite: SQLITE,
        }
    }};
    ($step:expr, both $name:literal) => {
        $crate::storage::statement::statement!(@both $step, false, $name)
    };
    ($step:expr, both queue $name:literal) => {
        $crate::storage::statement::statement!(@both $step, true, $name)
    };
    ($step:expr, $name:literal) => {
        $crate::storage::statement::statement!(@ $step, false, [$name], [$name])
    };
    ($step:expr, queue $name:literal) => {
        $crate::storage::statement::statement!(@ $step, true, [$name], [$name])
    };
    ($step:expr, postgres $name:literal) => {
        $crate::storage::statement::statement!(@ $step, false, [$name], [])
    };
    ($step:expr, sqlite $name:literal) => {
        $crate::storage::statement::statement!(@ $step, false, [], [$name])
    };
    ($step:expr, sqlite queue $name:literal) => {
        $crate::storage::statement::statement!(@ $step, true, [], [$name])
    };
}
pub(super) use statement;

/// Values in the order of a statement's placeholders: `values![run, limit]`.
macro_rules! values {
    ($($value:expr),* $(,)?) => {
        &[$($crate::storage::statement::Value::from($value)),*]
    };
}
pub(super) use values;

/// What is bound to a placeholder. Lists are typed arrays on PostgreSQL and JSON text on SQLite.
#[derive(Debug, Clone)]
pub(super) enum Value<'a> {
    Integer(Option<i64>),
    Flag(bool),
    Text(Option<Cow<'a, str>>),
    /// `timestamptz` on PostgreSQL, microseconds since 1970 on SQLite.
    Moment(Option<Timestamp>),
    /// None is null, which stands for "all" where a statement says so.
    Integers(Option<Vec<i64>>),
    Texts(Vec<&'a str>),
    Table(Table<'a>),
}

impl Value<'_> {
    /// Rows as one JSON document.
    pub(super) fn document<R: Serialize + ?Sized>(step: &'static str, rows: &R) -> Result<Self> {
        let document =
            serde_json::to_string(rows).map_err(|error| StoreError::refused(step, error))?;
        Ok(Self::from(document))
    }

    fn add_to_postgres(&self, arguments: &mut PgArguments) -> Result<(), BoxDynError> {
        match self {
            Self::Integer(number) => arguments.add(number),
            Self::Flag(flag) => arguments.add(flag),
            Self::Text(text) => arguments.add(text.as_deref()),
            Self::Moment(moment) => arguments.add(moment.map(PostgresMoment)),
            Self::Integers(list) => arguments.add(list),
            Self::Texts(list) => arguments.add(list),
            Self::Table(table) => table
                .columns
                .iter()
                .try_for_each(|(_, column)| match column {
                    ColumnValues::Integers(list) => arguments.add(list),
                    ColumnValues::Texts(list) => arguments.add(list),
                }),
        }
    }

    fn add_to_sqlite(&self, arguments: &mut SqliteArguments) -> Result<(), BoxDynError> {
        match self {
            Self::Integer(number) => arguments.add(number),
            Self::Flag(flag) => arguments.add(flag),
            Self::Text(text) => arguments.add(text.as_deref()),
            Self::Moment(moment) => arguments.add(moment.map(Timestamp::as_microsecond)),
            Self::Integers(None) => arguments.add(None::<String>),
            Self::Integers(Some(list)) => arguments.add(serde_json::to_string(list)?),
            Self::Texts(list) => arguments.add(serde_json::to_string(list)?),
            Self::Table(table) => arguments.add(serde_json::to_string(&table.rows())?),
        }
    }
}

/// How an action is bound: its verb, who acts, why, and the trace that it belongs to.
pub(super) fn action_values(action: Option<&Action>) -> [Value<'_>; 4] {
    let trace = action.and_then(|action| action.trace);
    [
        action.map(|action| action.verb.name()).into(),
        action.and_then(|action| action.actor.as_deref()).into(),
        action.and_then(|action| action.reason.as_deref()).into(),
        trace.map(|trace| trace.trace_id().to_string()).into(),
    ]
}

/// Rows that a statement works on: on PostgreSQL one array per column, each with a placeholder of its own, and on
/// SQLite one JSON document with an object per row.
#[derive(Debug, Clone, Default)]
pub(super) struct Table<'a> {
    columns: Vec<(&'static str, ColumnValues<'a>)>,
}

#[derive(Debug, Clone)]
enum ColumnValues<'a> {
    Integers(Vec<Option<i64>>),
    Texts(Vec<Option<&'a str>>),
}

impl<'a> Table<'a> {
    /// Adds a column of numbers, of ids, or of moments as microseconds since 1970.
    pub(super) fn integers<N: Into<Value<'a>>>(
        mut self,
        name: &'static str,
        column: impl IntoIterator<Item = N>,
    ) -> Self {
        let number = |cell: N| match cell.into() {
            Value::Integer(number) => number,
            Value::Moment(moment) => moment.map(Timestamp::as_microsecond),
            _ => None,
        };
        let column = column.into_iter().map(number).collect();
        self.columns.push((name, ColumnValues::Integers(column)));
        self
    }

    /// Adds a column of texts.
    pub(super) fn texts<T: Into<Option<&'a str>>>(
        mut self,
        name: &'static str,
        column: impl IntoIterator<Item = T>,
    ) -> Self {
        let column = column.into_iter().map(Into::into).collect();
        self.columns.push((name, ColumnValues::Texts(column)));
        self
    }

    fn rows(&self) -> Vec<Map<String, serde_json::Value>> {
        let mut rows = Vec::new();
        for (name, column) in &self.columns {
            let cells: Vec<serde_json::Value> = match column {
                ColumnValues::Integers(list) => list.iter().copied().map(Into::into).collect(),
                ColumnValues::Texts(list) => list.iter().copied().map(Into::into).collect(),
            };
            rows.resize_with(cells.len(), Map::new);
            for (row, cell) in rows.iter_mut().zip(cells) {
                row.insert((*name).to_owned(), cell);
            }
        }
        rows
    }
}

pub(super) fn postgres_arguments(values: &[Value<'_>]) -> Result<PgArguments, sqlx::Error> {
    let mut arguments = PgArguments::default();
    values
        .iter()
        .try_for_each(|value| value.add_to_postgres(&mut arguments))
        .map_err(sqlx::Error::Encode)?;
    Ok(arguments)
}

pub(super) fn sqlite_arguments(values: &[Value<'_>]) -> Result<SqliteArguments, sqlx::Error> {
    let mut arguments = SqliteArguments::default();
    values
        .iter()
        .try_for_each(|value| value.add_to_sqlite(&mut arguments))
        .map_err(sqlx::Error::Encode)?;
    Ok(arguments)
}

/// Whole microseconds, as both databases count them.
pub(super) fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

macro_rules! from {
    ($($given:ty => |$value:ident| $bound:expr),+ $(,)?) => {$(
        impl<'a> From<$given> for Value<'a> {
            fn from($value: $given) -> Self {
                $bound
            }
        }
    )+};
}

from! {
    i64 => |number| Self::Integer(Some(number)),
    u32 => |number| Self::Integer(Some(number.into())),
    Option<i64> => |number| Self::Integer(number),
    Duration => |duration| Self::Integer(Some(micros(duration))),
    bool => |flag| Self::Flag(flag),
    &'a str => |text| Self::Text(Some(text.into())),
    String => |text| Self::Text(Some(text.into())),
    Option<&'a str> => |text| Self::Text(text.map(Into::into)),
    Option<String> => |text| Self::Text(text.map(Into::into)),
    Timestamp => |moment| Self::Moment(Some(moment)),
    Option<Timestamp> => |moment| Self::Moment(moment),
    Vec<i64> => |list| Self::Integers(Some(list)),
    Option<Vec<i64>> => |list| Self::Integers(list),
    &[RunId] => |runs| Self::Integers(Some(runs.iter().map(|run| run.0).collect())),
    &[WorkspaceId] => |list| Self::Integers(Some(list.iter().map(|id| id.0).collect())),
    Vec<&'a str> => |list| Self::Texts(list),
    &'a [String] => |list| Self::Texts(list.iter().map(String::as_str).collect()),
    Table<'a> => |table| Self::Table(table),
}

macro_rules! from_ids {
    ($($id:ty),+) => {
        from! {$(
            $id => |id| Self::Integer(Some(id.0)),
            Option<$id> => |id| Self::Integer(id.map(|id| id.0)),
        )+}
    };
}

from_ids!(RunId, RestoreId, WorkspaceId, EnvironmentId);
