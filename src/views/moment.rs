//! Moments, and how long ago they were.

use std::borrow::Cow;
use std::fmt;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Span, SpanRelativeTo, Timestamp};
use reconciler_jobs::stamp::Stamp;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// The longest age that can be asked for: longer than any platform has existed.
const AGE_MAX: SignedDuration = SignedDuration::from_hours(24 * 365 * 50);

/// A moment: RFC 3339 for machines, `2026-11-21 11:30:05 UTC` for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Moment(pub Timestamp);

impl JsonSchema for Moment {
    fn schema_name() -> Cow<'static, str> {
        "Moment".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "date-time" })
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.in_zone(&TimeZone::UTC))
    }
}

impl From<Timestamp> for Moment {
    fn from(at: Timestamp) -> Self {
        Self(at)
    }
}

impl Moment {
    /// The moment in RFC 3339, for attributes and files that machines read.
    pub fn rfc3339(&self) -> String {
        self.0.to_string()
    }

    /// The moment in a time zone, which is named beside it.
    pub fn in_zone(&self, zone: &TimeZone) -> String {
        let zoned = self.0.to_zoned(zone.clone());
        zoned.strftime("%Y-%m-%d %H:%M:%S %Z").to_string()
    }

    /// How long before `as_of` it was, in two units at most: `3 h 20 min ago`; or in how long it will be.
    pub fn age(&self, as_of: &Self) -> String {
        let age = as_of.0.duration_since(self.0);
        if age.is_negative() {
            format!("in {}", in_words(age))
        } else {
            format!("{} ago", in_words(age))
        }
    }

    /// How long until then, or that it is due.
    pub fn until(&self, as_of: &Self) -> String {
        if self > as_of {
            self.age(as_of)
        } else {
            "due".to_owned()
        }
    }
}

/// A length of time in its two largest units, whatever its sign.
pub fn in_words(length: SignedDuration) -> String {
    let seconds = length.as_secs().unsigned_abs();
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min"),
        (0, _, 0) => format!("{hours} h"),
        (0, _, _) => format!("{hours} h {minutes} min"),
        (1..=13, 1.., _) => format!("{days} d {hours} h"),
        _ => format!("{days} d"),
    }
}

/// How long it was from one moment to the other, where both are known.
pub(super) fn took(from: Stamp, to: Stamp) -> Option<String> {
    let length = to.moment()?.duration_since(from.moment()?);
    Some(length)
        .filter(|it| *it >= SignedDuration::ZERO)
        .map(in_words)
}

/// Reads an age such as `90m` or `7d 12h`, in days of 24 hours; none where it is no length of time, negative, or longer than
/// any platform has existed.
pub(crate) fn parse_age(text: &str) -> Option<SignedDuration> {
    let span: Span = text.parse().ok()?;
    let age = span.to_duration(SpanRelativeTo::days_are_24_hours()).ok()?;
    (!age.is_negative() && age <= AGE_MAX).then_some(age)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_have_two_units_at_most() {
        let cases = [
            (0, "0 s"),
            (59, "59 s"),
            (60, "1 min"),
            (3_599, "59 min"),
            (3_600, "1 h"),
            (12_000, "3 h 20 min"),
            (86_400, "1 d"),
            (90_000, "1 d 1 h"),
            (86_400 * 20 + 7_200, "20 d"),
            (-90, "1 min"),
        ];
        for (seconds, expected) in cases {
            assert_eq!(in_words(SignedDuration::from_secs(seconds)), expected);
        }
        assert_eq!(
            in_words(SignedDuration::MIN),
            "106751991167300 d",
            "the longest does not overflow"
        );
    }

    #[test]
    fn people_and_machines_read_the_same_moment() {
        let moment = Moment("2026-11-21T11:30:05.25Z".parse().unwrap());
        assert_eq!(moment.to_string(), "2026-11-21 11:30:05 UTC");
        assert_eq!(moment.rfc3339(), "2026-11-21T11:30:05.25Z");
        assert_eq!(
            moment.age(&Moment("2026-11-21T12:30:05.25Z".parse().unwrap())),
            "1 h ago"
        );
        assert_eq!(
            moment.age(&Moment("2026-11-21T11:28:05Z".parse().unwrap())),
            "in 2 min"
        );
    }
}
