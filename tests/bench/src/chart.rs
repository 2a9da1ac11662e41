//! The figures as a drawing: one panel for each unit of rate, time and memory, one bar for each figure, with a line
//! from the least value to the most.

use askama::Template;

use crate::report::{Figure, Report, Unit};

const WIDTH: u32 = 960;

/// Height of a heading, of a figure with the space below it, and of its bar.
const HEADING: u32 = 34;
const ROW: u32 = 22;
const BAR: u32 = 13;

/// Where bars begin, and how long the longest is.
const BAR_LEFT: f64 = 430.0;
const BAR_WIDTH: f64 = 380.0;

/// Between a bar and its value.
const GAP: f64 = 6.0;

/// In the order of the panels, and which of them is better.
const PANELS: [(Unit, &str); 6] = [
    (Unit::VerdictsPerSecond, "Verdicts per second: more"),
    (Unit::TransactionsPerSecond, "Transactions per second: more"),
    (Unit::LeavesPerSecond, "Leaves per second: more"),
    (Unit::Milliseconds, "Milliseconds: less"),
    (Unit::Percent, "Percent: less"),
    (Unit::Mebibytes, "Mebibytes: less"),
];

/// The drawing, from top to bottom. All lengths are pixels.
#[derive(Template)]
#[template(path = "chart.svg")]
struct Chart {
    width: u32,
    height: u32,
    lines: Vec<Line>,
    bars: Vec<Bar>,
}

struct Line {
    y: u32,
    text: String,
    is_heading: bool,
}

struct Bar {
    y: u32,
    middle: u32,
    length: f64,
    /// Where its line begins and ends.
    least: f64,
    most: f64,
    value: String,
    value_left: f64,
}

impl Report {
    pub(crate) fn chart(&self) -> askama::Result<String> {
        let mut chart = Chart {
            width: WIDTH,
            height: ROW / 2,
            lines: Vec::new(),
            bars: Vec::new(),
        };
        chart.line(&self.machine, ROW, false);
        chart.line(&self.database, ROW, false);
        for (unit, heading) in PANELS {
            let figures = self.figures.iter().filter(|figure| figure.unit == unit);
            let heading = format!("{heading} is better");
            chart.panel(&heading, &figures.collect::<Vec<_>>());
        }
        chart.render()
    }
}

impl Chart {
    fn panel(&mut self, heading: &str, figures: &[&Figure]) {
        if figures.is_empty() {
            return;
        }
        self.line(heading, HEADING, true);
        let most = figures.iter().map(|figure| figure.max);
        let most = most.fold(f64::MIN_POSITIVE, f64::max);
        for figure in figures {
            self.figure(figure, most);
        }
    }

    fn figure(&mut self, figure: &Figure, most: f64) {
        // What costs less than nothing has no bar.
        let length = |value: f64| (BAR_WIDTH * value.max(0.0) / most).round();
        self.bars.push(Bar {
            y: self.height + (ROW - BAR) / 2,
            middle: self.height + ROW / 2,
            length: length(figure.median),
            least: BAR_LEFT + length(figure.min),
            most: BAR_LEFT + length(figure.max),
            value: figure.value(),
            value_left: BAR_LEFT + length(figure.max) + GAP,
        });
        self.line(&figure.name(), ROW, false);
    }

    /// Adds a line of text below what there is.
    fn line(&mut self, text: &str, height: u32, is_heading: bool) {
        self.lines.push(Line {
            y: self.height + height / 2,
            text: text.to_owned(),
            is_heading,
        });
        self.height += height;
    }
}
