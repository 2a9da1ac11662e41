//! What a measurement came to: figures, each the median of several rounds, and how they compare to each other.

use serde::Serialize;

use crate::bench::Subject;

/// All that was measured in one run of the program.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "command", rename = "bench")]
pub(crate) struct Report {
    pub(crate) machine: String,
    /// The database: its version, and how it keeps what was committed.
    pub(crate) database: String,
    pub(crate) work: Work,
    /// In the order in which they were asked for.
    pub(crate) figures: Vec<Figure>,
    /// Ratios of figures, all of this one run, and some figures themselves.
    pub(crate) targets: Vec<Target>,
}

/// The standard work, and how often it was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct Work {
    /// Of one measurement.
    pub(crate) runs: u32,
    /// Of each restore.
    pub(crate) items: u32,
    /// Bytes of the results of one restore whose proof is complete.
    pub(crate) results_bytes: usize,
    /// How often each rate was measured, one after the other in turns.
    pub(crate) rounds: u32,
    /// Settled runs beside which growth was measured.
    pub(crate) settled: u64,
}

/// One figure: the median of what the rounds gave, with the least and the most.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Figure {
    pub(crate) subject: Subject,
    /// What stands beside the subject: how many connections, which percentile.
    pub(crate) variant: String,
    pub(crate) unit: Unit,
    pub(crate) median: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
    pub(crate) values: usize,
}

impl Figure {
    /// What was measured, in words.
    pub(crate) fn name(&self) -> String {
        format!("{}, {}", self.subject.name(), self.variant)
    }

    /// The median with its unit.
    pub(crate) fn value(&self) -> String {
        format!("{} {}", rounded(self.median), self.unit.symbol())
    }
}

/// With as many digits as say something.
pub(crate) fn rounded(value: f64) -> String {
    let digits = match value.abs() {
        large if large >= 100.0 => 0,
        middling if middling >= 10.0 => 1,
        _ => 2,
    };
    format!("{value:.digits$}")
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Unit {
    VerdictsPerSecond,
    TransactionsPerSecond,
    LeavesPerSecond,
    Milliseconds,
    Mebibytes,
    Rows,
    Percent,
}

impl Unit {
    /// As it stands behind a number.
    pub(crate) const fn symbol(self) -> &'static str {
        match self {
            Self::VerdictsPerSecond => "verdicts/s",
            Self::TransactionsPerSecond => "tx/s",
            Self::LeavesPerSecond => "leaves/s",
            Self::Milliseconds => "ms",
            Self::Mebibytes => "MiB",
            Self::Rows => "rows",
            Self::Percent => "%",
        }
    }
}

/// What a ratio, or a figure, should be.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Target {
    pub(crate) name: String,
    /// Whether more is better.
    pub(crate) at_least: bool,
    pub(crate) bound: f64,
    pub(crate) value: f64,
    /// What both are counted in: nothing for a ratio.
    pub(crate) unit: Option<Unit>,
    pub(crate) held: bool,
}

/// Values as they come in, by what they are of.
#[derive(Debug, Default)]
pub(crate) struct Measured(Vec<Series>);

/// Values of one subject and variant.
#[derive(Debug)]
struct Series {
    subject: Subject,
    variant: String,
    unit: Unit,
    values: Vec<f64>,
}

impl Series {
    fn is_of(&self, subject: Subject, variant: &str, unit: Unit) -> bool {
        (self.subject, &*self.variant, self.unit) == (subject, variant, unit)
    }
}

impl Measured {
    /// Has figures of a variant stand before those of whatever is measured later.
    pub(crate) fn expect(&mut self, subject: Subject, variant: &str, unit: Unit) {
        if !self.0.iter().any(|it| it.is_of(subject, variant, unit)) {
            self.0.push(Series {
                subject,
                variant: variant.to_owned(),
                unit,
                values: Vec::new(),
            });
        }
    }

    /// Adds a value to those of its variant.
    pub(crate) fn add(&mut self, subject: Subject, variant: &str, unit: Unit, value: f64) {
        self.expect(subject, variant, unit);
        let mut all = self.0.iter_mut();
        if let Some(series) = all.find(|it| it.is_of(subject, variant, unit)) {
            series.values.push(value);
        }
    }

    /// Nothing of what has no values.
    pub(crate) fn figures(&self) -> Vec<Figure> {
        let figure = |series: &Series| {
            Some(Figure {
                subject: series.subject,
                variant: series.variant.clone(),
                unit: series.unit,
                median: percentile(&series.values, 50)?,
                min: percentile(&series.values, 0)?,
                max: percentile(&series.values, 100)?,
                values: series.values.len(),
            })
        };
        self.0.iter().filter_map(figure).collect()
    }
}

/// The least value that so many percent of all do not exceed.
pub(crate) fn percentile(values: &[f64], percent: usize) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let place = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
    sorted.get(place).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_one_of_the_values() {
        let values = [5.0, 1.0, 4.0, 2.0, 3.0];
        let at = |percent| percentile(&values, percent);
        assert_eq!([at(0), at(20), at(50)], [Some(1.0), Some(1.0), Some(3.0)]);
        assert_eq!([at(99), at(100)], [Some(5.0), Some(5.0)]);
        assert_eq!(percentile(&[], 50), None);
    }
}
