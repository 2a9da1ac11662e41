//! The one place that reads a clock.
//!
//! Nothing here decides anything: the moment a verdict is measured from is the database's. These
//! clocks serve log lines, comparisons with the database's clock, and durations shown to people.
//!
//! **Invariant:** no other module reads the time of day or the monotonic clock.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use jiff::Timestamp;

/// This machine's time of day, in whole microseconds like everything the databases hold.
///
/// A clock set beyond the years a [`Timestamp`] can hold reads as the nearest moment it can.
#[expect(
    clippy::disallowed_methods,
    reason = "this is the one place that reads the wall clock"
)]
pub fn wall() -> Timestamp {
    moment(SystemTime::now())
}

fn moment(time: SystemTime) -> Timestamp {
    let (distance, sign, limit) = match time.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(after) => (after, 1, Timestamp::MAX),
        Err(before) => (before.duration(), -1, Timestamp::MIN),
    };
    i64::try_from(distance.as_micros())
        .ok()
        .and_then(|micros| Timestamp::from_microsecond(sign * micros).ok())
        .unwrap_or(limit)
}

/// Measures how long something takes. Changes to the time of day do not disturb it.
#[derive(Debug, Clone, Copy)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Begins to measure.
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one place that reads a clock"
    )]
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// The time since the start.
    pub fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}

/// Tells how long ago a process began. It is a parameter of what counts in seconds or minutes, so that tests can
/// move it by hand; everybody else passes [`monotonic`].
pub type Clock = Arc<dyn Fn() -> Duration + Send + Sync>;

/// A clock that begins now.
pub fn monotonic() -> Clock {
    let since = Stopwatch::start();
    Arc::new(move || since.elapsed())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_the_same_in_whole_microseconds() {
        let epoch = SystemTime::UNIX_EPOCH;
        let after = epoch + Duration::new(1_700_000_000, 123_456_789);
        assert_eq!(moment(after).as_nanosecond(), 1_700_000_000_123_456_000);
        let before = epoch - Duration::new(1, 500_000_000);
        assert_eq!(moment(before).as_microsecond(), -1_500_000);
        assert_eq!(moment(epoch), Timestamp::UNIX_EPOCH);
    }

    #[test]
    fn a_clock_beyond_the_calendar_reads_as_its_end() {
        let far = Duration::from_secs(400_000_000_000);
        assert_eq!(moment(SystemTime::UNIX_EPOCH + far), Timestamp::MAX);
        assert_eq!(moment(SystemTime::UNIX_EPOCH - far), Timestamp::MIN);
    }

    #[test]
    fn the_wall_clock_shows_this_century_and_a_stopwatch_never_runs_backwards() {
        assert!(wall() > "2025-01-01T00:00:00Z".parse().unwrap());
        let stopwatch = Stopwatch::start();
        let first = stopwatch.elapsed();
        assert!(stopwatch.elapsed() >= first);
    }
}
