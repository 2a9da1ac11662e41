//! From when on: a moment, or how long ago it was.

use std::str::FromStr;

use jiff::{SignedDuration, Timestamp};

use crate::views::moment::parse_age;

/// A moment, or how long ago one was.
#[derive(Debug, Clone, Copy)]
pub(super) enum Since {
    Moment(Timestamp),
    Ago(SignedDuration),
}

impl Since {
    /// The moment, where it is `now`.
    pub(super) fn before(self, now: Timestamp) -> Timestamp {
        match self {
            Self::Moment(moment) => moment,
            Self::Ago(ago) => now.checked_sub(ago).unwrap_or(Timestamp::MIN),
        }
    }
}

impl FromStr for Since {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let moment = text.parse().map(Self::Moment).ok();
        moment
            .or_else(|| parse_age(text).map(Self::Ago))
            .ok_or("it must be a moment such as 2026-11-01T00:00:00Z, or an age such as 36h or 7d")
    }
}

/// Reads an age.
pub(super) fn age(text: &str) -> Result<SignedDuration, &'static str> {
    parse_age(text).ok_or("it must be an age such as 90m or 7d 12h")
}
