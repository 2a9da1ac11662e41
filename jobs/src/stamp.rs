//! Untrusted timestamps.
//!
//! PostgreSQL's `infinity` is not a moment, Laravel writes `0000-00-00` on other databases, and a
//! column may simply be null. Null, far and unreadable mean different things: an evidence snapshot
//! without `expires_at` never expires, one that expires on 9999-12-31 has not done so yet, and one whose
//! `expires_at` cannot be read cannot be shown to be valid.
//!
//! Columns have different precision, so moments of two columns are compared by [`whole_seconds`].

use jiff::{RoundMode, SignedDuration, Timestamp, TimestampRound, Unit};
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
    /// Later than every moment that can be worked with: infinity, or beyond 9999-12-30.
    Far,
    /// A moment before 1970, or not a timestamp at all.
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
            Some(micros) => Timestamp::from_microsecond(micros).map_or(Self::Far, Self::At),
        }
    }

    /// The moment, where there is one.
    #[must_use]
    pub fn moment(self) -> Option<Timestamp> {
        match self {
            Self::At(moment) => Some(moment),
            Self::Absent | Self::Far | Self::Unreadable => None,
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

/// The second that a moment lies in. The platform's timestamps hold no more, and rounding up would lead into the
/// future.
#[must_use]
pub fn whole_seconds(moment: Timestamp) -> Timestamp {
    let down = TimestampRound::new()
        .smallest(Unit::Second)
        .mode(RoundMode::Floor);
    moment.round(down).unwrap_or(moment)
}

/// Whether a stamp is a moment in a later second.
#[must_use]
pub(crate) fn is_later(stamp: Stamp, than: Timestamp) -> bool {
    let moment = stamp.moment().map(whole_seconds);
    moment.is_some_and(|moment| moment > whole_seconds(than))
}
