//! When sweeps begin, how much one looks at, and when a run that stayed open is looked at again.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;
use std::time::Duration;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use jiff_cron::TimeUnitSpec;
use reconciler_jobs::sweep::Schedule;
use serde::{Serialize, Serializer};
use thiserror::Error;

use super::fields::{SectionValue, text_of};
use super::section::section;
use crate::storage::BATCH_RUNS_MAX;

section! {
    /// How runs are swept, and when a run that stayed open is looked at again.
    pub struct Sweep {
        /// When a worker begins a sweep: a cron expression of six fields in UTC, the second first, such
        /// as "0 */5 * * * *". Sweeps cannot be turned off.
        #[schemars(with = "String")]
        schedule: Cron = Cron::every_minute(), by cron;
        /// How many runs one pass of a worker looks at; the next sweep finds the others.
        runs_max: u32 = 100_000, whole 1 to 10_000_000;
        /// A worker's sweep of more due runs than this is shared out among the workers.
        shard_runs: u32 = 20_000, whole 100 to 10_000_000;
        /// How many runs one transaction settles at most.
        batch_runs_max: u32 = BATCH_RUNS_MAX, whole 1 to 5_000;
        /// How many of these transactions one pass has under way at once, each on a connection of its own: more settle a
        /// backlog sooner and keep requests waiting longer.
        lanes: u32 = 1, whole 1 to 8;
        /// The wait after the first look at a run that stays open; doubled after each further look. "1s"
        /// to "1h", not longer than `wait_max`.
        wait_min: SignedDuration = Schedule::default().wait_min, "1s" to "1h";
        /// The longest wait between two looks. "1s" to "24h".
        wait_max: SignedDuration = Schedule::default().wait_max, "1s" to "24h";
        /// Runs that somebody else closed no longer ago than this get a second opinion. "0s" to "87600h"; "0s" forms
        /// none.
        opinions_window: SignedDuration = SignedDuration::from_hours(90 * 24), "0s" to "87600h";
    }
}

fn cron(found: SectionValue<'_>) -> Result<Cron, String> {
    text_of(found)
        .ok_or(CronError::Malformed)
        .and_then(str::parse)
        .map_err(|error| error.to_string())
}

impl Sweep {
    /// How many pages of a pass are settled at once.
    pub fn lanes(&self) -> NonZeroU32 {
        NonZeroU32::new(self.lanes).unwrap_or(NonZeroU32::MIN)
    }

    /// The waits between looks, as the pure back-off takes them.
    pub fn back_off(&self) -> Schedule {
        Schedule {
            wait_min: self.wait_min,
            wait_max: self.wait_max,
        }
    }
}

/// Moments that a cron expression names, in UTC.
///
/// **Invariant:** it comes due again and again: it names no year, and at least one day.
#[derive(Clone, PartialEq, Eq)]
pub struct Cron(jiff_cron::Schedule);

/// Why a text is no cron expression that can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum CronError {
    /// It cannot be read.
    #[error(
        "it must be a cron expression of six fields, which are second, minute, hour, day of the \
         month, month and day of the week, in UTC, such as \"0 */5 * * * *\""
    )]
    Malformed,
    /// It reads well and is never due, such as each 30 February.
    #[error("it must be a cron expression that comes due, and no day is the one it names")]
    NeverDue,
}

impl Cron {
    #[expect(
        clippy::expect_used,
        reason = "the text is fixed, and every test that reads a configuration parses it"
    )]
    fn every_minute() -> Self {
        "0 * * * * *".parse().expect("every minute")
    }

    /// The first moment after `moment`; none after the year 2100.
    pub fn next_after(&self, moment: Timestamp) -> Option<Timestamp> {
        let after = self.0.after(moment.to_zoned(TimeZone::UTC)).next()?;
        Some(after.timestamp())
    }

    /// The longest time between two neighbours among the next eight moments after `moment`, which
    /// is enough to find the weekend of an expression for working days. Zero if there are no two.
    pub fn longest_gap(&self, moment: Timestamp) -> Duration {
        let moments: Vec<_> = self
            .0
            .after(moment.to_zoned(TimeZone::UTC))
            .take(8)
            .collect();
        moments
            .iter()
            .zip(moments.iter().skip(1))
            .map(|(one, next)| next.duration_since(one).unsigned_abs())
            .max()
            .unwrap_or_default()
    }
}

impl FromStr for Cron {
    type Err = CronError;

    fn from_str(text: &str) -> Result<Self, CronError> {
        // The parser needs no blanks between fields and takes a year as the seventh.
        let fields = text.split_ascii_whitespace().count();
        let schedule = jiff_cron::Schedule::from_str(text)
            .ok()
            .filter(|schedule| fields == 6 && schedule.years().is_all())
            .ok_or(CronError::Malformed)?;
        // Asked of a fixed moment, so that a text is good or bad whenever it is read.
        let cron = Self(schedule);
        match cron.next_after(Timestamp::UNIX_EPOCH) {
            Some(_) => Ok(cron),
            None => Err(CronError::NeverDue),
        }
    }
}

impl fmt::Display for Cron {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.0.source())
    }
}

impl fmt::Debug for Cron {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cron({:?})", self.0.source())
    }
}

impl Serialize for Cron {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
