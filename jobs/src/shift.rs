//! Whether evidence is dated hours off its restores or its own rows, as it is where one clock's zone is taken for another's.
//!
//! A platform may write moments without their zone. Where the database then takes them for those of another zone, all of
//! one column are off by the same number of quarters of an hour, in summer by another than in winter. Evidence from
//! before a restore's end passes for later, or the reverse, and no single row shows it.
//!
//! **Invariant:** nothing is found in fewer than [`ROWS_MIN`] rows of the same weeks, or where not most of them agree.

use std::fmt;
use std::ops::RangeInclusive;

use jiff::{SignedDuration, Timestamp};

/// How many rows it takes to tell a habit from chance.
pub const ROWS_MIN: usize = 20;

/// Zones differ by whole quarters of an hour.
const QUARTER_SECONDS: i64 = 15 * 60;

/// How many quarters make a shift. No zone is nearer to UTC than an hour or farther than fourteen, and summer time is half
/// an hour at least; evidence that is always captured a quarter of an hour after the end is no shift.
const QUARTERS: RangeInclusive<i64> = 2..=56;

/// How much sooner than expected evidence may be dated: clocks differ, and moments are cut to whole seconds.
const EARLY_SECONDS: i64 = 60;

/// How much later than a restore's end, or than its own row, evidence usually is generated.
const LATE_SECONDS: i64 = 5 * 60;

const WEEK_SECONDS: i64 = 7 * 24 * 60 * 60;

/// The moments of one evidence snapshot and of its restore. What is not known, or no moment, is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sample {
    /// When the evidence says that it was generated.
    pub generated_at: Option<Timestamp>,
    /// When its row was created.
    pub created_at: Option<Timestamp>,
    /// When its restore began.
    pub restore_started_at: Option<Timestamp>,
    /// When its restore ended.
    pub restore_completed_at: Option<Timestamp>,
}

/// What evidence usually is dated close to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Anchor {
    /// Evidence is mostly captured once its restore has ended.
    RestoreEnd,
    /// Whoever captures evidence writes its row at the same time, however long after the restore that is.
    OwnRow,
}

impl Anchor {
    const ALL: [Self; 2] = [Self::RestoreEnd, Self::OwnRow];

    fn moment(self, sample: &Sample) -> Option<Timestamp> {
        match self {
            Self::RestoreEnd => sample.restore_completed_at,
            Self::OwnRow => sample.created_at,
        }
    }
}

/// Completes "evidence snapshots are dated an hour before …".
impl fmt::Display for Anchor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::RestoreEnd => "the ends of their restores",
            Self::OwnRow => "the creation of their own rows",
        })
    }
}

/// Most evidence of some weeks is dated by this much off what it should be close to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shift {
    /// What it is dated off.
    pub from: Anchor,
    /// By how much: whole quarters of an hour, negative where evidence is dated too early.
    pub by: SignedDuration,
    /// How many rows agree.
    pub rows: usize,
    /// Of how many.
    pub rows_compared: usize,
}

/// Moments that cannot be so, one by one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Oddities {
    /// Evidence, or ends of restores, that lie in the future.
    pub future: usize,
    /// Restores that ended before they began.
    pub reversed: usize,
}

/// Looks for a shift, in the newest weeks first.
#[must_use]
pub fn find(samples: &[Sample]) -> Option<Shift> {
    let mut anchors = Anchor::ALL.into_iter();
    anchors.find_map(|from| find_from(samples, from))
}

fn find_from(samples: &[Sample], from: Anchor) -> Option<Shift> {
    let mut compared: Vec<(i64, i64)> = samples
        .iter()
        .filter_map(|sample| {
            let anchor = from.moment(sample)?.as_second();
            let late = sample.generated_at?.as_second() - anchor;
            Some((anchor.div_euclid(WEEK_SECONDS), late))
        })
        .collect();
    compared.sort_unstable_by(|one, other| other.cmp(one));
    // Weeks of few rows are taken together with those before them.
    let mut weeks = Vec::new();
    for week in compared.chunk_by(|one, other| one.0 == other.0) {
        weeks.extend(week.iter().map(|(_, late)| *late));
        if weeks.len() >= ROWS_MIN {
            if let Some(shift) = judge(&weeks, from) {
                return Some(shift);
            }
            weeks.clear();
        }
    }
    None
}

/// Counts what cannot be so at `as_of`.
#[must_use]
pub fn count_oddities(samples: &[Sample], as_of: Timestamp) -> Oddities {
    let is_later = |one: Option<Timestamp>, other: Option<Timestamp>| {
        let (Some(one), Some(other)) = (one, other) else {
            return false;
        };
        one.as_second() - other.as_second() > EARLY_SECONDS
    };
    let count = |is_odd: &dyn Fn(&Sample) -> bool| samples.iter().filter(|it| is_odd(it)).count();
    Oddities {
        future: count(&|it| {
            is_later(it.generated_at, Some(as_of)) || is_later(it.restore_completed_at, Some(as_of))
        }),
        reversed: count(&|it| is_later(it.restore_started_at, it.restore_completed_at)),
    }
}

/// The number of quarters that most of these agree on, unless it is one that no zone explains.
fn judge(late: &[i64], from: Anchor) -> Option<Shift> {
    let mut quarters: Vec<i64> = late.iter().copied().filter_map(quarters_of).collect();
    quarters.sort_unstable();
    let most = quarters
        .chunk_by(|one, other| one == other)
        .max_by_key(|same| same.len())?;
    let quarter = *most.first()?;
    let is_shift = QUARTERS.contains(&quarter.abs()) && most.len() * 2 > late.len();
    is_shift.then(|| Shift {
        from,
        by: SignedDuration::from_secs(quarter * QUARTER_SECONDS),
        rows: most.len(),
        rows_compared: late.len(),
    })
}

/// How many whole quarters of an hour a delay is off one that is usual; none where it is between two.
fn quarters_of(late: i64) -> Option<i64> {
    let quarters = (late + EARLY_SECONDS).div_euclid(QUARTER_SECONDS);
    let rest = late - quarters * QUARTER_SECONDS;
    (rest <= LATE_SECONDS).then_some(quarters)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 24 * 60 * 60;

    /// Evidence of a restore that ended so many seconds after the first week's beginning, dated so many off its end.
    fn dated(ended: i64, late: i64) -> Sample {
        let at = |second| Timestamp::from_second(200 * WEEK_SECONDS + second).ok();
        Sample {
            generated_at: at(ended + late),
            created_at: None,
            restore_started_at: at(ended - 600),
            restore_completed_at: at(ended),
        }
    }

    /// Several, some minutes after each other.
    fn rows(number: i64, from: i64, late: impl Fn(i64) -> i64) -> Vec<Sample> {
        let row = |number| dated(from + number * 480, late(number));
        (0..number).map(row).collect()
    }

    /// Minutes, and how many rows of how many.
    type Found = Option<(i64, usize, usize)>;

    fn found(samples: &[Sample]) -> Found {
        let shift = find(samples)?;
        Some((shift.by.as_secs() / 60, shift.rows, shift.rows_compared))
    }

    #[test]
    fn a_shift_is_what_most_rows_agree_on() {
        let cases: [(&str, Vec<Sample>, Found); 15] = [
            ("no rows", vec![], None),
            ("none is off", rows(30, 0, |n| n % 60), None),
            (
                "Berlin in winter",
                rows(22, 0, |n| -3_600 + n),
                Some((-60, 22, 22)),
            ),
            (
                "New York in winter",
                rows(22, 0, |n| 18_000 + n * 10),
                Some((300, 22, 22)),
            ),
            (
                "Kathmandu",
                rows(22, 0, |n| -20_700 + n),
                Some((-345, 22, 22)),
            ),
            ("too few", rows(19, 0, |_| -3_600), None),
            ("just enough", rows(20, 0, |_| -3_600), Some((-60, 20, 20))),
            (
                "half is not most",
                rows(20, 0, |n| if n % 2 == 0 { -3_600 } else { 9 }),
                None,
            ),
            (
                "more than half",
                rows(21, 0, |n| if n % 2 == 0 { -3_600 } else { 9 }),
                Some((-60, 11, 21)),
            ),
            (
                "once an hour, whenever restores end",
                rows(120, 0, |n| (n * 487) % 3_600),
                None,
            ),
            (
                "captured before the end, whenever that is",
                rows(40, 0, |n| -(n * 97) % 3_000),
                None,
            ),
            ("always a quarter later", rows(40, 0, |_| 900), None),
            ("always a day later", rows(40, 0, |_| DAY), None),
            (
                "mended since, and the weeks before are not",
                [rows(40, 8 * DAY, |_| 5), rows(40, 0, |_| -3_600)].concat(),
                Some((-60, 40, 40)),
            ),
            (
                "a quiet week is taken together with the one before",
                [rows(10, 8 * DAY, |_| -3_600), rows(10, 0, |_| -3_600)].concat(),
                Some((-60, 20, 20)),
            ),
        ];
        for (name, samples, expected) in cases {
            assert_eq!(found(&samples), expected, "{name}");
        }
    }

    /// Neither of the two numbers is that of most rows.
    #[test]
    fn summer_and_winter_are_told_apart() {
        let summer = rows(30, 0, |_| -7_200);
        let winter = rows(30, 8 * DAY, |_| -3_600);
        assert_eq!(
            found(&[winter.clone(), summer.clone()].concat()),
            Some((-60, 30, 30))
        );
        assert_eq!(found(&summer), Some((-120, 30, 30)));
    }

    /// Captured whenever somebody does, it is close to its own row at least.
    #[test]
    fn evidence_is_held_against_its_own_row_as_well() {
        let rows = |off: i64| {
            let mut rows = rows(22, 0, |n| (n * 487) % 3_600);
            for row in &mut rows {
                let by = SignedDuration::from_secs(off);
                row.created_at = row.generated_at.and_then(|at| at.checked_add(by).ok());
            }
            rows
        };
        for (off, expected) in [
            (0, None),
            (-30, None),
            (3_590, Some(-60)),
            (-18_000, Some(300)),
        ] {
            let shift = find(&rows(off)).map(|it| (it.by.as_secs() / 60, it.from));
            assert_eq!(shift, expected.map(|by| (by, Anchor::OwnRow)), "{off}");
        }
        let mut both = rows(3_600);
        for row in &mut both {
            row.restore_completed_at = row.created_at;
        }
        assert_eq!(find(&both).map(|it| it.from), Some(Anchor::RestoreEnd));
        let without_restore = |mut row: Sample| {
            row.restore_completed_at = None;
            row
        };
        let alone: Vec<Sample> = rows(3_600).into_iter().map(without_restore).collect();
        assert_eq!(found(&alone), Some((-60, 22, 22)));
    }

    #[test]
    fn the_edges_of_what_is_usual() {
        for (late, expected) in [
            (0, Some(0)),
            (-60, Some(0)),
            (-61, None),
            (300, Some(0)),
            (301, None),
            (839, None),
            (840, Some(1)),
            (1_200, Some(1)),
            (1_201, None),
            (-3_660, Some(-4)),
            (-3_300, Some(-4)),
            (-3_661, None),
        ] {
            assert_eq!(quarters_of(late), expected, "{late}");
        }
    }

    #[test]
    fn what_cannot_be_so_is_counted_one_by_one() {
        let as_of = Timestamp::from_second(200 * WEEK_SECONDS + 1_000).unwrap();
        let mut reversed = dated(500, 3);
        reversed.restore_started_at = Timestamp::from_second(200 * WEEK_SECONDS + 900).ok();
        let samples = [
            dated(900, 5),
            dated(900, 3_600),
            dated(3_600, 5),
            reversed,
            Sample::default(),
        ];
        let expected = Oddities {
            future: 2,
            reversed: 1,
        };
        assert_eq!(count_oddities(&samples, as_of), expected);
    }
}
