//! What the figures should be, as far as they were measured. Figures on shared machines drift, so most targets are
//! ratios of figures of one run.

use crate::bench::Subject;
use crate::growth::ADVISED_INDEXES;
use crate::report::{Figure, Target, Unit};
use crate::workers::{WITH_REQUEST, WITHOUT_REQUEST};

/// All targets whose figures are there.
pub(crate) fn targets(figures: &[Figure]) -> Vec<Target> {
    let of = Medians(figures);
    [
        of.rates(),
        of.requests(),
        of.growth(),
        of.alone(),
        of.pages(),
    ]
    .concat()
}

/// What is held to a target: nothing where it was not measured.
fn at_least(name: &'static str, bound: f64, value: Option<f64>) -> Option<Target> {
    Some(Target::at_least(name, bound, value?))
}

fn at_most(
    name: &'static str,
    bound: f64,
    value: Option<f64>,
    unit: Option<Unit>,
) -> Option<Target> {
    Some(Target::at_most(name, bound, value?, unit))
}

fn ratio(value: Option<f64>, to: Option<f64>) -> Option<f64> {
    Some(value? / to?)
}

struct Medians<'a>(&'a [Figure]);

impl Medians<'_> {
    fn rates(&self) -> Vec<Target> {
        let (rows, sweep) = (self.best(Subject::RowAtATime), self.best(Subject::Sweep));
        let queued = self.best(Subject::Queued);
        let like = |name, connections| {
            let of = |subject| self.named(subject, connections);
            at_least(name, 0.5, ratio(of(Subject::Sweep), of(Subject::Ceiling)))
        };
        [
            at_least("sweep / row at a time", 5.0, ratio(sweep, rows)),
            like("sweep / ceiling, 1 connection", "1 "),
            like("sweep / ceiling, 2 connections", "2 "),
            like("sweep / ceiling, 4 connections", "4 "),
            at_least("queued / row at a time", 2.5, ratio(queued, rows)),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    fn requests(&self) -> Vec<Target> {
        let one = self.best(Subject::One);
        let latency = |percentile| ratio(self.named(Subject::Latency, percentile), one);
        let with = self.named(Subject::Producers, WITH_REQUEST);
        let cost = ratio(with, self.named(Subject::Producers, WITHOUT_REQUEST))
            .map(|share| (1.0 - share) * 100.0);
        let within = |name, bound, percentile| at_most(name, bound, latency(percentile), None);
        [
            within(
                "latency p50 at 50/s / one run settled alone",
                2.5,
                "p50 at 50/s",
            ),
            within(
                "latency p99 at 50/s / one run settled alone",
                8.0,
                "p99 at 50/s",
            ),
            within(
                "latency p50 at 1000/s / one run settled alone",
                2.5,
                "p50 at 1000/s",
            ),
            within(
                "latency p99 at 1000/s / one run settled alone",
                8.0,
                "p99 at 1000/s",
            ),
            at_most(
                "what a request costs its producer",
                10.0,
                cost,
                Some(Unit::Percent),
            ),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    fn growth(&self) -> Vec<Target> {
        let advised = self.all(Subject::Growth, ADVISED_INDEXES);
        let growth = ratio(advised.last().copied(), advised.first().copied());
        let idle = |subject| self.named(subject, ADVISED_INDEXES);
        let written = idle(Subject::IdleRowsWritten);
        [
            at_most("sweep beside most / least settled runs", 1.3, growth, None),
            at_most(
                "idle sweep",
                50.0,
                idle(Subject::IdleSweep),
                Some(Unit::Milliseconds),
            ),
            at_most(
                "rows written by an idle sweep",
                0.0,
                written,
                Some(Unit::Rows),
            ),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    fn alone(&self) -> Vec<Target> {
        let of = |subject| self.best(subject);
        [
            at_most(
                "big run",
                150.0,
                of(Subject::BigRun),
                Some(Unit::Milliseconds),
            ),
            at_most(
                "memory of a sweep",
                64.0,
                of(Subject::Memory),
                Some(Unit::Mebibytes),
            ),
            at_most("start", 300.0, of(Subject::Start), Some(Unit::Milliseconds)),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    fn pages(&self) -> Vec<Target> {
        let pages = self.all(Subject::Page, ADVISED_INDEXES);
        let slowest = pages.into_iter().max_by(f64::total_cmp);
        let unit = Some(Unit::Milliseconds);
        at_most("slowest page, p99", 50.0, slowest, unit)
            .into_iter()
            .collect()
    }

    /// The highest of a subject's medians.
    fn best(&self, subject: Subject) -> Option<f64> {
        self.all(subject, "").into_iter().max_by(f64::total_cmp)
    }

    /// The median of the one variant whose name holds `part`.
    fn named(&self, subject: Subject, part: &str) -> Option<f64> {
        self.all(subject, part).last().copied()
    }

    /// The medians of a subject's variants whose names hold `part`.
    fn all(&self, subject: Subject, part: &str) -> Vec<f64> {
        let wanted = |figure: &&Figure| figure.subject == subject && figure.variant.contains(part);
        self.0
            .iter()
            .filter(wanted)
            .map(|figure| figure.median)
            .collect()
    }
}
