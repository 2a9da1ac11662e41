//! Untrusted timestamps.
//!
//! PostgreSQL's `infinity` is not a moment, Laravel writes `0000-00-00` on other databases, and a
//! column may simply be null. Null and unreadable mean different things: an evidence snapshot
//! without `expires_at` never expires, one whose `expires_at` cannot be read cannot be shown to be
//! valid.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// A timestamp column as it was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stamp {
    /// The column is null.
    #[default]
    Absent,
    /// A moment, to the microsecond.
    At(Timestamp),
    /// Infinity, a moment before 1970 or beyond the year 9999, or not a timestamp at all.
    Unreadable,
}

impl Stamp {
    /// Reads what a query hands over: microseconds since 1970, and whether the column held
    /// anything at all.
    ///
    /// Moments before 1970 are unreadable on purpose: nobody restored anything then, and a restore
    /// that "ended" in 1969 would let any evidence pass as newer.
    #[must_use]
    pub fn parse(micros: Option<i64>, present: bool) -> Self {
        match micros {
            None if present => Self::Unreadable,
            None => Self::Absent,
            Some(micros) if micros < 0 => Self::Unreadable,
            Some(micros) => Timestamp::from_microsecond(micros).map_or(Self::Unreadable, Self::At),
        }
    }

    /// The moment, where there is one.
    #[must_use]
    pub fn moment(self) -> Option<Timestamp> {
        match self {
            Self::At(moment) => Some(moment),
            Self::Absent | Self::Unreadable => None,
        }
    }
}

/// Moves a moment, stopping at the end of representable time.
#[must_use]
pub(crate) fn shifted(moment: Timestamp, by: SignedDuration) -> Timestamp {
    let end_of_time = if by.is_negative() {
        Timestamp::MIN
    } else {
        Timestamp::MAX
    };
    moment.checked_add(by).unwrap_or(end_of_time)
}
