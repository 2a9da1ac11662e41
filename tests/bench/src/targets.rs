//! What the figures should be, as far as they were measured. Figures on shared machines drift, so most targets are
//! ratios of figures of one run.

use crate::bench::Subject;
use crate::growth::ADVISED_INDEXES;
use crate::report::{Figure, Target, Unit};
use crate::sealing::{COST_TO_REQUEST, COST_TO_SWEEP};
use crate::workers::{WITH_REQUEST, WITHOUT_REQUEST};

/// All targets whose figures are there.
pub(crate) fn targets(figures: &[Figure]) -> Vec<Target> {
    let of = Medians(figures);
    let like_ceiling = |connections: &str| {
        let of = |subject| of.named(subject, connections);
        let value = ratio(of(Subject::Sweep), of(Subject::Ceiling));
        at_least(&format!("sweep / ceiling, {connections}"), 0.5, value)
    };
    let latency = |part: &str, bound| {
        let name = format!("latency {part} / one run settled alone");
        let value = ratio(of.named(Subject::Latency, part), of.best(Subject::One));
        at_most(&name, bound, value, None)
    };
    let rows = of.best(Subject::RowAtATime);
    let sweep = ratio(of.best(Subject::Sweep), rows);
    let queued = ratio(of.best(Subject::Queued), rows);
    let producers = |part| of.named(Subject::Producers, part);
    let share = ratio(producers(WITH_REQUEST), producers(WITHOUT_REQUEST));
    let cost = share.map(|share| (1.0 - share) * 100.0);
    let growth = of.all(Subject::Growth, ADVISED_INDEXES);
    let growth = ratio(growth.last().copied(), growth.first().copied());
    let idle = of.named(Subject::IdleSweep, ADVISED_INDEXES);
    let written = of.named(Subject::IdleRowsWritten, ADVISED_INDEXES);
    let pages = of.all(Subject::Page, ADVISED_INDEXES);
    let slowest = pages.into_iter().max_by(f64::total_cmp);
    let (big_run, start) = (of.best(Subject::BigRun), of.best(Subject::Start));
    let memory = of.best(Subject::Memory);
    let tree = |part| of.named(Subject::Tree, part);
    let a_second = |name, subject| {
        at_least(name, 25_000.0, of.best(subject)).map(|target| Target {
            unit: Some(Unit::VerdictsPerSecond),
            ..target
        })
    };
    let [ms, mebibytes] = [Unit::Milliseconds, Unit::Mebibytes].map(Some);
    let [rows, percent] = [Unit::Rows, Unit::Percent].map(Some);
    [
        at_least("sweep / row at a time", 5.0, sweep),
        like_ceiling("1 connection"),
        like_ceiling("2 connections"),
        like_ceiling("4 connections"),
        at_least("queued / row at a time", 2.5, queued),
        a_second("check of the ledger", Subject::Check),
        a_second("simulation over the ledger", Subject::Simulation),
        latency("p50 at 50/s", 2.5),
        latency("p99 at 50/s", 8.0),
        latency("p50 at 1000/s", 2.5),
        latency("p99 at 1000/s", 8.0),
        at_most("what a request costs its producer", 10.0, cost, percent),
        at_most(COST_TO_SWEEP, 3.0, tree(COST_TO_SWEEP), percent),
        at_most(COST_TO_REQUEST, 3.0, tree(COST_TO_REQUEST), percent),
        at_most("sweep beside most / least settled runs", 1.3, growth, None),
        at_most("idle sweep", 50.0, idle, ms),
        at_most("rows written by an idle sweep", 0.0, written, rows),
        at_most("big run", 150.0, big_run, ms),
        at_most("memory of a sweep", 64.0, memory, mebibytes),
        at_most("start", 300.0, start, ms),
        at_most("slowest page, p99", 50.0, slowest, ms),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// A target of which more is better; nothing where there is no value.
fn at_least(name: &str, bound: f64, value: Option<f64>) -> Option<Target> {
    let held = value? >= bound;
    let more = at_most(name, bound, value, None)?;
    Some(Target {
        at_least: true,
        held,
        ..more
    })
}

/// A target of which less is better; nothing where there is no value.
fn at_most(name: &str, bound: f64, value: Option<f64>, unit: Option<Unit>) -> Option<Target> {
    let value = value?;
    Some(Target {
        name: name.to_owned(),
        at_least: false,
        bound,
        value,
        unit,
        held: value <= bound,
    })
}

fn ratio(value: Option<f64>, to: Option<f64>) -> Option<f64> {
    Some(value? / to?)
}

struct Medians<'a>(&'a [Figure]);

impl Medians<'_> {
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
        let figures = self.0.iter().filter(wanted);
        figures.map(|figure| figure.median).collect()
    }
}
