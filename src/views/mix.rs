//! Verdicts over time: how many of each outcome, period by period.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use reconciler_jobs::restore_execute::Outcome;
use schemars::JsonSchema;
use serde::Serialize;

use super::Moment;
use super::moment::in_words;

/// How many of the latest verdicts of a workspace are read.
pub const VERDICTS_MAX: u32 = 200;

/// How many periods are shown at most.
const PERIODS_MAX: i64 = 30;

/// How long a period may be, in seconds: an hour, six, a day, a week, four.
const PERIODS: [i64; 5] = [3_600, 21_600, 86_400, 604_800, LONGEST];

/// The longest of them.
const LONGEST: i64 = 2_419_200;

/// The latest verdicts of a workspace, at most [`VERDICTS_MAX`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Mix {
    /// How many verdicts were read.
    pub verdicts: u64,
    /// How long each period is, in seconds.
    pub period_seconds: i64,
    /// The periods, the earliest first, without gaps; none without verdicts.
    pub periods: Vec<Period>,
}

/// One period.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Period {
    /// When it begins.
    pub from: Moment,
    /// Verdicts `succeeded`.
    pub succeeded: u64,
    /// Verdicts `partially_succeeded`.
    pub partially_succeeded: u64,
    /// Verdicts `blocked`.
    pub blocked: u64,
    /// Verdicts `failed`.
    pub failed: u64,
}

impl Period {
    fn empty(from: Timestamp) -> Self {
        Self {
            from: Moment(from),
            succeeded: 0,
            partially_succeeded: 0,
            blocked: 0,
            failed: 0,
        }
    }

    fn add(&mut self, outcome: Outcome) {
        *match outcome {
            Outcome::Succeeded => &mut self.succeeded,
            Outcome::PartiallySucceeded => &mut self.partially_succeeded,
            Outcome::Blocked => &mut self.blocked,
            Outcome::Failed => &mut self.failed,
        } += 1;
    }

    /// Each outcome with its count, best first.
    pub fn counts(&self) -> [(Outcome, u64); 4] {
        [
            (Outcome::Succeeded, self.succeeded),
            (Outcome::PartiallySucceeded, self.partially_succeeded),
            (Outcome::Blocked, self.blocked),
            (Outcome::Failed, self.failed),
        ]
    }

    /// All verdicts of the period.
    pub fn total(&self) -> u64 {
        self.counts().iter().map(|(_, count)| count).sum()
    }
}

impl Mix {
    /// From verdicts in any order. Those from before the first period that fits are left out of the periods.
    pub fn new(verdicts: impl IntoIterator<Item = (Timestamp, Outcome)>) -> Self {
        let verdicts: Vec<_> = verdicts.into_iter().collect();
        let seconds = |at: &Timestamp| at.as_second();
        let first = verdicts.iter().map(|(at, _)| seconds(at)).min();
        let last = verdicts.iter().map(|(at, _)| seconds(at)).max();
        let Some((first, last)) = first.zip(last) else {
            return Self {
                verdicts: 0,
                period_seconds: PERIODS[0],
                periods: Vec::new(),
            };
        };
        let fits =
            |length: &&i64| last.div_euclid(**length) - first.div_euclid(**length) < PERIODS_MAX;
        let length = PERIODS.iter().find(fits).copied().unwrap_or(LONGEST);
        let newest = last.div_euclid(length);
        let oldest = first.div_euclid(length).max(newest - PERIODS_MAX + 1);
        let mut periods: BTreeMap<i64, Period> = (oldest..=newest)
            .filter_map(|index| {
                let from = Timestamp::from_second(index * length).ok()?;
                Some((index, Period::empty(from)))
            })
            .collect();
        for (at, outcome) in &verdicts {
            if let Some(period) = periods.get_mut(&seconds(at).div_euclid(length)) {
                period.add(*outcome);
            }
        }
        Self {
            verdicts: verdicts.len() as u64,
            period_seconds: length,
            periods: periods.into_values().collect(),
        }
    }

    /// How long a period is, for people.
    pub fn period(&self) -> String {
        in_words(SignedDuration::from_secs(self.period_seconds))
    }

    /// How many of each outcome there are in all periods.
    pub fn totals(&self) -> [(Outcome, u64); 4] {
        let mut totals = Outcome::ALL.map(|outcome| (outcome, 0));
        for (outcome, total) in &mut totals {
            let of_period = |period: &Period| {
                let counts = period.counts();
                let found = counts.iter().find(|(other, _)| other == outcome);
                found.map_or(0, |(_, count)| *count)
            };
            *total = self.periods.iter().map(of_period).sum();
        }
        totals
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn periods_are_as_short_as_fits_and_have_no_gaps() {
        let hours = Mix::new([
            (at("2026-11-21T10:59:00Z"), Outcome::Failed),
            (at("2026-11-21T08:00:00Z"), Outcome::Succeeded),
        ]);
        assert_eq!((hours.period_seconds, hours.periods.len()), (3_600, 3));
        let counts: Vec<_> = hours.periods.iter().map(Period::total).collect();
        assert_eq!(counts, [1, 0, 1]);

        let days = Mix::new([
            (at("2026-11-21T10:59:00Z"), Outcome::Failed),
            (at("2026-11-01T08:00:00Z"), Outcome::Succeeded),
        ]);
        assert_eq!((days.period_seconds, days.periods.len()), (86_400, 21));
        assert_eq!(days.totals()[0], (Outcome::Succeeded, 1));
        assert_eq!(days.totals()[3], (Outcome::Failed, 1));
    }

    #[test]
    fn no_verdicts_and_very_old_ones_are_no_trouble() {
        assert_eq!(Mix::new([]).periods, []);
        let ages = Mix::new([
            (Timestamp::MIN, Outcome::Failed),
            (Timestamp::MAX, Outcome::Succeeded),
        ]);
        assert_eq!((ages.verdicts, ages.periods.len()), (2, 30));
        assert_eq!(ages.totals().iter().map(|(_, count)| count).sum::<u64>(), 1);
    }
}
