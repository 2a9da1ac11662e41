//! Columns as either database returns them.
//!
//! Moments are timestamps on PostgreSQL and microseconds since 1970 on SQLite. Those that the platform wrote may be
//! null, infinite, or no moment at all; those that we wrote are.

use jiff::Timestamp;
use reconciler_jobs::ids::{
    AuditId, BackupSetId, EnvironmentId, RestoreId, RunId, SnapshotId, WorkspaceId,
};
use reconciler_jobs::stamp::Stamp;
use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::postgres::types::Oid;
use sqlx::postgres::{PgArgumentBuffer, PgTypeInfo, PgValueRef, Postgres};
use sqlx::sqlite::{Sqlite, SqliteTypeInfo, SqliteValueRef};
use sqlx::{Decode, Encode, Type, TypeInfo as _, ValueRef as _};

use super::error::{Result, StoreError};

/// 2000-01-01, from which PostgreSQL counts, in microseconds since 1970.
const POSTGRES_EPOCH: i64 = 946_684_800_000_000;

/// 9999-01-01, in microseconds since 1970.
const YEAR_9999: i64 = 253_370_764_800_000_000;

/// `timestamptz`, as every PostgreSQL numbers its types.
const TIMESTAMPTZ: PgTypeInfo = PgTypeInfo::with_oid(Oid(1184));

/// A moment that is bound to a statement of PostgreSQL.
#[derive(Clone, Copy)]
pub(super) struct PostgresMoment(pub(super) Timestamp);

impl Type<Postgres> for PostgresMoment {
    fn type_info() -> PgTypeInfo {
        TIMESTAMPTZ
    }
}

impl Encode<'_, Postgres> for PostgresMoment {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        let micros = self.0.as_microsecond().saturating_sub(POSTGRES_EPOCH);
        Encode::<Postgres>::encode(micros, buffer)
    }
}

/// A moment as a column has it.
pub(super) enum StoredMoment {
    Null,
    /// Microseconds since 1970. PostgreSQL's infinities are as far away as numbers go.
    At(i64),
    /// Something that is no moment; only SQLite lets a column hold that.
    Other,
}

impl StoredMoment {
    /// One that must be there.
    pub(super) fn read(self, step: &'static str) -> Result<Timestamp> {
        Timestamp::try_from(self).map_err(|error| StoreError::refused(step, error))
    }
}

impl Type<Postgres> for StoredMoment {
    fn type_info() -> PgTypeInfo {
        TIMESTAMPTZ
    }

    /// With a time zone or without: that is for the platform to choose, and the session's is UTC.
    fn compatible(found: &PgTypeInfo) -> bool {
        matches!(found.name(), "TIMESTAMPTZ" | "TIMESTAMP")
    }
}

impl Decode<'_, Postgres> for StoredMoment {
    fn decode(value: PgValueRef<'_>) -> Result<Self, BoxDynError> {
        if value.is_null() {
            return Ok(Self::Null);
        }
        Ok(Self::At(
            match i64::from_be_bytes(value.as_bytes()?.try_into()?) {
                infinity @ (i64::MIN | i64::MAX) => infinity,
                since_2000 => since_2000.saturating_add(POSTGRES_EPOCH),
            },
        ))
    }
}

impl Type<Sqlite> for StoredMoment {
    fn type_info() -> SqliteTypeInfo {
        <i64 as Type<Sqlite>>::type_info()
    }

    fn compatible(_: &SqliteTypeInfo) -> bool {
        true
    }
}

impl Decode<'_, Sqlite> for StoredMoment {
    fn decode(value: SqliteValueRef<'_>) -> Result<Self, BoxDynError> {
        if value.is_null() {
            Ok(Self::Null)
        } else if value.type_info().name() == "INTEGER" {
            Ok(Self::At(<i64 as Decode<Sqlite>>::decode(value)?))
        } else {
            Ok(Self::Other)
        }
    }
}

/// A moment as the rules read what the platform wrote.
impl From<StoredMoment> for Stamp {
    fn from(column: StoredMoment) -> Self {
        match column {
            StoredMoment::Null => Self::Absent,
            StoredMoment::At(micros) => Self::parse(Some(micros), true),
            StoredMoment::Other => Self::Unreadable,
        }
    }
}

/// A moment that we wrote, or that the database's clock gave, is not there.
#[derive(Debug, thiserror::Error)]
#[error("it holds no moment")]
pub(super) struct NoMoment;

/// Infinity is the beginning of 1970, or of the year 9999.
impl TryFrom<StoredMoment> for Timestamp {
    type Error = NoMoment;

    fn try_from(column: StoredMoment) -> Result<Self, NoMoment> {
        let StoredMoment::At(micros) = column else {
            return Err(NoMoment);
        };
        Self::from_microsecond(micros.clamp(0, YEAR_9999)).map_err(|_| NoMoment)
    }
}

impl TryFrom<StoredMoment> for Option<Timestamp> {
    type Error = NoMoment;

    fn try_from(column: StoredMoment) -> Result<Self, NoMoment> {
        match column {
            StoredMoment::Null => Ok(None),
            at => Timestamp::try_from(at).map(Some),
        }
    }
}

/// An id as a column has it.
#[derive(Debug, Clone, Copy, Type)]
#[sqlx(transparent)]
pub(super) struct Id(i64);

/// An id that may be null.
#[derive(Debug, Clone, Copy, Type)]
#[sqlx(transparent)]
pub(super) struct OptionalId(Option<i64>);

macro_rules! ids {
    ($($id:ident),+) => {$(
        impl From<Id> for $id {
            fn from(column: Id) -> Self {
                Self(column.0)
            }
        }

        impl From<OptionalId> for Option<$id> {
            fn from(column: OptionalId) -> Self {
                column.0.map($id)
            }
        }
    )+};
}

ids!(
    AuditId,
    BackupSetId,
    EnvironmentId,
    RestoreId,
    RunId,
    SnapshotId,
    WorkspaceId
);

/// A count as a column has it. One below zero is none.
#[derive(Debug, Clone, Copy, Type)]
#[sqlx(transparent)]
pub(super) struct CountColumn(i64);

impl From<CountColumn> for u64 {
    fn from(column: CountColumn) -> Self {
        Self::try_from(column.0).unwrap_or(0)
    }
}

impl From<CountColumn> for u32 {
    fn from(column: CountColumn) -> Self {
        Self::try_from(column.0.max(0)).unwrap_or(Self::MAX)
    }
}

/// Text of a column that the platform wrote.
///
/// SQLite does not promise UTF-8. Bytes that are none are replaced, so that the text equals no word
/// that a rule knows: one odd word must not make a row, and with it a batch, unreadable.
pub(super) struct Word(String);

impl Type<Postgres> for Word {
    fn type_info() -> PgTypeInfo {
        <String as Type<Postgres>>::type_info()
    }

    fn compatible(found: &PgTypeInfo) -> bool {
        <String as Type<Postgres>>::compatible(found)
    }
}

impl<'r> Decode<'r, Postgres> for Word {
    fn decode(value: PgValueRef<'r>) -> Result<Self, BoxDynError> {
        <String as Decode<'r, Postgres>>::decode(value).map(Self)
    }
}

impl Type<Sqlite> for Word {
    fn type_info() -> SqliteTypeInfo {
        <String as Type<Sqlite>>::type_info()
    }

    fn compatible(found: &SqliteTypeInfo) -> bool {
        <Vec<u8> as Type<Sqlite>>::compatible(found)
    }
}

impl<'r> Decode<'r, Sqlite> for Word {
    fn decode(value: SqliteValueRef<'r>) -> Result<Self, BoxDynError> {
        let bytes = <&[u8] as Decode<'r, Sqlite>>::decode(value)?;
        Ok(Self(String::from_utf8_lossy(bytes).into_owned()))
    }
}

impl From<Word> for String {
    fn from(word: Word) -> Self {
        word.0
    }
}

/// Such text where there may be none.
#[derive(Type)]
#[sqlx(transparent, no_pg_array)]
pub(super) struct OptionalWord(Option<Word>);

impl OptionalWord {
    pub(super) fn bytes(&self) -> usize {
        self.0.as_ref().map_or(0, |word| word.0.len())
    }
}

impl From<OptionalWord> for Option<String> {
    fn from(column: OptionalWord) -> Self {
        column.0.map(String::from)
    }
}
